/*
 * hash_value.h - the hash type: fields with values, each of which may have an expiry of its own.
 *
 *   ENC_LISTPACK      v.ptr is a pairs * (pairs.h): field, value, field, value, ...
 *   ENC_LISTPACK_EX   v.ptr is an lp *: field, value, time in ms (0: none), ...; the earliest first,
 *                     those without a time last. As DUMP and RDB files carry it.
 *   ENC_HASHTABLE     v.ptr is a struct hash_table *: a dict, and a heap of the fields with a time
 *
 * The encoding changes upwards only: to LISTPACK_EX by hash_allow_expire(), to HASHTABLE when a
 * limit is exceeded by hash_before_set() or an addition.
 *
 * Nothing here knows what time it is: a field whose time has come is there until it is removed.
 * hash_len() counts it and the iteration shows it with its time; it is the caller's to leave it out.
 */
#ifndef WEFT_TYPES_HASH_VALUE_H
#define WEFT_TYPES_HASH_VALUE_H

#include "base/base.h"
#include "types/dict.h"
#include "types/pairs.h"

struct blob;
struct entry;

struct hash_limits {
    size_t max_listpack_entries; /* hash-max-listpack-entries: fields */
    size_t max_listpack_value;   /* hash-max-listpack-value: bytes of a field or value */
};
extern struct hash_limits hash_limits; /* written with all partitions owned only */

/* An empty hash without an expiry, ENC_LISTPACK. */
struct entry *entry_new_hash(struct slice key);
/* The same with room for fields and values of these sizes. */
struct entry *entry_new_hash_for(struct slice key, const struct slice *args, size_t n);
/* A hash of at most PAIRS_MAX fields, from a listpack (valid, no field twice), which it takes over:
 * of pairs (ENC_LISTPACK), or of triples in order (ENC_LISTPACK_EX). */
struct entry *entry_new_hash_of(struct slice key, bool triples, lp *l);
/* A new listpack of an ENC_LISTPACK or ENC_LISTPACK_EX; the caller frees it. */
lp *hash_to_listpack(const struct entry *e);

size_t hash_len(const struct entry *e);

/* ---- one field ------------------------------------------------------------------------------ */

struct hash_found {
    struct slice value;    /* valid until the hash changes */
    struct blob *blob;     /* the blob that the value is all of, or NULL */
    int64_t expire_ms;     /* ENTRY_NO_EXPIRE: none */
    char tmp[NUM_I64_MAX]; /* where a number's text may lie */
};
bool hash_find(const struct entry *e, struct slice field, struct hash_found *found);
/* The value of a field whose time is later than now_ms. tmp: NUM_I64_MAX bytes. */
bool hash_get(const struct entry *e, struct slice field, struct slice *value, char *tmp,
              int64_t now_ms);
bool hash_has(const struct entry *e, struct slice field);

/* To be called before fields and values of these sizes are added (field, value, field, ...: n of
 * them in all), as Redis decides on the whole command at once. Only converts. */
void hash_before_set(struct entry *e, const struct slice *args, size_t n);
/* True: the field is new. Its expiry, if it had one, is gone. */
bool hash_set(struct entry *e, struct slice field, struct slice value);
/* The same; the expiry stays as it was. */
bool hash_set_keep_expire(struct entry *e, struct slice field, struct slice value);
/* hash_set() with a value that lies in a blob: a large one is referenced, not copied. */
bool hash_set_blob(struct entry *e, struct slice field, struct blob *blob, bool keep_expire);
bool hash_remove(struct entry *e, struct slice field); /* false: absent */

/* ---- expiry of fields ----------------------------------------------------------------------- */

/* ENC_LISTPACK becomes ENC_LISTPACK_EX: before any hash_set_expire(). */
void hash_allow_expire(struct entry *e);
/* False: there is no such field. ms: ENTRY_NO_EXPIRE takes the expiry away. */
bool hash_set_expire(struct entry *e, struct slice field, int64_t ms);
/* The earliest time of a field, or ENTRY_NO_EXPIRE. Takes constant time. */
int64_t hash_next_expire(const struct entry *e);
/* Removes fields whose time is <= now_ms, the earliest first, but at most max: how many. */
size_t hash_remove_expired(struct entry *e, int64_t now_ms, size_t max);

/* ---- all fields ----------------------------------------------------------------------------- */

/* In no order. The hash may not change meanwhile. */
struct hash_iter {
    const struct entry *e;
    size_t pos;          /* of the next field where it is packed */
    size_t left;         /* pairs from there on */
    struct dict_iter in; /* of a hash table */
    struct blob *blob;   /* of the value shown last, as in struct hash_found */
    char field_tmp[NUM_I64_MAX], value_tmp[NUM_I64_MAX];
};
void hash_first(const struct entry *e, struct hash_iter *it);
/* False: that was the last. value and expire_ms may be NULL. */
bool hash_next(struct hash_iter *it, struct slice *field, struct slice *value, int64_t *expire_ms);

/* Some field, each about equally likely; shown in *it as hash_next() does. False: empty. */
bool hash_random(const struct entry *e, struct hash_iter *it, struct slice *field,
                 struct slice *value, int64_t *expire_ms);

/* What the items of the dict of an ENC_HASHTABLE say: for walks with dict_scan(). */
struct dict *hash_dict(const struct entry *e);
struct slice hash_item_field(const void *item);
struct slice hash_item_value(const void *item);
int64_t hash_item_expire(const void *item);

#endif
