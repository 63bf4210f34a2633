/*
 * types_hash.c - hashes: a random walk over all operations agrees with an array, under every kind
 * of limit; what expires first is known in every encoding; conversions happen where Redis has them.
 */
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "types/types.h"

#define NEVER ENTRY_NO_EXPIRE

static struct entry *new_hash(size_t max_entries, size_t max_value)
{
    hash_limits = (struct hash_limits){max_entries, max_value};
    return entry_new_hash(SLICE("hash"));
}

static struct slice text_of(char *buf, const char *prefix, unsigned i)
{
    return slice_of(buf, (size_t)snprintf(buf, 32, "%s%u", prefix, i));
}

static void set_numbers(struct entry *e, unsigned n)
{
    char field[32], value[32];
    for (unsigned i = 0; i < n; i++)
        assert_true(hash_set(e, text_of(field, "f", i), text_of(value, "v", i)));
}

static void expect_content(const struct entry *e, struct slice field, struct slice want)
{
    char tmp[NUM_I64_MAX];
    struct slice got;
    assert_true(hash_get(e, field, &got, tmp, 0));
    assert_true(slice_eq(got, want));
}

/* ---- against an array ------------------------------------------------------------------------ */

#define MODEL_FIELDS 300

struct model {
    bool there[MODEL_FIELDS];
    struct buf value[MODEL_FIELDS];
    int64_t expire[MODEL_FIELDS];
    size_t n;
    struct entry *e;
};

/* Some names are numbers, some long; id 0 is the empty one. */
static struct slice name_of(unsigned id, char *buf)
{
    if (id == 0) return slice_of(buf, 0);
    if (id % 3 == 0) return slice_of(buf, (size_t)snprintf(buf, 400, "%u", id * 977));
    if (id % 50 == 1) return slice_of(buf, (size_t)snprintf(buf, 400, "%0300u", id));
    return slice_of(buf, (size_t)snprintf(buf, 400, "name %u", id));
}

static void random_value(struct buf *out, size_t max)
{
    static const size_t lengths[] = {0, 1, 5, 20, 63, 64, 65, 255, 256, 300, 1024, 1025, 5000};
    size_t n = lengths[rand_below(ARRAY_LEN(lengths))];
    buf_clear(out);
    if (rand_below(3) == 0) {
        buf_addf(out, "%ld", (long)rand_below(1000000) - 500000);
        return;
    }
    for (size_t i = 0; i < MIN(n, max); i++)
        buf_addc(out, (char)rand_below(256));
}

static void expect_field(const struct model *m, unsigned id)
{
    char buf[400];
    struct hash_found found;
    struct slice name = name_of(id, buf);
    assert_int_equal(hash_has(m->e, name), m->there[id]);
    bool there = hash_find(m->e, name, &found);
    assert_int_equal(there, m->there[id]);
    if (!there) return;
    assert_true(slice_eq(found.value, buf_slice(&m->value[id])));
    assert_int_equal(found.expire_ms, m->expire[id]);
    if (found.blob) assert_ptr_equal(found.value.p, found.blob->data);
}

static unsigned id_of(struct slice name)
{
    char buf[400];
    for (unsigned id = 0; id < MODEL_FIELDS; id++) {
        if (slice_eq(name_of(id, buf), name)) return id;
    }
    fail();
    return 0;
}

static void expect_iteration(const struct model *m)
{
    struct hash_iter it;
    struct slice name, value;
    int64_t expire;
    bool seen[MODEL_FIELDS] = {0};
    size_t n = 0;
    hash_first(m->e, &it);
    while (hash_next(&it, &name, &value, &expire)) {
        unsigned id = id_of(name);
        assert_true(m->there[id] && !seen[id]);
        seen[id] = true;
        assert_true(slice_eq(value, buf_slice(&m->value[id])));
        assert_int_equal(expire, m->expire[id]);
        n++;
    }
    assert_int_equal(n, m->n);
}

static int64_t first_expire(const struct model *m)
{
    int64_t min = NEVER;
    for (unsigned id = 0; id < MODEL_FIELDS; id++) {
        if (!m->there[id] || m->expire[id] == NEVER) continue;
        if (min == NEVER || m->expire[id] < min) min = m->expire[id];
    }
    return min;
}

