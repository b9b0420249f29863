/* What a COMMIT says about the one before it, in the store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/catalog.h"

#define LOOK_AT 64U /* COMMITs that are read for one that is believed */

struct ids { /* below a limit, with a COMMIT; they rise */
    size_t skip;
    const char *limit;
    char (*v)[MST_ID_MAX];
    size_t n, cap;
};

static bool see_commit(void *arg, const struct mst_store_item *item)
{
    struct ids *b = arg;
    const char *id = item->key + b->skip;
    char name[MST_ID_MAX];

    if (strlen(item->key) <= b->skip + 26 || strcmp(id + 25, "/COMMIT") != 0) {
        return true;
    }
    memcpy(name, id, 25);
    name[25] = '\0';
    if (mst_catalog_id_ok(name, NULL, NULL) && strcmp(name, b->limit) < 0) {
        mst_grow((void **)&b->v, &b->cap, b->n + 1, sizeof(*b->v));
        (void)mst_copy(b->v[b->n++], sizeof(*b->v), name);
    }
    return true;
}

/* A damaged or forged COMMIT is none (*take false); one that nobody signed is a makeshift. */
static enum mst_rc look(const struct mst_catalog *c, const char *id, struct mst_before *out,
                        bool *take, bool *good, struct mst_err *err)
{
    struct mst_commit commit = {0};
    struct mst_judgement j;
    struct mst_err bad = {0};
    struct mst_buf buf = {0};
    uint8_t digest[MST_SHA256_LEN];
    char key[MST_KEY_MAX];
    enum mst_rc rc;

    *take = *good = false;
    mst_catalog_key(c, id, "", "COMMIT", key);
    rc = mst_store_read_all(c->store, key, MST_HEADER_MAX, &buf, err);
    if (rc == MST_OK && mst_commit_get((const char *)buf.p, buf.len, &commit, &bad) == MST_OK &&
        strcmp(commit.id, id) == 0) {
        mst_trust_judge(c->trust, (const char *)buf.p, buf.len, commit.signer, commit.signature,
                        &j);
        *take = j.how != MST_SIGNED_FORGED;
        *good = j.how == MST_SIGNED_GOOD || !c->trust || c->trust->n == 0;
        mst_sha256_of(buf.p, buf.len, digest);
        (void)mst_copy(out->id, sizeof(out->id), id);
        (void)mst_hex(digest, sizeof(digest), out->sha);
        out->counter = *good ? commit.counter : 0;
    }
    mst_buf_release(&buf);
    out->asleep = rc == MST_E_PRECOND;
    if (rc == MST_E_NOTFOUND || rc == MST_E_LIMIT || rc == MST_E_PRECOND) {
        memset(err, 0, sizeof(*err));
        rc = MST_OK;
    }
    return rc;
}

enum mst_rc mst_catalog_before(const struct mst_catalog *c, const char *id, struct mst_task *task,
                               struct mst_before *out, struct mst_err *err)
{
    struct ids b = {.limit = id};
    char prefix[MST_KEY_MAX];
    bool good = false, asleep = false;
    enum mst_rc rc;

    memset(out, 0, sizeof(*out));
    (void)snprintf(prefix, sizeof(prefix), "%s/backups", c->base);
    b.skip = strlen(prefix) + 1;
    rc = mst_store_list(c->store, prefix, see_commit, &b, task, err);
    for (size_t i = 0; rc == MST_OK && i < b.n && i < LOOK_AT && !good; i++) {
        struct mst_before one = {0};
        bool take;

        rc = look(c, b.v[b.n - 1 - i], &one, &take, &good, err);
        asleep = asleep || one.asleep;
        if (take && (good || !*out->id)) {
            *out = one;
        }
    }
    out->asleep = asleep;
    free(b.v);
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
