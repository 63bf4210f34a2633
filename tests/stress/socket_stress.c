/*
 * socket_stress.c - thousands of connections that send, half-close, close, reset and vanish at any
 * point, over 1, 2, 4 and 16 workers.
 *
 *   socket_stress [SECONDS]     for all together; 8 by default
 *
 *   a talk      the client                              the server
 *   REPLY       sends, perhaps half-closes, reads on    reads all, answers, closes
 *   LEAVE       sends and closes at once                reads all, then the end
 *   VANISH      resets or closes while it is answered   ends, with any error
 *   ROUNDS      asks and waits a few times, closes      answers each, then sees the end
 *
 * Every byte arrives once and in order, behind the last one the end of the stream; nobody waits for
 * ever, and no descriptor is left. A client is a coroutine, or speaks past the runtime.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "runtime/runtime.h"

#define MS       1000000LL
#define PATIENCE (40000 * MS)
#define BUF      100000
#ifdef WEFT_SANITIZER
#define TALKS 24
#else
#define TALKS 120
#endif

enum mode { REPLY, LEAVE, VANISH, ROUNDS, MODES };
static const char *const mode_names[] = {"reply", "leave", "vanish", "rounds"};

struct talk {
    uint64_t seed;
    enum mode mode;
    bool tcp, half_close, slow, raw;
    size_t ask, answer;
    int rounds, fd; /* fd: the client's, if it speaks past the runtime */
    struct sock *client, *server;
    _Atomic(int) sides; /* still talking */
};

static int64_t until_ns;
static _Atomic(uint64_t) talks[MODES], bytes;
static _Atomic(int) actors;
static int listen_fd;
static struct sockaddr_in listen_addr;

static void say_and_abort(const struct talk *t, const char *who, const char *what, long long got)
{
    fprintf(stderr,
            "%s: %s %lld; talk %s over %s, ask %zu, answer %zu,%s%s%s seed %llu, poller %s, %u "
            "workers\n",
            who, what, got, mode_names[t->mode], t->tcp ? "tcp" : "unix", t->ask, t->answer,
            t->half_close ? " half-close," : "", t->slow ? " slow," : "", t->raw ? " raw," : "",
            (unsigned long long)t->seed, rt_poller_name(), rt_worker_count());
    abort();
}

#define EXPECT(t, who, cond, got)                                                                  \
    do {                                                                                           \
        if (!(cond)) say_and_abort(t, who, #cond, (long long)(got));                               \
    } while (0)

static int64_t patience(void)
{
    return rt_now() + PATIENCE;
}

static size_t any_size(void)
{
    switch (rand_below(16)) {
    case 0: return 1 + rand_below(3000000);
    case 1:
    case 2:
    case 3: return 1 + rand_below(200000);
    case 4:
    case 5:
    case 6: return 1 + rand_below(20000);
    default: return 1 + rand_below(200);
    }
}

/* Of what is left. */
static size_t any_part(size_t left)
{
    size_t part = rand_below(3) == 0 ? 1 + rand_below(BUF) : 1 + rand_below(6000);
    return MIN(part, left);
}

static unsigned char byte_at(const struct talk *t, size_t i)
{
    return (unsigned char)((i * 31 + (i >> 11)) ^ t->seed);
}

static void fill(const struct talk *t, unsigned char *buf, size_t from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf[i] = byte_at(t, from + i);
}

static void check(const struct talk *t, const char *who, const unsigned char *buf, size_t from,
                  size_t n)
{
    for (size_t i = 0; i < n; i++)
        EXPECT(t, who, buf[i] == byte_at(t, from + i), from + i);
    atomic_fetch_add_explicit(&bytes, n, memory_order_relaxed);
}

static void dawdle(void)
{
    uint64_t dice = rand_below(40);
    if (dice == 0) co_sleep((int64_t)rand_below(3 * MS));
    if (dice < 8) co_yield();
}

/* ---- sending and receiving ------------------------------------------------------------------ */

/* n, or the error. */
static ssize_t send_all(const struct talk *t, struct sock *s, size_t n, unsigned char *buf)
{
    for (size_t done = 0; done < n;) {
        size_t part = any_part(n - done);
        fill(t, buf, done, part);
        ssize_t put = sock_write(s, buf, part, patience());
        if (put < 0) return put;
        done += part;
        dawdle();
    }
    return (ssize_t)n;
}

/* What came before n bytes had: n, or less and *end why. */
static size_t receive(const struct talk *t, const char *who, struct sock *s, size_t n,
                      unsigned char *buf, int *end)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = sock_read(s, buf, any_part(n - have), patience());
        EXPECT(t, who, got != RT_ETIMEDOUT && got != 0, have);
        if (got < 0) {
            *end = (int)got;
            break;
        }
        if (t->mode != VANISH) check(t, who, buf, have, (size_t)got);
        have += (size_t)got;
        dawdle();
    }
    return have;
}

