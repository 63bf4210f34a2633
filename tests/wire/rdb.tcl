# rdb.tcl - the RDB file: SAVE, loading at start, shutdown, DEBUG RELOAD; files of both kinds of server.
source [file join [file dirname [info script]] .. harness.tcl]

proc add_all {c} {
    $c flushall
    $c mset string hello int 12345 empty {}
    $c set long [string repeat x 5000]
    $c set expiring v px 10000000
    for {set i 0} {$i < 500} {incr i} {
        $c set key:$i $i
        $c rpush list "element $i"
        $c sadd set "member$i"
        $c sadd intset $i
        $c zadd zset [expr {$i / 4.0}] "member$i"
        $c hset hash "field$i" "value $i"
        $c xadd stream [expr {$i + 1}]-0 field $i
    }
    $c rpush huge [string repeat a 20000] b
    $c sadd smallset a b
    $c zadd smallzset 1 a
    $c hset smallhash a 1
    $c xgroup create stream group 0
    $c xreadgroup group group alice count 10 streams stream >
    $c select 9
    $c set other database
    $c select 0
}

proc view {c key} {
    switch [$c type $key] {
        string { return [$c get $key] }
        list { return [$c lrange $key 0 -1] }
        set { return [lsort [$c smembers $key]] }
        zset { return [$c zrange $key 0 -1 withscores] }
        hash { return [lsort -stride 2 [$c hgetall $key]] }
        stream { return [list [$c xrange $key - +] [$c xpending $key group]] }
    }
}

proc snapshot {c} {
    set all {}
    foreach key [lsort [$c keys *]] { lappend all $key [view $c $key] [expr {[$c pttl $key] > 0}] }
    $c select 9
    lappend all [$c get other]
    $c select 0
    return $all
}

proc folder {} {
    set dir $::tmp/folder[incr ::serial]
    file mkdir $dir
    return $dir
}

foreach version {10 11 12} {
    test "what is saved is loaded at the next start, version $version" -only weft {
        set dir [folder]
        set s [start_server -config "dir $dir\nrdb-version $version"]
        set c [client]
        add_all $c
        set before [snapshot $c]
        set digest [$c debug digest]
        expect_true {[info_field [$c info persistence] rdb_changes_since_last_save] > 0}
        expect [$c save] OK
        expect [info_field [$c info persistence] rdb_changes_since_last_save] 0
        expect [info_field [$c info persistence] rdb_saves] 1
        expect_between [$c lastsave] [expr {[clock seconds] - 5}] [clock seconds]
        expect [file exists $dir/dump.rdb] 1
        expect [glob -nocomplain $dir/temp-*] {}
        expect [string range [read_file $dir/dump.rdb] 0 8] REDIS00$version
        $c set after save
        stop_server $s
        start_server -config "dir $dir"
        set c [client]
        expect_true {[snapshot $c] eq $before}
        expect [$c debug digest] $digest
        expect [$c get after] (nil)
        expect_match [server_log] "*Done loading RDB, keys loaded: 516,*"
    }
}

test "redis-check-rdb accepts our files" -only weft {
    set dir [folder]
    start_server -config "dir $dir\nrdb-version 10"
    set c [client]
    add_all $c
    $c save
    if {[catch {exec sh -c "command -v redis-check-rdb"}]} return
    lassign [run_program redis-check-rdb $dir/dump.rdb] status output
    expect $status 0 $output
    expect_match $output "*RDB looks OK*"
}

test "redis-server loads our files and we its" -only weft {
    if {![have_redis]} { puts "  no redis-server"; return }
    set dir [folder]
    set s [start_server -config "dir $dir\nrdb-version 10"]
    set c [client]
    add_all $c
    set before [snapshot $c]
    $c save
    stop_server $s
    set s [start_redis -config "dir $dir"]
    set r [client]
    expect_true {[snapshot $r] eq $before}
    $r save
    stop_server $s
    start_server -config "dir $dir\nsanitize-dump-payload yes"
    expect_true {[snapshot [client]] eq $before}
}

