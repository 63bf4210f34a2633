/*
 * keyspace_expire.c - active expiry: soon, complete, in short slices, and silent when nothing is
 * due; of keys, and of fields of hashes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "keyspace/keyspace_internal.h"

#define MS INT64_C(1000000)

static void (*scene)(void);

static void enter(void *arg)
{
    keyspace_start();
    scene();
    keyspace_own_all();
    for (unsigned i = 0; i < keyspace_parts(); i++)
        ks_part_flush(keyspace_part(i), -1, true);
    keyspace_disown_all();
    while (ks_lazyfree_pending())
        co_sleep(MS);
    rt_stop();
}

static void act(void (*fn)(void), unsigned workers)
{
    struct rt_config config = {.workers = workers};
    scene = fn;
    assert_int_equal(rt_run(&config, enter, NULL), RT_OK);
}

static void add(unsigned db, unsigned id, int64_t expire_ms)
{
    char buf[40];
    struct key k = key_of(slice_of(buf, (size_t)sprintf(buf, "k:%u", id)));
    struct part *p = keyspace_part(k.part);
    part_own(p);
    ks_add(p, db, &k, entry_new_int(k.s, id, expire_ms));
    part_disown(p);
}

static uint64_t cycle_us(void)
{
    struct part_stats s;
    keyspace_stats(&s);
    return s.expire_cycle_us;
}

static int64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

/* ---- -------------------------------------------------------------------------------------------
 */

#ifdef WEFT_SANITIZER
#define SETUP_MS 4000 /* adding the keys takes less */
#else
#define SETUP_MS 700
#endif

static void sleep_until(int64_t ms)
{
    while (clock_unix_ms() < ms)
        co_sleep(MS);
}

static uint64_t size_of_three(void)
{
    return ks_size(0) + ks_size(1) + ks_size(2);
}

static void scene_soon(void)
{
    int64_t now = clock_unix_ms(), first = now + SETUP_MS;
    for (unsigned id = 0; id < 30000; id++) {
        int64_t late = id % 2 ? now + 3600000 : ENTRY_NO_EXPIRE;
        add(id % 3, id, id % 100 == 0 ? first + id % 500 : late);
    }
    assert_int_equal(size_of_three(), 30000);
    sleep_until(first - 100);
    assert_int_equal(size_of_three(), 30000);
    sleep_until(first + 1200);
    assert_int_equal(size_of_three(), 29700);
    assert_int_equal(ks_expires(0) + ks_expires(1) + ks_expires(2), 15000);
    assert_in_range(ks_average_ttl(0), 3500 * 1000, 3600 * 1000);
}

static void a_few_of_many_are_gone_within_a_second(void **state)
{
    act(scene_soon, 2);
    act(scene_soon, 1);
}

static void scene_late_news(void)
{
    int64_t now = clock_unix_ms();
    add(0, 0, now + 3600000);
    co_sleep(300 * MS); /* the sweepers sleep until then */
    add(0, 1, clock_unix_ms() + 50);
    add(0, 2, clock_unix_ms() - 50);
    co_sleep(500 * MS);
    assert_int_equal(ks_size(0), 1);
    keyspace_set_active_expire(false);
    co_sleep(200 * MS);
    add(0, 3, clock_unix_ms() + 50);
    co_sleep(500 * MS);
    assert_int_equal(ks_size(0), 2);
    keyspace_set_active_expire(true);
    co_sleep(300 * MS);
    assert_int_equal(ks_size(0), 1);
}

static void news_wake_a_sleeping_sweeper(void **state)
{
    act(scene_late_news, 2);
}

static void scene_idle(void)
{
    int64_t now = clock_unix_ms();
    for (unsigned id = 0; id < 20000; id++)
        add(id % 16, id, now + 3600000 + id);
    co_sleep(300 * MS);
    uint64_t worked = cycle_us();
    int64_t cpu = cpu_ns();
    co_sleep(1000 * MS);
    assert_int_equal(cycle_us(), worked);
    assert_true(cpu_ns() - cpu < 10 * MS);
}

static void nothing_is_done_while_nothing_is_due(void **state)
{
    act(scene_idle, 2);
}

#ifdef WEFT_SANITIZER
#define STORM 20000
#else
#define STORM 300000
#endif

