/* A directory as a store whose disk fails, or which holds what cannot be removed: what could not be
 * read is never taken for nothing. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_backup.h" /* fake_rm */
#include "store/folder.h"
#include "store/store.h"

struct fix {
    char dir[64];
    struct mst_store *s;
};

static int setup(void **state)
{
    struct fix *f = mst_xcalloc(1, sizeof(*f));
    struct mst_err err = {0};

    (void)mst_copy(f->dir, sizeof(f->dir), "/tmp/muster-harm-XXXXXX");
    if (!mkdtemp(f->dir) || mst_store_local_open("vault", f->dir, true, &f->s, &err) != MST_OK) {
        return -1;
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fix *f = *state;

    mst_store_free(f->s);
    fake_rm(f->dir);
    free(f);
    return 0;
}

static void put(struct fix *f, const char *key)
{
    struct mst_err err = {0};

    assert_ok(mst_store_put_all(f->s, key, "x", 1, &err), &err);
}

static bool count(void *arg, const struct mst_store_item *item)
{
    (void)item;
    ++*(unsigned *)arg;
    return true;
}

/* From now on, in this process: that system call fails with EIO, of fstatat only the one that looks
 * at a name. */
static bool break_disk(unsigned nr)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_newfstatat, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AT_SYMLINK_NOFOLLOW, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog prog = {.len = MST_COUNT(code), .filter = code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0;
}

/* What a listing on a broken disk says, in a child: its code, or what is no code. */
static int listed(struct mst_store *s, unsigned nr)
{
    const pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0) {
        struct mst_err err = {0};
        unsigned n = 0;

        if (!break_disk(nr)) {
            _exit(200); /* not here */
        }
        _exit(mst_store_list(s, "", count, &n, NULL, &err) == MST_OK ? 201
              : strstr(err.msg, "Input/output error") == NULL        ? 202
                                                                     : (int)err.rc);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_listing_that_breaks_off_is_no_listing(void **state)
{
    struct fix *f = *state;
    struct mst_store *folder;
    struct mst_err err = {0};
    int first;

    put(f, "set/one");
    put(f, "set/two");
    assert_ok(mst_store_folder_open(f->dir, &folder, &err), &err);
    first = listed(f->s, SYS_getdents64);
    if (first == 200) {
        mst_store_free(folder);
        skip();
    }
    assert_int_equal(first, MST_E_IO);
    assert_int_equal(listed(f->s, SYS_newfstatat), MST_E_IO);
    assert_int_equal(listed(folder, SYS_getdents64), MST_E_IO);
    assert_int_equal(listed(folder, SYS_newfstatat), MST_E_IO);
    mst_store_free(folder);
}

static bool remember(void *arg, const struct mst_store_item *item)
{
    mst_str_addf(arg, "%s\n", item->key);
    return true;
}

/* Cut, it could be the name of something else. */
static void a_path_that_is_too_long_for_a_key_is_none(void **state)
{
    struct fix *f = *state;
    struct mst_str names = {0};
    struct mst_err err = {0};
    char path[1024], part[180];
    size_t n;
    int fd;

    put(f, "a");
    memset(part, 'd', sizeof(part) - 1);
    part[sizeof(part) - 1] = '\0';
    n = (size_t)snprintf(path, sizeof(path), "%s", f->dir);
    for (int i = 0; i < 3; i++) {
        n += (size_t)snprintf(path + n, sizeof(path) - n, "/%s", part);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    (void)snprintf(path + n, sizeof(path) - n, "/file");
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_ok(mst_store_list(f->s, "", remember, &names, NULL, &err), &err);
    assert_string_equal(mst_str_c(&names), "a\n");
    mst_str_release(&names);
}

/* One that the store refuses does not keep the others from going. */
static void what_cannot_be_removed_does_not_keep_the_others(void **state)
{
    static const char keys[][MST_KEY_MAX] = {"a", "m", "not there", "z"};
    struct fix *f = *state;
    struct mst_store_swept w = {0};
    struct mst_err err = {0};
    uint64_t bytes;

    put(f, "a");
    put(f, "m/inside"); /* "m" is a directory: no object that could be removed */
    put(f, "z");
    assert_rc(mst_store_delete_many(f->s, keys, MST_COUNT(keys), &w, NULL, &err), MST_E_IO, &err);
    assert_non_null(strstr(err.msg, "cannot remove m in "));
    assert_int_equal(w.gone, 3);
    assert_int_equal(w.failed, 1);
    memset(&err, 0, sizeof(err));
    assert_rc(mst_store_stat(f->s, "z", &bytes, &err), MST_E_NOTFOUND, &err);
    assert_ok(mst_store_stat(f->s, "m/inside", &bytes, &err), &err);
}

/* But a store that refuses everything is not asked a hundred thousand times. */
static void a_store_that_refuses_everything_is_left_alone(void **state)
{
    struct fix *f = *state;
    char(*keys)[MST_KEY_MAX] = mst_xcalloc(100, MST_KEY_MAX);
    struct mst_store_swept w = {0};
    struct mst_err err = {0};

    for (int i = 0; i < 100; i++) {
        char key[40];

        (void)snprintf(keys[i], MST_KEY_MAX, "d%02d", i);
        (void)snprintf(key, sizeof(key), "d%02d/inside", i);
        put(f, key);
    }
    assert_rc(mst_store_delete_many(f->s, (const char(*)[MST_KEY_MAX])keys, 100, &w, NULL, &err),
              MST_E_IO, &err);
    assert_int_equal(w.gone, 0);
    assert_int_equal(w.failed, 16);
    assert_non_null(
        strstr(err.msg, "16 objects could not be removed, the first: cannot remove d00"));
    free(keys);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_listing_that_breaks_off_is_no_listing),
        T(a_path_that_is_too_long_for_a_key_is_none),
        T(what_cannot_be_removed_does_not_keep_the_others),
        T(a_store_that_refuses_everything_is_left_alone),
    };
    return cmocka_run_group_tests_name("store harm", tests, NULL, NULL);
}
