/* server_config.c - the configuration: lines, values, errors, several changes at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "server/config.h"

static const struct option *opt(const char *name)
{
    const struct option *o = config_find(slice_str(name));
    assert_non_null(o);
    return o;
}

static void expect_shown(const char *name, const char *value)
{
    struct buf text = {0};
    config_show(opt(name), &text);
    assert_string_equal(buf_cstr(&text), value);
    buf_free(&text);
}

static void expect_print(const char *name, const char *lines)
{
    struct buf text = {0};
    config_print(opt(name), &text);
    assert_string_equal(buf_cstr(&text), lines);
    buf_free(&text);
}

static void load(const char *text)
{
    struct buf err = {0};
    config_init();
    if (!config_load(NULL, false, slice_str(text), &err)) fail_msg("%s", buf_cstr(&err));
    buf_free(&err);
}

static void expect_fail(const char *text, int line, const char *shown, const char *why)
{
    struct buf err = {0};
    char at[64];
    config_init();
    assert_false(config_load(NULL, false, slice_str(text), &err));
    snprintf(at, sizeof at, "Reading the configuration file, at line %d", line);
    const char *all = buf_cstr(&err);
    if (!strstr(all, "*** FATAL CONFIG FILE ERROR (Redis 7.4.0) ***") || !strstr(all, at) ||
        !strstr(all, shown) || !strstr(all, why)) {
        fail_msg("unexpected message: %s", all);
    }
    buf_free(&err);
}

static bool set(const char *err_wanted, size_t n, const char *const *pairs)
{
    struct config_change changes[8];
    const struct option *failed;
    const char *err = "";
    for (size_t i = 0; i < n; i++) {
        changes[i] = (struct config_change){opt(pairs[2 * i]), slice_str(pairs[2 * i + 1])};
    }
    bool ok = config_set(changes, n, &failed, &err);
    if (err_wanted) assert_string_equal(err, err_wanted);
    return ok;
}
#define SET(err, ...)                                                                              \
    set(err, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) / 2,                           \
        (const char *[]){__VA_ARGS__})

static void defaults_are_those_of_redis(void **state)
{
    load("");
    expect_shown("port", "6379");
    expect_shown("maxclients", "10000");
    expect_shown("bind", "* -::*");
    expect_shown("save", "3600 1 300 100 60 10000");
    expect_shown("proto-max-bulk-len", "536870912");
    expect_shown("client-query-buffer-limit", "1073741824");
    expect_shown("client-output-buffer-limit",
                 "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
    expect_shown("oom-score-adj-values", "0 200 800");
    expect_shown("maxmemory-policy", "noeviction");
    expect_shown("unixsocketperm", "0");
    expect_shown("loglevel", "notice");
    expect_shown("list-max-ziplist-size", "-2");
}

static void values_of_every_type_are_read(void **state)
{
    load("# comment\n\n  port   7000\t\n"
         "maxmemory 2gb\nmaxmemory-clients 5%\nappendonly yes\nloglevel WARNING\n"
         "unixsocketperm 700\nrequirepass \"a b\\x41\"\nlogfile ''\n"
         "shutdown-on-sigterm nosave force\nslowlog-log-slower-than -1\n");
    expect_shown("port", "7000");
    expect_shown("maxmemory", "2147483648");
    expect_shown("maxmemory-clients", "5%");
    expect_shown("appendonly", "yes");
    expect_shown("loglevel", "warning");
    expect_shown("unixsocketperm", "700");
    expect_shown("requirepass", "a bA");
    expect_shown("logfile", "");
    expect_shown("shutdown-on-sigterm", "nosave force");
    expect_shown("slowlog-log-slower-than", "-1");
    load("shutdown-on-sigterm \"now force\"\nsave \"900 1 300 10\"\n");
    expect_shown("shutdown-on-sigterm", "now force");
    expect_shown("save", "900 1 300 10");
}

static void lines_of_one_option_add_up(void **state)
{
    load("save 900 1\nsave 300 10\nclient-output-buffer-limit normal 1mb 0 5\n"
         "client-output-buffer-limit replica 0 0 0\nrename-command CONFIG \"\"\n"
         "rename-command flushall ohno\n");
    expect_shown("save", "900 1 300 10");
    expect_print("save", "save 900 1\nsave 300 10\n");
    expect_shown("client-output-buffer-limit",
                 "normal 1048576 0 5 slave 0 0 0 pubsub 33554432 8388608 60");
    expect_print("client-output-buffer-limit",
                 "client-output-buffer-limit normal 1048576 0 5\n"
                 "client-output-buffer-limit slave 0 0 0\n"
                 "client-output-buffer-limit pubsub 33554432 8388608 60\n");
    expect_print("rename-command", "rename-command CONFIG \"\"\nrename-command flushall ohno\n");
}

static void an_empty_save_forgets_what_was_there(void **state)
{
    load("save \"\"\n");
    expect_shown("save", "");
    expect_print("save", "save \"\"\n");
}

static void some_options_may_stand_alone(void **state)
{
    load("save\nlatency-tracking-info-percentiles\n");
    expect_shown("save", "");
    expect_shown("latency-tracking-info-percentiles", "");
    expect_fail("oom-score-adj-values", 1, "oom", "wrong number of arguments");
}

static void later_values_win(void **state)
{
    load("port 1\nport 2\nbind 127.0.0.1 -::1\nbind 10.0.0.1\n");
    expect_shown("port", "2");
    expect_shown("bind", "10.0.0.1");
}

static void errors_show_line_text_and_reason(void **state)
{
    expect_fail("port 1\nnonsense 5\n", 2, ">>> 'nonsense 5'",
                "Bad directive or wrong number of arguments");
    expect_fail("port", 1, ">>> 'port'", "wrong number of arguments");
    expect_fail("port 1 2", 1, ">>> 'port 1 2'", "wrong number of arguments");
    expect_fail("\n\nport 70000", 3, ">>> 'port 70000'",
                "argument must be between 0 and 65535 inclusive");
    expect_fail("port x", 1, "port x", "argument couldn't be parsed into an integer");
    expect_fail("appendonly maybe", 1, "maybe", "argument must be 'yes' or 'no'");
    expect_fail("loglevel loud", 1, "loud",
                "argument(s) must be one of the following: debug, verbose, notice, warning, "
                "nothing");
    expect_fail("maxmemory 5x", 1, "5x", "argument must be a memory value");
    expect_fail("unixsocketperm 9", 1, "9", "argument couldn't be parsed as an octal number");
    expect_fail("requirepass \"a", 1, "requirepass", "Unbalanced quotes in configuration line");
    expect_fail("save 1", 1, "save 1", "Invalid save parameters");
    expect_fail("client-output-buffer-limit someone 0 0 0", 1, "someone",
                "Invalid client class specified in buffer limit configuration.");
    expect_fail("dir /no/such/place", 1, "/no/such/place", "No such file or directory");
    expect_fail("include /no/such/file", 1, "/no/such/file", "No such file or directory");
}

static void included_files_are_read_in_place(void **state)
{
    char dir[] = "/tmp/weft-config-XXXXXX", name[64], text[256];
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/%d.conf", dir, i);
        FILE *f = fopen(name, "w");
        fprintf(f, "timeout 1%d\n", i);
        fclose(f);
    }
    snprintf(text, sizeof text, "timeout 5\ninclude %s/*.conf\ninclude %s/none*\nport 9\n", dir,
             dir);
    load(text);
    expect_shown("timeout", "11");
    expect_shown("port", "9");
    snprintf(text, sizeof text, "include %s/0.conf\ntimeout 5\n", dir);
    load(text);
    expect_shown("timeout", "5");
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/%d.conf", dir, i);
        unlink(name);
    }
    rmdir(dir);
}

static void an_option_prints_what_reads_back(void **state)
{
    load("maxmemory 100mb\nrequirepass \"with \\\"quotes\\\" and \\n\"\nbind 1.2.3.4 -::1\n");
    expect_print("maxmemory", "maxmemory 100mb\n");
    expect_print("requirepass", "requirepass \"with \\\"quotes\\\" and \\n\"\n");
    expect_print("bind", "bind 1.2.3.4 -::1\n");
    expect_print("appendonly", "appendonly no\n");
    expect_print("logfile", "logfile \"\"\n");
    for (size_t i = 0; i < config_count(); i++) {
        const struct option *o = config_option(i);
        struct buf lines = {0}, before = {0}, after = {0}, err = {0};
        if ((o->flags & OPTION_FILE_ONLY) || strcmp(o->name, "replicaof") == 0) continue;
        config_print(o, &lines);
        config_show(o, &before);
        if (!config_load(NULL, false, buf_slice(&lines), &err)) {
            fail_msg("%s: %s", o->name, buf_cstr(&err));
        }
        config_show(o, &after);
        assert_true(slice_eq(buf_slice(&before), buf_slice(&after)));
        buf_free(&lines);
        buf_free(&before);
        buf_free(&after);
    }
}

static void several_changes_are_made_together_or_not_at_all(void **state)
{
    load("");
    assert_true(SET(NULL, "timeout", "7", "maxmemory", "1kb"));
    expect_shown("timeout", "7");
    expect_shown("maxmemory", "1024");
    assert_false(SET("argument must be between 0 and 2147483647 inclusive", "timeout", "8",
                     "tcp-keepalive", "-1"));
    expect_shown("timeout", "7");
    assert_false(SET("duplicate parameter", "timeout", "9", "timeout", "10"));
    assert_false(SET("can't set immutable config", "timeout", "9", "daemonize", "yes"));
    assert_false(SET("can't set protected config", "timeout", "9", "dir", "/"));
    expect_shown("timeout", "7");
}

static void what_fails_to_apply_is_taken_back(void **state)
{
    char dir[256];
    load("enable-protected-configs yes\n");
    assert_non_null(getcwd(dir, sizeof dir));
    assert_false(SET("No such file or directory", "dir", "/no/such/place", "timeout", "3"));
    expect_shown("dir", dir);
    expect_shown("timeout", "0");
    assert_true(SET(NULL, "dir", "/tmp"));
    expect_shown("dir", "/tmp");
    assert_true(SET(NULL, "dir", dir));
}

static void lists_are_given_as_one_argument_to_set(void **state)
{
    load("");
    assert_true(SET(NULL, "save", "100 1 10 20"));
    expect_shown("save", "100 1 10 20");
    assert_true(SET(NULL, "save", ""));
    expect_shown("save", "");
    assert_true(SET(NULL, "client-output-buffer-limit", "pubsub 1 2 3 normal 4mb 5 6"));
    expect_shown("client-output-buffer-limit", "normal 4194304 5 6 slave 268435456 67108864 60 "
                                               "pubsub 1 2 3");
    assert_false(SET("Invalid save parameters", "save", "1 x"));
    assert_true(SET(NULL, "notify-keyspace-events", "KEA"));
    expect_shown("notify-keyspace-events", "AKE");
    assert_true(SET(NULL, "notify-keyspace-events", "g$lshzxetd"));
    expect_shown("notify-keyspace-events", "A");
    assert_true(SET(NULL, "notify-keyspace-events", "lEK"));
    expect_shown("notify-keyspace-events", "lKE");
    assert_false(SET("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
                     "notify-keyspace-events", "Q"));
    assert_true(SET(NULL, "latency-tracking-info-percentiles", "50.5 99"));
    expect_shown("latency-tracking-info-percentiles", "50.5 99");
}

static void passwords_may_hold_any_byte(void **state)
{
    const struct option *failed;
    const char *err;
    struct config_change change = {opt("requirepass"), SLICE("a\0b")};
    load("");
    assert_true(config_set(&change, 1, &failed, &err));
    struct buf got = config_bytes(OPT_REQUIREPASS);
    assert_true(slice_eq(buf_slice(&got), SLICE("a\0b")));
    buf_free(&got);
    load(""); /* no password again, for the tests behind this one */
}

static void names_without_effect_are_told(void **state)
{
    struct buf names = {0};
    load("io-threads 4\nport 1\nappendonly yes\n");
    config_inert(&names);
    assert_non_null(strstr(buf_cstr(&names), "io-threads"));
    assert_non_null(strstr(buf_cstr(&names), "appendonly"));
    assert_null(strstr(buf_cstr(&names), "port "));
    buf_free(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_without_effect_are_told),
        cmocka_unit_test(defaults_are_those_of_redis),
        cmocka_unit_test(values_of_every_type_are_read),
        cmocka_unit_test(lines_of_one_option_add_up),
        cmocka_unit_test(an_empty_save_forgets_what_was_there),
        cmocka_unit_test(some_options_may_stand_alone),
        cmocka_unit_test(later_values_win),
        cmocka_unit_test(errors_show_line_text_and_reason),
        cmocka_unit_test(included_files_are_read_in_place),
        cmocka_unit_test(an_option_prints_what_reads_back),
        cmocka_unit_test(several_changes_are_made_together_or_not_at_all),
        cmocka_unit_test(what_fails_to_apply_is_taken_back),
        cmocka_unit_test(lists_are_given_as_one_argument_to_set),
        cmocka_unit_test(passwords_may_hold_any_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
