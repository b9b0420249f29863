#include "store/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/s3_own.h"

#define QUOTA 500
#define WAIT_MS 90000

void mst_login_release(struct mst_login *l)
{
    if (l) {
        mst_secret_release(&l->secret);
        mst_secret_release(&l->token);
    }
}

#define GOOGLE "https://storage.googleapis.com"

static const char documents[] = "its documents, 2026";
static const struct mst_s3_profile profiles[] = {
    {.word = "aws", .checksum = 's', .thaw_listed = true, .known_from = documents},
    {.word = "minio", .path_style = true, .checksum = 's', .known_from = documents},
    {.word = "versitygw",
     .path_style = true,
     .checksum = 's',
     .ulid_versions = true,
     .known_from = "tests with 1.7.0"},
    {.word = "ceph",
     .path_style = true,
     .list_v1 = true,
     .list_plain = true,
     .checksum = 'm',
     .known_from = documents},
    {.word = "garage",
     .path_style = true,
     .checksum = 's',
     .no_tags = true,
     .known_from = documents},
    {.word = "seaweedfs",
     .path_style = true,
     .list_v1 = true,
     .list_plain = true,
     .checksum = 'm',
     .known_from = documents},
    {.word = "wasabi", .path_style = true, .checksum = 'm', .known_from = documents},
    {.word = "backblaze",
     .path_style = true,
     .checksum = 'm', /* x-amz-checksum-* is refused there */
     .no_tags = true,
     .known_from = documents},
    {.word = "gcs", .path_style = true, .checksum = 'm', .google = true, .known_from = documents},
    {.word = "r2",
     .path_style = true,
     .checksum = 'm', /* the one that is named for single writes and for parts */
     .no_tags = true,
     .known_from = documents},
    {.word = "rclone",
     .path_style = true,
     .checksum = 'm',
     .conditions_ignored = true,
     .known_from = "tests with 1.75.0"},
    {.word = "other", .path_style = true, .checksum = 'm', .known_from = "nothing"},
};

const struct mst_s3_profile *mst_s3_profiles(size_t *n)
{
    *n = MST_COUNT(profiles);
    return profiles;
}

const struct mst_s3_profile *mst_s3_profile(const char *word)
{
    for (size_t i = 0; i < MST_COUNT(profiles); i++) {
        if (strcmp(profiles[i].word, word) == 0) {
            return &profiles[i];
        }
    }
    return NULL;
}

static void close_store(struct mst_store *store)
{
    struct s3 *s = s3_of(store);

    mst_s3_workers_stop(s);
    mst_s3_ahead_stop(s);
    for (size_t i = 0; i < S3_WINDOWS; i++) {
        mst_buf_release(&s->windows[i].data);
    }
    mst_http_free(s->http);
    if (s->login_free) {
        s->login_free(s->login_arg);
    }
    free((void *)(uintptr_t)atomic_load(&s->probed));
    mst_cond_release(&s->work);
    mst_cond_release(&s->done);
    mst_mutex_release(&s->mtx);
    free(s->endpoint);
    free(s->bucket);
    free(s->prefix);
    free(s->storage_class);
    free(s->sse);
    free(s->sse_key);
    free(s->tags);
    free(s);
}

static const struct mst_store_ops ops = {
    .close = close_store,
    .put_begin = mst_s3_put_begin,
    .put_add = mst_s3_put_add,
    .put_finish = mst_s3_put_finish,
    .put_abort = mst_s3_put_abort,
    .read = mst_s3_read,
    .stat = mst_s3_stat,
    .list = mst_s3_list,
    .remove = mst_s3_remove,
    .info = mst_s3_info,
    .versions = mst_s3_versions,
    .uploads = mst_s3_uploads,
    .abort_upload = mst_s3_abort_upload,
    .lock = mst_s3_lock,
    .thaw = mst_s3_thaw,
    .read_version = mst_s3_read_version,
    .info_version = mst_s3_info_version,
    .probe = mst_s3_probe,
    .keeps = mst_s3_keeps,
    .caps = mst_s3_caps,
    .may_lock = mst_s3_may_lock,
    .remove_many = mst_s3_remove_many,
    .tags = mst_s3_tags,
    .trial = mst_s3_trial,
};

/* "https://host" or "https://host:port", without a path. */
static bool endpoint_ok(const char *e, bool plain)
{
    const char *host = strncmp(e, "https://", 8) == 0           ? e + 8
                       : plain && strncmp(e, "http://", 7) == 0 ? e + 7
                                                                : NULL;

    return host && *host && strlen(host) < 200 &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") ==
               strlen(host);
}

