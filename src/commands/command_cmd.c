/*
 * command_cmd.c - COMMAND and its subcommands: the registry, told to clients.
 *
 * Everything is built from the declarations; in RESP2 maps and sets become arrays, which the reply
 * builder sees to.
 */
#include "commands/commands_internal.h"

struct flag_name {
    uint32_t bit;
    const char *name;
};

static const struct flag_name command_flags[] = {
    {CMD_WRITE, "write"},
    {CMD_READONLY, "readonly"},
    {CMD_DENYOOM, "denyoom"},
    {CMD_ADMIN, "admin"},
    {CMD_PUBSUB, "pubsub"},
    {CMD_NOSCRIPT, "noscript"},
    {CMD_BLOCKING, "blocking"},
    {CMD_LOADING, "loading"},
    {CMD_STALE, "stale"},
    {CMD_SKIP_MONITOR, "skip_monitor"},
    {CMD_SKIP_SLOWLOG, "skip_slowlog"},
    {CMD_ASKING, "asking"},
    {CMD_FAST, "fast"},
    {CMD_NO_AUTH, "no_auth"},
    {CMD_NO_MANDATORY_KEYS, "no_mandatory_keys"},
    {CMD_PROTECTED, "protected"},
    {CMD_NO_ASYNC_LOADING, "no_async_loading"},
    {CMD_NO_MULTI, "no_multi"},
    {CMD_MOVABLEKEYS, "movablekeys"},
    {CMD_ALLOW_BUSY, "allow_busy"},
    {0, NULL},
};

static const struct flag_name acl_categories[] = {
    {ACL_KEYSPACE, "@keyspace"},
    {ACL_READ, "@read"},
    {ACL_WRITE, "@write"},
    {ACL_SET, "@set"},
    {ACL_ZSET, "@sortedset"},
    {ACL_LIST, "@list"},
    {ACL_HASH, "@hash"},
    {ACL_STRING, "@string"},
    {ACL_BITMAP, "@bitmap"},
    {ACL_HLL, "@hyperloglog"},
    {ACL_GEO, "@geo"},
    {ACL_STREAM, "@stream"},
    {ACL_PUBSUB, "@pubsub"},
    {ACL_ADMIN, "@admin"},
    {ACL_FAST, "@fast"},
    {ACL_SLOW, "@slow"},
    {ACL_BLOCKING, "@blocking"},
    {ACL_DANGEROUS, "@dangerous"},
    {ACL_CONNECTION, "@connection"},
    {ACL_TRANSACTION, "@transaction"},
    {ACL_SCRIPTING, "@scripting"},
    {0, NULL},
};

static const struct flag_name key_flags[] = {
    {KEY_RO, "RO"},
    {KEY_RW, "RW"},
    {KEY_OW, "OW"},
    {KEY_RM, "RM"},
    {KEY_ACCESS, "access"},
    {KEY_UPDATE, "update"},
    {KEY_INSERT, "insert"},
    {KEY_DELETE, "delete"},
    {KEY_NOT_KEY, "not_key"},
    {KEY_INCOMPLETE, "incomplete"},
    {KEY_VARIABLE_FLAGS, "variable_flags"},
    {0, NULL},
};

static void reply_flag_set(struct reply *r, const struct flag_name *names, uint32_t flags)
{
    size_t n = 0;
    for (const struct flag_name *f = names; f->name; f++) n += (flags & f->bit) != 0;
    reply_set(r, n);
    for (const struct flag_name *f = names; f->name; f++) {
        if (flags & f->bit) reply_status(r, f->name);
    }
}

static size_t strings_len(const char *const *strings)
{
    size_t n = 0;
    while (strings && strings[n]) n++;
    return n;
}

static size_t subcommands_len(const struct command *cmd)
{
    size_t n = 0;
    while (cmd->subcommands && cmd->subcommands[n].name) n++;
    return n;
}

/* ---- key specifications --------------------------------------------------------------------- */

