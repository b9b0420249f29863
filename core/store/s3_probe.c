/* What a store can do is asked, not believed: some accept a condition or a checksum and ignore it.
 * The answers are kept for as long as the store is open. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/base64.h"
#include "base/mem.h"
#include "hash/mac.h"
#include "store/s3_own.h"
#include "store/xml.h"

#define LOOK_MS 200
#define FOLDER MST_STORE_PROBES "/"
#define BODY "muster asks what this store can do; this object may be removed\n"

enum said { SAID_YES, SAID_NO, SAID_UNKNOWN };

const struct mst_store_caps *mst_s3_caps(const struct mst_store *store)
{
    const struct s3 *s = (const struct s3 *)(const void *)store;
    const struct mst_store_caps *have = atomic_load(&s->probed);

    return have ? have : &store->caps;
}

static void clean(struct s3 *s, const char *key)
{
    struct s3_req r = {.method = "DELETE",
                       .key = key,
                       .what = "remove",
                       .action = "s3:DeleteObject",
                       .tries_max = 2};
    struct s3_answer a;
    struct mst_err ignore = {0};

    (void)!mst_s3_call(s, &r, &a, &ignore); /* who may not delete leaves it: one small object */
    mst_http_reply_release(&a.reply);
}

/* once: where it is known that the store refuses a second one, and its policy may ask for that. */
static enum mst_rc put(struct s3 *s, const char *key, const char *name, const char *value,
                       bool once, struct mst_task *task, struct s3_answer *a, struct mst_err *err)
{
    uint8_t md5[MST_MD5_LEN];
    char sum[MST_BASE64_SIZE(MST_MD5_LEN)];
    struct s3_req r = {.method = "PUT",
                       .key = key,
                       .what = "try to write",
                       .action = "s3:PutObject",
                       .body = BODY,
                       .body_n = sizeof(BODY) - 1,
                       .needs_etag = true,
                       .task = task};

    mst_s3_object_headers(s, &r);
    mst_s3_say(&r, name, value);
    if (once) {
        mst_s3_say(&r, "if-none-match", "*");
    }
    if (strcmp(name, "content-md5") != 0) { /* a bucket with locks wants a checksum of some kind */
        mst_md5_of(BODY, sizeof(BODY) - 1, md5);
        mst_s3_say(&r, "content-md5", mst_base64(md5, sizeof(md5), sum));
    }
    return mst_s3_call(s, &r, a, err);
}

/* Two puts of one name: the second must be refused. */
static enum mst_rc ask_create_only(struct s3 *s, const char *key, struct mst_task *task,
                                   enum said *said, struct mst_err *err)
{
    struct mst_err why = {0};
    struct s3_answer a;
    enum mst_rc rc = MST_OK;

    *said = SAID_UNKNOWN;
    for (int i = 0; i < 2 && *said == SAID_UNKNOWN && rc == MST_OK; i++) {
        rc = put(s, key, "if-none-match", "*", false, task, &a, &why);
        if (rc == MST_E_EXISTS) {
            *said = SAID_YES; /* already the first one, when an earlier probe left it there */
        } else if (rc == MST_OK && i == 1) {
            *said = SAID_NO;
        } else if (rc == MST_E_SERVER && a.code[0] &&
                   (a.reply.status == 501 || a.reply.status == 400)) {
            *said = SAID_NO;
        }
        mst_http_reply_release(&a.reply);
    }
    if (*said == SAID_UNKNOWN && rc != MST_OK) {
        *err = why;
        return rc;
    }
    return MST_OK;
}

static enum mst_rc find_create_only(struct s3 *s, struct mst_task *task,
                                    struct mst_store_caps *caps, struct mst_err *err)
{
    char key[64];
    uint64_t random;
    enum said said;

    if (s->profile->conditions_ignored) {
        (void)mst_copy(caps->text, sizeof(caps->text), "this kind of store ignores If-None-Match");
        return MST_OK;
    }
    if (ask_create_only(s, FOLDER "create-only", task, &said, err) != MST_OK) {
        return err->rc;
    }
    if (said == SAID_NO) {
        /* Unless another host removed its own between our two: once more under a name of ours. */
        MST_ASSERT(getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random));
        (void)snprintf(key, sizeof(key), FOLDER "create-only-%016llx", (unsigned long long)random);
        if (ask_create_only(s, key, task, &said, err) != MST_OK) {
            return err->rc;
        }
        clean(s, key);
    }
    clean(s, FOLDER "create-only");
    caps->create_only = said == SAID_YES;
    if (!caps->create_only) {
        (void)mst_copy(caps->text, sizeof(caps->text), "it ignores or refuses If-None-Match");
    }
    return MST_OK;
}

