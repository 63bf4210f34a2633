/*
 * runtime_co.c - coroutines and the scheduler: starting, ending, yielding, park and ready, pinning,
 * dormancy, rounds, stack overflow.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "in_runtime.h"

/* ---- starting and ending -------------------------------------------------------------------- */

static _Atomic(int) counter;

static void count_one(void *arg)
{
    CHECK(co_self() != NULL);
    atomic_fetch_add(&counter, (int)(intptr_t)arg);
}

static void spawn_many(void)
{
    struct rt_stats stats;
    atomic_store(&counter, 0);
    CHECK(strcmp(co_name(co_self()), "main") == 0);
    for (int i = 0; i < 20000; i++)
        CHECK(co_spawn("one", count_one, (void *)1) == RT_OK);
    wait_for(&counter, 20000);
    co_yield();
    rt_stats(&stats);
    CHECK(stats.spawns == 20001 && stats.switches >= 20000);
    CHECK(stats.coroutines >= 1 && stats.coroutines <= 1 + rt_worker_count());
}

static void every_coroutine_runs_once(void **state)
{
    in_runtime(spawn_many);
}

static int order[8], n_order;

static void note_and_yield(void *arg)
{
    for (int i = 0; i < 2; i++) {
        order[n_order++] = (int)(intptr_t)arg;
        co_yield();
    }
}

static void take_turns(void *arg)
{
    n_order = 0;
    for (intptr_t i = 0; i < 3; i++)
        co_spawn("turn", note_and_yield, (void *)i);
    while (n_order < 6)
        co_yield();
    static const int want[] = {0, 1, 2, 0, 1, 2};
    CHECK(n_order == 6);
#ifndef WEFT_TORTURE /* where queues overflow and order is no promise */
    CHECK(memcmp(order, want, sizeof want) == 0);
#else
    CHECK(want[0] == 0);
#endif
    rt_stop();
}

static void yield_goes_behind_all_others(void **state)
{
    struct rt_config config = {.workers = 1};
    assert_int_equal(rt_run(&config, take_turns, NULL), RT_OK);
}

/* ---- park and ready ------------------------------------------------------------------------- */

static struct co *_Atomic parked_co;
static _Atomic(int) signals;

static void wait_for_signals(void *arg)
{
    atomic_store(&parked_co, co_self());
    for (int i = 1; i <= 1000; i++) {
        while (atomic_load(&signals) < i)
            CHECK(co_park(RT_NEVER) == RT_OK);
        atomic_fetch_add(&counter, 1);
    }
}

static void signal_often(void)
{
    atomic_store(&counter, 0);
    atomic_store(&signals, 0);
    atomic_store(&parked_co, NULL);
    co_spawn("waiter", wait_for_signals, NULL);
    while (!atomic_load(&parked_co))
        co_yield();
    for (int i = 1; i <= 1000; i++) {
        atomic_store(&signals, i);
        co_ready(atomic_load(&parked_co));
        if (i % 3 == 0) co_yield();
    }
    wait_for(&counter, 1000);
}

static void no_ready_is_lost(void **state)
{
    in_runtime(signal_often);
}

static void ready_first(void)
{
    int64_t before = rt_now();
    co_ready(co_self());
    CHECK(co_park(rt_now() + 5000 * MS) == RT_OK);
    CHECK(rt_now() - before < 4000 * MS);
    before = rt_now();
    while (co_park(before + MS) != RT_ETIMEDOUT)
        CHECK(rt_now() - before < 1000 * MS);
    CHECK(co_park(0) == RT_ETIMEDOUT);
    co_ready(co_self());
    CHECK(co_park(0) == RT_OK);
}

static void ready_before_park_leaves_a_token(void **state)
{
    in_runtime(ready_first);
}

/* Two coroutines wake each other from different workers as fast as they can. */
struct rally {
    struct co *_Atomic players[2];
    _Atomic(int) ball;
};

static struct rally rally;

static void play(void *arg)
{
    int me = (int)(intptr_t)arg;
    atomic_store(&rally.players[me], co_self());
    while (!atomic_load(&rally.players[1 - me]))
        co_yield();
    for (int i = 0; i < 2000; i++) {
        while (atomic_load(&rally.ball) % 2 != me)
            CHECK(co_park(RT_NEVER) == RT_OK);
        atomic_fetch_add(&rally.ball, 1);
        co_ready(atomic_load(&rally.players[1 - me]));
    }
    atomic_fetch_add(&counter, 1);
}

