/*
 * commands_members.c - members that belong to no key: found by their bytes, sorted by score and
 * bytes, their bytes kept; and the unions, intersections and differences made with them are those
 * that a table of all members gives.
 */
#include <math.h>

#include "commands_script.h"

#include "commands/zset_more_internal.h"

/* ---- members -------------------------------------------------------------------------------- */

static struct slice name_of(char *out, uint64_t i)
{
    return slice_of(out, (size_t)sprintf(out, "member-%llu", (unsigned long long)i));
}

static void members_are_found_by_their_bytes(void **state)
{
    struct members m = {0};
    struct members_gap gap;
    char text[40];
    for (uint64_t i = 0; i < 500; i++)
        members_add(&m, members_keep(&m, name_of(text, i)), (double)i);
    members_index(&m, 3000);
    for (uint64_t i = 500; i < 3000; i++) {
        assert_null(members_find(&m, name_of(text, i), &gap));
        members_add(&m, members_keep(&m, name_of(text, i)), (double)i);
        members_enter(&m, gap);
    }
    for (uint64_t i = 0; i < 3000; i++) {
        struct member *found = members_find(&m, name_of(text, i), &gap);
        assert_non_null(found);
        assert_true(found->score == (double)i);
    }
    assert_null(members_find(&m, SLICE("member-3000"), &gap));
    assert_null(members_find(&m, SLICE(""), &gap));
    members_free(&m);
}

static void kept_bytes_last(void **state)
{
    struct members m = {0};
    char *large = malloc(100000);
    memset(large, 'x', 100000);
    struct slice a = members_keep(&m, SLICE("a")), b = members_keep(&m, slice_of(large, 100000));
    struct slice none = members_keep(&m, slice_of(NULL, 0));
    for (int i = 0; i < 5000; i++)
        members_keep(&m, SLICE("something else"));
    assert_true(slice_eq(a, SLICE("a")) && none.n == 0);
    assert_memory_equal(b.p, large, 100000);
    free(large);
    members_free(&m);
}

/* Few distinct scores and names that share beginnings. */
static void add_some(struct members *m, size_t n, uint64_t scores)
{
    char text[40];
    for (size_t i = 0; i < n; i++) {
        struct slice s = name_of(text, rand_below(n * 4));
        s.n -= rand_below(4) == 0 ? 7 : 0;
        double score = (double)rand_below(scores) - (double)(scores / 2);
        members_add(m, members_keep(m, s), rand_below(20) ? score : -0.0);
    }
}

static void sorting_is_by_score_and_then_by_bytes(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 30, 500, 5000};
    static const uint64_t scores[] = {1, 3, 100000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        for (size_t j = 0; j < ARRAY_LEN(scores); j++) {
            struct members m = {0};
            add_some(&m, sizes[i], scores[j]);
            members_sort(&m);
            assert_int_equal(m.n, sizes[i]);
            for (size_t k = 1; k < m.n; k++) {
                const struct member *a = &m.items[k - 1], *b = &m.items[k];
                assert_true(a->score <= b->score);
                if (a->score == b->score) assert_true(slice_cmp(a->s, b->s) <= 0);
            }
            members_free(&m);
        }
    }
}

static void infinities_are_at_the_ends(void **state)
{
    struct members m = {0};
    members_add(&m, SLICE("c"), INFINITY);
    members_add(&m, SLICE("b"), 0);
    members_add(&m, SLICE("a"), -INFINITY);
    members_sort(&m);
    assert_string_equal(m.items[0].s.p, "a");
    assert_string_equal(m.items[2].s.p, "c");
    members_free(&m);
}

/* ---- the three operations against a table ---------------------------------------------------- */

#define NAMES 120
#define KEYS  4

static bool present[KEYS][NAMES];
static double scores[KEYS][NAMES];
static char failure[200];

static void run_text(struct caller *caller, const char *line, struct buf *out)
{
    run_line(caller, line, out);
}

/* Small ones are packed, large ones are not; key 3 is a set. */
static void make_keys(struct caller *caller, uint64_t density, struct buf *out)
{
    char line[100];
    run_text(caller, "FLUSHALL SYNC", out);
    for (int k = 0; k < KEYS; k++) {
        for (int i = 0; i < NAMES; i++) {
            present[k][i] = rand_below(100) < density;
            scores[k][i] = k == 3 ? 1 : (double)rand_below(40) / 2 - 5;
            if (!present[k][i]) continue;
            if (k == 3) {
                sprintf(line, "SADD k3 m%d", i);
            } else {
                sprintf(line, "ZADD k%d %.17g m%d", k, scores[k][i], i);
            }
            run_text(caller, line, out);
        }
    }
}

