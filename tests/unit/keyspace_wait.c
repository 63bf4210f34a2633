/*
 * keyspace_wait.c - blocked clients: order of arrival, who is passed over, keys that become ready
 * by serving others, the partitions that this needs, and claiming by several at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "keyspace/keyspace_internal.h"

#define NOW  INT64_C(2000000000000)
#define KEYS 4

/*
 * The test's client: it waits for keys that are integers and takes one off the value; with a target
 * it adds that one there, which may serve the next.
 */
struct client {
    struct waiter w;
    struct waiter_key wk[KEYS];
    struct key target;
    bool served;
    char got[32];
};

static char served[100]; /* names of those served, in order */
static unsigned n_served;

static void give(unsigned db, const struct key *k, int n)
{
    struct part *p = keyspace_part(k->part);
    struct entry **slot = ks_find(p, db, k, NOW, 0);
    if (slot)
        (*slot)->v.i += n;
    else
        ks_add(p, db, k, entry_new_int(k->s, n, ENTRY_NO_EXPIRE));
    ks_ready(p, db, k);
}

static bool serve(struct waiter *w, struct part *p, const struct key *k, int64_t now_ms)
{
    struct client *c = w->arg;
    struct entry **slot = ks_find(p, w->db, k, now_ms, 0);
    if (!slot && !w->on_missing) return false;
    if (!waiter_claim(w)) return true;
    snprintf(c->got, sizeof c->got, "%.*s", (int)k->s.n, k->s.p);
    if (n_served < sizeof served) served[n_served++] = c->got[0];
    if (slot) {
        if (--(*slot)->v.i == 0) ks_delete(p, w->db, k, slot, false);
        if (c->target.s.n) give(w->db, &c->target, 1);
    }
    c->served = true;
    atomic_store(&w->state, WAITER_DONE); /* waiter_done() without a coroutine */
    return true;
}

static struct client client(const char *keys, const char *target)
{
    struct client c = {.w = {.serve = serve, .type = TYPE_STRING}};
    for (; *keys; keys++)
        c.wk[c.w.nkeys++].key = key_of(slice_of(keys, 1));
    if (target) c.target = key_of(slice_str(target));
    return c;
}

static void wait(struct client *c)
{
    c->w.keys = c->wk;
    c->w.arg = c;
    if (c->target.s.n) part_set_add(&c->w.needs, c->target.part);
    for (uint32_t i = 0; i < c->w.nkeys; i++) {
        struct part *p = keyspace_part(c->wk[i].key.part);
        c->wk[i].w = &c->w;
        part_own(p);
        ks_wait(p, &c->wk[i]);
        part_disown(p);
    }
}

static void leave(struct client *c)
{
    for (uint32_t i = 0; i < c->w.nkeys; i++) {
        struct part *p = keyspace_part(c->wk[i].key.part);
        part_own(p);
        ks_unwait(p, &c->wk[i]);
        ks_unwait(p, &c->wk[i]);
        part_disown(p);
    }
    part_set_free(&c->w.needs);
}

/* As a command would: owns what is needed, gives n to the key, serves. */
static void push(const char *key, int n)
{
    struct key k = key_of(slice_str(key));
    struct part_set set = {0};
    struct part *p = keyspace_part(k.part);
    part_set_add(&set, k.part);
    parts_own(&set);
    for (;;) {
        struct part_set more = {0};
        part_set_merge(&more, &set);
        bool added = ks_ready_needs(p, 0, &k, &more);
        if (!added) {
            part_set_free(&more);
            break;
        }
        parts_disown(&set);
        part_set_free(&set);
        set = more;
        parts_own(&set);
    }
    give(0, &k, n);
    if (part_has_ready(p)) ks_serve(p, &set, NOW);
    assert_false(part_has_ready(p));
    parts_disown(&set);
    part_set_free(&set);
}

static int64_t value_of(const char *key)
{
    struct key k = key_of(slice_str(key));
    struct part *p = keyspace_part(k.part);
    part_own(p);
    struct entry **slot = ks_find(p, 0, &k, NOW, 0);
    int64_t v = slot ? (*slot)->v.i : 0;
    part_disown(p);
    return v;
}

static int begin(void **state)
{
    n_served = 0;
    return 0;
}

static int end(void **state)
{
    keyspace_own_all();
    for (unsigned i = 0; i < keyspace_parts(); i++)
        ks_part_flush(keyspace_part(i), -1, false);
    keyspace_disown_all();
    return ks_waiting_keys() == 0 ? 0 : -1;
}

