/*
 * info.c - INFO: sections of "name:value" lines, each made by one function of the table at the end.
 *
 * Figures are sums of counters that their owners go on changing: each line is true of some moment,
 * no two lines are of the same one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "server/admin.h"
#include "server/client.h"
#include "server/persistence.h"

#define CONTENDED_MAX 16 /* partitions shown one by one */

static void line_u64(struct buf *out, const char *name, uint64_t v)
{
    buf_addf(out, "%s:%" PRIu64 "\r\n", name, v);
}

static void line_memory(struct buf *out, const char *name, size_t v)
{
    char human[32];
    num_fmt_memory(human, sizeof human, v);
    buf_addf(out, "%s:%zu\r\n%s_human:%s\r\n", name, v, name, human);
}

static double ratio(size_t a, size_t b)
{
    return b ? (double)a / (double)b : 0;
}

/* Fields of features that are not there, which tools read all the same: their true value is 0. */
static void zeros(struct buf *out, const char *const *names)
{
    for (; *names; names++)
        line_u64(out, *names, 0);
}

/* ---- server, clients ----------------------------------------------------------------------------
 */

static void show_option(struct buf *out, enum option_id id)
{
    config_show(config_option(id), out);
}

static void info_server(struct buf *out)
{
    struct utsname host = {0};
    int64_t up_s = (clock_unix_ms() - metrics_started_ms()) / 1000;
    uname(&host);
    buf_addf(out, "redis_version:%s\r\nweft_version:%s\r\n", REDIS_VERSION, WEFT_VERSION);
    buf_addz(out, "redis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:weft\r\n"
                  "redis_mode:standalone\r\n");
    buf_addf(out, "os:%s %s %s\r\n", host.sysname, host.release, host.machine);
    buf_addf(out, "arch_bits:%zu\r\nmonotonic_clock:POSIX clock_gettime\r\n", sizeof(long) * 8);
    buf_addf(out, "multiplexing_api:%s\r\natomicvar_api:c11-builtin\r\n", rt_poller_name());
    buf_addf(out, "gcc_version:%s\r\nprocess_id:%d\r\n", __VERSION__, getpid());
    buf_addz(out, "process_supervised:");
    show_option(out, OPT_SUPERVISED);
    buf_addf(out, "\r\nrun_id:%s\r\ntcp_port:%d\r\n", server_run_id(), server_tcp_port());
    buf_addf(out, "server_time_usec:%" PRId64 "\r\n", clock_unix_us());
    buf_addf(out, "uptime_in_seconds:%" PRId64 "\r\nuptime_in_days:%" PRId64 "\r\n", up_s,
             up_s / 86400);
    line_u64(out, "hz", (uint64_t)config_num(OPT_HZ));
    line_u64(out, "configured_hz", (uint64_t)config_num(OPT_HZ));
    line_u64(out, "lru_clock", (uint64_t)(clock_unix_ms() / 1000) & 0xffffff);
    buf_addf(out, "executable:%s\r\nconfig_file:%s\r\nio_threads_active:%u\r\n",
             server_executable(), config_file(), rt_worker_count() > 1);
    server_listeners_info(out);
}

struct client_sums {
    uint32_t in_max, out_max;
    uint64_t watching, watched_keys;
};

static bool sum_client(struct session *s, void *arg)
{
    struct client_sums *sums = arg;
    uint32_t in = atomic_load_explicit(&s->conn.query_buffered, memory_order_relaxed);
    uint32_t out = atomic_load_explicit(&s->conn.out_memory, memory_order_relaxed);
    uint32_t watching = atomic_load_explicit(&s->caller.watching, memory_order_relaxed);
    sums->in_max = MAX(sums->in_max, in);
    sums->out_max = MAX(sums->out_max, out);
    sums->watching += watching > 0;
    sums->watched_keys += watching;
    return true;
}

