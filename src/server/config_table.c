/*
 * config_table.c - every directive there is, as data.
 *
 * First the options that code asks for by name, each at its index; then those that are accepted
 * and kept: for tools that ask for them, and for files written for Redis.
 */
#include "server/config_internal.h"

#include <limits.h>
#include <syslog.h>

/* ---- words ------------------------------------------------------------------------------------
 */

enum { LEVEL_DEBUG = 0, LEVEL_VERBOSE, LEVEL_NOTICE, LEVEL_WARNING, LEVEL_NOTHING };

#define WORDS(name) static const struct option_word name[]

WORDS(loglevels) = {{"debug", LEVEL_DEBUG},     {"verbose", LEVEL_VERBOSE},
                    {"notice", LEVEL_NOTICE},   {"warning", LEVEL_WARNING},
                    {"nothing", LEVEL_NOTHING}, {NULL, 0}};
WORDS(policies) = {{"volatile-lru", POLICY_VOLATILE | POLICY_LRU},
                   {"volatile-lfu", POLICY_VOLATILE | POLICY_LFU},
                   {"volatile-random", POLICY_VOLATILE | POLICY_RANDOM},
                   {"volatile-ttl", POLICY_VOLATILE | POLICY_TTL},
                   {"allkeys-lru", POLICY_LRU},
                   {"allkeys-lfu", POLICY_LFU},
                   {"allkeys-random", POLICY_RANDOM},
                   {"noeviction", POLICY_NONE},
                   {NULL, 0}};
WORDS(facilities) = {{"user", LOG_USER},     {"local0", LOG_LOCAL0},
                     {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},
                     {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},
                     {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},
                     {"local7", LOG_LOCAL7}, {NULL, 0}};
WORDS(supervisors) = {{"upstart", SUPERVISED_UPSTART},
                      {"systemd", SUPERVISED_SYSTEMD},
                      {"auto", SUPERVISED_AUTO},
                      {"no", SUPERVISED_NO},
                      {NULL, 0}};
WORDS(shutdown_words) = {
    {"default", 0},        {"save", SHUTDOWN_SAVE},   {"nosave", SHUTDOWN_NOSAVE},
    {"now", SHUTDOWN_NOW}, {"force", SHUTDOWN_FORCE}, {NULL, 0}};
WORDS(oom_words) = {{"no", OOM_NO},
                    {"yes", OOM_RELATIVE},
                    {"relative", OOM_RELATIVE},
                    {"absolute", OOM_ABSOLUTE},
                    {NULL, 0}};
WORDS(protection) = {{"no", ALLOW_NO}, {"yes", ALLOW_YES}, {"local", ALLOW_LOCAL}, {NULL, 0}};
WORDS(pollers) = {{"auto", RT_POLLER_AUTO},
                  {"epoll", RT_POLLER_EPOLL},
                  {"io_uring", RT_POLLER_IO_URING},
                  {NULL, 0}};
WORDS(fsyncs) = {{"everysec", 0}, {"always", 1}, {"no", 2}, {NULL, 0}};
WORDS(diskless) = {{"disabled", 0}, {"on-empty-db", 1}, {"swapdb", 2}, {NULL, 0}};
WORDS(tls_auth) = {{"no", 0}, {"yes", 1}, {"optional", 2}, {NULL, 0}};
WORDS(acl_pubsub) = {{"allchannels", 1}, {"resetchannels", 0}, {NULL, 0}};
WORDS(sanitize) = {
    {"no", SANITIZE_NO}, {"yes", SANITIZE_YES}, {"clients", SANITIZE_CLIENTS}, {NULL, 0}};
WORDS(endpoints) = {{"ip", 0}, {"hostname", 1}, {"unknown-endpoint", 2}, {NULL, 0}};
WORDS(propagation) = {{"ignore", 0}, {"panic", 1}, {"panic-on-replicas", 2}, {NULL, 0}};

/* ---- rows -------------------------------------------------------------------------------------
 */

