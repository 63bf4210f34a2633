/*
 * runtime_stress.c - millions of coroutines are created, moved and ended over 1, 2, 4 and 16
 * workers, with channels, select, timers, mutexes, sockets, dormancy and offloaded calls at once.
 *
 *   runtime_stress [SECONDS]     for all together; 10 by default
 *
 *   generators --spawn--> jobs (yield, sleep, lock, select, pinned, ...) --id--> sink: count and
 * sum clients <--socket pairs--> dormant echo servers; cancelled, closed and made anew all the time
 *
 * Nothing may be lost, doubled or leaked: every job's id arrives once, the guarded counter is
 * exact, every byte comes back, no coroutine and no memory is left at the end.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "runtime/runtime.h"

#define MS         1000000LL
#define GENERATORS 8
#ifdef WEFT_SANITIZER /* the thread sanitizer takes milliseconds to make a stack known */
#define PAIRS     8
#define IN_FLIGHT 60
#else
#define PAIRS     24
#define IN_FLIGHT 3000
#endif
#define LANES 3

static int64_t until_ns;
static struct chan *lanes[LANES], *end_of_sink;
static struct co_mutex mutex = CO_MUTEX_INIT;
static uint64_t guarded;
static _Atomic(uint64_t) next_id, in_flight, locked, sent_sum, offloaded, round_trips;
static _Atomic(int) actors; /* generators, clients and servers alive */

static bool time_is_up(void)
{
    return rt_now() >= until_ns;
}

static void actor(co_fn *fn, void *arg)
{
    atomic_fetch_add(&actors, 1);
    CHECK(co_spawn_on((unsigned)rand_below(rt_worker_count()), "actor", fn, arg) == RT_OK);
}

static void actor_ends(void)
{
    atomic_fetch_sub(&actors, 1);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

static void deliver(uint64_t id)
{
    struct chan_case cases[LANES];
    for (int i = 0; i < LANES; i++)
        cases[i] = (struct chan_case){CHAN_SEND, lanes[i], &id, 0};
    if (id % 3 == 0) {
        int taken;
        while ((taken = chan_select(cases, LANES, rt_now() + MS)) == RT_ETIMEDOUT)
            continue;
        CHECK(taken >= 0 && cases[taken].result == RT_OK);
    } else {
        CHECK(chan_send(lanes[id % LANES], &id, RT_NEVER) == RT_OK);
    }
}

static void increment(void *arg)
{
    ++*(uint64_t *)arg;
}

static void work_on(uint64_t id)
{
    uint64_t dice = id * 0x9e3779b97f4a7c15u >> 58, n = 0;
    int64_t due = rt_now() + (int64_t)(id % 997) * 1000;
    if (dice < 16) {
        for (uint64_t i = 0; i <= dice % 4; i++)
            co_yield();
    } else if (dice < 24) {
        co_sleep((int64_t)(id % 997) * 1000);
        CHECK(rt_now() >= due);
    } else if (dice < 34) {
        co_mutex_lock(&mutex);
        guarded++;
        if (dice == 30) co_yield();
        co_mutex_unlock(&mutex);
        atomic_fetch_add(&locked, 1);
    } else if (dice == 34 && id % 16 == 0) {
        rt_offload(increment, &n);
        CHECK(n == 1);
        atomic_fetch_add(&offloaded, 1);
    } else if (dice == 35) {
        co_ready(co_self());
        co_park(rt_now() + MS);
    }
}

static void job(void *arg)
{
    uint64_t id = (uint64_t)(uintptr_t)arg;
    char pattern[64];
    memset(pattern, (int)id, sizeof pattern);
    __asm__ volatile("" : : "r"(pattern) : "memory");
    work_on(id);
    for (size_t i = 0; i < sizeof pattern; i++)
        CHECK(pattern[i] == (char)id);
    deliver(id);
}

static void pinned_job(void *arg)
{
    unsigned home = rt_worker_id();
    work_on((uint64_t)(uintptr_t)arg);
    CHECK(rt_worker_id() == home);
    deliver((uint64_t)(uintptr_t)arg);
}

static void start_job(void)
{
    uint64_t id = atomic_fetch_add(&next_id, 1) + 1;
    void *arg = (void *)(uintptr_t)id;
    unsigned worker = (unsigned)rand_below(rt_worker_count());
    int rc;
    atomic_fetch_add(&in_flight, 1);
    atomic_fetch_add(&sent_sum, id);
    if (id % 16 == 0) {
        rc = co_spawn_pinned(worker, "pinned job", pinned_job, arg);
    } else if (id % 16 == 1) {
        rc = co_spawn_on(worker, "placed job", job, arg);
    } else {
        rc = co_spawn("job", job, arg);
    }
    CHECK(rc == RT_OK);
}

static void generate(void *arg)
{
    while (!time_is_up()) {
        for (int i = 0; i < 32; i++)
            start_job();
        co_yield();
        while (atomic_load(&in_flight) > IN_FLIGHT)
            co_sleep(MS / 10);
    }
    actor_ends();
}

/* ---- the sink ------------------------------------------------------------------------------- */

static uint64_t received, received_sum;

static void sink(void *arg)
{
    for (;;) {
        uint64_t id = 0;
        struct chan_case cases[LANES + 1];
        for (int i = 0; i < LANES; i++)
            cases[i] = (struct chan_case){CHAN_RECV, lanes[i], &id, 0};
        cases[LANES] = (struct chan_case){CHAN_RECV, end_of_sink, NULL, 0};
        int taken = chan_select(cases, LANES + 1, RT_NEVER);
        if (taken == LANES) break;
        CHECK(taken >= 0 && cases[taken].result == RT_OK);
        received++;
        received_sum += id;
        atomic_fetch_sub(&in_flight, 1);
    }
    actor_ends();
}

/* ---- sockets -------------------------------------------------------------------------------- */

static void serve(void *arg)
{
    struct sock *s = arg;
    char buf[256];
    ssize_t n;
    if (!sock_canceled(s)) {
        while ((n = sock_try_read(s, buf, sizeof buf)) > 0) {
            if (sock_write(s, buf, (size_t)n, RT_NEVER) != n) break;
        }
        if (n == RT_EAGAIN) sock_sleep_stackless(s);
    }
    sock_close(s);
    actor_ends();
}

static void open_pair(struct sock **mine, struct sock **theirs)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    *mine = sock_new(fds[0]);
    *theirs = sock_new_on((unsigned)rand_below(rt_worker_count()), fds[1]);
    CHECK(*mine && *theirs);
}

