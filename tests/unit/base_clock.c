/* base_clock.c - the clocks agree with each other and with the cycle counter. */
#include <time.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"

static void wall_clock(void **state)
{
    int64_t s = time(NULL);
    int64_t us = clock_unix_us(), ms = clock_unix_ms();
    assert_in_range(us / 1000000, s, s + 2);
    assert_in_range(ms, us / 1000, us / 1000 + 1000);
}

static void mono_never_goes_back(void **state)
{
    int64_t last = clock_mono_ns();
    for (int i = 0; i < 100000; i++) {
        int64_t now = clock_mono_ns();
        assert_true(now >= last);
        last = now;
    }
}

/* Within 1 %, and of several tries one: the machine may be busy with others. */
static void cycles_measure_time(void **state)
{
    double worst = 1;
    clock_init();
    for (int i = 0; i < 20 && worst > 0.01; i++) {
        int64_t from_ns = clock_mono_ns();
        uint64_t from = clock_cycles();
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        uint64_t cycles = clock_cycles() - from;
        double want = (double)(clock_mono_ns() - from_ns);
        double off = (double)clock_cycles_to_ns(cycles) / want - 1;
        worst = off < 0 ? -off : off;
    }
    assert_true(worst <= 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_clock),
        cmocka_unit_test(mono_never_goes_back),
        cmocka_unit_test(cycles_measure_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
