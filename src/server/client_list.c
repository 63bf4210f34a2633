/*
 * client_list.c - CLIENT LIST and INFO: one line a client.
 *
 * A client is described by whoever asks, while its coroutine runs on: the line is made of relaxed
 * atomics that the owner writes now and then. What the owner keeps in plain fields (flags,
 * database, protocol) it packs into s->shown at the end of each batch.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "server/client.h"

/* ---- s->shown -----------------------------------------------------------------------------------
 */

enum {
    SHOW_MULTI = 1u << 0,
    SHOW_DIRTY = 1u << 1,
    SHOW_CLOSING = 1u << 2,
    SHOW_UNIX = 1u << 3,
    SHOW_NO_EVICT = 1u << 4,
    SHOW_NO_TOUCH = 1u << 5,
    SHOW_RESP3 = 1u << 6,
    SHOW_DB_SHIFT = 8,
};

static uint32_t pack(const struct session *s)
{
    const struct caller *c = &s->caller;
    uint32_t v = c->db << SHOW_DB_SHIFT;
    uint32_t gate = atomic_load_explicit(&c->gate, memory_order_relaxed);
    if (gate & GATE_MULTI) v |= SHOW_MULTI;
    if (gate & GATE_CLOSE) v |= SHOW_CLOSING;
    if (atomic_load_explicit(&c->watch_dirty, memory_order_relaxed)) v |= SHOW_DIRTY;
    if (s->conn.is_unix) v |= SHOW_UNIX;
    if (c->flags & CALLER_NO_EVICT) v |= SHOW_NO_EVICT;
    if (c->flags & CALLER_NO_TOUCH) v |= SHOW_NO_TOUCH;
    if (s->conn.reply.resp == 3) v |= SHOW_RESP3;
    return v;
}

void session_show_state(struct session *s)
{
    uint32_t v = pack(s);
    if (atomic_load_explicit(&s->shown, memory_order_relaxed) == v) return;
    atomic_store_explicit(&s->shown, v, memory_order_relaxed);
}

static void add_flags(struct buf *out, uint32_t shown, bool blocked)
{
    size_t before = out->n;
    if (shown & SHOW_MULTI) buf_addc(out, 'x');
    if (blocked) buf_addc(out, 'b');
    if (shown & SHOW_DIRTY) buf_addc(out, 'd');
    if (shown & SHOW_CLOSING) buf_addc(out, 'c');
    if (shown & SHOW_UNIX) buf_addc(out, 'U');
    if (shown & SHOW_NO_EVICT) buf_addc(out, 'e');
    if (shown & SHOW_NO_TOUCH) buf_addc(out, 'T');
    if (out->n == before) buf_addc(out, 'N');
}

/* ---- the line
 * ------------------------------------------------------------------------------------ */

struct figures { /* of buffers, bytes */
    size_t query, query_free, args, multi, out;
};

static struct figures figures_of(const struct session *s)
{
    const struct conn *c = &s->conn;
    return (struct figures){
        .query = atomic_load_explicit(&c->query_buffered, memory_order_relaxed),
        .query_free = atomic_load_explicit(&c->query_free, memory_order_relaxed),
        .args = atomic_load_explicit(&s->batch_args, memory_order_relaxed),
        .out = atomic_load_explicit(&c->out_memory, memory_order_relaxed),
    };
}

/* Of the client that asks: its own request is what is in its query buffer now. */
static struct figures figures_of_self(const struct session *s, const struct call *c)
{
    struct figures f = figures_of(s);
    f.query = 3 + num_digits_u64(c->argc);
    f.args = 0;
    for (uint32_t i = 0; i < c->argc; i++) {
        f.query += 5 + num_digits_u64(c->argv[i].n) + c->argv[i].n;
        f.args += c->argv[i].n;
    }
    if (s->conn.parser) {
        size_t capacity = resp_capacity(s->conn.parser);
        f.query += resp_buffered(s->conn.parser);
        f.query_free = capacity > f.query ? capacity - f.query : 0;
    }
    f.multi = caller_queue_memory(&s->caller);
    return f;
}

static void add_names(const struct session *s, struct buf *out)
{
    char peer[CONN_ADDR_MAX], local[CONN_ADDR_MAX];
    conn_peer_name(&s->conn, peer, sizeof peer);
    conn_local_name(&s->conn, local, sizeof local);
    buf_addf(out, "id=%" PRIu64 " addr=%s laddr=%s fd=%d name=%s", s->caller.id, peer, local,
             s->conn.fd, session_text(s, SESSION_NAME));
}

static void add_buffers(const struct figures *f, struct buf *out)
{
    size_t total = sizeof(struct session) + f->query + f->query_free + f->args + f->multi + f->out;
    buf_addf(out, " qbuf=%zu qbuf-free=%zu argv-mem=%zu multi-mem=%zu", f->query, f->query_free,
             f->args, f->multi);
    buf_addf(out, " rbs=%d rbp=%d obl=0 oll=0 omem=%zu tot-mem=%zu events=%s", REPLY_CHUNK, 0,
             f->out, total, f->out ? "rw" : "r");
}

