/*
 * keyspace_parts.c - ownership: exclusion, order of arrival, lent operations, sets, and the gate,
 * with many coroutines on four workers. Data is plain memory, so the thread sanitizer checks the
 * order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "keyspace/keyspace_internal.h"

#define PARTS 16

/* ---- running coroutines -----------------------------------------------------------------------
 */

static struct {
    void (*main)(void);
    void (*body)(unsigned id);
    struct co *waiter;
    _Atomic(unsigned) left;
} scene;

static uint64_t value[PARTS]; /* belongs to the owner of the partition */

static void enter(void *arg)
{
    scene.main();
    rt_stop();
}

static void act(void (*fn)(void), unsigned workers)
{
    struct rt_config config = {.workers = workers};
    scene.main = fn;
    memset(value, 0, sizeof value);
    assert_int_equal(rt_run(&config, enter, NULL), RT_OK);
}

static void finish(void)
{
    struct co *waiter = scene.waiter;
    if (atomic_fetch_sub(&scene.left, 1) == 1) co_ready(waiter);
}

static void actor(void *arg)
{
    scene.body((unsigned)(uintptr_t)arg);
    finish();
}

static void start(unsigned n, void (*body)(unsigned id))
{
    scene.body = body;
    scene.waiter = co_self();
    atomic_store(&scene.left, n);
    for (uintptr_t i = 0; i < n; i++)
        assert_int_equal(co_spawn("actor", actor, (void *)i), RT_OK);
}

static void join(void)
{
    while (atomic_load(&scene.left))
        co_park(RT_NEVER);
}

static void all_are_free(void)
{
    for (unsigned i = 0; i < PARTS; i++) {
        assert_false(part_owned(keyspace_part(i)));
        assert_true(part_try_own(keyspace_part(i)));
        part_disown(keyspace_part(i));
    }
}

static uint64_t sum(void)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < PARTS; i++)
        n += value[i];
    return n;
}

static unsigned scaled(unsigned n)
{
#ifdef WEFT_SANITIZER
    return n / 10;
#else
    return n;
#endif
}

/* ---- one partition ----------------------------------------------------------------------------
 */

static void add_one(struct part *p, void *arg)
{
    value[part_index(p)]++;
}

static void own_and_add(unsigned id)
{
    struct part *p = keyspace_part(id % 2);
    for (unsigned i = 0; i < scaled(5000); i++) {
        part_own(p);
        add_one(p, NULL);
        part_disown(p);
        if (i % 64 == 0) co_yield();
    }
}

static void scene_exclusion(void)
{
    start(100, own_and_add);
    join();
    assert_int_equal(sum(), 100 * scaled(5000));
    all_are_free();
}

static void one_at_a_time_owns(void **state)
{
    act(scene_exclusion, 4);
}

static void try_and_add(unsigned id)
{
    for (unsigned done = 0; done < scaled(3000);) {
        struct part *p = keyspace_part(0);
        if (part_try_own(p)) {
            add_one(p, NULL);
            part_disown(p);
            done++;
        } else {
            co_yield();
        }
    }
}

static void scene_try(void)
{
    start(20, try_and_add);
    join();
    assert_int_equal(sum(), 20 * scaled(3000));
}

static void trying_excludes_too(void **state)
{
    act(scene_try, 4);
}

static unsigned order[1000], n_order;
static unsigned arrived[1000], n_arrived;

static void own_and_note(unsigned id)
{
    struct part *p = keyspace_part(0);
    part_own(p);
    order[n_order++] = id;
    part_disown(p);
}

static void arrive_own_and_note(unsigned id)
{
    arrived[n_arrived++] = id; /* there is one worker */
    own_and_note(id);
}

static void scene_order(void)
{
    struct part *p = keyspace_part(0);
    n_order = n_arrived = 0;
    part_own(p);
    start(1000, arrive_own_and_note);
    while (n_arrived < 1000)
        co_yield();
    assert_false(part_try_own(p));
    assert_int_equal(n_order, 0);
    part_disown(p);
    assert_false(part_try_own(p)); /* handed over, not up for grabs */
    join();
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(order[i], arrived[i]);
}

static void arrivals_are_served_in_order(void **state)
{
    act(scene_order, 1);
}

/* ---- lent operations --------------------------------------------------------------------------
 */

static void note(struct part *p, void *arg)
{
    assert_true(part_owned(p));
    order[n_order++] = *(unsigned *)arg;
}

static void lend_note(unsigned id)
{
    part_delegate(keyspace_part(0), note, &id);
}

