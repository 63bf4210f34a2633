/*
 * string_set.c - strings: SET in all its forms, with its conditions and lifetimes; DELEX, which has
 * the same conditions.
 *
 *   options -> time -> old value (GET) -> condition -> value put -> lifetime
 *
 * Invariants
 *  1. Nothing is changed before every argument has been found valid and the condition met.
 *  2. A value that was received into a blob becomes the key's value without a copy: the entry takes
 * a reference beside the request's.
 */
#include "commands/string_internal.h"

#include <stdio.h>

/* ---- lifetimes ------------------------------------------------------------------------------ */

static const struct {
    const char *word;
    int how;
} ttl_words[] = {
    {"EX", TTL_EX},     {"PX", TTL_PX},        {"EXAT", TTL_EXAT},
    {"PXAT", TTL_PXAT}, {"KEEPTTL", TTL_KEEP}, {"PERSIST", TTL_PERSIST},
};

int ttl_option_parse(struct call *c, uint32_t *arg, struct ttl_option *ttl)
{
    for (size_t i = 0; i < ARRAY_LEN(ttl_words); i++) {
        int how = ttl_words[i].how;
        if (!slice_is(c->argv[*arg], ttl_words[i].word)) continue;
        if (ttl->how != TTL_NONE && (int)ttl->how != how)
            return -1; /* the same one again: the last counts */
        ttl->how = how;
        if (how == TTL_KEEP || how == TTL_PERSIST) return 1;
        if (*arg + 1 >= c->argc) return -1;
        ttl->arg = ++*arg;
        return 1;
    }
    return 0;
}

static bool invalid_time(struct call *c)
{
    reply_errorf(c->r, "ERR invalid expire time in '%s' command", c->cmd->full_name);
    return false;
}

bool ttl_option_time(struct call *c, const struct ttl_option *ttl, int64_t *expire_ms)
{
    int64_t t;
    *expire_ms = ENTRY_NO_EXPIRE;
    if (ttl->how == TTL_NONE || ttl->how >= TTL_KEEP) return true;
    if (!call_i64(c, ttl->arg, &t)) return false;
    if (t <= 0) return invalid_time(c);
    bool seconds = ttl->how == TTL_EX || ttl->how == TTL_EXAT;
    bool relative = ttl->how == TTL_EX || ttl->how == TTL_PX;
    if (seconds && __builtin_mul_overflow(t, 1000, &t)) return invalid_time(c);
    if (relative && __builtin_add_overflow(t, c->now_ms, &t)) return invalid_time(c);
    *expire_ms = t;
    return true;
}

/* ---- putting a value ------------------------------------------------------------------------ */

static inline struct blob *arg_blob(const struct call *c, uint32_t arg)
{
    return UNLIKELY(c->blobs != NULL) ? c->blobs[arg] : NULL;
}

static struct entry *new_value(struct call *c, const struct key *k, uint32_t arg, int64_t expire_ms)
{
    struct blob *b = arg_blob(c, arg);
    if (UNLIKELY(b)) return entry_new_blob(k->s, blob_ref(b), expire_ms);
    return entry_new_string(k->s, c->argv[arg], expire_ms);
}

/* Over a value that is there: in place if it is a string. */
static void overwrite(struct call *c, const struct key *k, struct entry **slot, uint32_t arg,
                      int64_t expire_ms)
{
    struct part *p = call_part(c, k);
    struct entry *old = *slot;
    if (UNLIKELY(old->type != TYPE_STRING)) {
        ks_replace(p, c->db, k, slot, new_value(c, k, arg, expire_ms));
        return;
    }
    bool had_expire = old->has_expire;
    struct blob *b = arg_blob(c, arg);
    struct entry *e =
        UNLIKELY(b) ? string_set_blob(old, blob_ref(b)) : string_set(old, c->argv[arg]);
    if (e != old) ks_moved(p, c->db, k, slot, e, had_expire);
    if (UNLIKELY(had_expire || expire_ms != ENTRY_NO_EXPIRE)) {
        if (entry_expire(e) != expire_ms) ks_set_expire(p, c->db, k, slot, expire_ms);
    }
}

/* Argument `arg` is k's value now, with this expiry; slot as found. */
static inline void put(struct call *c, const struct key *k, struct entry **slot, uint32_t arg,
                       int64_t expire_ms)
{
    if (slot) {
        overwrite(c, k, slot, arg, expire_ms);
    } else {
        ks_add(call_part(c, k), c->db, k, new_value(c, k, arg, expire_ms));
    }
    call_changed(c, k, '$', "set");
}

