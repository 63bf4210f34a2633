/* A TCP echo server on Weft's runtime: one coroutine a connection, over all cores.
 * cc -Isrc docs/echo-server.c build/release/libweft.a (and what the Makefile links); ./a.out 7777
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/runtime.h"

static void echo(void *arg)
{
    struct sock *client = sock_new((int)(intptr_t)arg);
    char buf[4096];
    ssize_t n;
    while (client && (n = sock_read(client, buf, sizeof buf, RT_NEVER)) > 0) {
        if (sock_write(client, buf, (size_t)n, RT_NEVER) < 0) break;
    }
    if (client) sock_close(client);
}

static void serve(void *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(*(int *)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1, client;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 511) < 0) exit(1);
    struct sock *listener = sock_new(fd);
    for (unsigned next = 0; (client = sock_accept(listener, NULL, NULL, RT_NEVER)) >= 0; next++) {
        co_spawn_on(next % rt_worker_count(), "echo", echo, (void *)(intptr_t)client);
    }
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 7777;
    struct rt_config config = {0};
    return rt_run(&config, serve, &port) == RT_OK ? 0 : 1;
}
