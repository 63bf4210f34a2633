/*
 * dict.h - a hash table of items: what large sets, hashes and the members of sorted sets are kept in.
 *
 * An item is an allocation of its owner that holds its key's bytes; the table keeps pointers. It
 * grows and shrinks in small steps: no operation moves more than a bounded number of items. One
 * thread at a time.
 */
#ifndef WEFT_TYPES_DICT_H
#define WEFT_TYPES_DICT_H

#include "base/base.h"

struct dict;

struct dict_type {
    struct slice (*key)(const void *item);
    void (*free)(void *item);           /* NULL: items belong to somebody else */
    size_t (*memory)(const void *item); /* bytes it takes */
};

struct dict *dict_new(const struct dict_type *type);
void dict_free(struct dict *d); /* and its items */
/* Makes room for n items at once, where they are known to come. */
void dict_reserve(struct dict *d, size_t n);

size_t dict_len(const struct dict *d);
void *dict_find(const struct dict *d, struct slice key); /* NULL: absent */
/* The items of n <= DICT_BATCH keys: faster than one by one in a table larger than the cache. */
#define DICT_BATCH 16
void dict_find_each(const struct dict *d, const struct slice *keys, size_t n, void **found);
/* Adds an item whose key is absent. */
void dict_add(struct dict *d, void *item);
/* The item of this key; NULL: it was absent, and the item that make() returned was added. */
void *dict_find_or_add(struct dict *d, struct slice key, void *(*make)(struct slice key));
/* `to` takes the place of `from`, which is in the table; both have the same key. Nothing is freed. */
void dict_moved(struct dict *d, const void *from, void *to);
/* Takes the item out and returns it; the caller owns it now. NULL: absent. */
void *dict_take(struct dict *d, struct slice key);
bool dict_delete(struct dict *d, struct slice key); /* false: absent */

/* A random item, each about equally likely; NULL: empty. */
void *dict_random(const struct dict *d);

/* All items in no order. The table may not change meanwhile. */
struct dict_iter {
    const struct dict *d;
    size_t at, in;
};
struct dict_iter dict_first(const struct dict *d);
void *dict_next(struct dict_iter *it); /* NULL: that was the last */

/* One step of a walk that survives changes: visits the items of at least one bucket, until about
 * `count` were seen; returns the next cursor, 0 at the end. What is present from the first step to the
 * last is visited at least once. visit() may not change the table. */
typedef void dict_visit(void *arg, void *item);
uint64_t dict_scan(const struct dict *d, uint64_t cursor, size_t count, dict_visit *visit, void *arg);

/* Bytes of table and items: `samples` items are measured and the rest estimated, 0: all. */
size_t dict_memory(const struct dict *d, size_t samples);

/* Items that growing and shrinking have moved, ever: what a step costs. */
size_t dict_moves(const struct dict *d);

#endif
