/* hll_internal.h - what the files of the HyperLogLog family share. */
#ifndef WEFT_COMMANDS_HLL_INTERNAL_H
#define WEFT_COMMANDS_HLL_INTERNAL_H

#include "commands/string_internal.h"

/* The slot of a HyperLogLog. NULL: absent, or none (then *wrong is set and the error was replied). */
struct entry **hll_slot(struct call *c, const struct key *k, bool *wrong);
void hll_corrupt(struct call *c); /* replies the error */
/* Makes it dense if it is sparse. False: corrupt; replied. */
bool hll_make_dense(struct call *c, const struct key *k, struct entry **slot);

/* The bytes of a HyperLogLog, which has no other form than that of bytes. */
static inline struct slice hll_view(struct entry **slot)
{
    char unused[NUM_I64_MAX];
    return string_view(*slot, unused);
}

command_fn pfadd_command, pfcount_command, pfmerge_command;
command_fn pfdebug_command, pfselftest_command;

#endif
