/* zset_more_table.c - the declarations of unions, pops, waits and random members of sorted sets. */
#include "commands/zset_more_internal.h"

#define GROUP            .group = "sorted-set", .acl = ACL_ZSET
#define TAKEN            (KEY_RW | KEY_ACCESS | KEY_DELETE)
#define COUNTED(flags, at) {KEYS_NUM, flags, at, 0, 1, 0, NULL, NULL}
#define INPUTS           {COUNTED(KEY_RO | KEY_ACCESS, 1)}
#define TARGET_AND_INPUTS                                                                          \
    {                                                                                              \
        {KEYS_RANGE, KEY_OW | KEY_UPDATE, 1, 0, 1, 0, NULL, NULL},                                 \
            COUNTED(KEY_RO | KEY_ACCESS, 2)                                                        \
    }
#define KEYS_TO_LAST_BUT_ONE {{KEYS_RANGE, TAKEN, 1, -2, 1, 0, NULL, NULL}}
#define SCORING          "[WEIGHTS weight:integer...] [AGGREGATE aggregate(SUM|MIN|MAX)]"

static const char *const timeout_history[] = {"6.0.0", "The timeout may have a fraction.", NULL};
static const char *const random_hints[] = {"nondeterministic_output", NULL};

struct command zset_more_commands[] = {
    {.name = "zunion", .run = zunion_command, .arity = -3, .since = "6.2.0", GROUP,
     .flags = CMD_READONLY | CMD_MOVABLEKEYS, .keys = INPUTS,
     .complexity = "O(N+M*log(M)), N being the members of all inputs, M those of the result.",
     .summary = "Returns the members of any of several sorted sets.",
     .syntax = "numkeys:integer key... " SCORING " [WITHSCORES]"},
    {.name = "zunionstore", .run = zunionstore_command, .arity = -4, .since = "2.0.0", GROUP,
     .flags = CMD_WRITE | CMD_DENYOOM | CMD_MOVABLEKEYS, .keys = TARGET_AND_INPUTS,
     .complexity = "O(N+M*log(M)), N being the members of all inputs, M those of the result.",
     .summary = "Stores the members of any of several sorted sets in a key.",
     .syntax = "destination:key numkeys:integer key... " SCORING},
    {.name = "zinter", .run = zinter_command, .arity = -3, .since = "6.2.0", GROUP,
     .flags = CMD_READONLY | CMD_MOVABLEKEYS, .keys = INPUTS,
     .complexity = "O(N*K+M*log(M)), N being the members of the smallest of K inputs, M those of "
                   "the result.",
     .summary = "Returns the members that all of several sorted sets have.",
     .syntax = "numkeys:integer key... " SCORING " [WITHSCORES]"},
    {.name = "zinterstore", .run = zinterstore_command, .arity = -4, .since = "2.0.0", GROUP,
     .flags = CMD_WRITE | CMD_DENYOOM | CMD_MOVABLEKEYS, .keys = TARGET_AND_INPUTS,
     .complexity = "O(N*K+M*log(M)), N being the members of the smallest of K inputs, M those of "
                   "the result.",
     .summary = "Stores the members that all of several sorted sets have in a key.",
     .syntax = "destination:key numkeys:integer key... " SCORING},
    {.name = "zintercard", .run = zintercard_command, .arity = -3, .since = "7.0.0", GROUP,
     .flags = CMD_READONLY | CMD_MOVABLEKEYS, .keys = INPUTS,
     .complexity = "O(N*K), N being the members of the smallest of K inputs.",
     .summary = "Counts the members that all of several sorted sets have, up to a limit.",
     .syntax = "numkeys:integer key... [LIMIT limit:integer]"},
    {.name = "zdiff", .run = zdiff_command, .arity = -3, .since = "6.2.0", GROUP,
     .flags = CMD_READONLY | CMD_MOVABLEKEYS, .keys = INPUTS,
     .complexity = "O(N+M*log(M)), N being the members of all inputs, M those of the result.",
     .summary = "Returns the members of a sorted set that none of the others has.",
     .syntax = "numkeys:integer key... [WITHSCORES]"},
    {.name = "zdiffstore", .run = zdiffstore_command, .arity = -4, .since = "6.2.0", GROUP,
     .flags = CMD_WRITE | CMD_DENYOOM | CMD_MOVABLEKEYS, .keys = TARGET_AND_INPUTS,
     .complexity = "O(N+M*log(M)), N being the members of all inputs, M those of the result.",
     .summary = "Stores the members of a sorted set that none of the others has in a key.",
     .syntax = "destination:key numkeys:integer key..."},
    {.name = "zpopmin", .run = zpopmin_command, .arity = -2, .since = "5.0.0", GROUP,
     .flags = CMD_WRITE | CMD_FAST, .keys = ONE_KEY(TAKEN),
     .complexity = "O(log(N)+M), N being the size of the sorted set, M the members taken.",
     .summary = "Takes the members with the lowest scores and returns them.",
     .syntax = "key [count:integer]"},
    {.name = "zpopmax", .run = zpopmax_command, .arity = -2, .since = "5.0.0", GROUP,
     .flags = CMD_WRITE | CMD_FAST, .keys = ONE_KEY(TAKEN),
     .complexity = "O(log(N)+M), N being the size of the sorted set, M the members taken.",
     .summary = "Takes the members with the highest scores and returns them.",
     .syntax = "key [count:integer]"},
    {.name = "zmpop", .run = zmpop_command, .arity = -4, .since = "7.0.0", GROUP,
     .flags = CMD_WRITE | CMD_MOVABLEKEYS, .keys = {COUNTED(TAKEN, 1)},
     .complexity = "O(K+log(N)+M), K being the number of keys, M the members taken out of N.",
     .summary = "Takes members with the lowest or highest scores from the first of several sorted "
                "sets that has any.",
     .syntax = "numkeys:integer key... where(MIN|MAX) [COUNT count:integer]"},
    {.name = "bzpopmin", .run = bzpopmin_command, .arity = -3, .since = "5.0.0", GROUP,
     .flags = CMD_WRITE | CMD_FAST | CMD_BLOCKING | CMD_NOSCRIPT, .keys = KEYS_TO_LAST_BUT_ONE,
     .history = timeout_history, .complexity = "O(log(N)), N being the size of the sorted set.",
     .summary = "Takes the member with the lowest score of the first sorted set that has one, "
                "waiting for it if needed.",
     .syntax = "key... timeout:double"},
    {.name = "bzpopmax", .run = bzpopmax_command, .arity = -3, .since = "5.0.0", GROUP,
     .flags = CMD_WRITE | CMD_FAST | CMD_BLOCKING | CMD_NOSCRIPT, .keys = KEYS_TO_LAST_BUT_ONE,
     .history = timeout_history, .complexity = "O(log(N)), N being the size of the sorted set.",
     .summary = "Takes the member with the highest score of the first sorted set that has one, "
                "waiting for it if needed.",
     .syntax = "key... timeout:double"},
    {.name = "bzmpop", .run = bzmpop_command, .arity = -5, .since = "7.0.0", GROUP,
     .flags = CMD_WRITE | CMD_BLOCKING | CMD_MOVABLEKEYS, .keys = {COUNTED(TAKEN, 2)},
     .complexity = "O(K+log(N)+M), K being the number of keys, M the members taken out of N.",
     .summary = "As ZMPOP, but waits for a member when all the sorted sets are empty.",
     .syntax = "timeout:double numkeys:integer key... where(MIN|MAX) [COUNT count:integer]"},
    {.name = "zrandmember", .run = zrandmember_command, .arity = -2, .since = "6.2.0", GROUP,
     .flags = CMD_READONLY, .keys = ONE_KEY(KEY_RO | KEY_ACCESS), .hints = random_hints,
     .complexity = "O(M*log(N)), M being the members returned out of N.",
     .summary = "Returns random members of a sorted set.",
     .syntax = "key [options(count:integer [WITHSCORES])]"},
    {.name = "zscan", .run = zscan_command, .arity = -3, .since = "2.8.0", GROUP,
     .flags = CMD_READONLY, .keys = ONE_KEY(KEY_RO | KEY_ACCESS), .hints = random_hints,
     .complexity = "O(1) for each call, O(N) for a whole walk.",
     .summary = "Walks over the members and scores of a sorted set in steps.",
     .syntax = "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]"},
    {.name = NULL},
};
