/*
 * listpack.c - Redis's packed sequence of strings and integers, byte by byte the same format.
 *
 * A listpack
 *
 *   offset  size  meaning
 *   0       4     total bytes, header and end included, little endian
 *   4       2     number of elements, little endian; 65535: that many or more, count them
 *   6       ...   elements
 *   total-1 1     0xFF, the end
 *
 * An element is its encoding (first byte, then perhaps more), its data, and its back length.
 *
 *   first byte  size             meaning
 *   0xxxxxxx    1                integer 0 .. 127, x
 *   10xxxxxx    1 + x            string of x < 64 bytes, which follow
 *   110xxxxx    2                integer of 13 bits, two's complement: x, then one byte (big
 * endian) 1110xxxx    2 + n            string of n < 4096 bytes: n is x, then one byte (big endian)
 *   0xF0        5 + n            string: n in 4 bytes little endian
 *   0xF1..0xF3  3, 4, 5          integer of 16, 24, 32 bits, two's complement, little endian
 *   0xF4        9                integer of 64 bits
 *   0xF5..0xFE                   not used
 *
 * The back length is the size of encoding and data in groups of seven bits, most significant first.
 * All bytes of it but the first have their high bit set, so it reads from right to left: go on
 * while it is set. It takes one byte up to 127, then 2, 3, 4 and 5 bytes for sizes below 16383,
 * 2097151, 268435455 and the rest (one less than fits each; the format is so).
 *
 * Invariants
 *  1. A string that is a canonical integer is stored as the shortest integer.
 *  2. The allocation is at least `total` bytes; what more it has is room to grow into. mem_usable()
 *     knows, so no capacity is stored.
 */
#include "types/packed_elem.h"

#define HEADER        6
#define END           0xFF
#define EMPTY_BYTES   (HEADER + 1)
#define COUNT_UNKNOWN 65535u
#define BACK_MAX      5

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "header and integers are copied as they are");
static_assert(sizeof(lp) == 1, "positions are byte offsets");
static_assert(LP_MAX_BYTES < UINT32_MAX, "the total fits its field");

/* ---- header --------------------------------------------------------------------------------- */

size_t lp_bytes(const lp *l)
{
    uint32_t total;
    memcpy(&total, l, sizeof total);
    return total;
}

static void set_bytes(lp *l, size_t total)
{
    uint32_t v = (uint32_t)total;
    assert(total <= UINT32_MAX);
    memcpy(l, &v, sizeof v);
}

static unsigned stored_count(const lp *l)
{
    uint16_t v;
    memcpy(&v, l + 4, sizeof v);
    return v;
}

static void set_count(lp *l, size_t n)
{
    uint16_t v = (uint16_t)MIN(n, (size_t)COUNT_UNKNOWN);
    memcpy(l + 4, &v, sizeof v);
}

/* An unknown count stays unknown. */
static void add_count(lp *l, size_t more)
{
    unsigned n = stored_count(l);
    if (LIKELY(n != COUNT_UNKNOWN)) set_count(l, n + more);
}

static void sub_count(lp *l, size_t less)
{
    unsigned n = stored_count(l);
    if (LIKELY(n != COUNT_UNKNOWN)) set_count(l, n - less);
}

/* ---- one element ---------------------------------------------------------------------------- */

/* The size of the back length of a body of n bytes. */
static inline size_t back_size(size_t n)
{
    if (LIKELY(n <= 127)) return 1;
    if (n < 16383) return 2;
    if (n < 2097151) return 3;
    return n < 268435455 ? 4 : 5;
}

static void put_back(uint8_t *p, size_t n)
{
    size_t size = back_size(n);
    for (size_t i = size; i-- > 0; n >>= 7) {
        p[i] = (uint8_t)((n & 127) | (i > 0 ? 128 : 0));
    }
}

