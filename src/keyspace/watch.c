/*
 * watch.c - watched keys: who is to be told when a key of a partition changes.
 *
 *   part->watched[hash % CHAINS] --> struct watch --> struct watch --> ...   (clients own the
 * memory)
 *
 * A key that had expired already when it was watched counts as absent from the beginning: that it
 * is removed later is no change.
 */
#include "keyspace/keyspace_internal.h"

#define CHAINS 64

static struct list_node *chain_of(struct part *p, uint64_t hash)
{
    return &p->watched[hash % CHAINS]; /* low bits: those above chose the partition */
}

void ks_watch(struct part *p, struct watch *w)
{
    assert(part_owned(p) && w->part == p->index);
    if (!p->watched) {
        p->watched = mem_alloc(CHAINS * sizeof *p->watched);
        for (int i = 0; i < CHAINS; i++)
            list_init(&p->watched[i]);
    }
    list_push_back(chain_of(p, w->hash), &w->in_part);
    p->watches++;
}

void ks_unwatch(struct part *p, struct watch *w)
{
    assert(part_owned(p));
    if (!w->in_part.next || list_empty(&w->in_part)) return;
    list_remove(&w->in_part);
    p->watches--;
}

static const struct entry *find(const struct table *t, const struct watch *w)
{
    struct entry **slot = t ? table_find(t, w->hash, w->key) : NULL;
    return slot ? *slot : NULL;
}

/* The key has changed; `now` says whether it exists now. */
static void tell(struct watch *w, bool now)
{
    if (w->was_expired && !now)
        w->was_expired = false;
    else
        atomic_store_explicit(w->dirty, 1, memory_order_relaxed);
}

static __attribute__((noinline)) void touched(struct part *p, unsigned db, const struct key *k)
{
    LIST_FOR(node, chain_of(p, k->hash))
    {
        struct watch *w = LIST_ENTRY(node, struct watch, in_part);
        if (w->hash != k->hash || w->db != db || !slice_eq(w->key, k->s)) continue;
        tell(w, find(part__table(p, db), w) != NULL);
    }
}

void ks_touched(struct part *p, unsigned db, const struct key *k)
{
    assert(part_owned(p));
    if (UNLIKELY(p->watches)) touched(p, db, k);
}

#define FOR_WATCHES(w, p)                                                                          \
    for (int w##_i = 0; (p)->watches && w##_i < CHAINS; w##_i++)                                   \
        for (struct watch *w = LIST_ENTRY((p)->watched[w##_i].next, struct watch, in_part);        \
             &w->in_part != &(p)->watched[w##_i];                                                  \
             w = LIST_ENTRY(w->in_part.next, struct watch, in_part))

void watch__table_dropped(struct part *p, unsigned db, const struct table *t)
{
    FOR_WATCHES(w, p)
    {
        if (w->db == db && find(t, w)) tell(w, false);
    }
}

/* An entry whose time has come is as good as none: that one stands for it now is no change. */
static void swapped(struct watch *w, const struct entry *before, const struct entry *now,
                    int64_t now_ms)
{
    bool stale = now && now->has_expire && entry_expire(now) <= now_ms;
    if ((!before && !now) || (w->was_expired && stale)) return;
    if (!before && stale)
        w->was_expired = true;
    else
        tell(w, now != NULL);
}

void watch__swapped(struct part *p, unsigned a, unsigned b)
{
    int64_t now_ms = p->watches ? clock_unix_ms() : 0;
    FOR_WATCHES(w, p)
    {
        if (w->db != a && w->db != b) continue;
        const struct table *before = part__table(p, w->db == a ? b : a);
        swapped(w, find(before, w), find(part__table(p, w->db), w), now_ms);
    }
}
