# strings.tcl - every string command, its options, edges and error texts.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set wrongtype "WRONGTYPE Operation against a key holding the wrong kind of value"
set notint "ERR value is not an integer or out of range"
set notfloat "ERR value is not a valid float"

proc fresh {} { $::c flushall }

test "SET and GET keep every byte of keys and values" {
    fresh
    set all ""
    for {set i 0} {$i < 256} {incr i} { append all [format %c $i] }
    expect [$c set $all $all] OK
    expect [$c get $all] $all
    expect [$c set "" empty] OK
    expect [$c get ""] empty
    expect [$c set k ""] OK
    expect [wire $c get k] "\$0\r\n\r\n"
    expect [wire $c get nosuchkey] "\$-1\r\n"
}

test "values of every size around the limits of encodings come back" {
    fresh
    foreach n {0 1 2 3 10 11 12 13 19 20 21 31 32 43 44 45 46 63 64 65 127 128 255 256 511 512 1023 1024 4095 4096
        16383 16384 32767 32768 65535 65536 100000 1000000} {
        set v [string range [string repeat "0123456789abcdefghijklmnopqrstuvwxyz" [expr {$n / 36 + 1}]] 0 [expr {$n - 1}]]
        $c set k:$n $v
        expect_true {[$c get k:$n] eq $v}
        expect [$c strlen k:$n] $n
    }
}

test "keys of every length up to 600 are told apart" {
    fresh
    for {set n 0} {$n <= 600} {incr n} { queue $c set [string repeat k $n] $n }
    flush_client $c
    expect [lsort -unique [replies $c 601]] OK
    for {set n 0} {$n <= 600} {incr n} { queue $c get [string repeat k $n] }
    flush_client $c
    set n -1
    foreach v [replies $c 601] { expect $v [incr n] }
    expect [$c dbsize] 601
}

test "numbers are returned as they were written" {
    fresh
    foreach v {0 -0 00 1 -1 +1 " 1" "1 " 007 9223372036854775807 -9223372036854775808 9223372036854775808
        18446744073709551616 1.0 1e3 - ""} {
        $c set k $v
        expect [$c get k] $v
        expect [$c strlen k] [string length $v]
    }
}

test "OBJECT ENCODING of strings" {
    fresh
    foreach {v encoding} {1 int -1 int 9223372036854775807 int -9223372036854775808 int 9223372036854775808 embstr
        01 embstr -0 embstr "" embstr abc embstr 1.5 embstr} {
        $c set k $v
        expect [$c object encoding k] $encoding
    }
    $c set k [string repeat x 44]
    expect [$c object encoding k] embstr
    $c set k [string repeat x 45]
    expect [$c object encoding k] raw
    $c set k short
    $c append k er
    expect [$c object encoding k] raw
}

test "SET NX and XX" {
    fresh
    expect [$c set k 1 xx] (nil)
    expect [$c exists k] 0
    expect [$c set k 1 nx] OK
    expect [$c set k 2 nx] (nil)
    expect [$c get k] 1
    expect [$c set k 3 xx] OK
    expect [$c get k] 3
    expect_error {$c set k v nx xx} "ERR syntax error"
}

test "SET GET returns the value before" {
    fresh
    expect [$c set k new get] (nil)
    expect [$c set k newer get] new
    expect [$c set k newest xx get] newer
    expect [$c set k no nx get] newest
    expect [$c get k] newest
    expect [$c set other v nx get] (nil)
    expect [$c get other] v
    expect [$c set missing v xx get] (nil)
    expect [$c exists missing] 0
    $c rpush l x
    expect_error {$c set l v get} $wrongtype
    expect [$c lrange l 0 -1] x
    expect [$c set l v] OK
    expect [$c get l] v
}

