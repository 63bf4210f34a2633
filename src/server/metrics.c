/*
 * metrics.c - counters, a row a worker; and a ring of samples for rates.
 *
 * Resetting cannot write the workers' rows, so it notes what they were: metrics_get() is the sum
 * less that note.
 */
#include "server/metrics.h"

#include "commands/commands.h"
#include "runtime/runtime.h"

#define ROWS    1024
#define SAMPLES 16

struct row {
    _Atomic(uint64_t) n[METRIC_COUNT];
} ALIGNED(CACHE_LINE);

static struct row rows[ROWS];
static _Atomic(uint64_t) base[METRIC_COUNT];
static int64_t started_ms, started_mono_ms;

struct sample {
    int64_t ns;
    uint64_t commands, in, out;
};
static struct sample samples[SAMPLES]; /* cron alone */
static unsigned next_sample, nsamples;
static _Atomic(uint64_t) ops_per_s, in_per_s, out_per_s;

void metrics_start(void)
{
    started_ms = clock_unix_ms();
    started_mono_ms = rt_now() / 1000000;
}

int64_t metrics_started_ms(void)
{
    return started_ms;
}

int64_t metrics_started_mono_ms(void)
{
    return started_mono_ms;
}

static inline void bump(_Atomic(uint64_t) *counter, uint64_t n)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

static inline struct row *row_here(void)
{
    return &rows[MIN(rt_worker_id(), ROWS - 1u)];
}

/* Never inlined: the row is that of the thread that runs now. */
__attribute__((noinline)) void metrics_add(enum metric m, uint64_t n)
{
    bump(&row_here()->n[m], n);
}

__attribute__((noinline)) void metrics_received(uint64_t n)
{
    struct row *row = row_here();
    bump(&row->n[METRIC_NET_IN], n);
    bump(&row->n[METRIC_READS], 1);
}

__attribute__((noinline)) void metrics_sent(uint64_t n)
{
    struct row *row = row_here();
    bump(&row->n[METRIC_NET_OUT], n);
    bump(&row->n[METRIC_WRITES], 1);
}

static uint64_t sum(enum metric m)
{
    uint64_t n = 0;
    unsigned workers = MIN(rt_worker_count(), (unsigned)ROWS);
    for (unsigned i = 0; i < workers; i++) {
        n += atomic_load_explicit(&rows[i].n[m], memory_order_relaxed);
    }
    return n;
}

uint64_t metrics_get(enum metric m)
{
    return sum(m) - atomic_load_explicit(&base[m], memory_order_relaxed);
}

void metrics_reset(void)
{
    for (int m = 0; m < METRIC_COUNT; m++) {
        atomic_store_explicit(&base[m], sum((enum metric)m), memory_order_relaxed);
    }
}

/* ---- rates ------------------------------------------------------------------------------------
 */

static uint64_t per_second(uint64_t from, uint64_t to, int64_t ns)
{
    if (to < from || ns <= 0) return 0; /* the counters were reset in between */
    return (uint64_t)((double)(to - from) * 1e9 / (double)ns);
}

void metrics_sample(void)
{
    struct sample now = {rt_now(), commands_total(), sum(METRIC_NET_IN), sum(METRIC_NET_OUT)};
    unsigned span = MIN(nsamples, (unsigned)SAMPLES);
    if (span) {
        const struct sample *old = &samples[(next_sample + SAMPLES - span) % SAMPLES];
        int64_t ns = now.ns - old->ns;
        atomic_store_explicit(&ops_per_s, per_second(old->commands, now.commands, ns),
                              memory_order_relaxed);
        atomic_store_explicit(&in_per_s, per_second(old->in, now.in, ns), memory_order_relaxed);
        atomic_store_explicit(&out_per_s, per_second(old->out, now.out, ns), memory_order_relaxed);
    }
    samples[next_sample] = now;
    next_sample = (next_sample + 1) % SAMPLES;
    nsamples++;
}

void metrics_rates(struct metrics_rates *out)
{
    out->ops_per_s = atomic_load_explicit(&ops_per_s, memory_order_relaxed);
    out->input_kbps = (double)atomic_load_explicit(&in_per_s, memory_order_relaxed) / 1024;
    out->output_kbps = (double)atomic_load_explicit(&out_per_s, memory_order_relaxed) / 1024;
}
