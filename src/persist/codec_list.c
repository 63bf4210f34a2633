/*
 * codec_list.c - lists as RDB has them: written as nodes, read also element by element or from
 * ziplists.
 */
#include "persist/value_codec.h"

enum { NODE_PLAIN = 1, NODE_PACKED = 2 }; /* what a node of QUICKLIST_2 is said to be */

/* ---- writing -------------------------------------------------------------------------------- */

static uint8_t list_type(const struct rdb_writer *w, const struct entry *e)
{
    return RDB_LIST_QUICKLIST_2;
}

static void list_encode(struct rdb_writer *w, const struct entry *e, uint8_t type)
{
    struct list_node_view node = {0};
    rdb_put_len(w, list_nodes(e));
    while (list_next_node(e, &node)) {
        rdb_put_len(w, node.plain ? NODE_PLAIN : NODE_PACKED);
        if (node.packed.n) {
            rdb_put_packed(w, node.packed, node.size);
        } else {
            rdb_put_string(w, slice_of(node.data, node.size));
        }
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

static struct entry *new_list(struct slice key)
{
    return entry_new(key, TYPE_LIST, ENC_LISTPACK, list_new(), ENTRY_NO_EXPIRE);
}

static void add(struct entry *e, struct slice elem)
{
    list_before_add(e, &elem, 1);
    list_push(e, LIST_TAIL, elem);
}

static bool add_elements(struct rdb_reader *r, uint64_t n, struct entry *e)
{
    struct buf elem = {0};
    while (n-- > 0 && rdb_get_string(r, &elem))
        add(e, buf_slice(&elem));
    buf_free(&elem);
    return !r->failed;
}

static bool add_ziplist(struct rdb_reader *r, struct entry *e)
{
    char tmp[NUM_I64_MAX];
    lp *l = decode_ziplist(r, "List");
    if (!l) return false;
    for (size_t pos = lp_first(l); pos != LP_NONE; pos = lp_next(l, pos))
        add(e, lp_slice(l, pos, tmp));
    lp_free(l);
    return true;
}

static bool add_plain_node(struct rdb_reader *r, struct entry *e)
{
    size_t n;
    void *bytes = rdb_get_string_alloc(r, &n);
    if (!bytes) return false;
    if (n > 0) {
        list_append_plain(e, bytes, n);
        return true;
    }
    mem_free(bytes);
    return rdb_fail(r, "Quicklist integrity check failed");
}

static bool add_node(struct rdb_reader *r, uint8_t type, struct entry *e)
{
    uint64_t kind = NODE_PACKED;
    if (type == RDB_LIST_QUICKLIST_2 && !rdb_get_len(r, &kind)) return false;
    if (kind == NODE_PLAIN) return add_plain_node(r, e);
    if (kind != NODE_PACKED) return rdb_fail(r, "Quicklist integrity check failed");
    lp *l = type == RDB_LIST_QUICKLIST_2 ? decode_listpack(r, "List") : decode_ziplist(r, "List");
    if (l) list_append_lp(e, l);
    return l != NULL;
}

static bool add_nodes(struct rdb_reader *r, uint8_t type, uint64_t n, struct entry *e)
{
    while (n-- > 0 && add_node(r, type, e))
        ;
    if (!r->failed) list_after_append(e);
    return !r->failed;
}

static enum value_result list_decode(struct rdb_reader *r, uint8_t type, struct slice key,
                                     struct entry **out)
{
    uint64_t n = 1;
    bool ok;
    if (type != RDB_LIST_ZIPLIST && !rdb_get_count(r, 1, &n)) return VALUE_BAD;
    struct entry *e = new_list(key);
    if (type == RDB_LIST_ZIPLIST) {
        ok = add_ziplist(r, e);
    } else if (type == RDB_LIST) {
        ok = add_elements(r, n, e);
    } else {
        ok = add_nodes(r, type, n, e);
    }
    if (!ok || list_len(e) > 0) return decoded(e, ok, out);
    entry_free(e);
    return VALUE_EMPTY;
}

const struct value_codec list_codec = {list_type, list_encode, list_decode};
