/* num.h - numbers as text, strictly: what Redis accepts and how it prints. */
#ifndef WEFT_BASE_NUM_H
#define WEFT_BASE_NUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define NUM_I64_MAX   21  /* bytes that num_fmt_i64 needs at most, NUL counted */
#define NUM_DOUBLE_MAX 32 /* num_fmt_double */
#define NUM_FIXED_MAX  352 /* num_fmt_fixed; 40 when |v| < 2^52 */
#define NUM_LD_MAX     5200 /* num_fmt_long_double: "%.17Lf" of the largest */
#define NUM_LD_TEXT_MAX 5120 /* num_parse_long_double takes less than this */

/* The canonical decimal form only: no sign but '-', no leading zero, no blank, no overflow. */
bool num_parse_i64(struct slice s, int64_t *out);
bool num_parse_u64(struct slice s, uint64_t *out);

/* A floating point number that fills the slice: as strtod, but no leading blank, no NaN. */
bool num_parse_double(struct slice s, double *out);
bool num_parse_long_double(struct slice s, long double *out);

/* "512", "64k", "64kb", "1gb": memory sizes of the configuration. false: malformed or too large. */
bool num_parse_memory(struct slice s, int64_t *out);

/* Each returns the length; out is NUL-terminated. */
size_t num_fmt_i64(char *out, int64_t v);
size_t num_fmt_u64(char *out, uint64_t v);
/* The shortest text that reads back as v ("inf", "-inf", "nan" included); integers without ".0". */
size_t num_fmt_double(char *out, double v);
/* Fixed notation with up to 17 decimals, trailing zeros cut: INCRBYFLOAT's form. */
size_t num_fmt_long_double(char *out, long double v);
/* As printf's "%.*f", with 1 to 17 decimals. */
size_t num_fmt_fixed(char *out, double v, unsigned decimals);
/* "1.50M" and the like, for INFO's *_human fields. */
size_t num_fmt_memory(char *out, size_t size, uint64_t v);

unsigned num_digits_u64(uint64_t v);

#endif
