/*
 * collection_scan.c - what SSCAN, HSCAN and ZSCAN have in common.
 *
 * The next cursor stands before what was found, so a step over a table gathers its items first and
 * replies them then. A collection in a small encoding is replied whole, with cursor 0.
 *
 * Invariants
 *  1. An absent key is an empty collection whatever the options say: they are looked at only when
 *     there is something to scan.
 */
#include "commands/collection_scan.h"

#include <errno.h>
#include <stdlib.h>

#define FEW 64

bool collection_cursor(struct call *c, uint32_t arg, uint64_t *cursor)
{
    char text[32], *end;
    struct slice s = c->argv[arg];
    if (s.n < sizeof text && !memchr(s.p, '\0', s.n) && !(s.n && strchr(" \t\n\v\f\r", s.p[0]))) {
        memcpy(text, s.p, s.n);
        text[s.n] = '\0';
        errno = 0;
        *cursor = strtoull(text, &end, 10);
        if (*end == '\0' && errno == 0) return true;
    }
    reply_error(c->r, "ERR invalid cursor");
    return false;
}

/* ---- options -------------------------------------------------------------------------------- */

static bool set_count(struct collection_scan *s, uint32_t arg)
{
    if (!call_i64(s->c, arg, &s->count)) return false;
    if (s->count >= 1) return true;
    call_syntax_error(s->c);
    return false;
}

static void set_pattern(struct collection_scan *s, struct slice pattern)
{
    s->pattern = pattern.n ? pattern : SLICE("");
    if (slice_eq(pattern, SLICE("*"))) s->pattern.p = NULL;
}

static bool set_no_values(struct collection_scan *s, enum value_type type)
{
    s->no_values = true;
    if (type == TYPE_HASH) return true;
    reply_error(s->c->r, "ERR NOVALUES option can only be used in HSCAN");
    return false;
}

static bool parse_options(struct collection_scan *s, enum value_type type)
{
    struct call *c = s->c;
    for (uint32_t i = 3; i < c->argc; i++) {
        bool value = i + 1 < c->argc;
        if (value && slice_is(c->argv[i], "COUNT")) {
            if (!set_count(s, ++i)) return false;
        } else if (value && slice_is(c->argv[i], "MATCH")) {
            set_pattern(s, c->argv[++i]);
        } else if (slice_is(c->argv[i], "NOVALUES")) {
            if (!set_no_values(s, type)) return false;
        } else {
            call_syntax_error(c);
            return false;
        }
    }
    return true;
}

struct entry *collection_scan_begin(struct call *c, enum value_type type, struct collection_scan *s)
{
    bool wrong = false;
    *s = (struct collection_scan){.c = c, .count = 10};
    if (!collection_cursor(c, 2, &s->cursor)) return NULL;
    struct entry **slot = call_find_type(c, &c->keys[0], type, &wrong);
    if (slot) return parse_options(s, type) ? *slot : NULL;
    if (!wrong) {
        collection_scan_open(s, 0);
        collection_scan_close(s);
    }
    return NULL;
}

/* ---- the reply ------------------------------------------------------------------------------ */

void collection_scan_open(struct collection_scan *s, uint64_t next)
{
    char text[NUM_I64_MAX];
    reply_array(s->c->r, 2);
    reply_bulk(s->c->r, slice_of(text, num_fmt_u64(text, next)));
    s->mark = reply_open(s->c->r);
}

bool collection_scan_wants(const struct collection_scan *s, struct slice name)
{
    return !s->pattern.p || glob_match(s->pattern, name, false);
}

void collection_scan_add(struct collection_scan *s, struct slice name_or_value)
{
    reply_bulk(s->c->r, name_or_value);
    s->added++;
}

void collection_scan_close(struct collection_scan *s)
{
    reply_close_array(s->c->r, s->mark, s->added);
}

/* ---- tables --------------------------------------------------------------------------------- */

struct gathered {
    const void **item;
    size_t n, cap;
    const void *few[FEW];
};

static void gather(void *arg, void *item)
{
    struct gathered *g = arg;
    if (g->n == g->cap) {
        const void **more = mem_alloc(2 * g->cap * sizeof *more);
        memcpy(more, g->item, g->n * sizeof *more);
        if (g->item != g->few) mem_free(g->item);
        g->item = more;
        g->cap *= 2;
    }
    g->item[g->n++] = item;
}

void collection_scan_dict(struct collection_scan *s, const struct dict *d,
                          collection_scan_emit *emit)
{
    struct gathered g = {.cap = FEW};
    g.item = g.few;
    collection_scan_open(s, dict_scan(d, s->cursor, (size_t)s->count, gather, &g));
    for (size_t i = 0; i < g.n; i++)
        emit(s, g.item[i]);
    collection_scan_close(s);
    if (g.item != g.few) mem_free(g.item);
}
