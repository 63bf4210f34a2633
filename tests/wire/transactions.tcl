# transactions.tcl - MULTI EXEC DISCARD WATCH UNWATCH, and that they are atomic.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set d [client -keep 1]
proc fresh {} { $::c flushall }

test "MULTI queues, EXEC runs" {
    fresh
    expect [$c multi] OK
    expect [wire $c set a 1] "+QUEUED\r\n"
    expect [$c incr a] QUEUED
    expect [$c get a] QUEUED
    expect [$d exists a] 0
    expect [$c exec] {OK 2 2}
    expect [$c get a] 2
}

test "EXEC of nothing" {
    $c multi
    expect [wire $c exec] "*0\r\n"
}

test "DISCARD forgets" {
    fresh
    $c multi
    $c set a 1
    expect [$c discard] OK
    expect [$c exists a] 0
    expect_error {$c exec} "ERR EXEC without MULTI"
    expect_error {$c discard} "ERR DISCARD without MULTI"
}

test "MULTI and WATCH inside MULTI are refused, the transaction goes on" {
    fresh
    $c multi
    expect_error {$c multi} "ERR MULTI calls can not be nested"
    expect_error {$c watch k} "ERR WATCH inside MULTI is not allowed"
    $c set a 1
    expect [$c exec] OK
}

test "an error while queueing makes EXEC abort" {
    fresh
    $c multi
    $c set a 1
    expect_error {$c nosuch} "ERR unknown command*"
    expect_error {$c exec} "EXECABORT Transaction discarded because of previous errors."
    expect [$c exists a] 0
    $c multi
    expect_error {$c get} "ERR wrong number of arguments*"
    expect_error {$c exec} "EXECABORT *"
    expect [$c ping] PONG
    $c multi
    expect_error {$c object nosuch} "ERR *"
    expect_error {$c exec} "EXECABORT *"
}

test "an error while running does not undo the others" {
    fresh
    $c set s text
    $c multi
    $c set a 1
    $c incr s
    $c lpush s x
    $c set b 2
    expect [$c exec] {OK {(error) ERR value is not an integer or out of range} {(error) WRONGTYPE Operation against a key holding the wrong kind of value} OK}
    expect [$c mget a b s] {1 2 text}
}

test "WATCH: EXEC is nil when a key changed, by whatever command" {
    foreach {setup change} {
        {} {set k v}
        {set k v} {set k v}
        {set k v} {del k}
        {set k v} {unlink k}
        {set k 1} {incr k}
        {set k v} {append k x}
        {set k v} {expire k 100}
        {set k v ex 100} {persist k}
        {set k v} {rename k other}
        {set other v} {rename other k}
        {set other v} {copy other k}
        {set k v} {move k 5}
        {rpush k a} {lpop k}
        {rpush k a} {rpush k b}
        {set k v} {flushdb}
        {set k v} {flushall}
        {set k v} {swapdb 0 5}
        {set k v} {getdel k}
        {set k v} {getex k ex 100}
        {set k v} {mset a 1 k 2}
        {rpush other x} {lmove other k left left}
        {rpush k a b} {ltrim k 0 0}
        {rpush k a b} {lset k 0 z}
        {set k v} {setrange k 0 x}
    } {
        fresh
        if {$setup ne ""} { $c {*}$setup }
        $c watch k
        $d {*}$change
        $c multi
        $c ping
        expect [wire $c exec] "*-1\r\n" "after $change: "
    }
}

test "WATCH: EXEC runs when nothing changed" {
    foreach {setup same} {
        {set k v} {get k}
        {set k v} {ttl k}
        {set k v} {set other x}
        {set k v} {del nosuch}
        {} {del k}
        {} {flushdb}
        {set k v} {persist k}
        {set k v} {expire nosuch 1}
        {set k v} {setnx k w}
        {rpush k a} {lrange k 0 -1}
        {rpush k a} {lrem k 0 nosuch}
        {set k v} {getex k}
        {set k v} {touch k}
        {} {lpushx k v}
        {} {lpop k}
        {set k v} {select 5}
        {set k v} {set k w xx get nx}
    } {
        fresh
        if {$setup ne ""} { $c {*}$setup }
        $c watch k
        catch {$d {*}$same}
        $d select 0
        $c multi
        $c ping
        expect [$c exec] PONG "after $same: "
    }
}

