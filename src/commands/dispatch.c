/*
 * dispatch.c - running batches of requests.
 *
 *   batch --window of up to 32--> 1. plan: look up, check arity, hash the key, prefetch its bucket
 *                                 2. prefetch its entry
 *                                 3. run in order:
 *
 *      plan is fast and no gate is up                         anything else
 *              |                                                   |
 *      own the partition, run_span():                         run_slow(): errors, hooks.admit,
 *      all that follow and meet the same one                  MULTI, several keys, all partitions,
 *              |                                              blocking
 *      it is owned by another: the span is delegated
 *
 * A span is the unit of ownership: consecutive commands with one key each, in one partition. When
 * the partition is busy the whole span is queued in its channel and its owner runs it, so a hot key
 * costs two clients one hand-over for each window, not one a command; and as a window is bounded so
 * is the time anyone holds a partition.
 *
 * What a command reads of the thread it runs on (counters, clock) is asked for anew behind
 * everything that may park: refresh().
 *
 * Invariants
 *  1. Nothing is owned between spans; run_slow starts and ends without ownership.
 *  2. A span that is delegated touches its runner only while the runner's coroutine is parked.
 */
#include "commands/commands_internal.h"

#include <ctype.h>

#define WINDOW  32 /* bits of prefetch_entries() */
#define NO_PART UINT32_MAX

struct planned {
    const struct command *cmd; /* SHAPE_ONE and the arity is right; else NULL */
    struct key key;            /* key.part is NO_PART when cmd is NULL */
};

struct runner {
    struct caller *caller;
    struct request *reqs; /* the window: n requests, `at` is the next one */
    struct planned plans[WINDOW];
    unsigned n, at;
    int64_t now_ms;
    uint64_t cycles; /* when the last command ended */
    struct worker_stats *stats;
    bool enlarge; /* the next command needs more than its partition (run_span) */
    bool stop;    /* the client is gone */
    struct call c;
};

static void refresh(struct runner *r)
{
    r->stats = stats_here();
    r->cycles = clock_cycles();
    r->now_ms = stats_now_ms(r->stats, r->cycles);
}

static inline uint32_t gates(struct caller *caller)
{
    return atomic_load_explicit(&caller->gate, memory_order_relaxed) |
           atomic_load_explicit(&commands_gate, memory_order_relaxed);
}

static void note_command(struct caller *caller, const struct command *cmd)
{
    __atomic_store_n(&caller->last_command, cmd, __ATOMIC_RELAXED);
}

static inline void call_init(struct call *c, const struct runner *r, const struct command *cmd,
                             const struct request *req)
{
    c->cmd = cmd;
    c->argc = req->argc;
    c->argv = req->argv;
    c->blobs = req->blobs;
    c->db = r->caller->db;
    c->owned = NULL;
    c->now_ms = r->now_ms;
    c->in_exec = false;
    c->dirty = 0;
    c->blocked = NULL;
}

/* ---- the fast path -------------------------------------------------------------------------- */

static inline void plan_one(struct planned *plan, const struct request *req, unsigned db)
{
    const struct command *cmd = command_lookup(req->argv[0]);
    if (LIKELY(cmd && cmd->shape == SHAPE_ONE && command_arity_ok(cmd, req->argc))) {
        plan->cmd = cmd;
        plan->key = key_of(req->argv[cmd->key_at]);
        key_prefetch(&plan->key, db, 0);
    } else {
        plan->cmd = NULL;
        plan->key.part = NO_PART;
    }
}

static void prefetch_entries(const struct runner *r, unsigned db)
{
    uint32_t again = 0;
    for (unsigned i = 0; i < r->n; i++) {
        if (UNLIKELY(!r->plans[i].cmd)) continue;
        again |= (uint32_t)key_prefetch(&r->plans[i].key, db, 1) << i;
    }
    for (; again; again &= again - 1) {
        key_prefetch(&r->plans[__builtin_ctz(again)].key, db, 2);
    }
}

