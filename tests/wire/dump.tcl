# dump.tcl - DUMP, RESTORE, MIGRATE: values as bytes, between servers of both kinds.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]

# A key of every type and encoding, small and large.
proc add_all {c} {
    $c flushall
    $c mset string hello int 12345 negative -7 big 9223372036854775807 float 3.14 empty {}
    $c set long [string repeat x 5000]
    $c rpush list a b c 1 2 3
    for {set i 0} {$i < 2000} {incr i} { $c rpush quicklist "element $i [string repeat y [expr {$i % 40}]]" }
    $c rpush huge [string repeat a 20000] [string repeat b 30000] c
    $c sadd intset 1 2 3 -70000 5000000000
    $c sadd listpackset a b 3
    for {set i 0} {$i < 700} {incr i} {
        $c sadd hashset "member$i"
        $c zadd skiplist [expr {$i * 1.5}] "member$i"
        $c hset hashtable "field$i" "value $i"
        $c xadd stream [expr {$i + 1}]-0 field $i other [string repeat z [expr {$i % 5}]]
    }
    $c zadd zset 1 a 2.5 b -inf c +inf d
    $c hset hash a 1 b two
    $c xgroup create stream group 0
    $c xreadgroup group group alice count 10 streams stream >
    $c xreadgroup group group bob count 5 streams stream >
    $c xack stream group 3-0
    $c xdel stream 5-0 600-0
}

proc view {c key} {
    switch [$c type $key] {
        string { return [$c get $key] }
        list { return [$c lrange $key 0 -1] }
        set { return [lsort [$c smembers $key]] }
        zset { return [$c zrange $key 0 -1 withscores] }
        hash { return [lsort -stride 2 [$c hgetall $key]] }
        stream {
            set pending {}
            foreach entry [$c xpending $key group - + 100] {
                lassign $entry id consumer idle deliveries
                lappend pending $id $consumer $deliveries
            }
            return [list [$c xrange $key - +] $pending [$c xpending $key group]]
        }
    }
}

test "DUMP of a key that is not there is nil" {
    expect [$c dump none] (nil)
}

test "RESTORE gives back every type and encoding" {
    add_all $c
    foreach version {10 11 12} {
        if {[server_kind] eq "weft"} { $c config set rdb-version $version }
        foreach key [$c keys *] {
            set payload [$c dump $key]
            $c del copy
            expect [$c restore copy 0 $payload] OK "$key: "
            expect_true {[view $c copy] eq [view $c $key]}
            expect [$c object encoding copy] [$c object encoding $key] "$key: "
            expect [$c pttl copy] -1
        }
        $c del copy
    }
}

test "the version at the end is rdb-version" -only weft {
    $c set k v
    foreach version {10 11 12} {
        $c config set rdb-version $version
        binary scan [string range [$c dump k] end-9 end-8] s found
        expect $found $version
    }
}

test "fields keep their time of expiry" -since 7.4 {
    $c config set rdb-version 12
    $c del h
    for {set i 0} {$i < 600} {incr i} { $c hset h f$i v }
    $c hset small a 1 b 2 c 3
    foreach key {h small} fields {{f1 f500} {a c}} {
        $c hpexpireat $key 4000000000000 fields 2 {*}$fields
        expect [$c restore copy 0 [$c dump $key] replace] OK
        expect [$c hpexpiretime copy fields 2 {*}$fields] {4000000000000 4000000000000}
        expect [$c hlen copy] [$c hlen $key]
    }
}

test "options of RESTORE" {
    $c set k value
    set p [$c dump k]
    expect_error {$c restore k 0 $p} "BUSYKEY Target key name already exists."
    expect [$c restore k 0 $p replace] OK
    expect_error {$c restore n -1 $p} "ERR Invalid TTL value, must be >= 0"
    expect_error {$c restore n x $p} "ERR value is not an integer or out of range"
    expect_error {$c restore n 0 $p idletime -1} "ERR Invalid IDLETIME value, must be >= 0"
    expect_error {$c restore n 0 $p freq 256} "ERR Invalid FREQ value, must be >= 0 and <= 255"
    expect_error {$c restore n 0 $p freq -1} "ERR Invalid FREQ value, must be >= 0 and <= 255"
    expect_error {$c restore n 0 $p freq 1 idletime 1} "ERR syntax error"
    expect_error {$c restore n 0 $p nonsense} "ERR syntax error"
    expect_error {$c restore n 0} "ERR wrong number of arguments for 'restore' command"
    expect [$c exists n] 0
    expect [$c restore n 100000 $p] OK
    expect_between [$c pttl n] 90000 100000
    set at [expr {[clock milliseconds] + 50000}]
    expect [$c restore n $at $p absttl replace] OK
    expect [$c pexpiretime n] $at
}