static void scene_drain(void)
{
    struct part *p = keyspace_part(0);
    n_order = 0;
    part_own(p);
    start(200, lend_note);
    co_yield();
    assert_int_equal(n_order, 0);
    part_disown(p);
    assert_in_range(n_order, 1, 100); /* some at once, but not all */
    join();
    assert_int_equal(n_order, 200);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(order[i], i);
    all_are_free();
}

static void an_owner_runs_some_of_what_waits(void **state)
{
    act(scene_drain, 1);
}

static void lend_and_add(unsigned id)
{
    for (unsigned i = 0; i < scaled(5000); i++) {
        part_delegate(keyspace_part(0), add_one, NULL);
        if (i % 100 == id % 100) own_and_note(id % 1000);
    }
}

static void scene_lent(void)
{
    n_order = 0;
    start(16, lend_and_add);
    join();
    assert_int_equal(value[0], 16 * scaled(5000));
    all_are_free();
}

static void each_lent_operation_runs_once(void **state)
{
    act(scene_lent, 4);
}

/* ---- sets and all -----------------------------------------------------------------------------
 */

static _Atomic(bool) exclusive;

/* Moves one unit between the partitions of a random set. */
static void transfer(unsigned id)
{
    for (unsigned i = 0; i < scaled(2000); i++) {
        struct part_set set = {0};
        unsigned from = (unsigned)rand_below(PARTS), to = (unsigned)rand_below(PARTS);
        part_set_add(&set, from);
        part_set_add(&set, to);
        for (unsigned more = (unsigned)rand_below(10); more > 0; more--) {
            part_set_add(&set, (unsigned)rand_below(PARTS));
        }
        parts_own(&set);
        assert_false(atomic_load_explicit(&exclusive, memory_order_relaxed));
        value[from]--;
        value[to]++;
        parts_disown(&set);
        part_set_free(&set);
    }
}

static void scene_sets(void)
{
    start(50, transfer);
    join();
    assert_int_equal(sum(), 0);
    all_are_free();
}

static void sets_are_owned_without_deadlock(void **state)
{
    act(scene_sets, 4);
}

static void use_all(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        keyspace_own_all();
        assert_false(atomic_exchange_explicit(&exclusive, true, memory_order_relaxed));
        for (unsigned k = 0; k < PARTS; k++)
            assert_true(part_owned(keyspace_part(k)));
        assert_int_equal(sum(), 0);
        value[i % PARTS]++;
        value[(i + 1) % PARTS]--;
        atomic_store_explicit(&exclusive, false, memory_order_relaxed);
        keyspace_disown_all();
        if (i % 8 == 0) co_yield();
    }
}

static void nothing(struct part *p, void *arg)
{
    value[part_index(p)] += 0;
    assert_false(atomic_load_explicit(&exclusive, memory_order_relaxed));
}

static void everything(unsigned id)
{
    struct part_set all = {0};
    part_set_add_all(&all);
    switch (id % 4) {
    case 0: transfer(id); break;
    case 1: use_all(scaled(1000)); break;
    case 2:
        for (unsigned i = 0; i < scaled(5000); i++) {
            part_delegate(keyspace_part(i % PARTS), nothing, NULL);
        }
        break;
    case 3:
        for (unsigned i = 0; i < scaled(5000); i++) {
            struct part *p = keyspace_part((id + i) % PARTS);
            part_own(p);
            nothing(p, NULL);
            part_disown(p);
        }
    }
}

static void scene_everything(void)
{
    start(40, everything);
    join();
    assert_int_equal(sum(), 0);
    all_are_free();
}

static void whoever_owns_all_is_alone(void **state)
{
    for (int i = 0; i < 3; i++)
        act(scene_everything, 4);
}

static void all_with_one_worker(void **state)
{
    act(scene_everything, 1);
}

/* Those who arrive while the gate is closed wait, and are served when it opens. */
static void scene_closed(void)
{
    n_order = 0;
    keyspace_own_all();
    start(10, own_and_note);
    co_yield();
    assert_false(part_try_own(keyspace_part(0)));
    assert_false(part_try_own(keyspace_part(1)));
    assert_int_equal(n_order, 0);
    keyspace_disown_all();
    join();
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(order[i], i);
    all_are_free();
}

static void a_closed_gate_keeps_the_order(void **state)
{
    act(scene_closed, 1);
}

/* A set half taken when the gate closes gets the rest. */
static void own_all_and_note(unsigned id)
{
    if (id == 0) {
        struct part_set set = {0};
        part_set_add(&set, 1);
        part_set_add(&set, 3);
        part_set_add(&set, 5);
        parts_own(&set);
        order[n_order++] = 0;
        parts_disown(&set);
    } else if (id == 1) {
        keyspace_own_all();
        order[n_order++] = 1;
        keyspace_disown_all();
    } else {
        part_own(keyspace_part(5));
        order[n_order++] = id;
        part_disown(keyspace_part(5));
    }
}

