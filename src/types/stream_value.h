/*
 * stream_value.h - streams: entries of fields and values in the order of their IDs, and groups of
 * consumers that remember what was delivered to whom. ENC_STREAM always; a stream may be empty.
 *
 * The entries lie in nodes, which are listpacks in the layout of Redis (stream_node.c), so a node
 * passes through DUMP and RDB files as it is.
 *
 *   stream -- nodes:  idmap of {master ID, listpack}
 *          -- groups: sorted by name
 *                |-- pel:       idmap of struct stream_pending, by entry
 *                |-- consumers: sorted by name
 *                         |-- pel: idmap of IDs alone, a subset of the group's
 *
 * Invariants
 *  1. An ID is in a consumer's pel if and only if the group's pel says that it is that consumer's.
 *  2. `length` is the number of entries that are not marked deleted; a node has at least one of them,
 *     unless it was loaded so.
 *  3. first_id is the ID of the first entry; 0-0 when there is none.
 *  4. IDs in the nodes ascend and none is above last_id.
 */
#ifndef WEFT_TYPES_STREAM_VALUE_H
#define WEFT_TYPES_STREAM_VALUE_H

#include "types/idmap.h"
#include "types/types.h"

struct stream_limits {
    size_t node_max_bytes;    /* stream-node-max-bytes; 0: none */
    uint64_t node_max_entries; /* stream-node-max-entries; 0: none */
};
extern struct stream_limits stream_limits; /* written with all partitions owned only */

#define STREAM_ID_TEXT      42                 /* bytes of an ID as text, NUL counted */
#define STREAM_ENTRY_MAX    ((size_t)1 << 30)  /* bytes of fields and values of one entry */
#define STREAM_READS_UNKNOWN (-1)              /* stream_group.entries_read */

struct stream_node { /* an item of stream.nodes */
    struct stream_id id; /* of its master entry: what the entries' IDs are relative to */
    lp *l;
};

struct stream_pending { /* an item of stream_group.pel: delivered and not acknowledged */
    struct stream_id id;
    int64_t delivered_ms;
    uint64_t deliveries;
    struct stream_consumer *consumer;
};

struct stream_consumer {
    int64_t seen_ms;   /* it last asked for something */
    int64_t active_ms; /* it last got something; -1: never */
    struct idmap pel;  /* items are IDs and nothing else */
    size_t name_len;
    char name[];
};

struct stream_group {
    struct stream_id last_id; /* last delivered */
    int64_t entries_read;     /* STREAM_READS_UNKNOWN, or how many were read up to last_id */
    struct idmap pel;
    struct stream_consumer **consumers; /* sorted by name */
    uint32_t n_consumers, cap_consumers;
    size_t name_len;
    char name[];
};

struct stream {
    struct idmap nodes;
    uint64_t length;
    struct stream_id last_id; /* of what was added last; new ones are greater */
    struct stream_id first_id;
    struct stream_id max_deleted_id; /* the greatest that was deleted (not by trimming) */
    uint64_t entries_added;          /* ever */
    struct stream_group **groups;    /* sorted by name */
    uint32_t n_groups, cap_groups;
};

static inline struct stream *stream_of(const struct entry *e)
{
    return e->v.ptr;
}

static inline struct slice stream_group_name(const struct stream_group *g)
{
    return slice_of(g->name, g->name_len);
}

static inline struct slice stream_consumer_name(const struct stream_consumer *c)
{
    return slice_of(c->name, c->name_len);
}

/* An empty stream. */
struct entry *entry_new_stream(struct slice key);
struct stream *stream_new(void);
void stream_destroy(struct stream *s); /* one that is in no entry */

/* ---- IDs ------------------------------------------------------------------------------------ */

size_t stream_id_format(char out[STREAM_ID_TEXT], struct stream_id id); /* returns the length */
bool stream_id_increment(struct stream_id *id); /* false: it is the greatest */
bool stream_id_decrement(struct stream_id *id); /* false: it is 0-0 */
/* The ID after last at this time. */
struct stream_id stream_id_after(struct stream_id last, int64_t now_ms);

/* ---- entries -------------------------------------------------------------------------------- */

/* Adds an entry: args are n fields, each followed by its value; together at most STREAM_ENTRY_MAX.
 * id is greater than last_id. */
void stream_append(struct stream *s, struct stream_id id, const struct slice *args, size_t n);
bool stream_has(const struct stream *s, struct stream_id id);
/* False: no such entry. Remembers the ID as deleted; pending lists are left alone. */
bool stream_delete(struct stream *s, struct stream_id id);
/* The ID of the last entry, 0-0 if there is none. */
struct stream_id stream_last_entry(const struct stream *s);

enum stream_refs { /* what happens to references in groups when an entry is deleted */
    STREAM_KEEP_REFS,   /* nothing */
    STREAM_DELETE_REFS, /* they are deleted too */
    STREAM_ACKED,       /* an entry that some group still needs is not deleted */
};

