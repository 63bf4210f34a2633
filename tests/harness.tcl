# harness.tcl - the harness of the tests over the wire: servers, clients, tests and their counts.
#
# A test file begins with
#     source [file join [file dirname [info script]] .. harness.tcl]
# and can be run alone: tclsh tests/wire/strings.tcl [PATTERN...] runs the tests whose names match.
# The harness then runs the file itself, so that whatever happens in it every server is stopped, looked
# at (alive? sanitizer reports? crash report? leaks?) and the last line is "N passed, N failed, N skipped".
#
# Environment
#     WEFT_SERVER   the server under test; default src/weft-server. redis-server works too, and is how a
#                   test is proven to describe Redis
#     TEST_SLOW     factor by which waiting times are stretched (instrumented servers)
#     TEST_KEEP     keep tests/tmp/...
#     TEST_VERBOSE  print each test's name
#
# Replies as Tcl values: strings and numbers as they are, arrays, sets and maps as lists (maps flat), nil
# as "(nil)", true and false as "true" and "false", an error throws (inside an array: "(error) TEXT").
# Pushes of RESP3 are put aside: see `pushes`. Where the exact type matters, compare bytes: `wire`.

if {[info exists ::harness_ready]} return
set ::harness_ready 1

set ::root [file normalize [file join [file dirname [info script]] ..]]
set ::server_program [expr {[info exists env(WEFT_SERVER)] ? $env(WEFT_SERVER) : "$root/src/weft-server"}]
set ::slow [expr {[info exists env(TEST_SLOW)] ? $env(TEST_SLOW) : 1}]
set ::verbose [info exists env(TEST_VERBOSE)]
set ::topic [file rootname [file tail $argv0]]
set ::tmp $root/tests/tmp/$topic.[pid]
set ::passed 0
set ::failed 0
set ::skipped 0
set ::servers {}       ;# running, newest first
set ::clients {}
set ::serial 0
array set ::Server {}  ;# NAME,port NAME,pid NAME,dir NAME,log ...
array set ::Client {}  ;# NAME,sock NAME,buf NAME,pos NAME,pushes NAME,server

# ---- tests and expectations ------------------------------------------------------------------

proc complain {text} {
    puts "  $text"
    flush stdout
}

# test NAME ?-since VERSION? ?-only weft|redis? BODY: runs BODY; it fails when BODY throws.
proc test {name args} {
    set body [lindex $args end]
    set options [lrange $args 0 end-1]
    if {![selected $name]} return
    if {[dict exists $options -since] && ![server_since [dict get $options -since]]} {
        incr ::skipped
        return
    }
    if {[dict exists $options -only] && [dict get $options -only] ne [server_kind]} {
        incr ::skipped
        return
    }
    if {$::verbose} { complain "test  $name" }
    set before $::servers
    set code [catch {uplevel 1 $body} result info]
    if {$code == 0 || $code == 2} {
        incr ::passed
    } else {
        incr ::failed
        set line ""
        if {$code == 1 && ![string match "EXPECT*" [lindex [dict get $info -errorcode] 0]]} {
            set line "\n[dict get $info -errorinfo]"
        }
        complain "FAIL  $::topic: $name\n        [string map {\n "\n        "} [shorten $result$line]]"
    }
    foreach c $::clients { if {![info exists ::Client($c,keep)]} { close_client $c } }
    foreach s $::servers { if {$s ni $before} { stop_server $s } }
}

proc selected {name} {
    if {![llength $::argv]} { return 1 }
    foreach pattern $::argv { if {[string match -nocase *$pattern* $name]} { return 1 } }
    return 0
}

proc shorten {text} {
    expr {[string length $text] > 2000 ? "[string range $text 0 1999]..." : $text}
}

proc fail {text} { return -code error -errorcode EXPECT $text }

proc expect {actual expected {about ""}} {
    if {$actual eq $expected} return
    fail "${about}expected: [printable $expected]\n${about}actual:   [printable $actual]"
}

proc expect_match {actual pattern} {
    if {[string match $pattern $actual]} return
    fail "expected to match: [printable $pattern]\nactual:            [printable $actual]"
}

