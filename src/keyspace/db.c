/*
 * db.c - the keyspace as a whole, keys, and the entries of a partition's databases.
 *
 *   key_of: bytes --> hash --> partition, bucket, tag        part->tables[db]: NULL until first
 * used
 *
 * Invariants
 *  1. table->expires counts its entries that have an expiry, and each of them is noted in its
 * bucket's `due` (expire.c). table->expire_sum is the sum of their times as far as it is known:
 * ks_moved() is not told the old time, so it takes the average away.
 *  2. table->subexpires counts its hashes with fields that expire. Each is noted in its bucket's
 * `due` too, by the first of them; who changes that says so (ks_fields_due()).
 *  3. Nothing here leaves a slot empty that somebody was given, but for what its header says.
 */
#include "keyspace/keyspace_internal.h"

#include <unistd.h>

#define MIN_PARTS 64
#define MAX_PARTS (1u << 16) /* as the hash has bits for it */

struct keyspace keyspace;

/* ---- life ----------------------------------------------------------------------------------- */

static unsigned default_parts(void)
{
    unsigned workers = rt_worker_count();
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (!workers) workers = cores > 0 ? (unsigned)cores : 1;
    return MAX(MIN_PARTS, 4 * workers);
}

static unsigned round_up(unsigned n)
{
    return n <= 1 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

static void part_init(struct part *p, unsigned index)
{
    p->index = index;
    p->tables = mem_calloc(keyspace.n_databases * sizeof *p->tables);
    atomic_init(&p->due, DUE_NEVER);
    list_init(&p->ready);
    list_init(&p->all);
}

void keyspace_init(const struct keyspace_config *config)
{
    unsigned n = config->partitions ? config->partitions : default_parts();
    n = MIN(round_up(MIN(n, MAX_PARTS)), MAX_PARTS);
    keyspace.n_databases = MAX(config->databases, 1);
    char *memory = mem_calloc(n * sizeof(struct part) + CACHE_LINE);
    memory += -(uintptr_t)memory % CACHE_LINE;
    keyspace.parts = (struct part *)memory;
    keyspace.part_mask = n - 1;
    expire__init();
    for (unsigned i = 0; i < n; i++)
        part_init(&keyspace.parts[i], i);
    keyspace.n_parts = n;
}

void keyspace_start(void)
{
    retire__start();
    lazyfree__start();
    expire__start();
    keyspace.started = true;
}

unsigned keyspace_parts(void)
{
    return keyspace.n_parts;
}

unsigned keyspace_databases(void)
{
    return keyspace.n_databases;
}

struct part *keyspace_part(unsigned index)
{
    assert(index < keyspace.n_parts);
    return &keyspace.parts[index];
}

unsigned part_index(const struct part *p)
{
    return p->index;
}

void keyspace_set_hooks(const struct keyspace_hooks *hooks)
{
    keyspace.hooks = *hooks;
}

/* ---- keys ----------------------------------------------------------------------------------- */

/* What lies between the first '{' and the first '}' behind it; the key itself if nothing does. */
static struct slice hash_tag(struct slice key, const char *open)
{
    const char *from = open + 1;
    const char *end = memchr(from, '}', key.n - (size_t)(from - key.p));
    return end && end > from ? slice_of(from, (size_t)(end - from)) : key;
}

struct key key_of(struct slice s)
{
    struct key k = {.s = s, .hash = hash_bytes(s)};
    uint64_t hash = k.hash;
    const char *open = s.n ? memchr(s.p, '{', s.n) : NULL;
    if (UNLIKELY(open != NULL)) {
        struct slice tag = hash_tag(s, open);
        if (tag.p != s.p) hash = hash_bytes(tag);
    }
    k.part = (uint32_t)(hash >> HASH_PART_SHIFT & keyspace.part_mask);
    return k;
}

void part_prefetch(unsigned index)
{
#ifdef __x86_64__
    /* The builtin becomes a prefetch for reading unless the target is said to have this one; where
     * it is missing it does nothing. */
    __asm__ volatile("prefetchw %0" : : "m"(keyspace.parts[index].state));
#else
    __builtin_prefetch(&keyspace.parts[index].state, 1);
#endif
}

bool key_prefetch(const struct key *k, unsigned db, int stage)
{
    const struct table *t = part__peek(&keyspace.parts[k->part], db);
    return t && table_prefetch(t, k->hash, stage);
}

/* ---- tables --------------------------------------------------------------------------------- */

static void set_table(struct part *p, unsigned db, struct table *t)
{
    atomic_store_explicit(&p->tables[db], t, memory_order_release);
    if (t) t->db = db;
}

struct table *part__make_table(struct part *p, unsigned db)
{
    struct table *t = part__table(p, db);
    if (LIKELY(t != NULL)) return t;
    t = table_new(db);
    list_push_back(&p->all, &t->in_part);
    set_table(p, db, t);
    return t;
}

static double expire_sum(const struct table *t)
{
    return atomic_load_explicit(&t->expire_sum, memory_order_relaxed);
}

/* One entry more or less that expires at ms. */
static void count_expire(struct table *t, int change, double ms)
{
    uint64_t n = count_get(&t->expires) + (uint64_t)(int64_t)change;
    double sum = n ? expire_sum(t) + change * ms : 0;
    atomic_store_explicit(&t->expires, n, memory_order_relaxed);
    atomic_store_explicit(&t->expire_sum, sum, memory_order_relaxed);
}

static void count_subexpire(struct table *t, int change)
{
    count_add(&t->subexpires, (uint64_t)(int64_t)change);
}

static void expire_begins(struct part *p, struct table *t, uint64_t hash, const struct entry *e)
{
    int64_t fields = entry_fields_due(e);
    if (UNLIKELY(e->has_expire)) {
        count_expire(t, 1, (double)entry_expire(e));
        expire__note(p, t, hash, entry_expire(e));
    }
    if (UNLIKELY(fields != ENTRY_NO_EXPIRE)) {
        count_subexpire(t, 1);
        expire__note(p, t, hash, fields);
    }
}

static void expire_ends(struct table *t, const struct entry *e)
{
    if (e->has_expire) count_expire(t, -1, (double)entry_expire(e));
    if (UNLIKELY(entry_fields_due(e) != ENTRY_NO_EXPIRE)) count_subexpire(t, -1);
}

static void free_entry(struct entry *e, bool lazy)
{
    if (lazy)
        ks_free_later(e);
    else
        entry_free(e);
}

/* ---- fields --------------------------------------------------------------------------------- */

#define FIELDS_AT_ONCE 32

void ks_fields_due(struct part *p, unsigned db, const struct key *k, const struct entry *e,
                   bool had)
{
    assert(part_owned(p));
    struct table *t = part__table(p, db);
    int64_t due = entry_fields_due(e);
    bool has = due != ENTRY_NO_EXPIRE;
    if (has != had) count_subexpire(t, has ? 1 : -1);
    if (has) expire__note(p, t, k->hash, due);
}

void ks_fields_expired(struct part *p, uint64_t n)
{
    count_add(&p->count.expired_fields, n);
}

static void tell_watchers(struct part *p, struct table *t, struct slice key, bool gone)
{
    if (LIKELY(!p->watches && !count_get(&p->waiting.queues))) return;
    struct key k = key_of(key);
    ks_touched(p, t->db, &k);
    if (gone) wait__gone(p, t->db, &k);
}

int64_t db__expire_fields(struct part *p, struct table *t, struct entry *e, int64_t now_ms,
                          bool (*out_of_time)(void *arg), void *arg)
{
    size_t n, sum = 0;
    while ((n = hash_remove_expired(e, now_ms, FIELDS_AT_ONCE)) > 0) {
        sum += n;
        if (out_of_time(arg)) break;
    }
    ks_fields_expired(p, sum);
    if (entry_fields_due(e) == ENTRY_NO_EXPIRE) count_subexpire(t, -1);
    if (hash_len(e) == 0) return DUE_EMPTIED;
    if (keyspace.hooks.fields_expired) {
        keyspace.hooks.fields_expired(p, t->db, entry_key(e), false);
    }
    tell_watchers(p, t, entry_key(e), false);
    return entry_due(e);
}

void db__emptied(struct part *p, struct table *t, struct entry *e)
{
    expire_ends(t, e);
    if (keyspace.hooks.fields_expired) {
        keyspace.hooks.fields_expired(p, t->db, entry_key(e), true);
    }
    tell_watchers(p, t, entry_key(e), true);
    ks_free_later(e);
}

/* ---- entries -------------------------------------------------------------------------------- */

void db__expired(struct part *p, struct table *t, struct entry *e)
{
    struct slice key = entry_key(e);
    expire_ends(t, e);
    count_add(&p->count.expired, 1);
    if (keyspace.hooks.expired) keyspace.hooks.expired(p, t->db, key);
    tell_watchers(p, t, key, true);
    ks_free_later(e);
}

static __attribute__((noinline)) bool still_there(struct part *p, struct table *t,
                                                  const struct key *k, struct entry **slot,
                                                  int64_t now_ms)
{
    struct entry *e = *slot;
    if (entry_expire(e) > now_ms) return true;
    table_remove(t, k->hash, slot);
    db__expired(p, t, e);
    return false;
}

struct entry **ks_find(struct part *p, unsigned db, const struct key *k, int64_t now_ms,
                       unsigned flags)
{
    assert(part_owned(p) && k->part == p->index);
    struct table *t = part__table(p, db);
    struct entry **slot = t ? table_find(t, k->hash, k->s) : NULL;
    if (p->now_ms != now_ms) p->now_ms = now_ms; /* others read its cache line */
    if (slot && UNLIKELY((*slot)->has_expire) && !(flags & KS_EXPIRED_TOO) &&
        !still_there(p, t, k, slot, now_ms)) {
        slot = NULL;
    }
    if (!(flags & KS_NO_STATS)) count_add(slot ? &p->count.hits : &p->count.misses, 1);
    if (slot && !(flags & KS_NO_TOUCH)) access__touch(*slot, now_ms);
    return slot;
}

static void init_access(struct part *p, struct entry *e)
{
    if (!p->now_ms) p->now_ms = clock_unix_ms();
    e->access = access__initial(p->now_ms) & 0xffffff;
}

struct entry **ks_add(struct part *p, unsigned db, const struct key *k, struct entry *e)
{
    assert(part_owned(p) && k->part == p->index);
    struct table *t = part__make_table(p, db);
    assert(!table_find(t, k->hash, k->s));
    if (!e->access) init_access(p, e);
    struct entry **slot = table_add(t, k->hash, e);
    expire_begins(p, t, k->hash, e);
    return slot;
}

void ks_moved(struct part *p, unsigned db, const struct key *k, struct entry **slot,
              struct entry *e, bool had_expire)
{
    assert(part_owned(p));
    struct table *t = part__table(p, db);
    if (had_expire) count_expire(t, -1, expire_sum(t) / (double)count_get(&t->expires));
    table_set(t, slot, e);
    if (!e->access) init_access(p, e);
    expire_begins(p, t, k->hash, e);
}

void ks_replace(struct part *p, unsigned db, const struct key *k, struct entry **slot,
                struct entry *e)
{
    assert(part_owned(p));
    struct table *t = part__table(p, db);
    struct entry *old = *slot;
    expire_ends(t, old);
    table_set(t, slot, e);
    if (!e->access) init_access(p, e);
    expire_begins(p, t, k->hash, e);
    if (UNLIKELY(count_get(&p->waiting.queues))) wait__gone(p, db, k);
    ks_free_later(old);
}

struct entry *ks_set_expire(struct part *p, unsigned db, const struct key *k, struct entry **slot,
                            int64_t ms)
{
    assert(part_owned(p));
    struct table *t = part__table(p, db);
    struct entry *e = *slot;
    expire_ends(t, e);
    if (e->has_expire && ms != ENTRY_NO_EXPIRE)
        entry_set_expire(e, ms);
    else
        e = entry_with_expire(e, ms);
    table_set(t, slot, e);
    expire_begins(p, t, k->hash, e);
    return e;
}

struct entry *ks_take(struct part *p, unsigned db, const struct key *k, struct entry **slot)
{
    assert(part_owned(p));
    struct table *t = part__table(p, db);
    struct entry *e = *slot;
    expire_ends(t, e);
    table_remove(t, k->hash, slot);
    table_resize_step(t, 2);
    if (UNLIKELY(count_get(&p->waiting.queues))) wait__gone(p, db, k);
    return e;
}

void ks_delete(struct part *p, unsigned db, const struct key *k, struct entry **slot, bool lazy)
{
    free_entry(ks_take(p, db, k, slot), lazy);
}

uint64_t ks_part_size(const struct part *p, unsigned db)
{
    const struct table *t = part__peek(p, db);
    return t ? count_get(&t->keys) : 0;
}

struct entry *ks_random(struct part *p, unsigned db, int64_t now_ms)
{
    assert(part_owned(p));
    struct table *t = part__table(p, db);
    for (int tries = 0; t && count_get(&t->keys) && tries < 1000; tries++) {
        struct entry *e = table_random(t);
        if (!e) continue;
        if (!e->has_expire || entry_expire(e) > now_ms) return e;
        struct key k = key_of(entry_key(e));
        ks_find(p, db, &k, now_ms, KS_NO_TOUCH | KS_NO_STATS);
    }
    return NULL;
}

/* ---- whole databases ------------------------------------------------------------------------ */

static uint64_t flush(struct part *p, unsigned db, bool lazy)
{
    struct table *t = part__table(p, db);
    if (!t) return 0;
    uint64_t keys = count_get(&t->keys);
    watch__table_dropped(p, db, t);
    set_table(p, db, NULL);
    list_remove(&t->in_part);
    wait__table_dropped(p, db);
    if (lazy)
        lazyfree__table(t);
    else
        lazyfree__table_now(t);
    return keys;
}

uint64_t ks_part_flush(struct part *p, int db, bool lazy)
{
    uint64_t keys = 0;
    assert(part_owned(p));
    if (db >= 0) return flush(p, (unsigned)db, lazy);
    LIST_FOR_SAFE(node, &p->all)
    {
        keys += flush(p, LIST_ENTRY(node, struct table, in_part)->db, lazy);
    }
    return keys;
}

void ks_swap_databases(unsigned a, unsigned b)
{
    if (a == b) return;
    for (unsigned i = 0; i < keyspace.n_parts; i++) {
        struct part *p = &keyspace.parts[i];
        struct table *ta = part__table(p, a), *tb = part__table(p, b);
        assert(part_owned(p));
        if (!ta && !tb) continue;
        set_table(p, a, tb);
        set_table(p, b, ta);
        watch__swapped(p, a, b);
        wait__swapped(p, a, b);
    }
}

static uint64_t sum_tables(unsigned db, uint64_t (*of)(const struct table *t))
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < keyspace.n_parts; i++) {
        const struct table *t = part__peek(&keyspace.parts[i], db);
        if (t) sum += of(t);
    }
    return sum;
}

static uint64_t keys_of(const struct table *t)
{
    return count_get(&t->keys);
}

static uint64_t expires_of(const struct table *t)
{
    return count_get(&t->expires);
}

static uint64_t subexpires_of(const struct table *t)
{
    return count_get(&t->subexpires);
}

uint64_t ks_size(unsigned db)
{
    return sum_tables(db, keys_of);
}

uint64_t ks_expires(unsigned db)
{
    return sum_tables(db, expires_of);
}

uint64_t ks_subexpires(unsigned db)
{
    return sum_tables(db, subexpires_of);
}

int64_t ks_average_ttl(unsigned db)
{
    double sum = 0;
    uint64_t n = ks_expires(db);
    for (unsigned i = 0; i < keyspace.n_parts; i++) {
        const struct table *t = part__peek(&keyspace.parts[i], db);
        if (t) sum += expire_sum(t);
    }
    double ttl = n ? sum / (double)n - (double)clock_unix_ms() : 0;
    return ttl > 0 ? (int64_t)ttl : 0;
}
