/*
 * zset_algebra.c - unions, intersections and differences of sorted sets and sets (the members of a
 * set all count 1), replied, stored or counted.
 *
 *   inputs --(smallest first)--> members --sorted--> reply
 *                                        \--------> key
 *
 * A union enters all inputs but the largest into an index of its own; the largest is only looked up
 * there. An intersection looks each member of the smallest up in the others.
 *
 * Invariants
 *  1. Scores are put together in the order of the inputs' sizes, equally large ones in the order of
 *     the command: a sum of floats depends on it.
 *  2. A target is written after all inputs were read: it may be one of them.
 */
#include "commands/zset_more_internal.h"

#include <math.h>

enum operation { UNION, INTER, DIFF };
enum aggregate { SUM, LEAST, MOST };

struct input {
    const struct entry *e; /* NULL: absent */
    size_t len;
    double weight;
};

struct algebra {
    enum operation op;
    enum aggregate aggregate;
    bool store, count_only, with_scores;
    uint32_t n;
    struct input *inputs;
    int64_t limit; /* of count_only; 0: none */
};

/* ---- inputs --------------------------------------------------------------------------------- */

struct walk {
    const struct entry *e;
    bool begun;
    union {
        struct zset_iter zset;
        struct set_iter set;
    } it;
};

static void walk_begin(struct walk *w, const struct input *in)
{
    w->e = in->e;
    w->begun = false;
    if (w->e && w->e->type == TYPE_SET) set_first(w->e, &w->it.set);
}

static bool walk_next(struct walk *w, struct slice *s, double *score)
{
    if (!w->e) return false;
    if (w->e->type == TYPE_SET) {
        *score = 1;
        return set_next(&w->it.set, s);
    }
    bool more = w->begun ? zset_step(&w->it.zset) : zset_seek_rank(w->e, 0, false, &w->it.zset);
    w->begun = true;
    return more && zset_at(&w->it.zset, s, score);
}

/* Only what was printed into the iterator does not last. */
static struct slice lasting(const struct walk *w, struct members *m, struct slice s)
{
    bool inside = s.p >= (const char *)w && s.p < (const char *)(w + 1);
    return UNLIKELY(inside) ? members_keep(m, s) : s;
}

static bool look_up(const struct input *in, struct slice s, double *score)
{
    if (!in->e) return false;
    if (in->e->type == TYPE_ZSET) return zset_score(in->e, s, score);
    *score = 1;
    return set_has(in->e, s);
}

static size_t len_of(const struct entry *e)
{
    if (!e) return 0;
    return e->type == TYPE_SET ? set_len(e) : zset_len(e);
}

/* Few, and often in order already; equal ones stay as they are. */
static void sort_by_size(struct input *inputs, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        struct input in = inputs[i];
        uint32_t j = i;
        for (; j > 0 && inputs[j - 1].len > in.len; j--)
            inputs[j] = inputs[j - 1];
        inputs[j] = in;
    }
}

/* ---- scores --------------------------------------------------------------------------------- */

static double weighted(const struct input *in, double score)
{
    double v = in->weight * score;
    return isnan(v) ? 0 : v;
}

static double together(double a, double b, enum aggregate how)
{
    double sum;
    switch (how) {
    case LEAST: return b < a ? b : a;
    case MOST: return b > a ? b : a;
    default: sum = a + b; return isnan(sum) ? 0 : sum; /* of two infinities */
    }
}

/* ---- the three operations ------------------------------------------------------------------- */

static void unite_first(const struct algebra *a, struct members *m)
{
    struct walk w;
    struct slice s;
    double score;
    size_t all = 0;
    for (uint32_t i = 0; i < a->n; i++)
        all += a->inputs[i].len;
    members_reserve(m, all);
    walk_begin(&w, &a->inputs[0]);
    while (walk_next(&w, &s, &score))
        members_add(m, lasting(&w, m, s), weighted(&a->inputs[0], score));
    if (a->n > 1) members_index(m, all - a->inputs[a->n - 1].len);
}

static void unite_next(const struct algebra *a, uint32_t i, struct members *m)
{
    const struct input *in = &a->inputs[i];
    struct walk w;
    struct slice s;
    struct members_gap gap;
    double score;
    walk_begin(&w, in);
    while (walk_next(&w, &s, &score)) {
        struct member *there = members_find(m, s, &gap);
        score = weighted(in, score);
        if (there) {
            there->score = together(there->score, score, a->aggregate);
            continue;
        }
        members_add(m, lasting(&w, m, s), score);
        if (i + 1 < a->n) members_enter(m, gap);
    }
}

