/* stream_info.c - XINFO: what a stream, its groups and their consumers are like. */
#include "commands/stream_internal.h"

#define FULL_COUNT 10 /* entries of each list that XINFO STREAM FULL shows by default */

static void usage_error(struct call *c)
{
    reply_errorf(c->r,
                 "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try XINFO HELP.",
                 (int)MIN(c->argv[1].n, 128u), c->argv[1].p);
}

/* NULL: an error was replied. */
static const struct stream *info_stream(struct call *c)
{
    bool wrong = false;
    const struct stream *s = stream_find(c, &c->keys[0], &wrong);
    if (!s && !wrong) reply_error(c->r, "ERR no such key");
    return s;
}

static void field_int(struct reply *r, const char *name, int64_t v)
{
    reply_bulk_str(r, name);
    reply_int(r, v);
}

static void field_id(struct reply *r, const char *name, struct stream_id id)
{
    reply_bulk_str(r, name);
    stream_reply_id(r, id);
}

static void field_name(struct reply *r, struct slice name)
{
    reply_bulk_str(r, "name");
    reply_bulk(r, name);
}

/* How far the group has read, and how far it is behind. */
static void fields_progress(struct reply *r, const struct stream *s, const struct stream_group *g)
{
    int64_t lag;
    field_id(r, "last-delivered-id", g->last_id);
    reply_bulk_str(r, "entries-read");
    if (g->entries_read == STREAM_READS_UNKNOWN) {
        reply_null(r);
    } else {
        reply_int(r, g->entries_read);
    }
    reply_bulk_str(r, "lag");
    if (stream_group_lag(s, g, &lag)) {
        reply_int(r, lag);
    } else {
        reply_null(r);
    }
}

/* ---- XINFO STREAM FULL ---------------------------------------------------------------------- */

static void full_group_pending(struct reply *r, const struct stream_group *g, uint64_t count)
{
    struct idmap_pos pos;
    uint64_t n = count == 0 ? g->pel.len : MIN(count, g->pel.len);
    reply_bulk_str(r, "pending");
    reply_array(r, n);
    const struct stream_pending *p = idmap_first(&g->pel, &pos);
    for (; n > 0; n--, p = idmap_next(&g->pel, &pos)) {
        reply_array(r, 4);
        stream_reply_id(r, p->id);
        reply_bulk(r, stream_consumer_name(p->consumer));
        reply_int(r, p->delivered_ms);
        reply_int(r, (int64_t)p->deliveries);
    }
}

static void full_consumer_pending(struct reply *r, const struct stream_group *g,
                                  const struct stream_consumer *consumer, uint64_t count)
{
    struct idmap_pos pos;
    uint64_t n = count == 0 ? consumer->pel.len : MIN(count, consumer->pel.len);
    reply_bulk_str(r, "pending");
    reply_array(r, n);
    const struct stream_id *id = idmap_first(&consumer->pel, &pos);
    for (; n > 0; n--, id = idmap_next(&consumer->pel, &pos)) {
        const struct stream_pending *p = stream_pending_find(g, *id);
        reply_array(r, 3);
        stream_reply_id(r, *id);
        reply_int(r, p->delivered_ms);
        reply_int(r, (int64_t)p->deliveries);
    }
}

static void full_consumers(struct reply *r, const struct stream_group *g, uint64_t count)
{
    reply_bulk_str(r, "consumers");
    reply_array(r, g->n_consumers);
    for (uint32_t i = 0; i < g->n_consumers; i++) {
        const struct stream_consumer *consumer = g->consumers[i];
        reply_map(r, 5);
        field_name(r, stream_consumer_name(consumer));
        field_int(r, "seen-time", consumer->seen_ms);
        field_int(r, "active-time", consumer->active_ms);
        field_int(r, "pel-count", (int64_t)consumer->pel.len);
        full_consumer_pending(r, g, consumer, count);
    }
}

static void full_groups(struct reply *r, const struct stream *s, uint64_t count)
{
    reply_bulk_str(r, "groups");
    reply_array(r, s->n_groups);
    for (uint32_t i = 0; i < s->n_groups; i++) {
        const struct stream_group *g = s->groups[i];
        reply_map(r, 7);
        field_name(r, stream_group_name(g));
        fields_progress(r, s, g);
        field_int(r, "pel-count", (int64_t)g->pel.len);
        full_group_pending(r, g, count);
        full_consumers(r, g, count);
    }
}

