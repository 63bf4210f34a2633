/*
 * client.c - CLIENT: what a client says of itself, and the declarations of all subcommands.
 */
#include "server/client.h"

/* ---- names ----------------------------------------------------------------------------------------- */

bool client_name_ok(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] < '!' || name.p[i] > '~') return false;
    }
    return true;
}

static void client_id(struct call *c)
{
    reply_int(c->r, (int64_t)c->caller->id);
}

static void client_getname(struct call *c)
{
    const char *name = session_text(session_of(c->caller), SESSION_NAME);
    if (*name) {
        reply_bulk_str(c->r, name);
    } else {
        reply_null(c->r);
    }
}

static void client_setname(struct call *c)
{
    if (!client_name_ok(c->argv[2])) {
        reply_error(c->r,
                    "ERR Client names cannot contain spaces, newlines or special characters.");
        return;
    }
    session_set_text(session_of(c->caller), SESSION_NAME, c->argv[2]);
    reply_ok(c->r);
}

static void client_setinfo(struct call *c)
{
    bool name = slice_is(c->argv[2], "lib-name");
    if (!name && !slice_is(c->argv[2], "lib-ver")) {
        reply_errorf(c->r, "ERR Unrecognized option '%.*s'", (int)c->argv[2].n, c->argv[2].p);
        return;
    }
    if (!client_name_ok(c->argv[3])) {
        reply_errorf(c->r, "ERR %s cannot contain spaces, newlines or special characters.",
                     name ? "lib-name" : "lib-ver");
        return;
    }
    session_set_text(session_of(c->caller), name ? SESSION_LIB_NAME : SESSION_LIB_VER, c->argv[3]);
    reply_ok(c->r);
}

/* ---- switches --------------------------------------------------------------------------------------- */

static void client_reply(struct call *c)
{
    if (slice_is(c->argv[2], "ON")) {
        caller_set_reply(c->caller, CALLER_REPLY_ON);
        reply_ok(c->r);
    } else if (slice_is(c->argv[2], "OFF")) {
        caller_set_reply(c->caller, CALLER_REPLY_NONE);
    } else if (slice_is(c->argv[2], "SKIP")) {
        caller_set_reply(c->caller, CALLER_REPLY_NOT_NEXT);
    } else {
        call_syntax_error(c);
    }
}

static void set_flag(struct call *c, uint32_t flag)
{
    bool on = slice_is(c->argv[2], "ON");
    if (!on && !slice_is(c->argv[2], "OFF")) {
        call_syntax_error(c);
        return;
    }
    c->caller->flags = on ? c->caller->flags | flag : c->caller->flags & ~flag;
    reply_ok(c->r);
}

static void client_no_evict(struct call *c)
{
    set_flag(c, CALLER_NO_EVICT);
}

static void client_no_touch(struct call *c)
{
    set_flag(c, CALLER_NO_TOUCH);
}

/* ---- others ------------------------------------------------------------------------------------------ */

struct unblocking {
    bool with_error, done;
};

static void unblock_it(struct session *s, void *arg)
{
    struct unblocking *u = arg;
    u->done = session_unblock(s, u->with_error);
}

