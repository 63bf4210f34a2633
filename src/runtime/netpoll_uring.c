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
 *   is done when the call returns. One that fell short goes on as a send that waits for room;
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
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/list.h"
#include "runtime/netpoll.h"

#define SQ_SIZE     512
#define CQ_SIZE     4096
#define SQES_A_SOCK 6 /* most requests that settle() makes for one socket */
#define BUF_SIZE    4096
#define BUFS_MIN    64 /* provided at first; so many more each time they run out */
#define BUFS_MAX    1024
#define RX_MAX      8           /* buffers that one socket may have unread */
#define LARGE       (64 * 1024) /* reads from this size on go straight to their place */
#define TX_SIZE     (16 * 1024)
#define TX_ROOM     (TX_SIZE - sizeof(struct tx))
#define TX_SLAB     16
#define LINGER_S    10 /* a closed socket's last bytes get this long */
#define NUDGE       SIGURG

#define FLAGS                                                                                      \
    (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |         \
     IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |                   \
     IORING_SETUP_R_DISABLED)
#define FEATURES                                                                                   \
    (IORING_FEAT_NODROP | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP)

/* Kinds of requests, in the low bits of their user data; the rest is the socket. */
enum op { OP_NONE, OP_RECV, OP_POLL, OP_OUT, OP_SEND, OP_TIMER, OP_SEND_NOW, OP_WAKE };
#define OP_MASK 7

/* struct us's flags. */
#define ARMED(op)    (1u << (op))     /* a request is in flight */
#define CANCELED(op) (ARMED(op) << 8) /* and is being cancelled */
#define STREAM       (1u << 16)
#define DIRECT       (1u << 17)
#define STOP         (1u << 18) /* RECEIVING, and to become DIRECT */
#define WANT_OUT     (1u << 19) /* somebody waits to write */
#define LISTED       (1u << 20) /* in the list */
#define CLOSED       (1u << 21)
#define SENDING      (1u << 22) /* in p->sending */
#define STUCK        (1u << 23) /* a send fell short: the rest waits for room */
#define BY_HAND      (1u << 24) /* the writer makes its own system call just now */
#define IN_FLIGHT                                                                                  \
    (ARMED(OP_RECV) | ARMED(OP_POLL) | ARMED(OP_OUT) | ARMED(OP_SEND) | ARMED(OP_TIMER) | SENDING)

/* Bytes received: in provided buffer `id`, or behind the struct (BUFS_MAX and more). */
struct rx {
    struct rx *next;
    struct list_node link; /* of those that own their bytes: in p->spilled */
    struct sock *owner;    /* NULL: the buffer is provided */
    char *data;
    uint32_t off, len;
    uint32_t round; /* when it came */
    uint32_t id;
};

/* Bytes to send: data[start .. end), of which `sending` are on their way. */
struct tx {
    struct tx *next;
    uint32_t start, end, sending;
    char data[];
};

/* What this backend keeps in s->backend. */
struct __attribute__((may_alias)) us {
    struct rx *rx; /* the last one of a circle */
    struct tx *tx;
    struct sock *next; /* in the list */
    _Atomic(uint32_t) flags;
    uint8_t rx_error, tx_error; /* errno */
    bool large;                 /* the reader's: its last read was one */
};
_Static_assert(sizeof(struct us) <= sizeof((struct sock *)0)->backend, "fits its place");
_Static_assert(_Alignof(struct sock) > OP_MASK, "the low bits are free");

struct poller {
    struct io_uring ring;
    int wake;
    bool enabled, wake_armed; /* (owner) */
    pid_t thread;
    uint32_t n_sending;
    struct sock *sending[SQ_SIZE];

    ALIGNED(CACHE_LINE) atomic_flag lock;
    struct sock *todo, *todo_last;
    struct tx *free_tx, *slabs;
    struct io_uring_buf_ring *buf_ring;
    char *bufs;
    struct rx *rx;         /* one for each buffer */
    uint32_t n_bufs, free; /* provided at all; of these with the kernel, or on their way from it */
    uint32_t round;
    struct list_node spilled;
};

