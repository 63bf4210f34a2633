/*
 * table.c - a linear hash table of two-line buckets that grows and shrinks one bucket at a time.
 *
 *   directory --> chunk of 64 buckets --> bucket = | line 0 | line 1 |--> overflow line --> ...
 *
 *   line (64 bytes) = | 7 tags, 1 byte of flags | slot 0 | ... | slot 5 | slot 6 or next line |
 *
 * A key's hash chooses its bucket, the line of it that the key calls home, and its tag. The key
 * lies at home if there was room, else in the other line of the bucket, which is the neighbour that
 * the processor fetches along with it, else in a chain of overflow lines behind line 1. A home line
 * some of whose keys lie elsewhere is marked (SPILLED): a search of an unmarked line ends there.
 * The tags of a line are compared at once, so the common search reads the home line and the entry.
 *
 * Growing
 *   With n buckets and mask the smallest 2^i - 1 >= n - 1, a hash belongs to bucket h & mask, or to
 *   h & (mask >> 1) if that is not there yet. Growing adds bucket n and moves about half of its
 * buddy (n without its highest bit) there; shrinking merges the last bucket into its buddy. Neither
 *   depends on how large the table is: a step looks at one or two buckets' entries, takes memory
 * for 64 buckets at most, and now and then copies the directory (8 bytes for about 750 keys). The
 * load is held at 11.8 keys a bucket of 14. In simulation that gives 12.5 bytes a key on average
 * over a doubling, 12.9 at worst; 12 % of keys lie in an overflow line and 3 % in the neighbour.
 * docs/keyspace.md has the measurements.
 *
 * Walking
 *   A cursor is a position in the space of hashes with their bits reversed. A bucket is an interval
 * of that space, splitting halves the interval and merging joins two; the walk moves the cursor to
 * the end of the interval it has visited. So it visits every key that stays, whatever happens in
 * between.
 *
 * Invariants
 *  1. Adding and removing move no entry but the one in slot 6 of a full line that gets a successor.
 *     table_remove() moves none, so a lookup that finds an expired key invalidates no other slot.
 *  2. Slot 6 of line 1 and of overflow lines: used (its flag is set), empty (NULL), or the next
 * line. Unused slots are NULL.
 *  3. A key is in its bucket; if it is not in its home line, that line is SPILLED.
 *  4. due[b] <= the tick of every expiry in bucket b; due_chunk and due_min are lower bounds too.
 *  5. Chunks, directories and tables that were reachable are freed through retire():
 * table_prefetch() may be looking at them without owning the partition. It dereferences nothing
 * else, in particular neither entries nor overflow lines, whose addresses it only prefetches; so a
 * stale or torn view costs a useless prefetch. What it reads is written with relaxed stores, and
 * the pointers that it follows with release stores. A chunk's address carries the logarithm of its
 * capacity in its low bits, so that the two are read together.
 *
 * Rejected
 *   - Doubling with two tables (Redis): while both exist, memory is up to 1.5 times what it need
 * be, and every lookup asks twice. Segments split in halves (extendible hashing): with a good hash
 *     they all fill at the same time, so occupancy swings between 45 and 90 %.
 *   - One line a bucket: 13.9 bytes a key and 17 % of keys in the overflow at the same load
 * (Poisson's law is cruel to small buckets). Partial expansions (groups of 2, 3, 4 buckets): saves
 * 0.4 bytes a key and a third of the overflow, but looks at every key twice a doubling instead of
 * once.
 *   - 9 slots of 6 bytes in a line: slots could not be handed out as struct entry **.
 *   - A version in each bucket: all 64 bytes are taken. A snapshot can keep an array beside the
 * chunks for as long as it runs, found by the bucket's number as `due` is.
 */
