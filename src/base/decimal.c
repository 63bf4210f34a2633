/*
 * decimal.c - doubles and decimal digits.
 *
 *   powers[]   10^e = beta * 2^r,  2^127 <= beta < 2^128;  the table has ceil(beta)
 *              r = floor(log2(10^e)) - 127;  exact for 0 <= e <= 55
 *
 * To digits: after Raffaele Giulietti, "The Schubfach way to render doubles" (2020). v and the two
 * bounds of what rounds to it are scaled by a power of ten so that they have an integer part of 17
 * digits or so. If exactly one multiple of ten lies between the bounds, it is the shortest; else of
 * the two integers next to v one that is between them, the nearer if both are. That
 * needs of each product its integer part times four, and one bit that says whether anything is left
 * over: "rounded to odd". The table's 126 good bits suffice for that with all doubles, as the paper
 * proves.
 *
 * From digits: as the table's entry is off by less than one in its last bit, the product of digits
 * and entry lies between two integers that are known. When both round to the same double that is
 * the answer; else (seldom, and mostly where the number is an exact half) strtod() has to tell.
 *
 * Invariants
 *  1. The table is complete before main() begins, and constant from then on.
 */
#include "base/decimal.h"

#include <string.h>

typedef unsigned __int128 u128;

#define MIN_POWER (-292)
#define MAX_POWER 324

static u128 powers[MAX_POWER - MIN_POWER + 1];

/* floor(log10(2^e)), floor(log10(3/4 * 2^e)), floor(log2(10^e)), for |e| < 1500. */
static int log10_pow2(int e)
{
    return (int)((e * (int64_t)1262611) >> 22);
}

static int log10_three_quarters_pow2(int e)
{
    return (int)((e * (int64_t)1262611 - 524031) >> 22);
}

static int log2_pow10(int e)
{
    return (int)((e * (int64_t)1741647) >> 19);
}

/* ---- the table ------------------------------------------------------------------------------ */

#define LIMBS 44 /* of 32 bits: 1408, the lowest first */

static unsigned top_limb(const uint32_t *big)
{
    unsigned i = LIMBS - 1;
    while (big[i] == 0)
        i--;
    return i;
}

/* The highest 128 bits, the lowest of which is bit 0 of the result; *rest: there are more. */
static u128 top_bits(const uint32_t *big, bool *rest)
{
    unsigned top = top_limb(big), shift = (unsigned)__builtin_clz(big[top]);
    u128 v = 0;
    uint32_t low = top >= 4 ? big[top - 4] : 0;
    for (unsigned i = 0; i < 4; i++)
        v = v << 32 | (top >= i ? big[top - i] : 0);
    *rest = (uint32_t)((uint64_t)low << shift) != 0;
    for (unsigned i = 5; i <= top; i++)
        *rest |= big[top - i] != 0;
    return shift ? v << shift | low >> (32 - shift) : v;
}

