/*
 * runtime_sock.c - sockets: reading and writing, waiting, hang-ups, cancelling, closing, dormant
 * readers, accepting and connecting, and a worker that is too busy to poll. And the example of
 * docs/ as it stands there.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "in_runtime.h"

#define main echo_server_main
int echo_server_main(int argc, char **argv);
#include "../../docs/echo-server.c"
#undef main

static void make_pair(struct sock **a, struct sock **b)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    *a = sock_new(fds[0]);
    *b = sock_new_on((rt_worker_id() + 1) % rt_worker_count(), fds[1]);
    CHECK(*a && *b && sock_fd(*a) == fds[0]);
}

/* ---- reading and writing -------------------------------------------------------------------- */

#define MUCH 3000000

static void send_much(void *arg)
{
    char *data = mem_alloc(MUCH);
    for (int i = 0; i < MUCH; i++)
        data[i] = (char)(i * 7 % 251);
    CHECK(sock_write(arg, data, MUCH, soon()) == MUCH);
    mem_free(data);
    sock_close(arg);
    finished();
}

static void transfer_body(void)
{
    struct sock *a, *b;
    char buf[5000];
    size_t have = 0;
    ssize_t got;
    make_pair(&a, &b);
    start(send_much, b);
    while ((got = sock_read(a, buf, 1 + have % sizeof buf, soon())) > 0) {
        for (ssize_t i = 0; i < got; i++)
            CHECK(buf[i] == (char)((int)(have + (size_t)i) * 7 % 251));
        have += (size_t)got;
    }
    CHECK(got == RT_EOF && have == MUCH);
    CHECK(sock_read(a, buf, 1, soon()) == RT_EOF && sock_try_read(a, buf, 1) == RT_EOF);
    sock_close(a);
    wait_for_all();
}

static void all_bytes_arrive_then_the_end(void **state)
{
    in_runtime(transfer_body);
}

static void try_body(void)
{
    struct sock *a, *b;
    char buf[70000] = "";
    struct iovec iov[2] = {{"abc", 3}, {"defg", 4}};
    make_pair(&a, &b);
    CHECK(sock_try_read(a, buf, 10) == RT_EAGAIN);
    CHECK(sock_try_writev(b, iov, 2) == 7);
    CHECK(sock_wait(a, SOCK_READABLE, soon()) == SOCK_READABLE);
    CHECK(sock_try_read(a, buf, 100) == 7 && memcmp(buf, "abcdefg", 7) == 0);
    CHECK(sock_try_read(a, buf, 100) == RT_EAGAIN);
    CHECK(sock_wait(a, SOCK_READABLE, rt_now() + MS) == RT_ETIMEDOUT);
    CHECK(sock_read(a, buf, 10, rt_now() + MS) == RT_ETIMEDOUT);
    CHECK(sock_wait(a, SOCK_WRITABLE | SOCK_READABLE, soon()) == SOCK_WRITABLE);
    iov[0] = (struct iovec){buf, sizeof buf};
    while (sock_try_writev(a, iov, 1) > 0)
        continue;
    CHECK(sock_try_writev(a, iov, 1) == RT_EAGAIN);
    CHECK(sock_wait(a, SOCK_WRITABLE, rt_now() + MS) == RT_ETIMEDOUT);
    CHECK(sock_write(a, buf, sizeof buf, rt_now() + MS) == RT_ETIMEDOUT);
    while (sock_read(b, buf, sizeof buf, rt_now() + 20 * MS) > 0)
        continue;
    CHECK(sock_wait(a, SOCK_WRITABLE, soon()) == SOCK_WRITABLE);
    CHECK(sock_write(a, "x", 1, soon()) == 1);
    sock_close(a);
    sock_close(b);
}

static void trying_and_deadlines(void **state)
{
    in_runtime(try_body);
}

/* ---- hang-ups ------------------------------------------------------------------------------- */

