/*
 * bench-engine.c - the engine without the network: requests are parsed from memory, executed, and
 * their replies built and dropped. `make bench-engine` prints
 *
 *   - nanoseconds of CPU a command for GET and SET on random keys, one worker and two, and how that
 *     scales compared to a loop of independent random reads of memory in the same run: what is lost
 *     there the machine loses, not the engine;
 *   - commands a second of one hot key, one worker and two, by the clock on the wall, since waiting
 *     counts there (so the machine must have two idle cores); and the CPU a command takes, of both.
 *
 * A worker is driven by several coroutines that take turns, as connections do. What they send is
 * prepared before the measurement and copied to where a read would have put it.
 *
 *   bench-engine [keys [milliseconds a measurement [rounds [part of a measurement's name]]]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "commands/commands.h"

#define WORKERS  2
#define CLIENTS  8     /* a worker */
#define REQUESTS 16384 /* prepared for each client, then again from the start */
#define KEY_SIZE 16
#define ROUNDS   15

enum workload { GET_RANDOM, SET_RANDOM, INCR_HOT, GET_HOT, READ_MEMORY };

static const struct resp_limits limits = {512u << 20, 1u << 30, INT32_MAX, true};
static size_t keys = 1000000;
static int64_t window_ms = 300;
static unsigned rounds = 5;
static const char *only = ""; /* measurements with this in their name */

struct run { /* of one measurement */
    enum workload load;
    unsigned pipeline, workers;
    int64_t end_ns;
    _Atomic(int) left;
    _Atomic(uint64_t) commands[WORKERS];
    double cpu_ns[WORKERS], wall_ns;
};

struct driver {
    struct run *run;
    unsigned worker, id;
    char *input;
    size_t request_size;
};

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- what is sent --------------------------------------------------------------------------- */

