# zset_algebra.tcl - unions, intersections, differences of sorted sets; random members; ZSCAN.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set wrongtype "WRONGTYPE Operation against a key holding the wrong kind of value"
proc fresh {} { $::c flushall }

# Three sorted sets and a set, packed or large.
proc make_inputs {size} {
    fresh
    $::c zadd a 1 x 2 y 3 z
    $::c zadd b 10 y 20 z 30 w
    $::c zadd d 100 z
    $::c sadd s x z 7
    if {$size eq "large"} {
        foreach key {a b d} { add_filler $key; remove_filler $key }
        for {set i 0} {$i < 600} {incr i} { $::c sadd s filler-$i }
        for {set i 0} {$i < 600} {incr i} { $::c srem s filler-$i }
    }
}
proc add_filler {key} {
    set args {}
    for {set i 0} {$i < 300} {incr i} { lappend args $i filler-$i }
    $::c zadd $key {*}$args
}
proc remove_filler {key} {
    set args {}
    for {set i 0} {$i < 300} {incr i} { lappend args filler-$i }
    $::c zrem $key {*}$args
}

foreach size {packed large} {
    test "ZUNION adds scores, with weights and other ways to put them together ($size)" {
        make_inputs $size
        expect [$c zunion 2 a b withscores] {x 1 y 12 z 23 w 30}
        expect [$c zunion 2 a b] {x y z w}
        expect [$c zunion 3 a b d withscores] {x 1 y 12 w 30 z 123}
        expect [$c zunion 2 a b weights 10 1 withscores] {x 10 w 30 y 30 z 50}
        expect [$c zunion 2 a b aggregate min withscores] {x 1 y 2 z 3 w 30}
        expect [$c zunion 2 a b AGGREGATE Max WITHSCORES weights 1 -1] {w -30 x 1 y 2 z 3}
        expect [$c zunion 1 a withscores] {x 1 y 2 z 3}
        expect [$c zunion 2 a a withscores] {x 2 y 4 z 6}
        expect [$c zunion 2 none a withscores] {x 1 y 2 z 3}
        expect [$c zunion 2 none none2] {}
        expect [$c zunion 2 a s withscores] {7 1 x 2 y 2 z 4}
        expect [$c zunion 1 s withscores weights 3] {7 3 x 3 z 3}
    }

    test "ZINTER and ZINTERCARD take what all have ($size)" {
        make_inputs $size
        expect [$c zinter 2 a b withscores] {y 12 z 23}
        expect [$c zinter 3 a b d] z
        expect [$c zinter 2 a b weights 2 3 aggregate max withscores] {y 30 z 60}
        expect [$c zinter 2 a b aggregate min withscores] {y 2 z 3}
        expect [$c zinter 2 a a withscores] {x 2 y 4 z 6}
        expect [$c zinter 2 a none] {}
        expect [$c zinter 2 a s withscores] {x 2 z 4}
        expect [$c zinter 2 s s withscores] {7 2 x 2 z 2}
        expect [$c zintercard 2 a b] 2
        expect [$c zintercard 2 a b limit 1] 1
        expect [$c zintercard 2 a b limit 0] 2
        expect [$c zintercard 1 a limit 10] 3
        expect [$c zintercard 2 a none] 0
    }

    test "ZDIFF keeps the scores of the first ($size)" {
        make_inputs $size
        expect [$c zdiff 2 a b withscores] {x 1}
        expect [$c zdiff 2 b a] w
        expect [$c zdiff 1 a withscores] {x 1 y 2 z 3}
        expect [$c zdiff 3 a b d] x
        expect [$c zdiff 2 a a] {}
        expect [$c zdiff 2 a none] {x y z}
        expect [$c zdiff 2 none a] {}
        expect [$c zdiff 2 a s withscores] {y 2}
        expect [$c zdiff 2 s a withscores] {7 1}
    }

    test "results are stored, in place of anything ($size)" {
        make_inputs $size
        expect [$c zunionstore t 2 a b weights 1 2] 4
        expect [$c zrange t 0 -1 withscores] {x 1 y 22 z 43 w 60}
        expect [$c zinterstore t 2 a b] 2
        expect [$c zrange t 0 -1 withscores] {y 12 z 23}
        expect [$c zdiffstore t 2 a b] 1
        expect [$c zrange t 0 -1 withscores] {x 1}
        $c set t string
        $c expire t 100
        expect [$c zunionstore t 1 s] 3
        expect [$c zrange t 0 -1 withscores] {7 1 x 1 z 1}
        expect [$c ttl t] -1
        expect [$c zunionstore a 2 a b] 4
        expect [$c zrange a 0 -1 withscores] {x 1 y 12 z 23 w 30}
    }

    test "an empty result removes the target ($size)" {
        make_inputs $size
        foreach command {{zunionstore t 1 none} {zinterstore t 2 a none} {zdiffstore t 2 a a}} {
            $c set t string
            expect [$c {*}$command] 0 "$command: "
            expect [$c exists t] 0
            expect [$c {*}$command] 0
        }
        expect [$c zinterstore a 2 a none] 0
        expect [$c exists a] 0
    }
}

