/*
 * quicklist.c - nodes, their compression, and the changes that keep them within their limits.
 *
 * A node is changed between node_write() and node_written(): the first opens it and drops its
 * compressed form, the second brings its size and count up to date. Whoever links or unlinks nodes
 * calls settle() at the end, which opens what came into the outer nodes and compresses what left
 * them.
 *
 * Which elements share a node is as in Redis, so that a list which is built by the same commands
 * has the same nodes: an element goes into the node at hand if it fits, else into its neighbour
 * there, else into a node of its own; in the middle the node is split, and afterwards neighbours
 * that fit into one are merged.
 */
#include "types/quicklist.h"

#include "types/lzf.h"
#include "types/types_internal.h"

#define SAFE_BYTES    8192 /* a listpack limited by its count is at most that long */
#define ELEM_OVERHEAD 8    /* what an element is assumed to take beside its bytes */
#define LP_FRAME      7    /* bytes of an empty listpack */
#define PACK_MIN      48   /* shorter nodes are not compressed */
#define PACK_GAIN     8    /* nor when it saves less */
#define PUSHED_MAX    2    /* nodes that one change makes inner ones, from either end */

/* ---- limits --------------------------------------------------------------------------------- */

void quicklist_limits(int fill, size_t *bytes, size_t *count)
{
    *bytes = *count = SIZE_MAX;
    if (fill >= 0) {
        *count = MAX(fill, 1);
    } else {
        *bytes = (size_t)4096 << (MIN(-fill, 5) - 1);
    }
}

bool quicklist_exceeds(int fill, size_t bytes, size_t count)
{
    size_t max_bytes, max_count;
    quicklist_limits(fill, &max_bytes, &max_count);
    if (fill < 0) return bytes > max_bytes;
    return bytes > SAFE_BYTES || count > max_count;
}

/* Does an element of n bytes get a plain node? */
static bool huge(const struct quicklist *q, size_t n)
{
    size_t max_bytes, max_count;
    if (UNLIKELY(list_limits.packed_threshold != 0)) return n >= list_limits.packed_threshold;
    if (LIKELY(n <= 4096)) return false;
    quicklist_limits(q->fill, &max_bytes, &max_count);
    return n > (q->fill < 0 ? max_bytes : SAFE_BYTES);
}

static bool takes(const struct quicklist *q, const struct qnode *node, size_t n)
{
    if (!node || node->plain || huge(q, n)) return false;
    return !quicklist_exceeds(q->fill, node->size + n + ELEM_OVERHEAD, node->count + (size_t)1);
}

static bool fit_together(const struct quicklist *q, const struct qnode *a, const struct qnode *b)
{
    if (!a || !b || a->plain || b->plain) return false;
    return !quicklist_exceeds(q->fill, a->size + b->size - LP_FRAME, (size_t)a->count + b->count);
}

/* ---- compression ---------------------------------------------------------------------------- */

/* Is node further than depth nodes from both ends? */
static bool inner(const struct quicklist *q, const struct qnode *node)
{
    const struct qnode *left = node, *right = node;
    if (q->depth == 0) return false;
    for (int i = 0; i < q->depth; i++) {
        left = left->prev;
        right = right->next;
        if (!left || !right) return false;
    }
    return true;
}

static void drop_packed(struct qnode *node)
{
    mem_free(node->packed);
    node->packed = NULL;
}

static void unpack(struct qnode *node)
{
    node->data = mem_alloc(node->size);
    if (!lzf_decompress(node->packed->bytes, node->packed->n, node->data, node->size))
        panic("a compressed list node does not decompress");
}

/* Compresses node, if that pays; it keeps its data otherwise. */
static void pack(struct qnode *node)
{
    if (!node->data) return;
    if (!node->packed) {
        if (node->size < PACK_MIN) return;
        size_t cap = node->size - PACK_GAIN - 1;
        struct qpacked *packed = mem_alloc(sizeof *packed + cap);
        packed->n = (uint32_t)lzf_compress(node->data, node->size, packed->bytes, cap);
        if (packed->n == 0) {
            mem_free(packed);
            return;
        }
        node->packed = mem_realloc(packed, sizeof *packed + packed->n);
    }
    mem_free(node->data);
    node->data = NULL;
}

/* An outer node has its data and nothing else. */
static void expose(struct quicklist *q, struct qnode *node)
{
    if (!node->data) unpack(node);
    if (node->packed) drop_packed(node);
    if (q->open == node) q->open = NULL;
}

static void close_open(struct quicklist *q)
{
    struct qnode *node = q->open;
    q->open = NULL;
    if (node && inner(q, node)) pack(node);
}

