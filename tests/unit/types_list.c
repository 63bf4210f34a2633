/*
 * types_list.c - lists: a random walk over all operations agrees with an array, under every kind of
 * limit and compression depth; the nodes keep their invariants; conversions happen where Redis has
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "types/quicklist.h"

static struct entry *new_list(int max_listpack_size, int depth, size_t threshold)
{
    list_limits = (struct list_limits){max_listpack_size, depth, threshold};
    return entry_new(SLICE("list"), TYPE_LIST, ENC_LISTPACK, list_new(), ENTRY_NO_EXPIRE);
}

static struct quicklist *quicklist_of(const struct entry *e)
{
    assert_int_equal(e->enc, ENC_QUICKLIST);
    return e->v.ptr;
}

static void push(struct entry *e, enum list_end end, struct slice s)
{
    list_before_add(e, &s, 1);
    list_push(e, end, s);
}

static void push_numbers(struct entry *e, int64_t n)
{
    char text[NUM_I64_MAX];
    for (int64_t i = 0; i < n; i++)
        push(e, LIST_TAIL, slice_of(text, num_fmt_i64(text, i)));
}

/* ---- against an array ------------------------------------------------------------------------ */

#define MODEL_MAX 600

struct model {
    struct buf s[MODEL_MAX];
    size_t n;
    struct entry *e;
};

static void model_insert(struct model *m, size_t at, struct slice s)
{
    memmove(m->s + at + 1, m->s + at, (m->n - at) * sizeof *m->s);
    m->s[at] = (struct buf){0};
    buf_add(&m->s[at], s.p, s.n);
    m->n++;
}

static void model_delete(struct model *m, size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_free(&m->s[at + i]);
    memmove(m->s + at, m->s + at + n, (m->n - at - n) * sizeof *m->s);
    m->n -= n;
}

static void expect_from(const struct model *m, size_t start, bool backwards)
{
    struct list_iter it;
    size_t i = start;
    bool more = list_seek(m->e, (int64_t)i - (rand_below(2) ? (int64_t)m->n : 0), backwards, &it);
    assert_true(more);
    for (;;) {
        assert_int_equal(it.index, i);
        struct slice got = list_at(&it);
        assert_true(slice_eq(got, buf_slice(&m->s[i])));
        assert_true(list_equals(&it, buf_slice(&m->s[i])));
        assert_false(list_equals(&it, SLICE("not in any list")));
        more = list_step(&it);
        if (!more) break;
        i += backwards ? -1 : 1;
    }
    assert_int_equal(i, backwards ? 0 : m->n - 1);
}

/* Is node within depth of an end? */
static bool outer(const struct quicklist *q, const struct qnode *node)
{
    const struct qnode *left = node, *right = node;
    for (int i = 0; i < q->depth; i++) {
        left = left->prev;
        right = right->next;
        if (!left || !right) return true;
    }
    return q->depth == 0;
}

/* Would this node's bytes surely compress? */
static bool dull(const struct qnode *node)
{
    const char *p = node->data;
    for (size_t i = 8; i < node->size; i++) {
        if (p[i] != p[8]) return false;
    }
    return node->plain && node->size > 100;
}

static void expect_node(const struct quicklist *q, struct qnode *node)
{
    assert_true(node->count > 0);
    assert_true(node->data || node->packed);
    assert_ptr_equal(node->next ? node->next->prev : q->tail, node);
    if (outer(q, node)) {
        assert_non_null(node->data);
        assert_null(node->packed);
    } else if (node != q->open) {
        assert_false(node->data && node->packed);
        assert_false(node->data && dull(node));
    }
    if (node->plain) assert_int_equal(node->count, 1);
    if (node->plain || !node->data) return;
    assert_int_equal(node->size, lp_bytes(node->data));
    assert_int_equal(node->count, lp_count(node->data));
    assert_true(lp_valid(node->data, node->size, true));
}

