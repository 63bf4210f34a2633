/*
 * commands_internal.h - what the files of commands/ share: the tables of the families, the counters
 * of a worker, and the pieces of running a call that dispatch.c and multi.c have in common.
 */
#ifndef WEFT_COMMANDS_INTERNAL_H
#define WEFT_COMMANDS_INTERNAL_H

#include "commands/commands.h"

/* ---- families, registered by init.c --------------------------------------------------------- */

extern struct command string_commands[];        /* string_table.c */
extern struct command keys_commands[];          /* keys_table.c */
extern struct command dump_commands[];          /* dump.c */
extern struct command list_commands[];          /* list_table.c */
extern struct command set_commands[];           /* set_table.c */
extern struct command bit_commands[];           /* bit_table.c */
extern struct command hll_commands[];           /* hll_table.c */
extern struct command zset_commands[];          /* zset_table.c */
extern struct command hash_commands[];          /* hash_table.c */
extern struct command zset_more_commands[];     /* zset_more_table.c */
extern struct command geo_commands[];           /* geo_table.c */
extern struct command stream_commands[];         /* stream_table.c */
extern struct command sort_commands[];          /* sort_table.c */
extern struct command transaction_commands[];   /* multi.c */
extern struct command introspection_commands[]; /* command_cmd.c */

/* ---- table.c -------------------------------------------------------------------------------- */

/* The keys of a call, hashed. Without keys, or with arguments that make none: n is 0. */
struct key_list {
    uint32_t n;
    struct key *keys; /* few, or allocated */
    struct key few[8];
};
void key_list_of(struct key_list *list, const struct command *cmd, uint32_t argc,
                 const struct slice *argv);
void key_list_free(struct key_list *list);
unsigned command_key_specs(const struct command *cmd); /* how many there are */
extern struct command_hooks command_hooks;

/* ---- stats.c: counters, written by their worker only, read by anybody (relaxed) ------------- */

struct command_counters {
    _Atomic(uint64_t) ns, rejected, failed, blocked;
    _Atomic(uint64_t) latency[LATENCY_BUCKETS]; /* their sum is the number of calls */
};

struct worker_stats {
    uint64_t ns_per_cycle; /* times 2^20 */
    int64_t now_ms;        /* the wall clock until the cycle counter reaches now_until */
    uint64_t now_until;
    _Atomic(uint64_t) calls; /* of all commands */
    _Atomic(uint64_t) dirty;
    struct command_counters commands[];
};

/* Of the worker that runs this coroutine: to be asked anew after whatever may have parked. */
struct worker_stats *stats_here(void);
int64_t stats_clock(struct worker_stats *st, uint64_t cycles); /* reads the wall clock */
void stats_count_error(const char *code);

static inline void stats_bump(_Atomic(uint64_t) *counter, uint64_t n)
{
    uint64_t v = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, v + n, memory_order_relaxed);
}

static inline int64_t stats_now_ms(struct worker_stats *st, uint64_t cycles)
{
    return LIKELY(cycles < st->now_until) ? st->now_ms : stats_clock(st, cycles);
}

static inline uint64_t stats_ns(const struct worker_stats *st, uint64_t cycles)
{
    return cycles * st->ns_per_cycle >> 20;
}

static inline unsigned latency_bucket(uint64_t ns)
{
    return MIN(64u - (unsigned)__builtin_clzll(ns | 1), LATENCY_BUCKETS - 1u);
}

static inline void stats_call(struct worker_stats *st, uint32_t id, uint64_t ns)
{
    struct command_counters *c = &st->commands[id];
    stats_bump(&c->ns, ns);
    stats_bump(&c->latency[latency_bucket(ns)], 1);
}

/* ---- call.c --------------------------------------------------------------------------------- */

/* c->blocked when the call has to be run again once what waits was sent (block.c). */
#define CALL_AGAIN ((struct waiter *)(uintptr_t)1)

void call_failed(struct call *c, struct worker_stats *st); /* it replied an error */
void call_was_slow(struct call *c, uint64_t ns);

/* Accounts a call that took `cycles` and built `errors` replies that are errors. */
static inline void call_account(struct call *c, struct worker_stats *st, uint64_t cycles,
                                bool failed)
{
    uint64_t ns = stats_ns(st, cycles);
    /* Negative (off) becomes a number that no duration reaches. */
    uint64_t slow = (uint64_t)atomic_load_explicit(&commands_slow_us, memory_order_relaxed);
    stats_call(st, c->cmd->id, ns);
    if (c->dirty) stats_bump(&st->dirty, c->dirty);
    if (UNLIKELY(failed)) call_failed(c, st);
    if (UNLIKELY(ns / 1000 >= slow)) call_was_slow(c, ns);
}

/* Runs a handler that does not park, and accounts it. start: clock_cycles() at its beginning;
 * returns those at its end. */
static inline uint64_t call_execute(struct call *c, struct worker_stats *st, uint64_t start)
{
    uint64_t errors = c->r->errors;
    c->cmd->run(c);
    uint64_t end = clock_cycles();
    call_account(c, st, end - start, c->r->errors != errors);
    return end;
}

/* Rejects a command before it runs: the reply is built. cmd: NULL when there is none. */
void call_rejected(struct caller *caller, const struct command *cmd);
/* Adds what serving the waiters of keys that cmd may make ready needs to `set`, whose partitions
 * the caller owns. True: it grew, so it is to be disowned as it was (*before) and owned anew. */
bool ready_needs(const struct command *cmd, uint32_t db, const struct key *keys, uint32_t nkeys,
                 struct part_set *needs);
/* Does this call run with all partitions owned? */
static inline bool call_owns_all(const struct command *cmd, uint32_t argc, const struct slice *argv)
{
    return cmd->shape == SHAPE_ALL || (cmd->owns_all && cmd->owns_all(argc, argv));
}
void serve_ready(const struct part_set *owned, int64_t now_ms); /* all of the set's partitions */

/* ---- multi.c -------------------------------------------------------------------------------- */

/* Queues a command that has been admitted, and replies QUEUED. */
void transaction_queue(struct caller *caller, const struct command *cmd, const struct request *req);

/* ---- block.c -------------------------------------------------------------------------------- */

/* Waits for what call_block() registered, and gives the reply of a wait that nobody served. Nothing
 * may be owned. PARKS. */
void block_wait(struct caller *caller, struct waiter *w);

/* ---- syntax.c ------------------------------------------------------------------------------- */

enum syntax_kind { SYNTAX_ARG, SYNTAX_TOKEN, SYNTAX_ONEOF, SYNTAX_BLOCK };

struct syntax_node {
    enum syntax_kind kind;
    bool optional, multiple, multiple_token;
    struct slice name;  /* into the text; of a pure token the token; may be empty (groups) */
    struct slice type;  /* SYNTAX_ARG: "key", "string", ... */
    struct slice token; /* that stands before it, or n == 0 */
    struct syntax_node *children, *next;
};
/* The tree of a syntax text; NULL: empty or malformed (then *error, if given, says where). */
struct syntax_node *syntax_parse(const char *text, const char **error);
void syntax_free(struct syntax_node *node);
/* Replies the arguments array of COMMAND DOCS. */
void syntax_reply(struct reply *r, const struct command *cmd);

#endif
