/* base_mem.c - allocation and what mem_used() says about it, from one thread and from several. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"

static void sizes(void **state)
{
    for (size_t n = 0; n < 5000; n += 1 + n / 7) {
        char *p = mem_alloc(n);
        assert_true(mem_usable(p) >= n);
        assert_int_equal(mem_usable(p), mem_good_size(n));
        mem_free_sized(p, n);
    }
    char *p = mem_alloc(100);
    mem_free_sized(p, mem_usable(p));
    mem_free(NULL);
    mem_free_sized(NULL, 10);
}

static void contents(void **state)
{
    char *p = mem_calloc(1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    memset(p, 'x', 1000);
    p = mem_realloc(p, 100000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 'x');
    p = mem_realloc(p, 0);
    assert_non_null(p);
    mem_free(p);
    char *s = mem_strdup("text");
    char *d = mem_dup(s, 3);
    assert_string_equal(s, "text");
    assert_memory_equal(d, "tex", 3);
    mem_free(s);
    mem_free(d);
}

/* The size is hidden from a compiler that would warn of it. */
static void too_much_is_null(void **state)
{
    volatile size_t n = (size_t)1 << 62;
    assert_null(mem_try_alloc(n));
    char *p = mem_alloc(10);
    assert_null(mem_try_realloc(p, n));
    mem_free(p);
}

static void used_is_exact(void **state)
{
    enum { COUNT = 1000 };
    static void *kept[COUNT];
    mem_thread_attach();
    mem_thread_attach(); /* again: nothing */
    size_t before = mem_used(), sum = 0;
    for (int i = 0; i < COUNT; i++) {
        kept[i] = mem_alloc(1 + rand_below(3000));
        sum += mem_usable(kept[i]);
    }
    assert_int_equal(mem_used() - before, sum);
    mem_sample_peak();
    for (int i = 0; i < COUNT; i++) {
        sum -= mem_usable(kept[i]);
        kept[i] = mem_realloc(kept[i], 1 + rand_below(3000));
        sum += mem_usable(kept[i]);
    }
    assert_int_equal(mem_used() - before, sum);
    for (int i = 0; i < COUNT; i++)
        mem_free(kept[i]);
    assert_int_equal(mem_used(), before);
    assert_true(mem_peak() > before);
}

/* What one thread takes another gives back; the sum knows neither from the other. */
static void *take(void *arg)
{
    void **slots = arg;
    mem_thread_attach();
    for (int i = 0; i < 1000; i++)
        slots[i] = mem_alloc(500);
    mem_thread_detach();
    mem_thread_detach(); /* again: nothing */
    return NULL;
}

static void threads_that_ended_count(void **state)
{
    static void *slots[4][1000];
    pthread_t threads[4];
    mem_thread_attach();
    size_t before = mem_used();
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, take, slots[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    /* A thread may take a little for itself before it attaches, and give it back after. */
    size_t want = 4 * 1000 * mem_good_size(500), got = mem_used() - before;
    assert_in_range(got, want, want + 4 * 16384);
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 1000; j++)
            mem_free(slots[i][j]);
    }
    assert_in_range(mem_used(), before, before + 4 * 16384);
}

static void *churn(void *arg)
{
    mem_thread_attach();
    for (int i = 0; i < 20000; i++)
        mem_free(mem_alloc(rand_below(1000)));
    mem_thread_detach();
    return NULL;
}

static void sums_while_threads_run(void **state)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, churn, NULL);
    for (int i = 0; i < 2000; i++) {
        assert_true(mem_used() < (size_t)1 << 40); /* never below zero */
        mem_sample_peak();
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void reports(void **state)
{
    struct mem_stats stats;
    mem_stats(&stats);
    assert_true(mem_rss() > 100000);
    assert_true(strlen(mem_allocator()) > 0);
    char *text = mem_report();
    assert_true(strlen(text) > 10);
    mem_free(text);
#ifdef WEFT_JEMALLOC
    assert_true(stats.allocated > 0 && stats.active >= stats.allocated);
    assert_true(stats.resident >= stats.active && stats.mapped > 0 && stats.metadata > 0);
    assert_memory_equal(mem_allocator(), "jemalloc-5.", 11);
    char *many[64];
    for (int i = 0; i < 64; i++) memset(many[i] = mem_alloc(1 << 20), 1, 1 << 20);
    for (int i = 0; i < 64; i++) mem_free(many[i]);
    size_t before = mem_rss();
    mem_purge();
    assert_true(mem_rss() + (32 << 20) < before);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(contents),
        cmocka_unit_test(too_much_is_null),
        cmocka_unit_test(used_is_exact),
        cmocka_unit_test(threads_that_ended_count),
        cmocka_unit_test(sums_while_threads_run),
        cmocka_unit_test(reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
