# expiry.tcl - keys go when their time has come: on access, in the background, and many at once.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
proc fresh {} { $::c flushall }
proc stat {field} { info_field [$::c info stats] $field }

test "an expired key is gone for every command" {
    fresh
    $c debug set-active-expire 0
    foreach {command want} {
        {get k} (nil) {exists k} 0 {ttl k} -2 {pttl k} -2 {type k} none {strlen k} 0 {getrange k 0 -1} {} {persist k} 0
        {expire k 100} 0 {del k} 0 {unlink k} 0 {touch k} 0 {mget k} (nil) {getdel k} (nil) {getex k} (nil)
        {object encoding k} (nil) {setnx k new} 1 {append k x} 1 {incr k} 1 {set k v xx} (nil) {set k v nx} OK
        {set k v get} (nil) {renamenx k other} ? {keys *} {} {randomkey} (nil) {expiretime k} -2 {lpush k a} 1
        {setrange k 1 a} 2 {msetnx k v} 1 {copy k other} 0 {move k 3} 0 {lpop k} (nil) {llen k} 0
    } {
        fresh
        $c set k old px 1
        after 4
        if {$want eq "?"} {
            expect_error {$c {*}$command} "ERR no such key"
        } else {
            expect [$c {*}$command] $want "$command: "
        }
    }
    $c debug set-active-expire 1
}

test "a list that has expired" {
    fresh
    $c debug set-active-expire 0
    $c rpush l a b c
    $c pexpire l 1
    after 4
    expect [$c llen l] 0
    $c rpush l x
    expect [$c lrange l 0 -1] x
    expect [$c ttl l] -1
    $c debug set-active-expire 1
}

test "RENAME over a key that has expired, and of one" {
    fresh
    $c set a 1
    $c set b 2 px 1
    after 4
    expect [$c renamenx a b] 1
    expect [$c ttl b] -1
    $c set a 1 px 1
    after 4
    expect_error {$c rename a c} "ERR no such key"
}

test "nothing expires early" {
    fresh
    set start [clock milliseconds]
    foreach ms {20 50 100 200 400} { $c set k:$ms v px $ms }
    set all_set [clock milliseconds]
    set gone {}
    while {[llength $gone] < 5} {
        foreach ms {20 50 100 200 400} {
            if {$ms in $gone} continue
            set before [clock milliseconds]
            if {![$c exists k:$ms]} {
                lappend gone $ms
                expect_between [expr {[clock milliseconds] - $start}] [expr {$ms - 1}] 100000
            } else {
                expect_between [expr {$before - $all_set}] 0 [expr {$ms + 20 * $slow}]
            }
        }
    }
    expect $gone {20 50 100 200 400}
}

test "keys that nobody asks for expire too" {
    fresh
    set before [stat expired_keys]
    for {set i 0} {$i < 5000} {incr i} { queue $c set k$i v px [expr {1 + $i % 200}] }
    flush_client $c
    replies $c 5000
    $c set stays v ex 1000
    $c set forever v
    wait_until {[$c dbsize] == 2} 5000
    expect [expr {[stat expired_keys] - $before}] 5000
}

test "keys expire in every database" {
    fresh
    for {set db 0} {$db < 16} {incr db} {
        $c select $db
        for {set i 0} {$i < 50} {incr i} { $c set k$i v px 20 }
    }
    for {set db 0} {$db < 16} {incr db} {
        $c select $db
        wait_until {[$c dbsize] == 0}
    }
    $c select 0
}

test "INFO keyspace counts keys and those with an expiry" {
    fresh
    $c mset a 1 b 2 c 3
    $c expire a 1000
    expect_match [$c info keyspace] "*db0:keys=3,expires=1,avg_ttl=*"
    $c persist a
    expect_match [$c info keyspace] "*db0:keys=3,expires=0,avg_ttl=0*"
    $c expire b 100
    $c del b
    expect_match [$c info keyspace] "*db0:keys=2,expires=0,*"
}

test "an expiry that is set anew many times leaves one" {
    fresh
    for {set i 0} {$i < 3000} {incr i} { queue $c set k v px [expr {10 + $i % 30}] }
    flush_client $c
    replies $c 3000
    $c set k v
    after 80
    expect [$c get k] v
    for {set i 0} {$i < 1000} {incr i} { queue $c expire k [expr {100 + $i}] }
    flush_client $c
    replies $c 1000
    expect_between [$c ttl k] 1095 1099
}

test "a million keys that expire at once do not hold GET up" {
    fresh
    set n [expr {$slow > 1 ? 100000 : 1000000}]
    set at [expr {[clock milliseconds] + 1500}]
    $c debug set-active-expire 0
    $c set probe v
    set value [string repeat x 16]
    set d [client]
    for {set i 0} {$i < $n} {incr i 10000} {
        for {set j 0} {$j < 10000} {incr j} { puts -nonewline $::Client($d,sock) "*5\r\n\$3\r\nSET\r\n\$8\r\n[expr {10000000 + $i + $j}]\r\n\$16\r\n$value\r\n\$4\r\nPXAT\r\n\$13\r\n9000000000000\r\n" }
        flush_client $d
        need_bytes $d 50000
        read_bytes $d 50000
    }
    expect [$c dbsize] [expr {$n + 1}]
    # All of them now, in as few commands as may be.
    set at [expr {[clock milliseconds] + 3000}]
    for {set i 0} {$i < $n} {incr i 10000} {
        for {set j 0} {$j < 10000} {incr j} { puts -nonewline $::Client($d,sock) "*3\r\n\$9\r\nPEXPIREAT\r\n\$8\r\n[expr {10000000 + $i + $j}]\r\n\$13\r\n$at\r\n" }
        flush_client $d
        need_bytes $d 40000
        read_bytes $d 40000
    }
    while {[clock milliseconds] < $at} { after 10 }
    $c debug set-active-expire 1
    set slowest 0
    set slow_ones 0
    set end [expr {[clock milliseconds] + 60000}]
    for {set i 0} {[clock milliseconds] < $end} {incr i} {
        set start [clock microseconds]
        $c get probe
        set us [expr {[clock microseconds] - $start}]
        if {$us > $slowest} { set slowest $us }
        if {$us > 30000} { incr slow_ones }
        if {$i % 100 == 0 && [$c dbsize] == 1} break
    }
    expect [$c dbsize] 1
    expect_between $slowest 0 [expr {100000 * $slow}]
    expect_true {$slow_ones <= max(3, $i / 50)}
}