static void plan_window(struct runner *r)
{
    unsigned db = r->caller->db;
    uint32_t last = NO_PART;
    for (unsigned i = 0; i < r->n; i++) {
        plan_one(&r->plans[i], &r->reqs[i], db);
        uint32_t part = r->plans[i].key.part;
        if (part != last && part != NO_PART) part_prefetch(part);
        last = part;
    }
    if (r->n > 1) prefetch_entries(r, db); /* else there is nothing to do in the meantime */
}

/* Whether waiters of this key need partitions that a span does not own. */
static bool needs_more(const struct runner *r, const struct planned *plan)
{
    struct part_set needs = {0};
    part_set_add(&needs, plan->key.part);
    bool more = ready_needs(plan->cmd, r->caller->db, &plan->key, 1, &needs);
    part_set_free(&needs);
    return more;
}

__attribute__((noinline)) static void serve_one(struct part *p, int64_t now_ms)
{
    struct part_set one = {0};
    part_set_add(&one, part_index(p));
    ks_serve(p, &one, now_ms);
}

/* Runs the next command and those behind it that meet the same partition. OWNED */
static void run_span(struct part *p, void *arg)
{
    struct runner *r = arg;
    struct worker_stats *st = r->stats;
    struct call *c = &r->c;
    const struct planned *plan = &r->plans[r->at];
    uint32_t part = plan->key.part;
    unsigned first = r->at;
    uint64_t cycles = r->cycles;
    c->part = p;
    c->nkeys = 1;
    do {
        if (UNLIKELY(plan->cmd->may_ready) && needs_more(r, plan)) {
            r->enlarge = true;
            break;
        }
        call_init(c, r, plan->cmd, &r->reqs[r->at]);
        c->keys = (struct key *)&plan->key;
        cycles = call_execute(c, st, cycles);
        if (UNLIKELY(part_has_ready(p))) serve_one(p, r->now_ms);
        plan++;
        r->at++;
    } while (r->at < r->n && plan->key.part == part && LIKELY(gates(r->caller) == 0));
    r->cycles = cycles;
    stats_bump(&st->calls, r->at - first);
}

/* The same, on the worker of an owner who lends p. */
static void run_span_lent(struct part *p, void *arg)
{
    refresh(arg);
    run_span(p, arg);
}

static inline void run_fast(struct runner *r)
{
    struct part *p = keyspace_part(r->plans[r->at].key.part);
    if (LIKELY(part_try_own(p))) {
        run_span(p, r);
        part_disown(p);
    } else {
        part_delegate(p, run_span_lent, r);
        refresh(r);
    }
}

/* ---- what is not to be run ------------------------------------------------------------------ */

static void unknown_command(struct reply *r, const struct request *req)
{
    struct buf args = {0};
    for (uint32_t i = 1; i < req->argc && args.n < 128; i++) {
        buf_addf(&args, "'%.*s' ", (int)MIN(req->argv[i].n, 128 - args.n), req->argv[i].p);
    }
    reply_errorf(r, "ERR unknown command '%.*s', with args beginning with: %s",
                 (int)MIN(req->argv[0].n, 128u), req->argv[0].p, buf_cstr(&args));
    buf_free(&args);
}

/* Finds the command, and has the arity right; else replies why not. */
static const struct command *known(struct caller *caller, const struct request *req)
{
    const struct command *container;
    const struct command *cmd = command_find(req->argc, req->argv, &container);
    struct call c = {.caller = caller, .r = caller->reply, .argc = req->argc, .argv = req->argv};
    if (cmd && command_arity_ok(cmd, req->argc) && cmd->run) return cmd;
    c.cmd = cmd ? cmd : container;
    if (cmd) {
        call_wrong_arity(&c);
    } else if (container) {
        call_unknown_subcommand(&c);
    } else {
        unknown_command(caller->reply, req);
    }
    call_rejected(caller, cmd);
    return NULL;
}