static void play_across(void)
{
    memset(&rally, 0, sizeof rally);
    atomic_store(&counter, 0);
    for (intptr_t i = 0; i < 2; i++) {
        co_spawn_pinned((unsigned)i % rt_worker_count(), "player", play, (void *)i);
    }
    wait_for(&counter, 2);
    CHECK(atomic_load(&rally.ball) == 4000);
}

static void wake_across_workers(void **state)
{
    in_runtime(play_across);
}

/* ---- where coroutines run ------------------------------------------------------------------- */

static void stay(void *arg)
{
    unsigned home = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < 200; i++) {
        CHECK(rt_worker_id() == home);
        if (i % 50 == 0) {
            co_sleep(MS / 10);
        } else {
            co_yield();
        }
    }
    atomic_fetch_add(&counter, 1);
}

static void spawn_pinned(void)
{
    unsigned n = rt_worker_count();
    atomic_store(&counter, 0);
    for (unsigned i = 0; i < 5 * n; i++) {
        CHECK(co_spawn_pinned(i % n, "stay", stay, (void *)(uintptr_t)(i % n)) == RT_OK);
    }
    wait_for(&counter, (int)(5 * n));
}

static void pinned_ones_never_move(void **state)
{
    in_runtime(spawn_pinned);
}

static void spawn_on_each(void)
{
    atomic_store(&counter, 0);
    for (int i = 0; i < 1000; i++) {
        CHECK(co_spawn_on((unsigned)i % rt_worker_count(), "on", count_one, (void *)1) == RT_OK);
    }
    wait_for(&counter, 1000);
}

static void spawned_on_others_run(void **state)
{
    in_runtime(spawn_on_each);
}

static _Atomic(uint32_t) workers_seen;

static void burn(void *arg)
{
    int64_t until = rt_now() + 30 * MS;
    atomic_fetch_or(&workers_seen, 1u << rt_worker_id());
    while (rt_now() < until)
        continue;
    atomic_fetch_add(&counter, 1);
}

static void burn_many(void)
{
    atomic_store(&counter, 0);
    atomic_store(&workers_seen, 0);
    for (int i = 0; i < 8; i++)
        co_spawn("burn", burn, NULL);
    wait_for(&counter, 8);
}

static void work_is_shared(void **state)
{
    in_runtime(burn_many);
}

/* The readied coroutine is kept for the worker whose present one goes on for long: others take it.
 */
static void hog_after_ready(void)
{
    int64_t until = rt_now() + 2000 * MS;
    if (rt_worker_count() == 1) return;
    atomic_store(&counter, 0);
    atomic_store(&signals, 0);
    atomic_store(&parked_co, NULL);
    co_spawn("waiter", wait_for_signals, NULL);
    while (!atomic_load(&parked_co))
        co_yield();
    co_sleep(2 * MS);
    atomic_store(&signals, 1000);
    co_ready(atomic_load(&parked_co));
    while (atomic_load(&counter) != 1000)
        CHECK(rt_now() < until);
}

static void long_runs_stall_nobody(void **state)
{
    in_runtime(hog_after_ready);
}

/* ---- dormancy ------------------------------------------------------------------------------- */

#define SLEEPERS 200

struct sleeper {
    struct co *_Atomic co;
    _Atomic(int) starts;
    int wanted;
};

static void wake_count_sleep(void *arg)
{
    struct sleeper *s = arg;
    char on_stack[200];
    atomic_store(&s->co, co_self());
    memset(on_stack, 1, sizeof on_stack);
    __asm__ volatile("" : : "r"(on_stack) : "memory");
    if (atomic_fetch_add(&s->starts, 1) + 1 == s->wanted) return;
    co_sleep_stackless();
}

static void wake_dormant(void)
{
    static struct sleeper sleepers[SLEEPERS];
    struct rt_stats stats;
    for (int i = 0; i < SLEEPERS; i++) {
        atomic_store(&sleepers[i].starts, 0);
        atomic_store(&sleepers[i].co, NULL);
        sleepers[i].wanted = 20;
        co_spawn("sleeper", wake_count_sleep, &sleepers[i]);
    }
    for (int round = 1; round < 20; round++) {
        for (int i = 0; i < SLEEPERS; i++)
            wait_for(&sleepers[i].starts, round);
        while (rt_stats(&stats), stats.dormant != SLEEPERS)
            co_sleep(MS / 10);
        for (int i = 0; i < SLEEPERS; i++)
            co_ready(atomic_load(&sleepers[i].co));
    }
    for (int i = 0; i < SLEEPERS; i++)
        wait_for(&sleepers[i].starts, 20);
    rt_stats(&stats);
    CHECK(stats.stacks < SLEEPERS);
}

