/*
 * dict.c - a linear hash table of two-line buckets of packed pointers that grows and shrinks one
 * bucket at a time.
 *
 *   dir --> chunk of 64 buckets --> bucket = | line 0 | line 1 |--> overflow line --> ...
 *
 *   line (64 bytes) = | slot 0 | ... | slot 7 | slot 8 or next line | 9 tags | meta |
 *                       6 bytes each                                         NEXT, SPILLED, used
 *
 * It is the table of the keyspace (keyspace/table.c, which argues for the structure) but for what a
 * value's table can do without: nobody looks into it who does not own it, and no pointer to a slot
 * leaves this file. So a slot is the 48 bits that an address has in user space, nine fit a line,
 * and removing an item fills its slot with the last one of the line: used slots are the first ones.
 *
 * A key's hash chooses its bucket, the line of it that the key calls home, and its tag. The item
 * lies at home if there was room, else in the other line, else in the overflow behind line 1. A
 * home line some of whose items lie elsewhere is SPILLED: a search of one that is not ends there.
 * With n buckets and mask the smallest 2^i - 1 >= n - 1, a hash belongs to bucket h & mask, or to
 * h & (mask >> 1) if that is not there yet. Growing adds bucket n and moves about half of its buddy
 * there; shrinking merges the last bucket into its buddy. An addition grows by two buckets at most,
 * a removal shrinks by two, so none moves more than a few dozen items however large the table is.
 * At 15.2 items a bucket of 18 a pointer takes about 10 bytes, overflow counted.
 *
 * Invariants
 *  1. Slots [0, used) of a line are used. Slot 8 of a line with NEXT is the line behind it; line 0
 *     never has NEXT.
 *  2. An item is in its bucket; if it is not in its home line, that line is SPILLED.
 *  3. The first chunk has 2^first_log buckets of room until it has all 64.
 *  4. n - 1 <= mask < 2n, or n is 1 and mask 0.
 */
#include "types/dict.h"

#include "types/types_internal.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SLOTS           9
#define SLOT_BYTES      6
#define SLOT_BITS       ((UINT64_C(1) << 48) - 1)
#define NEXT            0x40u
#define SPILLED         0x80u
#define USED            0x0fu
#define CHUNK_LOG       6
#define CHUNK_BUCKETS   (1u << CHUNK_LOG)
#define LINE_SHIFT      39           /* bit of the hash: the home line */
#define TAG_SHIFT       40           /* 8 bits */
#define GROW_ABOVE(n)   ((n)*76 / 5) /* items: 15.2 a bucket */
#define SHRINK_BELOW(n) ((n)*38 / 5)
#define STEPS           2 /* buckets split or merged by one operation */
#define FEW             64
#define CROWDED         48 /* items: hardly any bucket has more */

struct line {
    uint8_t slot[SLOTS * SLOT_BYTES];
    uint8_t tag[SLOTS];
    uint8_t meta;
};

struct bucket {
    struct line line[2];
};

struct dict {
    const struct dict_type *type;
    struct bucket **dir;
    uint32_t dir_cap, first_log;
    uint64_t n, mask;  /* buckets */
    size_t len, lines; /* items, overflow lines */
    size_t moves;
};

static_assert(sizeof(struct line) == CACHE_LINE, "a line is a cache line");
static_assert(offsetof(struct line, tag) == 54, "the tags lie in the last 16 bytes");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a slot is the low bytes of an address");

/* ---- lines ---------------------------------------------------------------------------------- */

static inline unsigned used_of(const struct line *l)
{
    return l->meta & USED;
}

static inline uint8_t tag_of(uint64_t hash)
{
    return (uint8_t)(hash >> TAG_SHIFT);
}

static inline unsigned home_of(uint64_t hash)
{
    return (unsigned)(hash >> LINE_SHIFT) & 1;
}

