/*
 * idmap.c - items in the order of their IDs: a directory of leaves.
 *
 *   refs     [first ID, leaf] [first ID, leaf] ... [first ID, leaf]
 *                      |
 *   leaf     n, cap, item item item ...           sorted, at most LEAF_BYTES
 *
 * Two binary searches find an item. A full leaf that grows at the end of the map is left as it is
 * and a new one begun, so IDs that only grow fill leaves to the brim; elsewhere it is split in
 * halves. A leaf that became small is joined with a small neighbour.
 *
 * Invariants
 *  1. No leaf is empty; refs[i].first is the ID of its first item; leaves ascend.
 *  2. Taking away the first leaf moves `start` and nothing else.
 */
#include "types/idmap.h"

#define LEAF_BYTES 2560 /* a size class of the allocator */
#define LEAF_FIRST 2    /* items that the first leaf has room for */

struct idmap_leaf {
    uint32_t n, cap;
    char items[];
};

struct idmap_ref {
    struct stream_id first;
    struct idmap_leaf *leaf;
};

static_assert(offsetof(struct idmap_leaf, items) % 8 == 0, "items hold pointers");

/* ---- leaves --------------------------------------------------------------------------------- */

static inline struct idmap_ref *ref_at(const struct idmap *m, uint32_t i)
{
    return &m->refs[m->start + i];
}

static inline void *item_at(const struct idmap *m, const struct idmap_leaf *leaf, uint32_t slot)
{
    return (char *)leaf->items + (size_t)slot * m->stride;
}

static inline struct stream_id id_at(const struct idmap *m, const struct idmap_leaf *leaf,
                                     uint32_t slot)
{
    return *(const struct stream_id *)item_at(m, leaf, slot);
}

static uint32_t leaf_max(const struct idmap *m)
{
    return (LEAF_BYTES - (uint32_t)sizeof(struct idmap_leaf)) / m->stride;
}

static size_t leaf_size(const struct idmap *m, uint32_t cap)
{
    return sizeof(struct idmap_leaf) + (size_t)cap * m->stride;
}

/* Room for `cap` items and whatever the size class has beside. */
static struct idmap_leaf *leaf_resize(const struct idmap *m, struct idmap_leaf *leaf, uint32_t cap)
{
    size_t size = mem_good_size(leaf_size(m, cap));
    bool fresh = !leaf;
    leaf = mem_realloc(leaf, size);
    if (fresh) leaf->n = 0;
    cap = (uint32_t)((size - sizeof *leaf) / m->stride);
    leaf->cap = MIN(cap, leaf_max(m));
    return leaf;
}

