/* rdb_file.h - inside persist/: what saving and loading files share. */
#ifndef WEFT_PERSIST_RDB_FILE_H
#define WEFT_PERSIST_RDB_FILE_H

#include "persist/persist.h"
#include "persist/value_codec.h"

/* The i-th library of functions that a file has brought; false: there are not so many. */
bool rdb__function(size_t i, struct slice *code);

#endif
