/*
 * set_algebra.c - what is made of several sets: SINTER, SUNION, SDIFF, their STORE forms,
 * SINTERCARD.
 *
 *   members of one set --16 at a time--> sieve by another set --> ... --> sink: reply, store or
 * count
 *
 * Each of the three is the same pass over one set, sieved by others:
 *   intersection   the smallest; by every other, what is in it stays
 *   difference     the first; by every other, what is in it goes
 *   union          each one in turn; by those that went before, what is in them goes
 * so nothing is copied on the way to a reply. Sixteen at a time, so that the processor fetches the
 * buckets and members that they ask for together. Union of many sets, and with a key to store at,
 * is collected in a set.
 *
 * Invariants
 *  1. All sets are looked up, and their types checked, before anything is replied or changed.
 *  2. A sieve asked often is no listpack, in which asking is a walk: a table is made of it first.
 *  3. The target is replaced when the result is complete: it may be one of the sets.
 */
#include "commands/set_internal.h"

#include <stdlib.h>

#define FEW_ASKED 32 /* members of the pass: a listpack may stay one */
#define FEW_SETS  3  /* union: more are collected in a set */

/* ---- sinks ---------------------------------------------------------------------------------- */

struct sink {
    struct call *c;
    struct entry *store; /* NULL: replied; or, with `count`, only counted */
    bool count;
    size_t n, limit; /* members so far, and at most */
};

static void sink_take(struct sink *out, struct slice member)
{
    if (out->store) {
        out->n += set_add(out->store, member);
        return;
    }
    out->n++;
    if (!out->count) reply_bulk(out->c->r, member);
}

/* ---- the pass ------------------------------------------------------------------------------- */

struct batch {
    struct slice member[SET_BATCH];
    char text[SET_BATCH][NUM_I64_MAX]; /* of those that are integers in their set */
    size_t n;
};

static bool batch_fill(struct batch *b, struct set_iter *it)
{
    for (b->n = 0; b->n < SET_BATCH && set_next(it, &b->member[b->n]); b->n++) {
        struct slice *s = &b->member[b->n];
        if (s->p != it->tmp) continue;
        memcpy(b->text[b->n], s->p, s->n);
        s->p = b->text[b->n];
    }
    return b->n > 0;
}

/* Keeps those of which being in the set is `in`. */
static void batch_sieve(struct batch *b, const struct entry *set, bool in)
{
    bool has[SET_BATCH];
    size_t kept = 0;
    set_has_each(set, b->member, b->n, has);
    for (size_t i = 0; i < b->n; i++) {
        if (has[i] == in) b->member[kept++] = b->member[i];
    }
    b->n = kept;
}

static void pass(const struct entry *over, struct entry *const *sieves, size_t n, bool in,
                 struct sink *out)
{
    struct batch b;
    struct set_iter it;
    set_first(over, &it);
    while (out->n < out->limit && batch_fill(&b, &it)) {
        for (size_t i = 0; i < n && b.n; i++)
            batch_sieve(&b, sieves[i], in);
        for (size_t i = 0; i < b.n && out->n < out->limit; i++)
            sink_take(out, b.member[i]);
    }
}

/* ---- operands ------------------------------------------------------------------------------- */

#define FEW 8

struct operands {
    struct entry **set; /* those that are there; the first of them once */
    size_t n;
    bool absent;         /* some key is */
    bool first_absent;   /* the first one is */
    bool first_again;    /* the first one is named again */
    struct entry **made; /* tables made of listpacks, to be freed */
    size_t n_made;
    struct entry *few[2 * FEW];
};

static void operands_free(struct operands *ops)
{
    for (size_t i = 0; i < ops->n_made; i++)
        entry_free(ops->made[i]);
    if (ops->set != ops->few) mem_free(ops->set);
}

static void operands_add(struct operands *ops, uint32_t i, struct entry *e)
{
    if (!e) {
        ops->absent = true;
        if (i == 0) ops->first_absent = true;
    } else if (ops->n && e == ops->set[0]) {
        ops->first_again = true;
    } else {
        ops->set[ops->n++] = e;
    }
}

/* The sets at c's keys from this one on; false: one is of another type (replied). */
static bool operands_find(struct call *c, uint32_t from, struct operands *ops)
{
    uint32_t n = c->nkeys - from;
    memset(ops, 0, offsetof(struct operands, few));
    ops->set = n <= FEW ? ops->few : mem_alloc(2 * n * sizeof *ops->set);
    ops->made = ops->set + MAX(n, FEW);
    for (uint32_t i = 0; i < n; i++) {
        bool wrong = false;
        struct entry **slot = call_find_type(c, &c->keys[from + i], TYPE_SET, &wrong);
        if (wrong) {
            operands_free(ops);
            return false;
        }
        operands_add(ops, i, slot ? *slot : NULL);
    }
    return true;
}

/* Set i is about to be asked `often`. */
static void operands_sharpen(struct operands *ops, size_t i, size_t often)
{
    struct set_iter it;
    struct slice member;
    const struct entry *e = ops->set[i];
    if (e->enc != ENC_LISTPACK || often <= FEW_ASKED || set_len(e) <= 4) return;
    struct entry *table = entry_new_set(SLICE(""));
    set_before_add(table, SLICE(""), MAX(set_len(e), set_limits.max_listpack_entries + 1));
    set_first(e, &it);
    while (set_next(&it, &member))
        set_add(table, member);
    ops->set[i] = ops->made[ops->n_made++] = table;
}

