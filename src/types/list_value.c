/*
 * list_value.c - lists in either encoding, and the change from one to the other.
 *
 *                  list_before_add: the elements would exceed list-max-listpack-size
 *   ENC_LISTPACK  ------------------------------------------------------------------->
 * ENC_QUICKLIST
 *                 <-------------------------------------------------------------------
 *                  list_after_remove: one node is left, of at most half that size
 *
 * Invariants
 *  1. The encoding changes in those two places only, so an iterator stays valid while elements
 * change.
 *  2. An iterator's position is in the listpack (of the node); it outlives that node's being closed
 *     and opened again, so it is looked up through qnode_read() each time.
 */
#include "types/quicklist.h"
#include "types/types_internal.h"

struct list_limits list_limits = {.max_listpack_size = -2};

static inline bool is_lp(const struct entry *e)
{
    return LIKELY(e->enc == ENC_LISTPACK);
}

/* ---- the whole ------------------------------------------------------------------------------ */

void *list_new(void)
{
    return lp_new(0);
}

void list_free(struct entry *e)
{
    if (is_lp(e)) {
        lp_free(e->v.ptr);
    } else {
        quicklist_free(e->v.ptr);
    }
}

void *list_dup(const struct entry *e)
{
    return is_lp(e) ? (void *)lp_dup(e->v.ptr) : quicklist_dup(e->v.ptr);
}

size_t list_len(const struct entry *e)
{
    return is_lp(e) ? lp_count(e->v.ptr) : ((const struct quicklist *)e->v.ptr)->count;
}

size_t list_free_effort(const struct entry *e)
{
    return is_lp(e) ? 1 : ((const struct quicklist *)e->v.ptr)->nodes;
}

bool list_shape(const struct entry *e, struct list_shape *shape)
{
    if (is_lp(e)) return false;
    const struct quicklist *q = e->v.ptr;
    *shape = (struct list_shape){q->nodes, 0, q->fill, q->depth};
    for (const struct qnode *node = q->head; node; node = node->next)
        shape->bytes += node->size;
    return true;
}

size_t list_memory(const struct entry *e, size_t samples)
{
    return is_lp(e) ? mem_usable(e->v.ptr) : quicklist_memory(e->v.ptr, samples);
}

const struct type_ops list_ops = {list_free, list_dup, list_memory, list_free_effort};

/* ---- conversions ---------------------------------------------------------------------------- */

static void to_quicklist(struct entry *e)
{
    struct quicklist *q = quicklist_new(list_limits.max_listpack_size, list_limits.compress_depth);
    quicklist_append_lp(q, e->v.ptr);
    e->v.ptr = q;
    e->enc = ENC_QUICKLIST;
}

void list_before_add(struct entry *e, const struct slice *elems, size_t n)
{
    if (!is_lp(e)) return;
    const lp *l = e->v.ptr;
    size_t bytes = lp_bytes(l);
    for (size_t i = 0; i < n; i++)
        bytes += elems[i].n;
    if (quicklist_exceeds(list_limits.max_listpack_size, bytes, lp_count(l) + n)) to_quicklist(e);
}

void list_after_remove(struct entry *e)
{
    if (is_lp(e)) return;
    struct quicklist *q = e->v.ptr;
    size_t bytes, count;
    if (q->nodes != 1 || q->head->plain) return;
    quicklist_limits(list_limits.max_listpack_size, &bytes, &count);
    if (q->head->size > bytes / 2 || q->count > count / 2) return;
    e->v.ptr = quicklist_take_lp(q);
    e->enc = ENC_LISTPACK;
}

/* ---- the ends ------------------------------------------------------------------------------- */

void list_push(struct entry *e, enum list_end end, struct slice elem)
{
    if (is_lp(e)) {
        e->v.ptr = end == LIST_HEAD ? lp_prepend(e->v.ptr, elem) : lp_append(e->v.ptr, elem);
    } else {
        quicklist_push(e->v.ptr, end, elem);
    }
}

bool list_pop(struct entry *e, enum list_end end, struct buf *out)
{
    char tmp[NUM_I64_MAX];
    buf_clear(out);
    if (!is_lp(e)) return quicklist_pop(e->v.ptr, end, out);
    lp *l = e->v.ptr;
    size_t pos = end == LIST_HEAD ? lp_first(l) : lp_last(l);
    if (pos == LP_NONE) return false;
    struct slice s = lp_slice(l, pos, tmp);
    buf_add(out, s.p, s.n);
    e->v.ptr = lp_delete(l, &pos);
    return true;
}

/* ---- iteration ------------------------------------------------------------------------------ */

/* The listpack that it is in; NULL: at a plain node. */
static inline const lp *listpack_at(const struct list_iter *it)
{
    struct qnode *node = it->node;
    if (!node) return it->e->v.ptr;
    const void *data = qnode_read(it->e->v.ptr, node);
    return UNLIKELY(node->plain) ? NULL : data;
}

static struct slice plain_at(const struct list_iter *it)
{
    const struct qnode *node = it->node;
    return slice_of(node->data, node->size);
}

