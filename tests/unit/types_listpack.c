/*
 * types_listpack.c - listpacks: the bytes are those that Redis writes (vectors taken from the DUMP
 * payloads of redis-server 7.0), and a random walk of edits agrees with an array of strings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "types/types.h"

/* ---- format --------------------------------------------------------------------------------- */

static void expect_hex(const uint8_t *p, size_t n, const char *want)
{
    char got[200] = "";
    assert_true(n * 2 < sizeof got);
    for (size_t i = 0; i < n; i++)
        snprintf(got + 2 * i, 3, "%02x", p[i]);
    assert_string_equal(got, want);
}

static void elements_have_the_bytes_of_redis(void **state)
{
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"0", "0001"},
        {"1", "0101"},
        {"127", "7f01"},
        {"128", "c08002"},
        {"-1", "dfff02"},
        {"-128", "df8002"},
        {"4095", "cfff02"},
        {"4096", "f1001003"},
        {"-4096", "d00002"},
        {"-4097", "f1ffef03"},
        {"32767", "f1ff7f03"},
        {"32768", "f200800004"},
        {"-32768", "f1008003"},
        {"-32769", "f2ff7fff04"},
        {"8388607", "f2ffff7f04"},
        {"8388608", "f30000800005"},
        {"-8388608", "f200008004"},
        {"-8388609", "f3ffff7fff05"},
        {"2147483647", "f3ffffff7f05"},
        {"2147483648", "f4000000800000000009"},
        {"-2147483648", "f30000008005"},
        {"-2147483649", "f4ffffff7fffffffff09"},
        {"9223372036854775807", "f4ffffffffffffff7f09"},
        {"-9223372036854775808", "f4000000000000008009"},
        {"", "8001"},
        {"a", "816102"},
        {"-0", "822d3003"},
        {"01", "82303103"},
        {"+1", "822b3103"},
        {" 1", "82203103"},
        {"9223372036854775808", "933932323333373230333638353437373538303814"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice s = slice_str(cases[i].text);
        char tmp[NUM_I64_MAX];
        lp *l = lp_append(lp_new(0), s);
        expect_hex(l + 6, lp_bytes(l) - 7, cases[i].hex);
        assert_int_equal(lp_elem_bytes(s), lp_bytes(l) - 7);
        assert_true(slice_eq(lp_slice(l, lp_first(l), tmp), s));
        assert_true(lp_equals(l, lp_first(l), s));
        assert_true(lp_valid(l, lp_bytes(l), true));
        lp_free(l);
    }
}

static void header_and_end(void **state)
{
    lp *l = lp_new(100);
    expect_hex(l, lp_bytes(l), "070000000000ff");
    assert_int_equal(lp_first(l), LP_NONE);
    assert_int_equal(lp_last(l), LP_NONE);
    assert_int_equal(lp_seek(l, 0), LP_NONE);
    assert_int_equal(lp_seek(l, -1), LP_NONE);
    l = lp_append(l, SLICE("a"));
    l = lp_append_int(l, 1);
    l = lp_append(l, SLICE("bc"));
    expect_hex(l, lp_bytes(l), "100000000300816102010182626303ff");
    lp_free(l);
}

static uint64_t fnv(const uint8_t *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static void long_strings_have_the_bytes_of_redis(void **state)
{
    static const struct {
        size_t n, bytes;
        uint64_t fnv;
    } cases[] = {
        {63, 72, 0x62e0ff83a028927a},       {64, 74, 0xb9a5a00e4a60aa51},
        {124, 134, 0x7d6eac4815457b3d},     {125, 135, 0x875c591917a0b51a},
        {126, 137, 0x93bc34dceeb52edf},     {127, 138, 0x914288af353f6f40},
        {128, 139, 0x7e97b4e45e337195},     {4095, 4106, 0xaa4335c897cdea98},
        {4096, 4110, 0x39766af6066555e6},   {16377, 16391, 0xab7f2cd41d5df2cf},
        {16378, 16393, 0x7229f430e45afcdb}, {16379, 16394, 0x3db4adade328a888},
        {20000, 20015, 0x693a7eecb47a4a60}, {60000, 60015, 0x7ef51801561062e6},
    };
    char *text = mem_alloc(60000);
    memset(text, 'x', 60000);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lp *l = lp_append(lp_new(0), slice_of(text, cases[i].n));
        assert_int_equal(lp_bytes(l), cases[i].bytes);
        assert_true(fnv(l, lp_bytes(l)) == cases[i].fnv);
        assert_int_equal(lp_last(l), lp_first(l));
        assert_true(lp_valid(l, lp_bytes(l), true));
        lp_free(l);
    }
    mem_free(text);
}

