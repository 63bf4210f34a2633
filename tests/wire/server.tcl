# server.tcl - INFO CONFIG COMMAND TIME SLOWLOG MEMORY LATENCY DEBUG LOLWUT SHUTDOWN.
source [file join [file dirname [info script]] .. harness.tcl]

set s [start_server]
set c [client -keep 1]

test "INFO has the sections and fields that tools read" {
    set all [$c info]
    foreach {section fields} {
        Server {redis_version redis_mode os arch_bits process_id run_id tcp_port uptime_in_seconds uptime_in_days hz
            config_file executable multiplexing_api server_time_usec configured_hz lru_clock io_threads_active}
        Clients {connected_clients maxclients blocked_clients client_recent_max_input_buffer
            client_recent_max_output_buffer cluster_connections tracking_clients clients_in_timeout_table}
        Memory {used_memory used_memory_human used_memory_rss used_memory_peak total_system_memory maxmemory
            maxmemory_policy mem_fragmentation_ratio mem_allocator lazyfree_pending_objects used_memory_dataset}
        Persistence {loading rdb_changes_since_last_save rdb_bgsave_in_progress rdb_last_save_time aof_enabled}
        Stats {total_connections_received total_commands_processed instantaneous_ops_per_sec total_net_input_bytes
            total_net_output_bytes rejected_connections expired_keys evicted_keys keyspace_hits keyspace_misses
            total_error_replies total_reads_processed total_writes_processed}
        Replication {role connected_slaves master_replid master_repl_offset second_repl_offset repl_backlog_active}
        CPU {used_cpu_sys used_cpu_user}
        Cluster {cluster_enabled}
    } {
        expect_match $all "*# $section\r\n*"
        foreach field $fields {
            if {![regexp -line "^$field:" $all]} { fail "INFO has no $field in $section" }
        }
    }
    expect [info_field $all redis_mode] standalone
    expect [info_field $all tcp_port] [server_port]
    expect [info_field $all process_id] [server_pid]
    expect [string length [info_field $all run_id]] 40
    expect [info_field $all role] master
    expect [info_field $all cluster_enabled] 0
}

test "INFO of Weft: its version and its runtime" -only weft {
    expect [info_field [$c info server] redis_version] 7.4.0
    expect_true {[info_field [$c info server] weft_version] ne ""}
    set runtime [$c info runtime]
    expect_match $runtime "# Runtime\r\n*"
    foreach field {workers coroutines switches steals polls parked idle_stacks} {
        if {![regexp -line "^\[a-z_\]*$field\[a-z_\]*:\[0-9\]+" $runtime]} { fail "INFO runtime has no $field:\n$runtime" }
    }
}

test "INFO of chosen sections" {
    expect_match [$c info server] "# Server\r\n*"
    expect_true {![string match "*# Clients*" [$c info server]]}
    set two [$c info server clients]
    expect_match $two "*# Server*# Clients*"
    expect_true {![string match "*# Memory*" $two]}
    expect [$c info nosuchsection] ""
    expect_match [$c info all] "*# Server*# Commandstats*"
    expect_match [$c info everything] "*# Server*"
    expect_match [$c info default] "*# Server*# Keyspace*"
    expect_true {![string match "*# Commandstats*" [$c info default]]}
    expect_match [$c info CLIENTS] "# Clients*"
}

test "INFO counts commands, errors, hits and misses" {
    $c flushall
    $c config resetstat
    $c set k v
    $c get k
    $c get none
    $c get none
    catch {$c lpush k x}
    catch {$c nosuch}
    catch {$c get}
    set stats [$c info commandstats]
    expect_match $stats "*cmdstat_set:calls=1,usec=*,usec_per_call=*,rejected_calls=0,failed_calls=0*"
    expect_match $stats "*cmdstat_get:calls=3,*rejected_calls=1,failed_calls=0*"
    expect_match $stats "*cmdstat_lpush:calls=1,*failed_calls=1*"
    set errors [$c info errorstats]
    expect_match $errors "*errorstat_WRONGTYPE:count=1*"
    expect_match $errors "*errorstat_ERR:count=2*"
    expect_match [$c info latencystats] "*latency_percentiles_usec_set:p50=*,p99=*,p99.9=*"
    expect [info_field [$c info stats] keyspace_hits] 1
    expect [info_field [$c info stats] keyspace_misses] 2
    expect [info_field [$c info stats] total_error_replies] 3
}

