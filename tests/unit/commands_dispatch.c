/*
 * commands_dispatch.c - running batches without a network: what is refused and how, pipelines over
 * partitions, contention of four workers, transactions, blocking, what is counted.
 *
 * A client is a caller with a reply; it sends lines of words. Failures inside coroutines end the
 * program (CHECK).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "commands/commands_internal.h"

#define WORKERS 4
#define LINES   256
#define MS      1000000LL

struct client {
    struct caller caller;
    struct reply reply;
    struct buf out;    /* what was sent */
    _Atomic(int) wake; /* why hooks.wait ends: an rt_error, 0: not */
    _Atomic(bool) with_error;
    struct co *co;
    _Atomic(size_t) flushed; /* bytes, by hooks.flush */
};

static struct client *client_of(struct caller *caller)
{
    return CONTAINER_OF(caller, struct client, caller);
}

static void client_init(struct client *cl)
{
    memset(cl, 0, sizeof *cl);
    reply_init(&cl->reply);
    caller_init(&cl->caller, &cl->reply, 1);
    cl->co = co_self();
}

static void client_free(struct client *cl)
{
    caller_reset(&cl->caller);
    reply_clear(&cl->reply);
    buf_free(&cl->out);
}

/* Runs lines separated by ';' as one batch: how many commands were run. */
static size_t send_lines(struct client *cl, const char *lines)
{
    struct request *batch = mem_calloc(LINES * sizeof *batch);
    char *text = mem_strdup(lines);
    size_t n = 0, caps[LINES] = {0};
    for (char *save, *line = strtok_r(text, ";", &save); line; line = strtok_r(NULL, ";", &save)) {
        batch[n].argc = (uint32_t)resp_split_line(line, strlen(line), &batch[n].argv, &caps[n]);
        n++;
    }
    size_t done = commands_run(&cl->caller, batch, n);
    for (size_t i = 0; i < n; i++)
        mem_free(batch[i].argv);
    mem_free(batch);
    mem_free(text);
    return done;
}

static void take(struct client *cl)
{
    struct buf b = {0};
    reply_copy_out(&cl->reply, &b);
    if (b.n) buf_add(&cl->out, b.p, b.n);
    buf_free(&b);
    bool muted = cl->reply.muted;
    reply_clear(&cl->reply);
    if (muted) reply_mute(&cl->reply, true);
}

/* The replies, with ' ' for each line end. */
static const char *replies(struct client *cl)
{
    take(cl);
    buf_addc(&cl->out, 0);
    char *from = cl->out.p, *to = cl->out.p;
    for (; *from; from++) {
        if (*from != '\r') *to++ = *from == '\n' ? ' ' : *from;
    }
    *to = 0;
    cl->out.n = 0;
    return cl->out.p;
}

static void check_replies(struct client *cl, const char *lines, const char *expected, int line)
{
    send_lines(cl, lines);
    const char *got = replies(cl);
    if (strcmp(got, expected) == 0) return;
    panic("line %d: '%s' replied '%s' and not '%s'", line, lines, got, expected);
}
#define EXPECT(cl, lines, expected) check_replies(cl, lines, expected, __LINE__)

/* ---- hooks, and commands of the test's own -------------------------------------------------- */

static bool admit_nothing;
static unsigned admits;

static bool on_admit(struct caller *caller, const struct command *cmd, uint32_t argc,
                     struct slice *argv)
{
    admits++;
    if (!admit_nothing) return true;
    reply_error(caller->reply, "NOAUTH Authentication required.");
    return false;
}

static bool on_flush(struct caller *caller)
{
    struct client *cl = client_of(caller);
    take(cl);
    atomic_store(&cl->flushed, cl->out.n);
    return true;
}

static _Atomic(int) waiting; /* clients inside on_wait */

static int wait_until_claimed(struct client *cl, struct waiter *w, int64_t deadline_ns,
                              bool *with_error)
{
    while (atomic_load(&w->state) == WAITER_WAITING) {
        if (atomic_load(&cl->wake)) {
            *with_error = atomic_load(&cl->with_error);
            return atomic_load(&cl->wake);
        }
        if (co_park(deadline_ns) == RT_ETIMEDOUT) return RT_ETIMEDOUT;
    }
    return RT_OK;
}

