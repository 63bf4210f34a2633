/*
 * types_zset.c - sorted sets: a random walk over all operations agrees with a sorted array in both
 * encodings; the tree keeps its invariants and stays full; conversions happen where Redis has them.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "types/btree.h"

static const struct btree *tree_of(const struct entry *e)
{
    struct { /* as zset_value.c has it */
        struct dict *dict;
        struct btree tree;
    } *z = e->v.ptr;
    assert_int_equal(e->enc, ENC_BTREE);
    return &z->tree;
}

/* ---- the tree's invariants ------------------------------------------------------------------ */

struct checked {
    const struct btree_leaf *last_leaf;
    const struct zset_item *last;
    size_t leaves, inners;
};

static int item_cmp(const struct zset_item *a, const struct zset_item *b)
{
    if (a->score != b->score) return a->score < b->score ? -1 : 1;
    return slice_cmp(zset_item_member(a), zset_item_member(b));
}

static size_t check_leaf(struct checked *c, const struct btree_leaf *leaf)
{
    assert_ptr_equal(leaf->prev, c->last_leaf);
    if (c->last_leaf) assert_ptr_equal(c->last_leaf->next, leaf);
    assert_true(leaf->n <= LEAF_MAX);
    for (size_t i = 0; i < leaf->n; i++) {
        assert_true(leaf->score[i] == leaf->item[i]->score);
        if (c->last) assert_true(item_cmp(c->last, leaf->item[i]) < 0);
        c->last = leaf->item[i];
    }
    c->last_leaf = leaf;
    c->leaves++;
    return leaf->n;
}

static const struct zset_item *first_below(const void *node, unsigned height)
{
    for (; height > 0; height--)
        node = ((const struct btree_inner *)node)->child[0];
    return ((const struct btree_leaf *)node)->item[0];
}

static size_t check_node(struct checked *c, const void *node, unsigned height)
{
    const struct btree_inner *inner = node;
    size_t total = 0;
    if (height == 0) return check_leaf(c, node);
    assert_in_range(inner->n, 1, INNER_MAX);
    for (size_t i = 0; i < inner->n; i++) {
        size_t n = check_node(c, inner->child[i], height - 1);
        assert_true(n > 0);
        assert_int_equal(inner->count[i], n);
        assert_ptr_equal(inner->item[i], first_below(inner->child[i], height - 1));
        assert_true(inner->score[i] == inner->item[i]->score);
        total += n;
    }
    c->inners++;
    return total;
}

static void check_tree(const struct btree *t)
{
    struct checked c = {0};
    if (t->height > 0) assert_true(((const struct btree_inner *)t->root)->n > 1);
    assert_int_equal(check_node(&c, t->root, t->height), t->len);
    assert_int_equal(c.leaves, t->leaves);
    assert_int_equal(c.inners, t->inners);
    assert_ptr_equal(c.last_leaf, t->last);
    assert_null(t->last->next);
    assert_null(t->first->prev);
}

/* ---- against an array ----------------------------------------------------------------------- */

#define MODEL_MAX 4000

struct pair {
    double score;
    uint32_t n;
    char member[36];
};

struct model {
    struct pair p[MODEL_MAX];
    size_t n;
    struct entry *e;
    unsigned names, scores; /* how many different ones */
};

static struct slice member_of(const struct pair *p)
{
    return slice_of(p->member, p->n);
}

static int pair_cmp(const struct pair *a, const struct pair *b)
{
    if (a->score != b->score) return a->score < b->score ? -1 : 1;
    return slice_cmp(member_of(a), member_of(b));
}

static size_t model_find(const struct model *m, struct slice member)
{
    size_t i = 0;
    while (i < m->n && !slice_eq(member_of(&m->p[i]), member))
        i++;
    return i;
}

static void model_delete(struct model *m, size_t at, size_t n)
{
    memmove(m->p + at, m->p + at + n, (m->n - at - n) * sizeof *m->p);
    m->n -= n;
}

static void model_insert(struct model *m, const struct pair *p)
{
    size_t at = 0;
    while (at < m->n && pair_cmp(&m->p[at], p) < 0)
        at++;
    memmove(m->p + at + 1, m->p + at, (m->n - at) * sizeof *m->p);
    m->p[at] = *p;
    m->n++;
}

