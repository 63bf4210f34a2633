/* base_buf.c - the byte buffer: growth, formatting over its edge, representation of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"

static void empty_is_valid(void **state)
{
    struct buf b = {0};
    buf_add(&b, NULL, 0);
    assert_null(b.p);
    assert_string_equal(buf_cstr(&b), "");
    assert_int_equal(b.n, 0);
    buf_free(&b);
    buf_free(&b);
    assert_null(b.p);
}

static void grows(void **state)
{
    struct buf b = {0};
    size_t moves = 0, cap = 0;
    for (int i = 0; i < 1000000; i++) {
        buf_addc(&b, (char)i);
        moves += b.cap != cap;
        cap = b.cap;
    }
    assert_int_equal(b.n, 1000000);
    assert_true(moves < 20);
    for (int i = 0; i < 1000000; i++)
        assert_int_equal(b.p[i], (char)i);
    buf_clear(&b);
    assert_int_equal(b.n, 0);
    assert_int_equal(b.cap, cap);
    buf_free(&b);
}

static void reserve_gives_room(void **state)
{
    struct buf b = {0};
    buf_addz(&b, "ab");
    buf_reserve(&b, 10000);
    assert_true(b.cap - b.n >= 10000);
    memset(b.p + b.n, 'x', b.cap - b.n);
    assert_memory_equal(b.p, "abx", 3);
    buf_free(&b);
}

static void formats_of_every_length(void **state)
{
    for (int n = 0; n < 300; n++) {
        struct buf b = {0};
        buf_addz(&b, "<");
        buf_addf(&b, "%*d|%s", n, 7, "end");
        assert_int_equal(b.n, 1 + MAX(n, 1) + 4);
        assert_string_equal(buf_cstr(&b) + b.n - 5, "7|end");
        buf_free(&b);
    }
}

static void representation(void **state)
{
    struct buf b = {0};
    buf_add_repr(&b, SLICE("a\"b\\\n\r\t\a\b\0\x1f\x7f\xff~ z"));
    assert_string_equal(buf_cstr(&b), "\"a\\\"b\\\\\\n\\r\\t\\a\\b\\x00\\x1f\\x7f\\xff~ z\"");
    buf_clear(&b);
    buf_add_repr(&b, slice_of(NULL, 0));
    assert_string_equal(buf_cstr(&b), "\"\"");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_is_valid),     cmocka_unit_test(grows),
        cmocka_unit_test(reserve_gives_room), cmocka_unit_test(formats_of_every_length),
        cmocka_unit_test(representation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
