#include "sess/sess.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "base/mem.h"
#include "sess/internal.h"
#include "wire/client.h"

#define E_INVALID_OPTIONS 72
#define E_NOT_IN_TXN 263
#define SESSION_LIFE_MS (30 * 60 * 1000)

struct sbx_sessions *sbx_sessions_of(struct sbx_member *m)
{
    if (m->sess == NULL) {
        m->sess = mst_xcalloc(1, sizeof(struct sbx_sessions));
    }
    return m->sess;
}

struct sbx_call_state *sbx_call_state(const struct sbx_call *c)
{
    return (struct sbx_call_state *)c->sess;
}

const struct sbx_sess_stats *sbx_sess_stats(struct sbx_member *m)
{
    struct sbx_sessions *all = sbx_sessions_of(m);

    all->stats.active_sessions = all->stats.open = 0;
    for (size_t i = 0; i < SBX_SESS_BUCKETS; i++) {
        for (const struct sbx_session *s = all->buckets[i]; s != NULL; s = s->next) {
            all->stats.active_sessions++;
            all->stats.open += s->open != NULL;
        }
    }
    return &all->stats;
}

/* ---- the table ---- */

static struct sbx_session **slot(struct sbx_member *m, const uint8_t key[SBX_SESS_KEY])
{
    struct sbx_session **at = &sbx_sessions_of(m)->buckets[(key[0] ^ key[7] ^ key[15])];

    while (*at != NULL && memcmp((*at)->key, key, SBX_SESS_KEY) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static void drop(struct sbx_member *m, struct sbx_session **at)
{
    struct sbx_session *s = *at;

    sbx_open_abort(m, s);
    *at = s->next;
    free(s);
}

/* Sessions nobody used for half an hour end, as on a server. */
static void reap(struct sbx_member *m, struct sbx_session **bucket)
{
    const int64_t now = sbx_mono(m->w);

    for (struct sbx_session **at = bucket; *at != NULL;) {
        if (now - (*at)->used_mono > SESSION_LIFE_MS) {
            drop(m, at);
        } else {
            at = &(*at)->next;
        }
    }
}

void sbx_lsid_append(const struct sbx_session *s, bson_t *out)
{
    BSON_APPEND_BINARY(out, "id", BSON_SUBTYPE_UUID, s->key, 16);
    BSON_APPEND_BINARY(out, "uid", BSON_SUBTYPE_BINARY, s->key + 16, 32);
}

static struct sbx_session *session(struct sbx_member *m, const uint8_t key[SBX_SESS_KEY])
{
    struct sbx_session **at, *s;
    bool committed = false;
    bson_t lsid = BSON_INITIALIZER;

    reap(m, &sbx_sessions_of(m)->buckets[key[0] ^ key[7] ^ key[15]]);
    at = slot(m, key);
    if (*at == NULL) {
        s = mst_xcalloc(1, sizeof *s);
        memcpy(s->key, key, SBX_SESS_KEY);
        s->number = -1;
        sbx_lsid_append(s, &lsid);
        if (sbx_session_record(m, &lsid, &s->number, &s->commit_op, &committed) && committed) {
            s->state = SBX_TXN_COMMITTED;
        }
        *at = s;
    }
    (*at)->used_mono = sbx_mono(m->w);
    (*at)->used = true;
    bson_destroy(&lsid);
    return *at;
}

/* "id" of a session document and the owner's digest; false: no session id. */
static bool session_key(const struct sbx_call *c, const bson_iter_t *doc, uint8_t key[SBX_SESS_KEY])
{
    bson_iter_t it;
    bson_subtype_t sub;
    uint32_t n;
    const uint8_t *p;

    if (!BSON_ITER_HOLDS_DOCUMENT(doc) || !bson_iter_recurse(doc, &it) ||
        !bson_iter_find(&it, "id") || !BSON_ITER_HOLDS_BINARY(&it)) {
        return false;
    }
    bson_iter_binary(&it, &sub, &n, &p);
    if (sub != BSON_SUBTYPE_UUID || n != 16) {
        return false;
    }
    memcpy(key, p, 16);
    sbx_auth_uid(c->conn, key + 16);
    return true;
}

/* ---- a call ---- */

bool sbx_sess_allow(struct sbx_call *c, const struct sbx_cmd *cmd)
{
    /* A bson_t has an alignment of its own, more than malloc gives. */
    struct sbx_call_state *cs = aligned_alloc(_Alignof(struct sbx_call_state), sizeof *cs);

    (void)cmd;
    MST_ASSERT(cs != NULL);
    memset(cs, 0, sizeof *cs);
    bson_init(&cs->pub.lsid);
    cs->pub.prev.term = -1;
    cs->start_us = mst_clock_mono_us();
    c->sess = cs;
    return true;
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(name, *names) == 0) {
            return true;
        }
    }
    return false;
}

