/* migrate_link.c - connections of MIGRATE (migrate_link.h). */
#include "commands/migrate_link.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>

#include "commands/commands.h"

#define KEPT_MAX 64
#define KEPT_NS  (10 * INT64_C(1000000000))
#define LOOK_NS  INT64_C(1000000000)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* never held across a park */
static struct migrate_link *kept;                        /* the one used last is first */
static unsigned n_kept;
static bool reaping; /* a coroutine closes those that nobody used for long */

static int64_t deadline(int64_t timeout_ms)
{
    return rt_now() + timeout_ms * 1000000;
}

/* ---- those kept ----------------------------------------------------------------------------- */

unsigned migrate_links_kept(void)
{
    pthread_mutex_lock(&lock);
    unsigned n = n_kept;
    pthread_mutex_unlock(&lock);
    return n;
}

/* Takes out the first that fits: of this name, or (name.p NULL) not used since `before`. */
static struct migrate_link *take(struct slice name, int64_t before)
{
    pthread_mutex_lock(&lock);
    struct migrate_link **at = &kept;
    while (*at && !(name.p ? slice_eq((*at)->name, name) : (*at)->used_ns < before))
        at = &(*at)->next;
    struct migrate_link *link = *at;
    if (link) *at = link->next;
    n_kept -= link != NULL;
    pthread_mutex_unlock(&lock);
    return link;
}

/* Ends when nothing is kept any more. */
static void reap(void *arg)
{
    bool more = true;
    while (more) {
        struct migrate_link *link;
        co_sleep(LOOK_NS);
        while ((link = take((struct slice){NULL, 0}, rt_now() - KEPT_NS)))
            migrate_link_close(link);
        pthread_mutex_lock(&lock);
        more = reaping = n_kept > 0;
        pthread_mutex_unlock(&lock);
    }
}

void migrate_link_put(struct migrate_link *link)
{
    bool start = false;
    pthread_mutex_lock(&lock);
    bool room = n_kept < KEPT_MAX;
    if (room) {
        link->used_ns = rt_now();
        link->next = kept;
        kept = link;
        n_kept++;
        start = !reaping;
        reaping = true;
    }
    pthread_mutex_unlock(&lock);
    if (!room) migrate_link_close(link);
    if (start && co_spawn("migrate-links", reap, NULL) != RT_OK) {
        pthread_mutex_lock(&lock);
        reaping = false;
        pthread_mutex_unlock(&lock);
    }
}

void migrate_link_close(struct migrate_link *link)
{
    sock_close(link->sock);
    mem_free(link);
}

/* ---- new ones ------------------------------------------------------------------------------- */

struct lookup {
    char host[256], port[16];
    struct addrinfo *found;
};

static void resolve(void *arg)
{
    struct lookup *l = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(l->host, l->port, &hints, &l->found) != 0) l->found = NULL;
}

static struct sock *connect_to(struct slice host, struct slice port, int64_t until)
{
    struct lookup l = {0};
    struct sock *s = NULL;
    int error, one = 1;
    if (host.n >= sizeof l.host || port.n >= sizeof l.port) return NULL;
    memcpy(l.host, host.p, host.n);
    memcpy(l.port, port.p, port.n);
    rt_offload(resolve, &l);
    for (struct addrinfo *a = l.found; a && !s; a = a->ai_next)
        s = sock_connect(a->ai_addr, a->ai_addrlen, until, &error);
    if (l.found) freeaddrinfo(l.found);
    if (s) setsockopt(sock_fd(s), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return s;
}

struct migrate_link *migrate_link_get(struct slice host, struct slice port, int64_t timeout_ms)
{
    struct buf name = {0};
    buf_addf(&name, "%.*s:%.*s", (int)MIN(host.n, 256u), host.p, (int)MIN(port.n, 16u), port.p);
    struct migrate_link *link = take(buf_slice(&name), 0);
    struct sock *s = link ? NULL : connect_to(host, port, deadline(timeout_ms));
    if (s) {
        link = mem_calloc(sizeof *link + name.n);
        memcpy(link + 1, name.p, name.n);
        link->name = slice_of(link + 1, name.n);
        link->sock = s;
        link->db = -1;
    }
    buf_free(&name);
    return link;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

ssize_t migrate_link_write(struct migrate_link *link, const void *p, size_t n, int64_t timeout_ms)
{
    return sock_write(link->sock, p, n, deadline(timeout_ms));
}

static int next_byte(struct migrate_link *link, int64_t until, char *byte)
{
    if (link->from == link->to) {
        ssize_t n = sock_read(link->sock, link->in, sizeof link->in, until);
        if (n < 0) return (int)n;
        link->from = 0;
        link->to = (size_t)n;
    }
    *byte = link->in[link->from++];
    return RT_OK;
}

int migrate_link_line(struct migrate_link *link, char *line, size_t size, int64_t timeout_ms)
{
    int64_t until = deadline(timeout_ms);
    size_t n = 0;
    char c = 0;
    while (c != '\n') {
        int rc = next_byte(link, until, &c);
        if (rc != RT_OK) return rc;
        if (c != '\n' && c != '\r' && n + 1 < size) line[n++] = c;
    }
    line[n] = '\0';
    return RT_OK;
}
