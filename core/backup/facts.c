/* Facts about the members for the manifest: what somebody needs who must build the set again. No
 * secrets: a field whose name speaks of a password, secret or key's text is replaced. */
#include "backup/internal.h"

#include "base/mem.h"
#include "base/text.h"

#define FACT_MS 5000

static bool secret_name(const char *key)
{
    return strcasestr(key, "passw") || strcasestr(key, "secret") || strcasestr(key, "passphrase") ||
           strcasestr(key, "credential") || strcasestr(key, "bindpw");
}

static void scrub(const bson_t *in, bson_t *out, int depth)
{
    bson_iter_t it, sub;
    bool after = false; /* "--tlsCertificateKeyFilePassword", "the value" in an argv */

    if (depth > 50 || !bson_iter_init(&it, in)) {
        return;
    }
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);
        const bson_type_t type = bson_iter_type(&it);
        bson_t child;

        if (secret_name(key) || (after && type == BSON_TYPE_UTF8)) {
            BSON_APPEND_UTF8(out, key, "<redacted>");
            after = false;
            continue;
        }
        after = false;
        if (type == BSON_TYPE_UTF8 && secret_name(bson_iter_utf8(&it, NULL))) {
            const char *eq = strchr(bson_iter_utf8(&it, NULL), '=');

            after = !eq;
            BSON_APPEND_UTF8(out, key, eq ? "<redacted>" : bson_iter_utf8(&it, NULL));
        } else if (type == BSON_TYPE_DOCUMENT || type == BSON_TYPE_ARRAY) {
            bson_t view;
            const uint8_t *p = NULL;
            uint32_t n = 0;

            if (type == BSON_TYPE_DOCUMENT) {
                bson_iter_document(&it, &n, &p);
                BSON_APPEND_DOCUMENT_BEGIN(out, key, &child);
            } else {
                bson_iter_array(&it, &n, &p);
                BSON_APPEND_ARRAY_BEGIN(out, key, &child);
            }
            if (bson_iter_recurse(&it, &sub) && bson_init_static(&view, p, n)) {
                scrub(&view, &child, depth + 1);
            }
            if (type == BSON_TYPE_DOCUMENT) {
                bson_append_document_end(out, &child);
            } else {
                bson_append_array_end(out, &child);
            }
        } else {
            (void)bson_append_iter(out, key, -1, &it);
        }
    }
}

/* Append the scrubbed reply under name, or why there is none. */
static void fact(struct mst_conn *c, const char *name, const char *command, bson_t *to)
{
    struct mst_err err = {0};
    bson_t cmd = BSON_INITIALIZER, reply, clean = BSON_INITIALIZER;

    if (strcmp(command, "getParameter") == 0) {
        BSON_APPEND_UTF8(&cmd, command, "*");
    } else {
        BSON_APPEND_INT32(&cmd, command, 1);
    }
    if (mst_conn_command(c, "admin", &cmd, FACT_MS, &reply, &err) == MST_OK) {
        bson_t plain = BSON_INITIALIZER;

        bson_copy_to_excluding_noinit(&reply, &plain, "$clusterTime", "operationTime", "ok", NULL);
        scrub(&plain, &clean, 0);
        BSON_APPEND_DOCUMENT(to, name, &clean);
        bson_destroy(&plain);
    } else {
        char text[160];

        mst_text_clean(text, sizeof(text), err.msg, strnlen(err.msg, 150));
        BSON_APPEND_UTF8(to, name, text);
    }
    bson_destroy(&clean);
    bson_destroy(&reply);
    bson_destroy(&cmd);
}

static void member_facts(struct run *r, const struct mst_topo_member *m, bson_t *doc)
{
    struct mst_conn *c = NULL;
    struct mst_err err = {0};

    BSON_APPEND_UTF8(doc, "name", m->name);
    BSON_APPEND_INT32(doc, "id", m->id);
    BSON_APPEND_UTF8(doc, "state", mst_shown_word(m->shown));
    if (m->arbiter || m->reach != MST_REACH_OK) {
        BSON_APPEND_UTF8(doc, "missing",
                         m->arbiter ? "an arbiter is not asked" : "does not answer");
        return;
    }
    if (r->o->connect(r->o->connect_arg, m->name, "muster backup", &r->task, &c, &err) != MST_OK) {
        BSON_APPEND_UTF8(doc, "missing", err.msg);
        return;
    }
    fact(c, "buildInfo", "buildInfo", doc);
    fact(c, "cmdLineOpts", "getCmdLineOpts", doc);
    fact(c, "parameters", "getParameter", doc);
    fact(c, "hostInfo", "hostInfo", doc);
    if (strcmp(m->name, r->res->source.name) == 0) {
        fact(c, "config", "replSetGetConfig", doc);
        fact(c, "status", "replSetGetStatus", doc);
    }
    mst_conn_free(c);
}

enum mst_rc facts_write(struct run *r, struct mst_manw *w, struct mst_err *err)
{
    for (size_t i = 0; i < r->o->topo->n; i++) {
        bson_t doc = BSON_INITIALIZER;
        enum mst_rc rc = mst_task_check(&r->task, err);

        if (rc == MST_OK) {
            member_facts(r, &r->o->topo->members[i], &doc);
            rc = mst_manw_member(w, &doc, err);
        }
        bson_destroy(&doc);
        if (rc != MST_OK) {
            return rc;
        }
    }
    return MST_OK;
}

/* Version and storage engine of the source; what may not be asked stays empty. */
void facts_versions(struct run *r)
{
    struct mst_err ignored = {0};
    bson_t cmd = BSON_INITIALIZER, reply;

    BSON_APPEND_INT32(&cmd, "buildInfo", 1);
    if (mst_conn_command(r->control, "admin", &cmd, CMD_MS, &reply, &ignored) == MST_OK) {
        (void)mst_bson_text(&reply, "version", r->h.server_version, sizeof(r->h.server_version));
    }
    bson_destroy(&reply);
    bson_reinit(&cmd);
    BSON_APPEND_INT32(&cmd, "getParameter", 1);
    BSON_APPEND_INT32(&cmd, "featureCompatibilityVersion", 1);
    if (mst_conn_command(r->control, "admin", &cmd, CMD_MS, &reply, &ignored) == MST_OK) {
        (void)mst_bson_text(&reply, "featureCompatibilityVersion.version", r->h.fcv,
                            sizeof(r->h.fcv));
    }
    bson_destroy(&reply);
    bson_reinit(&cmd);
    BSON_APPEND_INT32(&cmd, "serverStatus", 1);
    if (mst_conn_command(r->control, "admin", &cmd, CMD_MS, &reply, &ignored) == MST_OK) {
        (void)mst_bson_text(&reply, "storageEngine.name", r->h.storage_engine,
                            sizeof(r->h.storage_engine));
    }
    bson_destroy(&reply);
    bson_reinit(&cmd);
    BSON_APPEND_INT32(&cmd, "replSetGetConfig", 1);
    if (mst_conn_command(r->control, "admin", &cmd, CMD_MS, &reply, &ignored) == MST_OK) {
        bson_iter_t it, at;

        if (bson_iter_init(&it, &reply) &&
            bson_iter_find_descendant(&it, "config.settings.replicaSetId", &at) &&
            BSON_ITER_HOLDS_OID(&at)) {
            bson_oid_to_string(bson_iter_oid(&at), r->h.set_id);
        }
    }
    bson_destroy(&reply);
    bson_destroy(&cmd);
}
