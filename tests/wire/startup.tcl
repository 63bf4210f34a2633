# startup.tcl - how the server starts, serves and ends: configuration files, command line, sockets, signals.
source [file join [file dirname [info script]] .. harness.tcl]

# A configuration file with these lines; its path.
proc config_file {text} {
    set path $::tmp/config[incr ::serial].conf
    write_file $path $text
    return $path
}

# Runs the server with options of its own that end in a failure at start.
proc refused {args} {
    lassign [run_server {*}$args] status output
    expect $status 1 "exit status, output $output: "
    return $output
}

test "an unknown option is an error with file, line and text" {
    set path [config_file "port 0\n# fine\n\nnosuch-option 1 2\n"]
    set output [refused $path]
    expect_match $output "*FATAL CONFIG FILE ERROR*"
    expect_match $output "*line*4*"
    expect_match $output "*>>> 'nosuch-option 1 2'*"
    expect_match $output "*Bad directive or wrong number of arguments*"
}

test "Weft names the file in the error" -only weft {
    set path [config_file "port 0\nnosuch-option 1\n"]
    expect_match [refused $path] "*[file tail $path]*"
}

test "bad values are errors with line and text" {
    foreach {line error} {
        "port abc" "*argument couldn't be parsed into an integer*"
        "port 70000" "*argument must be between 0 and 65535 inclusive*"
        "daemonize maybe" "*argument must be 'yes' or 'no'*"
        "maxmemory 10qb" "*argument must be a memory value*"
        "loglevel loud" "*argument(s) must be one of the following*"
        "timeout" "*wrong number of arguments*"
        "requirepass \"open" "*Unbalanced quotes in configuration line*"
        "databases 0" "*must be between 1*"
    } {
        set output [refused [config_file "port 0\n$line\n"]]
        expect_match $output "*line*2*"
        expect_match $output "*>>> '$line'*"
        expect_match $output $error
    }
}

test "a configuration file that is not there" {
    set output [refused $tmp/none.conf]
    expect_match $output "*Fatal error, can't open config file*none.conf*No such file or directory*"
}

test "--version and --help" {
    foreach option {--version -v} {
        lassign [run_server $option] status output
        expect $status 0
        expect_match $output "*erver *v=*"
    }
    foreach option {--help -h} {
        lassign [run_server $option] status output
        expect_match $output "*Usage:*"
    }
}

test "--check-config tells whether a file is good" -only weft {
    lassign [run_server --check-config [config_file "port 7000\ntimeout 10\n"]] status output
    expect $status 0
    lassign [run_server --check-config [config_file "port 7000\nbogus 1\n"]] status output
    expect $status 1
    expect_match $output "*bogus 1*"
}

test "options on the command line" {
    set s [start_server -args {--timeout 33 --maxmemory 10mb}]
    set c [client]
    expect [$c config get timeout] {timeout 33}
    expect [$c config get maxmemory] {maxmemory 10485760}
    expect_match [refused --port 0 --nosuch 1] "*nosuch*"
}

test "- reads the configuration from standard input" {
    set port [free_port]
    set dir $tmp/stdin
    file mkdir $dir
    set text "port $port\nbind 127.0.0.1\ntimeout 44\ndir $dir\nsave \"\"\n"
    exec setpriv --pdeathsig KILL $server_program - << $text > $dir/out 2>@1 &
    wait_until {![catch {client -port $port} c]}
    expect [$c config get timeout] {timeout 44}
    catch {send $c shutdown nosave}
    expect [closed $c 10000] 1
}

test "include" {
    set path [config_file "timeout 55\n"]
    start_server -config "include $path"
    expect [[client] config get timeout] {timeout 55}
}

test "include of a file that is not there" {
    expect_match [refused [config_file "include $tmp/none.conf\n"]] "*none.conf*"
}

test "a port in use" {
    set s [start_server]
    set output [refused [config_file "port [server_port]\nbind 127.0.0.1\n"]]
    expect_match $output "*Could not create server TCP listening socket 127.0.0.1:[server_port]*Address already in use*"
    expect_match $output "*Failed listening on port [server_port] (*), aborting.*"
}

test "the log of a start has the lines that tools wait for" {
    set s [start_server]
    wait_until {[string match "*Ready to accept connections*" [server_log $s]]}
    expect_match [server_log $s] "*erver initialized*"
}

