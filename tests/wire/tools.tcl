# tools.tcl - redis-cli and redis-benchmark, driven as a user would.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]

# redis-cli with these arguments against the server; its output.
proc cli {args} { exec -ignorestderr timeout 30 redis-cli -p [server_port] {*}$args 2>@1 }
proc cli_with {input args} { exec -ignorestderr timeout 30 redis-cli -p [server_port] {*}$args << $input 2>@1 }

test "one-liners" {
    expect [cli ping] PONG
    expect [cli set k "a b"] OK
    expect [cli get k] "a b"
    expect [cli get none] ""
    expect [cli -n 3 set in3 v] OK
    expect [cli -n 3 get in3] v
    expect [cli rpush l a b c] 3
    expect [cli lrange l 0 -1] "a\nb\nc"
    expect [cli --csv lrange l 0 -1] {"a","b","c"}
    expect [cli --no-raw get k] {"a b"}
    expect [cli --no-raw get none] (nil)
    expect [cli --no-raw incr n] "(integer) 1"
    expect [cli --no-raw lrange l 0 0] "1) \"a\""
    expect_match [cli lpush k x] "WRONGTYPE *"
}

test "arguments from standard input, repetition, and RESP3" {
    expect [cli_with "from stdin" -x set fromstdin] OK
    expect [cli get fromstdin] "from stdin"
    expect [cli -r 5 incr repeated] "1\n2\n3\n4\n5"
    expect [cli -3 get none] ""
    expect_match [cli -3 --no-raw config get maxclients] "1# \"maxclients\" => *"
    expect_match [cli -3 --no-raw hello 3] "1# \"server\" => \"redis\"*"
    expect_match [cli info server] "# Server*redis_version:*"
}

test "a script through the pipe" {
    set script ""
    for {set i 0} {$i < 2000} {incr i} { append script "SET piped:$i \"value $i\"\n" }
    append script "GET piped:1999\nNOSUCH\nECHO \"end of it\"\n"
    set lines [split [cli_with $script] \n]
    expect [llength [lsearch -all -exact $lines OK]] 2000
    expect_true {"value 1999" in $lines}
    expect_true {[lsearch -glob $lines "ERR unknown command*"] > 0}
    expect_true {"end of it" in $lines}
}

test "MULTI and SELECT in a script" {
    set out [cli_with "MULTI\nSET m 1\nINCR m\nEXEC\nSELECT 5\nSET in5 v\n"]
    expect $out "OK\nQUEUED\nQUEUED\nOK\n2\nOK\nOK"
    expect [cli -n 5 get in5] v
}

test "mass insertion with --pipe" {
    set bytes ""
    for {set i 0} {$i < 20000} {incr i} { append bytes [request set mass:$i $i] }
    write_file $tmp/mass $bytes
    set out [exec timeout 30 redis-cli -p [server_port] --pipe < $tmp/mass 2>@1]
    expect_match $out "*errors: 0, replies: 20000*"
    expect [$c get mass:19999] 19999
    write_file $tmp/mass "[request set ok 1][request lpush ok x][request set ok 2]"
    catch {exec timeout 30 redis-cli -p [server_port] --pipe < $tmp/mass 2>@1} out
    expect_match $out "*errors: 1, replies: 3*"
}

test "--scan with and without a pattern" {
    $c flushall
    for {set i 0} {$i < 3000} {incr i} { queue $c set scan:$i v }
    for {set i 0} {$i < 10} {incr i} { queue $c set other:$i v }
    flush_client $c
    replies $c 3010
    expect [llength [lsort -unique [split [cli --scan] \n]]] 3010
    expect [llength [lsort -unique [split [cli --scan --pattern other:*] \n]]] 10
}

test "--bigkeys and --memkeys" {
    $c set large [string repeat x 5000]
    $c rpush long {*}[lrepeat 500 e]
    set out [cli --bigkeys]
    expect_match $out {*Biggest string found *"large"* has 5000 bytes*}
    expect_match $out {*Biggest   list found *"long"* has 500 items*}
    expect_match $out "*Sampled 3012 keys in the keyspace*"
    expect_match [cli --memkeys] {*Biggest *string found *"large"* has *}
}

test "--stat" {
    set out [exec timeout 20 sh -c "timeout 1.5 stdbuf -oL redis-cli -p [server_port] --stat -i 0.3 | head -5"]
    expect_match $out "*keys *mem *clients *blocked *requests *connections*"
    expect_match $out "*3012 *"
}

test "--latency" {
    set out [exec timeout 20 sh -c "timeout -s INT 1.2 redis-cli -p [server_port] --latency --raw < /dev/null; true"]
    expect_true {[regexp {^[0-9]+ [0-9]+ [0-9.]+ [0-9]+} $out]}
}

test "--intrinsic commands: INFO, CONFIG, CLIENT, SLOWLOG, MEMORY through the tool" {
    expect_match [cli config get maxmemory] "maxmemory\n0"
    expect_match [cli client list] "id=* addr=* cmd=client|list*"
    expect_match [cli memory stats] "*peak.allocated*"
    expect_match [cli command docs get] "*summary*"
    expect_match [cli --no-raw slowlog get] "*"
    expect_match [cli help get] "*GET*key*"
}

test "BLPOP through the tool" {
    set f [open "|timeout 20 redis-cli -p [server_port] blpop toolq 5" r]
    wait_blocked $c 1
    $c rpush toolq x
    expect [read $f] "toolq\nx\n"
    close $f
}

test "redis-cli with a password" {
    set s [start_server -config "requirepass secret"]
    expect_match [exec redis-cli -p [server_port] ping 2>@1] "*NOAUTH*"
    expect [exec redis-cli -p [server_port] --no-auth-warning -a secret ping] PONG
    expect [exec redis-cli -u redis://default:secret@127.0.0.1:[server_port]/2 --no-auth-warning set k v] OK
    expect_match [exec redis-cli -p [server_port] -a wrong ping 2>@1] "*WRONGPASS*"
}

# redis-benchmark with these arguments; fails when it complains or prints no rate.
proc benchmark {args} {
    set out [exec -ignorestderr timeout 60 redis-benchmark -p [server_port] --csv {*}$args 2>@1]
    foreach line [lrange [split $out \n] 1 end] {
        if {![regexp {^"[^"]+","[0-9.]+"} $line]} { fail "redis-benchmark printed: $line" }
    }
    return $out
}

test "redis-benchmark: the tests it has by default, of commands there are" {
    set out [benchmark -n 2000 -q -t ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,lrange_100,lrange_300,lrange_500,lrange_600,mset]
    foreach name {PING_INLINE PING_MBULK SET GET INCR LPUSH RPUSH LPOP RPOP LRANGE_100 MSET} { expect_match $out "*\"$name*" }
}

test "redis-benchmark: pipelines, many clients, random keys, threads" {
    benchmark -n 20000 -P 16 -c 50 -r 10000 -t get,set
    benchmark -n 20000 -P 100 -c 10 -t get
    benchmark -n 5000 -c 300 -t get,set
    benchmark -n 10000 -c 20 --threads 2 -t get,set
    benchmark -n 1000 -d 100000 -t set,get
    benchmark -n 5000 -r 1000 SET key:__rand_int__ value EX 100
}

test "redis-benchmark leaves the server well" {
    wait_until {[info_field [$c info clients] connected_clients] == 1}
    expect [$c ping] PONG
}