static void open_node(struct quicklist *q, struct qnode *node)
{
    if (q->open == node) return;
    close_open(q);
    if (!node->data) unpack(node);
    if (inner(q, node)) q->open = node;
}

const void *qnode_read(struct quicklist *q, struct qnode *node)
{
    if (UNLIKELY(!node->data)) open_node(q, node);
    return node->data;
}

static inline lp *node_write(struct quicklist *q, struct qnode *node)
{
    if (UNLIKELY(q->depth != 0)) {
        open_node(q, node);
        drop_packed(node);
    }
    return node->data;
}

static inline void node_written(struct qnode *node, lp *l)
{
    node->data = l;
    node->size = lp_bytes(l);
}

/* After nodes were linked or unlinked at the ends. */
static void settle(struct quicklist *q)
{
    struct qnode *left = q->head, *right = q->tail;
    if (LIKELY(q->depth == 0)) return;
    for (int i = 0; i < q->depth && left; i++) {
        expose(q, left);
        expose(q, right);
        left = left->next;
        right = right->prev;
    }
    for (int i = 0; i < PUSHED_MAX && left; i++) {
        if (left != q->open && inner(q, left)) pack(left);
        if (right != q->open && inner(q, right)) pack(right);
        left = left->next;
        right = right->prev;
    }
}

