/*
 * stats.c - what is counted: calls, their time and latency by command and worker; errors by code.
 *
 * A worker writes its own counters with plain (relaxed) stores; who asks adds them up. Resetting
 * writes none of them: it remembers the sums of that moment, and what is reported is the
 * difference.
 *
 * Errors are rare enough to be counted in one table of all workers. Its slots are claimed once and
 * their codes never freed, so that a reader needs no lock; claiming takes the mutex. A client that
 * makes up error codes (scripts can) must not fill memory: once the table is full it is emptied and
 * counts only that it is off, until it is reset.
 *
 * Invariants
 *  1. Counters of a worker are created by itself, at its first command, when all commands are
 * known.
 *  2. A slot's code is published with release order after the slot's count was zeroed.
 */
#include "commands/commands_internal.h"

#include <pthread.h>

#define WORKERS_MAX 1024 /* the first is for threads that are no worker */
#define CODES       128
#define CODES_OFF   "ERRORSTATS_DISABLED"

static struct worker_stats *_Atomic workers[WORKERS_MAX];
static _Atomic(unsigned) workers_end;                    /* behind the last that has counters */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards creation, base and new codes */
static struct sums {
    uint64_t ns, rejected, failed, blocked, latency[LATENCY_BUCKETS];
} *base; /* by command; NULL: never reset */
static _Atomic(uint64_t) base_calls;

static struct {
    _Atomic(const char *) code;
    _Atomic(uint64_t) count;
} codes[CODES + 1];
static _Atomic(bool) codes_off;
static _Atomic(uint64_t) errors_total;

/* ---- workers -------------------------------------------------------------------------------- */

static struct worker_stats *create(unsigned worker)
{
    size_t n = commands_count() * sizeof(struct command_counters);
    struct worker_stats *st = mem_calloc(sizeof *st + n);
    st->ns_per_cycle = (uint64_t)(clock_ns_per_cycle * (1 << 20));
    atomic_store_explicit(&workers[worker], st, memory_order_release);
    pthread_mutex_lock(&lock);
    unsigned end = MAX(atomic_load_explicit(&workers_end, memory_order_relaxed), worker + 1);
    atomic_store_explicit(&workers_end, end, memory_order_release);
    pthread_mutex_unlock(&lock);
    return st;
}

/* Not inlined: the worker may be another one at the next call in the same function. */
__attribute__((noinline)) struct worker_stats *stats_here(void)
{
    unsigned worker = rt_worker_id() + 1; /* UINT_MAX elsewhere, which becomes 0 */
    CHECK(worker < WORKERS_MAX);
    struct worker_stats *st = atomic_load_explicit(&workers[worker], memory_order_relaxed);
    return LIKELY(st != NULL) ? st : create(worker);
}

/* The milliseconds stay valid until the counter reaches the next one. */
int64_t stats_clock(struct worker_stats *st, uint64_t cycles)
{
    int64_t us = clock_unix_us();
    uint64_t left_ns = (uint64_t)(1000 - us % 1000) * 1000;
    st->now_ms = us / 1000;
    st->now_until = cycles + (left_ns << 20) / st->ns_per_cycle;
    return st->now_ms;
}

