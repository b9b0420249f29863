#include "store/gcs.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/gcs_own.h"

#define CHUNK ((size_t)16 * 1024 * 1024)
#define CHUNK_MAX ((size_t)64 * 1024 * 1024)

struct gcs *gcs_of(struct mst_store *s)
{
    return (struct gcs *)(void *)s;
}

/* --- questions --- */

struct gcs_ask *gcs_ask_new(struct gcs *g, const char *method, const char *verb, const char *key)
{
    struct gcs_ask *a = mst_xcalloc(1, sizeof(*a));

    (void)snprintf(a->what, sizeof(a->what), "%s %s", verb, key);
    a->call.http = g->http;
    a->call.auth = g->auth;
    a->call.host = g->who;
    a->call.what = a->what;
    a->call.tries_max = g->tries_max;
    a->call.budget_ms = g->budget_ms;
    a->call.clock = g->clock;
    a->call.q.method = method;
    return a;
}

void gcs_ask_free(struct gcs_ask *a)
{
    if (a) {
        mst_http_reply_release(&a->reply);
        mst_str_release(&a->url);
        free(a);
    }
}

void gcs_url(struct gcs *g, struct gcs_ask *a, const char *api, const char *key)
{
    mst_str_addf(&a->url, "%s%s/storage/v1/b/", g->endpoint, api);
    mst_gcall_encode(g->bucket, &a->url);
    mst_str_add(&a->url, "/o");
    if (key) {
        char *whole = mst_xasprintf("%s%s", g->prefix, key);

        mst_str_addc(&a->url, '/');
        mst_gcall_encode(whole, &a->url);
        free(whole);
    }
    mst_str_addc(&a->url, '?');
}

void gcs_param(struct gcs_ask *a, const char *name, const char *value)
{
    mst_str_addf(&a->url, "%s%s=", a->url.p[a->url.len - 1] == '?' ? "" : "&", name);
    mst_gcall_encode(value, &a->url);
}

enum mst_rc gcs_do(struct gcs_ask *a, struct mst_task *task, struct mst_err *err)
{
    a->call.q.url = mst_str_c(&a->url);
    return mst_gcall_do(&a->call, &a->reply, task ? task : mst_store_works_for(), err);
}

enum mst_rc gcs_json(struct gcs_ask *a, struct mst_task *task, bson_t **out, struct mst_err *err)
{
    enum mst_rc rc = gcs_do(a, task, err);

    *out = NULL;
    if (rc == MST_OK && a->reply.status >= 200 && a->reply.status < 300) {
        rc = mst_gcall_json(&a->call, &a->reply, out, err);
    }
    return rc;
}

char *gcs_crc_text(uint32_t crc, char out[9])
{
    const uint8_t p[4] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                          (uint8_t)crc};
    struct mst_str s = {0};

    mst_str_add_base64(&s, p, sizeof(p));
    (void)mst_copy(out, 9, mst_str_c(&s));
    mst_str_release(&s);
    return out;
}

/* Fractions of any length are cut; the rest is what mst_time_parse() reads. */
int64_t gcs_time(const char *text)
{
    char whole[24];
    const size_t n = strlen(text);
    int64_t ms;

    if (n < 20 || text[n - 1] != 'Z' || (text[19] != 'Z' && text[19] != '.')) {
        return 0;
    }
    (void)snprintf(whole, sizeof(whole), "%.19sZ", text);
    ms = mst_time_parse(whole);
    return ms < 0 ? 0 : ms;
}

/* --- one object --- */

/* These fields of an object, with its size; the caller destroys *out. */
static enum mst_rc look(struct gcs *g, const char *key, const char *fields, bson_t **out,
                        struct mst_err *err)
{
    struct gcs_ask *a = gcs_ask_new(g, "GET", "look at", key);
    enum mst_rc rc;

    gcs_url(g, a, "", key);
    gcs_param(a, "fields", fields);
    rc = gcs_json(a, NULL, out, err);
    if (rc == MST_OK && mst_gjson_number(*out, "size") < 0) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "%s does not say how large %s is", g->who, key);
    }
    gcs_ask_free(a);
    return rc;
}

static enum mst_rc g_stat(struct mst_store *s, const char *key, uint64_t *bytes,
                          struct mst_err *err)
{
    bson_t *b = NULL;
    const enum mst_rc rc = look(gcs_of(s), key, "size", &b, err);

    if (rc == MST_OK) {
        *bytes = (uint64_t)mst_gjson_number(b, "size");
    }
    bson_destroy(b);
    return rc;
}