static void info_clients(struct buf *out)
{
    static const char *const none[] = {"tracking_clients", "pubsub_clients", NULL};
    struct client_sums sums = {0};
    sessions_each(sum_client, &sums);
    line_u64(out, "connected_clients", sessions_count());
    line_u64(out, "cluster_connections", 0);
    line_u64(out, "maxclients", (uint64_t)config_num(OPT_MAXCLIENTS));
    line_u64(out, "client_recent_max_input_buffer", sums.in_max);
    line_u64(out, "client_recent_max_output_buffer", sums.out_max);
    line_u64(out, "blocked_clients", sessions_blocked() + pause_waiting());
    zeros(out, none);
    line_u64(out, "watching_clients", sums.watching);
    line_u64(out, "clients_in_timeout_table", sessions_blocked());
    line_u64(out, "total_watched_keys", sums.watched_keys);
    line_u64(out, "total_blocking_keys", ks_waiting_keys());
    line_u64(out, "total_blocking_keys_on_nokey", ks_waiting_keys_on_missing());
}

/* ---- memory -------------------------------------------------------------------------------------
 */

static void info_allocator(struct buf *out, const struct memory_report *mr)
{
    const struct mem_stats *a = &mr->allocator;
    buf_addf(out, "allocator_frag_ratio:%.2f\r\nallocator_frag_bytes:%zu\r\n",
             ratio(a->active, a->allocated), a->active - a->allocated);
    buf_addf(out, "allocator_rss_ratio:%.2f\r\nallocator_rss_bytes:%zd\r\n",
             ratio(a->resident, a->active), (ssize_t)(a->resident - a->active));
    buf_addf(out, "rss_overhead_ratio:%.2f\r\nrss_overhead_bytes:%zd\r\n",
             ratio(mr->rss, a->resident), (ssize_t)(mr->rss - a->resident));
    buf_addf(out, "mem_fragmentation_ratio:%.2f\r\nmem_fragmentation_bytes:%zd\r\n",
             ratio(mr->rss, mr->used), (ssize_t)(mr->rss - mr->used));
}

static void info_memory(struct buf *out)
{
    static const char *const none[] = {"mem_not_counted_for_evict", "mem_replication_backlog",
                                       "mem_total_replication_buffers", "mem_clients_slaves", NULL};
    struct memory_report mr;
    memory_report(&mr);
    size_t net = mr.used > mr.startup ? mr.used - mr.startup : 0;
    line_memory(out, "used_memory", mr.used);
    line_memory(out, "used_memory_rss", mr.rss);
    line_memory(out, "used_memory_peak", mr.peak);
    buf_addf(out, "used_memory_peak_perc:%.2f%%\r\n", ratio(mr.used, mr.peak) * 100);
    line_u64(out, "used_memory_overhead", mr.overhead);
    line_u64(out, "used_memory_startup", mr.startup);
    line_u64(out, "used_memory_dataset", mr.dataset);
    buf_addf(out, "used_memory_dataset_perc:%.2f%%\r\n", ratio(mr.dataset, net) * 100);
    line_u64(out, "allocator_allocated", mr.allocator.allocated);
    line_u64(out, "allocator_active", mr.allocator.active);
    line_u64(out, "allocator_resident", mr.allocator.resident);
    line_memory(out, "total_system_memory", mr.system);
    line_memory(out, "maxmemory", (size_t)config_num(OPT_MAXMEMORY));
    buf_addz(out, "maxmemory_policy:");
    show_option(out, OPT_MAXMEMORY_POLICY);
    buf_addz(out, "\r\n");
    info_allocator(out, &mr);
    zeros(out, none);
    line_u64(out, "mem_clients_normal", mr.clients);
    line_u64(out, "mem_cluster_links", 0);
    line_u64(out, "mem_aof_buffer", 0);
    buf_addf(out, "mem_allocator:%s\r\nactive_defrag_running:0\r\n", mem_allocator());
    line_u64(out, "lazyfree_pending_objects", ks_lazyfree_pending());
    line_u64(out, "lazyfreed_objects", ks_lazyfreed());
}

/* ---- persistence, replication, cluster: what tools read of a server without them
 * ------------------ */

