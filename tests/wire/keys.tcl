# keys.tcl - commands on keys of any type: DEL to OBJECT, the EXPIRE family, RENAME COPY MOVE SWAPDB.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set wrongtype "WRONGTYPE Operation against a key holding the wrong kind of value"
set notint "ERR value is not an integer or out of range"

proc fresh {} {
    $::c select 0
    $::c flushall
}

test "DEL UNLINK EXISTS TOUCH count what is there" {
    fresh
    $c mset a 1 b 2 c 3
    $c rpush l x
    expect [$c exists a b none a l] 4
    expect [$c touch a none b] 2
    expect [$c del a none l] 2
    expect [$c unlink b none b] 1
    expect [$c exists a b c l] 1
    expect [$c del c c] 1
    expect [$c dbsize] 0
    foreach command {del unlink exists touch} {
        expect_error {$c $command} "ERR wrong number of arguments for '$command' command"
    }
}

test "DEL of 5,000 keys over all partitions" {
    fresh
    set keys {}
    for {set i 0} {$i < 5000} {incr i} {
        lappend keys k$i
        queue $c set k$i v
    }
    flush_client $c
    replies $c 5000
    expect [$c exists {*}$keys] 5000
    expect [$c del {*}$keys] 5000
    expect [$c dbsize] 0
}

test "TYPE" {
    fresh
    $c set s v
    $c rpush l v
    expect [wire $c type s] "+string\r\n"
    expect [$c type l] list
    expect [$c type none] none
}

test "RENAME" {
    fresh
    $c set a 1
    expect [$c rename a b] OK
    expect [$c get b] 1
    expect [$c exists a] 0
    $c rpush l x y
    expect [$c rename l b] OK
    expect [$c lrange b 0 -1] {x y}
    expect [$c rename b b] OK
    expect_error {$c rename none b} "ERR no such key"
    expect_error {$c rename none none} "ERR no such key"
    $c set t v ex 100
    $c set u v ex 5000
    $c rename t u
    expect_between [$c ttl u] 99 100
    $c set p v
    $c rename p u
    expect [$c ttl u] -1
}

test "RENAME between many pairs of keys keeps value and expiry" {
    fresh
    for {set i 0} {$i < 300} {incr i} {
        $c set from$i $i px [expr {1000000 + $i}]
        $c rename from$i to$i
    }
    expect [$c dbsize] 300
    for {set i 0} {$i < 300} {incr i} {
        expect [$c get to$i] $i
        expect_between [$c pttl to$i] 900000 1000300
    }
}

test "RENAMENX" {
    fresh
    $c set a 1
    expect [$c renamenx a b] 1
    $c set a 2
    expect [$c renamenx a b] 0
    expect [$c mget a b] {2 1}
    expect [$c renamenx a a] 0
    expect_error {$c renamenx none b} "ERR no such key"
}

test "COPY" {
    fresh
    $c set a 1 ex 100
    expect [$c copy a b] 1
    expect [$c get b] 1
    expect_between [$c ttl b] 99 100
    $c set a 2
    expect [$c copy a b] 0
    expect [$c copy a b replace] 1
    expect [$c get b] 2
    expect [$c ttl b] -1
    expect [$c copy none b] 0
    expect [$c copy a c db 3] 1
    expect [$c copy a c db 3] 0
    expect [$c copy a c db 3 replace] 1
    $c select 3
    expect [$c get c] 2
    $c select 0
    expect [$c copy a a db 3] 1
    expect_error {$c copy a a} "ERR source and destination objects are the same"
    expect_error {$c copy a a db 0} "ERR source and destination objects are the same"
    expect_error {$c copy a b db 99} "ERR DB index is out of range"
    expect_error {$c copy a b db x} $notint
    expect_error {$c copy a b foo} "ERR syntax error"
    expect_error {$c copy a b db} "ERR syntax error"
}

test "COPY of a list is a copy" {
    fresh
    for {set i 0} {$i < 1000} {incr i} { queue $c rpush l "element number $i" }
    flush_client $c
    replies $c 1000
    $c copy l m
    $c lset l 0 changed
    $c rpush m more
    expect [$c llen l] 1000
    expect [$c llen m] 1001
    expect [$c lindex m 0] "element number 0"
    expect [$c object encoding m] quicklist
}

test "MOVE" {
    fresh
    $c set a 1 ex 100
    expect [$c move a 5] 1
    expect [$c exists a] 0
    $c set a 2
    expect [$c move a 5] 0
    expect [$c get a] 2
    $c select 5
    expect [$c get a] 1
    expect_between [$c ttl a] 99 100
    $c select 0
    expect [$c move none 5] 0
    expect_error {$c move a 0} "ERR source and destination objects are the same"
    expect_error {$c move a 99} "ERR DB index is out of range"
    expect_error {$c move a -1} "ERR *out of range"
    expect_error {$c move a x} "ERR value is not an integer or out of range"
}

