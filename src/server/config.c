/*
 * config.c - the values of the options: parsing, showing, printing, and changing several at once.
 *
 *   arguments --config_parse--> config_value --config_store--> config_values / texts --> apply
 *
 * Invariants
 *  1. An option has a number or a text, by its type (option_is_text); texts[] entries are never
 * NULL once config_init() ran, and are read or replaced under `lock` alone.
 *  2. config_set() stores every value before it applies the first, so an apply function that looks
 *     at two options sees both new; when one fails, all old values are stored and applied again.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/config_internal.h"

#define CHANGES_MAX 256

_Atomic(int64_t) config_values[OPT_MAX];
static struct slice texts[OPT_MAX]; /* owned, with a NUL behind them */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool option_is_text(const struct option *o)
{
    return o->type == OPTION_TEXT || o->type == OPTION_LIST;
}

/* ---- values -----------------------------------------------------------------------------------
 */

static void put_text(size_t index, struct slice text)
{
    char *owned = mem_alloc(text.n + 1);
    if (text.n) memcpy(owned, text.p, text.n);
    owned[text.n] = '\0';
    pthread_mutex_lock(&lock);
    char *old = (char *)texts[index].p;
    texts[index] = slice_of(owned, text.n);
    pthread_mutex_unlock(&lock);
    mem_free(old);
}

static void put_num(size_t index, int64_t value)
{
    atomic_store_explicit(&config_values[index], value, memory_order_relaxed);
}

static int64_t get_num(const struct option *o)
{
    return config_num((enum option_id)config_index(o));
}

struct buf config_bytes(enum option_id id)
{
    struct buf copy = {0};
    pthread_mutex_lock(&lock);
    buf_add(&copy, texts[id].p, texts[id].n);
    pthread_mutex_unlock(&lock);
    return copy;
}

char *config_text(enum option_id id)
{
    pthread_mutex_lock(&lock);
    char *copy = mem_dup(texts[id].p, texts[id].n + 1);
    pthread_mutex_unlock(&lock);
    return copy;
}

bool config_text_is_empty(enum option_id id)
{
    pthread_mutex_lock(&lock);
    bool empty = texts[id].n == 0;
    pthread_mutex_unlock(&lock);
    return empty;
}

struct buf config_copy_text(const struct option *o)
{
    return config_bytes((enum option_id)config_index(o));
}

void config_put_num(enum option_id id, int64_t value)
{
    put_num(id, value);
}

void config_put_text(enum option_id id, const char *text)
{
    put_text(id, slice_str(text));
}

void config_store(const struct option *o, const struct config_value *value)
{
    size_t index = config_index(o);
    if (option_is_text(o)) {
        put_text(index, buf_slice(&value->text));
    } else {
        put_num(index, value->num);
    }
}

static void put_default_text(size_t index, const struct option *o)
{
    char *cwd = index == OPT_DIR ? getcwd(NULL, 0) : NULL;
    put_text(index, slice_str(cwd ? cwd : o->def_text ? o->def_text : "/"));
    free(cwd);
}

void config_init(void)
{
    for (size_t i = 0; i < config_count(); i++) {
        const struct option *o = config_option(i);
        if (option_is_text(o)) {
            put_default_text(i, o);
        } else {
            put_num(i, o->def);
        }
    }
}

/* ---- parsing ----------------------------------------------------------------------------------
 */

static bool parse_bool(const struct option *o, struct slice s, int64_t *out, const char **err)
{
    *out = slice_is(s, "yes");
    if (*out || slice_is(s, "no")) return true;
    *err = "argument must be 'yes' or 'no'";
    return false;
}

/* Messages with numbers in them live until the thread reports its next error. */
static const char *message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static __attribute__((noinline)) const char *message(const char *fmt, ...)
{
    static _Thread_local char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return text;
}