/* Eight bytes are read where six are meant: those behind are in the line, too. */
static inline void *get(const struct line *l, unsigned i)
{
    uint64_t v;
    memcpy(&v, (const char *)l + i * SLOT_BYTES, sizeof v);
    return (void *)(uintptr_t)(v & SLOT_BITS);
}

static inline void set(struct line *l, unsigned i, const void *p)
{
    uint64_t v = (uint64_t)(uintptr_t)p;
    assert(v <= SLOT_BITS);
    memcpy((char *)l + i * SLOT_BYTES, &v, SLOT_BYTES);
}

/* The used slots whose tag this is, as bits. */
static inline unsigned match(const struct line *l, uint8_t tag)
{
    unsigned used = (1u << used_of(l)) - 1;
#ifdef __SSE2__
    __m128i end = _mm_loadu_si128((const __m128i *)((const char *)l + CACHE_LINE - 16));
    __m128i same = _mm_cmpeq_epi8(end, _mm_set1_epi8((char)tag));
    return (unsigned)_mm_movemask_epi8(same) >> 6 & used;
#else
    const uint64_t low7 = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t tags;
    memcpy(&tags, l->tag, sizeof tags);
    uint64_t x = tags ^ (UINT64_C(0x0101010101010101) * tag);
    uint64_t zero = ~(((x & low7) + low7) | x | low7); /* 0x80 in each byte that is zero */
    unsigned bits = (unsigned)(((zero >> 7) * UINT64_C(0x0102040810204080)) >> 56);
    return (bits | (unsigned)(l->tag[8] == tag) << 8) & used;
#endif
}

static inline struct line *next_line(const struct line *l)
{
    return l->meta & NEXT ? get(l, SLOTS - 1) : NULL;
}

static inline bool try_put(struct line *l, uint8_t tag, const void *item)
{
    unsigned i = used_of(l);
    if (i == SLOTS - (l->meta & NEXT ? 1u : 0u)) return false;
    set(l, i, item);
    l->tag[i] = tag;
    l->meta++;
    return true;
}

static void take_out(struct line *l, unsigned i)
{
    unsigned last = used_of(l) - 1;
    set(l, i, get(l, last));
    l->tag[i] = l->tag[last];
    l->meta--;
}

static inline struct line *line_behind(const struct bucket *b, const struct line *l)
{
    return l == &b->line[0] ? (struct line *)&b->line[1] : next_line(l);
}

#define FOR_LINES(l, b)                                                                            \
    for (struct line *l = (struct line *)&(b)->line[0]; l; l = line_behind(b, l))

/* ---- buckets and their memory --------------------------------------------------------------- */

static inline uint64_t index_of(const struct dict *d, uint64_t hash)
{
    uint64_t b = hash & d->mask;
    return b < d->n ? b : b & (d->mask >> 1);
}

static inline struct bucket *bucket_at(const struct dict *d, uint64_t b)
{
    return d->dir[b >> CHUNK_LOG] + b % CHUNK_BUCKETS;
}

static void set_count(struct dict *d, uint64_t n)
{
    d->n = n;
    d->mask = n <= 1 ? 0 : ~UINT64_C(0) >> __builtin_clzll(n - 1);
}

static void first_chunk_resize(struct dict *d, uint32_t log)
{
    d->dir[0] = mem_realloc(d->dir[0], sizeof **d->dir << log);
    d->first_log = log;
}

static void dir_grow(struct dict *d)
{
    d->dir_cap *= 2;
    d->dir = mem_realloc(d->dir, d->dir_cap * sizeof(void *));
}

/* Memory for bucket n, the one behind the last. */
static void bucket_make(struct dict *d, uint64_t n)
{
    uint64_t c = n >> CHUNK_LOG;
    if (c == 0) {
        if (n >> d->first_log) first_chunk_resize(d, d->first_log + 1);
    } else if (n % CHUNK_BUCKETS == 0) {
        if (c == d->dir_cap) dir_grow(d);
        d->dir[c] = mem_alloc(CHUNK_BUCKETS * sizeof **d->dir);
    }
    memset(bucket_at(d, n), 0, sizeof(struct bucket));
}

