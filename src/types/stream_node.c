/*
 * stream_node.c - the nodes of a stream: listpacks in the layout that Redis has in memory and in
 * files.
 *
 *   master entry  count  deleted  n  field * n  0
 *   entry         flags  ms  seq  value * n  elements                   (flags has
 * ENTRY_SAME_FIELDS) entry         flags  ms  seq  m  (field value) * m  elements        (it has
 * not)
 *   ...
 *
 *   count     entries that are not marked      deleted   entries that are
 *   n         fields of the master entry       ms, seq   differences to the node's ID
 *   elements  elements of this entry before this one: so entries are read backwards too
 *
 * The master entry holds the fields of the first entry; entries with exactly these fields, the
 * usual ones, do not repeat them.
 *
 * Invariants
 *  1. Marking an entry changes no size, so positions stay; the counters before it may change
 * theirs.
 */
#include "types/stream_internal.h"

#define ELEMS_FEW  64 /* elements of an entry that are put together on the stack */
#define ENTRY_HEAD 3  /* flags, ms, seq */
#define PREALLOC   4096

struct stream_limits stream_limits = {.node_max_bytes = 4096, .node_max_entries = 100};

/* ---- the master entry ----------------------------------------------------------------------- */

static struct lp_elem int_elem(int64_t v)
{
    return (struct lp_elem){NULL, 0, v};
}

static struct lp_elem string_elem(struct slice s)
{
    return (struct lp_elem){s.n ? s.p : "", s.n, 0};
}

static int64_t int_at(const lp *l, size_t pos)
{
    return lp_get(l, pos).i;
}

static uint64_t deleted_count(const lp *l)
{
    return (uint64_t)int_at(l, lp_next(l, lp_first(l)));
}

uint64_t stream_node_count(const struct stream_node *node)
{
    return (uint64_t)int_at(node->l, lp_first(node->l));
}

lp *stream__node_new(const struct slice *args, size_t n, size_t hint)
{
    lp *l = lp_new(MIN(hint, (size_t)PREALLOC));
    const struct lp_elem head[] = {int_elem(0), int_elem(0), int_elem((int64_t)n)};
    const struct lp_elem end = int_elem(0);
    l = lp_append_all(l, head, 3);
    for (size_t i = 0; i < n; i++) {
        struct lp_elem field = string_elem(args[2 * i]);
        l = lp_append_all(l, &field, 1);
    }
    return lp_append_all(l, &end, 1);
}

void stream__node_count_deleted(struct stream_node *node, uint64_t deleted)
{
    size_t pos = lp_first(node->l);
    node->l = lp_replace_int(node->l, &pos, (int64_t)(stream_node_count(node) - deleted));
    uint64_t marked = deleted_count(node->l) + deleted;
    pos = lp_next(node->l, pos);
    node->l = lp_replace_int(node->l, &pos, (int64_t)marked);
}

static size_t max_bytes(void)
{
    size_t max = stream_limits.node_max_bytes;
    return max == 0 || max > LP_MAX_BYTES ? LP_MAX_BYTES : max;
}

bool stream__node_full(const struct stream_node *node, size_t bytes)
{
    if (lp_bytes(node->l) + bytes >= max_bytes()) return true;
    if (stream_limits.node_max_entries == 0) return false;
    return stream_node_count(node) + deleted_count(node->l) >= stream_limits.node_max_entries;
}

/* ---- adding an entry ------------------------------------------------------------------------ */

static bool has_master_fields(const lp *l, const struct slice *args, size_t n)
{
    size_t pos = lp_seek(l, 2);
    if ((size_t)int_at(l, pos) != n) return false;
    for (size_t i = 0; i < n; i++) {
        pos = lp_next(l, pos);
        if (!lp_equals(l, pos, args[2 * i])) return false;
    }
    return true;
}

