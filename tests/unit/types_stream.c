/*
 * types_stream.c - streams: a random walk over adding, deleting, trimming and reading agrees with
 * an array, for several sizes of nodes; nodes have the layout that they must have, and others are
 * refused; groups keep both lists of what is pending in step, and know how far they have read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "types/types.h"

#define ENTRIES 3000

static struct stream_id id(uint64_t ms, uint64_t seq)
{
    return (struct stream_id){ms, seq};
}

static void expect_id(struct stream_id got, struct stream_id want)
{
    assert_int_equal(got.ms, want.ms);
    assert_int_equal(got.seq, want.seq);
}

static void add(struct stream *s, struct stream_id at, const char *value)
{
    struct slice args[] = {SLICE("field"), slice_str(value)};
    stream_append(s, at, args, 1);
}

static void add_many(struct stream *s, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++)
        add(s, id(i, 0), "value");
}

/* ---- against an array ------------------------------------------------------------------------ */

struct model {
    struct stream *s;
    struct {
        struct stream_id id;
        int kind;
        bool there;
    } e[ENTRIES];
    size_t n, first;
    uint64_t length;
};

#define KINDS 5

/* The fields and values of an entry: the same names again and again, other ones, none in common. */
static size_t args_of(size_t i, int kind, struct slice *args, char *text)
{
    size_t n = kind == 3 ? 40 : (size_t)kind % 3 + 1;
    for (size_t k = 0; k < n; k++) {
        size_t at = 64 * (2 * k);
        int len = snprintf(text + at, 64, kind == 4 ? "%zu" : "field-%zu", kind == 4 ? i + k : k);
        args[2 * k] = slice_of(text + at, (size_t)len);
        at += 64;
        len = k % 2 ? snprintf(text + at, 64, "%zu", i * 1000)
                    : snprintf(text + at, 64, "v%zu-%zu", i, k);
        args[2 * k + 1] = slice_of(text + at, (size_t)len);
    }
    return n;
}

static void model_add(struct model *m)
{
    struct slice args[80];
    char text[64 * 80];
    if (m->n == ENTRIES) return;
    size_t i = m->n++;
    struct stream_id last = m->s->last_id;
    m->e[i].id = rand_below(3) ? id(last.ms, last.seq + 1) : id(last.ms + 1 + rand_below(500), 0);
    m->e[i].kind = rand_below(10) ? 0 : (int)rand_below(KINDS);
    m->e[i].there = true;
    m->length++;
    stream_append(m->s, m->e[i].id, args, args_of(i, m->e[i].kind, args, text));
}

static void expect_entry(struct stream_iter *it, const struct model *m, size_t i)
{
    struct slice args[80], field, value;
    char text[64 * 80];
    size_t n = args_of(i, m->e[i].kind, args, text);
    expect_id(it->id, m->e[i].id);
    assert_int_equal(it->fields, n);
    size_t read = rand_below(4) ? n : rand_below((uint32_t)n + 1); /* not always all of them */
    for (size_t k = 0; k < read; k++) {
        stream_iter_field(it, &field, &value);
        assert_true(slice_eq(field, args[2 * k]));
        assert_true(slice_eq(value, args[2 * k + 1]));
    }
}

static void expect_range(const struct model *m, struct stream_id start, struct stream_id end)
{
    struct stream_iter it;
    stream_iter_start(&it, m->s, start, end, false);
    for (size_t i = 0; i < m->n; i++) {
        if (!m->e[i].there || stream_id_cmp(m->e[i].id, start) < 0 ||
            stream_id_cmp(m->e[i].id, end) > 0) {
            continue;
        }
        assert_true(stream_iter_next(&it));
        expect_entry(&it, m, i);
    }
    assert_false(stream_iter_next(&it));
    stream_iter_start(&it, m->s, start, end, true);
    for (size_t i = m->n; i-- > 0;) {
        if (!m->e[i].there || stream_id_cmp(m->e[i].id, start) < 0 ||
            stream_id_cmp(m->e[i].id, end) > 0) {
            continue;
        }
        assert_true(stream_iter_next(&it));
        expect_entry(&it, m, i);
    }
    assert_false(stream_iter_next(&it));
}

