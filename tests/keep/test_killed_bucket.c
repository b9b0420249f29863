/* kill -9 of the process that writes into a bucket, at every request that changes it: before the
 * store has done it, and when it has and nobody hears of it. Afterwards there are the same
 * committed backups, each with the same documents, and nothing else once orphans are removed. */
#include "bucket_kit.h"

static const enum s3d_what deaths[] = {S3D_KILL, S3D_KILL_AFTER};

static int bucket(void **state)
{
    *state = sweep_new(0, true);
    return 0;
}

static int large(void **state)
{
    *state = sweep_new(900, true);
    return 0;
}

static int end(void **state)
{
    sweep_free(*state);
    return 0;
}

/* One store after a death; back to what it was. */
static bool look_at(struct sweep *w, struct place *p)
{
    char id[MST_ID_MAX];

    place_open(w, p);
    what_is_listed(w, p, id);
    if (*id) {
        reads_back(p, id);
        restores(w, p, id);
    }
    orphans_removed(p);
    (void)only_whole_backups(w, p, id);
    place_back(p);
    place_close(p);
    return *id;
}

/* Dies at each request in turn, until it lives. Returns how often a backup was whole all the same.
 * With the directory too, only when the bucket has done it: the other half is half there anyway. */
static unsigned die_everywhere(struct sweep *w, const char *act, bool near)
{
    unsigned whole = 0, n = 1;

    for (bool killed = true; killed; n++) {
        for (size_t i = near; i < MST_COUNT(deaths) && killed; i++) {
            const struct s3d_fault f = {.what = deaths[i], .kind = S3D_CHANGES, .nth = n};

            killed = act_in_child(w, act, "", &f);
            whole += look_at(w, &w->far) && killed;
            if (near) {
                (void)look_at(w, &w->near);
            }
        }
    }
    print_message("    %s: %u deaths at %u requests, %u of them behind COMMIT\n", act, w->kills,
                  n - 2, whole);
    return whole;
}

static void a_backup_that_dies_at_any_request_leaves_nothing_that_counts(void **state)
{
    struct sweep *w = *state;

    assert_int_equal(die_everywhere(w, "far", false), 1);
    assert_true(w->kills >= 18); /* claim, key, two objects, two manifests, sums, header, COMMIT */
    place_open(w, &w->far);
    reads_back(&w->far, w->first);
    restores(w, &w->far, w->first);
    place_close(&w->far);
}

static void a_backup_into_two_stores_dies_in_both(void **state)
{
    struct sweep *w = *state;

    assert_int_equal(die_everywhere(w, "both", true), 1);
    assert_true(w->kills >= 9);
}

/* --- parts ------------------------------------------------------------------------------------ */

static void a_backup_that_dies_at_any_part_leaves_no_upload(void **state)
{
    static const enum s3d_kind kinds[] = {S3D_CREATE, S3D_PART, S3D_COMPLETE};
    struct sweep *w = *state;
    size_t uploads = 0;

    for (size_t k = 0; k < MST_COUNT(kinds); k++) {
        bool killed = true;

        for (unsigned n = 1; killed; n++) {
            for (size_t i = 0; i < MST_COUNT(deaths) && killed; i++) {
                const struct s3d_fault f = {.what = deaths[i], .kind = kinds[k], .nth = n};

                killed = act_in_child(w, "far", "", &f);
                uploads += s3d_uploads(w->srv);
                (void)look_at(w, &w->far);
            }
        }
    }
    print_message("    parts: %u deaths, %zu uploads left and removed\n", w->kills, uploads);
    assert_true(w->kills >= 8); /* one upload, two parts, one end */
    assert_true(uploads >= 6);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_backup_that_dies_at_any_request_leaves_nothing_that_counts, bucket, end),
        cmocka_unit_test_setup_teardown(a_backup_into_two_stores_dies_in_both, bucket, end),
        cmocka_unit_test_setup_teardown(a_backup_that_dies_at_any_part_leaves_no_upload, large,
                                        end),
    };

    if (argc == 8 && strcmp(argv[7], "child") == 0) {
        return child((const char *const *)argv + 1);
    }
    mst_mongo_init();
    return cmocka_run_group_tests_name("killed in a bucket", tests, NULL, NULL);
}