static void exchange(struct sock *s, uint64_t tag)
{
    uint64_t out[4] = {tag, ~tag, tag * 3, tag * 7}, in[4];
    CHECK(sock_write(s, out, sizeof out, RT_NEVER) == sizeof out);
    for (size_t have = 0; have < sizeof in;) {
        ssize_t n = sock_read(s, (char *)in + have, sizeof in - have, rt_now() + 60000 * MS);
        CHECK(n > 0);
        have += (size_t)n;
    }
    CHECK(memcmp(in, out, sizeof in) == 0);
    atomic_fetch_add(&round_trips, 1);
}

static void be_client(void *arg)
{
    while (!time_is_up()) {
        struct sock *mine, *theirs;
        char byte;
        open_pair(&mine, &theirs);
        actor(serve, theirs);
        for (uint64_t i = 0, n = rand_below(200); i < n && !time_is_up(); i++) {
            exchange(mine, rand_u64());
            if (i % 64 == 63) co_sleep((int64_t)rand_below(MS));
        }
        if (rand_below(2)) {
            CHECK(shutdown(sock_fd(mine), SHUT_WR) == 0);
            CHECK(sock_read(mine, &byte, 1, rt_now() + 60000 * MS) == RT_EOF);
        }
        sock_close(mine);
    }
    actor_ends();
}

/* ---- one run -------------------------------------------------------------------------------- */

static void wait_for_actors(int left)
{
    int64_t last = rt_now() + 120000 * MS;
    while (atomic_load(&actors) > left) {
        CHECK(rt_now() < last);
        co_sleep(MS);
    }
}

static void check(void)
{
    struct rt_stats stats;
    CHECK(received == atomic_load(&next_id));
    CHECK(received_sum == atomic_load(&sent_sum));
    CHECK(guarded == atomic_load(&locked));
    for (int i = 0; i < LANES; i++)
        CHECK(chan_len(lanes[i]) == 0);
    int64_t last = rt_now() + 20000 * MS;
    while (rt_stats(&stats), stats.coroutines != 1) {
        CHECK(rt_now() < last);
        co_sleep(MS);
    }
    CHECK(stats.dormant == 0);
    printf(
        "%2u workers: %9llu coroutines, %9llu switches, %7llu stolen, %7llu wake-ups, %7llu round "
        "trips, %5llu offloaded\n",
        rt_worker_count(), (unsigned long long)stats.spawns, (unsigned long long)stats.switches,
        (unsigned long long)stats.stolen, (unsigned long long)stats.wakeups,
        (unsigned long long)atomic_load(&round_trips), (unsigned long long)atomic_load(&offloaded));
    fflush(stdout);
}

static void body(void *arg)
{
    for (int i = 0; i < LANES; i++)
        lanes[i] = chan_new(sizeof(uint64_t), (size_t)i * 50);
    end_of_sink = chan_new(0, 0);
    actor(sink, NULL);
    for (int i = 0; i < GENERATORS; i++)
        actor(generate, NULL);
    for (int i = 0; i < PAIRS; i++)
        actor(be_client, NULL);
    wait_for_actors(1);
    int64_t last = rt_now() + 120000 * MS;
    while (atomic_load(&in_flight) > 0) {
        CHECK(rt_now() < last);
        co_sleep(MS);
    }
    chan_close(end_of_sink);
    wait_for_actors(0);
    check();
    for (int i = 0; i < LANES; i++)
        chan_free(lanes[i]);
    chan_free(end_of_sink);
    rt_stop();
}

static void reset(void)
{
    atomic_store(&next_id, 0);
    atomic_store(&in_flight, 0);
    atomic_store(&locked, 0);
    atomic_store(&sent_sum, 0);
    atomic_store(&offloaded, 0);
    atomic_store(&round_trips, 0);
    guarded = received = received_sum = 0;
}

int main(int argc, char **argv)
{
    static const unsigned counts[] = {1, 2, 4, 16};
    double seconds = argc > 1 ? atof(argv[1]) : 10;
    size_t used = 0;
    signal(SIGPIPE, SIG_IGN);
    mem_thread_attach();
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct rt_config config = {.workers = counts[i]};
        reset();
        until_ns = rt_now() + (int64_t)(seconds / ARRAY_LEN(counts) * 1e9);
        CHECK(rt_run(&config, body, NULL) == RT_OK);
        if (i == 0) used = mem_used();
#ifndef WEFT_SANITIZER
        CHECK(mem_used() < used + 65536);
#endif
    }
    return used == SIZE_MAX;
}
