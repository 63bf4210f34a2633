/*
 * net_resp.c - the request parser: limits and texts, every way to cut the input, pipelines, blobs.
 *
 * A transcript is what comes out of the parser for an input, as text: "(argc) len:bytes ..." a
 * request, and "!text" when it ends in an error. It must not depend on how the input was cut.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "net/resp.h"

static struct resp_limits limits = {512 << 20, 1 << 30, INT_MAX, true};

/* ---- transcripts ---------------------------------------------------------------------------- */

static void note_request(struct buf *out, const struct request *r)
{
    size_t bytes = 0;
    buf_addf(out, "(%u)", r->argc);
    for (uint32_t i = 0; i < r->argc; i++) {
        buf_addf(out, " %zu:", r->argv[i].n);
        buf_add(out, r->argv[i].p, r->argv[i].n);
        bytes += r->argv[i].n;
    }
    buf_addc(out, '\n');
    assert_int_equal(bytes, r->bytes);
}

/* Takes out what there is, `batch` requests at a time. True while the parser is alive. */
static bool drain(struct resp_parser *ps, size_t batch, struct buf *out)
{
    struct request requests[16];
    for (;;) {
        size_t n = 0;
        bool full = false;
        enum resp_status status = RESP_REQUEST;
        while (n < batch) {
            status = resp_next(ps, &limits, &requests[n], &full);
            if (status != RESP_REQUEST) break;
            n++;
        }
        for (size_t i = 0; i < n; i++) note_request(out, &requests[i]);
        resp_release(ps);
        if (status == RESP_ERROR) {
            buf_addf(out, "!%s", resp_error(ps));
            return false;
        }
        if (status == RESP_MORE && !full) return true;
    }
}

/* The next piece of at most `most` bytes is put where the parser wants it. */
static size_t feed(struct resp_parser *ps, const char *p, size_t most)
{
    char *to;
    size_t room;
    resp_space(ps, &to, &room);
    assert_true(room > 0);
    size_t n = MIN(room, most);
    memcpy(to, p, n);
    resp_fed(ps, n);
    return n;
}

/* Pieces of `piece` bytes; 0: of random length. */
static struct buf transcript(const char *p, size_t n, size_t piece, size_t batch)
{
    struct buf out = {0};
    struct resp_parser *ps = resp_parser_get();
    size_t at = 0;
    while (drain(ps, batch, &out) && at < n) {
        size_t most = piece ? piece : 1 + rand_below(rand_below(4) ? 40 : 40000);
        at += feed(ps, p + at, MIN(most, n - at));
    }
    resp_parser_put(ps);
    return out;
}

static void expect_text(const char *input, size_t n, const char *text)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 2, 3, 7, 1000, 0};
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct buf got = transcript(input, n, pieces[i], 1 + i);
        assert_string_equal(buf_cstr(&got), text);
        buf_free(&got);
    }
}
#define EXPECT(input, text) expect_text(input, sizeof(input) - 1, text)

/* ---- what is a request ---------------------------------------------------------------------- */

static void arrays(void **state)
{
    EXPECT("*1\r\n$4\r\nPING\r\n", "(1) 4:PING\n");
    EXPECT("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$0\r\n\r\n", "(2) 3:GET 1:k\n(1) 0:\n");
    EXPECT("*0\r\n*-1\r\n*-10\r\n*1\r\n$1\r\nx\r\n", "(1) 1:x\n");
    EXPECT("*1\r\n$3\r\n\r\n*\r\n", "(1) 3:\r\n*\n");
    EXPECT("*10\r\n$1\r\n0\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n"
           "$1\r\n7\r\n$1\r\n8\r\n$2\r\n99\r\n",
           "(10) 1:0 1:1 1:2 1:3 1:4 1:5 1:6 1:7 1:8 2:99\n");
    EXPECT("*1\r?$1\r?xyz*1\r\n$1\r\ny\r\n", "(1) 1:x\n(1) 1:y\n"); /* unseen line ends */
}

static void incomplete(void **state)
{
    EXPECT("", "");
    EXPECT("*", "");
    EXPECT("*1\r", "");
    EXPECT("*1\r\n$4\r\nPING\r", "");
    EXPECT("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$", "(1) 4:PING\n");
    EXPECT("PING", "");
}