static void unite(const struct algebra *a, struct members *m)
{
    sort_by_size(a->inputs, a->n);
    unite_first(a, m);
    for (uint32_t i = 1; i < a->n; i++)
        unite_next(a, i, m);
}

/* Is s in all inputs but the first, whose score of it *score is? */
static bool in_others(const struct algebra *a, struct slice s, double *score)
{
    double sum = weighted(&a->inputs[0], *score), other;
    for (uint32_t i = 1; i < a->n; i++) {
        if (!look_up(&a->inputs[i], s, &other)) return false;
        sum = together(sum, a->inputs[i].weight * other, a->aggregate);
    }
    *score = sum;
    return true;
}

static void intersect(const struct algebra *a, struct members *m)
{
    struct walk w;
    struct slice s;
    double score;
    sort_by_size(a->inputs, a->n);
    walk_begin(&w, &a->inputs[0]);
    while (walk_next(&w, &s, &score)) {
        if (in_others(a, s, &score)) members_add(m, lasting(&w, m, s), score);
    }
}

static int64_t count_common(const struct algebra *a)
{
    struct walk w;
    struct slice s;
    double score;
    int64_t n = 0;
    sort_by_size(a->inputs, a->n);
    walk_begin(&w, &a->inputs[0]);
    while ((a->limit == 0 || n < a->limit) && walk_next(&w, &s, &score))
        n += in_others(a, s, &score);
    return n;
}

static bool in_any_other(const struct algebra *a, struct slice s)
{
    double score;
    for (uint32_t i = 1; i < a->n; i++) {
        if (look_up(&a->inputs[i], s, &score)) return true;
    }
    return false;
}

/* Looks each member of the first input up in the others. */
static void subtract_by_lookup(const struct algebra *a, struct members *m)
{
    struct walk w;
    struct slice s;
    double score;
    walk_begin(&w, &a->inputs[0]);
    while (walk_next(&w, &s, &score)) {
        if (!in_any_other(a, s)) members_add(m, lasting(&w, m, s), score);
    }
}

/* The members of input i, which may not be in the difference, are marked with a score that no
 * member has. */
static void strike_out(const struct algebra *a, uint32_t i, struct members *m)
{
    struct walk w;
    struct slice s;
    struct members_gap gap;
    double score;
    walk_begin(&w, &a->inputs[i]);
    while (walk_next(&w, &s, &score)) {
        struct member *there = members_find(m, s, &gap);
        if (there) there->score = NAN;
    }
}

/* Looks the members of the others up among those of the first. */
static void subtract_by_striking(const struct algebra *a, struct members *m)
{
    struct walk w;
    struct slice s;
    double score;
    size_t left = 0;
    walk_begin(&w, &a->inputs[0]);
    while (walk_next(&w, &s, &score))
        members_add(m, lasting(&w, m, s), score);
    members_index(m, m->n);
    for (uint32_t i = 1; i < a->n; i++)
        strike_out(a, i, m);
    for (size_t i = 0; i < m->n; i++) {
        if (!isnan(m->items[i].score)) m->items[left++] = m->items[i];
    }
    m->n = left;
}

static void subtract(const struct algebra *a, struct members *m)
{
    size_t first = a->inputs[0].len, others = 0, there = 0;
    for (uint32_t i = 1; i < a->n; i++) {
        others += a->inputs[i].len;
        there += a->inputs[i].len > 0;
    }
    if (first * there <= 2 * (first + others)) {
        subtract_by_lookup(a, m);
    } else {
        subtract_by_striking(a, m);
    }
}

static void compute(const struct algebra *a, struct members *m)
{
    switch (a->op) {
    case UNION: unite(a, m); break;
    case INTER: intersect(a, m); break;
    case DIFF: subtract(a, m); break;
    }
}

/* ---- arguments ------------------------------------------------------------------------------ */

/* The inputs, as the keys of the call have been found already. */
static bool read_inputs(struct call *c, struct algebra *a)
{
    a->inputs = mem_calloc(a->n * sizeof *a->inputs);
    for (uint32_t i = 0; i < a->n; i++) {
        struct entry **slot = call_find(c, &c->keys[a->store + i], 0);
        const struct entry *e = slot ? *slot : NULL;
        if (e && e->type != TYPE_ZSET && e->type != TYPE_SET) {
            call_wrong_type(c);
            return false;
        }
        a->inputs[i] = (struct input){e, len_of(e), 1};
    }
    return true;
}

