/* One pass over the stored bytes: each object is hashed as it is decoded, and every document is
 * added to the sum of the namespace whose extent it stands in. Memory: one extent and one
 * accumulator for each namespace, and a frame. */
#include "catalog/verify.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/asleep.h"
#include "catalog/keyobj.h"
#include "catalog/sums.h"
#include "catalog/verify_inner.h"
#include "oplog/oplog.h"

#define LINES_MAX 1000U /* of a damaged list that are looked for one by one */

struct piece {
    struct mst_extent e;
    uint32_t ns;
};

struct acc { /* what was read of a namespace */
    uint64_t documents, data_bytes;
    struct mst_sum256 sum;
};

struct run {
    const struct mst_catalog *c;
    struct mst_task *task;
    struct mst_verify_result *res;
    struct mst_bkr *r;
    const struct mst_man_object *objects;
    size_t n_objects;
    struct piece *pieces; /* by object, then offset */
    size_t n_pieces, cap_pieces;
    struct acc *accs;
    size_t n_accs, cap_accs;
    size_t at_ns; /* of the pass that compares */
    struct mst_sha256 stored, doc;
    struct mst_optime last_entry;
    bool any_entry;
};

void verify_finding(struct mst_verify_result *res, struct mst_task *task, const char *fmt, ...)
{
    va_list ap;

    if (res->n_findings < MST_VERIFY_FINDINGS) {
        char *to = res->findings[res->n_findings];

        va_start(ap, fmt);
        (void)vsnprintf(to, sizeof(res->findings[0]), fmt, ap);
        va_end(ap);
        mst_text_sanitise(to);
        mst_task_log(task, "%s", to);
    }
    res->n_findings++;
}
#define finding(v, ...) verify_finding((v)->res, (v)->task, __VA_ARGS__)

enum mst_rc verify_note(struct mst_verify_result *res, struct mst_task *task, const char *where,
                        enum mst_rc rc, struct mst_err *err)
{
    if (rc == MST_E_INTEGRITY || rc == MST_E_NOTFOUND || rc == MST_E_LIMIT || rc == MST_E_STALE) {
        verify_finding(res, task, "%s: %.150s", where,
                       rc == MST_E_NOTFOUND ? "it is missing" : err->msg);
        return MST_OK;
    }
    return rc;
}

static enum mst_rc note(struct run *v, const char *where, enum mst_rc rc, struct mst_err *err)
{
    return verify_note(v->res, v->task, where, rc, err);
}

/* --- what to expect --------------------------------------------------------------------------- */

static enum mst_rc expect(void *arg, const struct mst_man_ns *ns, struct mst_err *err)
{
    struct run *v = arg;

    (void)err;
    mst_grow((void **)&v->accs, &v->cap_accs, v->n_accs + 1, sizeof(*v->accs));
    memset(&v->accs[v->n_accs], 0, sizeof(*v->accs));
    for (uint32_t i = 0; i < ns->n_extents; i++) {
        mst_grow((void **)&v->pieces, &v->cap_pieces, v->n_pieces + 1, sizeof(*v->pieces));
        v->pieces[v->n_pieces].e = ns->extents[i];
        v->pieces[v->n_pieces++].ns = (uint32_t)v->n_accs;
    }
    v->n_accs++;
    return MST_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;

    if (x->e.object != y->e.object) {
        return x->e.object < y->e.object ? -1 : 1;
    }
    return x->e.offset < y->e.offset ? -1 : x->e.offset > y->e.offset;
}

static enum mst_rc compare(void *arg, const struct mst_man_ns *ns, struct mst_err *err)
{
    struct run *v = arg;
    const struct acc *a;
    const uint64_t before = v->res->n_findings;

    if (v->at_ns == v->n_accs) { /* only the end of the manifest tells that it is another one */
        return mst_err_set(err, MST_E_INTEGRITY, "the manifest was changed while it was read");
    }
    a = &v->accs[v->at_ns++];
    if (a->documents != ns->documents || a->data_bytes != ns->data_bytes) {
        finding(v,
                "%s.%s: documents read %llu with %llu bytes, the manifest says %llu with "
                "%llu",
                ns->db, ns->coll, (unsigned long long)a->documents,
                (unsigned long long)a->data_bytes, (unsigned long long)ns->documents,
                (unsigned long long)ns->data_bytes);
    } else if (!mst_sum256_equal(&a->sum, &ns->sum)) {
        finding(v, "%s.%s: the sum over its documents differs from the manifest's", ns->db,
                ns->coll);
    }
    if (before == 0 && v->res->n_findings > 0 && mst_bkr_header(v->r)->sealed) {
        v->res->hidden = true;
    }
    v->res->documents += a->documents;
    v->res->data_bytes += a->data_bytes;
    v->res->namespaces++;
    return MST_OK;
}

