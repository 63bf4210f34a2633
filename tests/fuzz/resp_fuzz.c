/*
 * resp_fuzz.c - the request parser under libFuzzer. Property: whatever the input, feeding it whole
 * and feeding it in random pieces, with any number of requests out at a time, gives the same
 * requests and the same error. (The query buffer limit counts what waits, so it does depend on
 * pieces; it is out of reach here.) The pieces follow from the input: findings can be replayed.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/resp.h"

static uint64_t state;

static size_t below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state % n);
}

static void seed_from(const uint8_t *p, size_t n)
{
    state = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < n; i++) state = (state ^ p[i]) * 0x100000001b3u;
    state |= 1;
}

static void violated(const char *what)
{
    fprintf(stderr, "property violated: %s\n", what);
    abort();
}

static void note_request(struct buf *out, const struct request *r)
{
    size_t bytes = 0, big = 0;
    buf_add(out, &r->argc, sizeof r->argc);
    for (uint32_t i = 0; i < r->argc; i++) {
        buf_add(out, &r->argv[i].n, sizeof r->argv[i].n);
        buf_add(out, r->argv[i].p, r->argv[i].n);
        bytes += r->argv[i].n;
        if (r->blobs && r->blobs[i]) big++;
    }
    if (r->argc == 0) violated("a request without arguments");
    if (bytes != r->bytes) violated("the length of all arguments");
    if (big != r->big_args) violated("the number of blobs");
}

/* Takes out what is there, up to `batch` requests at a time. False: the parser failed. */
static bool drain(struct resp_parser *ps, const struct resp_limits *limits, size_t batch,
                  struct buf *out)
{
    struct request requests[32];
    for (;;) {
        size_t n = 0;
        bool full = false;
        enum resp_status status = RESP_REQUEST;
        while (n < batch) {
            status = resp_next(ps, limits, &requests[n], &full);
            if (status != RESP_REQUEST) break;
            n++;
        }
        for (size_t i = 0; i < n; i++) note_request(out, &requests[i]);
        resp_release(ps);
        if (status == RESP_ERROR) {
            buf_addz(out, resp_error(ps));
            return false;
        }
        if (status == RESP_MORE && !full) return true;
    }
}

static void feed(struct resp_parser *ps, const uint8_t *p, size_t n, size_t *at, size_t most)
{
    char *to;
    size_t room;
    resp_space(ps, &to, &room);
    if (room == 0) violated("room for one byte at least");
    size_t k = MIN(MIN(room, most), n - *at);
    memcpy(to, p + *at, k);
    resp_fed(ps, k);
    *at += k;
}

static struct buf whole(const uint8_t *p, size_t n, const struct resp_limits *limits)
{
    struct buf out = {0};
    struct resp_parser *ps = resp_parser_get();
    size_t at = 0;
    while (drain(ps, limits, 32, &out) && at < n) feed(ps, p, n, &at, n);
    resp_parser_put(ps);
    return out;
}

static struct buf in_pieces(const uint8_t *p, size_t n, const struct resp_limits *limits)
{
    struct buf out = {0};
    struct resp_parser *ps = resp_parser_get();
    size_t at = 0, most = below(2) ? 8 : 5000, batch = 1 + below(32);
    while (drain(ps, limits, batch, &out) && at < n) feed(ps, p, n, &at, 1 + below(most));
    resp_parser_put(ps);
    return out;
}

static void check(const uint8_t *p, size_t n, const struct resp_limits *limits)
{
    struct buf want = whole(p, n, limits);
    for (int i = 0; i < 3; i++) {
        struct buf got = in_pieces(p, n, limits);
        if (!slice_eq(buf_slice(&want), buf_slice(&got))) violated("the same however it is cut");
        buf_free(&got);
    }
    buf_free(&want);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct resp_limits usual = {512 << 20, 1 << 30, INT_MAX, true};
    struct resp_limits tight = {10000, 1 << 30, 1000, false};
    seed_from(p, n);
    check(p, n, &usual);
    check(p, n, &tight);
    return 0;
}
