/* target.c: small commands to the target. */
#include "restore/target.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define COLLS_MAX 1000000U
#define PACE_MS 1000
#define LAG_DEFAULT_MS 10000
#define MAJORITY_DEFAULT_MS 60000

enum mst_rc mst_rs_connect(const struct mst_restore_opts *o, const char *app, struct mst_task *task,
                           struct mst_conn **out, struct mst_err *err)
{
    return o->connect(o->connect_arg, o->primary, app, task, out, err);
}

enum mst_rc mst_rs_point(const struct mst_rs *r, const char *point, struct mst_err *err)
{
    if (r->o->at && r->o->at(r->o->at_arg, point, err) != MST_OK) {
        *r->crashed = true;
        return err->rc;
    }
    return MST_OK;
}

enum mst_rc mst_rs_ours(const struct mst_restore_opts *o, struct mst_err *err)
{
    return o->ours ? o->ours(o->ours_arg, err) : MST_OK;
}

/* This process may have stood still at the point, so it looks behind it. */
enum mst_rc mst_rs_at(const struct mst_rs *r, const char *point, struct mst_err *err)
{
    if (mst_rs_point(r, point, err) != MST_OK || mst_rs_ours(r->o, err) != MST_OK) {
        return err->rc;
    }
    return mst_task_check(r->task, err);
}

enum mst_rc mst_rs_do_take(struct mst_conn *c, const char *db, bson_t *cmd, int64_t ms,
                           struct mst_err *err)
{
    bson_t reply;
    enum mst_rc rc = mst_conn_command(c, db, cmd, ms, &reply, err);

    if (rc == MST_OK) {
        rc = mst_reply_write_error(&reply, err);
    }
    bson_destroy(&reply);
    bson_destroy(cmd);
    return rc;
}

void mst_stage_name(const char *run, bool old, size_t n, char out[MST_STAGE_MAX])
{
    (void)snprintf(out, MST_STAGE_MAX, "mst.%c.%s.%zu", old ? 'o' : 's', run, n % 100000000);
}

const char *mst_ns_show(const char *db, const char *coll, char out[MST_NS_MAX])
{
    (void)snprintf(out, MST_NS_MAX, "%s.%s", db, coll);
    mst_text_sanitise(out);
    return out;
}

/* ---- majority and pace ---- */

/* The member with the oldest optime in a replSetGetStatus, for messages; "" when it may not ask. */
static void slowest(struct mst_conn *c, char name[MST_HOST_MAX], int64_t *behind_ms)
{
    bson_t *cmd = BCON_NEW("replSetGetStatus", BCON_INT32(1)), reply;
    struct mst_err ignored = {0};
    bson_iter_t it, members;
    int64_t newest = INT64_MIN, oldest = INT64_MAX;

    name[0] = 0;
    *behind_ms = 0;
    if (mst_conn_command(c, "admin", cmd, MST_RS_MS, &reply, &ignored) == MST_OK &&
        bson_iter_init_find(&it, &reply, "members") && bson_iter_recurse(&it, &members)) {
        while (bson_iter_next(&members)) {
            const uint8_t *p = NULL;
            uint32_t n = 0;
            bson_t m;
            int64_t state, at;

            if (!BSON_ITER_HOLDS_DOCUMENT(&members)) {
                continue;
            }
            bson_iter_document(&members, &n, &p);
            if (!bson_init_static(&m, p, n)) {
                continue;
            }
            state = mst_bson_i64(&m, "state", -1);
            at = mst_bson_date(&m, "optimeDate", 0);
            if (state == 1 && at > newest) {
                newest = at;
            } else if (state == 2 && at < oldest) {
                oldest = at;
                (void)mst_bson_text(&m, "name", name, MST_HOST_MAX);
            }
        }
    }
    if (newest > oldest && name[0]) {
        *behind_ms = newest - oldest;
    }
    bson_destroy(&reply);
    bson_destroy(cmd);
}

