/*
 * commands_string.c - the string commands, by their replies: options and what they exclude,
 * lifetimes, conditions, ranges, numbers, LCS, several keys at once, large values.
 */
#include "commands_script.h"

#define WRONG  "-WRONGTYPE Operation against a key holding the wrong kind of value"
#define SYNTAX "-ERR syntax error"
#define NAN_   "-ERR value is not an integer or out of range"

SCRIPT(get_and_set, {"get a", "$-1"}, {"set a x", "+OK"}, {"get a", "$1 x"}, {"set a ''", "+OK"},
       {"get a", "$0 "}, {"set a 12345", "+OK"}, {"get a", "$5 12345"}, {"strlen a", ":5"},
       {"strlen b", ":0"}, {"RESP 3", ""}, {"get b", "_"}, {"set a x nx", "_"}, {"RESP 2", ""},
       {"set a x nx", "$-1"}, {"set b x nx", "+OK"}, {"set c x xx", "$-1"}, {"set b y xx", "+OK"},
       {"set b z get", "$1 y"}, {"set c z get nx", "$-1"}, {"set c w nx get", "$1 z"},
       {"get c", "$1 z"})

SCRIPT(set_options_exclude_each_other, {"set a x nx xx", SYNTAX}, {"set a x ex 10 px 10", SYNTAX},
       {"set a x ex 10 keepttl", SYNTAX}, {"set a x keepttl pxat 5", SYNTAX},
       {"set a x ex", SYNTAX}, {"set a x persist", SYNTAX}, {"set a x foo", SYNTAX},
       {"set a x nx ifeq y", SYNTAX}, {"set a x ifeq y ifne z", SYNTAX}, {"set a x ifeq", SYNTAX},
       {"getex a keepttl", SYNTAX}, {"getex a nx", SYNTAX}, {"getex a ex 1 persist", SYNTAX},
       {"exists a", ":0"}, {"set a x ex 10 ex 20", "+OK"}, {"ttl a", ":20"},
       {"set a x nx nx", "$-1"})

SCRIPT(set_minds_the_lifetime, {"set a x ex 100", "+OK"}, {"ttl a", ":100"},
       {"set a y keepttl", "+OK"}, {"ttl a", ":100"}, {"set a y", "+OK"}, {"ttl a", ":-1"},
       {"set a y px 100000", "+OK"}, {"ttl a", ":100"}, {"set a z ex 50", "+OK"}, {"ttl a", ":50"},
       {"append a z", ":2"}, {"ttl a", ":50"}, {"set a 5 keepttl", "+OK"}, {"incr a", ":6"},
       {"ttl a", ":50"}, {"setrange a 30 x", ":31"}, {"ttl a", ":50"}, {"del a", ":1"})

SCRIPT(set_refuses_bad_times, {"set a x ex 0", "-ERR invalid expire time in 'set' command"},
       {"set a x px -1", "-ERR invalid expire time in 'set' command"},
       {"set a x ex 9223372036854775807", "-ERR invalid expire time in 'set' command"},
       {"set a x ex 9223372036854775", "-ERR invalid expire time in 'set' command"},
       {"set a x px 9223372036854775807", "-ERR invalid expire time in 'set' command"},
       {"set a x ex ten", NAN_}, {"setex a 0 x", "-ERR invalid expire time in 'setex' command"},
       {"psetex a -5 x", "-ERR invalid expire time in 'psetex' command"}, {"exists a", ":0"},
       {"set a x pxat 9223372036854775807", "+OK"}, {"pexpiretime a", ":9223372036854775807"},
       {"getex b ex 0", "$-1"}, {"getex a ex 0", "-ERR invalid expire time in 'getex' command"},
       {"getex a exat 1", "$1 x"}, {"exists a", ":0"}, {"set a x exat 1", "+OK"}, {"get a", "$-1"})

SCRIPT(a_lifetime_ends, {"set a x px 30", "+OK"}, {"psetex b 30 x", "+OK"},
       {"setex c 100 x", "+OK"}, {"get a", "$1 x"}, {"SLEEP 60", ""}, {"get a", "$-1"},
       {"exists a b c", ":1"}, {"set a y xx", "$-1"})

