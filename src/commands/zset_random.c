/*
 * zset_random.c - sorted sets: random members, and walking in steps.
 *
 * Members are drawn by their rank. Distinct ones: when many are asked for, the set is walked once
 * and each member is taken with the probability that leaves the right number; else ranks are drawn
 * until enough different ones are there.
 */
#include "commands/collection_scan.h"
#include "commands/zset_more_internal.h"

#define SPARSE 3 /* fewer than a third of the members: draw, else walk */

struct draw {
    struct reply *r;
    const struct entry *e;
    bool with_scores;
};

/* ---- ZRANDMEMBER ---------------------------------------------------------------------------- */

static void reply_rank(const struct draw *d, size_t rank)
{
    struct zset_iter it;
    struct slice member;
    double score;
    zset_seek_rank(d->e, rank, false, &it);
    zset_at(&it, &member, &score);
    zset_reply_member(d->r, member, score, d->with_scores);
}

static void draw_any(const struct draw *d, size_t n)
{
    size_t len = zset_len(d->e);
    while (n-- > 0 && !call_reply_too_long(d->r))
        reply_rank(d, rand_below(len));
}

/* Each member that is met is taken with the probability wanted / left. */
static void draw_walking(const struct draw *d, size_t wanted)
{
    struct zset_iter it;
    struct slice member;
    double score;
    size_t left = zset_len(d->e);
    bool more = zset_seek_rank(d->e, 0, false, &it);
    for (; wanted > 0 && more; left--, more = zset_step(&it)) {
        if (wanted < left && rand_below(left) >= wanted) continue;
        zset_at(&it, &member, &score);
        zset_reply_member(d->r, member, score, d->with_scores);
        wanted--;
    }
}

/* Ranks drawn so far, in open addressing; 0: free. */
struct drawn {
    uint64_t *slots;
    size_t mask;
};

static bool drawn_enter(struct drawn *seen, size_t rank)
{
    uint64_t word = (uint64_t)rank + 1;
    size_t at = (word * 0x9e3779b97f4a7c15u >> 32) & seen->mask;
    for (; seen->slots[at]; at = (at + 1) & seen->mask) {
        if (seen->slots[at] == word) return false;
    }
    seen->slots[at] = word;
    return true;
}

static void draw_distinct(const struct draw *d, size_t wanted)
{
    size_t len = zset_len(d->e), size = 16;
    while (size < 2 * wanted)
        size *= 2;
    struct drawn seen = {mem_calloc(size * sizeof(uint64_t)), size - 1};
    while (wanted > 0) {
        size_t rank = rand_below(len);
        if (!drawn_enter(&seen, rank)) continue;
        reply_rank(d, rank);
        wanted--;
    }
    mem_free(seen.slots);
}

static void draw_many(struct call *c, const struct entry *e, int64_t count, bool with_scores)
{
    struct draw d = {c->r, e, with_scores};
    size_t len = zset_len(e), n = count < 0 ? (size_t)-count : MIN((size_t)count, len);
    zset_reply_header(c->r, n, with_scores);
    if (count < 0) {
        draw_any(&d, n);
    } else if (n * SPARSE < len) {
        draw_distinct(&d, n);
    } else {
        draw_walking(&d, n);
    }
}

static bool parse_count(struct call *c, int64_t *count, bool *with_scores)
{
    if (!call_i64_range(c, 2, -INT64_MAX, INT64_MAX, count, NULL)) return false;
    if (c->argc == 3) return true;
    if (c->argc > 4 || !slice_is(c->argv[3], "WITHSCORES")) {
        call_syntax_error(c);
        return false;
    }
    *with_scores = true;
    if (*count >= -INT64_MAX / 2 && *count <= INT64_MAX / 2) return true;
    reply_error(c->r, "ERR value is out of range");
    return false;
}

void zrandmember_command(struct call *c)
{
    int64_t count = 0;
    bool with_scores = false, wrong = false, many = c->argc > 2;
    if (many && !parse_count(c, &count, &with_scores)) return;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_ZSET, &wrong);
    if (wrong) return;
    if (!slot && !many) {
        reply_null(c->r);
    } else if (!slot || (many && count == 0)) {
        reply_empty_array(c->r);
    } else if (many) {
        draw_many(c, *slot, count, with_scores);
    } else {
        struct draw d = {c->r, *slot, false};
        draw_any(&d, 1);
    }
}

/* ---- ZSCAN ---------------------------------------------------------------------------------- */

struct step {
    struct collection_scan *s;
    struct members found; /* they follow the next cursor */
};

static void visit(void *arg, struct slice member, double score)
{
    struct step *step = arg;
    if (!collection_scan_wants(step->s, member)) return;
    members_add(&step->found, members_keep(&step->found, member), score);
}

static void add_pair(struct collection_scan *s, const struct member *found)
{
    char text[NUM_DOUBLE_MAX];
    collection_scan_add(s, found->s);
    collection_scan_add(s, slice_of(text, num_fmt_double(text, found->score)));
}

void zscan_command(struct call *c)
{
    struct collection_scan s;
    struct step step = {.s = &s};
    struct entry *e = collection_scan_begin(c, TYPE_ZSET, &s);
    if (!e) return;
    uint64_t next = zset_scan(e, s.cursor, (size_t)s.count, visit, &step);
    collection_scan_open(&s, next);
    for (size_t i = 0; i < step.found.n; i++)
        add_pair(&s, &step.found.items[i]);
    collection_scan_close(&s);
    members_free(&step.found);
}