/* lastWrite of the primary: its own optime and the majority's. */
static enum mst_rc last_write(struct mst_conn *c, struct mst_optime *own,
                              struct mst_optime *majority, struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("isMaster", BCON_INT32(1)), reply;
    enum mst_rc rc = mst_conn_command(c, "admin", cmd, MST_RS_MS, &reply, err);

    if (rc == MST_OK && !mst_bson_bool(&reply, "ismaster", false)) {
        rc = mst_err_set_detail(err, MST_E_PRECOND, MST_SC_NOT_PRIMARY,
                                "%s does not call itself primary", mst_conn_name(c));
    }
    if (rc == MST_OK && (!mst_bson_optime(&reply, "lastWrite.opTime", own) ||
                         !mst_bson_optime(&reply, "lastWrite.majorityOpTime", majority))) {
        rc = mst_err_set(err, MST_E_SERVER, "%s does not say what its majority has",
                         mst_conn_name(c));
    }
    bson_destroy(&reply);
    bson_destroy(cmd);
    return rc;
}

enum mst_rc mst_rs_note_term(struct mst_rs *r, struct mst_err *err)
{
    struct mst_optime own, majority;

    if (last_write(r->c, &own, &majority, err) != MST_OK) {
        return err->rc;
    }
    r->term = own.term;
    return MST_OK;
}

static enum mst_rc same_election(const struct mst_rs *r, int64_t term, struct mst_err *err)
{
    if (r->term <= 0 || r->term == term) {
        return MST_OK;
    }
    return mst_err_set(
        err, MST_E_STALE,
        "%s was elected again since the restore began (term %lld, now %lld), so what "
        "it was told may be gone: restore again",
        mst_conn_name(r->c), (long long)r->term, (long long)term);
}

/* The codes with which a server says that it is not, or no more, who takes writes. */
static bool says_not_primary(int code)
{
    static const int codes[] = {MST_SC_NOT_PRIMARY, 189, 10058, 11602, 13435, 13436};
    size_t i;

    for (i = 0; i < MST_COUNT(codes) && codes[i] != code; i++) {
    }
    return i < MST_COUNT(codes);
}

enum mst_rc mst_rs_say_lost(const struct mst_rs *r, struct mst_err *err)
{
    if (err->rc == MST_E_NET) {
        mst_err_prefix(err, "the connection to the primary %s was lost", r->o->primary);
    } else if (err->detail == MST_SC_OUT_OF_DISK && err->rc == MST_E_SERVER) {
        mst_err_prefix(err, "the disk of the primary %s is full", r->o->primary);
    } else if (err->rc == MST_E_PRECOND && says_not_primary(err->detail)) {
        mst_err_prefix(err, "%s is no longer the primary", r->o->primary);
        err->rc = MST_E_STALE; /* it had begun */
    }
    return err->rc;
}

enum mst_rc mst_rs_do_majority_take(const struct mst_rs *r, const char *db, bson_t *cmd, int64_t ms,
                                    struct mst_err *err)
{
    const int64_t wait = r->o->majority_ms ? r->o->majority_ms : MAJORITY_DEFAULT_MS;
    struct mst_optime own, majority;
    struct mst_err ignored = {0};
    char who[160];
    bson_t wc;

    BSON_APPEND_DOCUMENT_BEGIN(cmd, "writeConcern", &wc);
    BSON_APPEND_UTF8(&wc, "w", "majority");
    BSON_APPEND_INT64(&wc, "wtimeout", wait);
    bson_append_document_end(cmd, &wc);
    if (mst_rs_do_take(r->c, db, cmd, ms + wait, err) == MST_OK) {
        return MST_OK;
    }
    if (err->detail == MST_SC_WC_TIMEOUT && last_write(r->c, &own, &majority, &ignored) == MST_OK) {
        mst_conn_who_lags(r->c, own.ts, who, sizeof who);
        mst_err_prefix(err, "no majority within %lld s, waited for %s", (long long)(wait / 1000),
                       who[0] ? who : "members that lag");
    }
    return err->rc;
}

enum mst_rc mst_rs_wait_majority(const struct mst_rs *r, struct mst_err *err)
{
    const int64_t limit = r->o->majority_ms ? r->o->majority_ms : MAJORITY_DEFAULT_MS;
    const int64_t until = mst_clock_mono_ms(NULL) + limit;
    struct mst_optime mine, majority, target;
    int64_t ask = mst_clock_mono_ms(NULL) + 1000;
    char who[160];

