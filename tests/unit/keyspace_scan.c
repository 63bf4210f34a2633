/*
 * keyspace_scan.c - walks over a database: complete, in bounded steps, while others change it;
 * random keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "keyspace/keyspace_internal.h"

#define NOW  INT64_C(2000000000000)
#define STAY 20000

static struct key name(char *buf, const char *kind, unsigned id)
{
    return key_of(slice_of(buf, (size_t)sprintf(buf, "%s:%u", kind, id)));
}

static void add(const char *kind, unsigned id, int64_t expire_ms)
{
    char buf[40];
    struct key k = name(buf, kind, id);
    struct part *p = keyspace_part(k.part);
    part_own(p);
    if (!ks_find(p, 0, &k, NOW, KS_EXPIRED_TOO))
        ks_add(p, 0, &k, entry_new_int(k.s, id, expire_ms));
    part_disown(p);
}

static void del(const char *kind, unsigned id)
{
    char buf[40];
    struct key k = name(buf, kind, id);
    struct part *p = keyspace_part(k.part);
    part_own(p);
    struct entry **slot = ks_find(p, 0, &k, NOW, KS_EXPIRED_TOO);
    if (slot) ks_delete(p, 0, &k, slot, true);
    part_disown(p);
}

static int empty(void **state)
{
    keyspace_own_all();
    for (unsigned i = 0; i < keyspace_parts(); i++)
        ks_part_flush(keyspace_part(i), -1, false);
    keyspace_disown_all();
    return ks_size(0) == 0 ? 0 : -1;
}

static unsigned *seen, met;

static void see(void *arg, struct entry *e)
{
    struct slice s = entry_key(e);
    met++;
    if (s.n > 5 && memcmp(s.p, "stay:", 5) == 0) seen[e->v.i]++;
}

static unsigned walk(size_t count, bool owned)
{
    uint64_t cursor = 0;
    unsigned steps = 0;
    met = 0;
    free(seen);
    seen = calloc(STAY, sizeof *seen);
    do {
        unsigned before = met;
        cursor = ks_scan(0, cursor, count, NOW, owned, see, NULL);
        assert_true(met - before <= count + 100);
        steps++;
    } while (cursor);
    return steps;
}

static void every_key_is_met_once(void **state)
{
    for (unsigned id = 0; id < STAY; id++)
        add("stay", id, ENTRY_NO_EXPIRE);
    for (size_t count = 1; count < 100000; count = count * 10 + 1) {
        unsigned steps = walk(count, false);
        assert_int_equal(met, STAY);
        for (unsigned id = 0; id < STAY; id++)
            assert_int_equal(seen[id], 1);
        assert_true(steps >= STAY / (count + 100));
    }
    keyspace_own_all();
    walk(100, true);
    keyspace_disown_all();
    assert_int_equal(met, STAY);
}

static void an_empty_database_ends_soon(void **state)
{
    assert_true(walk(10, false) < 20);
    assert_int_equal(met, 0);
    add("stay", 1, ENTRY_NO_EXPIRE);
    walk(10, false);
    assert_int_equal(met, 1);
    assert_int_equal(ks_scan(7, 0, 1000, NOW, false, see, NULL), 0); /* nobody has used it yet */
}

static void what_has_expired_is_not_met(void **state)
{
    for (unsigned id = 0; id < 1000; id++)
        add("stay", id, id % 2 ? NOW : NOW + 1);
    walk(50, false);
    assert_int_equal(met, 500);
    for (unsigned id = 0; id < 1000; id++)
        assert_int_equal(seen[id], id % 2 == 0);
}

static void strange_cursors_are_harmless(void **state)
{
    for (unsigned id = 0; id < 2000; id++)
        add("stay", id, ENTRY_NO_EXPIRE);
    met = 0;
    for (int i = 0; i < 2000; i++)
        ks_scan(0, rand_u64(), 10, NOW, false, see, NULL);
    ks_scan(0, UINT64_MAX, 10, NOW, false, see, NULL);
}

