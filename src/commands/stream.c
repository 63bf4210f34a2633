/*
 * stream.c - streams: adding, reading and deleting entries, and what the whole family replies with.
 * Reading as it comes is in stream_read.c, groups are in stream_groups.c and stream_pending.c, the
 * declarations in stream_table.c.
 *
 * Invariants
 *  1. A stream stays when its last entry goes: it remembers the last ID, and its groups.
 *  2. No stream is made by a command that then fails.
 */
#include "commands/stream_internal.h"

/* ---- replies -------------------------------------------------------------------------------- */

void stream_reply_id(struct reply *r, struct stream_id id)
{
    char text[STREAM_ID_TEXT];
    reply_bulk(r, slice_of(text, stream_id_format(text, id)));
}

void stream_reply_entry(struct reply *r, struct stream_iter *it)
{
    struct slice field, value;
    reply_array(r, 2);
    stream_reply_id(r, it->id);
    reply_array(r, 2 * it->fields);
    for (size_t i = 0; i < it->fields; i++) {
        stream_iter_field(it, &field, &value);
        reply_bulk(r, field);
        reply_bulk(r, value);
    }
}

size_t stream_reply_range(struct reply *r, const struct stream *s, struct stream_id start,
                          struct stream_id end, uint64_t count, bool rev)
{
    struct stream_iter it;
    struct reply_mark mark = reply_open(r);
    size_t n = 0;
    stream_iter_start(&it, s, start, end, rev);
    while ((count == 0 || n < count) && stream_iter_next(&it)) {
        stream_reply_entry(r, &it);
        n++;
    }
    reply_close_array(r, mark, n);
    return n;
}

/* ---- lookups -------------------------------------------------------------------------------- */

struct stream *stream_find(struct call *c, const struct key *k, bool *wrong)
{
    struct entry **slot = call_find_type(c, k, TYPE_STREAM, wrong);
    return slot ? stream_of(*slot) : NULL;
}

struct stream *stream_create(struct call *c, const struct key *k)
{
    struct entry *e = entry_new_stream(k->s);
    return stream_of(*ks_add(call_part(c, k), c->db, k, e));
}

struct stream_group *stream_group_arg(struct call *c, uint32_t arg, struct stream **s)
{
    bool wrong = false;
    struct slice name = c->argv[arg];
    *s = stream_find(c, &c->keys[0], &wrong);
    if (wrong) return NULL;
    struct stream_group *g = *s ? stream_group_find(*s, name) : NULL;
    if (!g) {
        reply_errorf(c->r, "NOGROUP No such key '%.*s' or consumer group '%.*s'",
                     (int)c->keys[0].s.n, c->keys[0].s.p, (int)name.n, name.p);
    }
    return g;
}

struct stream_consumer *stream_consumer_ensure(struct call *c, const struct key *k,
                                               struct stream_group *g, struct slice name)
{
    struct stream_consumer *consumer = stream_consumer_find(g, name);
    if (consumer) return consumer;
    call_noted(c, k, 't', "xgroup-createconsumer");
    return stream_consumer_create(g, name, c->now_ms);
}

/* ---- adding --------------------------------------------------------------------------------- */

/* The ID that the entry gets. False: none is left, or the given one is too small (replied). */
static bool choose_id(struct call *c, struct stream_id last, struct stream_add *a)
{
    if (stream_id_eq(last, STREAM_ID_MAX)) {
        reply_error(c->r, "ERR The stream has exhausted the last possible ID, unable to add more "
                          "items");
        return false;
    }
    bool full = false;
    if (!a->has_id) {
        a->id = stream_id_after(last, c->now_ms);
    } else if (!a->has_seq && a->id.ms == last.ms) {
        full = last.seq == UINT64_MAX;
        a->id.seq = last.seq + 1;
    }
    if (!full && stream_id_cmp(a->id, last) > 0) return true;
    reply_error(c->r, "ERR The ID specified in XADD is equal or smaller than the target stream top "
                      "item");
    return false;
}

static bool fits(struct call *c, const struct slice *args, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += args[i].n;
    if (bytes <= STREAM_ENTRY_MAX) return true;
    reply_error(c->r, "ERR Elements are too large to be stored");
    return false;
}

