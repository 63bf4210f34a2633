/* The table of COMMAND where its file is not linked. */
#include "commands/commands_internal.h"

__attribute__((weak)) struct command introspection_commands[] = {{.name = NULL}};