static void expect_nodes(const struct entry *e)
{
    size_t count = 0, nodes = 0;
    if (e->enc != ENC_QUICKLIST) return;
    const struct quicklist *q = e->v.ptr;
    for (struct qnode *node = q->head; node; node = node->next) {
        expect_node(q, node);
        count += node->count;
        nodes++;
    }
    assert_int_equal(count, q->count);
    assert_int_equal(nodes, q->nodes);
    assert_int_equal(list_free_effort(e), nodes);
}

static void expect_same(const struct model *m)
{
    struct list_iter it;
    assert_int_equal(list_len(m->e), m->n);
    expect_nodes(m->e);
    assert_false(list_seek(m->e, (int64_t)m->n, false, &it));
    assert_false(list_seek(m->e, -(int64_t)m->n - 1, false, &it));
    if (m->n == 0) return;
    expect_from(m, rand_below(m->n), false);
    expect_from(m, rand_below(m->n), true);
    expect_nodes(m->e);
}

static struct slice random_elem(char *space)
{
    static const size_t most[] = {4, 40, 150, 400, 9000};
    if (rand_below(3) == 0)
        return slice_of(space, num_fmt_i64(space, (int64_t)rand_u64() >> rand_below(63)));
    size_t n = rand_below(most[rand_below(rand_below(20) ? 4 : 5)]);
    memset(space, 'a' + (int)rand_below(26), n);
    if (n > 20 && rand_below(2)) rand_secret(space + n / 2, n / 4);
    return slice_of(space, n);
}

static void do_push(struct model *m, struct slice s)
{
    bool head = rand_below(2);
    push(m->e, head ? LIST_HEAD : LIST_TAIL, s);
    model_insert(m, head ? 0 : m->n, s);
}

static void do_pop(struct model *m)
{
    bool head = rand_below(2);
    struct buf out = {0};
    buf_addz(&out, "what was there before");
    bool got = list_pop(m->e, head ? LIST_HEAD : LIST_TAIL, &out);
    assert_int_equal(got, m->n > 0);
    if (got) {
        size_t at = head ? 0 : m->n - 1;
        assert_true(slice_eq(buf_slice(&out), buf_slice(&m->s[at])));
        model_delete(m, at, 1);
    }
    buf_free(&out);
    list_after_remove(m->e);
}

static void do_insert(struct model *m, struct slice s)
{
    struct list_iter it;
    size_t at = rand_below(m->n);
    bool after = rand_below(2);
    list_before_add(m->e, &s, 1);
    assert_true(list_seek(m->e, (int64_t)at, rand_below(2), &it));
    list_insert(&it, s, after);
    model_insert(m, at + after, s);
}

static void do_replace(struct model *m, struct slice s)
{
    struct list_iter it;
    size_t at = rand_below(m->n);
    list_before_add(m->e, &s, 1);
    assert_true(list_seek(m->e, (int64_t)at, rand_below(2), &it));
    list_replace(&it, s);
    list_after_remove(m->e);
    model_delete(m, at, 1);
    model_insert(m, at, s);
}

static void do_erase_range(struct model *m)
{
    size_t at = rand_below(m->n), n = rand_below(rand_below(4) ? 10 : 200),
           some = MIN(n, m->n - at);
    list_erase_range(m->e, (int64_t)at - (rand_below(2) ? (int64_t)m->n : 0), n);
    list_after_remove(m->e);
    model_delete(m, at, some);
}

/* As LREM: erases some of the elements that one iteration meets. */
static void do_erase_some(struct model *m)
{
    struct list_iter it;
    bool backwards = rand_below(2), more = true;
    size_t at = rand_below(m->n), odds = 1 + rand_below(3), steps = rand_below(60);
    assert_true(list_seek(m->e, (int64_t)at, backwards, &it));
    while (more && steps-- > 0) {
        assert_true(slice_eq(list_at(&it), buf_slice(&m->s[at])));
        assert_int_equal(it.index, at);
        bool erase = rand_below(odds) == 0;
        more = erase ? list_erase(&it) : list_step(&it);
        if (erase) model_delete(m, at, 1);
        at += backwards ? (size_t)-1 : !erase;
    }
    if (!more) assert_int_equal(at, backwards ? (size_t)-1 : m->n);
    list_after_remove(m->e);
}

