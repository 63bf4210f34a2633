/*
 * intset.h - a sorted array of distinct integers in one allocation, in the binary format that Redis
 * uses in memory, in DUMP payloads and in RDB files:
 *
 *   offset  size  meaning
 *   0       4     width of an integer: 2, 4 or 8, little endian; what the widest ever added needed
 *   4       4     number of integers, little endian
 *   8       ...   the integers, ascending, little endian
 *
 * Functions that change one may move it and return the new address.
 */
#ifndef WEFT_TYPES_INTSET_H
#define WEFT_TYPES_INTSET_H

#include "base/base.h"

struct intset {
    uint32_t width, len;
    uint8_t bytes[];
};
#define INTSET_MAX ((size_t)1 << 30) /* integers */

struct intset *intset_new(void);
void intset_free(struct intset *s);
struct intset *intset_dup(const struct intset *s);
size_t intset_bytes(const struct intset *s);

static inline size_t intset_len(const struct intset *s)
{
    return s->len;
}

int64_t intset_at(const struct intset *s, size_t i);
bool intset_has(const struct intset *s, int64_t v);
/* *added: it was absent. */
struct intset *intset_add(struct intset *s, int64_t v, bool *added);
struct intset *intset_remove(struct intset *s, int64_t v, bool *removed);

/* Is this (from outside) well-formed? deep: every integer is looked at. */
bool intset_valid(const uint8_t *bytes, size_t n, bool deep);

#endif
