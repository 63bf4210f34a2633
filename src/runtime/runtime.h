/*
 * runtime.h - coroutines over all cores, with an integrated network poller.
 *
 * A program calls rt_run(); everything else here is called from coroutines (except where it says
 * "any thread"). One thread per worker runs coroutines; a coroutine runs undisturbed until it calls
 * something marked PARKS, and may resume on another worker: carry neither errno nor the address of
 * anything thread-local across such a call.
 *
 * States of a coroutine, and who owns it:
 *
 *          co_spawn             picked            co_park, blocking calls
 *   (none) -------> RUNNABLE  --------> RUNNING ------------------------> PARKED
 *                   a queue owns it     the worker owns it                whoever holds the pointer
 *                      ^                   |  |                           may co_ready() it, once or more
 *                      |     co_yield      |  | co_sleep_stackless            |
 *                      +-------------------+  v                               |
 *                      |                   DORMANT (as PARKED, but it holds   |
 *                      |                   no stack and starts its function   |
 *                      +-------- co_ready  anew)  <---------------------------+ co_ready
 *
 * Invariants
 *  1. co_ready() before the target has finished parking is never lost: it leaves a token, and the
 *     park returns at once. A park may therefore return spuriously; every wait is a loop on its own
 *     condition.
 *  2. Every blocking call takes a deadline in nanoseconds of rt_now() (RT_NEVER: none) and returns
 *     RT_ETIMEDOUT when it passes.
 *  3. Errors are negative codes; 0 or a count is success.
 */
#ifndef WEFT_RUNTIME_H
#define WEFT_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum rt_error {
    RT_OK = 0,
    RT_EAGAIN = -1,    /* would block (try-forms only) */
    RT_ETIMEDOUT = -2, /* the deadline passed */
    RT_ECLOSED = -3,   /* channel closed, or socket closed by us */
    RT_EOF = -4,       /* the peer will send no more */
    RT_ECANCELED = -5, /* woken for another reason than the one waited for */
    RT_ENOMEM = -6,
    RT_ESYS = -1000,   /* RT_ESYS - errno: a system call failed */
};
/* The errno of an RT_ESYS error, else 0; and a text for any code (static or per-thread storage). */
int rt_errno(int error);
const char *rt_strerror(int error);

#define RT_NEVER INT64_MAX

/* ---- the program ---------------------------------------------------------------------------- */

enum rt_poller { RT_POLLER_AUTO, RT_POLLER_EPOLL, RT_POLLER_IO_URING };

struct rt_config {
    unsigned workers;       /* 0: the cores this process may use */
    enum rt_poller poller;  /* AUTO: what measures better, and works here */
    size_t stack_size;      /* bytes of a coroutine's stack, guard not counted; 0: default */
    unsigned offload_threads; /* most helper threads for rt_offload(); 0: default */
    void (*worker_start)(unsigned worker); /* called on each worker thread before it runs anything */
};

/* Runs main_fn(arg) as the first coroutine on `workers` threads (the calling thread is worker 0) and
 * returns once rt_stop() was called; coroutines that still exist then are abandoned where they are.
 * Error: RT_ENOMEM, RT_ESYS - errno. One runtime a process at a time. */
int rt_run(const struct rt_config *config, void (*main_fn)(void *), void *arg);

/* Ends rt_run(). Any thread; async-signal-safe. */
void rt_stop(void);

/* While it runs, rt_run() has its own handler for SIGSEGV and SIGBUS (on an alternate stack that every
 * worker thread has): it names the coroutine whose stack overflowed, then lets the handler that was
 * installed before, or the default, have the fault. Who installs a handler later calls this instead:
 * the name of the coroutine, if the fault address says that its stack overflowed, else NULL.
 * Async-signal-safe; on the faulting thread. SIGPIPE is ignored from rt_run() on, if it was not handled. */
const char *rt_stack_overflow(const void *fault_addr);

unsigned rt_worker_count(void);
unsigned rt_worker_id(void);      /* of the calling worker thread, 0 .. count-1; UINT_MAX elsewhere */
const char *rt_poller_name(void); /* "epoll" or "io_uring" */

/* Monotonic time, ns. rt_now_cached() is the time of the worker's current scheduling round: free,
 * at most one round old. */
int64_t rt_now(void);
int64_t rt_now_cached(void);

struct rt_stats {
    uint64_t switches, spawns, steals, stolen, polls, poll_waits, poll_events, wakeups, parks;
    uint64_t coroutines;  /* alive now */
    uint64_t parked;      /* of these waiting, with a stack */
    uint64_t dormant;     /* of these waiting without a stack */
    uint64_t stacks, idle_stacks; /* allocated; of these in caches */
    uint64_t offloads, offload_threads;
    uint64_t run_queue;   /* runnable now */
};
/* The sum over all workers, or of one. Approximate while others run. Any thread. */
void rt_stats(struct rt_stats *total);
void rt_stats_of(unsigned worker, struct rt_stats *stats);