static void expect_listpack_order(const struct entry *e)
{
    if (e->enc != ENC_LISTPACK_EX) return;
    const lp *l = e->v.ptr;
    int64_t last = 1;
    assert_true(lp_valid(l, lp_bytes(l), true));
    for (size_t i = 2; i < lp_count(l); i += 3) {
        int64_t ms = lp_get(l, lp_seek(l, (int64_t)i)).i;
        assert_true(last != 0 ? ms == 0 || ms >= last : ms == 0);
        last = ms;
    }
}

static void expect_same(const struct model *m)
{
    struct hash_iter it;
    struct slice name, value;
    assert_int_equal(hash_len(m->e), m->n);
    assert_int_equal(hash_next_expire(m->e), first_expire(m));
    expect_iteration(m);
    expect_listpack_order(m->e);
    assert_int_equal(hash_random(m->e, &it, &name, &value, NULL), m->n > 0);
    if (m->n > 0) assert_true(slice_eq(value, buf_slice(&m->value[id_of(name)])));
}

static void forget(struct model *m, unsigned id)
{
    m->n -= m->there[id];
    m->there[id] = false;
    m->expire[id] = NEVER;
}

static void model_set(struct model *m, unsigned id, bool keep, size_t max)
{
    char buf[400];
    struct slice args[2] = {name_of(id, buf)};
    random_value(&m->value[id], max);
    args[1] = buf_slice(&m->value[id]);
    if (rand_below(2)) hash_before_set(m->e, args, 2);
    bool added =
        keep ? hash_set_keep_expire(m->e, args[0], args[1]) : hash_set(m->e, args[0], args[1]);
    assert_int_equal(added, !m->there[id]);
    m->n += added;
    m->there[id] = true;
    if (!keep) m->expire[id] = NEVER;
}

static void model_set_blob(struct model *m, unsigned id)
{
    char buf[400];
    struct buf *value = &m->value[id];
    random_value(value, 100000);
    struct blob *b = blob_new(value->n);
    if (value->n) memcpy(b->data, value->p, value->n);
    assert_int_equal(hash_set_blob(m->e, name_of(id, buf), b, false), !m->there[id]);
    blob_unref(b);
    m->n += !m->there[id];
    m->there[id] = true;
    m->expire[id] = NEVER;
}

static void model_expire(struct model *m, unsigned id)
{
    char buf[400];
    int64_t ms = rand_below(4) ? (int64_t)(1 + rand_below(1000)) : NEVER;
    hash_allow_expire(m->e);
    assert_int_equal(hash_set_expire(m->e, name_of(id, buf), ms), m->there[id]);
    if (m->there[id]) m->expire[id] = ms;
}

static void model_remove_expired(struct model *m)
{
    int64_t now = (int64_t)rand_below(60);
    size_t want = 0;
    for (unsigned id = 0; id < MODEL_FIELDS; id++) {
        if (!m->there[id] || m->expire[id] == NEVER || m->expire[id] > now) continue;
        forget(m, id);
        want++;
    }
    size_t first = want ? rand_below(want + 1) : 0;
    assert_int_equal(hash_remove_expired(m->e, now, first), first);
    assert_int_equal(hash_remove_expired(m->e, now, SIZE_MAX), want - first);
}

static void model_copy(struct model *m)
{
    struct entry *copy = entry_dup(m->e, SLICE("copy"), ENTRY_NO_EXPIRE);
    assert_int_equal(copy->enc, m->e->enc);
    assert_true(entry_memory(copy, 0) > 0 && entry_free_effort(copy) > 0);
    entry_free(m->e);
    m->e = copy;
}

