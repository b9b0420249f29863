/* The file system of the store is full at each step of a backup: it fails with a sentence that says
 * so, nothing counts as a backup, and what it left can be removed. */
#include "test.h"

#include "backup_kit.h"
#include "smallfs.h"

struct full {
    char dir[96];
    const char *point;
    bool hit;
};

static void fill_at(void *arg, const char *point)
{
    struct full *f = arg;

    if (strcmp(point, f->point) == 0) {
        f->hit = true;
        small_fill(f->dir);
    }
}

static void at_each_step_it_fails_and_leaves_nothing_that_counts(void **state)
{
    static const char *const points[] = {"tail",    "list",     "scan",   "end",
                                         "objects", "manifest", "header", "commit"};
    struct keep k;
    struct full f = {.dir = ""};
    struct mst_store *small = NULL, *large;
    struct mst_backup b;
    uint64_t removed = 0;

    (void)state;
    if (!small_may) {
        skip();
    }
    keep_start(&k, (struct sbx_opts){.fast = true, .seed = 7});
    keep_insert(&k, "shop", "a", 0, 2000, 100);
    keep_settle(&k);
    (void)snprintf(f.dir, sizeof(f.dir), "%s/small", k.dir);
    assert_int_equal(mkdir(f.dir, 0700), 0);
    small_mount(f.dir, 4096);
    assert_ok(mst_store_local_open("vault", f.dir, true, &small, &k.err), &k.err);
    assert_ok(mst_catalog_init(&k.catalog, small, "", "rs0", &k.err), &k.err);
    large = k.store;
    k.store = small;
    k.o.at = fill_at;
    k.o.at_arg = &f;
    for (size_t i = 0; i < MST_COUNT(points); i++) {
        f.point = points[i];
        f.hit = false;
        assert_rc(keep_backup(&k), MST_E_IO, &k.err);
        assert_true(f.hit);
        assert_false(k.res.committed);
        if (!strstr(k.err.msg, "the store vault (") || !strstr(k.err.msg, "make room there")) {
            fail_msg("full at %s: %s", points[i], k.err.msg);
        }
        small_free(f.dir);
        assert_rc(mst_catalog_find(&k.catalog, "latest", NULL, &b, &k.err), MST_E_NOTFOUND, &k.err);
        if (keep_listed(&k, &b) == MST_BK_INCOMPLETE) {
            assert_ok(mst_catalog_clean(&k.catalog, b.id, NULL, &removed, &k.err), &k.err);
        }
        assert_int_equal(keep_listed(&k, NULL), -1);
    }
    f.point = "none";
    assert_ok(keep_backup(&k), &k.err);
    keep_verify(&k);
    k.store = large;
    mst_store_free(small);
    small_unmount(f.dir);
    keep_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_each_step_it_fails_and_leaves_nothing_that_counts),
    };
    small_init();
    return cmocka_run_group_tests_name("full store", tests, NULL, NULL);
}
