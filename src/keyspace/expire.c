/*
 * expire.c - removes keys, and fields of hashes, whose time has come although nobody looks at them.
 *
 *   sweeper i (a coroutine; as many as workers) --> partitions i, i + n, ... --> tables --> chunks
 * --> buckets
 *
 * What is due when
 *   Nothing is kept for a key beside its expiry. A table keeps for each bucket (about 12 keys) a
 * lower bound of the tick at which something in it expires, for each chunk of 64 buckets the
 * smallest of these, and for itself; a partition keeps the smallest of its tables (part->due).
 * Setting an expiry lowers them; they rise again when a sweep has looked at the bucket. So a sweep
 *   reads 4 bytes a chunk, 4 bytes a bucket of the chunks in which something is due, and the
 * entries of the buckets in which something is due: work in proportion to what expires. A key that
 * expires late is looked at only when one of its dozen neighbours expires. A bound that is too low,
 *   because the key was deleted or got another expiry since, costs one look. Memory: 4 bytes a
 *   bucket in chunks where something expires, a third of a byte a key.
 *
 *   A hash whose fields expire counts as due when the first of them is (entry_due()): the hash
 * itself knows which that is. So fields need no index of their own either.
 *
 * When the sweepers run
 *   A sweeper sleeps until the first of its partitions is due, but at least PERIOD, and for ever
 *   if nothing expires. Whoever lowers part->due below what the sweeper sleeps for wakes it:
 *
 *     setter                              sweeper
 *     1. part->due = tick (seq_cst)       1. until = the tick it means to sleep for (seq_cst)
 *     2. reads until: later? wakes it     2. reads due of all its partitions: earlier? does not
 * sleep
 *
 *   In the one order of these four operations one of the two sees the other's store.
 *
 * When very many keys expire at once, a sweeper owns a partition for a slice of about 100 us at a
 * time, and everybody who is runnable on its worker runs between two slices.
 *
 * Rejected: a second table of keys with an expiry, sampled (Redis): 16 bytes a key or more, and
 * sampling finds the last few per cent late. A heap or a wheel of keys: 8 to 16 bytes a key, and
 * each change of an entry's address or expiry has to find its place in it.
 */
#include "keyspace/keyspace_internal.h"

#define TICK_MS   64
#define SWEEPERS  64
#define NOW_AWAKE 0 /* sweeper.until: it will look by itself */

struct sweeper {
    ALIGNED(CACHE_LINE) _Atomic(uint32_t) until; /* tick before which news must wake it */
    _Atomic(struct co *) co;
};

static struct sweeper sweepers[SWEEPERS];
static unsigned n_sweepers;
static int64_t base_ms; /* tick 0; constant once tables exist */
static _Atomic(bool) active = true;
static _Atomic(int) effort = 1;

/* ---- what is due ---------------------------------------------------------------------------- */

void expire__init(void)
{
    base_ms = clock_unix_ms();
}

/* The first tick at which ms has passed. */
uint32_t expire__tick(int64_t ms)
{
    if (ms <= base_ms) return 0;
    uint64_t tick = ((uint64_t)ms - (uint64_t)base_ms + TICK_MS - 1) / TICK_MS;
    return (uint32_t)MIN(tick, (uint64_t)DUE_NEVER - 1);
}

/* The last tick that has passed. */
static uint32_t tick_at(int64_t now_ms)
{
    uint64_t tick = now_ms > base_ms ? (uint64_t)(now_ms - base_ms) / TICK_MS : 0;
    return (uint32_t)MIN(tick, (uint64_t)DUE_NEVER - 2);
}

static uint32_t due_of(const struct part *p)
{
    return atomic_load_explicit(&p->due, memory_order_seq_cst);
}

static void wake(struct sweeper *s)
{
    struct co *co = atomic_load_explicit(&s->co, memory_order_acquire);
    if (co) co_ready(co);
}

void expire__note_tick(struct part *p, uint32_t tick)
{
    if (tick >= atomic_load_explicit(&p->due, memory_order_relaxed)) return;
    atomic_store_explicit(&p->due, tick, memory_order_seq_cst);
    if (!n_sweepers) return;
    struct sweeper *s = &sweepers[p->index % n_sweepers];
    uint32_t until = atomic_load_explicit(&s->until, memory_order_seq_cst);
    while (tick < until) {
        if (atomic_compare_exchange_weak_explicit(&s->until, &until, tick, memory_order_seq_cst,
                                                  memory_order_seq_cst)) {
            wake(s);
            return;
        }
    }
}

void expire__note(struct part *p, struct table *t, uint64_t hash, int64_t ms)
{
    uint32_t tick = expire__tick(ms);
    if (table_note_due(t, hash, tick)) expire__note_tick(p, tick);
}

/* ---- a slice -------------------------------------------------------------------------------- */

struct slice_of_work {
    struct part *p;
    int64_t end_ns, now_ms;
};

static bool out_of_time(void *arg)
{
    return rt_now() >= ((struct slice_of_work *)arg)->end_ns;
}

static void gone(void *arg, struct table *t, struct entry *e)
{
    db__expired(((struct slice_of_work *)arg)->p, t, e);
}

static int64_t fields_due(void *arg, struct table *t, struct entry *e)
{
    struct slice_of_work *work = arg;
    return db__expire_fields(work->p, t, e, work->now_ms, out_of_time, work);
}

