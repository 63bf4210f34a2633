/*
 * list_value.h - the list type: ENC_LISTPACK while it is small (v.ptr is an lp *), ENC_QUICKLIST (a
 * doubly linked list of listpack nodes and of plain nodes for huge elements) when larger.
 * Conversions follow Redis's rules: to a quicklist when list-max-listpack-size is exceeded by an
 * addition, back when one node is left that is below half of the limit.
 */
#ifndef WEFT_TYPES_LIST_VALUE_H
#define WEFT_TYPES_LIST_VALUE_H

#include "base/base.h"

struct entry;

struct list_limits {
    int max_listpack_size;     /* list-max-listpack-size: > 0 elements, -1..-5: 4 .. 64 KB */
    int compress_depth;        /* list-compress-depth */
    size_t packed_threshold;   /* elements of at least this size get a plain node (DEBUG); 0: default */
};
extern struct list_limits list_limits; /* written with all partitions owned only */

enum list_end { LIST_HEAD, LIST_TAIL };

/* A new, empty list's value for entry_new(key, TYPE_LIST, ENC_LISTPACK, list_new(), ...). */
void *list_new(void);
void list_free(struct entry *e);
void *list_dup(const struct entry *e);
size_t list_len(const struct entry *e);
size_t list_free_effort(const struct entry *e); /* nodes */
size_t list_memory(const struct entry *e, size_t samples);

/* How a quicklist is laid out; false: it is none. */
struct list_shape {
    size_t nodes, bytes; /* of elements as they are packed, not compressed */
    int max_listpack_size, compress_depth; /* when it was made */
};
bool list_shape(const struct entry *e, struct list_shape *shape);

/* To be called before elements of these sizes are added, as Redis decides on the whole command at
 * once; and after elements were removed. Only conversions of the encoding happen here. */
void list_before_add(struct entry *e, const struct slice *elems, size_t n);
void list_after_remove(struct entry *e);

void list_push(struct entry *e, enum list_end end, struct slice elem);
/* Pops into *out, which owns its bytes. false: empty. */
bool list_pop(struct entry *e, enum list_end end, struct buf *out);

/* Reading. An iterator is valid until the list changes, but for the functions that take it. */
struct list_iter {
    struct entry *e;
    void *node;      /* quicklist node, NULL with a listpack */
    size_t pos;      /* in the node's listpack */
    int64_t index;   /* of the element, from the head */
    bool backwards;
    char tmp[NUM_I64_MAX];
};
/* At the element of this index (negative: from the tail); false: there is none. */
bool list_seek(struct entry *e, int64_t index, bool backwards, struct list_iter *it);
struct slice list_at(struct list_iter *it); /* valid until the list changes or it is called again */
bool list_equals(struct list_iter *it, struct slice s);
bool list_step(struct list_iter *it); /* false: that was the last */

/* Changing at an iterator. */
void list_insert(struct list_iter *it, struct slice elem, bool after); /* ends the iteration */
void list_replace(struct list_iter *it, struct slice elem);            /* ends the iteration */
/* Deletes the element and moves to the one that the iteration meets next: false: none. */
bool list_erase(struct list_iter *it);
void list_erase_range(struct entry *e, int64_t start, size_t n);

/* ---- whole nodes, as RDB files carry them ------------------------------------------------------ */

struct list_node_view {
    const void *data; /* a listpack, or the bytes of one element when plain; NULL: only packed is there */
    size_t size;      /* bytes of data */
    struct slice packed; /* the same, compressed with LZF; n 0: it is not */
    bool plain;
    const void *node; /* internal */
};
size_t list_nodes(const struct entry *e);
/* The first one (*view zero-initialised) or the next one; false: there is none. */
bool list_next_node(const struct entry *e, struct list_node_view *view);
/* Adds a node at the tail, which takes over a well-formed listpack (an empty one is freed), or the
 * mem_alloc()ed bytes of one element. The list is a quicklist from then on. */
void list_append_lp(struct entry *e, uint8_t *lp);
void list_append_plain(struct entry *e, void *bytes, size_t n);
/* After nodes were added: turns into a listpack what fits into one. */
void list_after_append(struct entry *e);

#endif
