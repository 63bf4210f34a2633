/*
 * keyspace_table.c - the hash table against a model: finding, growing, shrinking, work per step,
 * memory, walking while it changes, and what is due.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "keyspace/keyspace_internal.h"

#define MANY 60000

static struct entry *entry_of(unsigned id, int64_t expire_ms)
{
    char key[32];
    int n = snprintf(key, sizeof key, "key:%u", id);
    return entry_new_int(slice_of(key, (size_t)n), id, expire_ms);
}

static struct entry **find(const struct table *t, unsigned id)
{
    char key[32];
    struct slice s = slice_of(key, (size_t)snprintf(key, sizeof key, "key:%u", id));
    return table_find(t, hash_bytes(s), s);
}

static void add(struct table *t, unsigned id)
{
    struct entry *e = entry_of(id, ENTRY_NO_EXPIRE);
    assert_ptr_equal(*table_add(t, hash_bytes(entry_key(e)), e), e);
}

static void del(struct table *t, unsigned id)
{
    struct entry **slot = find(t, id), *e = *slot;
    table_remove(t, hash_bytes(entry_key(e)), slot);
    table_resize_step(t, 2);
    entry_free(e);
}

static void drop(struct table *t)
{
    lazyfree__table_now(t);
}

static void finds_what_was_added_and_nothing_else(void **state)
{
    struct table *t = table_new(0);
    bool *there = calloc(MANY, sizeof *there);
    size_t n = 0;
    srand(7);
    for (int round = 0; round < 6 * MANY; round++) {
        unsigned id = (unsigned)rand() % MANY;
        /* In turn it mostly grows, and mostly shrinks. */
        bool want = (round / MANY) % 2 ? rand() % 5 == 0 : rand() % 5 != 0;
        if (want && !there[id]) {
            add(t, id);
            n++;
        } else if (!want && there[id]) {
            del(t, id);
            n--;
        }
        there[id] = want;
        struct entry **slot = find(t, (unsigned)rand() % MANY);
        if (slot) assert_true(there[(*slot)->v.i]);
        assert_int_equal(count_get(&t->keys), n);
    }
    for (unsigned id = 0; id < MANY; id++) {
        struct entry **slot = find(t, id);
        assert_int_equal(slot != NULL, there[id]);
        if (slot) assert_int_equal((*slot)->v.i, id);
    }
    free(there);
    drop(t);
}

static void shrinks_to_one_bucket_when_it_empties(void **state)
{
    struct table *t = table_new(0);
    for (unsigned id = 0; id < MANY; id++)
        add(t, id);
    assert_true(count_get(&t->n) > MANY / 14);
    for (unsigned id = 0; id < MANY; id++)
        del(t, id);
    while (table_resize_step(t, 2)) {
    }
    assert_int_equal(count_get(&t->keys), 0);
    assert_int_equal(count_get(&t->n), 1);
    assert_int_equal(t->lines, 0);
    drop(t);
}

/* Entries looked at by the resizing that one addition or deletion causes. */
static uint64_t most_work(struct table *t, void (*change)(struct table *t, unsigned id), unsigned n)
{
    uint64_t most = 0;
    for (unsigned id = 0; id < n; id++) {
        uint64_t before = t->rehashed, buckets = count_get(&t->n);
        change(t, id);
        most = MAX(most, t->rehashed - before);
        int64_t grown = (int64_t)(count_get(&t->n) - buckets);
        assert_true(grown >= -2 && grown <= 2);
    }
    return most;
}

static void a_step_does_bounded_work_however_large_it_is(void **state)
{
    struct table *t = table_new(0);
    uint64_t growing = most_work(t, add, 400 * 1000), all = t->rehashed;
    /* Two buckets of nearly twice 11.8, and the tail of Poisson's law. */
    assert_in_range(growing, 10, 120);
    assert_in_range(all, 400 * 1000 / 2, 400 * 1000 * 4);
    assert_in_range(most_work(t, del, 400 * 1000), 10, 120);
    drop(t);
}

static double bytes_per_key(const struct table *t)
{
    double bytes = (double)(count_get(&t->n) * sizeof(struct bucket) +
                            (t->lines + t->spares) * sizeof(struct line));
    return bytes / (double)count_get(&t->keys);
}

static void takes_at_most_13_bytes_a_key_while_it_grows(void **state)
{
    struct table *t = table_new(0);
    double sum = 0, most = 0;
    unsigned n = 20 * 1000, samples = 0;
    for (unsigned id = 0; id < 4 * n; id++) {
        add(t, id);
        if (id < n || id % 1000) continue;
        sum += bytes_per_key(t);
        most = MAX(most, bytes_per_key(t));
        samples++;
    }
    assert_true(most < 13.5);
    assert_true(sum / samples < 13);
    drop(t);
}

