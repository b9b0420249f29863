#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"
#include "tlsgen.h"

static X509 *load(const char *path)
{
    FILE *f = fopen(path, "r");
    X509 *cert;

    assert_non_null(f);
    cert = PEM_read_X509(f, NULL, NULL, NULL);
    (void)fclose(f);
    assert_non_null(cert);
    return cert;
}

static int verify(X509 *ca, X509 *cert, const char *ip, const char *host)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int code;

    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(ctx, store, cert, NULL);
    if (ip != NULL) {
        X509_VERIFY_PARAM_set1_ip_asc(X509_STORE_CTX_get0_param(ctx), ip);
    }
    if (host != NULL) {
        X509_VERIFY_PARAM_set1_host(X509_STORE_CTX_get0_param(ctx), host, 0);
    }
    X509_verify_cert(ctx);
    code = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return code;
}

static void a_server_certificate_is_good_for_its_names_only(void **state)
{
    char dir[] = "/tmp/muster-tlsgen-XXXXXX", good[600], old[600];
    struct tlsgen g, other;
    X509 *ca, *wrong, *cert, *expired;

    (void)state;
    assert_non_null(mkdtemp(dir));
    tlsgen_init(&g, dir, "ca");
    tlsgen_init(&other, dir, "other");
    tlsgen_issue(&g, &(struct tlsgen_want){"s.pem", "O=m,CN=db1", "DNS:db1,IP:127.0.0.1", 0, 0},
                 good);
    tlsgen_issue(&g, &(struct tlsgen_want){"e.pem", "O=m,CN=db1", NULL, 0, 1}, old);
    ca = load(g.ca);
    wrong = load(other.ca);
    cert = load(good);
    expired = load(old);
    assert_int_equal(verify(ca, cert, "127.0.0.1", NULL), X509_V_OK);
    assert_int_equal(verify(ca, cert, NULL, "db1"), X509_V_OK);
    assert_int_equal(verify(ca, cert, NULL, "db2"), X509_V_ERR_HOSTNAME_MISMATCH);
    assert_int_equal(verify(ca, cert, "127.0.0.2", NULL), X509_V_ERR_IP_ADDRESS_MISMATCH);
    assert_int_equal(verify(ca, expired, NULL, NULL), X509_V_ERR_CERT_HAS_EXPIRED);
    assert_int_not_equal(verify(wrong, cert, NULL, NULL), X509_V_OK);
    X509_free(ca);
    X509_free(wrong);
    X509_free(cert);
    X509_free(expired);
    unlink(g.ca);
    unlink(other.ca);
    unlink(good);
    unlink(old);
    assert_int_equal(rmdir(dir), 0);
    tlsgen_release(&g);
    tlsgen_release(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_certificate_is_good_for_its_names_only)};

    return cmocka_run_group_tests_name("tlsgen", tests, NULL, NULL);
}
