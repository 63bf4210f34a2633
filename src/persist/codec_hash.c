/*
 * codec_hash.c - hashes as RDB has them: packed as they lie in memory, or field by field; with the
 * expiry of fields or without.
 *
 * Versions before 12 have no expiry of fields: written for them it is left out, and so are fields
 * whose time has come. Packed hashes that exceed the limits of a listpack are built anew when read,
 * field by field.
 */
#include "persist/value_codec.h"

#include "persist/old_packed.h"

#define EXPIRE_MAX ((int64_t)0x0000FFFFFFFFFFFF) /* of a field */

/* ---- writing -------------------------------------------------------------------------------- */

static uint8_t hash_type(const struct rdb_writer *w, const struct entry *e)
{
    if (e->enc == ENC_LISTPACK) return RDB_HASH_LISTPACK;
    if (w->version < 12) return RDB_HASH;
    if (e->enc == ENC_LISTPACK_EX) return RDB_HASH_LISTPACK_EX;
    return hash_next_expire(e) == ENTRY_NO_EXPIRE ? RDB_HASH : RDB_HASH_METADATA;
}

/* Those whose time has not come yet. */
static size_t hash_living(const struct entry *e, int64_t now_ms)
{
    struct hash_iter it;
    struct slice field;
    int64_t ms;
    size_t n = 0;
    hash_first(e, &it);
    while (hash_next(&it, &field, NULL, &ms))
        n += ms == ENTRY_NO_EXPIRE || ms > now_ms;
    return n;
}

static void hash_plain_encode(struct rdb_writer *w, const struct entry *e)
{
    struct hash_iter it;
    struct slice field, value;
    bool expire = hash_next_expire(e) != ENTRY_NO_EXPIRE;
    int64_t ms, now_ms = expire ? clock_unix_ms() : INT64_MIN;
    rdb_put_len(w, expire ? hash_living(e, now_ms) : hash_len(e));
    hash_first(e, &it);
    while (hash_next(&it, &field, &value, &ms)) {
        if (ms != ENTRY_NO_EXPIRE && ms <= now_ms) continue;
        rdb_put_string(w, field);
        rdb_put_string(w, value);
    }
}

/* Times are relative to the earliest, plus one: 0 says that there is none. */
static void hash_metadata_encode(struct rdb_writer *w, const struct entry *e)
{
    struct hash_iter it;
    struct slice field, value;
    int64_t ms, first = hash_next_expire(e);
    rdb_put_ms(w, first);
    rdb_put_len(w, hash_len(e));
    hash_first(e, &it);
    while (hash_next(&it, &field, &value, &ms)) {
        rdb_put_len(w, ms == ENTRY_NO_EXPIRE ? 0 : (uint64_t)(ms - first + 1));
        rdb_put_string(w, field);
        rdb_put_string(w, value);
    }
}

static void hash_encode(struct rdb_writer *w, const struct entry *e, uint8_t type)
{
    int64_t first;
    lp *l;
    switch (type) {
    case RDB_HASH_LISTPACK:
        l = hash_to_listpack(e);
        rdb_put_listpack(w, l);
        lp_free(l);
        break;
    case RDB_HASH_LISTPACK_EX:
        first = hash_next_expire(e);
        rdb_put_ms(w, first == ENTRY_NO_EXPIRE ? 0 : first);
        rdb_put_listpack(w, e->v.ptr);
        break;
    case RDB_HASH_METADATA: hash_metadata_encode(w, e); break;
    default: hash_plain_encode(w, e);
    }
}

/* ---- field by field ------------------------------------------------------------------------- */

static bool add_field(struct entry *e, struct slice field, struct slice value, int64_t expire_ms)
{
    struct slice pair[] = {field, value};
    hash_before_set(e, pair, 2);
    if (!hash_set(e, field, value)) return false;
    if (expire_ms != ENTRY_NO_EXPIRE) hash_set_expire(e, field, expire_ms);
    return true;
}

/* The time in front of a field: absolute, or behind `first` by one less; 0: none. */
static bool get_expire(struct rdb_reader *r, uint8_t type, int64_t first, int64_t *ms)
{
    uint64_t v;
    *ms = ENTRY_NO_EXPIRE;
    if (type == RDB_HASH) return true;
    if (!rdb_get_len(r, &v)) return false;
    if (v == 0) return true;
    if (v > EXPIRE_MAX) return rdb_fail(r, "a field expires too late");
    *ms = (int64_t)v + (type == RDB_HASH_METADATA ? first - 1 : 0);
    return *ms <= EXPIRE_MAX || rdb_fail(r, "a field expires too late");
}

static bool get_first_expire(struct rdb_reader *r, int64_t *ms)
{
    if (!rdb_get_ms(r, ms)) return false;
    if (*ms >= 0 && *ms <= EXPIRE_MAX + 1) return true;
    return rdb_fail(r, "the first expiry of a field is out of range");
}

