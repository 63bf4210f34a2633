# sort.tcl - SORT and SORT_RO.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set wrongtype "WRONGTYPE Operation against a key holding the wrong kind of value"
set nodouble "ERR One or more scores can't be converted into double"

proc fresh {} { $::c flushall }

test "numbers, up and down" {
    fresh
    $c rpush l 3 1 -2 10 2.5 -inf inf 1e3
    expect [$c sort l] {-inf -2 1 2.5 3 10 1e3 inf}
    expect [$c sort l desc] {inf 1e3 10 3 2.5 1 -2 -inf}
    expect [$c sort l desc asc] {-inf -2 1 2.5 3 10 1e3 inf}
    expect [$c sort_ro l] {-inf -2 1 2.5 3 10 1e3 inf}
    expect [$c sort none] {}
}

test "equal numbers are ordered by their text" {
    fresh
    $c rpush l 1.0 1 01 0x1 -0 0 0.0 {}
    expect [$c sort l] {{} -0 0 0.0 01 0x1 1 1.0}
    expect [$c sort l desc] {1.0 1 0x1 01 0.0 0 -0 {}}
}

test "what is no number is an error" {
    fresh
    foreach bad {abc 1x nan {1 } 0x} {
        $c del l
        $c rpush l 1 $bad 2
        expect_error {$c sort l} $nodouble
        expect_error {$c sort l limit 0 0} $nodouble
        expect [llength [$c sort l alpha]] 3
    }
    $c rpush m { 7} 3
    expect [$c sort m] {3 { 7}}
}

test "what no double can hold is an error, once" -only weft {
    fresh
    $c rpush l 1 1e400
    expect_error {$c sort l} $nodouble
    $c rpush m 1 2
    expect [$c sort m] {1 2}
}

test "ALPHA compares bytes" {
    fresh
    $c rpush l b a aa B 10 2 {} user:10 user:9 user:1 user
    expect [$c sort l alpha] {{} 10 2 B a aa b user user:1 user:10 user:9}
    expect [$c sort l alpha desc] {user:9 user:10 user:1 user b aa a B 2 10 {}}
    expect [$c sort l alpha limit 1 3] {10 2 B}
}

test "ALPHA with long common beginnings and many equal ones" {
    fresh
    set all {}
    for {set i 0} {$i < 3000} {incr i} {
        lappend all "a/very/long/path/[expr {$i * 7919 % 1000}]/[expr {$i % 3}]"
    }
    $c rpush l {*}$all
    expect_true {[$c sort l alpha] eq [lsort $all]}
    expect_true {[$c sort l alpha desc] eq [lsort -decreasing $all]}
    expect_true {[$c sort l alpha limit 500 20] eq [lrange [lsort $all] 500 519]}
    expect_true {[$c sort l alpha desc limit 2990 100] eq [lrange [lsort -decreasing $all] 2990 2999]}
}

test "many numbers" {
    fresh
    set all {}
    for {set i 0} {$i < 20000} {incr i} { lappend all [expr {$i * 7919 % 10007 - 5000}] }
    foreach {a b c2 d} $all { $c rpush l $a $b $c2 $d }
    expect_true {[$c sort l] eq [lsort -integer $all]}
    expect_true {[$c sort l desc limit 100 50] eq [lrange [lsort -integer -decreasing $all] 100 149]}
    expect_true {[$c sort l limit 19990 50] eq [lrange [lsort -integer $all] 19990 end]}
}

test "LIMIT" {
    fresh
    $c rpush l 5 4 3 2 1
    expect [$c sort l limit 0 2] {1 2}
    expect [$c sort l limit 3 -1] {4 5}
    expect [$c sort l limit -7 2] {1 2}
    expect [$c sort l limit 9 2] {}
    expect [$c sort l limit 1 0] {}
    expect [$c sort l limit 1 9223372036854775807] {2 3 4 5}
    expect_error {$c sort l limit x 1} "ERR value is not an integer or out of range"
    expect_error {$c sort l limit 1} "ERR syntax error"
}

test "sets and sorted sets are sorted by their members" {
    fresh
    $c sadd s 3 1 2
    expect [$c sort s desc] {3 2 1}
    $c sadd s x y
    expect [$c sort s alpha] {1 2 3 x y}
    $c zadd z 1 30 2 10 3 20
    expect [$c sort z] {10 20 30}
    expect [$c sort z alpha desc] {30 20 10}
    for {set i 0} {$i < 500} {incr i} { $c zadd big [expr {500 - $i}] m$i; $c sadd sbig m$i }
    expect [$c sort big alpha limit 0 3] {m0 m1 m10}
    expect [$c sort sbig alpha desc limit 0 2] {m99 m98}
}

test "BY nosort keeps the order there is" {
    fresh
    $c rpush l 2 1 3
    expect [$c sort l by nosort] {2 1 3}
    expect [$c sort l by nosort desc] {3 1 2}
    expect [$c sort l by nosort limit 1 1] {1}
    expect [$c sort l by nosort desc limit 0 2] {3 1}
    $c zadd z 1 a 5 b 2 c 10 d 3 e
    expect [$c sort z by nosort] {a c e b d}
    expect [$c sort z by nosort desc] {d b e c a}
    expect [$c sort z by nosort desc limit 1 2] {b e}
    expect [$c sort z by nosort limit 4 10] {d}
    expect [$c sort z by nosort limit 5 10] {}
    $c sadd s c a b
    expect [lsort [$c sort s by nosort]] {a b c}
    expect [$c sort s by nosort store d] 3
    expect [$c lrange d 0 -1] {a b c}
}

