/*
 * geo_internal.h - what the files of the geo family share: places are members of sorted sets, their
 * scores the hashes of types/geohash.h.
 */
#ifndef WEFT_COMMANDS_GEO_INTERNAL_H
#define WEFT_COMMANDS_GEO_INTERNAL_H

#include "commands/commands.h"
#include "types/geohash.h"

/* "longitude latitude" from argument `arg` on. False: an error was replied. */
bool geo_place_arg(struct call *c, uint32_t arg, struct place *p);
/* A unit of length: how many metres it has. */
bool geo_unit_arg(struct call *c, uint32_t arg, double *metres);
/* A distance with its four decimals; a place as an array of longitude and latitude. */
void geo_reply_distance(struct reply *r, double distance);
void geo_reply_place(struct reply *r, struct place p);

/* GEORADIUS and its likes: the key, and those behind STORE and STOREDIST, the last of which counts. */
int geo_radius_keys(uint32_t argc, const struct slice *argv, uint32_t *out, int max);

command_fn geoadd_command, geopos_command, geodist_command, geohash_command;
command_fn geosearch_command, geosearchstore_command, georadius_command, georadius_ro_command,
    georadiusbymember_command, georadiusbymember_ro_command;

#endif
