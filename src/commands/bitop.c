/*
 * bitop.c - BITOP: the bits of several strings, combined into one.
 *
 * The result goes where the destination's bytes lie already, if it has room for them and nobody
 * else reads them (it may be a source too: bits_combine() allows that); else into a new value.
 */
#include "commands/bit_internal.h"

struct operation {
    const char *name;
    enum bits_op op;
    uint32_t least; /* arguments */
};

static const struct operation operations[] = {
    {"AND", BITS_AND, 4},     {"OR", BITS_OR, 4},     {"XOR", BITS_XOR, 4},
    {"NOT", BITS_NOT, 4},     {"DIFF", BITS_DIFF, 5}, {"DIFF1", BITS_DIFF1, 5},
    {"ANDOR", BITS_ANDOR, 5}, {"ONE", BITS_ONE, 4},
};

static const struct operation *operation_parse(struct call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        const struct operation *o = &operations[i];
        if (!slice_is(c->argv[1], o->name)) continue;
        if (o->op == BITS_NOT && c->argc != 4) {
            reply_error(c->r, "ERR BITOP NOT must be called with a single source key.");
            return NULL;
        }
        if (c->argc >= o->least) return o;
        reply_errorf(c->r, "ERR BITOP %s must be called with at least two source keys.", o->name);
        return NULL;
    }
    call_syntax_error(c);
    return NULL;
}

struct sources {
    struct slice *s; /* and behind them NUM_I64_MAX bytes each, for numbers */
    size_t n, longest;
};

/* False: one is no string; replied. */
static bool sources_read(struct call *c, struct sources *src)
{
    bool wrong = false;
    src->n = c->nkeys - 1;
    src->longest = 0;
    src->s = mem_alloc(src->n * (sizeof(struct slice) + NUM_I64_MAX));
    char *tmp = (char *)(src->s + src->n);
    for (size_t i = 0; i < src->n; i++, tmp += NUM_I64_MAX) {
        struct entry **slot = string_slot(c, &c->keys[i + 1], 0, &wrong);
        if (wrong) return false;
        src->s[i] = slot ? string_view(*slot, tmp) : slice_of("", 0);
        src->longest = MAX(src->longest, src->s[i].n);
    }
    return true;
}

/* A new entry of n bytes, at *bytes, for k. NULL: no memory. Short ones are `raw` too. */
static struct entry *new_value(const struct key *k, size_t n, char **bytes)
{
    if (n <= ENTRY_INLINE_MAX) {
        struct entry *e = entry_new_string(k->s, slice_of(NULL, 0), ENTRY_NO_EXPIRE);
        return string_make_writable(e, n, bytes);
    }
    struct blob *b = blob_new(n);
    if (!b) return NULL;
    *bytes = b->data;
    return entry_new_blob(k->s, b, ENTRY_NO_EXPIRE);
}

static void store_over(struct call *c, const struct key *k, struct entry **slot, enum bits_op op,
                       const struct sources *src)
{
    char *bytes = string_writable(c, k, slot, src->longest);
    bits_combine(op, bytes, src->longest, src->s, src->n);
    string_cut(*slot, src->longest);
    if ((*slot)->has_expire) ks_set_expire(call_part(c, k), c->db, k, slot, ENTRY_NO_EXPIRE);
}

static bool store_new(struct call *c, const struct key *k, struct entry **slot, enum bits_op op,
                      const struct sources *src)
{
    char *bytes;
    struct entry *e = new_value(k, src->longest, &bytes);
    if (!e) {
        reply_error(c->r, "ERR out of memory");
        return false;
    }
    bits_combine(op, bytes, src->longest, src->s, src->n);
    if (slot) {
        ks_replace(call_part(c, k), c->db, k, slot, e);
    } else {
        ks_add(call_part(c, k), c->db, k, e);
    }
    return true;
}

static void store(struct call *c, enum bits_op op, const struct sources *src)
{
    const struct key *k = &c->keys[0];
    struct entry **slot = call_find(c, k, KS_NO_TOUCH);
    if (src->longest == 0) {
        if (slot) {
            ks_delete(call_part(c, k), c->db, k, slot, true);
            call_changed(c, k, 'g', "del");
        }
    } else {
        if (slot && string_is_room_for(*slot, src->longest)) {
            store_over(c, k, slot, op, src);
        } else if (!store_new(c, k, slot, op, src)) {
            return;
        }
        call_changed(c, k, '$', "set");
    }
    reply_int(c->r, (int64_t)src->longest);
}

void bitop_command(struct call *c)
{
    struct sources src;
    const struct operation *o = operation_parse(c);
    if (!o) return;
    if (sources_read(c, &src)) store(c, o->op, &src);
    mem_free(src.s);
}
