/*
 * zset_value.c - sorted sets in either encoding.
 *
 *   ENC_LISTPACK   member score member score ...   ascending; scores as integers, or the shortest
 * text ENC_BTREE      struct zset:  dict  --member-->  item (score, member)  <--score--  tree
 *
 *   ENC_LISTPACK ---> ENC_BTREE   an addition would exceed zset_limits; never back
 *
 * Invariants
 *  1. Dict and tree hold the same items; the dict owns them.
 *  2. No score is NaN. Zero in a listpack has no sign.
 */
#include <math.h>
#include <stdlib.h>

#include "types/btree.h"
#include "types/types_internal.h"

struct zset {
    struct dict *dict;
    struct btree tree;
};

struct zset_limits zset_limits = {.max_listpack_entries = 128, .max_listpack_value = 64};

static inline bool is_lp(const struct entry *e)
{
    return e->enc == ENC_LISTPACK;
}

static inline struct zset *zset_of(const struct entry *e)
{
    assert(e->type == TYPE_ZSET && e->enc == ENC_BTREE);
    return e->v.ptr;
}

/* ---- items ---------------------------------------------------------------------------------- */

static inline size_t item_size(size_t member_len)
{
    size_t size = offsetof(struct zset_item, bytes) + member_len;
    return member_len < ZSET_ITEM_LONG ? size : size + sizeof(uint32_t);
}

struct zset_item *zset_item_new(struct slice member, double score)
{
    struct zset_item *item = mem_alloc(item_size(member.n));
    char *bytes = forget_size(item->bytes);
    uint32_t len = (uint32_t)member.n;
    assert(member.n <= UINT32_MAX);
    item->score = score;
    item->len = (uint8_t)MIN(len, ZSET_ITEM_LONG);
    if (UNLIKELY(item->len == ZSET_ITEM_LONG)) {
        memcpy(bytes, &len, sizeof len);
        bytes += sizeof len;
    }
    copy_bytes(bytes, member);
    return item;
}

static struct slice item_key(const void *item)
{
    return zset_item_member(item);
}

static void item_free(void *item)
{
    mem_free_sized(item, item_size(zset_item_member(item).n));
}

static size_t item_memory(const void *item)
{
    return mem_usable(item);
}

const struct dict_type zset_items = {item_key, item_free, item_memory};

/* ---- listpacks ------------------------------------------------------------------------------ */

static struct slice score_text(double score, char tmp[NUM_DOUBLE_MAX])
{
    if (score == 0) return SLICE("0");
    return slice_of(tmp, num_fmt_double(tmp, score));
}

/* The score at this position; false: that is no number. */
static inline bool lp_number(const lp *l, size_t pos, double *score)
{
    struct lp_elem e = lp_get(l, pos);
    if (e.p) return num_parse_double(slice_of(e.p, e.n), score);
    *score = (double)e.i;
    return true;
}

/* The score of the member at this position. */
static inline double lp_score(const lp *l, size_t pos)
{
    double score = 0;
    lp_number(l, lp_next(l, pos), &score);
    return score;
}

static inline size_t next_member(const lp *l, size_t pos)
{
    return lp_next(l, lp_next(l, pos));
}

static size_t find_member(const lp *l, struct slice member)
{
    size_t first = lp_first(l);
    return first == LP_NONE ? LP_NONE : lp_find(l, first, member, 1);
}

static int cmp_member(const lp *l, size_t pos, struct slice member)
{
    char tmp[NUM_I64_MAX];
    return slice_cmp(lp_slice(l, pos, tmp), member);
}

/* The first pair behind (score, member), LP_NONE: the end. */
static size_t place_of(const lp *l, struct slice member, double score)
{
    size_t pos = lp_first(l);
    for (; pos != LP_NONE; pos = next_member(l, pos)) {
        double s = lp_score(l, pos);
        if (s > score || (s == score && cmp_member(l, pos, member) > 0)) break;
    }
    return pos;
}

static lp *append_pair(lp *l, struct slice member, double score)
{
    char tmp[NUM_DOUBLE_MAX];
    return lp_append(lp_append(l, member), score_text(score, tmp));
}

