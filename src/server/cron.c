/*
 * cron.c - what is done regularly, in one coroutine: samples of rates ten times a second; once a
 * second idle clients are closed and the peak of memory is noted.
 */
#include "server/server.h"

#include "server/process.h"

#define TICK_NS     100000000LL
#define TICKS_PER_S 10

/* A client that is blocked, or paused, is not idle. */
static bool close_idle(struct session *s, void *arg)
{
    uint32_t now = *(uint32_t *)arg, timeout = (uint32_t)config_num(OPT_TIMEOUT);
    uint32_t active = atomic_load_explicit(&s->active_s, memory_order_relaxed);
    if (atomic_load_explicit(&s->blocked, memory_order_relaxed) != SESSION_RUNNING) return true;
    if (now <= active || now - active <= timeout) return true;
    log_write(LOG_VERBOSE, "Closing idle client");
    metrics_add(METRIC_TIMEOUTS, 1);
    session_kill(s);
    return true;
}

/* Looking at a pause ends one whose time is over, so that commands are fast again. */
static void check_pause(void)
{
    bool all;
    int64_t left_ms;
    if (atomic_load_explicit(&commands_gate, memory_order_relaxed)) pause_active(&all, &left_ms);
}

static void each_second(void)
{
    uint32_t now = (uint32_t)(clock_unix_ms() / 1000);
    if (config_num(OPT_TIMEOUT)) sessions_each(close_idle, &now);
    admin_second();
}

static _Atomic(bool) paused;

void cron_pause(bool on)
{
    atomic_store_explicit(&paused, on, memory_order_relaxed);
}

static void cron_loop(void *arg)
{
    for (unsigned tick = 0;; tick++) {
        co_sleep(TICK_NS);
        if (atomic_load_explicit(&paused, memory_order_relaxed)) continue;
        metrics_sample();
        check_pause();
        if (tick % TICKS_PER_S == 0) each_second();
    }
}

bool cron_start(void)
{
    return co_spawn("cron", cron_loop, NULL) == RT_OK;
}
