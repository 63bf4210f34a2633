/*
 * rt.h - what the files of runtime/ share: the structs, and the short functions of the hot path.
 *
 *   worker --- current --> co ---- stack --> struct stack (at the top of the memory it describes)
 *     |  queues of co                 ^
 *     |  caches of co, stack, sock    | slot: who waits
 *     '- poller <------------------- sock
 *
 * Invariants
 *  1. The memory of coroutines and sockets is type-stable: it goes back to the system only when the
 *     runtime ends. A co_ready() that comes too late therefore finds a coroutine, perhaps a new
 * one, and wakes it spuriously, which is allowed; an event that comes too late is recognised by the
 *     socket's generation.
 *  2. `co->state` alone says whether a coroutine may be queued: whoever moves it from CO_PARKED to
 *     CO_ACTIVE (one compare-and-swap) queues it, nobody else.
 *  3. What is marked (owner) is used by the worker's thread only; (any) by everybody, atomically.
 */
#ifndef WEFT_RUNTIME_RT_H
#define WEFT_RUNTIME_RT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/base.h"
#include "runtime/fiber.h"
#include "runtime/runtime.h"
#include "runtime/switch.h"

#ifdef WEFT_TORTURE
#define RING_SIZE 2
#else
#define RING_SIZE 256
#endif
#define MAX_WORKERS 256
#define TIMER_NONE  UINT32_MAX

/* ---- coroutines and stacks ------------------------------------------------------------------ */

enum co_state {
    CO_ACTIVE, /* running, or in a queue */
    CO_TOKEN,  /* the same, and its next park returns at once */
    CO_PARKED, /* nobody runs it; with a stack (sp != NULL), or dormant without one */
};

struct stack {
    struct stack *next; /* in a cache */
    char *low;          /* its lowest byte; the guard lies below */
    unsigned dirty;     /* see fiber.h */
    struct fiber fiber;
};

struct co {
    _Atomic(uint32_t) state;
    _Atomic(uint16_t) worker; /* where it parked last, or is pinned to */
    bool pinned;
    bool timed_out;        /* under the lock of the timer queue it is in */
    uint16_t timer_worker; /* whose timer queue it was put into last */
    uint32_t timer_pos;    /* under the lock of that queue: index, or TIMER_NONE */
    void *sp;              /* suspended context; NULL: it starts its function anew */
    struct stack *stack;
    co_fn *fn;
    void *arg;
    const char *name;
    struct co *next; /* link of the list that holds it: a queue or a cache */
};
_Static_assert(sizeof(struct co) <= 80, "an idle connection pays for this");

/* ---- sockets -------------------------------------------------------------------------------- */

/* struct sock's `events` in one word, so that the poller publishes with one store:
 * reads counted from bit 32, writes from bit 8, and the sticky flags of a hang-up below. */
#define EV_READ_ONE    (UINT64_C(1) << 32)
#define EV_WRITE_ONE   (UINT64_C(1) << 8)
#define EV_WRITE_MASK  (UINT64_C(0xffffff) << 8)
#define EV_HALF_CLOSED UINT64_C(1) /* the peer sends no more */
#define EV_HANGUP      UINT64_C(2) /* nothing goes in either direction, or an error is pending */
#define EV_GONE        (EV_HALF_CLOSED | EV_HANGUP)

enum { SOCK_CTL_CLOSED = 1, SOCK_CTL_CANCELED = 2 };

struct sock {
    int fd;
    uint16_t worker;          /* whose poller it is registered with */
    _Atomic(uint16_t) generation; /* grows when the struct is used anew */
    _Atomic(uint64_t) events; /* written by the one who polls, see netpoll.h */
    uint32_t read_seen;       /* the reader's: count of read events before its last read */
    uint32_t write_seen;      /* the writer's */
    bool read_more;           /* the reader's: the last read may have left something */
    bool write_more;          /* the writer's: the last write did not fill the buffer */
    bool eof;                 /* the reader's */
    bool listener;
    _Atomic(uint32_t) ctl;  /* (any) */
    _Atomic(uint32_t) refs; /* (any): one for being open, one for each who waits in it */
    _Atomic(struct co *) reader, writer, watcher; /* (any) who is to be readied */
    struct sock *next;                            /* in a cache or a list of closed ones */
    uint64_t backend[4];                          /* the poller's own */
};
_Static_assert(sizeof(struct sock) <= 112, "an idle connection pays for this");

static inline uint32_t ev_reads(uint64_t events)
{
    return (uint32_t)(events >> 32);
}

