/*
 * scan.c - walks over a database: KEYS, SCAN, RANDOMKEY.
 *
 * A walk goes in steps of a few buckets, each of which takes its partition and lets it go again,
 * and gives up its worker once it had its fair share. So it needs no instant at which all is still,
 * and nobody waits for it.
 *
 *   step: own -- gather ~ WALK_STEP names -- disown -- match them, reply       (some us)
 *   ... until a fair share (200 us) is over: yield; others run
 *
 * Names are matched behind the ownership: a pattern can be made to take long. In a transaction
 * everything is owned already and the walk does not yield.
 */
#include "commands/collection_scan.h"
#include "commands/keys_internal.h"

#define WALK_STEP   128
#define MATCH_BURST 16 /* names matched between two looks at the clock */

struct walk {
    struct call *c;
    struct slice pattern; /* p NULL: any */
    struct slice type;    /* p NULL: any */
    int64_t seen;
    struct buf gathered;    /* of each name the length (uint32_t) and the bytes */
    ks_visit *gather_stale; /* SCAN: into `stale`, as in gathered; KEYS: none */
    struct buf stale;
    void (*found)(struct walk *w, struct slice name);
    size_t matches;
    struct buf names; /* SCAN: those found, as in gathered; they follow the cursor */
};

static void breathe(const struct walk *w)
{
    if (!walk_owns_all(w->c) && co_should_yield()) co_yield();
}

static void add_name(struct buf *names, struct slice name)
{
    uint32_t n = (uint32_t)name.n;
    buf_add(names, &n, sizeof n);
    buf_add(names, name.p, name.n);
}

/* Takes the name at *p and moves behind it. */
static struct slice next_name(const char **p)
{
    uint32_t n;
    memcpy(&n, *p, sizeof n);
    struct slice name = slice_of(*p + sizeof n, n);
    *p = name.p + n;
    return name;
}

static void gather_into(struct buf *names, const struct walk *w, struct entry *e)
{
    if (!w->type.p || slice_is(w->type, entry_type_name(e))) add_name(names, entry_key(e));
}

static void gather(void *arg, struct entry *e)
{
    struct walk *w = arg;
    w->seen++;
    gather_into(&w->gathered, w, e);
}

static void gather_stale(void *arg, struct entry *e)
{
    struct walk *w = arg;
    gather_into(&w->stale, w, e);
}

static bool matches(const struct walk *w, struct slice name)
{
    return !w->pattern.p || glob_match(w->pattern, name, false);
}

static void match_gathered(struct walk *w)
{
    unsigned n = 0;
    const char *p = w->gathered.p, *end = p + w->gathered.n;
    while (p < end) {
        struct slice name = next_name(&p);
        if (matches(w, name)) {
            w->found(w, name);
            w->matches++;
        }
        if (++n % MATCH_BURST == 0) breathe(w);
    }
    buf_clear(&w->gathered);
}

/* Removes it if its time has come: finding does that. */
static void find(struct call *c, struct slice name)
{
    struct key k = key_of(name);
    struct part *p = keyspace_part(k.part);
    bool owned = walk_owns_all(c);
    if (!owned) part_own(p);
    ks_find(p, c->db, &k, c->now_ms, KS_NO_TOUCH | KS_NO_STATS);
    if (!owned) part_disown(p);
}

static void remove_stale(struct walk *w)
{
    const char *p = w->stale.p, *end = p + w->stale.n;
    while (p < end) {
        struct slice name = next_name(&p);
        if (matches(w, name)) find(w->c, name);
    }
    buf_clear(&w->stale);
}

/* One step; returns the next cursor. */
static uint64_t walk_step(struct walk *w, uint64_t cursor, size_t count)
{
    struct call *c = w->c;
    cursor = ks_scan_stale(c->db, cursor, count, c->now_ms, walk_owns_all(c), gather,
                           w->gather_stale, w);
    match_gathered(w);
    if (w->stale.n) remove_stale(w);
    breathe(w);
    return cursor;
}

static void set_pattern(struct walk *w, struct slice pattern)
{
    if (slice_eq(pattern, SLICE("*"))) return;
    w->pattern = pattern.n ? pattern : SLICE("");
}

/* ---- KEYS ----------------------------------------------------------------------------------- */

static void keys_found(struct walk *w, struct slice name)
{
    reply_bulk(w->c->r, name);
}

