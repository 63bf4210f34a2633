/*
 * types_entry.c - entries: what they hold, which size they take, and that every way of moving one
 * keeps key, value, expiry and access field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "types/types.h"

static struct slice value_of(const struct entry *e)
{
    static char tmp[NUM_I64_MAX];
    return string_view(e, tmp);
}

#define EXPECT_BYTES(got, want)                                                                    \
    do {                                                                                           \
        struct slice g_ = (got), w_ = (want);                                                      \
        assert_int_equal(g_.n, w_.n);                                                              \
        if (w_.n) assert_memory_equal(g_.p, w_.p, w_.n);                                           \
    } while (0)

static struct slice letters(size_t n)
{
    static char text[100000];
    assert_true(n <= sizeof text);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i % 23);
    return slice_of(text, n);
}

static void expect_entry(struct entry *e, struct slice key, struct slice value, int64_t expire_ms)
{
    EXPECT_BYTES(entry_key(e), key);
    EXPECT_BYTES(value_of(e), value);
    assert_int_equal(string_len(e), value.n);
    assert_int_equal(entry_expire(e), expire_ms);
    assert_int_equal(e->type, TYPE_STRING);
}

static void the_encoding_follows_the_value(void **state)
{
    static const struct {
        const char *value, *encoding;
    } cases[] = {
        {"0", "int"},
        {"-1", "int"},
        {"9223372036854775807", "int"},
        {"-9223372036854775808", "int"},
        {"9223372036854775808", "embstr"},
        {"-9223372036854775809", "embstr"},
        {"01", "embstr"},
        {"-0", "embstr"},
        {"+1", "embstr"},
        {" 1", "embstr"},
        {"-", "embstr"},
        {"", "embstr"},
        {"99999999999999999999", "embstr"},
        {"12345678901234567890123456789012345678901234", "embstr"},
        {"123456789012345678901234567890123456789012345", "raw"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice v = slice_str(cases[i].value);
        struct entry *e = entry_new_string(SLICE("k"), v, ENTRY_NO_EXPIRE);
        assert_string_equal(entry_encoding_name(e), cases[i].encoding);
        assert_string_equal(entry_type_name(e), "string");
        expect_entry(e, SLICE("k"), v, ENTRY_NO_EXPIRE);
        entry_free(e);
    }
}

static void a_usual_entry_takes_one_class_of_96_bytes(void **state)
{
    struct entry *e = entry_new_string(letters(16), letters(64), ENTRY_NO_EXPIRE);
    assert_int_equal(entry_inline(e) + 64 - (char *)e, 96);
#ifdef WEFT_JEMALLOC
    assert_int_equal(mem_usable(e), 96);
    assert_int_equal(entry_memory(e, 0), 96);
#endif
    entry_free(e);
}

/* One reference to a blob with these bytes. */
static struct blob *blob_of(const char *bytes, size_t n)
{
    struct blob *b = blob_new(n);
    if (!b) abort();
    memcpy(b->data, bytes, n);
    return b;
}

static const size_t lengths[] = {0, 1, 15, 44, 45, 64, 500, 1023, 1024, 1025, 5000, 70000};

static void values_of_every_length(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        for (int timed = 0; timed < 2; timed++) {
            int64_t ms = timed ? 1234567890123 : ENTRY_NO_EXPIRE;
            struct entry *e = entry_new_string(SLICE("key"), letters(lengths[i]), ms);
            expect_entry(e, SLICE("key"), letters(lengths[i]), ms);
            assert_int_equal(e->access, 0);
            assert_true(entry_memory(e, 0) >= lengths[i]);
            assert_int_equal(entry_free_effort(e), 1);
            entry_free(e);
        }
    }
}

static void keys_of_every_kind(void **state)
{
    struct slice keys[] = {slice_of(NULL, 0), SLICE("a\0b\r\n"), letters(70000)};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct entry *e = entry_new_string(keys[i], SLICE("v"), 5);
        expect_entry(e, keys[i], SLICE("v"), 5);
        entry_free(e);
    }
}