static lp *insert_pair(lp *l, struct slice member, double score)
{
    char tmp[NUM_DOUBLE_MAX];
    size_t pos = place_of(l, member, score);
    if (pos == LP_NONE) return append_pair(l, member, score);
    l = lp_insert(l, pos, member, false, &pos);
    return lp_insert(l, pos, score_text(score, tmp), true, NULL);
}

static lp *delete_pair(lp *l, size_t pos)
{
    l = lp_delete(l, &pos);
    return lp_delete(l, &pos);
}

/* ---- making and converting ------------------------------------------------------------------ */

struct ranked { /* what is sorted: scores beside each other */
    double score;
    struct zset_item *item;
};

static int cmp_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    return slice_cmp(zset_item_member(x->item), zset_item_member(y->item));
}

/* The dict's items in order; *max_len: of the longest member. To be freed. */
static struct zset_item **sorted_items(const struct dict *d, size_t n, size_t *max_len)
{
    struct ranked *ranked = mem_alloc(n * sizeof *ranked);
    struct zset_item **items = mem_alloc(n * sizeof *items), *item;
    struct dict_iter it = dict_first(d);
    bool sorted = true;
    *max_len = 0;
    for (size_t i = 0; i < n && (item = dict_next(&it)); i++) {
        ranked[i] = (struct ranked){item->score, item};
        *max_len = MAX(*max_len, zset_item_member(item).n);
        sorted = sorted && (i == 0 || cmp_ranked(&ranked[i - 1], &ranked[i]) < 0);
    }
    if (!sorted) qsort(ranked, n, sizeof *ranked, cmp_ranked);
    for (size_t i = 0; i < n; i++)
        items[i] = ranked[i].item;
    mem_free(ranked);
    return items;
}

static struct zset *zset_new(struct dict *d)
{
    struct zset *z = mem_alloc(sizeof *z);
    z->dict = d;
    return z;
}

static void become_btree(struct entry *e, struct zset *z)
{
    e->v.ptr = z;
    e->enc = ENC_BTREE;
}

/* Makes room for n items while it is at it. */
static void to_btree(struct entry *e, size_t n)
{
    lp *l = e->v.ptr;
    char tmp[NUM_I64_MAX];
    size_t len = lp_count(l) / 2, i = 0;
    struct zset *z = zset_new(dict_new(&zset_items));
    struct zset_item **items = mem_alloc(len * sizeof *items);
    dict_reserve(z->dict, MAX(n, len));
    for (size_t pos = lp_first(l); pos != LP_NONE; pos = next_member(l, pos)) {
        items[i] = zset_item_new(lp_slice(l, pos, tmp), lp_score(l, pos));
        dict_add(z->dict, items[i++]);
    }
    if (i) {
        btree_build(&z->tree, items, i);
    } else {
        btree_init(&z->tree);
    }
    mem_free(items);
    lp_free(l);
    become_btree(e, z);
}

struct entry *entry_new_zset(struct slice key)
{
    return entry_new(key, TYPE_ZSET, ENC_LISTPACK, lp_new(0), ENTRY_NO_EXPIRE);
}

struct entry *entry_new_zset_of(struct slice key, struct dict *d)
{
    size_t n = dict_len(d), max_len;
    struct entry *e = entry_new_zset(key);
    struct zset_item **items = sorted_items(d, n, &max_len);
    if (n <= zset_limits.max_listpack_entries && max_len <= zset_limits.max_listpack_value) {
        for (size_t i = 0; i < n; i++)
            e->v.ptr = append_pair(e->v.ptr, zset_item_member(items[i]), items[i]->score);
        dict_free(d);
    } else {
        struct zset *z = zset_new(d);
        lp_free(e->v.ptr);
        btree_build(&z->tree, items, n);
        become_btree(e, z);
    }
    mem_free(items);
    return e;
}

void zset_expect(struct entry *e, size_t n, size_t max_len)
{
    if (!is_lp(e)) return;
    bool empty = zset_len(e) == 0;
    if (n > zset_limits.max_listpack_entries ||
        (empty && max_len > zset_limits.max_listpack_value)) {
        to_btree(e, n);
    }
}

struct entry *entry_new_zset_listpack(struct slice key, lp *l)
{
    struct entry *e = entry_new(key, TYPE_ZSET, ENC_LISTPACK, l, ENTRY_NO_EXPIRE);
    char tmp[NUM_I64_MAX];
    size_t max_len = 0;
    for (size_t pos = lp_first(l); pos != LP_NONE; pos = next_member(l, pos))
        max_len = MAX(max_len, lp_slice(l, pos, tmp).n);
    if (lp_count(l) / 2 > zset_limits.max_listpack_entries ||
        max_len > zset_limits.max_listpack_value) {
        to_btree(e, 0);
    }
    return e;
}

