/* identity.c - which process this is: a random id, and the path of its program. */
#include <limits.h>
#include <unistd.h>

#include "server/process.h"
#include "server/server.h"

static char run_id[41];
static char executable[PATH_MAX];

const char *server_run_id(void)
{
    return run_id;
}

const char *server_executable(void)
{
    return executable;
}

void server_identify(void)
{
    rand_hex(run_id, 40);
    ssize_t n = readlink("/proc/self/exe", executable, sizeof executable - 1);
    executable[MAX(n, 0)] = '\0';
}
