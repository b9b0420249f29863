/* Bad input for a store at Google Cloud Storage, row by row, through the real program. */
#include "bad_store.h"

#include <limits.h>

#include "gcsd.h"
#include "s3d.h"
#include "tlsgen.h"

#define OPEN "allow_unsealed = true; bucket = \"vault\"; "
#define KEY "service_account_file = \"@/key.json\"; "
#define PLAIN "plain_http = true; "
#define FAR "the store far (bucket vault at HOST) "

static struct gcsd *g;

/* Whatever is asked of the store; tokens are had. */
static void everywhere(enum gcsd_what what, int status, const char *reason)
{
    static const enum gcsd_kind kinds[] = {GCSD_MULTIPART, GCSD_START, GCSD_STAT,
                                           GCSD_READ,      GCSD_LIST,  GCSD_DELETE};

    for (size_t i = 0; i < MST_COUNT(kinds); i++) {
        gcsd_plan(g, &(struct gcsd_fault){.kind = kinds[i],
                                          .what = what,
                                          .status = status,
                                          .reason = reason,
                                          .times = UINT_MAX});
    }
}

static void no_fault(void)
{
    gcsd_plan_none(g);
}

static void forbidden(void)
{
    everywhere(GCSD_STATUS, 403, "forbidden");
}

static void full(void)
{
    gcsd_plan(g, &(struct gcsd_fault){.kind = GCSD_MULTIPART,
                                      .what = GCSD_STATUS,
                                      .status = 403,
                                      .reason = "quotaExceeded",
                                      .times = UINT_MAX});
}

static void html(void)
{
    everywhere(GCSD_HTML, 0, "");
}

static void nothing(void)
{
    everywhere(GCSD_EMPTY, 0, "");
}

static void garbage(void)
{
    everywhere(GCSD_GARBAGE, 0, "");
}

static void redirect(void)
{
    everywhere(GCSD_REDIRECT, 0, "");
}

static void same_page(void)
{
    everywhere(GCSD_SAME_PAGE, 0, "");
}

static void patience(void) /* an hour is more than anybody waits */
{
    gcsd_plan(g, &(struct gcsd_fault){.kind = GCSD_LIST,
                                      .what = GCSD_STATUS,
                                      .status = 429,
                                      .reason = "rateLimitExceeded",
                                      .ms = 3600000,
                                      .times = UINT_MAX});
}

static void hour_ahead(void)
{
    gcsd_clock(g, -3600);
}

static void hour_behind(void)
{
    gcsd_clock(g, 3600);
}

static void clock_right(void)
{
    gcsd_clock(g, 0);
}

static void open_key(void)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/key.json", dir);
    assert_int_equal(chmod(path, 0644), 0);
}

static void close_key(void)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/key.json", dir);
    assert_int_equal(chmod(path, 0600), 0);
}

static void who_may_not_or_is_not_there_is_told_so(void **state)
{
    static const struct bad_row rows[] = {
        {.what = "another account's key",
         .options = OPEN PLAIN "service_account_file = \"@/other.json\";",
         .status = 4,
         .fails = LS | BACKUP,
         .why = "in the store far (bucket vault at HOST): cannot get an access token"},
        {.what = "nobody gives tokens",
         .options = OPEN PLAIN "service_account_file = \"@/nowhere.json\";",
         .status = 3,
         .fails = LS,
         .why = "in the store far (bucket vault at HOST): after "},
        {.what = "a key that others may read",
         .make = open_key,
         .mend = close_key,
         .status = 2,
         .fails = LS | TEST,
         .why = "the store far: the service account file @/key.json can be read by others (mode "
                "0644): chmod 600 it"},
        {.what = "half of a key",
         .options = OPEN PLAIN "service_account_file = \"@/half.json\";",
         .status = 2,
         .fails = LS | BACKUP,
         .why = "@/half.json"},
        {.what = "may not",
         .make = forbidden,
         .mend = no_fault,
         .status = 4,
         .fails = ALL,
         .why = FAR "answered 403 (forbidden): as it was planned"},
        {.what = "missing bucket",
         .options = "allow_unsealed = true; bucket = \"nowhere\"; " KEY PLAIN,
         .status = 2,
         .fails = ALL,
         .why = "the store far (bucket nowhere at HOST) answered 404 (notFound): The specified "
                "bucket does not exist: make it, or mend bucket in the configuration"},
        {.what = "full",
         .make = full,
         .mend = no_fault,
         .status = 6,
         .fails = BACKUP | TEST,
         .works = LS,
         .why = FAR "is full: its quota is reached (quotaExceeded)"},
        {.what = "an hour is asked for",
         .make = patience,
         .mend = no_fault,
         .status = 3,
         .fails = LS | BACKUP,
         .works = VERIFY,
         .why = FAR "answered 429 (rateLimitExceeded): as it was planned"},
    };

    (void)state;
    put("half.json", 0600, "{\"type\": \"service_account\", \"client_email\"", 43);
    bad_rows(rows, MST_COUNT(rows));
    bad_nothing_lost();
}