static void sizes_beyond_four_bytes_of_back_length(void **state)
{
    size_t sizes[] = {2097140, 2097146, 2097150, 268435450, 268435460};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct slice big = slice_of(calloc(1, sizes[i]), sizes[i]);
        lp *l = lp_append(lp_append(lp_new(0), big), SLICE("z"));
        assert_true(lp_valid(l, lp_bytes(l), true));
        size_t last = lp_last(l), first = lp_prev(l, last);
        assert_int_equal(first, lp_first(l));
        assert_int_equal(lp_next(l, first), last);
        assert_int_equal(lp_get(l, first).n, big.n);
        assert_false(lp_safe_to_add(l, LP_MAX_BYTES - lp_bytes(l) + 1));
        assert_true(lp_safe_to_add(l, LP_MAX_BYTES - lp_bytes(l)));
        lp_free(l);
        free((void *)big.p);
    }
}

/* Every append moves it all, which an instrumented build takes a minute for. */
static void more_elements_than_the_header_counts(void **state)
{
#ifdef WEFT_SANITIZER
    skip();
#endif
    lp *l = lp_new(0);
    for (int64_t i = 0; i < 70000; i++) {
        l = lp_append_int(l, i);
        if (i > 65530 && i < 65540) assert_int_equal(lp_count(l), i + 1);
    }
    assert_int_equal(lp_count(l), 70000);
    assert_true(lp_valid(l, lp_bytes(l), true));
    assert_int_equal(lp_get(l, lp_seek(l, 69999)).i, 69999);
    assert_int_equal(lp_get(l, lp_seek(l, -70000)).i, 0);
    assert_int_equal(lp_seek(l, 70000), LP_NONE);
    assert_int_equal(lp_seek(l, -70001), LP_NONE);
    l = lp_delete_range(l, 10, 69980);
    assert_int_equal(lp_count(l), 20);
    assert_int_equal(lp_get(l, lp_seek(l, 10)).i, 69990);
    lp_free(l);
}

/* ---- against an array ------------------------------------------------------------------------ */

#define MODEL_MAX 400

struct model {
    char *s[MODEL_MAX];
    size_t len[MODEL_MAX];
    size_t n;
    lp *l;
};

static struct slice model_at(const struct model *m, size_t i)
{
    return slice_of(m->s[i], m->len[i]);
}

static void model_insert(struct model *m, size_t at, struct slice s)
{
    memmove(m->s + at + 1, m->s + at, (m->n - at) * sizeof *m->s);
    memmove(m->len + at + 1, m->len + at, (m->n - at) * sizeof *m->len);
    m->s[at] = mem_dup(s.p, s.n);
    m->len[at] = s.n;
    m->n++;
}

static void model_delete(struct model *m, size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free(m->s[at + i]);
    memmove(m->s + at, m->s + at + n, (m->n - at - n) * sizeof *m->s);
    memmove(m->len + at, m->len + at + n, (m->n - at - n) * sizeof *m->len);
    m->n -= n;
}

static struct slice random_elem(char *space)
{
    static const size_t most[] = {4, 70, 200, 5000};
    switch (rand_below(4)) {
    case 0: return slice_of(space, num_fmt_i64(space, (int64_t)rand_below(300) - 150));
    case 1: return slice_of(space, num_fmt_i64(space, (int64_t)rand_u64() >> rand_below(63)));
    }
    size_t n = rand_below(most[rand_below(ARRAY_LEN(most))]);
    memset(space, 'a' + (int)rand_below(26), n);
    return slice_of(space, n);
}

static void expect_same(const struct model *m)
{
    char tmp[NUM_I64_MAX];
    size_t i = 0, last = LP_NONE;
    assert_int_equal(lp_count(m->l), m->n);
    assert_true(lp_valid(m->l, lp_bytes(m->l), true));
    for (size_t pos = lp_first(m->l); pos != LP_NONE; pos = lp_next(m->l, pos), i++) {
        assert_true(i < m->n);
        assert_true(slice_eq(lp_slice(m->l, pos, tmp), model_at(m, i)));
        last = pos;
    }
    assert_int_equal(i, m->n);
    assert_int_equal(lp_last(m->l), last);
    for (size_t pos = last; pos != LP_NONE; pos = lp_prev(m->l, pos)) {
        i--;
        assert_true(lp_equals(m->l, pos, model_at(m, i)));
        assert_int_equal(lp_seek(m->l, (int64_t)i), pos);
        assert_int_equal(lp_seek(m->l, (int64_t)i - (int64_t)m->n), pos);
    }
    assert_int_equal(i, 0);
}

static void add_somewhere(struct model *m, struct slice s)
{
    size_t at = m->n ? rand_below(m->n) : 0, pos;
    bool after = rand_below(2);
    switch (m->n == 0 ? rand_below(2) : rand_below(3)) {
    case 0:
        m->l = lp_append(m->l, s);
        model_insert(m, m->n, s);
        break;
    case 1:
        m->l = lp_prepend(m->l, s);
        model_insert(m, 0, s);
        break;
    case 2:
        m->l = lp_insert(m->l, lp_seek(m->l, (int64_t)at), s, after, &pos);
        model_insert(m, at + after, s);
        assert_int_equal(pos, lp_seek(m->l, (int64_t)(at + after)));
    }
}

