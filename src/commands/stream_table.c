/* stream_table.c - the declarations of the stream commands. */
#include "commands/stream_internal.h"

#define SUB_KEY(flag_bits)      {{KEYS_RANGE, flag_bits, 2, 0, 1, 0, NULL, NULL}}
#define KEYS_BEHIND_STREAMS(at) {{KEYS_RANGE_AFTER, KEY_RO | KEY_ACCESS, at, -1, 1, 2, "STREAMS", NULL}}
#define STREAM_COMMON           .group = "stream", .acl = ACL_STREAM

#define REFS_SYNTAX "[condition(KEEPREF|DELREF|ACKED)] "
#define TRIM_SYNTAX                                                                                \
    "trim((strategy(MAXLEN|MINID) [operator(equal(=)|approximately(~))] threshold:string "        \
    "[LIMIT count:integer]))"
#define IDS_SYNTAX "IDS ids(numids:integer id:string...)"

static const char *const changing[] = {"nondeterministic_output", NULL};

static const char *const xadd_history[] = {
    "6.2.0", "Takes `NOMKSTREAM`, `MINID` and `LIMIT`.",
    "7.0.0", "An ID may leave its sequence number open: `<ms>-*`.",
    "8.2.0", "Takes `KEEPREF`, `DELREF` and `ACKED`.", NULL};
static const char *const xtrim_history[] = {
    "6.2.0", "Takes `MINID` and `LIMIT`.",
    "8.2.0", "Takes `KEEPREF`, `DELREF` and `ACKED`.", NULL};
static const char *const range_history[] = {"6.2.0", "Ranges may exclude their ends.", NULL};
static const char *const xread_history[] = {"7.4.0", "The ID `+` asks for the last entry.", NULL};
static const char *const xsetid_history[] = {
    "7.0.0", "Takes `ENTRIESADDED` and `MAXDELETEDID`.", NULL};
static const char *const xpending_history[] = {
    "6.2.0", "Takes `IDLE`, and ranges may exclude their ends.", NULL};
static const char *const xautoclaim_history[] = {
    "7.0.0", "A third element of the reply names entries that were dropped as deleted.", NULL};
static const char *const entries_read_history[] = {"7.0.0", "Takes `ENTRIESREAD`.", NULL};
static const char *const info_stream_history[] = {
    "6.0.0", "Takes `FULL`.",
    "7.0.0", "Tells `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, and of "
             "groups `entries-read` and `lag`.",
    "7.2.0", "Tells `active-time` of consumers; `seen-time` is of any attempt.", NULL};
static const char *const info_groups_history[] = {
    "7.0.0", "Tells `entries-read` and `lag`.", NULL};
static const char *const info_consumers_history[] = {
    "7.2.0", "Tells `inactive`; `idle` counts from any attempt.", NULL};

static const char *const xgroup_help[] = {
    "CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <count>]",
    "    Make a group that gets what is behind the ID. MKSTREAM makes the stream too.",
    "CREATECONSUMER <key> <group> <consumer>",
    "    Make a consumer of the group.",
    "DELCONSUMER <key> <group> <consumer>",
    "    Remove a consumer and what is pending for it.",
    "DESTROY <key> <group>",
    "    Remove the group.",
    "SETID <key> <group> <id|$> [ENTRIESREAD <count>]",
    "    Set the ID behind which the group goes on.",
    NULL};

static const char *const xinfo_help[] = {
    "CONSUMERS <key> <group>",
    "    List the consumers of a group.",
    "GROUPS <key>",
    "    List the groups of a stream.",
    "STREAM <key> [FULL [COUNT <count>]]",
    "    Describe a stream; with FULL its entries, groups and pending entries too.",
    NULL};

static const struct command xgroup_subcommands[] = {
    {.name = "create", .run = xgroup_create_command, .arity = -5, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_WRITE | CMD_DENYOOM, .keys = SUB_KEY(KEY_RW | KEY_INSERT),
     .history = entries_read_history, .complexity = "O(1)",
     .summary = "Makes a group of consumers.",
     .syntax = "key group:string id-selector(id:string|new-id($)) [MKSTREAM] "
               "[ENTRIESREAD entries-read:integer]"},
    {.name = "setid", .run = xgroup_setid_command, .arity = -5, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_WRITE, .keys = SUB_KEY(KEY_RW | KEY_UPDATE), .history = entries_read_history,
     .complexity = "O(1)", .summary = "Sets the ID that a group was given last.",
     .syntax = "key group:string id-selector(id:string|new-id($)) "
               "[ENTRIESREAD entriesread:integer]"},
    {.name = "destroy", .run = xgroup_destroy_command, .arity = 4, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_WRITE, .keys = SUB_KEY(KEY_RW | KEY_DELETE),
     .complexity = "O(N), N being the number of entries that are pending in the group.",
     .summary = "Removes a group of consumers.", .syntax = "key group:string"},
    {.name = "createconsumer", .run = xgroup_createconsumer_command, .arity = 5, STREAM_COMMON,
     .since = "6.2.0", .flags = CMD_WRITE | CMD_DENYOOM, .keys = SUB_KEY(KEY_RW | KEY_INSERT),
     .complexity = "O(1)", .summary = "Makes a consumer of a group.",
     .syntax = "key group:string consumer:string"},
    {.name = "delconsumer", .run = xgroup_delconsumer_command, .arity = 5, STREAM_COMMON,
     .since = "5.0.0", .flags = CMD_WRITE, .keys = SUB_KEY(KEY_RW | KEY_DELETE),
     .complexity = "O(1)", .summary = "Removes a consumer of a group and what is pending for it.",
     .syntax = "key group:string consumer:string"},
    {.name = "help", .run = call_help, .arity = 2, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_LOADING | CMD_STALE, .complexity = "O(1)", .summary = "Lists the subcommands."},
    {.name = NULL},
};

