/*
 * config_command.c - CONFIG: GET, SET, RESETSTAT, REWRITE.
 */
#include "server/server.h"

/* ---- GET ---------------------------------------------------------------------------------------
 */

static bool has_glob(struct slice pattern)
{
    for (size_t i = 0; i < pattern.n; i++) {
        if (strchr("*?[", pattern.p[i])) return true;
    }
    return false;
}

/* A hidden option is shown to who knows its name. */
static bool wanted_as(const char *name, const struct option *o, struct slice pattern)
{
    if ((o->flags & OPTION_HIDDEN) && has_glob(pattern)) return false;
    return glob_match(pattern, slice_str(name), true);
}

static bool wanted(const struct call *c, const struct option *o, const char *name)
{
    if (!name || (o->flags & OPTION_FILE_ONLY)) return false;
    for (uint32_t i = 2; i < c->argc; i++) {
        if (wanted_as(name, o, c->argv[i])) return true;
    }
    return false;
}

static size_t show(struct call *c, const struct option *o, const char *name)
{
    if (!wanted(c, o, name)) return 0;
    struct buf value = {0};
    config_show(o, &value);
    reply_bulk_str(c->r, name);
    reply_bulk(c->r, buf_slice(&value));
    buf_free(&value);
    return 1;
}

static void config_get(struct call *c)
{
    struct reply_mark mark = reply_open(c->r);
    size_t n = 0;
    for (size_t i = 0; i < config_count(); i++) {
        const struct option *o = config_option(i);
        n += show(c, o, o->name);
        n += show(c, o, o->alias);
    }
    reply_close_map(c->r, mark, n);
}

/* ---- SET ---------------------------------------------------------------------------------------
 */

/* The pairs of arguments as changes; NULL: an option is unknown (replied). */
static struct config_change *changes_of(struct call *c, size_t n)
{
    struct config_change *changes = mem_alloc(n * sizeof *changes);
    for (size_t i = 0; i < n; i++) {
        struct slice name = c->argv[2 + 2 * i];
        const struct option *o = config_find(name);
        if (!o || (o->flags & OPTION_FILE_ONLY)) {
            reply_errorf(c->r, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                         (int)MIN(name.n, (size_t)128), name.p);
            mem_free(changes);
            return NULL;
        }
        changes[i] = (struct config_change){o, c->argv[3 + 2 * i]};
    }
    return changes;
}

/* enable-protected-configs local: for clients on this machine alone. The first refused, or NULL. */
static const struct option *refused(struct call *c, const struct config_change *changes, size_t n)
{
    if (config_num(OPT_ENABLE_PROTECTED_CONFIGS) != ALLOW_LOCAL) return NULL;
    if (conn_is_loopback(&session_of(c->caller)->conn)) return NULL;
    for (size_t i = 0; i < n; i++) {
        if (changes[i].option->flags & OPTION_PROTECTED) return changes[i].option;
    }
    return NULL;
}

static void config_set_command(struct call *c)
{
    const struct option *failed = NULL;
    const char *err = "";
    if (c->argc % 2 != 0) {
        call_syntax_error(c);
        return;
    }
    size_t n = (c->argc - 2) / 2;
    struct config_change *changes = changes_of(c, n);
    if (!changes) return;
    if ((failed = refused(c, changes, n)) != NULL) {
        err = "can't set protected config";
        reply_errorf(c->r, "ERR CONFIG SET failed (possibly related to argument '%s') - %s",
                     failed->name, err);
    } else if (config_set(changes, n, &failed, &err)) {
        reply_ok(c->r);
    } else if (failed) {
        reply_errorf(c->r, "ERR CONFIG SET failed (possibly related to argument '%s') - %s",
                     failed->name, err);
    } else {
        reply_errorf(c->r, "ERR CONFIG SET failed - %s", err);
    }
    mem_free(changes);
}

/* ---- RESETSTAT, REWRITE ------------------------------------------------------------------------
 */

static void config_resetstat(struct call *c)
{
    admin_reset_stats();
    reply_ok(c->r);
}

struct rewriting {
    char err[256];
    bool ok;
};

static void rewrite(void *arg)
{
    struct rewriting *r = arg;
    r->ok = config_rewrite(r->err, sizeof r->err);
}

static void config_rewrite_command(struct call *c)
{
    struct rewriting r = {0};
    if (*config_file() == '\0') {
        reply_error(c->r, "ERR The server is running without a config file");
        return;
    }
    if (c->in_exec) {
        rewrite(&r);
    } else {
        rt_offload(rewrite, &r); /* it syncs a file */
    }
    if (r.ok) {
        log_write(LOG_NOTICE, "CONFIG REWRITE executed with success.");
        reply_ok(c->r);
    } else {
        log_write(LOG_WARNING, "CONFIG REWRITE failed: %s", r.err);
        reply_errorf(c->r, "ERR Rewriting config file: %s", r.err);
    }
}

/* ---- declarations
 * -------------------------------------------------------------------------------- */

#define ADMIN_FLAGS (CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)

static const char *const get_history[] = {"7.0.0", "Takes several patterns.", NULL};
static const char *const set_history[] = {"7.0.0", "Sets several options at once.", NULL};
static const char *const set_hints[] = {"request_policy:all_nodes", "response_policy:all_succeeded",
                                        NULL};
static const char *const help[] = {
    "GET <pattern> [<pattern> ...]",
    "    Show the options whose names match, and their values.",
    "SET <option> <value> [<option> <value> ...]",
    "    Change options: all of them, or none if one is refused.",
    "RESETSTAT",
    "    Set the counters that INFO shows to zero.",
    "REWRITE",
    "    Bring the configuration file up to date.",
    NULL,
};

static const struct command config_sub[] = {
    {.name = "get",
     .run = config_get,
     .arity = -3,
     .flags = ADMIN_FLAGS,
     .group = "server",
     .since = "2.0.0",
     .history = get_history,
     .complexity = "O(N), N being the number of options, for each pattern.",
     .summary = "Returns options and their values.",
     .syntax = "parameter:string..."},
    {.name = "set",
     .run = config_set_command,
     .arity = -4,
     .flags = ADMIN_FLAGS | CMD_ALL,
     .group = "server",
     .since = "2.0.0",
     .history = set_history,
     .hints = set_hints,
     .complexity = "O(N), N being the number of options that are set.",
     .summary = "Changes options, all or none.",
     .syntax = "(parameter:string value:string)..."},
    {.name = "resetstat",
     .run = config_resetstat,
     .arity = 2,
     .flags = ADMIN_FLAGS,
     .group = "server",
     .since = "2.0.0",
     .hints = set_hints,
     .complexity = "O(1)",
     .summary = "Sets the server's counters to zero."},
    {.name = "rewrite",
     .run = config_rewrite_command,
     .arity = 2,
     .flags = ADMIN_FLAGS | CMD_WALK,
     .group = "server",
     .since = "2.8.0",
     .hints = set_hints,
     .complexity = "O(1)",
     .summary = "Brings the configuration file up to date."},
    {.name = "help",
     .run = call_help,
     .arity = 2,
     .flags = CMD_LOADING | CMD_STALE,
     .group = "server",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Lists the subcommands."},
    {.name = NULL},
};

struct command config_commands[] = {
    {.name = "config",
     .arity = -2,
     .group = "server",
     .since = "2.0.0",
     .subcommands = config_sub,
     .help = help,
     .complexity = "Depends on subcommand.",
     .summary = "A container for the commands about the configuration."},
    {.name = NULL},
};
