/*
 * bits.c - the bits of byte strings, many at a time.
 *
 * Counting: eight vectors are added bit by bit with full adders (each takes three bits of one
 * weight, and gives one of that weight and one of twice it), so that only every eighth is counted
 * in earnest:
 *
 *     v0..v7 --7 adders--> ones, twos, fours (kept), eights --> count of each byte --> sums
 *
 * The loop is written once, in the compiler's vector types, for whatever the machine has; on x86-64
 * it is compiled a second time for AVX2 and chosen when it runs.
 *
 * Combining goes in blocks that stay in the first-level cache: each source is read once, the result
 * written once. So out may be a source too: a block of it is written when it has been read.
 */
#include "base/base.h"

#define FLATTEN  static inline __attribute__((always_inline))
#define EVERY(b) (UINT64_MAX / 255 * (b)) /* this byte, eight times */

typedef uint64_t vec __attribute__((vector_size(32)));
typedef uint64_t vec_anywhere __attribute__((vector_size(32), aligned(1), may_alias));

static inline uint64_t load8(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* ---- counting ------------------------------------------------------------------------------- */

#define GROUP (8 * sizeof(vec))

/* Bits of a, b and c: their sum in (high, low). high is none of the others. */
#define ADD(high, low, a, b, c)                                                                    \
    do {                                                                                           \
        vec sum_ = (a) ^ (b), carry_ = (c);                                                        \
        (high) = ((a) & (b)) | (sum_ & carry_);                                                    \
        (low) = sum_ ^ carry_;                                                                     \
    } while (0)

/* Of each byte of x, a vector or a word: how many bits are set. */
#define COUNT_BYTES(x)                                                                             \
    do {                                                                                           \
        (x) -= (x) >> 1 & EVERY(0x55);                                                             \
        (x) = ((x)&EVERY(0x33)) + ((x) >> 2 & EVERY(0x33));                                        \
        (x) = ((x) + ((x) >> 4)) & EVERY(0x0f);                                                    \
    } while (0)

static uint64_t sum_bytes(uint64_t x)
{
    const uint64_t even = 0x00ff00ff00ff00ff; /* bytes of up to 255: their sum needs 16 bits */
    x = (x & even) + (x >> 8 & even);
    return x * 0x0001000100010001 >> 48;
}

static uint64_t count_word(uint64_t x)
{
    COUNT_BYTES(x);
    return x * EVERY(1) >> 56;
}

FLATTEN uint64_t sum_vector(const vec *v)
{
    return sum_bytes((*v)[0]) + sum_bytes((*v)[1]) + sum_bytes((*v)[2]) + sum_bytes((*v)[3]);
}

FLATTEN uint64_t count_groups_in(const char *p, size_t groups)
{
    vec ones = {0}, twos = {0}, fours = {0}, twos2, fours2, eights;
    uint64_t total = 0;
    while (groups > 0) {
        size_t n = MIN(groups, (size_t)31); /* a byte of `bytes` grows by 8 at most */
        vec bytes = {0};
        groups -= n;
        for (; n > 0; n--, p += GROUP) {
            const vec_anywhere *v = (const vec_anywhere *)p;
            vec twos1, fours1;
            ADD(twos1, ones, ones, v[0], v[1]);
            ADD(twos2, ones, ones, v[2], v[3]);
            ADD(fours1, twos, twos, twos1, twos2);
            ADD(twos1, ones, ones, v[4], v[5]);
            ADD(twos2, ones, ones, v[6], v[7]);
            ADD(fours2, twos, twos, twos1, twos2);
            ADD(eights, fours, fours, fours1, fours2);
            COUNT_BYTES(eights);
            bytes += eights;
        }
        total += 8 * sum_vector(&bytes);
    }
    COUNT_BYTES(ones);
    COUNT_BYTES(twos);
    COUNT_BYTES(fours);
    return total + 4 * sum_vector(&fours) + 2 * sum_vector(&twos) + sum_vector(&ones);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static uint64_t count_groups_avx2(const char *p, size_t groups)
{
    return count_groups_in(p, groups);
}
#endif

static uint64_t count_groups(const char *p, size_t groups)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) return count_groups_avx2(p, groups);
#endif
    return count_groups_in(p, groups);
}

