/*
 * codec_stream.c - streams as RDB has them:
 *
 *   nodes     n, n * (master ID as a string of 16 bytes, listpack)
 *   counters  entries, last ID (two lengths); from STREAM_2 on: first ID, greatest deleted ID,
 * added groups    n, n * (name, last ID; from STREAM_2 on: entries read; pending; consumers)
 *   pending   n, n * (ID of 16 bytes, time, deliveries)
 *   consumers n, n * (name, seen; from STREAM_3 on: active; m, m * ID of 16 bytes)
 *
 * IDs of 16 bytes are big endian: milliseconds, then the sequence number.
 */
#include "persist/value_codec.h"

#include "types/stream_value.h"

#define ID_BYTES 16

/* ---- writing -------------------------------------------------------------------------------- */

static uint8_t stream_type(const struct rdb_writer *w, const struct entry *e)
{
    return w->version >= 11 ? RDB_STREAM_3 : RDB_STREAM_2;
}

static void id_to_bytes(struct stream_id id, uint8_t out[ID_BYTES])
{
    uint64_t parts[] = {__builtin_bswap64(id.ms), __builtin_bswap64(id.seq)};
    memcpy(out, parts, ID_BYTES);
}

static void put_raw_id(struct rdb_writer *w, struct stream_id id)
{
    uint8_t bytes[ID_BYTES];
    id_to_bytes(id, bytes);
    rdb_put(w, bytes, ID_BYTES);
}

static void put_id(struct rdb_writer *w, struct stream_id id)
{
    rdb_put_len(w, id.ms);
    rdb_put_len(w, id.seq);
}

static void put_nodes(struct rdb_writer *w, const struct stream *s)
{
    struct idmap_pos pos;
    uint8_t bytes[ID_BYTES];
    rdb_put_len(w, s->nodes.len);
    const struct stream_node *node = idmap_first(&s->nodes, &pos);
    for (; node; node = idmap_next(&s->nodes, &pos)) {
        id_to_bytes(node->id, bytes);
        rdb_put_string(w, slice_of(bytes, ID_BYTES));
        rdb_put_listpack(w, node->l);
    }
}

static void put_pending(struct rdb_writer *w, const struct stream_group *g)
{
    struct idmap_pos pos;
    rdb_put_len(w, g->pel.len);
    const struct stream_pending *p = idmap_first(&g->pel, &pos);
    for (; p; p = idmap_next(&g->pel, &pos)) {
        put_raw_id(w, p->id);
        rdb_put_ms(w, p->delivered_ms);
        rdb_put_len(w, p->deliveries);
    }
}

static void put_consumer(struct rdb_writer *w, const struct stream_consumer *c, uint8_t type)
{
    struct idmap_pos pos;
    rdb_put_string(w, stream_consumer_name(c));
    rdb_put_ms(w, c->seen_ms);
    if (type == RDB_STREAM_3) rdb_put_ms(w, c->active_ms);
    rdb_put_len(w, c->pel.len);
    const struct stream_id *id = idmap_first(&c->pel, &pos);
    for (; id; id = idmap_next(&c->pel, &pos))
        put_raw_id(w, *id);
}

static void put_group(struct rdb_writer *w, const struct stream_group *g, uint8_t type)
{
    rdb_put_string(w, stream_group_name(g));
    put_id(w, g->last_id);
    rdb_put_len(w, (uint64_t)g->entries_read);
    put_pending(w, g);
    rdb_put_len(w, g->n_consumers);
    for (uint32_t i = 0; i < g->n_consumers; i++)
        put_consumer(w, g->consumers[i], type);
}

static void stream_encode(struct rdb_writer *w, const struct entry *e, uint8_t type)
{
    const struct stream *s = stream_of(e);
    put_nodes(w, s);
    rdb_put_len(w, s->length);
    put_id(w, s->last_id);
    put_id(w, s->first_id);
    put_id(w, s->max_deleted_id);
    rdb_put_len(w, s->entries_added);
    rdb_put_len(w, s->n_groups);
    for (uint32_t i = 0; i < s->n_groups; i++)
        put_group(w, s->groups[i], type);
}

