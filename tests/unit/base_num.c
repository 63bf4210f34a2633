/* base_num.c - numbers as text: what is accepted, what is printed, and that both agree. */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"

static bool i64(const char *text, int64_t *out)
{
    return num_parse_i64(slice_str(text), out);
}

static void integers_read(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"7", 7},
        {"-1", -1},
        {"10", 10},
        {"12345678", 12345678},
        {"123456789", 123456789},
        {"-1234567890123456", -1234567890123456},
        {"1000000000000000000", 1000000000000000000},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775807", -INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t v = 99;
        assert_true(i64(good[i].text, &v));
        assert_int_equal(v, good[i].value);
    }
}

static void integers_refused(void **state)
{
    static const char *bad[] = {
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "01",
        "-0",
        "-01",
        "00",
        "a",
        "1a",
        "1.0",
        "0x10",
        "--1",
        "1-",
        "/",
        ":",
        "1234567:",
        "1234567/",
        "12345678a",
        "9223372036854775808",
        "12\x80"
        "45678",
        "-9223372036854775809",
        "18446744073709551616",
        "99999999999999999999",
        "100000000000000000000",
        "-",
        "-a",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t v;
        if (i64(bad[i], &v)) fail_msg("\"%s\" was taken for %lld", bad[i], (long long)v);
    }
    int64_t v;
    assert_false(num_parse_i64(slice_of("1\0", 2), &v));
    assert_false(num_parse_i64(slice_of(NULL, 0), &v));
}

/* Every byte in every place of every length: accepted exactly when all are digits. */
static void each_byte_is_looked_at(void **state)
{
    for (size_t n = 1; n <= 19; n++) {
        for (size_t at = 0; at < n; at++) {
            for (int c = 0; c < 256; c++) {
                char text[20];
                int64_t v;
                memset(text, '1', sizeof text);
                text[at] = (char)c;
                bool digit = c >= '0' && c <= '9';
                bool first = at == 0 && n > 1;
                bool want = (digit && !(first && c == '0')) || (first && c == '-');
                if (n == 19 && first && c == '9') continue; /* beyond INT64_MAX or not: above */
                assert_int_equal(num_parse_i64(slice_of(text, n), &v), want);
            }
        }
    }
}

static void unsigned_read(void **state)
{
    uint64_t v;
    assert_true(num_parse_u64(SLICE("18446744073709551615"), &v));
    assert_true(v == UINT64_MAX);
    assert_true(num_parse_u64(SLICE("10000000000000000000"), &v));
    assert_true(v == 10000000000000000000u);
    assert_true(num_parse_u64(SLICE("0"), &v));
    assert_int_equal(v, 0);
    static const char *bad[] = {"",
                                "-1",
                                "00",
                                "01",
                                "18446744073709551616",
                                "18446744073709551620",
                                "28446744073709551615",
                                "1844674407370955161a",
                                "a",
                                "-"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(num_parse_u64(slice_str(bad[i]), &v));
}

static void check_i64(int64_t v)
{
    char got[NUM_I64_MAX], want[32];
    int64_t back;
    size_t n = num_fmt_i64(got, v);
    assert_int_equal(n, snprintf(want, sizeof want, "%lld", (long long)v));
    assert_string_equal(got, want);
    assert_true(num_parse_i64(slice_of(got, n), &back));
    assert_true(back == v);
    assert_int_equal(num_digits_u64((uint64_t)v),
                     snprintf(want, sizeof want, "%llu", (unsigned long long)v));
}

static void integers_written(void **state)
{
    check_i64(0);
    check_i64(INT64_MIN);
    check_i64(INT64_MAX);
    for (int64_t v = 1; v < INT64_MAX / 10; v *= 10) {
        for (int d = -1; d <= 1; d++)
            check_i64(v + d), check_i64(-v - d);
    }
    for (int i = 0; i < 20000; i++)
        check_i64((int64_t)rand_u64() >> rand_below(64));
    char out[NUM_I64_MAX];
    assert_int_equal(num_fmt_u64(out, UINT64_MAX), 20);
    assert_string_equal(out, "18446744073709551615");
}

static void doubles_read(void **state)
{
    static const char *good[] = {"0",
                                 "-0",
                                 "1",
                                 "3.14",
                                 ".5",
                                 "5.",
                                 "-2.5",
                                 "1e5",
                                 "+3",
                                 "1E-3",
                                 "inf",
                                 "-inf",
                                 "+inf",
                                 "Infinity",
                                 "1e-320",
                                 "0x1p3",
                                 "123456789012345678901234567890",
                                 "0.1234567890123456789",
                                 "9007199254740993",
                                 "1.7976931348623157e308",
                                 "00.1",
                                 "0000000000000000000000000001"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        double v, want = strtod(good[i], NULL);
        if (!num_parse_double(slice_str(good[i]), &v)) fail_msg("\"%s\" was refused", good[i]);
        assert_memory_equal(&v, &want, sizeof v);
        long double lv, lwant = strtold(good[i], NULL);
        assert_true(num_parse_long_double(slice_str(good[i]), &lv));
        assert_true(lv == lwant && signbit(lv) == signbit(lwant));
    }
    static const char *bad[] = {"",   " 1",  "1 ",   "nan",   "-nan", "a",     "1a",     ".",
                                "-",  "+",   "1..2", "1.2.3", "--1",  "1e400", "1e-400", "\t1",
                                "1e", "- 1", "1,5",  "-.",    "e5",   "-1e400"};
    double v;
    long double lv;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (num_parse_double(slice_str(bad[i]), &v)) fail_msg("\"%s\" was taken for %g", bad[i], v);
        if (strchr(bad[i], '4')) continue; /* in range of a long double */
        assert_false(num_parse_long_double(slice_str(bad[i]), &lv));
    }
    assert_false(num_parse_double(slice_of("1\0", 2), &v));
    assert_false(num_parse_long_double(slice_of("1\0", 2), &lv));
    char wide[6000];
    memset(wide, '1', sizeof wide);
    wide[1] = '.';
    assert_true(num_parse_double(slice_of(wide, sizeof wide), &v));
    assert_false(num_parse_long_double(slice_of(wide, NUM_LD_TEXT_MAX), &lv));
    assert_true(num_parse_long_double(slice_of(wide, NUM_LD_TEXT_MAX - 1), &lv));
}