/* The weights begin at argument `at`; there are as many as inputs. */
static bool parse_weights(struct call *c, struct algebra *a, uint32_t at)
{
    for (uint32_t i = 0; i < a->n; i++) {
        double *weight = &a->inputs[i].weight;
        if (num_parse_double(c->argv[at + i], weight) && !isnan(*weight)) continue;
        reply_error(c->r, "ERR weight value is not a float");
        return false;
    }
    return true;
}

static bool parse_aggregate(struct call *c, struct algebra *a, uint32_t at)
{
    static const char *const names[] = {[SUM] = "SUM", [LEAST] = "MIN", [MOST] = "MAX"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (!slice_is(c->argv[at], names[i])) continue;
        a->aggregate = (enum aggregate)i;
        return true;
    }
    call_syntax_error(c);
    return false;
}

/* One option at *i, which moves behind it. */
static bool parse_option(struct call *c, struct algebra *a, uint32_t *i)
{
    uint32_t left = c->argc - *i - 1, at = *i + 1;
    struct slice name = c->argv[*i];
    bool scored = a->op != DIFF && !a->count_only;
    if (scored && left >= a->n && slice_is(name, "WEIGHTS")) {
        *i += 1 + a->n;
        return parse_weights(c, a, at);
    }
    if (scored && left >= 1 && slice_is(name, "AGGREGATE")) {
        *i += 2;
        return parse_aggregate(c, a, at);
    }
    if (!a->store && !a->count_only && slice_is(name, "WITHSCORES")) {
        *i += 1;
        return a->with_scores = true;
    }
    if (a->count_only && left >= 1 && slice_is(name, "LIMIT")) {
        *i += 2;
        return call_i64_range(c, at, 0, INT64_MAX, &a->limit, "LIMIT can't be negative");
    }
    call_syntax_error(c);
    return false;
}

/* "numkeys key [key ...] [option ...]", behind the target if there is one. */
static bool parse(struct call *c, struct algebra *a)
{
    uint32_t at = a->store ? 2 : 1;
    int64_t n;
    if (!call_i64(c, at, &n)) return false;
    if (n < 1) {
        reply_errorf(c->r, "ERR at least 1 input key is needed for '%s' command",
                     c->cmd->full_name);
        return false;
    }
    if (n > (int64_t)c->argc - at - 1) {
        call_syntax_error(c);
        return false;
    }
    a->n = (uint32_t)n;
    if (!read_inputs(c, a)) return false;
    for (uint32_t i = at + 1 + a->n; i < c->argc;) {
        if (!parse_option(c, a, &i)) return false;
    }
    return true;
}

/* ---- the commands --------------------------------------------------------------------------- */

static void reply_members(struct call *c, struct members *m, bool with_scores)
{
    members_sort(m);
    zset_reply_header(c->r, m->n, with_scores);
    for (size_t i = 0; i < m->n; i++)
        zset_reply_member(c->r, m->items[i].s, m->items[i].score, with_scores);
}

static void run(struct call *c, enum operation op)
{
    struct algebra a = {.op = op};
    struct members m = {0};
    if (parse(c, &a)) {
        compute(&a, &m);
        reply_members(c, &m, a.with_scores);
    }
    members_free(&m);
    mem_free(a.inputs);
}

static void run_store(struct call *c, enum operation op, const char *event)
{
    struct algebra a = {.op = op, .store = true};
    struct members m = {0};
    if (parse(c, &a)) {
        compute(&a, &m);
        zset_store(c, &c->keys[0], members_to_zset(&m, c->keys[0].s), event);
    }
    members_free(&m);
    mem_free(a.inputs);
}

void zunion_command(struct call *c)
{
    run(c, UNION);
}

void zinter_command(struct call *c)
{
    run(c, INTER);
}

void zdiff_command(struct call *c)
{
    run(c, DIFF);
}

void zunionstore_command(struct call *c)
{
    run_store(c, UNION, "zunionstore");
}

void zinterstore_command(struct call *c)
{
    run_store(c, INTER, "zinterstore");
}

void zdiffstore_command(struct call *c)
{
    run_store(c, DIFF, "zdiffstore");
}

void zintercard_command(struct call *c)
{
    struct algebra a = {.op = INTER, .count_only = true};
    if (parse(c, &a)) reply_int(c->r, count_common(&a));
    mem_free(a.inputs);
}