/* A counter that grows whenever worker `worker` passes through its scheduler: once it has moved on
 * (or the worker sleeps: then RT_QUIESCENT is returned), the worker holds no reference that it took
 * before without parking. For deferred frees. Any thread; acquire order. */
#define RT_QUIESCENT UINT64_MAX
uint64_t rt_round(unsigned worker);

/* ---- coroutines ----------------------------------------------------------------------------- */

struct co;
typedef void co_fn(void *arg);

/* Starts fn(arg) on a stack of the worker's cache; it is queued, the caller goes on. `name` must
 * outlive it (it is named in crash messages). RT_ENOMEM when there is no memory for a stack. */
int co_spawn(const char *name, co_fn *fn, void *arg);

/* As co_spawn, but on worker `worker` and never stolen. */
int co_spawn_pinned(unsigned worker, const char *name, co_fn *fn, void *arg);

/* As co_spawn, but queued on worker `worker` first (it may be stolen later). */
int co_spawn_on(unsigned worker, const char *name, co_fn *fn, void *arg);

struct co *co_self(void);        /* NULL outside coroutines */
const char *co_name(const struct co *co);
void co_yield(void);             /* PARKS; behind all that are runnable on this worker */
bool co_should_yield(void);      /* has the coroutine run for longer than a fair share (200 us)? cheap */
void co_sleep(int64_t ns);       /* PARKS */

/* PARKS until co_ready(co_self()) or the deadline: RT_OK or RT_ETIMEDOUT. May return RT_OK
 * spuriously. This is what everything that blocks is built on. */
int co_park(int64_t deadline_ns);

/* Makes `co` runnable (on the calling worker if that may run it, else where it last ran), or leaves
 * the token that its next park consumes. Release order before, acquire order in the woken one. The
 * caller guarantees that `co` has not ended. Any thread. */
void co_ready(struct co *co);

/* PARKS without a stack: ends the present invocation of the coroutine's function; at the next
 * co_ready() (or if a token is there already) the function starts anew with the same argument.
 * Everything on the stack is gone. This is how an idle connection costs nothing but its struct. */
_Noreturn void co_sleep_stackless(void);

/* The stack that is left below the caller, bytes. For recursive code that meets hostile input. */
size_t co_stack_left(void);

/* Runs fn(arg) on a helper thread while this coroutine is PARKED; for file I/O, fsync, DNS. */
void rt_offload(void (*fn)(void *), void *arg);

/* ---- channels ------------------------------------------------------------------------------- */

/* For coroutines only. Many senders, many receivers; elements of elem_size bytes are copied. capacity 0: a send waits for
 * its receiver. Two facts hold of every channel: at most one of its two wait queues is non-empty
 * (select may put one coroutine into both), and on a buffered one waiting receivers imply an empty
 * buffer, waiting senders a full one. */
struct chan;
struct chan *chan_new(size_t elem_size, size_t capacity); /* NULL: no memory */
void chan_free(struct chan *ch);                          /* nobody may be waiting in it */
int chan_send(struct chan *ch, const void *elem, int64_t deadline_ns); /* PARKS; RT_ECLOSED, RT_ETIMEDOUT */
int chan_recv(struct chan *ch, void *elem, int64_t deadline_ns);       /* PARKS; RT_ECLOSED once closed and empty */
int chan_try_send(struct chan *ch, const void *elem);     /* RT_EAGAIN */
int chan_try_recv(struct chan *ch, void *elem);
void chan_close(struct chan *ch);                         /* wakes everybody; sending is an error from now on */
size_t chan_len(const struct chan *ch);

struct chan_case {
    enum { CHAN_SEND, CHAN_RECV } op;
    struct chan *ch; /* NULL: never ready */
    void *elem;      /* sent from, or received into */
    int result;      /* of the case taken: RT_OK or RT_ECLOSED */
};
/* PARKS until one case can go on, performs exactly that one and returns its index; RT_ETIMEDOUT.
 * Ready cases are chosen among fairly. deadline_ns 0: RT_EAGAIN instead of parking. */
int chan_select(struct chan_case *cases, size_t n, int64_t deadline_ns);

/* Type-safe wrappers: CHAN_TYPE(job_chan, struct job *) defines job_chan_new(capacity),
 * job_chan_send(ch, elem, deadline), job_chan_recv(ch, &elem, deadline). */
