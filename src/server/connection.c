/*
 * connection.c - the commands about the connection itself: PING, ECHO, AUTH, HELLO, QUIT, RESET,
 * SELECT. They touch the session of their caller alone.
 */
#include "server/client.h"
#include "server/server.h"

static void ping(struct call *c)
{
    if (c->argc > 2) {
        call_wrong_arity(c);
    } else if (c->argc == 2) {
        reply_bulk(c->r, c->argv[1]);
    } else {
        reply_literal(c->r, "+PONG\r\n");
    }
}

static void echo(struct call *c)
{
    reply_bulk(c->r, c->argv[1]);
}

static void select_db(struct call *c)
{
    int64_t db;
    if (!call_i64(c, 1, &db)) return;
    if (db < INT32_MIN || db > INT32_MAX) {
        reply_error(c->r,
                    "ERR value is out of range, value must between -2147483648 and 2147483647");
        return;
    }
    if (db < 0 || db >= (int64_t)keyspace_databases()) {
        reply_error(c->r, "ERR DB index is out of range");
        return;
    }
    c->caller->db = (uint32_t)db;
    reply_ok(c->r);
}

static void quit(struct call *c)
{
    atomic_fetch_or_explicit(&c->caller->gate, GATE_CLOSE, memory_order_relaxed);
    reply_ok(c->r);
}

static void set_protocol(struct session *s, int version)
{
    s->conn.reply.resp = (uint8_t)version;
}

static void reset(struct call *c)
{
    struct session *s = session_of(c->caller);
    caller_reset(c->caller);
    c->caller->db = 0;
    set_protocol(s, 2);
    session_set_text(s, SESSION_NAME, slice_of("", 0));
    c->caller->flags &= ~(CALLER_NO_TOUCH | CALLER_NO_EVICT);
    caller_set_reply(c->caller, CALLER_REPLY_ON);
    if (auth_required()) {
        atomic_fetch_or_explicit(&c->caller->gate, GATE_AUTH, memory_order_relaxed);
    }
    reply_literal(c->r, "+RESET\r\n");
}

/* ---- AUTH, HELLO ------------------------------------------------------------------------------
 */

static void auth(struct call *c)
{
    struct session *s = session_of(c->caller);
    if (c->argc > 3) {
        call_syntax_error(c);
        return;
    }
    if (c->argc == 2 && !auth_required()) {
        reply_error(c->r, "ERR AUTH <password> called without any password configured for the "
                          "default user. Are you sure your configuration is correct?");
        return;
    }
    struct slice user = c->argc == 3 ? c->argv[1] : SLICE("default");
    if (auth_try(s, user, c->argv[c->argc - 1])) reply_ok(c->r);
}

struct hello {
    int64_t version; /* 0: not given */
    bool auth, named;
    struct slice user, password, name;
};

static bool parse_hello(struct call *c, struct hello *h)
{
    uint32_t i = 1;
    if (c->argc > i && !call_i64_range(c, i, INT64_MIN, INT64_MAX, &h->version,
                                       "Protocol version is not an integer or out of range")) {
        return false;
    }
    if (c->argc > i++ && (h->version < 2 || h->version > 3)) {
        reply_error(c->r, "NOPROTO unsupported protocol version");
        return false;
    }
    while (i < c->argc) {
        struct slice word = c->argv[i];
        uint32_t left = c->argc - i - 1;
        if (slice_is(word, "auth") && left >= 2) {
            h->auth = true;
            h->user = c->argv[i + 1];
            h->password = c->argv[i + 2];
            i += 3;
        } else if (slice_is(word, "setname") && left >= 1) {
            h->named = true;
            h->name = c->argv[i + 1];
            i += 2;
        } else {
            reply_errorf(c->r, "ERR Syntax error in HELLO option '%.*s'", (int)word.n, word.p);
            return false;
        }
    }
    return true;
}

static bool authenticated(struct session *s)
{
    uint32_t gate = atomic_load_explicit(&s->caller.gate, memory_order_relaxed);
    return !(gate & GATE_AUTH) || !auth_required();
}

