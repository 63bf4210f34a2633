/*
 * parts.c - sets of partitions, and all of them at once by the gate.
 *
 * A set is taken in ascending order, each partition as part.c does it.
 *
 * The gate
 *   Whoever wants all partitions closes the gate and then reads the state of each: where it finds
 * an owner it queues (as an ALL) and parks; a free one it leaves alone, for nobody can use it any
 * more:
 *
 *     taker                                     closer
 *     1. state: FREE -> OWNED (seq_cst)         1. word: 0 -> closed (seq_cst)
 *     2. reads word: closed: backs off          2. reads state: OWNED: waits
 *
 *   In the one order of all sequentially consistent operations either 1 (taker) precedes 2
 * (closer), and the closer waits, or 1 (closer) precedes 2 (taker), and the taker backs off.
 *
 *   Backing off is leaving the partition to the gate: it is put into the gate's list and marked
 * LISTED, and the arrival queues at it as if it were owned. Whoever opens the gate takes the
 * partitions of the list and disowns each, which serves those who wait there. So there is no queue
 * but those of the partitions, first come first served holds across a closed gate, and those
 * partitions that nobody asked for meanwhile cost the closer one load.
 *
 *   Whoever owns some of a set and arrives at another partition may not be stopped, since the
 * closer waits for what it owns. It may therefore take LISTED partitions, goes before an ALL, and
 * ignores the gate. Hence the closer looks again, until a pass from the first to the last partition
 * met no owner. One clean pass suffices: a set is taken in ascending order before any of it is let
 * go; if the pass found the lowest one free, the set was not begun (then its first taking meets the
 * gate), or it was owned completely by then, and what is still owned of it lies ahead of the pass.
 *
 * Invariants
 *  1. Between closing and opening, word is 1 | address of the first partition listed.
 *  2. A partition is LISTED from before it is put into the list until the gate opens.
 *  3. At most one coroutine has closed the gate; the others wait in the mutex, in order. One that
 * wants all starves nobody: those who queued while the gate was closed own their partitions when it
 *     opens, so the next one to want all waits for them.
 *
 * Rejected: taking every partition. It is a read-modify-write each on lines of other cores, twice,
 * and each takes its place in every queue on the way.
 */
#include "keyspace/keyspace_internal.h"

struct gate parts__gate = {.queue = CO_MUTEX_INIT};

#define CLOSED ((uintptr_t)1)

/* ---- sets ----------------------------------------------------------------------------------- */

static uint32_t *ids_of(struct part_set *set)
{
    return set->ids ? set->ids : set->small;
}

static const uint32_t *ids_in(const struct part_set *set)
{
    return set->ids ? set->ids : set->small;
}

