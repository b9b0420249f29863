/* The end of a run: every object checked, the manifest twice, the header, and COMMIT last. */
#include "backup/internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "catalog/sums.h"

static enum mst_rc write_manifest(struct run *r, const char *name, struct mst_commit *c,
                                  struct mst_err *err)
{
    struct mst_man_begin begin = {.kind = "full"};
    struct mst_manw *w = NULL;
    struct mst_man_end end = {0};
    char key[MST_KEY_MAX];
    uint8_t sha[MST_SHA256_LEN];
    enum mst_rc rc;

    (void)mst_copy(begin.id, sizeof(begin.id), r->h.id);
    (void)mst_copy(begin.attempt, sizeof(begin.attempt), r->attempt);
    (void)mst_copy(begin.set, sizeof(begin.set), r->h.set);
    run_key(r, name, key);
    rc = mst_manw_open(r->o->catalog->store, key, &begin, run_sealing(r), &w, err);
    rc = rc == MST_OK ? facts_write(r, w, err) : rc;
    for (size_t i = 0; rc == MST_OK && i < r->n_objects; i++) {
        rc = mst_manw_object(w, &r->objects[i], err);
    }
    rc = rc == MST_OK ? listing_manifest(r, w, err) : rc;
    if (rc != MST_OK) {
        mst_manw_abort_take(w);
        return rc;
    }
    rc = mst_manw_finish_take(w, &c->manifest_bytes, sha, &end, err);
    (void)mst_hex(sha, sizeof(sha), c->manifest_sha);
    r->h.objects = end.objects;
    r->h.namespaces = end.namespaces;
    r->h.documents = end.documents;
    r->h.data_bytes = end.data_bytes;
    r->h.stored_bytes = end.stored_bytes;
    return rc;
}

/* The second copy is the first one's bytes, read back: what cannot be read is noticed here. */
static enum mst_rc copy_manifest(struct run *r, const struct mst_commit *c, struct mst_err *err)
{
    struct mst_store *s = r->o->catalog->store;
    struct mst_store_put *put = NULL;
    struct mst_sha256 sha;
    uint8_t digest[MST_SHA256_LEN];
    char from[MST_KEY_MAX], to[MST_KEY_MAX], hex[MST_SHA256_HEX];
    uint8_t *buf = mst_xmalloc(MST_FRAME_BYTES);
    uint64_t at = 0;
    size_t got = 1;
    enum mst_rc rc;

    run_key(r, "manifest", from);
    run_key(r, "manifest.copy", to);
    mst_sha256_init(&sha);
    rc = mst_store_put_begin(s, to, &put, err);
    while (rc == MST_OK && got > 0) {
        rc = mst_store_read(s, from, at, buf, MST_FRAME_BYTES, &got, err);
        if (rc == MST_OK && got > 0) {
            mst_sha256_add(&sha, buf, got);
            rc = mst_store_put_add(put, buf, got, err);
            at += got;
        }
    }
    mst_sha256_final(&sha, digest);
    mst_sha256_release(&sha);
    free(buf);
    if (rc == MST_OK && (at != c->manifest_bytes ||
                         strcmp(mst_hex(digest, sizeof(digest), hex), c->manifest_sha) != 0)) {
        rc = mst_err_set(err, MST_E_INTEGRITY,
                         "the manifest reads back differently from what was written: the store %s "
                         "damages data",
                         mst_store_name(s));
    }
    if (rc != MST_OK) {
        mst_store_put_abort_take(put);
        return rc;
    }
    return mst_store_put_finish_take(put, err);
}

/* The sums of the objects in the clear, for whoever has no key. */
static enum mst_rc write_sums(struct run *r, struct mst_err *err)
{
    struct mst_str s = {.max = MST_SUMS_MAX};
    uint8_t sha[MST_SHA256_LEN];
    char key[MST_KEY_MAX];
    enum mst_rc rc = MST_OK;

    mst_sums_put(r->objects, r->n_objects, &s);
    if (mst_str_cut(&s)) {
        rc = mst_err_set(err, MST_E_LIMIT, "more objects than a list of sums may name");
    }
    mst_sha256_of(mst_str_c(&s), s.len, sha);
    (void)mst_hex(sha, sizeof(sha), r->h.sums_sha);
    r->h.sums_bytes = s.len;
    run_key(r, "sums", key);
    rc = rc == MST_OK ? mst_store_put_all(r->o->catalog->store, key, s.p, s.len, err) : rc;
    mst_str_release(&s);
    return rc;
}

static enum mst_rc write_header(struct run *r, struct mst_commit *c, struct mst_err *err)
{
    struct mst_str s = {0};
    char key[MST_KEY_MAX];
    uint8_t sha[MST_SHA256_LEN];
    enum mst_rc rc;