/* Bucket n was the last one. */
static void bucket_unmake(struct dict *d, uint64_t n)
{
    if (n >= CHUNK_BUCKETS) {
        if (n % CHUNK_BUCKETS == 0)
            mem_free_sized(d->dir[n >> CHUNK_LOG], CHUNK_BUCKETS * sizeof **d->dir);
    } else if (d->first_log > 1 && n == UINT64_C(1) << d->first_log >> 2) {
        first_chunk_resize(d, d->first_log - 1);
    }
}

static uint64_t chunks_of(const struct dict *d)
{
    return ((d->n - 1) >> CHUNK_LOG) + 1;
}

struct dict *dict_new(const struct dict_type *type)
{
    struct dict *d = mem_calloc(sizeof *d);
    d->type = type;
    d->dir_cap = 1;
    d->dir = mem_alloc(sizeof(void *));
    d->dir[0] = mem_calloc(sizeof(struct bucket));
    set_count(d, 1);
    return d;
}

/* ---- overflow ------------------------------------------------------------------------------- */

/* A line more behind the last of the chain, with the item in it. */
static void put_behind(struct dict *d, struct line *last, uint8_t tag, const void *item)
{
    struct line *l = mem_calloc(sizeof *l);
    d->lines++;
    if (used_of(last) == SLOTS) {
        try_put(l, last->tag[SLOTS - 1], get(last, SLOTS - 1));
        last->meta--;
    }
    set(last, SLOTS - 1, l);
    last->meta |= NEXT;
    try_put(l, tag, item);
}

static void unlink_line(struct dict *d, struct line *before, struct line *l)
{
    struct line *next = next_line(l);
    set(before, SLOTS - 1, next);
    if (!next) before->meta &= (uint8_t)~NEXT;
    mem_free_sized(l, sizeof *l);
    d->lines--;
}

static void free_overflow(struct dict *d, struct bucket *b)
{
    while (next_line(&b->line[1]))
        unlink_line(d, &b->line[1], next_line(&b->line[1]));
}

static void place(struct dict *d, uint64_t hash, const void *item)
{
    struct bucket *b = bucket_at(d, index_of(d, hash));
    struct line *home = &b->line[home_of(hash)], *last = &b->line[1];
    uint8_t tag = tag_of(hash);
    if (LIKELY(try_put(home, tag, item))) return;
    home->meta |= SPILLED;
    if (try_put(&b->line[!home_of(hash)], tag, item)) return;
    for (struct line *l; (l = next_line(last)); last = l) {
        if (try_put(l, tag, item)) return;
    }
    b->line[1].meta |= SPILLED; /* what is in its slot 8 may move on */
    put_behind(d, last, tag, item);
}

/* ---- growing and shrinking ------------------------------------------------------------------- */

/* All items of a bucket or two. */
struct some {
    void **item;
    size_t n, cap;
    void *few[FEW];
};

static void some_init(struct some *s)
{
    s->item = s->few;
    s->n = 0;
    s->cap = FEW;
}

static void some_free(struct some *s)
{
    if (s->item != s->few) mem_free(s->item);
}

static void some_add(struct some *s, void *item)
{
    if (UNLIKELY(s->n == s->cap)) {
        void **more = mem_alloc(2 * s->cap * sizeof *more);
        memcpy(more, s->item, s->n * sizeof *more);
        some_free(s);
        s->item = more;
        s->cap *= 2;
    }
    __builtin_prefetch(item);
    s->item[s->n++] = item;
}

/* Moves the items of a bucket into s. */
static void gather(struct dict *d, struct bucket *b, struct some *s)
{
    FOR_LINES(l, b)
    {
        for (unsigned i = 0; i < used_of(l); i++)
            some_add(s, get(l, i));
    }
    free_overflow(d, b);
    memset(b, 0, sizeof *b);
}

