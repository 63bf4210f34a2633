/*
 * rdb_load.c - a file's keys into the keyspace.
 *
 *   file --read (on a helper thread)--> buffer --opcodes, value_decode--> entry --own its
 *                                                                   partition--> added
 *
 *   buffer:  mem |  read before, summed  | at hand | free |
 *                 summed                 p         end     mem + cap
 *
 * Invariants
 *  1. The checksum is of all bytes up to `summed`; what lies between that and p is added to it
 * before the bytes are moved away, or it is asked for.
 *  2. Whatever the file holds: a message with the offset, and false. What was added before stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyspace/keyspace.h"
#include "persist/crc64.h"
#include "persist/rdb_file.h"

#define BUFFER         (1u << 20)
#define EMPTY_SHOWN    10 /* empty keys named in the log */
#define MODULE_CHARSET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

struct rdb_progress rdb_progress;

struct load {
    struct rdb_reader r; /* first: fill() finds the rest */
    int fd;
    uint8_t *mem;
    size_t cap;
    const uint8_t *summed;
    uint64_t crc, size; /* of the file */
    bool merge, owned, checksum;
    unsigned db;
    uint64_t keys, expired, empty;
    int64_t now_ms, delay_us;
    /* What opcodes have said of the next key. */
    int64_t expire_ms, idle_s, frequency; /* -1: nothing */
    struct buf text;
    ssize_t got; /* of read_some */
    size_t want;
};

/* ---- functions that files bring ------------------------------------------------------------- */

static struct {
    struct buf *codes;
    size_t n;
} functions; /* written while loading only, of which there is one at a time */

bool rdb__function(size_t i, struct slice *code)
{
    if (i >= functions.n) return false;
    *code = buf_slice(&functions.codes[i]);
    return true;
}

void rdb_forget_functions(void)
{
    for (size_t i = 0; i < functions.n; i++)
        buf_free(&functions.codes[i]);
    mem_free(functions.codes);
    functions.codes = NULL;
    functions.n = 0;
}

static bool keep_function(struct load *l)
{
    struct buf code = {0};
    if (!rdb_get_string(&l->r, &code)) {
        buf_free(&code);
        return false;
    }
    functions.codes = mem_realloc(functions.codes, (functions.n + 1) * sizeof *functions.codes);
    functions.codes[functions.n++] = code;
    log_write(LOG_NOTICE, "RDB: a library of functions is kept, but cannot be run");
    return true;
}

/* ---- the file ------------------------------------------------------------------------------- */

static void run(void (*step)(void *), struct load *l)
{
    if (l->owned) {
        step(l);
    } else {
        rt_offload(step, l);
    }
}

static void read_some(void *arg)
{
    struct load *l = arg;
    uint8_t *to = l->mem + (l->r.end - l->mem);
    do {
        l->got = read(l->fd, to, l->want);
    } while (l->got < 0 && errno == EINTR);
    if (l->got < 0) l->got = -errno;
}

static void sum_up(struct load *l)
{
    if (l->checksum) l->crc = crc64(l->crc, l->summed, (size_t)(l->r.p - l->summed));
    l->summed = l->r.p;
}

/* Moves what is at hand to the front of a buffer with room for n bytes. */
static bool make_room(struct load *l, size_t n)
{
    struct rdb_reader *r = &l->r;
    size_t at_hand = (size_t)(r->end - r->p);
    sum_up(l);
    if (at_hand) memmove(l->mem, r->p, at_hand);
    if (n > l->cap) {
        uint8_t *mem = mem_try_realloc(l->mem, n);
        if (mem) l->mem = mem;
        if (mem) l->cap = n;
    }
    l->summed = r->p = l->mem;
    r->end = l->mem + at_hand;
    return n <= l->cap || rdb_fail(r, "no memory for %zu bytes", n);
}