static double random_score(const struct model *m)
{
    static const double special[] = {0, -1, 1.5, INFINITY, -INFINITY, 1e300, -1e-300, 0.1, 1e17};
    if (m->scores > 20 && rand_below(30) == 0) return special[rand_below(ARRAY_LEN(special))];
    double score = (double)rand_below(m->scores) - m->scores / 3;
    return m->scores > 100 && rand_below(2) ? score / 7 : score;
}

static void random_pair(const struct model *m, struct pair *p)
{
    uint64_t name = rand_below(m->names);
    p->score = random_score(m);
    p->n = (uint32_t)num_fmt_u64(p->member, name);
    if (name % 3 == 0) p->n = (uint32_t)sprintf(p->member, "m:%u", (unsigned)name);
    if (name % 50 == 0) p->n = (uint32_t)sprintf(p->member, "a longer member %u", (unsigned)name);
    if (name == 0) p->n = 0;
}

static void do_put(struct model *m)
{
    static const unsigned sets[] = {0, 0, 0, 0, ZSET_NX, ZSET_XX, ZSET_GT, ZSET_LT, ZSET_INCR};
    struct pair p;
    random_pair(m, &p);
    unsigned flags = sets[rand_below(ARRAY_LEN(sets))];
    size_t at = model_find(m, member_of(&p));
    bool there = at < m->n;
    double now = there ? m->p[at].score : 0, next = p.score + (flags & ZSET_INCR ? now : 0);
    enum zset_result want = ZSET_ADDED;
    if (there ? flags & ZSET_NX : flags & ZSET_XX)
        want = ZSET_SKIPPED;
    else if (isnan(next))
        want = ZSET_NAN;
    else if (there && ((flags & ZSET_GT && next <= now) || (flags & ZSET_LT && next >= now)))
        want = ZSET_SKIPPED;
    else if (there)
        want = next == now ? ZSET_SAME : ZSET_UPDATED;
    if (want == ZSET_ADDED && m->n == MODEL_MAX) return;

    double score = p.score;
    assert_int_equal(zset_put(m->e, member_of(&p), &score, flags), want);
    if (want == ZSET_SKIPPED || want == ZSET_NAN) return;
    assert_true(score == next);
    p.score = next;
    if (there) model_delete(m, at, 1);
    model_insert(m, &p);
}

static void do_remove(struct model *m)
{
    struct pair p;
    random_pair(m, &p);
    if (m->n && rand_below(4)) p = m->p[rand_below(m->n)];
    size_t at = model_find(m, member_of(&p));
    assert_int_equal(zset_remove(m->e, member_of(&p)), at < m->n);
    if (at < m->n) model_delete(m, at, 1);
}

static void random_scores(const struct model *m, struct score_range *r)
{
    *r = (struct score_range){random_score(m), random_score(m), rand_below(2), rand_below(2)};
    if (rand_below(4) && r->min > r->max) {
        double min = r->max;
        r->max = r->min;
        r->min = min;
    }
}

static size_t model_window(const struct model *m, const struct score_range *r, size_t *first)
{
    size_t n = 0;
    *first = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (!score_in_range(m->p[i].score, r)) continue;
        if (n++ == 0) *first = i;
    }
    return n;
}

static void do_remove_range(struct model *m)
{
    struct score_range r;
    size_t at = rand_below(m->n), most = rand_below(3) ? 10 : 600, n = rand_below(most),
           some = MIN(n, m->n - at);
    if (rand_below(3)) {
        assert_int_equal(zset_remove_range_rank(m->e, at, n), some);
    } else {
        random_scores(m, &r);
        some = model_window(m, &r, &at);
        if (some > m->n / 2 && rand_below(10)) return;
        assert_int_equal(zset_remove_range_score(m->e, &r), some);
    }
    model_delete(m, at, some);
}

static void do_dup(struct model *m)
{
    struct entry *copy = entry_dup(m->e, SLICE("copy"), ENTRY_NO_EXPIRE);
    assert_int_equal(copy->enc, m->e->enc);
    assert_true(entry_memory(copy, 0) > zset_len(copy));
    entry_memory(copy, 2);
    entry_free(m->e);
    m->e = copy;
}

static void do_rebuild(struct model *m)
{
    struct dict *d = dict_new(&zset_items);
    for (size_t i = 0; i < m->n; i++)
        dict_add(d, zset_item_new(member_of(&m->p[i]), m->p[i].score));
    entry_free(m->e);
    m->e = entry_new_zset_of(SLICE("zset"), d);
}