static void model_step(struct model *m, size_t max)
{
    char buf[400];
    unsigned id = (unsigned)rand_below(MODEL_FIELDS);
    switch (rand_below(12)) {
    case 0 ... 3: model_set(m, id, false, max); break;
    case 4: model_set(m, id, true, max); break;
    case 5 ... 6: model_expire(m, id); break;
    case 7 ... 8:
        assert_int_equal(hash_remove(m->e, name_of(id, buf)), m->there[id]);
        forget(m, id);
        break;
    case 9: model_remove_expired(m); break;
    case 10:
        if (max > 1000) model_set_blob(m, id);
        break;
    default:
        if (rand_below(20) == 0) model_copy(m);
    }
    expect_field(m, id);
}

static void walk(size_t max_entries, size_t max_value, size_t max, unsigned steps)
{
    struct model m = {.e = new_hash(max_entries, max_value)};
    for (unsigned id = 0; id < MODEL_FIELDS; id++)
        m.expire[id] = NEVER;
    for (unsigned i = 0; i < steps; i++) {
        model_step(&m, max);
        if (i % 16 == 0) expect_same(&m);
    }
    expect_same(&m);
    entry_free(m.e);
    for (unsigned id = 0; id < MODEL_FIELDS; id++)
        buf_free(&m.value[id]);
}

static void agrees_with_an_array_as_listpack(void **state)
{
    (void)state;
    walk(1000, 100000, 500, 8000);
}

static void agrees_with_an_array_as_table(void **state)
{
    (void)state;
    walk(0, 64, 100000, 20000);
}

static void agrees_with_an_array_across_the_limits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        walk(rand_below(100), rand_below(400), 100000, 1000);
    }
}

/* ---- conversions ----------------------------------------------------------------------------- */

static void becomes_a_table_with_one_field_too_many(void **state)
{
    (void)state;
    struct entry *e = new_hash(10, 64);
    set_numbers(e, 10);
    assert_int_equal(e->enc, ENC_LISTPACK);
    assert_false(hash_set(e, SLICE("f1"), SLICE("again")));
    assert_int_equal(e->enc, ENC_LISTPACK);
    assert_true(hash_set(e, SLICE("one more"), SLICE("")));
    assert_int_equal(e->enc, ENC_HASHTABLE);
    assert_int_equal(hash_len(e), 11);
    expect_content(e, SLICE("f1"), SLICE("again"));
    expect_content(e, SLICE("one more"), SLICE(""));
    entry_free(e);
}

static void becomes_a_table_with_a_long_field_or_value(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct entry *e = new_hash(10, 4);
        struct slice field = i ? SLICE("fields") : SLICE("f"),
                     value = i ? SLICE("v") : SLICE("value");
        hash_set(e, SLICE("1234"), SLICE("5678"));
        assert_int_equal(e->enc, ENC_LISTPACK);
        hash_set(e, field, value);
        assert_int_equal(e->enc, ENC_HASHTABLE);
        expect_content(e, SLICE("1234"), SLICE("5678"));
        expect_content(e, field, value);
        entry_free(e);
    }
}

static void decides_on_a_whole_command_before_it_adds(void **state)
{
    (void)state;
    const struct slice pairs[] = {SLICE("a"), SLICE("1"), SLICE("a"),    SLICE("2"),
                                  SLICE("b"), SLICE("3"), SLICE("long"), SLICE("long")};
    struct entry *e = new_hash(3, 3);
    hash_before_set(e, pairs, 6);
    assert_int_equal(e->enc, ENC_LISTPACK);
    hash_before_set(e, pairs, 8);
    assert_int_equal(e->enc, ENC_HASHTABLE);
    entry_free(e);
    e = new_hash(2, 64);
    hash_before_set(e, pairs, 6); /* three pairs, though of two fields */
    assert_int_equal(e->enc, ENC_HASHTABLE);
    entry_free(e);
}

