/*
 * shutdown.c - the end: SHUTDOWN, SIGTERM and SIGINT.
 *
 *   signal handler --eventfd--> coroutine "signals" --+
 *                                                     +--> shutdown_run: listeners closed, files
 *   SHUTDOWN -----------------------------------------+    removed, rt_stop(); main() returns
 *
 * A handler only notes the signal and writes to the eventfd; a second SIGINT ends the process
 * there.
 */
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/persistence.h"
#include "server/process.h"

static int wake_fd = -1;
static _Atomic(int) pending_signal;
static _Atomic(bool) stopping;

/* ---- ending -----------------------------------------------------------------------------------
 */

/* Saves, when it is to. From then on until the process ends everything stays owned, so that nobody
 * is told of a change that is not in the file. PARKS. */
static bool save(const struct shutdown_request *req)
{
    if (req->save == -1 || (req->save == 0 && !persistence_wanted())) return true;
    if (persistence_loading()) return true;
    keyspace_own_all();
    log_write(LOG_NOTICE, "Saving the final RDB snapshot before exiting.");
    if (persistence_save(true) || req->force) return true;
    keyspace_disown_all();
    log_write(LOG_WARNING, "Error trying to save the DB, can't exit.");
    return false;
}

bool shutdown_run(const struct shutdown_request *req)
{
    if (atomic_exchange(&stopping, true)) return true;
    log_write(LOG_NOTICE, "%s", req->reason);
    if (!save(req)) {
        atomic_store(&stopping, false);
        return false;
    }
    daemon_notify("STOPPING=1\n");
    listeners_close();
    daemon_remove_pid();
    log_write(LOG_WARNING, "Redis is now ready to exit, bye bye...");
    rt_stop();
    return true;
}

/* ---- signals ----------------------------------------------------------------------------------
 */

static void on_signal(int sig)
{
    int saved = errno;
    uint64_t one = 1;
    if (sig == SIGINT && atomic_load(&pending_signal)) {
        log_signal_safe("You insist... exiting now.\n");
        _exit(1);
    }
    atomic_store(&pending_signal, sig);
    ssize_t ignored = write(wake_fd, &one, sizeof one);
    (void)ignored;
    errno = saved;
}

void signals_install(void)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&act.sa_mask);
    wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK(wake_fd >= 0);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    static const int ignored[] = {SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
}

static void take_signal(int sig)
{
    int64_t flags = config_num(sig == SIGINT ? OPT_SHUTDOWN_ON_SIGINT : OPT_SHUTDOWN_ON_SIGTERM);
    log_write(LOG_WARNING, "Received %s scheduling shutdown...",
              sig == SIGINT ? "SIGINT" : "SIGTERM");
    struct shutdown_request req = {.save = flags & SHUTDOWN_SAVE     ? 1
                                           : flags & SHUTDOWN_NOSAVE ? -1
                                                                     : 0,
                                   .now = flags & SHUTDOWN_NOW,
                                   .force = flags & SHUTDOWN_FORCE,
                                   .reason = "User requested shutdown..."};
    if (shutdown_run(&req)) return;
    log_write(LOG_WARNING, "Errors trying to shut down the server. Check the logs for more "
                           "information.");
    atomic_store(&pending_signal, 0);
}

static void signals_loop(void *arg)
{
    struct sock *s = sock_new(wake_fd);
    uint64_t n;
    CHECK(s != NULL);
    for (;;) {
        ssize_t got = sock_read(s, &n, sizeof n, RT_NEVER);
        int sig = atomic_load(&pending_signal);
        if (sig) take_signal(sig);
        if (got < 0 && got != RT_ECANCELED) return;
    }
}

bool signals_start(void)
{
    return co_spawn("signals", signals_loop, NULL) == RT_OK;
}

/* ---- SHUTDOWN ---------------------------------------------------------------------------------
 */

static bool parse(struct call *c, struct shutdown_request *req, bool *abort)
{
    for (uint32_t i = 1; i < c->argc; i++) {
        struct slice word = c->argv[i];
        if (slice_is(word, "nosave") && req->save != 1) {
            req->save = -1;
        } else if (slice_is(word, "save") && req->save != -1) {
            req->save = 1;
        } else if (slice_is(word, "now")) {
            req->now = true;
        } else if (slice_is(word, "force")) {
            req->force = true;
        } else if (slice_is(word, "abort") && c->argc == 2) {
            *abort = true;
        } else {
            return false;
        }
    }
    return true;
}

static void shutdown_command(struct call *c)
{
    struct shutdown_request req = {.reason = "User requested shutdown..."};
    bool abort = false;
    if (!parse(c, &req, &abort)) {
        call_syntax_error(c);
    } else if (abort) {
        reply_error(c->r, "ERR No shutdown in progress.");
    } else if (shutdown_run(&req)) {
        atomic_fetch_or_explicit(&c->caller->gate, GATE_CLOSE, memory_order_relaxed);
    } else {
        reply_error(c->r, "ERR Errors trying to SHUTDOWN. Check logs.");
    }
}

static const char *const history[] = {"7.0.0", "Takes `NOW`, `FORCE` and `ABORT`.", NULL};

struct command shutdown_commands[] = {
    {.name = "shutdown",
     .run = shutdown_command,
     .arity = -1,
     .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_NO_MULTI | CMD_ALLOW_BUSY |
              CMD_WALK,
     .group = "server",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of keys, when saving; else O(1).",
     .history = history,
     .summary = "Ends the server, after saving if that is asked for.",
     .syntax = "[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]"},
    {.name = NULL},
};
