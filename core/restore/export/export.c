/* export.c: from a source to a writer, counted and summed on the way. */
#include "restore/export/export.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "restore/export/writer.h"

struct run {
    const struct mst_export_opts *o;
    struct mst_restore_source *s;
    struct mst_task *task;
    struct mst_export_result *res;
    struct mst_content c;
    struct mst_dump_writer *w;
    struct mst_sha256 sha;
    uint64_t seen;
};

static enum mst_rc put_doc(struct run *r, const uint8_t *doc, uint32_t n, struct mst_err *err)
{
    const enum mst_rc rc = r->w->doc(r->w, doc, n, err);

    if (r->task) {
        atomic_fetch_add(&r->task->done_bytes, n);
    }
    r->seen += n;
    if (rc != MST_OK || r->seen < 1u << 20) {
        return rc;
    }
    r->seen = 0;
    return mst_task_check(r->task, err);
}

static enum mst_rc differs(const struct mst_content_ns *ns, struct mst_err *err)
{
    char name[MST_NS_MAX];

    (void)snprintf(name, sizeof name, "%s.%s", ns->db, ns->coll);
    mst_text_sanitise(name);
    return mst_err_set(err, MST_E_INTEGRITY,
                       "%s: its documents are not those that the manifest counts and sums", name);
}

static enum mst_rc put_collection(struct run *r, const struct mst_content_ns *ns,
                                  struct mst_err *err)
{
    const struct mst_src_coll *from = &r->s->colls[ns->src];
    struct mst_src_docs *in = NULL;
    const uint8_t *doc = NULL;
    uint32_t n = 0;
    uint64_t documents = 0, bytes = 0;
    struct mst_sum256 sum = {{0}};
    uint8_t digest[MST_SHA256_LEN];
    bson_t b;
    enum mst_rc rc = r->s->open_docs(r->s, ns->src, &in, err);

    while (rc == MST_OK && (rc = in->next(in, &doc, &n, err)) == MST_OK && doc) {
        if (!mst_bson_walk(doc, n)) {
            rc = differs(ns, err);
            break;
        }
        mst_sha256_one(&r->sha, doc, n, digest);
        mst_sum256_add(&sum, digest);
        documents++;
        bytes += n;
        (void)bson_init_static(&b, doc, n);
        if (r->c.twice && mst_doubles_again(r->c.twice, ns->src, &b)) {
            r->res->doubles++;
        } else {
            rc = put_doc(r, doc, n, err);
        }
    }
    if (in) {
        in->close(in);
    }
    if (rc == MST_OK && (documents != from->documents || bytes != from->bytes ||
                         (from->has_sum && !mst_sum256_equal(&sum, &from->sum)))) {
        rc = differs(ns, err);
    }
    r->res->documents += documents;
    r->res->data_bytes += bytes;
    return rc;
}

static enum mst_rc put_ns(struct run *r, const struct mst_content_ns *ns, struct mst_err *err)
{
    char show[MST_NS_MAX];
    enum mst_rc rc = r->w->start(r->w, ns, err);

    (void)snprintf(show, sizeof show, "%s.%s", ns->db, ns->coll);
    mst_text_sanitise(show);
    if (r->task) {
        mst_task_phase(r->task, "writing %s", show);
    }
    if (rc == MST_OK && ns->src != SIZE_MAX) {
        rc = put_collection(r, ns, err);
    }
    rc = rc == MST_OK ? r->w->end(r->w, err) : rc;
    if (rc == MST_OK) {
        r->res->views += ns->view;
        r->res->collections += !ns->view;
        mst_task_item_done(r->task);
    }
    return rc;
}

static enum mst_rc put_op(void *arg, const bson_t *entry, struct mst_err *err)
{
    struct run *r = arg;

    r->res->ops++;
    return put_doc(r, bson_get_data(entry), entry->len, err);
}

static enum mst_rc put_oplog(struct run *r, struct mst_err *err)
{
    enum mst_rc rc = r->w->start(r->w, NULL, err);

    if (r->task) {
        mst_task_phase(r->task, "writing the oplog");
    }
    rc = rc == MST_OK ? mst_content_oplog(&r->c, r->task, put_op, r, err) : rc;
    return rc == MST_OK ? r->w->end(r->w, err) : rc;
}

static enum mst_rc write_out(struct run *r, struct mst_err *err)
{
    const bool oplog = r->s->has_oplog && !r->o->no_oplog;
    uint64_t total = 0;
    size_t i;
    enum mst_rc rc;

    for (i = 0; i < r->c.n; i++) {
        total += r->c.ns[i].src != SIZE_MAX ? r->s->colls[r->c.ns[i].src].bytes : 0;
    }
    if (r->task) {
        atomic_store(&r->task->done_bytes, 0);
        atomic_store(&r->task->total_bytes, total);
        mst_task_items(r->task, r->c.n);
    }
    r->res->oplog = oplog;
    r->res->partial = r->s->partial;
    r->res->txn_open = r->c.txn_open;
    rc = r->w->begin(r->w, &r->c, oplog, err);
    for (i = 0; rc == MST_OK && i < r->c.n; i++) {
        rc = put_ns(r, &r->c.ns[i], err);
    }
    rc = rc == MST_OK && oplog ? put_oplog(r, err) : rc;
    rc = rc == MST_OK ? mst_task_check(r->task, err) : rc;
    rc = rc == MST_OK ? r->w->finish(r->w, err) : rc;
    r->res->stored_bytes = r->w->stored;
    return rc;
}

enum mst_rc mst_export_run(const struct mst_export_opts *o, struct mst_restore_source *s,
                           struct mst_task *task, struct mst_export_result *res,
                           struct mst_err *err)
{
    const struct mst_restore_opts patterns = {.n_include = o->n_include,
                                              .include = o->include,
                                              .n_exclude = o->n_exclude,
                                              .exclude = o->exclude,
                                              .spill_dir = o->spill_dir};
    struct run r = {.o = o, .s = s, .task = task, .res = res};
    enum mst_rc rc;

    memset(res, 0, sizeof *res);
    mst_sha256_init(&r.sha);
    rc = o->archive ? mst_dump_writer_archive(o, &r.w, err) : mst_dump_writer_dir(o, &r.w, err);
    if (rc == MST_OK && !o->unchecked) {
        rc = s->check(s, task, err);
    }
    if (rc == MST_OK) {
        rc = mst_content_read(&patterns, s, task, &r.c, err);
    }
    if (rc == MST_OK && !r.c.n) {
        rc = mst_err_set(err, MST_E_NOTFOUND, "the backup has no namespace that was asked for");
    }
    rc = rc == MST_OK ? write_out(&r, err) : rc;
    if (r.w) {
        if (rc != MST_OK) {
            r.w->abort(r.w);
        }
        r.w->free(r.w);
    }
    mst_content_release(&r.c);
    mst_sha256_release(&r.sha);
    return rc;
}
