/*
 * set_value.c - sets in their three encodings, and the changes from one to another.
 *
 *                  a member that is no integer, and it stays small
 *   ENC_INTSET  ----------------------------------------------------> ENC_LISTPACK
 *        |                                                                 |
 *        | more than max_intset_entries, or not small                      | more or longer
 *        +--------------------------> ENC_HASHTABLE <----------------------+ than the limits
 *
 * A member of an ENC_HASHTABLE set is one allocation:
 *
 *   offset  size  meaning
 *   0       1     length, or 255: the next eight bytes are the length
 *   1 or 9  ...   the bytes
 *
 * so that 15 bytes of text take 16.
 *
 * Invariants
 *  1. An intset holds at most max_intset_entries integers, but for what was restored or made under
 *     other limits.
 *  2. A listpack holds each member once; canonical integers lie there as integers.
 */
#include "types/set_value.h"

#include "types/intset.h"
#include "types/types_internal.h"

#define LONG_MEMBER 255
#define LONG_HEAD   (1 + sizeof(uint64_t))

struct set_limits set_limits = {512, 128, 64};

/* ---- members of the table -------------------------------------------------------------------- */

struct slice set_item(const void *item)
{
    const uint8_t *p = item;
    uint64_t n;
    if (LIKELY(*p != LONG_MEMBER)) return slice_of(p + 1, *p);
    memcpy(&n, p + 1, sizeof n);
    return slice_of(p + LONG_HEAD, n);
}

static size_t item_head(size_t n)
{
    return LIKELY(n < LONG_MEMBER) ? 1 : LONG_HEAD;
}

static void *item_new(struct slice member)
{
    uint64_t n = member.n;
    size_t head = item_head(n);
    uint8_t *p = mem_alloc(head + n);
    *p = head == 1 ? (uint8_t)n : LONG_MEMBER;
    if (UNLIKELY(head != 1)) memcpy(p + 1, &n, sizeof n);
    copy_bytes((char *)p + head, member);
    return p;
}

static void item_free(void *item)
{
    size_t n = set_item(item).n;
    mem_free_sized(item, item_head(n) + n);
}

static size_t item_memory(const void *item)
{
    return mem_usable(item);
}

static const struct dict_type member_type = {set_item, item_free, item_memory};

/* ---- the whole ------------------------------------------------------------------------------ */

struct entry *entry_new_set(struct slice key)
{
    return entry_new(key, TYPE_SET, ENC_INTSET, intset_new(), ENTRY_NO_EXPIRE);
}

static void free_value(enum value_enc enc, void *value)
{
    switch (enc) {
    case ENC_INTSET: intset_free(value); break;
    case ENC_LISTPACK: lp_free(value); break;
    default: dict_free(value);
    }
}

static void set_free(struct entry *e)
{
    free_value(e->enc, e->v.ptr);
}

static void *dup_dict(const struct dict *d)
{
    struct dict *copy = dict_new(&member_type);
    struct dict_iter it = dict_first(d);
    dict_reserve(copy, dict_len(d));
    for (const void *item; (item = dict_next(&it));)
        dict_add(copy, item_new(set_item(item)));
    return copy;
}

static void *set_dup(const struct entry *e)
{
    switch (e->enc) {
    case ENC_INTSET: return intset_dup(e->v.ptr);
    case ENC_LISTPACK: return lp_dup(e->v.ptr);
    default: return dup_dict(e->v.ptr);
    }
}

static size_t set_memory(const struct entry *e, size_t samples)
{
    return e->enc == ENC_HASHTABLE ? dict_memory(e->v.ptr, samples) : mem_usable(e->v.ptr);
}

static size_t set_effort(const struct entry *e)
{
    return e->enc == ENC_HASHTABLE ? dict_len(e->v.ptr) : 1;
}

const struct type_ops set_ops = {set_free, set_dup, set_memory, set_effort};