SCRIPT(comparisons_decide, {"set a x ifeq x", "$-1"}, {"exists a", ":0"}, {"set a x ifne y", "+OK"},
       {"set a y ifeq z", "$-1"}, {"set a y ifeq x", "+OK"}, {"set a z ifne y", "$-1"},
       {"set a z ifne x get", "$1 y"}, {"set a w ifeq y get", "$1 z"}, {"get a", "$1 z"},
       {"set a 10 ifeq z ex 10", "+OK"}, {"ttl a", ":10"}, {"set a 11 ifeq 10", "+OK"},
       {"ttl a", ":-1"}, {"set a 12 ifeq 11 keepttl", "+OK"}, {"rpush l x", ":1"},
       {"set l x ifeq x", WRONG}, {"set l x ifne y", WRONG}, {"type l", "+list"})

SCRIPT(digests_compare, {"digest a", "$-1"}, {"set a 'Hello world'", "+OK"},
       {"digest a", "$16 b6acb9d84a38ff74"}, {"set a x ifdeq b6acb9d84a38ff75", "$-1"},
       {"set a x ifdne B6ACB9D84A38FF74", "$-1"},
       {"set a x ifdeq 12", "-ERR digest must be exactly 16 hexadecimal characters"},
       {"set a x ifdeq b6acb9d84a38ff74", "+OK"}, {"set b x ifdeq b6acb9d84a38ff74", "$-1"},
       {"set b x ifdne b6acb9d84a38ff74", "+OK"}, {"rpush l x", ":1"}, {"digest l", WRONG})

SCRIPT(delex_deletes_on_conditions, {"delex a", ":0"}, {"delex a ifeq x", ":0"},
       {"delex a ifne x", ":0"}, {"set a x", "+OK"}, {"delex a ifeq y", ":0"},
       {"delex a ifne x", ":0"}, {"delex a ifeq x", ":1"}, {"exists a", ":0"}, {"rpush l x", ":1"},
       {"delex l ifeq x", WRONG}, {"delex l", ":1"},
       {"delex a ifeq", "-ERR wrong number of arguments for 'delex' command"})

SCRIPT(other_types_are_refused_or_replaced, {"rpush l x", ":1"}, {"get l", WRONG},
       {"set l x get", WRONG}, {"getset l x", WRONG}, {"getex l", WRONG}, {"getdel l", WRONG},
       {"append l x", WRONG}, {"strlen l", WRONG}, {"setrange l 0 x", WRONG},
       {"getrange l 0 1", WRONG}, {"incr l", WRONG}, {"incrbyfloat l 1", WRONG},
       {"mget l l", "*2 $-1 $-1"},
       {"lcs l l", "-ERR The specified keys must contain string values"}, {"setnx l x", ":0"},
       {"msetnx l x", ":0"}, {"set l x nx", "$-1"}, {"type l", "+list"}, {"set l x", "+OK"},
       {"get l", "$1 x"})

SCRIPT(getex_getdel_getset, {"set a x", "+OK"}, {"getex a", "$1 x"}, {"ttl a", ":-1"},
       {"getex a ex 100", "$1 x"}, {"ttl a", ":100"}, {"getex a", "$1 x"}, {"ttl a", ":100"},
       {"getex a persist", "$1 x"}, {"ttl a", ":-1"}, {"getset a y", "$1 x"}, {"getdel a", "$1 y"},
       {"getdel a", "$-1"}, {"getset a z", "$-1"}, {"get a", "$1 z"})

SCRIPT(several_at_once,
       {"mset a 1 b 2 {t}c 3 d", "-ERR wrong number of arguments for 'mset' command"},
       {"mset a 1 b 2 {t}c 3 a 4", "+OK"}, {"mget a b {t}c d", "*4 $1 4 $1 2 $1 3 $-1"},
       {"msetnx x 1 b 9 y 2", ":0"}, {"mget x b y", "*3 $-1 $1 2 $-1"},
       {"msetnx x 1 x 2 y 3", ":1"}, {"mget x y", "*2 $1 2 $1 3"}, {"set a x ex 100", "+OK"},
       {"mset a y", "+OK"}, {"ttl a", ":-1"})