static void inline_requests(void **state)
{
    EXPECT("PING\r\n", "(1) 4:PING\n");
    EXPECT("GET k\n", "(2) 3:GET 1:k\n");
    EXPECT("\r\n\n   \r\n\tGET   k \r\n", "(2) 3:GET 1:k\n");
    EXPECT("a\rb\vc\r\r\n", "(2) 1:a 3:b\vc\n");
    EXPECT("SET k \"a b\\x41\\n\\r\\t\\b\\a\\q\\\\\\\"\"\n",
           "(3) 3:SET 1:k 12:a bA\n\r\t\b\aq\\\"\n");
    EXPECT("SET k 'a \\'b\\x41\\n'\n", "(3) 3:SET 1:k 10:a 'b\\x41\\n\n");
    EXPECT("x \"\" ''\n", "(3) 1:x 0: 0:\n");
    EXPECT("x a\"b c\" d'e f'\n", "(3) 1:x 4:ab c 4:de f\n");
    EXPECT("x \"\\xZZ\\x4\" \\x41\n", "(3) 1:x 5:xZZx4 4:\\x41\n");
    EXPECT("PING\r\n*1\r\n$4\r\nPING\r\nPING\n", "(1) 4:PING\n(1) 4:PING\n(1) 4:PING\n");
}

static void unbalanced_quotes(void **state)
{
#define UNBALANCED "!Protocol error: unbalanced quotes in request"
    EXPECT("x \"a\n", UNBALANCED);
    EXPECT("x 'a\r\n", UNBALANCED);
    EXPECT("x \"a\"b\n", UNBALANCED);
    EXPECT("x 'a'b\n", UNBALANCED);
    EXPECT("x 'a''b'\n", UNBALANCED);
    EXPECT("x \"a\\\"\n", UNBALANCED);
    EXPECT("x \"\\\n", UNBALANCED);
    EXPECT("PING\nx '\nPING\n", "(1) 4:PING\n" UNBALANCED);
}

/* ---- limits and their texts ----------------------------------------------------------------- */

static void bad_counts(void **state)
{
#define BAD_COUNT "!Protocol error: invalid multibulk length"
    EXPECT("*\r\n", BAD_COUNT);
    EXPECT("*a\r\n", BAD_COUNT);
    EXPECT("*1 \r\n", BAD_COUNT);
    EXPECT("*01\r\n", BAD_COUNT);
    EXPECT("*+1\r\n", BAD_COUNT);
    EXPECT("*-0\r\n", BAD_COUNT);
    EXPECT("*2147483648\r\n", BAD_COUNT);
    EXPECT("*99999999999999999999\r\n", BAD_COUNT);
    EXPECT("*123456789012345678901234567890\r\n", BAD_COUNT);
    EXPECT("*2147483647\r\n$1\r\nx\r\n", "");
}

static void bad_lengths(void **state)
{
#define BAD_LENGTH "!Protocol error: invalid bulk length"
    EXPECT("*1\r\n$-1\r\n", BAD_LENGTH);
    EXPECT("*1\r\n$\r\n", BAD_LENGTH);
    EXPECT("*1\r\n$x\r\n", BAD_LENGTH);
    EXPECT("*1\r\n$01\r\nx\r\n", BAD_LENGTH);
    EXPECT("*1\r\n$536870913\r\n", BAD_LENGTH);
    EXPECT("*1\r\n$99999999999999999999\r\n", BAD_LENGTH);
    EXPECT("*2\r\n$1\r\nx\r\n$-1\r\n", BAD_LENGTH);
    size_t max = limits.max_bulk_len;
    limits.max_bulk_len = 10;
    EXPECT("*1\r\n$10\r\n0123456789\r\n", "(1) 10:0123456789\n");
    EXPECT("*1\r\n$11\r\n", BAD_LENGTH);
    limits.max_bulk_len = max;
}

static void expected_dollar(void **state)
{
    EXPECT("*1\r\nx\r\n", "!Protocol error: expected '$', got 'x'");
    EXPECT("*1\r\n\r\n", "!Protocol error: expected '$', got '\r'");
    EXPECT("*1\r\n*1\r\n", "!Protocol error: expected '$', got '*'");
    EXPECT("PING\n*2\r\n$1\r\na\r\n:1\r\n", "(1) 4:PING\n!Protocol error: expected '$', got ':'");
}

