/*
 * commands_keys.c - the commands on keys and databases, by their replies: lifetimes and their
 * conditions, renaming, copying, moving, walks, flushes, OBJECT; and that walks let others run.
 */
#include "commands_script.h"

#define SYNTAX "-ERR syntax error"
#define NAN_   "-ERR value is not an integer or out of range"
#define SAME   "-ERR source and destination objects are the same"
#define NO_DB  "-ERR DB index is out of range"

SCRIPT(deleting_and_asking, {"mset a 1 b 2 c 3", "+OK"}, {"rpush l x", ":1"},
       {"exists a b a x", ":3"}, {"del a x", ":1"}, {"unlink b a l", ":2"}, {"dbsize", ":1"},
       {"type c", "+string"}, {"type x", "+none"}, {"touch c x c", ":2"}, {"rpush l x", ":1"},
       {"type l", "+list"})

SCRIPT(expire_sets_takes_back_and_deletes, {"expire a 10", ":0"}, {"ttl a", ":-2"},
       {"pttl a", ":-2"}, {"expiretime a", ":-2"}, {"set a x", "+OK"}, {"ttl a", ":-1"},
       {"pexpiretime a", ":-1"}, {"expire a 100", ":1"}, {"ttl a", ":100"}, {"persist a", ":1"},
       {"persist a", ":0"}, {"ttl a", ":-1"}, {"pexpire a 1499500", ":1"},
       {"expireat a 33177117420", ":1"}, {"expiretime a", ":33177117420"},
       {"pexpiretime a", ":33177117420000"}, {"pexpireat a 33177117420499", ":1"},
       {"expiretime a", ":33177117420"}, {"pexpireat a 33177117420500", ":1"},
       {"expiretime a", ":33177117421"}, {"expire a -1", ":1"}, {"exists a", ":0"},
       {"set a x", "+OK"}, {"expire a 0", ":1"}, {"exists a", ":0"}, {"set a x", "+OK"},
       {"expireat a 1", ":1"}, {"get a", "$-1"}, {"persist a", ":0"})

SCRIPT(expire_conditions, {"set a x", "+OK"}, {"expire a 100 xx", ":0"}, {"expire a 100 gt", ":0"},
       {"expire a 100 lt", ":1"}, {"expire a 200 nx", ":0"}, {"expire a 200 lt", ":0"},
       {"expire a 50 gt", ":0"}, {"expire a 200 gt", ":1"}, {"expire a 50 lt xx", ":1"},
       {"ttl a", ":50"}, {"persist a", ":1"}, {"expire a 70 NX", ":1"},
       {"expire a 50 nx xx",
        "-ERR NX and XX, GT or LT options at the same time are not compatible"},
       {"expire a 50 nx lt",
        "-ERR NX and XX, GT or LT options at the same time are not compatible"},
       {"expire a 50 gt lt", "-ERR GT and LT options at the same time are not compatible"},
       {"expire a 50 foo", "-ERR Unsupported option foo"}, {"expire a x", NAN_}, {"ttl a", ":70"},
       {"expire a -1 gt", ":0"}, {"expire a -1 lt", ":1"}, {"exists a", ":0"})

SCRIPT(expire_refuses_overflow, {"set a x", "+OK"},
       {"expire a 9223372036854775807", "-ERR invalid expire time in 'expire' command"},
       {"expire a 9223372036854775", "-ERR invalid expire time in 'expire' command"},
       {"pexpire a 9223372036854775807", "-ERR invalid expire time in 'pexpire' command"},
       {"expireat a 9223372036854775807", "-ERR invalid expire time in 'expireat' command"},
       {"expireat a -9223372036854775808", "-ERR invalid expire time in 'expireat' command"},
       {"ttl a", ":-1"}, {"pexpireat a 9223372036854775807", ":1"},
       {"pexpire a -9223372036854775808", ":1"}, {"exists a", ":0"})

SCRIPT(rename_keeps_value_and_lifetime, {"rename a b", "-ERR no such key"},
       {"renamenx a a", "-ERR no such key"}, {"set a x ex 100", "+OK"}, {"rename a a", "+OK"},
       {"renamenx a a", ":0"}, {"set b y", "+OK"}, {"renamenx a b", ":0"}, {"rename a b", "+OK"},
       {"get b", "$1 x"}, {"ttl b", ":100"}, {"exists a", ":0"}, {"renamenx b c", ":1"},
       {"ttl c", ":100"}, {"set d y ex 50", "+OK"}, {"set e z", "+OK"}, {"rename e d", "+OK"},
       {"ttl d", ":-1"}, {"rpush l 1 2", ":2"}, {"rename l {c}x", "+OK"},
       {"lrange {c}x 0 -1", "*2 $1 1 $1 2"}, {"dbsize", ":3"}, {"set {q}1 x", "+OK"},
       {"rename {q}1 {q}2", "+OK"}, {"get {q}2", "$1 x"}, {"set {q}1 y", "+OK"},
       {"rename {q}2 {q}1", "+OK"}, {"get {q}1", "$1 x"})

