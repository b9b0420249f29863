/* What a COMMIT says about the one before it, in the store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/catalog.h"

struct before { /* the newest id below a limit that has a COMMIT */
    size_t skip;
    const char *limit;
    char id[MST_ID_MAX];
};

static bool see_commit(void *arg, const struct mst_store_item *item)
{
    struct before *b = arg;
    const char *id = item->key + b->skip;
    char name[MST_ID_MAX];

    if (strlen(item->key) <= b->skip + 26 || strcmp(id + 25, "/COMMIT") != 0) {
        return true;
    }
    memcpy(name, id, 25);
    name[25] = '\0';
    if (mst_catalog_id_ok(name, NULL, NULL) && strcmp(name, b->limit) < 0 &&
        strcmp(name, b->id) > 0) {
        (void)mst_copy(b->id, sizeof(b->id), name);
    }
    return true;
}

enum mst_rc mst_catalog_before(const struct mst_catalog *c, const char *id, struct mst_task *task,
                               char sha[MST_SHA256_HEX], uint64_t *counter, struct mst_err *err)
{
    struct before b = {.limit = id};
    struct mst_commit commit = {0};
    struct mst_buf buf = {0};
    uint8_t digest[MST_SHA256_LEN];
    char prefix[MST_KEY_MAX], key[MST_KEY_MAX];
    enum mst_rc rc;

    sha[0] = '\0';
    *counter = 0;
    (void)snprintf(prefix, sizeof(prefix), "%s/backups", c->base);
    b.skip = strlen(prefix) + 1;
    rc = mst_store_list(c->store, prefix, see_commit, &b, task, err);
    if (rc != MST_OK || !*b.id) {
        return rc;
    }
    mst_catalog_key(c, b.id, "", "COMMIT", key);
    rc = mst_store_read_all(c->store, key, MST_HEADER_MAX, &buf, err);
    if (rc == MST_OK) {
        struct mst_err ignore = {0};

        mst_sha256_of(buf.p, buf.len, digest);
        (void)mst_hex(digest, sizeof(digest), sha);
        if (mst_commit_get((const char *)buf.p, buf.len, &commit, &ignore) == MST_OK) {
            *counter = commit.counter;
        }
    }
    mst_buf_release(&buf);
    return rc;
}

enum mst_rc mst_catalog_chain(const struct mst_catalog *c, const char *id, struct mst_task *task,
                              char out[200], struct mst_err *err)
{
    struct mst_backup *all;
    size_t n;

    out[0] = '\0';
    if (mst_catalog_list(c, task, &all, &n, err) != MST_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i].id, id) == 0) {
            (void)mst_copy(out, 200, all[i].chain);
        }
    }
    free(all);
    return MST_OK;
}