static void times_ten(uint32_t *big)
{
    uint64_t carry = 0;
    for (unsigned i = 0; i < LIMBS; i++) {
        carry += (uint64_t)big[i] * 10;
        big[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static void by_ten(uint32_t *big)
{
    uint64_t rest = 0;
    for (unsigned i = LIMBS; i-- > 0;) {
        rest = rest << 32 | big[i];
        big[i] = (uint32_t)(rest / 10);
        rest %= 10;
    }
}

/* Negative powers are those of ten under a power of two large enough: what a division drops is
 * dropped for good, but never is it nothing. */
__attribute__((constructor)) static void make_powers(void)
{
    uint32_t up[LIMBS] = {1}, down[LIMBS] = {[LIMBS - 1] = 1};
    bool rest;
    for (int e = 0; e <= MAX_POWER; e++, times_ten(up)) {
        u128 beta = top_bits(up, &rest);
        powers[e - MIN_POWER] = beta + rest;
    }
    for (int e = -1; e >= MIN_POWER; e--) {
        by_ten(down);
        powers[e - MIN_POWER] = top_bits(down, &rest) + 1;
    }
}

static u128 power(int e)
{
    return powers[e - MIN_POWER];
}

/* ---- to digits ------------------------------------------------------------------------------ */

/* floor(g * c / 2^128), with the lowest bit set when that is not all. */
static uint64_t round_to_odd(u128 g, uint64_t c)
{
    u128 low = (u128)(uint64_t)g * c, high = (u128)(uint64_t)(g >> 64) * c + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

static bool in(uint64_t v, uint64_t lower, uint64_t upper)
{
    return lower <= v && v <= upper;
}

/* The three numbers are four times the scaled ones; a bound that is odd does not belong. */
static uint64_t choose(uint64_t lower, uint64_t middle, uint64_t upper, int *exponent)
{
    uint64_t s = middle / 4, tens = s / 10;
    if (s >= 10) {
        bool below = in(40 * tens, lower, upper), above = in(40 * tens + 40, lower, upper);
        if (below != above) {
            *exponent += 1;
            return tens + above;
        }
    }
    bool below = in(4 * s, lower, upper), above = in(4 * s + 4, lower, upper);
    if (below != above) return s + above;
    uint64_t half = 4 * s + 2;
    return s + (middle > half || (middle == half && (s & 1)));
}

uint64_t decimal_shortest(double v, int *exponent)
{
    uint64_t bits, hidden = (uint64_t)1 << 52;
    memcpy(&bits, &v, sizeof bits);
    uint64_t fraction = bits & (hidden - 1);
    int biased = (int)(bits >> 52);
    uint64_t c = biased ? fraction | hidden : fraction;
    int q = (biased ? biased : 1) - 1075;
    /* Below a power of two the doubles are half as far apart. */
    bool narrow = fraction == 0 && biased > 1;
    int k = narrow ? log10_three_quarters_pow2(q) : log10_pow2(q);
    int shift = q + log2_pow10(-k) + 1;
    u128 g = power(-k);
    uint64_t lower = round_to_odd(g, (4 * c - 2 + narrow) << shift);
    uint64_t middle = round_to_odd(g, 4 * c << shift);
    uint64_t upper = round_to_odd(g, (4 * c + 2) << shift);
    bool odd = c & 1; /* then what lies on a bound rounds away from v */
    *exponent = k;
    return choose(lower + odd, middle, upper - odd, exponent);
}

/* ---- from digits ---------------------------------------------------------------------------- */

struct u192 {
    uint64_t high;
    u128 low;
};

/* The 53 highest bits, rounded to the nearest; of two as near to the even one. */
struct rounded {
    uint64_t mantissa;
    bool half; /* there were two as near */
    int shift; /* places that the product was moved to bring its highest bit to the top */
};

static struct rounded round_product(struct u192 p)
{
    struct rounded r = {.shift = !(p.high >> 63)};
    if (r.shift) {
        p.high = p.high << 1 | (uint64_t)(p.low >> 127);
        p.low <<= 1;
    }
    uint64_t rest = p.high & 0x7ff;
    r.mantissa = p.high >> 11;
    r.half = rest == 0x400 && p.low == 0;
    r.mantissa += r.half ? r.mantissa & 1 : rest >= 0x400;
    if (r.mantissa >> 53) { /* the same as one with the highest bit set */
        r.mantissa >>= 1;
        r.shift--;
    }
    return r;
}

bool decimal_to_double(uint64_t digits, int exponent, double *v)
{
    if (digits == 0 || exponent < -280 || exponent > 280) return false;
    bool exact = exponent >= 0 && exponent <= 55;
    int zeros = __builtin_clzll(digits);
    uint64_t w = digits << zeros;
    u128 g = power(exponent), low = (u128)(uint64_t)g * w;
    u128 high = (u128)(uint64_t)(g >> 64) * w + (uint64_t)(low >> 64);
    struct u192 most = {(uint64_t)(high >> 64), high << 64 | (uint64_t)low}, least = most;
    if (!exact) {
        least.high -= least.low < w;
        least.low -= w;
    }
    struct rounded a = round_product(most), b = round_product(least);
    if (a.mantissa != b.mantissa || a.shift != b.shift) return false;
    if (!exact && (a.half || b.half)) return false;
    int biased = 139 - a.shift + log2_pow10(exponent) - 127 - zeros + 1075;
    if (biased < 1 || biased > 2046) return false;
    uint64_t bits = (a.mantissa & (((uint64_t)1 << 52) - 1)) | (uint64_t)biased << 52;
    memcpy(v, &bits, sizeof bits);
    return true;
}
