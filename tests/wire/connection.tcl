# connection.tcl - PING ECHO AUTH HELLO QUIT RESET SELECT.
source [file join [file dirname [info script]] .. harness.tcl]

start_server

test "PING answers PONG, or its argument" {
    set c [client]
    expect [wire $c ping] "+PONG\r\n"
    expect [wire $c PiNg "a b"] "\$3\r\na b\r\n"
    expect_error {$c ping a b} "ERR wrong number of arguments for 'ping' command"
}

test "ECHO returns bytes unchanged" {
    set c [client]
    expect [$c echo "a\x00\xff\r\nb"] "a\x00\xff\r\nb"
    expect [$c echo ""] ""
    expect_error {$c echo} "ERR wrong number of arguments for 'echo' command"
}

test "an unknown command is named with the beginning of its arguments" {
    set c [client]
    expect_error {$c nosuch} "ERR unknown command 'nosuch', with args beginning with: "
    expect_error {$c nosuch a b} "ERR unknown command 'nosuch', with args beginning with: 'a' 'b' "
    set long [string repeat x 300]
    expect_error {$c $long} "ERR unknown command '[string repeat x 128]', with args beginning with: "
    expect_error {$c foo $long $long} "ERR unknown command 'foo', with args beginning with: '[string repeat x 128]' "
}

test "CR and LF in an unknown command do not break the reply" {
    set c [client]
    expect_error {$c "a\r\nb"} "ERR unknown command 'a  b', with args beginning with: "
    expect [$c ping] PONG
}

test "SELECT changes the database" {
    set c [client]
    $c flushall
    $c set k zero
    expect [$c select 1] OK
    expect [$c get k] (nil)
    $c set k one
    $c select 0
    expect [$c get k] zero
    expect_error {$c select 16} "ERR DB index is out of range"
    expect_error {$c select -1} "ERR DB index is out of range"
    expect_error {$c select abc} "ERR value is not an integer or out of range"
    expect_error {$c select 99999999999} "ERR value is *out of range*"
    expect_match [$c client info] "* db=0 *"
}

test "HELLO describes the server" {
    set c [client]
    set hello [$c hello]
    expect [dict get $hello server] redis
    expect [dict get $hello proto] 2
    expect [dict get $hello mode] standalone
    expect [dict get $hello role] master
    expect [dict get $hello id] [$c client id]
    expect [dict get $hello modules] {}
    expect_match [dict get $hello version] "7.*"
    expect [dict keys $hello] {server version proto id mode role modules}
}

test "HELLO 3 replies with a map at once, HELLO 2 with an array" {
    set c [client]
    expect_match [wire $c hello 3] "%7\r\n\$6\r\nserver\r\n\$5\r\nredis\r\n*:3\r\n*"
    expect [wire $c get nosuchkey] "_\r\n"
    expect_match [wire $c hello 2] "\\*14\r\n*:2\r\n*"
    expect [wire $c get nosuchkey] "\$-1\r\n"
}

test "HELLO with an unknown version or option is refused" {
    set c [client]
    expect_error {$c hello 1} "NOPROTO unsupported protocol version"
    expect_error {$c hello 4} "NOPROTO unsupported protocol version"
    expect_error {$c hello abc} "ERR Protocol version is not an integer or out of range"
    expect_error {$c hello 3 foo} "ERR Syntax error in HELLO option 'foo'"
    expect_error {$c hello 3 setname} "ERR Syntax error in HELLO option 'setname'"
    expect [dict get [$c hello] proto] 2
}

test "HELLO SETNAME names the connection" {
    set c [client]
    $c hello 2 setname me
    expect [$c client getname] me
    expect_error {$c hello 2 setname "a b"} "ERR Client names cannot contain spaces, newlines or special characters."
    expect [$c client getname] me
}

test "AUTH without a password configured" {
    set c [client]
    expect_error {$c auth x} "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
    expect [$c auth default anything] OK
    expect_error {$c auth nobody x} "WRONGPASS invalid username-password pair or user is disabled."
    expect_error {$c auth a b c} "ERR syntax error*"
    expect_error {$c auth} "ERR wrong number of arguments for 'auth' command"
}

