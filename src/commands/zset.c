/*
 * zset.c - sorted sets: adding, removing and asking by member. Ranges are in zset_range.c, the
 * declarations in zset_table.c.
 *
 * Invariant: no key holds an empty sorted set.
 */
#include "commands/zset_internal.h"

#include <math.h>
#include <stdlib.h>

/* ---- what the family shares ----------------------------------------------------------------- */

/* As num_parse_double(), and what else strtod() takes, as Redis has it here: nothing at all (0),
 * blanks in front, numbers that are too large (infinite) or too small (0). */
static bool parse_bound(struct slice s, double *out)
{
    char text[64], *end;
    if (num_parse_double(s, out)) return true;
    if (s.n >= sizeof text) return false;
    if (s.n) memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *out = strtod(text, &end);
    return *end == '\0' && !isnan(*out);
}

/* A float with "(" before it if the bound itself is out. */
static bool score_bound(struct slice s, double *score, bool *open)
{
    *open = s.n > 0 && *s.p == '(';
    if (*open) s = slice_of(s.p + 1, s.n - 1);
    return parse_bound(s, score);
}

bool score_range_parse(struct call *c, struct slice min, struct slice max,
                       struct score_range *range)
{
    if (score_bound(min, &range->min, &range->min_open) &&
        score_bound(max, &range->max, &range->max_open)) {
        return true;
    }
    reply_error(c->r, "ERR min or max is not a float");
    return false;
}

static bool lex_bound(struct slice s, struct lex_bound *b)
{
    if (s.n == 0) return false;
    *b = (struct lex_bound){LEX_MEMBER, *s.p != '[', slice_of(s.p + 1, s.n - 1)};
    if (*s.p == '[' || *s.p == '(') return true;
    b->kind = *s.p == '+' ? LEX_HIGHEST : LEX_LOWEST;
    return s.n == 1 && (*s.p == '+' || *s.p == '-');
}

bool lex_range_parse(struct call *c, struct slice min, struct slice max, struct lex_range *range)
{
    if (lex_bound(min, &range->min) && lex_bound(max, &range->max)) return true;
    reply_error(c->r, "ERR min or max not valid string range item");
    return false;
}

struct entry *zset_for_write(struct call *c, const struct key *k)
{
    bool wrong = false;
    struct entry **slot = call_find_type(c, k, TYPE_ZSET, &wrong);
    if (LIKELY(slot != NULL)) return *slot;
    if (wrong) return NULL;
    struct entry *e = *ks_add(call_part(c, k), c->db, k, entry_new_zset(k->s));
    call_ready(c, k);
    return e;
}

void zset_removed(struct call *c, const struct key *k, struct entry **slot)
{
    if (zset_len(*slot) > 0) return;
    ks_delete(call_part(c, k), c->db, k, slot, false);
    call_touched(c, k, 'g', "del");
}

static void store_nothing(struct call *c, const struct key *k)
{
    struct entry **slot = call_find(c, k, KS_NO_TOUCH);
    if (slot) {
        ks_delete(call_part(c, k), c->db, k, slot, true);
        call_changed(c, k, 'g', "del");
    }
    reply_zero(c->r);
}

void zset_store(struct call *c, const struct key *k, struct entry *e, const char *event)
{
    size_t n = e ? zset_len(e) : 0;
    if (n == 0) {
        if (e) entry_free(e);
        store_nothing(c, k);
        return;
    }
    struct entry **slot = call_find(c, k, KS_NO_TOUCH);
    if (slot) {
        ks_replace(call_part(c, k), c->db, k, slot, e);
    } else {
        ks_add(call_part(c, k), c->db, k, e);
    }
    call_ready(c, k);
    call_changed(c, k, 'z', event);
    reply_int(c->r, (int64_t)n);
}

void zset_reply_header(struct reply *r, size_t n, bool with_scores)
{
    reply_array(r, with_scores && r->resp == 2 ? n * 2 : n);
}