static void distribute(struct dict *d, struct some *s)
{
    for (size_t i = 0; i < s->n; i++)
        place(d, hash_bytes(d->type->key(s->item[i])), s->item[i]);
    d->moves += s->n;
    some_free(s);
}

static void grow(struct dict *d)
{
    struct some s;
    uint64_t n = d->n;
    some_init(&s);
    bucket_make(d, n);
    set_count(d, n + 1);
    gather(d, bucket_at(d, n & (d->mask >> 1)), &s);
    distribute(d, &s);
}

static void shrink(struct dict *d)
{
    struct some s;
    uint64_t last = d->n - 1;
    some_init(&s);
    gather(d, bucket_at(d, last), &s);
    gather(d, bucket_at(d, last & (d->mask >> 1)), &s);
    set_count(d, last);
    distribute(d, &s);
    bucket_unmake(d, last);
}

static void grow_some(struct dict *d)
{
    for (unsigned i = 0; i < STEPS && d->len > GROW_ABOVE(d->n); i++)
        grow(d);
}

static void shrink_some(struct dict *d)
{
    for (unsigned i = 0; i < STEPS && d->n > 1 && d->len < SHRINK_BELOW(d->n); i++)
        shrink(d);
}

void dict_reserve(struct dict *d, size_t n)
{
    if (d->len > 0) {
        while (n > GROW_ABOVE(d->n))
            grow(d);
        return;
    }
    while (n > GROW_ABOVE(d->n)) {
        bucket_make(d, d->n);
        set_count(d, d->n + 1);
    }
}

/* ---- finding, adding, removing --------------------------------------------------------------- */

struct spot {
    struct line *l; /* NULL: nowhere */
    unsigned i;
    void *item;
};

#define NOWHERE ((struct spot){NULL, 0, NULL})

static inline struct spot search(const struct dict *d, struct line *l, uint8_t tag,
                                 struct slice key)
{
    for (unsigned left = match(l, tag); left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        void *item = get(l, i);
        if (LIKELY(slice_eq(d->type->key(item), key))) return (struct spot){l, i, item};
    }
    return NOWHERE;
}

static __attribute__((noinline)) struct spot
search_elsewhere(const struct dict *d, struct bucket *b, uint64_t hash, struct slice key)
{
    uint8_t tag = tag_of(hash);
    struct spot s = search(d, &b->line[!home_of(hash)], tag, key);
    struct line *l = &b->line[1];
    while (!s.l && (l = next_line(l)))
        s = search(d, l, tag, key);
    return s;
}

static inline struct spot locate(const struct dict *d, uint64_t hash, struct slice key)
{
    struct bucket *b = bucket_at(d, index_of(d, hash));
    struct line *home = &b->line[home_of(hash)];
    struct spot s = search(d, home, tag_of(hash), key);
    if (s.l || LIKELY(!(home->meta & SPILLED))) return s;
    return search_elsewhere(d, b, hash, key);
}

size_t dict_len(const struct dict *d)
{
    return d->len;
}

void *dict_find(const struct dict *d, struct slice key)
{
    return locate(d, hash_bytes(key), key).item;
}

void dict_find_each(const struct dict *d, const struct slice *keys, size_t n, void **found)
{
    uint64_t hash[DICT_BATCH];
    assert(n <= DICT_BATCH);
    for (size_t i = 0; i < n; i++) {
        hash[i] = hash_bytes(keys[i]);
        __builtin_prefetch(&bucket_at(d, index_of(d, hash[i]))->line[home_of(hash[i])]);
    }
    for (size_t i = 0; i < n; i++) {
        const struct line *l = &bucket_at(d, index_of(d, hash[i]))->line[home_of(hash[i])];
        unsigned bits = match(l, tag_of(hash[i]));
        if (bits) __builtin_prefetch(get(l, (unsigned)__builtin_ctz(bits)));
    }
    for (size_t i = 0; i < n; i++)
        found[i] = locate(d, hash[i], keys[i]).item;
}

