/* An object in parts. A few workers send them; who writes waits while enough are on their way, so
 * that memory stays bounded, and hears of a part that failed with its next one. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "hash/mac.h"
#include "log/log.h"
#include "store/s3_own.h"
#include "store/xml.h"

#define ID_MAX 1024U
#define LOOK_MS 200

/* --- one part --- */

static enum mst_rc send_part(struct s3_part *part, struct s3_done *done, struct mst_err *err)
{
    struct s3_upload *u = part->up;
    uint8_t digest[MST_SHA256_LEN], md5[MST_MD5_LEN];
    char number[16], hash[MST_SHA256_HEX], sum[MST_BASE64_SIZE(MST_SHA256_LEN)];
    struct s3_req r = {.method = "PUT",
                       .key = u->key,
                       .what = "write a part of",
                       .action = "s3:PutObject",
                       .body = part->data.p,
                       .body_n = part->data.len,
                       .hash = hash,
                       .needs_etag = true,
                       .task = u->task};
    struct s3_answer a;
    const char *kept;
    enum mst_rc rc;

    (void)snprintf(number, sizeof(number), "%u", part->number);
    mst_s3_ask(&r, "partNumber", number);
    mst_s3_ask(&r, "uploadId", u->id);
    mst_sha256_of(part->data.p, part->data.len, digest);
    (void)mst_hex(digest, sizeof(digest), hash);
    if (u->s->profile->checksum == 's') {
        (void)mst_base64(digest, sizeof(digest), sum);
        mst_s3_sum_headers(u->s, &r, sum);
        (void)mst_copy(done->checksum, sizeof(done->checksum), sum);
    } else {
        mst_md5_of(part->data.p, part->data.len, md5);
        mst_s3_say(&r, "content-md5", mst_base64(md5, sizeof(md5), sum));
    }
    rc = mst_s3_call(u->s, &r, &a, err);
    if (rc == MST_OK) {
        kept = mst_http_header(&a.reply.headers, "x-amz-checksum-sha256");
        (void)mst_copy(done->etag, sizeof(done->etag), mst_http_header(&a.reply.headers, "etag"));
        if (kept && done->checksum[0] && strcmp(kept, done->checksum) != 0) {
            rc = mst_err_set(err, MST_E_INTEGRITY,
                             "a part of %s in the store %s: it keeps another checksum than that of "
                             "what was sent",
                             u->key, u->s->base.name);
        }
    } else if (rc == MST_E_NOTFOUND) {
        rc = mst_err_set(err, MST_E_SERVER,
                         "the store %s has ended the upload of %s before it was complete",
                         u->s->base.name, u->key);
    }
    mst_http_reply_release(&a.reply);
    return rc;
}

/* With the lock held. The buffer of a part serves the next one: a store that is written to has as
 * many as parts may be on their way, and the one that is being filled. */
static void give_back(struct s3 *s, struct mst_buf *data)
{
    if (s->uploads > 0 && s->n_spare < s->limit_max) {
        mst_buf_reset(data);
        s->spare[s->n_spare++] = *data;
    } else {
        mst_buf_release(data);
    }
}

static void work(void *arg)
{
    struct s3 *s = arg;

    mst_mutex_lock(&s->mtx);
    for (;;) {
        struct s3_part *part = s->first;
        struct s3_done done = {0};
        struct mst_err err = {0};

        if (s->stopping) {
            break;
        }
        if (!part || s->flying >= s->limit) {
            mst_cond_wait(&s->work, &s->mtx);
            continue;
        }
        s->first = part->next;
        s->last = s->first ? s->last : NULL;
        s->queued--;
        if (part->up->failed.rc == MST_OK) {
            s->flying++;
            mst_mutex_unlock(&s->mtx);
            (void)!send_part(part, &done, &err);
            mst_mutex_lock(&s->mtx);
            s->flying--;
            if (err.rc != MST_OK && part->up->failed.rc == MST_OK) {
                part->up->failed = err;
            }
            part->up->parts[part->number - 1] = done;
        }
        part->up->out--;
        give_back(s, &part->data);
        free(part);
        mst_cond_broadcast(&s->done);
        mst_cond_signal(&s->work); /* the place that is free now may be another's turn */
    }
    mst_mutex_unlock(&s->mtx);
}

