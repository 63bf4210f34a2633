/*
 * stream_pending.c - what was delivered and not acknowledged: showing it (XPENDING), and giving it
 * to another consumer (XCLAIM, XAUTOCLAIM).
 *
 * Invariants
 *  1. A pending entry whose entry was deleted from the stream is dropped when it is met by a claim.
 */
#include "commands/stream_internal.h"

/* ---- XPENDING ------------------------------------------------------------------------------- */

struct pending_query {
    bool summary, has_consumer;
    int64_t min_idle_ms, count;
    struct stream_id start, end;
    struct slice consumer;
};

static bool pending_args(struct call *c, struct pending_query *q)
{
    uint32_t at = 3;
    *q = (struct pending_query){.summary = c->argc == 3};
    if (q->summary) return true;
    if (c->argc < 6 || c->argc > 9) {
        call_syntax_error(c);
        return false;
    }
    if (slice_is(c->argv[3], "IDLE")) {
        if (!call_i64(c, 4, &q->min_idle_ms)) return false;
        if (c->argc < 8) {
            call_syntax_error(c);
            return false;
        }
        at = 5;
    }
    if (!call_i64(c, at + 2, &q->count)) return false;
    if (!stream_start_arg(c, at, &q->start) || !stream_end_arg(c, at + 1, &q->end)) return false;
    q->has_consumer = at + 3 < c->argc;
    if (q->has_consumer) q->consumer = c->argv[at + 3];
    return true;
}

static void reply_summary(struct reply *r, const struct stream_group *g)
{
    const struct stream_id *first = idmap_first(&g->pel, NULL), *last = idmap_last(&g->pel, NULL);
    size_t n = 0;
    reply_array(r, 4);
    reply_int(r, (int64_t)g->pel.len);
    if (!first) {
        reply_null(r);
        reply_null(r);
        reply_null_array(r);
        return;
    }
    stream_reply_id(r, *first);
    stream_reply_id(r, *last);
    struct reply_mark mark = reply_open(r);
    for (uint32_t i = 0; i < g->n_consumers; i++) {
        const struct stream_consumer *consumer = g->consumers[i];
        if (consumer->pel.len == 0) continue;
        reply_array(r, 2);
        reply_bulk(r, stream_consumer_name(consumer));
        reply_bulk_int(r, (int64_t)consumer->pel.len);
        n++;
    }
    reply_close_array(r, mark, n);
}

static void reply_one_pending(struct call *c, const struct stream_pending *p)
{
    reply_array(c->r, 4);
    stream_reply_id(c->r, p->id);
    reply_bulk(c->r, stream_consumer_name(p->consumer));
    reply_int(c->r, MAX(c->now_ms - p->delivered_ms, 0));
    reply_int(c->r, (int64_t)p->deliveries);
}

/* `ids` is the list of the group or of one consumer. */
static void reply_range(struct call *c, const struct stream_group *g, const struct idmap *ids,
                        const struct pending_query *q)
{
    struct idmap_pos pos;
    struct reply_mark mark = reply_open(c->r);
    int64_t n = 0;
    const struct stream_id *id = idmap_ge(ids, q->start, &pos);
    for (; id && n < q->count && stream_id_cmp(*id, q->end) <= 0; id = idmap_next(ids, &pos)) {
        const struct stream_pending *p = stream_pending_find(g, *id);
        if (q->min_idle_ms && c->now_ms - p->delivered_ms < q->min_idle_ms) continue;
        reply_one_pending(c, p);
        n++;
    }
    reply_close_array(c->r, mark, (size_t)n);
}

void xpending_command(struct call *c)
{
    struct pending_query q;
    struct stream *s;
    if (!pending_args(c, &q)) return;
    const struct stream_group *g = stream_group_arg(c, 2, &s);
    if (!g) return;
    if (q.summary) {
        reply_summary(c->r, g);
        return;
    }
    const struct idmap *ids = &g->pel;
    if (q.has_consumer) {
        const struct stream_consumer *consumer = stream_consumer_find(g, q.consumer);
        if (!consumer) {
            reply_empty_array(c->r);
            return;
        }
        ids = &consumer->pel;
    }
    reply_range(c, g, ids, &q);
}

/* ---- claiming ------------------------------------------------------------------------------- */

struct claim {
    int64_t min_idle_ms;
    int64_t time_ms; /* of delivery, as it will be kept; -1: now */
    int64_t retries; /* -1: one more than it was */
    bool force, justid;
    struct stream_id last_id;
    struct stream *s;
    struct stream_group *g;
    struct stream_consumer *consumer;
};

