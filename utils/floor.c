/*
 * floor.c - the least a server can do: one epoll_wait, then for each readable connection one read
 * and one write. What redis-benchmark measures of it is the price of the kernel and of itself.
 *
 *   floor PORT REQUEST_BYTES REPLY_BYTES
 *
 * It is told how long a request is, and answers as many as the bytes received make: a division a
 * read, where counting anything in the bytes would look at them, and looking at them is already
 * what a parser pays for. The load of a benchmark has requests of one length. A reply is a bulk
 * string that is REPLY_BYTES long with its header and line end, or "+OK\r\n" for 5.
 *
 * What does not divide on a connection's first read is redis-benchmark asking two questions about
 * the configuration; it gets two errors and goes on without.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 1024
#define FD_MAX     20000
#define READ_MAX   (256 * 1024)

static size_t request_bytes, reply_bytes;
static char *replies; /* as many as one read can ask for */
static struct {
    bool greeted;
    size_t pending; /* bytes of a request that was not complete */
} conns[FD_MAX];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0) die("bind");
    if (listen(fd, 511) < 0) die("listen");
    return fd;
}

static void make_replies(void)
{
    char header[32] = "+OK\r\n";
    size_t count = READ_MAX / request_bytes + 2, value = reply_bytes;
    while (value > 0 && reply_bytes != 5 &&
           (size_t)snprintf(header, sizeof header, "$%zu\r\n", value) + value + 2 > reply_bytes)
        value--;
    size_t header_bytes = strlen(header);
    replies = malloc(count * reply_bytes);
    if (!replies || header_bytes > reply_bytes) die("reply");
    memset(replies, 'x', count * reply_bytes);
    for (size_t i = 0; i < count; i++) {
        char *reply = replies + i * reply_bytes;
        memcpy(reply, header, header_bytes);
        memcpy(reply + reply_bytes - 2, "\r\n", 2);
    }
}

static void accept_all(int listener, int epoll)
{
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= FD_MAX) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        conns[fd].greeted = false;
        conns[fd].pending = 0;
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd,
                  &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
    }
}

static void answer(int fd)
{
    static char bytes[READ_MAX];
    static const char errors[] = "-ERR no\r\n-ERR no\r\n";
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        close(fd);
        return;
    }
    size_t have = conns[fd].pending + (size_t)n, count = have / request_bytes;
    conns[fd].pending = have - count * request_bytes;
    if (!conns[fd].greeted && conns[fd].pending) {
        if (write(fd, errors, sizeof errors - 1) < 0) close(fd);
        conns[fd].pending = 0;
    } else if (count && write(fd, replies, count * reply_bytes) < 0) {
        close(fd);
    }
    conns[fd].greeted = true;
}

int main(int argc, char **argv)
{
    static struct epoll_event events[EVENTS_MAX];
    if (argc != 4) {
        fprintf(stderr, "usage: floor PORT REQUEST_BYTES REPLY_BYTES\n");
        return 2;
    }
    request_bytes = strtoul(argv[2], NULL, 10);
    reply_bytes = strtoul(argv[3], NULL, 10);
    if (request_bytes == 0 || reply_bytes < 5) return 2;
    make_replies();
    int listener = listen_on(atoi(argv[1])), epoll = epoll_create1(0);
    struct epoll_event listening = {.events = EPOLLIN, .data.fd = listener};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening) < 0) die("epoll");
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_all(listener, epoll);
            else
                answer(events[i].data.fd);
        }
    }
}