static inline void add(struct dict *d, uint64_t hash, const void *item)
{
    d->len++;
    if (UNLIKELY(d->len > GROW_ABOVE(d->n))) grow_some(d);
    place(d, hash, item);
}

void dict_add(struct dict *d, void *item)
{
    add(d, hash_bytes(d->type->key(item)), item);
}

void *dict_find_or_add(struct dict *d, struct slice key, void *(*make)(struct slice key))
{
    uint64_t hash = hash_bytes(key);
    void *item = locate(d, hash, key).item;
    if (!item) add(d, hash, make(key));
    return item;
}

void dict_moved(struct dict *d, const void *from, void *to)
{
    uint64_t hash = hash_bytes(d->type->key(to));
    struct bucket *b = bucket_at(d, index_of(d, hash));
    FOR_LINES(l, b)
    {
        for (unsigned left = match(l, tag_of(hash)); left; left &= left - 1) {
            unsigned i = (unsigned)__builtin_ctz(left);
            if (get(l, i) != from) continue;
            set(l, i, to);
            return;
        }
    }
    assert(!"the item is in the table");
}

/* The line is in b's chain; an overflow line that was emptied goes. */
static void drop_if_empty(struct dict *d, struct bucket *b, struct line *l)
{
    if (used_of(l) > 0 || l == &b->line[0] || l == &b->line[1]) return;
    struct line *before = &b->line[1];
    while (next_line(before) != l)
        before = next_line(before);
    unlink_line(d, before, l);
}

void *dict_take(struct dict *d, struct slice key)
{
    uint64_t hash = hash_bytes(key);
    struct spot s = locate(d, hash, key);
    if (!s.l) return NULL;
    take_out(s.l, s.i);
    drop_if_empty(d, bucket_at(d, index_of(d, hash)), s.l);
    d->len--;
    shrink_some(d);
    return s.item;
}

bool dict_delete(struct dict *d, struct slice key)
{
    void *item = dict_take(d, key);
    if (item && d->type->free) d->type->free(item);
    return item != NULL;
}

/* ---- all and any ----------------------------------------------------------------------------- */

static inline void prefetch_items(const struct line *l)
{
    for (unsigned i = 0; i < used_of(l); i++)
        __builtin_prefetch(get(l, i));
}

/* Items are fetched one bucket ahead, the buckets two. */
static void look_ahead(const struct dict *d, uint64_t b)
{
    if (b + 1 < d->n) {
        const struct bucket *next = bucket_at(d, b + 1);
        prefetch_items(&next->line[0]);
        prefetch_items(&next->line[1]);
    }
    if (b + 2 < d->n) {
        const struct bucket *second = bucket_at(d, b + 2);
        __builtin_prefetch(&second->line[0]);
        __builtin_prefetch(&second->line[1]);
    }
}

/* An iterator is at slot in % 16 of the line at in - in % 16, in bucket at - 1; or, with in 0,
 * before bucket `at`. */
#define IN_SLOT ((size_t)15)

struct dict_iter dict_first(const struct dict *d)
{
    return (struct dict_iter){.d = d};
}

static struct line *enter_bucket(struct dict_iter *it)
{
    if (it->at == it->d->n) return NULL;
    look_ahead(it->d, it->at);
    return bucket_at(it->d, it->at++)->line;
}

void *dict_next(struct dict_iter *it)
{
    struct line *l = (struct line *)(it->in & ~IN_SLOT);
    unsigned i = (unsigned)(it->in & IN_SLOT);
    while (!l || i == used_of(l)) {
        if (l) l = line_behind(bucket_at(it->d, it->at - 1), l);
        if (!l && !(l = enter_bucket(it))) {
            it->in = 0;
            return NULL;
        }
        i = 0;
    }
    it->in = (size_t)l | (i + 1);
    return get(l, i);
}

void dict_free(struct dict *d)
{
    struct dict_iter it = dict_first(d);
    if (d->type->free) {
        for (void *item; (item = dict_next(&it));)
            d->type->free(item);
    }
    for (uint64_t b = 0; d->lines && b < d->n; b++)
        free_overflow(d, bucket_at(d, b));
    for (uint64_t c = 0; c < chunks_of(d); c++)
        mem_free(d->dir[c]);
    mem_free(d->dir);
    mem_free_sized(d, sizeof *d);
}

