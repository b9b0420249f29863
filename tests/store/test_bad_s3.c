/* Bad input for a store that speaks S3, row by row, through the real program. */
#include "bad_store.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hash/hash.h"
#include "s3d.h"
#include "tlsgen.h"

#define OPEN "allow_unsealed = true; profile = \"minio\"; "
#define PLACE "bucket = \"vault\"; region = \"" S3D_REGION "\"; "
#define KEY "access_key = \"" S3D_ACCESS "\"; secret_key_file = \"@/secret\"; "
#define PLAIN "plain_http = true; "
#define FAR "the store far (bucket vault at HOST): "

static struct s3d *d, *elsewhere;
static char elsewhere_url[64];

static void always(struct s3d_fault f)
{
    f.times = UINT_MAX;
    s3d_plan(d, &f);
}

static void no_fault(void)
{
    s3d_plan_none(d);
}

/* --- keys, buckets, regions --- */

static void deny_put(void)
{
    s3d_deny(d, S3D_PUT, true);
}

static void allow_put(void)
{
    s3d_deny(d, S3D_PUT, false);
}

static void deny_list(void)
{
    s3d_deny(d, S3D_LIST, true);
}

static void allow_list(void)
{
    s3d_deny(d, S3D_LIST, false);
}

static void quota(void)
{
    s3d_quota(d, 100);
}

static void no_quota(void)
{
    s3d_quota(d, (uint64_t)512 << 20);
}

static void expired(void)
{
    always((struct s3d_fault){.what = S3D_EXPIRED});
}

static void nameless_region(void)
{
    always((struct s3d_fault){
        .what = S3D_STATUS, .status = 400, .code = "AuthorizationHeaderMalformed"});
}

static void who_may_not_or_is_not_there_is_told_so(void **state)
{
    static const struct bad_row rows[] = {
        {.what = "nobody's key",
         .options = OPEN PLACE PLAIN "access_key = \"AKIDNOBODY\"; secret_key_file = \"@/secret\";",
         .status = 4,
         .fails = ALL,
         .why = FAR "it does not know the access key (InvalidAccessKeyId): 'muster store show' "
                    "says where the key comes from"},
        {.what = "wrong secret",
         .options =
             OPEN PLACE PLAIN "access_key = \"" S3D_ACCESS "\"; secret_key_file = \"@/wrong\";",
         .status = 4,
         .fails = LS | TEST,
         .why = FAR "the secret key does not belong to the access key (SignatureDoesNotMatch): "
                    "mend the file or command that the secret comes from"},
        {.what = "a secret that others may read",
         .options =
             OPEN PLACE PLAIN "access_key = \"" S3D_ACCESS "\"; secret_key_file = \"@/open\";",
         .status = 2,
         .fails = LS | BACKUP,
         .why = "@/open can be read by others (mode 0644): chmod 600 it"},
        {.what = "expired",
         .make = expired,
         .mend = no_fault,
         .status = 4,
         .fails = LS | VERIFY,
         .why = FAR "the credentials have expired, and fresh ones too (ExpiredToken): renew them "
                    "where they come from"},
        {.what = "may not write",
         .make = deny_put,
         .mend = allow_put,
         .status = 4,
         .fails = BACKUP | TEST,
         .works = LS,
         .why = FAR "the key may not do that: its policy has to allow s3:PutObject (AccessDenied)"},
        {.what = "may not write the mark of a verification",
         .make = deny_put,
         .mend = allow_put,
         .status = 4,
         .fails = VERIFY,
         .why = "was read (read back whole: 2 objects"},
        {.what = "may not list",
         .make = deny_list,
         .mend = allow_list,
         .status = 4,
         .fails = LS | BACKUP,
         .why = FAR "the key may not do that: its policy has to allow s3:ListBucket "
                    "(AccessDenied)"},
        {.what = "missing bucket",
         .options = OPEN KEY PLAIN "bucket = \"nowhere\"; region = \"" S3D_REGION "\";",
         .status = 2,
         .fails = ALL,
         .why = "the store far (bucket nowhere at HOST): there is no bucket nowhere: make it, or "
                "mend bucket in the configuration"},
        {.what = "another region is learnt",
         .options = OPEN KEY PLAIN "bucket = \"vault\"; region = \"mars-1\";",
         .works = LS | VERIFY},
        {.what = "a region that nobody names",
         .make = nameless_region,
         .mend = no_fault,
         .status = 2,
         .fails = LS | BACKUP,
         .why =
             FAR "it does not take the region " S3D_REGION " and does not say its own: set region"},
        {.what = "full",
         .make = quota,
         .mend = no_quota,
         .status = 6,
         .fails = BACKUP | TEST,
         .works = LS,
         .why = FAR "it is full: its quota is reached (QuotaExceeded): 'muster clean' makes room, "
                    "or raise the quota"},
    };

    (void)state;
    put("wrong", 0600, "not this one", 12);
    put("open", 0644, S3D_SECRET, strlen(S3D_SECRET));
    bad_rows(rows, MST_COUNT(rows));
    bad_nothing_lost();
}

