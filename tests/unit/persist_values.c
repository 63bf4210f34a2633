/*
 * persist_values.c - values as bytes: what is written is read back the same in every version; old
 * encodings give the value they hold; what is cut short, changed or made up is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "persist/crc64.h"
#include "persist/persist.h"
#include "persist/rdb_io.h"
#include "persist/value_codec.h"
#include "types/types.h"

/* ---- helpers --------------------------------------------------------------------------------- */

static struct entry *new_list(void)
{
    return entry_new(SLICE("k"), TYPE_LIST, ENC_LISTPACK, list_new(), ENTRY_NO_EXPIRE);
}

static void push(struct entry *e, struct slice s)
{
    list_before_add(e, &s, 1);
    list_push(e, LIST_TAIL, s);
}

static struct slice numbered(char *tmp, const char *prefix, int i)
{
    return slice_of(tmp, (size_t)sprintf(tmp, "%s%d", prefix, i));
}

static struct entry *make_list(int n, size_t extra)
{
    struct entry *e = new_list();
    char *tmp = mem_calloc(64 + extra);
    for (int i = 0; i < n; i++) {
        size_t len = (size_t)sprintf(tmp, "%d", i);
        memset(tmp + len, 'a' + i % 26, extra);
        push(e, slice_of(tmp, len + extra));
    }
    mem_free(tmp);
    return e;
}

static struct entry *make_set(int n, const char *prefix)
{
    struct entry *e = entry_new_set(SLICE("k"));
    char tmp[64];
    for (int i = 0; i < n; i++)
        set_add(e, numbered(tmp, prefix, i));
    return e;
}

static struct entry *make_zset(int n)
{
    struct entry *e = entry_new_zset(SLICE("k"));
    char tmp[64];
    for (int i = 0; i < n; i++)
        zset_add(e, numbered(tmp, "m", i), i % 7 * 1.25 - 3);
    return e;
}

static struct entry *make_hash(int n, int with_time)
{
    struct entry *e = entry_new_hash(SLICE("k"));
    char f[64], v[64];
    if (with_time) hash_allow_expire(e);
    for (int i = 0; i < n; i++) {
        struct slice pair[] = {numbered(f, "f", i), numbered(v, "value", i * i)};
        hash_before_set(e, pair, 2);
        hash_set(e, pair[0], pair[1]);
    }
    for (int i = 0; i < with_time; i++)
        hash_set_expire(e, numbered(f, "f", i), INT64_C(4000000000000) + i);
    return e;
}

/* The value as a text that does not depend on its encoding. */
static void add_elem(struct buf *out, struct slice s)
{
    buf_addf(out, "%zu:", s.n);
    buf_add(out, s.p, s.n);
}

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(buf_slice(a), buf_slice(b));
}

static void add_sorted(struct buf *out, struct buf *elems, size_t n)
{
    qsort(elems, n, sizeof *elems, by_bytes);
    for (size_t i = 0; i < n; i++) {
        add_elem(out, buf_slice(&elems[i]));
        buf_free(&elems[i]);
    }
    mem_free(elems);
}

static void show_list(struct entry *e, struct buf *out)
{
    struct list_iter it;
    bool more = list_seek(e, 0, false, &it);
    for (; more; more = list_step(&it))
        add_elem(out, list_at(&it));
}

static void show_set(struct entry *e, struct buf *out)
{
    struct set_iter it;
    struct slice s;
    size_t n = 0;
    struct buf *elems = mem_calloc((set_len(e) + 1) * sizeof *elems);
    set_first(e, &it);
    while (set_next(&it, &s))
        buf_add(&elems[n++], s.p, s.n);
    add_sorted(out, elems, n);
}

static void show_zset(struct entry *e, struct buf *out)
{
    struct zset_iter it;
    struct slice s;
    double score;
    bool more = zset_seek_rank(e, 0, false, &it);
    for (; more; more = zset_step(&it)) {
        zset_at(&it, &s, &score);
        add_elem(out, s);
        buf_addf(out, "=%.17g ", score);
    }
}

