/*
 * runtime_chan.c - channels and select: hand-over, buffering, order, closing, deadlines, fairness,
 * many senders and receivers over several workers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "in_runtime.h"

CHAN_TYPE(int_chan, int)

/* ---- one sender, one receiver --------------------------------------------------------------- */

static void send_numbers(void *arg)
{
    for (int i = 0; i < 1000; i++)
        CHECK(int_chan_send(arg, i, soon()) == RT_OK);
    atomic_fetch_sub(&running, 1);
}

static void receive_in_order(size_t capacity)
{
    struct chan *ch = int_chan_new(capacity);
    start(send_numbers, ch);
    for (int i = 0; i < 1000; i++) {
        int got = -1;
        CHECK(int_chan_recv(ch, &got, soon()) == RT_OK && got == i);
        CHECK(chan_len(ch) <= capacity);
    }
    wait_for_all();
    chan_free(ch);
}

static void order_body(void)
{
    receive_in_order(0);
    receive_in_order(1);
    receive_in_order(7);
    receive_in_order(2000);
}

static void elements_arrive_in_order(void **state)
{
    in_runtime(order_body);
}

static void sizes_body(void)
{
    struct big {
        char bytes[300];
    } in, out;
    struct chan *ch = chan_new(sizeof in, 3), *none = chan_new(0, 2);
    for (int k = 0; k < 10; k++) {
        memset(&in, k, sizeof in);
        CHECK(chan_send(ch, &in, RT_NEVER) == RT_OK && chan_recv(ch, &out, RT_NEVER) == RT_OK);
        CHECK(memcmp(&in, &out, sizeof in) == 0);
    }
    CHECK(chan_try_send(none, NULL) == RT_OK && chan_try_send(none, NULL) == RT_OK);
    CHECK(chan_try_send(none, NULL) == RT_EAGAIN && chan_try_recv(none, NULL) == RT_OK);
    chan_free(ch);
    chan_free(none);
}

static void elements_of_any_size(void **state)
{
    in_runtime(sizes_body);
}

static void try_body(void)
{
    struct chan *ch = int_chan_new(2), *direct = int_chan_new(0);
    int x = 1;
    CHECK(chan_try_recv(ch, &x) == RT_EAGAIN);
    CHECK(chan_try_send(ch, &x) == RT_OK && chan_try_send(ch, &x) == RT_OK && chan_len(ch) == 2);
    CHECK(chan_try_send(ch, &x) == RT_EAGAIN);
    CHECK(chan_try_send(direct, &x) == RT_EAGAIN && chan_try_recv(direct, &x) == RT_EAGAIN);
    CHECK(int_chan_send(ch, 1, 0) == RT_ETIMEDOUT);
    CHECK(int_chan_recv(direct, &x, rt_now() + MS) == RT_ETIMEDOUT);
    CHECK(int_chan_send(direct, x, rt_now() + MS) == RT_ETIMEDOUT);
    CHECK(chan_try_send(direct, &x) == RT_EAGAIN); /* who gave up is no receiver */
    chan_free(ch);
    chan_free(direct);
}

static void trying_and_deadlines(void **state)
{
    in_runtime(try_body);
}

/* ---- closing -------------------------------------------------------------------------------- */

static _Atomic(int) closed_seen;

static void receive_until_closed(void *arg)
{
    int x;
    while (int_chan_recv(arg, &x, RT_NEVER) == RT_OK)
        continue;
    atomic_fetch_add(&closed_seen, 1);
    atomic_fetch_sub(&running, 1);
}

static void send_until_closed(void *arg)
{
    while (int_chan_send(arg, 1, RT_NEVER) == RT_OK)
        continue;
    atomic_fetch_add(&closed_seen, 1);
    atomic_fetch_sub(&running, 1);
}

