# lists.tcl - every list command that does not wait.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set wrongtype "WRONGTYPE Operation against a key holding the wrong kind of value"
set notint "ERR value is not an integer or out of range"
set positive "ERR value is out of range, must be positive"

proc fresh {} { $::c flushall }
proc whole {key} { $::c lrange $key 0 -1 }
proc make {key args} {
    $::c del $key
    if {[llength $args]} { $::c rpush $key {*}$args }
}

# A small list and one of several nodes, the same tests for both.
set small {a b c d e}
set large {}
for {set i 0} {$i < 3000} {incr i} { lappend large "element-$i-[string repeat x [expr {$i % 50}]]" }

test "LPUSH RPUSH LPUSHX RPUSHX" {
    fresh
    expect [$c lpush l a] 1
    expect [$c lpush l b c] 3
    expect [$c rpush l d e] 5
    expect [whole l] {c b a d e}
    expect [$c lpushx l x y] 7
    expect [$c rpushx l z] 8
    expect [whole l] {y x c b a d e z}
    expect [$c lpushx none x] 0
    expect [$c rpushx none x] 0
    expect [$c exists none] 0
    $c set s v
    foreach command {lpush rpush lpushx rpushx} {
        expect_error {$c $command s x} $wrongtype
        expect_error {$c $command l} "ERR wrong number of arguments for '$command' command"
    }
}

test "elements keep their bytes, numbers their spelling" {
    fresh
    set all ""
    for {set i 0} {$i < 256} {incr i} { append all [format %c $i] }
    set numbers {0 -0 007 127 128 -128 -129 4095 4096 8191 8192 -4096 -4097 32767 32768 -32768 8388607 8388608
        -8388608 2147483647 2147483648 -2147483649 9223372036854775807 -9223372036854775808 9223372036854775808 1.5}
    set elements [list $all "" " 1" {*}$numbers]
    foreach n {1 62 63 64 65 4095 4096 8192 100000} { lappend elements [string repeat y $n] }
    $c rpush l {*}$elements
    expect_true {[whole l] eq $elements}
    set i 0
    foreach e $elements {
        expect_true {[$c lindex l $i] eq $e}
        incr i
    }
    foreach e $elements { expect_true {[$c lpop l] eq $e} }
    expect [$c exists l] 0
}

