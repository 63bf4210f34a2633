/*
 * sync.c - hiredis's blocking client as programs use it: commands, binary arguments, pipelines,
 * RESP3, big payloads, reconnecting.
 */
#include "testing.h"

static struct server server;
static redisContext *conn;

static bool is_string(const redisReply *r, const char *want)
{
    return r && (r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS) &&
           strcmp(r->str, want) == 0;
}

static bool command_is(const char *want, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    redisReply *r = redisvCommand(conn, format, ap);
    va_end(ap);
    bool ok = is_string(r, want);
    if (!ok) FAIL("%s: expected %s, got %s", format, want, r && r->str ? r->str : conn->errstr);
    if (r) freeReplyObject(r);
    return ok;
}

static void replies_have_types(void)
{
    CHECK(command_is("OK", "FLUSHALL"));
    CHECK(command_is("OK", "SET k %s", "a value"));
    CHECK(command_is("a value", "GET k"));
    redisReply *r = redisCommand(conn, "GET none");
    CHECK(r && r->type == REDIS_REPLY_NIL);
    freeReplyObject(r);
    r = redisCommand(conn, "INCR n");
    CHECK(r && r->type == REDIS_REPLY_INTEGER && r->integer == 1);
    freeReplyObject(r);
    r = redisCommand(conn, "MGET k none n");
    CHECK(r && r->type == REDIS_REPLY_ARRAY && r->elements == 3);
    CHECK(is_string(r->element[0], "a value") && r->element[1]->type == REDIS_REPLY_NIL &&
          is_string(r->element[2], "1"));
    freeReplyObject(r);
    r = redisCommand(conn, "LPUSH k x");
    CHECK(r && r->type == REDIS_REPLY_ERROR && strncmp(r->str, "WRONGTYPE", 9) == 0);
    freeReplyObject(r);
}

static void binary_arguments_survive(void)
{
    unsigned char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (unsigned char)i;
    redisReply *r = redisCommand(conn, "SET %b %b", bytes, (size_t)256, bytes, (size_t)256);
    CHECK(is_string(r, "OK"));
    freeReplyObject(r);
    r = redisCommand(conn, "GET %b", bytes, (size_t)256);
    CHECK(r && r->type == REDIS_REPLY_STRING && r->len == 256 && memcmp(r->str, bytes, 256) == 0);
    freeReplyObject(r);
}

static void pipelines_of_any_depth_keep_order(void)
{
    for (int depth = 1; depth <= 10000; depth *= 10) {
        for (int i = 0; i < depth; i++)
            redisAppendCommand(conn, "SET p:%d %d", i, i);
        for (int i = 0; i < depth; i++)
            redisAppendCommand(conn, "GET p:%d", i);
        for (int i = 0; i < 2 * depth; i++) {
            redisReply *r;
            char want[16];
            CHECK(redisGetReply(conn, (void **)&r) == REDIS_OK);
            snprintf(want, sizeof want, "%d", i - depth);
            CHECK(is_string(r, i < depth ? "OK" : want));
            freeReplyObject(r);
        }
    }
}

static void errors_in_a_pipeline_do_not_shift_it(void)
{
    redisAppendCommand(conn, "SET s text");
    redisAppendCommand(conn, "INCR s");
    redisAppendCommand(conn, "NOSUCH");
    redisAppendCommand(conn, "GET s");
    int want[] = {REDIS_REPLY_STATUS, REDIS_REPLY_ERROR, REDIS_REPLY_ERROR, REDIS_REPLY_STRING};
    for (int i = 0; i < 4; i++) {
        redisReply *r;
        CHECK(redisGetReply(conn, (void **)&r) == REDIS_OK);
        CHECK(r->type == want[i]);
        freeReplyObject(r);
    }
}

static void payloads_of_32_mb_and_many_sizes(void)
{
    static const size_t sizes[] = {1,     100,   16383, 16384,   16385,
                                   32768, 65535, 65536, 1 << 20, (32 << 20) + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *p = malloc(sizes[i]);
        for (size_t j = 0; j < sizes[i]; j++)
            p[j] = (char)(j * 31 + j / 251 + i);
        redisReply *r = redisCommand(conn, "SET big %b", p, sizes[i]);
        CHECK(is_string(r, "OK"));
        freeReplyObject(r);
        r = redisCommand(conn, "GET big");
        CHECK(r && r->type == REDIS_REPLY_STRING && r->len == sizes[i] &&
              memcmp(r->str, p, sizes[i]) == 0);
        freeReplyObject(r);
        free(p);
    }
    redisReply *r = redisCommand(conn, "DEL big");
    CHECK(r && r->integer == 1);
    freeReplyObject(r);
}