size_t set_len(const struct entry *e)
{
    switch (e->enc) {
    case ENC_INTSET: return intset_len(e->v.ptr);
    case ENC_LISTPACK: return lp_count(e->v.ptr);
    default: return dict_len(e->v.ptr);
    }
}

/* ---- conversions ---------------------------------------------------------------------------- */

static void become(struct entry *e, enum value_enc enc, void *value)
{
    free_value(e->enc, e->v.ptr);
    e->enc = enc;
    e->v.ptr = value;
}

static void to_dict(struct entry *e, size_t room)
{
    struct dict *d = dict_new(&member_type);
    struct set_iter it;
    struct slice member;
    dict_reserve(d, MAX(room, set_len(e)));
    set_first(e, &it);
    while (set_next(&it, &member))
        dict_add(d, item_new(member));
    become(e, ENC_HASHTABLE, d);
}

static void to_listpack(struct entry *e)
{
    const struct intset *s = e->v.ptr;
    lp *l = lp_new(0);
    for (size_t i = 0; i < intset_len(s); i++)
        l = lp_append_int(l, intset_at(s, i));
    become(e, ENC_LISTPACK, l);
}

static size_t max_ints(void)
{
    return MIN(set_limits.max_intset_entries, INTSET_MAX);
}

/* A set without members takes the encoding for those to come. */
static void choose(struct entry *e, struct slice first, size_t n)
{
    int64_t v;
    if (slice_is_i64(first, &v) && n <= set_limits.max_intset_entries) return;
    if (n <= set_limits.max_listpack_entries)
        become(e, ENC_LISTPACK, lp_new(0));
    else
        to_dict(e, n);
}

void set_before_add(struct entry *e, struct slice first, size_t n)
{
    if (e->enc == ENC_HASHTABLE) return;
    if (e->enc == ENC_INTSET && set_len(e) == 0) {
        choose(e, first, n);
        return;
    }
    size_t limit =
        e->enc == ENC_LISTPACK ? set_limits.max_listpack_entries : set_limits.max_intset_entries;
    if (n > limit) to_dict(e, n);
}

/* ---- members -------------------------------------------------------------------------------- */

bool set_has(const struct entry *e, struct slice member)
{
    int64_t v;
    const lp *l = e->v.ptr;
    switch (e->enc) {
    case ENC_INTSET: return slice_is_i64(member, &v) && intset_has(e->v.ptr, v);
    case ENC_LISTPACK: return lp_find(l, lp_first(l), member, 0) != LP_NONE;
    default: return dict_find(e->v.ptr, member) != NULL;
    }
}

void set_has_each(const struct entry *e, const struct slice *members, size_t n, bool *has)
{
    void *found[SET_BATCH];
    assert(n <= SET_BATCH);
    if (e->enc != ENC_HASHTABLE) {
        for (size_t i = 0; i < n; i++)
            has[i] = set_has(e, members[i]);
        return;
    }
    dict_find_each(e->v.ptr, members, n, found);
    for (size_t i = 0; i < n; i++)
        has[i] = found[i] != NULL;
}

static bool add_to_dict(struct entry *e, struct slice member)
{
    return dict_find_or_add(e->v.ptr, member, item_new) == NULL;
}

static bool add_to_listpack(struct entry *e, struct slice member)
{
    lp *l = e->v.ptr;
    if (lp_find(l, lp_first(l), member, 0) != LP_NONE) return false;
    bool small = lp_count(l) < set_limits.max_listpack_entries &&
                 member.n <= set_limits.max_listpack_value && lp_safe_to_add(l, member.n);
    if (LIKELY(small)) {
        e->v.ptr = lp_append(l, member);
        return true;
    }
    to_dict(e, lp_count(l) + 1);
    return add_to_dict(e, member);
}