SCRIPT(append_and_ranges, {"append a ''", ":0"}, {"exists a", ":1"}, {"append a Hello", ":5"},
       {"append a ' World'", ":11"}, {"getrange a 0 4", "$5 Hello"},
       {"getrange a -5 -1", "$5 World"}, {"getrange a 0 -1", "$11 Hello World"},
       {"getrange a 20 30", "$0 "}, {"getrange a -1 -5", "$0 "},
       {"getrange a 0 -100", "$0 "}, {"getrange a -100 2", "$3 Hel"},
       {"substr a 5 5000", "$6  World"}, {"setrange a 6 Redis", ":11"},
       {"get a", "$11 Hello Redis"}, {"setrange a -1 x", "-ERR offset is out of range"},
       {"setrange b 0 ''", ":0"}, {"exists b", ":0"}, {"setrange a 3 ''", ":11"},
       {"setrange b 3 x", ":4"}, {"strlen b", ":4"}, {"getrange b 3 3", "$1 x"},
       {"setrange b 536870912 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"},
       {"setrange c 9223372036854775807 x",
        "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"},
       {"exists c", ":0"}, {"set n 12", "+OK"}, {"append n 3", ":3"}, {"incr n", ":124"},
       {"setrange n 0 9", ":3"}, {"get n", "$3 924"}, {"getrange n 1 1", "$1 2"})

SCRIPT(numbers, {"incr n", ":1"}, {"incrby n 41", ":42"}, {"decr n", ":41"}, {"decrby n 42", ":-1"},
       {"set n 9223372036854775807", "+OK"},
       {"incr n", "-ERR increment or decrement would overflow"},
       {"get n", "$19 9223372036854775807"},
       {"decrby n -9223372036854775808", "-ERR decrement would overflow"},
       {"set n -9223372036854775808", "+OK"},
       {"decr n", "-ERR increment or decrement would overflow"}, {"incrby n x", NAN_},
       {"set n ' 11'", "+OK"}, {"incr n", NAN_}, {"set n 011", "+OK"}, {"incr n", NAN_},
       {"set n ''", "+OK"}, {"incr n", NAN_}, {"set n 1.5", "+OK"}, {"incr n", NAN_},
       {"incrbyfloat n 1.5", "$1 3"}, {"incr n", ":4"}, {"incrbyfloat n -0.25", "$4 3.75"},
       {"incrbyfloat m 1e3", "$4 1000"}, {"incrbyfloat m x", "-ERR value is not a valid float"},
       {"incrbyfloat m inf", "-ERR increment would produce NaN or Infinity"}, {"set m abc", "+OK"},
       {"incrbyfloat m 1", "-ERR value is not a valid float"})

SCRIPT(lcs_text_length_ranges, {"set a ohmytext", "+OK"}, {"set b mynewtext", "+OK"},
       {"lcs a b", "$6 mytext"}, {"lcs a b len", ":6"},
       {"lcs a b idx", "*4 $7 matches *2 *2 *2 :4 :7 *2 :5 :8 *2 *2 :2 :3 *2 :0 :1 $3 len :6"},
       {"RESP 3", ""},
       {"lcs a b idx withmatchlen minmatchlen 4",
        "%2 $7 matches *1 *3 *2 :4 :7 *2 :5 :8 :4 $3 len :6"},
       {"RESP 2", ""},
       {"lcs a b idx minmatchlen -3",
        "*4 $7 matches *2 *2 *2 :4 :7 *2 :5 :8 *2 *2 :2 :3 *2 :0 :1 $3 len :6"},
       {"lcs a none", "$0 "}, {"lcs none none len", ":0"},
       {"lcs a none idx", "*4 $7 matches *0 $3 len :0"},
       {"lcs a b len idx", "-ERR If you want both the length and indexes, please just use IDX."},
       {"lcs a b foo", SYNTAX}, {"lcs a b minmatchlen", SYNTAX}, {"lcs a b minmatchlen x", NAN_})

/* ---- what a line cannot say ----------------------------------------------------------------- */

static size_t refs_of(const char *name)
{
    struct key k = key_of(slice_str(name));
    struct part *p = keyspace_part(k.part);
    part_own(p);
    struct entry **slot = ks_find(p, 0, &k, clock_unix_ms(), 0);
    size_t refs = slot && (*slot)->enc == ENC_BLOB ? atomic_load(&(*slot)->v.blob->refs) : 0;
    part_disown(p);
    return refs;
}

