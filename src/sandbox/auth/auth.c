#include "auth/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "auth/internal.h"
#include "auth/rights.h"
#include "auth/show.h"
#include "auth/users.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "value/value.h"
#include "wire/client.h"

#define E_UNAUTHORIZED 13

struct sbx_auth *sbx_auth_of(struct sbx_world *w)
{
    if (w->auth == NULL) {
        w->auth = mst_xcalloc(1, sizeof(struct sbx_auth));
    }
    return w->auth;
}

void sbx_auth_enable(struct sbx_world *w)
{
    sbx_auth_of(w)->on = true;
}

bool sbx_auth_enabled(const struct sbx_world *w)
{
    const struct sbx_auth *a = w->auth;

    return a != NULL && a->on;
}

void sbx_auth_release(struct sbx_world *w)
{
    struct sbx_auth *a = w->auth;

    if (a != NULL) {
        free(a->refusals);
        free(a);
        w->auth = NULL;
    }
}

/* ---- users from the start on ---- */

/* "backup,clusterMonitor,readWrite@shop": roles of the user's database unless they say another. */
static enum mst_rc read_roles(const char *text, const char *db, struct sbx_roles *roles,
                              struct mst_err *err)
{
    while (*text != '\0') {
        const size_t n = strcspn(text, ",");
        const char *at = memchr(text, '@', n);
        const size_t name = at != NULL ? (size_t)(at - text) : n;
        struct sbx_role r;

        memset(&r, 0, sizeof r);
        if (name == 0 || name >= sizeof r.name || (at != NULL && n - name - 1 >= sizeof r.db)) {
            return mst_err_set(err, MST_E_USAGE, "no role is named '%.*s'", (int)n, text);
        }
        memcpy(r.name, text, name);
        if (at != NULL) {
            memcpy(r.db, at + 1, n - name - 1);
        } else {
            (void)mst_copy(r.db, sizeof r.db, strcmp(db, "$external") == 0 ? "admin" : db);
        }
        if (!sbx_role_builtin(r.db, r.name)) {
            return mst_err_set(err, MST_E_USAGE,
                               "%s has no built-in role %s: own roles are made with createRole",
                               r.db, r.name);
        }
        sbx_roles_add(roles, &r);
        text += n + (text[n] == ',');
    }
    return MST_OK;
}

static enum mst_rc check_name(const struct sbx_world *w, const char *db, const char *name,
                              struct mst_err *err)
{
    struct sbx_doc user;

    if (strlen(name) >= SBX_USER_NAME_MAX || strlen(db) >= SBX_ROLE_DB_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "user %.80s: the name or its database is too long",
                           name);
    }
    for (size_t i = 0; i < w->n; i++) {
        if (sbx_user_doc(w->members[i].data, db, name, &user)) {
            return mst_err_set(err, MST_E_EXISTS, "user %s@%s is there already", name, db);
        }
    }
    return MST_OK;
}

enum mst_rc sbx_auth_add_with(struct sbx_world *w, const char *db, const char *name,
                              const char *password, const char *roles, struct mst_err *err)
{
    struct sbx_new_user u = {.db = db, .name = name, .pwd = password};
    struct sbx_roles set = {0};
    struct sbx_out list = {0}, doc = {0};
    struct sbx_why why = {0};
    enum mst_rc rc = check_name(w, db, name, err);

    if (rc == MST_OK) {
        rc = read_roles(roles, db, &set, err);
    }
    if (rc == MST_OK) {
        const size_t m = sbx_out_begin(&list);

        sbx_roles_out(&list, "roles", &set);
        sbx_out_end(&list, m);
        u.roles = sbx_doc_get(sbx_out_done(&list), "roles");
        if (sbx_user_build(&u, &doc, &why)) {
            sbx_users_seed(w, sbx_out_done(&doc));
            sbx_auth_enable(w);
        } else {
            rc = mst_err_set(err, MST_E_BUG, "user %s: %s", name, why.msg);
        }
    }
    sbx_out_release(&list);
    sbx_out_release(&doc);
    sbx_roles_release(&set);
    return rc;
}

enum mst_rc sbx_auth_add(struct sbx_world *w, const char *db, const char *name,
                         const char *password, struct mst_err *err)
{
    return sbx_auth_add_with(w, db, name, password, "root@admin", err);
}

/* NAME[@DB][:ROLES]; the database is told from the roles by the colon in front of them. */
static enum mst_rc split_user(char *text, char **db, char **roles, struct mst_err *err)
{
    static char admin[] = "admin", root[] = "root@admin";
    char *colon = strchr(text, ':'), *at;

    *roles = root;
    *db = admin;
    if (colon != NULL) {
        *colon = '\0';
        *roles = colon + 1;
    }
    at = strrchr(text, '@');
    if (at != NULL) {
        *at = '\0';
        *db = at + 1;
    }
    return text[0] != '\0' && (*db)[0] != '\0' && (*roles)[0] != '\0'
               ? MST_OK
               : mst_err_set(err, MST_E_USAGE,
                             "a user without a name, a database or a role: write "
                             "NAME[@DB][:ROLE,ROLE..]=FILE");
}

