#include "auth/rights.h"

#include <string.h>

#include "auth/internal.h"
#include "auth/users.h"

/* What a server lets somebody on the same host do while it has no user: make the first one, and
 * make a set. An arbiter never has one, so that it gives a little more. */
static const struct sbx_priv first_steps[] = {
    {{SBX_RES_DB, "admin", NULL}, "createUser grantRole"},
    {{SBX_RES_DB, "$external", NULL}, "createUser"},
    {{SBX_RES_CLUSTER, NULL, NULL}, "addShard replSetConfigure replSetGetStatus"},
};
static const struct sbx_priv arbiter_steps = {{SBX_RES_CLUSTER, NULL, NULL},
                                              "getCmdLineOpts getParameter serverStatus shutdown"};

static bool is_arbiter(const struct sbx_member *m)
{
    return m->data == NULL;
}

static bool each(const struct sbx_rights *r, sbx_priv_fn *fn, void *arg)
{
    for (size_t i = 0; r->local && i < sizeof first_steps / sizeof *first_steps; i++) {
        if (!fn(arg, &first_steps[i])) {
            return false;
        }
    }
    if (r->local && is_arbiter(r->c->m) && !fn(arg, &arbiter_steps)) {
        return false;
    }
    return sbx_roles_each(r->c->m->data, &r->roles, fn, arg);
}

/* A user who was dropped, or dropped and made anew, is nobody on an open connection. */
static void forget_the_dropped(struct sbx_call *c)
{
    struct sbx_conn_auth *ca = c->conn->auth;

    for (size_t i = 0; ca != NULL && i < ca->n;) {
        struct sbx_conn_user *u = &ca->users[i];
        struct sbx_doc doc;
        uint8_t id[16];

        if (sbx_user_doc(c->m->data, u->db, u->name, &doc) && sbx_user_id(doc, id) &&
            memcmp(id, u->id, sizeof id) == 0) {
            i++;
        } else {
            *u = ca->users[--ca->n];
        }
    }
}

void sbx_rights_init(struct sbx_rights *r, struct sbx_call *c)
{
    struct sbx_conn_auth *ca;

    memset(r, 0, sizeof *r);
    r->c = c;
    r->open = c->conn == NULL || !sbx_auth_enabled(c->w);
    if (r->open) {
        return;
    }
    forget_the_dropped(c);
    ca = c->conn->auth;
    r->local = (ca == NULL || ca->n == 0) && !sbx_users_any(c->m->data);
    for (size_t i = 0; ca != NULL && i < ca->n; i++) {
        struct sbx_doc doc;

        if (sbx_user_doc(c->m->data, ca->users[i].db, ca->users[i].name, &doc)) {
            (void)sbx_roles_parse(&r->roles, sbx_doc_get(doc, "roles"), ca->users[i].db);
        }
    }
    sbx_roles_inherit(c->m->data, &r->roles);
}

void sbx_rights_release(struct sbx_rights *r)
{
    sbx_roles_release(&r->roles);
}

struct wish {
    const struct sbx_res *on;
    const char *action;
};

static bool does_not_grant(void *arg, const struct sbx_priv *p)
{
    const struct wish *w = arg;

    return !(sbx_res_covers(&p->on, w->on) && sbx_actions_have(p->actions, w->action));
}

bool sbx_may(const struct sbx_rights *r, const struct sbx_res *on, const char *actions)
{
    while (!r->open && *actions != '\0') {
        const size_t n = strcspn(actions, " ");
        char action[64];
        struct wish w = {on, action};

        (void)snprintf(action, sizeof action, "%.*s", (int)n, actions);
        if (each(r, does_not_grant, &w)) {
            return false;
        }
        actions += n + (actions[n] == ' ');
    }
    return true;
}

bool sbx_may_cluster(const struct sbx_rights *r, const char *actions)
{
    return sbx_may(r, &(struct sbx_res){SBX_RES_CLUSTER, NULL, NULL}, actions);
}

bool sbx_may_db(const struct sbx_rights *r, const char *db, const char *actions)
{
    return sbx_may(r, &(struct sbx_res){SBX_RES_DB, db, NULL}, actions);
}

bool sbx_may_ns(const struct sbx_rights *r, const char *db, const char *coll, const char *actions)
{
    return sbx_may(r, &(struct sbx_res){SBX_RES_NS, db, coll}, actions);
}

static bool is_elsewhere(void *arg, const struct sbx_priv *p)
{
    const char *db = ((const struct wish *)arg)->on->db;

    switch (p->on.kind) {
    case SBX_RES_ANY:
    case SBX_RES_NORMAL:
    case SBX_RES_NAME:
        return false;
    case SBX_RES_DB:
    case SBX_RES_NS:
        return strcmp(p->on.db, db) != 0;
    case SBX_RES_CLUSTER:
        break;
    }
    return true;
}

bool sbx_may_in(const struct sbx_rights *r, const char *db)
{
    const struct sbx_res on = {SBX_RES_DB, db, NULL};
    struct wish w = {&on, NULL};

    return r->open || !each(r, is_elsewhere, &w);
}

bool sbx_is_caller(const struct sbx_rights *r, const char *db, const char *user)
{
    const struct sbx_conn_auth *ca = r->c->conn != NULL ? r->c->conn->auth : NULL;

    for (size_t i = 0; ca != NULL && i < ca->n; i++) {
        if (strcmp(ca->users[i].db, db) == 0 && strcmp(ca->users[i].name, user) == 0) {
            return true;
        }
    }
    return false;
}