static void dormant_ones_hold_no_stack_and_start_anew(void **state)
{
    in_runtime(wake_dormant);
}

static void once_more(void *arg)
{
    if (atomic_fetch_add(&counter, 1) > 0) return;
    co_ready(co_self());
    co_sleep_stackless();
}

static void token_then_sleep(void)
{
    atomic_store(&counter, 0);
    co_spawn("once more", once_more, NULL);
    wait_for(&counter, 2);
}

static void token_wakes_from_dormancy(void **state)
{
    in_runtime(token_then_sleep);
}

/* ---- many suspended at once ----------------------------------------------------------------- */

#ifdef WEFT_SANITIZER
#define SUSPENDED 60 /* the thread sanitizer takes milliseconds for each stack */
#else
#define SUSPENDED 1000
#endif

static _Atomic(bool) released;

static void wait_for_release(void *arg)
{
    char on_stack[512];
    memset(on_stack, (int)(intptr_t)arg, sizeof on_stack);
    __asm__ volatile("" : : "r"(on_stack) : "memory");
    while (!atomic_load(&released))
        co_sleep(20 * MS); /* long enough for a slow build to have all of them parked at once */
    for (size_t i = 0; i < sizeof on_stack; i++)
        CHECK(on_stack[i] == (char)(intptr_t)arg);
    atomic_fetch_add(&counter, 1);
}

static void suspend_many(void)
{
    struct rt_stats stats;
    atomic_store(&counter, 0);
    atomic_store(&released, false);
    for (intptr_t i = 0; i < SUSPENDED; i++)
        co_spawn("many", wait_for_release, (void *)i);
    int64_t until = rt_now() + 10000 * MS;
    while (rt_stats(&stats), stats.parked < SUSPENDED) {
        CHECK(rt_now() < until);
        co_sleep(MS);
    }
    CHECK(stats.stacks >= SUSPENDED);
    atomic_store(&released, true);
    wait_for(&counter, SUSPENDED);
}

static void stacks_keep_their_contents(void **state)
{
    in_runtime(suspend_many);
}

static void look_at_stack(void)
{
    size_t left = co_stack_left();
    CHECK(left > 100 * 1024 && left < 4 * 1024 * 1024);
}

static void stack_left_is_known(void **state)
{
    in_runtime(look_at_stack);
}

/* ---- rounds --------------------------------------------------------------------------------- */

static int ended;

static void note_end(void *arg)
{
    ended++;
}

static void use_round_end(void)
{
    struct rt_round_end one = {.fn = note_end}, two = {.fn = note_end};
    ended = 0;
    rt_at_round_end(&one);
    rt_at_round_end(&two);
    CHECK(ended == 0);
    co_sleep(2 * MS);
    CHECK(ended == 2);
}

static void round_end_functions_run_before_the_next_poll(void **state)
{
    in_runtime(use_round_end);
}

static void watch_rounds(void)
{
    unsigned me = rt_worker_id();
    uint64_t before = rt_round(me);
    CHECK(before != RT_QUIESCENT && before == rt_round(me));
    co_sleep(MS);
    CHECK(rt_round(rt_worker_id()) > before || rt_worker_id() != me);
    if (rt_worker_count() == 1) return;
    co_sleep(20 * MS);
    for (unsigned i = 0; i < rt_worker_count(); i++) {
        if (i == rt_worker_id()) continue;
        int64_t until = rt_now() + 1000 * MS;
        while (rt_round(i) != RT_QUIESCENT)
            CHECK(rt_now() < until);
    }
}

static void rounds_move_on(void **state)
{
    in_runtime(watch_rounds);
}

static void ask_for_fair_share(void)
{
    int64_t start = rt_now();
    CHECK(!co_should_yield());
    while (!co_should_yield())
        CHECK(rt_now() - start < 1000 * MS);
    CHECK(rt_now() - start >= MS / 10);
    co_yield();
    CHECK(!co_should_yield());
}

