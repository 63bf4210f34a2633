/* listener.h - listening sockets and the coroutines that accept from them. */
#ifndef WEFT_NET_LISTENER_H
#define WEFT_NET_LISTENER_H

#include "base/base.h"

struct listener;

/* Opens a TCP socket on addr ("127.0.0.1", "::1", "*", "::*", a leading '-' was stripped by the
 * caller) and port, or a unix socket with these permissions (0: as umask says; a stale file is
 * removed). NULL: error text in err. Nothing is accepted yet. May be called outside coroutines. */
struct listener *listener_tcp(const char *addr, int port, int backlog, char *err, size_t err_size,
                              int *sys_errno);
struct listener *listener_unix(const char *path, unsigned perm, int backlog, char *err,
                               size_t err_size);
int listener_port(const struct listener *l);
bool listener_is_unix(const struct listener *l);

/* Starts the accepting coroutine: on_accept(fd, is_unix, arg) for each connection, on the worker
 * that shall serve it (they take turns). Out of descriptors: logs, waits, goes on. */
int listener_start(struct listener *l, void (*on_accept)(int fd, bool is_unix, void *arg),
                   void *arg);
void listener_close(struct listener *l); /* removes the unix socket's file */

#endif
