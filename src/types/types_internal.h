/*
 * types_internal.h - what the files of types/ share: the size of an entry, and what a type other
 * than the string brings along to be freed, copied and measured.
 *
 * A new type writes its own file, defines a `const struct type_ops`, declares it here and enters it
 * into the table of entry.c.
 */
#ifndef WEFT_TYPES_INTERNAL_H
#define WEFT_TYPES_INTERNAL_H

#include "types/types.h"

struct type_ops {
    void (*free)(struct entry *e);                           /* the value, not the entry */
    void *(*dup)(const struct entry *e);                     /* the value, in the same encoding */
    size_t (*memory)(const struct entry *e, size_t samples); /* bytes behind v.ptr */
    size_t (*effort)(const struct entry *e);                 /* allocations behind v.ptr */
};
extern const struct type_ops list_ops;
extern const struct type_ops stream_ops;
extern const struct type_ops set_ops;
extern const struct type_ops zset_ops;
extern const struct type_ops hash_ops; /* hash_value.c */

/* p, of which the compiler knows no longer what size was asked for: its class may have more. */
static inline void *forget_size(void *p)
{
    __asm__("" : "+r"(p));
    return p;
}

static inline void copy_bytes(char *to, struct slice s)
{
    if (LIKELY(s.n)) memcpy(to, s.p, s.n);
}

/* The size that e was allocated with, or one of the same size class. Only a value modified in place
 * has more behind it than its length tells. */
static inline size_t entry__size(const struct entry *e)
{
    size_t fixed = entry_key_offset(e) + e->key_len;
    if (LIKELY(e->enc == ENC_INLINE)) return fixed + e->v.inline_len;
    return UNLIKELY(e->enc == ENC_INLINE_RAW) ? mem_usable(e) : fixed;
}

/* May e's memory stay what it is with `size` bytes in use? Equality with the size class, not "at
 * most": that keeps a sized free correct, and memory from being wasted. */
static inline bool entry__fits(const struct entry *e, size_t size)
{
    return size == entry__size(e) || mem_good_size(size) == mem_usable(e);
}

static inline void entry__release(struct entry *e)
{
    if (UNLIKELY(e->enc == ENC_INLINE_RAW)) {
        mem_free(e);
    } else {
        mem_free_sized(e, entry__size(e));
    }
}

/* Is s the canonical text of an int64? The usual value is too long or no digit, known at a glance.
 */
static inline bool slice_is_i64(struct slice s, int64_t *out)
{
    if (s.n - 1 >= NUM_I64_MAX - 1) return false;
    unsigned char last = (unsigned char)s.p[s.n - 1];
    return last - (unsigned)'0' <= 9 && num_parse_i64(s, out);
}

#endif
