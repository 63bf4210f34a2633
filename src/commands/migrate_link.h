/*
 * migrate_link.h - connections to other servers that MIGRATE makes, and keeps for a while.
 *
 *   get --> in use, by one coroutine --put--> kept --get--> in use ...
 *                    |                          |
 *                    +--close--> gone           +--10 s without use--> gone
 */
#ifndef WEFT_COMMANDS_MIGRATE_LINK_H
#define WEFT_COMMANDS_MIGRATE_LINK_H

#include "runtime/runtime.h"
#include "base/base.h"

struct migrate_link {
    struct sock *sock;
    int64_t db;        /* selected there; -1: not known */
    struct slice name; /* "host:port", behind the struct */
    int64_t used_ns;
    struct migrate_link *next; /* of those kept */
    size_t from, to;           /* of `in`: read, but not asked for */
    char in[4096];
};

/* A kept one or a new one. PARKS, at most for the timeout. NULL: no connection. */
struct migrate_link *migrate_link_get(struct slice host, struct slice port, int64_t timeout_ms);
void migrate_link_put(struct migrate_link *link);
void migrate_link_close(struct migrate_link *link);
/* Each PARKS for at most the timeout. */
ssize_t migrate_link_write(struct migrate_link *link, const void *p, size_t n, int64_t timeout_ms);
/* A line without its end, cut to the size; RT_OK or an error. */
int migrate_link_line(struct migrate_link *link, char *line, size_t size, int64_t timeout_ms);

#endif