test "INFO counts changes" {
    $c flushall
    foreach {request changes} {{set k v} 1 {get k} 0 {del k none} 1 {del none} 0 {rpush l a b c} 3 {lpop l 2} 2 {mset a 1 b 2} 2
        {lmove l m left left} 1 {rpush m a a b} 3 {lrem m 0 a} 2 {ltrim m 5 6} 2 {set m 1} 1 {expire m 100} 1 {persist none} 0 {flushdb} 3} {
        set before [info_field [$c info persistence] rdb_changes_since_last_save]
        $c {*}$request
        expect [expr {[info_field [$c info persistence] rdb_changes_since_last_save] - $before}] $changes "$request: "
    }
}

test "INFO counts the changes of clients that were waiting" -since 7.2.0 {
    $c flushall
    set w [client]
    foreach {request changes} {{blpop w 0} 2 {blmpop 0 1 w left} 2 {blmove w x left left 0} 2} {
        send $w {*}$request
        wait_blocked $c 1
        set before [info_field [$c info persistence] rdb_changes_since_last_save]
        $c rpush w a
        reply $w
        expect [expr {[info_field [$c info persistence] rdb_changes_since_last_save] - $before}] $changes "$request: "
    }
}

test "INFO keyspace" {
    $c flushall
    expect [string trim [$c info keyspace]] "# Keyspace"
    $c set a 1
    $c select 5
    $c set b 1 ex 100
    $c select 0
    expect_match [$c info keyspace] "*db0:keys=1,expires=0,avg_ttl=0*db5:keys=1,expires=1,avg_ttl=*"
    $c flushall
}

test "used_memory follows the data" {
    $c flushall
    set before [info_field [$c info memory] used_memory]
    for {set i 0} {$i < 10000} {incr i} { queue $c set key:$i [string repeat x 1000] }
    flush_client $c
    replies $c 10000
    set full [info_field [$c info memory] used_memory]
    expect_between [expr {$full - $before}] 10000000 25000000
    $c flushall sync
    wait_until {[info_field [$c info memory] used_memory] < $before + 3000000}
    expect_true {[info_field [$c info memory] used_memory_peak] >= $full}
}

test "CONFIG GET" {
    expect [$c config get port] [list port [server_port]]
    expect [dict size [$c config get *]] [expr {[llength [$c config get *]] / 2}]
    expect_true {[dict size [$c config get *]] > 100}
    expect [lsort [dict keys [$c config get maxmemory maxclients]]] {maxclients maxmemory}
    expect [$c config get nosuch] {}
    expect [dict get [$c config get max*clients] maxclients] [info_field [$c info clients] maxclients]
    expect_error {$c config get} "ERR wrong number of arguments for 'config|get' command"
}

test "CONFIG SET takes values as Redis writes them" {
    foreach {name value shown} {
        maxmemory 100mb 104857600 maxmemory 0 0 timeout 100 100 timeout 0 0 slowlog-max-len 64 64
        slowlog-log-slower-than 10000 10000 maxmemory-policy allkeys-lru allkeys-lru maxmemory-policy noeviction noeviction
        loglevel debug debug loglevel notice notice tcp-keepalive 60 60 lazyfree-lazy-user-del yes yes
        lazyfree-lazy-user-del no no list-max-listpack-size 128 128 list-max-listpack-size -2 -2
        proto-max-bulk-len 1gb 1073741824 proto-max-bulk-len 512mb 536870912 hz 20 20 hz 10 10
        client-query-buffer-limit 2mb 2097152 client-query-buffer-limit 1gb 1073741824 latency-tracking no no
        latency-tracking yes yes
    } {
        expect [$c config set $name $value] OK
        expect [$c config get $name] [list $name $shown]
    }
}

