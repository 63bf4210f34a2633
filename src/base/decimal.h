/*
 * decimal.h - between doubles and decimal digits, exactly, by integers of 128 bits and a table of the
 * powers of ten. num.c makes texts of it.
 */
#ifndef WEFT_BASE_DECIMAL_H
#define WEFT_BASE_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

/* Of the decimal numbers digits * 10^exponent that read back as v (finite, > 0), one with as few digits
 * as any, and of those the nearest to v. digits may end in zeros; < 10^18. */
uint64_t decimal_shortest(double v, int *exponent);

/* The double nearest to digits * 10^exponent, as strtod() rounds. False, rarely: not told apart from
 * its neighbour, or out of the range that is looked at. */
bool decimal_to_double(uint64_t digits, int exponent, double *v);

#endif
