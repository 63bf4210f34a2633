# zsets.tcl - sorted sets: adding, removing, asking by member, ranges.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set wrongtype "WRONGTYPE Operation against a key holding the wrong kind of value"
set notfloat "ERR value is not a valid float"
set notint "ERR value is not an integer or out of range"
set badrange "ERR min or max is not a float"
set badlex "ERR min or max not valid string range item"

proc fresh {} { $::c flushall }
proc whole {key} { $::c zrange $key 0 -1 withscores }
proc make {key args} {
    $::c del $key
    foreach {score member} $args { $::c zadd $key $score $member }
}

test "ZADD adds and changes" {
    fresh
    expect [$c zadd z 1 a] 1
    expect [$c zadd z 2 b 3 c] 2
    expect [$c zadd z 4 a 5 d] 1
    expect [whole z] {b 2 c 3 a 4 d 5}
    expect [$c zadd z ch 9 a 5 d 1 e] 2
    expect [$c zadd z 1 x 2 x 3 x] 1
    expect [$c zscore z x] 3
    expect [$c zadd z -inf low +inf high inf high2 -0 zero 1e3 k] 5
    expect [$c zrange z 0 0] low
    expect [$c zrange z -2 -1 withscores] {high inf high2 inf}
    expect [$c zcard z] 11
}

test "ZADD NX XX GT LT" {
    make z 10 a 20 b
    expect [$c zadd z nx 5 a 5 n] 1
    expect [$c zadd z xx 6 a 6 none] 0
    expect [$c zadd z xx ch 7 a 7 none] 1
    expect [whole z] {n 5 a 7 b 20}
    expect [$c zadd z gt ch 6 a 21 b 1 g] 2
    expect [whole z] {g 1 n 5 a 7 b 21}
    expect [$c zadd z lt ch 8 a 20 b 1 l] 2
    expect [whole z] {g 1 l 1 n 5 a 7 b 20}
    expect [$c zadd z xx gt ch 9 a 1 none] 1
    expect [$c zadd none xx 1 a] 0
    expect [$c exists none] 0
    expect_error {$c zadd z nx xx 1 a} "ERR XX and NX options at the same time are not compatible"
    foreach bad {{gt nx} {lt nx} {gt lt}} {
        expect_error {$c zadd z {*}$bad 1 a} "ERR GT, LT, and/or NX options at the same time are not compatible"
    }
}

test "ZADD INCR and ZINCRBY" {
    fresh
    expect [$c zadd z incr 1.5 a] 1.5
    expect [$c zadd z incr 1 a] 2.5
    expect [$c zadd z nx incr 1 a] (nil)
    expect [$c zadd z xx incr 1 none] (nil)
    expect [$c zadd z gt incr -1 a] (nil)
    expect [$c zadd z lt incr -1 a] 1.5
    expect [$c zadd none xx incr 1 a] (nil)
    expect [$c zincrby z 3 b] 3
    expect [$c zincrby z -0.5 b] 2.5
    $c zadd z inf i
    expect_error {$c zincrby z -inf i} "ERR resulting score is not a number (NaN)"
    expect_error {$c zadd z incr 1 a 2 b} "ERR INCR option supports a single increment-element pair"
    expect_error {$c zincrby z x a} $notfloat
    expect_error {$c zincrby z nx a} "ERR syntax error"
}

test "errors leave everything as it was" {
    make z 1 a
    $c set s v
    expect_error {$c zadd z 2 a x b} $notfloat
    expect_error {$c zadd z nan a} $notfloat
    expect_error {$c zadd z 2 a 3} "ERR syntax error"
    expect_error {$c zadd z nx} "ERR wrong number of arguments for 'zadd' command"
    expect_error {$c zadd z nx ch} "ERR syntax error"
    expect_error {$c zadd z nx ch 1} "ERR syntax error"
    expect_error {$c zadd new x a} $notfloat
    expect [whole z] {a 1}
    expect [$c exists new] 0
    foreach command {{zadd s 1 a} {zincrby s 1 a} {zrem s a} {zcard s} {zscore s a} {zmscore s a} {zrank s a}
                     {zrevrank s a} {zcount s 0 1} {zlexcount s - +} {zrange s 0 -1} {zrevrange s 0 -1}
                     {zrangebyscore s 0 1} {zrevrangebyscore s 0 1} {zrangebylex s - +} {zrevrangebylex s + -}
                     {zremrangebyrank s 0 1} {zremrangebyscore s 0 1} {zremrangebylex s - +}
                     {zrangestore d s 0 -1}} {
        expect_error {$c {*}$command} $wrongtype
    }
}

