/*
 * netpoll.h - the contract of a poller backend: one struct of functions, one file.
 *
 * Each worker has a poller of its own; every socket belongs to one poller for life. A backend keeps
 * its state for a worker in `w->poller` and for a socket in `s->backend`.
 *
 * What a backend tells the rest
 *   sock__event(s, what) publishes that something happened: it counts read or write events in
 *   s->events, keeps the flags of a hang-up, and readies whoever waits. It is the only writer of
 *   that word and is called with the poll lock of the socket's worker held, that is from poll().
 *
 * How readers use it
 *   A reader remembers the count of read events *before* it reads (s->read_seen), and whether the
 *   read may have left something (s->read_more). It waits only while the count has not moved and
 *   nothing is left. So an event that comes while it reads is never lost, and neither side needs an
 *   atomic read-modify-write. The same for writers.
 *
 * Who calls what, where
 *   poll() runs with the poll lock of `w` held: usually on w's own thread, now and then (without
 *   waiting) on another worker's, when w is busy with one coroutine for long. `by` is the worker of
 *   the calling thread: readied coroutines are queued there (sock__event does it).
 *   read(), writev(), arm() run in the coroutine that uses the socket, on whichever worker that is
 *   now (`worker_self()`, not always s->worker). attach(), detach(), wake() run anywhere.
 *
 * Deferred work fits
 *   One poll(w, timeout) a scheduling round is the place for a backend to submit what the round
 *   queued and to wait, in one system call. writev() may copy the bytes, queue them and report them
 *   as written; an error then comes out of the next writev() or read() on that socket. read() may
 *   be served from buffers that earlier completions filled: such a completion calls sock__event(s,
 *   SOCK_READABLE), and read() sets s->read_more while buffers are left. Anything that is queued
 *   for w's poller on another thread than w's needs the backend's own lock, and wake(w) if w
 * sleeps.
 */
#ifndef WEFT_RUNTIME_NETPOLL_H
#define WEFT_RUNTIME_NETPOLL_H

#include "runtime/rt.h"

struct netpoll {
    const char *name;

    /* Makes the poller of w, before the worker threads run. 0 or -errno (nothing is left behind).
     */
    int (*open)(struct worker *w);
    void (*close)(struct worker *w); /* after they ended; sockets may still be registered */

    /* Collects events for at most timeout_ns (0: does not wait; RT_NEVER), hands each to
     * sock__event(), and returns their number. May return early for no reason. Frees the sockets
     * that were detached and that no event can name any more. When the worker ends it is called
     * a few times without waiting, so that what is pending leaves. */
    int (*poll)(struct worker *w, struct worker *by, int64_t timeout_ns);

    /* Makes a poll() of w that waits, or the next that would, return. Any thread,
     * async-signal-safe. */
    void (*wake)(struct worker *w);

    /* Registers s->fd with s->worker's poller for everything, once. 0 or -errno. */
    int (*attach)(struct sock *s);

    /* Closes s->fd. Nobody uses s any more, but events for it may be under way: calls sock__free(s)
     * when none can come, at the earliest in the next poll(), never while a batch of events is
     * being handled. */
    void (*detach)(struct sock *s);

    /* The try-forms: bytes, RT_EAGAIN, RT_EOF, RT_ESYS - errno. read() must not make a system call
     * that is known to return EAGAIN: the last read fell short and no event came since. As long as
     * no event at all came since attach() nothing is known. */
    ssize_t (*read)(struct sock *s, void *buf, size_t n);
    ssize_t (*writev)(struct sock *s, const struct iovec *iov, int iovcnt);

    /* The caller is about to wait for `events` (SOCK_READABLE, SOCK_WRITABLE, SOCK_HANGUP);
     * s->listener says that what is awaited are connections. NULL: nothing to do. */
    void (*arm)(struct sock *s, int events);
};

extern const struct netpoll netpoll_epoll;
#ifdef WEFT_IO_URING
extern const struct netpoll netpoll_uring;
#endif

/* ---- sock.c, for backends ------------------------------------------------------------------- */

/* `what`: SOCK_READABLE, SOCK_WRITABLE, SOCK_HANGUP (nothing goes any more), SOCK_HALF_CLOSED. */
enum { SOCK_HALF_CLOSED = 8 };
void sock__event(struct worker *by, struct sock *s, int what);
void sock__free(struct sock *s); /* by the holder of the poll lock of s->worker */

/* Appends s to its worker's list of closed sockets, or takes the whole list. */
void sock__push_closed(struct sock *s);
struct sock *sock__take_closed(struct worker *w);

/* ---- netpoll_fd.c: what backends do alike ---------------------------------------------------- */

/* What to tell sock__event() of events of poll() or epoll. */
int netpoll__what_of(uint32_t events);
/* Raises an event of an eventfd. Async-signal-safe. */
void netpoll__ring(int eventfd);

/* Whether the system call would certainly return EAGAIN. `events`: s->events as read before. */
bool netpoll__read_is_vain(const struct sock *s, uint64_t events);
bool netpoll__write_is_vain(const struct sock *s, uint64_t events);

/* read() of the contract by a system call; the caller has noted read_seen from `events`. */
ssize_t netpoll__read(struct sock *s, void *buf, size_t n, uint64_t events);
/* Bytes, RT_EAGAIN, RT_ESYS - errno. */
ssize_t netpoll__write(int fd, const struct iovec *iov, int iovcnt);
/* Notes what writev() returns, of `total` bytes wanted, for the next one; returns it. */
ssize_t netpoll__wrote(struct sock *s, ssize_t put, size_t total);
size_t netpoll__bytes_of(const struct iovec *iov, int iovcnt);

/* ---- for sock.c and backends ---------------------------------------------------------------- */

static inline bool sock__readable(const struct sock *s)
{
    uint64_t events = atomic_load_explicit(&s->events, memory_order_seq_cst);
    return s->read_more || ev_reads(events) != s->read_seen;
}

static inline bool sock__writable(const struct sock *s)
{
    uint64_t events = atomic_load_explicit(&s->events, memory_order_seq_cst);
    return s->write_more || ev_writes(events) != s->write_seen;
}

#endif
