/* sort_table.c - the declarations of SORT and SORT_RO. */
#include "commands/sort_internal.h"

#define SORTED_KEY {KEYS_RANGE, KEY_RO | KEY_ACCESS, 1, 0, 1, 0, NULL, NULL}
#define PATTERN_KEYS                                                                               \
    {KEYS_UNKNOWN, KEY_RO | KEY_ACCESS, 0, 0, 0, 0, NULL,                                          \
     "What `BY` and `GET` read: the elements name the keys"}
#define OPTIONS                                                                                    \
    "key [BY by-pattern:pattern] [LIMIT limit(offset:integer count:integer)] "                     \
    "[GET get-pattern:pattern [GET get-pattern:pattern ...]] [order(ASC | DESC)] [ALPHA]"
#define COMPLEXITY                                                                                 \
    "O(N+M) with N elements of which M are returned, more when many are equal; and the lookups."

struct command sort_commands[] = {
    {.name = "sort", .run = sort_command, .arity = -2, .group = "generic", .since = "1.0.0",
     .flags = CMD_WRITE | CMD_DENYOOM,
     .acl = ACL_SET | ACL_ZSET | ACL_LIST | ACL_DANGEROUS,
     .keys = {SORTED_KEY, PATTERN_KEYS,
              {KEYS_UNKNOWN, KEY_OW | KEY_UPDATE, 0, 0, 0, 0, NULL,
               "The key behind `STORE`, which may be anywhere"}},
     .find_keys = sort_find_keys, .owns_all = sort_owns_all, .complexity = COMPLEXITY,
     .summary = "Sorts a list, set or sorted set, and returns or stores the elements or what they name.",
     .syntax = OPTIONS " [STORE destination:key]"},
    {.name = "sort_ro", .run = sort_ro_command, .arity = -2, .group = "generic", .since = "7.0.0",
     .flags = CMD_READONLY, .acl = ACL_SET | ACL_ZSET | ACL_LIST | ACL_DANGEROUS,
     .keys = {SORTED_KEY, PATTERN_KEYS},
     .find_keys = sort_ro_find_keys, .owns_all = sort_owns_all, .complexity = COMPLEXITY,
     .summary = "Sorts a list, set or sorted set, and returns the elements or what they name.",
     .syntax = OPTIONS},
    {.name = NULL},
};
