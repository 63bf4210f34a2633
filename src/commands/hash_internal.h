/* hash_internal.h - what the files of the hash family share: the hash that a call works on. */
#ifndef WEFT_COMMANDS_HASH_INTERNAL_H
#define WEFT_COMMANDS_HASH_INTERNAL_H

#include "commands/commands.h"

/*
 * The hash at the first key of a call, from hash_open() to hash_settle().
 *
 * A field whose time has come is removed when hash_live() meets it. That, and whatever the command
 * changes, is told of by hash_settle(), which also deletes the key when no field is left. A call
 * that changed nothing need not settle, unless h.expired.
 */
struct hash_ref {
    struct call *c;
    struct entry **slot; /* NULL: there is no such key */
    bool had_due;        /* some field had an expiry when the key index was last told */
    uint32_t expired;    /* fields removed since their time had come */
};

/* False: the key holds another type; the error has been replied. */
static inline bool hash_open(struct call *c, struct hash_ref *h)
{
    bool wrong = false;
    h->c = c;
    h->slot = call_find_type(c, &c->keys[0], TYPE_HASH, &wrong);
    h->expired = 0;
    h->had_due = h->slot && entry_fields_due(*h->slot) != ENTRY_NO_EXPIRE;
    return !wrong;
}

static inline bool hash_time_has_come(const struct call *c, int64_t expire_ms)
{
    return UNLIKELY(expire_ms != ENTRY_NO_EXPIRE) && expire_ms <= c->now_ms;
}

void hash_drop_expired(struct hash_ref *h, struct slice field);

/* Finds a field; one whose time has come is removed and counts as absent. */
static inline bool hash_live(struct hash_ref *h, struct slice field, struct hash_found *found)
{
    if (!h->slot || !hash_find(*h->slot, field, found)) return false;
    if (LIKELY(!hash_time_has_come(h->c, found->expire_ms))) return true;
    hash_drop_expired(h, field);
    return false;
}

/* The hash; made, with room for these n fields and values, if there is none. */
struct entry *hash_make(struct hash_ref *h, const struct slice *args, size_t n);
/* Tells of what expired, then of up to two events (NULL: none), the first of which counts as one
 * change; deletes the key if its last field is gone (h->slot is NULL then). */
void hash_settle(struct hash_ref *h, const char *event, const char *also);
/* The same after reading. */
static inline void hash_close(struct hash_ref *h)
{
    if (UNLIKELY(h->expired)) hash_settle(h, NULL, NULL);
}

/* Gives a field the value that is argument `arg`. True: the field is new. */
bool hash_set_arg(struct call *c, struct entry *e, struct slice field, uint32_t arg, bool keep);
void hash_reply_value(struct reply *r, struct slice value, struct blob *blob);
/* Replies the value of a field, or null. False: it is absent. */
bool hash_reply_field(struct hash_ref *h, struct slice field);

/* Argument `arg`: a time in seconds or ms, counted from base_ms. False: an error was replied. */
bool hash_time_arg(struct call *c, uint32_t arg, bool seconds, int64_t base_ms, int64_t *when);
/* "FIELDS numfields field ..." up to the last argument, from argument `at` on; *first is that of
 * the first field. count_error: said of a number that is none. False: an error was replied. */
bool hash_fields_arg(struct call *c, uint32_t at, const char *count_error, uint32_t *first);

/* Gives a field, which is there, an expiry; one that has passed removes the field (false). */
bool hash_expire_field(struct hash_ref *h, struct slice field, int64_t when);

command_fn hset_command, hsetnx_command, hget_command, hmget_command, hlen_command, hstrlen_command,
    hexists_command, hdel_command, hincrby_command, hincrbyfloat_command;
command_fn hgetall_command, hkeys_command, hvals_command, hrandfield_command, hscan_command;
command_fn hexpire_command, hpexpire_command, hexpireat_command, hpexpireat_command, httl_command,
    hpttl_command, hexpiretime_command, hpexpiretime_command, hpersist_command;
command_fn hgetex_command, hsetex_command, hgetdel_command;

#endif
