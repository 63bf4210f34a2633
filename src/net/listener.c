/*
 * listener.c - listening sockets, and the coroutine that accepts from each.
 *
 *   opened --listener_start--> accepting --listener_close--> closed
 *   one owner                  two: the caller and the accepting coroutine; the last frees it
 *
 * Invariants
 *  1. Once started, the accepting coroutine alone uses and closes the socket. listener_close() may
 *     run in another thread: it only shuts the descriptor down, which frees the address at once
 *     and makes accept fail for good.
 *  2. It does so before it sets `closed`, and the coroutine closes the descriptor after it saw
 *     `closed`: the number cannot have been given to another file when it is shut down.
 */
#include "net/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/runtime.h"

#define PAUSE_NS     (100 * 1000 * 1000LL) /* after a failed accept */
#define SHUT_NS      (1000 * 1000LL)
#define LOG_EVERY_NS (1000 * 1000 * 1000LL)

struct listener {
    atomic_int owners;
    atomic_bool closed;
    bool started; /* known to the owner who opened it */
    int fd, port;
    char *path; /* of a unix socket, else NULL */
    struct sock *sock;
    void (*on_accept)(int fd, bool is_unix, void *arg);
    void *arg;
    int64_t logged_ns; /* when a failure was logged last */
};

/* ---- opening -------------------------------------------------------------------------------- */

static struct listener *listener_new(int fd, int port, const char *path)
{
    struct listener *l = mem_calloc(sizeof *l);
    atomic_init(&l->owners, 1);
    l->fd = fd;
    l->port = port;
    l->path = path ? mem_strdup(path) : NULL;
    return l;
}

static int bound_port(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0) return 0;
    if (addr.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
    return ntohs(((struct sockaddr_in *)&addr)->sin_port);
}

static int fail(int fd, const char *what, char *err, size_t err_size, int *sys_errno)
{
    *sys_errno = errno;
    snprintf(err, err_size, "%s: %s", what, strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
}

/* A socket bound to one address and listening, or -1 with err and *sys_errno set. */
static int open_at(const struct addrinfo *info, int backlog, char *err, size_t err_size,
                   int *sys_errno)
{
    int on = 1, type = info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(info->ai_family, type, info->ai_protocol);
    if (fd < 0) return fail(fd, "socket", err, err_size, sys_errno);
    if (info->ai_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) {
        return fail(fd, "setsockopt", err, err_size, sys_errno);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) {
        return fail(fd, "setsockopt SO_REUSEADDR", err, err_size, sys_errno);
    }
    if (bind(fd, info->ai_addr, info->ai_addrlen) < 0) {
        return fail(fd, "bind", err, err_size, sys_errno);
    }
    if (listen(fd, backlog) < 0) return fail(fd, "listen", err, err_size, sys_errno);
    return fd;
}

struct listener *listener_tcp(const char *addr, int port, int backlog, char *err, size_t err_size,
                              int *sys_errno)
{
    bool any4 = strcmp(addr, "*") == 0, any6 = strcmp(addr, "::*") == 0;
    struct addrinfo hints = {.ai_family = strchr(addr, ':') ? AF_INET6 : AF_INET,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE};
    struct addrinfo *found;
    char service[8];
    *sys_errno = 0;
    snprintf(service, sizeof service, "%d", port);
    int rc = getaddrinfo(any4 || any6 ? NULL : addr, service, &hints, &found);
    if (rc != 0) {
        if (rc == EAI_SYSTEM) *sys_errno = errno;
        snprintf(err, err_size, "%s", gai_strerror(rc));
        return NULL;
    }
    int fd = -1;
    for (struct addrinfo *info = found; info && fd < 0; info = info->ai_next) {
        fd = open_at(info, backlog, err, err_size, sys_errno);
    }
    freeaddrinfo(found);
    return fd < 0 ? NULL : listener_new(fd, bound_port(fd), NULL);
}

struct listener *listener_unix(const char *path, unsigned perm, int backlog, char *err,
                               size_t err_size)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int ignored;
    if (strlen(path) >= sizeof addr.sun_path) {
        snprintf(err, err_size, "unix socket path too long (%zu), must be under %zu", strlen(path),
                 sizeof addr.sun_path);
        return NULL;
    }
    strcpy(addr.sun_path, path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail(fd, "creating socket", err, err_size, &ignored);
    } else if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
        fail(fd, "bind", err, err_size, &ignored);
    } else if ((perm && chmod(path, perm) < 0) || listen(fd, backlog) < 0) {
        fail(fd, "listen", err, err_size, &ignored);
        unlink(path);
    } else {
        return listener_new(fd, 0, path);
    }
    return NULL;
}