static struct us *us_of(struct sock *s)
{
    return (struct us *)s->backend;
}

static struct poller *poller_of(const struct sock *s)
{
    return rt.workers[s->worker].poller;
}

static bool is_local(const struct sock *s)
{
    return worker_self() == &rt.workers[s->worker];
}

static uint32_t flags_of(const struct us *u)
{
    return atomic_load_explicit(&u->flags, memory_order_relaxed);
}

static bool has(const struct us *u, uint32_t any)
{
    return flags_of(u) & any;
}

/* Under the lock: a load and a store do. */
static void change(struct us *u, uint32_t clear, uint32_t set)
{
    atomic_store_explicit(&u->flags, (flags_of(u) & ~clear) | set, memory_order_relaxed);
}

static void add_todo(struct poller *p, struct sock *s)
{
    struct us *u = us_of(s);
    if (has(u, LISTED)) return;
    change(u, 0, LISTED);
    u->next = NULL;
    if (p->todo) {
        us_of(p->todo_last)->next = s;
    } else {
        p->todo = s;
    }
    p->todo_last = s;
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

static void wake_if_remote(const struct sock *s)
{
    if (!is_local(s)) wake(&rt.workers[s->worker]);
}

/* ---- received bytes ------------------------------------------------------------------------- */

static void provide(struct poller *p, uint32_t id)
{
    p->rx[id].owner = NULL;
    io_uring_buf_ring_add(p->buf_ring, p->bufs + (size_t)id * BUF_SIZE, BUF_SIZE,
                          (unsigned short)id, io_uring_buf_ring_mask(BUFS_MAX), 0);
    io_uring_buf_ring_advance(p->buf_ring, 1);
    p->free++;
}

static bool provide_more(struct poller *p)
{
    if (p->n_bufs == BUFS_MAX) return false;
    for (uint32_t end = p->n_bufs + BUFS_MIN; p->n_bufs < end; p->n_bufs++) {
        p->rx[p->n_bufs].id = p->n_bufs;
        provide(p, p->n_bufs);
    }
    return true;
}

static void rx_free(struct poller *p, struct rx *r)
{
    if (LIKELY(r->id < BUFS_MAX)) {
        provide(p, r->id);
    } else {
        list_remove(&r->link);
        mem_free(r);
    }
}

static void rx_append(struct us *u, struct rx *r)
{
    if (u->rx) {
        r->next = u->rx->next;
        u->rx->next = r;
    } else {
        r->next = r;
    }
    u->rx = r;
}

static struct rx *rx_pop(struct us *u)
{
    struct rx *first = u->rx->next;
    if (first == u->rx) {
        u->rx = NULL;
    } else {
        u->rx->next = first->next;
    }
    return first;
}

static unsigned rx_count(const struct us *u)
{
    unsigned n = 0;
    const struct rx *r = u->rx;
    if (!r) return 0;
    do {
        n++;
    } while ((r = r->next) != u->rx);
    return n;
}

static void rx_clear(struct poller *p, struct us *u)
{
    while (u->rx)
        rx_free(p, rx_pop(u));
}

static size_t rx_take(struct poller *p, struct us *u, char *buf, size_t n)
{
    size_t done = 0;
    while (u->rx && done < n) {
        struct rx *r = u->rx->next;
        size_t k = MIN((size_t)r->len, n - done);
        memcpy(buf + done, r->data + r->off, k);
        done += k;
        r->off += (uint32_t)k;
        r->len -= (uint32_t)k;
        if (r->len == 0) rx_free(p, rx_pop(u));
    }
    return done;
}

static struct rx *rx_copy(struct poller *p, const struct rx *r)
{
    struct rx *copy = mem_alloc(sizeof *copy + r->len);
    *copy = (struct rx){.owner = r->owner, .len = r->len, .round = r->round, .id = BUFS_MAX};
    copy->data = (char *)(copy + 1);
    memcpy(copy->data, r->data + r->off, r->len);
    list_push_back(&p->spilled, &copy->link);
    return copy;
}

static void spill(struct poller *p, struct us *u)
{
    for (unsigned n = rx_count(u); n > 0; n--) {
        struct rx *r = rx_pop(u);
        if (r->id >= BUFS_MAX) {
            rx_append(u, r);
        } else {
            rx_append(u, rx_copy(p, r));
            provide(p, r->id);
        }
    }
}

static void spill_old(struct poller *p)
{
    for (uint32_t i = 0; i < p->n_bufs; i++) {
        struct rx *r = &p->rx[i];
        if (r->owner && r->round != p->round) spill(p, us_of(r->owner));
    }
}

/* ---- bytes to send -------------------------------------------------------------------------- */

static void add_tx_slab(struct poller *p)
{
    char *slab = mem_alloc((TX_SLAB + 1) * TX_SIZE);
    struct tx *head = (struct tx *)slab;
    head->next = p->slabs;
    p->slabs = head;
    for (size_t i = TX_SLAB; i > 0; i--) {
        struct tx *tx = (struct tx *)(slab + i * TX_SIZE);
        tx->next = p->free_tx;
        p->free_tx = tx;
    }
}

static struct tx *tx_new(struct poller *p)
{
    if (UNLIKELY(!p->free_tx)) add_tx_slab(p);
    struct tx *tx = p->free_tx;
    p->free_tx = tx->next;
    tx->start = tx->end = tx->sending = 0;
    return tx;
}

static void tx_drop(struct poller *p, struct us *u)
{
    if (!u->tx) return;
    u->tx->next = p->free_tx;
    p->free_tx = u->tx;
    u->tx = NULL;
}

static void tx_append(struct poller *p, struct us *u, const struct iovec *iov, int iovcnt)
{
    if (!u->tx) u->tx = tx_new(p);
    for (int i = 0; i < iovcnt; i++) {
        memcpy(u->tx->data + u->tx->end, iov[i].iov_base, iov[i].iov_len);
        u->tx->end += (uint32_t)iov[i].iov_len;
    }
}

/* `n` bytes are gone; true if all are. */
static bool tx_sent(struct poller *p, struct us *u, size_t n)
{
    u->tx->start += (uint32_t)n;
    u->tx->sending = 0;
    if (u->tx->start < u->tx->end) return false;
    tx_drop(p, u);
    change(u, STUCK, 0);
    return true;
}

/* ---- requests ------------------------------------------------------------------------------- */

static uint64_t name_of(const struct sock *s, enum op op)
{
    return (uint64_t)(uintptr_t)s | op;
}

static struct io_uring_sqe *request(struct poller *p, struct sock *s, enum op op)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&p->ring);
    CHECK(sqe != NULL); /* prepare() sees to it */
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
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
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

