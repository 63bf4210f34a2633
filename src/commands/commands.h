/*
 * commands.h - commands as data, and how they run.
 *
 * A family file (string.c, list.c, ...) declares its commands in a table of struct command and registers
 * it; server/ does the same for the commands that need what only it knows (CLIENT, CONFIG, INFO, ...).
 * The dispatcher takes a batch of parsed requests and, for each, finds the command, the keys and the
 * partitions, owns them, runs the handler, and serves whom it made ready.
 *
 * Invariants
 *  1. A handler runs while its call owns every partition of its keys (or all, CMD_ALL). It does not
 *     PARK, unless it is CMD_WALK (owns nothing and may park; in a transaction all is owned and it may not).
 *  2. A handler reads its client through struct call and struct caller only; it may run on another
 *     worker while its client's coroutine is parked (part_delegate), so it never asks for co_self().
 *  3. One call builds exactly one reply (or none, if it blocked: then the one who serves it does).
 */
#ifndef WEFT_COMMANDS_H
#define WEFT_COMMANDS_H

#include "keyspace/keyspace.h"
#include "net/net.h"

struct call;
struct caller;
typedef void command_fn(struct call *c);

/* ---- declarations ----------------------------------------------------------------------------- */

enum { /* as COMMAND INFO names them; those behind ALL are ours */
    CMD_WRITE = 1u << 0, CMD_READONLY = 1u << 1, CMD_DENYOOM = 1u << 2, CMD_ADMIN = 1u << 3,
    CMD_PUBSUB = 1u << 4, CMD_NOSCRIPT = 1u << 5, CMD_BLOCKING = 1u << 6, CMD_LOADING = 1u << 7,
    CMD_STALE = 1u << 8, CMD_SKIP_MONITOR = 1u << 9, CMD_SKIP_SLOWLOG = 1u << 10,
    CMD_ASKING = 1u << 11, CMD_FAST = 1u << 12, CMD_NO_AUTH = 1u << 13,
    CMD_MAY_REPLICATE = 1u << 14, CMD_NO_ASYNC_LOADING = 1u << 15, CMD_NO_MULTI = 1u << 16,
    CMD_MOVABLEKEYS = 1u << 17, CMD_ALLOW_BUSY = 1u << 18, CMD_PROTECTED = 1u << 19,
    CMD_NO_MANDATORY_KEYS = 1u << 20,
    CMD_ALL = 1u << 24,   /* runs with all partitions owned (FLUSHALL, SWAPDB) */
    CMD_WALK = 1u << 25,  /* goes over partitions itself, owning nothing at its start (KEYS, SCAN) */
    CMD_NOW = 1u << 26,   /* runs at once even inside MULTI (EXEC, DISCARD, WATCH, QUIT, RESET, ...) */
    CMD_OWNS_ITSELF = 1u << 27, /* takes partitions itself (EXEC, WATCH) */
    CMD_SESSION = 1u << 28, /* changes its client: what follows in the batch is looked at anew */
    CMD_OTHER_DB = 1u << 29, /* changes keys in another database than the selected one (MOVE, COPY) */
};

enum { /* ACL categories that are not implied by flags or group (@read, @write, @fast, @slow, ... are) */
    ACL_KEYSPACE = 1u << 0, ACL_STRING = 1u << 1, ACL_LIST = 1u << 2, ACL_SET = 1u << 3,
    ACL_ZSET = 1u << 4, ACL_HASH = 1u << 5, ACL_STREAM = 1u << 6, ACL_BITMAP = 1u << 7,
    ACL_HLL = 1u << 8, ACL_GEO = 1u << 9, ACL_PUBSUB = 1u << 10, ACL_ADMIN = 1u << 11,
    ACL_DANGEROUS = 1u << 12, ACL_CONNECTION = 1u << 13, ACL_TRANSACTION = 1u << 14,
    ACL_SCRIPTING = 1u << 15, ACL_READ = 1u << 16, ACL_WRITE = 1u << 17, ACL_FAST = 1u << 18,
    ACL_SLOW = 1u << 19, ACL_BLOCKING = 1u << 20,
};

