/*
 * bitfield.c - BITFIELD: strings as arrays of integers of any width, at any bit.
 *
 * All arguments are read before the first field is. Then the operations run in order, each on what
 * those before it wrote. What a SET or INCRBY gives is computed exactly, in 128 bits, and brought
 * into the field's range as OVERFLOW says.
 */
#include "commands/bit_internal.h"

struct field { /* one operation */
    enum { FIELD_GET, FIELD_SET, FIELD_INCRBY } what;
    enum { WRAP, SAT, FAIL } overflow;
    bool is_signed;
    unsigned width;
    uint64_t at;
    int64_t operand;
};

struct fields {
    struct field few[8], *all;
    size_t n;
    uint64_t last; /* the highest bit that is written */
    bool writes;
};

/* ---- arguments ------------------------------------------------------------------------------ */

static bool overflow_parse(struct call *c, uint32_t arg, struct field *f)
{
    static const char *const words[] = {[WRAP] = "WRAP", [SAT] = "SAT", [FAIL] = "FAIL"};
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        if (!slice_is(c->argv[arg], words[i])) continue;
        f->overflow = i;
        return true;
    }
    reply_error(c->r, "ERR Invalid OVERFLOW type specified");
    return false;
}

/* "i8", "u63" */
static bool type_parse(struct call *c, uint32_t arg, struct field *f)
{
    struct slice s = c->argv[arg];
    int64_t width;
    char sign = s.n ? s.p[0] : 0;
    if ((sign != 'i' && sign != 'u') || !num_parse_i64(slice_of(s.p + 1, s.n - 1), &width) ||
        width < 1 || width > (sign == 'i' ? 64 : 63)) {
        reply_error(c->r, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is "
                          "not supported but i64 is.");
        return false;
    }
    f->is_signed = sign == 'i';
    f->width = (unsigned)width;
    return true;
}

/* The word at *arg and how many arguments it has; 0: none of them, or they are missing. */
static unsigned word_parse(struct call *c, uint32_t arg, struct field *f)
{
    static const struct {
        const char *name;
        int what;
        unsigned args;
    } words[] = {{"GET", FIELD_GET, 2}, {"SET", FIELD_SET, 3}, {"INCRBY", FIELD_INCRBY, 3}};
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        if (!slice_is(c->argv[arg], words[i].name) || c->argc - arg - 1 < words[i].args) continue;
        f->what = words[i].what;
        return words[i].args;
    }
    return 0;
}

static bool field_parse(struct call *c, uint32_t *arg, struct fields *all, struct field *f)
{
    unsigned args = word_parse(c, *arg, f);
    if (args == 0) {
        call_syntax_error(c);
        return false;
    }
    if (!type_parse(c, *arg + 1, f) || !bit_offset(c, *arg + 2, f->width, &f->at)) return false;
    if (f->what != FIELD_GET) {
        all->writes = true;
        all->last = MAX(all->last, f->at + f->width - 1);
        if (!call_i64(c, *arg + 3, &f->operand)) return false;
    }
    *arg += args;
    all->all[all->n++] = *f;
    return true;
}

static bool fields_parse(struct call *c, struct fields *all)
{
    struct field f = {.overflow = WRAP};
    size_t most = c->argc / 3; /* each takes three arguments at least */
    all->n = 0;
    all->last = 0;
    all->writes = false;
    all->all = most > ARRAY_LEN(all->few) ? mem_alloc(most * sizeof f) : all->few;
    for (uint32_t arg = 2; arg < c->argc; arg++) {
        if (slice_is(c->argv[arg], "OVERFLOW") && arg + 1 < c->argc) {
            if (!overflow_parse(c, ++arg, &f)) return false;
        } else if (!field_parse(c, &arg, all, &f)) {
            return false;
        }
    }
    return true;
}

static void fields_free(struct fields *all)
{
    if (all->all != all->few) mem_free(all->all);
}