static void expect_whole(const struct model *m)
{
    struct idmap_pos pos;
    struct stream_id first = STREAM_ID_MIN, last = STREAM_ID_MIN;
    uint64_t in_nodes = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (!m->e[i].there) continue;
        if (stream_id_is_zero(first)) first = m->e[i].id;
        last = m->e[i].id;
    }
    expect_id(m->s->first_id, first);
    expect_id(stream_last_entry(m->s), last);
    assert_int_equal(m->s->length, m->length);
    const struct stream_node *node = idmap_first(&m->s->nodes, &pos);
    for (; node; node = idmap_next(&m->s->nodes, &pos)) {
        assert_true(lp_valid(node->l, lp_bytes(node->l), true));
        assert_true(stream_node_valid(node->l));
        assert_true(stream_node_count(node) > 0);
        in_nodes += stream_node_count(node);
    }
    assert_int_equal(in_nodes, m->length);
    expect_range(m, STREAM_ID_MIN, STREAM_ID_MAX);
}

static void model_delete(struct model *m)
{
    if (m->n == 0) return;
    size_t i = rand_below((uint32_t)m->n);
    assert_int_equal(stream_has(m->s, m->e[i].id), m->e[i].there);
    assert_int_equal(stream_delete(m->s, m->e[i].id), m->e[i].there);
    m->length -= m->e[i].there;
    m->e[i].there = false;
}

static void model_trim(struct model *m)
{
    struct stream_trim t = {.by = STREAM_TRIM_MAXLEN, .maxlen = m->length - MIN(m->length, 20u)};
    size_t deleted = 0;
    if (rand_below(2)) {
        t.by = STREAM_TRIM_MINID;
        if (m->n) t.minid = m->e[rand_below((uint32_t)MIN(m->n, m->first + 100))].id;
    }
    for (size_t i = 0; i < m->n; i++) {
        bool surplus = t.by == STREAM_TRIM_MAXLEN ? m->length > t.maxlen
                                                  : stream_id_cmp(m->e[i].id, t.minid) < 0;
        if (!m->e[i].there || !surplus) continue;
        m->e[i].there = false;
        m->first = i;
        m->length--;
        deleted++;
    }
    assert_int_equal(stream_trim(m->s, &t), deleted);
}

static void model_range(const struct model *m)
{
    struct stream_id a = STREAM_ID_MIN, b = STREAM_ID_MAX;
    if (m->n == 0) return;
    if (rand_below(4)) a = m->e[rand_below((uint32_t)m->n)].id;
    if (rand_below(4)) b = m->e[rand_below((uint32_t)m->n)].id;
    expect_range(m, a, b);
}

static void walk(size_t max_bytes, uint64_t max_entries)
{
    static struct model m;
    memset(&m, 0, sizeof m);
    stream_limits = (struct stream_limits){max_bytes, max_entries};
    m.s = stream_new();
    for (int step = 0; m.n < ENTRIES; step++) {
        unsigned what = rand_below(100);
        if (what < 70)
            model_add(&m);
        else if (what < 95)
            model_delete(&m);
        else if (what < 96)
            model_trim(&m);
        else if (what < 97)
            model_range(&m);
        if (step % 1000 == 0) expect_whole(&m);
    }
    expect_whole(&m);
    stream_destroy(m.s);
}

