/*
 * stream_args.c - streams: IDs and options as arguments.
 *
 *   id        := ms | ms "-" seq
 *   new ID    := "*" | ms "-*" | id              XADD
 *   range end := "-" | "+" | id | "(" id         "(" excludes it
 *
 * Invariants
 *  1. Numbers are read as leniently as Redis does: blanks before them, a sign and leading zeros
 * pass.
 */
#include "commands/stream_internal.h"

#include <errno.h>
#include <stdlib.h>

#define ID_TEXT_MAX 127

/* ---- IDs ------------------------------------------------------------------------------------ */

static bool parse_number(const char *text, uint64_t *out)
{
    int64_t v;
    char *end;
    if (num_parse_i64(slice_str(text), &v) && v < 0) return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    *out = n;
    return errno == 0 && *text && end != text && *end == '\0';
}

/* has_seq: NULL where "ms-*" is no ID. */
static bool parse_id(struct slice s, uint64_t missing, struct stream_id *id, bool *has_seq)
{
    char text[ID_TEXT_MAX + 1];
    if (s.n > ID_TEXT_MAX || s.n == 0) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    char *dash = strchr(text, '-');
    if (has_seq) *has_seq = true;
    id->seq = missing;
    if (dash) *dash++ = '\0';
    if (!parse_number(text, &id->ms)) return false;
    if (!dash) return true;
    if (has_seq && strcmp(dash, "*") == 0) {
        *has_seq = false;
        id->seq = 0;
        return true;
    }
    return parse_number(dash, &id->seq);
}

bool stream_id_parse(struct slice s, uint64_t missing, struct stream_id *id)
{
    return parse_id(s, missing, id, NULL);
}

static bool checked(struct call *c, bool ok)
{
    if (!ok) reply_error(c->r, "ERR Invalid stream ID specified as stream command argument");
    return ok;
}

bool stream_id_arg(struct call *c, uint32_t arg, struct stream_id *id)
{
    return checked(c, parse_id(c->argv[arg], 0, id, NULL));
}

bool stream_new_id_arg(struct call *c, uint32_t arg, struct stream_id *id, bool *has_seq)
{
    return checked(c, parse_id(c->argv[arg], 0, id, has_seq));
}

static bool parse_any_id(struct slice s, uint64_t missing, struct stream_id *id)
{
    if (slice_eq(s, SLICE("-"))) {
        *id = STREAM_ID_MIN;
    } else if (slice_eq(s, SLICE("+"))) {
        *id = STREAM_ID_MAX;
    } else {
        return parse_id(s, missing, id, NULL);
    }
    return true;
}

bool stream_any_id_arg(struct call *c, uint32_t arg, uint64_t missing, struct stream_id *id)
{
    return checked(c, parse_any_id(c->argv[arg], missing, id));
}

/* *open: it began with "(". */
static bool range_end(struct call *c, uint32_t arg, uint64_t missing, struct stream_id *id,
                      bool *open)
{
    struct slice s = c->argv[arg];
    *open = s.n > 1 && s.p[0] == '(';
    if (!*open) return stream_any_id_arg(c, arg, missing, id);
    return checked(c, parse_id(slice_of(s.p + 1, s.n - 1), missing, id, NULL));
}

bool stream_start_arg(struct call *c, uint32_t arg, struct stream_id *id)
{
    bool open;
    if (!range_end(c, arg, 0, id, &open)) return false;
    if (!open || stream_id_increment(id)) return true;
    reply_error(c->r, "ERR invalid start ID for the interval");
    return false;
}

bool stream_end_arg(struct call *c, uint32_t arg, struct stream_id *id)
{
    bool open;
    if (!range_end(c, arg, UINT64_MAX, id, &open)) return false;
    if (!open || stream_id_decrement(id)) return true;
    reply_error(c->r, "ERR invalid end ID for the interval");
    return false;
}

struct stream_id *stream_ids_arg(struct call *c, uint32_t at, uint32_t n,
                                 struct stream_id few[STREAM_IDS_FEW])
{
    struct stream_id *ids = n > STREAM_IDS_FEW ? mem_alloc(n * sizeof *ids) : few;
    for (uint32_t i = 0; i < n; i++) {
        if (stream_id_arg(c, at + i, &ids[i])) continue;
        stream_ids_free(ids, few);
        return NULL;
    }
    return ids;
}

void stream_ids_free(struct stream_id *ids, const struct stream_id *few)
{
    if (ids != few) mem_free(ids);
}

/* ---- references ----------------------------------------------------------------------------- */

bool stream_refs_word(struct slice s, enum stream_refs *refs)
{
    if (slice_is(s, "KEEPREF")) {
        *refs = STREAM_KEEP_REFS;
    } else if (slice_is(s, "DELREF")) {
        *refs = STREAM_DELETE_REFS;
    } else if (slice_is(s, "ACKED")) {
        *refs = STREAM_ACKED;
    } else {
        return false;
    }
    return true;
}

