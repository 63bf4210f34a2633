/* init.c - every family of this layer, registered. */
#include "commands/commands_internal.h"

void commands_init(void)
{
    commands_register(string_commands);
    commands_register(keys_commands);
    commands_register(dump_commands);
    commands_register(list_commands);
    commands_register(set_commands);
    commands_register(bit_commands);
    commands_register(hll_commands);
    commands_register(zset_commands);
    commands_register(hash_commands);
    commands_register(zset_more_commands);
    commands_register(geo_commands);
    commands_register(stream_commands);
    commands_register(sort_commands);
    commands_register(transaction_commands);
    commands_register(introspection_commands);
}
