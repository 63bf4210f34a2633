/*
 * num.c - numbers from and to text.
 *
 * Integers are read and written two or eight digits at a time. Floating point has two ways. The
 * quick one is for numbers with few digits, where one exactly represented integer multiplied or
 * divided by one exactly represented power of ten is the correctly rounded result. Up to 19 digits
 * are left to decimal.c. Everything else goes through the C library, in the "C" locale that the
 * process keeps for numbers.
 */
#include "base/base.h"
#include "base/decimal.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- integers from text --------------------------------------------------------------------- */

/* Eight digits at p, or false. Adds neighbours in pairs: 1 + 1, 2 + 2, 4 + 4 digits. */
static inline bool eight_digits(const char *p, uint64_t *out)
{
    uint64_t v;
    memcpy(&v, p, 8);
    uint64_t high = 0xf0f0f0f0f0f0f0f0u, threes = 0x3030303030303030u;
    if ((v & high) != threes || ((v + 0x0606060606060606u) & high) != threes) return false;
    v &= 0x0f0f0f0f0f0f0f0fu;
    v = (v * 10 + (v >> 8)) & 0x00ff00ff00ff00ffu;
    v = (v * 100 + (v >> 16)) & 0x0000ffff0000ffffu;
    *out = (v * 10000 + (v >> 32)) & 0xffffffffu;
    return true;
}

/* Digits alone, at most 19 of them, so that nothing overflows. */
static inline bool digits_value(const char *p, size_t n, uint64_t *out)
{
    uint64_t v = 0, eight;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; n >= 8; n -= 8, p += 8) {
        if (!eight_digits(p, &eight)) return false;
        v = v * 100000000 + eight;
    }
#endif
    for (; n > 0; n--, p++) {
        unsigned digit = (unsigned char)*p - (unsigned)'0';
        if (digit > 9) return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

/* As num_parse_u64 for anything but "0". */
static inline bool parse_positive(const char *p, size_t n, uint64_t *out)
{
    if (n - 1 >= 20 || *p < '1' || *p > '9') return false;
    if (LIKELY(n < 20)) return digits_value(p, n, out);
    uint64_t high;
    unsigned digit = (unsigned char)p[19] - (unsigned)'0';
    if (digit > 9 || !digits_value(p, 19, &high)) return false;
    return !__builtin_mul_overflow(high, 10u, out) && !__builtin_add_overflow(*out, digit, out);
}

bool num_parse_u64(struct slice s, uint64_t *out)
{
    if (s.n == 1 && *s.p == '0') {
        *out = 0;
        return true;
    }
    return parse_positive(s.p, s.n, out);
}

bool num_parse_i64(struct slice s, int64_t *out)
{
    uint64_t v;
    if (s.n == 1) {
        *out = *s.p - '0';
        return *s.p >= '0' && *s.p <= '9';
    }
    bool negative = s.n > 0 && *s.p == '-';
    if (!parse_positive(s.p + negative, s.n - negative, &v)) return false;
    if (v > (uint64_t)INT64_MAX + negative) return false;
    *out = (int64_t)(negative ? -v : v);
    return true;
}

/* ---- integers to text ----------------------------------------------------------------------- */

static const uint64_t pow10_u64[20] = {
    1u,
    10u,
    100u,
    1000u,
    10000u,
    100000u,
    1000000u,
    10000000u,
    100000000u,
    1000000000u,
    10000000000u,
    100000000000u,
    1000000000000u,
    10000000000000u,
    100000000000000u,
    1000000000000000u,
    10000000000000000u,
    100000000000000000u,
    1000000000000000000u,
    10000000000000000000u,
};

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

/* log10(2) is 1233 / 4096, near enough for 64 bits; the power of ten settles the last digit. */
unsigned num_digits_u64(uint64_t v)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1);
    unsigned guess = bits * 1233 >> 12;
    return guess + (v >= pow10_u64[guess]) + (v == 0);
}

size_t num_fmt_u64(char *out, uint64_t v)
{
    if (v < 10) {
        out[0] = (char)('0' + v);
        out[1] = '\0';
        return 1;
    }
    unsigned n = num_digits_u64(v);
    char *p = out + n;
    *p = '\0';
    for (; v >= 100; v /= 100)
        memcpy(p -= 2, pairs + v % 100 * 2, 2);
    if (v >= 10)
        memcpy(p - 2, pairs + v * 2, 2);
    else
        p[-1] = (char)('0' + v);
    return n;
}

size_t num_fmt_i64(char *out, int64_t v)
{
    if (v >= 0) return num_fmt_u64(out, (uint64_t)v);
    *out = '-';
    return 1 + num_fmt_u64(out + 1, -(uint64_t)v);
}

/* ---- floating point from text --------------------------------------------------------------- */

/* "-12.50" as digits and how many of them are decimals. */
struct decimal {
    uint64_t digits;
    unsigned decimals;
    bool negative;
};

/* Plain notation with at most 19 digits, zeros before the first not counted, and as many decimals;
 * false for all else, malformed or not. */
