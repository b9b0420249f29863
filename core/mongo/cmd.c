#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "mongo/conn.h"

/* Commands are framed here, on the stream that the driver connected and logged in: its own calls
 * add sessions, look at every document and cannot send a document sequence through their public
 * interface. Nothing of a caller's bytes is changed. */

#define REPLY_KEEP (1U << 20) /* a larger reply buffer is given back by small replies */

static void put_extras(bson_t *b, const char *db)
{
    bson_t rp;

    (void)BSON_APPEND_UTF8(b, "$db", db);
    /* Inside a transaction only "primary" is allowed, which is what no preference means. */
    if (!bson_has_field(b, "$readPreference") && !bson_has_field(b, "autocommit")) {
        (void)BSON_APPEND_DOCUMENT_BEGIN(b, "$readPreference", &rp);
        (void)BSON_APPEND_UTF8(&rp, "mode", "primaryPreferred");
        (void)bson_append_document_end(b, &rp);
    }
}

/* After a failure inside the streams: what happened, with the member's name. */
static enum mst_rc broke(struct mst_conn *c, const bson_t *cmd, struct mst_err *err)
{
    char where[2 * MST_ADDR_MAX];
    bson_iter_t it;
    const char *what = bson_iter_init(&it, cmd) && bson_iter_next(&it) ? bson_iter_key(&it) : "?";

    c->broken = true;
    if (c->link.err.rc == MST_OK) {
        if (c->link.deadline_ms > 0 && mst_link_left(&c->link, -1) == 0) {
            mst_link_fail(&c->link, MST_E_TIMEOUT, 0, "no answer in time");
        } else {
            mst_link_fail(&c->link, MST_E_NET, ECONNRESET, "the connection broke");
        }
    }
    *err = c->link.err;
    mst_err_prefix(err, "%s: %.40s", mst_conn_where(c, where), what);
    return err->rc;
}

static bool write_all(struct mst_conn *c, mongoc_iovec_t *iov, size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++) {
        total += iov[i].iov_len;
    }
    return c->link.wire && mongoc_stream_writev(c->link.wire, iov, n,
                                                mst_link_left(&c->link, -1)) == (ssize_t)total;
}

static bool read_all(struct mst_conn *c, uint8_t *p, size_t n)
{
    while (n > 0) {
        mongoc_iovec_t iov = {.iov_base = p, .iov_len = n};
        ssize_t r;

        if (!c->link.wire) {
            return false;
        }
        r = mongoc_stream_readv(c->link.wire, &iov, 1, n, mst_link_left(&c->link, -1));
        if (r <= 0) {
            return false;
        }
        p += r;
        n -= (size_t)r;
    }
    return true;
}

static bool malformed(struct mst_conn *c, const char *wrong)
{
    mst_link_fail(&c->link, MST_E_INTEGRITY, MST_CD_PROTOCOL, "the server sent %s", wrong);
    return false;
}

static bool read_reply(struct mst_conn *c, bson_t *reply)
{
    uint8_t head[16];
    size_t len, off, doc;
    const char *wrong;

    if (!read_all(c, head, sizeof(head))) {
        return false;
    }
    len = mst_le32(head);
    if (len < 26 || len > MST_FRAME_MAX) {
        return malformed(c, "a message length out of range");
    }
    if ((int32_t)mst_le32(head + 8) != c->request) {
        return malformed(c, "an answer to another question");
    }
    if (c->in.cap > REPLY_KEEP && len < REPLY_KEEP / 4) {
        mst_buf_release(&c->in);
    }
    mst_buf_reset(&c->in);
    memcpy(mst_buf_room(&c->in, len), head, sizeof(head));
    if (!read_all(c, c->in.p + sizeof(head), len - sizeof(head))) {
        return false;
    }
    c->in.len = len;
    wrong = mst_frame_msg(c->in.p, len, &off, &doc);
    if (wrong) {
        return malformed(c, wrong);
    }
    if (!bson_init_static(reply, c->in.p + off, doc)) {
        return malformed(c, "a document that is not valid");
    }
    return true;
}

static enum mst_rc too_large(const struct mst_conn *c, size_t total, struct mst_err *err)
{
    return mst_err_set(err, MST_E_LIMIT, "a message of %zu bytes is larger than %s takes (%u)",
                       total, c->name, c->max_message);
}

