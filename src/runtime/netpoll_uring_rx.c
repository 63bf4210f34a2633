/*
 * netpoll_uring_rx.c - bytes received: provided buffers, the chain of a socket, reading.
 *
 *   with the kernel --uring__received()--> in a socket's chain --read, or copied out--> with the
 * kernel
 *
 * At first BUFS_MIN buffers are provided, so many more each time they run out, BUFS_MAX at most.
 *
 * Invariant: p->free counts the buffers that the kernel has, or whose completion is under way.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/netpoll_uring.h"

/* ---- buffers --------------------------------------------------------------------------------- */

void uring__provide(struct poller *p, uint32_t id)
{
    p->rx[id].owner = NULL;
    io_uring_buf_ring_add(p->buf_ring, p->bufs + (size_t)id * BUF_SIZE, BUF_SIZE,
                          (unsigned short)id, io_uring_buf_ring_mask(BUFS_MAX), 0);
    io_uring_buf_ring_advance(p->buf_ring, 1);
    p->free++;
}

bool uring__provide_more(struct poller *p)
{
    if (p->n_bufs == BUFS_MAX) return false;
    for (uint32_t end = p->n_bufs + BUFS_MIN; p->n_bufs < end; p->n_bufs++) {
        p->rx[p->n_bufs].id = p->n_bufs;
        uring__provide(p, p->n_bufs);
    }
    return true;
}

static void *map(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

int uring__open_buffers(struct poller *p)
{
    p->buf_ring = map(BUFS_MAX * sizeof(struct io_uring_buf));
    p->bufs = map(BUFS_MAX * BUF_SIZE);
    if (!p->buf_ring || !p->bufs) return -ENOMEM;
    struct io_uring_buf_reg reg = {.ring_addr = (uintptr_t)p->buf_ring, .ring_entries = BUFS_MAX};
    int rc = io_uring_register_buf_ring(&p->ring, &reg, 0);
    if (rc < 0) return rc;
    io_uring_buf_ring_init(p->buf_ring);
    p->rx = mem_calloc(BUFS_MAX * sizeof *p->rx);
    uring__provide_more(p);
    return 0;
}

void uring__close_buffers(struct poller *p)
{
    LIST_FOR_SAFE(node, &p->spilled)
    mem_free(LIST_ENTRY(node, struct rx, link));
    if (p->bufs) munmap(p->bufs, BUFS_MAX * BUF_SIZE);
    if (p->buf_ring) munmap(p->buf_ring, BUFS_MAX * sizeof(struct io_uring_buf));
    mem_free(p->rx);
}

/* ---- chains ---------------------------------------------------------------------------------- */

static void rx_free(struct poller *p, struct rx *r)
{
    if (LIKELY(r->id < BUFS_MAX)) {
        uring__provide(p, r->id);
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

void uring__rx_clear(struct poller *p, struct us *u)
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

void uring__received(struct poller *p, struct sock *s, uint32_t id, size_t n)
{
    struct us *u = us_of(s);
    struct rx *r = &p->rx[id];
    p->free--;
    if (has(u, CLOSED)) {
        uring__provide(p, id);
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
            uring__provide(p, r->id);
        }
    }
}

void uring__spill_old(struct poller *p)
{
    for (uint32_t i = 0; i < p->n_bufs; i++) {
        struct rx *r = &p->rx[i];
        if (r->owner && r->round != p->round) spill(p, us_of(r->owner));
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

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

ssize_t uring__read(struct sock *s, void *buf, size_t n)
{
    struct poller *p = poller_of(s);
    struct us *u = us_of(s);
    uint64_t events = atomic_load_explicit(&s->events, memory_order_acquire);
    if (UNLIKELY(s->eof)) return RT_EOF;
    if (netpoll__read_is_vain(s, events)) return RT_EAGAIN;
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
    if (UNLIKELY(stop)) uring__wake_if_remote(s);
    return got != 0 ? got : netpoll__read(s, buf, n, events);
}
