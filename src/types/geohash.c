/*
 * geohash.c - hashes, distances, and the search of an area (what a hash is: geohash.h).
 *
 * A search walks the hashes of a rectangle in their order, which is that of the sorted set. Two
 * cells of the rectangle that follow each other may have many outside of it between them:
 *
 *    +----+----+         0 1 4 5     the hashes of the rectangle 1 4 3 6 are not 1 .. 6 but leave
 *    | 1  | 4  |         2 3 6 7     out 2 and 5; having met some that are outside, the walk asks
 *    | 3  | 6  |                     for the next one inside and seeks there
 *    +----+----+
 *
 * so it needs no division of the area into cells beforehand, and no more seeks than there are
 * stretches with members in them.
 *
 * Distances are by the haversine: of half the differences of the angles u and v,
 *    a = sin(u)^2 + cos(lat1) cos(lat2) sin(v)^2,   distance = 2 R asin(sqrt(a))
 * As a grows with the distance, most places are told near from far by a alone; only in a narrow
 * band around the limit is the distance itself compared, so that rounding changes no answer.
 */
#include "types/geohash.h"

#include <math.h>

#define STEPS        26
#define CELLS        ((double)((uint64_t)1 << STEPS))
#define HALF         ((uint64_t)1 << (STEPS - 1)) /* the first column of the eastern half */
#define EARTH_RADIUS 6372797.560856               /* metres */
#define RADIANS      (M_PI / 180.0)
#define BAND         1e-9 /* of a around its limit, relative */
#define SLACK        2    /* cells: more than computing a cover is wrong by */
#define TOP_BIT      53

/* ---- interleaving --------------------------------------------------------------------------- */

static uint64_t spread(uint64_t v)
{
    v = (v | v << 16) & 0x0000ffff0000ffffu;
    v = (v | v << 8) & 0x00ff00ff00ff00ffu;
    v = (v | v << 4) & 0x0f0f0f0f0f0f0f0fu;
    v = (v | v << 2) & 0x3333333333333333u;
    return (v | v << 1) & GEO_ROW_BITS;
}

static uint64_t gather(uint64_t v)
{
    v &= GEO_ROW_BITS;
    v = (v | v >> 1) & 0x3333333333333333u;
    v = (v | v >> 2) & 0x0f0f0f0f0f0f0f0fu;
    v = (v | v >> 4) & 0x00ff00ff00ff00ffu;
    v = (v | v >> 8) & 0x0000ffff0000ffffu;
    return (v | v >> 16) & 0x00000000ffffffffu;
}

static uint64_t interleave(uint64_t column, uint64_t row)
{
    return spread(row) | spread(column) << 1;
}

/* ---- hashes --------------------------------------------------------------------------------- */

bool geo_on_map(struct place p)
{
    return p.lon >= -GEO_LON_MAX && p.lon <= GEO_LON_MAX && p.lat >= -GEO_LAT_MAX &&
           p.lat <= GEO_LAT_MAX;
}

static uint64_t cell_of(double v, double max)
{
    return (uint64_t)((v - -max) / (max - -max) * CELLS);
}

static double middle_of(uint64_t cell, double max)
{
    double scale = max - -max;
    double low = -max + ((double)cell / CELLS) * scale;
    double high = -max + ((double)(cell + 1) / CELLS) * scale;
    double middle = (low + high) / 2;
    return middle > max ? max : middle < -max ? -max : middle;
}

uint64_t geo_hash(struct place p)
{
    return interleave(cell_of(p.lon, GEO_LON_MAX), cell_of(p.lat, GEO_LAT_MAX));
}

struct place geo_place(uint64_t hash)
{
    return (struct place){middle_of(gather(hash >> 1), GEO_LON_MAX),
                          middle_of(gather(hash), GEO_LAT_MAX)};
}

uint64_t geo_hash_of_score(double score)
{
    if (LIKELY(score >= 0 && score < 0x1p63)) return (uint64_t)score;
    if (score >= 0x1p63) return score < 0x1p64 ? (uint64_t)score : 0;
    return score > -0x1p63 ? (uint64_t)(int64_t)score : (uint64_t)1 << 63;
}

