/*
 * multi.c - transactions: MULTI queues, EXEC owns everything its commands meet and runs them.
 *
 *   MULTI ---> QUEUING --command--> its arguments are copied, its partitions noted
 *                 |  DISCARD, disconnect, RESET: dropped
 *                 v EXEC
 *   own the union of the partitions (and of the watched keys')
 *     -> a watched key changed, or its time came: null
 *     -> else run all, in order, at one time; then serve whom they made ready
 *
 * Invariants
 *  1. caller->multi is not NULL exactly between MULTI and EXEC or DISCARD; GATE_MULTI says the
 * same.
 *  2. A watch lies in its partition's list and its client's from WATCH until unwatch_all().
 *  3. While EXEC runs its commands the caller is outside MULTI and watches nothing.
 */
#include "commands/commands_internal.h"

struct queued {
    const struct command *cmd;
    uint32_t argc, nkeys;
    struct slice *argv; /* one allocation: argv, keys, blobs (if any), bytes */
    struct key *keys;
    struct blob **blobs;
};

struct transaction {
    struct queued *items;
    uint32_t n, cap;
    size_t bytes;
    struct part_set parts;
    bool may_ready; /* some command may make keys ready */
    bool writes;
    bool changes_db; /* so the database of a command is not known before it runs */
};

/* ---- queueing ------------------------------------------------------------------------------- */

static size_t size_queued(const struct request *req, const struct key_list *keys)
{
    size_t n = req->argc * sizeof(struct slice) + keys->n * sizeof(struct key);
    if (req->big_args) n += req->argc * sizeof(struct blob *);
    for (uint32_t i = 0; i < req->argc; i++) {
        if (!req->big_args || !req->blobs[i]) n += req->argv[i].n;
    }
    return n;
}

static void copy_args(struct queued *q, const struct request *req, char *bytes)
{
    for (uint32_t i = 0; i < req->argc; i++) {
        q->argv[i] = req->argv[i];
        if (q->blobs && (q->blobs[i] = req->blobs[i]) != NULL) {
            blob_ref(q->blobs[i]);
            continue;
        }
        if (req->argv[i].n) memcpy(bytes, req->argv[i].p, req->argv[i].n);
        q->argv[i].p = bytes;
        bytes += req->argv[i].n;
    }
}

/* The keys' bytes are those of the copied arguments. */
static void copy_keys(struct queued *q, const struct request *req, const struct key_list *keys)
{
    uint32_t arg = 0;
    for (uint32_t i = 0; i < keys->n; i++) {
        struct slice s = keys->keys[i].s;
        while (req->argv[arg].p != s.p || req->argv[arg].n != s.n)
            arg = (arg + 1) % req->argc;
        q->keys[i] = keys->keys[i];
        q->keys[i].s = q->argv[arg];
    }
}

static void queued_fill(struct queued *q, const struct command *cmd, const struct request *req,
                        const struct key_list *keys, size_t size)
{
    char *p = mem_alloc(MAX(size, (size_t)1));
    q->cmd = cmd;
    q->argc = req->argc;
    q->nkeys = keys->n;
    q->argv = (struct slice *)p;
    q->keys = (struct key *)(q->argv + req->argc);
    q->blobs = req->big_args ? (struct blob **)(q->keys + keys->n) : NULL;
    p = (char *)(q->keys + keys->n) + (req->big_args ? req->argc * sizeof(struct blob *) : 0);
    copy_args(q, req, p);
    copy_keys(q, req, keys);
}

static void note_needs(struct transaction *t, const struct queued *q)
{
    t->may_ready |= q->cmd->may_ready;
    t->writes |= (q->cmd->flags & (CMD_WRITE | CMD_MAY_REPLICATE)) != 0;
    t->changes_db |= strcmp(q->cmd->name, "select") == 0;
    bool all = (q->cmd->flags & CMD_WALK) || call_owns_all(q->cmd, q->argc, q->argv);
    if (all) part_set_add_all(&t->parts);
    for (uint32_t i = 0; i < q->nkeys; i++)
        part_set_add(&t->parts, q->keys[i].part);
}

