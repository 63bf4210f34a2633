/*
 * hash_all.c - hashes as a whole: HGETALL and its kin, HRANDFIELD, HSCAN.
 *
 * HGETALL, HKEYS, HVALS and HSCAN leave out fields whose time has come but do not remove them;
 * HRANDFIELD removes them first, so that what it draws from is alive.
 */
#include "commands/collection_scan.h"
#include "commands/hash_internal.h"

/* ---- everything ----------------------------------------------------------------------------- */

enum { FIELDS = 1, VALUES = 2 };

/* Replies all live fields; how many there are. */
static size_t reply_all(struct call *c, const struct entry *e, unsigned what)
{
    struct hash_iter it;
    struct slice field, value;
    int64_t expire_ms;
    size_t n = 0;
    hash_first(e, &it);
    while (hash_next(&it, &field, &value, &expire_ms)) {
        if (hash_time_has_come(c, expire_ms)) continue;
        if (what & FIELDS) reply_bulk(c->r, field);
        if (what & VALUES) hash_reply_value(c->r, value, it.blob);
        n++;
    }
    return n;
}

static void reply_head(struct reply *r, unsigned what, size_t n)
{
    if (what == (FIELDS | VALUES)) {
        reply_map(r, n);
    } else {
        reply_array(r, n);
    }
}

/* The number of fields is known at the end only. */
static void reply_some(struct call *c, const struct entry *e, unsigned what)
{
    struct reply_mark mark = reply_open(c->r);
    size_t n = reply_all(c, e, what);
    if (what == (FIELDS | VALUES)) {
        reply_close_map(c->r, mark, n);
    } else {
        reply_close_array(c->r, mark, n);
    }
}

static void get_all(struct call *c, unsigned what)
{
    struct hash_ref h;
    if (!hash_open(c, &h)) return;
    if (!h.slot) {
        reply_head(c->r, what, 0);
    } else if (UNLIKELY(h.had_due)) {
        reply_some(c, *h.slot, what);
    } else {
        reply_head(c->r, what, hash_len(*h.slot));
        reply_all(c, *h.slot, what);
    }
}

void hgetall_command(struct call *c)
{
    get_all(c, FIELDS | VALUES);
}

void hkeys_command(struct call *c)
{
    get_all(c, FIELDS);
}

void hvals_command(struct call *c)
{
    get_all(c, VALUES);
}

/* ---- HRANDFIELD ----------------------------------------------------------------------------- */

#define SPARSE 3 /* below size / SPARSE fields are drawn one by one, else chosen in one pass */

struct draw {
    struct call *c;
    const struct entry *e;
    bool with_values;
};

static void reply_drawn(const struct draw *d, struct slice field, struct slice value,
                        struct blob *blob)
{
    struct reply *r = d->c->r;
    if (d->with_values && r->resp > 2) reply_array(r, 2);
    reply_bulk(r, field);
    if (d->with_values) hash_reply_value(r, value, blob);
}

static void reply_draw_head(const struct draw *d, size_t n)
{
    struct reply *r = d->c->r;
    reply_array(r, d->with_values && r->resp == 2 ? 2 * n : n);
}

static void draw_with_repeats(const struct draw *d, size_t n)
{
    struct hash_iter it;
    struct slice field, value;
    reply_draw_head(d, n);
    while (n-- > 0 && !call_reply_too_long(d->c->r)) {
        hash_random(d->e, &it, &field, &value, NULL);
        reply_drawn(d, field, value, it.blob);
    }
}

/* n of all, each set of n equally likely: each field is taken with the chance that is left. */
static void draw_in_one_pass(const struct draw *d, size_t n)
{
    struct hash_iter it;
    struct slice field, value;
    size_t left = hash_len(d->e);
    hash_first(d->e, &it);
    for (; n > 0 && hash_next(&it, &field, &value, NULL); left--) {
        if (n < left && rand_below(left) >= n) continue;
        reply_drawn(d, field, value, it.blob);
        n--;
    }
}