SCRIPT(copy_duplicates, {"copy a b", ":0"}, {"set a x ex 100", "+OK"}, {"copy a a", SAME},
       {"copy a b", ":1"}, {"ttl b", ":100"}, {"append a y", ":2"}, {"copy a b", ":0"},
       {"get b", "$1 x"}, {"copy a b replace", ":1"}, {"get b", "$2 xy"}, {"copy a a db 1", ":1"},
       {"copy a a db 1", ":0"}, {"copy a a db 1 replace", ":1"}, {"copy a b db 16", NO_DB},
       {"copy a b db -1", NO_DB}, {"copy a b db x", NAN_}, {"copy a b foo", SYNTAX},
       {"copy a b db", SYNTAX}, {"SELECT 1", ""}, {"get a", "$2 xy"}, {"ttl a", ":100"},
       {"dbsize", ":1"}, {"rpush l 1 2", ":2"}, {"copy l m", ":1"}, {"rpush l 3", ":3"},
       {"llen m", ":2"})

SCRIPT(move_and_swapdb, {"set a x ex 100", "+OK"}, {"move a 0", SAME}, {"move a 16", NO_DB},
       {"move a x", NAN_},
       {"move a 9999999999",
        "-ERR value is out of range, value must between -2147483648 and 2147483647"},
       {"move b 1", ":0"}, {"move a 1", ":1"}, {"exists a", ":0"}, {"set a y", "+OK"},
       {"move a 1", ":0"}, {"SELECT 1", ""}, {"get a", "$1 x"}, {"ttl a", ":100"},
       {"swapdb 0 1", "+OK"}, {"get a", "$1 y"}, {"ttl a", ":-1"}, {"SELECT 0", ""},
       {"get a", "$1 x"}, {"ttl a", ":100"}, {"swapdb 0 0", "+OK"},
       {"swapdb x 1", "-ERR invalid first DB index"},
       {"swapdb 1 x", "-ERR invalid second DB index"}, {"swapdb 0 16", NO_DB})

SCRIPT(keys_by_pattern, {"keys *", "*0"}, {"mset abc 1", "+OK"}, {"keys *", "*1 $3 abc"},
       {"keys a?c", "*1 $3 abc"}, {"keys abc", "*1 $3 abc"}, {"keys abd", "*0"},
       {"keys [a]*", "*1 $3 abc"}, {"keys \"\\\\abc\"", "*1 $3 abc"}, {"set x y px 20", "+OK"},
       {"SLEEP 40", ""}, {"keys *", "*1 $3 abc"}, {"keys x", "*0"})

SCRIPT(scan_arguments, {"scan x", "-ERR invalid cursor"},
       {"scan 99999999999999999999", "-ERR invalid cursor"}, {"scan ' 0'", "-ERR invalid cursor"},
       {"scan 0 count 0", SYNTAX}, {"scan 0 count x", NAN_}, {"scan 0 count", SYNTAX},
       {"scan 0 foo bar", SYNTAX}, {"scan 0", "*2 $1 0 *0"}, {"set abc x", "+OK"},
       {"scan 0 count 100", "*2 $1 0 *1 $3 abc"},
       {"scan 0 match a* count 100", "*2 $1 0 *1 $3 abc"},
       {"scan 0 match b* count 100", "*2 $1 0 *0"}, {"scan 0 type LIST count 100", "*2 $1 0 *0"},
       {"scan 0 type string count 100", "*2 $1 0 *1 $3 abc"},
       {"scan 0 type nonsense", "-ERR unknown type name 'nonsense'"})

SCRIPT(flush_empties, {"mset a 1 b 2", "+OK"}, {"SELECT 1", ""}, {"set c 3", "+OK"},
       {"flushdb foo", SYNTAX}, {"flushdb async sync", SYNTAX}, {"flushdb async", "+OK"},
       {"dbsize", ":0"}, {"SELECT 0", ""}, {"dbsize", ":2"}, {"SELECT 1", ""}, {"set c 3", "+OK"},
       {"flushall sync", "+OK"}, {"dbsize", ":0"}, {"SELECT 0", ""}, {"dbsize", ":0"},
       {"get a", "$-1"})

SCRIPT(walks_run_in_transactions, {"mset abc 1", "+OK"}, {"multi", "+OK"}, {"keys a*", "+QUEUED"},
       {"keys abc", "+QUEUED"}, {"scan 0 count 100", "+QUEUED"}, {"randomkey", "+QUEUED"},
       {"lcs abc abc", "+QUEUED"}, {"flushdb", "+QUEUED"}, {"dbsize", "+QUEUED"},
       {"exec", "*7 *1 $3 abc *1 $3 abc *2 $1 0 *1 $3 abc $3 abc $1 1 +OK :0"})

SCRIPT(random_key, {"randomkey", "$-1"}, {"set a x", "+OK"}, {"randomkey", "$1 a"},
       {"SELECT 3", ""}, {"randomkey", "$-1"})

