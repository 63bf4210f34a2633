/*
 * zset_range.c - sorted sets by range: ZRANGE in all its forms, ZRANGESTORE, counting, removing.
 *
 *   arguments --parse--> struct zrange --window--> first rank and number of members --> reply,
 * store
 *
 * Ranges of scores and of members become ranges of ranks first, which takes two searches; from
 * there on all kinds are the same, and the length of a reply is known before it begins.
 */
#include "commands/zset_internal.h"

enum range_by { BY_RANK, BY_SCORE, BY_LEX };

struct zrange {
    enum range_by by;
    bool rev, with_scores;
    int64_t offset, count; /* LIMIT; a negative count: all */
    int64_t start, stop;   /* ranks as given */
    struct score_range scores;
    struct lex_range lex;
};

/* ---- parsing -------------------------------------------------------------------------------- */

enum {                 /* what may be said in options */
       OPT_KIND = 1,   /* BYSCORE, BYLEX, REV */
       OPT_SCORES = 2, /* WITHSCORES */
};

/* The option at *i (moved to its last argument). False: replied. */
static bool range_option(struct call *c, uint32_t *i, unsigned allowed, struct zrange *o)
{
    struct slice name = c->argv[*i];
    bool kind = allowed & OPT_KIND;
    if ((allowed & OPT_SCORES) && slice_is(name, "WITHSCORES")) {
        o->with_scores = true;
    } else if (slice_is(name, "LIMIT") && c->argc - *i > 2) {
        if (!call_i64(c, *i + 1, &o->offset) || !call_i64(c, *i + 2, &o->count)) return false;
        *i += 2;
    } else if (kind && slice_is(name, "REV")) {
        o->rev = true;
    } else if (kind && o->by == BY_RANK && slice_is(name, "BYLEX")) {
        o->by = BY_LEX;
    } else if (kind && o->by == BY_RANK && slice_is(name, "BYSCORE")) {
        o->by = BY_SCORE;
    } else {
        call_syntax_error(c);
        return false;
    }
    return true;
}

/* The bounds at arguments `at` and the next, the higher one first when o->rev and not ranks. */
static bool range_bounds(struct call *c, uint32_t at, struct zrange *o)
{
    struct slice first = c->argv[at], second = c->argv[at + 1];
    struct slice min = o->rev ? second : first, max = o->rev ? first : second;
    switch (o->by) {
    case BY_SCORE: return score_range_parse(c, min, max, &o->scores);
    case BY_LEX: return lex_range_parse(c, min, max, &o->lex);
    default: return call_i64(c, at, &o->start) && call_i64(c, at + 1, &o->stop);
    }
}

/* "key first second [options]" with the key at argument `at`. */
static bool range_parse(struct call *c, uint32_t at, unsigned allowed, struct zrange *o)
{
    o->count = -1;
    for (uint32_t i = at + 3; i < c->argc; i++) {
        if (!range_option(c, &i, allowed, o)) return false;
    }
    const char *error = NULL;
    if (o->count != -1 && o->by == BY_RANK) {
        error = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or "
                "BYLEX";
    } else if (o->with_scores && o->by == BY_LEX) {
        error = "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
    }
    if (error) {
        reply_error(c->r, error);
        return false;
    }
    return range_bounds(c, at + 1, o);
}

/* ---- windows -------------------------------------------------------------------------------- */

/* Ranks as Redis takes them, negative ones from the end, clamped to n: the first, and how many. */
static size_t clamp(int64_t start, int64_t stop, size_t n, size_t *first)
{
    int64_t len = (int64_t)n;
    if (start < 0) start += len;
    if (stop < 0) stop += len;
    if (start < 0) start = 0;
    if (stop >= len) stop = len - 1;
    *first = (size_t)start;
    return start > stop ? 0 : (size_t)(stop - start + 1);
}

/* How many members of e the range holds; *rank: of the first, counted from the end that it begins
 * at. */
static size_t window(const struct entry *e, const struct zrange *o, size_t *rank)
{
    size_t len = zset_len(e), n;
    if (o->by == BY_RANK) return clamp(o->start, o->stop, len, rank);
    n = o->by == BY_SCORE ? zset_window_score(e, &o->scores, rank)
                          : zset_window_lex(e, &o->lex, rank);
    if (o->rev) *rank = len - *rank - n;
    if (o->offset < 0 || (size_t)o->offset >= n) return 0;
    *rank += (size_t)o->offset;
    n -= (size_t)o->offset;
    return o->count < 0 ? n : MIN(n, (size_t)o->count);
}

/* ---- ranges replied and stored -------------------------------------------------------------- */

