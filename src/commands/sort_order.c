/*
 * sort_order.c - SORT: its elements, what they weigh, and their order.
 *
 *   elements --copied--> elems --weights--> (64-bit key, index) --radix--> order --ties--> done
 *
 * The key of a number is its bits, made to compare as integers; of a text, the eight bytes behind
 * what all texts begin with. It is inverted to sort downwards. Sorting by key takes linear time, so
 * there is nothing to gain from LIMIT but this: only those runs of equal keys are compared in full,
 * of which something is a result.
 *
 * Equal weights are ordered by the bytes of the elements; with ALPHA, by what came first.
 */
#include "commands/sort_internal.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

/* ---- memory --------------------------------------------------------------------------------- */

#define CHUNK (32 * 1024)

struct arena_chunk {
    struct arena_chunk *before;
    char bytes[];
};

static void arena_grow(struct arena *a, size_t n)
{
    size_t size = MAX(n, (size_t)CHUNK - sizeof(struct arena_chunk));
    struct arena_chunk *chunk = mem_alloc(sizeof *chunk + size);
    chunk->before = a->last;
    a->last = chunk;
    a->p = chunk->bytes;
    a->end = chunk->bytes + size;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    if (UNLIKELY(!a->p || (size_t)(a->end - a->p) < s.n)) arena_grow(a, s.n);
    char *p = a->p;
    if (s.n) memcpy(p, s.p, s.n);
    a->p += s.n;
    return slice_of(p, s.n);
}

void arena_free(struct arena *a)
{
    while (a->last) {
        struct arena_chunk *before = a->last->before;
        mem_free(a->last);
        a->last = before;
    }
}

/* ---- elements ------------------------------------------------------------------------------- */

static void add(struct sort *s, struct slice elem)
{
    s->elems[s->n++] = arena_copy(&s->arena, elem);
}

static void load_list(struct sort *s, size_t start, size_t n, bool backwards)
{
    struct list_iter it;
    int64_t from = backwards ? -1 - (int64_t)start : (int64_t)start;
    bool more = n > 0 && list_seek(s->e, from, backwards, &it);
    for (; more && s->n < n; more = list_step(&it))
        add(s, list_at(&it));
}

static void load_set(struct sort *s)
{
    struct set_iter it;
    struct slice member;
    set_first(s->e, &it);
    while (set_next(&it, &member))
        add(s, member);
}

static void load_zset(struct sort *s, size_t start, size_t n, bool backwards)
{
    struct zset_iter it;
    struct slice member;
    bool more = n > 0 && zset_seek_rank(s->e, start, backwards, &it);
    for (; more && s->n < n; more = zset_step(&it)) {
        zset_at(&it, &member, NULL);
        add(s, member);
    }
}

static size_t length(const struct entry *e)
{
    if (!e) return 0;
    if (e->type == TYPE_LIST) return list_len(e);
    return e->type == TYPE_SET ? set_len(e) : zset_len(e);
}

void sort_load(struct sort *s)
{
    size_t len = length(s->e);
    s->start = s->offset < 0 ? 0 : MIN((size_t)s->offset, len);
    s->results = s->count < 0 ? len - s->start : MIN((size_t)s->count, len - s->start);
    if (len == 0) return;
    bool set = s->e->type == TYPE_SET, part = s->unordered && !set;
    size_t from = part ? s->start : 0, n = part ? s->results : len;
    bool backwards = part && s->desc;
    s->elems = mem_alloc(MAX(n, (size_t)1) * sizeof *s->elems);
    if (part) s->start = 0;
    if (set) {
        load_set(s);
    } else if (s->e->type == TYPE_LIST) {
        load_list(s, from, n, backwards);
    } else {
        load_zset(s, from, n, backwards);
    }
    assert(s->n == n);
}

/* ---- patterns ------------------------------------------------------------------------------- */

struct sort_pattern sort_pattern_of(struct slice text)
{
    struct sort_pattern p = {.what = PATTERN_NOTHING};
    const char *star = text.n ? memchr(text.p, '*', text.n) : NULL;
    if (slice_eq(text, SLICE("#"))) p.what = PATTERN_ELEMENT;
    if (!star) return p;
    p.what = PATTERN_KEY;
    p.prefix = slice_of(text.p, (size_t)(star - text.p));
    p.suffix = slice_of(star + 1, text.n - p.prefix.n - 1);
    const char *arrow = memmem(p.suffix.p, p.suffix.n, "->", 2);
    if (!arrow || arrow + 2 == text.p + text.n) return p;
    p.what = PATTERN_FIELD;
    p.field = slice_of(arrow + 2, (size_t)(text.p + text.n - arrow - 2));
    p.suffix.n = (size_t)(arrow - p.suffix.p);
    return p;
}

static struct key key_for(struct sort *s, const struct sort_pattern *p, struct slice elem)
{
    buf_clear(&s->name);
    buf_add(&s->name, p->prefix.p, p->prefix.n);
    buf_add(&s->name, elem.p, elem.n);
    buf_add(&s->name, p->suffix.p, p->suffix.n);
    return key_of(buf_slice(&s->name));
}