enum { /* key specification flags, as COMMAND INFO names them */
    KEY_RO = 1u << 0, KEY_RW = 1u << 1, KEY_OW = 1u << 2, KEY_RM = 1u << 3, KEY_ACCESS = 1u << 4,
    KEY_UPDATE = 1u << 5, KEY_INSERT = 1u << 6, KEY_DELETE = 1u << 7, KEY_NOT_KEY = 1u << 8,
    KEY_INCOMPLETE = 1u << 9, KEY_VARIABLE_FLAGS = 1u << 10,
};

struct key_spec {
    enum { KEYS_NONE, KEYS_RANGE, KEYS_NUM, KEYS_RANGE_AFTER, KEYS_NUM_AFTER, KEYS_UNKNOWN } find;
    uint32_t flags;
    int16_t first;  /* index of the first key, or of the numkeys argument */
    int16_t last;   /* RANGE: relative to first; -1: the last argument, -2: the one before, ... */
    int16_t step;
    int16_t limit;  /* RANGE with last -1: 0 or 1: all; 2: the first half of what is left, ... */
    const char *keyword; /* *_AFTER: begins behind this word, searched from `first` (negative: backwards) */
    const char *notes;
};

/* The specification of a command whose first argument is its only key. */
#define ONE_KEY(flag_bits) {{KEYS_RANGE, flag_bits, 1, 0, 1, 0, NULL, NULL}}

/* How a command comes by its partitions; from its declaration. */
enum command_shape {
    SHAPE_ONE,     /* one key, always at the same argument; does not block: the fast path */
    SHAPE_KEYLESS, /* no keys: owns nothing (CMD_WALK and CMD_OWNS_ITSELF too) */
    SHAPE_KEYS,    /* any number of keys, or may block */
    SHAPE_ALL,     /* CMD_ALL */
};

/* The tables are copied at registration; the ones declared are not looked at again. */
struct command {
    const char *name; /* lower case; of a subcommand the second word */
    command_fn *run;  /* NULL: a container of subcommands */
    int16_t arity;    /* negative: at least */
    uint32_t flags;   /* CMD_* */
    uint32_t acl;     /* ACL_*: beyond what flags imply */
    const char *group, *since, *complexity, *summary; /* COMMAND DOCS, in our own words */
    /* The arguments behind the name as a syntax text, from which COMMAND DOCS builds its tree:
     * words in lower case are arguments (name, or name:type, types key string integer double
     * unix-time pattern), in upper case tokens; [ ] optional, | one of, ... repeatable, ( ) block. */
    const char *syntax;
    struct key_spec keys[4];
    /* Keys that no specification finds (SORT, MIGRATE): writes indexes of arguments to out (at most
     * max; the same with any max), returns how many there are, or -1: not a valid call. */
    int (*find_keys)(uint32_t argc, const struct slice *argv, uint32_t *out, int max);
    /* True: this very call touches keys that its arguments do not name (SORT with patterns), and
     * runs with all partitions owned. NULL: none does. */
    bool (*owns_all)(uint32_t argc, const struct slice *argv);
    /* With KEY_VARIABLE_FLAGS: the flags of the keys of this very call (SET with and without GET). */
    uint32_t (*key_flags)(uint32_t argc, const struct slice *argv);
    const struct command *subcommands; /* ends with a name of NULL */
    const char *const *hints;          /* COMMAND's tips, NULL-terminated */
    const char *const *history;        /* version, change, version, change, ..., NULL */
    const char *const *help;           /* of a container: lines of HELP, NULL-terminated */
    const char *deprecated_since, *replaced_by;
    /* Filled in at registration. */
    const struct command *parent;
    char *full_name; /* "client|list" */
    uint32_t id;     /* 0 .. commands_count()-1, for statistics */
    uint8_t shape;   /* enum command_shape */
    uint8_t key_at;  /* SHAPE_ONE: the argument that is the key */
    bool may_ready;  /* may make a key ready that clients wait for */
};

/* Registers a table (ends with a name of NULL); before the first dispatch. */
void commands_register(struct command *table);
/* rename-command, before the first dispatch; "" removes it. False: there is no such command, or
 * `to` is taken. */
bool commands_rename(const char *name, const char *to);
/* Registers every family of this layer. */
void commands_init(void);

const struct command *command_lookup(struct slice name);
/* With subcommand: argv[1] decides. *container: the command itself was found. */
const struct command *command_find(uint32_t argc, const struct slice *argv,
                                   const struct command **container);
