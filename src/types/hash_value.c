/*
 * hash_value.c - hashes in their three encodings, and the change from one to the next.
 *
 *                 hash_allow_expire
 *   ENC_LISTPACK -------------------> ENC_LISTPACK_EX
 *         |  a limit is exceeded             |
 *         +-------------> ENC_HASHTABLE <----+
 *
 * Invariants
 *  1. In ENC_LISTPACK_EX the fields with a time come first, ordered by it; the rest have time 0.
 *  2. In ENC_HASHTABLE the heap holds exactly the fields that have a time (hash_field.h).
 *  3. Packed fields and values were at most max_listpack_value bytes when they were added.
 */
#include "types/hash_field.h"

#define TRIPLE  3 /* elements of a field in ENC_LISTPACK_EX */
#define NO_TIME 0 /* in a triple */

struct hash_limits hash_limits = {.max_listpack_entries = 512, .max_listpack_value = 64};

struct hash_table {
    struct dict *fields;
    struct field_heap timed;
};

static const struct dict_type field_type = {field_name, field_free, field_memory};

static inline bool is_table(const struct entry *e)
{
    return UNLIKELY(e->enc == ENC_HASHTABLE);
}

static inline struct hash_table *table_of(const struct entry *e)
{
    assert(e->enc == ENC_HASHTABLE);
    return e->v.ptr;
}

static inline bool is_pairs(const struct entry *e)
{
    return LIKELY(e->enc == ENC_LISTPACK);
}

static inline bool has_triples(const struct entry *e)
{
    return e->enc == ENC_LISTPACK_EX;
}

static inline bool fits_packed(struct slice s)
{
    return s.n <= hash_limits.max_listpack_value;
}

/* ---- the whole ------------------------------------------------------------------------------ */

struct entry *entry_new_hash_for(struct slice key, const struct slice *args, size_t n)
{
    return entry_new(key, TYPE_HASH, ENC_LISTPACK, pairs_new(args, n), ENTRY_NO_EXPIRE);
}

struct entry *entry_new_hash(struct slice key)
{
    return entry_new_hash_for(key, NULL, 0);
}

struct entry *entry_new_hash_of(struct slice key, bool triples, lp *l)
{
    if (triples) return entry_new(key, TYPE_HASH, ENC_LISTPACK_EX, l, ENTRY_NO_EXPIRE);
    pairs *p = pairs_of_listpack(l);
    lp_free(l);
    return entry_new(key, TYPE_HASH, ENC_LISTPACK, p, ENTRY_NO_EXPIRE);
}

lp *hash_to_listpack(const struct entry *e)
{
    assert(!is_table(e));
    return is_pairs(e) ? pairs_to_listpack(e->v.ptr) : lp_dup(e->v.ptr);
}

size_t hash_len(const struct entry *e)
{
    if (is_pairs(e)) return pairs_count(e->v.ptr);
    return is_table(e) ? dict_len(table_of(e)->fields) : lp_count(e->v.ptr) / TRIPLE;
}

struct dict *hash_dict(const struct entry *e)
{
    return table_of(e)->fields;
}

static struct hash_table *table_new(size_t n)
{
    struct hash_table *t = mem_calloc(sizeof *t);
    t->fields = dict_new(&field_type);
    if (n) dict_reserve(t->fields, n);
    return t;
}

static void free_value(struct entry *e)
{
    if (is_pairs(e)) {
        pairs_free(e->v.ptr);
        return;
    }
    if (has_triples(e)) {
        lp_free(e->v.ptr);
        return;
    }
    struct hash_table *t = table_of(e);
    dict_free(t->fields);
    heap_free(&t->timed);
    mem_free_sized(t, sizeof *t);
}

static struct hash_table *table_dup(const struct hash_table *t)
{
    struct hash_table *copy = table_new(dict_len(t->fields));
    struct dict_iter it = dict_first(t->fields);
    for (struct hash_field *f; (f = dict_next(&it));) {
        f = field_dup(f);
        dict_add(copy->fields, f);
        if (field_timed(f)) heap_add(&copy->timed, f, field_expire(f));
    }
    return copy;
}

static void *dup_value(const struct entry *e)
{
    if (is_pairs(e)) return pairs_dup(e->v.ptr);
    return is_table(e) ? (void *)table_dup(table_of(e)) : lp_dup(e->v.ptr);
}

static size_t value_memory(const struct entry *e, size_t samples)
{
    if (!is_table(e)) return mem_usable(e->v.ptr);
    const struct hash_table *t = table_of(e);
    return mem_usable(t) + dict_memory(t->fields, samples) + heap_memory(&t->timed);
}

