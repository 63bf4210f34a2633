# geo.tcl - places: adding them, asking for them, searching them.
source [file join [file dirname [info script]] .. harness.tcl]

start_server
set c [client -keep 1]
set wrongtype "WRONGTYPE Operation against a key holding the wrong kind of value"
proc fresh {} { $::c flushall }
proc sicily {} {
    fresh
    $::c geoadd Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
    $::c geoadd Sicily 13.583333 37.316667 Agrigento 12.758489 38.788135 edge1 17.241510 38.788135 edge2
}

test "GEOADD adds, changes and counts" {
    fresh
    expect [$c geoadd Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania] 2
    expect [$c zscore Sicily Palermo] 3479099956230698
    expect [$c zscore Sicily Catania] 3479447370796909
    expect [$c geoadd Sicily 13.361389 38.115556 Palermo] 0
    expect [$c geoadd Sicily ch 13.361389 38.2 Palermo 1 1 New] 2
    expect [$c geoadd Sicily 13.361389 38.1 Palermo] 0
    expect [$c geoadd Sicily nx 0 0 Palermo 0 0 Null] 1
    expect [$c geoadd Sicily xx 0 0 Absent] 0
    expect [$c geoadd none XX 0 0 Absent] 0
    expect [$c exists none] 0
    expect [$c geoadd Sicily xx CH 0 0 Palermo] 1
    expect [$c zscore Sicily Palermo] [$c zscore Sicily Null]
    expect [$c type Sicily] zset
    expect [$c geoadd edge 180 85.05112878 a -180 -85.05112878 b] 2
    expect [$c zscore edge b] 0
}

test "GEOADD refuses wrong arguments and then adds nothing" {
    fresh
    expect_error {$c geoadd k 13.3 38.1} "ERR wrong number of arguments for 'geoadd' command"
    expect_error {$c geoadd k 13.3 38.1 a 1} "ERR syntax error"
    expect_error {$c geoadd k nx xx 13.3 38.1 a} "ERR syntax error"
    expect_error {$c geoadd k nx ch nx} "ERR syntax error"
    expect_error {$c geoadd k foo 13.3 38.1 a} "ERR syntax error"
    expect_error {$c geoadd k 1 1 ok 180.1 38.1 a} "ERR invalid longitude,latitude pair 180.100000,38.100000"
    expect_error {$c geoadd k 1 1 ok 0 -86 a} "ERR invalid longitude,latitude pair 0.000000,-86.000000"
    expect_error {$c geoadd k 1 1 ok x 38.1 a} "ERR value is not a valid float"
    expect_error {$c geoadd k 1 1 ok 13.3 nan a} "ERR value is not a valid float"
    expect [$c exists k] 0
    $c set s v
    expect_error {$c geoadd s 1 1 a} $wrongtype
}

test "GEOPOS GEOHASH GEODIST" {
    sicily
    expect [$c geopos Sicily Palermo none] \
        {{13.36138933897018433 38.11555639549629859} (nil)}
    expect [wire $c geopos Sicily none] "*1\r\n*-1\r\n"
    expect [$c geopos none a b] {(nil) (nil)}
    expect [$c geopos Sicily] {}
    expect [$c geohash Sicily Palermo Catania none] {sqc8b49rny0 sqdtr74hyu0 (nil)}
    expect [wire $c geohash none a] "*1\r\n\$-1\r\n"
    expect [$c geodist Sicily Palermo Catania] 166274.1516
    expect [$c geodist Sicily Palermo Catania KM] 166.2742
    expect [$c geodist Sicily Palermo Catania ft] 545518.8700
    expect [$c geodist Sicily Palermo Catania mi] 103.3182
    expect [$c geodist Sicily Palermo Palermo] 0.0000
    expect [$c geodist Sicily Palermo none] (nil)
    expect [$c geodist none a b] (nil)
    expect_error {$c geodist Sicily Palermo Catania foo} "ERR unsupported unit provided. please use M, KM, FT, MI"
    expect_error {$c geodist Sicily Palermo Catania km x} "ERR syntax error"
    $c set s v
    foreach command {{geopos s a} {geohash s a} {geodist s a b}} { expect_error {$c {*}$command} $wrongtype }
    $c geoadd zero 0 0 o
    expect_match [lindex [$c geopos zero o] 0] {0.0000026* 0.0000012*}
}

