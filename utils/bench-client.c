/*
 * bench-client.c - the clients that redis-benchmark is not. Each prints one line of figures; times
 * are microseconds.
 *
 *   bench-client fill  PORT KEYS BYTES DEPTH    sets key:000000000000 and up to values of BYTES,
 * DEPTH at a time: "seconds S slowest US p99 US" of the round trips bench-client probe PORT KEYS
 * COUNT MS       GETs of random keys one after the other, until COUNT or MS milliseconds: "requests
 * N p50 US p99 US max US" bench-client loop  PORT WORD...             repeats a command until it is
 * killed bench-client idle  PORT CONNECTIONS         opens them, PINGs once on each, prints
 * "ready", and holds them until standard input ends
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KEY_FORMAT  "key:%012llu"
#define KEY_BYTES   16
#define VALUE_MAX   4096
#define REQUEST_MAX (VALUE_MAX + 128)
#define DEPTH_MAX   1000

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* ---- times: 128 buckets for each power of two ----------------------------------------------- */

#define SUB_BITS 7
#define SUB      (1u << SUB_BITS)

static struct {
    uint64_t buckets[64 << SUB_BITS], count, max;
} times;

static unsigned shift_of(uint64_t ns)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(ns | 1);
    return bits > SUB_BITS + 1 ? bits - SUB_BITS - 1 : 0;
}

static void note_time(int64_t ns)
{
    uint64_t t = (uint64_t)ns;
    unsigned shift = shift_of(t);
    times.buckets[shift * SUB + (t >> shift)]++;
    times.count++;
    if (t > times.max) times.max = t;
}

/* In microseconds: the middle of the bucket that the q-th part of all times ends in. */
static double quantile(double q)
{
    uint64_t wanted = (uint64_t)(q * (double)times.count), seen = 0;
    for (unsigned i = 0; i < 64 << SUB_BITS; i++) {
        seen += times.buckets[i];
        if (seen <= wanted) continue;
        unsigned shift = i < 2 * SUB ? 0 : i / SUB - 1;
        double low = (double)((uint64_t)(i - shift * SUB) << shift);
        return (low + (double)((uint64_t)1 << shift) / 2) / 1000;
    }
    return (double)times.max / 1000;
}

/* ---- the connection ------------------------------------------------------------------------- */

struct conn {
    int fd;
    size_t at, end;
    char bytes[64 * 1024];
};

static int open_socket(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) die("socket");
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = write(fd, p, n);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) die("write");
        p += sent;
        n -= (size_t)sent;
    }
}

static char next_byte(struct conn *c)
{
    if (c->at == c->end) {
        ssize_t n = read(c->fd, c->bytes, sizeof c->bytes);
        if (n <= 0) die("the server closed the connection");
        c->at = 0;
        c->end = (size_t)n;
    }
    return c->bytes[c->at++];
}

static void read_line(struct conn *c, char *line, size_t size)
{
    size_t n = 0;
    char byte;
    while ((byte = next_byte(c)) != '\n') {
        if (byte != '\r' && n < size - 1) line[n++] = byte;
    }
    line[n] = '\0';
}

static void read_reply(struct conn *c)
{
    char line[256];
    read_line(c, line, sizeof line);
    long long n = atoll(line + 1);
    if (*line == '-') {
        fprintf(stderr, "error reply: %s\n", line);
        exit(1);
    }
    if (*line == '$' && n >= 0) {
        for (n += 2; n > 0; n--)
            next_byte(c);
    }
    if (*line == '*') {
        while (n-- > 0)
            read_reply(c);
    }
}

static size_t put_word(char *out, const char *word, size_t n)
{
    int header = sprintf(out, "$%zu\r\n", n);
    memcpy(out + header, word, n);
    memcpy(out + header + n, "\r\n", 2);
    return (size_t)header + n + 2;
}

