/* codec_set.c - sets as RDB has them: packed as they lie in memory, or member by member. */
#include "persist/value_codec.h"

#include "types/intset.h"

/* ---- writing -------------------------------------------------------------------------------- */

/* Version 10 knows no packed sets but those of integers. */
static uint8_t set_type(const struct rdb_writer *w, const struct entry *e)
{
    if (e->enc == ENC_INTSET) return RDB_SET_INTSET;
    return e->enc == ENC_LISTPACK && w->version >= 11 ? RDB_SET_LISTPACK : RDB_SET;
}

static void set_encode(struct rdb_writer *w, const struct entry *e, uint8_t type)
{
    struct set_iter it;
    struct slice member;
    if (type == RDB_SET_INTSET) {
        rdb_put_string(w, slice_of(e->v.ptr, intset_bytes(e->v.ptr)));
    } else if (type == RDB_SET_LISTPACK) {
        rdb_put_listpack(w, e->v.ptr);
    } else {
        rdb_put_len(w, set_len(e));
        set_first(e, &it);
        while (set_next(&it, &member))
            rdb_put_string(w, member);
    }
}

/* ---- member by member ----------------------------------------------------------------------- */

static enum value_result decode_members(struct rdb_reader *r, struct slice key, struct entry **out)
{
    uint64_t n, left;
    struct buf member = {0};
    if (!rdb_get_count(r, 1, &n)) return VALUE_BAD;
    if (n == 0) return VALUE_EMPTY;
    struct entry *e = entry_new_set(key);
    for (left = n; left > 0 && rdb_get_string(r, &member); left--) {
        struct slice s = buf_slice(&member);
        if (left == n) set_before_add(e, s, MIN(n, (uint64_t)RESERVE_MAX));
        if (set_add(e, s)) continue;
        rdb_fail(r, "the same member twice");
        break;
    }
    buf_free(&member);
    return decoded(e, !r->failed, out);
}

/* ---- packed --------------------------------------------------------------------------------- */

/* A set whose packed form exceeds the limits: the same members, one by one, in another encoding. */
static struct entry *rebuild(struct entry *from)
{
    struct set_iter it;
    struct slice member;
    struct entry *e = entry_new_set(entry_key(from));
    set_first(from, &it);
    for (size_t n = set_len(from); set_next(&it, &member); n = 0) {
        if (n) set_before_add(e, member, n);
        set_add(e, member);
    }
    entry_free(from);
    return e;
}

static enum value_result decode_intset(struct rdb_reader *r, struct slice key, struct entry **out)
{
    size_t n;
    struct intset *s = rdb_get_string_alloc(r, &n);
    if (!s) return VALUE_BAD;
    if (!intset_valid((const uint8_t *)s, n, true) || intset_len(s) == 0) {
        mem_free(s);
        rdb_fail(r, "Intset integrity check failed");
        return VALUE_BAD;
    }
    *out = entry_new(key, TYPE_SET, ENC_INTSET, s, ENTRY_NO_EXPIRE);
    if (set_len(*out) > set_limits.max_intset_entries) *out = rebuild(*out);
    return VALUE_OK;
}

static enum value_result decode_packed(struct rdb_reader *r, struct slice key, struct entry **out)
{
    lp *l = decode_listpack(r, "Set");
    if (!l) return VALUE_BAD;
    bool empty = lp_count(l) == 0;
    if (empty || (r->deep && !listpack_distinct(l, 1))) {
        lp_free(l);
        if (empty) return VALUE_EMPTY;
        rdb_fail(r, "Set listpack integrity check failed");
        return VALUE_BAD;
    }
    *out = entry_new(key, TYPE_SET, ENC_LISTPACK, l, ENTRY_NO_EXPIRE);
    if (set_len(*out) > set_limits.max_listpack_entries) *out = rebuild(*out);
    return VALUE_OK;
}

static enum value_result set_decode(struct rdb_reader *r, uint8_t type, struct slice key,
                                    struct entry **out)
{
    if (type == RDB_SET) return decode_members(r, key, out);
    return type == RDB_SET_INTSET ? decode_intset(r, key, out) : decode_packed(r, key, out);
}

const struct value_codec set_codec = {set_type, set_encode, set_decode};
