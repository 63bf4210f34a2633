/*
 * types_set.c - intsets and sets: random walks agree with an array in every encoding and under all
 * limits; conversions happen where Redis has them; intsets from outside are checked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "types/intset.h"
#include "types/types.h"

static struct entry *new_set(size_t ints, size_t entries, size_t value)
{
    set_limits = (struct set_limits){ints, entries, value};
    return entry_new_set(SLICE("set"));
}

static void add(struct entry *e, const char *member)
{
    set_add(e, slice_str(member));
}

static void add_ints(struct entry *e, int64_t from, int64_t to)
{
    char text[NUM_I64_MAX];
    for (; from < to; from++)
        set_add(e, slice_of(text, num_fmt_i64(text, from)));
}

/* ---- intsets -------------------------------------------------------------------------------- */

static const int64_t edges[] = {0,
                                1,
                                -1,
                                INT16_MAX,
                                INT16_MIN,
                                INT16_MAX + 1,
                                INT32_MAX,
                                INT32_MIN,
                                INT16_MIN - 1,
                                INT64_MAX,
                                INT64_MIN,
                                (int64_t)INT32_MAX + 1,
                                (int64_t)INT32_MIN - 1};

static void expect_ascending(const struct intset *s)
{
    for (size_t i = 1; i < intset_len(s); i++)
        assert_true(intset_at(s, i - 1) < intset_at(s, i));
    if (intset_len(s)) assert_true(intset_valid((const uint8_t *)s, intset_bytes(s), true));
}

static void an_intset_holds_what_was_added_in_order(void **state)
{
    for (int round = 0; round < 200; round++) {
        bool there[ARRAY_LEN(edges)] = {false}, done;
        struct intset *s = intset_new();
        size_t n = 0;
        for (int i = 0; i < 60; i++) {
            size_t at = rand_below(ARRAY_LEN(edges));
            bool put = rand_below(3) > 0;
            s = put ? intset_add(s, edges[at], &done) : intset_remove(s, edges[at], &done);
            assert_int_equal(done, there[at] != put);
            n += done ? (put ? 1 : (size_t)-1) : 0;
            there[at] = put;
            assert_int_equal(intset_len(s), n);
            expect_ascending(s);
            for (size_t j = 0; j < ARRAY_LEN(edges); j++)
                assert_int_equal(intset_has(s, edges[j]), there[j]);
        }
        intset_free(s);
    }
}

static void an_intset_is_as_wide_as_its_widest_needed(void **state)
{
    struct intset *s = intset_new();
    bool done;
    s = intset_add(s, 5, &done);
    assert_int_equal(intset_bytes(s), 8 + 2);
    s = intset_add(s, INT16_MIN - 1, &done);
    assert_int_equal(intset_bytes(s), 8 + 2 * 4);
    s = intset_add(s, INT64_MAX, &done);
    assert_int_equal(intset_bytes(s), 8 + 3 * 8);
    s = intset_remove(s, INT64_MAX, &done);
    assert_int_equal(intset_bytes(s), 8 + 2 * 8);
    assert_int_equal(intset_at(s, 0), INT16_MIN - 1);
    assert_int_equal(intset_at(s, 1), 5);
    intset_free(s);
}

static void the_bytes_of_an_intset_are_the_format(void **state)
{
    static const uint8_t expected[] = {2, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 3, 1};
    struct intset *s = intset_new();
    bool done;
    s = intset_add(s, 259, &done);
    s = intset_add(s, -1, &done);
    assert_int_equal(intset_bytes(s), sizeof expected);
    assert_memory_equal(s, expected, sizeof expected);
    intset_free(s);
}

static void malformed_intsets_are_refused(void **state)
{
    const uint8_t good[] = {2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 2, 0};
    const uint8_t width[] = {3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 2, 0};
    const uint8_t count[] = {2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 2, 0};
    const uint8_t order[] = {2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 0};
    const uint8_t twice[] = {2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 1, 0};
    const uint8_t none[] = {2, 0, 0, 0, 0, 0, 0, 0};
    const uint8_t wraps[] = {8, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0};
    assert_true(intset_valid(good, sizeof good, true));
    for (size_t n = 0; n < sizeof good; n++)
        assert_false(intset_valid(good, n, true));
    assert_false(intset_valid(width, sizeof width, false));
    assert_false(intset_valid(count, sizeof count, false));
    assert_false(intset_valid(none, sizeof none, false));
    assert_false(intset_valid(wraps, sizeof wraps, false));
    assert_true(intset_valid(order, sizeof order, false));
    assert_false(intset_valid(order, sizeof order, true));
    assert_false(intset_valid(twice, sizeof twice, true));
}

