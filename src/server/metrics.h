/*
 * metrics.h - what the server counts, and how fast it counts it.
 *
 * Each worker has a row of counters that its thread alone writes (a relaxed load and store);
 * readers sum the rows and need no order between them. Rates are sampled by the cron coroutine.
 */
#ifndef WEFT_SERVER_METRICS_H
#define WEFT_SERVER_METRICS_H

#include <stdatomic.h>

#include "base/base.h"

enum metric {
    METRIC_CONNECTIONS,  /* total_connections_received */
    METRIC_REJECTED,     /* rejected_connections: maxclients */
    METRIC_NET_IN,       /* total_net_input_bytes */
    METRIC_NET_OUT,      /* total_net_output_bytes */
    METRIC_READS,        /* total_reads_processed */
    METRIC_WRITES,       /* total_writes_processed */
    METRIC_QUERY_LIMIT,  /* client_query_buffer_limit_disconnections */
    METRIC_OUTPUT_LIMIT, /* client_output_buffer_limit_disconnections */
    METRIC_AUTH_DENIED,  /* acl_access_denied_auth */
    METRIC_TIMEOUTS,     /* clients closed by `timeout` */
    METRIC_COUNT,
};

void metrics_add(enum metric m, uint64_t n); /* in a coroutine */
/* One read or write of n bytes: two counters at once, for the path of every request. */
void metrics_received(uint64_t n);
void metrics_sent(uint64_t n);
uint64_t metrics_get(enum metric m); /* since the start or the last metrics_reset() */
void metrics_reset(void);            /* CONFIG RESETSTAT */

/* Averages over the last samples, as INFO's instantaneous_* fields. */
struct metrics_rates {
    uint64_t ops_per_s;
    double input_kbps, output_kbps;
};
void metrics_rates(struct metrics_rates *out);
void metrics_sample(void); /* by cron, ten times a second */

int64_t metrics_started_ms(void);      /* unix time of the start */
int64_t metrics_started_mono_ms(void); /* the same instant by rt_now(), ms */
void metrics_start(void);

#endif
