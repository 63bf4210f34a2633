/*
 * hll.c - HyperLogLogs.
 *
 *   offset  size   meaning
 *   0       4      "HYLL"
 *   4       1      0: dense, 1: sparse
 *   5       3      unused, 0
 *   8       8      the estimate, little endian; the highest bit: it is out of date
 *   16      12288  dense: 16384 registers of 6 bits; the lowest bits of a byte come first
 *   16      n      sparse: opcodes, which cover all registers in turn
 *
 *   opcode              covers                          value
 *   00nnnnnn            n + 1 registers, up to 64       0
 *   01nnnnnn nnnnnnnn   n + 1 registers, up to 16384    0
 *   1vvvvvnn            n + 1 registers, up to 4        v + 1, up to 32
 *
 * An element is hashed (MurmurHash64A); the lowest 14 bits of the hash choose the register, which
 * remembers the most trailing zeros (and one) that the other 50 ever had. The estimate is Ertl's
 * ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), of the registers'
 * histogram.
 *
 * A changed sparse one has the same bytes as Redis's would: the opcode that covers the register is
 * split in up to three, and neighbours of the same value around it are joined.
 *
 * Invariants
 *  1. Whatever the bytes are, no function reads or writes beyond them. Opcodes that cover other
 * than 16384 registers are corrupt.
 */
#include "types/hll.h"

#include <math.h>

#define INDEX_BITS     14
#define HASH_BITS      (64 - INDEX_BITS) /* a register is at most one more */
#define HASH_SEED      0xadc83b19u
#define DENSE          0
#define SPARSE         1
#define ZEROS_MAX      64
#define VALUE_MAX      32 /* of a sparse one */
#define RUN_MAX        4
#define OUT_OF_DATE    0x80
#define JOIN_LOOKAHEAD 5 /* opcodes that are looked at for joining */

static_assert(HLL_REGISTERS == 1 << INDEX_BITS, "one register an index");

struct hll_limits hll_limits = {.sparse_max_bytes = 3000};

/* ---- the header ----------------------------------------------------------------------------- */

bool hll_valid(struct slice s)
{
    if (s.n < HLL_HEADER || memcmp(s.p, "HYLL", 4) != 0) return false;
    return s.p[4] == SPARSE || (s.p[4] == DENSE && s.n == HLL_DENSE_LEN);
}

bool hll_is_sparse(struct slice s)
{
    return s.p[4] == SPARSE;
}

void hll_empty(char out[HLL_EMPTY_LEN])
{
    memset(out, 0, HLL_EMPTY_LEN);
    memcpy(out, "HYLL", 4);
    out[4] = SPARSE;
    out[HLL_HEADER] = 0x40 | (HLL_REGISTERS - 1) >> 8;
    out[HLL_HEADER + 1] = (char)((HLL_REGISTERS - 1) & 0xff);
}

bool hll_cached(struct slice s, uint64_t *estimate)
{
    uint64_t v = 0;
    for (unsigned i = 8; i-- > 0;)
        v = v << 8 | (uint8_t)s.p[8 + i];
    *estimate = v;
    return !(v >> 63);
}

void hll_cache(char *p, uint64_t estimate)
{
    for (unsigned i = 0; i < 8; i++)
        p[8 + i] = (char)(estimate >> 8 * i);
}

void hll_uncache(char *p)
{
    p[15] = (char)(p[15] | OUT_OF_DATE);
}

/* ---- hashing -------------------------------------------------------------------------------- */

static inline uint64_t load_le(const char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;)
        v = v << 8 | (uint8_t)p[i];
    return v;
}

static uint64_t murmur64a(struct slice s)
{
    const uint64_t mul = 0xc6a4a7935bd1e995u;
    uint64_t h = HASH_SEED ^ (s.n * mul);
    for (; s.n >= 8; s.n -= 8, s.p += 8) {
        uint64_t k = load_le(s.p, 8) * mul;
        h = (h ^ ((k ^ k >> 47) * mul)) * mul;
    }
    if (s.n) h = (h ^ load_le(s.p, s.n)) * mul;
    h = (h ^ h >> 47) * mul;
    return h ^ h >> 47;
}

struct hll_hit hll_hit_of(struct slice element)
{
    uint64_t hash = murmur64a(element);
    uint64_t rest = hash >> INDEX_BITS | (uint64_t)1 << HASH_BITS;
    return (struct hll_hit){(uint32_t)(hash & (HLL_REGISTERS - 1)),
                            (uint8_t)(__builtin_ctzll(rest) + 1)};
}

