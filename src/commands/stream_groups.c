/*
 * stream_groups.c - groups of consumers: XGROUP, and acknowledging what was read (XACK, XACKDEL).
 *
 * Invariants
 *  1. Whoever waits for a group that is destroyed is woken, to be told.
 */
#include "commands/stream_internal.h"

static void usage_error(struct call *c)
{
    reply_errorf(c->r,
                 "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try XGROUP HELP.",
                 (int)MIN(c->argv[1].n, 128u), c->argv[1].p);
}

/* ---- XGROUP --------------------------------------------------------------------------------- */

struct group_options {
    bool mkstream;
    int64_t entries_read;
};

static bool group_option(struct call *c, uint32_t *i, bool create, struct group_options *o)
{
    if (create && slice_is(c->argv[*i], "MKSTREAM")) {
        o->mkstream = true;
        ++*i;
        return true;
    }
    if (*i + 1 == c->argc || !slice_is(c->argv[*i], "ENTRIESREAD")) {
        usage_error(c);
        return false;
    }
    if (!call_i64(c, *i + 1, &o->entries_read)) return false;
    *i += 2;
    if (o->entries_read >= 0 || o->entries_read == STREAM_READS_UNKNOWN) return true;
    reply_error(c->r, "ERR value for ENTRIESREAD must be positive or -1");
    return false;
}

static bool group_options(struct call *c, bool create, struct group_options *o)
{
    *o = (struct group_options){.entries_read = STREAM_READS_UNKNOWN};
    for (uint32_t i = 5; i < c->argc;) {
        if (!group_option(c, &i, create, o)) return false;
    }
    return true;
}

/* The stream, which has to be there unless `may_miss`. *ok: false when an error was replied. */
static struct stream *group_stream(struct call *c, bool may_miss, bool *ok)
{
    bool wrong = false;
    struct stream *s = stream_find(c, &c->keys[0], &wrong);
    *ok = !wrong && (s || may_miss);
    if (!s && !wrong && !may_miss) {
        reply_error(c->r, "ERR The XGROUP subcommand requires the key to exist. Note that for "
                          "CREATE you may want to use the MKSTREAM option to create an empty "
                          "stream automatically.");
    }
    return s;
}

static struct stream_group *group_of(struct call *c, struct stream **s)
{
    bool ok;
    struct slice name = c->argv[3];
    *s = group_stream(c, false, &ok);
    if (!ok) return NULL;
    struct stream_group *g = stream_group_find(*s, name);
    if (!g) {
        reply_errorf(c->r, "NOGROUP No such consumer group '%.*s' for key name '%.*s'", (int)name.n,
                     name.p, (int)c->argv[2].n, c->argv[2].p);
    }
    return g;
}

void xgroup_create_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    struct group_options o;
    struct stream_id id;
    bool ok;
    if (!group_options(c, true, &o)) return;
    struct stream *s = group_stream(c, o.mkstream, &ok);
    if (!ok) return;
    if (c->argc > 8) {
        usage_error(c);
        return;
    }
    if (slice_eq(c->argv[4], SLICE("$"))) {
        id = s ? s->last_id : STREAM_ID_MIN;
    } else if (!stream_id_arg(c, 4, &id)) {
        return;
    }
    if (!s) {
        s = stream_create(c, k);
        ks_touched(call_part(c, k), c->db, k);
    }
    if (stream_group_create(s, c->argv[3], id, o.entries_read)) {
        call_noted(c, k, 't', "xgroup-create");
        reply_ok(c->r);
    } else {
        reply_error(c->r, "BUSYGROUP Consumer Group name already exists");
    }
}

void xgroup_setid_command(struct call *c)
{
    struct group_options o;
    struct stream *s;
    struct stream_id id;
    if (!group_options(c, false, &o)) return;
    struct stream_group *g = group_of(c, &s);
    if (!g) return;
    if (c->argc != 5 && c->argc != 7) {
        usage_error(c);
        return;
    }
    if (slice_eq(c->argv[4], SLICE("$"))) {
        id = s->last_id;
    } else if (!stream_any_id_arg(c, 4, 0, &id)) {
        return;
    }
    g->last_id = id;
    g->entries_read = o.entries_read;
    call_noted(c, &c->keys[0], 't', "xgroup-setid");
    reply_ok(c->r);
}