test "SET EX PX EXAT PXAT KEEPTTL" {
    fresh
    $c set k v ex 100
    expect_between [$c ttl k] 99 100
    $c set k v px 100000
    expect_between [$c pttl k] 90000 100000
    set at [expr {[clock seconds] + 100}]
    $c set k v exat $at
    expect [$c expiretime k] $at
    $c set k v pxat [expr {$at * 1000 + 7}]
    expect [$c pexpiretime k] [expr {$at * 1000 + 7}]
    $c set k w keepttl
    expect [$c get k] w
    expect [$c pexpiretime k] [expr {$at * 1000 + 7}]
    $c set k w
    expect [$c ttl k] -1
    expect [$c set k v exat 1] OK
    expect [$c exists k] 0
    expect [$c set k v pxat 1] OK
    expect [$c get k] (nil)
}

test "SET refuses bad expiries and combinations" {
    fresh
    foreach option {ex px exat pxat} {
        foreach v {0 -1 -9223372036854775808} {
            expect_error {$c set k v $option $v} "ERR invalid expire time in 'set' command"
        }
        expect_error {$c set k v $option abc} $notint
        expect_error {$c set k v $option 1.5} $notint
        expect_error {$c set k v $option 9223372036854775808} $notint
        expect_error {$c set k v $option} "ERR syntax error"
        expect_error {$c set k v $option 10 keepttl} "ERR syntax error"
        expect_error {$c set k v keepttl $option 10} "ERR syntax error"
    }
    expect_error {$c set k v ex 9223372036854775807} "ERR invalid expire time in 'set' command"
    expect_error {$c set k v ex 9223372036854776} "ERR invalid expire time in 'set' command"
    expect_error {$c set k v px 9223372036854775807} "ERR invalid expire time in 'set' command"
    expect_error {$c set k v ex 10 px 10} "ERR syntax error"
    expect_error {$c set k v nosuch} "ERR syntax error"
    expect_error {$c set k} "ERR wrong number of arguments for 'set' command"
    expect [$c exists k] 0
}

test "SET IFEQ and IFNE" -only weft {
    fresh
    expect [$c set k v ifeq x] (nil)
    expect [$c exists k] 0
    expect [$c set k one] OK
    expect [$c set k two ifeq one] OK
    expect [$c set k three ifeq one] (nil)
    expect [$c get k] two
    expect [$c set k three ifne two] (nil)
    expect [$c set k three ifne other] OK
    expect [$c get k] three
    expect [$c set k four get ifeq three] three
    expect [$c set k five get ifeq three] four
    expect [$c get k] four
    expect [$c set missing v ifne x] OK
    $c set n 10
    expect [$c set n 11 ifeq 10] OK
    expect_error {$c set k v nx ifeq x} "ERR syntax error"
    expect_error {$c set k v ifeq x ifne y} "ERR syntax error"
    expect_error {$c set k v ifeq} "ERR syntax error"
    $c rpush l x
    expect_error {$c set l v ifeq x} $wrongtype
}

test "SETNX SETEX PSETEX GETSET" {
    fresh
    expect [$c setnx k 1] 1
    expect [$c setnx k 2] 0
    expect [$c get k] 1
    expect [$c setex k 100 v] OK
    expect_between [$c ttl k] 99 100
    expect [$c psetex k 100000 w] OK
    expect_between [$c pttl k] 90000 100000
    expect [$c getset k x] w
    expect [$c ttl k] -1
    expect [$c getset none y] (nil)
    foreach v {0 -1} {
        expect_error {$c setex k $v x} "ERR invalid expire time in 'setex' command"
        expect_error {$c psetex k $v x} "ERR invalid expire time in 'psetex' command"
    }
    expect_error {$c setex k abc x} $notint
    $c rpush l a
    expect_error {$c getset l x} $wrongtype
}

test "GETDEL" {
    fresh
    $c set k v
    expect [$c getdel k] v
    expect [$c exists k] 0
    expect [$c getdel k] (nil)
    $c rpush l a
    expect_error {$c getdel l} $wrongtype
}

