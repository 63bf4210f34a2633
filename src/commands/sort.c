/*
 * sort.c - SORT and SORT_RO: what they are asked for, and what becomes of the result. The sorting
 * is in sort_order.c.
 *
 * BY and GET name keys that no argument names, so they may lie in any partition: a call with such a
 * pattern owns them all (sort_owns_all()), one without just those of its two keys.
 *
 * Invariants
 *  1. Elements and weights are copied before anything is stored, so the destination may be the
 * source.
 */
#include "commands/sort_internal.h"

/* ---- options -------------------------------------------------------------------------------- */

static bool limit_parse(struct sort *s, uint32_t arg)
{
    return call_i64(s->c, arg, &s->offset) && call_i64(s->c, arg + 1, &s->count);
}

static void by_parse(struct sort *s, struct slice pattern)
{
    s->by = pattern.n ? pattern : SLICE("");
    if (sort_pattern_of(pattern).what < PATTERN_KEY) s->unordered = true;
}

static void get_parse(struct sort *s, struct slice pattern)
{
    /* Each takes two arguments. */
    if (!s->gets) s->gets = mem_alloc(s->c->argc / 2 * sizeof *s->gets);
    s->gets[s->n_gets++] = sort_pattern_of(pattern);
}

/* The option at `arg`: how many arguments it takes, 0: none is valid there (replied). */
static uint32_t option_parse(struct sort *s, uint32_t arg, bool may_store)
{
    struct call *c = s->c;
    struct slice word = c->argv[arg];
    uint32_t left = c->argc - arg - 1;
    if (slice_is(word, "ASC") || slice_is(word, "DESC")) {
        s->desc = slice_is(word, "DESC");
        return 1;
    }
    if (slice_is(word, "ALPHA")) {
        s->alpha = true;
        return 1;
    }
    if (slice_is(word, "LIMIT") && left >= 2) return limit_parse(s, arg + 1) ? 3 : 0;
    if (slice_is(word, "STORE") && left >= 1 && may_store) {
        s->stores = true;
    } else if (slice_is(word, "BY") && left >= 1) {
        by_parse(s, c->argv[arg + 1]);
    } else if (slice_is(word, "GET") && left >= 1) {
        get_parse(s, c->argv[arg + 1]);
    } else {
        call_syntax_error(c);
        return 0;
    }
    return 2;
}

static bool options_parse(struct sort *s, bool may_store)
{
    s->count = -1;
    for (uint32_t arg = 2, n; arg < s->c->argc; arg += n) {
        n = option_parse(s, arg, may_store);
        if (n == 0) return false;
    }
    return true;
}

/* How many arguments belong to the word at `arg`, for who looks for some words only. */
static uint32_t option_args(struct slice word)
{
    if (slice_is(word, "LIMIT")) return 2;
    return slice_is(word, "BY") || slice_is(word, "GET") || slice_is(word, "STORE");
}

int sort_find_keys(uint32_t argc, const struct slice *argv, uint32_t *out, int max)
{
    uint32_t store = 0;
    for (uint32_t i = 2; i < argc; i += 1 + option_args(argv[i])) {
        if (slice_is(argv[i], "STORE") && i + 1 < argc) store = i + 1;
    }
    if (max > 0) out[0] = 1;
    if (max > 1 && store) out[1] = store;
    return store ? 2 : 1;
}

int sort_ro_find_keys(uint32_t argc, const struct slice *argv, uint32_t *out, int max)
{
    if (max > 0) out[0] = 1;
    return 1;
}

bool sort_owns_all(uint32_t argc, const struct slice *argv)
{
    for (uint32_t i = 2; i < argc; i += 1 + option_args(argv[i])) {
        bool pattern = slice_is(argv[i], "BY") || slice_is(argv[i], "GET");
        if (pattern && i + 1 < argc && sort_pattern_of(argv[i + 1]).what >= PATTERN_KEY) {
            return true;
        }
    }
    return false;
}

/* ---- results -------------------------------------------------------------------------------- */

static struct slice result(const struct sort *s, size_t i)
{
    return s->elems[s->order ? s->order[s->start + i].at : s->start + i];
}