/* --- objects ---------------------------------------------------------------------------------- */

static void tap(void *arg, const void *p, size_t n)
{
    struct run *v = arg;

    mst_sha256_add(&v->stored, p, n);
    v->res->stored_bytes += n;
    if (v->task) {
        atomic_fetch_add(&v->task->done_bytes, n);
    }
}

struct place { /* where the walk stands among the pieces of one object */
    struct piece *p, *end;
};

static bool add_data(struct run *v, struct place *at, uint64_t frame, const uint8_t *doc,
                     uint32_t n)
{
    uint8_t digest[MST_SHA256_LEN];
    struct acc *a;

    while (at->p < at->end && frame >= at->p->e.offset + at->p->e.stored_bytes) {
        at->p++;
    }
    if (at->p == at->end || frame < at->p->e.offset) {
        return true; /* frames of a scan that was begun again belong to nobody */
    }
    if (!mst_bson_walk(doc, n)) {
        return false;
    }
    a = &v->accs[at->p->ns];
    mst_sha256_one(&v->doc, doc, n, digest);
    mst_sum256_add(&a->sum, digest);
    a->documents++;
    a->data_bytes += n;
    return true;
}

static bool add_entry(struct run *v, const struct mst_man_object *o, const uint8_t *doc, uint32_t n,
                      bool first)
{
    struct mst_oplog_entry e;
    struct mst_err err = {0};
    bson_t b;

    if (!mst_bson_walk(doc, n) || !bson_init_static(&b, doc, n) ||
        mst_oplog_parse(&b, &e, &err) != MST_OK) {
        return false;
    }
    if (first && mst_optime_cmp(e.at, o->first) != 0) {
        return false;
    }
    if (v->any_entry &&
        (mst_ts_cmp(e.at.ts, v->last_entry.ts) <= 0 || e.at.term < v->last_entry.term)) {
        return false;
    }
    if (!v->any_entry && mst_optime_cmp(e.at, mst_bkr_header(v->r)->first) != 0) {
        return false;
    }
    v->any_entry = true;
    v->last_entry = e.at;
    v->res->oplog_entries++;
    return true;
}

/* Read the documents of one object to its end. */
static enum mst_rc read_object(struct run *v, size_t i, struct mst_segr *seg, struct mst_err *err)
{
    const struct mst_man_object *o = &v->objects[i];
    struct place at = {v->pieces, v->pieces + v->n_pieces};
    uint64_t docs = 0, data = 0;
    uint8_t sha[MST_SHA256_LEN];
    const uint8_t *doc;
    uint32_t n;

    while (at.p < at.end && at.p->e.object < i) {
        at.p++;
    }
    for (struct piece *p = at.p; p < at.end; p++) {
        if (p->e.object != i) {
            at.end = p;
        }
    }
    for (;;) {
        if ((docs & 255) == 0 && mst_task_check(v->task, err) != MST_OK) {
            return err->rc;
        }
        if (mst_segr_next(seg, &doc, &n, err) != MST_OK) {
            return err->rc;
        }
        if (!doc) {
            break;
        }
        if (o->role == MST_SEG_OPLOG ? !add_entry(v, o, doc, n, docs == 0)
                                     : !add_data(v, &at, mst_segr_frame(seg), doc, n)) {
            return mst_err_set(err, MST_E_INTEGRITY, "document %llu is damaged or out of order",
                               (unsigned long long)docs);
        }
        docs++;
        data += n;
    }
    mst_sha256_final(&v->stored, sha);
    if (memcmp(sha, o->sha, sizeof(sha)) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY, "its SHA-256 differs from the manifest's");
    }
    if (docs != o->documents || data != o->data_bytes) {
        return mst_err_set(err, MST_E_INTEGRITY, "it holds %llu %s, the manifest says %llu",
                           (unsigned long long)docs, mst_text_noun(docs, "document", "documents"),
                           (unsigned long long)o->documents);
    }
    if (o->role == MST_SEG_OPLOG && docs && mst_optime_cmp(v->last_entry, o->last) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY, "its last entry is not the manifest's");
    }
    return MST_OK;
}

static enum mst_rc check_object(struct run *v, size_t i, struct mst_err *err)
{
    const struct mst_man_object *o = &v->objects[i];
    struct mst_segment_id id = {.role = o->role, .number = o->number, .part = o->part};
    struct mst_segr *seg = NULL;
    char key[MST_KEY_MAX];
    uint64_t bytes;
    enum mst_rc rc;

