/*
 * program.c - the life of a runtime: its workers and their pollers are made, rt_run() runs until
 * somebody calls rt_stop(), and everything is taken down.
 *
 * Invariants
 *  1. The thread that calls rt_run() is worker 0; the others have threads of their own.
 *  2. Workers and pollers exist from before the first thread starts until after the last has ended,
 *     and until nobody is inside rt_stop(). (running, stoppers: sequentially consistent)
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/netpoll.h"

#define DEFAULT_STACK (256 * 1024)

static _Atomic(bool) running;
static _Atomic(int) stoppers; /* threads inside rt_stop() */

/* ---- pollers -------------------------------------------------------------------------------- */

static int open_pollers(const struct netpoll *np)
{
    for (unsigned i = 0; i < rt.n; i++) {
        int rc = np->open(&rt.workers[i]);
        if (rc == 0) continue;
        while (i-- > 0)
            np->close(&rt.workers[i]);
        return rc;
    }
    rt.netpoll = np;
    return 0;
}

static int open_poller(enum rt_poller which)
{
    if (which == RT_POLLER_EPOLL) return open_pollers(&netpoll_epoll);
#ifdef WEFT_IO_URING
    return open_pollers(&netpoll_uring);
#else
    return -ENOSYS;
#endif
}

/* What "auto" means (docs/netpoll.md says why), unless the environment says otherwise. */
static enum rt_poller preferred_poller(void)
{
    const char *name = getenv("WEFT_NETPOLLER");
    return name && strcmp(name, "io_uring") == 0 ? RT_POLLER_IO_URING : RT_POLLER_EPOLL;
}

static int choose_poller(enum rt_poller which)
{
    if (which != RT_POLLER_AUTO) return open_poller(which);
    int rc = open_poller(preferred_poller());
    if (rc == 0) return rc;
    log_write(LOG_NOTICE, "No io_uring here (%s): polling with epoll", strerror(-rc));
    return open_poller(RT_POLLER_EPOLL);
}

/* ---- workers -------------------------------------------------------------------------------- */

static unsigned usable_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0) return 1;
    return (unsigned)MAX(CPU_COUNT(&set), 1);
}

static void init_worker(struct worker *w, unsigned id)
{
    w->id = (uint16_t)id;
    w->now = clock_mono_ns();
    sched__worker_init(w);
    atomic_init(&w->timer_next, RT_NEVER);
    atomic_flag_clear(&w->poll_lock);
    atomic_flag_clear(&w->timer_lock);
}

static void init(const struct rt_config *config)
{
    if (clock_ns_per_cycle == 1.0) clock_init();
    memset(&rt, 0, sizeof rt);
    rt.config = *config;
    rt.n = config->workers ? MIN(config->workers, MAX_WORKERS) : MIN(usable_cores(), MAX_WORKERS);
    rt.stack_size = config->stack_size ? config->stack_size : DEFAULT_STACK;
#ifdef WEFT_SANITIZER
    rt.stack_size *= 4; /* their frames are that much larger */
#endif
    sched__init();
    pthread_mutex_init(&rt.global_lock, NULL);
    co__global_init();
    pool__init(&rt.socks, sizeof(struct sock), offsetof(struct sock, next));
    rt.workers = mem_alloc(rt.n * sizeof *rt.workers + CACHE_LINE);
    rt.worker_memory = rt.workers;
    rt.workers = (void *)(((uintptr_t)rt.workers + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
    memset(rt.workers, 0, rt.n * sizeof *rt.workers);
    for (unsigned i = 0; i < rt.n; i++)
        init_worker(&rt.workers[i], i);
}

static void fini(void)
{
    for (unsigned i = 0; i < rt.n; i++) {
        struct worker *w = &rt.workers[i];
        co__worker_fini(w);
        if (rt.netpoll) rt.netpoll->close(w);
        mem_free(w->seen);
        mem_free(w->timers);
    }
    co__global_fini();
    pool__fini(&rt.socks);
    pthread_mutex_destroy(&rt.global_lock);
    mem_free(rt.worker_memory);
    rt.workers = NULL;
    rt.netpoll = NULL;
    rt.n = 0;
}

/* ---- threads -------------------------------------------------------------------------------- */

static void adopt_thread_stack(struct worker *w)
{
    pthread_attr_t attr;
    void *low = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        pthread_attr_getstack(&attr, &low, &size);
        pthread_attr_destroy(&attr);
    }
    fiber_adopt(&w->fiber, low, size);
}

static void worker_main(struct worker *w)
{
    rt__worker = w;
    adopt_thread_stack(w);
    co__signal_stack(w, true);
    if (rt.config.worker_start) rt.config.worker_start(w->id);
    sched__work(w);
    co__signal_stack(w, false);
    rt__worker = NULL;
}

static void *worker_thread(void *arg)
{
    mem_thread_attach();
    worker_main(arg);
    mem_thread_detach();
    return NULL;
}

static int start_threads(void)
{
    for (unsigned i = 1; i < rt.n; i++) {
        struct worker *w = &rt.workers[i];
        int rc = pthread_create(&w->thread, NULL, worker_thread, w);
        if (rc != 0) {
            rt_stop();
            while (--i > 0)
                pthread_join(rt.workers[i].thread, NULL);
            return RT_ESYS - rc;
        }
    }
    return RT_OK;
}

static int run(void (*main_fn)(void *), void *arg)
{
    struct co *co = co__new("main", main_fn, arg);
    if (!co) return RT_ENOMEM;
    sched__push_back(&rt.workers[0], co);
    int rc = start_threads();
    if (rc != RT_OK) return rc;
    worker_main(&rt.workers[0]);
    for (unsigned i = 1; i < rt.n; i++)
        pthread_join(rt.workers[i].thread, NULL);
    return RT_OK;
}

int rt_run(const struct rt_config *config, void (*main_fn)(void *), void *arg)
{
    struct sigaction pipe, ignore = {.sa_handler = SIG_IGN};
    init(config);
    int rc = choose_poller(config->poller);
    if (rc == 0) {
        sigaction(SIGPIPE, NULL, &pipe);
        if (pipe.sa_handler == SIG_DFL) sigaction(SIGPIPE, &ignore, NULL);
        offload__start(config->offload_threads);
        co__install_handler();
        atomic_store_explicit(&running, true, memory_order_seq_cst);
        rc = run(main_fn, arg);
        atomic_store_explicit(&running, false, memory_order_seq_cst);
        while (atomic_load_explicit(&stoppers, memory_order_seq_cst) > 0)
            sched_yield();
        offload__stop();
        co__remove_handler();
    } else {
        rc = RT_ESYS + rc;
    }
    fini();
    return rc;
}

/* The workers are not taken down while somebody is in here. */
void rt_stop(void)
{
    atomic_fetch_add_explicit(&stoppers, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&running, memory_order_seq_cst)) {
        atomic_store_explicit(&rt.stop, true, memory_order_seq_cst);
        for (unsigned i = 0; i < rt.n; i++)
            rt.netpoll->wake(&rt.workers[i]);
    }
    atomic_fetch_sub_explicit(&stoppers, 1, memory_order_seq_cst);
}