static void reply_window(struct call *c, const struct entry *e, const struct zrange *o)
{
    struct zset_iter it;
    struct slice member;
    double score = 0, *wanted = o->with_scores ? &score : NULL;
    size_t rank, n = window(e, o, &rank);
    zset_reply_header(c->r, n, o->with_scores);
    if (n == 0) return;
    zset_seek_rank(e, rank, o->rev, &it);
    for (size_t i = 0; i < n; i++) {
        zset_at(&it, &member, wanted);
        zset_reply_member(c->r, member, score, o->with_scores);
        zset_step(&it);
    }
}

static void range(struct call *c, unsigned allowed, struct zrange *o)
{
    bool wrong = false;
    if (!range_parse(c, 1, allowed, o)) return;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_ZSET, &wrong);
    if (slot) {
        reply_window(c, *slot, o);
    } else if (!wrong) {
        reply_empty_array(c->r);
    }
}

void zrange_command(struct call *c)
{
    range(c, OPT_KIND | OPT_SCORES, &(struct zrange){.by = BY_RANK});
}

void zrevrange_command(struct call *c)
{
    range(c, OPT_SCORES, &(struct zrange){.by = BY_RANK, .rev = true});
}

void zrangebyscore_command(struct call *c)
{
    range(c, OPT_SCORES, &(struct zrange){.by = BY_SCORE});
}

void zrevrangebyscore_command(struct call *c)
{
    range(c, OPT_SCORES, &(struct zrange){.by = BY_SCORE, .rev = true});
}

void zrangebylex_command(struct call *c)
{
    range(c, OPT_SCORES, &(struct zrange){.by = BY_LEX});
}

void zrevrangebylex_command(struct call *c)
{
    range(c, OPT_SCORES, &(struct zrange){.by = BY_LEX, .rev = true});
}

/* The window of a set as a new set. */
static struct entry *copy_window(struct slice key, const struct entry *e, const struct zrange *o)
{
    struct zset_iter it;
    struct slice member;
    double score;
    size_t rank, n = window(e, o, &rank);
    struct entry *copy = entry_new_zset(key);
    if (n > 0) zset_seek_rank(e, rank, o->rev, &it);
    zset_expect(copy, n, 0);
    for (size_t i = 0; i < n; i++) {
        zset_at(&it, &member, &score);
        zset_add(copy, member, score);
        zset_step(&it);
    }
    return copy;
}

void zrangestore_command(struct call *c)
{
    const struct key *to = &c->keys[0];
    struct zrange o = {.by = BY_RANK};
    bool wrong = false;
    if (!range_parse(c, 2, OPT_KIND, &o)) return;
    struct entry **slot = call_find_type(c, &c->keys[1], TYPE_ZSET, &wrong);
    if (!wrong) zset_store(c, to, slot ? copy_window(to->s, *slot, &o) : NULL, "zrangestore");
}

/* ---- counting and removing ------------------------------------------------------------------ */

static void count(struct call *c, enum range_by by)
{
    struct zrange o = {.by = by, .count = -1};
    size_t rank;
    bool wrong = false;
    if (!range_bounds(c, 2, &o)) return;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_ZSET, &wrong);
    if (!wrong) reply_int(c->r, slot ? (int64_t)window(*slot, &o, &rank) : 0);
}

void zcount_command(struct call *c)
{
    count(c, BY_SCORE);
}

void zlexcount_command(struct call *c)
{
    count(c, BY_LEX);
}

/* Removes members from this rank on. Where those are all, the key goes as it is, which frees them
 * in the background. */
static void remove_window(struct call *c, struct entry **slot, size_t rank, size_t n,
                          const char *event)
{
    const struct key *k = &c->keys[0];
    bool all = n == zset_len(*slot);
    if (!all) zset_remove_range_rank(*slot, rank, n);
    c->dirty += (uint32_t)n - 1;
    call_changed(c, k, 'z', event);
    if (!all) return;
    ks_delete(call_part(c, k), c->db, k, slot, true);
    call_touched(c, k, 'g', "del");
}

static void remove_range(struct call *c, enum range_by by, const char *event)
{
    struct zrange o = {.by = by, .count = -1};
    size_t rank, n = 0;
    bool wrong = false;
    if (!range_bounds(c, 2, &o)) return;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_ZSET, &wrong);
    if (wrong) return;
    if (slot) n = window(*slot, &o, &rank);
    if (n) remove_window(c, slot, rank, n, event);
    reply_int(c->r, (int64_t)n);
}

void zremrangebyrank_command(struct call *c)
{
    remove_range(c, BY_RANK, "zremrangebyrank");
}

void zremrangebyscore_command(struct call *c)
{
    remove_range(c, BY_SCORE, "zremrangebyscore");
}

void zremrangebylex_command(struct call *c)
{
    remove_range(c, BY_LEX, "zremrangebylex");
}