/* With the lock held. */
static enum mst_rc start_workers(struct s3 *s, struct mst_err *err)
{
    for (unsigned i = 0; i < s->limit_max; i++) {
        if (!s->workers[i].running &&
            mst_thread_start(&s->workers[i], "s3-part", work, s, err) != MST_OK) {
            return i > 0 ? MST_OK : err->rc; /* fewer do as well */
        }
    }
    return MST_OK;
}

void mst_s3_workers_stop(struct s3 *s)
{
    mst_mutex_lock(&s->mtx);
    s->stopping = true;
    mst_cond_broadcast(&s->work);
    mst_mutex_unlock(&s->mtx);
    for (unsigned i = 0; i < MST_S3_CONNECTIONS_MAX; i++) {
        mst_thread_join(&s->workers[i]);
    }
}

/* --- the upload --- */

static void free_upload(struct s3_upload *u)
{
    struct s3 *s = u->s;
    bool last;

    mst_mutex_lock(&s->mtx);
    last = --s->uploads == 0;
    while (last && s->n_spare > 0) {
        mst_buf_release(&s->spare[--s->n_spare]);
    }
    mst_mutex_unlock(&s->mtx);
    if (last) {
        (void)malloc_trim(0); /* an agent lives long, and uploads seldom */
    }
    free(u->id);
    free(u->parts);
    free(u);
}

static bool take_id(void *arg, const char *path, const char *text)
{
    struct s3_upload *u = arg;

    /* The name of the root differs from server to server. */
    const char *leaf = strchr(path, '/');

    if (leaf && strcmp(leaf, "/UploadId") == 0 && *text && strlen(text) < ID_MAX && !u->id) {
        u->id = mst_xstrdup(text);
    }
    return true;
}

enum mst_rc mst_s3_upload_begin(struct s3 *s, const char *key, const char *mark,
                                struct mst_task *task, struct s3_upload **out, struct mst_err *err)
{
    struct s3_upload *u = mst_xcalloc(1, sizeof(*u));
    struct s3_req r = {.method = "POST",
                       .key = u->key,
                       .what = "begin to write",
                       .action = "s3:PutObject",
                       .error_in_200 = true,
                       .task = task};
    struct s3_answer a;
    char until[MST_TIME_MAX];
    enum mst_rc rc;

    mst_mutex_lock(&s->mtx);
    s->uploads++;
    mst_mutex_unlock(&s->mtx);
    u->s = s;
    u->task = task;
    (void)mst_copy(u->key, sizeof(u->key), key);
    (void)mst_copy(u->mark, sizeof(u->mark), mark);
    mst_s3_ask(&r, "uploads", "");
    mst_s3_object_headers(s, &r);
    mst_s3_lock_headers(s, &r, until);
    mst_s3_say(&r, S3_MARK, u->mark);
    if (s->profile->checksum == 's') {
        mst_s3_say(&r, "x-amz-checksum-algorithm", "SHA256");
    }
    rc = mst_s3_call(s, &r, &a, err);
    if (rc == MST_OK) {
        struct mst_err why = {0};

        if (mst_xml_parse(a.reply.body.p, a.reply.body.len, take_id, u, &why) != MST_OK || !u->id) {
            rc = mst_err_set(err, MST_E_SERVER,
                             "cannot begin to write %s: the store %s (%s) answered with %s", key,
                             s->base.name, s->base.where, why.rc ? why.msg : "no upload id");
        }
    }
    mst_http_reply_release(&a.reply);
    mst_mutex_lock(&s->mtx);
    if (rc == MST_OK) {
        rc = start_workers(s, err);
    }
    mst_mutex_unlock(&s->mtx);
    if (rc != MST_OK) {
        free_upload(u);
        return rc;
    }
    *out = u;
    return MST_OK;
}

