/*
 * reply.c - chunks, how replies are built in them, and how they go out.
 *
 * A block is one allocation. It holds one chunk, or several when blobs are referenced in between: a
 * chunk ends where a blob is to be sent behind it; the next one is carved from the block's rest.
 *
 *   head                                            tail
 *   chunk --------> chunk ---------> chunk --------> chunk
 *   |data |blob A|  |data |blob B|   |data|          |data    free room|
 *   '------- block 1 -----'          '- block 2 -'   '---- block 3 ----'
 *
 * Invariants
 *  1. The tail references no blob. Its bytes end at reply.p (or at its stop, while muted).
 *  2. Chunks of one block follow each other; who drops the last of them frees the block.
 *  3. head and tail are both NULL or both not.
 *
 * An open aggregate keeps OPEN_ROOM bytes free for its header. Closing it moves what followed in
 * that chunk down to the header's end: at most one chunk's worth of bytes, and a chain without gaps.
 */
#include "net/reply.h"

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#define OPEN_ROOM   24  /* "*18446744073709551615\r\n" and one more */
#define HEADER_MAX  24
#define FLUSH_IOV   64
#define CACHE_MAX   64  /* blocks a thread keeps */
#define CARVE_MIN   512 /* a rest smaller than this is not worth a chunk */

struct reply_chunk {
    struct reply_chunk *next;
    struct reply_chunk *block; /* the chunk at the start of the allocation this one lies in */
    size_t size;               /* of the allocation, in the block's first chunk */
    char *start, *stop;        /* bytes that wait; stop is not kept up to date in the tail */
    char *limit;               /* the end of its room */
    struct blob *blob;         /* sent behind them, or NULL */
    const char *blob_start;
    size_t blob_left;
    char data[];
};

/* ---- blocks, and each thread's cache of them ------------------------------------------------ */

/* The functions that touch the cache are never inlined: a caller that parks may go on in another
 * thread, and must not take the address of this one's variables along. */
static _Thread_local struct {
    struct reply_chunk *first;
    unsigned n;
    bool registered;
} cache;
static pthread_key_t cache_key;
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;

__attribute__((noinline)) void reply_cache_trim(void)
{
    while (cache.first) {
        struct reply_chunk *block = cache.first;
        cache.first = block->next;
        mem_free_sized(block, REPLY_CHUNK);
    }
    cache.n = 0;
}

static void thread_ends(void *arg)
{
    reply_cache_trim();
}

static void make_key(void)
{
    CHECK(pthread_key_create(&cache_key, thread_ends) == 0);
}

static void register_thread(void)
{
    pthread_once(&cache_once, make_key);
    pthread_setspecific(cache_key, &cache);
    cache.registered = true;
}

__attribute__((noinline)) static struct reply_chunk *cache_get(void)
{
    struct reply_chunk *block = cache.first;
    if (!block) return mem_alloc(REPLY_CHUNK);
    cache.first = block->next;
    cache.n--;
    return block;
}

__attribute__((noinline)) static void cache_put(struct reply_chunk *block)
{
    if (cache.n >= CACHE_MAX) {
        mem_free_sized(block, REPLY_CHUNK);
        return;
    }
    if (UNLIKELY(!cache.registered)) register_thread();
    block->next = cache.first;
    cache.first = block;
    cache.n++;
}

static void chunk_init(struct reply_chunk *c, struct reply_chunk *block, char *limit)
{
    c->next = NULL;
    c->block = block;
    c->start = c->stop = c->data;
    c->limit = limit;
    c->blob = NULL;
    c->blob_start = NULL;
    c->blob_left = 0;
}

static struct reply_chunk *block_new(struct reply *r, size_t room)
{
    size_t size = room + sizeof(struct reply_chunk);
    struct reply_chunk *c = size <= REPLY_CHUNK ? cache_get() : mem_alloc(size);
    c->size = MAX(size, (size_t)REPLY_CHUNK);
    chunk_init(c, c, (char *)c + c->size);
    r->memory += c->size;
    return c;
}

static void block_free(struct reply *r, struct reply_chunk *block)
{
    r->memory -= block->size;
    if (block->size == REPLY_CHUNK) {
        cache_put(block);
    } else {
        mem_free_sized(block, block->size);
    }
}