static void describe(const struct session *s, const struct figures *f, uint32_t shown,
                     struct buf *out)
{
    uint32_t now_s = (uint32_t)(clock_unix_ms() / 1000);
    uint32_t active_s = atomic_load_explicit(&s->active_s, memory_order_relaxed);
    bool blocked = atomic_load_explicit(&s->blocked, memory_order_relaxed) != SESSION_RUNNING;
    const struct command *last = __atomic_load_n(&s->caller.last_command, __ATOMIC_RELAXED);
    add_names(s, out);
    buf_addf(out, " age=%u idle=%u flags=", now_s - s->created_s,
             now_s > active_s ? now_s - active_s : 0);
    add_flags(out, shown, blocked);
    buf_addf(out, " db=%u sub=0 psub=0 ssub=0 multi=%d watch=%u", shown >> SHOW_DB_SHIFT,
             atomic_load_explicit(&s->caller.queued, memory_order_relaxed),
             atomic_load_explicit(&s->caller.watching, memory_order_relaxed));
    add_buffers(f, out);
    buf_addf(out, " cmd=%s user=default redir=-1 resp=%d lib-name=%s lib-ver=%s",
             last ? last->full_name : "NULL", shown & SHOW_RESP3 ? 3 : 2,
             session_text(s, SESSION_LIB_NAME), session_text(s, SESSION_LIB_VER));
}

void session_describe(struct session *s, struct buf *out)
{
    struct figures f = figures_of(s);
    describe(s, &f, atomic_load_explicit(&s->shown, memory_order_relaxed), out);
}

static void describe_self(struct call *c, struct buf *out)
{
    struct session *s = session_of(c->caller);
    struct figures f = figures_of_self(s, c);
    sessions_lock(s);
    describe(s, &f, pack(s), out);
    sessions_unlock(s);
}

/* ---- the commands
 * -------------------------------------------------------------------------------- */

bool client_type_known(struct slice type, bool *normal)
{
    *normal = slice_is(type, "normal");
    return *normal || slice_is(type, "master") || slice_is(type, "replica") ||
           slice_is(type, "slave") || slice_is(type, "pubsub");
}

void client_info_command(struct call *c)
{
    struct buf out = {0};
    describe_self(c, &out);
    buf_addc(&out, '\n');
    reply_verbatim(c->r, "txt", buf_slice(&out));
    buf_free(&out);
}

struct line {
    uint64_t id;
    struct buf text;
};

struct listing {
    struct call *c;
    struct line *lines;
    size_t n, cap;
};

static struct line *add_line(struct listing *l, uint64_t id)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 16;
        l->lines = mem_realloc(l->lines, l->cap * sizeof *l->lines);
    }
    struct line *line = &l->lines[l->n++];
    *line = (struct line){.id = id};
    return line;
}

/* The client that asks is added by itself: the lock of its shard is not held then. */
static bool list_one(struct session *s, void *arg)
{
    struct listing *l = arg;
    if (&s->caller != l->c->caller) session_describe(s, &add_line(l, s->caller.id)->text);
    return true;
}

static void list_with_id(struct session *s, void *arg)
{
    list_one(s, arg);
}

static int by_id(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static void reply_lines(struct listing *l)
{
    struct buf out = {0};
    if (l->n) qsort(l->lines, l->n, sizeof *l->lines, by_id);
    for (size_t i = 0; i < l->n; i++) {
        buf_add(&out, l->lines[i].text.p, l->lines[i].text.n);
        buf_addc(&out, '\n');
        buf_free(&l->lines[i].text);
    }
    reply_verbatim(l->c->r, "txt", buf_slice(&out));
    buf_free(&out);
    mem_free(l->lines);
}

static void list_self(struct listing *l)
{
    describe_self(l->c, &add_line(l, l->c->caller->id)->text);
}

static void list_ids(struct listing *l)
{
    struct call *c = l->c;
    for (uint32_t i = 3; i < c->argc; i++) {
        int64_t id;
        if (!num_parse_i64(c->argv[i], &id)) {
            reply_error(c->r, "ERR Invalid client ID");
            for (size_t k = 0; k < l->n; k++)
                buf_free(&l->lines[k].text);
            mem_free(l->lines);
            return;
        }
        if ((uint64_t)id == c->caller->id) {
            list_self(l);
        } else {
            sessions_with((uint64_t)id, list_with_id, l);
        }
    }
    reply_lines(l);
}

static void list_all(struct listing *l)
{
    sessions_each(list_one, l);
    list_self(l);
    reply_lines(l);
}

void client_list_command(struct call *c)
{
    struct listing l = {.c = c};
    bool normal = true;
    if (c->argc == 2) {
        list_all(&l);
    } else if (c->argc == 4 && slice_is(c->argv[2], "TYPE")) {
        if (!client_type_known(c->argv[3], &normal)) {
            reply_errorf(c->r, "ERR Unknown client type '%.*s'", (int)c->argv[3].n, c->argv[3].p);
        } else if (normal) {
            list_all(&l);
        } else {
            reply_lines(&l);
        }
    } else if (c->argc > 3 && slice_is(c->argv[2], "ID")) {
        list_ids(&l);
    } else {
        call_syntax_error(c);
    }
}
