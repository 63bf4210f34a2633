/*
 * value_codec.c - values between entries and bytes: which codec writes or reads them, and the
 * pieces that the codecs share.
 *
 *                      version 10        11                12
 *   list               QUICKLIST_2
 *   set    intset      SET_INTSET
 *          listpack    SET               SET_LISTPACK
 *          table       SET
 *   zset   listpack    ZSET_LISTPACK
 *          tree        ZSET_2
 *   hash   listpack    HASH_LISTPACK
 *          listpack_ex HASH              HASH              HASH_LISTPACK_EX
 *          table       HASH              HASH              HASH, or HASH_METADATA with expiries
 *   stream             STREAM_2          STREAM_3
 *
 * Invariant: what is returned is a valid value of its type, whatever the bytes were. Only that the
 * elements of small packed values are distinct may be taken on trust (reader.deep): what doubles do
 * to a value is wrong answers, never memory misused.
 */
#include "persist/value_codec.h"

#include <stdlib.h>

#include "persist/old_packed.h"

/* ---- shared pieces -------------------------------------------------------------------------- */

enum value_result decoded(struct entry *e, bool ok, struct entry **out)
{
    if (!ok) entry_free(e);
    *out = ok ? e : NULL;
    return ok ? VALUE_OK : VALUE_BAD;
}

void rdb_put_listpack(struct rdb_writer *w, const lp *l)
{
    rdb_put_string(w, slice_of(l, lp_bytes(l)));
}

lp *decode_listpack(struct rdb_reader *r, const char *what)
{
    size_t n;
    lp *l = rdb_get_string_alloc(r, &n);
    if (!l || lp_valid(l, n, true)) return l;
    rdb_fail(r, "%s listpack integrity check failed", what);
    mem_free(l);
    return NULL;
}

lp *decode_ziplist(struct rdb_reader *r, const char *what)
{
    size_t n;
    void *bytes = rdb_get_string_alloc(r, &n);
    if (!bytes) return NULL;
    lp *l = lp_of_ziplist(bytes, n);
    mem_free(bytes);
    if (!l) rdb_fail(r, "%s ziplist integrity check failed", what);
    return l;
}

struct hashed {
    uint64_t hash;
    size_t pos;
};

static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const struct hashed *)a)->hash, y = ((const struct hashed *)b)->hash;
    return (x > y) - (x < y);
}

/* Elements with one hash, next to each other: the same, or hardly ever another? */
static bool all_differ(const lp *l, const struct hashed *h, size_t n)
{
    char tmp[NUM_I64_MAX];
    for (size_t i = 0; i + 1 < n; i++) {
        for (size_t j = i + 1; j < n && h[j].hash == h[i].hash; j++) {
            if (lp_equals(l, h[j].pos, lp_slice(l, h[i].pos, tmp))) return false;
        }
    }
    return true;
}

bool listpack_distinct(const lp *l, size_t width)
{
    char tmp[NUM_I64_MAX];
    size_t n = 0, i = 0, max = lp_count(l) / width;
    struct hashed *h = mem_alloc(MAX(max, 1u) * sizeof *h);
    for (size_t pos = lp_first(l); pos != LP_NONE && n < max; pos = lp_next(l, pos)) {
        if (i++ % width) continue;
        h[n++] = (struct hashed){hash_bytes(lp_slice(l, pos, tmp)), pos};
    }
    qsort(h, n, sizeof *h, by_hash);
    bool ok = all_differ(l, h, n);
    mem_free(h);
    return ok;
}

/* ---- dispatch ------------------------------------------------------------------------------- */

static const struct value_codec *const codecs[] = {
    [TYPE_STRING] = &string_codec,
    [TYPE_LIST] = &list_codec,
    [TYPE_SET] = &set_codec,
    [TYPE_ZSET] = &zset_codec,
    [TYPE_HASH] = &hash_codec,
    [TYPE_STREAM] = &stream_codec,
};

static const struct value_codec *codec_of(unsigned type)
{
    return type < ARRAY_LEN(codecs) ? codecs[type] : NULL;
}

uint8_t value_type(const struct rdb_writer *w, const struct entry *e)
{
    return codec_of(e->type)->type(w, e);
}

void value_encode(struct rdb_writer *w, const struct entry *e, uint8_t type)
{
    codec_of(e->type)->encode(w, e, type);
}

#define NO_TYPE 255

static uint8_t value_type_of(uint8_t type)
{
    static const uint8_t types[RDB_TYPES] = {
        [RDB_STRING] = TYPE_STRING,
        [RDB_LIST] = TYPE_LIST,
        [RDB_LIST_ZIPLIST] = TYPE_LIST,
        [RDB_LIST_QUICKLIST] = TYPE_LIST,
        [RDB_LIST_QUICKLIST_2] = TYPE_LIST,
        [RDB_SET] = TYPE_SET,
        [RDB_SET_INTSET] = TYPE_SET,
        [RDB_SET_LISTPACK] = TYPE_SET,
        [RDB_ZSET] = TYPE_ZSET,
        [RDB_ZSET_2] = TYPE_ZSET,
        [RDB_ZSET_ZIPLIST] = TYPE_ZSET,
        [RDB_ZSET_LISTPACK] = TYPE_ZSET,
        [RDB_HASH] = TYPE_HASH,
        [RDB_HASH_ZIPMAP] = TYPE_HASH,
        [RDB_HASH_ZIPLIST] = TYPE_HASH,
        [RDB_HASH_LISTPACK] = TYPE_HASH,
        [RDB_HASH_METADATA_PRE_GA] = TYPE_HASH,
        [RDB_HASH_LISTPACK_EX_PRE_GA] = TYPE_HASH,
        [RDB_HASH_METADATA] = TYPE_HASH,
        [RDB_HASH_LISTPACK_EX] = TYPE_HASH,
        [RDB_STREAM] = TYPE_STREAM,
        [RDB_STREAM_2] = TYPE_STREAM,
        [RDB_STREAM_3] = TYPE_STREAM,
        [RDB_MODULE_PRE_GA] = NO_TYPE,
        [RDB_MODULE_2] = NO_TYPE,
        [RDB_NO_TYPE] = NO_TYPE,
    };
    return type < RDB_TYPES ? types[type] : NO_TYPE;
}

enum value_result value_decode(struct rdb_reader *r, uint8_t type, struct slice key,
                               struct entry **out)
{
    const struct value_codec *codec = codec_of(value_type_of(type));
    *out = NULL;
    if (codec) return codec->decode(r, type, key, out);
    if (type == RDB_MODULE_2 || type == RDB_MODULE_PRE_GA) {
        rdb_fail(r, "a value of a module, which cannot be loaded");
    } else {
        rdb_fail(r, "unknown type %u of a value", type);
    }
    return VALUE_BAD;
}
