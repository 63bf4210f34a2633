/*
 * runtime_ends.c - how connections end: what was sent arrives, then the end of the stream, or the
 * error; whatever came just before, however busy the reader's worker is.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "in_runtime.h"

/* ---- a peer that is not in the runtime ------------------------------------------------------ */

static void unix_pair(int fds[2])
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
}

static void tcp_pair(int fds[2])
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(l >= 0 && bind(l, (struct sockaddr *)&addr, len) == 0 && listen(l, 1) == 0);
    CHECK(getsockname(l, (struct sockaddr *)&addr, &len) == 0);
    fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fds[1] >= 0 && connect(fds[1], (struct sockaddr *)&addr, len) == 0);
    fds[0] = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(fds[0] >= 0);
    close(l);
}

static void (*const pairs[])(int fds[2]) = {unix_pair, tcp_pair};

static void reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    close(fd);
}

/* ---- the end right behind the last bytes ---------------------------------------------------- */

static _Atomic(int) bytes, end;

static void read_to_the_end(void *arg)
{
    char buf[100];
    ssize_t got;
    while ((got = sock_read(arg, buf, sizeof buf, soon())) > 0)
        atomic_fetch_add(&bytes, (int)got);
    atomic_store(&end, (int)got);
    sock_close(arg);
    finished();
}

enum how { HALF_CLOSE, CLOSE, RESET };

static int end_after(void (*pair)(int fds[2]), int n, enum how how)
{
    int fds[2];
    pair(fds);
    struct sock *s = sock_new(fds[0]);
    atomic_store(&bytes, 0);
    start(read_to_the_end, s);
    CHECK(write(fds[1], "first", 5) == 5);
    while (atomic_load(&bytes) < 5)
        co_sleep(MS / 10);
    co_sleep(MS);
    for (int i = 0; i < n; i++)
        CHECK(write(fds[1], "x", 1) == 1);
    if (how == HALF_CLOSE) CHECK(shutdown(fds[1], SHUT_WR) == 0);
    if (how == CLOSE) close(fds[1]);
    if (how == RESET) reset(fds[1]);
    wait_for_all();
    if (how == HALF_CLOSE) close(fds[1]);
    CHECK(atomic_load(&bytes) == 5 + n);
    return atomic_load(&end);
}

static void end_body(void)
{
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        for (int n = 0; n < 4; n++) {
            CHECK(end_after(pairs[i], n, HALF_CLOSE) == RT_EOF);
            CHECK(end_after(pairs[i], n, CLOSE) == RT_EOF);
        }
    }
}

static void the_end_right_behind_bytes_is_seen(void **state)
{
    in_runtime(end_body);
}

static void reset_body(void)
{
    for (int n = 0; n < 4; n++)
        CHECK(rt_errno(end_after(tcp_pair, n, RESET)) == ECONNRESET);
}

static void a_reset_right_behind_bytes_is_seen(void **state)
{
    in_runtime(reset_body);
}

/* ---- written last, then closed -------------------------------------------------------------- */

#define PIECE 3000

/* Fills the way to a peer that does not read yet. */
static size_t write_until_full(struct sock *s)
{
    static char piece[PIECE];
    struct iovec iov = {piece, sizeof piece};
    size_t sum = 0;
    ssize_t put;
    while ((put = sock_try_writev(s, &iov, 1)) != RT_EAGAIN || sum < 30 * PIECE) {
        if (put > 0) sum += (size_t)put;
        if (put == RT_EAGAIN) co_sleep(MS);
    }
    return sum;
}

/* Until the end of the stream. */
static size_t read_late(int fd)
{
    char buf[10000];
    size_t sum = 0;
    int64_t until = soon();
    co_sleep(20 * MS);
    for (;;) {
        ssize_t got = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
        if (got == 0) return sum;
        if (got > 0) sum += (size_t)got;
        CHECK((got > 0 || errno == EAGAIN) && rt_now() < until);
        if (got < 0) co_sleep(MS);
    }
}

static void written_body(void)
{
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        int fds[2];
        pairs[i](fds);
        struct sock *s = sock_new(fds[0]);
        size_t sum = write_until_full(s);
        sock_close(s);
        CHECK(read_late(fds[1]) == sum);
        close(fds[1]);
    }
}

static void what_was_written_before_closing_arrives(void **state)
{
    in_runtime(written_body);
}

static void answer_at_the_end(void *arg)
{
    struct sock *s = arg;
    char buf[8];
    while (sock_read(s, buf, sizeof buf, RT_NEVER) > 0)
        continue;
    CHECK(sock_write(s, "bye", 3, RT_NEVER) == 3);
    sock_close(s);
    finished();
}

/* In a helper thread: until the end, or for two seconds. */
static void hear_the_answer(void *arg)
{
    struct pollfd p = {*(int *)arg, POLLIN, 0};
    char buf[8];
    ssize_t got, sum = 0;
    while (poll(&p, 1, 2000) == 1 && (got = recv(p.fd, buf, sizeof buf, 0)) > 0)
        sum += got;
    *(int *)arg = sum == 3 && poll(&p, 1, 0) == 1 && recv(p.fd, buf, sizeof buf, 0) == 0;
}

