#include "catalog/sums.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define READ_BYTES (1024U * 1024U)
#define HEX (MST_SHA256_HEX - 1)

void mst_sums_put(const struct mst_man_object *objects, size_t n, struct mst_str *out)
{
    char hex[MST_SHA256_HEX];

    for (size_t i = 0; i < n; i++) {
        mst_str_addf(out, "%s  %s\n", mst_hex(objects[i].sha, MST_SHA256_LEN, hex), objects[i].key);
    }
}

enum mst_rc mst_sums_each(const char *text, size_t n, mst_sum_fn *fn, void *arg,
                          struct mst_err *err)
{
    while (n > 0) {
        const char *end = memchr(text, '\n', n);
        const size_t len = end ? (size_t)(end - text) : 0;
        char hex[MST_SHA256_HEX], key[96];
        uint8_t sha[MST_SHA256_LEN];

        if (len < HEX + 3 || len - HEX - 2 >= sizeof(key) || memcmp(text + HEX, "  ", 2) != 0) {
            return mst_err_set(err, MST_E_INTEGRITY, "sums has a line that is not one");
        }
        memcpy(hex, text, HEX);
        hex[HEX] = '\0';
        memcpy(key, text + HEX + 2, len - HEX - 2);
        key[len - HEX - 2] = '\0';
        if (!mst_unhex(hex, sha, sizeof(sha)) || !mst_store_key_ok(key)) {
            return mst_err_set(err, MST_E_INTEGRITY, "sums has a line that is not one");
        }
        if (fn(arg, key, sha, err) != MST_OK) {
            return err->rc;
        }
        text += len + 1;
        n -= len + 1;
    }
    return MST_OK;
}

enum mst_rc mst_sums_read(const struct mst_catalog *c, const struct mst_bkr *r, struct mst_buf *out,
                          struct mst_err *err)
{
    const struct mst_header *h = mst_bkr_header(r);
    uint8_t sha[MST_SHA256_LEN];
    char key[MST_KEY_MAX], hex[MST_SHA256_HEX];

    mst_catalog_key(c, h->id, h->attempt, "sums", key);
    if (mst_store_read_all(c->store, key, MST_SUMS_MAX, out, err) != MST_OK) {
        return err->rc;
    }
    mst_sha256_of(out->p, out->len, sha);
    if (strcmp(mst_hex(sha, sizeof(sha), hex), h->sums_sha) != 0 || out->len != h->sums_bytes) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "its SHA-256 is not the one that the header names (%zu of %llu bytes)",
                           out->len, (unsigned long long)h->sums_bytes);
    }
    return MST_OK;
}

enum mst_rc mst_stored_hash(struct mst_store *store, const char *key, struct mst_task *task,
                            uint8_t sha[MST_SHA256_LEN], uint64_t *bytes, struct mst_err *err)
{
    uint8_t *buf = mst_xmalloc(READ_BYTES);
    struct mst_sha256 h;
    size_t got = READ_BYTES;
    enum mst_rc rc = MST_OK;

    *bytes = 0;
    mst_sha256_init(&h);
    while (rc == MST_OK && got == READ_BYTES) {
        rc = mst_task_check(task, err);
        rc = rc == MST_OK ? mst_store_read(store, key, *bytes, buf, READ_BYTES, &got, err) : rc;
        if (rc == MST_OK) {
            mst_sha256_add(&h, buf, got);
            *bytes += got;
            if (task) {
                atomic_fetch_add(&task->done_bytes, got);
            }
        }
    }
    mst_sha256_final(&h, sha);
    mst_sha256_release(&h);
    free(buf);
    return rc;
}

enum mst_rc mst_stored_manifest(const struct mst_catalog *c, const struct mst_bkr *r,
                                const char *copy, struct mst_task *task, struct mst_err *err)
{
    const struct mst_commit *commit = mst_bkr_commit(r);
    uint8_t sha[MST_SHA256_LEN];
    char key[MST_KEY_MAX], hex[MST_SHA256_HEX];
    uint64_t bytes;

    mst_catalog_key(c, commit->id, commit->attempt, copy, key);
    if (mst_stored_hash(c->store, key, task, sha, &bytes, err) != MST_OK) {
        return err->rc;
    }
    if (strcmp(mst_hex(sha, sizeof(sha), hex), commit->manifest_sha) != 0 ||
        bytes != commit->manifest_bytes) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "the manifest's SHA-256 is not the one that COMMIT names");
    }
    return MST_OK;
}