static void add_request(struct buf *b, enum workload load, uint64_t key)
{
    static const char value[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    switch (load) {
    case GET_RANDOM: buf_addf(b, "*2\r\n$3\r\nGET\r\n$16\r\nkey:%012zu\r\n", (size_t)key); break;
    case SET_RANDOM:
        buf_addf(b, "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012zu\r\n$64\r\n%s\r\n", (size_t)key, value);
        break;
    case INCR_HOT: buf_addz(b, "*2\r\n$4\r\nINCR\r\n$7\r\ncounter\r\n"); break;
    default: buf_addz(b, "*2\r\n$3\r\nGET\r\n$7\r\ncounter\r\n"); break;
    }
}

static void prepare(struct driver *d)
{
    struct buf b = {0};
    for (size_t i = 0; i < REQUESTS; i++)
        add_request(&b, d->run->load, rand_below(keys));
    d->input = b.p;
    d->request_size = b.n / REQUESTS;
}

/* ---- driving -------------------------------------------------------------------------------- */

static void feed(struct resp_parser *ps, const char *from, size_t n)
{
    while (n) {
        char *p;
        size_t room;
        resp_space(ps, &p, &room);
        room = MIN(room, n);
        memcpy(p, from, room);
        resp_fed(ps, room);
        from += room;
        n -= room;
    }
}

/* One read's worth: parsed, executed, replied. */
static void one_batch(struct caller *caller, struct resp_parser *ps, struct request *batch,
                      unsigned n)
{
    bool full;
    unsigned got = 0;
    while (got < n && resp_next(ps, &limits, &batch[got], &full) == RESP_REQUEST)
        got++;
    CHECK(got == n && commands_run(caller, batch, n) == n);
    resp_release(ps);
    reply_clear(caller->reply);
}

static uint64_t drive_requests(struct driver *d)
{
    struct request batch[128];
    struct reply reply;
    struct caller caller;
    struct resp_parser *ps = resp_parser_get();
    unsigned n = d->run->pipeline;
    uint64_t done = 0;
    size_t at = 0;
    reply_init(&reply);
    caller_init(&caller, &reply, d->id);
    while (rt_now_cached() < d->run->end_ns) {
        feed(ps, d->input + at * d->request_size, n * d->request_size);
        one_batch(&caller, ps, batch, n);
        done += n;
        at = at + 2 * n <= REQUESTS ? at + n : 0;
        co_yield();
    }
    CHECK(reply.errors == 0);
    resp_parser_put(ps);
    return done;
}

/* ---- the control: independent reads --------------------------------------------------------- */

static uint64_t *memory;
static size_t memory_words; /* a power of two */

static uint64_t drive_reads(struct driver *d)
{
    static _Atomic(uint64_t) sink;
    uint64_t x = rand_u64() | 1, sum = 0, done = 0;
    while (rt_now_cached() < d->run->end_ns) {
        for (unsigned i = 0; i < 1024; i++) {
            x = x * 6364136223846793005ull + 1442695040888963407ull;
            sum += memory[(x >> 30) & (memory_words - 1)];
        }
        done += 1024;
        co_yield();
    }
    atomic_fetch_add(&sink, sum);
    return done;
}

static void map_memory(void)
{
    memory_words = 1;
    while (memory_words * 8 < keys * 128)
        memory_words *= 2; /* about what the keys take */
    memory = mem_alloc(memory_words * 8);
    for (size_t i = 0; i < memory_words; i++)
        memory[i] = i;
}

/* ---- measurements --------------------------------------------------------------------------- */

static void drive(void *arg)
{
    struct driver *d = arg;
    struct run *run = d->run;
    bool first = d->id % CLIENTS == 0;
    double cpu = first ? cpu_now() : 0;
    uint64_t done = run->load == READ_MEMORY ? drive_reads(d) : drive_requests(d);
    atomic_fetch_add(&run->commands[d->worker], done);
    if (first) run->cpu_ns[d->worker] = cpu_now() - cpu;
    atomic_fetch_sub(&run->left, 1);
}

static void measure(struct run *run)
{
    struct driver drivers[WORKERS * CLIENTS];
    unsigned n = run->workers * CLIENTS;
    for (unsigned i = 0; i < n; i++) {
        drivers[i] = (struct driver){.run = run, .worker = i / CLIENTS, .id = i};
        if (run->load != READ_MEMORY) prepare(&drivers[i]);
    }
    int64_t start = rt_now();
    run->end_ns = start + window_ms * 1000000;
    atomic_store(&run->left, (int)n);
    for (unsigned i = 0; i < n; i++) {
        /* The coroutine that waits here is on some worker too, but sleeps. */
        CHECK(co_spawn_pinned(drivers[i].worker, "driver", drive, &drivers[i]) == RT_OK);
    }
    while (atomic_load(&run->left) > 0)
        co_sleep(1000000);
    run->wall_ns = (double)(rt_now() - start);
    for (unsigned i = 0; i < n; i++)
        mem_free(drivers[i].input);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
    qsort(v, n, sizeof *v, compare);
    return v[n / 2];
}

/* Commands a second: by CPU the sum of what each worker does in a second of its own time. *cpu_ns:
 * what a command took, all workers together. */
static double rate(enum workload load, unsigned pipeline, unsigned workers, bool by_cpu,
                   double *cpu_ns)
{
    struct run run = {.load = load, .pipeline = pipeline, .workers = workers};
    double total = 0, sum = 0, cpu = 0;
    measure(&run);
    for (unsigned w = 0; w < workers; w++) {
        double n = (double)atomic_load(&run.commands[w]);
        sum += n / run.cpu_ns[w] * 1e9;
        total += n;
        cpu += run.cpu_ns[w];
    }
    *cpu_ns = cpu / total;
    return by_cpu ? sum : total / run.wall_ns * 1e9;
}

/* One and two workers in turns, so that both see the same machine. */
struct pair {
    double rate[WORKERS][ROUNDS], cpu_ns[WORKERS][ROUNDS];
};

static void one_round(struct pair *p, unsigned round, enum workload load, unsigned pipeline,
                      bool by_cpu)
{
    for (unsigned w = 0; w < WORKERS; w++)
        p->rate[w][round] = rate(load, pipeline, w + 1, by_cpu, &p->cpu_ns[w][round]);
}

static double scaling(struct pair *p)
{
    return median(p->rate[1], rounds) / median(p->rate[0], rounds);
}

/* The control takes its turns between those of the load: what the machine gives changes by the
 * minute. Before the first round that counts one warms up caches and page tables. */
static void report_random(const char *name, enum workload load, unsigned pipeline)
{
    struct pair control, p;
    if (!strstr(name, only)) return;
    for (unsigned i = 0; i <= rounds; i++) {
        one_round(&control, i ? i - 1 : 0, READ_MEMORY, 1, true);
        one_round(&p, i ? i - 1 : 0, load, pipeline, true);
    }
    double read = scaling(&control), scales = scaling(&p);
    printf("%-24s %8.1f ns %8.1f ns   scales %.2f, a random read (%.1f ns) %.2f: %.2f of it\n",
           name, median(p.cpu_ns[0], rounds), median(p.cpu_ns[1], rounds), scales,
           median(control.cpu_ns[0], rounds), read, scales / read);
    fflush(stdout);
}

static void report_hot(const char *name, enum workload load, unsigned pipeline)
{
    struct pair p;
    if (!strstr(name, only)) return;
    for (unsigned i = 0; i < rounds; i++)
        one_round(&p, i, load, pipeline, false);
    double does = scaling(&p); /* sorts the rates */
    printf("%-24s %8.2f M/s %7.2f M/s  two do %.2f of one   CPU %.0f ns, %.0f ns\n", name,
           p.rate[0][rounds / 2] / 1e6, p.rate[1][rounds / 2] / 1e6, does,
           median(p.cpu_ns[0], rounds), median(p.cpu_ns[1], rounds));
    fflush(stdout);
}

static void load_keys(void)
{
    struct reply reply;
    struct caller caller;
    struct resp_parser *ps = resp_parser_get();
    struct request batch[1];
    reply_init(&reply);
    caller_init(&caller, &reply, 0);
    for (size_t i = 0; i < keys; i++) {
        struct buf b = {0};
        add_request(&b, SET_RANDOM, i);
        feed(ps, b.p, b.n);
        one_batch(&caller, ps, batch, 1);
        buf_free(&b);
        if (i % 1000 == 0) co_yield();
    }
    resp_parser_put(ps);
}

static void bench(void *arg)
{
    keyspace_start();
    load_keys();
    map_memory();
    printf("%zu keys of %d bytes with values of 64; %d clients a worker; median of %u\n\n", keys,
           KEY_SIZE, CLIENTS, rounds);
    printf("CPU a command               1 worker    2 workers\n");
    report_random("GET, pipeline of 16", GET_RANDOM, 16);
    report_random("SET, pipeline of 16", SET_RANDOM, 16);
    report_random("GET, pipeline of 100", GET_RANDOM, 100);
    report_random("GET, one by one", GET_RANDOM, 1);
    report_random("SET, one by one", SET_RANDOM, 1);
    printf("\nOne hot key, on the wall    1 worker    2 workers\n");
    report_hot("GET, pipeline of 16", GET_HOT, 16);
    report_hot("INCR, pipeline of 16", INCR_HOT, 16);
    report_hot("GET, one by one", GET_HOT, 1);
    report_hot("INCR, one by one", INCR_HOT, 1);
    rt_stop();
}

int main(int argc, char **argv)
{
    struct rt_config config = {.workers = WORKERS};
    struct keyspace_config ks = {.databases = 16};
    if (argc > 1) keys = strtoul(argv[1], NULL, 10);
    if (argc > 2) window_ms = strtol(argv[2], NULL, 10);
    if (argc > 3) rounds = (unsigned)MIN(strtoul(argv[3], NULL, 10), (unsigned long)ROUNDS);
    if (argc > 4) only = argv[4];
    clock_init();
    hash_init();
    keyspace_init(&ks);
    commands_init();
    return rt_run(&config, bench, NULL) == RT_OK ? 0 : 1;
}