static size_t put_key(char *out, uint64_t i)
{
    char key[32];
    snprintf(key, sizeof key, KEY_FORMAT, (unsigned long long)i);
    return put_word(out, key, KEY_BYTES);
}

static size_t put_set(char *out, uint64_t i, const char *value, size_t bytes)
{
    size_t n = (size_t)sprintf(out, "*3\r\n$3\r\nSET\r\n");
    n += put_key(out + n, i);
    return n + put_word(out + n, value, bytes);
}

static size_t put_get(char *out, uint64_t i)
{
    size_t n = (size_t)sprintf(out, "*2\r\n$3\r\nGET\r\n");
    return n + put_key(out + n, i);
}

/* ---- the clients ---------------------------------------------------------------------------- */

static struct conn conn;

static int fill(uint64_t keys, size_t bytes, uint64_t depth)
{
    static char value[VALUE_MAX];
    char *out = malloc(DEPTH_MAX * REQUEST_MAX);
    if (!out || bytes > VALUE_MAX || depth == 0 || depth > DEPTH_MAX) return 2;
    memset(value, 'x', sizeof value);
    int64_t from = now_ns();
    for (uint64_t i = 0; i < keys;) {
        size_t n = 0;
        uint64_t batch = keys - i < depth ? keys - i : depth;
        for (uint64_t j = 0; j < batch; j++)
            n += put_set(out + n, i++, value, bytes);
        int64_t sent = now_ns();
        send_all(conn.fd, out, n);
        for (uint64_t j = 0; j < batch; j++)
            read_reply(&conn);
        note_time(now_ns() - sent);
    }
    printf("seconds %.3f slowest %.1f p99 %.1f\n", (double)(now_ns() - from) / 1e9,
           (double)times.max / 1000, quantile(0.99));
    free(out);
    return 0;
}

static int probe(uint64_t keys, uint64_t count, int64_t ms)
{
    char out[REQUEST_MAX];
    uint64_t state = 88172645463325252u;
    int64_t end = now_ns() + ms * 1000000;
    while (times.count < count && now_ns() < end) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        size_t n = put_get(out, state % keys);
        int64_t sent = now_ns();
        send_all(conn.fd, out, n);
        read_reply(&conn);
        note_time(now_ns() - sent);
    }
    printf("requests %llu p50 %.2f p99 %.2f max %.1f\n", (unsigned long long)times.count,
           quantile(0.5), quantile(0.99), (double)times.max / 1000);
    return 0;
}

static _Noreturn void loop(int words, char **word)
{
    static char out[REQUEST_MAX];
    size_t n = (size_t)sprintf(out, "*%d\r\n", words);
    for (int i = 0; i < words; i++)
        n += put_word(out + n, word[i], strlen(word[i]));
    for (;;) {
        send_all(conn.fd, out, n);
        read_reply(&conn);
    }
}

static int idle(int port, int connections)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < connections; i++) {
        conn.fd = i == 0 ? conn.fd : open_socket(port);
        send_all(conn.fd, "*1\r\n$4\r\nPING\r\n", 14);
        read_reply(&conn);
    }
    puts("ready");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}

static long long number(char **argv, int argc, int i)
{
    return i < argc ? atoll(argv[i]) : 0;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: bench-client fill|probe|loop|idle PORT ...\n");
        return 2;
    }
    int port = atoi(argv[2]);
    long long a = number(argv, argc, 3), b = number(argv, argc, 4), c = number(argv, argc, 5);
    conn.fd = open_socket(port);
    if (!strcmp(argv[1], "fill")) return fill((uint64_t)a, (size_t)b, (uint64_t)c);
    if (!strcmp(argv[1], "probe")) return probe((uint64_t)a, (uint64_t)b, c);
    if (!strcmp(argv[1], "loop")) loop(argc - 3, argv + 3);
    if (!strcmp(argv[1], "idle")) return idle(port, (int)a);
    return 2;
}
