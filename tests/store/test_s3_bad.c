/* Bad input for the S3 driver, and the one sentence that each of it earns, to the letter. */
#include "peer_kit.h"

#include <limits.h>
#include <unistd.h>

#include "runprog.h"
#include "tlsgen.h"

static struct s3d *d;
static struct mst_store *s;

static int start(void **state)
{
    (void)state;
    d = s3d_start(NULL);
    s = kit_open(s3d_endpoint(d), S3D_BUCKET_NAME, S3D_ACCESS, S3D_SECRET, S3D_REGION,
                 (struct mst_s3_conf){.wait_ms = 100});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    mst_store_free(s);
    s3d_stop(d);
    return 0;
}

/* The port is another one each time, and so are the tries and how long they took. */
static void sentence(const struct mst_err *err, enum mst_rc rc, const char *wanted)
{
    struct mst_str text = {0};
    char port[16];
    const char *p = err->msg;

    (void)snprintf(port, sizeof(port), ":%d", s3d_port(d));
    while (*p) {
        const char *tries = strstr(p, " tries in ");

        if (strncmp(p, port, strlen(port)) == 0) {
            mst_str_add(&text, ":PORT");
            p += strlen(port);
        } else if (*p >= '0' && *p <= '9' && tries && tries - p <= 2) {
            p = strstr(p, "the last: ") + strlen("the last: ");
        } else {
            mst_str_addc(&text, *p++);
        }
    }
    assert_string_equal(mst_str_c(&text), wanted);
    assert_int_equal(err->rc, rc);
    mst_str_release(&text);
}

#define WHERE "the store offsite (bucket vault at 127.0.0.1:PORT)"

struct bad {
    const char *name;
    struct s3d_fault f; /* what 0: none */
    enum mst_rc rc;
    const char *read, *list;
};

static const struct bad answers[] = {
    {"nobody's key",
     {.what = S3D_STATUS, .status = 403, .code = "InvalidAccessKeyId"},
     MST_E_AUTH,
     "cannot read a in " WHERE ": it does not know the access key (InvalidAccessKeyId): 'muster "
     "store show' says where the key comes from",
     "cannot list " WHERE ": it does not know the access key (InvalidAccessKeyId): 'muster store "
     "show' says where the key comes from"},
    {"read-only key",
     {.what = S3D_STATUS, .status = 403, .code = "AccessDenied"},
     MST_E_AUTH,
     "cannot read a in " WHERE
     ": the key may not do that: its policy has to allow s3:GetObject (AccessDenied)",
     "cannot list " WHERE
     ": the key may not do that: its policy has to allow s3:ListBucket (AccessDenied)"},
    {"redirect",
     {.what = S3D_REDIRECT, .status = 307, .to = "http://127.0.0.1:1/"},
     MST_E_SERVER,
     "cannot read a in " WHERE ": it sends us elsewhere (HTTP 307): credentials are not sent to "
     "another host; mend endpoint or region",
     "cannot list " WHERE ": it sends us elsewhere (HTTP 307): credentials are not sent to another "
     "host; mend endpoint or region"},
    {"gzip",
     {.what = S3D_GZIP, .status = 403},
     MST_E_SERVER,
     "cannot read a in " WHERE ": it answered HTTP 403 with a compressed page, which no store "
     "does: is there a proxy, or is the endpoint wrong",
     "cannot list " WHERE ": it answered HTTP 403 with a compressed page, which no store does: is "
     "there a proxy, or is the endpoint wrong"},
    {"captive portal",
     {.what = S3D_HTML},
     MST_E_SERVER,
     "cannot read a in " WHERE ": a web page came instead of a store's answer: is there a "
     "proxy or a captive portal, or is the endpoint wrong (HTTP 200)",
     "cannot list " WHERE ": a web page came instead of a store's answer: is there a proxy or "
     "a captive portal"},
    {"empty body",
     {.what = S3D_EMPTY, .status = 500},
     MST_E_SERVER,
     "cannot read a in " WHERE ": it answered HTTP 500",
     "cannot list " WHERE ": it answered HTTP 500"},
    {"empty 200",
     {.what = S3D_EMPTY},
     MST_E_NET,
     "cannot read a in " WHERE
     ": the answer (HTTP 200) has no ETag: is there a proxy, or is the endpoint no S3",
     ""},
    {"garbage",
     {.what = S3D_GARBAGE},
     MST_E_NET,
     "cannot read a in " WHERE
     ": the answer (HTTP 200) has no ETag: is there a proxy, or is the endpoint no S3",
     ""},
    {"slow down",
     {.what = S3D_STATUS, .status = 503, .code = "SlowDown"},
     MST_E_SERVER,
     "cannot read a in " WHERE ": it answered HTTP 503 SlowDown: as it was planned",
     "cannot list " WHERE ": it answered HTTP 503 SlowDown: as it was planned"},
    {"clock",
     {.what = S3D_SKEWED},
     MST_E_AUTH,
     "cannot read a in " WHERE ": the clocks of this host and of the store are too far apart, "
     "and the store's own time did not help: set this host's clock",
     "cannot list " WHERE ": the clocks of this host and of the store are too far apart, and "
     "the store's own time did not help: set this host's clock"},
    {"expired",
     {.what = S3D_EXPIRED},
     MST_E_AUTH,
     "cannot read a in " WHERE ": the credentials have expired, and fresh ones too (ExpiredToken): "
     "renew them where they come from",
     "cannot list " WHERE ": the credentials have expired, and fresh ones too (ExpiredToken): "
     "renew them where they come from"},
    {"archived",
     {.what = S3D_STATUS, .status = 403, .code = "InvalidObjectState"},
     MST_E_PRECOND,
     "cannot read a in " WHERE
     ": it is in an archive tier: it must be thawed before it can be read",
     ""},
};

