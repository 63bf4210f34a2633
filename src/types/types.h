/*
 * types.h - the values and their encodings. No lock, no I/O, no parking; the caller owns what it passes.
 *
 * An entry is one allocation that holds a key, its value or a pointer to it, and its expiry:
 *
 *   offset  size  meaning
 *   0       4     key_len
 *   4       4     type:3  enc:4  has_expire:1  access:24 (LRU seconds, or LFU minutes:16 counter:8)
 *   8       8     value word: integer, pointer, or the length of an inline string
 *   16      8     expiry, ms since 1970                    (only when has_expire)
 *   16/24   n     key bytes
 *           m     inline string bytes                      (only with ENC_INLINE*)
 *
 * A 16-byte key with a 64-byte value takes 96 bytes, one size class of the allocator.
 *
 * Invariants
 *  1. An entry is referenced by exactly one slot of one keyspace table (and one of the expiry index
 *     if has_expire). Functions that must move it return the new address; the old one is gone and the
 *     caller updates the slots.
 *  2. Strings longer than ENTRY_INLINE_MAX live in a blob; blobs are counted references, because a
 *     reply on its way to a slow socket may outlive the key. A blob with more than one reference is
 *     never written: writers copy it first.
 */
#ifndef WEFT_TYPES_H
#define WEFT_TYPES_H

#include "base/base.h"

enum value_type { TYPE_STRING, TYPE_LIST, TYPE_SET, TYPE_ZSET, TYPE_HASH, TYPE_STREAM };

enum value_enc {
    ENC_INT,        /* string: int64 in the value word */
    ENC_INLINE,     /* string: bytes behind the key */
    ENC_INLINE_RAW, /* the same, but one that was modified in place: OBJECT ENCODING says raw */
    ENC_BLOB,       /* string: struct blob */
    ENC_LISTPACK,   /* small collections: one listpack */
    ENC_QUICKLIST,  /* large lists */
    ENC_INTSET, ENC_HASHTABLE, ENC_BTREE, ENC_STREAM, ENC_LISTPACK_EX,
};

#define ENTRY_INLINE_MAX   1024
#define ENTRY_EMBSTR_MAX   44 /* longer ones answer "raw" */
#define ENTRY_NO_EXPIRE    (-1)

struct blob;

struct entry {
    uint32_t key_len;
    uint32_t type : 3, enc : 4, has_expire : 1, access : 24;
    union {
        int64_t i;
        void *ptr;
        struct blob *blob;
        size_t inline_len;
    } v;
    char tail[];
};

static inline size_t entry_key_offset(const struct entry *e)
{
    return sizeof(struct entry) + (e->has_expire ? sizeof(int64_t) : 0);
}

static inline struct slice entry_key(const struct entry *e)
{
    return slice_of((const char *)e + entry_key_offset(e), e->key_len);
}

static inline int64_t entry_expire(const struct entry *e)
{
    int64_t ms = ENTRY_NO_EXPIRE;
    if (e->has_expire) memcpy(&ms, e->tail, sizeof ms);
    return ms;
}

/* The expiry of an entry that has one already; else entry_with_expire(). */
static inline void entry_set_expire(struct entry *e, int64_t ms)
{
    assert(e->has_expire);
    memcpy(e->tail, &ms, sizeof ms);
}

static inline char *entry_inline(const struct entry *e)
{
    return (char *)e + entry_key_offset(e) + e->key_len;
}

static inline bool entry_is_inline(const struct entry *e)
{
    return e->enc == ENC_INLINE || e->enc == ENC_INLINE_RAW;
}

/* A string entry in the best encoding for `value` (integer, inline, blob). expire_ms:
 * ENTRY_NO_EXPIRE or the time. The access field is 0. */
struct entry *entry_new_string(struct slice key, struct slice value, int64_t expire_ms);
/* The same with a blob, whose reference it takes over. Short blobs are turned inline. */
struct entry *entry_new_blob(struct slice key, struct blob *blob, int64_t expire_ms);
struct entry *entry_new_int(struct slice key, int64_t value, int64_t expire_ms);
/* An entry of another type; ptr is owned by it from now on. */
struct entry *entry_new(struct slice key, enum value_type type, enum value_enc enc, void *ptr,
                        int64_t expire_ms);