/* The elements of an entry; returns how many. */
static size_t put_elems(struct lp_elem *out, struct stream_id delta, const struct slice *args,
                        size_t n, bool same)
{
    size_t k = ENTRY_HEAD;
    out[0] = int_elem(same ? ENTRY_SAME_FIELDS : 0);
    out[1] = int_elem((int64_t)delta.ms);
    out[2] = int_elem((int64_t)delta.seq);
    if (!same) out[k++] = int_elem((int64_t)n);
    for (size_t i = 0; i < n; i++) {
        if (!same) out[k++] = string_elem(args[2 * i]);
        out[k++] = string_elem(args[2 * i + 1]);
    }
    out[k] = int_elem((int64_t)k);
    return k + 1;
}

void stream__node_append(struct stream_node *node, struct stream_id id, const struct slice *args,
                         size_t n)
{
    struct lp_elem few[ELEMS_FEW], *elems = few;
    struct stream_id delta = {id.ms - node->id.ms, id.seq - node->id.seq};
    size_t most = 2 * n + ENTRY_HEAD + 2, pos = lp_first(node->l);
    if (most > ELEMS_FEW) elems = mem_alloc(most * sizeof *elems);
    node->l = lp_replace_int(node->l, &pos, int_at(node->l, pos) + 1);
    size_t k = put_elems(elems, delta, args, n, has_master_fields(node->l, args, n));
    node->l = lp_append_all(node->l, elems, k);
    if (elems != few) mem_free(elems);
}

void stream__node_mark(struct stream_node *node, size_t pos)
{
    node->l = lp_replace_int(node->l, &pos, int_at(node->l, pos) | ENTRY_DELETED);
}

/* ---- iteration ------------------------------------------------------------------------------ */

static size_t skip(const lp *l, size_t pos, size_t n)
{
    while (n-- > 0)
        pos = lp_next(l, pos);
    return pos;
}

static void enter(struct stream_iter *it, const struct stream_node *node)
{
    it->node = node;
    if (!node) return;
    const lp *l = node->l;
    size_t pos = lp_seek(l, 2);
    it->master_fields = (size_t)int_at(l, pos);
    it->master_at = lp_next(l, pos);
    it->first = lp_next(l, skip(l, it->master_at, it->master_fields));
    it->entry = LP_NONE;
    it->ahead = it->rev && it->first != LP_NONE ? lp_last(l) : it->first;
}

/* At the entry whose flags are at pos: its ID, and its fields to come. Returns the flags. */
static int64_t read_entry(struct stream_iter *it, size_t pos)
{
    const lp *l = it->node->l;
    int64_t flags = int_at(l, pos);
    it->entry = pos;
    pos = lp_next(l, pos);
    it->id.ms = it->node->id.ms + (uint64_t)int_at(l, pos);
    pos = lp_next(l, pos);
    it->id.seq = it->node->id.seq + (uint64_t)int_at(l, pos);
    pos = lp_next(l, pos);
    it->same_fields = flags & ENTRY_SAME_FIELDS;
    it->fields = it->master_fields;
    if (!it->same_fields) {
        it->fields = (size_t)int_at(l, pos);
        pos = lp_next(l, pos);
    }
    it->cursor = pos;
    it->master = it->master_at;
    it->left = it->fields;
    return flags;
}

/* Where the entry behind the one it is at begins. */
static size_t behind(const struct stream_iter *it)
{
    const lp *l = it->node->l;
    size_t elements = skip(l, it->cursor, it->same_fields ? it->left : 2 * it->left);
    return lp_next(l, elements);
}

/* Reads the next entry of the node, marked or not, into *flags. False: there is none. */
static bool step_in_node(struct stream_iter *it, int64_t *flags)
{
    const lp *l = it->node->l;
    if (!it->rev && it->entry != LP_NONE) it->ahead = behind(it);
    if (it->ahead == LP_NONE) return false;
    if (!it->rev) {
        *flags = read_entry(it, it->ahead);
        return true;
    }
    size_t pos = it->ahead;
    for (int64_t n = int_at(l, pos); n > 0; n--)
        pos = lp_prev(l, pos);
    it->ahead = pos == it->first ? LP_NONE : lp_prev(l, pos);
    *flags = read_entry(it, pos);
    return true;
}