/* In ascending order, so that equal members of equal scores are not there. */
static bool pairs_ascend(const lp *l)
{
    char tmp[NUM_I64_MAX];
    struct slice last = {NULL, 0};
    double last_score = -INFINITY, score;
    char kept[NUM_I64_MAX];
    for (size_t pos = lp_first(l); pos != LP_NONE; pos = next_member(l, pos)) {
        if (lp_next(l, pos) == LP_NONE || !lp_number(l, lp_next(l, pos), &score)) return false;
        struct slice member = lp_slice(l, pos, tmp);
        bool ascends =
            !last.p || score > last_score || (score == last_score && slice_cmp(last, member) < 0);
        if (!ascends) return false;
        last_score = score;
        last = member;
        if (member.p != tmp) continue;
        memcpy(kept, tmp, member.n);
        last.p = kept;
    }
    return true;
}

bool zset_valid_listpack(const lp *l)
{
    char tmp[NUM_I64_MAX];
    bool distinct = true;
    if (!pairs_ascend(l)) return false;
    struct dict *seen = dict_new(&zset_items);
    for (size_t pos = lp_first(l); distinct && pos != LP_NONE; pos = next_member(l, pos)) {
        struct slice member = lp_slice(l, pos, tmp);
        distinct = !dict_find(seen, member);
        if (distinct) dict_add(seen, zset_item_new(member, 0));
    }
    dict_free(seen);
    return distinct;
}

/* ---- the whole ------------------------------------------------------------------------------ */

size_t zset_len(const struct entry *e)
{
    return is_lp(e) ? lp_count(e->v.ptr) / 2 : zset_of(e)->tree.len;
}

void zset_free(struct entry *e)
{
    if (is_lp(e)) {
        lp_free(e->v.ptr);
        return;
    }
    struct zset *z = zset_of(e);
    btree_clear(&z->tree);
    dict_free(z->dict);
    mem_free_sized(z, sizeof *z);
}

void *zset_dup(const struct entry *e)
{
    struct zset_iter it;
    size_t n = zset_len(e), i = 0;
    if (is_lp(e)) return lp_dup(e->v.ptr);
    struct zset *copy = zset_new(dict_new(&zset_items));
    if (n == 0) {
        btree_init(&copy->tree);
        return copy;
    }
    struct zset_item **items = mem_alloc(n * sizeof *items);
    dict_reserve(copy->dict, n);
    for (bool more = zset_seek_rank(e, 0, false, &it); more; more = zset_step(&it)) {
        struct slice member;
        double score;
        zset_at(&it, &member, &score);
        items[i] = zset_item_new(member, score);
        dict_add(copy->dict, items[i++]);
    }
    btree_build(&copy->tree, items, n);
    mem_free(items);
    return copy;
}

size_t zset_memory(const struct entry *e, size_t samples)
{
    if (is_lp(e)) return mem_usable(e->v.ptr);
    struct zset *z = zset_of(e);
    return mem_usable(z) + btree_memory(&z->tree) + dict_memory(z->dict, samples);
}

size_t zset_free_effort(const struct entry *e)
{
    return is_lp(e) ? 1 : zset_of(e)->tree.len;
}

const struct type_ops zset_ops = {zset_free, zset_dup, zset_memory, zset_free_effort};

/* ---- by member ------------------------------------------------------------------------------ */

bool zset_score(const struct entry *e, struct slice member, double *score)
{
    if (is_lp(e)) {
        size_t pos = find_member(e->v.ptr, member);
        if (pos != LP_NONE) *score = lp_score(e->v.ptr, pos);
        return pos != LP_NONE;
    }
    const struct zset_item *item = dict_find(zset_of(e)->dict, member);
    if (item) *score = item->score;
    return item != NULL;
}

static bool lp_rank(const lp *l, struct slice member, size_t *rank, double *score)
{
    size_t end = find_member(l, member);
    if (end == LP_NONE) return false;
    *rank = 0;
    *score = lp_score(l, end);
    for (size_t pos = lp_first(l); pos != end; pos = next_member(l, pos))
        ++*rank;
    return true;
}

