/* sort_internal.h - what the files of SORT share. */
#ifndef WEFT_COMMANDS_SORT_INTERNAL_H
#define WEFT_COMMANDS_SORT_INTERNAL_H

#include "base/radix.h"
#include "commands/commands.h"

/* Bytes that live until the command ends. */
struct arena_chunk;
struct arena {
    struct arena_chunk *last;
    char *p, *end; /* what is free of it */
};

/* "prefix*suffix" or "prefix*suffix->field": names a key, or a field of it, for each element. */
struct sort_pattern {
    enum { PATTERN_ELEMENT, PATTERN_NOTHING, PATTERN_KEY, PATTERN_FIELD } what; /* "#"; no "*" in it */
    struct slice prefix, suffix, field;
};

struct sort {
    struct call *c;
    bool desc, alpha, unordered; /* unordered: BY something without a "*" */
    int64_t offset, count;       /* LIMIT; a negative count: all */
    struct slice by;             /* p is NULL without BY */
    struct sort_pattern *gets;
    uint32_t n_gets;
    bool stores; /* under c->keys[1] */

    struct entry *e; /* what is sorted; NULL: nothing */
    struct slice *elems;
    struct slice *texts;      /* what ties, or ALPHA, compare: elems, or the values of BY */
    struct radix_item *order; /* n of them, their `at` are indexes of elems; NULL: as they are */
    size_t n, start, results; /* results begin at `start` */
    struct arena arena;
    struct buf name;   /* of the key looked up last */
    bool not_a_number; /* a weight was none */
};

/* ---- sort_order.c --------------------------------------------------------------------------- */

struct slice arena_copy(struct arena *a, struct slice s);
void arena_free(struct arena *a);

struct sort_pattern sort_pattern_of(struct slice text);
/* What a pattern names for an element. */
struct sort_value {
    const struct entry *entry; /* a string, or NULL */
    struct slice s;            /* else these bytes; p is NULL: there is nothing */
    char tmp[NUM_I64_MAX];
};
void sort_look_up(struct sort *s, const struct sort_pattern *pattern, struct slice elem,
                  struct sort_value *out);
struct slice sort_value_text(struct sort_value *v);

void sort_load(struct sort *s);  /* e's elements, and which of them are results */
void sort_order(struct sort *s); /* may find that something is not a number */

/* ---- sort.c --------------------------------------------------------------------------------- */

command_fn sort_command, sort_ro_command;
int sort_find_keys(uint32_t argc, const struct slice *argv, uint32_t *out, int max);
int sort_ro_find_keys(uint32_t argc, const struct slice *argv, uint32_t *out, int max);
bool sort_owns_all(uint32_t argc, const struct slice *argv);

#endif
