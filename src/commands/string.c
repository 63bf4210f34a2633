/*
 * string.c - strings: reading them, whole or in part, and changing them in place. Setting them is
 * in string_set.c, counting in string_num.c, LCS in lcs.c; the declarations are in string_table.c.
 *
 * Invariants
 *  1. No string is longer than commands_max_string, unless that was lowered since.
 *  2. A value that is read is replied from where it lies: a large one is referenced, not copied.
 */
#include "commands/string_internal.h"

_Atomic(size_t) commands_max_string = (size_t)512 << 20;

bool string_length_ok(struct call *c, size_t start, size_t n)
{
    size_t max = atomic_load_explicit(&commands_max_string, memory_order_relaxed), total;
    if (LIKELY(!__builtin_add_overflow(start, n, &total) && total <= max)) return true;
    reply_error(c->r, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
}

/* ---- reading -------------------------------------------------------------------------------- */

void get_command(struct call *c)
{
    bool wrong = false;
    struct entry **slot = string_slot(c, &c->keys[0], 0, &wrong);
    if (LIKELY(slot)) {
        reply_bulk_entry(c->r, *slot);
    } else if (!wrong) {
        reply_null(c->r);
    }
}

void mget_command(struct call *c)
{
    reply_array(c->r, c->nkeys);
    for (uint32_t i = 0; i < c->nkeys; i++) {
        struct entry **slot = call_find(c, &c->keys[i], 0);
        if (slot && (*slot)->type == TYPE_STRING) {
            reply_bulk_entry(c->r, *slot);
        } else {
            reply_null(c->r);
        }
    }
}

void strlen_command(struct call *c)
{
    bool wrong = false;
    struct entry **slot = string_slot(c, &c->keys[0], 0, &wrong);
    if (!wrong) reply_int(c->r, slot ? (int64_t)string_len(*slot) : 0);
}

/* The part from start to end (both included, negative: from the end) of s. */
static struct slice part_of(struct slice s, int64_t start, int64_t end)
{
    int64_t n = (int64_t)s.n;
    if (start < 0) start = MAX(n + start, 0);
    end = end < 0 ? n + end : MIN(end, n - 1);
    if (start > end) return slice_of(NULL, 0);
    return slice_of(s.p + start, (size_t)(end - start + 1));
}

void getrange_command(struct call *c)
{
    int64_t start, end;
    bool wrong = false;
    char tmp[NUM_I64_MAX];
    if (!call_i64(c, 2, &start) || !call_i64(c, 3, &end)) return;
    struct entry **slot = string_slot(c, &c->keys[0], 0, &wrong);
    if (wrong) return;
    struct slice s = slot ? string_view(*slot, tmp) : slice_of(NULL, 0);
    reply_bulk(c->r, part_of(s, start, end));
}

void digest_command(struct call *c)
{
    bool wrong = false;
    char tmp[NUM_I64_MAX];
    struct entry **slot = string_slot(c, &c->keys[0], 0, &wrong);
    if (slot) {
        struct slice s = string_view(*slot, tmp);
        reply_bulkf(c->r, "%016llx", (unsigned long long)XXH3_64bits(s.p, s.n));
    } else if (!wrong) {
        reply_null(c->r);
    }
}

/* ---- reading, and what then becomes of the key ---------------------------------------------- */

void getdel_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    bool wrong = false;
    struct entry **slot = string_slot(c, k, 0, &wrong);
    if (slot) {
        reply_bulk_entry(c->r, *slot);
        ks_delete(call_part(c, k), c->db, k, slot, true);
        call_changed(c, k, 'g', "del");
    } else if (!wrong) {
        reply_null(c->r);
    }
}

/* GETEX with a time: a point in time that has passed deletes the key. */
static void getex_expire(struct call *c, struct entry **slot, const struct ttl_option *ttl,
                         int64_t expire_ms)
{
    const struct key *k = &c->keys[0];
    bool absolute = ttl->how == TTL_EXAT || ttl->how == TTL_PXAT;
    if (absolute && expire_ms <= c->now_ms) {
        ks_delete(call_part(c, k), c->db, k, slot, true);
        call_changed(c, k, 'g', "del");
        return;
    }
    ks_set_expire(call_part(c, k), c->db, k, slot, expire_ms);
    call_changed(c, k, 'g', "expire");
}