bool zset_rank(const struct entry *e, struct slice member, bool rev, size_t *rank, double *score)
{
    double found;
    if (is_lp(e)) {
        if (!lp_rank(e->v.ptr, member, rank, &found)) return false;
    } else {
        const struct zset *z = zset_of(e);
        const struct zset_item *item = dict_find(z->dict, member);
        if (!item) return false;
        found = item->score;
        *rank = btree_rank(&z->tree, item);
    }
    if (rev) *rank = zset_len(e) - 1 - *rank;
    if (score) *score = found;
    return true;
}

/* What becomes of a member that has the score `now` and is to get *score. */
static enum zset_result decide(double now, double *score, unsigned flags)
{
    if (flags & ZSET_NX) return ZSET_SKIPPED;
    double next = flags & ZSET_INCR ? now + *score : *score;
    if (isnan(next)) return ZSET_NAN;
    if (((flags & ZSET_GT) && next <= now) || ((flags & ZSET_LT) && next >= now))
        return ZSET_SKIPPED;
    *score = next;
    return next == now ? ZSET_SAME : ZSET_UPDATED;
}

static bool fits_listpack(const struct entry *e, struct slice member)
{
    return zset_len(e) < zset_limits.max_listpack_entries &&
           member.n <= zset_limits.max_listpack_value &&
           lp_safe_to_add(e->v.ptr, member.n + NUM_DOUBLE_MAX);
}

static enum zset_result put_in_btree(struct zset *z, struct slice member, double *score,
                                     unsigned flags)
{
    struct zset_item *item = dict_find(z->dict, member);
    if (item) {
        enum zset_result r = decide(item->score, score, flags);
        if (r == ZSET_UPDATED) btree_move(&z->tree, item, *score);
        return r;
    }
    if (flags & ZSET_XX) return ZSET_SKIPPED;
    item = zset_item_new(member, *score);
    dict_add(z->dict, item);
    btree_insert(&z->tree, item);
    return ZSET_ADDED;
}

enum zset_result zset_put(struct entry *e, struct slice member, double *score, unsigned flags)
{
    if (!is_lp(e)) return put_in_btree(zset_of(e), member, score, flags);
    size_t pos = find_member(e->v.ptr, member);
    if (pos != LP_NONE) {
        enum zset_result r = decide(lp_score(e->v.ptr, pos), score, flags);
        if (r == ZSET_UPDATED) e->v.ptr = insert_pair(delete_pair(e->v.ptr, pos), member, *score);
        return r;
    }
    if (flags & ZSET_XX) return ZSET_SKIPPED;
    if (fits_listpack(e, member)) {
        e->v.ptr = insert_pair(e->v.ptr, member, *score);
        return ZSET_ADDED;
    }
    to_btree(e, zset_len(e) + 1);
    return put_in_btree(zset_of(e), member, score, flags);
}

bool zset_remove(struct entry *e, struct slice member)
{
    if (is_lp(e)) {
        size_t pos = find_member(e->v.ptr, member);
        if (pos != LP_NONE) e->v.ptr = delete_pair(e->v.ptr, pos);
        return pos != LP_NONE;
    }
    struct zset *z = zset_of(e);
    struct zset_item *item = dict_take(z->dict, member);
    if (!item) return false;
    btree_remove(&z->tree, item);
    item_free(item);
    return true;
}

/* ---- ranges --------------------------------------------------------------------------------- */

static inline bool score_above(double score, const struct score_range *r)
{
    return r->min_open ? score > r->min : score >= r->min;
}

static inline bool score_below(double score, const struct score_range *r)
{
    return r->max_open ? score < r->max : score <= r->max;
}

bool score_in_range(double score, const struct score_range *range)
{
    return score_above(score, range) && score_below(score, range);
}

static bool lex_above(struct slice member, const struct lex_bound *b)
{
    if (b->kind != LEX_MEMBER) return b->kind == LEX_LOWEST;
    int c = slice_cmp(member, b->member);
    return c > 0 || (c == 0 && !b->open);
}

static bool lex_below(struct slice member, const struct lex_bound *b)
{
    if (b->kind != LEX_MEMBER) return b->kind == LEX_HIGHEST;
    int c = slice_cmp(member, b->member);
    return c < 0 || (c == 0 && !b->open);
}