static bool is_literal(struct slice pattern)
{
    for (size_t i = 0; i < pattern.n; i++) {
        if (memchr("*?[\\", pattern.p[i], 4)) return false;
    }
    return true;
}

/* A pattern that one key only can match. */
static void keys_literal(struct call *c)
{
    struct key k = key_of(c->argv[1]);
    struct part *p = keyspace_part(k.part);
    bool owned = walk_owns_all(c);
    if (!owned) part_own(p);
    bool there = ks_find(p, c->db, &k, c->now_ms, KS_NO_TOUCH | KS_NO_STATS) != NULL;
    if (!owned) part_disown(p);
    reply_array(c->r, there);
    if (there) reply_bulk(c->r, k.s);
}

void keys_command(struct call *c)
{
    struct walk w = {.c = c, .found = keys_found};
    if (is_literal(c->argv[1])) {
        keys_literal(c);
        return;
    }
    set_pattern(&w, c->argv[1]);
    struct reply_mark mark = reply_open(c->r);
    for (uint64_t cursor = 0; (cursor = walk_step(&w, cursor, WALK_STEP)) != 0;)
        ;
    reply_close_array(c->r, mark, w.matches);
    buf_free(&w.gathered);
}

/* ---- SCAN ----------------------------------------------------------------------------------- */

static void scan_found(struct walk *w, struct slice name)
{
    add_name(&w->names, name);
}

static bool set_type(struct walk *w, struct slice type)
{
    static const char *const names[] = {"string", "list", "set", "zset", "hash", "stream"};
    w->type = type;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_is(type, names[i])) return true;
    }
    reply_errorf(w->c->r, "ERR unknown type name '%.*s'", (int)MIN(type.n, 128), type.p);
    return false;
}

static bool set_count(struct walk *w, uint32_t arg, int64_t *count)
{
    if (!call_i64(w->c, arg, count)) return false;
    if (*count >= 1) return true;
    call_syntax_error(w->c);
    return false;
}

static bool parse_scan(struct walk *w, int64_t *count)
{
    struct call *c = w->c;
    for (uint32_t i = 2; i < c->argc; i += 2) {
        bool value = i + 1 < c->argc;
        if (value && slice_is(c->argv[i], "COUNT")) {
            if (!set_count(w, i + 1, count)) return false;
        } else if (value && slice_is(c->argv[i], "MATCH")) {
            set_pattern(w, c->argv[i + 1]);
        } else if (value && slice_is(c->argv[i], "TYPE")) {
            if (!set_type(w, c->argv[i + 1])) return false;
        } else {
            call_syntax_error(c);
            return false;
        }
    }
    return true;
}

/* Over sparse tables a call gives up after ten steps for each entry asked for. */
static uint64_t scan_some(struct walk *w, uint64_t cursor, int64_t count)
{
    int64_t steps = count > INT64_MAX / 10 ? INT64_MAX : count * 10;
    do {
        cursor = walk_step(w, cursor, (size_t)MIN(count - w->seen, WALK_STEP));
    } while (cursor != 0 && w->seen < count && --steps > 0);
    return cursor;
}

static void reply_found(const struct walk *w, uint64_t cursor)
{
    struct reply *r = w->c->r;
    char text[NUM_I64_MAX];
    const char *p = w->names.p;
    reply_array(r, 2);
    reply_bulk(r, slice_of(text, num_fmt_u64(text, cursor)));
    reply_array(r, w->matches);
    for (size_t i = 0; i < w->matches; i++)
        reply_bulk(r, next_name(&p));
}

void scan_command(struct call *c)
{
    struct walk w = {.c = c, .found = scan_found, .gather_stale = gather_stale};
    uint64_t cursor;
    int64_t count = 10;
    if (!collection_cursor(c, 1, &cursor) || !parse_scan(&w, &count)) return;
    reply_found(&w, scan_some(&w, cursor, count));
    buf_free(&w.gathered);
    buf_free(&w.stale);
    buf_free(&w.names);
}

/* ---- RANDOMKEY ------------------------------------------------------------------------------ */

void randomkey_command(struct call *c)
{
    struct buf key = {0};
    if (ks_random_key(c->db, c->now_ms, walk_owns_all(c), &key)) {
        reply_bulk(c->r, buf_slice(&key));
    } else {
        reply_null(c->r);
    }
    buf_free(&key);
}
