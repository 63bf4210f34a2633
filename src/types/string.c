/*
 * string.c - string values: blobs, overwriting, and growing in place.
 *
 *                  string_set*                            string_make_writable
 *   ENC_INT     <--- canonical integer                    -> ENC_INLINE_RAW
 *   ENC_INLINE  <--- up to ENTRY_INLINE_MAX bytes         -> ENC_INLINE_RAW or ENC_BLOB
 *   ENC_BLOB    <--- more                                 -> ENC_BLOB
 *
 * Invariants
 *  1. A blob is written only by who holds its one reference; seeing the count at 1 (acquire) orders
 *     after the last read of whoever dropped theirs (release).
 *  2. An entry that overwrites in place stays in its size class (entry.c, invariant 1). Slack for
 *     growth is kept by ENC_INLINE_RAW and by blobs alone.
 */
#include <stdatomic.h>

#include "types/types_internal.h"

#define GROW_DOUBLE_MAX ((size_t)1 << 20) /* values double up to here, then grow by as much */

/* ---- blobs ---------------------------------------------------------------------------------- */

static size_t blob_size(size_t cap)
{
    return sizeof(struct blob) + cap + 1;
}

/* Room for cap bytes and a NUL; len is 0. */
static struct blob *blob_with_cap(size_t cap)
{
    if (UNLIKELY(cap > SIZE_MAX / 2)) return NULL;
    struct blob *b = mem_try_alloc(blob_size(cap));
    if (UNLIKELY(!b)) return NULL;
    atomic_init(&b->refs, 1);
    b->len = 0;
    b->cap = cap;
    b->data[cap] = '\0';
    return b;
}

struct blob *blob_new(size_t len)
{
    struct blob *b = blob_with_cap(len);
    if (LIKELY(b)) b->len = len;
    return b;
}