/* ---- XINFO STREAM --------------------------------------------------------------------------- */

static void edge_entry(struct reply *r, const char *name, const struct stream *s, bool last)
{
    struct stream_iter it;
    reply_bulk_str(r, name);
    stream_iter_start(&it, s, STREAM_ID_MIN, STREAM_ID_MAX, last);
    if (stream_iter_next(&it)) {
        stream_reply_entry(r, &it);
    } else {
        reply_null(r);
    }
}

/* "[FULL [COUNT count]]" from argument 3 on. */
static bool full_option(struct call *c, bool *full, int64_t *count)
{
    *full = c->argc > 3;
    *count = FULL_COUNT;
    if (!*full) return true;
    bool ok = (c->argc == 4 || c->argc == 6) && slice_is(c->argv[3], "FULL");
    if (!ok || (c->argc == 6 && !slice_is(c->argv[4], "COUNT"))) {
        usage_error(c);
        return false;
    }
    if (c->argc == 6 && !call_i64(c, 5, count)) return false;
    if (*count < 0) *count = FULL_COUNT;
    return true;
}

void xinfo_stream_command(struct call *c)
{
    struct reply *r = c->r;
    int64_t count;
    bool full;
    const struct stream *s = info_stream(c);
    if (!s || !full_option(c, &full, &count)) return;
    reply_map(r, full ? 9 : 10);
    field_int(r, "length", (int64_t)s->length);
    field_int(r, "radix-tree-keys", (int64_t)s->nodes.len);
    field_int(r, "radix-tree-nodes", (int64_t)stream_radix_nodes(s));
    field_id(r, "last-generated-id", s->last_id);
    field_id(r, "max-deleted-entry-id", s->max_deleted_id);
    field_int(r, "entries-added", (int64_t)s->entries_added);
    field_id(r, "recorded-first-entry-id", s->first_id);
    if (full) {
        reply_bulk_str(r, "entries");
        stream_reply_range(r, s, STREAM_ID_MIN, STREAM_ID_MAX, (uint64_t)count, false);
        full_groups(r, s, (uint64_t)count);
        return;
    }
    field_int(r, "groups", s->n_groups);
    edge_entry(r, "first-entry", s, false);
    edge_entry(r, "last-entry", s, true);
}

/* ---- XINFO GROUPS and CONSUMERS ------------------------------------------------------------- */

void xinfo_groups_command(struct call *c)
{
    struct reply *r = c->r;
    const struct stream *s = info_stream(c);
    if (!s) return;
    reply_array(r, s->n_groups);
    for (uint32_t i = 0; i < s->n_groups; i++) {
        const struct stream_group *g = s->groups[i];
        reply_map(r, 6);
        field_name(r, stream_group_name(g));
        field_int(r, "consumers", g->n_consumers);
        field_int(r, "pending", (int64_t)g->pel.len);
        fields_progress(r, s, g);
    }
}

void xinfo_consumers_command(struct call *c)
{
    struct reply *r = c->r;
    struct slice name = c->argv[3];
    const struct stream *s = info_stream(c);
    if (!s) return;
    const struct stream_group *g = stream_group_find(s, name);
    if (!g) {
        reply_errorf(r, "NOGROUP No such consumer group '%.*s' for key name '%.*s'", (int)name.n,
                     name.p, (int)c->argv[2].n, c->argv[2].p);
        return;
    }
    reply_array(r, g->n_consumers);
    for (uint32_t i = 0; i < g->n_consumers; i++) {
        const struct stream_consumer *consumer = g->consumers[i];
        int64_t active = consumer->active_ms;
        reply_map(r, 4);
        field_name(r, stream_consumer_name(consumer));
        field_int(r, "pending", (int64_t)consumer->pel.len);
        field_int(r, "idle", MAX(c->now_ms - consumer->seen_ms, 0));
        field_int(r, "inactive", active == -1 ? -1 : c->now_ms - active);
    }
}
