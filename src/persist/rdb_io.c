/* rdb_io.c - lengths, strings, numbers (rdb_io.h). */
#include "persist/rdb_io.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "types/lzf.h"

enum { LEN_14 = 0x40, LEN_32 = 0x80, LEN_64 = 0x81, LEN_SPECIAL = 0xC0 };
enum { SPECIAL_INT8 = 0, SPECIAL_INT16 = 1, SPECIAL_INT32 = 2, SPECIAL_LZF = 3 };
enum { DOUBLE_NAN = 253, DOUBLE_INF = 254, DOUBLE_MINUS_INF = 255 };

#define COMPRESS_MIN  20 /* bytes of a string below which compressing it is not tried */
#define COMPRESS_GAIN 4  /* bytes that it has to save */
#define INT_TEXT_MAX  11 /* of an integer of 32 bits */

/* One LZF match of 3 bytes gives at most 264: what claims more than that is no LZF. */
#define LZF_MOST(n) ((n)*UINT64_C(88) + 8)

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they are");

/* ---- writing -------------------------------------------------------------------------------- */

void rdb_put(struct rdb_writer *w, const void *bytes, size_t n)
{
    buf_add(&w->out, bytes, n);
    if (UNLIKELY(w->limit && w->out.n >= w->limit)) w->drain(w);
}

void rdb_put_byte(struct rdb_writer *w, uint8_t byte)
{
    rdb_put(w, &byte, 1);
}

static void put_wide_len(struct rdb_writer *w, uint64_t n)
{
    uint8_t text[9];
    size_t size = n <= UINT32_MAX ? 4 : 8;
    text[0] = size == 4 ? LEN_32 : LEN_64;
    for (size_t i = 0; i < size; i++)
        text[size - i] = (uint8_t)(n >> 8 * i);
    rdb_put(w, text, size + 1);
}

void rdb_put_len(struct rdb_writer *w, uint64_t n)
{
    uint8_t text[2] = {(uint8_t)n, (uint8_t)n};
    if (n < 64) {
        rdb_put(w, text, 1);
    } else if (n < 16384) {
        text[0] = (uint8_t)(LEN_14 | n >> 8);
        rdb_put(w, text, 2);
    } else {
        put_wide_len(w, n);
    }
}

/* An integer of at most 32 bits. */
static void put_int(struct rdb_writer *w, int64_t v)
{
    uint8_t text[5];
    size_t size = 4;
    text[0] = LEN_SPECIAL | SPECIAL_INT32;
    if (v >= INT8_MIN && v <= INT8_MAX) {
        text[0] = LEN_SPECIAL | SPECIAL_INT8;
        size = 1;
    } else if (v >= INT16_MIN && v <= INT16_MAX) {
        text[0] = LEN_SPECIAL | SPECIAL_INT16;
        size = 2;
    }
    memcpy(text + 1, &v, size);
    rdb_put(w, text, size + 1);
}

static bool is_int32(int64_t v)
{
    return v >= INT32_MIN && v <= INT32_MAX;
}

static void put_plain(struct rdb_writer *w, struct slice s)
{
    rdb_put_len(w, s.n);
    if (s.n) rdb_put(w, s.p, s.n);
}

void rdb_put_packed(struct rdb_writer *w, struct slice packed, size_t size)
{
    rdb_put_byte(w, LEN_SPECIAL | SPECIAL_LZF);
    rdb_put_len(w, packed.n);
    rdb_put_len(w, size);
    rdb_put(w, packed.p, packed.n);
}

/* False: it does not get shorter. */
static bool put_compressed(struct rdb_writer *w, struct slice s)
{
    size_t cap = s.n - COMPRESS_GAIN;
    if (s.n > UINT32_MAX) return false;
    char few[1024], *to = cap <= sizeof few ? few : mem_try_alloc(cap);
    size_t n = to ? lzf_compress(s.p, s.n, to, cap) : 0;
    if (n) rdb_put_packed(w, slice_of(to, n), s.n);
    if (to != few) mem_free(to);
    return n > 0;
}

void rdb_put_string(struct rdb_writer *w, struct slice s)
{
    int64_t v;
    if (s.n <= INT_TEXT_MAX && num_parse_i64(s, &v) && is_int32(v)) {
        put_int(w, v);
    } else if (s.n <= COMPRESS_MIN || !w->compress || !put_compressed(w, s)) {
        put_plain(w, s);
    }
}