static void random_walks_agree_with_an_array(void **state)
{
    walk(4096, 100);
    walk(4096, 3);
    walk(0, 0);
    walk(200, 100);
    stream_limits = (struct stream_limits){4096, 100};
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static void nodes_close_at_their_limits(void **state)
{
    struct stream *s = stream_new();
    add_many(s, 1, 100);
    assert_int_equal(s->nodes.len, 1);
    add_many(s, 101, 1000);
    assert_int_equal(s->nodes.len, 10);
    stream_limits.node_max_entries = 0;
    add_many(s, 1001, 1100);
    assert_int_equal(s->nodes.len, 10);
    char big[5000] = "";
    memset(big, 'x', sizeof big - 1);
    add(s, id(2000, 0), big);
    assert_int_equal(s->nodes.len, 11);
    add(s, id(2001, 0), "small");
    assert_int_equal(s->nodes.len, 12);
    stream_limits.node_max_entries = 100;
    stream_destroy(s);
}

/* Redis's bytes of two entries with the same fields and one with others. */
static void a_node_has_the_bytes_that_redis_gives_it(void **state)
{
    static const uint8_t want[] = {
        /* clang-format off */
        3, 1, 0, 1, 1, 1, 0x81, 'a', 2, 0, 1,      /* 3, 0, 1, a, 0 */
        2, 1, 0, 1, 0, 1, 0x81, 'x', 2, 4, 1,      /* these fields, 0-0: x, 4 */
        2, 1, 1, 1, 0, 1, 7, 1, 4, 1,              /* these fields, 1-0: 7, 4 */
        0, 1, 1, 1, 1, 1, 1, 1, 0x81, 'b', 2, 0x81, 'y', 2, 6, 1, /* 1-1, one field: b y, 6 */
        0xFF,
        /* clang-format on */
    };
    struct stream *s = stream_new();
    struct slice args[] = {SLICE("a"), SLICE("x")};
    stream_append(s, id(5, 0), args, 1);
    args[1] = SLICE("7");
    stream_append(s, id(6, 0), args, 1);
    args[0] = SLICE("b"), args[1] = SLICE("y");
    stream_append(s, id(6, 1), args, 1);
    const struct stream_node *node = idmap_first(&s->nodes, NULL);
    expect_id(node->id, id(5, 0));
    assert_int_equal(lp_bytes(node->l), 6 + sizeof want);
    assert_memory_equal(node->l + 6, want, sizeof want);
    stream_destroy(s);
}

static void damaged_nodes_are_refused_and_never_misread(void **state)
{
    struct stream *s = stream_new();
    add_many(s, 1, 20);
    stream_delete(s, id(3, 0));
    const struct stream_node *node = idmap_first(&s->nodes, NULL);
    size_t n = lp_bytes(node->l);
    assert_true(stream_node_valid(node->l));
    for (size_t i = 6; i < n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            lp *l = lp_dup(node->l);
            l[i] ^= (uint8_t)(1 << bit);
            bool ok = lp_valid(l, n, true) && stream_node_valid(l);
            struct stream *other = stream_new();
            if (ok && stream_load_node(other, node->id, l)) {
                struct stream_iter it;
                size_t count = 0;
                stream_iter_start(&it, other, STREAM_ID_MIN, STREAM_ID_MAX, rand_below(2));
                while (stream_iter_next(&it))
                    count++;
                assert_true(count <= 20);
            } else {
                lp_free(l);
            }
            stream_destroy(other);
        }
    }
    stream_destroy(s);
}

static void what_is_loaded_is_checked_against_the_counters(void **state)
{
    struct stream *s = stream_new(), *t = stream_new();
    add_many(s, 1, 250);
    struct idmap_pos pos;
    const struct stream_node *node = idmap_first(&s->nodes, &pos);
    for (; node; node = idmap_next(&s->nodes, &pos))
        assert_true(stream_load_node(t, node->id, lp_dup(node->l)));
    lp *again = lp_dup(((struct stream_node *)idmap_first(&s->nodes, NULL))->l);
    assert_false(stream_load_node(t, id(1, 0), again));
    lp_free(again);
    assert_false(stream_load_done(t, 249, id(250, 0), false, STREAM_ID_MIN, STREAM_ID_MIN, 0));
    assert_false(stream_load_done(t, 250, id(249, 0), false, STREAM_ID_MIN, STREAM_ID_MIN, 0));
    assert_true(stream_load_done(t, 250, id(300, 0), false, STREAM_ID_MIN, STREAM_ID_MIN, 0));
    expect_id(t->first_id, id(1, 0));
    assert_int_equal(t->entries_added, 250);
    assert_true(stream_load_done(t, 250, id(300, 0), true, id(1, 0), id(7, 7), 400));
    assert_int_equal(t->entries_added, 400);
    add(t, id(301, 0), "more");
    assert_int_equal(t->length, 251);
    stream_destroy(s);
    stream_destroy(t);
}

static void trimming_roughly_takes_whole_nodes_within_its_limit(void **state)
{
    struct stream *s = stream_new();
    add_many(s, 1, 1000);
    struct stream_trim t = {.by = STREAM_TRIM_MAXLEN, .approx = true, .maxlen = 555};
    assert_int_equal(stream_trim(s, &t), 400);
    t.maxlen = 0;
    t.limit = 250;
    assert_int_equal(stream_trim(s, &t), 200);
    expect_id(s->first_id, id(601, 0));
    t = (struct stream_trim){.by = STREAM_TRIM_MINID, .approx = true, .minid = id(801, 0)};
    assert_int_equal(stream_trim(s, &t), 200);
    assert_int_equal(s->length, 200);
    assert_int_equal(s->entries_added, 1000);
    stream_destroy(s);
}

