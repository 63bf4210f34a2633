# hashes.tcl - every hash command, and fields that expire.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set wrongtype "WRONGTYPE Operation against a key holding the wrong kind of value"
set notint "ERR value is not an integer or out of range"
set mandatory "ERR Mandatory argument FIELDS is missing or not at the right position"
set mismatch "ERR The `numfields` parameter must match the number of arguments"

proc fresh {} { $::c flushall }
proc sorted_pairs {flat} {
    set all {}
    foreach {f v} $flat { lappend all [list $f $v] }
    return [concat {*}[lsort $all]]
}
proc whole {key} { sorted_pairs [$::c hgetall $key] }
proc make {key args} {
    $::c del $key
    if {[llength $args]} { $::c hset $key {*}$args }
}
# The same tests for a hash that is packed, one whose fields may expire, and a table.
proc make_as {kind key args} {
    $::c config set hash-max-listpack-entries [expr {$kind eq "hashtable" ? 0 : 512}]
    make $key {*}$args
    if {$kind eq "listpackex"} { $::c hpersist $key fields 1 x; $::c hexpire $key 1000 fields 1 "no such field" }
    expect [$::c object encoding $key] $kind
}
proc lazily {body} {
    $::c debug set-active-expire 0
    catch {uplevel 1 $body} result options
    $::c debug set-active-expire 1
    return -options $options $result
}
proc expired {} { info_field [$::c info stats] expired_subkeys }
proc subexpiry {} {
    if {![regexp {db0:.*subexpiry=(\d+)} [$::c info keyspace] all n]} { return 0 }
    return $n
}

set some {a 1 b two c 3.5 d {} e -7}

foreach kind {listpack listpackex hashtable} {
    set since [expr {$kind eq "listpackex" ? "7.4" : "2.0"}]

    test "reading, $kind" -since $since {
        make_as $kind h {*}$some
        expect [$c hget h b] two
        expect [$c hget h d] ""
        expect [$c hget h x] (nil)
        expect [$c hmget h a x e a] {1 (nil) -7 1}
        expect [whole h] $some
        expect [lsort [$c hkeys h]] {a b c d e}
        expect [lsort [$c hvals h]] [lsort {1 two 3.5 {} -7}]
        expect [$c hlen h] 5
        expect [list [$c hstrlen h b] [$c hstrlen h a] [$c hstrlen h e] [$c hstrlen h d] [$c hstrlen h x]] {3 1 2 0 0}
        expect [list [$c hexists h a] [$c hexists h x]] {1 0}
    }

    test "setting and removing, $kind" -since $since {
        make_as $kind h {*}$some
        expect [$c hset h a 2] 0
        expect [$c hset h f 6 a 3 g 7] 2
        expect [$c hmset h a 4 h 8] OK
        expect [$c hsetnx h a 5] 0
        expect [$c hsetnx h i 9] 1
        expect [whole h] {a 4 b two c 3.5 d {} e -7 f 6 g 7 h 8 i 9}
        expect [$c hdel h a x b b] 2
        expect [$c hdel h c d e f g h] 6
        expect [whole h] {i 9}
        expect [$c hdel h i j] 1
        expect [$c exists h] 0
    }

    test "HINCRBY and HINCRBYFLOAT, $kind" -since $since {
        make_as $kind h {*}$some
        expect [$c hincrby h a 41] 42
        expect [$c hincrby h new -3] -3
        expect [$c hincrby h e 9223372036854775807] 9223372036854775800
        expect_error {$c hincrby h e 8} "ERR increment or decrement would overflow"
        expect_error {$c hincrby h b 1} "ERR hash value is not an integer"
        expect_error {$c hincrby h d 1} "ERR hash value is not an integer"
        expect_error {$c hincrby h c 1} "ERR hash value is not an integer"
        expect_error {$c hincrby h a x} $notint
        expect [$c hincrbyfloat h c 0.25] 3.75
        expect [$c hincrbyfloat h a -0.5] 41.5
        expect [$c hincrbyfloat h other 1e3] 1000
        expect_error {$c hincrbyfloat h b 1} "ERR hash value is not a float"
        expect_error {$c hincrbyfloat h a x} "ERR value is not a valid float"
        expect_error {$c hincrbyfloat h a inf} "ERR value is NaN or Infinity"
        expect [$c hget h c] 3.75
    }

    test "HRANDFIELD, $kind" -since $since {
        make_as $kind h {*}$some
        expect_true {[$c hrandfield h] in {a b c d e}}
        expect [$c hrandfield h 0] {}
        expect [lsort [$c hrandfield h 5]] {a b c d e}
        expect [lsort [$c hrandfield h 99]] {a b c d e}
        expect [sorted_pairs [$c hrandfield h 99 withvalues]] $some
        repeat 50 {
            set three [$c hrandfield h 3]
            expect [llength [lsort -unique $three]] 3
            set pairs [$c hrandfield h -7 withvalues]
            expect [llength $pairs] 14
            foreach {f v} $pairs { expect $v [dict get $some $f] }
            foreach f [$c hrandfield h -3] { set drawn($f) 1 }
        }
        expect [lsort [array names drawn]] {a b c d e}
        expect_error {$c hrandfield h x} $notint
        expect_error {$c hrandfield h 1 foo} "ERR syntax error"
        expect_error {$c hrandfield h 1 withvalues 2} "ERR syntax error"
        expect_error {$c hrandfield h -9223372036854775807 withvalues} "ERR value is out of range"
    }

    test "HSCAN, $kind" -since $since {
        make_as $kind h {*}$some
        lassign [$c hscan h 0 count 1000] cursor found
        expect $cursor 0
        expect [sorted_pairs $found] $some
        expect [lindex [$c hscan h 0 match {[bx]} count 100] 1] {b two}
        expect [$c hscan none 0] {0 {}}
        expect_error {$c hscan h x} "ERR invalid cursor"
        expect_error {$c hscan h 0 count 0} "ERR syntax error"
    }

    test "HSCAN NOVALUES, $kind" -since 7.4 {
        make_as $kind h {*}$some
        expect [lsort [lindex [$c hscan h 0 novalues count 1000] 1]] {a b c d e}
    }
}

