#include "auth/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "auth/scram.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "value/value.h"
#include "wire/client.h"

#define USERS_MAX 256
#define CONN_USERS_MAX 4
#define NAME_MAX_BYTES 256
#define DB_MAX_BYTES 64
#define E_UNAUTHORIZED 13
#define E_AUTH_FAILED 18
#define E_PROTOCOL 17
#define E_BAD_VALUE 2

struct user {
    char db[DB_MAX_BYTES], name[NAME_MAX_BYTES];
    bool external;
    struct sbx_scram_cred cred[SBX_SCRAM_MECHS];
};

struct refusal {
    char user[NAME_MAX_BYTES], command[64];
};

struct auth {
    struct user *users;
    size_t n, cap;
    struct refusal *refusals;
    size_t n_refusals, cap_refusals;
};

struct conn_user {
    char db[DB_MAX_BYTES], name[NAME_MAX_BYTES];
};

struct conn_auth {
    struct conn_user users[CONN_USERS_MAX];
    size_t n;
    bool talking; /* a conversation is open */
    char db[DB_MAX_BYTES];
    struct sbx_scram scram;
};

static struct auth *state_of(struct sbx_world *w)
{
    if (w->auth == NULL) {
        w->auth = mst_xcalloc(1, sizeof(struct auth));
    }
    return w->auth;
}

static struct conn_auth *conn_of(struct sbx_conn *conn)
{
    if (conn->auth == NULL) {
        conn->auth = mst_xcalloc(1, sizeof(struct conn_auth));
    }
    return conn->auth;
}

static const struct user *find_user(const struct sbx_world *w, const char *db, const char *name)
{
    const struct auth *a = w->auth;

    for (size_t i = 0; a != NULL && i < a->n; i++) {
        if (strcmp(a->users[i].db, db) == 0 && strcmp(a->users[i].name, name) == 0) {
            return &a->users[i];
        }
    }
    return NULL;
}

/* Whom a member knows: users are data, and an arbiter has none. */
static const struct user *known(const struct sbx_member *m, const char *db, const char *name)
{
    return m->data != NULL ? find_user(m->w, db, name) : NULL;
}

enum mst_rc sbx_auth_add(struct sbx_world *w, const char *db, const char *name,
                         const char *password, struct mst_err *err)
{
    struct auth *a = state_of(w);
    struct user *u;

    if (find_user(w, db, name) != NULL) {
        return mst_err_set(err, MST_E_EXISTS, "user %s@%s is there already", name, db);
    }
    if (a->n == USERS_MAX || strlen(name) >= NAME_MAX_BYTES || strlen(db) >= DB_MAX_BYTES) {
        return mst_err_set(err, MST_E_LIMIT, "user %.80s: too long a name, or too many users",
                           name);
    }
    mst_grow((void **)&a->users, &a->cap, a->n + 1, sizeof *a->users);
    u = &a->users[a->n];
    memset(u, 0, sizeof *u);
    mst_copy(u->db, sizeof u->db, db);
    mst_copy(u->name, sizeof u->name, name);
    u->external = password == NULL;
    for (int m = 0; password != NULL && m < SBX_SCRAM_MECHS; m++) {
        if (!sbx_scram_make(&u->cred[m], (enum sbx_scram_mech)m, name, password, NULL, 0)) {
            return mst_err_set(err, MST_E_BUG, "user %s: no such digest in this OpenSSL", name);
        }
    }
    a->n++;
    return MST_OK;
}

enum mst_rc sbx_auth_add_x509(struct sbx_world *w, const char *subject, struct mst_err *err)
{
    return sbx_auth_add(w, "$external", subject, NULL, err);
}

enum mst_rc sbx_auth_add_option(struct sbx_world *w, const char *text, struct mst_err *err)
{
    struct mst_secret password = {0};
    char name[NAME_MAX_BYTES], *at;
    const char *eq = strchr(text, '='), *db = "admin";
    enum mst_rc rc;

