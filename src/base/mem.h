/*
 * mem.h - allocation, and how much is allocated.
 *
 * The allocator is jemalloc (the C library's under sanitizers). It counts what each thread has
 * allocated and freed as it goes; mem_used() is the sum of those counters, so exact accounting costs
 * nothing where memory is taken. A thread is counted once it called mem_thread_attach(); until then
 * its allocations are not, though what it frees may be another's.
 */
#ifndef WEFT_BASE_MEM_H
#define WEFT_BASE_MEM_H

#include <stddef.h>

/* Never NULL: running out of memory ends the process with a message and a crash report. */
void *mem_alloc(size_t n) __attribute__((malloc, alloc_size(1)));
void *mem_calloc(size_t n) __attribute__((malloc, alloc_size(1)));
void *mem_realloc(void *p, size_t n) __attribute__((alloc_size(2)));
char *mem_strdup(const char *s);
void *mem_dup(const void *p, size_t n);

/* NULL when there is no memory: for sizes that a client chooses. */
void *mem_try_alloc(size_t n) __attribute__((malloc, alloc_size(1)));
void *mem_try_realloc(void *p, size_t n) __attribute__((alloc_size(2)));

void mem_free(void *p); /* NULL is fine */
/* p was allocated with n bytes (the size asked for, or anything up to mem_usable(p)). Faster. */
void mem_free_sized(void *p, size_t n);

size_t mem_usable(const void *p); /* bytes that the allocation behind p really has */
size_t mem_good_size(size_t n);   /* what mem_usable() of an allocation of n bytes will be */

/* Called first on every thread, and last on one that ends. */
void mem_thread_attach(void);
void mem_thread_detach(void);

size_t mem_used(void);     /* bytes allocated now, by all attached threads */
size_t mem_peak(void);     /* the most that mem_sample_peak() has seen */
void mem_sample_peak(void);
size_t mem_rss(void);      /* resident set of the process, bytes */

struct mem_stats {
    size_t allocated, active, resident, retained, metadata, mapped; /* of the allocator; 0: unknown */
};
void mem_stats(struct mem_stats *stats);
const char *mem_allocator(void); /* "jemalloc-5.3.0" */
void mem_purge(void);            /* gives unused pages back to the system */
/* The allocator's own report, as malloc_stats_print; a string to free with mem_free. */
char *mem_report(void);

#endif