void geo_text(struct place p, char *out)
{
    static const char digits[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    uint64_t hash = interleave(cell_of(p.lon, 180), cell_of(p.lat, 90));
    /* 52 bits make ten digits of five; the two that are left over are not shown. */
    for (int i = 0; i < GEO_TEXT_LEN - 1; i++)
        out[i] = digits[hash >> (47 - 5 * i) & 31];
    out[GEO_TEXT_LEN - 1] = digits[0];
}

/* ---- distances ------------------------------------------------------------------------------ */

static double distance_of(double a)
{
    return 2.0 * EARTH_RADIUS * asin(sqrt(MIN(a, 1.0)));
}

double geo_distance(struct place a, struct place b)
{
    double lat1 = a.lat * RADIANS, lat2 = b.lat * RADIANS;
    double u = sin((lat2 - lat1) / 2), v = sin((b.lon * RADIANS - a.lon * RADIANS) / 2);
    return distance_of(u * u + cos(lat1) * cos(lat2) * v * v);
}

void geo_narrow(struct geo_area *area, double radius)
{
    double angle = radius / (2 * EARTH_RADIUS), s = sin(MIN(angle, M_PI_2));
    area->radius = radius;
    area->near = s * s * (1 - BAND);
    area->far = angle < M_PI_2 ? s * s * (1 + BAND) : 2;
}

void geo_prepare(struct geo_area *area)
{
    area->lon = area->center.lon * RADIANS;
    area->lat = area->center.lat * RADIANS;
    area->cos_lat = cos(area->lat);
    geo_narrow(area, area->radius);
}

static bool in_circle(const struct geo_area *area, struct place p, double *distance)
{
    double lat = p.lat * RADIANS, u = sin((lat - area->lat) / 2);
    if (u * u > area->far) return false;
    double v = sin((p.lon * RADIANS - area->lon) / 2);
    double a = u * u + area->cos_lat * cos(lat) * v * v;
    if (a > area->far) return false;
    if (!distance && a < area->near) return true;
    double d = distance_of(a);
    if (distance) *distance = d;
    return a < area->near || d <= area->radius;
}

/* North to south along the meridian, east to west along the parallel of p. */
static bool in_box(const struct geo_area *area, struct place p, double *distance)
{
    struct place beside = {area->center.lon, p.lat};
    double lat = p.lat * RADIANS;
    if (EARTH_RADIUS * fabs(lat - area->lat) > area->height / 2) return false;
    if (geo_distance(p, beside) > area->width / 2) return false;
    if (distance) *distance = geo_distance(area->center, p);
    return true;
}

bool geo_near(const struct geo_area *area, struct place p, double *distance)
{
    return area->box ? in_box(area, p, distance) : in_circle(area, p, distance);
}

/* ---- covering an area ----------------------------------------------------------------------- */

/* How far an area reaches from its center, in radians. */
struct reach {
    double lat, lon;
};

/* A circle that holds a pole holds all longitudes. Else it touches the meridian where that makes a
 * right angle with the radius. */
static struct reach circle_reach(const struct geo_area *area)
{
    double angle = area->radius / EARTH_RADIUS;
    struct reach reach = {angle, M_PI};
    if (angle + fabs(area->lat) < M_PI_2) reach.lon = asin(MIN(sin(angle) / area->cos_lat, 1.0));
    return reach;
}

/* It reaches furthest to the sides on its parallel that is nearest to a pole. */
static struct reach box_reach(const struct geo_area *area)
{
    struct reach reach = {area->height / 2 / EARTH_RADIUS, M_PI};
    double side = area->width / 4 / EARTH_RADIUS;
    double highest = MIN(fabs(area->lat) + reach.lat, GEO_LAT_MAX * RADIANS);
    if (side < M_PI_2 && sin(side) < cos(highest)) reach.lon = 2 * asin(sin(side) / cos(highest));
    return reach;
}

/* The cell of a coordinate that may lie beside the map, moved by some more. */
static uint64_t cell_near(double v, double max, int by)
{
    double cell = (v + max) / (2 * max) * CELLS + by;
    return cell <= 0 ? 0 : cell >= CELLS ? (uint64_t)CELLS : (uint64_t)cell;
}

static struct geo_rect columns(uint64_t first, uint64_t last, double south, double north)
{
    return (struct geo_rect){interleave(first, cell_near(south, GEO_LAT_MAX, -SLACK)),
                             interleave(last, cell_near(north, GEO_LAT_MAX, SLACK))};
}

static struct geo_rect between(double west, double east, double south, double north)
{
    return columns(cell_near(west, GEO_LON_MAX, -SLACK), cell_near(east, GEO_LON_MAX, SLACK), south,
                   north);
}

unsigned geo_cover(const struct geo_area *area, struct geo_rect rects[2])
{
    struct reach reach = area->box ? box_reach(area) : circle_reach(area);
    double lon = area->center.lon, by = reach.lon / RADIANS, west = lon - by, east = lon + by;
    double south = area->center.lat - reach.lat / RADIANS;
    double north = area->center.lat + reach.lat / RADIANS;
    if (!(reach.lon < M_PI - 1e-6)) { /* all around: a hemisphere each */
        bool eastern = lon >= 0;
        rects[!eastern] = columns(HALF, 2 * HALF, south, north);
        rects[eastern] = columns(0, HALF - 1, south, north);
        return 2;
    }
    if (west > -GEO_LON_MAX && east < GEO_LON_MAX) {
        rects[0] = between(west, east, south, north);
        return 1;
    }
    /* Over the date line, or on it. */
    bool beyond_east = east >= GEO_LON_MAX;
    if (beyond_east) {
        east -= 2 * GEO_LON_MAX;
    } else {
        west += 2 * GEO_LON_MAX;
    }
    rects[!beyond_east] = between(west, GEO_LON_MAX, south, north);
    rects[beyond_east] = between(-GEO_LON_MAX, east, south, north);
    return 2;
}

/* ---- walking a rectangle -------------------------------------------------------------------- */

/* The bits below `bit` that belong to the same coordinate. */
static uint64_t lower_bits(unsigned bit)
{
    uint64_t same = bit & 1 ? GEO_COLUMN_BITS : GEO_ROW_BITS;
    return same & (((uint64_t)1 << bit) - 1);
}

/*
 * Halves the rectangle bit by bit, from the top, along the way that the hash takes. Where both
 * halves are in the rectangle and the hash goes to the lower one, the upper one's first cell is a
 * candidate, and better than any found before. Where the hash leaves the rectangle downwards, all
 * that is left of it is above: its first cell is the answer; upwards, the last candidate is.
 */
bool geo_next_in_rect(uint64_t hash, const struct geo_rect *r, uint64_t *next)
{
    uint64_t min = r->min, max = r->max;
    bool found = false;
    for (unsigned bit = TOP_BIT + 1; bit-- > 0;) {
        uint64_t one = (uint64_t)1 << bit;
        bool low = !(min & one), high = max & one;
        if (hash & one) {
            if (!high) return found;
            if (low) min = (min | one) & ~lower_bits(bit);
        } else if (!low) {
            *next = min;
            return true;
        } else if (high) {
            *next = (min | one) & ~lower_bits(bit);
            found = true;
            max = (max & ~one) | lower_bits(bit);
        }
    }
    return found;
}