    if (eq == NULL || eq == text || eq[1] == '\0' || (size_t)(eq - text) >= sizeof name) {
        return mst_err_set(err, MST_E_USAGE, "user '%.80s': write NAME=FILE or NAME@DB=FILE", text);
    }
    memcpy(name, text, (size_t)(eq - text));
    name[eq - text] = '\0';
    at = strrchr(name, '@');
    if (at != NULL) {
        *at = '\0';
        db = at + 1;
    }
    rc = mst_secret_from_file(&password, eq + 1, err);
    if (rc == MST_OK) {
        rc = sbx_auth_add(w, db, name, password.p, err);
    }
    mst_secret_release(&password);
    return rc;
}

bool sbx_auth_enabled(const struct sbx_world *w)
{
    const struct auth *a = w->auth;

    return a != NULL && a->n > 0;
}

void sbx_auth_release(struct sbx_world *w)
{
    struct auth *a = w->auth;

    if (a != NULL) {
        if (a->users != NULL) {
            mst_wipe(a->users, a->n * sizeof *a->users);
        }
        free(a->users);
        free(a->refusals);
        free(a);
        w->auth = NULL;
    }
}

void sbx_auth_refuse(struct sbx_world *w, const char *user, const char *command, bool on)
{
    struct auth *a = state_of(w);

    for (size_t i = 0; i < a->n_refusals; i++) {
        struct refusal *r = &a->refusals[i];

        if (strcmp(r->user, user) == 0 && strcmp(r->command, command) == 0) {
            if (!on) {
                *r = a->refusals[--a->n_refusals];
            }
            return;
        }
    }
    if (on) {
        mst_grow((void **)&a->refusals, &a->cap_refusals, a->n_refusals + 1, sizeof *a->refusals);
        mst_copy(a->refusals[a->n_refusals].user, NAME_MAX_BYTES, user);
        mst_copy(a->refusals[a->n_refusals].command, sizeof a->refusals->command, command);
        a->n_refusals++;
    }
}

static bool is_user(const struct sbx_conn *conn, const char *name)
{
    const struct conn_auth *ca = conn->auth;
    char full[NAME_MAX_BYTES + DB_MAX_BYTES + 1];

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
    const struct auth *a = c->w->auth;
    bson_iter_t first;
    const bool by_uuid =
        bson_iter_init(&first, c->cmd) && bson_iter_next(&first) && BSON_ITER_HOLDS_BINARY(&first);

    for (size_t i = 0; a != NULL && i < a->n_refusals; i++) {
        const struct refusal *r = &a->refusals[i];

        if ((strcasecmp(r->command, c->name) == 0 ||
             (by_uuid && strcmp(r->command, "useUUID") == 0)) &&
            (strcmp(r->user, "*") == 0 || is_user(c->conn, r->user))) {
            return true;
        }
    }
    return false;
}

/* The command as its refusal prints it: what a driver sends as document sequences is not in it. */
static void fail_not_authorized(struct sbx_call *c)
{
    static const char *const sequences[] = {"documents", "updates", "deletes"};
    struct mst_str text = {0};
    bson_t shown = BSON_INITIALIZER;
    bson_iter_t it;

    if (bson_iter_init(&it, c->cmd)) {
        while (bson_iter_next(&it)) {
            bool skip = false;

            for (size_t i = 0; i < MST_COUNT(sequences); i++) {
                skip = skip || strcmp(bson_iter_key(&it), sequences[i]) == 0;
            }
            if (!skip) {
                bson_append_iter(&shown, NULL, 0, &it);
            }
        }
    }
    sbx_doc_text(sbx_doc(bson_get_data(&shown), shown.len), &text);
    sbx_fail(c, E_UNAUTHORIZED, "not authorized on %s to execute command %s", c->db,
             mst_str_c(&text));
    mst_str_release(&text);
    bson_destroy(&shown);
}

