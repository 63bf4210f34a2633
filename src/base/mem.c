/*
 * mem.c - the allocator behind mem_*(), and the sum of what the threads have taken.
 *
 *   registry (locked) --> thread --> thread --> ...     struct counters: taken, given back
 *                           |          |
 *                           v          v
 *                       jemalloc's counters of that thread (or ours, with the C library's
 * allocator)
 *
 * Invariants
 *  1. A thread's counters are written by that thread alone and only grow.
 *  2. While a thread is in the registry its counters are there: it leaves before it ends, and
 * leaves what it had in `ended`.
 *  3. taken - given back may be negative for one thread (it frees what others took), never for all
 * of them at one instant. A reader sums without stopping the writers, so it clamps at zero.
 *
 * The counters are read without order: each is one aligned word, and a sum that misses the
 * allocations of the last nanoseconds is as good as one taken a moment earlier.
 */
#include "base/base.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef WEFT_JEMALLOC
#include <jemalloc/jemalloc.h>
#else
#include <malloc.h>
#endif

/* ---- threads -------------------------------------------------------------------------------- */

struct thread {
    struct list_node node;
    uint64_t *taken, *given; /* NULL: not attached */
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list_node registry = {&registry, &registry};
static int64_t ended;
static atomic_size_t peak;
static _Thread_local struct thread self;

#ifdef WEFT_JEMALLOC
static void find_counters(struct thread *t)
{
    size_t size = sizeof t->taken;
    int err = mallctl("thread.allocatedp", &t->taken, &size, NULL, 0);
    if (!err) err = mallctl("thread.deallocatedp", &t->given, &size, NULL, 0);
    if (err) panic("the allocator keeps no counters: %s", strerror(err));
}
#else
static _Thread_local uint64_t own_taken, own_given;

static void find_counters(struct thread *t)
{
    t->taken = &own_taken;
    t->given = &own_given;
}

static void *count_taken(void *p)
{
    if (p) __atomic_fetch_add(&own_taken, malloc_usable_size(p), __ATOMIC_RELAXED);
    return p;
}

static void count_given(size_t n)
{
    __atomic_fetch_add(&own_given, n, __ATOMIC_RELAXED);
}
#endif

static int64_t balance(const struct thread *t)
{
    return (int64_t)(__atomic_load_n(t->taken, __ATOMIC_RELAXED) -
                     __atomic_load_n(t->given, __ATOMIC_RELAXED));
}

/* Never inlined, nor the next: a caller that parks must not take the address of `self` along. */
__attribute__((noinline)) void mem_thread_attach(void)
{
    if (self.taken) return;
    find_counters(&self);
    pthread_mutex_lock(&registry_lock);
    list_push_back(&registry, &self.node);
    pthread_mutex_unlock(&registry_lock);
}

__attribute__((noinline)) void mem_thread_detach(void)
{
    if (!self.taken) return;
    pthread_mutex_lock(&registry_lock);
    list_remove(&self.node);
    ended += balance(&self);
    pthread_mutex_unlock(&registry_lock);
    self.taken = self.given = NULL;
}

size_t mem_used(void)
{
    pthread_mutex_lock(&registry_lock);
    int64_t sum = ended;
    LIST_FOR(node, &registry) sum += balance(LIST_ENTRY(node, struct thread, node));
    pthread_mutex_unlock(&registry_lock);
    return (size_t)MAX(sum, 0);
}

void mem_sample_peak(void)
{
    size_t used = mem_used();
    size_t was = atomic_load_explicit(&peak, memory_order_relaxed);
    while (used > was && !atomic_compare_exchange_weak_explicit(
                             &peak, &was, used, memory_order_relaxed, memory_order_relaxed)) {
    }
}

size_t mem_peak(void)
{
    return atomic_load_explicit(&peak, memory_order_relaxed);
}

/* ---- allocation ----------------------------------------------------------------------------- */

/* realloc(p, 0) means different things to different libraries; one byte is the same to all. */
static size_t at_least_one(size_t n)
{
    return n + (n == 0);
}

static void *or_panic(void *p, size_t n)
{
    if (UNLIKELY(!p)) panic("Out of memory allocating %zu bytes", n);
    return p;
}

#ifdef WEFT_JEMALLOC

void *mem_try_alloc(size_t n)
{
    return malloc(n);
}

void *mem_try_realloc(void *p, size_t n)
{
    return realloc(p, at_least_one(n));
}

void *mem_calloc(size_t n)
{
    return or_panic(calloc(1, n), n);
}

void mem_free(void *p)
{
    free(p);
}

void mem_free_sized(void *p, size_t n)
{
    if (p) sdallocx(p, at_least_one(n), 0);
}

size_t mem_usable(const void *p)
{
    return malloc_usable_size((void *)p);
}

size_t mem_good_size(size_t n)
{
    return nallocx(at_least_one(n), 0);
}

#else

/* Sanitizers end the process that asks for more than they support. */
#define TOO_MUCH ((size_t)1 << 40)

void *mem_try_alloc(size_t n)
{
    if (n >= TOO_MUCH) return NULL;
    return count_taken(malloc(at_least_one(n)));
}

void *mem_try_realloc(void *p, size_t n)
{
    if (n >= TOO_MUCH) return NULL;
    size_t before = p ? malloc_usable_size(p) : 0;
    void *moved = count_taken(realloc(p, at_least_one(n)));
    if (moved) count_given(before);
    return moved;
}

void *mem_calloc(size_t n)
{
    return or_panic(count_taken(calloc(1, at_least_one(n))), n);
}

void mem_free(void *p)
{
    if (p) count_given(malloc_usable_size(p));
    free(p);
}

void mem_free_sized(void *p, size_t n)
{
    assert(!p || n <= malloc_usable_size(p));
    mem_free(p);
}

size_t mem_usable(const void *p)
{
    return malloc_usable_size((void *)p);
}

/* Asked by trying, which is slow and exact: these builds are for tests. */
size_t mem_good_size(size_t n)
{
    void *p = malloc(at_least_one(n));
    size_t size = p ? malloc_usable_size(p) : n;
    free(p);
    return size;
}

#endif

void *mem_alloc(size_t n)
{
    return or_panic(mem_try_alloc(n), n);
}

void *mem_realloc(void *p, size_t n)
{
    return or_panic(mem_try_realloc(p, n), n);
}

void *mem_dup(const void *p, size_t n)
{
    void *copy = mem_alloc(n);
    if (n) memcpy(copy, p, n);
    return copy;
}

char *mem_strdup(const char *s)
{
    return mem_dup(s, strlen(s) + 1);
}

/* ---- what the allocator and the system say -------------------------------------------------- */

size_t mem_rss(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) return 0;
    if (fscanf(f, "%*u %lu", &pages) != 1) pages = 0;
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

#ifdef WEFT_JEMALLOC

static size_t stat_of(const char *name)
{
    size_t value = 0, size = sizeof value;
    return mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

void mem_stats(struct mem_stats *stats)
{
    uint64_t epoch = 1;
    mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
    *stats = (struct mem_stats){
        .allocated = stat_of("stats.allocated"),
        .active = stat_of("stats.active"),
        .resident = stat_of("stats.resident"),
        .retained = stat_of("stats.retained"),
        .metadata = stat_of("stats.metadata"),
        .mapped = stat_of("stats.mapped"),
    };
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const char *mem_allocator(void)
{
    return "jemalloc-" TEXT(JEMALLOC_VERSION_MAJOR) "." TEXT(JEMALLOC_VERSION_MINOR) "." TEXT(
        JEMALLOC_VERSION_BUGFIX);
}

void mem_purge(void)
{
    mallctl("arena." TEXT(MALLCTL_ARENAS_ALL) ".purge", NULL, NULL, NULL, 0);
}

static void add_text(void *to, const char *text)
{
    buf_addz(to, text);
}

char *mem_report(void)
{
    struct buf text = {0};
    malloc_stats_print(add_text, &text, NULL);
    buf_cstr(&text);
    return text.p;
}

#else

void mem_stats(struct mem_stats *stats)
{
    *stats = (struct mem_stats){.allocated = mem_used()};
}

const char *mem_allocator(void)
{
    return "libc";
}

void mem_purge(void)
{
    malloc_trim(0);
}

char *mem_report(void)
{
    return mem_strdup("Stats not supported for the current allocator");
}

#endif