void rdb_put_int_string(struct rdb_writer *w, int64_t v)
{
    char text[NUM_I64_MAX];
    if (is_int32(v)) {
        put_int(w, v);
    } else {
        put_plain(w, slice_of(text, num_fmt_i64(text, v)));
    }
}

void rdb_put_ms(struct rdb_writer *w, int64_t ms)
{
    rdb_put(w, &ms, sizeof ms);
}

void rdb_put_double(struct rdb_writer *w, double v)
{
    rdb_put(w, &v, sizeof v);
}

/* ---- reading -------------------------------------------------------------------------------- */

void rdb_reader_init(struct rdb_reader *r, const void *bytes, size_t n)
{
    *r = (struct rdb_reader){.p = bytes, .end = (const uint8_t *)bytes + n, .deep = true};
    r->version = RDB_VERSION_MAX;
}

bool rdb_fail(struct rdb_reader *r, const char *fmt, ...)
{
    va_list args;
    if (r->failed) return false;
    r->failed = true;
    va_start(args, fmt);
    vsnprintf(r->error, sizeof r->error, fmt, args);
    va_end(args);
    return false;
}

/* n bytes lie at p; false: there are not that many. */
static bool need(struct rdb_reader *r, size_t n)
{
    if (UNLIKELY(r->failed)) return false;
    if (LIKELY((size_t)(r->end - r->p) >= n)) return true;
    if (n > rdb_left(r)) return rdb_fail(r, "unexpected end of the data");
    return r->fill(r, n);
}

/* Takes in parts what may be longer than the buffer. */
static bool get_long(struct rdb_reader *r, char *to, uint64_t n)
{
    if (n > rdb_left(r)) return rdb_fail(r, "unexpected end of the data");
    while (n > 0) {
        if (r->p == r->end && !need(r, 1)) return false;
        size_t some = MIN(n, (size_t)(r->end - r->p));
        if (to) {
            memcpy(to, r->p, some);
            to += some;
        }
        r->p += some;
        n -= some;
    }
    return !r->failed;
}

bool rdb_get(struct rdb_reader *r, void *to, size_t n)
{
    if (UNLIKELY((size_t)(r->end - r->p) < n || r->failed)) return get_long(r, to, n);
    if (n) memcpy(to, r->p, n);
    r->p += n;
    return true;
}

bool rdb_get_byte(struct rdb_reader *r, uint8_t *byte)
{
    *byte = 0;
    return rdb_get(r, byte, 1);
}

static bool get_big_endian(struct rdb_reader *r, size_t size, uint64_t *n)
{
    uint8_t text[8];
    *n = 0;
    if (!rdb_get(r, text, size)) return false;
    for (size_t i = 0; i < size; i++)
        *n = *n << 8 | text[i];
    return true;
}

/* A length, or (then *special) the code of another form of string. */
static bool get_len_or_special(struct rdb_reader *r, uint64_t *n, bool *special)
{
    uint8_t first, second;
    *n = 0;
    *special = false;
    if (!rdb_get_byte(r, &first)) return false;
    *n = first & 0x3f;
    switch (first & 0xC0) {
    case 0: return true;
    case LEN_14:
        if (!rdb_get_byte(r, &second)) return false;
        *n = *n << 8 | second;
        return true;
    case LEN_SPECIAL: *special = true; return true;
    }
    if (first == LEN_32) return get_big_endian(r, 4, n);
    if (first == LEN_64) return get_big_endian(r, 8, n);
    return rdb_fail(r, "unknown encoding 0x%02x of a length", first);
}

bool rdb_get_len(struct rdb_reader *r, uint64_t *n)
{
    bool special;
    if (!get_len_or_special(r, n, &special)) return false;
    return !special || rdb_fail(r, "a string stands where a length should");
}

bool rdb_get_count(struct rdb_reader *r, size_t each, uint64_t *n)
{
    if (!rdb_get_len(r, n)) return false;
    if (*n <= rdb_left(r) / each) return true;
    return rdb_fail(r, "there is no room for %llu elements", (unsigned long long)*n);
}

bool rdb_get_ms(struct rdb_reader *r, int64_t *ms)
{
    *ms = 0;
    return rdb_get(r, ms, sizeof *ms);
}