/* ---- settling ------------------------------------------------------------------------------- */

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
static bool prepare(struct poller *p, struct worker *by)
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

/* ---- completions ---------------------------------------------------------------------------- */

static int what_of(uint32_t events)
{
    int what = 0;
    if (events & POLLIN) what |= SOCK_READABLE;
    if (events & POLLOUT) what |= SOCK_WRITABLE;
    if (events & POLLRDHUP) what |= SOCK_HALF_CLOSED;
    if (events & (POLLHUP | POLLERR)) what |= SOCK_HANGUP;
    return what;
}

static void received(struct poller *p, struct sock *s, uint32_t id, size_t n)
{
    struct us *u = us_of(s);
    struct rx *r = &p->rx[id];
    p->free--;
    if (has(u, CLOSED)) {
        provide(p, id);
        return;
    }
    r->owner = s;
    r->data = p->bufs + (size_t)id * BUF_SIZE;
    r->off = 0;
    r->len = (uint32_t)n;
    r->round = p->round;
    rx_append(u, r);
    if (UNLIKELY(r->next != r) && rx_count(u) >= RX_MAX && !has(u, DIRECT | STOP)) {
        change(u, 0, STOP);
        add_todo(p, s);
    }
}

/* The multishot receive is over, with res; what follows is up to the reader, or to settle(). */
static int recv_ended(struct poller *p, struct sock *s, int res)
{
    struct us *u = us_of(s);
    add_todo(p, s);
    if (res > 0 || res == -EINTR || res == -EAGAIN) return 0;
    if (res == -ENOBUFS && !has(u, STOP) && (p->free > 0 || provide_more(p))) return 0;
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
        received(p, s, flags >> IORING_CQE_BUFFER_SHIFT, (size_t)res);
        what = SOCK_READABLE;
    } else if (flags & IORING_CQE_F_BUFFER) {
        p->free--;
        provide(p, flags >> IORING_CQE_BUFFER_SHIFT);
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
    return res > 0 ? what_of((uint32_t)res) : 0;
}

