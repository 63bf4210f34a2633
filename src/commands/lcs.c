/*
 * lcs.c - LCS: the longest common subsequence of two strings.
 *
 *            b ->            table[i][j]: the length for the first i bytes of a and the first j of
 * b. 0 0 0 0 0 0         It is filled row by row; the way back from the last corner, along the a 0
 * . . . . .         diagonal wherever the bytes are equal, gives the subsequence and its |    0 . .
 * . \ .         ranges, the last ones first.
 *   v    0 . . . . \
 *
 * The work grows with the product of the lengths, so the strings are copied and the partitions let
 * go before it begins; it yields as it goes (unless a transaction owns everything anyway).
 */
#include "commands/string_internal.h"

#define LCS_SLICE 65536 /* cells between two looks at the clock: well below 200 us */

struct lcs {
    struct call *c;
    struct buf a, b;
    uint32_t *table; /* (a.n + 1) * (b.n + 1) */
    bool may_yield;
    bool want_len, want_idx, want_match_len;
    int64_t min_match_len;
};

/* ---- arguments ------------------------------------------------------------------------------ */

static bool copy_string(struct call *c, const struct key *k, struct buf *out)
{
    char tmp[NUM_I64_MAX];
    struct entry **slot = ks_find(keyspace_part(k->part), c->db, k, c->now_ms, 0);
    if (!slot) return true;
    if ((*slot)->type != TYPE_STRING) return false;
    struct slice s = string_view(*slot, tmp);
    buf_add(out, s.p, s.n);
    return true;
}

/* Both strings as they are at one instant. */
static bool copy_strings(struct lcs *l)
{
    struct key ka = key_of(l->c->argv[1]), kb = key_of(l->c->argv[2]);
    struct part_set set = {0};
    part_set_add(&set, ka.part);
    part_set_add(&set, kb.part);
    if (l->may_yield) parts_own(&set);
    bool ok = copy_string(l->c, &ka, &l->a) && copy_string(l->c, &kb, &l->b);
    if (l->may_yield) parts_disown(&set);
    part_set_free(&set);
    if (!ok) reply_error(l->c->r, "ERR The specified keys must contain string values");
    return ok;
}

static bool parse_options(struct lcs *l)
{
    struct call *c = l->c;
    for (uint32_t i = 3; i < c->argc; i++) {
        if (slice_is(c->argv[i], "IDX")) {
            l->want_idx = true;
        } else if (slice_is(c->argv[i], "LEN")) {
            l->want_len = true;
        } else if (slice_is(c->argv[i], "WITHMATCHLEN")) {
            l->want_match_len = true;
        } else if (slice_is(c->argv[i], "MINMATCHLEN") && i + 1 < c->argc) {
            if (!call_i64(c, ++i, &l->min_match_len)) return false;
        } else {
            call_syntax_error(c);
            return false;
        }
    }
    if (!l->want_idx || !l->want_len) return true;
    reply_error(c->r, "ERR If you want both the length and indexes, please just use IDX.");
    return false;
}

/* ---- the table ------------------------------------------------------------------------------ */

static inline uint32_t *cell(const struct lcs *l, size_t i, size_t j)
{
    return l->table + i * (l->b.n + 1) + j;
}

static bool make_table(struct lcs *l)
{
    size_t max = atomic_load_explicit(&commands_max_string, memory_order_relaxed), bytes;
    if (l->a.n >= UINT32_MAX - 1 || l->b.n >= UINT32_MAX - 1) {
        reply_error(l->c->r, "ERR String too long for LCS");
        return false;
    }
    if (__builtin_mul_overflow((l->a.n + 1) * (l->b.n + 1), sizeof(uint32_t), &bytes) ||
        bytes > max) {
        reply_error(l->c->r, "ERR Insufficient memory, transient memory for LCS exceeds "
                             "proto-max-bulk-len");
        return false;
    }
    l->table = mem_try_alloc(bytes);
    if (l->table) return true;
    reply_error(l->c->r, "ERR Insufficient memory, failed allocating transient memory for LCS");
    return false;
}

