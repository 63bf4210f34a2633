/*
 * stream_read.c - XREAD and XREADGROUP: what came into streams behind an ID, or what a group has
 * not yet given to anybody; and waiting for it.
 *
 *   arguments --> struct read --> every key has its struct source --> give() for each that has news
 *                                                     |
 *               nothing, and BLOCK: both are kept with the waiter; who adds to one of the keys
 *               gives what is there to everyone who waits (serve), for it stays where it is
 *
 * A reader of a group waits for that group: when its key vanishes, changes its type, or loses the
 * group, it is told (on_missing).
 *
 * Invariants
 *  1. serve() changes nothing unless it has claimed the waiter.
 */
#include "commands/stream_internal.h"

struct source {
    struct slice key;
    struct stream_id
        after; /* give what is behind this; of a group: STREAM_ID_MAX what is new to it */
};

struct read {
    bool grouped, noack, block, has_group;
    int64_t deadline_ms;
    uint64_t count; /* 0: all */
    struct slice group, consumer;
    uint32_t n;
    uint32_t keys_at; /* the first key's argument; the IDs are behind the keys */
    struct source *sources;
};

/* ---- arguments ------------------------------------------------------------------------------ */

static bool block_option(struct call *c, uint32_t arg, struct read *rd)
{
    int64_t ms;
    const char *error = NULL;
    if (!num_parse_i64(c->argv[arg], &ms)) {
        error = "ERR timeout is not an integer or out of range";
    } else if (ms < 0) {
        error = "ERR timeout is negative";
    } else if (ms > INT64_MAX - c->now_ms - 1) {
        error = "ERR timeout is out of range";
    }
    if (error) {
        reply_error(c->r, error);
        return false;
    }
    rd->block = true;
    rd->deadline_ms = ms == 0 ? INT64_MAX : c->now_ms + ms;
    return true;
}

static bool count_option(struct call *c, uint32_t arg, struct read *rd)
{
    int64_t count;
    if (!call_i64(c, arg, &count)) return false;
    rd->count = (uint64_t)MAX(count, 0);
    return true;
}

static bool streams_option(struct call *c, uint32_t arg, struct read *rd)
{
    uint32_t n = c->argc - arg;
    rd->keys_at = arg;
    rd->n = n / 2;
    if (n % 2 == 0) return true;
    reply_errorf(c->r,
                 "ERR Unbalanced '%s' list of streams: for each stream key an %s must be "
                 "specified.",
                 c->cmd->full_name, rd->grouped ? "ID or '>'" : "ID, '+', or '$'");
    return false;
}

/* GROUP and NOACK make sense in one of the two commands. */
static bool only_grouped(struct call *c, const struct read *rd, const char *option)
{
    if (rd->grouped) return true;
    reply_errorf(c->r,
                 "ERR The %s option is only supported by XREADGROUP. You called XREAD instead.",
                 option);
    return false;
}

/* Reads the option at *i and moves behind it. */
static bool option(struct call *c, uint32_t *i, struct read *rd)
{
    struct slice word = c->argv[(*i)++];
    uint32_t left = c->argc - *i;
    if (left >= 1 && slice_is(word, "BLOCK")) return block_option(c, (*i)++, rd);
    if (left >= 1 && slice_is(word, "COUNT")) return count_option(c, (*i)++, rd);
    if (left >= 1 && slice_is(word, "STREAMS")) return streams_option(c, *i, rd);
    if (left >= 2 && slice_is(word, "GROUP")) {
        rd->has_group = true;
        rd->group = c->argv[(*i)++];
        rd->consumer = c->argv[(*i)++];
        return only_grouped(c, rd, "GROUP");
    }
    if (slice_is(word, "NOACK")) {
        rd->noack = true;
        return only_grouped(c, rd, "NOACK");
    }
    call_syntax_error(c);
    return false;
}

static bool parse(struct call *c, struct read *rd)
{
    for (uint32_t i = 1; i < c->argc && !rd->keys_at;) {
        if (!option(c, &i, rd)) return false;
    }
    if (rd->keys_at && rd->grouped && !rd->has_group) {
        reply_error(c->r, "ERR Missing GROUP option for XREADGROUP");
        return false;
    }
    if (rd->keys_at && rd->n == c->nkeys) return true;
    call_syntax_error(c);
    return false;
}