/* ---- conversions ---------------------------------------------------------------------------- */

static void integers_beyond_the_limit_make_a_table(void **state)
{
    struct entry *e = new_set(4, 128, 64);
    add_ints(e, 0, 4);
    assert_int_equal(e->enc, ENC_INTSET);
    add_ints(e, 3, 4);
    assert_int_equal(e->enc, ENC_INTSET);
    add_ints(e, 4, 5);
    assert_int_equal(e->enc, ENC_HASHTABLE);
    assert_int_equal(set_len(e), 5);
    entry_free(e);
}

static void a_word_makes_a_listpack_of_few_integers_and_a_table_of_many(void **state)
{
    struct entry *e = new_set(512, 10, 64);
    add_ints(e, 0, 9);
    add(e, "word");
    assert_int_equal(e->enc, ENC_LISTPACK);
    add(e, "more");
    assert_int_equal(e->enc, ENC_HASHTABLE);
    assert_int_equal(set_len(e), 11);
    entry_free(e);
    e = new_set(512, 10, 64);
    add_ints(e, 0, 10);
    add(e, "word");
    assert_int_equal(e->enc, ENC_HASHTABLE);
    entry_free(e);
}

static void a_long_member_makes_a_table(void **state)
{
    struct entry *e = new_set(512, 128, 4);
    add(e, "four");
    assert_int_equal(e->enc, ENC_LISTPACK);
    add(e, "fives");
    assert_int_equal(e->enc, ENC_HASHTABLE);
    entry_free(e);
    e = new_set(512, 128, 4);
    add_ints(e, 12345, 12346);
    add(e, "x"); /* the integer is too long for a listpack */
    assert_int_equal(e->enc, ENC_HASHTABLE);
    entry_free(e);
}

static void what_is_there_changes_no_encoding(void **state)
{
    struct entry *e = new_set(512, 2, 64);
    add(e, "a");
    add(e, "b");
    assert_false(set_add(e, SLICE("a")));
    assert_int_equal(e->enc, ENC_LISTPACK);
    assert_true(set_remove(e, SLICE("a")));
    assert_false(set_remove(e, SLICE("a")));
    add(e, "c");
    assert_int_equal(e->enc, ENC_LISTPACK);
    entry_free(e);
}

static enum value_enc chosen(const char *first, size_t n)
{
    struct entry *e = new_set(4, 2, 64);
    set_before_add(e, slice_str(first), n);
    enum value_enc enc = e->enc;
    entry_free(e);
    return enc;
}

static void a_command_chooses_by_its_first_member_and_their_number(void **state)
{
    assert_int_equal(chosen("1", 4), ENC_INTSET);
    assert_int_equal(chosen("1", 5), ENC_HASHTABLE);
    assert_int_equal(chosen("a", 2), ENC_LISTPACK);
    assert_int_equal(chosen("a", 3), ENC_HASHTABLE);
    struct entry *e = new_set(4, 2, 64);
    add(e, "a");
    set_before_add(e, SLICE("b"), 2);
    assert_int_equal(e->enc, ENC_LISTPACK);
    set_before_add(e, SLICE("b"), 3);
    assert_int_equal(e->enc, ENC_HASHTABLE);
    assert_true(set_has(e, SLICE("a")));
    entry_free(e);
}

/* ---- against an array ------------------------------------------------------------------------ */

#define IDS 700

/* Integers, words, and members long enough for a length of nine bytes. */
static struct slice member_of(uint32_t id, char *text)
{
    size_t n = 0;
    switch (id % 4) {
    case 0: return slice_of(text, num_fmt_i64(text, (int64_t)id * 1000003 * (id % 8 ? 1 : -1)));
    case 1: n = (size_t)sprintf(text, "%u", id); break;
    case 2: n = (size_t)sprintf(text, "word-%u", id); break;
    default:
        n = 100 + id;
        memset(text, 'x', n);
        memcpy(text, &id, sizeof id);
    }
    return slice_of(text, n);
}