void mst_s3_upload_room(struct s3_upload *u, struct mst_buf *out)
{
    struct s3 *s = u->s;

    mst_mutex_lock(&s->mtx);
    if (s->n_spare > 0) {
        *out = s->spare[--s->n_spare];
    }
    mst_mutex_unlock(&s->mtx);
    (void)mst_buf_room(out, (size_t)s->part_bytes); /* once, and not by doubling */
}

enum mst_rc mst_s3_upload_part(struct s3_upload *u, struct mst_buf *data, struct mst_err *err)
{
    struct s3 *s = u->s;
    struct s3_part *part;

    if (u->n == MST_S3_PARTS) {
        return mst_err_set(
            err, MST_E_LIMIT,
            "%s would have more than %u parts of %llu bytes: raise part_bytes of the "
            "store %s",
            u->key, MST_S3_PARTS, (unsigned long long)s->part_bytes, s->base.name);
    }
    mst_mutex_lock(&s->mtx);
    while (s->queued + s->flying >= s->limit_max && u->failed.rc == MST_OK &&
           !mst_task_cancelled(u->task)) {
        (void)mst_cond_wait_ms(&s->done, &s->mtx, LOOK_MS);
    }
    if (u->failed.rc != MST_OK || mst_task_check(u->task, err) != MST_OK) {
        if (u->failed.rc != MST_OK) {
            *err = u->failed;
        }
        mst_mutex_unlock(&s->mtx);
        return err->rc;
    }
    part = mst_xcalloc(1, sizeof(*part));
    part->up = u;
    part->data = *data;
    memset(data, 0, sizeof(*data));
    mst_grow((void **)&u->parts, &u->cap, u->n + 1, sizeof(u->parts[0]));
    memset(&u->parts[u->n], 0, sizeof(u->parts[0]));
    part->number = (unsigned)++u->n;
    u->bytes += part->data.len;
    u->out++;
    s->queued++;
    if (s->last) {
        s->last->next = part;
    } else {
        s->first = part;
    }
    s->last = part;
    mst_cond_signal(&s->work);
    mst_mutex_unlock(&s->mtx);
    return MST_OK;
}

/* Until no part is out; what is queued is dropped when it failed. */
static enum mst_rc settle(struct s3_upload *u, struct mst_err *err)
{
    struct s3 *s = u->s;

    mst_mutex_lock(&s->mtx);
    while (u->out > 0) {
        if (u->failed.rc == MST_OK) {
            (void)!mst_task_check(u->task, &u->failed);
        }
        (void)mst_cond_wait_ms(&s->done, &s->mtx, LOOK_MS);
    }
    if (u->failed.rc != MST_OK) {
        *err = u->failed;
    }
    mst_mutex_unlock(&s->mtx);
    return u->failed.rc;
}

static void complete_text(const struct s3_upload *u, struct mst_str *out)
{
    mst_str_add(out, "<CompleteMultipartUpload "
                     "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < u->n; i++) {
        mst_str_addf(out, "<Part><PartNumber>%zu</PartNumber><ETag>", i + 1);
        mst_xml_escape(out, u->parts[i].etag);
        mst_str_add(out, "</ETag>");
        if (u->parts[i].checksum[0]) {
            mst_str_addf(out, "<ChecksumSHA256>%s</ChecksumSHA256>", u->parts[i].checksum);
        }
        mst_str_add(out, "</Part>");
    }
    mst_str_add(out, "</CompleteMultipartUpload>");
}

static bool take_etag(void *arg, const char *path, const char *text)
{
    bool *have = arg;

    *have = *have || (strcmp(path, "CompleteMultipartUploadResult/ETag") == 0 && *text);
    return true;
}

