/*
 * netpoll_uring_requests.c - what is asked of the kernel for a socket, and what its answers mean.
 *
 *   list --settle()--> requests --> kernel --> completions --on_...()--> flags, events, list
 *
 * Settling requests whatever lacks for the state that the flags describe, and cancels what that
 * state has no use for. A cancel may fail to find its request, which is just being worked on: it is
 * then repeated for as long as the request is in flight and not wanted.
 *
 * Invariants: 2 and 4 of netpoll_uring.c.
 */
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/netpoll_uring.h"

/* ---- requests -------------------------------------------------------------------------------- */

static uint64_t name_of(const struct sock *s, enum op op)
{
    return (uint64_t)(uintptr_t)s | op;
}

static struct io_uring_sqe *request(struct poller *p, struct sock *s, enum op op)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&p->ring);
    CHECK(sqe != NULL); /* uring__prepare() sees to it */
    if (op < OP_SEND_NOW && op != OP_NONE) change(us_of(s), CANCELED(op), ARMED(op));
    return sqe;
}

static void name(struct io_uring_sqe *sqe, const struct sock *s, enum op op)
{
    sqe->user_data = name_of(s, op);
}

static void cancel(struct poller *p, struct sock *s, enum op op)
{
    struct us *u = us_of(s);
    if (!has(u, ARMED(op)) || has(u, CANCELED(op))) return;
    struct io_uring_sqe *sqe = request(p, s, OP_NONE);
    io_uring_prep_cancel64(sqe, name_of(s, op), 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    name(sqe, s, OP_NONE);
    change(u, 0, CANCELED(op));
}

static void request_recv(struct poller *p, struct sock *s)
{
    struct io_uring_sqe *sqe = request(p, s, OP_RECV);
    io_uring_prep_recv_multishot(sqe, s->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    name(sqe, s, OP_RECV);
}

static void request_poll(struct poller *p, struct sock *s)
{
    struct io_uring_sqe *sqe = request(p, s, OP_POLL);
    io_uring_prep_poll_multishot(sqe, s->fd, POLLIN | POLLRDHUP);
    name(sqe, s, OP_POLL);
}

static bool half_closed(const struct sock *s)
{
    return atomic_load_explicit(&s->events, memory_order_relaxed) & EV_HALF_CLOSED;
}

/* The kernel ends a poll request at a half-close whether asked to or not. One that goes on after
 * an event survives that, and has to be cancelled when it has served. */
static void request_out(struct poller *p, struct sock *s)
{
    struct io_uring_sqe *sqe = request(p, s, OP_OUT);
    if (UNLIKELY(half_closed(s))) {
        io_uring_prep_poll_multishot(sqe, s->fd, POLLOUT);
    } else {
        io_uring_prep_poll_add(sqe, s->fd, POLLOUT);
    }
    name(sqe, s, OP_OUT);
}

static void request_send(struct poller *p, struct sock *s)
{
    struct us *u = us_of(s);
    struct tx *tx = u->tx;
    bool wait = has(u, STUCK);
    struct io_uring_sqe *sqe = request(p, s, wait ? OP_SEND : OP_SEND_NOW);
    tx->sending = tx->end - tx->start;
    io_uring_prep_send(sqe, s->fd, tx->data + tx->start, tx->sending,
                       MSG_WAITALL | (wait ? 0 : MSG_DONTWAIT));
    name(sqe, s, wait ? OP_SEND : OP_SEND_NOW);
    if (wait) return;
    if (LIKELY(!has(u, CLOSED | WANT_OUT))) sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    change(u, 0, SENDING);
    p->sending[p->n_sending++] = s;
}

static void request_timer(struct poller *p, struct sock *s)
{
    static struct __kernel_timespec linger = {.tv_sec = LINGER_S};
    struct io_uring_sqe *sqe = request(p, s, OP_TIMER);
    io_uring_prep_timeout(sqe, &linger, 0, 0);
    name(sqe, s, OP_TIMER);
}

/* ---- settling -------------------------------------------------------------------------------- */

static void settle_closed(struct poller *p, struct sock *s)
{
    struct us *u = us_of(s);
    cancel(p, s, OP_RECV);
    cancel(p, s, OP_POLL);
    cancel(p, s, OP_OUT);
    if (!has(u, ARMED(OP_SEND))) {
        cancel(p, s, OP_TIMER);
    } else if (!has(u, ARMED(OP_TIMER) | CANCELED(OP_SEND))) {
        request_timer(p, s);
    }
    if (has(u, IN_FLIGHT)) return;
    if (s->fd >= 0) close(s->fd);
    sock__free(s);
}

static void settle_reading(struct poller *p, struct worker *by, struct sock *s)
{
    struct us *u = us_of(s);
    if (has(u, STOP) && !has(u, ARMED(OP_RECV))) {
        change(u, STOP, DIRECT);
        sock__event(by, s, SOCK_READABLE);
    }
    if (has(u, STOP)) {
        cancel(p, s, OP_RECV);
    } else if (!has(u, DIRECT)) {
        cancel(p, s, OP_POLL);
        if (!has(u, ARMED(OP_RECV))) request_recv(p, s);
    } else if (!has(u, ARMED(OP_POLL) | ARMED(OP_RECV)) &&
               !(atomic_load_explicit(&s->events, memory_order_relaxed) & EV_HANGUP)) {
        request_poll(p, s);
    }
}

/* Requests what lacks for the state that the flags describe. */
static void settle(struct poller *p, struct worker *by, struct sock *s)
{
    struct us *u = us_of(s);
    if (u->tx && !has(u, SENDING | BY_HAND | ARMED(OP_SEND))) request_send(p, s);
    if (has(u, CLOSED)) {
        settle_closed(p, s);
        return;
    }
    settle_reading(p, by, s);
    if (!has(u, WANT_OUT)) {
        cancel(p, s, OP_OUT);
    } else if (!u->tx && !has(u, ARMED(OP_OUT))) {
        request_out(p, s);
    }
}

static void arm_wake(struct poller *p)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&p->ring);
    CHECK(sqe != NULL);
    io_uring_prep_poll_multishot(sqe, p->wake, POLLIN);
    sqe->user_data = OP_WAKE;
    p->wake_armed = true;
}

