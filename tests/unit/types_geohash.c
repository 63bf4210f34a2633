/*
 * types_geohash.c - places as scores: hashes, texts and distances are Redis's; the rectangles of an
 * area hold all that lies in it; walking a rectangle by hash meets all of its cells.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "types/geohash.h"

static double between(double low, double high)
{
    return low + (high - low) * ((double)rand_below(1u << 31) / ((1u << 31) - 1));
}

static struct place anywhere(void)
{
    return (struct place){between(-180, 180), between(-GEO_LAT_MAX, GEO_LAT_MAX)};
}

/* ---- hashes --------------------------------------------------------------------------------- */

/* What redis-server 7.0 answers to ZSCORE, GEOHASH and GEOPOS. */
static void hashes_and_texts_are_those_of_redis(void **state)
{
    static const struct {
        struct place p;
        uint64_t hash;
        const char *text;
    } known[] = {
        {{13.361389, 38.115556}, 3479099956230698, "sqc8b49rny0"},
        {{15.087269, 37.502669}, 3479447370796909, "sqdtr74hyu0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        char text[GEO_TEXT_LEN];
        assert_true(geo_hash(known[i].p) == known[i].hash);
        geo_text(geo_place(known[i].hash), text);
        assert_memory_equal(text, known[i].text, GEO_TEXT_LEN);
    }
    assert_true(geo_place(3479099956230698).lon == 13.36138933897018433);
    assert_true(geo_place(3479099956230698).lat == 38.11555639549629859);
}

static void a_place_is_within_half_a_cell_of_where_it_was(void **state)
{
    double lon = 180.0 / (1 << 26), lat = GEO_LAT_MAX / (1 << 26);
    for (int i = 0; i < 100000; i++) {
        struct place p = anywhere(), q = geo_place(geo_hash(p));
        assert_true(fabs(p.lon - q.lon) <= lon * 1.001 && fabs(p.lat - q.lat) <= lat * 1.001);
        assert_true(geo_hash(q) == geo_hash(p));
    }
}

static void any_score_stands_for_a_place_on_the_map(void **state)
{
    static const double scores[] = {0,     -1,       -0.5,      0x1p52,   0x1p53, 0x1p54, 0x1p63,
                                    1e300, INFINITY, -INFINITY, -1.5e300, 1.5,    0x1p64};
    for (size_t i = 0; i < ARRAY_LEN(scores); i++)
        assert_true(geo_on_map(geo_place(geo_hash_of_score(scores[i]))));
    for (int i = 0; i < 10000; i++)
        assert_true(geo_on_map(geo_place(rand_u64())));
}

static void distances_are_those_of_redis(void **state)
{
    struct place palermo = geo_place(3479099956230698), catania = geo_place(3479447370796909);
    char text[32];
    snprintf(text, sizeof text, "%.4f", geo_distance(palermo, catania));
    assert_string_equal(text, "166274.1516");
    assert_true(geo_distance(palermo, palermo) == 0);
}

/* ---- areas ---------------------------------------------------------------------------------- */

static struct place center_of_any_kind(int i)
{
    static const struct place edges[] = {
        {180, 0},         {-180, 0},           {179.9999, 60}, {0, 85}, {-179.99999, -85.0},
        {0, GEO_LAT_MAX}, {-180, -GEO_LAT_MAX}};
    return i % 3 ? anywhere() : edges[rand_below(ARRAY_LEN(edges))];
}

static struct geo_area area_of_any_kind(int i)
{
    struct geo_area area = {.center = center_of_any_kind(i), .box = i & 1};
    area.radius = pow(10, between(-1, 7.4));
    area.width = pow(10, between(-1, 7.7));
    area.height = pow(10, between(-1, 7.7));
    geo_prepare(&area);
    return area;
}

/* Places near the border of the area as well as far from it. */
static struct place place_about(const struct geo_area *area)
{
    double size = area->box ? MAX(area->width, area->height) : area->radius;
    double degrees = MIN(size / 100000 * 1.5, 180), lat = area->center.lat;
    struct place p = {area->center.lon +
                          between(-degrees, degrees) / MAX(cos(lat * M_PI / 180), .1),
                      lat + between(-degrees, degrees)};
    if (rand_below(4) == 0) p = anywhere();
    if (rand_below(50) == 0) p.lon = 180;
    while (p.lon > 180)
        p.lon -= 360;
    while (p.lon < -180)
        p.lon += 360;
    p.lat = MIN(MAX(p.lat, -GEO_LAT_MAX), GEO_LAT_MAX);
    return p;
}

static unsigned times_covered(const struct geo_rect *rects, unsigned n, uint64_t hash)
{
    unsigned times = 0;
    for (unsigned i = 0; i < n; i++)
        times += geo_in_rect(hash, &rects[i]);
    return times;
}

static void what_lies_in_an_area_lies_in_one_of_its_rectangles(void **state)
{
    size_t inside = 0;
    for (int i = 0; i < 4000; i++) {
        struct geo_area area = area_of_any_kind(i);
        struct geo_rect rects[2];
        unsigned n = geo_cover(&area, rects);
        assert_true(geo_in_rect(geo_hash(area.center), &rects[0]));
        for (int j = 0; j < 200; j++) {
            uint64_t hash = geo_hash(place_about(&area));
            unsigned times = times_covered(rects, n, hash);
            assert_true(times <= 1);
            if (!geo_near(&area, geo_place(hash), NULL)) continue;
            assert_int_equal(times, 1);
            inside++;
        }
    }
    assert_true(inside > 50000);
}

static void near_is_what_the_distance_says(void **state)
{
    for (int i = 0; i < 2000; i++) {
        struct geo_area area = area_of_any_kind(2 * i);
        for (int j = 0; j < 100; j++) {
            struct place p = geo_place(geo_hash(place_about(&area)));
            double expected = geo_distance(area.center, p), distance = -1;
            assert_int_equal(geo_near(&area, p, NULL), expected <= area.radius);
            assert_int_equal(geo_near(&area, p, &distance), expected <= area.radius);
            if (expected <= area.radius) assert_true(distance == expected);
        }
        struct place p = geo_place(geo_hash(place_about(&area)));
        geo_narrow(&area, geo_distance(area.center, p));
        assert_true(geo_near(&area, p, NULL));
    }
}

static void a_small_circle_has_a_small_rectangle(void **state)
{
    struct geo_area area = {.center = {10, 50}, .radius = 1000};
    struct geo_rect rects[2];
    geo_prepare(&area);
    assert_int_equal(geo_cover(&area, rects), 1);
    struct place low = geo_place(rects[0].min), high = geo_place(rects[0].max);
    assert_true(high.lat - low.lat < 0.0181 && high.lon - low.lon < 0.0282);
}

/* ---- walking -------------------------------------------------------------------------------- */

static struct geo_rect any_rect(unsigned bits)
{
    uint64_t a = rand_below(1u << bits), b = rand_below(1u << bits);
    uint64_t row = GEO_ROW_BITS, column = GEO_COLUMN_BITS;
    return (struct geo_rect){MIN(a & row, b & row) | MIN(a & column, b & column),
                             MAX(a & row, b & row) | MAX(a & column, b & column)};
}

static void the_next_hash_in_a_rectangle_is_the_first_one_that_is(void **state)
{
    for (int i = 0; i < 3000; i++) {
        struct geo_rect r = any_rect(10);
        for (int j = 0; j < 50; j++) {
            uint64_t hash = rand_below(1 << 10), expected = hash + 1, next;
            if (geo_in_rect(hash, &r)) continue;
            while (expected <= r.max && !geo_in_rect(expected, &r))
                expected++;
            bool found = geo_next_in_rect(hash, &r, &next);
            assert_int_equal(found, expected <= r.max);
            if (found) assert_int_equal(next, expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_and_texts_are_those_of_redis),
        cmocka_unit_test(a_place_is_within_half_a_cell_of_where_it_was),
        cmocka_unit_test(any_score_stands_for_a_place_on_the_map),
        cmocka_unit_test(distances_are_those_of_redis),
        cmocka_unit_test(what_lies_in_an_area_lies_in_one_of_its_rectangles),
        cmocka_unit_test(near_is_what_the_distance_says),
        cmocka_unit_test(a_small_circle_has_a_small_rectangle),
        cmocka_unit_test(the_next_hash_in_a_rectangle_is_the_first_one_that_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
