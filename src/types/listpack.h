/*
 * listpack.h - a packed sequence of byte strings and integers in one allocation, in the binary
 * format that Redis uses in memory, in DUMP payloads and in RDB files:
 *
 *   <total bytes: u32 LE> <elements: u16 LE, 65535 = count them> <element>... <0xFF>
 *   element = <encoding and data> <back length: 1 to 5 bytes, readable from the right>
 *
 * (the element encodings are tabulated in listpack.c). Functions that change one may move it and
 * return the new address. Positions are offsets from its start; LP_NONE is no position.
 */
#ifndef WEFT_TYPES_LISTPACK_H
#define WEFT_TYPES_LISTPACK_H

#include "base/base.h"

typedef uint8_t lp; /* a listpack is an lp * */
#define LP_NONE  0
#define LP_MAX_BYTES ((size_t)1 << 30) /* callers convert to another encoding far earlier */

struct lp_elem { /* what is at a position: a string inside the listpack, or an integer */
    const char *p; /* NULL: integer */
    size_t n;
    int64_t i;
};

lp *lp_new(size_t capacity_hint);
void lp_free(lp *l);
lp *lp_dup(const lp *l);
size_t lp_bytes(const lp *l);
size_t lp_count(const lp *l);

size_t lp_first(const lp *l);
size_t lp_last(const lp *l);
size_t lp_next(const lp *l, size_t pos); /* LP_NONE behind the last */
size_t lp_prev(const lp *l, size_t pos);
size_t lp_seek(const lp *l, int64_t index); /* negative: from the end */

struct lp_elem lp_get(const lp *l, size_t pos);
/* The element as bytes; an integer is printed into tmp (NUM_I64_MAX bytes). */
struct slice lp_slice(const lp *l, size_t pos, char *tmp);
bool lp_equals(const lp *l, size_t pos, struct slice s); /* numbers compare by their text */
/* First position at or behind `from` whose element equals s, looking at one element and then
 * skipping `skip` (hashes look at fields only). */
size_t lp_find(const lp *l, size_t from, struct slice s, size_t skip);

/* Strings that are canonical integers are stored as integers. */
lp *lp_append(lp *l, struct slice s);
lp *lp_prepend(lp *l, struct slice s);
lp *lp_insert(lp *l, size_t pos, struct slice s, bool after, size_t *new_pos);
lp *lp_replace(lp *l, size_t *pos, struct slice s);
lp *lp_delete(lp *l, size_t *pos);                           /* *pos: the next one, or LP_NONE */
lp *lp_delete_range(lp *l, int64_t index, size_t n);
lp *lp_append_int(lp *l, int64_t v);
/* Appends n elements at once; p may be NULL for integers only (an empty string has one). */
lp *lp_append_all(lp *l, const struct lp_elem *elems, size_t n);
lp *lp_replace_int(lp *l, size_t *pos, int64_t v);
lp *lp_fit(lp *l); /* gives back what memory it does not use */
lp *lp_merge(lp *a, lp *b); /* a followed by b in one; both are gone */
/* Splits: keeps [0, index) in *l, returns the rest. */
lp *lp_split(lp **l, size_t index);

size_t lp_elem_bytes(struct slice s); /* what it would take in a listpack */
/* Would adding `add` bytes keep it within what the format carries? */
bool lp_safe_to_add(const lp *l, size_t add);

/* Is this (from outside) well-formed? deep: every element is walked. */
bool lp_valid(const uint8_t *bytes, size_t n, bool deep);

#endif
