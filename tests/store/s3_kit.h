/* s3_kit.h: the S3 driver before the scripted server. */
#ifndef TEST_S3_KIT_H
#define TEST_S3_KIT_H

#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conc/thread.h"
#include "s3d.h"
#include "store/s3.h"

#define KIT_PREFIX "site/rs0"
#define KIT_PART ((size_t)5 * 1024 * 1024)

struct kit {
    struct s3d *srv;
    struct mst_store *store;
    struct mst_err err;
    const char *access, *secret, *token; /* what signs; NULL: the server's */
    const char *fresh_token;             /* given when a fresh one is asked for */
    unsigned fresh_asked;
};

static inline enum mst_rc kit_login(void *arg, bool fresh, struct mst_login *out,
                                    struct mst_task *task, struct mst_err *err)
{
    struct kit *k = arg;
    const char *secret = k->secret ? k->secret : S3D_SECRET;

    (void)task;
    (void)err;
    if (fresh) {
        k->fresh_asked++;
        k->token = k->fresh_token ? k->fresh_token : k->token;
    }
    (void)mst_copy(out->access_key, sizeof(out->access_key), k->access ? k->access : S3D_ACCESS);
    mst_secret_set(&out->secret, secret, strlen(secret));
    if (k->token) {
        mst_secret_set(&out->token, k->token, strlen(k->token));
    }
    return MST_OK;
}

static inline struct mst_s3_conf kit_conf(struct kit *k)
{
    return (struct mst_s3_conf){.name = "far",
                                .profile = "versitygw",
                                .endpoint = k->srv ? s3d_endpoint(k->srv) : NULL,
                                .region = S3D_REGION,
                                .bucket = S3D_BUCKET_NAME,
                                .prefix = KIT_PREFIX,
                                .plain = true,
                                .write = true,
                                .part_bytes = KIT_PART,
                                .stall_ms = 600,
                                .wait_ms = 6000,
                                .login = kit_login,
                                .login_arg = k};
}

static inline void kit_start(struct kit *k, const struct s3d_opts *o)
{
    memset(k, 0, sizeof(*k));
    k->srv = s3d_start(o);
}

static inline void kit_open_as(struct kit *k, const struct mst_s3_conf *conf)
{
    assert_ok(mst_store_s3_open(conf, &k->store, &k->err), &k->err);
}

/* Server and store, and the store's questions answered already. */
static inline void kit_open(struct kit *k, const struct s3d_opts *o)
{
    struct mst_s3_conf conf;

    kit_start(k, o);
    conf = kit_conf(k);
    kit_open_as(k, &conf);
    assert_ok(mst_store_probe(k->store, NULL, &k->err), &k->err);
    s3d_complaints_reset(k->srv); /* its false checksum was one */
    s3d_count_reset(k->srv);
}

static inline void kit_no_complaints(struct kit *k)
{
    struct mst_str all = {0};

    s3d_complaints(k->srv, &all);
    if (all.len > 0) {
        fail_msg("the server complains: %s", mst_str_c(&all));
    }
    mst_str_release(&all);
}

static inline void kit_close(struct kit *k)
{
    mst_store_free(k->store);
    s3d_stop(k->srv);
}

static inline void kit_fault(struct kit *k, enum s3d_what what, enum s3d_kind kind, unsigned times)
{
    const struct s3d_fault f = {.what = what, .kind = kind, .times = times};

    s3d_plan(k->srv, &f);
}

static inline void kit_status(struct kit *k, enum s3d_kind kind, int status, const char *code,
                              unsigned times)
{
    const struct s3d_fault f = {
        .what = S3D_STATUS, .kind = kind, .status = status, .code = code, .times = times};

    s3d_plan(k->srv, &f);
}

/* Bytes that are not the same anywhere. */
static inline unsigned char *kit_bytes(size_t n, unsigned seed)
{
    unsigned char *p = mst_xmalloc(n + 1);
    uint64_t x = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;

    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        p[i] = (unsigned char)x;
    }
    return p;
}

static inline enum mst_rc kit_put(struct mst_store *s, const char *key, const void *p, size_t n,
                                  struct mst_err *err)
{
    struct mst_store_put *put;
    const char *from = p;

    if (mst_store_put_begin(s, key, &put, err) != MST_OK) {
        return err->rc;
    }
    for (size_t at = 0; at < n; at += (size_t)1 << 20) {
        const size_t now = n - at < (size_t)1 << 20 ? n - at : (size_t)1 << 20;

        if (mst_store_put_add(put, from + at, now, err) != MST_OK) {
            mst_store_put_abort_take(put);
            return err->rc;
        }
    }
    return mst_store_put_finish_take(put, err);
}

static inline void kit_holds(struct kit *k, const char *key, const void *p, size_t n)
{
    char full[MST_KEY_MAX];
    unsigned char *have;
    size_t have_n = 0;

    (void)snprintf(full, sizeof(full), KIT_PREFIX "/%.300s", key);
    have = s3d_get(k->srv, full, &have_n);
    assert_non_null(have);
    assert_int_equal(have_n, n);
    assert_memory_equal(have, p, n);
    free(have);
}

#endif