/* Turns the list into requests; false: the ring is full, and there are more. */
bool uring__prepare(struct poller *p, struct worker *by)
{
    spin_lock(&p->lock);
    if (UNLIKELY(!p->wake_armed) && io_uring_sq_space_left(&p->ring) > 0) arm_wake(p);
    while (p->todo && io_uring_sq_space_left(&p->ring) >= SQES_A_SOCK && p->n_sending < SQ_SIZE) {
        struct sock *s = p->todo;
        struct us *u = us_of(s);
        p->todo = u->next;
        change(u, LISTED, 0);
        settle(p, by, s);
    }
    bool all = !p->todo;
    spin_unlock(&p->lock);
    return all;
}

/* ---- without the ring ------------------------------------------------------------------------ */

static int send_by_hand(struct poller *p, struct sock *s)
{
    struct us *u = us_of(s);
    struct tx *tx = u->tx;
    ssize_t put =
        send(s->fd, tx->data + tx->start, tx->end - tx->start, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put <= 0) return 0; /* settle() will meet the error, too */
    if (!uring__tx_sent(p, u, (size_t)put) || !has(u, WANT_OUT)) return 0;
    change(u, WANT_OUT, 0);
    return SOCK_WRITABLE;
}

/* All is sent. The descriptor may still be in use for requests: then the peer is told at least. */
static void close_by_hand(struct sock *s)
{
    if (s->fd < 0) return;
    if (has(us_of(s), IN_FLIGHT)) {
        shutdown(s->fd, SHUT_WR);
    } else {
        close(s->fd);
        s->fd = -1;
    }
}