static void info_persistence(struct buf *out)
{
    static const char *const aof[] = {"aof_enabled", "aof_rewrite_in_progress",
                                      "aof_rewrite_scheduled", NULL};
    persistence_info(out);
    zeros(out, aof);
    buf_addz(out, "aof_last_rewrite_time_sec:-1\r\naof_current_rewrite_time_sec:-1\r\n"
                  "aof_last_bgrewrite_status:ok\r\naof_last_write_status:ok\r\n");
}

static void info_replication(struct buf *out)
{
    buf_addf(out,
             "role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\n"
             "master_replid:%s\r\nmaster_replid2:%040d\r\nmaster_repl_offset:0\r\n"
             "second_repl_offset:-1\r\nrepl_backlog_active:0\r\nrepl_backlog_size:0\r\n"
             "repl_backlog_first_byte_offset:0\r\nrepl_backlog_histlen:0\r\n",
             server_run_id(), 0);
}

static void info_cluster(struct buf *out)
{
    line_u64(out, "cluster_enabled", 0);
}

/* ---- statistics ---------------------------------------------------------------------------------
 */

static void count_errors(const char *code, uint64_t count, void *arg)
{
    *(uint64_t *)arg += count;
}

static void info_traffic(struct buf *out)
{
    struct metrics_rates rates;
    metrics_rates(&rates);
    line_u64(out, "total_connections_received", metrics_get(METRIC_CONNECTIONS));
    line_u64(out, "total_commands_processed", commands_total());
    line_u64(out, "instantaneous_ops_per_sec", rates.ops_per_s);
    line_u64(out, "total_net_input_bytes", metrics_get(METRIC_NET_IN));
    line_u64(out, "total_net_output_bytes", metrics_get(METRIC_NET_OUT));
    buf_addf(out, "instantaneous_input_kbps:%.2f\r\ninstantaneous_output_kbps:%.2f\r\n",
             rates.input_kbps, rates.output_kbps);
    line_u64(out, "rejected_connections", metrics_get(METRIC_REJECTED));
}

static void info_stats(struct buf *out)
{
    static const char *const none[] = {"evicted_keys",
                                       "evicted_clients",
                                       "total_eviction_exceeded_time",
                                       "current_eviction_exceeded_time",
                                       "pubsub_channels",
                                       "pubsub_patterns",
                                       "pubsubshard_channels",
                                       "latest_fork_usec",
                                       "total_forks",
                                       NULL};
    struct part_stats parts;
    uint64_t errors = 0;
    keyspace_stats(&parts);
    command_errors_each(count_errors, &errors);
    info_traffic(out);
    line_u64(out, "expired_subkeys", parts.expired_fields);
    line_u64(out, "expired_keys", parts.expired);
    buf_addf(out, "expired_stale_perc:%.2f\r\n", (double)parts.expired_stale_perc_x100 / 100);
    line_u64(out, "expired_time_cap_reached_count", parts.time_cap_reached);
    line_u64(out, "expire_cycle_cpu_milliseconds", parts.expire_cycle_us / 1000);
    line_u64(out, "keyspace_hits", parts.hits);
    line_u64(out, "keyspace_misses", parts.misses);
    zeros(out, none);
    line_u64(out, "migrate_cached_sockets", migrate_links_kept());
    line_u64(out, "total_error_replies", errors);
    line_u64(out, "total_reads_processed", metrics_get(METRIC_READS));
    line_u64(out, "total_writes_processed", metrics_get(METRIC_WRITES));
    line_u64(out, "client_query_buffer_limit_disconnections", metrics_get(METRIC_QUERY_LIMIT));
    line_u64(out, "client_output_buffer_limit_disconnections", metrics_get(METRIC_OUTPUT_LIMIT));
    line_u64(out, "acl_access_denied_auth", metrics_get(METRIC_AUTH_DENIED));
}

static void cpu_lines(struct buf *out, const char *suffix, int who)
{
    struct rusage u;
    getrusage(who, &u);
    buf_addf(out, "used_cpu_sys%s:%ld.%06ld\r\n", suffix, (long)u.ru_stime.tv_sec,
             (long)u.ru_stime.tv_usec);
    buf_addf(out, "used_cpu_user%s:%ld.%06ld\r\n", suffix, (long)u.ru_utime.tv_sec,
             (long)u.ru_utime.tv_usec);
}

