/* Where keys come from, in which order, and what is refused. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "canned.h"
#include "runprog.h"
#include "s3d.h"
#include "store/creds.h"
#include "store/open.h"
#include "tlsgen.h"

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
    (void)setenv("AWS_EC2_METADATA_DISABLED", "true", 1); /* no test asks outside of this host */
    for (const char *const *v =
             (const char *const[]){
                 "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                 "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
                 "AWS_ENDPOINT_URL_STS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
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

/* Editors put marks at the begin of a file, and ends of lines come along with what was read. */
static void marks_and_ends_of_lines_are_no_part_of_a_key(void **state)
{
    struct mst_cfg_store cfg = {.name = "far", .access_key = "AKIDCFG"};
    struct mst_login l;
    struct mst_err err = {0};

    (void)state;
    write_file("\xef\xbb\xbf[default]\r\naws_access_key_id = AKIDFILE\r\n"
               "aws_secret_access_key=s3cr3t\r\n",
               0600);
    (void)mst_copy(cfg.secret_key_file, sizeof(cfg.secret_key_file), file);
    assert_ok(login(&(struct mst_cfg_store){.name = "far"}, &l, &err), &err);
    assert_string_equal(l.access_key, "AKIDFILE");
    assert_string_equal(l.secret.p, "s3cr3t");
    mst_login_release(&l);
    (void)setenv("AWS_ACCESS_KEY_ID", "AKIDENV\n", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", " env\r\n", 1);
    (void)setenv("AWS_SESSION_TOKEN", "tok\n", 1);
    assert_ok(login(&(struct mst_cfg_store){.name = "far"}, &l, &err), &err);
    assert_string_equal(l.access_key, "AKIDENV");
    assert_string_equal(l.secret.p, "env");
    assert_string_equal(l.token.p, "tok");
    mst_login_release(&l);
    write_file("\xef\xbb\xbfs3cr3t\r\nand more\n", 0600);
    assert_ok(login(&cfg, &l, &err), &err);
    assert_string_equal(l.secret.p, "s3cr3t");
    mst_login_release(&l);
    write_file("\ns3cr3t\n", 0600);
    assert_rc(login(&cfg, &l, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "begins with an empty line"));
    write_file("\xef\xbb\xbf", 0600);
    assert_rc(login(&cfg, &l, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "is empty"));
    cfg = (struct mst_cfg_store){.name = "far"};
    (void)mst_copy(cfg.credentials_file, sizeof(cfg.credentials_file), "/nowhere/keys");
    assert_int_not_equal(login(&cfg, &l, &err), MST_OK);
    assert_ptr_equal(strstr(err.msg, "credentials_file: cannot open /nowhere/keys"), err.msg);
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

/* Whoever sets one of the two means it: no other source is taken instead. */
static void half_a_key_of_the_environment_is_an_error(void **state)
{
    const struct mst_cfg_store cfg = {.name = "far"};
    struct mst_login l;
    struct mst_err err = {0};

    (void)state;
    write_file(both, 0600);
    (void)setenv("AWS_ACCESS_KEY_ID", "AKIDENV", 1);
    assert_rc(login(&cfg, &l, &err), MST_E_CONFIG, &err);
    assert_string_equal(err.msg, "the environment has AWS_ACCESS_KEY_ID and no "
                                 "AWS_SECRET_ACCESS_KEY: set both or none");
    (void)unsetenv("AWS_ACCESS_KEY_ID");
    (void)setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    assert_rc(login(&cfg, &l, &err), MST_E_CONFIG, &err);
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

static void an_opened_store_says_whose_key_it_has(void **state)
{
    const struct canned_answer a[] = {
        {.text = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nETag: \"e\"\r\n\r\n", .closes = true}};
    struct mst_cfg_store cfg = {.name = "far",
                                .type = "s3",
                                .bucket = "vault",
                                .profile = "other",
                                .plain_http = true,
                                .part_bytes = 8388608,
                                .connections = 4};
    struct mst_store *store;
    struct canned c;
    struct mst_err err = {0};
    char who[200];
    int64_t until;
    uint64_t bytes;

    (void)state;
    write_file(both, 0600);
    canned_start(&c, a, 1);
    (void)snprintf(cfg.endpoint, sizeof(cfg.endpoint), "http://127.0.0.1:%d", c.port);
    assert_ok(mst_store_open(&cfg, false, &store, &err), &err);
    assert_false(mst_store_is_local(store));
    assert_false(mst_store_who(store, who, sizeof(who), &until)); /* nobody asked yet */
    assert_ok(mst_store_stat(store, "o", &bytes, &err), &err);
    assert_int_equal(bytes, 7);
    assert_true(mst_store_who(store, who, sizeof(who), &until));
    assert_string_equal(strstr(who, "AKIDFILE (section default of "), who);
    assert_ptr_equal(strstr(c.seen[0].p, "HEAD /vault/o HTTP/1.1\r\n"), c.seen[0].p);
    mst_store_free(store);
    canned_stop(&c);
}

/* --- keys that are lent --- */

#define JSON \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" \
    "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIALENT\",\"SecretAccessKey\":\"lent\"," \
    "\"Token\":\"lent-token\",\"Expiration\":\"2099-01-02T03:04:05Z\"}"
#define TEXT(text) "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" text
#define STS(role, end) \
    TEXT("<" role "Response><" role "Result><Credentials><AccessKeyId>ASIASTS</AccessKeyId>" \
         "<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>" end \
         "</Expiration></Credentials></" role "Result></" role "Response>")

static char place[64];

static void serve(struct canned *c, const struct canned_answer *a, size_t n, const char *name,
                  const char *path)
{
    canned_start(c, a, n);
    (void)snprintf(place, sizeof(place), "http://127.0.0.1:%d%s", c->port, path);
    (void)setenv(name, place, 1);
}

static void an_instance_lends_its_role(void **state)
{
    const struct canned_answer a[] = {{.text = TEXT("a-token"), .closes = true},
                                      {.text = TEXT("the-role\n"), .closes = true},
                                      {.text = JSON, .closes = true}};
    struct mst_cfg_store cfg = {.name = "far"};
    struct mst_login l;
    struct canned c;
    struct mst_err err = {0};

    (void)state;
    (void)unlink(file);
    (void)unsetenv("AWS_EC2_METADATA_DISABLED");
    serve(&c, a, 3, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "");
    assert_ok(login(&cfg, &l, &err), &err);
    assert_string_equal(l.access_key, "ASIALENT");
    assert_string_equal(l.token.p, "lent-token");
    assert_string_equal(l.from, "role the-role of this instance");
    assert_int_equal(l.expires_wall_ms, mst_time_parse("2099-01-02T03:04:05Z"));
    mst_login_release(&l);
    assert_ptr_equal(strstr(c.seen[0].p, "PUT /latest/api/token "), c.seen[0].p);
    assert_non_null(strstr(c.seen[2].p, "x-aws-ec2-metadata-token: a-token\r\n"));
    canned_stop(&c);
    /* Nobody there, and another kind of store: it is not asked at all. */
    (void)mst_copy(cfg.endpoint, sizeof(cfg.endpoint), "https://minio.test");
    assert_rc(login(&cfg, &l, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "has no access key"));
    (void)unsetenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
}

static void a_container_lends_its_role(void **state)
{
    const struct canned_answer a[] = {{.text = JSON, .closes = true},
                                      {.text = TEXT("not json"), .closes = true}};
    const struct mst_cfg_store cfg = {.name = "far", .endpoint = "https://h"};
    struct mst_login l;
    struct canned c;
    struct mst_err err = {0};

    (void)state;
    (void)unlink(file);
    (void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "let-me-in", 1);
    serve(&c, a, 2, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/creds");
    assert_ok(login(&cfg, &l, &err), &err);
    assert_string_equal(l.access_key, "ASIALENT");
    mst_login_release(&l);
    assert_non_null(strstr(c.seen[0].p, "authorization: let-me-in\r\n"));
    assert_rc(login(&cfg, &l, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "no JSON"));
    canned_stop(&c);
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://10.0.0.1/creds", 1);
    assert_rc(login(&cfg, &l, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "neither https nor on this host"));
}

static void sts_lends_a_role_for_a_key_or_a_token(void **state)
{
    const struct canned_answer a[] = {
        {.text = STS("AssumeRole", "2099-01-02T03:04:05Z"), .closes = true},
        {.text = STS("AssumeRoleWithWebIdentity", "2099-01-02T03:04:05Z"), .closes = true},
        {.text = "HTTP/1.1 403 No\r\nConnection: close\r\n\r\n<ErrorResponse><Error><Code>"
                 "AccessDenied</Code><Message>no such role</Message></Error></ErrorResponse>",
         .closes = true}};
    struct mst_cfg_store cfg = {
        .name = "far", .role_arn = "arn:aws:iam::1:role/w", .external_id = "x/y"};
    struct mst_login l;
    struct canned c;
    struct mst_err err = {0};

    (void)state;
    write_file(both, 0600);
    serve(&c, a, 3, "AWS_ENDPOINT_URL_STS", "");
    assert_ok(login(&cfg, &l, &err), &err);
    assert_string_equal(l.access_key, "ASIASTS");
    assert_string_equal(l.from, "role arn:aws:iam::1:role/w");
    mst_login_release(&l);
    assert_non_null(strstr(c.seen[0].p, "Credential=AKIDFILE/"));
    assert_non_null(strstr(c.seen[0].p, "/us-east-1/sts/aws4_request"));
    assert_non_null(strstr(c.seen[0].p, "Action=AssumeRole&"));
    assert_non_null(strstr(c.seen[0].p, "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fw&"));
    assert_non_null(strstr(c.seen[0].p, "&ExternalId=x%2Fy"));
    cfg.role_arn[0] = '\0';
    write_file("the.web.token\n", 0600);
    (void)setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file, 1);
    (void)setenv("AWS_ROLE_ARN", "arn:web", 1);
    assert_ok(login(&cfg, &l, &err), &err);
    assert_string_equal(l.access_key, "ASIASTS");
    mst_login_release(&l);
    assert_non_null(strstr(c.seen[1].p, "&WebIdentityToken=the.web.token"));
    assert_null(strstr(c.seen[1].p, "authorization:"));
    assert_rc(login(&cfg, &l, &err), MST_E_AUTH, &err);
    assert_string_equal(err.msg, "STS refused: AccessDenied: no such role");
    canned_stop(&c);
}

static void lent_keys_are_got_anew_before_they_end(void **state)
{
    char soon[MST_TIME_MAX], first[600];
    struct canned_answer a[] = {{.text = first, .closes = true}, {.text = JSON, .closes = true}};
    const struct mst_cfg_store cfg = {.name = "far", .endpoint = "https://h"};
    struct mst_creds *creds = mst_creds_new(&cfg);
    struct mst_login l;
    struct canned c;
    struct mst_err err = {0};

    (void)state;
    (void)unlink(file);
    (void)snprintf(first, sizeof(first),
                   TEXT("{\"AccessKeyId\":\"ASIAOLD\",\"SecretAccessKey\":\"x\",\"Token\":\"y\","
                        "\"Expiration\":\"%s\"}"),
                   mst_time_iso(mst_clock_utc_ms(NULL) + 200000, soon));
    serve(&c, a, 2, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/creds");
    memset(&l, 0, sizeof(l));
    assert_ok(mst_creds_login(creds, false, &l, NULL, &err), &err);
    assert_string_equal(l.access_key, "ASIAOLD");
    mst_login_release(&l);
    memset(&l, 0, sizeof(l));
    assert_ok(mst_creds_login(creds, false, &l, NULL, &err), &err); /* less than 5 minutes left */
    assert_string_equal(l.access_key, "ASIALENT");
    mst_login_release(&l);
    canned_stop(&c);
    mst_creds_free(creds);
}

/* One of one's own, behind a certificate of one's own: as the store that stands beside it. */
static void sts_of_ones_own_is_checked_with_the_stores_ca(void **state)
{
    const struct tlsgen_want want = {.file = "s.pem", .subject = "CN=s", .san = "IP:127.0.0.1"};
    struct mst_cfg_store cfg = {.name = "far", .role_arn = "arn:aws:iam::1:role/w"};
    struct mst_err err = {0};
    struct tlsgen ca;
    struct mst_login l;
    struct s3d *sts;
    char folder[64], pem[600], url[64];

    (void)state;
    write_file(both, 0600);
    temp_dir(folder, sizeof(folder));
    tlsgen_init(&ca, folder, "ca");
    tlsgen_issue(&ca, &want, pem);
    sts = s3d_start(&(struct s3d_opts){.cert_file = pem});
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d", s3d_port(sts));
    (void)setenv("AWS_ENDPOINT_URL_STS", url, 1);
    assert_rc(login(&cfg, &l, &err), MST_E_TLS, &err);
    assert_false(s3d_saw_credentials(sts));
    (void)mst_copy(cfg.ca_file, sizeof(cfg.ca_file), ca.ca);
    assert_rc(login(&cfg, &l, &err), MST_E_AUTH,
              &err); /* what is there is no STS: it was asked, and that is all */
    assert_true(s3d_saw_credentials(sts));
    s3d_stop(sts);
    tlsgen_release(&ca);
    temp_remove(folder);
}

/* Minutes before their end nothing is lost yet: whoever lends them may be away for a moment. */
static void lent_keys_serve_until_their_end_when_there_are_no_next_ones(void **state)
{
    char soon[MST_TIME_MAX], first[600];
    struct canned_answer a[] = {
        {.text = first, .closes = true},
        {.text = "HTTP/1.1 503 Away\r\nConnection: close\r\n\r\n", .closes = true},
        {.text = "HTTP/1.1 503 Away\r\nConnection: close\r\n\r\n", .closes = true}};
    const struct mst_cfg_store cfg = {.name = "far", .endpoint = "https://h"};
    struct mst_creds *creds = mst_creds_new(&cfg);
    struct mst_login l;
    struct canned c;
    struct mst_err err = {0};

    (void)state;
    (void)unlink(file);
    (void)snprintf(first, sizeof(first),
                   TEXT("{\"AccessKeyId\":\"ASIAOLD\",\"SecretAccessKey\":\"x\",\"Token\":\"y\","
                        "\"Expiration\":\"%s\"}"),
                   mst_time_iso(mst_clock_utc_ms(NULL) + 200000, soon));
    serve(&c, a, 3, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/creds");
    for (int i = 0; i < 4; i++) { /* asked for once, and then not again at once */
        memset(&l, 0, sizeof(l));
        assert_ok(mst_creds_login(creds, false, &l, NULL, &err), &err);
        assert_string_equal(l.access_key, "ASIAOLD");
        assert_string_equal(l.secret.p, "x");
        mst_login_release(&l);
        assert_int_equal(atomic_load(&c.requests), i ? 2 : 1);
    }
    memset(&l, 0, sizeof(l));
    assert_rc(mst_creds_login(creds, true, &l, NULL, &err), MST_E_AUTH, &err); /* refused ones */
    canned_stop(&c);
    mst_creds_free(creds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_order_is_kept, begin),
        cmocka_unit_test_setup(marks_and_ends_of_lines_are_no_part_of_a_key, begin),
        cmocka_unit_test_setup(what_cannot_be_used_is_named, begin),
        cmocka_unit_test_setup(half_a_key_of_the_environment_is_an_error, begin),
        cmocka_unit_test_setup(an_opened_store_says_whose_key_it_has, begin),
        cmocka_unit_test_setup(an_instance_lends_its_role, begin),
        cmocka_unit_test_setup(a_container_lends_its_role, begin),
        cmocka_unit_test_setup(sts_lends_a_role_for_a_key_or_a_token, begin),
        cmocka_unit_test_setup(sts_of_ones_own_is_checked_with_the_stores_ca, begin),
        cmocka_unit_test_setup(lent_keys_are_got_anew_before_they_end, begin),
        cmocka_unit_test_setup(lent_keys_serve_until_their_end_when_there_are_no_next_ones, begin),
        cmocka_unit_test_setup(what_was_found_is_kept_until_a_fresh_one_is_asked, begin),
    };
    int rc;

    mst_thread_block_signals();
    MST_ASSERT(mkdtemp(dir));
    (void)snprintf(file, sizeof(file), "%s/credentials", dir);
    rc = cmocka_run_group_tests_name("creds", tests, NULL, NULL);
    (void)unlink(file);
    (void)rmdir(dir);
    return rc;
}