test "values keep their bytes, numbers their spelling" {
    set all ""
    for {set i 0} {$i < 256} {incr i} { append all [format %c $i] }
    set values [list $all "" 0 -0 007 127 128 -129 4096 32768 -9223372036854775808 9223372036854775808 1.50]
    foreach n {63 64 65 255 256 1024 1025 20000 100000} { lappend values [string repeat y $n] }
    foreach entries {512 0} {
        fresh
        $c config set hash-max-listpack-entries $entries
        set i 0
        foreach v $values {
            $c hset h [incr i] $v $v $i
            expect_true {[$c hget h $i] eq $v}
            expect_true {[$c hget h $v] eq $i}
            expect [$c hstrlen h $i] [string length $v]
        }
        set i 0
        foreach v $values { expect_true {[$c hget h [incr i]] eq $v} }
        foreach v $values { expect [$c hset h 1 $v] 0; expect_true {[$c hget h 1] eq $v} }
    }
    $c config set hash-max-listpack-entries 512
}

test "the encoding follows the limits" {
    fresh
    $c config set hash-max-listpack-entries 3
    $c config set hash-max-listpack-value 8
    expect [lindex [$c config get hash-max-ziplist-entries] 1] 3
    make h a 1 b 2 c 3
    expect [$c object encoding h] listpack
    $c hset h c 12345678
    expect [$c object encoding h] listpack
    $c hset h d 4
    expect [$c object encoding h] hashtable
    $c hdel h a b c
    expect [$c object encoding h] hashtable
    make h a 123456789
    expect [$c object encoding h] hashtable
    make h a 1
    $c hset h 123456789 1
    expect [$c object encoding h] hashtable
    make h a 1
    $c hsetnx h b 123456789
    expect [$c object encoding h] hashtable
    make h a 99999999
    $c hincrby h a 1
    expect [$c object encoding h] hashtable
    $c config set hash-max-listpack-entries 512
    $c config set hash-max-listpack-value 64
}

test "an absent key" {
    fresh
    expect [$c hget none a] (nil)
    expect [$c hmget none a b] {(nil) (nil)}
    expect [$c hgetall none] {}
    expect [list [$c hlen none] [$c hdel none a] [$c hexists none a] [$c hstrlen none a]] {0 0 0 0}
    expect [$c hrandfield none] (nil)
    expect [$c hrandfield none 3] {}
    expect [$c exists none] 0
}