static enum value_result decode_fields(struct rdb_reader *r, uint8_t type, struct slice key,
                                       struct entry **out)
{
    uint64_t n;
    int64_t first = 0, ms;
    struct buf field = {0}, value = {0};
    if (type == RDB_HASH_METADATA && !get_first_expire(r, &first)) return VALUE_BAD;
    if (!rdb_get_count(r, 2, &n)) return VALUE_BAD;
    if (n == 0) return VALUE_EMPTY;
    struct entry *e = entry_new_hash(key);
    if (type != RDB_HASH) hash_allow_expire(e);
    while (n-- > 0 && get_expire(r, type, first, &ms)) {
        if (!rdb_get_string(r, &field) || !rdb_get_string(r, &value)) break;
        if (add_field(e, buf_slice(&field), buf_slice(&value), ms)) continue;
        rdb_fail(r, "the same field twice");
        break;
    }
    buf_free(&field);
    buf_free(&value);
    return decoded(e, !r->failed, out);
}

/* ---- packed --------------------------------------------------------------------------------- */

/* Every third element is a time; the earliest first, those without one (0) last. */
static bool times_in_order(const lp *l)
{
    int64_t last = -1;
    size_t i = 0;
    for (size_t pos = lp_first(l); pos != LP_NONE; pos = lp_next(l, pos)) {
        if (i++ % 3 != 2) continue;
        struct lp_elem t = lp_get(l, pos);
        if (t.p || t.i < 0 || t.i > EXPIRE_MAX) return false;
        if (t.i != 0 && (last == 0 || t.i < last)) return false;
        last = t.i;
    }
    return true;
}

static bool within_limits(const lp *l, size_t width, bool lengths)
{
    size_t max = MIN(hash_limits.max_listpack_entries, (size_t)PAIRS_MAX);
    if (lp_count(l) / width > max) return false;
    for (size_t pos = lp_first(l); lengths && pos != LP_NONE; pos = lp_next(l, pos)) {
        char tmp[NUM_I64_MAX];
        if (lp_slice(l, pos, tmp).n > hash_limits.max_listpack_value) return false;
    }
    return true;
}

/* The same fields, one by one; false: one is there twice. */
static bool rebuild(const lp *l, size_t width, struct entry *e)
{
    char field_tmp[NUM_I64_MAX], value_tmp[NUM_I64_MAX];
    if (width == 3) hash_allow_expire(e);
    for (size_t pos = lp_first(l); pos != LP_NONE; pos = lp_next(l, pos)) {
        struct slice field = lp_slice(l, pos, field_tmp);
        pos = lp_next(l, pos);
        struct slice value = lp_slice(l, pos, value_tmp);
        if (width == 3) pos = lp_next(l, pos);
        int64_t ms = width == 3 ? lp_get(l, pos).i : 0;
        if (!add_field(e, field, value, ms ? ms : ENTRY_NO_EXPIRE)) return false;
    }
    return true;
}

/* An entry of a listpack that is a hash; takes it over. */
static enum value_result from_listpack(struct rdb_reader *r, lp *l, size_t width, bool lengths,
                                       struct slice key, struct entry **out)
{
    if (within_limits(l, width, lengths)) {
        *out = entry_new_hash_of(key, width == 3, l);
        return VALUE_OK;
    }
    struct entry *e = entry_new_hash(key);
    bool ok = rebuild(l, width, e) || rdb_fail(r, "Hash listpack with dup elements");
    lp_free(l);
    return decoded(e, ok, out);
}

static lp *get_packed(struct rdb_reader *r, uint8_t type)
{
    size_t n;
    if (type == RDB_HASH_ZIPLIST) return decode_ziplist(r, "Hash");
    if (type != RDB_HASH_ZIPMAP) return decode_listpack(r, "Hash");
    void *bytes = rdb_get_string_alloc(r, &n);
    lp *l = bytes ? lp_of_zipmap(bytes, n) : NULL;
    if (bytes && !l) rdb_fail(r, "Zipmap integrity check failed");
    mem_free(bytes);
    return l;
}

/* Old forms are walked anyway: there the costly checks are made always. */
static bool valid(const struct rdb_reader *r, uint8_t type, const lp *l, size_t width)
{
    bool deep = r->deep || type == RDB_HASH_ZIPLIST || type == RDB_HASH_ZIPMAP;
    if (lp_count(l) % width || (width == 3 && !times_in_order(l))) return false;
    return !deep || listpack_distinct(l, width);
}

static enum value_result decode_packed(struct rdb_reader *r, uint8_t type, struct slice key,
                                       struct entry **out)
{
    int64_t first;
    bool expire = type == RDB_HASH_LISTPACK_EX || type == RDB_HASH_LISTPACK_EX_PRE_GA;
    size_t width = expire ? 3 : 2;
    if (type == RDB_HASH_LISTPACK_EX && !rdb_get_ms(r, &first)) return VALUE_BAD;
    lp *l = get_packed(r, type);
    if (!l) return VALUE_BAD;
    if (lp_count(l) > 0 && valid(r, type, l, width))
        return from_listpack(r, l, width, type == RDB_HASH_ZIPMAP, key, out);
    bool empty = lp_count(l) == 0;
    lp_free(l);
    if (empty) return VALUE_EMPTY;
    rdb_fail(r, "Hash listpack integrity check failed");
    return VALUE_BAD;
}

static enum value_result hash_decode(struct rdb_reader *r, uint8_t type, struct slice key,
                                     struct entry **out)
{
    switch (type) {
    case RDB_HASH:
    case RDB_HASH_METADATA:
    case RDB_HASH_METADATA_PRE_GA: return decode_fields(r, type, key, out);
    default: return decode_packed(r, type, key, out);
    }
}

const struct value_codec hash_codec = {hash_type, hash_encode, hash_decode};
