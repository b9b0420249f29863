/* TLS with a CA of one's own, and proxies, by the real program: the strict S3 server and a real one
 * of Google's kind. Whatever a proxy is told, it is not told who we are at the store. */
#include "bad_store.h"

#include "base/secret.h"
#include "forward.h"
#include "realstore.h"
#include "s3d.h"
#include "tlsgen.h"

#define S3 \
    "allow_unsealed = true; profile = \"minio\"; bucket = \"vault\"; region = \"" S3D_REGION \
    "\"; access_key = \"" S3D_ACCESS "\"; secret_key_file = \"@/secret\"; "
#define GCS \
    "allow_unsealed = true; bucket = \"vault\"; chunk_bytes = 1048576; " \
    "token_command = [\"/bin/echo\", \"a-token\"]; "
#define CA "ca_file = \"@/ca.pem\"; "
#define FAR "store far (bucket vault at HOST)"
#define LOGIN "way:pr0xy-s3cr3t"
#define LOGIN_64 "d2F5OnByMHh5LXMzY3IzdA=="

static struct s3d *d;
static struct realstore g;
static struct forward f;
static char proxy[64], s3_endpoint[64];

/* Rows of one kind of store: every option of it, then what the row adds. */
static void rows(const char *usual, const struct bad_row *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct mst_str all = {0};
        struct bad_row now = row[i];

        mst_str_addf(&all, "%s%s", usual, row[i].options);
        if (strstr(row[i].options, "proxy_login_file") || strstr(row[i].options, "through")) {
            mst_str_addf(&all, " proxy = \"%s\";", proxy);
        }
        now.options = mst_str_c(&all);
        bad_rows(&now, 1);
        mst_str_release(&all);
    }
}

static void as_s3(void)
{
    (void)mst_copy(bad_type, sizeof(bad_type), "s3");
    (void)mst_copy(bad_endpoint, sizeof(bad_endpoint), s3_endpoint);
    (void)snprintf(bad_host, sizeof(bad_host), "127.0.0.1:%d", s3d_port(d));
}

static void as_gcs(void)
{
    (void)mst_copy(bad_type, sizeof(bad_type), "gcs");
    (void)mst_copy(bad_endpoint, sizeof(bad_endpoint), g.endpoint);
    (void)snprintf(bad_host, sizeof(bad_host), "127.0.0.1:%d", g.port);
}

static void a_ca_of_ones_own_is_trusted_and_no_other(void **state)
{
    static const struct bad_row all[] = {
        {.what = "the CA that signed it", .options = CA, .works = BACKUP | LS | TEST},
        {.what = "another CA",
         .options = "ca_file = \"@/ca2.pem\"; ",
         .status = 3,
         .fails = LS,
         .why = "the certificate or TLS of HOST is not accepted: SSL certificate problem: unable "
                "to get local issuer certificate"},
        {.what = "the system's",
         .options = "",
         .status = 3,
         .fails = LS,
         .why = "the certificate or TLS of HOST is not accepted: "}};

    (void)state;
    bad_secret = S3D_SECRET;
    as_s3();
    rows(S3, all, MST_COUNT(all));
    as_gcs();
    rows(GCS, all, MST_COUNT(all));
}

/* The environment may say what it likes; the option counts. */
static void a_proxy_is_the_one_that_is_named_and_learns_nothing(void **state)
{
    static const struct bad_row all[] = {
        {.what = "with its login",
         .options = CA "proxy_login_file = \"@/login\"; ",
         .works = BACKUP | LS | TEST},
        {.what = "with another login",
         .options = CA "proxy_login_file = \"@/no-login\"; ",
         .status = 4,
         .fails = LS,
         .why = "does not take the login that it was given (HTTP 407): mend proxy_login_file"},
        {.what = "with half a login",
         .options = CA "proxy_login_file = \"@/half\"; ",
         .status = 2,
         .fails = LS,
         .why = "the first line of @/half is not like user:password"},
        {.what = "with a login that others may read",
         .options = CA "proxy_login_file = \"@/open\"; ",
         .status = 2,
         .fails = LS,
         .why = "@/open can be read by others (mode 0644): chmod 600 it"},
        {.what = "without a login",
         .options = CA "/* through */ ",
         .status = 4,
         .fails = LS,
         .why = "wants a login (HTTP 407): set proxy_login_file"}};

    (void)state;
    bad_secret = "pr0xy-s3cr3t";
    (void)setenv("HTTPS_PROXY", "http://u:" SECRET "@127.0.0.1:1", 1);
    (void)setenv("https_proxy", "http://u:" SECRET "@127.0.0.1:1", 1);
    for (int kind = 0; kind < 2; kind++) {
        const unsigned before = atomic_load(&f.passed);

        (kind ? as_gcs : as_s3)();
        rows(kind ? GCS : S3, all, MST_COUNT(all));
        assert_true(atomic_load(&f.passed) > before);
    }
    (void)unsetenv("HTTPS_PROXY");
    (void)unsetenv("https_proxy");
    mst_mutex_lock(&f.mtx);
    assert_non_null(strstr(mst_str_c(&f.heads), "CONNECT 127.0.0.1:"));
    assert_null(strcasestr(mst_str_c(&f.heads), "\r\nauthorization:"));
    assert_null(strstr(mst_str_c(&f.heads), "a-token"));
    mst_mutex_unlock(&f.mtx);
}