test "GEOSEARCH finds circles and boxes, in order, with what is asked for" {
    sicily
    expect [$c geosearch Sicily fromlonlat 15 37 byradius 200 km asc] {Catania Agrigento Palermo}
    expect [$c geosearch Sicily fromlonlat 15 37 byradius 200 km desc] {Palermo Agrigento Catania}
    expect [$c geosearch Sicily fromlonlat 15 37 bybox 400 400 km asc] {Catania Agrigento Palermo edge2 edge1}
    expect [$c geosearch Sicily frommember Palermo byradius 100 km asc] {Palermo Agrigento edge1}
    expect [$c geosearch Sicily fromlonlat 15 37 byradius 200 km asc count 2] {Catania Agrigento}
    expect [$c geosearch Sicily fromlonlat 15 37 byradius 200 km count 1] Catania
    expect [$c geosearch Sicily fromlonlat 15 37 byradius 200 km count 2 desc] {Palermo Agrigento}
    expect [llength [$c geosearch Sicily fromlonlat 15 37 byradius 200 km count 2 any]] 2
    expect [$c geosearch Sicily fromlonlat 15 37 byradius 200 km asc withdist] \
        {{Catania 56.4413} {Agrigento 130.4235} {Palermo 190.4424}}
    expect [$c geosearch Sicily fromlonlat 15 37 byradius 60 km withcoord withdist withhash] \
        {{Catania 56.4413 3479447370796909 {15.08726745843887329 37.50266842333162032}}}
    expect [$c geosearch Sicily fromlonlat 15 37 bybox 100000 200000 m withdist] {{Catania 56441.2579}}
    expect [$c geosearch Sicily fromlonlat 0 0 byradius 10 m] {}
    expect [$c geosearch none fromlonlat 0 0 byradius 10 m] {}
    expect [$c geosearch none frommember x byradius 10 m] {}
    expect [$c geosearch Sicily frommember Palermo byradius 0 m] Palermo
}

test "GEOSEARCH refuses wrong arguments" {
    sicily
    $c set s v
    foreach {command error} {
        {s fromlonlat 0 0 byradius 1 m} "WRONGTYPE *"
        {Sicily fromlonlat 0 0 asc withdist} "ERR exactly one of BYRADIUS and BYBOX can be specified for geosearch"
        {Sicily byradius 1 m asc withdist} "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch"
        {Sicily fromlonlat 0 0 frommember a byradius 1 m} "ERR syntax error"
        {Sicily fromlonlat 0 0 byradius 1 m bybox 1 1 m} "ERR syntax error"
        {Sicily frommember none byradius 1 m} "ERR could not decode requested zset member"
        {Sicily fromlonlat 0 0 byradius x m} "ERR need numeric radius"
        {Sicily fromlonlat 0 0 byradius -1 m} "ERR radius cannot be negative"
        {Sicily fromlonlat 0 0 byradius 1 x} "ERR unsupported unit provided. please use M, KM, FT, MI"
        {Sicily fromlonlat 0 0 bybox x 1 m} "ERR need numeric width"
        {Sicily fromlonlat 0 0 bybox 1 x m} "ERR need numeric height"
        {Sicily fromlonlat 0 0 bybox 1 -1 m} "ERR height or width cannot be negative"
        {Sicily fromlonlat 0 90 byradius 1 m} "ERR invalid longitude,latitude pair 0.000000,90.000000"
        {Sicily fromlonlat 0 0 byradius 1 m count 0} "ERR COUNT must be > 0"
        {Sicily fromlonlat 0 0 byradius 1 m count x} "ERR value is not an integer or out of range"
        {Sicily fromlonlat 0 0 byradius 1 m any} "ERR the ANY argument requires COUNT argument"
        {Sicily fromlonlat 0 0 byradius 1 m count} "ERR syntax error"
        {Sicily fromlonlat 0 0 byradius 1 m store t} "ERR syntax error"
        {Sicily fromlonlat 0 0 byradius 1 m storedist} "ERR syntax error"
        {none frommember x byradius 1 m foo} "ERR syntax error"
    } {
        expect_error {$c geosearch {*}$command} $error
    }
}

test "GEOSEARCHSTORE stores hashes or distances" {
    sicily
    expect [$c geosearchstore t Sicily fromlonlat 15 37 byradius 200 km] 3
    expect [$c zscore t Palermo] 3479099956230698
    expect [$c zcard t] 3
    expect [$c geosearchstore t Sicily fromlonlat 15 37 byradius 200 km storedist count 2] 2
    expect [$c zrange t 0 -1] {Catania Agrigento}
    expect_between [$c zscore t Catania] 56.4412 56.4414
    expect [$c geosearchstore Sicily Sicily frommember Catania byradius 1 km] 1
    expect [$c zrange Sicily 0 -1] Catania
    $c set t v
    expect [$c geosearchstore t Sicily fromlonlat 0 0 byradius 1 m] 0
    expect [$c exists t] 0
    $c set t v
    expect [$c geosearchstore t none fromlonlat 0 0 byradius 1 m] 0
    expect [$c exists t] 0
    expect_error {$c geosearchstore t Sicily fromlonlat 0 0 byradius 1 m withdist} \
        "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
}

