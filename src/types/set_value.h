/*
 * set_value.h - the set type: ENC_INTSET while all members are integers and they are few (v.ptr is
 * a struct intset *), ENC_LISTPACK while it is small (an lp *), ENC_HASHTABLE else (a struct dict *
 * of members, each one allocation). Conversions follow Redis's rules; none goes back.
 */
#ifndef WEFT_TYPES_SET_VALUE_H
#define WEFT_TYPES_SET_VALUE_H

#include "base/base.h"
#include "types/dict.h"

struct entry;

struct set_limits {
    size_t max_intset_entries, max_listpack_entries, max_listpack_value; /* bytes of a member */
};
extern struct set_limits set_limits; /* written with all partitions owned only */

/* An empty set, an intset. No key may keep it empty. */
struct entry *entry_new_set(struct slice key);

size_t set_len(const struct entry *e);
bool set_has(const struct entry *e, struct slice member);

/* To be called before a command adds up to n members, of which `first` is one: the encoding is
 * chosen for the whole command at once, as Redis does. (set_add() alone keeps the limits too.) */
void set_before_add(struct entry *e, struct slice first, size_t n);
/* True: it was absent. The bytes may not lie in e. */
bool set_add(struct entry *e, struct slice member);
bool set_remove(struct entry *e, struct slice member); /* false: absent */
/* Iteration in no order; the set may not change meanwhile. */
struct set_iter {
    const struct entry *e;
    size_t pos; /* of the next member: in the intset, the listpack */
    struct dict_iter it;
    char tmp[NUM_I64_MAX];
};
void set_first(const struct entry *e, struct set_iter *it);
/* The next member; false: there is none. It is valid until the next call. */
bool set_next(struct set_iter *it, struct slice *member);

/* A random member of a set that is not empty, each about equally likely; integers are printed into
 * tmp (NUM_I64_MAX bytes). Valid until the set changes. */
void set_random(const struct entry *e, struct slice *member, char *tmp);

/* has[i]: is members[i] in e? Faster than one by one when e is large. n <= SET_BATCH. */
#define SET_BATCH 16
void set_has_each(const struct entry *e, const struct slice *members, size_t n, bool *has);

/* The bytes of a member, an item of the dict of an ENC_HASHTABLE set. */
struct slice set_item(const void *item);

#endif