static void the_first_to_come_is_the_first_served(void **state)
{
    struct client c[5];
    for (int i = 0; i < 5; i++)
        c[i] = client("a", NULL);
    for (int i = 0; i < 5; i++)
        wait(&c[i]);
    assert_int_equal(ks_waiting_keys(), 1);
    for (int i = 0; i < 3; i++) {
        push("a", 1);
        for (int j = 0; j < 5; j++)
            assert_int_equal(c[j].served, j <= i);
    }
    push("a", 4);
    assert_int_equal(value_of("a"), 2);
    for (int i = 0; i < 5; i++)
        assert_true(c[i].served);
    for (int i = 0; i < 5; i++)
        leave(&c[i]);
}

static void one_who_waits_for_several_is_served_once(void **state)
{
    struct client c = client("abcd", NULL), d = client("dc", NULL);
    wait(&c);
    wait(&d);
    assert_int_equal(ks_waiting_keys(), 4);
    push("c", 1);
    assert_true(c.served);
    assert_false(d.served);
    assert_string_equal(c.got, "c");
    push("d", 1); /* c is in its queue still, and is passed over */
    assert_true(d.served);
    push("a", 1);
    assert_int_equal(value_of("a"), 1);
    leave(&c);
    leave(&d);
}

static void who_has_left_is_not_served(void **state)
{
    struct client c = client("a", NULL), d = client("a", NULL), e = client("a", NULL);
    wait(&c);
    wait(&d);
    wait(&e);
    leave(&c);
    assert_true(waiter_claim(&d.w)); /* its time is up, but it is in the queue still */
    assert_false(waiter_claim(&d.w));
    push("a", 1);
    assert_false(c.served);
    assert_false(d.served);
    assert_true(e.served);
    leave(&d);
    leave(&e);
}

static void another_type_leaves_them_waiting(void **state)
{
    struct client c = client("a", NULL), d = client("a", NULL);
    c.w.type = TYPE_LIST;
    wait(&c);
    wait(&d);
    push("a", 1);
    assert_false(c.served);
    assert_true(d.served);
    leave(&c);
    leave(&d);
}

static void serving_one_can_make_a_key_ready_for_the_next(void **state)
{
    struct client move = client("a", "b"), move2 = client("b", "c"), pop = client("c", NULL);
    wait(&pop);
    wait(&move2);
    wait(&move);
    push("a", 1);
    assert_true(move.served && move2.served && pop.served);
    assert_int_equal(n_served, 3);
    assert_memory_equal(served, "abc", 3);
    assert_int_equal(value_of("a") + value_of("b") + value_of("c"), 0);
    leave(&move);
    leave(&move2);
    leave(&pop);
}

static void a_circle_of_movers_comes_to_rest(void **state)
{
    struct client ab = client("a", "b"), bc = client("b", "c"), ca = client("c", "a");
    wait(&ab);
    wait(&bc);
    wait(&ca);
    push("b", 1);
    assert_memory_equal(served, "bca", 3);
    assert_int_equal(value_of("b"), 1);
    leave(&ab);
    leave(&bc);
    leave(&ca);
}

static void needs_are_asked_for_transitively(void **state)
{
    struct client ab = client("a", "b"), bc = client("b", "c");
    struct key a = key_of(SLICE("a")), b = key_of(SLICE("b")), c = key_of(SLICE("c"));
    struct part_set needs = {0};
    struct part *p = keyspace_part(a.part);
    assert_true(a.part != b.part && b.part != c.part && a.part != c.part);
    wait(&ab);
    wait(&bc);
    part_own(p);
    part_set_add(&needs, a.part);
    assert_true(ks_ready_needs(p, 0, &a, &needs));
    assert_true(part_set_has(&needs, b.part));
    part_disown(p);
    parts_own(&needs);
    assert_true(ks_ready_needs(p, 0, &a, &needs));
    assert_true(part_set_has(&needs, c.part));
    assert_false(ks_ready_needs(p, 0, &a, &needs));
    struct part_set two = {0};
    part_set_add(&two, a.part);
    part_set_add(&two, b.part);
    parts_disown(&two);
    leave(&ab);
    leave(&bc);
    part_set_free(&needs);
}

static void whose_partitions_are_not_owned_stays_ready(void **state)
{
    struct client move = client("a", "b");
    struct key a = key_of(SLICE("a")), b = key_of(SLICE("b"));
    struct part_set set = {0};
    wait(&move);
    part_set_add(&set, a.part);
    parts_own(&set);
    give(0, &a, 1);
    ks_serve(keyspace_part(a.part), &set, NOW);
    assert_false(move.served);
    assert_true(part_has_ready(keyspace_part(a.part)));
    parts_disown(&set);
    part_set_add(&set, b.part);
    parts_own(&set);
    ks_serve(keyspace_part(a.part), &set, NOW);
    assert_true(move.served);
    parts_disown(&set);
    leave(&move);
}