/* Would all integers of the set, and a member of this length, make a listpack? */
static bool fits_listpack(const struct intset *s, size_t member)
{
    char text[NUM_I64_MAX];
    size_t n = intset_len(s), longest = 0;
    if (n) {
        longest = num_fmt_i64(text, intset_at(s, 0));
        longest = MAX(longest, num_fmt_i64(text, intset_at(s, n - 1)));
    }
    return n < set_limits.max_listpack_entries &&
           MAX(longest, member) <= set_limits.max_listpack_value;
}

static bool add_to_intset(struct entry *e, struct slice member)
{
    int64_t v;
    bool added;
    if (slice_is_i64(member, &v)) {
        e->v.ptr = intset_add(e->v.ptr, v, &added);
        if (UNLIKELY(intset_len(e->v.ptr) > max_ints())) to_dict(e, 0);
        return added;
    }
    if (fits_listpack(e->v.ptr, member.n)) {
        to_listpack(e);
        e->v.ptr = lp_append(e->v.ptr, member);
        return true;
    }
    to_dict(e, set_len(e) + 1);
    return add_to_dict(e, member);
}

bool set_add(struct entry *e, struct slice member)
{
    switch (e->enc) {
    case ENC_INTSET: return add_to_intset(e, member);
    case ENC_LISTPACK: return add_to_listpack(e, member);
    default: return add_to_dict(e, member);
    }
}

static bool remove_from_listpack(struct entry *e, struct slice member)
{
    lp *l = e->v.ptr;
    size_t pos = lp_find(l, lp_first(l), member, 0);
    if (pos == LP_NONE) return false;
    e->v.ptr = lp_delete(l, &pos);
    return true;
}

bool set_remove(struct entry *e, struct slice member)
{
    int64_t v;
    bool removed;
    switch (e->enc) {
    case ENC_INTSET:
        if (!slice_is_i64(member, &v)) return false;
        e->v.ptr = intset_remove(e->v.ptr, v, &removed);
        return removed;
    case ENC_LISTPACK: return remove_from_listpack(e, member);
    default: return dict_delete(e->v.ptr, member);
    }
}

/* ---- all and any ----------------------------------------------------------------------------- */

void set_first(const struct entry *e, struct set_iter *it)
{
    it->e = e;
    it->pos = 0;
    if (e->enc == ENC_HASHTABLE)
        it->it = dict_first(e->v.ptr);
    else if (e->enc == ENC_LISTPACK)
        it->pos = lp_first(e->v.ptr);
}

static struct slice int_text(int64_t v, char *tmp)
{
    return slice_of(tmp, num_fmt_i64(tmp, v));
}

static bool next_in_listpack(struct set_iter *it, struct slice *member)
{
    const lp *l = it->e->v.ptr;
    if (it->pos == LP_NONE) return false;
    *member = lp_slice(l, it->pos, it->tmp);
    it->pos = lp_next(l, it->pos);
    return true;
}

bool set_next(struct set_iter *it, struct slice *member)
{
    const void *item;
    switch (it->e->enc) {
    case ENC_INTSET:
        if (it->pos == intset_len(it->e->v.ptr)) return false;
        *member = int_text(intset_at(it->e->v.ptr, it->pos++), it->tmp);
        return true;
    case ENC_LISTPACK: return next_in_listpack(it, member);
    default:
        item = dict_next(&it->it);
        if (item) *member = set_item(item);
        return item != NULL;
    }
}

void set_random(const struct entry *e, struct slice *member, char *tmp)
{
    size_t i;
    switch (e->enc) {
    case ENC_INTSET:
        i = rand_below(intset_len(e->v.ptr));
        *member = int_text(intset_at(e->v.ptr, i), tmp);
        break;
    case ENC_LISTPACK:
        i = rand_below(lp_count(e->v.ptr));
        *member = lp_slice(e->v.ptr, lp_seek(e->v.ptr, (int64_t)i), tmp);
        break;
    default: *member = set_item(dict_random(e->v.ptr));
    }
}
