/*
 * btree.h - inside types/: a B+ tree of the items of a sorted set, in the order of (score, member
 * bytes), with the number of items below every branch.
 *
 *                 [ inner | inner ]              height 2: of each child the node, its number
 *                 /               \              of items and its smallest item
 *     [ leaf | leaf | leaf ]   [ leaf | leaf ]   height 1
 *         |      |      |          |      |
 *       leaf <-> leaf <-> leaf <-> leaf <-> leaf height 0: score and item of each
 *
 * A leaf repeats the scores, so that a search looks into an item only where scores are equal.
 *
 * Invariants
 *  1. Items are in strictly ascending order; no two have the same member.
 *  2. Of every child, its parent knows the number of items and the first of them, exactly.
 *  3. No node is empty, but for the root of an empty tree, a leaf. A root that is an inner node has
 *     at least two children.
 *  4. An item's score changes only through btree_move() while it is in the tree.
 */
#ifndef WEFT_TYPES_BTREE_H
#define WEFT_TYPES_BTREE_H

#include "types/types.h"

#define LEAF_MAX     30
#define INNER_MAX    31
#define BTREE_HEIGHT 24 /* more than 2^32 items need: half-full nodes have 16-fold fan-out */

struct btree_leaf {
    struct btree_leaf *prev, *next;
    size_t n;
    double score[LEAF_MAX];
    struct zset_item *item[LEAF_MAX];
};

struct btree_inner {
    size_t n;
    void *child[INNER_MAX];
    size_t count[INNER_MAX];
    double score[INNER_MAX];           /* of the first item below the child, */
    struct zset_item *item[INNER_MAX]; /* and the item */
};

struct btree {
    void *root;
    unsigned height; /* 0: the root is a leaf */
    size_t len;
    struct btree_leaf *first, *last;
    size_t leaves, inners;
};

/* A place between items. Which ones lie before it? Those below the score, or the member, or both in
 * this order; and with `after` those that equal it. A bound by member alone is for items of one
 * score. */
struct btree_bound {
    bool by_score, by_member, after;
    double score;
    struct slice member;
};

struct btree_pos {
    const struct btree_leaf *leaf; /* NULL: behind the last item */
    size_t at;
};

void btree_init(struct btree *t);
void btree_clear(struct btree *t); /* frees the nodes, not the items; to be initialised anew */
/* The tree of n items in their order, more than none: instead of btree_init(). */
void btree_build(struct btree *t, struct zset_item *const *items, size_t n);
size_t btree_memory(const struct btree *t); /* of its nodes */

void btree_insert(struct btree *t, struct zset_item *item); /* whose member is in no item of it */
void btree_remove(struct btree *t, struct zset_item *item); /* which is in it; not freed */
void btree_move(struct btree *t, struct zset_item *item, double score);
/* Takes n items out, from this rank on (all are there); tells of each. */
void btree_remove_ranks(struct btree *t, size_t rank, size_t n,
                        void (*gone)(void *arg, struct zset_item *item), void *arg);

size_t btree_rank(const struct btree *t, const struct zset_item *item); /* which is in it */
/* How many items lie before the bound. */
size_t btree_before(const struct btree *t, const struct btree_bound *bound);
struct btree_pos btree_at(const struct btree *t, size_t rank); /* rank < len */

#endif