/* ---- the chain ------------------------------------------------------------------------------ */

/* Where the tail's bytes end. */
static char *tail_stop(const struct reply *r)
{
    return r->muted ? r->tail->stop : r->p;
}

static void drop_blob(struct reply *r, struct reply_chunk *c)
{
    if (!c->blob) return;
    r->memory -= c->blob->cap;
    blob_unref(c->blob);
    c->blob = NULL;
    c->blob_left = 0;
}

static void add_tail(struct reply *r, struct reply_chunk *c)
{
    if (r->tail) {
        r->tail->stop = r->p;
        r->queued += (size_t)(r->p - r->tail->start) + r->tail->blob_left;
        r->tail->next = c;
    } else {
        r->head = c;
    }
    r->tail = c;
    r->p = c->start;
    r->end = c->limit;
}

/* Drops the chunks behind c (of the chain, or all: NULL) and makes c the tail. */
static void drop_behind(struct reply *r, struct reply_chunk *c)
{
    struct reply_chunk *dead = c ? c->next : r->head, *keep = c ? c->block : NULL;
    while (dead) {
        struct reply_chunk *next = dead->next, *block = dead->block;
        drop_blob(r, dead);
        if (block != keep && (!next || next->block != block)) block_free(r, block);
        dead = next;
    }
    r->tail = c;
    if (!c) {
        r->head = NULL;
        return;
    }
    c->next = NULL;
    c->limit = (char *)c->block + c->block->size;
}

void reply_init(struct reply *r)
{
    memset(r, 0, sizeof *r);
    r->resp = 2;
}

static void drop_scratch(struct reply *r)
{
    if (r->scratch) block_free(r, r->scratch);
    r->scratch = NULL;
}

void reply_clear(struct reply *r)
{
    r->total += reply_pending(r);
    r->muted = false;
    drop_scratch(r);
    drop_behind(r, NULL);
    r->p = r->end = NULL;
    r->queued = 0;
}

size_t reply_pending(const struct reply *r)
{
    return r->tail ? r->queued + (size_t)(tail_stop(r) - r->tail->start) : 0;
}

bool reply_make_idle(struct reply *r)
{
    if (reply_pending(r) > 0) return false;
    if (r->muted || r->scratch) drop_scratch(r);
    if (!r->tail && !r->muted) return true;
    drop_behind(r, NULL);
    r->p = r->end = NULL;
    return true;
}

void reply_mute(struct reply *r, bool on)
{
    if (r->muted == on) return;
    if (on) {
        if (r->tail) r->tail->stop = r->p;
        r->p = r->end = NULL;
    } else {
        drop_scratch(r);
        r->p = r->tail ? r->tail->stop : NULL;
        r->end = r->tail ? r->tail->limit : NULL;
    }
    r->muted = on;
}

/* Room that nobody will send. */
static void scratch_room(struct reply *r, size_t n)
{
    if (r->scratch && (size_t)(r->scratch->limit - r->scratch->data) < n) drop_scratch(r);
    if (!r->scratch) r->scratch = block_new(r, n);
    r->p = r->scratch->data;
    r->end = r->p + n;
}

void reply_room_slow(struct reply *r, size_t n)
{
    if (r->muted) {
        scratch_room(r, n);
    } else {
        add_tail(r, block_new(r, n));
    }
}

void reply_raw_slow(struct reply *r, const char *p, size_t n)
{
    if (r->muted) return;
    size_t fits = MIN(n, (size_t)(r->end - r->p));
    if (fits) memcpy(r->p, p, fits);
    r->p += fits;
    if (fits == n) return;
    add_tail(r, block_new(r, n - fits));
    memcpy(r->p, p + fits, n - fits);
    r->p += n - fits;
}

/* ---- simple replies ------------------------------------------------------------------------- */

void reply_status(struct reply *r, const char *text)
{
    reply_literal(r, "+");
    reply_raw(r, text, strlen(text));
    reply_literal(r, "\r\n");
}

/* A type byte, a number and a line end. */
static void put_header(struct reply *r, char type, int64_t n)
{
    reply_room(r, HEADER_MAX);
    char *p = r->p;
    *p++ = type;
    p += num_fmt_i64(p, n);
    memcpy(p, "\r\n", 2);
    r->p = p + 2;
}

