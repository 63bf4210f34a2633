/* string_internal.h - what the files of the string family share. */
#ifndef WEFT_COMMANDS_STRING_INTERNAL_H
#define WEFT_COMMANDS_STRING_INTERNAL_H

#include "commands/commands.h"

/* The slot of a string. NULL: absent, or of another type (then *wrong is set and the error has been
 * replied). ks_flags: KS_NO_STATS for commands that Redis does not count as reading. */
static inline struct entry **string_slot(struct call *c, const struct key *k, unsigned ks_flags,
                                         bool *wrong)
{
    struct entry **slot = call_find(c, k, ks_flags);
    if (UNLIKELY(slot && (*slot)->type != TYPE_STRING)) {
        call_wrong_type(c);
        *wrong = true;
        return NULL;
    }
    return slot;
}

/* May a string be this long (start + n bytes)? Replies the error if not. */
bool string_length_ok(struct call *c, size_t start, size_t n);

/* The bytes of the string in slot for writing: at least `len`, zeros behind what there was. NULL: there
 * is no memory (replied). */
char *string_writable(struct call *c, const struct key *k, struct entry **slot, size_t len);
/* The same, of a string that is made when slot is NULL. */
char *string_create_writable(struct call *c, const struct key *k, struct entry **slot, size_t len);

/* How long the value shall live: the options EX PX EXAT PXAT KEEPTTL PERSIST. */
struct ttl_option {
    enum { TTL_NONE, TTL_EX, TTL_PX, TTL_EXAT, TTL_PXAT, TTL_KEEP, TTL_PERSIST } how;
    uint32_t arg; /* of the number */
};
/* Reads one option at argument *arg, which is moved to the option's last word. Returns 1: it was
 * one; 0: it is none of these; -1: it contradicts an earlier one, or its number is missing. */
int ttl_option_parse(struct call *c, uint32_t *arg, struct ttl_option *ttl);
/* The time it stands for, ms since 1970 (ENTRY_NO_EXPIRE unless it has a number). False: no valid
 * time; the error has been replied. */
bool ttl_option_time(struct call *c, const struct ttl_option *ttl, int64_t *expire_ms);

command_fn get_command, mget_command, strlen_command, getrange_command, append_command,
    setrange_command, getex_command, getdel_command, digest_command;
command_fn set_command, setnx_command, setex_command, psetex_command, getset_command, mset_command,
    msetnx_command, delex_command;
uint32_t set_key_flags(uint32_t argc, const struct slice *argv);
uint32_t delex_key_flags(uint32_t argc, const struct slice *argv);
command_fn incr_command, decr_command, incrby_command, decrby_command, incrbyfloat_command;
command_fn lcs_command;

#endif
