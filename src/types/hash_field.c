/* hash_field.c - fields of large hashes, and the heap of those that expire (layout: hash_field.h).
 */
#include "types/hash_field.h"

#define FIELD_LONG 1u
#define VALUE_LONG 2u
#define VALUE_BLOB 4u
#define TIMED      8u

#define TIME_BYTES (sizeof(int64_t) + sizeof(uint32_t))
#define SHORT_MAX  UINT8_MAX

/* ---- layout --------------------------------------------------------------------------------- */

static inline size_t name_len_bytes(unsigned bits)
{
    return bits & FIELD_LONG ? sizeof(uint32_t) : 1;
}

static inline size_t value_word_bytes(unsigned bits)
{
    if (UNLIKELY(bits & VALUE_BLOB)) return sizeof(struct blob *);
    return bits & VALUE_LONG ? sizeof(uint32_t) : 1;
}

/* Offsets in rest[]. */
static inline size_t value_at(unsigned bits)
{
    return name_len_bytes(bits);
}

static inline size_t time_at(unsigned bits)
{
    return value_at(bits) + value_word_bytes(bits);
}

static inline size_t name_at(unsigned bits)
{
    return time_at(bits) + (bits & TIMED ? TIME_BYTES : 0);
}

static inline size_t read_len(const uint8_t *p, bool wide)
{
    uint32_t n = *p;
    if (UNLIKELY(wide)) memcpy(&n, p, sizeof n);
    return n;
}

static inline void write_len(uint8_t *p, size_t n, bool wide)
{
    uint32_t v = (uint32_t)n;
    if (wide) {
        memcpy(p, &v, sizeof v);
    } else {
        *p = (uint8_t)v;
    }
}

static inline size_t name_len(const struct hash_field *f)
{
    return read_len(f->rest, f->bits & FIELD_LONG);
}

static inline size_t value_len(const struct hash_field *f)
{
    return read_len(f->rest + value_at(f->bits), f->bits & VALUE_LONG);
}

static inline size_t size_of(unsigned bits, size_t name_n, size_t value_n)
{
    return sizeof(struct hash_field) + name_at(bits) + name_n + (bits & VALUE_BLOB ? 0 : value_n);
}

static inline size_t field_size(const struct hash_field *f)
{
    return size_of(f->bits, name_len(f), f->bits & VALUE_BLOB ? 0 : value_len(f));
}

