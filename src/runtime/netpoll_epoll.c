/*
 * netpoll_epoll.c - the poller backend on epoll, edge-triggered.
 *
 * A socket is registered once, for reading and hang-ups. Who first waits for room to write adds
 * that, for good: most never do, and a unix socket raises an edge for it whenever its peer reads.
 * What an event means for reader and writer is counted in s->events (netpoll.h). Its data word
 * names the struct and its generation, so that an event of a descriptor that lives on elsewhere (in
 * a child between fork and exec) hits nobody.
 *
 *   bits 63..48  generation     bits 47..0  address of struct sock; 0: the wake-up descriptor
 *
 * Why a short read means drained: a stream socket gives as much as it has. What comes later raises
 * a new edge. Only the end of the stream has no edge of its own once the hang-up was reported; so
 * after that a socket stays readable until a read returns 0.
 *
 * The wake-up descriptor is edge-triggered too: each write raises an edge, so it is never read.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "runtime/netpoll.h"

#define BATCH        128
#define ADDRESS_BITS 48
#define ADDRESS_MASK ((UINT64_C(1) << ADDRESS_BITS) - 1)

struct poller {
    int epoll, wake;
    struct epoll_event events[BATCH];
};

/* ---- open, close, wake ---------------------------------------------------------------------- */

static void close_poller(struct worker *w)
{
    struct poller *p = w->poller;
    if (p->wake >= 0) close(p->wake);
    if (p->epoll >= 0) close(p->epoll);
    mem_free(p);
    w->poller = NULL;
}

static int open_poller(struct worker *w)
{
    struct poller *p = mem_calloc(sizeof *p);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
    w->poller = p;
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool ok =
        p->epoll >= 0 && p->wake >= 0 && epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->wake, &ev) == 0;
    if (ok) return 0;
    int error = errno;
    close_poller(w);
    return -error;
}

