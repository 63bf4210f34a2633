/* stream_internal.h - what the files of the stream family share. */
#ifndef WEFT_COMMANDS_STREAM_INTERNAL_H
#define WEFT_COMMANDS_STREAM_INTERNAL_H

#include "commands/commands.h"

#define STREAM_IDS_FEW 16 /* IDs of a call that are kept on its stack */

/* ---- stream_args.c: arguments --------------------------------------------------------------- */

/* An ID as Redis reads it: "ms-seq", or "ms" alone with seq then `missing`. False: it is none. */
bool stream_id_parse(struct slice s, uint64_t missing, struct stream_id *id);
/* The same, with the error replied. */
bool stream_id_arg(struct call *c, uint32_t arg, struct stream_id *id);
/* "ms-*" too: then *has_seq is false. */
bool stream_new_id_arg(struct call *c, uint32_t arg, struct stream_id *id, bool *has_seq);
/* "-" and "+" too. */
bool stream_any_id_arg(struct call *c, uint32_t arg, uint64_t missing, struct stream_id *id);
/* The ends of a range: "-", "+", an ID, or "(" and an ID that is not in it. */
bool stream_start_arg(struct call *c, uint32_t arg, struct stream_id *id);
bool stream_end_arg(struct call *c, uint32_t arg, struct stream_id *id);
/* n IDs from argument `at` on: in few[] or allocated; NULL: an error was replied. */
struct stream_id *stream_ids_arg(struct call *c, uint32_t at, uint32_t n,
                                 struct stream_id few[STREAM_IDS_FEW]);
void stream_ids_free(struct stream_id *ids, const struct stream_id *few);
/* KEEPREF, DELREF, ACKED: true and *refs set. */
bool stream_refs_word(struct slice s, enum stream_refs *refs);
/* "[KEEPREF|DELREF|ACKED] IDS numids id..." from argument `at` to the end: *first and *n say where
 * the IDs are. False: an error was replied. */
bool stream_refs_ids(struct call *c, uint32_t at, enum stream_refs *refs, uint32_t *first,
                     uint32_t *n);

struct stream_add { /* the options of XADD and XTRIM */
    struct stream_trim trim;
    bool no_mkstream;
    bool has_id, has_seq; /* XADD: an ID was given, and its sequence number */
    struct stream_id id;
    uint32_t id_at; /* XADD: the argument that is the ID */
};
bool stream_add_args(struct call *c, bool add, struct stream_add *a);

/* ---- stream.c: replies and lookups ---------------------------------------------------------- */

void stream_reply_id(struct reply *r, struct stream_id id);
void stream_reply_entry(struct reply *r, struct stream_iter *it);
/* An array of the entries of a range, at most count (0: all). Returns how many. */
size_t stream_reply_range(struct reply *r, const struct stream *s, struct stream_id start,
                          struct stream_id end, uint64_t count, bool rev);
/* The stream at k, or NULL: absent, or (*wrong) not a stream, which was replied. */
struct stream *stream_find(struct call *c, const struct key *k, bool *wrong);
/* The stream at k, which is made if it is absent. */
struct stream *stream_create(struct call *c, const struct key *k);
/* The group of the stream at keys[0] by argument `arg`, or NULL: the error was replied. */
struct stream_group *stream_group_arg(struct call *c, uint32_t arg, struct stream **s);
/* The consumer of that name, made if it is absent. */
struct stream_consumer *stream_consumer_ensure(struct call *c, const struct key *k,
                                               struct stream_group *g, struct slice name);

command_fn xadd_command, xlen_command, xrange_command, xrevrange_command, xdel_command,
    xdelex_command, xtrim_command, xsetid_command;
command_fn xread_command, xreadgroup_command;
command_fn xgroup_create_command, xgroup_setid_command, xgroup_destroy_command,
    xgroup_createconsumer_command, xgroup_delconsumer_command, xack_command, xackdel_command;
command_fn xpending_command, xclaim_command, xautoclaim_command;
command_fn xinfo_stream_command, xinfo_groups_command, xinfo_consumers_command;

/* Keys behind STREAMS, as XREAD and XREADGROUP find them. */
int stream_read_keys(uint32_t argc, const struct slice *argv, uint32_t *out, int max);

#endif