#ifdef REDIS_REPLY_MAP
static void resp3_types(void)
{
    redisReply *r = redisCommand(conn, "HELLO 3");
    CHECK(r && r->type == REDIS_REPLY_MAP && r->elements == 14);
    freeReplyObject(r);
    r = redisCommand(conn, "GET none");
    CHECK(r && r->type == REDIS_REPLY_NIL);
    freeReplyObject(r);
    r = redisCommand(conn, "CONFIG GET maxclients");
    CHECK(r && r->type == REDIS_REPLY_MAP && r->elements == 2);
    freeReplyObject(r);
    r = redisCommand(conn, "INFO server");
    CHECK(r && r->type == REDIS_REPLY_VERB && strcmp(r->vtype, "txt") == 0);
    freeReplyObject(r);
    r = redisCommand(conn, "HELLO 2");
    CHECK(r && r->type == REDIS_REPLY_ARRAY && r->elements == 14);
    freeReplyObject(r);
}
#else
/* This hiredis does not know RESP3: it must be refused no command as long as nobody says HELLO 3.
 */
static void resp3_types(void)
{
    redisReply *r = redisCommand(conn, "HELLO 2");
    CHECK(r && r->type == REDIS_REPLY_ARRAY && r->elements == 14);
    CHECK(is_string(r->element[4], "proto") && r->element[5]->integer == 2);
    freeReplyObject(r);
}
#endif

static void reconnecting_gives_a_fresh_connection(void)
{
    CHECK(command_is("OK", "SELECT 3"));
    CHECK(command_is("OK", "SET k three"));
    redisReply *r = redisCommand(conn, "QUIT");
    CHECK(is_string(r, "OK"));
    freeReplyObject(r);
    r = redisCommand(conn, "PING");
    CHECK(r == NULL && conn->err != 0);
    CHECK(redisReconnect(conn) == REDIS_OK);
    CHECK(command_is("PONG", "PING"));
    r = redisCommand(conn, "EXISTS k-nosuch");
    CHECK(r && r->integer == 0);
    freeReplyObject(r);
    CHECK(command_is("OK", "SELECT 3"));
    CHECK(command_is("three", "GET k"));
    CHECK(command_is("OK", "SELECT 0"));
}

static void a_thousand_connections_one_after_the_other(void)
{
    for (int i = 0; i < 1000; i++) {
        redisContext *c = connect_to(server.port);
        CHECK(c && !c->err);
        redisReply *r = redisCommand(c, "INCR connections");
        CHECK(r && r->integer == i + 1);
        freeReplyObject(r);
        redisFree(c);
    }
}

static void five_hundred_connections_at_once(void)
{
    redisContext *c[500];
    for (int i = 0; i < 500; i++) {
        c[i] = connect_to(server.port);
        CHECK(c[i] && !c[i]->err);
        redisAppendCommand(c[i], "SET conn:%d %d", i, i);
        redisAppendCommand(c[i], "GET conn:%d", i);
    }
    for (int i = 0; i < 500; i++) {
        redisReply *r;
        CHECK(redisGetReply(c[i], (void **)&r) == REDIS_OK && is_string(r, "OK"));
        freeReplyObject(r);
        CHECK(redisGetReply(c[i], (void **)&r) == REDIS_OK && atoi(r->str) == i);
        freeReplyObject(r);
    }
    for (int i = 0; i < 500; i++)
        redisFree(c[i]);
}

static void a_timeout_of_the_client_leaves_the_server_well(void)
{
    redisContext *c = connect_to(server.port);
    redisSetTimeout(c, (struct timeval){0, 50000});
    redisReply *r = redisCommand(c, "BLPOP nolist 0");
    CHECK(r == NULL && c->err == REDIS_ERR_IO);
    redisFree(c);
    r = redisCommand(conn, "RPUSH nolist x");
    CHECK(r && r->integer == 1);
    freeReplyObject(r);
    for (int i = 0; i < 500; i++) {
        r = redisCommand(conn, "CLIENT LIST");
        bool gone = strstr(r->str, "cmd=blpop") == NULL;
        freeReplyObject(r);
        if (gone) return;
        sleep_ms(10);
    }
    FAIL("the client that went away is still listed");
}

int main(void)
{
    server_start(&server, NULL, NULL);
    conn = connect_to(server.port);
    RUN(replies_have_types);
    RUN(binary_arguments_survive);
    RUN(pipelines_of_any_depth_keep_order);
    RUN(errors_in_a_pipeline_do_not_shift_it);
    RUN(payloads_of_32_mb_and_many_sizes);
    RUN(resp3_types);
    RUN(reconnecting_gives_a_fresh_connection);
    RUN(a_thousand_connections_one_after_the_other);
    RUN(five_hundred_connections_at_once);
    RUN(a_timeout_of_the_client_leaves_the_server_well);
    redisFree(conn);
    server_stop(&server);
    return finish();
}
