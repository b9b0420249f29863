/* kill -9 of the process that writes into a bucket, at every request that changes it: before the
 * store has done it, and when it has and nobody hears of it. Afterwards there are the same
 * committed backups, each with the same documents, and nothing else once orphans are removed. */
#include "bucket_kit.h"

static int bucket(void **state)
{
    *state = sweep_new(FAR_S3, 0, true);
    return 0;
}

static int large(void **state)
{
    *state = sweep_new(FAR_S3, 900, true);
    return 0;
}

/* With Google's names and conditions, in XML. */
static int xml(void **state)
{
    *state = sweep_new(FAR_XML, 0, true);
    return 0;
}

/* Where one object is larger than a chunk: it goes in a session. */
static int google(void **state)
{
    *state = sweep_new(FAR_GCS, 40, true);
    return 0;
}

static int end(void **state)
{
    sweep_free(*state);
    return 0;
}

/* Dies at each request in turn, until it lives. How often was a backup whole all the same? */
static unsigned die_everywhere(struct sweep *w, const char *act, bool near)
{
    unsigned whole = 0, n = 1;

    for (bool killed = true; killed; n++) {
        for (size_t i = far_only_after(&w->srv); i < 2 && killed; i++) {
            const struct death d = {.nth = n, .after = i};

            killed = act_in_child(w, act, "", &d);
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
    /* Claim, key, two objects, two manifests, sums, header, COMMIT. */
    assert_true(w->kills >= (far_only_after(&w->srv) ? 9 : 18));
    place_open(w, &w->far);
    reads_back(&w->far, w->first);
    restores(w, &w->far, w->first);
    place_close(&w->far);
}

static void a_backup_into_two_stores_dies_in_both(void **state)
{
    struct sweep *w = *state;

    assert_true(die_everywhere(w, "both", true) >= 1);
    assert_true(w->kills >= 9);
}

static void a_backup_in_sessions_dies_at_any_request(void **state)
{
    struct sweep *w = *state;

    assert_int_equal(die_everywhere(w, "far", false), 1);
    assert_true(w->kills >= 11); /* an object more is begun, sent, ended */
    assert_true(far_begun(&w->srv) >= 2);
    place_open(w, &w->far);
    reads_back(&w->far, w->first);
    restores(w, &w->far, w->first);
    place_close(&w->far);
}

/* --- parts ------------------------------------------------------------------------------------ */

static void a_backup_that_dies_at_any_part_leaves_no_upload(void **state)
{
    static const enum death_kind kinds[] = {DEATH_BEGIN, DEATH_PART, DEATH_END};
    struct sweep *w = *state;
    size_t uploads = 0;

    for (size_t k = 0; k < MST_COUNT(kinds); k++) {
        bool killed = true;

        for (unsigned n = 1; killed; n++) {
            for (size_t i = 0; i < 2 && killed; i++) {
                const struct death d = {.kind = kinds[k], .nth = n, .after = i};

                killed = act_in_child(w, "far", "", &d);
                uploads += far_begun(&w->srv);
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
        cmocka_unit_test_setup_teardown(
            a_backup_that_dies_at_any_request_leaves_nothing_that_counts, xml, end),
        cmocka_unit_test_setup_teardown(a_backup_in_sessions_dies_at_any_request, google, end),
        cmocka_unit_test_setup_teardown(a_backup_into_two_stores_dies_in_both, google, end),
    };

    if (is_child(argc, argv)) {
        return child((const char *const *)argv + 1);
    }
    mst_mongo_init();
    return cmocka_run_group_tests_name("killed in a bucket", tests, NULL, NULL);
}
