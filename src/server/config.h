/*
 * config.h - the configuration: every directive once, as data, with its value, its checks and its
 * text.
 *
 *   file, command line --config_load-->  values  <--CONFIG SET--  (config_set)
 *                                          |
 *              config_num, config_text, CONFIG GET, CONFIG REWRITE
 *
 * Values
 *  1. Every option has a number (booleans, integers, sizes, enums, flags) or a text, never both.
 *     Numbers are relaxed atomics: readers need no order between two options. Texts are read and
 *     replaced under a lock that is never held across a park; readers get a copy.
 *  2. Options are changed by the loader before the runtime starts, and from then on by config_set()
 *     only, which CONFIG SET runs with all partitions owned: changes come one after the other, and
 *     an `apply` function may write what belongs to the partitions.
 */
#ifndef WEFT_SERVER_CONFIG_H
#define WEFT_SERVER_CONFIG_H

#include <stdatomic.h>

#include "base/base.h"

/* Options that code asks for by name. The table has more: those are accepted and kept. */
enum option_id {
    OPT_ACTIVE_EXPIRE_EFFORT,
    OPT_BIND,
    OPT_BUSY_REPLY_THRESHOLD,
    OPT_CLIENT_OUTPUT_BUFFER_LIMIT,
    OPT_CLIENT_QUERY_BUFFER_LIMIT,
    OPT_CRASH_LOG_ENABLED,
    OPT_DAEMONIZE,
    OPT_DATABASES,
    OPT_DBFILENAME,
    OPT_DIR,
    OPT_DISABLE_THP,
    OPT_ENABLE_DEBUG_COMMAND,
    OPT_ENABLE_PROTECTED_CONFIGS,
    OPT_HASH_MAX_LISTPACK_ENTRIES,
    OPT_HASH_MAX_LISTPACK_VALUE,
    OPT_HLL_SPARSE_MAX_BYTES,
    OPT_HZ,
    OPT_KEY_LOAD_DELAY,
    OPT_LATENCY_MONITOR_THRESHOLD,
    OPT_LATENCY_TRACKING,
    OPT_LATENCY_TRACKING_INFO_PERCENTILES,
    OPT_LAZYFREE_LAZY_USER_FLUSH,
    OPT_LFU_DECAY_TIME,
    OPT_LFU_LOG_FACTOR,
    OPT_LIST_COMPRESS_DEPTH,
    OPT_LIST_MAX_LISTPACK_SIZE,
    OPT_LOGFILE,
    OPT_LOGLEVEL,
    OPT_MAXCLIENTS,
    OPT_MAXMEMORY,
    OPT_MAXMEMORY_POLICY,
    OPT_NETPOLLER,
    OPT_NOTIFY_KEYSPACE_EVENTS,
    OPT_OOM_SCORE_ADJ,
    OPT_OOM_SCORE_ADJ_VALUES,
    OPT_PARTITIONS,
    OPT_PIDFILE,
    OPT_PORT,
    OPT_PROC_TITLE_TEMPLATE,
    OPT_PROTECTED_MODE,
    OPT_PROTO_MAX_BULK_LEN,
    OPT_RDBCHECKSUM,
    OPT_RDBCOMPRESSION,
    OPT_RDB_VERSION,
    OPT_RENAME_COMMAND,
    OPT_REQUIREPASS,
    OPT_SANITIZE_DUMP_PAYLOAD,
    OPT_SAVE,
    OPT_SET_MAX_INTSET_ENTRIES,
    OPT_SET_MAX_LISTPACK_ENTRIES,
    OPT_SET_MAX_LISTPACK_VALUE,
    OPT_SET_PROC_TITLE,
    OPT_SHUTDOWN_ON_SIGINT,
    OPT_SHUTDOWN_ON_SIGTERM,
    OPT_SHUTDOWN_TIMEOUT,
    OPT_SLOWLOG_LOG_SLOWER_THAN,
    OPT_SLOWLOG_MAX_LEN,
    OPT_STREAM_NODE_MAX_BYTES,
    OPT_STREAM_NODE_MAX_ENTRIES,
    OPT_SUPERVISED,
    OPT_SYSLOG_ENABLED,
    OPT_SYSLOG_FACILITY,
    OPT_SYSLOG_IDENT,
    OPT_TCP_BACKLOG,
    OPT_TCP_KEEPALIVE,
    OPT_TIMEOUT,
    OPT_UNIXSOCKET,
    OPT_UNIXSOCKETPERM,
    OPT_WORKER_THREADS,
    OPT_ZSET_MAX_LISTPACK_ENTRIES,
    OPT_ZSET_MAX_LISTPACK_VALUE,
    OPT_NAMED, /* how many there are; the others follow in the table */
    OPT_MAX = 256,
};

enum option_type {
    OPTION_BOOL,    /* yes | no */
    OPTION_INT,     /* min .. max */
    OPTION_OCTAL,   /* file permissions */
    OPTION_MEMORY,  /* bytes, with a unit */
    OPTION_PERCENT, /* as MEMORY; or "n%", kept as -n */
    OPTION_ENUM,    /* one of `words` */
    OPTION_FLAGS,   /* any of `words`, or-ed */
    OPTION_TEXT,
    OPTION_LIST, /* several arguments, checked and brought into one form by `check` */
};