/* With a time: tells of that too, as a part of the same change. */
static void put_expiring(struct call *c, const struct key *k, struct entry **slot, uint32_t arg,
                         int64_t expire_ms)
{
    put(c, k, slot, arg, expire_ms);
    call_changed(c, k, 'g', "expire");
    c->dirty--;
}

/* ---- conditions ----------------------------------------------------------------------------- */

struct condition {
    enum {
        IF_ALWAYS,
        IF_ABSENT,
        IF_PRESENT,
        IF_EQUAL,
        IF_DIFFERENT,
        IF_DIGEST,
        IF_NOT_DIGEST
    } what;
    uint32_t arg; /* of the value or digest to compare with */
};

static const struct {
    const char *word;
    int what;
} condition_words[] = {
    {"NX", IF_ABSENT},      {"XX", IF_PRESENT},   {"IFEQ", IF_EQUAL},
    {"IFNE", IF_DIFFERENT}, {"IFDEQ", IF_DIGEST}, {"IFDNE", IF_NOT_DIGEST},
};

/* As ttl_option_parse(). */
static int condition_parse(struct call *c, uint32_t *arg, struct condition *cond)
{
    for (size_t i = 0; i < ARRAY_LEN(condition_words); i++) {
        int what = condition_words[i].what;
        if (!slice_is(c->argv[*arg], condition_words[i].word)) continue;
        if (cond->what != IF_ALWAYS && ((int)cond->what != what || what >= IF_EQUAL)) return -1;
        cond->what = what;
        if (what < IF_EQUAL) return 1;
        if (*arg + 1 >= c->argc) return -1;
        cond->arg = ++*arg;
        return 1;
    }
    return 0;
}

static bool digest_equals(const struct entry *e, struct slice hex)
{
    char tmp[NUM_I64_MAX], digest[17];
    struct slice s = string_view(e, tmp);
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)XXH3_64bits(s.p, s.n));
    return slice_is(hex, digest);
}

/* A digest to compare with has its full length. */
static bool condition_valid(struct call *c, const struct condition *cond)
{
    if (LIKELY(cond->what < IF_DIGEST) || c->argv[cond->arg].n == 16) return true;
    reply_error(c->r, "ERR digest must be exactly 16 hexadecimal characters");
    return false;
}

/* Does the condition hold for what is in slot (NULL: absent)? One that looks at the value takes a
 * string only: *wrong is set and the error replied. */
static bool condition_holds(struct call *c, const struct condition *cond, struct entry **slot,
                            bool *wrong)
{
    char tmp[NUM_I64_MAX];
    if (cond->what < IF_EQUAL)
        return cond->what == IF_ALWAYS || (cond->what == IF_PRESENT) == !!slot;
    bool negated = cond->what == IF_DIFFERENT || cond->what == IF_NOT_DIGEST;
    if (!slot) return negated;
    if ((*slot)->type != TYPE_STRING) {
        call_wrong_type(c);
        *wrong = true;
        return false;
    }
    struct slice with = c->argv[cond->arg];
    bool by_value = cond->what == IF_EQUAL || cond->what == IF_DIFFERENT;
    bool same = by_value ? slice_eq(string_view(*slot, tmp), with) : digest_equals(*slot, with);
    return same != negated;
}

/* ---- SET ------------------------------------------------------------------------------------ */

struct set_options {
    struct ttl_option ttl;
    struct condition cond;
    bool get;
};

static bool set_options_parse(struct call *c, struct set_options *o)
{
    for (uint32_t i = 3; i < c->argc; i++) {
        int known = ttl_option_parse(c, &i, &o->ttl);
        if (known == 0) known = condition_parse(c, &i, &o->cond);
        if (known == 0 && slice_is(c->argv[i], "GET")) {
            o->get = true;
            known = 1;
        }
        if (known != 1 || o->ttl.how == TTL_PERSIST) {
            call_syntax_error(c);
            return false;
        }
    }
    return condition_valid(c, &o->cond);
}

/* GET: the old value is the reply, whatever becomes of the rest. */
static bool reply_old(struct call *c, struct entry **slot)
{
    if (slot && (*slot)->type != TYPE_STRING) {
        call_wrong_type(c);
        return false;
    }
    if (slot) {
        reply_bulk_entry(c->r, *slot);
    } else {
        reply_null(c->r);
    }
    return true;
}

static void set_with_options(struct call *c)
{
    const struct key *k = &c->keys[0];
    struct set_options o = {0};
    int64_t expire_ms;
    bool wrong = false;
    if (!set_options_parse(c, &o) || !ttl_option_time(c, &o.ttl, &expire_ms)) return;
    struct entry **slot = call_find(c, k, o.get ? 0 : KS_NO_STATS);
    if (o.get && !reply_old(c, slot)) return;
    if (!condition_holds(c, &o.cond, slot, &wrong)) {
        if (!o.get && !wrong) reply_null(c->r);
        return;
    }
    if (expire_ms != ENTRY_NO_EXPIRE) {
        put_expiring(c, k, slot, 2, expire_ms);
    } else {
        bool keep = o.ttl.how == TTL_KEEP && slot;
        put(c, k, slot, 2, keep ? entry_expire(*slot) : ENTRY_NO_EXPIRE);
    }
    if (!o.get) reply_ok(c->r);
}

