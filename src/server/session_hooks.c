/*
 * session_hooks.c - what the dispatcher asks of a client's session: to be let in, to send, to wait.
 *
 *   blocked:  RUNNING --wait--> BLOCKED --served, timeout, hang-up--> RUNNING
 *                                  |
 *                                  +--CLIENT UNBLOCK (another coroutine)--> UNBLOCK_* --> RUNNING
 *
 * The unblocker moves BLOCKED on with a compare-exchange under the lock of the session's shard and
 * readies the coroutine; so of several only one succeeds, and one that comes too late fails.
 */
#include "server/client.h"
#include "server/persistence.h"
#include "server/server.h"

static bool hook_admit(struct caller *caller, const struct command *cmd, uint32_t argc,
                       struct slice *argv)
{
    struct session *s = session_of(caller);
    uint32_t gate = atomic_load_explicit(&caller->gate, memory_order_relaxed);
    if ((gate & GATE_AUTH) && !(cmd->flags & CMD_NO_AUTH)) {
        if (auth_required()) {
            reply_error(caller->reply, "NOAUTH Authentication required.");
            return false;
        }
        atomic_fetch_and_explicit(&caller->gate, ~GATE_AUTH, memory_order_relaxed);
    }
    if (LIKELY(atomic_load_explicit(&commands_gate, memory_order_relaxed) == 0)) return true;
    if (persistence_loading() && !(cmd->flags & CMD_LOADING)) {
        reply_error(caller->reply, "LOADING Redis is loading the dataset in memory");
        return false;
    }
    /* While it is held up, a client sees the replies to what it sent before. */
    if (session_flush(s) && pause_admit(s, cmd)) return true;
    atomic_fetch_or_explicit(&caller->gate, GATE_CLOSE, memory_order_relaxed);
    return false;
}

static bool hook_flush(struct caller *caller)
{
    return session_flush(session_of(caller));
}

static bool is_gone(struct session *s)
{
    return atomic_load_explicit(&s->kill, memory_order_acquire) || sock_hung_up(s->conn.sock);
}

static int wait_blocked(struct session *s, struct waiter *w, int64_t deadline_ns)
{
    while (atomic_load_explicit(&w->state, memory_order_acquire) == WAITER_WAITING) {
        if (is_gone(s)) return RT_ECLOSED;
        if (atomic_load_explicit(&s->blocked, memory_order_acquire) != SESSION_BLOCKED) {
            return RT_ECANCELED;
        }
        if (co_park(deadline_ns) == RT_ETIMEDOUT) return RT_ETIMEDOUT;
    }
    return RT_OK;
}

static int hook_wait(struct caller *caller, struct waiter *w, int64_t deadline_ns,
                     bool *unblock_error)
{
    struct session *s = session_of(caller);
    atomic_store_explicit(&s->blocked, SESSION_BLOCKED, memory_order_release);
    sessions_count_blocked(1);
    sock_watch(s->conn.sock);
    int why = wait_blocked(s, w, deadline_ns);
    sock_unwatch(s->conn.sock);
    sessions_count_blocked(-1);
    uint32_t state = atomic_exchange_explicit(&s->blocked, SESSION_RUNNING, memory_order_acq_rel);
    if (why == RT_ECANCELED) *unblock_error = state == UNBLOCK_ERROR;
    return why;
}

bool session_unblock(struct session *s, bool with_error)
{
    uint32_t blocked = SESSION_BLOCKED;
    if (!atomic_compare_exchange_strong_explicit(&s->blocked, &blocked,
                                                 with_error ? UNBLOCK_ERROR : UNBLOCK_TIMEOUT,
                                                 memory_order_acq_rel, memory_order_relaxed)) {
        return false;
    }
    co_ready(s->co);
    return true;
}

void session_hooks(struct command_hooks *hooks)
{
    hooks->admit = hook_admit;
    hooks->flush = hook_flush;
    hooks->wait = hook_wait;
}
