#include "catalog/copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/asleep.h"
#include "catalog/keyobj.h"
#include "catalog/marks.h"
#include "catalog/sums.h"
#include "hash/hash.h"

#define CHUNK 1048576U

struct run {
    const struct mst_catalog *from, *to;
    const struct mst_copy_opts *o;
    struct mst_task *task;
    struct mst_copy_result *res;
    struct mst_bkr *bkr;
    uint8_t *buf;
    struct mst_buf commit;  /* COMMIT of the source, as it was judged */
    bool whole;             /* the target has that COMMIT already */
    bool small;             /* not among the bytes that were promised */
    uint64_t named, stored; /* objects that sums named so far, and their bytes */
};

static void at(const struct run *r, const char *point)
{
    if (r->o->at) {
        r->o->at(r->o->at_arg, point);
    }
}

static enum mst_rc moved(const struct run *r, size_t n, struct mst_err *err)
{
    if (r->task && !r->small) {
        atomic_fetch_add(&r->task->done_bytes, n);
    }
    return mst_task_check(r->task, err);
}

/* Read a whole object; into put when there is one. */
static enum mst_rc stream(struct run *r, struct mst_store *s, const char *key,
                          struct mst_store_put *put, uint64_t *bytes, uint8_t sha[MST_SHA256_LEN],
                          struct mst_err *err)
{
    struct mst_sha256 h;
    size_t got = 0;
    enum mst_rc rc;

    *bytes = 0;
    mst_sha256_init(&h);
    do {
        rc = mst_store_read(s, key, *bytes, r->buf, CHUNK, &got, err);
        if (rc == MST_OK && got > 0) {
            mst_sha256_add(&h, r->buf, got);
            *bytes += got;
            rc = put ? mst_store_put_add(put, r->buf, got, err) : MST_OK;
            rc = rc == MST_OK ? moved(r, got, err) : rc;
        }
    } while (rc == MST_OK && got > 0);
    mst_sha256_final(&h, sha);
    mst_sha256_release(&h);
    return rc;
}

/* Is the right one there already? *there false: nothing is; another one is MST_E_INTEGRITY. */
static enum mst_rc there_already(struct run *r, const char *key, uint64_t want_bytes,
                                 const uint8_t want[MST_SHA256_LEN], bool *there,
                                 struct mst_err *err)
{
    struct mst_err look = {0};
    uint8_t sha[MST_SHA256_LEN];
    uint64_t bytes = 0;
    enum mst_rc rc = mst_store_stat(r->to->store, key, &bytes, &look);

    *there = false;
    if (rc == MST_E_NOTFOUND) {
        return MST_OK;
    }
    if (rc != MST_OK) {
        *err = look;
        return rc;
    }
    if (bytes == want_bytes) {
        rc = stream(r, r->to->store, key, NULL, &bytes, sha, err);
        *there = rc == MST_OK && memcmp(sha, want, sizeof(sha)) == 0;
    }
    return rc != MST_OK || *there
               ? rc
               : mst_err_set(err, MST_E_INTEGRITY,
                             "%s is in the store %s with another content, and objects are never "
                             "replaced: 'muster clean %s --store %s' removes what is not committed",
                             key, mst_store_name(r->to->store), r->res->id,
                             mst_store_name(r->to->store));
}

static enum mst_rc move(struct run *r, const char *from, const char *to, const char *name,
                        uint64_t want_bytes, const uint8_t want[MST_SHA256_LEN],
                        struct mst_err *err)
{
    struct mst_store_put *put = NULL;
    uint8_t sha[MST_SHA256_LEN];
    uint64_t bytes;
    bool there;
    enum mst_rc rc;

