/* kill -9 of the process that writes into a directory, or removes from it, before every call that
 * changes a name there or makes it last. A bucket gets the same backup at the same time. */
#include "bucket_kit.h"

#include <stdatomic.h>
#include <sys/syscall.h>

/* --- calls of the process that dies ----------------------------------------------------------- */

static atomic_int calls_left; /* 0: nobody dies */

static void call(void)
{
    if (atomic_load(&calls_left) > 0 && atomic_fetch_sub(&calls_left, 1) == 1) {
        (void)kill(getpid(), SIGKILL);
    }
}

/* These stand before those of the C library, in the whole program. */
int fsync(int fd)
{
    call();
    return (int)syscall(SYS_fsync, fd);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
    call();
    return (int)syscall(SYS_mkdirat, dir, path, mode);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    call();
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int unlinkat(int dir, const char *path, int flags)
{
    call();
    return (int)syscall(SYS_unlinkat, dir, path, flags);
}

/* --- and who looks at what it left ------------------------------------------------------------ */

#define DIES_AT "KILLED_AT_CALL"

static bool dies_at(struct sweep *w, const char *act, const char *id, unsigned n)
{
    char text[16];
    bool killed;

    (void)snprintf(text, sizeof(text), "%u", n);
    assert_int_equal(setenv(DIES_AT, text, 1), 0);
    killed = act_in_child(w, act, id, NULL);
    assert_int_equal(unsetenv(DIES_AT), 0);
    return killed;
}

static int bucket(void **state)
{
    *state = sweep_new(FAR_S3, 0, true);
    return 0;
}

static int end(void **state)
{
    sweep_free(*state);
    return 0;
}

static void a_backup_dies_between_any_two_calls_of_the_directory(void **state)
{
    struct sweep *w = *state;
    unsigned whole_near = 0, whole_far = 0, n = 1;

    for (bool killed = true; killed; n++) {
        killed = dies_at(w, "both", "", n);
        whole_near += look_at(w, &w->near) && killed;
        whole_far += look_at(w, &w->far) && killed;
    }
    print_message("    both: %u deaths; COMMIT stood %u times in the directory, %u in the bucket\n",
                  w->kills, whole_near, whole_far);
    assert_true(w->kills >=
                3 * 9); /* for each object: made to last, named, the name made to last */
    assert_true(whole_near >= 1);
}

/* Half removed, what a dead backup left is no backup, and the same once more ends it. */
static void a_clean_dies_between_any_two_calls_of_the_directory(void **state)
{
    struct sweep *w = *state;
    char left[MST_ID_MAX] = "", none[MST_ID_MAX];
    unsigned n = 1;

    for (bool killed = true; killed; n++) {
        struct mst_backup *all;
        struct mst_err err = {0};
        uint64_t removed;
        size_t have;

        assert_true(dies_at(w, "near", "", 24)); /* behind some objects, before its header */
        place_open(w, &w->near);
        assert_ok(mst_catalog_list(&w->near.c, NULL, &all, &have, &err), &err);
        assert_int_equal(have, 2);
        assert_int_equal(all[0].state, MST_BK_INCOMPLETE);
        (void)mst_copy(left, sizeof(left), all[0].id);
        free(all);
        place_close(&w->near);

        killed = dies_at(w, "clean near", left, n);
        place_open(w, &w->near);
        what_is_listed(w, &w->near, none);
        assert_string_equal(none, "");
        if (killed) {
            assert_ok(mst_catalog_clean(&w->near.c, left, NULL, &removed, &err), &err);
        }
        place_close(&w->near);
        (void)look_at(w, &w->near);
    }
    print_message("    clean: %u calls\n", n - 2);
    assert_true(n - 2 >= 2 * 4); /* for each object: removed, and that made to last */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_backup_dies_between_any_two_calls_of_the_directory,
                                        bucket, end),
        cmocka_unit_test_setup_teardown(a_clean_dies_between_any_two_calls_of_the_directory, bucket,
                                        end),
    };
    const char *at = getenv(DIES_AT);

    if (is_child(argc, argv)) {
        atomic_store(&calls_left, at ? (int)strtol(at, NULL, 10) : 0);
        return child((const char *const *)argv + 1);
    }
    mst_mongo_init();
    return cmocka_run_group_tests_name("killed files", tests, NULL, NULL);
}