uint32_t bitfield_key_flags(uint32_t argc, const struct slice *argv)
{
    for (uint32_t i = 2; i < argc; i++) {
        if (slice_is(argv[i], "SET") || slice_is(argv[i], "INCRBY")) {
            return KEY_RW | KEY_ACCESS | KEY_UPDATE;
        }
        if (slice_is(argv[i], "GET")) i += 2;
    }
    return KEY_RO | KEY_ACCESS;
}

/* ---- running -------------------------------------------------------------------------------- */

/* The bits of a field as the number that they are. */
static int64_t value_of(const struct field *f, uint64_t bits)
{
    unsigned unused = 64 - f->width;
    return f->is_signed ? (int64_t)(bits << unused) >> unused : (int64_t)bits;
}

/* v as bits of the field. False: it does not fit, and shall not be written then. */
static bool settle(const struct field *f, __int128 v, uint64_t *bits)
{
    __int128 max = ((__int128)1 << (f->width - f->is_signed)) - 1;
    __int128 min = f->is_signed ? -max - 1 : 0;
    if (v < min || v > max) {
        if (f->overflow == FAIL) return false;
        if (f->overflow == SAT) v = v < min ? min : max;
    }
    *bits = (uint64_t)v & (UINT64_MAX >> (64 - f->width));
    return true;
}

/* The number that is to be written. */
static __int128 wanted(const struct field *f, int64_t old)
{
    if (f->what == FIELD_INCRBY) return (__int128)old + f->operand;
    return f->is_signed ? f->operand : (__int128)(uint64_t)f->operand;
}

/* How many changes it counts as: of a string that grew, every write is one. */
static uint32_t run_write(struct call *c, const struct field *f, char *bytes, size_t n, bool grew)
{
    uint64_t old = bits_get(bytes, n, f->at, f->width), bits;
    if (!settle(f, wanted(f, value_of(f, old)), &bits)) {
        reply_null(c->r);
        return 0;
    }
    reply_int(c->r, value_of(f, f->what == FIELD_SET ? old : bits));
    bits_put(bytes, f->at, f->width, bits);
    return grew || bits != old;
}

static void run_get(struct call *c, const struct field *f, const char *bytes, size_t n)
{
    reply_int(c->r, value_of(f, bits_get(bytes, n, f->at, f->width)));
}

static void run_reading(struct call *c, const struct fields *all, struct entry **slot)
{
    char tmp[NUM_I64_MAX];
    struct slice s = slot ? string_view(*slot, tmp) : slice_of(NULL, 0);
    reply_array(c->r, all->n);
    for (size_t i = 0; i < all->n; i++)
        run_get(c, &all->all[i], s.p, s.n);
}

static void run_writing(struct call *c, const struct fields *all, struct entry **slot)
{
    const struct key *k = &c->keys[0];
    uint32_t changes = 0;
    size_t n;
    bool grew;
    char *bytes = bit_string(c, k, slot, all->last, &n, &grew);
    if (!bytes) return;
    reply_array(c->r, all->n);
    for (size_t i = 0; i < all->n; i++) {
        const struct field *f = &all->all[i];
        if (f->what == FIELD_GET) {
            run_get(c, f, bytes, n);
        } else {
            changes += run_write(c, f, bytes, n, grew);
        }
    }
    if (changes == 0 && !grew) return;
    call_changed(c, k, '$', "setbit");
    if (changes) c->dirty += changes - 1;
}

static void run(struct call *c, bool read_only)
{
    struct fields all;
    bool wrong = false;
    if (fields_parse(c, &all)) {
        if (all.writes && read_only) {
            reply_error(c->r, "ERR BITFIELD_RO only supports the GET subcommand");
        } else {
            struct entry **slot = string_slot(c, &c->keys[0], 0, &wrong);
            if (!wrong) (all.writes ? run_writing : run_reading)(c, &all, slot);
        }
    }
    fields_free(&all);
}

void bitfield_command(struct call *c)
{
    run(c, false);
}

void bitfield_ro_command(struct call *c)
{
    run(c, true);
}
