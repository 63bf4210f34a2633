/*
 * keyspace_internal.h - what the files of keyspace/ share: the partition, and who takes care of
 * what.
 *
 *   part.c   owning one partition, delegating       db.c        tables and entries
 *   parts.c  sets of them, and all by the gate       expire.c    active expiry
 *   table.c  the hash table                          scan.c      walks without ownership
 *   retire.c frees what others may be looking at     watch.c, wait.c   who wants to know
 *   lazyfree.c  frees what takes long                access.c, stats.c
 *
 * A partition is two kinds of memory: the word that everybody fights for, and what belongs to the
 * one who has won. They lie on different cache lines, so that those who wait do not slow down the
 * owner.
 */
#ifndef WEFT_KEYSPACE_INTERNAL_H
#define WEFT_KEYSPACE_INTERNAL_H

#include <stdatomic.h>

#include "keyspace/keyspace.h"
#include "keyspace/table.h"

/* ---- partitions -------------------------------------------------------------------------------
 */

#define PART_FREE   ((uintptr_t)0)
#define PART_OWNED  ((uintptr_t)1) /* bit: somebody owns it */
#define PART_LISTED ((uintptr_t)2) /* bit: it is in the gate's list, see parts.c */
#define PART_BITS   ((uintptr_t)3)

enum arrival_kind { ARRIVAL_OWN, ARRIVAL_DELEGATE, ARRIVAL_ALL };
enum arrival_outcome { ARRIVAL_WAITING, ARRIVAL_GRANTED, ARRIVAL_DONE };

/* Somebody waiting for a partition; lies on the stack of its coroutine, which is parked. */
struct arrival {
    struct arrival *next;
    struct co *co;
    enum arrival_kind kind;
    bool holds_others; /* owns other partitions: a closed gate does not stop it */
    void (*fn)(struct part *p, void *arg);
    void *arg;
    _Atomic(uint32_t) outcome; /* release by who serves it, acquire by the woken */
};
_Static_assert(_Alignof(struct arrival) > PART_BITS, "its address leaves room for the bits");

struct wait_map { /* wait.c: key -> those who wait for it */
    struct wait_queue **slot;
    size_t mask;              /* slots - 1; slot is NULL while nobody has ever waited */
    _Atomic(uint64_t) queues; /* keys that somebody waits for: read by anybody */
    _Atomic(uint64_t) missed; /* of those, where somebody wants to know when the key is gone */
    size_t movers;            /* waiting entries whose waiter needs other partitions too */
};

struct part_counters { /* written by the owner, read by anybody: relaxed */
    /* What a common command counts comes first: it lies in the cache line of the state. */
    _Atomic(uint64_t) owned, hits, misses, contended, delegated, handed_over, expired;
    _Atomic(uint64_t) expire_cycle_us, time_cap_reached, stale, expired_fields;
};

struct part {
    /* Written by every owner: this line, and no other by a command that changes no key, so that a
     * partition costs another core one transfer. */
    ALIGNED(CACHE_LINE) _Atomic(uintptr_t) state; /* bits, and the arrivals, the last one first */
    struct part_counters count;

    /* The owner's, except as said. */
    ALIGNED(CACHE_LINE) struct arrival *first, *last; /* arrivals in order, taken off the state */
    _Atomic(struct table *) *tables; /* by database: written by the owner, read by anybody */
    int64_t now_ms;                  /* the latest that the owner has heard of */
    _Atomic(uint32_t) due;           /* tick: nothing in p expires earlier (read by expire.c) */
    uint32_t index;
    struct list_node *watched; /* watch.c: chains of struct watch by hash; NULL: never watched */
    size_t watches;
    struct wait_map waiting;
    struct list_node ready; /* wait.c: queues of keys that are ready */
    struct list_node all;   /* tables of p, struct table.in_part */
    struct part *gate_next; /* parts.c: the gate's list */
};

struct keyspace {
    struct part *parts;
    unsigned n_parts, n_databases;
    uint64_t part_mask;
    struct keyspace_hooks hooks;
    bool started; /* its coroutines run */
};
extern struct keyspace keyspace;

static inline void count_add(_Atomic(uint64_t) *counter, uint64_t n)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

