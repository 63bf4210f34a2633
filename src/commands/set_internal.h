/* set_internal.h - what the files of the set family share. */
#ifndef WEFT_COMMANDS_SET_INTERNAL_H
#define WEFT_COMMANDS_SET_INTERNAL_H

#include "commands/commands.h"

/* Replies all members of a set. */
void set_reply_all(struct call *c, const struct entry *e);

/* The set at k has no members left: deletes the key (with the event "del"). */
void set_delete_empty(struct call *c, const struct key *k, struct entry **slot);

command_fn sadd_command, srem_command, smove_command, sismember_command, smismember_command,
    scard_command, smembers_command, sscan_command;
command_fn spop_command, srandmember_command;
command_fn sinter_command, sinterstore_command, sintercard_command, sunion_command,
    sunionstore_command, sdiff_command, sdiffstore_command;

#endif
