/* buf.h - a growing byte buffer that owns its memory. Zero-initialised is empty and valid. */
#ifndef WEFT_BASE_BUF_H
#define WEFT_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/slice.h"

struct buf {
    char *p;
    size_t n, cap;
};

void buf_reserve(struct buf *b, size_t extra); /* room for `extra` more bytes behind n */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_addz(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *b, const char *fmt, va_list args);
/* Text in double quotes, control bytes and quotes escaped, as redis-cli and the logs show it. */
void buf_add_repr(struct buf *b, struct slice s);
const char *buf_cstr(struct buf *b); /* NUL-terminated (the NUL not counted) */
void buf_clear(struct buf *b);       /* keeps the memory */
void buf_free(struct buf *b);

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->p, b->n);
}

#endif