static void keys_are_served_in_the_order_in_which_they_became_ready(void **state)
{
    struct client c = client("ab", NULL), d = client("ab", NULL);
    struct key a = key_of(SLICE("a")), b = key_of(SLICE("b"));
    wait(&c);
    wait(&d);
    keyspace_own_all();
    give(0, &b, 1);
    give(0, &a, 1);
    struct part_set all = {.all = true};
    ks_serve(keyspace_part(a.part), &all, NOW);
    assert_false(part_has_ready(keyspace_part(b.part)));
    keyspace_disown_all();
    assert_string_equal(c.got, "b");
    assert_string_equal(d.got, "a");
    leave(&c);
    leave(&d);
}

static void some_want_to_know_that_the_key_is_gone(void **state)
{
    struct client c = client("a", NULL), d = client("a", NULL);
    struct key a = key_of(SLICE("a"));
    struct part *p = keyspace_part(a.part);
    struct part_set set = {0};
    c.w.type = d.w.type = TYPE_LIST; /* so that the string does not serve them */
    d.w.on_missing = true;
    part_set_add(&set, a.part);
    part_own(p);
    ks_add(p, 0, &a, entry_new_int(a.s, 1, ENTRY_NO_EXPIRE));
    part_disown(p);
    wait(&c);
    wait(&d);
    part_own(p);
    ks_delete(p, 0, &a, ks_find(p, 0, &a, NOW, 0), false);
    assert_true(part_has_ready(p));
    ks_serve(p, &set, NOW);
    part_disown(p);
    assert_false(c.served);
    assert_true(d.served);
    leave(&c);
    leave(&d);
}

static void swapping_databases_serves_who_waits(void **state)
{
    struct client c = client("a", NULL);
    struct key a = key_of(SLICE("a"));
    wait(&c);
    keyspace_own_all();
    ks_add(keyspace_part(a.part), 1, &a, entry_new_int(a.s, 1, ENTRY_NO_EXPIRE));
    assert_false(part_has_ready(keyspace_part(a.part)));
    ks_swap_databases(0, 1);
    struct part_set all = {.all = true};
    ks_serve(keyspace_part(a.part), &all, NOW);
    keyspace_disown_all();
    assert_true(c.served);
    leave(&c);
}

static void many_keys_can_be_waited_for(void **state)
{
    static struct client c[500];
    static char names[500][8];
    for (int i = 0; i < 500; i++) {
        snprintf(names[i], sizeof names[i], "w%d", i);
        c[i] = client("", NULL);
        c[i].w.nkeys = 1;
        c[i].wk[0].key = key_of(slice_str(names[i]));
        wait(&c[i]);
    }
    assert_int_equal(ks_waiting_keys(), 500);
    for (int i = 0; i < 500; i += 2)
        push(names[i], 1);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(c[i].served, i % 2 == 0);
        leave(&c[i]);
    }
}

/* ---- who claims --------------------------------------------------------------------------------
 */

static struct waiter contested;
static _Atomic(unsigned) claims, left;

static void claimer(void *arg)
{
    if (waiter_claim(&contested)) {
        atomic_fetch_add(&claims, 1);
        waiter_done(&contested);
    }
    atomic_fetch_sub(&left, 1);
}

static void contest(void *arg)
{
    for (int i = 0; i < 300; i++) {
        contested = (struct waiter){.co = co_self()};
        atomic_store(&claims, 0);
        atomic_store(&left, 8);
        for (int j = 0; j < 8; j++)
            co_spawn("claimer", claimer, NULL);
        while (atomic_load_explicit(&contested.state, memory_order_acquire) != WAITER_DONE) {
            co_park(RT_NEVER);
        }
        while (atomic_load(&left))
            co_yield();
        assert_int_equal(atomic_load(&claims), 1);
    }
    rt_stop();
}

static void exactly_one_claims(void **state)
{
    struct rt_config config = {.workers = 4};
    assert_int_equal(rt_run(&config, contest, NULL), RT_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_to_come_is_the_first_served),
        TEST(one_who_waits_for_several_is_served_once),
        TEST(who_has_left_is_not_served),
        TEST(another_type_leaves_them_waiting),
        TEST(serving_one_can_make_a_key_ready_for_the_next),
        TEST(a_circle_of_movers_comes_to_rest),
        TEST(needs_are_asked_for_transitively),
        TEST(whose_partitions_are_not_owned_stays_ready),
        TEST(keys_are_served_in_the_order_in_which_they_became_ready),
        TEST(some_want_to_know_that_the_key_is_gone),
        TEST(swapping_databases_serves_who_waits),
        TEST(many_keys_can_be_waited_for),
        TEST(exactly_one_claims),
    };
    clock_init();
    hash_init();
    mem_thread_attach();
    hash_secret = 1; /* a, b and c are in different partitions */
    keyspace_init(&(struct keyspace_config){.partitions = 256, .databases = 16});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