static uint64_t get(const _Atomic(uint64_t) *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static unsigned workers_known(void)
{
    return atomic_load_explicit(&workers_end, memory_order_acquire);
}

static void add_up(uint32_t id, struct sums *sum)
{
    memset(sum, 0, sizeof *sum);
    for (unsigned w = 0; w < workers_known(); w++) {
        struct worker_stats *st = atomic_load_explicit(&workers[w], memory_order_acquire);
        if (!st) continue;
        const struct command_counters *c = &st->commands[id];
        sum->ns += get(&c->ns);
        sum->rejected += get(&c->rejected);
        sum->failed += get(&c->failed);
        sum->blocked += get(&c->blocked);
        for (int i = 0; i < LATENCY_BUCKETS; i++)
            sum->latency[i] += get(&c->latency[i]);
    }
}

static void subtract(struct sums *sum, const struct sums *old)
{
    sum->ns -= old->ns;
    sum->rejected -= old->rejected;
    sum->failed -= old->failed;
    sum->blocked -= old->blocked;
    for (int i = 0; i < LATENCY_BUCKETS; i++)
        sum->latency[i] -= old->latency[i];
}

static void since_reset(uint32_t id, struct sums *sum)
{
    add_up(id, sum);
    pthread_mutex_lock(&lock);
    if (base) subtract(sum, &base[id]);
    pthread_mutex_unlock(&lock);
}

static uint64_t sum_calls(const struct sums *sum)
{
    uint64_t calls = 0;
    for (int i = 0; i < LATENCY_BUCKETS; i++)
        calls += sum->latency[i];
    return calls;
}

/* ---- commands ------------------------------------------------------------------------------- */

void command_stats(uint32_t id, struct command_stats *out)
{
    struct sums sum;
    since_reset(id, &sum);
    *out = (struct command_stats){sum_calls(&sum), sum.ns / 1000, sum.rejected, sum.failed};
}

void command_latency(uint32_t id, uint64_t buckets[LATENCY_BUCKETS])
{
    struct sums sum;
    since_reset(id, &sum);
    memcpy(buckets, sum.latency, sizeof sum.latency);
}

/* Within a bucket the calls are taken to be spread evenly. */
double command_latency_percentile(uint32_t id, double percentile)
{
    uint64_t buckets[LATENCY_BUCKETS], calls = 0, below = 0;
    command_latency(id, buckets);
    for (int i = 0; i < LATENCY_BUCKETS; i++)
        calls += buckets[i];
    double wanted = (double)calls * percentile / 100;
    for (int i = 0; i < LATENCY_BUCKETS; i++) {
        if (buckets[i] == 0) continue;
        if ((double)(below + buckets[i]) >= wanted) {
            double low = i ? (double)(1ull << (i - 1)) : 0, high = (double)(1ull << MIN(i, 62));
            double part = (wanted - (double)below) / (double)buckets[i];
            return (low + (high - low) * part) / 1000;
        }
        below += buckets[i];
    }
    return 0;
}

static uint64_t sum_of(size_t offset)
{
    uint64_t sum = 0;
    for (unsigned w = 0; w < workers_known(); w++) {
        struct worker_stats *st = atomic_load_explicit(&workers[w], memory_order_acquire);
        if (st) sum += get((_Atomic(uint64_t) *)((char *)st + offset));
    }
    return sum;
}

uint64_t commands_total(void)
{
    uint64_t before = atomic_load_explicit(&base_calls, memory_order_relaxed);
    return sum_of(offsetof(struct worker_stats, calls)) - before;
}

uint64_t commands_dirty(void)
{
    return sum_of(offsetof(struct worker_stats, dirty));
}

/* ---- errors --------------------------------------------------------------------------------- */

static bool bump_known(const char *code)
{
    for (int i = 0; i <= CODES; i++) {
        const char *known = atomic_load_explicit(&codes[i].code, memory_order_acquire);
        if (!known) return false;
        if (strcmp(known, code) != 0) continue;
        atomic_fetch_add_explicit(&codes[i].count, 1, memory_order_relaxed);
        return true;
    }
    return false;
}

static void claim(int slot, const char *code, uint64_t n)
{
    atomic_store_explicit(&codes[slot].count, n, memory_order_relaxed);
    atomic_store_explicit(&codes[slot].code, code, memory_order_release);
}

static void forget_codes(void)
{
    for (int i = CODES; i >= 0; i--)
        claim(i, NULL, 0);
}

static void bump_new(const char *code)
{
    int i = 0;
    while (i < CODES && atomic_load_explicit(&codes[i].code, memory_order_relaxed))
        i++;
    if (i < CODES) {
        claim(i, mem_strdup(code), 1);
        return;
    }
    log_write(LOG_WARNING,
              "More than %d different error codes were replied; they are counted no longer until "
              "CONFIG RESETSTAT. The last one was '%s'.",
              CODES, code);
    forget_codes();
    claim(0, CODES_OFF, 1);
    atomic_store_explicit(&codes_off, true, memory_order_relaxed);
}

void stats_count_error(const char *code)
{
    atomic_fetch_add_explicit(&errors_total, 1, memory_order_relaxed);
    if (atomic_load_explicit(&codes_off, memory_order_relaxed) || bump_known(code)) return;
    pthread_mutex_lock(&lock);
    if (!bump_known(code)) bump_new(code);
    pthread_mutex_unlock(&lock);
}

void commands_count_error(const char *code)
{
    stats_count_error(code);
}

uint64_t commands_error_total(void)
{
    return get(&errors_total);
}

void command_errors_each(void (*fn)(const char *code, uint64_t count, void *arg), void *arg)
{
    for (int i = 0; i <= CODES; i++) {
        const char *code = atomic_load_explicit(&codes[i].code, memory_order_acquire);
        if (!code) return;
        uint64_t n = get(&codes[i].count);
        if (n) fn(code, n, arg);
    }
}

/* Known codes stay in their slots unless the table had been switched off. */
static void reset_errors(void)
{
    if (atomic_load_explicit(&codes_off, memory_order_relaxed)) {
        forget_codes();
        atomic_store_explicit(&codes_off, false, memory_order_relaxed);
    }
    for (int i = 0; i <= CODES; i++)
        atomic_store_explicit(&codes[i].count, 0, memory_order_relaxed);
    atomic_store_explicit(&errors_total, 0, memory_order_relaxed);
}

void commands_reset_stats(void)
{
    pthread_mutex_lock(&lock);
    if (!base) base = mem_calloc(commands_count() * sizeof *base);
    for (uint32_t id = 0; id < commands_count(); id++)
        add_up(id, &base[id]);
    atomic_store_explicit(&base_calls, sum_of(offsetof(struct worker_stats, calls)),
                          memory_order_relaxed);
    reset_errors();
    pthread_mutex_unlock(&lock);
}
