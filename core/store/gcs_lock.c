/* Object retention and tags of what is written, and the acts that a writer should not be allowed.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/gcs_own.h"

/* --- what the bucket is set to ---------------------------------------------------------------- */

enum mst_rc gcs_settings(struct gcs *g, struct mst_task *task, struct gcs_bucket *out,
                         struct mst_err *err)
{
    struct gcs_ask *a = gcs_ask_new(g, "GET", "look at the bucket", g->bucket);
    bson_t *b = NULL;
    enum mst_rc rc;

    memset(out, 0, sizeof(*out));
    mst_str_addf(&a->url, "%s/storage/v1/b/", g->endpoint);
    mst_gcall_encode(g->bucket, &a->url);
    mst_str_addc(&a->url, '?');
    gcs_param(a, "fields", "location,versioning,objectRetention");
    rc = gcs_json(a, task, &b, err);
    if (rc == MST_OK) {
        out->versions = mst_gjson_true(b, "versioning.enabled");
        out->locks = strcmp(mst_gjson_text(b, "objectRetention.mode"), "Enabled") == 0;
        (void)mst_copy(out->location, sizeof(out->location), mst_gjson_text(b, "location"));
    }
    bson_destroy(b);
    gcs_ask_free(a);
    return rc;
}

/* Whoever needs to know something of the bucket may not write before it is known. */
static enum mst_rc may_not_look(const struct gcs *g, struct mst_err *err)
{
    return g->base.lock_days > 0
               ? mst_err_set(err, MST_E_AUTH,
                             "the store %s says lock_days, and it may not look whether the bucket "
                             "takes object retention: it needs storage.buckets.get",
                             g->base.name)
               : mst_err_set(err, MST_E_AUTH,
                             "backup.regions says where backups may be, and the store %s may not "
                             "look where its bucket is: it needs storage.buckets.get",
                             g->base.name);
}

enum mst_rc gcs_bucket_ready(struct gcs *g, struct mst_task *task, struct mst_err *err)
{
    struct gcs_bucket b;
    enum mst_rc rc;

    if ((g->base.lock_days == 0 && !g->region[0]) || atomic_load(&g->ready)) {
        return MST_OK;
    }
    rc = gcs_settings(g, task, &b, err);
    if (rc == MST_E_AUTH) {
        rc = may_not_look(g, err);
    } else if (rc == MST_OK && g->region[0] && strcasecmp(b.location, g->region) != 0) {
        /* Unlike Amazon's, the service does not mind where a client believes its bucket to be. */
        rc = mst_err_set(err, MST_E_CONFIG,
                         "the bucket %s of the store %s is in %s and not in %s, and "
                         "backup.regions says where backups may be",
                         g->bucket, g->base.name, b.location, g->region);
    } else if (rc == MST_OK && g->base.lock_days > 0 && !b.locks) {
        rc = mst_err_set(err, MST_E_CONFIG,
                         "the store %s says lock_days, and its bucket %s takes no object "
                         "retention: enable it there, or take lock_days out",
                         g->base.name, g->bucket);
    }
    atomic_store(&g->ready, rc == MST_OK);
    return rc;
}

bool gcs_may_lock(struct mst_store *s)
{
    return s->lock_days > 0 || gcs_caps(s)->lock;
}

/* --- what every object gets ------------------------------------------------------------------- */

static const char *word_of(const char *mode)
{
    return strcmp(mode, "GOVERNANCE") == 0 ? "Unlocked" : "Locked";
}