test "the watcher's own changes count too" {
    fresh
    $c watch k
    $c set k v
    $c multi
    $c ping
    expect [$c exec] (nil)
}

test "changes after MULTI but before EXEC count" {
    fresh
    $c watch k
    $c multi
    $c set k mine
    $d set k theirs
    expect [$c exec] (nil)
    expect [$c get k] theirs
}

test "one of many watched keys is enough" {
    fresh
    set keys {}
    for {set i 0} {$i < 200} {incr i} { lappend keys w$i }
    $c watch {*}$keys
    $d set w137 v
    $c multi
    $c ping
    expect [$c exec] (nil)
    $c watch {*}$keys
    $c watch w1 w1 w2
    $c multi
    $c ping
    expect [$c exec] PONG
}

test "UNWATCH, DISCARD and EXEC end the watching" {
    fresh
    $c watch k
    $d set k 1
    expect [$c unwatch] OK
    $c multi
    $c ping
    expect [$c exec] PONG
    $c watch k
    $d set k 2
    $c multi
    $c discard
    $c multi
    $c ping
    expect [$c exec] PONG
    $c watch k
    $c multi
    $c exec
    $d set k 3
    $c multi
    $c ping
    expect [$c exec] PONG
}

test "WATCH holds for the database it was given in" {
    fresh
    $c select 3
    $c watch k
    $c select 0
    $d select 0
    $d set k v
    $c multi
    $c ping
    expect [$c exec] PONG
    $c select 3
    $c watch k
    $d select 3
    $d set k v
    $c multi
    $c ping
    expect [$c exec] (nil)
    $c select 0
    $d select 0
}

test "a watched key that expires counts as changed" {
    fresh
    $c set k v px 30
    $c watch k
    after 60
    $c multi
    $c ping
    expect [$c exec] (nil)
}

test "a key that had expired when it was watched does not" {
    fresh
    $c debug set-active-expire 0
    $c set k v px 1
    after 20
    $c watch k
    $d get k
    $c multi
    $c ping
    expect [$c exec] PONG
    $c debug set-active-expire 1
}

# In database 1 key k is watched; a stale one is there or not, in database 0 too; what SWAPDB brings.
test "a watched key whose time has come counts as absent when databases are swapped" -since 7.0.0 {
    foreach {here there dirty} {none stale 0 stale stale 0 stale none 0 stale live 1 live stale 1 none live 1 live none 1 none none 0} {
        fresh
        $c debug set-active-expire 0
        foreach {db state} [list 1 $here 0 $there] {
            $c select $db
            if {$state eq "stale"} { $c set k v px 1 }
            if {$state eq "live"} { $c set k v }
        }
        after 3
        $c select 1
        $c watch k
        $c swapdb 0 1
        $c multi
        $c ping
        expect [$c exec] [expr {$dirty ? "(nil)" : "PONG"}] "$here replaced with $there: "
        $c select 0
    }
    $c debug set-active-expire 1
}

test "SELECT inside a transaction works and lasts" {
    fresh
    $c multi
    $c select 4
    $c set k four
    $c exec
    expect [$c get k] four
    $c select 0
    expect [$c exists k] 0
}

test "blocking commands inside MULTI do not block" {
    fresh
    $c multi
    $c blpop none 0
    $c brpop none 0
    $c blmove none other left left 0
    $c blmpop 0 1 none left
    $c rpush l x
    $c blpop l 0
    expect [$c exec] {(nil) (nil) (nil) (nil) 1 {l x}}
}

test "a push inside MULTI wakes the waiting client after EXEC" {
    fresh
    set w [client]
    send $w blpop l 0
    wait_blocked $c 1
    $c multi
    $c rpush l a b
    $c lpop l
    $c exec
    expect [reply $w] {l b}
}

