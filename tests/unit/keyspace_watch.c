/*
 * keyspace_watch.c - watched keys, and the entries API that they follow: finding, expiring lazily,
 * replacing, flushing, swapping, counting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "keyspace/keyspace_internal.h"

#define NOW INT64_C(2000000000000)

static _Atomic(uint32_t) dirty;

static struct part *part_of(const struct key *k)
{
    struct part *p = keyspace_part(k->part);
    part_own(p);
    return p;
}

static void set(unsigned db, const char *name, int64_t expire_ms)
{
    struct key k = key_of(slice_str(name));
    struct part *p = part_of(&k);
    struct entry **slot = ks_find(p, db, &k, NOW, KS_EXPIRED_TOO | KS_NO_STATS);
    struct entry *e = entry_new_int(k.s, 1, expire_ms);
    if (slot)
        ks_replace(p, db, &k, slot, e);
    else
        ks_add(p, db, &k, e);
    ks_touched(p, db, &k);
    part_disown(p);
}

static bool get(unsigned db, const char *name, int64_t now_ms)
{
    struct key k = key_of(slice_str(name));
    struct part *p = part_of(&k);
    bool found = ks_find(p, db, &k, now_ms, 0) != NULL;
    part_disown(p);
    return found;
}

static void del(unsigned db, const char *name)
{
    struct key k = key_of(slice_str(name));
    struct part *p = part_of(&k);
    ks_delete(p, db, &k, ks_find(p, db, &k, NOW, KS_EXPIRED_TOO), false);
    ks_touched(p, db, &k);
    part_disown(p);
}

static struct watch watch(unsigned db, const char *name, bool was_expired)
{
    struct key k = key_of(slice_str(name));
    atomic_store(&dirty, 0);
    return (struct watch){.dirty = &dirty,
                          .key = k.s,
                          .part = k.part,
                          .db = db,
                          .hash = k.hash,
                          .was_expired = was_expired};
}

static void begin(struct watch *w)
{
    struct part *p = keyspace_part(w->part);
    part_own(p);
    ks_watch(p, w);
    part_disown(p);
}

static bool end(struct watch *w)
{
    struct part *p = keyspace_part(w->part);
    part_own(p);
    ks_unwatch(p, w);
    ks_unwatch(p, w); /* once more does no harm */
    assert_int_equal(p->watches, 0);
    part_disown(p);
    return atomic_load(&dirty);
}

static void flush_all(void)
{
    keyspace_own_all();
    for (unsigned i = 0; i < keyspace_parts(); i++)
        ks_part_flush(keyspace_part(i), -1, false);
    keyspace_disown_all();
}

#define WATCHING(db, name, was_expired, what)                                                      \
    ({                                                                                             \
        struct watch w_ = watch(db, name, was_expired);                                            \
        begin(&w_);                                                                                \
        what;                                                                                      \
        end(&w_);                                                                                  \
    })

static void a_change_of_the_key_is_told(void **state)
{
    assert_true(WATCHING(0, "a", false, set(0, "a", ENTRY_NO_EXPIRE)));
    assert_true(WATCHING(0, "a", false, set(0, "a", ENTRY_NO_EXPIRE)));
    assert_true(WATCHING(0, "a", false, del(0, "a")));
    flush_all();
}

static void nothing_else_is_told(void **state)
{
    set(0, "a", ENTRY_NO_EXPIRE);
    assert_false(WATCHING(0, "a", false, get(0, "a", NOW)));
    assert_false(WATCHING(0, "a", false, set(1, "a", ENTRY_NO_EXPIRE)));
    assert_false(WATCHING(0, "a", false, set(0, "{a}b", ENTRY_NO_EXPIRE)));
    assert_false(WATCHING(1, "a", false, set(0, "a", ENTRY_NO_EXPIRE)));
    flush_all();
}

static void expiring_is_a_change(void **state)
{
    set(0, "a", NOW + 100);
    assert_false(WATCHING(0, "a", false, get(0, "a", NOW + 99)));
    assert_true(WATCHING(0, "a", false, get(0, "a", NOW + 100)));
    flush_all();
}

static void removing_what_had_expired_before_is_none(void **state)
{
    set(0, "a", NOW - 1);
    assert_false(WATCHING(0, "a", true, get(0, "a", NOW)));
    set(0, "a", NOW - 1);
    assert_true(WATCHING(0, "a", true, set(0, "a", NOW + 1)));
    flush_all();
}

static void flushing_changes_keys_that_are_there(void **state)
{
    set(0, "a", ENTRY_NO_EXPIRE);
    assert_true(WATCHING(0, "a", false, flush_all()));
    assert_false(WATCHING(0, "a", false, flush_all()));
    assert_false(get(0, "a", NOW));
    assert_int_equal(ks_size(0), 0);
}

static void swap(void)
{
    keyspace_own_all();
    ks_swap_databases(0, 1);
    keyspace_disown_all();
}

static void swapping_changes_what_is_in_either(void **state)
{
    set(0, "a", ENTRY_NO_EXPIRE);
    set(2, "c", ENTRY_NO_EXPIRE);
    assert_true(WATCHING(0, "a", false, swap()));
    assert_true(get(1, "a", NOW));
    assert_false(get(0, "a", NOW));
    assert_true(WATCHING(0, "a", false, swap()));
    assert_true(get(0, "a", NOW));
    assert_false(WATCHING(0, "b", false, swap()));
    assert_false(WATCHING(2, "c", false, swap()));
    flush_all();
}

