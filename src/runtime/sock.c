/*
 * sock.c - sockets as coroutines see them: waiting, closing, cancelling; independent of the poller.
 *
 *   coroutine                                        poller (netpoll_*.c)
 *   read: nothing there                              something came
 *   1. slot := co_self()                             1. events := events + 1
 *   2. still nothing in events? no hang-up? park     2. somebody in the slot? take it, ready it
 *
 * Both steps are sequentially consistent on both sides, so one sees the other. The poller empties
 * the slot it takes: one event, one wake-up; who waits on puts itself back.
 *
 * Invariants
 *  1. s->events is written by the holder of the poll lock of s->worker only; read_seen, read_more
 *     and eof by the one reader, write_seen and write_more by the one writer.
 *  2. The struct lives while s->refs > 0: one for the open socket, one for each that waits with a
 *     stack. The last one hands it to the poller (detach), which frees it when no event can come.
 *  3. A half-close is an event for readers and watchers, not for writers: the peer may well go on
 *     reading.
 */
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "runtime/netpoll.h"

#define CONNECT_RETRY_NS 1000000 /* a unix socket whose listener has no room yet */

/* ---- life ----------------------------------------------------------------------------------- */

static struct sock *make(unsigned worker, int fd)
{
    struct worker *w = worker_self();
    struct sock *s = pool__get(&rt.socks, w ? &w->socks : NULL);
    s->fd = fd;
    s->worker = (uint16_t)worker;
    s->read_seen = s->write_seen = 0;
    s->read_more = s->write_more = true;
    s->eof = s->listener = false;
    s->next = NULL;
    memset(s->backend, 0, sizeof s->backend);
    atomic_store_explicit(&s->events, 0, memory_order_relaxed);
    atomic_store_explicit(&s->ctl, 0, memory_order_relaxed);
    atomic_store_explicit(&s->refs, 1, memory_order_relaxed);
    atomic_store_explicit(&s->reader, NULL, memory_order_relaxed);
    atomic_store_explicit(&s->writer, NULL, memory_order_relaxed);
    atomic_store_explicit(&s->watcher, NULL, memory_order_relaxed);
    uint16_t generation = atomic_load_explicit(&s->generation, memory_order_relaxed);
    atomic_store_explicit(&s->generation, (uint16_t)(generation + 1), memory_order_release);
    return s;
}

void sock__free(struct sock *s)
{
    struct worker *w = worker_self();
    pool__put(&rt.socks, w ? &w->socks : NULL, s);
}

/* Keeps errno's address out of functions that park. */
static __attribute__((noinline)) void set_errno(int error)
{
    errno = error;
}

static __attribute__((noinline)) int get_errno(void)
{
    return errno;
}

struct sock *sock_new_on(unsigned worker, int fd)
{
    CHECK(worker < rt.n);
    struct sock *s = make(worker, fd);
    int rc = rt.netpoll->attach(s);
    if (rc == 0) return s;
    sock__free(s);
    set_errno(-rc);
    return NULL;
}

struct sock *sock_new(int fd)
{
    unsigned worker = rt_worker_id();
    return sock_new_on(worker == UINT32_MAX ? 0 : worker, fd);
}

int sock_fd(const struct sock *s)
{
    return s->fd;
}

static void unref(struct sock *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) rt.netpoll->detach(s);
}

void sock__push_closed(struct sock *s)
{
    struct worker *w = &rt.workers[s->worker];
    struct sock *first = atomic_load_explicit(&w->closed, memory_order_relaxed);
    do {
        s->next = first;
    } while (!atomic_compare_exchange_weak_explicit(&w->closed, &first, s, memory_order_release,
                                                    memory_order_relaxed));
}

struct sock *sock__take_closed(struct worker *w)
{
    if (!atomic_load_explicit(&w->closed, memory_order_relaxed)) return NULL;
    return atomic_exchange_explicit(&w->closed, NULL, memory_order_acquire);
}

/* ---- waking --------------------------------------------------------------------------------- */

static struct co *take(_Atomic(struct co *) *slot)
{
    if (!atomic_load_explicit(slot, memory_order_seq_cst)) return NULL;
    return atomic_exchange_explicit(slot, NULL, memory_order_acq_rel);
}

static uint64_t add_events(uint64_t was, int what)
{
    uint64_t now = was;
    if (what & (SOCK_READABLE | SOCK_HALF_CLOSED | SOCK_HANGUP)) now += EV_READ_ONE;
    if (what & (SOCK_WRITABLE | SOCK_HANGUP)) {
        now = (now & ~EV_WRITE_MASK) | ((now + EV_WRITE_ONE) & EV_WRITE_MASK);
    }
    if (what & SOCK_HALF_CLOSED) now |= EV_HALF_CLOSED;
    if (what & SOCK_HANGUP) now |= EV_HANGUP;
    return now;
}