# expect_true {EXPRESSION}: prints the expression with its values put in.
proc expect_true {condition} {
    if {[uplevel 1 [list expr $condition]]} return
    fail "not true: $condition\nwith:     [uplevel 1 [list subst -nobackslashes $condition]]"
}

proc expect_between {actual low high} {
    if {[string is double -strict $actual] && $actual >= $low && $actual <= $high} return
    fail "expected between $low and $high, actual: $actual"
}

# expect_error BODY PATTERN: BODY must throw, the message must match.
proc expect_error {body pattern} {
    set code [catch {uplevel 1 $body} result]
    if {$code != 1} { fail "expected error: $pattern\nactual reply:   [printable $result]" }
    if {![string match $pattern $result]} {
        fail "expected error: [printable $pattern]\nactual error:   [printable $result]"
    }
}

# wait_until {EXPRESSION} ?MS?: checks it every few milliseconds, fails when it stays false.
proc wait_until {condition {ms 15000}} {
    set end [expr {[clock milliseconds] + int($ms * $::slow)}]
    while {![uplevel 1 [list expr $condition]]} {
        if {[clock milliseconds] > $end} { fail "did not come true within [expr {int($ms * $::slow)}] ms: $condition" }
        after 5
    }
}

proc printable {bytes} {
    set out ""
    foreach ch [split [string range $bytes 0 1500] ""] {
        if {$ch eq "\r"} { append out "\\r"
        } elseif {$ch eq "\n"} { append out "\\n"
        } elseif {![string is print $ch] && $ch ne "\t"} { append out [format "\\x%02x" [scan $ch %c]]
        } else { append out $ch }
    }
    if {[string length $bytes] > 1500} { append out "... ([string length $bytes] bytes)" }
    return $out
}

# ---- servers ---------------------------------------------------------------------------------

proc free_port {} {
    while 1 {
        set port [expr {20000 + int(rand() * 12000)}]
        if {![catch {socket -server {} -myaddr 127.0.0.1 $port} sock]} {
            close $sock
            return $port
        }
    }
}

# start_server ?-config LINES? ?-args LIST? ?-port PORT? ?-limit-files N? ?-wait 0?: starts one in a
# folder of its own, waits until it answers, and makes it the one that `client` connects to. Its name
# is the result.
proc start_server {args} {
    set options [dict merge {-config "" -args {} -port 0 -limit-files 0 -wait 1 -password ""} $args]
    set name server[incr ::serial]
    set dir $::tmp/$name
    file mkdir $dir
    set port [dict get $options -port]
    if {$port == 0} { set port [free_port] }
    write_file $dir/server.conf [server_config $dir $port [dict get $options -config]]
    set command [list setpriv --pdeathsig KILL $::server_program $dir/server.conf {*}[dict get $options -args]]
    set limit [dict get $options -limit-files]
    if {$limit} { set command [list bash -c "ulimit -n $limit; exec \"\$@\"" - {*}$command] }
    set pid [exec {*}$command < /dev/null > $dir/stdout 2> $dir/stderr &]
    array set ::Server [list $name,port $port $name,pid $pid $name,dir $dir $name,log $dir/log \
                            $name,password [dict get $options -password]]
    set ::servers [linsert $::servers 0 $name]
    if {[dict get $options -wait]} { wait_for_server $name }
    return $name
}

# The same with a redis-server, for tests of what goes between the two.
proc start_redis {args} {
    set ours $::server_program
    set ::server_program redis-server
    set code [catch {start_server {*}$args} result info]
    set ::server_program $ours
    return -options $info $result
}

proc have_redis {} { return [expr {[auto_execok redis-server] ne ""}] }

proc server_config {dir port extra} {
    set lines [list "port $port" "bind 127.0.0.1" "dir $dir" "logfile $dir/log" {save ""} "daemonize no" \
                   "enable-debug-command yes" "loglevel notice"]
    foreach line [split $extra \n] {
        set line [string trim $line]
        if {$line ne ""} { lappend lines $line }
    }
    return "[join $lines \n]\n"
}

