/*
 * quicklist.h - inside types/: a doubly linked list of nodes, each a listpack of some elements or
 * one huge element as it is. Inner nodes may be compressed.
 *
 *    head <-> node <-> node <-> ... <-> node <-> tail
 *    |- depth -|  compressed, but for `open`  |- depth -|
 *
 * Invariants
 *  1. No node is empty; count is the sum of the nodes' counts. A plain node holds one element.
 *  2. A node has its bytes (data), or them compressed (packed), or both when they have not changed
 *     since. In the outer `depth` nodes of either end, and with depth 0 in all, it has only data.
 *  3. Of the inner nodes that could be compressed at most one, `open`, has data: the one that was
 *     used last. Using another closes it.
 */
#ifndef WEFT_TYPES_QUICKLIST_H
#define WEFT_TYPES_QUICKLIST_H

#include "types/types.h"

struct qpacked {
    uint32_t n; /* bytes */
    char bytes[];
};

struct qnode {
    struct qnode *prev, *next;
    void *data; /* an lp, or the bytes of the element */
    struct qpacked *packed;
    size_t size; /* bytes of data */
    uint32_t count;
    bool plain;
};

struct quicklist {
    struct qnode *head, *tail, *open;
    size_t count, nodes;
    int fill, depth; /* list-max-listpack-size and list-compress-depth when it was made */
};

/* Limits of one listpack under `fill`: SIZE_MAX where there is none. */
void quicklist_limits(int fill, size_t *bytes, size_t *count);
bool quicklist_exceeds(int fill, size_t bytes, size_t count);

struct quicklist *quicklist_new(int fill, int depth);
void quicklist_free(struct quicklist *q);
struct quicklist *quicklist_dup(const struct quicklist *q);
size_t quicklist_memory(const struct quicklist *q, size_t samples);

/* Takes l over as the last node; an empty one is freed. */
void quicklist_append_lp(struct quicklist *q, lp *l);
/* The same with the bytes of one element, as a plain node. */
void quicklist_append_plain(struct quicklist *q, void *bytes, size_t n);
/* The listpack of the only node, the list is gone. */
lp *quicklist_take_lp(struct quicklist *q);

void quicklist_push(struct quicklist *q, enum list_end end, struct slice s);
bool quicklist_pop(struct quicklist *q, enum list_end end, struct buf *out);

/* The node of an element and the element's index in it; NULL: there is none. */
struct qnode *quicklist_find(const struct quicklist *q, int64_t index, size_t *in_node);
/* Its bytes, to be read until another node is used. */
const void *qnode_read(struct quicklist *q, struct qnode *node);

/* Changes at an element: at pos in the node's listpack, or a plain node's only one (pos: any). */
void quicklist_insert(struct quicklist *q, struct qnode *node, size_t pos, struct slice s,
                      bool after);
void quicklist_replace(struct quicklist *q, struct qnode *node, size_t pos, struct slice s);
/* *pos: the next one in the node, or LP_NONE. false: the node is gone with its last element. */
bool quicklist_erase(struct quicklist *q, struct qnode *node, size_t *pos);
void quicklist_erase_range(struct quicklist *q, int64_t start, size_t n);

#endif
