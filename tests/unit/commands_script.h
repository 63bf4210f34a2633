/*
 * commands_script.h - runs commands in process, without a network, and compares what they reply.
 *
 * A script is a list of steps: a request as one would type it, and the reply with its line ends
 * shown as blanks ("*2 $1 a :5"). Requests for the script itself: "SELECT n", "RESP 2|3", "SLEEP
 * ms".
 */
#ifndef WEFT_TESTS_COMMANDS_SCRIPT_H
#define WEFT_TESTS_COMMANDS_SCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "commands/commands.h"

struct step {
    const char *request, *reply;
};

struct script {
    const struct step *steps;
    size_t n;
    void (*fn)(struct caller *caller); /* instead of steps */
    char failure[1024];
    struct reply reply;
    struct caller caller;
};

/* Runs one request of n arguments; the reply in *out. */
static inline void run_args(struct caller *caller, struct slice *argv, size_t n, struct buf *out)
{
    struct request req = {.argc = (uint32_t)n, .argv = argv};
    buf_clear(out);
    commands_run(caller, &req, 1);
    reply_copy_out(caller->reply, out);
    reply_clear(caller->reply);
}

static inline void run_line(struct caller *caller, const char *line, struct buf *out)
{
    char *copy = mem_strdup(line);
    struct slice *argv = NULL;
    size_t cap = 0;
    ssize_t n = resp_split_line(copy, strlen(copy), &argv, &cap);
    buf_clear(out);
    if (slice_is(argv[0], "SELECT")) {
        caller->db = (uint32_t)atoi(argv[1].p);
    } else if (slice_is(argv[0], "RESP")) {
        caller->reply->resp = (uint8_t)atoi(argv[1].p);
    } else if (slice_is(argv[0], "SLEEP")) {
        co_sleep(atoi(argv[1].p) * (int64_t)1000000);
    } else {
        run_args(caller, argv, (size_t)n, out);
    }
    mem_free(argv);
    mem_free(copy);
}

/* Line ends as blanks, none at the end. */
static inline const char *shown(struct buf *reply)
{
    size_t n = 0;
    for (size_t i = 0; i < reply->n; i++) {
        if (reply->p[i] == '\r') continue;
        reply->p[n++] = reply->p[i] == '\n' ? ' ' : reply->p[i];
    }
    reply->n = n && reply->p[n - 1] == ' ' ? n - 1 : n;
    return buf_cstr(reply);
}

static inline void script_steps(struct script *s)
{
    struct buf out = {0};
    for (size_t i = 0; i < s->n && !s->failure[0]; i++) {
        run_line(&s->caller, s->steps[i].request, &out);
        if (strcmp(shown(&out), s->steps[i].reply) == 0) continue;
        snprintf(s->failure, sizeof s->failure, "step %zu: %s\n  replied  %.400s\n  expected %s",
                 i + 1, s->steps[i].request, shown(&out), s->steps[i].reply);
    }
    buf_free(&out);
}

static inline void script_run(struct script *s)
{
    struct buf out = {0};
    reply_init(&s->reply);
    caller_init(&s->caller, &s->reply, 1);
    if (s->fn) {
        s->fn(&s->caller);
    } else {
        script_steps(s);
    }
    run_line(&s->caller, "FLUSHALL SYNC", &out);
    buf_free(&out);
    caller_reset(&s->caller);
    reply_clear(&s->reply);
}

static inline void script_main(void *arg)
{
    struct keyspace_config config = {.partitions = 16, .databases = 16};
    keyspace_init(&config);
    commands_init();
    keyspace_start();
    for (struct script **s = arg; *s; s++)
        script_run(*s);
    while (ks_lazyfree_pending() > 0)
        co_sleep(1000000);
    co_sleep(20000000); /* old tables are freed once every worker has moved on */
    rt_stop();
}

static inline void script_worker(unsigned worker)
{
    mem_thread_attach();
}

/* Runs scripts one after the other (a list that ends with NULL), before the tests look at what came
 * of them: a test that fails leaves by longjmp, which it cannot do from a coroutine. */
static inline int run_scripts(struct script **scripts)
{
    struct rt_config config = {.workers = 2, .worker_start = script_worker};
    clock_init();
    hash_init();
    return rt_run(&config, script_main, scripts);
}

#define SCRIPT(name, ...)                                                                          \
    static const struct step name##_steps[] = {__VA_ARGS__};                                       \
    static struct script name##_script = {.steps = name##_steps,                                   \
                                          .n = sizeof name##_steps / sizeof *name##_steps};        \
    static void name(void **state)                                                                 \
    {                                                                                              \
        if (name##_script.failure[0]) fail_msg("%s", name##_script.failure);                       \
    }

#endif