static inline uint32_t ev_writes(uint64_t events)
{
    return (uint32_t)((events & EV_WRITE_MASK) >> 8);
}

/* ---- caches of fixed-size objects ----------------------------------------------------------- */

/* A worker's share of a pool. */
struct magazine {
    void *first;
    unsigned n;
};

/* Free objects are linked through their pointer at offset `link`: their other words stay as they
 * are, since whoever comes late (invariant 1) may still look at them. */
struct pool {
    pthread_mutex_t lock;
    size_t size, link;
    void *free;
    void *slabs; /* linked by their first word; each holds objects behind it */
};

void pool__init(struct pool *pool, size_t size, size_t link);
void pool__fini(struct pool *pool);
/* m: the calling worker's magazine, or NULL. A fresh object is zero, a used one as it was left. */
void *pool__get(struct pool *pool, struct magazine *m);
void pool__put(struct pool *pool, struct magazine *m, void *object);

/* ---- workers -------------------------------------------------------------------------------- */

enum after { AFTER_NOTHING, AFTER_YIELD, AFTER_PARK, AFTER_STACK };

/* Counted by the owner alone with a load and a store; read by anybody. Differences of two counters
 * are gauges; a coroutine may be counted in on one worker and out on another. */
struct counters {
    _Atomic(uint64_t) switches, spawns, steals, stolen, polls, poll_waits, poll_events, wakeups;
    _Atomic(uint64_t) parks, unparks, sleeps, unsleeps, ends;
};

static inline void count_up(_Atomic(uint64_t) *counter, uint64_t n)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

struct timer {
    int64_t when;
    struct co *co;
};

struct co_queue {
    struct co *first, *last;
};

struct worker {
    /* (owner) */
    struct co *current;  /* NULL in the scheduler */
    struct stack *stack; /* the one this thread runs on; NULL: its own */
    void *home;          /* the scheduler's context while a coroutine runs */
    enum after after;    /* what the next context does for the one that switched to it */
    struct co *prev;
    struct stack *prev_stack;
    int32_t budget; /* coroutines to run before the scheduler is to look around */
    int32_t budget_size;
    uint32_t turn;
    uint16_t id;
    bool solo;      /* the only worker: its ring has no thieves */
    bool pinned_turn; /* pinned ones were taken from last */
    bool searching; /* counted in rt.searching */
    uint8_t expect; /* 0..3: how likely a poll without waiting finds events */
    struct co_queue pinned;
    struct rt_round_end *round_end, **round_end_tail;
    int64_t now;                          /* ns, as of the last poll */
    uint64_t polled_at;                   /* cycles */
    uint64_t slice_start, slice_switches; /* see co_should_yield */
    bool look_now; /* a coroutine has run for long: the scheduler is to poll */
    struct magazine cos, socks;
    struct stack *stacks;
    _Atomic(uint32_t) n_stacks;
    uint64_t *seen;    /* the others' rounds at the last look */
    int64_t looked_at; /* ns */
    struct fiber fiber;
    pthread_t thread;
    char *signal_stack;
    void *poller; /* the backend's */

    /* The run queue: the owner puts at the tail, everybody takes at the head. */
    ALIGNED(CACHE_LINE) _Atomic(uint32_t) head; /* (any) */
    _Atomic(uint32_t) tail;                     /* written by the owner */
    _Atomic(struct co *) run_next;              /* set by the owner, taken by anybody */
    _Atomic(struct co *) ring[RING_SIZE];

    ALIGNED(CACHE_LINE)
    _Atomic(uint64_t) round; /* written by the owner; ROUND_ASLEEP while it sleeps */
    ALIGNED(CACHE_LINE)
    _Atomic(struct co *) inbox;    /* (any) a stack of those readied from elsewhere */
    _Atomic(bool) told_to_search;  /* by whoever woke it */
    _Atomic(struct sock *) closed; /* (any) a stack of sockets to be freed */
    atomic_flag poll_lock; /* who holds it polls this worker's poller and handles what comes */
    atomic_flag timer_lock;
    _Atomic(int64_t) timer_next; /* of the first timer; RT_NEVER */
    struct timer *timers;        /* under timer_lock */
    uint32_t n_timers, cap_timers;

    ALIGNED(CACHE_LINE) struct counters count;
};

#define ROUND_ASLEEP (UINT64_C(1) << 63)

struct netpoll;