static bool expected(char op, int a, int b, int i, double *score)
{
    bool in_a = present[a][i], in_b = present[b][i];
    *score = op == 'D' ? scores[a][i] : (in_a ? scores[a][i] : 0) + (in_b ? scores[b][i] : 0);
    if (op == 'U') return in_a || in_b;
    return op == 'I' ? in_a && in_b : in_a && !in_b;
}

/* Stores the result and looks each member up. */
static void check(struct caller *caller, char op, int a, int b, struct buf *out)
{
    const char *name = op == 'U' ? "ZUNIONSTORE" : op == 'I' ? "ZINTERSTORE" : "ZDIFFSTORE";
    char line[100], want[40];
    int count = 0;
    double score;
    sprintf(line, "%s t 2 k%d k%d", name, a, b);
    for (int i = 0; i < NAMES; i++)
        count += expected(op, a, b, i, &score);
    run_text(caller, line, out);
    sprintf(want, ":%d", count);
    if (strcmp(shown(out), want) != 0) snprintf(failure, sizeof failure, "%s: not %s", line, want);
    for (int i = 0; i < NAMES; i++) {
        char text[NUM_DOUBLE_MAX] = "$-1", ask[40];
        if (expected(op, a, b, i, &score)) num_fmt_double(text, score);
        sprintf(ask, "ZSCORE t m%d", i);
        run_text(caller, ask, out);
        if (!strstr(shown(out), text))
            snprintf(failure, sizeof failure, "%s: m%d is not %s", line, i, text);
    }
}

static void compare_with_the_table(struct caller *caller)
{
    static const uint64_t densities[] = {0, 5, 40, 90, 100};
    struct buf out = {0};
    zset_limits.max_listpack_entries = 40;
    for (size_t d = 0; d < ARRAY_LEN(densities); d++) {
        make_keys(caller, densities[d], &out);
        for (int a = 0; a < KEYS; a++) {
            for (int b = 0; b < KEYS; b++) {
                check(caller, 'U', a, b, &out);
                check(caller, 'I', a, b, &out);
                check(caller, 'D', a, b, &out);
            }
        }
    }
    buf_free(&out);
}

static struct script table_script = {.fn = compare_with_the_table};

static void operations_are_what_a_table_of_members_gives(void **state)
{
    if (failure[0]) fail_msg("%s", failure);
}

/* ---- targets -------------------------------------------------------------------------------- */

SCRIPT(a_target_may_be_an_input, {"ZADD a 1 x 2 y", ":2"}, {"ZADD b 3 y", ":1"},
       {"ZUNIONSTORE a 2 a b", ":2"}, {"ZRANGE a 0 -1 WITHSCORES", "*4 $1 x $1 1 $1 y $1 5"},
       {"ZDIFFSTORE b 2 a b", ":1"}, {"ZRANGE b 0 -1", "*1 $1 x"}, {"ZINTERSTORE a 2 a none", ":0"},
       {"EXISTS a", ":0"})

SCRIPT(integers_in_packed_inputs_keep_their_bytes, {"SADD s 1 2 30000000000", ":3"},
       {"ZADD z 1 7 2 8", ":2"}, {"ZUNION 2 s z", "*5 $1 1 $1 2 $11 30000000000 $1 7 $1 8"},
       {"ZINTER 1 s", "*3 $1 1 $1 2 $11 30000000000"},
       {"ZDIFF 2 s z", "*3 $1 1 $1 2 $11 30000000000"}, {"ZUNIONSTORE t 2 z s WEIGHTS 1 0", ":5"},
       {"ZRANGE t 0 -1", "*5 $1 1 $1 2 $11 30000000000 $1 7 $1 8"})

SCRIPT(an_expired_input_is_absent, {"ZADD a 1 x", ":1"}, {"ZADD b 1 y", ":1"},
       {"PEXPIRE a 1", ":1"}, {"SLEEP 20", ""}, {"ZUNION 3 a b a", "*1 $1 y"},
       {"ZUNIONSTORE t 2 a a", ":0"})

int main(void)
{
    struct script *scripts[] = {&table_script, &a_target_may_be_an_input_script,
                                &integers_in_packed_inputs_keep_their_bytes_script,
                                &an_expired_input_is_absent_script, NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_by_their_bytes),
        cmocka_unit_test(kept_bytes_last),
        cmocka_unit_test(sorting_is_by_score_and_then_by_bytes),
        cmocka_unit_test(infinities_are_at_the_ends),
        cmocka_unit_test(operations_are_what_a_table_of_members_gives),
        cmocka_unit_test(a_target_may_be_an_input),
        cmocka_unit_test(integers_in_packed_inputs_keep_their_bytes),
        cmocka_unit_test(an_expired_input_is_absent),
    };
    run_scripts(scripts);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