test "wrong types and numbers of arguments" {
    fresh
    $c set s v
    foreach command {{hset s a 1} {hmset s a 1} {hsetnx s a 1} {hget s a} {hmget s a} {hgetall s} {hkeys s} {hvals s}
                     {hlen s} {hstrlen s a} {hexists s a} {hdel s a} {hincrby s a 1} {hincrbyfloat s a 1} {hrandfield s}
                     {hrandfield s 1} {hscan s 0}} {
        expect_error {$c {*}$command} $wrongtype
    }
    expect_error {$c hset h a} "ERR wrong number of arguments for 'hset' command"
    expect_error {$c hset h a 1 b} "ERR wrong number of arguments for 'hset' command"
    expect_error {$c hmset h a 1 b} "ERR wrong number of arguments for 'hmset' command"
    expect [$c exists h] 0
}

test "RESP3 forms" {
    fresh
    make h a 1
    set r [resp3_client]
    expect [wire $r hgetall h] "%1\r\n\$1\r\na\r\n\$1\r\n1\r\n"
    expect [wire $r hgetall none] "%0\r\n"
    expect [wire $r hkeys h] "*1\r\n\$1\r\na\r\n"
    expect [wire $r hget h x] "_\r\n"
    expect [wire $r hrandfield h 1 withvalues] "*1\r\n*2\r\n\$1\r\na\r\n\$1\r\n1\r\n"
    expect [wire $c hrandfield h 1 withvalues] "*2\r\n\$1\r\na\r\n\$1\r\n1\r\n"
    expect [wire $r hscan h 0] "*2\r\n\$1\r\n0\r\n*2\r\n\$1\r\na\r\n\$1\r\n1\r\n"
    expect [wire $r hincrbyfloat h a 0.5] "\$3\r\n1.5\r\n"
    close_client $r
}

test "a large hash: walked whole, copied, and gone" {
    fresh
    set commands {}
    for {set i 0} {$i < 20000} {incr i} { lappend commands [list hset h field:$i value:$i] }
    pipeline $c $commands
    expect [$c hlen h] 20000
    set cursor 0
    array unset seen
    while 1 {
        lassign [$c hscan h $cursor count 500] cursor found
        foreach {f v} $found { set seen($f) $v }
        if {$cursor == 0} break
    }
    expect [array size seen] 20000
    expect $seen(field:777) value:777
    expect [llength [lsort -unique [$c hrandfield h 1000]]] 1000
    expect [llength [lsort -unique [$c hrandfield h 15000]]] 15000
    $c copy h g
    $c hdel g field:1
    expect [$c hget h field:1] value:1
    expect [$c hlen g] 19999
    expect_true {[$c memory usage h] > 20000 * 30}
    expect [$c unlink h g] 2
    expect [$c dbsize] 0
}

test "a digest tells hashes apart, not their encodings" -only weft {
    fresh
    make h a 1 b 2
    set digest [$c debug digest-value h]
    $c hset h a 2
    expect_true {[$c debug digest-value h] ne $digest}
    $c config set hash-max-listpack-entries 0
    make h b 2 a 1
    expect [$c debug digest-value h] $digest
    $c config set hash-max-listpack-entries 512
    $c hexpire h 100 fields 1 a
    expect_true {[$c debug digest-value h] ne $digest}
}

# ---- fields that expire ------------------------------------------------------------------------

