/*
 * scan.c - walks over a database without owning all of it: one partition after the other.
 *
 *   cursor = | position in the partition's table (table.c) | index of the partition |
 *
 * A partition is owned for at most SHARE entries at a time, so nobody waits long for a walk.
 */
#include "keyspace/keyspace_internal.h"

#define SHARE        256 /* entries visited, and */
#define BUCKETS      256 /* buckets looked at, while a partition is owned */
#define RANDOM_TRIES 16

struct walk {
    int64_t now_ms;
    ks_visit *visit, *stale;
    void *arg;
    size_t seen, buckets;
};

static void visit(struct walk *w, struct entry **e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (e[i]->has_expire && entry_expire(e[i]) <= w->now_ms) {
            if (w->stale) w->stale(w->arg, e[i]);
            continue;
        }
        w->visit(w->arg, e[i]);
        w->seen++;
    }
}

/* One bucket with more entries than a share: hardly ever. */
static void visit_crowd(struct walk *w, const struct table *t, uint64_t *at, size_t n)
{
    struct entry **e = mem_alloc(n * sizeof *e);
    visit(w, e, table_walk(t, at, e, n));
    mem_free(e);
}

/* Visits some buckets until about `count` entries were met; *at: 0 at the end of the table. The
 * entries of several buckets are gathered first, so that the cache has time to fetch them. */
static void walk_share(struct walk *w, const struct table *t, uint64_t *at, size_t count)
{
    struct entry *e[SHARE];
    size_t n = 0, buckets = 0, max = MIN(count, (size_t)SHARE / 2);
    do {
        size_t more = table_walk(t, at, e + n, SHARE - n);
        if (more > SHARE - n && n) break;
        if (more > SHARE - n)
            visit_crowd(w, t, at, more);
        else
            n += more;
        buckets++;
    } while (*at && n < max && buckets < BUCKETS);
    visit(w, e, n);
    w->buckets += buckets;
}

uint64_t ks_scan(unsigned db, uint64_t cursor, size_t count, int64_t now_ms, bool owned,
                 ks_visit *visit, void *arg)
{
    return ks_scan_stale(db, cursor, count, now_ms, owned, visit, NULL, arg);
}

uint64_t ks_scan_stale(unsigned db, uint64_t cursor, size_t count, int64_t now_ms, bool owned,
                       ks_visit *visit, ks_visit *stale, void *arg)
{
    struct walk w = {.now_ms = now_ms, .visit = visit, .stale = stale, .arg = arg};
    unsigned parts = keyspace.n_parts, i = (unsigned)(cursor & keyspace.part_mask);
    uint64_t at = cursor / parts;
    size_t max_buckets = count > SIZE_MAX / 10 ? SIZE_MAX : 10 * count;
    while (i < parts) {
        struct part *p = &keyspace.parts[i];
        if (!owned && co_self() && co_should_yield()) co_yield();
        if (!owned) part_own(p);
        const struct table *t = part__table(p, db);
        if (t)
            walk_share(&w, t, &at, count - MIN(w.seen, count));
        else
            at = 0;
        if (!owned) part_disown(p);
        if (!at) i++;
        if (w.seen >= count || w.buckets >= max_buckets) break;
    }
    return i < parts ? at * parts + i : 0;
}

/* ---- a random key ---------------------------------------------------------------------------- */

/* A partition chosen by how many keys it has. */
static struct part *random_part(unsigned db)
{
    uint64_t size = ks_size(db);
    if (!size) return NULL;
    uint64_t at = rand_below(size);
    for (unsigned i = 0; i < keyspace.n_parts; i++) {
        uint64_t n = ks_part_size(&keyspace.parts[i], db);
        if (at < n) return &keyspace.parts[i];
        at -= n;
    }
    return &keyspace.parts[rand_below(keyspace.n_parts)];
}

static bool random_of(struct part *p, unsigned db, int64_t now_ms, bool owned, struct buf *out)
{
    if (!owned) part_own(p);
    const struct entry *e = ks_random(p, db, now_ms);
    if (e) buf_add(out, entry_key(e).p, entry_key(e).n);
    if (!owned) part_disown(p);
    return e != NULL;
}

bool ks_random_key(unsigned db, int64_t now_ms, bool owned, struct buf *out)
{
    for (int tries = 0; tries < RANDOM_TRIES; tries++) {
        struct part *p = random_part(db);
        if (!p) return false;
        if (random_of(p, db, now_ms, owned, out)) return true;
    }
    for (unsigned i = 0; i < keyspace.n_parts; i++) {
        struct part *p = &keyspace.parts[i];
        if (ks_part_size(p, db) && random_of(p, db, now_ms, owned, out)) return true;
    }
    return false;
}