static void reply_begin_search(struct reply *r, const struct key_spec *spec)
{
    reply_bulk_str(r, "begin_search");
    reply_map(r, 2);
    reply_bulk_str(r, "type");
    if (spec->find == KEYS_UNKNOWN) {
        reply_bulk_str(r, "unknown");
        reply_bulk_str(r, "spec");
        reply_map(r, 0);
        return;
    }
    bool after = spec->find == KEYS_RANGE_AFTER || spec->find == KEYS_NUM_AFTER;
    reply_bulk_str(r, after ? "keyword" : "index");
    reply_bulk_str(r, "spec");
    reply_map(r, after ? 2 : 1);
    if (after) {
        reply_bulk_str(r, "keyword");
        reply_bulk_str(r, spec->keyword);
    }
    reply_bulk_str(r, after ? "startfrom" : "index");
    reply_int(r, spec->first);
}

static void reply_number(struct reply *r, const char *name, int64_t v)
{
    reply_bulk_str(r, name);
    reply_int(r, v);
}

static void reply_find_keys(struct reply *r, const struct key_spec *spec)
{
    int step = spec->step > 0 ? spec->step : 1;
    bool range = spec->find == KEYS_RANGE || spec->find == KEYS_RANGE_AFTER;
    reply_bulk_str(r, "find_keys");
    reply_map(r, 2);
    reply_bulk_str(r, "type");
    reply_bulk_str(r, spec->find == KEYS_UNKNOWN ? "unknown" : range ? "range" : "keynum");
    reply_bulk_str(r, "spec");
    reply_map(r, spec->find == KEYS_UNKNOWN ? 0 : 3);
    if (spec->find == KEYS_UNKNOWN) return;
    reply_number(r, range ? "lastkey" : "keynumidx", range ? spec->last : 0);
    if (!range) reply_number(r, "firstkey", 1);
    reply_number(r, "keystep", step);
    if (range) reply_number(r, "limit", spec->limit);
}

static void reply_key_spec(struct reply *r, const struct key_spec *spec)
{
    reply_map(r, 3 + (spec->notes != NULL));
    if (spec->notes) {
        reply_bulk_str(r, "notes");
        reply_bulk_str(r, spec->notes);
    }
    reply_bulk_str(r, "flags");
    reply_flag_set(r, key_flags, spec->flags);
    reply_begin_search(r, spec);
    reply_find_keys(r, spec);
}

/* First key, last key and step, for those who know nothing of specifications: one range that covers
 * the ranges that stand directly behind each other. */
struct key_range {
    int first, last, step;
};

static struct key_range single_range(const struct key_spec *spec)
{
    int last = spec->last < 0 ? spec->last : spec->first + spec->last;
    return (struct key_range){spec->first, last, spec->step > 0 ? spec->step : 1};
}

static struct key_range key_range_of(const struct command *cmd)
{
    struct key_range all = {0, 0, 0};
    unsigned n = command_key_specs(cmd);
    for (unsigned i = 0; i < n; i++) {
        if (cmd->keys[i].find != KEYS_RANGE) continue;
        struct key_range one = single_range(&cmd->keys[i]);
        if (n == 1) return one;
        if (one.step != 1 || (all.first && all.last != one.first - 1)) continue;
        if (!all.first) all.first = one.first;
        all.last = one.last;
        all.step = 1;
    }
    return all;
}

/* ---- INFO ----------------------------------------------------------------------------------- */

static void reply_info(struct reply *r, const struct command *cmd)
{
    struct key_range range = key_range_of(cmd);
    size_t hints = strings_len(cmd->hints), subs = subcommands_len(cmd);
    unsigned specs = command_key_specs(cmd);
    reply_array(r, 10);
    reply_bulk_str(r, cmd->full_name);
    reply_int(r, cmd->arity);
    reply_flag_set(r, command_flags, cmd->flags);
    reply_int(r, range.first);
    reply_int(r, range.last);
    reply_int(r, range.step);
    reply_flag_set(r, acl_categories, command_acl(cmd));
    reply_set(r, hints);
    for (size_t i = 0; i < hints; i++) reply_bulk_str(r, cmd->hints[i]);
    reply_set(r, specs);
    for (unsigned i = 0; i < specs; i++) reply_key_spec(r, &cmd->keys[i]);
    reply_set(r, subs);
    for (size_t i = 0; i < subs; i++) reply_info(r, &cmd->subcommands[i]);
}