static int on_out(struct poller *p, struct sock *s, int res, uint32_t flags)
{
    struct us *u = us_of(s);
    int what = res > 0 ? what_of((uint32_t)res) : 0;
    if (!(flags & IORING_CQE_F_MORE)) change(u, ARMED(OP_OUT) | CANCELED(OP_OUT), 0);
    if (what & (SOCK_WRITABLE | SOCK_HANGUP)) change(u, WANT_OUT, 0);
    if (has(u, CLOSED | WANT_OUT | ARMED(OP_OUT))) add_todo(p, s);
    return what;
}

/* A send of either kind has sent n bytes. */
static int sent(struct poller *p, struct sock *s, size_t n)
{
    struct us *u = us_of(s);
    bool all = tx_sent(p, u, n);
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
    tx_drop(p, u);
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

/* A request that was just being worked on was not found: once more, if it is still there. */
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

static int reap(struct poller *p, struct worker *by)
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
    if (UNLIKELY(p->free < p->n_bufs / 4)) spill_old(p);
    return useful;
}

static bool kernel_says(const struct poller *p, unsigned flag)
{
    return __atomic_load_n(p->ring.sq.kflags, __ATOMIC_RELAXED) & flag;
}

/* All requests were taken, and every completion handled: sends that had none are done. */
static void finish_sends(struct poller *p, struct worker *by)
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

/* ---- polling -------------------------------------------------------------------------------- */

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
    int useful = reap(p, by);
    while (UNLIKELY(kernel_says(p, IORING_SQ_CQ_OVERFLOW))) {
        io_uring_get_events(&p->ring);
        useful += reap(p, by);
    }
    finish_sends(p, by);
    spin_unlock(&p->lock);
    return useful;
}