static void what_answers_and_is_no_store_is_said_to_be_none(void **state)
{
    static const struct bad_row rows[] = {
        {.what = "the page of a captive portal",
         .make = html,
         .mend = no_fault,
         .status = 5,
         .fails = LS | BACKUP | TEST,
         .why = FAR "answered 200 with a web page instead of JSON: a proxy or the login page of a "
                    "network stands in between"},
        {.what = "the same in place of an object",
         .make = html,
         .mend = no_fault,
         .status = 1,
         .fails = VERIFY,
         .why = FAR "answered 200 with something that is no object: a proxy or the login page of "
                    "a network stands in between, or endpoint is another service's"},
        {.what = "nothing",
         .make = nothing,
         .mend = no_fault,
         .status = 5,
         .fails = LS | BACKUP,
         .why = FAR "answered 200 with an empty body where JSON is expected"},
        {.what = "nothing in place of an object",
         .make = nothing,
         .mend = no_fault,
         .status = 1,
         .fails = VERIFY,
         .why = FAR "answered 200 with something that is no object"},
        {.what = "something else",
         .make = garbage,
         .mend = no_fault,
         .status = 5,
         .fails = LS,
         .why = FAR "answered 200 with something that is not a JSON object"},
        {.what = "the same page for ever",
         .make = same_page,
         .mend = no_fault,
         .status = 5,
         .fails = LS,
         .works = VERIFY,
         .why = "it would never end"},
        {.what = "to another host",
         .make = redirect,
         .mend = no_fault,
         .status = 1,
         .fails = LS | VERIFY,
         .why = FAR "answered 307 and points elsewhere, which is not followed: set endpoint"},
    };

    (void)state;
    bad_rows(rows, MST_COUNT(rows));
    bad_nothing_lost();
}

static void the_way_there_is_looked_at_before_anything_is_sent(void **state)
{
    static const struct bad_row rows[] = {
        {.what = "plain http that nobody allowed",
         .options = OPEN KEY,
         .status = 2,
         .fails = LS | BACKUP,
         .why = "stores.endpoint is \"http://HOST\": without TLS only when the store says "
                "plain_http = true"},
        {.what = "nobody listens",
         .endpoint = "http://127.0.0.1:1",
         .status = 3,
         .fails = LS,
         .why = "cannot list rs0/backups in the store far (bucket vault at 127.0.0.1:1): cannot "
                "connect to 127.0.0.1:1"},
        {.what = "an hour behind", .make = hour_behind, .mend = clock_right, .works = LS | BACKUP},
        {.what = "an hour ahead", .make = hour_ahead, .mend = clock_right, .works = LS | VERIFY},
    };
    static const struct bad_row stranger = {
        .what = "a certificate of a CA that nobody named",
        .options = OPEN "token_command = [\"/bin/echo\", \"" GCSD_COMMAND_TOKEN "\"];",
        .status = 3,
        .fails = LS | BACKUP | VERIFY,
        .why = "is not accepted: SSL certificate problem: unable to get local issuer certificate"};
    static const struct bad_row amazon = {
        .what = "a store of another kind",
        .options = OPEN PLAIN "token_command = [\"/bin/echo\", \"" GCSD_COMMAND_TOKEN "\"];",
        .status = 1,
        .fails = LS,
        .why = "with XML, which this API never does: endpoint is another service's, or the type of "
               "the store is s3"};
    struct tlsgen ca;
    const struct tlsgen_want want = {.file = "good.pem", .subject = "CN=s", .san = "IP:127.0.0.1"};
    char pem[600], endpoint[64];
    struct s3d *other;

    (void)state;
    bad_rows(rows, MST_COUNT(rows));
    tlsgen_init(&ca, dir, "ca");
    tlsgen_issue(&ca, &want, pem);
    other = s3d_start(&(struct s3d_opts){.cert_file = pem});
    (void)snprintf(endpoint, sizeof(endpoint), "https://127.0.0.1:%d", s3d_port(other));
    bad_configure(endpoint, stranger.options);
    bad_run(&stranger, stranger.fails);
    assert_false(s3d_saw_credentials(other)); /* no token went there */
    s3d_stop(other);
    other = s3d_start(NULL);
    bad_configure(s3d_endpoint(other), amazon.options);
    bad_run(&amazon, amazon.fails);
    s3d_stop(other);
    tlsgen_release(&ca);
    bad_nothing_lost();
}

