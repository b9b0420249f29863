/* A backup of a running set, sealed and signed, with every write into the store failed once: what
 * is left reads back whole, or is no backup. */
#include "test.h"

#include "backup_kit.h"
#include "store/fault.h"

#define KINDS 2

struct sealed {
    struct keep k;
    struct mst_identity ops;
    struct mst_sign_key signer;
    struct mst_trust trust;
    struct mst_readers readers;
    struct mst_key_means means;
};

static enum mst_rc unlock(void *arg, const struct mst_key_object *k, struct mst_data_key *out,
                          struct mst_err *err)
{
    return mst_key_object_open(k, arg, out, err);
}

static int setup(void **state)
{
    struct sealed *x = mst_xcalloc(1, sizeof(*x));
    struct mst_err err = {0};

    keep_start(&x->k, (struct sbx_opts){.fast = true, .seed = 7});
    keep_insert(&x->k, "shop", "a", 0, 50, 100);
    keep_settle(&x->k);
    if (mst_identity_new(&x->ops, &err) != MST_OK || mst_sign_key_new(&x->signer, &err) != MST_OK ||
        mst_trust_add(&x->trust, x->signer.pub, "db1", &err) != MST_OK) {
        return -1;
    }
    x->readers.n = 1;
    memcpy(x->readers.to[0].pub, x->ops.pub, MST_RECIPIENT_LEN);
    x->means.identity = &x->ops;
    x->k.catalog.trust = &x->trust;
    x->k.catalog.signer = &x->signer;
    x->k.catalog.unlock = unlock;
    x->k.catalog.unlock_arg = &x->means;
    x->k.o.readers = &x->readers;
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct sealed *x = *state;

    keep_stop(&x->k);
    mst_identity_release(&x->ops);
    mst_sign_key_release(&x->signer);
    free(x);
    return 0;
}

/* What stands in the store after a run that may have failed; removed again. */
static bool whole_or_nothing(struct sealed *x, enum mst_rc made)
{
    const struct mst_verify_opts o = {.id = "latest"};
    struct mst_verify_result res;
    struct mst_backup *all = NULL;
    struct mst_err err = {0};
    char root[128];
    bool whole;
    size_t n;

    assert_ok(mst_catalog_list(&x->k.catalog, NULL, &all, &n, &err), &err);
    assert_true(n <= 1);
    whole = n == 1 && all[0].state == MST_BK_COMPLETE;
    if (whole) {
        assert_ok(mst_verify_run(&x->k.catalog, &o, NULL, &res, &err), &err);
        assert_int_equal(res.level, 2);
        assert_true(all[0].sealed && all[0].is_signed);
    } else {
        assert_true(made != MST_OK);
        assert_true(n == 0 || all[0].state == MST_BK_INCOMPLETE);
    }
    free(all);
    (void)snprintf(root, sizeof(root), "%s/rs0", x->k.dir);
    fake_rm(root);
    return whole;
}

static void every_write_of_a_sealed_backup_may_fail(void **state)
{
    static const enum mst_fault_kind kinds[KINDS] = {MST_FAULT_DEAD, MST_FAULT_LOST};
    struct sealed *x = *state;
    struct mst_store *fault = mst_store_fault_new(x->k.store);
    uint64_t calls, whole = 0;

    x->k.catalog.store = fault;
    mst_store_fault_set(fault, MST_FAULT_NONE, 0, MST_E_IO);
    assert_ok(mst_backup_run(&x->k.o, NULL, &x->k.res, &x->k.err), &x->k.err);
    calls = mst_store_fault_calls(fault);
    x->k.catalog.store = x->k.store;
    assert_true(whole_or_nothing(x, MST_OK));
    assert_true(calls > 20);
    for (uint64_t at = 1; at <= calls; at++) {
        for (size_t i = 0; i < KINDS; i++) {
            struct mst_err err = {0};
            enum mst_rc made;

            mst_store_fault_set(fault, kinds[i], at, MST_E_IO);
            x->k.catalog.store = fault;
            made = mst_backup_run(&x->k.o, NULL, &x->k.res, &err);
            x->k.catalog.store = x->k.store;
            whole += whole_or_nothing(x, made);
        }
    }
    assert_true(whole >= 1); /* a lost reply to COMMIT */
    assert_true(whole < calls);
    mst_store_free(fault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_write_of_a_sealed_backup_may_fail, setup, teardown),
    };

    mst_mongo_init();
    return cmocka_run_group_tests_name("sealed steps", tests, NULL, NULL);
}