static void unauthenticated(void **state)
{
    static char big[20000];
    int n = snprintf(big, sizeof big, "*1\r\n$16384\r\n%016384d\r\n", 0);
    limits.authenticated = false;
    EXPECT("*11\r\n", "!Protocol error: unauthenticated multibulk length");
    EXPECT("*10\r\n", "");
    EXPECT("*1\r\n$16385\r\n", "!Protocol error: unauthenticated bulk length");
    EXPECT("*1\r\n$536870913\r\n", BAD_LENGTH);
    EXPECT("*2147483648\r\n", BAD_COUNT);
    struct buf got = transcript(big, (size_t)n, 0, 1);
    assert_int_equal(got.n, 4 + 6 + 16384 + 1);
    buf_free(&got);
    limits.authenticated = true;
}

/* A line of n bytes that begins with `head`, without an end. */
static void expect_line(const char *head, size_t head_n, size_t n, const char *text)
{
    char *line = mem_alloc(n);
    memset(line, '1', n);
    memcpy(line, head, head_n);
    expect_text(line, n, text);
    mem_free(line);
}
#define EXPECT_LINE(head, over, text)                                                              \
    expect_line(head, sizeof(head) - 1, RESP_INLINE_MAX + (over), text)

static void too_long_lines(void **state)
{
    EXPECT_LINE("x", 0, "");
    EXPECT_LINE("x", 1, "!Protocol error: too big inline request");
    EXPECT_LINE("*", 0, "");
    EXPECT_LINE("*", 1, "!Protocol error: too big mbulk count string");
    EXPECT_LINE("*1\r\n", 4, "");
    EXPECT_LINE("*1\r\n$", 5, "!Protocol error: too big bulk count string");
    EXPECT_LINE("*1\r\nx", 5, "!Protocol error: too big bulk count string");
}

/* A NUL hides the end of its line. */
static void nul_in_lines(void **state)
{
    EXPECT("\0\n", "");
    EXPECT("GET a\0b\nPING\n", "");
    EXPECT("*1\0\r\n", "");
    EXPECT("*1\r\n\0\r\n", "");
    EXPECT_LINE("\0PING\n", 1, "!Protocol error: too big inline request");
    EXPECT_LINE("*1\0\r\n", 1, "!Protocol error: too big mbulk count string");
    EXPECT_LINE("*1\r\n$1\0\r\n", 5, "!Protocol error: too big bulk count string");
}

static void garbage(void **state)
{
    EXPECT("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", ""); /* a TLS hello: no line ends */
    EXPECT("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "(3) 3:GET 1:/ 8:HTTP/1.1\n(2) 5:Host: 1:x\n");
    EXPECT("$4\r\nPING\r\n", "(1) 2:$4\n(1) 4:PING\n");
}

static void query_limit(void **state)
{
    struct resp_parser *ps = resp_parser_get();
    struct resp_limits small = limits;
    struct request request;
    bool full;
    char zeros[4096] = {0};
    size_t fed = 0;
    small.max_query_bytes = 100 * 1024;
    feed(ps, "*1\r\n$102400\r\n", 13);
    enum resp_status status;
    while ((status = resp_next(ps, &small, &request, &full)) == RESP_MORE) {
        fed += feed(ps, zeros, MIN(sizeof zeros, 102402 - fed));
    }
    assert_int_equal(status, RESP_ERROR);
    assert_string_equal(resp_error(ps), "");
    assert_int_equal(fed, 102402);
    resp_parser_put(ps);
}

static void failed_for_good(void **state)
{
    struct resp_parser *ps = resp_parser_get();
    struct request request;
    bool full;
    feed(ps, "*1\r\nhello\r\nPING\r\n", 17);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(resp_next(ps, &limits, &request, &full), RESP_ERROR);
        assert_string_equal(resp_error(ps), "Protocol error: expected '$', got 'h'");
        assert_string_equal(resp_reason(ps), "expected $ but got something else");
        assert_true(slice_eq(resp_offending(ps), SLICE("hello\r\nPING\r\n")));
    }
    assert_false(resp_idle(ps));
    resp_parser_put(ps);
}

/* ---- cuts ----------------------------------------------------------------------------------- */