#include "keyspace/keyspace_internal.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SPILLED         (UINT64_C(1) << 63)
#define ALL_USED        0x7fu
#define LAST            (LINE_SLOTS - 1)
#define FEW             64
#define CHUNK_LOG       6
#define CHUNK_TAGS      ((uintptr_t)7)
#define GROW_ABOVE(n)   ((n)*59 / 5) /* keys: 11.8 a bucket */
#define SHRINK_BELOW(n) ((n)*59 / 10)

_Static_assert(sizeof(struct line) == CACHE_LINE, "a line is a cache line");
_Static_assert(CHUNK_BUCKETS == 1 << CHUNK_LOG, "");

_Atomic(bool) table_resizing = true;

/* ---- lines ---------------------------------------------------------------------------------- */

static inline unsigned used_of(uint64_t meta)
{
    return (unsigned)(meta >> 56) & ALL_USED;
}

static inline uint8_t tag_of(uint64_t hash)
{
    return (uint8_t)(hash >> HASH_TAG_SHIFT);
}

static inline unsigned home_of(uint64_t hash)
{
    return (unsigned)(hash >> HASH_LINE_SHIFT) & 1;
}

static inline void set_meta(struct line *l, uint64_t meta)
{
    __atomic_store_n(&l->meta, meta, __ATOMIC_RELAXED);
}

static inline void set_slot(struct entry **slot, struct entry *e)
{
    __atomic_store_n(slot, e, __ATOMIC_RELAXED);
}

/* The used slots whose tag this is, as bits. */
static inline unsigned match(uint64_t meta, uint8_t tag)
{
#ifdef __SSE2__
    __m128i same = _mm_cmpeq_epi8(_mm_cvtsi64_si128((long long)meta), _mm_set1_epi8((char)tag));
    return (unsigned)_mm_movemask_epi8(same) & used_of(meta);
#else
    const uint64_t low7 = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t x = meta ^ (UINT64_C(0x0101010101010101) * tag);
    uint64_t zero = ~(((x & low7) + low7) | x | low7); /* 0x80 in each byte that is zero */
    return (unsigned)(((zero >> 7) * UINT64_C(0x0102040810204080)) >> 56) & used_of(meta);
#endif
}

static inline struct line *next_line(const struct line *l)
{
    return used_of(l->meta) >> LAST ? NULL : (struct line *)l->slot[LAST];
}

static void put(struct line *l, unsigned i, uint8_t tag, struct entry *e)
{
    uint64_t meta = l->meta & ~(UINT64_C(0xff) << (8 * i));
    set_slot(&l->slot[i], e);
    set_meta(l, meta | (uint64_t)tag << (8 * i) | UINT64_C(1) << (56 + i));
}

static void clear(struct line *l, unsigned i)
{
    set_meta(l, l->meta & ~(UINT64_C(1) << (56 + i)));
    set_slot(&l->slot[i], NULL);
}

static void wipe(struct line *l)
{
    set_meta(l, 0);
    for (unsigned i = 0; i < LINE_SLOTS; i++)
        set_slot(&l->slot[i], NULL);
}

/* Puts e into a free slot of the line; NULL: there is none. */
static struct entry **try_put(struct line *l, uint8_t tag, struct entry *e)
{
    unsigned unused = ~used_of(l->meta) & ALL_USED;
    if (next_line(l)) unused &= ALL_USED >> 1;
    if (!unused) return NULL;
    unsigned i = (unsigned)__builtin_ctz(unused);
    put(l, i, tag, e);
    return &l->slot[i];
}

static struct line *line_get(struct table *t)
{
    struct line *l = t->spare;
    t->lines++;
    if (l) {
        t->spare = (struct line *)l->slot[0];
        t->spares--;
    } else {
        l = mem_alloc(sizeof *l);
    }
    wipe(l);
    return l;
}

/* Overflow lines come and go with every split, so some are kept. */
static void line_put(struct table *t, struct line *l)
{
    t->lines--;
    if (t->spares > 2 + t->lines / 16) {
        mem_free_sized(l, sizeof *l);
        return;
    }
    l->slot[0] = (struct entry *)t->spare;
    t->spare = l;
    t->spares++;
}