static inline unsigned bits_for(size_t name_n, size_t value_n, bool timed)
{
    unsigned bits = timed ? TIMED : 0;
    if (name_n > SHORT_MAX) bits |= FIELD_LONG;
    if (UNLIKELY(value_n > ENTRY_INLINE_MAX)) return bits | VALUE_BLOB;
    return value_n > SHORT_MAX ? bits | VALUE_LONG : bits;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct slice field_name(const void *field)
{
    const struct hash_field *f = field;
    return slice_of(f->rest + name_at(f->bits), name_len(f));
}

struct blob *field_blob(const struct hash_field *f)
{
    struct blob *b = NULL;
    if (UNLIKELY(f->bits & VALUE_BLOB)) memcpy(&b, f->rest + value_at(f->bits), sizeof b);
    return b;
}

struct slice field_value(const struct hash_field *f)
{
    const struct blob *b = field_blob(f);
    if (UNLIKELY(b)) return slice_of(b->data, b->len);
    return slice_of(f->rest + name_at(f->bits) + name_len(f), value_len(f));
}

bool field_timed(const struct hash_field *f)
{
    return f->bits & TIMED;
}

int64_t field_expire(const struct hash_field *f)
{
    int64_t ms = ENTRY_NO_EXPIRE;
    if (f->bits & TIMED) memcpy(&ms, f->rest + time_at(f->bits), sizeof ms);
    return ms;
}

static void put_expire(struct hash_field *f, int64_t ms)
{
    assert(f->bits & TIMED);
    memcpy(f->rest + time_at(f->bits), &ms, sizeof ms);
}

static uint32_t place_of(const struct hash_field *f)
{
    uint32_t place;
    assert(f->bits & TIMED);
    memcpy(&place, f->rest + time_at(f->bits) + sizeof(int64_t), sizeof place);
    return place;
}

static void put_place(struct hash_field *f, size_t i)
{
    uint32_t place = (uint32_t)i;
    memcpy(f->rest + time_at(f->bits) + sizeof(int64_t), &place, sizeof place);
}

size_t field_memory(const void *field)
{
    const struct blob *b = field_blob(field);
    return mem_usable(field) + (b ? mem_usable(b) : 0);
}

/* ---- making, changing, freeing -------------------------------------------------------------- */

/* A reference to a blob with these bytes: to `given`, which holds them, if there is one. */
static struct blob *blob_of(struct slice value, struct blob *given)
{
    if (given) return blob_ref(given);
    struct blob *b = blob_new(value.n);
    if (!b) panic("Out of memory for a value of %zu bytes", value.n);
    memcpy(b->data, value.p, value.n);
    return b;
}

static inline void put_value(struct hash_field *f, size_t name_n, struct slice value)
{
    write_len(f->rest + value_at(f->bits), value.n, f->bits & VALUE_LONG);
    copy_bytes((char *)f->rest + name_at(f->bits) + name_n, value);
}

/* With everything but the value of a blob and the expiry. */
static inline struct hash_field *make(unsigned bits, struct slice name, struct slice value)
{
    assert(name.n <= UINT32_MAX);
    struct hash_field *f = mem_alloc(size_of(bits, name.n, value.n));
    f->bits = (uint8_t)bits;
    write_len(f->rest, name.n, bits & FIELD_LONG);
    copy_bytes((char *)f->rest + name_at(bits), name);
    if (LIKELY(!(bits & VALUE_BLOB))) put_value(f, name.n, value);
    return f;
}

static void put_blob(struct hash_field *f, struct blob *b)
{
    memcpy(f->rest + value_at(f->bits), &b, sizeof b);
}

struct hash_field *field_new(struct slice name, struct slice value, struct blob *blob, bool timed)
{
    struct hash_field *f = make(bits_for(name.n, value.n, timed), name, value);
    if (UNLIKELY(f->bits & VALUE_BLOB)) put_blob(f, blob_of(value, blob));
    return f;
}

static void release(struct hash_field *f)
{
    mem_free_sized(f, field_size(f));
}

void field_free(void *field)
{
    struct blob *b = field_blob(field);
    if (UNLIKELY(b)) blob_unref(b);
    release(field);
}

struct hash_field *field_dup(const struct hash_field *f)
{
    struct blob *b = field_blob(f);
    if (UNLIKELY(b)) blob_ref(b);
    return mem_dup(f, field_size(f));
}

/* A change in place keeps the size class: see entry__fits(). */
static bool same_class(size_t a, size_t b)
{
    return a == b || mem_good_size(a) == mem_good_size(b);
}

static void copy_time(struct hash_field *to, const struct hash_field *from)
{
    memcpy(to->rest + time_at(to->bits), from->rest + time_at(from->bits), TIME_BYTES);
}

struct hash_field *field_set_value(struct hash_field *f, struct slice value, struct blob *blob)
{
    size_t n = name_len(f);
    unsigned bits = bits_for(n, value.n, f->bits & TIMED);
    bool in_place = bits == f->bits && !(bits & VALUE_BLOB);
    if (LIKELY(in_place && same_class(field_size(f), size_of(bits, n, value.n)))) {
        put_value(f, n, value);
        return f;
    }
    struct hash_field *to = field_new(field_name(f), value, blob, bits & TIMED);
    if (bits & TIMED) copy_time(to, f);
    field_free(f);
    return to;
}

struct hash_field *field_set_timed(struct hash_field *f, bool timed)
{
    struct blob *b = field_blob(f);
    unsigned bits = (f->bits & ~TIMED) | (timed ? TIMED : 0);
    struct hash_field *to = make(bits, field_name(f), b ? (struct slice){0} : field_value(f));
    if (b) put_blob(to, b);
    release(f);
    return to;
}

/* ---- the heap ------------------------------------------------------------------------------- */

#define CHUNK 512

static inline struct hash_field **slot_of(const struct field_heap *h, size_t i)
{
    return &h->chunk[i / CHUNK][i % CHUNK];
}

static inline void put(struct field_heap *h, size_t i, struct hash_field *f)
{
    *slot_of(h, i) = f;
    put_place(f, i);
}

static void sift_up(struct field_heap *h, size_t i, struct hash_field *f)
{
    int64_t ms = field_expire(f);
    while (i > 0) {
        struct hash_field *parent = *slot_of(h, (i - 1) / 2);
        if (field_expire(parent) <= ms) break;
        put(h, i, parent);
        i = (i - 1) / 2;
    }
    put(h, i, f);
}

static void sift_down(struct field_heap *h, size_t i, struct hash_field *f)
{
    int64_t ms = field_expire(f);
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        struct hash_field *c = *slot_of(h, child);
        if (child + 1 < h->n && field_expire(*slot_of(h, child + 1)) < field_expire(c)) {
            c = *slot_of(h, ++child);
        }
        if (field_expire(c) >= ms) break;
        put(h, i, c);
    }
    put(h, i, f);
}

