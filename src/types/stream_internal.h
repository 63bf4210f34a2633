/* stream_internal.h - what the files of the stream type share: the layout of a node. */
#ifndef WEFT_TYPES_STREAM_INTERNAL_H
#define WEFT_TYPES_STREAM_INTERNAL_H

#include "types/stream_value.h"
#include "types/types_internal.h"

enum { ENTRY_DELETED = 1, ENTRY_SAME_FIELDS = 2 }; /* flags of an entry */

/* A node with a master entry of these fields and no entry yet; `hint` bytes are expected in it. */
lp *stream__node_new(const struct slice *args, size_t n, size_t hint);
void stream__node_append(struct stream_node *node, struct stream_id id, const struct slice *args,
                         size_t n);
/* Is there no room for another entry of this many bytes? */
bool stream__node_full(const struct stream_node *node, size_t bytes);
/* Marks the entry whose flags are at pos. The counters are the caller's to adjust. */
void stream__node_mark(struct stream_node *node, size_t pos);
/* `deleted` more entries are marked. */
void stream__node_count_deleted(struct stream_node *node, uint64_t deleted);

void stream__group_free(struct stream_group *g);
struct stream_group *stream__group_dup(const struct stream_group *g);
size_t stream__group_memory(const struct stream_group *g);

#endif
