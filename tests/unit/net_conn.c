/*
 * net_conn.c - connections and listeners over real sockets: opening and its errors, who serves
 * whom, batches, idle connections, names, running out of descriptors, closing.
 *
 * Failures inside coroutines end the program (CHECK); the bodies run in a runtime of their own.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/net.h"

#define WORKERS 3
#define SECOND  1000000000LL

static const struct resp_limits limits = {512 << 20, 1 << 30, INT32_MAX, true};
static _Atomic(unsigned) served[WORKERS], open_sessions;
static void (*body)(void);

static void run_body(void *arg)
{
    body();
    co_sleep(SECOND / 4); /* accepting coroutines see that their listener was closed */
    rt_stop();
}

static void in_runtime(void (*fn)(void))
{
    struct rt_config config = {.workers = WORKERS};
    for (int i = 0; i < WORKERS; i++) atomic_store(&served[i], 0);
    atomic_store(&open_sessions, 0);
    body = fn;
    assert_int_equal(rt_run(&config, run_body, NULL), RT_OK);
}

/* ---- an echo server: every request is answered with the array of its arguments -------------- */

static bool answer_batch(struct conn *c)
{
    struct request batch[8];
    enum resp_status status;
    do {
        size_t n = conn_parse(c, &limits, batch, ARRAY_LEN(batch), &status);
        for (size_t i = 0; i < n; i++) {
            reply_array(&c->reply, batch[i].argc);
            for (uint32_t k = 0; k < batch[i].argc; k++) reply_bulk(&c->reply, batch[i].argv[k]);
        }
        conn_release(c);
    } while (status == RESP_REQUEST);
    if (status == RESP_ERROR) reply_errorf(&c->reply, "ERR %s", resp_error(c->parser));
    return status != RESP_ERROR;
}

static void flush_all(struct conn *c)
{
    while (conn_flush(c) == RT_EAGAIN) sock_wait(c->sock, SOCK_WRITABLE, RT_NEVER);
}

static void serve(int fd, bool is_unix, void *arg)
{
    struct conn c;
    atomic_fetch_add(&served[rt_worker_id()], 1);
    atomic_fetch_add(&open_sessions, 1);
    if (conn_open(&c, fd, is_unix) != RT_OK) return;
    for (bool alive = true; alive;) {
        ssize_t got = conn_fill(&c);
        if (got > 0) {
            alive = answer_batch(&c);
            flush_all(&c);
        } else if (got == RT_EAGAIN) {
            CHECK(conn_make_idle(&c) || resp_buffered(c.parser) > 0 || resp_memory(c.parser) > 0);
            sock_wait(c.sock, SOCK_READABLE, RT_NEVER);
        } else {
            CHECK(got != RT_EOF || c.eof);
            alive = false;
        }
    }
    conn_close(&c);
    atomic_fetch_sub(&open_sessions, 1);
}

/* ---- clients -------------------------------------------------------------------------------- */

static struct sock *try_connect(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int error;
    return sock_connect((struct sockaddr *)&addr, sizeof addr, rt_now() + 5 * SECOND, &error);
}

static struct sock *connect_to(int port)
{
    struct sock *s = try_connect(port);
    CHECK(s != NULL);
    return s;
}

static void expect_answer(struct sock *s, const char *request, size_t n, const char *answer,
                          size_t m)
{
    char got[256];
    CHECK(sock_write(s, request, n, RT_NEVER) == (ssize_t)n);
    for (size_t have = 0; have < m;) {
        ssize_t k = sock_read(s, got + have, m - have, rt_now() + 5 * SECOND);
        CHECK(k > 0);
        have += (size_t)k;
        CHECK(memcmp(got, answer, have) == 0);
    }
}
#define ANSWER(s, request, answer)                                                                 \
    expect_answer(s, request, sizeof(request) - 1, answer, sizeof(answer) - 1)

