/*
 * hll.h - HyperLogLogs: strings that estimate how many different elements they were shown, in the
 * format that Redis stores (layout: hll.c). All functions work on the bytes of the string.
 */
#ifndef WEFT_TYPES_HLL_H
#define WEFT_TYPES_HLL_H

#include "base/base.h"

enum {
    HLL_REGISTERS = 16384,
    HLL_HEADER = 16,
    HLL_EMPTY_LEN = HLL_HEADER + 2,
    HLL_DENSE_LEN = HLL_HEADER + HLL_REGISTERS * 6 / 8,
};

struct hll_limits {
    size_t sparse_max_bytes; /* hll-sparse-max-bytes */
};
extern struct hll_limits hll_limits; /* written with all partitions owned only */

/* Does the header say so, and the length of a dense one? The opcodes of a sparse one are looked at
 * by those functions that read them. */
bool hll_valid(struct slice s);
bool hll_is_sparse(struct slice s);
void hll_empty(char out[HLL_EMPTY_LEN]);

/* The estimate as it was last computed, unless something changed since. */
bool hll_cached(struct slice s, uint64_t *estimate);
void hll_cache(char *p, uint64_t estimate);
void hll_uncache(char *p);

/* What an element does: it raises one register to a value, unless that is as high already. */
struct hll_hit {
    uint32_t index;
    uint8_t value;
};
struct hll_hit hll_hit_of(struct slice element);

enum hll_effect { HLL_SAME, HLL_CHANGES, HLL_NEEDS_DENSE, HLL_CORRUPT };
struct hll_edit { /* of a dense one just the hit; of a sparse one, opcodes for the one at `at` */
    struct hll_hit hit;
    bool dense;
    uint8_t old_len, len, opcodes[5];
    size_t at, before; /* `before`: where the opcode before it begins; the same: there is none */
};
/* What this hit would do. HLL_CHANGES: *edit is how. */
enum hll_effect hll_look(struct slice s, struct hll_hit hit, struct hll_edit *edit);
/* Bytes that the string must have room for to be edited. */
size_t hll_edit_room(struct slice s, const struct hll_edit *edit);
/* Edits the n bytes at p; returns how many they are then. */
size_t hll_apply(char *p, size_t n, const struct hll_edit *edit);

/* The dense form of a sparse one; header and cached estimate too. False: corrupt. */
bool hll_to_dense(struct slice sparse, char dense[HLL_DENSE_LEN]);

/* Registers, one a byte. */
bool hll_raise_to(uint8_t registers[HLL_REGISTERS], struct slice s); /* the higher of both; false: corrupt */
void hll_pack(const uint8_t registers[HLL_REGISTERS], char *dense);  /* into one that is dense */

struct hll_histogram { /* how many registers have each value */
    uint32_t n[64];
};
bool hll_histogram(struct slice s, struct hll_histogram *h); /* false: corrupt */
void hll_histogram_of(const uint8_t registers[HLL_REGISTERS], struct hll_histogram *h);
uint64_t hll_estimate(const struct hll_histogram *h);

/* The opcodes of a sparse one as text. */
void hll_decode(struct slice sparse, struct buf *out);

#endif
