#include "test.h" /* cmocka, assert_ok(), assert_rc() */

#include <dirent.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mockmember.h"
#include "mongo/mongo.h"
#include "tlsgen.h"

struct pki {
    struct tlsgen ca, other;
    char dir[64];
    char db1[600], db2[600], expired[600], client[600];
};

static void hello_as(struct mock *m, const char *me)
{
    char json[600];

    (void)snprintf(json, sizeof(json),
                   "{\"ismaster\": true, \"setName\": \"rs0\", \"me\": \"%s\", \"hosts\": "
                   "[\"db1.test:27017\", \"db2.test:27017\"], \"maxWireVersion\": 8, \"ok\": 1}",
                   me);
    mock_reply_json(m, "isMaster", json);
    mock_reply_json(m, "ping", "{\"ok\": 1}");
}

static int setup(void **state)
{
    struct pki *p = mst_xcalloc(1, sizeof(*p));

    (void)mst_copy(p->dir, sizeof(p->dir), "/tmp/muster-tls-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    tlsgen_init(&p->ca, p->dir, "ca");
    tlsgen_init(&p->other, p->dir, "other");
    tlsgen_issue(
        &p->ca,
        &(struct tlsgen_want){.file = "db1.pem", .subject = "CN=db1.test", .san = "DNS:db1.test"},
        p->db1);
    tlsgen_issue(
        &p->ca,
        &(struct tlsgen_want){.file = "db2.pem", .subject = "CN=db2.test", .san = "DNS:db2.test"},
        p->db2);
    tlsgen_issue(
        &p->ca,
        &(struct tlsgen_want){
            .file = "old.pem", .subject = "CN=db1.test", .san = "DNS:db1.test", .expired = true},
        p->expired);
    tlsgen_issue(
        &p->ca,
        &(struct tlsgen_want){.file = "ops.pem", .subject = "O=muster,CN=ops", .client = true},
        p->client);
    mst_mongo_init();
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pki *p = *state;
    DIR *d = opendir(p->dir);
    const struct dirent *e;
    char path[512];

    while (d && (e = readdir(d)) != NULL) {
        if (e->d_name[0] != '.') {
            (void)snprintf(path, sizeof(path), "%.60s/%.255s", p->dir, e->d_name);
            (void)unlink(path);
        }
    }
    (void)closedir(d);
    (void)rmdir(p->dir);
    tlsgen_release(&p->ca);
    tlsgen_release(&p->other);
    free(p);
    mst_mongo_cleanup();
    return 0;
}

static struct mst_conn_opts opts(const struct pki *p, const struct mock *m, const char *name)
{
    struct mst_conn_opts o = {.check_me = true, .connect_ms = 3000};

    (void)mst_copy(o.name, sizeof(o.name), name);
    (void)mst_copy(o.dial, sizeof(o.dial), mock_addr(m));
    o.tls.on = true;
    (void)mst_copy(o.tls.ca_file, sizeof(o.tls.ca_file), p->ca.ca);
    return o;
}

static struct mock *serve(const char *cert, const char *ca, const char *me)
{
    const struct mock_tls tls = {.cert_file = cert, .ca_file = ca};
    struct mock *m = mock_start(&tls);

    hello_as(m, me);
    return m;
}

static enum mst_rc ping(struct mst_conn *c, struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER, reply;
    enum mst_rc rc;

    (void)BSON_APPEND_INT32(&cmd, "ping", 1);
    rc = mst_conn_command(c, "admin", &cmd, 2000, &reply, err);
    bson_destroy(&reply);
    bson_destroy(&cmd);
    return rc;
}

static void fails(const struct mst_conn_opts *o, enum mst_rc want, int detail, const char *says)
{
    struct mst_conn *c = NULL;
    struct mst_err err = {0};

    assert_rc(mst_conn_open(o, &c, &err), want, &err);
    assert_int_equal(err.detail, detail);
    if (!strstr(err.msg, says)) {
        fail_msg("'%s' does not say '%s'", err.msg, says);
    }
}

static void the_certificate_is_checked_against_the_name_not_the_address(void **state)
{
    const struct pki *p = *state;
    struct mock *m = serve(p->db1, NULL, "db1.test:27017");
    const struct mst_conn_opts o = opts(p, m, "db1.test:27017");
    struct mst_conn *c = NULL;
    struct mst_err err = {0};

    assert_ok(mst_conn_open(&o, &c, &err), &err);
    for (int i = 0; i < 20; i++) {
        assert_ok(ping(c, &err), &err);
    }
    mst_conn_free(c);
    mock_stop(m);
}

static void two_swapped_tunnels_are_refused_by_their_certificates(void **state)
{
    const struct pki *p = *state;
    struct mock *one = serve(p->db1, NULL, "db1.test:27017"),
                *two = serve(p->db2, NULL, "db2.test:27017");
    const struct mst_conn_opts a = opts(p, two, "db1.test:27017"),
                               b = opts(p, one, "db2.test:27017");

    fails(&a, MST_E_TLS, MST_CD_TLS_HOSTNAME, "the certificate is not for db1.test");
    fails(&b, MST_E_TLS, MST_CD_TLS_HOSTNAME, "the certificate is not for db2.test");
    assert_int_equal(mock_count(one, "isMaster"), 0); /* not a word was said */
    assert_int_equal(mock_count(two, "isMaster"), 0);
    mock_stop(one);
    mock_stop(two);
}

static void each_tls_failure_has_its_own_sentence(void **state)
{
    struct pki *p = *state;
    struct mock *m = serve(p->expired, NULL, "db1.test:27017"), *plain;
    struct mst_conn_opts o = opts(p, m, "db1.test:27017");

    fails(&o, MST_E_TLS, MST_CD_TLS_EXPIRED, "has expired");
    mock_stop(m);
    m = serve(p->db1, NULL, "db1.test:27017");
    o = opts(p, m, "db1.test:27017");
    (void)mst_copy(o.tls.ca_file, sizeof(o.tls.ca_file), p->other.ca);
    fails(&o, MST_E_TLS, MST_CD_TLS_CA, "not issued by the given CA");
    (void)mst_copy(o.tls.ca_file, sizeof(o.tls.ca_file), "/nonexistent/ca.pem");
    fails(&o, MST_E_TLS, MST_CD_TLS_FILE, "cannot read the CA file /nonexistent/ca.pem");
    (void)mst_copy(o.tls.ca_file, sizeof(o.tls.ca_file), p->ca.ca);
    (void)mst_copy(o.tls.cert_file, sizeof(o.tls.cert_file), p->ca.ca); /* no key inside */
    fails(&o, MST_E_TLS, MST_CD_TLS_FILE, "no key inside");
    mock_stop(m);
    plain = mock_start(NULL);
    hello_as(plain, "db1.test:27017");
    o = opts(p, plain, "db1.test:27017");
    fails(&o, MST_E_TLS, MST_CD_TLS_OTHER, "TLS");
    mock_stop(plain);
}

static void a_silent_handshake_ends_at_the_deadline(void **state)
{
    const struct pki *p = *state;
    struct mock *m = serve(p->db1, NULL, "db1.test:27017");
    struct mst_conn_opts o = opts(p, m, "db1.test:27017");
    struct mst_conn *c = NULL;
    struct mst_err err = {0};
    const int64_t start = mst_clock_mono_ms(NULL);

    mock_freeze(m, true);
    o.connect_ms = 300;
    assert_rc(mst_conn_open(&o, &c, &err), MST_E_TIMEOUT, &err);
    assert_true(mst_clock_mono_ms(NULL) - start < 2500);
    mock_freeze(m, false);
    mock_stop(m);
}

static void a_client_certificate_is_shown_and_logs_in(void **state)
{
    const struct pki *p = *state;
    struct mock *m = serve(p->db1, p->ca.ca, "db1.test:27017");
    struct mst_conn_opts o = opts(p, m, "db1.test:27017");
    const struct mst_cred cred = {.mech = MST_MECH_X509};
    struct mst_conn *c = NULL;
    struct mst_err err = {0};
    bson_t sent;
    char user[64];

    fails(&o, MST_E_TLS, MST_CD_TLS_OTHER, "may want a client certificate");
    (void)mst_copy(o.tls.cert_file, sizeof(o.tls.cert_file), p->client);
    o.cred = &cred;
    mock_reply_json(m, "authenticate", "{\"ok\": 1}");
    assert_ok(mst_conn_open(&o, &c, &err), &err);
    assert_ok(ping(c, &err), &err);
    mst_conn_free(c);
    assert_true(mock_last(m, "isMaster", &sent));
    assert_true(mst_bson_text(&sent, "speculativeAuthenticate.user", user, sizeof(user)));
    assert_string_equal(user, "CN=ops,O=muster"); /* the certificate's subject */
    bson_destroy(&sent);
    mock_stop(m);
}

static void a_large_reply_comes_through_tls(void **state)
{
    const struct pki *p = *state;
    struct mock *m = serve(p->db1, NULL, "db1.test:27017");
    const struct mst_conn_opts o = opts(p, m, "db1.test:27017");
    struct mst_conn *c = NULL;
    struct mst_err err = {0};
    bson_t big = BSON_INITIALIZER, cmd = BSON_INITIALIZER, reply;
    uint8_t *blob = mst_xcalloc(1, 8 << 20);

    memset(blob, 'x', 8 << 20);
    (void)bson_append_binary(&big, "blob", -1, BSON_SUBTYPE_BINARY, blob, 8 << 20);
    (void)BSON_APPEND_INT32(&big, "ok", 1);
    mock_reply(m, "big", &big);
    assert_ok(mst_conn_open(&o, &c, &err), &err);
    (void)BSON_APPEND_INT32(&cmd, "big", 1);
    assert_ok(mst_conn_command(c, "admin", &cmd, 10000, &reply, &err), &err);
    assert_int_equal(reply.len, big.len);
    assert_memory_equal(bson_get_data(&reply), bson_get_data(&big), big.len);
    bson_destroy(&reply);
    bson_destroy(&cmd);
    bson_destroy(&big);
    free(blob);
    mst_conn_free(c);
    mock_stop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_certificate_is_checked_against_the_name_not_the_address),
        cmocka_unit_test(two_swapped_tunnels_are_refused_by_their_certificates),
        cmocka_unit_test(each_tls_failure_has_its_own_sentence),
        cmocka_unit_test(a_silent_handshake_ends_at_the_deadline),
        cmocka_unit_test(a_client_certificate_is_shown_and_logs_in),
        cmocka_unit_test(a_large_reply_comes_through_tls),
    };

    return cmocka_run_group_tests_name("tls", tests, setup, teardown);
}
