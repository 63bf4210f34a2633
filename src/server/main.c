/*
 * main.c - from the command line to a server that serves.
 *
 *   main:   options -> configuration -> log -> detach -> descriptors -> listeners opened -> rt_run
 *   first:  keyspace, commands, sessions, options in force -> background coroutines -> accepting
 *           (clients are told to wait) -> file loaded -> serving
 *
 * What can fail for the user's reasons (files, ports, limits) is done before there are threads.
 */
#include "server/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#undef LOG_DEBUG /* of <syslog.h>; base/log.h has its own */
#undef LOG_NOTICE
#undef LOG_WARNING
#include "server/crash.h"
#include "server/persistence.h"
#include "server/process.h"

/* ---- configuration ----------------------------------------------------------------------------
 */

static bool load(struct options *o)
{
    struct buf err = {0};
    config_init();
    bool ok = config_load(o->path, o->from_stdin, buf_slice(&o->extra), &err);
    if (!ok) fputs(buf_cstr(&err), stderr);
    buf_free(&err);
    return ok;
}

static bool start_log(void)
{
    char *file = config_text(OPT_LOGFILE), *ident = config_text(OPT_SYSLOG_IDENT);
    struct log_config config = {.level = (enum log_level)config_num(OPT_LOGLEVEL),
                                .file = file,
                                .role = 'M',
                                .syslog = config_num(OPT_SYSLOG_ENABLED),
                                .syslog_ident = ident,
                                .syslog_facility = (int)config_num(OPT_SYSLOG_FACILITY)};
    int rc = log_configure(&config);
    if (rc < 0) fprintf(stderr, "Can't open the log file: %s\n", strerror(-rc));
    mem_free(file);
    mem_free(ident);
    return rc == 0;
}

static void say_inert(void)
{
    struct buf names = {0};
    config_inert(&names);
    if (names.n) log_write(LOG_NOTICE, "Options without effect here: %s", buf_cstr(&names));
    buf_free(&names);
}

static void say_start(void)
{
    log_write(LOG_NOTICE,
              "Weft is starting: version %s, compatible with Redis %s, bits=%zu, pid=%d",
              WEFT_VERSION, REDIS_VERSION, sizeof(void *) * 8, (int)getpid());
    if (*config_file()) log_write(LOG_NOTICE, "Configuration loaded from %s", config_file());
    say_inert();
}

static void say_ready(void)
{
    log_write(
        LOG_NOTICE | LOG_RAW,
        "\n  Weft %s, standalone mode\n  Port: %d\n  Workers: %u, poller: %s, partitions: %u\n"
        "  PID: %d\n\n",
        WEFT_VERSION, server_tcp_port(), rt_worker_count(), rt_poller_name(), keyspace_parts(),
        (int)getpid());
    log_write(LOG_NOTICE, "Server initialized");
}

/* ---- the first coroutine ----------------------------------------------------------------------
 */

static int exit_status;

static void give_up(const char *why)
{
    log_write(LOG_WARNING, "Can't start: %s", why);
    exit_status = 1;
    rt_stop();
}

static bool rename_commands(const char **err)
{
    char *text = config_text(OPT_RENAME_COMMAND), *save;
    bool ok = true;
    for (char *line = strtok_r(text, "\n", &save); line && ok; line = strtok_r(NULL, "\n", &save)) {
        struct slice *words = NULL;
        size_t cap = 0;
        ssize_t n = resp_split_line(line, strlen(line), &words, &cap);
        if (n == 2) {
            char *from = mem_alloc(words[0].n + 1), *to = mem_alloc(words[1].n + 1);
            snprintf(from, words[0].n + 1, "%.*s", (int)words[0].n, words[0].p);
            snprintf(to, words[1].n + 1, "%.*s", (int)words[1].n, words[1].p);
            ok = commands_rename(from, to);
            if (!ok)
                log_write(LOG_WARNING, "rename-command: no command '%s', or '%s' is taken", from,
                          to);
            mem_free(from);
            mem_free(to);
        }
        mem_free(words);
    }
    mem_free(text);
    *err = "a command cannot be renamed as the configuration says";
    return ok;
}

static void set_hooks(void)
{
    struct command_hooks hooks = {0};
    session_hooks(&hooks);
    admin_hooks(&hooks);
    hooks.flushed = persistence_flushed;
    commands_set_hooks(&hooks);
}

static void register_commands(void)
{
    commands_init();
    commands_register(connection_commands);
    commands_register(client_commands);
    commands_register(config_commands);
    commands_register(shutdown_commands);
    commands_register(persistence_commands);
    admin_init();
}

static void first(void *arg)
{
    struct keyspace_config keyspace = {.partitions = (unsigned)config_num(OPT_PARTITIONS),
                                       .databases = (unsigned)config_num(OPT_DATABASES)};
    const char *err = "";
    metrics_start();
    keyspace_init(&keyspace);
    set_hooks();
    register_commands();
    sessions_init();
    if (!rename_commands(&err) || !config_apply_all(&err)) {
        give_up(err);
        return;
    }
    keyspace_start();
    say_ready();
    persistence_start();
    if (!signals_start() || !cron_start() || !listeners_start()) {
        give_up("no memory for the first coroutines");
        return;
    }
    if (!persistence_load()) {
        exit_status = 1;
        rt_stop();
        return;
    }
    listeners_say_ready();
    daemon_notify("READY=1\nSTATUS=Ready to accept connections\n");
}

/* ---- main -------------------------------------------------------------------------------------
 */

static void worker_start(unsigned worker)
{
    if (worker > 0) mem_thread_attach(); /* main() is worker 0 */
}

static int run(void)
{
    struct rt_config config = {.workers = (unsigned)config_num(OPT_WORKER_THREADS),
                               .poller = (enum rt_poller)config_num(OPT_NETPOLLER),
                               .worker_start = worker_start};
    int rc = rt_run(&config, first, NULL);
    if (rc == RT_OK) return exit_status;
    log_write(LOG_WARNING, "Can't start the runtime: %s", rt_strerror(rc));
    return 1;
}

static int serve(void)
{
    if (!start_log()) return 1;
    say_start();
    daemon_supervise();
    if (config_num(OPT_DAEMONIZE) && !daemon_supervised()) daemon_detach();
    signals_install();
    crash_install();
    limits_apply_thp();
    if (!limits_raise() || !listeners_open()) return 1;
    daemon_write_pid();
    int status = run();
    fflush(NULL);
    _exit(status); /* coroutines lie about as they were; nothing of theirs is to be torn down */
}

int main(int argc, char **argv)
{
    struct options options;
    int status;
    mem_thread_attach();
    clock_init();
    hash_init();
    title_init(argv);
    if (!options_parse(argc, argv, &options, &status)) return status;
    server_identify();
    if (!load(&options)) return 1;
    if (options.check_only) {
        printf("%s: the configuration is valid\n", options.path);
        return 0;
    }
    buf_free(&options.extra);
    return serve();
}
