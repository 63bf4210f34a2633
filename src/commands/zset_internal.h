/*
 * zset_internal.h - what the files of the sorted set family share.
 *
 *   zset.c         adding, removing, by member; this header's helpers
 *   zset_range.c   ZRANGE and all its forms, ZRANGESTORE, counting and removing ranges
 *   zset_table.c   the declarations of these
 */
#ifndef WEFT_COMMANDS_ZSET_INTERNAL_H
#define WEFT_COMMANDS_ZSET_INTERNAL_H

#include "commands/commands.h"

/* "1", "(1.5", "-inf": false: "ERR min or max is not a float" was replied. */
bool score_range_parse(struct call *c, struct slice min, struct slice max, struct score_range *range);
/* "-", "[a", "(b", "+": the members are slices of the arguments. False: "ERR min or max not valid
 * string range item" was replied. */
bool lex_range_parse(struct call *c, struct slice min, struct slice max, struct lex_range *range);

/* A float as ZADD takes it; false: "ERR value is not a valid float" was replied. */
#define zset_score_arg call_double

/* The set at k, made when absent; NULL: the key holds another type, which was replied. */
struct entry *zset_for_write(struct call *c, const struct key *k);
/* Puts the finished set e (with entry_new_zset*(); it is taken over) at k, in place of what is there,
 * or with an empty one (then freed) or NULL just removes that: the end of every *STORE command.
 * Tells of `event` or "del", and replies the number of members. */
void zset_store(struct call *c, const struct key *k, struct entry *e, const char *event);
/* After members were removed from the set in slot: deletes the key when none is left (with the event
 * "del"). */
void zset_removed(struct call *c, const struct key *k, struct entry **slot);

/* The header of n members (and with scores: in RESP2 one flat array, in RESP3 one of pairs); and each
 * of them. */
void zset_reply_header(struct reply *r, size_t n, bool with_scores);
void zset_reply_member(struct reply *r, struct slice member, double score, bool with_scores);

command_fn zadd_command, zincrby_command, zrem_command, zcard_command, zscore_command,
    zmscore_command, zrank_command, zrevrank_command;
command_fn zcount_command, zlexcount_command, zrange_command, zrangestore_command,
    zrevrange_command, zrangebyscore_command, zrevrangebyscore_command, zrangebylex_command,
    zrevrangebylex_command, zremrangebyrank_command, zremrangebyscore_command,
    zremrangebylex_command;

#endif