static void names_from_outside_stay_names(void **state)
{
    static const char *const names[] = {"../../x", "rs0/../../x", "rs0/a\nline", "rs0/\x1b[31m",
                                        "rs0/backups/new\nline/COMMIT"};
    static const struct bad_row row = {.what = "hostile names", .works = ALL};
    static const char *const more[][3] = {
        {"store", "ls", NULL}, {"store", "orphans", NULL}, {"store", "du", NULL}};

    (void)state;
    bad_configure(NULL, NULL);
    for (size_t i = 0; i < MST_COUNT(names); i++) {
        gcsd_put(g, names[i], "x", 1);
    }
    bad_run(&row, ALL);
    for (size_t i = 0; i < MST_COUNT(more); i++) {
        bad_command(&row, LS, more[i]);
    }
    for (size_t i = 0; i < MST_COUNT(names); i++) {
        assert_true(gcsd_has(g, names[i], "x", 1)); /* not ours: left alone */
    }
    bad_nothing_lost();
}

/* The account's name with a key that is not its own. */
static void false_key(const char *path, bool away)
{
    struct gcsd *another = gcsd_start("other", 0);
    struct mst_buf file = {0};
    struct mst_str text = {0};
    struct mst_err err = {0};
    char *at;

    gcsd_key_file(another, path);
    assert_ok(mst_file_read(path, 16384, &file, &err), &err);
    mst_buf_add(&file, "", 1);
    at = strstr((char *)file.p, gcsd_url(another));
    assert_non_null(at);
    mst_str_addf(&text, "%.*s%s%s", (int)(at - (char *)file.p), (char *)file.p,
                 away ? "http://127.0.0.1:1" : gcsd_url(g), at + strlen(gcsd_url(another)));
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&text), text.len, &err), &err);
    mst_str_release(&text);
    mst_buf_release(&file);
    gcsd_stop(another);
}

static int start(void **state)
{
    char path[128];

    (void)state;
    g = gcsd_start("vault", 0);
    bad_store_dir();
    (void)snprintf(path, sizeof(path), "%s/key.json", dir);
    gcsd_key_file(g, path);
    (void)snprintf(path, sizeof(path), "%s/other.json", dir);
    false_key(path, false);
    (void)snprintf(path, sizeof(path), "%s/nowhere.json", dir);
    false_key(path, true);
    (void)mst_copy(bad_type, sizeof(bad_type), "gcs");
    (void)mst_copy(bad_endpoint, sizeof(bad_endpoint), gcsd_url(g));
    (void)mst_copy(bad_usual, sizeof(bad_usual), OPEN KEY PLAIN);
    (void)mst_copy(bad_host, sizeof(bad_host), gcsd_host(g));
    bad_secret = "BEGIN PRIVATE KEY";
    bad_store_setup();
    return 0;
}

static int stop(void **state)
{
    gcsd_stop(g);
    return bad_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_not_or_is_not_there_is_told_so),
        cmocka_unit_test(what_answers_and_is_no_store_is_said_to_be_none),
        cmocka_unit_test(the_way_there_is_looked_at_before_anything_is_sent),
        cmocka_unit_test(names_from_outside_stay_names),
    };

    return cmocka_run_group_tests_name("bad input for gcs, by the program", tests, start, stop);
}