#define CHAN_TYPE(name, type)                                                                      \
    static inline struct chan *name##_new(size_t capacity)                                         \
    {                                                                                              \
        return chan_new(sizeof(type), capacity);                                                   \
    }                                                                                              \
    static inline int name##_send(struct chan *ch, type elem, int64_t deadline_ns)                 \
    {                                                                                              \
        return chan_send(ch, &elem, deadline_ns);                                                  \
    }                                                                                              \
    static inline int name##_recv(struct chan *ch, type *elem, int64_t deadline_ns)                \
    {                                                                                              \
        return chan_recv(ch, elem, deadline_ns);                                                   \
    }

/* ---- locks for coroutines ------------------------------------------------------------------- */

/* A mutex whose waiters park (the thread goes on with others), first come first served. */
struct co_mutex {
    _Atomic(uintptr_t) state;
    void *queue;
};
#define CO_MUTEX_INIT {0, 0}
void co_mutex_lock(struct co_mutex *m); /* PARKS */
bool co_mutex_try(struct co_mutex *m);
void co_mutex_unlock(struct co_mutex *m);

/* ---- sockets -------------------------------------------------------------------------------- */

/* A descriptor registered with a worker's poller. One coroutine may read and one may write at a
 * time. The memory is the runtime's; sock_close() gives it up. */
struct sock;

/* Registers a non-blocking descriptor (any kind that can be polled) with the poller of the calling
 * worker, or of worker `worker`; owns fd from then on. NULL: errno says why. */
struct sock *sock_new(int fd);
struct sock *sock_new_on(unsigned worker, int fd);
int sock_fd(const struct sock *s);

/* Closes the descriptor. Coroutines waiting in it get RT_ECLOSED. */
void sock_close(struct sock *s);

/* Interrupts whoever waits in s (or the next to wait): sock_read/sock_write/sock_wait return
 * RT_ECANCELED once. Any worker. For CLIENT KILL and the like. The caller guarantees that s lives. */
void sock_cancel(struct sock *s);

/* Reads at most n bytes: count, RT_EOF, RT_ETIMEDOUT, RT_ECLOSED, RT_ECANCELED, RT_ESYS - errno.
 * PARKS while nothing is there. sock_try_read never parks (RT_EAGAIN); it makes no system call that
 * is known to return EAGAIN. */
ssize_t sock_read(struct sock *s, void *buf, size_t n, int64_t deadline_ns);
ssize_t sock_try_read(struct sock *s, void *buf, size_t n);

/* Writes all of it: total count, or an error (what went out before it is then unknown). PARKS while
 * the peer takes nothing. sock_try_writev writes what goes without parking: count or RT_EAGAIN. */
ssize_t sock_write(struct sock *s, const void *buf, size_t n, int64_t deadline_ns);
ssize_t sock_try_writev(struct sock *s, const struct iovec *iov, int iovcnt);

/* PARKS until s may be readable and/or writable, or the peer has hung up:
 * SOCK_READABLE | SOCK_WRITABLE | SOCK_HANGUP bits that hold (hang-up is always reported), or an
 * error. SOCK_HANGUP alone in `events` waits for nothing else: data is left where it is. */
enum { SOCK_READABLE = 1, SOCK_WRITABLE = 2, SOCK_HANGUP = 4 };
int sock_wait(struct sock *s, int events, int64_t deadline_ns);

/* Parks without a stack until s may be readable (hung up, cancelled, or the coroutine readied):
 * the coroutine's function then starts anew. Only when sock_try_read has said RT_EAGAIN. */
_Noreturn void sock_sleep_stackless(struct sock *s);

/* Makes co_self() the one who is readied, in addition to other reasons it parks for, when s hangs up
 * or is cancelled; until sock_unwatch(). For coroutines parked on something else than s.
 * sock_hung_up() and sock_canceled() tell (the latter consumes the cancellation). */
void sock_watch(struct sock *s);
void sock_unwatch(struct sock *s);
bool sock_hung_up(const struct sock *s);
bool sock_canceled(struct sock *s);

/* PARKS until a connection comes in: its descriptor (non-blocking, close-on-exec), or an error. */
int sock_accept(struct sock *listener, struct sockaddr *addr, socklen_t *addrlen, int64_t deadline_ns);
/* Non-blocking connect; PARKS until it is established. NULL: *error. */
struct sock *sock_connect(const struct sockaddr *addr, socklen_t addrlen, int64_t deadline_ns, int *error);

/* Offers a coroutine the batch of the scheduling round: fn(arg) runs on this worker after the
 * runnable coroutines of the round and before the worker polls again. Not implemented by sleeping:
 * it costs one list insertion. The node must stay valid until it ran. */
struct rt_round_end {
    void (*fn)(void *arg);
    void *arg;
    struct rt_round_end *next;
};
void rt_at_round_end(struct rt_round_end *node);

#endif