static void expect_from(const struct model *m, size_t rank, bool rev)
{
    struct zset_iter it;
    bool more = zset_seek_rank(m->e, rank, rev, &it);
    for (; rank < m->n; rank++) {
        const struct pair *p = &m->p[rev ? m->n - 1 - rank : rank];
        struct slice member;
        double score;
        assert_true(more);
        assert_int_equal(it.rank, rank);
        zset_at(&it, &member, &score);
        assert_true(score == p->score);
        assert_true(slice_eq(member, member_of(p)));
        more = zset_step(&it);
    }
    assert_false(more);
}

static void expect_score_range(const struct model *m)
{
    struct score_range r;
    struct zset_iter it;
    size_t first, rank = 0;
    bool rev = rand_below(2);
    random_scores(m, &r);
    size_t n = model_window(m, &r, &first);
    assert_int_equal(zset_count_score(m->e, &r), n);
    assert_int_equal(zset_window_score(m->e, &r, &rank), n);
    if (n) assert_int_equal(rank, first);
    bool there = zset_seek_score(m->e, &r, rev, &it);
    assert_int_equal(there, n > 0);
    if (!there) return;
    assert_int_equal(it.rank, rev ? m->n - first - n : first);
    size_t skip = rand_below(n + 3), target = it.rank + skip;
    assert_int_equal(zset_skip(&it, skip), target < m->n);
}

static void expect_members(const struct model *m)
{
    size_t rank, at = rand_below(m->n);
    double score;
    struct slice member = member_of(&m->p[at]);
    assert_true(zset_score(m->e, member, &score));
    assert_true(score == m->p[at].score);
    assert_true(zset_rank(m->e, member, false, &rank, &score));
    assert_int_equal(rank, at);
    assert_true(score == m->p[at].score);
    assert_true(zset_rank(m->e, member, true, &rank, NULL));
    assert_int_equal(rank, m->n - 1 - at);
    assert_false(zset_score(m->e, SLICE("not in any set"), &score));
    assert_false(zset_rank(m->e, SLICE("not in any set"), false, &rank, NULL));
}

static void count_member(void *arg, struct slice member, double score)
{
    ++*(size_t *)arg;
}

static void expect_scan(const struct model *m)
{
    size_t seen = 0;
    uint64_t cursor = 0;
    do
        cursor = zset_scan(m->e, cursor, 10, count_member, &seen);
    while (cursor != 0);
    assert_true(seen >= m->n && seen <= 2 * m->n);
}

static void expect_same(const struct model *m)
{
    struct zset_iter it;
    assert_int_equal(zset_len(m->e), m->n);
    if (m->e->enc == ENC_BTREE) check_tree(tree_of(m->e));
    if (m->e->enc == ENC_LISTPACK) assert_true(zset_valid_listpack(m->e->v.ptr));
    assert_false(zset_seek_rank(m->e, m->n, false, &it));
    if (m->n == 0) return;
    expect_from(m, rand_below(m->n), false);
    expect_from(m, rand_below(m->n), true);
    expect_score_range(m);
    expect_members(m);
}

static void step(struct model *m, bool growing)
{
    size_t kind = rand_below(100);
    if (m->n == 0 || kind < (growing ? 75u : 45u)) {
        do_put(m);
    } else if (kind < 97) {
        do_remove(m);
    } else if (kind < 99 && m->n) {
        if (!growing || rand_below(10) == 0) do_remove_range(m);
    } else if (rand_below(5) == 0) {
        rand_below(2) ? do_dup(m) : do_rebuild(m);
    }
}

static void walk(size_t entries, unsigned names, unsigned scores, int steps)
{
    static struct model m;
    m = (struct model){.names = names, .scores = scores};
    zset_limits = (struct zset_limits){entries, 64};
    m.e = entry_new_zset(SLICE("zset"));
    for (int i = 0; i < steps; i++) {
        step(&m, i * 8 / steps % 2 == 0);
        if (i % 37 == 0) expect_same(&m);
        if (i % 500 == 0) expect_scan(&m);
    }
    expect_same(&m);
    entry_free(m.e);
}

static void random_walks_in_a_listpack(void **state)
{
    walk(MODEL_MAX, 100, 50, 3000);
    walk(MODEL_MAX, 100, 3, 3000);
}

static void random_walks_in_a_tree(void **state)
{
    walk(0, 100, 50, 3000);
    walk(0, 3000, 1000000, 30000);
    walk(0, 3000, 200, 20000);
    walk(0, 2000, 1, 10000);
}