static bool bucket_ok(const char *b)
{
    return strlen(b) >= 2 && strlen(b) < 200 && *b != '.' && !strstr(b, "..") &&
           strspn(b, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
               strlen(b);
}

static enum mst_rc check(const struct mst_s3_conf *c, const struct mst_s3_profile *profile,
                         struct mst_err *err)
{
    if (!profile) {
        return mst_err_set(err, MST_E_CONFIG, "the store %s: no kind of S3 store is called \"%s\"",
                           c->name, c->profile);
    }
    if (!c->bucket || !bucket_ok(c->bucket)) {
        return mst_err_set(err, MST_E_CONFIG, "the store %s: \"%s\" is not the name of a bucket",
                           c->name, c->bucket ? c->bucket : "");
    }
    if (!c->endpoint && strcmp(profile->word, "aws") != 0 && !profile->google) {
        return mst_err_set(err, MST_E_CONFIG, "the store %s has no endpoint: say where it is",
                           c->name);
    }
    if (c->endpoint && !endpoint_ok(c->endpoint, c->plain)) {
        return mst_err_set(
            err, MST_E_CONFIG, "the store %s: the endpoint \"%s\" is not like https://host:port%s",
            c->name, c->endpoint,
            strncmp(c->endpoint, "http://", 7) == 0 ? " (http only with plain_http)" : "");
    }
    if (c->prefix && *c->prefix && !mst_store_key_ok(c->prefix)) {
        return mst_err_set(err, MST_E_CONFIG, "the store %s: \"%s\" cannot be a prefix", c->name,
                           c->prefix);
    }
    if (profile->google && (c->marks.lock_days > 0 || (c->marks.tags && *c->marks.tags))) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the store %s: locks and tags are not to be had by this API: use type "
                           "gcs",
                           c->name);
    }
    if (profile->no_tags && c->marks.tags && *c->marks.tags) {
        return mst_err_set(err, MST_E_CONFIG, "the store %s: %s keeps no tags: take tags out",
                           c->name, profile->word);
    }
    if (c->part_bytes && (c->part_bytes < MST_S3_PART_MIN || c->part_bytes > MST_S3_PART_MAX)) {
        return mst_err_set(err, MST_E_CONFIG, "the store %s: parts are 5 MiB to 1 GiB", c->name);
    }
    return MST_OK;
}

static char *copy(const char *s)
{
    return mst_xstrdup(s ? s : "");
}

static void fill(struct s3 *s, const struct mst_s3_conf *c, const struct mst_s3_profile *profile)
{
    const char *region = c->region && *c->region ? c->region
                         : profile->google       ? "auto"
                                                 : "us-east-1";
    const unsigned most = c->connections ? c->connections : MST_S3_CONNECTIONS;
    const char *host;

    s->base.ops = &ops;
    s->profile = profile;
    (void)mst_copy(s->base.name, sizeof(s->base.name), c->name);
    (void)mst_copy(s->region, sizeof(s->region), region);
    s->by_region = !c->endpoint && !profile->google;
    s->endpoint = copy(c->endpoint || !profile->google ? c->endpoint : GOOGLE);
    s->bucket = copy(c->bucket);
    s->prefix = copy(c->prefix);
    s->storage_class = copy(c->storage_class);
    s->sse = copy(c->sse);
    s->sse_key = copy(c->sse_key);
    s->tags = copy(c->marks.tags);
    s->base.tags = s->tags;
    mst_store_marks_take(&s->base, &c->marks);
    /* A certificate for *.host does not cover a bucket with dots. */
    s->path_style = c->path_style || profile->path_style || strchr(c->bucket, '.');
    s->single_writer = c->single_writer;
    s->region_kept = c->region_kept;
    s->write = c->write;
    s->part_bytes = c->part_bytes ? c->part_bytes : MST_S3_PART;
    s->wait_ms = c->wait_ms ? c->wait_ms : WAIT_MS;
    s->login = c->login;
    s->limit_max = most < MST_S3_CONNECTIONS_MAX ? most : MST_S3_CONNECTIONS_MAX;
    s->limit = s->limit_max;
    s->quota = QUOTA;
    host = *s->endpoint ? strstr(s->endpoint, "://") + 3 : "Amazon S3";
    (void)snprintf(s->base.where, sizeof(s->base.where), "bucket %s%s%s at %s", s->bucket,
                   *s->prefix ? "/" : "", s->prefix, host);
    s->base.caps = (struct mst_store_caps){.multipart = true, .ranges = true};
    (void)mst_copy(s->base.caps.text, sizeof(s->base.caps.text),
                   "not asked yet what it can do: a write or a test does");
    mst_mutex_init(&s->mtx);
    mst_cond_init(&s->work);
    mst_cond_init(&s->done);
    mst_s3_ahead_init(s);
}

enum mst_rc mst_store_s3_open(const struct mst_s3_conf *c, struct mst_store **out,
                              struct mst_err *err)
{
    const struct mst_s3_profile *profile = mst_s3_profile(c->profile ? c->profile : "other");
    struct mst_http_opts http = {.ca_file = c->ca_file,
                                 .proxy = c->proxy,
                                 .proxy_login = c->proxy_login,
                                 .plain = c->plain,
                                 .stall_ms = c->stall_ms,
                                 .rate_bytes_per_s = c->rate_bytes_per_s};
    struct s3 *s;

    *out = NULL;
    if (check(c, profile, err) != MST_OK) {
        if (c->login_free) {
            c->login_free(c->login_arg);
        }
        return err->rc;
    }
    s = mst_xcalloc(1, sizeof(*s));
    fill(s, c, profile);
    s->login_arg = c->login_arg;
    s->login_free = c->login_free;
    http.connections = s->limit_max + S3_RANGES + 8; /* small objects do not wait for parts */
    if (mst_http_new(&http, &s->http, err) != MST_OK) {
        close_store(&s->base);
        return err->rc;
    }
    *out = &s->base;
    return MST_OK;
}