static void short_doubles_read_as_strtod(void **state)
{
    for (int i = 0; i < 100000; i++) {
        char text[64];
        uint64_t digits = rand_u64() >> rand_below(64);
        int n = snprintf(text, sizeof text, "%s%llu", i & 1 ? "-" : "", (unsigned long long)digits);
        size_t at = (size_t)(i & 1) + rand_below((uint64_t)n);
        memmove(text + at + 1, text + at, (size_t)n - at + 1);
        text[at] = '.';
        double v, want = strtod(text, NULL);
        long double lv, lwant = strtold(text, NULL);
        if (!num_parse_double(slice_str(text), &v) || v != want) fail_msg("%s", text);
        if (!num_parse_long_double(slice_str(text), &lv) || lv != lwant) fail_msg("%s", text);
    }
}

static void expect_double(double v, const char *text)
{
    char out[NUM_DOUBLE_MAX];
    assert_int_equal(num_fmt_double(out, v), strlen(text));
    assert_string_equal(out, text);
}

static void doubles_written(void **state)
{
    expect_double(0, "0");
    expect_double(-0.0, "-0");
    expect_double(1, "1");
    expect_double(-3, "-3");
    expect_double(3.14, "3.14");
    expect_double(0.1, "0.1");
    expect_double(0.1 + 0.2, "0.30000000000000004");
    expect_double(-1.5, "-1.5");
    expect_double(INFINITY, "inf");
    expect_double(-INFINITY, "-inf");
    expect_double(NAN, "nan");
    expect_double(-NAN, "nan");
    expect_double(1e17, "100000000000000000");
    expect_double(4e18, "4000000000000000000");
    expect_double(1e19, "1e+19");
    expect_double(1e20, "1e+20");
    expect_double(1.5e300, "1.5e+300");
    expect_double(9007199254740993.0, "9007199254740992");
    expect_double(0.001, "0.001");
    expect_double(0.000001, "0.000001");
    expect_double(0.0000001, "1e-7");
    expect_double(0.00001234, "1.234e-5");
    expect_double(0.001234567891, "0.001234567891");
    expect_double(1.0 / 3, "0.3333333333333333");
    expect_double(2.0 / 3, "0.6666666666666666");
    expect_double(1234567.125, "1234567.125");
    expect_double(5e-324, "5e-324");
    expect_double(DBL_MAX, "1.7976931348623157e+308");
    expect_double(DBL_MIN, "2.2250738585072014e-308");
    expect_double(0x1p-44, "5.684341886080802e-14");
    expect_double(12345678901234567890.0, "12345678901234567000");
}

