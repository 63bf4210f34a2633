/*
 * crc64.c - CRC-64, eight bytes at a time.
 *
 *   table[k][b]: what a byte b leaves behind once k more bytes have passed through
 *
 * So eight bytes, exclusive-or-ed with the checksum so far, are eight look-ups that depend on
 * nothing but them: the processor makes them at once. The tables are made before main().
 */
#include "persist/crc64.h"

#include <string.h>

#include "base/base.h"

#define POLYNOMIAL UINT64_C(0x95ac9329ac4bc9b5) /* 0xad93d23594c935a9, its bits reversed */
#define SLICES     8

static uint64_t table[SLICES][256];

__attribute__((constructor)) static void make_tables(void)
{
    for (unsigned b = 0; b < 256; b++) {
        uint64_t crc = b;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][b] = crc;
    }
    for (unsigned b = 0; b < 256; b++) {
        for (unsigned k = 1; k < SLICES; k++) {
            uint64_t before = table[k - 1][b];
            table[k][b] = before >> 8 ^ table[0][before & 0xff];
        }
    }
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "eight bytes are read as one word");

uint64_t crc64(uint64_t crc, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        w ^= crc;
        crc = table[7][w & 0xff] ^ table[6][w >> 8 & 0xff] ^ table[5][w >> 16 & 0xff] ^
              table[4][w >> 24 & 0xff] ^ table[3][w >> 32 & 0xff] ^ table[2][w >> 40 & 0xff] ^
              table[1][w >> 48 & 0xff] ^ table[0][w >> 56];
    }
    for (; n > 0; p++, n--)
        crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
    return crc;
}