static void random_walks_from_one_to_the_other(void **state)
{
    for (size_t i = 0; i < 8; i++)
        walk(rand_below(200), 400, 100, 1500);
}

/* ---- orders of arrival ---------------------------------------------------------------------- */

static struct entry *number_set(size_t n, size_t (*at)(size_t i, size_t n))
{
    char text[NUM_I64_MAX];
    zset_limits = (struct zset_limits){0, 64};
    struct entry *e = entry_new_zset(SLICE("zset"));
    for (size_t i = 0; i < n; i++) {
        size_t v = at(i, n);
        zset_add(e, slice_of(text, num_fmt_u64(text, v)), (double)v);
    }
    return e;
}

static size_t ascending(size_t i, size_t n)
{
    return i;
}

static size_t descending(size_t i, size_t n)
{
    return n - 1 - i;
}

static size_t mixed(size_t i, size_t n)
{
    return i * 7919 % n;
}

static size_t from_both_ends(size_t i, size_t n)
{
    return i % 2 ? n - 1 - i / 2 : i / 2;
}

static void leaves_are_full(size_t (*at)(size_t i, size_t n), double least)
{
    size_t n = 100003;
    struct entry *e = number_set(n, at);
    const struct btree *t = tree_of(e);
    check_tree(t);
    assert_int_equal(t->len, n);
    double fill = (double)n / (double)(t->leaves * LEAF_MAX);
    if (fill < least) fail_msg("only %.2f of the leaves is used", fill);
    entry_free(e);
}

static void members_that_come_in_order_fill_the_leaves(void **state)
{
    leaves_are_full(ascending, 0.99);
    leaves_are_full(descending, 0.99);
}

static void members_that_come_at_random_nearly_do(void **state)
{
    leaves_are_full(mixed, 0.78);
    leaves_are_full(from_both_ends, 0.45);
}

static void removing_all_leaves_one_empty_leaf(void **state)
{
    size_t (*const orders[])(size_t, size_t) = {ascending, descending, mixed, from_both_ends};
    char text[NUM_I64_MAX];
    size_t n = 20011;
    for (size_t o = 0; o < ARRAY_LEN(orders); o++) {
        struct entry *e = number_set(n, mixed);
        const struct btree *t = tree_of(e);
        for (size_t i = 0; i < n; i++) {
            assert_true(zset_remove(e, slice_of(text, num_fmt_u64(text, orders[o](i, n)))));
            if (i % 1000 == 0) check_tree(t);
            /* Never more than a multiple of the leaves that are needed. */
            assert_true(t->leaves <= 4 * (t->len / LEAF_MAX) + 4);
        }
        assert_int_equal(t->len + t->height + t->inners, 0);
        assert_int_equal(t->leaves, 1);
        assert_int_equal(zset_add(e, SLICE("again"), 1), ZSET_ADDED);
        check_tree(t);
        entry_free(e);
    }
}

static void a_range_goes_as_a_whole(void **state)
{
    struct zset_iter it;
    struct slice member;
    double score;
    size_t n = 30000;
    for (size_t from = 0; from < n; from += 3331) {
        for (size_t count = 1; from + count <= n; count = count * 5 + 1) {
            struct entry *e = number_set(n, ascending);
            assert_int_equal(zset_remove_range_rank(e, from, count), count);
            check_tree(tree_of(e));
            assert_int_equal(zset_len(e), n - count);
            if (zset_seek_rank(e, from, false, &it)) {
                zset_at(&it, &member, &score);
                assert_true(score == (double)(from + count));
            }
            entry_free(e);
        }
    }
}

static void a_range_of_all_leaves_an_empty_tree(void **state)
{
    struct entry *e = number_set(5000, mixed);
    struct score_range all = {-INFINITY, INFINITY, false, false};
    assert_int_equal(zset_remove_range_score(e, &all), 5000);
    check_tree(tree_of(e));
    assert_int_equal(zset_len(e), 0);
    assert_int_equal(zset_add(e, SLICE("again"), 1), ZSET_ADDED);
    entry_free(e);
}

static void scores_move_members_to_where_they_belong(void **state)
{
    char text[NUM_I64_MAX];
    size_t n = 5000, rank;
    struct entry *e = number_set(n, ascending);
    for (size_t i = 0; i < 20000; i++) {
        size_t v = rand_below(n);
        double score = (double)v + (double)rand_below(400) / 10 - 20;
        zset_add(e, slice_of(text, num_fmt_u64(text, v)), score);
        if (i % 500 == 0) check_tree(tree_of(e));
    }
    check_tree(tree_of(e));
    assert_true(zset_rank(e, SLICE("2500"), false, &rank, NULL));
    assert_in_range(rank, 2400, 2600);
    entry_free(e);
}