uint32_t commands_count(void);                 /* with subcommands */
const struct command *command_by_id(uint32_t id);
/* Calls fn for each top-level command, sorted by name. */
void commands_each(void (*fn)(const struct command *cmd, void *arg), void *arg);
bool command_arity_ok(const struct command *cmd, uint32_t argc);
uint32_t command_acl(const struct command *cmd); /* all categories, implied ones too */
/* Indexes of the key arguments with the flags of their specification: their number, or -1 when the
 * arguments are not valid. At most max are written. */
struct key_ref {
    uint32_t index, flags;
};
int command_keys(const struct command *cmd, uint32_t argc, const struct slice *argv,
                 struct key_ref *out, int max);

/* ---- the client, as commands see it ----------------------------------------------------------- */

enum { /* caller.gate: nonzero bits send a request through the slow path */
    GATE_AUTH = 1u << 0,   /* not authenticated */
    GATE_MULTI = 1u << 1,  /* inside MULTI: commands are queued */
    GATE_REPLY = 1u << 2,  /* CLIENT REPLY OFF or SKIP */
    GATE_CLOSE = 1u << 3,  /* close once the reply is sent: nothing more is run */
    GATE_OTHER = 1u << 4,  /* ask hooks.admit */
};
extern _Atomic(uint32_t) commands_gate; /* nonzero: hooks.admit is asked for every command (pause, loading) */
extern _Atomic(uint32_t) commands_notify; /* nonzero: hooks.changed is told of every change */
extern _Atomic(bool) commands_flush_async; /* lazyfree-lazy-user-flush: FLUSHALL and FLUSHDB do not wait */
extern _Atomic(size_t) commands_max_string; /* proto-max-bulk-len: no string grows beyond it */
extern _Atomic(size_t) commands_max_reply;  /* client-output-buffer-limit, hard; SIZE_MAX: none */

enum {
    CALLER_NO_TOUCH = 1u << 0, CALLER_NO_EVICT = 1u << 1, CALLER_DENY_BLOCKING = 1u << 2,
    CALLER_DIRTY_EXEC = 1u << 3, /* a command could not be queued: EXEC will refuse */
    CALLER_REPLY_OFF = 1u << 4, CALLER_REPLY_SKIP = 1u << 5, CALLER_REPLY_SKIP_NEXT = 1u << 6,
    CALLER_UNIX = 1u << 8, CALLER_INTERNAL = 1u << 9,
};

struct transaction; /* multi.c: the queue of MULTI */

struct caller { /* embedded in server's session; owned by the client's coroutine */
    struct reply *reply;
    _Atomic(uint32_t) gate;   /* set by any thread (kill), cleared by the owner; relaxed */
    uint32_t flags, db;
    uint64_t id;
    struct transaction *multi;      /* NULL outside MULTI */
    struct list_node watches;       /* struct watch.in_client */
    _Atomic(uint32_t) watch_dirty;  /* a watched key has changed */
    const struct command *last_command; /* for CLIENT LIST (any reader; relaxed store) */
    struct waiter *_Atomic blocked_on;  /* for CLIENT UNBLOCK: see hooks.wait */
    uint64_t commands;              /* run so far */
    _Atomic(int32_t) queued;        /* commands in MULTI, -1 outside; (any reader; relaxed) */
    _Atomic(uint32_t) watching;     /* watched keys (any reader; relaxed) */
};
void caller_init(struct caller *caller, struct reply *reply, uint64_t id);
/* Leaves MULTI and unwatches: at disconnect, RESET. PARKS (takes partitions of watched keys). */
void caller_reset(struct caller *caller);
/* CLIENT REPLY: ON can reply at once; what OFF and SKIP reply is dropped. */
enum caller_reply { CALLER_REPLY_ON, CALLER_REPLY_NONE, CALLER_REPLY_NOT_NEXT };
void caller_set_reply(struct caller *caller, enum caller_reply mode);
bool caller_queue_writes(const struct caller *caller);    /* a queued command may write */
size_t caller_queue_memory(const struct caller *caller); /* of MULTI, bytes; by its coroutine */

/* ---- one call --------------------------------------------------------------------------------- */