/* ---- groups ---------------------------------------------------------------------------------- */

static void expect_in_step(const struct stream_group *g)
{
    struct idmap_pos pos;
    size_t n = 0;
    for (uint32_t i = 0; i < g->n_consumers; i++) {
        const struct stream_consumer *c = g->consumers[i];
        const struct stream_id *at = idmap_first(&c->pel, &pos);
        for (; at; at = idmap_next(&c->pel, &pos), n++)
            assert_ptr_equal(stream_pending_find(g, *at)->consumer, c);
        if (i) {
            struct slice before = stream_consumer_name(g->consumers[i - 1]);
            assert_true(slice_cmp(before, stream_consumer_name(c)) < 0);
        }
    }
    assert_int_equal(n, g->pel.len);
}

static void both_lists_of_what_is_pending_stay_in_step(void **state)
{
    struct stream *s = stream_new();
    struct stream_group *g = stream_group_create(s, SLICE("g"), STREAM_ID_MIN, 0);
    assert_null(stream_group_create(s, SLICE("g"), STREAM_ID_MIN, 0));
    for (int step = 0; step < 20000; step++) {
        char name[8];
        struct slice who =
            slice_of(name, (size_t)snprintf(name, sizeof name, "%u", (unsigned)rand_below(12)));
        struct stream_consumer *c = stream_consumer_find(g, who);
        struct stream_id at = id(rand_below(300), 1);
        unsigned what = rand_below(100);
        if (!c) {
            c = stream_consumer_create(g, who, 1);
            assert_null(stream_consumer_create(g, who, 1));
        }
        if (what < 55) {
            struct stream_pending *p = stream_pending_assign(g, at, c);
            p->deliveries++;
            assert_ptr_equal(p->consumer, c);
        } else if (what < 99) {
            bool was = stream_pending_find(g, at);
            assert_int_equal(stream_pending_drop(g, at), was);
        } else {
            stream_consumer_destroy(g, c);
        }
        if (step % 200 == 0) expect_in_step(g);
    }
    expect_in_step(g);
    stream_group_destroy(s, g);
    assert_null(stream_group_find(s, SLICE("g")));
    stream_destroy(s);
}

static void entries_that_groups_need_are_kept_when_asked_to(void **state)
{
    struct stream *s = stream_new();
    add_many(s, 1, 300);
    struct stream_group *g = stream_group_create(s, SLICE("g"), id(250, 0), 0);
    struct stream_consumer *c = stream_consumer_create(g, SLICE("c"), 1);
    stream_pending_assign(g, id(7, 0), c);
    stream_pending_assign(g, id(150, 0), c);
    assert_true(stream_referenced(s, id(7, 0)));
    assert_false(stream_referenced(s, id(8, 0)));
    assert_true(stream_referenced(s, id(251, 0)));
    struct stream_trim t = {.by = STREAM_TRIM_MAXLEN, .maxlen = 10, .refs = STREAM_ACKED};
    assert_int_equal(stream_trim(s, &t), 248);
    assert_int_equal(s->length, 52);
    expect_id(s->first_id, id(7, 0));
    t.refs = STREAM_DELETE_REFS;
    assert_int_equal(stream_trim(s, &t), 42);
    assert_int_equal(g->pel.len, 0);
    assert_int_equal(c->pel.len, 0);
    stream_destroy(s);
}

static void expect_lag(const struct stream *s, const struct stream_group *g, int64_t want)
{
    int64_t lag;
    bool known = stream_group_lag(s, g, &lag);
    assert_int_equal(known, want >= 0);
    if (known) assert_int_equal(lag, want);
}

