# streams.tcl - every stream command: entries, ranges, trimming; groups, what is pending, claims; who
# waits for entries and how that ends.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set wrongtype "WRONGTYPE Operation against a key holding the wrong kind of value"
set badid "ERR Invalid stream ID specified as stream command argument"
set notint "ERR value is not an integer or out of range"

proc fresh {} { $::c flushall }
proc add {key args} { foreach id $args { $::c xadd $key $id f $id } }
proc ids {entries} { lmap e $entries { lindex $e 0 } }
proc all {key} { ids [$::c xrange $key - +] }
proc waiter {n args} {
    set w [client]
    send $w {*}$args
    wait_blocked $::c $n
    return $w
}

# ---- entries ----------------------------------------------------------------------------------

test "XADD gives IDs, or takes them if they grow" {
    fresh
    expect [$c xadd s 5-1 a 1 b 2] 5-1
    expect [$c xadd s 5-* a 1] 5-2
    expect [$c xadd s 7 a 1] 7-0
    expect [$c xadd s 007-01 a 1] 7-1
    expect [$c xadd s 9-* a 1] 9-0
    foreach id {9-0 8-5 9 8-*} {
        expect_error {$c xadd s $id a 1} "ERR The ID specified in XADD is equal or smaller than the target stream top item"
    }
    foreach id {x 1-x 1- -1 - + 1-2-3 18446744073709551616} { expect_error {$c xadd s $id a 1} $badid }
    expect_error {$c xadd s 0-0 a 1} "ERR The ID specified in XADD must be greater than 0-0"
    expect [$c xlen s] 5
    set id [$c xadd s * a 1]
    expect_true {[regexp {^\d{13}-0$} $id]}
    expect [$c xadd z 0-* a 1] 0-1
    expect [$c xadd end 18446744073709551615-18446744073709551615 a 1] 18446744073709551615-18446744073709551615
    expect_error {$c xadd end * a 1} "ERR The stream has exhausted the last possible ID, unable to add more items"
    expect_error {$c xadd s * a} "ERR wrong number of arguments for 'xadd' command"
    expect_error {$c xadd s * a 1 b} "ERR wrong number of arguments for 'xadd' command"
    expect [$c xadd none nomkstream * a 1] (nil)
    expect [$c exists none] 0
    $c set str v
    foreach command {{xadd str * a 1} {xlen str} {xrange str - +} {xdel str 1} {xtrim str maxlen 1}
        {xread streams str 0} {xgroup create str g 0} {xinfo stream str} {xack str g 1} {xpending str g}
        {xclaim str g c 0 1} {xautoclaim str g c 0 0} {xsetid str 1} {xdelex str ids 1 1}
        {xackdel str g ids 1 1} {xreadgroup group g c streams str >}} {
        expect_error {$c {*}$command} $wrongtype
    }
}

test "entries keep their fields, the same ones or others, and bytes of any kind" {
    fresh
    set all ""
    for {set i 0} {$i < 256} {incr i} { append all [format %c $i] }
    set entries {}
    set id 0
    foreach fields [list {f 1} {f 2 g 3} {f 2} [list f $all] [list $all f] [list {} {}] {f -0 g 007} {f 1 f 2}] {
        foreach n {1 2} { lappend entries [list [incr id]-0 $fields] }
    }
    lappend entries [list [incr id]-0 [list f [string repeat x 100000]]] [list [incr id]-0 {f 1}]
    foreach e $entries { $c xadd s [lindex $e 0] {*}[lindex $e 1] }
    expect_true {[$c xrange s - +] eq $entries}
    expect_true {[$c xrevrange s + -] eq [lreverse $entries]}
    $c copy s t
    expect_true {[$c xrange t - +] eq $entries}
    expect [$c object encoding s] stream
    expect [$c type s] stream
}

