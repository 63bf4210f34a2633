/*
 * types_pairs.c - the packed pairs of a small hash: their bytes are as documented, every kind of
 * element survives the way to a listpack and back, and they take less memory than one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "types/pairs.h"
#include "types/types.h"

static const char *const elements[] = {
    "",
    "0",
    "127",
    "128",
    "-1",
    "-4096",
    "4095",
    "4096",
    "32767",
    "-32768",
    "32768",
    "8388607",
    "-8388608",
    "8388608",
    "-0",
    "007",
    "1.5",
    "2147483647",
    "-2147483648",
    "2147483648",
    "9223372036854775807",
    "value",
    "-12345",
    "9223372036854775808",
    "-9223372036854775808",
};

static void bytes_are_as_documented(void **state)
{
    (void)state;
    pairs *p = pairs_new(NULL, 0);
    assert_true(pairs_put(&p, SLICE("name"), SLICE("7")));
    assert_true(pairs_put(&p, SLICE("200"), SLICE("ab")));
    const uint8_t want[] = {2, 0, 0x84, 'n', 'a', 'm', 'e', 7, 0xC0, 200, 0x82, 'a', 'b'};
    assert_int_equal(pairs_bytes(p), sizeof want);
    assert_memory_equal(p, want, sizeof want);
    assert_false(pairs_put(&p, SLICE("name"), SLICE("8")));
    assert_int_equal(p[7], 8);
    pairs_free(p);
}

static struct slice element(size_t i, struct buf *long_one)
{
    static const size_t lengths[] = {63, 64, 4095, 4096, 70000};
    if (i < ARRAY_LEN(elements)) return slice_str(elements[i]);
    size_t n = lengths[i - ARRAY_LEN(elements)];
    buf_clear(long_one);
    while (long_one->n < n)
        buf_addc(long_one, (char)('a' + i % 26));
    return buf_slice(long_one);
}

#define KINDS (ARRAY_LEN(elements) + 5)

static void expect_all(const pairs *p)
{
    char tmp[NUM_I64_MAX];
    struct buf field = {0}, value = {0};
    assert_int_equal(pairs_count(p), KINDS);
    for (size_t i = 0; i < KINDS; i++) {
        size_t pos = pairs_find(p, element(i, &field));
        assert_int_not_equal(pos, PAIRS_NONE);
        struct slice got = pairs_slice(p, pairs_next(p, pos), tmp);
        assert_true(slice_eq(got, element(KINDS - 1 - i, &value)));
    }
    assert_int_equal(pairs_find(p, SLICE("absent")), PAIRS_NONE);
    assert_int_equal(pairs_find(p, SLICE("126")), PAIRS_NONE);
    buf_free(&field);
    buf_free(&value);
}

static void every_element_survives_a_listpack(void **state)
{
    (void)state;
    struct buf field = {0}, value = {0};
    pairs *p = pairs_new(NULL, 0);
    for (size_t i = 0; i < KINDS; i++)
        assert_true(pairs_put(&p, element(i, &field), element(KINDS - 1 - i, &value)));
    expect_all(p);
    lp *l = pairs_to_listpack(p);
    assert_true(lp_valid(l, lp_bytes(l), true));
    assert_int_equal(lp_count(l), 2 * KINDS);
    pairs *back = pairs_of_listpack(l);
    expect_all(back);
    assert_int_equal(pairs_bytes(back), pairs_bytes(p));
    assert_memory_equal(back, p, pairs_bytes(p));
    assert_true(pairs_bytes(p) + 2 * KINDS < lp_bytes(l));
    lp_free(l);
    pairs_free(back);
    for (size_t i = 0; i < KINDS; i++)
        p = pairs_remove(p, pairs_find(p, element(i, &field)));
    assert_int_equal(pairs_count(p), 0);
    assert_int_equal(pairs_bytes(p), 2);
    pairs_free(p);
    buf_free(&field);
    buf_free(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_as_documented),
        cmocka_unit_test(every_element_survives_a_listpack),
    };
    mem_thread_attach();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
