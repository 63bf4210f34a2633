/*
 * rdb_io.h - inside persist/: the pieces that RDB files and DUMP payloads are made of, written and
 * read.
 *
 *   length            00nnnnnn              n < 64
 *                     01nnnnnn nnnnnnnn     n < 16384, most significant first
 *                     0x80, 4 bytes         big endian
 *                     0x81, 8 bytes         big endian
 *   string            length, bytes
 *                     0xC0 / 0xC1 / 0xC2    an integer of 1 / 2 / 4 bytes, little endian, as text
 *                     0xC3, length, length  LZF: bytes compressed, bytes when not, then the former
 *   time, double      8 bytes, little endian
 *
 * Reading
 *  1. Everything read is from outside. A reader that has failed stays so, returns false from every
 *     call and keeps the first message; callers may look once, after several calls.
 *  2. Nothing is allocated for a length that the rest of the input cannot fill: a string is refused
 *     before memory is taken for it, and a count is at most the bytes that are left.
 */
#ifndef WEFT_PERSIST_RDB_IO_H
#define WEFT_PERSIST_RDB_IO_H

#include "base/base.h"

enum rdb_type {                 /* the first byte of a value; what this server writes is marked */
                RDB_STRING = 0, /* written */
                RDB_LIST = 1,
                RDB_SET = 2,    /* written */
                RDB_ZSET = 3,   /* scores as text */
                RDB_HASH = 4,   /* written */
                RDB_ZSET_2 = 5, /* written */
                RDB_MODULE_PRE_GA = 6,
                RDB_MODULE_2 = 7,
                RDB_NO_TYPE = 8,
                RDB_HASH_ZIPMAP = 9,
                RDB_LIST_ZIPLIST = 10,
                RDB_SET_INTSET = 11, /* written */
                RDB_ZSET_ZIPLIST = 12,
                RDB_HASH_ZIPLIST = 13,
                RDB_LIST_QUICKLIST = 14, /* of ziplists */
                RDB_STREAM = 15,
                RDB_HASH_LISTPACK = 16,    /* written */
                RDB_ZSET_LISTPACK = 17,    /* written */
                RDB_LIST_QUICKLIST_2 = 18, /* written */
                RDB_STREAM_2 = 19,         /* written by version 10 */
                RDB_SET_LISTPACK = 20,     /* written from version 11 on */
                RDB_STREAM_3 = 21,         /* written from version 11 on */
                RDB_HASH_METADATA_PRE_GA = 22,
                RDB_HASH_LISTPACK_EX_PRE_GA = 23,
                RDB_HASH_METADATA = 24,    /* written from version 12 on */
                RDB_HASH_LISTPACK_EX = 25, /* written from version 12 on */
                RDB_TYPES,
};

enum rdb_opcode { /* instead of a value's first byte, in files */
                  RDB_SLOT_INFO = 244,
                  RDB_FUNCTION_2 = 245,
                  RDB_FUNCTION_PRE_GA = 246,
                  RDB_MODULE_AUX = 247,
                  RDB_IDLE = 248,
                  RDB_FREQ = 249,
                  RDB_AUX = 250,
                  RDB_RESIZE_DB = 251,
                  RDB_EXPIRE_MS = 252,
                  RDB_EXPIRE = 253,
                  RDB_SELECT_DB = 254,
                  RDB_EOF = 255,
};

#define RDB_VERSION_MAX 12
#define RDB_VERSION_MIN 10 /* that we write */

/* ---- writing ----------------------------------------------------------------------------------
 */

struct rdb_writer {
    struct buf out;
    unsigned version; /* RDB_VERSION_MIN .. RDB_VERSION_MAX: which types may be used */
    bool compress;
    /* Called when `limit` bytes or more lie in `out` (limit 0: never); empties it. */
    size_t limit;
    void (*drain)(struct rdb_writer *w);
};

void rdb_put(struct rdb_writer *w, const void *bytes, size_t n);
void rdb_put_byte(struct rdb_writer *w, uint8_t byte);
void rdb_put_len(struct rdb_writer *w, uint64_t n);
/* In the shortest form: as an integer, compressed if that is on and pays, or as it is. */
void rdb_put_string(struct rdb_writer *w, struct slice s);
void rdb_put_int_string(struct rdb_writer *w, int64_t v);
/* A string of `size` bytes that is compressed already. */
void rdb_put_packed(struct rdb_writer *w, struct slice packed, size_t size);
void rdb_put_ms(struct rdb_writer *w, int64_t ms);
void rdb_put_double(struct rdb_writer *w, double v);

/* ---- reading ----------------------------------------------------------------------------------
 */

struct rdb_reader {
    const uint8_t *p, *end; /* what is at hand */
    uint64_t more;          /* bytes of the input behind `end` */
    /* Makes at least n bytes (at most n <= what is left of the input) lie at p. NULL: memory only.
     * False: it has called rdb_fail(). */
    bool (*fill)(struct rdb_reader *r, size_t n);
    unsigned version; /* of the file or payload */
    bool deep;        /* values are checked for what is costly to check, too */
    bool failed;
    char error[128]; /* what is wrong */
};

void rdb_reader_init(struct rdb_reader *r, const void *bytes, size_t n);
/* Notes that the input is not what it should be, unless something was noted before. Always false.
 */
bool rdb_fail(struct rdb_reader *r, const char *fmt, ...) PRINTF(2, 3);
static inline uint64_t rdb_left(const struct rdb_reader *r)
{
    return (uint64_t)(r->end - r->p) + r->more;
}

bool rdb_get(struct rdb_reader *r, void *to, size_t n);
bool rdb_get_byte(struct rdb_reader *r, uint8_t *byte);
bool rdb_get_len(struct rdb_reader *r, uint64_t *n);
/* The number of things of at least `each` bytes that follow. */
bool rdb_get_count(struct rdb_reader *r, size_t each, uint64_t *n);
bool rdb_get_ms(struct rdb_reader *r, int64_t *ms);
bool rdb_get_double(struct rdb_reader *r, double *v);
bool rdb_get_double_text(struct rdb_reader *r, double *v); /* as RDB_ZSET has it */

/* A string in two steps, so that the caller chooses where it goes: its head, then its bytes, of
 * which there are `size`, into memory of the caller's. */
struct rdb_string {
    enum { RDB_IS_PLAIN, RDB_IS_INT, RDB_IS_LZF } form;
    uint64_t size, packed; /* packed: bytes of the input */
    int64_t i;             /* RDB_IS_INT */
};
bool rdb_get_string_head(struct rdb_reader *r, struct rdb_string *s);
bool rdb_get_string_bytes(struct rdb_reader *r, const struct rdb_string *s, void *to);
/* The same in one: replaces what is in *out. */
bool rdb_get_string(struct rdb_reader *r, struct buf *out);
/* The same into memory to be freed with mem_free(); NULL: it failed. */
void *rdb_get_string_alloc(struct rdb_reader *r, size_t *n);
bool rdb_skip_string(struct rdb_reader *r);

#endif