foreach {kind elements} [list small $small large $large] {
    test "LRANGE, $kind" {
        make l {*}$elements
        set n [llength $elements]
        foreach {from to} [list 0 -1 0 0 -1 -1 1 3 -3 -1 0 $n 2 1 $n [expr {$n + 5}] -100000 100000 -100000 -99999 \
                               [expr {$n / 2}] [expr {$n / 2 + 7}] [expr {-$n}] 2 5 -1 100 2000] {
            set f [expr {$from < 0 ? max($n + $from, 0) : $from}]
            set t [expr {$to < 0 ? $n + $to : $to}]
            expect_true {[$c lrange l $from $to] eq [lrange $elements $f $t]}
        }
    }

    test "LINDEX and LLEN, $kind" {
        make l {*}$elements
        set n [llength $elements]
        expect [$c llen l] $n
        foreach i [list 0 1 [expr {$n / 2}] [expr {$n - 1}]] {
            expect [$c lindex l $i] [lindex $elements $i]
            expect [$c lindex l [expr {$i - $n}]] [lindex $elements $i]
        }
        expect [$c lindex l $n] (nil)
        expect [$c lindex l [expr {-$n - 1}]] (nil)
    }

    test "LSET, $kind" {
        make l {*}$elements
        set want $elements
        set n [llength $elements]
        foreach i [list 0 [expr {$n / 2}] [expr {$n - 1}]] {
            foreach v [list "" 12 [string repeat V 300]] {
                expect [$c lset l $i $v] OK
                lset want $i $v
                expect_true {[whole l] eq $want}
            }
        }
        expect [$c lset l -1 last] OK
        expect [$c lindex l -1] last
        expect_error {$c lset l $n x} "ERR index out of range"
        expect_error {$c lset l [expr {-$n - 1}] x} "ERR index out of range"
    }

    test "LINSERT, $kind" {
        make l {*}$elements
        set middle [lindex $elements [expr {[llength $elements] / 2}]]
        set n [llength $elements]
        expect [$c linsert l before $middle new1] [incr n]
        expect [$c linsert l AFTER $middle new2] [incr n]
        set at [lsearch -exact $elements $middle]
        set want [linsert [linsert $elements [expr {$at + 1}] new2] $at new1]
        expect_true {[whole l] eq $want}
        expect [$c linsert l before nosuch x] -1
        expect [$c linsert l before [lindex $want 0] first] [incr n]
        expect [$c linsert l after [lindex $want end] last] [incr n]
        expect [$c lindex l 0] first
        expect [$c lindex l -1] last
    }

    test "LTRIM, $kind" {
        set n [llength $elements]
        foreach {from to} [list 0 -1 1 -2 0 0 -2 -1 2 2 -3 1000000 [expr {$n / 2}] [expr {$n / 2 + 1}]] {
            make l {*}$elements
            expect [$c ltrim l $from $to] OK
            set f [expr {$from < 0 ? $n + $from : $from}]
            set t [expr {$to < 0 ? $n + $to : $to}]
            expect_true {[whole l] eq [lrange $elements $f $t]}
        }
        foreach {from to} [list 3 1 $n -1 -1 -2 100000 100001] {
            make l {*}$elements
            $c ltrim l $from $to
            expect [$c exists l] 0
        }
    }

    test "LREM, $kind" {
        set with [concat $elements $elements $elements]
        set e [lindex $elements 1]
        foreach count {0 1 2 -1 -2 5 -5} {
            make l {*}$with
            set want $with
            set removed 0
            while {($count == 0 || $removed < abs($count)) && [set all [lsearch -all -exact $want $e]] ne ""} {
                set at [lindex $all [expr {$count < 0 ? "end" : 0}]]
                set want [lreplace $want $at $at]
                incr removed
            }
            expect [$c lrem l $count $e] $removed
            expect_true {[whole l] eq $want}
        }
        expect [$c lrem l 0 nosuch] 0
        make l x x x
        expect [$c lrem l 0 x] 3
        expect [$c exists l] 0
    }

    test "LPOS, $kind" {
        set with [concat $elements $elements $elements]
        set n [llength $elements]
        make l {*}$with
        set e [lindex $elements 2]
        set at [list 2 [expr {$n + 2}] [expr {2 * $n + 2}]]
        expect [$c lpos l $e] 2
        expect [$c lpos l $e rank 2] [lindex $at 1]
        expect [$c lpos l $e rank -1] [lindex $at 2]
        expect [$c lpos l $e rank 4] (nil)
        expect [$c lpos l $e count 0] $at
        expect [$c lpos l $e count 2] [lrange $at 0 1]
        expect [$c lpos l $e count 0 rank -1] [lreverse $at]
        expect [$c lpos l $e count 2 rank -2] [list [lindex $at 1] [lindex $at 0]]
        expect [$c lpos l $e count 0 maxlen [expr {$n + 1}]] 2
        expect [$c lpos l $e count 0 maxlen [expr {$n + 3}]] [lrange $at 0 1]
        expect [$c lpos l $e maxlen 1] (nil)
        expect [$c lpos l nosuch] (nil)
        expect [$c lpos l nosuch count 0] {}
    }

    test "pushing and popping at both ends, $kind" {
        make l {*}$elements
        set want $elements
        for {set i 0} {$i < 500} {incr i} {
            switch [expr {int(rand() * 4)}] {
                0 { $c lpush l $i; set want [linsert $want 0 $i] }
                1 { $c rpush l $i; lappend want $i }
                2 { if {[llength $want]} { expect [$c lpop l] [lindex $want 0]; set want [lrange $want 1 end] } }
                3 { if {[llength $want]} { expect [$c rpop l] [lindex $want end]; set want [lrange $want 0 end-1] } }
            }
        }
        expect [$c llen l] [llength $want]
        expect_true {[whole l] eq $want}
    }
}

