/*
 * radix.h - sorting many items by a 64-bit key: stable, in time linear in their number, without
 * comparing.
 */
#ifndef WEFT_BASE_RADIX_H
#define WEFT_BASE_RADIX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct radix_item {
    uint64_t key;
    uint32_t at; /* the caller's: which of his things this is */
};

/* Sorts n (< 2^32) items ascending; equal keys keep their order. tmp has room for n. The result is
 * in items or in tmp: returns where. */
struct radix_item *radix_sort(struct radix_item *items, struct radix_item *tmp, size_t n);

/* A key whose order is that of the numbers, -0 equal to 0. v is a number (no NaN). */
static inline uint64_t radix_key(double v)
{
    uint64_t bits;
    v += 0.0; /* -0 becomes 0 */
    memcpy(&bits, &v, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

#endif