/* What is ready of what has no request. */
static int look_by_hand(struct sock *s)
{
    struct us *u = us_of(s);
    int what = 0;
    if (!has(u, DIRECT | ARMED(OP_RECV))) {
        change(u, STOP, DIRECT);
        what = SOCK_READABLE;
    }
    struct pollfd look = {.fd = s->fd};
    if (has(u, DIRECT) && !has(u, ARMED(OP_POLL))) look.events = POLLIN | POLLRDHUP;
    if (has(u, WANT_OUT) && !u->tx && !has(u, ARMED(OP_OUT))) look.events |= POLLOUT;
    if (look.events && poll(&look, 1, 0) > 0) what |= netpoll__what_of((uint32_t)look.revents);
    if (what & (SOCK_WRITABLE | SOCK_HANGUP)) change(u, WANT_OUT, 0);
    return what;
}

void uring__serve_by_hand(struct poller *p, struct worker *by)
{
    for (struct sock *s = p->todo; s; s = us_of(s)->next) {
        struct us *u = us_of(s);
        bool sends = has(u, SENDING | BY_HAND | ARMED(OP_SEND));
        int what = u->tx && !sends ? send_by_hand(p, s) : 0;
        if (!has(u, CLOSED)) what |= look_by_hand(s);
        if (has(u, CLOSED) && !u->tx && !sends) close_by_hand(s);
        if (what && !has(u, CLOSED)) sock__event(by, s, what);
    }
}

/* ---- completions ----------------------------------------------------------------------------- */

/* The multishot receive is over, with res; what follows is up to the reader, or to settle(). */
static int recv_ended(struct poller *p, struct sock *s, int res)
{
    struct us *u = us_of(s);
    add_todo(p, s);
    if (res > 0 || res == -EINTR || res == -EAGAIN) return 0;
    if (res == -ENOBUFS && !has(u, STOP) && (p->free > 0 || uring__provide_more(p))) return 0;
    if (res == -ECANCELED && !has(u, STOP)) return 0;
    change(u, STOP, DIRECT);
    if (res == 0) return SOCK_READABLE | SOCK_HALF_CLOSED;
    if (res == -ECANCELED || res == -ENOBUFS) return SOCK_READABLE;
    u->rx_error = (uint8_t)-res;
    return SOCK_READABLE | SOCK_HANGUP;
}

static int on_recv(struct poller *p, struct sock *s, int res, uint32_t flags)
{
    struct us *u = us_of(s);
    int what = 0;
    if (LIKELY(res > 0)) {
        uring__received(p, s, flags >> IORING_CQE_BUFFER_SHIFT, (size_t)res);
        what = SOCK_READABLE;
    } else if (flags & IORING_CQE_F_BUFFER) {
        p->free--;
        uring__provide(p, flags >> IORING_CQE_BUFFER_SHIFT);
    }
    if (LIKELY(flags & IORING_CQE_F_MORE)) return what;
    change(u, ARMED(OP_RECV) | CANCELED(OP_RECV), 0);
    return what | recv_ended(p, s, res);
}

static int on_poll(struct poller *p, struct sock *s, int res, uint32_t flags)
{
    if (!(flags & IORING_CQE_F_MORE)) {
        change(us_of(s), ARMED(OP_POLL) | CANCELED(OP_POLL), 0);
        add_todo(p, s);
    }
    return res > 0 ? netpoll__what_of((uint32_t)res) : 0;
}

static int on_out(struct poller *p, struct sock *s, int res, uint32_t flags)
{
    struct us *u = us_of(s);
    int what = res > 0 ? netpoll__what_of((uint32_t)res) : 0;
    if (!(flags & IORING_CQE_F_MORE)) change(u, ARMED(OP_OUT) | CANCELED(OP_OUT), 0);
    if (what & (SOCK_WRITABLE | SOCK_HANGUP)) change(u, WANT_OUT, 0);
    if (has(u, CLOSED | WANT_OUT | ARMED(OP_OUT))) add_todo(p, s);
    return what;
}

