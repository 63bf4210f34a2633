/*
 * session.c - the coroutine of one client: read, run, reply, and hold nothing while idle.
 *
 *   session_accept: limits, protected mode, registry
 *        |
 *   session_run <----------------------------------------------+
 *        | bytes there            nothing there                |
 *        v                             |                       |
 *   serve: parse a batch, run it,      +-- a request begun: sock_wait (keeps the stack)
 *          flush when all is run       +-- nothing buffered: sock_sleep_stackless; starts anew
 *        |
 *   end of input, error, kill, QUIT: session_close
 *
 * Invariants
 *  1. Nothing is read while replies wait that the peer does not take: session_flush parks in
 * writing. So a client cannot make us hold more replies than one batch builds.
 *  2. `kill` is looked at before each read and by everything that parks here; whoever sets it
 *     also cancels the socket, so no park outlasts it.
 */
#include "server/client.h"
#include "server/server.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define BATCH    64
#define FLUSH_AT (256 * 1024) /* replies that wait while more of the same input is run */

static const char denied[] =
    "-DENIED Redis is running in protected mode because protected mode is enabled and no password "
    "is set for the default user. In this mode connections are only accepted from the loopback "
    "interface. If you want to connect from other machines, choose one: 1) switch protected mode "
    "off with 'CONFIG SET protected-mode no' from the loopback interface, if the server cannot be "
    "reached from the internet, and 'CONFIG REWRITE' to keep it so; 2) set protected-mode to 'no' "
    "in the configuration file and restart; 3) if you started the server by hand for a test, "
    "restart it with '--protected-mode no'; 4) set a password for the default user. Only one of "
    "these is needed for connections from outside to be accepted.\r\n";
static const char too_many[] = "-ERR max number of clients reached\r\n";

static bool killed(struct session *s)
{
    return atomic_load_explicit(&s->kill, memory_order_acquire) != 0;
}

static bool closing(struct session *s)
{
    return atomic_load_explicit(&s->caller.gate, memory_order_relaxed) & GATE_CLOSE;
}

/* ---- the end ----------------------------------------------------------------------------------
 */

static void free_extra(struct session_extra *extra)
{
    if (!extra) return;
    mem_free(extra->name);
    mem_free(extra->lib_name);
    mem_free(extra->lib_ver);
    mem_free(extra);
}

static void session_close(struct session *s)
{
    caller_reset(&s->caller);
    sessions_remove(s);
    conn_close(&s->conn);
    free_extra(s->extra);
    mem_free_sized(s, sizeof *s);
}

static void log_client(struct session *s, int level, const char *before, const char *after)
{
    struct buf line = {0};
    session_describe(s, &line);
    log_write(level, "%s%s%s", before, buf_cstr(&line), after);
    buf_free(&line);
}

/* ---- what is wrong with the input -------------------------------------------------------------
 */

static void log_protocol_error(struct session *s, struct resp_parser *ps)
{
    struct buf line = {0}, bytes = {0};
    struct slice shown = resp_offending(ps);
    if (log_level_now > LOG_VERBOSE) return;
    session_describe(s, &line);
    buf_add_repr(&bytes, slice_of(shown.p, MIN(shown.n, (size_t)128)));
    log_write(LOG_VERBOSE, "Protocol error (%s) from client: %s. Query buffer: %s", resp_reason(ps),
              buf_cstr(&line), buf_cstr(&bytes));
    buf_free(&line);
    buf_free(&bytes);
}

/* The parser gave up: answers, unless what came was simply too much. */
static void protocol_error(struct session *s)
{
    struct resp_parser *ps = s->conn.parser;
    const char *error = resp_error(ps);
    if (*error) {
        log_protocol_error(s, ps);
        commands_count_error("ERR");
        reply_errorf(&s->conn.reply, "ERR %s", error);
        return;
    }
    metrics_add(METRIC_QUERY_LIMIT, 1);
    log_client(s, LOG_WARNING, "Closing client that reached max query buffer length: ", "");
}

/* The first words of an HTTP request: a browser was made to talk to us. */
static bool is_http(struct slice word)
{
    if (LIKELY(word.n - 4 > 1)) return false;
    return slice_is(word, "post") || slice_is(word, "host:");
}

static size_t find_http(const struct request *batch, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (UNLIKELY(is_http(batch[i].argv[0]))) return i;
    }
    return n;
}

static void security_warning(void)
{
    static _Atomic(int64_t) last_s; /* a line a minute at most: the log is not to be flooded */
    int64_t now = clock_unix_ms() / 1000;
    int64_t then = atomic_load_explicit(&last_s, memory_order_relaxed);
    if (now - then < 60) return;
    if (!atomic_compare_exchange_strong(&last_s, &then, now)) return;
    log_write(LOG_WARNING,
              "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: "
              "commands to Redis. This is likely due to an attacker attempting to use Cross "
              "Protocol Scripting to compromise your Redis instance. Connection aborted.");
}

/* ---- serving ----------------------------------------------------------------------------------
 */

static struct resp_limits limits_of(struct session *s)
{
    uint32_t gate = atomic_load_explicit(&s->caller.gate, memory_order_relaxed);
    return (struct resp_limits){
        .max_bulk_len = (size_t)config_num(OPT_PROTO_MAX_BULK_LEN),
        .max_query_bytes = (size_t)config_num(OPT_CLIENT_QUERY_BUFFER_LIMIT),
        .max_multibulk_len = INT32_MAX,
        .authenticated = !(gate & GATE_AUTH) || !auth_required(),
    };
}

/* Runs requests: false: the connection is to be closed, after its replies are sent if the gate says
 * so and at once otherwise. */
