/*
 * list_pop.c - lists: taking elements out, moving them, and waiting for them.
 *
 * A blocking command first tries what its plain form does. When no key has anything it leaves a
 * plan behind and waits; whoever fills one of the keys, still owning it, carries the plan out in
 * the waiting client's name (serve), so no third client comes between.
 *
 * A move whose target is of another type fails in the waiting client; the element stays.
 */
#include "commands/list_internal.h"

/* ---- popping -------------------------------------------------------------------------------- */

static const char *pop_event(enum list_end end)
{
    return end == LIST_HEAD ? "lpop" : "rpop";
}

static int64_t end_index(enum list_end end)
{
    return end == LIST_HEAD ? 0 : -1;
}

void list_pop_one(struct call *c, const struct key *k, struct entry **slot, enum list_end end)
{
    struct list_iter it;
    list_seek(*slot, end_index(end), end == LIST_TAIL, &it);
    reply_bulk(c->r, list_at(&it));
    list_erase(&it);
    call_changed(c, k, 'l', pop_event(end));
    list_removed(c, k, slot);
}

void list_pop_many(struct call *c, const struct key *k, struct entry **slot, enum list_end end,
                   size_t count)
{
    struct list_iter it;
    size_t len = list_len(*slot), n = MIN(len, count);
    reply_array(c->r, n);
    if (n == 0) return;
    list_seek(*slot, end_index(end), end == LIST_TAIL, &it);
    for (size_t i = 0; i < n; i++) {
        reply_bulk(c->r, list_at(&it));
        list_step(&it);
    }
    list_erase_range(*slot, end == LIST_HEAD ? 0 : (int64_t)(len - n), n);
    c->dirty += (uint32_t)n - 1;
    call_changed(c, k, 'l', pop_event(end));
    list_removed(c, k, slot);
}

static void pop(struct call *c, enum list_end end)
{
    const struct key *k = &c->keys[0];
    int64_t count = 0;
    bool wrong = false, many = c->argc == 3;
    if (c->argc > 3) {
        reply_errorf(c->r, "ERR wrong number of arguments for '%s' command", c->cmd->full_name);
        return;
    }
    if (many &&
        !call_i64_range(c, 2, 0, INT64_MAX, &count, "value is out of range, must be positive")) {
        return;
    }
    struct entry **slot = call_find_type(c, k, TYPE_LIST, &wrong);
    if (wrong) return;
    if (!slot && many) {
        reply_null_array(c->r);
    } else if (!slot) {
        reply_null(c->r);
    } else if (many) {
        list_pop_many(c, k, slot, end, (size_t)count);
    } else {
        list_pop_one(c, k, slot, end);
    }
}

void lpop_command(struct call *c)
{
    pop(c, LIST_HEAD);
}

void rpop_command(struct call *c)
{
    pop(c, LIST_TAIL);
}

/* ---- moving --------------------------------------------------------------------------------- */

/* Moves one element and replies it. The source is a list; false: the target is none (replied). */
static bool move(struct call *c, const struct key *src, enum list_end from, const struct key *dst,
                 enum list_end to)
{
    struct buf elem = {0};
    bool wrong = false;
    struct entry **slot = call_find_type(c, dst, TYPE_LIST, &wrong);
    if (wrong) return false;
    bool rotate = slice_eq(src->s, dst->s);
    struct entry *target = slot ? *slot : list_create(c, dst);
    struct entry **source = call_find(c, src, KS_NO_STATS);
    list_pop(*source, from, &elem);
    struct slice s = buf_slice(&elem);
    list_before_add(target, &s, 1);
    list_push(target, to, s);
    call_touched(c, dst, 'l', to == LIST_HEAD ? "lpush" : "rpush");
    reply_bulk(c->r, s);
    buf_free(&elem);
    call_changed(c, src, 'l', pop_event(from));
    if (!rotate) list_removed(c, src, source);
    return true;
}

static void try_move(struct call *c, enum list_end from, enum list_end to)
{
    bool wrong = false;
    struct entry **source = call_find_type(c, &c->keys[0], TYPE_LIST, &wrong);
    if (source) {
        move(c, &c->keys[0], from, &c->keys[1], to);
    } else if (!wrong) {
        reply_null(c->r);
    }
}

void lmove_command(struct call *c)
{
    enum list_end from, to;
    if (!list_end_arg(c, 3, &from) || !list_end_arg(c, 4, &to)) return;
    try_move(c, from, to);
}

void rpoplpush_command(struct call *c)
{
    try_move(c, LIST_TAIL, LIST_HEAD);
}

/* ---- plans: what a waiting client wants done ------------------------------------------------- */

enum plan_kind { PLAN_POP, PLAN_POP_MANY, PLAN_MOVE };

struct plan {
    enum plan_kind kind;
    enum list_end from, to;
    size_t count;
    struct key target; /* of a move; its bytes follow in this allocation */
};

