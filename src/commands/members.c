/*
 * members.c - members with scores that belong to no key: what unions, intersections and searches
 * gather before it is replied or stored.
 *
 *   items   [s, score][s, score] ...     in the order of arrival, until members_sort()
 *   index   [hash:32 | position+1:32]    open addressing, at most half full
 *   kept    chunks of bytes of members that had no lasting place (integers out of listpacks)
 *
 * Invariants
 *  1. index is a power of two, twice as large as the most items that members_index() was told.
 *  2. Sorting moves items: the index is of no use from then on.
 */
#include "base/radix.h"
#include "commands/zset_more_internal.h"

#include <endian.h>
#include <stdlib.h>

#define CHUNK (16 * 1024)

struct members_chunk {
    struct members_chunk *next;
    size_t n, cap;
    char bytes[];
};

void members_reserve(struct members *m, size_t more)
{
    if (m->cap - m->n >= more) return;
    m->cap = MAX(m->n + more, m->cap * 2);
    m->items = mem_realloc(m->items, m->cap * sizeof *m->items);
}

struct member *members_add(struct members *m, struct slice s, double score)
{
    if (UNLIKELY(m->n == m->cap)) members_reserve(m, 64);
    struct member *item = &m->items[m->n++];
    *item = (struct member){s, score};
    return item;
}

struct slice members_keep(struct members *m, struct slice s)
{
    struct members_chunk *chunk = m->kept;
    if (!chunk || chunk->cap - chunk->n < s.n) {
        size_t cap = MAX(s.n, CHUNK - sizeof *chunk);
        chunk = mem_alloc(sizeof *chunk + cap);
        chunk->next = m->kept;
        chunk->n = 0;
        chunk->cap = cap;
        m->kept = chunk;
    }
    char *p = chunk->bytes + chunk->n;
    if (s.n) memcpy(p, s.p, s.n);
    chunk->n += s.n;
    return slice_of(p, s.n);
}

void members_free(struct members *m)
{
    while (m->kept) {
        struct members_chunk *next = m->kept->next;
        mem_free(m->kept);
        m->kept = next;
    }
    mem_free(m->items);
    mem_free(m->index);
    *m = (struct members){0};
}

/* ---- by their bytes ------------------------------------------------------------------------- */

void members_index(struct members *m, size_t most)
{
    size_t size = 16;
    while (size < 2 * most)
        size *= 2;
    m->index = mem_calloc(size * sizeof *m->index);
    m->index_mask = size - 1;
    for (size_t i = 0; i < m->n; i++) {
        uint64_t hash = hash_bytes(m->items[i].s);
        size_t at = hash & m->index_mask;
        while (m->index[at])
            at = (at + 1) & m->index_mask;
        m->index[at] = (hash >> 32 << 32) | (i + 1);
    }
}

struct member *members_find(const struct members *m, struct slice s, struct members_gap *gap)
{
    uint64_t hash = hash_bytes(s);
    for (size_t at = hash & m->index_mask;; at = (at + 1) & m->index_mask) {
        uint64_t word = m->index[at];
        if (!word) {
            *gap = (struct members_gap){&m->index[at], hash >> 32 << 32};
            return NULL;
        }
        if ((word ^ hash) >> 32) continue;
        struct member *item = &m->items[(uint32_t)word - 1];
        if (slice_eq(item->s, s)) return item;
    }
}

void members_enter(struct members *m, struct members_gap gap)
{
    *gap.slot = gap.tag | m->n;
}

/* ---- sorting -------------------------------------------------------------------------------- */

static int compare(const struct member *a, const struct member *b)
{
    if (a->score != b->score) return a->score < b->score ? -1 : 1;
    return slice_cmp(a->s, b->s);
}

static bool is_sorted(const struct members *m)
{
    for (size_t i = 1; i < m->n; i++) {
        if (compare(&m->items[i - 1], &m->items[i]) > 0) return false;
    }
    return true;
}

/* The first eight bytes, as a number in their order. */
static uint64_t prefix_of(struct slice s)
{
    uint64_t word = 0;
    if (s.n) memcpy(&word, s.p, MIN(s.n, sizeof word));
    return be64toh(word);
}

static int by_bytes(const void *a, const void *b, void *arg)
{
    const struct radix_item *x = a, *y = b;
    const struct member *items = arg;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return slice_cmp(items[x->at].s, items[y->at].s);
}

/* A run of members with one score; the keys of their order are spent. */
static void sort_run(const struct members *m, struct radix_item *run, size_t n)
{
    for (size_t i = 0; i < n; i++)
        run[i].key = prefix_of(m->items[run[i].at].s);
    for (size_t i = 1; i < n; i++) {
        if (by_bytes(&run[i - 1], &run[i], m->items) <= 0) continue;
        qsort_r(run, n, sizeof *run, by_bytes, m->items);
        return;
    }
}

static void sort_runs(const struct members *m, struct radix_item *order)
{
    for (size_t i = 0, j; i < m->n; i = j) {
        uint64_t key = order[i].key;
        for (j = i + 1; j < m->n && order[j].key == key; j++)
            ;
        if (j - i > 1) sort_run(m, order + i, j - i);
    }
}

void members_sort(struct members *m)
{
    if (is_sorted(m)) return;
    struct radix_item *order = mem_alloc(2 * m->n * sizeof *order);
    for (size_t i = 0; i < m->n; i++)
        order[i] = (struct radix_item){radix_key(m->items[i].score), (uint32_t)i};
    struct radix_item *sorted = radix_sort(order, order + m->n, m->n);
    sort_runs(m, sorted);
    struct member *items = mem_alloc(m->n * sizeof *items);
    for (size_t i = 0; i < m->n; i++)
        items[i] = m->items[sorted[i].at];
    mem_free(order);
    mem_free(m->items);
    m->items = items;
    m->cap = m->n;
}

/* ---- into a key ----------------------------------------------------------------------------- */

struct entry *members_to_zset(const struct members *m, struct slice key)
{
    if (m->n == 0) return NULL;
    struct dict *items = dict_new(&zset_items);
    dict_reserve(items, m->n);
    for (size_t i = 0; i < m->n; i++)
        dict_add(items, zset_item_new(m->items[i].s, m->items[i].score));
    return entry_new_zset_of(key, items);
}
