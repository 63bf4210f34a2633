/*
 * entry.c - entries: making, freeing, moving and measuring them (layout: types.h).
 *
 * Who frees what: the entry's memory is the entry's; a blob is given back by its reference; what
 * another type keeps behind v.ptr is its own business, reached through the table below.
 *
 * Invariants
 *  1. But for ENC_INLINE_RAW, an entry's size follows from its fields (entry__size), to within a
 * size class of the allocator; it is freed by that size, so the allocator looks nothing up.
 *  2. Functions that move an entry keep its access field.
 */
#include "types/types_internal.h"

static_assert(sizeof(struct entry) == 16, "the entry's header");
static_assert(offsetof(struct entry, v) == 8 && offsetof(struct entry, tail) == 16, "its layout");

static const struct type_ops *const ops_of[] = {
    [TYPE_LIST] = &list_ops,
    [TYPE_STREAM] = &stream_ops,
    [TYPE_SET] = &set_ops,
    [TYPE_ZSET] = &zset_ops,
    [TYPE_HASH] = &hash_ops,
};

/* ---- making --------------------------------------------------------------------------------- */

/* Header, expiry and key; `inline_len` bytes of room behind them. The caller sets v. */
static inline struct entry *make(struct slice key, enum value_type type, enum value_enc enc,
                                 size_t inline_len, int64_t expire_ms)
{
    bool has_expire = expire_ms != ENTRY_NO_EXPIRE;
    size_t offset = sizeof(struct entry) + (has_expire ? sizeof expire_ms : 0);
    assert(key.n <= UINT32_MAX);
    struct entry *e = mem_alloc(offset + key.n + inline_len);
    e->key_len = (uint32_t)key.n;
    e->type = type;
    e->enc = enc;
    e->has_expire = has_expire;
    e->access = 0;
    if (UNLIKELY(has_expire)) memcpy(e->tail, &expire_ms, sizeof expire_ms);
    copy_bytes((char *)e + offset, key);
    return e;
}

static struct entry *make_inline(struct slice key, struct slice value, int64_t expire_ms)
{
    struct entry *e = make(key, TYPE_STRING, ENC_INLINE, value.n, expire_ms);
    e->v.inline_len = value.n;
    copy_bytes(entry_inline(e), value);
    return e;
}

static struct blob *blob_copy(struct slice s)
{
    struct blob *b = blob_new(s.n);
    if (!b) panic("Out of memory for a value of %zu bytes", s.n);
    copy_bytes(b->data, s);
    return b;
}

struct entry *entry_new_string(struct slice key, struct slice value, int64_t expire_ms)
{
    int64_t v;
    if (UNLIKELY(slice_is_i64(value, &v))) return entry_new_int(key, v, expire_ms);
    if (LIKELY(value.n <= ENTRY_INLINE_MAX)) return make_inline(key, value, expire_ms);
    return entry_new(key, TYPE_STRING, ENC_BLOB, blob_copy(value), expire_ms);
}

struct entry *entry_new_blob(struct slice key, struct blob *blob, int64_t expire_ms)
{
    if (LIKELY(blob->len > ENTRY_INLINE_MAX))
        return entry_new(key, TYPE_STRING, ENC_BLOB, blob, expire_ms);
    struct entry *e = entry_new_string(key, slice_of(blob->data, blob->len), expire_ms);
    blob_unref(blob);
    return e;
}

struct entry *entry_new_int(struct slice key, int64_t value, int64_t expire_ms)
{
    struct entry *e = make(key, TYPE_STRING, ENC_INT, 0, expire_ms);
    e->v.i = value;
    return e;
}

struct entry *entry_new(struct slice key, enum value_type type, enum value_enc enc, void *ptr,
                        int64_t expire_ms)
{
    struct entry *e = make(key, type, enc, 0, expire_ms);
    e->v.ptr = ptr;
    return e;
}

/* ---- freeing -------------------------------------------------------------------------------- */

void entry_free(struct entry *e)
{
    if (UNLIKELY(e->type != TYPE_STRING)) {
        ops_of[e->type]->free(e);
    } else if (e->enc == ENC_BLOB) {
        blob_unref(e->v.blob);
    }
    entry__release(e);
}