/* The consumer takes the entry, which exists: replies it. */
static void take(struct call *c, const struct claim *o, struct stream_iter *it)
{
    struct stream_pending *p = stream_pending_assign(o->g, it->id, o->consumer);
    p->delivered_ms = o->time_ms;
    if (o->retries >= 0) {
        p->deliveries = (uint64_t)o->retries;
    } else if (!o->justid) {
        p->deliveries++;
    }
    o->consumer->active_ms = c->now_ms;
    c->dirty++;
    if (o->justid) {
        stream_reply_id(c->r, it->id);
    } else {
        stream_reply_entry(c->r, it);
    }
}

static bool min_idle_arg(struct call *c, const char *error, struct claim *o)
{
    if (!num_parse_i64(c->argv[4], &o->min_idle_ms)) {
        reply_error(c->r, error);
        return false;
    }
    o->min_idle_ms = MAX(o->min_idle_ms, 0);
    return true;
}

static bool idle_enough(const struct call *c, const struct claim *o, const struct stream_pending *p)
{
    return !o->min_idle_ms || c->now_ms - p->delivered_ms >= o->min_idle_ms;
}

/* ---- XCLAIM --------------------------------------------------------------------------------- */

/* Reads the option at *i and moves behind it. */
static bool claim_option(struct call *c, uint32_t *i, struct claim *o)
{
    struct slice word = c->argv[(*i)++];
    bool more = *i < c->argc;
    if (slice_is(word, "FORCE")) {
        o->force = true;
    } else if (slice_is(word, "JUSTID")) {
        o->justid = true;
    } else if (more && slice_is(word, "IDLE")) {
        if (!call_i64_range(c, (*i)++, INT64_MIN, INT64_MAX, &o->time_ms,
                            "Invalid IDLE option argument for XCLAIM")) {
            return false;
        }
        o->time_ms = (int64_t)((uint64_t)c->now_ms - (uint64_t)o->time_ms);
    } else if (more && slice_is(word, "TIME")) {
        return call_i64_range(c, (*i)++, INT64_MIN, INT64_MAX, &o->time_ms,
                              "Invalid TIME option argument for XCLAIM");
    } else if (more && slice_is(word, "RETRYCOUNT")) {
        return call_i64_range(c, (*i)++, INT64_MIN, INT64_MAX, &o->retries,
                              "Invalid RETRYCOUNT option argument for XCLAIM");
    } else if (more && slice_is(word, "LASTID")) {
        return stream_id_arg(c, (*i)++, &o->last_id);
    } else {
        reply_errorf(c->r, "ERR Unrecognized XCLAIM option '%.*s'", (int)word.n, word.p);
        return false;
    }
    return true;
}

/* The IDs go as far as they can be read as such; then come options. */
static bool claim_args(struct call *c, struct claim *o, uint32_t *ids)
{
    struct stream_id id;
    uint32_t i = 5;
    while (i < c->argc && stream_id_parse(c->argv[i], 0, &id))
        i++;
    *ids = i - 5;
    while (i < c->argc) {
        if (!claim_option(c, &i, o)) return false;
    }
    if (o->time_ms == -1 || o->time_ms < 0 || o->time_ms > c->now_ms) o->time_ms = c->now_ms;
    return true;
}

/* True: the entry was claimed, and replied. */
static bool claim_one(struct call *c, const struct claim *o, struct stream_id id)
{
    struct stream_iter it;
    const struct stream_pending *p = stream_pending_find(o->g, id);
    stream_iter_start(&it, o->s, id, id, false);
    if (!stream_iter_next(&it)) {
        c->dirty += stream_pending_drop(o->g, id);
        return false;
    }
    if (p ? !idle_enough(c, o, p) : !o->force) return false;
    take(c, o, &it);
    return true;
}

static void claim_each(struct call *c, const struct claim *o, uint32_t ids)
{
    struct reply_mark mark = reply_open(c->r);
    size_t n = 0;
    for (uint32_t i = 0; i < ids; i++) {
        struct stream_id id;
        stream_id_parse(c->argv[5 + i], 0, &id);
        n += claim_one(c, o, id);
    }
    reply_close_array(c->r, mark, n);
}

