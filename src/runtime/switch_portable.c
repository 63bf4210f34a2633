/*
 * switch_portable.c - contexts by ucontext, for other processors and to tell whether a fault is the
 * assembly's. Slow (each switch saves the signal mask by a system call).
 *
 * A suspended context is the address of a ucontext_t that lies on the suspended stack itself; that
 * of a stack not yet started lies at its top.
 */
#include "runtime/switch.h"

#ifdef WEFT_PORTABLE_SWITCH

#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

void switch__to(void **save, void *to)
{
    ucontext_t here;
    *save = &here;
    if (swapcontext(&here, to) != 0) abort();
}

/* makecontext wants the whole extent of the stack, but only computes its top from it. */
static ucontext_t *context_at(void *top, void (*entry)(void))
{
    uintptr_t at = ((uintptr_t)top - sizeof(ucontext_t)) & ~(uintptr_t)63;
    ucontext_t *context = (ucontext_t *)at;
    if (getcontext(context) != 0) abort();
    context->uc_stack.ss_sp = (void *)(at - 4096);
    context->uc_stack.ss_size = 4096;
    context->uc_link = NULL;
    makecontext(context, entry, 0);
    return context;
}

void *switch__prepare(void *top, void (*entry)(void))
{
    return context_at(top, entry);
}

/* makecontext writes a few words just below `top`: into the frame of the function that was started
 * there first, which nobody returns to. */
void switch__jump(void *top, void (*entry)(void))
{
    static _Thread_local ucontext_t context;
    if (getcontext(&context) != 0) abort();
    context.uc_stack.ss_sp = (void *)((uintptr_t)top - 4096);
    context.uc_stack.ss_size = 4096;
    context.uc_link = NULL;
    makecontext(&context, entry, 0);
    setcontext(&context);
    abort();
}

#endif