test "SWAPDB" {
    fresh
    $c set in zero
    $c select 7
    $c set in seven
    $c set more x
    set d [client]
    expect [$c swapdb 0 7] OK
    expect [$c get in] zero
    expect [$c dbsize] 1
    expect [$d get in] seven
    expect [$d dbsize] 2
    expect [$c swapdb 3 3] OK
    expect_error {$c swapdb 0 99} "ERR DB index is out of range"
    expect_error {$c swapdb x 1} "ERR invalid first DB index"
    expect_error {$c swapdb 1 x} "ERR invalid second DB index"
    $c select 0
}

test "FLUSHDB empties one database, FLUSHALL all" {
    fresh
    $c set a 1
    $c select 1
    $c set b 1
    expect [$c flushdb] OK
    expect [$c dbsize] 0
    $c select 0
    expect [$c dbsize] 1
    $c select 1
    $c set b 1
    foreach mode {{} sync async SYNC} {
        $c set b 1
        expect [$c flushall {*}$mode] OK
        expect [$c dbsize] 0
        $c set b 1
        expect [$c flushdb {*}$mode] OK
        expect [$c dbsize] 0
    }
    $c select 0
    expect [$c dbsize] 0
    expect_error {$c flushall foo} "ERR syntax error"
    expect_error {$c flushdb sync async} "ERR *"
}

test "EXPIRE and its relatives set what they say" {
    fresh
    $c set k v
    expect [$c ttl k] -1
    expect [$c pttl k] -1
    expect [$c expiretime k] -1
    expect [$c pexpiretime k] -1
    foreach command {ttl pttl expiretime pexpiretime} { expect [$c $command none] -2 }
    expect [$c expire k 100] 1
    expect_between [$c ttl k] 99 100
    expect_between [$c pttl k] 99000 100000
    expect [$c pexpire k 50500] 1
    expect_between [$c ttl k] 50 51
    set at [expr {[clock seconds] + 300}]
    expect [$c expireat k $at] 1
    expect [$c expiretime k] $at
    expect [$c pexpireat k [expr {$at * 1000 + 499}]] 1
    expect [$c pexpiretime k] [expr {$at * 1000 + 499}]
    expect [$c expiretime k] $at
    expect [$c persist k] 1
    expect [$c persist k] 0
    expect [$c persist none] 0
    expect [$c ttl k] -1
    foreach command {expire pexpire expireat pexpireat} { expect [$c $command none 100] 0 }
}

test "an expiry in the past deletes" {
    fresh
    foreach {command when} {expire 0 expire -1 pexpire 0 pexpire -100 expireat 1 pexpireat 1 expireat -5} {
        $c set k v
        expect [$c $command k $when] 1
        expect [$c exists k] 0
        expect [$c dbsize] 0
    }
}

test "EXPIRE NX XX GT LT" {
    fresh
    $c set k v
    expect [$c expire k 100 xx] 0
    expect [$c expire k 100 gt] 0
    expect [$c ttl k] -1
    expect [$c expire k 100 nx] 1
    expect [$c expire k 200 nx] 0
    expect_between [$c ttl k] 99 100
    expect [$c expire k 200 xx] 1
    expect [$c expire k 100 gt] 0
    expect_between [$c ttl k] 199 200
    expect [$c expire k 300 gt] 1
    expect [$c expire k 400 lt] 0
    expect [$c expire k 50 lt] 1
    expect_between [$c ttl k] 49 50
    expect [$c expire k 60 xx gt] 1
    expect [$c expire k 55 xx gt] 0
    $c persist k
    expect [$c expire k 100 lt] 1
    $c persist k
    expect [$c expire k 100 xx lt] 0
    expect [$c pexpire k 100000 nx] 1
    expect [$c pexpireat k 99999999999999 gt] 1
    expect [$c expireat k 99999999999 xx] 1
    expect_error {$c expire k 100 nx xx} "ERR NX and XX, GT or LT options at the same time are not compatible"
    expect_error {$c expire k 100 nx gt} "ERR NX and XX, GT or LT options at the same time are not compatible"
    expect_error {$c expire k 100 gt lt} "ERR GT and LT options at the same time are not compatible"
    expect_error {$c expire k 100 foo} "ERR Unsupported option foo"
    expect_error {$c expire k 100 nx foo} "ERR Unsupported option foo"
}

test "EXPIRE refuses what is no time or overflows" {
    fresh
    $c set k v
    foreach command {expire pexpire expireat pexpireat} {
        expect_error {$c $command k abc} $notint
        expect_error {$c $command k ""} $notint
        expect_error {$c $command k 1.5} $notint
        expect_error {$c $command k} "ERR wrong number of arguments for '$command' command"
    }
    expect_error {$c expire k 9223372036854775807} "ERR invalid expire time in 'expire' command"
    expect_error {$c expire k -9223372036854775808} "ERR invalid expire time in 'expire' command"
    expect_error {$c expire k 9223372036854776} "ERR invalid expire time in 'expire' command"
    expect_error {$c expireat k 9223372036854776} "ERR invalid expire time in 'expireat' command"
    expect_error {$c pexpire k 9223372036854775807} "ERR invalid expire time in 'pexpire' command"
    expect [$c ttl k] -1
    expect [$c pexpireat k 9223372036854775807] 1
    expect [$c pexpiretime k] 9223372036854775807
}

