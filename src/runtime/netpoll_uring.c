/*
 * netpoll_uring.c - the poller backend on io_uring.
 *
 *                 first read says EAGAIN, somebody waits to read
 *    DIRECT  --------------------------------------------------------> RECEIVING
 *    as epoll does it: a poll request     a multishot receive fills provided buffers, whose
 *    tells of readiness, read() reads     chain (u->rx) read() empties
 *            <--------------------------------------------------------
 *                 end of stream, error, a large read, too much unread, no buffers
 *
 * A socket begins DIRECT, and whatever is not a connected stream stays so. Arguments of megabytes
 * are read there, straight into their place; and a client that is not read leaves its bytes in the
 * kernel there, after at most RX_MAX buffers. Buffers unread for longer than a round are copied
 * out when few are left, so nobody holds them for long. An idle connection holds none.
 *
 * Writing
 *   What fits is copied behind what the socket has pending (u->tx) and counts as written. The poll
 *   that ends the round sends it, in the system call that waits. That send never waits and posts
 *   no completion when it sent everything, so it does not end the wait: a send without completion
 *   is done when the call returns. Only where something is to follow at once, the close or a writer
 *   who waits, it posts one. One that fell short goes on as a send that waits for room;
 *   until that is done the socket takes nothing more. What does not fit, and what a coroutine
 *   writes on another worker than the socket's, is written at once.
 *
 * What to do is a list
 *   The ring belongs to one thread. Everybody else changes the socket's flags, puts it on the list
 *   `todo`, and wakes the ring's worker if that is not himself. Its next poll() looks at each
 *   socket of the list and requests what lacks for the state that the flags describe (settle()).
 *   The end of each request puts its socket back onto the list.
 *
 * A worker that is busy with one coroutine for long
 *   Its completions are made in its own thread only, when it enters the kernel for them. Who
 *   stands in for it sends it a signal if some are due; the handler enters the kernel, and the
 *   next one who stands in finds the completions in the ring.
 *   What it has not requested yet (its list) is done by plain system calls meanwhile: what was
 *   written leaves, and what waits is looked at with poll(2), until the worker can request it.
 *
 * Invariants
 *  1. p->lock guards the flags, chains and lists; the ring's completion side is used with the poll
 *     lock of the worker held too, its submission side by the worker's thread alone.
 *  2. At most one request of each kind is in flight for a socket, and one send of either kind.
 *  3. u->tx->data before `start + sending` belongs to the kernel while a send is in flight.
 *  4. The socket is freed when it is closed and nothing is in flight for it: no completion names a
 *     socket that is gone.
 *  5. Only the reader, who found nothing, moves a socket to RECEIVING; only poll() moves it back,
 *     when no receive is in flight. So bytes are never taken by two at once.
 */
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/netpoll_uring.h"

static void wake(struct worker *w)
{
    netpoll__ring(((const struct poller *)w->poller)->wake);
}

void uring__wake_if_remote(const struct sock *s)
{
    if (!is_local(s)) wake(&rt.workers[s->worker]);
}

/* ---- polling --------------------------------------------------------------------------------- */

static bool kernel_says(const struct poller *p, unsigned flag)
{
    return __atomic_load_n(p->ring.sq.kflags, __ATOMIC_RELAXED) & flag;
}

static void enable(struct poller *p)
{
    CHECK(syscall(SYS_io_uring_register, p->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) ==
          0);
    io_uring_register_ring_fd(&p->ring); /* without it each call costs a little more */
    p->thread = (pid_t)syscall(SYS_gettid);
    p->enabled = true;
}