/* Adds p to a hash table of addresses. False: it was there. */
static bool first_seen(const void **seen, size_t mask, const void *p)
{
    size_t i = ((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15u >> 20 & mask;
    for (; seen[i]; i = (i + 1) & mask) {
        if (seen[i] == p) return false;
    }
    seen[i] = p;
    return true;
}

/* n of many in a hash table, which has each field at an address of its own. */
static void draw_one_by_one(const struct draw *d, size_t n)
{
    struct hash_iter it;
    struct slice field, value;
    size_t slots = 4;
    while (slots < 2 * n)
        slots *= 2;
    const void **seen = mem_calloc(slots * sizeof *seen);
    while (n > 0) {
        hash_random(d->e, &it, &field, &value, NULL);
        if (!first_seen(seen, slots - 1, field.p)) continue;
        reply_drawn(d, field, value, it.blob);
        n--;
    }
    mem_free(seen);
}

static void draw_distinct(const struct draw *d, size_t n)
{
    size_t size = hash_len(d->e);
    n = MIN(n, size);
    reply_draw_head(d, n);
    if (d->e->enc == ENC_HASHTABLE && n < size / SPARSE) {
        draw_one_by_one(d, n);
    } else {
        draw_in_one_pass(d, n);
    }
}

/* False: nothing is left. */
static bool remove_expired(struct hash_ref *h)
{
    if (!h->slot) return false;
    if (LIKELY(!h->had_due)) return true;
    h->expired = (uint32_t)hash_remove_expired(*h->slot, h->c->now_ms, UINT32_MAX);
    hash_close(h);
    return h->slot != NULL;
}

static bool draw_args(struct call *c, int64_t *count, bool *with_values)
{
    if (!call_i64_range(c, 2, -INT64_MAX, INT64_MAX, count, NULL)) return false;
    *with_values = c->argc == 4;
    if (c->argc > 4 || (c->argc == 4 && !slice_is(c->argv[3], "WITHVALUES"))) {
        call_syntax_error(c);
        return false;
    }
    if (!*with_values || (*count >= -INT64_MAX / 2 && *count <= INT64_MAX / 2)) return true;
    reply_error(c->r, "ERR value is out of range");
    return false;
}

static void draw_one(struct call *c)
{
    struct hash_ref h;
    struct hash_iter it;
    struct slice field;
    if (!hash_open(c, &h)) return;
    if (remove_expired(&h) && hash_random(*h.slot, &it, &field, NULL, NULL)) {
        reply_bulk(c->r, field);
    } else {
        reply_null(c->r);
    }
}

void hrandfield_command(struct call *c)
{
    struct hash_ref h;
    int64_t count;
    struct draw d = {.c = c};
    if (c->argc == 2) {
        draw_one(c);
        return;
    }
    if (!draw_args(c, &count, &d.with_values) || !hash_open(c, &h)) return;
    if (!remove_expired(&h) || count == 0) {
        reply_empty_array(c->r);
        return;
    }
    d.e = *h.slot;
    if (count < 0) {
        draw_with_repeats(&d, (size_t)-count);
    } else {
        draw_distinct(&d, (size_t)count);
    }
}

/* ---- HSCAN ---------------------------------------------------------------------------------- */

static void scanned(struct collection_scan *s, struct slice field, struct slice value,
                    int64_t expire_ms)
{
    if (hash_time_has_come(s->c, expire_ms) || !collection_scan_wants(s, field)) return;
    collection_scan_add(s, field);
    if (!s->no_values) collection_scan_add(s, value);
}

static void scanned_item(struct collection_scan *s, const void *item)
{
    scanned(s, hash_item_field(item), hash_item_value(item), hash_item_expire(item));
}

void hscan_command(struct call *c)
{
    struct collection_scan s;
    struct hash_iter it;
    struct slice field, value;
    int64_t expire_ms;
    struct entry *e = collection_scan_begin(c, TYPE_HASH, &s);
    if (!e) return;
    if (e->enc == ENC_HASHTABLE) {
        collection_scan_dict(&s, hash_dict(e), scanned_item);
        return;
    }
    collection_scan_open(&s, 0);
    hash_first(e, &it);
    while (hash_next(&it, &field, &value, &expire_ms))
        scanned(&s, field, value, expire_ms);
    collection_scan_close(&s);
}
