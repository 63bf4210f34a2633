/*
 * call.c - what handlers ask of a call: lookups, arguments, telling of changes; and how a call that
 * failed, was rejected or was slow is accounted.
 */
#include "commands/commands_internal.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

_Atomic(size_t) commands_max_reply = SIZE_MAX;

/* ---- the caller ----------------------------------------------------------------------------- */

void caller_init(struct caller *caller, struct reply *reply, uint64_t id)
{
    memset(caller, 0, sizeof *caller);
    caller->reply = reply;
    caller->id = id;
    list_init(&caller->watches);
    atomic_store_explicit(&caller->queued, -1, memory_order_relaxed);
}

void caller_set_reply(struct caller *caller, enum caller_reply mode)
{
    uint32_t *flags = &caller->flags;
    if (mode == CALLER_REPLY_ON) {
        *flags &= ~(CALLER_REPLY_OFF | CALLER_REPLY_SKIP | CALLER_REPLY_SKIP_NEXT);
        reply_mute(caller->reply, false);
        return;
    }
    if (mode == CALLER_REPLY_NONE) {
        *flags |= CALLER_REPLY_OFF;
    } else if (!(*flags & CALLER_REPLY_OFF)) {
        *flags |= CALLER_REPLY_SKIP_NEXT;
    }
    reply_mute(caller->reply, true); /* of this command too */
    atomic_fetch_or_explicit(&caller->gate, GATE_REPLY, memory_order_relaxed);
}

/* ---- lookups -------------------------------------------------------------------------------- */

struct part *call_part(struct call *c, const struct key *k)
{
    return keyspace_part(k->part);
}

/* TOUCH is there to change the access time. */
static bool leaves_access_alone(const struct call *c)
{
    return (c->caller->flags & CALLER_NO_TOUCH) && strcmp(c->cmd->name, "touch") != 0;
}

struct entry **call_find(struct call *c, const struct key *k, unsigned flags)
{
    if (UNLIKELY(leaves_access_alone(c))) flags |= KS_NO_TOUCH;
    if (c->cmd->flags & CMD_WRITE) flags |= KS_NO_STATS;
    return ks_find(keyspace_part(k->part), c->db, k, c->now_ms, flags);
}

struct entry **call_find_type(struct call *c, const struct key *k, enum value_type type,
                              bool *wrong)
{
    struct entry **slot = call_find(c, k, 0);
    *wrong = false;
    if (!slot || LIKELY((*slot)->type == type)) return slot;
    *wrong = true;
    call_wrong_type(c);
    return NULL;
}

struct entry **call_first_of(struct call *c, uint32_t nkeys, enum value_type type,
                             const struct key **k, bool *wrong)
{
    for (uint32_t i = 0; i < nkeys && !*wrong; i++) {
        struct entry **slot = call_find_type(c, &c->keys[i], type, wrong);
        *k = &c->keys[i];
        if (slot) return slot;
    }
    return NULL;
}

void call_changed(struct call *c, const struct key *k, char klass, const char *event)
{
    c->dirty++;
    call_touched(c, k, klass, event);
}

static void tell(struct call *c, const struct key *k, char klass, const char *event)
{
    if (UNLIKELY(atomic_load_explicit(&commands_notify, memory_order_relaxed)) &&
        command_hooks.changed) {
        command_hooks.changed(c, k, klass, event);
    }
}

void call_touched(struct call *c, const struct key *k, char klass, const char *event)
{
    ks_touched(keyspace_part(k->part), c->db, k);
    tell(c, k, klass, event);
}

void call_noted(struct call *c, const struct key *k, char klass, const char *event)
{
    c->dirty++;
    tell(c, k, klass, event);
}

void call_ready(struct call *c, const struct key *k)
{
    ks_ready(keyspace_part(k->part), c->db, k);
}

bool call_reply_too_long(const struct reply *r)
{
    size_t max = atomic_load_explicit(&commands_max_reply, memory_order_relaxed);
    return r->muted || UNLIKELY(reply_pending(r) > MAX(max, (size_t)REPLY_CHUNK));
}

/* ---- arguments ------------------------------------------------------------------------------ */

static void argument_error(struct call *c, const char *error)
{
    if (strncmp(error, "ERR ", 4) == 0) {
        reply_error(c->r, error);
    } else {
        reply_errorf(c->r, "ERR %s", error);
    }
}

bool call_i64(struct call *c, uint32_t arg, int64_t *out)
{
    if (num_parse_i64(c->argv[arg], out)) return true;
    reply_error(c->r, "ERR value is not an integer or out of range");
    return false;
}

bool call_i64_range(struct call *c, uint32_t arg, int64_t min, int64_t max, int64_t *out,
                    const char *error)
{
    if (!num_parse_i64(c->argv[arg], out)) {
        argument_error(c, error ? error : "value is not an integer or out of range");
        return false;
    }
    if (*out >= min && *out <= max) return true;
    if (error) {
        argument_error(c, error);
    } else {
        reply_errorf(c->r, "ERR value is out of range, value must between %lld and %lld",
                     (long long)min, (long long)max);
    }
    return false;
}

bool call_double(struct call *c, uint32_t arg, double *out)
{
    if (num_parse_double(c->argv[arg], out) && !isnan(*out)) return true;
    reply_error(c->r, "ERR value is not a valid float");
    return false;
}

