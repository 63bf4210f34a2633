/*
 * list.c - lists: pushing, reading and changing in place. Taking elements out is in list_pop.c, the
 * declarations are in list_table.c.
 *
 * Invariants
 *  1. No key holds an empty list: whoever takes the last element deletes the key.
 *  2. list_before_add() is told of all the elements of a command before the first is added, and
 *     list_after_remove() once after the last removal: encodings change by whole commands.
 */
#include "commands/list_internal.h"

bool list_end_arg(struct call *c, uint32_t arg, enum list_end *end)
{
    bool left = slice_is(c->argv[arg], "LEFT");
    if (!left && !slice_is(c->argv[arg], "RIGHT")) {
        call_syntax_error(c);
        return false;
    }
    *end = left ? LIST_HEAD : LIST_TAIL;
    return true;
}

struct entry *list_create(struct call *c, const struct key *k)
{
    struct entry *e = entry_new(k->s, TYPE_LIST, ENC_LISTPACK, list_new(), ENTRY_NO_EXPIRE);
    e = *ks_add(call_part(c, k), c->db, k, e);
    call_ready(c, k);
    return e;
}

struct entry *list_for_write(struct call *c, const struct key *k)
{
    bool wrong = false;
    struct entry **slot = call_find_type(c, k, TYPE_LIST, &wrong);
    if (slot) return *slot;
    return wrong ? NULL : list_create(c, k);
}

void list_removed(struct call *c, const struct key *k, struct entry **slot)
{
    if (list_len(*slot) > 0) {
        list_after_remove(*slot);
        return;
    }
    ks_delete(call_part(c, k), c->db, k, slot, false);
    call_touched(c, k, 'g', "del");
}

/* ---- pushing -------------------------------------------------------------------------------- */

static void push_all(struct call *c, struct entry *e, enum list_end end, const char *event)
{
    const struct slice *elems = c->argv + 2;
    size_t n = c->argc - 2;
    list_before_add(e, elems, n);
    for (size_t i = 0; i < n; i++)
        list_push(e, end, elems[i]);
    call_changed(c, &c->keys[0], 'l', event);
    c->dirty += (uint32_t)n - 1;
    reply_int(c->r, (int64_t)list_len(e));
}

static void push(struct call *c, enum list_end end, bool only_existing, const char *event)
{
    const struct key *k = &c->keys[0];
    bool wrong = false;
    struct entry **slot = call_find_type(c, k, TYPE_LIST, &wrong);
    if (wrong) return;
    if (!slot && only_existing) {
        reply_zero(c->r);
        return;
    }
    push_all(c, slot ? *slot : list_create(c, k), end, event);
}

void lpush_command(struct call *c)
{
    push(c, LIST_HEAD, false, "lpush");
}

void rpush_command(struct call *c)
{
    push(c, LIST_TAIL, false, "rpush");
}

void lpushx_command(struct call *c)
{
    push(c, LIST_HEAD, true, "lpush");
}

void rpushx_command(struct call *c)
{
    push(c, LIST_TAIL, true, "rpush");
}

void linsert_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    bool after = slice_is(c->argv[2], "AFTER"), wrong = false;
    if (!after && !slice_is(c->argv[2], "BEFORE")) {
        call_syntax_error(c);
        return;
    }
    struct entry **slot = call_find_type(c, k, TYPE_LIST, &wrong);
    if (!slot) {
        if (!wrong) reply_zero(c->r);
        return;
    }
    struct list_iter it;
    struct slice elem = c->argv[4];
    list_before_add(*slot, &elem, 1);
    bool there = list_seek(*slot, 0, false, &it);
    while (there && !list_equals(&it, c->argv[3]))
        there = list_step(&it);
    if (!there) {
        reply_int(c->r, -1);
        return;
    }
    list_insert(&it, elem, after);
    call_changed(c, k, 'l', "linsert");
    reply_int(c->r, (int64_t)list_len(*slot));
}

void lset_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    struct list_iter it;
    struct slice elem = c->argv[3];
    int64_t index;
    bool wrong = false;
    struct entry **slot = call_find_type(c, k, TYPE_LIST, &wrong);
    if (!slot) {
        if (!wrong) reply_error(c->r, "ERR no such key");
        return;
    }
    if (!call_i64(c, 2, &index)) return;
    list_before_add(*slot, &elem, 1);
    if (!list_seek(*slot, index, false, &it)) {
        reply_error(c->r, "ERR index out of range");
        return;
    }
    list_replace(&it, elem);
    list_after_remove(*slot);
    call_changed(c, k, 'l', "lset");
    reply_ok(c->r);
}

/* ---- reading -------------------------------------------------------------------------------- */

void llen_command(struct call *c)
{
    bool wrong = false;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_LIST, &wrong);
    if (!wrong) reply_int(c->r, slot ? (int64_t)list_len(*slot) : 0);
}

void lindex_command(struct call *c)
{
    struct list_iter it;
    int64_t index;
    bool wrong = false;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_LIST, &wrong);
    if (wrong) return;
    if (!slot) {
        reply_null(c->r);
        return;
    }
    if (!call_i64(c, 2, &index)) return;
    if (list_seek(*slot, index, false, &it)) {
        reply_bulk(c->r, list_at(&it));
    } else {
        reply_null(c->r);
    }
}

