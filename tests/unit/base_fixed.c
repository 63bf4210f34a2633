/* base_fixed.c - numbers in fixed notation are what printf makes of them. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"

static void expect_as_printf(double v, unsigned decimals)
{
    char out[NUM_FIXED_MAX], expected[400];
    size_t n = num_fmt_fixed(out, v, decimals);
    snprintf(expected, sizeof expected, "%.*f", (int)decimals, v);
    assert_string_equal(out, expected);
    assert_int_equal(n, strlen(expected));
}

static void numbers_of_every_size_are_as_printf_has_them(void **state)
{
    static const unsigned decimals[] = {1, 4, 9, 17};
    for (int i = 0; i < 200000; i++) {
        int exponent = (int)rand_below(140) - 80;
        double v = ldexp((double)(int64_t)rand_u64(), exponent - 62);
        expect_as_printf(v, decimals[i % 4]);
    }
}

static void halves_go_to_the_even_neighbour(void **state)
{
    for (int i = 0; i < 4000; i++) {
        expect_as_printf(i / 32.0, 4);
        expect_as_printf(-i / 32.0, 4);
        expect_as_printf(i / 32.0 + 0x1p-40, 4);
        expect_as_printf(i * 0x1p-18, 17);
    }
}

static void carries_reach_the_whole_part(void **state)
{
    expect_as_printf(0.99995, 4);
    expect_as_printf(0.99999, 4);
    expect_as_printf(9.999999999, 4);
    expect_as_printf(-179.99999999999997, 17);
    expect_as_printf(nextafter(1, 0), 4);
}

static void the_extremes_are_as_printf_has_them(void **state)
{
    static const double values[] = {0,       -0.0,     DBL_MIN,  -DBL_MIN, 5e-324,
                                    DBL_MAX, -DBL_MAX, INFINITY, 0x1p52,   0x1p52 - 0.5};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        expect_as_printf(values[i], 4);
        expect_as_printf(values[i], 17);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_every_size_are_as_printf_has_them),
        cmocka_unit_test(halves_go_to_the_even_neighbour),
        cmocka_unit_test(carries_reach_the_whole_part),
        cmocka_unit_test(the_extremes_are_as_printf_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
