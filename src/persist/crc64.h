/* crc64.h - the checksum of RDB files and DUMP payloads: CRC-64 of Jones' polynomial, reflected. */
#ifndef WEFT_PERSIST_CRC64_H
#define WEFT_PERSIST_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what crc (0: nothing) is of, followed by these bytes. */
uint64_t crc64(uint64_t crc, const void *bytes, size_t n);

#endif
