/*
 * latency.c - the latency monitor: a ring of samples for each kind of event that lasted longer than
 * latency-monitor-threshold; and the histograms of command durations.
 *
 *   event "command":  samples[0 .. LATENCY_SAMPLES)   one a second at most: the longest of it
 *
 * Everything is read and written under `lock`, which is never held across a park.
 */
#include <pthread.h>
#include <stdio.h>

#include "server/admin.h"

#define SAMPLES 160

struct sample {
    int64_t unix_s, ms; /* unix_s 0: none */
};

struct event {
    struct event *next;
    const char *name;
    unsigned at; /* where the next sample goes */
    int64_t max_ms;
    struct sample samples[SAMPLES];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct event *events;

/* ---- noting -----------------------------------------------------------------------------------
 */

static struct event *find_event(struct slice name)
{
    for (struct event *e = events; e; e = e->next) {
        if (slice_eq(name, slice_str(e->name))) return e;
    }
    return NULL;
}

static struct sample *newest(struct event *e)
{
    return &e->samples[(e->at + SAMPLES - 1) % SAMPLES];
}

static void add_sample(struct event *e, int64_t unix_s, int64_t ms)
{
    struct sample *last = newest(e);
    e->max_ms = MAX(e->max_ms, ms);
    if (last->unix_s == unix_s) {
        last->ms = MAX(last->ms, ms);
        return;
    }
    e->samples[e->at] = (struct sample){unix_s, ms};
    e->at = (e->at + 1) % SAMPLES;
}

void latency_note(const char *name, int64_t ms)
{
    int64_t threshold = config_num(OPT_LATENCY_MONITOR_THRESHOLD);
    if (threshold <= 0 || ms < threshold) return;
    pthread_mutex_lock(&lock);
    struct event *e = find_event(slice_str(name));
    if (!e) {
        e = mem_calloc(sizeof *e);
        e->name = name;
        e->next = events;
        events = e;
    }
    add_sample(e, clock_unix_ms() / 1000, ms);
    pthread_mutex_unlock(&lock);
}

/* ---- LATEST, HISTORY, RESET --------------------------------------------------------------------
 */

static void latency_latest(struct call *c)
{
    pthread_mutex_lock(&lock);
    struct reply_mark mark = reply_open(c->r);
    size_t n = 0;
    for (struct event *e = events; e; e = e->next, n++) {
        struct sample *last = newest(e);
        reply_array(c->r, 4);
        reply_bulk_str(c->r, e->name);
        reply_int(c->r, last->unix_s);
        reply_int(c->r, last->ms);
        reply_int(c->r, e->max_ms);
    }
    reply_close_array(c->r, mark, n);
    pthread_mutex_unlock(&lock);
}

static void latency_history(struct call *c)
{
    pthread_mutex_lock(&lock);
    struct event *e = find_event(c->argv[2]);
    struct reply_mark mark = reply_open(c->r);
    size_t n = 0;
    for (unsigned i = 0; e && i < SAMPLES; i++) {
        const struct sample *s = &e->samples[(e->at + i) % SAMPLES];
        if (s->unix_s == 0) continue;
        reply_array(c->r, 2);
        reply_int(c->r, s->unix_s);
        reply_int(c->r, s->ms);
        n++;
    }
    reply_close_array(c->r, mark, n);
    pthread_mutex_unlock(&lock);
}

static bool named(const struct call *c, const char *name)
{
    for (uint32_t i = 2; i < c->argc; i++) {
        if (slice_eq(c->argv[i], slice_str(name))) return true;
    }
    return c->argc == 2;
}

static void latency_reset(struct call *c)
{
    int64_t n = 0;
    pthread_mutex_lock(&lock);
    for (struct event **at = &events; *at;) {
        struct event *e = *at;
        if (!named(c, e->name)) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        mem_free(e);
        n++;
    }
    pthread_mutex_unlock(&lock);
    reply_int(c->r, n);
}

/* ---- HISTOGRAM ---------------------------------------------------------------------------------
 */

/* Buckets are powers of two of nanoseconds; 2^10 of them stand for a microsecond. */
#define US_BUCKET 10

static void reply_histogram(struct reply *r, const uint64_t buckets[LATENCY_BUCKETS],
                            uint64_t calls)
{
    reply_map(r, 2);
    reply_bulk_str(r, "calls");
    reply_int(r, (int64_t)calls);
    reply_bulk_str(r, "histogram_usec");
    struct reply_mark mark = reply_open(r);
    uint64_t sum = 0, shown = 0;
    size_t n = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        sum += buckets[i];
        if (i < US_BUCKET || sum == shown) continue;
        reply_int(r, (int64_t)1 << (i - US_BUCKET));
        reply_int(r, (int64_t)sum);
        shown = sum;
        n++;
    }
    reply_close_map(r, mark, n);
}

