/*
 * async.c - hiredis's asynchronous client with an event loop of our own on poll(): callbacks come
 * in order, many connections run at once, disconnects are told, and one can connect again.
 */
#include "testing.h"

#include <hiredis/async.h>

#define LOOP_MAX 256

/* One connection in the loop: what hiredis wants to be told about. */
struct watch {
    redisAsyncContext *ac;
    bool reading, writing, used;
};

static struct server server;
static struct watch watches[LOOP_MAX];

static void add_read(void *p)
{
    ((struct watch *)p)->reading = true;
}
static void del_read(void *p)
{
    ((struct watch *)p)->reading = false;
}
static void add_write(void *p)
{
    ((struct watch *)p)->writing = true;
}
static void del_write(void *p)
{
    ((struct watch *)p)->writing = false;
}
static void clean_up(void *p)
{
    memset(p, 0, sizeof(struct watch));
}

static redisAsyncContext *async_connect(void)
{
    redisAsyncContext *ac = redisAsyncConnect("127.0.0.1", server.port);
    for (int i = 0; i < LOOP_MAX; i++) {
        struct watch *w = &watches[i];
        if (w->used) continue;
        *w = (struct watch){.ac = ac, .used = true};
        ac->ev.data = w;
        ac->ev.addRead = add_read;
        ac->ev.delRead = del_read;
        ac->ev.addWrite = add_write;
        ac->ev.delWrite = del_write;
        ac->ev.cleanup = clean_up;
        return ac;
    }
    abort();
}

static void loop_once(void)
{
    struct pollfd fds[LOOP_MAX];
    struct watch *of[LOOP_MAX];
    int n = 0;
    for (int i = 0; i < LOOP_MAX; i++) {
        struct watch *w = &watches[i];
        if (!w->used) continue;
        of[n] = w;
        fds[n++] = (struct pollfd){
            .fd = w->ac->c.fd,
            .events = (short)((w->reading ? POLLIN : 0) | (w->writing ? POLLOUT : 0))};
    }
    poll(fds, (nfds_t)n, 100);
    for (int i = 0; i < n; i++) {
        if (of[i]->used && (fds[i].revents & (POLLIN | POLLHUP | POLLERR)) && of[i]->reading)
            redisAsyncHandleRead(of[i]->ac);
        if (of[i]->used && (fds[i].revents & (POLLOUT | POLLHUP | POLLERR)) && of[i]->writing)
            redisAsyncHandleWrite(of[i]->ac);
    }
}

/* Runs the loop until *done reaches n, or too long. */
static bool loop_until(const int *done, int n)
{
    int64_t end = now_ms() + 20000 * slow_factor();
    while (*done < n) {
        if (now_ms() > end) return false;
        loop_once();
    }
    return true;
}

static int done, wrong, disconnected;

static void on_disconnect(const redisAsyncContext *ac, int status)
{
    (void)ac, (void)status;
    disconnected++;
}

/* The private data is the number that the reply must be. */
static void on_number(redisAsyncContext *ac, void *reply, void *data)
{
    redisReply *r = reply;
    (void)ac;
    if (!r || r->type != REDIS_REPLY_INTEGER || r->integer != (intptr_t)data) wrong++;
    done++;
}

static void on_text(redisAsyncContext *ac, void *reply, void *data)
{
    redisReply *r = reply;
    (void)ac;
    if (!r || !r->str || strcmp(r->str, data) != 0) wrong++;
    done++;
}

static void on_any(redisAsyncContext *ac, void *reply, void *data)
{
    (void)ac, (void)data;
    if (!reply) wrong++;
    done++;
}

static void begin(void)
{
    done = wrong = disconnected = 0;
}

static void close_all(redisAsyncContext **ac, int n)
{
    for (int i = 0; i < n; i++)
        redisAsyncSetDisconnectCallback(ac[i], on_disconnect);
    for (int i = 0; i < n; i++)
        redisAsyncDisconnect(ac[i]);
    if (!loop_until(&disconnected, n)) FAIL("%d of %d disconnected", disconnected, n);
}

static void callbacks_come_in_order(void)
{
    begin();
    redisAsyncContext *ac = async_connect();
    redisAsyncCommand(ac, on_any, NULL, "FLUSHALL");
    for (intptr_t i = 1; i <= 20000; i++)
        redisAsyncCommand(ac, on_number, (void *)i, "INCR n");
    CHECK(loop_until(&done, 20001));
    CHECK(wrong == 0);
    close_all(&ac, 1);
}

static void two_hundred_connections_at_once(void)
{
    begin();
    redisAsyncContext *ac[200];
    for (int i = 0; i < 200; i++)
        ac[i] = async_connect();
    for (int round = 1; round <= 50; round++) {
        for (int i = 0; i < 200; i++) {
            redisAsyncCommand(ac[i], on_number, (void *)(intptr_t)round, "INCR own:%d", i);
            redisAsyncCommand(ac[i], on_any, NULL, "INCR shared");
        }
    }
    CHECK(loop_until(&done, 200 * 50 * 2));
    CHECK(wrong == 0);
    begin();
    redisAsyncCommand(ac[0], on_text, "10000", "GET shared");
    CHECK(loop_until(&done, 1) && wrong == 0);
    close_all(ac, 200);
}

static void waiting_clients_are_served_while_others_push(void)
{
    begin();
    redisAsyncContext *wait[50], *push = async_connect();
    for (int i = 0; i < 50; i++) {
        wait[i] = async_connect();
        redisAsyncCommand(wait[i], on_any, NULL, "BLPOP queue:%d 0", i % 5);
    }
    for (int i = 0; i < 20; i++)
        loop_once();
    CHECK(done == 0);
    for (int i = 0; i < 50; i++)
        redisAsyncCommand(push, NULL, NULL, "RPUSH queue:%d %d", i % 5, i);
    CHECK(loop_until(&done, 50));
    CHECK(wrong == 0);
    close_all(wait, 50);
    close_all(&push, 1);
}

static void disconnecting_waits_for_the_replies(void)
{
    begin();
    redisAsyncContext *ac = async_connect();
    redisAsyncSetDisconnectCallback(ac, on_disconnect);
    redisAsyncCommand(ac, on_any, NULL, "DEL d");
    for (intptr_t i = 1; i <= 1000; i++)
        redisAsyncCommand(ac, on_number, (void *)i, "INCR d");
    redisAsyncDisconnect(ac);
    CHECK(loop_until(&disconnected, 1));
    CHECK(done == 1001 && wrong == 0);
}

static void a_killed_connection_is_told_and_connects_again(void)
{
    begin();
    redisAsyncContext *ac = async_connect(), *killer = async_connect();
    redisAsyncSetDisconnectCallback(ac, on_disconnect);
    redisAsyncCommand(ac, on_any, NULL, "CLIENT SETNAME victim");
    CHECK(loop_until(&done, 1));
    redisAsyncCommand(killer, NULL, NULL, "CLIENT KILL TYPE normal SKIPME yes");
    CHECK(loop_until(&disconnected, 1));
    begin();
    ac = async_connect();
    redisAsyncCommand(ac, on_text, "PONG", "PING");
    CHECK(loop_until(&done, 1) && wrong == 0);
    close_all(&ac, 1);
    close_all(&killer, 1);
}

int main(void)
{
    server_start(&server, NULL, NULL);
    RUN(callbacks_come_in_order);
    RUN(two_hundred_connections_at_once);
    RUN(waiting_clients_are_served_while_others_push);
    RUN(disconnecting_waits_for_the_replies);
    RUN(a_killed_connection_is_told_and_connects_again);
    server_stop(&server);
    return finish();
}
