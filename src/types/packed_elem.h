/*
 * packed_elem.h - one string or integer in the encoding of a listpack (tabulated in listpack.c),
 * without its back length: what listpack.c and pairs.c share.
 */
#ifndef WEFT_TYPES_PACKED_ELEM_H
#define WEFT_TYPES_PACKED_ELEM_H

#include "types/types_internal.h"

#define HEAD_MAX 9 /* bytes of an encoding with an integer, or before a string's bytes */

enum { STR32 = 0xF0, INT16 = 0xF1, INT24 = 0xF2, INT32 = 0xF3, INT64 = 0xF4 };

/* The size of encoding and data of what is at p. */
static inline size_t body_size(const uint8_t *p)
{
    uint8_t c = *p;
    uint32_t n;
    if (c < 0x80) return 1;
    if (c < 0xC0) return 1 + (c & 0x3Fu);
    if (c < 0xE0) return 2;
    if (c < 0xF0) return 2 + ((c & 0x0Fu) << 8 | p[1]);
    switch (c) {
    case STR32: memcpy(&n, p + 1, sizeof n); return 5 + (size_t)n;
    case INT64: return 9;
    default: return 2u + c - STR32; /* INT16 .. INT32 */
    }
}

/* An element about to be stored: `head` then the bytes of `tail`. */
struct coded {
    uint8_t head[HEAD_MAX];
    size_t head_n;
    struct slice tail;
};

static inline size_t coded_body(const struct coded *c)
{
    return c->head_n + c->tail.n;
}

static inline void code_wide_int(struct coded *c, int64_t v)
{
    size_t n = 8;
    c->head[0] = INT64;
    if (v >= INT16_MIN && v <= INT16_MAX) {
        n = 2;
        c->head[0] = INT16;
    } else if (v >= -(1 << 23) && v < 1 << 23) {
        n = 3;
        c->head[0] = INT24;
    } else if (v >= INT32_MIN && v <= INT32_MAX) {
        n = 4;
        c->head[0] = INT32;
    }
    memcpy(c->head + 1, &v, sizeof v); /* the bytes beyond n are not used */
    c->head_n = 1 + n;
}

static inline void code_int(struct coded *c, int64_t v)
{
    c->tail = (struct slice){NULL, 0};
    if (v >= 0 && v <= 127) {
        c->head[0] = (uint8_t)v;
        c->head_n = 1;
    } else if (v >= -4096 && v <= 4095) {
        unsigned bits = (unsigned)v & 0x1FFF;
        c->head[0] = (uint8_t)(0xC0 | bits >> 8);
        c->head[1] = (uint8_t)bits;
        c->head_n = 2;
    } else {
        code_wide_int(c, v);
    }
}

static inline void code(struct coded *c, struct slice s)
{
    int64_t v;
    if (slice_is_i64(s, &v)) {
        code_int(c, v);
        return;
    }
    c->tail = s;
    if (LIKELY(s.n < 64)) {
        c->head[0] = (uint8_t)(0x80 | s.n);
        c->head_n = 1;
    } else if (s.n < 4096) {
        c->head[0] = (uint8_t)(0xE0 | s.n >> 8);
        c->head[1] = (uint8_t)s.n;
        c->head_n = 2;
    } else {
        uint32_t n = (uint32_t)s.n;
        c->head[0] = STR32;
        memcpy(c->head + 1, &n, sizeof n);
        c->head_n = 5;
    }
}

static inline void put_coded_body(uint8_t *p, const struct coded *c)
{
    memcpy(p, c->head, c->head_n);
    copy_bytes((char *)p + c->head_n, c->tail);
}

/* Of n bytes, little endian. */
static inline int64_t read_int(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    unsigned unused = 64 - 8 * n;
    return (int64_t)(v << unused) >> unused;
}

static inline struct lp_elem elem_integer(int64_t v)
{
    return (struct lp_elem){NULL, 0, v};
}

static inline struct lp_elem elem_string(const uint8_t *p, size_t n)
{
    return (struct lp_elem){(const char *)p, n, 0};
}

/* What is at p. */
static inline struct lp_elem elem_at(const uint8_t *p)
{
    uint8_t c = *p;
    if (c < 0x80) return elem_integer(c);
    if (c < 0xC0) return elem_string(p + 1, c & 0x3Fu);
    if (c < 0xE0) return elem_integer((int64_t)((uint64_t)((c & 0x1Fu) << 8 | p[1]) << 51) >> 51);
    if (c < 0xF0) return elem_string(p + 2, (c & 0x0Fu) << 8 | p[1]);
    switch (c) {
    case STR32: return elem_string(p + 5, body_size(p) - 5);
    case INT16: return elem_integer(read_int(p + 1, 2));
    case INT24: return elem_integer(read_int(p + 1, 3));
    case INT32: return elem_integer(read_int(p + 1, 4));
    default: return elem_integer(read_int(p + 1, 8));
    }
}

#endif
