/* Reading a container, in the clear or sealed. Offsets are those of the content: of a sealed object
 * what its chunks hold, one after the other; any of them is opened by itself. */
#include "base/mem.h"
#include "catalog/segment.h"
#include "comp/comp.h"

#define HEAD_MAX 256U
#define READ_BYTES (1024U * 1024U)
#define FRAME_MAX (MST_FRAME_BYTES + MST_DOC_MAX) /* content of one frame */
#define CHUNK_STORED (MST_SEAL_CHUNK + MST_SEAL_TAG)
#define CHUNKS (READ_BYTES / MST_SEAL_CHUNK) /* opened at once */
#define SEALED_MAGIC "MUSTERE1"

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
    struct mst_opener *seal; /* NULL: stored as it is */
    uint8_t head[MST_SEAL_HEAD];
    uint64_t stored;      /* size of the sealed object */
    struct mst_buf chunk; /* sealed bytes as they were read */
};

static enum mst_rc bad(struct mst_segr *r, struct mst_err *err)
{
    mst_err_prefix(err, "%s", r->key);
    return err->rc;
}

/* --- sealed bytes ----------------------------------------------------------------------------- */

static enum mst_rc read_all(struct mst_segr *r, uint64_t from, uint8_t *to, size_t n,
                            struct mst_err *err)
{
    size_t got;

    if (mst_store_read(r->store, r->key, from, to, n, &got, err) != MST_OK) {
        return err->rc;
    }
    return got == n ? MST_OK
                    : mst_err_set(err, MST_E_INTEGRITY, "%s is cut short at byte %llu", r->key,
                                  (unsigned long long)(from + got));
}

static enum mst_rc seal_open(struct mst_segr *r, const struct mst_segment_id *id,
                             const struct mst_sealing *sealing, struct mst_err *err)
{
    struct mst_buf context = {0};
    enum mst_rc rc;

    r->stored = r->end;
    if (!mst_seal_content(r->stored, &r->end)) {
        return mst_err_set(err, MST_E_INTEGRITY, "%s is cut short: no sealed object has %llu bytes",
                           r->key, (unsigned long long)r->stored);
    }
    if (read_all(r, 0, r->head, sizeof(r->head), err) != MST_OK) {
        return err->rc;
    }
    if (memcmp(r->head, SEALED_MAGIC, sizeof(SEALED_MAGIC) - 1) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s is not sealed, and its backup is: it was put there by somebody else",
                           r->key);
    }
    mst_segment_context(id, sealing->set, &context);
    rc = mst_opener_new(sealing->key, context.p, context.len, r->head, &r->seal, err);
    mst_buf_release(&context);
    return rc == MST_OK ? MST_OK : bad(r, err);
}

/* Open the chunks from index on that stand in r->chunk, and append their content to out. */
static enum mst_rc open_chunks(struct mst_segr *r, uint64_t index, struct mst_buf *out,
                               struct mst_err *err)
{
    for (size_t at = 0; at < r->chunk.len; index++) {
        const size_t left = r->chunk.len - at, n = left < CHUNK_STORED ? left : CHUNK_STORED;
        size_t got;

        if (mst_opener_chunk(r->seal, index, r->chunk.p + at, n, mst_buf_room(out, MST_SEAL_CHUNK),
                             &got, err) != MST_OK) {
            return bad(r, err);
        }
        out->len += got;
        at += n;
    }
    return MST_OK;
}

/* As many chunks as one read takes; a last one that is empty comes with the one before it, so that
 * whoever read to the end has seen that it is the end. */
static enum mst_rc fill_sealed(struct mst_segr *r, struct mst_err *err)
{
    const uint64_t index = r->next / MST_SEAL_CHUNK, from = MST_SEAL_HEAD + index * CHUNK_STORED;
    const size_t skip = (size_t)(r->next % MST_SEAL_CHUNK);
    const uint64_t last = (r->end + MST_SEAL_CHUNK - 1) / MST_SEAL_CHUNK; /* one past */
    const uint64_t chunks = last - index > CHUNKS ? CHUNKS : last - index;
    const size_t before = r->in.len;
    uint64_t n = chunks * CHUNK_STORED;
    size_t got;

    if (n > r->stored - from || r->stored - from - n == MST_SEAL_TAG) {
        n = r->stored - from;
    }
    mst_buf_reset(&r->chunk);
    if (read_all(r, from, mst_buf_room(&r->chunk, (size_t)n), (size_t)n, err) != MST_OK) {
        return err->rc;
    }
    r->chunk.len = (size_t)n;
    if (r->tap) {
        if (index == 0) {
            r->tap(r->tap_arg, r->head, sizeof(r->head));
        }
        r->tap(r->tap_arg, r->chunk.p, r->chunk.len);
    }
    if (open_chunks(r, index, &r->in, err) != MST_OK) {
        return err->rc;
    }
    got = r->in.len - before - skip;
    if (skip) { /* an extent begins inside of a chunk; nothing was read before it */
        memmove(r->in.p + before, r->in.p + before + skip, got);
    }
    if (got > r->end - r->next) { /* and may end inside of one */
        got = (size_t)(r->end - r->next);
    }
    r->in.len = before + got;
    r->next += got;
    return MST_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum mst_rc reader_new(struct mst_store *store, const char *key,
                              const struct mst_segment_id *id, const struct mst_sealing *sealing,
                              struct mst_segr **out, struct mst_err *err)
{
    struct mst_segr *r = mst_xcalloc(1, sizeof(*r));