static bool in_range(const struct option *o, int64_t v, const char **err)
{
    if (o->type == OPTION_PERCENT && v < o->min) {
        *err = "percentage argument must be less or equal to 100";
        return false;
    }
    if (v >= o->min && v <= o->max) return true;
    if (o->type == OPTION_OCTAL) {
        *err = message("argument must be between %llo and %llo inclusive", (long long)o->min,
                       (long long)o->max);
    } else {
        *err = message("argument must be between %lld and %lld inclusive", (long long)o->min,
                       (long long)o->max);
    }
    return false;
}

static bool parse_octal(struct slice s, int64_t *out)
{
    char copy[32], *end;
    if (s.n == 0 || s.n >= sizeof copy) return false;
    memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    *out = strtoll(copy, &end, 8);
    return *end == '\0';
}

static bool parse_percent(struct slice s, int64_t *out)
{
    if (s.n < 2 || s.p[s.n - 1] != '%') return num_parse_memory(s, out) && *out >= 0;
    if (!num_parse_i64(slice_of(s.p, s.n - 1), out) || *out < 0) return false;
    *out = -*out;
    return true;
}

static bool parse_number(const struct option *o, struct slice s, int64_t *out, const char **err)
{
    bool ok;
    switch (o->type) {
    case OPTION_INT:
        ok = num_parse_i64(s, out);
        *err = "argument couldn't be parsed into an integer";
        break;
    case OPTION_OCTAL:
        ok = parse_octal(s, out);
        *err = "argument couldn't be parsed as an octal number";
        break;
    case OPTION_MEMORY:
        ok = num_parse_memory(s, out) && *out >= 0;
        *err = "argument must be a memory value";
        break;
    default:
        ok = parse_percent(s, out);
        *err = "argument must be a memory or percent value";
        break;
    }
    return ok && in_range(o, *out, err);
}

static const struct option_word *find_word(const struct option *o, struct slice s)
{
    for (const struct option_word *w = o->words; w->name; w++) {
        if (slice_is(s, w->name)) return w;
    }
    return NULL;
}

static const char *wrong_word(const struct option *o)
{
    struct buf text = {0};
    for (const struct option_word *w = o->words; w->name; w++) {
        buf_addf(&text, "%s%s", text.n ? ", " : "", w->name);
    }
    const char *err = message("argument(s) must be one of the following: %s", buf_cstr(&text));
    buf_free(&text);
    return err;
}

static bool parse_words(const struct option *o, int argc, struct slice *argv, int64_t *out,
                        const char **err)
{
    *out = 0;
    for (int i = 0; i < argc; i++) {
        const struct option_word *w = find_word(o, argv[i]);
        if (!w || (argc > 1 && w->value == 0)) {
            *err = wrong_word(o);
            return false;
        }
        *out |= w->value;
    }
    return true;
}

static bool parse_text(const struct option *o, struct slice s, struct buf *out, const char **err)
{
    if (!(o->flags & OPTION_SENSITIVE) && s.n && memchr(s.p, '\0', s.n)) {
        *err = "argument must not hold NUL bytes";
        return false;
    }
    buf_add(out, s.p, s.n);
    return true;
}

/* Splits one argument that holds the words of a list; returns their number, one at least. */
static int split_words(struct slice value, struct slice *words, int max)
{
    int n = 0;
    for (size_t i = 0; i < value.n && n < max;) {
        size_t end = i;
        while (end < value.n && value.p[end] != ' ')
            end++;
        if (end > i) words[n++] = slice_of(value.p + i, end - i);
        i = end + 1;
    }
    if (n == 0) words[n++] = slice_of("", 0);
    return n;
}

static bool parse_args(const struct option *o, enum option_source from, int argc,
                       struct slice *argv, struct slice now, struct config_value *out,
                       const char **err)
{
    if (o->check) return o->check(o, from, argc, argv, now, &out->text, err);
    if (o->type == OPTION_TEXT) return parse_text(o, argv[0], &out->text, err);
    if (o->type == OPTION_BOOL) return parse_bool(o, argv[0], &out->num, err);
    if (o->words) return parse_words(o, argc, argv, &out->num, err);
    return parse_number(o, argv[0], &out->num, err);
}