/* ---- members in order of names -------------------------------------------------------------- */

static struct lex_bound bound(const char *text)
{
    struct lex_bound b = {LEX_MEMBER, *text == '(', slice_str(text + 1)};
    if (*text == '-') b.kind = LEX_LOWEST;
    if (*text == '+') b.kind = LEX_HIGHEST;
    return b;
}

static void counts_names(const struct entry *e, const char *min, const char *max, size_t n,
                         const char *first, const char *last)
{
    struct lex_range r = {bound(min), bound(max)};
    struct zset_iter it;
    struct slice member;
    assert_int_equal(zset_count_lex(e, &r), n);
    assert_int_equal(zset_seek_lex(e, &r, false, &it), n > 0);
    if (n == 0) return;
    zset_at(&it, &member, NULL);
    assert_true(slice_eq(member, slice_str(first)));
    assert_true(lex_in_range(member, &r));
    assert_true(zset_seek_lex(e, &r, true, &it));
    zset_at(&it, &member, NULL);
    assert_true(slice_eq(member, slice_str(last)));
}

static void ranges_of_names(void **state)
{
    for (size_t entries = 0; entries <= 1000; entries += 1000) {
        zset_limits = (struct zset_limits){entries, 64};
        struct entry *e = entry_new_zset(SLICE("zset"));
        for (char x = 'a'; x <= 'z'; x++) {
            for (char y = 'a'; y <= 'z'; y++)
                zset_add(e, slice_of((char[]){x, y}, 2), 5);
        }
        counts_names(e, "-", "+", 676, "aa", "zz");
        counts_names(e, "+", "-", 0, "", "");
        counts_names(e, "+", "+", 0, "", "");
        counts_names(e, "-", "-", 0, "", "");
        counts_names(e, "[b", "(c", 26, "ba", "bz");
        counts_names(e, "[bb", "[bd", 3, "bb", "bd");
        counts_names(e, "(bb", "(bd", 1, "bc", "bc");
        counts_names(e, "(bb", "(bb", 0, "", "");
        counts_names(e, "[zz", "+", 1, "zz", "zz");
        counts_names(e, "-", "(ab", 1, "aa", "aa");
        counts_names(e, "[x", "[b", 0, "", "");
        struct lex_range r = {bound("[c"), bound("[x")};
        size_t n = zset_count_lex(e, &r);
        assert_int_equal(zset_remove_range_lex(e, &r), n);
        assert_int_equal(zset_count_lex(e, &r), 0);
        assert_int_equal(zset_len(e), 676 - n);
        entry_free(e);
    }
}

static void members_of_any_length(void **state)
{
    static const size_t lengths[] = {0, 1, 7, 8, 63, 64, 253, 254, 255, 256, 257, 65536, 1000000};
    char *text = mem_alloc(1000000);
    double score;
    memset(text, 'x', 1000000);
    zset_limits = (struct zset_limits){0, 64};
    struct entry *e = entry_new_zset(SLICE("zset"));
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
        zset_add(e, slice_of(text, lengths[i]), (double)lengths[i]);
    struct entry *copy = entry_dup(e, SLICE("copy"), ENTRY_NO_EXPIRE);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        assert_true(zset_score(copy, slice_of(text, lengths[i]), &score));
        assert_true(score == (double)lengths[i]);
        assert_true(zset_remove(e, slice_of(text, lengths[i])));
    }
    entry_free(e);
    entry_free(copy);
    mem_free(text);
}

/* ---- encodings ------------------------------------------------------------------------------ */

