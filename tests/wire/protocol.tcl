# protocol.tcl - RESP2, RESP3 and inline requests; limits; garbage; input in any pieces.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]

# What the server says to BYTES before it closes.
proc answer_and_close {bytes} {
    set c [client]
    raw_send $c $bytes
    return [read_to_end $c]
}

test "inline requests" {
    set d [client]
    raw_send $d "PING\r\n"
    expect [raw_reply $d] "+PONG\r\n"
    raw_send $d "SET inline value\nGET inline\r\n"
    expect [raw_reply $d] "+OK\r\n"
    expect [raw_reply $d] "\$5\r\nvalue\r\n"
    raw_send $d "  echo \t  \"a b\\x41\\n\\\"q\" \r\n"
    expect [raw_reply $d] "\$7\r\na bA\n\"q\r\n"
    raw_send $d "echo 'single \\'quoted\\' \\n'\r\n"
    expect [raw_reply $d] "\$18\r\nsingle 'quoted' \\n\r\n"
}

test "empty lines and empty multibulks are passed over" {
    set d [client]
    raw_send $d "\r\n\r\n*0\r\n*-1\r\n\r\nPING\r\n"
    expect [raw_reply $d] "+PONG\r\n"
}

test "unbalanced quotes end the connection" {
    expect [answer_and_close "SET \"a b\r\n"] "-ERR Protocol error: unbalanced quotes in request\r\n"
    expect [answer_and_close "SET 'a'b\r\n"] "-ERR Protocol error: unbalanced quotes in request\r\n"
}

test "an inline request of more than 64 KB ends the connection" {
    set d [client]
    raw_send $d [string repeat x 65000]
    expect [readable $d 50] 0
    raw_send $d [string repeat x 10000]
    expect [read_to_end $d] "-ERR Protocol error: too big inline request\r\n"
}

test "a header line of more than 64 KB ends the connection" {
    expect [answer_and_close "*[string repeat 1 70000]"] "-ERR Protocol error: too big mbulk count string\r\n"
    expect [answer_and_close "*1\r\n\$[string repeat 1 70000]"] "-ERR Protocol error: too big bulk count string\r\n"
}

test "bad headers end the connection" {
    foreach {bytes error} {
        "*abc\r\n" "invalid multibulk length"
        "*1048577\r\n" ?
        "*2147483648\r\n" "invalid multibulk length"
        "*99999999999999999999\r\n" "invalid multibulk length"
        "*3\r\n\$3\r\nSET\r\n\$1\r\nx\r\nfooz\r\n" "expected '\$', got 'f'"
        "*1\r\nPING\r\n" "expected '\$', got 'P'"
        "*1\r\n\$abc\r\n" "invalid bulk length"
        "*1\r\n\$-1\r\n" "invalid bulk length"
        "*1\r\n\$536870913\r\n" "invalid bulk length"
        "*1\r\n\$99999999999999999999\r\n" "invalid bulk length"
        "*1\r\n\$\r\n" "invalid bulk length"
        "*1\r\n*1\r\n" "expected '\$', got '*'"
    } {
        if {$error eq "?"} continue
        expect [answer_and_close [subst -nocommands -novariables $bytes]] \
            "-ERR Protocol error: [subst -nocommands -novariables $error]\r\n" "[printable $bytes] "
    }
}

test "replies before a protocol error still come" {
    expect [answer_and_close "PING\r\n*1\r\n\$-1\r\nPING\r\n"] "+PONG\r\n-ERR Protocol error: invalid bulk length\r\n"
}

test "requests of HTTP are refused and logged" {
    # The error of GET may or may not get out before the connection is closed.
    set answer [answer_and_close "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"]
    expect_true {$answer in [list "" "-ERR wrong number of arguments for 'get' command\r\n"]}
    expect [answer_and_close "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n"] ""
    expect_match [server_log] "*Possible SECURITY ATTACK detected*"
}

test "garbage and a hello of TLS" {
    set hello [binary format H* 16030100c8010000c40303]
    set d [client]
    raw_send $d "$hello[string repeat "\x00\xff\x80" 30]\r\n"
    half_close $d
    read_to_end $d
    for {set i 0} {$i < 20} {incr i} {
        set d [client]
        set bytes ""
        for {set j 0} {$j < 300} {incr j} { append bytes [format %c [expr {int(rand() * 256)}]] }
        catch {
            raw_send $d $bytes
            half_close $d
            read_to_end $d
        }
        close_client $d
    }
    expect [$c ping] PONG
}

test "input byte by byte" {
    set d [client]
    foreach byte [split [request set key "va\r\nlue"][request get key]PING\r\n ""] {
        raw_send $d $byte
    }
    expect [raw_reply $d] "+OK\r\n"
    expect [raw_reply $d] "\$7\r\nva\r\nlue\r\n"
    expect [raw_reply $d] "+PONG\r\n"
}

test "input cut at every place" {
    set d [client]
    set bytes [request set cut [string repeat y 40]][request append cut "\x00z"][request strlen cut]
    for {set i 1} {$i < [string length $bytes]} {incr i} {
        raw_send $d [string range $bytes 0 [expr {$i - 1}]]
        after 1
        raw_send $d [string range $bytes $i end]
        expect [replies $d 3] {OK 42 42}
    }
}

test "a pipeline of 10,000 requests in one write" {
    set bytes ""
    for {set i 0} {$i < 10000} {incr i} { append bytes [request set p:$i $i][request get p:$i] }
    raw_send $c $bytes
    for {set i 0} {$i < 10000} {incr i} {
        expect [raw_reply $c] "+OK\r\n"
        expect [reply $c] $i
    }
}

