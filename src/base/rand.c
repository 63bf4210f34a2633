/*
 * rand.c - one generator a thread (a Weyl sequence whose terms are mixed by one wide
 * multiplication), seeded by the system on first use; and bytes for secrets, which come from the
 * system alone.
 *
 * rand_u64() is never inlined: a caller that parks may go on in another thread, and must not take
 * the address of this one's state along.
 */
#include "base/base.h"

#include <errno.h>
#include <sys/random.h>

#define WEYL_STEP 0x9e3779b97f4a7c15u
#define MIX       0xd6e8feb86659fd93u

static _Thread_local struct {
    uint64_t state;
    bool seeded;
} gen;

__attribute__((noinline)) uint64_t rand_u64(void)
{
    if (UNLIKELY(!gen.seeded)) {
        rand_secret(&gen.state, sizeof gen.state);
        gen.seeded = true;
    }
    uint64_t x = gen.state += WEYL_STEP;
    unsigned __int128 wide = (unsigned __int128)(x ^ (x >> 32)) * (x ^ MIX);
    return (uint64_t)(wide >> 64) ^ (uint64_t)wide;
}

/* The high half of a product is even but for the few draws whose low half is below 2^64 mod n. */
uint64_t rand_below(uint64_t n)
{
    assert(n > 0);
    unsigned __int128 wide = (unsigned __int128)rand_u64() * n;
    if (UNLIKELY((uint64_t)wide < n)) {
        uint64_t uneven = -n % n;
        while ((uint64_t)wide < uneven)
            wide = (unsigned __int128)rand_u64() * n;
    }
    return (uint64_t)(wide >> 64);
}

void rand_secret(void *out, size_t n)
{
    char *p = out;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno != EINTR) panic("getrandom: %s", strerror(errno));
        if (got <= 0) continue;
        p += got;
        n -= (size_t)got;
    }
}

void rand_hex(char *out, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    rand_secret(out, n);
    for (size_t i = 0; i < n; i++)
        out[i] = hex[out[i] & 15];
}
