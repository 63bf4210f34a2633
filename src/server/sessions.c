/*
 * sessions.c - the registry of clients: a list a worker, each with a lock.
 *
 *   shard 0: lock | s1 <-> s4 <-> [cursor] <-> s9      shard 1: lock | s2 <-> s3
 *
 * A client enters and leaves the shard of the worker that accepted it, so coming and going take a
 * lock that hardly anybody else wants. Who walks holds it for CHUNK sessions at a time and keeps
 * its place with a cursor, a node of its own in the list; walkers skip each other's.
 *
 * Invariants
 *  1. Ids are drawn under the lock: a shard's list is ascending.
 *  2. Locks are held for short and never across a park; one at a time.
 */
#include "server/server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK 64

struct cursor {
    struct list_node node;
    struct cursor *next; /* of the shard's cursors */
};

struct shard {
    pthread_mutex_t lock;
    struct list_node sessions;
    struct cursor *cursors;
} ALIGNED(CACHE_LINE);

static struct shard *shards;
static uint32_t nshards;
static _Atomic(uint64_t) last_id;
static _Atomic(uint32_t) count;
static _Atomic(int32_t) blocked;

void sessions_init(void)
{
    nshards = rt_worker_count();
    shards = aligned_alloc(CACHE_LINE, nshards * sizeof *shards);
    CHECK(shards != NULL);
    for (uint32_t i = 0; i < nshards; i++) {
        pthread_mutex_init(&shards[i].lock, NULL);
        list_init(&shards[i].sessions);
        shards[i].cursors = NULL;
    }
}

bool sessions_add(struct session *s)
{
    uint32_t max = (uint32_t)config_num(OPT_MAXCLIENTS);
    if (atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) >= max) {
        atomic_fetch_sub_explicit(&count, 1, memory_order_relaxed);
        return false;
    }
    s->shard = MIN(rt_worker_id(), nshards - 1);
    sessions_lock(s);
    s->caller.id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    list_push_back(&shards[s->shard].sessions, &s->in_shard);
    sessions_unlock(s);
    return true;
}

void sessions_remove(struct session *s)
{
    sessions_lock(s);
    list_remove(&s->in_shard);
    sessions_unlock(s);
    atomic_fetch_sub_explicit(&count, 1, memory_order_relaxed);
}

void sessions_lock(struct session *s)
{
    pthread_mutex_lock(&shards[s->shard].lock);
}

void sessions_unlock(struct session *s)
{
    pthread_mutex_unlock(&shards[s->shard].lock);
}

uint32_t sessions_count(void)
{
    return atomic_load_explicit(&count, memory_order_relaxed);
}

uint32_t sessions_blocked(void)
{
    return (uint32_t)MAX(atomic_load_explicit(&blocked, memory_order_relaxed), 0);
}

void sessions_count_blocked(int change)
{
    atomic_fetch_add_explicit(&blocked, change, memory_order_relaxed);
}

uint64_t sessions_last_id(void)
{
    return atomic_load_explicit(&last_id, memory_order_relaxed);
}

/* ---- walking ----------------------------------------------------------------------------------
 */

static bool is_cursor(const struct shard *shard, const struct list_node *node)
{
    const struct cursor *c = shard->cursors;
    while (c && &c->node != node)
        c = c->next;
    return c != NULL;
}

static void cursor_enter(struct shard *shard, struct cursor *c)
{
    list_push_front(&shard->sessions, &c->node);
    c->next = shard->cursors;
    shard->cursors = c;
}

static void cursor_leave(struct shard *shard, struct cursor *c)
{
    struct cursor **p = &shard->cursors;
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    list_remove(&c->node);
}

typedef bool each_fn(struct session *s, void *arg);

/* Moves the cursor over up to CHUNK nodes. False: the end, or fn wants no more (*more). */
static bool walk_chunk(struct shard *shard, struct cursor *c, each_fn *fn, void *arg, bool *more)
{
    for (int i = 0; i < CHUNK; i++) {
        struct list_node *node = c->node.next;
        if (node == &shard->sessions) return false;
        list_remove(&c->node);
        list_push_front(node, &c->node);
        if (is_cursor(shard, node)) continue;
        if (!fn(LIST_ENTRY(node, struct session, in_shard), arg)) {
            *more = false;
            return false;
        }
    }
    return true;
}

static bool walk_shard(struct shard *shard, each_fn *fn, void *arg)
{
    struct cursor c;
    bool more = true;
    pthread_mutex_lock(&shard->lock);
    cursor_enter(shard, &c);
    while (walk_chunk(shard, &c, fn, arg, &more)) {
        pthread_mutex_unlock(&shard->lock);
        pthread_mutex_lock(&shard->lock);
    }
    cursor_leave(shard, &c);
    pthread_mutex_unlock(&shard->lock);
    return more;
}

void sessions_each(each_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < nshards; i++) {
        if (!walk_shard(&shards[i], fn, arg)) return;
    }
}

struct search {
    uint64_t id;
    void (*fn)(struct session *s, void *arg);
    void *arg;
    bool found;
};

static bool try_match(struct session *s, void *arg)
{
    struct search *search = arg;
    if (s->caller.id != search->id) return true;
    search->found = true;
    search->fn(s, search->arg);
    return false;
}

bool sessions_with(uint64_t id, void (*fn)(struct session *s, void *arg), void *arg)
{
    struct search search = {id, fn, arg, false};
    sessions_each(try_match, &search);
    return search.found;
}

void session_kill(struct session *s)
{
    atomic_store_explicit(&s->kill, 1, memory_order_release);
    atomic_fetch_or_explicit(&s->caller.gate, GATE_CLOSE, memory_order_relaxed);
    sock_cancel(s->conn.sock);
}
