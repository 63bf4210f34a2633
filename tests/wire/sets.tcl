# sets.tcl - every set command, in each encoding.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set wrongtype "WRONGTYPE Operation against a key holding the wrong kind of value"
set notint "ERR value is not an integer or out of range"
set positive "ERR value is out of range, must be positive"

proc fresh {} { $::c flushall }
proc members {key} { lsort [$::c smembers $key] }
proc make {key args} {
    $::c del $key
    foreach {a b c d e f g h} $args {
        $::c sadd $key {*}[lrange [list $a $b $c $d $e $f $g $h] 0 [expr {min(7, [llength $args] - 1)}]]
        set args [lrange $args 8 end]
    }
}
proc encoding {key} { $::c object encoding $key }

# A set of each encoding, the same tests for all.
set ints {1 2 3 -4 70000 8000000000}
set words {a b c 1 2 -4 {} longer}
set many {}
for {set i 0} {$i < 3000} {incr i} { lappend many "member-$i-[string repeat x [expr {$i % 50}]]" }
set kinds [list intset $ints listpack $words hashtable $many]

foreach {kind all} $kinds {
    test "members of a set, $kind" {
        make s {*}$all
        if {[server_since 7.2] || $kind ne "listpack"} { expect [encoding s] $kind }
        expect [$c scard s] [llength $all]
        expect_true {[members s] eq [lsort $all]}
        foreach m [lrange $all 0 100] { expect [$c sismember s $m] 1 }
        foreach m {none 99 -0 01 {1 }} { expect [$c sismember s $m] 0 }
        expect [$c smismember s [lindex $all 0] none [lindex $all 1] 99] {1 0 1 0}
        set asked {}
        set expected {}
        foreach m [lrange $all 0 49] { lappend asked $m none-$m; lappend expected 1 0 }
        expect [$c smismember s {*}$asked] $expected
    }

    test "SADD and SREM count what they change, $kind" {
        make s {*}$all
        set n [llength $all]
        expect [$c sadd s {*}[lrange $all 0 3] new1 new2 new1] 2
        expect [$c scard s] [expr {$n + 2}]
        expect [$c srem s new1 none new2 new1] 2
        expect [$c srem s none] 0
        expect_true {[members s] eq [lsort $all]}
        expect [$c srem s {*}$all] $n
        expect [$c exists s] 0
    }

    test "SPOP takes random members, $kind" {
        make s {*}$all
        set left $all
        while {[llength $left]} {
            set m [$c spop s]
            set at [lsearch -exact $left $m]
            expect_true {$at >= 0}
            set left [lreplace $left $at $at]
            if {[llength $left] < [llength $all] - 20} break
        }
        expect_true {[lsort $left] eq [members s]}
        foreach count {0 1 2 3} {
            set got [$c spop s $count]
            expect_true {[llength $got] == min($count, [llength $left])}
            foreach m $got { set left [lsearch -all -inline -not -exact $left $m] }
            expect_true {[lsort $left] eq [members s]}
        }
        expect_true {[lsort [$c spop s 100000]] eq [lsort $left]}
        expect [$c exists s] 0
    }

    test "SPOP with any count leaves the rest, $kind" {
        set n [llength $all]
        foreach count [list 1 2 [expr {$n / 2}] [expr {$n - 2}] [expr {$n - 1}] $n] {
            make s {*}$all
            $c expire s 10000
            set got [$c spop s $count]
            expect [llength $got] $count
            expect_true {[lsort -unique [concat $got [$c smembers s]]] eq [lsort $all]}
            expect [$c scard s] [expr {$n - $count}]
            if {$count < $n} { expect_between [$c ttl s] 9000 10000 }
        }
    }

    test "SRANDMEMBER returns members and takes none, $kind" {
        make s {*}$all
        set n [llength $all]
        for {set i 0} {$i < 20} {incr i} { expect_true {[$c srandmember s] in $all} }
        foreach count [list 1 2 [expr {$n / 4}] [expr {$n / 2}] [expr {$n - 1}] $n [expr {$n + 5}]] {
            set got [$c srandmember s $count]
            expect [llength $got] [expr {min($count, $n)}]
            expect [llength [lsort -unique $got]] [llength $got]
            if {$n < 20} { foreach m $got { expect_true {$m in $all} } }
        }
        set got [$c srandmember s -50]
        expect [llength $got] 50
        foreach m $got { expect_true {$m in $all} }
        expect [$c scard s] $n
    }

    test "SSCAN returns all, $kind" {
        make s {*}$all
        foreach count {1 7 100 100000} {
            set found {}
            set cursor 0
            while 1 {
                lassign [$c sscan s $cursor count $count] cursor some
                lappend found {*}$some
                if {$cursor == 0} break
            }
            expect_true {[lsort $found] eq [lsort $all]}
        }
        lassign [$c sscan s 0 match [lindex $all 1] count 100000] cursor some
        expect $some [list [lindex $all 1]]
        lassign [$c sscan s 0 match * count 100000] cursor some
        expect [llength $some] [llength $all]
    }

    test "SMOVE, $kind" {
        make s {*}$all
        $c del d
        set m [lindex $all 0]
        expect [$c smove s d $m] 1
        expect [$c smove s d $m] 0
        expect [$c smembers d] [list $m]
        expect [$c sismember s $m] 0
        expect [$c smove d s $m] 1
        expect [$c exists d] 0
        expect [$c smove s s $m] 1
        expect [$c smove s s none] 0
        expect_true {[members s] eq [lsort $all]}
    }

    test "COPY and RENAME, $kind" {
        make s {*}$all
        $c del t u
        expect [$c copy s t] 1
        expect [$c object encoding t] [$c object encoding s]
        $c spop s
        expect_true {[members t] eq [lsort $all]}
        $c rename t u
        expect_true {[members u] eq [lsort $all]}
        expect [$c debug digest-value u] [$c debug digest-value u]
        expect_true {[$c memory usage u] > [llength $all]}
    }
}