/* ---- entries ----------------------------------------------------------------------------------
 */

static unsigned told;

static void told_expired(struct part *p, unsigned db, struct slice key)
{
    assert_true(part_owned(p));
    assert_true(slice_eq(key, SLICE("gone")));
    assert_int_equal(db, 3);
    told++;
}

static void lookups_count_and_remove_the_expired(void **state)
{
    struct part_stats before, s;
    keyspace_set_hooks(&(struct keyspace_hooks){.expired = told_expired});
    keyspace_stats(&before);
    set(3, "gone", NOW + 10);
    assert_int_equal(ks_expires(3), 1);
    assert_true(get(3, "gone", NOW));
    assert_false(get(3, "gone", NOW + 10));
    assert_false(get(3, "gone", NOW + 10));
    assert_int_equal(told, 1);
    assert_int_equal(ks_size(3), 0);
    assert_int_equal(ks_expires(3), 0);
    keyspace_stats(&s);
    assert_int_equal(s.hits - before.hits, 1);
    assert_int_equal(s.misses - before.misses, 2);
    assert_int_equal(s.expired - before.expired, 1);
    keyspace_reset_stats();
    keyspace_stats(&s);
    assert_int_equal(s.hits, 0);
    assert_int_equal(s.expired, 0);
    keyspace_set_hooks(&(struct keyspace_hooks){0});
}

static void keys_with_an_expiry_are_counted(void **state)
{
    struct key k = key_of(SLICE("k"));
    set(4, "k", ENTRY_NO_EXPIRE);
    assert_int_equal(ks_expires(4), 0);
    struct part *p = part_of(&k);
    struct entry **slot = ks_find(p, 4, &k, NOW, 0);
    int64_t later = clock_unix_ms() + 100000;
    struct entry *e = ks_set_expire(p, 4, &k, slot, later);
    assert_ptr_equal(e, *slot);
    assert_int_equal(entry_expire(*slot), later);
    assert_int_equal(ks_expires(4), 1);
    assert_in_range(ks_average_ttl(4), 99000, 100000);
    ks_set_expire(p, 4, &k, slot, later + 100000);
    assert_in_range(ks_average_ttl(4), 199000, 200000);
    ks_moved(p, 4, &k, slot, *slot, true);
    assert_int_equal(ks_expires(4), 1);
    ks_set_expire(p, 4, &k, slot, ENTRY_NO_EXPIRE);
    assert_int_equal(ks_expires(4), 0);
    assert_int_equal(ks_average_ttl(4), 0);
    part_disown(p);
    flush_all();
}

static void taking_leaves_the_entry_to_the_caller(void **state)
{
    struct key k = key_of(SLICE("k"));
    set(0, "k", NOW + 1000);
    struct part *p = part_of(&k);
    struct entry *e = ks_take(p, 0, &k, ks_find(p, 0, &k, NOW, 0));
    part_disown(p);
    assert_true(slice_eq(entry_key(e), k.s));
    assert_false(get(0, "k", NOW));
    assert_int_equal(ks_expires(0), 0);
    entry_free(e);
}

static void access_is_noted_unless_asked_not_to(void **state)
{
    struct key k = key_of(SLICE("k"));
    set(0, "k", ENTRY_NO_EXPIRE);
    struct part *p = part_of(&k);
    struct entry *e = *ks_find(p, 0, &k, NOW, 0);
    uint32_t then = e->access;
    assert_int_equal(then, NOW / 1000 % (1 << 24));
    ks_find(p, 0, &k, NOW + 5000, KS_NO_TOUCH);
    assert_int_equal(e->access, then);
    ks_find(p, 0, &k, NOW + 5000, 0);
    assert_int_equal(e->access, (then + 5) % (1 << 24));
    part_disown(p);
    flush_all();
}

static void frequency_grows_with_use_and_decays(void **state)
{
    int64_t now = clock_unix_ms();
    uint32_t access;
    keyspace_set_lfu(true, 0, 1);
    access = access__initial(now);
    assert_int_equal(access & 0xff, 5);
    for (int i = 0; i < 10; i++)
        access = access__lfu_touch(access, now);
    assert_int_equal(access & 0xff, 15); /* with a factor of 0 every time */
    access = access__lfu_touch(access, now + 3 * 60000);
    assert_int_equal(access & 0xff, 13);
    keyspace_set_lfu(true, 10, 1);
    for (int i = 0; i < 1000; i++)
        access = access__lfu_touch(access, now + 3 * 60000);
    assert_in_range(access & 0xff, 14, 40);
    keyspace_set_lfu(false, 10, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_of_the_key_is_told),
        cmocka_unit_test(nothing_else_is_told),
        cmocka_unit_test(expiring_is_a_change),
        cmocka_unit_test(removing_what_had_expired_before_is_none),
        cmocka_unit_test(flushing_changes_keys_that_are_there),
        cmocka_unit_test(swapping_changes_what_is_in_either),
        cmocka_unit_test(lookups_count_and_remove_the_expired),
        cmocka_unit_test(keys_with_an_expiry_are_counted),
        cmocka_unit_test(taking_leaves_the_entry_to_the_caller),
        cmocka_unit_test(access_is_noted_unless_asked_not_to),
        cmocka_unit_test(frequency_grows_with_use_and_decays),
    };
    clock_init();
    hash_init();
    mem_thread_attach();
    keyspace_init(&(struct keyspace_config){.partitions = 16, .databases = 16});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