static void a_group_knows_how_far_it_is_behind(void **state)
{
    struct stream *s = stream_new();
    struct stream_group *g =
        stream_group_create(s, SLICE("g"), STREAM_ID_MIN, STREAM_READS_UNKNOWN);
    expect_lag(s, g, 0);
    add_many(s, 1, 5);
    expect_lag(s, g, 5);
    stream_group_read(s, g, id(1, 0));
    assert_int_equal(g->entries_read, 1);
    stream_group_read(s, g, id(2, 0));
    assert_int_equal(g->entries_read, 2);
    expect_lag(s, g, 3);
    stream_delete(s, id(4, 0)); /* ahead of the group: it cannot tell any more */
    expect_lag(s, g, -1);
    stream_group_read(s, g, id(3, 0));
    assert_int_equal(g->entries_read, STREAM_READS_UNKNOWN);
    stream_group_read(s, g, id(5, 0));
    assert_int_equal(g->entries_read, 5);
    expect_lag(s, g, 0);
    stream_destroy(s);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void a_copy_shares_nothing(void **state)
{
    struct entry *e = entry_new_stream(SLICE("a"));
    struct stream *s = stream_of(e);
    add_many(s, 1, 250);
    struct stream_group *g = stream_group_create(s, SLICE("g"), id(9, 0), 9);
    struct stream_consumer *c = stream_consumer_create(g, SLICE("c"), 1);
    stream_consumer_create(g, SLICE("b"), 1);
    stream_pending_assign(g, id(9, 0), c)->deliveries = 3;
    struct entry *copy = entry_dup(e, SLICE("b"), ENTRY_NO_EXPIRE);
    assert_true(entry_memory(e, 0) > 250 * 5);
    assert_true(entry_free_effort(e) >= 3);
    entry_free(e);
    s = stream_of(copy);
    assert_int_equal(s->length, 250);
    g = stream_group_find(s, SLICE("g"));
    expect_in_step(g);
    assert_int_equal(stream_pending_find(g, id(9, 0))->deliveries, 3);
    add_many(s, 300, 310);
    assert_true(stream_has(s, id(250, 0)));
    assert_string_equal(entry_encoding_name(copy), "stream");
    entry_free(copy);
}

static void radix_nodes_are_counted_as_in_a_tree_of_the_ids(void **state)
{
    struct stream *s = stream_new();
    stream_limits.node_max_entries = 1;
    assert_int_equal(stream_radix_nodes(s), 1);
    add(s, id(1, 0), "v"); /* one run of bytes, and its end */
    assert_int_equal(stream_radix_nodes(s), 2);
    add(s, id(1, 1), "v"); /* a run, a fork on the last byte, two ends */
    assert_int_equal(stream_radix_nodes(s), 4);
    add(s, id(1, 300), "v"); /* another fork on the byte before it, behind which is a run of one */
    assert_int_equal(stream_radix_nodes(s), 7);
    stream_limits.node_max_entries = 100;
    stream_destroy(s);
}

static void ids_count_on_over_their_halves(void **state)
{
    char text[STREAM_ID_TEXT];
    struct stream_id at = id(5, UINT64_MAX);
    assert_true(stream_id_increment(&at));
    expect_id(at, id(6, 0));
    assert_true(stream_id_decrement(&at));
    expect_id(at, id(5, UINT64_MAX));
    at = STREAM_ID_MAX;
    assert_false(stream_id_increment(&at));
    at = STREAM_ID_MIN;
    assert_false(stream_id_decrement(&at));
    expect_id(stream_id_after(id(5, 3), 9), id(9, 0));
    expect_id(stream_id_after(id(5, 3), 5), id(5, 4));
    expect_id(stream_id_after(id(5, 3), 4), id(5, 4));
    assert_int_equal(stream_id_format(text, STREAM_ID_MAX), 41);
    assert_string_equal(text, "18446744073709551615-18446744073709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walks_agree_with_an_array),
        cmocka_unit_test(nodes_close_at_their_limits),
        cmocka_unit_test(a_node_has_the_bytes_that_redis_gives_it),
        cmocka_unit_test(damaged_nodes_are_refused_and_never_misread),
        cmocka_unit_test(what_is_loaded_is_checked_against_the_counters),
        cmocka_unit_test(trimming_roughly_takes_whole_nodes_within_its_limit),
        cmocka_unit_test(both_lists_of_what_is_pending_stay_in_step),
        cmocka_unit_test(entries_that_groups_need_are_kept_when_asked_to),
        cmocka_unit_test(a_group_knows_how_far_it_is_behind),
        cmocka_unit_test(a_copy_shares_nothing),
        cmocka_unit_test(radix_nodes_are_counted_as_in_a_tree_of_the_ids),
        cmocka_unit_test(ids_count_on_over_their_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
