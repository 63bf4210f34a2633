/*
 * config_check.c - options whose value is more than a number or a word: which arguments are
 * accepted, the one form in which they are kept, and how that is printed.
 *
 *   bind, save, latency-tracking-info-percentiles, ...   words, separated by blanks
 *   rename-command, user, loadmodule                     one line each, lines added up
 *   client-output-buffer-limit                           "normal h s n slave h s n pubsub h s n"
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/config_internal.h"

#define BIND_MAX 16

static bool refuse(const char **err, const char *why)
{
    *err = why;
    return false;
}

static void add_word(struct buf *out, struct slice word)
{
    if (out->n) buf_addc(out, ' ');
    buf_add(out, word.p, word.n);
}

static bool is_single_empty(int argc, const struct slice *argv)
{
    return argc == 1 && argv[0].n == 0;
}

bool check_words(CHECK_ARGS)
{
    for (int i = 0; i < argc; i++)
        add_word(out, argv[i]);
    return true;
}

/* A line of its own behind those that were there, its words quoted where they need it. */
bool check_line(CHECK_ARGS)
{
    buf_add(out, now.p, now.n);
    if (out->n) buf_addc(out, '\n');
    for (int i = 0; i < argc; i++) {
        if (i) buf_addc(out, ' ');
        config_print_word(out, argv[i]);
    }
    return true;
}

bool check_rename(CHECK_ARGS)
{
    if (argc != 2) return refuse(err, "wrong number of arguments");
    return check_line(o, from, argc, argv, now, out, err);
}

bool check_bind(CHECK_ARGS)
{
    if (argc > BIND_MAX) return refuse(err, "Too many bind addresses specified.");
    if (is_single_empty(argc, argv)) return true;
    return check_words(o, from, argc, argv, now, out, err);
}

bool check_replicaof(CHECK_ARGS)
{
    int64_t port;
    if (argc != 2) return refuse(err, "wrong number of arguments");
    if (slice_is(argv[0], "no") && slice_is(argv[1], "one")) return true;
    if (!num_parse_i64(argv[1], &port) || port < 0 || port > 65535) {
        return refuse(err, "Invalid master port");
    }
    return check_words(o, from, argc, argv, now, out, err);
}

/* Pairs of seconds and changes. The lines of a file add up; an empty one forgets them. */
bool check_save(CHECK_ARGS)
{
    int64_t v;
    if (is_single_empty(argc, argv)) return true;
    if (argc % 2) return refuse(err, "Invalid save parameters");
    if (from == FROM_FILE) buf_add(out, now.p, now.n);
    for (int i = 0; i < argc; i++) {
        if (!num_parse_i64(argv[i], &v) || v < (i % 2 ? 0 : 1)) {
            return refuse(err, "Invalid save parameters");
        }
        add_word(out, argv[i]);
    }
    return true;
}

bool check_oom_values(CHECK_ARGS)
{
    int64_t v, last = -2000;
    if (argc != 3) return refuse(err, "wrong number of arguments");
    for (int i = 0; i < argc; i++, last = v) {
        if (!num_parse_i64(argv[i], &v) || v < -2000 || v > 2000) {
            return refuse(err, "Invalid oom-score-adj-values, elements must be between -2000 and "
                               "2000.");
        }
        if (v < last) {
            log_write(LOG_WARNING, "oom-score-adj-values should not decrease: later processes are "
                                   "to be ended first");
        }
        add_word(out, argv[i]);
    }
    return true;
}

bool check_percentiles(CHECK_ARGS)
{
    double v;
    char text[NUM_DOUBLE_MAX];
    if (is_single_empty(argc, argv)) return true;
    for (int i = 0; i < argc; i++) {
        if (!num_parse_double(argv[i], &v)) {
            return refuse(err, "Invalid latency-tracking-info-percentiles parameters");
        }
        if (v < 0 || v > 100) {
            return refuse(err, "latency-tracking-info-percentiles should contain values between "
                               "0.0 and 100.0");
        }
        add_word(out, slice_of(text, num_fmt_double(text, v)));
    }
    return true;
}

/* ---- notify-keyspace-events -------------------------------------------------------------------
 */

#define EVENTS_ALL   "g$lshzxetd" /* what A stands for */
#define EVENTS_OTHER "KEmn"

bool check_events(CHECK_ARGS)
{
    struct slice s = argc == 1 ? argv[0] : slice_of("?", 1);
    for (size_t i = 0; i < s.n; i++) {
        if (!s.p[i] || !strchr("A" EVENTS_ALL EVENTS_OTHER, s.p[i])) {
            return refuse(err, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
        }
    }
    bool every = true;
    for (const char *c = EVENTS_ALL; *c; c++)
        every = every && s.n && memchr(s.p, *c, s.n);
    bool all = every || (s.n && memchr(s.p, 'A', s.n));
    if (all) buf_addc(out, 'A');
    for (const char *c = EVENTS_ALL EVENTS_OTHER; *c; c++) {
        if (all && strchr(EVENTS_ALL, *c)) continue;
        if (s.n && memchr(s.p, *c, s.n)) buf_addc(out, *c);
    }
    return true;
}

/* ---- client-output-buffer-limit ---------------------------------------------------------------
 */

static const char *const classes[] = {"normal", "slave", "pubsub"};

static int find_class(struct slice name)
{
    if (slice_is(name, "replica")) return 1;
    for (int i = 0; i < 3; i++) {
        if (slice_is(name, classes[i])) return i;
    }
    return -1;
}

/* Reads a canonical text: three classes of hard, soft and seconds. */
static void read_limits(const char *text, int64_t limits[3][3])
{
    long long v[9];
    if (sscanf(text, "normal %lld %lld %lld slave %lld %lld %lld pubsub %lld %lld %lld", &v[0],
               &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8]) != 9) {
        return;
    }
    for (int i = 0; i < 9; i++)
        limits[i / 3][i % 3] = v[i];
}