proc server_port {{name ""}} { return $::Server([this_server $name],port) }
proc server_pid {{name ""}} { return $::Server([this_server $name],pid) }
proc server_dir {{name ""}} { return $::Server([this_server $name],dir) }

proc this_server {name} {
    if {$name ne ""} { return $name }
    if {![llength $::servers]} { error "no server is running" }
    return [lindex $::servers 0]
}

# The log of a server and what it wrote to its standard output and error.
proc server_log {{name ""}} {
    set name [this_server $name]
    set text ""
    foreach file [list $::Server($name,log) $::Server($name,dir)/stdout $::Server($name,dir)/stderr] {
        if {[file exists $file]} { append text [read_file $file] }
    }
    return $text
}

proc wait_for_server {name} {
    set end [expr {[clock milliseconds] + int(10000 * $::slow)}]
    while 1 {
        if {![catch {socket 127.0.0.1 $::Server($name,port)} sock]} {
            fconfigure $sock -translation binary -buffering none
            puts -nonewline $sock "PING\r\n"
            set line [gets $sock]
            close $sock
            if {[string match "+PONG*" $line] || [string match "-NOAUTH*" $line]} return
        }
        if {![process_alive $::Server($name,pid)]} {
            fail "the server ended at start:\n[server_log $name]"
        }
        if {[clock milliseconds] > $end} { fail "the server did not answer:\n[server_log $name]" }
        after 10
    }
}

proc process_alive {pid} {
    if {[catch {read_file /proc/$pid/stat} stat]} { return 0 }
    return [expr {[lindex [string range $stat [string last ) $stat]+1 end] 0] ni {Z X}}]
}

proc signal_process {pid signal} { catch {exec kill -$signal $pid} }

proc wait_for_end {pid ms} {
    set end [expr {[clock milliseconds] + int($ms * $::slow)}]
    while {[process_alive $pid]} {
        if {[clock milliseconds] > $end} { return 0 }
        after 5
    }
    catch {exec true} ;# reaps it
    return 1
}

# Stops a server with SIGTERM and looks at what it left behind.
proc stop_server {name} {
    set ::servers [lsearch -all -inline -not -exact $::servers $name]
    set pid $::Server($name,pid)
    foreach c $::clients { if {$::Client($c,server) eq $name} { close_client $c } }
    if {[process_alive $pid]} {
        signal_process $pid TERM
        if {![wait_for_end $pid 15000]} {
            count_failure "the server did not end within 15 s of SIGTERM\n[server_log $name]"
            signal_process $pid KILL
            wait_for_end $pid 5000
        }
    } elseif {![info exists ::Server($name,may_end)]} {
        count_failure "the server ended by itself\n[tail_of [server_log $name]]"
    }
    inspect_log $name
}

# kill_server NAME: with SIGKILL; may_end NAME: the test ends it in its own way.
proc may_end {name} { set ::Server($name,may_end) 1 }

proc kill_server {name} {
    may_end $name
    signal_process $::Server($name,pid) KILL
    wait_for_end $::Server($name,pid) 5000
    stop_server $name
}

proc inspect_log {name} {
    set log [server_log $name]
    foreach sign {"ERROR: AddressSanitizer" "WARNING: ThreadSanitizer" "ERROR: LeakSanitizer" "runtime error:"
        "BUG REPORT START" "assertion" "Assertion"} {
        if {[string match "*$sign*" $log] && ![info exists ::Server($name,may_crash)]} {
            set at [string first $sign $log]
            count_failure "the server's log has \"$sign\":\n[string range $log [expr {$at - 200}] [expr {$at + 5000}]]"
            return
        }
    }
}

proc count_failure {text} {
    incr ::failed
    complain "FAIL  $::topic: $text"
}

proc tail_of {text} { string range $text end-1999 end }

# run_server ARG...: runs the server to its end, at most 10 seconds; {STATUS OUTPUT}. -stdin TEXT first.
proc run_server {args} {
    set input ""
    if {[lindex $args 0] eq "-stdin"} { set input [lindex $args 1]; set args [lrange $args 2 end] }
    return [run_program -stdin $input $::server_program {*}$args]
}

