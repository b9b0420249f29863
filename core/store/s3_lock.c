/* Object locks and tags of what is written, and the acts that a writer's key should not have. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "hash/mac.h"
#include "store/s3_own.h"
#include "store/xml.h"

/* --- what the bucket is set to ---------------------------------------------------------------- */

static bool ends_in(const char *path, const char *leaf)
{
    const char *slash = strrchr(path, '/');

    return slash && strcmp(slash + 1, leaf) == 0;
}

/* Roots are not called the same everywhere. */
static bool take_setting(void *arg, const char *path, const char *text)
{
    enum s3_setting *is = arg;

    if (ends_in(path, "Status") || ends_in(path, "ObjectLockEnabled")) {
        *is = strcmp(text, "Enabled") == 0                      ? S3_ON
              : *is == S3_OFF && strcmp(text, "Suspended") == 0 ? S3_SUSPENDED
                                                                : *is;
    }
    return true;
}

enum mst_rc mst_s3_setting(struct s3 *s, const char *what, const char *action,
                           struct mst_task *task, enum s3_setting *is, struct mst_err *err)
{
    struct s3_req r = {
        .method = "GET", .what = "look at", .action = action, .tries_max = 2, .task = task};
    struct s3_answer a;
    enum s3_setting said = S3_OFF;
    enum mst_rc rc;

    *is = S3_OFF;
    mst_s3_ask(&r, what, "");
    rc = mst_s3_call(s, &r, &a, err);
    if (rc == MST_OK) {
        rc = mst_xml_parse(a.reply.body.p, a.reply.body.len, take_setting, &said, err);
        *is = rc == MST_OK ? said : S3_OFF;
    } else if (rc != MST_E_CONFIG &&
               (a.reply.status == 404 || a.reply.status == 405 || a.reply.status == 501 ||
                strcmp(a.code, "InvalidRequest") == 0)) {
        memset(err, 0, sizeof(*err)); /* it has no such thing */
        rc = MST_OK;
    }
    mst_http_reply_release(&a.reply);
    return rc;
}

enum s3_locks mst_s3_locks(struct s3 *s, struct mst_task *task, struct mst_err *why)
{
    enum s3_locks have = (enum s3_locks)atomic_load(&s->locks);
    enum s3_setting is;

    if (have == S3_LOCKS_YES || have == S3_LOCKS_NO) {
        return have;
    }
    if (s->profile->google) {
        have = S3_LOCKS_NO;
    } else if (mst_s3_setting(s, "object-lock", "s3:GetBucketObjectLockConfiguration", task, &is,
                              why) != MST_OK) {
        have = S3_LOCKS_UNKNOWN;
    } else {
        have = is == S3_ON ? S3_LOCKS_YES : S3_LOCKS_NO;
    }
    atomic_store(&s->locks, (int)have);
    return have;
}

/* Where the key may not ask, each object is looked at. */
bool mst_s3_may_lock(struct mst_store *store)
{
    struct s3 *s = s3_of(store);
    struct mst_err ignore = {0};

    return s->write && (atomic_load(&s->locks) == S3_LOCKS_UNKNOWN ||
                        mst_s3_locks(s, mst_store_works_for(), &ignore) != S3_LOCKS_NO);
}

enum mst_rc mst_s3_lock_ready(struct s3 *s, struct mst_task *task, struct mst_err *err)
{
    struct mst_err why = {0};
    enum s3_locks have;

    if (s->base.lock_days == 0) {
        return MST_OK;
    }
    have = mst_s3_locks(s, task, &why);
    if (have == S3_LOCKS_NO) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the store %s says lock_days, and its bucket %s takes no object locks: "
                           "make a bucket with object lock, or take lock_days out",
                           s->base.name, s->bucket);
    }
    if (have == S3_LOCKS_UNKNOWN && why.rc != MST_E_AUTH) {
        *err = why;
        return why.rc;
    }
    return have == S3_LOCKS_YES
               ? MST_OK
               : mst_err_set(err, MST_E_AUTH,
                             "the store %s says lock_days, and its key may not ask whether the "
                             "bucket takes object locks: its policy has to allow "
                             "s3:GetBucketObjectLockConfiguration",
                             s->base.name);
}

/* --- what every object gets ------------------------------------------------------------------- */

void mst_s3_lock_headers(const struct s3 *s, struct s3_req *r, char until[MST_TIME_MAX])
{
    const int64_t ms = mst_store_lock_until(&s->base, mst_clock_utc_ms(NULL));

    if (ms > 0 && mst_store_lock_wanted(r->key)) {
        mst_s3_say(r, "x-amz-object-lock-mode", s->base.lock_mode);
        mst_s3_say(r, "x-amz-object-lock-retain-until-date", mst_time_iso(ms, until));
        r->action = *s->tags ? "s3:PutObject, s3:PutObjectRetention and s3:PutObjectTagging"
                             : "s3:PutObject and s3:PutObjectRetention";
    }
}

enum mst_rc mst_s3_lock_kept(struct s3 *s, const char *key, struct mst_err *err)
{
    const int64_t until = mst_store_lock_until(&s->base, mst_clock_utc_ms(NULL));
    struct mst_store_info info;

    if (until == 0 || !mst_store_lock_wanted(key)) {
        return MST_OK;
    }
    if (mst_s3_info(&s->base, key, &info, err) != MST_OK ||
        (info.locked_until_ms < until &&
         mst_s3_lock(&s->base, key, s->base.lock_mode, until, err) != MST_OK)) {
        mst_err_prefix(err, "%s was written and is not known to be locked", key);
    }
    return err->rc;
}

