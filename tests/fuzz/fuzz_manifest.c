/* Records of the manifest, the walk over BSON, first frames and clear objects: any bytes. */
#include "base/mem.h"
#include "catalog/header.h"
#include "catalog/manifest.h"
#include "comp/comp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same text with its right hash, so that what is behind the hash is reached. */
static void signed_text(const uint8_t *data, size_t size)
{
    struct mst_err err = {0};
    struct mst_str s = {0};
    struct mst_header h;
    struct mst_commit c;
    struct mst_mark m;
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];

    mst_str_addn(&s, (const char *)data, size);
    mst_sha256_of(data, size, sha);
    mst_str_addf(&s, ",\"sha256\":\"%s\"}\n", mst_hex(sha, sizeof(sha), hex));
    (void)(mst_header_get(s.p, s.len, &h, &err) == MST_OK);
    (void)(mst_commit_get(s.p, s.len, &c, &err) == MST_OK);
    (void)(mst_mark_get(s.p, s.len, &m, &err) == MST_OK);
    mst_str_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mst_err err = {0};
    struct mst_man_rec *rec = mst_xcalloc(1, sizeof(*rec));
    struct mst_buf ext = {0};
    struct mst_segment_id id;
    enum mst_zwhat what;
    size_t stored, content;
    uint8_t *copy = mst_xmemdup(size ? data : (const uint8_t *)"", size ? size : 1);

    if (size < UINT32_MAX && mst_man_parse(copy, (uint32_t)size, rec, &ext, &err) == MST_OK &&
        rec->kind == MST_MAN_NS) {
        MST_ASSERT(rec->ns.options && rec->ns.indexes && rec->ns.problem);
    }
    if (size) {
        (void)mst_bson_walk(copy, size);
        (void)(mst_segment_head_get(copy, size, &id, &stored, &err) == MST_OK);
        (void)(mst_zpeek(copy, size, 1 << 20, &what, &stored, &content, &err) == MST_OK);
        signed_text(copy, size);
    }
    mst_buf_release(&ext);
    free(copy);
    free(rec);
    return 0;
}
