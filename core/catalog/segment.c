#include "catalog/segment.h"

#include "base/mem.h"
#include "comp/comp.h"

#define MAGIC "MUSTERS1"
#define MAGIC_LEN 8U
#define HEAD_NIBBLE 13U /* of the skippable frame's magic number */
#define HEAD_MAX 256U
#define FRAME_MAX (MST_FRAME_BYTES + MST_DOC_MAX) /* content of one frame */

/* --- first frame ------------------------------------------------------------------------------ */

void mst_segment_head_put(const struct mst_segment_id *id, struct mst_buf *out)
{
    uint8_t b[HEAD_MAX] = {0};
    const size_t n_id = strlen(id->backup), n_at = strlen(id->attempt);
    size_t at = MAGIC_LEN;

    memcpy(b, MAGIC, MAGIC_LEN);
    mst_put_le32(b + at, MST_FORMAT_VERSION);
    mst_put_le32(b + at + 4, (uint32_t)id->role);
    mst_put_le32(b + at + 8, id->number);
    mst_put_le32(b + at + 12, id->part);
    at += 16;
    b[at++] = (uint8_t)n_id;
    memcpy(b + at, id->backup, n_id);
    at += n_id;
    b[at++] = (uint8_t)n_at;
    memcpy(b + at, id->attempt, n_at);
    at += n_at;
    mst_zskip_add(out, HEAD_NIBBLE, b, at);
}

static bool head_text(const uint8_t *p, size_t n, size_t *at, char *out, size_t size)
{
    size_t len;

    if (*at >= n) {
        return false;
    }
    len = p[(*at)++];
    if (len >= size || len > n - *at || memchr(p + *at, 0, len)) {
        return false;
    }
    memcpy(out, p + *at, len);
    out[len] = '\0';
    *at += len;
    return true;
}

enum mst_rc mst_segment_head_get(const void *p, size_t n, struct mst_segment_id *id, size_t *used,
                                 struct mst_err *err)
{
    const uint8_t *b = (const uint8_t *)p + 8;
    enum mst_zwhat what;
    size_t content, at = MAGIC_LEN + 16;

    memset(id, 0, sizeof(*id));
    if (mst_zpeek(p, n, FRAME_MAX, &what, used, &content, err) != MST_OK) {
        return err->rc;
    }
    if (what != MST_Z_SKIP || content < at || content > HEAD_MAX ||
        memcmp(b, MAGIC, MAGIC_LEN) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY, "does not begin as an object of muster");
    }
    if (mst_le32(b + 8) != MST_FORMAT_VERSION) {
        return mst_err_set(err, MST_E_LIMIT, "has format %u, this program knows %d",
                           mst_le32(b + 8), MST_FORMAT_VERSION);
    }
    id->role = (enum mst_segment_role)(mst_le32(b + 12) & 0xff);
    id->number = mst_le32(b + 16);
    id->part = mst_le32(b + 20);
    if (mst_le32(b + 12) < MST_SEG_DATA || mst_le32(b + 12) > MST_SEG_MANIFEST ||
        !head_text(b, content, &at, id->backup, sizeof(id->backup)) ||
        !head_text(b, content, &at, id->attempt, sizeof(id->attempt)) || at != content) {
        return mst_err_set(err, MST_E_INTEGRITY, "has a damaged first frame");
    }
    return MST_OK;
}

/* --- writer ----------------------------------------------------------------------------------- */

struct mst_segw {
    struct mst_store_put *put;
    struct mst_zenc *z;
    struct mst_sha256 sha;
    struct mst_buf frame, out;
    uint64_t offset;         /* of content: before sealing */
    struct mst_sealer *seal; /* NULL: stored as it is */
    struct mst_buf sealed;
    uint64_t stored;
};

void mst_segment_context(const struct mst_segment_id *id, const char *set, struct mst_buf *out)
{
    static const char *const roles[] = {"", "data", "oplog", "manifest"};

    mst_seal_context(out, set, id->backup, id->attempt, roles[id->role], id->number, id->part);
}

/* Bytes as they are stored: hashed, then given to the store. */
static enum mst_rc put_stored(struct mst_segw *w, const void *p, size_t n, struct mst_err *err)
{
    mst_sha256_add(&w->sha, p, n);
    w->stored += n;
    return mst_store_put_add(w->put, p, n, err);
}

static enum mst_rc put_sealed(struct mst_segw *w, struct mst_err *err)
{
    const enum mst_rc rc = put_stored(w, w->sealed.p, w->sealed.len, err);

