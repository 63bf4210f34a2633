# zset_blocking.tcl - ZPOPMIN ZPOPMAX ZMPOP, and BZPOPMIN BZPOPMAX BZMPOP: who is served, when, with what.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set wrongtype "WRONGTYPE Operation against a key holding the wrong kind of value"
proc fresh {} { $::c flushall }

# A client that waits in COMMAND; the nth to do so.
proc waiter {n args} {
    set w [client]
    send $w {*}$args
    wait_blocked $::c $n
    return $w
}

test "ZPOPMIN and ZPOPMAX take from both ends" {
    fresh
    $c zadd z 1 a 2 b 3 c 4 d 5 e
    expect [$c zpopmin z] {a 1}
    expect [$c zpopmax z] {e 5}
    expect [$c zpopmin z 0] {}
    expect [$c zpopmax z 2] {d 4 c 3}
    expect [$c zpopmin z 10] {b 2}
    expect [$c exists z] 0
    expect [$c zpopmin z] {}
    expect [$c zpopmin z 3] {}
    $c set s v
    expect_error {$c zpopmin s} $wrongtype
    expect_error {$c zpopmax s 1} $wrongtype
    expect_error {$c zpopmin s -1} "ERR value is out of range, must be positive"
    expect_error {$c zpopmin z x} "ERR value is out of range, must be positive"
    expect_error {$c zpopmin z 1 2} "ERR syntax error"
}

test "a large set is popped to its end" {
    fresh
    set args {}
    for {set i 0} {$i < 1000} {incr i} { lappend args $i m$i }
    $c zadd z {*}$args
    expect [lrange [$c zpopmin z 400] end-1 end] {m399 399}
    expect [lrange [$c zpopmax z 400] end-1 end] {m600 600}
    expect [$c zcard z] 200
    for {set i 400} {$i < 600} {incr i} { expect [$c zpopmin z] "m$i $i" }
    expect [$c exists z] 0
}

test "ZMPOP takes from the first that is there" {
    fresh
    $c zadd z 1 a 2 b 3 c
    expect [$c zmpop 2 none z min] {z {{a 1}}}
    expect [$c zmpop 1 z MAX count 5] {z {{c 3} {b 2}}}
    expect [$c exists z] 0
    expect [wire $c zmpop 1 z min] "*-1\r\n"
    $c set s v
    expect_error {$c zmpop 2 s z min} $wrongtype
    expect_error {$c zmpop 0 z min} "ERR numkeys should be greater than 0"
    expect_error {$c zmpop x z min} "ERR numkeys should be greater than 0"
    expect_error {$c zmpop 2 z min} "ERR syntax error"
    expect_error {$c zmpop 1 z up} "ERR syntax error"
    expect_error {$c zmpop 1 z min count} "ERR syntax error"
    expect_error {$c zmpop 1 z min count 0} "ERR count should be greater than 0"
    expect_error {$c zmpop 1 z min count 1 count 2} "ERR syntax error"
    expect_error {$c zmpop 1 z min foo} "ERR syntax error"
}

test "what is there is taken at once" {
    fresh
    $c zadd z 1 a 2 b 3 c
    expect [$c bzpopmin z 0] {z a 1}
    expect [$c bzpopmax none z 0] {z c 3}
    expect [$c bzmpop 0 2 none z min] {z {{b 2}}}
    expect [$c dbsize] 0
}

test "waiting ends with a member" {
    fresh
    set w [waiter 1 bzpopmin z 0]
    expect [readable $w 50] 0
    expect [$c zadd z 2 b 1 a] 2
    expect [raw_reply $w] "*3\r\n\$1\r\nz\r\n\$1\r\na\r\n\$1\r\n1\r\n"
    expect [$c bzpopmax none z 0] {z b 2}
    expect [$c exists z] 0
    set w [waiter 1 bzmpop 0 2 y z max count 2]
    $c zadd z 1 a 2 b 3 c
    expect [reply $w] {z {{c 3} {b 2}}}
    expect [$c zrange z 0 -1] a
}