static void describe_server(struct call *c)
{
    struct reply *r = c->r;
    reply_map(r, 7);
    reply_bulk_str(r, "server");
    reply_bulk_str(r, "redis");
    reply_bulk_str(r, "version");
    reply_bulk_str(r, REDIS_VERSION);
    reply_bulk_str(r, "proto");
    reply_int(r, r->resp);
    reply_bulk_str(r, "id");
    reply_int(r, (int64_t)c->caller->id);
    reply_bulk_str(r, "mode");
    reply_bulk_str(r, "standalone");
    reply_bulk_str(r, "role");
    reply_bulk_str(r, "master");
    reply_bulk_str(r, "modules");
    reply_empty_array(r);
}

static void hello(struct call *c)
{
    struct session *s = session_of(c->caller);
    struct hello h = {0};
    if (!parse_hello(c, &h)) return;
    if (h.auth && !auth_try(s, h.user, h.password)) return;
    if (!authenticated(s)) {
        reply_error(c->r,
                    "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                    "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
                    "client and select the RESP protocol version at the same time");
        return;
    }
    if (h.named && !client_name_ok(h.name)) {
        reply_error(c->r,
                    "ERR Client names cannot contain spaces, newlines or special characters.");
        return;
    }
    if (h.named) session_set_text(s, SESSION_NAME, h.name);
    if (h.version) set_protocol(s, (int)h.version);
    describe_server(c);
}

/* ---- declarations -----------------------------------------------------------------------------
 */

#define SESSION_FLAGS                                                                              \
    (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_FAST | CMD_NO_AUTH | CMD_ALLOW_BUSY)

static const char *const ping_hints[] = {"request_policy:all_shards",
                                         "response_policy:all_succeeded", NULL};
static const char *const auth_history[] = {"6.0.0", "Takes a user's name before the password.",
                                           NULL};
static const char *const hello_history[] = {
    "6.2.0", "The version may be left out; then nothing but the description is asked for.", NULL};

struct command connection_commands[] = {
    {.name = "ping",
     .run = ping,
     .arity = -1,
     .flags = CMD_FAST,
     .acl = ACL_CONNECTION,
     .group = "connection",
     .since = "1.0.0",
     .complexity = "O(1)",
     .hints = ping_hints,
     .summary = "Asks for a sign of life; a message comes back as it is.",
     .syntax = "[message:string]"},
    {.name = "echo",
     .run = echo,
     .arity = 2,
     .flags = CMD_FAST | CMD_LOADING | CMD_STALE,
     .acl = ACL_CONNECTION,
     .group = "connection",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Returns its argument.",
     .syntax = "message:string"},
    {.name = "auth",
     .run = auth,
     .arity = -2,
     .flags = SESSION_FLAGS | CMD_SESSION,
     .acl = ACL_CONNECTION,
     .group = "connection",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of passwords of the user.",
     .history = auth_history,
     .summary = "Authenticates the connection.",
     .syntax = "[username:string] password:string"},
    {.name = "hello",
     .run = hello,
     .arity = -1,
     .flags = SESSION_FLAGS | CMD_SESSION,
     .acl = ACL_CONNECTION,
     .group = "connection",
     .since = "6.0.0",
     .complexity = "O(1)",
     .history = hello_history,
     .summary = "Chooses the version of the protocol, and describes the server.",
     .syntax = "[(protover:integer [AUTH (username:string password:string)] "
               "[SETNAME clientname:string])]"},
    {.name = "quit",
     .run = quit,
     .arity = -1,
     .flags = SESSION_FLAGS | CMD_NOW | CMD_SESSION,
     .acl = ACL_CONNECTION,
     .group = "connection",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Closes the connection once what waits has been sent.",
     .deprecated_since = "7.2.0",
     .replaced_by = "just closing the connection"},
    {.name = "reset",
     .run = reset,
     .arity = 1,
     .flags = SESSION_FLAGS | CMD_NOW | CMD_SESSION,
     .acl = ACL_CONNECTION,
     .group = "connection",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Puts the connection into the state of a new one."},
    {.name = "select",
     .run = select_db,
     .arity = 2,
     .flags = CMD_LOADING | CMD_STALE | CMD_FAST | CMD_SESSION,
     .acl = ACL_CONNECTION,
     .group = "connection",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Chooses the database that later commands work on.",
     .syntax = "index:integer"},
    {.name = NULL},
};