void reply_int_slow(struct reply *r, int64_t v)
{
    put_header(r, ':', v);
}

#define H1(a)    {'$', a, '\r', '\n'}
#define H2(a, b) {'$', a, b, '\r', '\n'}
#define ROW(a)                                                                                     \
    H2(a, '0'), H2(a, '1'), H2(a, '2'), H2(a, '3'), H2(a, '4'), H2(a, '5'), H2(a, '6'),            \
        H2(a, '7'), H2(a, '8'), H2(a, '9')
const char reply_bulk_headers[REPLY_BULK_SHORT][8] ALIGNED(CACHE_LINE) = {
    H1('0'), H1('1'), H1('2'), H1('3'), H1('4'), H1('5'), H1('6'), H1('7'), H1('8'), H1('9'),
    ROW('1'), ROW('2'), ROW('3'), ROW('4'), ROW('5'), ROW('6'), ROW('7'), ROW('8'), ROW('9'),
};

void reply_bulk_slow(struct reply *r, struct slice s)
{
    if (r->muted) return;
    put_header(r, '$', (int64_t)s.n);
    if (s.n) reply_raw(r, s.p, s.n);
    reply_literal(r, "\r\n");
}

void reply_bulk_str(struct reply *r, const char *s)
{
    reply_bulk(r, slice_str(s));
}

void reply_bulkf(struct reply *r, const char *fmt, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, fmt);
    buf_addv(&text, fmt, args);
    va_end(args);
    reply_bulk(r, buf_slice(&text));
    buf_free(&text);
}

void reply_bulk_int(struct reply *r, int64_t v)
{
    char text[NUM_I64_MAX];
    reply_bulk(r, slice_of(text, num_fmt_i64(text, v)));
}

/* Puts the tail's successor in place: carved from its block when the rest is worth it. */
static void continue_behind(struct reply *r)
{
    struct reply_chunk *tail = r->tail;
    uintptr_t at = ((uintptr_t)r->p + _Alignof(struct reply_chunk) - 1) &
                   ~(uintptr_t)(_Alignof(struct reply_chunk) - 1);
    char *limit = tail->limit;
    if ((uintptr_t)limit < at + sizeof(struct reply_chunk) + CARVE_MIN) {
        add_tail(r, block_new(r, 0));
        return;
    }
    struct reply_chunk *c = (struct reply_chunk *)at;
    chunk_init(c, tail->block, limit);
    tail->limit = r->p;
    add_tail(r, c);
}

void reply_bulk_blob(struct reply *r, struct blob *b)
{
    if (b->len < REPLY_REF_MIN || r->muted) {
        reply_bulk(r, slice_of(b->data, b->len));
        return;
    }
    put_header(r, '$', (int64_t)b->len);
    struct reply_chunk *c = r->tail;
    c->blob = blob_ref(b);
    c->blob_start = b->data;
    c->blob_left = b->len;
    r->memory += b->cap;
    continue_behind(r);
    reply_literal(r, "\r\n");
}

void reply_bulk_entry(struct reply *r, const struct entry *e)
{
    if (LIKELY(entry_is_inline(e))) {
        reply_bulk(r, slice_of(entry_inline(e), e->v.inline_len));
    } else if (e->enc == ENC_INT) {
        reply_bulk_int(r, e->v.i);
    } else {
        reply_bulk_blob(r, e->v.blob);
    }
}

/* ---- RESP3's types and their RESP2 forms ---------------------------------------------------- */

void reply_null_array(struct reply *r)
{
    if (r->resp == 2) {
        reply_literal(r, "*-1\r\n");
    } else {
        reply_literal(r, "_\r\n");
    }
}

void reply_bool(struct reply *r, bool v)
{
    if (r->resp == 2) {
        reply_int(r, v);
    } else if (v) {
        reply_literal(r, "#t\r\n");
    } else {
        reply_literal(r, "#f\r\n");
    }
}

void reply_double(struct reply *r, double v)
{
    char text[NUM_DOUBLE_MAX];
    size_t n;
    if (isnan(v)) { /* never with a sign */
        memcpy(text, "nan", 3);
        n = 3;
    } else {
        n = num_fmt_double(text, v);
    }
    if (r->resp == 2) {
        reply_bulk(r, slice_of(text, n));
        return;
    }
    reply_literal(r, ",");
    reply_raw(r, text, n);
    reply_literal(r, "\r\n");
}