static struct listener *listen_somewhere(void)
{
    char err[128];
    int sys_errno;
    struct listener *l = listener_tcp("127.0.0.1", 0, 511, err, sizeof err, &sys_errno);
    CHECK(l != NULL && listener_port(l) > 0);
    return l;
}

static struct listener *start_server(void)
{
    struct listener *l = listen_somewhere();
    CHECK(listener_start(l, serve, NULL) == RT_OK);
    return l;
}

static void wait_for_sessions(unsigned n)
{
    for (int i = 0; i < 2000 && atomic_load(&open_sessions) != n; i++) co_sleep(SECOND / 400);
    CHECK(atomic_load(&open_sessions) == n);
}

/* ---- serving -------------------------------------------------------------------------------- */

static void talk(void)
{
    struct listener *l = start_server();
    struct sock *s = connect_to(listener_port(l));
    ANSWER(s, "PING\r\n", "*1\r\n$4\r\nPING\r\n");
    ANSWER(s, "*2\r\n$1\r\na\r\n$2\r\nbc\r\nx\n", "*2\r\n$1\r\na\r\n$2\r\nbc\r\n*1\r\n$1\r\nx\r\n");
    ANSWER(s, "*1\r\n$3\r\nab", "");
    ANSWER(s, "c\r\n", "*1\r\n$3\r\nabc\r\n");
    ANSWER(s, "*1\r\n!\r\n", "-ERR Protocol error: expected '$', got '!'\r\n");
    char byte;
    CHECK(sock_read(s, &byte, 1, rt_now() + 5 * SECOND) == RT_EOF);
    sock_close(s);
    wait_for_sessions(0);
    listener_close(l);
}

static void requests_and_answers(void **state)
{
    in_runtime(talk);
}

static void take_turns(void)
{
    struct listener *l = start_server();
    struct sock *clients[30];
    for (int i = 0; i < 30; i++) {
        clients[i] = connect_to(listener_port(l));
        ANSWER(clients[i], "PING\r\n", "*1\r\n$4\r\nPING\r\n");
    }
    wait_for_sessions(30);
    unsigned sum = 0;
    for (int i = 0; i < WORKERS; i++) sum += atomic_load(&served[i]);
    CHECK(sum == 30);
    for (int i = 0; i < 30; i++) sock_close(clients[i]);
    wait_for_sessions(0);
    listener_close(l);
}

static void workers_take_turns(void **state)
{
    in_runtime(take_turns);
}

static void close_and_listen_again(void)
{
    char err[128];
    int sys_errno;
    struct listener *l = start_server();
    int port = listener_port(l);
    struct sock *s = connect_to(port);
    ANSWER(s, "PING\r\n", "*1\r\n$4\r\nPING\r\n");
    listener_close(l);
    CHECK(try_connect(port) == NULL);
    ANSWER(s, "PING\r\n", "*1\r\n$4\r\nPING\r\n"); /* who is connected stays so */
    l = listener_tcp("127.0.0.1", port, 511, err, sizeof err, &sys_errno);
    CHECK(l != NULL);
    CHECK(listener_start(l, serve, NULL) == RT_OK);
    struct sock *again = connect_to(port);
    ANSWER(again, "PING\r\n", "*1\r\n$4\r\nPING\r\n");
    sock_close(s);
    sock_close(again);
    wait_for_sessions(0);
    listener_close(l);
}

static void closing(void **state)
{
    in_runtime(close_and_listen_again);
}

/* The clients are connected before the descriptors run out, by the kernel's queue; they are served
 * once there are some again. */
static void run_out_of_descriptors(void)
{
    struct listener *l = start_server();
    struct rlimit old, none;
    struct sock *s[3];
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    s[0] = connect_to(listener_port(l));
    ANSWER(s[0], "PING\r\n", "*1\r\n$4\r\nPING\r\n");
    s[1] = connect_to(listener_port(l));
    s[2] = connect_to(listener_port(l));
    none = old;
    none.rlim_cur = 3;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    co_sleep(SECOND / 4);
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    ANSWER(s[1], "PING\r\n", "*1\r\n$4\r\nPING\r\n");
    ANSWER(s[2], "PING\r\n", "*1\r\n$4\r\nPING\r\n");
    for (int i = 0; i < 3; i++) sock_close(s[i]);
    wait_for_sessions(0);
    listener_close(l);
}