bool check_output_limits(CHECK_ARGS)
{
    int64_t limits[3][3] = {{0}};
    struct buf old = {0};
    buf_addz(&old, now.n ? "" : o->def_text);
    buf_add(&old, now.p, now.n);
    read_limits(buf_cstr(&old), limits);
    buf_free(&old);
    if (argc % 4) return refuse(err, "Wrong number of arguments in buffer limit configuration.");
    for (int i = 0; i < argc; i += 4) {
        int c = find_class(argv[i]);
        if (c < 0) {
            return refuse(err, "Invalid client class specified in buffer limit configuration.");
        }
        int64_t *l = limits[c];
        if (!num_parse_memory(argv[i + 1], &l[0]) || !num_parse_memory(argv[i + 2], &l[1]) ||
            !num_parse_i64(argv[i + 3], &l[2]) || l[0] < 0 || l[1] < 0 || l[2] < 0) {
            return refuse(err, "Error in hard, soft or soft_seconds setting in buffer limit "
                               "configuration.");
        }
    }
    for (int c = 0; c < 3; c++) {
        buf_addf(out, "%s%s %lld %lld %lld", c ? " " : "", classes[c], (long long)limits[c][0],
                 (long long)limits[c][1], (long long)limits[c][2]);
    }
    return true;
}

/* ---- files ------------------------------------------------------------------------------------
 */

bool check_dir(CHECK_ARGS)
{
    char name[PATH_MAX], full[PATH_MAX];
    if (argc != 1) return refuse(err, "wrong number of arguments");
    if (argv[0].n >= sizeof name) return refuse(err, strerror(ENAMETOOLONG));
    memcpy(name, argv[0].p, argv[0].n);
    name[argv[0].n] = '\0';
    if (!realpath(name, full)) return refuse(err, strerror(errno));
    buf_addz(out, full);
    return true;
}

bool check_file_name(CHECK_ARGS)
{
    static _Thread_local char text[96];
    if (argv[0].n && memchr(argv[0].p, '/', argv[0].n)) {
        snprintf(text, sizeof text, "%s can't be a path, just a %s", o->name,
                 o == config_find(SLICE("appenddirname")) ? "dirname" : "filename");
        return refuse(err, text);
    }
    return check_words(o, from, 1, argv, now, out, err);
}

/* {title} and the like; an unknown or open brace is refused. */
bool check_title_template(CHECK_ARGS)
{
    static const char *const known[] = {"{title}",    "{listen-addr}", "{server-mode}", "{port}",
                                        "{tls-port}", "{unixsocket}",  "{config-file}"};
    const char *p = argv[0].p, *end = p + argv[0].n;
    while (p < end) {
        if (*p++ != '{') continue;
        size_t left = (size_t)(end - p) + 1, n = 0;
        for (size_t i = 0; i < ARRAY_LEN(known) && !n; i++) {
            size_t len = strlen(known[i]);
            if (len <= left && memcmp(p - 1, known[i], len) == 0) n = len;
        }
        if (!n) return refuse(err, "template format is invalid or contains unknown variables");
        p += n - 1;
    }
    return check_words(o, from, 1, argv, now, out, err);
}

/* ---- numbers that not every value of its range suits -------------------------------------------
 */

bool check_shutdown(int64_t value, const char **err)
{
    if ((value & SHUTDOWN_SAVE) && (value & SHUTDOWN_NOSAVE)) {
        return refuse(err, "SAVE and NOSAVE together is invalid");
    }
    return true;
}

bool check_activedefrag(int64_t value, const char **err)
{
    if (!value) return true;
    return refuse(err, "Active defragmentation cannot be enabled: it requires a Redis server "
                       "compiled with a modified Jemalloc like the one shipped by default with "
                       "the Redis source distribution");
}

/* ---- printing ---------------------------------------------------------------------------------
 */

/* Calls print for each piece of `words` words of a text of words. */
static void print_pieces(const struct option *o, struct buf *out, int words)
{
    struct buf text = config_copy_text(o);
    char *p = (char *)buf_cstr(&text);
    while (*p) {
        char *end = p;
        for (int i = 0; i < words && end; i++)
            end = strchr(end + (i > 0), ' ');
        if (end) *end = '\0';
        buf_addf(out, "%s %s\n", o->name, p);
        if (!end) break;
        p = end + 1;
    }
    buf_free(&text);
}

void print_save(const struct option *o, struct buf *out)
{
    if (config_text_is_empty(OPT_SAVE)) {
        buf_addf(out, "%s \"\"\n", o->name);
    } else {
        print_pieces(o, out, 2);
    }
}

void print_output_limits(const struct option *o, struct buf *out)
{
    print_pieces(o, out, 4);
}

void print_lines(const struct option *o, struct buf *out)
{
    struct buf text = config_copy_text(o);
    char *save, *line = strtok_r((char *)buf_cstr(&text), "\n", &save);
    for (; line; line = strtok_r(NULL, "\n", &save))
        buf_addf(out, "%s %s\n", o->name, line);
    buf_free(&text);
}
