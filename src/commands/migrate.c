/*
 * migrate.c - MIGRATE: keys to another server, as RESTORE commands over a connection of our own.
 *
 *   own the keys' partitions -- commands for the keys that exist; watch these -- let go
 *   send, read a reply a key           (nothing is owned; others go on)
 *   for each key that was taken there: own its partition -- delete it, unless it has changed -- let
 * go
 *
 * Others may change a key while it is on its way, which is then not what arrived. Such a key stays
 * here, and the caller is told. In Redis nobody can, since everybody waits.
 */
#include "commands/dump_internal.h"
#include "commands/migrate_link.h"

#define CHUNK (64 * 1024) /* bytes to be sent within the timeout */

struct item { /* a key that exists */
    struct key k;
    struct watch watch;
    _Atomic(uint32_t) changed; /* since its value was read */
    bool taken;                /* the other server has it */
};

struct migration {
    struct call *c;
    uint32_t first_key, n_keys; /* arguments */
    bool copy, replace;
    struct slice user, password; /* p NULL: none */
    int64_t db, timeout_ms;
    struct item *items;
    size_t n;
    struct part_set parts; /* of all keys */
    struct buf commands;   /* RESTORE commands for all items */
    struct migrate_link *link;
    bool writing; /* what failed last */
};

/* ---- arguments ------------------------------------------------------------------------------ */

/* Arguments behind an option's word that belong to it. */
static uint32_t option_values(struct slice word)
{
    if (slice_is(word, "AUTH")) return 1;
    return slice_is(word, "AUTH2") ? 2 : 0;
}

int migrate_keys(uint32_t argc, const struct slice *argv, uint32_t *out, int max)
{
    uint32_t first = 3, n = 1;
    for (uint32_t i = 6; i < argc; i += 1 + option_values(argv[i])) {
        if (!slice_is(argv[i], "KEYS")) continue;
        first = i + 1;
        n = argv[3].n ? 0 : argc - first;
        break;
    }
    for (uint32_t i = 0; i < n && i < (uint32_t)max; i++)
        out[i] = first + i;
    return (int)n;
}

static bool keys_option(struct migration *m, uint32_t at)
{
    m->first_key = at + 1;
    m->n_keys = m->c->argc - m->first_key;
    if (m->c->argv[3].n == 0) return true;
    reply_error(m->c->r, "ERR When using MIGRATE KEYS option, the key argument must be set to the "
                         "empty string");
    return false;
}

static bool parse_options(struct migration *m)
{
    struct call *c = m->c;
    for (uint32_t i = 6; i < c->argc; i++) {
        struct slice word = c->argv[i];
        uint32_t values = option_values(word);
        if (slice_is(word, "KEYS")) return keys_option(m, i);
        if (slice_is(word, "COPY")) {
            m->copy = true;
        } else if (slice_is(word, "REPLACE")) {
            m->replace = true;
        } else if (values && i + values < c->argc) {
            m->user = values == 2 ? c->argv[i + 1] : (struct slice){NULL, 0};
            m->password = c->argv[i + values];
            i += values;
        } else {
            call_syntax_error(c);
            return false;
        }
    }
    return true;
}

static bool parse(struct migration *m)
{
    m->first_key = 3;
    m->n_keys = 1;
    if (!parse_options(m)) return false;
    if (!call_i64(m->c, 5, &m->timeout_ms) || !call_i64(m->c, 4, &m->db)) return false;
    if (m->timeout_ms <= 0) m->timeout_ms = 1000;
    m->timeout_ms = MIN(m->timeout_ms, (int64_t)INT32_MAX);
    return true;
}

/* ---- what is sent --------------------------------------------------------------------------- */

static void add_bulk(struct buf *b, struct slice s)
{
    buf_addf(b, "$%zu\r\n", s.n);
    buf_add(b, s.p, s.n);
    buf_add(b, "\r\n", 2);
}

static void add_bulk_int(struct buf *b, int64_t v)
{
    char text[NUM_I64_MAX];
    add_bulk(b, slice_of(text, num_fmt_i64(text, v)));
}

static void add_restore(struct migration *m, const struct entry *e, int64_t ttl_ms)
{
    struct buf *b = &m->commands, payload = {0};
    dump_value(e, &payload);
    buf_addf(b, "*%d\r\n", m->replace ? 5 : 4);
    add_bulk(b, SLICE("RESTORE"));
    add_bulk(b, entry_key(e));
    add_bulk_int(b, ttl_ms);
    add_bulk(b, buf_slice(&payload));
    if (m->replace) add_bulk(b, SLICE("REPLACE"));
    buf_free(&payload);
}

static void watch(struct migration *m, struct item *it)
{
    it->watch = (struct watch){.dirty = &it->changed, .key = it->k.s, .part = it->k.part};
    it->watch.db = m->c->db;
    it->watch.hash = it->k.hash;
    list_init(&it->watch.in_client);
    ks_watch(keyspace_part(it->k.part), &it->watch);
}

static void read_key(struct migration *m, struct slice name)
{
    struct call *c = m->c;
    struct item *it = &m->items[m->n];
    it->k = key_of(name);
    struct entry **slot = call_find(c, &it->k, 0);
    if (!slot) return;
    int64_t expire_ms = entry_expire(*slot), ttl_ms = 0;
    if (expire_ms != ENTRY_NO_EXPIRE) ttl_ms = MAX(expire_ms - c->now_ms, 1);
    add_restore(m, *slot, ttl_ms);
    if (!m->copy) watch(m, it);
    m->n++;
}

