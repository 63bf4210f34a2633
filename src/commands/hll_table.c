/* hll_table.c - the declarations of the HyperLogLog commands. */
#include "commands/hll_internal.h"

/* All arguments: the specification of the sources finds none where there are none. */
static int merge_keys(uint32_t argc, const struct slice *argv, uint32_t *out, int max)
{
    for (int i = 0; i < (int)argc - 1 && i < max; i++)
        out[i] = (uint32_t)i + 1;
    return (int)argc - 1;
}

struct command hll_commands[] = {
    {.name = "pfadd", .run = pfadd_command, .arity = -2, .group = "hyperloglog", .since = "2.8.9",
     .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST, .acl = ACL_HLL,
     .keys = {{KEYS_RANGE, KEY_RW | KEY_INSERT, 1, 0, 1, 0, NULL, NULL}},
     .complexity = "O(1) for each element.",
     .summary = "Shows elements to a HyperLogLog, which is made if it is not there.",
     .syntax = "key [element:string...]"},
    {.name = "pfcount", .run = pfcount_command, .arity = -2, .group = "hyperloglog",
     .since = "2.8.9", .flags = CMD_READONLY | CMD_MAY_REPLICATE, .acl = ACL_HLL,
     .keys = {{KEYS_RANGE, KEY_RW | KEY_ACCESS, 1, -1, 1, 0, NULL,
               "Written to as well: the estimate of a single key is kept in it"}},
     .complexity = "O(1) with a single key, mostly; O(N) with N keys, and far slower.",
     .summary = "Estimates how many different elements one HyperLogLog, or several, were shown.",
     .syntax = "key..."},
    {.name = "pfmerge", .run = pfmerge_command, .arity = -2, .group = "hyperloglog",
     .since = "2.8.9", .flags = CMD_WRITE | CMD_DENYOOM, .acl = ACL_HLL, .find_keys = merge_keys,
     .keys = {{KEYS_RANGE, KEY_RW | KEY_ACCESS | KEY_INSERT, 1, 0, 1, 0, NULL, NULL},
              {KEYS_RANGE, KEY_RO | KEY_ACCESS, 2, -1, 1, 0, NULL, NULL}},
     .complexity = "O(N), N being the number of HyperLogLogs.",
     .summary = "Makes a HyperLogLog one of all elements that others were shown, and itself.",
     .syntax = "destkey:key [sourcekey:key...]"},
    {.name = "pfdebug", .run = pfdebug_command, .arity = 3, .group = "hyperloglog",
     .since = "2.8.9", .flags = CMD_WRITE | CMD_DENYOOM | CMD_ADMIN, .acl = ACL_HLL,
     .keys = {{KEYS_RANGE, KEY_RW | KEY_ACCESS, 2, 0, 1, 0, NULL, NULL}},
     .complexity = "N/A",
     .summary = "Looks into a HyperLogLog: GETREG, DECODE, ENCODING, TODENSE.",
     .syntax = "subcommand:string key"},
    {.name = "pfselftest", .run = pfselftest_command, .arity = 1, .group = "hyperloglog",
     .since = "2.8.9", .flags = CMD_ADMIN, .acl = ACL_HLL,
     .complexity = "N/A",
     .summary = "Tests the estimates of HyperLogLogs."},
    {.name = NULL},
};
