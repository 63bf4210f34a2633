/*
 * stats.c - what the partitions have counted, the report of a database's tables, and the switches.
 *
 * The counters only grow; resetting notes what they were (`zero`), so that no owner is disturbed.
 */
#include "keyspace/keyspace_internal.h"

#include <pthread.h>

#define HISTOGRAM 24

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct part_stats *zero; /* by partition; under lock */

static void read_tables(const struct part *p, struct part_stats *out)
{
    for (unsigned db = 0; db < keyspace.n_databases; db++) {
        const struct table *t = part__peek(p, db);
        if (!t) continue;
        out->keys += count_get(&t->keys);
        out->expires += count_get(&t->expires);
        out->buckets += count_get(&t->n);
        out->resizing += table_wants_resize(t);
    }
}

static void read_counters(const struct part *p, struct part_stats *out)
{
    const struct part_counters *c = &p->count;
    out->hits = count_get(&c->hits);
    out->misses = count_get(&c->misses);
    out->expired = count_get(&c->expired);
    out->expired_fields = count_get(&c->expired_fields);
    out->expire_cycle_us = count_get(&c->expire_cycle_us);
    out->time_cap_reached = count_get(&c->time_cap_reached);
    out->owned = count_get(&c->owned);
    out->contended = count_get(&c->contended);
    out->delegated = count_get(&c->delegated);
    out->handed_over = count_get(&c->handed_over);
}

static void subtract(struct part_stats *from, const struct part_stats *s)
{
    from->hits -= s->hits;
    from->misses -= s->misses;
    from->expired -= s->expired;
    from->expired_fields -= s->expired_fields;
    from->expire_cycle_us -= s->expire_cycle_us;
    from->time_cap_reached -= s->time_cap_reached;
    from->owned -= s->owned;
    from->contended -= s->contended;
    from->delegated -= s->delegated;
    from->handed_over -= s->handed_over;
}

void part_stats(unsigned index, struct part_stats *out)
{
    const struct part *p = keyspace_part(index);
    *out = (struct part_stats){0};
    read_counters(p, out);
    read_tables(p, out);
    uint64_t stale = count_get(&p->count.stale);
    if (out->expires) out->expired_stale_perc_x100 = MIN(stale * 10000 / out->expires, 10000);
    pthread_mutex_lock(&lock);
    if (zero) subtract(out, &zero[index]);
    pthread_mutex_unlock(&lock);
}

void keyspace_stats(struct part_stats *sum)
{
    struct part_stats s;
    uint64_t *to = (uint64_t *)sum, stale = 0;
    *sum = (struct part_stats){0};
    for (unsigned i = 0; i < keyspace.n_parts; i++) {
        part_stats(i, &s);
        stale += s.expired_stale_perc_x100 * s.expires;
        for (size_t f = 0; f < sizeof s / sizeof *to; f++)
            to[f] += ((uint64_t *)&s)[f];
    }
    sum->expired_stale_perc_x100 = sum->expires ? stale / sum->expires : 0;
}

void keyspace_reset_stats(void)
{
    pthread_mutex_lock(&lock);
    if (!zero) zero = mem_alloc(keyspace.n_parts * sizeof *zero);
    for (unsigned i = 0; i < keyspace.n_parts; i++) {
        zero[i] = (struct part_stats){0};
        read_counters(&keyspace.parts[i], &zero[i]);
    }
    pthread_mutex_unlock(&lock);
    lazyfree__reset();
}

/* ---- the report ----------------------------------------------------------------------------- */

struct report {
    uint64_t tables, keys, expires, buckets, lines, spares, counts[HISTOGRAM];
};

static void add_table(struct report *r, const struct table *t)
{
    r->tables++;
    r->keys += count_get(&t->keys);
    r->expires += count_get(&t->expires);
    r->buckets += count_get(&t->n);
    r->lines += t->lines;
    r->spares += t->spares;
    table_histogram(t, r->counts, HISTOGRAM);
}

void ks_table_report(unsigned db, struct buf *out)
{
    struct report r = {0};
    for (unsigned i = 0; i < keyspace.n_parts; i++) {
        struct part *p = &keyspace.parts[i];
        bool all = atomic_load_explicit(&parts__gate.held, memory_order_relaxed);
        if (!all) part_own(p);
        const struct table *t = part__table(p, db);
        if (t) add_table(&r, t);
        if (!all) part_disown(p);
    }
    uint64_t bytes = r.buckets * sizeof(struct bucket) + (r.lines + r.spares) * sizeof(struct line);
    buf_addf(out, "[Dictionary HT]\nHash table %u stats (main hash table):\n", db);
    buf_addf(out, " tables: %lu\n table size: %lu\n", r.tables, r.buckets * 2 * LINE_SLOTS);
    buf_addf(out, " number of elements: %lu\n with an expiry: %lu\n", r.keys, r.expires);
    buf_addf(out, " buckets: %lu\n overflow lines: %lu\n", r.buckets, r.lines);
    buf_addf(out, " bytes per element: %.2f\n", r.keys ? (double)bytes / (double)r.keys : 0.0);
    buf_addf(out, " Elements per bucket:\n");
    for (size_t i = 0; i < HISTOGRAM; i++) {
        if (!r.counts[i]) continue;
        buf_addf(out, "   %zu%s: %lu (%.2f%%)\n", i, i == HISTOGRAM - 1 ? " or more" : "",
                 r.counts[i], 100.0 * (double)r.counts[i] / (double)r.buckets);
    }
}

void keyspace_set_resizing(bool on)
{
    atomic_store_explicit(&table_resizing, on, memory_order_relaxed);
}
