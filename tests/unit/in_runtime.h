/*
 * in_runtime.h - for tests of the runtime: bodies that run in a runtime of their own, once for each
 * number of workers, and the coroutines that they start and wait for. Failures inside coroutines
 * end the program (CHECK). To be included once, behind cmocka.h.
 */
#ifndef WEFT_TESTS_IN_RUNTIME_H
#define WEFT_TESTS_IN_RUNTIME_H

#include "base/base.h"
#include "runtime/runtime.h"

#define MS 1000000LL

static void (*body)(void);
static struct rt_config body_config; /* all but the number of workers */
static _Atomic(int) running;

static void run_body(void *arg)
{
    body();
    rt_stop();
}

static const unsigned worker_counts[] = {1, 2, 4};

static inline void in_runtime(void (*fn)(void))
{
    body = fn;
    for (size_t i = 0; i < ARRAY_LEN(worker_counts); i++) {
        body_config.workers = worker_counts[i];
        assert_int_equal(rt_run(&body_config, run_body, NULL), RT_OK);
    }
}

/* A time by which all that is awaited has come, unless it is lost. */
static inline int64_t soon(void)
{
    return rt_now() + 20000 * MS;
}

static inline void wait_for(_Atomic(int) *counter, int value)
{
    int64_t until = soon();
    while (atomic_load(counter) != value) {
        CHECK(rt_now() < until);
        co_sleep(MS / 5);
    }
}

/* Starts a coroutine that calls finished() at its end. */
static inline void start(co_fn *fn, void *arg)
{
    atomic_fetch_add(&running, 1);
    CHECK(co_spawn("test", fn, arg) == RT_OK);
}

static inline void finished(void)
{
    atomic_fetch_sub(&running, 1);
}

static inline void wait_for_all(void)
{
    wait_for(&running, 0);
}

#endif
