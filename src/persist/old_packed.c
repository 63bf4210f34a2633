/*
 * old_packed.c - ziplists and zipmaps, as RDB files before version 10 have them.
 *
 * A ziplist (numbers little endian)
 *
 *   offset  size  meaning
 *   0       4     total bytes
 *   4       4     offset of the last element, or of the end when there is none
 *   8       2     elements; 65535: that many or more, count them
 *   10      ...   elements
 *   total-1 1     0xFF, the end
 *
 * An element is the size of the one before it (one byte below 254; else 0xFE and four bytes), then
 *
 *   first byte  size             meaning
 *   00xxxxxx    1 + x            string of x bytes
 *   01xxxxxx    2 + n            string of n bytes: x, then one byte (big endian)
 *   0x80        5 + n            string: n in 4 bytes, big endian
 *   0xC0, 0xD0, 0xE0  3, 5, 9    integer of 16, 32, 64 bits
 *   0xF0, 0xFE  4, 2             integer of 24, 8 bits
 *   0xF1..0xFD  1                integer 0 .. 12
 *
 * A zipmap is one byte (the number of pairs; 254: unknown), for each pair <length><field><length>
 * <free><value><free bytes>, and 0xFF. A length is one byte below 254, else 0xFE and four bytes.
 */
#include "persist/old_packed.h"

#define ZL_HEADER     10
#define ZL_END        0xFF
#define ZL_BIG        0xFE
#define COUNT_UNKNOWN 65535
#define ZM_UNKNOWN    254

struct input {
    const uint8_t *p, *end;
};

static bool take(struct input *in, void *to, size_t n)
{
    if ((size_t)(in->end - in->p) < n) return false;
    memcpy(to, in->p, n);
    in->p += n;
    return true;
}

static bool take_big_endian(struct input *in, size_t n, size_t *v)
{
    uint8_t b[4];
    *v = 0;
    if (!take(in, b, n)) return false;
    for (size_t i = 0; i < n; i++)
        *v = *v << 8 | b[i];
    return true;
}

/* A length below 254 in one byte, else in four behind 0xFE. */
static bool take_len(struct input *in, size_t *n)
{
    uint8_t b;
    uint32_t wide;
    if (!take(in, &b, 1) || b == ZL_END) return false;
    *n = b;
    if (b != ZL_BIG) return true;
    if (!take(in, &wide, sizeof wide)) return false;
    *n = wide;
    return true;
}

static bool append_string(struct input *in, size_t n, lp **l)
{
    struct slice s = slice_of(in->p, n);
    if ((size_t)(in->end - in->p) < n || !lp_safe_to_add(*l, lp_elem_bytes(s))) return false;
    *l = lp_append(*l, s);
    in->p += n;
    return true;
}

static bool append_int(struct input *in, size_t size, lp **l)
{
    uint64_t v = 0;
    if (!take(in, &v, size)) return false;
    unsigned unused = 64 - 8 * (unsigned)size;
    *l = lp_append_int(*l, (int64_t)(v << unused) >> unused);
    return true;
}

/* What is behind the size of the one before. */
static bool ziplist_body(struct input *in, lp **l)
{
    uint8_t b;
    size_t n;
    if (!take(in, &b, 1)) return false;
    if (b < 0x40) return append_string(in, b, l);
    if (b < 0x80) {
        in->p--;
        return take_big_endian(in, 2, &n) && append_string(in, n & 0x3fff, l);
    }
    if (!lp_safe_to_add(*l, 16)) return false;
    switch (b) {
    case 0x80: return take_big_endian(in, 4, &n) && append_string(in, n, l);
    case 0xC0: return append_int(in, 2, l);
    case 0xD0: return append_int(in, 4, l);
    case 0xE0: return append_int(in, 8, l);
    case 0xF0: return append_int(in, 3, l);
    case 0xFE: return append_int(in, 1, l);
    }
    if (b < 0xF1 || b > 0xFD) return false;
    *l = lp_append_int(*l, (b & 15) - 1);
    return true;
}

/* The elements; *tail: where the last one begins, *count: how many. */
static bool ziplist_elements(struct input *in, const uint8_t *start, size_t *tail, size_t *count,
                             lp **l)
{
    size_t before = 0, size;
    while (in->p < in->end) {
        const uint8_t *element = in->p;
        if (!take_len(in, &size) || size != before || !ziplist_body(in, l)) return false;
        *tail = (size_t)(element - start);
        before = (size_t)(in->p - element);
        (*count)++;
    }
    return true;
}

static bool ziplist_header(const uint8_t *p, size_t n, uint32_t *tail, uint16_t *count)
{
    uint32_t total;
    if (n < ZL_HEADER + 1 || p[n - 1] != ZL_END) return false;
    memcpy(&total, p, 4);
    memcpy(tail, p + 4, 4);
    memcpy(count, p + 8, 2);
    return total == n;
}

lp *lp_of_ziplist(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint32_t tail;
    uint16_t count;
    if (!ziplist_header(p, n, &tail, &count)) return NULL;
    struct input in = {p + ZL_HEADER, p + n - 1};
    size_t at = ZL_HEADER, met = 0;
    lp *l = lp_new(n);
    if (ziplist_elements(&in, p, &at, &met, &l) && at == tail &&
        (count == COUNT_UNKNOWN || count == met)) {
        return l;
    }
    lp_free(l);
    return NULL;
}

static bool zipmap_pair(struct input *in, lp **l)
{
    size_t n;
    uint8_t unused;
    if (!take_len(in, &n) || !append_string(in, n, l)) return false;
    if (!take_len(in, &n) || !take(in, &unused, 1) || !append_string(in, n, l)) return false;
    if ((size_t)(in->end - in->p) < unused) return false;
    in->p += unused;
    return true;
}

lp *lp_of_zipmap(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    if (n < 2 || p[n - 1] != ZL_END) return NULL;
    struct input in = {p + 1, p + n - 1};
    size_t pairs = 0;
    bool ok = true;
    lp *l = lp_new(n);
    for (; ok && in.p < in.end; pairs++)
        ok = zipmap_pair(&in, &l);
    if (ok && pairs && (p[0] >= ZM_UNKNOWN || p[0] == pairs)) return l;
    lp_free(l);
    return NULL;
}