/* The body size that the back length ending before p tells. */
static inline size_t read_back(const uint8_t *p)
{
    uint64_t n = *--p & 127u;
    for (unsigned shift = 7; UNLIKELY(*p & 128) && shift <= 28; shift += 7) {
        n |= (uint64_t)(*--p & 127u) << shift;
    }
    return (size_t)n;
}

static inline size_t element_size(const uint8_t *p)
{
    size_t body = body_size(p);
    return body + back_size(body);
}

static inline size_t coded_size(const struct coded *c)
{
    size_t body = coded_body(c);
    return body + back_size(body);
}

static inline void put_coded(uint8_t *p, const struct coded *c)
{
    put_coded_body(p, c);
    put_back(p + coded_body(c), coded_body(c));
}

size_t lp_elem_bytes(struct slice s)
{
    struct coded c;
    code(&c, s);
    return coded_size(&c);
}

struct lp_elem lp_get(const lp *l, size_t pos)
{
    return elem_at(l + pos);
}

struct slice lp_slice(const lp *l, size_t pos, char *tmp)
{
    struct lp_elem e = lp_get(l, pos);
    if (e.p) return slice_of(e.p, e.n);
    return slice_of(tmp, num_fmt_i64(tmp, e.i));
}

/* ---- walking -------------------------------------------------------------------------------- */

static inline size_t end_of(const lp *l)
{
    return lp_bytes(l) - 1;
}

static inline size_t or_none(const lp *l, size_t pos)
{
    return l[pos] == END ? LP_NONE : pos;
}

size_t lp_first(const lp *l)
{
    return or_none(l, HEADER);
}

size_t lp_last(const lp *l)
{
    return lp_prev(l, end_of(l));
}

size_t lp_next(const lp *l, size_t pos)
{
    return or_none(l, pos + element_size(l + pos));
}

size_t lp_prev(const lp *l, size_t pos)
{
    if (pos <= HEADER) return LP_NONE;
    size_t body = read_back(l + pos);
    return pos - body - back_size(body);
}

size_t lp_count(const lp *l)
{
    size_t n = stored_count(l);
    if (LIKELY(n != COUNT_UNKNOWN)) return n;
    n = 0;
    for (size_t pos = HEADER; l[pos] != END; pos += element_size(l + pos))
        n++;
    return n;
}

static size_t seek_forward(const lp *l, uint64_t index)
{
    size_t pos = lp_first(l);
    while (pos != LP_NONE && index-- > 0)
        pos = lp_next(l, pos);
    return pos;
}

/* index 0 is the last one. */
static size_t seek_backward(const lp *l, uint64_t index)
{
    size_t pos = lp_last(l);
    while (pos != LP_NONE && index-- > 0)
        pos = lp_prev(l, pos);
    return pos;
}

size_t lp_seek(const lp *l, int64_t index)
{
    unsigned n = stored_count(l);
    uint64_t i = index < 0 ? -(uint64_t)index - 1 : (uint64_t)index;
    bool backward = index < 0;
    if (LIKELY(n != COUNT_UNKNOWN)) {
        if (i >= n) return LP_NONE;
        if (i > n / 2) {
            i = n - 1 - i;
            backward = !backward;
        }
    }
    return backward ? seek_backward(l, i) : seek_forward(l, i);
}

bool lp_equals(const lp *l, size_t pos, struct slice s)
{
    struct lp_elem e = lp_get(l, pos);
    int64_t v;
    if (e.p) return slice_eq(slice_of(e.p, e.n), s);
    return slice_is_i64(s, &v) && v == e.i;
}

size_t lp_find(const lp *l, size_t from, struct slice s, size_t skip)
{
    int64_t v = 0;
    bool number = slice_is_i64(s, &v);
    for (size_t pos = from; pos != LP_NONE; pos = lp_next(l, pos)) {
        struct lp_elem e = lp_get(l, pos);
        if (e.p ? slice_eq(slice_of(e.p, e.n), s) : number && e.i == v) return pos;
        for (size_t i = 0; i < skip; i++) {
            pos = lp_next(l, pos);
            if (pos == LP_NONE) return LP_NONE;
        }
    }
    return LP_NONE;
}

