/*
 * history.c - concurrent clients whose observations must be explained by some serial order.
 *
 *   history [SECONDS]      default 5
 *
 * Every scenario is a group of threads, each with a connection, on keys of its own; all but the
 * last run at the same time. What each observes has an invariant that every serial order keeps:
 *
 *   transfers   MULTI/EXEC moves money between accounts; every reader sees the same sum, and the
 * two readings of one transaction are equal versions    MSET writes one version to ten keys; MGET
 * sees one version, and never a writer's older version after a newer one of it renames     one
 * token is renamed around eight keys; EXISTS and MGET find it exactly once moves       LMOVE
 * carries twelve elements around four lists; MULTI/LLEN/EXEC counts twelve increments
 * WATCH/GET/MULTI/SET/EXEC beside INCR: no increment is lost handover    RPUSH to BLPOP over three
 * lists: every element is delivered once, and each consumer gets the elements that a producer put
 * into a list in their order chain       RPUSH to BLMOVE to BLPOP: the single consumer gets each
 * producer's elements in order flushes     MSET beside FLUSHALL and SWAPDB: MGET sees all of a
 * version or nothing
 */
#include "testing.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>

#define ACCOUNTS      16
#define START_BALANCE 1000
#define VERSION_KEYS  10
#define PRODUCERS     3
#define CONSUMERS     3
#define MAX_ELEMENTS  400000
#define MAX_WRITERS   4

struct scenario {
    const char *name;
    atomic_long ops, violations;
};

struct worker {
    pthread_t thread;
    struct scenario *sc;
    redisContext *c;
    int id;
    uint64_t rng;
};

enum { TRANSFERS, VERSIONS, RENAMES, MOVES, INCREMENTS, HANDOVER, CHAIN, FLUSHES, SCENARIOS };

static struct scenario scenarios[SCENARIOS] = {
    {"transfers", 0, 0},  {"versions", 0, 0}, {"renames", 0, 0}, {"moves", 0, 0},
    {"increments", 0, 0}, {"handover", 0, 0}, {"chain", 0, 0},   {"flushes", 0, 0}};
static struct server server;
static atomic_bool stop;
static atomic_long increments;
static atomic_long produced[PRODUCERS], consumed, chained[PRODUCERS], chain_consumed;
static _Atomic unsigned char delivered[PRODUCERS][MAX_ELEMENTS];
static pthread_mutex_t print_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- tools ---------------------------------------------------------------------------------- */

static void violation(struct worker *w, const char *format, ...)
{
    va_list ap;
    if (atomic_fetch_add(&w->sc->violations, 1) >= 5) return;
    pthread_mutex_lock(&print_lock);
    printf("        %s: ", w->sc->name);
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
    pthread_mutex_unlock(&print_lock);
}

static long below(struct worker *w, long n)
{
    w->rng = w->rng * 6364136223846793005u + 1442695040888963407u;
    return (long)((w->rng >> 33) % (uint64_t)n);
}

/* One command; a lost connection ends the run. */
static redisReply *take(struct worker *w, redisReply *r)
{
    if (r) {
        atomic_fetch_add_explicit(&w->sc->ops, 1, memory_order_relaxed);
        return r;
    }
    printf("        %s: connection lost: %s\n", w->sc->name, w->c->errstr);
    server_show_log(&server);
    printf("0 passed, %d failed\n", SCENARIOS);
    exit(1);
}

static redisReply *ask(struct worker *w, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    redisReply *r = redisvCommand(w->c, format, ap);
    va_end(ap);
    return take(w, r);
}

static void do_ask(struct worker *w, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    redisReply *r = redisvCommand(w->c, format, ap);
    va_end(ap);
    freeReplyObject(take(w, r));
}

static redisReply *next_reply(struct worker *w)
{
    redisReply *r = NULL;
    redisGetReply(w->c, (void **)&r);
    return take(w, r);
}

static void skip_replies(struct worker *w, int n)
{
    while (n-- > 0)
        freeReplyObject(next_reply(w));
}