static bool check_read_concern(struct sbx_call *c, bool in_txn, bool start)
{
    static const char *const levels[] = {"local",     "majority", "linearizable",
                                         "available", "snapshot", NULL};
    const char *level = sbx_doc_str(c->cmd, "readConcern.level");

    if (in_txn && !start && sbx_doc_has(c->cmd, "readConcern")) {
        sbx_fail(c, E_INVALID_OPTIONS,
                 "Only the first command in a transaction may specify a readConcern");
        return false;
    }
    if (level != NULL && !is_one_of(level, levels)) {
        sbx_fail(c, 9,
                 "readConcern.level must be either 'local', 'majority', 'linearizable', "
                 "'available', or 'snapshot'");
        return false;
    }
    if (level != NULL && strcmp(level, "snapshot") == 0 && !start &&
        c->w->profile->server == SBX_42) {
        sbx_fail(c, E_INVALID_OPTIONS,
                 "readConcern level snapshot is only valid for the first transaction operation");
        return false;
    }
    return true;
}

static bool check_txn_command(struct sbx_call *c, bool ending)
{
    static const char *const in_txn[] = {
        "find",   "getMore",       "aggregate",   "distinct",      "insert", "update",
        "delete", "findAndModify", "killCursors", "findandmodify", NULL};

    if (ending) {
        if (strcmp(c->db, "admin") != 0) {
            sbx_fail(c, 13, "%s may only be run against the admin database.", c->name);
        }
    } else if (!is_one_of(c->name, in_txn)) {
        sbx_fail(c, E_NOT_IN_TXN, "Cannot run '%s' in a multi-document transaction.", c->name);
    } else if (strcmp(c->db, "admin") == 0 || strcmp(c->db, "config") == 0 ||
               strcmp(c->db, "local") == 0) {
        sbx_fail(c, E_NOT_IN_TXN, "Cannot run command against the '%s' database in a transaction.",
                 c->db);
    }
    return !c->failed;
}

/* The options of a transaction must fit together. */
static bool check_options(struct sbx_call *c, bool has_number, bool has_auto, bool start)
{
    const struct sbx_call_state *cs = sbx_call_state(c);

    if (has_number && !cs->pub.has_lsid) {
        sbx_fail(c, E_INVALID_OPTIONS,
                 "Transaction number requires a session ID to also be specified");
    } else if (has_auto && !has_number) {
        sbx_fail(c, E_INVALID_OPTIONS,
                 "'autocommit' field requires a transaction number to also be specified");
    } else if (start && !has_auto) {
        sbx_fail(c, E_INVALID_OPTIONS,
                 "'startTransaction' field requires 'autocommit' field to also be specified");
    } else if (has_auto && sbx_doc_true(c->cmd, "autocommit")) {
        sbx_fail(c, E_INVALID_OPTIONS, "Specifying autocommit=true is not allowed.");
    } else if (has_number && cs->pub.txn_number < 0) {
        sbx_fail(c, E_INVALID_OPTIONS, "Transaction number cannot be negative");
    }
    return !c->failed;
}

bool sbx_sess_begin(struct sbx_call *c, const struct sbx_cmd *cmd)
{
    static const char *const retryable[] = {"insert",        "update",        "delete",
                                            "findAndModify", "findandmodify", NULL};
    struct sbx_call_state *cs = sbx_call_state(c);
    const bool start = sbx_doc_true(c->cmd, "startTransaction");
    const bool has_auto = sbx_doc_has(c->cmd, "autocommit");
    bson_iter_t it;

    (void)cmd;
    if (cs == NULL) {
        return true;
    }
    sbx_txn_expire(c->m);
    if (bson_iter_init_find(&it, c->cmd, "lsid")) {
        if (!session_key(c, &it, cs->key)) {
            sbx_fail(c, 14, "lsid does not hold a session id");
            return false;
        }
        cs->session = session(c->m, cs->key);
        sbx_lsid_append(cs->session, &cs->pub.lsid);
        cs->pub.has_lsid = true;
    }
    const bool has_number = sbx_doc_int(c->cmd, "txnNumber", &cs->pub.txn_number);
    const bool ending =
        strcmp(c->name, "commitTransaction") == 0 || strcmp(c->name, "abortTransaction") == 0;
    if (!check_options(c, has_number, has_auto, start) || !check_read_concern(c, has_auto, start)) {
        return false;
    }
    if (!has_number) {
        return true;
    }
    if (!has_auto) {
        if (is_one_of(c->name, retryable)) {
            return sbx_retry_begin(c);
        }
        if (!ending) {
            sbx_fail(c, 50768,
                     "txnNumber may only be provided for multi-document transactions and "
                     "retryable write commands. autocommit:false was not provided, and %s is not "
                     "a retryable write command.",
                     c->name);
            return false;
        }
    }
    return check_txn_command(c, ending) &&
           (ending || sbx_txn_enter(c, cs->session, cs->pub.txn_number, start));
}

