/*
 * zset_pop.c - sorted sets: taking the members with the lowest or highest scores, and waiting for
 * them. Waiting is as with lists: a plan is left behind, and who fills a key carries it out.
 *
 * Replies, for n members:
 *   ZPOPMIN key         RESP2 and 3   [member, score]
 *   ZPOPMIN key n       RESP2         [member, score, ...]       RESP3  [[member, score], ...]
 *   BZPOPMIN key ...    RESP2 and 3   [key, member, score]
 *   ZMPOP, BZMPOP       RESP2 and 3   [key, [[member, score], ...]]
 */
#include "commands/zset_more_internal.h"

struct plan {
    bool max;   /* the highest scores first */
    bool pairs; /* each member with its score is an array of its own */
    bool keyed; /* the name of the key comes first */
    size_t count;
};

/* ---- taking members out --------------------------------------------------------------------- */

static void reply_header(struct reply *r, const struct plan *plan, const struct key *k, size_t n)
{
    if (!plan->keyed) {
        reply_array(r, plan->pairs ? n : 2 * n);
        return;
    }
    reply_array(r, plan->pairs ? 2 : 2 * n + 1);
    reply_bulk(r, k->s);
    if (plan->pairs) reply_array(r, n);
}

/* n > 0 */
static void reply_first(struct reply *r, const struct plan *plan, const struct entry *e, size_t n)
{
    struct zset_iter it;
    struct slice member;
    double score;
    zset_seek_rank(e, 0, plan->max, &it);
    for (size_t i = 0; i < n; i++) {
        if (i) zset_step(&it);
        zset_at(&it, &member, &score);
        if (plan->pairs) reply_array(r, 2);
        reply_bulk(r, member);
        reply_double(r, score);
    }
}

/* Carries the plan out on a key that holds a sorted set. */
static void carry_out(struct call *c, const void *arg, const struct key *k, struct entry **slot)
{
    const struct plan *plan = arg;
    size_t len = zset_len(*slot), n = MIN(len, plan->count);
    if (n == 0) {
        reply_empty_array(c->r);
        return;
    }
    reply_header(c->r, plan, k, n);
    reply_first(c->r, plan, *slot, n);
    zset_remove_range_rank(*slot, plan->max ? len - n : 0, n);
    c->dirty += (uint32_t)n - 1;
    call_changed(c, k, 'z', plan->max ? "zpopmax" : "zpopmin");
    zset_removed(c, k, slot);
}

static void pop(struct call *c, bool max)
{
    struct plan plan = {.max = max, .count = 1};
    int64_t count;
    bool wrong = false;
    if (c->argc > 3) {
        call_syntax_error(c);
        return;
    }
    if (c->argc == 3) {
        if (!call_i64_range(c, 2, 0, INT64_MAX, &count,
                            "value is out of range, must be positive")) {
            return;
        }
        plan.count = (size_t)count;
        plan.pairs = c->r->resp > 2;
    }
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_ZSET, &wrong);
    if (slot) {
        carry_out(c, &plan, &c->keys[0], slot);
    } else if (!wrong) {
        reply_empty_array(c->r);
    }
}

void zpopmin_command(struct call *c)
{
    pop(c, false);
}

void zpopmax_command(struct call *c)
{
    pop(c, true);
}

/* ---- one of several keys -------------------------------------------------------------------- */

static bool parse_mpop(struct call *c, uint32_t at, uint32_t *nkeys, struct plan *plan)
{
    struct mpop_args args;
    if (!call_mpop_args(c, at, "MIN", "MAX", &args)) return false;
    *nkeys = args.nkeys;
    *plan = (struct plan){.max = args.second, .pairs = true, .keyed = true, .count = args.count};
    return true;
}

void zmpop_command(struct call *c)
{
    struct plan plan = {0};
    const struct key *k = NULL;
    uint32_t nkeys;
    bool wrong = false;
    if (!parse_mpop(c, 1, &nkeys, &plan)) return;
    struct entry **slot = call_first_of(c, nkeys, TYPE_ZSET, &k, &wrong);
    if (slot) {
        carry_out(c, &plan, k, slot);
    } else if (!wrong) {
        reply_null_array(c->r);
    }
}

/* ---- waiting -------------------------------------------------------------------------------- */

static bool serve(struct waiter *w, struct part *p, const struct key *k, int64_t now_ms)
{
    return waiter_serve(w, p, k, now_ms, carry_out);
}

static void wait_for(struct call *c, const struct plan *plan, uint32_t nkeys, int64_t deadline_ms)
{
    struct plan *kept = mem_dup(plan, sizeof *plan);
    struct block_request req = {.keys = c->keys,
                                .nkeys = nkeys,
                                .type = TYPE_ZSET,
                                .deadline_ms = deadline_ms,
                                .serve = serve,
                                .on_timeout = reply_null_array,
                                .arg = kept,
                                .free_arg = mem_free};
    if (!call_block(c, &req)) {
        mem_free(kept);
        reply_null_array(c->r);
    }
}

static void pop_or_wait(struct call *c, const struct plan *plan, uint32_t nkeys,
                        int64_t deadline_ms)
{
    const struct key *k = NULL;
    bool wrong = false;
    struct entry **slot = call_first_of(c, nkeys, TYPE_ZSET, &k, &wrong);
    if (slot) {
        carry_out(c, plan, k, slot);
    } else if (!wrong) {
        wait_for(c, plan, nkeys, deadline_ms);
    }
}

static void blocking_pop(struct call *c, bool max)
{
    struct plan plan = {.max = max, .keyed = true, .count = 1};
    int64_t deadline_ms;
    if (!call_timeout(c, c->argc - 1, &deadline_ms)) return;
    pop_or_wait(c, &plan, c->nkeys, deadline_ms);
}

void bzpopmin_command(struct call *c)
{
    blocking_pop(c, false);
}

void bzpopmax_command(struct call *c)
{
    blocking_pop(c, true);
}

void bzmpop_command(struct call *c)
{
    struct plan plan = {0};
    uint32_t nkeys;
    int64_t deadline_ms;
    if (!parse_mpop(c, 2, &nkeys, &plan) || !call_timeout(c, 1, &deadline_ms)) return;
    pop_or_wait(c, &plan, nkeys, deadline_ms);
}