    (void)mst_copy(id.backup, sizeof(id.backup), mst_bkr_header(v->r)->id);
    (void)mst_copy(id.attempt, sizeof(id.attempt), mst_bkr_header(v->r)->attempt);
    mst_bkr_object_key(v->r, (uint32_t)i, key);
    mst_task_phase(v->task, "reading %s", o->key);
    rc = mst_store_stat(v->c->store, key, &bytes, err);
    if (rc == MST_OK && bytes != o->bytes) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "it has %llu bytes, the manifest says %llu",
                         (unsigned long long)bytes, (unsigned long long)o->bytes);
    }
    if (rc == MST_OK) {
        rc = mst_segr_open(v->c->store, key, &id, mst_bkr_sealing(v->r), &seg, err);
    }
    if (rc == MST_OK) {
        mst_segr_tap(seg, tap, v);
        rc = read_object(v, i, seg, err);
    }
    mst_segr_free(seg);
    mst_sha256_release(&v->stored); /* what a failed object left in it */
    mst_sha256_init(&v->stored);
    v->res->objects++;
    mst_task_item_done(v->task);
    return note(v, o->key, rc, err);
}

/* --- the manifest's other copy ---------------------------------------------------------------- */

static enum mst_rc check_copy(struct run *v, const char *name, struct mst_err *err)
{
    struct mst_man_rec rec = {.kind = MST_MAN_BEGIN};
    struct mst_manr *m = NULL;
    enum mst_rc rc = mst_bkr_manifest(v->r, name, &m, err);

    while (rc == MST_OK && rec.kind != MST_MAN_END) {
        rc = mst_task_check(v->task, err);
        rc = rc == MST_OK ? mst_manr_next(m, &rec, err) : rc;
    }
    mst_manr_free(m);
    return note(v, name, rc, err);
}

struct lines { /* of sums, and which of them the manifest has not */
    const struct run *v;
    size_t n, other;
};

static enum mst_rc compare_line(void *arg, const char *key, const uint8_t sha[MST_SHA256_LEN],
                                struct mst_err *err)
{
    struct lines *l = arg;
    size_t i = 0;

    (void)err;
    while (i < l->v->n_objects && strcmp(l->v->objects[i].key, key) != 0) {
        i++;
    }
    l->n++;
    l->other += i == l->v->n_objects || memcmp(l->v->objects[i].sha, sha, MST_SHA256_LEN) != 0;
    return MST_OK;
}

/* One line that went bad, or another list? */
static void count_lines(const struct run *v, const struct mst_buf *have, struct mst_err *err)
{
    struct lines l = {.v = v};
    struct mst_err why = {0};
    const struct mst_err was = *err;

    if (v->n_objects > LINES_MAX) {
        return;
    }
    if (mst_sums_each((const char *)have->p, have->len, compare_line, &l, &why) == MST_OK) {
        (void)mst_err_set(err, MST_E_INTEGRITY, "%.100s: %zu of %zu %s %s not the manifest's",
                          was.msg, l.other, l.n, mst_text_noun(l.n, "line", "lines"),
                          l.other == 1 ? "is" : "are");
    } else {
        (void)mst_err_set(err, MST_E_INTEGRITY, "%.90s: %.55s", was.msg, why.msg);
    }
}

/* What the sums in the clear say must be what the sealed manifest says. */
static enum mst_rc check_sums(struct run *v, struct mst_err *err)
{
    struct mst_buf have = {0};
    struct mst_str want = {.max = MST_SUMS_MAX};
    enum mst_rc rc = mst_sums_read(v->c, v->r, &have, err);

    if (rc == MST_E_INTEGRITY && have.len) {
        count_lines(v, &have, err);
    }
    mst_sums_put(v->objects, v->n_objects, &want);
    if (rc == MST_OK && (have.len != want.len || memcmp(have.p, mst_str_c(&want), have.len) != 0)) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "it names other sums than the manifest");
    }
    mst_buf_release(&have);
    mst_str_release(&want);
    return note(v, "sums", rc, err);
}

/* --- all of it -------------------------------------------------------------------------------- */

static enum mst_rc look(struct run *v, struct mst_err *err)
{
    enum mst_rc rc = mst_bkr_each_ns(v->r, expect, v, v->task, err);

