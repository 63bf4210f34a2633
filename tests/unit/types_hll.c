/*
 * types_hll.c - HyperLogLogs: both forms hold the same registers, estimates are near, and bytes from
 * outside do no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "types/types.h"

struct sketch {
    char bytes[HLL_DENSE_LEN];
    size_t n;
};

static struct slice view(const struct sketch *s)
{
    return slice_of(s->bytes, s->n);
}

static void begin(struct sketch *s, bool dense)
{
    struct sketch empty;
    hll_empty(empty.bytes);
    empty.n = HLL_EMPTY_LEN;
    *s = empty;
    if (!dense) return;
    assert_true(hll_to_dense(view(&empty), s->bytes));
    s->n = HLL_DENSE_LEN;
}

static enum hll_effect show(struct sketch *s, struct hll_hit hit)
{
    struct hll_edit edit;
    enum hll_effect effect = hll_look(view(s), hit, &edit);
    if (effect != HLL_CHANGES) return effect;
    assert_true(hll_edit_room(view(s), &edit) <= sizeof s->bytes);
    s->n = hll_apply(s->bytes, s->n, &edit);
    return effect;
}

static uint64_t estimate(const struct sketch *s)
{
    struct hll_histogram h;
    assert_true(hll_histogram(view(s), &h));
    return hll_estimate(&h);
}

static struct hll_hit hit_of(uint64_t element)
{
    return hll_hit_of(slice_of(&element, sizeof element));
}

static void expect_same_registers(const struct sketch *a, const struct sketch *b)
{
    static uint8_t x[HLL_REGISTERS], y[HLL_REGISTERS];
    memset(x, 0, sizeof x);
    memset(y, 0, sizeof y);
    assert_true(hll_raise_to(x, view(a)));
    assert_true(hll_raise_to(y, view(b)));
    assert_memory_equal(x, y, sizeof x);
}

static void both_forms_hold_the_same_registers(void **state)
{
    for (int round = 0; round < 20; round++) {
        struct sketch sparse, dense, converted;
        uint64_t elements = rand_below(1500), seed = rand_u64();
        begin(&sparse, false);
        begin(&dense, true);
        for (uint64_t i = 0; i < elements; i++) {
            enum hll_effect a = show(&sparse, hit_of(seed ^ i));
            if (a == HLL_NEEDS_DENSE) break;
            assert_int_equal(a, show(&dense, hit_of(seed ^ i)));
        }
        expect_same_registers(&sparse, &dense);
        assert_int_equal(estimate(&sparse), estimate(&dense));
        converted.n = HLL_DENSE_LEN;
        assert_true(hll_to_dense(view(&sparse), converted.bytes));
        assert_memory_equal(converted.bytes + HLL_HEADER, dense.bytes + HLL_HEADER,
                            HLL_DENSE_LEN - HLL_HEADER);
    }
}

static void neighbours_of_one_value_are_joined(void **state)
{
    struct sketch s;
    struct buf text = {0};
    begin(&s, false);
    for (uint32_t i = 0; i < 6; i++)
        show(&s, (struct hll_hit){1000 + i, 3});
    hll_decode(view(&s), &text);
    assert_string_equal(buf_cstr(&text), "Z:1000 v:3,4 v:3,2 Z:15378");
    buf_clear(&text);
    show(&s, (struct hll_hit){1001, 9});
    hll_decode(view(&s), &text);
    assert_string_equal(buf_cstr(&text), "Z:1000 v:3,1 v:9,1 v:3,4 Z:15378");
    buf_free(&text);
}

static void what_sparse_cannot_hold_needs_dense(void **state)
{
    struct sketch s;
    begin(&s, false);
    assert_int_equal(show(&s, (struct hll_hit){5, 33}), HLL_NEEDS_DENSE);
    assert_int_equal(show(&s, (struct hll_hit){5, 32}), HLL_CHANGES);
    assert_int_equal(show(&s, (struct hll_hit){5, 32}), HLL_SAME);
    hll_limits.sparse_max_bytes = s.n;
    assert_int_equal(show(&s, (struct hll_hit){99, 1}), HLL_NEEDS_DENSE);
    hll_limits.sparse_max_bytes = 3000;
    assert_int_equal(show(&s, (struct hll_hit){99, 1}), HLL_CHANGES);
}

static void estimates_are_near(void **state)
{
    struct sketch s;
    uint64_t next = 1;
    begin(&s, true);
    assert_int_equal(estimate(&s), 0);
    for (uint64_t i = 1; i <= 200000; i++) {
        show(&s, hit_of(i * 0x9e3779b97f4a7c15u));
        if (i != next) continue;
        uint64_t got = estimate(&s), off = got > i ? got - i : i - got;
        assert_true(off <= 1 + i / 20);
        next = next * 3 + 1;
    }
}

static void packing_registers_gives_them_back(void **state)
{
    static uint8_t registers[HLL_REGISTERS], got[HLL_REGISTERS];
    struct sketch s;
    struct hll_histogram a, b;
    begin(&s, true);
    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        registers[i] = (uint8_t)rand_below(64);
    hll_pack(registers, s.bytes);
    assert_true(hll_raise_to(got, view(&s)));
    assert_memory_equal(got, registers, sizeof got);
    hll_histogram_of(registers, &a);
    assert_true(hll_histogram(view(&s), &b));
    assert_memory_equal(&a, &b, sizeof a);
    for (unsigned i = 0; i < 1000; i++) {
        struct hll_hit hit = {(uint32_t)rand_below(HLL_REGISTERS), (uint8_t)rand_below(64)};
        assert_int_equal(show(&s, hit), hit.value > registers[hit.index] ? HLL_CHANGES : HLL_SAME);
        registers[hit.index] = MAX(registers[hit.index], hit.value);
    }
    memset(got, 0, sizeof got);
    assert_true(hll_raise_to(got, view(&s)));
    assert_memory_equal(got, registers, sizeof got);
}

static void the_cached_estimate_is_out_of_date_when_told(void **state)
{
    struct sketch s;
    uint64_t v = 7;
    begin(&s, false);
    assert_true(hll_cached(view(&s), &v));
    assert_int_equal(v, 0);
    hll_cache(s.bytes, 123456789012);
    assert_true(hll_cached(view(&s), &v));
    assert_int_equal(v, 123456789012);
    hll_uncache(s.bytes);
    assert_false(hll_cached(view(&s), &v));
}

/* Every function, on bytes that only have a header. Memory that is exactly as long shows overruns to
 * the address sanitizer. */
