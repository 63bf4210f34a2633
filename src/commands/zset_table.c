/* zset_table.c - the declarations of the commands of zset.c and zset_range.c. */
#include "commands/zset_internal.h"

#define STORE_KEYS                                                                                 \
    {                                                                                              \
        {KEYS_RANGE, KEY_OW | KEY_UPDATE, 1, 0, 1, 0, NULL, NULL},                                 \
            {KEYS_RANGE, KEY_RO | KEY_ACCESS, 2, 0, 1, 0, NULL, NULL}                              \
    }

static const char *const zadd_history[] = {"2.4.0", "Takes several members.", "3.0.2",
                                           "Has the options `XX`, `NX`, `CH` and `INCR`.", "6.2.0",
                                           "Has the options `GT` and `LT`.", NULL};
static const char *const zrem_history[] = {"2.4.0", "Takes several members.", NULL};
static const char *const rank_history[] = {"7.2.0", "Has the option `WITHSCORE`.", NULL};
static const char *const zrange_history[] = {
    "6.2.0", "Has the options `REV`, `BYSCORE`, `BYLEX` and `LIMIT`.", NULL};
static const char *const zrangebyscore_history[] = {"2.0.0", "Has the option `WITHSCORES`.", NULL};
static const char *const zrevrangebyscore_history[] = {"2.1.6", "Bounds may be exclusive.", NULL};