static const struct command xinfo_subcommands[] = {
    {.name = "stream", .run = xinfo_stream_command, .arity = -3, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_READONLY, .keys = SUB_KEY(KEY_RO | KEY_ACCESS), .history = info_stream_history,
     .complexity = "O(1)", .summary = "Describes a stream.",
     .syntax = "key [FULL full-block(FULL [COUNT count:integer])]"},
    {.name = "groups", .run = xinfo_groups_command, .arity = 3, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_READONLY, .keys = SUB_KEY(KEY_RO | KEY_ACCESS), .history = info_groups_history,
     .complexity = "O(1)", .summary = "Lists the groups of a stream.", .syntax = "key"},
    {.name = "consumers", .run = xinfo_consumers_command, .arity = 4, STREAM_COMMON,
     .since = "5.0.0", .flags = CMD_READONLY, .keys = SUB_KEY(KEY_RO | KEY_ACCESS),
     .history = info_consumers_history, .hints = changing, .complexity = "O(1)",
     .summary = "Lists the consumers of a group.", .syntax = "key group:string"},
    {.name = "help", .run = call_help, .arity = 2, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_LOADING | CMD_STALE, .complexity = "O(1)", .summary = "Lists the subcommands."},
    {.name = NULL},
};

struct command stream_commands[] = {
    {.name = "xadd", .run = xadd_command, .arity = -5, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
     .keys = {{KEYS_RANGE, KEY_RW | KEY_UPDATE, 1, 0, 1, 0, NULL,
               "UPDATE instead of INSERT because of the optional trimming feature"}},
     .history = xadd_history, .hints = changing,
     .complexity = "O(1), and O(N) when trimming, N being the number of entries that go.",
     .summary = "Adds an entry to a stream, which is made if it is not there.",
     .syntax = "key [NOMKSTREAM] " REFS_SYNTAX "[" TRIM_SYNTAX "] id-selector(auto-id(*)|id:string) "
               "data(field:string value:string)..."},
    {.name = "xlen", .run = xlen_command, .arity = 2, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_READONLY | CMD_FAST, .keys = ONE_KEY(KEY_RO), .complexity = "O(1)",
     .summary = "Returns how many entries a stream has.", .syntax = "key"},
    {.name = "xrange", .run = xrange_command, .arity = -4, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_READONLY, .keys = ONE_KEY(KEY_RO | KEY_ACCESS), .history = range_history,
     .complexity = "O(N), N being the number of entries returned.",
     .summary = "Returns the entries between two IDs.",
     .syntax = "key start:string end:string [COUNT count:integer]"},
    {.name = "xrevrange", .run = xrevrange_command, .arity = -4, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_READONLY, .keys = ONE_KEY(KEY_RO | KEY_ACCESS), .history = range_history,
     .complexity = "O(N), N being the number of entries returned.",
     .summary = "Returns the entries between two IDs, the last one first.",
     .syntax = "key end:string start:string [COUNT count:integer]"},
    {.name = "xdel", .run = xdel_command, .arity = -3, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_WRITE | CMD_FAST, .keys = ONE_KEY(KEY_RW | KEY_DELETE),
     .complexity = "O(1) for each ID, whatever the length of the stream.",
     .summary = "Deletes entries and returns how many there were.", .syntax = "key id:string..."},
    {.name = "xdelex", .run = xdelex_command, .arity = -5, STREAM_COMMON, .since = "8.2.0",
     .flags = CMD_WRITE | CMD_FAST, .keys = ONE_KEY(KEY_RW | KEY_DELETE),
     .complexity = "O(1) for each ID, whatever the length of the stream.",
     .summary = "Deletes entries, with a say in what becomes of references to them in groups.",
     .syntax = "key " REFS_SYNTAX IDS_SYNTAX},
    {.name = "xtrim", .run = xtrim_command, .arity = -4, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_WRITE, .keys = ONE_KEY(KEY_RW | KEY_DELETE), .history = xtrim_history,
     .hints = changing, .complexity = "O(N), N being the number of entries that go, with a very "
                                      "small constant: they go by whole nodes.",
     .summary = "Deletes the first entries of a stream, to a length or an ID.",
     .syntax = "key " TRIM_SYNTAX " " REFS_SYNTAX},
    {.name = "xsetid", .run = xsetid_command, .arity = -3, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST, .keys = ONE_KEY(KEY_RW | KEY_UPDATE),
     .history = xsetid_history, .complexity = "O(1)",
     .summary = "Sets what a stream remembers beside its entries. For internal use.",
     .syntax = "key last-id:string [ENTRIESADDED entries-added:integer] "
               "[MAXDELETEDID max-deleted-id:string]"},
    {.name = "xread", .run = xread_command, .arity = -4, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_READONLY | CMD_BLOCKING, .keys = KEYS_BEHIND_STREAMS(1),
     .find_keys = stream_read_keys, .history = xread_history,
     .complexity = "O(N), N being the number of entries returned.",
     .summary = "Returns the entries behind IDs of several streams, waiting for them if asked to.",
     .syntax = "[COUNT count:integer] [BLOCK milliseconds:integer] STREAMS streams(key... "
               "id:string...)"},
    {.name = "xreadgroup", .run = xreadgroup_command, .arity = -7, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_WRITE | CMD_BLOCKING, .keys = KEYS_BEHIND_STREAMS(4),
     .find_keys = stream_read_keys,
     .complexity = "O(N), N being the number of entries returned. Who adds an entry serves all "
                   "clients that wait for it.",
     .summary = "Returns new or pending entries of several streams to a consumer of a group, "
                "waiting for them if asked to.",
     .syntax = "GROUP group-block(group:string consumer:string) [COUNT count:integer] "
               "[BLOCK milliseconds:integer] [NOACK] STREAMS streams(key... id:string...)"},
    {.name = "xgroup", .arity = -2, .group = "stream", .since = "5.0.0",
     .subcommands = xgroup_subcommands, .help = xgroup_help,
     .complexity = "Depends on subcommand.",
     .summary = "Manages groups of consumers; a container of subcommands."},
    {.name = "xack", .run = xack_command, .arity = -4, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_WRITE | CMD_FAST, .keys = ONE_KEY(KEY_RW | KEY_UPDATE),
     .complexity = "O(1) for each ID.",
     .summary = "Acknowledges entries and returns how many were pending in the group.",
     .syntax = "key group:string id:string..."},
    {.name = "xackdel", .run = xackdel_command, .arity = -6, STREAM_COMMON, .since = "8.2.0",
     .flags = CMD_WRITE | CMD_FAST, .keys = ONE_KEY(KEY_RW | KEY_DELETE),
     .complexity = "O(1) for each ID.",
     .summary = "Acknowledges entries in a group and deletes them.",
     .syntax = "key group:string " REFS_SYNTAX IDS_SYNTAX},
    {.name = "xpending", .run = xpending_command, .arity = -3, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_READONLY, .keys = ONE_KEY(KEY_RO | KEY_ACCESS), .history = xpending_history,
     .hints = changing, .complexity = "O(N), N being the number of pending entries looked at; the "
                                      "summary O(M), M being the number of consumers.",
     .summary = "Returns what is pending in a group.",
     .syntax = "key group:string [filters([IDLE min-idle-time:integer] start:string end:string "
               "count:integer [consumer:string])]"},
    {.name = "xclaim", .run = xclaim_command, .arity = -6, STREAM_COMMON, .since = "5.0.0",
     .flags = CMD_WRITE | CMD_FAST, .keys = ONE_KEY(KEY_RW | KEY_UPDATE), .hints = changing,
     .complexity = "O(log N) for each ID, N being the number of entries pending in the group.",
     .summary = "Gives pending entries to a consumer and returns them.",
     .syntax = "key group:string consumer:string min-idle-time:string id:string... "
               "[IDLE ms:integer] [TIME unix-time-milliseconds:unix-time] "
               "[RETRYCOUNT count:integer] [FORCE] [JUSTID] [LASTID lastid:string]"},
    {.name = "xautoclaim", .run = xautoclaim_command, .arity = -6, STREAM_COMMON, .since = "6.2.0",
     .flags = CMD_WRITE | CMD_FAST, .keys = ONE_KEY(KEY_RW | KEY_DELETE),
     .history = xautoclaim_history, .hints = changing,
     .complexity = "O(1) if COUNT is small.",
     .summary = "Gives entries that were pending for too long to a consumer and returns them.",
     .syntax = "key group:string consumer:string min-idle-time:string start:string "
               "[COUNT count:integer] [JUSTID]"},
    {.name = "xinfo", .arity = -2, .group = "stream", .since = "5.0.0",
     .subcommands = xinfo_subcommands, .help = xinfo_help,
     .complexity = "Depends on subcommand.",
     .summary = "Describes streams; a container of subcommands."},
    {.name = NULL},
};
