/*
 * memory.c - where the memory is: MEMORY and the figures that INFO memory shares with it.
 */
#include <sys/sysinfo.h>

#include "server/admin.h"

#define TABLE_BUCKET 64 /* bytes of a bucket of the keyspace's tables */
#define SMALL        (5 * 1024 * 1024)

/* ---- the report --------------------------------------------------------------------------------
 */

static bool add_session(struct session *s, void *arg)
{
    size_t *sum = arg;
    *sum += sizeof *s + atomic_load_explicit(&s->conn.out_memory, memory_order_relaxed) +
            atomic_load_explicit(&s->conn.query_buffered, memory_order_relaxed) +
            atomic_load_explicit(&s->conn.query_free, memory_order_relaxed);
    return true;
}

void memory_report(struct memory_report *out)
{
    static _Atomic(size_t) startup;
    struct part_stats parts;
    struct sysinfo machine;
    memset(out, 0, sizeof *out);
    mem_sample_peak();
    out->used = mem_used();
    out->peak = mem_peak();
    out->rss = mem_rss();
    mem_stats(&out->allocator);
    if (sysinfo(&machine) == 0) out->system = (size_t)machine.totalram * machine.mem_unit;
    size_t none = 0;
    atomic_compare_exchange_strong_explicit(&startup, &none, out->used, memory_order_relaxed,
                                            memory_order_relaxed);
    out->startup = atomic_load_explicit(&startup, memory_order_relaxed);
    keyspace_stats(&parts);
    out->keys = parts.keys;
    out->tables = parts.buckets * TABLE_BUCKET;
    sessions_each(add_session, &out->clients);
    out->overhead = out->startup + out->tables + out->clients;
    out->dataset = out->used > out->overhead ? out->used - out->overhead : 0;
}

/* ---- USAGE -------------------------------------------------------------------------------------
 */

static void memory_usage(struct call *c)
{
    int64_t samples = 5;
    for (uint32_t i = 3; i < c->argc; i += 2) {
        if (i + 1 == c->argc || !slice_is(c->argv[i], "SAMPLES")) {
            call_syntax_error(c);
            return;
        }
        if (!call_i64(c, i + 1, &samples)) return;
        if (samples < 0) {
            call_syntax_error(c);
            return;
        }
    }
    struct entry **slot = call_find(c, &c->keys[0], KS_NO_TOUCH | KS_NO_STATS);
    if (!slot) {
        reply_null(c->r);
        return;
    }
    reply_int(c->r, (int64_t)entry_memory(*slot, (size_t)samples));
}

/* ---- STATS -------------------------------------------------------------------------------------
 */

struct map { /* a map that is being replied */
    struct reply *r;
    size_t n;
};

static void put_int(struct map *m, const char *name, size_t v)
{
    reply_bulk_str(m->r, name);
    reply_int(m->r, (int64_t)v);
    m->n++;
}

static void put_double(struct map *m, const char *name, double v)
{
    reply_bulk_str(m->r, name);
    reply_double(m->r, v);
    m->n++;
}

static double ratio(size_t a, size_t b)
{
    return b ? (double)a / (double)b : 0;
}

static void put_databases(struct map *m)
{
    for (unsigned db = 0; db < keyspace_databases(); db++) {
        uint64_t keys = ks_size(db);
        if (keys == 0) continue;
        reply_bulkf(m->r, "db.%u", db);
        reply_map(m->r, 2);
        reply_bulk_str(m->r, "keys");
        reply_int(m->r, (int64_t)keys);
        reply_bulk_str(m->r, "expires");
        reply_int(m->r, (int64_t)ks_expires(db));
        m->n++;
    }
}

static void put_allocator(struct map *m, const struct memory_report *mr)
{
    const struct mem_stats *a = &mr->allocator;
    put_int(m, "allocator.allocated", a->allocated);
    put_int(m, "allocator.active", a->active);
    put_int(m, "allocator.resident", a->resident);
    put_double(m, "allocator-fragmentation.ratio", ratio(a->active, a->allocated));
    put_int(m, "allocator-fragmentation.bytes", a->active - a->allocated);
    put_double(m, "allocator-rss.ratio", ratio(a->resident, a->active));
    put_int(m, "allocator-rss.bytes", a->resident - a->active);
    put_double(m, "rss-overhead.ratio", ratio(mr->rss, a->resident));
    put_int(m, "rss-overhead.bytes", mr->rss - a->resident);
    put_double(m, "fragmentation", ratio(mr->rss, mr->used));
    put_int(m, "fragmentation.bytes", mr->rss - mr->used);
}

static void memory_stats(struct call *c)
{
    struct memory_report mr;
    memory_report(&mr);
    struct reply_mark mark = reply_open(c->r);
    struct map m = {c->r, 0};
    size_t net = mr.used > mr.startup ? mr.used - mr.startup : 0;
    put_int(&m, "peak.allocated", mr.peak);
    put_int(&m, "total.allocated", mr.used);
    put_int(&m, "startup.allocated", mr.startup);
    put_int(&m, "clients.normal", mr.clients);
    put_databases(&m);
    put_int(&m, "overhead.tables", mr.tables);
    put_int(&m, "overhead.total", mr.overhead);
    put_int(&m, "keys.count", mr.keys);
    put_int(&m, "keys.bytes-per-key", mr.keys ? net / mr.keys : 0);
    put_int(&m, "dataset.bytes", mr.dataset);
    put_double(&m, "dataset.percentage", ratio(mr.dataset, net) * 100);
    put_double(&m, "peak.percentage", ratio(mr.used, mr.peak) * 100);
    put_allocator(&m, &mr);
    reply_close_map(c->r, mark, m.n);
}