test "the errors of RESTORE come in Redis's order" {
    $c del n
    $c set k value
    set p [$c dump k]
    expect_error {$c restore k x bad} "BUSYKEY*"
    expect_error {$c restore n x bad} "ERR value is not an integer or out of range"
    expect_error {$c restore n 0 bad} "ERR DUMP payload version or checksum are wrong"
    expect_error {$c restore k 0 bad nonsense} "ERR syntax error"
}

test "a time that has come deletes what was to be replaced" {
    $c set k value
    set p [$c dump k]
    expect [$c restore k 1 $p absttl replace] OK
    expect [$c exists k] 0
    expect [$c restore k 1 $p absttl] OK
    expect [$c exists k] 0
}

test "IDLETIME and FREQ" {
    $c set k value
    set p [$c dump k]
    $c config set maxmemory-policy allkeys-lru
    $c restore k 0 $p replace idletime 1000
    expect_between [$c object idletime k] 1000 1010
    $c config set maxmemory-policy allkeys-lfu
    $c restore k 0 $p replace freq 77
    expect [$c object freq k] 77
    $c config set maxmemory-policy noeviction
}

test "every changed byte is refused" {
    $c del n
    $c zadd z 1 a 2 b
    set p [$c dump z]
    for {set i 0} {$i < [string length $p]} {incr i} {
        scan [string index $p $i] %c code
        set bad [string replace $p $i $i [format %c [expr {$code ^ 1}]]]
        expect_error {$c restore n 0 $bad} "ERR DUMP payload version or checksum are wrong"
    }
}

test "a payload with a right checksum and wrong contents is refused" {
    $c config set sanitize-dump-payload yes
    $c debug set-skip-checksum-validation 1
    set tail "\x0a\x00[string repeat \x00 8]"
    foreach body {
        "\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff"
        "\x01\x80\x7f\xff\xff\xff"
        "\x02\x02\x01a\x01a"
        "\x05\x01\x01a\x00\x00\x00\x00\x00\x00\xf8\x7f"
        "\x10\x0a\x0a\x00\x00\x00\x01\x00\x81\x61\x02\xff"
        "\x06\x01\x01"
        "\x63\x00"
        "\x0b\x08\x02\x00\x00\x00\x05\x00\x00\x00"
    } {
        expect_error {$c restore n 0 $body$tail replace} "ERR Bad data format"
    }
    $c debug set-skip-checksum-validation 0
    $c config set sanitize-dump-payload no
    expect [$c ping] PONG
}

test "a key restored serves those who wait for it" {
    $c del l
    $c rpush l a b
    set p [$c dump l]
    $c del l
    set d [client]
    send $d blpop l 0
    wait_blocked $c 1
    expect [$c restore l 0 $p] OK
    expect [reply $d] {l a}
    expect [$c lrange l 0 -1] b
}

# ---- between two servers ------------------------------------------------------------------------

test "payloads of redis-server are taken, and it takes ours of version 10" -only weft {
    if {![have_redis]} { puts "  no redis-server"; return }
    set s [start_redis]
    set r [client -server $s]
    $c config set rdb-version 10
    add_all $c
    add_all $r
    foreach key [$c keys *] {
        expect [$c restore copy 0 [$r dump $key] replace] OK "$key: "
        expect_true {[view $c copy] eq [view $r $key]}
        expect [$r restore copy 0 [$c dump $key] replace] OK "$key: "
        expect_true {[view $r copy] eq [view $c $key]}
    }
    $c config set rdb-version 12
}

