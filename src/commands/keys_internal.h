/* keys_internal.h - what the files of the key commands share. */
#ifndef WEFT_COMMANDS_KEYS_INTERNAL_H
#define WEFT_COMMANDS_KEYS_INTERNAL_H

#include "commands/commands.h"

/* A walk owns nothing and may park, unless it runs in a transaction: then all is owned. */
static inline bool walk_owns_all(const struct call *c)
{
    return c->owned && c->owned->all;
}

/* The number of a database. False: it is none; the error has been replied. */
bool database_arg(struct call *c, uint32_t arg, uint32_t *db);

command_fn del_command, exists_command, type_command, touch_command, rename_command,
    renamenx_command, copy_command, move_command, swapdb_command, dbsize_command;
command_fn expire_command, pexpire_command, expireat_command, pexpireat_command, ttl_command,
    pttl_command, expiretime_command, pexpiretime_command, persist_command;
command_fn keys_command, scan_command, randomkey_command;
command_fn flushdb_command, flushall_command;
command_fn object_encoding_command, object_freq_command, object_idletime_command,
    object_refcount_command, object_help_command;

#endif