test "a key whose time comes while EXEC runs is not handed to who waits for it" -since 7.2.0 {
    fresh
    $c debug set-active-expire 0
    set w [client]
    send $w blpop l 0.5
    wait_blocked $c 1
    $c multi
    $c rpush l a
    $c pexpire l 20
    $c debug sleep 0.05
    expect [$c exec] {1 1 OK}
    expect [reply $w] (nil)
    expect [$c exists l] 0
    $c debug set-active-expire 1
}

test "a push and a pop inside MULTI leave the waiting client alone" {
    fresh
    set w [client]
    send $w blpop l 0
    wait_blocked $c 1
    $c multi
    $c rpush l a
    $c del l
    $c exec
    expect [readable $w 100] 0
    $c rpush l real
    expect [reply $w] {l real}
}

test "a transaction of 5,000 commands" {
    fresh
    queue $c multi
    for {set i 0} {$i < 5000} {incr i} { queue $c set k$i $i }
    queue $c exec
    flush_client $c
    set all [replies $c 5002]
    expect [llength [lindex $all end]] 5000
    expect [$c dbsize] 5000
}

test "MULTI to EXEC in one write" {
    fresh
    raw_send $c "MULTI\r\nSET a 1\r\nINCR a\r\nEXEC\r\nPING\r\n"
    expect [replies $c 5] {OK QUEUED QUEUED {OK 2} PONG}
}

test "commands that are refused in a transaction" {
    foreach command {{quit_is_not} {shutdown}} { break }
    $c multi
    expect [$c client reply on] QUEUED
    $c exec
}

test "a client that goes away takes its transaction with it" {
    fresh
    set w [client]
    $w watch k
    $w multi
    $w set k v
    close_client $w
    $c set other v
    expect [$c exists k] 0
}

test "nobody sees half a transaction" {
    fresh
    $c mset x:1 100 x:2 100 x:3 100
    set writers [list [client] [client] [client]]
    set readers [list [client] [client]]
    for {set round 0} {$round < 150} {incr round} {
        foreach w $writers {
            set a [expr {int(rand() * 3) + 1}]
            set b [expr {int(rand() * 3) + 1}]
            raw_send $w "MULTI\r\nDECRBY x:$a 7\r\nINCRBY x:$b 7\r\nEXEC\r\n"
        }
        foreach r $readers { send $r mget x:1 x:2 x:3 }
        foreach r $readers { expect [tcl::mathop::+ {*}[reply $r]] 300 }
        foreach w $writers { replies $w 4 }
    }
    expect [tcl::mathop::+ {*}[$c mget x:1 x:2 x:3]] 300
}

test "optimistic increments by several clients lose nothing" {
    fresh
    $c set n 0
    set workers [list [client] [client] [client] [client]]
    set done 0
    for {set round 0} {$round < 100} {incr round} {
        foreach w $workers { $w watch n }
        foreach w $workers { send $w get n }
        foreach w $workers { raw_send $w "MULTI\r\nSET n [expr {[reply $w] + 1}]\r\nEXEC\r\n" }
        set won 0
        foreach w $workers { if {[lindex [replies $w 3] 2] ne "(nil)"} { incr won } }
        expect $won 1
    }
    expect [$c get n] 100
}

test "FLUSHALL and SWAPDB inside a transaction" {
    fresh
    $c mset a 1 b 2
    $c multi
    $c set c 3
    $c flushall
    $c set d 4
    $c dbsize
    $c exec
    expect [$c keys *] d
    $c multi
    $c swapdb 0 1
    $c set in0 v
    $c exec
    expect [$c keys *] in0
    $c select 1
    expect [$c keys *] d
    $c select 0
}

test "RESP3 forms" {
    fresh
    set r [resp3_client]
    $r watch k
    $d set k v
    $r multi
    expect [wire $r exec] "_\r\n"
    $r multi
    $r get nosuch
    expect [wire $r exec] "*1\r\n_\r\n"
}
