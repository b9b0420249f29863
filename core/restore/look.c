/* look.c: facts about source and target. Nothing is written. */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "restore/plan.h"

/* ---- the source's oplog, for its DDL ---- */

struct prepass {
    struct mst_facts *f;
};

static enum mst_rc on_op(void *arg, const struct mst_oplog_entry *e, struct mst_err *err)
{
    struct prepass *p = arg;
    enum mst_map_effect effect;
    struct mst_map_coll *c;

    p->f->oplog_ops++;
    if (e->op == 'c' || strcmp(mst_oplog_judge(e)->id, "views") == 0) {
        return mst_map_apply(&p->f->final, e, &effect, &c, err);
    }
    c = mst_map_find(&p->f->final, e);
    if (c) {
        c->ops++;
    }
    return MST_OK;
}

static enum mst_rc read_oplog(const struct mst_restore_opts *o, struct mst_restore_source *s,
                              struct mst_task *task, struct mst_facts *f, struct mst_err *err)
{
    const struct mst_oplog_flow_opts fo = {.apply_after = s->apply_after,
                                           .spill_dir = o->spill_dir};
    struct prepass p = {f};
    struct mst_oplog_flow *flow = mst_oplog_flow_new(&fo, on_op, &p);
    struct mst_src_docs *in = NULL;
    const uint8_t *doc = NULL;
    uint32_t n = 0;
    uint64_t k = 0;
    bson_t b;
    enum mst_rc rc = s->open_oplog(s, &in, err);

    while (rc == MST_OK && (rc = in->next(in, &doc, &n, err)) == MST_OK && doc) {
        if (!bson_init_static(&b, doc, n)) {
            rc = mst_err_set(err, MST_E_INTEGRITY, "a damaged oplog entry");
        } else if (mst_src_past_end(s, &b)) {
            break;
        } else {
            rc = mst_oplog_flow_feed(flow, &b, err);
        }
        if (rc == MST_OK && !(++k & 1023)) {
            rc = mst_task_check(task, err);
        }
    }
    if (in) {
        in->close(in);
    }
    mst_oplog_flow_free(flow);
    return rc;
}

/* ---- the target ---- */

static enum mst_rc ask(struct mst_conn *c, const char *db, const char *command, bson_t *reply,
                       struct mst_err *err)
{
    bson_t *cmd = BCON_NEW(command, BCON_INT32(1));
    enum mst_rc rc;

    if (strcmp(command, "getParameter") == 0) {
        BSON_APPEND_INT32(cmd, "featureCompatibilityVersion", 1);
    } else if (strcmp(command, "connectionStatus") == 0) {
        BSON_APPEND_BOOL(cmd, "showPrivileges", true);
    }
    rc = mst_conn_command(c, db, cmd, MST_RS_MS, reply, err);
    bson_destroy(cmd);
    return rc;
}

static void look_rights(struct mst_conn *c, struct mst_facts *f, const struct mst_restore_source *s,
                        struct mst_err *ignored)
{
    bson_t reply, users, privileges;
    size_t i, k;

    if (ask(c, "admin", "connectionStatus", &reply, ignored) == MST_OK) {
        /* Nobody is logged in, and the listing before this was answered. */
        f->open =
            mst_bson_doc(&reply, "authInfo.authenticatedUsers", &users) && !bson_count_keys(&users);
        f->rights_known = mst_bson_doc(&reply, "authInfo.authenticatedUserPrivileges", &privileges);
        if (f->rights_known && !f->open) {
            mst_rights_missing(&privileges, NULL, s->has_oplog ? f->fcv : NULL, &f->missing_rights);
            for (i = 0; i < f->final.n; i++) {
                const struct mst_map_coll *m = &f->final.c[i];

                for (k = 0; k < i && strcmp(f->final.c[k].db, m->db) != 0; k++) {
                }
                if (k == i && m->wanted) {
                    mst_rights_missing(&privileges, m->db, NULL, &f->missing_rights);
                }
            }
        }
    }
    bson_destroy(&reply);
}

static void look_room(struct mst_conn *c, struct mst_facts *f)
{
    bson_t reply;
    struct mst_err ignored = {0};

    if (ask(c, "admin", "dbStats", &reply, &ignored) == MST_OK) {
        const int64_t total = mst_bson_i64(&reply, "fsTotalSize", 0);
        const int64_t used = mst_bson_i64(&reply, "fsUsedSize", 0);

        f->free_bytes = total > used ? (uint64_t)(total - used) : 0;
    }
    bson_destroy(&reply);
}

