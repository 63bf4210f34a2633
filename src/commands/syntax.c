/*
 * syntax.c - the syntax text of a command, read into the tree of arguments that COMMAND DOCS shows.
 *
 *   text     := sequence { "|" sequence }               more than one: one of them
 *   sequence := { element ["..."] }                     "...": may be given again and again
 *   element  := word                                    name, or name:type
 *             | TOKEN                                   by itself
 *             | TOKEN word | TOKEN group                the argument, or group, behind its token
 *             | [name] group
 *   group    := "(" text ")" | "[" text "]"             square: may be left out
 *
 * A word begins with a lower-case letter, anything else is a token. An optional group that repeats
 * what stands before it ("key [key ...]", "GET pattern [GET pattern ...]") says that this may be
 * given several times, and becomes the flag `multiple` (with the token: `multiple_token`).
 *
 * Invariants
 *  1. Names, types and tokens are slices of the text, which outlives the tree.
 *  2. A group of one element is that element.
 */
#include "commands/commands_internal.h"

#include <ctype.h>

struct parser {
    const char *p;
    const char *error; /* where it became malformed; NULL: not yet */
};

static struct syntax_node *parse_text(struct parser *ps);

static struct syntax_node *node_new(enum syntax_kind kind)
{
    struct syntax_node *node = mem_calloc(sizeof *node);
    node->kind = kind;
    return node;
}

void syntax_free(struct syntax_node *node)
{
    while (node) {
        struct syntax_node *next = node->next;
        syntax_free(node->children);
        mem_free(node);
        node = next;
    }
}

static void *fail(struct parser *ps)
{
    if (!ps->error) ps->error = ps->p;
    return NULL;
}

static void skip_blanks(struct parser *ps)
{
    while (*ps->p == ' ')
        ps->p++;
}

static bool at_dots(const struct parser *ps)
{
    return strncmp(ps->p, "...", 3) == 0;
}

static bool in_word(const struct parser *ps)
{
    return *ps->p && !strchr(" []()|", *ps->p) && !at_dots(ps);
}

static struct slice read_word(struct parser *ps)
{
    const char *start = ps->p;
    while (in_word(ps))
        ps->p++;
    return slice_of(start, (size_t)(ps->p - start));
}

/* ---- elements ------------------------------------------------------------------------------- */

static struct slice default_type(struct slice name)
{
    if (slice_eq(name, SLICE("key"))) return SLICE("key");
    if (slice_eq(name, SLICE("pattern"))) return SLICE("pattern");
    return SLICE("string");
}

static struct syntax_node *arg_node(struct slice word)
{
    struct syntax_node *node = node_new(SYNTAX_ARG);
    const char *colon = memchr(word.p, ':', word.n);
    node->name = word;
    if (colon) {
        node->name.n = (size_t)(colon - word.p);
        node->type = slice_of(colon + 1, word.n - node->name.n - 1);
    } else {
        node->type = default_type(word);
    }
    return node;
}

/* "(...)" or "[...]", at its bracket. */
static struct syntax_node *parse_group(struct parser *ps)
{
    bool optional = *ps->p == '[';
    char close = optional ? ']' : ')';
    ps->p++;
    struct syntax_node *node = parse_text(ps);
    if (!node) return NULL;
    if (*ps->p != close) {
        syntax_free(node);
        return fail(ps);
    }
    ps->p++;
    if (node->next) { /* a sequence */
        struct syntax_node *block = node_new(SYNTAX_BLOCK);
        block->children = node;
        node = block;
    }
    node->optional |= optional;
    return node;
}

static struct syntax_node *parse_named(struct parser *ps)
{
    struct slice word = read_word(ps);
    if (*ps->p != '(' && *ps->p != '[') return arg_node(word);
    struct syntax_node *group = parse_group(ps);
    if (group) group->name = word;
    return group;
}