/* Many keys at once, while another coroutine measures how long it waits for its turn. */
static void scene_storm(void)
{
    int64_t at = clock_unix_ms() + 1000, worst = 0;
    for (unsigned id = 0; id < STORM; id++)
        add(0, id, at);
    while (clock_unix_ms() < at)
        co_sleep(MS);
    int64_t start = rt_now();
    while (ks_size(0) && rt_now() - start < 5000 * MS) {
        int64_t before = rt_now();
        co_yield();
        struct part *p = keyspace_part((unsigned)rand_below(keyspace_parts()));
        part_own(p);
        part_disown(p);
        worst = MAX(worst, rt_now() - before);
    }
    assert_int_equal(ks_size(0), 0);
    print_message("%d keys gone in %ld ms, longest wait %ld us\n", STORM,
                  (long)((rt_now() - start) / MS), (long)(worst / 1000));
#ifndef WEFT_SANITIZER
    assert_true(worst < 20 * MS); /* slices of 100 us; the machine has others to serve too */
#endif
}

static void a_storm_does_not_keep_others_waiting(void **state)
{
    act(scene_storm, 1);
}

static unsigned told;

static void told_expired(struct part *p, unsigned db, struct slice key)
{
    assert_true(part_owned(p));
    __atomic_fetch_add(&told, 1, __ATOMIC_RELAXED);
}

static void scene_told(void)
{
    told = 0;
    for (unsigned id = 0; id < 500; id++)
        add(5, id, clock_unix_ms() + 20);
    co_sleep(600 * MS);
    assert_int_equal(__atomic_load_n(&told, __ATOMIC_RELAXED), 500);
    assert_int_equal(ks_size(5), 0);
}

static void everybody_is_told_once(void **state)
{
    keyspace_set_hooks(&(struct keyspace_hooks){.expired = told_expired});
    act(scene_told, 2);
    keyspace_set_hooks(&(struct keyspace_hooks){0});
}

static void scene_shrink(void)
{
    struct part_stats s;
    for (unsigned id = 0; id < 20000; id++)
        add(0, id, clock_unix_ms() + 200);
    co_sleep(1000 * MS);
    keyspace_stats(&s);
    assert_int_equal(s.keys, 0);
    assert_true(s.buckets < 600); /* of 1700 */
}

static void tables_shrink_with_what_expires(void **state)
{
    act(scene_shrink, 2);
}

/* ---- fields of hashes ------------------------------------------------------------------------ */

#define HASHES 2000

/* Hash `id` has id % 4 fields that expire then, and one more, which lives on if id is odd. */
static void add_hash(unsigned id, int64_t expire_ms)
{
    char buf[40], field[40];
    struct key k = key_of(slice_of(buf, (size_t)sprintf(buf, "h:%u", id)));
    struct part *p = keyspace_part(k.part);
    part_own(p);
    struct entry *e = *ks_add(p, 0, &k, entry_new_hash(k.s));
    for (unsigned i = 0; i <= id % 4; i++) {
        struct slice f = slice_of(field, (size_t)sprintf(field, "f%u", i));
        hash_set(e, f, f);
        hash_allow_expire(e);
        if (i < id % 4 || id % 2 == 0) hash_set_expire(e, f, expire_ms);
    }
    ks_fields_due(p, 0, &k, e, false);
    part_disown(p);
}

static uint64_t expired_fields(void)
{
    struct part_stats s;
    keyspace_stats(&s);
    return s.expired_fields;
}

static void scene_fields(void)
{
    uint64_t before = expired_fields();
    int64_t then = clock_unix_ms() + SETUP_MS;
    for (unsigned id = 0; id < HASHES; id++)
        add_hash(id, then);
    assert_int_equal(ks_size(0), HASHES);
    assert_int_equal(ks_subexpires(0), HASHES);
    sleep_until(then + 1200);
    assert_int_equal(ks_size(0), HASHES / 2);
    assert_int_equal(ks_subexpires(0), 0);
    assert_int_equal(expired_fields() - before, HASHES / 4 * (1 + 1 + 3 + 3));
}

static void fields_expire_and_their_hash_with_the_last(void **state)
{
    for (size_t max = 0; max <= 512; max += 512) {
        hash_limits.max_listpack_entries = max;
        act(scene_fields, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_of_many_are_gone_within_a_second),
        cmocka_unit_test(news_wake_a_sleeping_sweeper),
        cmocka_unit_test(nothing_is_done_while_nothing_is_due),
        cmocka_unit_test(a_storm_does_not_keep_others_waiting),
        cmocka_unit_test(everybody_is_told_once),
        cmocka_unit_test(tables_shrink_with_what_expires),
        cmocka_unit_test(fields_expire_and_their_hash_with_the_last),
    };
    clock_init();
    hash_init();
    mem_thread_attach();
    keyspace_init(&(struct keyspace_config){.partitions = 16, .databases = 16});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
