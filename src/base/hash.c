/* hash.c - owns the secret that keys every hash of the process. */
#include "base/base.h"

uint64_t hash_secret;

void hash_init(void)
{
    if (hash_secret == 0) rand_secret(&hash_secret, sizeof hash_secret);
}