struct call {
    struct caller *caller;
    struct reply *r;
    const struct command *cmd;
    uint32_t argc;
    struct slice *argv;
    struct blob **blobs;  /* as in struct request */
    uint32_t db;          /* of the caller when the call began */
    uint32_t nkeys;
    struct key *keys;     /* in the order of the arguments, with hash and partition */
    struct part *part;    /* the partition of keys[0]; NULL without keys */
    const struct part_set *owned; /* set when several or all partitions are owned; NULL: just part, or none */
    int64_t now_ms;       /* the time for the whole call (in EXEC: of the whole transaction) */
    bool in_exec;
    uint32_t dirty;       /* changes made: see call_changed */
    struct waiter *blocked; /* set by call_block */
    uint64_t inner_errors; /* errors replied by calls inside this one (EXEC): not its own */
};

/* Lookups of key `k` (one of c->keys). The slot, or NULL when absent. */
struct entry **call_find(struct call *c, const struct key *k, unsigned ks_flags);
/* For reading a value of a type: NULL when absent; or of another type: then *wrong is set and the
 * WRONGTYPE error has been replied. */
struct entry **call_find_type(struct call *c, const struct key *k, enum value_type type, bool *wrong);
/* The same for the first of c's first nkeys keys that is there; *k is that key. */
struct entry **call_first_of(struct call *c, uint32_t nkeys, enum value_type type,
                             const struct key **k, bool *wrong);
struct part *call_part(struct call *c, const struct key *k);
/* Every change goes through here: tells watchers, counts, and (by its event name) whoever listens for
 * keyspace events and effects. klass: the letter of notify-keyspace-events ('$' strings, 'l' lists,
 * 'g' generic, ...). */
void call_changed(struct call *c, const struct key *k, char klass, const char *event);
/* The same without counting: of what goes with a change that has been counted. */
void call_touched(struct call *c, const struct key *k, char klass, const char *event);
/* Counts and tells, but not the watchers: of what beside a stream's entries changed (its groups), which
 * does not make a transaction fail. */
void call_noted(struct call *c, const struct key *k, char klass, const char *event);
/* (The key of c->db: who changes one of another database sets c->db to it around the call.) */
/* A list (zset, stream) at this key came into being or grew: blocked clients may be served after. */
void call_ready(struct call *c, const struct key *k);

/* Its client will be closed for what waits to be sent already (or hears nothing at all): a handler
 * that goes on for as long as its client said may stop in the middle of its reply. */
bool call_reply_too_long(const struct reply *r);

/* Argument parsing with Redis's errors: false: an error was replied. `error`: the text instead of the
 * usual one (with or without its "ERR "), or NULL. */
bool call_i64(struct call *c, uint32_t arg, int64_t *out);            /* "value is not an integer or out of range" */
bool call_i64_range(struct call *c, uint32_t arg, int64_t min, int64_t max, int64_t *out, const char *error);
bool call_double(struct call *c, uint32_t arg, double *out);          /* "value is not a valid float" */
bool call_timeout(struct call *c, uint32_t arg, int64_t *deadline_ms); /* seconds, fractions; 0: none = INT64_MAX */
/* "numkeys key [key ...] FIRST|SECOND [COUNT n]" from argument `at` on, as LMPOP and ZMPOP take it. */
struct mpop_args {
    uint32_t nkeys;
    bool second;
    size_t count;
};
bool call_mpop_args(struct call *c, uint32_t at, const char *first, const char *second,
                    struct mpop_args *out);
void call_syntax_error(struct call *c);
void call_wrong_type(struct call *c);
/* HELP of a container command from its cmd->parent->help. */
void call_help(struct call *c);
/* "ERR unknown subcommand 'x'. Try CLIENT HELP.", for handlers that look at subcommands themselves. */
void call_unknown_subcommand(struct call *c);
void call_wrong_arity(struct call *c);

/* Blocks the client until one of these keys serves it, or the deadline (unix ms; INT64_MAX: never).
 * The handler returns right after. `serve` as in struct waiter; arg is freed with free_arg (may be
 * NULL) when the wait ends. on_timeout builds the reply of a timeout. needs: may be NULL. */