/* The same for a node in the middle and its neighbours. */
static void settle_near(struct quicklist *q, struct qnode *node)
{
    if (LIKELY(q->depth == 0)) return;
    close_open(q);
    struct qnode *near[] = {node->prev, node, node->next};
    for (size_t i = 0; i < ARRAY_LEN(near); i++) {
        if (near[i] && inner(q, near[i])) pack(near[i]);
    }
    settle(q);
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static struct qnode *node_new(void *data, size_t size, size_t count, bool plain)
{
    struct qnode *node = mem_alloc(sizeof *node);
    *node = (struct qnode){.data = data, .size = size, .count = (uint32_t)count, .plain = plain};
    return node;
}

static struct qnode *node_of_lp(lp *l)
{
    return node_new(l, lp_bytes(l), lp_count(l), false);
}

static struct qnode *node_of(const struct quicklist *q, struct slice s)
{
    if (UNLIKELY(huge(q, s.n))) return node_new(mem_dup(s.p, s.n), s.n, 1, true);
    return node_of_lp(lp_append(lp_new(LP_FRAME + s.n + ELEM_OVERHEAD), s));
}

/* Behind `at`; NULL: at the head. */
static void link_after(struct quicklist *q, struct qnode *at, struct qnode *node)
{
    node->prev = at;
    node->next = at ? at->next : q->head;
    *(node->prev ? &node->prev->next : &q->head) = node;
    *(node->next ? &node->next->prev : &q->tail) = node;
    q->nodes++;
}

static void node_free(struct qnode *node)
{
    mem_free(node->data);
    mem_free(node->packed);
    mem_free_sized(node, sizeof *node);
}

static void unlink_node(struct quicklist *q, struct qnode *node)
{
    *(node->prev ? &node->prev->next : &q->head) = node->next;
    *(node->next ? &node->next->prev : &q->tail) = node->prev;
    if (q->open == node) q->open = NULL;
    q->nodes--;
    node_free(node);
}

/* ---- the whole ------------------------------------------------------------------------------ */

struct quicklist *quicklist_new(int fill, int depth)
{
    struct quicklist *q = mem_calloc(sizeof *q);
    q->fill = fill;
    q->depth = depth;
    return q;
}

void quicklist_free(struct quicklist *q)
{
    for (struct qnode *node = q->head, *next; node; node = next) {
        next = node->next;
        if (next) __builtin_prefetch(next);
        node_free(node);
    }
    mem_free(q);
}

struct quicklist *quicklist_dup(const struct quicklist *q)
{
    struct quicklist *copy = quicklist_new(q->fill, q->depth);
    for (const struct qnode *node = q->head; node; node = node->next) {
        bool packed = node->packed != NULL;
        struct qnode *n = node_new(NULL, node->size, node->count, node->plain);
        if (packed) {
            n->packed = mem_dup(node->packed, sizeof *n->packed + node->packed->n);
        } else {
            n->data = mem_dup(node->data, node->size);
        }
        link_after(copy, copy->tail, n);
        if (node == q->open && n->data) copy->open = n;
    }
    copy->count = q->count;
    return copy;
}

size_t quicklist_memory(const struct quicklist *q, size_t samples)
{
    size_t bytes = 0, seen = 0;
    for (struct qnode *node = q->head; node && (samples == 0 || seen < samples); seen++) {
        bytes += mem_usable(node);
        if (node->data) bytes += mem_usable(node->data);
        if (node->packed) bytes += mem_usable(node->packed);
        node = node->next;
    }
    if (seen < q->nodes) bytes = (size_t)((double)bytes / (double)seen * (double)q->nodes);
    return mem_usable(q) + bytes;
}

void quicklist_append_lp(struct quicklist *q, lp *l)
{
    struct qnode *node = node_of_lp(l);
    if (node->count == 0) {
        node_free(node);
        return;
    }
    link_after(q, q->tail, node);
    q->count += node->count;
    settle(q);
}

void quicklist_append_plain(struct quicklist *q, void *bytes, size_t n)
{
    link_after(q, q->tail, node_new(bytes, n, 1, true));
    q->count++;
    settle(q);
}

lp *quicklist_take_lp(struct quicklist *q)
{
    struct qnode *node = q->head;
    assert(q->nodes == 1 && !node->plain);
    expose(q, node);
    lp *l = node->data;
    node->data = NULL;
    quicklist_free(q);
    return l;
}

/* ---- at the ends ---------------------------------------------------------------------------- */

static void push_node(struct quicklist *q, enum list_end end, struct slice s)
{
    link_after(q, end == LIST_HEAD ? NULL : q->tail, node_of(q, s));
    settle(q);
}

static void add_at_end(struct quicklist *q, struct qnode *node, enum list_end end, struct slice s)
{
    lp *l = node_write(q, node);
    node_written(node, end == LIST_HEAD ? lp_prepend(l, s) : lp_append(l, s));
    node->count++;
}

void quicklist_push(struct quicklist *q, enum list_end end, struct slice s)
{
    struct qnode *node = end == LIST_HEAD ? q->head : q->tail;
    if (LIKELY(takes(q, node, s.n))) {
        add_at_end(q, node, end, s);
    } else {
        push_node(q, end, s);
    }
    q->count++;
}

static void remove_node(struct quicklist *q, struct qnode *node)
{
    q->count -= node->count;
    unlink_node(q, node);
    settle(q);
}

bool quicklist_pop(struct quicklist *q, enum list_end end, struct buf *out)
{
    struct qnode *node = end == LIST_HEAD ? q->head : q->tail;
    char tmp[NUM_I64_MAX];
    if (!node) return false;
    if (UNLIKELY(node->plain)) {
        buf_add(out, node->data, node->size);
        remove_node(q, node);
        return true;
    }
    lp *l = node->data;
    size_t pos = end == LIST_HEAD ? lp_first(l) : lp_last(l);
    struct slice s = lp_slice(l, pos, tmp);
    buf_add(out, s.p, s.n);
    if (node->count == 1) {
        remove_node(q, node);
        return true;
    }
    node_written(node, lp_delete(l, &pos));
    node->count--;
    q->count--;
    return true;
}

/* ---- finding -------------------------------------------------------------------------------- */

struct qnode *quicklist_find(const struct quicklist *q, int64_t index, size_t *in_node)
{
    if (index < 0) index += (int64_t)q->count;
    if (index < 0 || (uint64_t)index >= q->count) return NULL;
    struct qnode *node;
    size_t left = (size_t)index, behind = q->count - left; /* elements from this one to the tail */
    if (left < behind) {
        for (node = q->head; left >= node->count; node = node->next)
            left -= node->count;
        *in_node = left;
    } else {
        for (node = q->tail; behind > node->count; node = node->prev)
            behind -= node->count;
        *in_node = node->count - behind;
    }
    return node;
}

/* ---- in the middle -------------------------------------------------------------------------- */

/* The elements from pos on (some, not all) go to a new node behind node. */
static void split(struct quicklist *q, struct qnode *node, size_t pos)
{
    lp *l = node_write(q, node);
    size_t at = 0;
    for (size_t p = pos; (p = lp_prev(l, p)) != LP_NONE;)
        at++;
    struct qnode *rest = node_of_lp(lp_split(&l, at));
    node_written(node, l);
    node->count = (uint32_t)at;
    link_after(q, node, rest);
}

/* b's elements go behind a's: a. */
static struct qnode *merge(struct quicklist *q, struct qnode *a, struct qnode *b)
{
    open_node(q, b);
    lp *more = b->data;
    b->data = NULL;
    if (q->open == b) q->open = NULL;
    a->count += b->count;
    unlink_node(q, b);
    node_written(a, lp_merge(node_write(q, a), more));
    return a;
}

/* Merges the nodes around `node` as far as they fit; returns the node that has its elements. */
static struct qnode *merge_around(struct quicklist *q, struct qnode *node)
{
    struct qnode *prev = node->prev, *next = node->next;
    if (prev && fit_together(q, prev->prev, prev)) merge(q, prev->prev, prev);
    if (next && fit_together(q, next, next->next)) merge(q, next, next->next);
    if (fit_together(q, node->prev, node)) node = merge(q, node->prev, node);
    if (fit_together(q, node, node->next)) node = merge(q, node, node->next);
    return node;
}

/* Into a node that has no room: beside it, or where `divide` (not LP_NONE) divides it. */
static void insert_apart(struct quicklist *q, struct qnode *node, size_t divide, struct slice s,
                         bool behind)
{
    if (divide != LP_NONE) split(q, node, divide);
    struct qnode *own = node_of(q, s);
    link_after(q, behind ? node : node->prev, own);
    if (divide != LP_NONE) own = merge_around(q, own);
    settle_near(q, own);
}

static void insert_into(struct quicklist *q, struct qnode *node, size_t pos, struct slice s,
                        bool after)
{
    lp *l = node_write(q, node);
    node_written(node, lp_insert(l, pos, s, after, NULL));
    node->count++;
}

/* Where an insertion at pos divides the node's elements; LP_NONE: it is at one of its ends. */
static size_t divides(struct quicklist *q, struct qnode *node, size_t pos, bool after)
{
    if (node->plain) return LP_NONE;
    const lp *l = qnode_read(q, node);
    if (after) return lp_next(l, pos);
    return pos == lp_first(l) ? LP_NONE : pos;
}

void quicklist_insert(struct quicklist *q, struct qnode *node, size_t pos, struct slice s,
                      bool after)
{
    size_t divide = divides(q, node, pos, after);
    bool at_end = divide == LP_NONE;
    q->count++;
    if (takes(q, node, s.n)) {
        insert_into(q, node, pos, s, after);
    } else if (at_end && after && takes(q, node->next, s.n)) {
        add_at_end(q, node->next, LIST_HEAD, s);
    } else if (at_end && !after && takes(q, node->prev, s.n)) {
        add_at_end(q, node->prev, LIST_TAIL, s);
    } else {
        insert_apart(q, node, divide, s, after || !at_end);
    }
}

static void replace_plain(struct quicklist *q, struct qnode *node, struct slice s)
{
    if (!huge(q, s.n)) {
        quicklist_insert(q, node, LP_NONE, s, true);
        remove_node(q, node);
        return;
    }
    void *data = mem_dup(s.p, s.n);
    open_node(q, node);
    drop_packed(node);
    mem_free(node->data);
    node->data = data;
    node->size = s.n;
}

/* An element of a listpack is replaced by a huge one. */
static void replace_by_plain(struct quicklist *q, struct qnode *node, size_t pos, struct slice s)
{
    size_t divide = lp_next(node_write(q, node), pos);
    if (divide != LP_NONE) split(q, node, divide);
    struct qnode *own = node_of(q, s);
    link_after(q, node, own);
    q->count++;
    if (quicklist_erase(q, node, &pos)) own = merge_around(q, own);
    settle_near(q, own);
}

void quicklist_replace(struct quicklist *q, struct qnode *node, size_t pos, struct slice s)
{
    if (node->plain) {
        replace_plain(q, node, s);
        return;
    }
    lp *l = node_write(q, node);
    if (huge(q, s.n) || !lp_safe_to_add(l, lp_elem_bytes(s))) {
        replace_by_plain(q, node, pos, s);
    } else {
        node_written(node, lp_replace(l, &pos, s));
    }
}

bool quicklist_erase(struct quicklist *q, struct qnode *node, size_t *pos)
{
    if (node->count == 1) {
        remove_node(q, node);
        return false;
    }
    node_written(node, lp_delete(node_write(q, node), pos));
    node->count--;
    q->count--;
    return true;
}

static void erase_in_node(struct quicklist *q, struct qnode *node, size_t at, size_t n)
{
    if (n == node->count) {
        remove_node(q, node);
        return;
    }
    node_written(node, lp_delete_range(node_write(q, node), (int64_t)at, n));
    node->count -= (uint32_t)n;
    q->count -= n;
}

void quicklist_erase_range(struct quicklist *q, int64_t start, size_t n)
{
    size_t at;
    struct qnode *node = quicklist_find(q, start, &at);
    while (node && n > 0) {
        struct qnode *next = node->next;
        size_t some = MIN(n, node->count - at);
        erase_in_node(q, node, at, some);
        n -= some;
        at = 0;
        node = next;
    }
}