test "every way of making a sorted set serves the waiting" {
    foreach {prepare make member} {
        {} {zadd z 1 a} a
        {} {zincrby z 1 a} a
        {} {zadd z incr 1 a} a
        {} {geoadd z 13 38 a} a
        {zadd other 1 a} {zunionstore z 1 other} a
        {zadd other 1 a} {zinterstore z 2 other other} a
        {zadd other 1 a} {zdiffstore z 1 other} a
        {sadd other a} {zunionstore z 1 other} a
        {zadd other 1 a} {zrangestore z other 0 -1} a
        {geoadd other 13 38 a} {geosearchstore z other fromlonlat 13 38 byradius 1 km} a
        {geoadd other 13 38 a} {georadius other 13 38 1 km store z} a
        {geoadd other 13 38 a} {georadiusbymember other a 1 km storedist z} a
        {zadd other 1 a} {rename other z} a
        {zadd other 1 a} {copy other z} a
    } {
        fresh
        if {$prepare ne ""} { $c {*}$prepare }
        set w [waiter 1 bzpopmin z 0]
        $c {*}$make
        expect [lrange [reply $w] 0 1] [list z $member] "$make: "
        expect [$c exists z] 0
    }
}

test "first come, first served, over several keys" {
    fresh
    set first [waiter 1 bzpopmin a b 0]
    set second [waiter 2 bzpopmax b a 0]
    set third [waiter 3 bzmpop 0 1 b min]
    $c zadd b 1 x 2 y
    expect [reply $first] {b x 1}
    expect [reply $second] {b y 2}
    expect [readable $third 50] 0
    $c zadd b 7 z
    expect [reply $third] {b {{z 7}}}
    expect [$c dbsize] 0
}

test "other types and removed members do not serve" {
    fresh
    set w [waiter 1 bzpopmin z 0]
    $c rpush z a
    $c del z
    $c set z v
    $c del z
    expect [readable $w 50] 0
    $c multi
    $c zadd z 1 a
    $c del z
    $c exec
    expect [readable $w 50] 0
    $c multi
    $c zadd z 1 a
    $c zadd z 0 b
    $c exec
    expect [reply $w] {z b 0}
    $c del z
    $c set z v
    expect_error {$c bzpopmin z 0} $wrongtype
}

test "in a transaction nothing waits" {
    fresh
    $c multi
    $c bzpopmin z 0
    $c bzmpop 0 1 z max
    expect [wire $c exec] "*2\r\n*-1\r\n*-1\r\n"
}

test "timeouts" {
    fresh
    foreach command {{bzpopmin z 0.1} {bzpopmax z y 0.1} {bzmpop 0.1 1 z min}} {
        set ms [elapsed_ms {set got [wire $c {*}$command]}]
        expect $got "*-1\r\n"
        expect_between $ms 90 [expr {1000 * $slow}]
    }
    expect_error {$c bzpopmin z -1} "ERR timeout is negative"
    expect_error {$c bzpopmin z x} "ERR timeout is not a float or out of range"
    expect_error {$c bzmpop -1 1 z min} "ERR timeout is negative"
    expect_error {$c bzmpop -1 1 z up} "ERR syntax error"
    expect_error {$c bzmpop 0 0 z min} "ERR numkeys should be greater than 0"
}

test "a waiter that is told to go leaves nothing behind" {
    fresh
    set w [client]
    set id [$w client id]
    send $w bzpopmin z 0
    wait_blocked $c 1
    expect [$c client unblock $id] 1
    expect [raw_reply $w] "*-1\r\n"
    $c zadd z 1 a
    expect [$c zcard z] 1
}

test "RESP3 forms" {
    fresh
    set r [resp3_client]
    $c zadd z 1 a 2.5 b 3 c 4 d
    expect [wire $r zpopmin z] "*2\r\n\$1\r\na\r\n,1\r\n"
    expect [wire $r zpopmin z 1] "*1\r\n*2\r\n\$1\r\nb\r\n,2.5\r\n"
    expect [wire $r bzpopmax z 0] "*3\r\n\$1\r\nz\r\n\$1\r\nd\r\n,4\r\n"
    expect [wire $r zmpop 1 z min] "*2\r\n\$1\r\nz\r\n*1\r\n*2\r\n\$1\r\nc\r\n,3\r\n"
    expect [wire $r zpopmin z 1] "*0\r\n"
    expect [wire $r zmpop 1 z min] "_\r\n"
    expect [wire $r bzpopmin z 0.01] "_\r\n"
    send $r bzpopmin z 0
    wait_blocked $c 1
    $c zadd z 5 e
    expect [raw_reply $r] "*3\r\n\$1\r\nz\r\n\$1\r\ne\r\n,5\r\n"
}
