/* bit_table.c - the declarations of the bitmap commands. */
#include "commands/bit_internal.h"


static const char *const unit_history[] = {"7.0.0", "Takes `BYTE` or `BIT`.", NULL};
static const char *const bitop_history[] = {"8.2.0", "Takes `DIFF`, `DIFF1`, `ANDOR` and `ONE`.",
                                            NULL};

struct command bit_commands[] = {
    {.name = "setbit", .run = setbit_command, .arity = 4, .group = "bitmap", .since = "2.2.0",
     .flags = CMD_WRITE | CMD_DENYOOM, .acl = ACL_BITMAP,
     .keys = ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE),
     .complexity = "O(1)",
     .summary = "Sets or clears one bit of a string, which grows to have it; returns the old bit.",
     .syntax = "key offset:integer value:integer"},
    {.name = "getbit", .run = getbit_command, .arity = 3, .group = "bitmap", .since = "2.2.0",
     .flags = CMD_READONLY | CMD_FAST, .acl = ACL_BITMAP, .keys = ONE_KEY(KEY_RO | KEY_ACCESS),
     .complexity = "O(1)",
     .summary = "Returns one bit of a string.",
     .syntax = "key offset:integer"},
    {.name = "bitcount", .run = bitcount_command, .arity = -2, .group = "bitmap", .since = "2.6.0",
     .flags = CMD_READONLY, .acl = ACL_BITMAP, .keys = ONE_KEY(KEY_RO | KEY_ACCESS),
     .history = unit_history,
     .complexity = "O(N), N being the number of bytes looked at.",
     .summary = "Counts the bits that are set, in a string or a part of it.",
     .syntax = "key [range(start:integer end:integer [unit(BYTE | BIT)])]"},
    {.name = "bitpos", .run = bitpos_command, .arity = -3, .group = "bitmap", .since = "2.8.7",
     .flags = CMD_READONLY, .acl = ACL_BITMAP, .keys = ONE_KEY(KEY_RO | KEY_ACCESS),
     .history = unit_history,
     .complexity = "O(N), N being the number of bytes looked at.",
     .summary = "Finds the first bit that is set, or clear, in a string or a part of it.",
     .syntax = "key bit:integer [range(start:integer [end-unit-block(end:integer [unit(BYTE | BIT)])])]"},
    {.name = "bitop", .run = bitop_command, .arity = -4, .group = "bitmap", .since = "2.6.0",
     .flags = CMD_WRITE | CMD_DENYOOM, .acl = ACL_BITMAP, .history = bitop_history,
     .keys = {{KEYS_RANGE, KEY_OW | KEY_UPDATE, 2, 0, 1, 0, NULL, NULL},
              {KEYS_RANGE, KEY_RO | KEY_ACCESS, 3, -1, 1, 0, NULL, NULL}},
     .complexity = "O(N), N being the number of bytes of all sources.",
     .summary = "Combines the bits of strings, and makes the result the value of a key.",
     .syntax = "operation(AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE) destkey:key key..."},
    {.name = "bitfield", .run = bitfield_command, .arity = -2, .group = "bitmap", .since = "3.2.0",
     .flags = CMD_WRITE | CMD_DENYOOM, .acl = ACL_BITMAP,
     .keys = {{KEYS_RANGE, KEY_RW | KEY_UPDATE | KEY_ACCESS | KEY_VARIABLE_FLAGS, 1, 0, 1, 0, NULL,
               "Only read from, if there is nothing but `GET`"}},
     .key_flags = bitfield_key_flags,
     .complexity = "O(1) for each operation.",
     .summary = "Reads, sets and increments integers of any width, at any bit of a string.",
     .syntax = "key [operation(GET get-block(encoding:string offset:integer) | "
               "write([OVERFLOW overflow-block(WRAP | SAT | FAIL)] "
               "write-operation(SET set-block(encoding:string offset:integer value:integer) | "
               "INCRBY incrby-block(encoding:string offset:integer increment:integer))))...]"},
    {.name = "bitfield_ro", .run = bitfield_ro_command, .arity = -2, .group = "bitmap",
     .since = "6.0.0", .flags = CMD_READONLY | CMD_FAST, .acl = ACL_BITMAP,
     .keys = ONE_KEY(KEY_RO | KEY_ACCESS),
     .complexity = "O(1) for each operation.",
     .summary = "Reads integers of any width, at any bit of a string.",
     .syntax = "key [GET get-block(encoding:string offset:integer) "
               "[GET get-block(encoding:string offset:integer) ...]]"},
    {.name = NULL},
};
