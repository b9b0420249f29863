#include "test.h"

#include "fake_backup.h" /* fake_rm */
#include "store/fault.h"
#include "store/netfs.h"
#include "store/store.h"

struct fix {
    char dir[64];
    struct mst_store *s;
};

static int setup(void **state)
{
    struct fix *f = mst_xcalloc(1, sizeof(*f));
    struct mst_err err = {0};

    (void)mst_copy(f->dir, sizeof(f->dir), "/tmp/muster-store-XXXXXX");
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
    (void)chmod(f->dir, 0700);
    fake_rm(f->dir);
    free(f);
    return 0;
}

static void put(struct fix *f, const char *key, const char *text)
{
    struct mst_err err = {0};

    assert_ok(mst_store_put_all(f->s, key, text, strlen(text), &err), &err);
}

static void keys_are_checked(void **state)
{
    char far[MST_KEY_MAX + 8], seg[256];

    (void)state;
    assert_true(mst_store_key_ok("rs0/backups/2026-11-22T22-30-00Z-full/d/0000-0"));
    assert_false(mst_store_key_ok(""));
    assert_false(mst_store_key_ok("/a"));
    assert_false(mst_store_key_ok("a/"));
    assert_false(mst_store_key_ok("a//b"));
    assert_false(mst_store_key_ok(".."));
    assert_false(mst_store_key_ok("a/../b"));
    assert_false(mst_store_key_ok("a/.hidden"));
    assert_false(mst_store_key_ok("a\nb"));
    assert_false(mst_store_key_ok("a\\b"));
    memset(seg, 'a', sizeof(seg));
    seg[200] = '\0';
    assert_true(mst_store_key_ok(seg));
    seg[200] = 'a';
    seg[201] = '\0';
    assert_false(mst_store_key_ok(seg));
    memset(far, 'a', sizeof(far));
    for (size_t i = 100; i < sizeof(far); i += 100) {
        far[i] = '/';
    }
    far[MST_KEY_MAX - 1] = '\0';
    assert_true(mst_store_key_ok(far));
    far[MST_KEY_MAX - 1] = 'a';
    far[MST_KEY_MAX] = '\0';
    assert_false(mst_store_key_ok(far));
}

