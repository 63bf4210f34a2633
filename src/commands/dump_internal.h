/* dump_internal.h - what the files of DUMP, RESTORE and MIGRATE share. */
#ifndef WEFT_COMMANDS_DUMP_INTERNAL_H
#define WEFT_COMMANDS_DUMP_INTERNAL_H

#include "commands/commands_internal.h"
#include "persist/persist.h"

command_fn dump_command, restore_command, migrate_command;
int migrate_keys(uint32_t argc, const struct slice *argv, uint32_t *out, int max);

#endif