static void add(struct transaction *t, const struct command *cmd, const struct request *req)
{
    struct key_list keys;
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 8;
        t->items = mem_realloc(t->items, t->cap * sizeof *t->items);
    }
    key_list_of(&keys, cmd, req->argc, req->argv);
    size_t size = size_queued(req, &keys);
    queued_fill(&t->items[t->n], cmd, req, &keys, size);
    key_list_free(&keys);
    note_needs(t, &t->items[t->n]);
    t->bytes += size + sizeof *t->items;
    t->n++;
}

void transaction_queue(struct caller *caller, const struct command *cmd, const struct request *req)
{
    /* One that is refused anyway need not be kept. */
    if (!(caller->flags & CALLER_DIRTY_EXEC)) add(caller->multi, cmd, req);
    atomic_fetch_add_explicit(&caller->queued, 1, memory_order_relaxed);
    reply_queued(caller->reply);
}

bool caller_queue_writes(const struct caller *caller)
{
    return caller->multi && caller->multi->writes;
}

size_t caller_queue_memory(const struct caller *caller)
{
    return caller->multi ? caller->multi->bytes : 0;
}

static void transaction_free(struct transaction *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        struct queued *q = &t->items[i];
        for (uint32_t k = 0; q->blobs && k < q->argc; k++) {
            if (q->blobs[k]) blob_unref(q->blobs[k]);
        }
        mem_free(q->argv);
    }
    part_set_free(&t->parts);
    mem_free(t->items);
    mem_free(t);
}

/* Takes the transaction from the caller, who is outside MULTI then. */
static struct transaction *leave_multi(struct caller *caller)
{
    struct transaction *t = caller->multi;
    caller->multi = NULL;
    caller->flags &= ~CALLER_DIRTY_EXEC;
    atomic_fetch_and_explicit(&caller->gate, ~GATE_MULTI, memory_order_relaxed);
    atomic_store_explicit(&caller->queued, -1, memory_order_relaxed);
    return t;
}

static void multi(struct call *c)
{
    struct caller *caller = c->caller;
    if (caller->multi) {
        reply_error(c->r, "ERR MULTI calls can not be nested");
        return;
    }
    caller->multi = mem_calloc(sizeof *caller->multi);
    atomic_fetch_or_explicit(&caller->gate, GATE_MULTI, memory_order_relaxed);
    atomic_store_explicit(&caller->queued, 0, memory_order_relaxed);
    reply_ok(c->r);
}

/* ---- watching ------------------------------------------------------------------------------- */

static struct watch *watch_of(struct list_node *node)
{
    return LIST_ENTRY(node, struct watch, in_client);
}

static struct key watched_key(const struct watch *w)
{
    return (struct key){w->key, w->hash, w->part};
}

static bool time_has_come(struct part *p, const struct watch *w, int64_t now_ms)
{
    struct key k = watched_key(w);
    struct entry **slot = ks_find(p, w->db, &k, now_ms, KS_NO_TOUCH | KS_NO_STATS | KS_EXPIRED_TOO);
    return slot && (*slot)->has_expire && entry_expire(*slot) <= now_ms;
}

static bool is_watched(const struct caller *caller, uint32_t db, const struct key *k)
{
    LIST_FOR(node, &caller->watches)
    {
        const struct watch *w = watch_of(node);
        if (w->db == db && w->hash == k->hash && slice_eq(w->key, k->s)) return true;
    }
    return false;
}

static void watch_key(struct call *c, const struct key *k)
{
    if (is_watched(c->caller, c->db, k)) return;
    struct part *p = keyspace_part(k->part);
    struct watch *w = mem_calloc(sizeof *w + k->s.n);
    char *bytes = (char *)(w + 1);
    if (k->s.n) memcpy(bytes, k->s.p, k->s.n);
    w->dirty = &c->caller->watch_dirty;
    w->key = slice_of(bytes, k->s.n);
    w->part = k->part;
    w->db = c->db;
    w->hash = k->hash;
    part_own(p);
    w->was_expired = time_has_come(p, w, c->now_ms);
    ks_watch(p, w);
    part_disown(p);
    list_push_back(&c->caller->watches, &w->in_client);
    atomic_fetch_add_explicit(&c->caller->watching, 1, memory_order_relaxed);
}