enum mst_rc sbx_auth_add_option(struct sbx_world *w, const char *text, struct mst_err *err)
{
    struct mst_secret password = {0};
    char user[SBX_USER_NAME_MAX * 4], *db, *roles;
    const char *eq = strchr(text, '=');
    enum mst_rc rc;

    if (eq == NULL || eq == text || eq[1] == '\0' || (size_t)(eq - text) >= sizeof user) {
        return mst_err_set(err, MST_E_USAGE,
                           "user '%.80s': write NAME=FILE, or NAME[@DB][:ROLE,ROLE..]=FILE", text);
    }
    memcpy(user, text, (size_t)(eq - text));
    user[eq - text] = '\0';
    rc = split_user(user, &db, &roles, err);
    if (rc == MST_OK) {
        rc = mst_secret_from_file(&password, eq + 1, err);
    }
    if (rc == MST_OK) {
        rc = sbx_auth_add_with(w, db, user, password.p, roles, err);
    }
    mst_secret_release(&password);
    return rc;
}

/* ---- refusals on request ---- */

void sbx_auth_refuse(struct sbx_world *w, const char *user, const char *command, bool on)
{
    struct sbx_auth *a = sbx_auth_of(w);

    for (size_t i = 0; i < a->n_refusals; i++) {
        struct sbx_refusal *r = &a->refusals[i];

        if (strcmp(r->user, user) == 0 && strcmp(r->command, command) == 0) {
            if (!on) {
                *r = a->refusals[--a->n_refusals];
            }
            return;
        }
    }
    if (on) {
        struct sbx_refusal *r;

        mst_grow((void **)&a->refusals, &a->cap_refusals, a->n_refusals + 1, sizeof *a->refusals);
        r = &a->refusals[a->n_refusals++];
        (void)mst_copy(r->user, sizeof r->user, user);
        (void)mst_copy(r->command, sizeof r->command, command);
    }
}