int listener_port(const struct listener *l)
{
    return l->port;
}

bool listener_is_unix(const struct listener *l)
{
    return l->path != NULL;
}

/* ---- accepting ------------------------------------------------------------------------------ */

struct arrival {
    int fd;
    bool is_unix;
    void (*on_accept)(int fd, bool is_unix, void *arg);
    void *arg;
};

static void arrive(void *p)
{
    struct arrival a = *(struct arrival *)p;
    mem_free(p);
    a.on_accept(a.fd, a.is_unix, a.arg);
}

/* Hands a connection to the next worker. One counter for all listeners: whatever mix of addresses
 * clients use, workers take turns. */
static void hand_over(const struct listener *l, int fd)
{
    static atomic_uint turn;
    unsigned worker = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed) % rt_worker_count();
    struct arrival *a = mem_alloc(sizeof *a);
    *a = (struct arrival){fd, l->path != NULL, l->on_accept, l->arg};
    if (co_spawn_on(worker, "accept", arrive, a) == RT_OK) return;
    log_write(LOG_WARNING, "Accepting client connection: no memory for its coroutine");
    mem_free(a);
    close(fd);
}

/* Out of descriptors or memory: says so once a second at most, and lets things settle. */
static void pause_after(struct listener *l, int error)
{
    int64_t now = rt_now();
    if (l->logged_ns == 0 || now - l->logged_ns >= LOG_EVERY_NS) {
        log_write(LOG_WARNING, "Accepting client connection: accept: %s", rt_strerror(error));
        l->logged_ns = now;
    }
    co_sleep(PAUSE_NS);
}

static void listener_unref(struct listener *l)
{
    if (atomic_fetch_sub_explicit(&l->owners, 1, memory_order_acq_rel) > 1) return;
    mem_free(l->path);
    mem_free(l);
}

static bool is_closed(const struct listener *l)
{
    return atomic_load_explicit(&l->closed, memory_order_acquire);
}

/* Errors of one connection that died in the queue; the next accept may well succeed. */
static bool passing(int error)
{
    int sys = rt_errno(error);
    return error == RT_ECANCELED || sys == ECONNABORTED || sys == EINTR || sys == EAGAIN ||
           sys == EPROTO || sys == ENETDOWN || sys == EHOSTUNREACH || sys == ENETUNREACH;
}

static void accept_loop(void *arg)
{
    struct listener *l = arg;
    while (!is_closed(l)) {
        int fd = sock_accept(l->sock, NULL, NULL, RT_NEVER);
        if (fd >= 0) {
            hand_over(l, fd);
            if (co_should_yield()) co_yield();
        } else if (rt_errno(fd) == EINVAL) {
            co_sleep(SHUT_NS); /* shut down: `closed` follows */
        } else if (!passing(fd)) {
            pause_after(l, fd);
        }
    }
    sock_close(l->sock);
    listener_unref(l);
}

int listener_start(struct listener *l, void (*on_accept)(int fd, bool is_unix, void *arg),
                   void *arg)
{
    l->on_accept = on_accept;
    l->arg = arg;
    l->sock = sock_new(l->fd);
    if (!l->sock) return RT_ESYS - errno;
    atomic_fetch_add_explicit(&l->owners, 1, memory_order_relaxed);
    int rc = co_spawn("listener", accept_loop, l);
    l->started = rc == RT_OK;
    if (rc != RT_OK) atomic_fetch_sub_explicit(&l->owners, 1, memory_order_relaxed);
    return rc;
}

void listener_close(struct listener *l)
{
    if (l->path) unlink(l->path);
    if (l->started) {
        shutdown(l->fd, SHUT_RDWR);
        atomic_store_explicit(&l->closed, true, memory_order_release);
    } else if (l->sock) {
        sock_close(l->sock);
    } else {
        close(l->fd);
    }
    listener_unref(l);
}
