/*
 * bench-table.c - what the hash table and ownership cost, without parsing and network.
 *
 *   bench-table [keys ...]      (default: 2000000)
 *
 * For each number of keys: ns for an insertion, a lookup that finds or misses (of random keys, one
 * after the other), a deletion; bytes of buckets a key; resident bytes a key (16-byte key, 64-byte
 * value); the slowest 64 insertions in a row, beside the slowest two pages of a loop that only
 * writes as much fresh memory: what that shows the machine takes, not the table. These times are of
 * this thread's processor, so that others on the machine disturb them less. The resident bytes are
 * right for the first number only: later ones use again what the allocator has kept. Then, in
 * elapsed time: taking and letting go of a partition, and one hot partition with one worker and
 * with two, by owning and by delegating.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "keyspace/keyspace_internal.h"

#define NOW    INT64_C(1)
#define PROBES 2000000
#define HOT    (1 << 20)

static char value[64];

static struct key name(char *buf, uint64_t id)
{
    return key_of(slice_of(buf, (size_t)sprintf(buf, "key:%012lu", id)));
}

static int64_t cpu_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static double cpu_since(int64_t start, uint64_t n)
{
    return (double)(cpu_now() - start) / (double)n;
}

static double since(int64_t start, uint64_t n)
{
    return (double)(rt_now() - start) / (double)n;
}

static void with(uint64_t id, void (*fn)(struct part *p, const struct key *k))
{
    char buf[32];
    struct key k = name(buf, id);
    struct part *p = keyspace_part(k.part);
    part_own(p);
    fn(p, &k);
    part_disown(p);
}

static void insert(struct part *p, const struct key *k)
{
    ks_add(p, 0, k, entry_new_string(k->s, slice_of(value, sizeof value), ENTRY_NO_EXPIRE));
}

static void find(struct part *p, const struct key *k)
{
    ks_find(p, 0, k, NOW, 0);
}

static void erase(struct part *p, const struct key *k)
{
    ks_delete(p, 0, k, ks_find(p, 0, k, NOW, 0), false);
}

static void nothing(struct part *p, const struct key *k) {}

static double lookups(uint64_t from, uint64_t n, void (*fn)(struct part *p, const struct key *k))
{
    int64_t start = cpu_now();
    for (int i = 0; i < PROBES; i++)
        with(from + rand_below(n), fn);
    return cpu_since(start, PROBES);
}

static double bucket_bytes(void)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < keyspace_parts(); i++) {
        const struct table *t = part__table(keyspace_part(i), 0);
        if (!t) continue;
        bytes += count_get(&t->n) * sizeof(struct bucket);
        bytes += (t->lines + t->spares) * sizeof(struct line);
    }
    return (double)bytes / (double)ks_size(0);
}

/* Us that the slowest two pages of `bytes` of fresh memory took to be written. */
static long slowest_write(size_t bytes)
{
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int64_t slowest = 0, last = cpu_now();
    if (memory == MAP_FAILED) return -1;
    for (size_t i = 0; i < bytes; i += CACHE_LINE) {
        memory[i] = 1;
        if (i % 8192) continue;
        int64_t now = cpu_now();
        slowest = MAX(slowest, now - last);
        last = now;
    }
    munmap(memory, bytes);
    return (long)(slowest / 1000);
}

static void measure(uint64_t n)
{
    long control = slowest_write(n * 110);
    size_t rss = mem_rss();
    int64_t slowest = 0, start = cpu_now(), last = start;
    for (uint64_t id = 0; id < n; id++) {
        with(id, insert);
        if (id % 64) continue;
        int64_t now = cpu_now();
        slowest = MAX(slowest, now - last);
        last = now;
    }
    double add = cpu_since(start, n), resident = (double)(mem_rss() - rss) / (double)n;
    double base = lookups(0, n, nothing), hit = lookups(0, n, find) - base;
    double miss = lookups(n, n, find) - base, buckets = bucket_bytes();
    start = cpu_now();
    for (uint64_t id = 0; id < n; id++)
        with(id, erase);
    printf(
        "%9lu keys: insert %4.0f ns, hit %4.0f, miss %4.0f, delete %4.0f (hash and ownership: "
        "%.0f); "
        "%.2f bytes of buckets and %.1f resident a key; slowest 64 insertions %ld us, slowest two "
        "pages written %ld us\n",
        n, add, hit, miss, cpu_since(start, n), base, buckets, resident, (long)(slowest / 1000),
        control);
}

/* ---- ownership --------------------------------------------------------------------------------
 */

static _Atomic(unsigned) running;
static struct co *waiter;
static bool lend;
static uint64_t hot;

static void touch(struct part *p, void *arg)
{
    hot++;
    for (int i = 0; i < 30; i++)
        __asm__ volatile(""); /* a short command */
}

static void hammer(void *arg)
{
    struct part *p = keyspace_part(0);
    for (int i = 0; i < HOT; i++) {
        if (lend) {
            part_delegate(p, touch, NULL);
        } else {
            part_own(p);
            touch(p, NULL);
            part_disown(p);
        }
        if (i % 16 == 0) co_yield();
    }
    if (atomic_fetch_sub(&running, 1) == 1) co_ready(waiter);
}

static void hot_key(const char *what, unsigned coroutines)
{
    int64_t start = rt_now();
    waiter = co_self();
    atomic_store(&running, coroutines);
    for (unsigned i = 0; i < coroutines; i++)
        co_spawn_on(i % rt_worker_count(), "hammer", hammer, NULL);
    while (atomic_load(&running))
        co_park(RT_NEVER);
    printf("one hot partition, %u worker(s), %u coroutines, %s: %.1f ns an operation\n",
           rt_worker_count(), coroutines, what, since(start, (uint64_t)coroutines * HOT));
}

static void contention(void *arg)
{
    for (int i = 0; i < 2; i++) {
        lend = i;
        hot_key(lend ? "delegating" : "owning", 8);
    }
    rt_stop();
}

static void tables(void *arg)
{
    char **argv = arg;
    if (!argv[1]) measure(2000000);
    for (int i = 1; argv[i]; i++)
        measure(strtoull(argv[i], NULL, 10));
    int64_t start = rt_now();
    for (int i = 0; i < 10000000; i++) {
        part_own(keyspace_part(1));
        part_disown(keyspace_part(1));
    }
    printf("own and disown: %.1f ns\n", since(start, 10000000));
    rt_stop();
}

int main(int argc, char **argv)
{
    clock_init();
    hash_init();
    mem_thread_attach();
    keyspace_init(&(struct keyspace_config){.partitions = 64, .databases = 16});
    rt_run(&(struct rt_config){.workers = 1}, tables, argv);
    rt_run(&(struct rt_config){.workers = 1}, contention, NULL);
    rt_run(&(struct rt_config){.workers = 2}, contention, NULL);
    return 0;
}
