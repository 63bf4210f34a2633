/*
 * co.c - coroutines: their stacks, starting, switching, ending, and what happens on overflow.
 *
 * A stack, from a slab of SLAB_STACKS:
 *
 *   low addresses                                                              high addresses
 *   | guard  |  low ...                          frames grow down <-- | colour | struct stack |
 *
 * The switch
 *   A coroutine that gives way picks the next one itself and switches straight to it; only when its
 *   worker has nothing queued, or the round's budget is used up, it switches to the scheduler on
 * the thread's own stack. While it does so it still runs on its stack, so it must not be seen as
 *   parked or queued yet: it notes in the worker what is to become of it (w->after), and whoever
 * the worker runs next does that first (arrived()).
 *
 * The hot stack
 *   A coroutine that ends or goes dormant needs its stack no more. The worker keeps standing on it:
 *   if what comes next starts anew too, it is called right there (run_stack()), without any switch,
 *   its first page warm in the cache. Only a suspended coroutine, or the scheduler, is switched to,
 *   and then the stack goes to the worker's cache.
 *
 * Invariants
 *  1. A struct co with sp != NULL owns a stack; with sp == NULL it owns none unless it is running.
 *  2. The stack a worker stands on is w->stack (NULL in the scheduler), whoever owns it.
 *  3. After any switch everything about the worker is looked up anew (worker_self()).
 *
 * Rejected: allocating the stack at co_spawn(). Most coroutines of a server are short or dormant;
 * taking the stack when they start means that they run on the one just left.
 */
#include "runtime/rt.h"

#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define SLAB_STACKS  32
#define GUARD_SIZE   (16 * 1024)
#define CACHE_STACKS 32  /* of a worker, at most twice that */
#define WARM_STACKS  256 /* of no worker, their memory kept without question */
#define TRIM_NS      100000000
#define TRIM_MOST    256 /* stacks, each a system call of a microsecond or two */
#define SIGNAL_STACK (64 * 1024)
#define COLOURS      8 /* the first frames of stacks lie in different cache sets */
#define COLOUR_STEP  128

struct slab {
    struct slab *next;
    char *memory;
};

/* Stacks no worker holds. */
static struct {
    pthread_mutex_t lock;
    struct slab *slabs;
    unsigned carved; /* stacks of the first slab handed out so far */
    uint64_t made;
    struct stack *warm;
    _Atomic(size_t) n_warm; /* changed under the lock, read without it */
    size_t least_warm;      /* since the last trim: so many were not needed */
    char **cold;            /* `low` of those whose memory was given back */
    size_t n_cold, cap_cold;
    bool use_mprotect;
    _Atomic(bool) exhausted; /* the last slab could not be had */
} depot = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t warm(void)
{
    return atomic_load_explicit(&depot.n_warm, memory_order_relaxed);
}

static void set_warm(size_t n)
{
    atomic_store_explicit(&depot.n_warm, n, memory_order_relaxed);
}

static size_t stride(void)
{
    return GUARD_SIZE + rt.stack_size;
}

/* ---- stacks --------------------------------------------------------------------------------- */

static struct stack *stack_at(char *low)
{
    struct stack *st = (struct stack *)(low + rt.stack_size) - 1;
    st->next = NULL;
    st->low = low;
    st->dirty = 0;
    fiber_init(&st->fiber, low, rt.stack_size);
    return st;
}

static void *stack_top(const struct stack *st)
{
    uintptr_t colour = (uintptr_t)st->low / stride() % COLOURS * COLOUR_STEP;
    return (void *)(((uintptr_t)st - colour) & ~(uintptr_t)63);
}

