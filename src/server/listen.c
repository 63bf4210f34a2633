/*
 * listen.c - the addresses we listen on: opened before the runtime runs, so that a port in use ends
 * the start early; accepting once all is ready; and opened anew when port or bind change.
 *
 * `open` is the start's, and from then on belongs to who runs CONFIG SET or shuts down: one at a
 * time.
 */
#include "server/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/config_internal.h"
#include "server/process.h"

#define MAX_OPEN 20

static struct listener *open[MAX_OPEN];
static char names[MAX_OPEN][128];
static int nopen;
static bool running;

static bool add(struct listener *l, const char *name)
{
    if (nopen == MAX_OPEN) {
        listener_close(l);
        return false;
    }
    snprintf(names[nopen], sizeof names[nopen], "%s", name);
    open[nopen++] = l;
    return true;
}

/* An address family that this machine lacks is no error; an address it lacks is none if it was
 * marked optional. */
static bool excusable(int error, bool optional)
{
    return error == ENOPROTOOPT || error == EPROTONOSUPPORT || error == ESOCKTNOSUPPORT ||
           error == EPFNOSUPPORT || error == EAFNOSUPPORT || (optional && error == EADDRNOTAVAIL);
}

static bool open_tcp(const char *addr, int port)
{
    char err[256];
    int error = 0;
    bool optional = addr[0] == '-';
    addr += optional;
    int backlog = (int)config_num(OPT_TCP_BACKLOG);
    struct listener *l = listener_tcp(addr, port, backlog, err, sizeof err, &error);
    if (l) return add(l, addr);
    log_write(LOG_WARNING, "Warning: Could not create server TCP listening socket %s:%d: %s", addr,
              port, err);
    return excusable(error, optional);
}

static bool open_addresses(void)
{
    int port = (int)config_num(OPT_PORT), before = nopen;
    if (port == 0) return true;
    char *bind = config_text(OPT_BIND), *save;
    bool ok = true;
    for (char *a = strtok_r(bind, " ", &save); a && ok; a = strtok_r(NULL, " ", &save)) {
        ok = open_tcp(a, port);
    }
    bool none = nopen == before && *bind;
    mem_free(bind);
    return ok && !none;
}

static bool open_unix(void)
{
    char err[256];
    if (config_text_is_empty(OPT_UNIXSOCKET)) return true;
    char *path = config_text(OPT_UNIXSOCKET);
    struct listener *l = listener_unix(path, (unsigned)config_num(OPT_UNIXSOCKETPERM),
                                       (int)config_num(OPT_TCP_BACKLOG), err, sizeof err);
    if (l) {
        add(l, path);
    } else {
        log_write(LOG_WARNING, "Failed opening Unix socket: %s", err);
    }
    mem_free(path);
    return l != NULL;
}

bool listeners_open(void)
{
    if (!open_addresses()) {
        log_write(LOG_WARNING, "Failed listening on port %d (TCP), aborting.",
                  (int)config_num(OPT_PORT));
        return false;
    }
    if (!open_unix()) return false;
    if (nopen) return true;
    log_write(LOG_WARNING, "Configured to not listen anywhere, exiting.");
    return false;
}

static bool start(struct listener *l)
{
    return listener_start(l, session_accept, NULL) == RT_OK;
}

bool listeners_start(void)
{
    running = true;
    for (int i = 0; i < nopen; i++) {
        if (!start(open[i])) return false;
    }
    return true;
}

void listeners_say_ready(void)
{
    bool said[2] = {false, false};
    for (int i = 0; i < nopen; i++) {
        bool is_unix = listener_is_unix(open[i]);
        if (!said[is_unix])
            log_write(LOG_NOTICE, "Ready to accept connections %s", is_unix ? "unix" : "tcp");
        said[is_unix] = true;
    }
}

static void close_tcp(void)
{
    int kept = 0;
    for (int i = 0; i < nopen; i++) {
        if (!listener_is_unix(open[i])) {
            listener_close(open[i]);
            continue;
        }
        open[kept] = open[i];
        if (kept != i) memcpy(names[kept], names[i], sizeof names[i]);
        kept++;
    }
    nopen = kept;
}

void listeners_close(void)
{
    close_tcp();
    for (int i = 0; i < nopen; i++) {
        log_write(LOG_NOTICE, "Removing the unix socket file.");
        listener_close(open[i]);
    }
    nopen = 0;
}

bool apply_listeners(const struct option *o, const char **err)
{
    close_tcp();
    int before = nopen;
    bool ok = open_addresses();
    for (int i = before; i < nopen && ok && running; i++)
        ok = start(open[i]);
    if (ok) return true;
    close_tcp();
    *err = o == config_option(OPT_BIND) ? "Failed to bind to specified addresses."
                                        : "Unable to listen on this port. Check server logs.";
    return false;
}

int server_tcp_port(void)
{
    return (int)config_num(OPT_PORT);
}

void server_listeners_info(struct buf *out)
{
    int n = 0, tcp = 0;
    for (int i = 0; i < nopen; i++) {
        if (listener_is_unix(open[i])) continue;
        if (tcp++ == 0) buf_addf(out, "listener%d:name=tcp", n++);
        buf_addf(out, ",bind=%s", names[i]);
    }
    if (tcp) buf_addf(out, ",port=%d\r\n", server_tcp_port());
    for (int i = 0; i < nopen; i++) {
        if (!listener_is_unix(open[i])) continue;
        buf_addf(out, "listener%d:name=unix,bind=%s\r\n", n++, names[i]);
    }
}
