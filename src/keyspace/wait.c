/*
 * wait.c - blocked clients: who waits for a key, and who is served when it is ready.
 *
 *   part->waiting: (database, key) --> struct wait_queue --> waiter_key --> waiter_key --> ...
 *                                            |                (first come, first served)
 *   part->ready:   queues whose key is ready, in the order in which they became so
 *
 * Invariants
 *  1. A queue exists while somebody is in it, or it is being served.
 *  2. Ready keys are numbered (`order`) over all partitions, so that ks_serve() goes by the order
 * in which a transaction made them ready, whatever partitions they are in.
 *  3. A waiter_key is taken off its queue before its waiter may be claimed by serve(): after that
 * the waiter's memory is not touched. It goes back to its place when it was not served.
 *  4. A waiter that was claimed otherwise stays in its queues until its coroutine leaves them, and
 * is passed over.
 */
#include "keyspace/keyspace_internal.h"

#define FIRST_SLOTS 16

struct wait_queue {
    struct wait_queue *next; /* in the map's slot */
    struct list_node waiters;
    struct list_node in_ready;
    uint64_t order;
    uint64_t hash;
    struct part *part;
    uint32_t db;
    uint32_t missers; /* waiters that want to know when the key is gone */
    size_t key_len;
    char key[];
};

static _Atomic(uint64_t) next_order; /* counts only while somebody waits */

/* ---- the map -------------------------------------------------------------------------------- */

static struct wait_queue **slot_of(struct wait_map *m, uint64_t hash, unsigned db)
{
    return &m->slot[(hash + db) & m->mask];
}

static struct wait_queue *find(struct part *p, unsigned db, const struct key *k)
{
    struct wait_map *m = &p->waiting;
    struct wait_queue *q = m->slot ? *slot_of(m, k->hash, db) : NULL;
    while (q &&
           (q->hash != k->hash || q->db != db || !slice_eq(slice_of(q->key, q->key_len), k->s))) {
        q = q->next;
    }
    return q;
}

static void map_grow(struct wait_map *m)
{
    struct wait_map old = *m;
    size_t slots = old.slot ? 2 * (old.mask + 1) : FIRST_SLOTS;
    m->slot = mem_calloc(slots * sizeof *m->slot);
    m->mask = slots - 1;
    for (size_t i = 0; old.slot && i <= old.mask; i++) {
        for (struct wait_queue *q = old.slot[i], *next; q; q = next) {
            struct wait_queue **to = slot_of(m, q->hash, q->db);
            next = q->next;
            q->next = *to;
            *to = q;
        }
    }
    mem_free(old.slot);
}

static struct wait_queue *queue_new(struct part *p, unsigned db, const struct key *k)
{
    struct wait_map *m = &p->waiting;
    if (!m->slot || count_get(&m->queues) > m->mask) map_grow(m);
    struct wait_queue *q = mem_calloc(sizeof *q + k->s.n), **slot = slot_of(m, k->hash, db);
    list_init(&q->waiters);
    list_init(&q->in_ready);
    q->hash = k->hash;
    q->part = p;
    q->db = db;
    q->key_len = k->s.n;
    if (k->s.n) memcpy(q->key, k->s.p, k->s.n);
    q->next = *slot;
    *slot = q;
    count_add(&m->queues, 1);
    return q;
}

