/*
 * netpoll_uring.h - what the files of the poller on io_uring share: the state of a socket and of a
 * ring, and who does what with them. netpoll_uring.c tells the whole.
 *
 *   netpoll_uring.c           the ring: opening, polling, and the functions of the contract
 *   netpoll_uring_requests.c  what is asked of the kernel for a socket, and what its answers mean
 *   netpoll_uring_rx.c        bytes received: provided buffers, the chain of a socket, reading
 *   netpoll_uring_tx.c        bytes to send: what a socket has pending, writing
 *   netpoll_uring_probe.c     whether it works here
 */
#ifndef WEFT_RUNTIME_NETPOLL_URING_H
#define WEFT_RUNTIME_NETPOLL_URING_H

#include <errno.h>
#include <liburing.h>

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
#define LINGER_S    60 /* a closed socket's last bytes get this long */
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

static inline struct us *us_of(struct sock *s)
{
    return (struct us *)s->backend;
}

static inline struct poller *poller_of(const struct sock *s)
{
    return rt.workers[s->worker].poller;
}

static inline bool is_local(const struct sock *s)
{
    return worker_self() == &rt.workers[s->worker];
}

static inline uint32_t flags_of(const struct us *u)
{
    return atomic_load_explicit(&u->flags, memory_order_relaxed);
}

static inline bool has(const struct us *u, uint32_t any)
{
    return flags_of(u) & any;
}

/* Under the lock: a load and a store do. */
static inline void change(struct us *u, uint32_t clear, uint32_t set)
{
    atomic_store_explicit(&u->flags, (flags_of(u) & ~clear) | set, memory_order_relaxed);
}

static inline void add_todo(struct poller *p, struct sock *s)
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

/* ---- netpoll_uring.c: any thread ------------------------------------------------------------ */

/* Makes the socket's worker poll, if the caller is not that worker. */
void uring__wake_if_remote(const struct sock *s);

/* ---- netpoll_uring_rx.c --------------------------------------------------------------------- */

/* Registers the memory of the buffers with the ring and provides the first. 0 or -errno: what was
 * made until then is for uring__close_buffers(). */
int uring__open_buffers(struct poller *p);
void uring__close_buffers(struct poller *p);

/* The rest under p->lock. */
void uring__provide(struct poller *p, uint32_t id);
bool uring__provide_more(struct poller *p); /* false: there are no more */
/* n bytes came for s in buffer `id`. */
void uring__received(struct poller *p, struct sock *s, uint32_t id, size_t n);
void uring__rx_clear(struct poller *p, struct us *u);
/* Buffers are few: copies out what was not read for a round. */
void uring__spill_old(struct poller *p);

/* ---- netpoll_uring_tx.c: under p->lock ------------------------------------------------------ */

/* n bytes are gone; true if all are. */
bool uring__tx_sent(struct poller *p, struct us *u, size_t n);
/* What is pending is lost. */
void uring__tx_drop(struct poller *p, struct us *u);
void uring__free_tx(struct poller *p);

/* ---- netpoll_uring_requests.c: by the ring's worker ----------------------------------------- */

/* Turns the list into requests; false: the ring is full, and there are more. */
bool uring__prepare(struct poller *p, struct worker *by);
/* Handles what is in the completion ring, and says how many of them meant something. By the holder
 * of the poll lock, under p->lock. */
int uring__reap(struct poller *p, struct worker *by);
/* For a worker that is too busy to request anything: does for the sockets of the list what goes
 * without requests, and leaves them there. By the holder of the poll lock, under p->lock. */
void uring__serve_by_hand(struct poller *p, struct worker *by);
/* All requests were taken, and every completion handled: sends that had none are done. */
void uring__finish_sends(struct poller *p, struct worker *by);

/* ---- for the contract ----------------------------------------------------------------------- */

ssize_t uring__read(struct sock *s, void *buf, size_t n);
ssize_t uring__write(struct sock *s, const struct iovec *iov, int iovcnt);

/* netpoll_uring_probe.c: 0, or why io_uring is not to be used here (-errno). */
int uring__probe(void);

#endif
