/* tidy.c: what is done after a restore, or after one that died: recover, list, clean, discard,
 * release. */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "restore/swap.h"

static void begin(struct mst_rs *r, const struct mst_restore_opts *o, struct mst_task *task,
                  bool *crashed)
{
    memset(r, 0, sizeof *r);
    r->o = o;
    r->task = task;
    r->crashed = crashed;
}

static enum mst_rc recover_one(struct mst_rs *r, const struct mst_swap *s, enum mst_recover how,
                               size_t *n, struct mst_str *report, struct mst_err *err)
{
    size_t i, foreign = 0;
    char show[MST_NS_MAX];
    enum mst_rc rc = MST_OK;

    for (i = 0; rc == MST_OK && i < s->n; i++) {
        /* Undo goes backwards: a view is taken away before what it stands on. */
        const struct mst_swap_item *it = &s->items[how == MST_RECOVER_UNDO ? s->n - 1 - i : i];
        enum mst_swapped what = MST_SWAP_OLD;

        rc = mst_rs_ours(r->o, err);
        if (rc == MST_OK) {
            rc = how == MST_RECOVER_UNDO ? mst_swap_back(r, s->run, it, &what, err)
                                         : mst_swap_forward(r, s->run, it, &what, err);
        }
        if (rc == MST_OK) {
            (*n)++;
            foreign += what == MST_SWAP_FOREIGN;
            mst_str_addf(report, "%s: %s\n", mst_ns_show(it->db, it->coll, show),
                         what == MST_SWAP_NEW   ? "new"
                         : what == MST_SWAP_OLD ? "old"
                                                : "made by a client in the gap, left as it is");
        }
    }
    if (rc == MST_OK) { /* a rename that was found done may still be lost */
        rc = mst_rs_wait_majority(r, err);
    }
    if (rc == MST_OK) {
        rc = mst_swap_close(r->o->journal, s->run, err);
    }
    if (rc == MST_OK && foreign) {
        rc = mst_err_set(err, MST_E_INCOMPLETE,
                         "%zu %s of run %s made by a client in the gap and left alone", foreign,
                         mst_text_noun(foreign, "collection", "collections"), s->run);
    }
    return rc;
}

enum mst_rc mst_restore_recover(const struct mst_restore_opts *o, const char *run,
                                enum mst_recover how, struct mst_task *task, size_t *n,
                                struct mst_str *report, struct mst_err *err)
{
    struct mst_rs r;
    struct mst_swap *s = NULL;
    size_t n_swaps = 0, i;
    bool crashed = false;
    enum mst_rc rc = mst_swap_read(o->journal, run, &s, &n_swaps, err);

    *n = 0;
    begin(&r, o, task, &crashed);
    if (rc == MST_OK && n_swaps) {
        rc = mst_rs_connect(o, "muster restore", task, &r.c, err);
        rc = rc == MST_OK ? mst_rs_wait_majority(&r, err) : rc; /* decide on what will stay */
    }
    for (i = 0; rc == MST_OK && i < n_swaps; i++) {
        rc = recover_one(&r, &s[i], how, n, report, err);
    }
    for (i = 0; i < n_swaps; i++) {
        mst_swap_release(&s[i]);
    }
    free(s);
    mst_conn_free(r.c);
    return rc;
}

static void measure(struct mst_conn *c, struct mst_leaving *l)
{
    bson_t *cmd = BCON_NEW("collStats", BCON_UTF8(l->coll)), reply;
    struct mst_err ignored = {0};

    l->documents = l->bytes = -1;
    if (mst_conn_command(c, l->db, cmd, MST_RS_MS, &reply, &ignored) == MST_OK) {
        l->documents = mst_bson_i64(&reply, "count", -1);
        l->bytes = mst_bson_i64(&reply, "size", -1);
    }
    bson_destroy(&reply);
    bson_destroy(cmd);
}

static enum mst_rc find_leavings(struct mst_conn *c, bool sizes, struct mst_leaving **out,
                                 size_t *n, struct mst_err *err)
{
    struct mst_tgt_coll *live = NULL;
    size_t n_live = 0, i, cap = 0;

    *out = NULL;
    *n = 0;
    if (mst_tgt_list(c, NULL, &live, &n_live, err) != MST_OK) {
        return err->rc;
    }
    for (i = 0; i < n_live; i++) {
        char run[MST_RUN_HEX];
        const enum mst_own_name own = mst_oplog_own_name(live[i].coll, run, NULL);
        struct mst_leaving *l;

        if (own == MST_OWN_NOT) {
            continue;
        }
        mst_grow((void **)out, &cap, *n + 1, sizeof **out);
        l = &(*out)[(*n)++];
        memset(l, 0, sizeof *l);
        (void)mst_copy(l->run, sizeof l->run, run);
        (void)mst_copy(l->db, sizeof l->db, live[i].db);
        (void)mst_copy(l->coll, sizeof l->coll, live[i].coll);
        l->old = own == MST_OWN_OLD;
        l->documents = l->bytes = -1;
        if (sizes) {
            measure(c, l);
        }
    }
    mst_tgt_free(live, n_live);
    return MST_OK;
}

