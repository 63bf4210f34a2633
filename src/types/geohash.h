/*
 * geohash.h - places on earth as scores of a sorted set, and searching among them.
 *
 * A place is a cell of a grid of 2^26 by 2^26 over the map (longitude -180 .. 180, latitude
 * -85.05112878 .. 85.05112878); its hash interleaves the numbers of column and row:
 *
 *   bit   51 50 49 48 ...  1  0
 *         c  r  c  r  ...  c  r      c: column (longitude)   r: row (latitude)
 *
 * The very edge (180 east, 85.05112878 north) is a column and a row of its own, 2^26, and takes the
 * bits 53 and 52. A hash of up to 53 bits is a double without loss: the score.
 *
 * Invariants
 *  1. Hashes, decoded places and distances are Redis's to the last bit.
 *  2. geo_cover() covers: a place that geo_near() takes lies in one of the rectangles.
 */
#ifndef WEFT_TYPES_GEOHASH_H
#define WEFT_TYPES_GEOHASH_H

#include "base/base.h"

#define GEO_LON_MAX  180.0
#define GEO_LAT_MAX  85.05112878
#define GEO_TEXT_LEN 11

struct place {
    double lon, lat; /* degrees */
};

bool geo_on_map(struct place p);
uint64_t geo_hash(struct place p); /* on the map */
/* The middle of a hash's cell. */
struct place geo_place(uint64_t hash);
/* The hash that a score stands for; any score stands for one. */
uint64_t geo_hash_of_score(double score);
/* The usual text form of a place, GEO_TEXT_LEN characters. */
void geo_text(struct place p, char *out);
double geo_distance(struct place a, struct place b); /* metres, on a sphere */

/* ---- areas ---------------------------------------------------------------------------------- */

struct geo_area {
    struct place center;
    bool box;
    double radius, width, height; /* metres; of a circle, or of a box */
    /* Filled in by geo_prepare(). */
    double lon, lat, cos_lat; /* of the center, in radians */
    double near, far;         /* of geo_near(): taken below, refused above, looked at between */
};
/* To be called once the above is set. */
void geo_prepare(struct geo_area *area);
/* Is p in the area? *distance (may be NULL: faster) from its center in metres, when it is. */
bool geo_near(const struct geo_area *area, struct place p, double *distance);
/* A circle need not be searched further than this any more. */
void geo_narrow(struct geo_area *area, double radius);

/* ---- rectangles of the grid ----------------------------------------------------------------- */

/* The cells whose hashes lie, column and row each, between two corners. */
struct geo_rect {
    uint64_t min, max;
};
/* The one or two rectangles that an area lies in, its center in the first. Returns how many. */
unsigned geo_cover(const struct geo_area *area, struct geo_rect rects[2]);

#define GEO_ROW_BITS    0x5555555555555555u
#define GEO_COLUMN_BITS 0xaaaaaaaaaaaaaaaau

static inline bool geo_in_rect(uint64_t hash, const struct geo_rect *r)
{
    uint64_t row = hash & GEO_ROW_BITS, column = hash & GEO_COLUMN_BITS;
    return row >= (r->min & GEO_ROW_BITS) && row <= (r->max & GEO_ROW_BITS) &&
           column >= (r->min & GEO_COLUMN_BITS) && column <= (r->max & GEO_COLUMN_BITS);
}
/* The smallest hash above this one that is in the rectangle; the hash itself is not. False: none. */
bool geo_next_in_rect(uint64_t hash, const struct geo_rect *r, uint64_t *next);

#endif
