/*
 * set.c - sets: adding, removing, moving, asking. Random members are in set_random.c, what is made
 * of several sets in set_algebra.c, the declarations in set_table.c.
 *
 * Invariants
 *  1. No key holds an empty set: whoever removes the last member deletes the key.
 *  2. set_before_add() is told of all the members of a command before the first is added.
 */
#include "commands/set_internal.h"

#include "commands/collection_scan.h"

void set_reply_all(struct call *c, const struct entry *e)
{
    struct set_iter it;
    struct slice member;
    set_first(e, &it);
    while (set_next(&it, &member))
        reply_bulk(c->r, member);
}

void set_delete_empty(struct call *c, const struct key *k, struct entry **slot)
{
    ks_delete(call_part(c, k), c->db, k, slot, false);
    call_touched(c, k, 'g', "del");
}

/* ---- changing ------------------------------------------------------------------------------- */

static struct entry *create(struct call *c, const struct key *k)
{
    return *ks_add(call_part(c, k), c->db, k, entry_new_set(k->s));
}

void sadd_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    bool wrong = false;
    struct entry **slot = call_find_type(c, k, TYPE_SET, &wrong);
    if (wrong) return;
    struct entry *e = slot ? *slot : create(c, k);
    int64_t added = 0;
    set_before_add(e, c->argv[2], c->argc - 2);
    for (uint32_t i = 2; i < c->argc; i++)
        added += set_add(e, c->argv[i]);
    if (added) {
        c->dirty += (uint32_t)added - 1;
        call_changed(c, k, 's', "sadd");
    }
    reply_int(c->r, added);
}

/* How many of the members were there. */
static int64_t remove_all(struct entry *e, const struct slice *members, size_t n)
{
    int64_t removed = 0;
    for (size_t i = 0; i < n; i++) {
        if (!set_remove(e, members[i])) continue;
        removed++;
        if (set_len(e) == 0) break;
    }
    return removed;
}

void srem_command(struct call *c)
{
    const struct key *k = &c->keys[0];
    bool wrong = false;
    struct entry **slot = call_find_type(c, k, TYPE_SET, &wrong);
    if (!slot) {
        if (!wrong) reply_zero(c->r);
        return;
    }
    int64_t removed = remove_all(*slot, c->argv + 2, c->argc - 2);
    if (removed) {
        c->dirty += (uint32_t)removed - 1;
        call_changed(c, k, 's', "srem");
        if (set_len(*slot) == 0) set_delete_empty(c, k, slot);
    }
    reply_int(c->r, removed);
}

/* Moves the member from one set to another, or to a key that is absent (to: NULL). */
static void move(struct call *c, struct entry **from, struct entry *to)
{
    struct slice member = c->argv[3];
    if (!set_remove(*from, member)) {
        reply_zero(c->r);
        return;
    }
    call_changed(c, &c->keys[0], 's', "srem");
    if (set_len(*from) == 0) set_delete_empty(c, &c->keys[0], from);
    if (!to) {
        to = create(c, &c->keys[1]);
        set_before_add(to, member, 1);
    }
    if (set_add(to, member)) call_changed(c, &c->keys[1], 's', "sadd");
    reply_one(c->r);
}

void smove_command(struct call *c)
{
    const struct key *src = &c->keys[0], *dst = &c->keys[1];
    bool wrong = false;
    struct entry **from = call_find_type(c, src, TYPE_SET, &wrong);
    if (!from) {
        if (!wrong) reply_zero(c->r);
        return;
    }
    struct entry **to = call_find_type(c, dst, TYPE_SET, &wrong);
    if (wrong) return;
    if (slice_eq(src->s, dst->s)) {
        reply_int(c->r, set_has(*from, c->argv[3]));
    } else {
        move(c, from, to ? *to : NULL);
    }
}

/* ---- asking --------------------------------------------------------------------------------- */

void sismember_command(struct call *c)
{
    bool wrong = false;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_SET, &wrong);
    if (!wrong) reply_int(c->r, slot && set_has(*slot, c->argv[2]));
}

void smismember_command(struct call *c)
{
    bool wrong = false;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_SET, &wrong);
    if (wrong) return;
    reply_array(c->r, c->argc - 2);
    for (uint32_t i = 2, n; i < c->argc; i += n) {
        bool has[SET_BATCH] = {false};
        n = MIN(c->argc - i, SET_BATCH);
        if (slot) set_has_each(*slot, c->argv + i, n, has);
        for (uint32_t j = 0; j < n; j++)
            reply_int(c->r, has[j]);
    }
}

void scard_command(struct call *c)
{
    bool wrong = false;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_SET, &wrong);
    if (!wrong) reply_int(c->r, slot ? (int64_t)set_len(*slot) : 0);
}

void smembers_command(struct call *c)
{
    bool wrong = false;
    struct entry **slot = call_find_type(c, &c->keys[0], TYPE_SET, &wrong);
    if (wrong) return;
    reply_set(c->r, slot ? set_len(*slot) : 0);
    if (slot) set_reply_all(c, *slot);
}

static void emit(struct collection_scan *s, const void *item)
{
    struct slice member = set_item(item);
    if (collection_scan_wants(s, member)) collection_scan_add(s, member);
}

void sscan_command(struct call *c)
{
    struct collection_scan s;
    struct set_iter it;
    struct slice member;
    const struct entry *e = collection_scan_begin(c, TYPE_SET, &s);
    if (!e) return;
    if (e->enc == ENC_HASHTABLE) {
        collection_scan_dict(&s, e->v.ptr, emit);
        return;
    }
    collection_scan_open(&s, 0);
    set_first(e, &it);
    while (set_next(&it, &member)) {
        if (collection_scan_wants(&s, member)) collection_scan_add(&s, member);
    }
    collection_scan_close(&s);
}
