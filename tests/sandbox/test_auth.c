/* Users, refusals, sessions' ends and TLS, over the wire. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "auth/auth.h"
#include "conform/play.h"
#include "server/tls.h"
#include "test.h"
#include "tlsgen.h"

static struct sbx_world *start(const struct sbx_opts *o)
{
    struct sbx_world *w = NULL;
    struct mst_err err = {0};

    assert_ok(sbx_world_start(o, &w, &err), &err);
    return w;
}

static void add_user(struct sbx_world *w, const char *name, const char *password)
{
    struct mst_err err = {0};

    sbx_lock(w);
    assert_ok(sbx_auth_add(w, "admin", name, password, &err), &err);
    assert_rc(sbx_auth_add(w, "admin", name, password, &err), MST_E_EXISTS, &err);
    sbx_unlock(w);
}

/* Runs {name: 1} and returns the error code, 0 when it was answered with ok. */
static int code_of(struct sbx_client *c, const char *name, char *errmsg, size_t size)
{
    bson_t cmd = BSON_INITIALIZER, reply;
    struct mst_err err = {0};
    int64_t code = 0;

    BSON_APPEND_INT32(&cmd, name, 1);
    (void)!sbx_client_command(c, "admin", &cmd, &reply, &err);
    (void)sbx_doc_int(&reply, "code", &code);
    if (errmsg != NULL && sbx_doc_str(&reply, "errmsg") != NULL) {
        (void)snprintf(errmsg, size, "%s", sbx_doc_str(&reply, "errmsg"));
    }
    bson_destroy(&reply);
    bson_destroy(&cmd);
    return (int)code;
}

static void connect_to(struct sbx_client *c, const struct sbx_world *w)
{
    struct mst_err err = {0};

    assert_ok(sbx_client_connect(c, "127.0.0.1", sbx_world_port(w, 0), 10000, &err), &err);
}

static void strangers_may_only_say_hello(void **state)
{
    struct sbx_world *w = start(&(struct sbx_opts){.fast = true});
    struct sbx_client c;
    char why[512];

    (void)state;
    add_user(w, "root", "s3cret");
    connect_to(&c, w);
    assert_int_equal(code_of(&c, "isMaster", NULL, 0), 0);
    assert_int_equal(code_of(&c, "ping", NULL, 0), 0);
    assert_int_equal(code_of(&c, "replSetGetStatus", why, sizeof why), 13);
    assert_string_equal(why, "command replSetGetStatus requires authentication");
    assert_false(play_login(&c, "root", "wrong"));
    assert_int_equal(code_of(&c, "replSetGetStatus", NULL, 0), 13);
    assert_true(play_login(&c, "root", "s3cret"));
    assert_int_equal(code_of(&c, "replSetGetStatus", NULL, 0), 0);
    assert_int_equal(code_of(&c, "logout", NULL, 0), 0);
    assert_int_equal(code_of(&c, "replSetGetStatus", NULL, 0), 13);
    sbx_client_close(&c);
    sbx_world_stop(w);
}

static void a_command_can_be_refused_to_one_user(void **state)
{
    struct sbx_world *w = start(&(struct sbx_opts){.fast = true});
    struct sbx_client c;
    char why[512];

    (void)state;
    add_user(w, "view", "v");
    sbx_lock(w);
    sbx_auth_refuse(w, "view@admin", "serverStatus", true);
    sbx_unlock(w);
    connect_to(&c, w);
    assert_true(play_login(&c, "view", "v"));
    assert_int_equal(code_of(&c, "replSetGetStatus", NULL, 0), 0);
    assert_int_equal(code_of(&c, "serverStatus", why, sizeof why), 13);
    assert_string_equal(
        why, "not authorized on admin to execute command { serverStatus: 1, $db: \"admin\" }");
    sbx_lock(w);
    sbx_auth_refuse(w, "view@admin", "serverStatus", false);
    sbx_unlock(w);
    assert_int_equal(code_of(&c, "serverStatus", NULL, 0), 0);
    sbx_client_close(&c);
    sbx_world_stop(w);
}

/* A handshake of a client with this certificate; false when it was refused. */
static bool shake(const struct sbx_world *w, const char *ca, const char *cert)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl;
    struct sbx_client c;
    bool ok;

    SSL_CTX_load_verify_locations(ctx, ca, NULL);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (cert != NULL) {
        assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, cert), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, cert, SSL_FILETYPE_PEM), 1);
    }
    connect_to(&c, w);
    ssl = SSL_new(ctx);
    (void)fcntl(c.fd, F_SETFL, 0); /* the tiny client polls; here it may block */
    SSL_set_fd(ssl, c.fd);
    /* With TLS 1.3 a refusal of our certificate shows only when we read. */
    SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), "127.0.0.1");
    ok = SSL_connect(ssl) == 1;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    sbx_client_close(&c);
    return ok;
}

static void tls_asks_for_certificates_when_told(void **state)
{
    char dir[] = "/tmp/muster-tls-XXXXXX", server[600], client[600], stranger[600];
    struct tlsgen g, other;
    struct sbx_tls_options tls = {.require_client = true};
    struct sbx_world *w;

    (void)state;
    assert_non_null(mkdtemp(dir));
    tlsgen_init(&g, dir, "ca");
    tlsgen_init(&other, dir, "other");
    tlsgen_issue(&g, &(struct tlsgen_want){"s.pem", "O=m,CN=s", "IP:127.0.0.1", false, false},
                 server);
    tlsgen_issue(&g, &(struct tlsgen_want){"c.pem", "O=m,CN=c", NULL, true, false}, client);
    tlsgen_issue(&other, &(struct tlsgen_want){"x.pem", "O=m,CN=x", NULL, true, false}, stranger);
    tls.cert = server;
    tls.ca = g.ca;
    w = start(&(struct sbx_opts){.fast = true, .tls = &tls});
    assert_true(shake(w, g.ca, client));
    assert_false(shake(w, g.ca, NULL));
    assert_false(shake(w, g.ca, stranger));
    assert_false(shake(w, other.ca, client));
    sbx_world_stop(w);
    unlink(g.ca);
    unlink(other.ca);
    unlink(server);
    unlink(client);
    unlink(stranger);
    assert_int_equal(rmdir(dir), 0);
    tlsgen_release(&g);
    tlsgen_release(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(strangers_may_only_say_hello),
                                       cmocka_unit_test(a_command_can_be_refused_to_one_user),
                                       cmocka_unit_test(tls_asks_for_certificates_when_told)};

    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
