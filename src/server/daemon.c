/*
 * daemon.c - the process among others: detached, supervised, with a pid file.
 *
 * systemd is told by one datagram to the socket that NOTIFY_SOCKET names; a name that begins with @
 * is in the abstract namespace.
 */
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/process.h"

#define DEFAULT_PID_FILE "/var/run/redis.pid"

static int64_t supervisor = SUPERVISED_NO;
static char *pid_file;

/* ---- supervision ------------------------------------------------------------------------------
 */

static void stop_for_upstart(void)
{
    if (!getenv("UPSTART_JOB")) {
        log_write(LOG_WARNING, "upstart supervision requested, but UPSTART_JOB not found");
        return;
    }
    log_write(LOG_NOTICE, "supervised by upstart, will stop to signal readiness");
    raise(SIGSTOP);
    unsetenv("UPSTART_JOB");
}

void daemon_supervise(void)
{
    supervisor = config_num(OPT_SUPERVISED);
    if (supervisor == SUPERVISED_AUTO) {
        supervisor = getenv("NOTIFY_SOCKET") ? SUPERVISED_SYSTEMD
                     : getenv("UPSTART_JOB") ? SUPERVISED_UPSTART
                                             : SUPERVISED_NO;
    }
    if (supervisor == SUPERVISED_UPSTART) stop_for_upstart();
    if (supervisor == SUPERVISED_SYSTEMD) {
        log_write(LOG_NOTICE, "supervised by systemd. Please make sure you set appropriate values "
                              "for TimeoutStartSec and TimeoutStopSec in your service unit.");
    }
}

bool daemon_supervised(void)
{
    return supervisor != SUPERVISED_NO;
}

void daemon_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (supervisor != SUPERVISED_SYSTEMD || !path) return;
    size_t n = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || n < 2 || n >= sizeof addr.sun_path) {
        log_write(LOG_WARNING, "NOTIFY_SOCKET names no socket: '%s'", path);
        return;
    }
    memcpy(addr.sun_path, path, n);
    if (path[0] == '@') addr.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr, len) < 0) {
        log_write(LOG_WARNING, "Can't notify systemd: %s", strerror(errno));
    }
    close(fd);
}

/* ---- detaching --------------------------------------------------------------------------------
 */

void daemon_detach(void)
{
    if (fork() != 0) _exit(0);
    setsid();
    int fd = open("/dev/null", O_RDWR);
    if (fd < 0) return;
    dup2(fd, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    if (fd > STDERR_FILENO) close(fd);
}

void daemon_write_pid(void)
{
    char *path = config_text(OPT_PIDFILE);
    if (!*path) {
        mem_free(path);
        if (!config_num(OPT_DAEMONIZE)) return;
        path = mem_strdup(DEFAULT_PID_FILE);
    }
    FILE *f = fopen(path, "we");
    if (f) {
        fprintf(f, "%d\n", (int)getpid());
        fclose(f);
        pid_file = path;
    } else {
        log_write(LOG_WARNING, "Failed to write PID file: %s", strerror(errno));
        mem_free(path);
    }
}

void daemon_remove_pid(void)
{
    if (!pid_file) return;
    log_write(LOG_NOTICE, "Removing the pid file.");
    unlink(pid_file);
}