static void reply_value(struct sort *s, const struct sort_pattern *pattern, struct slice elem)
{
    struct sort_value v;
    sort_look_up(s, pattern, elem, &v);
    if (v.entry) {
        reply_bulk_entry(s->c->r, v.entry);
    } else if (v.s.p) {
        reply_bulk(s->c->r, v.s);
    } else {
        reply_null(s->c->r);
    }
}

static void reply_results(struct sort *s)
{
    struct reply *r = s->c->r;
    reply_array(r, s->results * MAX(s->n_gets, 1u));
    for (size_t i = 0; i < s->results; i++) {
        struct slice elem = result(s, i);
        if (s->n_gets == 0) reply_bulk(r, elem);
        for (uint32_t g = 0; g < s->n_gets; g++)
            reply_value(s, &s->gets[g], elem);
    }
}

/* The results as elements of a list: what GET finds nothing for is an empty one. */
static struct slice *list_elements(struct sort *s, size_t n)
{
    struct slice *out = mem_alloc(MAX(n, (size_t)1) * sizeof *out), *next = out;
    for (size_t i = 0; i < s->results; i++) {
        struct slice elem = result(s, i);
        if (s->n_gets == 0) *next++ = elem;
        for (uint32_t g = 0; g < s->n_gets; g++) {
            struct sort_value v;
            sort_look_up(s, &s->gets[g], elem, &v);
            *next++ = arena_copy(&s->arena, sort_value_text(&v));
        }
    }
    return out;
}

static struct entry *list_of(const struct key *k, const struct slice *elems, size_t n)
{
    struct entry *e = entry_new(k->s, TYPE_LIST, ENC_LISTPACK, list_new(), ENTRY_NO_EXPIRE);
    list_before_add(e, elems, n);
    for (size_t i = 0; i < n; i++)
        list_push(e, LIST_TAIL, elems[i]);
    return e;
}

static void put_list(struct call *c, const struct key *k, struct entry *e, size_t n)
{
    struct entry **slot = call_find(c, k, KS_NO_TOUCH);
    if (slot) {
        ks_replace(call_part(c, k), c->db, k, slot, e);
    } else {
        ks_add(call_part(c, k), c->db, k, e);
    }
    call_changed(c, k, 'l', "sortstore");
    c->dirty += (uint32_t)n - 1;
    call_ready(c, k);
}

static void store_results(struct sort *s)
{
    struct call *c = s->c;
    const struct key *k = &c->keys[1];
    size_t n = s->results * MAX(s->n_gets, 1u);
    if (n > 0) {
        struct slice *elems = list_elements(s, n);
        put_list(c, k, list_of(k, elems, n), n);
        mem_free(elems);
    } else {
        struct entry **slot = call_find(c, k, KS_NO_TOUCH);
        if (slot) {
            ks_delete(call_part(c, k), c->db, k, slot, true);
            call_changed(c, k, 'g', "del");
        }
    }
    reply_int(c->r, (int64_t)n);
}

/* ---- the commands --------------------------------------------------------------------------- */

/* False: it is nothing that can be sorted; replied. */
static bool find_source(struct sort *s)
{
    struct entry **slot = call_find(s->c, &s->c->keys[0], 0);
    if (!slot) return true;
    s->e = *slot;
    if (s->e->type == TYPE_LIST || s->e->type == TYPE_SET || s->e->type == TYPE_ZSET) return true;
    call_wrong_type(s->c);
    return false;
}

static void run(struct sort *s)
{
    /* A set has no order to keep: what is stored of it shall not depend on chance. */
    if (s->unordered && s->stores && s->e && s->e->type == TYPE_SET) {
        s->unordered = false;
        s->alpha = true;
        s->by.p = NULL;
    }
    sort_load(s);
    if (!s->unordered) sort_order(s);
    if (s->not_a_number) {
        reply_error(s->c->r, "ERR One or more scores can't be converted into double");
    } else if (s->stores) {
        store_results(s);
    } else {
        reply_results(s);
    }
}

static void sort(struct call *c, bool may_store)
{
    struct sort s = {.c = c};
    if (options_parse(&s, may_store) && find_source(&s)) run(&s);
    if (s.texts != s.elems) mem_free(s.texts);
    mem_free(s.elems);
    mem_free(s.order);
    mem_free(s.gets);
    arena_free(&s.arena);
    buf_free(&s.name);
}

void sort_command(struct call *c)
{
    sort(c, true);
}

void sort_ro_command(struct call *c)
{
    sort(c, false);
}