bool call_timeout(struct call *c, uint32_t arg, int64_t *deadline_ms)
{
    long double seconds;
    const char *error = NULL;
    if (!num_parse_long_double(c->argv[arg], &seconds) || isnan(seconds)) {
        error = "ERR timeout is not a float or out of range";
    } else if (seconds < 0) {
        error = "ERR timeout is negative";
    } else if (ceill(seconds * 1000) > (long double)(INT64_MAX - c->now_ms - 1)) {
        error = "ERR timeout is out of range";
    }
    if (error) {
        reply_error(c->r, error);
        return false;
    }
    int64_t ms = (int64_t)ceill(seconds * 1000);
    *deadline_ms = ms == 0 ? INT64_MAX : c->now_ms + ms;
    return true;
}

bool call_mpop_args(struct call *c, uint32_t at, const char *first, const char *second,
                    struct mpop_args *out)
{
    int64_t n, count = 1;
    if (!call_i64_range(c, at, 1, INT64_MAX, &n, "numkeys should be greater than 0")) return false;
    uint32_t i = at + 1 + (uint32_t)MIN(n, UINT32_MAX / 2);
    bool known = i < c->argc && (slice_is(c->argv[i], first) || slice_is(c->argv[i], second));
    bool counted = false;
    if (known) out->second = slice_is(c->argv[i++], second);
    for (; known && i < c->argc; i += 2) {
        known = !counted && i + 1 < c->argc && slice_is(c->argv[i], "COUNT");
        if (known &&
            !call_i64_range(c, i + 1, 1, INT64_MAX, &count, "count should be greater than 0")) {
            return false;
        }
        counted = true;
    }
    if (!known) call_syntax_error(c);
    out->nkeys = (uint32_t)n;
    out->count = (size_t)count;
    return known;
}

/* ---- usual errors and HELP ------------------------------------------------------------------ */

void call_syntax_error(struct call *c)
{
    reply_error(c->r, "ERR syntax error");
}

void call_wrong_type(struct call *c)
{
    reply_error(c->r, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void call_wrong_arity(struct call *c)
{
    reply_errorf(c->r, "ERR wrong number of arguments for '%s' command", c->cmd->full_name);
}

static void upper(char *out, size_t size, const char *name)
{
    size_t i = 0;
    for (; name[i] && i + 1 < size; i++)
        out[i] = (char)toupper((unsigned char)name[i]);
    out[i] = 0;
}

static const struct command *container_of(const struct command *cmd)
{
    return cmd->parent ? cmd->parent : cmd;
}

void call_unknown_subcommand(struct call *c)
{
    char name[32];
    upper(name, sizeof name, container_of(c->cmd)->name);
    reply_errorf(c->r, "ERR unknown subcommand '%.*s'. Try %s HELP.", (int)MIN(c->argv[1].n, 128u),
                 c->argv[1].p, name);
}

void call_help(struct call *c)
{
    const struct command *container = container_of(c->cmd);
    const char *const *lines = container->help;
    size_t n = 0;
    char name[32];
    while (lines && lines[n])
        n++;
    upper(name, sizeof name, container->name);
    reply_array(c->r, n + 3);
    char head[128];
    snprintf(head, sizeof head,
             "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", name);
    reply_status(c->r, head);
    for (size_t i = 0; i < n; i++)
        reply_status(c->r, lines[i]);
    reply_status(c->r, "HELP");
    reply_status(c->r, "    Print this help.");
}

/* ---- accounting ----------------------------------------------------------------------------- */

void call_failed(struct call *c, struct worker_stats *st)
{
    stats_bump(&st->commands[c->cmd->id].failed, 1);
    stats_count_error(c->r->last_error);
}

void call_was_slow(struct call *c, uint64_t ns)
{
    if ((c->cmd->flags & CMD_SKIP_SLOWLOG) || !command_hooks.slow) return;
    command_hooks.slow(c, (int64_t)(ns / 1000));
}

void call_rejected(struct caller *caller, const struct command *cmd)
{
    if (caller->multi) caller->flags |= CALLER_DIRTY_EXEC;
    if (cmd) stats_bump(&stats_here()->commands[cmd->id].rejected, 1);
    stats_count_error(caller->reply->last_error);
}

/* ---- waiters -------------------------------------------------------------------------------- */

bool ready_needs(const struct command *cmd, uint32_t db, const struct key *keys, uint32_t nkeys,
                 struct part_set *needs)
{
    bool grew = false;
    if (!cmd->may_ready || needs->all) return false;
    if (UNLIKELY(cmd->flags & CMD_OTHER_DB) && ks_waiting_keys() > 0) {
        part_set_add_all(needs);
        return true;
    }
    for (uint32_t i = 0; i < nkeys; i++) {
        grew |= ks_ready_needs(keyspace_part(keys[i].part), db, &keys[i], needs);
    }
    return grew;
}

void serve_ready(const struct part_set *owned, int64_t now_ms)
{
    uint32_t n = owned->all ? keyspace_parts() : owned->n;
    const uint32_t *ids = owned->ids ? owned->ids : owned->small;
    for (uint32_t i = 0; i < n; i++) {
        struct part *p = keyspace_part(owned->all ? i : ids[i]);
        if (UNLIKELY(part_has_ready(p))) ks_serve(p, owned, now_ms);
    }
}