static void expect_cut_at(const char *input, size_t n, size_t cut, const char *text)
{
    struct buf got = {0};
    struct resp_parser *ps = resp_parser_get();
    bool alive = true;
    for (size_t at = 0; alive && at < n;) {
        at += feed(ps, input + at, at < cut ? cut - at : n - at);
        alive = drain(ps, 1, &got);
    }
    assert_string_equal(buf_cstr(&got), text);
    resp_parser_put(ps);
    buf_free(&got);
}

static void every_cut(void **state)
{
    static const char *const inputs[] = {
        "*3\r\n$3\r\nSET\r\n$5\r\nhello\r\n$11\r\nworld\r\nwide\r\n*1\r\n$4\r\nPING\r\n",
        "SET a 'b c'\r\n\r\nGET \"x\\x41\"\n*2\r\n$0\r\n\r\n$1\r\n\n\r\n",
        "*0\r\n*-1\r\nPING\n*1\r\n$12\r\n$3\r\nxyz\r\nabc\r\n\n*1\r\nx\r\n",
        "*12\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$1\r\n7\r\n"
        "$1\r\n8\r\n$1\r\n9\r\n$2\r\n10\r\n$2\r\n11\r\n$2\r\n12\r\nx \"\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
        size_t n = strlen(inputs[i]);
        struct buf whole = transcript(inputs[i], n, SIZE_MAX, 1);
        const char *text = buf_cstr(&whole);
        for (size_t cut = 0; cut <= n; cut++) expect_cut_at(inputs[i], n, cut, text);
        buf_free(&whole);
    }
}

/* Requests of all sizes, from a few bytes to more than any segment. */
static void add_random_request(struct buf *out)
{
    static const size_t sizes[] = {4, 100, 5000, 40000, 200000};
    if (rand_below(8) == 0) {
        buf_addz(out, rand_below(2) ? "inline 'request here'\r\n" : "\r\n");
        return;
    }
    size_t argc = 1 + rand_below(rand_below(20) ? 6 : 3000);
    buf_addf(out, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        size_t top = argc > 10 ? 2 : rand_below(20) ? 3 : 5;
        size_t n = rand_below(sizes[rand_below(top)]);
        buf_addf(out, "$%zu\r\n", n);
        for (size_t k = 0; k < n; k++) buf_addc(out, "$*\r\nabc\0\"'"[rand_below(10)]);
        buf_addz(out, "\r\n");
    }
}

static void random_cuts(void **state)
{
    for (int round = 0; round < 40; round++) {
        struct buf input = {0};
        for (int i = 0; i < 60; i++) add_random_request(&input);
        struct buf whole = transcript(input.p, input.n, SIZE_MAX, 1);
        for (int i = 0; i < 4; i++) {
            struct buf cut = transcript(input.p, input.n, 0, 1 + rand_below(16));
            assert_int_equal(cut.n, whole.n);
            assert_memory_equal(cut.p, whole.p, whole.n);
            buf_free(&cut);
        }
        buf_free(&whole);
        buf_free(&input);
    }
}

/* ---- pipelines and the arena ---------------------------------------------------------------- */

static void deep_pipeline(void **state)
{
    enum { DEPTH = 100000 };
    struct buf input = {0};
    for (int i = 0; i < DEPTH; i++) buf_addf(&input, "*2\r\n$3\r\nGET\r\n$10\r\nkey:%06d\r\n", i);
    struct resp_parser *ps = resp_parser_get();
    int seen = 0;
    for (size_t at = 0; at < input.n;) {
        at += feed(ps, input.p + at, input.n - at);
        struct request r;
        bool full;
        while (resp_next(ps, &limits, &r, &full) == RESP_REQUEST || full) {
            char key[16];
            if (full) {
                resp_release(ps);
                continue;
            }
            snprintf(key, sizeof key, "key:%06d", seen++);
            assert_true(slice_eq(r.argv[1], slice_str(key)));
        }
        resp_release(ps);
    }
    assert_int_equal(seen, DEPTH);
    assert_true(resp_idle(ps));
    resp_parser_put(ps);
    buf_free(&input);
}