static bool run_batch(struct session *s, struct request *batch, size_t n)
{
    size_t good = find_http(batch, n), done = 0;
    while (done < good) {
        done += commands_run(&s->caller, batch + done, good - done);
        if (UNLIKELY(closing(s))) return false;
        if (UNLIKELY(!output_within_limit(s))) return false;
    }
    if (LIKELY(good == n)) return true;
    security_warning();
    return false;
}

static void note_active(struct session *s)
{
    /* The wall clock of a second is enough, and the round's time is free. */
    uint32_t now =
        (uint32_t)((metrics_started_ms() + rt_now_cached() / 1000000 - metrics_started_mono_ms()) /
                   1000);
    atomic_store_explicit(&s->active_s, now, memory_order_relaxed);
}

/* Parses and runs all that was read. False: close. */
static bool run_input(struct session *s)
{
    struct request batch[BATCH];
    enum resp_status status;
    do {
        struct resp_limits limits = limits_of(s);
        size_t n = conn_parse(&s->conn, &limits, batch, BATCH, &status);
        bool go_on = n == 0 || run_batch(s, batch, n);
        conn_release(&s->conn);
        session_show_state(s);
        if (!go_on) return false;
        if (status == RESP_ERROR) {
            protocol_error(s);
            return false;
        }
        if (status != RESP_REQUEST) break;
        if (reply_pending(&s->conn.reply) > FLUSH_AT && !session_flush(s)) return false;
        if (co_should_yield()) {
            if (!session_flush(s)) return false;
            co_yield();
        }
    } while (!killed(s));
    return true;
}

/* Serves what was just read. False: close. */
static bool serve(struct session *s, size_t got)
{
    metrics_received(got);
    note_active(s);
    bool go_on = run_input(s);
    if (killed(s)) return false;
    return session_flush(s) && go_on;
}

/* Nothing is there to read. Returns when there may be, or starts the coroutine anew then. */
static void wait_for_bytes(struct session *s)
{
    if (LIKELY(conn_make_idle(&s->conn))) sock_sleep_stackless(s->conn.sock);
    sock_wait(s->conn.sock, SOCK_READABLE, RT_NEVER);
}

static void session_run(void *arg)
{
    struct session *s = arg;
    s->co = co_self();
    while (!killed(s)) {
        ssize_t got = conn_fill(&s->conn);
        if (got > 0) {
            if (!serve(s, (size_t)got)) break;
            if (co_should_yield()) co_yield();
        } else if (got == RT_EAGAIN) {
            wait_for_bytes(s);
        } else if (got != RT_ECANCELED) {
            break;
        }
    }
    session_close(s);
}

/* ---- the beginning ----------------------------------------------------------------------------
 */

static void turn_away(struct session *s, const char *text, size_t n)
{
    ssize_t ignored = write(s->conn.fd, text, n); /* a fresh socket takes a line */
    (void)ignored;
    metrics_add(METRIC_REJECTED, 1);
    conn_close(&s->conn);
    mem_free_sized(s, sizeof *s);
}

static bool is_protected(struct session *s)
{
    return config_num(OPT_PROTECTED_MODE) && !auth_required() && !conn_is_loopback(&s->conn);
}

static struct session *session_new(int fd, bool is_unix)
{
    struct session *s = mem_calloc(sizeof *s);
    int rc = conn_open(&s->conn, fd, is_unix);
    if (rc != RT_OK) {
        log_write(LOG_WARNING, "Error registering fd event for the new client: %s (fd=%d)",
                  rt_strerror(rc), fd);
        mem_free_sized(s, sizeof *s);
        return NULL;
    }
    list_init(&s->in_shard);
    return s;
}

void session_accept(int fd, bool is_unix, void *arg)
{
    struct session *s = session_new(fd, is_unix);
    if (!s) return;
    if (is_protected(s)) {
        turn_away(s, denied, sizeof denied - 1);
        return;
    }
    s->created_s = (uint32_t)(clock_unix_ms() / 1000);
    atomic_init(&s->active_s, s->created_s);
    caller_init(&s->caller, &s->conn.reply, 0);
    if (is_unix) s->caller.flags |= CALLER_UNIX;
    if (auth_required()) atomic_store_explicit(&s->caller.gate, GATE_AUTH, memory_order_relaxed);
    if (!sessions_add(s)) {
        turn_away(s, too_many, sizeof too_many - 1);
        return;
    }
    metrics_add(METRIC_CONNECTIONS, 1);
    int64_t keepalive = config_num(OPT_TCP_KEEPALIVE);
    if (keepalive) conn_set_keepalive(&s->conn, (int)keepalive);
    if (co_spawn("client", session_run, s) == RT_OK) return;
    log_write(LOG_WARNING, "No memory for the coroutine of a new client");
    session_close(s);
}

/* ---- texts ------------------------------------------------------------------------------------
 */

static char **text_of(struct session_extra *extra, enum session_text which)
{
    switch (which) {
    case SESSION_NAME: return &extra->name;
    case SESSION_LIB_NAME: return &extra->lib_name;
    default: return &extra->lib_ver;
    }
}

void session_set_text(struct session *s, enum session_text which, struct slice value)
{
    if (!s->extra && value.n == 0) return;
    struct session_extra *extra = s->extra ? s->extra : mem_calloc(sizeof *extra);
    char *text = NULL, **place = text_of(extra, which);
    if (value.n) {
        text = mem_alloc(value.n + 1);
        memcpy(text, value.p, value.n);
        text[value.n] = '\0';
    }
    sessions_lock(s);
    char *old = *place;
    *place = text;
    s->extra = extra;
    sessions_unlock(s);
    mem_free(old);
}

const char *session_text(const struct session *s, enum session_text which)
{
    if (!s->extra) return "";
    const char *text = *text_of(s->extra, which);
    return text ? text : "";
}