/* f's place is i, but for the order. */
static void settle(struct field_heap *h, size_t i, struct hash_field *f)
{
    bool early = i > 0 && field_expire(*slot_of(h, (i - 1) / 2)) > field_expire(f);
    if (early) {
        sift_up(h, i, f);
    } else {
        sift_down(h, i, f);
    }
}

static void grow(struct field_heap *h)
{
    if ((h->chunks & (h->chunks - 1)) == 0) {
        h->chunk = mem_realloc(h->chunk, MAX(2 * h->chunks, (size_t)1) * sizeof *h->chunk);
    }
    h->chunk[h->chunks++] = mem_alloc(CHUNK * sizeof **h->chunk);
}

/* Keeps one chunk more than it needs. */
static void shrink(struct field_heap *h)
{
    while (h->chunks > 1 && h->n + CHUNK < (h->chunks - 1) * CHUNK)
        mem_free_sized(h->chunk[--h->chunks], CHUNK * sizeof **h->chunk);
}

void heap_add(struct field_heap *h, struct hash_field *f, int64_t expire_ms)
{
    if (h->n == h->chunks * CHUNK) grow(h);
    put_expire(f, expire_ms);
    sift_up(h, h->n++, f);
}

void heap_remove(struct field_heap *h, struct hash_field *f)
{
    size_t i = place_of(f);
    struct hash_field *last = *slot_of(h, --h->n);
    if (last != f) settle(h, i, last);
    shrink(h);
}

void heap_change(struct field_heap *h, struct hash_field *f, int64_t expire_ms)
{
    put_expire(f, expire_ms);
    settle(h, place_of(f), f);
}

void heap_moved(struct field_heap *h, struct hash_field *f)
{
    *slot_of(h, place_of(f)) = f;
}

struct hash_field *heap_top(const struct field_heap *h)
{
    return h->n ? *slot_of(h, 0) : NULL;
}

size_t heap_memory(const struct field_heap *h)
{
    if (!h->chunk) return 0;
    return mem_usable(h->chunk) + h->chunks * CHUNK * sizeof **h->chunk;
}

void heap_free(struct field_heap *h)
{
    for (size_t i = 0; i < h->chunks; i++)
        mem_free_sized(h->chunk[i], CHUNK * sizeof **h->chunk);
    mem_free(h->chunk);
    *h = (struct field_heap){0};
}
