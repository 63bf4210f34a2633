# faults.tcl - clients that vanish, stall or flood, and a server short of file descriptors.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]

proc connected {} { info_field [$::c info clients] connected_clients }

test "clients that vanish in the middle of a request" {
    set whole [request set vanish [string repeat x 100]]
    for {set i 1} {$i < [string length $whole]} {incr i 3} {
        set d [client]
        raw_send $d [string range $whole 0 $i]
        close_client $d
    }
    expect [$c exists vanish] 0
    wait_until {[connected] == 1}
}

test "clients that vanish in the middle of a big argument" {
    repeat 10 {
        set d [client]
        raw_send $d "*3\r\n\$3\r\nSET\r\n\$3\r\nbig\r\n\$20000000\r\n[string repeat x 1000000]"
        close_client $d
    }
    wait_until {[connected] == 1}
    expect [$c exists big] 0
}

test "clients that vanish before they read a big reply" {
    $c set big [string repeat x 10000000]
    repeat 20 {
        set d [client]
        repeat 5 { queue $d get big }
        flush_client $d
        close_client $d
    }
    wait_until {[connected] == 1}
    expect [$c strlen big] 10000000
}

test "clients that vanish inside MULTI, with WATCH, paused, blocked" {
    foreach commands {{multi {set a 1}} {{watch a} multi} {{blpop none 0}} {{client reply off}} {{hello 3}}} {
        set d [client]
        foreach command $commands { send $d {*}$command }
        close_client $d
    }
    wait_until {[connected] == 1}
    expect [$c exists a] 0
    $c set a 1
}

test "a half-closed connection still gets its replies" {
    set d [client]
    raw_send $d "[request set half 1][request get half]"
    half_close $d
    expect [reply $d] OK
    expect [reply $d] 1
    expect [closed $d 5000] 1
}

test "a half-closed connection that waits is let go" {
    set d [client]
    send $d blpop none 0
    wait_blocked $c 1
    half_close $d
    wait_blocked $c 0
    $c rpush none x
    expect [$c llen none] 1
    $c del none
}

test "a slow reader does not hold others up" {
    set slow_one [client]
    repeat 10 { queue $slow_one get big }
    flush_client $slow_one
    expect_true {[elapsed_ms {repeat 300 {$c ping}}] < 5000 * $slow}
    foreach v [replies $slow_one 10] { expect [string length $v] 10000000 }
}

test "output is accounted to the client while it does not read" {
    set d [client]
    set id [$d client id]
    repeat 20 { queue $d get big }
    flush_client $d
    wait_until {[client_field [$c client list id $id] omem] > 1000000 || [client_field [$c client list id $id] tot-mem] > 1000000}
    close_client $d
}

test "the hard limit of the output buffer closes the connection" {
    $c config set client-output-buffer-limit "normal 5mb 0 0"
    set d [client]
    repeat 20 { queue $d get big }
    flush_client $d
    wait_until {[connected] == 1}
    set got [catch {read_to_end $d}]
    $c config set client-output-buffer-limit "normal 0 0 0"
    wait_until {[string match "*scheduled to be closed ASAP for overcoming of output buffer limits*" [server_log]]}
    expect [$c ping] PONG
}

test "the soft limit of the output buffer closes it after its seconds" {
    $c config set client-output-buffer-limit "normal 0 2mb 1"
    set d [client]
    set id [$d client id]
    repeat 10 { queue $d get big }
    flush_client $d
    expect_true {[$c client list id $id] ne ""}
    set ms [elapsed_ms { wait_until {[$c client list id $id] eq ""} 8000 }]
    expect_true {$ms > 300}
    $c config set client-output-buffer-limit "normal 0 0 0"
}

test "a client that sends and never reads does not stop the server" {
    set d [client]
    raw_send $d [string repeat [request get big] 10]
    expect_true {[elapsed_ms {repeat 100 {$c ping}}] < 5000 * $slow}
    close_client $d
    wait_until {[connected] == 1}
    $c del big
}

test "connections that come and go at once" {
    repeat 10 {
        set all {}
        repeat 100 { lappend all [client] }
        foreach d $all { close_client $d }
    }
    wait_until {[connected] == 1}
    expect [$c ping] PONG
}

test "connections that close while their requests run" {
    repeat 200 {
        set d [client]
        raw_send $d [string repeat [request incr hits] 50]
        close_client $d
    }
    wait_until {[connected] == 1}
    expect [$c ping] PONG
}

test "no file descriptor is left behind" {
    set before [llength [glob /proc/[server_pid]/fd/*]]
    repeat 300 {
        set d [client]
        $d ping
        close_client $d
    }
    wait_until {[connected] == 1}
    wait_until {[llength [glob /proc/[server_pid]/fd/*]] <= $before + 2}
}

test "running out of file descriptors refuses newcomers, serves the others, and recovers" {
    set s [start_server -limit-files 80 -config "maxclients 1000"]
    set d [client]
    set limit [lindex [$d config get maxclients] 1]
    expect_true {$limit < 80}
    set all {}
    for {set i 0} {$i < 120} {incr i} {
        if {[catch {client} e]} break
        lappend all $e
    }
    expect [$d set still served] OK
    expect [$d get still] served
    foreach e $all { close_client $e }
    wait_until {[info_field [$d info clients] connected_clients] == 1}
    wait_until {![catch {[client] ping}]}
}

test "many clients flood at once" {
    set all {}
    repeat 50 { lappend all [client] }
    foreach d $all {
        for {set i 0} {$i < 200} {incr i} { queue $d incr flood }
        flush_client $d
    }
    foreach d $all { replies $d 200 }
    expect [[client] get flood] 10000
}
