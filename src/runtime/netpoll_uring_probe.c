/*
 * netpoll_uring_probe.c - whether io_uring works here as the poller needs it: tried, since neither
 * a version nor a feature bit tells.
 *
 *   peer:   "ab" --> close or reset     ours: a multishot receive into provided buffers
 *                                         must tell of two bytes, then of the end
 *
 * Both are there before the ring looks. Some kernels then tell of the bytes alone (liburing's issue
 * 1549): a connection that ended this way would never be closed. With sandboxes that know io_uring
 * in part, any step may fail.
 */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/netpoll_uring.h"

#define PATIENCE_NS (200 * 1000 * 1000)

static int listen_nearby(struct sockaddr_in *addr)
{
    socklen_t len = sizeof *addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd >= 0 && bind(fd, (struct sockaddr *)addr, len) == 0 && listen(fd, 1) == 0 &&
        getsockname(fd, (struct sockaddr *)addr, &len) == 0) {
        return fd;
    }
    if (fd >= 0) close(fd);
    return -1;
}

static bool unix_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0;
}

/* False where there is no network. */
static bool tcp_pair(int fds[2])
{
    struct sockaddr_in addr;
    int listening = listen_nearby(&addr);
    if (listening < 0) return false;
    fds[0] = -1;
    fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fds[1] >= 0 && connect(fds[1], (struct sockaddr *)&addr, sizeof addr) == 0) {
        fds[0] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    close(listening);
    if (fds[0] < 0 && fds[1] >= 0) close(fds[1]);
    return fds[0] >= 0;
}

static void send_and_end(int fd)
{
    struct linger now = {.l_onoff = 1};
    ssize_t put = send(fd, "ab", 2, MSG_NOSIGNAL);
    if (put == 2) setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* The result of the next completion, or why there is none. */
static int next_result(struct io_uring *ring)
{
    struct __kernel_timespec patience = {.tv_nsec = PATIENCE_NS};
    struct io_uring_cqe *cqe;
    int rc = io_uring_submit_and_wait_timeout(ring, &cqe, 1, &patience, NULL);
    if (rc < 0) return rc;
    rc = cqe->res;
    io_uring_cqe_seen(ring, cqe);
    return rc;
}

static int receive_both(struct poller *p, int fds[2])
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&p->ring);
    io_uring_prep_recv_multishot(sqe, fds[0], NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    int rc = io_uring_submit_and_get_events(&p->ring);
    if (rc >= 0) send_and_end(fds[1]);
    if (rc < 0) close(fds[1]);
    if (rc < 0) return rc;
    rc = next_result(&p->ring);
    if (rc != 2) return rc < 0 ? rc : -EOPNOTSUPP;
    return next_result(&p->ring) == -ETIME ? -EOPNOTSUPP : 0;
}

static int try_ring(struct poller *p)
{
    static bool (*const pairs[])(int fds[2]) = {unix_pair, tcp_pair};
    int fds[2], rc = uring__open_buffers(p);
    for (size_t i = 0; i < ARRAY_LEN(pairs) && rc == 0; i++) {
        if (!pairs[i](fds)) continue;
        rc = receive_both(p, fds);
        close(fds[0]);
    }
    return rc;
}

int uring__probe(void)
{
    struct poller p = {0};
    struct io_uring_params params = {.flags = FLAGS & ~IORING_SETUP_R_DISABLED, .cq_entries = 16};
    list_init(&p.spilled);
    int rc = io_uring_queue_init_params(8, &p.ring, &params);
    if (rc < 0) return rc;
    rc = (params.features & FEATURES) == FEATURES ? try_ring(&p) : -EOPNOTSUPP;
    io_uring_queue_exit(&p.ring);
    uring__close_buffers(&p);
    return rc;
}
