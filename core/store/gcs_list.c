/* Listings, page by page. A page must go on where the one before ended: a server that sends the
 * same page for ever, or no end of empty ones, is told apart from a large bucket. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "log/log.h"
#include "store/gcs_own.h"

#define EMPTY_PAGES 100
#define TOKEN_MAX 2000
#define VERSIONS_MAX ((size_t)100000) /* of one name */

struct listing {
    struct gcs *g;
    const char *prefix, *fields;
    bool versions;
    char token[TOKEN_MAX];
    char last[MST_KEY_MAX * 2]; /* name, with the store's prefix */
    unsigned empty;
    uint64_t skipped; /* names that are no keys */
    bool (*item)(struct listing *l, const char *key, const bson_t *b);
    void *fn_arg;
    bool (*fn)(void *arg, const struct mst_store_item *item);
    bool (*vfn)(void *arg, const struct mst_store_version *v);
    struct mst_store_version *group; /* of one key, oldest first */
    size_t n_group, cap_group;
    int64_t gone_ms; /* when the newest of the group stopped being live; 0: it is live */
};

static enum mst_rc page(struct listing *l, struct mst_task *task, bson_t **out, struct mst_err *err)
{
    struct gcs_ask *a = gcs_ask_new(l->g, "GET", "list", *l->prefix ? l->prefix : "the bucket");
    char *whole = mst_xasprintf("%s%s%s", l->g->prefix, l->prefix, *l->prefix ? "/" : "");
    enum mst_rc rc;

    gcs_url(l->g, a, "", NULL);
    gcs_param(a, "maxResults", "1000");
    gcs_param(a, "fields", l->fields);
    if (*whole) {
        gcs_param(a, "prefix", whole);
    }
    if (l->versions) {
        gcs_param(a, "versions", "true");
    }
    if (l->token[0]) {
        gcs_param(a, "pageToken", l->token);
    }
    rc = gcs_json(a, task, out, err);
    if (rc == MST_E_NOTFOUND) {
        /* Of a listing only the bucket can be missing. */
        rc = mst_err_set(err, MST_E_CONFIG,
                         "cannot list %s: %s answered 404: there is no bucket %s: make it, or mend "
                         "bucket in the configuration",
                         *l->prefix ? l->prefix : "the bucket", l->g->who, l->g->bucket);
    }
    free(whole);
    gcs_ask_free(a);
    return rc;
}

/* One name: does it go on, is it a key? */
static enum mst_rc one(struct listing *l, const bson_t *b, bool *more, struct mst_err *err)
{
    const char *name = mst_gjson_text(b, "name");
    const size_t n = strlen(l->g->prefix);
    const int order = strcmp(name, l->last);

    if (order < 0 || (order == 0 && !l->versions)) {
        return mst_err_set(
            err, MST_E_INTEGRITY,
            "the listing of %s goes back from '%.80s' to '%.80s': it would never end", l->g->who,
            l->last, name);
    }
    if (l->n_group > VERSIONS_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "'%.80s' in %s has more than %zu versions", name,
                           l->g->who, VERSIONS_MAX);
    }
    if (!mst_copy(l->last, sizeof(l->last), name) || strncmp(name, l->g->prefix, n) != 0 ||
        !mst_store_key_ok(name + n)) {
        l->skipped++;
        return MST_OK;
    }
    *more = l->item(l, name + n, b);
    return MST_OK;
}

static enum mst_rc items(struct listing *l, const bson_t *b, bool *more, struct mst_err *err)
{
    bson_iter_t it, at;
    uint64_t seen = 0;
    enum mst_rc rc = MST_OK;

    if (bson_iter_init_find(&it, b, "items") && BSON_ITER_HOLDS_ARRAY(&it) &&
        bson_iter_recurse(&it, &at)) {
        while (rc == MST_OK && *more && bson_iter_next(&at)) {
            const uint8_t *p;
            uint32_t n;
            bson_t sub;

            if (!BSON_ITER_HOLDS_DOCUMENT(&at)) {
                continue;
            }
            bson_iter_document(&at, &n, &p);
            if (bson_init_static(&sub, p, n)) {
                seen++;
                rc = one(l, &sub, more, err);
            }
        }
    }
    l->empty = seen ? 0 : l->empty + 1;
    return rc;
}

static enum mst_rc run(struct listing *l, struct mst_task *task, struct mst_err *err)
{
    bool more = true;
    enum mst_rc rc = MST_OK;