static void encodings_change_at_the_limits(void **state)
{
    char text[65] = {0};
    zset_limits = (struct zset_limits){4, 64};
    struct entry *e = entry_new_zset(SLICE("zset"));
    for (int i = 0; i < 4; i++)
        zset_add(e, slice_of(&(char){(char)('a' + i)}, 1), i);
    zset_add(e, SLICE("a"), 7);
    assert_string_equal(entry_encoding_name(e), "listpack");
    zset_add(e, SLICE("e"), 7);
    assert_string_equal(entry_encoding_name(e), "skiplist");
    zset_remove(e, SLICE("e"));
    assert_string_equal(entry_encoding_name(e), "skiplist");
    entry_free(e);

    e = entry_new_zset(SLICE("zset"));
    zset_add(e, slice_of(text, 64), 1);
    assert_string_equal(entry_encoding_name(e), "listpack");
    zset_add(e, slice_of(text, 65), 1);
    assert_string_equal(entry_encoding_name(e), "skiplist");
    entry_free(e);

    e = entry_new_zset(SLICE("zset"));
    zset_expect(e, 4, 64);
    assert_string_equal(entry_encoding_name(e), "listpack");
    zset_expect(e, 5, 1);
    assert_string_equal(entry_encoding_name(e), "skiplist");
    entry_free(e);
}

static void packed_scores_have_redis_s_text(void **state)
{
    static const struct {
        double score;
        const char *text;
    } cases[] = {{-INFINITY, "-inf"}, {-1e300, "-1e+300"},
                 {-2, "-2"},          {-0.0, "0"},
                 {0.1, "0.1"},        {3, "3"},
                 {3.5, "3.5"},        {1e17, "100000000000000000"},
                 {INFINITY, "inf"}};
    char tmp[NUM_I64_MAX], name[2] = "a";
    zset_limits = (struct zset_limits){100, 64};
    struct entry *e = entry_new_zset(SLICE("zset"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        name[0] = (char)('a' + i);
        zset_add(e, slice_of(name, 1), cases[i].score);
    }
    const lp *l = e->v.ptr;
    size_t pos = lp_first(l);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++, pos = lp_next(l, pos)) {
        pos = lp_next(l, pos);
        assert_true(slice_eq(lp_slice(l, pos, tmp), slice_str(cases[i].text)));
    }
    entry_free(e);
}

static lp *pack(const char *words)
{
    lp *l = lp_new(0);
    while (*words) {
        size_t n = strcspn(words, " ");
        l = lp_append(l, slice_of(words, n));
        words += n + (words[n] == ' ');
    }
    return l;
}

static void is_valid(const char *words, bool want)
{
    lp *l = pack(words);
    assert_int_equal(zset_valid_listpack(l), want);
    lp_free(l);
}

static void foreign_listpacks_are_looked_through(void **state)
{
    is_valid("a 1 b 2", true);
    is_valid("a 1 b 1 c 1.5 d inf", true);
    is_valid("10 1 9 1", true);
    is_valid("9 1 10 1", false);
    is_valid("a 1 b", false);
    is_valid("a 1 b x", false);
    is_valid("a 1 b nan", false);
    is_valid("b 2 a 1", false);
    is_valid("a 1 a 1", false);
    is_valid("a 1 b 2 a 3", false);
}

static void foreign_listpacks_are_converted_by_the_limits(void **state)
{
    zset_limits = (struct zset_limits){3, 3};
    struct entry *e = entry_new_zset_listpack(SLICE("k"), pack("a 1 b 2 ccc 3"));
    assert_string_equal(entry_encoding_name(e), "listpack");
    entry_free(e);
    e = entry_new_zset_listpack(SLICE("k"), pack("a 1 b 2 cccc 3"));
    assert_string_equal(entry_encoding_name(e), "skiplist");
    check_tree(tree_of(e));
    entry_free(e);
    e = entry_new_zset_listpack(SLICE("k"), pack("a 1 b 2 c 3 d 4"));
    assert_string_equal(entry_encoding_name(e), "skiplist");
    assert_int_equal(zset_len(e), 4);
    entry_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walks_in_a_listpack),
        cmocka_unit_test(random_walks_in_a_tree),
        cmocka_unit_test(random_walks_from_one_to_the_other),
        cmocka_unit_test(members_that_come_in_order_fill_the_leaves),
        cmocka_unit_test(members_that_come_at_random_nearly_do),
        cmocka_unit_test(removing_all_leaves_one_empty_leaf),
        cmocka_unit_test(a_range_goes_as_a_whole),
        cmocka_unit_test(a_range_of_all_leaves_an_empty_tree),
        cmocka_unit_test(scores_move_members_to_where_they_belong),
        cmocka_unit_test(ranges_of_names),
        cmocka_unit_test(members_of_any_length),
        cmocka_unit_test(encodings_change_at_the_limits),
        cmocka_unit_test(packed_scores_have_redis_s_text),
        cmocka_unit_test(foreign_listpacks_are_looked_through),
        cmocka_unit_test(foreign_listpacks_are_converted_by_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
