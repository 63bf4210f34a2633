/* codec_zset.c - sorted sets as RDB has them: packed as they lie in memory, or member by member. */
#include "persist/value_codec.h"

#include <math.h>

/* ---- writing -------------------------------------------------------------------------------- */

static uint8_t zset_type(const struct rdb_writer *w, const struct entry *e)
{
    return e->enc == ENC_LISTPACK ? RDB_ZSET_LISTPACK : RDB_ZSET_2;
}

/* From the largest on: then a skiplist that is built of it always adds at its head. */
static void zset_encode(struct rdb_writer *w, const struct entry *e, uint8_t type)
{
    struct zset_iter it;
    struct slice member;
    double score;
    if (type == RDB_ZSET_LISTPACK) {
        rdb_put_listpack(w, e->v.ptr);
        return;
    }
    rdb_put_len(w, zset_len(e));
    bool more = zset_seek_rank(e, 0, true, &it);
    for (; more; more = zset_step(&it)) {
        zset_at(&it, &member, &score);
        rdb_put_string(w, member);
        rdb_put_double(w, score);
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool get_score(struct rdb_reader *r, uint8_t type, double *score)
{
    if (!(type == RDB_ZSET ? rdb_get_double_text(r, score) : rdb_get_double(r, score)))
        return false;
    return !isnan(*score) || rdb_fail(r, "a score that is no number");
}

static bool add_member(struct rdb_reader *r, uint8_t type, struct dict *items, struct buf *member)
{
    double score;
    if (!rdb_get_string(r, member) || !get_score(r, type, &score)) return false;
    if (member->n > UINT32_MAX) return rdb_fail(r, "a member is too long");
    if (dict_find(items, buf_slice(member))) return rdb_fail(r, "the same member twice");
    dict_add(items, zset_item_new(buf_slice(member), score));
    return true;
}

static enum value_result decode_members(struct rdb_reader *r, uint8_t type, struct slice key,
                                        struct entry **out)
{
    uint64_t n;
    struct buf member = {0};
    if (!rdb_get_count(r, 2, &n)) return VALUE_BAD;
    if (n == 0) return VALUE_EMPTY;
    struct dict *items = dict_new(&zset_items);
    dict_reserve(items, MIN(n, (uint64_t)RESERVE_MAX));
    while (n-- > 0 && add_member(r, type, items, &member))
        ;
    buf_free(&member);
    if (r->failed) {
        dict_free(items);
        return VALUE_BAD;
    }
    *out = entry_new_zset_of(key, items);
    return VALUE_OK;
}

static enum value_result zset_decode(struct rdb_reader *r, uint8_t type, struct slice key,
                                     struct entry **out)
{
    if (type == RDB_ZSET || type == RDB_ZSET_2) return decode_members(r, type, key, out);
    lp *l = type == RDB_ZSET_ZIPLIST ? decode_ziplist(r, "Zset") : decode_listpack(r, "Zset");
    if (!l) return VALUE_BAD;
    if (lp_count(l) > 0 && zset_valid_listpack(l)) {
        *out = entry_new_zset_listpack(key, l);
        return VALUE_OK;
    }
    bool empty = lp_count(l) == 0;
    lp_free(l);
    if (empty) return VALUE_EMPTY;
    rdb_fail(r, "Zset listpack integrity check failed");
    return VALUE_BAD;
}

const struct value_codec zset_codec = {zset_type, zset_encode, zset_decode};