static void wake(struct worker *w)
{
    static const uint64_t one = 1;
    const struct poller *p = w->poller;
    int saved = errno;
    while (write(p->wake, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    errno = saved;
}

/* ---- events --------------------------------------------------------------------------------- */

static void free_closed(struct worker *w)
{
    for (struct sock *s = sock__take_closed(w), *next; s; s = next) {
        next = s->next;
        sock__free(s);
    }
}

static int what_of(uint32_t events)
{
    int what = 0;
    if (events & EPOLLIN) what |= SOCK_READABLE;
    if (events & EPOLLOUT) what |= SOCK_WRITABLE;
    if (events & EPOLLRDHUP) what |= SOCK_HALF_CLOSED;
    if (events & (EPOLLHUP | EPOLLERR)) what |= SOCK_HANGUP;
    return what;
}

/* The socket an event is for, if it still is. Acquire: it may have been made on another thread. */
static struct sock *sock_of(uint64_t data)
{
    struct sock *s = (struct sock *)(uintptr_t)(data & ADDRESS_MASK);
    if (!s) return NULL;
    uint16_t generation = atomic_load_explicit(&s->generation, memory_order_acquire);
    return generation == data >> ADDRESS_BITS ? s : NULL;
}

static int wait_for(struct poller *p, int64_t timeout_ns)
{
    if (timeout_ns == 0) return epoll_wait(p->epoll, p->events, BATCH, 0);
    if (timeout_ns == RT_NEVER) return epoll_wait(p->epoll, p->events, BATCH, -1);
    struct timespec ts = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    int n = epoll_pwait2(p->epoll, p->events, BATCH, &ts, NULL);
    if (n >= 0 || errno != ENOSYS) return n;
    int64_t ms = MIN(timeout_ns / 1000000 + 1, 1000000);
    return epoll_wait(p->epoll, p->events, BATCH, (int)ms);
}

static int poll_events(struct worker *w, struct worker *by, int64_t timeout_ns)
{
    struct poller *p = w->poller;
    free_closed(w);
    int n = wait_for(p, timeout_ns), useful = 0;
    for (int i = 0; i < n; i++) {
        struct sock *s = sock_of(p->events[i].data.u64);
        if (!s) continue;
        sock__event(by, s, what_of(p->events[i].events));
        useful++;
    }
    return useful;
}

/* ---- sockets -------------------------------------------------------------------------------- */

#define READ_EVENTS (EPOLLIN | EPOLLRDHUP)

static int control(struct sock *s, int op, uint32_t events)
{
    const struct poller *p = rt.workers[s->worker].poller;
    uint64_t generation = atomic_load_explicit(&s->generation, memory_order_relaxed);
    struct epoll_event ev = {.events = events | EPOLLET};
    assert(((uintptr_t)s & ~ADDRESS_MASK) == 0);
    ev.data.u64 = (uint64_t)(uintptr_t)s | generation << ADDRESS_BITS;
    return epoll_ctl(p->epoll, op, s->fd, &ev) < 0 ? -errno : 0;
}

static int attach(struct sock *s)
{
    return control(s, EPOLL_CTL_ADD, READ_EVENTS);
}

/* The kernel looks at once whether there is room, so none that came before is missed. */
static void arm(struct sock *s, int events)
{
    uint64_t *asked_for_room = &s->backend[0];
    if (LIKELY(!(events & SOCK_WRITABLE)) || *asked_for_room) return;
    *asked_for_room = 1;
    control(s, EPOLL_CTL_MOD, READ_EVENTS | EPOLLOUT);
}

static void detach(struct sock *s)
{
    close(s->fd);
    sock__push_closed(s);
}

static ssize_t read_sock(struct sock *s, void *buf, size_t n)
{
    uint64_t events = atomic_load_explicit(&s->events, memory_order_acquire);
    ssize_t got;
    if (UNLIKELY(s->eof)) return RT_EOF;
    if (!s->read_more && ev_reads(events) == s->read_seen && events != 0) return RT_EAGAIN;
    s->read_seen = ev_reads(events);
    do {
        got = read(s->fd, buf, n);
    } while (UNLIKELY(got < 0) && errno == EINTR);
    if (LIKELY(got > 0)) {
        s->read_more = (size_t)got == n || (events & EV_GONE);
        return got;
    }
    if (got == 0) {
        s->eof = n > 0;
        return RT_EOF;
    }
    s->read_more = errno != EAGAIN && errno != EWOULDBLOCK;
    return s->read_more ? RT_ESYS - errno : RT_EAGAIN;
}

static size_t bytes_of(const struct iovec *iov, int iovcnt)
{
    size_t sum = 0;
    for (int i = 0; i < iovcnt; i++)
        sum += iov[i].iov_len;
    return sum;
}

static ssize_t write_sock(struct sock *s, const struct iovec *iov, int iovcnt)
{
    uint64_t events = atomic_load_explicit(&s->events, memory_order_acquire);
    ssize_t put;
    if (!s->write_more && ev_writes(events) == s->write_seen && events != 0) return RT_EAGAIN;
    s->write_seen = ev_writes(events);
    do {
        put = iovcnt == 1 ? write(s->fd, iov->iov_base, iov->iov_len) : writev(s->fd, iov, iovcnt);
    } while (UNLIKELY(put < 0) && errno == EINTR);
    if (LIKELY(put >= 0)) {
        s->write_more = (size_t)put == bytes_of(iov, iovcnt);
        return put;
    }
    s->write_more = errno != EAGAIN && errno != EWOULDBLOCK;
    return s->write_more ? RT_ESYS - errno : RT_EAGAIN;
}

const struct netpoll netpoll_epoll = {
    .name = "epoll",
    .open = open_poller,
    .close = close_poller,
    .poll = poll_events,
    .wake = wake,
    .attach = attach,
    .detach = detach,
    .read = read_sock,
    .writev = write_sock,
    .arm = arm,
};
