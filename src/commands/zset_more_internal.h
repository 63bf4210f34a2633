/*
 * zset_more_internal.h - what the files share that deal with several sorted sets, with popping and
 * waiting, and with random members.
 *
 *   members.c         a collection of members with scores that belongs to no key
 *   zset_algebra.c    unions, intersections, differences
 *   zset_pop.c        popping and waiting
 *   zset_random.c     ZRANDMEMBER, ZSCAN
 *   zset_more_table.c the declarations of these
 */
#ifndef WEFT_COMMANDS_ZSET_MORE_INTERNAL_H
#define WEFT_COMMANDS_ZSET_MORE_INTERNAL_H

#include "commands/zset_internal.h"

/* ---- members.c ------------------------------------------------------------------------------ */

struct member {
    struct slice s;
    double score;
};

/* Members on their way to a reply or to a key. Zero-initialised is empty. Their bytes lie in values
 * that stay as they are meanwhile, or are kept here. */
struct members {
    struct member *items;
    size_t n, cap;
    struct members_chunk *kept;
    uint64_t *index; /* of members_find(): the upper half of a hash and 1 + position; 0: free */
    size_t index_mask;
};
void members_reserve(struct members *m, size_t more);
struct member *members_add(struct members *m, struct slice s, double score);
/* The same bytes, copied to where they last as long as m. */
struct slice members_keep(struct members *m, struct slice s);
void members_free(struct members *m);

/* An index of all that is in m, with room for as many in all. */
void members_index(struct members *m, size_t most);
struct members_gap {
    uint64_t *slot, tag;
};
/* The member with these bytes; else NULL, and *gap is where members_enter() puts it. */
struct member *members_find(const struct members *m, struct slice s, struct members_gap *gap);
void members_enter(struct members *m, struct members_gap gap); /* the one added last */

/* Sorts by score, equal ones by their bytes. */
void members_sort(struct members *m);
/* A sorted set of them (all distinct); NULL: there are none. */
struct entry *members_to_zset(const struct members *m, struct slice key);

/* ---- the handlers --------------------------------------------------------------------------- */

command_fn zunion_command, zunionstore_command, zinter_command, zinterstore_command,
    zintercard_command, zdiff_command, zdiffstore_command;
command_fn zpopmin_command, zpopmax_command, zmpop_command, bzpopmin_command, bzpopmax_command,
    bzmpop_command;
command_fn zrandmember_command, zscan_command;

#endif
