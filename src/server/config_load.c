/*
 * config_load.c - reading configuration: a file and what it includes, standard input, and the
 * options of the command line, in this order; later values win.
 *
 *   bytes -> lines -> words (quotes and escapes as in inline commands) -> option -> value
 *
 * A line that is wrong ends it with a message that shows where it stands.
 */
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/resp.h"
#include "server/config_internal.h"
#include "server/version.h"

#define INCLUDE_DEPTH 16

static char *loaded_file;
static bool user_set[OPT_MAX]; /* options given since config_load() began; the loader's alone */

struct source {
    const char *name;
    int line, depth;
    struct buf *err;
};

const char *config_file(void)
{
    return loaded_file ? loaded_file : "";
}

void config_inert(struct buf *out)
{
    for (size_t i = 0; i < config_count(); i++) {
        const struct option *o = config_option(i);
        if (!user_set[i] || !(o->flags & OPTION_INERT)) continue;
        buf_addf(out, "%s%s", out->n ? " " : "", o->name);
    }
}

static bool fail(struct source *s, struct slice line, const char *why)
{
    if (s->err->n) return false; /* an included file has said it */
    buf_addf(s->err, "\n*** FATAL CONFIG FILE ERROR (Redis %s) ***\n", REDIS_VERSION);
    buf_addf(s->err, "Reading the configuration file, at line %d of %s\n", s->line, s->name);
    buf_addf(s->err, ">>> '%.*s'\n%s\n", (int)line.n, line.p, why);
    return false;
}

static bool read_file(struct source *s, const char *path);

/* Patterns may match nothing; a plain name must be there. */
static bool include(struct source *s, struct slice line, struct slice pattern)
{
    char name[PATH_MAX], why[PATH_MAX + 80];
    glob_t found = {0};
    bool ok = true;
    if (s->depth >= INCLUDE_DEPTH) return fail(s, line, "Too many nested includes");
    if (pattern.n >= sizeof name) return fail(s, line, "File name too long");
    memcpy(name, pattern.p, pattern.n);
    name[pattern.n] = '\0';
    bool wild = strpbrk(name, "*?[") != NULL;
    int flags = wild ? 0 : GLOB_NOCHECK | GLOB_NOMAGIC;
    if (glob(name, flags, NULL, &found) != 0) return true;
    for (size_t i = 0; i < found.gl_pathc && ok; i++) {
        struct source inner = {found.gl_pathv[i], 0, s->depth + 1, s->err};
        ok = read_file(&inner, found.gl_pathv[i]);
        if (ok) continue;
        snprintf(why, sizeof why, "Can't open the included file '%s': %s", found.gl_pathv[i],
                 strerror(errno));
        fail(s, line, why);
    }
    globfree(&found);
    return ok;
}

static bool take_option(struct source *s, struct slice line, const struct option *o, int argc,
                        struct slice *argv)
{
    const char *err = NULL;
    struct config_value value;
    size_t index = config_index(o);
    struct buf now = {0};
    if (option_is_text(o) && user_set[index]) now = config_copy_text(o);
    bool ok = config_parse(o, FROM_FILE, argc, argv, buf_slice(&now), &value, &err);
    buf_free(&now);
    if (!ok) return fail(s, line, err);
    config_store(o, &value);
    buf_free(&value.text);
    user_set[index] = true;
    if ((o->flags & OPTION_AT_ONCE) && !o->apply(o, &err)) return fail(s, line, err);
    return true;
}

static bool take_words(struct source *s, struct slice line, int argc, struct slice *argv)
{
    const struct option *o = config_find(argv[0]);
    if (slice_is(argv[0], "include") && argc == 2) return include(s, line, argv[1]);
    struct slice empty = SLICE("");
    if (o && argc == 1 && (o->flags & OPTION_BARE)) return take_option(s, line, o, 1, &empty);
    if (!o) return fail(s, line, "Bad directive or wrong number of arguments");
    return take_option(s, line, o, argc - 1, argv + 1);
}

static struct slice trim(struct slice line)
{
    while (line.n && strchr(" \t\r\n", line.p[0]))
        line = slice_of(line.p + 1, line.n - 1);
    while (line.n && strchr(" \t\r\n", line.p[line.n - 1]))
        line.n--;
    return line;
}

static bool take_line(struct source *s, struct slice raw)
{
    struct slice line = trim(raw), *words = NULL;
    size_t cap = 0;
    s->line++;
    if (line.n == 0 || line.p[0] == '#') return true;
    char *copy = mem_dup(line.p, line.n); /* words are unescaped in place */
    ssize_t n = resp_split_line(copy, line.n, &words, &cap);
    bool ok = true;
    if (n < 0) {
        ok = fail(s, line, "Unbalanced quotes in configuration line");
    } else if (n > 0) {
        ok = take_words(s, line, (int)n, words);
    }
    mem_free(words);
    mem_free(copy);
    return ok;
}

static bool take_text(struct source *s, struct slice text)
{
    while (text.n) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;
        if (!take_line(s, slice_of(text.p, n))) return false;
        n += end != NULL;
        text = slice_of(text.p + n, text.n - n);
    }
    return true;
}

static bool read_stream(struct source *s, FILE *f)
{
    struct buf text = {0};
    char part[4096];
    size_t n;
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_add(&text, part, n);
    bool ok = take_text(s, buf_slice(&text));
    buf_free(&text);
    return ok;
}

/* False without a message in s->err: it cannot be opened, errno says why. */
static bool read_file(struct source *s, const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f) return false;
    bool ok = read_stream(s, f);
    fclose(f);
    return ok;
}

static bool load_file(const char *path, struct buf *err)
{
    struct source s = {path, 0, 0, err};
    char full[PATH_MAX];
    if (realpath(path, full)) {
        mem_free(loaded_file);
        loaded_file = mem_strdup(full);
    }
    if (read_file(&s, path)) return true;
    if (!err->n) {
        buf_addf(err, "Fatal error, can't open config file '%s': %s\n", path, strerror(errno));
    }
    return false;
}

bool config_load(const char *path, bool from_stdin, struct slice extra, struct buf *err)
{
    memset(user_set, 0, sizeof user_set);
    if (path && !load_file(path, err)) return false;
    if (from_stdin) {
        struct source s = {"standard input", 0, 0, err};
        if (!read_stream(&s, stdin)) return false;
    }
    struct source s = {"the command line", 0, 0, err};
    return take_text(&s, extra);
}
