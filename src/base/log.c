/*
 * log.c - formats a line and appends it, in one write, to the log's destination.
 *
 * A log file is opened for each line: whoever rotates it needs to tell nobody. The line is
 * formatted on the stack and cut at LINE_MAX_BYTES, so that logging allocates nothing, out of
 * memory included.
 *
 * Invariants
 *  1. `now` points to one of the two slots. log_configure(), under the lock, fills the other one
 * and then lets `now` point to it. So log_signal_safe(), which takes no lock, sees a whole
 *     configuration unless it is interrupted by two changes at once, and then it sees text with an
 * end.
 *  2. log_level_now is that of the configuration in force, LOG_NOTHING included; read without
 * order, a line more or less around the change is no harm.
 */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* <syslog.h> names its levels as log.h names ours. */
enum { SYSLOG_DEBUG = LOG_DEBUG, SYSLOG_INFO = LOG_INFO };
enum { SYSLOG_NOTICE = LOG_NOTICE, SYSLOG_WARNING = LOG_WARNING };
#undef LOG_DEBUG
#undef LOG_INFO
#undef LOG_NOTICE
#undef LOG_WARNING

#define LINE_MAX_BYTES 2048
#define LEVEL_BITS     (LOG_RAW - 1)

struct slot {
    char file[PATH_MAX]; /* "": standard output */
    char ident[64];
    char role;
    bool syslog;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[2] = {{.role = 'M'}, {.role = 'M'}};
static struct slot *_Atomic now = &slots[0];
int log_level_now = LOG_NOTICE;

/* ---- configuration -------------------------------------------------------------------------- */

static int open_append(const char *file)
{
    return open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

static int try_file(const char *file)
{
    if (!*file) return 0;
    if (strlen(file) >= PATH_MAX) return -ENAMETOOLONG;
    int fd = open_append(file);
    if (fd < 0) return -errno;
    close(fd);
    return 0;
}

static void apply_syslog(struct slot *slot, const struct log_config *config)
{
    if (atomic_load_explicit(&now, memory_order_relaxed)->syslog) closelog();
    slot->syslog = config->syslog;
    snprintf(slot->ident, sizeof slot->ident, "%s",
             config->syslog_ident ? config->syslog_ident : "weft");
    if (slot->syslog)
        openlog(slot->ident, LOG_PID | LOG_NDELAY | LOG_NOWAIT, config->syslog_facility);
}

int log_configure(const struct log_config *config)
{
    const char *file = config->file ? config->file : "";
    int err = try_file(file);
    if (err) return err;
    pthread_mutex_lock(&lock);
    struct slot *slot = &slots[atomic_load_explicit(&now, memory_order_relaxed) == &slots[0]];
    strcpy(slot->file, file);
    slot->role = config->role ? config->role : 'M';
    apply_syslog(slot, config);
    atomic_store_explicit(&now, slot, memory_order_release);
    pthread_mutex_unlock(&lock);
    log_set_level(config->level);
    return 0;
}

void log_set_level(enum log_level level)
{
    __atomic_store_n(&log_level_now, (int)level, __ATOMIC_RELAXED);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return;
        p += done;
        n -= (size_t)done;
    }
}

static void append(const struct slot *slot, const char *p, size_t n)
{
    int fd = slot->file[0] ? open_append(slot->file) : STDOUT_FILENO;
    if (fd < 0) return;
    write_all(fd, p, n);
    if (slot->file[0]) close(fd);
}

/* "pid:role DD Mon YYYY HH:MM:SS.mmm level " */
static size_t prefix(char *out, size_t size, char role, int level)
{
    struct timespec ts;
    struct tm tm;
    char date[32];
    clock_gettime(CLOCK_REALTIME, &ts);
    localtime_r(&ts.tv_sec, &tm);
    strftime(date, sizeof date, "%d %b %Y %H:%M:%S", &tm);
    return (size_t)snprintf(out, size, "%d:%c %s.%03d %c ", (int)getpid(), role, date,
                            (int)(ts.tv_nsec / 1000000), ".-*#"[level]);
}

static void write_line(int level, const char *fmt, va_list args)
{
    static const int syslog_level[] = {SYSLOG_DEBUG, SYSLOG_INFO, SYSLOG_NOTICE, SYSLOG_WARNING};
    char line[LINE_MAX_BYTES];
    bool raw = level & LOG_RAW;
    int plain = MIN(level & LEVEL_BITS, LOG_WARNING);
    size_t n = 0, room = sizeof line - 1; /* of the line's end */
    pthread_mutex_lock(&lock);
    const struct slot *slot = atomic_load_explicit(&now, memory_order_relaxed);
    if (!raw) n = prefix(line, room, slot->role, plain);
    const char *text = line + n;
    int wanted = vsnprintf(line + n, room - n, fmt, args);
    n = MIN(n + (size_t)MAX(wanted, 0), room - 1);
    if (slot->syslog) syslog(syslog_level[plain], "%s", text);
    if (!raw) line[n++] = '\n';
    append(slot, line, n);
    pthread_mutex_unlock(&lock);
}

void log_write(int level, const char *fmt, ...)
{
    if ((level & LEVEL_BITS) < __atomic_load_n(&log_level_now, __ATOMIC_RELAXED)) return;
    int saved = errno;
    va_list args;
    va_start(args, fmt);
    write_line(level, fmt, args);
    va_end(args);
    errno = saved;
}

void log_signal_safe(const char *text)
{
    int saved = errno;
    append(atomic_load_explicit(&now, memory_order_acquire), text, strlen(text));
    errno = saved;
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES / 2];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    log_write(LOG_WARNING, "=== PANIC: %s (%s:%d)", text, file, line);
    abort();
}
