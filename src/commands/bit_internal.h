/* bit_internal.h - what the files of the bitmap family share. */
#ifndef WEFT_COMMANDS_BIT_INTERNAL_H
#define WEFT_COMMANDS_BIT_INTERNAL_H

#include "commands/string_internal.h"

/* A position in a string, in bits. width: of the fields that "#n" counts in; 0: there is no such form.
 * False: an error was replied. */
bool bit_offset(struct call *c, uint32_t arg, unsigned width, uint64_t *at);

/* The bytes of the string in slot (made when NULL), long enough to have bit `last`, for writing. NULL:
 * no memory (replied). *n: how many there are; *grew: they were fewer before. */
char *bit_string(struct call *c, const struct key *k, struct entry **slot, uint64_t last, size_t *n,
                 bool *grew);

command_fn setbit_command, getbit_command, bitcount_command, bitpos_command;
command_fn bitop_command;
command_fn bitfield_command, bitfield_ro_command;
uint32_t bitfield_key_flags(uint32_t argc, const struct slice *argv);

#endif
