/*
 * session.h - one client: its connection, its place in the registry, and the coroutine that serves
 * it.
 *
 *                 bytes                       replies out, nothing buffered
 *   IDLE ----------------------> SERVING -----------------------------------> IDLE
 *   no stack, no parser,           |  ^  blocked command, pause, slow reader
 *   no chunks: this struct         |  +----------------------------------- parked inside
 *   and the poller's entry         v
 *                               closed: leaves the registry, then is freed
 *
 * Who may touch what
 *  1. The session's coroutine owns it. Others find it in the registry and look at it under the lock
 * of its shard; it leaves the registry, under that lock, before anything of it is freed.
 *  2. Fields marked (any) are atomics that others read relaxed; `extra` and what it points to is
 *     changed by the owner under the shard's lock.
 *  3. Others change only: `kill` and the gate (session_kill), `unblock` (session_unblock).
 */
#ifndef WEFT_SERVER_SESSION_H
#define WEFT_SERVER_SESSION_H

#include "commands/commands.h"
#include "net/net.h"

struct session_extra {               /* what few clients have */
    char *name, *lib_name, *lib_ver; /* NULL: none */
};

enum session_blocked { SESSION_RUNNING, SESSION_BLOCKED, UNBLOCK_TIMEOUT, UNBLOCK_ERROR };

struct session {
    struct conn conn;
    struct caller caller;
    struct list_node in_shard;
    struct co *co;
    struct session_extra *extra; /* NULL: nothing in it */
    uint32_t shard;
    uint32_t created_s;           /* unix time; constant */
    _Atomic(uint32_t) blocked;    /* (any) enum session_blocked */
    _Atomic(uint32_t) kill;       /* not 0: to be closed at once, whatever it waits for */
    _Atomic(uint32_t) active_s;   /* (any) unix time of the last request */
    _Atomic(uint32_t) shown;      /* (any) see session_show_state() in client.h */
    _Atomic(uint32_t) batch_args; /* (any) bytes of the arguments being run */
};

static inline struct session *session_of(struct caller *caller)
{
    return CONTAINER_OF(caller, struct session, caller);
}

/* ---- life (session.c) -------------------------------------------------------------------------
 */

/* Serves a connection: to be called in the coroutine that will live as long as it. */
void session_accept(int fd, bool is_unix, void *arg);
/* Sends what waits in the reply; PARKS while the peer takes nothing. False: it is gone or to be
 * closed. */
bool session_flush(struct session *s);
/* The hooks of commands/ that are about sessions: flush, wait, admit (session_hooks.c). */
void session_hooks(struct command_hooks *hooks);
/* Name, library: owned copies; "" or NULL clears. By the owner. */
enum session_text { SESSION_NAME, SESSION_LIB_NAME, SESSION_LIB_VER };
void session_set_text(struct session *s, enum session_text which, struct slice value);
const char *session_text(const struct session *s, enum session_text which); /* "" when unset */

/* ---- the registry (sessions.c) ----------------------------------------------------------------
 */

void sessions_init(void); /* once, in the first coroutine */
/* Gives s an id and enters it. False: maxclients are there already. */
bool sessions_add(struct session *s);
void sessions_remove(struct session *s);
uint32_t sessions_count(void);
uint32_t sessions_blocked(void); /* waiting in blocking commands */
void sessions_count_blocked(int change);
uint64_t sessions_last_id(void);

/* Calls fn for each session, under the lock of its shard: fn looks, and may kill or unblock; it may
 * not park, nor take long. Sessions that come or go meanwhile may be missed. fn returns false to
 * end the walk. The lock is let go of in between now and then. Does not park. */
void sessions_each(bool (*fn)(struct session *s, void *arg), void *arg);
/* The same for the one with this id: false: there is none. */
bool sessions_with(uint64_t id, void (*fn)(struct session *s, void *arg), void *arg);
void sessions_lock(struct session *s); /* of its shard; never across a park */
void sessions_unlock(struct session *s);

/* Under the shard's lock, or by the owner itself: it is closed as soon as its coroutine notices;
 * what it waits for is interrupted. */
void session_kill(struct session *s);
/* Under the lock: ends its blocking command. False: it is not blocked. */
bool session_unblock(struct session *s, bool with_error);

/* CLIENT LIST's line about s (no line end), under its lock. */
void session_describe(struct session *s, struct buf *out);

/* ---- output limits (session_output.c) ---------------------------------------------------------
 */

/* After commands ran: false: the replies that wait are more than the hard limit allows. */
bool output_within_limit(struct session *s);

/* ---- authentication (auth.c) ------------------------------------------------------------------
 */

/* Whether a new connection must authenticate. Any thread. */
bool auth_required(void);
/* Tries to authenticate s as the user of this name: false: it has replied the error. */
bool auth_try(struct session *s, struct slice user, struct slice password);

#endif
