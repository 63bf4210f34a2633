/* config_internal.h - what the table refers to: values of words, checks, effects. */
#ifndef WEFT_SERVER_CONFIG_INTERNAL_H
#define WEFT_SERVER_CONFIG_INTERNAL_H

#include "runtime/runtime.h"
#include "server/config.h"

/* config_check.c: see struct option. */
#define CHECK_ARGS                                                                                 \
    const struct option *o, enum option_source from, int argc, struct slice *argv,                 \
        struct slice now, struct buf *out, const char **err
bool check_bind(CHECK_ARGS);
bool check_save(CHECK_ARGS);
bool check_output_limits(CHECK_ARGS);
bool check_oom_values(CHECK_ARGS);
bool check_events(CHECK_ARGS);
bool check_percentiles(CHECK_ARGS);
bool check_dir(CHECK_ARGS);
bool check_rename(CHECK_ARGS);
bool check_words(CHECK_ARGS);
bool check_line(CHECK_ARGS);
bool check_replicaof(CHECK_ARGS);
bool check_file_name(CHECK_ARGS);
bool check_title_template(CHECK_ARGS);
bool check_shutdown(int64_t value, const char **err);
bool check_activedefrag(int64_t value, const char **err);
void print_lines(const struct option *o, struct buf *out);
void print_save(const struct option *o, struct buf *out);
void print_output_limits(const struct option *o, struct buf *out);

/* config_apply.c, unless said otherwise: see struct option. */
bool apply_expire_effort(const struct option *o, const char **err);
bool apply_policy(const struct option *o, const char **err);
bool apply_flush_mode(const struct option *o, const char **err);
bool apply_title(const struct option *o, const char **err);
bool apply_hll_limits(const struct option *o, const char **err);
bool apply_list_limits(const struct option *o, const char **err);
bool apply_set_limits(const struct option *o, const char **err);
bool apply_zset_limits(const struct option *o, const char **err);
bool apply_hash_limits(const struct option *o, const char **err);
bool apply_loglevel(const struct option *o, const char **err);
bool apply_max_string(const struct option *o, const char **err);
bool apply_slowlog(const struct option *o, const char **err);
bool apply_dir(const struct option *o, const char **err);
bool apply_output_limits(const struct option *o, const char **err); /* session_output.c */
bool apply_listeners(const struct option *o, const char **err);     /* listen.c */
bool apply_maxclients(const struct option *o, const char **err);    /* limits.c */
bool apply_oom_score(const struct option *o, const char **err);     /* limits.c */
bool apply_requirepass(const struct option *o, const char **err);   /* auth.c */
bool apply_rdb(const struct option *o, const char **err);           /* persistence.c */
bool apply_crash_log(const struct option *o, const char **err);
bool apply_stream_limits(const struct option *o, const char **err);

/* The canonical text or the number that arguments stand for. */
struct config_value {
    int64_t num;
    struct buf text;
};
bool config_parse(const struct option *o, enum option_source from, int argc, struct slice *argv,
                  struct slice now, struct config_value *out, const char **err);
bool option_is_text(const struct option *o);
/* Stores a value, as given by config_parse(). */
void config_store(const struct option *o, const struct config_value *value);
struct buf config_copy_text(const struct option *o);

#endif
