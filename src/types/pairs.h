/*
 * pairs.h - the fields and values of a small hash in one allocation: what a listpack holds, without
 * what only a walk backwards needs.
 *
 *   offset  size  meaning
 *   0       2     number of pairs, little endian
 *   2       ...   field, value, field, value, ...: encoded as in a listpack, without back lengths
 *
 * Nothing marks the end: the count tells. Ten elements take 15 bytes less than in a listpack, and a
 * search reads as much less. Functions that change one may move it and return the new address.
 * Positions are offsets from its start.
 */
#ifndef WEFT_TYPES_PAIRS_H
#define WEFT_TYPES_PAIRS_H

#include "types/listpack.h"

typedef uint8_t pairs;   /* one is a pairs * */
#define PAIRS_NONE 0     /* no position */
#define PAIRS_MAX  65535 /* pairs: callers convert to another encoding before */

/* Empty, with room for these elements (the first of them, if they are large). */
pairs *pairs_new(const struct slice *elems, size_t n);
void pairs_free(pairs *p);
pairs *pairs_dup(const pairs *p);
size_t pairs_count(const pairs *p);
size_t pairs_bytes(const pairs *p); /* walks over all */

size_t pairs_first(const pairs *p);                    /* of the first field, if there is one */
size_t pairs_next(const pairs *p, size_t pos);         /* behind the element at pos */
size_t pairs_find(const pairs *p, struct slice field); /* PAIRS_NONE: absent */
/* The element as bytes; an integer is printed into tmp (NUM_I64_MAX bytes). */
struct slice pairs_slice(const pairs *p, size_t pos, char *tmp);

/* Gives a field a value; true: the field is new. *p may move. */
bool pairs_put(pairs **p, struct slice field, struct slice value);
/* Takes out the field at pos. */
pairs *pairs_remove(pairs *p, size_t pos);

/* The same as a listpack, and the other way round; both are new. */
lp *pairs_to_listpack(const pairs *p);
pairs *pairs_of_listpack(const lp *l);

#endif