size_t entry_free_effort(const struct entry *e)
{
    if (e->type == TYPE_STRING) return 1;
    return ops_of[e->type]->effort(e);
}

/* ---- moving --------------------------------------------------------------------------------- */

/* The bytes behind the header that count, expiry not included. */
static size_t tail_len(const struct entry *e)
{
    return e->key_len + (entry_is_inline(e) ? e->v.inline_len : 0);
}

static struct entry *add_expire(struct entry *e, int64_t ms)
{
    size_t n = tail_len(e), size = sizeof *e + sizeof ms + n;
    bool slack = e->enc == ENC_INLINE_RAW && size <= mem_usable(e);
    if (!slack && !entry__fits(e, size)) e = mem_realloc(e, size);
    memmove(e->tail + sizeof ms, e->tail, n);
    memcpy(e->tail, &ms, sizeof ms);
    e->has_expire = true;
    return e;
}

static struct entry *drop_expire(struct entry *e)
{
    size_t n = tail_len(e), size = sizeof *e + n;
    bool stays = e->enc == ENC_INLINE_RAW || entry__fits(e, size);
    memmove(e->tail, e->tail + sizeof(int64_t), n);
    e->has_expire = false;
    return stays ? e : mem_realloc(e, size);
}

struct entry *entry_with_expire(struct entry *e, int64_t ms)
{
    if (ms == ENTRY_NO_EXPIRE) return e->has_expire ? drop_expire(e) : e;
    if (!e->has_expire) return add_expire(e, ms);
    entry_set_expire(e, ms);
    return e;
}

/* A copy of e and what lies in it under another key. What v points to is then shared by both. */
static struct entry *copy_shallow(const struct entry *e, struct slice key, int64_t expire_ms)
{
    size_t inline_len = entry_is_inline(e) ? e->v.inline_len : 0;
    struct entry *copy = make(key, e->type, e->enc, inline_len, expire_ms);
    copy->access = e->access;
    copy->v = e->v;
    if (inline_len) memcpy(entry_inline(copy), entry_inline(e), inline_len);
    return copy;
}

struct entry *entry_with_key(struct entry *e, struct slice key)
{
    struct entry *moved = copy_shallow(e, key, entry_expire(e));
    entry__release(e);
    return moved;
}

struct entry *entry_dup(const struct entry *e, struct slice key, int64_t expire_ms)
{
    struct entry *copy = copy_shallow(e, key, expire_ms);
    if (e->type != TYPE_STRING) {
        copy->v.ptr = ops_of[e->type]->dup(e);
    } else if (e->enc == ENC_BLOB) {
        blob_ref(copy->v.blob);
    }
    return copy;
}

/* ---- measuring ------------------------------------------------------------------------------ */

size_t entry_memory(const struct entry *e, size_t samples)
{
    size_t bytes = mem_usable(e);
    if (e->type != TYPE_STRING) return bytes + ops_of[e->type]->memory(e, samples);
    return e->enc == ENC_BLOB ? bytes + mem_usable(e->v.blob) : bytes;
}

const char *entry_type_name(const struct entry *e)
{
    static const char *const names[] = {
        [TYPE_STRING] = "string", [TYPE_LIST] = "list", [TYPE_SET] = "set",
        [TYPE_ZSET] = "zset",     [TYPE_HASH] = "hash", [TYPE_STREAM] = "stream",
    };
    return names[e->type];
}

const char *entry_encoding_name(const struct entry *e)
{
    static const char *const names[] = {
        [ENC_INT] = "int",
        [ENC_INLINE] = "raw",
        [ENC_INLINE_RAW] = "raw",
        [ENC_BLOB] = "raw",
        [ENC_LISTPACK] = "listpack",
        [ENC_QUICKLIST] = "quicklist",
        [ENC_INTSET] = "intset",
        [ENC_HASHTABLE] = "hashtable",
        [ENC_BTREE] = "skiplist",
        [ENC_STREAM] = "stream",
        [ENC_LISTPACK_EX] = "listpackex",
    };
    if (e->enc == ENC_INLINE && e->v.inline_len <= ENTRY_EMBSTR_MAX) return "embstr";
    return names[e->enc];
}
