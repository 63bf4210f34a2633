/*
 * stats.c - the runtime's statistics: counters that each worker alone writes, read by anybody
 * (relaxed) and summed.
 */
#include <string.h>

#include "runtime/rt.h"

static uint64_t get(const _Atomic(uint64_t) *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_counters(struct rt_stats *s, const struct counters *c)
{
    s->switches += get(&c->switches);
    s->spawns += get(&c->spawns);
    s->steals += get(&c->steals);
    s->stolen += get(&c->stolen);
    s->polls += get(&c->polls);
    s->poll_waits += get(&c->poll_waits);
    s->poll_events += get(&c->poll_events);
    s->wakeups += get(&c->wakeups);
    s->parks += get(&c->parks);
    s->parked += get(&c->parks) - get(&c->unparks);
    s->dormant += get(&c->sleeps) - get(&c->unsleeps);
    s->coroutines += get(&c->spawns) - get(&c->ends);
}

static void add_worker(struct rt_stats *s, const struct worker *w)
{
    add_counters(s, &w->count);
    s->run_queue += sched__ring_count(w);
    s->idle_stacks += atomic_load_explicit(&w->n_stacks, memory_order_relaxed);
}

void rt_stats_of(unsigned worker, struct rt_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    if (worker < rt.n) add_worker(stats, &rt.workers[worker]);
}

/* Counters of one gauge are read at different times: it may seem a little below zero. */
static void not_negative(uint64_t *gauge)
{
    if ((int64_t)*gauge < 0) *gauge = 0;
}

void rt_stats(struct rt_stats *total)
{
    uint64_t idle = 0;
    memset(total, 0, sizeof *total);
    if (rt.n == 0) return;
    for (unsigned i = 0; i < rt.n; i++)
        add_worker(total, &rt.workers[i]);
    add_counters(total, &rt.foreign);
    total->run_queue += atomic_load_explicit(&rt.n_global, memory_order_relaxed);
    total->stacks = co__stacks(&idle);
    total->idle_stacks += idle;
    offload__stats(total);
    not_negative(&total->coroutines);
    not_negative(&total->parked);
    not_negative(&total->dormant);
}