static size_t free_effort(const struct entry *e)
{
    return is_table(e) ? dict_len(table_of(e)->fields) : 1;
}

const struct type_ops hash_ops = {free_value, dup_value, value_memory, free_effort};

/* ---- triples -------------------------------------------------------------------------------- */

static inline size_t lp_field(const struct entry *e, struct slice field)
{
    const lp *l = e->v.ptr;
    return lp_find(l, lp_first(l), field, TRIPLE - 1);
}

/* The time of the triple whose value is at pos. */
static inline int64_t lp_time(const struct entry *e, size_t value_pos)
{
    int64_t ms = lp_get(e->v.ptr, lp_next(e->v.ptr, value_pos)).i;
    return ms == NO_TIME ? ENTRY_NO_EXPIRE : ms;
}

/* Where a triple of this time belongs: before the first that expires later or never, LP_NONE: at
 * the end. */
static size_t lp_place(const lp *l, int64_t ms)
{
    size_t pos = lp_first(l);
    while (pos != LP_NONE) {
        size_t time_pos = lp_next(l, lp_next(l, pos));
        int64_t time = lp_get(l, time_pos).i;
        if (time == NO_TIME || time >= ms) break;
        pos = lp_next(l, time_pos);
    }
    return pos;
}

static lp *lp_put_at(lp *l, size_t *pos, struct slice s)
{
    l = lp_insert(l, *pos, s, false, NULL);
    *pos = lp_next(l, *pos);
    return l;
}

static lp *lp_add_triple(lp *l, struct slice field, struct slice value, int64_t ms)
{
    char text[NUM_I64_MAX];
    size_t pos = ms == NO_TIME ? LP_NONE : lp_place(l, ms);
    if (pos == LP_NONE) {
        l = lp_append(l, field);
        l = lp_append(l, value);
        return lp_append_int(l, ms);
    }
    l = lp_put_at(l, &pos, field);
    l = lp_put_at(l, &pos, value);
    return lp_put_at(l, &pos, slice_of(text, num_fmt_i64(text, ms)));
}

static lp *lp_remove_at(const struct entry *e, size_t pos)
{
    lp *l = e->v.ptr;
    for (size_t i = TRIPLE; i > 0; i--)
        l = lp_delete(l, &pos);
    return l;
}

/* Gives the triple at pos another time, and its place for that. */
static void lp_retime(struct entry *e, size_t pos, struct slice field, int64_t ms)
{
    char tmp[NUM_I64_MAX];
    struct buf value = {0};
    struct slice s = lp_slice(e->v.ptr, lp_next(e->v.ptr, pos), tmp);
    buf_add(&value, s.p, s.n);
    e->v.ptr = lp_add_triple(lp_remove_at(e, pos), field, buf_slice(&value), ms);
    buf_free(&value);
}

void hash_allow_expire(struct entry *e)
{
    char tmp[NUM_I64_MAX];
    if (e->enc != ENC_LISTPACK) return;
    pairs *old = e->v.ptr;
    size_t pos = pairs_first(old), n = pairs_count(old);
    lp *l = lp_new(pairs_bytes(old) + 4 * n + 8);
    for (; n > 0; n--) {
        l = lp_append(l, pairs_slice(old, pos, tmp));
        pos = pairs_next(old, pos);
        l = lp_append(l, pairs_slice(old, pos, tmp));
        pos = pairs_next(old, pos);
        l = lp_append_int(l, NO_TIME);
    }
    pairs_free(old);
    e->v.ptr = l;
    e->enc = ENC_LISTPACK_EX;
}

/* ---- to a table ----------------------------------------------------------------------------- */

static void table_add(struct hash_table *t, struct slice field, struct slice value,
                      struct blob *blob, int64_t expire_ms)
{
    bool timed = expire_ms != ENTRY_NO_EXPIRE;
    struct hash_field *f = field_new(field, value, blob, timed);
    dict_add(t->fields, f);
    if (UNLIKELY(timed)) heap_add(&t->timed, f, expire_ms);
}

/* n: the fields that it is about to have. */
static void to_table(struct entry *e, size_t n)
{
    struct hash_iter it;
    struct slice field, value;
    int64_t expire_ms;
    struct hash_table *t = table_new(MAX(n, hash_len(e)));
    hash_first(e, &it);
    while (hash_next(&it, &field, &value, &expire_ms))
        table_add(t, field, value, NULL, expire_ms);
    free_value(e);
    e->v.ptr = t;
    e->enc = ENC_HASHTABLE;
}

