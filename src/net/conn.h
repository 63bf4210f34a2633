/*
 * conn.h - one client connection: its socket, parser, reply and what the system knows of it.
 *
 * A connection belongs to the coroutine that serves it. Fields marked (any) are read by other
 * coroutines for CLIENT LIST and are therefore relaxed atomics, written by their owner only.
 */
#ifndef WEFT_NET_CONN_H
#define WEFT_NET_CONN_H

#include <stdatomic.h>

#include "net/reply.h"
#include "net/resp.h"
#include "runtime/runtime.h"

struct conn {
    struct sock *sock;
    struct resp_parser *parser;   /* NULL while idle */
    struct reply reply;
    _Atomic(uint64_t) bytes_in, bytes_out;          /* (any) */
    _Atomic(uint32_t) query_buffered, query_free;   /* (any) as of the end of the last batch */
    _Atomic(uint32_t) out_memory;                   /* (any) */
    bool is_unix, eof;
    int fd;
};

/* Takes the descriptor over. 0 or a negative rt_error. */
int conn_open(struct conn *c, int fd, bool is_unix);
void conn_close(struct conn *c); /* frees everything it holds, not c itself */

/* Reads once, without parking: bytes read, RT_EAGAIN, RT_EOF or an error. Takes a parser if
 * it has none. */
ssize_t conn_fill(struct conn *c);

/* Parses what is there into batch[0 .. max): their number. *status: RESP_MORE (all parsed),
 * RESP_REQUEST (more may be parsed after conn_release()), RESP_ERROR (after the ones returned). */
size_t conn_parse(struct conn *c, const struct resp_limits *limits, struct request *batch,
                  size_t max, enum resp_status *status);
void conn_release(struct conn *c); /* the batch is done */

/* Sends what the reply holds, as far as it goes without parking: RT_OK, RT_EAGAIN or an error. */
int conn_flush(struct conn *c);

/* Gives parser and chunks back to the worker if nothing is buffered: true if c holds none now. */
bool conn_make_idle(struct conn *c);

/* "127.0.0.1:6379", "[::1]:6379", "/path:0" of the peer or of ourselves; size >= CONN_ADDR_MAX. */
#define CONN_ADDR_MAX 128
void conn_peer_name(const struct conn *c, char *out, size_t size);
void conn_local_name(const struct conn *c, char *out, size_t size);
bool conn_is_loopback(const struct conn *c); /* a peer on this machine: for the protected mode */
int conn_set_keepalive(struct conn *c, int seconds);

#endif
