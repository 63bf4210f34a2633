/*
 * base.h - what every layer may use: memory and its accounting, byte strings, numbers as text,
 * hashing, time, the log, failure. Starts no thread and knows nothing of servers.
 */
#ifndef WEFT_BASE_H
#define WEFT_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ALIGNED(n)  __attribute__((aligned(n)))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define CACHE_LINE  64
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#include "base/slice.h"
#include "base/mem.h"
#include "base/buf.h"
#include "base/num.h"
#include "base/glob.h"
#include "base/bits.h"
#include "base/hash.h"
#include "base/rand.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/list.h"

#endif