static uint64_t count_bytes(const char *p, size_t n)
{
    uint64_t total = 0, last = 0;
    if (n >= GROUP) {
        total = count_groups(p, n / GROUP);
        p += n / GROUP * GROUP;
        n %= GROUP;
    }
    for (; n >= 8; n -= 8, p += 8)
        total += count_word(load8(p));
    if (n) memcpy(&last, p, n);
    return total + count_word(last);
}

/* Those bits of the byte with bit `at` that lie at or behind it. */
static inline unsigned from_mask(uint64_t at)
{
    return 0xffu >> (at & 7);
}

uint64_t bits_count(const void *bytes, uint64_t from, uint64_t to)
{
    const unsigned char *p = bytes;
    if (from >= to) return 0;
    uint64_t total = count_bytes((const char *)p + from / 8, (size_t)((to + 7) / 8 - from / 8));
    total -= count_word(p[from / 8] & ~from_mask(from));
    if (to & 7) total -= count_word(p[to / 8] & from_mask(to));
    return total;
}

/* ---- finding -------------------------------------------------------------------------------- */

/* The first byte of [i, n) that is not `skip`; n: none. */
static size_t find_byte(const unsigned char *p, size_t i, size_t n, unsigned char skip)
{
    uint64_t word = EVERY((uint64_t)skip);
    for (; n - i >= 64; i += 64) {
        uint64_t other = 0;
        for (unsigned k = 0; k < 64; k += 8)
            other |= load8(p + i + k) ^ word;
        if (other) break;
    }
    while (n - i >= 8 && load8(p + i) == word)
        i += 8;
    while (i < n && p[i] == skip)
        i++;
    return i;
}

uint64_t bits_find(const void *bytes, uint64_t from, uint64_t to, bool bit)
{
    const unsigned char *p = bytes;
    unsigned char skip = bit ? 0 : 0xff;
    if (from >= to) return BITS_NONE;
    size_t i = (size_t)(from / 8), n = (size_t)((to + 7) / 8);
    unsigned byte = (p[i] ^ skip) & from_mask(from);
    if (!byte) {
        i = find_byte(p, i + 1, n, skip);
        if (i == n) return BITS_NONE;
        byte = p[i] ^ skip;
    }
    uint64_t at = (uint64_t)i * 8 + (unsigned)__builtin_clz(byte) - 24;
    return at < to ? at : BITS_NONE;
}

/* ---- combining ------------------------------------------------------------------------------ */

#define BLOCK 2048

struct block {
    unsigned char sum[BLOCK], twice[BLOCK]; /* twice: of ONE, met a second time */
    size_t at, n;                           /* in the strings */
};

/* What a source has in this block; the rest of the block is zeros. */
static struct slice piece(const struct block *b, struct slice source)
{
    size_t n = source.n > b->at ? MIN(source.n - b->at, b->n) : 0;
    return slice_of(n ? source.p + b->at : source.p, n);
}

static void take(struct block *b, struct slice source)
{
    struct slice s = piece(b, source);
    if (s.n) memcpy(b->sum, s.p, s.n);
    memset(b->sum + s.n, 0, b->n - s.n);
}

#define EACH(s, expression)                                                                        \
    do {                                                                                           \
        unsigned char *restrict sum = b->sum;                                                      \
        const unsigned char *restrict y = (const unsigned char *)(s).p;                            \
        for (size_t i = 0; i < (s).n; i++)                                                         \
            sum[i] = (unsigned char)(expression);                                                  \
    } while (0)