void xgroup_destroy_command(struct call *c)
{
    bool ok;
    struct stream *s = group_stream(c, false, &ok);
    if (!ok) return;
    struct stream_group *g = stream_group_find(s, c->argv[3]);
    if (!g) {
        reply_zero(c->r);
        return;
    }
    stream_group_destroy(s, g);
    call_noted(c, &c->keys[0], 't', "xgroup-destroy");
    call_ready(c, &c->keys[0]);
    reply_one(c->r);
}

void xgroup_createconsumer_command(struct call *c)
{
    struct stream *s;
    struct stream_group *g = group_of(c, &s);
    if (!g) return;
    bool exists = stream_consumer_find(g, c->argv[4]);
    stream_consumer_ensure(c, &c->keys[0], g, c->argv[4]);
    reply_int(c->r, !exists);
}

void xgroup_delconsumer_command(struct call *c)
{
    struct stream *s;
    struct stream_group *g = group_of(c, &s);
    if (!g) return;
    struct stream_consumer *consumer = stream_consumer_find(g, c->argv[4]);
    if (!consumer) {
        reply_zero(c->r);
        return;
    }
    reply_int(c->r, (int64_t)consumer->pel.len);
    stream_consumer_destroy(g, consumer);
    call_noted(c, &c->keys[0], 't', "xgroup-delconsumer");
}

/* ---- acknowledging -------------------------------------------------------------------------- */

void xack_command(struct call *c)
{
    struct stream_id few[STREAM_IDS_FEW];
    uint32_t count = c->argc - 3, n = 0;
    bool wrong = false;
    const struct stream *s = stream_find(c, &c->keys[0], &wrong);
    if (wrong) return;
    struct stream_group *g = s ? stream_group_find(s, c->argv[2]) : NULL;
    if (!g) {
        reply_zero(c->r);
        return;
    }
    struct stream_id *ids = stream_ids_arg(c, 3, count, few);
    if (!ids) return;
    for (uint32_t i = 0; i < count; i++)
        n += stream_pending_drop(g, ids[i]);
    c->dirty += n;
    reply_int(c->r, n);
    stream_ids_free(ids, few);
}

enum { ACK_ABSENT = -1, ACK_DELETED = 1, ACK_NEEDED = 2 }; /* as replied */

/* *deleted: the entry was there and is gone. */
static int ack_and_delete(struct stream *s, struct stream_group *g, struct stream_id id,
                          enum stream_refs refs, bool *deleted)
{
    *deleted = false;
    if (!g || !stream_pending_drop(g, id)) return ACK_ABSENT;
    if (refs == STREAM_ACKED && stream_referenced(s, id)) return ACK_NEEDED;
    if (refs == STREAM_DELETE_REFS) stream_drop_references(s, id);
    *deleted = stream_delete(s, id);
    return ACK_DELETED;
}

void xackdel_command(struct call *c)
{
    struct stream_id few[STREAM_IDS_FEW];
    enum stream_refs refs;
    uint32_t first, count, n = 0;
    bool wrong = false;
    if (!stream_refs_ids(c, 3, &refs, &first, &count)) return;
    struct stream *s = stream_find(c, &c->keys[0], &wrong);
    struct stream_group *g = s ? stream_group_find(s, c->argv[2]) : NULL;
    struct stream_id *ids = wrong ? NULL : stream_ids_arg(c, first, count, few);
    if (!ids) return;
    reply_array(c->r, count);
    for (uint32_t i = 0; i < count; i++) {
        bool deleted;
        int result = ack_and_delete(s, g, ids[i], refs, &deleted);
        c->dirty += result != ACK_ABSENT;
        n += deleted;
        reply_int(c->r, result);
    }
    if (n) call_touched(c, &c->keys[0], 't', "xdel");
    stream_ids_free(ids, few);
}