/* --- the way there --- */

static void clock_behind(void)
{
    s3d_clock(d, 3600000);
}

static void clock_ahead(void)
{
    s3d_clock(d, -3600000);
}

static void clock_right(void)
{
    s3d_clock(d, 0);
}

static void clock_hopeless(void)
{
    always((struct s3d_fault){.what = S3D_SKEWED});
}

static void redirect(void)
{
    always((struct s3d_fault){.what = S3D_REDIRECT, .status = 307, .to = elsewhere_url});
}

static void the_way_there_is_looked_at_before_anything_is_sent(void **state)
{
    static const struct bad_row rows[] = {
        {.what = "plain http that nobody allowed",
         .options = OPEN PLACE KEY,
         .status = 2,
         .fails = LS | BACKUP,
         .why = "@/muster.conf:5: stores.endpoint is \"http://HOST\": without TLS only when the "
                "store says plain_http = true"},
        {.what = "the bucket's path in it",
         .options = OPEN KEY PLAIN "bucket = \"vault/site\"; region = \"" S3D_REGION "\";",
         .status = 2,
         .fails = LS | BACKUP,
         .why = "@/muster.conf:5: stores.bucket is \"vault/site\": only the name of the bucket "
                "stands there; what is below it is the prefix"},
        {.what = "a path",
         .endpoint = "https://127.0.0.1:1/vault",
         .status = 2,
         .fails = LS,
         .why = "@/muster.conf:5: stores.endpoint is \"https://127.0.0.1:1/vault\": nothing stands "
                "behind the host and its port"},
        {.what = "no scheme",
         .endpoint = "127.0.0.1:1",
         .status = 2,
         .fails = LS,
         .why = "stores.endpoint is \"127.0.0.1:1\": it must be like https://host:port"},
        {.what = "a password in the address of the proxy",
         .options = OPEN PLACE KEY PLAIN "proxy = \"http://u:" SECRET "@@127.0.0.1:1\";",
         .status = 2,
         .fails = LS,
         .why = "@/muster.conf:5: "},
        {.what = "an hour behind", .make = clock_behind, .mend = clock_right, .works = LS | BACKUP},
        {.what = "an hour ahead", .make = clock_ahead, .mend = clock_right, .works = LS | VERIFY},
        {.what = "a clock that cannot be helped",
         .make = clock_hopeless,
         .mend = no_fault,
         .status = 4,
         .fails = LS | BACKUP,
         .why = FAR "the clocks of this host and of the store are too far apart, and the store's "
                    "own time did not help: set this host's clock"},
        {.what = "to another host",
         .make = redirect,
         .mend = no_fault,
         .status = 1,
         .fails = ALL,
         .why = FAR "it sends us elsewhere (HTTP 307): credentials are not sent to another host; "
                    "mend endpoint or region"},
    };

    (void)state;
    elsewhere = s3d_start(NULL);
    (void)snprintf(elsewhere_url, sizeof(elsewhere_url), "%s/vault/x", s3d_endpoint(elsewhere));
    bad_rows(rows, MST_COUNT(rows));
    assert_int_equal(s3d_connections(elsewhere), 0); /* not even a connection */
    s3d_stop(elsewhere);
    bad_nothing_lost();
}

/* One row at a server of its own, which must not see a key. */
static void one_tls(const struct bad_row *row, const struct s3d_opts *o)
{
    struct s3d *server = s3d_start(o);
    char endpoint[64];

    (void)snprintf(endpoint, sizeof(endpoint), "https://127.0.0.1:%d", s3d_port(server));
    (void)snprintf(bad_host, sizeof(bad_host), "127.0.0.1:%d", s3d_port(server));
    bad_configure(endpoint, row->options);
    bad_run(row, row->fails | row->works);
    if (row->fails) {
        assert_false(s3d_saw_credentials(server));
    }
    s3d_stop(server);
}