static void info_cpu(struct buf *out)
{
    cpu_lines(out, "", RUSAGE_SELF);
    cpu_lines(out, "_children", RUSAGE_CHILDREN);
}

static void info_modules(struct buf *out) {}

static void info_commandstats(struct buf *out)
{
    for (uint32_t id = 0; id < commands_count(); id++) {
        const struct command *cmd = command_by_id(id);
        struct command_stats st;
        command_stats(id, &st);
        if (st.calls == 0 && st.rejected == 0 && st.failed == 0) continue;
        buf_addf(out, "cmdstat_%s:calls=%" PRIu64 ",usec=%" PRIu64 ",usec_per_call=%.2f",
                 cmd->full_name, st.calls, st.us,
                 st.calls ? (double)st.us / (double)st.calls : 0.0);
        buf_addf(out, ",rejected_calls=%" PRIu64 ",failed_calls=%" PRIu64 "\r\n", st.rejected,
                 st.failed);
    }
}

static void error_line(const char *code, uint64_t count, void *arg)
{
    buf_addf(arg, "errorstat_%s:count=%" PRIu64 "\r\n", code, count);
}

static void info_errorstats(struct buf *out)
{
    command_errors_each(error_line, out);
}

/* Adds "p50=..,p99=.." for the percentiles of the configuration. */
static void add_percentiles(struct buf *out, uint32_t id, const char *wanted)
{
    const char *sep = "";
    for (const char *p = wanted; *p;) {
        char *end;
        double percentile = strtod(p, &end);
        if (end == p) break;
        buf_addf(out, "%sp%.*s=%.3f", sep, (int)(end - p), p,
                 command_latency_percentile(id, percentile));
        sep = ",";
        p = end + strspn(end, " ");
    }
}

static void info_latencystats(struct buf *out)
{
    if (!config_num(OPT_LATENCY_TRACKING)) return;
    char *wanted = config_text(OPT_LATENCY_TRACKING_INFO_PERCENTILES);
    for (uint32_t id = 0; id < commands_count(); id++) {
        const struct command *cmd = command_by_id(id);
        struct command_stats st;
        command_stats(id, &st);
        if (st.calls == 0) continue;
        buf_addf(out, "latency_percentiles_usec_%s:", cmd->full_name);
        add_percentiles(out, id, wanted);
        buf_addz(out, "\r\n");
    }
    mem_free(wanted);
}

static void info_keyspace(struct buf *out)
{
    for (unsigned db = 0; db < keyspace_databases(); db++) {
        uint64_t keys = ks_size(db);
        if (keys == 0) continue;
        buf_addf(out,
                 "db%u:keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=%" PRId64 ",subexpiry=%" PRIu64
                 "\r\n",
                 db, keys, ks_expires(db), ks_average_ttl(db), ks_subexpires(db));
    }
}

/* ---- runtime ------------------------------------------------------------------------------------
 */

static void add_worker(struct buf *out, unsigned worker)
{
    struct rt_stats st;
    rt_stats_of(worker, &st);
    buf_addf(out, "worker%u:switches=%" PRIu64 ",steals=%" PRIu64 ",polls=%" PRIu64, worker,
             st.switches, st.steals, st.polls);
    buf_addf(out, ",waits=%" PRIu64 ",events=%" PRIu64 ",run_queue=%" PRIu64 "\r\n", st.poll_waits,
             st.poll_events, st.run_queue);
}

static void add_partitions(struct buf *out)
{
    unsigned shown = 0;
    for (unsigned i = 0; i < keyspace_parts() && shown < CONTENDED_MAX; i++) {
        struct part_stats st;
        part_stats(i, &st);
        if (st.contended == 0) continue;
        shown++;
        buf_addf(out, "partition%u:keys=%" PRIu64 ",owned=%" PRIu64 ",contended=%" PRIu64, i,
                 st.keys, st.owned, st.contended);
        buf_addf(out, ",delegated=%" PRIu64 ",handed_over=%" PRIu64 "\r\n", st.delegated,
                 st.handed_over);
    }
}

