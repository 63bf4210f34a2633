/*
 * server.h - what the files of this folder share: the commands each of them declares, and the life
 * of the process.
 *
 *   main: options -> configuration -> log -> daemon -> listeners opened -> rt_run(first coroutine)
 *   first coroutine: keyspace, hooks, commands, registry, signals, cron, listeners started -> READY
 *   SHUTDOWN, signal: listeners closed -> files removed -> rt_stop() -> exit
 */
#ifndef WEFT_SERVER_SERVER_H
#define WEFT_SERVER_SERVER_H

#include "commands/commands.h"
#include "server/config.h"
#include "server/metrics.h"
#include "server/session.h"
#include "server/version.h"

/* Command tables; each ends with a name of NULL. */
extern struct command connection_commands[]; /* connection.c */
extern struct command client_commands[];     /* client.c */
extern struct command config_commands[];     /* config_command.c */
extern struct command shutdown_commands[];   /* shutdown.c */
/* Of the administration: registers INFO, SLOWLOG, LATENCY, MEMORY, DEBUG, ...; and its hooks. */
void admin_init(void);
void admin_hooks(struct command_hooks *hooks); /* sets hooks->slow */
void admin_second(void);                       /* called by cron once a second; may not park */
/* The thresholds of SLOWLOG or of the latency monitor have changed. */
void admin_thresholds(void);

/* CONFIG RESETSTAT's and CONFIG REWRITE's work (admin). */
void admin_reset_stats(void);
bool config_rewrite(char *err, size_t err_size); /* of config_file() */

/* ---- the process ------------------------------------------------------------------------------
 */

const char *server_run_id(void);             /* 40 hexadecimal digits */
const char *server_executable(void);         /* absolute path */
int server_tcp_port(void);                   /* the port listened on; 0: none */
void server_listeners_info(struct buf *out); /* INFO's listenerN: lines */

/* shutdown.c: what SHUTDOWN and the signals do. save: 1 SAVE, 0 as configured, -1 NOSAVE. Returns
 * only when it cannot: err says why. */
struct shutdown_request {
    int save;
    bool now, force;
    const char *reason; /* the log line */
};
bool shutdown_run(const struct shutdown_request *req);

/* client_pause.c */
bool pause_active(bool *all, int64_t *left_ms);

#endif
