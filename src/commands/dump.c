/*
 * dump.c - DUMP and RESTORE: one value as bytes (persist/), and back.
 *
 * A payload comes from anywhere: everything in it is checked before there is an entry of it.
 */
#include "commands/dump_internal.h"

void dump_command(struct call *c)
{
    struct entry **slot = call_find(c, &c->keys[0], 0);
    struct buf payload = {0};
    if (!slot) {
        reply_null(c->r);
        return;
    }
    dump_value(*slot, &payload);
    reply_bulk(c->r, buf_slice(&payload));
    buf_free(&payload);
}

/* ---- RESTORE -------------------------------------------------------------------------------- */

struct restore_options {
    bool replace, absolute;
    int64_t idle_s, frequency; /* -1: not given */
    int64_t expire_ms;
};

static bool restore_number(struct call *c, uint32_t arg, int64_t max, const char *error,
                           int64_t *out)
{
    if (!call_i64(c, arg, out)) return false;
    if (*out >= 0 && *out <= max) return true;
    reply_error(c->r, error);
    return false;
}

static bool parse_options(struct call *c, struct restore_options *o)
{
    for (uint32_t i = 4; i < c->argc; i++) {
        struct slice word = c->argv[i];
        bool value = i + 1 < c->argc;
        if (slice_is(word, "REPLACE")) {
            o->replace = true;
        } else if (slice_is(word, "ABSTTL")) {
            o->absolute = true;
        } else if (slice_is(word, "IDLETIME") && value && o->frequency == -1) {
            if (!restore_number(c, ++i, INT64_MAX, "ERR Invalid IDLETIME value, must be >= 0",
                                &o->idle_s))
                return false;
        } else if (slice_is(word, "FREQ") && value && o->idle_s == -1) {
            if (!restore_number(c, ++i, 255, "ERR Invalid FREQ value, must be >= 0 and <= 255",
                                &o->frequency))
                return false;
        } else {
            call_syntax_error(c);
            return false;
        }
    }
    return true;
}

static bool parse_ttl(struct call *c, struct restore_options *o)
{
    int64_t ttl;
    if (!restore_number(c, 2, INT64_MAX, "ERR Invalid TTL value, must be >= 0", &ttl)) return false;
    if (ttl == 0) {
        o->expire_ms = ENTRY_NO_EXPIRE;
    } else if (o->absolute) {
        o->expire_ms = ttl;
    } else {
        o->expire_ms = ttl > INT64_MAX - c->now_ms ? INT64_MAX : ttl + c->now_ms;
    }
    return true;
}

static struct entry *read_payload(struct call *c, const struct restore_options *o)
{
    struct entry *e = NULL;
    if (restore_check(c->argv[3]) != RESTORE_OK) {
        reply_error(c->r, "ERR DUMP payload version or checksum are wrong");
    } else if (restore_value(c->argv[3], c->keys[0].s, o->expire_ms, &e) != RESTORE_OK) {
        reply_error(c->r, "ERR Bad data format");
        e = NULL;
    }
    return e;
}

/* Puts e under its key. One whose time has come goes at once, with what it was to replace. */
static void put(struct call *c, struct entry *e, const struct restore_options *o)
{
    const struct key *k = &c->keys[0];
    struct part *p = call_part(c, k);
    struct entry **slot = call_find(c, k, KS_NO_TOUCH);
    bool late = o->expire_ms != ENTRY_NO_EXPIRE && o->expire_ms <= c->now_ms;
    if (slot) ks_delete(p, c->db, k, slot, true);
    if (late) {
        if (slot) call_changed(c, k, 'g', "del");
        entry_free(e);
        return;
    }
    slot = ks_add(p, c->db, k, e);
    if (o->idle_s >= 0) ks_set_idle(*slot, o->idle_s);
    if (o->frequency >= 0) ks_set_frequency(*slot, (unsigned)o->frequency);
    call_changed(c, k, 'g', "restore");
    call_ready(c, k);
}

