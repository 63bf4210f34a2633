/*
 * reply.h - the reply builder: RESP2 or RESP3 into a chain of chunks, flushed with one system call.
 *
 * Small things are copied into the current chunk; a large blob is referenced and sent from where it
 * lies. Chunks come from a cache of the worker that runs, so an idle connection holds none. A reply
 * is used by one coroutine at a time, or by the owner of a partition on its behalf while it is parked.
 *
 * Invariant: p <= end; [chunk start, p) are the bytes of the tail chunk that wait to be sent.
 */
#ifndef WEFT_NET_REPLY_H
#define WEFT_NET_REPLY_H

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
    uint64_t total;          /* bytes ever built in this reply (statistics) */
    uint8_t resp;            /* 2 or 3 */
    bool muted;              /* CLIENT REPLY OFF or SKIP: builds nothing */
    char last_error[32];     /* the first word of the last error: for INFO errorstats, and tests */
};

void reply_init(struct reply *r);
void reply_clear(struct reply *r); /* drops what waits, gives the chunks back */
size_t reply_pending(const struct reply *r); /* bytes that wait to be sent */

/* Makes room for n contiguous bytes in the tail chunk. */
void reply_room_slow(struct reply *r, size_t n);
static inline void reply_room(struct reply *r, size_t n)
{
    if (UNLIKELY((size_t)(r->end - r->p) < n)) reply_room_slow(r, n);
}

/* Raw RESP bytes; any length. */
void reply_raw_slow(struct reply *r, const char *p, size_t n);
static inline void reply_raw(struct reply *r, const char *p, size_t n)
{
    if (LIKELY((size_t)(r->end - r->p) >= n && !r->muted)) {
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
void reply_int(struct reply *r, int64_t v);
void reply_bulk(struct reply *r, struct slice s);
void reply_bulk_str(struct reply *r, const char *s);
void reply_bulkf(struct reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void reply_bulk_int(struct reply *r, int64_t v);    /* the number as a bulk string */
/* A string value: copied when short, else referenced (takes a reference of its own). */
void reply_bulk_blob(struct reply *r, struct blob *b);
void reply_bulk_entry(struct reply *r, const struct entry *e); /* any string value */

/* In RESP3 / RESP2: _ / $-1, _ / *-1, #t / :1, ",1.5" / bulk, "=txt:" / bulk, "(" / bulk. */
void reply_null(struct reply *r);
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

/* An aggregate whose length is known only later. At most one level of them may be open per chunk
 * boundary does not matter: any nesting works; close in reverse order of opening. */
struct reply_mark {
    struct reply_chunk *chunk;
    size_t offset;
};
struct reply_mark reply_open(struct reply *r);
void reply_close_array(struct reply *r, struct reply_mark mark, size_t n);
void reply_close_map(struct reply *r, struct reply_mark mark, size_t pairs);
void reply_close_set(struct reply *r, struct reply_mark mark, size_t n);

/* "-text\r\n"; the text begins with its code ("ERR ", "WRONGTYPE "); line ends in it become blanks. */
void reply_error(struct reply *r, const char *text);
void reply_errorf(struct reply *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Position and rollback, for commands that find out late that they fail. */
struct reply_mark reply_position(const struct reply *r);
void reply_rollback(struct reply *r, struct reply_mark mark);

/* Sends: RT_OK all gone, RT_EAGAIN some is left (the peer takes no more now), or an error. Does not
 * park. One writev for everything that fits its vector. */
int reply_flush(struct reply *r, struct sock *s, uint64_t *sent);

/* The bytes that wait, as one string (in-process use: benchmarks, scripts, tests). */
void reply_copy_out(const struct reply *r, struct buf *out);

void reply_cache_trim(void);

#endif