/* Frees key and value. Large collections take long: see entry_free_effort(). */
void entry_free(struct entry *e);
/* Allocations that freeing e will give back: above a few dozen the caller frees it elsewhere. */
size_t entry_free_effort(const struct entry *e);

/* The entry with this expiry, or with none (ENTRY_NO_EXPIRE): may move. */
struct entry *entry_with_expire(struct entry *e, int64_t ms);
/* The entry under another key: moves. */
struct entry *entry_with_key(struct entry *e, struct slice key);
/* A deep copy under another key (COPY, and snapshots): keeps type, encoding and access field; expiry
 * as given. A blob is not copied but referenced once more. */
struct entry *entry_dup(const struct entry *e, struct slice key, int64_t expire_ms);

size_t entry_memory(const struct entry *e, size_t samples); /* bytes, as MEMORY USAGE; 0 samples: all */
const char *entry_type_name(const struct entry *e);         /* "string", "list", ... */
const char *entry_encoding_name(const struct entry *e);     /* as OBJECT ENCODING */

/* ---- strings -------------------------------------------------------------------------------- */

struct blob {
    _Atomic(uint32_t) refs;
    size_t len, cap; /* bytes used, bytes there behind data (one more is kept for a NUL) */
    char data[];
};
struct blob *blob_new(size_t len);              /* one reference; NULL: no memory for it */
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b);                /* any thread */

/* The bytes of a string value; integers are printed into tmp (NUM_I64_MAX bytes). */
static inline struct slice string_view(const struct entry *e, char *tmp)
{
    if (LIKELY(entry_is_inline(e))) return slice_of(entry_inline(e), e->v.inline_len);
    if (e->enc == ENC_BLOB) return slice_of(e->v.blob->data, e->v.blob->len);
    return slice_of(tmp, num_fmt_i64(tmp, e->v.i));
}
size_t string_len(const struct entry *e);
/* As a number: false when it is none in the canonical form. */
bool string_to_i64(const struct entry *e, int64_t *out);

/* Overwrites the value, in place if it fits well (returns e), else in a new entry with the same key,
 * expiry and access field (e is freed). `value` may not lie in e itself. */
struct entry *string_set(struct entry *e, struct slice value);
struct entry *string_set_blob(struct entry *e, struct blob *blob);
struct entry *string_set_int(struct entry *e, int64_t value);
/* Grows the value to at least `len` bytes (zero-filled) and makes it writable: *bytes points to them.
 * Leaves slack for further growth. May move. NULL: no memory (e is unchanged). */
struct entry *string_make_writable(struct entry *e, size_t len, char **bytes);
/* Drops what lies behind the first n bytes of a value that was just made writable. */
void string_cut(struct entry *e, size_t n);
/* May a value of n bytes be written where e's value lies, and is that memory well used then? (A blob
 * that is nobody else's.) */
bool string_is_room_for(const struct entry *e, size_t n);

#include "types/hll.h"

/* ---- listpack: a packed sequence of strings and integers, in Redis's binary format ----------- */
#include "types/listpack.h"

/* ---- lists ---------------------------------------------------------------------------------- */
#include "types/list_value.h"

/* ---- sets ----------------------------------------------------------------------------------- */
#include "types/set_value.h"

/* ---- hashes --------------------------------------------------------------------------------- */
#include "types/hash_value.h"
/* ---- sorted sets ---------------------------------------------------------------------------- */
#include "types/zset_value.h"

/* ---- streams -------------------------------------------------------------------------------- */
#include "types/stream_value.h"

/* ---- what expires ---------------------------------------------------------------------------- */

/* When the first field of e expires; ENTRY_NO_EXPIRE: none does. */
static inline int64_t entry_fields_due(const struct entry *e)
{
    if (LIKELY(e->type != TYPE_HASH || e->enc == ENC_LISTPACK)) return ENTRY_NO_EXPIRE;
    return hash_next_expire(e);
}

/* When something of e expires first, itself or a field of it. */
static inline int64_t entry_due(const struct entry *e)
{
    int64_t own = entry_expire(e), fields = entry_fields_due(e);
    if (fields == ENTRY_NO_EXPIRE) return own;
    return own == ENTRY_NO_EXPIRE ? fields : MIN(own, fields);
}

#endif