test "BY weights of keys and hash fields" {
    fresh
    $c rpush l a b c d
    $c mset w_a 3 w_b 1 w_c 2
    expect [$c sort l by w_*] {d b c a}
    expect [$c sort l by w_* desc] {a c b d}
    expect [$c sort l by w_* get # get w_*] {d (nil) b 1 c 2 a 3}
    $c hset h_a_x f 1 g ga
    $c hset h_b_x f 2 g gb
    $c hset h_c_x f 0
    expect [$c sort l by h_*_x->f] {c d a b}
    expect [$c sort l by h_*_x->f get h_*_x->g] {(nil) (nil) ga gb}
    $c set t_a zz; $c set t_b y; $c set t_c {}
    expect [$c sort l by t_* alpha] {d c b a}
    expect [$c sort l by t_* alpha desc] {a b c d}
    $c set w_b x
    expect_error {$c sort l by w_*} $nodouble
    $c rpush w_d 1
    $c set w_b 1
    expect [$c sort l by w_*] {d b c a}
}

test "GET of what is not there, of constants and of odd patterns" {
    fresh
    $c rpush l 1
    $c set x1-> v
    $c set k k
    expect [$c sort l get k] {(nil)}
    expect [$c sort l get x*->] v
    expect [$c sort l get x*->f] {(nil)}
    expect [$c sort l get # get #] {1 1}
    expect [$c sort l by nosort get {}] {(nil)}
    $c set n1 5
    expect [$c sort l get n*] 5
    set big [string repeat v 100000]
    $c set n1 $big
    expect_true {[$c sort l get n*] eq [list $big]}
}

test "expired weights count as absent" {
    fresh
    $c rpush l a b
    $c set w_a 1
    $c set w_b 0 px 1
    after 20
    expect [$c sort l by w_* get w_*] {(nil) 1}
}

test "STORE" {
    fresh
    $c rpush l 3 1 2
    expect [$c sort l store d] 3
    expect [$c lrange d 0 -1] {1 2 3}
    expect [$c sort l desc store l] 3
    expect [$c lrange l 0 -1] {3 2 1}
    $c set d string ex 1000
    $c sort l store d
    expect [$c type d] list
    expect [$c ttl d] -1
    $c set w_1 x
    expect [$c sort l get # get w_* store d] 6
    expect [$c lrange d 0 -1] {1 x 2 {} 3 {}}
    expect [$c sort l limit 5 1 store d] 0
    expect [$c exists d] 0
    expect [$c sort none store d] 0
    expect [$c sort l store a store b] 3
    expect [$c exists a] 0
    expect [$c exists b] 1
}

test "what is stored has the encoding of its size" {
    fresh
    set all {}
    for {set i 0} {$i < 3000} {incr i} { lappend all $i }
    $c rpush l {*}$all
    $c sort l store d
    expect [$c object encoding d] quicklist
    $c sort l limit 0 10 store d
    if {[server_since 7.2]} { expect [$c object encoding d] listpack }
}

test "SORT refuses" {
    fresh
    $c set s x
    expect_error {$c sort s} $wrongtype
    $c hset h f v
    expect_error {$c sort h} $wrongtype
    expect_error {$c sort s foo} "ERR syntax error"
    expect_error {$c sort l store} "ERR syntax error"
    expect_error {$c sort l by} "ERR syntax error"
    expect_error {$c sort_ro l store d} "ERR syntax error"
}

test "who waits for a list is served what SORT stores" {
    fresh
    set other [client]
    send $other blpop d 0
    wait_blocked $c 1
    $c rpush l 3 1 2
    $c sort l store d
    expect [reply $other] {d 1}
    expect [$c lrange d 0 -1] {2 3}
}

test "patterns reach all partitions, in transactions too" {
    fresh
    set all {}
    for {set i 0} {$i < 400} {incr i} {
        lappend all $i
        $c set w:$i [expr {1000 - $i}]
    }
    $c rpush l {*}$all
    expect_true {[$c sort l by w:*] eq [lreverse $all]}
    $c multi
    $c sort l by w:* limit 0 2
    $c sort l get w:* limit 0 1 store d
    $c lrange d 0 -1
    expect [$c exec] {{399 398} 1 1000}
}

test "clients that sort by patterns, and others, do not stand in each other's way" {
    fresh
    for {set i 0} {$i < 50} {incr i} { $c rpush l $i; $c set w:$i $i }
    set clients {}
    for {set n 0} {$n < 8} {incr n} { lappend clients [client] }
    for {set round 0} {$round < 50} {incr round} {
        foreach other $clients {
            send $other sort l by w:* limit 0 1
            send $other mset w:1 1 w:2 2 w:3 3
            send $other sort l store d
            send $other sort l by w:* get w:* store d
        }
    }
    foreach other $clients {
        expect [lsort -unique [replies $other 200]] {0 50 OK}
    }
}

test "watchers see a stored result" {
    fresh
    set other [client]
    $c rpush l 1
    $c watch d
    $other sort l store d
    $c multi
    $c ping
    expect [$c exec] (nil)
}

test "COMMAND GETKEYS of SORT" {
    expect [$c command getkeys sort abc store def] {abc def}
    expect [$c command getkeys sort abc store no store def by w_* get get limit 0 store] {abc def}
    expect [$c command getkeys sort_ro abc by x_*] abc
    expect [$c command getkeysandflags sort abc store def] {{abc {RO access}} {def {OW update}}}
}