struct block_request {
    const struct key *keys;
    uint32_t nkeys;
    enum value_type type;
    int64_t deadline_ms;
    bool (*serve)(struct waiter *w, struct part *p, const struct key *k, int64_t now_ms);
    void (*on_timeout)(struct reply *r);
    void *arg;
    void (*free_arg)(void *arg);
    const struct part_set *needs;
    bool on_missing; /* serve() is asked too when a key is gone or of another type */
};
/* False: may not block here (in a transaction or script): the handler replies as for a timeout. True:
 * the handler returns without a reply; it may be run again from its start (see block.c), so it must
 * not have changed anything before. arg is the handler's own again when it is false. */
bool call_block(struct call *c, const struct block_request *req);
/* In serve(): the waiter's client and reply, to build its reply in. */
struct caller *waiter_caller(struct waiter *w);
void *waiter_arg(struct waiter *w);
/* A whole serve() for a waiter that any value of its type satisfies: claims it and has `take` build
 * the reply from the value in slot, with waiter_arg(). */
typedef void waiter_take(struct call *c, const void *arg, const struct key *k, struct entry **slot);
bool waiter_serve(struct waiter *w, struct part *p, const struct key *k, int64_t now_ms,
                  waiter_take *take);
/* In serve(), at its end: c, in which the reply was built, has served w. Counts what it changed. */
void call_served(const struct call *c, struct waiter *w);

/* ---- running ---------------------------------------------------------------------------------- */

struct command_hooks { /* filled in by server/ */
    /* Asked in the slow path before a command runs (commands_gate or GATE_AUTH, GATE_OTHER): true: go
     * on; false: it has replied. PARKS (CLIENT PAUSE). */
    bool (*admit)(struct caller *caller, const struct command *cmd, uint32_t argc, struct slice *argv);
    /* Sends what waits in caller's reply. PARKS. False: the client is gone. */
    bool (*flush)(struct caller *caller);
    /* PARKS caller's coroutine (the calling one) while its waiter is WAITING: until somebody served it
     * (RT_OK), deadline_ns (RT_ETIMEDOUT), CLIENT UNBLOCK (RT_ECANCELED; *unblock_error: with the
     * ERROR option), or disconnect (RT_ECLOSED). */
    int (*wait)(struct caller *caller, struct waiter *w, int64_t deadline_ns, bool *unblock_error);
    /* A call that took longer than commands_slow_us. May not park. */
    void (*slow)(const struct call *c, int64_t us);
    /* FLUSHALL has emptied everything: saves that if the configuration wants it; true: saved. PARKS
     * unless `owned` (the caller owns all partitions). */
    bool (*flushed)(bool owned);
    /* A keyspace event (call_changed), while commands_notify is not 0. May not park. */
    void (*changed)(struct call *c, const struct key *k, char klass, const char *event);
};
void commands_set_hooks(const struct command_hooks *hooks);
extern _Atomic(int64_t) commands_slow_us; /* slowlog-log-slower-than; negative: off */

/* Runs requests in order, replies into caller->reply. Stops early when the client is to be closed
 * (GATE_CLOSE), or behind a command that changed the limits of parsing. Returns how many were run. PARKS. */
size_t commands_run(struct caller *caller, struct request *batch, size_t n);

/* Statistics by command, summed over workers. */
struct command_stats {
    uint64_t calls, us, rejected, failed;
};
void command_stats(uint32_t id, struct command_stats *out);
/* Latency histogram: bucket i counts calls of < 2^i us... as INFO latencystats and LATENCY HISTOGRAM need. */
#define LATENCY_BUCKETS 64
void command_latency(uint32_t id, uint64_t buckets[LATENCY_BUCKETS]); /* bucket i: [2^(i-1), 2^i) ns */
double command_latency_percentile(uint32_t id, double percentile);     /* us */
void commands_reset_stats(void);
uint64_t commands_total(void); /* total_commands_processed */
uint64_t commands_dirty(void); /* changes made since the start: rdb_changes_since_last_save */
uint64_t commands_error_total(void); /* total_error_replies */
unsigned migrate_links_kept(void); /* connections that MIGRATE keeps: migrate_cached_sockets */
/* Counts an error reply that no command built (protocol errors): its first word. */
void commands_count_error(const char *code);
/* Errors by their first word (errorstats): calls fn for each. */
void command_errors_each(void (*fn)(const char *code, uint64_t count, void *arg), void *arg);

#endif
