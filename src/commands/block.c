/*
 * block.c - clients that wait for a key.
 *
 *   handler: call_block --> in the queue of each key, WAITING
 *                             |
 *        dispatcher lets go of the partitions, block_wait parks (hooks.wait)
 *                             |
 *      served by an owner who claimed it <--+--> timeout, CLIENT UNBLOCK, disconnect: claims itself
 *                             |                          |
 *                  the reply is there           the reply is given here
 *                             +-------------+------------+
 *                                   leaves the queues
 *
 * A client must see the replies to what it sent earlier while it waits, but they wait in its reply
 * until the end of the batch, and whoever serves it appends to that reply. So a call that would
 * block behind unsent replies registers nothing: it is marked CALL_AGAIN, and the dispatcher lets
 * go, sends, and runs the command anew from its start; the key may have come into being meanwhile.
 *
 * Invariants
 *  1. Between registration and the end of block_wait only who has claimed the waiter touches the
 *     caller's reply.
 *  2. Memory of a waiter is freed by its own coroutine, after it is DONE (or claimed by itself) and
 *     left all queues. A queue may hold a claimed waiter for a while; serving skips it.
 */
#include "commands/commands_internal.h"

struct blocked {
    struct waiter w;
    struct caller *caller;
    void (*on_timeout)(struct reply *r);
    void (*free_arg)(void *arg);
    void *arg;
    int64_t deadline_ms;
    struct waiter_key keys[];
};

static struct blocked *blocked_of(struct waiter *w)
{
    return CONTAINER_OF(w, struct blocked, w);
}

struct caller *waiter_caller(struct waiter *w)
{
    return blocked_of(w)->caller;
}

void *waiter_arg(struct waiter *w)
{
    return blocked_of(w)->arg;
}

void call_served(const struct call *c, struct waiter *w)
{
    if (c->dirty) stats_bump(&stats_here()->dirty, c->dirty);
    waiter_done(w);
}

bool waiter_serve(struct waiter *w, struct part *p, const struct key *k, int64_t now_ms,
                  waiter_take *take)
{
    struct entry **slot = ks_find(p, w->db, k, now_ms, KS_NO_STATS);
    if (!slot || (*slot)->type != w->type) return false;
    if (!waiter_claim(w)) return true; /* it has just left: the next in line */
    struct caller *caller = waiter_caller(w);
    struct call c = {.caller = caller,
                     .r = caller->reply,
                     .cmd = caller->last_command, /* the one that waits */
                     .db = w->db,
                     .now_ms = now_ms,
                     .part = p};
    take(&c, waiter_arg(w), k, slot);
    call_served(&c, w);
    return true;
}

/* ---- registration --------------------------------------------------------------------------- */

static bool in_keys(const struct blocked *b, struct slice key)
{
    for (uint32_t i = 0; i < b->w.nkeys; i++) {
        if (slice_eq(b->keys[i].key.s, key)) return true;
    }
    return false;
}

/* A key that is named twice is waited for once. */
static void add_key(struct blocked *b, const struct key *k, char **bytes)
{
    if (in_keys(b, k->s)) return;
    struct waiter_key *wk = &b->keys[b->w.nkeys++];
    wk->w = &b->w;
    wk->key = *k;
    wk->key.s.p = *bytes;
    list_init(&wk->in_queue);
    if (k->s.n) memcpy(*bytes, k->s.p, k->s.n);
    *bytes += k->s.n;
}

static struct blocked *blocked_new(struct call *c, const struct block_request *req)
{
    size_t bytes = 0, keys = req->nkeys * sizeof(struct waiter_key);
    for (uint32_t i = 0; i < req->nkeys; i++)
        bytes += req->keys[i].s.n;
    struct blocked *b = mem_calloc(sizeof *b + keys + bytes);
    char *p = (char *)b + sizeof *b + keys;
    b->caller = c->caller;
    b->on_timeout = req->on_timeout;
    b->free_arg = req->free_arg;
    b->arg = req->arg;
    b->deadline_ms = req->deadline_ms;
    b->w.co = co_self();
    b->w.db = c->db;
    b->w.serve = req->serve;
    b->w.type = req->type;
    b->w.on_missing = req->on_missing;
    b->w.arg = req->arg;
    b->w.keys = b->keys;
    if (req->needs) part_set_merge(&b->w.needs, req->needs);
    for (uint32_t i = 0; i < req->nkeys; i++)
        add_key(b, &req->keys[i], &p);
    return b;
}

