/*
 * keyspace.h - the data: partitions owned through channels, and in each the tables of every database,
 * the expiry index, watched keys and blocked clients.
 *
 *   key --hash--> partition --own--> database --find--> slot --> entry (types/)
 *
 * Ownership
 *  1. Whoever reads or changes data owns its partition. Ownership is taken with part_try_own(),
 *     part_own(), parts_own() or keyspace_own_all(), or lent: an operation queued with
 *     part_delegate() runs while some owner holds the partition. Functions marked OWNED assert it.
 *  2. A coroutine that owns a partition does not PARK, until it has let go of it.
 *  3. Several partitions are taken in ascending order by one call; nobody who owns one takes
 *     another. Hence no deadlock, and two-phase locking makes what runs serializable.
 *  4. Arrivals at an owned partition are served first come, first served.
 *
 * A slot (struct entry **) stays valid until its partition is disowned or another key of the same
 * database of it is added or deleted, whichever is first.
 */
#ifndef WEFT_KEYSPACE_H
#define WEFT_KEYSPACE_H

#include "base/base.h"
#include "runtime/runtime.h"
#include "types/types.h"

struct part;

/* ---- life ----------------------------------------------------------------------------------- */

struct keyspace_config {
    unsigned partitions; /* rounded up to a power of two; 0: max(64, 4 * workers rounded up) */
    unsigned databases;
};
/* Once, before rt_run() or in its first coroutine. */
void keyspace_init(const struct keyspace_config *config);
/* Starts the background coroutines (active expiry, lazy freeing, table upkeep). In a coroutine. */
void keyspace_start(void);
unsigned keyspace_parts(void);
unsigned keyspace_databases(void);
struct part *keyspace_part(unsigned index);
unsigned part_index(const struct part *p);

/* News from below, set before keyspace_start(). Called by whoever owns the partition; must not PARK. */
struct keyspace_hooks {
    /* A key was removed because its time had come (lazily or actively). */
    void (*expired)(struct part *p, unsigned db, struct slice key);
    /* Fields of a hash were removed because their time had come, actively; `emptied`: no field was
     * left and the key is gone too. */
    void (*fields_expired)(struct part *p, unsigned db, struct slice key, bool emptied);
};
void keyspace_set_hooks(const struct keyspace_hooks *hooks);

/* ---- keys ----------------------------------------------------------------------------------- */

struct key {
    struct slice s;
    uint64_t hash; /* of all its bytes: chooses the bucket */
    uint32_t part; /* index of its partition: from its hash tag if it has one, else from hash */
};
struct key key_of(struct slice s);

/* Brings what key's lookup will touch into the cache: first the bucket; and, called again for the
 * same key some dozens of ns later with stage 1, the entry. True of stage 1: the entry is not in the
 * key's half of the bucket; stage 2, as much later, looks into the other. Without ownership; reads no
 * freed memory. */
bool key_prefetch(const struct key *k, unsigned db, int stage);
/* Brings what owning a partition will write into the cache. */
void part_prefetch(unsigned index);

/* ---- ownership ------------------------------------------------------------------------------ */

/* Takes p if nobody owns it and nobody waits for all: one atomic operation. Never parks. */
bool part_try_own(struct part *p);
/* PARKS until the caller owns p. */
void part_own(struct part *p);
/* Lets go of p: on the way out runs operations that were queued meanwhile (a bounded number), then
 * hands p to the next in line. Does not park. */
void part_disown(struct part *p);
bool part_owned(const struct part *p); /* by anybody: for assertions */

/* Runs fn(p, arg) exactly once while p is owned, by this coroutine if p is idle, else by the owner
 * on its way out while this coroutine is PARKED (so fn must not ask who runs it, nor park). */
void part_delegate(struct part *p, void (*fn)(struct part *p, void *arg), void *arg);

/* A set of partitions. Zero-initialised is empty. part_set_free() gives back what a large one took. */
struct part_set {
    uint32_t n, cap;
    bool all;
    uint32_t small[8];
    uint32_t *ids; /* ascending, no doubles; NULL: in small */
};
void part_set_add(struct part_set *set, unsigned index);
void part_set_add_all(struct part_set *set);
bool part_set_has(const struct part_set *set, unsigned index);
bool part_set_covers(const struct part_set *set, const struct part_set *subset);
void part_set_merge(struct part_set *set, const struct part_set *other);
void part_set_free(struct part_set *set);
/* PARKS until the caller owns all of the set. */
void parts_own(const struct part_set *set);
void parts_disown(const struct part_set *set);

/* All partitions at once, by a gate and not by taking each: new arrivals queue, and the caller goes
 * on when the last owner has let go. PARKS. */
void keyspace_own_all(void);
void keyspace_disown_all(void);

/* ---- entries (all OWNED) -------------------------------------------------------------------- */

