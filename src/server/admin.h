/* admin.h - what the files of the administration commands share. */
#ifndef WEFT_SERVER_ADMIN_H
#define WEFT_SERVER_ADMIN_H

#include "server/server.h"

extern struct command info_commands[];    /* info.c */
extern struct command slowlog_commands[]; /* slowlog.c */
extern struct command latency_commands[]; /* latency.c */
extern struct command memory_commands[];  /* memory.c */
extern struct command debug_commands[];   /* debug.c */
extern struct command misc_commands[];    /* admin.c */

/* slowlog.c, latency.c: a call took this long. Any worker, may not park. */
void slowlog_note(const struct call *c, int64_t us);
/* An event of the latency monitor lasted `ms`; below latency-monitor-threshold it is not kept. */
void latency_note(const char *event, int64_t ms);

/* Memory by use, for INFO memory, MEMORY STATS and MEMORY DOCTOR. Approximate sums, never parks. */
struct memory_report {
    size_t used, peak, rss, startup, system;
    size_t tables;  /* of the keyspace: buckets */
    size_t clients; /* sessions with their buffers */
    size_t overhead, dataset;
    uint64_t keys;
    struct mem_stats allocator;
};
void memory_report(struct memory_report *out);

/* digest.c: a digest of everything, or of one value, that does not depend on the order of keys;
 * 40 hexadecimal digits and a NUL. Zeros when there is nothing. digest_all PARKS unless `owned`. */
#define DIGEST_TEXT 41
void digest_all(char out[DIGEST_TEXT], bool owned);
void digest_entry(const struct entry *e, char out[DIGEST_TEXT]);

/* debug.c: whoever runs a CMD_WALK command in EXEC owns everything already. */
static inline bool owns_all(const struct call *c)
{
    return c->owned && c->owned->all;
}

#endif