static bool any(void *arg, const struct mst_store_item *item)
{
    (void)arg;
    (void)item;
    return true;
}

static void every_kind_of_answer_has_its_sentence(void **state)
{
    (void)state;
    s3d_put(d, "a", "x", 1);
    for (size_t i = 0; i < MST_COUNT(answers); i++) {
        struct s3d_fault f = answers[i].f;
        struct mst_err err = {0};
        char buf[8];
        size_t got;

        f.times = UINT_MAX;
        s3d_plan(d, &f);
        assert_int_not_equal(mst_store_read(s, "a", 0, buf, 1, &got, &err), MST_OK);
        sentence(&err, answers[i].rc, answers[i].read);
        memset(&err, 0, sizeof(err));
        if (answers[i].list[0]) {
            assert_int_not_equal(mst_store_list(s, "", any, NULL, NULL, &err), MST_OK);
            sentence(&err, answers[i].rc, answers[i].list);
        }
        s3d_plan_none(d);
    }
}

static void what_cannot_be_written_says_why(void **state)
{
    struct mst_err err = {0};
    const uint8_t byte = 1;

    (void)state;
    assert_ok(mst_store_probe(s, NULL, &err), &err);
    s3d_deny(d, S3D_PUT, true);
    assert_int_not_equal(kit_put(s, "a", &byte, 1, &err), MST_OK);
    sentence(&err, MST_E_AUTH,
             "cannot write a in " WHERE
             ": the key may not do that: its policy has to allow s3:PutObject (AccessDenied)");
    s3d_deny(d, S3D_PUT, false);
    s3d_quota(d, 0);
    assert_int_not_equal(kit_put(s, "a", &byte, 1, &err), MST_OK);
    sentence(&err, MST_E_IO,
             "cannot write a in " WHERE ": it is full: its quota is reached (QuotaExceeded): "
             "'muster clean' makes room, or raise the quota");
    s3d_quota(d, 1000);
    memset(&err, 0, sizeof(err));
    assert_ok(kit_put(s, "a", &byte, 1, &err), &err);
    assert_int_not_equal(kit_put(s, "a", &byte, 1, &err), MST_OK);
    sentence(&err, MST_E_EXISTS, "a exists already in the store offsite");
    s3d_refuse(d, true);
    assert_int_not_equal(kit_put(s, "b", &byte, 1, &err), MST_OK);
    assert_int_equal(err.rc, MST_E_NET);
    s3d_refuse(d, false);
    assert_int_equal(s3d_objects(d), 1);
}

/* ---- names ---- */

static void names_of_others_are_left_alone(void **state)
{
    static const char *const names[] = {"../../x",   "a/../../x", "a/new\nline", "a/\x1b[31mred",
                                        "/absolute", "a//b",      "a/.hidden",   "a/back\\slash"};
    struct kit_count c = {0};
    struct mst_err err = {0};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(names); i++) {
        char buf[8];
        size_t got;

        s3d_put(d, names[i], "x", 1);
        assert_int_not_equal(mst_store_read(s, names[i], 0, buf, 1, &got, &err), MST_OK);
        assert_null(strchr(err.msg, '\n'));
        assert_null(strchr(err.msg, '\x1b'));
    }
    s3d_put(d, "a/good", "x", 1);
    memset(&err, 0, sizeof(err));
    assert_ok(mst_store_list(s, "", kit_count_item, &c, NULL, &err), &err);
    assert_string_equal(mst_str_c(&c.keys), "a/good\n");
    mst_str_release(&c.keys);
}

/* ---- TLS ---- */

static enum mst_rc over_tls(const char *cert, const char *ca, const char *host, struct mst_err *err)
{
    struct s3d *server = s3d_start(&(struct s3d_opts){.cert_file = cert});
    char *endpoint = mst_xasprintf("https://%s:%d", host, s3d_port(server));
    struct mst_store *store =
        kit_open(endpoint, S3D_BUCKET_NAME, S3D_ACCESS, S3D_SECRET, S3D_REGION,
                 (struct mst_s3_conf){.wait_ms = 100, .ca_file = ca});
    const uint8_t byte = 1;
    const enum mst_rc rc = kit_put(store, "a", &byte, 1, err);