static void show_hash(struct entry *e, struct buf *out)
{
    struct hash_iter it;
    struct slice f, v;
    int64_t ms;
    size_t n = 0;
    struct buf *elems = mem_calloc((hash_len(e) + 1) * sizeof *elems);
    hash_first(e, &it);
    while (hash_next(&it, &f, &v, &ms)) {
        add_elem(&elems[n], f);
        add_elem(&elems[n], v);
        buf_addf(&elems[n++], "@%lld", (long long)ms);
    }
    add_sorted(out, elems, n);
}

static struct buf show(struct entry *e)
{
    struct buf out = {0};
    char tmp[NUM_I64_MAX];
    buf_addf(&out, "%s ", entry_type_name(e));
    switch ((enum value_type)e->type) {
    case TYPE_STRING: add_elem(&out, string_view(e, tmp)); break;
    case TYPE_LIST: show_list(e, &out); break;
    case TYPE_SET: show_set(e, &out); break;
    case TYPE_ZSET: show_zset(e, &out); break;
    case TYPE_HASH: show_hash(e, &out); break;
    case TYPE_STREAM: break;
    }
    buf_cstr(&out);
    return out;
}

static void set_version(unsigned version)
{
    atomic_store(&rdb_settings.version, version);
}

static void round_trip(struct entry *e, unsigned version)
{
    struct buf payload = {0}, again = {0};
    struct entry *back = NULL;
    set_version(version);
    dump_value(e, &payload);
    assert_int_equal(restore_check(buf_slice(&payload)), RESTORE_OK);
    assert_int_equal(restore_value(buf_slice(&payload), SLICE("k"), ENTRY_NO_EXPIRE, &back),
                     RESTORE_OK);
    struct buf a = show(e), b = show(back);
    assert_string_equal(a.p, b.p);
    assert_string_equal(entry_encoding_name(e), entry_encoding_name(back));
    dump_value(back, &again);
    assert_int_equal(again.n, payload.n);
    buf_free(&a);
    buf_free(&b);
    buf_free(&payload);
    buf_free(&again);
    entry_free(back);
}

static void round_trips(struct entry *e)
{
    for (unsigned version = 10; version <= 12; version++)
        round_trip(e, version);
    entry_free(e);
}

/* ---- what is written is read -------------------------------------------------------------------
 */

