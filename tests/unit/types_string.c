/*
 * types_string.c - string values: overwriting in place or not, growing, and blobs whose bytes are
 * also somebody else's. A random walk checks every transition against a plain buffer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "types/types.h"

static char text[300000];

static struct slice letters(size_t n)
{
    return slice_of(text, n);
}

static void expect_text(const struct entry *e, struct slice want)
{
    char tmp[NUM_I64_MAX];
    struct slice got = string_view(e, tmp);
    assert_int_equal(got.n, want.n);
    if (want.n) assert_memory_equal(got.p, want.p, want.n);
}

static struct entry *new_value(struct slice v)
{
    return entry_new_string(SLICE("some:key"), v, ENTRY_NO_EXPIRE);
}

/* One reference to a blob with these bytes. */
static struct blob *blob_of(const char *bytes, size_t n)
{
    struct blob *b = blob_new(n);
    if (!b) abort();
    memcpy(b->data, bytes, n);
    return b;
}

static const size_t lengths[] = {0, 1, 20, 44, 45, 64, 65, 200, 1000, 1024, 1025, 3000, 200000};

static void any_value_overwrites_any_other(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        for (size_t j = 0; j < ARRAY_LEN(lengths); j++) {
            struct entry *e = entry_new_string(SLICE("k"), letters(lengths[i]), 42);
            e->access = 3;
            e = string_set(e, letters(lengths[j]));
            expect_text(e, letters(lengths[j]));
            assert_int_equal(entry_expire(e), 42);
            assert_int_equal(e->access, 3);
            assert_true(slice_eq(entry_key(e), SLICE("k")));
            e = string_set_int(e, -7);
            expect_text(e, SLICE("-7"));
            e = string_set(e, letters(lengths[i]));
            expect_text(e, letters(lengths[i]));
            entry_free(e);
        }
    }
}

static void a_value_of_the_same_size_stays_in_place(void **state)
{
    struct entry *e = new_value(letters(64)), *before = e;
    e = string_set(e, slice_of(text + 1, 64));
    assert_ptr_equal(e, before);
    expect_text(e, slice_of(text + 1, 64));
    entry_free(e);

    e = before = new_value(SLICE("1"));
    e = string_set(e, SLICE("123456789"));
    assert_ptr_equal(e, before);
    assert_int_equal(e->enc, ENC_INT);
    entry_free(e);
}

static void a_much_shorter_value_gives_memory_back(void **state)
{
    struct entry *e = new_value(letters(1000));
    size_t before = entry_memory(e, 0);
    e = string_set(e, letters(30));
    assert_true(entry_memory(e, 0) < before / 4);
    entry_free(e);

    e = new_value(letters(200000));
    e = string_set(e, letters(30));
    assert_true(entry_memory(e, 0) < 200);
    entry_free(e);
}

static void numbers_are_seen_in_every_encoding(void **state)
{
    int64_t v;
    char *bytes;
    struct entry *e = new_value(SLICE("-12"));
    assert_true(string_to_i64(e, &v));
    assert_int_equal(v, -12);
    assert_int_equal(string_len(e), 3);
    e = string_make_writable(e, 0, &bytes);
    assert_int_equal(e->enc, ENC_INLINE_RAW);
    assert_true(string_to_i64(e, &v));
    assert_int_equal(v, -12);
    bytes[0] = '0';
    assert_false(string_to_i64(e, &v));
    e = string_set(e, letters(5000));
    assert_false(string_to_i64(e, &v));
    e = string_set(e, SLICE(""));
    assert_false(string_to_i64(e, &v));
    entry_free(e);
}

static void a_modified_value_is_raw(void **state)
{
    char *bytes;
    struct entry *e = new_value(SLICE("foo"));
    assert_string_equal(entry_encoding_name(e), "embstr");
    e = string_make_writable(e, 6, &bytes);
    assert_memory_equal(bytes, "foo\0\0", 6);
    memcpy(bytes + 3, "bar", 3);
    expect_text(e, SLICE("foobar"));
    assert_string_equal(entry_encoding_name(e), "raw");
    e = string_set(e, SLICE("foobar"));
    assert_string_equal(entry_encoding_name(e), "embstr");
    entry_free(e);
}

static void growing_fills_with_zeros(void **state)
{
    static const char zeros[300000];
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        for (size_t j = i + 1; j < ARRAY_LEN(lengths); j++) {
            char *bytes;
            struct entry *e = new_value(letters(lengths[i]));
            e = string_make_writable(e, lengths[j], &bytes);
            assert_int_equal(string_len(e), lengths[j]);
            if (lengths[i]) assert_memory_equal(bytes, text, lengths[i]);
            assert_memory_equal(bytes + lengths[i], zeros, lengths[j] - lengths[i]);
            entry_free(e);
        }
    }
}

/* Appending n bytes one at a time: how often was there a new place for them? */
static size_t moves_of_appending(size_t n)
{
    size_t moves = 0;
    const char *at = NULL;
    struct entry *e = new_value(letters(1));
    for (size_t len = 1; len < n; len++) {
        char *bytes;
        e = string_make_writable(e, len + 1, &bytes);
        bytes[len] = text[len];
        moves += bytes != at;
        at = bytes;
    }
    expect_text(e, letters(n));
    entry_free(e);
    return moves;
}

