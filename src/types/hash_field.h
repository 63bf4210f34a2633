/*
 * hash_field.h - a field of a large hash: one allocation that holds its name, its value and, if it
 * has one, its expiry; and the heap of those that have one.
 *
 *   size      meaning
 *   1         bits: FIELD_LONG 1, VALUE_LONG 2, VALUE_BLOB 4, TIMED 8
 *   1 or 4    length of the name          (4 with FIELD_LONG)
 *   1, 4, 8   length of the value         (4 with VALUE_LONG), or the address of its blob
 * (VALUE_BLOB) 8, 4      expiry in ms, place in the heap                  (only when TIMED) n the
 * name m         the value                                        (not with VALUE_BLOB)
 *
 * A name of 12 bytes with a value of 16 takes 31: one size class of 32.
 *
 * Invariants
 *  1. A value above ENTRY_INLINE_MAX lies in a blob, of which the field holds one reference.
 *  2. A TIMED field is in its hash's heap, at the place it says; the others are not.
 *  3. The size follows from the head, to within a size class: fields are freed by it.
 */
#ifndef WEFT_TYPES_HASH_FIELD_H
#define WEFT_TYPES_HASH_FIELD_H

#include "types/types_internal.h"

struct hash_field {
    uint8_t bits;
    uint8_t rest[];
};

/* blob: NULL, or what the value is all of (a large one is then referenced, not copied). */
struct hash_field *field_new(struct slice name, struct slice value, struct blob *blob, bool timed);
void field_free(void *field);
struct hash_field *field_dup(const struct hash_field *f);
size_t field_memory(const void *field);

struct slice field_name(const void *field);
struct slice field_value(const struct hash_field *f);
struct blob *field_blob(const struct hash_field *f); /* NULL: the value lies in the field */
bool field_timed(const struct hash_field *f);
int64_t field_expire(const struct hash_field *f); /* ENTRY_NO_EXPIRE: none */

/* The field with another value: may move, the old one is gone then. */
struct hash_field *field_set_value(struct hash_field *f, struct slice value, struct blob *blob);
/* The field with room for an expiry (not yet set, in no heap) or without: moves. */
struct hash_field *field_set_timed(struct hash_field *f, bool timed);

/* A heap of TIMED fields, the earliest at its top. Zero-initialised is empty. It lies in chunks, so
 * that growing copies little. */
struct field_heap {
    struct hash_field ***chunk;
    size_t n, chunks;
};
void heap_add(struct field_heap *h, struct hash_field *f, int64_t expire_ms);
void heap_remove(struct field_heap *h, struct hash_field *f);
void heap_change(struct field_heap *h, struct hash_field *f, int64_t expire_ms);
void heap_moved(struct field_heap *h,
                struct hash_field *f); /* f is where it was under another address */
struct hash_field *heap_top(const struct field_heap *h); /* NULL: empty */
size_t heap_memory(const struct field_heap *h);
void heap_free(struct field_heap *h); /* not the fields */

#endif