    r->h.finished_wall_ms = mst_clock_utc_ms(r->o->clock);
    r->h.first = r->first;
    r->h.apply = r->apply;
    r->h.last = r->last;
    r->h.oplog_entries = r->tail_entries;
    (void)mst_copy(r->h.point_proof, sizeof(r->h.point_proof), "majority");
    mst_header_put(&r->h, &s);
    mst_sha256_of(s.p, s.len, sha);
    (void)mst_hex(sha, sizeof(sha), c->header_sha);
    c->header_bytes = s.len;
    run_key(r, "header", key);
    rc = mst_store_put_all(r->o->catalog->store, key, s.p, s.len, err);
    mst_str_release(&s);
    return rc;
}

/* After a failed put of COMMIT: is it there? MST_OK when our bytes stand there. */
static enum mst_rc after_commit(struct run *r, const char *key, const struct mst_str *want,
                                enum mst_rc rc, struct mst_err *err)
{
    struct mst_err other = {0};
    struct mst_buf have = {0};
    const enum mst_rc got =
        mst_store_read_all(r->o->catalog->store, key, MST_HEADER_MAX, &have, &other);
    const bool ours =
        got == MST_OK && have.len == want->len && memcmp(have.p, want->p, want->len) == 0;

    mst_buf_release(&have);
    if (ours && rc != MST_E_UNKNOWN) {
        return MST_OK; /* only the reply was lost */
    }
    if (ours || (got != MST_OK && got != MST_E_NOTFOUND)) {
        mst_err_prefix(err, "it is not known whether %s is durable: verify it later", r->h.id);
        return err->rc = MST_E_UNKNOWN;
    }
    if (rc == MST_E_EXISTS || got == MST_OK) {
        return mst_err_set(err, MST_E_BUSY, "another run has committed %s: this one does not count",
                           r->h.id);
    }
    return rc;
}

/* What a signed COMMIT says about those before it. */
static enum mst_rc link_commit(struct run *r, struct mst_commit *c, struct mst_err *err)
{
    const char *const store = mst_store_name(r->o->catalog->store);
    struct mst_before *before = &r->res->before;

    if (!r->o->catalog->signer) {
        return MST_OK;
    }
    if (r->o->before) {
        return r->o->before(r->o->before_arg, r->h.id, c, err);
    }
    if (mst_catalog_before(r->o->catalog, r->h.id, &r->task, before, err) != MST_OK) {
        return err->rc;
    }
    r->res->has_before = true;
    mst_chain_join(before, &store, &r->o->counter_seen, 1, c);
    return MST_OK;
}

static enum mst_rc write_commit(struct run *r, struct mst_commit *c, struct mst_err *err)
{
    struct mst_str s = {0};
    char key[MST_KEY_MAX];
    enum mst_rc rc = link_commit(r, c, err);

    if (rc != MST_OK) {
        return rc;
    }

    (void)mst_copy(c->id, sizeof(c->id), r->h.id);
    (void)mst_copy(c->attempt, sizeof(c->attempt), r->attempt);
    c->committed_wall_ms = mst_clock_utc_ms(r->o->clock);
    if (mst_commit_put(c, r->o->catalog->signer, &s, err) != MST_OK) {
        mst_str_release(&s);
        return err->rc;
    }
    mst_catalog_key(r->o->catalog, r->h.id, "", "COMMIT", key);
    rc = mst_store_put_all(r->o->catalog->store, key, s.p, s.len, err);
    if (rc != MST_OK) {
        rc = after_commit(r, key, &s, rc, err);
    }
    mst_str_release(&s);
    return rc;
}

static enum mst_rc check_objects(struct run *r, struct mst_err *err)
{
    run_at(r, "objects");
    mst_task_phase(r->outer, "checking the objects");
    for (size_t i = 0; i < r->n_objects; i++) {
        char key[MST_KEY_MAX];
        uint64_t bytes;

        if (mst_task_check(&r->task, err) != MST_OK) {
            return err->rc;
        }
        run_key(r, r->objects[i].key, key);
        if (mst_store_stat(r->o->catalog->store, key, &bytes, err) != MST_OK) {
            return err->rc;
        }
        if (bytes != r->objects[i].bytes) {
            return mst_err_set(err, MST_E_INTEGRITY,
                               "%s has %llu bytes in the store, %llu were "
                               "written",
                               key, (unsigned long long)bytes,
                               (unsigned long long)r->objects[i].bytes);
        }
    }
    return MST_OK;
}

enum mst_rc close_backup(struct run *r, struct mst_err *err)
{
    struct mst_commit c = {0};

    if (check_objects(r, err) != MST_OK) {
        return err->rc;
    }
    run_at(r, "manifest");
    mst_task_phase(r->outer, "writing the manifest");
    if (write_manifest(r, "manifest", &c, err) != MST_OK || copy_manifest(r, &c, err) != MST_OK) {
        return err->rc;
    }
    run_at(r, "header");
    if ((r->h.sealed && write_sums(r, err) != MST_OK) || write_header(r, &c, err) != MST_OK) {
        return err->rc;
    }
    run_at(r, "commit");
    if (run_stopped(r)) {
        return mst_task_check(&r->task, err);
    }
    return write_commit(r, &c, err);
}
