/*
 * netpoll_uring_tx.c - bytes to send: what a socket has pending, and writing.
 *
 *   u->tx->data   | gone | sending: the kernel's | appended meanwhile | room |
 *                        start                                       end
 *
 * Invariant: 3 of netpoll_uring.c.
 */
#include <sys/uio.h>
#include <unistd.h>

#include "runtime/netpoll_uring.h"

/* ---- pending --------------------------------------------------------------------------------- */

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

void uring__tx_drop(struct poller *p, struct us *u)
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
bool uring__tx_sent(struct poller *p, struct us *u, size_t n)
{
    u->tx->start += (uint32_t)n;
    u->tx->sending = 0;
    if (u->tx->start < u->tx->end) return false;
    uring__tx_drop(p, u);
    change(u, STUCK, 0);
    return true;
}

void uring__free_tx(struct poller *p)
{
    for (struct tx *slab = p->slabs, *next; slab; slab = next) {
        next = slab->next;
        mem_free(slab);
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

/* BY_HAND keeps poll() from sending meanwhile. What is pending goes first. */
static ssize_t write_by_hand(struct poller *p, struct sock *s, const struct iovec *iov, int iovcnt)
{
    struct us *u = us_of(s);
    struct tx *tx = u->tx;
    ssize_t put = 0;
    size_t before = 0;
    if (tx) {
        struct iovec pending = {tx->data + tx->start, tx->end - tx->start};
        put = netpoll__write(s->fd, &pending, 1);
        before = (size_t)MAX(put, 0);
        if (put >= 0 && before < pending.iov_len) put = RT_EAGAIN;
    }
    if (put >= 0) put = netpoll__write(s->fd, iov, iovcnt);
    spin_lock(&p->lock);
    change(u, BY_HAND, 0);
    bool stuck = tx && !uring__tx_sent(p, u, before);
    if (UNLIKELY(stuck)) {
        change(u, 0, STUCK);
        add_todo(p, s);
    }
    spin_unlock(&p->lock);
    if (UNLIKELY(stuck)) uring__wake_if_remote(s);
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

ssize_t uring__write(struct sock *s, const struct iovec *iov, int iovcnt)
{
    struct poller *p = poller_of(s);
    uint64_t events = atomic_load_explicit(&s->events, memory_order_acquire);
    if (netpoll__write_is_vain(s, events)) return RT_EAGAIN;
    size_t total = netpoll__bytes_of(iov, iovcnt);
    bool local = is_local(s);
    s->write_seen = ev_writes(events);
    spin_lock(&p->lock);
    enum write_how how = try_append(p, s, iov, iovcnt, total, local);
    spin_unlock(&p->lock);
    ssize_t put = (ssize_t)total;
    if (how == WRITE_TAKEN) uring__wake_if_remote(s);
    if (how == WRITE_BY_HAND) put = write_by_hand(p, s, iov, iovcnt);
    if (how == WRITE_FULL) put = RT_EAGAIN;
    if (how == WRITE_FAILED) put = RT_ESYS - us_of(s)->tx_error;
    return netpoll__wrote(s, put, total);
}
