/*
 * sched.c - workers: their queues, the round, sleeping and waking, and looking after each other.
 *
 *   co_ready, co_spawn          another worker, another thread        the poller, timers
 *        |   |                            |                                 |
 *        v   v                            v                                 v
 *   run_next ring  ---overflow--->  global queue        inbox, pinned      ring
 *        \   /    <--one by one---        |               |   |
 *       sched__next() <-------------------+---------------+---+
 *
 * The round
 *   A worker runs what is in its queues, each coroutine switching to the next, until nothing is
 * left or the budget is used up. Then its scheduler looks around (find()): inbox, global queue,
 *   round-end functions, poller and timers, other workers' queues; and sleeps in the poller when
 * all are empty. With work left it polls only when POLL_NS have passed; the budget adapts so that
 *   looking at the clock is rare. So a busy worker makes one system call of the poller's a round,
 * and one that runs out of work goes straight to the poll that waits, unless it has reason to
 * believe that one that does not would bring events (w->expect), or there is something to steal.
 *
 * Sleeping and waking
 *   A worker that goes to sleep 1. sets its bit in rt.idle, 2. looks at its inbox, the global queue
 *   and the others' rings once more, 3. polls with a timeout. Who puts a coroutine into an inbox or
 *   the global queue 1. does so, 2. looks at rt.idle, and takes the bit of the one it wakes. All of
 *   these are sequentially consistent: one of the two sees the other.
 *   For the ring, which the owner fills and empties all the time, that order would cost a locked
 *   instruction a push, so there is none: a push may miss the bit of a worker that goes to sleep in
 *   the same instant. Nothing is lost (the owner runs it), only a chance to share, and the watch
 *   comes by within a millisecond.
 *   One worker at a time is woken to search (rt.searching); when it finds work and more is left it
 *   wakes the next. Work for the ring wakes nobody as long as it is only the coroutine that the
 *   present one has just readied (run_next): the usual exchange over a channel.
 *
 * Nobody is stalled by another's long coroutine
 *   While others are awake, one sleeper is the watch: it sleeps for WATCH_NS at most, and then
 * looks whose round has not moved since the last look. Whose has not is busy with one coroutine:
 * the watch takes over its queue and inbox, its expired timers, and polls its poller. Busy workers
 *   look in the same way now and then. When everybody sleeps there is no watch; a worker that wakes
 *   then calls one, at most once in WATCH_CALL_NS.
 *
 * Invariants
 *  1. A pinned coroutine is only ever in its worker's inbox or `pinned` queue.
 *  2. Only the owner adds to ring and run_next, and it alone takes from `pinned`.
 *  3. w->poller is polled by the holder of w->poll_lock only.
 *
 * Rejected: a signal to preempt (any code could be interrupted anywhere), a monitor thread (it
 * would wake up for nothing), owner-private queues that thieves reach through membarrier() (an
 * interrupt on every core for each steal).
 */
#include <sched.h>

#include "runtime/netpoll.h"

#define BUDGET_MIN    16
#define BUDGET_MAX    4096
#define POLL_NS       50000
#define SLICE_NS      200000
#define WATCH_NS      1000000
#define WATCH_CALL_NS 2000000
#define LOOK_NS       900000 /* less than WATCH_NS: who slept that long is to look */
#define TRIM_WAIT_NS  100000000
#define SHARE_AT      4  /* events of one poll that are worth waking another worker */
#define GLOBAL_EVERY  61 /* turns of the scheduler */
#define LAST_POLLS    3  /* one to ask the kernel, one to close, one to spare */

struct rt rt;
__attribute__((used)) _Thread_local struct worker *rt__worker; /* named in assembly */

#if !defined(__x86_64__) || defined(WEFT_SANITIZER)
__attribute__((noinline, noclone)) struct worker *worker_self(void)
{
    __asm__ volatile("" ::: "memory");
    return rt__worker;
}
#endif