#define FIXED     OPTION_FIXED
#define HIDDEN    OPTION_HIDDEN
#define SENSITIVE OPTION_SENSITIVE
#define PROTECTED OPTION_PROTECTED
#define INERT     OPTION_INERT
#define FILE_ONLY OPTION_FILE_ONLY
#define AT_ONCE   OPTION_AT_ONCE
#define AT_START  OPTION_AT_START
#define BARE      OPTION_BARE

#define MB        (1024LL * 1024)

#define BOOL(n, f, d, ...)                                                                         \
    {                                                                                              \
        .name = n, .type = OPTION_BOOL, .flags = f, .def = d, .max = 1, __VA_ARGS__                \
    }
#define INT(n, f, lo, hi, d, ...)                                                                  \
    {                                                                                              \
        .name = n, .type = OPTION_INT, .flags = f, .min = lo, .max = hi, .def = d, __VA_ARGS__     \
    }
#define MEMORY(n, f, lo, hi, d, ...)                                                               \
    {                                                                                              \
        .name = n, .type = OPTION_MEMORY, .flags = f, .min = lo, .max = hi, .def = d, __VA_ARGS__  \
    }
#define ENUM(n, f, w, d, ...)                                                                      \
    {                                                                                              \
        .name = n, .type = OPTION_ENUM, .flags = f, .words = w, .def = d, .max = INT64_MAX,        \
        __VA_ARGS__                                                                                \
    }
#define FLAGS(n, f, w, d, ...)                                                                     \
    {                                                                                              \
        .name = n, .type = OPTION_FLAGS, .flags = f, .words = w, .def = d, .max = INT64_MAX,       \
        __VA_ARGS__                                                                                \
    }
#define TEXT(n, f, d, ...)                                                                         \
    {                                                                                              \
        .name = n, .type = OPTION_TEXT, .flags = f, .def_text = d, __VA_ARGS__                     \
    }
#define LIST(n, f, d, c, ...)                                                                      \
    {                                                                                              \
        .name = n, .type = OPTION_LIST, .flags = f, .def_text = d, .check = c, __VA_ARGS__         \
    }

