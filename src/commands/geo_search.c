/*
 * geo_search.c - places within a circle or a box: GEOSEARCH, GEORADIUS and their likes.
 *
 *   options --> area --geo_cover--> rectangles --walk by score--> found --sort, cut--> reply or key
 *
 * A walk goes along the scores of a rectangle (types/geohash.h); when several places in a row lie
 * outside of it, it seeks the next score that is inside. With COUNT and an order only the best are
 * kept, in a heap whose worst is on top; a circle shrinks to that one's distance once it is full.
 *
 * Invariants
 *  1. Without an order, places are found in the order of their scores, one rectangle after the
 *     other.
 *  2. found[] is a heap exactly while `full` is set.
 */
#include "base/radix.h"
#include "commands/geo_internal.h"
#include "commands/zset_more_internal.h"

#define PATIENCE 8 /* places outside in a row, before seeking costs less */

enum order { UNORDERED, NEAREST, FARTHEST };

enum {                   /* what a command takes */
       TAKES_STORE = 1,  /* STORE key, STOREDIST key */
       TAKES_SHAPES = 2, /* FROM..., BY...; else the center and radius are at fixed places */
       TO_KEY = 4,       /* GEOSEARCHSTORE */
       FROM_MEMBER = 8,  /* the fixed center is a member */
};

struct found {
    struct slice member;
    double score, rank; /* rank: the distance, negative when the farthest come first */
};

struct search {
    struct call *c;
    const struct entry *e; /* NULL: absent */
    unsigned takes;
    uint32_t first_option;
    /* Options. */
    struct geo_area area;
    double unit; /* metres */
    bool has_center, has_member, has_circle, has_box;
    bool with_distance, with_hash, with_place, any, store, store_distance;
    enum order order;
    int64_t count; /* 0: all */
    /* What was found. */
    struct found *found;
    size_t n, cap;
    bool full;
    struct members kept; /* bytes only */
};

/* ---- arguments ------------------------------------------------------------------------------ */

static bool fail(const struct search *s, const char *error)
{
    reply_error(s->c->r, error);
    return false;
}

/* A length that is no number gives the error. */
static bool length_arg(const struct search *s, uint32_t arg, const char *error, double *v)
{
    if (num_parse_double(s->c->argv[arg], v) && *v == *v) return true;
    return fail(s, error);
}

/* "radius unit" */
static bool circle_arg(struct search *s, uint32_t arg)
{
    double radius, unit;
    if (!length_arg(s, arg, "ERR need numeric radius", &radius)) return false;
    if (radius < 0) return fail(s, "ERR radius cannot be negative");
    if (!geo_unit_arg(s->c, arg + 1, &unit)) return false;
    s->unit = unit;
    s->area.box = false;
    s->area.radius = radius * unit;
    return s->has_circle = true;
}

/* "width height unit" */
static bool box_arg(struct search *s, uint32_t arg)
{
    double width, height, unit;
    if (!length_arg(s, arg, "ERR need numeric width", &width)) return false;
    if (!length_arg(s, arg + 1, "ERR need numeric height", &height)) return false;
    if (width < 0 || height < 0) return fail(s, "ERR height or width cannot be negative");
    if (!geo_unit_arg(s->c, arg + 2, &unit)) return false;
    s->unit = unit;
    s->area.box = true;
    s->area.width = width * unit;
    s->area.height = height * unit;
    return s->has_box = true;
}

/* Of an absent key any member will do: the reply is known when all options were looked at. */
static bool member_arg(struct search *s, uint32_t arg)
{
    double score;
    s->has_member = true;
    if (!s->e) return true;
    if (!zset_score(s->e, s->c->argv[arg], &score)) {
        return fail(s, "ERR could not decode requested zset member");
    }
    s->area.center = geo_place(geo_hash_of_score(score));
    return true;
}

static bool center_arg(struct search *s, uint32_t arg)
{
    s->has_center = true;
    return geo_place_arg(s->c, arg, &s->area.center);
}

static bool count_arg(struct search *s, uint32_t arg)
{
    if (!call_i64(s->c, arg, &s->count)) return false;
    return s->count > 0 || fail(s, "ERR COUNT must be > 0");
}

static bool store_arg(struct search *s, bool distance)
{
    s->store = true;
    s->store_distance = distance;
    return true;
}

/* An option without arguments. */
static bool parse_flag(struct search *s, struct slice name)
{
    if (slice_is(name, "WITHDIST")) {
        s->with_distance = true;
    } else if (slice_is(name, "WITHHASH")) {
        s->with_hash = true;
    } else if (slice_is(name, "WITHCOORD")) {
        s->with_place = true;
    } else if (slice_is(name, "ANY")) {
        s->any = true;
    } else if (slice_is(name, "ASC")) {
        s->order = NEAREST;
    } else if (slice_is(name, "DESC")) {
        s->order = FARTHEST;
    } else if ((s->takes & TO_KEY) && slice_is(name, "STOREDIST")) {
        s->store_distance = true;
    } else {
        return false;
    }
    return true;
}