static redisReply *ask_keys(struct worker *w, const char *command, const char *prefix, int n)
{
    const char *argv[32] = {command};
    char names[31][24];
    for (int i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "%s%d", prefix, i);
        argv[i + 1] = names[i];
    }
    return take(w, redisCommandArgv(w->c, n + 1, argv, NULL));
}

/* ---- transfers ------------------------------------------------------------------------------ */

static void transfer(struct worker *w)
{
    long amount = below(w, 50), from = below(w, ACCOUNTS), to = below(w, ACCOUNTS);
    redisAppendCommand(w->c, "MULTI");
    redisAppendCommand(w->c, "DECRBY account:%ld %ld", from, amount);
    redisAppendCommand(w->c, "INCRBY account:%ld %ld", to, amount);
    redisAppendCommand(w->c, "EXEC");
    skip_replies(w, 4);
}

static void check_sum(struct worker *w, const redisReply *r)
{
    long sum = 0;
    for (size_t i = 0; i < r->elements; i++)
        sum += r->element[i]->str ? atol(r->element[i]->str) : 0;
    if (sum != ACCOUNTS * START_BALANCE) violation(w, "the sum of the accounts is %ld", sum);
}

static void audit(struct worker *w)
{
    redisReply *r = ask_keys(w, "MGET", "account:", ACCOUNTS);
    check_sum(w, r);
    freeReplyObject(r);
}

static void audit_twice(struct worker *w)
{
    do_ask(w, "MULTI");
    freeReplyObject(ask_keys(w, "MGET", "account:", ACCOUNTS));
    freeReplyObject(ask_keys(w, "MGET", "account:", ACCOUNTS));
    redisReply *r = ask(w, "EXEC");
    if (r->elements != 2) violation(w, "EXEC of two commands gave %zu replies", r->elements);
    for (size_t i = 0; i < r->elements; i++)
        check_sum(w, r->element[i]);
    for (size_t i = 0; r->elements == 2 && i < ACCOUNTS; i++) {
        if (strcmp(r->element[0]->element[i]->str, r->element[1]->element[i]->str) != 0)
            violation(w, "an account changed inside a transaction");
    }
    freeReplyObject(r);
}

static void run_transfers(struct worker *w)
{
    while (!stop) {
        if (w->id < 2)
            transfer(w);
        else if (w->id == 2)
            audit(w);
        else
            audit_twice(w);
    }
}

/* ---- versions ------------------------------------------------------------------------------- */

static void write_version(struct worker *w, const char *prefix, long version)
{
    const char *argv[1 + 2 * VERSION_KEYS] = {"MSET"};
    char names[VERSION_KEYS][16], value[32];
    snprintf(value, sizeof value, "%d:%ld", w->id, version);
    for (int i = 0; i < VERSION_KEYS; i++) {
        snprintf(names[i], sizeof names[i], "%s%d", prefix, i);
        argv[1 + 2 * i] = names[i];
        argv[2 + 2 * i] = value;
    }
    freeReplyObject(take(w, redisCommandArgv(w->c, 1 + 2 * VERSION_KEYS, argv, NULL)));
}

static const char *shown(const redisReply *r)
{
    return r->str ? r->str : "nil";
}

/* All keys must hold the same; the version, or NULL when there is none. */
static const char *one_version(struct worker *w, const redisReply *r)
{
    for (size_t i = 1; i < r->elements; i++) {
        if (strcmp(shown(r->element[0]), shown(r->element[i])) != 0)
            violation(w, "MGET saw %s and %s", shown(r->element[0]), shown(r->element[i]));
    }
    return r->element[0]->str;
}

static void read_versions(struct worker *w, const char *prefix, long *newest)
{
    int writer;
    long version;
    redisReply *r = ask_keys(w, "MGET", prefix, VERSION_KEYS);
    const char *text = one_version(w, r);
    if (text && sscanf(text, "%d:%ld", &writer, &version) == 2 && newest && writer < MAX_WRITERS) {
        if (version < newest[writer])
            violation(w, "version %ld of writer %d after %ld", version, writer, newest[writer]);
        newest[writer] = version;
    }
    freeReplyObject(r);
}

