/* index.c: secondary indexes and validators, after the replay. A unique index that the documents
 * break stops the restore before the swap and names them. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "restore/target.h"

#define IDS_SHOWN 20
#define ROOM_KEYS (512U * 1024U) /* of 16 bytes, a fourth of the table */

bool mst_index_is_ttl(const bson_t *spec)
{
    return bson_has_field(spec, "expireAfterSeconds");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Numbers come as int32, int64 or double from one version or another. */
static void append_plain(bson_t *out, const bson_iter_t *it)
{
    if (BSON_ITER_HOLDS_NUMBER(it)) {
        BSON_APPEND_INT64(out, bson_iter_key(it), bson_iter_as_int64(it));
    } else {
        (void)bson_append_iter(out, bson_iter_key(it), -1, it);
    }
}

bson_t *mst_index_normal(const bson_t *spec, bool with_expiry)
{
    bson_t *out = bson_new();
    const char *keys[64];
    size_t n = 0, i;
    bson_iter_t it;

    if (bson_iter_init(&it, spec)) {
        while (n < MST_COUNT(keys) && bson_iter_next(&it)) {
            const char *key = bson_iter_key(&it);

            if (strcmp(key, "ns") != 0 && strcmp(key, "background") != 0 &&
                (with_expiry || strcmp(key, "expireAfterSeconds") != 0)) {
                keys[n++] = key;
            }
        }
    }
    qsort(keys, n, sizeof *keys, by_text);
    for (i = 0; i < n; i++) {
        if (bson_iter_init_find(&it, spec, keys[i])) {
            append_plain(out, &it);
        }
    }
    return out;
}

/* An index without a collation in a collection that has one compares bytes; createIndexes must say
 * so. */
static void append_spec(bson_t *list, const char *at, const bson_t *spec, bool collated, bool held)
{
    bson_t out, simple;
    bson_iter_t it;

    BSON_APPEND_DOCUMENT_BEGIN(list, at, &out);
    if (bson_iter_init(&it, spec)) {
        while (bson_iter_next(&it)) {
            if (!held || strcmp(bson_iter_key(&it), "expireAfterSeconds") != 0) {
                (void)bson_append_iter(&out, bson_iter_key(&it), -1, &it);
            }
        }
    }
    if (collated && !bson_has_field(spec, "collation")) {
        BSON_APPEND_DOCUMENT_BEGIN(&out, "collation", &simple);
        BSON_APPEND_UTF8(&simple, "locale", "simple");
        bson_append_document_end(&out, &simple);
    }
    bson_append_document_end(list, &out);
}

void mst_index_list(bson_t *cmd, const struct mst_map_coll *c, bool held)
{
    const bool collated = bson_has_field(c->options, "collation");
    bson_t list;
    uint32_t i;

    BSON_APPEND_ARRAY_BEGIN(cmd, "indexes", &list);
    for (i = 0; i < c->n_indexes; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%u", i);
        append_spec(&list, key, c->indexes[i], collated, held);
    }
    bson_append_array_end(cmd, &list);
}

/* The _ids of the documents that have this key. */
static void list_ids(struct mst_rs *r, const char *db, const char *name, const bson_t *key_value,
                     struct mst_str *out)
{
    bson_t *cmd = BCON_NEW("find", BCON_UTF8(name), "projection", "{", "_id", BCON_INT32(1), "}",
                           "limit", BCON_INT64(IDS_SHOWN + 1)),
           filter;
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    struct mst_err ignored = {0};
    bson_iter_t it;
    size_t n = 0;

    bson_init(&filter);
    if (bson_iter_init(&it, key_value)) {
        while (bson_iter_next(&it)) {
            bson_t eq;

            BSON_APPEND_DOCUMENT_BEGIN(&filter, bson_iter_key(&it), &eq);
            (void)bson_append_iter(&eq, "$eq", -1, &it);
            bson_append_document_end(&filter, &eq);
        }
    }
    BSON_APPEND_DOCUMENT(cmd, "filter", &filter);
    if (mst_cursor_open(r->c, db, cmd, MST_RS_MS, &cur, &ignored) == MST_OK) {
        while (mst_cursor_next(cur, &doc, &ignored) == MST_OK && doc) {
            char *json = bson_as_relaxed_extended_json(doc, NULL);

            if (n++ < IDS_SHOWN) {
                mst_str_addf(out, "%s%.60s", n > 1 ? ", " : "", json ? json : "?");
            } else {
                mst_str_add(out, ", ...");
            }
            bson_free(json);
        }
    }
    mst_cursor_free(cur);
    bson_destroy(&filter);
    bson_destroy(cmd);
}

/* The server did not say which key: look for it. *pattern, when it was not said, becomes the key of
 * the index that is broken. */
static void look_for_ids(struct mst_rs *r, const struct mst_map_coll *c, const char *name,
                         char **pattern, struct mst_str *out)
{
    struct mst_err ignored = {0};
    bson_t key;
    size_t i;

    mst_task_phase(r->task, "looking for equal keys in %.80s", c->coll);
    for (i = 0; i < c->n_indexes && !out->len; i++) {
        const bson_t *spec = c->indexes[i];

        if (!mst_bson_bool(spec, "unique", false) ||
            mst_dups_find(r, c->db, name, spec, ROOM_KEYS, IDS_SHOWN, out, &ignored) != MST_OK ||
            !out->len) {
            continue;
        }
        if (!*pattern && mst_bson_doc(spec, "key", &key)) {
            *pattern = bson_as_relaxed_extended_json(&key, NULL);
        }
    }
}

/* A long list ends behind a whole one: the log has the others. */
static void shorten(char *list, size_t most)
{
    size_t n = strlen(list);

    if (n > most) {
        for (n = most; n > 0 && strncmp(list + n, ", ", 2) != 0; n--) {
        }
        (void)mst_copy(list + n, 6, ", ...");
    }
}

static enum mst_rc violated(struct mst_rs *r, const struct mst_map_coll *c, const char *name,
                            const bson_t *reply, struct mst_err *err)
{
    struct mst_str ids = {.max = 2000};
    char show[MST_NS_MAX], *pattern = NULL, *text;
    bson_t key;

    if (mst_bson_doc(reply, "keyPattern", &key)) {
        pattern = bson_as_relaxed_extended_json(&key, NULL);
    }
    if (mst_bson_doc(reply, "keyValue", &key)) {
        list_ids(r, c->db, name, &key, &ids);
    }
    if (!ids.len) {
        look_for_ids(r, c, name, &pattern, &ids);
    }
    if (!ids.len) {
        mst_str_add(&ids, "(not found)");
    }
    text = mst_str_detach(&ids);
    mst_text_sanitise(text);
    mst_task_log(r->task, "unique index %s of %s: the documents %s have the same key",
                 pattern ? pattern : "?", mst_ns_show(c->db, c->coll, show), text);
    shorten(text, 240);
    mst_err_set_detail(
        err, MST_E_PRECOND, MST_SC_DUP_KEY,
        "unique index %.80s of %.80s: the documents %.250s have the same key; nothing "
        "was swapped",
        pattern ? pattern : "?", mst_ns_show(c->db, c->coll, show), text);
    free(text);
    bson_free(pattern);
    return err->rc;
}

static enum mst_rc build(struct mst_rs *r, struct mst_map_coll *c, const char *name,
                         struct mst_err *err)
{
    bson_t *cmd, reply;
    char show[MST_NS_MAX];
    size_t i;
    enum mst_rc rc;

    if (!c->n_indexes) {
        return MST_OK;
    }
    cmd = BCON_NEW("createIndexes", BCON_UTF8(name));
    mst_index_list(cmd, c, !r->o->release_ttl);
    if (mst_conn_wire(r->c) >= 9) {
        BSON_APPEND_UTF8(cmd, "commitQuorum", "majority");
    }
    for (i = 0; i < c->n_indexes; i++) {
        c->held += !r->o->release_ttl && mst_index_is_ttl(c->indexes[i]);
    }
    rc = mst_conn_command(r->c, c->db, cmd, MST_RS_LONG_MS, &reply, err);
    if (rc != MST_OK && err->detail == MST_SC_DUP_KEY) {
        rc = violated(r, c, name, &reply, err);
    } else if (rc != MST_OK) {
        mst_err_prefix(err, "indexes of %s", mst_ns_show(c->db, c->coll, show));
    }
    bson_destroy(&reply);
    bson_destroy(cmd);
    return rc;
}

/* Validators were left out while documents came that they might refuse. */
static enum mst_rc validate(struct mst_rs *r, const struct mst_map_coll *c, const char *name,
                            struct mst_err *err)
{
    static const char *const keys[] = {"validator", "validationLevel", "validationAction"};
    bson_t *cmd = BCON_NEW("collMod", BCON_UTF8(name));
    char show[MST_NS_MAX];
    bson_iter_t it;
    size_t i, n = 0;
    enum mst_rc rc;

    for (i = 0; i < MST_COUNT(keys); i++) {
        if (bson_iter_init_find(&it, c->options, keys[i])) {
            (void)bson_append_iter(cmd, keys[i], -1, &it);
            n++;
        }
    }
    if (!n) {
        bson_destroy(cmd);
        return MST_OK;
    }
    rc = mst_rs_do_take(r->c, c->db, cmd, MST_RS_MS, err);
    if (rc != MST_OK) {
        mst_err_prefix(err, "validator of %s", mst_ns_show(c->db, c->coll, show));
    }
    return rc;
}

enum mst_rc mst_index_all(struct mst_rs *r, struct mst_err *err)
{
    size_t i;
    enum mst_rc rc = MST_OK;

    for (i = 0; rc == MST_OK && i < r->map.n; i++) {
        struct mst_map_coll *c = &r->map.c[i];
        char name[MST_STAGE_MAX], show[MST_NS_MAX];

        if (!c->staged) {
            continue;
        }
        mst_stage_name(r->run, false, i, name);
        mst_task_phase(r->task, "indexes of %.80s", mst_ns_show(c->db, c->coll, show));
        rc = mst_rs_at(r, "index", err);
        if (rc == MST_OK) {
            rc = build(r, c, name, err);
        }
        if (rc == MST_OK) {
            rc = validate(r, c, name, err);
        }
    }
    return rc == MST_OK ? mst_rs_wait_majority(r, err) : rc;
}