void spin__wait(atomic_flag *lock)
{
    for (unsigned i = 0; atomic_flag_test_and_set_explicit(lock, memory_order_acquire); i++) {
        if (i >= 32) sched_yield();
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
}

/* ---- linked queues -------------------------------------------------------------------------- */

static void queue_push(struct co_queue *q, struct co *co)
{
    co->next = NULL;
    if (q->first) {
        q->last->next = co;
    } else {
        q->first = co;
    }
    q->last = co;
}

static struct co *queue_pop(struct co_queue *q)
{
    struct co *co = q->first;
    if (co) q->first = co->next;
    return co;
}

/* ---- waking --------------------------------------------------------------------------------- */

static bool any_idle(void)
{
    for (unsigned i = 0; i * 64 < rt.n; i++) {
        if (atomic_load_explicit(&rt.idle[i], memory_order_seq_cst)) return true;
    }
    return false;
}

/* Whoever takes a sleeper's bit has to wake it. */
static bool take_idle(unsigned id)
{
    uint64_t bit = UINT64_C(1) << id % 64;
    if (!(atomic_load_explicit(&rt.idle[id / 64], memory_order_seq_cst) & bit)) return false;
    return atomic_fetch_and_explicit(&rt.idle[id / 64], ~bit, memory_order_seq_cst) & bit;
}

static struct worker *take_any_idle(void)
{
    for (unsigned i = 0; i * 64 < rt.n; i++) {
        uint64_t bits;
        while ((bits = atomic_load_explicit(&rt.idle[i], memory_order_seq_cst)) != 0) {
            unsigned id = i * 64 + (unsigned)__builtin_ctzll(bits);
            if (take_idle(id)) return &rt.workers[id];
        }
    }
    return NULL;
}

static void wake(struct worker *w)
{
    struct worker *self = worker_self();
    if (self) {
        count_up(&self->count.wakeups, 1);
    } else {
        atomic_fetch_add_explicit(&rt.foreign.wakeups, 1, memory_order_relaxed);
    }
    rt.netpoll->wake(w);
}

/* Wakes a sleeper to look for work, unless one does so already. */
static __attribute__((noinline)) void wake_searcher(void)
{
    int none = 0;
    if (!atomic_compare_exchange_strong_explicit(&rt.searching, &none, 1, memory_order_seq_cst,
                                                 memory_order_relaxed)) {
        return;
    }
    struct worker *w = take_any_idle();
    if (w) {
        atomic_store_explicit(&w->told_to_search, true, memory_order_release);
        wake(w);
    } else {
        atomic_fetch_sub_explicit(&rt.searching, 1, memory_order_seq_cst);
    }
}

static inline void share(struct worker *w)
{
    if (!w->solo && any_idle()) wake_searcher();
}

/* ---- queueing ------------------------------------------------------------------------------- */

uint32_t sched__ring_count(const struct worker *w)
{
    uint32_t head = atomic_load_explicit(&w->head, memory_order_acquire);
    return atomic_load_explicit(&w->tail, memory_order_acquire) - head;
}

/* To the global queue, and wakes a worker for it. */
static void push_global(struct co *co)
{
    pthread_mutex_lock(&rt.global_lock);
    queue_push(&rt.global, co);
    atomic_fetch_add_explicit(&rt.n_global, 1, memory_order_seq_cst);
    pthread_mutex_unlock(&rt.global_lock);
    if (any_idle()) wake_searcher();
}

static struct co *pop_global(void)
{
    if (atomic_load_explicit(&rt.n_global, memory_order_seq_cst) == 0) return NULL;
    pthread_mutex_lock(&rt.global_lock);
    struct co *co = queue_pop(&rt.global);
    if (co) atomic_fetch_sub_explicit(&rt.n_global, 1, memory_order_seq_cst);
    pthread_mutex_unlock(&rt.global_lock);
    return co;
}

/* Takes up to max out of w's ring into out; max > 1 is a thief's, who takes half. */
static uint32_t ring_take(struct worker *w, struct co **out, bool half)
{
    for (;;) {
        uint32_t head = atomic_load_explicit(&w->head, memory_order_acquire);
        uint32_t n = atomic_load_explicit(&w->tail, memory_order_acquire) - head;
        if (n == 0) return 0;
        if (n > RING_SIZE) continue; /* head moved between the two loads */
        n = half ? n - n / 2 : 1;
        for (uint32_t i = 0; i < n; i++) {
            out[i] = atomic_load_explicit(&w->ring[(head + i) % RING_SIZE], memory_order_relaxed);
        }
        if (atomic_compare_exchange_weak_explicit(&w->head, &head, head + n, memory_order_acq_rel,
                                                  memory_order_relaxed)) {
            return n;
        }
    }
}

static __attribute__((noinline)) void overflow(struct worker *w, struct co *co)
{
    struct co *moved[RING_SIZE];
    uint32_t n = ring_take(w, moved, true);
    for (uint32_t i = 0; i < n; i++)
        push_global(moved[i]);
    push_global(co);
}

static inline void ring_push(struct worker *w, struct co *co)
{
    uint32_t tail = atomic_load_explicit(&w->tail, memory_order_relaxed);
    uint32_t head = atomic_load_explicit(&w->head, memory_order_acquire);
    if (UNLIKELY(tail - head >= RING_SIZE)) {
        overflow(w, co);
        return;
    }
    atomic_store_explicit(&w->ring[tail % RING_SIZE], co, memory_order_relaxed);
    atomic_store_explicit(&w->tail, tail + 1, memory_order_release);
}

static void push_inbox(struct worker *w, struct co *co)
{
    struct co *first = atomic_load_explicit(&w->inbox, memory_order_relaxed);
    do {
        co->next = first;
    } while (!atomic_compare_exchange_weak_explicit(&w->inbox, &first, co, memory_order_seq_cst,
                                                    memory_order_relaxed));
    if (take_idle(w->id)) wake(w);
}

void sched__push_back(struct worker *w, struct co *co)
{
    if (UNLIKELY(co->pinned)) {
        queue_push(&w->pinned, co);
    } else {
        ring_push(w, co);
    }
}

/* What was in run_next is work that another worker may as well do. */
static inline void set_run_next(struct worker *w, struct co *co)
{
    struct co *old = atomic_load_explicit(&w->run_next, memory_order_relaxed);
    if (old && !w->solo) {
        old = atomic_exchange_explicit(&w->run_next, co, memory_order_acq_rel);
    } else {
        atomic_store_explicit(&w->run_next, co, memory_order_release);
    }
    if (old) {
        ring_push(w, old);
        share(w);
    }
}

void sched__enqueue(struct co *co, unsigned worker)
{
    struct worker *w = worker_self();
    unsigned target = co->pinned ? atomic_load_explicit(&co->worker, memory_order_relaxed) : worker;
    if (!w || (co->pinned && target != w->id)) {
        push_inbox(&rt.workers[target], co);
    } else if (co->pinned) {
        queue_push(&w->pinned, co);
    } else {
        set_run_next(w, co);
    }
}

static bool activate(struct co *co)
{
    uint32_t state = atomic_load_explicit(&co->state, memory_order_relaxed);
    uint32_t next;
    do {
        next = state == CO_PARKED ? CO_ACTIVE : CO_TOKEN;
    } while (!atomic_compare_exchange_weak_explicit(&co->state, &state, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return state == CO_PARKED;
}

static void count_woken(struct worker *w, const struct co *co)
{
    if (w) {
        count_up(co->sp ? &w->count.unparks : &w->count.unsleeps, 1);
    } else {
        atomic_fetch_add_explicit(co->sp ? &rt.foreign.unparks : &rt.foreign.unsleeps, 1,
                                  memory_order_relaxed);
    }
}

void co_ready(struct co *co)
{
    if (!activate(co)) return;
    count_woken(worker_self(), co);
    sched__enqueue(co, atomic_load_explicit(&co->worker, memory_order_relaxed));
}

void sched__ready_quietly(struct worker *w, struct co *co)
{
    if (!activate(co)) return;
    count_woken(w, co);
    if (UNLIKELY(co->pinned)) {
        sched__enqueue(co, 0);
    } else {
        ring_push(w, co);
    }
}

/* ---- taking --------------------------------------------------------------------------------- */

static struct co *pop_run_next(struct worker *w)
{
    struct co *co = atomic_load_explicit(&w->run_next, memory_order_relaxed);
    if (!co) return NULL;
    if (w->solo) {
        atomic_store_explicit(&w->run_next, NULL, memory_order_relaxed);
        return co;
    }
    return atomic_exchange_explicit(&w->run_next, NULL, memory_order_acq_rel);
}

static inline struct co *ring_pop(struct worker *w)
{
    struct co *co;
    if (!w->solo) return ring_take(w, &co, false) ? co : NULL;
    uint32_t head = atomic_load_explicit(&w->head, memory_order_relaxed);
    if (head == atomic_load_explicit(&w->tail, memory_order_relaxed)) return NULL;
    co = atomic_load_explicit(&w->ring[head % RING_SIZE], memory_order_relaxed);
    atomic_store_explicit(&w->head, head + 1, memory_order_relaxed);
    return co;
}

/* Pinned ones take turns with the ring. */
static inline struct co *pop_own(struct worker *w)
{
    struct co *co = pop_run_next(w);
    if (co) return co;
    if (UNLIKELY(w->pinned.first) && (w->pinned_turn ^= true)) return queue_pop(&w->pinned);
    co = ring_pop(w);
    return co ? co : queue_pop(&w->pinned);
}

struct co *sched__next(struct worker *w)
{
    if (UNLIKELY(w->budget <= 0)) return NULL;
    w->budget--;
    return pop_own(w);
}

static bool own_empty(struct worker *w)
{
    return sched__ring_count(w) == 0 && !w->pinned.first &&
           !atomic_load_explicit(&w->run_next, memory_order_relaxed);
}

/* The list of the inbox, the oldest first. */
static struct co *take_inbox(struct worker *w)
{
    if (!atomic_load_explicit(&w->inbox, memory_order_seq_cst)) return NULL;
    struct co *list = atomic_exchange_explicit(&w->inbox, NULL, memory_order_acquire),
              *in_order = NULL;
    while (list) {
        struct co *next = list->next;
        list->next = in_order;
        in_order = list;
        list = next;
    }
    return in_order;
}

/* w's inbox into the queues of `by`; pinned ones go back where they belong. */
static void empty_inbox(struct worker *w, struct worker *by)
{
    for (struct co *co = take_inbox(w), *next; co; co = next) {
        next = co->next;
        if (co->pinned && by != w) {
            push_inbox(w, co);
        } else {
            sched__push_back(by, co);
        }
    }
}

/* ---- polling -------------------------------------------------------------------------------- */

static int poll_for(struct worker *w, struct worker *by, int64_t timeout_ns)
{
    if (!spin_try(&w->poll_lock)) return 0;
    int n = rt.netpoll->poll(w, by, timeout_ns);
    spin_unlock(&w->poll_lock);
    count_up(timeout_ns == 0 ? &by->count.polls : &by->count.poll_waits, 1);
    count_up(&by->count.poll_events, (uint64_t)n);
    return n;
}

static void note_time(struct worker *w)
{
    w->now = clock_mono_ns();
    w->polled_at = clock_cycles();
}

static int poll_own(struct worker *w, int64_t timeout_ns)
{
    int n = poll_for(w, w, timeout_ns);
    note_time(w);
    timer__fire(w, w, w->now);
    if (UNLIKELY(co__trim_wanted())) co__trim(w->now);
    if (!w->solo && sched__ring_count(w) >= SHARE_AT) share(w);
    return n;
}

static void poll_now(struct worker *w)
{
    int n = poll_own(w, 0);
    if (n > 0 && w->expect < 3) w->expect++;
    if (n == 0 && w->expect > 0) w->expect--;
}

/* ---- stealing, and looking after others ----------------------------------------------------- */

static bool steal_from(struct worker *w, struct worker *victim)
{
    struct co *taken[RING_SIZE];
    uint32_t n = ring_take(victim, taken, true);
    for (uint32_t i = 0; i < n; i++)
        ring_push(w, taken[i]);
    if (n == 0) return false;
    count_up(&w->count.steals, 1);
    count_up(&w->count.stolen, n);
    return true;
}

static uint32_t least_to_steal(const struct worker *w)
{
#ifdef WEFT_TORTURE
    return 1;
#else
    return w->searching ? 1 : 2;
#endif
}

/* A worker whose queue is worth stealing from; NULL. */
static struct worker *find_victim(struct worker *w)
{
    uint32_t least = least_to_steal(w), start = w->turn++ % rt.n;
    for (unsigned i = 0; i < rt.n; i++) {
        struct worker *victim = &rt.workers[(start + i) % rt.n];
        if (victim != w && sched__ring_count(victim) >= least) return victim;
    }
    return NULL;
}

/* `victim` runs one coroutine for long: does its chores. */
static void stand_in(struct worker *w, struct worker *victim)
{
    steal_from(w, victim);
    struct co *co = atomic_load_explicit(&victim->run_next, memory_order_relaxed);
    if (co) co = atomic_exchange_explicit(&victim->run_next, NULL, memory_order_acq_rel);
    if (co) ring_push(w, co);
    if (atomic_load_explicit(&victim->inbox, memory_order_relaxed)) empty_inbox(victim, w);
    timer__fire(victim, w, w->now);
    poll_for(victim, w, 0);
}

static void look_at_others(struct worker *w)
{
    w->looked_at = w->now;
    for (unsigned i = 0; i < rt.n; i++) {
        struct worker *other = &rt.workers[i];
        if (other == w) continue;
        uint64_t round = atomic_load_explicit(&other->round, memory_order_acquire);
        if (!(round & ROUND_ASLEEP) && round == w->seen[i]) stand_in(w, other);
        w->seen[i] = round;
    }
}

static bool others_awake(const struct worker *w)
{
    for (unsigned i = 0; i < rt.n; i++) {
        uint64_t round = atomic_load_explicit(&rt.workers[i].round, memory_order_acquire);
        if (i != w->id && !(round & ROUND_ASLEEP)) return true;
    }
    return false;
}

static void call_watch(struct worker *w)
{
    int64_t last = atomic_load_explicit(&rt.watch_called, memory_order_relaxed);
    if (atomic_load_explicit(&rt.watch, memory_order_relaxed) >= 0) return;
    if (w->now - last < WATCH_CALL_NS) return;
    if (!atomic_compare_exchange_strong_explicit(&rt.watch_called, &last, w->now,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        return;
    }
    struct worker *sleeper = take_any_idle();
    if (sleeper) wake(sleeper);
}

/* ---- sleeping ------------------------------------------------------------------------------- */

static bool stopped(void)
{
    return atomic_load_explicit(&rt.stop, memory_order_seq_cst);
}

static bool become_watch(struct worker *w)
{
    int none = -1;
    if (w->solo || !others_awake(w)) return false;
    return atomic_compare_exchange_strong_explicit(&rt.watch, &none, w->id, memory_order_relaxed,
                                                   memory_order_relaxed);
}

static void resign_watch(void)
{
    atomic_store_explicit(&rt.watch, -1, memory_order_relaxed);
}

static int64_t time_to_sleep(struct worker *w, bool watch)
{
    int64_t next = atomic_load_explicit(&w->timer_next, memory_order_relaxed);
    int64_t since = clock_cycles_to_ns(clock_cycles() - w->polled_at);
    int64_t ns = next == RT_NEVER ? RT_NEVER : MAX(next - w->now - since, 0);
    if (UNLIKELY(co__trim_wanted())) ns = MIN(ns, TRIM_WAIT_NS);
    return watch ? MIN(ns, WATCH_NS) : ns;
}

/* Sequentially consistent, so that what the worker reads from now on is read after this is seen. */
static void set_round(struct worker *w, uint64_t round)
{
    atomic_exchange_explicit(&w->round, round, memory_order_seq_cst);
}

static void stop_searching(struct worker *w)
{
    if (!w->searching) return;
    w->searching = false;
    atomic_fetch_sub_explicit(&rt.searching, 1, memory_order_seq_cst);
}

static void woken(struct worker *w)
{
    take_idle(w->id);
    if (atomic_load_explicit(&w->told_to_search, memory_order_relaxed) &&
        atomic_exchange_explicit(&w->told_to_search, false, memory_order_acquire)) {
        w->searching = true;
    }
}

static bool nothing_came(struct worker *w)
{
    return !stopped() && !atomic_load_explicit(&w->inbox, memory_order_seq_cst) &&
           !atomic_load_explicit(&rt.n_global, memory_order_seq_cst) &&
           (w->solo || !find_victim(w));
}

static void sleep_in_poller(struct worker *w)
{
    uint64_t round = atomic_load_explicit(&w->round, memory_order_relaxed);
    stop_searching(w);
    atomic_fetch_or_explicit(&rt.idle[w->id / 64], UINT64_C(1) << w->id % 64, memory_order_seq_cst);
    if (nothing_came(w)) {
        bool watch = become_watch(w);
        set_round(w, round | ROUND_ASLEEP);
        poll_own(w, time_to_sleep(w, watch));
        set_round(w, round + 1);
        if (watch) {
            resign_watch();
            if (w->now - w->looked_at >= LOOK_NS) look_at_others(w);
        }
    }
    woken(w);
    if (!w->solo && !own_empty(w)) call_watch(w);
}

/* ---- the scheduler -------------------------------------------------------------------------- */

static void run_round_end(struct worker *w)
{
    while (w->round_end) {
        struct rt_round_end *node = w->round_end;
        w->round_end = NULL;
        w->round_end_tail = &w->round_end;
        while (node) {
            struct rt_round_end *next = node->next;
            node->fn(node->arg);
            node = next;
        }
    }
}

void rt_at_round_end(struct rt_round_end *node)
{
    struct worker *w = worker_self();
    node->next = NULL;
    *w->round_end_tail = node;
    w->round_end_tail = &node->next;
}

/* Something to do was found: if there is more, another worker may help. */
static void found(struct worker *w)
{
    if (!w->searching) return;
    stop_searching(w);
    if (sched__ring_count(w) > 0 || atomic_load_explicit(&rt.n_global, memory_order_relaxed))
        share(w);
}

/* Own queues are empty. */
static void look_for_work(struct worker *w)
{
    struct co *co;
    run_round_end(w);
    if (!own_empty(w)) return;
    if (w->expect > 1 && !w->solo) poll_now(w);
    if (!own_empty(w)) return;
    if ((co = pop_global())) {
        ring_push(w, co);
        return;
    }
    struct worker *victim = w->solo ? NULL : find_victim(w);
    if (!victim) {
        sleep_in_poller(w);
        return;
    }
    if (w->expect <= 1) poll_now(w);
    if (own_empty(w)) steal_from(w, victim);
}

/* Own queues are not empty, but the budget is used up. */
static void look_around(struct worker *w)
{
    struct co *co = pop_run_next(w);
    if (co) ring_push(w, co); /* behind those it has overtaken for a round */
    if ((co = pop_global())) ring_push(w, co);
    uint64_t elapsed = clock_cycles() - w->polled_at;
    if (elapsed < rt.poll_cycles && !w->look_now) {
        w->budget_size = MIN(w->budget_size * 2, BUDGET_MAX);
        return;
    }
    if (elapsed > 2 * rt.poll_cycles) w->budget_size = MAX(w->budget_size / 2, BUDGET_MIN);
    w->look_now = false;
    run_round_end(w);
    poll_now(w);
    if (!w->solo && w->now - w->looked_at > LOOK_NS) look_at_others(w);
}

#ifdef WEFT_TORTURE
static void torture_steal(struct worker *w)
{
    struct worker *victim = w->solo ? NULL : find_victim(w);
    if (victim) steal_from(w, victim);
}
#else
static inline void torture_steal(struct worker *w) {}
#endif

/* The next coroutine to run; NULL: the runtime stops. */
static struct co *find(struct worker *w)
{
    while (!stopped()) {
        struct co *co;
        set_round(w, atomic_load_explicit(&w->round, memory_order_relaxed) + 1);
        torture_steal(w);
        empty_inbox(w, w);
        if (++w->turn % GLOBAL_EVERY == 0 && (co = pop_global())) ring_push(w, co);
        if (own_empty(w)) {
            look_for_work(w);
            w->budget = w->budget_size;
        } else if (w->budget-- <= 0) { /* one that yields alone uses it up as well */
            look_around(w);
            w->budget = w->budget_size;
        }
        if ((co = pop_own(w))) {
            found(w);
            return co;
        }
    }
    return NULL;
}

/* What coroutines wrote last leaves, and what they closed is closed. */
static void last_polls(struct worker *w)
{
    for (int i = 0; i < LAST_POLLS; i++)
        poll_for(w, w, 0);
}

void sched__init(void)
{
    rt.slice_cycles = (uint64_t)(SLICE_NS / clock_ns_per_cycle);
    rt.poll_cycles = (uint64_t)(POLL_NS / clock_ns_per_cycle);
    atomic_init(&rt.watch, -1);
}

void sched__worker_init(struct worker *w)
{
    w->solo = rt.n == 1;
    w->budget = w->budget_size = BUDGET_MIN;
    w->round_end_tail = &w->round_end;
    w->seen = mem_calloc(rt.n * sizeof *w->seen);
    w->turn = w->id;
}

void sched__work(struct worker *w)
{
    struct co *co;
    while ((co = find(w)))
        co__run(w, co);
    stop_searching(w);
    last_polls(w);
}

/* ---- what coroutines ask ----------------------------------------------------------------------
 */

/* The first question since this coroutine was switched to only starts the clock. */
bool co_should_yield(void)
{
    struct worker *w = worker_self();
    uint64_t now = clock_cycles();
    uint64_t switches = atomic_load_explicit(&w->count.switches, memory_order_relaxed);
    if (switches != w->slice_switches) {
        w->slice_switches = switches;
        w->slice_start = now;
        return false;
    }
    if (now - w->slice_start < rt.slice_cycles) return false;
    w->look_now = true;
    return true;
}

int co_spawn(const char *name, co_fn *fn, void *arg)
{
    struct worker *w = worker_self();
    struct co *co = co__new(name, fn, arg);
    if (!co) return RT_ENOMEM;
    if (!w) {
        push_global(co);
        return RT_OK;
    }
    ring_push(w, co);
    share(w);
    return RT_OK;
}

static int spawn_at(unsigned worker, const char *name, co_fn *fn, void *arg, bool pinned)
{
    struct worker *w = worker_self();
    CHECK(worker < rt.n);
    struct co *co = co__new(name, fn, arg);
    if (!co) return RT_ENOMEM;
    co->pinned = pinned;
    atomic_store_explicit(&co->worker, (uint16_t)worker, memory_order_relaxed);
    if (w && w->id == worker) {
        sched__push_back(w, co);
    } else {
        push_inbox(&rt.workers[worker], co);
    }
    return RT_OK;
}

int co_spawn_on(unsigned worker, const char *name, co_fn *fn, void *arg)
{
    return spawn_at(worker, name, fn, arg, false);
}

int co_spawn_pinned(unsigned worker, const char *name, co_fn *fn, void *arg)
{
    return spawn_at(worker, name, fn, arg, true);
}

int64_t rt_now(void)
{
    return clock_mono_ns();
}

int64_t rt_now_cached(void)
{
    struct worker *w = worker_self();
    return w ? w->now : clock_mono_ns();
}

unsigned rt_worker_count(void)
{
    return rt.n;
}

unsigned rt_worker_id(void)
{
    struct worker *w = worker_self();
    return w ? w->id : UINT32_MAX;
}

const char *rt_poller_name(void)
{
    return rt.netpoll ? rt.netpoll->name : "";
}

uint64_t rt_round(unsigned worker)
{
    uint64_t round = atomic_load_explicit(&rt.workers[worker].round, memory_order_seq_cst);
    return round & ROUND_ASLEEP ? RT_QUIESCENT : round;
}

#ifdef WEFT_TORTURE
void torture__yield(void)
{
    if (co_self() && rand_below(4) == 0) co_yield();
}

bool torture__spurious(void)
{
    if (rand_below(8) != 0) return false;
    co_yield();
    return true;
}
#endif