static bool is_several(const struct option *o)
{
    return o->type == OPTION_FLAGS || (o->type == OPTION_LIST && o != config_option(OPT_DIR));
}

bool config_parse(const struct option *o, enum option_source from, int argc, struct slice *argv,
                  struct slice now, struct config_value *out, const char **err)
{
    struct slice words[CHANGES_MAX];
    bool ok = argc > 0 && (argc == 1 || is_several(o));
    *out = (struct config_value){0};
    if (!ok) {
        *err = o->type == OPTION_FLAGS ? wrong_word(o) : "wrong number of arguments";
        return false;
    }
    if (argc == 1 && is_several(o) && !(o->flags & OPTION_FILE_ONLY)) {
        argc = split_words(argv[0], words, CHANGES_MAX);
        argv = words;
    }
    ok = parse_args(o, from, argc, argv, now, out, err);
    if (ok && o->check_num) ok = o->check_num(out->num, err);
    if (!ok) buf_free(&out->text);
    return ok;
}

/* ---- showing ----------------------------------------------------------------------------------
 */

static void show_words(const struct option *o, int64_t v, struct buf *out)
{
    const char *blank = "";
    for (const struct option_word *w = o->words; w->name; w++) {
        bool flag = o->type == OPTION_FLAGS && v != 0 && w->value != 0;
        if (flag ? (v & w->value) == 0 : v != w->value) continue;
        buf_addf(out, "%s%s", blank, w->name);
        if (!flag) return;
        blank = " ";
    }
}

static void show_num(const struct option *o, int64_t v, struct buf *out)
{
    if (o->type == OPTION_BOOL) {
        buf_addz(out, v ? "yes" : "no");
    } else if (o->words) {
        show_words(o, v, out);
    } else if (o->type == OPTION_OCTAL) {
        buf_addf(out, "%llo", (long long)v);
    } else if (o->type == OPTION_PERCENT && v < 0) {
        buf_addf(out, "%lld%%", (long long)-v);
    } else {
        buf_addf(out, "%lld", (long long)v);
    }
}

void config_show(const struct option *o, struct buf *out)
{
    if (!option_is_text(o)) {
        show_num(o, get_num(o), out);
        return;
    }
    struct buf text = config_copy_text(o);
    buf_add(out, text.p, text.n);
    buf_free(&text);
}

void config_show_default(const struct option *o, struct buf *out)
{
    if (option_is_text(o)) {
        buf_addz(out, o->def_text ? o->def_text : "");
    } else {
        show_num(o, o->def, out);
    }
}

bool config_is_default(const struct option *o)
{
    if (!option_is_text(o)) return get_num(o) == o->def;
    struct buf text = config_copy_text(o);
    bool same = slice_eq(buf_slice(&text), slice_str(o->def_text ? o->def_text : ""));
    buf_free(&text);
    return same;
}

/* ---- printing ---------------------------------------------------------------------------------
 */

void config_print_word(struct buf *out, struct slice word)
{
    bool plain = word.n > 0 && word.p[0] != '#';
    for (size_t i = 0; i < word.n && plain; i++) {
        unsigned char c = (unsigned char)word.p[i];
        plain = c > ' ' && c < 0x7f && c != '"' && c != '\'' && c != '\\';
    }
    if (plain) {
        buf_add(out, word.p, word.n);
    } else {
        buf_add_repr(out, word);
    }
}

static void print_memory(int64_t v, struct buf *out)
{
    if (v && v % (1LL << 30) == 0) {
        buf_addf(out, "%lldgb", (long long)(v >> 30));
    } else if (v && v % (1 << 20) == 0) {
        buf_addf(out, "%lldmb", (long long)(v >> 20));
    } else if (v && v % (1 << 10) == 0) {
        buf_addf(out, "%lldkb", (long long)(v >> 10));
    } else {
        buf_addf(out, "%lld", (long long)v);
    }
}

