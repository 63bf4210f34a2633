/* glob.h - Redis's glob patterns: * ? [a-z] [^a] and backslash. Bounded work on hostile patterns. */
#ifndef WEFT_BASE_GLOB_H
#define WEFT_BASE_GLOB_H

#include <stdbool.h>

#include "base/slice.h"

bool glob_match(struct slice pattern, struct slice text, bool ignore_case);

#endif