static void strings_come_back(void **state)
{
    char bytes[5000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)rand_u64();
    static const char *const texts[] = {
        "",           "0",   "-1",   "127", "128",   "-129", "32768",       "99999",
        "2147483648", "007", "3.25", " 1",  "hello", "-0",   "-2147483648", "9223372036854775807"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        round_trips(entry_new_string(SLICE("k"), slice_str(texts[i]), ENTRY_NO_EXPIRE));
    for (size_t n = 1; n <= sizeof bytes; n = n * 3 + 1)
        round_trips(entry_new_string(SLICE("k"), slice_of(bytes, n), ENTRY_NO_EXPIRE));
    memset(bytes, 'x', sizeof bytes);
    round_trips(entry_new_string(SLICE("k"), slice_of(bytes, sizeof bytes), ENTRY_NO_EXPIRE));
}

static void lists_come_back(void **state)
{
    round_trips(make_list(1, 0));
    round_trips(make_list(100, 10));
    round_trips(make_list(5000, 20));
    round_trips(make_list(3, 20000)); /* plain nodes */
    list_limits.compress_depth = 1;
    round_trips(make_list(5000, 20));
    list_limits.compress_depth = 0;
}

static void sets_come_back(void **state)
{
    round_trips(make_set(1, ""));
    round_trips(make_set(500, ""));
    round_trips(make_set(5000, ""));
    round_trips(make_set(1000, "m"));
    set_version(12);
    struct entry *e = make_set(20, "m");
    round_trip(e, 11);
    round_trip(e, 12);
    entry_free(e);
}

static void sorted_sets_come_back(void **state)
{
    round_trips(make_zset(1));
    round_trips(make_zset(100));
    round_trips(make_zset(3000));
    struct entry *e = make_zset(3);
    zset_add(e, SLICE("inf"), 1 / 0.0);
    zset_add(e, SLICE("-inf"), -1 / 0.0);
    zset_add(e, SLICE(""), 0.1);
    round_trips(e);
}

static void hashes_come_back(void **state)
{
    round_trips(make_hash(1, 0));
    round_trips(make_hash(100, 0));
    round_trips(make_hash(3000, 0));
    struct entry *small = make_hash(20, 7), *large = make_hash(3000, 70);
    round_trip(small, 12);
    round_trip(large, 12);
    entry_free(small);
    entry_free(large);
}

/* Versions that know no expiry of fields have the fields all the same. */
static void old_versions_leave_out_the_expiry_of_fields(void **state)
{
    struct entry *e = make_hash(20, 7), *back;
    struct buf payload = {0};
    hash_set_expire(e, SLICE("f3"), 1); /* its time has come */
    set_version(11);
    dump_value(e, &payload);
    assert_int_equal(restore_value(buf_slice(&payload), SLICE("k"), 5, &back), RESTORE_OK);
    assert_int_equal(hash_len(back), 19);
    assert_int_equal(hash_next_expire(back), ENTRY_NO_EXPIRE);
    assert_int_equal(entry_expire(back), 5);
    assert_false(hash_has(back, SLICE("f3")));
    entry_free(back);
    entry_free(e);
    buf_free(&payload);
}

/* ---- old encodings ------------------------------------------------------------------------------
 */

static enum value_result decode(const char *bytes, size_t n, struct entry **out)
{
    struct rdb_reader r;
    uint8_t type;
    rdb_reader_init(&r, bytes, n);
    assert_true(rdb_get_byte(&r, &type));
    enum value_result result = value_decode(&r, type, SLICE("k"), out);
    if (result == VALUE_OK) assert_int_equal(rdb_left(&r), 0);
    if (result == VALUE_BAD) assert_true(r.failed && r.error[0]);
    return result;
}

static void gives(const char *bytes, size_t n, const char *text)
{
    struct entry *e;
    assert_int_equal(decode(bytes, n, &e), VALUE_OK);
    struct buf shown = show(e);
    assert_string_equal(shown.p, text);
    buf_free(&shown);
    entry_free(e);
}
#define GIVES(lit, text) gives(lit, sizeof(lit) - 1, text)

static void results_in(const char *bytes, size_t n, enum value_result want)
{
    struct entry *e;
    enum value_result result = decode(bytes, n, &e);
    assert_int_equal(result, want);
    if (result == VALUE_OK) entry_free(e);
}
#define RESULTS_IN(lit, want) results_in(lit, sizeof(lit) - 1, want)

#define ZIPLIST_AB_1          /* "a", "bb", 1 */                                                   \
    "\x14\0\0\0\x11\0\0\0\x03\0"                                                                   \
    "\0\x01"                                                                                       \
    "a"                                                                                            \
    "\x03\x02"                                                                                     \
    "bb"                                                                                           \
    "\x04\xf2\xff"

static void plain_lists_sets_and_hashes(void **state)
{
    GIVES("\x01\x02\x01"
          "a\xc0\x05",
          "list 1:a1:5");
    GIVES("\x02\x02\x01"
          "b\x01"
          "a",
          "set 1:a1:b");
    GIVES("\x04\x01\x01"
          "f\x01"
          "v",
          "hash 9:1:f1:v@-1");
    GIVES("\x03\x02\x01"
          "a\x03"
          "1.5\x01"
          "b\xfe",
          "zset 1:a=1.5 1:b=inf ");
    RESULTS_IN("\x03\x01\x01"
               "a\xfd",
               VALUE_BAD); /* not a number */
}

static void ziplists(void **state)
{
    GIVES("\x0a\x14" ZIPLIST_AB_1, "list 1:a2:bb1:1");
    GIVES("\x0e\x02\x14" ZIPLIST_AB_1 "\x14" ZIPLIST_AB_1, "list 1:a2:bb1:11:a2:bb1:1");
    GIVES("\x0d\x12\x12\0\0\0\x0e\0\0\0\x02\0\0\x02"
          "f1\x04\xfe\xfb\xff",
          "hash 11:2:f12:-5@-1");
    GIVES("\x0c\x12\x12\0\0\0\x0d\0\0\0\x02\0\0\x01"
          "m\x03\xc0\x00\x01\xff",
          "zset 1:m=256 ");
}

static void ziplists_that_lie(void **state)
{
    char bytes[] = "\x0a\x14" ZIPLIST_AB_1;
    for (size_t i = 1; i < sizeof bytes - 1; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct entry *e;
            bytes[i] ^= (char)(1 << bit);
            if (decode(bytes, sizeof bytes - 1, &e) == VALUE_OK) entry_free(e);
            bytes[i] ^= (char)(1 << bit);
        }
    }
    RESULTS_IN("\x0a\x0b\x0b\0\0\0\x0a\0\0\0\0\0\xff", VALUE_EMPTY);
    RESULTS_IN("\x0a\x0b\x0b\0\0\0\x0b\0\0\0\0\0\xff", VALUE_BAD);   /* tail */
    RESULTS_IN("\x0a\x0b\x0b\0\0\0\x0a\0\0\0\x01\0\xff", VALUE_BAD); /* count */
}

