/* persistence.h - when data goes to the file and comes from it: SAVE, start, shutdown, DEBUG
 * RELOAD. */
#ifndef WEFT_SERVER_PERSISTENCE_H
#define WEFT_SERVER_PERSISTENCE_H

#include "commands/commands.h"

extern struct command persistence_commands[];

/* Before the first client: if there is a file, clients are told to wait from now on. */
void persistence_start(void);
/* Loads the file if there is one. PARKS. False: it cannot be loaded, and the log says why. */
bool persistence_load(void);
/* Saves to the file. PARKS unless `owned` (the caller owns all partitions). False: the log says
 * why. */
bool persistence_save(bool owned);
/* Does the configuration want the data saved when the server ends? */
bool persistence_wanted(void);
/* All data are gone by FLUSHALL: saved if the configuration has save points. As persistence_save(). */
bool persistence_flushed(bool owned);
/* Saves what is there, empties everything and loads it again, as one step for everybody else. */
struct reload {
    bool save, flush, merge;
};
/* With all partitions owned. NULL: done; else the error to be replied. */
const char *persistence_reload(const struct reload *how);

bool persistence_loading(void);
void persistence_info(struct buf *out); /* fields of INFO persistence */

#endif