foreach target {weft redis} {
    test "MIGRATE to $target" -only weft {
        if {$target eq "redis" && ![have_redis]} { puts "  no redis-server"; return }
        set s [expr {$target eq "redis" ? [start_redis] : [start_server]}]
        set d [client -server $s]
        set to [list 127.0.0.1 [server_port $s]]
        $c config set rdb-version 10
        $c flushall
        $c set k value px 100000
        expect [$c migrate {*}$to k 0 5000] OK
        expect [$c exists k] 0
        expect [$d get k] value
        expect_between [$d pttl k] 90000 100000
        $c set k other
        expect_error {$c migrate {*}$to k 0 5000} "ERR Target instance replied with error: BUSYKEY*"
        expect [$c get k] other
        expect [$c migrate {*}$to k 0 5000 copy replace] OK
        expect [$c get k] other
        expect [$d get k] other
        expect [$c migrate {*}$to none 0 5000] NOKEY
        $c mset a 1 b 2 c 3
        expect [$c migrate {*}$to {} 3 5000 keys a none b c] OK
        expect [$c exists a b c] 0
        $d select 3
        expect [$d mget a b c] {1 2 3}
        $c mset a 4 e 5
        expect_error {$c migrate {*}$to {} 3 5000 keys a e} "ERR Target instance replied with error: BUSYKEY*"
        expect [$c exists a e] 1
        expect [$d get e] 5
        expect_between [info_field [$c info stats] migrate_cached_sockets] 1 2
        $d config set requirepass secret
        expect_error {$c migrate {*}$to a 0 5000 replace auth wrong} "ERR Target instance replied with error:*"
        expect [$c migrate {*}$to a 0 5000 replace auth secret] OK
        $c set a 1
        expect [$c migrate {*}$to a 0 5000 replace auth2 default secret] OK
        $d config set requirepass ""
        $c config set rdb-version 12
    }
}

test "errors of MIGRATE" -only weft {
    set port [free_port]
    $c set k v
    expect_error {$c migrate 127.0.0.1 $port k 0 1000} "IOERR error or timeout connecting to the client"
    expect_error {$c migrate 127.0.0.1 $port k 0 1000 keys k} "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
    expect_error {$c migrate 127.0.0.1 $port k x 1000} "ERR value is not an integer or out of range"
    expect_error {$c migrate 127.0.0.1 $port k 0 1000 auth} "ERR syntax error"
    expect_error {$c migrate 127.0.0.1 $port k 0 1000 auth2 user} "ERR syntax error"
    expect_error {$c migrate 127.0.0.1 $port k 0 1000 nonsense} "ERR syntax error"
    expect [$c command getkeys migrate h 1 {} 0 10 copy auth keys keys a b] {a b}
    expect [$c command getkeys migrate h 1 k 0 10] k
    expect [$c get k] v
}

test "the slow log does not show the passwords of MIGRATE" -only weft {
    $c config set slowlog-log-slower-than 0
    $c slowlog reset
    set port [free_port]
    catch {$c migrate 127.0.0.1 $port k 0 1000 auth secret}
    catch {$c migrate 127.0.0.1 $port {} 0 1000 auth2 user secret keys auth key}
    $c config set slowlog-log-slower-than 10000
    set log [$c slowlog get]
    set log [lsearch -all -inline -index {3 0} $log migrate]
    expect [lrange [lindex $log 1 3] 6 end] {auth (redacted)}
    expect [lrange [lindex $log 0 3] 6 end] {auth2 (redacted) (redacted) keys auth key}
}

# A server that says nothing.
test "MIGRATE gives up when nothing is said for the timeout" -only weft {
    set listener [socket -server {apply {{s args} { lappend ::silent $s }}} -myaddr 127.0.0.1 0]
    set port [lindex [fconfigure $listener -sockname] 2]
    $c set k v
    send $c migrate 127.0.0.1 $port k 0 300
    after 100 {set ::waited 1}
    vwait ::waited
    expect_error {reply $c} "IOERR error or timeout reading to target instance"
    expect [$c get k] v
    close $listener
    foreach s $::silent { close $s }
}

# What takes the key answers late; meanwhile it is changed here.
test "a key that changes on its way stays" -only weft {
    set ::asked {}
    proc late {s args} {
        fconfigure $s -translation binary -blocking 0
        set ::asked $s
    }
    set listener [socket -server late -myaddr 127.0.0.1 0]
    set port [lindex [fconfigure $listener -sockname] 2]
    $c set k before
    set d [client]
    send $d migrate 127.0.0.1 $port k 0 5000
    vwait ::asked
    after 200 {set ::waited 1}
    vwait ::waited
    $c set k after
    puts -nonewline $::asked "+OK\r\n+OK\r\n"
    flush $::asked
    expect_error {reply $d} "ERR 1 of the keys changed*"
    expect [$c get k] after
    close $::asked
    close $listener
}