static void expect_members(const struct entry *e, const bool *there)
{
    struct set_iter it;
    struct slice member, batch[SET_BATCH];
    static char text[SET_BATCH][IDS + 200];
    bool has[SET_BATCH];
    size_t n = 0, expected = 0;
    set_first(e, &it);
    for (; set_next(&it, &member); n++)
        assert_true(set_has(e, member));
    assert_int_equal(n, set_len(e));
    for (uint32_t id = 0; id + SET_BATCH <= IDS; id += SET_BATCH) {
        for (uint32_t i = 0; i < SET_BATCH; i++)
            batch[i] = member_of(id + i, text[i]);
        set_has_each(e, batch, SET_BATCH, has);
        for (uint32_t i = 0; i < SET_BATCH; i++) {
            assert_int_equal(has[i], there[id + i]);
            assert_int_equal(set_has(e, batch[i]), there[id + i]);
        }
    }
    for (uint32_t id = 0; id < IDS; id++)
        expected += there[id];
    assert_int_equal(n, expected);
}

static void walk(size_t ints, size_t entries, size_t value, uint32_t kinds)
{
    bool there[IDS] = {false};
    char text[IDS + 200], tmp[NUM_I64_MAX];
    struct slice member;
    struct entry *e = new_set(ints, entries, value);
    for (uint32_t i = 0; i < 4000; i++) {
        uint32_t id = (uint32_t)rand_below(IDS);
        if (kinds < 4) id -= id % 4 - MIN(id % 4, kinds - 1);
        bool put = rand_below(10) < (i / 1000 % 2 ? 3u : 7u);
        member = member_of(id, text);
        bool done = put ? set_add(e, member) : set_remove(e, member);
        assert_int_equal(done, there[id] != put);
        there[id] = put;
        if (i % 500 == 0) expect_members(e, there);
        if (set_len(e) == 0) continue;
        set_random(e, &member, tmp);
        assert_true(set_has(e, member));
    }
    struct entry *copy = entry_dup(e, SLICE("copy"), ENTRY_NO_EXPIRE);
    assert_int_equal(copy->enc, e->enc);
    expect_members(copy, there);
    assert_true(entry_memory(copy, 5) > 0);
    entry_free(e);
    expect_members(copy, there);
    entry_free(copy);
}

static void random_walks_under_all_limits(void **state)
{
    walk(512, 128, 64, 1);
    walk(512, 128, 64, 2);
    walk(512, 128, 64, 4);
    walk(512, 1000, 5000, 4);
    walk(0, 0, 0, 4);
    walk(10, 5, 64, 4);
    walk(1000, 3, 8, 3);
}

/* ---- memory --------------------------------------------------------------------------------- */

static void a_short_member_takes_less_than_thirty_bytes(void **state)
{
    char text[32];
    struct entry *e = new_set(512, 128, 64);
    for (unsigned i = 0; i < 100000; i++) {
        size_t n = (size_t)sprintf(text, "member:%08u", i);
        set_add(e, slice_of(text, n));
    }
    double each = (double)entry_memory(e, 0) / 100000;
    print_message("%.1f bytes for a member of 15\n", each);
#ifndef WEFT_SANITIZER
    assert_true(each < 30);
#endif
    assert_true(entry_free_effort(e) == 100000);
    entry_free(e);
}

int main(void)
{
    mem_thread_attach();
    hash_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_intset_holds_what_was_added_in_order),
        cmocka_unit_test(an_intset_is_as_wide_as_its_widest_needed),
        cmocka_unit_test(the_bytes_of_an_intset_are_the_format),
        cmocka_unit_test(malformed_intsets_are_refused),
        cmocka_unit_test(integers_beyond_the_limit_make_a_table),
        cmocka_unit_test(a_word_makes_a_listpack_of_few_integers_and_a_table_of_many),
        cmocka_unit_test(a_long_member_makes_a_table),
        cmocka_unit_test(what_is_there_changes_no_encoding),
        cmocka_unit_test(a_command_chooses_by_its_first_member_and_their_number),
        cmocka_unit_test(random_walks_under_all_limits),
        cmocka_unit_test(a_short_member_takes_less_than_thirty_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