# A small set and one that is a tree, the same tests for both.
foreach {kind size encoding} {small 60 listpack large 5000 skiplist} {
    test "ranks and scores, $kind" {
        $c del z
        for {set i 0} {$i < $size} {incr i} {
            set v [expr {$i * 7 % $size}]
            $c zadd z [expr {$v / 2.0}] m[format %05d $v]
        }
        expect [$c object encoding z] $encoding
        expect [$c zcard z] $size
        foreach v [list 0 1 [expr {$size / 2}] [expr {$size - 1}]] {
            set m m[format %05d $v]
            expect [$c zrank z $m] $v
            expect [$c zrevrank z $m] [expr {$size - 1 - $v}]
            expect [$c zscore z $m] [expr {$v % 2 ? $v / 2.0 : $v / 2}]
            expect [$c zrange z $v $v] $m
            expect [$c zrevrange z $v $v] m[format %05d [expr {$size - 1 - $v}]]
        }
        expect [$c zmscore z m00000 none m00002] {0 (nil) 1}
        expect [$c zrank z none] (nil)
    }

    test "ranges by score, $kind" {
        set half [expr {$size / 2}]
        expect [$c zcount z -inf +inf] $size
        expect [$c zcount z 5 10] 11
        expect [$c zcount z (5 (10] 9
        expect [$c zcount z 10 5] 0
        expect [$c zrangebyscore z 1 2] {m00002 m00003 m00004}
        expect [$c zrangebyscore z (1 (2 withscores] {m00003 1.5}
        expect [$c zrevrangebyscore z 2 1] {m00004 m00003 m00002}
        expect [$c zrange z 2 1 byscore rev limit 1 1] m00003
        expect [$c zrangebyscore z -inf inf limit 3 2] {m00003 m00004}
        expect [$c zrangebyscore z -inf inf limit [expr {$size - 1}] -1] m[format %05d [expr {$size - 1}]]
        expect [$c zrangebyscore z -inf inf limit $size 1] {}
        expect [$c zrangebyscore z -inf inf limit -1 1] {}
        expect [$c zrevrangebyscore z inf -inf limit 0 2] \
            [list m[format %05d [expr {$size - 1}]] m[format %05d [expr {$size - 2}]]]
    }

    test "removing by rank and score, $kind" {
        expect [$c zremrangebyrank z 0 9] 10
        expect [$c zrange z 0 0] m00010
        expect [$c zremrangebyrank z -10 -1] 10
        expect [$c zremrangebyscore z 6 (8] 4
        expect [$c zrange z 0 3] {m00010 m00011 m00016 m00017}
        expect [$c zremrangebyscore z 100000 inf] 0
        expect [$c zcard z] [expr {$size - 24}]
        expect [$c zremrangebyrank z 0 -1] [expr {$size - 24}]
        expect [$c exists z] 0
    }

    test "ranges of names, $kind" {
        $c del z
        for {set i 0} {$i < $size} {incr i} { $c zadd z 0 m[format %05d [expr {$i * 7 % $size}]] }
        expect [$c object encoding z] $encoding
        expect [$c zlexcount z - +] $size
        expect [$c zlexcount z \[m00010 \[m00019] 10
        expect [$c zlexcount z (m00010 (m00019] 8
        expect [$c zlexcount z + -] 0
        expect [$c zrangebylex z \[m00010 (m00013] {m00010 m00011 m00012}
        expect [$c zrevrangebylex z (m00013 \[m00010] {m00012 m00011 m00010}
        expect [$c zrange z (m00013 - bylex rev limit 1 2] {m00011 m00010}
        expect [$c zrangebylex z - + limit 2 1] m00002
        expect [$c zremrangebylex z - (m00010] 10
        expect [$c zrange z 0 0] m00010
    }

    test "ZREM, $kind" {
        expect [$c zrem z m00010 none m00011 m00010] 2
        expect [$c zcard z] [expr {$size - 12}]
        foreach m [$c zrange z 0 -1] { $c zrem z $m }
        expect [$c exists z] 0
        expect [$c zrem z a] 0
    }
}

test "what ranges do not accept" {
    make z 1 a
    expect_error {$c zrange z a b} $notint
    expect_error {$c zrange z 0 x} $notint
    expect_error {$c zrange z a b byscore} $badrange
    expect_error {$c zrange z 0 (x byscore} $badrange
    expect_error {$c zrange z 0 nan byscore} $badrange
    expect_error {$c zrange z a b bylex} $badlex
    expect_error {$c zrange z \[a +b bylex} $badlex
    expect_error {$c zrange z 0 1 limit 0 1} \
        "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
    expect_error {$c zrange z - + bylex withscores} \
        "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
    expect_error {$c zrange z 0 1 byscore limit 0} "ERR syntax error"
    expect_error {$c zrange z 0 1 byscore bylex} "ERR syntax error"
    expect_error {$c zrevrange z 0 1 rev} "ERR syntax error"
    expect_error {$c zrangebyscore z 0 1 byscore} "ERR syntax error"
    expect_error {$c zrangestore d z 0 1 withscores} "ERR syntax error"
    expect_error {$c zcount z x 1} $badrange
    expect_error {$c zlexcount z a b} $badlex
    expect_error {$c zremrangebyrank z x 1} $notint
    expect_error {$c zremrangebyscore z x 1} $badrange
    expect_error {$c zremrangebylex z x 1} $badlex
    expect [$c zrange z 0 1 limit 0 -1] a
    expect_error {$c zrange none x 1 byscore} $badrange
    expect [$c zrange none 0 1 byscore] {}
}

test "ZRANGESTORE" {
    make z 1 a 2 b 3 c 4 d
    $c set d text ex 100
    expect [$c zrangestore d z 1 2] 2
    expect [$c type d] zset
    expect [$c ttl d] -1
    expect [whole d] {b 2 c 3}
    expect [$c zrangestore d z (1 3 byscore limit 0 1] 1
    expect [whole d] {b 2}
    expect [$c zrangestore d z 0 0 rev] 1
    expect [whole d] {d 4}
    expect [$c zrangestore z z 0 1] 2
    expect [whole z] {a 1 b 2}
    expect [$c zrangestore d z 5 9] 0
    expect [$c exists d] 0
    expect [$c zrangestore d none 0 1] 0
    $c config set zset-max-listpack-entries 1
    expect [$c zrangestore d z 0 -1] 2
    expect [$c object encoding d] skiplist
    $c config set zset-max-ziplist-entries 128
}

test "encodings" {
    fresh
    for {set i 0} {$i < 128} {incr i} { $c zadd z $i $i }
    expect [$c object encoding z] listpack
    $c zadd z 1 1
    expect [$c object encoding z] listpack
    $c zadd z 1 new
    expect [$c object encoding z] skiplist
    $c zadd short 1 [string repeat x 64]
    expect [$c object encoding short] listpack
    $c zadd short 1 [string repeat x 65]
    expect [$c object encoding short] skiplist
    $c config set zset-max-listpack-value 3
    $c zadd value 1 abcd
    expect [$c object encoding value] skiplist
    $c config set zset-max-listpack-value 64
    foreach key {z short value} {
        set digest [$c debug digest-value $key]
        $c copy $key copy replace
        expect [$c debug digest-value copy] $digest
        expect_true {[$c memory usage $key] > 50}
    }
}

test "scores as doubles in RESP3, in pairs" {
    fresh
    $c zadd z 1 a 2.5 b
    set r [resp3_client]
    expect [wire $r zscore z b] ",2.5\r\n"
    expect [wire $r zincrby z 1 a] ",2\r\n"
    expect [wire $r zadd z incr 1 a] ",3\r\n"
    expect [wire $r zadd z nx incr 1 a] "_\r\n"
    expect [wire $r zmscore z a none] "*2\r\n,3\r\n_\r\n"
    expect [wire $r zrange z 0 -1 withscores] "*2\r\n*2\r\n\$1\r\nb\r\n,2.5\r\n*2\r\n\$1\r\na\r\n,3\r\n"
    expect [wire $r zrange z 0 -1] "*2\r\n\$1\r\nb\r\n\$1\r\na\r\n"
    expect [wire $r zrange none 0 -1 withscores] "*0\r\n"
    expect [wire $r zrank z none] "_\r\n"
}

test "ZRANK with the score" -since 7.2.0 {
    fresh
    $c zadd z 1 a 2.5 b
    set r [resp3_client]
    expect [wire $r zrank z b withscore] "*2\r\n:1\r\n,2.5\r\n"
    expect [wire $c zrank z b withscore] "*2\r\n:1\r\n\$3\r\n2.5\r\n"
    expect [wire $c zrank z none withscore] "*-1\r\n"
    expect_error {$c zrank z a x} "ERR syntax error"
    expect_error {$c zrank z a withscore x} "ERR wrong number of arguments for 'zrank' command"
}

test "declarations" {
    expect [$c command getkeys zrangestore a b 0 1] {a b}
    expect [$c command getkeys zadd k 1 a] k
    foreach name {zadd zrange zrem zrangestore} {
        expect_true {[llength [$c command info $name]] == 1}
    }
}
