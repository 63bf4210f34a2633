# bits.tcl - strings as bits: SETBIT, BITCOUNT, BITPOS, BITOP and BITFIELD.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set wrongtype "WRONGTYPE Operation against a key holding the wrong kind of value"
set notint "ERR value is not an integer or out of range"
set badoffset "ERR bit offset is not an integer or out of range"

proc fresh {} { $::c flushall }
proc dirty {} { info_field [$::c info persistence] rdb_changes_since_last_save }

test "SETBIT makes the string long enough and returns the old bit" {
    fresh
    expect [$c setbit k 7 1] 0
    expect [$c get k] "\x01"
    expect [$c setbit k 7 1] 1
    expect [$c setbit k 7 0] 1
    expect [$c setbit k 30 1] 0
    expect [$c get k] "\x00\x00\x00\x02"
    expect [$c getbit k 30] 1
    expect [$c getbit k 31] 0
    expect [$c getbit k 100000] 0
    expect [$c getbit none 3] 0
}

test "SETBIT works on numbers and keeps the expiry" {
    fresh
    $c set k 1 ex 1000
    expect [$c object encoding k] int
    expect [$c setbit k 6 1] 0
    expect [$c get k] 3
    expect [$c object encoding k] raw
    expect_true {[$c ttl k] > 900}
}

test "SETBIT refuses what is no bit" {
    fresh
    expect_error {$c setbit k 0 2} "ERR bit is not an integer or out of range"
    expect_error {$c setbit k 0 x} "ERR bit is not an integer or out of range"
    foreach offset {-1 x 4294967296 9223372036854775807 1.5} {
        expect_error {$c setbit k $offset 1} $badoffset
        expect_error {$c getbit k $offset} $badoffset
    }
    $c rpush l x
    expect_error {$c setbit l 0 1} $wrongtype
    expect_error {$c getbit l 0} $wrongtype
    expect_error {$c setbit l 0 2} "ERR bit is not an integer or out of range"
    expect [$c exists k] 0
}

test "SETBIT counts as a change only when something changed" {
    fresh
    set before [dirty]
    $c setbit k 5 0
    $c setbit k 5 0
    $c setbit k 5 1
    $c setbit k 4 0
    $c setbit k 90 0
    expect [expr {[dirty] - $before}] 3
}

test "BITCOUNT counts in bytes and bits" {
    fresh
    $c set k foobar
    expect [$c bitcount k] 26
    expect [$c bitcount k 0 0] 4
    expect [$c bitcount k 1 1] 6
    expect [$c bitcount k 1 1 BYTE] 6
    expect [$c bitcount k 5 30 BIT] 17
    expect [$c bitcount k -2 -1] 7
    expect [$c bitcount k -1 -2] 0
    expect [$c bitcount k 10 20] 0
    expect [$c bitcount k -100 100] 26
    expect [$c bitcount none] 0
    expect [$c bitcount none 0 -1] 0
    $c set n 17
    expect [$c bitcount n] 8
}

test "BITCOUNT of long strings, from anywhere to anywhere" {
    fresh
    set bytes [binary format B* [string repeat 1 800000]]
    $c set k $bytes
    expect [$c bitcount k] 800000
    expect [$c bitcount k 3 -5] [expr {800000 - 7 * 8}]
    expect [$c bitcount k 3 -6 BIT] [expr {800000 - 8}]
    expect [$c bitcount k 12345 777777 BIT] [expr {777777 - 12345 + 1}]
}

test "arguments of BITCOUNT and BITPOS come before the key" -since 7.2 {
    fresh
    expect_error {$c bitcount k 0} "ERR syntax error"
    expect_error {$c bitcount k 0 1 FOO} "ERR syntax error"
    expect_error {$c bitcount k 0 1 BIT x} "ERR syntax error"
    expect_error {$c bitcount k a b} $notint
    expect_error {$c bitpos k 1 0 1 FOO} "ERR syntax error"
    expect_error {$c bitpos k 1 0 1 BIT x} "ERR syntax error"
    expect_error {$c bitpos k 1 a} $notint
    $c rpush l x
    expect_error {$c bitcount l} $wrongtype
    expect_error {$c bitpos l 1} $wrongtype
}

test "BITPOS finds bits, in ranges and behind the end" {
    fresh
    $c set k "\xff\xf0\x00"
    expect [$c bitpos k 0] 12
    expect [$c bitpos k 1] 0
    expect [$c bitpos k 1 2] -1
    expect [$c bitpos k 0 2] 16
    expect [$c bitpos k 0 0 0] -1
    expect [$c bitpos k 0 9 11 BIT] -1
    expect [$c bitpos k 0 9 12 BIT] 12
    expect [$c bitpos k 1 11 11 BIT] 11
    expect [$c bitpos k 1 5] -1
    $c set ones "\xff\xff"
    expect [$c bitpos ones 0] 16
    expect [$c bitpos ones 0 0] 16
    expect [$c bitpos ones 0 0 -1] -1
    expect [$c bitpos ones 0 2] -1
    expect [$c bitpos none 0] 0
    expect [$c bitpos none 1] -1
    expect_error {$c bitpos k 2} "ERR The bit argument must be 1 or 0."
    expect_error {$c bitpos k x} $notint
}

