/* Replies to facts of the checks. Every field may be missing or of another type. */
#include <string.h>

#include "base/mem.h"
#include "failover/facts.h"

/* --- currentOp --- */

/* Our own questions, and the server's own threads that a state change does not wait for. */
static bool counts(const bson_t *op)
{
    char app[64], desc[64], client[64];

    (void)mst_bson_text(op, "appName", app, sizeof(app));
    (void)mst_bson_text(op, "desc", desc, sizeof(desc));
    if (strncmp(app, "muster", 6) == 0 || !mst_bson_bool(op, "active", true)) {
        return false;
    }
    return mst_bson_text(op, "client", client, sizeof(client)) ||
           strncmp(desc, "IndexBuild", 10) == 0;
}

static bool pins(const bson_t *op)
{
    char text[64];

    (void)mst_bson_text(op, "msg", text, sizeof(text));
    if (strncmp(text, "Index Build", 11) == 0) {
        return true;
    }
    (void)mst_bson_text(op, "desc", text, sizeof(text));
    return strncmp(text, "IndexBuild", 10) == 0 ||
           mst_bson_i64(op, "transaction.timePreparedMicros", 0) > 0;
}

/* Longest first, the newest of the list falls off. */
static void keep(struct mst_guard_member *m, const struct mst_guard_op *op)
{
    size_t at = m->n_ops;

    while (at > 0 && m->ops[at - 1].secs_running < op->secs_running) {
        at--;
    }
    if (at == MST_GUARD_OPS) {
        return;
    }
    if (m->n_ops < MST_GUARD_OPS) {
        m->n_ops++;
    }
    memmove(&m->ops[at + 1], &m->ops[at], (m->n_ops - 1 - at) * sizeof(m->ops[0]));
    m->ops[at] = *op;
}

void mst_fo_read_ops(const bson_t *current_op, struct mst_guard_member *m)
{
    bson_iter_t it;
    bson_t list, op;

    m->fsync_locked = mst_bson_bool(current_op, "fsyncLock", false);
    m->n_ops = 0;
    if (!mst_bson_doc(current_op, "inprog", &list) || !bson_iter_init(&it, &list)) {
        m->fsync_locked = -1;
        return;
    }
    while (bson_iter_next(&it)) {
        struct mst_guard_op o = {0};
        char app[64], client[64];
        const uint8_t *p;
        uint32_t n;

        if (!BSON_ITER_HOLDS_DOCUMENT(&it)) {
            continue;
        }
        bson_iter_document(&it, &n, &p);
        if (!bson_init_static(&op, p, n) || !counts(&op)) {
            continue;
        }
        o.secs_running = mst_bson_i64(&op, "secs_running", 0);
        o.pins = pins(&op);
        (void)mst_bson_text(&op, "op", app, sizeof(app));
        (void)mst_bson_text(&op, "ns", client, sizeof(client));
        (void)snprintf(o.what, sizeof(o.what), "%.20s %.40s", app, client);
        (void)mst_bson_text(&op, "appName", app, sizeof(app));
        (void)mst_bson_text(&op, "client", client, sizeof(client));
        (void)snprintf(o.who, sizeof(o.who), "%.30s%s%.30s", app, app[0] ? " " : "", client);
        if (o.pins || o.secs_running > 0) {
            keep(m, &o);
        }
    }
}

/* --- connectionStatus --- */

static bool has_action(const bson_t *privilege, const char *action)
{
    bson_iter_t it;
    bson_t list;

    if (!mst_bson_doc(privilege, "actions", &list) || !bson_iter_init(&it, &list)) {
        return false;
    }
    while (bson_iter_next(&it)) {
        if (BSON_ITER_HOLDS_UTF8(&it)) {
            const char *a = bson_iter_utf8(&it, NULL);

            if (strcmp(a, action) == 0 || strcmp(a, "anyAction") == 0) {
                return true;
            }
        }
    }
    return false;
}

void mst_fo_read_rights(const bson_t *reply, struct mst_guard_member *m)
{
    bson_iter_t it;
    bson_t users, list, p;

    m->authenticated = m->may_state_change = m->may_note = m->may_configure = -1;
    if (!mst_bson_doc(reply, "authInfo.authenticatedUsers", &users)) {
        return;
    }
    m->authenticated = bson_count_keys(&users) > 0;
    if (!mst_bson_doc(reply, "authInfo.authenticatedUserPrivileges", &list) ||
        !bson_iter_init(&it, &list)) {
        return;
    }
    m->may_state_change = m->may_note = m->may_configure = 0;
    while (bson_iter_next(&it)) {
        const uint8_t *data;
        uint32_t n;

        if (!BSON_ITER_HOLDS_DOCUMENT(&it)) {
            continue;
        }
        bson_iter_document(&it, &n, &data);
        if (!bson_init_static(&p, data, n) || (!mst_bson_bool(&p, "resource.cluster", false) &&
                                               !mst_bson_bool(&p, "resource.anyResource", false))) {
            continue;
        }
        m->may_state_change |= has_action(&p, "replSetStateChange");
        m->may_note |= has_action(&p, "appendOplogNote");
        m->may_configure |= has_action(&p, "replSetConfigure");
    }
}

/* --- replSetGetStatus: what a member says of its own special states --- */

static bool own_entry(const bson_t *status, bson_t *self)
{
    bson_iter_t it;
    bson_t list;

    if (!mst_bson_doc(status, "members", &list) || !bson_iter_init(&it, &list)) {
        return false;
    }
    while (bson_iter_next(&it)) {
        const uint8_t *p;
        uint32_t n;

        if (BSON_ITER_HOLDS_DOCUMENT(&it)) {
            bson_iter_document(&it, &n, &p);
            if (bson_init_static(self, p, n) && mst_bson_bool(self, "self", false)) {
                return true;
            }
        }
    }
    return false;
}

void mst_fo_read_special(const bson_t *status, struct mst_guard_member *m)
{
    bson_t self, sync;

    m->initial_sync = mst_bson_doc(status, "initialSyncStatus", &sync) &&
                      !bson_has_field(&sync, "initialSyncEnd");
    m->too_stale = mst_bson_bool(status, "tooStale", false);
    if (own_entry(status, &self)) {
        m->maintenance = mst_bson_i64(&self, "maintenanceMode", 0) > 0;
        m->too_stale = m->too_stale || mst_bson_bool(&self, "tooStale", false);
        (void)mst_bson_text(&self, "infoMessage", m->info_message, sizeof(m->info_message));
    }
}