test "CONFIG SET of several is all or nothing" {
    expect [$c config set timeout 5 slowlog-max-len 77] OK
    expect [lsort -stride 2 [$c config get timeout slowlog-max-len]] {slowlog-max-len 77 timeout 5}
    expect_error {$c config set timeout 9 slowlog-max-len abc} "ERR CONFIG SET failed (possibly related to argument 'slowlog-max-len') - argument couldn't be parsed into an integer"
    expect [$c config get timeout] {timeout 5}
    expect_error {$c config set timeout 9 timeout 10} "ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter"
    expect_error {$c config set timeout 9 slowlog-max-len} "ERR syntax error"
    $c config set timeout 0 slowlog-max-len 128
}

test "CONFIG SET refuses" {
    expect_error {$c config set nosuch 1} "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"
    expect_error {$c config set maxmemory-policy foo} "ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - argument(s) must be one of the following: *"
    expect_error {$c config set lazyfree-lazy-user-del maybe} "ERR CONFIG SET failed (possibly related to argument 'lazyfree-lazy-user-del') - argument must be 'yes' or 'no'"
    expect_error {$c config set timeout -1} "ERR CONFIG SET failed (possibly related to argument 'timeout') - argument must be between 0 and 2147483647 inclusive"
    expect_error {$c config set maxmemory 10xb} "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value*"
    expect_error {$c config set databases 20} "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config"
    expect_error {$c config nosuch} "ERR unknown subcommand 'nosuch'. Try CONFIG HELP."
    expect_match [lindex [$c config help] 0] "CONFIG <subcommand> *"
}

test "CONFIG SET maxclients and client-output-buffer-limit" {
    expect [$c config set client-output-buffer-limit "normal 1mb 2mb 60"] OK
    expect_match [lindex [$c config get client-output-buffer-limit] 1] "normal 1048576 2097152 60 *"
    expect [$c config set client-output-buffer-limit "normal 0 0 0"] OK
    expect_error {$c config set client-output-buffer-limit "foo 0 0 0"} "ERR CONFIG SET failed*"
    expect [$c config set maxclients 100] OK
    expect [lindex [$c config get maxclients] 1] 100
}

test "CONFIG REWRITE keeps comments, writes what changed, and the file works" {
    set t [start_server -config "# a comment of mine\ntimeout 11\nslowlog-max-len 50"]
    set d [client]
    $d config set timeout 22
    $d config set maxmemory 123mb
    $d config set requirepass "a \"b\" c"
    expect [$d config rewrite] OK
    set file [read_file [server_dir $t]/server.conf]
    expect_match $file "*# a comment of mine\n*"
    expect_match $file "*timeout 22\n*"
    expect_match $file "*maxmemory 123mb\n*"
    expect_match $file "*slowlog-max-len 50\n*"
    expect_true {![string match "*timeout 11*" $file]}
    # Twice gives the same, but for empty lines.
    expect [$d config rewrite] OK
    expect [string trim [read_file [server_dir $t]/server.conf]] [string trim $file]
    stop_server $t
    set port [free_port]
    set u [start_server -wait 0 -port $port -config [string map [list "port [server_port $t]" "port $port"] $file]]
    wait_for_server $u
    set d [client -server $u]
    expect [$d auth "a \"b\" c"] OK
    expect [$d config get timeout] {timeout 22}
    expect [$d config get maxmemory] {maxmemory 128974848}
}

test "CONFIG RESETSTAT" {
    $c get none
    expect [$c config resetstat] OK
    set stats [$c info stats]
    expect [info_field $stats keyspace_misses] 0
    expect [info_field $stats total_connections_received] 0
    expect_true {![string match "*cmdstat_get*" [$c info commandstats]]}
}

