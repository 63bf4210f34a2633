/*
 * bits.h - the bits of byte strings: counting, finding, combining, reading and writing a few.
 *
 * Bit 0 is the highest of byte 0, bit 8 the highest of byte 1: as SETBIT counts. A range of bits is
 * [from, to).
 */
#ifndef WEFT_BASE_BITS_H
#define WEFT_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define BITS_NONE UINT64_MAX

uint64_t bits_count(const void *bytes, uint64_t from, uint64_t to); /* how many are set */
/* The first bit of the range that is `bit`, or BITS_NONE. */
uint64_t bits_find(const void *bytes, uint64_t from, uint64_t to, bool bit);

/* X is the first source, Y the others; NOT has no Y, DIFF, DIFF1 and ANDOR have one at least. */
enum bits_op {
    BITS_AND, BITS_OR, BITS_XOR,
    BITS_NOT,
    BITS_DIFF,  /* in X, and in no Y */
    BITS_DIFF1, /* in some Y, and not in X */
    BITS_ANDOR, /* in X, and in some Y */
    BITS_ONE,   /* in exactly one of all */
};
/* Writes n bytes to out, which may be where one of the sources begins. Sources are as if zeros
 * followed; none is longer than n. */
void bits_combine(enum bits_op op, void *out, size_t n, const struct slice *sources, size_t count);

/* The `width` (1 to 64) bits from `at` on as a number, the first is the highest. Zeros follow the n
 * bytes that there are. */
uint64_t bits_get(const void *bytes, size_t n, uint64_t at, unsigned width);
void bits_put(void *bytes, uint64_t at, unsigned width, uint64_t value); /* all are there */

#endif