static void do_dup(struct model *m)
{
    struct entry *copy = entry_dup(m->e, SLICE("copy"), ENTRY_NO_EXPIRE);
    assert_int_equal(copy->enc, m->e->enc);
    assert_true(entry_memory(copy, 0) > list_len(copy));
    entry_memory(copy, 2);
    entry_free(m->e);
    m->e = copy;
}

static void step(struct model *m, size_t bias)
{
    static char space[9000];
    struct slice s = random_elem(space);
    size_t kind = rand_below(20);
    if (kind < 6 + bias || m->n == 0) {
        if (m->n < MODEL_MAX) do_push(m, s);
        return;
    }
    switch (kind) {
    case 18: do_erase_range(m); break;
    case 17: do_erase_some(m); break;
    case 16: do_dup(m); break;
    case 15:
    case 14: do_replace(m, s); break;
    case 13:
    case 12: do_pop(m); break;
    default:
        if (m->n < MODEL_MAX) do_insert(m, s);
    }
}

static void walk(int fill, int depth, size_t threshold)
{
    struct model m = {.e = new_list(fill, depth, threshold)};
    for (int i = 0; i < 1500; i++) {
        step(&m, (size_t)(i / 300 % 2) * 6);
        if (i % 7 == 0) expect_same(&m);
    }
    expect_same(&m);
    model_delete(&m, 0, m.n);
    entry_free(m.e);
}

static void random_walks_under_all_limits(void **state)
{
    static const int fills[] = {-5, -3, -2, -1, 0, 1, 2, 3, 16, 128};
    for (size_t i = 0; i < ARRAY_LEN(fills); i++) {
        for (int depth = 0; depth < 4; depth++) {
            walk(fills[i], depth, 0);
            walk(fills[i], depth, 120);
        }
    }
}

/* ---- conversions ---------------------------------------------------------------------------- */

static void a_count_limit_converts_when_exceeded_and_back_below_half(void **state)
{
    struct buf out = {0};
    struct entry *e = new_list(4, 0, 0);
    push_numbers(e, 4);
    assert_string_equal(entry_encoding_name(e), "listpack");
    push_numbers(e, 1);
    assert_string_equal(entry_encoding_name(e), "quicklist");
    assert_int_equal(quicklist_of(e)->nodes, 2);
    for (size_t left = 5; left > 2; left--) {
        list_after_remove(e);
        assert_string_equal(entry_encoding_name(e), "quicklist");
        list_pop(e, LIST_TAIL, &out);
    }
    list_after_remove(e);
    assert_string_equal(entry_encoding_name(e), "listpack");
    assert_int_equal(list_len(e), 2);
    entry_free(e);
    buf_free(&out);
}

static void a_byte_limit_counts_the_whole_command(void **state)
{
    char text[2000];
    memset(text, 'x', sizeof text);
    struct slice elems[] = {slice_of(text, 2000), slice_of(text, 2000), slice_of(text, 90)};
    struct entry *e = new_list(-1, 0, 0);
    list_before_add(e, elems, 2); /* 7 + 4000 */
    assert_string_equal(entry_encoding_name(e), "listpack");
    list_before_add(e, elems, 3); /* 7 + 4090 > 4096 */
    assert_string_equal(entry_encoding_name(e), "quicklist");
    assert_int_equal(quicklist_of(e)->nodes, 0);
    list_push(e, LIST_TAIL, elems[0]);
    list_after_remove(e);
    assert_string_equal(entry_encoding_name(e), "listpack");
    entry_free(e);
}

static void a_count_limit_has_a_byte_limit_too(void **state)
{
    char text[9000];
    memset(text, 'x', sizeof text);
    struct entry *e = new_list(100, 0, 0);
    push(e, LIST_TAIL, slice_of(text, 8185));
    assert_string_equal(entry_encoding_name(e), "listpack");
    push(e, LIST_TAIL, slice_of(text, 1));
    assert_string_equal(entry_encoding_name(e), "quicklist");
    push(e, LIST_TAIL, slice_of(text, 8193));
    assert_true(quicklist_of(e)->tail->plain);
    entry_free(e);
}

