/* What a listing of objects does not show: versions, unfinished uploads, locks, archives. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "hash/mac.h"
#include "store/s3_own.h"
#include "store/s3_page.h"

#define ITEMS_MAX 10000U

static struct s3_raw *now_open(struct s3_page *pg)
{
    mst_grow((void **)&pg->raw, &pg->cap, pg->n + 1, sizeof(pg->raw[0]));
    if (!pg->open) {
        memset(&pg->raw[pg->n], 0, sizeof(pg->raw[0]));
        pg->open = true;
    }
    return &pg->raw[pg->n];
}

static bool close_it(struct s3_page *pg)
{
    pg->open = false;
    pg->n += pg->raw[pg->n].key != NULL;
    return pg->n < ITEMS_MAX;
}

static void take_field(struct s3_raw *now, const char *name, const char *text)
{
    if (strcmp(name, "Key") == 0) {
        free(now->key);
        now->key = mst_xstrdup(text);
    } else if (strcmp(name, "Size") == 0) {
        now->item.bytes = strtoull(text, NULL, 10);
    } else if (strcmp(name, "LastModified") == 0 || strcmp(name, "Initiated") == 0) {
        now->item.modified_wall_ms = mst_time_parse(text) > 0 ? mst_time_parse(text) : 0;
    } else if (strcmp(name, "StorageClass") == 0) {
        mst_text_clean(now->item.storage_class, sizeof(now->item.storage_class), text,
                       strlen(text));
    } else if (strcmp(name, "IsLatest") == 0) {
        now->newest = strcmp(text, "true") == 0;
    } else if ((strcmp(name, "VersionId") == 0 || strcmp(name, "UploadId") == 0) &&
               !mst_copy(now->id, sizeof(now->id), text)) {
        now->id[0] = '\0'; /* one that is cut is none */
    }
}

bool mst_s3_take_version(struct s3_page *pg, const char *leaf, const char *text)
{
    const bool marker = strncmp(leaf, "DeleteMarker", 12) == 0;
    const size_t skip = marker ? 12 : 7;
    struct s3_raw *now;

    if (!marker && strncmp(leaf, "Version", 7) != 0) {
        return true;
    }
    now = now_open(pg);
    now->deleted = marker;
    if (!leaf[skip]) {
        return close_it(pg);
    }
    take_field(now, leaf + skip + 1, text);
    return true;
}

bool mst_s3_take_upload(struct s3_page *pg, const char *leaf, const char *text)
{
    if (strncmp(leaf, "Upload", 6) != 0 || (leaf[6] && leaf[6] != '/')) {
        return true;
    }
    if (!leaf[6]) {
        (void)now_open(pg);
        return close_it(pg);
    }
    take_field(now_open(pg), leaf + 7, text);
    return true;
}

struct listing {
    const char *root, *ask, *what, *action, *marker, *marker_also;
    bool (*take)(struct s3_page *pg, const char *leaf, const char *text);
};

/* Every page; each() is called for each entry that is ours, and says whether it wants more. */
static enum mst_rc walk(struct s3 *s, const struct listing *l, const char *prefix,
                        bool (*each)(void *arg, struct s3_raw *raw), void *arg,
                        struct mst_task *task, struct mst_err *err)
{
    struct s3_page pg = {.s = s, .root = l->root, .take = l->take};
    struct mst_str full = {0}, key = {0}, also = {0}, both = {0};
    struct s3_cycle cycle = {0};
    bool on = true;
    enum mst_rc rc;

    mst_s3_full_key(s, prefix, &full);
    mst_str_add(&full, *prefix ? "/" : "");
    do {
        struct s3_req r = {.method = "GET", .what = l->what, .action = l->action, .task = task};

        mst_s3_ask(&r, l->ask, "");
        mst_s3_ask(&r, "prefix", mst_str_c(&full));
        if (!s->profile->list_plain) {
            mst_s3_ask(&r, "encoding-type", "url");
        }
        if (key.len > 0) {
            mst_s3_ask(&r, l->marker, mst_str_c(&key));
            mst_s3_ask(&r, l->marker_also, mst_str_c(&also));
        }
        rc = mst_s3_page_get(&pg, &r, err);
        for (size_t i = 0; rc == MST_OK && on && i < pg.n; i++) {
            if (mst_s3_page_key(&pg, pg.raw[i].key, pg.raw[i].item.key) && pg.raw[i].id[0]) {
                on = each(arg, &pg.raw[i]);
            }
        }
        mst_str_reset(&both);
        mst_str_addf(&both, "%s\n%s", mst_str_c(&pg.next), mst_str_c(&pg.next_also));
        if (rc == MST_OK && on && pg.more &&
            (pg.next.len == 0 || mst_s3_cycle(&cycle, mst_str_c(&both)))) {
            rc = mst_s3_page_endless(s, err);
        }
        mst_str_reset(&key);
        mst_str_reset(&also);
        mst_str_add(&key, mst_str_c(&pg.next));
        mst_str_add(&also, mst_str_c(&pg.next_also));
    } while (rc == MST_OK && on && pg.more && (rc = mst_task_check(task, err)) == MST_OK);
    mst_s3_page_release(&pg);
    mst_str_release(&full);
    mst_str_release(&key);
    mst_str_release(&also);
    mst_str_release(&both);
    mst_str_release(&cycle.seen);
    return rc;
}

