/*
 * base_decimal.c - doubles and decimal digits: what is written reads back, is as short as can be
 * and the nearest of its length; what is read is what strtod() reads.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/decimal.h"

static double read_back(uint64_t digits, int exponent)
{
    char text[40];
    snprintf(text, sizeof text, "%llue%d", (unsigned long long)digits, exponent);
    return strtod(text, NULL);
}

/* printf finds the nearest text of a length; the first length that reads back is the shortest, but
 * where doubles are not evenly spaced. */
static void check_written(double v)
{
    char text[40];
    int exponent, length = 0;
    uint64_t digits = decimal_shortest(v, &exponent);
    if (read_back(digits, exponent) != v)
        fail_msg("%.17g: %llue%d", v, (unsigned long long)digits, exponent);
    for (; digits % 10 == 0; digits /= 10)
        exponent++;
    do
        snprintf(text, sizeof text, "%.*e", length++, v);
    while (strtod(text, NULL) != v);
    int have = (int)num_digits_u64(digits);
    if (have > length) fail_msg("%.17g: %llu has too many digits", v, (unsigned long long)digits);
    if (have < length) return;
    char mine[40];
    snprintf(mine, sizeof mine, "%llu.0e%d", (unsigned long long)digits, exponent);
    double error = fabs((double)(strtold(mine, NULL) - (long double)v));
    double best = fabs((double)(strtold(text, NULL) - (long double)v));
    if (error > best * 1.01 + DBL_MIN) fail_msg("%.17g: %s is nearer than %s", v, text, mine);
}

static void any_double_is_written_shortest(void **state)
{
    for (int i = 0; i < 60000; i++) {
        uint64_t bits = rand_u64() >> 1;
        double v;
        memcpy(&v, &bits, sizeof v);
        if (isfinite(v) && v > 0) check_written(v);
        check_written((double)(1 + rand_below(1000000)) / 1000);
        check_written((double)(1 + rand_u64() / 2) * 0x1p-63);
    }
}

static void the_edges_are_written_shortest(void **state)
{
    for (int e = -1074; e < 1024; e++) {
        double v = ldexp(1, e);
        check_written(v);
        check_written(nextafter(v, INFINITY));
        if (v > 5e-324) check_written(nextafter(v, 0));
    }
    for (int e = -323; e <= 308; e++) {
        double v = read_back(1, e);
        check_written(v);
        check_written(nextafter(v, INFINITY));
        check_written(nextafter(v, 0) > 0 ? nextafter(v, 0) : v);
    }
    check_written(DBL_MAX);
    check_written(DBL_MIN);
    for (int i = 1; i < 3000; i++)
        check_written(i * 5e-324);
}

static void check_read(uint64_t digits, int exponent, size_t *refused)
{
    double v;
    if (!decimal_to_double(digits, exponent, &v)) {
        *refused += 1;
        return;
    }
    if (v != read_back(digits, exponent))
        fail_msg("%llue%d read as %.17g", (unsigned long long)digits, exponent, v);
}

static void digits_are_read_as_strtod_reads_them(void **state)
{
    size_t refused = 0;
    for (int i = 0; i < 200000; i++) {
        check_read((rand_u64() >> rand_below(64)) | 1, (int)rand_below(561) - 280, &refused);
        check_read(rand_u64(), -(int)rand_below(20), &refused);
    }
    assert_true(refused < 300);
}

/* In the middle between two doubles, and next to it. */
static void halves_are_read_as_strtod_reads_them(void **state)
{
    size_t refused = 0;
    for (int i = 0; i < 100000; i++) {
        uint64_t odd = ((uint64_t)1 << 53 | rand_u64() >> 11) | 1;
        check_read(odd, 0, &refused);
        check_read(odd << 3, 0, &refused);
        check_read((odd << 8) + 1, 0, &refused);
        check_read((odd << 8) - 1, 0, &refused);
        check_read(odd, (int)rand_below(40), &refused);
    }
    assert_true(refused < 300);
    check_read(1, 0, &refused);
    check_read(UINT64_MAX, 280, &refused);
    check_read(UINT64_MAX, -280, &refused);
    check_read(9007199254740993, 0, &refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_double_is_written_shortest),
        cmocka_unit_test(the_edges_are_written_shortest),
        cmocka_unit_test(digits_are_read_as_strtod_reads_them),
        cmocka_unit_test(halves_are_read_as_strtod_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