/* ---- dense ---------------------------------------------------------------------------------- */

/* Eight registers are six bytes. */
#define PER_GROUP   8
#define GROUP_BYTES 6
#define GROUPS      (HLL_REGISTERS / PER_GROUP)

static unsigned dense_get(const uint8_t *registers, uint32_t index)
{
    const uint8_t *p = registers + index * 6 / 8;
    unsigned shift = index * 6 % 8, v = p[0] >> shift;
    if (shift > 2) v |= (unsigned)p[1] << (8 - shift);
    return v & 63;
}

static void dense_set(uint8_t *registers, uint32_t index, unsigned value)
{
    uint8_t *p = registers + index * 6 / 8;
    unsigned shift = index * 6 % 8;
    p[0] = (uint8_t)((p[0] & ~(63u << shift)) | value << shift);
    if (shift > 2) p[1] = (uint8_t)((p[1] & ~(63u >> (8 - shift))) | value >> (8 - shift));
}

/* Of eight registers, 48 bits to 64: the halves, quarters and eighths move apart in turn. */
static inline uint64_t spread(uint64_t x)
{
    x = (x & 0x0000000000ffffff) | (x & 0x0000ffffff000000) << 8;
    x = (x & 0x00000fff00000fff) | (x & 0x00fff00000fff000) << 4;
    return (x & 0x003f003f003f003f) | (x & 0x0fc00fc00fc00fc0) << 2;
}

static inline uint64_t gather(uint64_t x)
{
    x = (x & 0x003f003f003f003f) | (x & 0x3f003f003f003f00) >> 2;
    x = (x & 0x00000fff00000fff) | (x & 0x0fff00000fff0000) >> 4;
    return (x & 0x0000000000ffffff) | (x & 0x00ffffff00000000) >> 8;
}

/* Group i of a dense one, the first register lowest; two loads. */
static inline uint64_t load_packed(const char *registers, size_t i)
{
    const char *p = registers + i * GROUP_BYTES;
    return load_le(p, 4) | load_le(p + 4, 2) << 32;
}

/* The same, a register a byte. */
static inline uint64_t load_group(const char *registers, size_t i)
{
    return spread(load_packed(registers, i));
}

void hll_pack(const uint8_t registers[HLL_REGISTERS], char *dense)
{
    char *p = dense + HLL_HEADER;
    for (size_t i = 0; i < GROUPS; i++, p += GROUP_BYTES) {
        uint64_t x = gather(load_le((const char *)registers + i * PER_GROUP, PER_GROUP));
        for (unsigned k = 0; k < GROUP_BYTES; k++)
            p[k] = (char)(x >> 8 * k);
    }
}

/* ---- sparse --------------------------------------------------------------------------------- */

struct run { /* what an opcode says */
    uint32_t len, value;
    size_t bytes;
};

/* The opcode at `at`; false: it is cut off. */
static inline bool run_at(struct slice s, size_t at, struct run *run)
{
    uint8_t op = (uint8_t)s.p[at];
    if (op & 0x80) {
        *run = (struct run){(op & 3u) + 1, (op >> 2 & 31u) + 1, 1};
    } else if (op & 0x40) {
        if (at + 1 >= s.n) return false;
        *run = (struct run){((op & 63u) << 8 | (uint8_t)s.p[at + 1]) + 1, 0, 2};
    } else {
        *run = (struct run){op + 1u, 0, 1};
    }
    return true;
}

static inline uint8_t value_opcode(uint32_t value, uint32_t len)
{
    return (uint8_t)(0x80 | (value - 1) << 2 | (len - 1));
}

/* Appends the opcode of a run, if it is any long. */
static void edit_add(struct hll_edit *edit, uint32_t value, uint32_t len)
{
    uint8_t *p = edit->opcodes + edit->len;
    if (len == 0) return;
    if (value) {
        p[0] = value_opcode(value, len);
    } else if (len <= ZEROS_MAX) {
        p[0] = (uint8_t)(len - 1);
    } else {
        p[0] = (uint8_t)(0x40 | (len - 1) >> 8);
        p[1] = (uint8_t)(len - 1);
        edit->len++;
    }
    edit->len++;
}