/* Indexes as Redis takes them, negative ones from the end, clamped to a list of n elements: the
 * first and the number of elements, 0 when the range is empty. */
static size_t clamp_range(int64_t start, int64_t stop, size_t n, int64_t *first)
{
    int64_t len = (int64_t)n;
    if (start < 0) start += len;
    if (stop < 0) stop += len;
    if (start < 0) start = 0;
    if (stop >= len) stop = len - 1;
    *first = start;
    return start > stop ? 0 : (size_t)(stop - start + 1);
}

void lrange_command(struct call *c)
{
    struct list_iter it;
    int64_t start, stop;
    bool wrong = false;
    if (!call_i64(c, 2, &start) || !call_i64(c, 3, &stop)) return;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_LIST, &wrong);
    if (wrong) return;
    size_t n = slot ? clamp_range(start, stop, list_len(*slot), &start) : 0;
    reply_array(c->r, n);
    if (n == 0) return;
    list_seek(*slot, start, false, &it);
    for (size_t i = 0; i < n; i++) {
        reply_bulk(c->r, list_at(&it));
        list_step(&it);
    }
}

struct lpos {
    int64_t rank, count, max;
    bool has_count;
};

static bool lpos_option(struct call *c, uint32_t i, struct lpos *o)
{
    struct slice name = c->argv[i];
    if (i + 1 == c->argc) {
        call_syntax_error(c);
        return false;
    }
    if (slice_is(name, "RANK")) {
        if (!call_i64_range(c, i + 1, -INT64_MAX, INT64_MAX, &o->rank, NULL)) return false;
        if (o->rank != 0) return true;
        reply_error(c->r, "ERR RANK can't be zero: use 1 to start from the first match, 2 from the "
                          "second ... or use negative to start from the end of the list");
        return false;
    }
    if (slice_is(name, "COUNT")) {
        o->has_count = true;
        return call_i64_range(c, i + 1, 0, INT64_MAX, &o->count, "COUNT can't be negative");
    }
    if (slice_is(name, "MAXLEN")) {
        return call_i64_range(c, i + 1, 0, INT64_MAX, &o->max, "MAXLEN can't be negative");
    }
    call_syntax_error(c);
    return false;
}

/* Replies the positions of c->argv[2], as many as asked for. Returns how many. */
static size_t lpos_matches(struct call *c, struct entry *e, const struct lpos *o)
{
    struct list_iter it;
    bool backwards = o->rank < 0;
    int64_t skip = (backwards ? -o->rank : o->rank) - 1;
    size_t seen = 0, found = 0;
    bool there = list_seek(e, backwards ? -1 : 0, backwards, &it);
    for (; there && (o->max == 0 || seen < (size_t)o->max); there = list_step(&it), seen++) {
        if (!list_equals(&it, c->argv[2]) || skip-- > 0) continue;
        reply_int(c->r, it.index);
        found++;
        if (!o->has_count || found == (size_t)o->count) break;
    }
    return found;
}

void lpos_command(struct call *c)
{
    struct lpos o = {.rank = 1};
    bool wrong = false;
    for (uint32_t i = 3; i < c->argc; i += 2) {
        if (!lpos_option(c, i, &o)) return;
    }
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_LIST, &wrong);
    if (wrong) return;
    if (o.has_count) {
        struct reply_mark mark = reply_open(c->r);
        size_t n = slot ? lpos_matches(c, *slot, &o) : 0;
        reply_close_array(c->r, mark, n);
    } else if (!slot || lpos_matches(c, *slot, &o) == 0) {
        reply_null(c->r);
    }
}

/* ---- removing ------------------------------------------------------------------------------- */

void ltrim_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    int64_t start, stop;
    bool wrong = false;
    if (!call_i64(c, 2, &start) || !call_i64(c, 3, &stop)) return;
    struct entry **slot = call_find_type(c, k, TYPE_LIST, &wrong);
    if (!slot) {
        if (!wrong) reply_ok(c->r);
        return;
    }
    size_t len = list_len(*slot), keep = clamp_range(start, stop, len, &start);
    if (keep == 0) start = (int64_t)len;
    size_t before = (size_t)start, behind = len - before - keep;
    if (behind) list_erase_range(*slot, (int64_t)(before + keep), behind);
    if (before) list_erase_range(*slot, 0, before);
    c->dirty += (uint32_t)(before + behind);
    call_touched(c, k, 'l', "ltrim");
    list_removed(c, k, slot);
    reply_ok(c->r);
}

void lrem_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    struct list_iter it;
    int64_t count;
    bool wrong = false;
    if (!call_i64_range(c, 2, -INT64_MAX, INT64_MAX, &count, NULL)) return;
    struct entry **slot = call_find_type(c, k, TYPE_LIST, &wrong);
    if (!slot) {
        if (!wrong) reply_zero(c->r);
        return;
    }
    bool backwards = count < 0;
    int64_t most = backwards ? -count : count, removed = 0;
    bool there = list_seek(*slot, backwards ? -1 : 0, backwards, &it);
    while (there && (most == 0 || removed < most)) {
        bool hit = list_equals(&it, c->argv[3]);
        removed += hit;
        there = hit ? list_erase(&it) : list_step(&it);
    }
    if (removed) {
        c->dirty += (uint32_t)removed;
        call_touched(c, k, 'l', "lrem");
        list_removed(c, k, slot);
    }
    reply_int(c->r, removed);
}
