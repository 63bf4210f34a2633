# client.tcl - CLIENT and its subcommands.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]

proc client_ids {text} {
    set ids {}
    foreach line [split [string trim $text] \n] { lappend ids [client_field $line id] }
    return $ids
}

test "CLIENT ID grows with every connection" {
    set a [client]
    set id [$a client id]
    set b [client]
    expect_true {[$b client id] > $id}
    expect [$a client id] $id
}

test "CLIENT SETNAME and GETNAME" {
    set d [client]
    expect [wire $d client getname] "\$-1\r\n"
    expect [$d client setname tester] OK
    expect [$d client getname] tester
    expect_match [$d client info] "* name=tester *"
    foreach bad [list "a b" "a\nb" "a\x7fb" "\x01"] {
        expect_error {$d client setname $bad} "ERR Client names cannot contain spaces, newlines or special characters."
    }
    expect [$d client getname] tester
    expect [$d client setname ""] OK
    expect [$d client getname] (nil)
}

test "CLIENT INFO and LIST have the fields of Redis" {
    set d [client]
    $d select 3
    set line [$d client info]
    foreach field {id addr laddr fd name age idle flags db sub psub multi qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll
        omem tot-mem events cmd user redir resp} {
        expect_true {[regexp "(^| )$field=" $line]}
    }
    expect [client_field $line db] 3
    expect [client_field $line cmd] client|info
    expect [client_field $line user] default
    expect [client_field $line resp] 2
    expect [client_field $line flags] N
    expect [client_field $line multi] -1
    expect_match [client_field $line addr] "127.0.0.1:*"
    expect [client_field $line laddr] 127.0.0.1:[server_port]
    $d get k
    expect [client_field [$c client list id [$d client id]] cmd] client|id
}

test "CLIENT LIST: MULTI and its commands are counted" {
    set d [client]
    set id [$d client id]
    $d multi
    $d set a 1
    $d set a 2
    set line [$c client list id $id]
    expect [client_field $line multi] 2
    expect_match $line "* flags=x *"
    $d discard
}

test "CLIENT LIST and its filters" {
    set d [client]
    set e [client]
    foreach x [list $d $e] { $x ping } ;# another worker may be about to accept them
    set ids [client_ids [$c client list]]
    expect_true {[$d client id] in $ids && [$e client id] in $ids && [$c client id] in $ids}
    expect [lsort -integer [client_ids [$c client list id [$d client id] [$e client id] 99999]]] \
        [lsort -integer [list [$d client id] [$e client id]]]
    expect_true {[$d client id] in [client_ids [$c client list type normal]]}
    expect [$c client list type pubsub] ""
    expect [$c client list type replica] ""
    expect [$c client list type master] ""
    expect_error {$c client list type foo} "ERR Unknown client type 'foo'"
    expect_error {$c client list id} "ERR syntax error"
    expect_error {$c client list id x} "ERR Invalid client ID"
    expect_error {$c client list foo} "ERR syntax error"
}

test "CLIENT KILL by address, the old form" {
    set d [client]
    set addr [client_field [$d client info] addr]
    expect [$c client kill $addr] OK
    expect [closed $d 2000] 1
    expect_error {$c client kill 1.2.3.4:5} "ERR No such client"
}

test "CLIENT KILL with filters" {
    set d [client]
    set e [client]
    expect [$c client kill id [$d client id]] 1
    expect [closed $d 2000] 1
    expect [$c client kill id [$e client id] skipme yes type normal] 1
    expect [closed $e 2000] 1
    set d [client]
    expect [$c client kill addr [client_field [$d client info] addr]] 1
    expect [closed $d 2000] 1
    set d [client]
    $d ping
    set n [$c client kill laddr 127.0.0.1:[server_port]]
    expect_true {$n >= 1}
    expect [closed $d 2000] 1
    expect [$c client kill id 99999] 0
    expect_error {$c client kill user nobody} "ERR No such user 'nobody'"
    set d [client]
    expect [$c client kill user default id [$d client id]] 1
    expect [closed $d 2000] 1
}

test "CLIENT KILL refuses what it does not know" {
    expect_error {$c client kill id x} "ERR client-id should be greater than 0"
    expect_error {$c client kill id 0} "ERR client-id should be greater than 0"
    expect_error {$c client kill type foo} "ERR Unknown client type 'foo'"
    expect_error {$c client kill skipme maybe} "ERR syntax error"
    expect_error {$c client kill foo bar} "ERR syntax error"
    expect_error {$c client kill id 1 type} "ERR syntax error"
}

test "CLIENT KILL of oneself answers first" {
    set d [client]
    set id [$d client id]
    send $d client kill id $id skipme no
    expect [read_to_end $d] ":1\r\n"
    set d [client]
    expect [$d client kill id [$d client id]] 0
}