static void hangup_body(void)
{
    struct sock *a, *b;
    char buf[10];
    make_pair(&a, &b);
    CHECK(sock_write(b, "last", 4, soon()) == 4);
    CHECK(!sock_hung_up(a));
    CHECK(sock_wait(a, SOCK_HANGUP, rt_now() + 2 * MS) == RT_ETIMEDOUT);
    CHECK(shutdown(sock_fd(b), SHUT_WR) == 0);
    CHECK(sock_wait(a, SOCK_HANGUP, soon()) == SOCK_HANGUP && sock_hung_up(a));
    CHECK(sock_write(a, "still", 5, soon()) == 5); /* half closed only */
    CHECK(sock_read(a, buf, 2, soon()) == 2 && sock_read(a, buf, 9, soon()) == 2);
    CHECK(sock_read(a, buf, 9, soon()) == RT_EOF);
    CHECK(sock_wait(a, SOCK_READABLE, soon()) == (SOCK_READABLE | SOCK_HANGUP));
    sock_close(b);
    while (sock_write(a, "x", 1, soon()) == 1)
        co_sleep(MS);
    CHECK(rt_errno((int)sock_write(a, "x", 1, soon())) == EPIPE);
    sock_close(a);
}

static void hang_ups_leave_the_data(void **state)
{
    in_runtime(hangup_body);
}

static void full_body(void)
{
    struct sock *a, *b;
    static char buf[100000];
    struct iovec iov = {buf, sizeof buf};
    make_pair(&a, &b);
    while (sock_try_writev(a, &iov, 1) > 0)
        continue;
    CHECK(shutdown(sock_fd(b), SHUT_WR) == 0);
    CHECK(sock_wait(a, SOCK_HANGUP, soon()) & SOCK_HANGUP);
    CHECK(sock_wait(a, SOCK_WRITABLE, rt_now() + 3 * MS) == RT_ETIMEDOUT);
    sock_close(a);
    sock_close(b);
}

static void a_half_close_does_not_end_a_wait_for_room(void **state)
{
    in_runtime(full_body);
}

static struct sock *watched;
static _Atomic(int) step;

static void watch_and_park(void *arg)
{
    sock_watch(watched);
    atomic_store(&step, 1);
    while (!sock_hung_up(watched))
        CHECK(co_park(soon()) == RT_OK);
    sock_unwatch(watched);
    finished();
}

static void watch_body(void)
{
    struct sock *b;
    make_pair(&watched, &b);
    atomic_store(&step, 0);
    start(watch_and_park, NULL);
    while (!atomic_load(&step))
        co_sleep(MS / 10);
    sock_close(b);
    wait_for_all();
    sock_close(watched);
}

static void watchers_are_readied_by_a_hang_up(void **state)
{
    in_runtime(watch_body);
}

/* ---- cancelling and closing ----------------------------------------------------------------- */

static void read_canceled(void *arg)
{
    char buf[4];
    atomic_fetch_add(&step, 1);
    CHECK(sock_read(arg, buf, 4, soon()) == RT_ECANCELED);
    atomic_fetch_add(&step, 1);
    CHECK(sock_read(arg, buf, 4, soon()) == RT_ECLOSED);
    finished();
}

static void watch_canceled(void *arg)
{
    sock_watch(arg);
    while (!sock_canceled(arg))
        CHECK(co_park(soon()) == RT_OK);
    CHECK(!sock_canceled(arg));
    sock_unwatch(arg);
    finished();
}

static void cancel_body(void)
{
    struct sock *a, *b;
    make_pair(&a, &b);
    atomic_store(&step, 0);
    start(read_canceled, a);
    while (atomic_load(&step) < 1)
        co_sleep(MS / 10);
    co_sleep(MS);
    sock_cancel(a);
    while (atomic_load(&step) < 2)
        co_sleep(MS / 10);
    co_sleep(MS);
    sock_close(a);
    start(watch_canceled, b);
    co_sleep(MS);
    sock_cancel(b);
    wait_for_all();
    sock_cancel(b);
    CHECK(sock_wait(b, SOCK_WRITABLE, soon()) == RT_ECANCELED);
    sock_close(b);
}