#define FEW_BYTES ((size_t)1 << 20) /* added by one command, without another look */

/* Would that many bytes more be too many for a listpack? */
static bool too_large(const struct entry *e, size_t add)
{
    if (LIKELY(add <= FEW_BYTES) && is_pairs(e)) return false;
    size_t now = is_pairs(e) ? pairs_bytes(e->v.ptr) : lp_bytes(e->v.ptr);
    return add > LP_MAX_BYTES || now + add > LP_MAX_BYTES;
}

void hash_before_set(struct entry *e, const struct slice *args, size_t n)
{
    if (is_table(e)) return;
    size_t sum = 0;
    bool fits = n / 2 <= hash_limits.max_listpack_entries;
    for (size_t i = 0; i < n && fits; i++) {
        fits = fits_packed(args[i]);
        sum += args[i].n;
    }
    if (UNLIKELY(!fits || too_large(e, sum))) to_table(e, n / 2);
}

/* ---- one field ------------------------------------------------------------------------------ */

static struct hash_field *table_find(const struct entry *e, struct slice field)
{
    return dict_find(table_of(e)->fields, field);
}

static bool find_in_table(const struct entry *e, struct slice field, struct hash_found *found)
{
    const struct hash_field *f = table_find(e, field);
    if (!f) return false;
    found->value = field_value(f);
    found->blob = field_blob(f);
    found->expire_ms = field_expire(f);
    return true;
}

static inline bool find_in_pairs(const pairs *p, struct slice field, struct hash_found *found)
{
    size_t pos = pairs_find(p, field);
    if (pos == PAIRS_NONE) return false;
    found->value = pairs_slice(p, pairs_next(p, pos), found->tmp);
    found->blob = NULL;
    found->expire_ms = ENTRY_NO_EXPIRE;
    return true;
}

static bool find_in_triples(const struct entry *e, struct slice field, struct hash_found *found)
{
    size_t pos = lp_field(e, field);
    if (pos == LP_NONE) return false;
    pos = lp_next(e->v.ptr, pos);
    found->value = lp_slice(e->v.ptr, pos, found->tmp);
    found->blob = NULL;
    found->expire_ms = lp_time(e, pos);
    return true;
}

bool hash_find(const struct entry *e, struct slice field, struct hash_found *found)
{
    if (is_pairs(e)) return find_in_pairs(e->v.ptr, field, found);
    return is_table(e) ? find_in_table(e, field, found) : find_in_triples(e, field, found);
}

bool hash_get(const struct entry *e, struct slice field, struct slice *value, char *tmp,
              int64_t now_ms)
{
    struct hash_found found;
    if (!hash_find(e, field, &found)) return false;
    if (found.expire_ms != ENTRY_NO_EXPIRE && found.expire_ms <= now_ms) return false;
    *value = found.value;
    if (value->p == found.tmp) value->p = memcpy(tmp, found.tmp, NUM_I64_MAX);
    return true;
}

bool hash_has(const struct entry *e, struct slice field)
{
    if (is_pairs(e)) return pairs_find(e->v.ptr, field) != PAIRS_NONE;
    return is_table(e) ? table_find(e, field) != NULL : lp_field(e, field) != LP_NONE;
}

static bool put_in_triples(struct entry *e, struct slice field, struct slice value, bool keep)
{
    size_t pos = lp_field(e, field);
    if (pos == LP_NONE) {
        e->v.ptr = lp_add_triple(e->v.ptr, field, value, NO_TIME);
        return true;
    }
    size_t value_pos = lp_next(e->v.ptr, pos);
    e->v.ptr = lp_replace(e->v.ptr, &value_pos, value);
    if (!keep && lp_time(e, value_pos) != ENTRY_NO_EXPIRE) lp_retime(e, pos, field, NO_TIME);
    return false;
}

static bool put_packed(struct entry *e, struct slice field, struct slice value, bool keep)
{
    size_t n = hash_len(e);
    bool added = is_pairs(e) ? pairs_put((pairs **)&e->v.ptr, field, value)
                             : put_in_triples(e, field, value, keep);
    if (UNLIKELY(n + added > MIN(hash_limits.max_listpack_entries, (size_t)PAIRS_MAX))) {
        to_table(e, n + added);
    }
    return added;
}