static int stand_in(struct poller *p, struct worker *by)
{
    spin_lock(&p->lock);
    int useful = reap(p, by);
    spin_unlock(&p->lock);
    if (kernel_says(p, IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) {
        syscall(SYS_tgkill, getpid(), p->thread, NUDGE);
    }
    return useful;
}

static int poll_events(struct worker *w, struct worker *by, int64_t timeout_ns)
{
    struct poller *p = w->poller;
    int useful = 0;
    if (UNLIKELY(w != by)) return stand_in(p, by);
    if (UNLIKELY(!p->enabled)) enable(p);
    for (bool all = false; !all;) {
        all = prepare(p, by);
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

/* ---- open, close ---------------------------------------------------------------------------- */

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
    LIST_FOR_SAFE(node, &p->spilled)
    mem_free(LIST_ENTRY(node, struct rx, link));
    for (struct tx *slab = p->slabs, *next; slab; slab = next) {
        next = slab->next;
        mem_free(slab);
    }
    if (p->bufs) munmap(p->bufs, BUFS_MAX * BUF_SIZE);
    if (p->buf_ring) munmap(p->buf_ring, BUFS_MAX * sizeof(struct io_uring_buf));
    mem_free(p->rx);
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

static void *map(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static int register_buffers(struct poller *p)
{
    p->buf_ring = map(BUFS_MAX * sizeof(struct io_uring_buf));
    p->bufs = map(BUFS_MAX * BUF_SIZE);
    if (!p->buf_ring || !p->bufs) return -ENOMEM;
    struct io_uring_buf_reg reg = {.ring_addr = (uintptr_t)p->buf_ring, .ring_entries = BUFS_MAX};
    int rc = io_uring_register_buf_ring(&p->ring, &reg, 0);
    if (rc < 0) return rc;
    io_uring_buf_ring_init(p->buf_ring);
    p->rx = mem_calloc(BUFS_MAX * sizeof *p->rx);
    provide_more(p);
    return 0;
}

static int open_ring(struct poller *p)
{
    struct io_uring_params params = {.flags = FLAGS, .cq_entries = CQ_SIZE};
    int rc = io_uring_queue_init_params(SQ_SIZE, &p->ring, &params);
    if (rc < 0) return rc;
    rc = (params.features & FEATURES) == FEATURES ? register_buffers(p) : -ENOSYS;
    if (rc == 0) {
        p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (p->wake < 0) rc = -errno;
    }
    if (rc < 0) io_uring_queue_exit(&p->ring);
    return rc;
}

static int open_poller(struct worker *w)
{
    struct poller *p = aligned_alloc(CACHE_LINE, sizeof *p);
    if (!p) return -ENOMEM;
    memset(p, 0, sizeof *p);
    atomic_flag_clear(&p->lock);
    list_init(&p->spilled);
    int rc = open_ring(p);
    if (rc < 0) {
        free_memory(p);
        return rc;
    }
    w->poller = p;
    if (w->id == 0) catch_nudges();
    return 0;
}

/* ---- sockets -------------------------------------------------------------------------------- */

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
    wake_if_remote(s);
    return 0;
}

static void detach(struct sock *s)
{
    struct poller *p = poller_of(s);
    struct us *u = us_of(s);
    if (s->listener) shutdown(s->fd, SHUT_RDWR); /* refuses at once whoever comes now */
    spin_lock(&p->lock);
    rx_clear(p, u);
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

static ssize_t read_directly(struct sock *s, void *buf, size_t n, uint64_t events)
{
    ssize_t got;
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

/* Nothing is in the chain. An error, or 0: the bytes are in the kernel. */
static ssize_t why_nothing(struct sock *s, struct us *u)
{
    if (u->rx_error) {
        ssize_t error = RT_ESYS - u->rx_error;
        u->rx_error = 0;
        s->read_more = true;
        return error;
    }
    if (has(u, DIRECT)) return 0;
    s->read_more = false;
    return u->tx_error ? RT_ESYS - u->tx_error : RT_EAGAIN;
}

static ssize_t read_sock(struct sock *s, void *buf, size_t n)
{
    struct poller *p = poller_of(s);
    struct us *u = us_of(s);
    uint64_t events = atomic_load_explicit(&s->events, memory_order_acquire);
    if (UNLIKELY(s->eof)) return RT_EOF;
    if (!s->read_more && ev_reads(events) == s->read_seen && events != 0) return RT_EAGAIN;
    s->read_seen = ev_reads(events);
    u->large = n >= LARGE;
    spin_lock(&p->lock);
    ssize_t got = (ssize_t)rx_take(p, u, buf, n);
    if (LIKELY(got > 0)) {
        s->read_more = u->rx || u->rx_error || has(u, DIRECT);
    } else {
        got = why_nothing(s, u);
    }
    bool stop = u->large && n - (size_t)MAX(got, 0) >= LARGE && !has(u, DIRECT | STOP);
    if (UNLIKELY(stop)) {
        change(u, 0, STOP);
        add_todo(p, s);
    }
    spin_unlock(&p->lock);
    if (UNLIKELY(stop)) wake_if_remote(s);
    return got != 0 ? got : read_directly(s, buf, n, events);
}

static size_t bytes_of(const struct iovec *iov, int iovcnt)
{
    size_t sum = 0;
    for (int i = 0; i < iovcnt; i++)
        sum += iov[i].iov_len;
    return sum;
}

static ssize_t write_fd(int fd, const struct iovec *iov, int iovcnt)
{
    ssize_t put;
    do {
        put = iovcnt == 1 ? write(fd, iov->iov_base, iov->iov_len) : writev(fd, iov, iovcnt);
    } while (UNLIKELY(put < 0) && errno == EINTR);
    if (put >= 0) return put;
    return errno == EAGAIN || errno == EWOULDBLOCK ? RT_EAGAIN : RT_ESYS - errno;
}

/* BY_HAND keeps poll() from sending meanwhile. What is pending goes first. */
static ssize_t write_by_hand(struct poller *p, struct sock *s, const struct iovec *iov, int iovcnt)
{
    struct us *u = us_of(s);
    struct tx *tx = u->tx;
    ssize_t put = 0;
    size_t before = 0;
    if (tx) {
        struct iovec pending = {tx->data + tx->start, tx->end - tx->start};
        put = write_fd(s->fd, &pending, 1);
        before = (size_t)MAX(put, 0);
        if (put >= 0 && before < pending.iov_len) put = RT_EAGAIN;
    }
    if (put >= 0) put = write_fd(s->fd, iov, iovcnt);
    spin_lock(&p->lock);
    change(u, BY_HAND, 0);
    if (tx && !tx_sent(p, u, before)) {
        change(u, 0, STUCK);
        add_todo(p, s);
    }
    spin_unlock(&p->lock);
    if (UNLIKELY(u->tx != NULL)) wake_if_remote(s);
    return put;
}

/* Takes the bytes if they are to wait for the end of the round; else says what to do instead. */
enum write_how { WRITE_TAKEN, WRITE_BY_HAND, WRITE_FULL, WRITE_FAILED };
static enum write_how try_append(struct poller *p, struct sock *s, const struct iovec *iov,
                                 int iovcnt, size_t total, bool local)
{
    struct us *u = us_of(s);
    size_t room = u->tx ? TX_ROOM - u->tx->end : TX_ROOM;
    if (UNLIKELY(u->tx_error)) return WRITE_FAILED;
    if (has(u, STUCK | ARMED(OP_SEND))) return WRITE_FULL;
    if (total - 1 < room && has(u, STREAM) && (local || has(u, SENDING))) {
        tx_append(p, u, iov, iovcnt);
        add_todo(p, s);
        return WRITE_TAKEN;
    }
    if (has(u, SENDING)) return WRITE_FULL;
    change(u, 0, BY_HAND);
    return WRITE_BY_HAND;
}

static ssize_t write_sock(struct sock *s, const struct iovec *iov, int iovcnt)
{
    struct poller *p = poller_of(s);
    uint64_t events = atomic_load_explicit(&s->events, memory_order_acquire);
    if (!s->write_more && ev_writes(events) == s->write_seen && events != 0) return RT_EAGAIN;
    size_t total = bytes_of(iov, iovcnt);
    bool local = is_local(s);
    s->write_seen = ev_writes(events);
    spin_lock(&p->lock);
    enum write_how how = try_append(p, s, iov, iovcnt, total, local);
    spin_unlock(&p->lock);
    ssize_t put = (ssize_t)total;
    if (how == WRITE_TAKEN && !local) wake(&rt.workers[s->worker]);
    if (how == WRITE_BY_HAND) put = write_by_hand(p, s, iov, iovcnt);
    if (how == WRITE_FULL) put = RT_EAGAIN;
    if (how == WRITE_FAILED) put = RT_ESYS - us_of(s)->tx_error;
    s->write_more = put == (ssize_t)total || (put < 0 && put != RT_EAGAIN);
    return put;
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
    .read = read_sock,
    .writev = write_sock,
    .arm = arm,
};
