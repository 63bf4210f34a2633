/*
 * testing.h - what the C clients of the tests share: a server of their own, checks, counts.
 *
 * Header only, links hiredis alone. A program starts its server with server_start(), runs
 * TEST(name)s and ends with finish(), which stops the server, looks at its end and prints "N
 * passed, N failed". WEFT_SERVER names the server (default src/weft-server), TEST_SLOW stretches
 * waiting times.
 */
#ifndef WEFT_TESTS_TESTING_H
#define WEFT_TESTS_TESTING_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

struct server {
    pid_t pid;
    int port;
    char dir[64];
};

static int tests_passed, tests_failed;
static bool test_broken __attribute__((unused)); /* the test that runs has failed */

static inline int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline void sleep_ms(int ms)
{
    struct timespec ts = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&ts, NULL);
}

static inline int slow_factor(void)
{
    const char *s = getenv("TEST_SLOW");
    return s && atoi(s) > 0 ? atoi(s) : 1;
}

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        test_broken = true;                                                                        \
        printf("        %s:%d: ", __FILE__, __LINE__);                                             \
        printf(__VA_ARGS__);                                                                       \
        printf("\n");                                                                              \
    } while (0)

/* Ends the test at the first check that fails. */
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            FAIL("not true: %s", #cond);                                                           \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define RUN(test)                                                                                  \
    do {                                                                                           \
        test_broken = false;                                                                       \
        test();                                                                                    \
        if (test_broken) printf("  FAIL  %s\n", #test);                                            \
        test_broken ? tests_failed++ : tests_passed++;                                             \
        fflush(stdout);                                                                            \
    } while (0)

static inline const char *server_program(void)
{
    const char *s = getenv("WEFT_SERVER");
    return s ? s : "src/weft-server";
}

static inline int free_port(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) < 0) exit(2);
    getsockname(fd, (struct sockaddr *)&sa, &len);
    close(fd);
    return ntohs(sa.sin_port);
}

/* Becomes the server: dies with the program, writes to stdout.txt of its folder. */
static inline void server_exec(const struct server *sv, const char *program, char *const extra[])
{
    char port[16];
    const char *argv[64] = {program,  "--port", port,    "--bind", "127.0.0.1",
                            "--save", "",       "--dir", sv->dir,  "--enable-debug-command",
                            "yes",    NULL};
    int n = 11, fd;
    snprintf(port, sizeof port, "%d", sv->port);
    while (extra && *extra && n < 63)
        argv[n++] = *extra++;
    argv[n] = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/stdout.txt", sv->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(fd, 1);
    dup2(fd, 2);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(program, (char *const *)argv);
    perror(program);
    _exit(127);
}

static inline redisContext *connect_to(int port)
{
    struct timeval tv = {30 * slow_factor(), 0};
    redisContext *c = redisConnectWithTimeout("127.0.0.1", port, tv);
    if (c && !c->err) redisSetTimeout(c, tv);
    return c;
}

static inline bool server_answers(int port)
{
    redisContext *c = connect_to(port);
    redisReply *r = c && !c->err ? redisCommand(c, "PING") : NULL;
    bool ok = r != NULL;
    if (r) freeReplyObject(r);
    if (c) redisFree(c);
    return ok;
}

static inline void server_show_log(const struct server *sv)
{
    char path[128], line[512];
    snprintf(path, sizeof path, "%s/stdout.txt", sv->dir);
    FILE *f = fopen(path, "r");
    for (int i = 0; f && i < 200 && fgets(line, sizeof line, f); i++)
        printf("        | %s", line);
    if (f) fclose(f);
}

/* Starts `program` (NULL: the server under test) on a free port; exits when it does not answer. */
static inline void server_start(struct server *sv, const char *program, char *const extra[])
{
    if (!program) program = server_program();
    mkdir("tests/tmp", 0755);
    snprintf(sv->dir, sizeof sv->dir, "tests/tmp/client.XXXXXX");
    if (!mkdtemp(sv->dir)) {
        printf("no tests/tmp here: run it in the folder of the project\n");
        exit(2);
    }
    sv->port = free_port();
    signal(SIGPIPE, SIG_IGN);
    fflush(stdout);
    sv->pid = fork();
    if (sv->pid == 0) server_exec(sv, program, extra);
    for (int64_t end = now_ms() + 10000 * slow_factor(); now_ms() < end; sleep_ms(10)) {
        if (server_answers(sv->port)) return;
        if (waitpid(sv->pid, NULL, WNOHANG) == sv->pid) break;
    }
    printf("%s did not start\n", program);
    server_show_log(sv);
    exit(2);
}

static inline bool server_log_clean(const struct server *sv)
{
    static const char *const signs[] = {"AddressSanitizer", "ThreadSanitizer", "LeakSanitizer",
                                        "runtime error:", "BUG REPORT START"};
    char path[128], line[1024];
    bool clean = true;
    snprintf(path, sizeof path, "%s/stdout.txt", sv->dir);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
            if (strstr(line, signs[i])) clean = false;
        }
    }
    if (f) fclose(f);
    return clean;
}

/* SIGTERM; a server that does not end well is a failed test. */
static inline void server_stop(struct server *sv)
{
    int status = -1;
    pid_t got = 0;
    char path[128];
    kill(sv->pid, SIGTERM);
    for (int64_t end = now_ms() + 15000 * slow_factor(); now_ms() < end && got == 0; sleep_ms(5)) {
        got = waitpid(sv->pid, &status, WNOHANG);
    }
    if (got == 0) {
        kill(sv->pid, SIGKILL);
        waitpid(sv->pid, &status, 0);
    }
    if (status != 0 || !server_log_clean(sv)) {
        printf("  FAIL  the server ended with status %d\n", status);
        server_show_log(sv);
        tests_failed++;
        return;
    }
    snprintf(path, sizeof path, "%s/stdout.txt", sv->dir);
    unlink(path);
    rmdir(sv->dir);
}

static inline int finish(void)
{
    printf("%d passed, %d failed\n", tests_passed, tests_failed);
    return tests_failed > 0;
}

#endif
