/*
 * commands_geo.c - searches of places find what comparing every distance finds, in the right order;
 * whatever the encoding, the shape and the part of the map.
 */
#include <math.h>

#include "commands_script.h"

#include "types/geohash.h"

#define PLACES 600

static struct place places[PLACES];
static char failure[300];

static double between(double low, double high)
{
    return low + (high - low) * ((double)rand_below(1u << 31) / ((1u << 31) - 1));
}

/* Crowded somewhere, at the date line, or all over the map. */
static struct place some_place(unsigned map)
{
    struct place p = {between(-180, 180), between(-85, 85)};
    if (map == 0) p = (struct place){between(13, 13.5), between(52, 52.5)};
    if (map == 1) {
        p = (struct place){between(179, 181), between(-1, 1)};
        if (p.lon > 180) p.lon -= 360;
    }
    return p;
}

static void make_places(struct caller *caller, unsigned map, size_t n, struct buf *out)
{
    char line[120];
    run_line(caller, "FLUSHALL SYNC", out);
    for (size_t i = 0; i < n; i++) {
        places[i] = some_place(map);
        sprintf(line, "GEOADD k %.17g %.17g %zu", places[i].lon, places[i].lat, i);
        places[i] = geo_place(geo_hash(places[i]));
        run_line(caller, line, out);
    }
}

static double arc(double degrees)
{
    return degrees * M_PI / 180 * 6372797.560856;
}

/* 1: in, 0: out, -1: too near to the border to tell. */
static int inside(struct place center, bool box, double width, double height, struct place p)
{
    double d = geo_distance(center, p), margin = 0.01;
    if (!box) return fabs(d - width) < margin ? -1 : d < width;
    double north = fabs(arc(p.lat - center.lat)) - height / 2;
    double east = geo_distance((struct place){center.lon, p.lat}, p) - width / 2;
    if (north > margin || east > margin) return 0;
    return north < -margin && east < -margin ? 1 : -1;
}

/* The members in a reply of plain ones, in order. */
static size_t members_in(struct buf *reply, size_t *out)
{
    const char *p = buf_cstr(reply);
    size_t n = (size_t)atol(p + 1);
    for (size_t i = 0; i < n; i++) {
        p = strchr(strchr(p, '\n') + 1, '\n') + 1;
        out[i] = (size_t)atol(p);
    }
    return n;
}

static void complain(const char *line, const char *what, size_t i)
{
    if (!failure[0]) snprintf(failure, sizeof failure, "%s: %s %zu", line, what, i);
}

static void search(struct caller *caller, unsigned map, size_t n, struct buf *out)
{
    struct place c = some_place(map);
    bool box = rand_below(2), seen[PLACES] = {false};
    double top = map == 2 ? 7.3 : 5, width = pow(10, between(2, top)),
           height = pow(10, between(2, top));
    char line[200];
    size_t found[PLACES];
    int len = sprintf(line, "GEOSEARCH k FROMLONLAT %.17g %.17g ", c.lon, c.lat);
    if (box) {
        len += sprintf(line + len, "BYBOX %.17g %.17g m", width, height);
    } else {
        len += sprintf(line + len, "BYRADIUS %.17g m", width);
    }
    sprintf(line + len, rand_below(2) ? " ASC" : " DESC");
    bool descending = line[len + 1] == 'D';
    run_line(caller, line, out);
    size_t count = members_in(out, found);
    for (size_t i = 0; i < count; i++) {
        if (seen[found[i]]) complain(line, "twice", found[i]);
        seen[found[i]] = true;
        if (i == 0) continue;
        double a = geo_distance(c, places[found[i - 1]]), b = geo_distance(c, places[found[i]]);
        if (descending ? a < b : a > b) complain(line, "out of order", found[i]);
    }
    for (size_t i = 0; i < n; i++) {
        int in = inside(c, box, width, height, places[i]);
        if (in == 1 && !seen[i]) complain(line, "missing", i);
        if (in == 0 && seen[i]) complain(line, "too far", i);
    }
    /* The first few are those of the whole search. */
    size_t first[PLACES], k = rand_below(20) + 1;
    sprintf(line + strlen(line), " COUNT %zu", k);
    run_line(caller, line, out);
    if (members_in(out, first) != MIN(k, count)) complain(line, "counts not", MIN(k, count));
    for (size_t i = 0; i < MIN(k, count); i++) {
        if (first[i] != found[i]) complain(line, "is not first", first[i]);
    }
}

static void compare_all(struct caller *caller)
{
    struct buf out = {0};
    for (unsigned map = 0; map < 3; map++) {
        for (size_t n = 100; n <= PLACES; n += PLACES - 100) {
            make_places(caller, map, n, &out);
            for (int i = 0; i < 300; i++)
                search(caller, map, n, &out);
        }
    }
    buf_free(&out);
}

static struct script search_script = {.fn = compare_all};

static void searches_find_what_comparing_all_distances_finds(void **state)
{
    if (failure[0]) fail_msg("%s", failure);
}

SCRIPT(stored_results_replace_their_source, {"GEOADD k 13 38 a 13 38.1 b 15 37 c", ":3"},
       {"GEOSEARCHSTORE k k FROMMEMBER a BYRADIUS 20 km", ":2"}, {"ZCARD k", ":2"},
       {"GEORADIUS k 13 38 1 km STORE k", ":1"}, {"ZRANGE k 0 -1", "*1 $1 a"},
       {"GEORADIUS k 0 0 1 km STORE k", ":0"}, {"EXISTS k", ":0"})

SCRIPT(scores_that_are_no_hashes_do_no_harm,
       {"ZADD k -inf a inf b -1 c 0.5 d 1e300 e 4503599627370496 f", ":6"},
       {"GEODIST k a b", "$6 0.0257"}, {"GEOHASH k c", "*1 $11 bp05b5048p0"},
       {"GEOSEARCH k FROMLONLAT 0 0 BYRADIUS 1 m", "*0"})

int main(void)
{
    struct script *scripts[] = {&search_script, &stored_results_replace_their_source_script,
                                &scores_that_are_no_hashes_do_no_harm_script, NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_find_what_comparing_all_distances_finds),
        cmocka_unit_test(stored_results_replace_their_source),
        cmocka_unit_test(scores_that_are_no_hashes_do_no_harm),
    };
    run_scripts(scripts);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
