/* kill -9 of the process that copies into a bucket or removes from it, at every request that
 * changes it: a copy goes on where it was or leaves nothing, what was half removed is removed, and
 * the other backups are what they were. */
#include "bucket_kit.h"

static int bucket(void **state)
{
    *state = sweep_new(FAR_S3, 0, true);
    return 0;
}

static int directory_only(void **state)
{
    *state = sweep_new(FAR_S3, 0, false);
    return 0;
}

static int google(void **state)
{
    *state = sweep_new(FAR_GCS, 40, true);
    return 0;
}

static int google_empty(void **state)
{
    *state = sweep_new(FAR_GCS, 40, false);
    return 0;
}

static int one_by_one(void **state)
{
    *state = sweep_new(FAR_NO_BATCH, 0, true);
    return 0;
}

static int end(void **state)
{
    sweep_free(*state);
    return 0;
}

/* --- a copy --- */

/* Until the target is whole again by the same command, or is given up. */
static void look_at_copy(struct sweep *w, bool go_on)
{
    struct keys now;
    char id[MST_ID_MAX];

    if (go_on) {
        assert_false(act_in_child(w, "copy", w->first, NULL));
    }
    place_open(w, &w->far);
    what_is_listed(w, &w->far, id);
    if (go_on || *id) {
        assert_string_equal(id, w->first);
        reads_back(&w->far, id);
    }
    orphans_removed(&w->far);
    place_keys(&w->far, &now);
    assert_int_equal(far_uploads(&w->srv), 0);
    assert_true(now.n == 0 || (*id && now.n >= w->per_backup - 1 && now.n <= w->per_backup + 1));
    keys_release(&now);
    place_back(&w->far);
    place_close(&w->far);
}

/* The source loses nothing by it and gains only marks. */
static void source_is_as_before(struct sweep *w)
{
    struct keys now;

    place_open(w, &w->near);
    reads_back(&w->near, w->first);
    place_keys(&w->near, &now);
    for (size_t i = 0; i < now.n; i++) {
        if (!keys_has(&w->near.base, now.v[i]) && !strstr(now.v[i], "/marks/")) {
            fail_msg("%s is left in near", now.v[i]);
        }
    }
    keys_release(&now);
    place_back(&w->near);
    place_close(&w->near);
}

static void a_copy_that_dies_goes_on_or_leaves_nothing(void **state)
{
    struct sweep *w = *state;
    unsigned n = 1;

    for (bool killed = true; killed; n++) {
        for (size_t i = far_only_after(&w->srv); i < 2 && killed; i++) {
            const struct death d = {.nth = n, .after = i};

            killed = act_in_child(w, "copy", w->first, &d);
            look_at_copy(w, i == n % 2); /* each of the two in both ways, at every other request */
            source_is_as_before(w);
        }
    }
    print_message("    copy: %u deaths at %u requests\n", w->kills, n - 2);
    assert_true(w->kills >= 9);
    assert_false(act_in_child(w, "copy", w->first, NULL));
    place_open(w, &w->far);
    restores(w, &w->far, w->first);
    place_close(&w->far);
}

/* --- what removes ----------------------------------------------------------------------------- */

struct snap { /* what a dead run left: put back as often as it is wanted */
    struct keys keys;
    unsigned char *data[KEYS_MAX];
    size_t len[KEYS_MAX];
    char id[MST_ID_MAX];
};

/* A backup that died before its header. */
static void snap_make(struct sweep *w, struct snap *s)
{
    const struct death d = {.key = "/header"};
    struct mst_backup *all;
    struct mst_err err = {0};
    size_t n;

    assert_true(act_in_child(w, "far", "", &d));
    place_open(w, &w->far);
    assert_ok(mst_catalog_list(&w->far.c, NULL, &all, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_int_equal(all[0].state, MST_BK_INCOMPLETE);
    (void)mst_copy(s->id, sizeof(s->id), all[0].id);
    free(all);
    place_keys(&w->far, &s->keys);
    for (size_t i = 0; i < s->keys.n; i++) {
        char *key = mst_xasprintf("site/%s", s->keys.v[i]);

        s->data[i] = far_get(&w->srv, key, &s->len[i]);
        assert_non_null(s->data[i]);
        free(key);
    }
    place_close(&w->far);
}

static void snap_put(struct sweep *w, const struct snap *s)
{
    for (size_t i = 0; i < s->keys.n; i++) {
        char *key = mst_xasprintf("site/%s", s->keys.v[i]);

        far_put(&w->srv, key, s->data[i], s->len[i]);
        free(key);
    }
    far_orphan(&w->srv, "site/rs0/backups/2020-01-01T00-00-00Z-full/0123456789abcdef/d/0000-0");
}

static void snap_release(struct snap *s)
{
    for (size_t i = 0; i < s->keys.n; i++) {
        free(s->data[i]);
    }
    keys_release(&s->keys);
}

/* Half removed is no backup; the same once more, and orphans, and it was never there. */
static void what_removes_dies(struct sweep *w, const char *act)
{
    struct snap *s = mst_xcalloc(1, sizeof(*s));
    char none[MST_ID_MAX];
    unsigned n = 1;

    snap_make(w, s);
    w->kills = 0;
    for (bool killed = true; killed; n++) {
        for (size_t i = far_only_after(&w->srv); i < 2 && killed; i++) {
            const struct death d = {.nth = n, .after = i};

            snap_put(w, s);
            killed = act_in_child(w, act, s->id, &d);
            place_open(w, &w->far);
            what_is_listed(w, &w->far, none);
            assert_string_equal(none, "");
            place_close(&w->far);
            assert_false(act_in_child(w, act, s->id, NULL));
            place_open(w, &w->far);
            orphans_removed(&w->far);
            (void)only_whole_backups(w, &w->far, none);
            reads_back(&w->far, w->first);
            place_close(&w->far);
        }
    }
    print_message("    %s: %u deaths at %u requests\n", act, w->kills, n - 2);
    /* One request removes up to a thousand objects, where the store has such a one. */
    assert_true(w->kills >= (w->srv.kind == FAR_S3 ? 4 : s->keys.n - w->far.base.n));
    snap_release(s);
    free(s);
}

static void a_clean_that_dies_goes_on(void **state)
{
    what_removes_dies(*state, "clean");
}

static void a_sweep_of_orphans_that_dies_goes_on(void **state)
{
    what_removes_dies(*state, "orphans");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_that_dies_goes_on_or_leaves_nothing, directory_only,
                                        end),
        cmocka_unit_test_setup_teardown(a_clean_that_dies_goes_on, bucket, end),
        cmocka_unit_test_setup_teardown(a_sweep_of_orphans_that_dies_goes_on, bucket, end),
        cmocka_unit_test_setup_teardown(a_clean_that_dies_goes_on, one_by_one, end),
        cmocka_unit_test_setup_teardown(a_sweep_of_orphans_that_dies_goes_on, one_by_one, end),
        cmocka_unit_test_setup_teardown(a_copy_that_dies_goes_on_or_leaves_nothing, google_empty,
                                        end),
        cmocka_unit_test_setup_teardown(a_clean_that_dies_goes_on, google, end),
        cmocka_unit_test_setup_teardown(a_sweep_of_orphans_that_dies_goes_on, google, end),
    };

    if (is_child(argc, argv)) {
        return child((const char *const *)argv + 1);
    }
    mst_mongo_init();
    return cmocka_run_group_tests_name("killed copies", tests, NULL, NULL);
}