# run_program ?-stdin TEXT? PROGRAM ARG...: {STATUS OUTPUT}, with standard error in the output.
proc run_program {args} {
    set input ""
    if {[lindex $args 0] eq "-stdin"} { set input [lindex $args 1]; set args [lrange $args 2 end] }
    set limit [expr {int(20 * $::slow)}]
    set code [catch {exec -ignorestderr timeout -k 1 $limit {*}$args << $input 2>@1} output info]
    if {!$code} { return [list 0 $output] }
    set errorcode [dict get $info -errorcode]
    set output [regsub {\n?child process exited abnormally$} $output ""]
    if {[lindex $errorcode 0] eq "CHILDSTATUS"} { return [list [lindex $errorcode 2] $output] }
    return [list $errorcode $output]
}

# weft or redis, and whether its redis_version is at least the one given.
proc server_kind {} { identify; return $::identity(kind) }
proc server_since {version} { identify; return [expr {[package vcompare $::identity(version) $version] >= 0}] }

proc identify {} {
    if {[info exists ::identity(kind)]} return
    lassign [run_server --version] status text
    set ::identity(kind) [expr {[string match -nocase *weft* $text] ? "weft" : "redis"}]
    set ::identity(version) 7.4.0
    if {$::identity(kind) eq "redis"} { regexp {v=([0-9.]+)} $text -> ::identity(version) }
}

proc write_file {path text} {
    set f [open $path w]
    fconfigure $f -translation binary
    puts -nonewline $f $text
    close $f
}

proc read_file {path} {
    set f [open $path r]
    fconfigure $f -translation binary
    set text [read $f]
    close $f
    return $text
}

# ---- clients ---------------------------------------------------------------------------------

# client ?-server NAME? ?-port PORT? ?-host HOST? ?-keep 1?: a connected client; its name is a command
# that sends its arguments and returns the reply: [$c get key]. Closed at the end of the test unless kept.
proc client {args} {
    set options [dict merge {-server "" -port 0 -host 127.0.0.1 -keep 0} $args]
    set server [dict get $options -server]
    set port [dict get $options -port]
    if {$server eq "" && [llength $::servers]} { set server [lindex $::servers 0] }
    if {!$port} { set port $::Server($server,port) }
    set c ::client[incr ::serial]
    set sock [socket [dict get $options -host] $port]
    fconfigure $sock -translation binary -blocking 0 -buffering full -buffersize 1000000
    array set ::Client [list $c,sock $sock $c,buf "" $c,pos 0 $c,pushes {} $c,server $server $c,eof 0]
    if {[dict get $options -keep]} { set ::Client($c,keep) 1 }
    lappend ::clients $c
    interp alias {} $c {} ask $c
    if {$server ne "" && $::Server($server,password) ne ""} { ask $c auth $::Server($server,password) }
    return $c
}

# resp3_client: the same, having said HELLO 3.
proc resp3_client {args} {
    set c [client {*}$args]
    ask $c hello 3
    return $c
}

proc close_client {c} {
    if {$c ni $::clients} return
    set ::clients [lsearch -all -inline -not -exact $::clients $c]
    catch {close $::Client($c,sock)}
    array unset ::Client $c,*
    interp alias {} $c {}
}

# No more bytes from us; replies still come.
proc half_close {c} {
    flush_client $c
    chan close $::Client($c,sock) write
    set ::Client($c,half) 1
}

proc ask {c args} {
    send $c {*}$args
    return [reply $c]
}

# Sends a request; several may be sent before their replies are read.
proc send {c args} {
    raw_send $c [request {*}$args]
}

proc request {args} {
    set bytes "*[llength $args]\r\n"
    foreach arg $args { append bytes "\$[string length $arg]\r\n$arg\r\n" }
    return $bytes
}

# queue C COMMAND...: like send, but stays here until the next send or reply.
proc queue {c args} { puts -nonewline $::Client($c,sock) [request {*}$args] }

proc raw_send {c bytes} {
    puts -nonewline $::Client($c,sock) $bytes
    flush_client $c
}