static void change_one(struct model *m, struct slice s)
{
    size_t at = rand_below(m->n), pos = lp_seek(m->l, (int64_t)at);
    if (rand_below(2)) {
        m->l = lp_replace(m->l, &pos, s);
        model_delete(m, at, 1);
        model_insert(m, at, s);
        assert_int_equal(pos, lp_seek(m->l, (int64_t)at));
        return;
    }
    m->l = lp_delete(m->l, &pos);
    model_delete(m, at, 1);
    assert_int_equal(pos, lp_seek(m->l, (int64_t)at));
}

static void remove_range(struct model *m)
{
    size_t at = rand_below(m->n), n = rand_below(8), some = MIN(n, m->n - at);
    m->l = lp_delete_range(m->l, (int64_t)at - (rand_below(2) ? (int64_t)m->n : 0), n);
    model_delete(m, at, some);
}

static void split_and_merge(struct model *m)
{
    size_t at = rand_below(m->n + 2);
    lp *rest = lp_split(&m->l, at);
    assert_int_equal(lp_count(m->l), MIN(at, m->n));
    assert_int_equal(lp_count(rest), m->n - MIN(at, m->n));
    assert_true(lp_valid(m->l, lp_bytes(m->l), true) && lp_valid(rest, lp_bytes(rest), true));
    m->l = lp_merge(m->l, rest);
}

static void find_one(const struct model *m, struct slice s)
{
    size_t step = rand_below(3), i = rand_below(m->n), start = i;
    while (i < m->n && !slice_eq(model_at(m, i), s))
        i += 1 + step;
    size_t want = i < m->n ? lp_seek(m->l, (int64_t)i) : LP_NONE;
    assert_int_equal(lp_find(m->l, lp_seek(m->l, (int64_t)start), s, step), want);
}

static void random_edits(void **state)
{
    static char space[5000];
    struct model m = {.l = lp_new(0)};
    for (int i = 0; i < 20000; i++) {
        struct slice s = random_elem(space);
        size_t kind = rand_below(8);
        if (kind < 4 || m.n == 0) {
            if (m.n < MODEL_MAX) add_somewhere(&m, s);
        } else if (kind < 6) {
            change_one(&m, s);
        } else if (kind == 6) {
            rand_below(2) ? remove_range(&m) : split_and_merge(&m);
        } else {
            find_one(&m, rand_below(2) ? s : model_at(&m, rand_below(m.n)));
        }
        if (i % 16 == 0) expect_same(&m);
        if (i % 1000 == 0) {
            lp *copy = lp_dup(m.l);
            lp_free(m.l);
            m.l = copy;
        }
    }
    expect_same(&m);
    model_delete(&m, 0, m.n);
    lp_free(m.l);
}

static void find_sees_what_is_skipped_at_the_end(void **state)
{
    lp *l = lp_append(lp_append(lp_append(lp_new(0), SLICE("f")), SLICE("v")), SLICE("g"));
    assert_int_equal(lp_find(l, lp_first(l), SLICE("v"), 1), LP_NONE);
    assert_int_equal(lp_find(l, lp_first(l), SLICE("g"), 1), lp_last(l));
    assert_int_equal(lp_find(l, lp_first(l), SLICE("h"), 1), LP_NONE);
    assert_int_equal(lp_find(l, LP_NONE, SLICE("f"), 0), LP_NONE);
    lp_free(l);
}

static void memory_grows_in_classes_and_comes_back(void **state)
{
    lp *l = lp_new(0), *at = l;
    size_t moves = 0;
    for (int i = 0; i < 800; i++) {
        l = lp_append(l, SLICE("12 bytes  .."));
        moves += l != at;
        at = l;
    }
#ifdef WEFT_JEMALLOC
    assert_true(moves < 45);
#endif
    l = lp_delete_range(l, 1, 799);
    assert_true(mem_usable(l) <= 64);
    lp_free(l);
}

/* ---- from outside --------------------------------------------------------------------------- */

static void damage_is_seen(void **state)
{
    lp *l = lp_append(lp_append_int(lp_append(lp_new(0), SLICE("abc")), 1000), SLICE("d"));
    size_t n = lp_bytes(l);
    assert_true(lp_valid(l, n, true));
    assert_false(lp_valid(l, n - 1, true));
    assert_false(lp_valid(l, 0, false));
    struct {
        size_t at;
        uint8_t byte;
    } damages[] = {{0, 99},   {4, 2},    {6, 0x84}, {6, 0xF5},
                   {6, 0xFF}, {6, 0xF0}, {10, 5},   {n - 1, 0}};
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        uint8_t good = l[damages[i].at];
        l[damages[i].at] = damages[i].byte;
        assert_false(lp_valid(l, n, true));
        l[damages[i].at] = good;
    }
    lp_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_have_the_bytes_of_redis),
        cmocka_unit_test(header_and_end),
        cmocka_unit_test(long_strings_have_the_bytes_of_redis),
        cmocka_unit_test(sizes_beyond_four_bytes_of_back_length),
        cmocka_unit_test(more_elements_than_the_header_counts),
        cmocka_unit_test(random_edits),
        cmocka_unit_test(find_sees_what_is_skipped_at_the_end),
        cmocka_unit_test(memory_grows_in_classes_and_comes_back),
        cmocka_unit_test(damage_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
