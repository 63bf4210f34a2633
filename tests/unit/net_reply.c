/*
 * net_reply.c - the reply builder: every form byte by byte, aggregates over chunk boundaries,
 * rollback, muting, referenced blobs, accounting, and sending to a slow reader.
 */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/reply.h"

static struct buf text_of(const struct reply *r)
{
    struct buf out = {0};
    reply_copy_out(r, &out);
    assert_int_equal(out.n, reply_pending(r));
    return out;
}

/* Compares what waits with text, and drops it. */
static void expect_bytes(struct reply *r, const char *text, size_t n)
{
    struct buf out = text_of(r);
    assert_int_equal(out.n, n);
    if (n) assert_memory_equal(out.p, text, n);
    buf_free(&out);
    uint8_t resp = r->resp;
    reply_clear(r);
    assert_int_equal(r->memory, 0);
    assert_int_equal(reply_pending(r), 0);
    r->resp = resp;
}
#define EXPECT(r, text) expect_bytes(r, text, sizeof(text) - 1)

static struct reply reply_of(uint8_t resp)
{
    struct reply r;
    reply_init(&r);
    r.resp = resp;
    return r;
}

/* One call in both protocols. */
#define FORMS(call, text2, text3)                                                                  \
    do {                                                                                           \
        struct reply reply2 = reply_of(2), reply3 = reply_of(3), *r;                               \
        r = &reply2;                                                                               \
        call;                                                                                      \
        EXPECT(r, text2);                                                                          \
        r = &reply3;                                                                               \
        call;                                                                                      \
        EXPECT(r, text3);                                                                          \
    } while (0)
#define SAME(call, text) FORMS(call, text, text)

/* ---- forms ---------------------------------------------------------------------------------- */

static void simple_forms(void **state)
{
    SAME(reply_ok(r), "+OK\r\n");
    SAME(reply_queued(r), "+QUEUED\r\n");
    SAME(reply_zero(r), ":0\r\n");
    SAME(reply_one(r), ":1\r\n");
    SAME(reply_status(r, "PONG"), "+PONG\r\n");
    SAME(reply_raw(r, "ab", 2), "ab");
    SAME(reply_literal(r, "x\0y"), "x\0y");
}

static void integers(void **state)
{
    SAME(reply_int(r, 0), ":0\r\n");
    SAME(reply_int(r, 9), ":9\r\n");
    SAME(reply_int(r, 10), ":10\r\n");
    SAME(reply_int(r, -1), ":-1\r\n");
    SAME(reply_int(r, INT64_MAX), ":9223372036854775807\r\n");
    SAME(reply_int(r, INT64_MIN), ":-9223372036854775808\r\n");
    SAME(reply_bulk_int(r, -42), "$3\r\n-42\r\n");
}

static void bulks(void **state)
{
    SAME(reply_bulk(r, SLICE("")), "$0\r\n\r\n");
    SAME(reply_bulk(r, slice_of(NULL, 0)), "$0\r\n\r\n");
    SAME(reply_bulk(r, SLICE("a\r\n\0b")), "$5\r\na\r\n\0b\r\n");
    SAME(reply_bulk_str(r, "hello"), "$5\r\nhello\r\n");
    SAME(reply_bulkf(r, "%d-%s", 7, "x"), "$3\r\n7-x\r\n");
}

static void bulks_of_every_length(void **state)
{
    char data[300], text[400];
    for (size_t n = 0; n < sizeof data; n++) {
        struct reply r = reply_of(2);
        memset(data, 'a' + (int)(n % 26), n);
        int len = snprintf(text, sizeof text, "$%zu\r\n%.*s\r\n", n, (int)n, data);
        reply_bulk(&r, slice_of(data, n));
        reply_bulk(&r, slice_of(data, n));
        char twice[800];
        memcpy(twice, text, (size_t)len);
        memcpy(twice + len, text, (size_t)len);
        expect_bytes(&r, twice, 2 * (size_t)len);
    }
}

static void nulls_and_bools(void **state)
{
    FORMS(reply_null(r), "$-1\r\n", "_\r\n");
    FORMS(reply_null_array(r), "*-1\r\n", "_\r\n");
    FORMS(reply_bool(r, true), ":1\r\n", "#t\r\n");
    FORMS(reply_bool(r, false), ":0\r\n", "#f\r\n");
}

