/*
 * flush.c - emptying databases: FLUSHDB, FLUSHALL.
 *
 *   own all -- exchange every table for an empty one -- let go -- [SYNC: wait until the old are
 * freed]
 *
 * While everything is owned nothing is freed, so others are held up for some us only, however many
 * keys there were. SYNC tells the client when the memory is back; it holds up nobody else.
 */
#include "commands/commands_internal.h"
#include "commands/keys_internal.h"

#define FLUSH_POLL_NS 500000

_Atomic(bool) commands_flush_async;

static bool parse_mode(struct call *c, bool *sync)
{
    *sync = c->argc == 1 ? !atomic_load_explicit(&commands_flush_async, memory_order_relaxed)
                         : slice_is(c->argv[1], "SYNC");
    if (c->argc == 1 || (c->argc == 2 && (*sync || slice_is(c->argv[1], "ASYNC")))) return true;
    call_syntax_error(c);
    return false;
}

static void empty_all(struct call *c, int db, bool lazy)
{
    for (unsigned i = 0; i < keyspace_parts(); i++)
        c->dirty += (uint32_t)ks_part_flush(keyspace_part(i), db, lazy);
}

/* Tells who wants to know that a key is gone. */
static void serve_all(const struct call *c)
{
    struct part_set all = {0};
    part_set_add_all(&all);
    serve_ready(&all, c->now_ms);
    part_set_free(&all);
}

/* Until what was waiting to be freed at this moment has been freed. */
static void wait_freed(void)
{
    uint64_t until = ks_lazyfreed() + ks_lazyfree_pending();
    while (ks_lazyfree_pending() > 0 && ks_lazyfreed() < until)
        co_sleep(FLUSH_POLL_NS);
}

static bool flush(struct call *c, int db)
{
    bool sync;
    if (!parse_mode(c, &sync)) return false;
    if (walk_owns_all(c)) {
        empty_all(c, db, !sync); /* there is no waiting in a transaction */
    } else {
        keyspace_own_all();
        empty_all(c, db, true);
        if (ks_waiting_keys() > 0) serve_all(c);
        keyspace_disown_all();
        if (sync) wait_freed();
    }
    return true;
}

void flushdb_command(struct call *c)
{
    if (flush(c, (int)c->db)) reply_ok(c->r);
}

/* With save points the empty data are saved: a restart shall not bring back what is gone. */
void flushall_command(struct call *c)
{
    if (!flush(c, -1)) return;
    if (command_hooks.flushed && command_hooks.flushed(walk_owns_all(c))) c->dirty = 0;
    reply_ok(c->r);
}