static inline uint64_t count_get(const _Atomic(uint64_t) *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* part.c: the way for those who own other partitions already. */
void part__own_too(struct part *p);
/* Queues a node at p if p is owned: false, and nothing has happened, if it is not. */
bool part__join(struct part *p, struct arrival *a);
void part__wait(struct arrival *a); /* PARKS until its outcome is there */
void part__disown_slow(struct part *p);

/* parts.c: the gate. Closed: word is 1 | the first of the list of partitions left to it. */
struct gate {
    ALIGNED(CACHE_LINE) _Atomic(uintptr_t) word;
    ALIGNED(CACHE_LINE) _Atomic(bool) held; /* all partitions are owned by one coroutine */
    struct co_mutex queue;                  /* those who want all, in order */
};
extern struct gate parts__gate;
/* p is OWNED | LISTED by the caller: puts it into the list; false: the gate is open. */
bool parts__leave_to_gate(struct part *p);

static inline bool parts__gate_closed(void)
{
    return atomic_load_explicit(&parts__gate.word, memory_order_seq_cst) != 0;
}

/* ---- tables of a partition (db.c) ---------------------------------------------------------------
 */

static inline struct table *part__table(const struct part *p, unsigned db)
{
    return atomic_load_explicit(&p->tables[db], memory_order_relaxed);
}
/* For those who do not own p: the table may be dropped meanwhile, but not freed (retire()). */
static inline struct table *part__peek(const struct part *p, unsigned db)
{
    return atomic_load_explicit(&p->tables[db], memory_order_acquire);
}
struct table *part__make_table(struct part *p, unsigned db);
/* An entry whose time has come has left its slot: tells everybody, and frees it. */
void db__expired(struct part *p, struct table *t, struct entry *e);
/* Removes fields of e whose time has come until out_of_time(arg). Returns when something of e
 * expires next, or DUE_EMPTIED: no field is left. */
int64_t db__expire_fields(struct part *p, struct table *t, struct entry *e, int64_t now_ms,
                          bool (*out_of_time)(void *arg), void *arg);
/* An entry whose last field has expired has left its slot. */
void db__emptied(struct part *p, struct table *t, struct entry *e);

/* ---- expiry (expire.c) --------------------------------------------------------------------------
 */

void expire__init(void);
void expire__start(void);
/* The entry in t's bucket of this hash expires at ms. */
void expire__note(struct part *p, struct table *t, uint64_t hash, int64_t ms);
/* Something in p is due at this tick. */
void expire__note_tick(struct part *p, uint32_t tick);

/* ---- freeing ------------------------------------------------------------------------------------
 */

/* Frees memory (mem_free) once no worker can be looking at it from before. Any coroutine. */
void retire(void *memory);
void retire__start(void);

void lazyfree__start(void);
void lazyfree__reset(void); /* what was freed so far is no longer counted */
/* Frees a table that nobody finds any more, with its entries. */
void lazyfree__table(struct table *t);
void lazyfree__table_now(struct table *t);

/* ---- who wants to know --------------------------------------------------------------------------
 */

void watch__table_dropped(struct part *p, unsigned db, const struct table *t);
void watch__swapped(struct part *p, unsigned a, unsigned b); /* the tables are swapped already */
/* A key is gone: wakes those who want to know that too. */
void wait__gone(struct part *p, unsigned db, const struct key *k);
void wait__table_dropped(struct part *p, unsigned db);
void wait__swapped(struct part *p, unsigned a, unsigned b);

/* ---- access (access.c) --------------------------------------------------------------------------
 */

extern _Atomic(bool) access__lfu;
uint32_t access__lfu_touch(uint32_t access, int64_t now_ms);
uint32_t access__initial(int64_t now_ms);

static inline uint32_t access__lru_now(int64_t now_ms)
{
    return (uint32_t)((uint64_t)now_ms / 1000) & 0xffffff;
}

/* Writes only when something changes: the line of a hot entry then stays shared. */
static inline void access__touch(struct entry *e, int64_t now_ms)
{
    uint32_t now = LIKELY(!atomic_load_explicit(&access__lfu, memory_order_relaxed))
                       ? access__lru_now(now_ms)
                       : access__lfu_touch(e->access, now_ms);
    if (e->access != now) e->access = now & 0xffffff;
}

#endif
