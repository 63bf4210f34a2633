/*
 * glob.c - pattern matching in bounded time.
 *
 * Every element but '*' takes exactly one byte, so when the text behind a '*' does not fit, only
 * the latest '*' needs to take more: an earlier one that took more would leave the later elements
 * less text of the same kind. Thus one place to go back to, no recursion, and at most pattern
 * length * text length steps, whatever the pattern.
 *
 * Redis's corner cases are kept: a class that is not closed ends with the pattern; "[a-]" is a
 * range up to ']'; ranges are turned around when they are upside down, and compare signed bytes; an
 * escaped byte in a class is compared with its case; an empty text matches the empty pattern alone;
 * nothing matches beyond STARS_MAX runs of '*'.
 */
#include "base/base.h"

#define STARS_MAX 1000

struct glob {
    const signed char *p, *end;
    bool ignore_case;
};

static signed char lower(signed char c)
{
    return c >= 'A' && c <= 'Z' ? (signed char)(c + ('a' - 'A')) : c;
}

static bool same(signed char a, signed char b, bool ignore_case)
{
    return a == b || (ignore_case && lower(a) == lower(b));
}

static bool in_range(signed char from, signed char to, signed char c, bool ignore_case)
{
    signed char low = MIN(from, to), high = MAX(from, to);
    if (ignore_case) return lower(c) >= lower(low) && lower(c) <= lower(high);
    return c >= low && c <= high;
}

/* The class whose '[' g->p has passed; moves behind it. */
static bool class_has(struct glob *g, signed char c)
{
    bool negated = g->p < g->end && *g->p == '^';
    bool found = false;
    if (negated) g->p++;
    for (; g->p < g->end && *g->p != ']'; g->p++) {
        ptrdiff_t left = g->end - g->p;
        if (*g->p == '\\' && left >= 2) {
            found |= *++g->p == c;
        } else if (left >= 3 && g->p[1] == '-') {
            found |= in_range(g->p[0], g->p[2], c, g->ignore_case);
            g->p += 2;
        } else {
            found |= same(*g->p, c, g->ignore_case);
        }
    }
    if (g->p < g->end) g->p++;
    return found != negated;
}

/* Does the element at g->p, which is not '*', take c? Moves behind it if so. */
static bool take(struct glob *g, signed char c)
{
    const signed char *p = g->p;
    if (*p == '?') {
        g->p++;
        return true;
    }
    if (*p == '[') {
        g->p++;
        return class_has(g, c);
    }
    if (*p == '\\' && g->end - p >= 2) p++;
    if (!same(*p, c, g->ignore_case)) return false;
    g->p = p + 1;
    return true;
}

static bool is_literal(signed char c)
{
    return c != '*' && c != '?' && c != '[' && c != '\\';
}

/* The first place at or behind t where what follows a '*' can begin. */
static const signed char *skip_to_start(const struct glob *g, const signed char *t, size_t n)
{
    if (g->ignore_case || !is_literal(*g->p)) return t;
    return memchr(t, *g->p, n);
}

bool glob_match(struct slice pattern, struct slice text, bool ignore_case)
{
    struct glob g = {(const signed char *)pattern.p, NULL, ignore_case};
    if (text.n == 0) return pattern.n == 0;
    if (pattern.n == 0) return false;
    g.end = g.p + pattern.n;
    const signed char *t = (const signed char *)text.p, *t_end = t + text.n;
    unsigned stars = 0;
    const signed char *star = NULL,
                      *star_t = NULL; /* behind the latest '*'; what it does not take */
    while (t < t_end) {
        if (g.p < g.end && *g.p == '*') {
            while (g.p < g.end && *g.p == '*')
                g.p++;
            if (g.p == g.end) return true;
            if (++stars > STARS_MAX) return false;
            star = g.p;
            star_t = t = skip_to_start(&g, t, (size_t)(t_end - t));
            if (!t) return false;
        } else if (g.p < g.end && take(&g, *t)) {
            t++;
        } else {
            if (!star) return false;
            g.p = star;
            star_t = t = skip_to_start(&g, star_t + 1, (size_t)(t_end - star_t - 1));
            if (!t) return false;
        }
    }
    while (g.p < g.end && *g.p == '*')
        g.p++;
    return g.p == g.end;
}