static void run_versions(struct worker *w)
{
    long newest[MAX_WRITERS] = {0};
    for (long version = 1; !stop; version++) {
        if (w->id < 2)
            write_version(w, "version:", version);
        else
            read_versions(w, "version:", newest);
    }
}

/* ---- renames and moves ---------------------------------------------------------------------- */

static void look_for_token(struct worker *w)
{
    redisReply *r = ask_keys(w, "EXISTS", "token:", 8);
    if (r->integer != 1) violation(w, "EXISTS counts %lld tokens", r->integer);
    freeReplyObject(r);
    r = ask_keys(w, "MGET", "token:", 8);
    int found = 0;
    for (size_t i = 0; i < r->elements; i++)
        found += r->element[i]->str && strcmp(r->element[i]->str, "token") == 0;
    if (found != 1) violation(w, "MGET finds %d tokens", found);
    freeReplyObject(r);
}

static void run_renames(struct worker *w)
{
    while (!stop) {
        if (w->id < 2)
            do_ask(w, "%s token:%ld token:%ld", below(w, 2) ? "RENAME" : "RENAMENX", below(w, 8),
                   below(w, 8));
        else
            look_for_token(w);
    }
}

static void count_elements(struct worker *w)
{
    redisAppendCommand(w->c, "MULTI");
    for (int i = 0; i < 4; i++)
        redisAppendCommand(w->c, "LLEN ring:%d", i);
    redisAppendCommand(w->c, "EXEC");
    skip_replies(w, 5);
    redisReply *r = next_reply(w);
    long sum = 0;
    for (size_t i = 0; i < r->elements; i++)
        sum += r->element[i]->integer;
    if (sum != 12) violation(w, "%ld elements in the ring", sum);
    freeReplyObject(r);
}

static void run_moves(struct worker *w)
{
    static const char *const ends[] = {"LEFT", "RIGHT"};
    while (!stop) {
        if (w->id < 2)
            do_ask(w, "LMOVE ring:%ld ring:%ld %s %s", below(w, 4), below(w, 4), ends[below(w, 2)],
                   ends[below(w, 2)]);
        else
            count_elements(w);
    }
}

/* ---- increments ----------------------------------------------------------------------------- */

static bool try_increment(struct worker *w)
{
    do_ask(w, "WATCH counter");
    redisReply *r = ask(w, "GET counter");
    long n = r->str ? atol(r->str) : 0;
    freeReplyObject(r);
    redisAppendCommand(w->c, "MULTI");
    redisAppendCommand(w->c, "SET counter %ld", n + 1);
    redisAppendCommand(w->c, "EXEC");
    skip_replies(w, 2);
    r = next_reply(w);
    bool done = r->type == REDIS_REPLY_ARRAY;
    freeReplyObject(r);
    return done;
}

static void run_increments(struct worker *w)
{
    while (!stop) {
        if (w->id < 3) {
            if (try_increment(w)) atomic_fetch_add(&increments, 1);
        } else {
            do_ask(w, "INCR counter");
            atomic_fetch_add(&increments, 1);
            sleep_ms(1);
        }
    }
}

/* ---- handover and chain --------------------------------------------------------------------- */

static void produce(struct worker *w)
{
    for (long seq = 0; !stop && seq < MAX_ELEMENTS; seq++) {
        long waiting = atomic_load(&produced[w->id]) * PRODUCERS - atomic_load(&consumed);
        if (waiting > 3000) sleep_ms(1);
        do_ask(w, "RPUSH hand:%ld %d:%ld", below(w, 3), w->id, seq);
        atomic_fetch_add(&produced[w->id], 1);
    }
}