struct blob *blob_ref(struct blob *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

static bool blob_is_ours(struct blob *b)
{
    return atomic_load_explicit(&b->refs, memory_order_acquire) == 1;
}

void blob_unref(struct blob *b)
{
    if (!blob_is_ours(b) && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    mem_free_sized(b, blob_size(b->cap));
}

/* ---- reading -------------------------------------------------------------------------------- */

size_t string_len(const struct entry *e)
{
    char tmp[NUM_I64_MAX];
    return string_view(e, tmp).n;
}

bool string_to_i64(const struct entry *e, int64_t *out)
{
    if (LIKELY(e->enc == ENC_INT)) {
        *out = e->v.i;
        return true;
    }
    char tmp[NUM_I64_MAX];
    return slice_is_i64(string_view(e, tmp), out);
}

/* ---- overwriting ---------------------------------------------------------------------------- */

static inline void drop_value(struct entry *e)
{
    if (UNLIKELY(e->enc == ENC_BLOB)) blob_unref(e->v.blob);
}

/* An entry like e with room for n bytes behind its key; it has no value yet, e is gone. */
static struct entry *move_to(struct entry *e, size_t fixed, size_t n)
{
    struct entry *moved = mem_alloc(fixed + n);
    memcpy(moved, e, fixed);
    drop_value(e);
    entry__release(e);
    return moved;
}

/* The same, where the memory is kept when it fits. */
static inline struct entry *remake(struct entry *e, size_t n)
{
    size_t fixed = entry_key_offset(e) + e->key_len;
    if (UNLIKELY(!entry__fits(e, fixed + n))) return move_to(e, fixed, n);
    drop_value(e);
    return e;
}

static struct entry *set_long(struct entry *e, struct slice value)
{
    struct blob *b = blob_new(value.n);
    if (!b) panic("Out of memory for a value of %zu bytes", value.n);
    copy_bytes(b->data, value);
    return string_set_blob(e, b);
}

struct entry *string_set(struct entry *e, struct slice value)
{
    int64_t v;
    if (UNLIKELY(slice_is_i64(value, &v))) return string_set_int(e, v);
    if (UNLIKELY(value.n > ENTRY_INLINE_MAX)) return set_long(e, value);
    e = remake(e, value.n);
    e->enc = ENC_INLINE;
    e->v.inline_len = value.n;
    copy_bytes(entry_inline(e), value);
    return e;
}

struct entry *string_set_blob(struct entry *e, struct blob *blob)
{
    if (blob->len <= ENTRY_INLINE_MAX) {
        e = string_set(e, slice_of(blob->data, blob->len));
        blob_unref(blob);
        return e;
    }
    e = remake(e, 0);
    e->enc = ENC_BLOB;
    e->v.blob = blob;
    return e;
}

struct entry *string_set_int(struct entry *e, int64_t value)
{
    e = remake(e, 0);
    e->enc = ENC_INT;
    e->v.i = value;
    return e;
}

/* ---- growing -------------------------------------------------------------------------------- */

/* What to take for n bytes that were fewer before. An empty value was not growing until now. */
static size_t with_slack(size_t before, size_t n)
{
    if (before == 0 || n <= before) return n;
    return n + MIN(n, GROW_DOUBLE_MAX);
}

/* n zero bytes behind the `before` that are there. */
static void zero_from(char *bytes, size_t before, size_t n)
{
    if (n > before) memset(bytes + before, 0, n - before);
}

/* The value, old, as an inline one of n bytes that may be written. */
static struct entry *grow_inline(struct entry *e, struct slice old, size_t n, char **bytes)
{
    size_t fixed = entry_key_offset(e) + e->key_len;
    if (!entry_is_inline(e) || fixed + n > mem_usable(e)) {
        size_t cap = MIN(with_slack(old.n, n), (size_t)ENTRY_INLINE_MAX);
        struct entry *moved = mem_alloc(fixed + cap);
        memcpy(moved, e, fixed);
        copy_bytes((char *)moved + fixed, old);
        entry__release(e);
        e = moved;
    }
    e = forget_size(e);
    e->enc = ENC_INLINE_RAW;
    e->v.inline_len = n;
    *bytes = entry_inline(e);
    zero_from(*bytes, old.n, n);
    return e;
}

/* Room for n bytes in a blob of which we hold the one reference: may move it. */
static struct blob *blob_grow(struct blob *b, size_t n)
{
    if (n <= b->cap) return b;
    size_t cap = with_slack(b->len, n);
    if (UNLIKELY(cap > SIZE_MAX / 2)) return NULL;
    struct blob *grown = mem_try_realloc(b, blob_size(cap));
    if (!grown) return NULL;
    grown->cap = cap;
    grown->data[cap] = '\0';
    return grown;
}

static struct blob *blob_from(struct slice old, size_t n)
{
    struct blob *b = blob_with_cap(with_slack(old.n, n));
    if (!b) return NULL;
    copy_bytes(b->data, old);
    b->len = old.n;
    return b;
}

struct entry *string_make_writable(struct entry *e, size_t len, char **bytes)
{
    char tmp[NUM_I64_MAX];
    struct slice old = string_view(e, tmp);
    size_t n = MAX(len, old.n);
    if (n <= ENTRY_INLINE_MAX && e->enc != ENC_BLOB) return grow_inline(e, old, n, bytes);

    bool ours = e->enc == ENC_BLOB && blob_is_ours(e->v.blob);
    struct blob *b = ours ? blob_grow(e->v.blob, n) : blob_from(old, n);
    if (!b) return NULL;
    zero_from(b->data, b->len, n);
    b->len = n;
    *bytes = b->data;
    if (!ours) e = remake(e, 0); /* gives the old value back */
    e->enc = ENC_BLOB;
    e->v.blob = b;
    return e;
}

void string_cut(struct entry *e, size_t n)
{
    assert(e->enc == ENC_INLINE_RAW || e->enc == ENC_BLOB);
    assert(n <= string_len(e));
    if (e->enc == ENC_BLOB) {
        e->v.blob->len = n;
    } else {
        e->v.inline_len = n;
    }
}

bool string_is_room_for(const struct entry *e, size_t n)
{
    if (e->type != TYPE_STRING || e->enc != ENC_BLOB) return false;
    return n <= e->v.blob->cap && n >= e->v.blob->cap / 2 && blob_is_ours(e->v.blob);
}