static void random_keys_are_of_all(void **state)
{
    struct buf out = {0};
    static bool drawn[200];
    unsigned different = 0;
    assert_false(ks_random_key(0, NOW, false, &out));
    for (unsigned id = 0; id < 200; id++)
        add("stay", id, ENTRY_NO_EXPIRE);
    for (int i = 0; i < 6000; i++) {
        assert_true(ks_random_key(0, NOW, false, &out));
        drawn[atoi(buf_cstr(&out) + 5)] = true;
        buf_clear(&out);
    }
    for (unsigned id = 0; id < 200; id++)
        different += drawn[id];
    assert_true(different > 195);
    empty(NULL);
    for (unsigned id = 0; id < 50; id++)
        add("old", id, NOW - 1);
    assert_false(ks_random_key(0, NOW, false, &out));
    buf_free(&out);
}

/* ---- while others change the database
 * ------------------------------------------------------------ */

static _Atomic(unsigned) running;
static _Atomic(bool) enough;

static void churn(void *arg)
{
    unsigned from = (unsigned)(uintptr_t)arg * 1000000;
    while (!atomic_load(&enough)) {
        for (unsigned id = 0; id < 5000; id++)
            add("comes", from + id, ENTRY_NO_EXPIRE);
        for (unsigned id = 0; id < 5000; id++)
            del("comes", from + id);
        co_yield();
    }
    atomic_fetch_sub(&running, 1);
}

static void prefetcher(void *arg)
{
    char buf[40];
    while (!atomic_load(&enough)) {
        for (unsigned i = 0; i < 2000; i++) {
            struct key k = name(buf, i % 2 ? "comes" : "stay", (unsigned)rand_below(5000));
            key_prefetch(&k, 0, 0);
            key_prefetch(&k, 0, 1);
            ks_size(0);
        }
        co_yield();
    }
    atomic_fetch_sub(&running, 1);
}

static void flusher(void *arg)
{
    while (!atomic_load(&enough)) {
        struct key k = key_of(SLICE("elsewhere"));
        struct part *p = keyspace_part(k.part);
        part_own(p);
        if (!ks_find(p, 1, &k, NOW, 0)) ks_add(p, 1, &k, entry_new_int(k.s, 1, ENTRY_NO_EXPIRE));
        ks_part_flush(p, 1, true);
        part_disown(p);
        key_prefetch(&k, 1, 1);
        co_yield();
    }
    atomic_fetch_sub(&running, 1);
}

static void scene(void *arg)
{
    keyspace_start();
    for (unsigned id = 0; id < STAY; id++)
        add("stay", id, ENTRY_NO_EXPIRE);
    atomic_store(&enough, false);
    atomic_store(&running, 6);
    for (uintptr_t i = 0; i < 3; i++)
        co_spawn("churn", churn, (void *)i);
    for (int i = 0; i < 2; i++)
        co_spawn("prefetch", prefetcher, NULL);
    co_spawn("flush", flusher, NULL);
    for (int round = 0; round < 5; round++) {
        walk(10 + 300 * (size_t)round, false);
        for (unsigned id = 0; id < STAY; id++)
            assert_true(seen[id] >= 1);
    }
    atomic_store(&enough, true);
    while (atomic_load(&running))
        co_yield();
    walk(100, false);
    assert_int_equal(met, STAY);
    while (ks_lazyfree_pending())
        co_yield();
    rt_stop();
}

static void what_stays_is_met_whatever_others_do(void **state)
{
    struct rt_config config = {.workers = 4};
    assert_int_equal(rt_run(&config, scene, NULL), RT_OK);
}

#define TEST(name) cmocka_unit_test_setup(name, empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_key_is_met_once),       TEST(an_empty_database_ends_soon),
        TEST(what_has_expired_is_not_met), TEST(strange_cursors_are_harmless),
        TEST(random_keys_are_of_all),      TEST(what_stays_is_met_whatever_others_do),
    };
    clock_init();
    hash_init();
    mem_thread_attach();
    keyspace_init(&(struct keyspace_config){.partitions = 16, .databases = 16});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
