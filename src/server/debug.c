/*
 * debug.c - DEBUG: what test suites and people who look for a fault need. One function a
 * subcommand, and their table.
 *
 * DEBUG owns nothing when it starts (CMD_WALK): subcommands that look at a key own its partition
 * for themselves, and those that take long park.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "persist/persist.h"
#include "server/admin.h"
#include "server/persistence.h"
#include "server/process.h"

/* ---- one key -----------------------------------------------------------------------------------
 */

struct look { /* what is done with a key's entry while its partition is owned */
    struct call *c;
    struct key k;
    void (*fn)(struct call *c, struct entry *e);
};

static void look_owned(struct part *p, void *arg)
{
    struct look *look = arg;
    struct entry **slot =
        ks_find(p, look->c->db, &look->k, look->c->now_ms, KS_NO_TOUCH | KS_NO_STATS);
    look->fn(look->c, slot ? *slot : NULL);
}

static void with_key(struct call *c, uint32_t arg, void (*fn)(struct call *c, struct entry *e))
{
    struct look look = {c, key_of(c->argv[arg]), fn};
    struct part *p = keyspace_part(look.k.part);
    if (owns_all(c)) {
        look_owned(p, &look);
    } else {
        part_delegate(p, look_owned, &look);
    }
}

/* Bytes of the value in a file: a payload without its type, version and checksum. */
static size_t serialized_length(const struct entry *e)
{
    struct buf payload = {0};
    dump_value(e, &payload);
    size_t n = payload.n;
    buf_free(&payload);
    return n - 11;
}

static void add_list_shape(struct buf *text, const struct entry *e)
{
    struct list_shape shape;
    if (!list_shape(e, &shape)) return;
    buf_addf(text,
             " ql_nodes:%zu ql_avg_node:%.2f ql_listpack_max:%d ql_compressed:%d "
             "ql_uncompressed_size:%zu",
             shape.nodes, (double)list_len(e) / (double)shape.nodes, shape.max_listpack_size,
             shape.compress_depth != 0, shape.bytes);
}

static void show_object(struct call *c, struct entry *e)
{
    bool fast = c->argc == 4 && slice_is(c->argv[3], "fast");
    if (!e) {
        reply_error(c->r, "ERR no such key");
        return;
    }
    struct buf text = {0};
    buf_addf(&text, "Value at:%p refcount:1 encoding:%s", (void *)e, entry_encoding_name(e));
    if (!fast) buf_addf(&text, " serializedlength:%zu", serialized_length(e));
    buf_addf(&text, " lru:%u lru_seconds_idle:%lld", (unsigned)e->access,
             (long long)ks_idle_seconds(e));
    if (e->type == TYPE_LIST) add_list_shape(&text, e);
    reply_status(c->r, buf_cstr(&text));
    buf_free(&text);
}

static void debug_object(struct call *c)
{
    with_key(c, 2, show_object);
}

static void show_digest(struct call *c, struct entry *e)
{
    char text[DIGEST_TEXT] = "0000000000000000000000000000000000000000";
    if (e) digest_entry(e, text);
    reply_status(c->r, text);
}

static void debug_digest_value(struct call *c)
{
    reply_array(c->r, c->argc - 2);
    for (uint32_t i = 2; i < c->argc; i++)
        with_key(c, i, show_digest);
}

static void debug_digest(struct call *c)
{
    char text[DIGEST_TEXT];
    digest_all(text, owns_all(c));
    reply_status(c->r, text);
}

static void show_listpack(struct call *c, struct entry *e)
{
    char tmp[NUM_I64_MAX];
    if (!e || (e->enc != ENC_LISTPACK && e->enc != ENC_LISTPACK_EX)) {
        reply_error(c->r, e ? "ERR Not a listpack encoded object." : "ERR no such key");
        return;
    }
    struct buf text = {0};
    lp *l = e->type == TYPE_HASH ? hash_to_listpack(e) : e->v.ptr;
    buf_addf(&text, "{total bytes %zu} {num entries %zu}\n", lp_bytes(l), lp_count(l));
    for (size_t pos = lp_first(l); pos != LP_NONE; pos = lp_next(l, pos)) {
        buf_add_repr(&text, lp_slice(l, pos, tmp));
        buf_addc(&text, '\n');
    }
    if (e->type == TYPE_HASH) lp_free(l);
    reply_verbatim(c->r, "txt", buf_slice(&text));
    buf_free(&text);
}

static void debug_listpack(struct call *c)
{
    with_key(c, 2, show_listpack);
}

/* ---- tables ------------------------------------------------------------------------------------
 */

