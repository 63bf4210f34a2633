/* geo.c - places in sorted sets: adding them, and asking for places, hashes and distances.
 * Searching is in geo_search.c, the declarations are in geo_table.c. */
#include "commands/geo_internal.h"
#include "commands/zset_internal.h"

#include <math.h>

/* ---- arguments and replies ------------------------------------------------------------------ */

bool geo_place_arg(struct call *c, uint32_t arg, struct place *p)
{
    if (!call_double(c, arg, &p->lon) || !call_double(c, arg + 1, &p->lat)) return false;
    if (geo_on_map(*p)) return true;
    reply_errorf(c->r, "ERR invalid longitude,latitude pair %f,%f", p->lon, p->lat);
    return false;
}

bool geo_unit_arg(struct call *c, uint32_t arg, double *metres)
{
    static const struct {
        const char *name;
        double metres;
    } units[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (!slice_is(c->argv[arg], units[i].name)) continue;
        *metres = units[i].metres;
        return true;
    }
    reply_error(c->r, "ERR unsupported unit provided. please use M, KM, FT, MI");
    return false;
}

void geo_reply_distance(struct reply *r, double distance)
{
    char text[NUM_FIXED_MAX];
    reply_bulk(r, slice_of(text, num_fmt_fixed(text, distance, 4)));
}

/* 17 decimals, without zeros at the end. */
static size_t format_coordinate(char *out, double v)
{
    size_t n = num_fmt_fixed(out, v, 17);
    while (out[n - 1] == '0')
        n--;
    if (out[n - 1] == '.') n--;
    if (n != 2 || out[0] != '-' || out[1] != '0') return n;
    out[0] = '0'; /* not "-0" */
    return 1;
}

static void reply_coordinate(struct reply *r, double v)
{
    char text[NUM_FIXED_MAX + 3];
    if (r->resp == 2) {
        reply_bulk(r, slice_of(text, format_coordinate(text, v)));
        return;
    }
    size_t n = format_coordinate(text + 1, v);
    text[0] = ',';
    memcpy(text + 1 + n, "\r\n", 2);
    reply_raw(r, text, n + 3);
}

void geo_reply_place(struct reply *r, struct place p)
{
    reply_array(r, 2);
    reply_coordinate(r, p.lon);
    reply_coordinate(r, p.lat);
}

/* ---- GEOADD --------------------------------------------------------------------------------- */

struct geoadd {
    unsigned flags; /* ZSET_NX, ZSET_XX */
    bool changed;   /* count those whose place has changed too */
    uint32_t first; /* argument of the first place */
};

static bool parse_geoadd(struct call *c, struct geoadd *o)
{
    uint32_t i = 2;
    for (; i < c->argc; i++) {
        if (slice_is(c->argv[i], "NX")) {
            o->flags |= ZSET_NX;
        } else if (slice_is(c->argv[i], "XX")) {
            o->flags |= ZSET_XX;
        } else if (slice_is(c->argv[i], "CH")) {
            o->changed = true;
        } else {
            break;
        }
    }
    o->first = i;
    if (i < c->argc && (c->argc - i) % 3 == 0 && o->flags != (ZSET_NX | ZSET_XX)) return true;
    call_syntax_error(c);
    return false;
}

/* All places are looked at before the first is added. */
static double *parse_scores(struct call *c, uint32_t first)
{
    uint32_t n = (c->argc - first) / 3;
    double *scores = mem_alloc(n * sizeof *scores);
    for (uint32_t i = 0; i < n; i++) {
        struct place p;
        if (!geo_place_arg(c, first + 3 * i, &p)) {
            mem_free(scores);
            return NULL;
        }
        scores[i] = (double)geo_hash(p);
    }
    return scores;
}

/* Returns how many were added, or with o->changed added or changed. */
static size_t put_places(struct call *c, const struct geoadd *o, struct entry *e,
                         const double *scores)
{
    size_t added = 0, updated = 0;
    for (uint32_t i = o->first, n = 0; i < c->argc; i += 3, n++) {
        double score = scores[n];
        enum zset_result result = zset_put(e, c->argv[i + 2], &score, o->flags);
        added += result == ZSET_ADDED;
        updated += result == ZSET_UPDATED;
    }
    if (added + updated) {
        c->dirty += (uint32_t)(added + updated) - 1;
        call_changed(c, &c->keys[0], 'z', "zadd");
        if (added) call_ready(c, &c->keys[0]);
    }
    return o->changed ? added + updated : added;
}

void geoadd_command(struct call *c)
{
    struct geoadd o = {0};
    bool wrong = false;
    if (!parse_geoadd(c, &o)) return;
    double *scores = parse_scores(c, o.first);
    if (!scores) return;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_ZSET, &wrong);
    if (!slot && !wrong && (o.flags & ZSET_XX)) {
        reply_zero(c->r);
    } else if (!wrong) {
        struct entry *e = slot ? *slot : zset_for_write(c, &c->keys[0]);
        reply_int(c->r, (int64_t)put_places(c, &o, e, scores));
    }
    mem_free(scores);
}

/* ---- GEOPOS, GEOHASH, GEODIST --------------------------------------------------------------- */

static bool place_of(struct entry **slot, struct slice member, struct place *p)
{
    double score;
    if (!slot || !zset_score(*slot, member, &score)) return false;
    *p = geo_place(geo_hash_of_score(score));
    return true;
}

void geopos_command(struct call *c)
{
    struct place p;
    bool wrong = false;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_ZSET, &wrong);
    if (wrong) return;
    reply_array(c->r, c->argc - 2);
    for (uint32_t i = 2; i < c->argc; i++) {
        if (place_of(slot, c->argv[i], &p)) {
            geo_reply_place(c->r, p);
        } else {
            reply_null_array(c->r);
        }
    }
}

void geohash_command(struct call *c)
{
    struct place p;
    char text[GEO_TEXT_LEN];
    bool wrong = false;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_ZSET, &wrong);
    if (wrong) return;
    reply_array(c->r, c->argc - 2);
    for (uint32_t i = 2; i < c->argc; i++) {
        if (place_of(slot, c->argv[i], &p)) {
            geo_text(p, text);
            reply_bulk(c->r, slice_of(text, sizeof text));
        } else {
            reply_null(c->r);
        }
    }
}

void geodist_command(struct call *c)
{
    struct place from, to;
    double metres = 1;
    bool wrong = false;
    if (c->argc > 5) {
        call_syntax_error(c);
        return;
    }
    if (c->argc == 5 && !geo_unit_arg(c, 4, &metres)) return;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_ZSET, &wrong);
    if (wrong) return;
    if (place_of(slot, c->argv[2], &from) && place_of(slot, c->argv[3], &to)) {
        geo_reply_distance(c->r, geo_distance(from, to) / metres);
    } else {
        reply_null(c->r);
    }
}