test "DEBUG RELOAD keeps everything" {
    start_server
    set c [client]
    add_all $c
    set digest [$c debug digest]
    expect [$c debug reload] OK
    expect [$c debug digest] $digest
    $c set more 1
    expect [$c debug reload nosave] OK
    expect [$c debug digest] $digest
    $c set more 1
    expect [$c debug reload nosave noflush merge] OK
    expect [$c get more] 1
    expect_error {$c debug reload nonsense} "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
}

test "DEBUG RELOAD in a transaction" -only weft {
    start_server
    set c [client]
    $c set k v
    $c multi
    $c debug reload
    $c get k
    expect [$c exec] {OK v}
}

test "expiry and access are kept" {
    start_server
    set c [client]
    $c config set maxmemory-policy allkeys-lru
    $c set k v px 5000000
    $c restore idle 0 [$c dump k] idletime 500
    $c debug reload
    expect_between [$c pttl k] 4000000 5000000
    expect_between [$c object idletime k] 0 10
    expect_between [$c object idletime idle] 500 510
    $c config set maxmemory-policy allkeys-lfu
    $c restore often 0 [$c dump k] freq 99
    $c debug reload
    expect [$c object freq often] 99
}

test "a key of a file that does not tell was used when it was loaded" {
    start_server
    set c [client]
    $c set k v
    $c debug reload
    expect_between [$c object idletime k] 0 10
}

test "several SAVEs at a time" -only weft {
    start_server
    set c [client]
    $c debug populate 20000
    set all {}
    for {set i 0} {$i < 5} {incr i} { lappend all [client] }
    foreach d $all { send $d save }
    foreach d $all { expect [reply $d] OK }
    expect [glob -nocomplain [server_dir]/temp-*] {}
    expect [$c debug reload nosave] OK
    expect [$c dbsize] 20000
}

test "expired keys are left out when loading" {
    start_server
    set c [client]
    $c debug set-active-expire 0
    $c set gone v px 1
    $c set stays v
    after 20
    $c debug reload
    expect [$c dbsize] 1
    expect [info_field [$c info persistence] rdb_last_load_keys_expired] 1
    expect [info_field [$c info persistence] rdb_last_load_keys_loaded] 1
}

test "fields with a time of expiry come back" -since 7.4 {
    start_server
    set c [client]
    for {set i 0} {$i < 600} {incr i} { $c hset large f$i v }
    $c hset small a 1 b 2
    $c hpexpireat large 4000000000000 fields 2 f1 f2
    $c hpexpireat small 4000000000000 fields 1 b
    set digest [$c debug digest]
    $c debug reload
    expect [$c debug digest] $digest
    expect [$c hpexpiretime large fields 1 f2] 4000000000000
    expect [$c hpexpiretime small fields 2 a b] {-1 4000000000000}
}

# ---- shutdown ---------------------------------------------------------------------------------

foreach {how saved} {{shutdown save} 1 {shutdown nosave} 0 {shutdown} 1} {
    test "$how with save points" {
        set dir [folder]
        set s [start_server -config "dir $dir\nsave 3600 1"]
        set c [client]
        $c set k v
        may_end $s
        catch {$c {*}$how}
        wait_for_end [server_pid $s] 5000
        expect [file exists $dir/dump.rdb] $saved
        start_server -config "dir $dir"
        expect [[client] get k] [expr {$saved ? "v" : "(nil)"}]
    }
}

test "SIGTERM saves when there are save points, and not without" {
    foreach {save saved} {"3600 1" 1 {""} 0} {
        set dir [folder]
        set s [start_server -config "dir $dir\nsave $save"]
        [client] set k v
        stop_server $s
        expect [file exists $dir/dump.rdb] $saved
    }
}

test "FLUSHALL empties the file too when there are save points" {
    set dir [folder]
    set s [start_server -config "dir $dir\nsave 900 1"]
    set c [client]
    $c set key value
    $c save
    $c set key other
    expect [$c flushall] OK
    expect [info_field [$c info persistence] rdb_changes_since_last_save] 0
    $c set key value
    $c multi
    $c flushall
    $c set kept 1
    expect [$c exec] {OK OK}
    kill_server $s
    start_server -config "dir $dir"
    expect [[client] keys *] {}
}