/* ---- IDs ------------------------------------------------------------------------------------ */

static struct stream_id id_of_bytes(const void *bytes)
{
    uint64_t parts[2];
    memcpy(parts, bytes, ID_BYTES);
    return (struct stream_id){__builtin_bswap64(parts[0]), __builtin_bswap64(parts[1])};
}

static bool get_raw_id(struct rdb_reader *r, struct stream_id *id)
{
    uint8_t bytes[ID_BYTES];
    if (!rdb_get(r, bytes, ID_BYTES)) return false;
    *id = id_of_bytes(bytes);
    return true;
}

static bool get_id(struct rdb_reader *r, struct stream_id *id)
{
    return rdb_get_len(r, &id->ms) && rdb_get_len(r, &id->seq);
}

/* ---- entries -------------------------------------------------------------------------------- */

static bool get_node(struct rdb_reader *r, struct stream *s, struct buf *key)
{
    if (!rdb_get_string(r, key)) return false;
    if (key->n != ID_BYTES) return rdb_fail(r, "the ID of a stream's node has no 16 bytes");
    lp *l = decode_listpack(r, "Stream");
    if (!l) return false;
    if (stream_node_valid(l) && stream_load_node(s, id_of_bytes(key->p), l)) return true;
    lp_free(l);
    return rdb_fail(r, "Stream listpack integrity check failed");
}

static bool get_nodes(struct rdb_reader *r, struct stream *s)
{
    struct buf key = {0};
    uint64_t n;
    if (!rdb_get_count(r, 2, &n)) return false;
    while (n-- > 0 && get_node(r, s, &key))
        ;
    buf_free(&key);
    return !r->failed;
}

static bool get_counters(struct rdb_reader *r, struct stream *s, bool all)
{
    struct stream_id last, first = STREAM_ID_MIN, deleted = STREAM_ID_MIN;
    uint64_t length, added = 0;
    if (!rdb_get_len(r, &length) || !get_id(r, &last)) return false;
    if (all && (!get_id(r, &first) || !get_id(r, &deleted) || !rdb_get_len(r, &added)))
        return false;
    if (stream_load_done(s, length, last, all, first, deleted, added)) return true;
    return rdb_fail(r, "a stream's counters contradict its entries");
}

/* ---- groups --------------------------------------------------------------------------------- */

struct delivered { /* a pending entry, until it is known whose it is */
    struct stream_id id;
    int64_t ms;
    uint64_t deliveries, assigned;
};

static bool get_delivered(struct rdb_reader *r, struct idmap *all)
{
    struct stream_id id;
    bool added;
    if (!get_raw_id(r, &id)) return false;
    struct delivered *d = idmap_add(all, id, &added);
    if (!added) return rdb_fail(r, "a pending entry of a stream's group is there twice");
    return rdb_get_ms(r, &d->ms) && rdb_get_len(r, &d->deliveries);
}

static bool get_all_delivered(struct rdb_reader *r, struct idmap *all)
{
    uint64_t n;
    if (!rdb_get_count(r, ID_BYTES, &n)) return false;
    while (n-- > 0 && get_delivered(r, all))
        ;
    return !r->failed;
}

static bool get_assigned(struct rdb_reader *r, struct stream_group *g, struct stream_consumer *c,
                         struct idmap *all)
{
    struct stream_id id;
    if (!get_raw_id(r, &id)) return false;
    struct delivered *d = idmap_find(all, id);
    if (!d || d->assigned) return rdb_fail(r, "a consumer's pending entry is not its group's");
    struct stream_pending *p = stream_pending_assign(g, id, c);
    p->delivered_ms = d->ms;
    p->deliveries = d->deliveries;
    d->assigned = 1;
    return true;
}

