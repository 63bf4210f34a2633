/*
 * intset.c - sorted integers in the narrowest of three widths that holds all that were added
 * (layout: intset.h).
 *
 * Invariants
 *  1. The integers ascend strictly. The width never shrinks.
 *  2. The allocation is at least intset_bytes(); growing by one stays in place within a size class
 * of the allocator.
 */
#include "types/intset.h"

#include "types/types_internal.h"

static_assert(sizeof(struct intset) == 8, "header of the format");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers are copied as they are");

static size_t size_of(size_t width, size_t len)
{
    return sizeof(struct intset) + width * len;
}

static uint32_t width_of(int64_t v)
{
    if (v >= INT16_MIN && v <= INT16_MAX) return 2;
    return v >= INT32_MIN && v <= INT32_MAX ? 4 : 8;
}

static inline int64_t read_at(const uint8_t *bytes, uint32_t width, size_t i)
{
    int16_t two;
    int32_t four;
    int64_t eight;
    switch (width) {
    case 2: memcpy(&two, bytes + i * 2, 2); return two;
    case 4: memcpy(&four, bytes + i * 4, 4); return four;
    default: memcpy(&eight, bytes + i * 8, 8); return eight;
    }
}

static inline void write_at(struct intset *s, size_t i, int64_t v)
{
    memcpy(s->bytes + i * s->width, &v, s->width);
}

struct intset *intset_new(void)
{
    struct intset *s = mem_alloc(sizeof *s);
    s->width = 2;
    s->len = 0;
    return s;
}

void intset_free(struct intset *s)
{
    mem_free(s);
}

size_t intset_bytes(const struct intset *s)
{
    return size_of(s->width, s->len);
}

struct intset *intset_dup(const struct intset *s)
{
    return mem_dup(s, intset_bytes(s));
}

int64_t intset_at(const struct intset *s, size_t i)
{
    return read_at(s->bytes, s->width, i);
}

/* The index of the first integer that is not less than v. */
static size_t lower_bound(const struct intset *s, int64_t v)
{
    size_t low = 0, n = s->len;
    if (n && intset_at(s, n - 1) < v) return n; /* ascending additions */
    while (n > 0) {
        size_t half = n / 2;
        bool less = intset_at(s, low + half) < v;
        low = less ? low + half + 1 : low;
        n = less ? n - half - 1 : half;
    }
    return low;
}

bool intset_has(const struct intset *s, int64_t v)
{
    if (width_of(v) > s->width) return false;
    size_t i = lower_bound(s, v);
    return i < s->len && intset_at(s, i) == v;
}

/* The same integers in a greater width, from the last to the first in place; room for one more. */
static struct intset *widen(struct intset *s, uint32_t width)
{
    uint32_t old = s->width;
    s = mem_realloc(s, size_of(width, s->len + 1u));
    s->width = width;
    for (size_t i = s->len; i-- > 0;)
        write_at(s, i, read_at(s->bytes, old, i));
    return s;
}

static void shift(struct intset *s, size_t from, size_t to)
{
    memmove(s->bytes + to * s->width, s->bytes + from * s->width, (s->len - from) * s->width);
}

struct intset *intset_add(struct intset *s, int64_t v, bool *added)
{
    uint32_t width = width_of(v);
    size_t i = 0;
    if (width > s->width) { /* it is outside of all that are there */
        s = widen(s, width);
        if (v > 0) i = s->len;
    } else {
        i = lower_bound(s, v);
        *added = i == s->len || intset_at(s, i) != v;
        if (!*added) return s;
        s = mem_realloc(s, size_of(s->width, s->len + 1u));
    }
    *added = true;
    shift(s, i, i + 1);
    write_at(s, i, v);
    s->len++;
    return s;
}

struct intset *intset_remove(struct intset *s, int64_t v, bool *removed)
{
    size_t i = width_of(v) > s->width ? s->len : lower_bound(s, v);
    *removed = i < s->len && intset_at(s, i) == v;
    if (!*removed) return s;
    shift(s, i + 1, i);
    s->len--;
    return mem_realloc(s, intset_bytes(s));
}

bool intset_valid(const uint8_t *bytes, size_t n, bool deep)
{
    uint32_t width, len;
    if (n < sizeof(struct intset)) return false;
    memcpy(&width, bytes, sizeof width);
    memcpy(&len, bytes + sizeof width, sizeof len);
    if (width != 2 && width != 4 && width != 8) return false;
    if (len == 0 || n != size_of(width, len)) return false;
    bytes += sizeof(struct intset);
    for (size_t i = 1; deep && i < len; i++) {
        if (read_at(bytes, width, i - 1) >= read_at(bytes, width, i)) return false;
    }
    return true;
}