/* The time in a ULID, its first 48 bits as ten digits to the base 32; 0: it is none. */
static int64_t ulid_ms(const char *id)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    int64_t ms = 0;

    if (strlen(id) != 26 || strspn(id, digits) != 26 || id[0] > '7') {
        return 0;
    }
    for (size_t i = 0; i < 10; i++) {
        ms = ms * 32 + (strchr(digits, id[i]) - digits);
    }
    return ms;
}

struct to_version {
    bool ulids;
    bool (*fn)(void *arg, const struct mst_store_version *v);
    void *arg;
};

static bool each_version(void *arg, struct s3_raw *raw)
{
    const struct to_version *t = arg;
    struct mst_store_version v = {.bytes = raw->item.bytes,
                                  .modified_wall_ms = raw->item.modified_wall_ms,
                                  .newest = raw->newest,
                                  .deleted = raw->deleted};

    if (t->ulids && ulid_ms(raw->id) > 0) {
        v.modified_wall_ms = ulid_ms(raw->id);
    }
    (void)mst_copy(v.key, sizeof(v.key), raw->item.key);
    (void)mst_copy(v.version, sizeof(v.version), raw->id);
    (void)mst_copy(v.storage_class, sizeof(v.storage_class), raw->item.storage_class);
    return t->fn(t->arg, &v);
}

enum mst_rc mst_s3_versions(struct mst_store *store, const char *prefix,
                            bool (*fn)(void *arg, const struct mst_store_version *v), void *arg,
                            struct mst_task *task, struct mst_err *err)
{
    static const struct listing l = {.root = "ListVersionsResult",
                                     .ask = "versions",
                                     .what = "list the versions in",
                                     .action = "s3:ListBucketVersions",
                                     .marker = "key-marker",
                                     .marker_also = "version-id-marker",
                                     .take = mst_s3_take_version};
    struct to_version t = {s3_of(store)->profile->ulid_versions, fn, arg};

    if (s3_of(store)->profile->google) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the store %s cannot list versions by this API: use type gcs",
                           store->name);
    }
    return walk(s3_of(store), &l, prefix, each_version, &t, task, err);
}

struct to_upload {
    bool (*fn)(void *arg, const struct mst_store_upload *u);
    void *arg;
};

static bool each_upload(void *arg, struct s3_raw *raw)
{
    const struct to_upload *t = arg;
    struct mst_store_upload u = {.begun_wall_ms = raw->item.modified_wall_ms};

    (void)mst_copy(u.key, sizeof(u.key), raw->item.key);
    (void)mst_copy(u.id, sizeof(u.id), raw->id);
    return t->fn(t->arg, &u);
}

enum mst_rc mst_s3_uploads(struct mst_store *store, const char *prefix,
                           bool (*fn)(void *arg, const struct mst_store_upload *u), void *arg,
                           struct mst_task *task, struct mst_err *err)
{
    static const struct listing l = {.root = "ListMultipartUploadsResult",
                                     .ask = "uploads",
                                     .what = "list the unfinished uploads in",
                                     .action = "s3:ListBucketMultipartUploads",
                                     .marker = "key-marker",
                                     .marker_also = "upload-id-marker",
                                     .take = mst_s3_take_upload};
    struct to_upload t = {fn, arg};

    return walk(s3_of(store), &l, prefix, each_upload, &t, task, err);
}

/* code: "" or the store's word for a refusal, 64 bytes; NULL: nobody wants it. */
static enum mst_rc simple(struct s3 *s, struct s3_req *r, char *code, struct mst_err *err)
{
    struct s3_answer a;
    uint8_t md5[MST_MD5_LEN];
    char sum[MST_BASE64_SIZE(MST_MD5_LEN)];
    enum mst_rc rc;