foreach kind {listpackex hashtable} {
    test "HEXPIRE and its kin, $kind" -since 7.4 {
        make_as $kind h {*}$some
        set now [clock seconds]
        expect [$c hexpire h 100 fields 3 a x b] {1 -2 1}
        expect [$c hpexpire h 200000 fields 1 c] 1
        expect [$c hexpireat h [expr {$now + 300}] fields 1 d] 1
        expect [$c hpexpireat h [expr {($now + 400) * 1000}] fields 1 e] 1
        foreach {f low high} {a 99 100 b 99 100 c 199 200 d 298 300 e 398 400} {
            expect_between [$c httl h fields 1 $f] $low $high
            expect_between [$c hpttl h fields 1 $f] [expr {($low - 1) * 1000}] [expr {$high * 1000}]
        }
        expect [$c hexpiretime h fields 2 d e] [list [expr {$now + 300}] [expr {$now + 400}]]
        expect [$c hpexpiretime h fields 1 e] [expr {($now + 400) * 1000}]
        expect [$c httl h fields 2 x a] [list -2 [$c httl h fields 1 a]]
        expect [$c hpersist h fields 3 a x a] {1 -2 -1}
        expect [$c httl h fields 1 a] -1
        expect [$c hexpire none 100 fields 2 a b] {-2 -2}
        expect [$c httl none fields 2 a b] {-2 -2}
        expect [$c hpersist none fields 1 a] -2
        expect [whole h] $some
    }

    test "conditions, $kind" -since 7.4 {
        make_as $kind h a 1 b 2
        expect [$c hexpire h 100 xx fields 1 a] 0
        expect [$c hexpire h 100 gt fields 1 a] 0
        expect [$c hexpire h 100 lt fields 1 a] 1
        expect [$c hexpire h 50 nx fields 2 a b] {0 1}
        expect [$c hexpire h 70 gt fields 2 a b] {0 1}
        expect [$c hexpire h 80 lt fields 2 a b] {1 0}
        expect [$c hexpire h 90 xx fields 2 a b] {1 1}
        expect_between [$c httl h fields 1 b] 89 90
    }

    test "a time that has passed removes fields, $kind" -since 7.4 {
        make_as $kind h {*}$some
        set before [expired]
        expect [$c hexpire h 0 fields 2 a x] {2 -2}
        expect [$c hpexpireat h 1 fields 1 b] 2
        expect [$c hexpireat h 1 nx fields 1 c] 2
        expect [expr {[expired] - $before}] 3
        expect [whole h] {d {} e -7}
        expect [$c hexpire h 0 fields 2 d e] {2 2}
        expect [$c exists h] 0
        expect [subexpiry] 0
    }

    test "a field whose time has come is gone for every reader, $kind" -since 7.4 {
        lazily {
            foreach {command want} {
                {hget h a} (nil) {hmget h a b} {(nil) 2} {hgetall h} {b 2} {hkeys h} b {hvals h} 2 {hstrlen h a} 0
                {hexists h a} 0 {hrandfield h} b {hrandfield h 5} b {hscan h 0 count 100} {0 {b 2}} {httl h fields 1 a} -2
                {hpersist h fields 1 a} -2 {hexpire h 100 fields 1 a} -2 {hincrby h a 5} 5 {hincrbyfloat h a 0.5} 0.5
                {hsetnx h a new} 1 {hlen h} 2 {hdel h a} 1 {hset h a new} 0
            } {
                make_as $kind h a 1 b 2
                $c hpexpire h 1 fields 1 a
                after 4
                expect [$c {*}$command] $want "$command: "
            }
        }
    }

    test "the key goes with the last field that expires, $kind" -since 7.4 {
        lazily {
            foreach command {{hget h a} {hmget h a a} {hexists h a} {hstrlen h a} {hrandfield h} {hrandfield h 2}} {
                make_as $kind h a 1
                $c hpexpire h 1 fields 1 a
                after 4
                expect [$c exists h] 1
                $c {*}$command
                expect [$c exists h] 0 "$command: "
            }
            make_as $kind h a 1
            $c expire h 100
            $c hpexpire h 1 fields 1 a
            after 4
            expect [$c hincrby h a 2] 2
            expect [$c ttl h] -1
        }
    }

    test "fields are removed though nobody looks, $kind" -since 7.4 {
        fresh
        set before [expired]
        make_as $kind h {*}$some
        $c hpexpire h 20 fields 2 a b
        $c hexpire h 100 fields 1 c
        make_as $kind g a 1
        $c hpexpire g 30 fields 1 a
        wait_until {[$c hlen h] == 3 && ![$c exists g]}
        expect [expr {[expired] - $before}] 3
        expect [whole h] {c 3.5 d {} e -7}
        expect [subexpiry] 1
    }

    test "setting a value takes the expiry away, counting keeps it, $kind" -since 7.4 {
        make_as $kind h a 1 b 2 c 3 d 4
        $c hexpire h 100 fields 4 a b c d
        $c hset h a 2
        $c hmset h b 3
        $c hincrby h c 1
        $c hincrbyfloat h d 0.5
        expect [$c httl h fields 2 a b] {-1 -1}
        expect_between [$c httl h fields 1 c] 99 100
        expect_between [$c httl h fields 1 d] 99 100
        expect [whole h] {a 2 b 3 c 4 d 4.5}
    }

    test "expiries go where the hash goes, $kind" -since 7.4 {
        fresh
        foreach command {{rename h g} {copy h g} {move h 1}} {
            fresh
            make_as $kind h a 1 b 2
            $c hpexpire h 60 fields 1 a
            $c {*}$command
            if {[lindex $command 0] eq "move"} { $c select 1; $c rename h g }
            expect_between [$c hpttl g fields 1 a] 1 60
            wait_until {[$c hlen g] == 1}
            expect [$c hgetall g] {b 2}
            $c select 0
        }
        make_as $kind h a 1
        $c hpexpire h 60 fields 1 a
        $c swapdb 0 1
        wait_until {[lindex [$c scan 0] 1] ni {h} }
        $c select 1
        wait_until {![$c exists h]}
        $c select 0
    }

    test "subexpiry counts hashes with fields that expire, $kind" -since 7.4 {
        fresh
        make_as $kind h a 1 b 2
        make_as $kind g a 1 b 2
        expect [subexpiry] 0
        $c hexpire h 100 fields 2 a b
        $c hexpire g 100 fields 1 a
        expect [subexpiry] 2
        $c hdel h a
        expect [subexpiry] 2
        $c hpersist h fields 1 b
        expect [subexpiry] 1
        $c hset g a new
        expect [subexpiry] 0
        $c hexpire g 100 fields 1 a
        $c copy g copied
        $c rename g renamed
        expect [subexpiry] 2
        $c set copied string
        expect [subexpiry] 1
        $c del renamed
        expect [subexpiry] 0
    }

    test "HGETEX, $kind" -only weft {
        make_as $kind h {*}$some
        expect [$c hgetex h fields 3 a x b] {1 (nil) two}
        expect [$c httl h fields 1 a] -1
        expect [$c hgetex h ex 100 fields 2 a x] {1 (nil)}
        expect [$c hgetex h px 200000 fields 1 b] two
        expect [$c hgetex h exat [expr {[clock seconds] + 300}] fields 1 c] 3.5
        expect_between [$c httl h fields 1 a] 99 100
        expect_between [$c httl h fields 1 b] 199 200
        expect_between [$c httl h fields 1 c] 298 300
        expect [$c hgetex h persist fields 3 a d x] {1 {} (nil)}
        expect [$c httl h fields 2 a b] [list -1 [$c httl h fields 1 b]]
        expect [$c hgetex h pxat 1 fields 2 a b] {1 two}
        expect [whole h] {c 3.5 d {} e -7}
        expect [$c hgetex none ex 10 fields 2 a b] {(nil) (nil)}
        $c hgetex h ex 0 fields 3 c d e
        expect [$c exists h] 0
    }

    test "HSETEX, $kind" -only weft {
        make_as $kind h a 1
        expect [$c hsetex h ex 100 fields 2 a 2 b 3] 1
        expect_between [$c httl h fields 1 a] 99 100
        expect [$c hsetex h fields 1 a 4] 1
        expect [$c httl h fields 1 a] -1
        expect [$c hsetex h keepttl fields 1 b 5] 1
        expect_between [$c httl h fields 1 b] 99 100
        expect [$c hsetex h fnx fields 2 c 1 a 1] 0
        expect [$c hsetex h fxx px 50000 fields 2 c 1 a 1] 0
        expect [whole h] {a 4 b 5}
        expect [$c hsetex h fnx pxat [expr {([clock seconds] + 50) * 1000}] fields 1 c 6] 1
        expect [$c hsetex h keepttl fxx fields 2 a 7 c 8] 1
        expect_between [$c httl h fields 1 c] 48 50
        expect [whole h] {a 7 b 5 c 8}
        expect [$c hsetex none fxx fields 1 a 1] 0
        expect [$c exists none] 0
        expect [$c hsetex h exat 1 fields 3 a 1 b 1 c 1] 1
        expect [$c exists h] 0
    }

    test "HGETDEL, $kind" -only weft {
        make_as $kind h {*}$some
        expect [$c hgetdel h fields 3 a x b] {1 (nil) two}
        expect [whole h] {c 3.5 d {} e -7}
        expect [$c hgetdel h fields 4 c d e e] {3.5 {} -7 (nil)}
        expect [$c exists h] 0
        expect [$c hgetdel h fields 1 a] (nil)
    }
}
$c config set hash-max-listpack-entries 512