/* Nothing that was handed out moves, while bytes and requests keep coming. */
static void stays_in_place(void **state)
{
    enum { COUNT = 300 };
    static struct request out[COUNT];
    struct resp_parser *ps = resp_parser_get();
    char text[600];
    bool full;
    for (int i = 0; i < COUNT; i++) {
        int n = snprintf(text, sizeof text, "*2\r\n$4\r\n%04d\r\n$500\r\n%0500d\r\n", i, i);
        for (int at = 0; at < n;) {
            at += (int)feed(ps, text + at, MIN((size_t)(n - at), (size_t)200));
            if (at < n) assert_int_equal(resp_next(ps, &limits, &out[i], &full), RESP_MORE);
        }
        assert_int_equal(resp_next(ps, &limits, &out[i], &full), RESP_REQUEST);
    }
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "%0500d", i);
        assert_true(slice_eq(out[i].argv[0], slice_of(text + 496, 4)));
        assert_true(slice_eq(out[i].argv[1], slice_str(text)));
    }
    resp_release(ps);
    resp_parser_put(ps);
}

static void full_arena(void **state)
{
    struct buf input = {0};
    for (int i = 0; i < 3; i++) {
        buf_addz(&input, "*600\r\n");
        for (int k = 0; k < 600; k++) buf_addf(&input, "$3\r\n%03d\r\n", k);
    }
    struct resp_parser *ps = resp_parser_get();
    struct request r;
    bool full;
    size_t at = 0;
    int requests = 0, releases = 0;
    while (requests < 3) {
        enum resp_status status = resp_next(ps, &limits, &r, &full);
        if (status == RESP_REQUEST) {
            assert_int_equal(r.argc, 600);
            assert_true(slice_eq(r.argv[599], SLICE("599")));
            requests++;
        } else if (full) {
            resp_release(ps);
            releases++;
        } else {
            at += feed(ps, input.p + at, input.n - at);
        }
    }
    assert_int_equal(at, input.n);
    assert_int_equal(releases, 2);
    resp_parser_put(ps);
    buf_free(&input);
}

static void many_arguments(void **state)
{
    enum { ARGC = 300000 };
    struct buf input = {0};
    buf_addf(&input, "*%d\r\n", ARGC);
    for (int i = 0; i < ARGC; i++) buf_addf(&input, "$6\r\n%06d\r\n", i);
    struct resp_parser *ps = resp_parser_get();
    struct request r;
    bool full;
    for (size_t at = 0; at < input.n;) {
        assert_int_equal(resp_next(ps, &limits, &r, &full), RESP_MORE);
        at += feed(ps, input.p + at, MIN(input.n - at, (size_t)5000));
    }
    assert_int_equal(resp_next(ps, &limits, &r, &full), RESP_REQUEST);
    assert_int_equal(r.argc, ARGC);
    for (int i = 0; i < ARGC; i++) {
        char text[8];
        snprintf(text, sizeof text, "%06d", i);
        assert_true(slice_eq(r.argv[i], slice_str(text)));
    }
    resp_release(ps);
    resp_parser_put(ps);
    ps = resp_parser_get();
    assert_true(resp_memory(ps) < 64 * 1024);
    resp_parser_put(ps);
    buf_free(&input);
}

/* Announcing much takes no memory. */
static void announced_only(void **state)
{
    struct resp_parser *ps = resp_parser_get();
    struct request r;
    bool full;
    size_t before = resp_memory(ps);
    feed(ps, "*2147483647\r\n$3\r\nabc\r\n", 22);
    assert_int_equal(resp_next(ps, &limits, &r, &full), RESP_MORE);
    assert_int_equal(resp_memory(ps), before);
    resp_parser_put(ps);
}

/* ---- big arguments -------------------------------------------------------------------------- */

static void fill_pattern(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) p[i] = (char)(i * 31 + (i >> 8));
}

static void expect_big(size_t len, size_t piece)
{
    char *value = mem_alloc(len + 2);
    fill_pattern(value, len);
    memcpy(value + len, "\r\n", 2);
    char head[64];
    int n = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n", len);
    struct resp_parser *ps = resp_parser_get();
    struct request r;
    bool full;
    feed(ps, head, (size_t)n);
    for (size_t at = 0; at < len + 2;) {
        assert_int_equal(resp_next(ps, &limits, &r, &full), RESP_MORE);
        at += feed(ps, value + at, MIN(piece, len + 2 - at));
    }
    assert_int_equal(resp_next(ps, &limits, &r, &full), RESP_REQUEST);
    assert_int_equal(r.big_args, len >= RESP_BIG_ARG);
    assert_int_equal(r.argv[2].n, len);
    assert_memory_equal(r.argv[2].p, value, len);
    if (r.big_args) {
        assert_ptr_equal(r.blobs[2]->data, r.argv[2].p);
        assert_null(r.blobs[0]);
        struct blob *mine = blob_ref(r.blobs[2]);
        resp_release(ps);
        assert_int_equal(mine->len, len);
        assert_memory_equal(mine->data, value, len);
        blob_unref(mine);
    }
    resp_parser_put(ps);
    mem_free(value);
}