/* `to` is what `from`, whose address it may be, has become. */
static void table_moved(struct hash_table *t, const struct hash_field *from, struct hash_field *to)
{
    if (to == from) return;
    dict_moved(t->fields, from, to);
    if (field_timed(to)) heap_moved(&t->timed, to);
}

static void untime(struct hash_table *t, struct hash_field *f)
{
    const struct hash_field *old = f;
    heap_remove(&t->timed, f);
    f = field_set_timed(f, false);
    dict_moved(t->fields, old, f);
}

static bool put_in_table(struct entry *e, struct slice field, struct slice value, struct blob *blob,
                         bool keep)
{
    struct hash_table *t = table_of(e);
    struct hash_field *f = dict_find(t->fields, field);
    if (!f) {
        table_add(t, field, value, blob, ENTRY_NO_EXPIRE);
        return true;
    }
    struct hash_field *changed = field_set_value(f, value, blob);
    table_moved(t, f, changed);
    if (UNLIKELY(field_timed(changed) && !keep)) untime(t, changed);
    return false;
}

static inline bool set(struct entry *e, struct slice field, struct slice value, struct blob *blob,
                       bool keep)
{
    if (LIKELY(!is_table(e))) {
        if (fits_packed(field) && fits_packed(value)) return put_packed(e, field, value, keep);
        to_table(e, 0);
    }
    return put_in_table(e, field, value, blob, keep);
}

bool hash_set(struct entry *e, struct slice field, struct slice value)
{
    return set(e, field, value, NULL, false);
}

bool hash_set_keep_expire(struct entry *e, struct slice field, struct slice value)
{
    return set(e, field, value, NULL, true);
}

bool hash_set_blob(struct entry *e, struct slice field, struct blob *blob, bool keep_expire)
{
    return set(e, field, slice_of(blob->data, blob->len), blob, keep_expire);
}

static bool remove_from_table(struct hash_table *t, struct slice field)
{
    struct hash_field *f = dict_take(t->fields, field);
    if (!f) return false;
    if (UNLIKELY(field_timed(f))) heap_remove(&t->timed, f);
    field_free(f);
    return true;
}

bool hash_remove(struct entry *e, struct slice field)
{
    if (is_table(e)) return remove_from_table(table_of(e), field);
    size_t pos = is_pairs(e) ? pairs_find(e->v.ptr, field) : lp_field(e, field);
    if (pos == LP_NONE) return false;
    e->v.ptr = is_pairs(e) ? pairs_remove(e->v.ptr, pos) : lp_remove_at(e, pos);
    return true;
}

/* ---- expiry of fields ----------------------------------------------------------------------- */

static bool table_set_expire(struct hash_table *t, struct slice field, int64_t ms)
{
    struct hash_field *f = dict_find(t->fields, field);
    if (!f) return false;
    bool timed = field_timed(f);
    if (ms == ENTRY_NO_EXPIRE) {
        if (timed) untime(t, f);
    } else if (timed) {
        heap_change(&t->timed, f, ms);
    } else {
        const struct hash_field *old = f;
        f = field_set_timed(f, true);
        dict_moved(t->fields, old, f);
        heap_add(&t->timed, f, ms);
    }
    return true;
}

bool hash_set_expire(struct entry *e, struct slice field, int64_t ms)
{
    if (is_table(e)) return table_set_expire(table_of(e), field, ms);
    assert(has_triples(e));
    size_t pos = lp_field(e, field);
    if (pos == LP_NONE) return false;
    if (lp_time(e, lp_next(e->v.ptr, pos)) != ms) {
        lp_retime(e, pos, field, ms == ENTRY_NO_EXPIRE ? NO_TIME : ms);
    }
    return true;
}

int64_t hash_next_expire(const struct entry *e)
{
    if (e->enc == ENC_LISTPACK) return ENTRY_NO_EXPIRE;
    if (e->enc == ENC_HASHTABLE) {
        const struct hash_field *f = heap_top(&table_of(e)->timed);
        return f ? field_expire(f) : ENTRY_NO_EXPIRE;
    }
    size_t pos = lp_first(e->v.ptr);
    return pos == LP_NONE ? ENTRY_NO_EXPIRE : lp_time(e, lp_next(e->v.ptr, pos));
}

static size_t remove_expired_triples(struct entry *e, int64_t now_ms, size_t max)
{
    const lp *l = e->v.ptr;
    size_t n = 0, pos = lp_first(l);
    while (pos != LP_NONE && n < max) {
        size_t value_pos = lp_next(l, pos);
        int64_t ms = lp_time(e, value_pos);
        if (ms == ENTRY_NO_EXPIRE || ms > now_ms) break;
        pos = lp_next(l, lp_next(l, value_pos));
        n++;
    }
    if (n) e->v.ptr = lp_delete_range(e->v.ptr, 0, n * TRIPLE);
    return n;
}

