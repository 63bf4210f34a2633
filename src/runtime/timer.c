/*
 * timer.c - each worker's timers: a heap whose nodes have four children, and whose entries know
 * their place, so that cancelling one is O(log n).
 *
 *   timers[0]  first due                  children of i: 4i+1 .. 4i+4, parent of i: (i-1)/4
 *   entry {when, co} <--> co->timer_pos
 *
 * Invariants
 *  1. A coroutine waits in at most one heap, that of co->timer_worker; co->timer_pos is its index
 *     there. Both, and co->timed_out, change under that heap's lock only.
 *  2. w->timer_next is the first entry's time. The owner reads it without the lock: others only
 * take entries out, so what it reads is at worst too early.
 *
 * A coroutine adds itself to the heap of the worker it runs on, and takes itself out wherever it is
 * woken. The lock is held for a few instructions and hardly ever contended.
 */
#include "runtime/rt.h"

#define ARITY 4

static void place(struct worker *w, uint32_t at, struct timer t)
{
    w->timers[at] = t;
    t.co->timer_pos = at;
}

static void sift_up(struct worker *w, uint32_t at, struct timer t)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / ARITY;
        if (w->timers[parent].when <= t.when) break;
        place(w, at, w->timers[parent]);
        at = parent;
    }
    place(w, at, t);
}

static uint32_t first_child(const struct worker *w, uint32_t at)
{
    uint32_t begin = at * ARITY + 1, end = MIN(begin + ARITY, w->n_timers), best = begin;
    for (uint32_t i = begin + 1; i < end; i++) {
        if (w->timers[i].when < w->timers[best].when) best = i;
    }
    return best;
}

static void sift_down(struct worker *w, uint32_t at, struct timer t)
{
    while (at * ARITY + 1 < w->n_timers) {
        uint32_t child = first_child(w, at);
        if (w->timers[child].when >= t.when) break;
        place(w, at, w->timers[child]);
        at = child;
    }
    place(w, at, t);
}

static void publish_next(struct worker *w)
{
    int64_t next = w->n_timers ? w->timers[0].when : RT_NEVER;
    atomic_store_explicit(&w->timer_next, next, memory_order_relaxed);
}

static void remove_at(struct worker *w, uint32_t at)
{
    struct timer last = w->timers[--w->n_timers];
    w->timers[at].co->timer_pos = TIMER_NONE;
    if (at == w->n_timers) return;
    if (at > 0 && w->timers[(at - 1) / ARITY].when > last.when) {
        sift_up(w, at, last);
    } else {
        sift_down(w, at, last);
    }
}

void timer__add(struct worker *w, struct co *co, int64_t when)
{
    spin_lock(&w->timer_lock);
    if (w->n_timers == w->cap_timers) {
        w->cap_timers = w->cap_timers ? w->cap_timers * 2 : 64;
        w->timers = mem_realloc(w->timers, w->cap_timers * sizeof *w->timers);
    }
    co->timer_worker = w->id;
    co->timed_out = false;
    sift_up(w, w->n_timers++, (struct timer){when, co});
    publish_next(w);
    spin_unlock(&w->timer_lock);
}

bool timer__cancel(struct co *co)
{
    struct worker *w = &rt.workers[co->timer_worker];
    spin_lock(&w->timer_lock);
    bool fired = co->timed_out;
    if (co->timer_pos != TIMER_NONE) {
        remove_at(w, co->timer_pos);
        publish_next(w);
    }
    spin_unlock(&w->timer_lock);
    return fired;
}

void timer__fire(struct worker *w, struct worker *by, int64_t now)
{
    if (atomic_load_explicit(&w->timer_next, memory_order_relaxed) > now) return;
    spin_lock(&w->timer_lock);
    while (w->n_timers && w->timers[0].when <= now) {
        struct co *co = w->timers[0].co;
        remove_at(w, 0);
        co->timed_out = true;
        sched__ready_quietly(by, co);
    }
    publish_next(w);
    spin_unlock(&w->timer_lock);
}
