/* Where keys come from, in which order, and what is refused. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/creds.h"

static char dir[] = "/tmp/muster-creds-XXXXXX";
static char file[64];

static void write_file(const char *text, mode_t mode)
{
    struct mst_err err = {0};

    assert_ok(mst_file_replace(file, mode, text, strlen(text), &err), &err);
    assert_int_equal(chmod(file, mode), 0);
}

static int begin(void **state)
{
    (void)state;
    for (const char *const *v = (const char *const[]){"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                                                      "AWS_SESSION_TOKEN", "AWS_PROFILE", NULL};
         *v; v++) {
        (void)unsetenv(*v);
    }
    return setenv("AWS_SHARED_CREDENTIALS_FILE", file, 1);
}

static enum mst_rc login(const struct mst_cfg_store *cfg, struct mst_login *out,
                         struct mst_err *err)
{
    struct mst_creds *c = mst_creds_new(cfg);
    enum mst_rc rc;

    memset(out, 0, sizeof(*out));
    rc = mst_creds_login(c, false, out, NULL, err);
    mst_creds_free(c);
    return rc;
}

static const char both[] = "# a comment\n[default]\naws_access_key_id = AKIDFILE\n"
                           "aws_secret_access_key=s3cr3t/+=\r\n\n[ other ]\n"
                           "aws_access_key_id=AKIDOTHER\naws_secret_access_key = x=y\n"
                           "aws_session_token = tok\nregion = nowhere\n";

static void the_order_is_kept(void **state)
{
    struct mst_cfg_store cfg = {.name = "far"};
    struct mst_login l;
    struct mst_err err = {0};

    (void)state;
    write_file(both, 0600);
    assert_ok(login(&cfg, &l, &err), &err);
    assert_string_equal(l.access_key, "AKIDFILE");
    assert_string_equal(l.secret.p, "s3cr3t/+=");
    assert_null(l.token.p);
    mst_login_release(&l);
    (void)setenv("AWS_PROFILE", "other", 1);
    assert_ok(login(&cfg, &l, &err), &err);
    assert_string_equal(l.access_key, "AKIDOTHER");
    assert_string_equal(l.secret.p, "x=y");
    assert_string_equal(l.token.p, "tok");
    mst_login_release(&l);
    (void)setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "env", 1);
    assert_ok(login(&cfg, &l, &err), &err);
    assert_string_equal(l.access_key, "AKIDENV");
    assert_string_equal(l.from, "the environment");
    mst_login_release(&l);
    /* A section that is named in the configuration is not overruled by the environment. */
    (void)mst_copy(cfg.credentials_profile, sizeof(cfg.credentials_profile), "default");
    assert_ok(login(&cfg, &l, &err), &err);
    assert_string_equal(l.access_key, "AKIDFILE");
    mst_login_release(&l);
}

static void what_cannot_be_used_is_named(void **state)
{
    struct mst_cfg_store cfg = {.name = "far"};
    struct mst_login l;
    struct mst_err err = {0};

    (void)state;
    (void)unlink(file);
    assert_rc(login(&cfg, &l, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "the store far has no access key"));
    write_file(both, 0640);
    assert_rc(login(&cfg, &l, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "can be read by others (mode 0640)"));
    write_file("[default]\naws_access_key_id = A\n", 0600);
    assert_rc(login(&cfg, &l, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "has no aws_secret_access_key"));
    write_file("[default]\naws_secret_access_key = hidden\n", 0600);
    assert_rc(login(&cfg, &l, &err), MST_E_CONFIG, &err);
    assert_null(strstr(err.msg, "hidden"));
    (void)setenv("AWS_PROFILE", "absent", 1);
    assert_rc(login(&cfg, &l, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "there is no section [absent]"));
}

static void what_was_found_is_kept_until_a_fresh_one_is_asked(void **state)
{
    const struct mst_cfg_store cfg = {.name = "far"};
    struct mst_creds *c = mst_creds_new(&cfg);
    struct mst_login l = {0};
    struct mst_err err = {0};
    char who[200];
    int64_t until = 1;

    (void)state;
    write_file("[default]\naws_access_key_id = ONE\naws_secret_access_key = 1\n", 0600);
    assert_false(mst_creds_who(c, who, sizeof(who), &until));
    assert_ok(mst_creds_login(c, false, &l, NULL, &err), &err);
    mst_login_release(&l);
    write_file("[default]\naws_access_key_id = TWO\naws_secret_access_key = 2\n", 0600);
    memset(&l, 0, sizeof(l));
    assert_ok(mst_creds_login(c, false, &l, NULL, &err), &err);
    assert_string_equal(l.access_key, "ONE");
    mst_login_release(&l);
    memset(&l, 0, sizeof(l));
    assert_ok(mst_creds_login(c, true, &l, NULL, &err), &err);
    assert_string_equal(l.access_key, "TWO");
    assert_true(mst_creds_who(c, who, sizeof(who), &until));
    assert_string_equal(strstr(who, "TWO (section default of "), who);
    assert_int_equal(until, 0);
    mst_login_release(&l);
    mst_creds_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_order_is_kept, begin),
        cmocka_unit_test_setup(what_cannot_be_used_is_named, begin),
        cmocka_unit_test_setup(what_was_found_is_kept_until_a_fresh_one_is_asked, begin),
    };
    int rc;

    MST_ASSERT(mkdtemp(dir));
    (void)snprintf(file, sizeof(file), "%s/credentials", dir);
    rc = cmocka_run_group_tests_name("creds", tests, NULL, NULL);
    (void)unlink(file);
    (void)rmdir(dir);
    return rc;
}
