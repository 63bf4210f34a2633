/*
 * clock.c - wall-clock and monotonic time from the system, and the rate of the cycle counter.
 *
 * The counter is the time stamp counter (x86-64; constant and in step on every core of the machines
 * of the last fifteen years) or the generic timer (AArch64, which states its rate). It times
 * durations, such as those of the slow log; deadlines and expiry use the system's clocks.
 */
#include "base/base.h"

#include <time.h>

#define CALIBRATION_NS 4000000

double clock_ns_per_cycle = 1.0;

static int64_t read_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_unix_us(void)
{
    return read_ns(CLOCK_REALTIME) / 1000;
}

int64_t clock_unix_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000;
}

int64_t clock_mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

#if defined(__x86_64__)
struct reading {
    uint64_t cycles;
    int64_t ns;
};

/* The counter at an instant of the clock: of several tries the one that took the shortest, so that
 * an interrupt in between spoils nothing. */
static struct reading read_both(void)
{
    struct reading best = {0};
    uint64_t best_width = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        uint64_t before = clock_cycles();
        int64_t ns = clock_mono_ns();
        uint64_t width = clock_cycles() - before;
        if (width >= best_width) continue;
        best_width = width;
        best = (struct reading){before + width / 2, ns};
    }
    return best;
}
#endif

void clock_init(void)
{
#if defined(__x86_64__)
    struct reading from = read_both();
    nanosleep(&(struct timespec){.tv_nsec = CALIBRATION_NS}, NULL);
    struct reading to = read_both();
    clock_ns_per_cycle = (double)(to.ns - from.ns) / (double)(to.cycles - from.cycles);
#elif defined(__aarch64__)
    uint64_t hz;
    __asm__("mrs %0, cntfrq_el0" : "=r"(hz));
    clock_ns_per_cycle = 1e9 / (double)hz;
#endif
}