/* Reads what exists, at one instant. PARKS. */
static void read_keys(struct migration *m)
{
    struct call *c = m->c;
    m->items = mem_calloc(MAX(m->n_keys, 1u) * sizeof *m->items);
    for (uint32_t i = 0; i < m->n_keys; i++)
        part_set_add(&m->parts, key_of(c->argv[m->first_key + i]).part);
    parts_own(&m->parts);
    for (uint32_t i = 0; i < m->n_keys; i++)
        read_key(m, c->argv[m->first_key + i]);
    parts_disown(&m->parts);
}

/* What goes before the RESTOREs; the number of replies that it asks for. */
static unsigned add_prologue(struct migration *m, struct buf *b)
{
    unsigned replies = 0;
    if (m->password.p) {
        buf_addf(b, "*%d\r\n", m->user.p ? 3 : 2);
        add_bulk(b, SLICE("AUTH"));
        if (m->user.p) add_bulk(b, m->user);
        add_bulk(b, m->password);
        replies++;
    }
    if (m->link->db != m->db) {
        buf_addz(b, "*2\r\n");
        add_bulk(b, SLICE("SELECT"));
        add_bulk_int(b, m->db);
        replies++;
    }
    return replies;
}

/* ---- the exchange: each PARKS -----------------------------------------------------------------
 */

static int send_all(struct migration *m, struct slice s)
{
    for (size_t at = 0; at < s.n; at += CHUNK) {
        ssize_t n =
            migrate_link_write(m->link, s.p + at, MIN(s.n - at, (size_t)CHUNK), m->timeout_ms);
        if (n < 0) return (int)n;
    }
    return RT_OK;
}

/* Replies the first error that the other server has. */
static void note_reply(struct migration *m, const char *line, bool *refused)
{
    if (line[0] != '-' || *refused) return;
    *refused = true;
    reply_errorf(m->c->r, "ERR Target instance replied with error: %s", line + 1);
}

/* Sends everything and reads every reply. *seen: replies to RESTOREs so far. *refused: an error has
 * been replied. */
static int exchange(struct migration *m, size_t *seen, bool *refused)
{
    struct buf prologue = {0};
    char line[1024];
    unsigned extra = add_prologue(m, &prologue);
    m->writing = true;
    int rc = send_all(m, buf_slice(&prologue));
    buf_free(&prologue);
    if (rc == RT_OK) rc = send_all(m, buf_slice(&m->commands));
    if (rc != RT_OK) return rc;
    m->writing = false;
    bool prologue_failed = false;
    for (size_t i = 0; i < extra + m->n; i++) {
        rc = migrate_link_line(m->link, line, sizeof line, m->timeout_ms);
        if (rc != RT_OK) return rc;
        note_reply(m, line, refused);
        if (i < extra) {
            prologue_failed |= line[0] == '-';
            continue;
        }
        m->items[(*seen)++].taken = line[0] != '-' && !prologue_failed;
    }
    return RT_OK;
}

/* The whole, with a second connection if the first, perhaps an old one, was not good for anything.
 */
static int transfer(struct migration *m, bool *refused)
{
    struct call *c = m->c;
    for (int tries = 0;; tries++) {
        size_t seen = 0;
        m->link = migrate_link_get(c->argv[1], c->argv[2], m->timeout_ms);
        if (!m->link) {
            reply_error(c->r, "IOERR error or timeout connecting to the client");
            *refused = true;
            return RT_OK;
        }
        int rc = exchange(m, &seen, refused);
        if (rc == RT_OK) {
            m->link->db = *refused ? -1 : m->db;
            migrate_link_put(m->link);
            return RT_OK;
        }
        migrate_link_close(m->link);
        if (tries > 0 || rc == RT_ETIMEDOUT || seen > 0 || *refused) return rc;
    }
}

/* ---- after it ------------------------------------------------------------------------------- */

/* Deletes a key that has arrived; false: it has changed meanwhile. */
static bool drop(struct migration *m, struct item *it)
{
    struct call *c = m->c;
    struct part *p = keyspace_part(it->k.part);
    part_own(p);
    ks_unwatch(p, &it->watch);
    bool changed = atomic_load_explicit(&it->changed, memory_order_relaxed);
    struct entry **slot = NULL;
    if (it->taken && !changed) slot = call_find(c, &it->k, KS_NO_TOUCH | KS_NO_STATS);
    if (slot) {
        ks_delete(p, c->db, &it->k, slot, true);
        call_changed(c, &it->k, 'g', "del");
    }
    part_disown(p);
    return !it->taken || !changed;
}

static size_t drop_all(struct migration *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->n && !m->copy; i++)
        kept += !drop(m, &m->items[i]);
    return kept;
}

static void finish(struct migration *m, int rc, bool refused)
{
    size_t kept = drop_all(m);
    if (refused) return;
    if (rc != RT_OK) {
        reply_errorf(m->c->r, "IOERR error or timeout %s to target instance",
                     m->writing ? "writing" : "reading");
    } else if (kept) {
        reply_errorf(m->c->r, "ERR %zu of the keys changed while they were migrated, and stay here",
                     kept);
    } else {
        reply_ok(m->c->r);
    }
}

void migrate_command(struct call *c)
{
    struct migration m = {.c = c};
    bool refused = false;
    if (!parse(&m)) return;
    read_keys(&m);
    if (m.n == 0) {
        reply_status(c->r, "NOKEY");
    } else {
        int rc = transfer(&m, &refused);
        finish(&m, rc, refused);
    }
    part_set_free(&m.parts);
    buf_free(&m.commands);
    mem_free(m.items);
}