static void fill_info(const bson_t *b, struct mst_store_info *out)
{
    const char *mode = mst_gjson_text(b, "retention.mode");
    const char *crc = mst_gjson_text(b, "crc32c");
    const int64_t by_bucket = gcs_time(mst_gjson_text(b, "retentionExpirationTime"));
    const int64_t own = gcs_time(mst_gjson_text(b, "retention.retainUntilTime"));
    const bool temporary = mst_gjson_true(b, "temporaryHold");
    const bool by_event = mst_gjson_true(b, "eventBasedHold");

    out->bytes = (uint64_t)mst_gjson_number(b, "size");
    out->modified_wall_ms = gcs_time(mst_gjson_text(b, "updated"));
    (void)mst_copy(out->etag, sizeof(out->etag), mst_gjson_text(b, "etag"));
    mst_text_clean(out->storage_class, sizeof(out->storage_class),
                   mst_gjson_text(b, "storageClass"), strlen(mst_gjson_text(b, "storageClass")));
    (void)mst_copy(out->version, sizeof(out->version), mst_gjson_text(b, "generation"));
    out->locked_until_ms = own > by_bucket ? own : by_bucket;
    if (out->locked_until_ms > 0) {
        (void)mst_copy(out->lock_mode, sizeof(out->lock_mode),
                       strcmp(mode, "Unlocked") == 0 && own >= by_bucket ? "GOVERNANCE"
                                                                         : "COMPLIANCE");
    }
    (void)mst_copy(out->hold, sizeof(out->hold),
                   temporary && by_event ? "temporary and event-based hold"
                   : temporary           ? "temporary hold"
                   : by_event            ? "event-based hold"
                                         : "");
    if (*crc) {
        (void)snprintf(out->checksum, sizeof(out->checksum), "crc32c:%.16s", crc);
    }
}

enum mst_rc gcs_info(struct mst_store *s, const char *key, struct mst_store_info *out,
                     struct mst_err *err)
{
    static const char fields[] = "size,updated,etag,storageClass,generation,crc32c,"
                                 "retentionExpirationTime,retention,temporaryHold,eventBasedHold";
    bson_t *b = NULL;
    const enum mst_rc rc = look(gcs_of(s), key, fields, &b, err);

    if (rc == MST_OK) {
        fill_info(b, out);
    }
    bson_destroy(b);
    return rc;
}

enum mst_rc gcs_remove(struct mst_store *s, const char *key, struct mst_err *err)
{
    static const int expect[] = {404, 0};
    struct gcs *g = gcs_of(s);
    struct gcs_ask *a;
    struct mst_err why = {0};
    enum mst_rc rc;

    if (!g->write) {
        return mst_err_set(err, MST_E_PRECOND, "the store %s is opened for reading only", s->name);
    }
    gcs_unpin(g, key);
    a = gcs_ask_new(g, "DELETE", "delete", key);
    gcs_url(g, a, "", key);
    gcs_param(a, "fields", "name");
    a->call.expect = expect;
    rc = gcs_do(a, NULL, err);
    if (rc == MST_OK && a->reply.status == 404 &&
        mst_gcall_refused(&a->call, &a->reply, &why) == MST_E_CONFIG) {
        *err = why; /* not the object is missing: the bucket is */
        rc = why.rc;
    }
    gcs_ask_free(a);
    return rc;
}

/* --- the store --- */

static void g_close(struct mst_store *s)
{
    struct gcs *g = gcs_of(s);

    mst_gauth_free(g->auth);
    mst_http_free(g->http);
    gcs_windows_release(g);
    free(atomic_load(&g->probed));
    free(g->tags);
    mst_cond_release(&g->done);
    mst_mutex_release(&g->mtx);
    free(g);
}

static const struct mst_store_ops ops = {.close = g_close,
                                         .put_begin = gcs_put_begin,
                                         .put_add = gcs_add,
                                         .put_finish = gcs_finish,
                                         .put_abort = gcs_abort,
                                         .read = gcs_read,
                                         .stat = g_stat,
                                         .list = gcs_list,
                                         .remove = gcs_remove,
                                         .info = gcs_info,
                                         .versions = gcs_versions,
                                         .read_version = gcs_read_version,
                                         .lock = gcs_lock,
                                         .probe = gcs_probe,
                                         .keeps = gcs_keeps,
                                         .caps = gcs_caps,
                                         .may_lock = gcs_may_lock,
                                         .tags = gcs_tags,
                                         .trial = gcs_trial};

