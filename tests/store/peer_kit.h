/* peer_kit.h: what the proofs of the S3 driver share: a store over a server of the tests, an object
 * of any size, and what is in the server afterwards. */
#ifndef PEER_KIT_H
#define PEER_KIT_H

#include "test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "realstore.h"
#include "s3d.h"
#include "store/s3.h"

struct kit_login {
    char access[64], secret[64], token[64];
    char fresh_token[64]; /* from the first refusal on */
    unsigned asked, fresh;
};

static enum mst_rc kit_log_in(void *arg, bool fresh, struct mst_login *out, struct mst_task *task,
                              struct mst_err *err)
{
    struct kit_login *l = arg;

    (void)task;
    (void)err;
    l->asked++;
    if (fresh) {
        l->fresh++;
        (void)mst_copy(l->token, sizeof(l->token), l->fresh_token);
    }
    (void)mst_copy(out->access_key, sizeof(out->access_key), l->access);
    mst_secret_set(&out->secret, l->secret, strlen(l->secret));
    if (l->token[0]) {
        mst_secret_set(&out->token, l->token, strlen(l->token));
    }
    (void)mst_copy(out->from, sizeof(out->from), "the test");
    return MST_OK;
}

static struct kit_login kit_login_;

/* What a test wants differently goes into conf; the rest is filled in. */
static inline struct mst_store *kit_open(const char *endpoint, const char *bucket,
                                         const char *access, const char *secret, const char *region,
                                         struct mst_s3_conf conf)
{
    struct mst_err err = {0};
    struct mst_store *s = NULL;

    memset(&kit_login_, 0, sizeof(kit_login_));
    (void)mst_copy(kit_login_.access, sizeof(kit_login_.access), access);
    (void)mst_copy(kit_login_.secret, sizeof(kit_login_.secret), secret);
    conf.name = "offsite";
    conf.endpoint = conf.endpoint ? conf.endpoint : endpoint;
    conf.bucket = conf.bucket ? conf.bucket : bucket;
    conf.region = conf.region ? conf.region : region;
    conf.profile = conf.profile ? conf.profile : "minio";
    conf.plain = true;
    conf.write = true;
    conf.part_bytes = conf.part_bytes ? conf.part_bytes : MST_S3_PART_MIN;
    conf.stall_ms = conf.stall_ms ? conf.stall_ms : 5000;
    conf.login = kit_log_in;
    conf.login_arg = &kit_login_;
    assert_ok(mst_store_s3_open(&conf, &s, &err), &err);
    return s;
}

static inline struct mst_store *kit_open_real(const struct realstore *r, struct mst_s3_conf conf)
{
    return kit_open(r->endpoint, REAL_BUCKET, REAL_ACCESS, REAL_SECRET, REAL_REGION, conf);
}

/* Bytes that differ at every place where something could be swapped; caller frees. */
static inline uint8_t *kit_bytes(size_t n, uint32_t seed)
{
    uint8_t *p = mst_xmalloc(n ? n : 1);

    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525U + 1013904223U;
        p[i] = (uint8_t)(seed >> 24);
    }
    return p;
}

/* A put in pieces, as a backup does it. */
static inline enum mst_rc kit_put(struct mst_store *s, const char *key, const uint8_t *p, size_t n,
                                  struct mst_err *err)
{
    struct mst_store_put *put = NULL;

    if (mst_store_put_begin(s, key, &put, err) != MST_OK) {
        return err->rc;
    }
    for (size_t at = 0; at < n;) {
        const size_t piece = n - at < 1000003 ? n - at : 1000003;

        if (mst_store_put_add(put, p + at, piece, err) != MST_OK) {
            mst_store_put_abort_take(put);
            return err->rc;
        }
        at += piece;
    }
    return mst_store_put_finish_take(put, err);
}

/* Reads it all, in pieces; true when it is exactly p. */
static inline bool kit_same(struct mst_store *s, const char *key, const uint8_t *p, size_t n,
                            struct mst_err *err)
{
    uint8_t *buf = mst_xmalloc(3U << 20);
    uint64_t at = 0;
    size_t got = 0;
    bool same = true;

    do {
        if (mst_store_read(s, key, at, buf, 3U << 20, &got, err) != MST_OK) {
            same = false;
            break;
        }
        same = same && at + got <= n && memcmp(buf, p + at, got) == 0;
        at += got;
    } while (got > 0);
    free(buf);
    return same && at == n;
}

struct kit_count {
    size_t n;
    struct mst_str keys;
    size_t most; /* stop after so many; 0: never */
};

static inline bool kit_count_item(void *arg, const struct mst_store_item *item)
{
    struct kit_count *c = arg;

    c->n++;
    mst_str_addf(&c->keys, "%s\n", item->key);
    return c->most == 0 || c->n < c->most;
}

static inline bool kit_count_upload(void *arg, const struct mst_store_upload *u)
{
    struct kit_count *c = arg;

    c->n++;
    mst_str_addf(&c->keys, "%s\n", u->key);
    return true;
}

static inline size_t kit_uploads(struct mst_store *s)
{
    struct kit_count c = {0};
    struct mst_err err = {0};

    assert_ok(mst_store_uploads(s, "", kit_count_upload, &c, NULL, &err), &err);
    mst_str_release(&c.keys);
    return c.n;
}

#endif