static long all_of(atomic_long *n)
{
    long sum = 0;
    for (int i = 0; i < PRODUCERS; i++)
        sum += atomic_load(&n[i]);
    return sum;
}

/* One element that came out of list `list`; `newest` is what this consumer had of each producer
 * there. */
static void accept_element(struct worker *w, const char *text, long newest[PRODUCERS])
{
    int producer;
    long seq;
    if (sscanf(text, "%d:%ld", &producer, &seq) != 2 || producer >= PRODUCERS) {
        violation(w, "a strange element: %s", text);
        return;
    }
    if (seq <= newest[producer])
        violation(w, "element %d:%ld after %d:%ld", producer, seq, producer, newest[producer]);
    newest[producer] = seq;
    if (w->sc == &scenarios[HANDOVER] && atomic_fetch_add(&delivered[producer][seq], 1) != 0)
        violation(w, "element %d:%ld was delivered twice", producer, seq);
}

static void consume(struct worker *w)
{
    long newest[3][PRODUCERS];
    memset(newest, -1, sizeof newest);
    for (int idle = 0; idle < 20 && !(stop && atomic_load(&consumed) >= all_of(produced));) {
        redisReply *r = ask(w, "BLPOP hand:%d hand:%d hand:%d 0.5", w->id % 3, (w->id + 1) % 3,
                            (w->id + 2) % 3);
        if (r->type == REDIS_REPLY_ARRAY) {
            accept_element(w, r->element[1]->str, newest[atoi(r->element[0]->str + 5)]);
            atomic_fetch_add(&consumed, 1);
            idle = 0;
        } else {
            idle += stop;
        }
        freeReplyObject(r);
    }
}

static void run_handover(struct worker *w)
{
    if (w->id < PRODUCERS)
        produce(w);
    else
        consume(w);
}

static void chain_produce(struct worker *w)
{
    for (long seq = 0; !stop; seq++) {
        do_ask(w, "RPUSH chain:a %d:%ld", w->id, seq);
        atomic_fetch_add(&chained[w->id], 1);
        if (all_of(chained) - atomic_load(&chain_consumed) > 2000) sleep_ms(2);
    }
}

static void chain_move(struct worker *w)
{
    while (!(stop && atomic_load(&chain_consumed) >= all_of(chained))) {
        do_ask(w, "BLMOVE chain:a chain:b LEFT RIGHT 0.3");
        if (stop && w->sc->violations) return;
    }
}

static void chain_consume(struct worker *w)
{
    long newest[PRODUCERS];
    memset(newest, -1, sizeof newest);
    for (int idle = 0; idle < 20 && !(stop && atomic_load(&chain_consumed) >= all_of(chained));) {
        redisReply *r = ask(w, "BLPOP chain:b 0.5");
        if (r->type == REDIS_REPLY_ARRAY) {
            long before = newest[atoi(r->element[1]->str) % PRODUCERS];
            accept_element(w, r->element[1]->str, newest);
            if (newest[atoi(r->element[1]->str) % PRODUCERS] != before + 1)
                violation(w, "%s follows %ld", r->element[1]->str, before);
            atomic_fetch_add(&chain_consumed, 1);
            idle = 0;
        } else {
            idle += stop;
        }
        freeReplyObject(r);
    }
    if (atomic_load(&chain_consumed) < all_of(chained)) {
        violation(w, "%ld of %ld elements arrived", atomic_load(&chain_consumed), all_of(chained));
        atomic_store(&chain_consumed, all_of(chained));
    }
}

static void run_chain(struct worker *w)
{
    if (w->id < 2)
        chain_produce(w);
    else if (w->id == 2)
        chain_move(w);
    else
        chain_consume(w);
}

/* ---- flushes -------------------------------------------------------------------------------- */

