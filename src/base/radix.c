/*
 * radix.c - sorting by a 64-bit key, a byte at a time from the lowest.
 *
 *   one pass counts all eight bytes; then for each byte in which the keys differ:
 *   items --scattered by that byte--> tmp, and the two change places
 *
 * Bytes that are the same in all keys cost nothing but their counting: of scores that are small
 * integers three or four remain. A few items are sorted by insertion instead.
 */
#include "base/radix.h"

#define BYTES 8
#define FEW   48 /* below, insertion is faster than counting */

typedef uint32_t counts[BYTES][256];

static void insertion_sort(struct radix_item *items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct radix_item item = items[i];
        size_t j = i;
        for (; j > 0 && items[j - 1].key > item.key; j--)
            items[j] = items[j - 1];
        items[j] = item;
    }
}

static void count_bytes(const struct radix_item *items, size_t n, counts count)
{
    memset(count, 0, sizeof(counts));
    for (size_t i = 0; i < n; i++) {
        for (unsigned b = 0; b < BYTES; b++)
            count[b][items[i].key >> (8 * b) & 255]++;
    }
}

static void scatter(const struct radix_item *from, struct radix_item *to, size_t n, unsigned byte,
                    const uint32_t *count)
{
    uint32_t start[256], sum = 0;
    for (unsigned v = 0; v < 256; v++) {
        start[v] = sum;
        sum += count[v];
    }
    for (size_t i = 0; i < n; i++)
        to[start[from[i].key >> (8 * byte) & 255]++] = from[i];
}

struct radix_item *radix_sort(struct radix_item *items, struct radix_item *tmp, size_t n)
{
    counts count;
    if (n < FEW) {
        insertion_sort(items, n);
        return items;
    }
    count_bytes(items, n, count);
    for (unsigned b = 0; b < BYTES; b++) {
        if (count[b][items[0].key >> (8 * b) & 255] == n) continue;
        scatter(items, tmp, n, b, count[b]);
        struct radix_item *sorted = tmp;
        tmp = items;
        items = sorted;
    }
    return items;
}