enum mst_rc mst_restore_leavings(const struct mst_restore_opts *o, struct mst_task *task,
                                 struct mst_leaving **out, size_t *n, struct mst_err *err)
{
    struct mst_conn *c = NULL;
    enum mst_rc rc = mst_rs_connect(o, "muster restore", task, &c, err);

    rc = rc == MST_OK ? find_leavings(c, true, out, n, err) : rc;
    mst_conn_free(c);
    return rc;
}

static enum mst_rc refuse_open(const struct mst_restore_opts *o, const char *run,
                               struct mst_err *err)
{
    struct mst_swap *s = NULL;
    size_t n = 0, i;

    if (!o->journal) {
        return MST_OK;
    }
    if (mst_swap_read(o->journal, run, &s, &n, err) != MST_OK) {
        return err->rc;
    }
    for (i = 0; i < n; i++) {
        mst_swap_release(&s[i]);
    }
    free(s);
    return n ? mst_err_set(err, MST_E_PRECOND,
                           "the swap of run %s is not finished: recover it first", run)
             : MST_OK;
}

static enum mst_rc drop_named(const struct mst_restore_opts *o, const char *run, bool old,
                              struct mst_task *task, size_t *dropped, struct mst_err *err)
{
    struct mst_leaving *l = NULL;
    struct mst_rs r;
    size_t n = 0, i;
    bool crashed = false;
    enum mst_rc rc = refuse_open(o, run, err);

    *dropped = 0;
    begin(&r, o, task, &crashed);
    rc = rc == MST_OK ? mst_rs_connect(o, "muster restore", task, &r.c, err) : rc;
    rc = rc == MST_OK ? find_leavings(r.c, false, &l, &n, err) : rc;
    for (i = 0; rc == MST_OK && i < n; i++) {
        if (l[i].old == old && strcmp(l[i].run, run) == 0) {
            rc = mst_rs_ours(o, err);
            rc = rc == MST_OK
                     ? mst_rs_do_majority_take(&r, l[i].db, BCON_NEW("drop", BCON_UTF8(l[i].coll)),
                                               MST_RS_MS, err)
                     : rc;
            *dropped += rc == MST_OK;
        }
    }
    if (rc == MST_OK && *dropped == 0) { /* "nothing is there" counts only from a primary */
        rc = mst_rs_wait_majority(&r, err);
    }
    free(l);
    mst_conn_free(r.c);
    return rc;
}

enum mst_rc mst_restore_clean(const struct mst_restore_opts *o, const char *run,
                              struct mst_task *task, size_t *dropped, struct mst_err *err)
{
    return drop_named(o, run, false, task, dropped, err);
}

enum mst_rc mst_restore_discard(const struct mst_restore_opts *o, const char *run,
                                struct mst_task *task, size_t *dropped, struct mst_err *err)
{
    return drop_named(o, run, true, task, dropped, err);
}

/* ---- TTL ---- */

struct held {
    char db[64];
    char coll[MST_COLL_MAX];
    bson_t *spec;
    bool collated;
};
struct all_held {
    struct held *h;
    size_t n, cap;
};

static enum mst_rc on_step(void *arg, const char *run, const bson_t *step, struct mst_err *err)
{
    struct all_held *a = arg;
    char kind[16];
    bson_iter_t it;
    bson_t spec;
    struct held *h;
    size_t i;

    (void)run;
    (void)err;
    (void)mst_bson_text(step, "k", kind, sizeof kind);
    if (strcmp(kind, "released") == 0) {
        for (i = 0; i < a->n; i++) {
            bson_destroy(a->h[i].spec);
        }
        a->n = 0;
    }
    if (strcmp(kind, "held") != 0 || !mst_bson_doc(step, "spec", &spec)) {
        return MST_OK;
    }
    mst_grow((void **)&a->h, &a->cap, a->n + 1, sizeof *a->h);
    h = &a->h[a->n++];
    memset(h, 0, sizeof *h);
    h->spec = bson_copy(&spec);
    h->collated = mst_bson_bool(step, "collated", false);
    if (bson_iter_init_find(&it, step, "db") && BSON_ITER_HOLDS_UTF8(&it)) {
        (void)mst_copy(h->db, sizeof h->db, bson_iter_utf8(&it, NULL));
    }
    if (bson_iter_init_find(&it, step, "coll") && BSON_ITER_HOLDS_UTF8(&it)) {
        (void)mst_copy(h->coll, sizeof h->coll, bson_iter_utf8(&it, NULL));
    }
    return MST_OK;
}

