/*
 * types_lzf.c - LZF: what redis-server compressed is read, what we compress reads back, and bytes
 * from anywhere are refused or read, never overrun.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "types/lzf.h"

static void expect_text(const char *packed, size_t n, const char *text)
{
    char out[500];
    size_t size = strlen(text);
    assert_true(lzf_decompress(packed, n, out, size));
    assert_memory_equal(out, text, size);
    assert_false(lzf_decompress(packed, n, out, size - 1));
    assert_false(lzf_decompress(packed, n, out, size + 1));
    for (size_t i = 0; i < n; i++)
        assert_false(lzf_decompress(packed, i, out, size));
}

static void what_redis_compressed_is_read(void **state)
{
    static const char xs[] = "\x01xx\xe0\x57\x00\x01xx";
    static const char fox[] =
        "\x1fthe quick brown fox jumps over t\x20\x1e\x08lazy dog,\x60\x0d\xe0"
        "\x0d\x2c\x08"
        "again and\x40\x09\x01in";
    char text[101] = "";
    memset(text, 'x', 100);
    expect_text(xs, sizeof xs - 1, text);
    expect_text(fox, sizeof fox - 1,
                "the quick brown fox jumps over the lazy dog, the quick brown fox jumps again and "
                "again");
}

static void fill(uint8_t *p, size_t n, size_t alphabet, size_t repeats)
{
    for (size_t i = 0; i < n; i++) {
        bool again = i > 9000 ? rand_below(100) < repeats : i > 0 && rand_below(100) < repeats;
        p[i] = again ? p[i - 1 - rand_below(MIN(i, (size_t)9000))] : (uint8_t)rand_below(alphabet);
    }
}

static void what_we_compress_reads_back(void **state)
{
    static uint8_t in[40000], packed[45000], out[40000];
    for (int i = 0; i < 400; i++) {
        size_t n = rand_below(i % 2 ? sizeof in : 300);
        fill(in, n, 1 + rand_below(i % 3 ? 4 : 256), rand_below(100));
        size_t size = lzf_compress(in, n, packed, sizeof packed);
        if (n == 0) continue;
        assert_true(size > 0);
        assert_true(lzf_decompress(packed, size, out, n));
        assert_memory_equal(in, out, n);
        assert_int_equal(lzf_compress(in, n, packed, size), size);
        assert_int_equal(lzf_compress(in, n, packed, size - 1), 0);
    }
}

static void long_runs_shrink_to_almost_nothing(void **state)
{
    static uint8_t in[100000], packed[2000];
    assert_in_range(lzf_compress(in, sizeof in, packed, sizeof packed), 1, 1300);
}

static void any_bytes_are_safe_to_read(void **state)
{
    for (int i = 0; i < 20000; i++) {
        size_t n = rand_below(40), size = rand_below(600);
        uint8_t *in = malloc(n + 1), *from = in + 1, *out = malloc(size + 1);
        fill(from, n, 256, 0);
        if (n > 0 && i % 2) from[0] = 3;
        lzf_decompress(from, n, out, size);
        free(in);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_redis_compressed_is_read),
        cmocka_unit_test(what_we_compress_reads_back),
        cmocka_unit_test(long_runs_shrink_to_almost_nothing),
        cmocka_unit_test(any_bytes_are_safe_to_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
