/*
 * stream_value.c - streams as a whole: IDs, adding, deleting and trimming entries, and what every
 * type has (types_internal.h). Nodes are in stream_node.c, groups in stream_group.c.
 *
 *   append ----------------------------------------> [node] [node] [node]
 *                                                       ^
 *   trim takes whole nodes from here -------------------+ and marks entries in the first that stays
 *
 * Invariants
 *  1. A node whose last entry was marked is dropped at once.
 *  2. After whatever deletes entries first_id is found anew, if the first one may be gone.
 */
#include "types/stream_internal.h"

#include <stdio.h>

/* ---- IDs ------------------------------------------------------------------------------------ */

size_t stream_id_format(char out[STREAM_ID_TEXT], struct stream_id id)
{
    size_t n = num_fmt_u64(out, id.ms);
    out[n++] = '-';
    return n + num_fmt_u64(out + n, id.seq);
}

bool stream_id_increment(struct stream_id *id)
{
    if (++id->seq != 0) return true;
    return ++id->ms != 0;
}

bool stream_id_decrement(struct stream_id *id)
{
    if (id->seq-- != 0) return true;
    return id->ms-- != 0;
}

struct stream_id stream_id_after(struct stream_id last, int64_t now_ms)
{
    if ((uint64_t)now_ms > last.ms) return (struct stream_id){(uint64_t)now_ms, 0};
    stream_id_increment(&last);
    return last;
}

/* ---- the whole ------------------------------------------------------------------------------ */

struct stream *stream_new(void)
{
    struct stream *s = mem_calloc(sizeof *s);
    idmap_init(&s->nodes, sizeof(struct stream_node));
    return s;
}

struct entry *entry_new_stream(struct slice key)
{
    return entry_new(key, TYPE_STREAM, ENC_STREAM, stream_new(), ENTRY_NO_EXPIRE);
}

void stream_destroy(struct stream *s)
{
    struct idmap_pos pos;
    struct stream_node *node = idmap_first(&s->nodes, &pos);
    for (; node; node = idmap_next(&s->nodes, &pos))
        lp_free(node->l);
    idmap_free(&s->nodes);
    for (uint32_t i = 0; i < s->n_groups; i++)
        stream__group_free(s->groups[i]);
    mem_free(s->groups);
    mem_free(s);
}

static void free_value(struct entry *e)
{
    stream_destroy(stream_of(e));
}

static void *dup_value(const struct entry *e)
{
    const struct stream *from = stream_of(e);
    struct stream *s = mem_dup(from, sizeof *from);
    struct idmap_pos pos;
    idmap_copy(&s->nodes, &from->nodes);
    struct stream_node *node = idmap_first(&s->nodes, &pos);
    for (; node; node = idmap_next(&s->nodes, &pos))
        node->l = lp_dup(node->l);
    s->cap_groups = s->n_groups;
    s->groups = s->n_groups ? mem_alloc(s->n_groups * sizeof(struct stream_group *)) : NULL;
    for (uint32_t i = 0; i < s->n_groups; i++)
        s->groups[i] = stream__group_dup(from->groups[i]);
    return s;
}

/* Bytes of the nodes, of which `samples` (0: all) are looked at. */
static size_t nodes_memory(const struct stream *s, size_t samples)
{
    struct idmap_pos pos;
    size_t sum = 0, seen = 0, n = s->nodes.len;
    const struct stream_node *node = idmap_first(&s->nodes, &pos);
    for (; node && (samples == 0 || seen < samples); node = idmap_next(&s->nodes, &pos), seen++)
        sum += mem_usable(node->l);
    if (seen < n && seen > 0) sum = (size_t)((double)sum / (double)seen * (double)n);
    return sum + idmap_memory(&s->nodes);
}

static size_t value_memory(const struct entry *e, size_t samples)
{
    const struct stream *s = stream_of(e);
    size_t sum = mem_usable(s) + nodes_memory(s, samples);
    if (s->groups) sum += mem_usable(s->groups);
    for (uint32_t i = 0; i < s->n_groups; i++)
        sum += stream__group_memory(s->groups[i]);
    return sum;
}

static size_t free_effort(const struct entry *e)
{
    const struct stream *s = stream_of(e);
    size_t sum = s->nodes.len + s->n_groups;
    for (uint32_t i = 0; i < s->n_groups; i++)
        sum += s->groups[i]->pel.n + 2 * (size_t)s->groups[i]->n_consumers;
    return sum;
}

const struct type_ops stream_ops = {free_value, dup_value, value_memory, free_effort};

/* ---- adding --------------------------------------------------------------------------------- */

static size_t args_bytes(const struct slice *args, size_t n)
{
    size_t sum = 0;
    for (size_t i = 0; i < 2 * n; i++)
        sum += args[i].n;
    return sum;
}

