/* limits.c - what we ask the system for: descriptors, the out-of-memory score, page sizes. */
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/config_internal.h"
#include "server/process.h"

#define RESERVED_FDS 32 /* listeners, pollers, files: what is no client */

/* Raises the soft limit towards `wanted`, in steps downwards: what it is in the end. */
static rlim_t raise_towards(rlim_t wanted, int *error)
{
    struct rlimit limit;
    *error = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        *error = errno;
        return 1024;
    }
    rlim_t now = limit.rlim_cur;
    for (rlim_t best = wanted; best > now; best -= MIN(best - now, (rlim_t)16)) {
        limit.rlim_cur = best;
        limit.rlim_max = MAX(limit.rlim_max, best);
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return best;
        if (!*error) *error = errno;
        getrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_max < best && limit.rlim_max > now) best = limit.rlim_max + 16;
    }
    return now;
}

bool limits_raise(void)
{
    struct rlimit was = {.rlim_cur = 1024};
    int64_t clients = config_num(OPT_MAXCLIENTS);
    rlim_t wanted = (rlim_t)clients + RESERVED_FDS;
    int error;
    getrlimit(RLIMIT_NOFILE, &was);
    rlim_t got = raise_towards(wanted, &error);
    if (got >= wanted) {
        if (got > was.rlim_cur) {
            log_write(LOG_NOTICE,
                      "Increased maximum number of open files to %llu (it was originally set to "
                      "%llu).",
                      (unsigned long long)wanted, (unsigned long long)was.rlim_cur);
        }
        return true;
    }
    if (got <= RESERVED_FDS) {
        log_write(LOG_WARNING,
                  "Your current 'ulimit -n' of %llu is not enough for the server to start. Please "
                  "increase your open file limit to at least %llu. Exiting.",
                  (unsigned long long)got, (unsigned long long)wanted);
        return false;
    }
    log_write(LOG_WARNING,
              "You requested maxclients of %lld requiring at least %llu max file descriptors.",
              (long long)clients, (unsigned long long)wanted);
    log_write(LOG_WARNING, "Server can't set maximum open files to %llu because of OS error: %s.",
              (unsigned long long)wanted, strerror(error));
    config_put_num(OPT_MAXCLIENTS, (int64_t)(got - RESERVED_FDS));
    log_write(LOG_WARNING,
              "Current maximum open files is %llu. maxclients has been reduced to %lld to "
              "compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'.",
              (unsigned long long)got, (long long)(got - RESERVED_FDS));
    return true;
}

bool apply_maxclients(const struct option *o, const char **err)
{
    static char text[128];
    int error;
    rlim_t wanted = (rlim_t)config_num(OPT_MAXCLIENTS) + RESERVED_FDS;
    rlim_t got = raise_towards(wanted, &error);
    if (got >= wanted) return true;
    snprintf(text, sizeof text,
             "The operating system is not able to handle the specified number of clients, try "
             "with %llu",
             (unsigned long long)(got - RESERVED_FDS));
    *err = text;
    return false;
}

static int read_score(int fd)
{
    char text[32];
    int score = 0;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n > 0) {
        text[n] = '\0';
        sscanf(text, "%d", &score);
    }
    return score;
}

/* While the option is on, `base` is the score from before; off, the score is none of our business.
 */
static int wanted_score(int64_t mode, int base)
{
    int value = 0;
    char *values = config_text(OPT_OOM_SCORE_ADJ_VALUES);
    sscanf(values, "%d", &value);
    mem_free(values);
    if (mode == OOM_NO) value = base;
    if (mode == OOM_RELATIVE) value += base;
    return MAX(-1000, MIN(1000, value));
}

bool apply_oom_score(const struct option *o, const char **err)
{
    static bool on;
    static int base;
    int64_t mode = config_num(OPT_OOM_SCORE_ADJ);
    if (mode == OOM_NO && !on) return true;
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    if (fd < 0) return true; /* no such thing here */
    if (!on) base = read_score(fd);
    bool ok = dprintf(fd, "%d\n", wanted_score(mode, base)) > 0;
    if (ok) {
        on = mode != OOM_NO;
    } else {
        log_write(LOG_WARNING, "Unable to write oom_score_adj: %s", strerror(errno));
        *err = "Failed to set current oom_score_adj. Check server logs.";
    }
    close(fd);
    return ok;
}

void limits_apply_thp(void)
{
    if (config_num(OPT_DISABLE_THP)) prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}