static void certificates_and_versions_of_tls_are_not_negotiable(void **state)
{
    static const char trusting[] = OPEN PLACE KEY "ca_file = \"@/ca.pem\";";
    static const struct bad_row good = {
        .what = "a certificate of the named CA", .options = trusting, .works = LS | TEST};
    static const struct bad_row old = {.what = "expired",
                                       .options = trusting,
                                       .status = 3,
                                       .fails = LS | BACKUP,
                                       .why = FAR "the certificate or TLS of HOST is not accepted: "
                                                  "SSL certificate problem: certificate has "
                                                  "expired"};
    static const struct bad_row another = {
        .what = "another host's",
        .options = trusting,
        .status = 3,
        .fails = LS | BACKUP,
        .why = FAR "the certificate or TLS of HOST is not accepted: SSL: no alternative "
                   "certificate subject name matches target host name '127.0.0.1'"};
    static const struct bad_row stranger = {
        .what = "of a CA that nobody named",
        .options = OPEN PLACE KEY,
        .status = 3,
        .fails = LS,
        .why = FAR "the certificate or TLS of HOST is not accepted: SSL certificate problem: "
                   "unable to get local issuer certificate"};
    static const struct bad_row tls11 = {.what = "TLS 1.1",
                                         .options = trusting,
                                         .status = 3,
                                         .fails = LS,
                                         .why =
                                             FAR "the certificate or TLS of HOST is not accepted"};
    static const struct bad_row no_ca = {.what = "a CA file that is not there",
                                         .options = OPEN PLACE KEY "ca_file = \"@/none.pem\";",
                                         .status = 2,
                                         .fails = LS,
                                         .why = FAR "ca_file cannot be used, it must hold "
                                                    "certificates in PEM: "};
    struct tlsgen ca;
    struct tlsgen_want want = {.file = "good.pem", .subject = "CN=s", .san = "IP:127.0.0.1"};
    char pem[600], keep[sizeof(bad_host)];

    (void)state;
    (void)mst_copy(keep, sizeof(keep), bad_host);
    tlsgen_init(&ca, dir, "ca");
    tlsgen_issue(&ca, &want, pem);
    one_tls(&good, &(struct s3d_opts){.cert_file = pem});
    one_tls(&stranger, &(struct s3d_opts){.cert_file = pem});
    one_tls(&no_ca, &(struct s3d_opts){.cert_file = pem});
    one_tls(&tls11, &(struct s3d_opts){.cert_file = pem, .tls11 = true});
    want = (struct tlsgen_want){.file = "other.pem", .subject = "CN=s", .san = "DNS:other.test"};
    tlsgen_issue(&ca, &want, pem);
    one_tls(&another, &(struct s3d_opts){.cert_file = pem});
    want = (struct tlsgen_want){
        .file = "old.pem", .subject = "CN=s", .san = "IP:127.0.0.1", .expired = true};
    tlsgen_issue(&ca, &want, pem);
    one_tls(&old, &(struct s3d_opts){.cert_file = pem});
    tlsgen_release(&ca);
    (void)mst_copy(bad_host, sizeof(bad_host), keep);
    bad_nothing_lost();
}

/* Whatever it is called: copies of one place are one. */
static void a_copy_to_the_same_place_is_refused(void **state)
{
    static const struct bad_row row = {
        .what = "two names for one place",
        .status = 2,
        .fails = LS,
        .why = "the stores far and twin are one place: a copy there would be no copy"};
    static const char *const copy[] = {"copy", "latest", "--to", "twin", NULL};
    char options[2048];

    (void)state;
    (void)snprintf(options, sizeof(options),
                   "%s }, { name = \"twin\"; type = \"s3\"; endpoint = \"%s\"; %s", bad_usual,
                   bad_endpoint, bad_usual);
    bad_configure(NULL, options);
    bad_command(&row, LS, copy);
    bad_nothing_lost();
}