    mst_task_phase(r->task, "copying %s", name);
    rc = there_already(r, to, want_bytes, want, &there, err);
    r->res->objects++;
    if (rc != MST_OK || there) {
        r->res->kept += there;
        return rc;
    }
    rc = mst_store_put_begin(r->to->store, to, &put, err);
    rc = rc == MST_OK ? stream(r, r->from->store, from, put, &bytes, sha, err) : rc;
    if (rc == MST_OK && (bytes != want_bytes || memcmp(sha, want, sizeof(sha)) != 0)) {
        rc = mst_err_set(err, MST_E_INTEGRITY,
                         "%s is damaged in the store %s: its SHA-256 is not the one that was "
                         "written; nothing of it was copied",
                         name, mst_store_name(r->from->store));
    }
    if (rc != MST_OK) {
        mst_store_put_abort_take(put);
        return rc;
    }
    rc = mst_store_put_finish_take(put, err);
    if (rc == MST_E_EXISTS) { /* another copy was quicker */
        memset(err, 0, sizeof(*err));
        rc = there_already(r, to, want_bytes, want, &there, err);
    }
    r->res->bytes += rc == MST_OK ? bytes : 0;
    return rc;
}

static enum mst_rc copy_object(struct run *r, const char *attempt, const char *name,
                               uint64_t want_bytes, const uint8_t want[MST_SHA256_LEN],
                               struct mst_err *err)
{
    char from[MST_KEY_MAX], to[MST_KEY_MAX];

    mst_catalog_key(r->from, r->res->id, attempt, name, from);
    mst_catalog_key(r->to, r->res->id, attempt, name, to);
    return move(r, from, to, name, want_bytes, want, err);
}

/* A small one whose hash nobody wrote down: as it is in the source. */
static enum mst_rc copy_small(struct run *r, const char *name, struct mst_err *err)
{
    struct mst_buf b = {0};
    char from[MST_KEY_MAX];
    uint8_t sha[MST_SHA256_LEN];
    enum mst_rc rc;

    mst_catalog_key(r->from, r->res->id, "", name, from);
    rc = mst_store_read_all(r->from->store, from, MST_HEADER_MAX, &b, err);
    if (rc == MST_OK) {
        mst_sha256_of(b.p, b.len, sha);
        r->small = true;
        rc = copy_object(r, "", name, b.len, sha, err);
        r->small = false;
    }
    mst_buf_release(&b);
    return rc;
}

struct holds {
    size_t skip;
    struct mst_marks marks;
};

static bool see_hold(void *arg, const struct mst_store_item *item)
{
    struct holds *h = arg;
    const char *name = strlen(item->key) > h->skip ? item->key + h->skip : "";
    const char *kind = strrchr(name, '-');

    if (kind && (strcmp(kind, "-hold") == 0 || strcmp(kind, "-release") == 0)) {
        (void)mst_marks_add(&h->marks, name);
    }
    return true;
}

/* Before COMMIT: the copy is never there without the hold of its source. */
static enum mst_rc copy_holds(struct run *r, struct mst_err *err)
{
    struct holds h = {.skip = 0};
    char prefix[MST_KEY_MAX], name[MST_MARK_NAME + 8];
    enum mst_rc rc;

    mst_catalog_key(r->from, r->res->id, "", "marks", prefix);
    h.skip = strlen(prefix) + 1;
    rc = mst_store_list(r->from->store, prefix, see_hold, &h, r->task, err);
    for (size_t i = 0; rc == MST_OK && i < h.marks.n; i++) {
        (void)snprintf(name, sizeof(name), "marks/%s", h.marks.names[i]);
        rc = copy_small(r, name, err);
    }
    mst_marks_release(&h.marks);
    return rc;
}

/* --- key objects ------------------------------------------------------------------------------ */

/* A key object that the source has not would let somebody in who was taken out there since. */
static enum mst_rc no_others(struct run *r, const bool *copied, unsigned highest,
                             struct mst_err *err)
{
    const struct mst_header *h = mst_bkr_header(r->bkr);
    unsigned *v = NULL;
    size_t n = 0;
    char key[MST_KEY_MAX];
    enum mst_rc rc = mst_keyobj_numbers(r->to, h->id, h->attempt, r->task, &v, &n, err);