static void keeps_times_when_it_becomes_a_table(void **state)
{
    (void)state;
    struct entry *e = new_hash(3, 64);
    set_numbers(e, 3);
    hash_allow_expire(e);
    assert_int_equal(e->enc, ENC_LISTPACK_EX);
    assert_int_equal(hash_next_expire(e), NEVER);
    assert_true(hash_set_expire(e, SLICE("f1"), 500));
    assert_true(hash_set_expire(e, SLICE("f2"), 400));
    assert_false(hash_set_expire(e, SLICE("f3"), 300));
    hash_set(e, SLICE("f3"), SLICE("v3"));
    assert_int_equal(e->enc, ENC_HASHTABLE);
    assert_int_equal(hash_next_expire(e), 400);
    assert_int_equal(hash_remove_expired(e, 450, 10), 1);
    assert_false(hash_has(e, SLICE("f2")));
    assert_int_equal(hash_next_expire(e), 500);
    assert_int_equal(hash_remove_expired(e, 500, 10), 1);
    assert_int_equal(hash_next_expire(e), NEVER);
    assert_int_equal(hash_len(e), 2);
    entry_free(e);
}

static void hides_a_field_whose_time_has_come(void **state)
{
    (void)state;
    char tmp[NUM_I64_MAX];
    struct slice value;
    for (size_t max = 0; max < 20; max += 10) {
        struct entry *e = new_hash(max, 64);
        hash_set(e, SLICE("f"), SLICE("12345"));
        hash_allow_expire(e);
        hash_set_expire(e, SLICE("f"), 100);
        assert_true(hash_get(e, SLICE("f"), &value, tmp, 99));
        assert_true(slice_eq(value, SLICE("12345")));
        assert_false(hash_get(e, SLICE("f"), &value, tmp, 100));
        assert_int_equal(hash_len(e), 1);
        entry_free(e);
    }
}

/* ---- expiry in order ------------------------------------------------------------------------- */

static void removes_the_earliest_first(void **state)
{
    (void)state;
    char field[32];
    struct entry *e = new_hash(0, 64);
    set_numbers(e, 3000);
    for (unsigned i = 0; i < 3000; i++)
        assert_true(hash_set_expire(e, text_of(field, "f", i), 1 + i * 7919 % 3000));
    for (int64_t now = 1; now <= 3000; now++) {
        assert_int_equal(hash_next_expire(e), now);
        assert_int_equal(hash_remove_expired(e, now, 100), 1);
    }
    assert_int_equal(hash_len(e), 0);
    entry_free(e);
}

static void a_large_value_is_referenced_and_not_copied(void **state)
{
    (void)state;
    struct hash_found found;
    struct entry *e = new_hash(512, 64);
    struct blob *b = blob_new(100000);
    memset(b->data, 'x', b->len);
    hash_set_blob(e, SLICE("f"), b, false);
    assert_int_equal(atomic_load(&b->refs), 2);
    assert_true(hash_find(e, SLICE("f"), &found));
    assert_ptr_equal(found.blob, b);
    hash_set(e, SLICE("f"), SLICE("short"));
    assert_int_equal(atomic_load(&b->refs), 1);
    blob_unref(b);
    expect_content(e, SLICE("f"), SLICE("short"));
    entry_free(e);
}

static void random_fields_are_drawn_evenly(void **state)
{
    (void)state;
    for (size_t max = 0; max < 1000; max += 512) {
        unsigned drawn[20] = {0};
        struct entry *e = new_hash(max, 64);
        set_numbers(e, 20);
        for (int i = 0; i < 20000; i++) {
            struct hash_iter it;
            struct slice field;
            assert_true(hash_random(e, &it, &field, NULL, NULL));
            drawn[atoi(field.p + 1)]++;
        }
        for (int i = 0; i < 20; i++)
            assert_in_range(drawn[i], 700, 1300);
        entry_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_an_array_as_listpack),
        cmocka_unit_test(agrees_with_an_array_as_table),
        cmocka_unit_test(agrees_with_an_array_across_the_limits),
        cmocka_unit_test(becomes_a_table_with_one_field_too_many),
        cmocka_unit_test(becomes_a_table_with_a_long_field_or_value),
        cmocka_unit_test(decides_on_a_whole_command_before_it_adds),
        cmocka_unit_test(keeps_times_when_it_becomes_a_table),
        cmocka_unit_test(hides_a_field_whose_time_has_come),
        cmocka_unit_test(removes_the_earliest_first),
        cmocka_unit_test(a_large_value_is_referenced_and_not_copied),
        cmocka_unit_test(random_fields_are_drawn_evenly),
    };
    mem_thread_attach();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