/* Reads back, and no shorter mantissa does. */
static void check_shortest(double v)
{
    char out[NUM_DOUBLE_MAX], shorter[40];
    double back;
    size_t n = num_fmt_double(out, v);
    assert_true(n < NUM_DOUBLE_MAX && out[n] == '\0');
    assert_true(num_parse_double(slice_of(out, n), &back));
    if (back != v) fail_msg("%s is not %.17g", out, v);
    if (fabs(v) <= 0x1p62 && v == (double)(int64_t)v) return; /* integers have all their digits */
    int digits = 0;
    const char *p = out + (*out == '-');
    while (*p == '0' || *p == '.')
        p++;
    for (; *p && *p != 'e'; p++)
        digits += *p != '.';
    while (p > out && p[-1] == '0')
        p--, digits--; /* only of integers beyond 2^62 */
    if (digits <= 1) return;
    snprintf(shorter, sizeof shorter, "%.*e", digits - 2, v);
    if (strtod(shorter, NULL) == v) fail_msg("%s could be %s", out, shorter);
}

static void doubles_are_shortest(void **state)
{
    for (int i = 0; i < 30000; i++) {
        uint64_t bits = rand_u64();
        double v;
        memcpy(&v, &bits, sizeof v);
        if (isfinite(v)) check_shortest(v);
        check_shortest((double)(int64_t)(rand_u64() >> rand_below(64)) /
                       (double)(1 + rand_below(10000)));
        check_shortest((double)rand_below(1000000) / 1000);
    }
    for (int e = -1074; e < 1024; e++)
        check_shortest(ldexp(1, e));
}

static void expect_ld(const char *input, const char *text)
{
    static char out[NUM_LD_MAX];
    long double v;
    assert_true(num_parse_long_double(slice_str(input), &v));
    assert_int_equal(num_fmt_long_double(out, v), strlen(text));
    assert_string_equal(out, text);
}

static void long_doubles_written(void **state)
{
    expect_ld("0", "0");
    expect_ld("-0", "0");
    expect_ld("3", "3");
    expect_ld("10.50", "10.5");
    expect_ld("5.0e3", "5000");
    expect_ld("-1e-18", "0");
    expect_ld("3.00000000000000000001", "3");
    expect_ld("17179869185.5", "17179869185.5");
    expect_ld("1e20", "100000000000000000000");
    expect_ld("inf", "inf");
    expect_ld("-inf", "-inf");
    long double a, b;
    static char out[NUM_LD_MAX];
    assert_true(num_parse_long_double(SLICE("1.1"), &a) && num_parse_long_double(SLICE("2.2"), &b));
    num_fmt_long_double(out, a + b);
    assert_string_equal(out, "3.3");
    assert_true(num_fmt_long_double(out, -LDBL_MAX) < NUM_LD_MAX);
}

static void memory_sizes(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},         {"512", 512},       {"1k", 1000},
                {"1kb", 1024},    {"64KB", 65536},    {"3m", 3000000},
                {"2Mb", 2 << 20}, {"1g", 1000000000}, {"4gb", 4LL << 30},
                {"100b", 100},    {"007", 7},         {"9223372036854775807", INT64_MAX}};
    int64_t v;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(num_parse_memory(slice_str(good[i].text), &v));
        assert_int_equal(v, good[i].value);
    }
    static const char *bad[] = {
        "", "k", "-1", "1t", "1 k", "kb1", "1.5g", "9223372036854775808", "99999999999gb"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(num_parse_memory(slice_str(bad[i]), &v));
}

static void memory_for_people(void **state)
{
    static const struct {
        uint64_t v;
        const char *text;
    } cases[] = {{0, "0B"},
                 {1023, "1023B"},
                 {1024, "1.00K"},
                 {1536, "1.50K"},
                 {1 << 20, "1.00M"},
                 {1572864, "1.50M"},
                 {1ull << 30, "1.00G"},
                 {1ull << 40, "1.00T"},
                 {1ull << 50, "1125899906842624B"}};
    char out[64];
    for (size_t i = 0; i < ARRAY_LEN(cases) - 1; i++) {
        assert_int_equal(num_fmt_memory(out, sizeof out, cases[i].v), strlen(cases[i].text));
        assert_string_equal(out, cases[i].text);
    }
    assert_int_equal(num_fmt_memory(out, 4, 1536), 3);
    assert_string_equal(out, "1.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_read),
        cmocka_unit_test(integers_refused),
        cmocka_unit_test(each_byte_is_looked_at),
        cmocka_unit_test(unsigned_read),
        cmocka_unit_test(integers_written),
        cmocka_unit_test(doubles_read),
        cmocka_unit_test(short_doubles_read_as_strtod),
        cmocka_unit_test(doubles_written),
        cmocka_unit_test(doubles_are_shortest),
        cmocka_unit_test(long_doubles_written),
        cmocka_unit_test(memory_sizes),
        cmocka_unit_test(memory_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