struct stream_trim {
    enum { STREAM_TRIM_NONE, STREAM_TRIM_MAXLEN, STREAM_TRIM_MINID } by;
    bool approx;    /* whole nodes only */
    uint64_t limit; /* at most so many entries; 0: any number */
    uint64_t maxlen;
    struct stream_id minid;
    enum stream_refs refs;
};
size_t stream_trim(struct stream *s, const struct stream_trim *t); /* how many were deleted */

/* Entries from start to end, both inclusive, in order or (rev) from the last one. Valid until the
 * stream changes. */
struct stream_iter {
    const struct stream *s;
    struct stream_id start, end;
    bool rev;
    struct stream_id id; /* the entry it is at */
    size_t fields;       /* that the entry has */
    /* stream_node.c's own: positions in the node's listpack */
    const struct stream_node *node; /* NULL: at the end */
    struct idmap_pos pos;
    size_t first;  /* its first entry */
    size_t entry;  /* the flags of the entry it is at, LP_NONE before one was read */
    size_t ahead;  /* where the entry after it begins or (rev) ends, LP_NONE: nowhere */
    size_t cursor; /* the next field, or value with same_fields, of the entry */
    size_t master; /* the next field of the master entry */
    size_t left;   /* fields not yet asked for */
    size_t master_at, master_fields;
    bool same_fields;
    char tmp[2][NUM_I64_MAX];
};
void stream_iter_start(struct stream_iter *it, const struct stream *s, struct stream_id start,
                       struct stream_id end, bool rev);
bool stream_iter_next(struct stream_iter *it); /* to the first, or the next one; false: that was all */
/* The entry's fields one after the other, `fields` times. Valid until the next call of it. */
void stream_iter_field(struct stream_iter *it, struct slice *field, struct slice *value);

/* ---- groups --------------------------------------------------------------------------------- */

struct stream_group *stream_group_find(const struct stream *s, struct slice name); /* or NULL */
/* NULL: there is one of that name. */
struct stream_group *stream_group_create(struct stream *s, struct slice name, struct stream_id last,
                                         int64_t entries_read);
void stream_group_destroy(struct stream *s, struct stream_group *g);

struct stream_consumer *stream_consumer_find(const struct stream_group *g, struct slice name);
struct stream_consumer *stream_consumer_create(struct stream_group *g, struct slice name,
                                               int64_t now_ms); /* NULL: exists */
void stream_consumer_destroy(struct stream_group *g, struct stream_consumer *c);

struct stream_pending *stream_pending_find(const struct stream_group *g, struct stream_id id);
/* The pending entry of id as one of c's: taken from whose it was, or made (with 0 deliveries). */
struct stream_pending *stream_pending_assign(struct stream_group *g, struct stream_id id,
                                             struct stream_consumer *c);
bool stream_pending_drop(struct stream_group *g, struct stream_id id); /* false: was none */

/* id was delivered to the group: moves last_id and the count of reads, if it is ahead of it. */
void stream_group_read(const struct stream *s, struct stream_group *g, struct stream_id id);
/* Entries not yet delivered to the group; false: not known. */
bool stream_group_lag(const struct stream *s, const struct stream_group *g, int64_t *lag);

/* Does some group still need this entry: not delivered to it yet, or not acknowledged? */
bool stream_referenced(const struct stream *s, struct stream_id id);
void stream_drop_references(struct stream *s, struct stream_id id);

/* ---- for codecs ------------------------------------------------------------------------------- */

/*
 * Writing: walk s->nodes with idmap_first()/idmap_next() (items are struct stream_node: master ID and
 * listpack, lp_bytes() long), read the counters from the struct, and s->groups[0 .. n_groups): their
 * fields, the items of g->pel (struct stream_pending), and g->consumers[] with the IDs in c->pel.
 *
 * Reading, into a stream of stream_new(), in this order:
 *   stream_load_node()   for each node, by ascending ID; only with listpacks for which lp_valid(.., deep)
 *                        and stream_node_valid() hold if they come from outside
 *   stream_load_done()   with the counters; checks them against the nodes
 *   stream_group_create(), stream_consumer_create() and its seen_ms and active_ms,
 *   stream_pending_assign() for each ID of a consumer, then its delivered_ms and deliveries. (A codec
 *   that reads the group's list first keeps those two aside until it knows whose the entry is.)
 */

/* Has this listpack, in which lp_valid() found every element, the layout of a node? */
bool stream_node_valid(const lp *l);
/* Takes over l. false, leaving l to the caller: it is empty, or not behind the last node. */
bool stream_load_node(struct stream *s, struct stream_id id, lp *l);
/* Sets the counters. Older files know neither first_id, max_deleted_id nor entries_added: then they
 * are derived (has_counters false). False: they contradict the nodes. */
bool stream_load_done(struct stream *s, uint64_t length, struct stream_id last_id, bool has_counters,
                      struct stream_id first_id, struct stream_id max_deleted_id,
                      uint64_t entries_added);
/* Entries of a node that are not deleted. */
uint64_t stream_node_count(const struct stream_node *node);
/* Nodes of a radix tree that held the stream's nodes by ID, as XINFO STREAM tells. */
size_t stream_radix_nodes(const struct stream *s);

#endif
