/* object.c - OBJECT: how a value is kept, and when it was used last. */
#include "commands/keys_internal.h"

#define POLICY_NOTE                                                                                \
    "Please note that when switching between policies at runtime LRU and LFU data will take some " \
    "time to adjust."
#define SHARED_INTEGERS 10000 /* Redis shares the objects of those below, and says so */

/* The entry, or NULL: absent, and a null was replied. */
static const struct entry *subject(struct call *c)
{
    struct entry **slot = call_find(c, &c->keys[0], KS_NO_TOUCH);
    if (slot) return *slot;
    reply_null(c->r);
    return NULL;
}

void object_encoding_command(struct call *c)
{
    const struct entry *e = subject(c);
    if (e) reply_bulk_str(c->r, entry_encoding_name(e));
}

void object_refcount_command(struct call *c)
{
    const struct entry *e = subject(c);
    if (!e) return;
    bool shared = e->enc == ENC_INT && e->v.i >= 0 && e->v.i < SHARED_INTEGERS;
    reply_int(c->r, shared ? INT32_MAX : 1);
}

void object_idletime_command(struct call *c)
{
    const struct entry *e = subject(c);
    if (!e) return;
    if (keyspace_lfu()) {
        reply_error(c->r,
                    "ERR An LFU maxmemory policy is selected, idle time not tracked. " POLICY_NOTE);
    } else {
        reply_int(c->r, ks_idle_seconds(e));
    }
}

void object_freq_command(struct call *c)
{
    const struct entry *e = subject(c);
    if (!e) return;
    if (keyspace_lfu()) {
        reply_int(c->r, ks_frequency(e));
    } else {
        reply_error(c->r, "ERR An LFU maxmemory policy is not selected, access frequency not "
                          "tracked. " POLICY_NOTE);
    }
}

void object_help_command(struct call *c)
{
    call_help(c);
}
