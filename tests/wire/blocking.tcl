# blocking.tcl - BLPOP BRPOP BLMOVE BRPOPLPUSH BLMPOP: who is served, when, with what, and who gives up.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
proc fresh {} { $::c flushall }

# A client that waits in COMMAND; the nth to do so.
proc waiter {n args} {
    set w [client]
    send $w {*}$args
    wait_blocked $::c $n
    return $w
}

test "what is there is taken at once" {
    fresh
    $c rpush l a b c
    expect [$c blpop l 0] {l a}
    expect [$c brpop none l 0] {l c}
    expect [$c blmove l m left right 0] b
    expect [$c blmpop 0 2 none m left] {m b}
    expect [$c dbsize] 0
    $c rpush l 1 2 3 4
    expect [$c blmpop 0 1 l right count 3] {l {4 3 2}}
    expect [$c brpoplpush l m 0] 1
    expect [$c lrange m 0 -1] 1
}

test "waiting ends with a push" {
    fresh
    set w [waiter 1 blpop l 0]
    expect [readable $w 50] 0
    expect [$c rpush l a] 1
    expect [raw_reply $w] "*2\r\n\$1\r\nl\r\n\$1\r\na\r\n"
    expect [$c exists l] 0
    set w [waiter 1 brpop l 0]
    $c rpush l a b
    expect [reply $w] {l b}
    expect [$c lrange l 0 -1] a
}

test "every way of making a list serves the waiting" {
    foreach {prepare make} {
        {} {lpush l a}
        {} {rpush l a}
        {rpush other a} {rename other l}
        {rpush other a} {renamenx other l}
        {rpush other a} {lmove other l left left}
        {rpush other a} {rpoplpush other l}
        {rpush other a} {copy other l}
        {rpush other a} {blmove other l left left 0}
    } {
        fresh
        if {$prepare ne ""} { $c {*}$prepare }
        set w [waiter 1 blpop l 0]
        $c {*}$make
        expect [reply $w] {l a} "$make: "
        expect [$c exists l] 0
    }
}

test "MOVE and SWAPDB serve who waits in the other database" {
    fresh
    set w [client]
    $w select 5
    send $w blpop l 0
    wait_blocked $c 1
    $c rpush l moved
    expect [readable $w 30] 0
    $c move l 5
    expect [reply $w] {l moved}
    send $w blpop l 0
    wait_blocked $c 1
    $c rpush l swapped
    $c swapdb 0 5
    expect [reply $w] {l swapped}
    expect [$c dbsize] 0
}

test "LPUSHX and other types do not serve" {
    fresh
    set w [waiter 1 blpop l 0]
    $c lpushx l a
    $c set l string
    $c del l
    $c set l string
    expect [readable $w 50] 0
    $c del l
    $c rpush l real
    expect [reply $w] {l real}
}

test "first come, first served" {
    fresh
    set waiting {}
    for {set i 1} {$i <= 20} {incr i} { lappend waiting [waiter $i blpop l 0] }
    for {set i 1} {$i <= 20} {incr i} { $c rpush l $i }
    set i 0
    foreach w $waiting { expect [reply $w] [list l [incr i]] }
}

test "one push of many elements serves many, in their order" {
    fresh
    set waiting {}
    for {set i 1} {$i <= 5} {incr i} { lappend waiting [waiter $i blpop l 0] }
    expect [$c rpush l a b c] 3
    set i 0
    foreach v {a b c} { expect [reply [lindex $waiting $i]] [list l $v]; incr i }
    expect [blocked_clients $c] 2
    $c rpush l d e f
    expect [reply [lindex $waiting 3]] {l d}
    expect [reply [lindex $waiting 4]] {l e}
    expect [$c lrange l 0 -1] f
}

test "first come, first served over several keys" {
    fresh
    set first [waiter 1 blpop a b 0]
    set second [waiter 2 blpop b c 0]
    set third [waiter 3 brpop c b a 0]
    $c rpush b 1
    expect [reply $first] {b 1}
    $c rpush c 2
    expect [reply $second] {c 2}
    $c rpush a 3
    expect [reply $third] {a 3}
}

test "of several keys the first that has something wins" {
    fresh
    $c rpush b 1
    $c rpush a 2
    expect [$c blpop a b 0] {a 2}
    expect [$c blpop a b 0] {b 1}
    # In one transaction both come into being: the order of the client's keys decides.
    set w [waiter 1 blpop a b 0]
    $c multi
    $c rpush b b1
    $c rpush a a1
    $c exec
    expect_true {[lindex [reply $w] 0] in {a b}}
}