test "LPOP and RPOP" {
    make l a b c d e f g
    expect [$c lpop l] a
    expect [$c rpop l] g
    expect [$c lpop l 2] {b c}
    expect [$c rpop l 2] {f e}
    expect [wire $c lpop l 0] "*0\r\n"
    expect [$c lpop l 10] d
    expect [$c exists l] 0
    expect [wire $c lpop none] "\$-1\r\n"
    expect [wire $c lpop none 2] "*-1\r\n"
    expect [wire $c rpop none 0] "*-1\r\n"
    expect_error {$c lpop none -1} $positive
    expect_error {$c lpop none x} $positive
    expect_error {$c rpop none 1 2} "ERR wrong number of arguments for 'rpop' command"
    $c set s v
    expect_error {$c lpop s} $wrongtype
    expect_error {$c rpop s 1} $wrongtype
    set r [resp3_client]
    expect [wire $r lpop none] "_\r\n"
    expect [wire $r lpop none 2] "_\r\n"
}

test "LMOVE and RPOPLPUSH" {
    foreach {from to want_source want_target} {
        left left {b c} {a x y} left right {b c} {x y a} right left {a b} {c x y} right right {a b} {x y c}} {
        make {s} a b c
        make {t} x y
        expect [$c lmove s t $from $to] [expr {$from eq "left" ? "a" : "c"}]
        expect [whole s] $want_source
        expect [whole t] $want_target
    }
    make s a b c
    expect [$c lmove s s left right] a
    expect [whole s] {b c a}
    expect [$c rpoplpush s s] a
    expect [whole s] {a b c}
    expect [$c rpoplpush s new] c
    make s only
    expect [$c rpoplpush s new] only
    expect [$c exists s] 0
    expect [whole new] {only c}
    expect [wire $c lmove none t left left] "\$-1\r\n"
    $c set str v
    make s a
    expect_error {$c lmove s str left left} $wrongtype
    expect_error {$c lmove str s left left} $wrongtype
    expect_error {$c rpoplpush s str} $wrongtype
    expect [whole s] a
    expect [$c lmove none str left left] (nil)
    expect_error {$c lmove s t up left} "ERR syntax error"
    expect_error {$c lmove s t left} "ERR wrong number of arguments for 'lmove' command"
}

test "LMPOP" {
    fresh
    make a 1 2 3 4
    make b x y
    expect [$c lmpop 2 none a left] {a 1}
    expect [$c lmpop 3 none b a right] {b y}
    expect [$c lmpop 1 a right count 2] {a {4 3}}
    expect [$c lmpop 2 a b left count 10] {a 2}
    expect [$c exists a] 0
    expect [wire $c lmpop 1 none left] "*-1\r\n"
    expect [wire $c lmpop 1 b left] "*2\r\n\$1\r\nb\r\n*1\r\n\$1\r\nx\r\n"
    expect_error {$c lmpop 0 a left} "ERR numkeys should be greater than 0"
    expect_error {$c lmpop x a left} "ERR numkeys should be greater than 0"
    expect_error {$c lmpop 1 a left count 0} "ERR count should be greater than 0"
    expect_error {$c lmpop 1 a left count x} "ERR count should be greater than 0"
    expect_error {$c lmpop 1 a up} "ERR syntax error"
    expect_error {$c lmpop 2 a left} "ERR syntax error"
    expect_error {$c lmpop 1 a left foo 1} "ERR syntax error"
    expect_error {$c lmpop 1 a left count 1 count 2} "ERR syntax error"
    expect_error {$c lmpop 1 a} "ERR wrong number of arguments for 'lmpop' command"
    $c set s v
    expect_error {$c lmpop 2 none s left} $wrongtype
}

test "LPOS refuses bad options" {
    make l a b
    set rank "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second *"
    expect_error {$c lpos l a rank 0} $rank
    expect_error {$c lpos l a count -1} "ERR COUNT can't be negative"
    expect_error {$c lpos l a maxlen -1} "ERR MAXLEN can't be negative"
    expect_error {$c lpos l a foo 1} "ERR syntax error"
    expect_error {$c lpos l a rank} "ERR syntax error"
    expect_error {$c lpos l a rank x} $notint
    expect [wire $c lpos none a] "\$-1\r\n"
    expect [wire $c lpos none a count 0] "*0\r\n"
}

