/*
 * buf.c - the growing byte buffer.
 *
 *   p |  n bytes of content  |  room  |
 *     0                      n        cap
 *
 * Invariants
 *  1. p is NULL exactly when cap is 0; n <= cap.
 *  2. What grows it at least doubles it, so that appending costs O(1) a byte.
 */
#include "base/base.h"

#include <stdint.h>
#include <stdio.h>

#define CAP_MIN 64

void buf_reserve(struct buf *b, size_t extra)
{
    if (LIKELY(b->cap - b->n >= extra)) return;
    if (extra > SIZE_MAX / 4 || b->n > SIZE_MAX / 4)
        panic("a buffer of %zu + %zu bytes", b->n, extra);
    size_t cap = MAX(b->n + extra, b->cap * 2);
    cap = mem_good_size(MAX(cap, (size_t)CAP_MIN));
    b->p = mem_realloc(b->p, cap);
    b->cap = cap;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    if (n == 0) return;
    buf_reserve(b, n);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void buf_addz(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
    buf_reserve(b, 1);
    b->p[b->n++] = c;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buf_addv(b, fmt, args);
    va_end(args);
}

void buf_addv(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    buf_reserve(b, CAP_MIN);
    int n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, args);
    CHECK(n >= 0);
    if ((size_t)n >= b->cap - b->n) {
        buf_reserve(b, (size_t)n + 1);
        vsnprintf(b->p + b->n, b->cap - b->n, fmt, again);
    }
    va_end(again);
    b->n += (size_t)n;
}

/* The letter behind the backslash, or 0 when c has no such escape. */
static char escape_letter(char c)
{
    switch (c) {
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    case '\a': return 'a';
    case '\b': return 'b';
    case '"':
    case '\\': return c;
    default: return 0;
    }
}

void buf_add_repr(struct buf *b, struct slice s)
{
    static const char hex[] = "0123456789abcdef";
    buf_addc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char letter = escape_letter((char)c);
        if (letter)
            buf_add(b, (char[]){'\\', letter}, 2);
        else if (c >= ' ' && c <= '~')
            buf_addc(b, (char)c);
        else
            buf_add(b, (char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
    }
    buf_addc(b, '"');
}

const char *buf_cstr(struct buf *b)
{
    buf_reserve(b, 1);
    b->p[b->n] = '\0';
    return b->p;
}

void buf_clear(struct buf *b)
{
    b->n = 0;
}

void buf_free(struct buf *b)
{
    mem_free(b->p);
    *b = (struct buf){0};
}
