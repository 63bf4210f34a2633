/*
 * session_output.c - sending replies, and clients that do not take them.
 *
 *   flush: all gone -> on
 *          some left -> parked until the peer takes more; over the soft limit for too long ->
 * closed after each batch: over the hard limit -> closed
 *
 * client-output-buffer-limit has three classes; clients here are all "normal". Its numbers are kept
 * in atomics beside the text, for readers in this hot place.
 */
#include "server/server.h"

#include <stdio.h>

#include "server/config_internal.h"

#define SECOND_NS 1000000000LL
#define PAUSE_NS  (1000 * 1000LL)

static struct {
    _Atomic(int64_t) hard, soft, soft_s;
} normal;

bool apply_output_limits(const struct option *o, const char **err)
{
    long long hard = 0, soft = 0, soft_s = 0;
    char *text = config_text(OPT_CLIENT_OUTPUT_BUFFER_LIMIT);
    sscanf(text, "normal %lld %lld %lld", &hard, &soft, &soft_s);
    mem_free(text);
    atomic_store_explicit(&normal.hard, hard, memory_order_relaxed);
    atomic_store_explicit(&commands_max_reply, hard ? (size_t)hard : SIZE_MAX,
                          memory_order_relaxed);
    atomic_store_explicit(&normal.soft, soft, memory_order_relaxed);
    atomic_store_explicit(&normal.soft_s, soft_s, memory_order_relaxed);
    return true;
}

static void over_limit(struct session *s)
{
    struct buf line = {0};
    session_describe(s, &line);
    log_write(LOG_WARNING,
              "Client %s scheduled to be closed ASAP for overcoming of output buffer limits.",
              buf_cstr(&line));
    buf_free(&line);
    metrics_add(METRIC_OUTPUT_LIMIT, 1);
    session_kill(s);
}

/* What counts: small replies do not, as in Redis, where they wait in a buffer of fixed size. */
static int64_t counted(const struct session *s)
{
    size_t pending = reply_pending(&s->conn.reply);
    return pending > REPLY_CHUNK ? (int64_t)pending : 0;
}

bool output_within_limit(struct session *s)
{
    int64_t hard = atomic_load_explicit(&normal.hard, memory_order_relaxed);
    if (LIKELY(hard == 0 || counted(s) <= hard)) return true;
    over_limit(s);
    return false;
}

static bool over_soft(struct session *s)
{
    int64_t soft = atomic_load_explicit(&normal.soft, memory_order_relaxed);
    return soft > 0 && counted(s) > soft;
}

/* PARKS until the peer may take more. False: it is gone, killed, or over the limit for too long.
 * *since_ns: when it went over the soft limit, or 0. */
static bool wait_writable(struct session *s, int64_t *since_ns)
{
    int64_t deadline = RT_NEVER;
    if (!over_soft(s)) {
        *since_ns = 0;
    } else {
        int64_t soft_ns = atomic_load_explicit(&normal.soft_s, memory_order_relaxed) * SECOND_NS;
        if (*since_ns == 0) *since_ns = rt_now();
        deadline = *since_ns + soft_ns;
    }
    int events = sock_wait(s->conn.sock, SOCK_WRITABLE, deadline);
    if (atomic_load_explicit(&s->kill, memory_order_acquire)) return false;
    if (events == RT_ETIMEDOUT) {
        over_limit(s);
        return false;
    }
    if (events < 0) return events == RT_ECANCELED;
    /* Hung up, and still it takes nothing: a write will say what is wrong, soon. */
    if (!(events & SOCK_WRITABLE)) co_sleep(PAUSE_NS);
    return true;
}

static int flush_once(struct session *s)
{
    uint64_t before = atomic_load_explicit(&s->conn.bytes_out, memory_order_relaxed);
    int rc = conn_flush(&s->conn);
    uint64_t sent = atomic_load_explicit(&s->conn.bytes_out, memory_order_relaxed) - before;
    if (LIKELY(sent)) metrics_sent(sent);
    return rc;
}

bool session_flush(struct session *s)
{
    int64_t since_ns = 0;
    for (;;) {
        if (reply_pending(&s->conn.reply) == 0) return true;
        int rc = flush_once(s);
        if (LIKELY(rc == RT_OK)) return true;
        if (rc != RT_EAGAIN || !wait_writable(s, &since_ns)) return false;
    }
}