enum {
    KS_NO_TOUCH = 1,  /* leave the access time or frequency alone (OBJECT, TYPE, CLIENT NO-TOUCH) */
    KS_NO_STATS = 2,  /* do not count a hit or a miss */
    KS_EXPIRED_TOO = 4, /* find it even if its time has come */
};
/* The slot of a key, or NULL. One whose time (<= now_ms) has come is deleted and counts as absent. */
struct entry **ks_find(struct part *p, unsigned db, const struct key *k, int64_t now_ms,
                       unsigned flags);
/* Adds an entry under a key that is absent; takes it over. Returns its slot. */
struct entry **ks_add(struct part *p, unsigned db, const struct key *k, struct entry *e);
/* The slot's entry is now `e`, with the same key (it was moved, or replaced by the caller who has
 * freed the old one). had_expire: whether the old one had an expiry; the index is kept in step. */
void ks_moved(struct part *p, unsigned db, const struct key *k, struct entry **slot,
              struct entry *e, bool had_expire);
/* Replaces the slot's entry by another one with the same key; frees the old (large: in the background). */
void ks_replace(struct part *p, unsigned db, const struct key *k, struct entry **slot,
                struct entry *e);
/* Gives the entry an expiry (ENTRY_NO_EXPIRE: none). Returns the entry, which may have moved. */
struct entry *ks_set_expire(struct part *p, unsigned db, const struct key *k, struct entry **slot,
                            int64_t ms);
/* Unlinks the entry and returns it: the caller owns it now. */
struct entry *ks_take(struct part *p, unsigned db, const struct key *k, struct entry **slot);
/* Unlinks and frees it; large ones in the background when `lazy`. */
void ks_delete(struct part *p, unsigned db, const struct key *k, struct entry **slot, bool lazy);
/* Frees an entry that is in no table, in the background if that takes long. Any coroutine. */
void ks_free_later(struct entry *e);
uint64_t ks_lazyfree_pending(void);
uint64_t ks_lazyfreed(void);

/* Fields of the hash at k have got, lost or changed expiries: keeps the index in step. had: whether
 * entry_fields_due() was a time when the slot was found. To be called before the key is deleted. */
void ks_fields_due(struct part *p, unsigned db, const struct key *k, const struct entry *e, bool had);
/* n fields were removed because their time had come: counts them. */
void ks_fields_expired(struct part *p, uint64_t n);

uint64_t ks_part_size(const struct part *p, unsigned db);
/* A random live entry of p's database, or NULL. */
struct entry *ks_random(struct part *p, unsigned db, int64_t now_ms);
/* Empties one database of p (or all: db < 0): constant time; the old tables are freed in the
 * background, or when !lazy before the partition is disowned. Returns the number of keys dropped.
 * Watchers of existing keys are told. */
uint64_t ks_part_flush(struct part *p, int db, bool lazy);
/* Swaps two databases. With all partitions owned. Watchers and blocked clients are told. */
void ks_swap_databases(unsigned a, unsigned b);

/* ---- walking: without ownership, partition by partition --------------------------------------- */

/* One step of a walk over a database: visits a few buckets' live entries (at least one bucket, until
 * `count` entries were seen or so) and returns the next cursor, 0 at the end. Every key that is
 * present from the first to the last step is visited at least once, whatever grows or shrinks
 * meanwhile. visit() may not change the table. OWNS and disowns partitions itself (PARKS), unless
 * `owned` says that the caller owns all. */
typedef void ks_visit(void *arg, struct entry *e);
uint64_t ks_scan(unsigned db, uint64_t cursor, size_t count, int64_t now_ms, bool owned,
                 ks_visit *visit, void *arg);
/* The same; entries whose time has come are shown to stale(), when that is not NULL. */
uint64_t ks_scan_stale(unsigned db, uint64_t cursor, size_t count, int64_t now_ms, bool owned,
                       ks_visit *visit, ks_visit *stale, void *arg);
/* The number of keys in a database: the sum over partitions, without any instant. Never parks. */
uint64_t ks_size(unsigned db);
uint64_t ks_expires(unsigned db);      /* keys with an expiry */
uint64_t ks_subexpires(unsigned db);   /* hashes with fields that have an expiry */
int64_t ks_average_ttl(unsigned db);   /* ms, an estimate */
/* A random live key of the database copied to *out: false: empty. PARKS unless owned. */
bool ks_random_key(unsigned db, int64_t now_ms, bool owned, struct buf *out);

/* ---- watched keys (WATCH) --------------------------------------------------------------------- */