static void a_proxy_that_refuses_or_is_not_there_is_named(void **state)
{
    static const struct bad_row refused[] = {
        {.what = "its rules forbid it",
         .options = CA "/* through */ ",
         .status = 1,
         .fails = BACKUP | LS,
         .why = "makes no way to HOST (HTTP 403): its rules have to allow that"}};
    static const struct bad_row gone[] = {
        {.what = "nobody listens",
         .options = CA "proxy = \"http://127.0.0.1:1\"; ",
         .status = 3,
         .fails = LS,
         .why = "cannot connect to HOST through the proxy http://127.0.0.1:1"}};

    (void)state;
    f.status = 403;
    for (int kind = 0; kind < 2; kind++) {
        (kind ? as_gcs : as_s3)();
        rows(kind ? GCS : S3, refused, 1);
    }
    as_gcs();
    rows(GCS, gone, 1);
    f.status = 0;
}

/* Nothing of a login stays anywhere: not in what is shown of a store, nor in what was logged. */
static void the_login_of_a_proxy_is_not_shown(void **state)
{
    static const char *const shown[][4] = {
        {"config", "show"}, {"store", "show", "far"}, {"store", "list"}, {"jobs"}};
    char usual[1024];

    (void)state;
    as_s3();
    (void)snprintf(usual, sizeof(usual), S3 CA "proxy_login_file = \"@/login\"; proxy = \"%s\";",
                   proxy);
    bad_configure(NULL, usual);
    for (size_t i = 0; i < MST_COUNT(shown); i++) {
        struct ran r;

        run_muster(&r, shown[i], env, 60000);
        for (int k = 0; k < 2; k++) {
            const char *text = mst_str_c(k ? &r.err : &r.out);

            if (strstr(text, "pr0xy-s3cr3t") || strstr(text, LOGIN_64)) {
                fail_msg("%s %s shows the login of the proxy", shown[i][0],
                         shown[i][1] ? shown[i][1] : "");
            }
        }
        assert_int_equal(r.status, 0);
        ran_release(&r);
    }
}

static int start(void **state)
{
    const struct tlsgen_want want = {.file = "good.pem", .subject = "CN=s", .san = "IP:127.0.0.1"};
    struct tlsgen ca, other;
    struct realstore_opts o = {0};
    static char pem[600];

    (void)state;
    bad_store_dir();
    tlsgen_init(&ca, dir, "ca");
    tlsgen_init(&other, dir, "ca2");
    tlsgen_issue(&ca, &want, pem);
    tlsgen_release(&ca);
    tlsgen_release(&other);
    put("secret", 0600, S3D_SECRET, strlen(S3D_SECRET));
    put("login", 0600, LOGIN "\n", strlen(LOGIN) + 1);
    put("no-login", 0600, "way:another", 11);
    put("half", 0600, "pr0xy-s3cr3t", 12);
    put("open", 0644, LOGIN, strlen(LOGIN));
    d = s3d_start(&(struct s3d_opts){.cert_file = pem});
    (void)snprintf(s3_endpoint, sizeof(s3_endpoint), "https://127.0.0.1:%d", s3d_port(d));
    o.cert_file = pem;
    realstore_start(&g, REAL_GCS, &o);
    forward_start(&f, LOGIN_64);
    (void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", f.port);
    as_s3();
    (void)mst_copy(bad_usual, sizeof(bad_usual), S3 CA);
    bad_secret = S3D_SECRET;
    bad_store_setup();
    return 0;
}

static int stop(void **state)
{
    forward_stop(&f);
    realstore_stop(&g);
    s3d_stop(d);
    return bad_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ca_of_ones_own_is_trusted_and_no_other),
        cmocka_unit_test(a_proxy_is_the_one_that_is_named_and_learns_nothing),
        cmocka_unit_test(a_proxy_that_refuses_or_is_not_there_is_named),
        cmocka_unit_test(the_login_of_a_proxy_is_not_shown),
    };

    realstore_need(REAL_GCS);
    (void)printf("ran on: the strict S3 server, fake-gcs-server\n");
    return cmocka_run_group_tests_name("TLS and proxies, by the program", tests, start, stop);
}