# ---- algebra ---------------------------------------------------------------------------------

proc union {args} { lsort -unique [concat {*}$args] }
proc inter {first args} {
    set out {}
    foreach m $first {
        set in 1
        foreach other $args { if {$m ni $other} { set in 0 } }
        if {$in} { lappend out $m }
    }
    lsort $out
}
proc without {first args} {
    set out {}
    foreach m $first {
        set in 0
        foreach other $args { if {$m in $other} { set in 1 } }
        if {!$in} { lappend out $m }
    }
    lsort $out
}

set half [lrange $many 500 800]
foreach {name sets} [list \
    intsets [list $ints {2 3 5} {3 70000 9}] \
    listpacks [list $words {a 1 z} {1 -4 {}}] \
    mixed [list $words $ints $half] \
    tables [list $half [lrange $many 600 2000] [concat $half x y z]] \
    "one large, one small" [list $many [lrange $many 20 90]] \
    "small first" [list [lrange $many 20 90] $many] \
    disjoint [list {a b} {c d} {1 2}] \
    five [list {a b c d} {b c d e} {c d e f} {1 2 c d} {d c x 7}]] {
    test "SINTER, SUNION, SDIFF and what they store, $name" {
        fresh
        set keys {}
        foreach s $sets { make k[llength $keys] {*}$s; lappend keys k[llength $keys] }
        foreach {command expected} [list \
            sinter [inter {*}$sets] sunion [union {*}$sets] sdiff [without {*}$sets]] {
            expect_true {[lsort [$c $command {*}$keys]] eq $expected}
            expect [$c ${command}store d {*}$keys] [llength $expected]
            expect_true {[members d] eq $expected}
            expect [$c exists d] [expr {[llength $expected] > 0}]
        }
        set n [llength [inter {*}$sets]]
        expect [$c sintercard [llength $keys] {*}$keys] $n
        expect [$c sintercard [llength $keys] {*}$keys limit 0] $n
        expect [$c sintercard [llength $keys] {*}$keys limit 2] [expr {min($n, 2)}]
    }
}