void config_print(const struct option *o, struct buf *out)
{
    if (o->print) {
        o->print(o, out);
        return;
    }
    buf_addf(out, "%s ", o->name);
    if (o->type == OPTION_TEXT || o == config_option(OPT_DIR)) {
        struct buf text = config_copy_text(o);
        config_print_word(out, buf_slice(&text));
        buf_free(&text);
    } else if (o->type == OPTION_LIST && config_text_is_empty((enum option_id)config_index(o))) {
        buf_addz(out, "\"\"");
    } else if (o->type == OPTION_MEMORY) {
        print_memory(get_num(o), out);
    } else {
        config_show(o, out);
    }
    buf_addc(out, '\n');
}

/* ---- changing ---------------------------------------------------------------------------------
 */

struct pending {
    const struct option *option;
    struct config_value old, new;
    bool changed;
};

static bool may_set(const struct config_change *changes, size_t i, const char **err)
{
    const struct option *o = changes[i].option;
    *err = "can't set immutable config";
    if (o->flags & OPTION_FIXED) return false;
    *err = "can't set protected config";
    if ((o->flags & OPTION_PROTECTED) && config_num(OPT_ENABLE_PROTECTED_CONFIGS) == ALLOW_NO) {
        return false;
    }
    *err = "duplicate parameter";
    for (size_t k = 0; k < i; k++) {
        if (changes[k].option == o) return false;
    }
    return true;
}

static bool parse_one(struct pending *p, struct slice value, const char **err)
{
    return config_parse(p->option, FROM_COMMAND, 1, &value, buf_slice(&p->old.text), &p->new, err);
}

static void remember(struct pending *p)
{
    if (option_is_text(p->option)) {
        p->old.text = config_copy_text(p->option);
    } else {
        p->old.num = get_num(p->option);
    }
}

static void compare(struct pending *p)
{
    if (option_is_text(p->option)) {
        p->changed = !slice_eq(buf_slice(&p->old.text), buf_slice(&p->new.text));
    } else {
        p->changed = p->old.num != p->new.num;
    }
}

/* Whether an earlier one of the pending changes has the same effect already. */
static bool applied_before(const struct pending *all, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (all[k].changed && all[k].option->apply == all[i].option->apply) return true;
    }
    return false;
}

/* Applies the first n: the number of those that went well. */
static size_t apply_pending(const struct pending *all, size_t n, const char **err)
{
    for (size_t i = 0; i < n; i++) {
        const struct option *o = all[i].option;
        if (!all[i].changed || !o->apply || applied_before(all, i)) continue;
        if (!o->apply(o, err)) return i;
    }
    return n;
}

static bool commit(struct pending *all, size_t n, const struct option **failed, const char **err)
{
    for (size_t i = 0; i < n; i++)
        config_store(all[i].option, &all[i].new);
    size_t done = apply_pending(all, n, err);
    if (done == n) return true;
    const char *ignored;
    *failed = all[done].option;
    for (size_t i = 0; i < n; i++)
        config_store(all[i].option, &all[i].old);
    apply_pending(all, done + 1, &ignored);
    return false;
}

bool config_set(const struct config_change *changes, size_t n, const struct option **failed,
                const char **err)
{
    struct pending *all = mem_calloc(n * sizeof *all);
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        *failed = all[i].option = changes[i].option;
        remember(&all[i]);
        ok = may_set(changes, i, err) && parse_one(&all[i], changes[i].value, err);
        if (ok) compare(&all[i]);
    }
    if (ok) ok = commit(all, n, failed, err);
    for (size_t i = 0; i < n; i++) {
        buf_free(&all[i].old.text);
        buf_free(&all[i].new.text);
    }
    mem_free(all);
    return ok;
}

bool config_apply_all(const char **err)
{
    for (size_t i = 0; i < config_count(); i++) {
        const struct option *o = config_option(i);
        if ((o->flags & OPTION_AT_START) && !o->apply(o, err)) return false;
    }
    return true;
}