bool lex_in_range(struct slice member, const struct lex_range *range)
{
    return lex_above(member, &range->min) && lex_below(member, &range->max);
}

/* Counts pairs from the first that lies above the minimum to the last before one that is not below
 * the maximum; *rank: of the first. */
static size_t lp_window_score(const lp *l, const struct score_range *range, size_t *rank)
{
    size_t n = 0, pos = lp_first(l);
    for (*rank = 0; pos != LP_NONE && !score_above(lp_score(l, pos), range); ++*rank)
        pos = next_member(l, pos);
    for (; pos != LP_NONE && score_below(lp_score(l, pos), range); n++)
        pos = next_member(l, pos);
    return n;
}

static size_t lp_window_lex(const lp *l, const struct lex_range *range, size_t *rank)
{
    char tmp[NUM_I64_MAX];
    size_t n = 0, pos = lp_first(l);
    for (*rank = 0; pos != LP_NONE && !lex_above(lp_slice(l, pos, tmp), &range->min); ++*rank)
        pos = next_member(l, pos);
    for (; pos != LP_NONE && lex_below(lp_slice(l, pos, tmp), &range->max); n++)
        pos = next_member(l, pos);
    return n;
}

/* How many members lie before a bound, where those that equal it do so if `after`. */
static size_t before_score(const struct btree *t, double score, bool after)
{
    struct btree_bound b = {.by_score = true, .after = after, .score = score};
    if (score == -INFINITY && !after) return 0;
    if (score == INFINITY && after) return t->len;
    return btree_before(t, &b);
}

static size_t before_lex(const struct btree *t, const struct lex_bound *bound, bool after)
{
    struct btree_bound b = {.by_member = true, .after = after, .member = bound->member};
    if (bound->kind == LEX_LOWEST) return 0;
    if (bound->kind == LEX_HIGHEST) return t->len;
    return btree_before(t, &b);
}

size_t zset_window_score(const struct entry *e, const struct score_range *range, size_t *rank)
{
    if (is_lp(e)) return lp_window_score(e->v.ptr, range, rank);
    const struct btree *t = &zset_of(e)->tree;
    size_t end = before_score(t, range->max, !range->max_open);
    *rank = before_score(t, range->min, range->min_open);
    return end > *rank ? end - *rank : 0;
}

size_t zset_window_lex(const struct entry *e, const struct lex_range *range, size_t *rank)
{
    if (is_lp(e)) return lp_window_lex(e->v.ptr, range, rank);
    const struct btree *t = &zset_of(e)->tree;
    size_t end = before_lex(t, &range->max, !range->max.open);
    *rank = before_lex(t, &range->min, range->min.open);
    return end > *rank ? end - *rank : 0;
}

size_t zset_count_score(const struct entry *e, const struct score_range *range)
{
    size_t rank;
    return zset_window_score(e, range, &rank);
}

size_t zset_count_lex(const struct entry *e, const struct lex_range *range)
{
    size_t rank;
    return zset_window_lex(e, range, &rank);
}

static void forget(void *dict, struct zset_item *item)
{
    dict_delete(dict, zset_item_member(item));
}

size_t zset_remove_range_rank(struct entry *e, size_t rank, size_t n)
{
    size_t len = zset_len(e);
    if (rank >= len) return 0;
    n = MIN(n, len - rank);
    if (is_lp(e)) {
        e->v.ptr = lp_delete_range(e->v.ptr, (int64_t)rank * 2, n * 2);
    } else {
        struct zset *z = zset_of(e);
        btree_remove_ranks(&z->tree, rank, n, forget, z->dict);
    }
    return n;
}

size_t zset_remove_range_score(struct entry *e, const struct score_range *range)
{
    size_t rank, n = zset_window_score(e, range, &rank);
    return zset_remove_range_rank(e, rank, n);
}

size_t zset_remove_range_lex(struct entry *e, const struct lex_range *range)
{
    size_t rank, n = zset_window_lex(e, range, &rank);
    return zset_remove_range_rank(e, rank, n);
}

/* ---- iteration ------------------------------------------------------------------------------ */

#define AHEAD 6 /* items further on that are brought into the cache meanwhile */

static inline void fetch(const struct btree_leaf *leaf, size_t at)
{
    if (at < leaf->n) __builtin_prefetch(leaf->item[at]);
}