static int on_wait(struct caller *caller, struct waiter *w, int64_t deadline_ns, bool *with_error)
{
    atomic_fetch_add(&waiting, 1);
    int result = wait_until_claimed(client_of(caller), w, deadline_ns, with_error);
    atomic_fetch_sub(&waiting, 1);
    return result;
}

static void test_reply(struct call *c)
{
    static const char *const modes[] = {"on", "off", "skip"};
    for (int i = 0; i < 3; i++) {
        if (slice_is(c->argv[1], modes[i])) caller_set_reply(c->caller, (enum caller_reply)i);
    }
    reply_ok(c->r);
}

static void test_close(struct call *c)
{
    atomic_fetch_or(&c->caller->gate, GATE_CLOSE);
    reply_ok(c->r);
}

static void test_fail(struct call *c)
{
    reply_error(c->r, "BOOM it failed");
}

static void test_walk(struct call *c)
{
    reply_bool(c->r, c->owned && c->owned->all);
}

static void test_select(struct call *c)
{
    c->caller->db = (uint32_t)(c->argv[1].p[0] - '0');
    reply_ok(c->r);
}

static const struct command test_subs[] = {
    {.name = "sub", .run = test_fail, .arity = 3},
    {.name = NULL},
};

static struct command test_commands[] = {
    {.name = "treply", .run = test_reply, .arity = 2, .flags = CMD_SESSION},
    {.name = "tclose", .run = test_close, .arity = 1, .flags = CMD_NOW | CMD_SESSION},
    {.name = "tfail", .run = test_fail, .arity = 1},
    {.name = "twalk", .run = test_walk, .arity = 1, .flags = CMD_WALK},
    {.name = "tnever", .run = test_fail, .arity = 1, .flags = CMD_NO_MULTI},
    {.name = "tauth", .run = test_close, .arity = 1, .flags = CMD_NO_AUTH},
    {.name = "select", .run = test_select, .arity = 2, .flags = CMD_SESSION},
    {.name = "tbox", .arity = -2, .subcommands = test_subs},
    {.name = NULL},
};

/* ---- the runtime ---------------------------------------------------------------------------- */

static void run_body(void *arg)
{
    void (**body)(void) = arg;
    keyspace_start();
    (*body)();
    rt_stop();
}

static void start_engine(void)
{
    const struct keyspace_config config = {.partitions = 16, .databases = 16};
    const struct command_hooks hooks = {.admit = on_admit, .flush = on_flush, .wait = on_wait};
    clock_init();
    hash_init();
    keyspace_init(&config);
    commands_init();
    commands_register(test_commands);
    commands_set_hooks(&hooks);
}

