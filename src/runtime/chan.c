/*
 * chan.c - channels and select.
 *
 *   sender ---> receivers wait? ---- yes: copy into the first one's variable, ready it
 *                     | no
 *               room in the buffer? - yes: copy there
 *                     | no
 *               wait among the senders until a receiver takes the element from our variable
 *
 * Receiving is the mirror image; who takes from a full buffer also moves the first waiting sender's
 * element into it.
 *
 * Invariants (under ch->lock)
 *  1. At most one wait queue is non-empty, except that one select may wait in both.
 *  2. Waiting receivers imply an empty buffer; waiting senders a full one.
 *  3. A struct waiter lies on its coroutine's stack, and is in a queue until somebody takes it out.
 *     Who completes its operation stores `done` last: from then on the waiter may be gone.
 *  4. A select's waiters share one `done`; who moves it from PENDING to a case owns the operation.
 *     A waiter whose select was completed elsewhere is dropped by whoever comes across it.
 *
 * A select locks its channels in the order of their addresses, looks at all, and joins all queues
 * before it unlocks any: so nobody needs to undo anything.
 */
#include "runtime/rt.h"

#define PENDING    (-1)
#define SELECT_FEW 16

struct waiter {
    struct list_node node;
    struct co *co;
    void *elem;
    int index;          /* of its case in a select, else 0 */
    int result;         /* written before done */
    _Atomic(int) *done; /* PENDING, then the index of the case that was performed */
    bool is_select;
};

struct chan {
    atomic_flag lock;
    bool closed;
    size_t elem_size, capacity;
    _Atomic(size_t) count; /* written under the lock */
    size_t first;          /* slot of the oldest element */
    struct list_node senders, receivers;
    char buf[];
};

/* A single worker needs no lock: only coroutines use channels, and none parks while it holds one. */
static inline void lock(struct chan *ch)
{
    if (rt.n > 1) spin_lock(&ch->lock);
}

static inline void unlock(struct chan *ch)
{
    if (rt.n > 1) spin_unlock(&ch->lock);
}

struct chan *chan_new(size_t elem_size, size_t capacity)
{
    struct chan *ch = mem_try_alloc(sizeof *ch + elem_size * capacity);
    if (!ch) return NULL;
    memset(ch, 0, sizeof *ch);
    atomic_flag_clear(&ch->lock);
    ch->elem_size = elem_size;
    ch->capacity = capacity;
    list_init(&ch->senders);
    list_init(&ch->receivers);
    return ch;
}

void chan_free(struct chan *ch)
{
    if (!ch) return;
    assert(list_empty(&ch->senders) && list_empty(&ch->receivers));
    mem_free(ch);
}

size_t chan_len(const struct chan *ch)
{
    return atomic_load_explicit(&ch->count, memory_order_relaxed);
}

/* ---- elements ------------------------------------------------------------------------------- */

static inline void copy(const struct chan *ch, void *to, const void *from)
{
    if (LIKELY(ch->elem_size == 8)) {
        memcpy(to, from, 8);
    } else if (ch->elem_size > 0) {
        memcpy(to, from, ch->elem_size);
    }
}

static inline size_t count(const struct chan *ch)
{
    return atomic_load_explicit(&ch->count, memory_order_relaxed);
}

static inline void set_count(struct chan *ch, size_t n)
{
    atomic_store_explicit(&ch->count, n, memory_order_relaxed);
}

static inline void put(struct chan *ch, const void *elem)
{
    size_t at = ch->first + count(ch);
    if (at >= ch->capacity) at -= ch->capacity;
    copy(ch, ch->buf + at * ch->elem_size, elem);
    set_count(ch, count(ch) + 1);
}

static inline void get(struct chan *ch, void *elem)
{
    copy(ch, elem, ch->buf + ch->first * ch->elem_size);
    if (++ch->first == ch->capacity) ch->first = 0;
    set_count(ch, count(ch) - 1);
}

/* ---- waiters -------------------------------------------------------------------------------- */

/* The next waiter whose operation is ours to complete. */
static struct waiter *take_waiter(struct list_node *queue)
{
    while (!list_empty(queue)) {
        struct waiter *w = LIST_ENTRY(queue->next, struct waiter, node);
        int pending = PENDING;
        list_remove(&w->node);
        if (!w->is_select) return w;
        if (atomic_compare_exchange_strong_explicit(w->done, &pending, PENDING - 1 - w->index,
                                                    memory_order_acq_rel, memory_order_relaxed)) {
            return w;
        }
    }
    return NULL;
}

