/*
 * templates.h - the commands that the differential test sends: one template a line, with its
 * weight.
 *
 *   $k any key       $s key, mostly a string   $l key, mostly a list   $c key of a short string
 *   $S key, mostly a set
 *   $H key, mostly a hash
 *   $X key, mostly a stream   $I stream ID   $r end of a range of IDs   $A "ms-*"
 *   $g group   $h consumer
 *   $v value         $x short value            $e list element         $i integer, edges too
 *   $j integer that is no time soon
 *   $n small integer $o offset                 $f float                $u count, edges too
 *   $t seconds       $m milliseconds           $T unix seconds         $M unix milliseconds
 *   $d database      $w LEFT or RIGHT          $p pattern
 *   (a|b|c) one of them     [a] perhaps     {a} once to four times
 *
 * Expiries are either past or far away, and far apart from each other, so that the moment at which
 * a server runs a command does not matter.
 */
#ifndef WEFT_TESTS_TEMPLATES_H
#define WEFT_TESTS_TEMPLATES_H

struct template
{
    int weight;
    const char *text;
};

static const struct template templates[] = {
    /* connection */
    {2, "PING [$x]"},
    {2, "ECHO $v"},
    {3, "SELECT $d"},
    {1, "SELECT $i"},
    {1, "CLIENT (GETNAME|SETNAME $x|NOSUCH|REPLY ON|SETNAME bad\\sname|ID extra|NO-EVICT "
        "(ON|OFF|$x)|REPLY $x)"},
    {1, "(NOSUCH|GETX|SETT) {$x}"},
    /* strings */
    {12, "SET $s $v"},
    {4, "SET $s $v (NX|XX|GET|NX GET|XX GET|KEEPTTL)"},
    {4, "SET $s $v (EX $t|PX $m|EXAT $T|PXAT $M) [NX|XX|GET]"},
    {1, "SET $s $v (NX XX|EX 10 PX 10|EX|KEEPTTL EX 10|EX $j|PX $j|$x)"},
    {3, "SET $c $x"},
    {8, "GET $s"},
    {2, "GETSET $s $v"},
    {2, "GETDEL $s"},
    {3, "GETEX $s [EX $t|PX $m|EXAT $T|PXAT $M|PERSIST|EX $j|KEEPTTL|EX 10 PERSIST]"},
    {2, "SETNX $s $v"},
    {2, "SETEX $s $t $v"},
    {1, "SETEX $s $j $v"},
    {2, "PSETEX $s $m $v"},
    {4, "APPEND $s $v"},
    {3, "STRLEN $s"},
    {4, "SETRANGE $s $o $v"},
    {4, "GETRANGE $s $n $n"},
    {2, "GETRANGE $s $i $i"},
    {1, "SUBSTR $s $n $n"},
    {5, "INCR $s"},
    {3, "DECR $s"},
    {5, "INCRBY $s $i"},
    {3, "DECRBY $s $i"},
    {5, "INCRBYFLOAT $s $f"},
    {4, "MGET {$s} [$l]"},
    {4, "MSET {$s $v}"},
    {2, "MSETNX {$s $v}"},
    {1, "(MSET|MSETNX) $s $v $s"},
    {3, "LCS $c $c [LEN|IDX [MINMATCHLEN $n] [WITHMATCHLEN]]"},
    {1, "LCS $c (none|$l) [LEN IDX|$x]"},
    /* keys */
    {4, "DEL {$k}"},
    {2, "UNLINK {$k}"},
    {4, "EXISTS {$k}"},
    {2, "TOUCH {$k}"},
    {4, "TYPE $k"},
    {4, "RENAME $k $k"},
    {3, "RENAMENX $k $k"},
    {4, "COPY $k $k [DB $d] [REPLACE]"},
    {1, "COPY $k $k (DB $i|DB|$x)"},
    {4, "MOVE $k $d"},
    {1, "MOVE $k $i"},
    {1, "SWAPDB $d $d"},
    {1, "SWAPDB $i $d"},
    {4, "(EXPIRE $k $t|PEXPIRE $k $m|EXPIREAT $k $T|PEXPIREAT $k $M) [NX|XX|GT|LT]"},
    {1, "(EXPIRE $k $t|PEXPIRE $k $m) (NX XX|NX GT|XX GT|XX LT|GT LT|$x)"},
    {1, "(EXPIRE|PEXPIRE|EXPIREAT|PEXPIREAT) $k $j"},
    {4, "(TTL|PTTL|EXPIRETIME|PEXPIRETIME) $k"},
    {2, "PERSIST $k"},
    {2, "KEYS $p"},
    {1, "SCAN (0 COUNT 0|0 FOO|abc|0 MATCH|0 COUNT x)"},
    {1, "RANDOMKEY"},
    {2, "DBSIZE"},
    {1, "FLUSHDB [SYNC|ASYNC|$x]"},
    {3, "OBJECT (ENCODING|REFCOUNT) $k"},
    {1, "OBJECT (FREQ|IDLETIME|NOSUCH|ENCODING) $k [$x]"},
    /* lists */
    {8, "(LPUSH|RPUSH) $l {$e}"},
    {2, "RPUSH $l $e $e $e $e $e $e $e $e $e $e $v $v $v"},
    {3, "(LPUSHX|RPUSHX) $l {$e}"},
    {5, "(LPOP|RPOP) $l"},
    {3, "(LPOP|RPOP) $l $u"},
    {3, "LLEN $l"},
    {5, "LINDEX $l $n"},
    {5, "LRANGE $l $n $n"},
    {2, "LRANGE $l 0 -1"},
    {1, "LRANGE $l $i $i"},
    {4, "LSET $l $n (\\$e|$e|$v)"},
    {4, "LINSERT $l (BEFORE|AFTER) $e $e"},
    {1, "LINSERT $l $x $e $e"},
    {4, "LREM $l $n $e"},
    {3, "LTRIM $l $n $n"},
    {1, "LTRIM $l $i $i"},
    {5, "LPOS $l $e [RANK $n] [COUNT $u] [MAXLEN $u]"},
    {4, "LMOVE $l $l $w $w"},
    {1, "LMOVE $l $l $w $x"},
    {3, "RPOPLPUSH $l $l"},
    {3, "LMPOP 2 $l $l $w [COUNT $u]"},
    {1, "LMPOP $n $l $l $w"},
    {1, "LMPOP 1 $l (UP|$w COUNT 1 COUNT 2|$w $x)"},
    {2, "(BLPOP|BRPOP) $l $l 0.01"},
    {1, "(BLPOP|BRPOP) $l (-1|abc|1e400|99999999999999999999)"},
    {2, "BLMOVE $l $l $w $w 0.01"},
    {1, "BRPOPLPUSH $l $l 0.01"},
    {2, "BLMPOP 0.01 2 $l $l $w [COUNT $u]"},
    /* transactions: see also the generator, which ends them soon */
    {6, "MULTI"},
    {6, "EXEC"},
    {1, "DISCARD"},
    {3, "WATCH {$k}"},
    {1, "UNWATCH"},
#include "templates_bits.h"
#include "templates_set.h"
#include "templates_hash.h"
#include "templates_zset.h"
#include "templates_stream.h"
#include "templates_geo.h"
};

#endif