/* Each body has a process of its own: the engine starts once in a process. */
static void in_runtime(void (*body)(void))
{
    struct rt_config config = {.workers = WORKERS};
    int status;
    pid_t child = fork();
    if (child == 0) {
        start_engine();
        _exit(rt_run(&config, run_body, &body) == RT_OK ? 0 : 1);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static _Atomic(int) running;

static void spawn(co_fn *fn, void *arg)
{
    atomic_fetch_add(&running, 1);
    CHECK(co_spawn("client", fn, arg) == RT_OK);
}

static void ended(void)
{
    atomic_fetch_sub(&running, 1);
}

static void join_to(int n)
{
    for (int64_t until = rt_now() + 60000 * MS; atomic_load(&running) > n;) {
        CHECK(rt_now() < until);
        co_sleep(MS);
    }
}

static void wait_for_blocked(int clients)
{
    for (int64_t until = rt_now() + 20000 * MS; atomic_load(&waiting) != clients;) {
        CHECK(rt_now() < until);
        co_sleep(MS / 4);
    }
}

/* ---- refusals ------------------------------------------------------------------------------- */

static void refusals(void)
{
    struct client cl;
    client_init(&cl);
    EXPECT(&cl, "nosuch a b", "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b'  ");
    EXPECT(&cl, "get", "-ERR wrong number of arguments for 'get' command ");
    EXPECT(&cl, "get a b;mget",
           "-ERR wrong number of arguments for 'get' command "
           "-ERR wrong number of arguments for 'mget' command ");
    EXPECT(&cl, "tbox no", "-ERR unknown subcommand 'no'. Try TBOX HELP. ");
    EXPECT(&cl, "tbox sub", "-ERR wrong number of arguments for 'tbox|sub' command ");
    EXPECT(&cl, "tbox", "-ERR wrong number of arguments for 'tbox' command ");
    char line[400] = "nosuch ";
    memset(line + 7, 'x', 300);
    send_lines(&cl, line);
    CHECK(strlen(replies(&cl)) < 200);
    client_free(&cl);
}

static void what_cannot_be_run_is_refused(void **state)
{
    in_runtime(refusals);
}

static void gating(void)
{
    struct client cl;
    client_init(&cl);
    admits = 0;
    atomic_store(&cl.caller.gate, GATE_AUTH);
    admit_nothing = true;
    EXPECT(&cl, "get a", "-NOAUTH Authentication required. ");
    CHECK(admits == 1);
    CHECK(send_lines(&cl, "tauth;get a") == 1); /* which closes */
    CHECK(admits == 1 && strcmp(replies(&cl), "+OK ") == 0);
    atomic_store(&cl.caller.gate, 0);
    EXPECT(&cl, "get a", "$-1 ");
    atomic_store(&commands_gate, 1);
    EXPECT(&cl, "multi", "-NOAUTH Authentication required. ");
    atomic_store(&commands_gate, 0);
    EXPECT(&cl, "multi", "+OK ");
    atomic_store(&commands_gate, 1);
    EXPECT(&cl, "get a", "-NOAUTH Authentication required. ");
    atomic_store(&commands_gate, 0);
    EXPECT(&cl, "exec", "-EXECABORT Transaction discarded because of previous errors. ");
    admit_nothing = false;
    CHECK(send_lines(&cl, "set a 1;tclose;set a 2") == 2);
    atomic_store(&cl.caller.gate, 0);
    replies(&cl);
    EXPECT(&cl, "get a", "$1 1 ");
    client_free(&cl);
}

static void gates_are_asked_and_closing_stops(void **state)
{
    in_runtime(gating);
}

static void reply_modes(void)
{
    struct client cl;
    client_init(&cl);
    EXPECT(&cl, "set a 1;treply skip;get a;get a", "+OK $1 1 ");
    EXPECT(&cl, "treply off;get a;treply skip;get a", "");
    EXPECT(&cl, "get a;treply on;get a", "+OK $1 1 ");
    CHECK(atomic_load(&cl.caller.gate) == 0);
    EXPECT(&cl, "treply skip;multi;get a;exec", "+QUEUED *1 $1 1 ");
    client_free(&cl);
}

static void silenced_clients_get_no_reply(void **state)
{
    in_runtime(reply_modes);
}

/* ---- pipelines ------------------------------------------------------------------------------ */

static void pipelines(void)
{
    struct client cl;
    struct buf lines = {0}, expected = {0};
    client_init(&cl);
    for (int i = 0; i < 100; i++) {
        buf_addf(&lines, "set k%d v%d;", i, i);
        buf_addz(&expected, "+OK ");
    }
    EXPECT(&cl, buf_cstr(&lines), buf_cstr(&expected));
    buf_clear(&lines), buf_clear(&expected);
    for (int i = 0; i < 60; i++) {
        buf_addf(&lines, "get k%d;incr n;mget k%d none;append k%d x;", i, i, i);
        buf_addf(&expected, "$%d v%d :%d *2 $%d v%d $-1 :%d ", 2 + (i > 9), i, i + 1, 2 + (i > 9),
                 i, 3 + (i > 9));
    }
    EXPECT(&cl, buf_cstr(&lines), buf_cstr(&expected));
    CHECK(cl.caller.commands == 100 + 240);
    CHECK(strcmp(cl.caller.last_command->name, "append") == 0);
    buf_free(&lines), buf_free(&expected);
    client_free(&cl);
}

static void pipelines_run_in_order_over_partitions(void **state)
{
    in_runtime(pipelines);
}

#define HOT_CLIENTS 8
#define HOT_ROUNDS  100
#define HOT_BATCH   40

static void hot_client(void *arg)
{
    struct client cl;
    struct buf lines = {0};
    long last = 0;
    client_init(&cl);
    for (int i = 0; i < HOT_BATCH; i++)
        buf_addz(&lines, "incr hot;");
    for (int round = 0; round < HOT_ROUNDS; round++) {
        CHECK(send_lines(&cl, buf_cstr(&lines)) == HOT_BATCH);
        const char *p = replies(&cl);
        for (int i = 0; i < HOT_BATCH; i++) {
            char *end;
            CHECK(*p == ':');
            long v = strtol(p + 1, &end, 10);
            CHECK(v > last);
            last = v;
            p = end + 1;
        }
        if (round % 8 == 0) co_yield ();
    }
    buf_free(&lines);
    client_free(&cl);
    ended();
}

static void hot_key(void)
{
    struct client cl;
    client_init(&cl);
    for (int i = 0; i < HOT_CLIENTS; i++)
        spawn(hot_client, NULL);
    join_to(0);
    EXPECT(&cl, "get hot", "$5 32000 ");
    client_free(&cl);
}

static void a_hot_key_loses_nothing_between_workers(void **state)
{
    in_runtime(hot_key);
}

/* ---- transactions --------------------------------------------------------------------------- */

static void transactions(void)
{
    struct client cl, other;
    client_init(&cl), client_init(&other);
    EXPECT(&cl, "multi;set a 1;incr a;get a;exec", "+OK +QUEUED +QUEUED +QUEUED *3 +OK :2 $1 2 ");
    EXPECT(&cl, "multi;multi;exec", "+OK -ERR MULTI calls can not be nested *0 ");
    EXPECT(&cl, "exec;discard", "-ERR EXEC without MULTI -ERR DISCARD without MULTI ");
    EXPECT(&cl, "multi;watch a;exec", "+OK -ERR WATCH inside MULTI is not allowed *0 ");
    EXPECT(&cl, "multi;nosuch;get a;exec",
           "+OK -ERR unknown command 'nosuch', with args beginning with:  +QUEUED "
           "-EXECABORT Transaction discarded because of previous errors. ");
    EXPECT(&cl, "multi;tnever;exec",
           "+OK -ERR Command not allowed inside a transaction "
           "-EXECABORT Transaction discarded because of previous errors. ");
    EXPECT(&cl, "multi;tfail;set a 5;exec", "+OK +QUEUED +QUEUED *2 -BOOM it failed +OK ");
    EXPECT(&cl, "multi;set a 6;discard;get a", "+OK +QUEUED +OK $1 5 ");
    EXPECT(&cl, "multi;set a 7;twalk;exec", "+OK +QUEUED +QUEUED *2 +OK :1 ");
    EXPECT(&cl, "multi;blpop nolist 0;exec", "+OK +QUEUED *1 *-1 ");
    EXPECT(&cl, "multi;select 1;set a x;exec;select 0;get a",
           "+OK +QUEUED +QUEUED *2 +OK +OK +OK $1 7 ");
    client_free(&cl), client_free(&other);
}

static void transactions_queue_and_run(void **state)
{
    in_runtime(transactions);
}

static void watching(void)
{
    struct client cl, other;
    client_init(&cl), client_init(&other);
    EXPECT(&cl, "set a 1;watch a;multi;get a;exec", "+OK +OK +OK +QUEUED *1 $1 1 ");
    EXPECT(&cl, "watch b c;multi;get a", "+OK +OK +QUEUED ");
    CHECK(atomic_load(&cl.caller.watching) == 2);
    EXPECT(&other, "set c 1", "+OK ");
    EXPECT(&cl, "exec;multi;get a;exec", "*-1 +OK +QUEUED *1 $1 1 ");
    CHECK(atomic_load(&cl.caller.watching) == 0);
    EXPECT(&cl, "watch a;set a 2;multi;get a;exec", "+OK +OK +OK +QUEUED *-1 ");
    EXPECT(&cl, "watch a;set a 3;unwatch;multi;get a;exec", "+OK +OK +OK +OK +QUEUED *1 $1 3 ");
    EXPECT(&cl, "watch a;multi;discard;set a 4;multi;get a;exec",
           "+OK +OK +OK +OK +OK +QUEUED *1 $1 4 ");
    EXPECT(&cl, "watch a", "+OK ");
    EXPECT(&other, "flushall", "+OK ");
    EXPECT(&cl, "multi;get a;exec", "+OK +QUEUED *-1 ");
    EXPECT(&cl, "set e 1;pexpire e 30;watch e;multi;get e", "+OK :1 +OK +OK +QUEUED ");
    co_sleep(60 * MS);
    EXPECT(&cl, "exec", "*-1 ");
    EXPECT(&cl, "watch a;multi", "+OK +OK ");
    client_free(&cl), client_free(&other); /* leaves with a watch and a queue */
}

static void a_changed_watched_key_fails_exec(void **state)
{
    in_runtime(watching);
}

#define ACCOUNTS  12
#define TRANSFERS 400

static void transfer_client(void *arg)
{
    struct client cl;
    char lines[160];
    unsigned seed = (unsigned)(uintptr_t)arg;
    client_init(&cl);
    for (int i = 0; i < TRANSFERS; i++) {
        int from = rand_r(&seed) % ACCOUNTS, to = rand_r(&seed) % ACCOUNTS;
        snprintf(lines, sizeof lines, "multi;decr acc%d;incr acc%d;exec", from, to);
        CHECK(send_lines(&cl, lines) == 4);
        replies(&cl);
    }
    client_free(&cl);
    ended();
}

static void audit_client(void *arg)
{
    struct client cl;
    struct buf read = {0};
    client_init(&cl);
    for (int i = 0; i < ACCOUNTS; i++)
        buf_addf(&read, "%s acc%d", i ? "" : "mget", i);
    for (int i = 0; i < TRANSFERS; i++) {
        CHECK(send_lines(&cl, buf_cstr(&read)) == 1);
        long sum = 0;
        const char *p = strchr(replies(&cl), ' ') + 1;
        for (int k = 0; k < ACCOUNTS; k++) { /* "$n value " */
            p = strchr(p, ' ') + 1;
            sum += strtol(p, NULL, 10);
            p = strchr(p, ' ') + 1;
        }
        CHECK(sum == ACCOUNTS * 1000);
    }
    buf_free(&read);
    client_free(&cl);
    ended();
}

static void transfers(void)
{
    struct client cl;
    char line[64];
    client_init(&cl);
    for (int i = 0; i < ACCOUNTS; i++) {
        snprintf(line, sizeof line, "set acc%d 1000", i);
        EXPECT(&cl, line, "+OK ");
    }
    for (uintptr_t i = 1; i <= 4; i++)
        spawn(transfer_client, (void *)i);
    for (int i = 0; i < 2; i++)
        spawn(audit_client, NULL);
    join_to(0);
    client_free(&cl);
}

static void transactions_are_atomic_over_partitions(void **state)
{
    in_runtime(transfers);
}

/* ---- blocking ------------------------------------------------------------------------------- */

struct popper {
    const char *lines;
    char got[128];
    struct client cl;
};

static void popper(void *arg)
{
    struct popper *p = arg;
    client_init(&p->cl);
    send_lines(&p->cl, p->lines);
    snprintf(p->got, sizeof p->got, "%s", replies(&p->cl));
    client_free(&p->cl);
    ended();
}

static void check_got(struct popper *p, const char *expected, int line)
{
    if (strcmp(p->got, expected) != 0) {
        panic("line %d: '%s' replied '%s' and not '%s'", line, p->lines, p->got, expected);
    }
}
#define GOT(p, expected) check_got(p, expected, __LINE__)

static void first_come(void)
{
    struct client cl;
    struct popper p[5];
    client_init(&cl);
    for (int i = 0; i < 5; i++) {
        p[i].lines = "blpop q 0";
        spawn(popper, &p[i]);
        wait_for_blocked(i + 1);
    }
    EXPECT(&cl, "rpush q 0 1;rpush q 2;multi;rpush q 3 4 5;lpop q;exec",
           ":2 :1 +OK +QUEUED +QUEUED *2 :3 $1 3 ");
    join_to(0);
    for (int i = 0; i < 5; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "*2 $1 q $1 %d ", i < 3 ? i : i + 1);
        GOT(&p[i], expected);
    }
    EXPECT(&cl, "exists q", ":0 ");
    client_free(&cl);
}

static void blocked_clients_are_served_first_come_first_served(void **state)
{
    in_runtime(first_come);
}

static void earlier_replies(void)
{
    struct client cl;
    struct popper p = {.lines = "set a 1;get a;blpop q 0;get a"};
    client_init(&cl);
    spawn(popper, &p);
    wait_for_blocked(1);
    CHECK(atomic_load(&p.cl.flushed) == strlen("+OK\r\n$1\r\n1\r\n"));
    EXPECT(&cl, "rpush q x", ":1 ");
    join_to(0);
    GOT(&p, "+OK $1 1 *2 $1 q $1 x $1 1 ");
    client_free(&cl);
}

static void earlier_replies_are_sent_before_a_client_waits(void **state)
{
    in_runtime(earlier_replies);
}

static void wake_for(struct popper *p, int why, bool with_error)
{
    atomic_store(&p->cl.with_error, with_error);
    atomic_store(&p->cl.wake, why);
    co_ready(p->cl.co);
}

static void other_ends(void)
{
    struct client cl;
    struct popper p[4] = {{.lines = "blpop q w 0.02"},
                          {.lines = "blpop q q 0"},
                          {.lines = "blpop q 0"},
                          {.lines = "blpop q 0;get a"}};
    client_init(&cl);
    spawn(popper, &p[0]);
    join_to(0);
    GOT(&p[0], "*-1 ");
    CHECK(ks_waiting_keys() == 0);
    for (int i = 1; i < 4; i++) {
        spawn(popper, &p[i]);
        wait_for_blocked(i);
    }
    wake_for(&p[1], RT_ECANCELED, false);
    join_to(2);
    wake_for(&p[2], RT_ECANCELED, true);
    join_to(1);
    wake_for(&p[3], RT_ECLOSED, false);
    join_to(0);
    GOT(&p[1], "*-1 ");
    GOT(&p[2], "-UNBLOCKED client unblocked via CLIENT UNBLOCK ");
    GOT(&p[3], "");
    CHECK(ks_waiting_keys() == 0);
    EXPECT(&cl, "rpush q 1;llen q", ":1 :1 ");
    client_free(&cl);
}

static void waits_end_by_timeout_unblocking_and_disconnect(void **state)
{
    in_runtime(other_ends);
}

/* A push serves a mover, whose target serves the next, over partitions. */
static void chains(void)
{
    struct client cl;
    struct popper p[3] = {{.lines = "blmove a b left right 0"},
                          {.lines = "blmove b c left right 0"},
                          {.lines = "blpop c 0"}};
    client_init(&cl);
    for (int i = 0; i < 3; i++)
        spawn(popper, &p[i]);
    wait_for_blocked(3);
    EXPECT(&cl, "rpush a x", ":1 ");
    join_to(0);
    GOT(&p[0], "$1 x ");
    GOT(&p[1], "$1 x ");
    GOT(&p[2], "*2 $1 c $1 x ");
    EXPECT(&cl, "exists a b c", ":0 ");
    client_free(&cl);
}

static void movers_that_wait_serve_each_other(void **state)
{
    in_runtime(chains);
}

#define RACERS 6
#define RACES  150
static _Atomic(int) popped;

static void racer(void *arg)
{
    struct client cl;
    client_init(&cl);
    for (int i = 0; i < RACES; i++) {
        send_lines(&cl, i % 3 ? "blpop r1 r2 r3 0.001" : "blpop r3 r1 0.002");
        if (strncmp(replies(&cl), "*2 ", 3) == 0) atomic_fetch_add(&popped, 1);
    }
    client_free(&cl);
    ended();
}

static void feeder(void *arg)
{
    struct client cl;
    char line[32];
    client_init(&cl);
    for (int i = 0; i < RACES; i++) {
        snprintf(line, sizeof line, "rpush r%d x", i % 3 + 1);
        send_lines(&cl, line);
        replies(&cl);
        co_sleep(MS / 2);
    }
    client_free(&cl);
    ended();
}

static void races(void)
{
    struct client cl;
    client_init(&cl);
    atomic_store(&popped, 0);
    for (int i = 0; i < RACERS; i++)
        spawn(racer, NULL);
    for (int i = 0; i < 2; i++)
        spawn(feeder, NULL);
    join_to(0);
    int left = 0;
    send_lines(&cl, "llen r1;llen r2;llen r3");
    for (const char *p = replies(&cl); *p; p = strchr(p, ' ') + 1)
        left += atoi(p + 1);
    CHECK(atomic_load(&popped) + left == 2 * RACES);
    CHECK(ks_waiting_keys() == 0);
    client_free(&cl);
}

static void timeouts_that_race_with_pushes_lose_nothing(void **state)
{
    in_runtime(races);
}

/* ---- statistics ----------------------------------------------------------------------------- */

static struct command_stats stats_of(const char *name)
{
    struct command_stats st;
    command_stats(command_lookup(slice_str(name))->id, &st);
    return st;
}

static void count_code(const char *code, uint64_t n, void *arg)
{
    buf_addf(arg, "%s=%d ", code, (int)n);
}

static void counting(void)
{
    struct client cl;
    struct buf codes = {0};
    uint64_t buckets[LATENCY_BUCKETS], calls = 0;
    client_init(&cl);
    send_lines(&cl, "get a");
    commands_reset_stats();
    CHECK(commands_total() == 0 && stats_of("get").calls == 0);
    send_lines(&cl, "get a;get a;get;lpush l x;get l;nosuch;multi;tfail;get a;exec;mget a b");
    CHECK(stats_of("get").calls == 4 && stats_of("get").failed == 1 &&
          stats_of("get").rejected == 1);
    CHECK(stats_of("tfail").calls == 1 && stats_of("tfail").failed == 1);
    CHECK(stats_of("exec").calls == 1 && stats_of("exec").failed == 0);
    CHECK(stats_of("mget").calls == 1);
    CHECK(commands_total() == 9);
    command_errors_each(count_code, &codes);
    CHECK(strstr(buf_cstr(&codes), "ERR=2"));
    CHECK(strstr(codes.p, "WRONGTYPE=1") && strstr(codes.p, "BOOM=1"));
    CHECK(commands_error_total() == 4);
    command_latency(command_lookup(SLICE("get"))->id, buckets);
    for (int i = 0; i < LATENCY_BUCKETS; i++)
        calls += buckets[i];
    CHECK(calls == 4);
    CHECK(command_latency_percentile(command_lookup(SLICE("get"))->id, 50) > 0);
    buf_free(&codes);
    client_free(&cl);
}

static void calls_and_errors_are_counted(void **state)
{
    in_runtime(counting);
}

static void bounded_codes(void)
{
    struct buf codes = {0};
    char code[32];
    for (int i = 0; i < 300; i++) {
        snprintf(code, sizeof code, "CODE%d", i);
        stats_count_error(code);
    }
    command_errors_each(count_code, &codes);
    CHECK(strcmp(buf_cstr(&codes), "ERRORSTATS_DISABLED=1 ") == 0);
    commands_reset_stats();
    stats_count_error("ERR");
    buf_clear(&codes);
    command_errors_each(count_code, &codes);
    CHECK(strcmp(buf_cstr(&codes), "ERR=1 ") == 0);
    buf_free(&codes);
}

static void error_codes_are_bounded(void **state)
{
    in_runtime(bounded_codes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_run_is_refused),
        cmocka_unit_test(gates_are_asked_and_closing_stops),
        cmocka_unit_test(silenced_clients_get_no_reply),
        cmocka_unit_test(pipelines_run_in_order_over_partitions),
        cmocka_unit_test(a_hot_key_loses_nothing_between_workers),
        cmocka_unit_test(transactions_queue_and_run),
        cmocka_unit_test(a_changed_watched_key_fails_exec),
        cmocka_unit_test(transactions_are_atomic_over_partitions),
        cmocka_unit_test(blocked_clients_are_served_first_come_first_served),
        cmocka_unit_test(earlier_replies_are_sent_before_a_client_waits),
        cmocka_unit_test(waits_end_by_timeout_unblocking_and_disconnect),
        cmocka_unit_test(movers_that_wait_serve_each_other),
        cmocka_unit_test(timeouts_that_race_with_pushes_lose_nothing),
        cmocka_unit_test(calls_and_errors_are_counted),
        cmocka_unit_test(error_codes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
