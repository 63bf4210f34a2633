/* hash.h - XXH3, keyed with a secret of the process so that nobody can aim at a bucket. */
#ifndef WEFT_BASE_HASH_H
#define WEFT_BASE_HASH_H

#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/slice.h"

extern uint64_t hash_secret; /* drawn by hash_init(), then constant */

void hash_init(void);

static inline uint64_t hash_bytes(struct slice s)
{
    return XXH3_64bits_withSeed(s.p, s.n, hash_secret);
}

#endif