static void note(struct mst_store_caps *caps, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void note(struct mst_store_caps *caps, const char *fmt, ...)
{
    size_t len = strlen(caps->text);
    va_list ap;

    (void)snprintf(caps->text + len, sizeof(caps->text) - len, "%s", len ? "; " : "");
    len = strlen(caps->text);
    va_start(ap, fmt);
    (void)vsnprintf(caps->text + len, sizeof(caps->text) - len, fmt, ap);
    va_end(ap);
}

/* A checksum that is false must be refused. */
static void find_checksums(struct s3 *s, struct mst_task *task, struct mst_store_caps *caps)
{
    const bool sha = s->profile->checksum == 's';
    uint8_t none[MST_SHA256_LEN] = {1};
    char sum[MST_BASE64_SIZE(MST_SHA256_LEN)];
    struct s3_answer a;
    struct mst_err ignore = {0};
    enum mst_rc rc;

    (void)mst_base64(none, sha ? MST_SHA256_LEN : MST_MD5_LEN, sum);
    rc = put(s, FOLDER "checksum", sha ? "x-amz-checksum-sha256" : "content-md5", sum,
             caps->create_only, task, &a, &ignore);
    caps->checksums = rc == MST_E_SERVER && a.code[0] && a.reply.status == 400;
    if (rc == MST_OK || rc == MST_E_EXISTS) { /* an earlier one was accepted, and left there */
        clean(s, FOLDER "checksum");
        note(caps, "it accepts a false checksum");
    }
    mst_http_reply_release(&a.reply);
}

/* Not known when it could not be asked; a key that may not ask is named. */
static bool find_setting(struct s3 *s, const char *what, const char *action, struct mst_task *task,
                         struct mst_store_caps *caps)
{
    struct mst_err why = {0};
    bool on = false;

    if (!s->profile->google && mst_s3_is_on(s, what, action, task, &on, &why) == MST_E_AUTH) {
        note(caps, "not known whether it has %s: the key may not ask (%s)", what, action);
    }
    caps->unknown = caps->unknown || s->profile->google || why.rc != MST_OK;
    return on;
}

#define ASK_VERSIONS "versioning", "s3:GetBucketVersioning"
#define ASK_LOCKS "object-lock", "s3:GetBucketObjectLockConfiguration"

void mst_s3_keeps(struct mst_store *store, struct mst_task *task, struct mst_store_keeps *out)
{
    struct s3 *s = s3_of(store);
    struct mst_err first = {0}, second = {0};
    bool versions = false, locks = false;

    out->versions = out->locks = -1;
    if (s->profile->google) { /* its XML has other words for both */
        (void)mst_copy(out->text, sizeof(out->text), "with profile gcs it cannot be asked");
        return;
    }
    if (mst_s3_is_on(s, ASK_VERSIONS, task, &versions, &first) == MST_OK) {
        out->versions = versions;
    }
    if (mst_s3_is_on(s, ASK_LOCKS, task, &locks, &second) == MST_OK) {
        out->locks = locks;
    }
    if (out->versions < 0 || out->locks < 0) {
        (void)mst_copy(out->text, sizeof(out->text), out->versions < 0 ? first.msg : second.msg);
    }
}

enum mst_rc mst_s3_probe(struct mst_store *store, struct mst_task *task, struct mst_err *err)
{
    struct s3 *s = s3_of(store);
    struct mst_store_caps *caps;
    enum mst_rc rc;
    bool mine;

    if (!s->write) {
        return mst_err_set(err, MST_E_PRECOND, "the store %s is opened for reading only",
                           s->base.name);
    }
    mst_mutex_lock(&s->mtx);
    while (s->probing && !mst_task_cancelled(task)) {
        (void)mst_cond_wait_ms(&s->done, &s->mtx, LOOK_MS);
    }
    mine = !s->probing && !atomic_load(&s->probed);
    s->probing = s->probing || mine;
    mst_mutex_unlock(&s->mtx);
    if (!mine) {
        return atomic_load(&s->probed) ? MST_OK : mst_task_check(task, err);
    }
    caps = mst_xcalloc(1, sizeof(*caps));
    caps->multipart = caps->ranges = true;
    rc = find_create_only(s, task, caps, err);
    if (rc == MST_OK) {
        find_checksums(s, task, caps);
        caps->versions = find_setting(s, ASK_VERSIONS, task, caps);
        caps->lock = find_setting(s, ASK_LOCKS, task, caps);
        atomic_store(&s->probed, caps);
    } else {
        free(caps);
    }
    mst_mutex_lock(&s->mtx);
    s->probing = false;
    mst_cond_broadcast(&s->done);
    mst_mutex_unlock(&s->mtx);
    return rc;
}
