/*
 * client_pause.c - CLIENT PAUSE: for a time, commands of clients wait; all, or those that write.
 *
 *   running --PAUSE--> paused (commands_gate up) --time is over, UNPAUSE--> running
 *
 * Invariants
 *  1. `pause` and the list of who waits are under `lock`, which is never held across a park.
 *  2. commands_gate has GATE_PAUSE from before a pause begins until somebody saw that it is over.
 *  3. Who waits has a node on its stack, in the list until it has taken it out itself.
 */
#include <pthread.h>

#include "server/client.h"

#define GATE_PAUSE GATE_OTHER /* its bit in commands_gate */

enum pause_mode { PAUSE_NONE, PAUSE_WRITE, PAUSE_ALL };

struct paused {
    struct list_node node;
    struct co *co;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    enum pause_mode mode;
    int64_t until_ns; /* of rt_now() */
} pause_now;
static struct list_node waiting = {&waiting, &waiting};
static _Atomic(uint32_t) waiting_count; /* relaxed: for INFO */

/* ---- under the lock
 * ------------------------------------------------------------------------------- */

static void end_pause(void)
{
    pause_now.mode = PAUSE_NONE;
    atomic_fetch_and_explicit(&commands_gate, ~GATE_PAUSE, memory_order_relaxed);
    LIST_FOR(node, &waiting) co_ready(LIST_ENTRY(node, struct paused, node)->co);
}

static bool is_active(void)
{
    if (pause_now.mode != PAUSE_NONE && rt_now() >= pause_now.until_ns) end_pause();
    return pause_now.mode != PAUSE_NONE;
}

/* A pause never gets shorter or laxer by another one. */
static void begin_pause(enum pause_mode mode, int64_t until_ns)
{
    if (!is_active()) pause_now.mode = PAUSE_NONE, pause_now.until_ns = 0;
    pause_now.mode = MAX(pause_now.mode, mode);
    pause_now.until_ns = MAX(pause_now.until_ns, until_ns);
    atomic_fetch_or_explicit(&commands_gate, GATE_PAUSE, memory_order_relaxed);
}

/* ---- waiting
 * -------------------------------------------------------------------------------------- */

static bool writes(const struct session *s, const struct command *cmd)
{
    if (cmd->flags & (CMD_WRITE | CMD_MAY_REPLICATE)) return true;
    return strcmp(cmd->name, "exec") == 0 && caller_queue_writes(&s->caller);
}

static bool gone(struct session *s)
{
    return sock_hung_up(s->conn.sock) || atomic_load_explicit(&s->kill, memory_order_relaxed);
}

/* Parks once: until somebody readies it or the pause is over. */
static void wait_once(struct paused *p, int64_t until_ns)
{
    co_park(until_ns);
    pthread_mutex_lock(&lock);
    list_remove(&p->node);
    pthread_mutex_unlock(&lock);
}

bool pause_admit(struct session *s, const struct command *cmd)
{
    bool write = writes(s, cmd), alive = true;
    struct paused p = {.co = co_self()};
    for (;;) {
        pthread_mutex_lock(&lock);
        bool wait = is_active() && (write || pause_now.mode == PAUSE_ALL);
        int64_t until_ns = pause_now.until_ns;
        if (wait) list_push_back(&waiting, &p.node);
        pthread_mutex_unlock(&lock);
        if (!wait) break;
        atomic_fetch_add_explicit(&waiting_count, 1, memory_order_relaxed);
        sock_watch(s->conn.sock);
        wait_once(&p, until_ns);
        sock_unwatch(s->conn.sock);
        atomic_fetch_sub_explicit(&waiting_count, 1, memory_order_relaxed);
        alive = !gone(s);
        if (!alive) break;
    }
    return alive;
}

uint32_t pause_waiting(void)
{
    return atomic_load_explicit(&waiting_count, memory_order_relaxed);
}

bool pause_active(bool *all, int64_t *left_ms)
{
    pthread_mutex_lock(&lock);
    bool active = is_active();
    *all = pause_now.mode == PAUSE_ALL;
    *left_ms = active ? (pause_now.until_ns - rt_now()) / 1000000 : 0;
    pthread_mutex_unlock(&lock);
    return active;
}

/* ---- the commands
 * ---------------------------------------------------------------------------------- */

void client_pause_command(struct call *c)
{
    int64_t ms;
    enum pause_mode mode = PAUSE_ALL;
    if (!num_parse_i64(c->argv[2], &ms)) {
        reply_error(c->r, "ERR timeout is not an integer or out of range");
        return;
    }
    if (ms < 0) {
        reply_error(c->r, "ERR timeout is negative");
        return;
    }
    if (c->argc > 4) {
        call_syntax_error(c);
        return;
    }
    if (c->argc == 4 && !slice_is(c->argv[3], "ALL")) {
        mode = PAUSE_WRITE;
        if (!slice_is(c->argv[3], "WRITE")) {
            reply_error(c->r, "ERR CLIENT PAUSE mode must be WRITE or ALL");
            return;
        }
    }
    int64_t now = rt_now();
    pthread_mutex_lock(&lock);
    begin_pause(mode, ms > (RT_NEVER - now) / 1000000 ? RT_NEVER : now + ms * 1000000);
    pthread_mutex_unlock(&lock);
    reply_ok(c->r);
}

void client_unpause_command(struct call *c)
{
    pthread_mutex_lock(&lock);
    end_pause();
    pthread_mutex_unlock(&lock);
    reply_ok(c->r);
}
