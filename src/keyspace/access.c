/*
 * access.c - what an entry's 24 bits of access say: when it was used, or with LFU how often.
 *
 *   LRU: | seconds since 1970, modulo 2^24 |        LFU: | minutes, modulo 2^16 | counter, 8 bits |
 *
 * The counter of LFU grows by chance, the less likely the larger it is, and falls by one for each
 * decay period without an access. Switching between the two leaves old values behind, as in Redis.
 */
#include "keyspace/keyspace_internal.h"

#define LFU_INITIAL 5 /* so that a new key is not the first to go */

_Atomic(bool) access__lfu;
static _Atomic(int) log_factor = 10, decay_minutes = 1;

void keyspace_set_lfu(bool on, int factor, int minutes)
{
    atomic_store_explicit(&log_factor, factor, memory_order_relaxed);
    atomic_store_explicit(&decay_minutes, minutes, memory_order_relaxed);
    atomic_store_explicit(&access__lfu, on, memory_order_relaxed);
}

bool keyspace_lfu(void)
{
    return atomic_load_explicit(&access__lfu, memory_order_relaxed);
}

static uint32_t minutes_now(int64_t now_ms)
{
    return (uint32_t)((uint64_t)now_ms / 60000) & 0xffff;
}

static uint32_t decayed(uint32_t access, int64_t now_ms)
{
    int period = atomic_load_explicit(&decay_minutes, memory_order_relaxed);
    uint32_t counter = access & 0xff, idle = (minutes_now(now_ms) - (access >> 8)) & 0xffff;
    uint32_t periods = period > 0 ? idle / (uint32_t)period : 0;
    return counter > periods ? counter - periods : 0;
}

uint32_t access__lfu_touch(uint32_t access, int64_t now_ms)
{
    uint32_t counter = decayed(access, now_ms);
    int factor = atomic_load_explicit(&log_factor, memory_order_relaxed);
    uint64_t above = counter > LFU_INITIAL ? counter - LFU_INITIAL : 0;
    if (counter < 255 && rand_below(above * (uint64_t)MAX(factor, 0) + 1) == 0) counter++;
    return minutes_now(now_ms) << 8 | counter;
}

uint32_t access__initial(int64_t now_ms)
{
    return keyspace_lfu() ? minutes_now(now_ms) << 8 | LFU_INITIAL : access__lru_now(now_ms);
}

int64_t ks_idle_seconds(const struct entry *e)
{
    return (access__lru_now(clock_unix_ms()) - e->access) & 0xffffff;
}

unsigned ks_frequency(const struct entry *e)
{
    return decayed(e->access, clock_unix_ms());
}

void ks_set_idle(struct entry *e, int64_t seconds)
{
    if (keyspace_lfu()) return;
    e->access = (access__lru_now(clock_unix_ms()) - (uint32_t)MIN(seconds, 0xffffff)) & 0xffffff;
}

void ks_set_frequency(struct entry *e, unsigned frequency)
{
    if (keyspace_lfu()) e->access = minutes_now(clock_unix_ms()) << 8 | (frequency & 0xff);
}
