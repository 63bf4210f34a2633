/*
 * switch.h - moving the processor from one stack to another.
 *
 * A suspended context is one pointer. What lies behind it is the business of the implementation:
 * switch_x86_64.S, switch_aarch64.S (the callee-saved registers, on the stack itself), or
 * switch_portable.c (a ucontext_t on the stack; chosen by -DWEFT_PORTABLE_SWITCH).
 *
 * Neither the floating-point control words nor the signal mask are switched: they are the same for
 * every coroutine.
 */
#ifndef WEFT_RUNTIME_SWITCH_H
#define WEFT_RUNTIME_SWITCH_H

#include <stddef.h>

#if !defined(__x86_64__) && !defined(__aarch64__) && !defined(WEFT_PORTABLE_SWITCH)
#define WEFT_PORTABLE_SWITCH 1
#endif

#ifdef WEFT_PORTABLE_SWITCH
#define switch__to      switch__to_portable
#define switch__prepare switch__prepare_portable
#define switch__jump    switch__jump_portable
#endif

/* Suspends the caller's context into *save and goes on with `to`. Returns when somebody switches to
 * what was saved, maybe on another thread. */
void switch__to(void **save, void *to);

/* A context that calls entry() on the stack whose highest address is `top` (aligned to 16). */
void *switch__prepare(void *top, void (*entry)(void));

/* Drops all that is on the stack below `top` and calls entry() there. */
_Noreturn void switch__jump(void *top, void (*entry)(void));

#endif