/* ---- the three ------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    size_t x = set_len(*(struct entry *const *)a), y = set_len(*(struct entry *const *)b);
    return (x > y) - (x < y);
}

static void intersect(struct operands *ops, struct sink *out)
{
    if (ops->absent) return;
    qsort(ops->set, ops->n, sizeof *ops->set, by_size);
    const struct entry *smallest = ops->set[0];
    for (size_t i = 1; i < ops->n; i++)
        operands_sharpen(ops, i, set_len(smallest));
    pass(smallest, ops->set + 1, ops->n - 1, true, out);
}

static void subtract(struct operands *ops, struct sink *out)
{
    if (ops->first_absent || ops->first_again) return;
    const struct entry *first = ops->set[0];
    for (size_t i = 1; i < ops->n; i++)
        operands_sharpen(ops, i, set_len(first));
    pass(first, ops->set + 1, ops->n - 1, false, out);
}

/* Into a set of its own, then to where it belongs. */
static void unite_collected(struct operands *ops, struct sink *out)
{
    struct entry *all = out->store ? out->store : entry_new_set(SLICE(""));
    struct sink collect = {.store = all, .limit = SIZE_MAX};
    for (size_t i = 0; i < ops->n; i++)
        pass(ops->set[i], NULL, 0, false, &collect);
    if (out->store) {
        out->n = collect.n;
        return;
    }
    pass(all, NULL, 0, false, out);
    ks_free_later(all);
}

static void unite(struct operands *ops, struct sink *out)
{
    if (out->store || ops->n > FEW_SETS) {
        unite_collected(ops, out);
        return;
    }
    qsort(ops->set, ops->n, sizeof *ops->set, by_size);
    for (size_t i = ops->n; i-- > 0;) {
        pass(ops->set[i], ops->set + i + 1, ops->n - i - 1, false, out);
        if (i) operands_sharpen(ops, i, set_len(ops->set[i - 1]));
    }
}

typedef void operation(struct operands *ops, struct sink *out);

/* ---- replying and storing -------------------------------------------------------------------- */

static void reply_result(struct call *c, operation *op)
{
    struct operands ops;
    struct sink out = {.c = c, .limit = SIZE_MAX};
    if (!operands_find(c, 0, &ops)) return;
    struct reply_mark mark = reply_open(c->r);
    op(&ops, &out);
    reply_close_set(c->r, mark, out.n);
    operands_free(&ops);
}

static void put_result(struct call *c, struct entry *result, const char *event)
{
    const struct key *dst = &c->keys[0];
    struct entry **slot = call_find(c, dst, 0);
    if (slot) {
        ks_replace(call_part(c, dst), c->db, dst, slot, result);
    } else {
        ks_add(call_part(c, dst), c->db, dst, result);
    }
    call_changed(c, dst, 's', event);
}

static void delete_target(struct call *c)
{
    const struct key *dst = &c->keys[0];
    struct entry **slot = call_find(c, dst, 0);
    if (!slot) return;
    ks_delete(call_part(c, dst), c->db, dst, slot, true);
    call_changed(c, dst, 'g', "del");
}

static void store_result(struct call *c, operation *op, const char *event)
{
    struct operands ops;
    if (!operands_find(c, 1, &ops)) return;
    struct sink out = {.c = c, .store = entry_new_set(c->keys[0].s), .limit = SIZE_MAX};
    op(&ops, &out);
    operands_free(&ops);
    if (out.n) {
        put_result(c, out.store, event);
    } else {
        entry_free(out.store);
        delete_target(c);
    }
    reply_int(c->r, (int64_t)out.n);
}

/* ---- commands ------------------------------------------------------------------------------- */

void sinter_command(struct call *c)
{
    reply_result(c, intersect);
}

void sunion_command(struct call *c)
{
    reply_result(c, unite);
}

void sdiff_command(struct call *c)
{
    reply_result(c, subtract);
}

void sinterstore_command(struct call *c)
{
    store_result(c, intersect, "sinterstore");
}

void sunionstore_command(struct call *c)
{
    store_result(c, unite, "sunionstore");
}

void sdiffstore_command(struct call *c)
{
    store_result(c, subtract, "sdiffstore");
}

/* "numkeys key [key ...] [LIMIT n]" */
static bool parse_card(struct call *c, int64_t *limit)
{
    int64_t n;
    if (!call_i64_range(c, 1, 1, INT64_MAX, &n, "numkeys should be greater than 0")) return false;
    if (n > (int64_t)c->argc - 2) {
        reply_error(c->r, "ERR Number of keys can't be greater than number of args");
        return false;
    }
    for (uint32_t i = 2 + (uint32_t)n; i < c->argc; i += 2) {
        if (i + 1 == c->argc || !slice_is(c->argv[i], "LIMIT")) {
            call_syntax_error(c);
            return false;
        }
        if (!call_i64_range(c, i + 1, 0, INT64_MAX, limit, "LIMIT can't be negative")) return false;
    }
    return true;
}

void sintercard_command(struct call *c)
{
    struct operands ops;
    int64_t limit = 0;
    if (!parse_card(c, &limit) || !operands_find(c, 0, &ops)) return;
    struct sink out = {.c = c, .count = true, .limit = limit ? (size_t)limit : SIZE_MAX};
    intersect(&ops, &out);
    operands_free(&ops);
    reply_int(c->r, (int64_t)out.n);
}