static void debug_htstats(struct call *c)
{
    struct buf text = {0};
    int64_t db;
    if (!call_i64(c, 2, &db)) return;
    if (db < 0 || db >= (int64_t)keyspace_databases()) {
        reply_error(c->r, "ERR Out of range database");
        return;
    }
    ks_table_report((unsigned)db, &text);
    reply_verbatim(c->r, "txt", buf_slice(&text));
    buf_free(&text);
}

static void debug_dict_resizing(struct call *c)
{
    int64_t on;
    if (!call_i64(c, 2, &on)) return;
    keyspace_set_resizing(on != 0);
    reply_ok(c->r);
}

#define POPULATE_STEP 100 /* keys between two looks at the clock */

static void populate_one(struct call *c, const char *prefix, int64_t i, int64_t size)
{
    char name[256], value[64];
    int n = snprintf(name, sizeof name, "%.200s:%lld", prefix, (long long)i);
    struct key k = key_of(slice_of(name, (size_t)n));
    struct part *p = keyspace_part(k.part);
    if (!owns_all(c)) part_own(p);
    if (!ks_find(p, c->db, &k, c->now_ms, KS_NO_STATS)) {
        size_t len = (size_t)snprintf(value, sizeof value, "value:%lld", (long long)i);
        struct buf padded = {0};
        buf_add(&padded, value, size > 0 ? MIN(len, (size_t)size) : len);
        while (size > 0 && padded.n < (size_t)size)
            buf_addc(&padded, '\0');
        ks_add(p, c->db, &k, entry_new_string(k.s, buf_slice(&padded), ENTRY_NO_EXPIRE));
        ks_touched(p, c->db, &k);
        buf_free(&padded);
    }
    if (!owns_all(c)) part_disown(p);
}

static void debug_populate(struct call *c)
{
    int64_t n, size = 0;
    char prefix[201] = "key";
    if (!call_i64_range(c, 2, 0, INT64_MAX, &n, NULL)) return;
    if (c->argc > 3) snprintf(prefix, sizeof prefix, "%.*s", (int)c->argv[3].n, c->argv[3].p);
    if (c->argc > 4 && !call_i64_range(c, 4, 0, INT32_MAX, &size, NULL)) return;
    for (int64_t i = 0; i < n; i++) {
        populate_one(c, prefix, i, size);
        if (i % POPULATE_STEP == 0 && !owns_all(c) && co_should_yield()) co_yield();
    }
    reply_ok(c->r);
}

/* ---- switches ----------------------------------------------------------------------------------
 */

static void debug_set_active_expire(struct call *c)
{
    int64_t on;
    if (!call_i64(c, 2, &on)) return;
    keyspace_set_active_expire(on != 0);
    reply_ok(c->r);
}

static void debug_pause_cron(struct call *c)
{
    int64_t on;
    if (!call_i64(c, 2, &on)) return;
    cron_pause(on != 0);
    reply_ok(c->r);
}

static void debug_packed_threshold(struct call *c)
{
    int64_t bytes;
    if (!num_parse_memory(c->argv[2], &bytes) || bytes < 0) {
        reply_error(c->r, "ERR argument must be a memory value");
    } else if (bytes > UINT32_MAX) {
        reply_error(c->r, "ERR argument must be less than 4gb");
    } else {
        bool owned = owns_all(c);
        if (!owned) keyspace_own_all();
        list_limits.packed_threshold = (size_t)bytes;
        if (!owned) keyspace_disown_all();
        reply_ok(c->r);
    }
}

/* ---- files and payloads ------------------------------------------------------------------------
 */