void gcs_lock_field(const struct gcs *g, int64_t until_ms, struct mst_str *out)
{
    char until[MST_TIME_MAX];

    if (until_ms > 0) {
        mst_str_addf(out, ",\"retention\":{\"mode\":\"%s\",\"retainUntilTime\":\"%s\"}",
                     word_of(g->base.lock_mode), mst_time_iso(until_ms, until));
    }
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One side of "a=b&c=d", decoded; returns what is behind it. */
static const char *side(const char *p, const char *ends, struct mst_str *out)
{
    for (; *p && !strchr(ends, *p); p++) {
        if (*p == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
            mst_str_addc(out, (char)(hex(p[1]) * 16 + hex(p[2])));
            p += 2;
        } else {
            mst_str_addc(out, *p);
        }
    }
    return p + (*p != '\0');
}

void gcs_tag_fields(const struct gcs *g, struct mst_str *out)
{
    for (const char *p = g->tags; *p;) {
        struct mst_str name = {0}, value = {0};

        p = side(p, "=", &name);
        p = side(p, "&", &value);
        mst_str_addc(out, ',');
        mst_str_add_json(out, mst_str_c(&name));
        mst_str_addc(out, ':');
        mst_str_add_json(out, mst_str_c(&value));
        mst_str_release(&name);
        mst_str_release(&value);
    }
}

enum mst_rc gcs_lock_kept(struct gcs *g, const char *key, int64_t until_ms, const bson_t *b,
                          struct mst_err *err)
{
    if (until_ms == 0 || gcs_time(mst_gjson_text(b, "retention.retainUntilTime")) >= until_ms) {
        return MST_OK;
    }
    if (gcs_lock(&g->base, key, g->base.lock_mode, until_ms, err) != MST_OK) {
        mst_err_prefix(err, "%s was written and is not locked", key);
    }
    return err->rc;
}

enum mst_rc gcs_tags(struct mst_store *s, const char *key, struct mst_str *out, struct mst_err *err)
{
    struct gcs_ask *a = gcs_ask_new(gcs_of(s), "GET", "look at", key);
    bson_t *b = NULL;
    bson_iter_t it, in;
    enum mst_rc rc;

    gcs_url(gcs_of(s), a, "", key);
    gcs_param(a, "fields", "metadata");
    rc = gcs_json(a, NULL, &b, err);
    if (rc == MST_OK && b && bson_iter_init_find(&it, b, "metadata") &&
        BSON_ITER_HOLDS_DOCUMENT(&it) && bson_iter_recurse(&it, &in)) {
        while (bson_iter_next(&in)) {
            if (strcmp(bson_iter_key(&in), "muster-put") != 0 && BSON_ITER_HOLDS_UTF8(&in)) {
                mst_str_add(out, out->len ? "&" : "");
                mst_gcall_encode(bson_iter_key(&in), out);
                mst_str_addc(out, '=');
                mst_gcall_encode(bson_iter_utf8(&in, NULL), out);
            }
        }
    }
    bson_destroy(b);
    gcs_ask_free(a);
    return rc;
}

/* Object retention: COMPLIANCE is Google's Locked, GOVERNANCE its Unlocked. A time before the
 * present one is refused by the service, and by us before it is asked. */
enum mst_rc gcs_lock(struct mst_store *s, const char *key, const char *mode, int64_t until_wall_ms,
                     struct mst_err *err)
{
    struct gcs *g = gcs_of(s);
    struct mst_store_info now = {0};
    struct gcs_ask *a;
    char body[160], until[MST_TIME_MAX];
    bson_t *b = NULL;
    enum mst_rc rc = gcs_info(s, key, &now, err);

    if (rc != MST_OK) {
        return rc;
    }
    if (strcmp(now.lock_mode, "COMPLIANCE") == 0) {
        mode = now.lock_mode; /* it is never made less */
    }
    if (now.locked_until_ms == until_wall_ms / 1000 * 1000 && strcmp(mode, now.lock_mode) == 0) {
        return MST_OK;
    }
    if (now.locked_until_ms > until_wall_ms) {
        return mst_err_set(err, MST_E_PRECOND, "%s is locked until %s: a lock is never shortened",
                           key, mst_time_iso(now.locked_until_ms, until));
    }
    a = gcs_ask_new(g, "POST", "lock", key);
    gcs_url(g, a, "", key);
    gcs_param(a, "ifGenerationMatch", now.version);
    gcs_param(a, "fields", "retention");
    (void)snprintf(body, sizeof(body),
                   "{\"retention\":{\"mode\":\"%s\",\"retainUntilTime\":\"%s\"}}",
                   strcmp(mode, "GOVERNANCE") == 0 ? "Unlocked" : "Locked",
                   mst_time_iso(until_wall_ms, until));
    a->call.q.body = body;
    a->call.q.body_n = strlen(body);
    rc = mst_http_add(&a->call.headers, "content-type", "application/json", err);
    rc = rc == MST_OK ? mst_http_add(&a->call.headers, "x-http-method-override", "PATCH", err) : rc;
    rc = rc == MST_OK ? gcs_json(a, NULL, &b, err) : rc;
    if (rc == MST_OK &&
        gcs_time(mst_gjson_text(b, "retention.retainUntilTime")) < until_wall_ms / 1000 * 1000) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "%s said it locked %s and did not", g->who, key);
    }
    bson_destroy(b);
    gcs_ask_free(a);
    return rc;
}

/* --- what one may besides --------------------------------------------------------------------- */

/* The service says what it would allow, and nothing is done. A condition on names is not seen. */
static enum mst_rc may(struct gcs *g, const char *permission, struct mst_err *err)
{
    struct gcs_ask *a = gcs_ask_new(g, "GET", "ask for permissions on", g->bucket);
    bson_t *b = NULL;
    enum mst_rc rc;

    mst_str_addf(&a->url, "%s/storage/v1/b/", g->endpoint);
    mst_gcall_encode(g->bucket, &a->url);
    mst_str_add(&a->url, "/iam/testPermissions?");
    gcs_param(a, "permissions", permission);
    a->call.tries_max = 2;
    rc = gcs_json(a, NULL, &b, err);
    if (rc != MST_OK) {
        rc = err->rc = rc == MST_E_CANCELLED ? rc : MST_E_CONFIG;
    } else if (strcmp(mst_gjson_text(b, "permissions.0"), permission) != 0) {
        rc = mst_err_set(err, MST_E_AUTH, "%s is not given", permission);
    }
    bson_destroy(b);
    gcs_ask_free(a);
    return rc;
}

static enum mst_rc try_delete(struct gcs *g, const char *key, const char *generation,
                              struct mst_err *err)
{
    struct gcs_ask *a = gcs_ask_new(g, "DELETE", "remove a generation of", key);
    enum mst_rc rc;

    gcs_unpin(g, key);
    gcs_url(g, a, "", key);
    gcs_param(a, "generation", generation);
    a->call.tries_max = 2;
    rc = gcs_do(a, NULL, err);
    gcs_ask_free(a);
    return rc;
}

enum mst_rc gcs_trial(struct mst_store *s, enum mst_store_trial what, const char *key,
                      const char *version, struct mst_err *err)
{
    struct gcs *g = gcs_of(s);

    if (!g->write || what == MST_TRY_OUTSIDE) {
        return mst_err_set(err, MST_E_CONFIG, "that is not asked of the store %s", s->name);
    }
    if (what == MST_TRY_DELETE_VERSION) {
        return try_delete(g, key, version, err);
    }
    return may(g,
               what == MST_TRY_REPLACE ? "storage.objects.delete"
                                       : "storage.objects.overrideUnlockedRetention",
               err);
}