static void keys_of_one_bucket_and_tag_are_told_apart(void **state)
{
    struct table *t = table_new(0);
    const uint64_t hash = UINT64_C(0x123456789abcdef0);
    for (unsigned id = 0; id < 100; id++) {
        struct entry *e = entry_of(id, ENTRY_NO_EXPIRE);
        atomic_store(&table_resizing, false); /* it would rehash them by their real hash */
        table_add(t, hash, e);
    }
    assert_true(table_chain(t, hash) >= 12);
    for (unsigned id = 0; id < 100; id += 2) {
        char key[32];
        struct slice s = slice_of(key, (size_t)snprintf(key, sizeof key, "key:%u", id));
        struct entry **slot = table_find(t, hash, s), *e = *slot;
        assert_int_equal(e->v.i, id);
        table_remove(t, hash, slot);
        entry_free(e);
        assert_null(table_find(t, hash, s));
    }
    assert_int_equal(count_get(&t->keys), 50);
    atomic_store(&table_resizing, true);
    drop(t);
}

static void removing_moves_no_other_entry(void **state)
{
    struct table *t = table_new(0);
    struct entry **slots[2000];
    for (unsigned id = 0; id < 2000; id++)
        add(t, id);
    for (unsigned id = 0; id < 2000; id++)
        slots[id] = find(t, id);
    for (unsigned id = 0; id < 2000; id += 3) {
        struct entry *e = *slots[id];
        table_remove(t, hash_bytes(entry_key(e)), slots[id]);
        entry_free(e);
    }
    for (unsigned id = 0; id < 2000; id++) {
        if (id % 3 && slots[id]) assert_ptr_equal(find(t, id), slots[id]);
    }
    drop(t);
}

/* ---- walking --------------------------------------------------------------------------------- */

/* A whole walk, during which `change` is called between steps. */
static unsigned walk(struct table *t, unsigned *seen,
                     void (*change)(struct table *t, unsigned step))
{
    struct entry *e[200];
    uint64_t cursor = 0;
    unsigned steps = 0;
    do {
        size_t n = table_walk(t, &cursor, e, ARRAY_LEN(e));
        assert_true(n <= ARRAY_LEN(e));
        for (size_t i = 0; i < n; i++)
            seen[e[i]->v.i]++;
        if (change) change(t, steps);
        steps++;
    } while (cursor);
    return steps;
}

static void a_walk_of_a_still_table_meets_everything_once(void **state)
{
    for (unsigned size = 0; size < 3000; size = size * 5 / 4 + 1) {
        struct table *t = table_new(0);
        unsigned *seen = calloc(size + 1, sizeof *seen);
        for (unsigned id = 0; id < size; id++)
            add(t, id);
        assert_int_equal(walk(t, seen, NULL), count_get(&t->n));
        for (unsigned id = 0; id < size; id++)
            assert_int_equal(seen[id], 1);
        free(seen);
        drop(t);
    }
}

#define STAY 3000 /* keys that are there from the first to the last step */

static unsigned grown;

static void grow_a_lot(struct table *t, unsigned step)
{
    for (int i = 0; i < 40 && grown < 50000; i++)
        add(t, STAY + grown++);
}

static void shrink_a_lot(struct table *t, unsigned step)
{
    for (int i = 0; i < 60 && grown > 0; i++)
        del(t, STAY + --grown);
    table_resize_step(t, 4);
}

static void swing(struct table *t, unsigned step)
{
    if (step / 100 % 2)
        shrink_a_lot(t, step);
    else
        grow_a_lot(t, step);
    if (step > 4000) assert_true(false); /* it must come to an end */
}

static void a_walk_meets_what_stays(void (*change)(struct table *t, unsigned step), unsigned others)
{
    struct table *t = table_new(0);
    unsigned *seen = calloc(STAY + 60000, sizeof *seen);
    for (unsigned id = 0; id < STAY; id++)
        add(t, id);
    for (grown = 0; grown < others; grown++)
        add(t, STAY + grown);
    walk(t, seen, change);
    for (unsigned id = 0; id < STAY; id++)
        assert_true(seen[id] >= 1);
    free(seen);
    drop(t);
}

static void a_walk_meets_what_stays_while_it_grows(void **state)
{
    a_walk_meets_what_stays(grow_a_lot, 0);
}

static void a_walk_meets_what_stays_while_it_shrinks(void **state)
{
    a_walk_meets_what_stays(shrink_a_lot, 40000);
}

static void a_walk_meets_what_stays_while_it_swings(void **state)
{
    a_walk_meets_what_stays(swing, 5000);
}

static void a_crowded_bucket_asks_for_more_room(void **state)
{
    struct table *t = table_new(0);
    struct entry *e[64];
    uint64_t cursor = 0;
    for (unsigned id = 0; id < 10; id++)
        add(t, id);
    assert_int_equal(table_walk(t, &cursor, e, 5), 10);
    assert_int_equal(cursor, 0);
    assert_int_equal(table_walk(t, &cursor, e, 64), 10);
    drop(t);
}