static enum hll_effect look_sparse(struct slice s, struct hll_hit hit, struct hll_edit *edit)
{
    size_t at = HLL_HEADER, before = HLL_HEADER;
    uint32_t first = 0;
    struct run run;
    if (hit.value > VALUE_MAX) return HLL_NEEDS_DENSE;
    for (;; before = at, at += run.bytes, first += run.len) {
        if (at >= s.n || !run_at(s, at, &run)) return HLL_CORRUPT;
        if (hit.index < first + run.len) break;
    }
    if (run.value >= hit.value) return HLL_SAME;
    edit->at = at;
    edit->before = before;
    edit->old_len = (uint8_t)run.bytes;
    edit->len = 0;
    edit_add(edit, run.value, hit.index - first);
    edit_add(edit, hit.value, 1);
    edit_add(edit, run.value, first + run.len - 1 - hit.index);
    bool grows = edit->len > edit->old_len;
    if (grows && s.n + edit->len - edit->old_len > hll_limits.sparse_max_bytes)
        return HLL_NEEDS_DENSE;
    return HLL_CHANGES;
}

/* Joins neighbours of one value, from `at` on. Returns the length then. */
static size_t join_runs(char *p, size_t n, size_t at)
{
    struct run a, b;
    for (int i = 0; i < JOIN_LOOKAHEAD && at < n; i++) {
        if (!run_at(slice_of(p, n), at, &a)) break;
        bool two = a.value && at + 1 < n && run_at(slice_of(p, n), at + 1, &b);
        if (two && b.value == a.value && a.len + b.len <= RUN_MAX) {
            p[at + 1] = (char)value_opcode(a.value, a.len + b.len);
            memmove(p + at, p + at + 1, n - at - 1);
            n--;
        } else {
            at += a.bytes;
        }
    }
    return n;
}

static size_t apply_sparse(char *p, size_t n, const struct hll_edit *edit)
{
    size_t behind = edit->at + edit->old_len;
    memmove(p + edit->at + edit->len, p + behind, n - behind);
    memcpy(p + edit->at, edit->opcodes, edit->len);
    return join_runs(p, n + edit->len - edit->old_len, edit->before);
}

bool hll_to_dense(struct slice sparse, char dense[HLL_DENSE_LEN])
{
    uint32_t index = 0;
    struct run run;
    memcpy(dense, sparse.p, HLL_HEADER);
    memset(dense + HLL_HEADER, 0, HLL_DENSE_LEN - HLL_HEADER);
    dense[4] = DENSE;
    for (size_t at = HLL_HEADER; at < sparse.n; at += run.bytes) {
        if (!run_at(sparse, at, &run) || index + run.len > HLL_REGISTERS) return false;
        for (uint32_t i = 0; run.value && i < run.len; i++)
            dense_set((uint8_t *)dense + HLL_HEADER, index + i, run.value);
        index += run.len;
    }
    return index == HLL_REGISTERS;
}

void hll_decode(struct slice sparse, struct buf *out)
{
    struct run run;
    for (size_t at = HLL_HEADER; at < sparse.n && run_at(sparse, at, &run); at += run.bytes) {
        if (out->n) buf_addc(out, ' ');
        if (run.value) {
            buf_addf(out, "v:%u,%u", run.value, run.len);
        } else {
            buf_addf(out, "%c:%u", run.bytes == 2 ? 'Z' : 'z', run.len);
        }
    }
}

/* ---- changing ------------------------------------------------------------------------------- */

enum hll_effect hll_look(struct slice s, struct hll_hit hit, struct hll_edit *edit)
{
    edit->hit = hit;
    edit->dense = !hll_is_sparse(s);
    if (!edit->dense) return look_sparse(s, hit, edit);
    unsigned now = dense_get((const uint8_t *)s.p + HLL_HEADER, hit.index);
    return hit.value > now ? HLL_CHANGES : HLL_SAME;
}

size_t hll_edit_room(struct slice s, const struct hll_edit *edit)
{
    return edit->dense ? s.n : MAX(s.n, s.n + edit->len - edit->old_len);
}

size_t hll_apply(char *p, size_t n, const struct hll_edit *edit)
{
    if (!edit->dense) return apply_sparse(p, n, edit);
    dense_set((uint8_t *)p + HLL_HEADER, edit->hit.index, edit->hit.value);
    return n;
}

/* ---- all registers -------------------------------------------------------------------------- */

/* The higher of each two bytes; all are below 128. */
static inline uint64_t higher(uint64_t a, uint64_t b)
{
    const uint64_t top = 0x8080808080808080u;
    uint64_t not_below = ((a | top) - b) >> 7 & 0x0101010101010101u;
    uint64_t mask = (not_below << 8) - not_below;
    return (a & mask) | (b & ~mask);
}

