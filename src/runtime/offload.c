/*
 * offload.c - helper threads for calls that block.
 *
 *   rt_offload: job on the caller's stack --> queue --> a helper thread runs it, readies the caller
 *
 * Invariants
 *  1. Everything in `pool` changes under its lock.
 *  2. A thread is started when a job comes, none is idle, and fewer than the maximum exist; it ends
 *     after IDLE_S without a job. So there are never more of them than calls blocked at once.
 *  3. `done` is the last thing a helper touches of a job.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "runtime/rt.h"

#define IDLE_S          2
#define DEFAULT_THREADS 8

struct job {
    struct job *next;
    void (*fn)(void *);
    void *arg;
    struct co *co;
    _Atomic(bool) done;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work, ended;
    struct job *first, **last;
    unsigned max, threads, idle;
    bool stop;
    uint64_t jobs;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct job *take_job(void)
{
    struct job *job = pool.first;
    pool.first = job->next;
    if (!pool.first) pool.last = &pool.first;
    return job;
}

/* The next job; NULL: none came for a while, or it is time to stop. */
static struct job *await_job(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_S;
    pool.idle++;
    while (!pool.first && !pool.stop) {
        if (pthread_cond_timedwait(&pool.work, &pool.lock, &until) == ETIMEDOUT) break;
    }
    pool.idle--;
    return pool.first ? take_job() : NULL;
}

static void run_job(struct job *job)
{
    struct co *co = job->co;
    job->fn(job->arg);
    atomic_store_explicit(&job->done, true, memory_order_release);
    co_ready(co);
}

static void *helper(void *arg)
{
    struct job *job;
    mem_thread_attach();
    pthread_mutex_lock(&pool.lock);
    while ((job = await_job())) {
        pthread_mutex_unlock(&pool.lock);
        run_job(job);
        pthread_mutex_lock(&pool.lock);
    }
    mem_thread_detach();
    pool.threads--;
    pthread_cond_broadcast(&pool.ended);
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

/* Signals are for the workers. */
static bool start_thread(void)
{
    pthread_t thread;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool ok = pthread_create(&thread, NULL, helper, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ok) pthread_detach(thread);
    return ok;
}

/* False: no thread to be had, ever. */
static bool submit(struct job *job)
{
    bool ok = true;
    pthread_mutex_lock(&pool.lock);
    if (pool.idle == 0 && pool.threads < pool.max) {
        pool.threads++;
        if (!start_thread()) pool.threads--;
    }
    ok = pool.threads > 0;
    if (ok) {
        *pool.last = job;
        pool.last = &job->next;
        pool.jobs++;
        pthread_cond_signal(&pool.work);
    }
    pthread_mutex_unlock(&pool.lock);
    return ok;
}

void rt_offload(void (*fn)(void *), void *arg)
{
    struct job job = {.fn = fn, .arg = arg, .co = co_self()};
    if (!job.co || !submit(&job)) {
        fn(arg);
        return;
    }
    while (!atomic_load_explicit(&job.done, memory_order_acquire))
        co_park(RT_NEVER);
}

void offload__start(unsigned max_threads)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool.work, &attr);
    pthread_cond_init(&pool.ended, NULL);
    pthread_condattr_destroy(&attr);
    pool.first = NULL;
    pool.last = &pool.first;
    pool.max = max_threads ? max_threads : DEFAULT_THREADS;
    pool.stop = false;
    pool.jobs = 0;
}

/* Waits for the calls that are under way: they use what their coroutines own. */
void offload__stop(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.stop = true;
    pool.first = NULL;
    pool.last = &pool.first;
    pthread_cond_broadcast(&pool.work);
    while (pool.threads > 0)
        pthread_cond_wait(&pool.ended, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
    pthread_cond_destroy(&pool.work);
    pthread_cond_destroy(&pool.ended);
}

void offload__stats(struct rt_stats *stats)
{
    pthread_mutex_lock(&pool.lock);
    stats->offloads = pool.jobs;
    stats->offload_threads = pool.threads;
    pthread_mutex_unlock(&pool.lock);
}