test "the same key twice" {
    fresh
    set w [waiter 1 blpop l l 0]
    $c rpush l a b
    expect [reply $w] {l a}
    expect [$c lrange l 0 -1] b
    expect [blocked_clients $c] 0
}

test "timeouts" {
    fresh
    foreach {command none} {
        {blpop l 0.1} "*-1\r\n" {brpop l m 0.1} "*-1\r\n" {blmove l m left left 0.1} "\$-1\r\n"
        {brpoplpush l m 0.1} "*-1\r\n" {blmpop 0.1 1 l left} "*-1\r\n"
    } {
        set ms [elapsed_ms {set got [wire $c {*}$command]}]
        expect_true {$got in [list [subst -nocommands -novariables $none] "\$-1\r\n" "*-1\r\n"]}
        expect_between $ms 90 [expr {1000 * $slow}]
    }
    set ms [elapsed_ms {$c blpop l 0.001}]
    expect_between $ms 0 [expr {500 * $slow}]
    set ms [elapsed_ms {$c blpop l 1}]
    expect_between $ms 990 [expr {1600 * $slow}]
    set r [resp3_client]
    expect [wire $r blpop l 0.01] "_\r\n"
    expect [wire $r blmove l m left left 0.01] "_\r\n"
}

test "timeouts that are none" {
    fresh
    foreach {timeout error} {
        -1 "ERR timeout is negative" -0.1 "ERR timeout is negative"
        abc "ERR timeout is not a float or out of range" "" "ERR timeout is not a float or out of range"
        nan "ERR timeout is *" 1e400 "ERR timeout is *" 99999999999999999 "ERR timeout is *"
    } {
        expect_error {$c blpop l $timeout} $error
        expect_error {$c blmove l m left left $timeout} $error
        expect_error {$c blmpop $timeout 1 l left} $error
    }
    expect_error {$c blpop l} "ERR wrong number of arguments for 'blpop' command"
    expect_error {$c blmove l m up left 0} "ERR syntax error"
    expect_error {$c blmpop 0 0 l left} "ERR numkeys should be greater than 0"
    expect_error {$c blmpop 0 1 l left count 0} "ERR count should be greater than 0"
    expect_error {$c blmpop x 0 l left} "ERR numkeys should be greater than 0" ;# before the timeout
}

test "a hundred timeouts at once end about on time" {
    fresh
    set waiting {}
    for {set i 0} {$i < 100} {incr i} { lappend waiting [client] }
    set ms [elapsed_ms {
        foreach w $waiting { send $w blpop l 0.3 }
        foreach w $waiting { expect [reply $w] (nil) }
    }]
    expect_between $ms 290 [expr {1500 * $slow}]
    expect [blocked_clients $c] 0
}

test "wrong types" {
    fresh
    set wrong "WRONGTYPE Operation against a key holding the wrong kind of value"
    $c set s v
    expect_error {$c blpop s 0} $wrong
    expect_error {$c blpop none s 0} $wrong
    expect_error {$c blmove s l left left 0} $wrong
    expect_error {$c blmpop 0 1 s left} $wrong
    $c rpush l a
    expect [$c blpop l s 0] {l a}
    # The target may have the wrong type only when there is something to move.
    $c rpush l a
    expect_error {$c blmove l s left left 0} $wrong
    expect [$c lrange l 0 -1] a
    set w [waiter 1 blmove q s left left 0]
    $c rpush q x
    expect_error {reply $w} $wrong
    expect [$c lrange q 0 -1] x
}

test "BLMOVE chains run through" {
    fresh
    set third [waiter 1 blpop three 0]
    set second [waiter 2 blmove two three left right 0]
    set first [waiter 3 blmove one two left right 0]
    $c rpush one traveller
    expect [reply $first] traveller
    expect [reply $second] traveller
    expect [reply $third] {three traveller}
    expect [$c dbsize] 0
}

test "BLMOVE in a circle ends" {
    fresh
    set a [waiter 1 blmove x y left right 0]
    set b [waiter 2 blmove y x left right 0]
    $c rpush x v
    expect [reply $a] v
    expect [reply $b] v
    expect [$c lrange x 0 -1] v
    expect [$c exists y] 0
}

test "BLMOVE onto itself" {
    fresh
    set w [waiter 1 blmove l l left right 0]
    $c rpush l a b
    expect [reply $w] a
    expect [$c lrange l 0 -1] {b a}
}

