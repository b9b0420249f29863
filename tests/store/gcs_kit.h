/* gcs_kit.h: a store at the scripted Google Cloud Storage. Included once by a test program. */
#ifndef TEST_GCS_KIT_H
#define TEST_GCS_KIT_H

#include "test.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "gcsd.h"
#include "store/gcs.h"

#define KIT_BUCKET "backups-of-rs0"
#define KIT_CHUNK ((size_t)256 * 1024)

struct kit {
    struct gcsd *d;
    struct mst_store *s;
    char dir[64];
    unsigned tries;
    bool ask_first;
    const char *region;
};

static struct mst_http_opts kit_http(void)
{
    return (struct mst_http_opts){
        .plain = true, .connect_ms = 2000, .stall_ms = 1000, .connections = 4};
}

static inline char *kit_path(const struct kit *k, const char *name)
{
    return mst_xasprintf("%s/%s", k->dir, name);
}

/* A store with this way to a token; NULL members of a: the token command. */
static inline void kit_open_auth(struct kit *k, struct mst_gauth_opts *a, const char *prefix)
{
    static char argv[2][MST_CFG_WORD] = {"/bin/echo", GCSD_COMMAND_TOKEN};
    const struct mst_cfg_list command = {.n = 2, .item = argv};
    const struct mst_gcs_opts o = {.bucket = KIT_BUCKET,
                                   .prefix = prefix,
                                   .endpoint = gcsd_url(k->d),
                                   .write = true,
                                   .ask_first = k->ask_first,
                                   .region = k->region,
                                   .chunk_bytes = KIT_CHUNK,
                                   .http = kit_http(),
                                   .tries_max = k->tries ? k->tries : 4,
                                   .budget_ms = 20000};
    struct mst_gauth *auth = NULL;
    struct mst_err err = {0};

    a->http = kit_http();
    a->tries_max = 3;
    if (!a->service_account_file && !a->workload_identity_file && !a->metadata) {
        a->token_command = &command;
    }
    assert_ok(mst_gauth_new(a, &auth, &err), &err);
    mst_store_free(k->s);
    assert_ok(mst_store_gcs_open_take("cloud", &o, auth, &k->s, &err), &err);
}

static inline void kit_open(struct kit *k, const char *prefix)
{
    struct mst_gauth_opts a = {0};

    kit_open_auth(k, &a, prefix);
}

static inline int kit_up(void **state)
{
    struct kit *k = mst_xcalloc(1, sizeof(*k));

    (void)mst_copy(k->dir, sizeof(k->dir), "/tmp/muster-gcs-XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    k->d = gcsd_start(KIT_BUCKET, 3);
    kit_open(k, "rs0");
    *state = k;
    return 0;
}

static inline int kit_down(void **state)
{
    static const char *const files[] = {"key.json", "identity.json", "subject"};
    struct kit *k = *state;

    mst_store_free(k->s);
    gcsd_stop(k->d);
    for (size_t i = 0; i < MST_COUNT(files); i++) {
        char *path = kit_path(k, files[i]);

        (void)unlink(path);
        free(path);
    }
    assert_int_equal(rmdir(k->dir), 0);
    free(k);
    return 0;
}

/* Nothing that the client sent was wrong. */
static inline void kit_no_complaints(struct kit *k)
{
    char *text = gcsd_complaints(k->d);

    assert_string_equal(text, "");
    free(text);
}

static uint8_t *kit_data(size_t n, unsigned seed)
{
    uint8_t *p = mst_xmalloc(n ? n : 1);
    uint64_t x = 88172645463325252ULL + seed;

    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        p[i] = (uint8_t)x;
    }
    return p;
}

/* In pieces that fit nothing. */
static enum mst_rc kit_put(struct kit *k, const char *key, const uint8_t *p, size_t n,
                           struct mst_err *err)
{
    struct mst_store_put *put;

    if (mst_store_put_begin(k->s, key, &put, err) != MST_OK) {
        return err->rc;
    }
    for (size_t at = 0; at < n; at += 100003) {
        if (mst_store_put_add(put, p + at, n - at < 100003 ? n - at : 100003, err) != MST_OK) {
            mst_store_put_abort_take(put);
            return err->rc;
        }
    }
    return mst_store_put_finish_take(put, err);
}

static inline void kit_fault(struct kit *k, enum gcsd_kind kind, unsigned nth, unsigned times,
                             enum gcsd_what what)
{
    const struct gcsd_fault f = {
        .kind = kind, .nth = nth, .times = times, .what = what, .ms = 1000};

    gcsd_plan(k->d, &f);
}

#endif
