/* rand.h - pseudo-random numbers, one generator a thread; and bytes from the system for secrets. */
#ifndef WEFT_BASE_RAND_H
#define WEFT_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

uint64_t rand_u64(void);
uint64_t rand_below(uint64_t n); /* 0 .. n-1; n > 0 */
void rand_secret(void *out, size_t n);
void rand_hex(char *out, size_t n); /* n hexadecimal digits from the system, no NUL */

#endif
