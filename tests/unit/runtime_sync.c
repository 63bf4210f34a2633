/*
 * runtime_sync.c - timers and sleep, mutexes, offloaded calls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "in_runtime.h"

/* ---- time ----------------------------------------------------------------------------------- */

static void sleep_body(void)
{
    int64_t before = rt_now();
    co_sleep(20 * MS);
    int64_t took = rt_now() - before;
    CHECK(took >= 20 * MS && took < 2000 * MS);
    CHECK(rt_now_cached() <= rt_now() && rt_now_cached() >= before + 19 * MS);
    before = rt_now();
    while (co_park(before + 5 * MS) != RT_ETIMEDOUT)
        continue;
    CHECK(rt_now() - before >= 5 * MS);
    co_sleep(0);
    co_sleep(-5);
}

static void sleeping_takes_its_time(void **state)
{
    in_runtime(sleep_body);
}

static _Atomic(int) too_early;

static void sleep_20_ms(void *arg)
{
    co_sleep(20 * MS);
    finished();
}

static void lone_yield_body(void)
{
    int64_t until = rt_now() + 5000 * MS;
    start(sleep_20_ms, NULL);
    while (atomic_load(&running) && rt_now() < until)
        co_yield();
    CHECK(atomic_load(&running) == 0);
}

static void timers_pass_while_one_yields_alone(void **state)
{
    in_runtime(lone_yield_body);
}

static void sleep_random(void *arg)
{
    int64_t ns = (int64_t)rand_below(30 * MS), due = rt_now() + ns;
    co_sleep(ns);
    if (rt_now() < due) atomic_fetch_add(&too_early, 1);
    finished();
}

static void many_sleepers_body(void)
{
    atomic_store(&too_early, 0);
    for (int i = 0; i < 300; i++)
        start(sleep_random, NULL);
    wait_for_all();
    CHECK(atomic_load(&too_early) == 0);
}

static void nobody_wakes_early_and_all_wake(void **state)
{
    in_runtime(many_sleepers_body);
}

/* Timers that are cancelled from other workers, at random places of the heap. */
static struct co *_Atomic waiting[200];

static void wait_long(void *arg)
{
    size_t i = (size_t)(uintptr_t)arg;
    int64_t deadline = rt_now() + 60000 * MS + (int64_t)rand_below(1000 * MS);
    atomic_store(&waiting[i], co_self());
    while (atomic_load(&waiting[i]))
        CHECK(co_park(deadline) == RT_OK);
    finished();
}

static void cancel_body(void)
{
    int64_t until = rt_now() + 20000 * MS;
    memset((void *)waiting, 0, sizeof waiting);
    for (uintptr_t i = 0; i < 200; i++)
        start(wait_long, (void *)i);
    for (size_t i = 0; i < 200; i++) {
        size_t at = i * 77 % 200;
        while (!atomic_load(&waiting[at])) {
            CHECK(rt_now() < until);
            co_yield();
        }
        struct co *co = atomic_load(&waiting[at]);
        atomic_store(&waiting[at], NULL);
        co_ready(co);
    }
    wait_for_all();
    co_sleep(MS);
}

static void timers_are_cancelled_when_woken_otherwise(void **state)
{
    in_runtime(cancel_body);
}

/* Deadline and wake-up at the same time, over and over: either result, never a hang. */
static struct co *_Atomic racer;
static _Atomic(int) lap;

static void race_deadline(void *arg)
{
    atomic_store(&racer, co_self());
    for (int i = 1; i <= 300; i++) {
        int64_t deadline = rt_now() + (int64_t)rand_below(MS / 10);
        while (atomic_load(&lap) < i && co_park(deadline) == RT_OK)
            continue;
        atomic_store(&lap, i);
    }
    finished();
}

static void race_body(void)
{
    int last = 0;
    atomic_store(&racer, NULL);
    atomic_store(&lap, 0);
    start(race_deadline, NULL);
    while (!atomic_load(&racer))
        co_yield();
    while (last < 299) {
        co_sleep((int64_t)rand_below(MS / 10));
        last = atomic_load(&lap);
        if (last < 299) co_ready(atomic_load(&racer));
    }
    wait_for_all();
}