static void and_with(struct block *b, struct slice source)
{
    struct slice s = piece(b, source);
    EACH(s, sum[i] & y[i]);
    memset(b->sum + s.n, 0, b->n - s.n);
}

static void or_with(struct block *b, struct slice source)
{
    struct slice s = piece(b, source);
    EACH(s, sum[i] | y[i]);
}

static void xor_with(struct block *b, struct slice source)
{
    struct slice s = piece(b, source);
    EACH(s, sum[i] ^ y[i]);
}

static void without(struct block *b, struct slice source)
{
    struct slice s = piece(b, source);
    EACH(s, sum[i] & ~y[i]);
}

static void once_with(struct block *b, struct slice source)
{
    struct slice s = piece(b, source);
    unsigned char *restrict twice = b->twice;
    const unsigned char *restrict sum = b->sum, *restrict y = (const unsigned char *)s.p;
    for (size_t i = 0; i < s.n; i++)
        twice[i] |= sum[i] & y[i];
    or_with(b, source);
}

static void combine_block(enum bits_op op, struct block *b, const struct slice *sources,
                          size_t count)
{
    static void (*const with[])(struct block * b, struct slice source) = {
        [BITS_AND] = and_with,  [BITS_OR] = or_with,    [BITS_XOR] = xor_with,
        [BITS_NOT] = NULL,      [BITS_DIFF] = without,  [BITS_DIFF1] = or_with,
        [BITS_ANDOR] = or_with, [BITS_ONE] = once_with,
    };
    /* X comes last where it meets the union of the others. */
    bool x_last = op == BITS_DIFF1 || op == BITS_ANDOR;
    struct slice twice = slice_of(b->twice, b->n);
    if (op == BITS_ONE) memset(b->twice, 0, b->n);
    take(b, sources[x_last]);
    for (size_t i = 1 + x_last; i < count; i++)
        with[op](b, sources[i]);
    if (op == BITS_NOT) {
        for (size_t i = 0; i < b->n; i++)
            b->sum[i] = (unsigned char)~b->sum[i];
    } else if (op == BITS_ONE) {
        EACH(twice, sum[i] & ~y[i]);
    } else if (x_last) {
        (op == BITS_ANDOR ? and_with : without)(b, sources[0]);
    }
}

void bits_combine(enum bits_op op, void *out, size_t n, const struct slice *sources, size_t count)
{
    struct block b;
    for (b.at = 0; b.at < n; b.at += b.n) {
        b.n = MIN(n - b.at, (size_t)BLOCK);
        combine_block(op, &b, sources, count);
        memcpy((char *)out + b.at, b.sum, b.n);
    }
}

/* ---- a few ---------------------------------------------------------------------------------- */

/* Up to nine bytes hold 64 bits. */
typedef unsigned __int128 wide;

static unsigned bytes_of(uint64_t at, unsigned width)
{
    return ((unsigned)(at & 7) + width + 7) / 8;
}

uint64_t bits_get(const void *bytes, size_t n, uint64_t at, unsigned width)
{
    const unsigned char *p = bytes;
    unsigned count = bytes_of(at, width);
    wide v = 0;
    for (uint64_t i = at / 8; i < at / 8 + count; i++)
        v = v << 8 | (i < n ? p[i] : 0);
    v >>= count * 8 - (at & 7) - width;
    return (uint64_t)v & (UINT64_MAX >> (64 - width));
}

void bits_put(void *bytes, uint64_t at, unsigned width, uint64_t value)
{
    unsigned char *p = (unsigned char *)bytes + at / 8;
    unsigned count = bytes_of(at, width), shift = count * 8 - (unsigned)(at & 7) - width;
    wide ones = (wide)(UINT64_MAX >> (64 - width)), mask = ones << shift;
    wide v = ((wide)value & ones) << shift;
    for (unsigned i = count; i-- > 0; v >>= 8, mask >>= 8)
        p[i] = (unsigned char)((p[i] & ~(unsigned)mask) | (unsigned)v);
}
