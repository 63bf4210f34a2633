/*
 * lzf.c - LZF (lzf.h). A greedy compressor: a table tells for each hash of three bytes where they
 * were seen last; what matches there, near enough, is referred to, all else is copied.
 *
 * Invariant: the table is of the thread and of one call; it is cleared first, and nothing here
 * parks.
 */
#include "types/lzf.h"

#define HASH_BITS    12
#define LITERALS_MAX 32
#define MATCH_MIN    3
#define MATCH_SHORT  8 /* the longest that takes two bytes */
#define MATCH_MAX    264
#define REACH        8192

static _Thread_local uint32_t seen[1 << HASH_BITS]; /* position + 1; 0: never */

struct sink {
    uint8_t *p, *end; /* p == NULL: it was too much */
};

static void put_literals(struct sink *out, const uint8_t *from, size_t n)
{
    while (n > 0 && out->p) {
        size_t some = MIN(n, (size_t)LITERALS_MAX);
        if ((size_t)(out->end - out->p) < some + 1) {
            out->p = NULL;
            return;
        }
        *out->p++ = (uint8_t)(some - 1);
        memcpy(out->p, from, some);
        out->p += some;
        from += some;
        n -= some;
    }
}

static void put_match(struct sink *out, size_t back, size_t len)
{
    if (!out->p || out->end - out->p < (len <= MATCH_SHORT ? 2 : 3)) {
        out->p = NULL;
        return;
    }
    unsigned offset = (unsigned)back - 1;
    if (len <= MATCH_SHORT) {
        *out->p++ = (uint8_t)((len - 2) << 5 | offset >> 8);
    } else {
        *out->p++ = (uint8_t)(7u << 5 | offset >> 8);
        *out->p++ = (uint8_t)(len - 9);
    }
    *out->p++ = (uint8_t)offset;
}

static uint32_t three(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

/* Where the three bytes at `at` were seen last, plus one; from now on that is here. */
static uint32_t look_up(const uint8_t *in, size_t at)
{
    uint32_t *slot = &seen[(three(in + at) * 2654435761u) >> (32 - HASH_BITS)];
    uint32_t last = *slot;
    *slot = (uint32_t)at + 1;
    return last;
}

/* How many bytes at `at` are the same as further back, at most n. */
static size_t match_len(const uint8_t *in, size_t before, size_t at, size_t n)
{
    size_t len = 0;
    while (len < n && in[before + len] == in[at + len])
        len++;
    return len;
}

__attribute__((noinline)) size_t lzf_compress(const void *from, size_t n, void *to, size_t cap)
{
    const uint8_t *in = from;
    struct sink out = {to, (uint8_t *)to + cap};
    size_t at = 0, copied = 0; /* [copied, at) are literals to be put */
    memset(seen, 0, sizeof seen);
    while (at + MATCH_MIN <= n && out.p) {
        uint32_t last = look_up(in, at);
        size_t before = last - 1, len = 0;
        if (last && at - before <= REACH)
            len = match_len(in, before, at, MIN(n - at, (size_t)MATCH_MAX));
        if (len < MATCH_MIN) {
            at++;
            continue;
        }
        put_literals(&out, in + copied, at - copied);
        put_match(&out, at - before, len);
        at += len;
        copied = at;
        if (at + 1 <= n && at >= 2) look_up(in, at - 2);
    }
    put_literals(&out, in + copied, n - copied);
    return out.p ? (size_t)(out.p - (uint8_t *)to) : 0;
}

/* A match at *p, whose first byte is c, copied to `to`: its length, or 0: it is none. */
static size_t take_match(const uint8_t **p, const uint8_t *end, uint8_t c, uint8_t *to, size_t done,
                         size_t room)
{
    size_t len = c >> 5;
    if (end - *p < 1 + (len == 7)) return 0;
    if (len == 7) len += *(*p)++;
    len += 2;
    size_t back = ((size_t)(c & 31) << 8 | *(*p)++) + 1;
    if (back > done || len > room) return 0;
    for (size_t i = 0; i < len; i++)
        to[i] = (to - back)[i]; /* it may reach into itself */
    return len;
}

bool lzf_decompress(const void *from, size_t n, void *to, size_t size)
{
    const uint8_t *p = from, *end = p + n;
    uint8_t *out = to;
    size_t done = 0;
    while (p < end) {
        uint8_t c = *p++;
        size_t len = c + (size_t)1;
        if (c >= LITERALS_MAX) {
            len = take_match(&p, end, c, out + done, done, size - done);
            if (len == 0) return false;
        } else {
            if (len > (size_t)(end - p) || len > size - done) return false;
            memcpy(out + done, p, len);
            p += len;
        }
        done += len;
    }
    return done == size;
}