static bool wants_hook(struct caller *caller, const struct command *cmd)
{
    uint32_t own = atomic_load_explicit(&caller->gate, memory_order_relaxed);
    if (atomic_load_explicit(&commands_gate, memory_order_relaxed) || (own & GATE_OTHER))
        return true;
    return (own & GATE_AUTH) && !(cmd->flags & CMD_NO_AUTH);
}

/* True: to be run now. Else it was refused or queued, and the reply is there. PARKS */
static bool admitted(struct caller *caller, const struct command *cmd, struct request *req)
{
    uint64_t errors = caller->reply->errors;
    if (wants_hook(caller, cmd) && command_hooks.admit &&
        !command_hooks.admit(caller, cmd, req->argc, req->argv)) {
        if (caller->reply->errors != errors) call_rejected(caller, cmd);
        return false;
    }
    if (!caller->multi) return true;
    if (cmd->flags & CMD_NO_MULTI) {
        reply_error(caller->reply, "ERR Command not allowed inside a transaction");
        call_rejected(caller, cmd);
        return false;
    }
    if (cmd->flags & CMD_NOW) return true;
    transaction_queue(caller, cmd, req);
    return false;
}

/* ---- the slow path -------------------------------------------------------------------------- */

/* Owns the partitions of the keys, and those that waiters of them need. PARKS */
static void hold(const struct call *c, struct part_set *set)
{
    for (uint32_t i = 0; i < c->nkeys; i++)
        part_set_add(set, c->keys[i].part);
    if (call_owns_all(c->cmd, c->argc, c->argv)) part_set_add_all(set);
    for (;;) {
        struct part_set needs = {0};
        parts_own(set);
        if (!c->cmd->may_ready) return;
        part_set_merge(&needs, set);
        if (!ready_needs(c->cmd, c->db, c->keys, c->nkeys, &needs)) {
            part_set_free(&needs);
            return;
        }
        parts_disown(set);
        part_set_free(set);
        *set = needs;
    }
}

static void prefetch_keys(const struct call *c)
{
    if (c->nkeys < 2) return;
    for (uint32_t i = 0; i < MIN(c->nkeys, 64u); i++)
        key_prefetch(&c->keys[i], c->db, 0);
    for (uint32_t i = 0; i < MIN(c->nkeys, 64u); i++)
        key_prefetch(&c->keys[i], c->db, 1);
}

static void account_one(struct call *c, struct worker_stats *st, uint64_t cycles, bool failed)
{
    call_account(c, st, cycles, failed);
    stats_bump(&st->calls, 1);
}

/* Runs a handler that keeps to its partitions, and accounts it unless it blocks. Returns the cycles
 * it took. */
static uint64_t run_owning(struct runner *r)
{
    struct call *c = &r->c;
    struct part_set set = {0};
    prefetch_keys(c);
    hold(c, &set);
    refresh(r);
    c->now_ms = r->now_ms;
    c->owned = set.all || set.n > 1 ? &set : NULL;
    uint64_t errors = c->r->errors;
    c->cmd->run(c);
    uint64_t cycles = clock_cycles() - r->cycles;
    if (!c->blocked) {
        account_one(c, r->stats, cycles, c->r->errors != errors);
        serve_ready(&set, c->now_ms);
    }
    parts_disown(&set);
    part_set_free(&set);
    c->owned = NULL;
    return cycles;
}

/* Runs a handler that owns nothing and may park. */
static void run_unowned(struct runner *r)
{
    struct call *c = &r->c;
    uint64_t errors = c->r->errors;
    refresh(r);
    c->now_ms = r->now_ms;
    c->cmd->run(c);
    uint64_t end = clock_cycles();
    struct worker_stats *st = stats_here();
    account_one(c, st, end - r->cycles, c->r->errors != errors + c->inner_errors);
}