static void descriptors(void **state)
{
    log_set_level(LOG_NOTHING);
    in_runtime(run_out_of_descriptors);
}

/* ---- opening -------------------------------------------------------------------------------- */

static void bind_errors(void **state)
{
    char err[128];
    int sys_errno;
    struct listener *l = listen_somewhere();
    assert_null(listener_tcp("127.0.0.1", listener_port(l), 511, err, sizeof err, &sys_errno));
    assert_string_equal(err, "bind: Address already in use");
    assert_int_equal(sys_errno, EADDRINUSE);
    assert_null(listener_tcp("192.0.2.1", 0, 511, err, sizeof err, &sys_errno));
    assert_string_equal(err, "bind: Cannot assign requested address");
    assert_int_equal(sys_errno, EADDRNOTAVAIL);
    assert_null(listener_tcp("300.1.2.3:x", 0, 511, err, sizeof err, &sys_errno));
    assert_true(strlen(err) > 0);
    listener_close(l);
}

static void addresses(void **state)
{
    static const char *const addrs[] = {"*", "127.0.0.1", "localhost", "::*", "::1"};
    char err[128];
    int sys_errno;
    for (size_t i = 0; i < ARRAY_LEN(addrs); i++) {
        struct listener *l = listener_tcp(addrs[i], 0, 511, err, sizeof err, &sys_errno);
        if (!l && (sys_errno == EAFNOSUPPORT || sys_errno == EADDRNOTAVAIL)) continue; /* no IPv6 */
        assert_non_null(l);
        assert_false(listener_is_unix(l));
        assert_true(listener_port(l) > 0);
        listener_close(l);
    }
}

/* Both families on one port: an IPv6 socket does not take IPv4 addresses. */
static void both_families(void **state)
{
    char err[128];
    int sys_errno;
    struct listener *four = listener_tcp("*", 0, 511, err, sizeof err, &sys_errno);
    assert_non_null(four);
    int port = listener_port(four);
    struct listener *six = listener_tcp("::*", port, 511, err, sizeof err, &sys_errno);
    if (six) {
        assert_int_equal(listener_port(six), port);
        listener_close(six);
    } else {
        assert_int_not_equal(sys_errno, EADDRINUSE);
    }
    listener_close(four);
}

static char unix_path[64];

static struct listener *listen_unix(unsigned perm)
{
    char err[128];
    snprintf(unix_path, sizeof unix_path, "/tmp/weft-net-%d.sock", (int)getpid());
    struct listener *l = listener_unix(unix_path, perm, 511, err, sizeof err);
    CHECK(l != NULL);
    return l;
}