test "large results and long members are stored as large sets" {
    fresh
    set a {}
    set b {}
    for {set i 0} {$i < 1000} {incr i} {
        lappend a $i m$i
        lappend b [expr {$i * 2}] m[expr {$i + 500}]
    }
    $c zadd a {*}$a
    $c zadd b {*}$b
    expect [$c zunionstore t 2 a b] 1500
    expect [$c zrange t 0 3 withscores] {m0 0 m1 1 m2 2 m3 3}
    expect [$c zrange t -2 -1 withscores] {m999 1997 m1499 1998}
    expect [$c zscore t m700] 1100
    expect [$c zscore t m1499] 1998
    expect [$c zcard t] 1500
    expect [$c object encoding t] skiplist
    expect [$c zinterstore t 2 a b] 500
    expect [$c zrange t 0 0 withscores] {m500 500}
    expect [$c zdiffstore t 2 a b] 500
    expect [$c zrange t -1 -1 withscores] {m499 499}
    $c zadd small 1 one
    expect [$c zdiffstore t 2 a small] 1000
    expect [$c zdiffstore t 2 small a] 1
    expect [$c object encoding t] listpack
    $c zadd long 1 [string repeat x 100]
    expect [$c zunionstore t 2 small long] 2
    expect [$c object encoding t] skiplist
    $c zadd ties {*}[join [lmap i {9 3 7 1 5 8 2 6 4 0} { list 1 tie-$i }]]
    expect [$c zunion 2 ties small] {one tie-0 tie-1 tie-2 tie-3 tie-4 tie-5 tie-6 tie-7 tie-8 tie-9}
}

test "infinities never make a score that is not a number" {
    fresh
    $c zadd a inf x
    $c zadd b -inf x
    expect [$c zunion 2 a b withscores] {x 0}
    expect [$c zinter 2 a b withscores] {x 0}
    expect [$c zunion 2 a b aggregate max withscores] {x inf}
    expect [$c zunion 1 a weights 0 withscores] {x 0}
    expect [$c zunion 2 a b weights inf inf withscores] {x 0}
    expect [$c zinter 2 a a weights 0 1 withscores] {x inf}
    expect [$c zunion 1 a weights -inf withscores] {x -inf}
}

test "wrong types and arguments" {
    fresh
    $c zadd a 1 x
    $c set string v
    foreach command {zunion zinter zdiff zintercard} {
        expect_error {$c $command 2 a string} $wrongtype
        expect_error {$c $command 0 a} "ERR at least 1 input key is needed for '$command' command"
        expect_error {$c $command -1 a} "ERR at least 1 input key is needed for '$command' command"
        expect_error {$c $command x a} "ERR value is not an integer or out of range"
        expect_error {$c $command 2 a} "ERR syntax error"
        expect_error {$c $command 1 a foo} "ERR syntax error"
        expect_error {$c ${command} 1 string foo} $wrongtype
    }
    foreach command {zunionstore zinterstore zdiffstore} {
        expect_error {$c $command t 2 a string} $wrongtype
        expect_error {$c $command t 0 a} "ERR at least 1 input key is needed for '$command' command"
        expect_error {$c $command t x a} "ERR value is not an integer or out of range"
        expect_error {$c $command t 2 a} "ERR syntax error"
        expect_error {$c $command t 1 a withscores} "ERR syntax error"
        expect [$c exists t] 0
    }
    expect_error {$c zunion 1 a weights} "ERR syntax error"
    expect_error {$c zunion 2 a a weights 1} "ERR syntax error"
    expect_error {$c zunion 1 a weights x} "ERR weight value is not a float"
    expect_error {$c zunion 1 a weights nan} "ERR weight value is not a float"
    expect_error {$c zunion 1 a aggregate} "ERR syntax error"
    expect_error {$c zunion 1 a aggregate avg} "ERR syntax error"
    expect_error {$c zdiff 1 a weights 1} "ERR syntax error"
    expect_error {$c zdiffstore t 1 a aggregate sum} "ERR syntax error"
    expect_error {$c zintercard 1 a limit} "ERR syntax error"
    expect_error {$c zintercard 1 a limit -1} "ERR LIMIT can't be negative"
    expect_error {$c zintercard 1 a limit x} "ERR LIMIT can't be negative"
    expect_error {$c zintercard 1 a withscores} "ERR syntax error"
    expect_error {$c zinter 1 a limit 1} "ERR syntax error"
}

