/*
 * keys.c - keys, whatever they hold: deleting, asking, renaming, copying, moving. How long they
 * live is in expire.c, walks over all of them in scan.c, emptying databases in flush.c, OBJECT in
 * object.c; the declarations are in keys_table.c.
 *
 * Invariants
 *  1. A value that takes long to free is unlinked here and freed in the background.
 *  2. A slot is not used after another key of its database was added or deleted: it is found anew.
 *  3. A list that comes into being under a name (rename, copy, move) is told to those who wait for
 * it.
 */
#include "commands/keys_internal.h"

/* Looking at a key does not count as using it. */
static struct entry **look(struct call *c, const struct key *k)
{
    return call_find(c, k, KS_NO_TOUCH);
}

static void delete_key(struct call *c, const struct key *k, struct entry **slot)
{
    ks_delete(call_part(c, k), c->db, k, slot, true);
    call_changed(c, k, 'g', "del");
}

void del_command(struct call *c)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < c->nkeys; i++) {
        struct entry **slot = call_find(c, &c->keys[i], KS_NO_TOUCH | KS_NO_STATS);
        if (!slot) continue;
        delete_key(c, &c->keys[i], slot);
        n++;
    }
    reply_int(c->r, n);
}

void exists_command(struct call *c)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < c->nkeys; i++)
        n += look(c, &c->keys[i]) != NULL;
    reply_int(c->r, n);
}

/* Touches even for a client that said CLIENT NO-TOUCH: that is what it asks for here. */
void touch_command(struct call *c)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < c->nkeys; i++) {
        const struct key *k = &c->keys[i];
        n += ks_find(call_part(c, k), c->db, k, c->now_ms, 0) != NULL;
    }
    reply_int(c->r, n);
}

void type_command(struct call *c)
{
    struct entry **slot = look(c, &c->keys[0]);
    reply_status(c->r, slot ? entry_type_name(*slot) : "none");
}

void dbsize_command(struct call *c)
{
    reply_int(c->r, (int64_t)ks_size(c->db));
}

/* ---- another name --------------------------------------------------------------------------- */

/* Puts e, in no table yet, under k in place of what may be there. */
static void put_entry(struct call *c, const struct key *k, struct entry *e)
{
    struct part *p = call_part(c, k);
    struct entry **slot = call_find(c, k, KS_NO_TOUCH | KS_NO_STATS);
    if (slot) ks_delete(p, c->db, k, slot, true);
    ks_add(p, c->db, k, e);
}

static void rename_entry(struct call *c, struct entry **slot)
{
    const struct key *from = &c->keys[0], *to = &c->keys[1];
    struct entry *e = ks_take(call_part(c, from), c->db, from, slot);
    put_entry(c, to, entry_with_key(e, to->s));
    call_changed(c, from, 'g', "rename_from");
    call_changed(c, to, 'g', "rename_to");
    c->dirty--;
    call_ready(c, to);
}

/* False: there is no such key, or the two names are the same; replied. */
static struct entry **rename_source(struct call *c, bool only_absent)
{
    struct entry **slot = call_find(c, &c->keys[0], KS_NO_STATS);
    if (!slot) {
        reply_error(c->r, "ERR no such key");
    } else if (slice_eq(c->argv[1], c->argv[2])) {
        if (only_absent) {
            reply_zero(c->r);
        } else {
            reply_ok(c->r);
        }
        slot = NULL;
    }
    return slot;
}

void rename_command(struct call *c)
{
    struct entry **slot = rename_source(c, false);
    if (!slot) return;
    rename_entry(c, slot);
    reply_ok(c->r);
}

void renamenx_command(struct call *c)
{
    if (!rename_source(c, true)) return;
    if (call_find(c, &c->keys[1], KS_NO_TOUCH | KS_NO_STATS)) {
        reply_zero(c->r);
        return;
    }
    rename_entry(c, call_find(c, &c->keys[0], KS_NO_TOUCH | KS_NO_STATS));
    reply_one(c->r);
}