test "COMMAND describes every command that there is" {
    set all [$c command]
    expect [llength $all] [$c command count]
    set names {}
    foreach entry $all {
        expect_true {[llength $entry] == 10}
        lassign $entry name arity flags first last step categories tips specs subcommands
        expect_true {[string is integer -strict $arity] && $arity != 0}
        lappend names $name
    }
    foreach name {get set del lpush blpop multi exec client config command debug scan info} {
        if {$name ni $names} { fail "COMMAND lacks $name" }
    }
    expect [lsort $names] [lsort [lsearch -all -inline -not [$c command list] *|*]]
}

test "COMMAND INFO of known commands is as in Redis" {
    foreach {name arity flags first last step} {
        get 2 {readonly fast} 1 1 1
        set -3 {write denyoom} 1 1 1
        mget -2 {readonly fast} 1 -1 1
        mset -3 {write denyoom} 1 -1 2
        del -2 {write} 1 -1 1
        rename 3 {write} 1 2 1
        lmove 5 {write denyoom} 1 2 1
        blpop -3 {write blocking} 1 -2 1
        lmpop -4 {write movablekeys} 0 0 0
        ping -1 {fast} 0 0 0
        exec 1 {noscript loading stale skip_slowlog} 0 0 0
        keys 2 {readonly} 0 0 0
        auth -2 {noscript loading stale fast no_auth allow_busy} 0 0 0
        subscribe -2 ? 0 0 0
    } {
        if {$flags eq "?"} continue
        lassign [lindex [$c command info $name] 0] n a f first_key last_key key_step
        expect [list $n $a $first_key $last_key $key_step] [list $name $arity $first $last $step]
        foreach flag $flags { expect_true {$flag in $f} }
    }
    expect [wire $c command info nosuch] "*1\r\n\$-1\r\n"
    expect [$c command info] [$c command]
    expect [lindex [lindex [$c command info get] 0] 6] {@read @string @fast}
    expect [lindex [lindex [$c command info client|kill] 0] 0] client|kill
}

test "COMMAND GETKEYS and GETKEYSANDFLAGS" {
    expect [$c command getkeys get k] k
    expect [$c command getkeys mset a 1 b 2] {a b}
    expect [$c command getkeys lmpop 2 a b left] {a b}
    expect [$c command getkeys blpop a b c 0] {a b c}
    expect [$c command getkeys object encoding k] k
    expect [$c command getkeysandflags set k v] {{k {OW update}}}
    expect [$c command getkeysandflags get k] {{k {RO access}}}
    expect [$c command getkeysandflags lmove a b left left] {{a {RW access delete}} {b {RW insert}}}
    expect_error {$c command getkeys ping x} "ERR The command has no key arguments"
    expect_error {$c command getkeys nosuch x} "ERR Invalid command specified"
    expect_error {$c command getkeys get a b} "ERR Invalid number of arguments specified for command"
}

test "COMMAND LIST and its filters" {
    expect_true {"get" in [$c command list filterby aclcat read]}
    expect_true {"set" ni [$c command list filterby aclcat read]}
    expect [lsort [$c command list filterby pattern lpush*]] {lpush lpushx}
    expect [$c command list filterby module nosuch] {}
    expect [$c command list filterby aclcat nosuch] {}
    expect_error {$c command list foo} "ERR *"
}

test "COMMAND DOCS" {
    set docs [$c command docs get client]
    expect [lsort [dict keys $docs]] {client get}
    set get [dict get $docs get]
    foreach field {summary since group complexity arguments} { expect_true {[dict exists $get $field]} }
    expect [dict get $get group] string
    expect [dict get $get since] 1.0.0
    expect [lindex [dict get $get arguments] 0 1] key
    expect_true {[dict exists [dict get $docs client] subcommands]}
    expect [$c command docs nosuch] {}
    expect_true {[dict size [$c command docs]] == [$c command count]}
    expect_match [lindex [$c command help] 0] "COMMAND <subcommand> *"
}

