/* A sealed backup is read by somebody who has no key for it: nothing is opened, every stored byte
 * is hashed. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "catalog/sums.h"
#include "catalog/verify_inner.h"

struct stored {
    const struct mst_catalog *c;
    const struct mst_bkr *r;
    struct mst_task *task;
    struct mst_verify_result *res;
};

static enum mst_rc check_line(void *arg, const char *name, const uint8_t sha[MST_SHA256_LEN],
                              struct mst_err *err)
{
    struct stored *s = arg;
    const struct mst_header *h = mst_bkr_header(s->r);
    uint8_t have[MST_SHA256_LEN];
    char key[MST_KEY_MAX];
    uint64_t bytes = 0;
    enum mst_rc rc;

    mst_task_phase(s->task, "hashing %s", name);
    mst_catalog_key(s->c, h->id, h->attempt, name, key);
    rc = mst_stored_hash(s->c->store, key, s->task, have, &bytes, err);
    if (rc == MST_OK && memcmp(have, sha, sizeof(have)) != 0) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "its SHA-256 is not the one in sums");
    }
    s->res->stored_bytes += bytes;
    s->res->objects++;
    mst_task_item_done(s->task);
    return verify_note(s->res, s->task, name, rc, err);
}

static enum mst_rc check_all(struct stored *s, struct mst_err *err)
{
    static const char *const copies[] = {"manifest", "manifest.copy"};
    const struct mst_header *h = mst_bkr_header(s->r);
    struct mst_buf sums = {0};
    enum mst_rc rc = mst_sums_read(s->c, s->r, &sums, err);

    if (rc == MST_OK) {
        rc = mst_sums_each((const char *)sums.p, sums.len, check_line, s, err);
    }
    mst_buf_release(&sums);
    rc = verify_note(s->res, s->task, "sums", rc, err);
    if (rc == MST_OK && s->res->n_findings == 0 &&
        (s->res->objects != h->objects || s->res->stored_bytes != h->stored_bytes)) {
        verify_finding(s->res, s->task,
                       "sums names %llu %s with %llu bytes, the header %u with %llu",
                       (unsigned long long)s->res->objects,
                       mst_text_noun(s->res->objects, "object", "objects"),
                       (unsigned long long)s->res->stored_bytes, h->objects,
                       (unsigned long long)h->stored_bytes);
    }
    for (size_t i = 0; rc == MST_OK && i < MST_COUNT(copies); i++) {
        rc = mst_stored_manifest(s->c, s->r, copies[i], s->task, err);
        rc = verify_note(s->res, s->task, copies[i], rc, err);
    }
    return rc;
}

enum mst_rc verify_unopened(const struct mst_catalog *c, const struct mst_verify_opts *o,
                            const char *why, struct mst_task *task, struct mst_verify_result *res,
                            struct mst_err *err)
{
    struct stored s = {.c = c, .task = task, .res = res};
    struct mst_bkr *r = NULL;
    char size[MST_HUMAN_MAX];
    enum mst_rc rc = mst_bkr_open_clear(c, o->id, task, &r, err);

    if (rc != MST_OK) {
        return rc;
    }
    s.r = r;
    (void)mst_copy(res->id, sizeof(res->id), mst_bkr_header(r)->id);
    mst_task_items(task, mst_bkr_header(r)->objects);
    mst_task_log(task, "not opened: %s", why);
    rc = check_all(&s, err);
    rc = rc == MST_OK ? verify_signature(c, r, task, res, err) : rc;
    rc = rc == MST_OK ? verify_around(c, r, task, res, err) : rc;
    if (rc == MST_OK) {
        res->level = 1;
        res->ok = res->n_findings == 0;
        (void)snprintf(res->text, sizeof(res->text),
                       "every stored byte of %llu %s (%s) hashed, but not opened: %.110s",
                       (unsigned long long)res->objects,
                       mst_text_noun(res->objects, "object", "objects"),
                       mst_text_bytes(res->stored_bytes, size), why);
        rc = verify_conclude(c, o, mst_bkr_commit(r), res, err);
    }
    mst_bkr_free(r);
    return rc;
}