static void look_members(struct mst_conn *c, struct mst_facts *f)
{
    bson_t reply, m;
    struct mst_err ignored = {0};
    bson_iter_t it, list;
    const uint8_t *p = NULL;
    uint32_t n = 0;

    f->members_up = f->members_voting = -1;
    if (ask(c, "admin", "replSetGetStatus", &reply, &ignored) == MST_OK &&
        bson_iter_init_find(&it, &reply, "members") && bson_iter_recurse(&it, &list)) {
        f->members_up = f->members_voting = 0;
        while (bson_iter_next(&list)) {
            if (!BSON_ITER_HOLDS_DOCUMENT(&list)) {
                continue;
            }
            bson_iter_document(&list, &n, &p);
            if (bson_init_static(&m, p, n)) {
                const int64_t state = mst_bson_i64(&m, "state", -1);

                f->members_voting++;
                f->members_up += state == 1 || state == 2;
            }
        }
    }
    bson_destroy(&reply);
}

/* Sizes of what would be replaced. */
static void look_sizes(struct mst_conn *c, struct mst_facts *f)
{
    size_t i, k;

    f->live_size = mst_xcalloc(f->n_live + 1, sizeof *f->live_size);
    for (i = 0; i < f->n_live; i++) {
        bool hit = false;

        f->live_size[i].documents = f->live_size[i].bytes = -1;
        for (k = 0; k < f->final.n && !hit; k++) {
            const struct mst_map_coll *m = &f->final.c[k];

            hit = m->wanted && strcmp(m->coll, f->live[i].coll) == 0 &&
                  strcmp(m->db, f->live[i].db) == 0;
        }
        if (hit && !f->live[i].view) {
            bson_t *cmd = BCON_NEW("collStats", BCON_UTF8(f->live[i].coll)), reply;
            struct mst_err ignored = {0};

            if (mst_conn_command(c, f->live[i].db, cmd, MST_RS_MS, &reply, &ignored) == MST_OK) {
                f->live_size[i].documents = mst_bson_i64(&reply, "count", -1);
                f->live_size[i].bytes = mst_bson_i64(&reply, "size", -1);
            }
            bson_destroy(&reply);
            bson_destroy(cmd);
        }
    }
}

static void choose(const struct mst_restore_opts *o, const struct mst_restore_source *s,
                   struct mst_facts *f)
{
    size_t i;

    for (i = 0; i < f->final.n; i++) {
        struct mst_map_coll *c = &f->final.c[i];

        c->wanted = !c->dropped && !c->left_out && mst_name_wanted(o, c->db, c->coll) &&
                    !(i < s->n && s->colls[i].kind == MST_SRC_DROPPED);
    }
}

enum mst_rc mst_facts_look(const struct mst_restore_opts *o, struct mst_restore_source *s,
                           struct mst_conn *c, struct mst_task *task, struct mst_facts *f,
                           struct mst_err *err)
{
    bson_t reply;
    struct mst_err ignored = {0};
    enum mst_rc rc;

    memset(f, 0, sizeof *f);
    mst_str_init(&f->missing_rights, 4096);
    mst_map_init(&f->final, s);
    if (s->has_oplog && read_oplog(o, s, task, f, err) != MST_OK) {
        return err->rc;
    }
    choose(o, s, f);
    rc = ask(c, "admin", "isMaster", &reply, err);
    f->primary = rc == MST_OK && mst_bson_bool(&reply, "ismaster", false);
    (void)mst_bson_text(&reply, "setName", f->set, sizeof f->set);
    bson_destroy(&reply);
    if (rc != MST_OK) {
        return rc;
    }
    rc = ask(c, "admin", "buildInfo", &reply, err);
    (void)mst_bson_text(&reply, "version", f->version, sizeof f->version);
    bson_destroy(&reply);
    if (rc != MST_OK) {
        return rc;
    }
    if (ask(c, "admin", "getParameter", &reply, &ignored) == MST_OK) {
        (void)mst_bson_text(&reply, "featureCompatibilityVersion.version", f->fcv, sizeof f->fcv);
    }
    bson_destroy(&reply);
    rc = mst_tgt_list(c, NULL, &f->live, &f->n_live, err);
    if (rc == MST_OK) {
        look_rights(c, f, s, &ignored);
        look_room(c, f);
        look_members(c, f);
        look_sizes(c, f);
    }
    return rc;
}

void mst_facts_release(struct mst_facts *f)
{
    mst_map_release(&f->final);
    mst_tgt_free(f->live, f->n_live);
    free(f->live_size);
    mst_str_release(&f->missing_rights);
    memset(f, 0, sizeof *f);
}