bool list_seek(struct entry *e, int64_t index, bool backwards, struct list_iter *it)
{
    *it = (struct list_iter){.e = e, .index = index, .backwards = backwards};
    if (index < 0) it->index += (int64_t)list_len(e);
    if (is_lp(e)) {
        it->pos = lp_seek(e->v.ptr, index);
        return it->pos != LP_NONE;
    }
    size_t at;
    it->node = quicklist_find(e->v.ptr, index, &at);
    if (!it->node) return false;
    const lp *l = listpack_at(it);
    if (l) it->pos = lp_seek(l, (int64_t)at);
    return true;
}

struct slice list_at(struct list_iter *it)
{
    const lp *l = listpack_at(it);
    return LIKELY(l) ? lp_slice(l, it->pos, it->tmp) : plain_at(it);
}

bool list_equals(struct list_iter *it, struct slice s)
{
    const lp *l = listpack_at(it);
    return LIKELY(l) ? lp_equals(l, it->pos, s) : slice_eq(plain_at(it), s);
}

/* At the element of the node that the iteration meets first; no node: it is over. */
static bool enter(struct list_iter *it, struct qnode *node)
{
    it->node = node;
    it->pos = LP_NONE;
    if (!node) return false;
    const lp *l = listpack_at(it);
    if (l) it->pos = it->backwards ? lp_last(l) : lp_first(l);
    return true;
}

bool list_step(struct list_iter *it)
{
    const lp *l = listpack_at(it);
    const struct qnode *node = it->node;
    it->index += it->backwards ? -1 : 1;
    if (LIKELY(l)) {
        it->pos = it->backwards ? lp_prev(l, it->pos) : lp_next(l, it->pos);
        if (LIKELY(it->pos != LP_NONE)) return true;
        if (!node) return false;
    }
    return enter(it, it->backwards ? node->prev : node->next);
}

/* ---- changing at an iterator ---------------------------------------------------------------- */

void list_insert(struct list_iter *it, struct slice elem, bool after)
{
    struct entry *e = it->e;
    if (is_lp(e)) {
        e->v.ptr = lp_insert(e->v.ptr, it->pos, elem, after, NULL);
    } else {
        quicklist_insert(e->v.ptr, it->node, it->pos, elem, after);
    }
}

void list_replace(struct list_iter *it, struct slice elem)
{
    struct entry *e = it->e;
    if (is_lp(e)) {
        e->v.ptr = lp_replace(e->v.ptr, &it->pos, elem);
    } else {
        quicklist_replace(e->v.ptr, it->node, it->pos, elem);
    }
}

static bool erase_in_lp(struct list_iter *it)
{
    lp *l = it->e->v.ptr;
    size_t before = lp_prev(l, it->pos);
    it->e->v.ptr = lp_delete(l, &it->pos);
    if (it->backwards) it->pos = before;
    return it->pos != LP_NONE;
}

static bool erase_in_node(struct list_iter *it)
{
    struct qnode *node = it->node, *other = it->backwards ? node->prev : node->next;
    const lp *l = listpack_at(it);
    size_t before = l && it->backwards ? lp_prev(l, it->pos) : LP_NONE;
    bool stays = quicklist_erase(it->e->v.ptr, node, &it->pos);
    if (it->backwards) it->pos = before;
    return (stays && it->pos != LP_NONE) || enter(it, other);
}

bool list_erase(struct list_iter *it)
{
    if (it->backwards) it->index--;
    return is_lp(it->e) ? erase_in_lp(it) : erase_in_node(it);
}

void list_erase_range(struct entry *e, int64_t start, size_t n)
{
    if (is_lp(e)) {
        e->v.ptr = lp_delete_range(e->v.ptr, start, n);
    } else {
        quicklist_erase_range(e->v.ptr, start, n);
    }
}

/* ---- whole nodes ---------------------------------------------------------------------------- */

size_t list_nodes(const struct entry *e)
{
    return is_lp(e) ? 1 : ((const struct quicklist *)e->v.ptr)->nodes;
}

static bool view_lp(const struct entry *e, struct list_node_view *view)
{
    if (view->node) return false;
    *view = (struct list_node_view){.data = e->v.ptr, .size = lp_bytes(e->v.ptr)};
    view->node = e->v.ptr;
    return true;
}

bool list_next_node(const struct entry *e, struct list_node_view *view)
{
    if (is_lp(e)) return view_lp(e, view);
    const struct qnode *at = view->node, *node;
    node = at ? at->next : ((const struct quicklist *)e->v.ptr)->head;
    if (!node) return false;
    *view = (struct list_node_view){.data = node->data, .size = node->size, .plain = node->plain};
    if (node->packed) view->packed = slice_of(node->packed->bytes, node->packed->n);
    view->node = node;
    return true;
}

void list_append_lp(struct entry *e, lp *l)
{
    if (is_lp(e)) to_quicklist(e);
    quicklist_append_lp(e->v.ptr, l);
}

void list_append_plain(struct entry *e, void *bytes, size_t n)
{
    if (is_lp(e)) to_quicklist(e);
    quicklist_append_plain(e->v.ptr, bytes, n);
}

void list_after_append(struct entry *e)
{
    if (is_lp(e)) return;
    struct quicklist *q = e->v.ptr;
    if (q->nodes != 1 || q->head->plain) return;
    if (quicklist_exceeds(list_limits.max_listpack_size, q->head->size, q->count)) return;
    e->v.ptr = quicklist_take_lp(q);
    e->enc = ENC_LISTPACK;
}