static void count_one(const struct command *cmd, void *arg)
{
    ++*(size_t *)arg;
}

static size_t count_commands(void)
{
    size_t n = 0;
    commands_each(count_one, &n);
    return n;
}

static void info_one(const struct command *cmd, void *arg)
{
    reply_info(arg, cmd);
}

/* "get" or "client|list". */
static const struct command *by_full_name(struct slice name)
{
    const char *bar = memchr(name.p, '|', name.n);
    struct slice parts[2] = {name, {NULL, 0}};
    if (!bar) return command_lookup(name);
    parts[0].n = (size_t)(bar - name.p);
    parts[1] = slice_of(bar + 1, name.n - parts[0].n - 1);
    const struct command *container = NULL;
    const struct command *cmd = command_find(2, parts, &container);
    return cmd != container ? cmd : NULL;
}

static void all_info(struct call *c)
{
    reply_array(c->r, count_commands());
    commands_each(info_one, c->r);
}

static void command_info(struct call *c)
{
    if (c->argc == 2) {
        all_info(c);
        return;
    }
    reply_array(c->r, c->argc - 2);
    for (uint32_t i = 2; i < c->argc; i++) {
        const struct command *cmd = by_full_name(c->argv[i]);
        if (cmd) {
            reply_info(c->r, cmd);
        } else {
            reply_null(c->r);
        }
    }
}

/* ---- DOCS ----------------------------------------------------------------------------------- */

static void reply_text(struct reply *r, const char *name, const char *text)
{
    if (!text) return;
    reply_bulk_str(r, name);
    reply_bulk_str(r, text);
}

static void reply_history(struct reply *r, const struct command *cmd)
{
    size_t n = strings_len(cmd->history) / 2;
    if (n == 0) return;
    reply_bulk_str(r, "history");
    reply_set(r, n);
    for (size_t i = 0; i < n; i++) {
        reply_array(r, 2);
        reply_bulk_str(r, cmd->history[2 * i]);
        reply_bulk_str(r, cmd->history[2 * i + 1]);
    }
}

static void reply_docs(struct reply *r, const struct command *cmd);

static void reply_subcommand_docs(struct reply *r, const struct command *cmd)
{
    size_t subs = subcommands_len(cmd);
    if (subs == 0) return;
    reply_bulk_str(r, "subcommands");
    reply_map(r, subs);
    for (size_t i = 0; i < subs; i++) reply_docs(r, &cmd->subcommands[i]);
}

static void reply_doc_flags(struct reply *r, const struct command *cmd)
{
    if (!cmd->deprecated_since) return;
    reply_bulk_str(r, "doc_flags");
    reply_set(r, 1);
    reply_status(r, "deprecated");
}

/* Name and description: an entry of a map. */
static void reply_docs(struct reply *r, const struct command *cmd)
{
    bool has_syntax = cmd->syntax && *cmd->syntax;
    size_t fields = (cmd->summary != NULL) + (cmd->since != NULL) + (cmd->group != NULL) +
                    (cmd->complexity != NULL) + 2 * (cmd->deprecated_since != NULL) +
                    (cmd->replaced_by != NULL) + (strings_len(cmd->history) > 0) + has_syntax +
                    (subcommands_len(cmd) > 0);
    reply_bulk_str(r, cmd->full_name);
    reply_map(r, fields);
    reply_text(r, "summary", cmd->summary);
    reply_text(r, "since", cmd->since);
    reply_text(r, "group", cmd->group);
    reply_text(r, "complexity", cmd->complexity);
    reply_doc_flags(r, cmd);
    reply_text(r, "deprecated_since", cmd->deprecated_since);
    reply_text(r, "replaced_by", cmd->replaced_by);
    reply_history(r, cmd);
    if (has_syntax) {
        reply_bulk_str(r, "arguments");
        syntax_reply(r, cmd);
    }
    reply_subcommand_docs(r, cmd);
}