test "TIME" {
    lassign [$c time] seconds micros
    expect_between [expr {$seconds - [clock seconds]}] -2 2
    expect_between $micros 0 999999
}

test "SLOWLOG" {
    $c config set slowlog-log-slower-than 1000
    $c slowlog reset
    expect [$c slowlog len] 0
    $c debug sleep 0.02
    $c ping
    expect [$c slowlog len] 1
    set entry [lindex [$c slowlog get] 0]
    lassign $entry id at us args addr name
    expect_true {$us >= 20000}
    expect_between [expr {[clock seconds] - $at}] 0 5
    expect $args {debug sleep 0.02}
    expect_match $addr "127.0.0.1:*"
    $c client setname sluggish
    $c debug sleep 0.02
    expect [lindex [lindex [$c slowlog get 1] 0] 5] sluggish
    $c client setname ""
    expect [llength [$c slowlog get]] 2
    expect [llength [$c slowlog get -1]] 2
    expect [llength [$c slowlog get 0]] 0
    expect_error {$c slowlog get -2} "ERR count should be greater than or equal to -1"
    expect [$c slowlog reset] OK
    expect [$c slowlog len] 0
}

test "SLOWLOG shortens long commands, keeps slowlog-max-len, and logs everything at 0" {
    $c config set slowlog-log-slower-than 0
    $c config set slowlog-max-len 5
    $c slowlog reset
    repeat 10 { $c ping }
    expect [$c slowlog len] 5
    $c set k [string repeat x 200]
    set args [lindex [lindex [$c slowlog get 1] 0] 3]
    if {[lindex $args 0] ne "set"} { set args [lindex [lindex [$c slowlog get 2] 1] 3] }
    expect [lindex $args 2] "[string repeat x 128]... (72 more bytes)"
    $c del {*}[lrepeat 50 key]
    set args {}
    foreach entry [$c slowlog get] { if {[lindex [lindex $entry 3] 0] eq "del"} { set args [lindex $entry 3] } }
    expect [llength $args] 32
    expect [lindex $args 31] "... (20 more arguments)"
    $c config set slowlog-log-slower-than -1
    $c slowlog reset
    $c ping
    expect [$c slowlog len] 0
    $c config set slowlog-log-slower-than 10000 slowlog-max-len 128
}

test "a command that blocks is accounted once, when its wait has ended" -since 7.2.0 {
    $c flushall
    $c config set slowlog-log-slower-than 0
    foreach {served ending} {1 {$c lpush l x} 0 {$c client unblock $id}} {
        set w [client]
        set id [$w client id]
        $c config resetstat
        $c slowlog reset
        send $w blpop l 0
        wait_blocked $c 1
        expect_true {![string match "*blpop*" [$c slowlog get -1]]}
        expect_true {![string match "*cmdstat_blpop*" [$c info commandstats]]}
        eval $ending
        reply $w
        wait_blocked $c 0
        expect [llength [regexp -all -inline {blpop l 0} [$c slowlog get -1]]] 1
        expect_match [$c info commandstats] "*cmdstat_blpop:calls=1,*failed_calls=0*"
    }
    $c config set slowlog-log-slower-than 10000
}

test "MEMORY" {
    $c flushall
    $c set k [string repeat x 1000]
    expect_between [$c memory usage k] 1000 2000
    expect_between [$c memory usage k samples 5] 1000 2000
    expect [$c memory usage none] (nil)
    $c rpush l {*}[lrepeat 1000 [string repeat y 100]]
    expect_between [$c memory usage l samples 0] 100000 250000
    expect_true {[dict exists [$c memory stats] peak.allocated]}
    expect_true {[dict get [$c memory stats] keys.count] == 2}
    expect_true {[string length [$c memory doctor]] > 10}
    expect [$c memory purge] OK
    expect_true {[string length [$c memory malloc-stats]] > 10}
    expect_match [lindex [$c memory help] 0] "MEMORY <subcommand> *"
    expect_error {$c memory usage k samples -1} "ERR syntax error"
    expect_error {$c memory usage k foo} "ERR syntax error"
}