/* body is the whole kind-0 document. */
static bool exchange(struct mst_conn *c, const bson_t *body, const char *field, const void *docs,
                     size_t n, size_t total, bson_t *reply)
{
    uint8_t head[21] = {0}, seq[5 + 64];
    const size_t name = field ? strlen(field) + 1 : 0;
    mongoc_iovec_t iov[4] = {
        {.iov_base = (char *)head, .iov_len = sizeof(head)},
        {.iov_base = (void *)(uintptr_t)bson_get_data(body), .iov_len = body->len}};
    size_t n_iov = 2;

    c->request = c->request == INT32_MAX ? 1 : c->request + 1;
    mst_put_le32(head, (uint32_t)total);
    mst_put_le32(head + 4, (uint32_t)c->request);
    mst_put_le32(head + 12, MST_OP_MSG);
    if (field) {
        seq[0] = 1;
        mst_put_le32(seq + 1, (uint32_t)(4 + name + n));
        memcpy(seq + 5, field, name);
        iov[n_iov].iov_base = seq;
        iov[n_iov++].iov_len = 5 + name;
        if (n > 0) {
            iov[n_iov].iov_base = (void *)(uintptr_t)docs;
            iov[n_iov++].iov_len = n;
        }
    }
    return write_all(c, iov, n_iov) && read_reply(c, reply);
}

enum mst_rc mst_conn_run(struct mst_conn *c, const char *db, const bson_t *cmd, const char *field,
                         const void *docs, size_t n, int64_t ms, bson_t *reply, struct mst_err *err)
{
    const int64_t start = mst_clock_mono_us();
    bson_t body;
    size_t total;
    enum mst_rc rc;

    if (mst_conn_broken(c)) {
        return mst_err_set(err, MST_E_NET, "%s: the connection is broken", c->name);
    }
    if (mst_task_cancelled(c->link.task) && !c->link.ignore_cancel) {
        return mst_err_set(err, MST_E_CANCELLED, "stopped on request");
    }
    MST_ASSERT(!field || strlen(field) < 64);
    bson_copy_to(cmd, &body);
    put_extras(&body, db);
    total = 21 + body.len + (field ? 5 + strlen(field) + 1 + n : 0);
    if (total > c->max_message || n > MST_FRAME_MAX) {
        bson_destroy(&body);
        return too_large(c, total, err);
    }
    c->link.deadline_ms = mst_clock_mono_ms(NULL) + (ms > 0 ? ms : 1);
    rc = exchange(c, &body, field, docs, n, total, reply) ? MST_OK : broke(c, cmd, err);
    c->link.deadline_ms = 0;
    c->rtt_us = mst_clock_mono_us() - start;
    bson_destroy(&body);
    return rc == MST_OK ? mst_reply_check(c->name, cmd, reply, err) : rc;
}

enum mst_rc mst_conn_command_docs(struct mst_conn *c, const char *db, const bson_t *cmd,
                                  const char *field, const void *docs, size_t n, int64_t ms,
                                  bson_t *reply, struct mst_err *err)
{
    bson_t view;
    enum mst_rc rc;

    bson_init_static(&view, (const uint8_t *)"\5\0\0\0\0", 5);
    rc = mst_conn_run(c, db, cmd, field, docs, n, ms, &view, err);
    bson_copy_to(&view, reply);
    return rc;
}

enum mst_rc mst_conn_command(struct mst_conn *c, const char *db, const bson_t *cmd, int64_t ms,
                             bson_t *reply, struct mst_err *err)
{
    return mst_conn_command_docs(c, db, cmd, NULL, NULL, 0, ms, reply, err);
}

enum mst_rc mst_conn_refresh(struct mst_conn *c, const bson_t *lsid, int64_t ms,
                             struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER, list, reply;
    enum mst_rc rc;

    (void)BSON_APPEND_ARRAY_BEGIN(&cmd, "refreshSessions", &list);
    (void)BSON_APPEND_DOCUMENT(&list, "0", lsid);
    (void)bson_append_array_end(&cmd, &list);
    rc = mst_conn_command(c, "admin", &cmd, ms, &reply, err);
    bson_destroy(&reply);
    bson_destroy(&cmd);
    return rc;
}