test "a pipeline that mixes inline, RESP and empty requests" {
    raw_send $c "PING\r\n[request echo a]\r\n*0\r\nECHO b\r\n[request ping c]"
    expect [replies $c 4] {PONG a b c}
}

test "a request of 100,000 arguments" {
    set args {}
    for {set i 0} {$i < 100000} {incr i} { lappend args m$i }
    expect [$c del {*}$args] 0
    expect [$c rpush many {*}$args] 100000
    expect [$c lindex many 99999] m99999
    $c del many
}

test "arguments of 16 KB to 1 MB, pipelined, cut into pieces" {
    set bytes ""
    foreach n {16384 32767 32768 32769 65536 262144 1048576} {
        append bytes [request set big:$n [string repeat "$n." [expr {$n / 8}]]][request strlen big:$n]
    }
    set d [client]
    for {set at 0} {$at < [string length $bytes]} {incr at 50001} {
        raw_send $d [string range $bytes $at [expr {$at + 50000}]]
    }
    foreach n {16384 32767 32768 32769 65536 262144 1048576} {
        expect [reply $d] OK
        expect [reply $d] [string length [string repeat "$n." [expr {$n / 8}]]]
    }
}

test "proto-max-bulk-len bounds an argument" {
    $c config set proto-max-bulk-len 2mb
    expect [answer_and_close "*3\r\n\$3\r\nSET\r\n\$1\r\nk\r\n\$2097153\r\n"] "-ERR Protocol error: invalid bulk length\r\n"
    expect [$c set k [string repeat x 2097152]] OK
    expect_error {$c append k y} "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    $c config set proto-max-bulk-len 512mb
    $c del k
}

test "RESP3: types of replies" {
    set r [resp3_client]
    $r del none
    expect [wire $r get none] "_\r\n"
    expect_match [wire $r config get maxclients] "%1\r\n\$10\r\nmaxclients\r\n*"
    expect_match [wire $r info server] "=*\r\ntxt:*"
    expect_match [wire $r client list] "=*\r\ntxt:id=*"
    expect_match [wire $r client info] "=*\r\ntxt:id=*"
    expect [wire $r lpop none 2] "_\r\n"
    expect_match [wire $r command info get] "\\*1\r\n\\*10\r\n\$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n*"
    expect [wire $r debug protocol true] "#t\r\n"
    expect [wire $r debug protocol false] "#f\r\n"
    expect [wire $r debug protocol double] ",3.141\r\n"
    expect [wire $r debug protocol null] "_\r\n"
    expect [wire $r debug protocol bignum] "(1234567999999999999999999999999999999\r\n"
    expect [wire $r debug protocol set] "~3\r\n:0\r\n:1\r\n:2\r\n"
    expect [wire $r debug protocol map] "%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"
    expect [wire $r debug protocol verbatim] "=29\r\ntxt:This is a verbatim\nstring\r\n"
    expect_match [wire $r debug protocol attrib] "|1\r\n\$14\r\nkey-popularity\r\n*"
}

test "RESP2: the same types" {
    expect [wire $c debug protocol true] ":1\r\n"
    expect [wire $c debug protocol false] ":0\r\n"
    expect [wire $c debug protocol double] "\$5\r\n3.141\r\n"
    expect [wire $c debug protocol null] "\$-1\r\n"
    expect [wire $c debug protocol bignum] "\$37\r\n1234567999999999999999999999999999999\r\n"
    expect [wire $c debug protocol set] "*3\r\n:0\r\n:1\r\n:2\r\n"
    expect [wire $c debug protocol map] "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n"
    expect [wire $c debug protocol verbatim] "\$25\r\nThis is a verbatim\nstring\r\n"
    expect [wire $c debug protocol integer] ":12345\r\n"
    expect [wire $c debug protocol string] "\$11\r\nHello World\r\n"
    expect [wire $c debug protocol array] "*3\r\n:0\r\n:1\r\n:2\r\n"
}

test "the protocol changes in the middle of a pipeline" {
    set d [client]
    raw_send $d "[request get none][request hello 3][request get none][request hello 2][request get none]"
    expect [raw_reply $d] "\$-1\r\n"
    expect_match [raw_reply $d] "%7*"
    expect [raw_reply $d] "_\r\n"
    expect_match [raw_reply $d] "\\*14*"
    expect [raw_reply $d] "\$-1\r\n"
}

test "a client that sends no whole request does not hold others up" {
    set slow_ones {}
    repeat 50 {
        set d [client]
        raw_send $d "*3\r\n\$3\r\nSET\r\n\$1\r\nk\r\n\$100000\r\npart"
        lappend slow_ones $d
    }
    expect_true {[elapsed_ms {repeat 200 {$c ping}}] < 2000 * $slow}
    foreach d $slow_ones { close_client $d }
    expect [$c ping] PONG
}

test "client-query-buffer-limit bounds what is kept of a request" {
    $c config set client-query-buffer-limit 1mb
    set d [client]
    raw_send $d "*2\r\n\$4\r\nECHO\r\n\$3000000\r\n"
    catch {
        repeat 29 { raw_send $d [string repeat x 100000] }
        read_to_end $d
    }
    expect_true {[closed $d 3000]}
    $c config set client-query-buffer-limit 1gb
}

test "a reply of 64 MB arrives whole beside small ones" {
    set big [string repeat "0123456789abcdef" 4194304]
    $c set big $big
    raw_send $c "PING\r\nGET big\r\nPING\r\n"
    expect [reply $c] PONG
    expect_true {[reply $c] eq $big}
    expect [reply $c] PONG
    $c del big
}