/* An option with arguments, behind *i, which moves to the last of them. False: replied. */
static bool parse_valued(struct search *s, uint32_t *i)
{
    struct slice name = s->c->argv[*i];
    uint32_t left = s->c->argc - *i - 1, at = *i + 1;
    bool shapes = s->takes & TAKES_SHAPES, stores = s->takes & TAKES_STORE;
    *i += 1;
    if (left >= 1 && slice_is(name, "COUNT")) return count_arg(s, at);
    if (left >= 1 && stores && slice_is(name, "STORE")) return store_arg(s, false);
    if (left >= 1 && stores && slice_is(name, "STOREDIST")) return store_arg(s, true);
    if (left >= 1 && shapes && !s->has_center && slice_is(name, "FROMMEMBER")) {
        return member_arg(s, at);
    }
    *i += 1;
    if (left >= 2 && shapes && !s->has_member && slice_is(name, "FROMLONLAT")) {
        return center_arg(s, at);
    }
    if (left >= 2 && shapes && !s->has_box && slice_is(name, "BYRADIUS")) return circle_arg(s, at);
    *i += 1;
    if (left >= 3 && shapes && !s->has_circle && slice_is(name, "BYBOX")) return box_arg(s, at);
    call_syntax_error(s->c);
    return false;
}

/* What only all options together tell. */
static bool options_agree(const struct search *s)
{
    struct call *c = s->c;
    struct slice name = c->argv[0];
    bool shapes = s->takes & TAKES_SHAPES;
    const char *error = NULL;
    if (s->store && (s->with_distance || s->with_hash || s->with_place)) {
        reply_errorf(c->r, "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                     s->takes & TO_KEY ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
        return false;
    }
    if (shapes && !s->has_center && !s->has_member) {
        error = "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %.*s";
    } else if (shapes && !s->has_circle && !s->has_box) {
        error = "ERR exactly one of BYRADIUS and BYBOX can be specified for %.*s";
    }
    if (error) {
        reply_errorf(c->r, error, (int)name.n, name.p);
        return false;
    }
    if (!s->any || s->count) return true;
    return fail(s, "ERR the ANY argument requires COUNT argument");
}

/* Center and radius of the commands that have them at fixed places. */
static bool parse_fixed(struct search *s)
{
    if (s->takes & TAKES_SHAPES) return true;
    if (s->takes & FROM_MEMBER) return !s->e || (member_arg(s, 2) && circle_arg(s, 3));
    return center_arg(s, 2) && circle_arg(s, 4);
}

static bool parse(struct search *s)
{
    if (!parse_fixed(s)) return false;
    for (uint32_t i = s->first_option; i < s->c->argc; i++) {
        if (!parse_flag(s, s->c->argv[i]) && !parse_valued(s, &i)) return false;
    }
    if (s->count && s->order == UNORDERED && !s->any) s->order = NEAREST;
    return options_agree(s);
}

/* ---- what was found ------------------------------------------------------------------------- */

static bool limited(const struct search *s)
{
    return s->count && s->order != UNORDERED && !s->any;
}

/* Restores the heap below i, whose item may be smaller than its children. */
static void sift_down(struct found *heap, size_t n, size_t i)
{
    struct found item = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1].rank > heap[child].rank) child++;
        if (heap[child].rank <= item.rank) break;
        heap[i] = heap[child];
    }
    heap[i] = item;
}

static void narrow(struct search *s)
{
    if (s->order == NEAREST && !s->area.box) geo_narrow(&s->area, s->found[0].rank);
}

static void append(struct search *s, const struct found *f)
{
    if (s->n == s->cap) {
        s->cap = MAX(64u, 2 * s->cap);
        s->found = mem_realloc(s->found, s->cap * sizeof *s->found);
    }
    s->found[s->n++] = *f;
    if (!limited(s) || s->n < (size_t)s->count) return;
    for (size_t i = s->n / 2; i-- > 0;)
        sift_down(s->found, s->n, i);
    s->full = true;
    narrow(s);
}

/* Takes the place of the worst one, if it is better. */
static void replace_worst(struct search *s, const struct found *f)
{
    if (f->rank >= s->found[0].rank) return;
    s->found[0] = *f;
    sift_down(s->found, s->n, 0);
    narrow(s);
}

/* False: there are enough. */
static bool take(struct search *s, struct zset_iter *it, struct slice member, double score,
                 double distance)
{
    struct found f = {member, score, s->order == FARTHEST ? -distance : distance};
    bool inside = member.p >= it->tmp && member.p < it->tmp + sizeof it->tmp;
    if (inside) f.member = members_keep(&s->kept, member);
    if (s->full) {
        replace_worst(s, &f);
    } else {
        append(s, &f);
    }
    return !s->any || s->n < (size_t)s->count;
}

/* In their order; those with the same distance as they were found. */
static void sort_found(struct search *s)
{
    if (s->order == UNORDERED || s->n < 2) return;
    struct radix_item *order = mem_alloc(2 * s->n * sizeof *order);
    for (size_t i = 0; i < s->n; i++)
        order[i] = (struct radix_item){radix_key(s->found[i].rank), (uint32_t)i};
    struct radix_item *sorted = radix_sort(order, order + s->n, s->n);
    struct found *found = mem_alloc(s->n * sizeof *found);
    for (size_t i = 0; i < s->n; i++)
        found[i] = s->found[sorted[i].at];
    mem_free(order);
    mem_free(s->found);
    s->found = found;
}