void sock__event(struct worker *by, struct sock *s, int what)
{
    struct co *co;
    uint64_t was = atomic_load_explicit(&s->events, memory_order_relaxed);
    uint64_t now = add_events(was, what);
    atomic_store_explicit(&s->events, now, memory_order_seq_cst);
    if (ev_reads(now) != ev_reads(was) && (co = take(&s->reader))) sched__ready_quietly(by, co);
    if (ev_writes(now) != ev_writes(was) && (co = take(&s->writer))) sched__ready_quietly(by, co);
    if ((now & EV_GONE) == (was & EV_GONE)) return;
    co = atomic_load_explicit(&s->watcher, memory_order_seq_cst);
    if (co) sched__ready_quietly(by, co);
}

static void interrupt(struct sock *s, uint32_t ctl)
{
    struct co *co;
    atomic_fetch_or_explicit(&s->ctl, ctl, memory_order_seq_cst);
    if ((co = take(&s->reader))) co_ready(co);
    if ((co = take(&s->writer))) co_ready(co);
    if ((co = atomic_load_explicit(&s->watcher, memory_order_seq_cst))) co_ready(co);
}

void sock_close(struct sock *s)
{
    interrupt(s, SOCK_CTL_CLOSED);
    unref(s);
}

void sock_cancel(struct sock *s)
{
    interrupt(s, SOCK_CTL_CANCELED);
}

bool sock_canceled(struct sock *s)
{
    if (!(atomic_load_explicit(&s->ctl, memory_order_seq_cst) & SOCK_CTL_CANCELED)) return false;
    uint32_t was =
        atomic_fetch_and_explicit(&s->ctl, ~(uint32_t)SOCK_CTL_CANCELED, memory_order_acq_rel);
    return was & SOCK_CTL_CANCELED;
}