bool stream_refs_ids(struct call *c, uint32_t at, enum stream_refs *refs, uint32_t *first,
                     uint32_t *n)
{
    int64_t count;
    *refs = STREAM_KEEP_REFS;
    if (stream_refs_word(c->argv[at], refs)) at++;
    if (at + 1 >= c->argc || !slice_is(c->argv[at], "IDS")) {
        call_syntax_error(c);
        return false;
    }
    if (!call_i64_range(c, at + 1, 1, INT64_MAX, &count,
                        "Number of IDs must be a positive integer")) {
        return false;
    }
    *first = at + 2;
    *n = c->argc - *first;
    if (count == (int64_t)*n) return true;
    reply_error(c->r, "ERR The `numids` parameter must match the number of arguments");
    return false;
}

/* ---- the options of XADD and XTRIM ---------------------------------------------------------- */

#define LIMIT_NODES   100     /* that an approximate trim takes at most by default */
#define LIMIT_NO_SIZE 10000   /* entries, when nodes have no bound */
#define LIMIT_MAX     1000000 /* entries */

struct options {
    uint32_t i; /* the argument to be read */
    bool has_limit, has_refs;
    int64_t limit;
};

/* "MAXLEN [=|~] threshold" or "MINID [=|~] threshold", from its second argument on. */
static bool threshold(struct call *c, struct options *o, struct stream_trim *t, bool minid)
{
    int64_t maxlen;
    if (t->by != STREAM_TRIM_NONE) {
        reply_error(c->r, "ERR syntax error, MAXLEN and MINID options at the same time are not "
                          "compatible");
        return false;
    }
    bool more = o->i + 1 < c->argc, approx = slice_eq(c->argv[o->i], SLICE("~"));
    if (more && (approx || slice_eq(c->argv[o->i], SLICE("=")))) {
        t->approx = approx;
        o->i++;
    }
    uint32_t at = o->i++;
    t->by = minid ? STREAM_TRIM_MINID : STREAM_TRIM_MAXLEN;
    if (minid) return stream_id_arg(c, at, &t->minid);
    if (!call_i64(c, at, &maxlen)) return false;
    t->maxlen = (uint64_t)maxlen;
    if (maxlen >= 0) return true;
    reply_error(c->r, "ERR The MAXLEN argument must be >= 0.");
    return false;
}

static bool limit(struct call *c, struct options *o)
{
    o->has_limit = true;
    if (!call_i64(c, o->i++, &o->limit)) return false;
    if (o->limit >= 0) return true;
    reply_error(c->r, "ERR The LIMIT argument must be >= 0.");
    return false;
}

static bool refs_once(struct call *c, struct options *o)
{
    if (o->has_refs) call_syntax_error(c);
    bool ok = !o->has_refs;
    o->has_refs = true;
    return ok;
}

/* Reads what is at o->i. *done: the ID was read. */
static bool option(struct call *c, bool add, struct options *o, struct stream_add *a, bool *done)
{
    struct slice word = c->argv[o->i++];
    bool more = o->i < c->argc;
    if (add && slice_eq(word, SLICE("*"))) {
        *done = true;
        return true;
    }
    if (more && slice_is(word, "MAXLEN")) return threshold(c, o, &a->trim, false);
    if (more && slice_is(word, "MINID")) return threshold(c, o, &a->trim, true);
    if (more && slice_is(word, "LIMIT")) return limit(c, o);
    if (stream_refs_word(word, &a->trim.refs)) return refs_once(c, o);
    if (add && slice_is(word, "NOMKSTREAM")) {
        a->no_mkstream = true;
        return true;
    }
    if (!add) {
        call_syntax_error(c);
        return false;
    }
    *done = a->has_id = true;
    return stream_new_id_arg(c, o->i - 1, &a->id, &a->has_seq);
}

static uint64_t default_limit(void)
{
    uint64_t max = stream_limits.node_max_entries;
    if (max == 0) return LIMIT_NO_SIZE;
    return max > LIMIT_MAX / LIMIT_NODES ? LIMIT_MAX : LIMIT_NODES * max;
}

static bool settle_limit(struct call *c, bool add, const struct options *o, struct stream_trim *t)
{
    const char *error = NULL;
    if (o->limit && t->by == STREAM_TRIM_NONE) {
        error = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
    } else if (!add && t->by == STREAM_TRIM_NONE) {
        error = "ERR syntax error, XTRIM must be called with a trimming strategy";
    } else if (o->has_limit && !t->approx) {
        error = "ERR syntax error, LIMIT cannot be used without the special ~ option";
    }
    if (error) reply_error(c->r, error);
    t->limit = (uint64_t)o->limit;
    if (t->approx && !o->has_limit) t->limit = default_limit();
    return !error;
}

bool stream_add_args(struct call *c, bool add, struct stream_add *a)
{
    struct options o = {.i = 2};
    bool done = false;
    *a = (struct stream_add){0};
    while (o.i < c->argc && !done) {
        if (!option(c, add, &o, a, &done)) return false;
    }
    a->id_at = o.i - 1;
    return settle_limit(c, add, &o, &a->trim);
}