test "LATENCY" {
    $c config set latency-monitor-threshold 10
    $c latency reset
    $c debug sleep 0.03
    $c debug sleep 0.02
    set latest [$c latency latest]
    set command [lsearch -inline -index 0 $latest command]
    expect_true {$command ne ""}
    expect_true {[lindex $command 3] >= 30}
    set history [$c latency history command]
    expect_true {[llength $history] >= 1}
    expect [$c latency history nosuch] {}
    expect_true {[$c latency reset command] == 1}
    expect [$c latency history command] {}
    $c config set latency-monitor-threshold 0
    $c set k v
    set h [$c latency histogram set]
    expect_true {[dict get [dict get $h set] calls] >= 1}
    expect_true {[dict exists [dict get $h set] histogram_usec]}
    expect [$c latency histogram nosuch] {}
    expect_match [lindex [$c latency help] 0] "LATENCY <subcommand> *"
}

test "LATENCY DOCTOR" -only redis {
    expect_true {[string length [$c latency doctor]] > 10}
}

test "DEBUG: what test suites use" {
    $c set k v
    expect_match [$c debug object k] "Value at:* refcount:* encoding:embstr*lru:* lru_seconds_idle:*"
    expect_error {$c debug object none} "ERR no such key"
    expect [$c debug set-active-expire 1] OK
    expect_true {[elapsed_ms {$c debug sleep 0.1}] >= 99}
    expect_error {$c debug nosuch} "ERR unknown subcommand *'nosuch'. Try DEBUG HELP."
    $c flushall
    expect [$c debug digest] [string repeat 0 40]
    $c set a 1
    set one [$c debug digest]
    $c set b 2
    set two [$c debug digest]
    expect_true {$one ne $two}
    $c del b
    expect [$c debug digest] $one
    $c set a 2
    expect_true {[$c debug digest] ne $one}
}

test "DEBUG DIGEST does not depend on how the data came to be" {
    $c flushall
    $c rpush l a b c
    $c mset x 1 y 2
    set first [$c debug digest]
    $c flushall
    $c mset y 2 x 1
    $c lpush l c b a
    expect [$c debug digest] $first
}

test "DEBUG RELOAD keeps everything" -only redis {
    $c flushall
    $c mset a 1 b two
    $c rpush l 1 2 3
    $c expire a 1000
    set digest [$c debug digest]
    $c debug reload
    expect [$c debug digest] $digest
    expect_between [$c ttl a] 990 1000
}

test "LOLWUT" {
    expect_match [$c lolwut] "*ver*"
    expect_true {[string length [$c lolwut version 5 40 2 2]] > 20}
}

test "ACL, the commands that tools ask with" -only redis {
    expect [$c acl whoami] default
    expect_true {"default" in [$c acl users]}
    expect_true {"read" in [$c acl cat]}
}

test "DEBUG is refused when it is not enabled" {
    set t [start_server -config "enable-debug-command no"]
    set d [client -server $t]
    expect_match [catch {$d debug sleep 0} error] 1
    expect_match $error "ERR DEBUG command not allowed.*"
}

test "SHUTDOWN" {
    foreach how {{} nosave {nosave now} {save force}} {
        set t [start_server]
        set d [client -server $t]
        $d config set save ""
        may_end $t
        send $d shutdown {*}$how
        expect [closed $d 10000] 1
        wait_until {![process_alive [server_pid $t]]}
        expect_match [server_log $t] "*bye bye*"
    }
    expect_error {$c shutdown foo} "ERR syntax error"
    expect_error {$c shutdown abort} "ERR No shutdown in progress."
}