static void cancelling_and_closing_end_waits(void **state)
{
    in_runtime(cancel_body);
}

/* ---- dormant readers ------------------------------------------------------------------------ */

struct peer {
    struct sock *s;
};

static _Atomic(int) sum;

static void serve_stackless(void *arg)
{
    struct peer *p = arg;
    char buf[64];
    ssize_t n;
    if (sock_canceled(p->s)) {
        atomic_fetch_add(&sum, 1000000);
    } else {
        while ((n = sock_try_read(p->s, buf, sizeof buf)) > 0) {
            struct iovec iov = {buf, (size_t)n};
            CHECK(sock_try_writev(p->s, &iov, 1) == n);
            atomic_fetch_add(&sum, (int)n);
        }
        if (n == RT_EAGAIN) sock_sleep_stackless(p->s);
        CHECK(n == RT_EOF);
    }
    sock_close(p->s);
    finished();
}

#define PEERS 50

static void dormant_body(void)
{
    static struct peer peers[PEERS];
    struct sock *mine[PEERS];
    struct rt_stats stats;
    char buf[8];
    int64_t until = soon();
    atomic_store(&sum, 0);
    for (int i = 0; i < PEERS; i++) {
        make_pair(&mine[i], &peers[i].s);
        start(serve_stackless, &peers[i]);
    }
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < PEERS; i++)
            CHECK(sock_write(mine[i], "ping", 4, soon()) == 4);
        for (int i = 0; i < PEERS; i++)
            CHECK(sock_read(mine[i], buf, 8, soon()) == 4);
    }
    while (rt_stats(&stats), stats.dormant < PEERS) {
        CHECK(rt_now() < until);
        co_sleep(MS / 10);
    }
    CHECK(stats.stacks <= 12 * rt_worker_count()); /* far less than one each */
    sock_cancel(peers[0].s);
    for (int i = 1; i < PEERS; i++)
        sock_close(mine[i]);
    wait_for_all();
    sock_close(mine[0]);
    CHECK(atomic_load(&sum) == 1000000 + PEERS * 40 * 4);
}

static void dormant_readers_start_anew_on_data(void **state)
{
    in_runtime(dormant_body);
}

/* ---- connections ---------------------------------------------------------------------------- */

static int listen_somewhere(struct sockaddr_in *addr)
{
    socklen_t len = sizeof *addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(bind(fd, (struct sockaddr *)addr, sizeof *addr) == 0 && listen(fd, 100) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)addr, &len) == 0);
    return fd;
}

static struct sockaddr_in server_addr;

static void connect_and_say(void *arg)
{
    char buf[4];
    int error = -1;
    struct sock *s =
        sock_connect((struct sockaddr *)&server_addr, sizeof server_addr, soon(), &error);
    CHECK(s && error == 0);
    CHECK(sock_write(s, "hi", 2, soon()) == 2 && sock_read(s, buf, 4, soon()) == 2);
    CHECK(sock_read(s, buf, 4, soon()) == RT_EOF);
    sock_close(s);
    finished();
}

static void answer_one(void *arg)
{
    struct sock *s = sock_new((int)(intptr_t)arg);
    char buf[4];
    CHECK(s && sock_read(s, buf, 4, soon()) == 2 && sock_write(s, buf, 2, soon()) == 2);
    sock_close(s);
    finished();
}

static void connect_body(void)
{
    int fd = listen_somewhere(&server_addr), error = 0;
    struct sock *listener = sock_new(fd);
    CHECK(sock_accept(listener, NULL, NULL, rt_now() + MS) == RT_ETIMEDOUT);
    for (int i = 0; i < 40; i++)
        start(connect_and_say, NULL);
    for (int i = 0; i < 40; i++) {
        int client = sock_accept(listener, NULL, NULL, soon());
        CHECK(client >= 0 && (fcntl(client, F_GETFL) & O_NONBLOCK));
        start(answer_one, (void *)(intptr_t)client);
    }
    wait_for_all();
    sock_close(listener);
    co_sleep(MS);
    CHECK(!sock_connect((struct sockaddr *)&server_addr, sizeof server_addr, soon(), &error));
    CHECK(rt_errno(error) == ECONNREFUSED && strlen(rt_strerror(error)) > 5);
}