static const struct option table[] = {
    [OPT_ACTIVE_EXPIRE_EFFORT] =
        INT("active-expire-effort", AT_START, 1, 10, 1, .apply = apply_expire_effort),
    [OPT_BIND] = LIST("bind", BARE, "* -::*", check_bind, .apply = apply_listeners),
    [OPT_BUSY_REPLY_THRESHOLD] =
        INT("busy-reply-threshold", 0, 0, LONG_MAX, 5000, .alias = "lua-time-limit"),
    [OPT_CLIENT_OUTPUT_BUFFER_LIMIT] =
        LIST("client-output-buffer-limit", AT_START,
             "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
             check_output_limits, .apply = apply_output_limits, .print = print_output_limits),
    [OPT_CLIENT_QUERY_BUFFER_LIMIT] =
        MEMORY("client-query-buffer-limit", 0, MB, LONG_MAX, 1024 * MB),
    [OPT_CRASH_LOG_ENABLED] = BOOL("crash-log-enabled", AT_START, 1, .apply = apply_crash_log),
    [OPT_DAEMONIZE] = BOOL("daemonize", FIXED, 0),
    [OPT_DATABASES] = INT("databases", FIXED, 1, INT_MAX, 16),
    [OPT_DBFILENAME] = TEXT("dbfilename", PROTECTED, "dump.rdb", .check = check_file_name),
    [OPT_DIR] = LIST("dir", PROTECTED | AT_ONCE, NULL, check_dir, .apply = apply_dir),
    [OPT_DISABLE_THP] = BOOL("disable-thp", FIXED, 1),
    [OPT_ENABLE_DEBUG_COMMAND] = ENUM("enable-debug-command", FIXED, protection, ALLOW_NO),
    [OPT_ENABLE_PROTECTED_CONFIGS] = ENUM("enable-protected-configs", FIXED, protection, ALLOW_NO),
    [OPT_HASH_MAX_LISTPACK_ENTRIES] =
        INT("hash-max-listpack-entries", AT_START, 0, LONG_MAX, 512,
            .alias = "hash-max-ziplist-entries", .apply = apply_hash_limits),
    [OPT_HASH_MAX_LISTPACK_VALUE] =
        MEMORY("hash-max-listpack-value", AT_START, 0, LONG_MAX, 64,
               .alias = "hash-max-ziplist-value", .apply = apply_hash_limits),
    [OPT_HLL_SPARSE_MAX_BYTES] = MEMORY("hll-sparse-max-bytes", AT_START, 0, LONG_MAX, 3000,
                                        .apply = apply_hll_limits),
    [OPT_HZ] = INT("hz", 0, 0, INT_MAX, 10),
    [OPT_KEY_LOAD_DELAY] =
        INT("key-load-delay", HIDDEN | AT_START, INT_MIN, INT_MAX, 0, .apply = apply_rdb),
    [OPT_LATENCY_MONITOR_THRESHOLD] =
        INT("latency-monitor-threshold", AT_START, 0, LLONG_MAX, 0, .apply = apply_slowlog),
    [OPT_LATENCY_TRACKING] = BOOL("latency-tracking", 0, 1),
    [OPT_LATENCY_TRACKING_INFO_PERCENTILES] =
        LIST("latency-tracking-info-percentiles", BARE, "50 99 99.9", check_percentiles),
    [OPT_LAZYFREE_LAZY_USER_FLUSH] =
        BOOL("lazyfree-lazy-user-flush", AT_START, 0, .apply = apply_flush_mode),
    [OPT_LFU_DECAY_TIME] = INT("lfu-decay-time", AT_START, 0, INT_MAX, 1, .apply = apply_policy),
    [OPT_LFU_LOG_FACTOR] = INT("lfu-log-factor", AT_START, 0, INT_MAX, 10, .apply = apply_policy),
    [OPT_LIST_COMPRESS_DEPTH] =
        INT("list-compress-depth", AT_START, 0, INT_MAX, 0, .apply = apply_list_limits),
    [OPT_LIST_MAX_LISTPACK_SIZE] =
        INT("list-max-listpack-size", AT_START, INT_MIN, INT_MAX, -2,
            .alias = "list-max-ziplist-size", .apply = apply_list_limits),
    [OPT_LOGFILE] = TEXT("logfile", FIXED, ""),
    [OPT_LOGLEVEL] = ENUM("loglevel", 0, loglevels, LEVEL_NOTICE, .apply = apply_loglevel),
    [OPT_MAXCLIENTS] = INT("maxclients", 0, 1, UINT_MAX, 10000, .apply = apply_maxclients),
    [OPT_MAXMEMORY] = MEMORY("maxmemory", INERT, 0, INT64_MAX, 0),
    [OPT_MAXMEMORY_POLICY] =
        ENUM("maxmemory-policy", AT_START, policies, POLICY_NONE, .apply = apply_policy),
    [OPT_NETPOLLER] = ENUM("netpoller", FIXED, pollers, RT_POLLER_AUTO),
    [OPT_NOTIFY_KEYSPACE_EVENTS] = LIST("notify-keyspace-events", INERT, "", check_events),
    [OPT_OOM_SCORE_ADJ] =
        ENUM("oom-score-adj", AT_START, oom_words, OOM_NO, .apply = apply_oom_score),
    [OPT_OOM_SCORE_ADJ_VALUES] =
        LIST("oom-score-adj-values", 0, "0 200 800", check_oom_values, .apply = apply_oom_score),
    [OPT_PARTITIONS] = INT("partitions", FIXED, 0, 65536, 0),
    [OPT_PIDFILE] = TEXT("pidfile", FIXED, ""),
    [OPT_PORT] = INT("port", 0, 0, 65535, 6379, .apply = apply_listeners),
    [OPT_PROC_TITLE_TEMPLATE] =
        TEXT("proc-title-template", AT_START, "{title} {listen-addr} {server-mode}",
             .check = check_title_template, .apply = apply_title),
    [OPT_PROTECTED_MODE] = BOOL("protected-mode", 0, 1),
    [OPT_PROTO_MAX_BULK_LEN] =
        MEMORY("proto-max-bulk-len", AT_START, MB, LONG_MAX, 512 * MB, .apply = apply_max_string),
    [OPT_RDBCHECKSUM] = BOOL("rdbchecksum", FIXED | AT_START, 1, .apply = apply_rdb),
    [OPT_RDBCOMPRESSION] = BOOL("rdbcompression", AT_START, 1, .apply = apply_rdb),
    [OPT_RDB_VERSION] = INT("rdb-version", AT_START, 10, 12, 12, .apply = apply_rdb),
    [OPT_RENAME_COMMAND] =
        LIST("rename-command", FIXED | FILE_ONLY, "", check_rename, .print = print_lines),
    [OPT_REQUIREPASS] = TEXT("requirepass", SENSITIVE | AT_START, "", .apply = apply_requirepass),
    [OPT_SANITIZE_DUMP_PAYLOAD] =
        ENUM("sanitize-dump-payload", AT_START, sanitize, SANITIZE_NO, .apply = apply_rdb),
    [OPT_SAVE] =
        LIST("save", BARE, "3600 1 300 100 60 10000", check_save, .print = print_save),
    [OPT_SET_MAX_INTSET_ENTRIES] =
        INT("set-max-intset-entries", AT_START, 0, LONG_MAX, 512, .apply = apply_set_limits),
    [OPT_SET_MAX_LISTPACK_ENTRIES] =
        INT("set-max-listpack-entries", AT_START, 0, LONG_MAX, 128, .apply = apply_set_limits),
    [OPT_SET_MAX_LISTPACK_VALUE] =
        INT("set-max-listpack-value", AT_START, 0, LONG_MAX, 64, .apply = apply_set_limits),
    [OPT_SET_PROC_TITLE] = BOOL("set-proc-title", FIXED, 1),
    [OPT_SHUTDOWN_ON_SIGINT] =
        FLAGS("shutdown-on-sigint", 0, shutdown_words, 0, .check_num = check_shutdown),
    [OPT_SHUTDOWN_ON_SIGTERM] =
        FLAGS("shutdown-on-sigterm", 0, shutdown_words, 0, .check_num = check_shutdown),
    [OPT_SHUTDOWN_TIMEOUT] = INT("shutdown-timeout", 0, 0, INT_MAX, 10),
    [OPT_SLOWLOG_LOG_SLOWER_THAN] =
        INT("slowlog-log-slower-than", AT_START, -1, LLONG_MAX, 10000, .apply = apply_slowlog),
    [OPT_SLOWLOG_MAX_LEN] = INT("slowlog-max-len", 0, 0, LONG_MAX, 128),
    [OPT_STREAM_NODE_MAX_BYTES] = MEMORY("stream-node-max-bytes", AT_START, 0, LONG_MAX, 4096,
                                         .apply = apply_stream_limits),
    [OPT_STREAM_NODE_MAX_ENTRIES] = INT("stream-node-max-entries", AT_START, 0, LLONG_MAX, 100,
                                        .apply = apply_stream_limits),
    [OPT_SUPERVISED] = ENUM("supervised", FIXED, supervisors, SUPERVISED_NO),
    [OPT_SYSLOG_ENABLED] = BOOL("syslog-enabled", FIXED, 0),
    [OPT_SYSLOG_FACILITY] = ENUM("syslog-facility", FIXED, facilities, LOG_LOCAL0),
    [OPT_SYSLOG_IDENT] = TEXT("syslog-ident", FIXED, "redis"),
    [OPT_TCP_BACKLOG] = INT("tcp-backlog", FIXED, 0, INT_MAX, 511),
    [OPT_TCP_KEEPALIVE] = INT("tcp-keepalive", 0, 0, INT_MAX, 300),
    [OPT_TIMEOUT] = INT("timeout", 0, 0, INT_MAX, 0),
    [OPT_UNIXSOCKET] = TEXT("unixsocket", FIXED, ""),
    [OPT_UNIXSOCKETPERM] = {.name = "unixsocketperm",
                            .type = OPTION_OCTAL,
                            .flags = FIXED,
                            .max = 0777},
    [OPT_WORKER_THREADS] = INT("worker-threads", FIXED, 0, 1024, 0),
    [OPT_ZSET_MAX_LISTPACK_ENTRIES] =
        INT("zset-max-listpack-entries", AT_START, 0, LONG_MAX, 128,
            .alias = "zset-max-ziplist-entries", .apply = apply_zset_limits),
    [OPT_ZSET_MAX_LISTPACK_VALUE] =
        MEMORY("zset-max-listpack-value", AT_START, 0, LONG_MAX, 64,
               .alias = "zset-max-ziplist-value", .apply = apply_zset_limits),

    /* Directives of the file that are no options. */
    LIST("include", FIXED | FILE_ONLY, "", check_words),
    LIST("loadmodule", FIXED | FILE_ONLY | INERT, "", check_line, .print = print_lines),
    LIST("user", FIXED | FILE_ONLY | INERT, "", check_line, .print = print_lines),

    /* Threads, memory and logging of a server that works otherwise than ours. */
    INT("io-threads", FIXED | INERT, 1, 128, 1),
    BOOL("io-threads-do-reads", FIXED | INERT, 0),
    BOOL("activerehashing", INERT, 1),
    BOOL("dynamic-hz", INERT, 1),
    BOOL("always-show-logo", FIXED | INERT, 0),
    BOOL("jemalloc-bg-thread", INERT, 1),
    BOOL("activedefrag", INERT, 0, .check_num = check_activedefrag),
    INT("active-defrag-cycle-min", INERT, 1, 99, 1),
    INT("active-defrag-cycle-max", INERT, 1, 99, 25),
    INT("active-defrag-threshold-lower", INERT, 0, 1000, 10),
    INT("active-defrag-threshold-upper", INERT, 0, 1000, 100),
    INT("active-defrag-max-scan-fields", INERT, 1, LONG_MAX, 1000),
    MEMORY("active-defrag-ignore-bytes", INERT, 1, LLONG_MAX, 100 * MB),
    BOOL("crash-memcheck-enabled", INERT, 1),
    BOOL("use-exit-on-panic", INERT | HIDDEN, 0),
    INT("watchdog-period", INERT | HIDDEN, 0, INT_MAX, 0),
    BOOL("hide-user-data-from-log", INERT, 0),
    TEXT("ignore-warnings", INERT, ""),
    TEXT("locale-collate", INERT, ""),
    TEXT("server-cpulist", FIXED | INERT, "", .alias = "server_cpulist"),
    TEXT("bio-cpulist", FIXED | INERT, "", .alias = "bio_cpulist"),
    TEXT("aof-rewrite-cpulist", FIXED | INERT, "", .alias = "aof_rewrite_cpulist"),
    TEXT("bgsave-cpulist", FIXED | INERT, "", .alias = "bgsave_cpulist"),
    TEXT("bind-source-addr", INERT, ""),
    INT("socket-mark-id", FIXED | INERT, 0, UINT_MAX, 0),
    INT("max-new-connections-per-cycle", INERT, 1, 1000, 10),
    INT("max-new-tls-connections-per-cycle", INERT, 1, 1000, 1),
    ENUM("enable-module-command", FIXED | INERT, protection, ALLOW_NO),

    /* Eviction. */
    INT("maxmemory-samples", INERT, 1, 64, 5),
    INT("maxmemory-eviction-tenacity", INERT, 0, 100, 10),
    {.name = "maxmemory-clients",
     .type = OPTION_PERCENT,
     .flags = INERT,
     .min = -100,
     .max = LONG_MAX},
    BOOL("lazyfree-lazy-eviction", INERT, 0),
    BOOL("lazyfree-lazy-expire", INERT, 0),
    BOOL("lazyfree-lazy-server-del", INERT, 0),
    BOOL("lazyfree-lazy-user-del", INERT, 0),

    /* Encodings of types to come. */
    INT("tracking-table-max-keys", INERT, 0, LONG_MAX, 1000000),

    /* Snapshots and the append-only file. */
    BOOL("rdb-del-sync-files", INERT, 0),
    BOOL("rdb-save-incremental-fsync", INERT, 1),
    BOOL("stop-writes-on-bgsave-error", INERT, 1),
    INT("rdb-key-save-delay", INERT | HIDDEN, INT_MIN, INT_MAX, 0),
    INT("loading-process-events-interval-bytes", INERT | HIDDEN, 1024, INT_MAX, 2 * MB),
    BOOL("appendonly", INERT, 0),
    TEXT("appendfilename", FIXED | INERT, "appendonly.aof", .check = check_file_name),
    TEXT("appenddirname", FIXED | INERT, "appendonlydir", .check = check_file_name),
    ENUM("appendfsync", INERT, fsyncs, 0),
    BOOL("no-appendfsync-on-rewrite", INERT, 0),
    BOOL("aof-rewrite-incremental-fsync", INERT, 1),
    BOOL("aof-load-truncated", INERT, 1),
    BOOL("aof-use-rdb-preamble", INERT, 1),
    BOOL("aof-timestamp-enabled", INERT, 0),
    BOOL("aof-disable-auto-gc", INERT | HIDDEN, 0),
    INT("auto-aof-rewrite-percentage", INERT, 0, INT_MAX, 100),
    MEMORY("auto-aof-rewrite-min-size", INERT, 0, LLONG_MAX, 64 * MB),

    /* Replication. */
    LIST("replicaof", FIXED | INERT, "", check_replicaof, .alias = "slaveof"),
    TEXT("masteruser", SENSITIVE | INERT, ""),
    TEXT("masterauth", SENSITIVE | INERT, ""),
    BOOL("replica-serve-stale-data", INERT, 1, .alias = "slave-serve-stale-data"),
    BOOL("replica-read-only", INERT, 1, .alias = "slave-read-only"),
    BOOL("replica-lazy-flush", INERT, 0, .alias = "slave-lazy-flush"),
    BOOL("replica-ignore-maxmemory", INERT, 1, .alias = "slave-ignore-maxmemory"),
    BOOL("replica-ignore-disk-write-errors", INERT, 0),
    BOOL("replica-announced", INERT, 1),
    TEXT("replica-announce-ip", INERT, "", .alias = "slave-announce-ip"),
    INT("replica-announce-port", INERT, 0, 65535, 0, .alias = "slave-announce-port"),
    INT("replica-priority", INERT, 0, INT_MAX, 100, .alias = "slave-priority"),
    BOOL("repl-disable-tcp-nodelay", INERT, 0),
    BOOL("repl-diskless-sync", INERT, 1),
    INT("repl-diskless-sync-delay", INERT, 0, INT_MAX, 5),
    INT("repl-diskless-sync-max-replicas", INERT, 0, INT_MAX, 0),
    ENUM("repl-diskless-load", INERT, diskless, 0),
    INT("repl-timeout", INERT, 1, INT_MAX, 60),
    INT("repl-ping-replica-period", INERT, 1, INT_MAX, 10, .alias = "repl-ping-slave-period"),
    MEMORY("repl-backlog-size", INERT, 1, LLONG_MAX, MB),
    INT("repl-backlog-ttl", INERT, 0, LONG_MAX, 3600),
    INT("min-replicas-to-write", INERT, 0, INT_MAX, 0, .alias = "min-slaves-to-write"),
    INT("min-replicas-max-lag", INERT, 0, INT_MAX, 10, .alias = "min-slaves-max-lag"),
    ENUM("propagation-error-behavior", INERT, propagation, 0),

    /* Access control beyond requirepass. */
    TEXT("aclfile", FIXED | INERT, ""),
    INT("acllog-max-len", INERT, 0, LONG_MAX, 128),
    ENUM("acl-pubsub-default", INERT, acl_pubsub, 0),

    /* Cluster. */
    BOOL("cluster-enabled", FIXED | INERT, 0),
    TEXT("cluster-config-file", FIXED | INERT, "nodes.conf"),
    INT("cluster-node-timeout", INERT, 0, LLONG_MAX, 15000),
    INT("cluster-ping-interval", INERT | HIDDEN, 0, LLONG_MAX, 0),
    INT("cluster-port", FIXED | INERT, 0, 65535, 0),
    INT("cluster-announce-port", INERT, 0, 65535, 0),
    INT("cluster-announce-tls-port", INERT, 0, 65535, 0),
    INT("cluster-announce-bus-port", INERT, 0, 65535, 0),
    TEXT("cluster-announce-ip", INERT, ""),
    TEXT("cluster-announce-hostname", INERT, ""),
    TEXT("cluster-announce-human-nodename", INERT, ""),
    ENUM("cluster-preferred-endpoint-type", INERT, endpoints, 0),
    INT("cluster-migration-barrier", INERT, 0, INT_MAX, 1),
    INT("cluster-replica-validity-factor", INERT, 0, INT_MAX, 10,
        .alias = "cluster-slave-validity-factor"),
    BOOL("cluster-replica-no-failover", INERT, 0, .alias = "cluster-slave-no-failover"),
    BOOL("cluster-require-full-coverage", INERT, 1),
    BOOL("cluster-allow-reads-when-down", INERT, 0),
    BOOL("cluster-allow-pubsubshard-when-down", INERT, 1),
    BOOL("cluster-allow-replica-migration", INERT, 1),
    MEMORY("cluster-link-sendbuf-limit", INERT, 0, INT64_MAX, 0),

    /* TLS. */
    INT("tls-port", INERT, 0, 65535, 0),
    INT("tls-session-cache-size", INERT, 0, INT_MAX, 20 * 1024),
    INT("tls-session-cache-timeout", INERT, 0, INT_MAX, 300),
    BOOL("tls-cluster", INERT, 0),
    BOOL("tls-replication", INERT, 0),
    BOOL("tls-prefer-server-ciphers", INERT, 0),
    BOOL("tls-session-caching", INERT, 1),
    ENUM("tls-auth-clients", INERT, tls_auth, 1),
    TEXT("tls-cert-file", INERT, ""),
    TEXT("tls-key-file", INERT, ""),
    TEXT("tls-key-file-pass", SENSITIVE | INERT, ""),
    TEXT("tls-client-cert-file", INERT, ""),
    TEXT("tls-client-key-file", INERT, ""),
    TEXT("tls-client-key-file-pass", SENSITIVE | INERT, ""),
    TEXT("tls-dh-params-file", INERT, ""),
    TEXT("tls-ca-cert-file", INERT, ""),
    TEXT("tls-ca-cert-dir", INERT, ""),
    TEXT("tls-protocols", INERT, ""),
    TEXT("tls-ciphers", INERT, ""),
    TEXT("tls-ciphersuites", INERT, ""),
};

_Static_assert(ARRAY_LEN(table) <= OPT_MAX, "config_values is too small");

size_t config_count(void)
{
    return ARRAY_LEN(table);
}

const struct option *config_option(size_t index)
{
    return &table[index];
}

size_t config_index(const struct option *o)
{
    return (size_t)(o - table);
}

const struct option *config_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (slice_is(name, table[i].name)) return &table[i];
        if (table[i].alias && slice_is(name, table[i].alias)) return &table[i];
    }
    return NULL;
}