bool rdb_get_double(struct rdb_reader *r, double *v)
{
    *v = 0;
    return rdb_get(r, v, sizeof *v);
}

bool rdb_get_double_text(struct rdb_reader *r, double *v)
{
    char text[256];
    uint8_t n;
    *v = 0;
    if (!rdb_get_byte(r, &n)) return false;
    switch (n) {
    case DOUBLE_NAN: *v = NAN; return true;
    case DOUBLE_INF: *v = INFINITY; return true;
    case DOUBLE_MINUS_INF: *v = -INFINITY; return true;
    }
    if (!rdb_get(r, text, n)) return false;
    return num_parse_double(slice_of(text, n), v) || rdb_fail(r, "a score is no number");
}

/* ---- strings -------------------------------------------------------------------------------- */

static bool get_int_head(struct rdb_reader *r, size_t size, struct rdb_string *s)
{
    char text[NUM_I64_MAX];
    int32_t v = 0;
    if (!rdb_get(r, &v, size)) return false;
    if (size == 1) v = (int8_t)v;
    if (size == 2) v = (int16_t)v;
    *s = (struct rdb_string){.form = RDB_IS_INT, .i = v, .size = num_fmt_i64(text, v)};
    return true;
}

static bool get_packed_head(struct rdb_reader *r, struct rdb_string *s)
{
    s->form = RDB_IS_LZF;
    if (!rdb_get_len(r, &s->packed) || !rdb_get_len(r, &s->size)) return false;
    if (s->packed > rdb_left(r)) return rdb_fail(r, "unexpected end of the data");
    if (s->packed > 0 && s->size > 0 && s->size <= LZF_MOST(s->packed)) return true;
    return rdb_fail(r, "%llu compressed bytes cannot be %llu", (unsigned long long)s->packed,
                    (unsigned long long)s->size);
}

bool rdb_get_string_head(struct rdb_reader *r, struct rdb_string *s)
{
    uint64_t n;
    bool special;
    *s = (struct rdb_string){.form = RDB_IS_PLAIN};
    if (!get_len_or_special(r, &n, &special)) return false;
    if (special) {
        if (n == SPECIAL_LZF) return get_packed_head(r, s);
        if (n < SPECIAL_LZF) return get_int_head(r, (size_t)1 << n, s);
        return rdb_fail(r, "unknown encoding %llu of a string", (unsigned long long)n);
    }
    if (n > rdb_left(r)) return rdb_fail(r, "unexpected end of the data");
    s->size = s->packed = n;
    return true;
}

bool rdb_get_string_bytes(struct rdb_reader *r, const struct rdb_string *s, void *to)
{
    char text[NUM_I64_MAX];
    switch (s->form) {
    case RDB_IS_PLAIN: return rdb_get(r, to, s->size);
    case RDB_IS_INT: memcpy(to, text, num_fmt_i64(text, s->i)); return true;
    default: break;
    }
    if (!need(r, s->packed)) return false;
    if (!lzf_decompress(r->p, s->packed, to, s->size))
        return rdb_fail(r, "a compressed string does not decompress");
    r->p += s->packed;
    return true;
}

bool rdb_get_string(struct rdb_reader *r, struct buf *out)
{
    struct rdb_string s;
    buf_clear(out);
    if (!rdb_get_string_head(r, &s)) return false;
    buf_reserve(out, s.size);
    if (s.size && !rdb_get_string_bytes(r, &s, out->p)) return false;
    out->n = s.size;
    return true;
}

void *rdb_get_string_alloc(struct rdb_reader *r, size_t *n)
{
    struct rdb_string s;
    *n = 0;
    if (!rdb_get_string_head(r, &s)) return NULL;
    void *p = mem_try_alloc(MAX(s.size, 1u));
    if (!p) {
        rdb_fail(r, "no memory for %llu bytes", (unsigned long long)s.size);
    } else if (!rdb_get_string_bytes(r, &s, p)) {
        mem_free(p);
        p = NULL;
    }
    *n = s.size;
    return p;
}

bool rdb_skip_string(struct rdb_reader *r)
{
    struct rdb_string s;
    return rdb_get_string_head(r, &s) && (s.form == RDB_IS_INT || get_long(r, NULL, s.packed));
}