static void connections_are_made(void **state)
{
    in_runtime(connect_body);
}

static void bad_descriptors_body(void)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && sock_new(fd) == NULL && errno == EPERM);
    CHECK(sock_new(100000) == NULL && errno == EBADF);
    close(fd);
}

static void what_cannot_be_polled_is_refused(void **state)
{
    body_config.poller = RT_POLLER_EPOLL;
    in_runtime(bad_descriptors_body);
    body_config.poller = RT_POLLER_AUTO;
}

/* ---- a busy worker -------------------------------------------------------------------------- */

static _Atomic(bool) answered;

static void hog(void *arg)
{
    int64_t until = rt_now() + 4000 * MS;
    atomic_store(&step, 1);
    while (!atomic_load(&answered))
        CHECK(rt_now() < until);
    finished();
}

static void *talk_from_outside(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buf[4];
    while (!atomic_load(&step))
        usleep(100);
    usleep(3000);
    CHECK(write(fd, "ping", 4) == 4 && read(fd, buf, 4) == 4);
    atomic_store(&answered, true);
    close(fd);
    return NULL;
}

/* The socket belongs to the very worker that a coroutine keeps busy until it was answered. */
static void busy_body(void)
{
    static struct peer peer;
    pthread_t thread;
    int fds[2];
    if (rt_worker_count() == 1) return;
    atomic_store(&step, 0);
    atomic_store(&answered, false);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
    peer.s = sock_new_on(1, fds[0]);
    start(serve_stackless, &peer);
    co_sleep(10 * MS);
    atomic_fetch_add(&running, 1);
    CHECK(co_spawn_pinned(1, "hog", hog, NULL) == RT_OK);
    CHECK(pthread_create(&thread, NULL, talk_from_outside, (void *)(intptr_t)fds[1]) == 0);
    wait_for_all();
    pthread_join(thread, NULL);
}

static void sockets_of_a_busy_worker_are_served_by_others(void **state)
{
    in_runtime(busy_body);
}

/* ---- the example ---------------------------------------------------------------------------- */

static void example_body(void)
{
    char buf[8];
    int error, fd = listen_somewhere(&server_addr), port = ntohs(server_addr.sin_port);
    close(fd);
    co_spawn("example", serve, &port);
    struct sock *s = NULL;
    for (int i = 0; i < 200 && !s; i++) {
        s = sock_connect((struct sockaddr *)&server_addr, sizeof server_addr, soon(), &error);
        if (!s) co_sleep(5 * MS);
    }
    CHECK(s != NULL);
    for (int i = 0; i < 10; i++) {
        CHECK(sock_write(s, "hello", 5, soon()) == 5);
        CHECK(sock_read(s, buf, 8, soon()) == 5 && memcmp(buf, "hello", 5) == 0);
    }
    sock_close(s);
    co_sleep(5 * MS);
}

static void the_example_echoes(void **state)
{
    in_runtime(example_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_bytes_arrive_then_the_end),
        cmocka_unit_test(trying_and_deadlines),
        cmocka_unit_test(hang_ups_leave_the_data),
        cmocka_unit_test(a_half_close_does_not_end_a_wait_for_room),
        cmocka_unit_test(watchers_are_readied_by_a_hang_up),
        cmocka_unit_test(cancelling_and_closing_end_waits),
        cmocka_unit_test(dormant_readers_start_anew_on_data),
        cmocka_unit_test(connections_are_made),
        cmocka_unit_test(what_cannot_be_polled_is_refused),
        cmocka_unit_test(sockets_of_a_busy_worker_are_served_by_others),
        cmocka_unit_test(the_example_echoes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