static bool plain_decimal(struct slice s, struct decimal *d)
{
    char digits[19];
    size_t n = 0, seen = 0, point = SIZE_MAX;
    size_t i = s.n > 0 && *s.p == '-';
    d->negative = i == 1;
    for (; i < s.n; i++) {
        if (s.p[i] == '.' && point == SIZE_MAX) {
            point = seen;
            continue;
        }
        seen++;
        if (n == 0 && s.p[i] == '0') continue;
        if (n == sizeof digits) return false;
        digits[n++] = s.p[i];
    }
    d->decimals = point == SIZE_MAX ? 0 : (unsigned)(seen - point);
    return seen > 0 && d->decimals <= sizeof digits && digits_value(digits, n, &d->digits);
}

/* Exactly the powers that the type holds without rounding. */
static const double pow10_double[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static long double pow10_ld(unsigned n)
{
    return (long double)pow10_u64[n];
}

/* A NUL-terminated copy, in `room` if it fits there. */
static char *terminated(struct slice s, char *room, size_t size)
{
    char *copy = s.n < size ? room : mem_alloc(s.n + 1);
    memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}

static bool has_blank_first(struct slice s)
{
    return isspace((unsigned char)*s.p);
}

static bool decimal_value(const struct decimal *d, double *out)
{
    double v;
    if (d->digits <= (uint64_t)1 << DBL_MANT_DIG) {
        v = (double)d->digits / pow10_double[d->decimals];
    } else if (!decimal_to_double(d->digits, -(int)d->decimals, &v)) {
        return false;
    }
    *out = d->negative ? -v : v;
    return true;
}

bool num_parse_double(struct slice s, double *out)
{
    struct decimal d;
    if (s.n == 0 || has_blank_first(s)) return false;
    if (plain_decimal(s, &d) && decimal_value(&d, out)) return true;
    char room[128], *end;
    char *text = terminated(s, room, sizeof room);
    errno = 0;
    double v = strtod(text, &end);
    bool whole = end == text + s.n;
    if (text != room) mem_free(text);
    if (!whole || isnan(v) || (errno == ERANGE && (isinf(v) || v == 0))) return false;
    *out = v;
    return true;
}

bool num_parse_long_double(struct slice s, long double *out)
{
    struct decimal d;
    if (s.n == 0 || s.n >= NUM_LD_TEXT_MAX || has_blank_first(s)) return false;
    if (LDBL_MANT_DIG >= 64 && plain_decimal(s, &d)) {
        long double v = (long double)d.digits / pow10_ld(d.decimals);
        *out = d.negative ? -v : v;
        return true;
    }
    char room[128], *end;
    char *text = terminated(s, room, sizeof room);
    errno = 0;
    long double v = strtold(text, &end);
    bool whole = end == text + s.n;
    if (text != room) mem_free(text);
    if (!whole || isnan(v) || (errno == ERANGE && (isinf(v) || v == 0))) return false;
    *out = v;
    return true;
}

/* ---- floating point to text ----------------------------------------------------------------- */

/* v = 0.d1d2d3... * 10^point, without trailing zeros. */
struct shortest {
    char digits[24];
    int n, point;
};

static void shortest_of(struct shortest *s, double v)
{
    int exponent;
    uint64_t digits = decimal_shortest(v, &exponent);
    s->n = (int)num_fmt_u64(s->digits, digits);
    s->point = s->n + exponent;
    while (s->digits[s->n - 1] == '0')
        s->n--;
}

static size_t write_exponent(char *out, const struct shortest *s)
{
    char *p = out;
    *p++ = s->digits[0];
    if (s->n > 1) {
        *p++ = '.';
        memcpy(p, s->digits + 1, (size_t)s->n - 1);
        p += s->n - 1;
    }
    *p++ = 'e';
    *p++ = s->point - 1 < 0 ? '-' : '+';
    p += num_fmt_u64(p, (uint64_t)abs(s->point - 1));
    return (size_t)(p - out);
}

static size_t write_plain(char *out, const struct shortest *s)
{
    char *p = out;
    int whole = MAX(s->point, 0), lead = MIN(whole, s->n);
    if (whole == 0) *p++ = '0';
    memcpy(p, s->digits, (size_t)lead);
    memset(p + lead, '0', (size_t)(whole - lead));
    p += whole;
    if (lead < s->n) {
        *p++ = '.';
        int zeros = MAX(-s->point, 0);
        memset(p, '0', (size_t)zeros);
        p += zeros;
        memcpy(p, s->digits + lead, (size_t)(s->n - lead));
        p += s->n - lead;
    }
    *p = '\0';
    return (size_t)(p - out);
}

/* Redis's choice of notation: plain with up to 7 zeros added behind an integer, or up to 6
 * decimals, or when the first digit is within 3 places of the point. */
static bool is_plain(const struct shortest *s)
{
    int tail = s->point - s->n; /* places from the last digit to the point */
    if (tail >= 0) return tail < 8 && abs(s->point - 1) < s->n + 7;
    return tail > -7 || abs(s->point - 1) < 4;
}

static size_t fmt_special(char *out, const char *text)
{
    strcpy(out, text);
    return strlen(text);
}

size_t num_fmt_double(char *out, double v)
{
    if (isnan(v)) return fmt_special(out, "nan");
    if (isinf(v)) return fmt_special(out, v < 0 ? "-inf" : "inf");
    if (v == 0) return fmt_special(out, signbit(v) ? "-0" : "0");
    if (fabs(v) <= (double)(INT64_MAX / 2) && v == (double)(int64_t)v)
        return num_fmt_i64(out, (int64_t)v);
    struct shortest s;
    size_t sign = v < 0;
    if (sign) *out++ = '-';
    v = fabs(v);
    shortest_of(&s, v);
    return sign + (is_plain(&s) ? write_plain(out, &s) : write_exponent(out, &s));
}

size_t num_fmt_long_double(char *out, long double v)
{
    if (isnan(v)) return fmt_special(out, "nan");
    if (isinf(v)) return fmt_special(out, v < 0 ? "-inf" : "inf");
    if (fabsl(v) < 0x1p62L && v == (long double)(int64_t)v) return num_fmt_i64(out, (int64_t)v);
    size_t n = (size_t)snprintf(out, NUM_LD_MAX, "%.17Lf", v);
    while (out[n - 1] == '0')
        n--;
    if (out[n - 1] == '.') n--;
    out[n] = '\0';
    return strcmp(out, "-0") == 0 ? fmt_special(out, "0") : n;
}

/* ---- fixed notation ------------------------------------------------------------------------- */

/* v = mantissa * 2^-shift, v finite and not negative. */
static uint64_t mantissa_of(double v, int *shift)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    int exponent = (int)(bits >> 52);
    uint64_t fraction = bits & (((uint64_t)1 << 52) - 1);
    *shift = 1075 - MAX(exponent, 1);
    return exponent ? fraction | (uint64_t)1 << 52 : fraction;
}