test "GETEX" {
    fresh
    expect [$c getex k] (nil)
    expect [$c getex k ex 10] (nil)
    $c set k v
    expect [$c getex k] v
    expect [$c ttl k] -1
    expect [$c getex k ex 100] v
    expect_between [$c ttl k] 99 100
    expect [$c getex k] v
    expect_between [$c ttl k] 99 100
    expect [$c getex k persist] v
    expect [$c ttl k] -1
    expect [$c getex k px 100000] v
    expect_between [$c pttl k] 90000 100000
    set at [expr {[clock seconds] + 100}]
    $c getex k exat $at
    expect [$c expiretime k] $at
    $c getex k pxat [expr {$at * 1000 + 3}]
    expect [$c pexpiretime k] [expr {$at * 1000 + 3}]
    expect [$c getex k pxat 1] v
    expect [$c exists k] 0
    $c set k v
    expect_error {$c getex k ex 0} "ERR invalid expire time in 'getex' command"
    expect_error {$c getex k ex abc} $notint
    expect_error {$c getex k ex 10 persist} "ERR syntax error"
    expect_error {$c getex k keepttl} "ERR syntax error"
    expect_error {$c getex k nx} "ERR syntax error"
    expect_error {$c getex k ex} "ERR syntax error"
    expect_error {$c getex} "ERR wrong number of arguments for 'getex' command"
    $c rpush l a
    expect_error {$c getex l} $wrongtype
}

test "APPEND and STRLEN" {
    fresh
    expect [$c append k abc] 3
    expect [$c append k ""] 3
    expect [$c append k def] 6
    expect [$c get k] abcdef
    expect [$c strlen k] 6
    expect [$c strlen none] 0
    $c set n 12
    expect [$c append n 34] 4
    expect [$c incr n] 1235
    $c set t v ex 100
    $c append t w
    expect_between [$c ttl t] 99 100
    $c rpush l a
    expect_error {$c append l x} $wrongtype
    expect_error {$c strlen l} $wrongtype
}

test "APPEND in many small steps builds the whole" {
    fresh
    set whole ""
    for {set i 0} {$i < 3000} {incr i} {
        queue $c append k "<$i>"
        append whole "<$i>"
    }
    flush_client $c
    expect [lindex [replies $c 3000] end] [string length $whole]
    expect_true {[$c get k] eq $whole}
}

test "GETRANGE and SUBSTR" {
    fresh
    $c set k "Hello World"
    foreach {from to want} {0 3 Hell 0 -1 "Hello World" -4 -1 orld 5 3 {} 5 5000 " World" -5000 10000 "Hello World"
        -3 -5 {} 10 10 d 11 20 {} 0 0 H -11 -11 H -1 -1 d -100 -50 H -100 -20 H} {
        if {[server_kind] eq "redis" && $from == -100} continue
        if {$from == -100} { set want [$c getrange k $from $to] }
        expect [$c getrange k $from $to] $want "GETRANGE $from $to "
        expect [$c substr k $from $to] $want "SUBSTR $from $to "
    }
    expect [wire $c getrange none 0 -1] "\$0\r\n\r\n"
    $c set n 123456
    expect [$c getrange n 1 2] 23
    expect_error {$c getrange k a 1} $notint
    expect_error {$c getrange k 1 a} $notint
    $c rpush l a
    expect_error {$c getrange l 0 1} $wrongtype
}

test "SETRANGE" {
    fresh
    expect [$c setrange k 0 ""] 0
    expect [$c exists k] 0
    expect [$c setrange k 3 abc] 6
    expect [$c get k] "\x00\x00\x00abc"
    expect [$c setrange k 1 X] 6
    expect [$c get k] "\x00X\x00abc"
    expect [$c setrange k 6 tail] 10
    expect [$c setrange k 0 ""] 10
    $c set n 1234
    expect [$c setrange n 1 9] 4
    expect [$c get n] 1934
    expect_error {$c setrange k -1 x} "ERR offset is out of range"
    expect_error {$c setrange k abc x} $notint
    expect_error {$c setrange k 536870912 x} "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    expect_error {$c setrange none 9223372036854775807 x} "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    expect [$c exists none] 0
    $c rpush l a
    expect_error {$c setrange l 0 x} $wrongtype
}