test "BITOP combines and pads with zeros" {
    fresh
    $c mset a "\x0f\xff" b "\x3c" z ""
    expect [$c bitop and d a b] 2
    expect [$c get d] "\x0c\x00"
    expect [$c bitop or d a b none] 2
    expect [$c get d] "\x3f\xff"
    expect [$c bitop xor d a b] 2
    expect [$c get d] "\x33\xff"
    expect [$c bitop not d b] 1
    expect [$c get d] "\xc3"
    expect [$c object encoding d] raw
    expect [$c bitop not a a] 2
    expect [$c get a] "\xf0\x00"
    expect [$c bitop and d none z] 0
    expect [$c exists d] 0
}

test "BITOP replaces any value and its expiry" {
    fresh
    $c set a "\x01"
    $c rpush d x
    expect [$c bitop or d a] 1
    expect [$c type d] string
    $c expire d 1000
    $c bitop or d a
    expect [$c ttl d] -1
    set big [string repeat "\x55" 100000]
    $c mset b $big d $big
    $c expire d 1000
    expect [$c bitop not d b] 100000
    expect [$c ttl d] -1
    expect_true {[$c get d] eq [string repeat "\xaa" 100000]}
    expect_true {[$c get b] eq $big}
    $c copy d e
    $c bitop xor d d b
    expect_true {[$c get d] eq [string repeat "\xff" 100000]}
    expect_true {[$c get e] eq [string repeat "\xaa" 100000]}
    $c set small "\x01"
    expect [$c bitop or d small] 1
    expect [$c get d] "\x01"
}

test "BITOP refuses" {
    fresh
    $c rpush l x
    expect_error {$c bitop and d a l} $wrongtype
    expect_error {$c bitop nand d a b} "ERR syntax error"
    expect_error {$c bitop not d a b} "ERR BITOP NOT must be called with a single source key."
    expect [$c exists d] 0
}

test "BITOP DIFF, DIFF1, ANDOR and ONE" -since 7.4 {
    fresh
    $c mset x "\xf0" y "\xcc" z "\xaa\x81"
    expect [$c bitop diff d x y z] 2
    expect [$c get d] "\x10\x00"
    $c bitop diff1 d x y z
    expect [$c get d] "\x0e\x81"
    $c bitop andor d x y z
    expect [$c get d] "\xe0\x00"
    $c bitop one d x y z
    expect [$c get d] "\x16\x81"
    $c bitop one d x
    expect [$c get d] "\xf0"
    foreach op {diff diff1 andor} {
        expect_error {$c bitop $op d x} \
            "ERR BITOP [string toupper $op] must be called with at least two source keys."
    }
}

test "BITFIELD reads and writes fields of any width" {
    fresh
    expect [$c bitfield k set u8 0 255 get u4 2 get i4 2] {0 15 -1}
    expect [$c bitfield k set i64 3 -2 get i64 3 get u63 4] {-576460752303423488 -2 9223372036854775806}
    expect [$c strlen k] 9
    expect [$c bitfield k get i64 10000] 0
    expect [$c bitfield k] {}
    expect [$c bitfield none get u8 0] 0
    expect [$c exists none] 0
    $c bitfield f set u8 #0 65 set u8 #1 66
    expect [$c get f] AB
}

test "BITFIELD overflows as told" {
    fresh
    expect [$c bitfield k set u8 0 250 incrby u8 0 10] {0 4}
    expect [$c bitfield k set u8 0 250 overflow sat incrby u8 0 10 incrby u8 0 -300] {4 255 0}
    expect [$c bitfield k set i8 0 100 overflow sat incrby i8 0 100 incrby i8 0 -1000] {0 127 -128}
    expect [$c bitfield k overflow fail incrby i8 0 -1 overflow wrap incrby i8 0 -1] {(nil) 127}
    expect [$c bitfield k set i64 0 9223372036854775807 incrby i64 0 1] {9151314442816847872 -9223372036854775808}
    expect [$c bitfield k overflow sat incrby i64 0 -1 overflow fail incrby i64 0 -1] {-9223372036854775808 (nil)}
}

test "BITFIELD refuses" {
    fresh
    set badtype "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
    foreach type {u64 i65 u0 x8 i u8x {}} {
        expect_error {$c bitfield k get $type 0} $badtype
    }
    foreach offset {-1 x #x #-1 4294967296 #536870912} {
        expect_error {$c bitfield k get u8 $offset} $badoffset
    }
    expect_error {$c bitfield k get u8} "ERR syntax error"
    expect_error {$c bitfield k set u8 0} "ERR syntax error"
    expect_error {$c bitfield k set u8 0 x} $notint
    expect_error {$c bitfield k overflow foo} "ERR Invalid OVERFLOW type specified"
    expect_error {$c bitfield_ro k set u8 0 1} "ERR BITFIELD_RO only supports the GET subcommand"
    $c rpush l x
    expect_error {$c bitfield l get u8 0} $wrongtype
    expect_error {$c bitfield l set u8 0 1} $wrongtype
    expect [$c exists k] 0
}

test "a bitmap that others hold is not written through" {
    fresh
    set big [string repeat "\x00" 50000]
    $c set k $big
    $c copy k k2
    $c setbit k 3 1
    expect [$c bitcount k] 1
    expect [$c bitcount k2] 0
}

test "COMMAND GETKEYS of the bitmap commands" {
    expect [$c command getkeys setbit k 1 1] k
    expect [$c command getkeys bitop and d a b] {d a b}
    expect [$c command getkeys bitfield k get u8 0] k
    if {[server_since 7.2]} {
        expect [$c command getkeysandflags bitfield k get u8 0] {{k {RO access}}}
    }
    expect [$c command getkeysandflags bitfield k get u8 0 set u8 0 1] {{k {RW access update}}}
}