int stream_read_keys(uint32_t argc, const struct slice *argv, uint32_t *out, int max)
{
    uint32_t i = 1;
    while (i + 1 < argc && !slice_is(argv[i], "STREAMS")) {
        if (slice_is(argv[i], "BLOCK") || slice_is(argv[i], "COUNT")) {
            i += 2;
        } else if (slice_is(argv[i], "GROUP")) {
            i += 3;
        } else {
            i++;
        }
    }
    if (i + 1 >= argc) return -1;
    uint32_t n = (argc - i - 1) / 2;
    for (uint32_t k = 0; k < n && k < (uint32_t)max; k++)
        out[k] = i + 1 + k;
    return (int)n;
}

/* ---- where each source begins --------------------------------------------------------------- */

static void no_group(struct reply *r, struct slice key, struct slice group)
{
    reply_errorf(r,
                 "NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP with GROUP "
                 "option",
                 (int)key.n, key.p, (int)group.n, group.p);
}

static bool meaningless(struct call *c, const char *id)
{
    reply_errorf(c->r,
                 "ERR The %s ID is meaningless in the context of XREADGROUP: you want to read the "
                 "history of this consumer by specifying a proper ID, or use the > ID to get new "
                 "messages. The %s ID would just return an empty result set.",
                 id, id);
    return false;
}

static bool begin_at(struct call *c, const struct read *rd, const struct stream *s, uint32_t arg,
                     struct stream_id *after)
{
    struct slice id = c->argv[arg];
    bool news = slice_eq(id, SLICE("$")), last = slice_eq(id, SLICE("+"));
    if (rd->grouped && (news || last)) return meaningless(c, news ? "$" : "+");
    if (news || last) {
        *after = s ? s->last_id : STREAM_ID_MIN;
        if (last && s && !stream_id_is_zero(*after)) stream_id_decrement(after);
        return true;
    }
    if (!slice_eq(id, SLICE(">"))) return stream_id_arg(c, arg, after);
    *after = STREAM_ID_MAX;
    if (!rd->grouped) {
        reply_error(c->r, "ERR The > ID can be specified only when calling XREADGROUP using the "
                          "GROUP <group> <consumer> option.");
    }
    return rd->grouped;
}

static bool find_sources(struct call *c, struct read *rd)
{
    for (uint32_t i = 0; i < rd->n; i++) {
        bool wrong = false;
        const struct key *k = &c->keys[i];
        const struct stream *s = stream_find(c, k, &wrong);
        if (wrong) return false;
        if (rd->grouped && (!s || !stream_group_find(s, rd->group))) {
            no_group(c->r, k->s, rd->group);
            return false;
        }
        rd->sources[i].key = k->s;
        if (!begin_at(c, rd, s, rd->keys_at + rd->n + i, &rd->sources[i].after)) return false;
    }
    return true;
}

/* ---- giving --------------------------------------------------------------------------------- */

static bool has_behind(const struct stream *s, struct stream_id after)
{
    if (s->length == 0 || stream_id_cmp(s->last_id, after) <= 0) return false;
    return stream_id_cmp(stream_last_entry(s), after) > 0;
}

static struct stream_id behind(struct stream_id id)
{
    stream_id_increment(&id);
    return id;
}

/* It has been delivered to the consumer, for the first time. */
static void deliver(struct call *c, struct stream_group *g, struct stream_consumer *consumer,
                    struct stream_id id)
{
    struct stream_pending *p = stream_pending_assign(g, id, consumer);
    p->delivered_ms = c->now_ms;
    p->deliveries = 1;
    consumer->active_ms = c->now_ms;
}

