/*
 * part.c - how one comes to own a partition, waits for it, lets it go, or lends work to its owner.
 *
 * The channel of a partition is one word:
 *
 *   state = | address of the arrival that came last, linked to those before it | LISTED | OWNED |
 *
 *              part_try_own: 0 -> OWNED
 *     FREE <---------------------------------> OWNED   <---- arrivals push themselves
 *              part_disown: OWNED -> 0           | part_disown_slow
 *                                                +--> a DELEGATE's operation is run, its coroutine
 * woken
 *                                                +--> the next in line becomes the owner (state
 * stays)
 *                                                +--> an ALL: left to the gate, see parts.c
 *
 * Invariants
 *  1. Only the owner clears OWNED, and only it touches the queue first..last, which holds arrivals
 * in the order in which they came; those still on the word came later. Ownership handed over takes
 *     the queue along.
 *  2. OWNED is cleared only while nobody waits, or for the gate. So whoever finds a partition free
 *     overtakes nobody.
 *  3. An arrival is on the stack of a parked coroutine. After its outcome is set it is not touched
 *     any more, for that coroutine may be gone; its struct co is never given back to the system
 *     (runtime/), so readying it late is harmless.
 *  4. After taking a free partition one looks at the gate. The taking is a sequentially consistent
 *     read-modify-write and closing the gate a store before loads of all states: either the closer
 *     sees OWNED, or the taker sees the gate closed.
 *
 * The cost without contention is one compare-and-swap to take and one to let go; the gate's word is
 * read from a line that nobody writes.
 *
 * A bounded drain: an owner on its way out runs at most DRAIN operations of others, so that its own
 * client gets its reply; then the next in line becomes the owner and goes on draining.
 *
 * Handing over to a parked coroutine costs a wake-up and a switch, during which the partition stands
 * still. So an arrival looks for a moment whether the owner lets go before it queues, and short work
 * can be lent with part_delegate() instead. docs/keyspace.md has what was measured of both.
 */
#include "keyspace/keyspace_internal.h"

#define DRAIN      64
#define SPIN_TURNS 40 /* with a pause each: about half a microsecond */

static inline void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline bool take(struct part *p, uintptr_t from)
{
    return atomic_compare_exchange_strong_explicit(&p->state, &from, from | PART_OWNED,
                                                   memory_order_seq_cst, memory_order_relaxed);
}

/* ---- taking --------------------------------------------------------------------------------- */

/* p was just taken and the gate was seen closed: leaves p to it (false), unless it has opened. */
static __attribute__((noinline)) bool pass_gate(struct part *p)
{
    while (parts__gate_closed()) {
        atomic_fetch_or_explicit(&p->state, PART_LISTED, memory_order_relaxed);
        if (parts__leave_to_gate(p)) {
            part__disown_slow(p);
            return false;
        }
        atomic_fetch_and_explicit(&p->state, ~PART_LISTED, memory_order_seq_cst);
    }
    return true;
}

bool part_try_own(struct part *p)
{
    if (UNLIKELY(!take(p, PART_FREE))) return false;
    if (UNLIKELY(parts__gate_closed()) && !pass_gate(p)) return false;
    count_add(&p->count.owned, 1);
    return true;
}

/* A few hundred ns: long enough for a short command to end on another core. */
static bool spin(struct part *p)
{
    if (rt_worker_count() < 2) return false;
    for (int i = 0; i < SPIN_TURNS; i++) {
        uintptr_t s = atomic_load_explicit(&p->state, memory_order_relaxed);
        if (s == PART_FREE) return part_try_own(p);
        if (s != PART_OWNED) return false; /* others wait already */
        pause_cpu();
    }
    return false;
}

bool part__join(struct part *p, struct arrival *a)
{
    uintptr_t s = atomic_load_explicit(&p->state, memory_order_relaxed);
    atomic_init(&a->outcome, ARRIVAL_WAITING);
    a->co = co_self();
    do {
        bool waits = a->holds_others || a->kind == ARRIVAL_ALL ? s & PART_OWNED : s != PART_FREE;
        if (!waits) return false;
        a->next = (struct arrival *)(s & ~PART_BITS);
    } while (!atomic_compare_exchange_weak_explicit(&p->state, &s, (uintptr_t)a | (s & PART_BITS),
                                                    memory_order_release, memory_order_relaxed));
    return true;
}

void part__wait(struct arrival *a)
{
    while (atomic_load_explicit(&a->outcome, memory_order_acquire) == ARRIVAL_WAITING) {
        co_park(RT_NEVER);
    }
}

static __attribute__((noinline)) void own_slow(struct part *p)
{
    struct arrival a = {.kind = ARRIVAL_OWN};
    if (spin(p)) return;
    while (!part__join(p, &a)) {
        if (part_try_own(p)) return;
    }
    part__wait(&a);
    count_add(&p->count.owned, 1);
    count_add(&p->count.contended, 1);
}

void part_own(struct part *p)
{
    if (UNLIKELY(!part_try_own(p))) own_slow(p);
}

void part__own_too(struct part *p)
{
    struct arrival a = {.kind = ARRIVAL_OWN, .holds_others = true};
    for (;;) {
        uintptr_t s = atomic_load_explicit(&p->state, memory_order_relaxed);
        if (!(s & PART_OWNED) && take(p, s)) break;
        if ((s & PART_OWNED) && part__join(p, &a)) {
            part__wait(&a);
            count_add(&p->count.contended, 1);
            break;
        }
    }
    count_add(&p->count.owned, 1);
}