static enum mst_rc set_place(struct gcs *g, const struct mst_gcs_opts *o, struct mst_err *err)
{
    const char *endpoint = o->endpoint && *o->endpoint ? o->endpoint : MST_GCS_ENDPOINT;
    const char *bucket = o->bucket ? o->bucket : "", *prefix = o->prefix ? o->prefix : "";
    size_t n = strlen(endpoint);

    if (strlen(bucket) < 3 || !mst_copy(g->bucket, sizeof(g->bucket), bucket) ||
        strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(bucket)) {
        return mst_err_set(err, MST_E_CONFIG,
                           "'%.80s' is not the name of a bucket of Google Cloud Storage", bucket);
    }
    if (*prefix && (!mst_store_key_ok(prefix) || strlen(prefix) + 2 > sizeof(g->prefix))) {
        return mst_err_set(err, MST_E_CONFIG, "'%.80s' cannot be a prefix in a bucket", prefix);
    }
    (void)snprintf(g->prefix, sizeof(g->prefix), "%s%s", prefix, *prefix ? "/" : "");
    if (mst_gcall_host(endpoint, o->http.plain, "endpoint", g->host, sizeof(g->host), err) !=
        MST_OK) {
        return err->rc;
    }
    n -= endpoint[n - 1] == '/';
    if (n >= sizeof(g->endpoint) || strchr(endpoint, '?') || strchr(endpoint, '#')) {
        return mst_err_set(err, MST_E_CONFIG, "endpoint cannot be used");
    }
    (void)snprintf(g->endpoint, sizeof(g->endpoint), "%.*s", (int)n, endpoint);
    (void)snprintf(g->base.where, sizeof(g->base.where), "bucket %s%s%s at %.64s", g->bucket,
                   *prefix ? "/" : "", prefix,
                   strcmp(endpoint, MST_GCS_ENDPOINT) == 0 ? "Google Cloud Storage" : g->host);
    (void)snprintf(g->who, sizeof(g->who), "the store %.64s (%s)", g->base.name, g->base.where);
    return MST_OK;
}

static enum mst_rc set_size(struct gcs *g, const struct mst_gcs_opts *o, struct mst_err *err)
{
    g->chunk = o->chunk_bytes ? o->chunk_bytes : CHUNK;
    if (g->chunk % MST_GCS_CHUNK_UNIT || g->chunk > CHUNK_MAX) {
        return mst_err_set(err, MST_E_CONFIG,
                           "a chunk of %zu bytes cannot be used: a multiple of %zu and at most %zu",
                           g->chunk, MST_GCS_CHUNK_UNIT, CHUNK_MAX);
    }
    return MST_OK;
}

enum mst_rc mst_store_gcs_open_take(const char *name, const struct mst_gcs_opts *o,
                                    struct mst_gauth *auth, struct mst_store **out,
                                    struct mst_err *err)
{
    struct gcs *g = mst_xcalloc(1, sizeof(*g));
    enum mst_rc rc;

    *out = NULL;
    mst_mutex_init(&g->mtx);
    mst_cond_init(&g->done);
    g->base.ops = &ops;
    g->auth = auth;
    (void)mst_copy(g->base.name, sizeof(g->base.name), name);
    (void)mst_copy(g->storage_class, sizeof(g->storage_class),
                   o->storage_class ? o->storage_class : "");
    g->tags = mst_xstrdup(o->marks.tags ? o->marks.tags : "");
    g->base.tags = g->tags;
    mst_store_marks_take(&g->base, &o->marks);
    g->write = o->write;
    g->ask_first = o->ask_first;
    (void)mst_copy(g->region, sizeof(g->region), o->region ? o->region : "");
    g->tries_max = o->tries_max;
    g->budget_ms = o->budget_ms;
    g->clock = o->clock;
    (void)mst_copy(g->base.caps.text, sizeof(g->base.caps.text),
                   "not asked yet what it can do: a write or a test does");
    rc = set_place(g, o, err);
    rc = rc == MST_OK ? set_size(g, o, err) : rc;
    rc = rc == MST_OK ? mst_http_new(&o->http, &g->http, err) : rc;
    if (rc != MST_OK) {
        mst_err_prefix(err, "the store %s", name);
        g_close(&g->base);
        return rc;
    }
    *out = &g->base;
    return MST_OK;
}

bool mst_store_gcs_who(struct mst_store *s, char *who, size_t size, int64_t *expires_wall_ms)
{
    if (s->ops != &ops) {
        return false;
    }
    *who = '\0';
    *expires_wall_ms = 0;
    if (gcs_of(s)->auth) {
        mst_gauth_who(gcs_of(s)->auth, who, size, expires_wall_ms);
    }
    return true;
}