/* The element was copied. A select's `done` was claimed before; now it becomes the index. */
static void complete(struct waiter *w, int result)
{
    struct co *co = w->co;
    w->result = result;
    atomic_store_explicit(w->done, w->index, memory_order_release);
    co_ready(co);
}

static bool is_done(_Atomic(int) *done)
{
    return atomic_load_explicit(done, memory_order_acquire) >= 0;
}

/* ---- one attempt, under the lock; RT_EAGAIN: it would have to wait -----------------------------
 */

/* *partner is to be completed with RT_OK once the lock is released. */
static int send_locked(struct chan *ch, const void *elem, struct waiter **partner)
{
    if (ch->closed) return RT_ECLOSED;
    if ((*partner = take_waiter(&ch->receivers))) {
        copy(ch, (*partner)->elem, elem);
        return RT_OK;
    }
    if (count(ch) == ch->capacity) return RT_EAGAIN;
    put(ch, elem);
    return RT_OK;
}

static int recv_locked(struct chan *ch, void *elem, struct waiter **partner)
{
    *partner = NULL;
    if (count(ch) > 0) {
        get(ch, elem);
        if ((*partner = take_waiter(&ch->senders))) put(ch, (*partner)->elem);
        return RT_OK;
    }
    if ((*partner = take_waiter(&ch->senders))) {
        copy(ch, elem, (*partner)->elem);
        return RT_OK;
    }
    return ch->closed ? RT_ECLOSED : RT_EAGAIN;
}

