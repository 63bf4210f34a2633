/*
 * collection_scan.h - what SSCAN, HSCAN and ZSCAN have in common: cursor and options, and a reply
 * of the next cursor and what was found.
 *
 *   struct collection_scan s;
 *   struct entry *e = collection_scan_begin(c, TYPE_SET, &s);
 *   if (!e) return;                                            replied already
 *   large:  collection_scan_dict(&s, dict, emit);              emit: wants? then adds
 *   small:  collection_scan_open(&s, 0); wants? then adds ...; collection_scan_close(&s);
 */
#ifndef WEFT_COMMANDS_COLLECTION_SCAN_H
#define WEFT_COMMANDS_COLLECTION_SCAN_H

#include "commands/commands.h"
#include "types/dict.h"

struct collection_scan {
    struct call *c;
    uint64_t cursor;
    int64_t count;
    struct slice pattern; /* p NULL: any */
    bool no_values;
    /* The reply. */
    struct reply_mark mark;
    size_t added;
};

/* "key cursor [MATCH pattern] [COUNT n]", for hashes [NOVALUES] too. The entry, or NULL: an error
 * or the reply for an absent key has been built. */
struct entry *collection_scan_begin(struct call *c, enum value_type type,
                                    struct collection_scan *s);

/* Replies the next cursor; what is found follows. */
void collection_scan_open(struct collection_scan *s, uint64_t next);
bool collection_scan_wants(const struct collection_scan *s, struct slice name);
void collection_scan_add(struct collection_scan *s, struct slice name_or_value);
void collection_scan_close(struct collection_scan *s);

/* The whole reply of a step of a walk over d. emit() adds an item's name and value, if it is
 * wanted. */
typedef void collection_scan_emit(struct collection_scan *s, const void *item);
void collection_scan_dict(struct collection_scan *s, const struct dict *d,
                          collection_scan_emit *emit);

/* A cursor is what strtoull takes whole, in decimal; false: an error was replied. */
bool collection_cursor(struct call *c, uint32_t arg, uint64_t *cursor);

#endif
