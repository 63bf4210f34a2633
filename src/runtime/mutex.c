/*
 * mutex.c - a mutex whose waiters park, first come first served.
 *
 *   state: LOCKED   somebody owns the mutex
 *          WAITERS  the queue is not empty
 *          QUEUE    somebody works on the queue (a spin lock of a few instructions)
 *   queue: the last waiter of a circular list; last->next is the first
 *
 * Invariants
 *  1. WAITERS implies LOCKED: unlocking with waiters hands the mutex to the first; it is never free
 *     in between, so nobody overtakes.
 *  2. m->queue and WAITERS change only while QUEUE is held.
 */
#include <sched.h>

#include "runtime/rt.h"

enum { LOCKED = 1, WAITERS = 2, QUEUE = 4 };

struct mutex_waiter {
    struct mutex_waiter *next;
    struct co *co;
    _Atomic(bool) granted;
};

static bool change(struct co_mutex *m, uintptr_t *from, uintptr_t to)
{
    return atomic_compare_exchange_weak_explicit(&m->state, from, to, memory_order_acq_rel,
                                                 memory_order_relaxed);
}

bool co_mutex_try(struct co_mutex *m)
{
    uintptr_t state = atomic_load_explicit(&m->state, memory_order_relaxed);
    while (!(state & LOCKED)) {
        if (change(m, &state, state | LOCKED)) return true;
    }
    return false;
}

/* Holds the queue, or, if the mutex is free, takes it instead: true. */
static bool lock_or_queue(struct co_mutex *m)
{
    uintptr_t state = atomic_load_explicit(&m->state, memory_order_relaxed);
    for (unsigned spins = 0;; spins++) {
        if (!(state & LOCKED)) {
            if (change(m, &state, state | LOCKED)) return true;
        } else if (!(state & QUEUE)) {
            if (change(m, &state, state | QUEUE)) return false;
        } else {
            if (spins > 32) sched_yield();
            state = atomic_load_explicit(&m->state, memory_order_relaxed);
        }
    }
}

static void append(struct co_mutex *m, struct mutex_waiter *w)
{
    struct mutex_waiter *last = m->queue;
    w->next = last ? last->next : w;
    if (last) last->next = w;
    m->queue = w;
}

static struct mutex_waiter *take_first(struct co_mutex *m)
{
    struct mutex_waiter *last = m->queue, *first = last->next;
    last->next = first->next;
    if (first == last) m->queue = NULL;
    return first;
}

void co_mutex_lock(struct co_mutex *m)
{
    uintptr_t free_state = 0;
    torture__yield();
    if (LIKELY(change(m, &free_state, LOCKED))) return;
    struct mutex_waiter w = {.co = co_self()};
    if (lock_or_queue(m)) return;
    append(m, &w);
    /* LOCKED | QUEUE, and nobody else may change it: the owner needs QUEUE to unlock. */
    atomic_store_explicit(&m->state, LOCKED | WAITERS, memory_order_release);
    while (!atomic_load_explicit(&w.granted, memory_order_acquire))
        co_park(RT_NEVER);
}

static void hand_over(struct co_mutex *m)
{
    struct mutex_waiter *first = take_first(m);
    struct co *co = first->co;
    atomic_store_explicit(&m->state, m->queue ? LOCKED | WAITERS : LOCKED, memory_order_release);
    atomic_store_explicit(&first->granted, true, memory_order_release);
    co_ready(co);
}

void co_mutex_unlock(struct co_mutex *m)
{
    uintptr_t state = LOCKED;
    for (unsigned spins = 0; !change(m, &state, state == LOCKED ? 0 : state | QUEUE); spins++) {
        while (state & QUEUE) {
            if (spins++ > 32) sched_yield();
            state = atomic_load_explicit(&m->state, memory_order_relaxed);
        }
    }
    if (state != LOCKED) hand_over(m);
}