void reply_verbatim(struct reply *r, const char *ext, struct slice text)
{
    if (r->resp == 2) {
        reply_bulk(r, text);
        return;
    }
    char prefix[4] = {' ', ' ', ' ', ':'}; /* the format has three characters, always */
    memcpy(prefix, ext, strnlen(ext, 3));
    put_header(r, '=', (int64_t)text.n + 4);
    reply_raw(r, prefix, 4);
    reply_raw(r, text.p, text.n);
    reply_literal(r, "\r\n");
}

void reply_big_number(struct reply *r, struct slice digits)
{
    if (r->resp == 2) {
        reply_bulk(r, digits);
        return;
    }
    reply_literal(r, "(");
    reply_raw(r, digits.p, digits.n);
    reply_literal(r, "\r\n");
}

/* ---- aggregates ----------------------------------------------------------------------------- */

void reply_array(struct reply *r, size_t n)
{
    if (LIKELY(n < 10)) {
        char text[4] = {'*', (char)('0' + n), '\r', '\n'};
        reply_raw(r, text, sizeof text);
    } else {
        put_header(r, '*', (int64_t)n);
    }
}

void reply_map(struct reply *r, size_t pairs)
{
    if (r->resp == 2) {
        reply_array(r, pairs * 2);
    } else {
        put_header(r, '%', (int64_t)pairs);
    }
}

void reply_set(struct reply *r, size_t n)
{
    put_header(r, r->resp == 2 ? '*' : '~', (int64_t)n);
}

void reply_push(struct reply *r, size_t n)
{
    put_header(r, r->resp == 2 ? '*' : '>', (int64_t)n);
}

void reply_attribute(struct reply *r, size_t pairs)
{
    assert(r->resp == 3);
    put_header(r, '|', (int64_t)pairs);
}

void reply_empty_array(struct reply *r)
{
    reply_literal(r, "*0\r\n");
}

struct reply_mark reply_open(struct reply *r)
{
    if (r->muted) return (struct reply_mark){NULL, 0};
    reply_room(r, OPEN_ROOM);
    struct reply_mark mark = reply_position(r);
    r->p += OPEN_ROOM;
    return mark;
}

/* Writes the header where the mark is, and closes the gap behind it. */
static void close_mark(struct reply *r, struct reply_mark mark, char type, size_t n)
{
    if (r->muted) return;
    struct reply_chunk *c = mark.chunk;
    char *at = (char *)c + mark.offset, *from = at + OPEN_ROOM;
    char *stop = c == r->tail ? r->p : c->stop;
    char header[HEADER_MAX];
    header[0] = type;
    size_t len = 1 + num_fmt_u64(header + 1, n);
    header[len++] = '\r';
    header[len++] = '\n';
    memcpy(at, header, len);
    memmove(at + len, from, (size_t)(stop - from));
    stop -= OPEN_ROOM - len;
    if (c == r->tail) {
        r->p = stop;
    } else {
        r->queued -= OPEN_ROOM - len;
        c->stop = stop;
    }
}

void reply_close_array(struct reply *r, struct reply_mark mark, size_t n)
{
    close_mark(r, mark, '*', n);
}

void reply_close_map(struct reply *r, struct reply_mark mark, size_t pairs)
{
    bool map = r->resp != 2;
    close_mark(r, mark, map ? '%' : '*', map ? pairs : pairs * 2);
}

void reply_close_set(struct reply *r, struct reply_mark mark, size_t n)
{
    close_mark(r, mark, r->resp == 2 ? '*' : '~', n);
}

/* ---- errors --------------------------------------------------------------------------------- */

static void note_error(struct reply *r, const char *text, size_t n)
{
    const char *blank = memchr(text, ' ', n);
    size_t word = MIN(blank ? (size_t)(blank - text) : n, sizeof r->last_error - 1);
    memcpy(r->last_error, text, word);
    r->last_error[word] = '\0';
    r->errors++;
}

static bool line_end(char c)
{
    return c == '\r' || c == '\n';
}