    if (rc == MST_OK && v->n_pieces) {
        qsort(v->pieces, v->n_pieces, sizeof(*v->pieces), by_place);
    }
    for (size_t i = 1; rc == MST_OK && i < v->n_pieces; i++) {
        const struct piece *a = &v->pieces[i - 1], *b = &v->pieces[i];

        if (a->e.object == b->e.object && a->e.offset + a->e.stored_bytes > b->e.offset) {
            rc = mst_err_set(err, MST_E_INTEGRITY, "two pieces of the manifest overlap");
        }
    }
    for (size_t i = 0; rc == MST_OK && i < v->n_objects; i++) {
        rc = check_object(v, i, err);
    }
    mst_task_phase(v->task, "comparing counts and sums");
    rc = rc == MST_OK ? mst_bkr_each_ns(v->r, compare, v, v->task, err) : rc;
    if (rc == MST_OK &&
        (!v->any_entry || mst_optime_cmp(v->last_entry, mst_bkr_header(v->r)->last) != 0)) {
        finding(v, "the oplog does not end where the header says");
    }
    rc = rc == MST_OK ? check_copy(v, "manifest", err) : rc;
    rc = rc == MST_OK ? check_copy(v, "manifest.copy", err) : rc;
    return rc == MST_OK && mst_bkr_header(v->r)->sealed ? check_sums(v, err) : rc;
}

void verify_sentence(struct mst_verify_result *res)
{
    char a[MST_HUMAN_MAX];

    if (res->ok && res->text[0]) {
        return; /* it was not opened: what was done says another sentence */
    }
    if (res->ok) {
        (void)snprintf(res->text, sizeof(res->text),
                       "read back whole: %llu %s, %s, %llu %s in %u %s, %llu oplog %s",
                       (unsigned long long)res->objects,
                       mst_text_noun(res->objects, "object", "objects"),
                       mst_text_bytes(res->stored_bytes, a), (unsigned long long)res->documents,
                       mst_text_noun(res->documents, "document", "documents"), res->namespaces,
                       mst_text_noun(res->namespaces, "namespace", "namespaces"),
                       (unsigned long long)res->oplog_entries,
                       mst_text_noun(res->oplog_entries, "entry", "entries"));
    } else if (res->n_findings > 1) {
        (void)snprintf(res->text, sizeof(res->text), "%.150s, and %llu more", res->findings[0],
                       (unsigned long long)(res->n_findings - 1));
    } else {
        (void)mst_copy(res->text, sizeof(res->text), res->findings[0]);
    }
}

enum mst_rc verify_mark(const struct mst_catalog *c, const struct mst_verify_opts *o,
                        const struct mst_verify_result *res, const struct mst_commit *commit,
                        struct mst_err *err)
{
    struct mst_mark m = {.kind = MST_MARK_VERIFIED, .level = res->level, .ok = res->ok};

    (void)mst_copy(m.id, sizeof(m.id), commit->id);
    (void)mst_copy(m.attempt, sizeof(m.attempt), commit->attempt);
    (void)mst_copy(m.header_sha, sizeof(m.header_sha), commit->header_sha);
    (void)mst_copy(m.text, sizeof(m.text),
                   res->hidden ? "a collection differs from the manifest: 'muster verify' with a "
                                 "key that opens it says which"
                               : res->text);
    (void)mst_copy(m.by, sizeof(m.by), o->by ? o->by : "");
    mst_text_sanitise(m.by);
    m.wall_ms = mst_clock_utc_ms(o->clock);
    m.objects = res->objects;
    m.documents = res->documents;
    m.data_bytes = res->data_bytes;
    m.stored_bytes = res->stored_bytes;
    if (mst_catalog_mark(c, &m, err) != MST_OK) {
        mst_err_prefix(err, "%s was read (%.160s), but its mark was not written", m.id, res->text);
        return err->rc;
    }
    return MST_OK;
}

enum mst_rc verify_signature(const struct mst_catalog *c, const struct mst_bkr *r,
                             struct mst_task *task, struct mst_verify_result *res,
                             struct mst_err *err)
{
    const struct mst_judgement *j = mst_bkr_judgement(r);

    if (j->how == MST_SIGNED_FORGED) {
        verify_finding(res, task, "its COMMIT is FORGED: %.150s", j->why);
    } else if (j->how == MST_SIGNED_NOT && c->trust && c->trust->n) {
        (void)snprintf(res->warning, sizeof(res->warning), "UNSIGNED: %.180s", j->why);
    } else if (j->how == MST_SIGNED_GOOD &&
               mst_catalog_chain(c, res->id, task, res->warning, err) != MST_OK) {
        return err->rc;
    }
    return MST_OK;
}