static void a_blob_becomes_the_value_or_is_copied_when_short(void **state)
{
    struct blob *b = blob_of(letters(5000).p, 5000);
    struct entry *e = entry_new_blob(SLICE("k"), b, ENTRY_NO_EXPIRE);
    assert_ptr_equal(e->v.blob, b);
    assert_string_equal(entry_encoding_name(e), "raw");
    entry_free(e);

    b = blob_of("abc", 3);
    e = entry_new_blob(SLICE("k"), b, ENTRY_NO_EXPIRE);
    assert_int_equal(e->enc, ENC_INLINE);
    expect_entry(e, SLICE("k"), SLICE("abc"), ENTRY_NO_EXPIRE);
    entry_free(e);

    b = blob_of("17", 2);
    e = entry_new_blob(SLICE("k"), b, ENTRY_NO_EXPIRE);
    assert_int_equal(e->enc, ENC_INT);
    entry_free(e);
}

static void the_expiry_comes_and_goes(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct slice v = letters(lengths[i]);
        struct entry *e = entry_new_string(SLICE("some key"), v, ENTRY_NO_EXPIRE);
        e->access = 77;
        e = entry_with_expire(e, ENTRY_NO_EXPIRE);
        expect_entry(e, SLICE("some key"), v, ENTRY_NO_EXPIRE);
        e = entry_with_expire(e, 1000);
        expect_entry(e, SLICE("some key"), v, 1000);
        e = entry_with_expire(e, 2000);
        expect_entry(e, SLICE("some key"), v, 2000);
        entry_set_expire(e, 3000);
        expect_entry(e, SLICE("some key"), v, 3000);
        e = entry_with_expire(e, ENTRY_NO_EXPIRE);
        expect_entry(e, SLICE("some key"), v, ENTRY_NO_EXPIRE);
        assert_int_equal(e->access, 77);
        entry_free(e);
    }
}

static void a_key_can_change(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct slice v = letters(lengths[i]);
        struct entry *e = entry_new_string(SLICE("old"), v, 9);
        e->access = 5;
        e = entry_with_key(e, SLICE("a much longer new key"));
        expect_entry(e, SLICE("a much longer new key"), v, 9);
        e = entry_with_key(e, SLICE(""));
        expect_entry(e, SLICE(""), v, 9);
        assert_int_equal(e->access, 5);
        entry_free(e);
    }
}

static void a_copy_is_independent(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct slice v = letters(lengths[i]);
        struct entry *e = entry_new_string(SLICE("a"), v, 9);
        struct entry *copy = entry_dup(e, SLICE("b"), ENTRY_NO_EXPIRE);
        char *bytes;
        e = string_make_writable(e, v.n + 1, &bytes);
        memset(bytes, 'z', v.n + 1);
        expect_entry(copy, SLICE("b"), v, ENTRY_NO_EXPIRE);
        assert_int_equal(e->v.inline_len == 0, false);
        entry_free(e);
        expect_entry(copy, SLICE("b"), v, ENTRY_NO_EXPIRE);
        entry_free(copy);
    }
}

static void a_copy_keeps_the_encoding(void **state)
{
    char *bytes;
    struct entry *e = entry_new_string(SLICE("a"), SLICE("12"), ENTRY_NO_EXPIRE);
    e = string_make_writable(e, 2, &bytes);
    assert_string_equal(entry_encoding_name(e), "raw");
    struct entry *copy = entry_dup(e, SLICE("b"), 1);
    assert_string_equal(entry_encoding_name(copy), "raw");
    entry_free(e);
    entry_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_encoding_follows_the_value),
        cmocka_unit_test(a_usual_entry_takes_one_class_of_96_bytes),
        cmocka_unit_test(values_of_every_length),
        cmocka_unit_test(keys_of_every_kind),
        cmocka_unit_test(a_blob_becomes_the_value_or_is_copied_when_short),
        cmocka_unit_test(the_expiry_comes_and_goes),
        cmocka_unit_test(a_key_can_change),
        cmocka_unit_test(a_copy_is_independent),
        cmocka_unit_test(a_copy_keeps_the_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
