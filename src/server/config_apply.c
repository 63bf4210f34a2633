/*
 * config_apply.c - options that take effect in the layers below: each function reads the values and
 * hands them down. They run with all partitions owned, or before there are clients.
 */
#include <errno.h>
#include <unistd.h>

#include "commands/commands.h"
#include "persist/persist.h"
#include "server/config_internal.h"
#include "server/crash.h"
#include "server/server.h"

bool apply_expire_effort(const struct option *o, const char **err)
{
    keyspace_set_expire_effort((int)config_num(OPT_ACTIVE_EXPIRE_EFFORT));
    return true;
}

bool apply_policy(const struct option *o, const char **err)
{
    bool lfu = (config_num(OPT_MAXMEMORY_POLICY) & ~POLICY_VOLATILE) == POLICY_LFU;
    bool lru = (config_num(OPT_MAXMEMORY_POLICY) & ~POLICY_VOLATILE) == POLICY_LRU;
    keyspace_set_lfu(lfu, (int)config_num(OPT_LFU_LOG_FACTOR), (int)config_num(OPT_LFU_DECAY_TIME));
    atomic_store_explicit(&rdb_settings.access, lru, memory_order_relaxed);
    return true;
}

bool apply_list_limits(const struct option *o, const char **err)
{
    list_limits.max_listpack_size = (int)config_num(OPT_LIST_MAX_LISTPACK_SIZE);
    list_limits.compress_depth = (int)config_num(OPT_LIST_COMPRESS_DEPTH);
    return true;
}

bool apply_set_limits(const struct option *o, const char **err)
{
    set_limits.max_intset_entries = (size_t)config_num(OPT_SET_MAX_INTSET_ENTRIES);
    set_limits.max_listpack_entries = (size_t)config_num(OPT_SET_MAX_LISTPACK_ENTRIES);
    set_limits.max_listpack_value = (size_t)config_num(OPT_SET_MAX_LISTPACK_VALUE);
    return true;
}

bool apply_zset_limits(const struct option *o, const char **err)
{
    zset_limits.max_listpack_entries = (size_t)config_num(OPT_ZSET_MAX_LISTPACK_ENTRIES);
    zset_limits.max_listpack_value = (size_t)config_num(OPT_ZSET_MAX_LISTPACK_VALUE);
    return true;
}

bool apply_flush_mode(const struct option *o, const char **err)
{
    atomic_store_explicit(&commands_flush_async, config_num(OPT_LAZYFREE_LAZY_USER_FLUSH) != 0,
                          memory_order_relaxed);
    return true;
}

bool apply_hll_limits(const struct option *o, const char **err)
{
    hll_limits.sparse_max_bytes = (size_t)config_num(OPT_HLL_SPARSE_MAX_BYTES);
    return true;
}

bool apply_stream_limits(const struct option *o, const char **err)
{
    stream_limits.node_max_bytes = (size_t)config_num(OPT_STREAM_NODE_MAX_BYTES);
    stream_limits.node_max_entries = (uint64_t)config_num(OPT_STREAM_NODE_MAX_ENTRIES);
    return true;
}

bool apply_hash_limits(const struct option *o, const char **err)
{
    hash_limits.max_listpack_entries = (size_t)config_num(OPT_HASH_MAX_LISTPACK_ENTRIES);
    hash_limits.max_listpack_value = (size_t)config_num(OPT_HASH_MAX_LISTPACK_VALUE);
    return true;
}

bool apply_loglevel(const struct option *o, const char **err)
{
    log_set_level((enum log_level)config_num(OPT_LOGLEVEL));
    return true;
}

bool apply_max_string(const struct option *o, const char **err)
{
    atomic_store_explicit(&commands_max_string, (size_t)config_num(OPT_PROTO_MAX_BULK_LEN),
                          memory_order_relaxed);
    return true;
}

bool apply_slowlog(const struct option *o, const char **err)
{
    admin_thresholds();
    return true;
}

bool apply_dir(const struct option *o, const char **err)
{
    char *dir = config_text(OPT_DIR);
    bool ok = chdir(dir) == 0;
    if (!ok) *err = strerror(errno);
    mem_free(dir);
    return ok;
}

bool apply_crash_log(const struct option *o, const char **err)
{
    crash_enable(config_num(OPT_CRASH_LOG_ENABLED) != 0);
    return true;
}