test "LPOS refuses a rank that has no opposite" -since 7.2 {
    make l a b
    expect_error {$c lpos l a rank -9223372036854775808} "ERR value is out of range*"
}

test "commands on lists that are not there, or are no lists" {
    fresh
    $c set s v
    foreach command {{llen s} {lrange s 0 1} {lindex s 0} {lset s 0 x} {linsert s before a b} {lrem s 0 x}
        {ltrim s 0 1} {lpos s a}} {
        expect_error {$c {*}$command} $wrongtype
    }
    expect [$c llen none] 0
    expect [$c lrange none 0 -1] {}
    expect [$c lindex none 0] (nil)
    expect_error {$c lset none 0 x} "ERR no such key"
    expect [$c linsert none before a b] 0
    expect [$c lrem none 0 x] 0
    expect [$c ltrim none 0 1] OK
    make l a
    expect_error {$c lrange l a 1} $notint
    expect_error {$c lindex l a} $notint
    expect_error {$c lset l a x} $notint
    expect_error {$c lrem l a x} $notint
    expect_error {$c ltrim l a 1} $notint
    expect_error {$c linsert l middle a b} "ERR syntax error"
}

test "OBJECT ENCODING of lists: listpack and quicklist" -since 7.2 {
    fresh
    $c rpush l a b c
    expect [$c object encoding l] listpack
    $c rpush l {*}[lrepeat 200 [string repeat x 100]]
    expect [$c object encoding l] quicklist
    $c ltrim l 0 2
    expect [$c object encoding l] listpack
    make m {*}[lrepeat 128 a]
    expect [$c object encoding m] listpack
    make big [string repeat x 10000]
    expect [$c object encoding big] quicklist
}

test "list-max-listpack-size bounds a node" -since 7.2 {
    fresh
    expect [lindex [$c config get list-max-listpack-size] 1] -2
    $c config set list-max-listpack-size 4
    make l a b c d
    expect [$c object encoding l] listpack
    $c rpush l e
    expect [$c object encoding l] quicklist
    expect [whole l] {a b c d e}
    $c config set list-max-listpack-size -2
}

test "random operations agree with a model" {
    fresh
    set model {}
    set step 0
    for {set i 0} {$i < 3000} {incr i} {
        set n [llength $model]
        set v [expr {rand() < 0.3 ? [string repeat [incr step] [expr {int(rand() * 200)}]] : [incr step]}]
        switch [expr {int(rand() * 10)}] {
            0 - 1 { $c lpush l $v; set model [linsert $model 0 $v] }
            2 - 3 - 4 { $c rpush l $v; lappend model $v }
            5 { $c lpop l; set model [lrange $model 1 end] }
            6 { $c rpop l; set model [lrange $model 0 end-1] }
            7 {
                if {$n} {
                    set at [expr {int(rand() * $n)}]
                    $c lset l $at $v
                    lset model $at $v
                }
            }
            8 {
                if {$n} {
                    set pivot [lindex $model [expr {int(rand() * $n)}]]
                    $c linsert l before $pivot $v
                    set model [linsert $model [lsearch -exact $model $pivot] $v]
                }
            }
            9 {
                if {$n} {
                    set e [lindex $model [expr {int(rand() * $n)}]]
                    $c lrem l 1 $e
                    set at [lsearch -exact $model $e]
                    set model [lreplace $model $at $at]
                }
            }
        }
        if {$i % 50 == 0} { expect_true {[whole l] eq $model} }
    }
    expect_true {[whole l] eq $model}
}

test "a list of 300,000 elements" {
    fresh
    for {set i 0} {$i < 300} {incr i} {
        set batch {}
        for {set j 0} {$j < 1000} {incr j} { lappend batch [expr {$i * 1000 + $j}] }
        queue $c rpush l {*}$batch
    }
    flush_client $c
    expect [lindex [replies $c 300] end] 300000
    foreach i {0 1 149999 150000 299999} { expect [$c lindex l $i] $i }
    expect [$c lrange l 200000 200002] {200000 200001 200002}
    expect [llength [whole l]] 300000
    expect [$c lpos l 250000] 250000
    $c ltrim l 1000 -1000
    expect [$c llen l] 298001
    expect [$c lindex l 0] 1000
    $c del l
}
