/* Writing: a small object goes in one request when it ends, a larger one in parts as it comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/base64.h"
#include "base/mem.h"
#include "hash/mac.h"
#include "store/s3_own.h"

struct s3_put {
    struct mst_store_put base;
    char key[MST_KEY_MAX], mark[S3_MARK_LEN];
    struct mst_task *task;
    struct mst_buf buf;
    struct s3_upload *up; /* NULL while it is small */
};

static struct s3_put *put_of(struct mst_store_put *p)
{
    return (struct s3_put *)(void *)p;
}

void mst_s3_object_headers(const struct s3 *s, struct s3_req *r)
{
    mst_s3_say(r, "content-type", "application/octet-stream");
    if (*s->storage_class) {
        mst_s3_say(r, "x-amz-storage-class", s->storage_class);
    }
    if (*s->sse) {
        mst_s3_say(r, "x-amz-server-side-encryption", s->sse);
    }
    if (*s->sse_key) {
        mst_s3_say(r, "x-amz-server-side-encryption-aws-kms-key-id", s->sse_key);
    }
    if (*s->tags) {
        mst_s3_say(r, "x-amz-tagging", s->tags);
        r->action = "s3:PutObject and s3:PutObjectTagging";
    }
}

static void free_put(struct s3_put *p)
{
    mst_buf_release(&p->buf);
    free(p);
}

/* A store that cannot refuse a second object of a name is asked before, and promised that nobody
 * else writes. */
static enum mst_rc may_begin(struct s3 *s, const char *key, struct mst_task *task,
                             struct mst_err *err)
{
    const struct mst_store_caps *caps;
    uint64_t bytes;
    enum mst_rc rc;

    if (!s->write) {
        return mst_err_set(err, MST_E_PRECOND, "the store %s is opened for reading only",
                           s->base.name);
    }
    if (mst_s3_lock_ready(s, task, err) != MST_OK || mst_s3_probe(&s->base, task, err) != MST_OK) {
        return err->rc;
    }
    caps = mst_s3_caps(&s->base);
    if (caps->create_only) {
        return MST_OK;
    }
    if (!s->single_writer) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the store %s (%s) cannot keep two writers from overwriting each other "
                           "(%s): it is used only with single_writer = true",
                           s->base.name, s->base.where, caps->text);
    }
    rc = mst_s3_stat(&s->base, key, &bytes, err);
    if (rc == MST_OK) {
        return mst_err_set(err, MST_E_EXISTS, "%s exists already in the store %s", key,
                           s->base.name);
    }
    if (rc == MST_E_NOTFOUND) {
        memset(err, 0, sizeof(*err));
        return MST_OK;
    }
    return rc;
}

enum mst_rc mst_s3_put_begin(struct mst_store *store, const char *key, struct mst_store_put **out,
                             struct mst_err *err)
{
    struct mst_task *task = mst_store_works_for();
    uint8_t random[16];
    struct s3_put *p;

    if (may_begin(s3_of(store), key, task, err) != MST_OK) {
        return err->rc;
    }
    p = mst_xcalloc(1, sizeof(*p));
    p->base.store = store;
    p->task = task;
    (void)mst_copy(p->key, sizeof(p->key), key);
    MST_ASSERT(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random));
    (void)mst_hex(random, sizeof(random), p->mark);
    *out = &p->base;
    return MST_OK;
}

enum mst_rc mst_s3_put_add(struct mst_store_put *base, const void *data, size_t n,
                           struct mst_err *err)
{
    struct s3_put *p = put_of(base);
    struct s3 *s = s3_of(base->store);
    const char *from = data;

    while (n > 0) {
        const size_t room = (size_t)s->part_bytes - p->buf.len, now = n < room ? n : room;

        mst_buf_add(&p->buf, from, now);
        from += now;
        n -= now;
        if (p->buf.len < s->part_bytes || n == 0) {
            continue; /* a part goes when there is more: the last one is never empty */
        }
        if (!p->up && mst_s3_upload_begin(s, p->key, p->mark, p->task, &p->up, err) != MST_OK) {
            return err->rc;
        }
        if (mst_s3_upload_part(p->up, &p->buf, err) != MST_OK) {
            return err->rc;
        }
        mst_s3_upload_room(p->up, &p->buf);
    }
    return MST_OK;
}

static bool keep(void *arg, const void *p, size_t n)
{
    struct mst_buf *b = arg;

    mst_buf_add(b, p, n);
    return true;
}

static void forget(void *arg)
{
    mst_buf_reset(arg);
}

/* A store that keeps no marks: only the bytes themselves can tell. */
static enum mst_rc same_bytes(struct s3 *s, const char *key, uint64_t bytes, const void *data,
                              struct mst_task *task, struct mst_err *err)
{
    struct mst_buf have = {0};
    struct s3_req r = {.method = "GET",
                       .key = key,
                       .what = "read back",
                       .action = "s3:GetObject",
                       .sink = keep,
                       .again = forget,
                       .sink_arg = &have,
                       .body_max = (size_t)bytes,
                       .task = task};
    struct s3_answer a;
    enum mst_rc rc = mst_s3_call(s, &r, &a, err);

    if (rc == MST_OK && (have.len != bytes || memcmp(have.p, data, have.len) != 0)) {
        rc = mst_err_set(err, MST_E_EXISTS, "%s exists already in the store %s", key, s->base.name);
    }
    mst_buf_release(&have);
    mst_http_reply_release(&a.reply);
    return rc;
}