    mst_buf_reset(&w->sealed);
    return rc;
}

static enum mst_rc put_out(struct mst_segw *w, struct mst_err *err)
{
    enum mst_rc rc;

    if (w->seal) {
        rc = mst_sealer_add(w->seal, w->out.p, w->out.len, &w->sealed, err);
        rc = rc == MST_OK && w->sealed.len ? put_sealed(w, err) : rc;
    } else {
        rc = put_stored(w, w->out.p, w->out.len, err);
    }
    w->offset += w->out.len;
    mst_buf_reset(&w->out);
    return rc;
}

static enum mst_rc seal_begin(struct mst_segw *w, const struct mst_segment_id *id,
                              const struct mst_sealing *sealing, struct mst_err *err)
{
    uint8_t head[MST_SEAL_HEAD];
    struct mst_buf context = {0};
    enum mst_rc rc;

    mst_segment_context(id, sealing->set, &context);
    rc = mst_sealer_new(sealing->key, context.p, context.len, NULL, head, &w->seal, err);
    mst_buf_release(&context);
    return rc == MST_OK ? put_stored(w, head, sizeof(head), err) : rc;
}

enum mst_rc mst_segw_open(struct mst_store *store, const char *key, const struct mst_segment_id *id,
                          const struct mst_sealing *sealing, struct mst_segw **out,
                          struct mst_err *err)
{
    struct mst_segw *w = mst_xcalloc(1, sizeof(*w));

    *out = NULL;
    if (mst_store_put_begin(store, key, &w->put, err) != MST_OK) {
        free(w);
        return err->rc;
    }
    w->z = mst_zenc_new(MST_ZSTD_LEVEL);
    mst_sha256_init(&w->sha);
    mst_segment_head_put(id, &w->out);
    if ((sealing && seal_begin(w, id, sealing, err) != MST_OK) || put_out(w, err) != MST_OK) {
        mst_segw_abort_take(w);
        return err->rc;
    }
    *out = w;
    return MST_OK;
}

enum mst_rc mst_segw_cut(struct mst_segw *w, struct mst_err *err)
{
    if (!w->frame.len) {
        return MST_OK;
    }
    if (mst_zenc_frame(w->z, w->frame.p, w->frame.len, &w->out, err) != MST_OK) {
        return err->rc;
    }
    mst_buf_reset(&w->frame);
    if (w->frame.cap > 4 * MST_FRAME_BYTES) { /* after a huge document */
        mst_buf_release(&w->frame);
    }
    return put_out(w, err);
}

enum mst_rc mst_segw_add(struct mst_segw *w, const void *doc, size_t n, struct mst_err *err)
{
    if (n < 5 || n > MST_DOC_MAX || mst_le32(doc) != n) {
        return mst_err_set(err, MST_E_LIMIT,
                           "a document of %zu bytes is not BSON or larger than %u", n, MST_DOC_MAX);
    }
    if (w->frame.len && w->frame.len + n > MST_FRAME_BYTES && mst_segw_cut(w, err) != MST_OK) {
        return err->rc;
    }
    mst_buf_add(&w->frame, doc, n);
    return MST_OK;
}

uint64_t mst_segw_offset(const struct mst_segw *w)
{
    return w->offset;
}

uint64_t mst_segw_stored(const struct mst_segw *w)
{
    return w->seal ? mst_seal_stored(w->offset) : w->offset;
}

static void segw_free(struct mst_segw *w)
{
    mst_sealer_free(w->seal);
    mst_buf_release(&w->sealed);
    mst_zenc_free(w->z);
    mst_sha256_release(&w->sha);
    mst_buf_release(&w->frame);
    mst_buf_release(&w->out);
    free(w);
}

enum mst_rc mst_segw_finish_take(struct mst_segw *w, uint64_t *bytes, uint8_t sha[MST_SHA256_LEN],
                                 struct mst_err *err)
{
    enum mst_rc rc = mst_segw_cut(w, err);

    if (rc == MST_OK && w->seal) {
        rc = mst_sealer_end(w->seal, &w->sealed, err);
        rc = rc == MST_OK ? put_sealed(w, err) : rc;
    }
    if (rc != MST_OK) {
        mst_segw_abort_take(w);
        return rc;
    }
    *bytes = w->stored;
    mst_sha256_final(&w->sha, sha);
    rc = mst_store_put_finish_take(w->put, err);
    segw_free(w);
    return rc;
}

void mst_segw_abort_take(struct mst_segw *w)
{
    if (w) {
        mst_store_put_abort_take(w->put);
        segw_free(w);
    }
}
