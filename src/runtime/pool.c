/*
 * pool.c - objects of one size, never given back while the runtime runs (rt.h, invariant 1).
 *
 *   worker's magazine <---- MAGAZINE objects at a time ----> pool->free <---- slab by slab ----
 * system (no lock)                                                (pthread lock)
 *
 * Invariants
 *  1. A free object is in exactly one list: a magazine's or the pool's.
 *  2. A magazine holds at most 2 * MAGAZINE objects.
 */
#include "runtime/rt.h"

#define MAGAZINE 32

void pool__init(struct pool *pool, size_t size, size_t link)
{
    *pool = (struct pool){.size = size, .link = link};
    pthread_mutex_init(&pool->lock, NULL);
}

void pool__fini(struct pool *pool)
{
    for (void *slab = pool->slabs, *next; slab; slab = next) {
        next = *(void **)slab;
        mem_free(slab);
    }
    pthread_mutex_destroy(&pool->lock);
}

static void **link_of(const struct pool *pool, void *object)
{
    return (void **)((char *)object + pool->link);
}

static void push(const struct pool *pool, void **list, void *object)
{
    *link_of(pool, object) = *list;
    *list = object;
}

static void *pop(const struct pool *pool, void **list)
{
    void *object = *list;
    *list = *link_of(pool, object);
    return object;
}

static void grow(struct pool *pool)
{
    char *slab = mem_calloc(CACHE_LINE + MAGAZINE * pool->size);
    *(void **)slab = pool->slabs;
    pool->slabs = slab;
    for (size_t i = MAGAZINE; i-- > 0;)
        push(pool, &pool->free, slab + CACHE_LINE + i * pool->size);
}

static void *get_locked(struct pool *pool)
{
    if (!pool->free) grow(pool);
    return pop(pool, &pool->free);
}

static __attribute__((noinline)) void *get_slow(struct pool *pool, struct magazine *m)
{
    pthread_mutex_lock(&pool->lock);
    while (m && m->n < MAGAZINE) {
        push(pool, &m->first, get_locked(pool));
        m->n++;
    }
    void *object = get_locked(pool);
    pthread_mutex_unlock(&pool->lock);
    return object;
}

void *pool__get(struct pool *pool, struct magazine *m)
{
    if (UNLIKELY(!m || m->n == 0)) return get_slow(pool, m);
    m->n--;
    return pop(pool, &m->first);
}

static __attribute__((noinline)) void put_slow(struct pool *pool, struct magazine *m, void *object)
{
    pthread_mutex_lock(&pool->lock);
    push(pool, &pool->free, object);
    while (m && m->n > MAGAZINE) {
        push(pool, &pool->free, pop(pool, &m->first));
        m->n--;
    }
    pthread_mutex_unlock(&pool->lock);
}

void pool__put(struct pool *pool, struct magazine *m, void *object)
{
    if (UNLIKELY(!m || m->n >= 2 * MAGAZINE)) {
        put_slow(pool, m, object);
    } else {
        push(pool, &m->first, object);
        m->n++;
    }
}