enum mst_rc mst_s3_is_ours(struct s3 *s, const char *key, const char *mark, uint64_t bytes,
                           const void *data, struct mst_task *task, struct mst_err *err)
{
    struct s3_req r = {
        .method = "HEAD", .key = key, .what = "look at", .action = "s3:GetObject", .task = task};
    struct s3_answer a;
    const char *size, *have;
    enum mst_rc rc = mst_s3_call(s, &r, &a, err);

    if (rc == MST_E_NOTFOUND || rc == MST_E_CANCELLED) {
        mst_http_reply_release(&a.reply);
        return rc;
    }
    if (rc != MST_OK) {
        const struct mst_err why = *err;

        mst_http_reply_release(&a.reply);
        return mst_err_set(err, MST_E_UNKNOWN, "it is not known whether %s was written: %s", key,
                           why.msg);
    }
    size = mst_http_header(&a.reply.headers, "content-length");
    have = mst_http_header(&a.reply.headers, S3_MARK);
    if (!size || strtoull(size, NULL, 10) != bytes || (have && strcmp(have, mark) != 0)) {
        rc = mst_err_set(err, MST_E_EXISTS, "%s exists already in the store %s", key, s->base.name);
    } else if (!have && data) {
        rc = same_bytes(s, key, bytes, data, task, err);
    } else if (!have) {
        rc = mst_err_set(err, MST_E_UNKNOWN,
                         "it is not known whether %s was written: the reply was lost, and the "
                         "store %s does not say whose object is there",
                         key, s->base.name);
    }
    mst_http_reply_release(&a.reply);
    return rc;
}

/* The store keeps what it was sent, when it says what it keeps. */
static enum mst_rc same_checksum(struct s3 *s, const char *key, const struct s3_answer *a,
                                 const char *sent, struct mst_err *err)
{
    const char *kept = mst_http_header(&a->reply.headers, "x-amz-checksum-sha256");

    if (!*sent || !kept || strcmp(kept, sent) == 0) {
        return MST_OK;
    }
    return mst_err_set(err, MST_E_INTEGRITY,
                       "%s in the store %s: it keeps another checksum than that of what was sent",
                       key, s->base.name);
}

static enum mst_rc put_small(struct s3 *s, struct s3_put *p, struct mst_err *err)
{
    uint8_t digest[MST_SHA256_LEN], md5[MST_MD5_LEN];
    char hash[MST_SHA256_HEX], sum[MST_BASE64_SIZE(MST_SHA256_LEN)] = "";
    char sum5[MST_BASE64_SIZE(MST_MD5_LEN)], until[MST_TIME_MAX];
    struct s3_req r = {.method = "PUT",
                       .key = p->key,
                       .what = "write",
                       .action = "s3:PutObject",
                       .body = p->buf.p,
                       .body_n = p->buf.len,
                       .hash = hash,
                       .needs_etag = true,
                       .task = p->task};
    const void *data = p->buf.len ? (const void *)p->buf.p : "";
    struct s3_answer a;
    struct mst_err why = {0}, looked = {0};
    enum mst_rc rc;

    mst_sha256_of(data, p->buf.len, digest);
    (void)mst_hex(digest, sizeof(digest), hash);
    mst_s3_object_headers(s, &r);
    mst_s3_lock_headers(s, &r, until);
    mst_s3_say(&r, S3_MARK, p->mark);
    if (mst_s3_caps(&s->base)->create_only) {
        mst_s3_say(&r, "if-none-match", "*");
    }
    if (s->profile->checksum == 's') {
        mst_s3_sum_headers(s, &r, mst_base64(digest, sizeof(digest), sum));
    } else {
        mst_md5_of(data, p->buf.len, md5);
        mst_s3_say(&r, "content-md5", mst_base64(md5, sizeof(md5), sum5));
    }
    rc = mst_s3_call(s, &r, &a, &why);
    if (rc == MST_OK) {
        rc = same_checksum(s, p->key, &a, sum, err);
    } else if (rc != MST_E_CANCELLED && a.maybe_done) {
        /* It may be there: an answer that was lost, or a refusal of our own second attempt. */
        rc = mst_s3_is_ours(s, p->key, p->mark, p->buf.len, data, p->task, &looked);
        if (rc != MST_OK) {
            *err = rc == MST_E_NOTFOUND ? why : looked;
            rc = err->rc = err->rc == MST_E_NOTFOUND ? MST_E_SERVER : err->rc;
        }
    } else if (rc == MST_E_EXISTS) {
        rc = mst_err_set(err, MST_E_EXISTS, "%s exists already in the store %s", p->key,
                         s->base.name);
    } else {
        *err = why;
    }
    mst_http_reply_release(&a.reply);
    return rc;
}

enum mst_rc mst_s3_put_finish(struct mst_store_put *base, struct mst_err *err)
{
    struct s3_put *p = put_of(base);
    struct s3 *s = s3_of(base->store);
    enum mst_rc rc = MST_OK;

    if (!p->up) {
        rc = put_small(s, p, err);
    } else if (mst_s3_upload_part(p->up, &p->buf, err) != MST_OK) {
        rc = err->rc;
        mst_s3_upload_abort_take(p->up);
    } else {
        rc = mst_s3_upload_complete_take(p->up, err);
    }
    mst_s3_windows_forget(s, p->key);
    free_put(p);
    return rc;
}

void mst_s3_put_abort(struct mst_store_put *base)
{
    struct s3_put *p = put_of(base);

    if (p->up) {
        mst_s3_upload_abort_take(p->up);
    }
    free_put(p);
}