    for (size_t i = 0; rc == MST_OK && i < n; i++) {
        if (v[i] > highest || !copied[v[i]]) {
            mst_keyobj_path(r->to, h->id, h->attempt, v[i], key);
            rc = mst_err_set(err, MST_E_INTEGRITY,
                             "the store %s has a key object that %s has not, %s: 'muster clean %s "
                             "--store %s' removes what is not committed",
                             mst_store_name(r->to->store), mst_store_name(r->from->store), key,
                             h->id, mst_store_name(r->to->store));
        }
    }
    free(v);
    return rc;
}

/* Those of the source that are whole and its own; copied says which by their numbers. */
static enum mst_rc copy_numbers(struct run *r, const unsigned *v, size_t n, bool *copied,
                                struct mst_err *err)
{
    const struct mst_header *h = mst_bkr_header(r->bkr);
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    struct mst_buf raw = {0};
    struct mst_err bad = {0};
    char from[MST_KEY_MAX], to[MST_KEY_MAX];
    uint8_t sha[MST_SHA256_LEN];
    size_t good = 0;
    enum mst_rc rc = MST_OK;

    for (size_t i = 0; rc == MST_OK && i < n; i++) {
        struct mst_err one = {0};

        if (mst_keyobj_read(r->from, h, v[i], k, &raw, &one) == MST_OK) {
            mst_sha256_of(raw.p, raw.len, sha);
            mst_keyobj_path(r->from, h->id, h->attempt, v[i], from);
            mst_keyobj_path(r->to, h->id, h->attempt, v[i], to);
            rc = move(r, from, to, strrchr(from, '/') + 1, raw.len, sha, err);
            copied[v[i]] = true;
            good++;
        } else if (one.rc == MST_E_INTEGRITY || one.rc == MST_E_STALE) {
            mst_task_log(r->task, "not copied: %s", one.msg);
            bad = one;
        } else {
            *err = one;
            rc = one.rc;
        }
    }
    if (rc == MST_OK && good == 0) {
        rc = mst_err_set(err, MST_E_INTEGRITY,
                         "no key object of %s in the store %s is whole, and without one nobody "
                         "can open it%s%.200s",
                         h->id, mst_store_name(r->from->store), bad.msg[0] ? ": " : "", bad.msg);
    }
    mst_buf_release(&raw);
    free(k);
    return rc;
}

/* Who may read a copy that is whole is changed in its own store: 'muster key ... --store'. */
static enum mst_rc has_its_own(struct run *r, bool *has, struct mst_err *err)
{
    const struct mst_header *h = mst_bkr_header(r->bkr);
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    struct mst_buf raw = {0};
    unsigned *v = NULL;
    size_t n = 0;
    enum mst_rc rc = mst_keyobj_numbers(r->to, h->id, h->attempt, r->task, &v, &n, err);

    *has = false;
    for (size_t i = 0; rc == MST_OK && i < n && !*has; i++) {
        struct mst_err why = {0};

        rc = mst_keyobj_read(r->to, h, v[i], k, &raw, &why);
        *has = rc == MST_OK;
        if (mst_catalog_is_none(rc)) {
            rc = MST_OK;
        } else if (rc != MST_OK) { /* it may be whole: those of the source are not put beside it */
            *err = why;
        }
    }
    free(v);
    mst_buf_release(&raw);
    free(k);
    return rc;
}

static enum mst_rc copy_keys(struct run *r, struct mst_err *err)
{
    const struct mst_header *h = mst_bkr_header(r->bkr);
    unsigned *v = NULL;
    bool *copied = NULL, has = false;
    size_t n = 0;
    enum mst_rc rc = h->sealed && r->whole ? has_its_own(r, &has, err) : MST_OK;