static void an_object_is_private_whole_and_written_once(void **state)
{
    struct fix *f = *state;
    struct mst_err err = {0};
    struct mst_buf b = {0};
    struct stat st;
    char path[200];

    put(f, "rs0/a/one", "first");
    assert_rc(mst_store_put_all(f->s, "rs0/a/one", "second", 6, &err), MST_E_EXISTS, &err);
    assert_ok(mst_store_read_all(f->s, "rs0/a/one", 100, &b, &err), &err);
    assert_int_equal(b.len, 5);
    assert_memory_equal(b.p, "first", 5);
    mst_buf_release(&b);
    (void)snprintf(path, sizeof(path), "%s/rs0/a", f->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    (void)snprintf(path, sizeof(path), "%s/rs0/a/one", f->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void two_writers_of_one_name_leave_the_first(void **state)
{
    struct fix *f = *state;
    struct mst_err err = {0};
    struct mst_store_put *a, *b;
    struct mst_buf got = {0};

    assert_ok(mst_store_put_begin(f->s, "x", &a, &err), &err);
    assert_ok(mst_store_put_begin(f->s, "x", &b, &err), &err);
    assert_ok(mst_store_put_add(a, "aa", 2, &err), &err);
    assert_ok(mst_store_put_add(b, "bb", 2, &err), &err);
    assert_rc(mst_store_stat(f->s, "x", &(uint64_t){0}, &err), MST_E_NOTFOUND, &err);
    assert_ok(mst_store_put_finish_take(b, &err), &err);
    assert_rc(mst_store_put_finish_take(a, &err), MST_E_EXISTS, &err);
    assert_ok(mst_store_read_all(f->s, "x", 10, &got, &err), &err);
    assert_memory_equal(got.p, "bb", 2);
    mst_buf_release(&got);
}

static bool sees_tmp(void *arg, const struct mst_store_item *item)
{
    assert_non_null(strstr(item->key, "dir/x.tmp-"));
    assert_true(mst_store_key_ok(item->key));
    ++*(int *)arg;
    return true;
}

static bool count_item(void *arg, const struct mst_store_item *item)
{
    (void)item;
    ++*(int *)arg;
    return true;
}

static void an_aborted_object_leaves_nothing(void **state)
{
    struct fix *f = *state;
    struct mst_err err = {0};
    struct mst_store_put *p;
    int n = 0;

    assert_ok(mst_store_put_begin(f->s, "dir/x", &p, &err), &err);
    assert_ok(mst_store_put_add(p, "aa", 2, &err), &err);
    assert_ok(mst_store_list(f->s, "", sees_tmp, &n, NULL, &err), &err);
    assert_int_equal(n, 1); /* under another name, so that a dead writer's is found */
    mst_store_put_abort_take(p);
    mst_store_put_abort_take(NULL);
    n = 0;
    assert_ok(mst_store_list(f->s, "", count_item, &n, NULL, &err), &err);
    assert_int_equal(n, 0);
    assert_rc(mst_store_stat(f->s, "dir/x", &(uint64_t){0}, &err), MST_E_NOTFOUND, &err);
    put(f, "dir/x", "b");
}

static bool join(void *arg, const struct mst_store_item *item)
{
    struct mst_str *s = arg;

    mst_str_addf(s, "%s:%llu ", item->key, (unsigned long long)item->bytes);
    return strcmp(item->key, "stop") != 0;
}

static void a_list_is_in_key_order_below_its_prefix(void **state)
{
    struct fix *f = *state;
    struct mst_err err = {0};
    struct mst_str s = {0};

    put(f, "b/2", "22");
    put(f, "b/10", "1");
    put(f, "b-a", "");
    put(f, "b/2-x/y", "333");
    put(f, "a", "4444");
    put(f, "stop", "");
    put(f, "zzz", "");
    assert_ok(mst_store_list(f->s, "", join, &s, NULL, &err), &err);
    assert_string_equal(mst_str_c(&s), "a:4 b-a:0 b/10:1 b/2:2 b/2-x/y:3 stop:0 ");
    mst_str_reset(&s);
    assert_ok(mst_store_list(f->s, "b", join, &s, NULL, &err), &err);
    assert_string_equal(mst_str_c(&s), "b/10:1 b/2:2 b/2-x/y:3 ");
    mst_str_reset(&s);
    assert_ok(mst_store_list(f->s, "nope/at/all", join, &s, NULL, &err), &err);
    assert_string_equal(mst_str_c(&s), "");
    mst_str_release(&s);
}

static void ranges_are_read_and_ends_are_short(void **state)
{
    struct fix *f = *state;
    struct mst_err err = {0};
    struct mst_buf b = {0};
    char buf[8];
    size_t got;

    put(f, "x", "0123456789");
    assert_ok(mst_store_read(f->s, "x", 4, buf, 3, &got, &err), &err);
    assert_int_equal(got, 3);
    assert_memory_equal(buf, "456", 3);
    assert_ok(mst_store_read(f->s, "x", 8, buf, 8, &got, &err), &err);
    assert_int_equal(got, 2);
    assert_ok(mst_store_read(f->s, "x", 99, buf, 8, &got, &err), &err);
    assert_int_equal(got, 0);
    assert_ok(mst_store_read_all(f->s, "x", 10, &b, &err), &err);
    mst_buf_reset(&b);
    assert_rc(mst_store_read_all(f->s, "x", 9, &b, &err), MST_E_LIMIT, &err);
    mst_buf_release(&b);
    assert_rc(mst_store_read(f->s, "../x", 0, buf, 8, &got, &err), MST_E_USAGE, &err);
}

static void a_removed_object_takes_empty_directories_along(void **state)
{
    struct fix *f = *state;
    struct mst_err err = {0};
    struct stat st;
    char path[200];

    put(f, "a/b/c/x", "1");
    put(f, "a/y", "1");
    assert_ok(mst_store_delete(f->s, "a/b/c/x", &err), &err);
    (void)snprintf(path, sizeof(path), "%s/a/b", f->dir);
    assert_int_equal(stat(path, &st), -1);
    assert_ok(mst_store_stat(f->s, "a/y", &(uint64_t){0}, &err), &err);
    assert_rc(mst_store_delete(f->s, "a/b/c/x", &err), MST_E_NOTFOUND, &err);
}

static void links_are_not_followed(void **state)
{
    struct fix *f = *state;
    struct mst_err err = {0};
    struct mst_buf b = {0};
    char path[200];
    int n = 0;

    put(f, "dir/x", "1");
    (void)snprintf(path, sizeof(path), "%s/link", f->dir);
    assert_int_equal(symlink("/tmp", path), 0);
    (void)snprintf(path, sizeof(path), "%s/file", f->dir);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    assert_rc(mst_store_put_all(f->s, "link/evil", "x", 1, &err), MST_E_IO, &err);
    assert_non_null(strstr(err.msg, "not followed"));
    assert_rc(mst_store_put_all(f->s, "file", "x", 1, &err), MST_E_EXISTS, &err);
    assert_rc(mst_store_read_all(f->s, "file", 100, &b, &err), MST_E_IO, &err);
    assert_ok(mst_store_list(f->s, "", count_item, &n, NULL, &err), &err);
    assert_int_equal(n, 3); /* both links as objects of nobody, nothing behind them */
    mst_buf_release(&b);
}

static void bad_places_are_refused_with_what_to_do(void **state)
{
    struct fix *f = *state;
    struct mst_err err = {0};
    struct mst_store *s;
    char path[200];

    assert_rc(mst_store_local_open("v", "/nonexistent/muster", true, &s, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "does not exist"));
    assert_rc(mst_store_local_open("v", "relative", true, &s, &err), MST_E_CONFIG, &err);
    put(f, "x", "1");
    (void)snprintf(path, sizeof(path), "%s/x", f->dir);
    assert_rc(mst_store_local_open("v", path, true, &s, &err), MST_E_CONFIG, &err);
    assert_int_equal(chmod(f->dir, 0707), 0);
    assert_rc(mst_store_local_open("v", f->dir, true, &s, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "chmod o-w"));
    assert_int_equal(chmod(f->dir, 0500), 0);
    if (geteuid() != 0) {
        assert_rc(mst_store_local_open("v", f->dir, true, &s, &err), MST_E_CONFIG, &err);
    }
    assert_ok(mst_store_local_open("v", f->dir, false, &s, &err), &err);
    assert_rc(mst_store_put_all(s, "y", "1", 1, &err), MST_E_PRECOND, &err);
    assert_rc(mst_store_delete(s, "x", &err), MST_E_PRECOND, &err);
    mst_store_free(s);
    mst_store_free(NULL);
}

static void room_is_known(void **state)
{
    struct fix *f = *state;
    struct mst_err err = {0};
    uint64_t a, b;

    assert_ok(mst_store_space(f->s, &a, &b, &err), &err);
    assert_true(b > 0 && a <= b);
}

static void a_full_store_says_so(void **state)
{
    /* /dev/full's errno without a full disk: RLIMIT_FSIZE gives EFBIG, so the sentence for ENOSPC
     * is tested where a small file system can be had; here the object must vanish after a failed
     * add. */
    struct fix *f = *state;
    struct mst_err err = {0};
    struct mst_store *s = mst_store_fault_new(f->s);
    int n = 0;

    mst_store_fault_set(s, MST_FAULT_ONCE, 2, MST_E_IO);
    assert_rc(mst_store_put_all(s, "x", "1", 1, &err), MST_E_IO, &err);
    assert_ok(mst_store_list(f->s, "", count_item, &n, NULL, &err), &err);
    assert_int_equal(n, 0);
    mst_store_free(s);
}

static void faults_strike_where_they_are_told(void **state)
{
    struct fix *f = *state;
    struct mst_err err = {0};
    struct mst_store *s = mst_store_fault_new(f->s);

    mst_store_fault_set(s, MST_FAULT_NONE, 0, MST_E_IO);
    assert_ok(mst_store_put_all(s, "a", "1", 1, &err), &err);
    assert_int_equal(mst_store_fault_calls(s), 3);
    mst_store_fault_set(s, MST_FAULT_ONCE, 3, MST_E_NET);
    assert_rc(mst_store_put_all(s, "b", "1", 1, &err), MST_E_NET, &err);
    assert_ok(mst_store_put_all(s, "b", "1", 1, &err), &err);
    mst_store_fault_set(s, MST_FAULT_DEAD, 2, MST_E_IO);
    assert_rc(mst_store_put_all(s, "c", "1", 1, &err), MST_E_IO, &err);
    assert_rc(mst_store_stat(s, "a", &(uint64_t){0}, &err), MST_E_IO, &err);
    mst_store_fault_set(s, MST_FAULT_LOST, 3, MST_E_NET);
    assert_rc(mst_store_put_all(s, "d", "1", 1, &err), MST_E_NET, &err);
    assert_ok(mst_store_stat(s, "d", &(uint64_t){0}, &err), &err);
    mst_store_free(s);
}

static void a_network_filesystem_is_noticed(void **state)
{
    (void)state;
    assert_ptr_equal(strstr(mst_store_netfs(0x6969), "NFS, a network filesystem"),
                     mst_store_netfs(0x6969));
    assert_ptr_equal(strstr(mst_store_netfs(0xff534d42), "CIFS, "), mst_store_netfs(0xff534d42));
    assert_ptr_equal(strstr(mst_store_netfs(0x65735546), "FUSE: "), mst_store_netfs(0x65735546));
    assert_string_equal(mst_store_netfs(0xef53), ""); /* ext4 */
    assert_string_equal(mst_store_netfs(0), "");
}

/* /proc is what a disk that was mounted read-only after an error looks like. */
static void what_cannot_be_written_can_still_be_read(void **state)
{
    struct mst_store *s = NULL;
    struct mst_err err = {0};
    char name[8];
    size_t got;

    (void)state;
    assert_ok(mst_store_local_open("far", "/proc/self", true, &s, &err), &err);
    assert_ok(mst_store_read(s, "comm", 0, name, sizeof(name), &got, &err), &err);
    assert_true(got > 0);
    assert_rc(mst_store_put_all(s, "a/b", "x", 1, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "the store far: the directory /proc/self cannot be written: "));
    assert_rc(mst_store_delete(s, "comm", &err), MST_E_CONFIG, &err);
    mst_store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_filesystem_is_noticed),
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test_setup_teardown(an_object_is_private_whole_and_written_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(two_writers_of_one_name_leave_the_first, setup, teardown),
        cmocka_unit_test_setup_teardown(an_aborted_object_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_is_in_key_order_below_its_prefix, setup, teardown),
        cmocka_unit_test_setup_teardown(ranges_are_read_and_ends_are_short, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removed_object_takes_empty_directories_along, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(links_are_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_places_are_refused_with_what_to_do, setup, teardown),
        cmocka_unit_test(what_cannot_be_written_can_still_be_read),
        cmocka_unit_test_setup_teardown(room_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_store_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(faults_strike_where_they_are_told, setup, teardown),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