static void unix_files(void **state)
{
    char err[256], longer[200];
    struct stat st;
    struct listener *stale = listen_unix(0), *l = listen_unix(0700);
    assert_true(listener_is_unix(l));
    assert_int_equal(stat(unix_path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0700);
    listener_close(l);
    assert_int_equal(stat(unix_path, &st), -1);
    listener_close(stale);
    memset(longer, 'x', sizeof longer);
    longer[199] = '\0';
    assert_null(listener_unix(longer, 0, 511, err, sizeof err));
    assert_string_equal(err, "unix socket path too long (199), must be under 108");
    assert_null(listener_unix("/nonexistent/x", 0, 511, err, sizeof err));
    assert_string_equal(err, "bind: No such file or directory");
}

static void talk_unix(void)
{
    struct listener *l = listen_unix(0);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int error;
    CHECK(listener_start(l, serve, NULL) == RT_OK);
    strcpy(addr.sun_path, unix_path);
    struct sock *s = sock_connect((struct sockaddr *)&addr, sizeof addr, RT_NEVER, &error);
    CHECK(s != NULL);
    ANSWER(s, "PING\r\n", "*1\r\n$4\r\nPING\r\n");
    sock_close(s);
    wait_for_sessions(0);
    listener_close(l);
    CHECK(access(unix_path, F_OK) < 0);
}

static void unix_server(void **state)
{
    in_runtime(talk_unix);
}

/* ---- one connection ------------------------------------------------------------------------- */

static _Atomic(bool) examined;

static void examine_tcp(int fd, bool is_unix, void *arg)
{
    struct conn c;
    char peer[CONN_ADDR_MAX], local[CONN_ADDR_MAX], want[CONN_ADDR_MAX];
    int value, seconds = 300;
    socklen_t len = sizeof value;
    CHECK(conn_open(&c, fd, is_unix) == RT_OK && !c.is_unix && conn_is_loopback(&c));
    conn_peer_name(&c, peer, sizeof peer);
    conn_local_name(&c, local, sizeof local);
    snprintf(want, sizeof want, "127.0.0.1:%d", *(int *)arg);
    CHECK(strcmp(local, want) == 0);
    CHECK(strncmp(peer, "127.0.0.1:", 10) == 0 && strcmp(peer, local) != 0);
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len) == 0 && value != 0);
    CHECK(conn_set_keepalive(&c, seconds) == RT_OK);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len) == 0 && value != 0);
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, &len) == 0 && value == 300);
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &value, &len) == 0 && value == 100);
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &value, &len) == 0 && value == 3);
    conn_close(&c);
    atomic_store(&examined, true);
}

static void examine_unix(int fd, bool is_unix, void *arg)
{
    struct conn c;
    char peer[CONN_ADDR_MAX], want[CONN_ADDR_MAX];
    CHECK(conn_open(&c, fd, is_unix) == RT_OK && c.is_unix && conn_is_loopback(&c));
    conn_peer_name(&c, peer, sizeof peer);
    snprintf(want, sizeof want, "%s:0", unix_path);
    CHECK(strcmp(peer, want) == 0);
    CHECK(conn_set_keepalive(&c, 300) == RT_OK);
    conn_close(&c);
    atomic_store(&examined, true);
}

static void wait_until_examined(void)
{
    for (int i = 0; i < 2000 && !atomic_load(&examined); i++) co_sleep(SECOND / 400);
    CHECK(atomic_load(&examined));
    atomic_store(&examined, false);
}

static void look_at_names(void)
{
    struct listener *l = listen_somewhere();
    int port = listener_port(l), error;
    CHECK(listener_start(l, examine_tcp, &port) == RT_OK);
    struct sock *s = connect_to(port);
    wait_until_examined();
    sock_close(s);
    listener_close(l);
    l = listen_unix(0);
    CHECK(listener_start(l, examine_unix, NULL) == RT_OK);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    strcpy(addr.sun_path, unix_path);
    s = sock_connect((struct sockaddr *)&addr, sizeof addr, RT_NEVER, &error);
    CHECK(s != NULL);
    wait_until_examined();
    sock_close(s);
    listener_close(l);
}

static void names(void **state)
{
    in_runtime(look_at_names);
}

static struct conn *pair_conn(int *peer)
{
    static struct conn c;
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    CHECK(conn_open(&c, fds[0], true) == RT_OK);
    *peer = fds[1];
    return &c;
}

