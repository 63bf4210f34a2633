#!/usr/bin/env bash
# layers-test.sh - utils/check-layers names every edge that points up, and no other.
set -u
cd "$(dirname "$0")/.." || exit 2
tree=$(mktemp -d) || exit 2
trap 'rm -rf "$tree"' EXIT
passed=0 failed=0

# edge FROM LINE: the tree holds one file of layer FROM with that line in it.
edge() {
    rm -rf "${tree:?}/src"
    mkdir -p "$tree/src/$1"
    printf '/* a file */\n#include <stdio.h>\n%s\n' "$2" > "$tree/src/$1/file.c"
}

expect() {
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s\n  expected: %s\n  got:      %s\n' "$1" "$2" "$3"
    fi
}

check() { utils/check-layers "$tree/src" 2>&1 | sed "s|^$tree/||"; echo "exit ${PIPESTATUS[0]}"; }

refused() {
    edge "$1" "#include \"$2/$2.h\""
    expect "$1 -> $2 is refused" "src/$1/file.c:3: $1 -> $2"$'\n'"exit 1" "$(check)"
}

taken() {
    edge "$1" "#include \"$2/$2.h\""
    expect "$1 -> $2 is taken" "exit 0" "$(check)"
}

layers="base runtime types keyspace net persist commands replication scripting server"
for layer in $layers; do
    taken "$layer" "$layer"
    taken "$layer" base
    [ "$layer" = server ] || refused "$layer" server
    [ "$layer" = server ] || taken server "$layer"
done
refused base runtime
refused types runtime
refused runtime types
refused keyspace net
refused net keyspace
refused persist commands
refused commands scripting
refused commands replication
refused keyspace commands
refused net nonsense
taken commands keyspace
taken commands net
taken commands persist
taken keyspace types
taken net runtime
taken scripting commands
taken replication persist

edge base '  #  include "net/net.h" /* spread out */'
expect "blanks hide nothing" "src/base/file.c:3: base -> net"$'\n'"exit 1" "$(check)"
edge base '#include "../net/net.h"'
expect "a way around is refused" "src/base/file.c:3: base -> .."$'\n'"exit 1" "$(check)"
edge base '/* see "net/net.h" */'
expect "text is no include" "exit 0" "$(check)"
rm -rf "$tree/src"
expect "nothing to read is an error" "exit 2" "$(check 2>&1 | tail -n 1)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
