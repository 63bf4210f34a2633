/*
 * lzf.h - the LZF compressed format, as RDB files and DUMP payloads carry it and as inner nodes of
 * lists lie in memory.
 *
 *   control byte   followed by           meaning
 *   000nnnnn       n + 1 bytes           these bytes
 *   lllooooo       1 byte, o'            l in 1..6: l + 2 bytes again, from (o << 8 | o') + 1 back
 *   111ooooo       1 byte m, 1 byte o'   m + 9 bytes again, from as far back
 *
 * Our own, because the usual library puts a table of 256 KB on the stack, more than a coroutine
 * has.
 */
#ifndef WEFT_TYPES_LZF_H
#define WEFT_TYPES_LZF_H

#include "base/base.h"

/* Compresses n bytes (less than 4 GB) into at most cap bytes: their number, 0: it takes more. */
size_t lzf_compress(const void *from, size_t n, void *to, size_t cap);

/* Decompresses n bytes from anywhere into exactly `size` bytes. false: they are not that. */
bool lzf_decompress(const void *from, size_t n, void *to, size_t size);

#endif