/* A node as large as the one before it became is likely to be needed. */
static struct stream_node *node_begin(struct stream *s, struct stream_node *full,
                                      struct stream_id id, const struct slice *args, size_t n)
{
    bool added;
    size_t hint = 0;
    if (full) {
        full->l = lp_fit(full->l);
        hint = lp_bytes(full->l);
    }
    struct stream_node *node = idmap_add(&s->nodes, id, &added);
    node->l = stream__node_new(args, n, hint);
    return node;
}

void stream_append(struct stream *s, struct stream_id id, const struct slice *args, size_t n)
{
    struct stream_node *node = idmap_last(&s->nodes, NULL);
    assert(stream_id_cmp(id, s->last_id) > 0);
    if (!node || stream__node_full(node, args_bytes(args, n))) {
        node = node_begin(s, node, id, args, n);
    }
    stream__node_append(node, id, args, n);
    s->entries_added++;
    s->last_id = id;
    if (s->length++ == 0) s->first_id = id;
}

/* ---- looking -------------------------------------------------------------------------------- */

bool stream_has(const struct stream *s, struct stream_id id)
{
    struct stream_iter it;
    stream_iter_start(&it, s, id, id, false);
    return stream_iter_next(&it);
}

static struct stream_id edge(const struct stream *s, bool last)
{
    struct stream_iter it;
    stream_iter_start(&it, s, STREAM_ID_MIN, STREAM_ID_MAX, last);
    return stream_iter_next(&it) ? it.id : STREAM_ID_MIN;
}

struct stream_id stream_last_entry(const struct stream *s)
{
    return edge(s, true);
}

/* ---- deleting ------------------------------------------------------------------------------- */

static void drop_node(struct stream *s, struct stream_node *node)
{
    lp_free(node->l);
    idmap_remove(&s->nodes, node->id);
}

/* `n` entries of the node have been marked. */
static void settle(struct stream *s, struct stream_node *node, uint64_t n)
{
    if (n == 0) return;
    s->length -= n;
    if (stream_node_count(node) == n) {
        drop_node(s, node);
    } else {
        stream__node_count_deleted(node, n);
    }
}

bool stream_delete(struct stream *s, struct stream_id id)
{
    struct stream_iter it;
    stream_iter_start(&it, s, id, id, false);
    if (!stream_iter_next(&it)) return false;
    struct stream_node *node = (struct stream_node *)it.node;
    stream__node_mark(node, it.entry);
    settle(s, node, 1);
    if (stream_id_eq(id, s->first_id)) s->first_id = edge(s, false);
    if (stream_id_cmp(id, s->max_deleted_id) > 0) s->max_deleted_id = id;
    return true;
}

/* ---- trimming ------------------------------------------------------------------------------- */

/* Is what a node begins with, and the entry `id` if it is asked for one, old enough to go? */
static bool surplus(const struct stream_trim *t, uint64_t length, struct stream_id id)
{
    return t->by == STREAM_TRIM_MAXLEN ? length > t->maxlen : stream_id_cmp(id, t->minid) < 0;
}

/* The ID of the last entry of a node, marked or not. */
static struct stream_id node_last(const struct stream *s, const struct stream_node *node)
{
    size_t pos = lp_last(node->l);
    struct stream_id id = node->id;
    for (int64_t n = lp_get(node->l, pos).i; n > 0; n--)
        pos = lp_prev(node->l, pos);
    pos = lp_next(node->l, pos);
    id.ms += (uint64_t)lp_get(node->l, pos).i;
    id.seq += (uint64_t)lp_get(node->l, lp_next(node->l, pos)).i;
    return id;
}

/* May all of the node go? */
static bool whole_surplus(const struct stream *s, const struct stream_trim *t,
                          const struct stream_node *node)
{
    uint64_t count = stream_node_count(node);
    if (t->by == STREAM_TRIM_MAXLEN) return s->length - count >= t->maxlen;
    return stream_id_cmp(node_last(s, node), t->minid) < 0;
}

/* Marks entries of the node from its first on, while they are surplus; returns how many. */
static uint64_t trim_in_node(struct stream *s, const struct stream_trim *t,
                             struct stream_node *node)
{
    struct stream_iter it;
    uint64_t n = 0;
    stream_iter_start(&it, s, node->id, STREAM_ID_MAX, false);
    while (stream_iter_next(&it) && it.node == node && surplus(t, s->length - n, it.id)) {
        if (t->refs == STREAM_ACKED && stream_referenced(s, it.id)) continue;
        if (t->refs == STREAM_DELETE_REFS) stream_drop_references(s, it.id);
        stream__node_mark(node, it.entry);
        n++;
    }
    settle(s, node, n);
    return n;
}