struct command zset_commands[] = {
    {.name = "zadd", .run = zadd_command, .arity = -4, .group = "sorted-set", .since = "1.2.0",
     .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RW | KEY_UPDATE), .history = zadd_history,
     .complexity = "O(log(N)) for each member, N being the size of the set.",
     .summary = "Adds members with scores to a sorted set, or changes the scores of those that "
               "are there.",
     .syntax = "key [condition(NX|XX)] [comparison(GT|LT)] [CH] [INCR] data(score:double "
              "member:string)..."},
    {.name = "zincrby", .run = zincrby_command, .arity = 4, .group = "sorted-set", .since = "1.2.0",
     .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE),
     .complexity = "O(log(N)), N being the size of the set.",
     .summary = "Adds to the score of a member, which is 0 when the member is not there.",
     .syntax = "key increment:integer member:string"},
    {.name = "zrem", .run = zrem_command, .arity = -3, .group = "sorted-set", .since = "1.2.0",
     .flags = CMD_WRITE | CMD_FAST, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RW | KEY_DELETE), .history = zrem_history,
     .complexity = "O(M*log(N)), N being the size of the set, M the number of members named.",
     .summary = "Removes members, and the key if none is left.",
     .syntax = "key member:string..."},
    {.name = "zcard", .run = zcard_command, .arity = 2, .group = "sorted-set", .since = "1.2.0",
     .flags = CMD_READONLY | CMD_FAST, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RO),
     .complexity = "O(1)",
     .summary = "Returns how many members a sorted set has.",
     .syntax = "key"},
    {.name = "zscore", .run = zscore_command, .arity = 3, .group = "sorted-set", .since = "1.2.0",
     .flags = CMD_READONLY | CMD_FAST, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RO | KEY_ACCESS),
     .complexity = "O(1)",
     .summary = "Returns the score of a member.",
     .syntax = "key member:string"},
    {.name = "zmscore", .run = zmscore_command, .arity = -3, .group = "sorted-set", .since = "6.2.0",
     .flags = CMD_READONLY | CMD_FAST, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RO | KEY_ACCESS),
     .complexity = "O(N), N being the number of members named.",
     .summary = "Returns the scores of several members.",
     .syntax = "key member:string..."},
    {.name = "zrank", .run = zrank_command, .arity = -3, .group = "sorted-set", .since = "2.0.0",
     .flags = CMD_READONLY | CMD_FAST, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RO | KEY_ACCESS), .history = rank_history,
     .complexity = "O(log(N))",
     .summary = "Returns how many members lie before one, from the lowest score on.",
     .syntax = "key member:string [WITHSCORE]"},
    {.name = "zrevrank", .run = zrevrank_command, .arity = -3, .group = "sorted-set", .since = "2.0.0",
     .flags = CMD_READONLY | CMD_FAST, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RO | KEY_ACCESS), .history = rank_history,
     .complexity = "O(log(N))",
     .summary = "Returns how many members lie before one, from the highest score on.",
     .syntax = "key member:string [WITHSCORE]"},
    {.name = "zcount", .run = zcount_command, .arity = 4, .group = "sorted-set", .since = "2.0.0",
     .flags = CMD_READONLY | CMD_FAST, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RO | KEY_ACCESS),
     .complexity = "O(log(N)), N being the size of the set.",
     .summary = "Counts the members with scores in a range.",
     .syntax = "key min:double max:double"},
    {.name = "zlexcount", .run = zlexcount_command, .arity = 4, .group = "sorted-set", .since = "2.8.9",
     .flags = CMD_READONLY | CMD_FAST, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RO | KEY_ACCESS),
     .complexity = "O(log(N)), N being the size of the set.",
     .summary = "Counts the members in a range of names, where all scores are equal.",
     .syntax = "key min:string max:string"},
    {.name = "zrange", .run = zrange_command, .arity = -4, .group = "sorted-set", .since = "1.2.0",
     .flags = CMD_READONLY, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RO | KEY_ACCESS), .history = zrange_history,
     .complexity = "O(log(N)+M), N being the size of the set, M the number of members "
                  "returned.",
     .summary = "Returns the members in a range of ranks, scores or names.",
     .syntax = "key start:string stop:string [sortby(BYSCORE|BYLEX)] [REV] [LIMIT "
              "limit(offset:integer count:integer)] [WITHSCORES]"},
    {.name = "zrangestore", .run = zrangestore_command, .arity = -5, .group = "sorted-set", .since = "6.2.0",
     .flags = CMD_WRITE | CMD_DENYOOM, .acl = ACL_ZSET,
     .keys = STORE_KEYS,
     .complexity = "O(log(N)+M), N being the size of the set, M the number of members stored.",
     .summary = "Stores the members in a range of ranks, scores or names under another key.",
     .syntax = "dst:key src:key min:string max:string [sortby(BYSCORE|BYLEX)] [REV] [LIMIT "
              "limit(offset:integer count:integer)]"},
    {.name = "zrevrange", .run = zrevrange_command, .arity = -4, .group = "sorted-set", .since = "1.2.0",
     .flags = CMD_READONLY, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RO | KEY_ACCESS),
     .deprecated_since = "6.2.0", .replaced_by = "`ZRANGE` with the `REV` argument",
     .complexity = "O(log(N)+M), N being the size of the set, M the number of members "
                  "returned.",
     .summary = "Returns the members in a range of ranks, counted from the highest score.",
     .syntax = "key start:integer stop:integer [WITHSCORES]"},
    {.name = "zrangebyscore", .run = zrangebyscore_command, .arity = -4, .group = "sorted-set", .since = "1.0.5",
     .flags = CMD_READONLY, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RO | KEY_ACCESS), .history = zrangebyscore_history,
     .deprecated_since = "6.2.0", .replaced_by = "`ZRANGE` with the `BYSCORE` argument",
     .complexity = "O(log(N)+M), N being the size of the set, M the number of members "
                  "returned.",
     .summary = "Returns the members with scores in a range.",
     .syntax = "key min:double max:double [WITHSCORES] [LIMIT limit(offset:integer "
              "count:integer)]"},
    {.name = "zrevrangebyscore", .run = zrevrangebyscore_command, .arity = -4, .group = "sorted-set", .since = "2.2.0",
     .flags = CMD_READONLY, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RO | KEY_ACCESS), .history = zrevrangebyscore_history,
     .deprecated_since = "6.2.0", .replaced_by = "`ZRANGE` with the `REV` and `BYSCORE` arguments",
     .complexity = "O(log(N)+M), N being the size of the set, M the number of members "
                  "returned.",
     .summary = "Returns the members with scores in a range, the highest first.",
     .syntax = "key max:double min:double [WITHSCORES] [LIMIT limit(offset:integer "
              "count:integer)]"},
    {.name = "zrangebylex", .run = zrangebylex_command, .arity = -4, .group = "sorted-set", .since = "2.8.9",
     .flags = CMD_READONLY, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RO | KEY_ACCESS),
     .deprecated_since = "6.2.0", .replaced_by = "`ZRANGE` with the `BYLEX` argument",
     .complexity = "O(log(N)+M), N being the size of the set, M the number of members "
                  "returned.",
     .summary = "Returns the members in a range of names, where all scores are equal.",
     .syntax = "key min:string max:string [LIMIT limit(offset:integer count:integer)]"},
    {.name = "zrevrangebylex", .run = zrevrangebylex_command, .arity = -4, .group = "sorted-set", .since = "2.8.9",
     .flags = CMD_READONLY, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RO | KEY_ACCESS),
     .deprecated_since = "6.2.0", .replaced_by = "`ZRANGE` with the `REV` and `BYLEX` arguments",
     .complexity = "O(log(N)+M), N being the size of the set, M the number of members "
                  "returned.",
     .summary = "Returns the members in a range of names, the last first, where all scores are "
               "equal.",
     .syntax = "key max:string min:string [LIMIT limit(offset:integer count:integer)]"},
    {.name = "zremrangebyrank", .run = zremrangebyrank_command, .arity = 4, .group = "sorted-set", .since = "2.0.0",
     .flags = CMD_WRITE, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RW | KEY_DELETE),
     .complexity = "O(log(N)+M), N being the size of the set, M the number of members removed.",
     .summary = "Removes the members in a range of ranks, and the key if none is left.",
     .syntax = "key start:integer stop:integer"},
    {.name = "zremrangebyscore", .run = zremrangebyscore_command, .arity = 4, .group = "sorted-set", .since = "1.2.0",
     .flags = CMD_WRITE, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RW | KEY_DELETE),
     .complexity = "O(log(N)+M), N being the size of the set, M the number of members removed.",
     .summary = "Removes the members with scores in a range, and the key if none is left.",
     .syntax = "key min:double max:double"},
    {.name = "zremrangebylex", .run = zremrangebylex_command, .arity = 4, .group = "sorted-set", .since = "2.8.9",
     .flags = CMD_WRITE, .acl = ACL_ZSET,
     .keys = ONE_KEY(KEY_RW | KEY_DELETE),
     .complexity = "O(log(N)+M), N being the size of the set, M the number of members removed.",
     .summary = "Removes the members in a range of names, where all scores are equal.",
     .syntax = "key min:string max:string"},
    {.name = NULL},
};