test "CLIENT KILL MAXAGE" -since 7.4 {
    set d [client]
    expect [$c client kill maxage 100] 0
    expect_error {$c client kill maxage x} "ERR *"
    after [expr {2200}]
    expect_true {[$c client kill maxage 1 skipme yes id [$d client id]] == 1}
    expect [closed $d 2000] 1
}

test "CLIENT REPLY OFF, SKIP and ON" {
    set d [client]
    raw_send $d "[request client reply off][request ping][request set k v][request client reply on][request ping]"
    expect [replies $d 2] {OK PONG}
    raw_send $d "[request client reply skip][request ping][request echo next]"
    expect [reply $d] next
    expect [$d get k] v
    expect_error {$d client reply maybe} "ERR syntax error"
}

test "CLIENT NO-EVICT" {
    set d [client]
    expect [$d client no-evict on] OK
    expect_match [$d client info] "* flags=e *"
    expect [$d client no-evict off] OK
    expect_error {$d client no-evict maybe} "ERR syntax error"
}

test "CLIENT NO-TOUCH" -since 7.2 {
    set d [client]
    $d set idle v
    after 1200
    expect [$d client no-touch on] OK
    expect_match [$d client info] "* flags=T *"
    $d get idle
    expect_true {[$d object idletime idle] >= 1}
    expect [$d client no-touch off] OK
    $d get idle
    expect [$d object idletime idle] 0
    expect_error {$d client no-touch maybe} "ERR syntax error"
}

test "CLIENT SETINFO" -since 7.2 {
    set d [client]
    expect_match [$d client info] "* lib-name= lib-ver=*"
    expect [$d client setinfo lib-name redis-py] OK
    expect [$d client setinfo LIB-VER 1.2.3] OK
    expect_match [$d client info] "* lib-name=redis-py lib-ver=1.2.3*"
    expect_error {$d client setinfo lib-name "a b"} "ERR lib-name cannot contain spaces, newlines or special characters."
    expect_error {$d client setinfo lib-ver "a\n"} "ERR lib-ver cannot contain spaces, newlines or special characters."
    expect_error {$d client setinfo foo bar} "ERR Unrecognized option 'foo'"
    expect [$d client setinfo lib-name ""] OK
    $d reset
    expect_match [$d client info] "* lib-ver=1.2.3*"
}

test "CLIENT PAUSE ALL holds everything, for its time" {
    set d [client]
    expect [$c client pause 200] OK
    set ms [elapsed_ms {$d ping}]
    expect_between $ms 100 [expr {2000 * $slow}]
    expect [$d ping] PONG
}

test "CLIENT PAUSE WRITE lets reads pass" {
    set d [client]
    set e [client]
    $d set k v
    expect [$c client pause 100000 write] OK
    expect [$d get k] v
    send $e set k w
    expect [readable $e 100] 0
    expect [$d get k] v
    expect [$c client unpause] OK
    expect [reply $e] OK
    expect [$d get k] w
}

test "CLIENT PAUSE WRITE holds transactions that write" {
    set d [client]
    set e [client]
    raw_send $e "MULTI\r\nSET k x\r\n"
    expect [replies $e 2] {OK QUEUED}
    $c client pause 100000 write
    raw_send $d "MULTI\r\nGET k\r\nEXEC\r\n"
    expect [llength [replies $d 3]] 3
    send $e exec
    expect [readable $e 100] 0
    $c client unpause
    expect [reply $e] OK
}

test "while paused nobody is served with what somebody pushes" {
    set w [client]
    $c del l
    send $w blpop l 0
    wait_blocked $c 1
    $c client pause 100000 write
    set d [client]
    send $d rpush l a
    expect [readable $w 100] 0
    $c client unpause
    expect [reply $d] 1
    expect [reply $w] {l a}
}

test "CLIENT PAUSE refuses bad times and modes" {
    expect_error {$c client pause x} "ERR timeout is not an integer or out of range"
    expect_error {$c client pause -1} "ERR timeout is negative"
    expect_error {$c client pause 1 foo} "ERR CLIENT PAUSE mode must be WRITE or ALL"
    expect [$c client unpause] OK
}

test "CLIENT HELP, GETREDIR, TRACKINGINFO" {
    set help [$c client help]
    expect_match [lindex $help 0] "CLIENT <subcommand> *"
    expect_true {[llength $help] > 20}
    expect [$c client getredir] -1
    expect [lrange [$c client trackinginfo] 0 3] {flags off redirect -1}
}

test "a thousand clients are listed" {
    set all {}
    repeat 1000 { lappend all [client] }
    foreach d $all { $d ping }
    expect_true {[llength [client_ids [$c client list]]] >= 1001}
    expect_true {[info_field [$c info clients] connected_clients] >= 1001}
    foreach d $all { close_client $d }
    wait_until {[info_field [$c info clients] connected_clients] == 1}
}
