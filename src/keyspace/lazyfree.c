/*
 * lazyfree.c - frees in the background what takes long: large values, and dropped tables.
 *
 *   ks_free_later, lazyfree__table --> pile (lock-free stack) --> one coroutine, in shares of a
 * scheduling round --> huge values: a helper thread
 *
 * What waits here is reachable from nowhere else. Without the coroutine (before keyspace_start())
 * everything is freed at once.
 */
#include "keyspace/keyspace_internal.h"

#define LAZY_EFFORT    64    /* allocations: freed where it is up to here */
#define OFFLOAD_EFFORT 20000 /* about a millisecond: no worker is kept that long */
#define BATCH          64

struct garbage {
    struct garbage *next;
    struct entry *entry; /* or */
    struct table *table;
    uint64_t objects;
};

static _Atomic(struct garbage *) pile;
static _Atomic(struct co *) sweeper;
static struct garbage *in_hand; /* the sweeper's; not on its stack, where it would be lost with it */
static _Atomic(uint64_t) pending, freed;
static _Atomic(uint64_t) freed_before; /* the statistics were reset */

static void push(struct garbage g)
{
    struct garbage *node = mem_alloc(sizeof *node);
    struct garbage *below = atomic_load_explicit(&pile, memory_order_relaxed);
    *node = g;
    atomic_fetch_add_explicit(&pending, g.objects, memory_order_relaxed);
    do {
        node->next = below;
    } while (!atomic_compare_exchange_weak_explicit(&pile, &below, node, memory_order_seq_cst,
                                                    memory_order_relaxed));
    /* From here on the sweeper may have freed the node. */
    struct co *co = atomic_load_explicit(&sweeper, memory_order_seq_cst);
    if (!below && co) co_ready(co);
}

static void done(uint64_t objects)
{
    atomic_fetch_sub_explicit(&pending, objects, memory_order_relaxed);
    atomic_fetch_add_explicit(&freed, objects, memory_order_relaxed);
}

void ks_free_later(struct entry *e)
{
    if (LIKELY(entry_free_effort(e) <= LAZY_EFFORT) || !keyspace.started) {
        entry_free(e);
        return;
    }
    push((struct garbage){.entry = e, .objects = 1});
}

void lazyfree__table(struct table *t)
{
    if (!keyspace.started) {
        lazyfree__table_now(t);
        return;
    }
    push((struct garbage){.table = t, .objects = count_get(&t->keys)});
}

uint64_t ks_lazyfree_pending(void)
{
    return atomic_load_explicit(&pending, memory_order_relaxed);
}

uint64_t ks_lazyfreed(void)
{
    uint64_t before = atomic_load_explicit(&freed_before, memory_order_relaxed);
    return atomic_load_explicit(&freed, memory_order_relaxed) - before;
}

void lazyfree__reset(void)
{
    uint64_t now = atomic_load_explicit(&freed, memory_order_relaxed);
    atomic_store_explicit(&freed_before, now, memory_order_relaxed);
}

/* ---- freeing -------------------------------------------------------------------------------- */

static void free_on_helper(void *entry)
{
    mem_thread_attach();
    entry_free(entry);
    mem_thread_detach();
}

static void free_entry(struct entry *e)
{
    if (entry_free_effort(e) > OFFLOAD_EFFORT)
        rt_offload(free_on_helper, e);
    else
        entry_free(e);
}

/* Frees up to BATCH entries of a table: how many. Their lines are fetched together. */
static size_t free_some(struct table *t, size_t *bucket, void (*free_one)(struct entry *e))
{
    struct entry *some[BATCH];
    size_t n = table_drain(t, bucket, some, BATCH);
    for (size_t i = 0; i < n; i++)
        __builtin_prefetch(some[i]);
    for (size_t i = 0; i < n; i++)
        free_one(some[i]);
    return n;
}

void lazyfree__table_now(struct table *t)
{
    size_t bucket = 0;
    while (free_some(t, &bucket, entry_free)) {
    }
    table_free(t);
}

static void free_table(struct table *t)
{
    size_t bucket = 0, n;
    while ((n = free_some(t, &bucket, free_entry)) != 0) {
        done(n);
        if (co_should_yield()) co_yield();
    }
    table_free(t);
}

static void free_in_hand(void)
{
    while (in_hand) {
        struct garbage *g = in_hand;
        if (g->entry) {
            free_entry(g->entry);
            done(1);
        } else {
            free_table(g->table);
        }
        in_hand = g->next;
        mem_free_sized(g, sizeof *g);
        if (co_should_yield()) co_yield();
    }
}

static void sweep(void *arg)
{
    atomic_store_explicit(&sweeper, co_self(), memory_order_seq_cst);
    for (;;) {
        free_in_hand();
        while (!(in_hand = atomic_exchange_explicit(&pile, NULL, memory_order_seq_cst))) {
            co_park(RT_NEVER);
        }
    }
}

void lazyfree__start(void)
{
    atomic_store_explicit(&sweeper, NULL, memory_order_seq_cst); /* of a former run */
    CHECK(co_spawn("lazyfree", sweep, NULL) == RT_OK);
}
