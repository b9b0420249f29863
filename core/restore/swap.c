/* swap.c: the renames. */
#include "restore/swap.h"

#include <string.h>

#include "base/mem.h"

struct names {
    struct mst_tgt_coll *list;
    size_t n;
    const struct mst_tgt_coll *live, *staged, *old;
    char staging[MST_STAGE_MAX], aside[MST_STAGE_MAX];
};

void mst_swap_release(struct mst_swap *s)
{
    size_t i;

    for (i = 0; i < s->n; i++) {
        bson_destroy(s->items[i].options);
        bson_destroy(s->items[i].before);
    }
    free(s->items);
    memset(s, 0, sizeof *s);
}

/* What has the three names now. */
static enum mst_rc look(const struct mst_rs *r, const char *run, const struct mst_swap_item *it,
                        struct names *w, struct mst_err *err)
{
    bson_t *cmd;
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    enum mst_rc rc;
    size_t cap = 0;

    memset(w, 0, sizeof *w);
    mst_stage_name(run, false, it->n, w->staging);
    mst_stage_name(run, true, it->n, w->aside);
    cmd = BCON_NEW("listCollections", BCON_INT32(1), "filter", "{", "name", "{", "$in", "[",
                   BCON_UTF8(it->coll), BCON_UTF8(w->staging), BCON_UTF8(w->aside), "]", "}", "}",
                   "cursor", "{", "}");
    rc = mst_cursor_open(r->c, it->db, cmd, MST_RS_MS, &cur, err);
    while (rc == MST_OK && (rc = mst_cursor_next(cur, &doc, err)) == MST_OK && doc) {
        mst_grow((void **)&w->list, &cap, w->n + 1, sizeof *w->list);
        memset(&w->list[w->n], 0, sizeof *w->list);
        mst_tgt_fill(&w->list[w->n++], it->db, doc);
    }
    mst_cursor_free(cur);
    bson_destroy(cmd);
    if (rc != MST_OK) {
        mst_tgt_free(w->list, w->n);
        w->list = NULL;
        w->n = 0;
        return rc;
    }
    w->live = mst_tgt_find(w->list, w->n, it->db, it->coll);
    w->staged = mst_tgt_find(w->list, w->n, it->db, w->staging);
    w->old = mst_tgt_find(w->list, w->n, it->db, w->aside);
    return MST_OK;
}

static bool is(const struct mst_tgt_coll *t, const uint8_t uuid[16])
{
    return t && t->has_uuid && memcmp(t->uuid, uuid, 16) == 0;
}

static enum mst_rc rename_coll(const struct mst_rs *r, const char *db, const char *from,
                               const char *to, struct mst_err *err)
{
    char a[MST_NS_MAX], b[MST_NS_MAX];

    (void)snprintf(a, sizeof a, "%s.%s", db, from);
    (void)snprintf(b, sizeof b, "%s.%s", db, to);
    return mst_rs_do_majority_take(
        r, "admin", BCON_NEW("renameCollection", BCON_UTF8(a), "to", BCON_UTF8(b)), MST_RS_MS, err);
}

static enum mst_rc drop_view(const struct mst_rs *r, const struct mst_swap_item *it,
                             struct mst_err *err)
{
    return mst_rs_do_majority_take(r, it->db, BCON_NEW("drop", BCON_UTF8(it->coll)), MST_RS_MS,
                                   err);
}

static enum mst_rc create_view(const struct mst_rs *r, const struct mst_swap_item *it,
                               const bson_t *options, struct mst_err *err)
{
    static const char *const keys[] = {"viewOn", "pipeline", "collation"};
    bson_t *cmd = BCON_NEW("create", BCON_UTF8(it->coll));
    bson_iter_t i;
    size_t k;

    for (k = 0; k < MST_COUNT(keys); k++) {
        if (bson_iter_init_find(&i, options, keys[k])) {
            (void)bson_append_iter(cmd, keys[k], -1, &i);
        }
    }
    return mst_rs_do_majority_take(r, it->db, cmd, MST_RS_MS, err);
}

/* The fields of a view that matter are the same? */
static bool same_view(const bson_t *a, const bson_t *b)
{
    static const char *const keys[] = {"viewOn", "pipeline"};
    bson_iter_t x, y;
    size_t k;

    for (k = 0; k < MST_COUNT(keys); k++) {
        bson_t one, two;
        bool equal;

        bson_init(&one);
        bson_init(&two);
        if (bson_iter_init_find(&x, a, keys[k])) {
            (void)bson_append_iter(&one, keys[k], -1, &x);
        }
        if (bson_iter_init_find(&y, b, keys[k])) {
            (void)bson_append_iter(&two, keys[k], -1, &y);
        }
        equal = bson_equal(&one, &two);
        bson_destroy(&one);
        bson_destroy(&two);
        if (!equal) {
            return false;
        }
    }
    return true;
}

