/*
 * reply.h - the reply builder: RESP2 or RESP3 into a chain of chunks, flushed with one system call.
 *
 * Small things are copied into the current chunk; a large blob is referenced and sent from where it
 * lies. Chunks come from a cache of the thread that runs, so an idle connection holds none. A reply
 * is used by one coroutine at a time, or by a partition's owner on its behalf while it is parked.
 *
 * Invariants
 *  1. p <= end; [start of the tail chunk, p) are the bytes of it that wait to be sent.
 *  2. A muted reply has no room (p == end): every fast path falls through to one that looks.
 */
#ifndef WEFT_NET_REPLY_H
#define WEFT_NET_REPLY_H

#include "runtime/runtime.h"
#include "types/types.h"

#define REPLY_CHUNK     (16 * 1024)
#define REPLY_REF_MIN   (16 * 1024) /* blobs from this size on are referenced */

struct reply_chunk;

struct reply {
    char *p, *end;           /* free space in the tail chunk */
    struct reply_chunk *head, *tail;
    size_t queued;           /* bytes in chunks before the tail, and in references */
    size_t memory;           /* bytes of memory that chunks and referenced blobs take */
    uint64_t errors;         /* error replies built so far */
    uint64_t total;          /* bytes sent or dropped so far (statistics) */
    struct reply_chunk *scratch; /* where a muted reply is built */
    uint8_t resp;            /* 2 or 3 */
    bool muted;              /* builds nothing; set with reply_mute() only */
    char last_error[32];     /* the first word of the last error: for INFO errorstats, and tests */
};

void reply_init(struct reply *r);  /* empty, RESP2 */
void reply_clear(struct reply *r); /* drops what waits, gives the chunks back; no longer muted */
size_t reply_pending(const struct reply *r); /* bytes that wait to be sent */

/* From now on (until switched off again) what is built is dropped: CLIENT REPLY OFF and SKIP. What
 * was built before stays. Errors are still counted. */
void reply_mute(struct reply *r, bool on);

/* Makes room for n contiguous bytes in the tail chunk, to be written at p; the caller moves p. */
void reply_room_slow(struct reply *r, size_t n);
static inline void reply_room(struct reply *r, size_t n)
{
    if (UNLIKELY((size_t)(r->end - r->p) < n)) reply_room_slow(r, n);
}

/* Raw RESP bytes; any length. */
void reply_raw_slow(struct reply *r, const char *p, size_t n);
static inline void reply_raw(struct reply *r, const char *p, size_t n)
{
    if (LIKELY((size_t)(r->end - r->p) >= n)) {
        memcpy(r->p, p, n);
        r->p += n;
    } else {
        reply_raw_slow(r, p, n);
    }
}
#define reply_literal(r, lit) reply_raw(r, lit, sizeof(lit) - 1)

static inline void reply_ok(struct reply *r) { reply_literal(r, "+OK\r\n"); }
static inline void reply_queued(struct reply *r) { reply_literal(r, "+QUEUED\r\n"); }
static inline void reply_zero(struct reply *r) { reply_literal(r, ":0\r\n"); }
static inline void reply_one(struct reply *r) { reply_literal(r, ":1\r\n"); }

void reply_status(struct reply *r, const char *text);

void reply_int_slow(struct reply *r, int64_t v);
static inline void reply_int(struct reply *r, int64_t v)
{
    if (LIKELY((uint64_t)v < 10)) {
        char text[4] = {':', (char)('0' + v), '\r', '\n'};
        reply_raw(r, text, sizeof text);
    } else {
        reply_int_slow(r, v);
    }
}

/* "$n\r\n" for n < 100, in 8 bytes each of which the first 4 or 5 count. */
#define REPLY_BULK_SHORT 100
extern const char reply_bulk_headers[REPLY_BULK_SHORT][8];

void reply_bulk_slow(struct reply *r, struct slice s);
static inline void reply_bulk(struct reply *r, struct slice s)
{
    char *p = r->p;
    if (LIKELY(s.n < REPLY_BULK_SHORT && r->end - p >= REPLY_BULK_SHORT + 8)) {
        memcpy(p, reply_bulk_headers[s.n], 8);
        p += 4 + (s.n >= 10);
        if (s.n) memcpy(p, s.p, s.n);
        memcpy(p + s.n, "\r\n", 2);
        r->p = p + s.n + 2;
    } else {
        reply_bulk_slow(r, s);
    }
}

void reply_bulk_str(struct reply *r, const char *s);
void reply_bulkf(struct reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void reply_bulk_int(struct reply *r, int64_t v);    /* the number as a bulk string */
/* A string value: copied when short, else referenced (takes a reference of its own). */
void reply_bulk_blob(struct reply *r, struct blob *b);
void reply_bulk_entry(struct reply *r, const struct entry *e); /* any string value */

/* In RESP3 / RESP2: _ / $-1, _ / *-1, #t / :1, ",1.5" / bulk, "=txt:" / bulk, "(" / bulk. */
static inline void reply_null(struct reply *r)
{
    if (LIKELY(r->resp == 2)) {
        reply_literal(r, "$-1\r\n");
    } else {
        reply_literal(r, "_\r\n");
    }
}
void reply_null_array(struct reply *r);
void reply_bool(struct reply *r, bool v);
void reply_double(struct reply *r, double v);
void reply_verbatim(struct reply *r, const char *ext, struct slice text);
void reply_big_number(struct reply *r, struct slice digits);

/* Aggregates. In RESP2 a map is an array of twice the length, a set and a push are arrays. */
void reply_array(struct reply *r, size_t n);
void reply_map(struct reply *r, size_t pairs);
void reply_set(struct reply *r, size_t n);
void reply_push(struct reply *r, size_t n);
void reply_attribute(struct reply *r, size_t pairs); /* RESP3 only */
void reply_empty_array(struct reply *r);

/* An aggregate whose length is known only later. Any nesting works, over any number of chunks;
 * close in reverse order of opening. Nothing may be flushed while one is open. */
struct reply_mark {
    struct reply_chunk *chunk;
    size_t offset;
};
struct reply_mark reply_open(struct reply *r);
void reply_close_array(struct reply *r, struct reply_mark mark, size_t n);
void reply_close_map(struct reply *r, struct reply_mark mark, size_t pairs);
void reply_close_set(struct reply *r, struct reply_mark mark, size_t n);

/* "-text\r\n"; the text begins with its code ("ERR ", "WRONGTYPE "); its line ends become blanks. */
void reply_error(struct reply *r, const char *text);
void reply_errorf(struct reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Position and rollback, for commands that find out late that they fail. Nothing may be flushed
 * between the two. */
struct reply_mark reply_position(const struct reply *r);
void reply_rollback(struct reply *r, struct reply_mark mark);

/* Sends: RT_OK all gone, RT_EAGAIN some is left (the peer takes no more now), or an error. Does not
 * park. One writev for all that fits its vector. *sent (may be NULL) grows by the bytes sent. */
int reply_flush(struct reply *r, struct sock *s, uint64_t *sent);

/* Gives the chunks back to the cache: true, or false when something waits to be sent. */
bool reply_make_idle(struct reply *r);

/* The bytes that wait, as one string (in-process use: benchmarks, scripts, tests). */
void reply_copy_out(const struct reply *r, struct buf *out);

/* Frees the calling thread's cache of chunks. */
void reply_cache_trim(void);

#endif