    if (!h->sealed || has || rc != MST_OK) {
        return rc;
    }
    rc = mst_keyobj_numbers(r->from, h->id, h->attempt, r->task, &v, &n, err);
    copied = mst_xcalloc(n ? v[0] + (size_t)1 : 1, sizeof(*copied));
    r->small = true;
    rc = rc == MST_OK ? copy_numbers(r, v, n, copied, err) : rc;
    r->small = false;
    rc = rc == MST_OK ? no_others(r, copied, v[0], err) : rc;
    free(copied);
    free(v);
    return rc;
}

/* --- the rest --------------------------------------------------------------------------------- */

static enum mst_rc copy_line(void *arg, const char *name, const uint8_t sha[MST_SHA256_LEN],
                             struct mst_err *err)
{
    struct run *r = arg;
    const char *attempt = mst_bkr_commit(r->bkr)->attempt;
    char key[MST_KEY_MAX];
    uint64_t bytes = 0;
    enum mst_rc rc;

    mst_catalog_key(r->from, r->res->id, attempt, name, key);
    at(r, "copy-object");
    rc = mst_store_stat(r->from->store, key, &bytes, err);
    rc = rc == MST_OK ? copy_object(r, attempt, name, bytes, sha, err) : rc;
    r->named++;
    r->stored += bytes;
    mst_task_item_done(r->task);
    return rc;
}

/* Without a key: sums, whose hash the header has, names every object. */
static enum mst_rc copy_sealed(struct run *r, struct mst_err *err)
{
    const struct mst_header *h = mst_bkr_header(r->bkr);
    struct mst_buf sums = {0};
    uint8_t sha[MST_SHA256_LEN];
    enum mst_rc rc = mst_sums_read(r->from, r->bkr, &sums, err);

    if (rc != MST_OK) {
        mst_err_prefix(err, "sums of %s", h->id);
    } else {
        rc = mst_sums_each((const char *)sums.p, sums.len, copy_line, r, err);
    }
    if (rc == MST_OK && (r->named != h->objects || r->stored != h->stored_bytes)) {
        rc = mst_err_set(
            err, MST_E_INTEGRITY,
            "sums of %s names %llu %s with %llu bytes, the header %u with %llu: it "
            "is not copied",
            h->id, (unsigned long long)r->named, mst_text_noun(r->named, "object", "objects"),
            (unsigned long long)r->stored, h->objects, (unsigned long long)h->stored_bytes);
    }
    if (rc == MST_OK) {
        mst_sha256_of(sums.p, sums.len, sha);
        rc = copy_object(r, h->attempt, "sums", sums.len, sha, err);
    }
    mst_buf_release(&sums);
    return rc;
}

static enum mst_rc copy_data(struct run *r, struct mst_err *err)
{
    const struct mst_header *h = mst_bkr_header(r->bkr);
    const struct mst_man_object *o;
    const size_t n = mst_bkr_objects(r->bkr, &o);
    enum mst_rc rc = MST_OK;

    mst_task_items(r->task, h->objects);
    if (r->task) {
        atomic_store(&r->task->total_bytes, h->stored_bytes + h->sums_bytes +
                                                2 * mst_bkr_commit(r->bkr)->manifest_bytes +
                                                mst_bkr_commit(r->bkr)->header_bytes);
    }
    if (h->sealed) {
        return copy_sealed(r, err);
    }
    for (size_t i = 0; rc == MST_OK && i < n; i++) {
        at(r, "copy-object");
        rc = copy_object(r, h->attempt, o[i].key, o[i].bytes, o[i].sha, err);
        mst_task_item_done(r->task);
    }
    return rc;
}

static enum mst_rc copy_rest(struct run *r, struct mst_err *err)
{
    const struct mst_commit *c = mst_bkr_commit(r->bkr);
    uint8_t man[MST_SHA256_LEN], head[MST_SHA256_LEN], last[MST_SHA256_LEN];
    enum mst_rc rc;