test "a server that cannot save does not end" {
    set dir [folder]
    set s [start_server -config "dir $dir\ndbfilename file.rdb"]
    set c [client]
    $c set k v
    file mkdir $dir/file.rdb
    expect_error {$c save} "ERR*"
    expect_error {$c shutdown save} "ERR Errors trying to SHUTDOWN*"
    expect [$c get k] v
    expect [glob -nocomplain $dir/temp-*] {}
    file delete $dir/file.rdb
    expect [$c save] OK
    may_end $s
    catch {$c shutdown save}
    expect [wait_for_end [server_pid $s] 5000] 1
}

# ---- files that are not as they should be -----------------------------------------------------------

proc start_with {bytes} {
    set dir [folder]
    write_file $dir/dump.rdb $bytes
    return [run_server --port [free_port] --bind 127.0.0.1 --dir $dir --save ""]
}

proc good_file {} {
    set dir [folder]
    set s [start_server -config "dir $dir\nrdb-version 12" ]
    set c [client]
    $c rpush l a b c
    $c hset h a 1 b 2
    $c set s [string repeat abc 100]
    $c save
    stop_server $s
    return [read_file $dir/dump.rdb]
}

test "a damaged file ends the start with its offset" -only weft {
    set good [good_file]
    set n [string length $good]
    foreach {bad what} [list [string range $good 0 end-8] "*unexpected end*" \
                             [string replace $good end end X] "*CRC error*" \
                             "REDIX[string range $good 5 end]" "*no RDB file*" \
                             "REDIS0099[string range $good 9 end]" "*Can't handle RDB format version 99*" \
                             "" "*unexpected end*"] {
        lassign [start_with $bad] status output
        expect $status 1 $output
        expect_match $output "*Error reading the RDB file at offset *$what*Fatal error loading the DB*"
    }
}

test "no changed byte of a file harms the server" -only weft {
    set good [good_file]
    set dir [folder]
    start_server -config "dir $dir\nsanitize-dump-payload yes"
    set c [client]
    $c debug set-skip-checksum-validation 1
    for {set i 0} {$i < [string length $good]} {incr i} {
        scan [string index $good $i] %c code
        foreach bit {1 64 255} {
            write_file $dir/dump.rdb [string replace $good $i $i [format %c [expr {$code ^ $bit}]]]
            catch {$c debug reload nosave} result
            expect_true {$result eq "OK" || [string match "ERR Error trying to load*" $result]}
        }
    }
    write_file $dir/dump.rdb $good
    expect [$c debug reload nosave] OK
    expect [$c dbsize] 3
}

test "while it loads the server says so" -only weft {
    set dir [folder]
    set s [start_server -config "dir $dir"]
    [client] debug populate 20000 key 100
    [client] save
    stop_server $s
    start_server -wait 0 -config "dir $dir\nkey-load-delay 200"
    wait_until {![catch {client -keep 1} c]}
    expect_error {$c get key:1} "LOADING Redis is loading the dataset in memory"
    expect [info_field [$c info persistence] loading] 1
    expect_true {[info_field [$c info persistence] loading_total_bytes] > 100000}
    wait_until {[info_field [$c info persistence] loading] == 0} 30000
    expect [$c dbsize] 20000
}

test "libraries of functions are kept for the next file" -only weft {
    if {![have_redis]} { puts "  no redis-server"; return }
    set dir [folder]
    set code "#!lua name=lib\nredis.register_function('f', function() return 7 end)"
    set s [start_redis -config "dir $dir"]
    set r [client]
    $r function load $code
    $r set k v
    $r save
    stop_server $s
    set s [start_server -config "dir $dir\nrdb-version 10"]
    expect [[client] get k] v
    [client] save
    stop_server $s
    start_redis -config "dir $dir"
    expect [[client] fcall f 0] 7
}