static void zipmaps(void **state)
{
    GIVES("\x09\x0e\x02\x01"
          "f\x01\0"
          "1\x01"
          "g\x02\x01"
          "22.\xff",
          "hash 9:1:f1:1@-110:1:g2:22@-1");
    RESULTS_IN("\x09\x02\0\xff", VALUE_BAD);
    RESULTS_IN("\x09\x04\x01\x01"
               "f\xff",
               VALUE_BAD);
}

static void packed_values_with_doubles(void **state)
{
    RESULTS_IN("\x14\x0d\x0d\0\0\0\x02\0\x81"
               "a\x02\x81"
               "a\x02\xff",
               VALUE_BAD);
    RESULTS_IN("\x10\x10\x10\0\0\0\x04\0\x81"
               "a\x02\x01\x01\x81"
               "a\x02\x02\x01\xff",
               VALUE_BAD);
    RESULTS_IN("\x02\x02\x01"
               "a\x01"
               "a",
               VALUE_BAD);
}

static void empty_values(void **state)
{
    static const char types[] = {1, 2, 3, 4, 5, 14, 18, 22};
    for (size_t i = 0; i < sizeof types; i++) {
        char bytes[] = {types[i], 0};
        results_in(bytes, 2, VALUE_EMPTY);
    }
}

/* ---- what is refused ----------------------------------------------------------------------------
 */

static void lengths_that_the_input_cannot_fill(void **state)
{
    static const char lengths[][10] = {
        "\x81\x7f\xff\xff\xff\xff\xff\xff\xff", "\x80\x7f\xff\xff\xff",
        "\x81\xff\xff\xff\xff\xff\xff\xff\xff", "\x81\x00\x00\x00\xff\xff\xff\xff\xff"};
    size_t before = mem_used();
    for (unsigned type = 0; type < 30; type++) {
        for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
            char bytes[40] = {(char)type};
            memcpy(bytes + 1, lengths[i], 10);
            struct entry *e;
            assert_int_not_equal(decode(bytes, sizeof bytes, &e), VALUE_OK);
        }
    }
    results_in("\0\xc3\x04\x81\0\0\0\x0f\xff\xff\xff\xff"
               "abcd",
               16, VALUE_BAD);
    assert_true(mem_used() < before + (64 << 20));
}

