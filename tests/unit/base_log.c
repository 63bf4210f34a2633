/* base_log.c - lines of the log: form, levels, rotation, many threads, panic. */
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"

static char file[64], moved[64];

static void log_to(const char *path, enum log_level level, char role)
{
    struct log_config config = {.level = level, .file = path, .role = role};
    assert_int_equal(log_configure(&config), 0);
}

static struct buf contents(const char *path)
{
    struct buf b = {0};
    char piece[4096];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        buf_add(&b, piece, n);
    fclose(f);
    buf_cstr(&b);
    return b;
}

static void expect_log(const char *path, const char *pattern)
{
    regex_t re;
    struct buf b = contents(path);
    assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&re, b.p, 0, NULL, 0) != 0) fail_msg("%s does not match %s", b.p, pattern);
    regfree(&re);
    buf_free(&b);
}

static int set_up(void **state)
{
    snprintf(file, sizeof file, "/tmp/base_log.%d", (int)getpid());
    snprintf(moved, sizeof moved, "/tmp/base_log.%d.old", (int)getpid());
    return 0;
}

static int tear_down(void **state)
{
    unlink(file);
    unlink(moved);
    log_to("", LOG_NOTICE, 'M');
    return 0;
}

#define TIME "[0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}"

static void lines_have_redis_form(void **state)
{
    log_to(file, LOG_DEBUG, 'S');
    log_write(LOG_DEBUG, "a %d", 1);
    log_write(LOG_VERBOSE, "b");
    log_write(LOG_NOTICE, "c");
    log_write(LOG_WARNING, "d");
    log_write(LOG_WARNING | LOG_RAW, "raw %s\n", "text");
    expect_log(file, "^[0-9]+:S " TIME " \\. a 1\n[0-9]+:S " TIME " - b\n[0-9]+:S " TIME
                     " \\* c\n[0-9]+:S " TIME " # d\nraw text\n$");
}

static void levels_hide(void **state)
{
    log_to(file, LOG_WARNING, 'M');
    log_write(LOG_NOTICE, "hidden");
    log_write(LOG_NOTICE | LOG_RAW, "hidden");
    log_write(LOG_WARNING, "shown");
    log_set_level(LOG_NOTHING);
    log_write(LOG_WARNING, "hidden");
    log_set_level(LOG_NOTICE);
    log_write(LOG_NOTICE, "shown too");
    expect_log(file, "^[^\n]*# shown\n[^\n]*\\* shown too\n$");
}

static void follows_a_rotated_file(void **state)
{
    log_to(file, LOG_NOTICE, 'M');
    log_write(LOG_NOTICE, "first");
    assert_int_equal(rename(file, moved), 0);
    log_write(LOG_NOTICE, "second");
    log_signal_safe("third\n");
    expect_log(moved, "^[^\n]*first\n$");
    expect_log(file, "^[^\n]*second\nthird\n$");
}

static void bad_file_changes_nothing(void **state)
{
    log_to(file, LOG_NOTICE, 'M');
    struct log_config bad = {.level = LOG_NOTHING, .file = "/nonexistent/dir/log", .role = 'M'};
    assert_int_equal(log_configure(&bad), -2 /* ENOENT */);
    log_write(LOG_NOTICE, "still here");
    expect_log(file, "^[^\n]*still here\n$");
}

static void long_lines_are_cut(void **state)
{
    log_to(file, LOG_NOTICE, 'M');
    log_write(LOG_NOTICE, "%*d", 100000, 1);
    log_write(LOG_NOTICE, "next");
    expect_log(file, "^[^\n]{1000,5000}\n[^\n]*next\n$");
}

static void *write_lines(void *arg)
{
    for (int i = 0; i < 300; i++)
        log_write(LOG_NOTICE, "<%s-%d>", (const char *)arg, i);
    return NULL;
}

static void threads_do_not_mix(void **state)
{
    static const char *names[] = {"one", "two", "three", "four"};
    pthread_t threads[4];
    log_to(file, LOG_NOTICE, 'M');
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, write_lines, (void *)names[i]);
    for (int i = 0; i < 50; i++)
        log_to(file, LOG_NOTICE, 'M');
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    struct buf b = contents(file);
    int lines = 0;
    for (char *line = strtok(b.p, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        assert_non_null(strchr(line, '<'));
        assert_ptr_equal(strchr(line, '>'), line + strlen(line) - 1);
    }
    assert_int_equal(lines, 1200);
    buf_free(&b);
}

static void panic_logs_and_aborts(void **state)
{
    log_to(file, LOG_NOTICE, 'M');
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        CHECK(1 + 1 == 3);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    expect_log(file, "# === PANIC: check failed: 1 \\+ 1 == 3 \\(.*base_log.c:[0-9]+\\)\n$");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_have_redis_form),    TEST(levels_hide),        TEST(follows_a_rotated_file),
        TEST(bad_file_changes_nothing), TEST(long_lines_are_cut), TEST(threads_do_not_mix),
        TEST(panic_logs_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