/* Replies name and histogram of a command that was called. */
static bool histogram_of(struct reply *r, const struct command *cmd)
{
    uint64_t buckets[LATENCY_BUCKETS], calls = 0;
    if (!cmd->run) return false;
    command_latency(cmd->id, buckets);
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
        calls += buckets[i];
    if (calls == 0) return false;
    reply_bulk_str(r, cmd->full_name);
    reply_histogram(r, buckets, calls);
    return true;
}

/* A container's name stands for all of its subcommands. */
static size_t histograms_named(struct reply *r, struct slice name)
{
    size_t n = 0;
    for (uint32_t id = 0; id < commands_count(); id++) {
        const struct command *cmd = command_by_id(id);
        bool hit =
            slice_is(name, cmd->full_name) || (cmd->parent && slice_is(name, cmd->parent->name));
        if (hit) n += histogram_of(r, cmd);
    }
    return n;
}

static void latency_histogram(struct call *c)
{
    struct reply_mark mark = reply_open(c->r);
    size_t n = 0;
    for (uint32_t i = 2; i < c->argc; i++)
        n += histograms_named(c->r, c->argv[i]);
    for (uint32_t id = 0; c->argc == 2 && id < commands_count(); id++) {
        n += histogram_of(c->r, command_by_id(id));
    }
    reply_close_map(c->r, mark, n);
}

/* ---- declarations ------------------------------------------------------------------------------
 */

static const char *const hints[] = {"nondeterministic_output", "request_policy:all_nodes",
                                    "response_policy:special", NULL};
static const char *const reset_hints[] = {"request_policy:all_nodes",
                                          "response_policy:all_succeeded", NULL};
static const char *const help[] = {
    "HISTORY <event>",
    "    Show the samples kept of an event: unix time and milliseconds.",
    "LATEST",
    "    Show the newest sample of every event, and its longest.",
    "RESET [<event> ...]",
    "    Forget the samples of these events, or of all.",
    "HISTOGRAM [<command> ...]",
    "    Show how long calls of these commands, or of all, took: cumulative counts",
    "    by upper bounds in microseconds.",
    NULL,
};

#define ADMIN_FLAGS (CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)

static const struct command latency_sub[] = {
    {.name = "latest",
     .run = latency_latest,
     .arity = 2,
     .flags = ADMIN_FLAGS,
     .group = "server",
     .since = "2.8.13",
     .hints = hints,
     .complexity = "O(1)",
     .summary = "Returns the newest latency sample of every event."},
    {.name = "history",
     .run = latency_history,
     .arity = 3,
     .flags = ADMIN_FLAGS,
     .group = "server",
     .since = "2.8.13",
     .hints = hints,
     .complexity = "O(1)",
     .summary = "Returns the latency samples of one event.",
     .syntax = "event:string"},
    {.name = "reset",
     .run = latency_reset,
     .arity = -2,
     .flags = ADMIN_FLAGS,
     .group = "server",
     .since = "2.8.13",
     .hints = reset_hints,
     .complexity = "O(1)",
     .summary = "Forgets the latency samples of some events, or of all.",
     .syntax = "[event:string...]"},
    {.name = "histogram",
     .run = latency_histogram,
     .arity = -2,
     .flags = ADMIN_FLAGS,
     .group = "server",
     .since = "7.0.0",
     .hints = hints,
     .complexity = "O(N), N being the number of commands shown.",
     .summary = "Returns the distribution of durations of some commands, or of all.",
     .syntax = "[command:string...]"},
    {.name = "help",
     .run = call_help,
     .arity = 2,
     .flags = CMD_LOADING | CMD_STALE,
     .group = "server",
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Lists the subcommands."},
    {.name = NULL},
};

struct command latency_commands[] = {
    {.name = "latency",
     .arity = -2,
     .group = "server",
     .since = "2.8.13",
     .subcommands = latency_sub,
     .help = help,
     .complexity = "Depends on subcommand.",
     .summary = "A container for the commands of the latency monitor."},
    {.name = NULL},
};