test "QUIT answers OK and closes, after the replies before it" {
    set c [client]
    raw_send $c "PING\r\nQUIT\r\nPING\r\n"
    expect [read_to_end $c] "+PONG\r\n+OK\r\n"
    set c [client]
    send $c quit
    expect [read_to_end $c] "+OK\r\n"
}

test "RESET brings the connection back to its start" {
    set c [client]
    $c hello 3
    $c select 2
    $c client setname me
    $c client reply on
    $c multi
    $c set x 1
    expect [wire $c reset] "+RESET\r\n"
    expect_error {$c exec} "ERR EXEC without MULTI"
    expect [wire $c get nosuchkey] "\$-1\r\n"
    expect [$c client getname] (nil)
    expect_match [$c client info] "* db=0 *"
}

test "RESET drops the keys that are watched" {
    set c [client]
    set d [client]
    $c watch k
    $c reset
    $d set k changed
    $c multi
    $c ping
    expect [$c exec] PONG
}

test "subcommands: unknown ones and wrong counts" {
    set c [client]
    expect_error {$c client nosuch} "ERR unknown subcommand 'nosuch'. Try CLIENT HELP."
    expect_error {$c client} "ERR wrong number of arguments for 'client' command"
    expect_error {$c object} "ERR wrong number of arguments for 'object' command"
    expect_error {$c client getname x} "ERR wrong number of arguments for 'client|getname' command"
    expect_error {$c object encoding} "ERR wrong number of arguments for 'object|encoding' command"
}

test "command names and subcommands in any case" {
    set c [client]
    expect [$c CLIENT GetName] (nil)
    expect [$c SeLeCt 0] OK
}

start_server -config "requirepass secret"

test "before AUTH only AUTH, HELLO, QUIT and RESET are served" {
    set c [client]
    foreach command {ping {get a} {set a b} {client id} multi info select\ 1 {nosuch}} {
        if {$command eq "nosuch"} {
            expect_error {$c nosuch} "ERR unknown command*"
        } else {
            expect_error {$c {*}$command} "NOAUTH Authentication required."
        }
    }
    expect [$c reset] RESET
    expect_error {$c hello} "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO *AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
    expect_error {$c hello 3} "NOAUTH HELLO must be called*"
    send $c quit
    expect [read_to_end $c] "+OK\r\n"
}

test "AUTH with the right and the wrong password" {
    set c [client]
    expect_error {$c auth wrong} "WRONGPASS invalid username-password pair or user is disabled."
    expect_error {$c ping} "NOAUTH *"
    expect_error {$c auth nobody secret} "WRONGPASS *"
    expect [$c auth secret] OK
    expect [$c ping] PONG
    set d [client]
    expect [$d auth default secret] OK
    expect [$d ping] PONG
    # A failed AUTH does not take away what was granted.
    expect_error {$d auth default wrong} "WRONGPASS *"
    expect [$d ping] PONG
}

test "HELLO AUTH authenticates, and changes nothing when that fails" {
    set c [client]
    expect_error {$c hello 3 auth default wrong setname x} "WRONGPASS *"
    expect_error {$c ping} "NOAUTH *"
    set hello [$c hello 3 setname me auth default secret]
    expect [dict get $hello proto] 3
    expect [$c client getname] me
}

test "RESET takes the authentication away" {
    set c [client]
    $c auth secret
    $c reset
    expect_error {$c ping} "NOAUTH *"
}

test "CONFIG SET requirepass works for connections to come" {
    set c [client]
    $c auth secret
    $c config set requirepass other
    set d [client]
    expect_error {$d auth secret} "WRONGPASS *"
    expect [$d auth other] OK
    expect [$c ping] PONG
    $c config set requirepass ""
    set e [client]
    expect [$e ping] PONG
    $c config set requirepass secret
}

test "limits before authentication: 10 arguments, 16384 bytes each" {
    set c [client]
    raw_send $c "*11\r\n"
    expect [read_to_end $c] "-ERR Protocol error: unauthenticated multibulk length\r\n"
    set c [client]
    raw_send $c "*1\r\n\$16385\r\n"
    expect [read_to_end $c] "-ERR Protocol error: unauthenticated bulk length\r\n"
    set c [client]
    expect_error {$c {*}[lrepeat 10 a]} "ERR unknown command*"
    expect_error {$c get [string repeat x 16384]} "NOAUTH *"
}