test "arguments of the commands on expiries" -since 7.4 {
    fresh
    make h a 1
    $c set s v
    foreach command {{hexpire s 1 fields 1 a} {hpexpire s x fields 1 a} {httl s fields 1 a} {hpersist s foo 1 a}} {
        expect_error {$c {*}$command} $wrongtype
    }
    foreach command {hexpire hpexpire hexpireat hpexpireat} {
        expect_error {$c $command h x fields 1 a} $notint
        expect_error {$c $command h -1 fields 1 a} "ERR invalid expire time, must be >= 0"
        expect_error {$c $command h 70368744177664 fields 1 a} "ERR invalid expire time in '$command' command"
        expect_error {$c $command h 1 foo 1 a} $mandatory
        expect_error {$c $command h 1 nx 1 a b} $mandatory
        expect_error {$c $command h 1 fields 0 a} "ERR Parameter `numFields` should be greater than 0"
        expect_error {$c $command h 1 fields x a} "ERR Parameter `numFields` should be greater than 0"
        expect_error {$c $command h 1 fields 2 a} $mismatch
        expect_error {$c $command h 1 nx fields 1 a b} $mismatch
        expect_error {$c $command h 1 fields 1} "ERR wrong number of arguments for '$command' command"
    }
    foreach command {httl hpttl hexpiretime hpexpiretime hpersist} {
        expect_error {$c $command h foo 1 a} $mandatory
        expect_error {$c $command h fields 0 a} "ERR Number of fields must be a positive integer"
        expect_error {$c $command h fields 2 a} $mismatch
    }
    expect [$c httl h fields 1 a] -1
}