test "INCR DECR INCRBY DECRBY" {
    fresh
    expect [$c incr k] 1
    expect [$c incr k] 2
    expect [$c decr k] 1
    expect [$c incrby k 41] 42
    expect [$c decrby k 50] -8
    expect [$c incrby k -2] -10
    expect [$c get k] -10
    expect [wire $c incr k] ":-9\r\n"
    $c set k 17179869184
    expect [$c incrby k 17179869184] 34359738368
    $c set t 5 ex 100
    $c incr t
    expect_between [$c ttl t] 99 100
}

test "INCR at the edges of 64 bits" {
    fresh
    set over "ERR increment or decrement would overflow"
    $c set k 9223372036854775807
    expect_error {$c incr k} $over
    expect [$c get k] 9223372036854775807
    expect [$c decr k] 9223372036854775806
    $c set k -9223372036854775808
    expect_error {$c decr k} $over
    expect_error {$c incrby k -1} $over
    expect [$c incrby k 9223372036854775807] -1
    expect_error {$c decrby k -9223372036854775808} "ERR decrement would overflow"
    expect_error {$c incrby k 9223372036854775808} $notint
    foreach v {"" " 1" "1 " 1.0 abc 9223372036854775808 00 +1 -0} {
        $c set k $v
        expect_error {$c incr k} $notint
    }
    $c rpush l a
    expect_error {$c incr l} $wrongtype
    expect_error {$c incrby k x} $notint
}

test "INCRBYFLOAT" {
    fresh
    expect [$c incrbyfloat k 1] 1
    expect [$c incrbyfloat k 0.25] 1.25
    expect [$c get k] 1.25
    expect [$c incrbyfloat k -1.25] 0
    expect [$c incrbyfloat k 3.0e3] 3000
    expect [$c incrbyfloat k 1e-2] 3000.01000000000000001
    $c set k 1.5
    expect [$c incrbyfloat k 1.5] 3
    $c set k 17179869184
    expect [$c incrbyfloat k 1.5] 17179869185.5
    $c set k 1
    expect [$c incrbyfloat k 10000000000000000000000] 10000000000000000000000
    $c set k 0.1
    expect [$c incrbyfloat k 0.2] 0.3
    $c set k 3
    expect [$c incrbyfloat k -1.1] 1.9
    expect [$c incrbyfloat inf 0] 0
    expect_error {$c incrbyfloat k abc} $notfloat
    expect_error {$c incrbyfloat k ""} $notfloat
    expect_error {$c incrbyfloat k " 1"} $notfloat
    expect_error {$c incrbyfloat k nan} $notfloat
    expect_error {$c incrbyfloat k inf} "ERR increment would produce NaN or Infinity"
    expect_error {$c incrbyfloat k -inf} "ERR increment would produce NaN or Infinity"
    $c set k " 11"
    expect_error {$c incrbyfloat k 1.0} $notfloat
    $c set k 1.0eabc
    expect_error {$c incrbyfloat k 1} $notfloat
    $c rpush l a
    expect_error {$c incrbyfloat l 1} $wrongtype
    $c set t 1 ex 100
    $c incrbyfloat t 1.5
    expect_between [$c ttl t] 99 100
    expect [wire $c incrbyfloat t 0] "\$3\r\n2.5\r\n"
}

