/*
 * types_idmap.c - items ordered by ID: random walks agree with a bitmap of what is there; IDs that
 * only grow fill the leaves; a map that was emptied takes no memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "types/idmap.h"

#define IDS 4000

struct item {
    struct stream_id id;
    uint64_t tag, more;
};

/* IDs differ in either half. */
static struct stream_id id_of(size_t i)
{
    return (struct stream_id){i / 7, (i % 7) * (UINT64_MAX / 7)};
}

struct model {
    struct idmap m;
    bool has[IDS];
    size_t n;
};

static void add(struct model *o, size_t i)
{
    bool added;
    struct item *item = idmap_add(&o->m, id_of(i), &added);
    assert_int_equal(added, !o->has[i]);
    assert_true(stream_id_eq(item->id, id_of(i)));
    assert_int_equal(item->tag, added ? 0 : i + 1);
    item->tag = i + 1;
    o->n += added;
    o->has[i] = true;
}

static void take(struct model *o, size_t i)
{
    assert_int_equal(idmap_remove(&o->m, id_of(i)), o->has[i]);
    o->n -= o->has[i];
    o->has[i] = false;
}

static void expect_item(const struct item *item, const struct model *o, size_t i)
{
    if (i >= IDS || !o->has[i]) {
        assert_null(item);
        return;
    }
    assert_non_null(item);
    assert_int_equal(item->tag, i + 1);
}

static void expect_lookups(const struct model *o, size_t i)
{
    size_t ge = i, le = i;
    while (ge < IDS && !o->has[ge])
        ge++;
    while (le > 0 && !o->has[le])
        le--;
    expect_item(idmap_ge(&o->m, id_of(i), NULL), o, ge);
    expect_item(idmap_le(&o->m, id_of(i), NULL), o, le);
    expect_item(idmap_find(&o->m, id_of(i)), o, i);
}

static void expect_all(const struct model *o)
{
    struct idmap_pos pos;
    size_t seen = 0;
    assert_int_equal(o->m.len, o->n);
    const struct item *item = idmap_first(&o->m, &pos);
    for (size_t i = 0; i < IDS; i++) {
        if (!o->has[i]) continue;
        assert_int_equal(item->tag, i + 1);
        item = idmap_next(&o->m, &pos);
        seen++;
    }
    assert_null(item);
    assert_int_equal(seen, o->n);
    item = idmap_last(&o->m, &pos);
    for (size_t i = IDS; i-- > 0;) {
        if (!o->has[i]) continue;
        assert_int_equal(item->tag, i + 1);
        item = idmap_prev(&o->m, &pos);
    }
    assert_null(item);
}

static void walk(struct model *o, unsigned steps, unsigned adds_of_100)
{
    for (unsigned i = 0; i < steps; i++) {
        size_t at = rand_below(IDS);
        if (rand_below(100) < adds_of_100)
            add(o, at);
        else
            take(o, at);
        expect_lookups(o, rand_below(IDS));
    }
    expect_all(o);
}

static void random_walks_agree_with_a_model(void **state)
{
    static struct model o;
    idmap_init(&o.m, sizeof(struct item));
    for (int round = 0; round < 4; round++) {
        walk(&o, 6000, 80);
        walk(&o, 6000, 20);
    }
    for (size_t i = 0; i < IDS; i++)
        take(&o, i);
    expect_all(&o);
    assert_int_equal(idmap_memory(&o.m), 0);
    idmap_free(&o.m);
}

static void ids_that_grow_fill_the_leaves(void **state)
{
    struct idmap m;
    bool added;
    idmap_init(&m, sizeof(struct item));
    for (size_t i = 0; i < 100000; i++)
        idmap_add(&m, id_of(i), &added);
    assert_true(idmap_memory(&m) < 100000 * sizeof(struct item) * 11 / 10);
    idmap_free(&m);
}

static void a_queue_stays_small(void **state)
{
    struct idmap m;
    bool added;
    idmap_init(&m, sizeof(struct item));
    for (size_t i = 0; i < 200000; i++) {
        idmap_add(&m, id_of(i), &added);
        if (i >= 1000) assert_true(idmap_remove(&m, id_of(i - 1000)));
    }
    assert_int_equal(m.len, 1000);
    assert_true(idmap_memory(&m) < 1000 * sizeof(struct item) * 2);
    idmap_free(&m);
}

static void a_thinned_map_gives_memory_back(void **state)
{
    struct idmap m;
    bool added;
    idmap_init(&m, sizeof(struct item));
    for (size_t i = 0; i < 100000; i++)
        idmap_add(&m, id_of(i), &added);
    for (size_t i = 0; i < 100000; i++) {
        if (i % 20) idmap_remove(&m, id_of(i));
    }
    assert_int_equal(m.len, 5000);
    assert_true(idmap_memory(&m) < 5000 * sizeof(struct item) * 5);
    idmap_free(&m);
}

static void a_copy_is_its_own(void **state)
{
    struct idmap m, copy;
    bool added;
    idmap_init(&m, sizeof(struct item));
    idmap_copy(&copy, &m);
    assert_int_equal(copy.len, 0);
    for (size_t i = 0; i < 1000; i++)
        ((struct item *)idmap_add(&m, id_of(i), &added))->tag = i;
    idmap_copy(&copy, &m);
    idmap_free(&m);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(((struct item *)idmap_find(&copy, id_of(i)))->tag, i);
    idmap_add(&copy, id_of(5000), &added);
    assert_true(added);
    idmap_free(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walks_agree_with_a_model),
        cmocka_unit_test(ids_that_grow_fill_the_leaves),
        cmocka_unit_test(a_queue_stays_small),
        cmocka_unit_test(a_thinned_map_gives_memory_back),
        cmocka_unit_test(a_copy_is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
