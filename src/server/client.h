/* client.h - what the files of CLIENT share, and what sessions ask of them. */
#ifndef WEFT_SERVER_CLIENT_H
#define WEFT_SERVER_CLIENT_H

#include "server/server.h"

/* client.c: names and library names: printable, without blanks. */
bool client_name_ok(struct slice name);

/* client_list.c: packs what CLIENT LIST shows of the caller's state into s->shown. By the owner, at
 * the end of each batch. */
void session_show_state(struct session *s);

/* client_pause.c: PARKS while commands like this one are paused. False: the client is to be closed.
 */
bool pause_admit(struct session *s, const struct command *cmd);
uint32_t pause_waiting(void); /* clients parked in pause_admit() */

/* "normal", "master", ...: only normal clients are there now. False: no such type. */
bool client_type_known(struct slice type, bool *normal);

command_fn client_list_command, client_info_command, client_kill_command, client_pause_command,
    client_unpause_command;

#endif
