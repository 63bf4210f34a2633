/*
 * hash_expire.c - how long fields of hashes live: setting, asking, taking back.
 *
 * Invariants
 *  1. An expiry that is stored lies in the future; one that has passed removes the field at once.
 *  2. The key index is told of the earliest expiry of a hash once a command, by hash_settle().
 */
#include "commands/hash_internal.h"

#define EXPIRE_MAX (((int64_t)1 << 46) - 1) /* ms since 1970: what Redis can keep for a field */

enum { NO_FIELD = -2, NO_EXPIRE = -1, NOT_MET = 0, DONE = 1, REMOVED = 2 };

/* ---- arguments ------------------------------------------------------------------------------ */

bool hash_time_arg(struct call *c, uint32_t arg, bool seconds, int64_t base_ms, int64_t *when)
{
    if (!call_i64(c, arg, when)) return false;
    if (*when < 0) {
        reply_error(c->r, "ERR invalid expire time, must be >= 0");
        return false;
    }
    int64_t unit = seconds ? 1000 : 1;
    if (*when <= EXPIRE_MAX / unit && *when * unit <= EXPIRE_MAX - base_ms) {
        *when = *when * unit + base_ms;
        return true;
    }
    reply_errorf(c->r, "ERR invalid expire time in '%s' command", c->cmd->full_name);
    return false;
}

bool hash_fields_arg(struct call *c, uint32_t at, const char *count_error, uint32_t *first)
{
    int64_t n;
    if (at + 1 >= c->argc || !slice_is(c->argv[at], "FIELDS")) {
        reply_error(c->r, "ERR Mandatory argument FIELDS is missing or not at the right position");
        return false;
    }
    if (!call_i64_range(c, at + 1, 1, INT64_MAX, &n, count_error)) return false;
    *first = at + 2;
    if (n == (int64_t)c->argc - *first) return true;
    reply_error(c->r, "ERR The `numfields` parameter must match the number of arguments");
    return false;
}

/* ---- setting -------------------------------------------------------------------------------- */

enum condition { ALWAYS, ONLY_NX, ONLY_XX, ONLY_GT, ONLY_LT };

static enum condition condition_arg(struct slice s)
{
    if (slice_is(s, "NX")) return ONLY_NX;
    if (slice_is(s, "XX")) return ONLY_XX;
    if (slice_is(s, "GT")) return ONLY_GT;
    return slice_is(s, "LT") ? ONLY_LT : ALWAYS;
}

/* No expiry counts as later than any. */
static bool condition_holds(enum condition cond, int64_t now, int64_t then)
{
    bool has = now != ENTRY_NO_EXPIRE;
    switch (cond) {
    case ONLY_NX: return !has;
    case ONLY_XX: return has;
    case ONLY_GT: return has && then > now;
    case ONLY_LT: return !has || then < now;
    default: return true;
    }
}

bool hash_expire_field(struct hash_ref *h, struct slice field, int64_t when)
{
    struct call *c = h->c;
    if (when > c->now_ms) {
        hash_set_expire(*h->slot, field, when);
        return true;
    }
    hash_remove(*h->slot, field);
    ks_fields_expired(call_part(c, &c->keys[0]), 1);
    return false;
}

/* Replies what became of each field; what became of all is told at the end. */
static void expire_fields(struct hash_ref *h, uint32_t first, enum condition cond, int64_t when)
{
    struct call *c = h->c;
    struct hash_found found;
    uint32_t set = 0, removed = 0;
    reply_array(c->r, c->argc - first);
    if (h->slot) hash_allow_expire(*h->slot);
    for (uint32_t i = first; i < c->argc; i++) {
        if (!hash_live(h, c->argv[i], &found)) {
            reply_int(c->r, NO_FIELD);
        } else if (!condition_holds(cond, found.expire_ms, when)) {
            reply_int(c->r, NOT_MET);
        } else if (hash_expire_field(h, c->argv[i], when)) {
            reply_int(c->r, DONE);
            set++;
        } else {
            reply_int(c->r, REMOVED);
            removed++;
        }
    }
    if (set + removed) {
        c->dirty += set + removed - 1;
        hash_settle(h, removed ? "hdel" : "hexpire", NULL);
    }
    hash_close(h);
}

static void expire(struct call *c, bool seconds, int64_t base_ms)
{
    struct hash_ref h;
    int64_t when;
    uint32_t first;
    if (!hash_open(c, &h) || !hash_time_arg(c, 2, seconds, base_ms, &when)) return;
    enum condition cond = condition_arg(c->argv[3]);
    if (!hash_fields_arg(c, cond == ALWAYS ? 3 : 4,
                         "Parameter `numFields` should be greater than 0", &first)) {
        return;
    }
    expire_fields(&h, first, cond, when);
}

void hexpire_command(struct call *c)
{
    expire(c, true, c->now_ms);
}

void hpexpire_command(struct call *c)
{
    expire(c, false, c->now_ms);
}

void hexpireat_command(struct call *c)
{
    expire(c, true, 0);
}

void hpexpireat_command(struct call *c)
{
    expire(c, false, 0);
}

/* ---- asking --------------------------------------------------------------------------------- */

static bool open_for_fields(struct call *c, struct hash_ref *h, uint32_t *first)
{
    return hash_open(c, h) &&
           hash_fields_arg(c, 2, "Number of fields must be a positive integer", first);
}

/* A field's expiry, or NO_EXPIRE, or NO_FIELD. Removes nothing. */
static int64_t expiry_of(const struct hash_ref *h, struct slice field)
{
    struct hash_found found;
    if (!h->slot || !hash_find(*h->slot, field, &found)) return NO_FIELD;
    if (hash_time_has_come(h->c, found.expire_ms)) return NO_FIELD;
    return found.expire_ms == ENTRY_NO_EXPIRE ? NO_EXPIRE : found.expire_ms;
}

/* Seconds are rounded up. */
static void reply_times(struct call *c, bool seconds, int64_t base_ms)
{
    struct hash_ref h;
    uint32_t first;
    if (!open_for_fields(c, &h, &first)) return;
    reply_array(c->r, c->argc - first);
    for (uint32_t i = first; i < c->argc; i++) {
        int64_t ms = expiry_of(&h, c->argv[i]);
        if (ms >= 0) ms = seconds ? (ms - base_ms + 999) / 1000 : ms - base_ms;
        reply_int(c->r, ms);
    }
}

void httl_command(struct call *c)
{
    reply_times(c, true, c->now_ms);
}

void hpttl_command(struct call *c)
{
    reply_times(c, false, c->now_ms);
}

void hexpiretime_command(struct call *c)
{
    reply_times(c, true, 0);
}

void hpexpiretime_command(struct call *c)
{
    reply_times(c, false, 0);
}

void hpersist_command(struct call *c)
{
    struct hash_ref h;
    uint32_t first, changed = 0;
    if (!open_for_fields(c, &h, &first)) return;
    reply_array(c->r, c->argc - first);
    for (uint32_t i = first; i < c->argc; i++) {
        int64_t ms = expiry_of(&h, c->argv[i]);
        if (ms >= 0) {
            hash_set_expire(*h.slot, c->argv[i], ENTRY_NO_EXPIRE);
            changed++;
            ms = DONE;
        }
        reply_int(c->r, ms);
    }
    if (changed) hash_settle(&h, "hpersist", NULL);
}
