/*
 * old_packed.h - inside persist/: packed sequences of servers before listpacks, read into
 * listpacks. Both are checked byte by byte; NULL: it is not one, or larger than a listpack may be. A zipmap is never
 * empty.
 */
#ifndef WEFT_PERSIST_OLD_PACKED_H
#define WEFT_PERSIST_OLD_PACKED_H

#include "types/types.h"

lp *lp_of_ziplist(const void *bytes, size_t n);
lp *lp_of_zipmap(const void *bytes, size_t n); /* field, value, field, value, ... */

#endif
