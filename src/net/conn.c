/*
 * conn.c - a connection's socket, parser and reply together, and names for its two ends.
 *
 *   conn_fill ---> parser ---> conn_parse: a batch ---> conn_release ---> conn_make_idle
 *                                  | executed by the caller                    |
 *   conn_flush <--- reply <--------+                              parser and chunks go back
 *
 * Invariants
 *  1. parser is NULL exactly while nothing was read since conn_open() or conn_make_idle().
 *  2. Statistics that others read are written by the serving coroutine only, so a relaxed load and
 *     store add to them; no reader needs them to agree with each other.
 */
#include "net/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

static void count(_Atomic(uint64_t) *counter, uint64_t n)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

static void note(_Atomic(uint32_t) *gauge, size_t n)
{
    uint32_t v = (uint32_t)MIN(n, (size_t)UINT32_MAX);
    atomic_store_explicit(gauge, v, memory_order_relaxed);
}

int conn_open(struct conn *c, int fd, bool is_unix)
{
    memset(c, 0, sizeof *c);
    reply_init(&c->reply);
    c->fd = fd;
    c->is_unix = is_unix;
    if (!is_unix) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails harmlessly on no TCP */
    }
    c->sock = sock_new(fd);
    if (c->sock) return RT_OK;
    int error = RT_ESYS - errno;
    close(fd);
    c->fd = -1;
    return error;
}

void conn_close(struct conn *c)
{
    if (c->parser) resp_parser_put(c->parser);
    c->parser = NULL;
    reply_clear(&c->reply);
    if (c->sock) sock_close(c->sock);
    c->sock = NULL;
    c->fd = -1;
}

ssize_t conn_fill(struct conn *c)
{
    char *p;
    size_t n;
    if (!c->parser) c->parser = resp_parser_get();
    resp_space(c->parser, &p, &n);
    ssize_t got = sock_try_read(c->sock, p, n);
    if (got == RT_EOF) c->eof = true;
    if (got <= 0) return got;
    resp_fed(c->parser, (size_t)got);
    count(&c->bytes_in, (uint64_t)got);
    return got;
}

size_t conn_parse(struct conn *c, const struct resp_limits *limits, struct request *batch,
                  size_t max, enum resp_status *status)
{
    size_t n = 0;
    bool full;
    *status = RESP_MORE;
    if (!c->parser) return 0;
    /* An AUTH in the pipeline changes the limits of what follows it. */
    if (!limits->authenticated) max = MIN(max, (size_t)1);
    while (n < max) {
        enum resp_status one = resp_next(c->parser, limits, &batch[n], &full);
        if (one != RESP_REQUEST) {
            *status = full ? RESP_REQUEST : one;
            return n;
        }
        n++;
    }
    *status = RESP_REQUEST;
    return n;
}

void conn_release(struct conn *c)
{
    resp_release(c->parser);
    size_t buffered = resp_buffered(c->parser), capacity = resp_capacity(c->parser);
    note(&c->query_buffered, buffered);
    note(&c->query_free, capacity > buffered ? capacity - buffered : 0);
}

int conn_flush(struct conn *c)
{
    uint64_t sent = 0;
    int result = reply_flush(&c->reply, c->sock, &sent);
    if (sent) count(&c->bytes_out, sent);
    note(&c->out_memory, result == RT_OK ? 0 : c->reply.memory);
    return result;
}

bool conn_make_idle(struct conn *c)
{
    if (c->parser && !resp_idle(c->parser)) return false;
    if (!reply_make_idle(&c->reply)) return false;
    if (!c->parser) return true;
    resp_parser_put(c->parser);
    c->parser = NULL;
    note(&c->query_buffered, 0);
    note(&c->query_free, 0);
    return true;
}

/* ---- names ---------------------------------------------------------------------------------- */

typedef int name_fn(int, struct sockaddr *, socklen_t *);

static void print_unix(const struct sockaddr_un *addr, socklen_t len, char *out, size_t size)
{
    size_t path = len > offsetof(struct sockaddr_un, sun_path)
                      ? strnlen(addr->sun_path, len - offsetof(struct sockaddr_un, sun_path))
                      : 0;
    if (path == 0) {
        snprintf(out, size, "/unixsocket:0");
    } else {
        snprintf(out, size, "%.*s:0", (int)path, addr->sun_path);
    }
}

static void print_addr(const struct sockaddr_storage *addr, socklen_t len, char *out, size_t size)
{
    char ip[INET6_ADDRSTRLEN] = "";
    if (addr->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
        inet_ntop(AF_INET, &in->sin_addr, ip, sizeof ip);
        snprintf(out, size, "%s:%d", ip, ntohs(in->sin_port));
    } else if (addr->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)addr;
        inet_ntop(AF_INET6, &in->sin6_addr, ip, sizeof ip);
        snprintf(out, size, "[%s]:%d", ip, ntohs(in->sin6_port));
    } else {
        print_unix((const struct sockaddr_un *)addr, len, out, size);
    }
}

static void print_name(int fd, name_fn *get, char *out, size_t size)
{
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof addr;
    if (get(fd, (struct sockaddr *)&addr, &len) < 0) {
        snprintf(out, size, "?:0");
    } else {
        print_addr(&addr, len, out, size);
    }
}

/* The peer of a unix socket has no name; the path it came by stands for it. */
void conn_peer_name(const struct conn *c, char *out, size_t size)
{
    print_name(c->fd, c->is_unix ? getsockname : getpeername, out, size);
}

void conn_local_name(const struct conn *c, char *out, size_t size)
{
    print_name(c->fd, getsockname, out, size);
}

bool conn_is_loopback(const struct conn *c)
{
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof addr;
    if (c->is_unix) return true;
    if (getpeername(c->fd, (struct sockaddr *)&addr, &len) < 0) return false;
    if (addr.ss_family == AF_INET) {
        return ntohl(((struct sockaddr_in *)&addr)->sin_addr.s_addr) >> 24 == 127;
    }
    if (addr.ss_family != AF_INET6) return true;
    const struct in6_addr *in6 = &((struct sockaddr_in6 *)&addr)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
}

/* The first probe after `seconds` of silence, three more a third of that apart. */
int conn_set_keepalive(struct conn *c, int seconds)
{
    int on = 1, interval = MAX(seconds / 3, 1), probes = 3, fd = c->fd;
    if (c->is_unix) return RT_OK;
    if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) < 0) {
        return RT_ESYS - errno;
    }
    return RT_OK;
}