test "several addresses, one of them IPv6, and an optional one" {
    set s [start_server -config "bind 127.0.0.1 ::1 127.0.0.2 -192.0.2.1"]
    foreach host {127.0.0.1 127.0.0.2 ::1} {
        set c [client -host $host]
        expect [$c ping] PONG
        expect_match [$c client info] "* laddr=*[expr {$host eq "::1" ? {\[::1\]} : $host}]:[server_port] *"
    }
}

test "an address that is not ours" {
    expect_match [refused [config_file "port [free_port]\nbind 192.0.2.1\n"]] "*Could not create server TCP listening socket 192.0.2.1:*"
}

test "a unix socket with its permissions" {
    set path $tmp/s.sock
    set s [start_server -config "unixsocket $path\nunixsocketperm 700"]
    expect [exec redis-cli -s $path set k v] OK
    expect [exec redis-cli -s $path get k] v
    expect [file attributes $path -permissions] 040700
    expect_match [exec redis-cli -s $path client info] "* addr=$path:0 laddr=$path:0 *"
    stop_server $s
    expect [file exists $path] 0
}

test "port 0 and a unix socket alone" {
    set path $tmp/alone.sock
    set s [start_server -wait 0 -config "port 0\nunixsocket $path"]
    wait_until {![catch {exec redis-cli -s $path ping 2>@1} out] && $out eq "PONG"}
    expect_error {client} "*refused*"
}

test "protected mode refuses strangers while there is no password" {
    lassign [run_program hostname -I] status output
    set own [lindex $output 0]
    if {$own ne ""} {
        set s [start_server -config "bind 0.0.0.0\nprotected-mode yes"]
        set c [client -host $own]
        # An own address is a stranger only if it is not the loopback's.
        expect_match [read_to_end $c] "-DENIED *protected mode*"
        expect [[client] ping] PONG
        [client] config set requirepass secret
        set c [client -host $own]
        expect [$c auth secret] OK
    }
}

test "maxclients" {
    set s [start_server -config "maxclients 20"]
    set open {}
    for {set i 0} {$i < 20} {incr i} {
        set c [client]
        if {![catch {$c ping} reply] && $reply eq "PONG"} { lappend open $c }
    }
    expect [llength $open] 20
    set c [client]
    expect [read_to_end $c] "-ERR max number of clients reached\r\n"
    expect [info_field [[lindex $open 0] info stats] rejected_connections] 1
    close_client [lindex $open 5]
    wait_until {![catch {[client] ping}]}
}

test "timeout closes who is idle, but not who waits" {
    set s [start_server -config "timeout 1"]
    set idle [client]
    set waiting [client]
    $idle ping
    send $waiting blpop l 0
    expect [closed $idle 4000] 1
    expect [readable $waiting] 0
    set c [client]
    $c rpush l a
    expect [reply $waiting] {l a}
}

test "requirepass" {
    set s [start_server -password secret -config "requirepass secret"]
    expect [[client] ping] PONG
}

test "daemonize and pidfile" {
    set dir $tmp/daemon
    file mkdir $dir
    set port [free_port]
    lassign [run_server --port $port --bind 127.0.0.1 --daemonize yes --pidfile $dir/pid --dir $dir --logfile $dir/log --save ""] status
    expect $status 0
    wait_until {[file exists $dir/pid] && [string trim [read_file $dir/pid]] ne ""}
    set pid [string trim [read_file $dir/pid]]
    wait_until {![catch {client -port $port} c]}
    expect [info_field [$c info server] process_id] $pid
    signal_process $pid TERM
    wait_until {![file isdirectory /proc/$pid]}
    expect [file exists $dir/pid] 0
    expect_match [read_file $dir/log] "*bye bye*"
}

test "a log file that cannot be opened" {
    set output [refused --port 0 --logfile /nosuchfolder/log]
    expect_match $output "*Can't open the log file*"
}

test "a folder that is not there" {
    expect_match [refused [config_file "port 0\ndir /nosuchfolder\n"]] "*dir /nosuchfolder*No such file or directory*"
}

test "SIGTERM and SIGINT end it cleanly" {
    foreach signal {TERM INT} {
        set s [start_server]
        set c [client]
        $c set k v
        may_end $s
        signal_process [server_pid $s] $signal
        expect [wait_for_end [server_pid $s] 5000] 1
        expect_match [server_log $s] "*Received SIG$signal scheduling shutdown*"
        expect_match [server_log $s] "*User requested shutdown*"
        expect_match [server_log $s] "*is now ready to exit, bye bye...*"
        expect [closed $c 1000] 1
    }
}