static void run_flushes(struct worker *w)
{
    for (long version = 1; !stop; version++) {
        switch (w->id) {
        case 0:
        case 1: write_version(w, "flush:", version); break;
        case 2:
            if (below(w, 2))
                do_ask(w, "FLUSHALL %s", below(w, 2) ? "SYNC" : "ASYNC");
            else
                do_ask(w, "SWAPDB 0 1");
            sleep_ms((int)below(w, 5));
            break;
        default: read_versions(w, "flush:", NULL);
        }
    }
}

/* ---- the run -------------------------------------------------------------------------------- */

static const struct plan {
    void (*run)(struct worker *w);
    int threads;
} plans[SCENARIOS] = {
    [TRANSFERS] = {run_transfers, 4},   [VERSIONS] = {run_versions, 4},
    [RENAMES] = {run_renames, 3},       [MOVES] = {run_moves, 3},
    [INCREMENTS] = {run_increments, 4}, [HANDOVER] = {run_handover, PRODUCERS + CONSUMERS},
    [CHAIN] = {run_chain, 4},           [FLUSHES] = {run_flushes, 5},
};

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    plans[w->sc - scenarios].run(w);
    return NULL;
}

static int start(struct worker *workers, int n, int which)
{
    for (int i = 0; i < plans[which].threads; i++, n++) {
        struct worker *w = &workers[n];
        *w = (struct worker){.sc = &scenarios[which], .id = i, .c = connect_to(server.port)};
        w->rng = (uint64_t)now_ms() * 7919 + (uint64_t)n * 104729;
        if (!w->c || w->c->err) exit(2);
        pthread_create(&w->thread, NULL, worker_main, w);
    }
    return n;
}

static void run_phase(int first, int last, int ms)
{
    struct worker workers[64];
    int n = 0;
    stop = false;
    for (int i = first; i <= last; i++)
        n = start(workers, n, i);
    sleep_ms(ms);
    stop = true;
    for (int i = 0; i < n; i++) {
        pthread_join(workers[i].thread, NULL);
        redisFree(workers[i].c);
    }
}

static void prepare(struct worker *w)
{
    for (int i = 0; i < ACCOUNTS; i++)
        do_ask(w, "SET account:%d %d", i, START_BALANCE);
    do_ask(w, "SET token:0 token");
    for (int i = 0; i < 12; i++)
        do_ask(w, "RPUSH ring:0 %d", i);
}

/* What can be said only when all is over. */
static void check_ends(struct worker *w)
{
    w->sc = &scenarios[INCREMENTS];
    redisReply *r = ask(w, "GET counter");
    if (!r->str || atol(r->str) != increments)
        violation(w, "%s after %ld increments", shown(r), (long)increments);
    freeReplyObject(r);
    w->sc = &scenarios[HANDOVER];
    for (int p = 0; p < PRODUCERS; p++) {
        for (long seq = 0; seq < produced[p]; seq++) {
            if (delivered[p][seq] != 1)
                violation(w, "element %d:%ld was delivered %d times", p, seq, delivered[p][seq]);
        }
    }
}

static void report(void)
{
    for (int i = 0; i < SCENARIOS; i++) {
        struct scenario *sc = &scenarios[i];
        bool ok = sc->violations == 0 && sc->ops > 20;
        printf("  %s  %-10s %9ld commands, %ld violations\n", ok ? "ok  " : "FAIL", sc->name,
               (long)sc->ops, (long)sc->violations);
        ok ? tests_passed++ : tests_failed++;
    }
}

int main(int argc, char **argv)
{
    char *args[] = {"--worker-threads", "4", NULL};
    int seconds = argc > 1 ? atoi(argv[1]) : 5;
    bool redis = strstr(server_program(), "redis-server") != NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    server_start(&server, NULL, redis ? NULL : args);
    struct worker boss = {.sc = &scenarios[TRANSFERS], .c = connect_to(server.port)};
    prepare(&boss);
    run_phase(TRANSFERS, CHAIN, seconds * 1000);
    check_ends(&boss);
    run_phase(FLUSHES, FLUSHES, seconds * 300);
    redisFree(boss.c);
    report();
    server_stop(&server);
    return finish();
}