static void huge_elements_get_plain_nodes(void **state)
{
    char *text = mem_alloc(70000);
    memset(text, 'x', 70000);
    struct entry *e = new_list(-1, 0, 0);
    push(e, LIST_TAIL, slice_of(text, 5000));
    push(e, LIST_TAIL, SLICE("a"));
    push(e, LIST_HEAD, SLICE("b"));
    struct quicklist *q = quicklist_of(e);
    assert_int_equal(q->nodes, 3);
    assert_true(q->head->next->plain);
    list_after_remove(e);
    assert_string_equal(entry_encoding_name(e), "quicklist");

    struct list_iter it;
    list_seek(e, 0, false, &it);
    list_replace(&it, slice_of(text, 70000));
    assert_true(q->head->plain);
    list_seek(e, 1, false, &it);
    list_replace(&it, SLICE("short"));
    assert_false(q->head->next->plain);
    assert_int_equal(q->count, 3);
    expect_nodes(e);
    entry_free(e);
    mem_free(text);
}

static void the_threshold_decides_when_it_is_set(void **state)
{
    struct entry *e = new_list(1, 0, 3);
    push(e, LIST_TAIL, SLICE("12"));
    push(e, LIST_TAIL, SLICE("12"));
    push(e, LIST_TAIL, SLICE("123"));
    struct quicklist *q = quicklist_of(e);
    assert_false(q->head->plain);
    assert_true(q->tail->plain);
    entry_free(e);
    list_limits.packed_threshold = 0;
}

/* ---- compression ---------------------------------------------------------------------------- */

static size_t packed_nodes(const struct quicklist *q)
{
    size_t n = 0;
    for (const struct qnode *node = q->head; node; node = node->next)
        n += !node->data;
    return n;
}

static void inner_nodes_are_compressed_again_after_use(void **state)
{
    char text[600];
    memset(text, 'x', sizeof text);
    struct entry *e = new_list(1, 2, 0);
    for (int i = 0; i < 20; i++)
        push(e, LIST_TAIL, slice_of(text, sizeof text));
    struct quicklist *q = quicklist_of(e);
    assert_int_equal(q->nodes, 20);
    assert_int_equal(packed_nodes(q), 16);
    assert_true(entry_memory(e, 0) < 20 * sizeof text);

    struct list_iter it;
    for (int64_t i = 0; i < 20; i++) {
        list_seek(e, i, false, &it);
        assert_int_equal(list_at(&it).n, sizeof text);
        assert_true(packed_nodes(q) >= 15);
    }
    list_seek(e, 10, false, &it);
    list_replace(&it, SLICE("short"));
    list_seek(e, 7, false, &it);
    list_at(&it);
    list_seek(e, 10, false, &it);
    assert_true(list_equals(&it, SLICE("short")));
    entry_free(e);
}

/* ---- cost ----------------------------------------------------------------------------------- */

static void pushing_and_popping_take_no_memory_each(void **state)
{
    struct buf out = {0};
    struct entry *e = new_list(-2, 0, 0);
    push_numbers(e, 100000);
    struct quicklist *q = quicklist_of(e);
    assert_true(q->nodes < 100);
    for (int64_t i = 0; i < 100000; i++) {
        char text[NUM_I64_MAX];
        size_t n = num_fmt_i64(text, i);
        assert_true(list_pop(e, LIST_HEAD, &out));
        assert_true(slice_eq(buf_slice(&out), slice_of(text, n)));
    }
    assert_false(list_pop(e, LIST_HEAD, &out));
    assert_int_equal(list_len(e), 0);
    entry_free(e);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walks_under_all_limits),
        cmocka_unit_test(a_count_limit_converts_when_exceeded_and_back_below_half),
        cmocka_unit_test(a_byte_limit_counts_the_whole_command),
        cmocka_unit_test(a_count_limit_has_a_byte_limit_too),
        cmocka_unit_test(huge_elements_get_plain_nodes),
        cmocka_unit_test(the_threshold_decides_when_it_is_set),
        cmocka_unit_test(inner_nodes_are_compressed_again_after_use),
        cmocka_unit_test(pushing_and_popping_take_no_memory_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
