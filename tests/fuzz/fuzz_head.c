/* The head of an answer, line by line, and what is made of it: times, patience, regions. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "http/pool.h"
#include "store/s3_own.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char region[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    struct s3_answer *a = calloc(1, sizeof(*a));
    const char *text = (const char *)data, *date;

    MST_ASSERT(a);
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        const size_t n = end ? (size_t)(end - text) - at + 1 : size - at;

        mst_http_keep(&a->reply.headers, text + at, n);
        at += n;
    }
    date = mst_http_header(&a->reply.headers, "date");
    a->reply.date_ms = date ? mst_http_time(date) : 0;
    MST_ASSERT(mst_http_retry_after_s(&a->reply) >= -1);
    MST_ASSERT(mst_s3_header_time(&a->reply, "last-modified") >= 0);
    mst_s3_read_error(a);
    MST_ASSERT(strspn(a->region, region) == strlen(a->region));
    free(a);
    return 0;
}