void restore_command(struct call *c)
{
    struct restore_options o = {.idle_s = -1, .frequency = -1};
    if (!parse_options(c, &o)) return;
    if (!o.replace && call_find(c, &c->keys[0], KS_NO_TOUCH)) {
        reply_error(c->r, "BUSYKEY Target key name already exists.");
        return;
    }
    struct entry *e = parse_ttl(c, &o) ? read_payload(c, &o) : NULL;
    if (!e) return;
    put(c, e, &o);
    reply_ok(c->r);
}

/* ---- declarations --------------------------------------------------------------------------- */

#define KEY_AT(n, flag_bits)                                                                       \
    {                                                                                              \
        KEYS_RANGE, flag_bits, n, 0, 1, 0, NULL, NULL                                              \
    }

static const char *const changing_hints[] = {"nondeterministic_output", NULL};
static const char *const restore_history[] = {"3.0.0", "Takes `REPLACE`.",
                                              "5.0.0", "Takes `ABSTTL`.",
                                              "5.0.0", "Takes `IDLETIME` and `FREQ`.",
                                              NULL};
static const char *const migrate_history[] = {"3.0.0", "Takes `COPY` and `REPLACE`.",
                                              "3.0.6", "Takes `KEYS`.",
                                              "4.0.7", "Takes `AUTH`.",
                                              "6.0.0", "Takes `AUTH2`.",
                                              NULL};

#define RESTORE_SYNTAX                                                                             \
    "key ttl:integer serialized-value:string [REPLACE] [ABSTTL] [IDLETIME seconds:integer] "       \
    "[FREQ frequency:integer]"

struct command dump_commands[] = {
    {.name = "dump",
     .run = dump_command,
     .arity = 2,
     .group = "generic",
     .since = "2.6.0",
     .flags = CMD_READONLY,
     .acl = ACL_KEYSPACE,
     .hints = changing_hints,
     .keys = {KEY_AT(1, KEY_RO | KEY_ACCESS)},
     .complexity = "O(N), N being the bytes of the value.",
     .summary = "Returns a key's value in a form that RESTORE takes.",
     .syntax = "key"},
    {.name = "restore",
     .run = restore_command,
     .arity = -4,
     .group = "generic",
     .since = "2.6.0",
     .flags = CMD_WRITE | CMD_DENYOOM,
     .acl = ACL_KEYSPACE | ACL_DANGEROUS,
     .history = restore_history,
     .keys = {KEY_AT(1, KEY_OW | KEY_UPDATE)},
     .complexity = "O(N*log(N)) for a sorted set of N members, else O(N), N being the elements.",
     .summary = "Makes a key of what DUMP has returned.",
     .syntax = RESTORE_SYNTAX},
    {.name = "restore-asking",
     .run = restore_command,
     .arity = -4,
     .group = "server",
     .since = "3.0.0",
     .flags = CMD_WRITE | CMD_DENYOOM | CMD_ASKING,
     .acl = ACL_KEYSPACE | ACL_DANGEROUS,
     .history = restore_history,
     .keys = {KEY_AT(1, KEY_OW | KEY_UPDATE)},
     .complexity = "As RESTORE.",
     .summary = "RESTORE between nodes of a cluster, into a slot that is being moved.",
     .syntax = RESTORE_SYNTAX},
    {.name = "migrate",
     .run = migrate_command,
     .arity = -6,
     .group = "generic",
     .since = "2.6.0",
     .flags = CMD_WRITE | CMD_WALK | CMD_NO_MULTI,
     .acl = ACL_KEYSPACE | ACL_DANGEROUS,
     .hints = changing_hints,
     .history = migrate_history,
     .find_keys = migrate_keys,
     .keys = {KEY_AT(3, KEY_RW | KEY_ACCESS | KEY_DELETE),
              {KEYS_RANGE_AFTER, KEY_RW | KEY_ACCESS | KEY_DELETE | KEY_INCOMPLETE, -2, -1, 1, 0,
               "KEYS", NULL}},
     .complexity = "That of DUMP and DEL here, and of RESTORE there.",
     .summary = "Moves keys to another server.",
     .syntax = "host:string port:integer key-selector:string destination-db:integer "
               "timeout:integer [COPY] [REPLACE] [AUTH password:string | AUTH2 (username:string "
               "password:string)] [KEYS key...]"},
    {.name = NULL},
};