bool sbx_auth_check(struct sbx_call *c, unsigned flags)
{
    const struct conn_auth *ca;

    if (c->conn == NULL) {
        return true;
    }
    ca = c->conn->auth;
    if (sbx_auth_enabled(c->w) && (ca == NULL || ca->n == 0) && (flags & SBX_CMD_NO_AUTH) == 0) {
        sbx_fail(c, E_UNAUTHORIZED, "command %s requires authentication", c->name);
        return false;
    }
    if (refused(c)) {
        fail_not_authorized(c);
        return false;
    }
    return true;
}

static void logged_in(struct conn_auth *ca, const char *db, const char *name)
{
    size_t i = 0;

    while (i < ca->n && strcmp(ca->users[i].db, db) != 0) {
        i++;
    }
    if (i == CONN_USERS_MAX) {
        i = CONN_USERS_MAX - 1;
    }
    mst_copy(ca->users[i].db, DB_MAX_BYTES, db);
    mst_copy(ca->users[i].name, NAME_MAX_BYTES, name);
    if (i == ca->n) {
        ca->n++;
    }
}

void sbx_auth_conn_release(struct sbx_conn *conn)
{
    if (conn->auth != NULL) {
        mst_wipe(conn->auth, sizeof(struct conn_auth));
        free(conn->auth);
        conn->auth = NULL;
    }
}

void sbx_auth_append_users(const struct sbx_conn *conn, const char *key, bson_t *b)
{
    const struct conn_auth *ca = conn != NULL ? conn->auth : NULL;
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

void sbx_auth_status(struct sbx_call *c)
{
    const struct conn_auth *ca = c->conn != NULL ? c->conn->auth : NULL;
    bson_t info, list, one;

    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "authInfo", &info);
    sbx_auth_append_users(c->conn, "authenticatedUsers", &info);
    BSON_APPEND_ARRAY_BEGIN(&info, "authenticatedUserRoles", &list);
    if (ca != NULL && ca->n > 0) { /* everybody may do everything: that is root */
        BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &one);
        BSON_APPEND_UTF8(&one, "role", "root");
        BSON_APPEND_UTF8(&one, "db", "admin");
        bson_append_document_end(&list, &one);
    }
    bson_append_array_end(&info, &list);
    bson_append_document_end(c->reply, &info);
}

void sbx_auth_uid(const struct sbx_conn *conn, uint8_t out[SBX_AUTH_UID])
{
    const struct conn_auth *ca = conn != NULL ? conn->auth : NULL;
    char who[NAME_MAX_BYTES + DB_MAX_BYTES + 1] = "";
    unsigned n = 0;

    if (ca != NULL && ca->n > 0) {
        (void)snprintf(who, sizeof who, "%s@%s", ca->users[0].name, ca->users[0].db);
    }
    EVP_Digest(who, strlen(who), out, &n, EVP_sha256(), NULL);
}

/* ---- SCRAM ---- */

static bool payload_of(const bson_t *cmd, const uint8_t **p, uint32_t *n)
{
    bson_iter_t it;
    bson_subtype_t sub;

    if (!bson_iter_init_find(&it, cmd, "payload")) {
        return false;
    }
    if (BSON_ITER_HOLDS_UTF8(&it)) { /* base64 text is allowed by the protocol, nobody sends it */
        return false;
    }
    if (!BSON_ITER_HOLDS_BINARY(&it)) {
        return false;
    }
    bson_iter_binary(&it, &sub, n, p);
    return true;
}

static void answer(bson_t *reply, bool done, const char *text)
{
    BSON_APPEND_INT32(reply, "conversationId", 1);
    BSON_APPEND_BOOL(reply, "done", done);
    BSON_APPEND_BINARY(reply, "payload", BSON_SUBTYPE_BINARY, (const uint8_t *)text,
                       (uint32_t)strlen(text));
}