void mst_s3_sum_headers(const struct s3 *s, struct s3_req *r, const char *sha256)
{
    mst_s3_say(r, "x-amz-checksum-sha256", sha256);
    if (s->base.lock_days > 0) {
        mst_s3_say(r, "x-amz-sdk-checksum-algorithm", "SHA256");
    }
}

static bool take_tag(void *arg, const char *path, const char *text)
{
    struct mst_str *out = arg;

    if (ends_in(path, "Key")) {
        mst_str_add(out, out->len ? "&" : "");
        mst_sig_encode(text, false, out);
    } else if (ends_in(path, "Value")) {
        mst_str_addc(out, '=');
        mst_sig_encode(text, false, out);
    }
    return true;
}

enum mst_rc mst_s3_tags(struct mst_store *store, const char *key, struct mst_str *out,
                        struct mst_err *err)
{
    struct s3_req r = {.method = "GET",
                       .key = key,
                       .what = "read the tags of",
                       .action = "s3:GetObjectTagging",
                       .task = mst_store_works_for()};
    struct s3_answer a;
    enum mst_rc rc;

    mst_s3_ask(&r, "tagging", "");
    rc = mst_s3_call(s3_of(store), &r, &a, err);
    rc = rc == MST_OK ? mst_xml_parse(a.reply.body.p, a.reply.body.len, take_tag, out, err) : rc;
    mst_http_reply_release(&a.reply);
    return rc;
}

/* --- what a key may besides ------------------------------------------------------------------- */

static enum mst_rc try_replace(struct s3 *s, const char *key, struct mst_err *err)
{
    static const char body[] = "muster asks whether this key may replace an object\n";
    uint8_t md5[MST_MD5_LEN];
    char sum[MST_BASE64_SIZE(MST_MD5_LEN)];
    struct s3_req r = {.method = "PUT",
                       .key = key,
                       .what = "replace",
                       .action = "s3:PutObject",
                       .body = body,
                       .body_n = sizeof(body) - 1,
                       .tries_max = 2,
                       .task = mst_store_works_for()};
    struct s3_answer a;
    enum mst_rc rc;

    mst_s3_object_headers(s, &r);
    mst_md5_of(body, sizeof(body) - 1, md5);
    mst_s3_say(&r, "content-md5", mst_base64(md5, sizeof(md5), sum));
    rc = mst_s3_call(s, &r, &a, err);
    mst_http_reply_release(&a.reply);
    mst_s3_windows_forget(s, key);
    return rc;
}

static enum mst_rc try_delete(struct s3 *s, const char *key, const char *version, bool bypass,
                              struct mst_err *err)
{
    struct s3_req r = {.method = "DELETE",
                       .key = key,
                       .what = "remove a version of",
                       .action = bypass ? "s3:BypassGovernanceRetention" : "s3:DeleteObjectVersion",
                       .tries_max = 2,
                       .task = mst_store_works_for()};
    struct s3_answer a;
    enum mst_rc rc;

    mst_s3_ask(&r, "versionId", version);
    if (bypass) {
        mst_s3_say(&r, "x-amz-bypass-governance-retention", "true");
    }
    rc = mst_s3_call(s, &r, &a, err);
    mst_http_reply_release(&a.reply);
    mst_s3_windows_forget(s, key);
    return rc;
}

static bool take_id(void *arg, const char *path, const char *text)
{
    struct mst_str *id = arg;

    if (ends_in(path, "UploadId") && id->len == 0) {
        mst_str_add(id, text);
    }
    return true;
}

/* An upload that is begun and given up: no object comes to be. */
static enum mst_rc try_outside(struct s3 *s, const char *name, struct mst_err *err)
{
    struct s3_req r = {.method = "POST",
                       .key = name,
                       .what = "begin to write outside of the prefix",
                       .action = "s3:PutObject",
                       .error_in_200 = true,
                       .outside = true,
                       .tries_max = 2,
                       .task = mst_store_works_for()};
    struct s3_req end = {.method = "DELETE",
                         .key = name,
                         .what = "give up",
                         .action = "s3:AbortMultipartUpload",
                         .outside = true,
                         .tries_max = 3};
    struct s3_answer a;
    struct mst_str id = {0};
    struct mst_err ignore = {0};
    enum mst_rc rc;

    if (!*s->prefix) {
        return mst_err_set(err, MST_E_CONFIG, "the store %s is the whole bucket", s->base.name);
    }
    mst_s3_ask(&r, "uploads", "");
    mst_s3_object_headers(s, &r);
    rc = mst_s3_call(s, &r, &a, err);
    if (rc == MST_OK) {
        (void)!mst_xml_parse(a.reply.body.p, a.reply.body.len, take_id, &id, &ignore);
    }
    mst_http_reply_release(&a.reply);
    if (id.len > 0) {
        mst_s3_ask(&end, "uploadId", mst_str_c(&id));
        (void)!mst_s3_call(s, &end, &a, &ignore);
        mst_http_reply_release(&a.reply);
    }
    mst_str_release(&id);
    return rc;
}

enum mst_rc mst_s3_trial(struct mst_store *store, enum mst_store_trial what, const char *key,
                         const char *version, struct mst_err *err)
{
    struct s3 *s = s3_of(store);

    if (!s->write) {
        return mst_err_set(err, MST_E_CONFIG, "the store %s is opened for reading only",
                           s->base.name);
    }
    switch (what) {
    case MST_TRY_REPLACE:
        return try_replace(s, key, err);
    case MST_TRY_DELETE_VERSION:
    case MST_TRY_BYPASS:
        return try_delete(s, key, version, what == MST_TRY_BYPASS, err);
    case MST_TRY_OUTSIDE:
        return try_outside(s, key, err);
    }
    return mst_err_set(err, MST_E_CONFIG, "nothing of that kind can be tried");
}
