/* mem.h: small allocations. They never return NULL: running out of memory for a few kilobytes ends
 * the program (jobs are resumable). A size that comes from outside has a ceiling of its own before
 * it reaches these functions. Freed with free().
 */
#ifndef MST_BASE_MEM_H
#define MST_BASE_MEM_H

#include <stddef.h>

void *mst_xmalloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *mst_xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1, 2)));
/* For structs that hold a bson_t: it wants 128 bytes, malloc gives 16. Freed with free(). */
void *mst_xcalloc_aligned(size_t align, size_t size)
    __attribute__((malloc, returns_nonnull, alloc_align(1), alloc_size(2)));
void *mst_xrealloc(void *p, size_t size) __attribute__((returns_nonnull, alloc_size(2)));
char *mst_xstrdup(const char *s) __attribute__((malloc, returns_nonnull, nonnull));
char *mst_xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull, nonnull));
void *mst_xmemdup(const void *p, size_t n) __attribute__((malloc, returns_nonnull));
char *mst_xasprintf(const char *fmt, ...)
    __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/* Copy with truncation; dst always ends in NUL. Returns false when it was cut. */
_Bool mst_copy(char *dst, size_t size, const char *src) __attribute__((nonnull));

/* Room for one more element in a growing array: *v is reallocated, *cap doubled. */
void mst_grow(void **v, size_t *cap, size_t need, size_t elem);

#define MST_COUNT(a) (sizeof(a) / sizeof((a)[0]))

#endif
