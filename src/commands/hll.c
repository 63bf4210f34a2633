/*
 * hll.c - HyperLogLogs: adding, counting, merging. They are strings; what is in them is the
 * business of types/hll.c.
 *
 * Invariants
 *  1. A string that does not have the header is refused before it is touched; one that turns out to
 * be corrupt further on is an error, and keeps what was done to it until then.
 *  2. Whoever changes a register marks the cached estimate as out of date.
 */
#include "commands/hll_internal.h"

void hll_corrupt(struct call *c)
{
    reply_error(c->r, "INVALIDOBJ Corrupted HLL object detected");
}

struct entry **hll_slot(struct call *c, const struct key *k, bool *wrong)
{
    char tmp[NUM_I64_MAX];
    struct entry **slot = string_slot(c, k, 0, wrong);
    if (!slot || hll_valid(string_view(*slot, tmp))) return slot;
    reply_error(c->r, "WRONGTYPE Key is not a valid HyperLogLog string value.");
    *wrong = true;
    return NULL;
}

bool hll_make_dense(struct call *c, const struct key *k, struct entry **slot)
{
    struct entry *old = *slot;
    bool had_expire = old->has_expire;
    if (!hll_is_sparse(hll_view(slot))) return true;
    struct blob *b = blob_new(HLL_DENSE_LEN);
    if (!b) panic("Out of memory for a HyperLogLog");
    if (!hll_to_dense(hll_view(slot), b->data)) {
        blob_unref(b);
        hll_corrupt(c);
        return false;
    }
    struct entry *e = string_set_blob(old, b);
    if (e != old) ks_moved(call_part(c, k), c->db, k, slot, e, had_expire);
    return true;
}

/* ---- adding --------------------------------------------------------------------------------- */

static struct entry **add_empty(struct call *c, const struct key *k)
{
    char *bytes;
    struct entry *e = entry_new_string(k->s, slice_of(NULL, 0), ENTRY_NO_EXPIRE);
    e = string_make_writable(e, HLL_EMPTY_LEN, &bytes);
    hll_empty(bytes);
    return ks_add(call_part(c, k), c->db, k, e);
}

/* The HyperLogLog at k, made when absent: then *changes grows. NULL: replied. */
static struct entry **for_write(struct call *c, const struct key *k, uint32_t *changes)
{
    bool wrong = false;
    struct entry **slot = hll_slot(c, k, &wrong);
    if (slot || wrong) return slot;
    ++*changes;
    return add_empty(c, k);
}

/* Returns 1: the register was raised; 0: it was as high; -1: corrupt, or no memory; replied. */
static int raise_register(struct call *c, const struct key *k, struct entry **slot,
                          struct hll_hit hit)
{
    struct hll_edit edit;
    struct slice s = hll_view(slot);
    enum hll_effect effect = hll_look(s, hit, &edit);
    if (effect == HLL_NEEDS_DENSE) {
        if (!hll_make_dense(c, k, slot)) return -1;
        s = hll_view(slot);
        effect = hll_look(s, hit, &edit);
    }
    if (effect == HLL_SAME) return 0;
    if (effect == HLL_CORRUPT) {
        hll_corrupt(c);
        return -1;
    }
    char *bytes = string_writable(c, k, slot, hll_edit_room(s, &edit));
    if (!bytes) return -1;
    string_cut(*slot, hll_apply(bytes, s.n, &edit));
    return 1;
}

static bool uncache(struct call *c, const struct key *k, struct entry **slot)
{
    char *bytes = string_writable(c, k, slot, 0);
    if (bytes) hll_uncache(bytes);
    return bytes != NULL;
}

void pfadd_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    uint32_t changes = 0;
    struct entry **slot = for_write(c, k, &changes);
    if (!slot) return;
    for (uint32_t i = 2; i < c->argc; i++) {
        int raised = raise_register(c, k, slot, hll_hit_of(c->argv[i]));
        if (raised < 0) return;
        changes += (uint32_t)raised;
    }
    if (changes) {
        if (!uncache(c, k, slot)) return;
        call_changed(c, k, '$', "pfadd");
        c->dirty += changes - 1;
    }
    reply_int(c->r, changes > 0);
}

