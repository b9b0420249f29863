/* archive.c: one pass over an archive. */
#include "restore/import/archive.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "restore/import/crc64.h"

#define DOC_MAX (16u * 1024u * 1024u + 16u * 1024u)
#define READ_AHEAD (256u * 1024u)

struct state {
    struct mst_archive_ns id;
    uint64_t crc;
    bool ended;
};

struct reader {
    mst_archive_read_fn *read;
    void *arg;
    const struct mst_archive_sink *sink;
    uint64_t offset; /* of what p + at points to */
    struct mst_buf buf;
    size_t at;
    bool input_ended;
    struct state *ns;
    size_t n, cap, last; /* last: found by the lookup before */
    size_t open;         /* not ended yet */
};

static enum mst_rc damaged(const struct reader *r, const char *what, struct mst_err *err)
{
    return mst_err_set(err, MST_E_INTEGRITY, "archive: %s at byte %llu", what,
                       (unsigned long long)r->offset);
}

/* Have at least n bytes in the buffer, or *have false at the end of the input. */
static enum mst_rc fill(struct reader *r, size_t n, bool *have, struct mst_err *err)
{
    if (r->at) {
        mst_buf_drop(&r->buf, r->at);
        r->at = 0;
    }
    while (r->buf.len < n && !r->input_ended) {
        const size_t want = n - r->buf.len > READ_AHEAD ? n - r->buf.len : READ_AHEAD;
        size_t got = 0;
        const enum mst_rc rc = r->read(r->arg, mst_buf_room(&r->buf, want), want, &got, err);

        if (rc != MST_OK) {
            return rc;
        }
        r->buf.len += got;
        r->input_ended = got == 0;
    }
    *have = r->buf.len >= n;
    return MST_OK;
}

/* What comes next: a document, a terminator (doc NULL), or the end (*end). */
static enum mst_rc next(struct reader *r, const uint8_t **doc, uint32_t *n, bool *end,
                        struct mst_err *err)
{
    bool have = false;
    uint32_t len;

    *doc = NULL;
    *n = 0;
    *end = false;
    if (r->buf.len - r->at < 4 && fill(r, 4, &have, err) != MST_OK) {
        return err->rc;
    }
    if (r->buf.len - r->at < 4) {
        if (r->buf.len - r->at) {
            return damaged(r, "ends inside a length", err);
        }
        *end = true;
        return MST_OK;
    }
    len = mst_le32(r->buf.p + r->at);
    if (len == UINT32_MAX) {
        r->at += 4;
        r->offset += 4;
        return MST_OK;
    }
    if (len < 5 || len > DOC_MAX) {
        return damaged(r, "impossible length of a document", err);
    }
    if (r->buf.len - r->at < len) {
        if (fill(r, len, &have, err) != MST_OK) {
            return err->rc;
        }
        if (!have) {
            return damaged(r, "ends inside a document", err);
        }
    }
    *doc = r->buf.p + r->at;
    *n = len;
    if ((*doc)[len - 1] != 0) {
        return damaged(r, "a document without its end", err);
    }
    r->at += len;
    r->offset += len;
    return MST_OK;
}

struct head {
    const char *db, *coll, *metadata, *type;
    bool eof;
    uint64_t crc;
};

/* A header's fields; a field that nobody knows is damage, as the stock tool has it. */
static bool read_head(const bson_t *b, bool prelude, struct head *h)
{
    bson_iter_t it;
    bool ok = bson_iter_init(&it, b);

    memset(h, 0, sizeof *h);
    h->metadata = h->type = "";
    while (ok && bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        const char *text = BSON_ITER_HOLDS_UTF8(&it) ? bson_iter_utf8(&it, NULL) : NULL;

        if (strcmp(key, "db") == 0 && text) {
            h->db = text;
        } else if (strcmp(key, "collection") == 0 && text) {
            h->coll = text;
        } else if (prelude && strcmp(key, "metadata") == 0 && text) {
            h->metadata = text;
        } else if (prelude && strcmp(key, "type") == 0 && text) {
            h->type = text;
        } else if (!prelude && strcmp(key, "EOF") == 0 && BSON_ITER_HOLDS_BOOL(&it)) {
            h->eof = bson_iter_bool(&it);
        } else if (!prelude && strcmp(key, "CRC") == 0 && BSON_ITER_HOLDS_INT64(&it)) {
            h->crc = (uint64_t)bson_iter_int64(&it);
        } else {
            ok = prelude && strcmp(key, "size") == 0;
        }
    }
    return ok && it.err_off == 0 && h->db && h->coll && strlen(h->db) < 64 && strlen(h->coll) < 256;
}

static enum mst_rc add_ns(struct reader *r, const struct head *h, struct mst_err *err)
{
    struct state *s;

    if (r->n >= MST_ARCHIVE_NS_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "archive: more than %u namespaces",
                           MST_ARCHIVE_NS_MAX);
    }
    mst_grow((void **)&r->ns, &r->cap, r->n + 1, sizeof *r->ns);
    s = &r->ns[r->n];
    memset(s, 0, sizeof *s);
    (void)mst_copy(s->id.db, sizeof s->id.db, h->db);
    (void)mst_copy(s->id.coll, sizeof s->id.coll, h->coll);
    (void)mst_copy(s->id.type, sizeof s->id.type, h->type);
    r->open++;
    return r->sink->ns(r->sink->arg, r->n++, &s->id, h->metadata, err);
}