/* Nothing else happens that would make the worker look again. */
static void lonely_body(void)
{
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        int fds[2];
        pairs[i](fds);
        start(answer_at_the_end, sock_new(fds[0]));
        co_sleep(5 * MS);
        CHECK(write(fds[1], "ask", 3) == 3 && shutdown(fds[1], SHUT_WR) == 0);
        int heard = fds[1];
        rt_offload(hear_the_answer, &heard);
        CHECK(heard);
        close(fds[1]);
        wait_for_all();
    }
}

static void who_answers_and_closes_at_the_end_need_not_wait_for_others(void **state)
{
    in_runtime(lonely_body);
}

static int last[2];

static void stop_body(void)
{
    unix_pair(last);
    struct sock *s = sock_new_on(rt_worker_count() - 1, last[0]);
    CHECK(sock_write(s, "bye", 3, soon()) == 3);
    sock_close(s);
}

static void what_was_written_before_the_runtime_stops_arrives(void **state)
{
    char buf[8];
    body = stop_body;
    for (size_t i = 0; i < ARRAY_LEN(worker_counts); i++) {
        body_config.workers = worker_counts[i];
        assert_int_equal(rt_run(&body_config, run_body, NULL), RT_OK);
        assert_int_equal(recv(last[1], buf, sizeof buf, MSG_DONTWAIT), 3);
        assert_int_equal(recv(last[1], buf, sizeof buf, MSG_DONTWAIT), 0);
        close(last[1]);
    }
}

/* ---- a worker that is busy with one coroutine ----------------------------------------------- */

static struct busy {
    int fds[2];
    struct sock *s;
    _Atomic(bool) begun, over;
} busy;

static void echo_twice(void *arg)
{
    char c;
    for (int i = 0; i < 2; i++)
        CHECK(sock_read(busy.s, &c, 1, soon()) == 1 && sock_write(busy.s, &c, 1, soon()) == 1);
    sock_close(busy.s);
    finished();
}

/* Its worker has had no time to ask the kernel for anything since the socket was made. */
static void write_and_hog(void *arg)
{
    int64_t until = rt_now() + 8000 * MS;
    busy.s = sock_new(busy.fds[0]);
    CHECK(sock_write(busy.s, "now", 3, soon()) == 3);
    start(echo_twice, NULL);
    atomic_store(&busy.begun, true);
    while (!atomic_load(&busy.over))
        CHECK(rt_now() < until);
    finished();
}

static void *ask_while_busy(void *arg)
{
    char buf[4];
    int fd = busy.fds[1];
    while (!atomic_load(&busy.begun))
        usleep(100);
    CHECK(recv(fd, buf, 3, MSG_WAITALL) == 3 && memcmp(buf, "now", 3) == 0);
    for (int i = 0; i < 2; i++) {
        usleep(2000);
        CHECK(send(fd, "x", 1, 0) == 1 && recv(fd, buf, 1, 0) == 1);
    }
    CHECK(recv(fd, buf, 1, 0) == 0);
    atomic_store(&busy.over, true);
    close(fd);
    return NULL;
}

static void hogged_body(void)
{
    pthread_t thread;
    if (rt_worker_count() == 1) return;
    atomic_store(&busy.begun, false);
    atomic_store(&busy.over, false);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, busy.fds) == 0);
    CHECK(fcntl(busy.fds[0], F_SETFL, O_NONBLOCK) == 0);
    atomic_fetch_add(&running, 1);
    CHECK(co_spawn_pinned(1, "hog", write_and_hog, NULL) == RT_OK);
    CHECK(pthread_create(&thread, NULL, ask_while_busy, NULL) == 0);
    wait_for_all();
    pthread_join(thread, NULL);
}

static void what_a_busy_worker_has_not_asked_for_is_served(void **state)
{
    in_runtime(hogged_body);
}

/* ---- half-closed ---------------------------------------------------------------------------- */

static void quiet_body(void)
{
    struct rt_stats before, after;
    char c;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        int fds[2];
        pairs[i](fds);
        struct sock *s = sock_new(fds[0]);
        CHECK(shutdown(fds[1], SHUT_WR) == 0);
        CHECK(sock_read(s, &c, 1, soon()) == RT_EOF);
        co_sleep(5 * MS);
        rt_stats(&before);
        co_sleep(50 * MS);
        rt_stats(&after);
        CHECK(after.poll_events - before.poll_events < 5);
        CHECK(sock_write(s, "x", 1, soon()) == 1);
        sock_close(s);
        CHECK(read_late(fds[1]) == 1);
        close(fds[1]);
    }
}

static void a_half_closed_peer_is_told_of_once(void **state)
{
    in_runtime(quiet_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_right_behind_bytes_is_seen),
        cmocka_unit_test(a_reset_right_behind_bytes_is_seen),
        cmocka_unit_test(what_was_written_before_closing_arrives),
        cmocka_unit_test(who_answers_and_closes_at_the_end_need_not_wait_for_others),
        cmocka_unit_test(what_was_written_before_the_runtime_stops_arrives),
        cmocka_unit_test(what_a_busy_worker_has_not_asked_for_is_served),
        cmocka_unit_test(a_half_closed_peer_is_told_of_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
