/*
 * options.c - the command line:
 *
 *   weft-server [FILE] [-] [--option value ...]
 *
 * Options become lines of a configuration: "--port 7000 --save ''" is read as "port 7000" and
 * "save ''". An argument belongs to the option before it, until the next that begins with "--"; the
 * first one behind a file may lack its dashes.
 */
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/process.h"

static const char usage[] =
    "Usage: weft-server [FILE] [-] [--OPTION VALUE ...]\n"
    "       weft-server --check-config FILE\n"
    "       weft-server -v | --version | -h | --help\n"
    "\n"
    "FILE is a redis.conf; - reads one from standard input. Every directive of the file can be\n"
    "given as an option.\n"
    "\n"
    "Examples:\n"
    "  weft-server                                    on port 6379, with defaults\n"
    "  weft-server redis.conf --port 7000\n"
    "  echo 'maxclients 100' | weft-server - --unixsocket /tmp/weft.sock --port 0\n"
    "  weft-server --worker-threads 4 --netpoller epoll --loglevel verbose\n";

static void print_version(void)
{
    printf("Weft server v=%s redis_version=%s malloc=%s bits=%zu\n", WEFT_VERSION, REDIS_VERSION,
           mem_allocator(), sizeof(void *) * 8);
}

static bool is_option(const char *arg)
{
    return strncmp(arg, "--", 2) == 0 && arg[2];
}

/* "--save" alone, or before another option, means what "--save ''" does. */
static bool is_bare_save(const char *name, int argc, char **argv, int next)
{
    return strcmp(name, "save") == 0 && (next == argc || is_option(argv[next]));
}

/* Adds the option at argv[i] and its values; returns the index behind them. What follows its name
 * is a value whatever it looks like; from then on "--" begins the next option. The name may come
 * with its value in one argument ("--port 7000"). */
static int add_option(struct buf *out, int argc, char **argv, int i)
{
    const char *name = argv[i] + (is_option(argv[i]) ? 2 : 0);
    bool has_value = strchr(name, ' ') != NULL;
    if (out->n) buf_addc(out, '\n');
    buf_addz(out, name);
    i++;
    if (is_bare_save(name, argc, argv, i)) {
        buf_addz(out, " \"\"");
        return i;
    }
    for (; i < argc && (!has_value || !is_option(argv[i])); i++, has_value = true) {
        buf_addc(out, ' ');
        buf_add_repr(out, slice_str(argv[i]));
    }
    return i;
}

/* Words that are not to be run with anything else. */
static bool is_word(int argc, char **argv, struct options *o, int *status)
{
    const char *word = argc > 1 ? argv[1] : "";
    *status = 0;
    if (strcmp(word, "-v") == 0 || strcmp(word, "--version") == 0) {
        print_version();
        return true;
    }
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
        fputs(usage, stdout);
        return true;
    }
    if (strcmp(word, "--check-config") != 0) return false;
    if (argc == 3) {
        o->path = argv[2];
        o->check_only = true;
        return false;
    }
    fputs(usage, stderr);
    *status = 1;
    return true;
}

bool options_parse(int argc, char **argv, struct options *o, int *status)
{
    int i = 1;
    *o = (struct options){0};
    if (is_word(argc, argv, o, status)) return false;
    if (o->check_only) return true;
    if (i < argc && argv[i][0] != '-') o->path = argv[i++];
    while (i < argc) {
        if (strcmp(argv[i], "-") == 0) {
            o->from_stdin = true;
            i++;
        } else if (argv[i][0] == '-' && !is_option(argv[i])) {
            fprintf(stderr, "weft-server: '%s' is no option\n\n%s", argv[i], usage);
            *status = 1;
            return false;
        } else {
            i = add_option(&o->extra, argc, argv, i);
        }
    }
    return true;
}