/* The arguments of XADD that can be checked before the key is looked up. */
static bool xadd_args(struct call *c, struct stream_add *a)
{
    if (!stream_add_args(c, true, a)) return false;
    if (c->argc < a->id_at + 3 || (c->argc - a->id_at) % 2 == 0) {
        call_wrong_arity(c);
        return false;
    }
    if (!a->has_id || !a->has_seq || !stream_id_is_zero(a->id)) return true;
    reply_error(c->r, "ERR The ID specified in XADD must be greater than 0-0");
    return false;
}

void xadd_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    struct stream_add a;
    bool wrong = false;
    if (!xadd_args(c, &a)) return;
    struct stream *s = stream_find(c, k, &wrong);
    if (wrong) return;
    if (!s && a.no_mkstream) {
        reply_null(c->r);
        return;
    }
    const struct slice *args = c->argv + a.id_at + 1;
    uint32_t n = c->argc - a.id_at - 1;
    if (!choose_id(c, s ? s->last_id : STREAM_ID_MIN, &a) || !fits(c, args, n)) return;
    if (!s) s = stream_create(c, k);
    stream_append(s, a.id, args, n / 2);
    stream_reply_id(c->r, a.id);
    call_changed(c, k, 't', "xadd");
    if (a.trim.by != STREAM_TRIM_NONE && stream_trim(s, &a.trim)) call_touched(c, k, 't', "xtrim");
    call_ready(c, k);
}

/* ---- reading -------------------------------------------------------------------------------- */

void xlen_command(struct call *c)
{
    bool wrong = false;
    const struct stream *s = stream_find(c, &c->keys[0], &wrong);
    if (!wrong) reply_int(c->r, s ? (int64_t)s->length : 0);
}

/* "[COUNT n]..." from argument 4 on; INT64_MIN: not given. */
static bool count_option(struct call *c, int64_t *count)
{
    *count = INT64_MIN;
    for (uint32_t i = 4; i < c->argc; i += 2) {
        if (i + 1 == c->argc || !slice_is(c->argv[i], "COUNT")) {
            call_syntax_error(c);
            return false;
        }
        if (!call_i64(c, i + 1, count)) return false;
        *count = MAX(*count, 0);
    }
    return true;
}

static void range(struct call *c, bool rev)
{
    struct stream_id start, end;
    int64_t count;
    bool wrong = false;
    if (!stream_start_arg(c, rev ? 3 : 2, &start) || !stream_end_arg(c, rev ? 2 : 3, &end)) return;
    if (!count_option(c, &count)) return;
    const struct stream *s = stream_find(c, &c->keys[0], &wrong);
    if (wrong) return;
    if (!s) {
        reply_empty_array(c->r);
    } else if (count == 0) {
        reply_null_array(c->r);
    } else {
        stream_reply_range(c->r, s, start, end, (uint64_t)MAX(count, 0), rev);
    }
}

void xrange_command(struct call *c)
{
    range(c, false);
}

void xrevrange_command(struct call *c)
{
    range(c, true);
}

/* ---- deleting ------------------------------------------------------------------------------- */

static void deleted(struct call *c, size_t n, const char *event)
{
    if (n == 0) return;
    c->dirty += (uint32_t)n;
    call_touched(c, &c->keys[0], 't', event);
}

void xdel_command(struct call *c)
{
    struct stream_id few[STREAM_IDS_FEW];
    uint32_t count = c->argc - 2;
    size_t n = 0;
    bool wrong = false;
    struct stream *s = stream_find(c, &c->keys[0], &wrong);
    if (wrong) return;
    if (!s) {
        reply_zero(c->r);
        return;
    }
    struct stream_id *ids = stream_ids_arg(c, 2, count, few);
    if (!ids) return;
    for (uint32_t i = 0; i < count; i++)
        n += stream_delete(s, ids[i]);
    deleted(c, n, "xdel");
    reply_int(c->r, (int64_t)n);
    stream_ids_free(ids, few);
}

enum { DELETE_ABSENT = -1, DELETE_DONE = 1, DELETE_NEEDED = 2 }; /* as replied */