static bool add_slab(void)
{
    char *p = mmap(NULL, SLAB_STACKS * stride(), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    atomic_store_explicit(&depot.exhausted, p == MAP_FAILED, memory_order_relaxed);
    if (p == MAP_FAILED) return false;
    madvise(p, SLAB_STACKS * stride(), MADV_NOHUGEPAGE);
    struct slab *slab = mem_alloc(sizeof *slab);
    *slab = (struct slab){depot.slabs, p};
    depot.slabs = slab;
    depot.carved = 0;
    return true;
}

/* A guard costs no mapping of its own where the kernel can mark pages inside one. */
static bool set_guard(char *at)
{
    if (!depot.use_mprotect) {
        if (madvise(at, GUARD_SIZE, MADV_GUARD_INSTALL) == 0) return true;
        depot.use_mprotect = true;
    }
    return mprotect(at, GUARD_SIZE, PROT_NONE) == 0;
}

static struct stack *carve(void)
{
    if ((!depot.slabs || depot.carved == SLAB_STACKS) && !add_slab()) return NULL;
    char *at = depot.slabs->memory + depot.carved * stride();
    if (!set_guard(at)) {
        atomic_store_explicit(&depot.exhausted, true, memory_order_relaxed);
        return NULL;
    }
    depot.carved++;
    depot.made++;
    return stack_at(at + GUARD_SIZE);
}

/* The number is the owner's, but statistics read it. */
static inline uint32_t count_stacks(struct worker *w)
{
    return atomic_load_explicit(&w->n_stacks, memory_order_relaxed);
}

static inline void set_stacks(struct worker *w, uint32_t n)
{
    atomic_store_explicit(&w->n_stacks, n, memory_order_relaxed);
}

static inline struct stack *take_cached(struct worker *w)
{
    struct stack *st = w->stacks;
    w->stacks = st->next;
    set_stacks(w, count_stacks(w) - 1);
    return st;
}

static inline void add_cached(struct worker *w, struct stack *st)
{
    st->next = w->stacks;
    w->stacks = st;
    set_stacks(w, count_stacks(w) + 1);
}

static struct stack *take_warm(void)
{
    struct stack *st = depot.warm;
    depot.warm = st->next;
    set_warm(warm() - 1);
    depot.least_warm = MIN(depot.least_warm, warm());
    return st;
}

/* One, and if they are warm some more for the worker's cache. */
static __attribute__((noinline)) struct stack *stack_from_depot(struct worker *w)
{
    struct stack *st;
    pthread_mutex_lock(&depot.lock);
    if (depot.warm) {
        st = take_warm();
        while (depot.warm && count_stacks(w) < CACHE_STACKS / 2)
            add_cached(w, take_warm());
    } else if (depot.n_cold) {
        st = stack_at(depot.cold[--depot.n_cold]);
    } else {
        st = carve();
    }
    pthread_mutex_unlock(&depot.lock);
    return st;
}

static void make_cold(struct stack *st)
{
    char *low = st->low;
    if (depot.n_cold == depot.cap_cold) {
        depot.cap_cold = depot.cap_cold ? depot.cap_cold * 2 : 256;
        depot.cold = mem_realloc(depot.cold, depot.cap_cold * sizeof *depot.cold);
    }
    depot.cold[depot.n_cold++] = low;
    fiber_fini(&st->fiber);
    madvise(low, rt.stack_size, MADV_DONTNEED);
}

static __attribute__((noinline)) void stacks_to_depot(struct worker *w, unsigned keep)
{
    pthread_mutex_lock(&depot.lock);
    while (count_stacks(w) > keep) {
        struct stack *st = take_cached(w);
        st->next = depot.warm;
        depot.warm = st;
        set_warm(warm() + 1);
    }
    pthread_mutex_unlock(&depot.lock);
}

bool co__trim_wanted(void)
{
    return warm() > WARM_STACKS;
}

/* Gives back the memory of stacks that nobody has needed since the last time. */
void co__trim(int64_t now)
{
    static _Atomic(int64_t) last;
    int64_t before = atomic_load_explicit(&last, memory_order_relaxed);
    if (now - before < TRIM_NS) return;
    if (!atomic_compare_exchange_strong_explicit(&last, &before, now, memory_order_relaxed,
                                                 memory_order_relaxed)) {
        return;
    }
    pthread_mutex_lock(&depot.lock);
    size_t n = MIN(depot.least_warm, TRIM_MOST);
    while (n-- > 0 && warm() > WARM_STACKS) {
        struct stack *st = depot.warm;
        depot.warm = st->next;
        set_warm(warm() - 1);
        make_cold(st);
    }
    depot.least_warm = warm();
    pthread_mutex_unlock(&depot.lock);
}

static struct stack *stack_get(struct worker *w)
{
    if (UNLIKELY(!w->stacks)) return stack_from_depot(w);
    return take_cached(w);
}

static void stack_put(struct worker *w, struct stack *st)
{
    if (st->dirty >= FIBER_DIRTY_MAX) {
        st->dirty = 0;
        fiber_fini(&st->fiber);
        fiber_init(&st->fiber, st->low, rt.stack_size);
    }
    fiber_reuse(&st->fiber);
    add_cached(w, st);
    if (UNLIKELY(count_stacks(w) > 2 * CACHE_STACKS)) stacks_to_depot(w, CACHE_STACKS);
}

void co__worker_fini(struct worker *w)
{
    stacks_to_depot(w, 0);
}

static void init_depot(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    rt.stack_size = (rt.stack_size + page - 1) & ~(page - 1);
    depot.use_mprotect = false;
    depot.slabs = NULL;
    depot.carved = SLAB_STACKS;
    depot.made = 0;
    depot.warm = NULL;
    set_warm(0);
    depot.least_warm = depot.n_cold = depot.cap_cold = 0;
    depot.cold = NULL;
    atomic_store_explicit(&depot.exhausted, false, memory_order_relaxed);
}

void co__global_init(void)
{
    init_depot();
    pool__init(&rt.cos, sizeof(struct co), offsetof(struct co, next));
}

void co__global_fini(void)
{
    for (struct stack *st = depot.warm; st; st = st->next)
        fiber_fini(&st->fiber);
    for (struct slab *slab = depot.slabs, *next; slab; slab = next) {
        next = slab->next;
        munmap(slab->memory, SLAB_STACKS * stride());
        mem_free(slab);
    }
    mem_free(depot.cold);
    pool__fini(&rt.cos);
    init_depot();
}

uint64_t co__stacks(uint64_t *idle)
{
    pthread_mutex_lock(&depot.lock);
    uint64_t made = depot.made;
    *idle = warm() + depot.n_cold;
    pthread_mutex_unlock(&depot.lock);
    return made;
}

/* ---- switching ------------------------------------------------------------------------------ */

static void finish_park(struct worker *w, struct co *co)
{
    uint32_t expected = CO_ACTIVE;
    atomic_store_explicit(&co->worker, w->id, memory_order_relaxed);
    count_up(&w->count.parks, 1);
    if (atomic_compare_exchange_strong_explicit(&co->state, &expected, CO_PARKED,
                                                memory_order_acq_rel, memory_order_acquire)) {
        return; /* co is anybody's from here on */
    }
    count_up(&w->count.unparks, 1);
    atomic_store_explicit(&co->state, CO_ACTIVE, memory_order_relaxed);
    sched__push_back(w, co);
}

/* Does what the one that switched here could not do while it stood on its own stack. */
static inline void arrived(struct worker *w)
{
    enum after after = w->after;
    w->after = AFTER_NOTHING;
    if (after == AFTER_PARK) {
        finish_park(w, w->prev);
    } else if (after == AFTER_YIELD) {
        sched__push_back(w, w->prev);
    } else if (after == AFTER_STACK) {
        stack_put(w, w->prev_stack);
    }
}

static struct fiber *fiber_of(struct worker *w, struct stack *st)
{
    return st ? &st->fiber : &w->fiber;
}

/* A suspended coroutine: goes there. `from`: the stack we leave; NULL: the thread's. */
static inline void enter(struct worker *w, struct co *co, struct stack *from, void **save,
                         bool ends)
{
    w->current = co;
    w->stack = co->stack;
    count_up(&w->count.switches, 1);
    fiber_leave(fiber_of(w, from), &co->stack->fiber, ends);
    switch__to(save, co->sp);
}

static inline void go_home(struct worker *w, struct stack *from, void **save, bool ends)
{
    w->current = NULL;
    w->stack = NULL;
    fiber_leave(&from->fiber, &w->fiber, ends);
    switch__to(save, w->home);
}

/* ---- running on a stack that is the worker's ------------------------------------------------ */

static void end(struct worker *w, struct co *co)
{
    assert(co->timer_pos == TIMER_NONE);
    atomic_store_explicit(&co->state, CO_ACTIVE, memory_order_relaxed);
    count_up(&w->count.ends, 1);
    pool__put(&rt.cos, &w->cos, co);
}

static _Noreturn void abandon(struct worker *w, struct co *next)
{
    struct stack *st = w->stack;
    void *ignored;
    w->after = AFTER_STACK;
    w->prev_stack = st;
    if (next) {
        enter(w, next, st, &ignored, true);
    } else {
        go_home(w, st, &ignored, true);
    }
    __builtin_unreachable();
}

/* The next coroutine, if it starts anew, takes over this stack. */
static inline void take_over(struct worker *w)
{
    struct co *next = sched__next(w);
    if (!next || next->sp) abandon(w, next);
    next->stack = w->stack;
    w->current = next;
    count_up(&w->count.switches, 1);
}

static _Noreturn void run_stack(void)
{
    for (;;) {
        struct co *co = worker_self()->current;
        co->fn(co->arg);
        struct worker *w = worker_self();
        end(w, w->current);
        take_over(w);
    }
}

static void stack_entry(void)
{
    struct worker *w = worker_self();
    fiber_arrive(&w->stack->fiber);
    arrived(w);
    run_stack();
}

static void restart_stack(void)
{
    take_over(worker_self());
    run_stack();
}

/* Gives a coroutine that starts anew a stack to be switched to. */
static bool furnish(struct worker *w, struct co *co)
{
    struct stack *st = stack_get(w);
    if (UNLIKELY(!st)) return false;
    co->stack = st;
    co->sp = switch__prepare(stack_top(st), stack_entry);
    return true;
}

/* No memory for a stack: others may give one back. */
static __attribute__((noinline)) void try_later(struct worker *w, struct co *co)
{
    static const struct timespec pause = {.tv_nsec = 1000000};
    sched__push_back(w, co);
    nanosleep(&pause, NULL);
}

void co__run(struct worker *w, struct co *co)
{
    if (!co->sp && !furnish(w, co)) {
        try_later(w, co);
        return;
    }
    enter(w, co, NULL, &w->home, false);
    fiber_arrive(&w->fiber);
    arrived(w);
}

/* ---- giving way ----------------------------------------------------------------------------- */

static __attribute__((noinline)) void leave(struct worker *w, struct co *me, enum after after)
{
    struct stack *st = w->stack;
    struct co *next = sched__next(w);
    if (next && !next->sp && !furnish(w, next)) {
        sched__push_back(w, next);
        next = NULL;
    }
    w->after = after;
    w->prev = me;
    if (next) {
        enter(w, next, st, &me->sp, false);
    } else {
        go_home(w, st, &me->sp, false);
    }
    w = worker_self();
    fiber_arrive(&w->stack->fiber);
    arrived(w);
}

struct co *co_self(void)
{
    struct worker *w = worker_self();
    return w ? w->current : NULL;
}

const char *co_name(const struct co *co)
{
    return co->name;
}

void co_yield(void)
{
    struct worker *w = worker_self();
    if (w->look_now) w->budget = 0;
    leave(w, w->current, AFTER_YIELD);
}

void co__park(void)
{
    struct worker *w = worker_self();
    struct co *me = w->current;
    CHECK(me != NULL);
    if (torture__spurious()) return;
    if (atomic_load_explicit(&me->state, memory_order_relaxed) == CO_TOKEN) {
        atomic_exchange_explicit(&me->state, CO_ACTIVE, memory_order_acquire);
        torture__yield();
    } else {
        leave(w, me, AFTER_PARK);
    }
}

int co_park(int64_t deadline_ns)
{
    struct worker *w = worker_self();
    struct co *me = w->current;
    if (deadline_ns == RT_NEVER) {
        co__park();
        return RT_OK;
    }
    if (deadline_ns <= rt_now()) {
        bool token =
            atomic_exchange_explicit(&me->state, CO_ACTIVE, memory_order_acquire) == CO_TOKEN;
        return token ? RT_OK : RT_ETIMEDOUT;
    }
    timer__add(w, me, deadline_ns);
    co__park();
    return timer__cancel(me) ? RT_ETIMEDOUT : RT_OK;
}

void co_sleep(int64_t ns)
{
    int64_t now = rt_now(), until = ns < RT_NEVER - now ? now + ns : RT_NEVER;
    if (ns <= 0) {
        co_yield();
        return;
    }
    while (co_park(until) != RT_ETIMEDOUT)
        continue;
}

/* From the compare-and-swap on the coroutine is anybody's: what still runs here is the worker, on a
 * stack of its own. */
_Noreturn void co_sleep_stackless(void)
{
    struct worker *w = worker_self();
    struct co *me = w->current;
    struct stack *st = w->stack;
    uint32_t expected = CO_ACTIVE;
    w->current = NULL;
    me->stack = NULL;
    me->sp = NULL;
    atomic_store_explicit(&me->worker, w->id, memory_order_relaxed);
    count_up(&w->count.sleeps, 1);
    if (!atomic_compare_exchange_strong_explicit(&me->state, &expected, CO_PARKED,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        count_up(&w->count.unsleeps, 1);
        atomic_store_explicit(&me->state, CO_ACTIVE, memory_order_relaxed);
        sched__push_back(w, me);
    }
    if (FIBER_DIRTY_MAX != UINT_MAX && ++st->dirty >= FIBER_DIRTY_MAX) abandon(w, NULL);
    switch__jump(stack_top(st), restart_stack);
}

size_t co_stack_left(void)
{
    struct worker *w = worker_self();
    if (!w || !w->stack) return 512 * 1024; /* a thread's own stack is larger than that */
    return (size_t)((char *)__builtin_frame_address(0) - w->stack->low);
}

/* ---- starting ------------------------------------------------------------------------------- */

struct co *co__new(const char *name, co_fn *fn, void *arg)
{
    struct worker *w = worker_self();
    if (atomic_load_explicit(&depot.exhausted, memory_order_relaxed)) return NULL;
    struct co *co = pool__get(&rt.cos, w ? &w->cos : NULL);
    atomic_store_explicit(&co->state, CO_ACTIVE, memory_order_relaxed);
    co->pinned = false;
    co->timer_pos = TIMER_NONE;
    co->sp = NULL;
    co->stack = NULL;
    co->fn = fn;
    co->arg = arg;
    co->name = name;
    if (w) {
        count_up(&w->count.spawns, 1);
    } else {
        atomic_fetch_add_explicit(&rt.foreign.spawns, 1, memory_order_relaxed);
    }
    return co;
}

/* ---- overflow ------------------------------------------------------------------------------- */

static struct sigaction old_segv, old_bus;

const char *rt_stack_overflow(const void *fault_addr)
{
    struct worker *w = worker_self();
    if (!w || !w->stack) return NULL;
    const char *at = fault_addr, *low = w->stack->low;
    if (at >= low || at < low - GUARD_SIZE) return NULL;
    return w->current ? w->current->name : "(scheduler)";
}

/* Says what happened, then lets the fault happen again under the handler that was there before. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
    const char *name = rt_stack_overflow(info->si_addr);
    if (name) {
        log_signal_safe("Stack overflow in coroutine '");
        log_signal_safe(name);
        log_signal_safe("'\n");
    }
    sigaction(SIGSEGV, &old_segv, NULL);
    sigaction(SIGBUS, &old_bus, NULL);
}

void co__install_handler(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &old_segv);
    sigaction(SIGBUS, &action, &old_bus);
}

static void restore(int sig, const struct sigaction *old)
{
    struct sigaction now;
    sigaction(sig, NULL, &now);
    if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_fault) sigaction(sig, old, NULL);
}

void co__remove_handler(void)
{
    restore(SIGSEGV, &old_segv);
    restore(SIGBUS, &old_bus);
}

/* A thread that has a signal stack already (a sanitizer's) keeps it. */
void co__signal_stack(struct worker *w, bool on)
{
    stack_t st = {.ss_size = SIGNAL_STACK}, old;
    if (on) {
        if (sigaltstack(NULL, &old) == 0 && !(old.ss_flags & SS_DISABLE)) return;
        w->signal_stack = mem_alloc(SIGNAL_STACK);
        st.ss_sp = w->signal_stack;
        sigaltstack(&st, NULL);
    } else if (w->signal_stack) {
        st.ss_flags = SS_DISABLE;
        sigaltstack(&st, NULL);
        mem_free(w->signal_stack);
        w->signal_stack = NULL;
    }
}