static void raise_dense(uint8_t registers[HLL_REGISTERS], const char *dense)
{
    for (size_t i = 0; i < GROUPS; i++) {
        uint64_t mine;
        memcpy(&mine, registers + i * PER_GROUP, PER_GROUP);
        mine = higher(mine, load_group(dense, i));
        memcpy(registers + i * PER_GROUP, &mine, PER_GROUP);
    }
}

bool hll_raise_to(uint8_t registers[HLL_REGISTERS], struct slice s)
{
    uint32_t index = 0;
    struct run run;
    if (!hll_is_sparse(s)) {
        raise_dense(registers, s.p + HLL_HEADER);
        return true;
    }
    for (size_t at = HLL_HEADER; at < s.n; at += run.bytes) {
        if (!run_at(s, at, &run) || index + run.len > HLL_REGISTERS) return false;
        for (uint32_t i = 0; run.value && i < run.len; i++)
            registers[index + i] = MAX(registers[index + i], (uint8_t)run.value);
        index += run.len;
    }
    return index == HLL_REGISTERS;
}

/* Two registers at a time: their 12 bits, as they lie in a dense one, are an index. */
struct pairs {
    uint16_t n[64][64]; /* of the second and the first */
};

static inline void count_group(struct pairs *t, uint64_t packed)
{
    uint16_t *n = &t->n[0][0];
    for (unsigned i = 0; i < PER_GROUP * 6; i += 12)
        n[packed >> i & 4095]++;
}

static void sum_pairs(const struct pairs *t, struct hll_histogram *h)
{
    memset(h, 0, sizeof *h);
    for (unsigned second = 0; second < 64; second++) {
        uint32_t sum = 0;
        for (unsigned first = 0; first < 64; first++) {
            h->n[first] += t->n[second][first];
            sum += t->n[second][first];
        }
        h->n[second] += sum;
    }
}

static bool histogram_sparse(struct slice s, struct hll_histogram *h)
{
    uint32_t covered = 0;
    struct run run;
    memset(h, 0, sizeof *h);
    for (size_t at = HLL_HEADER; at < s.n; at += run.bytes) {
        if (!run_at(s, at, &run) || covered + run.len > HLL_REGISTERS) return false;
        h->n[run.value] += run.len;
        covered += run.len;
    }
    return covered == HLL_REGISTERS;
}

bool hll_histogram(struct slice s, struct hll_histogram *h)
{
    if (hll_is_sparse(s)) return histogram_sparse(s, h);
    struct pairs t = {0};
    for (size_t i = 0; i < GROUPS; i++)
        count_group(&t, load_packed(s.p + HLL_HEADER, i));
    sum_pairs(&t, h);
    return true;
}

void hll_histogram_of(const uint8_t registers[HLL_REGISTERS], struct hll_histogram *h)
{
    struct pairs t = {0};
    for (size_t i = 0; i < GROUPS; i++)
        count_group(&t, gather(load_le((const char *)registers + i * PER_GROUP, PER_GROUP)));
    sum_pairs(&t, h);
}

/* ---- the estimate --------------------------------------------------------------------------- */

/* x + sum over k >= 1 of x^(2^k) * 2^(k-1) */
static double sigma(double x)
{
    double sum = x, before, power = 1;
    if (x == 1) return INFINITY;
    do {
        x *= x;
        before = sum;
        sum += x * power;
        power += power;
    } while (sum != before);
    return sum;
}

/* (1 - x - sum over k >= 1 of (1 - x^(2^-k))^2 * 2^-k) / 3 */
static double tau(double x)
{
    double sum = 1 - x, before, power = 1;
    if (x == 0 || x == 1) return 0;
    do {
        x = sqrt(x);
        before = sum;
        power *= 0.5;
        sum -= pow(1 - x, 2) * power;
    } while (sum != before);
    return sum / 3;
}

uint64_t hll_estimate(const struct hll_histogram *h)
{
    const double alpha = 0.721347520444481703680; /* 1 / (2 ln 2) */
    double m = HLL_REGISTERS;
    double z = m * tau((m - h->n[HASH_BITS + 1]) / m);
    for (int i = HASH_BITS; i >= 1; i--)
        z = (z + h->n[i]) * 0.5;
    z += m * sigma(h->n[0] / m);
    return (uint64_t)llroundl(alpha * m * m / z);
}