void sort_look_up(struct sort *s, const struct sort_pattern *pattern, struct slice elem,
                  struct sort_value *out)
{
    out->entry = NULL;
    out->s = slice_of(NULL, 0);
    if (pattern->what == PATTERN_ELEMENT) out->s = elem;
    if (pattern->what < PATTERN_KEY) return;
    struct key k = key_for(s, pattern, elem);
    struct entry **slot = call_find(s->c, &k, 0);
    if (!slot) return;
    if (pattern->what == PATTERN_KEY) {
        if ((*slot)->type == TYPE_STRING) out->entry = *slot;
    } else if ((*slot)->type == TYPE_HASH) {
        if (!hash_get(*slot, pattern->field, &out->s, out->tmp, s->c->now_ms)) {
            out->s = slice_of(NULL, 0);
        }
    }
}

struct slice sort_value_text(struct sort_value *v)
{
    struct slice s = v->entry ? string_view(v->entry, v->tmp) : v->s;
    if (s.n == 0 && (v->entry || s.p)) s.p = ""; /* not the same as nothing */
    return s;
}

/* ---- weights -------------------------------------------------------------------------------- */

/* As strtod() reads it, up to a NUL: blanks before it, hexadecimal, nothing at all for 0. */
static bool odd_number(struct slice s, double *out)
{
    char *text = mem_alloc(s.n + 1), *end;
    if (s.n) memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    errno = 0;
    *out = strtod(text, &end);
    bool ok = *end == '\0' && errno != ERANGE && !isnan(*out);
    mem_free(text);
    return ok;
}

static bool number(struct slice s, double *out)
{
    if (LIKELY(num_parse_double(s, out)) && (fabs(*out) >= DBL_MIN || *out == 0)) return true;
    return odd_number(s, out);
}

static uint64_t number_key(struct sort *s, struct slice text)
{
    double v = 0;
    if (!number(text, &v)) {
        s->not_a_number = true;
        v = 0;
    }
    return radix_key(v);
}

static uint64_t weight_key(struct sort *s, struct sort_value *v)
{
    if (v->entry && v->entry->enc == ENC_INT) return radix_key((double)v->entry->v.i);
    struct slice text = sort_value_text(v);
    return text.p ? number_key(s, text) : radix_key(0);
}

static void weigh_numbers(struct sort *s)
{
    struct sort_pattern by = sort_pattern_of(s->by);
    struct sort_value v;
    for (size_t i = 0; i < s->n; i++) {
        s->order[i].at = (uint32_t)i;
        if (s->by.p) {
            sort_look_up(s, &by, s->elems[i], &v);
            s->order[i].key = weight_key(s, &v);
        } else {
            s->order[i].key = number_key(s, s->elems[i]);
        }
    }
}

/* texts: the values of BY. */
static void find_texts(struct sort *s)
{
    struct sort_pattern by = sort_pattern_of(s->by);
    struct sort_value v;
    s->texts = mem_alloc(s->n * sizeof *s->texts);
    for (size_t i = 0; i < s->n; i++) {
        sort_look_up(s, &by, s->elems[i], &v);
        struct slice text = sort_value_text(&v);
        s->texts[i] = text.p ? arena_copy(&s->arena, text) : text;
    }
}

/* How many bytes all texts have in common at their beginning. */
static size_t common_prefix(const struct sort *s)
{
    struct slice first = s->texts[0];
    size_t n = first.n;
    for (size_t i = 1; i < s->n && n > 0; i++) {
        struct slice text = s->texts[i];
        size_t same = 0;
        n = MIN(n, text.n);
        while (same < n && first.p[same] == text.p[same])
            same++;
        n = same;
    }
    return n;
}

static void weigh_texts(struct sort *s)
{
    size_t skip = common_prefix(s);
    for (size_t i = 0; i < s->n; i++) {
        struct slice text = s->texts[i];
        uint64_t key = 0;
        if (text.n > skip) memcpy(&key, text.p + skip, MIN(text.n - skip, sizeof key));
        s->order[i] = (struct radix_item){__builtin_bswap64(key), (uint32_t)i};
    }
}

/* ---- order ---------------------------------------------------------------------------------- */

static int compare_texts(struct slice a, struct slice b)
{
    if (UNLIKELY(!a.p || !b.p)) return (a.p != NULL) - (b.p != NULL); /* nothing comes first */
    return slice_cmp(a, b);
}

static int compare_tied(const void *x, const void *y, void *arg)
{
    const struct radix_item *a = x, *b = y;
    const struct sort *s = arg;
    int c = compare_texts(s->texts[a->at], s->texts[b->at]);
    if (c) return s->desc ? -c : c;
    return (a->at > b->at) - (a->at < b->at);
}

static void order_ties(struct sort *s)
{
    struct radix_item *o = s->order;
    size_t end = s->start + s->results;
    for (size_t i = 0, j; i < s->n && i < end; i = j) {
        for (j = i + 1; j < s->n && o[j].key == o[i].key; j++) {
        }
        if (j - i > 1 && j > s->start) qsort_r(o + i, j - i, sizeof *o, compare_tied, s);
    }
}

void sort_order(struct sort *s)
{
    if (s->n == 0) return;
    bool by_values = s->alpha && s->by.p;
    s->order = mem_alloc(s->n * sizeof *s->order);
    s->texts = s->elems;
    if (by_values) find_texts(s);
    (s->alpha ? weigh_texts : weigh_numbers)(s);
    if (s->not_a_number) return;
    for (size_t i = 0; s->desc && i < s->n; i++)
        s->order[i].key = ~s->order[i].key;
    struct radix_item *tmp = mem_alloc(s->n * sizeof *tmp);
    struct radix_item *sorted = radix_sort(s->order, tmp, s->n);
    mem_free(sorted == tmp ? s->order : tmp);
    s->order = sorted;
    order_ties(s);
}