struct rt {
    unsigned n;
    struct worker *workers;
    void *worker_memory;
    const struct netpoll *netpoll;
    struct rt_config config;
    size_t stack_size;
    struct pool cos, socks;
    uint64_t slice_cycles, poll_cycles;
    _Atomic(bool) stop;

    ALIGNED(CACHE_LINE)
    _Atomic(uint64_t) idle[MAX_WORKERS / 64]; /* a bit: sleeps, and nobody has woken it */
    _Atomic(int) searching;        /* workers woken to look for work that have not found any yet */
    _Atomic(int) watch;            /* the sleeper that looks after the others, or -1 */
    _Atomic(int64_t) watch_called; /* ns, when one was last woken to become it */

    ALIGNED(CACHE_LINE) _Atomic(uint32_t) n_global;
    pthread_mutex_t global_lock;
    struct co_queue global;
    struct counters foreign; /* counted by other threads, atomically */
};

extern struct rt rt;

/* The worker of the calling thread, or NULL. Never through a pointer the compiler might keep: a
 * coroutine that parked may go on in another thread. */
extern _Thread_local struct worker *rt__worker
    __attribute__((tls_model("initial-exec"), visibility("default")));

#if defined(__x86_64__) && !defined(WEFT_SANITIZER)
__attribute__((always_inline)) static inline struct worker *worker_self(void)
{
    struct worker *w;
    __asm__ volatile("movq rt__worker@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0"
                     : "=r"(w)
                     :
                     : "memory");
    return w;
}
#else
struct worker *worker_self(void);
#endif

/* ---- sched.c -------------------------------------------------------------------------------- */

void sched__init(void);                    /* once the clock runs */
void sched__worker_init(struct worker *w); /* its id is set */
/* The scheduler of the calling thread's worker; returns after rt_stop(). */
void sched__work(struct worker *w);
uint32_t sched__ring_count(const struct worker *w); /* any thread */
/* Queues a coroutine that the caller made active (invariant 2): on the calling worker if it may run
 * there, else on `worker`. Wakes whoever is needed. */
void sched__enqueue(struct co *co, unsigned worker);
/* Behind all others of w, the calling worker; wakes nobody. */
void sched__push_back(struct worker *w, struct co *co);
/* co_ready() from the poller and from timers, on worker w whose thread this is; wakes nobody. */
void sched__ready_quietly(struct worker *w, struct co *co);
/* Takes what runs next out of w's own queues; NULL: it is time for the scheduler. */
struct co *sched__next(struct worker *w);

/* ---- co.c ----------------------------------------------------------------------------------- */

void co__global_init(void);
void co__global_fini(void);
void co__worker_fini(struct worker *w);
/* Runs co until the worker is to enter its scheduler again. */
void co__run(struct worker *w, struct co *co);
struct co *co__new(const char *name, co_fn *fn, void *arg);
/* As co_park, without a deadline. */
void co__park(void);
void co__install_handler(void);
void co__remove_handler(void);
void co__signal_stack(struct worker *w, bool on);
uint64_t co__stacks(uint64_t *idle);
/* More stacks are kept than seems useful: co__trim() is to be called ten times a second. */
bool co__trim_wanted(void);
void co__trim(int64_t now);

/* ---- timer.c -------------------------------------------------------------------------------- */

void timer__add(struct worker *w, struct co *co, int64_t when);
/* Takes co out of the queue it is in, if any: true if it went off before. */
bool timer__cancel(struct co *co);
/* Readies, on worker `by`, what is due in w's queue by `now`. */
void timer__fire(struct worker *w, struct worker *by, int64_t now);

/* ---- offload.c, sock.c ---------------------------------------------------------------------- */

void offload__start(unsigned max_threads);
void offload__stop(void);
void offload__stats(struct rt_stats *stats);

/* ---- small ones ----------------------------------------------------------------------------- */

void spin__wait(atomic_flag *lock);

static inline void spin_lock(atomic_flag *lock)
{
    if (UNLIKELY(atomic_flag_test_and_set_explicit(lock, memory_order_acquire))) spin__wait(lock);
}

static inline void spin_unlock(atomic_flag *lock)
{
    atomic_flag_clear_explicit(lock, memory_order_release);
}

static inline bool spin_try(atomic_flag *lock)
{
    return !atomic_flag_test_and_set_explicit(lock, memory_order_acquire);
}

#ifdef WEFT_TORTURE
void torture__yield(void);
bool torture__spurious(void); /* a park is to return for no reason */
#else
static inline void torture__yield(void) {}
static inline bool torture__spurious(void) { return false; }
#endif

#endif