static struct syntax_node *parse_token(struct parser *ps)
{
    struct slice token = read_word(ps);
    skip_blanks(ps);
    struct syntax_node *node;
    if (*ps->p == '(') {
        node = parse_group(ps);
    } else if (islower((unsigned char)*ps->p)) {
        node = parse_named(ps);
    } else {
        node = node_new(SYNTAX_TOKEN);
    }
    if (node) node->token = token;
    return node;
}

static struct syntax_node *parse_element(struct parser *ps)
{
    if (*ps->p == '(' || *ps->p == '[') return parse_group(ps);
    if (!in_word(ps)) return fail(ps);
    return islower((unsigned char)*ps->p) ? parse_named(ps) : parse_token(ps);
}

/* ---- sequences ------------------------------------------------------------------------------ */

static bool same_node(const struct syntax_node *a, const struct syntax_node *b)
{
    if (a->kind != b->kind || !slice_eq(a->name, b->name) || !slice_eq(a->token, b->token)) {
        return false;
    }
    const struct syntax_node *x = a->children, *y = b->children;
    while (x && y && same_node(x, y))
        x = x->next, y = y->next;
    return !x && !y;
}

static size_t list_length(const struct syntax_node *node)
{
    size_t n = 0;
    for (; node; node = node->next)
        n++;
    return n;
}

/* The link to the last n elements of a list. */
static struct syntax_node **last_n(struct syntax_node **list, size_t n)
{
    size_t len = list_length(*list);
    for (; len > n; len--)
        list = &(*list)->next;
    return list;
}

/* Folds "x [x ...]" and "x y [x y ...]" at the end of the list: true when `group` was that. */
static bool fold_repeat(struct syntax_node **list, struct syntax_node *group)
{
    if (!group->optional) return false;
    bool block = group->kind == SYNTAX_BLOCK && group->name.n == 0 && group->token.n == 0;
    struct syntax_node *again = block ? group->children : group;
    size_t n = block ? list_length(again) : 1;
    if (list_length(*list) < n) return false;
    struct syntax_node **at = last_n(list, n);
    const struct syntax_node *x = *at;
    for (const struct syntax_node *y = again; x && y; x = x->next, y = block ? y->next : NULL) {
        if (!same_node(x, y)) return false;
    }
    if (block) {
        struct syntax_node *first = node_new(SYNTAX_BLOCK);
        first->children = *at;
        *at = first;
    }
    (*at)->multiple = true;
    (*at)->multiple_token = (*at)->token.n > 0;
    group->next = NULL;
    syntax_free(group);
    return true;
}

static struct syntax_node *parse_sequence(struct parser *ps)
{
    struct syntax_node *list = NULL, **tail = &list;
    for (skip_blanks(ps); *ps->p && !strchr(")]|", *ps->p); skip_blanks(ps)) {
        struct syntax_node *node = parse_element(ps);
        if (!node) {
            syntax_free(list);
            return NULL;
        }
        skip_blanks(ps);
        if (at_dots(ps)) {
            ps->p += 3;
            node->multiple = true;
        }
        if (fold_repeat(&list, node)) {
            tail = &(*last_n(&list, 1))->next;
            continue;
        }
        *tail = node;
        tail = &node->next;
    }
    return list ? list : fail(ps);
}

static struct syntax_node *as_one(struct syntax_node *list)
{
    if (!list->next) return list;
    struct syntax_node *block = node_new(SYNTAX_BLOCK);
    block->children = list;
    return block;
}

/* A sequence as it is, or alternatives in one node. */
static struct syntax_node *parse_text(struct parser *ps)
{
    struct syntax_node *first = parse_sequence(ps);
    if (!first || *ps->p != '|') return first;
    struct syntax_node *oneof = node_new(SYNTAX_ONEOF), **tail;
    oneof->children = as_one(first);
    tail = &oneof->children->next;
    while (*ps->p == '|') {
        ps->p++;
        struct syntax_node *next = parse_sequence(ps);
        if (!next) {
            syntax_free(oneof);
            return NULL;
        }
        *tail = as_one(next);
        tail = &(*tail)->next;
    }
    return oneof;
}