test "BLMPOP takes as many as there are" {
    fresh
    set w [waiter 1 blmpop 0 2 a b left count 10]
    $c rpush b 1 2 3
    expect [reply $w] {b {1 2 3}}
    set w [waiter 1 blmpop 0 2 a b right count 2]
    $c rpush a 1 2 3
    expect [reply $w] {a {3 2}}
    expect [$c lrange a 0 -1] 1
}

test "CLIENT UNBLOCK" {
    fresh
    set w [client]
    set id [$w client id]
    send $w blpop l 0
    wait_blocked $c 1
    expect [$c client unblock $id] 1
    expect [reply $w] (nil)
    send $w blmove l m left left 0
    wait_blocked $c 1
    expect [$c client unblock $id timeout] 1
    expect [reply $w] (nil)
    send $w blpop l 0
    wait_blocked $c 1
    expect [$c client unblock $id error] 1
    expect_error {reply $w} "UNBLOCKED client unblocked via CLIENT UNBLOCK"
    expect [$c client unblock $id] 0
    expect [$c client unblock 999999] 0
    expect_error {$c client unblock x} "ERR value is not an integer or out of range"
    expect_error {$c client unblock $id foo} "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"
    $c rpush l a
    expect [$c lrange l 0 -1] a
}

test "a client that goes away takes nothing with it" {
    fresh
    set gone [waiter 1 blpop l 0]
    set stays [waiter 2 blpop l 0]
    close_client $gone
    wait_blocked $c 1
    $c rpush l a
    expect [reply $stays] {l a}
}

test "a client that is killed while it waits" {
    fresh
    set w [client]
    set id [$w client id]
    send $w blpop l 0
    wait_blocked $c 1
    expect [$c client kill id $id] 1
    expect [closed $w 2000] 1
    wait_blocked $c 0
    $c rpush l a
    expect [$c llen l] 1
}

test "requests behind a blocking one wait for it" {
    fresh
    set w [client]
    raw_send $w "[request blpop l 0][request set after 1][request ping]"
    wait_blocked $c 1
    expect [$c exists after] 0
    $c rpush l a
    expect [replies $w 3] {{l a} OK PONG}
}

test "a pipeline of blocking requests" {
    fresh
    set w [client]
    raw_send $w [string repeat [request blpop l 0] 5]
    for {set i 0} {$i < 5} {incr i} {
        wait_blocked $c 1
        $c rpush l $i
        expect [reply $w] [list l $i]
    }
    expect [blocked_clients $c] 0
}

test "INFO and CLIENT LIST tell who waits" {
    fresh
    set w [client]
    set id [$w client id]
    send $w blpop l 0
    wait_blocked $c 1
    set line [$c client list id $id]
    expect_match $line "* flags=b *"
    expect [client_field $line cmd] blpop
    $c rpush l a
    reply $w
    expect_match [$c client list id $id] "* flags=N *"
}

test "a push by the pipeline of another serves in between" {
    fresh
    set w [waiter 1 blpop l 0]
    raw_send $c "[request rpush l a][request llen l][request rpush l b][request llen l]"
    expect [replies $c 4] {1 0 1 1}
    expect [reply $w] {l a}
}

test "WATCH sees what the serving changed" {
    fresh
    set w [waiter 1 blpop l 0]
    set d [client]
    $d watch l
    $c rpush l a
    expect [reply $w] {l a}
    $d multi
    $d ping
    expect [$d exec] (nil)
}

# They arrive one after the other: in another order who comes first could take what leaves nothing for the last.
test "500 clients wait on 50 lists" {
    fresh
    set waiting {}
    for {set i 0} {$i < 500} {incr i} {
        lappend waiting [waiter [expr {$i + 1}] blpop q:[expr {$i % 50}] q:[expr {($i + 1) % 50}] 0]
    }
    for {set i 0} {$i < 500} {incr i} { queue $c rpush q:[expr {$i % 50}] $i }
    flush_client $c
    replies $c 500
    set got {}
    foreach w $waiting { lappend got [lindex [reply $w] 1] }
    expect [llength [lsort -unique $got]] 500
    expect [$c dbsize] 0
    expect [blocked_clients $c] 0
}

test "SHUTDOWN and who waits" {
    set s [start_server]
    set w [client]
    send $w blpop l 0
    set d [client]
    wait_blocked $d 1
    may_end $s
    send $d shutdown nosave
    expect [closed $w 5000] 1
}
