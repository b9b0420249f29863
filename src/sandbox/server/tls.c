#include "server/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/mem.h"
#include "log/log.h"

struct tls {
    SSL_CTX *of[SBX_MEMBERS_MAX];
};

static const char *reason(char *buf, size_t n)
{
    const unsigned long e = ERR_get_error();

    ERR_error_string_n(e, buf, n);
    ERR_clear_error();
    return e != 0 ? buf : "no reason given";
}

static SSL_CTX *context(const char *cert, const struct sbx_tls_options *o, struct mst_err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    char why[160];

    if (ctx == NULL) {
        (void)mst_err_set(err, MST_E_BUG, "no TLS in this OpenSSL");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, cert, SSL_FILETYPE_PEM) != 1) {
        (void)mst_err_set(err, MST_E_CONFIG, "%s: no key with its certificate: %s", cert,
                          reason(why, sizeof why));
        SSL_CTX_free(ctx);
        return NULL;
    }
    if (o->ca != NULL) {
        if (SSL_CTX_load_verify_locations(ctx, o->ca, NULL) != 1) {
            (void)mst_err_set(err, MST_E_CONFIG, "%s: no certificate of an authority: %s", o->ca,
                              reason(why, sizeof why));
            SSL_CTX_free(ctx);
            return NULL;
        }
        SSL_CTX_set_verify(
            ctx, SSL_VERIFY_PEER | (o->require_client ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    }
    return ctx;
}

enum mst_rc sbx_tls_init(struct sbx_world *w, const struct sbx_tls_options *o, struct mst_err *err)
{
    struct tls *t = mst_xcalloc(1, sizeof *t);

    w->tls = t;
    if (o->require_client && o->ca == NULL) {
        sbx_tls_release(w);
        return mst_err_set(err, MST_E_USAGE, "client certificates need an authority's to check");
    }
    for (size_t i = 0; i < SBX_MEMBERS_MAX; i++) {
        const char *cert = o->of[i] != NULL ? o->of[i] : o->cert;

        if (cert == NULL) {
            continue;
        }
        t->of[i] = context(cert, o, err);
        if (t->of[i] == NULL) {
            sbx_tls_release(w);
            return err->rc;
        }
    }
    return MST_OK;
}

void sbx_tls_release(struct sbx_world *w)
{
    struct tls *t = w->tls;

    for (size_t i = 0; t != NULL && i < SBX_MEMBERS_MAX; i++) {
        SSL_CTX_free(t->of[i]);
    }
    free(t);
    w->tls = NULL;
}

static long tls_read(struct sbx_conn *conn, void *p, size_t n)
{
    const int k = SSL_read(conn->io.arg, p, (int)(n > 1 << 20 ? 1 << 20 : n));

    if (k > 0) {
        return k;
    }
    errno = EIO;
    return SSL_get_error(conn->io.arg, k) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static long tls_write(struct sbx_conn *conn, const void *p, size_t n)
{
    const int k = SSL_write(conn->io.arg, p, (int)(n > 1 << 20 ? 1 << 20 : n));

    errno = EIO;
    return k > 0 ? k : -1;
}

static void tls_close(struct sbx_conn *conn)
{
    SSL_free(conn->io.arg);
    conn->io.arg = NULL;
}

/* The subject as MongoDB writes it: RFC 2253, the most special part first. */
static void subject_of(SSL *ssl, char *out, size_t size)
{
    X509 *cert = SSL_get1_peer_certificate(ssl);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long n;

    out[0] = '\0';
    if (cert != NULL && bio != NULL &&
        X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
        n = BIO_get_mem_data(bio, &text);
        if (n > 0 && (size_t)n < size) {
            memcpy(out, text, (size_t)n);
            out[n] = '\0';
        }
    }
    BIO_free(bio);
    X509_free(cert);
}

bool sbx_tls_accept(struct sbx_conn *conn)
{
    struct tls *t = conn->w->tls;
    char why[160];
    SSL *ssl;

    if (t == NULL || t->of[conn->m->index] == NULL) {
        return true;
    }
    ERR_clear_error();
    ssl = SSL_new(t->of[conn->m->index]);
    if (ssl == NULL || SSL_set_fd(ssl, conn->fd) != 1 || SSL_accept(ssl) != 1) {
        mst_log(MST_LOG_INFO, "sandbox", "%s: TLS handshake failed: %s", conn->peer,
                reason(why, sizeof why));
        SSL_free(ssl);
        return false;
    }
    subject_of(ssl, conn->subject, sizeof conn->subject);
    conn->io = (struct sbx_stream){tls_read, tls_write, tls_close, ssl};
    return true;
}
