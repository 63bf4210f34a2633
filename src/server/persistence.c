/*
 * persistence.c - the RDB file over the life of the server: loaded at start, saved by SAVE and at
 * the end, and what INFO and LASTSAVE tell of it.
 *
 * While the file is loaded commands_gate is up, and the session refuses all but commands that may
 * run then (CMD_LOADING).
 */
#include "server/persistence.h"

#include <inttypes.h>
#include <unistd.h>

#include "persist/persist.h"
#include "server/config_internal.h"
#include "server/server.h"

#define GATE_LOADING (GATE_OTHER << 1) /* its bit in commands_gate */

static struct { /* relaxed */
    _Atomic(bool) loading, last_ok;
    _Atomic(int64_t) last_save_s;
    _Atomic(uint64_t) saves, dirty; /* changes made up to the last save */
} state = {.last_ok = true};

static bool get_flag(_Atomic(bool) *flag)
{
    return atomic_load_explicit(flag, memory_order_relaxed);
}

/* ---- loading -------------------------------------------------------------------------------- */

bool persistence_loading(void)
{
    return get_flag(&state.loading);
}

static void set_loading(bool on)
{
    atomic_store_explicit(&state.loading, on, memory_order_relaxed);
    if (on) {
        atomic_fetch_or_explicit(&commands_gate, GATE_LOADING, memory_order_relaxed);
    } else {
        atomic_fetch_and_explicit(&commands_gate, ~GATE_LOADING, memory_order_relaxed);
    }
}

static void note_saved(uint64_t dirty)
{
    atomic_store_explicit(&state.last_save_s, clock_unix_ms() / 1000, memory_order_relaxed);
    atomic_store_explicit(&state.dirty, dirty, memory_order_relaxed);
}

void persistence_start(void)
{
    char *file = config_text(OPT_DBFILENAME);
    note_saved(0);
    set_loading(access(file, F_OK) == 0);
    mem_free(file);
}

bool persistence_load(void)
{
    if (!persistence_loading()) return true;
    char *file = config_text(OPT_DBFILENAME);
    int64_t start = clock_unix_ms();
    struct buf why = {0};
    enum rdb_load_result result = rdb_load(file, false, false, &why);
    set_loading(false);
    mem_free(file);
    if (result == RDB_LOADED) {
        log_write(LOG_NOTICE, "DB loaded from disk: %.3f seconds",
                  (double)(clock_unix_ms() - start) / 1000);
    } else if (result == RDB_FAILED) {
        log_write(LOG_WARNING, "Terminating server after rdb file reading failure.");
        log_write(LOG_WARNING, "Fatal error loading the DB: %s. Exiting.", buf_cstr(&why));
    }
    buf_free(&why);
    return result != RDB_FAILED;
}

/* ---- saving --------------------------------------------------------------------------------- */

bool persistence_save(bool owned)
{
    char *file = config_text(OPT_DBFILENAME);
    uint64_t dirty = commands_dirty();
    bool ok = rdb_save(file, owned);
    mem_free(file);
    atomic_store_explicit(&state.last_ok, ok, memory_order_relaxed);
    if (ok) {
        note_saved(dirty);
        atomic_fetch_add_explicit(&state.saves, 1, memory_order_relaxed);
    }
    return ok;
}

bool persistence_wanted(void)
{
    return !persistence_loading() && !config_text_is_empty(OPT_SAVE);
}

bool persistence_flushed(bool owned)
{
    return persistence_wanted() && persistence_save(owned);
}

/* ---- DEBUG RELOAD -----------------------------------------------------------------------------
 */

static void flush_all(void)
{
    for (unsigned i = 0; i < keyspace_parts(); i++)
        ks_part_flush(keyspace_part(i), -1, true);
}

const char *persistence_reload(const struct reload *how)
{
    if (how->save && !persistence_save(true)) return "ERR Error saving, check the server's log";
    if (how->flush) flush_all();
    rdb_forget_functions();
    char *file = config_text(OPT_DBFILENAME);
    struct buf why = {0};
    enum rdb_load_result result = rdb_load(file, how->merge, true, &why);
    mem_free(file);
    buf_free(&why);
    if (result != RDB_LOADED) return "ERR Error trying to load the RDB dump, check server logs.";
    log_write(LOG_WARNING, "DB reloaded by DEBUG RELOAD");
    return NULL;
}

/* ---- options in force ------------------------------------------------------------------------- */

static void set_flag(_Atomic(bool) *flag, bool on)
{
    atomic_store_explicit(flag, on, memory_order_relaxed);
}