static void doubles(void **state)
{
    FORMS(reply_double(r, 1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
    FORMS(reply_double(r, 3), "$1\r\n3\r\n", ",3\r\n");
    FORMS(reply_double(r, 0.1), "$3\r\n0.1\r\n", ",0.1\r\n");
    FORMS(reply_double(r, INFINITY), "$3\r\ninf\r\n", ",inf\r\n");
    FORMS(reply_double(r, -INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
    FORMS(reply_double(r, NAN), "$3\r\nnan\r\n", ",nan\r\n");
    FORMS(reply_double(r, -NAN), "$3\r\nnan\r\n", ",nan\r\n");
}

static void texts(void **state)
{
    FORMS(reply_verbatim(r, "txt", SLICE("some\ntext")), "$9\r\nsome\ntext\r\n",
          "=13\r\ntxt:some\ntext\r\n");
    FORMS(reply_verbatim(r, "mkd", SLICE("")), "$0\r\n\r\n", "=4\r\nmkd:\r\n");
    FORMS(reply_big_number(r, SLICE("1234567999999999999999999999999999999")),
          "$37\r\n1234567999999999999999999999999999999\r\n",
          "(1234567999999999999999999999999999999\r\n");
}

static void aggregates(void **state)
{
    SAME(reply_array(r, 0), "*0\r\n");
    SAME(reply_array(r, 9), "*9\r\n");
    SAME(reply_array(r, 12345), "*12345\r\n");
    SAME(reply_empty_array(r), "*0\r\n");
    FORMS(reply_map(r, 3), "*6\r\n", "%3\r\n");
    FORMS(reply_set(r, 10), "*10\r\n", "~10\r\n");
    FORMS(reply_push(r, 2), "*2\r\n", ">2\r\n");
    struct reply r3 = reply_of(3);
    reply_attribute(&r3, 1);
    EXPECT(&r3, "|1\r\n");
}

static void entries(void **state)
{
    struct entry *e = entry_new_string(SLICE("k"), SLICE("value"), ENTRY_NO_EXPIRE);
    SAME(reply_bulk_entry(r, e), "$5\r\nvalue\r\n");
    entry_free(e);
    e = entry_new_string(SLICE("k"), SLICE("12345"), 1000);
    SAME(reply_bulk_entry(r, e), "$5\r\n12345\r\n");
    entry_free(e);
    char *big = mem_alloc(100000), *text = mem_alloc(100011);
    memset(big, 'v', 100000);
    e = entry_new_string(SLICE("k"), slice_of(big, 100000), ENTRY_NO_EXPIRE);
    struct reply r = reply_of(2);
    reply_bulk_entry(&r, e);
    entry_free(e); /* the reply has a reference of its own */
    memcpy(text, "$100000\r\n", 9);
    memcpy(text + 9, big, 100000);
    memcpy(text + 100009, "\r\n", 2);
    expect_bytes(&r, text, 100011);
    mem_free(big);
    mem_free(text);
}

/* ---- errors --------------------------------------------------------------------------------- */

static void errors(void **state)
{
    struct reply r = reply_of(2);
    reply_error(&r, "ERR no such key");
    reply_errorf(&r, "WRONGTYPE %s %d", "x", 1);
    assert_string_equal(r.last_error, "WRONGTYPE");
    reply_error(&r, "ERR two\r\nlines\nhere\r\n");
    assert_string_equal(r.last_error, "ERR");
    reply_error(&r, "ONEWORD");
    assert_string_equal(r.last_error, "ONEWORD");
    assert_int_equal(r.errors, 4);
    EXPECT(&r, "-ERR no such key\r\n-WRONGTYPE x 1\r\n-ERR two  lines here\r\n-ONEWORD\r\n");
    reply_error(&r, "AVERYLONGWORDTHATISLONGERTHANTHEROOMFORIT x");
    assert_int_equal(strlen(r.last_error), sizeof r.last_error - 1);
    reply_clear(&r);
}

static void long_error(void **state)
{
    struct reply r = reply_of(2);
    char *text = mem_alloc(50001), *whole = mem_alloc(50004);
    memset(text, 'e', 50000);
    text[50000] = '\0';
    snprintf(whole, 50004, "-%s\r\n", text);
    reply_error(&r, text);
    expect_bytes(&r, whole, 50003);
    mem_free(text);
    mem_free(whole);
}

/* ---- aggregates closed late ----------------------------------------------------------------- */

static void open_and_close(void **state)
{
    struct reply r = reply_of(3);
    struct reply_mark a = reply_open(&r);
    reply_int(&r, 1);
    struct reply_mark b = reply_open(&r);
    reply_close_set(&r, b, 0);
    struct reply_mark c = reply_open(&r);
    reply_bulk_str(&r, "k");
    reply_bulk_str(&r, "v");
    reply_close_map(&r, c, 1);
    reply_close_array(&r, a, 3);
    reply_ok(&r);
    EXPECT(&r, "*3\r\n:1\r\n~0\r\n%1\r\n$1\r\nk\r\n$1\r\nv\r\n+OK\r\n");
    r.resp = 2;
    a = reply_open(&r);
    b = reply_open(&r);
    reply_close_map(&r, b, 100);
    reply_close_set(&r, a, 1);
    EXPECT(&r, "*1\r\n*200\r\n");
}

/* Builds a random tree twice: with lengths known first, and late. */
static void build_tree(struct reply *late, struct buf *want, int depth)
{
    size_t n = rand_below(depth > 3 ? 3 : 12);
    struct reply_mark mark = reply_open(late);
    buf_addf(want, "*%zu\r\n", n);
    for (size_t i = 0; i < n; i++) {
        if (depth < 5 && rand_below(2)) {
            build_tree(late, want, depth + 1);
            continue;
        }
        char data[2000];
        size_t len = rand_below(rand_below(10) ? 50 : sizeof data);
        memset(data, 'a' + (int)i, len);
        buf_addf(want, "$%zu\r\n", len);
        buf_add(want, data, len);
        buf_addz(want, "\r\n");
        reply_bulk(late, slice_of(data, len));
    }
    reply_close_array(late, mark, n);
}

static void nested_over_chunks(void **state)
{
    for (int round = 0; round < 50; round++) {
        struct reply r = reply_of(2);
        struct buf want = {0};
        for (int i = 0; i < 5; i++) build_tree(&r, &want, 0);
        expect_bytes(&r, want.p, want.n);
        buf_free(&want);
    }
}

static void open_with_blobs(void **state)
{
    struct reply r = reply_of(2);
    struct blob *blob = blob_new(20000);
    memset(blob->data, 'b', 20000);
    struct buf want = {0};
    struct reply_mark a = reply_open(&r), b = reply_open(&r);
    reply_bulk_blob(&r, blob);
    reply_bulk_blob(&r, blob);
    reply_close_array(&r, b, 2);
    reply_int(&r, 77);
    reply_close_array(&r, a, 2);
    buf_addz(&want, "*2\r\n*2\r\n");
    for (int i = 0; i < 2; i++) {
        buf_addz(&want, "$20000\r\n");
        buf_add(&want, blob->data, 20000);
        buf_addz(&want, "\r\n");
    }
    buf_addz(&want, ":77\r\n");
    blob_unref(blob);
    expect_bytes(&r, want.p, want.n);
    buf_free(&want);
}

/* ---- rollback ------------------------------------------------------------------------------- */

static void add_much(struct reply *r)
{
    struct blob *blob = blob_new(30000);
    memset(blob->data, 'x', 30000);
    for (int i = 0; i < 2000; i++) reply_bulk_str(r, "some text that is dropped later");
    reply_bulk_blob(r, blob);
    reply_bulk_blob(r, blob);
    blob_unref(blob);
}

static void rollback(void **state)
{
    struct reply r = reply_of(2);
    struct reply_mark start = reply_position(&r);
    add_much(&r);
    reply_rollback(&r, start);
    assert_int_equal(reply_pending(&r), 0);
    assert_int_equal(r.memory, 0);
    reply_ok(&r);
    struct reply_mark mark = reply_position(&r);
    reply_int(&r, 5);
    reply_rollback(&r, mark);
    add_much(&r);
    reply_rollback(&r, mark);
    reply_rollback(&r, mark);
    reply_one(&r);
    assert_int_equal(r.memory, REPLY_CHUNK);
    EXPECT(&r, "+OK\r\n:1\r\n");
}

/* A mark in a chunk that lies between referenced blobs. */
static void rollback_between_blobs(void **state)
{
    struct reply r = reply_of(2);
    struct blob *blob = blob_new(20000);
    memset(blob->data, 'b', 20000);
    struct buf want = {0};
    reply_bulk_blob(&r, blob);
    reply_ok(&r);
    buf_addz(&want, "$20000\r\n");
    buf_add(&want, blob->data, 20000);
    buf_addz(&want, "\r\n+OK\r\n");
    struct reply_mark mark = reply_position(&r);
    for (int i = 0; i < 20; i++) reply_bulk_blob(&r, blob);
    reply_rollback(&r, mark);
    reply_bulk_blob(&r, blob);
    reply_rollback(&r, mark);
    assert_int_equal(atomic_load(&blob->refs), 2);
    expect_bytes(&r, want.p, want.n);
    assert_int_equal(atomic_load(&blob->refs), 1);
    blob_unref(blob);
    buf_free(&want);
}

/* ---- muting --------------------------------------------------------------------------------- */

static void build_everything(struct reply *r)
{
    struct entry *e = entry_new_string(SLICE("k"), SLICE("value"), ENTRY_NO_EXPIRE);
    reply_ok(r);
    reply_int(r, 3);
    reply_int(r, 300);
    reply_status(r, "x");
    reply_bulk_str(r, "short");
    reply_bulkf(r, "%0300d", 1);
    reply_bulk_int(r, 5);
    reply_bulk_entry(r, e);
    reply_null(r);
    reply_null_array(r);
    reply_bool(r, true);
    reply_double(r, 1.5);
    reply_verbatim(r, "txt", SLICE("text"));
    reply_big_number(r, SLICE("123"));
    reply_array(r, 3);
    reply_map(r, 3);
    reply_set(r, 3);
    reply_push(r, 3);
    reply_close_array(r, reply_open(r), 0);
    reply_rollback(r, reply_position(r));
    reply_room(r, 100);
    memset(r->p, 'x', 60);
    r->p += 60;
    reply_room(r, 40000);
    memset(r->p, 'x', 40000);
    r->p += 40000;
    reply_raw(r, "raw", 3);
    add_much(r);
    entry_free(e);
}

static void muted(void **state)
{
    for (uint8_t resp = 2; resp <= 3; resp++) {
        struct reply r = reply_of(resp);
        reply_mute(&r, true);
        build_everything(&r);
        assert_int_equal(reply_pending(&r), 0);
        reply_mute(&r, false);
        reply_ok(&r);
        reply_mute(&r, true);
        reply_mute(&r, true);
        build_everything(&r);
        reply_error(&r, "ERR muted");
        assert_int_equal(r.errors, 1);
        assert_int_equal(reply_pending(&r), 5);
        reply_mute(&r, false);
        reply_one(&r);
        assert_int_equal(r.memory, REPLY_CHUNK);
        EXPECT(&r, "+OK\r\n:1\r\n");
    }
}

/* ---- sending -------------------------------------------------------------------------------- */

/* The body of a test that needs coroutines; failures in it end the program. */
static void (*body)(void);

static void run_body(void *arg)
{
    body();
    rt_stop();
}

static void in_runtime(void (*fn)(void))
{
    struct rt_config config = {.workers = 1};
    body = fn;
    assert_int_equal(rt_run(&config, run_body, NULL), RT_OK);
}

static void nonblocking_pair(int fds[2])
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
}

/* Reads at most n bytes of what is there. */
static void read_some(int fd, size_t n, struct buf *got)
{
    buf_reserve(got, n);
    ssize_t k = read(fd, got->p + got->n, n);
    if (k > 0) got->n += (size_t)k;
}

static void send_small(void)
{
    int fds[2];
    nonblocking_pair(fds);
    struct sock *s = sock_new(fds[0]);
    struct reply r = reply_of(2);
    uint64_t sent = 0;
    CHECK(reply_flush(&r, s, &sent) == RT_OK && sent == 0);
    reply_ok(&r);
    CHECK(reply_flush(&r, s, &sent) == RT_OK && sent == 5);
    CHECK(reply_pending(&r) == 0 && r.memory == REPLY_CHUNK);
    reply_one(&r);
    CHECK(!reply_make_idle(&r));
    CHECK(reply_flush(&r, s, NULL) == RT_OK && r.total == 9);
    CHECK(reply_make_idle(&r) && r.memory == 0);
    struct buf got = {0};
    read_some(fds[1], 100, &got);
    CHECK(slice_eq(buf_slice(&got), SLICE("+OK\r\n:1\r\n")));
    close(fds[1]);
    reply_ok(&r);
    CHECK(reply_flush(&r, s, NULL) < 0);
    reply_clear(&r);
    sock_close(s);
    buf_free(&got);
}

static void small_replies(void **state)
{
    in_runtime(send_small);
}

/* A reply of copies, large copies and references. */
static void build_large(struct reply *r)
{
    struct blob *blob = blob_new(300000);
    for (size_t i = 0; i < blob->len; i++) blob->data[i] = (char)(i * 7 + (i >> 9));
    for (int i = 0; i < 20; i++) {
        for (int k = 0; k < 100; k++) reply_bulkf(r, "value number %d of %d", k, i);
        reply_bulk_blob(r, blob);
        reply_bulk(r, slice_of(blob->data, 1000 + (size_t)i * 3000));
        if (i % 3 == 0) reply_bulk_blob(r, blob);
    }
    blob_unref(blob);
}

static void send_to_slow_reader(void)
{
    int fds[2];
    nonblocking_pair(fds);
    struct sock *s = sock_new(fds[0]);
    struct reply r = reply_of(2);
    struct buf want = {0}, got = {0};
    build_large(&r);
    reply_copy_out(&r, &want);
    uint64_t sent = 0;
    int rc, refused = 0;
    while ((rc = reply_flush(&r, s, &sent)) == RT_EAGAIN) {
        CHECK(reply_pending(&r) == want.n - sent);
        read_some(fds[1], 1 + rand_below(50000), &got);
        refused++;
    }
    CHECK(rc == RT_OK && sent == want.n && refused > 0);
    CHECK(r.memory == REPLY_CHUNK);
    while (got.n < want.n) read_some(fds[1], 100000, &got);
    CHECK(slice_eq(buf_slice(&got), buf_slice(&want)));
    reply_ok(&r);
    CHECK(reply_flush(&r, s, &sent) == RT_OK);
    reply_clear(&r);
    CHECK(r.memory == 0 && r.total == sent);
    sock_close(s);
    close(fds[1]);
    buf_free(&want);
    buf_free(&got);
}

static void slow_reader(void **state)
{
    in_runtime(send_to_slow_reader);
}

/* What waits is sent while muted; more is built behind what was sent in part. */
static void send_while_muted(void)
{
    int fds[2];
    nonblocking_pair(fds);
    struct sock *s = sock_new(fds[0]);
    struct reply r = reply_of(2);
    struct buf got = {0};
    reply_ok(&r);
    reply_mute(&r, true);
    reply_one(&r);
    CHECK(reply_flush(&r, s, NULL) == RT_OK);
    reply_one(&r);
    CHECK(reply_flush(&r, s, NULL) == RT_OK);
    CHECK(reply_make_idle(&r));
    reply_one(&r);
    reply_mute(&r, false);
    reply_zero(&r);
    CHECK(reply_flush(&r, s, NULL) == RT_OK);
    read_some(fds[1], 100, &got);
    CHECK(slice_eq(buf_slice(&got), SLICE("+OK\r\n:0\r\n")));
    reply_clear(&r);
    sock_close(s);
    close(fds[1]);
    buf_free(&got);
}

static void muted_sending(void **state)
{
    in_runtime(send_while_muted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_forms),
        cmocka_unit_test(integers),
        cmocka_unit_test(bulks),
        cmocka_unit_test(bulks_of_every_length),
        cmocka_unit_test(nulls_and_bools),
        cmocka_unit_test(doubles),
        cmocka_unit_test(texts),
        cmocka_unit_test(aggregates),
        cmocka_unit_test(entries),
        cmocka_unit_test(errors),
        cmocka_unit_test(long_error),
        cmocka_unit_test(open_and_close),
        cmocka_unit_test(nested_over_chunks),
        cmocka_unit_test(open_with_blobs),
        cmocka_unit_test(rollback),
        cmocka_unit_test(rollback_between_blobs),
        cmocka_unit_test(muted),
        cmocka_unit_test(small_replies),
        cmocka_unit_test(slow_reader),
        cmocka_unit_test(muted_sending),
    };
    signal(SIGPIPE, SIG_IGN);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    reply_cache_trim();
    return failed;
}