/* Make the name free of what stood there when the list was made. */
static enum mst_rc put_aside(const struct mst_rs *r, const struct mst_swap_item *it,
                             const struct names *w, enum mst_swapped *what, struct mst_err *err)
{
    *what = MST_SWAP_OLD;
    if (!w->live) {
        return MST_OK;
    }
    if (w->live->view && it->live_is_view) {
        return drop_view(r, it, err);
    }
    if (it->has_live && is(w->live, it->live_uuid) && !w->old) {
        return rename_coll(r, it->db, it->coll, w->aside, err);
    }
    *what = MST_SWAP_FOREIGN;
    return MST_OK;
}

static enum mst_rc view_forward(const struct mst_rs *r, const struct mst_swap_item *it,
                                const struct names *w, enum mst_swapped *what, struct mst_err *err)
{
    if (w->live && w->live->view && same_view(w->live->options, it->options)) {
        *what = MST_SWAP_NEW;
        return MST_OK;
    }
    if (put_aside(r, it, w, what, err) != MST_OK) {
        return err->rc;
    }
    if (*what == MST_SWAP_FOREIGN) {
        return MST_OK;
    }
    *what = MST_SWAP_NEW;
    return create_view(r, it, it->options, err);
}

enum mst_rc mst_swap_forward(const struct mst_rs *r, const char *run,
                             const struct mst_swap_item *it, enum mst_swapped *what,
                             struct mst_err *err)
{
    struct names w;
    char show[MST_NS_MAX];
    bool held;
    enum mst_rc rc = look(r, run, it, &w, err);

    if (rc != MST_OK) {
        return rc;
    }
    /* Between the two nothing has the name: a cancel waits for the second. */
    held = mst_conn_hold_cancel(r->c, true);
    if (it->view) {
        rc = view_forward(r, it, &w, what, err);
        goto out;
    }
    if (is(w.live, it->staged)) {
        *what = MST_SWAP_NEW;
        goto out;
    }
    if (!is(w.staged, it->staged)) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "%s: its staging collection %s is gone",
                         mst_ns_show(it->db, it->coll, show), w.staging);
        goto out;
    }
    rc = put_aside(r, it, &w, what, err);
    if (rc == MST_OK && *what == MST_SWAP_OLD) {
        rc = mst_rs_point(r, "between", err);
        if (rc == MST_OK) {
            rc = rename_coll(r, it->db, w.staging, it->coll, err);
        }
        *what = MST_SWAP_NEW;
        if (rc != MST_OK && err->detail == MST_SC_NS_EXISTS) { /* made by a client in the gap */
            *what = MST_SWAP_FOREIGN;
            rc = MST_OK;
        }
    }
out:
    (void)mst_conn_hold_cancel(r->c, held);
    mst_tgt_free(w.list, w.n);
    return rc;
}

enum mst_rc mst_swap_back(const struct mst_rs *r, const char *run, const struct mst_swap_item *it,
                          enum mst_swapped *what, struct mst_err *err)
{
    struct names w;
    enum mst_rc rc = look(r, run, it, &w, err);
    bool gone, held;

    if (rc != MST_OK) {
        return rc;
    }
    held = mst_conn_hold_cancel(r->c, true);
    *what = MST_SWAP_OLD;
    gone = !w.live;
    if (it->view && w.live && w.live->view && same_view(w.live->options, it->options) &&
        !(it->before && same_view(w.live->options, it->before))) {
        rc = drop_view(r, it, err);
        gone = true;
    } else if (!it->view && is(w.live, it->staged)) {
        rc = rename_coll(r, it->db, it->coll, w.staging, err);
        gone = true;
    } else if (w.live && !is(w.live, it->live_uuid) && !w.live->view) {
        *what = MST_SWAP_FOREIGN;
    }
    if (rc == MST_OK && gone && w.old && is(w.old, it->live_uuid)) {
        rc = rename_coll(r, it->db, w.aside, it->coll, err);
    } else if (rc == MST_OK && gone && it->live_is_view && it->before) {
        rc = create_view(r, it, it->before, err);
    }
    (void)mst_conn_hold_cancel(r->c, held);
    mst_tgt_free(w.list, w.n);
    return rc;
}