    if (!s->write) {
        return mst_err_set(err, MST_E_PRECOND, "the store %s is opened for reading only",
                           s->base.name);
    }
    if (r->body_n > 0) {
        mst_md5_of(r->body, r->body_n, md5);
        mst_s3_say(r, "content-type", "application/xml");
        mst_s3_say(r, "content-md5", mst_base64(md5, sizeof(md5), sum));
    }
    rc = mst_s3_call(s, r, &a, err);
    if (code) {
        (void)mst_copy(code, sizeof(a.code), a.code);
    }
    mst_http_reply_release(&a.reply);
    return rc;
}

enum mst_rc mst_s3_abort_upload(struct mst_store *store, const struct mst_store_upload *u,
                                struct mst_err *err)
{
    struct s3_req r = {.method = "DELETE",
                       .key = u->key,
                       .what = "end the upload of",
                       .action = "s3:AbortMultipartUpload",
                       .task = mst_store_works_for()};

    mst_s3_ask(&r, "uploadId", u->id);
    return simple(s3_of(store), &r, NULL, err);
}

enum mst_rc mst_s3_lock(struct mst_store *store, const char *key, const char *mode,
                        int64_t until_wall_ms, struct mst_err *err)
{
    char text[300], until[MST_TIME_MAX];
    struct mst_store_info have;
    struct s3_req r = {.method = "PUT",
                       .key = key,
                       .what = "lock",
                       .action = "s3:PutObjectRetention",
                       .body = text,
                       .task = mst_store_works_for()};

    if (s3_of(store)->profile->google) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the store %s cannot lock objects by this API: use type gcs",
                           store->name);
    }
    if (strcmp(mode, "COMPLIANCE") != 0 && strcmp(mode, "GOVERNANCE") != 0) {
        return mst_err_set(err, MST_E_USAGE, "a lock is COMPLIANCE or GOVERNANCE");
    }
    if (mst_s3_info(store, key, &have, err) != MST_OK) {
        return err->rc;
    }
    if (strcmp(have.lock_mode, "COMPLIANCE") == 0) {
        mode = have.lock_mode; /* it is never made less */
    }
    if (have.locked_until_ms == until_wall_ms / 1000 * 1000 && strcmp(mode, have.lock_mode) == 0) {
        return MST_OK;
    }
    if (have.locked_until_ms > until_wall_ms) {
        return mst_err_set(err, MST_E_PRECOND,
                           "%s is locked until %s already: a lock is extended, never shortened",
                           key, mst_time_iso(have.locked_until_ms, until));
    }
    (void)snprintf(text, sizeof(text),
                   "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>%s</Mode>"
                   "<RetainUntilDate>%s</RetainUntilDate></Retention>",
                   mode, mst_time_iso(until_wall_ms, until));
    r.body_n = strlen(text);
    mst_s3_ask(&r, "retention", "");
    return simple(s3_of(store), &r, NULL, err);
}

/* days 0: its class has no end to it. MST_E_EXISTS: asked for already. */
enum mst_rc mst_s3_thaw(struct mst_store *store, const char *key, const char *version, int days,
                        struct mst_err *err)
{
    char text[300], span[40] = "", code[64] = "";
    struct s3_req r = {.method = "POST",
                       .key = key,
                       .what = "thaw",
                       .action = "s3:RestoreObject",
                       .body = text,
                       .task = mst_store_works_for()};
    enum mst_rc rc;

    if (s3_of(store)->profile->google) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the store %s cannot thaw objects: Google's classes are read at once",
                           store->name);
    }
    if (days > 0) {
        (void)snprintf(span, sizeof(span), "<Days>%d</Days>", days);
    }
    (void)snprintf(text, sizeof(text),
                   "<RestoreRequest xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">%s"
                   "<GlacierJobParameters><Tier>Standard</Tier></GlacierJobParameters>"
                   "</RestoreRequest>",
                   span);
    r.body_n = strlen(text);
    mst_s3_ask(&r, "restore", "");
    if (version) {
        mst_s3_ask(&r, "versionId", version);
    }
    rc = simple(s3_of(store), &r, code, err);
    if (rc != MST_OK && strcmp(code, "RestoreAlreadyInProgress") == 0) {
        rc = err->rc = MST_E_EXISTS;
    }
    return rc;
}