/* A wrong port costs ten seconds, and not eight times five. */
static void a_port_that_answers_no_tls_is_given_up_soon(void **state)
{
    static const struct bad_row row = {
        .what = "silence where TLS is expected",
        .options = OPEN PLACE KEY,
        .status = 3,
        .fails = TEST,
        .why = FAR "HOST takes the connection and answers no TLS within 5.0 s: is it plain http, "
                   "or another service"};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* it accepts nobody */
    char endpoint[96], keep[sizeof(bad_host)];
    int64_t begin;

    (void)state;
    assert_true(fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
                listen(fd, 16) == 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    (void)mst_copy(keep, sizeof(keep), bad_host);
    (void)snprintf(bad_host, sizeof(bad_host), "127.0.0.1:%d", ntohs(a.sin_port));
    (void)snprintf(endpoint, sizeof(endpoint), "https://%s", bad_host);
    bad_configure(endpoint, row.options);
    begin = mst_clock_mono_ms(NULL);
    bad_run(&row, row.fails);
    assert_in_range(mst_clock_mono_ms(NULL) - begin, 10000, 25000); /* two tries */
    (void)mst_copy(bad_host, sizeof(bad_host), keep);
    (void)close(fd);
    bad_nothing_lost();
}

/* --- what answers is no store --- */

static void gzip(void)
{
    always((struct s3d_fault){.what = S3D_GZIP, .status = 403});
}

static void html(void)
{
    always((struct s3d_fault){.what = S3D_HTML});
}

static void empty(void)
{
    always((struct s3d_fault){.what = S3D_EMPTY, .kind = S3D_LIST});
}

static void garbage(void)
{
    always((struct s3d_fault){.what = S3D_GARBAGE, .kind = S3D_LIST});
}

static void endless(void)
{
    always((struct s3d_fault){.what = S3D_ENDLESS, .kind = S3D_LIST});
}

static void same_page(void)
{
    always((struct s3d_fault){.what = S3D_SAME_TOKEN, .kind = S3D_LIST});
}

static void what_answers_and_is_no_store_is_said_to_be_none(void **state)
{
    static const struct bad_row rows[] = {
        {.what = "a compressed page",
         .make = gzip,
         .mend = no_fault,
         .status = 1,
         .fails = LS | VERIFY,
         .why = FAR "it answered HTTP 403 with a compressed page, which no store does: is there a "
                    "proxy, or is the endpoint wrong"},
        {.what = "the page of a captive portal",
         .make = html,
         .mend = no_fault,
         .status = 1,
         .fails = ALL,
         .why = FAR "a web page came instead of a store's answer: is there a proxy or a captive "
                    "portal"},
        {.what = "nothing",
         .make = empty,
         .mend = no_fault,
         .status = 1,
         .fails = LS | BACKUP,
         .why = FAR "it sent an empty answer"},
        {.what = "something else",
         .make = garbage,
         .mend = no_fault,
         .status = 1,
         .fails = LS,
         .why = FAR "it sent an answer that is not XML"},
        {.what = "the same page for ever",
         .make = same_page,
         .mend = no_fault,
         .status = 1,
         .fails = LS,
         .why = FAR "it sends the same page again and again"},
        {.what = "a listing without end, in it the backups",
         .make = endless,
         .mend = no_fault,
         .status = 5,
         .fails = BACKUP | LS,
         .why = "the store far lists more than 100000 backups below rs0/backups: its listing has "
                "no end, or something else writes there"},
        {.what = "a listing without end, in it what was just written",
         .make = endless,
         .mend = no_fault,
         .status = 5,
         .fails = TEST,
         .why = "the listing does not have an object that was just written"},
    };

    (void)state;
    bad_rows(rows, MST_COUNT(rows));
    bad_nothing_lost();
    assert_int_equal(s3d_uploads(d), 0);
}

/* --- names --- */

static void names_from_outside_stay_names(void **state)
{
    static const char *const names[] = {"../../x",
                                        "rs0/../../x",
                                        "rs0/backups/a/../../../x",
                                        "rs0/a\nline",
                                        "rs0/\x1b[31m",
                                        "rs0/backups/\x1b]52;c;eA==\a",
                                        "rs0/\xe2\x80\xaex",
                                        "rs0/backups/new\nline/COMMIT"};
    static const struct bad_row row = {.what = "hostile names", .works = ALL};
    static const char *const more[][3] = {{"store", "ls", NULL},
                                          {"store", "orphans", NULL},
                                          {"store", "du", NULL},
                                          {"bucket", "show", NULL}};

    (void)state;
    bad_configure(NULL, NULL);
    for (size_t i = 0; i < MST_COUNT(names); i++) {
        s3d_put(d, names[i], "x", 1);
    }
    bad_run(&row, ALL);
    for (size_t i = 0; i < MST_COUNT(more); i++) {
        bad_command(&row, LS, more[i]);
    }
    for (size_t i = 0; i < MST_COUNT(names); i++) {
        assert_true(s3d_has(d, names[i])); /* not ours: left alone */
    }
    bad_nothing_lost();
}

/* --- keys of our own --- */

/* With another cost, and its checksum right for that. */
static void absurd_cost(struct mst_buf *file)
{
    static const char was[] = "\nsecret scrypt 17 ", is[] = "\nsecret scrypt 40 ";
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX], *at, *end;

    mst_buf_add(file, "", 1);
    at = strstr((char *)file->p, was);
    end = strstr((char *)file->p, "\nsha256 ");
    assert_true(at && end);
    memcpy(at, is, strlen(is));
    mst_sha256_of(file->p, (size_t)(end + 1 - (char *)file->p), sha);
    memcpy(end + strlen("\nsha256 "), mst_hex(sha, sizeof(sha), hex), MST_SHA256_HEX - 1);
    file->len--;
}