static void docs_one(const struct command *cmd, void *arg)
{
    reply_docs(arg, cmd);
}

/* Names that are no command are left out. */
static void command_docs(struct call *c)
{
    if (c->argc == 2) {
        reply_map(c->r, count_commands());
        commands_each(docs_one, c->r);
        return;
    }
    size_t n = 0;
    for (uint32_t i = 2; i < c->argc; i++) n += by_full_name(c->argv[i]) != NULL;
    reply_map(c->r, n);
    for (uint32_t i = 2; i < c->argc; i++) {
        const struct command *cmd = by_full_name(c->argv[i]);
        if (cmd) reply_docs(c->r, cmd);
    }
}

/* ---- LIST ----------------------------------------------------------------------------------- */

struct filter {
    struct reply *r;
    size_t n;
    bool by_category, by_pattern, nothing;
    uint32_t category;
    struct slice pattern;
};

static bool passes(const struct filter *f, const struct command *cmd)
{
    if (f->nothing) return false;
    if (f->by_category) return (command_acl(cmd) & f->category) != 0;
    return !f->by_pattern || glob_match(f->pattern, slice_str(cmd->full_name), true);
}

static void list_if(struct filter *f, const struct command *cmd)
{
    if (!passes(f, cmd)) return;
    reply_bulk_str(f->r, cmd->full_name);
    f->n++;
}

static void list_one(const struct command *cmd, void *arg)
{
    struct filter *f = arg;
    list_if(f, cmd);
    for (size_t i = 0; i < subcommands_len(cmd); i++) list_if(f, &cmd->subcommands[i]);
}

static uint32_t category_bit(struct slice name)
{
    for (const struct flag_name *f = acl_categories; f->name; f++) {
        if (slice_is(name, f->name + 1)) return f->bit;
    }
    return 0;
}

static bool parse_filter(struct call *c, struct filter *f)
{
    if (c->argc == 2) return true;
    if (c->argc != 5 || !slice_is(c->argv[2], "filterby")) return false;
    struct slice what = c->argv[3];
    if (slice_is(what, "module")) {
        f->nothing = true; /* there are no modules */
    } else if (slice_is(what, "aclcat")) {
        f->by_category = true;
        f->category = category_bit(c->argv[4]);
    } else if (slice_is(what, "pattern")) {
        f->by_pattern = true;
        f->pattern = c->argv[4];
    } else {
        return false;
    }
    return true;
}

static void command_list(struct call *c)
{
    struct filter f = {.r = c->r};
    if (!parse_filter(c, &f)) {
        call_syntax_error(c);
        return;
    }
    struct reply_mark mark = reply_open(c->r);
    commands_each(list_one, &f);
    reply_close_array(c->r, mark, f.n);
}

static void command_count(struct call *c)
{
    reply_int(c->r, (int64_t)count_commands());
}

/* ---- GETKEYS -------------------------------------------------------------------------------- */

static int keys_of_arguments(struct call *c, struct key_ref **refs)
{
    uint32_t argc = c->argc - 2;
    const struct slice *argv = c->argv + 2;
    const struct command *cmd = command_find(argc, argv, NULL);
    const char *error = NULL;
    int n = 0;
    if (!cmd) {
        error = "ERR Invalid command specified";
    } else if (!command_key_specs(cmd) && !cmd->find_keys) {
        error = "ERR The command has no key arguments";
    } else if (!command_arity_ok(cmd, argc)) {
        error = "ERR Invalid number of arguments specified for command";
    } else if ((n = command_keys(cmd, argc, argv, NULL, 0)) < 0) {
        error = "ERR Invalid arguments specified for command";
    } else if (n == 0 && !(cmd->flags & CMD_NO_MANDATORY_KEYS)) {
        error = "ERR The command has no key arguments";
    }
    if (error) {
        reply_error(c->r, error);
        return -1;
    }
    *refs = mem_alloc((size_t)n * sizeof **refs + 1);
    return command_keys(cmd, argc, argv, *refs, n);
}

