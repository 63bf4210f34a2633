/* base_radix.c - sorting by 64-bit keys: ascending, stable, whatever the keys look like. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/radix.h"

static void sort_and_check(size_t n, uint64_t mask)
{
    struct radix_item *items = calloc(n + 1, sizeof *items), *tmp = calloc(n + 1, sizeof *tmp);
    uint64_t *keys = calloc(n + 1, sizeof *keys);
    bool *seen = calloc(n + 1, sizeof *seen);
    for (size_t i = 0; i < n; i++) {
        keys[i] = rand_u64() & mask;
        items[i] = (struct radix_item){keys[i], (uint32_t)i};
    }
    struct radix_item *sorted = radix_sort(items, tmp, n);
    for (size_t i = 0; i < n; i++) {
        assert_true(sorted[i].at < n && !seen[sorted[i].at]);
        seen[sorted[i].at] = true;
        assert_true(sorted[i].key == keys[sorted[i].at]);
        if (i == 0) continue;
        assert_true(sorted[i - 1].key <= sorted[i].key);
        if (sorted[i - 1].key == sorted[i].key) assert_true(sorted[i - 1].at < sorted[i].at);
    }
    free(items);
    free(tmp);
    free(keys);
    free(seen);
}

static void any_keys_come_out_ascending_and_equal_ones_as_they_were(void **state)
{
    static const uint64_t masks[] = {UINT64_MAX, 0, 7, 0xff00, 0xff00ff00ff00ff00u, 1ull << 63};
    static const size_t sizes[] = {0, 1, 2, 47, 48, 49, 1000, 20000};
    for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
        for (size_t j = 0; j < ARRAY_LEN(sizes); j++)
            sort_and_check(sizes[j], masks[i]);
    }
}

static void keys_of_numbers_are_in_their_order(void **state)
{
    static const double ascending[] = {-INFINITY, -DBL_MAX, -1.5, -1,  -DBL_MIN, -5e-324, 0,
                                       5e-324,    DBL_MIN,  1,    1.5, 1e300,    DBL_MAX, INFINITY};
    for (size_t i = 1; i < ARRAY_LEN(ascending); i++)
        assert_true(radix_key(ascending[i - 1]) < radix_key(ascending[i]));
    assert_true(radix_key(-0.0) == radix_key(0.0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_keys_come_out_ascending_and_equal_ones_as_they_were),
        cmocka_unit_test(keys_of_numbers_are_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
