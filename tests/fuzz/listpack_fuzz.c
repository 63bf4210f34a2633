/*
 * listpack_fuzz.c - listpacks from outside under libFuzzer. Properties: lp_valid() reads nothing
 * behind the bytes it is given; what it accepts can be walked both ways with the same result, and
 * edited, and is still accepted afterwards. The input is tried as it is, and as elements to which
 * header and end are put, for most inputs fail at the header. Edits follow from the input.
 */
#include <stdio.h>
#include <stdlib.h>

#include "types/types.h"

static uint64_t state;

static size_t below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state % n);
}

static void seed_from(const uint8_t *p, size_t n)
{
    state = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < n; i++)
        state = (state ^ p[i]) * 0x100000001b3u;
    state |= 1;
}

static void must(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "property violated: %s\n", what);
    abort();
}

static void walk(const lp *l)
{
    char tmp[NUM_I64_MAX];
    size_t n = 0, last = LP_NONE, count = lp_count(l);
    for (size_t pos = lp_first(l); pos != LP_NONE; pos = lp_next(l, pos), n++) {
        must(lp_equals(l, pos, lp_slice(l, pos, tmp)), "an element equals itself");
        must(lp_prev(l, pos) == last, "back is where it came from");
        last = pos;
    }
    must(n == count, "the count");
    must(lp_last(l) == last, "the last");
    for (size_t pos = last; pos != LP_NONE; pos = lp_prev(l, pos))
        n--;
    must(n == 0, "as many backwards");
}

static lp *edit(lp *l)
{
    static const char text[300] = "some text";
    struct slice s = slice_of(text, below(sizeof text));
    size_t n = lp_count(l), at = n ? below(n) : 0, pos = lp_seek(l, (int64_t)at);
    switch (n ? below(8) : below(2)) {
    case 0: return lp_append(l, s);
    case 1: return lp_prepend(l, s);
    case 2: return lp_insert(l, pos, s, below(2), NULL);
    case 3: return lp_replace(l, &pos, s);
    case 4: return lp_delete(l, &pos);
    case 5: return lp_delete_range(l, (int64_t)at, below(5));
    case 6: {
        lp *rest = lp_split(&l, at);
        must(lp_valid(rest, lp_bytes(rest), true), "what is split off is valid");
        return below(2) ? lp_merge(l, rest) : (lp_free(rest), l);
    }
    default: must(lp_find(l, lp_first(l), s, below(3)) < lp_bytes(l), "found inside");
    }
    return l;
}

static void try(const uint8_t *p, size_t n)
{
    lp *l = mem_dup(p, n);
    lp_valid(l, n, false);
    if (!lp_valid(l, n, true)) {
        lp_free(l);
        return;
    }
    must(lp_valid(l, n, false), "valid in depth is valid");
    walk(l);
    for (int i = 0; i < 8; i++) {
        l = edit(l);
        must(lp_valid(l, lp_bytes(l), true), "still valid");
        walk(l);
    }
    lp_free(l);
}

static void try_elements(const uint8_t *p, size_t n)
{
    uint32_t total = (uint32_t)n + 7;
    uint8_t *framed = mem_alloc(total);
    memcpy(framed, &total, sizeof total);
    framed[4] = framed[5] = 0xFF;
    if (n) memcpy(framed + 6, p, n);
    framed[total - 1] = 0xFF;
    try(framed, total);
    mem_free(framed);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    seed_from(p, n);
    try(p, n);
    try_elements(p, n);
    return 0;
}