static void try_all(struct slice s)
{
    static uint8_t registers[HLL_REGISTERS];
    struct hll_histogram h;
    struct hll_edit edit;
    struct buf text = {0};
    char *dense = mem_alloc(HLL_DENSE_LEN);
    bool ok = hll_histogram(s, &h);
    assert_int_equal(hll_to_dense(s, dense), ok);
    assert_int_equal(hll_raise_to(registers, s), ok);
    hll_decode(s, &text);
    struct hll_hit hit = {(uint32_t)rand_below(HLL_REGISTERS), (uint8_t)(1 + rand_below(50))};
    if (hll_look(s, hit, &edit) == HLL_CHANGES) {
        char *p = mem_alloc(hll_edit_room(s, &edit));
        memcpy(p, s.p, s.n);
        assert_true(hll_apply(p, s.n, &edit) <= hll_edit_room(s, &edit));
        mem_free(p);
    }
    mem_free(dense);
    buf_free(&text);
}

static void corrupt_ones_do_no_harm(void **state)
{
    for (int round = 0; round < 20000; round++) {
        size_t n = HLL_HEADER + rand_below(40);
        char *p = mem_alloc(n);
        memset(p, 0, HLL_HEADER);
        memcpy(p, "HYLL\1", 5);
        if (n > HLL_HEADER) rand_secret(p + HLL_HEADER, n - HLL_HEADER);
        if (round % 2 && n > HLL_HEADER + 4) memcpy(p + HLL_HEADER, "\x7f\xf0\x7f\xff", 4);
        assert_true(hll_valid(slice_of(p, n)));
        try_all(slice_of(p, n));
        mem_free(p);
    }
}

static void headers_are_looked_at(void **state)
{
    struct sketch s;
    begin(&s, true);
    assert_true(hll_valid(view(&s)));
    assert_false(hll_valid(slice_of(s.bytes, HLL_DENSE_LEN - 1)));
    assert_false(hll_valid(slice_of(s.bytes, HLL_HEADER - 1)));
    s.bytes[4] = 2;
    assert_false(hll_valid(view(&s)));
    s.bytes[4] = 1;
    s.bytes[0] = 'h';
    assert_false(hll_valid(view(&s)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_hold_the_same_registers),
        cmocka_unit_test(neighbours_of_one_value_are_joined),
        cmocka_unit_test(what_sparse_cannot_hold_needs_dense),
        cmocka_unit_test(estimates_are_near),
        cmocka_unit_test(packing_registers_gives_them_back),
        cmocka_unit_test(the_cached_estimate_is_out_of_date_when_told),
        cmocka_unit_test(corrupt_ones_do_no_harm),
        cmocka_unit_test(headers_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