static void expect_end(const struct talk *t, const char *who, struct sock *s)
{
    char buf[16];
    ssize_t got = sock_read(s, buf, sizeof buf, patience());
    EXPECT(t, who, got == RT_EOF, got);
}

/* ---- a server ------------------------------------------------------------------------------- */

static void answer(const struct talk *t, unsigned char *buf)
{
    int end = 0;
    size_t have = receive(t, "server", t->server, t->ask, buf, &end);
    EXPECT(t, "server", have == t->ask, have);
    if (t->half_close) expect_end(t, "server", t->server);
    ssize_t put = send_all(t, t->server, t->answer, buf);
    EXPECT(t, "server", put == (ssize_t)t->answer, put);
}

static void hear_out(const struct talk *t, unsigned char *buf)
{
    int end = 0;
    size_t have = receive(t, "server", t->server, t->ask, buf, &end);
    EXPECT(t, "server", have == t->ask, have);
    expect_end(t, "server", t->server);
}

/* Writes and reads until it is told that the other one is gone. */
static void talk_on(const struct talk *t, unsigned char *buf)
{
    int end = 0;
    if (receive(t, "server", t->server, t->ask, buf, &end) < t->ask) return;
    ssize_t put = send_all(t, t->server, t->answer, buf);
    EXPECT(t, "server", put != RT_ETIMEDOUT, put);
    if (put > 0) receive(t, "server", t->server, SIZE_MAX, buf, &end);
}

static void answer_each(const struct talk *t, unsigned char *buf)
{
    for (int i = 0; i < t->rounds; i++)
        answer(t, buf);
    expect_end(t, "server", t->server);
}

static void side_ends(struct talk *t)
{
    if (atomic_fetch_sub(&t->sides, 1) > 1) return;
    atomic_fetch_add(&talks[t->mode], 1);
    mem_free(t);
    atomic_fetch_sub(&actors, 1);
}

static void serve(void *arg)
{
    struct talk *t = arg;
    unsigned char *buf = mem_alloc(BUF);
    switch (t->mode) {
    case REPLY: answer(t, buf); break;
    case LEAVE: hear_out(t, buf); break;
    case VANISH: talk_on(t, buf); break;
    default: answer_each(t, buf); break;
    }
    sock_close(t->server);
    mem_free(buf);
    side_ends(t);
}

/* ---- a client ------------------------------------------------------------------------------- */

/* Past the poller, which may have bytes pending when sock_write() returns. */
static void ask_and_half_close(const struct talk *t, unsigned char *buf)
{
    int fd = sock_fd(t->client);
    for (size_t done = 0; done < t->ask;) {
        size_t part = any_part(t->ask - done);
        fill(t, buf, done, part);
        ssize_t put = write(fd, buf, part);
        EXPECT(t, "client", put > 0 || errno == EAGAIN, errno);
        if (put > 0) done += (size_t)put;
        if (put < 0) co_sleep(MS / 2);
    }
    CHECK(shutdown(fd, SHUT_WR) == 0);
}

static void ask_and_listen(const struct talk *t, unsigned char *buf)
{
    int end = 0;
    if (t->half_close) {
        ask_and_half_close(t, buf);
    } else {
        EXPECT(t, "client", send_all(t, t->client, t->ask, buf) == (ssize_t)t->ask, errno);
    }
    if (t->slow) co_sleep((int64_t)rand_below(30 * MS));
    size_t have = receive(t, "client", t->client, t->answer, buf, &end);
    EXPECT(t, "client", have == t->answer, have);
}

static void reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void vanish(const struct talk *t, unsigned char *buf)
{
    int end = 0;
    size_t ask = rand_below(2) ? t->ask : rand_below(t->ask + 1);
    send_all(t, t->client, ask, buf);
    if (ask == t->ask && rand_below(2))
        receive(t, "client", t->client, rand_below(t->answer + 1), buf, &end);
    if (rand_below(2)) reset(sock_fd(t->client));
}

static void be_client(void *arg)
{
    struct talk *t = arg;
    unsigned char *buf = mem_alloc(BUF);
    switch (t->mode) {
    case REPLY:
        ask_and_listen(t, buf);
        expect_end(t, "client", t->client);
        break;
    case LEAVE: EXPECT(t, "client", send_all(t, t->client, t->ask, buf) > 0, errno); break;
    case VANISH: vanish(t, buf); break;
    default:
        for (int i = 0; i < t->rounds; i++)
            ask_and_listen(t, buf);
    }
    sock_close(t->client);
    mem_free(buf);
    side_ends(t);
}