static void fill_row(const struct lcs *l, size_t i, size_t from, size_t to)
{
    uint32_t *row = cell(l, i, 0), *above = cell(l, i - 1, 0);
    char x = l->a.p[i - 1];
    for (size_t j = from; j <= to; j++) {
        row[j] = l->b.p[j - 1] == x ? above[j - 1] + 1 : MAX(above[j], row[j - 1]);
    }
}

static void fill_table(struct lcs *l)
{
    size_t since = 0;
    memset(l->table, 0, (l->b.n + 1) * sizeof *l->table);
    for (size_t i = 1; i <= l->a.n; i++) {
        *cell(l, i, 0) = 0;
        for (size_t j = 1; j <= l->b.n; j += LCS_SLICE) {
            size_t to = MIN(j + LCS_SLICE - 1, l->b.n);
            fill_row(l, i, j, to);
            since += to - j + 1;
            if (since < LCS_SLICE) continue;
            since = 0;
            if (l->may_yield && co_should_yield()) co_yield ();
        }
    }
}

/* ---- the way back --------------------------------------------------------------------------- */

/* One step back from (*i, *j): true along the diagonal, that is, over a byte of the result. */
static bool step_back(const struct lcs *l, size_t *i, size_t *j)
{
    if (l->a.p[*i - 1] == l->b.p[*j - 1]) {
        --*i;
        --*j;
        return true;
    }
    if (*cell(l, *i - 1, *j) > *cell(l, *i, *j - 1)) {
        --*i;
    } else {
        --*j;
    }
    return false;
}

static void reply_text(struct lcs *l)
{
    size_t i = l->a.n, j = l->b.n, n = *cell(l, i, j);
    char *text = mem_alloc(n + 1);
    for (size_t at = n; i > 0 && j > 0;) {
        if (step_back(l, &i, &j)) text[--at] = l->a.p[i];
    }
    reply_bulk(l->c->r, slice_of(text, n));
    mem_free(text);
}

static void reply_range(struct reply *r, size_t start, size_t n)
{
    reply_array(r, 2);
    reply_int(r, (int64_t)start);
    reply_int(r, (int64_t)(start + n - 1));
}

/* A run of n equal bytes that begins at i in a and at j in b: 1 if it is long enough to be told. */
static size_t reply_match(struct lcs *l, size_t i, size_t j, size_t n)
{
    if (n == 0 || (int64_t)n < l->min_match_len) return 0;
    reply_array(l->c->r, l->want_match_len ? 3 : 2);
    reply_range(l->c->r, i, n);
    reply_range(l->c->r, j, n);
    if (l->want_match_len) reply_int(l->c->r, (int64_t)n);
    return 1;
}

static void reply_matches(struct lcs *l)
{
    struct reply *r = l->c->r;
    size_t i = l->a.n, j = l->b.n, run = 0, matches = 0, n = *cell(l, i, j);
    reply_map(r, 2);
    reply_bulk_str(r, "matches");
    struct reply_mark mark = reply_open(r);
    while (i > 0 && j > 0) {
        size_t from_i = i, from_j = j;
        if (step_back(l, &i, &j)) {
            run++;
            continue;
        }
        matches += reply_match(l, from_i, from_j, run);
        run = 0;
    }
    matches += reply_match(l, i, j, run);
    reply_close_array(r, mark, matches);
    reply_bulk_str(r, "len");
    reply_int(r, (int64_t)n);
}

void lcs_command(struct call *c)
{
    struct lcs l = {.c = c, .may_yield = !(c->owned && c->owned->all)};
    if (copy_strings(&l) && parse_options(&l) && make_table(&l)) {
        fill_table(&l);
        if (l.want_idx) {
            reply_matches(&l);
        } else if (l.want_len) {
            reply_int(c->r, *cell(&l, l.a.n, l.b.n));
        } else {
            reply_text(&l);
        }
    }
    mem_free(l.table);
    buf_free(&l.a);
    buf_free(&l.b);
}
