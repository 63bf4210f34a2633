/* clock.h - time. Wall-clock in us and ms since 1970; clock_cycles() for cheap durations. */
#ifndef WEFT_BASE_CLOCK_H
#define WEFT_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_unix_us(void);
int64_t clock_unix_ms(void);
int64_t clock_mono_ns(void);

void clock_init(void); /* calibrates the cycle counter; once, before threads */

/* A counter of constant rate, the same on all cores; a few ns to read. */
static inline uint64_t clock_cycles(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t v;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
    return v;
#else
    return (uint64_t)clock_mono_ns();
#endif
}

extern double clock_ns_per_cycle;

static inline int64_t clock_cycles_to_ns(uint64_t cycles)
{
    return (int64_t)((double)cycles * clock_ns_per_cycle);
}

#endif