    *out = NULL;
    r->store = store;
    (void)mst_copy(r->key, sizeof(r->key), key);
    r->z = mst_zdec_new();
    MST_ASSERT(!sealing || id);
    if (mst_store_stat(store, key, &r->end, err) != MST_OK ||
        (sealing && seal_open(r, id, sealing, err) != MST_OK)) {
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
    if (r->seal) {
        return fill_sealed(r, err);
    }
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

/* The first bytes of the content, without moving the reader. */
static enum mst_rc first_bytes(struct mst_segr *r, struct mst_buf *out, struct mst_err *err)
{
    const size_t room = HEAD_MAX + 8;
    size_t n = CHUNK_STORED, got;

    if (!r->seal) {
        if (mst_store_read(r->store, r->key, 0, mst_buf_room(out, room), room, &got, err) !=
            MST_OK) {
            return err->rc;
        }
        out->len = got;
        return MST_OK;
    }
    if (n > r->stored - MST_SEAL_HEAD) {
        n = (size_t)(r->stored - MST_SEAL_HEAD);
    }
    mst_buf_reset(&r->chunk);
    if (read_all(r, MST_SEAL_HEAD, mst_buf_room(&r->chunk, n), n, err) != MST_OK) {
        return err->rc;
    }
    r->chunk.len = n;
    return open_chunks(r, 0, out, err);
}

static enum mst_rc check_head(struct mst_segr *r, const struct mst_segment_id *id,
                              const struct mst_buf *head, struct mst_err *err)
{
    struct mst_segment_id have;
    size_t used;

    if (!r->seal && head->len >= sizeof(SEALED_MAGIC) - 1 &&
        memcmp(head->p, SEALED_MAGIC, sizeof(SEALED_MAGIC) - 1) == 0) {
        return mst_err_set(err, MST_E_INTEGRITY, "%s is sealed, and its backup is not", r->key);
    }
    if (mst_segment_head_get(head->p, head->len, &have, &used, err) != MST_OK) {
        mst_err_prefix(err, "%s ", r->key);
        return err->rc;
    }
    if (id && (have.role != id->role || have.number != id->number || have.part != id->part ||
               strcmp(have.backup, id->backup) != 0 || strcmp(have.attempt, id->attempt) != 0)) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s is another object: %s/%s, kind %d, number %u-%u", r->key,
                           have.backup, have.attempt, (int)have.role, have.number, have.part);
    }
    return MST_OK;
}

enum mst_rc mst_segr_open(struct mst_store *store, const char *key, const struct mst_segment_id *id,
                          const struct mst_sealing *sealing, struct mst_segr **out,
                          struct mst_err *err)
{
    struct mst_buf head = {0};
    struct mst_segr *r;
    enum mst_rc rc = reader_new(store, key, id, sealing, &r, err);

    *out = NULL;
    if (rc != MST_OK) {
        return rc;
    }
    rc = first_bytes(r, &head, err);
    rc = rc == MST_OK ? check_head(r, id, &head, err) : rc;
    mst_buf_release(&head);
    if (rc != MST_OK) {
        mst_segr_free(r);
        return rc;
    }
    *out = r;
    return MST_OK;
}

enum mst_rc mst_segr_open_extent(struct mst_store *store, const char *key,
                                 const struct mst_segment_id *id, const struct mst_extent *e,
                                 const struct mst_sealing *sealing, struct mst_segr **out,
                                 struct mst_err *err)
{
    struct mst_segr *r;

    *out = NULL;
    if (reader_new(store, key, id, sealing, &r, err) != MST_OK) {
        return err->rc;
    }
    if (e->offset > r->end || e->stored_bytes > r->end - e->offset) {
        (void)mst_err_set(
            err, MST_E_INTEGRITY, "%s is cut short: it has %llu bytes, %llu are needed", key,
            (unsigned long long)r->end, (unsigned long long)(e->offset + e->stored_bytes));
        mst_segr_free(r);
        return err->rc;
    }
    r->next = e->offset;
    r->end = e->offset + e->stored_bytes;
    r->want = *e;
    r->has_extent = true;
    *out = r;
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
        mst_opener_free(r->seal);
        mst_buf_release(&r->chunk);
        mst_buf_release(&r->in);
        mst_buf_release(&r->content);
        free(r);
    }
}