static void deadlines_race_with_wakeups(void **state)
{
    in_runtime(race_body);
}

/* ---- mutex ---------------------------------------------------------------------------------- */

static struct co_mutex mutex = CO_MUTEX_INIT;
static long guarded;
static _Atomic(int) inside;

static void lock_often(void *arg)
{
    for (int i = 0; i < 300; i++) {
        co_mutex_lock(&mutex);
        CHECK(atomic_fetch_add(&inside, 1) == 0);
        guarded++;
        if (i % 8 == 0) co_yield();
        CHECK(!co_mutex_try(&mutex));
        atomic_fetch_sub(&inside, 1);
        co_mutex_unlock(&mutex);
        if (i % 32 == 0) co_sleep(1000);
    }
    finished();
}

static void mutex_body(void)
{
    guarded = 0;
    for (int i = 0; i < 16; i++)
        start(lock_often, NULL);
    wait_for_all();
    CHECK(guarded == 16 * 300);
    CHECK(co_mutex_try(&mutex));
    co_mutex_unlock(&mutex);
}

static void one_at_a_time(void **state)
{
    in_runtime(mutex_body);
}

static int arrivals[10], n_arrivals;
static atomic_int coming;

static void arrive(void *arg)
{
    atomic_fetch_add(&coming, 1);
    co_mutex_lock(&mutex);
    arrivals[n_arrivals++] = (int)(intptr_t)arg;
    co_mutex_unlock(&mutex);
    finished();
}

static void fifo_body(void)
{
    n_arrivals = 0;
    atomic_store(&coming, 0);
    co_mutex_lock(&mutex);
    for (intptr_t i = 0; i < 10; i++) {
        start(arrive, (void *)i);
        while (atomic_load(&coming) <= i)
            co_sleep(MS);
        co_sleep(5 * MS); /* until it waits */
    }
    co_mutex_unlock(&mutex);
    wait_for_all();
    for (int i = 0; i < 10; i++)
        CHECK(arrivals[i] == i);
}

static void first_come_first_served(void **state)
{
    in_runtime(fifo_body);
}

/* ---- offload -------------------------------------------------------------------------------- */

static _Atomic(int) blocked_now, blocked_most;

static void block(void *arg)
{
    int now = atomic_fetch_add(&blocked_now, 1) + 1, most = atomic_load(&blocked_most);
    CHECK(rt_worker_id() == UINT32_MAX && co_self() == NULL);
    while (now > most && !atomic_compare_exchange_weak(&blocked_most, &most, now))
        continue;
    usleep(5000);
    atomic_fetch_sub(&blocked_now, 1);
    ++*(int *)arg;
}

static void offload_twice(void *arg)
{
    int calls = 0;
    rt_offload(block, &calls);
    rt_offload(block, &calls);
    CHECK(calls == 2);
    finished();
}

static void offload_body(void)
{
    struct rt_stats stats;
    int64_t before = rt_now();
    atomic_store(&blocked_most, 0);
    for (int i = 0; i < 12; i++)
        start(offload_twice, NULL);
    co_sleep(MS);
    CHECK(rt_now() - before < 5000 * MS);
    wait_for_all();
    rt_stats(&stats);
    CHECK(stats.offloads == 24 && stats.offload_threads <= 4);
    CHECK(atomic_load(&blocked_most) > 1 && atomic_load(&blocked_most) <= 4);
}

static void blocking_calls_run_beside_and_are_bounded(void **state)
{
    in_runtime(offload_body);
}

int main(void)
{
    body_config.offload_threads = 4;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleeping_takes_its_time),
        cmocka_unit_test(timers_pass_while_one_yields_alone),
        cmocka_unit_test(nobody_wakes_early_and_all_wake),
        cmocka_unit_test(timers_are_cancelled_when_woken_otherwise),
        cmocka_unit_test(deadlines_race_with_wakeups),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(first_come_first_served),
        cmocka_unit_test(blocking_calls_run_beside_and_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