static void put(int fd, const char *text)
{
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* What was put is there, but the poller may not have noticed yet. */
static ssize_t fill(struct conn *c)
{
    ssize_t got;
    while ((got = conn_fill(c)) == RT_EAGAIN) {
        CHECK(sock_wait(c->sock, SOCK_READABLE, rt_now() + 5 * SECOND) > 0);
    }
    return got;
}

static void go_idle(void)
{
    int peer;
    struct conn *c = pair_conn(&peer);
    struct request batch[4];
    enum resp_status status;
    CHECK(conn_make_idle(c) && !c->parser);
    CHECK(conn_fill(c) == RT_EAGAIN);
    CHECK(conn_make_idle(c) && !c->parser);
    put(peer, "PING\r\nPI");
    CHECK(fill(c) == 8 && atomic_load(&c->bytes_in) == 8);
    CHECK(conn_parse(c, &limits, batch, 4, &status) == 1 && status == RESP_MORE);
    CHECK(!conn_make_idle(c));
    conn_release(c);
    CHECK(atomic_load(&c->query_buffered) == 2);
    CHECK(!conn_make_idle(c));
    put(peer, "NG\r\n");
    CHECK(fill(c) == 4);
    CHECK(conn_parse(c, &limits, batch, 4, &status) == 1 && batch[0].argv[0].n == 4);
    conn_release(c);
    reply_ok(&c->reply);
    CHECK(!conn_make_idle(c));
    CHECK(conn_flush(c) == RT_OK && atomic_load(&c->bytes_out) == 5);
    CHECK(conn_make_idle(c) && !c->parser && c->reply.memory == 0);
    CHECK(atomic_load(&c->query_buffered) == 0 && atomic_load(&c->query_free) == 0);
    char answer[8];
    ssize_t got;
    while ((got = read(peer, answer, sizeof answer)) < 0 && errno == EAGAIN) co_sleep(SECOND / 1000);
    CHECK(got == 5); /* closing with it unread would be a reset */
    close(peer);
    CHECK(fill(c) == RT_EOF && c->eof);
    conn_close(c);
}

static void idle(void **state)
{
    in_runtime(go_idle);
}

static void parse_in_batches(void)
{
    int peer;
    struct conn *c = pair_conn(&peer);
    struct request batch[2];
    struct resp_limits strict = limits;
    enum resp_status status;
    put(peer, "a\nb\nc\nd\ne\n");
    CHECK(fill(c) == 10);
    CHECK(conn_parse(c, &limits, batch, 2, &status) == 2 && status == RESP_REQUEST);
    conn_release(c);
    strict.authenticated = false; /* one at a time: it may be an AUTH */
    CHECK(conn_parse(c, &strict, batch, 2, &status) == 1 && status == RESP_REQUEST);
    conn_release(c);
    CHECK(conn_parse(c, &limits, batch, 2, &status) == 2 && status == RESP_REQUEST);
    conn_release(c);
    CHECK(conn_parse(c, &limits, batch, 2, &status) == 0 && status == RESP_MORE);
    put(peer, "x\n*1\r\n!\r\n");
    CHECK(fill(c) == 9);
    CHECK(conn_parse(c, &limits, batch, 2, &status) == 1 && status == RESP_ERROR);
    conn_close(c);
    close(peer);
}

static void batches(void **state)
{
    in_runtime(parse_in_batches);
}

static void vanish(void)
{
    struct listener *l = start_server();
    for (int i = 0; i < 50; i++) {
        struct sock *s = connect_to(listener_port(l));
        if (i % 2) CHECK(sock_write(s, "*2\r\n$1000000\r\nabc", 17, RT_NEVER) == 17);
        sock_close(s);
    }
    co_sleep(SECOND / 20);
    wait_for_sessions(0);
    listener_close(l);
}

static void vanishing_clients(void **state)
{
    in_runtime(vanish);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bind_errors),
        cmocka_unit_test(addresses),
        cmocka_unit_test(both_families),
        cmocka_unit_test(unix_files),
        cmocka_unit_test(requests_and_answers),
        cmocka_unit_test(workers_take_turns),
        cmocka_unit_test(closing),
        cmocka_unit_test(unix_server),
        cmocka_unit_test(names),
        cmocka_unit_test(idle),
        cmocka_unit_test(batches),
        cmocka_unit_test(vanishing_clients),
        cmocka_unit_test(descriptors),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