test "ranges: incomplete and exclusive ends, counts" {
    fresh
    add s 1-0 1-1 2-0 2-5 3-0
    expect [ids [$c xrange s 1 2]] {1-0 1-1 2-0 2-5}
    expect [ids [$c xrange s (1-0 (2-5]] {1-1 2-0}
    expect [ids [$c xrange s 2-1 +]] {2-5 3-0}
    expect [ids [$c xrange s - + count 2]] {1-0 1-1}
    expect [ids [$c xrevrange s + - count 2]] {3-0 2-5}
    expect [ids [$c xrevrange s 2 (1-0]] {2-5 2-0 1-1}
    expect [wire $c xrange s - + count 0] "*-1\r\n"
    expect [wire $c xrange none - + count 0] "*0\r\n"
    expect [$c xrange s 9 +] {}
    expect [$c xrange s 3 1] {}
    expect_error {$c xrange s (- +} $badid
    expect_error {$c xrange s (18446744073709551615-18446744073709551615 +} "ERR invalid start ID for the interval"
    expect_error {$c xrange s - (0-0} "ERR invalid end ID for the interval"
    expect_error {$c xrange s - + count} "ERR syntax error"
    expect_error {$c xrange s - + count x} $notint
}

test "thousands of entries in many nodes" {
    fresh
    for {set i 1} {$i <= 3000} {incr i} { queue $c xadd s $i-1 item $i }
    flush_client $c
    replies $c 3000
    expect [$c xlen s] 3000
    foreach {start end} {1 10 95 205 1000 1000 2990 3000 1 3000} {
        set want {}
        for {set i $start} {$i <= $end} {incr i} { lappend want $i-1 }
        expect_true {[ids [$c xrange s $start $end]] eq $want}
        expect_true {[ids [$c xrevrange s $end $start]] eq [lreverse $want]}
    }
    for {set i 1} {$i <= 3000} {incr i} { if {$i % 7} { queue $c xdel s $i-1 } }
    flush_client $c
    replies $c [expr {3000 - 3000 / 7}]
    expect [$c xlen s] [expr {3000 / 7}]
    expect [ids [$c xrange s - + count 3]] {7-1 14-1 21-1}
    expect [ids [$c xrevrange s + - count 2]] {2996-1 2989-1}
}

test "XDEL, and an empty stream stays" {
    fresh
    add s 1-0 2-0 3-0
    expect [$c xdel s 2 9] 1
    expect [$c xdel s 2] 0
    expect_error {$c xdel s 1 x} $badid
    expect [all s] {1-0 3-0}
    expect [$c xdel s 1 3] 2
    expect [$c exists s] 1
    expect [$c xlen s] 0
    expect_error {$c xadd s 3 a 1} "*equal or smaller*"
    set about [$c xinfo stream s]
    expect [dict get $about last-generated-id] 3-0
    expect [dict get $about max-deleted-entry-id] 3-0
    expect [dict get $about entries-added] 3
    expect [dict get $about recorded-first-entry-id] 0-0
    expect [$c xdel none 1] 0
}

test "trimming, exactly and roughly" {
    fresh
    for {set i 1} {$i <= 1000} {incr i} { $c xadd s $i f v }
    expect [$c xtrim s maxlen ~ 555] 400
    expect [$c xtrim s maxlen = 555] 45
    expect [lindex [all s] 0] 446-0
    expect [$c xtrim s minid 500] 54
    expect [$c xtrim s minid ~ 590] 1
    expect [$c xtrim s minid ~ 601] 100
    expect [$c xtrim s maxlen ~ 0 limit 150] 100
    expect [$c xtrim s maxlen ~ 0 limit 0] 300
    expect [$c xlen s] 0
    for {set i 2001} {$i <= 2010} {incr i} { $c xadd s maxlen 3 $i f v }
    expect [all s] {2008-0 2009-0 2010-0}
    $c xadd s minid = 2010 2011 f v
    expect [all s] {2010-0 2011-0}
    expect [$c xtrim none maxlen 0] 0
    expect_error {$c xtrim s maxlen -1} "ERR The MAXLEN argument must be >= 0."
    expect_error {$c xtrim s maxlen 1 limit 1} "ERR syntax error, LIMIT cannot be used without the special ~ option"
    expect_error {$c xtrim s limit 1 maxlen} "ERR syntax error"
    expect_error {$c xtrim s limit 5 limit 5} "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
    expect_error {$c xtrim s maxlen 1 minid 1} "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
    expect_error {$c xtrim s maxlen ~ 1 limit -1} "ERR The LIMIT argument must be >= 0."
}

test "XSETID" {
    fresh
    add s 5-0
    expect [$c xsetid s 9-1 entriesadded 7 maxdeletedid 8] OK
    expect_error {$c xadd s 9-1 a 1} "*equal or smaller*"
    expect [$c xadd s 9-2 a 1] 9-2
    set about [$c xinfo stream s]
    expect [dict get $about entries-added] 8
    expect [dict get $about max-deleted-entry-id] 8-0
    expect_error {$c xsetid s 9} "ERR The ID specified in XSETID is smaller than the target stream top item"
    expect_error {$c xsetid s 7} "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
    expect_error {$c xsetid s 9-2 entriesadded 1} "ERR The entries_added specified in XSETID is smaller than the target stream length"
    expect_error {$c xsetid s 9-2 maxdeletedid 10} "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
    expect_error {$c xsetid s 9-2 entriesadded -1} "ERR entries_added must be positive"
    expect_error {$c xsetid none 1} "ERR no such key"
}

# ---- reading ----------------------------------------------------------------------------------

test "XREAD of several streams, as arrays and as maps" {
    fresh
    add a 1-0 2-0
    add b 5-0
    expect [$c xread count 1 streams a none b 0 0 0] {{a {{1-0 {f 1-0}}}} {b {{5-0 {f 5-0}}}}}
    expect [$c xread streams a b 1 5] {{a {{2-0 {f 2-0}}}}}
    expect [wire $c xread streams a b 2 5] "*-1\r\n"
    expect [wire $c xread streams a $] "*-1\r\n"
    set r [resp3_client]
    expect [$r xread streams a b 1 0] {a {{2-0 {f 2-0}}} b {{5-0 {f 5-0}}}}
    expect [wire $r xread streams a 2] "_\r\n"
    expect_error {$c xread streams a b 1} "ERR Unbalanced*"
    expect_error {$c xread streams a >} "ERR The > ID can be specified only when calling XREADGROUP*"
    expect_error {$c xread streams a x} $badid
    expect_error {$c xread count x streams a 0} $notint
    expect_error {$c xread block -1 streams a 0} "ERR timeout is negative"
    expect_error {$c xread block x streams a 0} "ERR timeout is not an integer or out of range"
    expect_error {$c xread count 1 a b c} "ERR syntax error"
    expect_error {$c xread group g c streams a 0} "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."
}

test "XREAD + is the last entry" -since 7.4.0 {
    fresh
    expect [wire $c xread streams s +] "*-1\r\n"
    add s 1-0 2-0
    expect [$c xread streams s +] {{s {{2-0 {f 2-0}}}}}
}

test "waiting readers all get what one XADD brings" {
    fresh
    add s 1-0
    set a [waiter 1 xread block 0 streams none s $ $]
    set b [waiter 2 xread block 0 count 5 streams s 1]
    set d [waiter 3 xread block 0 streams s 9]
    expect [readable $a 50] 0
    add s 2-0
    expect [reply $a] {{s {{2-0 {f 2-0}}}}}
    expect [reply $b] {{s {{2-0 {f 2-0}}}}}
    expect [readable $d 50] 0
    add s 10-0
    expect [reply $d] {{s {{10-0 {f 10-0}}}}}
}

test "waiting ends with the time, and is none in a transaction" {
    fresh
    set w [client]
    send $w xread block 30 streams s $
    expect [raw_reply $w] "*-1\r\n"
    $c multi
    $c xread block 0 streams s $
    expect [wire $c exec] "*1\r\n*-1\r\n"
    set w [client]
    set id [$w client id]
    send $w xread block 0 streams s $
    wait_blocked $c 1
    $c client unblock $id error
    expect_error {reply $w} "UNBLOCKED*"
}

test "what a transaction adds is read at once, in another database it is not" {
    fresh
    set w [waiter 1 xread block 0 streams s $]
    $c select 1
    add s 1-0
    $c select 0
    expect [readable $w 50] 0
    $c multi
    add s 5-0 6-0
    $c exec
    expect [reply $w] {{s {{5-0 {f 5-0}} {6-0 {f 6-0}}}}}
}

test "other ways for a stream to come into being serve who waits" {
    fresh
    add other 1-0
    set w [waiter 1 xread block 0 streams s 0]
    $c rename other s
    expect [reply $w] {{s {{1-0 {f 1-0}}}}}
    set w [waiter 1 xread block 0 streams t 0]
    $c copy s t
    expect [reply $w] {{t {{1-0 {f 1-0}}}}}
}

# ---- groups -----------------------------------------------------------------------------------

test "XGROUP" {
    fresh
    expect_error {$c xgroup create s g 0} "ERR The XGROUP subcommand requires the key to exist*"
    expect [$c xgroup create s g $ mkstream] OK
    expect_error {$c xgroup create s g 0} "BUSYGROUP Consumer Group name already exists"
    expect_error {$c xgroup create s h x} $badid
    expect_error {$c xgroup create s h 0 entriesread -2} "ERR value for ENTRIESREAD must be positive or -1"
    expect_error {$c xgroup create s h 0 foo} "ERR unknown subcommand or wrong number of arguments for 'create'. Try XGROUP HELP."
    expect [$c xgroup createconsumer s g bob] 1
    expect [$c xgroup createconsumer s g bob] 0
    expect [$c xgroup createconsumer s g alice] 1
    expect [lmap i [$c xinfo consumers s g] { lindex $i 1 }] {alice bob}
    expect [$c xgroup setid s g 5-5] OK
    expect_error {$c xgroup setid s none 0} "NOGROUP No such consumer group 'none' for key name 's'"
    expect [$c xgroup delconsumer s g bob] 0
    expect [$c xgroup destroy s none] 0
    expect [$c xgroup destroy s g] 1
    expect [$c xinfo groups s] {}
    expect_error {$c xgroup foo s g} "ERR unknown subcommand 'foo'. Try XGROUP HELP."
    expect_true {[llength [$c xgroup help]] > 5}
}

test "a group gives each entry to one consumer, and remembers" {
    fresh
    add s 1-0 2-0 3-0
    $c xgroup create s g 0
    expect [ids [lindex [$c xreadgroup group g a count 2 streams s >] 0 1]] {1-0 2-0}
    expect [ids [lindex [$c xreadgroup group g b streams s >] 0 1]] {3-0}
    expect [wire $c xreadgroup group g a streams s >] "*-1\r\n"
    expect [ids [lindex [$c xreadgroup group g a streams s 0] 0 1]] {1-0 2-0}
    expect [$c xreadgroup group g b streams s 3] {{s {}}}
    expect [$c xpending s g] {3 1-0 3-0 {{a 2} {b 1}}}
    expect [$c xack s g 1 9] 1
    $c xdel s 2
    expect [$c xreadgroup group g a streams s 0] {{s {{2-0 (nil)}}}}
    add s 4-0
    $c xreadgroup group g a noack streams s >
    expect [$c xpending s g] {2 2-0 3-0 {{a 1} {b 1}}}
    expect [$c xgroup delconsumer s g b] 1
    expect [$c xpending s g] {1 2-0 2-0 {{a 1}}}
    expect [$c xack s g 2] 1
    expect [wire $c xpending s g] "*4\r\n:0\r\n\$-1\r\n\$-1\r\n*-1\r\n"
    expect_error {$c xreadgroup group none a streams s >} "NOGROUP No such key 's' or consumer group 'none' in XREADGROUP with GROUP option"
    expect_error {$c xreadgroup group g a streams s $} "ERR The \$ ID is meaningless in the context of XREADGROUP*"
    expect_error {$c xreadgroup noack count 1 streams s 0 s 0} "ERR Missing GROUP option for XREADGROUP"
}

test "XPENDING by range, consumer and idle time" {
    fresh
    add s 1-0 2-0 3-0
    $c xgroup create s g 0
    $c xreadgroup group g a count 2 streams s >
    $c xreadgroup group g b streams s >
    set p [$c xpending s g - + 10]
    expect [lmap i $p { list [lindex $i 0] [lindex $i 1] [lindex $i 3] }] {{1-0 a 1} {2-0 a 1} {3-0 b 1}}
    expect [ids [$c xpending s g - + 1]] 1-0
    expect [ids [$c xpending s g (1-0 + 10 a]] 2-0
    expect [$c xpending s g - + 10 none] {}
    expect [$c xpending s g idle 100000 - + 10] {}
    expect [ids [$c xpending s g idle 0 - + 10]] {1-0 2-0 3-0}
    expect_error {$c xpending s none} "NOGROUP No such key 's' or consumer group 'none'"
    expect_error {$c xpending s g -} "ERR syntax error"
    expect_error {$c xpending s g idle 1 - +} "ERR syntax error"
    expect_error {$c xpending s g - + x} $notint
}

test "XCLAIM moves what is pending" {
    fresh
    add s 1-0 2-0 3-0
    $c xgroup create s g 0
    $c xreadgroup group g a count 2 streams s >
    expect [$c xclaim s g b 0 1 9] {{1-0 {f 1-0}}}
    expect [$c xclaim s g b 0 1 justid] 1-0
    expect [lindex [$c xpending s g - + 1 b] 0 3] 2
    expect [$c xclaim s g b 100000 2] {}
    expect [$c xclaim s g b 0 3] {}
    expect [$c xclaim s g b 0 3 force justid retrycount 7 idle 5000] 3-0
    set p [lindex [$c xpending s g 3 3 1] 0]
    expect [lindex $p 3] 7
    expect_between [lindex $p 2] 5000 60000
    $c xdel s 2
    expect [$c xclaim s g b 0 2] {}
    expect [$c xpending s g] {2 1-0 3-0 {{b 2}}}
    $c xclaim s g b 0 1 lastid 9 justid
    expect [lindex [$c xinfo groups s] 0 7] 9-0
    expect_error {$c xclaim s g b x 1} "ERR Invalid min-idle-time argument for XCLAIM"
    expect_error {$c xclaim s g b 0 1 foo} "ERR Unrecognized XCLAIM option 'foo'"
    expect_error {$c xclaim s none b 0 1} "NOGROUP No such key 's' or consumer group 'none'"
}

test "XAUTOCLAIM goes through what is pending" {
    fresh
    add s 1-0 2-0 3-0 4-0
    $c xgroup create s g 0
    $c xreadgroup group g a streams s >
    $c xdel s 2
    expect [$c xautoclaim s g b 0 - count 2] {3-0 {{1-0 {f 1-0}}} 2-0}
    expect [$c xautoclaim s g b 0 3 count 1 justid] {4-0 3-0 {}}
    expect [$c xautoclaim s g b 0 4] {0-0 {{4-0 {f 4-0}}} {}}
    expect [$c xautoclaim s g b 100000 -] {0-0 {} {}}
    expect [$c xpending s g] {3 1-0 4-0 {{b 3}}}
    expect_error {$c xautoclaim s g b 0 - count 0} "ERR COUNT must be > 0"
    expect_error {$c xautoclaim s g b 0 - foo} "ERR syntax error"
}

test "XINFO STREAM FULL shows groups and consumers" {
    fresh
    add s 1-0 2-0
    $c xgroup create s g 0
    $c xreadgroup group g a count 1 streams s >
    set r [resp3_client]
    set full [$r xinfo stream s full]
    expect [ids [dict get $full entries]] {1-0 2-0}
    set g [lindex [dict get $full groups] 0]
    expect [dict get $g name] g
    expect [dict get $g pel-count] 1
    expect [dict get $g lag] 1
    expect [dict get $g entries-read] 1
    expect [lrange [lindex [dict get $g pending] 0] 0 1] {1-0 a}
    set k [lindex [dict get $g consumers] 0]
    expect [dict get $k pel-count] 1
    expect [dict get $k active-time] [dict get $k seen-time]
    expect [ids [dict get [$c xinfo stream s full count 1] entries]] 1-0
    expect_error {$c xinfo stream s foo} "ERR unknown subcommand or wrong number of arguments for 'stream'. Try XINFO HELP."
    expect_error {$c xinfo stream none} "ERR no such key"
    expect [dict get [lindex [$c xinfo consumers s g] 0] pending] 1
}

test "waiting for a group: news, and its loss" {
    fresh
    $c xgroup create s g $ mkstream
    set a [waiter 1 xreadgroup group g a block 0 streams s >]
    set b [waiter 2 xreadgroup group g b block 0 streams s >]
    add s 1-0
    expect [reply $a] {{s {{1-0 {f 1-0}}}}}
    expect [readable $b 50] 0
    foreach {lose error} {
        {del s} NOGROUP* {unlink s} NOGROUP* {xgroup destroy s g} NOGROUP* {flushall} NOGROUP*
        {rename s t} NOGROUP* {set s x} WRONGTYPE* {pexpire s 1} NOGROUP*
    } {
        fresh
        $c xgroup create s g $ mkstream
        set w [waiter 1 xreadgroup group g a block 0 streams s >]
        $c {*}$lose
        expect_error {reply $w} $error
    }
}

test "another group's end wakes nobody" {
    fresh
    $c xgroup create s g $ mkstream
    $c xgroup create s h $
    set w [waiter 1 xreadgroup group g a block 0 streams s >]
    expect_match [$c info clients] "*total_blocking_keys:1*total_blocking_keys_on_nokey:1*"
    $c xgroup destroy s h
    expect [readable $w 50] 0
    add s 1-0
    expect [reply $w] {{s {{1-0 {f 1-0}}}}}
    expect_match [$c info clients] "*total_blocking_keys:0*total_blocking_keys_on_nokey:0*"
}

# ---- deleting with regard to groups -------------------------------------------------------------

test "XDELEX" -since 7.4.0 -only weft {
    fresh
    add s 1-0 2-0 3-0 4-0
    $c xgroup create s g 0
    $c xreadgroup group g a count 3 streams s >
    $c xack s g 1
    expect [$c xdelex s ids 2 1 9] {1 -1}
    expect [$c xdelex s acked ids 2 2 4] {2 2}
    expect [$c xdelex s keepref ids 1 2] 1
    expect [lindex [$c xpending s g] 0] 2
    expect [$c xdelex s delref ids 1 3] 1
    expect [$c xpending s g] {1 2-0 2-0 {{a 1}}}
    $c xreadgroup group g a noack streams s >
    expect [$c xdelex s acked ids 1 4] 1
    expect [$c xlen s] 0
    expect [$c xdelex none ids 2 1 2] {-1 -1}
    expect_error {$c xdelex s ids 2 1} "ERR The `numids` parameter must match the number of arguments"
    expect_error {$c xdelex s ids 0 1} "ERR Number of IDs must be a positive integer"
    expect_error {$c xdelex s keepref delref ids 1 1} "ERR syntax error"
    expect_error {$c xdelex s ids 1 x} $badid
}

test "XACKDEL" -since 7.4.0 -only weft {
    fresh
    add s 1-0 2-0 3-0
    $c xgroup create s g 0
    $c xgroup create s h 0
    $c xreadgroup group g a streams s >
    $c xreadgroup group h a count 2 streams s >
    expect [$c xackdel s g ids 2 1 9] {1 -1}
    expect [$c xackdel s g acked ids 1 2] 2
    expect [$c xackdel s h acked ids 1 2] 1
    expect [lindex [$c xpending s h] 0] 1
    expect [$c xackdel s g delref ids 1 3] 1
    expect [$c xlen s] 0
    expect [$c xackdel s none ids 1 3] -1
    expect [$c xackdel none g ids 1 3] -1
}

test "trimming with regard to groups" -since 7.4.0 -only weft {
    fresh
    add s 1-0 2-0 3-0 4-0
    $c xgroup create s g 0
    $c xreadgroup group g a count 3 streams s >
    $c xack s g 2
    expect [$c xtrim s maxlen 0 acked] 1
    expect [all s] {1-0 3-0 4-0}
    expect [$c xtrim s maxlen 2 delref] 1
    expect [$c xpending s g] {1 3-0 3-0 {{a 1}}}
    $c xadd s keepref maxlen 1 5 f v
    expect [all s] 5-0
    expect [lindex [$c xpending s g] 0] 1
    expect_error {$c xtrim s maxlen 1 keepref acked} "ERR syntax error"
}

# ---- what a command is ------------------------------------------------------------------------

test "keys of the commands" {
    expect [$c command getkeys xread count 5 block 10 streams a b 1 2] {a b}
    expect [$c command getkeys xreadgroup group streams c streams k >] k
    expect [$c command getkeys xadd s * a b] s
    expect [$c command getkeys xgroup create s g 0] s
    expect [$c command getkeys xread streams a b 1] a
    expect_error {$c command getkeys xread count 1 block} "ERR Invalid arguments*"
}

test "DEBUG DIGEST sees entries, groups and what is pending" -only weft {
    fresh
    add s 1-0 2-0
    set seen {}
    foreach change {{xdel s 1} {xgroup create s g 0} {xgroup createconsumer s g a}
        {xreadgroup group g a streams s >} {xack s g 2} {xsetid s 9}} {
        lappend seen [$c debug digest]
        $c {*}$change
    }
    lappend seen [$c debug digest]
    expect [llength [lsort -unique $seen]] 7
}
