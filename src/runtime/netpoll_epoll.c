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
 * The wake-up descriptor is edge-triggered too: each write raises an edge, so it is never read.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
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
    netpoll__ring(((const struct poller *)w->poller)->wake);
}

/* ---- events --------------------------------------------------------------------------------- */

static void free_closed(struct worker *w)
{
    for (struct sock *s = sock__take_closed(w), *next; s; s = next) {
        next = s->next;
        sock__free(s);
    }
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
        sock__event(by, s, netpoll__what_of(p->events[i].events));
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
    if (UNLIKELY(s->eof)) return RT_EOF;
    if (netpoll__read_is_vain(s, events)) return RT_EAGAIN;
    s->read_seen = ev_reads(events);
    return netpoll__read(s, buf, n, events);
}

static ssize_t write_sock(struct sock *s, const struct iovec *iov, int iovcnt)
{
    uint64_t events = atomic_load_explicit(&s->events, memory_order_acquire);
    if (netpoll__write_is_vain(s, events)) return RT_EAGAIN;
    s->write_seen = ev_writes(events);
    ssize_t put = netpoll__write(s->fd, iov, iovcnt);
    return netpoll__wrote(s, put, netpoll__bytes_of(iov, iovcnt));
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