test "GEORADIUS and its likes" {
    sicily
    expect [$c georadius Sicily 15 37 200 km asc] {Catania Agrigento Palermo}
    expect [$c georadius_ro Sicily 15 37 200 km desc count 1] Palermo
    expect [$c georadiusbymember Sicily Agrigento 100 km asc] {Agrigento Palermo}
    expect [$c georadiusbymember_ro Sicily Agrigento 100 km desc withdist] {{Palermo 90.9778} {Agrigento 0.0000}}
    expect [$c georadius Sicily 15 37 200 km store t] 3
    expect [$c zcard t] 3
    expect [$c georadius Sicily 15 37 200 km store other storedist t count 1] 1
    expect [$c exists other] 0
    expect_between [$c zscore t Catania] 56.4412 56.4414
    expect [$c georadiusbymember Sicily Agrigento 100 km store t] 2
    expect [$c georadiusbymember none x 100 km store t] 0
    expect [$c exists t] 0
    expect [$c georadiusbymember none x y z] {}
    expect_error {$c georadiusbymember none x y z foo} "ERR syntax error"
    expect_error {$c georadius none 15 37 x km} "ERR need numeric radius"
    expect_error {$c georadius_ro Sicily 15 37 1 km store t} "ERR syntax error"
    expect_error {$c georadiusbymember_ro Sicily Palermo 1 km storedist t} "ERR syntax error"
    expect_error {$c georadius Sicily 15 37 1 km store t withdist} \
        "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
    expect_error {$c georadiusbymember Sicily none 1 km} "ERR could not decode requested zset member"
    expect [$c command getkeys georadius Sicily 15 37 1 km store a storedist b] {Sicily a b}
    expect [$c command getkeys georadiusbymember Sicily x 1 km store a] {Sicily a}
    expect [$c command getkeys geosearchstore t Sicily frommember x byradius 1 m] {t Sicily}
}

# ---- against what distances say -----------------------------------------------------------------

proc radians {degrees} { expr {$degrees * 3.14159265358979323846 / 180} }
proc distance {lon1 lat1 lon2 lat2} {
    set u [expr {sin([radians [expr {$lat2 - $lat1}]] / 2)}]
    set v [expr {sin([radians [expr {$lon2 - $lon1}]] / 2)}]
    set a [expr {$u * $u + cos([radians $lat1]) * cos([radians $lat2]) * $v * $v}]
    expr {2 * 6372797.560856 * asin(sqrt(min($a, 1)))}
}
proc between {low high} { expr {$low + rand() * ($high - $low)} }

test "searches find exactly what is near, anywhere on the map" {
    fresh
    set args {}
    for {set i 0} {$i < 2000} {incr i} {
        set lon [between -180 180]
        set lat [between -85 85]
        if {$i % 4 == 0} { set lon [between 179 180]; set lat [between -2 2] }
        if {$i % 4 == 1} { set lon [between -180 -179]; set lat [between -2 2] }
        lappend args $lon $lat m$i
    }
    $c geoadd k {*}$args
    set members [lmap {x y member} $args { set member }]
    set places [$c geopos k {*}$members]
    for {set n 0} {$n < 60} {incr n} {
        set lon [between -180 180]
        set lat [between -85 85]
        if {$n % 2} { set lon [expr {$n % 4 == 1 ? 179.95 : -179.95}]; set lat [between -3 3] }
        set radius [expr {pow(10, [between 3 7.3])}]
        set want {}
        set doubtful {}
        foreach member $members place $places {
            set d [distance $lon $lat {*}$place]
            if {abs($d - $radius) < 0.01} { lappend doubtful $member; continue }
            if {$d < $radius} { lappend want $member }
        }
        set got [lmap m [$c geosearch k fromlonlat $lon $lat byradius $radius m] {
            if {$m in $doubtful} { continue }
            set m
        }]
        expect [lsort $got] [lsort $want] "$lon $lat $radius: "
        set nearest [lrange [lmap d [$c geosearch k fromlonlat $lon $lat byradius $radius m asc withdist] {lindex $d 0}] 0 9]
        expect [$c geosearch k fromlonlat $lon $lat byradius $radius m count 10] $nearest
    }
}

test "RESP3 has coordinates as numbers" {
    sicily
    set r [resp3_client]
    expect [wire $r geopos Sicily Palermo none] \
        "*2\r\n*2\r\n,13.36138933897018433\r\n,38.11555639549629859\r\n_\r\n"
    expect [wire $r geodist Sicily Palermo Catania] "\$11\r\n166274.1516\r\n"
    expect [wire $r geodist Sicily none Catania] "_\r\n"
    expect [wire $r geosearch Sicily frommember Palermo byradius 1 m withcoord] \
        "*1\r\n*2\r\n\$7\r\nPalermo\r\n*2\r\n,13.36138933897018433\r\n,38.11555639549629859\r\n"
}