static bool fill(struct rdb_reader *r, size_t n)
{
    struct load *l = (struct load *)r;
    if (!make_room(l, n)) return false;
    while ((size_t)(r->end - r->p) < n) {
        l->want = (size_t)MIN((uint64_t)(l->cap - (size_t)(r->end - l->mem)), r->more);
        run(read_some, l);
        if (l->got < 0) return rdb_fail(r, "cannot read: %s", strerror((int)-l->got));
        if (l->got == 0) return rdb_fail(r, "unexpected end of the file");
        r->end += l->got;
        r->more -= (uint64_t)l->got;
    }
    atomic_store_explicit(&rdb_progress.done, l->size - rdb_left(r), memory_order_relaxed);
    return true;
}

static void open_file(void *arg)
{
    struct load *l = arg;
    struct stat st;
    l->fd = open(l->text.p, O_RDONLY | O_CLOEXEC);
    l->got = l->fd < 0 ? -errno : 0;
    if (l->fd < 0) return;
    if (fstat(l->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        l->got = -EINVAL;
        return;
    }
    posix_fadvise(l->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    l->r.more = l->size = (uint64_t)st.st_size;
}

/* ---- keys ----------------------------------------------------------------------------------- */

/* False: it is there already, and may not be. */
static bool add_owned(struct load *l, struct part *p, const struct key *k, struct entry *e)
{
    struct entry **slot =
        ks_find(p, l->db, k, l->now_ms, KS_NO_TOUCH | KS_NO_STATS | KS_EXPIRED_TOO);
    if (slot && !l->merge) return false;
    if (slot) ks_delete(p, l->db, k, slot, true);
    slot = ks_add(p, l->db, k, e);
    ks_touched(p, l->db, k);
    if (l->idle_s >= 0) ks_set_idle(*slot, l->idle_s);
    if (l->frequency >= 0) ks_set_frequency(*slot, (unsigned)l->frequency);
    return true;
}

static bool add(struct load *l, struct entry *e)
{
    struct key k = key_of(entry_key(e));
    struct part *p = keyspace_part(k.part);
    if (!l->owned) part_own(p);
    bool ok = add_owned(l, p, &k, e);
    if (!l->owned) part_disown(p);
    if (ok) return true;
    rdb_fail(&l->r, "the key '%.*s' is there twice", (int)MIN(k.s.n, 64u), k.s.p);
    entry_free(e);
    return false;
}

static void breathe(const struct load *l)
{
    if (l->owned) return;
    if (UNLIKELY(l->delay_us > 0)) co_sleep(l->delay_us * 1000);
    if (co_should_yield()) co_yield();
}

static void skip_empty(struct load *l)
{
    if (l->empty++ < EMPTY_SHOWN)
        log_write(LOG_NOTICE, "RDB: skipping empty key: %.*s", (int)MIN(l->text.n, 128u),
                  l->text.p);
}

static bool take_entry(struct load *l, struct entry *e)
{
    if (l->expire_ms != -1 && l->expire_ms < l->now_ms) {
        entry_free(e);
        l->expired++;
        return true;
    }
    l->keys++;
    return add(l, l->expire_ms == -1 ? e : entry_with_expire(e, l->expire_ms));
}

static bool load_key(struct load *l, uint8_t type)
{
    struct entry *e;
    bool ok = true;
    if (!rdb_get_string(&l->r, &l->text)) return false;
    if (l->text.n > UINT32_MAX) return rdb_fail(&l->r, "a key is too long");
    switch (value_decode(&l->r, type, buf_slice(&l->text), &e)) {
    case VALUE_OK: ok = take_entry(l, e); break;
    case VALUE_EMPTY: skip_empty(l); break;
    case VALUE_BAD: ok = false; break;
    }
    l->expire_ms = l->idle_s = l->frequency = -1;
    breathe(l);
    return ok;
}

/* ---- opcodes -------------------------------------------------------------------------------- */

static void show_aux(const char *name, const char *value)
{
    if (name[0] == '%') {
        log_write(LOG_NOTICE, "RDB '%s': %s", name, value);
    } else if (strcmp(name, "redis-ver") == 0) {
        log_write(LOG_NOTICE, "Loading RDB produced by version %s", value);
    } else if (strcmp(name, "ctime") == 0) {
        int64_t age = clock_unix_ms() / 1000 - strtoll(value, NULL, 10);
        log_write(LOG_NOTICE, "RDB age %lld seconds", (long long)MAX(age, 0));
    } else if (strcmp(name, "used-mem") == 0) {
        long long used = strtoll(value, NULL, 10);
        log_write(LOG_NOTICE, "RDB memory usage when created %.2f Mb",
                  (double)used / (1024 * 1024));
        atomic_store_explicit(&rdb_progress.used_memory, (uint64_t)used, memory_order_relaxed);
    }
}

static bool load_aux(struct load *l)
{
    struct buf name = {0}, value = {0};
    bool ok = rdb_get_string(&l->r, &name) && rdb_get_string(&l->r, &value);
    if (ok) show_aux(buf_cstr(&name), buf_cstr(&value));
    buf_free(&name);
    buf_free(&value);
    return ok;
}

/* Nine letters of six bits, and ten bits of a version. */
static bool refuse_module(struct load *l)
{
    uint64_t id;
    char name[10] = "";
    if (!rdb_get_len(&l->r, &id)) return false;
    for (int i = 0; i < 9; i++)
        name[i] = MODULE_CHARSET[id >> (10 + 6 * (8 - i)) & 63];
    return rdb_fail(&l->r, "data of the module '%s', which cannot be loaded", name);
}

static bool select_db(struct load *l)
{
    uint64_t db;
    if (!rdb_get_len(&l->r, &db)) return false;
    if (db >= keyspace_databases())
        return rdb_fail(&l->r, "database %llu: there are %u", (unsigned long long)db,
                        keyspace_databases());
    l->db = (unsigned)db;
    return true;
}

static bool skip_lens(struct load *l, int n)
{
    uint64_t v;
    while (n-- > 0 && rdb_get_len(&l->r, &v))
        ;
    return !l->r.failed;
}

static bool load_expire_s(struct load *l)
{
    int32_t seconds;
    if (!rdb_get(&l->r, &seconds, sizeof seconds)) return false;
    l->expire_ms = (int64_t)seconds * 1000;
    return true;
}

static bool load_idle(struct load *l)
{
    uint64_t v;
    if (!rdb_get_len(&l->r, &v)) return false;
    l->idle_s = (int64_t)MIN(v, (uint64_t)INT32_MAX);
    return true;
}

static bool load_frequency(struct load *l)
{
    uint8_t v;
    if (!rdb_get_byte(&l->r, &v)) return false;
    l->frequency = v;
    return true;
}

static bool load_one(struct load *l, uint8_t opcode)
{
    switch (opcode) {
    case RDB_EXPIRE: return load_expire_s(l);
    case RDB_EXPIRE_MS: return rdb_get_ms(&l->r, &l->expire_ms);
    case RDB_IDLE: return load_idle(l);
    case RDB_FREQ: return load_frequency(l);
    case RDB_SELECT_DB: return select_db(l);
    case RDB_RESIZE_DB: return skip_lens(l, 2);
    case RDB_SLOT_INFO: return skip_lens(l, 3);
    case RDB_AUX: return load_aux(l);
    case RDB_MODULE_AUX: return refuse_module(l);
    case RDB_FUNCTION_2: return keep_function(l);
    case RDB_FUNCTION_PRE_GA: return rdb_fail(&l->r, "functions of a pre-release of Redis 7");
    default: return load_key(l, opcode);
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

static bool load_magic(struct load *l)
{
    char magic[10] = "";
    if (!rdb_get(&l->r, magic, 9)) return false;
    if (memcmp(magic, "REDIS", 5) != 0) return rdb_fail(&l->r, "this is no RDB file");
    int version = atoi(magic + 5);
    if (version < 1 || version > RDB_VERSION_MAX)
        return rdb_fail(&l->r, "Can't handle RDB format version %d", version);
    l->r.version = (unsigned)version;
    return true;
}

static bool check_sum(struct load *l)
{
    uint64_t stored, crc;
    if (l->r.version < 5) return true;
    sum_up(l);
    crc = l->crc;
    if (!rdb_get(&l->r, &stored, sizeof stored)) return false;
    if (!l->checksum || stored == crc) return true;
    if (stored == 0) {
        log_write(LOG_NOTICE, "RDB file was saved with checksum disabled: no check performed.");
        return true;
    }
    return rdb_fail(&l->r, "RDB CRC error: it says %016llx and is %016llx",
                    (unsigned long long)stored, (unsigned long long)crc);
}

static bool load_all(struct load *l)
{
    uint8_t opcode;
    if (!load_magic(l)) return false;
    while (rdb_get_byte(&l->r, &opcode)) {
        if (opcode == RDB_EOF) return check_sum(l);
        if (!load_one(l, opcode)) return false;
    }
    return false;
}

static void init(struct load *l, const char *path, bool merge, bool owned)
{
    *l = (struct load){.fd = -1, .merge = merge, .owned = owned, .now_ms = clock_unix_ms()};
    l->expire_ms = l->idle_s = l->frequency = -1;
    l->delay_us = atomic_load_explicit(&rdb_settings.key_load_delay_us, memory_order_relaxed);
    l->checksum = atomic_load_explicit(&rdb_settings.checksum, memory_order_relaxed) &&
                  !atomic_load_explicit(&rdb_settings.skip_checksum, memory_order_relaxed);
    l->cap = BUFFER;
    l->mem = mem_alloc(l->cap);
    rdb_reader_init(&l->r, l->mem, 0);
    l->r.fill = fill;
    l->r.deep = atomic_load_explicit(&rdb_settings.deep_load, memory_order_relaxed);
    l->summed = l->mem;
    buf_addz(&l->text, path);
    buf_cstr(&l->text);
}

static void report(const struct load *l, struct buf *why)
{
    atomic_store_explicit(&rdb_progress.keys, l->keys, memory_order_relaxed);
    atomic_store_explicit(&rdb_progress.expired, l->expired, memory_order_relaxed);
    if (l->r.failed) {
        buf_addz(why, l->r.error);
        log_write(LOG_WARNING, "Error reading the RDB file at offset %llu: %s",
                  (unsigned long long)(l->size - rdb_left(&l->r)), l->r.error);
    } else if (l->empty) {
        log_write(LOG_NOTICE,
                  "Done loading RDB, keys loaded: %llu, keys expired: %llu, empty keys skipped: "
                  "%llu.",
                  (unsigned long long)l->keys, (unsigned long long)l->expired,
                  (unsigned long long)l->empty);
    } else {
        log_write(LOG_NOTICE, "Done loading RDB, keys loaded: %llu, keys expired: %llu.",
                  (unsigned long long)l->keys, (unsigned long long)l->expired);
    }
}

enum rdb_load_result rdb_load(const char *path, bool merge, bool owned, struct buf *why)
{
    struct load l;
    enum rdb_load_result result = RDB_FAILED;
    init(&l, path, merge, owned);
    run(open_file, &l);
    atomic_store_explicit(&rdb_progress.started_ms, l.now_ms, memory_order_relaxed);
    atomic_store_explicit(&rdb_progress.total, l.size, memory_order_relaxed);
    atomic_store_explicit(&rdb_progress.done, 0, memory_order_relaxed);
    if (l.got == -ENOENT) {
        result = RDB_NO_FILE;
    } else if (l.got < 0) {
        buf_addf(why, "can't open %s: %s", path, strerror((int)-l.got));
    } else {
        if (load_all(&l)) result = RDB_LOADED;
        report(&l, why);
    }
    if (l.fd >= 0) close(l.fd);
    mem_free(l.mem);
    buf_free(&l.text);
    return result;
}
