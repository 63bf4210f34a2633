/*
 * hash_ex.c - several things at once: HGETEX reads fields and changes how long they live, HSETEX
 * sets fields and how long they live, HGETDEL reads fields and removes them.
 */
#include "commands/hash_internal.h"

#define POSITIVE "Number of fields must be a positive integer"

enum { EX = 1, PX = 2, EXAT = 4, PXAT = 8, KEEPTTL = 16, PERSIST = 32, FNX = 64, FXX = 128 };
#define TIMES     (EX | PX | EXAT | PXAT)
#define LIFETIMES (TIMES | KEEPTTL)
#define IF_FIELDS (FNX | FXX)

static const struct {
    const char *word;
    unsigned bit;
} words[] = {
    {"EX", EX},           {"PX", PX},           {"EXAT", EXAT}, {"PXAT", PXAT},
    {"KEEPTTL", KEEPTTL}, {"PERSIST", PERSIST}, {"FNX", FNX},   {"FXX", FXX},
};

/* The option that a word stands for; 0: none of these. */
static unsigned option_of(struct slice s)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_is(s, words[i].word)) return words[i].bit;
    }
    return 0;
}

static bool lifetime_arg(struct call *c, uint32_t arg, unsigned option, int64_t *when)
{
    bool seconds = option & (EX | EXAT), relative = option & (EX | PX);
    return hash_time_arg(c, arg, seconds, relative ? c->now_ms : 0, when);
}

/* ---- HGETEX --------------------------------------------------------------------------------- */

struct getex {
    unsigned option; /* TIMES or PERSIST, or 0 */
    int64_t when;
    uint32_t first, changed, removed;
};

static bool getex_args(struct call *c, struct getex *o)
{
    uint32_t at = 2;
    o->option = option_of(c->argv[2]) & (TIMES | PERSIST);
    if (o->option & TIMES) {
        if (!lifetime_arg(c, 3, o->option, &o->when)) return false;
        at = 4;
    } else if (o->option) {
        at = 3;
    }
    return hash_fields_arg(c, at, POSITIVE, &o->first);
}

static void getex_change(struct hash_ref *h, struct slice field, struct getex *o)
{
    struct hash_found found;
    if (o->option & TIMES) {
        bool stays = hash_expire_field(h, field, o->when);
        o->changed += stays;
        o->removed += !stays;
    } else if (hash_find(*h->slot, field, &found) && found.expire_ms != ENTRY_NO_EXPIRE) {
        hash_set_expire(*h->slot, field, ENTRY_NO_EXPIRE);
        o->changed++;
    }
}

void hgetex_command(struct call *c)
{
    struct hash_ref h;
    struct getex o = {0};
    if (!hash_open(c, &h) || !getex_args(c, &o)) return;
    if (h.slot && o.option) hash_allow_expire(*h.slot);
    reply_array(c->r, c->argc - o.first);
    for (uint32_t i = o.first; i < c->argc; i++) {
        if (hash_reply_field(&h, c->argv[i]) && o.option) getex_change(&h, c->argv[i], &o);
    }
    if (o.changed + o.removed) {
        c->dirty += o.changed + o.removed - 1;
        hash_settle(&h, o.removed ? "hdel" : o.option & PERSIST ? "hpersist" : "hexpire", NULL);
    }
    hash_close(&h);
}

/* ---- HSETEX --------------------------------------------------------------------------------- */

struct setex {
    unsigned options;
    int64_t when;
    uint32_t first;
};

/* "FIELDS numfields field value ..." at argument i, to the end. */
static bool setex_fields(struct call *c, uint32_t i, struct setex *o)
{
    int64_t n;
    if (i + 3 >= c->argc) {
        call_wrong_arity(c);
        return false;
    }
    if (!call_i64_range(c, i + 1, 1, INT32_MAX, &n, "invalid number of fields")) return false;
    o->first = i + 2;
    if ((int64_t)(c->argc - o->first) == 2 * n) return true;
    call_wrong_arity(c);
    return false;
}

static const char *setex_conflict(const struct setex *o, unsigned option)
{
    if ((option & IF_FIELDS) && (o->options & IF_FIELDS))
        return "ERR Only one of FXX or FNX arguments can be specified";
    if ((option & LIFETIMES) && (o->options & LIFETIMES))
        return "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
    return NULL;
}

/* The option at *i, which is moved to its last word. */
static bool setex_option(struct call *c, uint32_t *i, struct setex *o)
{
    unsigned option = option_of(c->argv[*i]) & (LIFETIMES | IF_FIELDS);
    if (!option) {
        reply_errorf(c->r, "ERR unknown argument: %.*s", (int)MIN(c->argv[*i].n, INT32_MAX),
                     c->argv[*i].p);
        return false;
    }
    const char *error = setex_conflict(o, option);
    if (!error && (option & TIMES) && *i + 1 >= c->argc) error = "ERR missing expire time";
    if (error) {
        reply_error(c->r, error);
        return false;
    }
    o->options |= option;
    return !(option & TIMES) || lifetime_arg(c, ++*i, option, &o->when);
}

static bool setex_args(struct call *c, struct setex *o)
{
    uint32_t i = 2;
    for (; i < c->argc && !slice_is(c->argv[i], "FIELDS"); i++) {
        if (!setex_option(c, &i, o)) return false;
    }
    return setex_fields(c, i, o);
}

/* FNX: none of the fields may be there; FXX: all of them. */
static bool setex_condition(struct hash_ref *h, const struct setex *o)
{
    struct hash_found found;
    for (uint32_t i = o->first; (o->options & IF_FIELDS) && i < h->c->argc; i += 2) {
        if (hash_live(h, h->c->argv[i], &found) != !!(o->options & FXX)) return false;
    }
    return true;
}

static void setex_set(struct hash_ref *h, const struct setex *o)
{
    struct call *c = h->c;
    uint32_t set = 0, removed = 0;
    struct entry *e = hash_make(h, c->argv + o->first, c->argc - o->first);
    hash_before_set(e, c->argv + o->first, c->argc - o->first);
    if (o->options & TIMES) hash_allow_expire(e);
    for (uint32_t i = o->first; i < c->argc; i += 2) {
        hash_set_arg(c, e, c->argv[i], i + 1, o->options & LIFETIMES);
        if (!(o->options & TIMES)) continue;
        bool stays = hash_expire_field(h, c->argv[i], o->when);
        set += stays;
        removed += !stays;
    }
    c->dirty += (c->argc - o->first) / 2 - 1;
    hash_settle(h, "hset", removed ? "hdel" : set ? "hexpire" : NULL);
}

void hsetex_command(struct call *c)
{
    struct hash_ref h;
    struct setex o = {0};
    if (!setex_args(c, &o) || !hash_open(c, &h)) return;
    if (!setex_condition(&h, &o)) {
        reply_zero(c->r);
        hash_close(&h);
        return;
    }
    setex_set(&h, &o);
    reply_one(c->r);
}

/* ---- HGETDEL -------------------------------------------------------------------------------- */

void hgetdel_command(struct call *c)
{
    struct hash_ref h;
    uint32_t first, removed = 0;
    if (!hash_open(c, &h) || !hash_fields_arg(c, 2, POSITIVE, &first)) return;
    reply_array(c->r, c->argc - first);
    for (uint32_t i = first; i < c->argc; i++) {
        if (hash_reply_field(&h, c->argv[i])) removed += hash_remove(*h.slot, c->argv[i]);
    }
    if (removed) {
        c->dirty += removed - 1;
        hash_settle(&h, "hdel", NULL);
    }
    hash_close(&h);
}
