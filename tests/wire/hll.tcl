# hll.tcl - HyperLogLogs.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set wrongtype "WRONGTYPE Operation against a key holding the wrong kind of value"
set nothll "WRONGTYPE Key is not a valid HyperLogLog string value."
set corrupt "INVALIDOBJ Corrupted HLL object detected"

proc fresh {} { $::c flushall }
proc numbers {from to} {
    set out {}
    for {set i $from} {$i < $to} {incr i} { lappend out $i }
    return $out
}
proc near {got want percent} { expr {abs($got - $want) <= $want * $percent / 100.0} }

test "PFADD says whether something changed" {
    fresh
    expect [$c pfadd h] 1
    expect [$c pfadd h] 0
    expect [$c pfadd h a b c] 1
    expect [$c pfadd h a b c] 0
    expect [$c pfadd h {}] 1
    expect [$c pfcount h] 4
    expect [$c type h] string
    expect [$c object encoding h] raw
}

test "the bytes are Redis's" {
    fresh
    $c pfadd h
    expect [$c get h] "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff"
    $c pfadd h a b c
    expect [$c get h] "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80`\xf3\x80P\xb1\x84K\xfb\x80BZ"
    expect [$c pfcount h] 3
    expect [$c getrange h 8 15] "\x03\x00\x00\x00\x00\x00\x00\x00"
    $c pfadd h a
    expect [$c getrange h 15 15] "\x00"
    $c pfadd h d
    expect [$c getrange h 15 15] "\x80"
}

test "PFCOUNT is near, sparse and dense" {
    fresh
    for {set i 0} {$i < 20000} {incr i 500} {
        $c pfadd h {*}[numbers $i [expr {$i + 500}]]
        expect_true {[near [$c pfcount h] [expr {$i + 500}] 4]}
    }
    expect [$c pfdebug encoding h] dense
    expect [$c strlen h] 12304
}

test "PFCOUNT of several keys counts their union" {
    fresh
    $c pfadd a 1 2 3
    $c pfadd b 3 4
    $c pfadd c {*}[numbers 0 5000]
    expect [$c pfcount a b] 4
    expect [$c pfcount a a none] 3
    expect [$c pfcount none] 0
    expect [$c pfcount none other] 0
    expect_true {[near [$c pfcount a b c] 5000 4]}
    expect [$c exists none] 0
}

test "PFMERGE takes the union into its destination" {
    fresh
    $c pfadd a 1 2 3
    $c pfadd b 3 4
    $c pfadd d 9
    expect [$c pfmerge d a b none] OK
    expect [$c pfcount d] 5
    expect [$c pfdebug encoding d] sparse
    expect [$c pfmerge fresh none] OK
    expect [$c pfcount fresh] 0
    expect [$c pfmerge alone] OK
    expect [$c exists alone] 1
    expect [$c pfmerge d] OK
    expect [$c pfcount d] 5
    $c pfdebug todense b
    $c pfmerge d b
    expect [$c pfdebug encoding d] dense
    expect [$c pfcount d] 5
    $c expire d 1000
    $c pfmerge d a
    expect_true {[$c ttl d] > 900}
}

test "PFMERGE of many sparse ones becomes dense" {
    fresh
    $c pfadd a {*}[numbers 0 1000]
    $c pfadd b {*}[numbers 1000 2000]
    $c pfadd c {*}[numbers 0 2000]
    $c pfmerge d a b
    expect [$c pfcount d] [$c pfcount c]
    expect [$c pfdebug encoding d] dense
    expect [$c pfdebug getreg d] [$c pfdebug getreg c]
}

test "hll-sparse-max-bytes decides when it is dense" {
    fresh
    $c config set hll-sparse-max-bytes 30
    $c pfadd h a b c d e f g h
    expect [$c pfdebug encoding h] dense
    $c config set hll-sparse-max-bytes 3000
    $c pfadd i a b c d e f g h
    expect [$c pfdebug encoding i] sparse
    expect [$c pfcount i] [$c pfcount h]
}

test "PFDEBUG looks inside" {
    fresh
    $c pfadd h a b c
    expect [$c pfdebug decode h] "Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603"
    expect [llength [$c pfdebug getreg h]] 16384
    expect [$c pfdebug encoding h] dense
    expect [$c pfdebug todense h] 0
    expect_error {$c pfdebug decode h} "ERR HLL encoding is not sparse"
    expect_error {$c pfdebug foo h} "ERR Unknown PFDEBUG subcommand 'foo'"
    expect_error {$c pfdebug encoding none} "ERR The specified key does not exist"
}

test "what is no HyperLogLog is refused" {
    fresh
    $c set s hello
    $c rpush l x
    foreach command {{pfadd KEY 1} {pfcount KEY} {pfcount none KEY} {pfmerge KEY} {pfmerge d KEY} {pfdebug encoding KEY}} {
        expect_error {$c {*}[string map {KEY s} $command]} $nothll
        expect_error {$c {*}[string map {KEY l} $command]} $wrongtype
    }
    expect [$c exists d] 0
}

test "corrupt ones are errors" {
    fresh
    $c pfadd h a b c
    $c append h hello
    expect_error {$c pfcount h} $corrupt
    expect_error {$c pfcount h none} $corrupt
    expect_error {$c pfmerge d h} $corrupt
    expect_error {$c pfdebug todense h} $corrupt
    $c del h
    $c pfadd h a b c
    $c setrange h 16 "\x7f"
    expect_error {$c pfcount h} $corrupt
    $c setrange h 0 XYZ
    expect_error {$c pfcount h} $nothll
    for {set i 0} {$i < 300} {incr i} {
        $c del h
        $c pfadd h {*}[numbers 0 [expr {$i * 5}]]
        for {set n 0} {$n < 3} {incr n} {
            $c setrange h [expr {int(rand() * [$c strlen h])}] [format %c [expr {int(rand() * 256)}]]
        }
        catch {$c pfcount h}
        catch {$c pfadd h x y z}
        catch {$c pfmerge d h}
    }
    expect [$c ping] PONG
}

test "PFSELFTEST passes, and others are served meanwhile" {
    set other [client]
    send $c pfselftest
    expect [$other ping] PONG
    expect [reply $c] OK
    $c multi
    $c pfselftest
    expect [$c exec] OK
}

test "COMMAND GETKEYS of the HyperLogLog commands" {
    expect [$c command getkeys pfadd k a b] k
    expect [$c command getkeys pfcount a b] {a b}
    expect [$c command getkeys pfmerge d a b] {d a b}
    expect [$c command getkeys pfdebug encoding k] k
}