size_t hash_remove_expired(struct entry *e, int64_t now_ms, size_t max)
{
    if (e->enc == ENC_LISTPACK) return 0;
    if (e->enc == ENC_LISTPACK_EX) return remove_expired_triples(e, now_ms, max);
    struct hash_table *t = table_of(e);
    size_t n = 0;
    for (struct hash_field *f; n < max && (f = heap_top(&t->timed)); n++) {
        if (field_expire(f) > now_ms) break;
        remove_from_table(t, field_name(f));
    }
    return n;
}

/* ---- all fields ----------------------------------------------------------------------------- */

void hash_first(const struct entry *e, struct hash_iter *it)
{
    it->e = e;
    it->blob = NULL;
    if (is_pairs(e)) {
        it->pos = pairs_first(e->v.ptr);
        it->left = pairs_count(e->v.ptr);
    } else if (is_table(e)) {
        it->in = dict_first(table_of(e)->fields);
    } else {
        it->pos = lp_first(e->v.ptr);
    }
}

static void show_field(struct hash_iter *it, const struct hash_field *f, struct slice *field,
                       struct slice *value, int64_t *expire_ms)
{
    it->blob = field_blob(f);
    *field = field_name(f);
    if (value) *value = field_value(f);
    if (expire_ms) *expire_ms = field_expire(f);
}

/* Shows what is at it->pos and moves behind it. */
static void show_triple(struct hash_iter *it, struct slice *field, struct slice *value,
                        int64_t *expire_ms)
{
    const lp *l = it->e->v.ptr;
    *field = lp_slice(l, it->pos, it->field_tmp);
    size_t value_pos = lp_next(l, it->pos);
    if (value) *value = lp_slice(l, value_pos, it->value_tmp);
    if (expire_ms) *expire_ms = lp_time(it->e, value_pos);
    it->pos = lp_next(l, lp_next(l, value_pos));
}

static inline void show_pair(struct hash_iter *it, struct slice *field, struct slice *value,
                             int64_t *expire_ms)
{
    const pairs *p = it->e->v.ptr;
    *field = pairs_slice(p, it->pos, it->field_tmp);
    it->pos = pairs_next(p, it->pos);
    if (value) *value = pairs_slice(p, it->pos, it->value_tmp);
    if (expire_ms) *expire_ms = ENTRY_NO_EXPIRE;
    it->pos = pairs_next(p, it->pos);
}

bool hash_next(struct hash_iter *it, struct slice *field, struct slice *value, int64_t *expire_ms)
{
    if (is_pairs(it->e)) {
        if (it->left == 0) return false;
        it->left--;
        show_pair(it, field, value, expire_ms);
    } else if (is_table(it->e)) {
        const struct hash_field *f = dict_next(&it->in);
        if (!f) return false;
        show_field(it, f, field, value, expire_ms);
    } else {
        if (it->pos == LP_NONE) return false;
        show_triple(it, field, value, expire_ms);
    }
    return true;
}

static void show_random_pair(struct hash_iter *it, size_t i, struct slice *field,
                             struct slice *value, int64_t *expire_ms)
{
    const pairs *p = it->e->v.ptr;
    it->pos = pairs_first(p);
    for (i *= 2; i > 0; i--)
        it->pos = pairs_next(p, it->pos);
    show_pair(it, field, value, expire_ms);
}

bool hash_random(const struct entry *e, struct hash_iter *it, struct slice *field,
                 struct slice *value, int64_t *expire_ms)
{
    size_t n = hash_len(e);
    if (n == 0) return false;
    it->e = e;
    it->blob = NULL;
    if (is_pairs(e)) {
        show_random_pair(it, rand_below(n), field, value, expire_ms);
    } else if (is_table(e)) {
        show_field(it, dict_random(table_of(e)->fields), field, value, expire_ms);
    } else {
        it->pos = lp_seek(e->v.ptr, (int64_t)(rand_below(n) * TRIPLE));
        show_triple(it, field, value, expire_ms);
    }
    return true;
}

struct slice hash_item_field(const void *item)
{
    return field_name(item);
}

struct slice hash_item_value(const void *item)
{
    return field_value(item);
}

int64_t hash_item_expire(const void *item)
{
    return field_expire(item);
}