/* ---- memory --------------------------------------------------------------------------------- */

lp *lp_new(size_t capacity_hint)
{
    lp *l = mem_alloc(MAX(capacity_hint, (size_t)EMPTY_BYTES));
    set_bytes(l, EMPTY_BYTES);
    set_count(l, 0);
    l[HEADER] = END;
    return l;
}

void lp_free(lp *l)
{
    mem_free(l);
}

lp *lp_dup(const lp *l)
{
    return mem_dup(l, lp_bytes(l));
}

static inline lp *room_for(lp *l, size_t total)
{
    return forget_size(LIKELY(total <= mem_usable(l)) ? l : mem_realloc(l, total));
}

/* Gives memory back, but not for a size class: pops and pushes in turn shall not move it. */
static lp *shrink(lp *l)
{
    size_t total = lp_bytes(l), usable = mem_usable(l);
    return usable > 64 && total < usable / 4 * 3 ? mem_realloc(l, total) : l;
}

bool lp_safe_to_add(const lp *l, size_t add)
{
    size_t total = l ? lp_bytes(l) : 0;
    return add <= LP_MAX_BYTES && total + add <= LP_MAX_BYTES;
}

/* ---- changing ------------------------------------------------------------------------------- */

/* Makes the old_n bytes at pos n bytes, which the caller fills. The count is the caller's too. */
static inline lp *resize_at(lp *l, size_t pos, size_t old_n, size_t n)
{
    size_t total = lp_bytes(l), behind = pos + old_n;
    if (n >= old_n) l = room_for(l, total + n - old_n);
    memmove(l + pos + n, l + behind, total - behind);
    set_bytes(l, total - old_n + n);
    return n < old_n ? shrink(l) : l;
}

static inline lp *insert_coded(lp *l, size_t pos, const struct coded *c)
{
    l = resize_at(l, pos, 0, coded_size(c));
    put_coded(l + pos, c);
    add_count(l, 1);
    return l;
}

lp *lp_append(lp *l, struct slice s)
{
    struct coded c;
    code(&c, s);
    return insert_coded(l, end_of(l), &c);
}

lp *lp_prepend(lp *l, struct slice s)
{
    struct coded c;
    code(&c, s);
    return insert_coded(l, HEADER, &c);
}

lp *lp_append_int(lp *l, int64_t v)
{
    struct coded c;
    code_int(&c, v);
    return insert_coded(l, end_of(l), &c);
}

/* Not less than what e takes. */
static inline size_t size_bound(const struct lp_elem *e)
{
    if (!e->p) return HEAD_MAX + 1;
    return e->n < 64 ? e->n + 2 : e->n + HEAD_MAX + BACK_MAX;
}

lp *lp_append_all(lp *l, const struct lp_elem *elems, size_t n)
{
    size_t at = end_of(l), bound = at + 1;
    for (size_t i = 0; i < n; i++)
        bound += size_bound(&elems[i]);
    l = room_for(l, bound);
    for (size_t i = 0; i < n; i++) {
        struct coded c;
        if (elems[i].p) {
            code(&c, slice_of(elems[i].p, elems[i].n));
        } else {
            code_int(&c, elems[i].i);
        }
        put_coded(l + at, &c);
        at += coded_size(&c);
    }
    l[at] = END;
    set_bytes(l, at + 1);
    add_count(l, n);
    return l;
}

lp *lp_insert(lp *l, size_t pos, struct slice s, bool after, size_t *new_pos)
{
    struct coded c;
    code(&c, s);
    if (after) pos += element_size(l + pos);
    if (new_pos) *new_pos = pos;
    return insert_coded(l, pos, &c);
}

static lp *replace_coded(lp *l, size_t pos, const struct coded *c)
{
    l = resize_at(l, pos, element_size(l + pos), coded_size(c));
    put_coded(l + pos, c);
    return l;
}

lp *lp_replace(lp *l, size_t *pos, struct slice s)
{
    struct coded c;
    code(&c, s);
    return replace_coded(l, *pos, &c);
}

