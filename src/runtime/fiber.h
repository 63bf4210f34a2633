/*
 * fiber.h - tells the sanitizers which stack runs. Empty in other builds.
 *
 * Every stack (a worker thread's own, and each coroutine stack) has a struct fiber. fiber_leave()
 * is the last thing on the old stack before the switch, fiber_arrive() the first on the new one.
 *
 * The thread sanitizer keeps a call stack for each fiber; a function that never returns leaves its
 * entries there. So every co_sleep_stackless() makes its stack more `dirty`, and after
 * FIBER_DIRTY_MAX times the stack gets a new fiber before it is used again.
 */
#ifndef WEFT_RUNTIME_FIBER_H
#define WEFT_RUNTIME_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define WEFT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_ASAN 1
#elif __has_feature(thread_sanitizer)
#define WEFT_TSAN 1
#endif
#endif

#if defined(WEFT_ASAN)

void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old,
                                     size_t *size_old);
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);

#define FIBER_DIRTY_MAX UINT_MAX
struct fiber {
    void *fake;
    const void *low;
    size_t size;
};

static inline void fiber_init(struct fiber *f, const void *low, size_t size)
{
    f->fake = NULL;
    f->low = low;
    f->size = size;
}

static inline void fiber_adopt(struct fiber *f, const void *low, size_t size)
{
    fiber_init(f, low, size);
}

static inline void fiber_fini(struct fiber *f)
{
    __asan_unpoison_memory_region(f->low, f->size);
}

/* The stack was left for good by functions that did not return: those at its upper end. What lies
 * below them was unpoisoned when they were called, as they are _Noreturn. */
static inline void fiber_reuse(struct fiber *f)
{
    size_t upper = f->size < 32768 ? f->size : 32768;
    __asan_unpoison_memory_region((const char *)f->low + f->size - upper, upper);
}

/* `ends`: nothing on the old stack is needed any more. */
__attribute__((always_inline)) static inline void fiber_leave(struct fiber *from, struct fiber *to,
                                                              bool ends)
{
    __sanitizer_start_switch_fiber(ends ? NULL : &from->fake, to->low, to->size);
}

__attribute__((always_inline)) static inline void fiber_arrive(struct fiber *f)
{
    void *fake = f->fake;
    f->fake = NULL;
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
}

#elif defined(WEFT_TSAN)

void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);

#define FIBER_DIRTY_MAX 256u
struct fiber {
    void *tsan;
};

static inline void fiber_init(struct fiber *f, const void *low, size_t size)
{
    f->tsan = __tsan_create_fiber(0);
}

static inline void fiber_adopt(struct fiber *f, const void *low, size_t size)
{
    f->tsan = __tsan_get_current_fiber();
}

static inline void fiber_fini(struct fiber *f)
{
    __tsan_destroy_fiber(f->tsan);
}

static inline void fiber_reuse(struct fiber *f)
{
}

__attribute__((always_inline)) static inline void fiber_leave(struct fiber *from, struct fiber *to,
                                                              bool ends)
{
    __tsan_switch_to_fiber(to->tsan, 0);
}

__attribute__((always_inline)) static inline void fiber_arrive(struct fiber *f) {}

#else

#define FIBER_DIRTY_MAX UINT_MAX
struct fiber {
};

static inline void fiber_init(struct fiber *f, const void *low, size_t size) {}

static inline void fiber_adopt(struct fiber *f, const void *low, size_t size) {}

static inline void fiber_fini(struct fiber *f) {}

static inline void fiber_reuse(struct fiber *f) {}

static inline void fiber_leave(struct fiber *from, struct fiber *to, bool ends) {}

static inline void fiber_arrive(struct fiber *f) {}

#endif
#endif