    while (rc == MST_OK && more) {
        bson_t *b = NULL;

        rc = mst_task_check(task, err);
        rc = rc == MST_OK ? page(l, task, &b, err) : rc;
        rc = rc == MST_OK ? items(l, b, &more, err) : rc;
        if (rc == MST_OK && more) {
            const char *token = mst_gjson_text(b, "nextPageToken");

            more = *token != '\0';
            if (more && (strcmp(token, l->token) == 0 || l->empty > EMPTY_PAGES ||
                         !mst_copy(l->token, sizeof(l->token), token))) {
                rc = mst_err_set(err, MST_E_INTEGRITY, "the listing of %s has no end: it sends %s",
                                 l->g->who,
                                 l->empty > EMPTY_PAGES ? "empty pages" : "the same page again");
            }
        }
        bson_destroy(b);
    }
    mst_store_leave_out(l->skipped);
    if (l->skipped > 0) {
        mst_log(MST_LOG_WARN, "store", "%s: %llu %s with names that are no keys left out",
                l->g->who, (unsigned long long)l->skipped, l->skipped == 1 ? "object" : "objects");
    }
    return rc;
}

static bool plain_item(struct listing *l, const char *key, const bson_t *b)
{
    struct mst_store_item item = {0};
    const int64_t bytes = mst_gjson_number(b, "size");

    (void)mst_copy(item.key, sizeof(item.key), key);
    item.bytes = bytes < 0 ? 0 : (uint64_t)bytes;
    item.modified_wall_ms = gcs_time(mst_gjson_text(b, "updated"));
    (void)mst_copy(item.etag, sizeof(item.etag), mst_gjson_text(b, "etag"));
    mst_text_clean(item.storage_class, sizeof(item.storage_class),
                   mst_gjson_text(b, "storageClass"), strlen(mst_gjson_text(b, "storageClass")));
    return l->fn(l->fn_arg, &item);
}

enum mst_rc gcs_list(struct mst_store *s, const char *prefix,
                     bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                     struct mst_task *task, struct mst_err *err)
{
    struct listing *l = mst_xcalloc(1, sizeof(*l));
    enum mst_rc rc;

    l->g = gcs_of(s);
    l->prefix = prefix;
    l->fields = "nextPageToken,items(name,size,updated,etag,storageClass)";
    l->item = plain_item;
    l->fn = fn;
    l->fn_arg = arg;
    rc = run(l, task, err);
    free(l);
    return rc;
}

/* --- versions --- */

/* Google lists the generations of a name oldest first, and has no markers: a name without a live
 * generation is said to be deleted since its last one stopped being live. */
static bool flush(struct listing *l)
{
    bool more = true;

    if (l->n_group > 0 && l->gone_ms > 0) {
        struct mst_store_version gone = l->group[l->n_group - 1];

        gone.version[0] = '\0';
        gone.bytes = 0;
        gone.gone_wall_ms = 0;
        gone.modified_wall_ms = l->gone_ms;
        gone.newest = gone.deleted = true;
        more = l->vfn(l->fn_arg, &gone);
    }
    for (size_t i = l->n_group; i > 0 && more; i--) {
        l->group[i - 1].newest = i == l->n_group && l->gone_ms == 0;
        more = l->vfn(l->fn_arg, &l->group[i - 1]);
    }
    l->n_group = 0;
    return more;
}

static bool version_item(struct listing *l, const char *key, const bson_t *b)
{
    const int64_t bytes = mst_gjson_number(b, "size");
    struct mst_store_version *v;

    if (l->n_group > 0 && strcmp(l->group[0].key, key) != 0 && !flush(l)) {
        return false;
    }
    mst_grow((void **)&l->group, &l->cap_group, l->n_group + 1, sizeof(*l->group));
    v = &l->group[l->n_group++];
    memset(v, 0, sizeof(*v));
    (void)mst_copy(v->key, sizeof(v->key), key);
    (void)mst_copy(v->version, sizeof(v->version), mst_gjson_text(b, "generation"));
    v->bytes = bytes < 0 ? 0 : (uint64_t)bytes;
    v->modified_wall_ms = gcs_time(mst_gjson_text(b, "timeCreated"));
    l->gone_ms = v->gone_wall_ms = gcs_time(mst_gjson_text(b, "timeDeleted"));
    mst_text_clean(v->storage_class, sizeof(v->storage_class), mst_gjson_text(b, "storageClass"),
                   strlen(mst_gjson_text(b, "storageClass")));
    return true;
}

enum mst_rc gcs_versions(struct mst_store *s, const char *prefix,
                         bool (*fn)(void *arg, const struct mst_store_version *v), void *arg,
                         struct mst_task *task, struct mst_err *err)
{
    struct listing *l = mst_xcalloc(1, sizeof(*l));
    enum mst_rc rc;

    l->g = gcs_of(s);
    l->prefix = prefix;
    l->fields = "nextPageToken,items(name,size,generation,timeCreated,timeDeleted,storageClass)";
    l->versions = true;
    l->item = version_item;
    l->vfn = fn;
    l->fn_arg = arg;
    rc = run(l, task, err);
    if (rc == MST_OK) {
        (void)flush(l);
    }
    free(l->group);
    free(l);
    return rc;
}
