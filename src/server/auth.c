/*
 * auth.c - requirepass and the default user. There is one user, "default"; without a password it
 * needs none.
 *
 * Passwords are compared in constant time: by their hashes under a secret of this process, all
 * bytes, so neither the place of the first difference nor the length shows.
 */
#include "server/server.h"

#include "server/config_internal.h"

static _Atomic(bool) required;

bool apply_requirepass(const struct option *o, const char **err)
{
    bool on = !config_text_is_empty(OPT_REQUIREPASS);
    atomic_store_explicit(&required, on, memory_order_relaxed);
    return true;
}

bool auth_required(void)
{
    return atomic_load_explicit(&required, memory_order_relaxed);
}

static XXH128_hash_t digest(struct slice s)
{
    return XXH3_128bits_withSeed(s.p, s.n, hash_secret);
}

static bool same(struct slice a, struct slice b)
{
    XXH128_hash_t x = digest(a), y = digest(b);
    return ((x.low64 ^ y.low64) | (x.high64 ^ y.high64)) == 0 && a.n == b.n;
}

static bool password_ok(struct slice password)
{
    struct buf expected = config_bytes(OPT_REQUIREPASS);
    bool ok = same(password, buf_slice(&expected));
    buf_free(&expected);
    return ok;
}

bool auth_try(struct session *s, struct slice user, struct slice password)
{
    bool known = slice_eq(user, SLICE("default"));
    if (!known || (auth_required() && !password_ok(password))) {
        metrics_add(METRIC_AUTH_DENIED, 1);
        reply_error(&s->conn.reply,
                    "WRONGPASS invalid username-password pair or user is disabled.");
        return false;
    }
    atomic_fetch_and_explicit(&s->caller.gate, ~GATE_AUTH, memory_order_relaxed);
    return true;
}