/* owned: the caller owns the watches' partitions. Else they are owned one by one. PARKS then */
static void unwatch_all(struct caller *caller, bool owned)
{
    LIST_FOR_SAFE(node, &caller->watches)
    {
        struct watch *w = watch_of(node);
        struct part *p = keyspace_part(w->part);
        if (!owned) part_own(p);
        ks_unwatch(p, w);
        if (!owned) part_disown(p);
        list_remove(&w->in_client);
        mem_free(w);
    }
    atomic_store_explicit(&caller->watching, 0, memory_order_relaxed);
    atomic_store_explicit(&caller->watch_dirty, 0, memory_order_relaxed);
}

static void watch(struct call *c)
{
    if (c->caller->multi) {
        reply_error(c->r, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    /* Once a key has changed EXEC will fail; more watches cannot change that. */
    bool dirty = atomic_load_explicit(&c->caller->watch_dirty, memory_order_relaxed);
    for (uint32_t i = 0; i < c->nkeys && !dirty; i++)
        watch_key(c, &c->keys[i]);
    reply_ok(c->r);
}

static void unwatch(struct call *c)
{
    unwatch_all(c->caller, false);
    reply_ok(c->r);
}

void caller_reset(struct caller *caller)
{
    if (caller->multi) transaction_free(leave_multi(caller));
    unwatch_all(caller, false);
}

static void discard(struct call *c)
{
    if (!c->caller->multi) {
        reply_error(c->r, "ERR DISCARD without MULTI");
        return;
    }
    caller_reset(c->caller);
    reply_ok(c->r);
}

/* ---- EXEC ----------------------------------------------------------------------------------- */

/* What waiters need of keys that the transaction may make ready: true when the set grew. */
static bool more_needs(const struct transaction *t, uint32_t db, struct part_set *needs)
{
    bool grew = false;
    if (!t->may_ready || needs->all || ks_waiting_keys() == 0) return false;
    if (t->changes_db) {
        part_set_add_all(needs);
        return true;
    }
    for (uint32_t i = 0; i < t->n; i++) {
        const struct queued *q = &t->items[i];
        grew |= ready_needs(q->cmd, db, q->keys, q->nkeys, needs);
    }
    return grew;
}

static void own_union(const struct transaction *t, const struct caller *caller,
                      struct part_set *set)
{
    part_set_merge(set, &t->parts);
    LIST_FOR(node, &caller->watches) part_set_add(set, watch_of(node)->part);
    for (;;) {
        struct part_set needs = {0};
        parts_own(set);
        part_set_merge(&needs, set);
        if (!more_needs(t, caller->db, &needs)) {
            part_set_free(&needs);
            return;
        }
        parts_disown(set);
        part_set_free(set);
        *set = needs;
    }
}

static bool watches_hold(struct caller *caller, int64_t now_ms)
{
    if (atomic_load_explicit(&caller->watch_dirty, memory_order_relaxed)) return false;
    LIST_FOR(node, &caller->watches)
    {
        struct watch *w = watch_of(node);
        if (!w->was_expired && time_has_come(keyspace_part(w->part), w, now_ms)) return false;
    }
    return true;
}

static void run_queued(const struct call *exec, const struct queued *q, const struct part_set *set,
                       struct worker_stats *st)
{
    struct call c = {.caller = exec->caller, .r = exec->r, .cmd = q->cmd};
    c.argc = q->argc;
    c.argv = q->argv;
    c.blobs = q->blobs;
    c.db = exec->caller->db;
    c.nkeys = q->nkeys;
    c.keys = q->keys;
    c.part = q->nkeys ? keyspace_part(q->keys[0].part) : NULL;
    c.owned = set;
    c.now_ms = exec->now_ms;
    c.in_exec = true;
    call_execute(&c, st, clock_cycles());
}

/* Everything is owned: it does not park. */
static void run_all(struct call *c, const struct transaction *t, const struct part_set *set)
{
    struct worker_stats *st = stats_here();
    c->now_ms = stats_now_ms(st, clock_cycles());
    bool hold = watches_hold(c->caller, c->now_ms);
    unwatch_all(c->caller, true);
    if (!hold) {
        reply_null_array(c->r);
        return;
    }
    reply_array(c->r, t->n);
    uint64_t errors = c->r->errors;
    for (uint32_t i = 0; i < t->n; i++)
        run_queued(c, &t->items[i], set, st);
    c->inner_errors = c->r->errors - errors;
    stats_bump(&st->calls, t->n);
    serve_ready(set, stats_now_ms(st, clock_cycles())); /* what expired meanwhile is not served */
}

static void exec(struct call *c)
{
    struct caller *caller = c->caller;
    struct part_set set = {0};
    if (!caller->multi) {
        reply_error(c->r, "ERR EXEC without MULTI");
        return;
    }
    if (caller->flags & CALLER_DIRTY_EXEC) {
        caller_reset(caller);
        reply_error(c->r, "EXECABORT Transaction discarded because of previous errors.");
        return;
    }
    struct transaction *t = leave_multi(caller);
    own_union(t, caller, &set);
    run_all(c, t, &set);
    parts_disown(&set);
    part_set_free(&set);
    transaction_free(t);
}

/* ---- declarations --------------------------------------------------------------------------- */

#define MULTI_FLAGS (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)

struct command transaction_commands[] = {
    {.name = "multi",
     .run = multi,
     .arity = 1,
     .flags = MULTI_FLAGS | CMD_FAST | CMD_ALLOW_BUSY | CMD_NOW | CMD_SESSION,
     .acl = ACL_TRANSACTION,
     .group = "transactions",
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Begins a transaction: what follows is queued until EXEC."},
    {.name = "exec",
     .run = exec,
     .arity = 1,
     .flags = MULTI_FLAGS | CMD_SKIP_SLOWLOG | CMD_NOW | CMD_OWNS_ITSELF | CMD_SESSION,
     .acl = ACL_TRANSACTION,
     .group = "transactions",
     .since = "1.2.0",
     .complexity = "That of the queued commands together",
     .summary = "Runs the queued commands of a transaction as one."},
    {.name = "discard",
     .run = discard,
     .arity = 1,
     .flags = MULTI_FLAGS | CMD_FAST | CMD_ALLOW_BUSY | CMD_NOW | CMD_OWNS_ITSELF | CMD_SESSION,
     .acl = ACL_TRANSACTION,
     .group = "transactions",
     .since = "2.0.0",
     .complexity = "O(N) with N queued commands",
     .summary = "Drops a transaction's queued commands and ends it."},
    {.name = "watch",
     .run = watch,
     .arity = -2,
     .flags = MULTI_FLAGS | CMD_FAST | CMD_ALLOW_BUSY | CMD_NOW | CMD_OWNS_ITSELF,
     .acl = ACL_TRANSACTION,
     .group = "transactions",
     .since = "2.2.0",
     .complexity = "O(1) for each key",
     .summary = "Makes the next EXEC fail if one of these keys changes before it.",
     .syntax = "key...",
     .keys = {{.find = KEYS_RANGE, .flags = KEY_RO, .first = 1, .last = -1, .step = 1}}},
    {.name = "unwatch",
     .run = unwatch,
     .arity = 1,
     .flags = MULTI_FLAGS | CMD_FAST | CMD_ALLOW_BUSY | CMD_OWNS_ITSELF,
     .acl = ACL_TRANSACTION,
     .group = "transactions",
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Forgets all watched keys."},
    {.name = NULL},
};