void set_command(struct call *c)
{
    if (UNLIKELY(c->argc > 3)) {
        set_with_options(c);
        return;
    }
    const struct key *k = &c->keys[0];
    put(c, k, call_find(c, k, KS_NO_STATS), 2, ENTRY_NO_EXPIRE);
    reply_ok(c->r);
}

uint32_t set_key_flags(uint32_t argc, const struct slice *argv)
{
    for (uint32_t i = 3; i < argc; i++) {
        if (slice_is(argv[i], "GET")) return KEY_RW | KEY_ACCESS | KEY_UPDATE;
        if (slice_is(argv[i], "IFEQ") || slice_is(argv[i], "IFNE") || slice_is(argv[i], "IFDEQ") ||
            slice_is(argv[i], "IFDNE")) {
            return KEY_RW | KEY_ACCESS | KEY_UPDATE;
        }
    }
    return KEY_OW | KEY_UPDATE;
}

void setnx_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    if (call_find(c, k, KS_NO_STATS)) {
        reply_zero(c->r);
        return;
    }
    put(c, k, NULL, 2, ENTRY_NO_EXPIRE);
    reply_one(c->r);
}

static void set_for(struct call *c, int how)
{
    const struct key *k = &c->keys[0];
    struct ttl_option ttl = {.how = how, .arg = 2};
    int64_t expire_ms;
    if (!ttl_option_time(c, &ttl, &expire_ms)) return;
    put_expiring(c, k, call_find(c, k, KS_NO_STATS), 3, expire_ms);
    reply_ok(c->r);
}

void setex_command(struct call *c)
{
    set_for(c, TTL_EX);
}

void psetex_command(struct call *c)
{
    set_for(c, TTL_PX);
}

void getset_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    struct entry **slot = call_find(c, k, 0);
    if (reply_old(c, slot)) put(c, k, slot, 2, ENTRY_NO_EXPIRE);
}

/* ---- many at once --------------------------------------------------------------------------- */

static bool pairs_complete(struct call *c)
{
    if (LIKELY(c->argc % 2 == 1)) return true;
    reply_errorf(c->r, "ERR wrong number of arguments for '%s' command", c->cmd->full_name);
    return false;
}

static void put_pairs(struct call *c)
{
    for (uint32_t i = 0; i < c->nkeys; i++) {
        const struct key *k = &c->keys[i];
        put(c, k, call_find(c, k, KS_NO_STATS), 2 * i + 2, ENTRY_NO_EXPIRE);
    }
}

void mset_command(struct call *c)
{
    if (!pairs_complete(c)) return;
    put_pairs(c);
    reply_ok(c->r);
}

void msetnx_command(struct call *c)
{
    if (!pairs_complete(c)) return;
    for (uint32_t i = 0; i < c->nkeys; i++) {
        if (!call_find(c, &c->keys[i], KS_NO_STATS)) continue;
        reply_zero(c->r);
        return;
    }
    put_pairs(c);
    reply_one(c->r);
}

/* ---- DELEX ---------------------------------------------------------------------------------- */

static bool delex_condition(struct call *c, struct condition *cond)
{
    uint32_t arg = 2;
    if (c->argc == 2) return true;
    if (c->argc != 4) {
        reply_errorf(c->r, "ERR wrong number of arguments for '%s' command", c->cmd->full_name);
        return false;
    }
    if (condition_parse(c, &arg, cond) != 1 || cond->what < IF_EQUAL) {
        reply_error(c->r, "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
        return false;
    }
    return condition_valid(c, cond);
}

void delex_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    struct condition cond = {0};
    bool wrong = false;
    if (!delex_condition(c, &cond)) return;
    struct entry **slot = call_find(c, k, KS_NO_STATS);
    bool holds = slot && condition_holds(c, &cond, slot, &wrong);
    if (wrong) return;
    if (holds) {
        ks_delete(call_part(c, k), c->db, k, slot, true);
        call_changed(c, k, 'g', "del");
    }
    reply_int(c->r, holds);
}

uint32_t delex_key_flags(uint32_t argc, const struct slice *argv)
{
    (void)argv;
    return argc == 2 ? KEY_RM | KEY_DELETE : KEY_RW | KEY_ACCESS | KEY_DELETE;
}
