/*
 * set_random.c - random members: SPOP takes them out, SRANDMEMBER does not.
 *
 * Three ways to choose `count` of `size` members, each set of them as likely as any other:
 *   draw one after another              few of many
 *   one pass over all of them, each     many; a listpack, in which drawing is a walk, too
 *   taken with the chance (still wanted) / (still to come)
 *   draw those that stay                SPOP of nearly all of a large set
 */
#include "commands/set_internal.h"

#define NOT_POSITIVE "value is out of range, must be positive"
#define KEEP_RATIO   5 /* SPOP leaves less than 1 / KEEP_RATIO of what it takes: draw what stays */
#define PASS_RATIO   3 /* SRANDMEMBER wants more than 1 / PASS_RATIO: one pass */

/* In a pass: is this one of the `want` that are to be chosen among the `left` to come? */
static bool choose(size_t *want, size_t *left)
{
    bool chosen = rand_below(*left) < *want;
    --*left;
    *want -= chosen;
    return chosen;
}

/* ---- SPOP ----------------------------------------------------------------------------------- */

static void pop_one(struct call *c, struct entry *e)
{
    char tmp[NUM_I64_MAX];
    struct slice member;
    set_random(e, &member, tmp);
    reply_bulk(c->r, member);
    set_remove(e, member);
}

static void pop_from_listpack(struct call *c, struct entry *e, size_t count)
{
    char tmp[NUM_I64_MAX];
    lp *l = e->v.ptr;
    size_t left = lp_count(l), pos = lp_first(l);
    while (count) {
        if (choose(&count, &left)) {
            reply_bulk(c->r, lp_slice(l, pos, tmp));
            l = lp_delete(l, &pos);
        } else {
            pos = lp_next(l, pos);
        }
    }
    e->v.ptr = l;
}

/* Draws what stays into a new entry; the old one holds what was popped. */
static void pop_most(struct call *c, const struct key *k, struct entry **slot, size_t keep)
{
    char tmp[NUM_I64_MAX];
    struct slice member;
    struct entry *old = *slot;
    struct entry *stay = old->enc == ENC_HASHTABLE
                             ? entry_new(k->s, TYPE_SET, ENC_LISTPACK, lp_new(0), ENTRY_NO_EXPIRE)
                             : entry_new_set(k->s);
    for (; keep; keep--) {
        set_random(old, &member, tmp);
        set_add(stay, member);
        set_remove(old, member);
    }
    set_reply_all(c, old);
    /* The entry keeps its key, expiry and access time: the two swap their values. */
    enum value_enc enc = old->enc;
    void *value = old->v.ptr;
    old->enc = stay->enc;
    old->v.ptr = stay->v.ptr;
    stay->enc = enc;
    stay->v.ptr = value;
    ks_free_later(stay);
}

static void pop_some(struct call *c, const struct key *k, struct entry **slot, size_t count)
{
    struct entry *e = *slot;
    size_t keep = set_len(e) - count;
    reply_set(c->r, count);
    if (e->enc == ENC_LISTPACK) {
        pop_from_listpack(c, e, count);
    } else if (keep * KEEP_RATIO > count) {
        while (count--)
            pop_one(c, e);
    } else {
        pop_most(c, k, slot, keep);
    }
}

static void pop_all(struct call *c, const struct key *k, struct entry **slot)
{
    reply_set(c->r, set_len(*slot));
    set_reply_all(c, *slot);
    ks_delete(call_part(c, k), c->db, k, slot, true);
    call_touched(c, k, 'g', "del");
}

static void pop_many(struct call *c)
{
    const struct key *k = &c->keys[0];
    int64_t count;
    bool wrong = false;
    if (!call_i64_range(c, 2, 0, INT64_MAX, &count, NOT_POSITIVE)) return;
    struct entry **slot = call_find_type(c, k, TYPE_SET, &wrong);
    if (wrong) return;
    if (!slot || count == 0) {
        reply_set(c->r, 0);
        return;
    }
    size_t n = MIN((size_t)count, set_len(*slot));
    c->dirty += (uint32_t)n - 1;
    call_changed(c, k, 's', "spop");
    if (n == set_len(*slot))
        pop_all(c, k, slot);
    else
        pop_some(c, k, slot, n);
}

void spop_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    bool wrong = false;
    if (c->argc == 3) {
        pop_many(c);
        return;
    }
    if (c->argc > 3) {
        call_syntax_error(c);
        return;
    }
    struct entry **slot = call_find_type(c, k, TYPE_SET, &wrong);
    if (!slot) {
        if (!wrong) reply_null(c->r);
        return;
    }
    pop_one(c, *slot);
    call_changed(c, k, 's', "spop");
    if (set_len(*slot) == 0) set_delete_empty(c, k, slot);
}

/* ---- SRANDMEMBER ---------------------------------------------------------------------------- */

static void reply_random(struct call *c, const struct entry *e)
{
    char tmp[NUM_I64_MAX];
    struct slice member;
    set_random(e, &member, tmp);
    reply_bulk(c->r, member);
}

static void reply_in_one_pass(struct call *c, const struct entry *e, size_t count)
{
    struct set_iter it;
    struct slice member;
    size_t left = set_len(e);
    set_first(e, &it);
    while (count && set_next(&it, &member)) {
        if (choose(&count, &left)) reply_bulk(c->r, member);
    }
}

/* Draws until `count` different ones have been met. */
static void reply_drawn(struct call *c, const struct entry *e, size_t count)
{
    char tmp[NUM_I64_MAX];
    struct slice member;
    struct entry *met = entry_new_set(SLICE(""));
    set_before_add(met, SLICE(""), set_limits.max_listpack_entries + 1);
    while (count) {
        set_random(e, &member, tmp);
        if (!set_add(met, member)) continue;
        reply_bulk(c->r, member);
        count--;
    }
    ks_free_later(met);
}

static void reply_different(struct call *c, const struct entry *e, size_t count)
{
    size_t size = set_len(e);
    reply_array(c->r, MIN(count, size));
    if (count >= size) {
        set_reply_all(c, e);
    } else if (e->enc == ENC_LISTPACK || count > size / PASS_RATIO) {
        reply_in_one_pass(c, e, count);
    } else {
        reply_drawn(c, e, count);
    }
}

static void random_many(struct call *c)
{
    int64_t count;
    bool wrong = false;
    if (!call_i64_range(c, 2, -INT64_MAX, INT64_MAX, &count, NULL)) return;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_SET, &wrong);
    if (wrong) return;
    if (!slot || count == 0) {
        reply_empty_array(c->r);
    } else if (count > 0) {
        reply_different(c, *slot, (size_t)count);
    } else {
        reply_array(c->r, (size_t)-count);
        for (; count < 0 && !call_reply_too_long(c->r); count++)
            reply_random(c, *slot);
    }
}

void srandmember_command(struct call *c)
{
    bool wrong = false;
    if (c->argc == 3) {
        random_many(c);
        return;
    }
    if (c->argc > 3) {
        call_syntax_error(c);
        return;
    }
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_SET, &wrong);
    if (slot) {
        reply_random(c, *slot);
    } else if (!wrong) {
        reply_null(c->r);
    }
}