/* ---- other databases ------------------------------------------------------------------------ */

bool database_arg(struct call *c, uint32_t arg, uint32_t *db)
{
    int64_t v;
    if (!call_i64(c, arg, &v)) return false;
    if (v < INT32_MIN || v > INT32_MAX) {
        reply_errorf(c->r, "ERR value is out of range, value must between %d and %d", INT32_MIN,
                     INT32_MAX);
        return false;
    }
    if (v < 0 || v >= (int64_t)keyspace_databases()) {
        reply_error(c->r, "ERR DB index is out of range");
        return false;
    }
    *db = (uint32_t)v;
    return true;
}

/* Adds e under k in another database than the selected one. */
static void put_in_database(struct call *c, uint32_t db, const struct key *k, struct entry *e,
                            const char *event)
{
    uint32_t selected = c->db;
    c->db = db;
    put_entry(c, k, e);
    call_changed(c, k, 'g', event);
    call_ready(c, k);
    c->db = selected;
}

static bool exists_in(struct call *c, uint32_t db, const struct key *k)
{
    return ks_find(call_part(c, k), db, k, c->now_ms, KS_NO_TOUCH | KS_NO_STATS) != NULL;
}

void move_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    uint32_t db;
    if (!database_arg(c, 2, &db)) return;
    if (db == c->db) {
        reply_error(c->r, "ERR source and destination objects are the same");
        return;
    }
    bool taken = exists_in(c, db, k);
    struct entry **slot = call_find(c, k, KS_NO_STATS);
    if (!slot || taken) {
        reply_zero(c->r);
        return;
    }
    struct entry *e = ks_take(call_part(c, k), c->db, k, slot);
    call_changed(c, k, 'g', "move_from");
    c->dirty--;
    put_in_database(c, db, k, e, "move_to");
    reply_one(c->r);
}

struct copy_options {
    uint32_t db;
    bool replace;
};

static bool copy_options_parse(struct call *c, struct copy_options *o)
{
    for (uint32_t i = 3; i < c->argc; i++) {
        if (slice_is(c->argv[i], "REPLACE")) {
            o->replace = true;
        } else if (slice_is(c->argv[i], "DB") && i + 1 < c->argc) {
            if (!database_arg(c, ++i, &o->db)) return false;
        } else {
            call_syntax_error(c);
            return false;
        }
    }
    if (o->db != c->db || !slice_eq(c->argv[1], c->argv[2])) return true;
    reply_error(c->r, "ERR source and destination objects are the same");
    return false;
}

void copy_command(struct call *c)
{
    const struct key *to = &c->keys[1];
    struct copy_options o = {.db = c->db};
    if (!copy_options_parse(c, &o)) return;
    bool taken = exists_in(c, o.db, to) && !o.replace;
    struct entry **slot = call_find(c, &c->keys[0], 0);
    if (!slot || taken) {
        reply_zero(c->r);
        return;
    }
    struct entry *e = entry_dup(*slot, to->s, entry_expire(*slot));
    put_in_database(c, o.db, to, e, "copy_to");
    reply_one(c->r);
}

/* As SELECT counts them, with an error of its own for what is no number. */
static bool swap_arg(struct call *c, uint32_t arg, int64_t *db, const char *error)
{
    if (num_parse_i64(c->argv[arg], db) && *db >= INT32_MIN && *db <= INT32_MAX) return true;
    reply_error(c->r, error);
    return false;
}

void swapdb_command(struct call *c)
{
    int64_t a, b, n = keyspace_databases();
    if (!swap_arg(c, 1, &a, "ERR invalid first DB index") ||
        !swap_arg(c, 2, &b, "ERR invalid second DB index")) {
        return;
    }
    if (a < 0 || a >= n || b < 0 || b >= n) {
        reply_error(c->r, "ERR DB index is out of range");
        return;
    }
    if (a != b) ks_swap_databases((unsigned)a, (unsigned)b);
    c->dirty++;
    reply_ok(c->r);
}