static void a_key_file_is_used_only_when_it_is_sound(void **state)
{
    static const struct bad_row rows[] = {
        {.what = "wrong passphrase",
         .fails = LS,
         .status = 4,
         .why = "@/r.key: wrong passphrase for the key file"},
        {.what = "read by others",
         .fails = LS,
         .status = 2,
         .why = "@/r.key can be read by others (mode 0644): chmod 600 it"},
        {.what = "damaged",
         .fails = LS,
         .status = 5,
         .why = "@/r.key: the key file is damaged: its SHA-256 does not fit; take another copy"},
        {.what = "a cost of 2^40",
         .fails = LS,
         .status = 5,
         .why = "@/r.key: the key file: its passphrase asks scrypt for 2^40: more than 2^20 is "
                "refused"},
    };
    char key[128], phrase[128], wrong[128];
    const char *const right[] = {"key", "check", key, "--passphrase-file", phrase, NULL};
    const char *const other[] = {"key", "check", key, "--passphrase-file", wrong, NULL};
    struct mst_buf file = {0};
    struct mst_err err = {0};
    struct ran r;

    (void)state;
    bad_configure(NULL, NULL);
    put("phrase", 0600, "a good one", 10);
    put("wrong-phrase", 0600, "another one", 11);
    (void)snprintf(key, sizeof(key), "%s/r.key", dir);
    (void)snprintf(phrase, sizeof(phrase), "%s/phrase", dir);
    (void)snprintf(wrong, sizeof(wrong), "%s/wrong-phrase", dir);
    RUN(&r, env, "key", "new", "--recipient", key, "--passphrase-file", phrase);
    assert_int_equal(r.status, 0);
    ran_release(&r);
    bad_command(&rows[0], LS, other);
    assert_int_equal(chmod(key, 0644), 0);
    bad_command(&rows[1], LS, right);
    assert_int_equal(chmod(key, 0600), 0);
    assert_ok(mst_file_read(key, 4096, &file, &err), &err);
    file.p[file.len / 2] ^= 1;
    put("r.key", 0600, (const char *)file.p, file.len);
    bad_command(&rows[2], LS, right);
    file.p[file.len / 2] ^= 1;
    absurd_cost(&file);
    put("r.key", 0600, (const char *)file.p, file.len);
    bad_command(&rows[3], LS, right);
    mst_buf_release(&file);
}

static int start(void **state)
{
    (void)state;
    d = s3d_start(NULL);
    bad_store_dir();
    (void)mst_copy(bad_type, sizeof(bad_type), "s3");
    (void)mst_copy(bad_endpoint, sizeof(bad_endpoint), s3d_endpoint(d));
    (void)mst_copy(bad_usual, sizeof(bad_usual), OPEN PLACE KEY PLAIN);
    (void)snprintf(bad_host, sizeof(bad_host), "127.0.0.1:%d", s3d_port(d));
    bad_secret = S3D_SECRET;
    put("secret", 0600, S3D_SECRET, strlen(S3D_SECRET));
    bad_store_setup();
    return 0;
}

static int stop(void **state)
{
    s3d_stop(d);
    return bad_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_not_or_is_not_there_is_told_so),
        cmocka_unit_test(the_way_there_is_looked_at_before_anything_is_sent),
        cmocka_unit_test(certificates_and_versions_of_tls_are_not_negotiable),
        cmocka_unit_test(a_copy_to_the_same_place_is_refused),
        cmocka_unit_test(a_port_that_answers_no_tls_is_given_up_soon),
        cmocka_unit_test(what_answers_and_is_no_store_is_said_to_be_none),
        cmocka_unit_test(names_from_outside_stay_names),
        cmocka_unit_test(a_key_file_is_used_only_when_it_is_sound),
    };

    return cmocka_run_group_tests_name("bad input for s3, by the program", tests, start, stop);
}
