#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>

#include "base/err.h"

static void *checked(void *p, size_t size)
{
    MST_ASSERT(p || size == 0);
    return p;
}

void *mst_xmalloc(size_t size)
{
    return checked(malloc(size ? size : 1), 1);
}

void *mst_xcalloc(size_t n, size_t size)
{
    return checked(calloc(n ? n : 1, size ? size : 1), 1);
}

void *mst_xcalloc_aligned(size_t align, size_t size)
{
    const size_t n = (size + align - 1) / align * align;
    void *p = checked(n >= size ? aligned_alloc(align, n) : NULL, 1);

    return memset(p, 0, n);
}

void *mst_xrealloc(void *p, size_t size)
{
    return checked(realloc(p, size ? size : 1), 1);
}

char *mst_xstrdup(const char *s)
{
    return checked(strdup(s), 1);
}

char *mst_xstrndup(const char *s, size_t n)
{
    return checked(strndup(s, n), 1);
}

void *mst_xmemdup(const void *p, size_t n)
{
    void *q = mst_xmalloc(n);

    if (n) {
        memcpy(q, p, n);
    }
    return q;
}

char *mst_xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s = NULL;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    MST_ASSERT(n >= 0);
    return checked(s, 1);
}

_Bool mst_copy(char *dst, size_t size, const char *src)
{
    const size_t n = strlen(src);
    const size_t m = n < size ? n : size - 1;

    memmove(dst, src, m);
    dst[m] = '\0';
    return m == n;
}

void mst_grow(void **v, size_t *cap, size_t need, size_t elem)
{
    size_t next = *cap ? *cap : 8;

    if (need <= *cap) {
        return;
    }
    while (next < need) {
        MST_ASSERT(next <= SIZE_MAX / 2);
        next *= 2;
    }
    MST_ASSERT(elem == 0 || next <= SIZE_MAX / elem);
    *v = mst_xrealloc(*v, next * elem);
    *cap = next;
}