/* Errors (a signal, a time-out, too many completions) show in what is left in the rings. */
static void enter(struct poller *p, int64_t timeout_ns)
{
    struct io_uring_cqe *cqe;
    if (timeout_ns == RT_NEVER) {
        io_uring_submit_and_wait(&p->ring, 1);
    } else if (timeout_ns > 0) {
        struct __kernel_timespec ts = {timeout_ns / 1000000000, timeout_ns % 1000000000};
        io_uring_submit_and_wait_timeout(&p->ring, &cqe, 1, &ts, NULL);
    } else if (io_uring_sq_ready(&p->ring) > 0 ||
               kernel_says(p, IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) {
        io_uring_submit_and_get_events(&p->ring);
    }
}

static int collect(struct poller *p, struct worker *by)
{
    spin_lock(&p->lock);
    int useful = uring__reap(p, by);
    while (UNLIKELY(kernel_says(p, IORING_SQ_CQ_OVERFLOW))) {
        io_uring_get_events(&p->ring);
        useful += uring__reap(p, by);
    }
    uring__finish_sends(p, by);
    spin_unlock(&p->lock);
    return useful;
}

static int stand_in(struct poller *p, struct worker *by)
{
    spin_lock(&p->lock);
    int useful = uring__reap(p, by);
    uring__serve_by_hand(p, by);
    spin_unlock(&p->lock);
    if (kernel_says(p, IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) {
        syscall(SYS_tgkill, getpid(), p->thread, NUDGE);
    }
    return useful;
}

/* What the kernel did not take last time, for want of memory, goes before anything new, as long as
 * it may name sockets that could be freed. */
static bool submit_rest(struct poller *p, struct worker *by, int *useful)
{
    if (LIKELY(io_uring_sq_ready(&p->ring) == 0)) return true;
    enter(p, 0);
    *useful += collect(p, by);
    return io_uring_sq_ready(&p->ring) == 0;
}

static int poll_events(struct worker *w, struct worker *by, int64_t timeout_ns)
{
    struct poller *p = w->poller;
    int useful = 0;
    if (UNLIKELY(w != by)) return stand_in(p, by);
    if (UNLIKELY(!p->enabled)) enable(p);
    for (bool all = false; !all && submit_rest(p, by, &useful);) {
        all = uring__prepare(p, by);
        enter(p, all ? timeout_ns : 0);
        useful += collect(p, by);
    }
    return useful;
}

static void on_nudge(int signo)
{
    struct worker *w = rt__worker;
    int saved = errno;
    if (w && w->poller) {
        const struct poller *p = w->poller;
        syscall(SYS_io_uring_enter, p->ring.ring_fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
    }
    errno = saved;
}

/* ---- open, close ----------------------------------------------------------------------------- */

static struct sigaction nudge_before;

static void catch_nudges(void)
{
    struct sigaction action = {.sa_handler = on_nudge, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigaction(NUDGE, &action, &nudge_before);
}

/* Nobody polls any more: what is left to send goes out if there is room for it. */
static void give_up(struct sock *s)
{
    struct us *u = us_of(s);
    if (u->tx && !has(u, SENDING | ARMED(OP_SEND))) {
        send(s->fd, u->tx->data + u->tx->start, u->tx->end - u->tx->start,
             MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (has(u, CLOSED) && s->fd >= 0) close(s->fd);
}

static void free_memory(struct poller *p)
{
    uring__close_buffers(p);
    uring__free_tx(p);
    free(p);
}

static void close_poller(struct worker *w)
{
    struct poller *p = w->poller;
    for (struct sock *s = p->todo, *next; s; s = next) {
        next = us_of(s)->next;
        give_up(s);
    }
    io_uring_queue_exit(&p->ring);
    close(p->wake);
    free_memory(p);
    w->poller = NULL;
    if (w->id == 0) sigaction(NUDGE, &nudge_before, NULL);
}

static int open_ring(struct poller *p)
{
    struct io_uring_params params = {.flags = FLAGS, .cq_entries = CQ_SIZE};
    int rc = io_uring_queue_init_params(SQ_SIZE, &p->ring, &params);
    if (rc < 0) return rc;
    rc = (params.features & FEATURES) == FEATURES ? uring__open_buffers(p) : -ENOSYS;
    if (rc == 0) {
        p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (p->wake < 0) rc = -errno;
    }
    if (rc < 0) io_uring_queue_exit(&p->ring);
    return rc;
}

static int open_poller(struct worker *w)
{
    int rc = w->id == 0 ? uring__probe() : 0;
    if (rc < 0) return rc;
    struct poller *p = aligned_alloc(CACHE_LINE, sizeof *p);
    if (!p) return -ENOMEM;
    memset(p, 0, sizeof *p);
    atomic_flag_clear(&p->lock);
    list_init(&p->spilled);
    rc = open_ring(p);
    if (rc < 0) {
        free_memory(p);
        return rc;
    }
    w->poller = p;
    if (w->id == 0) catch_nudges();
    return 0;
}

/* ---- sockets --------------------------------------------------------------------------------- */

/* STREAM, 0, or why it cannot be polled. */
static int kind_of(int fd)
{
    int type = 0, listening = 0;
    socklen_t len = sizeof type;
    struct stat st;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0) {
        len = sizeof listening;
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len);
        return type == SOCK_STREAM && !listening ? (int)STREAM : 0;
    }
    if (fstat(fd, &st) < 0) return -errno;
    return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? -EPERM : 0;
}

static int attach(struct sock *s)
{
    struct poller *p = poller_of(s);
    int kind = kind_of(s->fd);
    if (kind < 0) return kind;
    spin_lock(&p->lock);
    change(us_of(s), 0, DIRECT | (uint32_t)kind);
    add_todo(p, s);
    spin_unlock(&p->lock);
    uring__wake_if_remote(s);
    return 0;
}

static void detach(struct sock *s)
{
    struct poller *p = poller_of(s);
    struct us *u = us_of(s);
    if (s->listener) shutdown(s->fd, SHUT_RDWR); /* refuses at once whoever comes now */
    spin_lock(&p->lock);
    uring__rx_clear(p, u);
    if (!has(u, IN_FLIGHT) && !u->tx) {
        close(s->fd);
        s->fd = -1;
    }
    bool remote = !is_local(s);
    struct worker *w = &rt.workers[s->worker];
    change(u, WANT_OUT, CLOSED);
    add_todo(p, s);
    spin_unlock(&p->lock);
    if (remote) wake(w);
}

static void arm(struct sock *s, int events)
{
    struct poller *p = poller_of(s);
    struct us *u = us_of(s);
    bool local = is_local(s);
    uint32_t flags = flags_of(u);
    bool receive = (events & SOCK_READABLE) && local && (flags & STREAM) && (flags & DIRECT) &&
                   !u->large && !(atomic_load_explicit(&s->events, memory_order_acquire) & EV_GONE);
    if (!receive && !(events & SOCK_WRITABLE)) return;
    spin_lock(&p->lock);
    if (receive && !u->rx_error && !u->rx) change(u, DIRECT, 0);
    if (events & SOCK_WRITABLE) change(u, 0, WANT_OUT);
    add_todo(p, s);
    spin_unlock(&p->lock);
    if (!local && (events & SOCK_WRITABLE)) wake(&rt.workers[s->worker]);
}

const struct netpoll netpoll_uring = {
    .name = "io_uring",
    .open = open_poller,
    .close = close_poller,
    .poll = poll_events,
    .wake = wake,
    .attach = attach,
    .detach = detach,
    .read = uring__read,
    .writev = uring__write,
    .arm = arm,
};
