/*
 * value_codec.h - inside persist/: values between entries and bytes, without I/O. What a type's
 * bytes may be is in codec_TYPE.c.
 */
#ifndef WEFT_PERSIST_VALUE_CODEC_H
#define WEFT_PERSIST_VALUE_CODEC_H

#include "persist/rdb_io.h"
#include "types/types.h"

/* The first byte of e's value in w's version, and what follows it. */
uint8_t value_type(const struct rdb_writer *w, const struct entry *e);
void value_encode(struct rdb_writer *w, const struct entry *e, uint8_t type);

enum value_result {
    VALUE_OK,
    VALUE_EMPTY, /* well-formed, but a key cannot hold it: old servers wrote such by mistake */
    VALUE_BAD,   /* the reader says why */
};
/* A new entry under `key` of what follows the type's byte. */
enum value_result value_decode(struct rdb_reader *r, uint8_t type, struct slice key,
                               struct entry **out);

struct value_codec { /* as the three functions above, for one type of value */
    uint8_t (*type)(const struct rdb_writer *w, const struct entry *e);
    void (*encode)(struct rdb_writer *w, const struct entry *e, uint8_t type);
    enum value_result (*decode)(struct rdb_reader *r, uint8_t type, struct slice key,
                                struct entry **out);
};
extern const struct value_codec string_codec, list_codec, set_codec, zset_codec, hash_codec,
    stream_codec;

/* ---- pieces that they share --------------------------------------------------------------------
 */

/* Room is made at once for at most so many elements: a count from outside is not trusted further.
 */
#define RESERVE_MAX (1u << 20)

void rdb_put_listpack(struct rdb_writer *w, const lp *l);
/* A string that is a well-formed listpack, to be freed; NULL: it failed, naming `what`. */
lp *decode_listpack(struct rdb_reader *r, const char *what);
/* The same from a string that is a ziplist. */
lp *decode_ziplist(struct rdb_reader *r, const char *what);
/* Are the first elements of each `width` elements all different? */
bool listpack_distinct(const lp *l, size_t width);
/* VALUE_OK with *out = e, or, where ok is false, e is freed: VALUE_BAD. */
enum value_result decoded(struct entry *e, bool ok, struct entry **out);

#endif