static bool is_user(const struct sbx_conn *conn, const char *name)
{
    const struct sbx_conn_auth *ca = conn->auth;
    char full[SBX_USER_NAME_MAX + SBX_ROLE_DB_MAX + 1];

    for (size_t i = 0; ca != NULL && i < ca->n; i++) {
        (void)snprintf(full, sizeof full, "%s@%s", ca->users[i].name, ca->users[i].db);
        if (strcmp(ca->users[i].name, name) == 0 || strcmp(full, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool refused(const struct sbx_call *c)
{
    const struct sbx_auth *a = c->w->auth;
    bson_iter_t first;
    const bool by_uuid =
        bson_iter_init(&first, c->cmd) && bson_iter_next(&first) && BSON_ITER_HOLDS_BINARY(&first);

    for (size_t i = 0; a != NULL && i < a->n_refusals; i++) {
        const struct sbx_refusal *r = &a->refusals[i];

        if ((strcasecmp(r->command, c->name) == 0 ||
             (by_uuid && strcmp(r->command, "useUUID") == 0)) &&
            (strcmp(r->user, "*") == 0 || is_user(c->conn, r->user))) {
            return true;
        }
    }
    return false;
}

/* ---- every call ---- */

/* The command as its refusal prints it. What a driver sends as document sequences is not in it:
 * those stand behind the body, and so behind $db. */
static void fail_not_authorized(struct sbx_call *c)
{
    static const char *const sequences[] = {"documents", "updates", "deletes"};
    static const char *const hidden[] = {"pwd", "payload"};
    struct mst_str text = {0};
    struct sbx_out shown = {0};
    struct sbx_it it;
    const size_t m = sbx_out_begin(&shown);
    bool behind = false;

    sbx_it_init(&it, sbx_doc(bson_get_data(c->cmd), c->cmd->len));
    while (sbx_it_next(&it)) {
        bool skip = false;

        for (size_t i = 0; behind && i < MST_COUNT(sequences); i++) {
            skip = skip || strcmp(it.key, sequences[i]) == 0;
        }
        for (size_t i = 0; !skip && i < MST_COUNT(hidden); i++) {
            if (strcmp(it.key, hidden[i]) == 0) {
                sbx_out_str(&shown, it.key, "xxx");
                skip = true;
            }
        }
        if (!skip) {
            sbx_out_valn(&shown, it.key, it.klen, it.v);
        }
        behind = behind || strcmp(it.key, "$db") == 0;
    }
    sbx_out_end(&shown, m);
    sbx_doc_text(sbx_out_done(&shown), &text);
    sbx_fail(c, E_UNAUTHORIZED, "not authorized on %s to execute command %s", c->db,
             mst_str_c(&text));
    mst_str_release(&text);
    sbx_out_release(&shown);
}

static bool allowed(struct sbx_call *c, unsigned flags)
{
    const struct sbx_conn_auth *ca;
    struct sbx_rights r;
    bool ok = true;

    sbx_rights_init(&r, c);
    ca = c->conn->auth;
    if (!r.open && (flags & SBX_CMD_NO_AUTH) == 0) {
        const struct sbx_ask ask = {&r, c->db, c->name,
                                    sbx_doc(bson_get_data(c->cmd), c->cmd->len)};

        if ((ca == NULL || ca->n == 0) && !r.local) {
            sbx_fail(c, E_UNAUTHORIZED, "command %s requires authentication", c->name);
            ok = false;
        } else if (!sbx_need_met(&ask)) {
            fail_not_authorized(c);
            ok = false;
        }
    }
    sbx_rights_release(&r);
    return ok;
}

bool sbx_auth_check(struct sbx_call *c, unsigned flags)
{
    if (c->conn == NULL) {
        return true;
    }
    if (!allowed(c, flags)) {
        return false;
    }
    if (refused(c)) {
        fail_not_authorized(c);
        return false;
    }
    return true;
}

bool sbx_auth_sees_db(struct sbx_call *c, const char *db)
{
    struct sbx_rights r;
    bool sees;

    sbx_rights_init(&r, c);
    sees = (sbx_may_cluster(&r, "listDatabases") && !sbx_doc_true(c->cmd, "authorizedDatabases")) ||
           sbx_may_in(&r, db);
    sbx_rights_release(&r);
    return sees;
}

void sbx_auth_conn_release(struct sbx_conn *conn)
{
    if (conn->auth != NULL) {
        mst_wipe(conn->auth, sizeof(struct sbx_conn_auth));
        free(conn->auth);
        conn->auth = NULL;
    }
}

void sbx_auth_append_users(const struct sbx_conn *conn, const char *key, bson_t *b)
{
    const struct sbx_conn_auth *ca = conn != NULL ? conn->auth : NULL;
    bson_t list, one;
    char num[24];

    BSON_APPEND_ARRAY_BEGIN(b, key, &list);
    for (size_t i = 0; ca != NULL && i < ca->n; i++) {
        (void)snprintf(num, sizeof num, "%zu", i);
        BSON_APPEND_DOCUMENT_BEGIN(&list, num, &one);
        BSON_APPEND_UTF8(&one, "user", ca->users[i].name);
        BSON_APPEND_UTF8(&one, "db", ca->users[i].db);
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(b, &list);
}

/* The server keeps a user's roles in a table that gives the newest first; so say the recordings. */
static void append_roles(const struct sbx_roles *r, bson_t *info)
{
    bson_t list, one;
    char num[24];

    BSON_APPEND_ARRAY_BEGIN(info, "authenticatedUserRoles", &list);
    for (size_t i = 0; i < r->n; i++) {
        (void)snprintf(num, sizeof num, "%zu", i);
        BSON_APPEND_DOCUMENT_BEGIN(&list, num, &one);
        BSON_APPEND_UTF8(&one, "role", r->v[r->n - 1 - i].name);
        BSON_APPEND_UTF8(&one, "db", r->v[r->n - 1 - i].db);
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(info, &list);
}

void sbx_auth_status(struct sbx_call *c)
{
    struct sbx_rights r;
    bson_t info;

    sbx_rights_init(&r, c);
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "authInfo", &info);
    sbx_auth_append_users(c->conn, "authenticatedUsers", &info);
    append_roles(&r.roles, &info);
    if (sbx_doc_true(c->cmd, "showPrivileges")) {
        struct sbx_privs privs = {0};
        struct sbx_out out = {0};
        const size_t m = sbx_out_begin(&out);
        bson_t view;

        sbx_privs_add_roles(&privs, c->m->data, &r.roles);
        sbx_privs_out(&privs, &out, "authenticatedUserPrivileges");
        sbx_privs_release(&privs);
        sbx_out_end(&out, m);
        MST_ASSERT(bson_init_static(&view, sbx_out_done(&out).p, sbx_out_done(&out).n));
        bson_concat(&info, &view);
        sbx_out_release(&out);
    }
    bson_append_document_end(c->reply, &info);
    sbx_rights_release(&r);
}

void sbx_auth_uid(const struct sbx_conn *conn, uint8_t out[SBX_AUTH_UID])
{
    const struct sbx_conn_auth *ca = conn != NULL ? conn->auth : NULL;
    char who[SBX_USER_NAME_MAX + SBX_ROLE_DB_MAX + 1] = "";
    unsigned n = 0;

    if (ca != NULL && ca->n > 0) {
        (void)snprintf(who, sizeof who, "%s@%s", ca->users[0].name, ca->users[0].db);
    }
    EVP_Digest(who, strlen(who), out, &n, EVP_sha256(), NULL);
}