lp *lp_replace_int(lp *l, size_t *pos, int64_t v)
{
    struct coded c;
    code_int(&c, v);
    if (LIKELY(coded_size(&c) == element_size(l + *pos))) {
        put_coded(l + *pos, &c);
        return l;
    }
    return replace_coded(l, *pos, &c);
}

lp *lp_fit(lp *l)
{
    size_t total = lp_bytes(l);
    return mem_good_size(total) < mem_usable(l) ? mem_realloc(l, total) : l;
}

lp *lp_delete(lp *l, size_t *pos)
{
    l = resize_at(l, *pos, element_size(l + *pos), 0);
    sub_count(l, 1);
    *pos = or_none(l, *pos);
    return l;
}

/* Where the element of that many further on begins, or the end; *n: how many there were. */
static size_t skip(const lp *l, size_t pos, size_t *n)
{
    size_t skipped = 0;
    for (; skipped < *n && l[pos] != END; skipped++)
        pos += element_size(l + pos);
    *n = skipped;
    return pos;
}

lp *lp_delete_range(lp *l, int64_t index, size_t n)
{
    size_t from = lp_seek(l, index);
    if (from == LP_NONE || n == 0) return l;
    size_t to = skip(l, from, &n);
    l = resize_at(l, from, to - from, 0);
    sub_count(l, n);
    return l;
}

lp *lp_merge(lp *a, lp *b)
{
    size_t at = end_of(a), more = lp_bytes(b) - HEADER - 1;
    unsigned n = stored_count(b);
    a = resize_at(a, at, 0, more);
    if (more) memcpy(a + at, b + HEADER, more);
    if (n == COUNT_UNKNOWN) {
        set_count(a, COUNT_UNKNOWN);
    } else {
        add_count(a, n);
    }
    lp_free(b);
    return a;
}

lp *lp_split(lp **l, size_t index)
{
    lp *rest = lp_new(0), *old = *l;
    size_t from = lp_seek(old, (int64_t)index);
    if (from == LP_NONE) return rest;
    size_t moved = end_of(old) - from, total = lp_count(old);
    rest = room_for(rest, EMPTY_BYTES + moved);
    memcpy(rest + HEADER, old + from, moved + 1);
    set_bytes(rest, EMPTY_BYTES + moved);
    set_count(rest, total - index);
    old = resize_at(old, from, moved, 0);
    set_count(old, index);
    *l = old;
    return rest;
}

/* ---- from outside --------------------------------------------------------------------------- */

/* Bytes from the first on that tell a body's size, or 0: no such encoding. */
static size_t size_bytes(uint8_t c)
{
    if (c >= 0xE0 && c < 0xF0) return 2;
    if (c == STR32) return 5;
    return c > INT64 ? 0 : 1;
}

/* The size of the element at p, of which n bytes are there, or 0: it is none. */
static size_t valid_element(const uint8_t *p, size_t n)
{
    size_t need = size_bytes(*p);
    if (need == 0 || need > n) return 0;
    size_t body = body_size(p), back = back_size(body);
    if (body > n || back > n - body) return 0;
    uint8_t want[BACK_MAX];
    put_back(want, body);
    return memcmp(p + body, want, back) == 0 ? body + back : 0;
}

static bool valid_elements(const uint8_t *bytes, size_t n)
{
    size_t pos = HEADER, count = 0, end = n - 1;
    while (pos < end) {
        size_t size = valid_element(bytes + pos, end - pos);
        if (size == 0) return false;
        pos += size;
        count++;
    }
    return stored_count(bytes) == COUNT_UNKNOWN || stored_count(bytes) == count;
}

bool lp_valid(const uint8_t *bytes, size_t n, bool deep)
{
    if (n < EMPTY_BYTES || n > LP_MAX_BYTES || lp_bytes(bytes) != n) return false;
    if (bytes[n - 1] != END) return false;
    return !deep || valid_elements(bytes, n);
}
