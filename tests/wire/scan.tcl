# scan.tcl - SCAN: its options, and its guarantee across resizes and concurrent writes.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]

# All keys a full iteration returns, duplicates included.
proc scan_all {c args} {
    set cursor 0
    set keys {}
    set rounds 0
    while 1 {
        lassign [$c scan $cursor {*}$args] cursor part
        lappend keys {*}$part
        if {$cursor eq "0"} { return $keys }
        if {[incr rounds] > 100000} { fail "SCAN does not end" }
    }
}

proc fill_keys {c prefix n} {
    for {set i 0} {$i < $n} {incr i} { queue $c set $prefix$i $i }
    flush_client $c
    replies $c $n
}

test "SCAN of an empty database" {
    $c flushall
    expect [wire $c scan 0] "*2\r\n\$1\r\n0\r\n*0\r\n"
}

test "SCAN returns every key, for any COUNT" {
    $c flushall
    fill_keys $c key: 2000
    foreach count {1 7 10 100 1000 5000} {
        expect [llength [lsort -unique [scan_all $c count $count]]] 2000
    }
    expect [llength [lsort -unique [scan_all $c]]] 2000
}

test "SCAN COUNT is kept to roughly" {
    set cursor 0
    lassign [$c scan 0 count 10] cursor keys
    expect_true {[llength $keys] < 200}
    expect_true {$cursor ne "0"}
}

test "SCAN MATCH" {
    $c flushall
    fill_keys $c key: 1000
    fill_keys $c other: 100
    expect [llength [lsort -unique [scan_all $c match other:*]]] 100
    expect [lsort -unique [scan_all $c match key:77]] key:77
    expect [llength [lsort -unique [scan_all $c match {key:?}]]] 10
    expect [scan_all $c match nosuch] {}
}

test "SCAN TYPE" {
    $c flushall
    fill_keys $c s: 300
    for {set i 0} {$i < 50} {incr i} { $c rpush l:$i x }
    expect [llength [lsort -unique [scan_all $c type list]]] 50
    expect [llength [lsort -unique [scan_all $c type string count 1000]]] 300
    expect [llength [lsort -unique [scan_all $c type LIST match l:1*]]] 11
    expect [scan_all $c type hash] {}
}

test "SCAN TYPE of a type that does not exist" -only weft {
    expect_error {$c scan 0 type nosuch} "ERR unknown type name 'nosuch'"
}

test "SCAN refuses bad cursors and options" {
    expect_error {$c scan abc} "ERR invalid cursor"
    expect_error {$c scan 1x} "ERR invalid cursor"
    expect_error {$c scan 99999999999999999999999} "ERR invalid cursor"
    expect_error {$c scan 0 count 0} "ERR syntax error"
    expect_error {$c scan 0 count -1} "ERR syntax error"
    expect_error {$c scan 0 count abc} "ERR value is not an integer or out of range"
    expect_error {$c scan 0 foo} "ERR syntax error"
    expect_error {$c scan 0 match} "ERR syntax error"
    expect_error {$c scan} "ERR wrong number of arguments for 'scan' command"
}

test "a cursor that nobody was given does no harm" {
    foreach cursor {1 12345 18446744073709551615 9223372036854775807 281474976710656 255} {
        expect [llength [$c scan $cursor]] 2
    }
}

test "SCAN sees the database that is selected" {
    $c flushall
    $c set zero v
    $c select 1
    $c set one v
    expect [scan_all $c] one
    $c select 0
    expect [scan_all $c] zero
}

test "SCAN removes keys that have expired, of those it is asked for only" -since 7.2.0 {
    foreach {options removed} {{} 30 {match s*} 10 {type list} 20 {match l:1* type list} 10 {match s* type list} 0} {
        $c flushall
        $c debug set-active-expire 0
        fill_keys $c live: 100
        for {set i 0} {$i < 10} {incr i} {
            $c set s:$i x px 1
            foreach key [list l:1$i l:2$i] {
                $c rpush $key x
                $c pexpire $key 1
            }
        }
        after 3
        scan_all $c {*}$options
        expect [$c dbsize] [expr {130 - $removed}] "$options: "
    }
    $c multi
    $c scan 0 count 1000
    $c dbsize
    expect [lindex [$c exec] 1] 100
    $c debug set-active-expire 1
}

