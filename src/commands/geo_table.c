/* geo_table.c - the declarations of the geo commands. */
#include "commands/geo_internal.h"

#define GROUP         .group = "geo", .acl = ACL_GEO
#define READS         (KEY_RO | KEY_ACCESS)
#define WRITES        (KEY_OW | KEY_UPDATE)
#define RADIUS_KEYS(from)                                                                          \
    {                                                                                              \
        {KEYS_RANGE, READS, 1, 0, 1, 0, NULL, NULL},                                               \
            {KEYS_RANGE_AFTER, WRITES, from, 0, 1, 0, "STORE", NULL},                              \
            {KEYS_RANGE_AFTER, WRITES, from, 0, 1, 0, "STOREDIST", NULL}                           \
    }
#define UNIT     "unit(M|KM|FT|MI)"
#define SHAPE                                                                                      \
    "from(FROMMEMBER member:string|FROMLONLAT fromlonlat(longitude:double latitude:double)) "      \
    "by(circle(BYRADIUS radius:double " UNIT ")|"                                                  \
    "box(BYBOX width:double height:double " UNIT ")) "
#define COUNT    "[count-block(COUNT count:integer [ANY])] "
#define ORDER    "[order(ASC|DESC)] "
#define WITH     "[WITHCOORD] [WITHDIST] [WITHHASH] "
#define TO_STORE "[store(STORE storekey:key|STOREDIST storedistkey:key)]"

#define IN_RADIUS "O(N+log(M)), N being the places in the rectangle around the circle out of M."
#define IN_SHAPE  "O(N+log(M)), N being the places in the rectangle around the shape out of M."

static const char *const add_history[] = {"6.2.0", "Takes `CH`, `NX` and `XX`.", NULL};
static const char *const unit_history[] = {"7.0.0", "Units may be in upper case.", NULL};
static const char *const radius_history[] = {"6.2.0", "`COUNT` takes `ANY`.", "7.0.0",
                                             "Units may be in upper case.", NULL};

struct command geo_commands[] = {
    {.name = "geoadd", .run = geoadd_command, .arity = -5, .since = "3.2.0", GROUP,
     .flags = CMD_WRITE | CMD_DENYOOM, .keys = ONE_KEY(KEY_RW | KEY_UPDATE),
     .history = add_history, .complexity = "O(log(N)) for each place, N being the size of the set.",
     .summary = "Adds places to a sorted set, which is made if it is not there.",
     .syntax = "key [condition(NX|XX)] [CH] "
               "data(longitude:double latitude:double member:string)..."},
    {.name = "geopos", .run = geopos_command, .arity = -2, .since = "3.2.0", GROUP,
     .flags = CMD_READONLY, .keys = ONE_KEY(READS), .complexity = "O(1) for each member.",
     .summary = "Returns the longitude and latitude of places.", .syntax = "key [member:string...]"},
    {.name = "geodist", .run = geodist_command, .arity = -4, .since = "3.2.0", GROUP,
     .flags = CMD_READONLY, .keys = ONE_KEY(READS), .complexity = "O(1)",
     .summary = "Returns the distance between two places.",
     .syntax = "key member1:string member2:string [" UNIT "]"},
    {.name = "geohash", .run = geohash_command, .arity = -2, .since = "3.2.0", GROUP,
     .flags = CMD_READONLY, .keys = ONE_KEY(READS), .complexity = "O(1) for each member.",
     .summary = "Returns places as geohash texts of eleven characters.",
     .syntax = "key [member:string...]"},
    {.name = "geosearch", .run = geosearch_command, .arity = -7, .since = "6.2.0", GROUP,
     .flags = CMD_READONLY, .keys = ONE_KEY(READS), .history = unit_history,
     .complexity = IN_SHAPE, .summary = "Returns the places within a circle or a box.",
     .syntax = "key " SHAPE ORDER COUNT WITH},
    {.name = "geosearchstore", .run = geosearchstore_command, .arity = -8, .since = "6.2.0", GROUP,
     .flags = CMD_WRITE | CMD_DENYOOM,
     .keys = {{KEYS_RANGE, WRITES, 1, 0, 1, 0, NULL, NULL},
              {KEYS_RANGE, READS, 2, 0, 1, 0, NULL, NULL}},
     .history = unit_history, .complexity = IN_SHAPE,
     .summary = "Stores the places within a circle or a box, or their distances, in a key.",
     .syntax = "destination:key source:key " SHAPE ORDER COUNT "[STOREDIST]"},
    {.name = "georadius", .run = georadius_command, .arity = -6, .since = "3.2.0", GROUP,
     .flags = CMD_WRITE | CMD_DENYOOM | CMD_MOVABLEKEYS, .keys = RADIUS_KEYS(6),
     .find_keys = geo_radius_keys, .history = radius_history, .complexity = IN_RADIUS,
     .deprecated_since = "6.2.0",
     .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
     .summary = "Returns the places within a distance from a point, or stores them in a key.",
     .syntax = "key longitude:double latitude:double radius:double " UNIT " " WITH COUNT ORDER
               TO_STORE},
    {.name = "georadius_ro", .run = georadius_ro_command, .arity = -6, .since = "3.2.10", GROUP,
     .flags = CMD_READONLY, .keys = ONE_KEY(READS), .history = radius_history,
     .complexity = IN_RADIUS, .deprecated_since = "6.2.0",
     .replaced_by = "`GEOSEARCH` with the `BYRADIUS` argument",
     .summary = "Returns the places within a distance from a point.",
     .syntax = "key longitude:double latitude:double radius:double " UNIT " " WITH COUNT ORDER},
    {.name = "georadiusbymember", .run = georadiusbymember_command, .arity = -5, .since = "3.2.0",
     GROUP, .flags = CMD_WRITE | CMD_DENYOOM | CMD_MOVABLEKEYS, .keys = RADIUS_KEYS(5),
     .find_keys = geo_radius_keys, .history = radius_history, .complexity = IN_RADIUS,
     .deprecated_since = "6.2.0",
     .replaced_by = "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` "
                    "arguments",
     .summary = "Returns the places within a distance from a member, or stores them in a key.",
     .syntax = "key member:string radius:double " UNIT " " WITH COUNT ORDER TO_STORE},
    {.name = "georadiusbymember_ro", .run = georadiusbymember_ro_command, .arity = -5,
     .since = "3.2.10", GROUP, .flags = CMD_READONLY, .keys = ONE_KEY(READS),
     .history = radius_history, .complexity = IN_RADIUS, .deprecated_since = "6.2.0",
     .replaced_by = "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
     .summary = "Returns the places within a distance from a member.",
     .syntax = "key member:string radius:double " UNIT " " WITH COUNT ORDER},
    {.name = NULL},
};
