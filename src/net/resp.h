/*
 * resp.h - the request parser: arrays of bulk strings, and inline commands. Incremental, zero-copy.
 *
 * Bytes are read where resp_space() says, announced with resp_fed(), and taken out as requests with
 * resp_next(). The arguments of a request point into the parser's buffer (or into a blob, for large
 * ones that were received straight into their final place) and stay valid until resp_release().
 *
 *        resp_fed                       resp_next -> RESP_REQUEST
 *   free space ----> unparsed bytes ----------------------------> arguments of requests
 *        ^                                                             |
 *        +---------------------- resp_release -------------------------+
 *
 * Invariants
 *  1. No byte is looked at twice, however the input is cut, but for the header line being read.
 *  2. Requests handed out since the last resp_release() stay where they are: the buffer is neither
 *     moved nor grown while there are any.
 *  3. After RESP_ERROR the parser is finished; the caller answers parser->error and closes.
 */
#ifndef WEFT_NET_RESP_H
#define WEFT_NET_RESP_H

#include "types/types.h"

struct request {
    uint32_t argc;
    uint32_t big_args;   /* how many arguments own a blob */
    struct slice *argv;
    struct blob **blobs; /* NULL, or argc pointers, NULL where the argument lies in the buffer */
    size_t bytes;        /* the length of its arguments together */
};

enum resp_status { RESP_REQUEST, RESP_MORE, RESP_ERROR };

struct resp_limits {
    size_t max_bulk_len;   /* proto-max-bulk-len */
    size_t max_query_bytes; /* client-query-buffer-limit */
    int64_t max_multibulk_len; /* INT_MAX */
    bool authenticated;    /* false: 10 arguments of 16 KB at most */
};

#define RESP_INLINE_MAX  (64 * 1024)
#define RESP_BIG_ARG     (32 * 1024)   /* from here on an argument gets a blob of its own */
#define RESP_BUFFER_SIZE (16 * 1024)

struct resp_parser;
/* Parsers are taken from and returned to a cache of the worker (buffer and argument array hot), so
 * that an idle connection has none. resp_idle(): nothing buffered, it may be returned. */
struct resp_parser *resp_parser_get(void);
void resp_parser_put(struct resp_parser *ps);
bool resp_idle(const struct resp_parser *ps);

/* Where the next bytes are to be read: at least one byte; room for a whole buffer if possible. With
 * a large argument pending this is the rest of its blob (plus its line end). */
void resp_space(struct resp_parser *ps, char **p, size_t *n);
void resp_fed(struct resp_parser *ps, size_t n);

/* The next complete request. An empty inline line is skipped. Requests keep being handed out until
 * RESP_MORE, or the argument array is full (`*full` is then set: release, and call again). */
enum resp_status resp_next(struct resp_parser *ps, const struct resp_limits *limits,
                           struct request *out, bool *full);

/* The requests handed out so far are done; unreferenced blobs are freed. */
void resp_release(struct resp_parser *ps);

/* The text behind "-ERR " of a RESP_ERROR ("Protocol error: ..."), or "": close without an answer
 * (the query buffer limit). The reason and the bytes that the log line shows. */
const char *resp_error(const struct resp_parser *ps);
const char *resp_reason(const struct resp_parser *ps);
struct slice resp_offending(const struct resp_parser *ps);

/* Bytes buffered and not parsed; bytes of memory held (CLIENT LIST's qbuf, qbuf-free, argv-mem). */
size_t resp_buffered(const struct resp_parser *ps);
size_t resp_capacity(const struct resp_parser *ps);
size_t resp_memory(const struct resp_parser *ps);

/* Splits a line as inline commands and configuration files do ("a b \"c\\x00\" 'd'"). Arguments are
 * unescaped in place in line. Returns their number, or -1: unbalanced quotes. Grows *args. */
ssize_t resp_split_line(char *line, size_t n, struct slice **args, size_t *cap);

/* Workers' caches: called when a worker has nothing to do for long. */
void resp_cache_trim(void);

#endif