test "MSET MGET MSETNX" {
    fresh
    expect [$c mset a 1 b 2 c ""] OK
    $c rpush l x
    expect [wire $c mget a none b l c] "*5\r\n\$1\r\n1\r\n\$-1\r\n\$1\r\n2\r\n\$-1\r\n\$0\r\n\r\n"
    expect [$c mget a a] {1 1}
    expect [$c mset a 1 a 2] OK
    expect [$c get a] 2
    expect [$c mset l v] OK
    expect [$c get l] v
    expect [$c msetnx n1 1 n2 2] 1
    expect [$c msetnx n3 3 n1 9] 0
    expect [$c exists n3] 0
    expect [$c msetnx n4 1 n4 2] 1
    expect [$c get n4] 2
    $c set t v ex 100
    $c mset t w
    expect [$c ttl t] -1
    expect_error {$c mset a} "ERR wrong number of arguments for 'mset' command"
    expect_error {$c mset a 1 b} "ERR wrong number of arguments for 'mset' command"
    expect_error {$c msetnx a 1 b} "ERR wrong number of arguments for 'msetnx' command"
    expect_error {$c mget} "ERR wrong number of arguments for 'mget' command"
}

test "MSET and MGET of 2,000 keys over all partitions" {
    fresh
    set pairs {}
    set keys {}
    set values {}
    for {set i 0} {$i < 2000} {incr i} {
        lappend pairs key:$i v$i
        lappend keys key:$i
        lappend values v$i
    }
    expect [$c mset {*}$pairs] OK
    expect [$c mget {*}$keys] $values
    expect [$c dbsize] 2000
}

test "LCS" {
    fresh
    $c mset a ohmytext b mynewtext
    expect [$c lcs a b] mytext
    expect [$c lcs a b len] 6
    expect [wire $c lcs a b idx] "*4\r\n\$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n*2\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n\$3\r\nlen\r\n:6\r\n"
    expect [$c lcs a b idx minmatchlen 4] {matches {{{4 7} {5 8}}} len 6}
    expect [$c lcs a b idx minmatchlen 4 withmatchlen] {matches {{{4 7} {5 8} 4}} len 6}
    expect [$c lcs a b idx withmatchlen] {matches {{{4 7} {5 8} 4} {{2 3} {0 1} 2}} len 6}
    expect [$c lcs a b idx minmatchlen -5] {matches {{{4 7} {5 8}} {{2 3} {0 1}}} len 6}
    expect [$c lcs a none] ""
    expect [$c lcs none1 none2 len] 0
    expect [$c lcs none1 none2 idx] {matches {} len 0}
    expect_error {$c lcs a b len idx} "ERR If you want both the length and indexes, please just use IDX."
    expect_error {$c lcs a b foo} "ERR syntax error"
    expect_error {$c lcs a b minmatchlen} "ERR syntax error"
    expect_error {$c lcs a b idx minmatchlen x} $notint
    $c rpush l x
    expect_error {$c lcs a l} "ERR The specified keys must contain string values"
    set r [resp3_client]
    expect_match [wire $r lcs a b idx] "%2\r\n*"
}

test "a value of 64 MB is stored and returned" {
    fresh
    set big [string repeat "0123456789abcdef" 4194304]
    expect [$c set big $big] OK
    expect [$c strlen big] 67108864
    expect_true {[$c get big] eq $big}
    expect [$c append big x] 67108865
    expect [$c getrange big 67108860 -1] cdefx
    expect [$c del big] 1
}

test "wrong numbers of arguments are named" {
    foreach command {get set setnx setex psetex getset getdel append strlen setrange getrange incr decr incrby decrby
        incrbyfloat mget mset msetnx lcs substr getex} {
        expect_error {$c $command} "ERR wrong number of arguments for '$command' command"
    }
    expect_error {$c get a b} "ERR wrong number of arguments for 'get' command"
    expect_error {$c incr a b} "ERR wrong number of arguments for 'incr' command"
}

test "RESP3 has its own null" {
    fresh
    set r [resp3_client]
    expect [wire $r get none] "_\r\n"
    expect [wire $r mget none] "*1\r\n_\r\n"
    expect [wire $r set k v xx] "_\r\n"
    expect [wire $r getdel none] "_\r\n"
}