/* ---- walking -------------------------------------------------------------------------------- */

static bool seek(const struct search *s, uint64_t hash, struct zset_iter *it)
{
    struct score_range from = {.min = (double)hash, .max = (double)UINT64_MAX};
    return zset_seek_score(s->e, &from, false, it);
}

/* False: there are enough. */
static bool walk_rect(struct search *s, const struct geo_rect *rect)
{
    bool ranked = s->order != UNORDERED || s->with_distance || s->store_distance;
    struct zset_iter it;
    struct slice member;
    double score, distance = 0;
    unsigned outside = 0;
    for (bool more = seek(s, rect->min, &it); more;) {
        zset_at(&it, &member, &score);
        uint64_t hash = geo_hash_of_score(score);
        if (hash > rect->max) break;
        if (geo_in_rect(hash, rect)) {
            outside = 0;
            if (geo_near(&s->area, geo_place(hash), ranked ? &distance : NULL) &&
                !take(s, &it, member, score, distance)) {
                return false;
            }
        } else if (++outside >= PATIENCE) {
            outside = 0;
            if (!geo_next_in_rect(hash, rect, &hash)) break;
            more = seek(s, hash, &it);
            continue;
        }
        more = zset_step(&it);
    }
    return true;
}

static void walk(struct search *s)
{
    struct geo_rect rects[2];
    geo_prepare(&s->area);
    unsigned n = geo_cover(&s->area, rects);
    for (unsigned i = 0; i < n; i++) {
        if (!walk_rect(s, &rects[i])) return;
    }
}

/* ---- replies -------------------------------------------------------------------------------- */

static double distance_of(const struct search *s, const struct found *f)
{
    return (s->order == FARTHEST ? -f->rank : f->rank) / s->unit;
}

static void reply_found(const struct search *s)
{
    struct reply *r = s->c->r;
    size_t options = (size_t)s->with_distance + s->with_hash + s->with_place;
    reply_array(r, s->n);
    for (size_t i = 0; i < s->n; i++) {
        const struct found *f = &s->found[i];
        if (options) reply_array(r, options + 1);
        reply_bulk(r, f->member);
        if (s->with_distance) geo_reply_distance(r, distance_of(s, f));
        if (s->with_hash) reply_int(r, (int64_t)geo_hash_of_score(f->score));
        if (s->with_place) geo_reply_place(r, geo_place(geo_hash_of_score(f->score)));
    }
}

static void store_found(const struct search *s, const struct key *target)
{
    const char *event = s->takes & TO_KEY ? "geosearchstore" : "georadiusstore";
    struct members m = {0};
    members_reserve(&m, s->n);
    for (size_t i = 0; i < s->n; i++) {
        const struct found *f = &s->found[i];
        members_add(&m, f->member, s->store_distance ? distance_of(s, f) : f->score);
    }
    zset_store(s->c, target, members_to_zset(&m, target->s), event);
    members_free(&m);
}

/* ---- the commands --------------------------------------------------------------------------- */

static void search(struct call *c, unsigned takes, uint32_t first_option)
{
    struct search s = {.c = c, .takes = takes, .first_option = first_option, .unit = 1};
    bool wrong = false;
    s.store = takes & TO_KEY;
    struct entry **slot = call_find_type(c, &c->keys[s.store ? 1 : 0], TYPE_ZSET, &wrong);
    s.e = slot ? *slot : NULL;
    if (wrong || !parse(&s)) return;
    if (s.e) walk(&s);
    sort_found(&s);
    if (s.store) {
        store_found(&s, &c->keys[takes & TO_KEY ? 0 : c->nkeys - 1]);
    } else {
        reply_found(&s);
    }
    mem_free(s.found);
    members_free(&s.kept);
}

void geosearch_command(struct call *c)
{
    search(c, TAKES_SHAPES, 2);
}

void geosearchstore_command(struct call *c)
{
    search(c, TAKES_SHAPES | TO_KEY, 3);
}

void georadius_command(struct call *c)
{
    search(c, TAKES_STORE, 6);
}

void georadius_ro_command(struct call *c)
{
    search(c, 0, 6);
}

void georadiusbymember_command(struct call *c)
{
    search(c, TAKES_STORE | FROM_MEMBER, 5);
}

void georadiusbymember_ro_command(struct call *c)
{
    search(c, FROM_MEMBER, 5);
}

int geo_radius_keys(uint32_t argc, const struct slice *argv, uint32_t *out, int max)
{
    int n = 0;
    if (max > 0) out[0] = 1;
    for (uint32_t i = 5; i + 1 < argc; i++) {
        if (!slice_is(argv[i], "STORE") && !slice_is(argv[i], "STOREDIST")) continue;
        i++;
        if (++n < max) out[n] = i;
    }
    return n + 1;
}