bool sock_hung_up(const struct sock *s)
{
    return atomic_load_explicit(&s->events, memory_order_seq_cst) & EV_GONE;
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* The bits that hold, if they end a wait for `events`; else 0. A hang-up counts as a read event
 * (and one in both directions as a write event), so it ends a wait once, until a read or write has
 * seen it: if that says RT_EAGAIN all the same, waiting again really waits. */
static int holds(const struct sock *s, int events)
{
    uint64_t flags = atomic_load_explicit(&s->events, memory_order_seq_cst) & EV_GONE;
    int bits = 0;
    if ((events & SOCK_READABLE) && (s->eof || sock__readable(s))) bits |= SOCK_READABLE;
    if ((events & SOCK_WRITABLE) && sock__writable(s)) bits |= SOCK_WRITABLE;
    if (flags && (bits || (events & SOCK_HANGUP))) bits |= SOCK_HANGUP;
    return bits;
}

static void enlist(struct sock *s, int events, struct co *me)
{
    if (events & SOCK_READABLE) atomic_store_explicit(&s->reader, me, memory_order_seq_cst);
    if (events & SOCK_WRITABLE) atomic_store_explicit(&s->writer, me, memory_order_seq_cst);
    if (events & SOCK_HANGUP) atomic_store_explicit(&s->watcher, me, memory_order_seq_cst);
}

static void clear_slot(_Atomic(struct co *) *slot, struct co *me)
{
    if (atomic_load_explicit(slot, memory_order_relaxed) != me) return;
    atomic_compare_exchange_strong_explicit(slot, &me, NULL, memory_order_acq_rel,
                                            memory_order_relaxed);
}

static void delist(struct sock *s, int events, struct co *me)
{
    if (events & SOCK_READABLE) clear_slot(&s->reader, me);
    if (events & SOCK_WRITABLE) clear_slot(&s->writer, me);
    if (events & SOCK_HANGUP) clear_slot(&s->watcher, me);
}

/* Bits, or why there is no use in waiting; 0: wait. */
static int outcome(struct sock *s, int events)
{
    if (atomic_load_explicit(&s->ctl, memory_order_seq_cst) & SOCK_CTL_CLOSED) return RT_ECLOSED;
    if (sock_canceled(s)) return RT_ECANCELED;
    return holds(s, events);
}

int sock_wait(struct sock *s, int events, int64_t deadline_ns)
{
    struct co *me = co_self();
    int rc = outcome(s, events);
    if (rc != 0) return rc;
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    if (rt.netpoll->arm) rt.netpoll->arm(s, events);
    for (;;) {
        enlist(s, events, me);
        if ((rc = outcome(s, events)) != 0) break;
        if (co_park(deadline_ns) == RT_ETIMEDOUT) {
            rc = outcome(s, events);
            if (rc == 0) rc = RT_ETIMEDOUT;
            break;
        }
    }
    delist(s, events, me);
    unref(s);
    return rc;
}

_Noreturn void sock_sleep_stackless(struct sock *s)
{
    struct co *me = co_self();
    if (rt.netpoll->arm) rt.netpoll->arm(s, SOCK_READABLE);
    atomic_store_explicit(&s->reader, me, memory_order_seq_cst);
    if (atomic_load_explicit(&s->ctl, memory_order_seq_cst) || sock__readable(s)) {
        clear_slot(&s->reader, me);
        co_ready(me);
    }
    co_sleep_stackless();
}

/* The watcher's slot is not emptied by who readies it: it stays until sock_unwatch(). */
void sock_watch(struct sock *s)
{
    struct co *me = co_self();
    if (rt.netpoll->arm) rt.netpoll->arm(s, SOCK_HANGUP);
    atomic_store_explicit(&s->watcher, me, memory_order_seq_cst);
    if (sock_hung_up(s) || atomic_load_explicit(&s->ctl, memory_order_seq_cst)) co_ready(me);
}

void sock_unwatch(struct sock *s)
{
    atomic_store_explicit(&s->watcher, NULL, memory_order_release);
}

/* ---- reading and writing -------------------------------------------------------------------- */

ssize_t sock_try_read(struct sock *s, void *buf, size_t n)
{
    return rt.netpoll->read(s, buf, n);
}

ssize_t sock_try_writev(struct sock *s, const struct iovec *iov, int iovcnt)
{
    return rt.netpoll->writev(s, iov, iovcnt);
}

ssize_t sock_read(struct sock *s, void *buf, size_t n, int64_t deadline_ns)
{
    torture__yield();
    for (;;) {
        ssize_t got = rt.netpoll->read(s, buf, n);
        if (got != RT_EAGAIN) return got;
        int rc = sock_wait(s, SOCK_READABLE, deadline_ns);
        if (rc < 0) return rc;
    }
}

ssize_t sock_write(struct sock *s, const void *buf, size_t n, int64_t deadline_ns)
{
    torture__yield();
    for (size_t done = 0; done < n;) {
        struct iovec rest = {(char *)buf + done, n - done};
        ssize_t put = rt.netpoll->writev(s, &rest, 1);
        if (put > 0) {
            done += (size_t)put;
        } else if (put == RT_EAGAIN) {
            int rc = sock_wait(s, SOCK_WRITABLE, deadline_ns);
            if (rc < 0) return rc;
        } else {
            return put;
        }
    }
    return (ssize_t)n;
}

/* ---- connections ---------------------------------------------------------------------------- */

/* A unix listener that was shut down says EAGAIN for ever, and hangs up. */
static __attribute__((noinline)) int try_accept(struct sock *s, struct sockaddr *addr,
                                                socklen_t *addrlen)
{
    uint64_t events = atomic_load_explicit(&s->events, memory_order_acquire);
    s->read_seen = ev_reads(events);
    int fd = accept4(s->fd, addr, addrlen, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int error = errno;
    if (fd < 0 && error == EAGAIN && (events & EV_GONE)) error = EINVAL;
    s->read_more = fd >= 0 || (error != EAGAIN && error != EWOULDBLOCK);
    if (fd >= 0) return fd;
    return s->read_more ? RT_ESYS - error : RT_EAGAIN;
}

int sock_accept(struct sock *listener, struct sockaddr *addr, socklen_t *addrlen,
                int64_t deadline_ns)
{
    listener->listener = true;
    torture__yield();
    for (;;) {
        int fd = sock__readable(listener) ? try_accept(listener, addr, addrlen) : RT_EAGAIN;
        if (fd != RT_EAGAIN) return fd;
        int rc = sock_wait(listener, SOCK_READABLE, deadline_ns);
        if (rc < 0) return rc;
    }
}

/* 0: connected; 1: under way; RT_EAGAIN: no room in the listener's queue; else an error. */
static __attribute__((noinline)) int begin_connect(int fd, const struct sockaddr *addr,
                                                   socklen_t addrlen)
{
    if (connect(fd, addr, addrlen) == 0) return 0;
    if (errno == EINPROGRESS || errno == EINTR) return 1;
    return errno == EAGAIN ? RT_EAGAIN : RT_ESYS - errno;
}

static __attribute__((noinline)) int pending_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0) error = errno;
    return error;
}

static int connect_fd(int fd, const struct sockaddr *addr, socklen_t addrlen, int64_t deadline_ns)
{
    int rc;
    while ((rc = begin_connect(fd, addr, addrlen)) == RT_EAGAIN) {
        if (rt_now() >= deadline_ns) return RT_ETIMEDOUT;
        co_sleep(CONNECT_RETRY_NS);
    }
    return rc;
}

static int finish_connect(struct sock *s, int64_t deadline_ns)
{
    s->write_more = s->read_more = false;
    int rc = sock_wait(s, SOCK_WRITABLE, deadline_ns);
    if (rc < 0) return rc;
    s->write_more = true;
    s->read_more = true;
    int error = pending_error(s->fd);
    return error ? RT_ESYS - error : 0;
}

struct sock *sock_connect(const struct sockaddr *addr, socklen_t addrlen, int64_t deadline_ns,
                          int *error)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        *error = RT_ESYS - get_errno();
        return NULL;
    }
    int rc = connect_fd(fd, addr, addrlen, deadline_ns);
    struct sock *s = rc >= 0 ? sock_new(fd) : NULL;
    if (!s) {
        *error = rc < 0 ? rc : RT_ESYS - get_errno();
        close(fd);
        return NULL;
    }
    if (rc == 1) rc = finish_connect(s, deadline_ns);
    *error = rc;
    if (rc == 0) return s;
    sock_close(s);
    return NULL;
}