static void free_if_empty(struct wait_queue *q)
{
    if (!list_empty(&q->waiters)) return;
    struct wait_map *m = &q->part->waiting;
    struct wait_queue **at = slot_of(m, q->hash, q->db);
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    list_remove(&q->in_ready);
    count_add(&m->queues, (uint64_t)-1);
    mem_free(q);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static bool needs_more(const struct waiter *w)
{
    return w->needs.all || w->needs.n;
}

static void join(struct wait_queue *q, struct waiter_key *wk, struct list_node *before)
{
    list_insert_before(before, &wk->in_queue);
    if (wk->w->on_missing && q->missers++ == 0) count_add(&q->part->waiting.missed, 1);
    q->part->waiting.movers += needs_more(wk->w);
}

static void leave(struct wait_queue *q, struct waiter_key *wk)
{
    list_remove(&wk->in_queue);
    if (wk->w->on_missing && --q->missers == 0) count_add(&q->part->waiting.missed, (uint64_t)-1);
    q->part->waiting.movers -= needs_more(wk->w);
}

void ks_wait(struct part *p, struct waiter_key *wk)
{
    assert(part_owned(p) && wk->key.part == p->index);
    struct wait_queue *q = find(p, wk->w->db, &wk->key);
    if (!q) q = queue_new(p, wk->w->db, &wk->key);
    join(q, wk, &q->waiters);
}

void ks_unwait(struct part *p, struct waiter_key *wk)
{
    assert(part_owned(p));
    if (!wk->in_queue.next || list_empty(&wk->in_queue)) return;
    struct wait_queue *q = find(p, wk->w->db, &wk->key);
    leave(q, wk);
    free_if_empty(q);
}

bool waiter_claim(struct waiter *w)
{
    uint32_t state = WAITER_WAITING;
    return atomic_compare_exchange_strong_explicit(&w->state, &state, WAITER_CLAIMED,
                                                   memory_order_acq_rel, memory_order_acquire);
}

void waiter_done(struct waiter *w)
{
    struct co *co = w->co;
    atomic_store_explicit(&w->state, WAITER_DONE, memory_order_release);
    co_ready(co);
}

/* ---- becoming ready ------------------------------------------------------------------------- */

static void make_ready(struct wait_queue *q)
{
    if (!list_empty(&q->in_ready)) return;
    q->order = atomic_fetch_add_explicit(&next_order, 1, memory_order_relaxed);
    list_push_back(&q->part->ready, &q->in_ready);
}

void ks_ready(struct part *p, unsigned db, const struct key *k)
{
    assert(part_owned(p));
    if (LIKELY(!count_get(&p->waiting.queues))) return;
    struct wait_queue *q = find(p, db, k);
    if (q) make_ready(q);
}

void wait__gone(struct part *p, unsigned db, const struct key *k)
{
    if (LIKELY(!count_get(&p->waiting.queues))) return;
    struct wait_queue *q = find(p, db, k);
    if (q && q->missers) make_ready(q);
}

bool part_has_ready(const struct part *p)
{
    return !list_empty(&p->ready);
}

/* Calls fn for every queue of database a or b. */
static void each_queue(struct part *p, unsigned a, unsigned b, void (*fn)(struct wait_queue *q))
{
    struct wait_map *m = &p->waiting;
    if (!count_get(&m->queues)) return;
    for (size_t i = 0; i <= m->mask; i++) {
        for (struct wait_queue *q = m->slot[i]; q; q = q->next) {
            if (q->db == a || q->db == b) fn(q);
        }
    }
}

static void ready_for_missers(struct wait_queue *q)
{
    if (q->missers) make_ready(q);
}

void wait__table_dropped(struct part *p, unsigned db)
{
    each_queue(p, db, db, ready_for_missers);
}

void wait__swapped(struct part *p, unsigned a, unsigned b)
{
    each_queue(p, a, b, make_ready);
}

/* ---- serving -------------------------------------------------------------------------------- */

static struct key key_of_queue(const struct wait_queue *q)
{
    return (struct key){slice_of(q->key, q->key_len), q->hash, q->part->index};
}

static const struct entry *entry_of(const struct wait_queue *q, const struct key *k, int64_t now_ms)
{
    struct entry **slot = ks_find(q->part, q->db, k, now_ms, KS_NO_TOUCH | KS_NO_STATS);
    return slot ? *slot : NULL;
}

static bool may_serve(const struct waiter *w, const struct entry *e)
{
    if (atomic_load_explicit(&w->state, memory_order_relaxed) != WAITER_WAITING) return false;
    return w->on_missing || (e && e->type == w->type);
}

static bool covers(const struct part *p, const struct part_set *owned, const struct part_set *needs)
{
    if (part_set_covers(owned, needs)) return true;
    return !needs->all && needs->n == 1 && part_set_has(needs, p->index);
}

/* Asks those who wait in q, in order, while there is something for them. False: somebody was met
 * whose partitions are not owned; q is as ready as before. */
static bool serve_queue(struct wait_queue *q, const struct part_set *owned, int64_t now_ms)
{
    struct key k = key_of_queue(q);
    const struct entry *e = entry_of(q, &k, now_ms);
    for (struct list_node *node = q->waiters.next, *next; node != &q->waiters; node = next) {
        struct waiter_key *wk = LIST_ENTRY(node, struct waiter_key, in_queue);
        struct waiter *w = wk->w;
        next = node->next;
        if (!e && !q->missers) return true;
        if (!may_serve(w, e)) continue;
        if (!covers(q->part, owned, &w->needs)) return false;
        leave(q, wk);
        if (!w->serve(w, q->part, &k, now_ms)) join(q, wk, next);
        e = entry_of(q, &k, now_ms);
    }
    return true;
}

static struct wait_queue *first_ready(struct part *p)
{
    return list_empty(&p->ready) ? NULL : LIST_ENTRY(p->ready.next, struct wait_queue, in_ready);
}

static struct wait_queue *earlier(struct wait_queue *a, struct wait_queue *b)
{
    return !a || (b && b->order < a->order) ? b : a;
}

static struct wait_queue *next_ready(struct part *p, const struct part_set *owned)
{
    struct wait_queue *q = first_ready(p);
    const uint32_t *ids = owned->ids ? owned->ids : owned->small;
    uint32_t n = owned->all ? keyspace.n_parts : owned->n;
    for (uint32_t i = 0; i < n; i++) {
        q = earlier(q, first_ready(&keyspace.parts[owned->all ? i : ids[i]]));
    }
    return q;
}

void ks_serve(struct part *p, const struct part_set *owned, int64_t now_ms)
{
    struct list_node unserved;
    struct wait_queue *q;
    assert(part_owned(p));
    list_init(&unserved);
    while ((q = next_ready(p, owned)) != NULL) {
        list_remove(&q->in_ready);
        if (serve_queue(q, owned, now_ms))
            free_if_empty(q);
        else
            list_push_back(&unserved, &q->in_ready);
    }
    while (!list_empty(&unserved)) {
        q = LIST_ENTRY(unserved.next, struct wait_queue, in_ready);
        list_remove(&q->in_ready);
        list_push_back(&q->part->ready, &q->in_ready);
    }
}

/* ---- what serving will need ----------------------------------------------------------------- */

static bool is_owned(const struct part *p, const struct part_set *owned, uint32_t index)
{
    return index == p->index || part_set_has(owned, index);
}

static void need_of_queue(const struct wait_queue *q, struct part_set *more)
{
    LIST_FOR(node, &q->waiters)
    {
        const struct waiter *w = LIST_ENTRY(node, struct waiter_key, in_queue)->w;
        if (needs_more(w)) part_set_merge(more, &w->needs);
    }
}

/* What anybody who waits in p might need. */
static void need_of_part(struct part *p, struct part_set *more)
{
    struct wait_map *m = &p->waiting;
    for (size_t i = 0; p->waiting.movers && i <= m->mask; i++) {
        for (struct wait_queue *q = m->slot[i]; q; q = q->next)
            need_of_queue(q, more);
    }
}

/* Adds what serving those would need that are served by serving others, as far as what the caller
 * owns lets us see. `more` grows while it is read. */
static void need_transitively(struct part *p, const struct part_set *owned, struct part_set *more)
{
    struct part_set seen = {0};
    for (bool again = true; again && !more->all;) {
        again = false;
        for (uint32_t i = 0; i < more->n && !again; i++) {
            uint32_t index = (more->ids ? more->ids : more->small)[i];
            if (!is_owned(p, owned, index) || part_set_has(&seen, index)) continue;
            part_set_add(&seen, index);
            need_of_part(&keyspace.parts[index], more);
            again = true;
        }
    }
    part_set_free(&seen);
}

bool ks_ready_needs(struct part *p, unsigned db, const struct key *k, struct part_set *needs)
{
    assert(part_owned(p));
    if (LIKELY(!p->waiting.movers) || needs->all) return false;
    struct wait_queue *q = find(p, db, k);
    struct part_set more = {0};
    if (q) need_of_queue(q, &more);
    need_transitively(p, needs, &more);
    bool added = false;
    if (more.all) {
        part_set_add_all(needs);
        added = true;
    }
    for (uint32_t i = 0; i < more.n; i++) {
        uint32_t index = (more.ids ? more.ids : more.small)[i];
        if (is_owned(p, needs, index)) continue;
        part_set_add(needs, index);
        added = true;
    }
    part_set_free(&more);
    return added;
}

uint64_t ks_waiting_keys(void)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < keyspace.n_parts; i++) {
        n += count_get(&keyspace.parts[i].waiting.queues);
    }
    return n;
}

uint64_t ks_waiting_keys_on_missing(void)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < keyspace.n_parts; i++) {
        n += count_get(&keyspace.parts[i].waiting.missed);
    }
    return n;
}