/* What is new to the group. */
static void give_new(struct call *c, const struct read *rd, const struct stream *s,
                     struct stream_group *g, struct stream_consumer *consumer)
{
    struct stream_iter it;
    struct reply_mark mark = reply_open(c->r);
    size_t n = 0;
    stream_iter_start(&it, s, behind(g->last_id), STREAM_ID_MAX, false);
    while ((rd->count == 0 || n < rd->count) && stream_iter_next(&it)) {
        stream_group_read(s, g, it.id);
        stream_reply_entry(c->r, &it);
        if (!rd->noack) deliver(c, g, consumer, it.id);
        n++;
    }
    reply_close_array(c->r, mark, n);
    c->dirty += n > 0;
}

/* What was delivered to the consumer and is pending, once more. */
static void give_history(struct call *c, const struct read *rd, const struct stream *s,
                         struct stream_group *g, struct stream_consumer *consumer,
                         struct stream_id after)
{
    struct idmap_pos pos;
    struct stream_iter it;
    struct reply_mark mark = reply_open(c->r);
    size_t n = 0;
    const struct stream_id *id = idmap_ge(&consumer->pel, behind(after), &pos);
    for (; id && (rd->count == 0 || n < rd->count); id = idmap_next(&consumer->pel, &pos), n++) {
        stream_iter_start(&it, s, *id, *id, false);
        if (stream_iter_next(&it)) {
            struct stream_pending *p = stream_pending_find(g, *id);
            p->delivered_ms = c->now_ms;
            p->deliveries++;
            stream_reply_entry(c->r, &it);
        } else { /* it was deleted meanwhile */
            reply_array(c->r, 2);
            stream_reply_id(c->r, *id);
            reply_null_array(c->r);
        }
    }
    reply_close_array(c->r, mark, n);
}

static void begin_source(struct call *c, struct slice key)
{
    if (c->r->resp == 2) reply_array(c->r, 2);
    reply_bulk(c->r, key);
}

/* Replies what the source has for the reader. False: nothing. */
static bool give(struct call *c, const struct read *rd, const struct source *src,
                 const struct stream *s)
{
    if (!has_behind(s, src->after)) return false;
    begin_source(c, src->key);
    stream_reply_range(c->r, s, behind(src->after), STREAM_ID_MAX, rd->count, false);
    return true;
}

static bool give_grouped(struct call *c, const struct read *rd, const struct source *src,
                         const struct key *k, const struct stream *s, struct stream_group *g)
{
    bool history = !stream_id_eq(src->after, STREAM_ID_MAX);
    struct stream_consumer *consumer = stream_consumer_ensure(c, k, g, rd->consumer);
    consumer->seen_ms = c->now_ms;
    if (!history && !has_behind(s, g->last_id)) return false;
    begin_source(c, src->key);
    if (history) {
        give_history(c, rd, s, g, consumer, src->after);
    } else {
        give_new(c, rd, s, g, consumer);
    }
    return true;
}

static void close_sources(struct call *c, struct reply_mark mark, size_t n)
{
    if (c->r->resp == 2) {
        reply_close_array(c->r, mark, n);
    } else {
        reply_close_map(c->r, mark, n);
    }
}