static bool getex_options(struct call *c, struct ttl_option *ttl)
{
    for (uint32_t i = 2; i < c->argc; i++) {
        if (ttl_option_parse(c, &i, ttl) != 1 || ttl->how == TTL_KEEP) {
            call_syntax_error(c);
            return false;
        }
    }
    return true;
}

void getex_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    struct ttl_option ttl = {0};
    int64_t expire_ms;
    bool wrong = false;
    if (!getex_options(c, &ttl)) return;
    struct entry **slot = string_slot(c, k, 0, &wrong);
    if (!slot) {
        if (!wrong) reply_null(c->r);
        return;
    }
    if (!ttl_option_time(c, &ttl, &expire_ms)) return;
    reply_bulk_entry(c->r, *slot);
    if (expire_ms != ENTRY_NO_EXPIRE) {
        getex_expire(c, slot, &ttl, expire_ms);
    } else if (ttl.how == TTL_PERSIST && (*slot)->has_expire) {
        ks_set_expire(call_part(c, k), c->db, k, slot, ENTRY_NO_EXPIRE);
        call_changed(c, k, 'g', "persist");
    }
}

/* ---- changing in place ---------------------------------------------------------------------- */

char *string_writable(struct call *c, const struct key *k, struct entry **slot, size_t len)
{
    struct entry *old = *slot;
    bool had_expire = old->has_expire;
    char *bytes;
    struct entry *e = string_make_writable(old, len, &bytes);
    if (UNLIKELY(!e)) {
        reply_error(c->r, "ERR out of memory");
        return NULL;
    }
    if (e != old) ks_moved(call_part(c, k), c->db, k, slot, e, had_expire);
    return bytes;
}

char *string_create_writable(struct call *c, const struct key *k, struct entry **slot, size_t len)
{
    bool added = !slot;
    if (added) {
        struct entry *e = entry_new_string(k->s, slice_of(NULL, 0), ENTRY_NO_EXPIRE);
        slot = ks_add(call_part(c, k), c->db, k, e);
    }
    char *bytes = string_writable(c, k, slot, len);
    if (UNLIKELY(!bytes && added)) ks_delete(call_part(c, k), c->db, k, slot, false);
    return bytes;
}

void append_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    struct slice s = c->argv[2];
    size_t len = 0;
    bool wrong = false;
    struct entry **slot = string_slot(c, k, KS_NO_STATS, &wrong);
    if (wrong) return;
    if (slot) {
        len = string_len(*slot);
        if (!string_length_ok(c, len, s.n)) return;
        char *bytes = string_writable(c, k, slot, len + s.n);
        if (!bytes) return;
        if (s.n) memcpy(bytes + len, s.p, s.n);
    } else {
        ks_add(call_part(c, k), c->db, k, entry_new_string(k->s, s, ENTRY_NO_EXPIRE));
    }
    call_changed(c, k, '$', "append");
    reply_int(c->r, (int64_t)(len + s.n));
}

void setrange_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    struct slice s = c->argv[3];
    int64_t offset;
    bool wrong = false;
    if (!call_i64(c, 2, &offset)) return;
    if (offset < 0) {
        reply_error(c->r, "ERR offset is out of range");
        return;
    }
    struct entry **slot = string_slot(c, k, KS_NO_STATS, &wrong);
    if (wrong) return;
    size_t len = slot ? string_len(*slot) : 0, at = (size_t)offset;
    if (s.n == 0) {
        reply_int(c->r, (int64_t)len);
        return;
    }
    if (!string_length_ok(c, at, s.n)) return;
    len = MAX(len, at + s.n);
    char *bytes = string_create_writable(c, k, slot, len);
    if (!bytes) return;
    memcpy(bytes + at, s.p, s.n);
    call_changed(c, k, '$', "setrange");
    reply_int(c->r, (int64_t)len);
}