void zset_reply_member(struct reply *r, struct slice member, double score, bool with_scores)
{
    if (with_scores && r->resp != 2) reply_array(r, 2);
    reply_bulk(r, member);
    if (with_scores) reply_double(r, score);
}

/* ---- adding --------------------------------------------------------------------------------- */

#define FEW 16

struct zadd {
    unsigned flags;
    bool changed;   /* CH: reply what was changed too */
    uint32_t first; /* the argument with the first score */
    size_t n;       /* pairs */
    double *scores, few[FEW];
};

static void zadd_options(struct call *c, struct zadd *z)
{
    static const struct {
        const char *name;
        unsigned flag;
    } options[] = {{"NX", ZSET_NX}, {"XX", ZSET_XX},     {"GT", ZSET_GT},
                   {"LT", ZSET_LT}, {"INCR", ZSET_INCR}, {"CH", 0}};
    for (z->first = 2; z->first < c->argc; z->first++) {
        struct slice s = c->argv[z->first];
        size_t i = 0;
        if (s.n < 2 || s.n > 4 || *s.p <= '9') return; /* a number, mostly */
        while (i < ARRAY_LEN(options) && !slice_is(s, options[i].name))
            i++;
        if (i == ARRAY_LEN(options)) return;
        z->flags |= options[i].flag;
        z->changed |= options[i].flag == 0;
    }
}

static const char *zadd_conflict(const struct zadd *z)
{
    bool nx = z->flags & ZSET_NX, xx = z->flags & ZSET_XX;
    bool gt = z->flags & ZSET_GT, lt = z->flags & ZSET_LT;
    if (nx && xx) return "ERR XX and NX options at the same time are not compatible";
    if ((gt && nx) || (lt && nx) || (gt && lt))
        return "ERR GT, LT, and/or NX options at the same time are not compatible";
    if ((z->flags & ZSET_INCR) && z->n > 1)
        return "ERR INCR option supports a single increment-element pair";
    return NULL;
}

/* False: an error was replied. Otherwise zadd_free() is to follow. */
static bool zadd_parse(struct call *c, struct zadd *z)
{
    zadd_options(c, z);
    size_t rest = c->argc - z->first;
    if (rest == 0 || rest % 2) {
        call_syntax_error(c);
        return false;
    }
    z->n = rest / 2;
    const char *conflict = zadd_conflict(z);
    if (conflict) {
        reply_error(c->r, conflict);
        return false;
    }
    z->scores = z->n <= FEW ? z->few : mem_alloc(z->n * sizeof *z->scores);
    for (size_t i = 0; i < z->n; i++) {
        if (zset_score_arg(c, z->first + (uint32_t)i * 2, &z->scores[i])) continue;
        if (z->scores != z->few) mem_free(z->scores);
        return false;
    }
    return true;
}

static void zadd_free(struct zadd *z)
{
    if (z->scores != z->few) mem_free(z->scores);
}

/* Adds all; *last: the score of the last, if it was not skipped (*done). False: NaN, replied. */
static bool zadd_all(struct call *c, struct entry *e, const struct zadd *z, size_t *added,
                     size_t *updated, bool *done)
{
    for (size_t i = 0; i < z->n; i++) {
        struct slice member = c->argv[z->first + 1 + i * 2];
        enum zset_result r = zset_put(e, member, &z->scores[i], z->flags);
        if (r == ZSET_NAN) {
            reply_error(c->r, "ERR resulting score is not a number (NaN)");
            return false;
        }
        *added += r == ZSET_ADDED;
        *updated += r == ZSET_UPDATED;
        *done = r != ZSET_SKIPPED;
    }
    return true;
}

static void zadd_reply(struct call *c, const struct zadd *z, size_t added, size_t updated,
                       bool done)
{
    if (!(z->flags & ZSET_INCR)) {
        reply_int(c->r, (int64_t)(z->changed ? added + updated : added));
    } else if (done) {
        reply_double(c->r, z->scores[0]);
    } else {
        reply_null(c->r);
    }
}