/* Replies what there is. False: nothing. */
static bool give_all(struct call *c, const struct read *rd)
{
    struct reply_mark start = reply_position(c->r), mark = reply_open(c->r);
    size_t n = 0;
    for (uint32_t i = 0; i < rd->n; i++) {
        struct entry **slot = call_find(c, &c->keys[i], KS_NO_STATS | KS_NO_TOUCH);
        if (!slot) continue;
        struct stream *s = stream_of(*slot);
        const struct source *src = &rd->sources[i];
        struct stream_group *g = rd->grouped ? stream_group_find(s, rd->group) : NULL;
        n += g ? give_grouped(c, rd, src, &c->keys[i], s, g) : give(c, rd, src, s);
    }
    if (n == 0) {
        reply_rollback(c->r, start);
    } else {
        close_sources(c, mark, n);
    }
    return n > 0;
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* Whether a source on this key has something for the reader. */
static bool has_news(const struct read *rd, const struct key *k, const struct stream *s)
{
    for (uint32_t i = 0; i < rd->n; i++) {
        const struct source *src = &rd->sources[i];
        if (slice_eq(src->key, k->s) && has_behind(s, src->after)) return true;
    }
    return false;
}

/* Replies what the sources on this key have. */
static void give_key(struct call *c, const struct read *rd, const struct key *k,
                     const struct stream *s, struct stream_group *g)
{
    struct reply_mark mark = reply_open(c->r);
    size_t n = 0;
    for (uint32_t i = 0; i < rd->n; i++) {
        const struct source *src = &rd->sources[i];
        if (!slice_eq(src->key, k->s)) continue;
        n += g ? give_grouped(c, rd, src, k, s, g) : give(c, rd, src, s);
    }
    close_sources(c, mark, n);
}

static bool serve(struct waiter *w, struct part *p, const struct key *k, int64_t now_ms)
{
    const struct read *rd = waiter_arg(w);
    struct entry **slot = ks_find(p, w->db, k, now_ms, KS_NO_STATS);
    bool wrong = slot && (*slot)->type != TYPE_STREAM;
    struct stream *s = slot && !wrong ? stream_of(*slot) : NULL;
    struct stream_group *g = s && rd->grouped ? stream_group_find(s, rd->group) : NULL;
    bool lost = rd->grouped && !g;
    if (!lost && (!s || !(g ? has_behind(s, g->last_id) : has_news(rd, k, s)))) return false;
    if (!waiter_claim(w)) return true; /* it has just left: the next in line */
    struct caller *caller = waiter_caller(w);
    struct call c = {.caller = caller,
                     .r = caller->reply,
                     .cmd = caller->last_command, /* the one that waits */
                     .db = w->db,
                     .now_ms = now_ms,
                     .part = p};
    if (wrong) {
        call_wrong_type(&c);
    } else if (lost) {
        no_group(c.r, k->s, rd->group);
    } else {
        give_key(&c, rd, k, s, g);
    }
    call_served(&c, w);
    return true;
}

static struct slice keep_bytes(char **to, struct slice s)
{
    if (s.n) memcpy(*to, s.p, s.n);
    struct slice kept = slice_of(*to, s.n);
    *to += s.n;
    return kept;
}

/* A copy in one allocation that needs nothing of the call. */
static struct read *keep(const struct read *rd)
{
    size_t bytes = rd->group.n + rd->consumer.n, sources = rd->n * sizeof(struct source);
    for (uint32_t i = 0; i < rd->n; i++)
        bytes += rd->sources[i].key.n;
    struct read *kept = mem_alloc(sizeof *kept + sources + bytes);
    char *at = (char *)(kept + 1) + sources;
    *kept = *rd;
    kept->sources = (struct source *)(kept + 1);
    kept->group = keep_bytes(&at, rd->group);
    kept->consumer = keep_bytes(&at, rd->consumer);
    for (uint32_t i = 0; i < rd->n; i++) {
        kept->sources[i].key = keep_bytes(&at, rd->sources[i].key);
        kept->sources[i].after = rd->sources[i].after;
    }
    return kept;
}

static void wait_for_news(struct call *c, const struct read *rd)
{
    struct read *kept = keep(rd);
    struct block_request req = {.keys = c->keys,
                                .nkeys = rd->n,
                                .type = TYPE_STREAM,
                                .deadline_ms = rd->deadline_ms,
                                .serve = serve,
                                .on_timeout = reply_null_array,
                                .arg = kept,
                                .free_arg = mem_free,
                                .on_missing = rd->grouped};
    if (!call_block(c, &req)) {
        mem_free(kept);
        reply_null_array(c->r);
    }
}

/* ---- commands ------------------------------------------------------------------------------- */

static void read_streams(struct call *c, bool grouped)
{
    struct source few[8];
    struct read rd = {.grouped = grouped, .sources = few};
    if (!parse(c, &rd)) return;
    if (rd.n > ARRAY_LEN(few)) rd.sources = mem_alloc(rd.n * sizeof *rd.sources);
    if (find_sources(c, &rd) && !give_all(c, &rd)) {
        if (rd.block) {
            wait_for_news(c, &rd);
        } else {
            reply_null_array(c->r);
        }
    }
    if (rd.sources != few) mem_free(rd.sources);
}

void xread_command(struct call *c)
{
    read_streams(c, false);
}

void xreadgroup_command(struct call *c)
{
    read_streams(c, true);
}