static void client_unblock(struct call *c)
{
    struct unblocking u = {0};
    int64_t id;
    if (c->argc > 3) {
        u.with_error = slice_is(c->argv[3], "ERROR");
        if ((!u.with_error && !slice_is(c->argv[3], "TIMEOUT")) || c->argc > 4) {
            reply_error(c->r, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
            return;
        }
    }
    if (!call_i64(c, 2, &id)) return;
    sessions_with((uint64_t)id, unblock_it, &u);
    reply_int(c->r, u.done);
}

/* Nobody can be tracking: there is no CLIENT TRACKING. */
static void client_getredir(struct call *c)
{
    reply_int(c->r, -1);
}

static void client_trackinginfo(struct call *c)
{
    reply_map(c->r, 3);
    reply_bulk_str(c->r, "flags");
    reply_set(c->r, 1);
    reply_bulk_str(c->r, "off");
    reply_bulk_str(c->r, "redirect");
    reply_int(c->r, -1);
    reply_bulk_str(c->r, "prefixes");
    reply_empty_array(c->r);
}

static void client_caching(struct call *c)
{
    reply_error(c->r, "ERR CLIENT CACHING can be called only when the client is in tracking mode "
                      "with OPTIN or OPTOUT mode enabled");
}

/* ---- declarations ------------------------------------------------------------------------------------- */

#define OWN   (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)
#define ADMIN (OWN | CMD_ADMIN)
#define CONN  .acl = ACL_CONNECTION, .group = "connection"

static const char *const varies[] = {"nondeterministic_output", NULL};
static const char *const list_history[] = {
    "2.8.12", "Shows the client's id.",      "5.0.0", "Takes TYPE.", "6.2.0",
    "Takes ID; shows laddr and redir.",      "7.0.0", "Shows resp, multi-mem, rbs and rbp.",
    "7.2.0",  "Shows lib-name and lib-ver.", NULL};
static const char *const kill_history[] = {"2.8.12", "Takes filters.",   "6.2.0", "Takes LADDR.",
                                           "7.4.0",  "Takes MAXAGE.", NULL};
static const char *const pause_history[] = {"6.2.0", "Takes WRITE and ALL.", NULL};
static const char *const help[] = {
    "CACHING (YES|NO)",
    "    Track the keys of the next command, or not.",
    "GETNAME",
    "    Show this connection's name.",
    "GETREDIR",
    "    Show the id that tracking news are sent to, -1: none.",
    "ID",
    "    Show this connection's id.",
    "INFO",
    "    Describe this connection.",
    "KILL <address:port>",
    "    Close the connection from this address.",
    "KILL <filter> <value> [<filter> <value> [...]]",
    "    Close the connections for which all filters hold:",
    "    * ADDR (<address:port>|<unix socket>:0)",
    "      Their own address.",
    "    * LADDR (<address:port>|<unix socket>:0)",
    "      The address they connected to.",
    "    * ID <id>",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "    * USER <name>",
    "    * MAXAGE <seconds>",
    "      Open for at least so long.",
    "    * SKIPME (YES|NO)",
    "      Spare this connection (default: yes).",
    "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <id> [<id> ...]]",
    "    Describe all connections, or these.",
    "NO-EVICT (ON|OFF)",
    "    Spare this connection when client memory is evicted.",
    "NO-TOUCH (ON|OFF)",
    "    Leave access times of keys alone.",
    "PAUSE <milliseconds> [WRITE|ALL]",
    "    Let the commands of all clients wait, or those that write.",
    "REPLY (ON|OFF|SKIP)",
    "    Send replies, or none, or none to the next command.",
    "SETINFO (LIB-NAME|LIB-VER) <value>",
    "    Say what client library this is.",
    "SETNAME <name>",
    "    Name this connection.",
    "TRACKINGINFO",
    "    Show what this connection tracks.",
    "UNBLOCK <id> [TIMEOUT|ERROR]",
    "    End the wait of a blocked client.",
    "UNPAUSE",
    "    End a pause.",
    NULL,
};

static const struct command client_sub[] = {
    {.name = "id", .run = client_id, .arity = 2, .flags = OWN, CONN, .since = "5.0.0",
     .complexity = "O(1)", .summary = "Returns this connection's id."},
    {.name = "info", .run = client_info_command, .arity = 2, .flags = OWN, CONN, .since = "6.2.0",
     .hints = varies, .complexity = "O(1)", .summary = "Describes this connection."},
    {.name = "list", .run = client_list_command, .arity = -2, .flags = ADMIN, CONN,
     .since = "2.4.0", .hints = varies, .history = list_history,
     .complexity = "O(N log(N)), N being the number of connections.",
     .summary = "Describes connections, a line each.",
     .syntax = "[TYPE client-type(NORMAL|MASTER|REPLICA|PUBSUB)] [ID client-id:integer...]"},
    {.name = "kill", .run = client_kill_command, .arity = -3, .flags = ADMIN | CMD_WALK, CONN,
     .since = "2.4.0", .history = kill_history,
     .complexity = "O(N), N being the number of connections.",
     .summary = "Closes connections.", .syntax = "filter:string..."},
    {.name = "getname", .run = client_getname, .arity = 2, .flags = OWN, CONN, .since = "2.6.9",
     .complexity = "O(1)", .summary = "Returns this connection's name."},
    {.name = "setname", .run = client_setname, .arity = 3, .flags = OWN, CONN, .since = "2.6.9",
     .complexity = "O(1)", .summary = "Names this connection.",
     .syntax = "connection-name:string"},
    {.name = "setinfo", .run = client_setinfo, .arity = 4, .flags = OWN, CONN, .since = "7.2.0",
     .complexity = "O(1)", .summary = "Says what client library uses this connection.",
     .syntax = "attr(LIB-NAME libname:string|LIB-VER libver:string)"},
    {.name = "reply", .run = client_reply, .arity = 3, .flags = OWN | CMD_SESSION, CONN,
     .since = "3.2.0", .complexity = "O(1)",
     .summary = "Switches replies on this connection on or off.", .syntax = "action(ON|OFF|SKIP)"},
    {.name = "no-evict", .run = client_no_evict, .arity = 3, .flags = ADMIN, CONN,
     .since = "7.0.0", .complexity = "O(1)",
     .summary = "Spares this connection when client memory is evicted.", .syntax = "enabled(ON|OFF)"},
    {.name = "no-touch", .run = client_no_touch, .arity = 3, .flags = OWN, CONN, .since = "7.2.0",
     .complexity = "O(1)", .summary = "Lets this connection read without touching access times.",
     .syntax = "enabled(ON|OFF)"},
    {.name = "unblock", .run = client_unblock, .arity = -3, .flags = ADMIN, CONN, .since = "5.0.0",
     .complexity = "O(log(N)), N being the number of connections.",
     .summary = "Ends the wait of a blocked client.",
     .syntax = "client-id:integer [unblock-type(TIMEOUT|ERROR)]"},
    {.name = "pause", .run = client_pause_command, .arity = -3, .flags = ADMIN | CMD_SESSION, CONN,
     .since = "3.0.0", .history = pause_history, .complexity = "O(1)",
     .summary = "Lets commands wait for a time.", .syntax = "timeout:integer [mode(WRITE|ALL)]"},
    {.name = "unpause", .run = client_unpause_command, .arity = 2, .flags = ADMIN, CONN,
     .since = "6.2.0", .complexity = "O(N), N being the number of clients that wait.",
     .summary = "Ends a pause."},
    {.name = "getredir", .run = client_getredir, .arity = 2, .flags = OWN, CONN, .since = "6.0.0",
     .complexity = "O(1)", .summary = "Returns whom tracking news of this connection are sent to."},
    {.name = "trackinginfo", .run = client_trackinginfo, .arity = 2, .flags = OWN, CONN,
     .since = "6.2.0", .complexity = "O(1)", .summary = "Returns what this connection tracks."},
    {.name = "caching", .run = client_caching, .arity = 3, .flags = OWN, CONN, .since = "6.0.0",
     .complexity = "O(1)", .summary = "Tracks the keys of the next command, or not.",
     .syntax = "mode(YES|NO)"},
    {.name = "help", .run = call_help, .arity = 2, .flags = CMD_LOADING | CMD_STALE, CONN,
     .since = "5.0.0", .complexity = "O(1)", .summary = "Lists the subcommands."},
    {.name = NULL},
};

struct command client_commands[] = {
    {.name = "client", .arity = -2, .group = "connection", .since = "2.4.0",
     .subcommands = client_sub, .help = help, .complexity = "Depends on subcommand.",
     .summary = "A container for the commands about connections."},
    {.name = NULL},
};