/* The first step for this command; false when it is refused. Nothing is appended then. */
static bool start(struct sbx_call *c, const bson_t *cmd, const char *db, enum sbx_scram_mech mech,
                  bson_t *reply)
{
    struct conn_auth *ca = conn_of(c->conn);
    const struct user *u;
    const uint8_t *p = NULL;
    uint32_t n = 0;
    char text[SBX_SCRAM_TEXT_MAX];

    memset(&ca->scram, 0, sizeof ca->scram);
    ca->talking = false;
    ca->scram.mech = mech;
    ca->scram.skip_empty =
        c->w->profile->server != SBX_42 && sbx_doc_true(cmd, "options.skipEmptyExchange");
    if (!payload_of(cmd, &p, &n) || !sbx_scram_user(&ca->scram, p, n)) {
        return false;
    }
    u = known(c->m, db, ca->scram.user);
    if (u == NULL || u->external) {
        return false;
    }
    ca->scram.cred = u->cred[mech];
    if (!sbx_scram_first(&ca->scram, text, sizeof text)) {
        return false;
    }
    mst_copy(ca->db, sizeof ca->db, db);
    ca->talking = true;
    answer(reply, false, text);
    return true;
}

void sbx_auth_sasl_start(struct sbx_call *c)
{
    const char *name = sbx_doc_str(c->cmd, "mechanism");
    enum sbx_scram_mech mech;

    if (c->conn == NULL) {
        sbx_fail(c, E_AUTH_FAILED, "Authentication failed.");
        return;
    }
    if (name == NULL || !sbx_scram_find(name, &mech)) {
        sbx_fail(c, E_BAD_VALUE, "Unsupported mechanism '%.64s' on authentication database '%s'",
                 name != NULL ? name : "", c->db);
        return;
    }
    if (!start(c, c->cmd, c->db, mech, c->reply)) {
        sbx_fail(c, E_AUTH_FAILED, "Authentication failed.");
    }
}

void sbx_auth_sasl_continue(struct sbx_call *c)
{
    struct conn_auth *ca = c->conn != NULL ? conn_of(c->conn) : NULL;
    const uint8_t *p = NULL;
    uint32_t n = 0;
    int64_t id = 0;
    char text[SBX_SCRAM_TEXT_MAX];

    if (ca == NULL || !ca->talking) {
        sbx_fail(c, E_PROTOCOL, "No SASL session state found");
        return;
    }
    if (!sbx_doc_int(c->cmd, "conversationId", &id) || id != 1) {
        sbx_fail(c, E_PROTOCOL, "sasl: Mismatched conversation id");
        return;
    }
    if (!payload_of(c->cmd, &p, &n) || !sbx_scram_next(&ca->scram, p, n, text, sizeof text)) {
        ca->talking = false;
        sbx_fail(c, E_AUTH_FAILED, "Authentication failed.");
        return;
    }
    answer(c->reply, ca->scram.step == SBX_SCRAM_DONE, text);
    if (ca->scram.step == SBX_SCRAM_DONE) {
        ca->talking = false;
        logged_in(ca, ca->db, ca->scram.user);
    }
}

/* ---- certificates ---- */

static bool x509_login(struct sbx_call *c, const char *claimed, const char **why, int *code)
{
    const char *subject = c->conn != NULL ? c->conn->subject : "";

    *code = E_AUTH_FAILED;
    *why = "Authentication failed.";
    if (subject[0] == '\0' || (claimed != NULL && strcmp(claimed, subject) != 0)) {
        return false;
    }
    if (known(c->m, "$external", subject) == NULL) {
        *code = 11;
        *why = "Could not find user";
        return false;
    }
    logged_in(conn_of(c->conn), "$external", subject);
    return true;
}