struct watch { /* one watched key of one client; memory is the client's */
    struct list_node in_part; /* p's watches of that key */
    struct list_node in_client;
    _Atomic(uint32_t) *dirty; /* set to 1 (relaxed) when the key changes; read by EXEC, which owns */
    struct slice key;         /* owned by the watch */
    uint32_t part, db;
    bool was_expired; /* its time had come when it was watched */
    uint64_t hash;
};
void ks_watch(struct part *p, struct watch *w);   /* OWNED */
void ks_unwatch(struct part *p, struct watch *w); /* OWNED */
/* To be called by every change of a key's value, existence or expiry: tells its watchers. Free when
 * nothing in p is watched. OWNED */
void ks_touched(struct part *p, unsigned db, const struct key *k);

/* ---- blocked clients -------------------------------------------------------------------------- */

/*
 * A waiter is a client that waits for one of some keys. It lies in the queue of each of them, in the
 * order of arrival, until it is claimed: by an owner who has something for it, or by itself (timeout,
 * CLIENT UNBLOCK, disconnect). Exactly one claim succeeds.
 *
 *   WAITING --waiter_claim--> CLAIMED (owned by who claimed it; its reply too) --waiter_done--> DONE
 */
struct waiter;
enum waiter_state { WAITER_WAITING, WAITER_CLAIMED, WAITER_DONE };
struct waiter_key {
    struct list_node in_queue;
    struct waiter *w;
    struct key key; /* bytes owned by the waiter */
};
struct waiter {
    struct co *co;
    _Atomic(uint32_t) state; /* release on DONE, acquire by the woken */
    uint32_t db, nkeys;
    struct waiter_key *keys;
    struct part_set needs; /* partitions that serving needs beside that of the key (BLMOVE's target) */
    /* Tries to serve w from this key, while p and w->needs are owned: true when w was claimed (then
     * waiter_done() was called), false when the key has nothing for it (the next in line is asked
     * only if that is useful: see ks_serve). Must not park. */
    bool (*serve)(struct waiter *w, struct part *p, const struct key *k, int64_t now_ms);
    enum value_type type; /* that it waits for */
    bool on_missing;      /* wakes too when the key vanishes or changes its type (XREADGROUP) */
    void *arg;
};
void ks_wait(struct part *p, struct waiter_key *wk);   /* OWNED: joins the key's queue at its end */
void ks_unwait(struct part *p, struct waiter_key *wk); /* OWNED: leaves it, if it is still there */
bool waiter_claim(struct waiter *w);  /* any thread */
void waiter_done(struct waiter *w);   /* by who claimed it: readies its coroutine; w is gone then */

/* A key came into being or grew, so that waiters may be served. Free when nobody waits in p. OWNED */
void ks_ready(struct part *p, unsigned db, const struct key *k);
/* Are there ready keys in p with waiters? */
bool part_has_ready(const struct part *p);
/* Serves waiters of p's ready keys (and of keys that become ready by it, in partitions of `owned`),
 * first come, first served. `owned`: all partitions that the caller owns (must hold what
 * ks_ready_needs() said). OWNED. */
void ks_serve(struct part *p, const struct part_set *owned, int64_t now_ms);
/* Before a command that may make keys ready runs: adds to `needs` the partitions that serving the
 * waiters of these keys would need, transitively through owned partitions. True when it added any.
 * The caller disowns, owns the larger set, and asks again. Free when nobody waits in p. OWNED */
bool ks_ready_needs(struct part *p, unsigned db, const struct key *k, struct part_set *needs);
uint64_t ks_waiting_keys(void);
uint64_t ks_waiting_keys_on_missing(void); /* those with a waiter of on_missing */

/* ---- access clock, statistics ----------------------------------------------------------------- */

/* LRU: seconds modulo 2^24; with LFU on, minutes and a logarithmic counter as Redis's OBJECT FREQ. */
void keyspace_set_lfu(bool on, int log_factor, int decay_minutes);
bool keyspace_lfu(void);
int64_t ks_idle_seconds(const struct entry *e);
unsigned ks_frequency(const struct entry *e);
/* Sets it as it was elsewhere: without effect under the other kind of policy. OWNED */
void ks_set_idle(struct entry *e, int64_t seconds);
void ks_set_frequency(struct entry *e, unsigned frequency);

struct part_stats {
    uint64_t hits, misses, expired, expired_stale_perc_x100, expire_cycle_us, time_cap_reached;
    uint64_t expired_fields;
    uint64_t keys, expires, buckets, resizing;
    uint64_t owned, contended, delegated, handed_over; /* contention */
};
void part_stats(unsigned index, struct part_stats *out); /* without ownership; approximate */
void keyspace_stats(struct part_stats *sum);
void keyspace_reset_stats(void);
/* DEBUG HTSTATS-like report of a database's tables, and of one key's bucket; text. */
void ks_table_report(unsigned db, struct buf *out);

/* Switches (CONFIG, DEBUG). */
void keyspace_set_active_expire(bool on);
void keyspace_set_resizing(bool on);
void keyspace_set_expire_effort(int effort); /* active-expire-effort 1 .. 10 */

#endif