bool apply_rdb(const struct option *o, const char **err)
{
    int64_t sanitize = config_num(OPT_SANITIZE_DUMP_PAYLOAD);
    atomic_store_explicit(&rdb_settings.version, (unsigned)config_num(OPT_RDB_VERSION),
                          memory_order_relaxed);
    set_flag(&rdb_settings.compress, config_num(OPT_RDBCOMPRESSION) != 0);
    set_flag(&rdb_settings.checksum, config_num(OPT_RDBCHECKSUM) != 0);
    set_flag(&rdb_settings.deep_load, sanitize == SANITIZE_YES);
    set_flag(&rdb_settings.deep_restore, sanitize != SANITIZE_NO);
    atomic_store_explicit(&rdb_settings.key_load_delay_us, (int)config_num(OPT_KEY_LOAD_DELAY),
                          memory_order_relaxed);
    return true;
}

/* ---- INFO -------------------------------------------------------------------------------------
 */

static void loading_info(struct buf *out)
{
    const struct rdb_progress *p = &rdb_progress;
    uint64_t total = atomic_load_explicit(&p->total, memory_order_relaxed);
    uint64_t done = atomic_load_explicit(&p->done, memory_order_relaxed);
    int64_t started_ms = atomic_load_explicit(&p->started_ms, memory_order_relaxed);
    int64_t elapsed_s = (clock_unix_ms() - started_ms) / 1000;
    uint64_t eta = done ? (uint64_t)elapsed_s * (total - MIN(done, total)) / done : 1;
    buf_addf(out, "loading_start_time:%" PRId64 "\r\nloading_total_bytes:%" PRIu64 "\r\n",
             started_ms / 1000, total);
    buf_addf(out, "loading_rdb_used_mem:%" PRIu64 "\r\nloading_loaded_bytes:%" PRIu64 "\r\n",
             atomic_load_explicit(&p->used_memory, memory_order_relaxed), done);
    buf_addf(out, "loading_loaded_perc:%.2f\r\nloading_eta_seconds:%" PRIu64 "\r\n",
             total ? (double)done / (double)total * 100 : 0, eta);
}

void persistence_info(struct buf *out)
{
    const struct rdb_progress *p = &rdb_progress;
    uint64_t dirty = atomic_load_explicit(&state.dirty, memory_order_relaxed);
    buf_addf(out, "loading:%d\r\nasync_loading:0\r\n", persistence_loading());
    buf_addf(out, "rdb_changes_since_last_save:%" PRIu64 "\r\nrdb_bgsave_in_progress:0\r\n",
             commands_dirty() - dirty);
    buf_addf(out, "rdb_last_save_time:%" PRId64 "\r\nrdb_last_bgsave_status:%s\r\n",
             atomic_load_explicit(&state.last_save_s, memory_order_relaxed),
             get_flag(&state.last_ok) ? "ok" : "err");
    buf_addz(out, "rdb_last_bgsave_time_sec:-1\r\nrdb_current_bgsave_time_sec:-1\r\n");
    buf_addf(out, "rdb_saves:%" PRIu64 "\r\nrdb_last_cow_size:0\r\n",
             atomic_load_explicit(&state.saves, memory_order_relaxed));
    buf_addf(out,
             "rdb_last_load_keys_expired:%" PRIu64 "\r\nrdb_last_load_keys_loaded:%" PRIu64 "\r\n",
             atomic_load_explicit(&p->expired, memory_order_relaxed),
             atomic_load_explicit(&p->keys, memory_order_relaxed));
    if (persistence_loading()) loading_info(out);
}

/* ---- commands ---------------------------------------------------------------------------------
 */

static void save_command(struct call *c)
{
    if (persistence_save(false)) {
        reply_ok(c->r);
    } else {
        reply_error(c->r, "ERR Error saving, check the server's log");
    }
}

static void lastsave_command(struct call *c)
{
    reply_int(c->r, atomic_load_explicit(&state.last_save_s, memory_order_relaxed));
}

static const char *const varies[] = {"nondeterministic_output", NULL};

struct command persistence_commands[] = {
    {.name = "save",
     .run = save_command,
     .arity = 1,
     .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_NO_ASYNC_LOADING | CMD_NO_MULTI | CMD_WALK,
     .group = "server",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of keys in all databases; others wait meanwhile.",
     .summary = "Writes all databases to the file, and replies when that is done.",
     .syntax = ""},
    {.name = "lastsave",
     .run = lastsave_command,
     .arity = 1,
     .flags = CMD_LOADING | CMD_STALE | CMD_FAST,
     .acl = ACL_ADMIN | ACL_DANGEROUS,
     .group = "server",
     .since = "1.0.0",
     .hints = varies,
     .complexity = "O(1)",
     .summary = "Returns the Unix time at which the data was last written to the file.",
     .syntax = ""},
    {.name = NULL},
};