/* Carries the plan out on a key that holds a list. */
static void carry_out(struct call *c, const void *arg, const struct key *k, struct entry **slot)
{
    const struct plan *plan = arg;
    switch (plan->kind) {
    case PLAN_POP:
        reply_array(c->r, 2);
        reply_bulk(c->r, k->s);
        list_pop_one(c, k, slot, plan->from);
        break;
    case PLAN_POP_MANY:
        reply_array(c->r, 2);
        reply_bulk(c->r, k->s);
        list_pop_many(c, k, slot, plan->from, plan->count);
        break;
    case PLAN_MOVE: move(c, k, plan->from, &plan->target, plan->to); break;
    }
}

static bool serve(struct waiter *w, struct part *p, const struct key *k, int64_t now_ms)
{
    return waiter_serve(w, p, k, now_ms, carry_out);
}

static void null_array_on_timeout(struct reply *r)
{
    reply_null_array(r);
}

/* Waits for one of the first nkeys keys; deny: the reply when this client may not wait here. */
static void wait_for(struct call *c, const struct plan *plan, uint32_t nkeys, int64_t deadline_ms,
                     void (*deny)(struct reply *r))
{
    size_t extra = plan->kind == PLAN_MOVE ? plan->target.s.n : 0;
    struct plan *kept = mem_alloc(sizeof *kept + extra);
    struct part_set needs = {0};
    *kept = *plan;
    if (plan->kind == PLAN_MOVE) {
        memcpy(kept + 1, plan->target.s.p, extra);
        kept->target.s.p = (const char *)(kept + 1);
        part_set_add(&needs, plan->target.part);
    }
    struct block_request req = {.keys = c->keys,
                                .nkeys = nkeys,
                                .type = TYPE_LIST,
                                .deadline_ms = deadline_ms,
                                .serve = serve,
                                .on_timeout = null_array_on_timeout,
                                .arg = kept,
                                .free_arg = mem_free,
                                .needs = &needs};
    if (!call_block(c, &req)) {
        mem_free(kept);
        deny(c->r);
    }
    part_set_free(&needs);
}

static void pop_or_wait(struct call *c, const struct plan *plan, uint32_t nkeys,
                        int64_t deadline_ms)
{
    const struct key *k = NULL;
    bool wrong = false;
    struct entry **slot = call_first_of(c, nkeys, TYPE_LIST, &k, &wrong);
    if (slot) {
        carry_out(c, plan, k, slot);
    } else if (!wrong) {
        wait_for(c, plan, nkeys, deadline_ms, reply_null_array);
    }
}

/* ---- blocking commands ----------------------------------------------------------------------- */

static void blocking_pop(struct call *c, enum list_end end)
{
    struct plan plan = {.kind = PLAN_POP, .from = end};
    int64_t deadline_ms;
    if (!call_timeout(c, c->argc - 1, &deadline_ms)) return;
    pop_or_wait(c, &plan, c->nkeys, deadline_ms);
}

void blpop_command(struct call *c)
{
    blocking_pop(c, LIST_HEAD);
}

void brpop_command(struct call *c)
{
    blocking_pop(c, LIST_TAIL);
}

static void move_or_wait(struct call *c, enum list_end from, enum list_end to, int64_t deadline_ms)
{
    struct plan plan = {.kind = PLAN_MOVE, .from = from, .to = to, .target = c->keys[1]};
    bool wrong = false;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_LIST, &wrong);
    if (slot) {
        carry_out(c, &plan, &c->keys[0], slot);
    } else if (!wrong) {
        wait_for(c, &plan, 1, deadline_ms, reply_null);
    }
}

void blmove_command(struct call *c)
{
    enum list_end from, to;
    int64_t deadline_ms;
    if (!list_end_arg(c, 3, &from) || !list_end_arg(c, 4, &to)) return;
    if (!call_timeout(c, 5, &deadline_ms)) return;
    move_or_wait(c, from, to, deadline_ms);
}

void brpoplpush_command(struct call *c)
{
    int64_t deadline_ms;
    if (!call_timeout(c, 3, &deadline_ms)) return;
    move_or_wait(c, LIST_TAIL, LIST_HEAD, deadline_ms);
}

static bool parse_mpop(struct call *c, uint32_t at, uint32_t *nkeys, struct plan *plan)
{
    struct mpop_args args;
    if (!call_mpop_args(c, at, "LEFT", "RIGHT", &args)) return false;
    *nkeys = args.nkeys;
    *plan = (struct plan){
        .kind = PLAN_POP_MANY, .from = args.second ? LIST_TAIL : LIST_HEAD, .count = args.count};
    return true;
}

void lmpop_command(struct call *c)
{
    struct plan plan = {0};
    const struct key *k = NULL;
    uint32_t nkeys;
    bool wrong = false;
    if (!parse_mpop(c, 1, &nkeys, &plan)) return;
    struct entry **slot = call_first_of(c, nkeys, TYPE_LIST, &k, &wrong);
    if (slot) {
        carry_out(c, &plan, k, slot);
    } else if (!wrong) {
        reply_null_array(c->r);
    }
}

void blmpop_command(struct call *c)
{
    struct plan plan = {0};
    uint32_t nkeys;
    int64_t deadline_ms;
    if (!parse_mpop(c, 2, &nkeys, &plan) || !call_timeout(c, 1, &deadline_ms)) return;
    pop_or_wait(c, &plan, nkeys, deadline_ms);
}