    if (rc != MST_OK) {
        assert_false(s3d_saw_credentials(server));
    }
    mst_store_free(store);
    s3d_stop(server);
    free(endpoint);
    return rc;
}

static void certificates_are_always_checked(void **state)
{
    struct tlsgen_want want = {.file = "good.pem", .subject = "CN=s", .san = "IP:127.0.0.1"};
    struct tlsgen ca, other;
    struct mst_err err = {0};
    char dir[64], pem[600];

    (void)state;
    temp_dir(dir, sizeof(dir));
    tlsgen_init(&ca, dir, "ca");
    tlsgen_init(&other, dir, "other");
    tlsgen_issue(&ca, &want, pem);
    assert_ok(over_tls(pem, ca.ca, "127.0.0.1", &err), &err);
    assert_rc(over_tls(pem, other.ca, "127.0.0.1", &err), MST_E_TLS, &err);
    assert_non_null(strstr(err.msg, "is not accepted: SSL"));
    assert_non_null(strstr(err.msg, "unable to get local issuer certificate"));
    assert_rc(over_tls(pem, NULL, "127.0.0.1", &err), MST_E_TLS, &err);
    assert_rc(over_tls(pem, ca.ca, "localhost", &err), MST_E_TLS, &err);
    assert_non_null(strstr(err.msg, "is not accepted: SSL"));
    assert_non_null(strstr(err.msg, "no alternative certificate subject name matches"));
    want.file = "old.pem";
    want.expired = true;
    tlsgen_issue(&ca, &want, pem);
    assert_rc(over_tls(pem, ca.ca, "127.0.0.1", &err), MST_E_TLS, &err);
    assert_non_null(strstr(err.msg, "is not accepted: SSL"));
    assert_non_null(strstr(err.msg, "certificate has expired"));
    tlsgen_release(&ca);
    tlsgen_release(&other);
    temp_remove(dir);
}

/* ---- what is refused before anything is sent ---- */

static enum mst_rc no_login(void *arg, bool fresh, struct mst_login *out, struct mst_task *task,
                            struct mst_err *err)
{
    (void)arg;
    (void)fresh;
    (void)out;
    (void)task;
    return mst_err_set(err, MST_E_AUTH, "nobody logs in here");
}

static void what_makes_no_sense_is_refused_at_once(void **state)
{
    static const struct {
        struct mst_s3_conf conf;
        const char *sentence;
    } all[] = {
        {{.endpoint = "http://127.0.0.1:9", .bucket = "vault"},
         "the store offsite: the endpoint \"http://127.0.0.1:9\" is not like https://host:port "
         "(http only with plain_http)"},
        {{.endpoint = "https://127.0.0.1:9/path", .bucket = "vault"},
         "the store offsite: the endpoint \"https://127.0.0.1:9/path\" is not like "
         "https://host:port"},
        {{.endpoint = "https://127.0.0.1:9", .bucket = "../vault"},
         "the store offsite: \"../vault\" is not the name of a bucket"},
        {{.endpoint = "https://127.0.0.1:9", .bucket = "vault", .prefix = "a/../b"},
         "the store offsite: \"a/../b\" cannot be a prefix"},
        {{.bucket = "vault"}, "the store offsite has no endpoint: say where it is"},
        {{.endpoint = "https://127.0.0.1:9", .bucket = "vault", .profile = "s4"},
         "the store offsite: no kind of S3 store is called \"s4\""},
        {{.endpoint = "https://127.0.0.1:9",
          .bucket = "vault",
          .profile = "backblaze",
          .marks = {.tags = "team=db"}},
         "the store offsite: backblaze keeps no tags: take tags out"},
        {{.endpoint = "https://127.0.0.1:9", .bucket = "vault", .part_bytes = 1000},
         "the store offsite: parts are 5 MiB to 1 GiB"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(all); i++) {
        struct mst_s3_conf conf = all[i].conf;
        struct mst_store *none = NULL;
        struct mst_err err = {0};

        conf.name = "offsite";
        conf.login = no_login;
        assert_rc(mst_store_s3_open(&conf, &none, &err), MST_E_CONFIG, &err);
        assert_string_equal(err.msg, all[i].sentence);
        assert_null(none);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        T(every_kind_of_answer_has_its_sentence),  T(what_cannot_be_written_says_why),
        T(names_of_others_are_left_alone),         T(certificates_are_always_checked),
        T(what_makes_no_sense_is_refused_at_once),
    };

    return cmocka_run_group_tests_name("bad input for s3", tests, NULL, NULL);
}