    if (!mst_unhex(c->manifest_sha, man, sizeof(man)) ||
        !mst_unhex(c->header_sha, head, sizeof(head))) {
        return mst_err_set(err, MST_E_BUG, "COMMIT was checked before");
    }
    at(r, "copy-manifest");
    rc = copy_object(r, c->attempt, "manifest", c->manifest_bytes, man, err);
    rc = rc == MST_OK ? copy_object(r, c->attempt, "manifest.copy", c->manifest_bytes, man, err)
                      : rc;
    at(r, "copy-header");
    rc = rc == MST_OK ? copy_object(r, c->attempt, "header", c->header_bytes, head, err) : rc;
    at(r, "copy-keys");
    rc = rc == MST_OK ? copy_keys(r, err) : rc;
    rc = rc == MST_OK ? copy_holds(r, err) : rc;
    at(r, "copy-commit");
    if (rc == MST_OK) {
        mst_sha256_of(r->commit.p, r->commit.len, last);
        r->small = true;
        rc = copy_object(r, "", "COMMIT", r->commit.len, last, err);
        r->small = false;
    }
    return rc;
}

/* The COMMIT that will be copied: the one that was opened, by somebody who is believed. */
static enum mst_rc judge_commit(struct run *r, struct mst_err *err)
{
    const struct mst_commit *c = mst_bkr_commit(r->bkr);
    struct mst_commit now = {0};
    struct mst_judgement j;
    char key[MST_KEY_MAX];

    mst_catalog_key(r->from, r->res->id, "", "COMMIT", key);
    if (mst_store_read_all(r->from->store, key, MST_HEADER_MAX, &r->commit, err) != MST_OK ||
        mst_commit_get((const char *)r->commit.p, r->commit.len, &now, err) != MST_OK) {
        return err->rc;
    }
    if (strcmp(now.attempt, c->attempt) != 0 || strcmp(now.header_sha, c->header_sha) != 0 ||
        strcmp(now.manifest_sha, c->manifest_sha) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY, "the COMMIT of %s was changed while it was read",
                           r->res->id);
    }
    mst_trust_judge(r->from->trust, (const char *)r->commit.p, r->commit.len, now.signer,
                    now.signature, &j);
    return mst_trust_allow(r->from->trust, r->res->id, &j, err);
}

/* Another backup under this id there? Looked at first, before anything is written. */
static enum mst_rc check_target(struct run *r, struct mst_err *err)
{
    struct mst_buf there = {0};
    struct mst_err none = {0};
    char key[MST_KEY_MAX];
    enum mst_rc rc = MST_OK;

    mst_catalog_key(r->to, r->res->id, "", "COMMIT", key);
    if (mst_store_read_all(r->to->store, key, MST_HEADER_MAX, &there, &none) == MST_OK) {
        r->whole = there.len == r->commit.len && memcmp(there.p, r->commit.p, there.len) == 0;
        if (!r->whole) {
            rc = mst_err_set(err, MST_E_EXISTS, "the store %s has another backup %s",
                             mst_store_name(r->to->store), r->res->id);
        }
    } else if (none.rc != MST_E_NOTFOUND) {
        *err = none;
        rc = none.rc;
    }
    mst_buf_release(&there);
    return rc;
}

static enum mst_rc leave_mark(struct run *r, struct mst_err *err)
{
    struct mst_mark m = {.kind = MST_MARK_COPIED, .ok = true};
    struct mst_backup b;
    enum mst_rc rc = mst_catalog_find(r->from, r->res->id, r->task, &b, err);
    const char *name = mst_store_name(r->to->store);
    const char *have = rc == MST_OK ? strstr(b.copied_to, name) : NULL;