/* ---- DOCTOR ------------------------------------------------------------------------------------
 */

static void diagnose(const struct memory_report *mr, struct buf *out)
{
    const struct mem_stats *a = &mr->allocator;
    if (ratio(mr->peak, mr->used) > 1.5) {
        buf_addz(out, " * Peak memory: more than 1.5 times what is used now was used before. The "
                      "process may keep pages of it; MEMORY PURGE gives them back.\n");
    }
    if (ratio(mr->rss, mr->used) > 1.4) {
        buf_addz(out, " * Resident memory: over 1.4 times what is allocated. The allocator or the "
                      "system holds pages that no value needs.\n");
    }
    if (a->allocated && ratio(a->active, a->allocated) > 1.1) {
        buf_addz(out,
                 " * Fragmentation: over 10 % of the allocator's active pages is unused, often "
                 "after values of many sizes were replaced.\n");
    }
    if (sessions_count() && mr->clients / sessions_count() > 200 * 1024) {
        buf_addz(out,
                 " * Client buffers: clients hold more than 200 KB each. CLIENT LIST shows who "
                 "(omem, qbuf); client-output-buffer-limit bounds them.\n");
    }
}

static void memory_doctor(struct call *c)
{
    struct memory_report mr;
    struct buf text = {0};
    memory_report(&mr);
    if (mr.used < SMALL) {
        buf_addz(&text, "Too little memory is in use for a diagnosis: come back with more data.\n");
    } else {
        diagnose(&mr, &text);
        if (text.n == 0) buf_addz(&text, "No memory problem found.\n");
    }
    reply_verbatim(c->r, "txt", buf_slice(&text));
    buf_free(&text);
}

/* ---- MALLOC-STATS, PURGE ------------------------------------------------------------------------
 */

static void memory_malloc_stats(struct call *c)
{
    char *report = mem_report();
    reply_verbatim(c->r, "txt", slice_str(report));
    mem_free(report);
}

static void purge(void *arg)
{
    mem_purge();
}

static void memory_purge(struct call *c)
{
    if (c->in_exec) {
        mem_purge();
    } else {
        rt_offload(purge, NULL); /* unmapping gigabytes takes a while */
    }
    reply_ok(c->r);
}

/* ---- declarations -------------------------------------------------------------------------------
 */

static const char *const varies[] = {"nondeterministic_output", "request_policy:all_shards",
                                     "response_policy:special", NULL};
static const char *const purge_hints[] = {"request_policy:all_shards",
                                          "response_policy:all_succeeded", NULL};
static const char *const help[] = {
    "DOCTOR",
    "    Say what looks wrong with the use of memory.",
    "MALLOC-STATS",
    "    Show the allocator's own statistics.",
    "PURGE",
    "    Give unused pages of the allocator back to the system.",
    "STATS",
    "    Show what memory is used for.",
    "USAGE <key> [SAMPLES <count>]",
    "    Show the bytes that a key and its value take. Of nested values <count> are",
    "    looked at (5 unless told, 0: all).",
    NULL,
};

static const struct command memory_sub[] = {
    {.name = "usage",
     .run = memory_usage,
     .arity = -3,
     .flags = CMD_READONLY,
     .group = "server",
     .since = "4.0.0",
     .complexity = "O(N), N being the number of samples.",
     .keys = {{KEYS_RANGE, KEY_RO, 2, 0, 1, 0, NULL, NULL}},
     .summary = "Returns the bytes that a key and its value take.",
     .syntax = "key [SAMPLES count:integer]"},
    {.name = "stats",
     .run = memory_stats,
     .arity = 2,
     .group = "server",
     .since = "4.0.0",
     .hints = varies,
     .complexity = "O(1)",
     .summary = "Returns what memory is used for."},
    {.name = "doctor",
     .run = memory_doctor,
     .arity = 2,
     .group = "server",
     .since = "4.0.0",
     .hints = varies,
     .complexity = "O(1)",
     .summary = "Returns what looks wrong with the use of memory."},
    {.name = "malloc-stats",
     .run = memory_malloc_stats,
     .arity = 2,
     .group = "server",
     .since = "4.0.0",
     .hints = varies,
     .complexity = "Depends on how much memory is allocated.",
     .summary = "Returns the allocator's statistics."},
    {.name = "purge",
     .run = memory_purge,
     .arity = 2,
     .flags = CMD_WALK,
     .group = "server",
     .since = "4.0.0",
     .hints = purge_hints,
     .complexity = "Depends on how much memory is allocated.",
     .summary = "Gives unused memory back to the system."},
    {.name = "help",
     .run = call_help,
     .arity = 2,
     .flags = CMD_LOADING | CMD_STALE,
     .group = "server",
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Lists the subcommands."},
    {.name = NULL},
};

struct command memory_commands[] = {
    {.name = "memory",
     .arity = -2,
     .group = "server",
     .since = "4.0.0",
     .subcommands = memory_sub,
     .help = help,
     .complexity = "Depends on subcommand.",
     .summary = "A container for the commands about memory."},
    {.name = NULL},
};
