/* log.h - the server's log: lines as Redis writes them, "pid:role time level text". Any thread. */
#ifndef WEFT_BASE_LOG_H
#define WEFT_BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING, LOG_NOTHING };
#define LOG_RAW 16 /* or-ed to a level: no prefix */

struct log_config {
    enum log_level level;
    const char *file; /* "" or NULL: standard output */
    char role;        /* 'M', 'S', 'C', 'X' */
    bool syslog;
    const char *syslog_ident;
    int syslog_facility;
};
/* Takes effect at once; copies the strings. Returns 0, or -errno when the file cannot be opened
 * (the old configuration stays). */
int log_configure(const struct log_config *config);
void log_set_level(enum log_level level);
extern int log_level_now; /* read before a costly argument is computed */

void log_write(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Async-signal-safe: text as it is, to the log's destination. */
void log_signal_safe(const char *text);

/* Logs the message and where, then aborts (which prints the crash report). */
_Noreturn void panic_at(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
/* An invariant that is checked in every build. */
#define CHECK(cond) ((cond) ? (void)0 : panic("check failed: %s", #cond))

#endif
