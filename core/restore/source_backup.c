/* source_backup.c: a committed backup as the source of a restore. */
#include "restore/source.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "catalog/asleep.h"
#include "catalog/verify.h"

struct backup {
    const struct mst_catalog *catalog;
    struct mst_bkr *reader;
    char id[MST_ID_MAX];
};

struct extents {
    size_t n;
    struct mst_extent *e;
};

struct docs {
    struct mst_src_docs head;
    struct mst_docs *in;
};

static enum mst_rc docs_next(struct mst_src_docs *d, const uint8_t **doc, uint32_t *n,
                             struct mst_err *err)
{
    return mst_docs_next(((struct docs *)d)->in, doc, n, err);
}

static void docs_close(struct mst_src_docs *d)
{
    mst_docs_free(((struct docs *)d)->in);
    free(d);
}

static struct mst_src_docs *wrap(struct mst_docs *in)
{
    struct docs *d = mst_xcalloc(1, sizeof *d);

    d->head.next = docs_next;
    d->head.close = docs_close;
    d->in = in;
    return &d->head;
}

static enum mst_rc open_docs(struct mst_restore_source *s, size_t i, struct mst_src_docs **out,
                             struct mst_err *err)
{
    const struct backup *b = s->impl;
    const struct extents *x = s->colls[i].where;
    struct mst_docs *in = NULL;

    if (mst_docs_open_extents(b->reader, x->e, x->n, &in, err) != MST_OK) {
        return err->rc;
    }
    *out = wrap(in);
    return MST_OK;
}

static enum mst_rc open_oplog(struct mst_restore_source *s, struct mst_src_docs **out,
                              struct mst_err *err)
{
    const struct backup *b = s->impl;
    struct mst_docs *in = NULL;

    if (mst_docs_open_oplog(b->reader, &in, err) != MST_OK) {
        return err->rc;
    }
    *out = wrap(in);
    return MST_OK;
}

static enum mst_rc check(struct mst_restore_source *s, struct mst_task *task, struct mst_err *err)
{
    const struct backup *b = s->impl;
    const struct mst_verify_opts o = {.id = b->id, .mark = false, .by = "restore"};
    struct mst_verify_result res;

    if (mst_verify_run(b->catalog, &o, task, &res, err) != MST_OK) {
        return err->rc;
    }
    return res.level == 2 ? MST_OK
                          : mst_err_set(err, MST_E_AUTH, "%s was not opened: %s", b->id, res.text);
}

static void release(struct mst_restore_source *s)
{
    struct backup *b = s->impl;
    size_t i;

    for (i = 0; i < s->n; i++) {
        struct extents *x = s->colls[i].where;

        if (x) {
            free(x->e);
            free(x);
        }
    }
    mst_bkr_free(b->reader);
    free(b);
}

static enum mst_src_kind kind_of(enum mst_ns_state state)
{
    switch (state) {
    case MST_NS_VIEW:
        return MST_SRC_VIEW;
    case MST_NS_DROPPED:
        return MST_SRC_DROPPED;
    case MST_NS_LEFT_OUT:
        return MST_SRC_LEFT_OUT;
    case MST_NS_SCANNED:
        break;
    }
    return MST_SRC_COLLECTION;
}

static bool replace_doc(bson_t **b, const uint8_t *p, uint32_t n)
{
    bson_t *fresh = p ? bson_new_from_data(p, n) : bson_new();

    if (!fresh) {
        return false;
    }
    bson_destroy(*b);
    *b = fresh;
    return true;
}

static enum mst_rc add_ns(void *arg, const struct mst_man_ns *ns, struct mst_err *err)
{
    struct mst_restore_source *s = arg;
    struct mst_src_coll *c = mst_src_add(s);
    struct extents *x = mst_xcalloc(1, sizeof *x);

    c->where = x;
    c->kind = kind_of(ns->state);
    (void)mst_copy(c->db, sizeof c->db, ns->db);
    (void)mst_copy(c->coll, sizeof c->coll, ns->coll);
    c->has_uuid = ns->has_uuid;
    memcpy(c->uuid, ns->uuid, 16);
    c->documents = ns->documents;
    c->bytes = ns->data_bytes;
    c->sum = ns->sum;
    c->has_sum = true;
    if (ns->n_extents) {
        x->n = ns->n_extents;
        x->e = mst_xmalloc(x->n * sizeof *x->e);
        memcpy(x->e, ns->extents, x->n * sizeof *x->e);
    }
    if (!replace_doc(&c->options, ns->options, ns->options_len) ||
        !replace_doc(&c->indexes, ns->indexes, ns->indexes_len)) {
        return mst_err_set(err, MST_E_INTEGRITY, "manifest: options of a namespace are not BSON");
    }
    return MST_OK;
}

/* Before a key is asked for: can it be read, and who wrote it? */
static enum mst_rc believed(const struct mst_catalog *c, const char *id, struct mst_task *task,
                            char resolved[MST_ID_MAX], struct mst_err *err)
{
    struct mst_bkr *r = NULL;
    enum mst_rc rc = mst_catalog_readable(c, id, task, resolved, err);

    rc = rc == MST_OK ? mst_bkr_open_clear(c, resolved, task, &r, err) : rc;
    rc = rc == MST_OK ? mst_trust_allow(c->trust, mst_bkr_header(r)->id, mst_bkr_judgement(r), err)
                      : rc;
    mst_bkr_free(r);
    return rc;
}

enum mst_rc mst_restore_source_backup(const struct mst_catalog *c, const char *id,
                                      struct mst_task *task, struct mst_restore_source **out,
                                      struct mst_err *err)
{
    struct mst_restore_source *s = mst_xcalloc(1, sizeof *s);
    struct backup *b = mst_xcalloc(1, sizeof *b);
    const struct mst_header *h;
    char resolved[MST_ID_MAX];
    enum mst_rc rc;

    s->impl = b;
    s->release = release;
    b->catalog = c;
    rc = believed(c, id, task, resolved, err);
    rc = rc == MST_OK ? mst_bkr_open(c, resolved, task, &b->reader, err) : rc;
    if (rc != MST_OK) {
        goto out;
    }
    h = mst_bkr_header(b->reader);
    (void)mst_copy(b->id, sizeof b->id, h->id);
    (void)snprintf(s->label, sizeof s->label, "backup %s", h->id);
    (void)mst_copy(s->set, sizeof s->set, h->set);
    (void)mst_copy(s->version, sizeof s->version, h->server_version);
    (void)mst_copy(s->fcv, sizeof s->fcv, h->fcv);
    mst_text_sanitise(s->label);
    s->partial = h->left_out > 0;
    s->has_oplog = true;
    s->apply_after = h->apply.ts;
    s->end = h->last;
    s->open_docs = open_docs;
    s->open_oplog = open_oplog;
    s->check = check;
    rc = mst_bkr_each_ns(b->reader, add_ns, s, task, err);
out:
    if (rc != MST_OK) {
        mst_restore_source_free(s);
        return rc;
    }
    *out = s;
    return MST_OK;
}