static void scene_half(void)
{
    n_order = 0;
    part_own(keyspace_part(3));
    start(3, own_all_and_note);
    co_yield(); /* 0 has partition 1 and waits for 3; 1 closes the gate and waits; 2 waits at 5 */
    co_yield();
    assert_int_equal(n_order, 0);
    part_disown(keyspace_part(3));
    join();
    assert_int_equal(order[0], 0);
    assert_int_equal(n_order, 3);
    all_are_free();
}

static void a_half_taken_set_is_not_stopped_by_the_gate(void **state)
{
    act(scene_half, 1);
}

static _Atomic(bool) enough;
static uint64_t times[4];

static void insist(unsigned id)
{
    struct part_set set = {0};
    for (unsigned i = 0; i < PARTS; i++) {
        if (id % 4 == 2 || i == 0) part_set_add(&set, i);
    }
    if (id % 4 == 1) part_set_add_all(&set);
    while (!atomic_load_explicit(&enough, memory_order_relaxed)) {
        parts_own(&set);
        times[id % 4]++; /* everybody owns partition 0 here */
        parts_disown(&set);
        if (co_should_yield()) co_yield();
    }
    part_set_free(&set);
}

static void scene_fair(void)
{
    atomic_store(&enough, false);
    memset(times, 0, sizeof times);
    start(16, insist);
    co_sleep(300 * 1000 * 1000);
    atomic_store(&enough, true);
    join();
    for (int i = 0; i < 4; i++)
        assert_true(times[i] > 50);
    all_are_free();
}

static void nobody_starves(void **state)
{
    act(scene_fair, 4);
    act(scene_fair, 1);
}

/* ---- the sets themselves ----------------------------------------------------------------------
 */

static void sets_hold_each_partition_once_in_order(void **state)
{
    struct part_set set = {0}, other = {0};
    bool model[100] = {0};
    for (int i = 0; i < 60; i++) {
        unsigned index = (unsigned)(i * 37 % 50);
        part_set_add(&set, index);
        model[index] = true;
        if (i % 3 == 0) part_set_add(&other, index);
    }
    assert_int_equal(set.n, 50);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(part_set_has(&set, i), model[i]);
    const uint32_t *ids = set.ids ? set.ids : set.small;
    for (uint32_t i = 1; i < set.n; i++)
        assert_true(ids[i - 1] < ids[i]);
    assert_true(part_set_covers(&set, &other));
    assert_false(part_set_covers(&other, &set));
    part_set_add(&other, 99);
    assert_false(part_set_covers(&set, &other));
    part_set_merge(&set, &other);
    assert_true(part_set_covers(&set, &other));
    part_set_add_all(&other);
    assert_true(part_set_covers(&other, &set));
    assert_false(part_set_covers(&set, &other));
    part_set_merge(&set, &other);
    assert_true(set.all);
    assert_true(part_set_has(&set, 12345));
    part_set_free(&set);
    part_set_free(&other);
}

static void keys_with_one_tag_share_a_partition(void **state)
{
    struct key a = key_of(SLICE("{user:1}:a")), b = key_of(SLICE("{user:1}:b"));
    struct key tag = key_of(SLICE("user:1")), empty = key_of(SLICE("{}x")),
               c = key_of(SLICE("x{y"));
    assert_int_equal(a.part, b.part);
    assert_int_equal(a.part, tag.part);
    assert_true(a.hash != b.hash);
    assert_int_equal(empty.part, empty.hash >> HASH_PART_SHIFT & (PARTS - 1));
    assert_int_equal(c.part, c.hash >> HASH_PART_SHIFT & (PARTS - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time_owns),
        cmocka_unit_test(trying_excludes_too),
        cmocka_unit_test(arrivals_are_served_in_order),
        cmocka_unit_test(an_owner_runs_some_of_what_waits),
        cmocka_unit_test(each_lent_operation_runs_once),
        cmocka_unit_test(sets_are_owned_without_deadlock),
        cmocka_unit_test(whoever_owns_all_is_alone),
        cmocka_unit_test(all_with_one_worker),
        cmocka_unit_test(a_closed_gate_keeps_the_order),
        cmocka_unit_test(a_half_taken_set_is_not_stopped_by_the_gate),
        cmocka_unit_test(nobody_starves),
        cmocka_unit_test(sets_hold_each_partition_once_in_order),
        cmocka_unit_test(keys_with_one_tag_share_a_partition),
    };
    clock_init();
    hash_init();
    mem_thread_attach();
    keyspace_init(&(struct keyspace_config){.partitions = PARTS, .databases = 2});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
