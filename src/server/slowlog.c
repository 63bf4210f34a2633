/*
 * slowlog.c - the calls that took longest: a list of copies, newest first.
 *
 * Invariants
 *  1. Everything here is read and written under `lock`, a mutex that is held for a list operation
 *     and never across a park. Slow calls are rare, so it is not contended.
 *  2. An entry owns its strings. Arguments are cut, and secrets replaced, when they are copied.
 */
#include <pthread.h>
#include <stdio.h>

#include "server/admin.h"

#define ARGS_MAX 32  /* kept of one call */
#define ARG_MAX  128 /* bytes kept of one argument */

struct slow_call {
    struct list_node node;
    int64_t id, unix_s, us;
    uint32_t argc;
    struct buf args[ARGS_MAX];
    char addr[CONN_ADDR_MAX];
    char *name;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list_node calls = {&calls, &calls};
static size_t count;
static int64_t next_id;

static void slow_call_free(struct slow_call *s)
{
    list_remove(&s->node);
    for (uint32_t i = 0; i < s->argc; i++)
        buf_free(&s->args[i]);
    mem_free(s->name);
    mem_free(s);
    count--;
}

static void trim(size_t most)
{
    while (count > most)
        slow_call_free(LIST_ENTRY(calls.prev, struct slow_call, node));
}

/* ---- noting -----------------------------------------------------------------------------------
 */

static bool sensitive_option(struct slice name)
{
    const struct option *o = config_find(name);
    return o && (o->flags & OPTION_SENSITIVE);
}

/* Of MIGRATE: behind AUTH one argument is, behind AUTH2 two, up to KEYS. */
static bool is_migrate_secret(const struct call *c, uint32_t i)
{
    for (uint32_t at = 6, n; at < i && !slice_is(c->argv[at], "KEYS"); at += n + 1) {
        n = slice_is(c->argv[at], "AUTH2") ? 2 : slice_is(c->argv[at], "AUTH");
        if (i <= at + n) return true;
    }
    return false;
}

/* Is argument i a secret? */
static bool is_secret(const struct call *c, uint32_t i)
{
    const char *name = c->cmd->full_name;
    if (strcmp(name, "auth") == 0) return i > 0;
    if (strcmp(name, "migrate") == 0) return is_migrate_secret(c, i);
    if (strcmp(name, "config|set") == 0)
        return i >= 3 && i % 2 == 1 && sensitive_option(c->argv[i - 1]);
    if (strcmp(name, "hello") != 0) return false;
    return (i > 1 && slice_is(c->argv[i - 1], "AUTH")) ||
           (i > 2 && slice_is(c->argv[i - 2], "AUTH"));
}

static void copy_arg(struct buf *out, const struct call *c, uint32_t i)
{
    struct slice arg = is_secret(c, i) ? SLICE("(redacted)") : c->argv[i];
    buf_add(out, arg.p, MIN(arg.n, (size_t)ARG_MAX));
    if (arg.n > ARG_MAX) buf_addf(out, "... (%zu more bytes)", arg.n - ARG_MAX);
}

static struct slow_call *slow_call_new(const struct call *c, int64_t us)
{
    struct slow_call *s = mem_calloc(sizeof *s);
    struct session *session = session_of(c->caller);
    s->unix_s = clock_unix_ms() / 1000;
    s->us = us;
    s->argc = MIN(c->argc, (uint32_t)ARGS_MAX);
    for (uint32_t i = 0; i < s->argc; i++) {
        if (i == ARGS_MAX - 1 && c->argc > ARGS_MAX) {
            buf_addf(&s->args[i], "... (%u more arguments)", c->argc - ARGS_MAX + 1);
        } else {
            copy_arg(&s->args[i], c, i);
        }
    }
    conn_peer_name(&session->conn, s->addr, sizeof s->addr);
    s->name = mem_strdup(session_text(session, SESSION_NAME));
    return s;
}

void slowlog_note(const struct call *c, int64_t us)
{
    size_t most = (size_t)config_num(OPT_SLOWLOG_MAX_LEN);
    if (most == 0) return;
    struct slow_call *s = slow_call_new(c, us);
    pthread_mutex_lock(&lock);
    s->id = next_id++;
    list_push_front(&calls, &s->node);
    count++;
    trim(most);
    pthread_mutex_unlock(&lock);
}

/* ---- the commands -----------------------------------------------------------------------------
 */

static void reply_slow_call(struct reply *r, const struct slow_call *s)
{
    reply_array(r, 6);
    reply_int(r, s->id);
    reply_int(r, s->unix_s);
    reply_int(r, s->us);
    reply_array(r, s->argc);
    for (uint32_t i = 0; i < s->argc; i++)
        reply_bulk(r, buf_slice(&s->args[i]));
    reply_bulk_str(r, s->addr);
    reply_bulk_str(r, s->name);
}

static void slowlog_get(struct call *c)
{
    int64_t most = 10;
    if (c->argc > 3) {
        reply_errorf(c->r, "ERR wrong number of arguments for '%s' command", c->cmd->full_name);
        return;
    }
    if (c->argc == 3 && !call_i64_range(c, 2, -1, INT64_MAX, &most,
                                        "count should be greater than or equal to -1")) {
        return;
    }
    pthread_mutex_lock(&lock);
    size_t n = most < 0 ? count : MIN((size_t)most, count);
    reply_array(c->r, n);
    struct list_node *at = calls.next;
    for (size_t i = 0; i < n; i++, at = at->next) {
        reply_slow_call(c->r, LIST_ENTRY(at, struct slow_call, node));
    }
    pthread_mutex_unlock(&lock);
}

static void slowlog_len(struct call *c)
{
    pthread_mutex_lock(&lock);
    size_t n = count;
    pthread_mutex_unlock(&lock);
    reply_int(c->r, (int64_t)n);
}

static void slowlog_reset(struct call *c)
{
    pthread_mutex_lock(&lock);
    trim(0);
    pthread_mutex_unlock(&lock);
    reply_ok(c->r);
}

static const char *const get_hints[] = {"request_policy:all_nodes", "nondeterministic_output",
                                        NULL};
static const char *const len_hints[] = {"request_policy:all_nodes", "response_policy:agg_sum",
                                        "nondeterministic_output", NULL};
static const char *const reset_hints[] = {"request_policy:all_nodes",
                                          "response_policy:all_succeeded", NULL};
static const char *const get_history[] = {"4.0.0", "Entries name the client: address and name.",
                                          NULL};
static const char *const help[] = {
    "GET [<count>]",
    "    Show the newest <count> entries (10 unless told, -1: all), each with its",
    "    id, unix time, duration in microseconds, arguments, client address and",
    "    client name.",
    "LEN",
    "    Tell how many entries there are.",
    "RESET",
    "    Forget all entries.",
    NULL,
};

#define ADMIN_FLAGS (CMD_ADMIN | CMD_LOADING | CMD_STALE)

static const struct command slowlog_sub[] = {
    {.name = "get",
     .run = slowlog_get,
     .arity = -2,
     .flags = ADMIN_FLAGS,
     .group = "server",
     .since = "2.2.12",
     .hints = get_hints,
     .history = get_history,
     .complexity = "O(N), N being the number of entries returned.",
     .summary = "Returns the newest entries of the slow log.",
     .syntax = "[count:integer]"},
    {.name = "len",
     .run = slowlog_len,
     .arity = 2,
     .flags = ADMIN_FLAGS,
     .group = "server",
     .since = "2.2.12",
     .hints = len_hints,
     .complexity = "O(1)",
     .summary = "Returns how many entries the slow log has."},
    {.name = "reset",
     .run = slowlog_reset,
     .arity = 2,
     .flags = ADMIN_FLAGS,
     .group = "server",
     .since = "2.2.12",
     .hints = reset_hints,
     .complexity = "O(N), N being the number of entries.",
     .summary = "Empties the slow log."},
    {.name = "help",
     .run = call_help,
     .arity = 2,
     .flags = CMD_LOADING | CMD_STALE,
     .group = "server",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Lists the subcommands."},
    {.name = NULL},
};

struct command slowlog_commands[] = {
    {.name = "slowlog",
     .arity = -2,
     .group = "server",
     .since = "2.2.12",
     .subcommands = slowlog_sub,
     .help = help,
     .complexity = "Depends on subcommand.",
     .summary = "A container for the commands of the slow log."},
    {.name = NULL},
};