static bool may_block(const struct call *c)
{
    return !c->in_exec && !(c->caller->flags & (CALLER_DENY_BLOCKING | CALLER_INTERNAL));
}

bool call_block(struct call *c, const struct block_request *req)
{
    if (!may_block(c)) return false;
    if (command_hooks.flush && reply_pending(c->r) > 0) {
        c->blocked = CALL_AGAIN;
        if (req->free_arg) req->free_arg(req->arg);
        return true;
    }
    struct blocked *b = blocked_new(c, req);
    for (uint32_t i = 0; i < b->w.nkeys; i++) {
        ks_wait(keyspace_part(b->keys[i].key.part), &b->keys[i]);
    }
    c->blocked = &b->w;
    return true;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static uint32_t state_of(struct waiter *w)
{
    return atomic_load_explicit(&w->state, memory_order_acquire);
}

static int64_t mono_deadline(int64_t unix_ms)
{
    if (unix_ms == INT64_MAX) return RT_NEVER;
    int64_t left_us = (unix_ms - clock_unix_ms()) * 1000, now = rt_now();
    return left_us > (RT_NEVER - now) / 1000 ? RT_NEVER : now + left_us * 1000;
}

/* For callers without a connection. */
static int wait_plainly(struct waiter *w, int64_t deadline_ns)
{
    while (state_of(w) == WAITER_WAITING) {
        if (co_park(deadline_ns) == RT_ETIMEDOUT) return RT_ETIMEDOUT;
    }
    return RT_OK;
}

static int wait_once(struct blocked *b, int64_t deadline_ns, bool *with_error)
{
    if (!command_hooks.wait) return wait_plainly(&b->w, deadline_ns);
    return command_hooks.wait(b->caller, &b->w, deadline_ns, with_error);
}

/* Until the waiter was served (RT_OK, it is DONE), or claimed by ourselves for the reason returned.
 */
static int wait_settled(struct blocked *b, bool *with_error)
{
    int64_t deadline_ns = mono_deadline(b->deadline_ms);
    int why = RT_OK;
    while (why == RT_OK && state_of(&b->w) == WAITER_WAITING) {
        why = wait_once(b, deadline_ns, with_error);
    }
    if (why != RT_OK && waiter_claim(&b->w)) return why;
    while (state_of(&b->w) != WAITER_DONE)
        co_park(RT_NEVER); /* its server is about to finish */
    return RT_OK;
}

static void leave_queues(struct blocked *b)
{
    for (uint32_t i = 0; i < b->w.nkeys; i++) {
        struct part *p = keyspace_part(b->keys[i].key.part);
        part_own(p);
        ks_unwait(p, &b->keys[i]);
        part_disown(p);
    }
}

static void blocked_free(struct blocked *b)
{
    if (b->free_arg) b->free_arg(b->arg);
    part_set_free(&b->w.needs);
    mem_free(b);
}

void block_wait(struct caller *caller, struct waiter *w)
{
    struct blocked *b = blocked_of(w);
    bool with_error = false;
    atomic_store_explicit(&caller->blocked_on, w, memory_order_release);
    int why = wait_settled(b, &with_error);
    atomic_store_explicit(&caller->blocked_on, NULL, memory_order_release);
    leave_queues(b);
    if (why == RT_ECLOSED) {
        atomic_fetch_or_explicit(&caller->gate, GATE_CLOSE, memory_order_relaxed);
    } else if (why == RT_ECANCELED && with_error) {
        reply_error(caller->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    } else if (why != RT_OK) {
        b->on_timeout(caller->reply);
    }
    blocked_free(b);
}