test "the exit status after SIGTERM is 0" {
    set port [free_port]
    set f [open "|sh -c {setpriv --pdeathsig KILL $server_program --port $port --bind 127.0.0.1 --save '' >/dev/null & echo \$!; wait \$!; echo status \$?}"]
    set pid [gets $f]
    wait_until {![catch {client -port $port} c]}
    signal_process $pid TERM
    expect [gets $f] "status 0"
    close $f
}

test "SIGHUP does nothing" {
    set s [start_server]
    signal_process [server_pid] HUP
    after 100
    expect [[client] ping] PONG
}

test "a crash leaves a report with the stack" {
    set s [start_server]
    set c [client]
    may_end $s
    set ::Server($s,may_crash) 1
    catch {send $c debug segfault}
    expect [wait_for_end [server_pid $s] 20000] 1
    expect_match [server_log $s] "*BUG REPORT START*"
    expect_match [server_log $s] "*crashed by signal: 11*"
    expect_match [server_log $s] "*STACK TRACE*"
    expect_match [server_log $s] "*INFO OUTPUT*"
    expect_match [server_log $s] "*BUG REPORT END*"
}

test "SIGTERM while a thousand clients are connected and some wait" {
    set s [start_server]
    set all {}
    for {set i 0} {$i < 300} {incr i} {
        set c [client]
        if {$i % 3 == 0} { send $c blpop l 0 }
        if {$i % 3 == 1} { raw_send $c "*2\r\n\$4\r\nPI" }
        lappend all $c
    }
    may_end $s
    signal_process [server_pid $s] TERM
    expect [wait_for_end [server_pid $s] 10000] 1
    foreach c $all { expect [closed $c 1000] 1 }
}

test "options that make no sense here are accepted" {
    set s [start_server -config "io-threads 4\nactiverehashing yes\nlua-time-limit 5000\nrdbcompression yes\nappendonly no\noom-score-adj no\nactivedefrag no\nhll-sparse-max-bytes 3000\nset-max-intset-entries 512\nzset-max-listpack-entries 128\nhash-max-listpack-value 64\nrepl-backlog-size 1mb\ncluster-enabled no\nnotify-keyspace-events \"\"\njemalloc-bg-thread yes\ntcp-backlog 511\nalways-show-logo no\nset-proc-title yes"]
    expect [[client] ping] PONG
}

test "some options may stand in a file without a value, and are empty then" {
    set s [start_server -config "save\nlatency-tracking-info-percentiles"]
    expect [lsort -stride 2 [[client] config get save latency-tracking-info-percentiles]] \
        {latency-tracking-info-percentiles {} save {}}
    expect_match [refused [config_file "port 0\ntimeout\n"]] "*wrong number of arguments*"
}

test "the configuration file that we ship" -only weft {
    lassign [run_server --check-config $root/redis.conf] status output
    expect $status 0
}

test "Debian's configuration file of Redis is accepted" {
    if {[file readable /etc/redis/redis.conf]} {
        set text [read_file /etc/redis/redis.conf]
        set s [start_server -config "[regsub -all -line {^(port|bind|dir|logfile|pidfile|daemonize|save|supervised|protected-mode|dbfilename) .*$} $text {}]"]
        expect [[client] ping] PONG
    }
}

proc title_of {name} {
    set bytes [read_file /proc/[server_pid $name]/cmdline]
    return [string map {\0 { }} [string trimright $bytes \0]]
}

test "proc-title-template is what ps shows" {
    set s [start_server]
    set c [client]
    expect_match [title_of $s] "*server*:[server_port $s]*"
    $c config set proc-title-template "T {port} {listen-addr} {config-file} {tls-port}"
    expect_match [title_of $s] "T [server_port $s] *:[server_port $s] /*.conf 0"
    $c config set proc-title-template "short"
    expect_match [title_of $s] "short*"
    expect_error {$c config set proc-title-template "{what}"} "*template format is invalid*"
    expect [$c ping] PONG
}

test "set-proc-title no leaves the command line alone" {
    set s [start_server -config "set-proc-title no"]
    [client] config set proc-title-template "other"
    expect_true {![string match other [title_of $s]]}
}