/* 0 absent, 1 without expiry, 2 with. */
static int ttl_state(struct mst_conn *c, const struct held *h, const char *name)
{
    bson_t *have = NULL;
    struct mst_err ignored = {0};
    bson_iter_t it, in;
    int state = 0;

    if (mst_tgt_indexes(c, h->db, h->coll, &have, &ignored) != MST_OK) {
        return 0;
    }
    if (bson_iter_init(&it, have)) {
        while (bson_iter_next(&it)) {
            if (bson_iter_recurse(&it, &in) && bson_iter_find(&in, "name") &&
                BSON_ITER_HOLDS_UTF8(&in) && strcmp(bson_iter_utf8(&in, NULL), name) == 0) {
                state = bson_iter_recurse(&it, &in) && bson_iter_find(&in, "expireAfterSeconds")
                            ? 2
                            : 1;
            }
        }
    }
    bson_destroy(have);
    return state;
}

/* Servers from 5.1 on turn a plain index into one that expires; before, it is built anew. */
static enum mst_rc release_one(struct mst_rs *r, const struct held *h, struct mst_err *err)
{
    struct mst_map_coll c = {.indexes = (bson_t *[]){h->spec}, .n_indexes = 1};
    struct mst_err ignored = {0};
    bson_iter_t name, expiry;
    bson_t *cmd, index;
    const char *index_name;
    int state;
    enum mst_rc rc;

    if (!bson_iter_init_find(&name, h->spec, "name") || !BSON_ITER_HOLDS_UTF8(&name) ||
        !bson_iter_init_find(&expiry, h->spec, "expireAfterSeconds")) {
        return MST_OK;
    }
    index_name = bson_iter_utf8(&name, NULL);
    state = ttl_state(r->c, h, index_name);
    if (state == 0) {
        return mst_err_set(err, MST_E_NOTFOUND, "%s.%s has no index %s", h->db, h->coll,
                           index_name);
    }
    if (state == 1 && mst_conn_wire(r->c) >= 14) {
        cmd = BCON_NEW("collMod", BCON_UTF8(h->coll));
        BSON_APPEND_DOCUMENT_BEGIN(cmd, "index", &index);
        BSON_APPEND_UTF8(&index, "name", index_name);
        (void)bson_append_iter(&index, "expireAfterSeconds", -1, &expiry);
        bson_append_document_end(cmd, &index);
        (void)!mst_rs_do_majority_take(r, h->db, cmd, MST_RS_MS, &ignored);
        state = ttl_state(r->c, h, index_name);
    }
    if (state == 2) {
        return MST_OK;
    }
    c.options = bson_new();
    if (h->collated) {
        BSON_APPEND_BOOL(c.options, "collation", true);
    }
    rc = mst_rs_do_majority_take(
        r, h->db, BCON_NEW("dropIndexes", BCON_UTF8(h->coll), "index", BCON_UTF8(index_name)),
        MST_RS_MS, err);
    if (rc == MST_OK) {
        cmd = BCON_NEW("createIndexes", BCON_UTF8(h->coll));
        mst_index_list(cmd, &c, false);
        rc = mst_rs_do_majority_take(r, h->db, cmd, MST_RS_LONG_MS, err);
    }
    bson_destroy(c.options);
    return rc;
}

enum mst_rc mst_restore_release_ttl(const struct mst_restore_opts *o, const char *run,
                                    struct mst_task *task, size_t *released, struct mst_err *err)
{
    struct all_held a = {NULL, 0, 0};
    struct mst_rs r;
    bool crashed = false;
    size_t i;
    enum mst_rc rc = refuse_open(o, run, err);

    *released = 0;
    begin(&r, o, task, &crashed);
    rc = rc == MST_OK ? o->journal->each(o->journal->arg, run, on_step, &a, err) : rc;
    rc = rc == MST_OK && a.n ? mst_rs_connect(o, "muster restore", task, &r.c, err) : rc;
    for (i = 0; rc == MST_OK && i < a.n; i++) {
        rc = mst_rs_ours(o, err);
        rc = rc == MST_OK ? release_one(&r, &a.h[i], err) : rc;
        *released += rc == MST_OK;
    }
    if (rc == MST_OK && a.n) {
        bson_t *step = BCON_NEW("k", BCON_UTF8("released"));

        rc = o->journal->add(o->journal->arg, run, step, err);
        bson_destroy(step);
    }
    for (i = 0; i < a.n; i++) {
        bson_destroy(a.h[i].spec);
    }
    free(a.h);
    mst_conn_free(r.c);
    return rc;
}
