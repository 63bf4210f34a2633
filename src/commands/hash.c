/*
 * hash.c - hashes: setting, reading and removing fields by name. Commands on all fields are in
 * hash_all.c, expiry of fields in hash_expire.c, what combines it with the others in hash_ex.c, the
 * declarations in hash_table.c.
 *
 * Invariants
 *  1. No key holds an empty hash: hash_settle() deletes the key with its last field.
 *  2. Nobody is shown a field whose time has come, though HLEN counts it and HDEL and HSET find it.
 *  3. hash_before_set() is told of all fields and values of a command before the first is set.
 */
#include "commands/hash_internal.h"

#include <math.h>

/* ---- the hash of a call --------------------------------------------------------------------- */

void hash_drop_expired(struct hash_ref *h, struct slice field)
{
    hash_remove(*h->slot, field);
    h->expired++;
}

struct entry *hash_make(struct hash_ref *h, const struct slice *args, size_t n)
{
    const struct key *k = &h->c->keys[0];
    if (!h->slot) {
        h->slot = ks_add(call_part(h->c, k), h->c->db, k, entry_new_hash_for(k->s, args, n));
        h->had_due = false;
    }
    return *h->slot;
}

static void tell_index(struct hash_ref *h)
{
    const struct key *k = &h->c->keys[0];
    bool has = entry_fields_due(*h->slot) != ENTRY_NO_EXPIRE;
    if (has || h->had_due) ks_fields_due(call_part(h->c, k), h->c->db, k, *h->slot, h->had_due);
    h->had_due = has;
}

static void tell_expired(struct hash_ref *h)
{
    const struct key *k = &h->c->keys[0];
    ks_fields_expired(call_part(h->c, k), h->expired);
    call_touched(h->c, k, 'h', "hexpired");
    h->expired = 0;
}

void hash_settle(struct hash_ref *h, const char *event, const char *also)
{
    const struct key *k = &h->c->keys[0];
    if (!h->slot) return;
    if (UNLIKELY((*h->slot)->enc != ENC_LISTPACK)) tell_index(h);
    if (UNLIKELY(h->expired)) tell_expired(h);
    if (LIKELY(event)) call_changed(h->c, k, 'h', event);
    if (UNLIKELY(also)) call_touched(h->c, k, 'h', also);
    if (LIKELY(hash_len(*h->slot) > 0)) return;
    ks_delete(call_part(h->c, k), h->c->db, k, h->slot, true);
    call_touched(h->c, k, 'g', "del");
    h->slot = NULL;
}

/* ---- setting -------------------------------------------------------------------------------- */

bool hash_set_arg(struct call *c, struct entry *e, struct slice field, uint32_t arg, bool keep)
{
    struct blob *b = UNLIKELY(c->blobs != NULL) ? c->blobs[arg] : NULL;
    if (UNLIKELY(b)) return hash_set_blob(e, field, b, keep);
    if (UNLIKELY(keep)) return hash_set_keep_expire(e, field, c->argv[arg]);
    return hash_set(e, field, c->argv[arg]);
}

/* HSET, and HMSET. */
void hset_command(struct call *c)
{
    struct hash_ref h;
    int64_t added = 0;
    if (UNLIKELY(c->argc % 2 == 1)) {
        call_wrong_arity(c);
        return;
    }
    if (!hash_open(c, &h)) return;
    struct entry *e = hash_make(&h, c->argv + 2, c->argc - 2);
    hash_before_set(e, c->argv + 2, c->argc - 2);
    for (uint32_t i = 2; i < c->argc; i += 2)
        added += hash_set_arg(c, e, c->argv[i], i + 1, false);
    c->dirty += c->argc / 2 - 2;
    hash_settle(&h, "hset", NULL);
    if (LIKELY(c->cmd->name[1] == 's')) {
        reply_int(c->r, added);
    } else {
        reply_ok(c->r);
    }
}

/* After a lookup that may have removed the last field: then the key is gone, as its expiry is. */
static void delete_if_empty(struct hash_ref *h)
{
    if (UNLIKELY(h->expired)) hash_settle(h, NULL, NULL);
}

void hsetnx_command(struct call *c)
{
    struct hash_ref h;
    struct hash_found found;
    if (!hash_open(c, &h)) return;
    if (hash_live(&h, c->argv[2], &found)) {
        reply_zero(c->r);
        return;
    }
    delete_if_empty(&h);
    struct entry *e = hash_make(&h, c->argv + 2, 2);
    hash_before_set(e, c->argv + 2, 2);
    hash_set_arg(c, e, c->argv[2], 3, false);
    hash_settle(&h, "hset", NULL);
    reply_one(c->r);
}