enum mst_rc verify_conclude(const struct mst_catalog *c, const struct mst_verify_opts *o,
                            const struct mst_commit *commit, struct mst_verify_result *res,
                            struct mst_err *err)
{
    enum mst_rc rc;

    verify_sentence(res);
    if (*res->warning) {
        const size_t n = strlen(res->text);

        (void)snprintf(res->text + n, sizeof(res->text) - n, "; %s", res->warning);
    }
    rc = o->mark ? verify_mark(c, o, res, commit, err) : MST_OK;
    if (rc == MST_OK && !res->ok) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "%s is damaged: %s", res->id, res->text);
    }
    return rc;
}

/* The manifest could not be read in either copy. Where COMMIT can, the list must not go on calling
 * this backup complete. */
static enum mst_rc unreadable(struct run *v, const struct mst_verify_opts *o, struct mst_err *err)
{
    struct mst_err other = {0};
    struct mst_buf buf = {0};
    struct mst_commit commit;
    char key[MST_KEY_MAX];

    finding(v, "%.190s", err->msg);
    verify_sentence(v->res);
    if (o->mark && mst_catalog_id_ok(o->id, NULL, NULL)) {
        mst_catalog_key(v->c, o->id, "", "COMMIT", key);
        if (mst_store_read_all(v->c->store, key, MST_HEADER_MAX, &buf, &other) == MST_OK &&
            mst_commit_get((const char *)buf.p, buf.len, &commit, &other) == MST_OK &&
            strcmp(commit.id, o->id) == 0 &&
            verify_mark(v->c, o, v->res, &commit, &other) != MST_OK) {
            *err = other;
        }
        mst_buf_release(&buf);
    }
    return err->rc;
}

static enum mst_rc verify(const struct mst_catalog *c, const struct mst_verify_opts *o,
                          struct mst_task *task, struct mst_verify_result *res, struct mst_err *err)
{
    struct run v = {.c = c, .task = task, .res = res};
    enum mst_rc rc = mst_bkr_open(c, o->id, task, &v.r, err);

    if (rc == MST_E_AUTH) {
        const struct mst_err why = *err;

        rc = verify_unopened(c, o, why.msg, task, res, err);
        /* A host without a key is one thing; a key that ought to open it and does not another. */
        return rc == MST_OK && why.detail == MST_KEY_FAILED
                   ? mst_err_set(err, MST_E_INCOMPLETE, "%s: %s", res->id, res->text)
                   : rc;
    }
    if (rc == MST_E_INTEGRITY || rc == MST_E_NOTFOUND) {
        verify_strangers(c, o->id, task, err);
    }
    if (rc != MST_OK) {
        return rc == MST_E_INTEGRITY ? unreadable(&v, o, err) : rc;
    }
    (void)mst_copy(res->id, sizeof(res->id), mst_bkr_header(v.r)->id);
    v.n_objects = mst_bkr_objects(v.r, &v.objects);
    mst_task_items(task, v.n_objects);
    if (task) {
        atomic_store(&task->total_bytes, mst_bkr_header(v.r)->stored_bytes);
    }
    mst_sha256_init(&v.stored);
    mst_sha256_init(&v.doc);
    rc = look(&v, err);
    if (rc == MST_E_INTEGRITY) {
        rc = note(&v, res->id, rc, err);
    }
    rc = rc == MST_OK ? verify_signature(c, v.r, task, res, err) : rc;
    rc = rc == MST_OK ? verify_around(c, v.r, task, res, err) : rc;
    if (rc == MST_OK) {
        res->level = 2;
        res->ok = res->n_findings == 0;
        rc = verify_conclude(c, o, mst_bkr_commit(v.r), res, err);
    }
    mst_sha256_release(&v.stored);
    mst_sha256_release(&v.doc);
    free(v.pieces);
    free(v.accs);
    mst_bkr_free(v.r);
    return rc;
}

enum mst_rc mst_verify_run(const struct mst_catalog *c, const struct mst_verify_opts *o,
                           struct mst_task *task, struct mst_verify_result *res,
                           struct mst_err *err)
{
    struct mst_verify_opts own = *o;
    char id[MST_ID_MAX];

    memset(res, 0, sizeof(*res));
    mst_task_phase(task, "reading the manifest");
    if (mst_catalog_readable(c, o->id, task, id, err) != MST_OK) {
        return err->rc;
    }
    (void)mst_copy(res->id, sizeof(res->id), id);
    own.id = id;
    return verify(c, &own, task, res, err) == MST_OK ? MST_OK
                                                     : mst_catalog_fell_asleep(c, id, task, err);
}