/* Errors after which the whole transaction may be tried again. */
static bool transient(int code)
{
    static const int codes[] = {24, 91, 112, 189, 239, 246, 251, 10107, 11600, 11602, 13435, 13436};

    for (size_t i = 0; i < MST_COUNT(codes); i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

static void count(struct sbx_call *c, const struct sbx_call_state *cs)
{
    static const char *const reads[] = {"find", "getMore", "aggregate", "count", "distinct", NULL};
    static const char *const writes[] = {"insert", "update", "delete", "findAndModify", NULL};
    struct sbx_sess_stats *t = &sbx_sessions_of(c->m)->stats;
    const int64_t us = mst_clock_mono_us() - cs->start_us;

    if (is_one_of(c->name, reads)) {
        t->reads++;
        t->read_us += us;
    } else if (is_one_of(c->name, writes)) {
        t->writes++;
        t->write_us += us;
    } else {
        t->commands++;
        t->command_us += us;
    }
    if (c->txn != NULL) {
        t->txns++;
        t->txn_us += us;
    }
    t->retried_commands += cs->retried;
}

/* The call no longer stands in its transaction. */
static void leave(struct sbx_call *c)
{
    struct sbx_open *o = (struct sbx_open *)c->txn; /* its first member */

    o->busy = false;
    c->txn = NULL;
    if (o->orphan) {
        free(o);
    }
}

void sbx_sess_end(struct sbx_call *c, const struct sbx_cmd *cmd)
{
    struct sbx_call_state *cs = sbx_call_state(c);

    (void)cmd;
    if (cs == NULL) {
        return;
    }
    count(c, cs);
    if (c->txn != NULL) {
        /* A call that waited may find its session gone. */
        struct sbx_session *s = *slot(c->m, cs->key);

        if (s != NULL && (c->failed || bson_has_field(c->reply, "writeErrors"))) {
            sbx_open_abort(c->m, s);
        }
        if (c->failed && c->error_extra == NULL && transient(c->error_code)) {
            sbx_fail_label(c, "TransientTransactionError");
        }
        leave(c);
    }
    bson_destroy(&cs->pub.lsid);
    free(cs);
    c->sess = NULL;
}

/* ---- a member ---- */

static void drop_all(struct sbx_member *m)
{
    struct sbx_sessions *all = m->sess;

    for (size_t i = 0; all != NULL && i < SBX_SESS_BUCKETS; i++) {
        while (all->buckets[i] != NULL) {
            drop(m, &all->buckets[i]);
        }
    }
}

/* Transactions do not survive a step down; what was committed is in config.transactions. */
void sbx_sess_stepped(struct sbx_member *m)
{
    struct sbx_sessions *all = m->sess;

    if (m->state == SBX_PRIMARY || all == NULL) {
        return;
    }
    for (size_t i = 0; i < SBX_SESS_BUCKETS; i++) {
        for (struct sbx_session **at = &all->buckets[i]; *at != NULL;) {
            drop(m, at);
        }
    }
}

void sbx_sess_leaving(struct sbx_member *m)
{
    struct sbx_sessions *all = m->sess;

    for (size_t i = 0; all != NULL && i < SBX_SESS_BUCKETS; i++) {
        for (struct sbx_session *s = all->buckets[i]; s != NULL; s = s->next) {
            sbx_open_abort(m, s);
        }
    }
}

void sbx_sess_died(struct sbx_member *m)
{
    drop_all(m);
    if (m->sess != NULL) {
        free(sbx_sessions_of(m)->ended);
    }
    free(m->sess);
    m->sess = NULL;
}

/* ---- commands ---- */

void sbx_sess_start_session(struct sbx_call *c)
{
    uint8_t key[SBX_SESS_KEY];
    bson_t id;

    sbx_uuid_new(key);
    sbx_auth_uid(c->conn, key + 16);
    (void)session(c->m, key);
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "id", &id);
    BSON_APPEND_BINARY(&id, "id", BSON_SUBTYPE_UUID, key, 16);
    bson_append_document_end(c->reply, &id);
    BSON_APPEND_INT32(c->reply, "timeoutMinutes", 30);
}

static bool sessions_of_call(struct sbx_call *c, bson_iter_t *list)
{
    bson_iter_t it;

    if (!bson_iter_init_find(&it, c->cmd, c->name) || !BSON_ITER_HOLDS_ARRAY(&it)) {
        sbx_fail(c, 14, "BSON field '%s.%s' is the wrong type, expected type 'array'", c->name,
                 c->name);
        return false;
    }
    return bson_iter_recurse(&it, list);
}

void sbx_sess_drop(struct sbx_call *c, bool all)
{
    struct sbx_call_state *cs = sbx_call_state(c);
    uint8_t key[SBX_SESS_KEY];
    bson_iter_t list;

    if (all) {
        cs->session = NULL;
        drop_all(c->m);
        return;
    }
    if (!sessions_of_call(c, &list)) {
        return;
    }
    while (bson_iter_next(&list)) {
        struct sbx_session **at;

        if (session_key(c, &list, key)) {
            at = slot(c->m, key);
            sbx_sess_ended(c->m, key);
            if (*at != NULL) {
                if (cs != NULL && cs->session == *at) {
                    cs->session = NULL;
                }
                drop(c->m, at);
            }
        }
    }
}

void sbx_sess_refresh(struct sbx_call *c)
{
    uint8_t key[SBX_SESS_KEY];
    bson_iter_t list;

    if (sessions_of_call(c, &list)) {
        while (bson_iter_next(&list)) {
            if (session_key(c, &list, key)) {
                (void)session(c->m, key);
            }
        }
    }
}