void xclaim_command(struct call *c)
{
    struct claim o = {.time_ms = -1, .retries = -1};
    uint32_t ids;
    o.g = stream_group_arg(c, 2, &o.s);
    if (!o.g) return;
    if (!min_idle_arg(c, "ERR Invalid min-idle-time argument for XCLAIM", &o)) return;
    if (!claim_args(c, &o, &ids)) return;
    if (stream_id_cmp(o.last_id, o.g->last_id) > 0) {
        o.g->last_id = o.last_id;
        c->dirty++;
    }
    o.consumer = stream_consumer_ensure(c, &c->keys[0], o.g, c->argv[3]);
    o.consumer->seen_ms = c->now_ms;
    claim_each(c, &o, ids);
}

/* ---- XAUTOCLAIM ----------------------------------------------------------------------------- */

#define AUTOCLAIM_COUNT    100 /* by default */
#define AUTOCLAIM_ATTEMPTS 10  /* entries looked at for each that is asked for */
#define AUTOCLAIM_MAX      (INT64_MAX / (int64_t)sizeof(struct stream_id)) /* as Redis has it */

static bool autoclaim_options(struct call *c, struct claim *o, int64_t *count)
{
    for (uint32_t i = 6; i < c->argc; i++) {
        if (slice_is(c->argv[i], "COUNT") && i + 1 < c->argc) {
            if (!call_i64_range(c, ++i, 1, AUTOCLAIM_MAX, count, "COUNT must be > 0")) return false;
        } else if (slice_is(c->argv[i], "JUSTID")) {
            o->justid = true;
        } else {
            call_syntax_error(c);
            return false;
        }
    }
    return true;
}

static struct stream_id id_in(const struct buf *ids, size_t i)
{
    struct stream_id id;
    memcpy(&id, ids->p + i * sizeof id, sizeof id);
    return id;
}

/* IDs, one behind the other. */
struct found {
    struct buf claimed, gone;
    struct stream_id cursor; /* where to go on; 0-0: that was all */
};

/* Looks at what is pending from `at` on, until `count` were found. */
static void autoclaim(struct call *c, const struct claim *o, int64_t count, struct stream_id at,
                      struct found *f)
{
    int64_t attempts = MIN(count, AUTOCLAIM_MAX) * AUTOCLAIM_ATTEMPTS;
    bool more = true;
    const struct stream_pending *p = idmap_ge(&o->g->pel, at, NULL);
    for (; p && attempts > 0 && count > 0; attempts--) {
        struct stream_id id = p->id;
        at = id;
        more = stream_id_increment(&at);
        if (!stream_has(o->s, id)) {
            stream_pending_drop(o->g, id);
            buf_add(&f->gone, &id, sizeof id);
            c->dirty++;
            count--;
        } else if (idle_enough(c, o, p)) {
            buf_add(&f->claimed, &id, sizeof id);
            count--;
        }
        p = more ? idmap_ge(&o->g->pel, at, NULL) : NULL;
    }
    f->cursor = p ? p->id : STREAM_ID_MIN;
}

static void reply_found(struct call *c, const struct claim *o, const struct found *f)
{
    size_t claimed = f->claimed.n / sizeof(struct stream_id);
    size_t gone = f->gone.n / sizeof(struct stream_id);
    reply_array(c->r, 3);
    stream_reply_id(c->r, f->cursor);
    reply_array(c->r, claimed);
    for (size_t i = 0; i < claimed; i++) {
        struct stream_iter it;
        struct stream_id id = id_in(&f->claimed, i);
        stream_iter_start(&it, o->s, id, id, false);
        stream_iter_next(&it);
        take(c, o, &it);
    }
    reply_array(c->r, gone);
    for (size_t i = 0; i < gone; i++)
        stream_reply_id(c->r, id_in(&f->gone, i));
}

void xautoclaim_command(struct call *c)
{
    struct claim o = {.time_ms = c->now_ms, .retries = -1};
    struct stream_id start;
    struct found f = {0};
    int64_t count = AUTOCLAIM_COUNT;
    if (!min_idle_arg(c, "ERR Invalid min-idle-time argument for XAUTOCLAIM", &o)) return;
    if (!stream_start_arg(c, 5, &start) || !autoclaim_options(c, &o, &count)) return;
    o.g = stream_group_arg(c, 2, &o.s);
    if (!o.g) return;
    o.consumer = stream_consumer_ensure(c, &c->keys[0], o.g, c->argv[3]);
    o.consumer->seen_ms = c->now_ms;
    autoclaim(c, &o, count, start, &f);
    reply_found(c, &o, &f);
    buf_free(&f.claimed);
    buf_free(&f.gone);
}
