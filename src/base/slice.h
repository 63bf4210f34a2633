/* slice.h - a borrowed run of bytes. Owns nothing; binary safe; p is never dereferenced when n is 0. */
#ifndef WEFT_BASE_SLICE_H
#define WEFT_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){literal, sizeof(literal) - 1})

static inline struct slice slice_of(const void *p, size_t n)
{
    return (struct slice){(const char *)p, n};
}

static inline struct slice slice_str(const char *s)
{
    return (struct slice){s, strlen(s)};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Equal to a C string without regard to ASCII case: for keywords of commands. */
static inline bool slice_is(struct slice a, const char *word)
{
    return strlen(word) == a.n && strncasecmp(a.p, word, a.n) == 0;
}

/* As memcmp, a shorter one first when it is a prefix. */
static inline int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

#endif