proc flush_client {c} {
    if {[info exists ::Client($c,half)]} return
    set sock $::Client($c,sock)
    flush $sock
    while {[chan pending output $sock] > 0} {
        fileevent $sock writable [list set ::woken 1]
        set timer [after [expr {int(30000 * $::slow)}] {set ::woken 0}]
        vwait ::woken
        after cancel $timer
        fileevent $sock writable {}
        if {!$::woken} { fail "the server does not read" }
        flush $sock
    }
}

# Reads what is there, waiting up to ms for something: 1 when bytes came, 0 when none.
proc fill {c ms} {
    set sock $::Client($c,sock)
    if {$::Client($c,eof)} { fail "connection closed" }
    set bytes [read $sock]
    if {$bytes eq "" && ![eof $sock] && $ms > 0} {
        fileevent $sock readable [list set ::woken 1]
        set timer [after $ms {set ::woken 0}]
        vwait ::woken
        after cancel $timer
        fileevent $sock readable {}
        set bytes [read $sock]
    }
    if {$bytes eq ""} {
        if {[eof $sock]} {
            set ::Client($c,eof) 1
            fail "connection closed"
        }
        return 0
    }
    if {$::Client($c,pos) > 65536} {
        set ::Client($c,buf) [string range $::Client($c,buf) $::Client($c,pos) end]
        set ::Client($c,pos) 0
    }
    append ::Client($c,buf) $bytes
    return 1
}

proc need_bytes {c n} {
    while {[string length $::Client($c,buf)] - $::Client($c,pos) < $n} {
        if {![fill $c [expr {int(20000 * $::slow)}]]} { fail "no reply" }
    }
}

proc read_bytes {c n} {
    need_bytes $c $n
    set from $::Client($c,pos)
    incr ::Client($c,pos) $n
    return [string range $::Client($c,buf) $from [expr {$from + $n - 1}]]
}

proc read_line {c} {
    set from $::Client($c,pos)
    while {[set end [string first "\r\n" $::Client($c,buf) $from]] < 0} {
        if {![fill $c [expr {int(20000 * $::slow)}]]} { fail "no reply" }
        set from $::Client($c,pos)
    }
    set ::Client($c,pos) [expr {$end + 2}]
    return [string range $::Client($c,buf) $from [expr {$end - 1}]]
}

# Whether something has come or comes within ms milliseconds.
proc readable {c {ms 0}} {
    set end [expr {[clock milliseconds] + $ms}]
    while {[string length $::Client($c,buf)] == $::Client($c,pos)} {
        set left [expr {$end - [clock milliseconds]}]
        if {![fill $c [expr {max($left, 0)}]] && $left <= 0} { return 0 }
    }
    return 1
}

# Everything until the server closes; fails when it does not within ms.
proc read_to_end {c {ms 5000}} {
    set end [expr {[clock milliseconds] + int($ms * $::slow)}]
    while {![catch {fill $c 100}]} {
        if {[clock milliseconds] > $end} { fail "the connection is still open" }
    }
    set bytes [string range $::Client($c,buf) $::Client($c,pos) end]
    set ::Client($c,buf) ""
    set ::Client($c,pos) 0
    return $bytes
}

# Whether the server has closed, or closes within ms.
proc closed {c {ms 0}} {
    set end [expr {[clock milliseconds] + $ms}]
    while 1 {
        set left [expr {$end - [clock milliseconds]}]
        if {[catch {fill $c [expr {max($left, 0)}]}]} { return 1 }
        if {$left <= 0} { return 0 }
    }
}

# One reply as a value; pushes that come before it are put aside.
proc reply {c} {
    flush_client $c
    while 1 {
        set value [read_value $c]
        if {[lindex $value 0] ne "push"} break
        lappend ::Client($c,pushes) [lindex $value 1]
    }
    lassign $value kind what
    if {$kind eq "error"} { return -code error -errorcode REPLY $what }
    return $what
}

# replies C N: N replies, errors as "(error) TEXT".
proc replies {c n} {
    set list {}
    for {set i 0} {$i < $n} {incr i} {
        if {[catch {reply $c} value info]} {
            if {[dict get $info -errorcode] ne "REPLY"} { return -options $info $value }
            set value "(error) $value"
        }
        lappend list $value
    }
    return $list
}

