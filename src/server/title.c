/*
 * title.c - what `ps` shows of us: proc-title-template, filled in.
 *
 *   argv[0] NUL argv[1] NUL ... NUL | environment ...      one run of memory, from the kernel
 *   title NUL 0 0 0 0 0 0 0 0 0 0 . | 0 0 0 ...            as long as the last byte of the
 * arguments is no NUL, the kernel shows one text, which may go on where the environment was
 *
 * Arguments and environment are copied elsewhere first. Written by the first coroutine, then by who
 * owns all partitions (CONFIG SET).
 */
#include <stdio.h>

#include "server/config_internal.h"
#include "server/process.h"
#include "server/server.h"

extern char **environ;

static struct {
    char *start;
    size_t args, size; /* bytes of the arguments, and of all */
    const char *program;
} title;

/* Copies the strings of a list that lie one behind the other from `end` on, and stop there being
 * used. Returns where they end. */
static char *move_strings(char **list, char *end)
{
    for (; *list && *list == end; list++) {
        end += strlen(*list) + 1;
        *list = mem_strdup(*list);
    }
    return end;
}

void title_init(char **argv)
{
    char *end;
    if (!argv[0]) return;
    title.start = argv[0];
    end = move_strings(argv, argv[0]);
    title.args = (size_t)(end - title.start);
    title.size = (size_t)(move_strings(environ, end) - title.start);
    title.program = argv[0];
}

/* ---- the text ------------------------------------------------------------------------------- */

static void add_address(struct buf *out)
{
    char *bind = config_text(OPT_BIND);
    if (server_tcp_port()) {
        size_t n = strcspn(bind, " ");
        buf_addf(out, "%.*s:%d", n ? (int)n : 1, n ? bind : "*", server_tcp_port());
    } else {
        char *path = config_text(OPT_UNIXSOCKET);
        buf_addz(out, path);
        mem_free(path);
    }
    mem_free(bind);
}

static void add_socket(struct buf *out)
{
    char *path = config_text(OPT_UNIXSOCKET);
    buf_addz(out, path);
    mem_free(path);
}

static void add_program(struct buf *out)
{
    buf_addz(out, title.program);
}

static void add_port(struct buf *out)
{
    buf_addf(out, "%d", server_tcp_port());
}

static void add_tls_port(struct buf *out)
{
    buf_addz(out, "0");
}

static void add_mode(struct buf *out) /* of a server that is no more than that: nothing */ {}

static void add_file(struct buf *out)
{
    buf_addz(out, config_file());
}

/* Adds what stands for the name at p; returns the bytes of the name, 0: there is none. */
static size_t add_variable(struct buf *out, const char *p)
{
    static const struct {
        const char *name;
        void (*add)(struct buf *out);
    } variables[] = {{"{title}", add_program},     {"{listen-addr}", add_address},
                     {"{server-mode}", add_mode},  {"{port}", add_port},
                     {"{tls-port}", add_tls_port}, {"{unixsocket}", add_socket},
                     {"{config-file}", add_file}};
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        size_t n = strlen(variables[i].name);
        if (strncmp(p, variables[i].name, n) != 0) continue;
        variables[i].add(out);
        return n;
    }
    return 0;
}

static void expand(const char *template, struct buf *out)
{
    for (const char *p = template; *p;) {
        size_t n = *p == '{' ? add_variable(out, p) : 0;
        if (n == 0) buf_addc(out, *p);
        p += n ? n : 1;
    }
    while (out->n && out->p[out->n - 1] == ' ')
        out->n--;
}

static void show(struct slice text)
{
    size_t n = MIN(text.n, title.size - 1);
    memset(title.start, 0, title.size);
    memcpy(title.start, text.p, n);
    if (n + 1 < title.args) title.start[title.args - 1] = '.';
}

bool apply_title(const struct option *o, const char **err)
{
    struct buf text = {0};
    if (!title.size || !config_num(OPT_SET_PROC_TITLE)) return true;
    char *template = config_text(OPT_PROC_TITLE_TEMPLATE);
    expand(template, &text);
    if (text.n) show(buf_slice(&text));
    mem_free(template);
    buf_free(&text);
    return true;
}
