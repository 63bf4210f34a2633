/*
 * rdb_save.c - everything, as it is at one instant, into a file.
 *
 *   own all -- walk every database, bucket by bucket --> buffer --write--> temporary file
 *   let go  -- fsync, rename, fsync of the folder (on a helper thread)
 *
 * An instant needs that nobody changes anything between the first bucket and the last: here all
 * partitions are owned meanwhile, and everything but commands on data goes on. The file is written
 * while they are owned by plain write() calls, which copy into the page cache; an owner may not
 * park. What lasts long, bringing it to the disk, is done after they were let go.
 *
 * Several saves may be under way: each has a file of its own, and one that is done after another
 * that began later gives way to it.
 *
 * Rejected: walking as SCAN does, owning one partition at a time. A key that is renamed meanwhile
 * would be saved twice or not at all, and a transaction by halves.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "keyspace/keyspace.h"
#include "persist/crc64.h"
#include "persist/rdb_file.h"

#define BUFFER    (256u * 1024) /* bytes gathered before they are written */
#define WALK_STEP 1024          /* entries */

struct save {
    struct rdb_writer w; /* first: drain() finds the rest */
    int fd, error;       /* errno of the first call that failed */
    bool checksum, access;
    uint64_t crc, keys, turn;
    const char *path;
    char temp[64];
};

/* ---- the file ------------------------------------------------------------------------------- */

static void note_error(struct save *s)
{
    if (!s->error) s->error = errno ? errno : EIO;
}

static void drain(struct rdb_writer *w)
{
    struct save *s = (struct save *)w;
    const char *p = w->out.p;
    size_t n = w->out.n;
    if (s->checksum) s->crc = crc64(s->crc, p, n);
    while (n > 0 && !s->error) {
        ssize_t done = write(s->fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) {
            note_error(s);
        } else {
            p += done;
            n -= (size_t)done;
        }
    }
    buf_clear(&w->out);
}

static void open_temp(void *arg)
{
    static _Atomic(unsigned) serial;
    struct save *s = arg;
    unsigned n = atomic_fetch_add_explicit(&serial, 1, memory_order_relaxed);
    snprintf(s->temp, sizeof s->temp, "temp-%d-%u.rdb", (int)getpid(), n);
    s->fd = open(s->temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (s->fd < 0) note_error(s);
}

static bool sync_folder(void)
{
    int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    if (fd >= 0) close(fd);
    return ok;
}

/* Into its place, unless a later instant is there already. */
static void take_place(struct save *s)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t newest;
    pthread_mutex_lock(&lock);
    if (s->turn < newest) {
        unlink(s->temp);
    } else if (rename(s->temp, s->path) != 0) {
        note_error(s);
    } else {
        newest = s->turn;
    }
    pthread_mutex_unlock(&lock);
}

/* To the disk, and into its place. */
static void settle(void *arg)
{
    struct save *s = arg;
    if (s->fd < 0) return;
    if (!s->error && fsync(s->fd) != 0) note_error(s);
    if (close(s->fd) != 0) note_error(s);
    if (!s->error) take_place(s);
    if (!s->error && !sync_folder()) note_error(s);
    if (s->error) unlink(s->temp);
}

/* ---- what is in it -------------------------------------------------------------------------- */

static void put_aux(struct rdb_writer *w, const char *name, struct slice value)
{
    rdb_put_byte(w, RDB_AUX);
    rdb_put_string(w, slice_str(name));
    rdb_put_string(w, value);
}

static void put_aux_int(struct rdb_writer *w, const char *name, int64_t v)
{
    char text[NUM_I64_MAX];
    put_aux(w, name, slice_of(text, num_fmt_i64(text, v)));
}

/* The version said to have written it is one that writes this version of the format. */
static void put_header(struct rdb_writer *w)
{
    static const char *const servers[] = {[10] = "7.0.15", [11] = "7.2.5", [12] = "7.4.0"};
    char magic[16];
    rdb_put(w, magic, (size_t)snprintf(magic, sizeof magic, "REDIS%04u", w->version));
    put_aux(w, "redis-ver", slice_str(servers[w->version]));
    put_aux_int(w, "redis-bits", sizeof(long) * 8);
    put_aux_int(w, "ctime", clock_unix_ms() / 1000);
    put_aux_int(w, "used-mem", (int64_t)mem_used());
    put_aux_int(w, "aof-base", 0);
}