static struct {
    size_t shared, alone, after_append;
    bool same, kept;
} blob_seen;

static void blob_scene(struct caller *caller)
{
    struct blob *b = blob_new(100000), *blobs[3] = {NULL, NULL, b};
    memset(b->data, 'x', b->len);
    struct slice argv[3] = {SLICE("set"), SLICE("big"), slice_of(b->data, b->len)};
    struct request req = {.argc = 3, .argv = argv, .blobs = blobs, .big_args = 1};
    struct buf out = {0};
    commands_run(caller, &req, 1);
    reply_clear(caller->reply);
    blob_seen.shared = refs_of("big");
    run_line(caller, "append big y", &out); /* the request still holds it: not written */
    blob_seen.kept = b->len == 100000 && b->data[99999] == 'x';
    run_line(caller, "get big", &out);
    blob_seen.same = out.n > 100001 && memcmp(out.p, "$100001\r\nxx", 11) == 0;
    blob_seen.after_append = refs_of("big");
    commands_run(caller, &req, 1);
    reply_clear(caller->reply);
    blob_unref(b);
    blob_seen.alone = refs_of("big");
    buf_free(&out);
}

static struct script a_large_value_is_taken_over_not_copied_script = {.fn = blob_scene};

static void a_large_value_is_taken_over_not_copied(void **state)
{
    assert_int_equal(blob_seen.shared, 2);
    assert_int_equal(blob_seen.after_append, 1);
    assert_int_equal(blob_seen.alone, 1);
    assert_true(blob_seen.same);
    assert_true(blob_seen.kept);
}

static void limit_scene(struct caller *caller)
{
    struct script *s = CONTAINER_OF(caller, struct script, caller);
    static const struct step steps[] = {
        {"append a 0123456789", ":10"},
        {"append a x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"},
        {"setrange a 9 xx", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"},
        {"setrange a 9 x", ":10"},
        {"lcs a a",
         "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"},
    };
    s->steps = steps;
    s->n = ARRAY_LEN(steps);
    atomic_store(&commands_max_string, 10);
    script_steps(s);
    atomic_store(&commands_max_string, (size_t)512 << 20);
}

static struct script no_string_grows_beyond_the_limit_script = {.fn = limit_scene};

static void no_string_grows_beyond_the_limit(void **state)
{
    if (no_string_grows_beyond_the_limit_script.failure[0])
        fail_msg("%s", no_string_grows_beyond_the_limit_script.failure);
}

int main(void)
{
    struct script *scripts[] = {
        &get_and_set_script,
        &set_options_exclude_each_other_script,
        &set_refuses_bad_times_script,
        &set_minds_the_lifetime_script,
        &a_lifetime_ends_script,
        &comparisons_decide_script,
        &digests_compare_script,
        &delex_deletes_on_conditions_script,
        &other_types_are_refused_or_replaced_script,
        &getex_getdel_getset_script,
        &several_at_once_script,
        &append_and_ranges_script,
        &numbers_script,
        &lcs_text_length_ranges_script,
        &a_large_value_is_taken_over_not_copied_script,
        &no_string_grows_beyond_the_limit_script,
        NULL,
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_and_set),
        cmocka_unit_test(set_options_exclude_each_other),
        cmocka_unit_test(set_refuses_bad_times),
        cmocka_unit_test(set_minds_the_lifetime),
        cmocka_unit_test(a_lifetime_ends),
        cmocka_unit_test(comparisons_decide),
        cmocka_unit_test(digests_compare),
        cmocka_unit_test(delex_deletes_on_conditions),
        cmocka_unit_test(other_types_are_refused_or_replaced),
        cmocka_unit_test(getex_getdel_getset),
        cmocka_unit_test(several_at_once),
        cmocka_unit_test(append_and_ranges),
        cmocka_unit_test(numbers),
        cmocka_unit_test(lcs_text_length_ranges),
        cmocka_unit_test(a_large_value_is_taken_over_not_copied),
        cmocka_unit_test(no_string_grows_beyond_the_limit),
    };
    if (run_scripts(scripts) != RT_OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
