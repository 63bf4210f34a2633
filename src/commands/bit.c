/*
 * bit.c - strings as arrays of bits: one at a time, counting, finding. Operations between strings
 * are in bitop.c, fields of several bits in bitfield.c, the declarations in bit_table.c.
 *
 * Invariants
 *  1. A string that bits were written to is `raw`, as in Redis, even where nothing changed.
 *  2. A missing key is endless zeros.
 */
#include "commands/bit_internal.h"

bool bit_offset(struct call *c, uint32_t arg, unsigned width, uint64_t *at)
{
    struct slice s = c->argv[arg];
    int64_t v;
    size_t max = atomic_load_explicit(&commands_max_string, memory_order_relaxed);
    bool fields = width > 0 && s.n > 0 && s.p[0] == '#';
    if (fields) s = slice_of(s.p + 1, s.n - 1);
    if (!num_parse_i64(s, &v) || (fields && __builtin_mul_overflow(v, (int64_t)width, &v)) ||
        v < 0 || (uint64_t)v / 8 >= max) {
        reply_error(c->r, "ERR bit offset is not an integer or out of range");
        return false;
    }
    *at = (uint64_t)v;
    return true;
}

char *bit_string(struct call *c, const struct key *k, struct entry **slot, uint64_t last, size_t *n,
                 bool *grew)
{
    size_t need = (size_t)(last / 8 + 1), len = slot ? string_len(*slot) : 0;
    *grew = len < need;
    *n = MAX(len, need);
    return string_create_writable(c, k, slot, need);
}

/* ---- one bit -------------------------------------------------------------------------------- */

void setbit_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    uint64_t at;
    int64_t on;
    size_t n;
    bool grew, wrong = false;
    if (!bit_offset(c, 2, 0, &at)) return;
    if (!call_i64_range(c, 3, 0, 1, &on, "bit is not an integer or out of range")) return;
    struct entry **slot = string_slot(c, k, 0, &wrong);
    if (wrong) return;
    char *bytes = bit_string(c, k, slot, at, &n, &grew);
    if (!bytes) return;
    char bit = (char)(0x80 >> (at & 7)), *byte = bytes + at / 8;
    bool was = *byte & bit;
    if (grew || was != on) {
        *byte = (char)(on ? *byte | bit : *byte & ~bit);
        call_changed(c, k, '$', "setbit");
    }
    reply_int(c->r, was);
}

void getbit_command(struct call *c)
{
    uint64_t at;
    bool wrong = false;
    char tmp[NUM_I64_MAX];
    if (!bit_offset(c, 2, 0, &at)) return;
    struct entry **slot = string_slot(c, &c->keys[0], 0, &wrong);
    if (wrong) return;
    struct slice s = slot ? string_view(*slot, tmp) : slice_of(NULL, 0);
    bool on = at / 8 < s.n && (s.p[at / 8] & 0x80 >> (at & 7));
    reply_int(c->r, on);
}

/* ---- ranges --------------------------------------------------------------------------------- */

struct bit_range { /* as given: both ends count, and may be negative */
    int64_t start, end;
    bool bits, ends; /* they count bits, not bytes; an end was given */
};

/* [start [end [BYTE|BIT]]] from argument `arg` on. */
static bool range_parse(struct call *c, uint32_t arg, struct bit_range *r)
{
    *r = (struct bit_range){.end = -1};
    if (c->argc > arg && !call_i64(c, arg, &r->start)) return false;
    if (c->argc > arg + 3) {
        call_syntax_error(c);
        return false;
    }
    if (c->argc == arg + 3) {
        r->bits = slice_is(c->argv[arg + 2], "BIT");
        if (!r->bits && !slice_is(c->argv[arg + 2], "BYTE")) {
            call_syntax_error(c);
            return false;
        }
    }
    r->ends = c->argc > arg + 1;
    return !r->ends || call_i64(c, arg + 1, &r->end);
}

/* The bits [*from, *to) that it means of a string of n bytes. */
static void range_bits(const struct bit_range *r, size_t n, uint64_t *from, uint64_t *to)
{
    int64_t total = (int64_t)(r->bits ? n * 8 : n), unit = r->bits ? 1 : 8;
    int64_t start = r->start < 0 ? MAX(total + r->start, 0) : r->start;
    int64_t end = r->end < 0 ? MAX(total + r->end, 0) : r->end;
    end = MIN(end, total - 1);
    *from = *to = 0;
    if (start > end) return;
    *from = (uint64_t)(start * unit);
    *to = (uint64_t)((end + 1) * unit);
}

void bitcount_command(struct call *c)
{
    struct bit_range r;
    uint64_t from, to;
    bool wrong = false;
    char tmp[NUM_I64_MAX];
    if (c->argc == 3) {
        call_syntax_error(c);
        return;
    }
    if (!range_parse(c, 2, &r)) return;
    struct entry **slot = string_slot(c, &c->keys[0], 0, &wrong);
    if (wrong) return;
    struct slice s = slot ? string_view(*slot, tmp) : slice_of("", 0);
    range_bits(&r, s.n, &from, &to);
    if (r.start < 0 && r.end < 0 && r.start > r.end) to = from;
    reply_int(c->r, (int64_t)bits_count(s.p, from, to));
}

/* A clear bit that the string does not have lies right behind it, unless an end was given. */
static int64_t find_bit(struct slice s, const struct bit_range *r, bool bit)
{
    uint64_t from, to;
    range_bits(r, s.n, &from, &to);
    if (from == to) return -1;
    uint64_t at = bits_find(s.p, from, to, bit);
    if (at != BITS_NONE) return (int64_t)at;
    return bit || r->ends ? -1 : (int64_t)s.n * 8;
}

void bitpos_command(struct call *c)
{
    struct bit_range r;
    int64_t bit;
    bool wrong = false;
    char tmp[NUM_I64_MAX];
    if (!call_i64(c, 2, &bit)) return;
    if (bit != 0 && bit != 1) {
        reply_error(c->r, "ERR The bit argument must be 1 or 0.");
        return;
    }
    if (!range_parse(c, 3, &r)) return;
    struct entry **slot = string_slot(c, &c->keys[0], 0, &wrong);
    if (wrong) return;
    if (slot) {
        reply_int(c->r, find_bit(string_view(*slot, tmp), &r, bit != 0));
    } else {
        reply_int(c->r, bit ? -1 : 0);
    }
}
