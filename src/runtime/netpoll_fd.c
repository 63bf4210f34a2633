/*
 * netpoll_fd.c - the system calls on a descriptor that all poller backends make alike.
 *
 * Why a short read means drained: a stream socket gives as much as it has. What comes later raises
 * a new event. Only the end of the stream has none of its own once the hang-up was reported; so
 * after that a socket stays readable until a read returns 0.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "runtime/netpoll.h"

_Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLRDHUP == EPOLLRDHUP &&
                   POLLHUP == EPOLLHUP && POLLERR == EPOLLERR,
               "one function reads both");

int netpoll__what_of(uint32_t events)
{
    int what = 0;
    if (events & POLLIN) what |= SOCK_READABLE;
    if (events & POLLOUT) what |= SOCK_WRITABLE;
    if (events & POLLRDHUP) what |= SOCK_HALF_CLOSED;
    if (events & (POLLHUP | POLLERR)) what |= SOCK_HANGUP;
    return what;
}

void netpoll__ring(int eventfd)
{
    static const uint64_t one = 1;
    int saved = errno;
    while (write(eventfd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    errno = saved;
}

bool netpoll__read_is_vain(const struct sock *s, uint64_t events)
{
    return !s->read_more && ev_reads(events) == s->read_seen && events != 0;
}

bool netpoll__write_is_vain(const struct sock *s, uint64_t events)
{
    return !s->write_more && ev_writes(events) == s->write_seen && events != 0;
}

ssize_t netpoll__read(struct sock *s, void *buf, size_t n, uint64_t events)
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

ssize_t netpoll__write(int fd, const struct iovec *iov, int iovcnt)
{
    ssize_t put;
    do {
        put = iovcnt == 1 ? write(fd, iov->iov_base, iov->iov_len) : writev(fd, iov, iovcnt);
    } while (UNLIKELY(put < 0) && errno == EINTR);
    if (LIKELY(put >= 0)) return put;
    return errno == EAGAIN || errno == EWOULDBLOCK ? RT_EAGAIN : RT_ESYS - errno;
}

ssize_t netpoll__wrote(struct sock *s, ssize_t put, size_t total)
{
    s->write_more = put == (ssize_t)total || (put < 0 && put != RT_EAGAIN);
    return put;
}

size_t netpoll__bytes_of(const struct iovec *iov, int iovcnt)
{
    size_t sum = 0;
    for (int i = 0; i < iovcnt; i++)
        sum += iov[i].iov_len;
    return sum;
}