static void debug_reload(struct call *c)
{
    struct reload how = {.save = true, .flush = true};
    for (uint32_t i = 2; i < c->argc; i++) {
        if (slice_is(c->argv[i], "MERGE")) {
            how.merge = true;
        } else if (slice_is(c->argv[i], "NOFLUSH")) {
            how.flush = false;
        } else if (slice_is(c->argv[i], "NOSAVE")) {
            how.save = false;
        } else {
            reply_error(c->r,
                        "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
            return;
        }
    }
    if (!owns_all(c)) keyspace_own_all();
    const char *error = persistence_reload(&how);
    if (!owns_all(c)) keyspace_disown_all();
    if (error) {
        reply_error(c->r, error);
    } else {
        reply_ok(c->r);
    }
}

static void debug_skip_checksum(struct call *c)
{
    int64_t on;
    if (!call_i64(c, 2, &on)) return;
    atomic_store_explicit(&rdb_settings.skip_checksum, on != 0, memory_order_relaxed);
    reply_ok(c->r);
}

/* ---- time, log, errors -------------------------------------------------------------------------
 */

/* Only this client waits; in a transaction, which owns all, everybody does. */
static void debug_sleep(struct call *c)
{
    double seconds;
    if (!call_double(c, 2, &seconds)) return;
    int64_t ns = (int64_t)(seconds * 1e9);
    if (owns_all(c)) {
        struct timespec ts = {ns / 1000000000, ns % 1000000000};
        nanosleep(&ts, NULL);
    } else {
        co_sleep(ns);
    }
    reply_ok(c->r);
}

static void debug_log(struct call *c)
{
    log_write(LOG_WARNING, "DEBUG LOG: %.*s", (int)c->argv[2].n, c->argv[2].p);
    reply_ok(c->r);
}

static void debug_error(struct call *c)
{
    reply_errorf(c->r, "%.*s", (int)c->argv[2].n, c->argv[2].p);
}

static void debug_stringmatch_len(struct call *c)
{
    int64_t n;
    if (!call_i64_range(c, 2, 0, UINT32_MAX, &n, NULL)) return;
    char *text = mem_alloc((size_t)n + 1);
    memset(text, 'x', (size_t)n);
    reply_int(c->r, glob_match(c->argv[3], slice_of(text, (size_t)n), false));
    mem_free(text);
}

/* The sanitizer would speak up before the fault. */
__attribute__((no_sanitize("undefined"))) static void debug_segfault(struct call *c)
{
    static char *volatile nowhere; /* a real fault: the handlers look at its address */
    *nowhere = 1;
}

static void debug_panic(struct call *c)
{
    panic("DEBUG PANIC, as asked for");
}

static void debug_oom(struct call *c)
{
    mem_free(mem_alloc(SIZE_MAX / 4));
}

/* ---- replies of every type ----------------------------------------------------------------------
 */

static void protocol_attrib(struct reply *r)
{
    if (r->resp > 2) {
        reply_attribute(r, 1);
        reply_bulk_str(r, "key-popularity");
        reply_array(r, 2);
        reply_bulk_str(r, "key:123");
        reply_int(r, 90);
    }
    reply_bulk_str(r, "Some real reply following the attribute");
}

static void protocol_triple(struct reply *r)
{
    for (int i = 0; i < 3; i++)
        reply_int(r, i);
}

static void protocol_set(struct reply *r)
{
    reply_set(r, 3);
    protocol_triple(r);
}

static void protocol_map(struct reply *r)
{
    reply_map(r, 3);
    for (int i = 0; i < 3; i++) {
        reply_int(r, i);
        reply_bool(r, i == 1);
    }
}

static void protocol_push(struct reply *r)
{
    if (r->resp == 2) {
        reply_error(r, "ERR RESP2 is not supported by this command");
        return;
    }
    reply_push(r, 2);
    reply_bulk_str(r, "server-cpu-usage");
    reply_int(r, 42);
}

static void protocol_array(struct reply *r)
{
    reply_array(r, 3);
    protocol_triple(r);
}

static void protocol_string(struct reply *r)
{
    reply_bulk_str(r, "Hello World");
}

static void protocol_integer(struct reply *r)
{
    reply_int(r, 12345);
}

static void protocol_double(struct reply *r)
{
    reply_double(r, 3.141);
}

static void protocol_bignum(struct reply *r)
{
    reply_big_number(r, SLICE("1234567999999999999999999999999999999"));
}

static void protocol_verbatim(struct reply *r)
{
    reply_verbatim(r, "txt", SLICE("This is a verbatim\nstring"));
}

static void protocol_true(struct reply *r)
{
    reply_bool(r, true);
}

static void protocol_false(struct reply *r)
{
    reply_bool(r, false);
}

static const struct {
    const char *name;
    void (*reply)(struct reply *r);
} protocols[] = {
    {"string", protocol_string}, {"integer", protocol_integer},
    {"double", protocol_double}, {"null", reply_null},
    {"array", protocol_array},   {"set", protocol_set},
    {"map", protocol_map},       {"attrib", protocol_attrib},
    {"push", protocol_push},     {"verbatim", protocol_verbatim},
    {"true", protocol_true},     {"false", protocol_false},
    {"bignum", protocol_bignum},
};

static void debug_protocol(struct call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        if (!slice_is(c->argv[2], protocols[i].name)) continue;
        protocols[i].reply(c->r);
        return;
    }
    reply_error(c->r, "ERR Wrong protocol type name. Please use one of the following: "
                      "string|integer|double|null|array|set|map|attrib|push|verbatim|true|false");
}

/* ---- the command
 * --------------------------------------------------------------------------------- */

static void debug_help(struct call *c);