void stream_iter_start(struct stream_iter *it, const struct stream *s, struct stream_id start,
                       struct stream_id end, bool rev)
{
    it->s = s;
    it->start = start;
    it->end = end;
    it->rev = rev;
    const struct stream_node *node = idmap_le(&s->nodes, rev ? end : start, &it->pos);
    if (!node && !rev) node = idmap_first(&s->nodes, &it->pos);
    enter(it, node);
}

/* -1: not yet in the range, 1: beyond it. */
static int out_of_range(const struct stream_iter *it)
{
    if (stream_id_cmp(it->id, it->start) < 0) return it->rev ? 1 : -1;
    if (stream_id_cmp(it->id, it->end) > 0) return it->rev ? -1 : 1;
    return 0;
}

bool stream_iter_next(struct stream_iter *it)
{
    const struct idmap *nodes = &it->s->nodes;
    while (it->node) {
        int64_t flags;
        while (step_in_node(it, &flags)) {
            int out = out_of_range(it);
            if (out == 0 && !(flags & ENTRY_DELETED)) return true;
            if (out > 0) {
                it->node = NULL;
                return false;
            }
        }
        enter(it, it->rev ? idmap_prev(nodes, &it->pos) : idmap_next(nodes, &it->pos));
    }
    return false;
}

void stream_iter_field(struct stream_iter *it, struct slice *field, struct slice *value)
{
    const lp *l = it->node->l;
    size_t *name = it->same_fields ? &it->master : &it->cursor;
    assert(it->left > 0);
    it->left--;
    *field = lp_slice(l, *name, it->tmp[0]);
    *name = lp_next(l, *name);
    *value = lp_slice(l, it->cursor, it->tmp[1]);
    it->cursor = lp_next(l, it->cursor);
}

/* ---- from outside --------------------------------------------------------------------------- */

/* A walk over a listpack that may hold anything. */
struct check {
    const lp *l;
    size_t pos;
};

static bool take_int(struct check *c, int64_t *v)
{
    if (c->pos == LP_NONE) return false;
    struct lp_elem e = lp_get(c->l, c->pos);
    c->pos = lp_next(c->l, c->pos);
    *v = e.i;
    return !e.p;
}

static bool take(struct check *c, int64_t n)
{
    for (; n > 0 && c->pos != LP_NONE; n--)
        c->pos = lp_next(c->l, c->pos);
    return n == 0;
}

/* An entry; *marked: it is deleted. */
static bool take_entry(struct check *c, int64_t master_fields, bool *marked)
{
    int64_t flags, ms, seq, n = master_fields, elements, want = ENTRY_HEAD + n;
    if (!take_int(c, &flags) || !take_int(c, &ms) || !take_int(c, &seq)) return false;
    if (flags & ENTRY_SAME_FIELDS) {
        if (!take(c, n)) return false;
    } else {
        if (!take_int(c, &n) || n < 0 || n > INT32_MAX || !take(c, 2 * n)) return false;
        want = ENTRY_HEAD + 1 + 2 * n;
    }
    *marked = flags & ENTRY_DELETED;
    return take_int(c, &elements) && elements == want;
}

bool stream_node_valid(const lp *l)
{
    struct check c = {l, lp_first(l)};
    int64_t count, deleted, fields, zero;
    if (!take_int(&c, &count) || !take_int(&c, &deleted) || !take_int(&c, &fields)) return false;
    if (count < 0 || deleted < 0 || fields < 0 || fields > INT32_MAX) return false;
    if (!take(&c, fields) || !take_int(&c, &zero) || zero != 0) return false;
    while (c.pos != LP_NONE) {
        bool marked;
        if (!take_entry(&c, fields, &marked)) return false;
        if (marked ? deleted-- == 0 : count-- == 0) return false;
    }
    return count == 0 && deleted == 0;
}
