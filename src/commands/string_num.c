/*
 * string_num.c - strings that count: INCR and its kin. An integer lies in its entry's value word
 * and is changed there.
 */
#include "commands/string_internal.h"

#include <math.h>

/* The number in the slot (0 when absent). False: it holds none; the error has been replied. */
static inline bool number_in(struct call *c, struct entry **slot, int64_t *v)
{
    *v = 0;
    if (!slot) return true;
    if (LIKELY((*slot)->enc == ENC_INT)) {
        *v = (*slot)->v.i;
        return true;
    }
    if (string_to_i64(*slot, v)) return true;
    reply_error(c->r, "ERR value is not an integer or out of range");
    return false;
}

static inline void put_number(struct call *c, const struct key *k, struct entry **slot, int64_t v)
{
    if (LIKELY(slot && (*slot)->enc == ENC_INT)) {
        (*slot)->v.i = v;
    } else if (slot) {
        struct entry *old = *slot;
        bool had_expire = old->has_expire;
        struct entry *e = string_set_int(old, v);
        if (e != old) ks_moved(call_part(c, k), c->db, k, slot, e, had_expire);
    } else {
        ks_add(call_part(c, k), c->db, k, entry_new_int(k->s, v, ENTRY_NO_EXPIRE));
    }
}

static inline void add(struct call *c, int64_t by)
{
    const struct key *k = &c->keys[0];
    int64_t v;
    bool wrong = false;
    struct entry **slot = string_slot(c, k, KS_NO_STATS, &wrong);
    if (UNLIKELY(wrong) || !number_in(c, slot, &v)) return;
    if (UNLIKELY(__builtin_add_overflow(v, by, &v))) {
        reply_error(c->r, "ERR increment or decrement would overflow");
        return;
    }
    put_number(c, k, slot, v);
    call_changed(c, k, '$', "incrby");
    reply_int(c->r, v);
}

void incr_command(struct call *c)
{
    add(c, 1);
}

void decr_command(struct call *c)
{
    add(c, -1);
}

void incrby_command(struct call *c)
{
    int64_t by;
    if (call_i64(c, 2, &by)) add(c, by);
}

void decrby_command(struct call *c)
{
    int64_t by;
    if (!call_i64(c, 2, &by)) return;
    if (by == INT64_MIN) {
        reply_error(c->r, "ERR decrement would overflow");
        return;
    }
    add(c, -by);
}

static bool parse_float(struct call *c, struct slice s, long double *out)
{
    if (num_parse_long_double(s, out)) return true;
    reply_error(c->r, "ERR value is not a valid float");
    return false;
}

void incrbyfloat_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    long double v = 0, by;
    char tmp[NUM_I64_MAX], text[NUM_LD_MAX];
    bool wrong = false;
    struct entry **slot = string_slot(c, k, KS_NO_STATS, &wrong);
    if (wrong) return;
    if (slot && !parse_float(c, string_view(*slot, tmp), &v)) return;
    if (!parse_float(c, c->argv[2], &by)) return;
    v += by;
    if (isnan(v) || isinf(v)) {
        reply_error(c->r, "ERR increment would produce NaN or Infinity");
        return;
    }
    struct slice s = slice_of(text, num_fmt_long_double(text, v));
    if (slot) {
        struct entry *old = *slot;
        bool had_expire = old->has_expire;
        struct entry *e = string_set(old, s);
        if (e != old) ks_moved(call_part(c, k), c->db, k, slot, e, had_expire);
    } else {
        ks_add(call_part(c, k), c->db, k, entry_new_string(k->s, s, ENTRY_NO_EXPIRE));
    }
    call_changed(c, k, '$', "incrbyfloat");
    reply_bulk(c->r, s);
}
