/* process.h - what main() puts together: the life of the process, in the order of use. */
#ifndef WEFT_SERVER_PROCESS_H
#define WEFT_SERVER_PROCESS_H

#include "base/base.h"

/* options.c: the command line. */
struct options {
    const char *path; /* of the configuration, or NULL */
    bool from_stdin;
    bool check_only;  /* --check-config */
    struct buf extra; /* options as lines of a configuration */
};
/* False: there is nothing to run (help, version, an error): *status is the exit status. */
bool options_parse(int argc, char **argv, struct options *out, int *status);

/* title.c: argv and environment go elsewhere, where they lie the title will be. */
void title_init(char **argv);

/* identity.c */
void server_identify(void);

/* limits.c */
bool limits_raise(void); /* descriptors for maxclients; false: there are too few to start */
void limits_apply_thp(void);

/* daemon.c */
void daemon_supervise(void); /* notes whether systemd or upstart watches us */
bool daemon_supervised(void);
void daemon_detach(void); /* daemonize: goes on in a child */
void daemon_write_pid(void);
void daemon_remove_pid(void);
/* Tells systemd, if it supervises us ("READY=1\n"). */
void daemon_notify(const char *state);

/* listen.c */
bool listeners_open(void);
bool listeners_start(void); /* in a coroutine */
void listeners_say_ready(void);
void listeners_close(void); /* and removes the unix socket's file */

/* shutdown.c */
void signals_install(void); /* before threads are started */
bool signals_start(void);   /* in a coroutine */

/* cron.c */
bool cron_start(void);
void cron_pause(bool on); /* DEBUG: nothing regular is done meanwhile */

#endif