/* ---- reading -------------------------------------------------------------------------------- */

void hash_reply_value(struct reply *r, struct slice value, struct blob *blob)
{
    if (UNLIKELY(blob)) {
        reply_bulk_blob(r, blob);
    } else {
        reply_bulk(r, value);
    }
}

bool hash_reply_field(struct hash_ref *h, struct slice field)
{
    struct hash_found found;
    if (!hash_live(h, field, &found)) {
        reply_null(h->c->r);
        return false;
    }
    hash_reply_value(h->c->r, found.value, found.blob);
    return true;
}

void hget_command(struct call *c)
{
    struct hash_ref h;
    if (!hash_open(c, &h)) return;
    hash_reply_field(&h, c->argv[2]);
    hash_close(&h);
}

void hmget_command(struct call *c)
{
    struct hash_ref h;
    if (!hash_open(c, &h)) return;
    reply_array(c->r, c->argc - 2);
    for (uint32_t i = 2; i < c->argc; i++)
        hash_reply_field(&h, c->argv[i]);
    hash_close(&h);
}

void hlen_command(struct call *c)
{
    struct hash_ref h;
    if (!hash_open(c, &h)) return;
    reply_int(c->r, h.slot ? (int64_t)hash_len(*h.slot) : 0);
}

void hstrlen_command(struct call *c)
{
    struct hash_ref h;
    struct hash_found found;
    if (!hash_open(c, &h)) return;
    reply_int(c->r, hash_live(&h, c->argv[2], &found) ? (int64_t)found.value.n : 0);
    hash_close(&h);
}

void hexists_command(struct call *c)
{
    struct hash_ref h;
    struct hash_found found;
    if (!hash_open(c, &h)) return;
    reply_int(c->r, hash_live(&h, c->argv[2], &found));
    hash_close(&h);
}

/* ---- removing ------------------------------------------------------------------------------- */

void hdel_command(struct call *c)
{
    struct hash_ref h;
    uint32_t removed = 0;
    if (!hash_open(c, &h)) return;
    for (uint32_t i = 2; h.slot && i < c->argc; i++)
        removed += hash_remove(*h.slot, c->argv[i]);
    if (removed) {
        c->dirty += removed - 1;
        hash_settle(&h, "hdel", NULL);
    }
    reply_int(c->r, removed);
}

/* ---- counting ------------------------------------------------------------------------------- */

void hincrby_command(struct call *c)
{
    struct hash_ref h;
    struct hash_found found;
    int64_t by, v = 0;
    char text[NUM_I64_MAX];
    if (!call_i64(c, 3, &by) || !hash_open(c, &h)) return;
    if (hash_live(&h, c->argv[2], &found) && !num_parse_i64(found.value, &v)) {
        reply_error(c->r, "ERR hash value is not an integer");
        return;
    }
    delete_if_empty(&h);
    if (__builtin_add_overflow(v, by, &v)) {
        reply_error(c->r, "ERR increment or decrement would overflow");
        return;
    }
    hash_set_keep_expire(hash_make(&h, NULL, 0), c->argv[2], slice_of(text, num_fmt_i64(text, v)));
    hash_settle(&h, "hincrby", NULL);
    reply_int(c->r, v);
}

static bool float_arg(struct call *c, uint32_t arg, long double *v)
{
    const char *error = NULL;
    if (!num_parse_long_double(c->argv[arg], v)) {
        error = "ERR value is not a valid float";
    } else if (isnan(*v) || isinf(*v)) {
        error = "ERR value is NaN or Infinity";
    }
    if (error) reply_error(c->r, error);
    return !error;
}

void hincrbyfloat_command(struct call *c)
{
    struct hash_ref h;
    struct hash_found found;
    long double by, v = 0;
    char text[NUM_LD_MAX];
    if (!float_arg(c, 3, &by) || !hash_open(c, &h)) return;
    if (hash_live(&h, c->argv[2], &found) && !num_parse_long_double(found.value, &v)) {
        reply_error(c->r, "ERR hash value is not a float");
        return;
    }
    delete_if_empty(&h);
    v += by;
    if (isnan(v) || isinf(v)) {
        reply_error(c->r, "ERR increment would produce NaN or Infinity");
        return;
    }
    struct slice s = slice_of(text, num_fmt_long_double(text, v));
    hash_set_keep_expire(hash_make(&h, NULL, 0), c->argv[2], s);
    hash_settle(&h, "hincrbyfloat", NULL);
    reply_bulk(c->r, s);
}