bool part_owned(const struct part *p)
{
    return (atomic_load_explicit(&p->state, memory_order_relaxed) & PART_OWNED) ||
           atomic_load_explicit(&parts__gate.held, memory_order_relaxed);
}

/* ---- letting go ----------------------------------------------------------------------------- */

/* Moves the arrivals on the word behind those in the queue, the first one first. */
static void collect(struct part *p)
{
    uintptr_t s = atomic_load_explicit(&p->state, memory_order_relaxed);
    if (!(s & ~PART_BITS)) return;
    s = atomic_fetch_and_explicit(&p->state, PART_BITS, memory_order_acquire);
    struct arrival *a = (struct arrival *)(s & ~PART_BITS), *first = NULL, *next;
    struct arrival *last = a;
    for (; a; a = next) {
        next = a->next;
        a->next = first;
        first = a;
    }
    if (p->first)
        p->last->next = first;
    else
        p->first = first;
    p->last = last;
}

static void unlink_arrival(struct part *p, struct arrival *a)
{
    struct arrival **at = &p->first, *before = NULL;
    while (*at != a) {
        before = *at;
        at = &before->next;
    }
    *at = a->next;
    if (p->last == a) p->last = before;
}

static void conclude(struct arrival *a, enum arrival_outcome outcome)
{
    struct co *co = a->co;
    atomic_store_explicit(&a->outcome, outcome, memory_order_release);
    co_ready(co);
}

static void hand_over(struct part *p, struct arrival *a)
{
    unlink_arrival(p, a);
    count_add(&p->count.handed_over, 1);
    conclude(a, ARRIVAL_GRANTED);
}

static struct arrival *first_who(const struct part *p, bool holds_others, bool wants_all)
{
    struct arrival *a = p->first;
    while (a && !((holds_others && a->holds_others) || (wants_all && a->kind == ARRIVAL_ALL))) {
        a = a->next;
    }
    return a;
}

/* p is in the gate's list: those who own others go first, all else waits until the gate opens.
 * False: the gate has opened meanwhile. */
static bool leave_listed(struct part *p)
{
    for (;;) {
        uintptr_t s = PART_OWNED | PART_LISTED;
        collect(p);
        struct arrival *next = first_who(p, true, false);
        if (next) {
            hand_over(p, next);
            return true;
        }
        struct arrival *all = first_who(p, false, true);
        if (all) unlink_arrival(p, all);
        if (all) conclude(all, ARRIVAL_GRANTED);
        if (atomic_compare_exchange_strong_explicit(&p->state, &s, PART_LISTED,
                                                    memory_order_seq_cst, memory_order_relaxed)) {
            return true;
        }
        if (!(s & PART_LISTED)) return false;
    }
}

/* Who wants all is next: those behind it who own others must not wait for it. */
static void leave_to_all(struct part *p)
{
    struct arrival *next = first_who(p, true, false);
    if (next) {
        hand_over(p, next);
        return;
    }
    atomic_fetch_or_explicit(&p->state, PART_LISTED, memory_order_relaxed);
    parts__leave_to_gate(p);
    if (!leave_listed(p)) part__disown_slow(p);
}

static void run_delegated(struct part *p, struct arrival *a)
{
    unlink_arrival(p, a);
    a->fn(p, a->arg);
    count_add(&p->count.delegated, 1);
    conclude(a, ARRIVAL_DONE);
}

void part__disown_slow(struct part *p)
{
    for (int budget = DRAIN;; budget--) {
        uintptr_t s = PART_OWNED;
        collect(p);
        if (atomic_load_explicit(&p->state, memory_order_relaxed) & PART_LISTED) {
            if (leave_listed(p)) return;
        } else if (!p->first) {
            if (atomic_compare_exchange_strong_explicit(
                    &p->state, &s, PART_FREE, memory_order_seq_cst, memory_order_relaxed)) {
                return;
            }
        } else if (p->first->kind == ARRIVAL_ALL) {
            leave_to_all(p);
            return;
        } else if (p->first->kind == ARRIVAL_DELEGATE && budget > 0) {
            run_delegated(p, p->first);
        } else {
            hand_over(p, p->first);
            return;
        }
    }
}

void part_disown(struct part *p)
{
    uintptr_t s = PART_OWNED;
    assert(part_owned(p));
    if (LIKELY(!p->first) &&
        LIKELY(atomic_compare_exchange_strong_explicit(
            &p->state, &s, PART_FREE, memory_order_release, memory_order_relaxed))) {
        return;
    }
    part__disown_slow(p);
}

/* ---- lending -------------------------------------------------------------------------------- */

void part_delegate(struct part *p, void (*fn)(struct part *p, void *arg), void *arg)
{
    struct arrival a = {.kind = ARRIVAL_DELEGATE, .fn = fn, .arg = arg};
    bool mine = part_try_own(p) || spin(p);
    while (!mine && !part__join(p, &a))
        mine = part_try_own(p);
    if (!mine) {
        part__wait(&a);
        if (atomic_load_explicit(&a.outcome, memory_order_relaxed) == ARRIVAL_DONE) return;
        count_add(&p->count.owned, 1);
        count_add(&p->count.contended, 1);
    }
    fn(p, arg);
    part_disown(p);
}