test "arguments of HGETEX, HSETEX and HGETDEL" -only weft {
    fresh
    make h a 1
    $c set s v
    foreach command {{hgetex s fields 1 a} {hsetex s fields 1 a 1} {hgetdel s fields 1 a}} {
        expect_error {$c {*}$command} $wrongtype
    }
    foreach command {hgetex hgetdel} {
        expect_error {$c $command h foo 1 a} $mandatory
        expect_error {$c $command h fields 0 a} "ERR Number of fields must be a positive integer"
        expect_error {$c $command h fields 2 a} $mismatch
    }
    expect_error {$c hgetex h ex x fields 1 a} $notint
    expect_error {$c hgetex h ex -1 fields 1 a} "ERR invalid expire time, must be >= 0"
    expect_error {$c hgetex h ex 10 persist fields 1 a} $mandatory
    expect_error {$c hgetex h ex 10 fields} $mandatory
    expect_error {$c hsetex h fields 0 a 1} "ERR invalid number of fields"
    foreach tail {{fields 2 a 1} {fields 1 a 1 b 2} {fields 1 a 1 b} {ex 10 fields 1 a} {fnx fnx}} {
        catch {$c hsetex h {*}$tail x y z} ;# never a crash
        expect_error {$c hsetex h {*}$tail} "ERR *"
    }
    expect_error {$c hsetex h fields 2 a 1} "ERR wrong number of arguments for 'hsetex' command"
    expect_error {$c hsetex h nx fields 1 a 1} "ERR unknown argument: nx"
    expect_error {$c hsetex h fnx fxx fields 1 a 1} "ERR Only one of FXX or FNX arguments can be specified"
    expect_error {$c hsetex h ex 1 px 1 fields 1 a 1} \
        "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
    expect_error {$c hsetex h fnx keepttl fxx ex} "ERR *"
    expect_error {$c hsetex h ex 0x1 fields 1 a 1} $notint
    expect [$c hgetall h] {a 1}
}

test "WATCH sees fields expire" -since 7.4 {
    fresh
    make h a 1 b 2
    $c hpexpire h 20 fields 1 a
    $c watch h
    wait_until {[[client] hlen h] == 1}
    $c multi
    $c hget h b
    expect [$c exec] (nil)
    $c hpexpire h 20 fields 1 b
    $c watch h
    wait_until {![[client] exists h]}
    $c multi
    $c ping
    expect [$c exec] (nil)
}

test "very many fields that expire at once" -since 7.4 {
    fresh
    set commands {}
    for {set i 0} {$i < 30000} {incr i} { lappend commands [list hset h f:$i v] }
    for {set i 0} {$i < 30000} {incr i} { lappend commands [list hpexpire h 200 fields 1 f:$i] }
    $c hset h stays v
    pipeline $c $commands
    wait_until {[$c hlen h] == 1} 30000
    expect [$c hgetall h] {stays v}
    expect [subexpiry] 0
}
