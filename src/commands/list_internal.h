/* list_internal.h - what the files of the list family share. */
#ifndef WEFT_COMMANDS_LIST_INTERNAL_H
#define WEFT_COMMANDS_LIST_INTERNAL_H

#include "commands/commands.h"

/* "LEFT" or "RIGHT"; false: a syntax error was replied. */
bool list_end_arg(struct call *c, uint32_t arg, enum list_end *end);

/* The list at k, made when absent (*slot is then set); c->cmd's type error when it is no list:
 * NULL. */
struct entry *list_for_write(struct call *c, const struct key *k);
/* The same with the entry already looked up (NULL: absent). */
struct entry *list_create(struct call *c, const struct key *k);

/* After elements were taken from the list in slot: shrinks its encoding, or deletes the key when
 * nothing is left (with the event "del"). */
void list_removed(struct call *c, const struct key *k, struct entry **slot);

/* Replies the element at one end and removes it, or up to count of them as an array. */
void list_pop_one(struct call *c, const struct key *k, struct entry **slot, enum list_end end);
void list_pop_many(struct call *c, const struct key *k, struct entry **slot, enum list_end end,
                   size_t count);

command_fn lpush_command, rpush_command, lpushx_command, rpushx_command, llen_command,
    lindex_command, lset_command, lrange_command, ltrim_command, lrem_command, linsert_command,
    lpos_command;
command_fn lpop_command, rpop_command, lmove_command, rpoplpush_command, lmpop_command,
    blpop_command, brpop_command, blmove_command, brpoplpush_command, blmpop_command;

#endif