static int delete_one(struct stream *s, struct stream_id id, enum stream_refs refs)
{
    if (!stream_has(s, id)) return DELETE_ABSENT;
    if (refs == STREAM_ACKED && stream_referenced(s, id)) return DELETE_NEEDED;
    if (refs == STREAM_DELETE_REFS) stream_drop_references(s, id);
    stream_delete(s, id);
    return DELETE_DONE;
}

void xdelex_command(struct call *c)
{
    struct stream_id few[STREAM_IDS_FEW];
    enum stream_refs refs;
    uint32_t first, count;
    size_t n = 0;
    bool wrong = false;
    if (!stream_refs_ids(c, 2, &refs, &first, &count)) return;
    struct stream *s = stream_find(c, &c->keys[0], &wrong);
    struct stream_id *ids = wrong ? NULL : stream_ids_arg(c, first, count, few);
    if (!ids) return;
    reply_array(c->r, count);
    for (uint32_t i = 0; i < count; i++) {
        int result = s ? delete_one(s, ids[i], refs) : DELETE_ABSENT;
        n += result == DELETE_DONE;
        reply_int(c->r, result);
    }
    deleted(c, n, "xdel");
    stream_ids_free(ids, few);
}

void xtrim_command(struct call *c)
{
    struct stream_add a;
    bool wrong = false;
    if (!stream_add_args(c, false, &a)) return;
    struct stream *s = stream_find(c, &c->keys[0], &wrong);
    if (wrong) return;
    size_t n = s ? stream_trim(s, &a.trim) : 0;
    deleted(c, n, "xtrim");
    reply_int(c->r, (int64_t)n);
}

/* ---- setting counters ----------------------------------------------------------------------- */

struct setid {
    struct stream_id id, max_deleted;
    int64_t entries_added; /* -1: not given */
};

static bool setid_option(struct call *c, uint32_t i, struct setid *o)
{
    bool more = i + 1 < c->argc;
    if (more && slice_is(c->argv[i], "ENTRIESADDED")) {
        if (!call_i64(c, i + 1, &o->entries_added)) return false;
        if (o->entries_added >= 0) return true;
        reply_error(c->r, "ERR entries_added must be positive");
    } else if (more && slice_is(c->argv[i], "MAXDELETEDID")) {
        if (!stream_id_arg(c, i + 1, &o->max_deleted)) return false;
        if (stream_id_cmp(o->id, o->max_deleted) >= 0) return true;
        reply_error(c->r, "ERR The ID specified in XSETID is smaller than the provided "
                          "max_deleted_entry_id");
    } else {
        call_syntax_error(c);
    }
    return false;
}

/* Why these may not be set, or NULL. */
static const char *setid_error(const struct stream *s, const struct setid *o)
{
    if (stream_id_cmp(o->id, s->max_deleted_id) < 0) {
        return "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
    }
    if (s->length == 0) return NULL;
    if (stream_id_cmp(o->id, stream_last_entry(s)) < 0) {
        return "ERR The ID specified in XSETID is smaller than the target stream top item";
    }
    if (o->entries_added != -1 && s->length > (uint64_t)o->entries_added) {
        return "ERR The entries_added specified in XSETID is smaller than the target stream length";
    }
    return NULL;
}

void xsetid_command(struct call *c)
{
    struct setid o = {.entries_added = -1};
    bool wrong = false;
    if (!stream_id_arg(c, 2, &o.id)) return;
    for (uint32_t i = 3; i < c->argc; i += 2) {
        if (!setid_option(c, i, &o)) return;
    }
    struct stream *s = stream_find(c, &c->keys[0], &wrong);
    if (wrong) return;
    const char *error = s ? setid_error(s, &o) : "ERR no such key";
    if (error) {
        reply_error(c->r, error);
        return;
    }
    s->last_id = o.id;
    if (o.entries_added != -1) s->entries_added = (uint64_t)o.entries_added;
    if (!stream_id_is_zero(o.max_deleted)) s->max_deleted_id = o.max_deleted;
    call_noted(c, &c->keys[0], 't', "xsetid");
    reply_ok(c->r);
}