    if (last_write(r->c, &target, &majority, err) != MST_OK ||
        same_election(r, target.term, err) != MST_OK) {
        return err->rc;
    }
    while (mst_ts_cmp(majority.ts, target.ts) < 0) {
        if (mst_clock_mono_ms(NULL) > until) {
            mst_conn_who_lags(r->c, target.ts, who, sizeof who);
            return mst_err_set(err, MST_E_TIMEOUT,
                               "no majority has the writes after %lld s; waited for %s",
                               (long long)(limit / 1000), who[0] ? who : "members that lag");
        }
        if (mst_clock_mono_ms(NULL) >= ask) {
            ask += 1000;
            mst_conn_who_lags(r->c, target.ts, who, sizeof who);
            mst_task_phase(r->task, "waiting for a majority: %.70s", who);
        }
        if (!mst_task_sleep_ms(r->task, 20)) {
            return mst_task_check(r->task, err);
        }
        if (last_write(r->c, &mine, &majority, err) != MST_OK ||
            same_election(r, mine.term, err) != MST_OK) {
            return err->rc;
        }
    }
    return MST_OK;
}

/* Seconds between the oldest and the newest oplog entry; -1 when it cannot be read. */
static int64_t oplog_window_s(struct mst_conn *c)
{
    struct mst_ts end[2] = {{0, 0}, {0, 0}};
    int i;

    for (i = 0; i < 2; i++) {
        bson_t *cmd = BCON_NEW("find", BCON_UTF8("oplog.rs"), "sort", "{", "$natural",
                               BCON_INT32(i ? -1 : 1), "}", "limit", BCON_INT64(1), "singleBatch",
                               BCON_BOOL(true), "projection", "{", "ts", BCON_INT32(1), "}");
        struct mst_cursor *cur = NULL;
        struct mst_err ignored = {0};
        const bson_t *doc = NULL;
        bool ok = mst_cursor_open(c, "local", cmd, MST_RS_MS, &cur, &ignored) == MST_OK &&
                  mst_cursor_next(cur, &doc, &ignored) == MST_OK && doc &&
                  mst_bson_ts(doc, "ts", &end[i]);

        mst_cursor_free(cur);
        bson_destroy(cmd);
        if (!ok) {
            return -1;
        }
    }
    return (int64_t)end[1].t - (int64_t)end[0].t;
}

enum mst_rc mst_rs_pace(struct mst_rs *r, struct mst_conn *c, struct mst_err *err)
{
    const int64_t limit = r->o->lag_pause_ms ? r->o->lag_pause_ms : LAG_DEFAULT_MS;
    int64_t behind = 0;
    char name[MST_HOST_MAX];
    bool said = false;

    for (;;) {
        int64_t window_s;

        slowest(c, name, &behind);
        window_s = behind > limit / 2 ? oplog_window_s(c) : -1;
        if (behind <= limit && (window_s < 0 || behind < window_s * 500)) {
            return mst_task_check(r->task, err);
        }
        if (!said) {
            mst_task_log(r->task, "load pauses: %s is %lld s behind", name,
                         (long long)(behind / 1000));
            said = true;
        }
        mst_task_phase(r->task, "waiting for %s, %lld s behind", name, (long long)(behind / 1000));
        if (!mst_task_sleep_ms(r->task, 500)) {
            return mst_task_check(r->task, err);
        }
    }
}

/* ---- listings ---- */

void mst_tgt_free(struct mst_tgt_coll *t, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        bson_destroy(t[i].options);
    }
    free(t);
}

const struct mst_tgt_coll *mst_tgt_find(const struct mst_tgt_coll *t, size_t n, const char *db,
                                        const char *coll)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (strcmp(t[i].coll, coll) == 0 && strcmp(t[i].db, db) == 0) {
            return &t[i];
        }
    }
    return NULL;
}

static bool plain_text(const bson_t *b, const char *key, char *out, size_t size)
{
    bson_iter_t it;

    out[0] = 0;
    return bson_iter_init_find(&it, b, key) && BSON_ITER_HOLDS_UTF8(&it) &&
           mst_copy(out, size, bson_iter_utf8(&it, NULL));
}