void sbx_auth_x509(struct sbx_call *c)
{
    const char *mechanism = sbx_doc_str(c->cmd, "mechanism"), *why;
    int code;

    if (mechanism == NULL || strcmp(mechanism, "MONGODB-X509") != 0) {
        sbx_fail(c, E_BAD_VALUE, "Unsupported mechanism: %.64s",
                 mechanism != NULL ? mechanism : "MONGODB-CR");
        return;
    }
    if (!x509_login(c, sbx_doc_str(c->cmd, "user"), &why, &code)) {
        if (code == 11) {
            sbx_fail(c, code, "Could not find user \"%s\" for db \"$external\"", c->conn->subject);
        } else {
            sbx_fail(c, code, "%s", why);
        }
        return;
    }
    BSON_APPEND_UTF8(c->reply, "dbname", "$external");
    BSON_APPEND_UTF8(c->reply, "user", c->conn->subject);
}

void sbx_auth_logout(struct sbx_call *c)
{
    struct conn_auth *ca = c->conn != NULL ? c->conn->auth : NULL;

    for (size_t i = 0; ca != NULL && i < ca->n;) {
        if (strcmp(ca->users[i].db, c->db) == 0) {
            ca->users[i] = ca->users[--ca->n];
        } else {
            i++;
        }
    }
}

/* ---- hello ---- */

static void supported(struct sbx_call *c, const char *who)
{
    const char *dot = strchr(who, '.');
    char db[DB_MAX_BYTES];
    const struct user *u;
    bson_t list;

    if (dot == NULL || (size_t)(dot - who) >= sizeof db) {
        return;
    }
    memcpy(db, who, (size_t)(dot - who));
    db[dot - who] = '\0';
    u = known(c->m, db, dot + 1);
    if (u == NULL) {
        return; /* not told to strangers */
    }
    BSON_APPEND_ARRAY_BEGIN(c->reply, "saslSupportedMechs", &list);
    if (u->external) {
        BSON_APPEND_UTF8(&list, "0", "MONGODB-X509");
    } else {
        BSON_APPEND_UTF8(&list, "0", sbx_scram_name(SBX_SCRAM_SHA1));
        BSON_APPEND_UTF8(&list, "1", sbx_scram_name(SBX_SCRAM_SHA256));
    }
    bson_append_array_end(c->reply, &list);
}

static void speculate(struct sbx_call *c, const bson_t *cmd)
{
    const char *name = sbx_doc_str(cmd, "mechanism"), *db = sbx_doc_str(cmd, "db"), *why;
    enum sbx_scram_mech mech;
    bson_t reply = BSON_INITIALIZER;
    bool ok = false;
    int code;

    if (name != NULL && strcmp(name, "MONGODB-X509") == 0) {
        ok = x509_login(c, sbx_doc_str(cmd, "user"), &why, &code);
        if (ok) {
            BSON_APPEND_UTF8(&reply, "dbname", "$external");
            BSON_APPEND_UTF8(&reply, "user", c->conn->subject);
        }
    } else if (name != NULL && sbx_scram_find(name, &mech)) {
        ok = start(c, cmd, db != NULL ? db : "admin", mech, &reply);
    }
    if (ok) {
        BSON_APPEND_DOCUMENT(c->reply, "speculativeAuthenticate", &reply);
    }
    bson_destroy(&reply);
}

void sbx_auth_hello(struct sbx_call *c)
{
    const char *who = sbx_doc_str(c->cmd, "saslSupportedMechs");
    bson_iter_t it;
    const uint8_t *p;
    uint32_t n;
    bson_t cmd;

    if (who != NULL) {
        supported(c, who);
    }
    if (c->conn != NULL && c->w->profile->server != SBX_42 &&
        bson_iter_init_find(&it, c->cmd, "speculativeAuthenticate") &&
        BSON_ITER_HOLDS_DOCUMENT(&it)) {
        bson_iter_document(&it, &n, &p);
        if (bson_init_static(&cmd, p, n)) {
            speculate(c, &cmd);
        }
    }
}
