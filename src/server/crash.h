/* crash.h - the report that a fatal signal leaves in the log. */
#ifndef WEFT_SERVER_CRASH_H
#define WEFT_SERVER_CRASH_H

#include <stdbool.h>

/* Installs the handlers of the fatal signals. Before rt_run(): the runtime names a coroutine whose
 * stack overflowed, then lets these handlers have the fault. */
void crash_install(void);
/* crash-log-enabled: without it the process just dies of the signal. Any thread. */
void crash_enable(bool on);

#endif