SCRIPT(object_looks_inside, {"object encoding a", "$-1"}, {"set a 5", "+OK"},
       {"object encoding a", "$3 int"}, {"object refcount a", ":2147483647"}, {"set a x", "+OK"},
       {"object encoding a", "$6 embstr"}, {"object refcount a", ":1"}, {"append a y", ":2"},
       {"object encoding a", "$3 raw"}, {"object idletime a", ":0"},
       {"object freq a",
        "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please "
        "note that when switching between policies at runtime LRU and LFU data will take "
        "some time to adjust."},
       {"object foo a", "-ERR unknown subcommand 'foo'. Try OBJECT HELP."},
       {"object encoding", "-ERR wrong number of arguments for 'object|encoding' command"})

/* ---- many keys ------------------------------------------------------------------------------ */

#define MANY 20000

static struct {
    size_t by_keys, by_scan, calls, big_count, others;
    bool done;
} many_seen;

static void set_many(struct caller *caller)
{
    char name[32];
    struct buf out = {0};
    for (int i = 0; i < MANY; i++) {
        struct slice argv[3] = {SLICE("set"), slice_of(name, (size_t)sprintf(name, "key:%d", i)),
                                SLICE("x")};
        run_args(caller, argv, 3, &out);
    }
    buf_free(&out);
}

/* One round of SCAN: how many keys came; *calls counts. */
static size_t scan_round(struct caller *caller, const char *count, size_t *calls)
{
    char line[80], cursor[32] = "0";
    struct buf out = {0};
    size_t seen = 0;
    do {
        snprintf(line, sizeof line, "scan %s count %s", cursor, count);
        run_line(caller, line, &out);
        ++*calls;
        unsigned long n = 0;
        sscanf(buf_cstr(&out), "*2\r\n$%*d\r\n%31[0-9]\r\n*%lu", cursor, &n);
        seen += n;
    } while (strcmp(cursor, "0") != 0);
    buf_free(&out);
    return seen;
}

static void other(void *arg)
{
    while (!many_seen.done) {
        many_seen.others++;
        co_yield ();
    }
}

static void many_scene(struct caller *caller)
{
    struct buf out = {0};
    unsigned long n = 0;
    size_t calls = 0;
    set_many(caller);
    run_line(caller, "keys key:*", &out);
    sscanf(buf_cstr(&out), "*%lu", &n);
    many_seen.by_keys = n;
    many_seen.by_scan = scan_round(caller, "10", &many_seen.calls);
    many_seen.big_count = scan_round(caller, "1000000", &calls);
    buf_free(&out);
}

static struct script walks_find_every_key_script = {.fn = many_scene};

static void walks_find_every_key(void **state)
{
    assert_int_equal(many_seen.by_keys, MANY);
    assert_int_equal(many_seen.by_scan, MANY);
    assert_int_equal(many_seen.big_count, MANY);
    assert_in_range(many_seen.calls, MANY / 30, MANY / 5);
}

/* A pattern that is slow to match: each key takes long, and the walk must yield between steps. */
static void yield_scene(struct caller *caller)
{
    struct buf out = {0};
    set_many(caller);
    co_spawn_pinned(rt_worker_id(), "other", other, NULL);
    for (int i = 0; i < 20; i++)
        run_line(caller, "keys *k*e*y*x", &out);
    many_seen.done = true;
    co_sleep(1000000);
    buf_free(&out);
}

static struct script walks_let_others_run_script = {.fn = yield_scene};

static void walks_let_others_run(void **state)
{
    assert_in_range(many_seen.others, 20, SIZE_MAX);
}

int main(void)
{
    struct script *scripts[] = {
        &deleting_and_asking_script,
        &expire_sets_takes_back_and_deletes_script,
        &expire_conditions_script,
        &expire_refuses_overflow_script,
        &rename_keeps_value_and_lifetime_script,
        &copy_duplicates_script,
        &move_and_swapdb_script,
        &keys_by_pattern_script,
        &scan_arguments_script,
        &flush_empties_script,
        &walks_run_in_transactions_script,
        &random_key_script,
        &object_looks_inside_script,
        &walks_find_every_key_script,
        &walks_let_others_run_script,
        NULL,
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deleting_and_asking),
        cmocka_unit_test(expire_sets_takes_back_and_deletes),
        cmocka_unit_test(expire_conditions),
        cmocka_unit_test(expire_refuses_overflow),
        cmocka_unit_test(rename_keeps_value_and_lifetime),
        cmocka_unit_test(copy_duplicates),
        cmocka_unit_test(move_and_swapdb),
        cmocka_unit_test(keys_by_pattern),
        cmocka_unit_test(scan_arguments),
        cmocka_unit_test(flush_empties),
        cmocka_unit_test(walks_run_in_transactions),
        cmocka_unit_test(random_key),
        cmocka_unit_test(object_looks_inside),
        cmocka_unit_test(walks_find_every_key),
        cmocka_unit_test(walks_let_others_run),
    };
    if (run_scripts(scripts) != RT_OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