static void info_runtime(struct buf *out)
{
    struct rt_stats st;
    struct part_stats parts;
    rt_stats(&st);
    keyspace_stats(&parts);
    line_u64(out, "workers", rt_worker_count());
    buf_addf(out, "netpoller:%s\r\n", rt_poller_name());
    line_u64(out, "coroutines", st.coroutines);
    line_u64(out, "coroutines_spawned", st.spawns);
    line_u64(out, "parked", st.parked);
    line_u64(out, "dormant", st.dormant);
    line_u64(out, "run_queue", st.run_queue);
    line_u64(out, "switches", st.switches);
    line_u64(out, "steals", st.steals);
    line_u64(out, "stolen", st.stolen);
    line_u64(out, "polls", st.polls);
    line_u64(out, "poll_waits", st.poll_waits);
    line_u64(out, "poll_events", st.poll_events);
    line_u64(out, "wakeups", st.wakeups);
    line_u64(out, "stacks", st.stacks);
    line_u64(out, "idle_stacks", st.idle_stacks);
    line_u64(out, "offloads", st.offloads);
    line_u64(out, "offload_threads", st.offload_threads);
    line_u64(out, "partitions", keyspace_parts());
    line_u64(out, "partitions_owned_total", parts.owned);
    line_u64(out, "partitions_contended_total", parts.contended);
    line_u64(out, "partitions_delegated_total", parts.delegated);
    line_u64(out, "partitions_handed_over_total", parts.handed_over);
    for (unsigned i = 0; i < rt_worker_count(); i++)
        add_worker(out, i);
    add_partitions(out);
}

/* ---- the command --------------------------------------------------------------------------------
 */

struct section {
    const char *name, *title;
    void (*fill)(struct buf *out);
    bool by_default;
};

static const struct section sections[] = {
    {"server", "Server", info_server, true},
    {"clients", "Clients", info_clients, true},
    {"memory", "Memory", info_memory, true},
    {"persistence", "Persistence", info_persistence, true},
    {"stats", "Stats", info_stats, true},
    {"replication", "Replication", info_replication, true},
    {"cpu", "CPU", info_cpu, true},
    {"runtime", "Runtime", info_runtime, true},
    {"modules", "Modules", info_modules, true},
    {"commandstats", "Commandstats", info_commandstats, false},
    {"errorstats", "Errorstats", info_errorstats, true},
    {"latencystats", "Latencystats", info_latencystats, false},
    {"cluster", "Cluster", info_cluster, true},
    {"keyspace", "Keyspace", info_keyspace, true},
};

static bool wants(const struct call *c, const struct section *s)
{
    if (c->argc == 1) return s->by_default;
    for (uint32_t i = 1; i < c->argc; i++) {
        struct slice word = c->argv[i];
        if (slice_is(word, s->name) || slice_is(word, "all") || slice_is(word, "everything"))
            return true;
        if (slice_is(word, "default") && s->by_default) return true;
    }
    return false;
}

static void info_command(struct call *c)
{
    struct buf text = {0};
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        if (!wants(c, &sections[i])) continue;
        buf_addf(&text, "%s# %s\r\n", text.n ? "\r\n" : "", sections[i].title);
        sections[i].fill(&text);
    }
    reply_verbatim(c->r, "txt", buf_slice(&text));
    buf_free(&text);
}

static const char *const hints[] = {"nondeterministic_output", "request_policy:all_shards",
                                    "response_policy:special", NULL};
static const char *const history[] = {"7.0.0", "Takes several sections.", NULL};

struct command info_commands[] = {
    {.name = "info",
     .run = info_command,
     .arity = -1,
     .flags = CMD_LOADING | CMD_STALE,
     .acl = ACL_DANGEROUS,
     .group = "server",
     .since = "1.0.0",
     .hints = hints,
     .history = history,
     .complexity = "O(1)",
     .summary = "Returns figures about the server, by sections.",
     .syntax = "[section:string...]"},
    {.name = NULL},
};
