/*
 * idmap.h - items of a fixed size kept in the order of their stream IDs: the nodes of a stream, and
 * the lists of pending entries. The memory of an item is the map's; it begins with the ID.
 *
 * Made for IDs that mostly grow: adding at the end and taking away at the front cost least.
 */
#ifndef WEFT_TYPES_IDMAP_H
#define WEFT_TYPES_IDMAP_H

#include "base/base.h"

struct stream_id {
    uint64_t ms, seq;
};
#define STREAM_ID_MIN ((struct stream_id){0, 0})
#define STREAM_ID_MAX ((struct stream_id){UINT64_MAX, UINT64_MAX})

static inline int stream_id_cmp(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms) return a.ms < b.ms ? -1 : 1;
    return (a.seq > b.seq) - (a.seq < b.seq);
}

static inline bool stream_id_eq(struct stream_id a, struct stream_id b)
{
    return a.ms == b.ms && a.seq == b.seq;
}

static inline bool stream_id_is_zero(struct stream_id id)
{
    return (id.ms | id.seq) == 0;
}

struct idmap_ref;

struct idmap {
    struct idmap_ref *refs; /* [start, start + n) are in use */
    uint32_t start, n, cap;
    uint32_t stride; /* bytes of an item, ID included */
    size_t len;      /* items */
};

struct idmap_pos { /* of an item, while the map does not change */
    uint32_t leaf, slot;
};

void idmap_init(struct idmap *m, uint32_t stride); /* a multiple of 8, 16 or more */
void idmap_free(struct idmap *m);                  /* empty again */
void idmap_copy(struct idmap *to, const struct idmap *from); /* `to` is not initialised */
size_t idmap_memory(const struct idmap *m);

/* Items are valid until the map changes. NULL: there is none. pos may be NULL. */
void *idmap_find(const struct idmap *m, struct stream_id id);
void *idmap_ge(const struct idmap *m, struct stream_id id, struct idmap_pos *pos); /* first >= id */
void *idmap_le(const struct idmap *m, struct stream_id id, struct idmap_pos *pos); /* last <= id */
void *idmap_first(const struct idmap *m, struct idmap_pos *pos);
void *idmap_last(const struct idmap *m, struct idmap_pos *pos);
void *idmap_next(const struct idmap *m, struct idmap_pos *pos);
void *idmap_prev(const struct idmap *m, struct idmap_pos *pos);

/* The item of this ID, made if it was absent (then it is zero but for its ID). */
void *idmap_add(struct idmap *m, struct stream_id id, bool *added);
bool idmap_remove(struct idmap *m, struct stream_id id); /* false: absent */

#endif
