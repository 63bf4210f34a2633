/*
 * client_kill.c - CLIENT KILL: by address, or by filters that must all hold.
 *
 * Clients are closed by their own coroutines; the reply waits (a moment, not for ever) until those
 * that were killed have left the registry, so that who sees the reply sees them gone. A client that
 * kills itself is closed behind its reply.
 */
#include "server/client.h"

#define GONE_WAIT_NS (100 * 1000 * 1000LL)
#define GONE_LOOK_NS (200 * 1000LL)

struct filters {
    uint64_t id;              /* 0: any */
    struct slice addr, laddr; /* p NULL: any */
    int64_t max_age_s;        /* 0: any */
    bool nobody;              /* a type of client that is not there */
    bool skip_me;
};

struct killing {
    struct call *c;
    struct filters f;
    uint64_t *ids; /* of the killed, but for the caller */
    size_t n, cap;
    bool self;
};

static bool addr_matches(const struct session *s, struct slice addr,
                         void (*name)(const struct conn *c, char *out, size_t size))
{
    char text[CONN_ADDR_MAX];
    if (!addr.p) return true;
    name(&s->conn, text, sizeof text);
    return slice_eq(addr, slice_str(text));
}

static bool matches(const struct session *s, const struct filters *f, int64_t now_s)
{
    if (f->nobody || (f->id && s->caller.id != f->id)) return false;
    if (f->max_age_s && now_s - (int64_t)s->created_s < f->max_age_s) return false;
    return addr_matches(s, f->addr, conn_peer_name) && addr_matches(s, f->laddr, conn_local_name);
}

static bool kill_one(struct session *s, void *arg)
{
    struct killing *k = arg;
    bool self = &s->caller == k->c->caller;
    if ((self && k->f.skip_me) || !matches(s, &k->f, clock_unix_ms() / 1000)) return true;
    if (self) {
        k->self = true;
        return true;
    }
    if (k->n == k->cap) {
        k->cap = k->cap ? 2 * k->cap : 16;
        k->ids = mem_realloc(k->ids, k->cap * sizeof *k->ids);
    }
    k->ids[k->n++] = s->caller.id;
    session_kill(s);
    return true;
}

static void look(struct session *s, void *arg) {}

static void wait_until_gone(const struct killing *k)
{
    int64_t deadline = rt_now() + GONE_WAIT_NS;
    for (size_t i = 0; i < k->n; i++) {
        while (sessions_with(k->ids[i], look, NULL) && rt_now() < deadline)
            co_sleep(GONE_LOOK_NS);
    }
}

/* Returns how many were killed. */
static size_t kill_matching(struct killing *k)
{
    sessions_each(kill_one, k);
    if (!k->c->in_exec) wait_until_gone(k);
    if (k->self) atomic_fetch_or_explicit(&k->c->caller->gate, GATE_CLOSE, memory_order_relaxed);
    mem_free(k->ids);
    return k->n + k->self;
}

/* ---- the command
 * --------------------------------------------------------------------------------- */

static bool user_filter(struct call *c, struct slice name)
{
    if (slice_eq(name, SLICE("default"))) return true;
    reply_errorf(c->r, "ERR No such user '%.*s'", (int)name.n, name.p);
    return false;
}

static bool type_filter(struct call *c, struct slice type, struct filters *f)
{
    bool normal;
    if (!client_type_known(type, &normal)) {
        reply_errorf(c->r, "ERR Unknown client type '%.*s'", (int)type.n, type.p);
        return false;
    }
    if (!normal) f->nobody = true;
    return true;
}

static bool id_filter(struct call *c, uint32_t arg, struct filters *f)
{
    int64_t id;
    if (!call_i64_range(c, arg, 1, INT64_MAX, &id, "client-id should be greater than 0"))
        return false;
    f->id = (uint64_t)id;
    return true;
}

static bool age_filter(struct call *c, uint32_t arg, struct filters *f)
{
    if (!num_parse_i64(c->argv[arg], &f->max_age_s)) {
        reply_error(c->r, "ERR maxage is not an integer or out of range");
        return false;
    }
    if (f->max_age_s > 0) return true;
    reply_error(c->r, "ERR maxage should be greater than 0");
    return false;
}

static bool skip_filter(struct call *c, struct slice word, struct filters *f)
{
    f->skip_me = slice_is(word, "yes");
    if (f->skip_me || slice_is(word, "no")) return true;
    call_syntax_error(c);
    return false;
}

static bool take_filter(struct call *c, uint32_t i, struct filters *f)
{
    struct slice name = c->argv[i], value = c->argv[i + 1];
    if (slice_is(name, "ID")) return id_filter(c, i + 1, f);
    if (slice_is(name, "MAXAGE")) return age_filter(c, i + 1, f);
    if (slice_is(name, "TYPE")) return type_filter(c, value, f);
    if (slice_is(name, "USER")) return user_filter(c, value);
    if (slice_is(name, "SKIPME")) return skip_filter(c, value, f);
    if (slice_is(name, "ADDR")) {
        f->addr = value;
        return true;
    }
    if (slice_is(name, "LADDR")) {
        f->laddr = value;
        return true;
    }
    call_syntax_error(c);
    return false;
}

static void kill_by_address(struct call *c)
{
    struct killing k = {.c = c, .f.addr = c->argv[2]};
    if (kill_matching(&k)) {
        reply_ok(c->r);
    } else {
        reply_error(c->r, "ERR No such client");
    }
}

void client_kill_command(struct call *c)
{
    struct killing k = {.c = c, .f.skip_me = true};
    if (c->argc == 3) {
        kill_by_address(c);
        return;
    }
    for (uint32_t i = 2; i < c->argc; i += 2) {
        if (i + 1 == c->argc) {
            call_syntax_error(c);
            return;
        }
        if (!take_filter(c, i, &k.f)) return;
    }
    reply_int(c->r, (int64_t)kill_matching(&k));
}
