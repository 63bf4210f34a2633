/*
 * stream_group.c - groups, their consumers, and what is pending.
 *
 *   group.pel      {ID, delivered when, how often, consumer}   the one place where this is kept
 *   consumer.pel   {ID}                                        which of them are its own
 *
 * Groups and consumers are few beside entries: arrays of pointers sorted by name.
 *
 * Invariants
 *  1. Both lists change together, in assign and drop only.
 */
#include "types/stream_internal.h"

/* ---- by name -------------------------------------------------------------------------------- */

/* Both kinds of struct are found by their names. */
typedef struct slice name_fn(const void *p);

/* The index of name, or (*found false) where it belongs. */
static uint32_t by_name(void *const *all, uint32_t n, struct slice name, name_fn *name_of,
                        bool *found)
{
    uint32_t lo = 0, hi = n;
    *found = false;
    while (lo < hi && !*found) {
        uint32_t mid = (lo + hi) / 2;
        int c = slice_cmp(name_of(all[mid]), name);
        *found = c == 0;
        if (*found)
            lo = mid;
        else if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void *insert_at(void *all, uint32_t *n, uint32_t *cap, uint32_t at, void *p)
{
    if (*n == *cap) {
        *cap = *cap ? 2 * *cap : 1;
        all = mem_realloc(all, *cap * sizeof(void *));
    }
    void **slot = (void **)all + at;
    memmove(slot + 1, slot, (*n - at) * sizeof *slot);
    *slot = p;
    ++*n;
    return all;
}

static void remove_at(void *all, uint32_t *n, uint32_t at)
{
    void **slot = (void **)all + at;
    --*n;
    memmove(slot, slot + 1, (*n - at) * sizeof *slot);
}

static struct slice group_name(const void *p)
{
    return stream_group_name(p);
}

static struct slice consumer_name(const void *p)
{
    return stream_consumer_name(p);
}

static uint32_t group_index(const struct stream *s, struct slice name, bool *found)
{
    return by_name((void *const *)s->groups, s->n_groups, name, group_name, found);
}

static uint32_t consumer_index(const struct stream_group *g, struct slice name, bool *found)
{
    return by_name((void *const *)g->consumers, g->n_consumers, name, consumer_name, found);
}

/* ---- groups --------------------------------------------------------------------------------- */

struct stream_group *stream_group_find(const struct stream *s, struct slice name)
{
    bool found;
    uint32_t at = group_index(s, name, &found);
    return found ? s->groups[at] : NULL;
}

static struct stream_group *group_new(struct slice name)
{
    struct stream_group *g = mem_calloc(sizeof *g + name.n);
    idmap_init(&g->pel, sizeof(struct stream_pending));
    g->name_len = name.n;
    copy_bytes(g->name, name);
    return g;
}

struct stream_group *stream_group_create(struct stream *s, struct slice name, struct stream_id last,
                                         int64_t entries_read)
{
    bool found;
    uint32_t at = group_index(s, name, &found);
    if (found) return NULL;
    struct stream_group *g = group_new(name);
    g->last_id = last;
    g->entries_read = entries_read;
    s->groups = insert_at(s->groups, &s->n_groups, &s->cap_groups, at, g);
    return g;
}

static void consumer_free(struct stream_consumer *c)
{
    idmap_free(&c->pel);
    mem_free(c);
}

void stream__group_free(struct stream_group *g)
{
    for (uint32_t i = 0; i < g->n_consumers; i++)
        consumer_free(g->consumers[i]);
    mem_free(g->consumers);
    idmap_free(&g->pel);
    mem_free(g);
}

void stream_group_destroy(struct stream *s, struct stream_group *g)
{
    bool found;
    uint32_t at = group_index(s, stream_group_name(g), &found);
    remove_at(s->groups, &s->n_groups, at);
    stream__group_free(g);
}

static struct stream_consumer *consumer_dup(const struct stream_consumer *from)
{
    struct stream_consumer *c = mem_dup(from, sizeof *from + from->name_len);
    idmap_copy(&c->pel, &from->pel);
    return c;
}

struct stream_group *stream__group_dup(const struct stream_group *from)
{
    struct stream_group *g = mem_dup(from, sizeof *from + from->name_len);
    struct idmap_pos pos;
    g->cap_consumers = g->n_consumers;
    g->consumers = NULL;
    if (g->n_consumers) g->consumers = mem_alloc(g->n_consumers * sizeof(struct stream_consumer *));
    for (uint32_t i = 0; i < g->n_consumers; i++)
        g->consumers[i] = consumer_dup(from->consumers[i]);
    idmap_copy(&g->pel, &from->pel);
    struct stream_pending *p = idmap_first(&g->pel, &pos);
    for (; p; p = idmap_next(&g->pel, &pos))
        p->consumer = stream_consumer_find(g, stream_consumer_name(p->consumer));
    return g;
}

size_t stream__group_memory(const struct stream_group *g)
{
    size_t sum = mem_usable(g) + idmap_memory(&g->pel);
    if (g->consumers) sum += mem_usable(g->consumers);
    for (uint32_t i = 0; i < g->n_consumers; i++)
        sum += mem_usable(g->consumers[i]) + idmap_memory(&g->consumers[i]->pel);
    return sum;
}

/* ---- consumers ------------------------------------------------------------------------------ */

struct stream_consumer *stream_consumer_find(const struct stream_group *g, struct slice name)
{
    bool found;
    uint32_t at = consumer_index(g, name, &found);
    return found ? g->consumers[at] : NULL;
}

struct stream_consumer *stream_consumer_create(struct stream_group *g, struct slice name,
                                               int64_t now_ms)
{
    bool found;
    uint32_t at = consumer_index(g, name, &found);
    if (found) return NULL;
    struct stream_consumer *c = mem_calloc(sizeof *c + name.n);
    c->seen_ms = now_ms;
    c->active_ms = -1;
    idmap_init(&c->pel, sizeof(struct stream_id));
    c->name_len = name.n;
    copy_bytes(c->name, name);
    g->consumers = insert_at(g->consumers, &g->n_consumers, &g->cap_consumers, at, c);
    return c;
}

void stream_consumer_destroy(struct stream_group *g, struct stream_consumer *c)
{
    struct idmap_pos pos;
    bool found;
    const struct stream_id *id = idmap_first(&c->pel, &pos);
    for (; id; id = idmap_next(&c->pel, &pos))
        idmap_remove(&g->pel, *id);
    remove_at(g->consumers, &g->n_consumers, consumer_index(g, stream_consumer_name(c), &found));
    consumer_free(c);
}

/* ---- what is pending ------------------------------------------------------------------------ */

struct stream_pending *stream_pending_find(const struct stream_group *g, struct stream_id id)
{
    return idmap_find(&g->pel, id);
}

struct stream_pending *stream_pending_assign(struct stream_group *g, struct stream_id id,
                                             struct stream_consumer *c)
{
    bool added;
    struct stream_pending *p = idmap_add(&g->pel, id, &added);
    if (p->consumer == c) return p;
    if (p->consumer) idmap_remove(&p->consumer->pel, id);
    idmap_add(&c->pel, id, &added);
    p->consumer = c;
    return p;
}

bool stream_pending_drop(struct stream_group *g, struct stream_id id)
{
    const struct stream_pending *p = stream_pending_find(g, id);
    if (!p) return false;
    idmap_remove(&p->consumer->pel, id);
    idmap_remove(&g->pel, id);
    return true;
}

bool stream_referenced(const struct stream *s, struct stream_id id)
{
    for (uint32_t i = 0; i < s->n_groups; i++) {
        const struct stream_group *g = s->groups[i];
        if (stream_id_cmp(id, g->last_id) > 0 || stream_pending_find(g, id)) return true;
    }
    return false;
}

void stream_drop_references(struct stream *s, struct stream_id id)
{
    for (uint32_t i = 0; i < s->n_groups; i++)
        stream_pending_drop(s->groups[i], id);
}

/* ---- how far a group has read --------------------------------------------------------------- */

/* Was an entry behind `from` deleted (not trimmed)? */
static bool hole_behind(const struct stream *s, struct stream_id from)
{
    if (s->length == 0 || stream_id_is_zero(s->max_deleted_id)) return false;
    return stream_id_cmp(from, s->max_deleted_id) <= 0;
}

/* How many entries were ever added up to this ID, where that can be told from the counters alone:
 * at the last ID, and at or before the first entry when nothing behind it was deleted. */
static int64_t reads_at(const struct stream *s, struct stream_id id)
{
    if (s->entries_added == 0) return 0;
    int to_last = stream_id_cmp(id, s->last_id), to_first = stream_id_cmp(id, s->first_id);
    if (s->length == 0 && to_last <= 0) return (int64_t)s->entries_added;
    if (!stream_id_is_zero(id) && stream_id_cmp(id, s->max_deleted_id) < 0)
        return STREAM_READS_UNKNOWN;
    if (to_last == 0) return (int64_t)s->entries_added;
    bool whole =
        stream_id_is_zero(s->max_deleted_id) || stream_id_cmp(s->max_deleted_id, s->first_id) < 0;
    if (to_last > 0 || to_first > 0 || !whole) return STREAM_READS_UNKNOWN;
    return (int64_t)(s->entries_added - s->length) + (to_first == 0);
}

void stream_group_read(const struct stream *s, struct stream_group *g, struct stream_id id)
{
    if (stream_id_cmp(id, g->last_id) <= 0) return;
    if (g->entries_read != STREAM_READS_UNKNOWN && !hole_behind(s, g->last_id)) {
        g->entries_read = (int64_t)((uint64_t)g->entries_read + 1);
    } else if (s->entries_added) {
        g->entries_read = reads_at(s, id);
    }
    g->last_id = id;
}

bool stream_group_lag(const struct stream *s, const struct stream_group *g, int64_t *lag)
{
    int64_t read = g->entries_read;
    *lag = 0;
    if (s->entries_added == 0 || s->length == 0) return true;
    if (stream_id_cmp(g->last_id, s->first_id) < 0 &&
        stream_id_cmp(s->max_deleted_id, s->first_id) < 0) {
        *lag = (int64_t)s->length;
        return true;
    }
    if (read == STREAM_READS_UNKNOWN || hole_behind(s, g->last_id)) read = reads_at(s, g->last_id);
    *lag = (int64_t)s->entries_added - read;
    return read != STREAM_READS_UNKNOWN;
}