    if (rc != MST_OK || (have && (have[strlen(name)] == ',' || !have[strlen(name)]))) {
        return rc; /* it was said before */
    }
    (void)mst_copy(m.id, sizeof(m.id), r->res->id);
    (void)mst_copy(m.store, sizeof(m.store), name);
    (void)mst_copy(m.by, sizeof(m.by), r->o->by ? r->o->by : "");
    (void)mst_copy(m.text, sizeof(m.text), mst_store_where(r->to->store));
    m.wall_ms = mst_clock_utc_ms(r->o->clock);
    m.objects = r->res->objects;
    m.stored_bytes = mst_bkr_header(r->bkr)->stored_bytes;
    return mst_marks_write(r->from, &m, err);
}

static enum mst_rc work(struct run *r, struct mst_err *err)
{
    struct mst_err ignore = {0};
    char a[MST_HUMAN_MAX];
    bool claimed = false;
    enum mst_rc rc = judge_commit(r, err);

    if (rc == MST_OK && r->o->may) {
        rc = r->o->may(r->o->may_arg, mst_bkr_header(r->bkr)->sealed, r->to->store, err);
    }
    rc = rc == MST_OK ? check_target(r, err) : rc;
    if (rc == MST_OK && !r->whole) {
        rc = mst_catalog_claim_copy(r->from, r->to, mst_bkr_header(r->bkr), err);
        claimed = rc == MST_OK;
    }
    rc = rc == MST_OK ? copy_data(r, err) : rc;
    rc = rc == MST_OK ? copy_rest(r, err) : rc;
    if (rc != MST_OK) {
        if (claimed && r->res->bytes == 0 && r->res->kept == 0) { /* nothing else stands there */
            (void)!mst_catalog_unclaim(r->to, r->res->id, &ignore);
        }
        return rc;
    }
    (void)snprintf(r->res->text, sizeof(r->res->text),
                   "%s is whole in the store %s: %llu %s, %llu of them were there, %s copied",
                   r->res->id, mst_store_name(r->to->store), (unsigned long long)r->res->objects,
                   mst_text_noun(r->res->objects, "object", "objects"),
                   (unsigned long long)r->res->kept, mst_text_bytes(r->res->bytes, a));
    at(r, "copy-mark");
    if (leave_mark(r, err) != MST_OK) {
        mst_err_prefix(err, "%s is whole in %s, but its mark in %s was not written", r->res->id,
                       mst_store_name(r->to->store), mst_store_name(r->from->store));
        return err->rc;
    }
    return MST_OK;
}

/* A sealed one is never opened: whoever has no key for it copies it too. */
static enum mst_rc open_source(struct run *r, struct mst_err *err)
{
    char id[MST_ID_MAX];
    enum mst_rc rc = mst_catalog_readable(r->from, r->o->id, r->task, id, err);

    rc = rc == MST_OK ? mst_bkr_open_clear(r->from, id, r->task, &r->bkr, err) : rc;
    if (rc != MST_OK) {
        return rc;
    }
    (void)mst_copy(r->res->id, sizeof(r->res->id), mst_bkr_header(r->bkr)->id);
    if (mst_bkr_header(r->bkr)->sealed) {
        return MST_OK;
    }
    mst_bkr_free(r->bkr);
    r->bkr = NULL;
    return mst_bkr_open(r->from, r->res->id, r->task, &r->bkr, err);
}

enum mst_rc mst_copy_run(const struct mst_catalog *from, const struct mst_catalog *to,
                         const struct mst_copy_opts *o, struct mst_task *task,
                         struct mst_copy_result *res, struct mst_err *err)
{
    struct run r = {.from = from, .to = to, .o = o, .task = task, .res = res};
    enum mst_rc rc;

    memset(res, 0, sizeof(*res));
    mst_task_phase(task, "reading the manifest");
    rc = open_source(&r, err);
    if (rc == MST_OK) {
        r.buf = mst_xmalloc(CHUNK);
        rc = work(&r, err);
        rc = rc == MST_OK ? rc : mst_catalog_fell_asleep(from, res->id, task, err);
    }
    free(r.buf);
    mst_buf_release(&r.commit);
    mst_bkr_free(r.bkr);
    return rc;
}