/* fraction * scale / 2^shift, an exact half to the even neighbour. fraction * scale < 2^112. */
static uint64_t round_scaled(uint64_t fraction, uint64_t scale, int shift)
{
    if (shift > 113) return 0;
    unsigned __int128 product = (unsigned __int128)fraction * scale;
    if (shift <= 0) return (uint64_t)product;
    uint64_t whole = (uint64_t)(product >> shift);
    unsigned __int128 rest = product - ((unsigned __int128)whole << shift);
    unsigned __int128 half = (unsigned __int128)1 << (shift - 1);
    return whole + (rest > half || (rest == half && (whole & 1)));
}

size_t num_fmt_fixed(char *out, double v, unsigned decimals)
{
    int shift;
    if (!(fabs(v) < 0x1p52)) return (size_t)snprintf(out, NUM_FIXED_MAX, "%.*f", (int)decimals, v);
    uint64_t mantissa = mantissa_of(fabs(v), &shift), scale = 1;
    for (unsigned i = 0; i < decimals; i++)
        scale *= 10;
    uint64_t whole = shift < 64 ? mantissa >> shift : 0;
    uint64_t digits =
        round_scaled(shift < 64 ? mantissa - (whole << shift) : mantissa, scale, shift);
    if (digits == scale) {
        whole++;
        digits = 0;
    }
    char *p = out;
    if (signbit(v)) *p++ = '-';
    p += num_fmt_u64(p, whole);
    *p++ = '.';
    for (unsigned i = decimals; i-- > 0; digits /= 10)
        p[i] = (char)('0' + digits % 10);
    p[decimals] = '\0';
    return (size_t)(p - out) + decimals;
}

/* ---- memory sizes --------------------------------------------------------------------------- */

static bool unit_factor(struct slice unit, uint64_t *factor)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {{"", 1},        {"b", 1},        {"k", 1000},       {"kb", 1 << 10},
                 {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (!slice_is(unit, units[i].name)) continue;
        *factor = units[i].factor;
        return true;
    }
    return false;
}

bool num_parse_memory(struct slice s, int64_t *out)
{
    size_t n = 0;
    uint64_t v, factor;
    while (n < s.n && isdigit((unsigned char)s.p[n]))
        n++;
    if (!unit_factor(slice_of(s.p + n, s.n - n), &factor)) return false;
    while (n > 1 && *s.p == '0')
        s.p++, n--;
    if (!num_parse_u64(slice_of(s.p, n), &v) || __builtin_mul_overflow(v, factor, &v)) return false;
    *out = (int64_t)v;
    return v <= INT64_MAX;
}

size_t num_fmt_memory(char *out, size_t size, uint64_t v)
{
    static const char units[] = "KMGTP";
    int n;
    double scaled = (double)v / 1024;
    size_t unit = 0;
    while (scaled >= 1024 && unit < sizeof units - 1)
        scaled /= 1024, unit++;
    if (v < 1024 || unit == sizeof units - 1)
        n = snprintf(out, size, "%lluB", (unsigned long long)v);
    else
        n = snprintf(out, size, "%.2f%c", scaled, units[unit]);
    return MIN((size_t)n, size - 1);
}