enum {
    OPTION_FIXED = 1u << 0,     /* CONFIG SET refuses: start-up only */
    OPTION_HIDDEN = 1u << 1,    /* CONFIG GET needs its exact name */
    OPTION_SENSITIVE = 1u << 2, /* its value is not logged */
    OPTION_PROTECTED = 1u << 3, /* CONFIG SET only with enable-protected-configs */
    OPTION_INERT = 1u << 4,     /* accepted, kept, without effect here */
    OPTION_FILE_ONLY = 1u << 5, /* a directive of the file, unknown to CONFIG GET and SET */
    OPTION_AT_ONCE = 1u << 6,   /* applied while the file is read (dir) */
    OPTION_AT_START = 1u << 7,  /* applied by config_apply_all() */
    OPTION_BARE = 1u << 8,      /* a file may have it without a value: it is empty then */
};

struct option_word {
    const char *name;
    int64_t value;
};

enum option_source { FROM_FILE, FROM_COMMAND };

struct option {
    const char *name, *alias;
    enum option_type type;
    uint32_t flags;
    int64_t def, min, max;
    const char *def_text;
    const struct option_word *words;
    /* LIST and TEXT: checks the arguments and adds the canonical text to out (empty at first).
     * `now`: the present value, for options whose lines of a file add up. False: *err says why. */
    bool (*check)(const struct option *o, enum option_source from, int argc, struct slice *argv,
                  struct slice now, struct buf *out, const char **err);
    /* ENUM, FLAGS, INT: may refuse a value. */
    bool (*check_num)(int64_t value, const char **err);
    /* Makes the new value (already stored) take effect. False: *err; the old one is put back and
     * applied. While the configuration is loaded only with AT_ONCE. May not park. */
    bool (*apply)(const struct option *o, const char **err);
    /* Its lines of a configuration file, each with a line end; NULL: "name value". */
    void (*print)(const struct option *o, struct buf *out);
};

/* What words stand for. */
enum {
    POLICY_NONE = 0,
    POLICY_LRU = 1,
    POLICY_LFU = 2,
    POLICY_RANDOM = 3,
    POLICY_TTL = 4,
    POLICY_VOLATILE = 8
};
enum { SUPERVISED_NO, SUPERVISED_AUTO, SUPERVISED_SYSTEMD, SUPERVISED_UPSTART };
enum { SHUTDOWN_SAVE = 1, SHUTDOWN_NOSAVE = 2, SHUTDOWN_NOW = 4, SHUTDOWN_FORCE = 8 };
enum { OOM_NO, OOM_RELATIVE, OOM_ABSOLUTE };
enum { SANITIZE_NO, SANITIZE_YES, SANITIZE_CLIENTS }; /* payloads of clients; files too with YES */
enum { ALLOW_NO, ALLOW_YES, ALLOW_LOCAL }; /* LOCAL: connections from this machine */

extern _Atomic(int64_t) config_values[OPT_MAX];

static inline int64_t config_num(enum option_id id)
{
    return atomic_load_explicit(&config_values[id], memory_order_relaxed);
}
/* A copy of the text, to be freed with mem_free. Any thread. */
char *config_text(enum option_id id);
struct buf config_bytes(enum option_id id); /* the same, binary: passwords may hold any byte */
bool config_text_is_empty(enum option_id id);

/* ---- the table --------------------------------------------------------------------------------
 */

size_t config_count(void);
const struct option *config_option(size_t index);
size_t config_index(const struct option *o);
/* By name or alias, without regard to case. NULL: unknown. */
const struct option *config_find(struct slice name);
/* The value as CONFIG GET shows it, added to out. */
void config_show(const struct option *o, struct buf *out);
/* The default, in the same form. */
void config_show_default(const struct option *o, struct buf *out);
bool config_is_default(const struct option *o);
/* The option's lines for a configuration file. Values that need it are quoted. */
void config_print(const struct option *o, struct buf *out);
/* A word of a file of a file: as it is, or quoted if it has blanks, quotes or control bytes. */
void config_print_word(struct buf *out, struct slice word);

/* ---- changing ---------------------------------------------------------------------------------
 */

struct config_change {
    const struct option *option;
    struct slice value;
};
/* Several at once: all take effect, or none. False: err has the text, *failed the option (NULL: not
 * one of them). With all partitions owned (or before the runtime runs). */
bool config_set(const struct config_change *changes, size_t n, const struct option **failed,
                const char **err);
/* A change from inside (tests, maxclients cut to the descriptors there are). Does not apply. */
void config_put_num(enum option_id id, int64_t value);
void config_put_text(enum option_id id, const char *text);

/* ---- loading ----------------------------------------------------------------------------------
 */

void config_init(void); /* the defaults */
/* Reads a file (NULL: none), then standard input if asked to, then the options of the command line
 * as a text of lines. False: err holds the whole message for the user. */
bool config_load(const char *path, bool from_stdin, struct slice extra, struct buf *err);
/* Lets what was loaded take effect in the running server; in the first coroutine. */
bool config_apply_all(const char **err);
const char *config_file(void); /* the absolute path of the file that was loaded, or "" */
/* Names of options that the user set and that have no effect here, separated by blanks; "": none.
 */
void config_inert(struct buf *out);

#endif