test "SCAN does not return keys that have expired" {
    $c flushall
    fill_keys $c live: 100
    for {set i 0} {$i < 100} {incr i} { $c set dead:$i v px 1 }
    after 20
    set keys [lsort -unique [scan_all $c]]
    expect [llength $keys] 100
}

test "keys present throughout are returned while the table grows" {
    $c flushall
    fill_keys $c stay: 1000
    set cursor 0
    set seen {}
    set n 0
    while 1 {
        lassign [$c scan $cursor count 20] cursor keys
        foreach k $keys { dict set seen $k 1 }
        for {set i 0} {$i < 400 && $n < 12000} {incr i} { queue $c set new:[incr n] v }
        flush_client $c
        replies $c $i
        if {$cursor eq "0"} break
    }
    for {set i 0} {$i < 1000} {incr i} { expect_true {[dict exists $seen stay:$i]} }
    expect_true {$n > 4000}
}

test "keys present throughout are returned while the table shrinks" {
    $c flushall
    fill_keys $c go: 10000
    fill_keys $c stay: 500
    set cursor 0
    set seen {}
    set n 0
    while 1 {
        lassign [$c scan $cursor count 50] cursor keys
        foreach k $keys { dict set seen $k 1 }
        if {$cursor eq "0"} break
        for {set i 0} {$i < 400 && $n < 10000} {incr i} { queue $c del go:$n; incr n }
        flush_client $c
        replies $c $i
    }
    for {set i 0} {$i < 500} {incr i} { expect_true {[dict exists $seen stay:$i]} }
}

# Sends n writes to w: new keys, and deletions of some of 9,000.
proc disturb {w from n} {
    for {set i 0} {$i < $n} {incr i} {
        if {rand() < 0.6} { queue $w set w:[expr {($from + $i) % 9000}] v
        } else { queue $w del w:[expr {int(rand() * 9000)}] }
    }
    flush_client $w
}

test "keys present throughout are returned while others write, grow and shrink" {
    $c flushall
    fill_keys $c stay: 2000
    set writers [list [client] [client]]
    set n 0
    repeat 2 {
        set cursor 0
        set seen {}
        while 1 {
            send $c scan $cursor count 100
            foreach w $writers { disturb $w [incr n 50] 50 }
            lassign [reply $c] cursor keys
            foreach w $writers { replies $w 50 }
            foreach k $keys { dict set seen $k 1 }
            if {$cursor eq "0"} break
        }
        for {set i 0} {$i < 2000} {incr i} { expect_true {[dict exists $seen stay:$i]} }
    }
}

test "a key that was never there is never returned" {
    $c flushall
    fill_keys $c a 500
    foreach k [scan_all $c] { expect_true {[string match a* $k] && [string range $k 1 end] < 500} }
}

test "many iterations at once do not disturb each other" {
    $c flushall
    fill_keys $c k 3000
    set cursors [lrepeat 10 0]
    set seen [lrepeat 10 {}]
    set open 10
    while {$open} {
        for {set i 0} {$i < 10} {incr i} {
            if {[lindex $cursors $i] eq "end"} continue
            lassign [$c scan [lindex $cursors $i] count [expr {$i * 7 + 5}]] cursor keys
            set part [lindex $seen $i]
            foreach k $keys { dict set part $k 1 }
            lset seen $i $part
            lset cursors $i [expr {$cursor eq "0" ? "end" : $cursor}]
            if {$cursor eq "0"} { incr open -1 }
        }
    }
    foreach part $seen { expect [dict size $part] 3000 }
}