void mst_tgt_fill(struct mst_tgt_coll *t, const char *db, const bson_t *doc)
{
    char type[16];
    bson_t part;
    bson_iter_t it;

    (void)mst_copy(t->db, sizeof t->db, db);
    (void)plain_text(doc, "name", t->coll, sizeof t->coll);
    (void)plain_text(doc, "type", type, sizeof type);
    t->view = strcmp(type, "view") == 0;
    t->options = mst_bson_doc(doc, "options", &part) ? bson_copy(&part) : bson_new();
    if (mst_bson_doc(doc, "info", &part) && bson_iter_init_find(&it, &part, "uuid") &&
        BSON_ITER_HOLDS_BINARY(&it)) {
        bson_subtype_t sub;
        uint32_t n = 0;
        const uint8_t *p = NULL;

        bson_iter_binary(&it, &sub, &n, &p);
        t->has_uuid = n == 16;
        if (t->has_uuid) {
            memcpy(t->uuid, p, 16);
        }
    }
}

static enum mst_rc list_db(struct mst_conn *c, const char *db, struct mst_tgt_coll **out, size_t *n,
                           size_t *cap, struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("listCollections", BCON_INT32(1), "cursor", "{", "}");
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    enum mst_rc rc = mst_cursor_open(c, db, cmd, MST_RS_MS, &cur, err);

    while (rc == MST_OK && (rc = mst_cursor_next(cur, &doc, err)) == MST_OK && doc) {
        if (*n >= COLLS_MAX) {
            rc = mst_err_set(err, MST_E_LIMIT, "more than %u collections", COLLS_MAX);
            break;
        }
        mst_grow((void **)out, cap, *n + 1, sizeof **out);
        memset(&(*out)[*n], 0, sizeof **out);
        mst_tgt_fill(&(*out)[*n], db, doc);
        if (strncmp((*out)[*n].coll, "system.", 7) == 0 &&
            strcmp((*out)[*n].coll, "system.js") != 0) {
            bson_destroy((*out)[*n].options);
        } else {
            (*n)++;
        }
    }
    mst_cursor_free(cur);
    bson_destroy(cmd);
    return rc;
}

enum mst_rc mst_tgt_list(struct mst_conn *c, const char *db, struct mst_tgt_coll **out, size_t *n,
                         struct mst_err *err)
{
    bson_t *cmd, reply;
    bson_iter_t it, dbs, in;
    size_t cap = 0;
    enum mst_rc rc;

    *out = NULL;
    *n = 0;
    if (db) {
        rc = list_db(c, db, out, n, &cap, err);
        goto out;
    }
    cmd = BCON_NEW("listDatabases", BCON_INT32(1), "nameOnly", BCON_BOOL(true));
    rc = mst_conn_command(c, "admin", cmd, MST_RS_MS, &reply, err);
    bson_destroy(cmd);
    if (rc == MST_OK && bson_iter_init_find(&it, &reply, "databases") &&
        bson_iter_recurse(&it, &dbs)) {
        while (rc == MST_OK && bson_iter_next(&dbs)) {
            if (bson_iter_recurse(&dbs, &in) && bson_iter_find(&in, "name") &&
                BSON_ITER_HOLDS_UTF8(&in)) {
                const char *name = bson_iter_utf8(&in, NULL);

                if (strcmp(name, "local") != 0 && strcmp(name, "config") != 0) {
                    rc = list_db(c, name, out, n, &cap, err);
                }
            }
        }
    }
    bson_destroy(&reply);
out:
    if (rc != MST_OK) {
        mst_tgt_free(*out, *n);
        *out = NULL;
        *n = 0;
    }
    return rc;
}

enum mst_rc mst_tgt_indexes(struct mst_conn *c, const char *db, const char *coll, bson_t **out,
                            struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("listIndexes", BCON_UTF8(coll), "cursor", "{", "}");
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    bson_t *all = bson_new();
    uint32_t i = 0;
    enum mst_rc rc = mst_cursor_open(c, db, cmd, MST_RS_MS, &cur, err);

    while (rc == MST_OK && (rc = mst_cursor_next(cur, &doc, err)) == MST_OK && doc) {
        char key[16];

        (void)snprintf(key, sizeof key, "%u", i++);
        BSON_APPEND_DOCUMENT(all, key, doc);
    }
    mst_cursor_free(cur);
    bson_destroy(cmd);
    if (rc != MST_OK) {
        bson_destroy(all);
        return rc;
    }
    *out = all;
    return MST_OK;
}