/* ---- several together ----------------------------------------------------------------------- */

/* The registers of the union of all keys, to be freed; those of absent ones are 0. NULL: replied.
 * *dense: one of them is. */
static uint8_t *union_of(struct call *c, bool *dense)
{
    bool wrong = false;
    uint8_t *registers = mem_calloc(HLL_REGISTERS);
    *dense = false;
    for (uint32_t i = 0; i < c->nkeys && !wrong; i++) {
        struct entry **slot = hll_slot(c, &c->keys[i], &wrong);
        if (!slot) continue;
        struct slice s = hll_view(slot);
        *dense |= !hll_is_sparse(s);
        if (hll_raise_to(registers, s)) continue;
        hll_corrupt(c);
        wrong = true;
    }
    if (!wrong) return registers;
    mem_free(registers);
    return NULL;
}

static bool merge_sparse(struct call *c, const struct key *k, struct entry **slot,
                         const uint8_t *registers)
{
    for (uint32_t i = 0; i < HLL_REGISTERS; i++) {
        if (registers[i] == 0) continue;
        if (raise_register(c, k, slot, (struct hll_hit){i, registers[i]}) < 0) return false;
        if (!hll_is_sparse(hll_view(slot))) break; /* it has become dense */
    }
    return true;
}

/* Gives the HyperLogLog in slot these registers, none of which is lower than its own. */
static bool merge(struct call *c, const struct key *k, struct entry **slot,
                  const uint8_t *registers, bool dense)
{
    if (dense && !hll_make_dense(c, k, slot)) return false;
    if (!dense && !merge_sparse(c, k, slot, registers)) return false;
    char *bytes = string_writable(c, k, slot, 0);
    if (!bytes) return false;
    if (!hll_is_sparse(hll_view(slot))) hll_pack(registers, bytes);
    hll_uncache(bytes);
    return true;
}

void pfmerge_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    uint32_t changes = 0;
    bool dense;
    uint8_t *registers = union_of(c, &dense);
    if (!registers) return;
    struct entry **slot = for_write(c, k, &changes);
    if (slot && merge(c, k, slot, registers, dense)) {
        call_changed(c, k, '$', "pfadd");
        reply_ok(c->r);
    }
    mem_free(registers);
}

/* ---- counting ------------------------------------------------------------------------------- */

/* Of one, whose estimate is kept in it: that is a change, but not one of its elements. */
static void count_one(struct call *c, const struct key *k, struct entry **slot)
{
    struct hll_histogram h;
    uint64_t estimate;
    if (!hll_cached(hll_view(slot), &estimate)) {
        if (!hll_histogram(hll_view(slot), &h)) {
            hll_corrupt(c);
            return;
        }
        estimate = hll_estimate(&h);
        char *bytes = string_writable(c, k, slot, 0);
        if (!bytes) return;
        hll_cache(bytes, estimate);
        ks_touched(call_part(c, k), c->db, k);
        c->dirty++;
    }
    reply_int(c->r, (int64_t)estimate);
}

static void count_union(struct call *c)
{
    struct hll_histogram h;
    bool dense;
    uint8_t *registers = union_of(c, &dense);
    if (!registers) return;
    hll_histogram_of(registers, &h);
    mem_free(registers);
    reply_int(c->r, (int64_t)hll_estimate(&h));
}

void pfcount_command(struct call *c)
{
    bool wrong = false;
    if (c->nkeys > 1) {
        count_union(c);
        return;
    }
    struct entry **slot = hll_slot(c, &c->keys[0], &wrong);
    if (slot) {
        count_one(c, &c->keys[0], slot);
    } else if (!wrong) {
        reply_zero(c->r);
    }
}
