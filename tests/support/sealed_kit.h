/* sealed_kit.h: small backups that are sealed and signed, and hands that harm them in the store. */
#ifndef SEALED_KIT_H
#define SEALED_KIT_H

#include "test.h"

#include "fake_backup.h"

#define FIRST "2026-11-22T22-30-00Z-full"
#define SECOND "2026-11-23T22-30-00Z-full"
#define CHEAP 10 /* log2 of the cost of a passphrase in tests */

struct fix {
    char dir[64];
    struct mst_store *s;
    struct fake f;
    struct mst_readers readers;
    struct mst_identity ops, other;
    struct mst_sign_key signer, stranger;
    struct mst_trust trust;
    struct mst_key_means means;
    struct mst_secret phrase;
};

static inline enum mst_rc unlock(void *arg, const struct mst_key_object *k,
                                 struct mst_data_key *out, struct mst_err *err)
{
    return mst_key_object_open(k, arg, out, err);
}

static inline void open_up(struct fix *x, const char *set)
{
    struct mst_err err = {0};

    assert_ok(mst_catalog_init(&x->f.c, x->s, "pre/fix", set, &err), &err);
    x->f.c.trust = &x->trust;
    x->f.c.signer = &x->signer;
    x->f.c.unlock = unlock;
    x->f.c.unlock_arg = &x->means;
    x->f.readers = &x->readers;
}

static inline int setup(void **state)
{
    struct fix *x = mst_xcalloc(1, sizeof(*x));
    struct mst_err err = {0};

    (void)mst_copy(x->dir, sizeof(x->dir), "/tmp/muster-sealed-XXXXXX");
    if (!mkdtemp(x->dir) || mst_store_local_open("vault", x->dir, true, &x->s, &err) != MST_OK ||
        mst_identity_new(&x->ops, &err) != MST_OK || mst_identity_new(&x->other, &err) != MST_OK ||
        mst_sign_key_new(&x->signer, &err) != MST_OK ||
        mst_sign_key_new(&x->stranger, &err) != MST_OK ||
        mst_trust_add(&x->trust, x->signer.pub, "db1", &err) != MST_OK) {
        return -1;
    }
    mst_secret_set(&x->phrase, "nine angry cats", 15);
    x->readers.n = 1;
    memcpy(x->readers.to[0].pub, x->ops.pub, MST_RECIPIENT_LEN);
    (void)mst_copy(x->readers.to[0].label, sizeof(x->readers.to[0].label), "ops");
    x->means.identity = &x->ops;
    open_up(x, "rs0");
    (void)mst_copy(x->f.id, sizeof(x->f.id), FIRST);
    x->f.counter = 1;
    *state = x;
    return 0;
}

static inline int setup_made(void **state)
{
    struct mst_err err = {0};

    return setup(state) || fake_make(&((struct fix *)*state)->f, &err) != MST_OK ? -1 : 0;
}

/* And a second one behind it. */
static inline int setup_two(void **state)
{
    struct mst_err err = {0};
    struct fix *x;

    if (setup_made(state)) {
        return -1;
    }
    x = *state;
    (void)mst_copy(x->f.previous, sizeof(x->f.previous), x->f.sha_commit);
    (void)mst_copy(x->f.id, sizeof(x->f.id), SECOND);
    x->f.counter = 2;
    return fake_make(&x->f, &err) == MST_OK ? 0 : -1;
}

static inline int teardown(void **state)
{
    struct fix *x = *state;

    mst_identity_release(&x->ops);
    mst_identity_release(&x->other);
    mst_sign_key_release(&x->signer);
    mst_sign_key_release(&x->stranger);
    mst_secret_release(&x->phrase);
    mst_store_free(x->s);
    fake_rm(x->dir);
    free(x);
    return 0;
}

static inline struct mst_backup listed(struct fix *x, const char *id)
{
    struct mst_err err = {0};
    struct mst_backup *all, one = {0};
    size_t n;

    assert_ok(mst_catalog_list(&x->f.c, NULL, &all, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i].id, id) == 0) {
            one = all[i];
        }
    }
    free(all);
    assert_string_equal(one.id, id);
    return one;
}

static inline enum mst_rc verify(struct fix *x, const char *id, struct mst_verify_result *res,
                                 struct mst_err *err)
{
    const struct mst_verify_opts o = {.id = id, .mark = true, .by = "eva"};

    memset(err, 0, sizeof(*err));
    return mst_verify_run(&x->f.c, &o, NULL, res, err);
}

static inline void path_of(const struct fix *x, const char *id, const char *attempt,
                           const char *name, char out[MST_KEY_MAX + 64])
{
    char key[MST_KEY_MAX];

    mst_catalog_key(&x->f.c, id, attempt, name, key);
    (void)snprintf(out, MST_KEY_MAX + 64, "%s/%s", x->dir, key);
}

static inline void key_path(const struct fix *x, const char *id, unsigned n,
                            char out[MST_KEY_MAX + 64])
{
    char key[MST_KEY_MAX];

    mst_keys_key(&x->f.c, id, FAKE_ATTEMPT, n, key);
    (void)snprintf(out, MST_KEY_MAX + 64, "%s/%s", x->dir, key);
}

static inline void slurp(const char *path, struct mst_buf *out)
{
    uint8_t b[4096];
    size_t n;
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    mst_buf_reset(out);
    while ((n = fread(b, 1, sizeof(b), f)) > 0) {
        mst_buf_add(out, b, n);
    }
    (void)fclose(f);
}

static inline void spill(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static inline void flip(const char *path, size_t at)
{
    struct mst_buf b = {0};

    slurp(path, &b);
    b.p[at < b.len ? at : b.len / 2] ^= 4;
    spill(path, b.p, b.len);
    mst_buf_release(&b);
}

static inline void swap(const char *a, const char *b)
{
    char tmp[MST_KEY_MAX + 80];

    (void)snprintf(tmp, sizeof(tmp), "%s.swap", a);
    assert_int_equal(rename(a, tmp), 0);
    assert_int_equal(rename(b, a), 0);
    assert_int_equal(rename(tmp, b), 0);
}

static inline void copy(const char *from, const char *to)
{
    struct mst_buf b = {0};

    slurp(from, &b);
    spill(to, b.p, b.len);
    mst_buf_release(&b);
}

#define MADE(f) cmocka_unit_test_setup_teardown(f, setup_made, teardown)
#define TWO(f) cmocka_unit_test_setup_teardown(f, setup_two, teardown)
#define BARE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