static inline int attempt(struct chan *ch, bool send, void *elem, struct waiter **partner)
{
    *partner = NULL;
    return send ? send_locked(ch, elem, partner) : recv_locked(ch, elem, partner);
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* Leaves the queue; false: somebody has taken the waiter out to complete it. */
static bool withdraw(struct chan *ch, struct waiter *w, _Atomic(int) *done)
{
    lock(ch);
    bool queued = w->node.next != &w->node;
    if (queued) list_remove(&w->node);
    unlock(ch);
    return queued;
}

static int wait_in(struct chan *ch, struct waiter *w, int64_t deadline_ns)
{
    bool may_withdraw = true;
    while (!is_done(w->done)) {
        int rc = co_park(may_withdraw ? deadline_ns : RT_NEVER);
        if (rc != RT_ETIMEDOUT || is_done(w->done)) continue;
        if (withdraw(ch, w, w->done)) return RT_ETIMEDOUT;
        may_withdraw = false;
    }
    return w->result;
}

static int operate(struct chan *ch, bool send, void *elem, int64_t deadline_ns)
{
    struct waiter *partner;
    _Atomic(int) done = PENDING;
    torture__yield();
    lock(ch);
    int rc = attempt(ch, send, elem, &partner);
    if (rc == RT_EAGAIN) {
        struct waiter w = {.co = co_self(), .elem = elem, .done = &done};
        list_push_back(send ? &ch->senders : &ch->receivers, &w.node);
        unlock(ch);
        return wait_in(ch, &w, deadline_ns);
    }
    unlock(ch);
    if (partner) complete(partner, RT_OK);
    return rc;
}

int chan_send(struct chan *ch, const void *elem, int64_t deadline_ns)
{
    return operate(ch, true, (void *)elem, deadline_ns);
}

int chan_recv(struct chan *ch, void *elem, int64_t deadline_ns)
{
    return operate(ch, false, elem, deadline_ns);
}

static int operate_now(struct chan *ch, bool send, void *elem)
{
    struct waiter *partner;
    lock(ch);
    int rc = attempt(ch, send, elem, &partner);
    unlock(ch);
    if (partner) complete(partner, RT_OK);
    return rc;
}

int chan_try_send(struct chan *ch, const void *elem)
{
    return operate_now(ch, true, (void *)elem);
}

int chan_try_recv(struct chan *ch, void *elem)
{
    return operate_now(ch, false, elem);
}

/* Receivers wait only while the buffer is empty, so for each of them this is the end. They are
 * collected under the lock and completed outside: completing may run any of them elsewhere. */
void chan_close(struct chan *ch)
{
    struct list_node woken;
    struct waiter *w;
    list_init(&woken);
    lock(ch);
    ch->closed = true;
    while ((w = take_waiter(&ch->senders)))
        list_push_back(&woken, &w->node);
    while ((w = take_waiter(&ch->receivers)))
        list_push_back(&woken, &w->node);
    unlock(ch);
    while (!list_empty(&woken)) {
        w = LIST_ENTRY(woken.next, struct waiter, node);
        list_remove(&w->node);
        complete(w, RT_ECLOSED);
    }
}

/* ---- select --------------------------------------------------------------------------------- */

struct select {
    struct chan_case *cases;
    size_t n;
    struct waiter *waiters;
    struct chan **locks; /* sorted, each once */
    size_t n_locks;
    _Atomic(int) done;
};

static void sort_locks(struct select *sel)
{
    sel->n_locks = 0;
    for (size_t i = 0; i < sel->n; i++) {
        struct chan *ch = sel->cases[i].ch;
        size_t at = sel->n_locks;
        while (at > 0 && sel->locks[at - 1] > ch)
            at--;
        if (!ch || (at > 0 && sel->locks[at - 1] == ch)) continue;
        memmove(sel->locks + at + 1, sel->locks + at, (sel->n_locks - at) * sizeof *sel->locks);
        sel->locks[at] = ch;
        sel->n_locks++;
    }
}

static void lock_all(struct select *sel)
{
    for (size_t i = 0; i < sel->n_locks; i++)
        lock(sel->locks[i]);
}

static void unlock_all(struct select *sel)
{
    for (size_t i = sel->n_locks; i-- > 0;)
        unlock(sel->locks[i]);
}

/* The first ready case from a random one on; -1: none. */
static int attempt_all(struct select *sel, struct waiter **partner)
{
    size_t start = sel->n ? (size_t)rand_below(sel->n) : 0;
    for (size_t k = 0; k < sel->n; k++) {
        size_t i = (start + k) % sel->n;
        struct chan_case *c = &sel->cases[i];
        if (!c->ch) continue;
        int rc = attempt(c->ch, c->op == CHAN_SEND, c->elem, partner);
        if (rc == RT_EAGAIN) continue;
        c->result = rc;
        return (int)i;
    }
    return -1;
}

static void join_all(struct select *sel)
{
    struct co *me = co_self();
    for (size_t i = 0; i < sel->n; i++) {
        struct chan_case *c = &sel->cases[i];
        struct waiter *w = &sel->waiters[i];
        *w = (struct waiter){
            .co = me, .elem = c->elem, .index = (int)i, .done = &sel->done, .is_select = true};
        list_init(&w->node);
        if (c->ch)
            list_push_back(c->op == CHAN_SEND ? &c->ch->senders : &c->ch->receivers, &w->node);
    }
}

static void leave_all(struct select *sel)
{
    lock_all(sel);
    for (size_t i = 0; i < sel->n; i++)
        list_remove(&sel->waiters[i].node);
    unlock_all(sel);
}

/* Until a case was performed, or the deadline. A case that somebody has claimed is waited for. */
static int wait_select(struct select *sel, int64_t deadline_ns)
{
    int pending = PENDING;
    while (!is_done(&sel->done)) {
        if (co_park(deadline_ns) != RT_ETIMEDOUT) continue;
        if (atomic_compare_exchange_strong_explicit(&sel->done, &pending, PENDING - 1,
                                                    memory_order_acq_rel, memory_order_relaxed)) {
            leave_all(sel);
            return RT_ETIMEDOUT;
        }
        deadline_ns = RT_NEVER;
    }
    leave_all(sel);
    int index = atomic_load_explicit(&sel->done, memory_order_relaxed);
    sel->cases[index].result = sel->waiters[index].result;
    return index;
}

static int select_with(struct select *sel, int64_t deadline_ns)
{
    struct waiter *partner = NULL;
    sort_locks(sel);
    lock_all(sel);
    int index = attempt_all(sel, &partner);
    if (index < 0 && deadline_ns != 0) join_all(sel);
    unlock_all(sel);
    if (partner) complete(partner, RT_OK);
    if (index >= 0) return index;
    return deadline_ns == 0 ? RT_EAGAIN : wait_select(sel, deadline_ns);
}

int chan_select(struct chan_case *cases, size_t n, int64_t deadline_ns)
{
    struct waiter few_waiters[SELECT_FEW];
    struct chan *few_locks[SELECT_FEW];
    struct select sel = {.cases = cases, .n = n, .waiters = few_waiters, .locks = few_locks};
    atomic_init(&sel.done, PENDING);
    torture__yield();
    if (n > SELECT_FEW) {
        sel.waiters = mem_alloc(n * sizeof *sel.waiters);
        sel.locks = mem_alloc(n * sizeof *sel.locks);
    }
    int rc = select_with(&sel, deadline_ns);
    if (n > SELECT_FEW) {
        mem_free(sel.waiters);
        mem_free(sel.locks);
    }
    return rc;
}
