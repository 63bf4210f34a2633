/*
 * persist.h - data outside of memory: values as DUMP payloads, and all of them in RDB files.
 *
 *   entry --value_encode--> bytes --value_decode--> entry        value_*.c, decode_*.c: no I/O
 *   DUMP payload = type byte, value, RDB version (2 bytes), CRC-64 (8 bytes); little endian
 *   file = "REDIS" version, aux fields, { database, sizes, { expiry, access, type, key, value } },
 *          0xFF, CRC-64
 *
 * The formats are Redis's: what `rdb_settings.version` 10 writes Redis 7.0 reads, 11 is of
 * Redis 7.2, 12 of Redis 7.4; read are all versions up to 12.
 */
#ifndef WEFT_PERSIST_H
#define WEFT_PERSIST_H

#include <stdatomic.h>

#include "types/types.h"

struct rdb_settings {          /* of the configuration; relaxed */
    _Atomic(unsigned) version; /* that is written */
    _Atomic(bool) compress, checksum;
    _Atomic(bool) access;        /* the time of last use goes into files (an LRU policy) */
    _Atomic(bool) deep_load;     /* files are checked as payloads of clients are */
    _Atomic(bool) deep_restore;  /* payloads are checked for what is costly to check */
    _Atomic(bool) skip_checksum; /* DEBUG: wrong checksums are accepted */
    _Atomic(int) key_load_delay_us;
};
extern struct rdb_settings rdb_settings;

/* ---- one value --------------------------------------------------------------------------------
 */

/* The value of e as DUMP replies it, added to out. */
void dump_value(const struct entry *e, struct buf *out);

enum restore_result {
    RESTORE_OK,
    RESTORE_BAD_FOOTER, /* a version that is not known, or the checksum is wrong */
    RESTORE_BAD_DATA,
};
/* Is the end of the payload as it should be? */
enum restore_result restore_check(struct slice payload);
/* A new entry of a payload that was checked; what it holds is checked here. */
enum restore_result restore_value(struct slice payload, struct slice key, int64_t expire_ms,
                                  struct entry **out);

/* ---- files ------------------------------------------------------------------------------------
 */

/* Writes everything to a file, as it is at one instant: to a temporary one that then takes the
 * place of `path`. PARKS, and holds up everybody who wants data until all is written; `owned`: the
 * caller owns all partitions (and keeps them), nothing parks. False: the log says why. */
bool rdb_save(const char *path, bool owned);

enum rdb_load_result {
    RDB_LOADED,
    RDB_NO_FILE,
    RDB_FAILED, /* the log says why; some keys may have been added */
};
/* Adds what a file holds. `merge`: keys that are there already are replaced; otherwise they are an
 * error. PARKS unless `owned`. What is to be said about the file goes to the log; why it failed, to
 * *why too. */
enum rdb_load_result rdb_load(const char *path, bool merge, bool owned, struct buf *why);

struct rdb_progress {              /* of loading; relaxed, read by anybody */
    _Atomic(uint64_t) total, done; /* bytes */
    _Atomic(uint64_t) used_memory; /* of the server that wrote the file, when it did */
    _Atomic(int64_t) started_ms;
    _Atomic(uint64_t) keys, expired; /* of the last time */
};
extern struct rdb_progress rdb_progress;

/* Forgets the libraries of functions that files brought: kept, not run, and saved again. */
void rdb_forget_functions(void);

#endif
