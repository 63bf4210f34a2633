# What sessions do with clients that misbehave: idle ones, slow readers, browsers, too many of them.
source [file join [file dirname [info script]] .. harness.tcl]

set s [start_server]
set c [client -keep 1]

test "an idle client is closed after timeout, one that is blocked is not" {
    $c config set timeout 1
    set idle [client]
    set blocked [client]
    $idle ping
    send $blocked blpop none 0
    repeat 30 { after 100; $c ping }
    expect [closed $idle 2000] 1
    expect_match [$c client list] "*flags=b*"
    $c config set timeout 0
    $c rpush none x
    expect [reply $blocked] {none x}
}

test "a browser that posts is cut off before anything it smuggles is run" {
    foreach first {"POST / HTTP/1.1\r\n" "Host: localhost\r\n"} {
        set d [client]
        raw_send $d "${first}SET smuggled yes\r\n"
        expect [closed $d 2000] 1
    }
    expect [$c exists smuggled] 0
    expect_match [server_log $s] "*Possible SECURITY ATTACK detected*"
}

test "the hard limit of output closes a client, and spares small replies" {
    $c config set client-output-buffer-limit "normal 10 0 0"
    expect [$c ping] PONG
    expect_match [$c info server] "*redis_version*"
    $c config resetstat
    $c set big [string repeat x 100000]
    set d [client]
    send $d get big
    expect [closed $d 2000] 1
    $c config set client-output-buffer-limit "normal 0 0 0"
    expect [info_field [$c info stats] client_output_buffer_limit_disconnections] 1
    $c del big
}

test "the soft limit closes a client that does not read for too long" {
    $c config set client-output-buffer-limit "normal 0 100000 1"
    $c set big [string repeat x 8000000]
    set d [client]
    raw_send $d [string repeat "GET big\r\n" 20]
    after 300
    expect_match [$c client list] "*omem=*"
    wait_until {[info_field [$c info clients] connected_clients] == 1}
    $c config set client-output-buffer-limit "normal 0 0 0"
    $c del big
}

test "a paused client has had the replies to what it sent before" {
    set d [client]
    $c client pause 60000 write
    raw_send $d "PING\r\nSET k v\r\nPING\r\n"
    expect [reply $d] PONG
    expect [$c exists k] 0
    $c client unpause
    expect [reply $d] OK
    expect [reply $d] PONG
}

test "a client beyond maxclients is told so, and leaves no trace" {
    $c config set maxclients 3
    set a [client]
    set b [client]
    foreach x [list $a $b] { $x ping }
    set d [client]
    expect [read_to_end $d] "-ERR max number of clients reached\r\n"
    expect [info_field [$c info clients] connected_clients] 3
    close_client $a
    wait_until {[info_field [$c info clients] connected_clients] == 2}
    expect [[client] ping] PONG
    $c config set maxclients 10000
}

test "protected options are for clients of this machine alone with `local`" {
    lassign [run_program hostname -I] status output
    set own [lindex $output 0]
    if {$own ne ""} {
        set p [start_server -config "bind 0.0.0.0\nprotected-mode no\nenable-protected-configs local"]
        set near [client -server $p]
        set far [client -server $p -host $own]
        expect [$near config set dir /tmp] OK
        expect_error {$far config set dir /tmp} "ERR CONFIG SET failed *'dir')*protected config*"
        expect [$far config set timeout 0] OK
    }
}