proc pushes {c} {
    set list $::Client($c,pushes)
    set ::Client($c,pushes) {}
    return $list
}

proc read_value {c} {
    set line [read_line $c]
    set rest [string range $line 1 end]
    switch -- [string index $line 0] {
        + - : - , - ( { return [list value $rest] }
        - { return [list error $rest] }
        ! { return [list error [read_body $c $rest]] }
        # { return [list value [expr {$rest eq "t" ? "true" : "false"}]] }
        _ { return [list value (nil)] }
        $ { return [list value [read_body $c $rest]] }
        = { return [list value [string range [read_body $c $rest] 4 end]] }
        * - ~ { return [list value [read_elements $c $rest]] }
        > { return [list push [read_elements $c $rest]] }
        % { return [list value [read_elements $c [expr {$rest * 2}]]] }
        | { read_elements $c [expr {$rest * 2}]; return [read_value $c] }
        default { fail "not a reply: [printable $line]" }
    }
}

proc read_body {c n} {
    if {$n < 0} { return (nil) }
    set body [read_bytes $c $n]
    expect [read_bytes $c 2] "\r\n"
    return $body
}

proc read_elements {c n} {
    if {$n < 0} { return (nil) }
    set list {}
    for {set i 0} {$i < $n} {incr i} {
        lassign [read_value $c] kind what
        if {$kind eq "error"} { set what "(error) $what" } ;# expr would respell numbers
        lappend list $what
    }
    return $list
}

# The bytes of one reply, as they came.
proc raw_reply {c} {
    flush_client $c
    set line [read_line $c]
    set rest [string range $line 1 end]
    set bytes "$line\r\n"
    switch -- [string index $line 0] {
        $ - = - ! { if {$rest >= 0} { append bytes [read_bytes $c [expr {$rest + 2}]] } }
        * - ~ - > - % - | {
            set n [expr {[string index $line 0] in {% |} ? $rest * 2 : $rest}]
            for {set i 0} {$i < $n} {incr i} { append bytes [raw_reply $c] }
        }
    }
    return $bytes
}

# wire C COMMAND...: the bytes of its reply.
proc wire {c args} {
    send $c {*}$args
    return [raw_reply $c]
}

# ---- helpers of many tests -------------------------------------------------------------------

# The value of one field of an INFO text or a CLIENT LIST line.
proc info_field {text field} {
    if {[regexp -line "^$field:(.*?)\r?$" $text -> value]} { return $value }
    return ""
}

proc client_field {line field} {
    if {[regexp "(?:^| )$field=(\[^ \r\n\]*)" $line -> value]} { return $value }
    return ""
}

proc blocked_clients {c} { return [info_field [$c info clients] blocked_clients] }

proc wait_blocked {c n} { wait_until {[blocked_clients $c] == $n} }

proc elapsed_ms {body} {
    set start [clock milliseconds]
    uplevel 1 $body
    return [expr {[clock milliseconds] - $start}]
}

proc repeat {n body} {
    for {set i 0} {$i < $n} {incr i} { uplevel 1 $body }
}

# pipeline C {COMMANDS}: sends all, returns all replies.
proc pipeline {c commands} {
    foreach command $commands { queue $c {*}$command }
    flush_client $c
    return [replies $c [llength $commands]]
}

# ---- the run ---------------------------------------------------------------------------------

proc finish {} {
    foreach s $::servers { stop_server $s }
    if {$::failed == 0 && ![info exists ::env(TEST_KEEP)]} { file delete -force $::tmp }
    puts "$::passed passed, $::failed failed, $::skipped skipped"
    exit [expr {$::failed > 0}]
}

expr {srand([clock microseconds] ^ ([pid] << 16))}
if {![file executable $server_program]} {
    puts "no server at $server_program"
    exit 2
}
file mkdir $tmp
if {[catch {source $argv0} message info]} {
    count_failure "the file broke off: $message\n[dict get $info -errorinfo]"
}
finish