/* Where index is, or belongs. */
static uint32_t lower_bound(const struct part_set *set, uint32_t index)
{
    const uint32_t *ids = ids_in(set);
    uint32_t low = 0, high = set->n;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (ids[mid] < index)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void set_grow(struct part_set *set)
{
    uint32_t cap = set->ids ? set->cap * 2 : 4 * ARRAY_LEN(set->small);
    uint32_t *ids = mem_alloc(cap * sizeof *ids);
    memcpy(ids, ids_in(set), set->n * sizeof *ids);
    mem_free(set->ids);
    set->ids = ids;
    set->cap = cap;
}

void part_set_add(struct part_set *set, unsigned index)
{
    if (set->all) return;
    uint32_t at = lower_bound(set, index);
    if (at < set->n && ids_in(set)[at] == index) return;
    if (set->n == (set->ids ? set->cap : ARRAY_LEN(set->small))) set_grow(set);
    uint32_t *ids = ids_of(set);
    memmove(ids + at + 1, ids + at, (set->n - at) * sizeof *ids);
    ids[at] = index;
    set->n++;
}

void part_set_add_all(struct part_set *set)
{
    part_set_free(set);
    set->all = true;
}

bool part_set_has(const struct part_set *set, unsigned index)
{
    uint32_t at = set->all ? 0 : lower_bound(set, index);
    return set->all || (at < set->n && ids_in(set)[at] == index);
}

bool part_set_covers(const struct part_set *set, const struct part_set *subset)
{
    if (set->all) return true;
    if (subset->all) return false;
    for (uint32_t i = 0; i < subset->n; i++) {
        if (!part_set_has(set, ids_in(subset)[i])) return false;
    }
    return true;
}

void part_set_merge(struct part_set *set, const struct part_set *other)
{
    if (other->all) part_set_add_all(set);
    for (uint32_t i = 0; i < other->n; i++)
        part_set_add(set, ids_in(other)[i]);
}

void part_set_free(struct part_set *set)
{
    mem_free(set->ids);
    *set = (struct part_set){0};
}

void parts_own(const struct part_set *set)
{
    const uint32_t *ids = ids_in(set);
    if (set->all) keyspace_own_all();
    if (set->all || set->n == 0) return;
    part_own(keyspace_part(ids[0]));
    for (uint32_t i = 1; i < set->n; i++)
        part__own_too(keyspace_part(ids[i]));
}

void parts_disown(const struct part_set *set)
{
    const uint32_t *ids = ids_in(set);
    if (set->all) keyspace_disown_all();
    if (set->all) return;
    for (uint32_t i = 0; i < set->n; i++)
        part_disown(keyspace_part(ids[i]));
}

/* ---- the gate ------------------------------------------------------------------------------- */

bool parts__leave_to_gate(struct part *p)
{
    uintptr_t word = atomic_load_explicit(&parts__gate.word, memory_order_seq_cst);
    do {
        if (word == 0) return false;
        p->gate_next = (struct part *)(word & ~CLOSED);
    } while (!atomic_compare_exchange_weak_explicit(&parts__gate.word, &word, (uintptr_t)p | CLOSED,
                                                    memory_order_seq_cst, memory_order_seq_cst));
    return true;
}

/* Waits for p's owner, if it has one: true: it had. */
static bool wait_for_owner(struct part *p)
{
    struct arrival a = {.kind = ARRIVAL_ALL};
    if (!(atomic_load_explicit(&p->state, memory_order_seq_cst) & PART_OWNED)) return false;
    if (part__join(p, &a)) part__wait(&a);
    return true;
}

void keyspace_own_all(void)
{
    bool met_owner = true;
    co_mutex_lock(&parts__gate.queue);
    atomic_store_explicit(&parts__gate.word, CLOSED, memory_order_seq_cst);
    while (met_owner) {
        met_owner = false;
        for (unsigned i = 0; i < keyspace.n_parts; i++) {
            if (wait_for_owner(&keyspace.parts[i])) met_owner = true;
        }
    }
    atomic_store_explicit(&parts__gate.held, true, memory_order_relaxed);
}

/* The gate is open: takes a partition of its list back, and serves who waits there. */
static void release_listed(struct part *p)
{
    uintptr_t s = atomic_load_explicit(&p->state, memory_order_relaxed);
    uintptr_t next;
    do { /* whoever is still about to leave it to the gate sees that it need not */
        next = s & PART_OWNED ? s & ~PART_LISTED : (s & ~PART_LISTED) | PART_OWNED;
    } while (!atomic_compare_exchange_weak_explicit(&p->state, &s, next, memory_order_seq_cst,
                                                    memory_order_relaxed));
    if (!(s & PART_OWNED)) part_disown(p);
}

void keyspace_disown_all(void)
{
    atomic_store_explicit(&parts__gate.held, false, memory_order_relaxed);
    uintptr_t word = atomic_exchange_explicit(&parts__gate.word, 0, memory_order_seq_cst);
    struct part *p = (struct part *)(word & ~CLOSED), *next;
    for (; p; p = next) {
        next = p->gate_next;
        release_listed(p);
    }
    co_mutex_unlock(&parts__gate.queue);
}