static void random_entries_come_from_everywhere(void **state)
{
    struct table *t = table_new(0);
    unsigned seen[500] = {0}, met = 0;
    for (unsigned id = 0; id < 500; id++)
        add(t, id);
    for (int i = 0; i < 20000; i++) {
        struct entry *e = table_random(t);
        if (e) seen[e->v.i]++;
    }
    for (unsigned id = 0; id < 500; id++)
        met += seen[id] > 0;
    assert_int_equal(met, 500);
    drop(t);
}

/* ---- what is due ------------------------------------------------------------------------------
 */

static size_t collected;
static int budget;

static bool out_of_time(void *arg)
{
    return budget-- <= 0;
}

static void collect(void *arg, struct table *t, struct entry *e)
{
    assert_true(entry_expire(e) <= *(int64_t *)arg);
    collected++;
    entry_free(e);
}

static void add_expiring(struct table *t, unsigned id, int64_t ms)
{
    struct entry *e = entry_of(id, ms);
    uint64_t hash = hash_bytes(entry_key(e));
    table_add(t, hash, e);
    table_note_due(t, hash, expire__tick(ms));
}

static struct due_walk walk_until(int64_t *now)
{
    return (struct due_walk){.out_of_time = out_of_time, .gone = collect, .arg = now};
}

static void what_is_due_is_found_wherever_growth_has_put_it(void **state)
{
    int64_t base = clock_unix_ms(), now;
    struct table *t = table_new(0);
    expire__init();
    for (unsigned id = 0; id < 30000; id++) {
        if (id % 3)
            add(t, id);
        else
            add_expiring(t, id, base + 1000 + 100 * (id % 100));
    }
    for (int second = 1; second <= 12; second++) {
        size_t due = 0;
        now = base + 1000 * second + 200;
        for (unsigned id = 0; id < 30000; id += 3)
            due += base + 1000 + 100 * (id % 100) <= now;
        struct due_walk w = walk_until(&now);
        budget = 1 << 30;
        assert_true(table_walk_due(t, expire__tick(now), now, &w));
        assert_in_range(collected, due, due);
    }
    assert_int_equal(collected, 10000);
    assert_int_equal(t->due_min, DUE_NEVER);
    assert_int_equal(count_get(&t->keys), 20000);
    drop(t);
}

static void only_buckets_where_something_is_due_are_looked_at(void **state)
{
    int64_t base = clock_unix_ms(), now = base + 5000;
    struct table *t = table_new(0);
    expire__init();
    for (unsigned id = 0; id < 30000; id++) {
        add_expiring(t, id, id % 1000 ? base + 1000 * 1000 : base + 1000);
    }
    struct due_walk w = walk_until(&now);
    budget = 1 << 30;
    collected = 0;
    assert_true(table_walk_due(t, expire__tick(now), now, &w));
    assert_int_equal(collected, 30);
    assert_true(w.looked < 30 * 40);
    w.looked = 0;
    assert_true(table_walk_due(t, expire__tick(now + 10000), now + 10000, &w));
    assert_int_equal(w.looked, 0);
    drop(t);
}

static void a_walk_that_ran_out_of_time_goes_on_later(void **state)
{
    int64_t base = clock_unix_ms(), now = base + 5000;
    struct table *t = table_new(0);
    expire__init();
    for (unsigned id = 0; id < 5000; id++)
        add_expiring(t, id, base + 1000);
    int slices = 0;
    collected = 0;
    for (bool all = false; !all; slices++) {
        struct due_walk w = walk_until(&now);
        budget = 10;
        all = table_walk_due(t, expire__tick(now), now, &w);
    }
    assert_true(slices > 20);
    assert_int_equal(collected, 5000);
    drop(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_added_and_nothing_else),
        cmocka_unit_test(shrinks_to_one_bucket_when_it_empties),
        cmocka_unit_test(a_step_does_bounded_work_however_large_it_is),
        cmocka_unit_test(takes_at_most_13_bytes_a_key_while_it_grows),
        cmocka_unit_test(keys_of_one_bucket_and_tag_are_told_apart),
        cmocka_unit_test(removing_moves_no_other_entry),
        cmocka_unit_test(a_walk_of_a_still_table_meets_everything_once),
        cmocka_unit_test(a_walk_meets_what_stays_while_it_grows),
        cmocka_unit_test(a_walk_meets_what_stays_while_it_shrinks),
        cmocka_unit_test(a_walk_meets_what_stays_while_it_swings),
        cmocka_unit_test(a_crowded_bucket_asks_for_more_room),
        cmocka_unit_test(random_entries_come_from_everywhere),
        cmocka_unit_test(what_is_due_is_found_wherever_growth_has_put_it),
        cmocka_unit_test(only_buckets_where_something_is_due_are_looked_at),
        cmocka_unit_test(a_walk_that_ran_out_of_time_goes_on_later),
    };
    clock_init();
    hash_init();
    mem_thread_attach();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