void reply_error(struct reply *r, const char *text)
{
    size_t n = strlen(text);
    while (n > 0 && line_end(text[n - 1])) n--;
    note_error(r, text, n);
    reply_literal(r, "-");
    reply_room(r, n);
    for (size_t i = 0; i < n; i++) r->p[i] = line_end(text[i]) ? ' ' : text[i];
    r->p += n;
    reply_literal(r, "\r\n");
}

void reply_errorf(struct reply *r, const char *fmt, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, fmt);
    buf_addv(&text, fmt, args);
    va_end(args);
    reply_error(r, buf_cstr(&text));
    buf_free(&text);
}

/* ---- position ------------------------------------------------------------------------------- */

struct reply_mark reply_position(const struct reply *r)
{
    if (!r->tail) return (struct reply_mark){NULL, 0};
    return (struct reply_mark){r->tail, (size_t)(tail_stop(r) - (char *)r->tail)};
}

/* What waits in the chunks before the tail, counted anew. */
static size_t count_queued(const struct reply *r)
{
    size_t n = 0;
    for (const struct reply_chunk *c = r->head; c && c != r->tail; c = c->next) {
        n += (size_t)(c->stop - c->start) + c->blob_left;
    }
    return n;
}

void reply_rollback(struct reply *r, struct reply_mark mark)
{
    if (r->muted) return;
    struct reply_chunk *c = mark.chunk;
    if (c && c == r->tail) {
        r->p = (char *)c + mark.offset;
        return;
    }
    drop_behind(r, c);
    if (c) drop_blob(r, c);
    r->p = c ? (char *)c + mark.offset : NULL;
    r->end = c ? c->limit : NULL;
    r->queued = count_queued(r);
}

/* ---- sending -------------------------------------------------------------------------------- */

static int gather(struct reply *r, struct iovec *iov, size_t *bytes)
{
    int n = 0;
    *bytes = 0;
    for (struct reply_chunk *c = r->head; c && n + 2 <= FLUSH_IOV; c = c->next) {
        char *stop = c == r->tail ? tail_stop(r) : c->stop;
        size_t data = (size_t)(stop - c->start);
        if (data) iov[n++] = (struct iovec){c->start, data};
        if (c->blob_left) iov[n++] = (struct iovec){(char *)c->blob_start, c->blob_left};
        *bytes += data + c->blob_left;
    }
    return n;
}

/* n bytes from the front of the chain are gone. */
static void consume(struct reply *r, size_t n)
{
    r->total += n;
    while (r->head != r->tail) {
        struct reply_chunk *c = r->head, *next = c->next;
        size_t data = MIN(n, (size_t)(c->stop - c->start));
        size_t ref = MIN(n - data, c->blob_left);
        c->start += data;
        c->blob_start += ref;
        c->blob_left -= ref;
        r->queued -= data + ref;
        n -= data + ref;
        if (c->start < c->stop || c->blob_left > 0) return;
        drop_blob(r, c);
        r->head = next;
        if (next->block != c->block) block_free(r, c->block);
    }
    r->tail->start += n;
}

/* Everything is gone: begins the last block from its start. */
static void rewind_tail(struct reply *r)
{
    struct reply_chunk *block = r->tail->block;
    if (block->size > REPLY_CHUNK) {
        drop_behind(r, NULL);
        r->p = r->end = NULL;
        return;
    }
    chunk_init(block, block, (char *)block + block->size);
    r->head = r->tail = block;
    if (r->muted) return;
    r->p = block->start;
    r->end = block->limit;
}

int reply_flush(struct reply *r, struct sock *s, uint64_t *sent)
{
    while (reply_pending(r) > 0) {
        struct iovec iov[FLUSH_IOV];
        size_t bytes;
        int n = gather(r, iov, &bytes);
        ssize_t gone = sock_try_writev(s, iov, n);
        if (gone < 0) return (int)gone;
        consume(r, (size_t)gone);
        if (sent) *sent += (uint64_t)gone;
        if ((size_t)gone < bytes) return RT_EAGAIN;
    }
    if (r->tail) rewind_tail(r);
    return RT_OK;
}

void reply_copy_out(const struct reply *r, struct buf *out)
{
    for (const struct reply_chunk *c = r->head; c; c = c->next) {
        const char *stop = c == r->tail ? tail_stop(r) : c->stop;
        buf_add(out, c->start, (size_t)(stop - c->start));
        if (c->blob_left) buf_add(out, c->blob_start, c->blob_left);
    }
}
