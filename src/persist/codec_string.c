/* codec_string.c - strings as RDB has them: as an integer, compressed, or as they are. */
#include "persist/value_codec.h"

static uint8_t string_type(const struct rdb_writer *w, const struct entry *e)
{
    return RDB_STRING;
}

static void string_encode(struct rdb_writer *w, const struct entry *e, uint8_t type)
{
    char tmp[NUM_I64_MAX];
    if (e->enc == ENC_INT) {
        rdb_put_int_string(w, e->v.i);
    } else {
        rdb_put_string(w, string_view(e, tmp));
    }
}

static struct entry *string_long(struct rdb_reader *r, const struct rdb_string *s, struct slice key)
{
    struct blob *b = blob_new(s->size);
    if (!b) {
        rdb_fail(r, "no memory for %llu bytes", (unsigned long long)s->size);
        return NULL;
    }
    if (rdb_get_string_bytes(r, s, b->data)) return entry_new_blob(key, b, ENTRY_NO_EXPIRE);
    blob_unref(b);
    return NULL;
}

static enum value_result string_decode(struct rdb_reader *r, uint8_t type, struct slice key,
                                       struct entry **out)
{
    char few[ENTRY_INLINE_MAX];
    struct rdb_string s;
    *out = NULL;
    if (!rdb_get_string_head(r, &s)) return VALUE_BAD;
    if (s.form == RDB_IS_INT) {
        *out = entry_new_int(key, s.i, ENTRY_NO_EXPIRE);
    } else if (s.size > sizeof few) {
        *out = string_long(r, &s, key);
    } else if (rdb_get_string_bytes(r, &s, few)) {
        *out = entry_new_string(key, slice_of(few, s.size), ENTRY_NO_EXPIRE);
    }
    return *out ? VALUE_OK : VALUE_BAD;
}

const struct value_codec string_codec = {string_type, string_encode, string_decode};