static void emptied(void *arg, struct table *t, struct entry *e)
{
    db__emptied(((struct slice_of_work *)arg)->p, t, e);
}

/* Removes what is due in p, until the time is up. True: all of it. */
static bool sweep_tables(struct part *p, int64_t now_ms, struct slice_of_work *work)
{
    bool all = true;
    uint32_t due = DUE_NEVER, tick = tick_at(now_ms);
    LIST_FOR(node, &p->all)
    {
        struct table *t = LIST_ENTRY(node, struct table, in_part);
        struct due_walk w = {.out_of_time = out_of_time,
                             .gone = gone,
                             .fields = fields_due,
                             .emptied = emptied,
                             .arg = work};
        if (t->due_min <= tick && all) {
            all = table_walk_due(t, tick, now_ms, &w);
            table_resize_step(t, 2 + (unsigned)(w.removed / 8));
        }
        due = MIN(due, t->due_min);
    }
    atomic_store_explicit(&p->due, due, memory_order_seq_cst);
    return all;
}

static int64_t slice_ns(void)
{
    return (90 + 10 * (int64_t)atomic_load_explicit(&effort, memory_order_relaxed)) * 1000;
}

/* Owns p for a slice. */
static void sweep_part(struct part *p)
{
    struct part_set owned = {0};
    part_own(p);
    int64_t start = rt_now(), now_ms = clock_unix_ms();
    struct slice_of_work work = {p, start + slice_ns(), now_ms};
    uint64_t expired = count_get(&p->count.expired);
    bool all = sweep_tables(p, now_ms, &work);
    expired = count_get(&p->count.expired) - expired;
    part_set_add(&owned, p->index);
    if (part_has_ready(p)) ks_serve(p, &owned, now_ms);
    count_add(&p->count.expire_cycle_us, (uint64_t)(rt_now() - start) / 1000);
    if (!all) count_add(&p->count.time_cap_reached, 1);
    atomic_store_explicit(&p->count.stale, all ? 0 : expired, memory_order_relaxed);
    part_disown(p);
}

/* ---- the sweepers --------------------------------------------------------------------------- */

/* Sweeps all partitions of s where something is due; returns when the next thing will be. */
static uint32_t sweep(unsigned first)
{
    uint32_t next = DUE_NEVER;
    for (unsigned i = first; i < keyspace.n_parts; i += n_sweepers) {
        struct part *p = &keyspace.parts[i];
        while (due_of(p) <= tick_at(clock_unix_ms())) {
            sweep_part(p);
            co_yield();
        }
        next = MIN(next, due_of(p));
    }
    return next;
}

static uint32_t first_due(unsigned first)
{
    uint32_t due = DUE_NEVER;
    for (unsigned i = first; i < keyspace.n_parts; i += n_sweepers) {
        due = MIN(due, due_of(&keyspace.parts[i]));
    }
    return due;
}

static int64_t period_ms(void)
{
    return 110 - 10 * (int64_t)atomic_load_explicit(&effort, memory_order_relaxed);
}

static int64_t deadline(uint32_t tick, int64_t now_ms)
{
    if (tick == DUE_NEVER) return RT_NEVER;
    int64_t ms = base_ms + (int64_t)tick * TICK_MS - now_ms;
    return rt_now() + MAX(ms, 0) * 1000 * 1000;
}

static void doze(struct sweeper *s, unsigned id, uint32_t next)
{
    int64_t now_ms = clock_unix_ms();
    uint32_t soon = tick_at(now_ms + period_ms()) + 1;
    if (next <= soon) {
        co_sleep(period_ms() * 1000 * 1000);
        return;
    }
    atomic_store_explicit(&s->until, next, memory_order_seq_cst);
    if (first_due(id) >= next) co_park(deadline(next, now_ms));
    atomic_store_explicit(&s->until, NOW_AWAKE, memory_order_seq_cst);
    if (first_due(id) <= soon) co_sleep(TICK_MS * 1000 * 1000);
}

static void run_sweeper(void *arg)
{
    struct sweeper *s = arg;
    unsigned id = (unsigned)(s - sweepers);
    atomic_store_explicit(&s->co, co_self(), memory_order_release);
    for (;;) {
        while (!atomic_load_explicit(&active, memory_order_acquire))
            co_park(RT_NEVER);
        doze(s, id, sweep(id));
    }
}

void expire__start(void)
{
    n_sweepers = MIN(MAX(rt_worker_count(), 1), MIN((unsigned)SWEEPERS, keyspace.n_parts));
    for (unsigned i = 0; i < n_sweepers; i++) {
        atomic_store_explicit(&sweepers[i].co, NULL, memory_order_release); /* of a former run */
        atomic_store_explicit(&sweepers[i].until, NOW_AWAKE, memory_order_relaxed);
        CHECK(co_spawn("expire", run_sweeper, &sweepers[i]) == RT_OK);
    }
}

void keyspace_set_active_expire(bool on)
{
    atomic_store_explicit(&active, on, memory_order_release);
    for (unsigned i = 0; on && i < n_sweepers; i++)
        wake(&sweepers[i]);
}

void keyspace_set_expire_effort(int value)
{
    atomic_store_explicit(&effort, MIN(MAX(value, 1), 10), memory_order_relaxed);
}