static void put_functions(struct rdb_writer *w)
{
    struct slice code;
    for (size_t i = 0; rdb__function(i, &code); i++) {
        rdb_put_byte(w, RDB_FUNCTION_2);
        rdb_put_string(w, code);
    }
}

static void put_access(struct rdb_writer *w, const struct entry *e, bool idle)
{
    if (keyspace_lfu()) {
        rdb_put_byte(w, RDB_FREQ);
        rdb_put_byte(w, (uint8_t)ks_frequency(e));
    } else if (idle) {
        rdb_put_byte(w, RDB_IDLE);
        rdb_put_len(w, (uint64_t)ks_idle_seconds(e));
    }
}

static void put_entry(void *arg, struct entry *e)
{
    struct save *s = arg;
    struct rdb_writer *w = &s->w;
    if (e->has_expire) {
        rdb_put_byte(w, RDB_EXPIRE_MS);
        rdb_put_ms(w, entry_expire(e));
    }
    put_access(w, e, s->access);
    uint8_t type = value_type(w, e);
    rdb_put_byte(w, type);
    rdb_put_string(w, entry_key(e));
    value_encode(w, e, type);
    s->keys++;
}

/* Keys whose time has come are data too until they are removed. */
static void put_database(struct save *s, unsigned db)
{
    uint64_t keys = ks_size(db), cursor = 0;
    if (keys == 0) return;
    rdb_put_byte(&s->w, RDB_SELECT_DB);
    rdb_put_len(&s->w, db);
    rdb_put_byte(&s->w, RDB_RESIZE_DB);
    rdb_put_len(&s->w, keys);
    rdb_put_len(&s->w, ks_expires(db));
    do {
        cursor =
            ks_scan_stale(db, cursor, WALK_STEP, clock_unix_ms(), true, put_entry, put_entry, s);
    } while (cursor != 0 && !s->error);
}

static void put_end(struct save *s)
{
    rdb_put_byte(&s->w, RDB_EOF);
    drain(&s->w);
    uint64_t crc = s->crc;
    s->w.limit = 0;
    rdb_put(&s->w, &crc, sizeof crc);
    drain(&s->w);
}

/* All partitions are owned, so one at a time. */
static void put_all(struct save *s)
{
    static uint64_t turn;
    s->turn = ++turn;
    put_header(&s->w);
    put_functions(&s->w);
    for (unsigned db = 0; db < keyspace_databases() && !s->error; db++)
        put_database(s, db);
    put_end(s);
}

/* ---- saving --------------------------------------------------------------------------------- */

static void init(struct save *s, const char *path)
{
    *s = (struct save){.fd = -1, .path = path};
    s->w.version = atomic_load_explicit(&rdb_settings.version, memory_order_relaxed);
    s->w.compress = atomic_load_explicit(&rdb_settings.compress, memory_order_relaxed);
    s->checksum = atomic_load_explicit(&rdb_settings.checksum, memory_order_relaxed);
    s->access = atomic_load_explicit(&rdb_settings.access, memory_order_relaxed);
    s->w.limit = BUFFER;
    s->w.drain = drain;
}

static void run(void (*step)(void *), struct save *s, bool owned)
{
    if (owned) {
        step(s);
    } else {
        rt_offload(step, s);
    }
}

bool rdb_save(const char *path, bool owned)
{
    struct save s;
    int64_t start = clock_unix_ms();
    init(&s, path);
    run(open_temp, &s, owned);
    if (!s.error) {
        if (!owned) keyspace_own_all();
        put_all(&s);
        if (!owned) keyspace_disown_all();
    }
    run(settle, &s, owned);
    buf_free(&s.w.out);
    if (s.error) {
        log_write(LOG_WARNING, "Error saving the DB to %s: %s", path, strerror(s.error));
        return false;
    }
    log_write(LOG_NOTICE, "DB saved on disk: %llu keys, %.3f seconds", (unsigned long long)s.keys,
              (double)(clock_unix_ms() - start) / 1000);
    return true;
}