static void fair_share_is_measured(void **state)
{
    in_runtime(ask_for_fair_share);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void forever(void *arg)
{
    for (;;)
        co_yield();
}

static void park_forever(void *arg)
{
    for (;;)
        co_park(RT_NEVER);
}

static void leave_some_behind(void)
{
    for (int i = 0; i < 50; i++) {
        co_spawn("forever", forever, NULL);
        co_spawn("parked", park_forever, NULL);
    }
    co_sleep(MS);
}

static void stop_abandons_the_rest(void **state)
{
    in_runtime(leave_some_behind);
}

static void *stop_soon(void *arg)
{
    usleep(20000);
    rt_stop();
    return NULL;
}

static void stopped_from_another_thread(void **state)
{
    pthread_t thread;
    struct rt_config config = {.workers = 2};
    pthread_create(&thread, NULL, stop_soon, NULL);
    assert_int_equal(rt_run(&config, park_forever, NULL), RT_OK);
    pthread_join(thread, NULL);
}

/* ---- stack overflow ------------------------------------------------------------------------- */

static __attribute__((noinline)) size_t recurse(size_t depth)
{
    char frame[1000];
    memset(frame, (int)depth, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    if (depth > 1000000) return 1;
    return recurse(depth + 1) + (size_t)frame[depth % sizeof frame];
}

static void overflow_in_coroutine(void *arg)
{
    CHECK(recurse(0) != 1);
}

static void overflow_main(void *arg)
{
    co_spawn("deep one", overflow_in_coroutine, NULL);
    co_sleep(5000 * MS);
}

static void overflow_child(int out)
{
    struct rlimit no_core = {0, 0};
    struct rt_config config = {.workers = 2};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    dup2(out, 1);
    dup2(out, 2);
    rt_run(&config, overflow_main, NULL);
    _exit(0);
}

static void overflow_names_the_coroutine(void **state)
{
    char text[4096] = "";
    int fds[2], status;
    size_t have = 0;
    ssize_t got;
    assert_int_equal(pipe(fds), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) overflow_child(fds[1]);
    close(fds[1]);
    while ((got = read(fds[0], text + have, sizeof text - 1 - have)) > 0)
        have += (size_t)got;
    close(fds[0]);
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_non_null(strstr(text, "Stack overflow in coroutine 'deep one'"));
}

static atomic_int beside;
static atomic_bool beside_done;
static int beside_least;

static void beside_fn(void *arg)
{
    while (!atomic_load(&beside_done)) {
        atomic_fetch_add(&beside, 1);
        co_yield();
    }
}

/* Uses up its fair share again and again; in every other round after one more yield. A round is
 * long enough for the system to have run both threads. */
static void greedy_main(void *arg)
{
    beside_least = 1 << 30;
    co_spawn_pinned(rt_worker_id(), "beside", beside_fn, NULL);
    for (int round = 0; round < 8; round++) {
        int before = atomic_load(&beside);
        int64_t start = rt_now();
        if (round & 1) co_yield();
        while (rt_now() - start < 10 * MS ||
               (atomic_load(&beside) == before && rt_now() - start < 3000 * MS)) {
            if (co_should_yield()) co_yield();
        }
        int ran = atomic_load(&beside) - before;
        if (ran < beside_least) beside_least = ran;
    }
    atomic_store(&beside_done, true);
    rt_stop();
}

static void pinned_ones_take_turns_with_a_greedy_one(void **state)
{
    struct rt_config config = {.workers = 2};
    assert_int_equal(rt_run(&config, greedy_main, NULL), RT_OK);
    assert_in_range(beside_least, 1, 1 << 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overflow_names_the_coroutine),
        cmocka_unit_test(every_coroutine_runs_once),
        cmocka_unit_test(yield_goes_behind_all_others),
        cmocka_unit_test(no_ready_is_lost),
        cmocka_unit_test(ready_before_park_leaves_a_token),
        cmocka_unit_test(wake_across_workers),
        cmocka_unit_test(pinned_ones_never_move),
        cmocka_unit_test(pinned_ones_take_turns_with_a_greedy_one),
        cmocka_unit_test(spawned_on_others_run),
        cmocka_unit_test(work_is_shared),
        cmocka_unit_test(long_runs_stall_nobody),
        cmocka_unit_test(dormant_ones_hold_no_stack_and_start_anew),
        cmocka_unit_test(token_wakes_from_dormancy),
        cmocka_unit_test(stacks_keep_their_contents),
        cmocka_unit_test(stack_left_is_known),
        cmocka_unit_test(round_end_functions_run_before_the_next_poll),
        cmocka_unit_test(rounds_move_on),
        cmocka_unit_test(fair_share_is_measured),
        cmocka_unit_test(stop_abandons_the_rest),
        cmocka_unit_test(stopped_from_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