static void payloads_cut_short(void **state)
{
    struct entry *values[] = {make_list(300, 30), make_set(40, "m"), make_set(400, "m"),
                              make_zset(30),      make_zset(400),    make_hash(30, 0),
                              make_hash(30, 5),   make_hash(800, 9)};
    set_version(12);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct buf payload = {0};
        dump_value(values[i], &payload);
        for (size_t n = 1; n < payload.n - 10; n += 1 + n / 50) {
            struct entry *e;
            assert_int_not_equal(decode(payload.p, n, &e), VALUE_OK);
        }
        buf_free(&payload);
        entry_free(values[i]);
    }
}

static void a_wrong_footer(void **state)
{
    struct buf p = {0};
    struct entry *e = entry_new_string(SLICE("k"), SLICE("value"), ENTRY_NO_EXPIRE);
    set_version(12);
    dump_value(e, &p);
    for (size_t i = 0; i < p.n; i++) {
        p.p[i] ^= 1;
        assert_int_equal(restore_check(buf_slice(&p)), RESTORE_BAD_FOOTER);
        p.p[i] ^= 1;
    }
    assert_int_equal(restore_check(slice_of(p.p, 9)), RESTORE_BAD_FOOTER);
    p.p[p.n - 10] = 13; /* a later version */
    uint64_t crc = crc64(0, p.p, p.n - 8);
    memcpy(p.p + p.n - 8, &crc, 8);
    assert_int_equal(restore_check(buf_slice(&p)), RESTORE_BAD_FOOTER);
    buf_free(&p);
    entry_free(e);
}

/* ---- pieces -------------------------------------------------------------------------------------
 */

static void the_checksum(void **state)
{
    assert_true(crc64(0, "123456789", 9) == UINT64_C(0xe9c6d914c4b8d9ca));
    char text[100];
    memset(text, 'a', sizeof text);
    for (size_t n = 0; n < sizeof text; n++)
        assert_true(crc64(crc64(0, text, n), text + n, 100 - n) == crc64(0, text, 100));
}

static void lengths_and_integers(void **state)
{
    static const uint64_t lens[] = {0,         63, 64, 16383, 16384, UINT32_MAX, UINT32_MAX + 1ull,
                                    UINT64_MAX};
    struct rdb_writer w = {.version = 12};
    struct rdb_reader r;
    for (size_t i = 0; i < ARRAY_LEN(lens); i++)
        rdb_put_len(&w, lens[i]);
    assert_int_equal(w.out.n, 1 + 1 + 2 + 2 + 5 + 5 + 9 + 9);
    rdb_reader_init(&r, w.out.p, w.out.n);
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        uint64_t n;
        assert_true(rdb_get_len(&r, &n));
        assert_true(n == lens[i]);
    }
    uint64_t n;
    assert_false(rdb_get_len(&r, &n));
    assert_true(r.failed);
    buf_free(&w.out);
}

int main(void)
{
    mem_thread_attach();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_come_back),
        cmocka_unit_test(lists_come_back),
        cmocka_unit_test(sets_come_back),
        cmocka_unit_test(sorted_sets_come_back),
        cmocka_unit_test(hashes_come_back),
        cmocka_unit_test(old_versions_leave_out_the_expiry_of_fields),
        cmocka_unit_test(plain_lists_sets_and_hashes),
        cmocka_unit_test(ziplists),
        cmocka_unit_test(ziplists_that_lie),
        cmocka_unit_test(zipmaps),
        cmocka_unit_test(packed_values_with_doubles),
        cmocka_unit_test(empty_values),
        cmocka_unit_test(lengths_that_the_input_cannot_fill),
        cmocka_unit_test(payloads_cut_short),
        cmocka_unit_test(a_wrong_footer),
        cmocka_unit_test(the_checksum),
        cmocka_unit_test(lengths_and_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