/* Past the runtime: all of it, and the end, without a pause between. */
static void be_raw_client(void *arg)
{
    struct talk *t = arg;
    unsigned char *buf = mem_alloc(BUF);
    fill(t, buf, 0, t->ask);
    if (rand_below(2)) co_sleep((int64_t)rand_below(2 * MS));
    for (size_t done = 0; done < t->ask;) {
        size_t part = 1 + rand_below(t->ask - done);
        ssize_t put = write(t->fd, buf + done, part);
        EXPECT(t, "raw client", put == (ssize_t)part, put);
        done += part;
    }
    if (t->mode == VANISH && rand_below(2)) reset(t->fd);
    close(t->fd);
    mem_free(buf);
    side_ends(t);
}

/* ---- connecting ----------------------------------------------------------------------------- */

static void tcp_pair(int fds[2])
{
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fds[0] >= 0);
    CHECK(connect(fds[0], (struct sockaddr *)&listen_addr, sizeof listen_addr) == 0);
    fds[1] = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(fds[1] >= 0);
    CHECK(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
}

static void listen_somewhere(void)
{
    socklen_t len = sizeof listen_addr;
    listen_addr =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(listen_fd >= 0 && bind(listen_fd, (struct sockaddr *)&listen_addr, len) == 0);
    CHECK(listen(listen_fd, 16) == 0);
    CHECK(getsockname(listen_fd, (struct sockaddr *)&listen_addr, &len) == 0);
}

static struct talk *new_talk(void)
{
    struct talk *t = mem_calloc(sizeof *t);
    t->seed = rand_u64();
    t->mode = (enum mode)rand_below(MODES);
    t->tcp = rand_below(2);
    t->half_close = t->mode == REPLY && rand_below(2);
    t->slow = rand_below(4) == 0;
    t->raw = (t->mode == LEAVE || t->mode == VANISH) && rand_below(2);
    t->ask = t->raw ? 1 + rand_below(20000) : any_size();
    t->answer = any_size();
    t->rounds = 1 + (int)rand_below(6);
    if (t->mode == ROUNDS) t->ask = t->answer = 1 + rand_below(30000);
    atomic_init(&t->sides, 2);
    return t;
}

static void begin_talk(void)
{
    struct talk *t = new_talk();
    int fds[2];
    if (t->tcp) {
        tcp_pair(fds);
    } else {
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    }
    atomic_fetch_add(&actors, 1);
    t->server = sock_new_on((unsigned)rand_below(rt_worker_count()), fds[1]);
    t->fd = fds[0];
    if (!t->raw) t->client = sock_new(fds[0]);
    CHECK(t->server && (t->raw || t->client));
    unsigned at = rand_below(2) ? (unsigned)rand_below(rt_worker_count()) : rt_worker_id();
    CHECK(co_spawn_on(at, "server", serve, t) == RT_OK);
    CHECK(co_spawn("client", t->raw ? be_raw_client : be_client, t) == RT_OK);
}

static void stress(void *arg)
{
    while (rt_now() < until_ns) {
        if (atomic_load(&actors) < TALKS) {
            begin_talk();
            if (rand_below(8) == 0) co_yield();
        } else {
            co_sleep(MS / 4);
        }
    }
    while (atomic_load(&actors) > 0)
        co_sleep(MS);
    rt_stop();
}

/* ---- the program ---------------------------------------------------------------------------- */

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;
    CHECK(dir != NULL);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void run(unsigned workers, double seconds)
{
    struct rt_config config = {.workers = workers};
    int before = open_descriptors();
    until_ns = clock_mono_ns() + (int64_t)(seconds * 1e9);
    CHECK(rt_run(&config, stress, NULL) == RT_OK);
    int after = open_descriptors();
    if (after != before) {
        fprintf(stderr, "%d descriptors before, %d after\n", before, after);
        exit(1);
    }
    printf("%2u workers:", workers);
    for (int i = 0; i < MODES; i++)
        printf(" %llu %s,", (unsigned long long)atomic_exchange(&talks[i], 0), mode_names[i]);
    printf(" %llu MB\n", (unsigned long long)atomic_exchange(&bytes, 0) >> 20);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const unsigned counts[] = {1, 2, 4, 16};
    double seconds = argc > 1 ? atof(argv[1]) : 8;
    listen_somewhere();
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        run(counts[i], seconds / ARRAY_LEN(counts));
    puts("1 passed, 0 failed");
    return 0;
}