static bool finished(const struct runner *r)
{
    return r->stop ||
           (atomic_load_explicit(&r->caller->gate, memory_order_relaxed) & GATE_CLOSE) != 0;
}

/* One that blocked is accounted at its end, with the time it ran, not that it waited; not at all
 * when the client left meanwhile. */
static void run_blocking(struct runner *r)
{
    struct call *c = &r->c;
    uint64_t cycles;
    while ((cycles = run_owning(r)), c->blocked == CALL_AGAIN) {
        c->blocked = NULL;
        c->dirty = 0;
        if (command_hooks.flush(r->caller)) continue;
        r->stop = true;
        return;
    }
    if (!c->blocked) return;
    uint64_t errors = c->r->errors;
    block_wait(r->caller, c->blocked);
    if (finished(r)) return;
    account_one(c, stats_here(), cycles, c->r->errors != errors);
}

static void run_command(struct runner *r, const struct command *cmd, struct request *req)
{
    struct call *c = &r->c;
    struct key_list keys;
    key_list_of(&keys, cmd, req->argc, req->argv);
    call_init(c, r, cmd, req);
    c->inner_errors = 0;
    c->nkeys = keys.n;
    c->keys = keys.keys;
    c->part = keys.n ? keyspace_part(keys.keys[0].part) : NULL;
    note_command(r->caller, cmd);
    if (cmd->shape == SHAPE_KEYLESS || (keys.n == 0 && cmd->shape != SHAPE_ALL)) {
        run_unowned(r);
    } else {
        run_blocking(r);
    }
    key_list_free(&keys);
}

/* CLIENT REPLY SKIP silences the command behind it, once. */
static void reply_mode_moves_on(struct caller *caller)
{
    uint32_t *flags = &caller->flags;
    if (*flags & CALLER_REPLY_SKIP_NEXT) {
        *flags = (*flags & ~CALLER_REPLY_SKIP_NEXT) | CALLER_REPLY_SKIP;
    } else {
        *flags &= ~CALLER_REPLY_SKIP;
    }
    bool mute = *flags & (CALLER_REPLY_OFF | CALLER_REPLY_SKIP);
    reply_mute(caller->reply, mute);
    if (!mute) atomic_fetch_and_explicit(&caller->gate, ~GATE_REPLY, memory_order_relaxed);
}

__attribute__((noinline)) static void run_slow(struct runner *r)
{
    struct request *req = &r->reqs[r->at++];
    struct caller *caller = r->caller;
    r->enlarge = false;
    const struct command *cmd = known(caller, req);
    if (cmd && admitted(caller, cmd, req)) run_command(r, cmd, req);
    if (atomic_load_explicit(&caller->gate, memory_order_relaxed) & GATE_REPLY) {
        reply_mode_moves_on(caller);
    }
    refresh(r);
}

/* ---- batches -------------------------------------------------------------------------------- */

static void run_window(struct runner *r)
{
    plan_window(r);
    while (r->at < r->n) {
        if (LIKELY(r->plans[r->at].cmd && gates(r->caller) == 0 && !r->enlarge)) {
            run_fast(r);
        } else {
            if (finished(r)) return;
            run_slow(r);
        }
    }
    if (r->plans[r->n - 1].cmd) note_command(r->caller, r->plans[r->n - 1].cmd);
}

size_t commands_run(struct caller *caller, struct request *batch, size_t n)
{
    struct runner r;
    size_t done = 0;
    r.caller = caller;
    r.c.caller = caller;
    r.c.r = caller->reply;
    r.enlarge = r.stop = false;
    refresh(&r);
    while (done < n) {
        r.reqs = batch + done;
        r.n = (unsigned)MIN(n - done, (size_t)WINDOW);
        r.at = 0;
        run_window(&r);
        done += r.at;
        caller->commands += r.at;
        if (UNLIKELY(finished(&r))) break;
        if (done < n) r.now_ms = stats_now_ms(r.stats, r.cycles);
    }
    return done;
}
