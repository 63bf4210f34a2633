/* base_random.c - random numbers, the hash and its secret: spread, bounds, difference of threads.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"

/* 16 ranges of the top bits and 16 of the bottom ones: none further than 6 sigma from its share. */
static void numbers_spread(void **state)
{
    enum { DRAWS = 160000 };
    int top[16] = {0}, bottom[16] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint64_t v = rand_u64();
        top[v >> 60]++;
        bottom[v & 15]++;
    }
    for (int i = 0; i < 16; i++) {
        assert_in_range(top[i], 10000 - 600, 10000 + 600);
        assert_in_range(bottom[i], 10000 - 600, 10000 + 600);
    }
}

static void below_is_below(void **state)
{
    int seen[7] = {0};
    for (int i = 0; i < 70000; i++)
        seen[rand_below(7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 10000 - 600, 10000 + 600);
    assert_int_equal(rand_below(1), 0);
    uint64_t n = (uint64_t)3 << 62, high = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = rand_below(n);
        assert_true(v < n);
        high += v >= n / 2;
    }
    assert_in_range(high, 400, 600);
}

static void *draw(void *arg)
{
    *(uint64_t *)arg = rand_u64();
    return NULL;
}

static void threads_differ(void **state)
{
    uint64_t drawn[8];
    for (int i = 0; i < 8; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, draw, &drawn[i]);
        pthread_join(thread, NULL);
        for (int j = 0; j < i; j++)
            assert_true(drawn[i] != drawn[j]);
    }
}

static void secrets(void **state)
{
    char a[1000], b[1000];
    rand_secret(a, sizeof a);
    rand_secret(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    char text[41] = {0};
    rand_hex(text, 40);
    assert_int_equal(strlen(text), 40);
    assert_int_equal(strspn(text, "0123456789abcdef"), 40);
}

static void hash_is_keyed(void **state)
{
    uint64_t without = hash_bytes(SLICE("key"));
    hash_init();
    uint64_t secret = hash_secret;
    assert_true(secret != 0);
    assert_true(hash_bytes(SLICE("key")) != without);
    hash_init();
    assert_true(hash_secret == secret);
    assert_true(hash_bytes(SLICE("key")) == hash_bytes(slice_of("keys", 3)));
    assert_true(hash_bytes(SLICE("")) == hash_bytes(slice_of("x", 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_spread), cmocka_unit_test(below_is_below),
        cmocka_unit_test(threads_differ), cmocka_unit_test(secrets),
        cmocka_unit_test(hash_is_keyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