test "keys in several partitions are found, and named by COMMAND GETKEYS" {
    fresh
    expect [$c command getkeys zunionstore t 2 a b weights 1 2] {t a b}
    expect [$c command getkeys zdiff 3 a b c withscores] {a b c}
    expect [$c command getkeys bzmpop 0 2 a b min] {a b}
    expect [$c command getkeys zintercard 1 a limit 2] a
    set args {}
    for {set i 0} {$i < 40} {incr i} {
        $c zadd key$i $i m$i
        lappend args key$i
    }
    expect [$c zunionstore all 40 {*}$args] 40
    expect [$c zrange all 37 -1 withscores] {m37 37 m38 38 m39 39}
}

test "ZRANDMEMBER" {
    foreach n {1 10 1000} {
        fresh
        set args {}
        for {set i 0} {$i < $n} {incr i} { lappend args $i m$i }
        $c zadd a {*}$args
        expect_match [$c zrandmember a] m*
        foreach count {1 3 9 10 500 2000} {
            set got [$c zrandmember a $count]
            expect [llength $got] [expr {min($count, $n)}] "$count of $n: "
            expect [llength [lsort -unique $got]] [llength $got]
            foreach member $got { expect_match [$c zscore a $member] [string range $member 1 end] }
        }
        expect [llength [$c zrandmember a -50]] 50
        foreach {member score} [$c zrandmember a -20 withscores] { expect m$score $member }
        foreach {member score} [$c zrandmember a 4 withscores] { expect m$score $member }
    }
    expect [$c zrandmember a 0] {}
    expect [$c zrandmember none 3] {}
    expect [$c zrandmember none -3 withscores] {}
    expect [wire $c zrandmember none] "\$-1\r\n"
    $c set string v
    expect_error {$c zrandmember string} $wrongtype
    expect_error {$c zrandmember string 2} $wrongtype
    expect_error {$c zrandmember a x} "ERR value is not an integer or out of range"
    expect_error {$c zrandmember a 1 foo} "ERR syntax error"
    expect_error {$c zrandmember a 1 withscores x} "ERR syntax error"
    expect_error {$c zrandmember a -9223372036854770000 withscores} "ERR value is out of range*"
    expect_error {$c zrandmember a -9223372036854775808} "ERR value is out of range*"
}

test "ZRANDMEMBER draws every member about as often as the others" {
    fresh
    set args {}
    for {set i 0} {$i < 300} {incr i} { lappend args $i $i }
    $c zadd a {*}$args
    foreach count {-30 30 150} {
        array unset seen
        for {set i 0} {$i < 3000 / abs($count) * 10} {incr i} {
            foreach member [$c zrandmember a $count] { incr seen($member) }
        }
        expect [array size seen] 300
        foreach member [array names seen] { expect_between $seen($member) 25 250 }
    }
}

test "ZSCAN meets all members" {
    foreach n {5 2000} {
        fresh
        set args {}
        for {set i 0} {$i < $n} {incr i} { lappend args $i m$i }
        $c zadd a {*}$args
        set cursor 0
        array unset seen
        while 1 {
            lassign [$c zscan a $cursor count 50] cursor found
            foreach {member score} $found { set seen($member) $score }
            if {$cursor == 0} break
        }
        expect [array size seen] $n
        foreach member [array names seen] { expect m$seen($member) $member }
    }
    set cursor 0
    set got {}
    while 1 {
        lassign [$c zscan a $cursor match m19?? count 100] cursor found
        lappend got {*}$found
        if {$cursor == 0} break
    }
    expect [llength $got] 200
    expect [$c zscan none 0] {0 {}}
    $c set string v
    expect_error {$c zscan string 0} $wrongtype
    expect_error {$c zscan a x} "ERR invalid cursor"
    expect_error {$c zscan a 0 count 0} "ERR syntax error"
}

test "RESP3 has scores as numbers, in pairs" {
    fresh
    set r [resp3_client]
    $c zadd a 1.5 x 2 y
    $c zadd b 1 x
    expect [wire $r zunion 2 a b withscores] "*2\r\n*2\r\n\$1\r\ny\r\n,2\r\n*2\r\n\$1\r\nx\r\n,2.5\r\n"
    expect [wire $r zinter 2 a b] "*1\r\n\$1\r\nx\r\n"
    expect [wire $r zdiff 2 a b withscores] "*1\r\n*2\r\n\$1\r\ny\r\n,2\r\n"
    expect [wire $r zrandmember b 1 withscores] "*1\r\n*2\r\n\$1\r\nx\r\n,1\r\n"
    expect [wire $r zrandmember none] "_\r\n"
    expect [wire $r zscan b 0] "*2\r\n\$1\r\n0\r\n*2\r\n\$1\r\nx\r\n\$1\r\n1\r\n"
}