static void close_body(void)
{
    struct chan *in = int_chan_new(0), *out = int_chan_new(4);
    int x = 0;
    atomic_store(&closed_seen, 0);
    for (int i = 0; i < 10; i++)
        start(receive_until_closed, in);
    for (int i = 0; i < 10; i++)
        start(send_until_closed, out);
    co_sleep(2 * MS);
    chan_close(in);
    chan_close(out);
    wait_for_all();
    CHECK(atomic_load(&closed_seen) == 20);
    CHECK(int_chan_send(in, 1, RT_NEVER) == RT_ECLOSED && chan_try_send(out, &x) == RT_ECLOSED);
    for (size_t left = chan_len(out); left > 0; left--) {
        CHECK(int_chan_recv(out, &x, RT_NEVER) == RT_OK &&
              x == 1); /* what was sent still arrives */
    }
    CHECK(int_chan_recv(out, &x, RT_NEVER) == RT_ECLOSED);
    chan_free(in);
    chan_free(out);
}

static void closing_wakes_everybody(void **state)
{
    in_runtime(close_body);
}

/* ---- many to many --------------------------------------------------------------------------- */

#define SENDERS 8
#define EACH    500

static _Atomic(int) times_seen[SENDERS * EACH];

struct many {
    struct chan *ch;
    int first;
};

static void send_range(void *arg)
{
    struct many *m = arg;
    for (int i = 0; i < EACH; i++) {
        CHECK(int_chan_send(m->ch, m->first + i, soon()) == RT_OK);
        if (i % 16 == 0) co_yield();
    }
    atomic_fetch_sub(&running, 1);
}

static void receive_any(void *arg)
{
    int x;
    while (int_chan_recv(arg, &x, RT_NEVER) == RT_OK)
        atomic_fetch_add(&times_seen[x], 1);
    atomic_fetch_sub(&running, 1);
}

static void many_with(size_t capacity)
{
    struct chan *ch = int_chan_new(capacity);
    struct many senders[SENDERS];
    memset((void *)times_seen, 0, sizeof times_seen);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct many){ch, i * EACH};
        start(send_range, &senders[i]);
    }
    for (int i = 0; i < 5; i++)
        start(receive_any, ch);
    int64_t until = soon();
    while (atomic_load(&running) > 5) {
        CHECK(rt_now() < until);
        co_sleep(MS / 10);
    }
    chan_close(ch);
    wait_for_all();
    for (int i = 0; i < SENDERS * EACH; i++)
        CHECK(atomic_load(&times_seen[i]) == 1);
    chan_free(ch);
}

static void many_body(void)
{
    many_with(0);
    many_with(3);
    many_with(100);
}

static void nothing_is_lost_or_doubled(void **state)
{
    in_runtime(many_body);
}

/* ---- select --------------------------------------------------------------------------------- */

static void select_now_body(void)
{
    struct chan *a = int_chan_new(1), *b = int_chan_new(1);
    int x = 5, y = 0, taken[2] = {0, 0};
    struct chan_case cases[] = {
        {CHAN_RECV, a, &y, 0}, {CHAN_RECV, b, &y, 0}, {CHAN_RECV, NULL, &y, 0}};
    CHECK(chan_select(cases, 3, 0) == RT_EAGAIN);
    CHECK(chan_select(cases, 3, rt_now() + MS) == RT_ETIMEDOUT);
    CHECK(chan_select(cases + 2, 1, rt_now() + MS) == RT_ETIMEDOUT);
    CHECK(int_chan_send(b, 7, RT_NEVER) == RT_OK);
    CHECK(chan_select(cases, 3, RT_NEVER) == 1 && y == 7 && cases[1].result == RT_OK);
    struct chan_case send = {CHAN_SEND, a, &x, 0};
    CHECK(chan_select(&send, 1, RT_NEVER) == 0 && chan_len(a) == 1);
    CHECK(chan_select(&send, 1, 0) == RT_EAGAIN);
    for (int i = 0; i < 400; i++) {
        chan_try_send(a, &x);
        chan_try_send(b, &x);
        taken[chan_select(cases, 2, RT_NEVER)]++;
    }
    CHECK(taken[0] > 100 && taken[1] > 100);
    while (chan_select(cases, 2, 0) != RT_EAGAIN)
        continue;
    chan_close(b);
    CHECK(chan_select(cases, 2, RT_NEVER) == 1 && cases[1].result == RT_ECLOSED);
    chan_free(a);
    chan_free(b);
}

