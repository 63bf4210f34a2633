# debug.tcl - DEBUG's subcommands for looking at values, and what is freed in the background.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]

proc fresh {} { $::c flushall }
proc field {text name} {
    if {![regexp "\\m$name:(\\S+)" $text - value]} { fail "no $name in $text" }
    return $value
}
proc freed {} { info_field [$::c info memory] lazyfreed_objects }
proc fill_set {key n} {
    for {set i 0} {$i < $n} {incr i 1000} {
        set members {}
        for {set k $i} {$k < $i + 1000} {incr k} { lappend members member:$k }
        $::c sadd $key {*}$members
    }
}

test "DEBUG OBJECT shows how a value is kept" {
    fresh
    $c set s hello
    set text [$c debug object s]
    expect [field $text encoding] embstr
    expect [field $text serializedlength] 6
    expect [field $text lru_seconds_idle] 0
    expect_error {$c debug object none} "ERR no such key"
}

test "DEBUG OBJECT shows the nodes of a list" {
    fresh
    $c config set list-max-listpack-size 10 list-compress-depth 2
    for {set i 0} {$i < 100} {incr i} { $c rpush l element:$i }
    set text [$c debug object l]
    $c config set list-max-listpack-size -2 list-compress-depth 0
    expect [field $text ql_nodes] 10
    expect [field $text ql_avg_node] 10.00
    expect [field $text ql_listpack_max] 10
    expect [field $text ql_compressed] 1
    expect_true {[field $text ql_uncompressed_size] > 1000}
}

test "DEBUG OBJECT fast does without the length" -only weft {
    fresh
    $c set s hello
    expect_true {![string match *serializedlength* [$c debug object s fast]]}
}

test "DEBUG PAUSE-CRON stops what is regular" -since 7.2 {
    expect [$c debug pause-cron 1] OK
    expect [$c ping] PONG
    expect [$c debug pause-cron 0] OK
}

test "what is freed in the background is counted, until it is reset" {
    fresh
    $c config resetstat
    fill_set s 5000
    expect [freed] 0
    $c unlink s
    wait_until {[freed] == 1}
    $c config resetstat
    expect [freed] 0
}

test "FLUSHALL counts, but not in a transaction" -since 7.4 {
    fresh
    $c config resetstat
    $c mset a 1 b 2
    $c flushall
    expect [freed] 2
    $c mset a 1 b 2
    $c multi
    $c flushall
    $c dbsize
    expect [$c exec] {OK 0}
    expect [freed] 2
}

test "lazyfree-lazy-user-flush is what FLUSHALL does without a word" {
    fresh
    expect [lindex [$c config get lazyfree-lazy-user-flush] 1] no
    $c config set lazyfree-lazy-user-flush yes
    $c set a 1
    expect [$c flushall] OK
    expect [$c dbsize] 0
    $c config set lazyfree-lazy-user-flush no
}
