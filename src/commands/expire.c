/*
 * expire.c - how long keys live: setting, asking, taking back.
 *
 * Invariants
 *  1. An expiry that is stored lies in the future; one that has passed deletes the key at once.
 *  2. Times are ms since 1970; seconds are rounded to the nearest when asked for.
 */
#include "commands/keys_internal.h"

/* ---- setting -------------------------------------------------------------------------------- */

enum { ONLY_NX = 1, ONLY_XX = 2, ONLY_GT = 4, ONLY_LT = 8 };

static bool parse_conditions(struct call *c, unsigned *only)
{
    static const char *const words[] = {"NX", "XX", "GT", "LT"};
    *only = 0;
    for (uint32_t i = 3; i < c->argc; i++) {
        size_t w = 0;
        while (w < ARRAY_LEN(words) && !slice_is(c->argv[i], words[w]))
            w++;
        if (w == ARRAY_LEN(words)) {
            reply_errorf(c->r, "ERR Unsupported option %.*s", (int)MIN(c->argv[i].n, INT32_MAX),
                         c->argv[i].p);
            return false;
        }
        *only |= 1u << w;
    }
    if ((*only & ONLY_NX) && (*only & ~(unsigned)ONLY_NX)) {
        reply_error(c->r, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if ((*only & ONLY_GT) && (*only & ONLY_LT)) {
        reply_error(c->r, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* No expiry counts as later than any. */
static bool conditions_hold(unsigned only, int64_t now, int64_t then)
{
    if ((only & ONLY_NX) && now != ENTRY_NO_EXPIRE) return false;
    if ((only & ONLY_XX) && now == ENTRY_NO_EXPIRE) return false;
    if ((only & ONLY_GT) && (now == ENTRY_NO_EXPIRE || then <= now)) return false;
    if ((only & ONLY_LT) && now != ENTRY_NO_EXPIRE && then >= now) return false;
    return true;
}

/* Argument 2 in ms since 1970; it may lie in the past. */
static bool parse_time(struct call *c, bool seconds, int64_t base_ms, int64_t *when)
{
    if (!call_i64(c, 2, when)) return false;
    if (!(seconds && __builtin_mul_overflow(*when, 1000, when)) &&
        !__builtin_add_overflow(*when, base_ms, when)) {
        return true;
    }
    reply_errorf(c->r, "ERR invalid expire time in '%s' command", c->cmd->full_name);
    return false;
}

static void set_expire(struct call *c, struct entry **slot, int64_t when)
{
    const struct key *k = &c->keys[0];
    struct part *p = call_part(c, k);
    if (when <= c->now_ms) {
        ks_delete(p, c->db, k, slot, true);
        call_changed(c, k, 'g', "del");
    } else {
        ks_set_expire(p, c->db, k, slot, when);
        call_changed(c, k, 'g', "expire");
    }
}

static void expire_at(struct call *c, bool seconds, int64_t base_ms)
{
    unsigned only;
    int64_t when;
    if (!parse_conditions(c, &only) || !parse_time(c, seconds, base_ms, &when)) return;
    struct entry **slot = call_find(c, &c->keys[0], KS_NO_STATS);
    if (!slot || !conditions_hold(only, entry_expire(*slot), when)) {
        reply_zero(c->r);
        return;
    }
    set_expire(c, slot, when);
    reply_one(c->r);
}

void expire_command(struct call *c)
{
    expire_at(c, true, c->now_ms);
}

void pexpire_command(struct call *c)
{
    expire_at(c, false, c->now_ms);
}

void expireat_command(struct call *c)
{
    expire_at(c, true, 0);
}

void pexpireat_command(struct call *c)
{
    expire_at(c, false, 0);
}

void persist_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    struct entry **slot = call_find(c, k, KS_NO_STATS);
    if (!slot || !(*slot)->has_expire) {
        reply_zero(c->r);
        return;
    }
    ks_set_expire(call_part(c, k), c->db, k, slot, ENTRY_NO_EXPIRE);
    call_changed(c, k, 'g', "persist");
    reply_one(c->r);
}

/* ---- asking --------------------------------------------------------------------------------- */

/* Replies -2 for an absent key, -1 for one that lives for ever, else its time counted from base_ms.
 */
static void reply_time(struct call *c, bool seconds, int64_t base_ms)
{
    struct entry **slot = call_find(c, &c->keys[0], KS_NO_TOUCH);
    int64_t when = slot ? entry_expire(*slot) : -2;
    if (when < 0) {
        reply_int(c->r, when);
        return;
    }
    int64_t ms = MAX(when - base_ms, 0);
    reply_int(c->r, seconds ? ms / 1000 + (ms % 1000 >= 500) : ms);
}

void ttl_command(struct call *c)
{
    reply_time(c, true, c->now_ms);
}

void pttl_command(struct call *c)
{
    reply_time(c, false, c->now_ms);
}

void expiretime_command(struct call *c)
{
    reply_time(c, true, 0);
}

void pexpiretime_command(struct call *c)
{
    reply_time(c, false, 0);
}
