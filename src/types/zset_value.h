/*
 * zset_value.h - the sorted set type: members with scores, in the order of (score, member bytes).
 * ENC_LISTPACK while it is small (v.ptr is an lp *: member, score, member, score, ...), ENC_BTREE (a
 * table of items by member, and a B+ tree of the same items by score) when larger. It never turns
 * back by itself. Limits and conversions are Redis's.
 */
#ifndef WEFT_TYPES_ZSET_VALUE_H
#define WEFT_TYPES_ZSET_VALUE_H

#include "base/base.h"
#include "types/dict.h"
#include "types/listpack.h"

struct entry;

struct zset_limits {
    size_t max_listpack_entries; /* zset-max-listpack-entries */
    size_t max_listpack_value;   /* zset-max-listpack-value: bytes of the longest member */
};
extern struct zset_limits zset_limits; /* written with all partitions owned only */

struct entry *entry_new_zset(struct slice key); /* empty */
size_t zset_len(const struct entry *e);

/* ---- by member ------------------------------------------------------------------------------ */

bool zset_score(const struct entry *e, struct slice member, double *score); /* false: absent */
/* Position from the smallest, or with rev from the largest; score may be NULL. False: absent. */
bool zset_rank(const struct entry *e, struct slice member, bool rev, size_t *rank, double *score);

enum zset_result {
    ZSET_SAME,    /* it was there with this score */
    ZSET_UPDATED, /* it was there with another */
    ZSET_ADDED,
    ZSET_SKIPPED, /* the flags forbid it; nothing changed */
    ZSET_NAN,     /* the sum is not a number; nothing changed */
};
enum { ZSET_NX = 1, ZSET_XX = 2, ZSET_GT = 4, ZSET_LT = 8, ZSET_INCR = 16 }; /* as of ZADD */
/* Gives a member its score (or, ZSET_INCR, adds to it) under conditions, converting the encoding when
 * needed. *score (no NaN) becomes the score the member then has; not with ZSET_SKIPPED, ZSET_NAN. */
enum zset_result zset_put(struct entry *e, struct slice member, double *score, unsigned flags);
/* Without conditions. ZSET_ADDED, ZSET_UPDATED, ZSET_SAME. */
static inline enum zset_result zset_add(struct entry *e, struct slice member, double score)
{
    return zset_put(e, member, &score, 0);
}
bool zset_remove(struct entry *e, struct slice member); /* false: absent */

/* Readies an empty one for n members of at most max_len bytes: it begins in the right encoding, with
 * room. */
void zset_expect(struct entry *e, size_t n, size_t max_len);

/* ---- ranges --------------------------------------------------------------------------------- */

struct score_range {
    double min, max;
    bool min_open, max_open; /* the bound itself is out */
};
enum lex_kind { LEX_LOWEST, LEX_MEMBER, LEX_HIGHEST }; /* "-", "[m" or "(m", "+" */
struct lex_bound {
    enum lex_kind kind;
    bool open;
    struct slice member; /* of LEX_MEMBER; borrowed */
};
struct lex_range { /* of members with one score */
    struct lex_bound min, max;
};
bool score_in_range(double score, const struct score_range *range);
bool lex_in_range(struct slice member, const struct lex_range *range);

size_t zset_count_score(const struct entry *e, const struct score_range *range);
size_t zset_count_lex(const struct entry *e, const struct lex_range *range);
/* The same; *rank: of the first of them, counted from the smallest. */
size_t zset_window_score(const struct entry *e, const struct score_range *range, size_t *rank);
size_t zset_window_lex(const struct entry *e, const struct lex_range *range, size_t *rank);
/* Each returns how many were removed. n members from this rank on (there may be fewer). */
size_t zset_remove_range_rank(struct entry *e, size_t rank, size_t n);
size_t zset_remove_range_score(struct entry *e, const struct score_range *range);
size_t zset_remove_range_lex(struct entry *e, const struct lex_range *range);

/* ---- iteration ------------------------------------------------------------------------------ */

/* Valid until the set changes. */
struct zset_iter {
    const struct entry *e;
    const void *leaf; /* of the tree */
    size_t pos;       /* in the leaf, or in the listpack (of the member) */
    size_t rank;      /* from the end that the iteration began at */
    bool rev;
    char tmp[NUM_I64_MAX];
};
/* At the member of this rank, counted from the end that the iteration begins at (rev: the largest).
 * False: there is none. */
bool zset_seek_rank(const struct entry *e, size_t rank, bool rev, struct zset_iter *it);
/* At the first member that the iteration meets in the range; false: there is none. The iteration does
 * not end with the range: ask score_in_range(), lex_in_range(). */
bool zset_seek_score(const struct entry *e, const struct score_range *range, bool rev,
                     struct zset_iter *it);
bool zset_seek_lex(const struct entry *e, const struct lex_range *range, bool rev,
                   struct zset_iter *it);
/* What it is at: the member's bytes are valid until the set changes or the iterator is asked again. score
 * may be NULL. Always true. */
bool zset_at(struct zset_iter *it, struct slice *member, double *score);
bool zset_step(struct zset_iter *it); /* false: that was the last */
/* Moves on by n members (0: stays), in less time than n steps. False: there are not so many. */
bool zset_skip(struct zset_iter *it, size_t n);

/* One step of a walk that survives changes, as dict_scan(); a listpack is walked in one step. */
typedef void zset_visit(void *arg, struct slice member, double score);
uint64_t zset_scan(const struct entry *e, uint64_t cursor, size_t count, zset_visit *visit, void *arg);

/* ---- building from items ---------------------------------------------------------------------- */

/* For who computes members and scores first and needs the order last (unions, loading): collect
 * items in a dict of zset_items, whose scores may change there, then turn it into a set at once. */
struct zset_item {
    double score;
    uint8_t len;  /* of the member; ZSET_ITEM_LONG: it is in the next four bytes */
    char bytes[]; /* the member */
};
#define ZSET_ITEM_LONG 255
struct zset_item *zset_item_new(struct slice member, double score);
static inline struct slice zset_item_member(const struct zset_item *item)
{
    uint32_t len;
    if (LIKELY(item->len != ZSET_ITEM_LONG)) return slice_of(item->bytes, item->len);
    memcpy(&len, item->bytes, sizeof len);
    return slice_of(item->bytes + sizeof len, len);
}
extern const struct dict_type zset_items;
/* A set of these members, in the encoding that the limits say. Takes the dict over. */
struct entry *entry_new_zset_of(struct slice key, struct dict *items);

/* ---- packed, as DUMP payloads and files carry it ------------------------------------------------ */

/* Is this (well-formed) listpack one of distinct members with scores that are numbers, in order? */
bool zset_valid_listpack(const lp *l);
/* A set of a valid listpack, which it takes over; converted when the limits say so. */
struct entry *entry_new_zset_listpack(struct slice key, lp *l);

/* ---- for entry.c ------------------------------------------------------------------------------ */

void zset_free(struct entry *e);
void *zset_dup(const struct entry *e);
size_t zset_memory(const struct entry *e, size_t samples);
size_t zset_free_effort(const struct entry *e);

#endif