static void appending_is_amortised(void **state)
{
    assert_in_range(moves_of_appending(1024), 1, 12);
    assert_in_range(moves_of_appending(sizeof text), 1, 24);
}

static void slack_is_bounded(void **state)
{
    char *bytes;
    struct entry *e = new_value(letters(10));
    e = string_make_writable(e, 10 << 20, &bytes);
    assert_in_range(e->v.blob->cap, 10 << 20, 11 << 20);
    e = string_make_writable(e, 12 << 20, &bytes);
    assert_in_range(e->v.blob->cap, 12 << 20, 13 << 20);
    entry_free(e);

    e = new_value(SLICE(""));
    e = string_make_writable(e, 5000, &bytes);
    assert_int_equal(e->v.blob->cap, 5000);
    entry_free(e);
}

static void too_much_is_refused_and_changes_nothing(void **state)
{
    char *bytes;
    struct entry *e = new_value(letters(10));
    assert_null(string_make_writable(e, SIZE_MAX / 2, &bytes));
    expect_text(e, letters(10));
    e = string_set(e, letters(5000));
    assert_null(string_make_writable(e, SIZE_MAX / 2, &bytes));
    expect_text(e, letters(5000));
    entry_free(e);
    assert_null(blob_new(SIZE_MAX));
}

static void a_blob_in_a_reply_is_never_written(void **state)
{
    char *bytes;
    struct entry *e = new_value(letters(5000));
    struct blob *held = blob_ref(e->v.blob);
    e = string_make_writable(e, 5000, &bytes);
    assert_ptr_not_equal(e->v.blob, held);
    memset(bytes, 'x', 5000);
    assert_memory_equal(held->data, text, 5000);
    assert_int_equal(atomic_load(&held->refs), 1);
    blob_unref(held);

    held = blob_ref(e->v.blob);
    e = string_set(e, SLICE("short"));
    assert_int_equal(held->data[4999], 'x');
    entry_free(e);
    blob_unref(held);
}

static void a_blob_given_is_the_value(void **state)
{
    struct entry *e = new_value(letters(10));
    struct blob *b = blob_of(text, 4000);
    e = string_set_blob(e, b);
    assert_ptr_equal(e->v.blob, b);
    expect_text(e, letters(4000));

    b = blob_of("42", 2);
    e = string_set_blob(e, b);
    assert_int_equal(e->enc, ENC_INT);
    assert_int_equal(e->v.i, 42);
    entry_free(e);
}

/* ---- every transition, at random ------------------------------------------------------------- */

struct model {
    struct entry *e;
    char *bytes;
    size_t n;
};

static size_t random_len(void)
{
    static const size_t most[] = {3, 60, 70, 1100, 5000};
    return rand_below(most[rand_below(ARRAY_LEN(most))]);
}

static void model_set(struct model *m, struct slice v)
{
    m->n = v.n;
    if (v.n) memcpy(m->bytes, v.p, v.n);
}

static void random_step(struct model *m)
{
    struct slice v = slice_of(text + rand_below(100), random_len());
    char number[NUM_I64_MAX], *bytes;
    size_t len;
    switch (rand_below(6)) {
    case 0:
        m->e = string_set(m->e, v);
        model_set(m, v);
        break;
    case 1:
        len = num_fmt_i64(number, (int64_t)rand_below(1000000) - 500000);
        m->e = string_set(m->e, slice_of(number, len));
        model_set(m, slice_of(number, len));
        assert_int_equal(m->e->enc, ENC_INT);
        break;
    case 2:
        m->e = string_make_writable(m->e, v.n, &bytes);
        if (v.n > m->n) memset(m->bytes + m->n, 0, v.n - m->n);
        m->n = MAX(m->n, v.n);
        if (v.n) memcpy(bytes, v.p, v.n), memcpy(m->bytes, v.p, v.n);
        break;
    case 3: m->e = entry_with_expire(m->e, rand_below(2) ? 5 : ENTRY_NO_EXPIRE); break;
    case 4: m->e = entry_with_key(m->e, slice_of(text, rand_below(40))); break;
    case 5: {
        struct entry *copy = entry_dup(m->e, entry_key(m->e), entry_expire(m->e));
        entry_free(m->e);
        m->e = copy;
    }
    }
}

static void random_walk(void **state)
{
    struct model m = {new_value(SLICE("")), mem_alloc(sizeof text), 0};
    for (int i = 0; i < 100000; i++) {
        random_step(&m);
        expect_text(m.e, slice_of(m.bytes, m.n));
    }
    entry_free(m.e);
    mem_free(m.bytes);
}

int main(void)
{
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 23);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_value_overwrites_any_other),
        cmocka_unit_test(a_value_of_the_same_size_stays_in_place),
        cmocka_unit_test(a_much_shorter_value_gives_memory_back),
        cmocka_unit_test(numbers_are_seen_in_every_encoding),
        cmocka_unit_test(a_modified_value_is_raw),
        cmocka_unit_test(growing_fills_with_zeros),
        cmocka_unit_test(appending_is_amortised),
        cmocka_unit_test(slack_is_bounded),
        cmocka_unit_test(too_much_is_refused_and_changes_nothing),
        cmocka_unit_test(a_blob_in_a_reply_is_never_written),
        cmocka_unit_test(a_blob_given_is_the_value),
        cmocka_unit_test(random_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
