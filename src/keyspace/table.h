/*
 * table.h - the hash table of one database in one partition: entries found by the hash of their
 * key.
 *
 * table.c says how it is built. Whoever calls owns the partition, except for what is marked
 * ANYBODY.
 */
#ifndef WEFT_KEYSPACE_TABLE_H
#define WEFT_KEYSPACE_TABLE_H

#include <stdatomic.h>

#include "base/base.h"
#include "types/types.h"

/* Which bits of a hash are used for what: no two uses share a bit, so that the keys of one
 * partition spread over all buckets, and the keys of one bucket over all tags. */
#define HASH_BUCKET_BITS 32
#define HASH_LINE_SHIFT  39 /* one bit: the line of the bucket that a key tries first */
#define HASH_TAG_SHIFT   40 /* 8 bits */
#define HASH_PART_SHIFT  48 /* 16 bits */

#define LINE_SLOTS       7
#define CHUNK_BUCKETS    64 /* 8 KB, a small class of the allocator: exactly two pages */

struct line {      /* one cache line */
    uint64_t meta; /* bytes 0..6: tags; bits 56..62: slot is used; bit 63: see table.c */
    struct entry *slot[LINE_SLOTS];
};

struct bucket {
    struct line line[2];
};

struct directory {
    size_t cap;
    _Atomic(struct bucket *) chunk[];
};

#define DUE_NEVER UINT32_MAX

struct table {
    /* Read by ANYBODY, written by the owner. */
    _Atomic(struct directory *) dir;
    _Atomic(uint64_t) n; /* buckets, at least 1 */
    _Atomic(uint64_t) keys, expires;
    _Atomic(uint64_t) subexpires; /* hashes with fields that expire */
    /* The owner's. */
    uint64_t mask;      /* the smallest 2^i - 1 that is at least n - 1 */
    size_t lines;       /* overflow lines in use */
    struct line *spare; /* overflow lines not in use, linked by slot[0] */
    size_t spares;
    uint64_t rehashed;   /* entries that growing and shrinking have moved or looked at, ever */
    uint32_t **due;      /* by chunk: the earliest tick at which an entry of each bucket expires */
    uint32_t *due_chunk; /* by chunk: the smallest of them, or less */
    size_t due_cap;      /* chunks that the two have room for */
    uint32_t due_min;    /* the smallest of all, or less */
    _Atomic(double) expire_sum; /* of the expiry times, ms: for the average */
    unsigned db;
    struct list_node in_part; /* part.c's list of its tables */
};

struct table *table_new(unsigned db);
/* Gives back the table, but none of its entries: see table_drain(). In steps: table_free() at once.
 */
void table_free(struct table *t);
/* Takes up to max entries out of a table that nobody finds any more: how many; 0: it is empty. */
size_t table_drain(struct table *t, size_t *bucket, struct entry **out, size_t max);

struct entry **table_find(const struct table *t, uint64_t hash, struct slice key);
struct entry **table_add(struct table *t, uint64_t hash, struct entry *e);
void table_set(struct table *t, struct entry **slot, struct entry *e);
/* Empties the slot that holds a key of this hash. */
void table_remove(struct table *t, uint64_t hash, struct entry **slot);

/* Splits or merges at most `steps` buckets, if the number of keys asks for it: false: it does not.
 */
bool table_resize_step(struct table *t, unsigned steps);
bool table_wants_resize(const struct table *t); /* ANYBODY, approximately */
extern _Atomic(bool) table_resizing;            /* relaxed; off: no steps */

/* ANYBODY: prefetches the bucket (stage 0), the entry (stage 1). */
bool table_prefetch(const struct table *t, uint64_t hash, int stage);

/* Walking: the entries of the keys whose hash ends in the bits of the cursor. Puts up to max of
 * them into out if they all fit, returns how many there are, and moves the cursor on, 0 at the end.
 * If they do not fit the cursor stays, and the caller comes again with more room. */
size_t table_walk(const struct table *t, uint64_t *cursor, struct entry **out, size_t max);
/* Some entry, chosen at random among those of a bucket chosen at random; NULL: that one is empty.
 */
struct entry *table_random(const struct table *t);
size_t table_chain(const struct table *t, uint64_t hash); /* overflow lines of the key's bucket */
/* Buckets by how many entries they hold; the last element counts those above. */
void table_histogram(const struct table *t, uint64_t *counts, size_t n);

/* Expiry. Ticks are of any unit, relative to anything: see expire.c. */
uint32_t expire__tick(int64_t ms);
/* An entry of this hash expires at this tick. True: due_min fell. */
bool table_note_due(struct table *t, uint64_t hash, uint32_t tick);
/* Calls gone() for each entry of buckets due by `tick` whose expiry is <= now_ms, when it has been
 * taken out of its slot; and fields() for each that has fields whose time has come, which removes
 * them and returns when something of the entry expires next (ENTRY_NO_EXPIRE: never), or
 * DUE_EMPTIED when no field is left: then the entry is taken out and emptied() is called. They call
 * nothing else here. When out_of_time() it returns false, and goes on at the cursor next time; true:
 * nothing is due any more. */
#define DUE_EMPTIED INT64_MIN
struct due_walk {
    uint64_t cursor; /* bucket to go on with */
    uint64_t looked, removed;
    bool (*out_of_time)(void *arg);
    void (*gone)(void *arg, struct table *t, struct entry *e);
    int64_t (*fields)(void *arg, struct table *t, struct entry *e);
    void (*emptied)(void *arg, struct table *t, struct entry *e);
    void *arg;
};
bool table_walk_due(struct table *t, uint32_t tick, int64_t now_ms, struct due_walk *w);

#endif