static void select_takes_what_is_ready_fairly(void **state)
{
    in_runtime(select_now_body);
}

static void same_channel_body(void)
{
    struct chan *ch = int_chan_new(0);
    int x = 1, y = 0;
    struct chan_case both[] = {{CHAN_SEND, ch, &x, 0}, {CHAN_RECV, ch, &y, 0}};
    CHECK(chan_select(both, 2, rt_now() + MS) == RT_ETIMEDOUT); /* not with itself */
    CHECK(chan_try_recv(ch, &y) == RT_EAGAIN && chan_try_send(ch, &x) == RT_EAGAIN);
    chan_free(ch);
}

static void select_does_not_meet_itself(void **state)
{
    in_runtime(same_channel_body);
}

#define ROADS 20

static struct chan *roads[ROADS];
static _Atomic(int) arrived_by[ROADS * EACH];

static void send_by_select(void *arg)
{
    int who = (int)(intptr_t)arg;
    for (int i = 0; i < EACH; i++) {
        struct chan_case cases[3];
        int x = who * EACH + i;
        for (int k = 0; k < 3; k++) {
            cases[k] = (struct chan_case){CHAN_SEND, roads[(who + k * 5 + i) % ROADS], &x, 0};
        }
        int index;
        while ((index = chan_select(cases, 3, rt_now() + MS)) == RT_ETIMEDOUT)
            continue;
        CHECK(index >= 0 && cases[index].result == RT_OK);
    }
    atomic_fetch_sub(&running, 1);
}

static _Atomic(bool) finish;

static void receive_by_select(void *arg)
{
    for (;;) {
        struct chan_case cases[ROADS];
        int x = -1;
        for (int k = 0; k < ROADS; k++)
            cases[k] = (struct chan_case){CHAN_RECV, roads[k], &x, 0};
        int index = chan_select(cases, ROADS, rt_now() + 3 * MS);
        if (index == RT_ETIMEDOUT) {
            if (atomic_load(&finish)) break;
            continue;
        }
        CHECK(index >= 0 && cases[index].result == RT_OK);
        atomic_fetch_add(&arrived_by[x], 1);
    }
    atomic_fetch_sub(&running, 1);
}

static void roads_body(void)
{
    memset((void *)arrived_by, 0, sizeof arrived_by);
    atomic_store(&finish, false);
    for (int i = 0; i < ROADS; i++)
        roads[i] = int_chan_new((size_t)(i % 3));
    for (intptr_t i = 0; i < SENDERS; i++)
        start(send_by_select, (void *)i);
    for (int i = 0; i < 4; i++)
        start(receive_by_select, NULL);
    int64_t until = rt_now() + 60000 * MS;
    while (atomic_load(&running) > 4) {
        CHECK(rt_now() < until);
        co_sleep(MS);
    }
    atomic_store(&finish, true);
    wait_for_all();
    for (int i = 0; i < SENDERS * EACH; i++)
        CHECK(atomic_load(&arrived_by[i]) == 1);
    for (int i = 0; i < ROADS; i++) {
        CHECK(chan_len(roads[i]) == 0);
        chan_free(roads[i]);
    }
}

static void select_performs_exactly_one_case(void **state)
{
    in_runtime(roads_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_arrive_in_order),
        cmocka_unit_test(elements_of_any_size),
        cmocka_unit_test(trying_and_deadlines),
        cmocka_unit_test(closing_wakes_everybody),
        cmocka_unit_test(nothing_is_lost_or_doubled),
        cmocka_unit_test(select_takes_what_is_ready_fairly),
        cmocka_unit_test(select_does_not_meet_itself),
        cmocka_unit_test(select_performs_exactly_one_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