static size_t find(struct reader *r, const struct head *h)
{
    size_t i, k = r->last;

    for (i = 0; i < r->n; i++, k = k + 1 < r->n ? k + 1 : 0) {
        if (strcmp(r->ns[k].id.coll, h->coll) == 0 && strcmp(r->ns[k].id.db, h->db) == 0) {
            r->last = k;
            return k;
        }
    }
    return SIZE_MAX;
}

static enum mst_rc prelude(struct reader *r, struct mst_err *err)
{
    const uint8_t *p = NULL;
    uint32_t n = 0;
    bool end = false, have = false;
    bson_t b;
    struct head h;
    enum mst_rc rc;

    if (fill(r, 4, &have, err) != MST_OK) {
        return err->rc;
    }
    if (!have || mst_le32(r->buf.p) != MST_ARCHIVE_MAGIC) {
        return mst_err_set(err, MST_E_INTEGRITY, "not a mongodump archive: its first bytes differ");
    }
    r->at = 4;
    r->offset = 4;
    if (next(r, &p, &n, &end, err) != MST_OK) {
        return err->rc;
    }
    if (!p || !bson_init_static(&b, p, n)) {
        return damaged(r, "no header", err);
    }
    rc = r->sink->begin(r->sink->arg, &b, err);
    while (rc == MST_OK && (rc = next(r, &p, &n, &end, err)) == MST_OK && p) {
        if (!bson_init_static(&b, p, n) || !read_head(&b, true, &h)) {
            return damaged(r, "a prelude entry that is none", err);
        }
        if (find(r, &h) != SIZE_MAX) {
            return damaged(r, "a namespace twice in the prelude", err);
        }
        rc = add_ns(r, &h, err);
    }
    if (rc == MST_OK && end) {
        return damaged(r, "ends inside the prelude", err);
    }
    return rc;
}

static enum mst_rc documents(struct reader *r, size_t k, struct mst_err *err)
{
    const uint8_t *p = NULL;
    uint32_t n = 0;
    bool end = false;
    enum mst_rc rc;

    while ((rc = next(r, &p, &n, &end, err)) == MST_OK && p) {
        r->ns[k].crc = mst_crc64(r->ns[k].crc, p, n);
        rc = r->sink->doc(r->sink->arg, k, p, n, r->offset - n, err);
        if (rc != MST_OK) {
            return rc;
        }
    }
    return rc == MST_OK && end ? damaged(r, "ends inside a block", err) : rc;
}

static enum mst_rc block(struct reader *r, const uint8_t *p, uint32_t n, struct mst_err *err)
{
    struct head h;
    bson_t b;
    size_t k;
    bool end = false;
    enum mst_rc rc;

    if (!bson_init_static(&b, p, n) || !read_head(&b, false, &h)) {
        return damaged(r, "a block without a header", err);
    }
    k = find(r, &h);
    if (k == SIZE_MAX && !h.db[0] && strcmp(h.coll, "oplog") == 0) {
        if (add_ns(r, &h, err) != MST_OK) {
            return err->rc;
        }
        k = r->n - 1;
    }
    if (k == SIZE_MAX) {
        return damaged(r, "a block of a namespace that the prelude does not have", err);
    }
    if (r->ns[k].ended) {
        return damaged(r, "a block of a namespace that had its end", err);
    }
    if (!h.eof) {
        return documents(r, k, err);
    }
    if (h.crc != r->ns[k].crc) {
        char name[330];

        (void)snprintf(name, sizeof name, "%s.%s", r->ns[k].id.db, r->ns[k].id.coll);
        mst_text_sanitise(name);
        return mst_err_set(err, MST_E_INTEGRITY, "archive: the CRC of %s differs", name);
    }
    r->ns[k].ended = true;
    r->open--;
    rc = next(r, &p, &n, &end, err);
    if (rc == MST_OK && (p || end)) {
        return damaged(r, "an end block with content", err);
    }
    return rc == MST_OK ? r->sink->end(r->sink->arg, k, err) : rc;
}

enum mst_rc mst_archive_read(mst_archive_read_fn *read, void *read_arg,
                             const struct mst_archive_sink *sink, struct mst_err *err)
{
    struct reader r = {.read = read, .arg = read_arg, .sink = sink};
    const uint8_t *p = NULL;
    uint32_t n = 0;
    bool end = false;
    enum mst_rc rc = prelude(&r, err);

    while (rc == MST_OK) {
        rc = next(&r, &p, &n, &end, err);
        if (rc != MST_OK || end) {
            break;
        }
        rc = p ? block(&r, p, n, err) : damaged(&r, "a terminator without a block", err);
    }
    if (rc == MST_OK && r.open) {
        rc =
            mst_err_set(err, MST_E_INTEGRITY,
                        "archive: it ends before %zu of %zu namespaces were complete", r.open, r.n);
    }
    mst_buf_release(&r.buf);
    free(r.ns);
    return rc;
}