static enum mst_rc complete(struct s3_upload *u, struct mst_err *err)
{
    struct mst_str text = {0};
    struct s3_req r = {.method = "POST",
                       .key = u->key,
                       .what = "finish writing",
                       .action = "s3:PutObject",
                       .error_in_200 = true,
                       .task = u->task};
    struct s3_answer a;
    struct mst_err why = {0}, looked = {0}, xml = {0};
    bool have = false;
    enum mst_rc rc;

    complete_text(u, &text);
    r.body = text.p;
    r.body_n = text.len;
    mst_s3_ask(&r, "uploadId", u->id);
    mst_s3_say(&r, "content-type", "application/xml");
    if (mst_s3_caps(&u->s->base)->create_only) {
        mst_s3_say(&r, "if-none-match", "*");
    }
    rc = mst_s3_call(u->s, &r, &a, &why);
    if (rc == MST_OK &&
        (mst_xml_parse(a.reply.body.p, a.reply.body.len, take_etag, &have, &xml) != MST_OK ||
         !have)) {
        rc = mst_err_set(&why, MST_E_SERVER,
                         "cannot finish writing %s: the store %s answered with %s", u->key,
                         u->s->base.name, xml.rc ? xml.msg : "no ETag");
        a.maybe_done = true;
    }
    if (rc != MST_OK && rc != MST_E_CANCELLED && a.maybe_done) {
        /* Outcome unknown: look before anything is said or taken away. */
        rc = mst_s3_is_ours(u->s, u->key, u->mark, u->bytes, NULL, u->task, &looked);
        if (rc != MST_OK) {
            *err = rc == MST_E_NOTFOUND ? why : looked;
            rc = err->rc = err->rc == MST_E_NOTFOUND ? MST_E_SERVER : err->rc;
        }
    } else if (rc == MST_E_NOTFOUND) {
        rc = mst_err_set(err, MST_E_SERVER,
                         "the store %s has ended the upload of %s before it was complete",
                         u->s->base.name, u->key);
    } else if (rc == MST_E_EXISTS) {
        rc = mst_err_set(err, MST_E_EXISTS, "%s exists already in the store %s", u->key,
                         u->s->base.name);
    } else if (rc != MST_OK) {
        *err = why;
    }
    mst_http_reply_release(&a.reply);
    mst_str_release(&text);
    return rc;
}

/* What cannot be removed now is found by a listing of unfinished uploads. */
static void abort_it(struct s3_upload *u)
{
    struct s3_req r = {.method = "DELETE",
                       .key = u->key,
                       .what = "give up",
                       .action = "s3:AbortMultipartUpload",
                       .tries_max = 3};
    struct s3_answer a;
    struct mst_err err = {0};

    mst_s3_ask(&r, "uploadId", u->id);
    if (mst_s3_call(u->s, &r, &a, &err) != MST_OK && err.rc != MST_E_NOTFOUND) {
        mst_log(MST_LOG_WARN, "store", "an unfinished upload stays in the store: %s", err.msg);
    }
    mst_http_reply_release(&a.reply);
}

enum mst_rc mst_s3_upload_complete_take(struct s3_upload *u, struct mst_err *err)
{
    enum mst_rc rc = settle(u, err);

    if (rc == MST_OK) {
        rc = complete(u, err);
    }
    if (rc != MST_OK && rc != MST_E_UNKNOWN) {
        abort_it(u);
    }
    rc = rc == MST_OK ? mst_s3_lock_kept(u->s, u->key, err) : rc;
    free_upload(u);
    return rc;
}

void mst_s3_upload_abort_take(struct s3_upload *u)
{
    struct mst_err err = {0};

    mst_mutex_lock(&u->s->mtx);
    if (u->failed.rc == MST_OK) {
        (void)mst_err_set(&u->failed, MST_E_CANCELLED, "given up"); /* what is queued is dropped */
    }
    mst_mutex_unlock(&u->s->mtx);
    (void)!settle(u, &err);
    abort_it(u);
    free_upload(u);
}