test "a key named twice, absent keys" {
    fresh
    make s a b c
    make t b c d
    expect [lsort [$c sinter s s]] {a b c}
    expect [lsort [$c sunion s s none]] {a b c}
    expect [$c sdiff s s] {}
    expect [$c sdiff s t s] {}
    expect [$c sdiff s t t] a
    expect [$c sdiff none s] {}
    expect [lsort [$c sdiff s none]] {a b c}
    expect [$c sinter s none] {}
    expect [$c sintercard 2 s none] 0
    expect [$c sunion none] {}
    expect [$c sinterstore t s none] 0
    expect [$c exists t] 0
}

test "the target may be a source, or of another type, and loses its expiry" {
    fresh
    make s a b c
    make t b c d
    $c expire s 100
    expect [$c sunionstore s s t] 4
    expect [members s] {a b c d}
    expect [$c ttl s] -1
    expect [$c sdiffstore t s t] 1
    expect [members t] a
    $c set str x
    expect [$c sinterstore str s t] 1
    expect [members str] a
    $c rpush l x
    expect [$c sdiffstore l none] 0
    expect [$c exists l] 0
}

test "results are as small as they can be" -since 7.2 {
    fresh
    make i 1 2 3
    make w 1 2 a
    $c sunionstore d i
    expect [encoding d] intset
    $c sinterstore d w i
    expect [encoding d] intset
    $c sunionstore d i w
    expect [encoding d] listpack
    $c sadd big {*}$many
    $c sinterstore d big big
    expect [encoding d] hashtable
}

test "wrong types and arguments" {
    fresh
    $c set str x
    make s a
    foreach command {"sadd str a" "srem str a" "sismember str a" "smismember str a" "scard str" "spop str" "spop str 2"
        "srandmember str" "srandmember str 1" "smembers str" "sscan str 0" "smove str s a" "smove s str a"
        "sinter s str" "sinter none str" "sunion s str" "sdiff none str" "sinterstore d s str" "sunionstore d str"
        "sdiffstore d s str" "sintercard 2 s str"} {
        expect_error {$c {*}$command} $wrongtype
    }
    expect [$c smove none str a] 0
    expect_error {$c spop s -1} $positive
    expect_error {$c spop s x} $positive
    expect_error {$c spop s 1 2} "ERR syntax error"
    expect_error {$c srandmember s x} $notint
    expect_error {$c srandmember s 1 2} "ERR syntax error"
    expect_error {$c srandmember s -9223372036854775808} "ERR value is out of range*"
    expect_error {$c sintercard 0 s} "ERR numkeys should be greater than 0"
    expect_error {$c sintercard a s} "ERR numkeys should be greater than 0"
    expect_error {$c sintercard 2 s} "ERR Number of keys can't be greater than number of args"
    expect_error {$c sintercard 1 s limit -1} "ERR LIMIT can't be negative"
    expect_error {$c sintercard 1 s limit} "ERR syntax error"
    expect_error {$c sintercard 1 s foo 1} "ERR syntax error"
    expect_error {$c sscan s x} "ERR invalid cursor"
    expect_error {$c sscan s 0 count 0} "ERR syntax error"
    expect_error {$c sscan s 0 count x} $notint
    expect_error {$c sscan s 0 type set} "ERR syntax error"
    expect [$c sscan none 0 nonsense] {0 {}}
    expect [$c smembers s] a
}

test "absent keys" {
    fresh
    expect [$c scard none] 0
    expect [$c smembers none] {}
    expect [$c sismember none a] 0
    expect [$c smismember none a b] {0 0}
    expect [$c srem none a] 0
    expect [$c spop none] (nil)
    expect [$c spop none 3] {}
    expect [$c srandmember none] (nil)
    expect [$c srandmember none 3] {}
    expect [$c srandmember none -3] {}
    expect [$c exists none] 0
}

