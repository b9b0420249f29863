/* Answers of an S3 store: listings of objects, versions and uploads, and error bodies. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/s3_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_page(const uint8_t *data, size_t size, const char *root,
                      bool (*take)(struct s3_page *pg, const char *leaf, const char *text))
{
    char prefix[] = "p";
    struct s3 s = {.prefix = prefix};
    struct s3_page pg = {.s = &s, .root = root, .take = take};
    struct mst_err err = {0};

    (void)!mst_xml_parse(data, size, mst_s3_page_take, &pg, &err);
    for (size_t i = 0; i < pg.n; i++) {
        char key[MST_KEY_MAX];

        if (mst_s3_page_key(&pg, pg.raw[i].key, key)) {
            MST_ASSERT(mst_store_key_ok(key)); /* nothing else ever leaves a listing */
        }
    }
    mst_s3_page_release(&pg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct s3_answer *a = calloc(1, sizeof(*a));

    MST_ASSERT(a);
    read_page(data, size, "ListBucketResult", mst_s3_take_object);
    read_page(data, size, "ListVersionsResult", mst_s3_take_version);
    read_page(data, size, "ListMultipartUploadsResult", mst_s3_take_upload);
    mst_buf_add(&a->reply.body, data, size);
    mst_s3_read_error(a);
    MST_ASSERT(strlen(a->code) < sizeof(a->code));
    mst_http_reply_release(&a->reply);
    free(a);
    return 0;
}
