#include "catalog/segment.h"

#include "base/mem.h"
#include "comp/comp.h"

#define MAGIC "MUSTERS1"
#define MAGIC_LEN 8U
#define HEAD_NIBBLE 13U /* of the skippable frame's magic number */
#define HEAD_MAX 256U
#define READ_BYTES (1024U * 1024U)
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
    uint64_t offset;
};

static enum mst_rc put_out(struct mst_segw *w, struct mst_err *err)
{
    enum mst_rc rc;

    mst_sha256_add(&w->sha, w->out.p, w->out.len);
    rc = mst_store_put_add(w->put, w->out.p, w->out.len, err);
    w->offset += w->out.len;
    mst_buf_reset(&w->out);
    return rc;
}

enum mst_rc mst_segw_open(struct mst_store *store, const char *key, const struct mst_segment_id *id,
                          struct mst_segw **out, struct mst_err *err)
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
    if (put_out(w, err) != MST_OK) {
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

static void segw_free(struct mst_segw *w)
{
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

    if (rc != MST_OK) {
        mst_segw_abort_take(w);
        return rc;
    }
    *bytes = w->offset;
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

/* --- reader ----------------------------------------------------------------------------------- */

struct mst_segr {
    struct mst_store *store;
    char key[MST_KEY_MAX];
    struct mst_zdec *z;
    struct mst_buf in; /* stored bytes that were read and not decoded yet, from in_at on */
    size_t in_at;
    uint64_t next, end; /* object offsets: next byte to read; one past the last */
    uint64_t frame_at;  /* object offset of the frame in content */
    struct mst_buf content;
    size_t at;              /* in content */
    struct mst_extent want; /* copy of an extent's counts */
    uint64_t data_bytes, documents;
    bool has_extent;
    mst_stored_fn *tap;
    void *tap_arg;
};

static enum mst_rc bad(struct mst_segr *r, struct mst_err *err)
{
    mst_err_prefix(err, "%s", r->key);
    return err->rc;
}

static enum mst_rc reader_new(struct mst_store *store, const char *key, struct mst_segr **out,
                              struct mst_err *err)
{
    struct mst_segr *r = mst_xcalloc(1, sizeof(*r));

    *out = NULL;
    r->store = store;
    (void)mst_copy(r->key, sizeof(r->key), key);
    r->z = mst_zdec_new();
    if (mst_store_stat(store, key, &r->end, err) != MST_OK) {
        mst_segr_free(r);
        return err->rc;
    }
    *out = r;
    return MST_OK;
}

/* Read more stored bytes; MST_E_INTEGRITY when there are no more. */
static enum mst_rc fill(struct mst_segr *r, struct mst_err *err)
{
    size_t n = READ_BYTES, got;

    if (r->next >= r->end) {
        return mst_err_set(err, MST_E_INTEGRITY, "%s ends inside a frame, at byte %llu", r->key,
                           (unsigned long long)r->end);
    }
    if (n > r->end - r->next) {
        n = (size_t)(r->end - r->next);
    }
    mst_buf_drop(&r->in, r->in_at);
    r->in_at = 0;
    if (mst_store_read(r->store, r->key, r->next, mst_buf_room(&r->in, n), n, &got, err) !=
        MST_OK) {
        return err->rc;
    }
    if (got < n) {
        return mst_err_set(err, MST_E_INTEGRITY, "%s is cut short at byte %llu", r->key,
                           (unsigned long long)(r->next + got));
    }
    if (r->tap) {
        r->tap(r->tap_arg, r->in.p + r->in.len, got);
    }
    r->in.len += got;
    r->next += got;
    return MST_OK;
}

/* Decode the next data frame into content; *end when the extent or object ends before it. */
static enum mst_rc next_frame(struct mst_segr *r, bool *end, struct mst_err *err)
{
    *end = false;
    for (;;) {
        const size_t have = r->in.len - r->in_at;
        enum mst_zwhat what = MST_Z_MORE;
        size_t stored = 0, content = 0;

        if (!have && r->next >= r->end) {
            *end = true;
            return MST_OK;
        }
        if (have && mst_zpeek(r->in.p + r->in_at, have, FRAME_MAX, &what, &stored, &content, err) !=
                        MST_OK) {
            return bad(r, err);
        }
        if (what == MST_Z_MORE) {
            if (fill(r, err) != MST_OK) {
                return err->rc;
            }
            continue;
        }
        if (what == MST_Z_SKIP) {
            r->in_at += stored;
            continue;
        }
        r->frame_at = r->next - have;
        mst_buf_reset(&r->content);
        if (mst_zdec_frame(r->z, r->in.p + r->in_at, stored, mst_buf_room(&r->content, content + 1),
                           content, err) != MST_OK) {
            return bad(r, err);
        }
        r->content.len = content;
        r->in_at += stored;
        r->at = 0;
        return MST_OK;
    }
}

enum mst_rc mst_segr_open(struct mst_store *store, const char *key, const struct mst_segment_id *id,
                          struct mst_segr **out, struct mst_err *err)
{
    struct mst_segment_id have;
    uint8_t head[HEAD_MAX + 8];
    size_t got, used;
    struct mst_segr *r;

    if (reader_new(store, key, &r, err) != MST_OK) {
        *out = NULL;
        return err->rc;
    }
    *out = r;
    if (mst_store_read(store, key, 0, head, sizeof(head), &got, err) != MST_OK) {
        goto fail;
    }
    if (mst_segment_head_get(head, got, &have, &used, err) != MST_OK) {
        mst_err_prefix(err, "%s ", key);
        goto fail;
    }
    if (id && (have.role != id->role || have.number != id->number || have.part != id->part ||
               strcmp(have.backup, id->backup) != 0 || strcmp(have.attempt, id->attempt) != 0)) {
        (void)mst_err_set(err, MST_E_INTEGRITY,
                          "%s is another object: %s/%s, kind %d, number %u-%u", key, have.backup,
                          have.attempt, (int)have.role, have.number, have.part);
        goto fail;
    }
    return MST_OK;
fail:
    mst_segr_free(r);
    *out = NULL;
    return err->rc;
}

enum mst_rc mst_segr_open_extent(struct mst_store *store, const char *key,
                                 const struct mst_extent *e, struct mst_segr **out,
                                 struct mst_err *err)
{
    struct mst_segr *r;

    if (reader_new(store, key, &r, err) != MST_OK) {
        *out = NULL;
        return err->rc;
    }
    *out = r;
    if (e->offset > r->end || e->stored_bytes > r->end - e->offset) {
        (void)mst_err_set(
            err, MST_E_INTEGRITY, "%s is cut short: it has %llu bytes, %llu are needed", key,
            (unsigned long long)r->end, (unsigned long long)(e->offset + e->stored_bytes));
        mst_segr_free(r);
        *out = NULL;
        return err->rc;
    }
    r->next = e->offset;
    r->end = e->offset + e->stored_bytes;
    r->want = *e;
    r->has_extent = true;
    return MST_OK;
}

void mst_segr_tap(struct mst_segr *r, mst_stored_fn *fn, void *arg)
{
    r->tap = fn;
    r->tap_arg = arg;
}

uint64_t mst_segr_frame(const struct mst_segr *r)
{
    return r->frame_at;
}

static enum mst_rc at_end(struct mst_segr *r, struct mst_err *err)
{
    if (r->has_extent &&
        (r->data_bytes != r->want.data_bytes || r->documents != r->want.documents)) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s at byte %llu: documents %llu, the manifest says %llu", r->key,
                           (unsigned long long)r->want.offset, (unsigned long long)r->documents,
                           (unsigned long long)r->want.documents);
    }
    return MST_OK;
}

enum mst_rc mst_segr_next(struct mst_segr *r, const uint8_t **doc, uint32_t *n, struct mst_err *err)
{
    size_t left;
    bool end;

    *doc = NULL;
    *n = 0;
    while (r->at == r->content.len) {
        if (next_frame(r, &end, err) != MST_OK) {
            return err->rc;
        }
        if (end) {
            return at_end(r, err);
        }
    }
    left = r->content.len - r->at;
    if (left >= 5) {
        *n = mst_le32(r->content.p + r->at);
    }
    if (*n < 5 || *n > left || *n > MST_DOC_MAX || r->content.p[r->at + *n - 1] != 0) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s has something that is not a document in the frame at byte %llu",
                           r->key, (unsigned long long)r->frame_at);
    }
    *doc = r->content.p + r->at;
    r->at += *n;
    r->data_bytes += *n;
    r->documents++;
    return MST_OK;
}

void mst_segr_free(struct mst_segr *r)
{
    if (r) {
        mst_zdec_free(r->z);
        mst_buf_release(&r->in);
        mst_buf_release(&r->content);
        free(r);
    }
}