test "replies of RESP3 are sets where they are sets" {
    fresh
    make s a
    set r [client]
    $r hello 3
    foreach {command reply} {
        "smembers s" "~1\r\n$1\r\na\r\n"
        "smembers none" "~0\r\n"
        "sinter s s" "~1\r\n$1\r\na\r\n"
        "sunion s" "~1\r\n$1\r\na\r\n"
        "sdiff s none" "~1\r\n$1\r\na\r\n"
        "srandmember s 1" "*1\r\n$1\r\na\r\n"
        "srandmember none 1" "*0\r\n"
        "spop none 2" "~0\r\n"
        "spop s 0" "~0\r\n"
        "spop none" "_\r\n"
        "sismember s a" ":1\r\n"
        "spop s 2" "~1\r\n$1\r\na\r\n"
    } {
        expect [wire $r {*}$command] [subst -nocommands -novariables $reply]
    }
}

test "encodings change at the limits" -since 7.2 {
    fresh
    $c config set set-max-intset-entries 3
    $c config set set-max-listpack-entries 4
    $c config set set-max-listpack-value 5
    make s 1 2 3
    expect [encoding s] intset
    $c sadd s 4
    expect [encoding s] hashtable
    make s a b c d
    expect [encoding s] listpack
    $c sadd s e
    expect [encoding s] hashtable
    make s abcde
    expect [encoding s] listpack
    $c sadd s abcdef
    expect [encoding s] hashtable
    make s 1 2 a
    expect [encoding s] listpack
    $c config set set-max-intset-entries 512
    $c config set set-max-listpack-entries 128
    $c config set set-max-listpack-value 64
}

test "a reply beyond the output limit is not built to its end" {
    fresh
    make s a
    make i 1
    $c hset h f v
    $c zadd z 1 a
    $c config set client-output-buffer-limit {normal 1000000 0 0}
    foreach command {"srandmember s -999999999" "srandmember i -999999999" "hrandfield h -999999999"
        "zrandmember z -999999999"} {
        set r [client]
        send $r {*}$command
        expect_true {[closed $r 20000]}
    }
    $c config set client-output-buffer-limit {normal 0 0 0}
    set r [client]
    send $r client reply off
    send $r srandmember s -999999999
    send $r client reply on
    expect [reply $r] OK
}

test "changes are seen by WATCH" {
    fresh
    make s a b
    set w [client]
    foreach {change result} {
        "sadd s a" OK
        "sadd s x" (nil)
        "srem s none" OK
        "srem s x" (nil)
        "smove s t a" (nil)
        "spop s" (nil)
    } {
        $w watch s
        $c {*}$change
        $w multi
        $w set marker 1
        expect [$w exec] [expr {$result eq "OK" ? "OK" : "(nil)"}]
    }
}

test "random operations agree with a model" {
    fresh
    array set model {}
    for {set i 0} {$i < 4000} {incr i} {
        set m [expr {int(rand() * 300)}]
        if {rand() < 0.3} { set m "word$m" }
        if {rand() < 0.6} {
            expect [$c sadd s $m] [expr {![info exists model($m)]}]
            set model($m) 1
        } else {
            expect [$c srem s $m] [info exists model($m)]
            unset -nocomplain model($m)
        }
        if {$i % 200 == 0} { expect_true {[members s] eq [lsort [array names model]]} }
    }
    expect_true {[members s] eq [lsort [array names model]]}
}

test "a walk by SSCAN misses nothing while the set grows and shrinks" {
    fresh
    $c sadd s {*}[lrange $many 0 999]
    foreach change {grow shrink} {
        array unset seen
        set cursor 0
        set i 0
        while 1 {
            lassign [$c sscan s $cursor] cursor some
            foreach m $some { set seen($m) 1 }
            if {$cursor == 0} break
            for {set j 0} {$j < 40} {incr j; incr i} {
                if {$change eq "grow"} { queue $c sadd s extra$i } else { queue $c srem s extra$i }
            }
            flush_client $c
            replies $c 40
        }
        foreach m [lrange $many 0 999] { expect_true {[info exists seen($m)]} }
    }
}
