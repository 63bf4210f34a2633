/*
 * bench.c - the runtime's primitives, one number each: "name value" lines, ns or bytes.
 *
 *   bench one     what needs one processor, on one worker
 *   bench wake    waking a coroutine on a sleeping worker: two workers
 *
 * bench.go measures the same in Go. Each figure is the best of ROUNDS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "runtime/runtime.h"

#define ROUNDS 5
#define IDLE   20000

static double best;

static void note(int64_t ns, double n)
{
    double each = (double)ns / n;
    if (best == 0 || each < best) best = each;
}

static void print(const char *name)
{
    printf("%s %.1f\n", name, best);
    fflush(stdout);
    best = 0;
}

/* ---- yield ---------------------------------------------------------------------------------- */

#define YIELDS 2000000

static __attribute__((noinline)) void yield_often(void *arg)
{
    for (int i = 0; i < YIELDS; i++) co_yield();
}

static void bench_yield(void)
{
    int64_t start = rt_now();
    co_spawn("other", yield_often, NULL);
    yield_often(NULL);
    note(rt_now() - start, 2.0 * YIELDS);
    for (int i = 0; i < 4; i++) co_yield();
}

/* ---- channels ------------------------------------------------------------------------------- */

#define PASSES 500000

struct two {
    struct chan *there, *back;
    int n;
};

static void echo(void *arg)
{
    struct two *t = arg;
    int64_t x;
    while (chan_recv(t->there, &x, RT_NEVER) == RT_OK) chan_send(t->back, &x, RT_NEVER);
    chan_close(t->back);
}

static void rally(struct two *t)
{
    int64_t x = 1;
    for (int i = 0; i < t->n; i++) {
        chan_send(t->there, &x, RT_NEVER);
        chan_recv(t->back, &x, RT_NEVER);
    }
}

static void bench_unbuffered(void)
{
    struct two t = {chan_new(8, 0), chan_new(8, 0), PASSES};
    int64_t x, start = rt_now();
    co_spawn("echo", echo, &t);
    rally(&t);
    note(rt_now() - start, 2.0 * PASSES);
    chan_close(t.there);
    chan_recv(t.back, &x, RT_NEVER);
    chan_free(t.there);
    chan_free(t.back);
}

static void bench_buffered(void)
{
    struct chan *ch = chan_new(8, 100);
    int64_t x = 1, start = rt_now();
    for (int i = 0; i < PASSES; i++) {
        chan_send(ch, &x, RT_NEVER);
        chan_recv(ch, &x, RT_NEVER);
    }
    note(rt_now() - start, PASSES);
    chan_free(ch);
}

/* ---- spawn ---------------------------------------------------------------------------------- */

static uint64_t ended;

static void end_at_once(void *arg)
{
    ended++;
}

static void bench_spawn(void)
{
    int64_t start = rt_now();
    ended = 0;
    for (int i = 0; i < PASSES; i++) {
        co_spawn("short", end_at_once, NULL);
        if (i % 100 == 99) co_yield();
    }
    while (ended < PASSES) co_yield();
    note(rt_now() - start, PASSES);
}

/* ---- memory --------------------------------------------------------------------------------- */

static void park_for_ever(void *arg)
{
    for (;;) co_park(RT_NEVER);
}

static void sleep_for_ever(void *arg)
{
    co_sleep_stackless();
}

static void bench_memory(co_fn *fn, const char *name)
{
    size_t before = mem_rss();
    for (int i = 0; i < IDLE; i++) {
        co_spawn("idle", fn, NULL);
        if (i % 100 == 99) co_yield();
    }
    co_sleep(1000000);
    best = (double)(mem_rss() - before) / IDLE;
    print(name);
}

static void wait_dormant(void *arg)
{
    struct sock *s = arg;
    char byte;
    if (sock_try_read(s, &byte, 1) == RT_EAGAIN) sock_sleep_stackless(s);
}

/* A coroutine and its socket; what the kernel keeps for the descriptor is not ours. */
static void bench_connections(void)
{
    enum { PAIRS = 400 };
    size_t before = mem_rss();
    for (int i = 0; i < PAIRS; i++) {
        int fds[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0) break;
        co_spawn("connection", wait_dormant, sock_new(fds[0]));
        co_spawn("connection", wait_dormant, sock_new(fds[1]));
        co_yield();
    }
    co_sleep(1000000);
    best = (double)(mem_rss() - before) / (2 * PAIRS);
    print("idle-connection-bytes");
}

static void one(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) bench_yield();
    print("yield");
    for (int i = 0; i < ROUNDS; i++) bench_unbuffered();
    print("unbuffered");
    for (int i = 0; i < ROUNDS; i++) bench_buffered();
    print("buffered");
    for (int i = 0; i < ROUNDS; i++) bench_spawn();
    print("spawn");
    bench_connections();
    bench_memory(sleep_for_ever, "dormant-bytes");
    bench_memory(park_for_ever, "parked-bytes");
    rt_stop();
}

/* ---- across threads ------------------------------------------------------------------------- */

static void bench_wake(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct two t = {chan_new(8, 0), chan_new(8, 0), 20000};
        int64_t x, start = rt_now();
        co_spawn_pinned(1, "echo", echo, &t);
        rally(&t);
        note(rt_now() - start, 2.0 * t.n);
        chan_close(t.there);
        chan_recv(t.back, &x, RT_NEVER);
        co_sleep(1000000);
        chan_free(t.there);
        chan_free(t.back);
    }
    print("wake");
    rt_stop();
}

static void wake(void *arg)
{
    co_spawn_pinned(0, "bench", bench_wake, NULL);
}

int main(int argc, char **argv)
{
    bool across = argc > 1 && strcmp(argv[1], "wake") == 0;
    struct rt_config config = {.workers = across ? 2 : 1};
    return rt_run(&config, across ? wake : one, NULL) == RT_OK ? 0 : 1;
}
