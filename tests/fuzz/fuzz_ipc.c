/* What stands in the socket between an agent and its front ends: frames, and documents that become
 * structs. What was decoded encodes, and decodes again to the same. The first byte says which. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ipc/codec.h"
#include "ipc/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void frames(const uint8_t *p, size_t n)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};
    size_t used;
    bool whole;

    mst_buf_add(&b, p, n);
    for (;;) {
        char text[16];
        bson_t doc, sub;

        if (ipc_frame_take(&b, &doc, &used, &whole, &err) != MST_OK || !whole) {
            break;
        }
        MST_ASSERT(used <= b.len && used >= 9);
        (void)ipc_int(&doc, "q", 0);
        (void)ipc_text(&doc, "op", text, sizeof(text));
        (void)ipc_doc(&doc, "cmd", &sub);
        mst_buf_drop(&b, used);
    }
    mst_buf_release(&b);
}

/* What hangs on a struct, by its table. */
static void release(const struct desc *d, void *at)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct field *f = &d->fields[i];
        char *base = NULL;
        size_t n = 0;

        if (f->type == FT_SUB) {
            release(f->of, (char *)at + f->offset);
        }
        if (f->type != FT_ROWS && f->type != FT_LINES) {
            continue;
        }
        memcpy(&base, (char *)at + f->offset, sizeof(base));
        memcpy(&n, (char *)at + f->n_offset, sizeof(n));
        for (size_t k = 0; f->type == FT_ROWS && base && k < n; k++) {
            release(f->of, base + k * f->size);
        }
        free(base);
    }
}

static bool decode(const struct desc *d, const bson_t *doc, bson_t *out)
{
    struct mst_err err = {0};
    void *at = mst_xcalloc(1, d->size);
    const bool ok = ipc_decode(d, doc, at, &err) == MST_OK;

    bson_init(out);
    if (ok) {
        ipc_encode(d, at, out);
    }
    release(d, at);
    free(at);
    return ok;
}

static void both_ways(const struct desc *d, const uint8_t *p, size_t n)
{
    bson_t doc, one, two;

    /* As a frame that was taken: whole and walked. */
    if (!bson_init_static(&doc, p, n) || !bson_validate(&doc, BSON_VALIDATE_NONE, NULL)) {
        return;
    }
    if (decode(d, &doc, &one)) {
        const bool ok = decode(d, &one, &two);

        MST_ASSERT(ok && one.len == two.len &&
                   memcmp(bson_get_data(&one), bson_get_data(&two), one.len) == 0);
        bson_destroy(&two);
    }
    bson_destroy(&one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct desc *const all[] = {&ipc_info,   &ipc_topo,     &ipc_jobs,     &ipc_bucket,
                                             &ipc_detail, &ipc_leavings, &ipc_messages, &ipc_cmd,
                                             &ipc_ticket, &ipc_err};

    if (size > 1) {
        uint8_t *copy = mst_xmemdup(data + 1, size - 1);

        if (data[0] < MST_COUNT(all)) {
            both_ways(all[data[0]], copy, size - 1);
        } else {
            frames(copy, size - 1);
        }
        free(copy);
    }
    return 0;
}