static void fetch_first(const struct zset_iter *it)
{
    for (size_t i = 1; i < AHEAD; i++)
        fetch(it->leaf, it->rev ? it->pos - i : it->pos + i); /* below 0 is very large */
}

bool zset_seek_rank(const struct entry *e, size_t rank, bool rev, struct zset_iter *it)
{
    size_t len = zset_len(e);
    it->e = e;
    it->rank = rank;
    it->rev = rev;
    it->leaf = NULL;
    if (rank >= len) return false;
    size_t index = rev ? len - 1 - rank : rank;
    if (is_lp(e)) {
        it->pos = lp_seek(e->v.ptr, (int64_t)index * 2);
        return true;
    }
    struct btree_pos pos = btree_at(&zset_of(e)->tree, index);
    it->leaf = pos.leaf;
    it->pos = pos.at;
    fetch_first(it);
    return true;
}

static bool seek_window(const struct entry *e, size_t rank, size_t n, bool rev,
                        struct zset_iter *it)
{
    if (n == 0) return false;
    return zset_seek_rank(e, rev ? zset_len(e) - rank - n : rank, rev, it);
}

bool zset_seek_score(const struct entry *e, const struct score_range *range, bool rev,
                     struct zset_iter *it)
{
    size_t rank, n = zset_window_score(e, range, &rank);
    return seek_window(e, rank, n, rev, it);
}

bool zset_seek_lex(const struct entry *e, const struct lex_range *range, bool rev,
                   struct zset_iter *it)
{
    size_t rank, n = zset_window_lex(e, range, &rank);
    return seek_window(e, rank, n, rev, it);
}

bool zset_at(struct zset_iter *it, struct slice *member, double *score)
{
    const struct btree_leaf *leaf = it->leaf;
    if (leaf) {
        *member = zset_item_member(leaf->item[it->pos]);
        if (score) *score = leaf->score[it->pos];
    } else {
        const lp *l = it->e->v.ptr;
        *member = lp_slice(l, it->pos, it->tmp);
        if (score) *score = lp_score(l, it->pos);
    }
    return true;
}

static bool step_in_lp(struct zset_iter *it)
{
    const lp *l = it->e->v.ptr;
    if (!it->rev) {
        it->pos = next_member(l, it->pos);
    } else {
        it->pos = lp_prev(l, it->pos);
        if (it->pos != LP_NONE) it->pos = lp_prev(l, it->pos);
    }
    return it->pos != LP_NONE;
}

static bool enter(struct zset_iter *it, const struct btree_leaf *leaf)
{
    it->leaf = leaf;
    if (!leaf) return false;
    it->pos = it->rev ? leaf->n - 1 : 0;
    __builtin_prefetch(it->rev ? leaf->prev : leaf->next);
    fetch_first(it);
    return true;
}

bool zset_step(struct zset_iter *it)
{
    const struct btree_leaf *leaf = it->leaf;
    it->rank++;
    if (!leaf) return step_in_lp(it);
    if (it->rev) {
        if (it->pos == 0) return enter(it, leaf->prev);
        fetch(leaf, --it->pos - AHEAD);
    } else {
        if (++it->pos == leaf->n) return enter(it, leaf->next);
        fetch(leaf, it->pos + AHEAD);
    }
    return true;
}

bool zset_skip(struct zset_iter *it, size_t n)
{
    return zset_seek_rank(it->e, it->rank + n, it->rev, it);
}

struct scan {
    zset_visit *visit;
    void *arg;
};

static void scan_item(void *arg, void *p)
{
    const struct scan *scan = arg;
    const struct zset_item *item = p;
    scan->visit(scan->arg, zset_item_member(item), item->score);
}

uint64_t zset_scan(const struct entry *e, uint64_t cursor, size_t count, zset_visit *visit,
                   void *arg)
{
    struct scan scan = {visit, arg};
    if (!is_lp(e)) return dict_scan(zset_of(e)->dict, cursor, count, scan_item, &scan);
    const lp *l = e->v.ptr;
    char tmp[NUM_I64_MAX];
    for (size_t pos = lp_first(l); pos != LP_NONE; pos = next_member(l, pos))
        visit(arg, lp_slice(l, pos, tmp), lp_score(l, pos));
    return 0;
}
