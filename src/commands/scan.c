/*
 * scan.c - walks over a database: KEYS, SCAN, RANDOMKEY.
 *
 * A walk goes in steps of a few buckets, each of which takes its partition and lets it go again,
 * and gives up its worker between steps once it had its fair share. So it needs no instant at which
 * all is still, and nobody waits for it.
 *
 *   step: own -- visit ~ WALK_STEP entries -- disown     (some us)
 *   ... until a fair share (200 us) is over: yield; others run
 *
 * In a transaction everything is owned already and the walk does not yield.
 */
#include "commands/keys_internal.h"

#include <errno.h>
#include <stdlib.h>

#define WALK_STEP 128

static void breathe(const struct call *c)
{
    if (!walk_owns_all(c) && co_should_yield()) co_yield ();
}

/* ---- KEYS ----------------------------------------------------------------------------------- */

struct keys_walk {
    struct reply *r;
    struct slice pattern;
    bool all;
    size_t found;
};

static void keys_visit(void *arg, struct entry *e)
{
    struct keys_walk *w = arg;
    struct slice key = entry_key(e);
    if (!w->all && !glob_match(w->pattern, key, false)) return;
    reply_bulk(w->r, key);
    w->found++;
}

static bool is_literal(struct slice pattern)
{
    for (size_t i = 0; i < pattern.n; i++) {
        if (strchr("*?[\\", pattern.p[i]) && pattern.p[i]) return false;
    }
    return true;
}

/* A pattern that one key only can match. */
static void keys_literal(struct call *c)
{
    struct key k = key_of(c->argv[1]);
    struct part *p = keyspace_part(k.part);
    bool owned = walk_owns_all(c);
    if (!owned) part_own(p);
    bool there = ks_find(p, c->db, &k, c->now_ms, KS_NO_TOUCH | KS_NO_STATS) != NULL;
    if (!owned) part_disown(p);
    reply_array(c->r, there);
    if (there) reply_bulk(c->r, k.s);
}

void keys_command(struct call *c)
{
    struct slice pattern = c->argv[1];
    if (is_literal(pattern)) {
        keys_literal(c);
        return;
    }
    struct keys_walk w = {.r = c->r, .pattern = pattern, .all = slice_is(pattern, "*")};
    struct reply_mark mark = reply_open(c->r);
    uint64_t cursor = 0;
    do {
        cursor = ks_scan(c->db, cursor, WALK_STEP, c->now_ms, walk_owns_all(c), keys_visit, &w);
        breathe(c);
    } while (cursor != 0);
    reply_close_array(c->r, mark, w.found);
}

/* ---- SCAN ----------------------------------------------------------------------------------- */

struct scan_walk {
    struct slice pattern; /* p NULL: any */
    struct slice type;    /* p NULL: any */
    int64_t count, seen;
    size_t found;
    struct buf keys; /* length (uint32_t) and bytes of each: replied behind the cursor */
};

static bool scan_wants(const struct scan_walk *w, const struct entry *e)
{
    if (w->pattern.p && !glob_match(w->pattern, entry_key(e), false)) return false;
    return !w->type.p || slice_is(w->type, entry_type_name(e));
}

static void scan_visit(void *arg, struct entry *e)
{
    struct scan_walk *w = arg;
    w->seen++;
    if (!scan_wants(w, e)) return;
    struct slice key = entry_key(e);
    buf_add(&w->keys, &e->key_len, sizeof e->key_len);
    buf_add(&w->keys, key.p, key.n);
    w->found++;
}

/* A cursor is what strtoull takes whole, in decimal. */
static bool parse_cursor(struct call *c, uint64_t *cursor)
{
    char text[32], *end;
    struct slice s = c->argv[1];
    if (s.n < sizeof text && !memchr(s.p, '\0', s.n) && !(s.n && strchr(" \t\n\v\f\r", s.p[0]))) {
        memcpy(text, s.p, s.n);
        text[s.n] = '\0';
        errno = 0;
        *cursor = strtoull(text, &end, 10);
        if (*end == '\0' && errno == 0) return true;
    }
    reply_error(c->r, "ERR invalid cursor");
    return false;
}

static bool parse_scan(struct call *c, struct scan_walk *w)
{
    for (uint32_t i = 2; i < c->argc; i += 2) {
        bool value = i + 1 < c->argc;
        if (value && slice_is(c->argv[i], "COUNT")) {
            if (!call_i64(c, i + 1, &w->count)) return false;
            if (w->count >= 1) continue;
        } else if (value && slice_is(c->argv[i], "MATCH")) {
            w->pattern = c->argv[i + 1];
            continue;
        } else if (value && slice_is(c->argv[i], "TYPE")) {
            w->type = c->argv[i + 1];
            continue;
        }
        call_syntax_error(c);
        return false;
    }
    if (slice_eq(w->pattern, SLICE("*"))) w->pattern.p = NULL;
    return true;
}

/* Over sparse tables a call gives up after ten steps for each entry asked for. */
static uint64_t scan_some(struct call *c, struct scan_walk *w, uint64_t cursor)
{
    int64_t steps = w->count > INT64_MAX / 10 ? INT64_MAX : w->count * 10;
    do {
        size_t want = (size_t)MIN(w->count - w->seen, WALK_STEP);
        cursor = ks_scan(c->db, cursor, want, c->now_ms, walk_owns_all(c), scan_visit, w);
        breathe(c);
    } while (cursor != 0 && w->seen < w->count && --steps > 0);
    return cursor;
}

static void reply_found(struct call *c, const struct scan_walk *w, uint64_t cursor)
{
    char text[NUM_I64_MAX];
    reply_array(c->r, 2);
    reply_bulk(c->r, slice_of(text, num_fmt_u64(text, cursor)));
    reply_array(c->r, w->found);
    for (const char *p = w->keys.p, *end = p + w->keys.n; p < end;) {
        uint32_t n;
        memcpy(&n, p, sizeof n);
        reply_bulk(c->r, slice_of(p + sizeof n, n));
        p += sizeof n + n;
    }
}

void scan_command(struct call *c)
{
    struct scan_walk w = {.count = 10};
    uint64_t cursor;
    if (!parse_cursor(c, &cursor) || !parse_scan(c, &w)) return;
    cursor = scan_some(c, &w, cursor);
    reply_found(c, &w, cursor);
    buf_free(&w.keys);
}

/* ---- RANDOMKEY ------------------------------------------------------------------------------ */

void randomkey_command(struct call *c)
{
    struct buf key = {0};
    if (ks_random_key(c->db, c->now_ms, walk_owns_all(c), &key)) {
        reply_bulk(c->r, buf_slice(&key));
    } else {
        reply_null(c->r);
    }
    buf_free(&key);
}
