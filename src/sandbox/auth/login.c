/* login.c: conversations of SCRAM, certificates, and what a hello says of them. */
#include <stdio.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/internal.h"
#include "auth/users.h"
#include "base/mem.h"
#include "value/value.h"
#include "wire/client.h"

#define E_AUTH_FAILED 18
#define E_PROTOCOL 17
#define E_BAD_VALUE 2
#define E_USER_NOT_FOUND 11

static struct sbx_conn_auth *conn_of(struct sbx_conn *conn)
{
    if (conn->auth == NULL) {
        conn->auth = mst_xcalloc(1, sizeof(struct sbx_conn_auth));
    }
    return conn->auth;
}

static void logged_in(struct sbx_call *c, const char *db, const char *name)
{
    struct sbx_conn_auth *ca = conn_of(c->conn);
    struct sbx_doc user;
    size_t i = 0;

    while (i < ca->n && strcmp(ca->users[i].db, db) != 0) {
        i++;
    }
    if (i == SBX_CONN_USERS_MAX) {
        i = SBX_CONN_USERS_MAX - 1;
    }
    memset(&ca->users[i], 0, sizeof ca->users[i]);
    (void)mst_copy(ca->users[i].db, sizeof ca->users[i].db, db);
    (void)mst_copy(ca->users[i].name, sizeof ca->users[i].name, name);
    if (sbx_user_doc(c->m->data, db, name, &user)) {
        (void)sbx_user_id(user, ca->users[i].id);
    }
    if (i == ca->n) {
        ca->n++;
    }
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
    struct sbx_conn_auth *ca = conn_of(c->conn);
    struct sbx_doc user;
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
    if (!sbx_user_doc(c->m->data, db, ca->scram.user, &user) ||
        !sbx_user_cred(user, mech, &ca->scram.cred)) {
        return false;
    }
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
    struct sbx_conn_auth *ca = c->conn != NULL ? conn_of(c->conn) : NULL;
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
        c->error_plain = true;
        sbx_fail(c, E_AUTH_FAILED, "Authentication failed.");
        return;
    }
    answer(c->reply, ca->scram.step == SBX_SCRAM_DONE, text);
    if (ca->scram.step == SBX_SCRAM_DONE) {
        ca->talking = false;
        logged_in(c, ca->db, ca->scram.user);
    }
}

/* ---- certificates ---- */

static bool x509_login(struct sbx_call *c, const char *claimed, const char **why, int *code)
{
    const char *subject = c->conn != NULL ? c->conn->subject : "";
    struct sbx_doc user;

    *code = E_AUTH_FAILED;
    *why = "Authentication failed.";
    if (subject[0] == '\0' || (claimed != NULL && strcmp(claimed, subject) != 0)) {
        return false;
    }
    if (!sbx_user_doc(c->m->data, "$external", subject, &user)) {
        *code = E_USER_NOT_FOUND;
        *why = "Could not find user";
        return false;
    }
    logged_in(c, "$external", subject);
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
        if (code == E_USER_NOT_FOUND) {
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
    struct sbx_conn_auth *ca = c->conn != NULL ? c->conn->auth : NULL;

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
    char db[SBX_ROLE_DB_MAX];
    struct sbx_doc user;
    struct sbx_scram_cred cred;
    bson_t list;
    unsigned n = 0;

    if (dot == NULL || (size_t)(dot - who) >= sizeof db) {
        return;
    }
    memcpy(db, who, (size_t)(dot - who));
    db[dot - who] = '\0';
    if (!sbx_user_doc(c->m->data, db, dot + 1, &user)) {
        return; /* not told to strangers */
    }
    BSON_APPEND_ARRAY_BEGIN(c->reply, "saslSupportedMechs", &list);
    for (int m = 0; m < SBX_SCRAM_MECHS; m++) {
        if (sbx_user_cred(user, (enum sbx_scram_mech)m, &cred)) {
            BSON_APPEND_UTF8(&list, n == 0 ? "0" : "1", sbx_scram_name((enum sbx_scram_mech)m));
            n++;
        }
    }
    if (n == 0) {
        BSON_APPEND_UTF8(&list, "0", "MONGODB-X509");
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