/* The first slot whose ID is not less than id, or n. */
static uint32_t lower_bound(const struct idmap *m, const struct idmap_leaf *leaf,
                            struct stream_id id)
{
    uint32_t lo = 0, hi = leaf->n;
    if (stream_id_cmp(id_at(m, leaf, hi - 1), id) < 0) return hi;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (stream_id_cmp(id_at(m, leaf, mid), id) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The leaf in which id is or would be; there is one. */
static uint32_t leaf_of(const struct idmap *m, struct stream_id id)
{
    uint32_t lo = 0, hi = m->n - 1;
    if (stream_id_cmp(ref_at(m, hi)->first, id) <= 0) return hi;
    while (lo < hi) { /* the last one whose first is not greater */
        uint32_t mid = (lo + hi + 1) / 2;
        if (stream_id_cmp(ref_at(m, mid)->first, id) <= 0)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

/* ---- the directory -------------------------------------------------------------------------- */

static void refs_reserve(struct idmap *m)
{
    if (m->start + m->n < m->cap) return;
    if (m->start > m->cap / 4) {
        memmove(m->refs, m->refs + m->start, m->n * sizeof *m->refs);
        m->start = 0;
        return;
    }
    m->cap = m->cap ? 2 * m->cap : 1;
    m->refs = mem_realloc(m->refs, m->cap * sizeof *m->refs);
}

static void ref_insert(struct idmap *m, uint32_t at, struct idmap_leaf *leaf,
                       struct stream_id first)
{
    refs_reserve(m);
    struct idmap_ref *ref = ref_at(m, at);
    memmove(ref + 1, ref, (m->n - at) * sizeof *ref);
    *ref = (struct idmap_ref){first, leaf};
    m->n++;
}

static void ref_remove(struct idmap *m, uint32_t at)
{
    struct idmap_ref *ref = ref_at(m, at);
    mem_free(ref->leaf);
    m->n--;
    if (at == 0) {
        m->start++;
    } else {
        memmove(ref, ref + 1, (m->n - at) * sizeof *ref);
    }
    if (m->n > 0) return;
    mem_free(m->refs);
    m->refs = NULL;
    m->start = m->cap = 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

void idmap_init(struct idmap *m, uint32_t stride)
{
    assert(stride >= sizeof(struct stream_id) && stride % 8 == 0);
    *m = (struct idmap){.stride = stride};
}

void idmap_free(struct idmap *m)
{
    for (uint32_t i = 0; i < m->n; i++)
        mem_free(ref_at(m, i)->leaf);
    mem_free(m->refs);
    idmap_init(m, m->stride);
}

void idmap_copy(struct idmap *to, const struct idmap *from)
{
    *to = (struct idmap){.stride = from->stride, .n = from->n, .cap = from->n, .len = from->len};
    if (from->n == 0) return;
    to->refs = mem_dup(from->refs + from->start, from->n * sizeof *from->refs);
    for (uint32_t i = 0; i < to->n; i++) {
        const struct idmap_leaf *leaf = to->refs[i].leaf;
        struct idmap_leaf *copy = leaf_resize(to, NULL, leaf->n);
        copy->n = leaf->n;
        memcpy(copy->items, leaf->items, (size_t)leaf->n * to->stride);
        to->refs[i].leaf = copy;
    }
}

size_t idmap_memory(const struct idmap *m)
{
    size_t sum = m->refs ? mem_usable(m->refs) : 0;
    for (uint32_t i = 0; i < m->n; i++)
        sum += mem_usable(ref_at(m, i)->leaf);
    return sum;
}

/* ---- looking up ----------------------------------------------------------------------------- */

static void *at_pos(const struct idmap *m, struct idmap_pos at, struct idmap_pos *pos)
{
    if (pos) *pos = at;
    return item_at(m, ref_at(m, at.leaf)->leaf, at.slot);
}

void *idmap_ge(const struct idmap *m, struct stream_id id, struct idmap_pos *pos)
{
    if (m->n == 0) return NULL;
    struct idmap_pos at = {leaf_of(m, id), 0};
    const struct idmap_leaf *leaf = ref_at(m, at.leaf)->leaf;
    at.slot = lower_bound(m, leaf, id);
    if (at.slot == leaf->n) at = (struct idmap_pos){at.leaf + 1, 0};
    return at.leaf == m->n ? NULL : at_pos(m, at, pos);
}

void *idmap_le(const struct idmap *m, struct stream_id id, struct idmap_pos *pos)
{
    if (m->n == 0) return NULL;
    struct idmap_pos at = {leaf_of(m, id), 0};
    const struct idmap_leaf *leaf = ref_at(m, at.leaf)->leaf;
    at.slot = lower_bound(m, leaf, id);
    bool exact = at.slot < leaf->n && stream_id_eq(id_at(m, leaf, at.slot), id);
    if (!exact && at.slot-- == 0) return NULL;
    return at_pos(m, at, pos);
}

void *idmap_find(const struct idmap *m, struct stream_id id)
{
    struct stream_id *item = idmap_ge(m, id, NULL);
    return item && stream_id_eq(*item, id) ? item : NULL;
}

void *idmap_first(const struct idmap *m, struct idmap_pos *pos)
{
    return m->n == 0 ? NULL : at_pos(m, (struct idmap_pos){0, 0}, pos);
}

void *idmap_last(const struct idmap *m, struct idmap_pos *pos)
{
    if (m->n == 0) return NULL;
    uint32_t leaf = m->n - 1;
    return at_pos(m, (struct idmap_pos){leaf, ref_at(m, leaf)->leaf->n - 1}, pos);
}

void *idmap_next(const struct idmap *m, struct idmap_pos *pos)
{
    struct idmap_pos at = {pos->leaf, pos->slot + 1};
    if (at.slot == ref_at(m, at.leaf)->leaf->n) at = (struct idmap_pos){at.leaf + 1, 0};
    return at.leaf == m->n ? NULL : at_pos(m, at, pos);
}

void *idmap_prev(const struct idmap *m, struct idmap_pos *pos)
{
    struct idmap_pos at = *pos;
    if (at.slot == 0) {
        if (at.leaf == 0) return NULL;
        at.leaf--;
        at.slot = ref_at(m, at.leaf)->leaf->n;
    }
    at.slot--;
    return at_pos(m, at, pos);
}

/* ---- adding --------------------------------------------------------------------------------- */

/* Makes room in the full leaf of *pos, where an item is to be put; it may be in another leaf then.
 */
static void split(struct idmap *m, struct idmap_pos *pos)
{
    struct idmap_leaf *leaf = ref_at(m, pos->leaf)->leaf, *right = leaf_resize(m, NULL, leaf->cap);
    bool at_end = pos->slot == leaf->n && pos->leaf + 1 == m->n;
    uint32_t keep = at_end ? leaf->n : leaf->n / 2;
    right->n = leaf->n - keep;
    memcpy(right->items, item_at(m, leaf, keep), (size_t)right->n * m->stride);
    leaf->n = keep;
    ref_insert(m, pos->leaf + 1, right, right->n ? id_at(m, right, 0) : STREAM_ID_MAX);
    if (at_end || pos->slot > keep) *pos = (struct idmap_pos){pos->leaf + 1, pos->slot - keep};
}

static struct idmap_leaf *make_room(struct idmap *m, struct idmap_pos *pos)
{
    struct idmap_ref *ref = ref_at(m, pos->leaf);
    if (LIKELY(ref->leaf->n < ref->leaf->cap)) return ref->leaf;
    if (ref->leaf->n < leaf_max(m)) {
        ref->leaf = leaf_resize(m, ref->leaf, MIN(2 * ref->leaf->cap, leaf_max(m)));
        return ref->leaf;
    }
    split(m, pos);
    return ref_at(m, pos->leaf)->leaf;
}

static void *insert(struct idmap *m, struct idmap_pos pos, struct stream_id id)
{
    struct idmap_leaf *leaf = make_room(m, &pos);
    char *item = item_at(m, leaf, pos.slot);
    memmove(item + m->stride, item, (size_t)(leaf->n - pos.slot) * m->stride);
    memset(item, 0, m->stride);
    memcpy(item, &id, sizeof id);
    leaf->n++;
    m->len++;
    if (pos.slot == 0) ref_at(m, pos.leaf)->first = id;
    return item;
}

void *idmap_add(struct idmap *m, struct stream_id id, bool *added)
{
    *added = true;
    if (m->n == 0) {
        ref_insert(m, 0, leaf_resize(m, NULL, LEAF_FIRST), id);
        return insert(m, (struct idmap_pos){0, 0}, id);
    }
    struct idmap_pos pos = {leaf_of(m, id), 0};
    struct idmap_leaf *leaf = ref_at(m, pos.leaf)->leaf;
    pos.slot = lower_bound(m, leaf, id);
    if (pos.slot < leaf->n && stream_id_eq(id_at(m, leaf, pos.slot), id)) {
        *added = false;
        return item_at(m, leaf, pos.slot);
    }
    return insert(m, pos, id);
}

/* ---- removing ------------------------------------------------------------------------------- */

/* Joins leaf `at` with the one behind it, when both are small. */
static void join(struct idmap *m, uint32_t at)
{
    if (at + 1 >= m->n) return;
    struct idmap_ref *ref = ref_at(m, at);
    struct idmap_leaf *leaf = ref->leaf, *next = ref[1].leaf;
    uint32_t n = leaf->n + next->n;
    if (n > leaf_max(m) / 2) return;
    if (n > leaf->cap) leaf = ref->leaf = leaf_resize(m, leaf, n);
    memcpy(item_at(m, leaf, leaf->n), next->items, (size_t)next->n * m->stride);
    leaf->n = n;
    ref_remove(m, at + 1);
}

bool idmap_remove(struct idmap *m, struct stream_id id)
{
    struct idmap_pos pos;
    struct stream_id *item = idmap_ge(m, id, &pos);
    if (!item || !stream_id_eq(*item, id)) return false;
    struct idmap_ref *ref = ref_at(m, pos.leaf);
    struct idmap_leaf *leaf = ref->leaf;
    leaf->n--;
    m->len--;
    if (leaf->n == 0) {
        ref_remove(m, pos.leaf);
        return true;
    }
    memmove(item, (char *)item + m->stride, (size_t)(leaf->n - pos.slot) * m->stride);
    ref->first = id_at(m, leaf, 0);
    if (leaf->n < leaf_max(m) / 4) {
        join(m, pos.leaf);
        if (pos.leaf > 0) join(m, pos.leaf - 1);
    }
    return true;
}
