#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/credential.h"
#include "base/file.h"
#include "base/secret.h"

static char dir[] = "/tmp/muster-credential-XXXXXX";

static int begin(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/phrase", dir);
    (void)unlink(path);
    return rmdir(dir);
}

static void a_name_becomes_a_file_of_the_service(void **state)
{
    static const struct {
        const char *named, *directory, *path, *why;
    } rows[] = {
        {"/etc/a.secret", NULL, "/etc/a.secret", NULL},
        {"credential:phrase", "/run/credentials/muster", "/run/credentials/muster/phrase", NULL},
        {"credential:phrase", NULL, NULL, "without CREDENTIALS_DIRECTORY"},
        {"credential:phrase", "", NULL, "without CREDENTIALS_DIRECTORY"},
        {"credential:phrase", "relative", NULL, "without CREDENTIALS_DIRECTORY"},
        {"credential:", "/run", NULL, "names no credential"},
        {"credential:a/b", "/run", NULL, "names no credential"},
        {"credential:../b", "/run", NULL, "names no credential"},
        {"credential:..", "/run", NULL, "names no credential"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[MST_CREDENTIAL_PATH];
        struct mst_err err = {0};

        if (rows[i].directory) {
            (void)setenv("CREDENTIALS_DIRECTORY", rows[i].directory, 1);
        } else {
            (void)unsetenv("CREDENTIALS_DIRECTORY");
        }
        if (rows[i].path) {
            assert_ok(mst_credential_path(rows[i].named, out, &err), &err);
            assert_string_equal(out, rows[i].path);
        } else {
            assert_rc(mst_credential_path(rows[i].named, out, &err), MST_E_CONFIG, &err);
            assert_non_null(strstr(err.msg, rows[i].why));
        }
    }
}

static void only_roots_credential_may_show_a_group(void **state)
{
    static const struct {
        const char *named;
        mode_t mode;
        uid_t uid;
        bool ok;
    } rows[] = {
        {"/a", 0600, 0, true},
        {"/a", 0440, 0, false},
        {"credential:a", 0400, 1, true},
        {"credential:a", 0440, 0, true},
        {"credential:a", 0440, 1, false},
        {"credential:a", 0460, 0, false},
        {"credential:a", 0444, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct stat st = {.st_mode = S_IFREG | rows[i].mode, .st_uid = rows[i].uid};

        assert_int_equal(mst_credential_private(rows[i].named, &st), rows[i].ok);
    }
}

static void a_secret_is_read_from_one(void **state)
{
    struct mst_secret s = {0};
    struct mst_err err = {0};
    char path[128];

    (void)state;
    (void)setenv("CREDENTIALS_DIRECTORY", dir, 1);
    (void)snprintf(path, sizeof(path), "%s/phrase", dir);
    assert_rc(mst_secret_from_file(&s, "credential:phrase", &err), MST_E_CONFIG, &err);
    assert_ok(mst_file_replace(path, 0400, "horse battery\n", 14, &err), &err);
    assert_ok(mst_secret_from_file(&s, "credential:phrase", &err), &err);
    assert_string_equal(s.p, "horse battery");
    assert_int_equal(chmod(path, 0444), 0);
    assert_rc(mst_secret_from_file(&s, "credential:phrase", &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "can be read by others (mode 0444)"));
    mst_secret_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_name_becomes_a_file_of_the_service),
                                       cmocka_unit_test(only_roots_credential_may_show_a_group),
                                       cmocka_unit_test(a_secret_is_read_from_one)};

    return cmocka_run_group_tests_name("credential", tests, begin, end);
}