/* ---- buckets and their memory --------------------------------------------------------------- */

static inline uint64_t count_of(const _Atomic(uint64_t) *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline uint64_t mask_for(uint64_t n)
{
    return n <= 1 ? 0 : ~UINT64_C(0) >> __builtin_clzll(n - 1);
}

static inline uint64_t index_of(uint64_t hash, uint64_t n, uint64_t mask)
{
    uint64_t b = hash & mask;
    return b < n ? b : b & (mask >> 1);
}

static inline struct directory *directory(const struct table *t)
{
    return atomic_load_explicit(&t->dir, memory_order_relaxed);
}

static inline struct bucket *untag(struct bucket *chunk)
{
    return (struct bucket *)((uintptr_t)chunk & ~CHUNK_TAGS);
}

static inline struct bucket *bucket_at(const struct table *t, uint64_t b)
{
    struct bucket *chunk =
        atomic_load_explicit(&directory(t)->chunk[b >> CHUNK_LOG], memory_order_relaxed);
    return untag(chunk) + b % CHUNK_BUCKETS;
}

static inline struct bucket *bucket_of(const struct table *t, uint64_t hash)
{
    return bucket_at(t, index_of(hash, count_of(&t->n), t->mask));
}

static void set_count(struct table *t, uint64_t n)
{
    atomic_store_explicit(&t->n, n, memory_order_relaxed);
    t->mask = mask_for(n);
}

static void set_chunk(struct directory *dir, size_t c, struct bucket *memory, unsigned log)
{
    struct bucket *tagged = memory ? (struct bucket *)((uintptr_t)memory | log) : NULL;
    atomic_store_explicit(&dir->chunk[c], tagged, memory_order_release);
}

static unsigned chunk_log(const struct directory *dir, size_t c)
{
    struct bucket *chunk = atomic_load_explicit(&dir->chunk[c], memory_order_relaxed);
    return (unsigned)((uintptr_t)chunk & CHUNK_TAGS);
}

static struct directory *directory_new(size_t cap)
{
    struct directory *dir = mem_calloc(sizeof *dir + cap * sizeof dir->chunk[0]);
    dir->cap = cap;
    return dir;
}

static void directory_grow(struct table *t)
{
    struct directory *old = directory(t), *dir = directory_new(old->cap * 2);
    for (size_t c = 0; c < old->cap; c++) {
        struct bucket *chunk = atomic_load_explicit(&old->chunk[c], memory_order_relaxed);
        atomic_init(&dir->chunk[c], chunk);
    }
    atomic_store_explicit(&t->dir, dir, memory_order_release);
    retire(old);
}

/* The first chunk begins with one bucket; it is copied when it gets another size. */
static void first_chunk_resize(struct table *t, unsigned log, uint64_t n)
{
    struct bucket *old = bucket_at(t, 0), *memory = mem_alloc(sizeof *memory << log);
    memcpy(memory, old, n * sizeof *memory);
    set_chunk(directory(t), 0, memory, log);
    retire(old);
}

/* Memory for bucket n, of which nobody knows yet. */
static void bucket_make(struct table *t, uint64_t n)
{
    size_t c = n >> CHUNK_LOG;
    if (c == 0) {
        unsigned log = chunk_log(directory(t), 0);
        if (n >> log) first_chunk_resize(t, log + 1, n);
    } else {
        if (c == directory(t)->cap) directory_grow(t);
        if (!atomic_load_explicit(&directory(t)->chunk[c], memory_order_relaxed)) {
            struct bucket *memory = mem_alloc(CHUNK_BUCKETS * sizeof *memory);
            set_chunk(directory(t), c, memory, CHUNK_LOG);
        }
    }
    struct bucket *b = bucket_at(t, n);
    wipe(&b->line[0]);
    wipe(&b->line[1]);
}

static void due_drop(struct table *t, size_t c)
{
    if (c >= t->due_cap) return;
    mem_free(t->due[c]);
    t->due[c] = NULL;
    t->due_chunk[c] = DUE_NEVER;
}

/* Bucket n, the last one, is gone: gives memory back, but not so early that the next one needs it.
 */
static void bucket_unmake(struct table *t, uint64_t n)
{
    struct directory *dir = directory(t);
    size_t c = (n >> CHUNK_LOG) + 1;
    if (n % CHUNK_BUCKETS == CHUNK_BUCKETS / 2 && c < dir->cap) {
        struct bucket *chunk = atomic_load_explicit(&dir->chunk[c], memory_order_relaxed);
        if (chunk) retire(untag(chunk));
        set_chunk(dir, c, NULL, 0);
        due_drop(t, c);
    }
    unsigned log = chunk_log(dir, 0);
    if (n < CHUNK_BUCKETS && log > 1 && n == UINT64_C(1) << log >> 2) {
        first_chunk_resize(t, log - 1, n);
    }
}

struct table *table_new(unsigned db)
{
    struct table *t = mem_calloc(sizeof *t);
    struct directory *dir = directory_new(1);
    struct bucket *memory = mem_calloc(sizeof *memory);
    set_chunk(dir, 0, memory, 0);
    atomic_init(&t->dir, dir);
    atomic_init(&t->n, 1);
    t->due_min = DUE_NEVER;
    t->db = db;
    list_init(&t->in_part);
    return t;
}

void table_free(struct table *t)
{
    struct directory *dir = directory(t);
    for (size_t c = 0; c < dir->cap; c++) {
        struct bucket *chunk = atomic_load_explicit(&dir->chunk[c], memory_order_relaxed);
        if (chunk) retire(untag(chunk));
        due_drop(t, c);
    }
    for (struct line *l = t->spare, *next; l; l = next) {
        next = (struct line *)l->slot[0];
        mem_free_sized(l, sizeof *l);
    }
    mem_free(t->due);
    mem_free(t->due_chunk);
    retire(dir);
    retire(t);
}

/* ---- all entries of a bucket ---------------------------------------------------------------- */

struct some {
    struct entry **e;
    size_t n, cap;
    struct entry *few[FEW];
};

static void some_init(struct some *s)
{
    s->e = s->few;
    s->n = 0;
    s->cap = FEW;
}

static void some_free(struct some *s)
{
    if (s->e != s->few) mem_free(s->e);
}

static void some_add(struct some *s, struct entry *e)
{
    if (s->n == s->cap) {
        struct entry **more = mem_alloc(2 * s->cap * sizeof *more);
        memcpy(more, s->e, s->n * sizeof *more);
        some_free(s);
        s->e = more;
        s->cap *= 2;
    }
    __builtin_prefetch(e);
    s->e[s->n++] = e;
}

static struct line *line_behind(const struct bucket *b, const struct line *l)
{
    return l == &b->line[0] ? (struct line *)&b->line[1] : next_line(l);
}

#define FOR_LINES(l, b)                                                                            \
    for (struct line *l = (struct line *)&(b)->line[0]; l; l = line_behind(b, l))

#define FOR_BITS(i, bits)                                                                          \
    for (unsigned i##_left = (bits), i; i##_left && (i = (unsigned)__builtin_ctz(i##_left), 1);    \
         i##_left &= i##_left - 1)

static void gather(const struct bucket *b, struct some *s)
{
    FOR_LINES(l, b)
    {
        FOR_BITS(i, used_of(l->meta)) some_add(s, l->slot[i]);
    }
}

static void empty_bucket(struct table *t, struct bucket *b)
{
    for (struct line *l = next_line(&b->line[1]), *next; l; l = next) {
        next = next_line(l);
        line_put(t, l);
    }
    wipe(&b->line[0]);
    wipe(&b->line[1]);
}

/* A line more behind the last of the chain, with e in it. */
static struct entry **put_behind(struct table *t, struct line *last, uint8_t tag, struct entry *e)
{
    struct line *l = line_get(t);
    uint64_t meta = last->meta;
    if (used_of(meta) >> LAST) {
        put(l, 0, (uint8_t)(meta >> (8 * LAST)), last->slot[LAST]);
        clear(last, LAST);
    }
    set_slot(&last->slot[LAST], (struct entry *)l);
    return try_put(l, tag, e);
}

static struct entry **place(struct table *t, struct bucket *b, uint64_t hash, struct entry *e)
{
    struct line *home = &b->line[home_of(hash)], *last = &b->line[1];
    uint8_t tag = tag_of(hash);
    struct entry **slot = try_put(home, tag, e);
    if (LIKELY(slot)) return slot;
    set_meta(home, home->meta | SPILLED);
    slot = try_put(&b->line[!home_of(hash)], tag, e);
    for (struct line *l; !slot && (l = next_line(last)); last = l)
        slot = try_put(l, tag, e);
    if (slot) return slot;
    set_meta(&b->line[1], b->line[1].meta | SPILLED); /* its slot 6 may move on */
    return put_behind(t, last, tag, e);
}

/* ---- finding, adding, removing --------------------------------------------------------------- */

static inline struct entry **search(struct line *l, uint8_t tag, struct slice key)
{
    FOR_BITS(i, match(l->meta, tag))
    {
        if (LIKELY(slice_eq(entry_key(l->slot[i]), key))) return &l->slot[i];
    }
    return NULL;
}

static __attribute__((noinline)) struct entry **search_elsewhere(struct bucket *b, uint64_t hash,
                                                                 struct slice key)
{
    uint8_t tag = tag_of(hash);
    struct entry **slot = search(&b->line[!home_of(hash)], tag, key);
    struct line *l = &b->line[1];
    while (!slot && (l = next_line(l)))
        slot = search(l, tag, key);
    return slot;
}

struct entry **table_find(const struct table *t, uint64_t hash, struct slice key)
{
    struct bucket *b = bucket_of(t, hash);
    struct line *home = &b->line[home_of(hash)];
    struct entry **slot = search(home, tag_of(hash), key);
    if (slot || LIKELY(!(home->meta & SPILLED))) return slot;
    return search_elsewhere(b, hash, key);
}

struct entry **table_add(struct table *t, uint64_t hash, struct entry *e)
{
    atomic_store_explicit(&t->keys, count_of(&t->keys) + 1, memory_order_relaxed);
    table_resize_step(t, 2);
    return place(t, bucket_of(t, hash), hash, e);
}

void table_set(struct table *t, struct entry **slot, struct entry *e)
{
    set_slot(slot, e);
}

static bool in_line(const struct line *l, struct entry **slot)
{
    return slot >= l->slot && slot < l->slot + LINE_SLOTS;
}

void table_remove(struct table *t, uint64_t hash, struct entry **slot)
{
    struct bucket *b = bucket_of(t, hash);
    struct line *l = &b->line[0], *before = NULL;
    while (!in_line(l, slot)) {
        before = l;
        l = line_behind(b, l);
    }
    clear(l, (unsigned)(slot - l->slot));
    atomic_store_explicit(&t->keys, count_of(&t->keys) - 1, memory_order_relaxed);
    if (l == &b->line[0] || l == &b->line[1] || used_of(l->meta)) return;
    set_slot(&before->slot[LAST], (struct entry *)next_line(l));
    line_put(t, l);
}

/* ---- what expires when ----------------------------------------------------------------------- */

static void due_grow(struct table *t, size_t c)
{
    size_t cap = MAX(directory(t)->cap, c + 1);
    t->due = mem_realloc(t->due, cap * sizeof *t->due);
    t->due_chunk = mem_realloc(t->due_chunk, cap * sizeof *t->due_chunk);
    for (; t->due_cap < cap; t->due_cap++) {
        t->due[t->due_cap] = NULL;
        t->due_chunk[t->due_cap] = DUE_NEVER;
    }
}

static bool note_due(struct table *t, uint64_t b, uint32_t tick)
{
    size_t c = b >> CHUNK_LOG;
    if (UNLIKELY(c >= t->due_cap)) due_grow(t, c);
    if (UNLIKELY(!t->due[c])) {
        t->due[c] = mem_alloc(CHUNK_BUCKETS * sizeof *t->due[c]);
        memset(t->due[c], 0xff, CHUNK_BUCKETS * sizeof *t->due[c]);
    }
    uint32_t *due = &t->due[c][b % CHUNK_BUCKETS];
    if (tick >= *due) return false;
    *due = tick;
    if (tick < t->due_chunk[c]) t->due_chunk[c] = tick;
    if (tick >= t->due_min) return false;
    t->due_min = tick;
    return true;
}

bool table_note_due(struct table *t, uint64_t hash, uint32_t tick)
{
    return note_due(t, index_of(hash, count_of(&t->n), t->mask), tick);
}

/* The bucket is about to be filled anew. */
static void forget_due(struct table *t, uint64_t b)
{
    size_t c = b >> CHUNK_LOG;
    if (c < t->due_cap && t->due[c]) t->due[c][b % CHUNK_BUCKETS] = DUE_NEVER;
}

static uint32_t smallest(const uint32_t *v, size_t n)
{
    uint32_t min = DUE_NEVER;
    for (size_t i = 0; i < n; i++)
        min = MIN(min, v[i]);
    return min;
}

/* What is due of the entry in slot i of line l expires. Returns when the next thing of it will. */
static int64_t expire_entry(struct table *t, struct line *l, unsigned i, int64_t now_ms,
                            struct due_walk *w)
{
    struct entry *e = l->slot[i];
    bool itself = e->has_expire && entry_expire(e) <= now_ms;
    if (!itself) {
        int64_t next = w->fields(w->arg, t, e);
        if (next != DUE_EMPTIED) return next;
    }
    clear(l, i);
    atomic_store_explicit(&t->keys, count_of(&t->keys) - 1, memory_order_relaxed);
    w->removed++;
    if (itself) {
        w->gone(w->arg, t, e);
    } else {
        w->emptied(w->arg, t, e);
    }
    return ENTRY_NO_EXPIRE;
}

/* Removes what has expired, and returns when the next one will. */
static uint32_t expire_bucket(struct table *t, struct bucket *b, int64_t now_ms, struct due_walk *w)
{
    uint32_t next = DUE_NEVER;
    FOR_LINES(l, b)
    {
        FOR_BITS(i, used_of(l->meta)) __builtin_prefetch(l->slot[i]);
    }
    FOR_LINES(l, b)
    {
        FOR_BITS(i, used_of(l->meta))
        {
            int64_t ms = entry_due(l->slot[i]);
            w->looked++;
            if (ms != ENTRY_NO_EXPIRE && ms <= now_ms) ms = expire_entry(t, l, i, now_ms, w);
            if (ms != ENTRY_NO_EXPIRE) next = MIN(next, expire__tick(ms));
        }
    }
    return next;
}

static bool expire_chunk(struct table *t, size_t c, uint32_t tick, int64_t now_ms,
                         struct due_walk *w)
{
    uint64_t n = count_of(&t->n);
    for (; w->cursor >> CHUNK_LOG == c && w->cursor < n; w->cursor++) {
        uint32_t *due = &t->due[c][w->cursor % CHUNK_BUCKETS];
        if (*due > tick) continue;
        if (w->out_of_time(w->arg)) return false;
        *due = expire_bucket(t, bucket_at(t, w->cursor), now_ms, w);
    }
    t->due_chunk[c] = smallest(t->due[c], CHUNK_BUCKETS);
    return true;
}

bool table_walk_due(struct table *t, uint32_t tick, int64_t now_ms, struct due_walk *w)
{
    size_t chunks = ((count_of(&t->n) - 1) >> CHUNK_LOG) + 1;
    chunks = MIN(chunks, t->due_cap);
    for (size_t c = w->cursor >> CHUNK_LOG; c < chunks; c++) {
        w->cursor = MAX(w->cursor, (uint64_t)c << CHUNK_LOG);
        if (t->due_chunk[c] > tick || !t->due[c]) continue;
        if (!expire_chunk(t, c, tick, now_ms, w)) return false;
    }
    w->cursor = 0;
    t->due_min = smallest(t->due_chunk, chunks);
    return t->due_min > tick;
}

/* ---- growing and shrinking ------------------------------------------------------------------- */

/* Puts entries that are in no bucket into theirs. */
static void distribute(struct table *t, const struct some *s)
{
    uint64_t n = count_of(&t->n);
    for (size_t i = 0; i < s->n; i++) {
        struct entry *e = s->e[i];
        uint64_t hash = hash_bytes(entry_key(e)), b = index_of(hash, n, t->mask);
        place(t, bucket_at(t, b), hash, e);
        int64_t due = entry_due(e);
        if (UNLIKELY(due != ENTRY_NO_EXPIRE)) note_due(t, b, expire__tick(due));
    }
    t->rehashed += s->n;
}

static void grow(struct table *t)
{
    struct some s;
    uint64_t n = count_of(&t->n), buddy = n - (mask_for(n + 1) + 1) / 2;
    some_init(&s);
    bucket_make(t, n);
    gather(bucket_at(t, buddy), &s);
    empty_bucket(t, bucket_at(t, buddy));
    forget_due(t, buddy);
    forget_due(t, n);
    set_count(t, n + 1);
    distribute(t, &s);
    some_free(&s);
}

static void shrink(struct table *t)
{
    struct some s;
    uint64_t last = count_of(&t->n) - 1, buddy = last - (t->mask + 1) / 2;
    some_init(&s);
    gather(bucket_at(t, last), &s);
    gather(bucket_at(t, buddy), &s);
    empty_bucket(t, bucket_at(t, last));
    empty_bucket(t, bucket_at(t, buddy));
    forget_due(t, last);
    forget_due(t, buddy);
    set_count(t, last);
    distribute(t, &s);
    bucket_unmake(t, last);
    some_free(&s);
}

static int wanted_step(const struct table *t)
{
    uint64_t n = count_of(&t->n), keys = count_of(&t->keys);
    if (keys > GROW_ABOVE(n)) return 1;
    return n > 1 && keys < SHRINK_BELOW(n) ? -1 : 0;
}

bool table_wants_resize(const struct table *t)
{
    return wanted_step(t) != 0;
}

bool table_resize_step(struct table *t, unsigned steps)
{
    int wanted = wanted_step(t);
    if (LIKELY(wanted == 0)) return false;
    if (!atomic_load_explicit(&table_resizing, memory_order_relaxed)) return false;
    for (; steps && wanted; steps--, wanted = wanted_step(t)) {
        if (wanted > 0)
            grow(t);
        else
            shrink(t);
    }
    return wanted != 0;
}

/* ---- without ownership ----------------------------------------------------------------------- */

static bool prefetch_entry(const struct line *l, uint64_t meta, uint64_t hash)
{
    unsigned found = match(meta, tag_of(hash));
    if (!found) return false;
    unsigned slot = (unsigned)__builtin_ctz(found);
    __builtin_prefetch(__atomic_load_n(&l->slot[slot], __ATOMIC_RELAXED));
    return true;
}

bool table_prefetch(const struct table *t, uint64_t hash, int stage)
{
    uint64_t n = count_of(&t->n), i = index_of(hash, n, mask_for(n));
    const struct directory *dir = atomic_load_explicit(&t->dir, memory_order_acquire);
    if (i >> CHUNK_LOG >= dir->cap) return false;
    struct bucket *chunk = atomic_load_explicit(&dir->chunk[i >> CHUNK_LOG], memory_order_acquire);
    if (!chunk || (i % CHUNK_BUCKETS) >> ((uintptr_t)chunk & CHUNK_TAGS)) return false;
    const struct line *line = untag(chunk)[i % CHUNK_BUCKETS].line;
    const struct line *home = &line[home_of(hash)], *other = &line[!home_of(hash)];
    if (stage == 0) {
        __builtin_prefetch(home);
        return true;
    }
    uint64_t meta = __atomic_load_n(&home->meta, __ATOMIC_RELAXED);
    if (stage == 2) return prefetch_entry(other, __atomic_load_n(&other->meta, __ATOMIC_RELAXED), hash);
    if (prefetch_entry(home, meta, hash) || !(meta & SPILLED)) return false;
    __builtin_prefetch(other);
    return true;
}

/* ---- walking --------------------------------------------------------------------------------- */

static uint64_t reverse(uint64_t v)
{
    v = (v >> 1 & UINT64_C(0x5555555555555555)) | (v & UINT64_C(0x5555555555555555)) << 1;
    v = (v >> 2 & UINT64_C(0x3333333333333333)) | (v & UINT64_C(0x3333333333333333)) << 2;
    v = (v >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f)) | (v & UINT64_C(0x0f0f0f0f0f0f0f0f)) << 4;
    return __builtin_bswap64(v);
}

/* The bits of a hash that decide that it belongs to bucket b. */
static uint64_t bits_of_bucket(const struct table *t, uint64_t b)
{
    uint64_t low = t->mask >> 1, half = (t->mask + 1) / 2;
    return (b & low) + half < count_of(&t->n) ? t->mask : low;
}

size_t table_walk(const struct table *t, uint64_t *cursor, struct entry **out, size_t max)
{
    struct some s;
    uint64_t b = index_of(*cursor, count_of(&t->n), t->mask), bits = bits_of_bucket(t, b);
    some_init(&s);
    gather(bucket_at(t, b), &s);
    size_t n = s.n;
    if (n <= max) {
        memcpy(out, s.e, n * sizeof *out);
        *cursor = reverse(reverse(*cursor | ~bits) + 1);
    }
    some_free(&s);
    return n;
}

struct entry *table_random(const struct table *t)
{
    struct some s;
    struct entry *e = NULL;
    some_init(&s);
    gather(bucket_at(t, rand_below(count_of(&t->n))), &s);
    if (s.n) e = s.e[rand_below(s.n)];
    some_free(&s);
    return e;
}

size_t table_chain(const struct table *t, uint64_t hash)
{
    size_t lines = 0;
    for (const struct line *l = &bucket_of(t, hash)->line[1]; (l = next_line(l));)
        lines++;
    return lines;
}

void table_histogram(const struct table *t, uint64_t *counts, size_t n)
{
    for (uint64_t b = 0; b < count_of(&t->n); b++) {
        size_t entries = 0;
        FOR_LINES(l, bucket_at(t, b)) entries += (size_t)__builtin_popcount(used_of(l->meta));
        counts[MIN(entries, n - 1)]++;
    }
}

/* Takes entries out of a line until `max` are out. */
static size_t drain_line(struct line *l, struct entry **out, size_t max)
{
    size_t n = 0;
    FOR_BITS(i, used_of(l->meta))
    {
        if (n == max) break;
        out[n++] = l->slot[i];
        clear(l, i);
    }
    return n;
}

size_t table_drain(struct table *t, size_t *bucket, struct entry **out, size_t max)
{
    size_t n = 0;
    while (*bucket < count_of(&t->n)) {
        struct bucket *b = bucket_at(t, *bucket);
        FOR_LINES(l, b) n += drain_line(l, out + n, max - n);
        if (n == max) break;
        empty_bucket(t, b);
        ++*bucket;
    }
    atomic_store_explicit(&t->keys, count_of(&t->keys) - n, memory_order_relaxed);
    return n;
}
