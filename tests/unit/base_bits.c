/*
 * base_bits.c - bits: what the fast ways give is what a loop over single bits gives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"

#define LEN 20000

static unsigned char bytes[LEN];

static bool bit_at(const unsigned char *p, uint64_t at)
{
    return p[at / 8] & 0x80 >> (at & 7);
}

static void fill(unsigned kind)
{
    for (size_t i = 0; i < LEN; i++) {
        unsigned char random = (unsigned char)rand_u64();
        bytes[i] = kind == 0 ? random : kind == 1 ? 0 : kind == 2 ? 0xff : random & random >> 3;
    }
}

static void counting_a_range_counts_its_bits(void **state)
{
    static uint64_t before[LEN * 8 + 1]; /* how many are set below */
    for (unsigned kind = 0; kind < 4; kind++) {
        fill(kind);
        for (uint64_t i = 0; i < LEN * 8; i++)
            before[i + 1] = before[i] + bit_at(bytes, i);
        assert_int_equal(bits_count(bytes, 0, LEN * 8), before[LEN * 8]);
        for (int round = 0; round < 20000; round++) {
            uint64_t from = rand_below(round % 2 ? 300 : LEN * 8), to = rand_below(LEN * 8 + 1);
            uint64_t want = from < to ? before[to] - before[from] : 0;
            assert_int_equal(bits_count(bytes, from, to), want);
        }
    }
}

static uint64_t find_slowly(uint64_t from, uint64_t to, bool bit)
{
    for (uint64_t i = from; i < to; i++) {
        if (bit_at(bytes, i) == bit) return i;
    }
    return BITS_NONE;
}

static void the_first_bit_of_a_range_is_found(void **state)
{
    for (int round = 0; round < 3000; round++) {
        bool bit = round % 2;
        uint64_t there = rand_below(4000), from = rand_below(4000), to = rand_below(4000);
        memset(bytes, bit ? 0 : 0xff, LEN);
        bits_put(bytes, there, 1, bit);
        bits_put(bytes, there + rand_below(500), 1, bit);
        assert_int_equal(bits_find(bytes, from, to, bit), find_slowly(from, to, bit));
        assert_int_equal(bits_find(bytes, from, to, !bit), find_slowly(from, to, !bit));
        assert_int_equal(bits_find(bytes, 0, there + 1, bit), there);
        assert_int_equal(bits_find(bytes, 0, there, bit), BITS_NONE);
    }
}

/* ---- combining ------------------------------------------------------------------------------ */

#define SOURCES 5

static bool combined(enum bits_op op, const bool *in, size_t count)
{
    size_t others = 0;
    for (size_t i = 1; i < count; i++)
        others += in[i];
    switch (op) {
    case BITS_AND: return in[0] && others == count - 1;
    case BITS_OR: return in[0] || others;
    case BITS_XOR: return (in[0] + others) & 1;
    case BITS_NOT: return !in[0];
    case BITS_DIFF: return in[0] && !others;
    case BITS_DIFF1: return !in[0] && others;
    case BITS_ANDOR: return in[0] && others;
    default: return in[0] + others == 1;
    }
}

static void expect_combined(enum bits_op op, const struct slice *sources, size_t count, size_t n,
                            const unsigned char *got)
{
    for (uint64_t at = 0; at < n * 8; at++) {
        bool in[SOURCES];
        for (size_t i = 0; i < count; i++) {
            in[i] = at / 8 < sources[i].n && bit_at((const unsigned char *)sources[i].p, at);
        }
        if (bit_at(got, at) != combined(op, in, count)) {
            fail_msg("operation %d of %zu, bit %llu of %zu bytes", op, count,
                     (unsigned long long)at, n);
        }
    }
}

/* Sources of different lengths; out is new, or lies where one of them does. */
static void combine_once(enum bits_op op, size_t count, size_t longest, bool in_place)
{
    static unsigned char memory[SOURCES][LEN], copies[SOURCES][LEN], out[LEN];
    struct slice sources[SOURCES], wanted[SOURCES];
    size_t n = 0, big = rand_below(count);
    for (size_t i = 0; i < count; i++) {
        size_t len = i == big ? longest : rand_below(longest + 1);
        for (size_t k = 0; k < len; k++)
            copies[i][k] = memory[i][k] = (unsigned char)rand_u64();
        sources[i] = slice_of(memory[i], len);
        wanted[i] = slice_of(copies[i], len);
        n = MAX(n, len);
    }
    unsigned char *to = in_place ? memory[rand_below(count)] : out;
    bits_combine(op, to, n, sources, count);
    expect_combined(op, wanted, count, n, to);
}

static void operations_combine_bit_by_bit(void **state)
{
    for (enum bits_op op = BITS_AND; op <= BITS_ONE; op++) {
        for (size_t count = op == BITS_DIFF || op == BITS_DIFF1 || op == BITS_ANDOR ? 2 : 1;
             count <= (op == BITS_NOT ? 1 : SOURCES); count++) {
            for (size_t longest = 1; longest < 9000; longest = longest * 3 + 1) {
                combine_once(op, count, longest, false);
                combine_once(op, count, longest, true);
            }
        }
    }
}

/* ---- fields --------------------------------------------------------------------------------- */

static void fields_hold_what_was_put_and_touch_nothing_else(void **state)
{
    for (int round = 0; round < 20000; round++) {
        unsigned char now[32], before[32];
        unsigned width = 1 + (unsigned)rand_below(64);
        uint64_t at = rand_below(sizeof now * 8 - width + 1), value = rand_u64();
        rand_secret(now, sizeof now);
        memcpy(before, now, sizeof now);
        bits_put(now, at, width, value);
        assert_true(bits_get(now, sizeof now, at, width) == (value & (UINT64_MAX >> (64 - width))));
        for (uint64_t i = 0; i < sizeof now * 8; i++) {
            if (i < at || i >= at + width) assert_int_equal(bit_at(now, i), bit_at(before, i));
        }
    }
}

static void fields_beyond_the_end_are_zeros(void **state)
{
    static const unsigned char two[] = {0xff, 0xff};
    assert_int_equal(bits_get(two, 2, 12, 8), 0xf0);
    assert_int_equal(bits_get(two, 2, 15, 64), (uint64_t)1 << 63);
    assert_int_equal(bits_get(two, 2, 1000, 64), 0);
    assert_int_equal(bits_get(NULL, 0, 0, 5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counting_a_range_counts_its_bits),
        cmocka_unit_test(the_first_bit_of_a_range_is_found),
        cmocka_unit_test(operations_combine_bit_by_bit),
        cmocka_unit_test(fields_hold_what_was_put_and_touch_nothing_else),
        cmocka_unit_test(fields_beyond_the_end_are_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