static void command_getkeys(struct call *c)
{
    struct key_ref *refs;
    int n = keys_of_arguments(c, &refs);
    if (n < 0) return;
    reply_array(c->r, (size_t)n);
    for (int i = 0; i < n; i++) reply_bulk(c->r, c->argv[2 + refs[i].index]);
    mem_free(refs);
}

static void command_getkeysandflags(struct call *c)
{
    struct key_ref *refs;
    int n = keys_of_arguments(c, &refs);
    if (n < 0) return;
    reply_array(c->r, (size_t)n);
    for (int i = 0; i < n; i++) {
        reply_array(c->r, 2);
        reply_bulk(c->r, c->argv[2 + refs[i].index]);
        reply_flag_set(c->r, key_flags, refs[i].flags & ~(uint32_t)KEY_VARIABLE_FLAGS);
    }
    mem_free(refs);
}

/* ---- declarations --------------------------------------------------------------------------- */

static const char *const any_order[] = {"nondeterministic_output_order", NULL};
static const char *const info_history[] = {
    "7.0.0", "Without a name it describes all commands.", NULL};
static const char *const help_lines[] = {
    "(without a subcommand)",
    "    Describe all commands.",
    "COUNT",
    "    How many commands there are.",
    "DOCS [<command-name> ...]",
    "    Document these commands, or all.",
    "GETKEYS <command> [<arg> ...]",
    "    Which arguments of this call are keys.",
    "GETKEYSANDFLAGS <command> [<arg> ...]",
    "    The same, with what the call does to each key.",
    "INFO [<command-name> ...]",
    "    Describe these commands, or all.",
    "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
    "    The names of the commands.",
    NULL,
};

#define FLAGS CMD_LOADING | CMD_STALE
#define SUB(sub_name, sub_run, sub_arity, sub_since)                                               \
    .name = sub_name, .run = sub_run, .arity = sub_arity, .since = sub_since, .flags = FLAGS,      \
    .acl = ACL_CONNECTION, .group = "server"

static const struct command subcommands[] = {
    {SUB("count", command_count, 2, "2.8.13"), .complexity = "O(1)",
     .summary = "Says how many commands there are."},
    {SUB("docs", command_docs, -2, "7.0.0"), .hints = any_order,
     .complexity = "O(N) with N the number of commands described",
     .summary = "Documents commands: what they do, since when, and their arguments.",
     .syntax = "[command-name...]"},
    {SUB("getkeys", command_getkeys, -3, "2.8.13"),
     .complexity = "O(N) with N the number of arguments",
     .summary = "Finds the keys among the arguments of a call.", .syntax = "command [arg...]"},
    {SUB("getkeysandflags", command_getkeysandflags, -3, "7.0.0"),
     .complexity = "O(N) with N the number of arguments",
     .summary = "Finds the keys among the arguments of a call, and what it does to them.",
     .syntax = "command [arg...]"},
    {SUB("help", call_help, 2, "5.0.0"), .complexity = "O(1)",
     .summary = "Lists the subcommands."},
    {SUB("info", command_info, -2, "2.8.13"), .hints = any_order, .history = info_history,
     .complexity = "O(N) with N the number of commands described",
     .summary = "Describes commands: arity, flags, categories and where their keys are.",
     .syntax = "[command-name...]"},
    {SUB("list", command_list, -2, "7.0.0"), .hints = any_order,
     .complexity = "O(N) with N the number of commands", .summary = "Lists the commands' names.",
     .syntax = "[FILTERBY filterby(MODULE module-name|ACLCAT category|PATTERN pattern)]"},
    {.name = NULL},
};

struct command introspection_commands[] = {
    {.name = "command", .run = all_info, .arity = -1, .flags = FLAGS, .acl = ACL_CONNECTION,
     .group = "server", .since = "2.8.13", .hints = any_order,
     .complexity = "O(N) with N the number of commands",
     .summary = "Describes all commands.", .subcommands = subcommands, .help = help_lines},
    {.name = NULL},
};