static size_t bucket_len(const struct bucket *b)
{
    size_t n = 0;
    FOR_LINES(l, b) n += used_of(l);
    return n;
}

static void *nth(const struct bucket *b, size_t i)
{
    FOR_LINES(l, b)
    {
        if (i < used_of(l)) return get(l, (unsigned)i);
        i -= used_of(l);
    }
    return NULL;
}

/* Of a few buckets: counted. */
static void *random_of_few(const struct dict *d)
{
    size_t i = rand_below(d->len);
    for (uint64_t b = 0; b < d->n; b++) {
        size_t n = bucket_len(bucket_at(d, b));
        if (i < n) return nth(bucket_at(d, b), i);
        i -= n;
    }
    return NULL;
}

/* A random bucket is taken with a chance in proportion to its items: as if each had CROWDED places.
 */
void *dict_random(const struct dict *d)
{
    if (d->len == 0) return NULL;
    if (d->n <= 4) return random_of_few(d);
    for (;;) {
        const struct bucket *b = bucket_at(d, rand_below(d->n));
        size_t n = bucket_len(b), i = rand_below(MAX(n, CROWDED));
        if (i < n) return nth(b, i);
    }
}

static uint64_t reverse(uint64_t v)
{
    v = (v >> 1 & UINT64_C(0x5555555555555555)) | (v & UINT64_C(0x5555555555555555)) << 1;
    v = (v >> 2 & UINT64_C(0x3333333333333333)) | (v & UINT64_C(0x3333333333333333)) << 2;
    v = (v >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f)) | (v & UINT64_C(0x0f0f0f0f0f0f0f0f)) << 4;
    return __builtin_bswap64(v);
}

/* The bits of a hash that decide that it belongs to bucket b. */
static uint64_t bits_of_bucket(const struct dict *d, uint64_t b)
{
    uint64_t low = d->mask >> 1, half = (d->mask + 1) / 2;
    return (b & low) + half < d->n ? d->mask : low;
}

static size_t visit_bucket(const struct bucket *b, dict_visit *visit, void *arg)
{
    size_t n = 0;
    prefetch_items(&b->line[0]);
    prefetch_items(&b->line[1]);
    FOR_LINES(l, b)
    {
        for (unsigned i = 0; i < used_of(l); i++)
            visit(arg, get(l, i));
        n += used_of(l);
    }
    return n;
}

/* A cursor is a position in the space of hashes with their bits reversed, a bucket an interval of
 * it. A step goes to the end of the interval that it has visited, whatever has become of the
 * buckets when it comes again. */
uint64_t dict_scan(const struct dict *d, uint64_t cursor, size_t count, dict_visit *visit,
                   void *arg)
{
    size_t seen = 0, buckets = 0;
    do {
        uint64_t b = index_of(d, cursor), bits = bits_of_bucket(d, b);
        seen += visit_bucket(bucket_at(d, b), visit, arg);
        cursor = reverse(reverse(cursor | ~bits) + 1);
    } while (cursor != 0 && seen < count && ++buckets < count);
    return cursor;
}

size_t dict_memory(const struct dict *d, size_t samples)
{
    struct dict_iter it = dict_first(d);
    size_t bytes = mem_usable(d) + mem_usable(d->dir) + mem_usable(d->dir[0]) +
                   (chunks_of(d) - 1) * CHUNK_BUCKETS * sizeof(struct bucket) +
                   d->lines * sizeof(struct line);
    size_t n = samples ? MIN(samples, d->len) : d->len, sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += d->type->memory(dict_next(&it));
    return n ? bytes + (size_t)((double)sum / (double)n * (double)d->len) : bytes;
}

size_t dict_moves(const struct dict *d)
{
    return d->moves;
}