struct syntax_node *syntax_parse(const char *text, const char **error)
{
    struct parser ps = {.p = text ? text : ""};
    struct syntax_node *list = NULL;
    skip_blanks(&ps);
    if (*ps.p) list = parse_text(&ps);
    if (list && *ps.p) {
        syntax_free(list);
        list = fail(&ps);
    }
    if (error) *error = ps.error;
    return list;
}

/* ---- replying ------------------------------------------------------------------------------- */

struct docs {
    struct reply *r;
    unsigned specs, next_spec; /* the keys are of the specifications in turn */
};

static void reply_nodes(struct docs *d, const struct syntax_node *list);

/* Groups without a name are called after what is in them. */
static void add_name(struct buf *b, const struct syntax_node *node)
{
    if (node->kind == SYNTAX_TOKEN || (node->name.n == 0 && node->token.n)) {
        for (size_t i = 0; i < node->token.n; i++) {
            buf_addc(b, (char)tolower((unsigned char)node->token.p[i]));
        }
    } else if (node->name.n) {
        buf_add(b, node->name.p, node->name.n);
    } else {
        for (const struct syntax_node *n = node->children; n; n = n->next) {
            add_name(b, n);
            if (n->next) buf_addc(b, '_');
        }
    }
}

static void reply_field(struct reply *r, const char *name, struct slice value)
{
    reply_bulk_str(r, name);
    reply_bulk(r, value);
}

static void reply_flags(struct reply *r, const struct syntax_node *node)
{
    size_t n = (size_t)node->optional + node->multiple + node->multiple_token;
    if (n == 0) return;
    reply_bulk_str(r, "flags");
    reply_set(r, n);
    if (node->optional) reply_status(r, "optional");
    if (node->multiple) reply_status(r, "multiple");
    if (node->multiple_token) reply_status(r, "multiple_token");
}

static struct slice type_name(const struct syntax_node *node)
{
    switch (node->kind) {
    case SYNTAX_TOKEN: return SLICE("pure-token");
    case SYNTAX_ONEOF: return SLICE("oneof");
    case SYNTAX_BLOCK: return SLICE("block");
    default: return node->type;
    }
}

static void reply_node(struct docs *d, const struct syntax_node *node)
{
    struct reply *r = d->r;
    struct buf name = {0};
    struct slice type = type_name(node);
    bool is_key = slice_eq(type, SLICE("key")) && d->specs > 0;
    bool flags = node->optional || node->multiple || node->multiple_token;
    reply_map(r, 2 + (node->kind == SYNTAX_ARG) + is_key + (node->token.n > 0) + flags +
                     (node->children != NULL));
    add_name(&name, node);
    reply_field(r, "name", buf_slice(&name));
    reply_field(r, "type", type);
    if (node->kind == SYNTAX_ARG) reply_field(r, "display_text", buf_slice(&name));
    if (is_key) {
        reply_bulk_str(r, "key_spec_index");
        reply_int(r, MIN(d->next_spec, d->specs - 1));
        d->next_spec++;
    }
    if (node->token.n) reply_field(r, "token", node->token);
    reply_flags(r, node);
    if (node->children) {
        reply_bulk_str(r, "arguments");
        reply_nodes(d, node->children);
    }
    buf_free(&name);
}

static void reply_nodes(struct docs *d, const struct syntax_node *list)
{
    reply_array(d->r, list_length(list));
    for (; list; list = list->next)
        reply_node(d, list);
}

void syntax_reply(struct reply *r, const struct command *cmd)
{
    struct docs d = {r, command_key_specs(cmd), 0};
    struct syntax_node *list = syntax_parse(cmd->syntax, NULL);
    reply_nodes(&d, list);
    syntax_free(list);
}