static const struct {
    const char *name;
    uint32_t least, most; /* arguments, the two words counted */
    command_fn *run;
    const char *usage, *text;
} subcommands[] = {
    {"DICT-RESIZING", 3, 3, debug_dict_resizing, "<0|1>",
     "Let the tables grow and shrink, or not."},
    {"DIGEST", 2, 2, debug_digest, "", "Show a digest of all the data."},
    {"DIGEST-VALUE", 3, UINT32_MAX, debug_digest_value, "<key> [<key> ...]",
     "Show a digest of each key's value."},
    {"ERROR", 3, 3, debug_error, "<text>", "Reply with this error."},
    {"HTSTATS", 3, 3, debug_htstats, "<db>", "Show the state of a database's tables."},
    {"LISTPACK", 3, 3, debug_listpack, "<key>", "Show the elements of a packed value."},
    {"LOG", 3, 3, debug_log, "<text>", "Write a line to the log."},
    {"OBJECT", 3, 4, debug_object, "<key> [fast]", "Show how a value is kept."},
    {"OOM", 2, 2, debug_oom, "", "Ask for more memory than there is: ends the server."},
    {"PANIC", 2, 2, debug_panic, "", "End the server as a failed check does."},
    {"PAUSE-CRON", 3, 3, debug_pause_cron, "<0|1>", "Do nothing regular, or go on with it."},
    {"POPULATE", 3, 5, debug_populate, "<count> [<prefix> [<size>]]",
     "Add keys, unless they are there."},
    {"PROTOCOL", 3, 3, debug_protocol, "<type>", "Reply with a value of this type."},
    {"QUICKLIST-PACKED-THRESHOLD", 3, 3, debug_packed_threshold, "<size>",
     "Give list elements from this size on a node of their own."},
    {"RELOAD", 2, 5, debug_reload, "[MERGE] [NOFLUSH] [NOSAVE]",
     "Save everything, and load it again."},
    {"SEGFAULT", 2, 2, debug_segfault, "", "End the server with a crash report."},
    {"SET-ACTIVE-EXPIRE", 3, 3, debug_set_active_expire, "<0|1>",
     "Remove expired keys in the background, or only when they are met."},
    {"SET-SKIP-CHECKSUM-VALIDATION", 3, 3, debug_skip_checksum, "<0|1>",
     "Take files and payloads with a wrong checksum."},
    {"SLEEP", 3, 3, debug_sleep, "<seconds>",
     "Reply after this time; others are served meanwhile."},
    {"STRINGMATCH-LEN", 4, 4, debug_stringmatch_len, "<length> <pattern>",
     "Match a pattern against that many x."},
    {"HELP", 2, 2, debug_help, "", "Print this help."},
};

static void debug_help(struct call *c)
{
    reply_array(c->r, 1 + 2 * ARRAY_LEN(subcommands));
    reply_status(c->r, "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (size_t i = 0; i < ARRAY_LEN(subcommands); i++) {
        struct buf line = {0};
        buf_addf(&line, "%s %s", subcommands[i].name, subcommands[i].usage);
        reply_status(c->r, buf_cstr(&line));
        buf_clear(&line);
        buf_addf(&line, "    %s", subcommands[i].text);
        reply_status(c->r, buf_cstr(&line));
        buf_free(&line);
    }
}

/* enable-debug-command: no, yes, or only for clients of this machine. */
static bool allowed(struct call *c)
{
    struct buf value = {0};
    config_show(config_option(OPT_ENABLE_DEBUG_COMMAND), &value);
    struct slice v = buf_slice(&value);
    bool ok = slice_is(v, "yes") ||
              (slice_is(v, "local") && conn_is_loopback(&session_of(c->caller)->conn));
    buf_free(&value);
    if (ok) return true;
    reply_error(c->r,
                "ERR DEBUG command not allowed. If the enable-debug-command option is set to "
                "\"local\", you can run it from a local connection, otherwise you need to set "
                "this option in the configuration file, and then restart the server.");
    return false;
}

static void debug_command(struct call *c)
{
    if (!allowed(c)) return;
    for (size_t i = 0; i < ARRAY_LEN(subcommands); i++) {
        if (!slice_is(c->argv[1], subcommands[i].name)) continue;
        if (c->argc < subcommands[i].least || c->argc > subcommands[i].most) break;
        subcommands[i].run(c);
        return;
    }
    reply_errorf(c->r,
                 "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG HELP.",
                 (int)MIN(c->argv[1].n, (size_t)128), c->argv[1].p);
}

struct command debug_commands[] = {
    {.name = "debug",
     .run = debug_command,
     .arity = -2,
     .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_PROTECTED | CMD_WALK,
     .group = "server",
     .since = "1.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "A container for what test suites and fault finding need.",
     .syntax = "subcommand:string [arg:string...]"},
    {.name = NULL},
};