static uint64_t trim_node(struct stream *s, const struct stream_trim *t, struct stream_node *node,
                          bool whole)
{
    if (!whole || t->refs != STREAM_KEEP_REFS) return trim_in_node(s, t, node);
    uint64_t count = stream_node_count(node);
    s->length -= count;
    drop_node(s, node);
    return count;
}

/* Is there nothing to be done behind a node that had to stay? Entries that are needed still may
 * keep a stream longer than it should be. */
static bool trimmed(const struct stream *s, const struct stream_trim *t)
{
    return t->refs != STREAM_ACKED || t->by == STREAM_TRIM_MINID || s->length <= t->maxlen;
}

size_t stream_trim(struct stream *s, const struct stream_trim *t)
{
    struct stream_id at = STREAM_ID_MIN;
    struct stream_node *node;
    uint64_t deleted = 0;
    if (t->by == STREAM_TRIM_NONE) return 0;
    while ((node = idmap_ge(&s->nodes, at, NULL)) != NULL) {
        if (t->by == STREAM_TRIM_MAXLEN && s->length <= t->maxlen) break;
        if (t->limit && deleted + stream_node_count(node) > t->limit) break;
        bool whole = whole_surplus(s, t, node);
        if (!whole && t->approx) break;
        at = node->id;
        deleted += trim_node(s, t, node, whole);
        if (!whole && trimmed(s, t)) break;
        if (!stream_id_increment(&at)) break;
    }
    if (deleted) s->first_id = edge(s, false);
    return deleted;
}

/* ---- for codecs ----------------------------------------------------------------------------- */

bool stream_load_node(struct stream *s, struct stream_id id, lp *l)
{
    const struct stream_node *last = idmap_last(&s->nodes, NULL);
    bool added;
    if (lp_first(l) == LP_NONE || (last && stream_id_cmp(id, last->id) <= 0)) return false;
    struct stream_node *node = idmap_add(&s->nodes, id, &added);
    node->l = l;
    return true;
}

static uint64_t count_entries(const struct stream *s)
{
    struct idmap_pos pos;
    uint64_t n = 0;
    const struct stream_node *node = idmap_first(&s->nodes, &pos);
    for (; node; node = idmap_next(&s->nodes, &pos))
        n += stream_node_count(node);
    return n;
}

bool stream_load_done(struct stream *s, uint64_t length, struct stream_id last_id,
                      bool has_counters, struct stream_id first_id, struct stream_id max_deleted_id,
                      uint64_t entries_added)
{
    const struct stream_node *last = idmap_last(&s->nodes, NULL);
    if (count_entries(s) != length) return false;
    if (last && stream_id_cmp(last->id, last_id) > 0) return false;
    s->length = length;
    s->last_id = last_id;
    s->first_id = has_counters ? first_id : edge(s, false);
    s->max_deleted_id = has_counters ? max_deleted_id : STREAM_ID_MIN;
    s->entries_added = has_counters ? entries_added : length;
    return stream_id_cmp(stream_last_entry(s), last_id) <= 0;
}

/* ---- what a radix tree would have ----------------------------------------------------------- */

/* The IDs, big-endian, are the keys. Every key ends in a node of its own; there is a node where
 * keys part, and one for each run of bytes that only one path takes. */

static unsigned byte_of(struct stream_id id, unsigned i)
{
    return (unsigned)((i < 8 ? id.ms : id.seq) >> (56 - 8 * (i % 8))) & 255;
}

/* How many bytes of two different keys are the same at their beginning. */
static int common_bytes(struct stream_id a, struct stream_id b)
{
    int i = 0;
    while (byte_of(a, (unsigned)i) == byte_of(b, (unsigned)i))
        i++;
    return i;
}

/* The forks on the way to the key looked at, by their depth; -1 stands for above the root. */
struct forks {
    int depth[18];
    int n;
    size_t nodes;
};

/* What lies deeper than `depth` is complete, and there is a fork at that depth from now on. */
static void fork_at(struct forks *f, int depth)
{
    while (f->depth[f->n - 1] > depth) {
        int parent = MAX(f->depth[f->n - 2], depth), own = f->depth[--f->n];
        f->nodes += 1 + (own - parent - 1 > 0);
    }
    if (f->depth[f->n - 1] < depth) f->depth[f->n++] = depth;
}

size_t stream_radix_nodes(const struct stream *s)
{
    struct forks f = {.depth = {-1}, .n = 1};
    struct idmap_pos pos;
    const struct stream_node *node = idmap_first(&s->nodes, &pos);
    if (!node) return 1;
    for (int before = -1; node;) {
        struct stream_id id = node->id;
        node = idmap_next(&s->nodes, &pos);
        int behind = node ? common_bytes(id, node->id) : -1;
        f.nodes += 1 + (16 - MAX(before, behind) - 1 > 0);
        fork_at(&f, behind);
        before = behind;
    }
    return f.nodes;
}
