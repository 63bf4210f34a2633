/*
 * pairs.c - the packed pairs of a small hash (layout: pairs.h).
 *
 * Invariants
 *  1. Encodings are canonical (a string that is an integer is the shortest integer), so elements
 * are equal exactly if their bytes are: a search encodes the field once and compares.
 *  2. The allocation may be larger than what is used; mem_usable() knows, no capacity is stored.
 */
#include "types/pairs.h"

#include "types/packed_elem.h"

#define HEADER   2
#define HINT_MAX 4096 /* what is announced beyond that may never come */

static_assert(sizeof(pairs) == 1, "positions are byte offsets");

size_t pairs_count(const pairs *p)
{
    uint16_t n;
    memcpy(&n, p, sizeof n);
    return n;
}

static void set_count(pairs *p, size_t n)
{
    uint16_t v = (uint16_t)n;
    assert(n <= PAIRS_MAX);
    memcpy(p, &v, sizeof v);
}

/* ---- walking -------------------------------------------------------------------------------- */

size_t pairs_first(const pairs *p)
{
    (void)p;
    return HEADER;
}

size_t pairs_next(const pairs *p, size_t pos)
{
    return pos + body_size(p + pos);
}

static inline size_t behind_pair(const pairs *p, size_t pos)
{
    return pairs_next(p, pairs_next(p, pos));
}

/* The end, n pairs behind pos. */
static size_t end_from(const pairs *p, size_t pos, size_t n)
{
    while (n-- > 0)
        pos = behind_pair(p, pos);
    return pos;
}

size_t pairs_bytes(const pairs *p)
{
    return end_from(p, HEADER, pairs_count(p));
}

static inline bool is_coded(const uint8_t *at, const struct coded *c)
{
    if (*at != c->head[0] || memcmp(at, c->head, c->head_n) != 0) return false;
    return c->tail.n == 0 || memcmp(at + c->head_n, c->tail.p, c->tail.n) == 0;
}

/* The field's position, or PAIRS_NONE: then *end is the end. */
static inline size_t find(const pairs *p, const struct coded *field, size_t *end)
{
    size_t pos = HEADER;
    size_t n = pairs_count(p);
    while (n > 0 && !is_coded(p + pos, field)) {
        pos = behind_pair(p, pos);
        n--;
    }
    *end = pos;
    return n > 0 ? pos : PAIRS_NONE;
}

size_t pairs_find(const pairs *p, struct slice field)
{
    struct coded c;
    size_t end;
    code(&c, field);
    return find(p, &c, &end);
}

struct slice pairs_slice(const pairs *p, size_t pos, char *tmp)
{
    struct lp_elem e = elem_at(p + pos);
    if (e.p) return slice_of(e.p, e.n);
    return slice_of(tmp, num_fmt_i64(tmp, e.i));
}

/* ---- memory --------------------------------------------------------------------------------- */

pairs *pairs_new(const struct slice *elems, size_t n)
{
    struct coded c;
    size_t bytes = HEADER;
    for (size_t i = 0; i < n && bytes <= HINT_MAX; i++) {
        code(&c, elems[i]);
        bytes += coded_body(&c);
    }
    pairs *p = mem_alloc(bytes);
    set_count(p, 0);
    return p;
}

void pairs_free(pairs *p)
{
    mem_free(p);
}

pairs *pairs_dup(const pairs *p)
{
    return mem_dup(p, pairs_bytes(p));
}

static inline pairs *room_for(pairs *p, size_t total)
{
    return forget_size(LIKELY(total <= mem_usable(p)) ? p : mem_realloc(p, total));
}

/* Gives memory back, but not for a size class. */
static pairs *shrink(pairs *p, size_t total)
{
    size_t usable = mem_usable(p);
    return usable > 64 && total < usable / 4 * 3 ? mem_realloc(p, total) : p;
}

/* ---- changing ------------------------------------------------------------------------------- */

static pairs *append(pairs *p, size_t end, const struct coded *field, const struct coded *value)
{
    size_t value_at = end + coded_body(field);
    p = room_for(p, value_at + coded_body(value));
    put_coded_body(p + end, field);
    put_coded_body(p + value_at, value);
    set_count(p, pairs_count(p) + 1);
    return p;
}

/* Makes the old_n bytes at pos n bytes, which the caller fills; the count is the caller's too. */
static pairs *resize_at(pairs *p, size_t pos, size_t old_n, size_t n, size_t total)
{
    size_t behind = pos + old_n, after = total - old_n + n;
    if (n > old_n) p = room_for(p, after);
    memmove(p + pos + n, p + behind, total - behind);
    return n < old_n ? shrink(p, after) : p;
}

/* Another value at pos. */
static pairs *replace(pairs *p, size_t pos, const struct coded *value)
{
    size_t old_n = body_size(p + pos), n = coded_body(value);
    if (n != old_n) p = resize_at(p, pos, old_n, n, pairs_bytes(p));
    put_coded_body(p + pos, value);
    return p;
}

bool pairs_put(pairs **p, struct slice field, struct slice value)
{
    struct coded f, v;
    size_t end;
    code(&f, field);
    code(&v, value);
    size_t pos = find(*p, &f, &end);
    bool added = pos == PAIRS_NONE;
    *p = added ? append(*p, end, &f, &v) : replace(*p, pairs_next(*p, pos), &v);
    return added;
}

pairs *pairs_remove(pairs *p, size_t pos)
{
    size_t total = pairs_bytes(p), behind = behind_pair(p, pos);
    set_count(p, pairs_count(p) - 1);
    return resize_at(p, pos, behind - pos, 0, total);
}

/* ---- as a listpack -------------------------------------------------------------------------- */

lp *pairs_to_listpack(const pairs *p)
{
    char tmp[NUM_I64_MAX];
    size_t pos = HEADER, n = 2 * pairs_count(p);
    lp *l = lp_new(pairs_bytes(p) + n + 8);
    for (; n > 0; n--, pos = pairs_next(p, pos))
        l = lp_append(l, pairs_slice(p, pos, tmp));
    return l;
}

static size_t bytes_of_listpack(const lp *l)
{
    char tmp[NUM_I64_MAX];
    struct coded c;
    size_t bytes = HEADER;
    for (size_t pos = lp_first(l); pos != LP_NONE; pos = lp_next(l, pos)) {
        code(&c, lp_slice(l, pos, tmp));
        bytes += coded_body(&c);
    }
    return bytes;
}

pairs *pairs_of_listpack(const lp *l)
{
    char tmp[NUM_I64_MAX];
    struct coded c;
    size_t at = HEADER;
    pairs *p = mem_alloc(bytes_of_listpack(l));
    for (size_t pos = lp_first(l); pos != LP_NONE; pos = lp_next(l, pos)) {
        code(&c, lp_slice(l, pos, tmp));
        put_coded_body(p + at, &c);
        at += coded_body(&c);
    }
    set_count(p, lp_count(l) / 2);
    return p;
}
