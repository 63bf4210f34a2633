/*
 * retire.c - frees memory that coroutines on other workers may be looking at without owning it.
 *
 *   retire() --> pile (lock-free stack) --> the coroutine takes all of it, waits until every worker
 * has passed through its scheduler, frees it, takes the next pile
 *
 * The reader (table_prefetch, ks_size) takes a pointer and uses it without parking in between, so
 * once its worker has passed through the scheduler it holds nothing that it took before. What it
 * takes later was published later: whoever retires memory has unpublished it first.
 *
 * Why the coroutine first sleeps: a worker notes a new round, or that it has woken, with a store
 * that may still be on its way when its next loads are done already. A millisecond is a thousand
 * times what a store takes to arrive, so the round read after it is not older than any pointer read
 * before.
 */
#include "keyspace/keyspace_internal.h"

#define PAUSE_NS (1000 * 1000)

struct retired {
    struct retired *next;
    void *memory;
};

static _Atomic(struct retired *) pile;
static _Atomic(struct co *) reclaimer;
/* The reclaimer's, and not on its stack, where it would be lost when the runtime stops. */
static struct retired *in_hand;
static uint64_t *rounds;

void retire(void *memory)
{
    if (rt_worker_count() == 0) {
        mem_free(memory); /* no runtime: nobody else is there */
        return;
    }
    struct retired *r = mem_alloc(sizeof *r);
    struct retired *below = atomic_load_explicit(&pile, memory_order_relaxed);
    r->memory = memory;
    do {
        r->next = below;
    } while (!atomic_compare_exchange_weak_explicit(&pile, &below, r, memory_order_seq_cst,
                                                    memory_order_relaxed));
    /* From here on the reclaimer may have freed r. */
    struct co *co = atomic_load_explicit(&reclaimer, memory_order_seq_cst);
    if (!below && co) co_ready(co);
}

static void wait_for_worker(unsigned worker, uint64_t round)
{
    for (;;) {
        uint64_t now = rt_round(worker);
        if (now != round || now == RT_QUIESCENT) return;
        co_sleep(PAUSE_NS);
    }
}

static void wait_for_workers(void)
{
    unsigned n = rt_worker_count();
    co_sleep(PAUSE_NS);
    for (unsigned i = 0; i < n; i++)
        rounds[i] = rt_round(i);
    for (unsigned i = 0; i < n; i++) {
        if (rounds[i] != RT_QUIESCENT) wait_for_worker(i, rounds[i]);
    }
}

static void free_in_hand(void)
{
    while (in_hand) {
        struct retired *r = in_hand;
        in_hand = r->next;
        mem_free(r->memory);
        mem_free_sized(r, sizeof *r);
        if (co_should_yield()) co_yield();
    }
}

static void reclaim(void *arg)
{
    atomic_store_explicit(&reclaimer, co_self(), memory_order_seq_cst);
    for (;;) {
        wait_for_workers();
        free_in_hand();
        while (!(in_hand = atomic_exchange_explicit(&pile, NULL, memory_order_seq_cst))) {
            co_park(RT_NEVER);
        }
    }
}

void retire__start(void)
{
    atomic_store_explicit(&reclaimer, NULL, memory_order_seq_cst); /* of a former run */
    rounds = mem_realloc(rounds, rt_worker_count() * sizeof *rounds);
    CHECK(co_spawn("reclaimer", reclaim, NULL) == RT_OK);
}
