/*
 * restore_fuzz.c - values from outside under libFuzzer: the input is a type's byte and a value.
 * Properties: whatever the bytes are, the decoder refuses them or makes a value that can be walked,
 * copied, measured and freed; and what it makes is written, in every version, as bytes that it
 * takes again. What is written again is written the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "persist/value_codec.h"
#include "types/stream_value.h"

static void must(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "property violated: %s\n", what);
    abort();
}

static enum value_result decode(const void *p, size_t n, bool deep, struct entry **out)
{
    struct rdb_reader r;
    uint8_t type;
    *out = NULL;
    rdb_reader_init(&r, p, n);
    r.deep = deep;
    if (!rdb_get_byte(&r, &type)) return VALUE_BAD;
    enum value_result result = value_decode(&r, type, SLICE("key"), out);
    must((result == VALUE_OK) == (*out != NULL), "a value if and only if it is good");
    must(result != VALUE_BAD || r.failed, "a refusal has a reason");
    return result;
}

static struct buf encode(const struct entry *e, unsigned version)
{
    struct rdb_writer w = {.version = version, .compress = version != 11};
    uint8_t type = value_type(&w, e);
    rdb_put_byte(&w, type);
    value_encode(&w, e, type);
    return w.out;
}

/* ---- walks ------------------------------------------------------------------------------------
 */

static volatile uint8_t sink;

static void touch(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        sink = (uint8_t)(sink ^ s.p[i]);
}

static void walk_list(struct entry *e)
{
    struct list_iter it;
    for (bool more = list_seek(e, -1, true, &it); more; more = list_step(&it))
        touch(list_at(&it));
}

static void walk_set(const struct entry *e)
{
    struct set_iter it;
    struct slice s;
    size_t n = 0;
    set_first(e, &it);
    for (; set_next(&it, &s); n++) {
        touch(s);
        must(set_has(e, s), "a member is in its set");
    }
    must(n == set_len(e), "as many members as it says");
}

static void walk_zset(const struct entry *e, bool deep)
{
    struct zset_iter it;
    struct slice s;
    double score, found;
    size_t n = 0;
    for (bool more = zset_seek_rank(e, 0, false, &it); more; more = zset_step(&it), n++) {
        zset_at(&it, &s, &score);
        touch(s);
        must(zset_score(e, s, &found), "a member has a score");
        must(!deep || found == score, "and one only");
    }
    must(n == zset_len(e), "as many members as it says");
}

static void walk_hash(const struct entry *e)
{
    struct hash_iter it;
    struct slice f, v;
    int64_t ms;
    size_t n = 0;
    hash_first(e, &it);
    for (; hash_next(&it, &f, &v, &ms); n++) {
        touch(f);
        touch(v);
        must(hash_has(e, f), "a field is in its hash");
    }
    must(n == hash_len(e), "as many fields as it says");
}

static void walk_stream(const struct entry *e)
{
    struct stream_iter it;
    struct slice f, v;
    const struct stream *s = stream_of(e);
    for (int rev = 0; rev < 2; rev++) {
        uint64_t n = 0;
        stream_iter_start(&it, s, STREAM_ID_MIN, STREAM_ID_MAX, rev);
        for (; stream_iter_next(&it); n++) {
            for (size_t i = 0; i < it.fields; i++) {
                stream_iter_field(&it, &f, &v);
                touch(f);
                touch(v);
            }
        }
        must(n == s->length, "as many entries as it says, either way");
    }
}

static void walk(struct entry *e, bool deep)
{
    char tmp[NUM_I64_MAX];
    switch ((enum value_type)e->type) {
    case TYPE_STRING: touch(string_view(e, tmp)); break;
    case TYPE_LIST: walk_list(e); break;
    case TYPE_SET: walk_set(e); break;
    case TYPE_ZSET: walk_zset(e, deep); break;
    case TYPE_HASH: walk_hash(e); break;
    case TYPE_STREAM: walk_stream(e); break;
    }
    must(entry_memory(e, 0) > 0, "it takes memory");
}

/* ---- changes ----------------------------------------------------------------------------------
 */

static void change(struct entry *e)
{
    struct slice s =
        SLICE("a member that was not there before, longer than what small values hold");
    switch ((enum value_type)e->type) {
    case TYPE_STRING: break;
    case TYPE_LIST:
        list_before_add(e, &s, 1);
        list_push(e, LIST_HEAD, s);
        break;
    case TYPE_SET: set_add(e, s); break;
    case TYPE_ZSET: zset_add(e, s, 1.5); break;
    case TYPE_HASH: hash_set(e, s, s); break;
    case TYPE_STREAM: {
        struct stream_id id = stream_of(e)->last_id;
        struct slice args[] = {s, s};
        if (stream_id_increment(&id)) stream_append(stream_of(e), id, args, 1);
        break;
    }
    }
}

/* Before version 12 a hash is written without the expiry of fields, perhaps as none at all. */
static void again(const struct entry *e, unsigned version)
{
    bool plain = version < 12 && e->type == TYPE_HASH;
    struct buf first = encode(e, version), second;
    struct entry *back;
    if (decode(first.p, first.n, true, &back) == VALUE_OK) {
        walk(back, true);
        second = encode(back, version);
        must(plain || second.n == first.n, "what is written is read the same");
        buf_free(&second);
        entry_free(back);
    } else {
        must(plain, "what is written is taken again");
    }
    buf_free(&first);
}

static void try(const uint8_t *p, size_t n, bool deep)
{
    struct entry *e;
    if (decode(p, n, deep, &e) != VALUE_OK) return;
    walk(e, deep);
    struct entry *copy = entry_dup(e, SLICE("other"), ENTRY_NO_EXPIRE);
    for (unsigned version = 10; deep && version <= 12; version++)
        again(e, version);
    entry_free(e);
    if (deep) change(copy);
    walk(copy, deep);
    entry_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    list_limits.packed_threshold = n % 3 == 0 ? 16 : 0;
    list_limits.compress_depth = n % 2;
    try(p, n, true);
    try(p, n, false);
    return 0;
}