test "writes that replace a key drop its expiry, writes that change it do not" {
    fresh
    foreach {keeps commands} {
        0 {{set k v} {getset k v} {mset k v}}
        1 {{append k v} {setrange k 0 x} {getrange k 0 0} {strlen k}}
    } {
        foreach command $commands {
            $c set k old ex 100
            $c {*}$command
            if {$keeps} { expect_between [$c ttl k] 99 100 } else { expect [$c ttl k] -1 }
        }
    }
    $c rpush l a
    $c expire l 100
    $c rpush l b
    $c lpop l
    expect_between [$c ttl l] 99 100
}

test "KEYS" {
    fresh
    $c mset one 1 two 2 three 3 "a\[b" 4 "a*b" 5 "x\\y" 6 "" 7
    expect [lsort [$c keys t*]] {three two}
    expect [lsort [$c keys *]] [lsort [list one two three "a\[b" "a*b" "x\\y" ""]]
    expect [$c keys o?e] one
    expect [lsort [$c keys {[ot]*}]] {one three two}
    expect [lsort [$c keys {[^t]*e}]] {one}
    expect [$c keys {a\[b}] [list "a\[b"]
    expect [$c keys {a\*b}] [list "a*b"]
    expect [lsort [$c keys {[a-o]*}]] [lsort [list "a\[b" "a*b" one]]
    expect [$c keys none] {}
    expect [$c keys ""] [list ""]
    $c set gone v px 1
    after 10
    expect [$c keys gone] {}
    expect_error {$c keys} "ERR wrong number of arguments for 'keys' command"
}

test "KEYS and a pattern of many stars ends soon" {
    fresh
    $c set [string repeat a 100] v
    expect_true {[elapsed_ms {$c keys [string repeat "*?" 25]b}] < 3000 * $slow}
    expect_true {[elapsed_ms {$c keys [string repeat "a*" 40]b}] < 3000 * $slow}
}

test "RANDOMKEY" {
    fresh
    expect [wire $c randomkey] "\$-1\r\n"
    for {set i 0} {$i < 50} {incr i} { $c set k$i v }
    set seen {}
    repeat 800 { dict incr seen [$c randomkey] }
    expect_true {[dict size $seen] > 30}
    $c flushdb
    $c set gone v px 1
    after 10
    expect [$c randomkey] (nil)
}

test "OBJECT" {
    fresh
    $c set k v
    expect [$c object refcount k] 1
    expect_between [$c object idletime k] 0 2
    expect [$c object encoding none] (nil)
    expect [$c object idletime none] (nil)
    expect_error {$c object freq k} "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
    expect_error {$c object nosuch k} "ERR unknown subcommand 'nosuch'. Try OBJECT HELP."
    expect_match [join [$c object help]] "OBJECT <subcommand> *"
}

test "OBJECT IDLETIME counts seconds, TOUCH and GET reset it" {
    fresh
    $c set k v
    after [expr {2100}]
    expect_between [$c object idletime k] 1 4
    $c get k
    expect_between [$c object idletime k] 0 1
}

test "DBSIZE counts each database" {
    fresh
    for {set i 0} {$i < 1000} {incr i} { queue $c set k$i v }
    flush_client $c
    replies $c 1000
    expect [$c dbsize] 1000
    $c select 9
    expect [$c dbsize] 0
    $c select 0
    for {set i 0} {$i < 500} {incr i} { queue $c del k$i }
    flush_client $c
    replies $c 500
    expect [$c dbsize] 500
}

test "every database is a world of its own" {
    fresh
    for {set db 0} {$db < 16} {incr db} {
        $c select $db
        $c set k $db
    }
    for {set db 0} {$db < 16} {incr db} {
        $c select $db
        expect [$c get k] $db
        expect [$c dbsize] 1
    }
    $c select 0
}

test "keys with the same hash tag and without behave alike" {
    fresh
    set open "\x7bt"
    $c mset "{t}a" 1 "{t}b" 2 "{}c" 3 $open 4 "a{t}b{u}" 5
    expect [$c mget "{t}a" "{t}b" "{}c" $open "a{t}b{u}"] {1 2 3 4 5}
    $c rename "{t}a" "{u}a"
    expect [$c get "{u}a"] 1
}

test "a list of a million elements is deleted without holding others up" {
    fresh
    for {set i 0} {$i < 100} {incr i} { queue $c rpush big {*}[lrepeat 10000 [string repeat x 20]] }
    flush_client $c
    expect [lindex [replies $c 100] end] 1000000
    expect [$c unlink big] 1
    expect [$c dbsize] 0
}