static void big_arguments(void **state)
{
    static const size_t lengths[] = {RESP_BIG_ARG - 1, RESP_BIG_ARG, RESP_BIG_ARG + 1, 100000,
                                     5000000};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        expect_big(lengths[i], SIZE_MAX);
        expect_big(lengths[i], 1000);
        expect_big(lengths[i], lengths[i] - 1);
    }
}

/* The caller may take a blob over by clearing its slot; the others are freed. */
static void blob_taken_over(void **state)
{
    struct buf input = {0};
    buf_addz(&input, "*2\r\n");
    for (int i = 0; i < 2; i++) buf_addf(&input, "$40000\r\n%040000d\r\n", i);
    struct resp_parser *ps = resp_parser_get();
    struct request r;
    bool full;
    for (size_t at = 0; resp_next(ps, &limits, &r, &full) == RESP_MORE;) {
        at += feed(ps, input.p + at, MIN(input.n - at, (size_t)700));
    }
    assert_int_equal(r.big_args, 2);
    struct blob *mine = r.blobs[1];
    r.blobs[1] = NULL;
    resp_release(ps);
    resp_parser_put(ps);
    assert_int_equal(mine->data[39999], '1');
    blob_unref(mine);
    buf_free(&input);
}

static void dropped_in_the_middle(void **state)
{
    struct resp_parser *ps = resp_parser_get();
    struct request r;
    bool full;
    char zeros[1000] = {0};
    feed(ps, "*2\r\n$100000\r\n", 13);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(resp_next(ps, &limits, &r, &full), RESP_MORE);
        feed(ps, zeros, sizeof zeros);
    }
    assert_true(resp_buffered(ps) >= 50000);
    resp_parser_put(ps);
    ps = resp_parser_get();
    assert_true(resp_idle(ps));
    assert_int_equal(resp_buffered(ps), 0);
    resp_parser_put(ps);
}

/* ---- lines of configuration files ----------------------------------------------------------- */

static void split_line(void **state)
{
    char line[] = "save 3600 1  \"a b\" 'c'\t";
    struct slice *args = NULL;
    size_t cap = 0;
    assert_int_equal(resp_split_line(line, strlen(line), &args, &cap), 5);
    assert_true(slice_eq(args[3], SLICE("a b")));
    assert_true(slice_eq(args[4], SLICE("c")));
    char many[2001];
    for (int i = 0; i < 1000; i++) memcpy(many + 2 * i, "x ", 2);
    assert_int_equal(resp_split_line(many, 2000, &args, &cap), 1000);
    char bad[] = "a 'b";
    assert_int_equal(resp_split_line(bad, strlen(bad), &args, &cap), -1);
    assert_int_equal(resp_split_line(bad, 0, &args, &cap), 0);
    mem_free(args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays),
        cmocka_unit_test(incomplete),
        cmocka_unit_test(inline_requests),
        cmocka_unit_test(unbalanced_quotes),
        cmocka_unit_test(bad_counts),
        cmocka_unit_test(bad_lengths),
        cmocka_unit_test(expected_dollar),
        cmocka_unit_test(unauthenticated),
        cmocka_unit_test(too_long_lines),
        cmocka_unit_test(nul_in_lines),
        cmocka_unit_test(garbage),
        cmocka_unit_test(query_limit),
        cmocka_unit_test(failed_for_good),
        cmocka_unit_test(every_cut),
        cmocka_unit_test(random_cuts),
        cmocka_unit_test(deep_pipeline),
        cmocka_unit_test(stays_in_place),
        cmocka_unit_test(full_arena),
        cmocka_unit_test(many_arguments),
        cmocka_unit_test(announced_only),
        cmocka_unit_test(big_arguments),
        cmocka_unit_test(blob_taken_over),
        cmocka_unit_test(dropped_in_the_middle),
        cmocka_unit_test(split_line),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    resp_cache_trim();
    return failed;
}