static bool get_consumer(struct rdb_reader *r, uint8_t type, struct stream_group *g,
                         struct slice name, struct idmap *all)
{
    uint64_t n;
    struct stream_consumer *c = stream_consumer_create(g, name, 0);
    if (!c) return rdb_fail(r, "Duplicate stream consumer detected");
    if (!rdb_get_ms(r, &c->seen_ms)) return false;
    c->active_ms = c->seen_ms;
    if (type == RDB_STREAM_3 && !rdb_get_ms(r, &c->active_ms)) return false;
    if (!rdb_get_count(r, ID_BYTES, &n)) return false;
    while (n-- > 0 && get_assigned(r, g, c, all))
        ;
    return !r->failed;
}

/* What nobody has can be left out, unless that is to be an error. */
static bool all_assigned(const struct rdb_reader *r, const struct stream_group *g,
                         const struct idmap *all)
{
    return !r->deep || g->pel.len == all->len;
}

static bool get_consumers(struct rdb_reader *r, uint8_t type, struct stream_group *g,
                          struct idmap *all)
{
    struct buf name = {0};
    uint64_t n;
    if (!rdb_get_count(r, 2, &n)) return false;
    while (n-- > 0 && rdb_get_string(r, &name) && get_consumer(r, type, g, buf_slice(&name), all))
        ;
    buf_free(&name);
    if (r->failed || all_assigned(r, g, all)) return !r->failed;
    return rdb_fail(r, "a pending entry of a stream's group has no consumer");
}

/* Entries up to id that were ever added, where an old file does not say how many a group has read.
 */
static int64_t reads_up_to(const struct stream *s, struct stream_id id)
{
    if (s->entries_added == 0) return 0;
    if (s->length == 0 && stream_id_cmp(id, s->last_id) <= 0) return (int64_t)s->entries_added;
    if (stream_id_cmp(id, s->last_id) >= 0)
        return stream_id_eq(id, s->last_id) ? (int64_t)s->entries_added : STREAM_READS_UNKNOWN;
    int before_first = stream_id_cmp(id, s->first_id);
    if (before_first > 0) return STREAM_READS_UNKNOWN;
    return (int64_t)(s->entries_added - s->length) + (before_first == 0);
}

static bool get_group(struct rdb_reader *r, uint8_t type, struct stream *s, struct slice name)
{
    struct stream_id last;
    struct idmap all;
    uint64_t read;
    if (!get_id(r, &last)) return false;
    if (type == RDB_STREAM) {
        read = (uint64_t)reads_up_to(s, last);
    } else if (!rdb_get_len(r, &read)) {
        return false;
    }
    struct stream_group *g = stream_group_create(s, name, last, (int64_t)read);
    if (!g) return rdb_fail(r, "a group of a stream is there twice");
    idmap_init(&all, sizeof(struct delivered));
    bool ok = get_all_delivered(r, &all) && get_consumers(r, type, g, &all);
    idmap_free(&all);
    return ok;
}

static bool get_groups(struct rdb_reader *r, uint8_t type, struct stream *s)
{
    struct buf name = {0};
    uint64_t n;
    if (!rdb_get_count(r, 4, &n)) return false;
    while (n-- > 0 && rdb_get_string(r, &name) && get_group(r, type, s, buf_slice(&name)))
        ;
    buf_free(&name);
    return !r->failed;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static enum value_result stream_decode(struct rdb_reader *r, uint8_t type, struct slice key,
                                       struct entry **out)
{
    struct entry *e = entry_new_stream(key);
    struct stream *s = stream_of(e);
    bool ok = get_nodes(r, s) && get_counters(r, s, type != RDB_STREAM) && get_groups(r, type, s);
    return decoded(e, ok, out);
}

const struct value_codec stream_codec = {stream_type, stream_encode, stream_decode};
