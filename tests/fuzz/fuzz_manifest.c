/* Records of the manifest, the walk over BSON, first frames and clear objects: any bytes. */
#include "base/mem.h"
#include "catalog/keyobj.h"
#include "catalog/sums.h"
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
    struct mst_claim claim;
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    struct mst_str who = {0};
    const struct mst_trust trust = {.n = 1, .v[0].id = "00000000000000000000000000000000"};
    struct mst_judgement j;
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];

    mst_str_addn(&s, (const char *)data, size);
    mst_sha256_of(data, size, sha);
    mst_str_addf(&s, ",\"sha256\":\"%s\"}\n", mst_hex(sha, sizeof(sha), hex));
    (void)(mst_header_get(s.p, s.len, &h, &err) == MST_OK);
    if (mst_commit_get(s.p, s.len, &c, &err) == MST_OK) {
        mst_trust_judge(&trust, s.p, s.len, c.signer, c.signature, &j);
        MST_ASSERT(j.how != MST_SIGNED_GOOD);
    }
    (void)(mst_claim_get(s.p, s.len, &claim, &err) == MST_OK);
    (void)(mst_mark_get(s.p, s.len, &m, &err) == MST_OK);
    if (mst_key_object_get(s.p, s.len, k, &err) == MST_OK) {
        mst_key_object_who(k, &who);
        MST_ASSERT(k->n > 0 && k->n <= MST_WRAP_SLOTS);
    }
    free(k);
    mst_str_release(&who);
    mst_str_release(&s);
}

static enum mst_rc sum_line(void *arg, const char *key, const uint8_t sha[MST_SHA256_LEN],
                            struct mst_err *err)
{
    (void)arg;
    (void)sha;
    (void)err;
    MST_ASSERT(mst_store_key_ok(key));
    return MST_OK;
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
    (void)(mst_sums_each((const char *)copy, size, sum_line, NULL, &err) == MST_OK);
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