static void zadd_to(struct call *c, const struct key *k, struct zadd *z)
{
    size_t added = 0, updated = 0;
    bool done = false, wrong = false;
    struct entry **slot = call_find_type(c, k, TYPE_ZSET, &wrong);
    if (wrong) return;
    if (!slot && (z->flags & ZSET_XX)) {
        zadd_reply(c, z, 0, 0, false);
        return;
    }
    struct entry *e = slot ? *slot : zset_for_write(c, k);
    zset_expect(e, z->n, c->argv[z->first + 1].n);
    if (!zadd_all(c, e, z, &added, &updated, &done)) return;
    if (added + updated > 0) {
        c->dirty += (uint32_t)(added + updated - 1);
        call_changed(c, k, 'z', z->flags & ZSET_INCR ? "zincr" : "zadd");
    }
    zadd_reply(c, z, added, updated, done);
}

void zadd_command(struct call *c)
{
    struct zadd z = {.flags = 0};
    if (!zadd_parse(c, &z)) return;
    zadd_to(c, &c->keys[0], &z);
    zadd_free(&z);
}

void zincrby_command(struct call *c)
{
    struct zadd z = {.flags = ZSET_INCR};
    if (!zadd_parse(c, &z)) return;
    zadd_to(c, &c->keys[0], &z);
    zadd_free(&z);
}

/* ---- removing ------------------------------------------------------------------------------- */

void zrem_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    uint32_t removed = 0;
    bool wrong = false;
    struct entry **slot = call_find_type(c, k, TYPE_ZSET, &wrong);
    if (!slot) {
        if (!wrong) reply_zero(c->r);
        return;
    }
    for (uint32_t i = 2; i < c->argc && zset_len(*slot) > 0; i++)
        removed += zset_remove(*slot, c->argv[i]);
    if (removed) {
        c->dirty += removed - 1;
        call_changed(c, k, 'z', "zrem");
        zset_removed(c, k, slot);
    }
    reply_int(c->r, removed);
}

/* ---- asking --------------------------------------------------------------------------------- */

void zcard_command(struct call *c)
{
    bool wrong = false;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_ZSET, &wrong);
    if (!wrong) reply_int(c->r, slot ? (int64_t)zset_len(*slot) : 0);
}

static void reply_score(struct call *c, struct entry **slot, struct slice member)
{
    double score;
    if (slot && zset_score(*slot, member, &score)) {
        reply_double(c->r, score);
    } else {
        reply_null(c->r);
    }
}

void zscore_command(struct call *c)
{
    bool wrong = false;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_ZSET, &wrong);
    if (!wrong) reply_score(c, slot, c->argv[2]);
}

void zmscore_command(struct call *c)
{
    bool wrong = false;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_ZSET, &wrong);
    if (wrong) return;
    reply_array(c->r, c->argc - 2);
    for (uint32_t i = 2; i < c->argc; i++)
        reply_score(c, slot, c->argv[i]);
}

static void rank(struct call *c, bool rev)
{
    size_t at;
    double score;
    bool with_score = c->argc == 4, wrong = false;
    if (c->argc > 4) {
        call_wrong_arity(c);
        return;
    }
    if (with_score && !slice_is(c->argv[3], "WITHSCORE")) {
        call_syntax_error(c);
        return;
    }
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_ZSET, &wrong);
    if (wrong) return;
    if (!slot || !zset_rank(*slot, c->argv[2], rev, &at, &score)) {
        with_score ? reply_null_array(c->r) : reply_null(c->r);
        return;
    }
    if (with_score) reply_array(c->r, 2);
    reply_int(c->r, (int64_t)at);
    if (with_score) reply_double(c->r, score);
}

void zrank_command(struct call *c)
{
    rank(c, false);
}

void zrevrank_command(struct call *c)
{
    rank(c, true);
}