/* A send of either kind has sent n bytes. */
static int sent(struct poller *p, struct sock *s, size_t n)
{
    struct us *u = us_of(s);
    bool all = uring__tx_sent(p, u, n);
    if (!all || has(u, CLOSED)) add_todo(p, s);
    if (!all || !has(u, WANT_OUT)) return 0;
    change(u, WANT_OUT, 0);
    return SOCK_WRITABLE;
}

static int on_send(struct poller *p, struct sock *s, int res)
{
    struct us *u = us_of(s);
    change(u, ARMED(OP_SEND) | CANCELED(OP_SEND) | SENDING, 0);
    if (res >= 0 || res == -EAGAIN || res == -EINTR) {
        change(u, 0, STUCK);
        return sent(p, s, (size_t)MAX(res, 0));
    }
    uring__tx_drop(p, u);
    change(u, STUCK | WANT_OUT, 0);
    u->tx_error = (uint8_t)-res;
    add_todo(p, s);
    return SOCK_WRITABLE | SOCK_HANGUP;
}

/* The last bytes of a closed socket had their time. */
static int on_timer(struct poller *p, struct sock *s)
{
    struct us *u = us_of(s);
    change(u, ARMED(OP_TIMER) | CANCELED(OP_TIMER), 0);
    if (has(u, ARMED(OP_SEND))) shutdown(s->fd, SHUT_RDWR); /* the send fails and ends */
    change(u, 0, CANCELED(OP_SEND));
    add_todo(p, s);
    return 0;
}

/* A request that was just being worked on was not found: once more, if it is still there. Which one
 * it was is not said: cancelling another twice does no harm. */
static int on_cancel(struct poller *p, struct sock *s)
{
    struct us *u = us_of(s);
    uint32_t armed = flags_of(u) & IN_FLIGHT & ~SENDING;
    if (!(flags_of(u) & armed << 8)) return 0;
    change(u, armed << 8, 0);
    add_todo(p, s);
    return 0;
}

static int complete(struct poller *p, struct sock *s, enum op op, int res, uint32_t flags)
{
    switch (op) {
    case OP_RECV: return on_recv(p, s, res, flags);
    case OP_POLL: return on_poll(p, s, res, flags);
    case OP_OUT: return on_out(p, s, res, flags);
    case OP_SEND:
    case OP_SEND_NOW: return on_send(p, s, res);
    case OP_TIMER: return on_timer(p, s);
    case OP_NONE: return on_cancel(p, s);
    default: return 0;
    }
}

static bool handle(struct poller *p, struct worker *by, const struct io_uring_cqe *cqe)
{
    enum op op = cqe->user_data & OP_MASK;
    struct sock *s = (struct sock *)(uintptr_t)(cqe->user_data & ~(uint64_t)OP_MASK);
    if (op == OP_WAKE && !(cqe->flags & IORING_CQE_F_MORE)) p->wake_armed = false;
    if (!s) return false;
    int what = complete(p, s, op, cqe->res, cqe->flags);
    if (what && !has(us_of(s), CLOSED)) sock__event(by, s, what);
    return what != 0;
}

int uring__reap(struct poller *p, struct worker *by)
{
    const struct io_uring_cqe *cqe;
    unsigned head, n = 0;
    int useful = 0;
    p->round++;
    io_uring_for_each_cqe(&p->ring, head, cqe)
    {
        useful += handle(p, by, cqe);
        n++;
    }
    io_uring_cq_advance(&p->ring, n);
    if (UNLIKELY(p->free < p->n_bufs / 4)) uring__spill_old(p);
    return useful;
}

/* All requests were taken, and every completion handled: sends that had none are done. */
void uring__finish_sends(struct poller *p, struct worker *by)
{
    if (io_uring_sq_ready(&p->ring) > 0) return;
    for (uint32_t i = 0; i < p->n_sending; i++) {
        struct sock *s = p->sending[i];
        struct us *u = us_of(s);
        if (!has(u, SENDING)) continue;
        change(u, SENDING, 0);
        int what = sent(p, s, u->tx->sending);
        if (what && !has(u, CLOSED)) sock__event(by, s, what);
    }
    p->n_sending = 0;
}
