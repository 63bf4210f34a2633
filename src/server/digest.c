/*
 * digest.c - DEBUG DIGEST: do two servers, or one before and after, hold the same data?
 *
 * Each key is hashed with its database, type, elements and expiry; the hashes are combined by
 * exclusive or, so that the order of keys does not matter. 160 bits, shown as Redis shows its own
 * (the values differ from Redis's: compare a Weft with a Weft).
 */
#include <stdio.h>

#include "server/admin.h"

#define WORDS 3

struct digest {
    uint64_t w[WORDS];
};

static void add_bytes(struct digest *d, struct slice s)
{
    for (unsigned i = 0; i < WORDS; i++) {
        uint64_t seed = d->w[i] * 0x9e3779b97f4a7c15u + i + 1;
        d->w[i] = XXH3_64bits_withSeed(s.p, s.n, seed) ^ (seed >> 31);
    }
}

static void add_id(struct digest *d, struct stream_id id)
{
    add_bytes(d, slice_of(&id, sizeof id));
}

static void add_group(struct digest *d, const struct stream_group *g)
{
    struct idmap_pos pos;
    add_bytes(d, stream_group_name(g));
    add_id(d, g->last_id);
    const struct stream_pending *p = idmap_first(&g->pel, &pos);
    for (; p; p = idmap_next(&g->pel, &pos)) {
        add_id(d, p->id);
        add_bytes(d, stream_consumer_name(p->consumer));
        add_bytes(d, slice_of(&p->delivered_ms, sizeof p->delivered_ms));
        add_bytes(d, slice_of(&p->deliveries, sizeof p->deliveries));
    }
    for (uint32_t i = 0; i < g->n_consumers; i++)
        add_bytes(d, stream_consumer_name(g->consumers[i]));
}

static void add_stream(struct digest *d, const struct stream *s)
{
    struct stream_iter it;
    struct slice field, value;
    add_id(d, s->last_id);
    stream_iter_start(&it, s, STREAM_ID_MIN, STREAM_ID_MAX, false);
    while (stream_iter_next(&it)) {
        add_id(d, it.id);
        for (size_t i = 0; i < it.fields; i++) {
            stream_iter_field(&it, &field, &value);
            add_bytes(d, field);
            add_bytes(d, value);
        }
    }
    for (uint32_t i = 0; i < s->n_groups; i++)
        add_group(d, s->groups[i]);
}

static void add_list(struct digest *d, const struct entry *e)
{
    struct list_iter it;
    bool more = list_seek((struct entry *)e, 0, false, &it);
    for (; more; more = list_step(&it))
        add_bytes(d, list_at(&it));
}

/* Members in no order: each is hashed alone, and they are combined by exclusive or. */
static void add_set(struct digest *d, const struct entry *e)
{
    struct set_iter it;
    struct slice member;
    struct digest sum = {{0}};
    set_first(e, &it);
    while (set_next(&it, &member)) {
        struct digest one = {{1, 2, 3}};
        add_bytes(&one, member);
        for (unsigned i = 0; i < WORDS; i++)
            sum.w[i] ^= one.w[i];
    }
    add_bytes(d, slice_of(&sum, sizeof sum));
}

static void add_zset(struct digest *d, const struct entry *e)
{
    struct zset_iter it;
    struct slice member;
    double score;
    for (bool more = zset_seek_rank(e, 0, false, &it); more; more = zset_step(&it)) {
        zset_at(&it, &member, &score);
        score += 0.0; /* no negative zero: a listpack has none */
        add_bytes(d, member);
        add_bytes(d, slice_of(&score, sizeof score));
    }
}

/* In any order: the digests of the fields are combined by exclusive or. */
static void add_hash(struct digest *d, const struct entry *e)
{
    struct hash_iter it;
    struct slice field, value;
    int64_t expire_ms;
    struct digest sum = {0};
    hash_first(e, &it);
    while (hash_next(&it, &field, &value, &expire_ms)) {
        struct digest one = {{1, 2, 3}};
        add_bytes(&one, field);
        add_bytes(&one, value);
        add_bytes(&one, slice_of(&expire_ms, sizeof expire_ms));
        for (unsigned i = 0; i < WORDS; i++)
            sum.w[i] ^= one.w[i];
    }
    add_bytes(d, slice_of(sum.w, sizeof sum.w));
}

static struct digest value_digest(const struct entry *e)
{
    char tmp[NUM_I64_MAX];
    struct digest d = {{1, 2, 3}};
    const char *type = entry_type_name(e);
    add_bytes(&d, slice_str(type));
    if (e->type == TYPE_STRING) {
        add_bytes(&d, string_view(e, tmp));
    } else if (e->type == TYPE_STREAM) {
        add_stream(&d, stream_of(e));
    } else if (e->type == TYPE_LIST) {
        add_list(&d, e);
    } else if (e->type == TYPE_SET) {
        add_set(&d, e);
    } else if (e->type == TYPE_ZSET) {
        add_zset(&d, e);
    } else if (e->type == TYPE_HASH) {
        add_hash(&d, e);
    }
    int64_t expire_ms = entry_expire(e);
    add_bytes(&d, slice_of(&expire_ms, sizeof expire_ms));
    return d;
}

static void print(const struct digest *d, char out[DIGEST_TEXT])
{
    snprintf(out, DIGEST_TEXT, "%016llx%016llx%08llx", (unsigned long long)d->w[0],
             (unsigned long long)d->w[1], (unsigned long long)d->w[2] & 0xffffffff);
}

void digest_entry(const struct entry *e, char out[DIGEST_TEXT])
{
    struct digest d = value_digest(e);
    print(&d, out);
}

struct walk {
    struct digest sum;
    unsigned db;
};

static void add_entry(void *arg, struct entry *e)
{
    struct walk *walk = arg;
    struct digest d = value_digest(e);
    add_bytes(&d, entry_key(e));
    add_bytes(&d, slice_of(&walk->db, sizeof walk->db));
    for (unsigned i = 0; i < WORDS; i++)
        walk->sum.w[i] ^= d.w[i];
}

void digest_all(char out[DIGEST_TEXT], bool owned)
{
    struct walk walk = {0};
    for (unsigned db = 0; db < keyspace_databases(); db++) {
        walk.db = db;
        uint64_t cursor = 0;
        do {
            cursor = ks_scan(db, cursor, 1000, clock_unix_ms(), owned, add_entry, &walk);
        } while (cursor != 0);
    }
    print(&walk.sum, out);
}
