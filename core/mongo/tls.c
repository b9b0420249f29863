#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "mongo/link.h"

/* OpenSSL's numbers for a failed verification; the driver puts them into its message. */
enum { V_NOT_YET_VALID = 9, V_EXPIRED = 10, V_CRL_EXPIRED = 12, V_HOSTNAME = 62, V_IP = 64 };

static enum mst_rc check_file(const char *path, const char *what, struct mst_err *err)
{
    struct stat st;
    char why[128];

    if (stat(path, &st) != 0 || access(path, R_OK) != 0) {
        return mst_err_set_detail(err, MST_E_TLS, MST_CD_TLS_FILE, "cannot read the %s %s: %s",
                                  what, path, mst_errno_text(errno, why, sizeof(why)));
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        return mst_err_set_detail(err, MST_E_TLS, MST_CD_TLS_FILE, "the %s %s is not a PEM file",
                                  what, path);
    }
    return MST_OK;
}

enum mst_rc mst_tls_files(const struct mst_tls *tls, struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    if (tls->ca_file[0]) { /* a missing one makes this driver crash */
        rc = check_file(tls->ca_file, "CA file", err);
    }
    if (rc == MST_OK && tls->cert_file[0]) {
        rc = check_file(tls->cert_file, "certificate file", err);
    }
    return rc;
}

void mst_tls_to_driver(const struct mst_tls *tls, mongoc_ssl_opt_t *out)
{
    *out = *mongoc_ssl_opt_get_default();
    out->ca_file = tls->ca_file[0] ? tls->ca_file : NULL;
    out->pem_file = tls->cert_file[0] ? tls->cert_file : NULL;
    out->pem_pwd = tls->cert_password.p;
    out->weak_cert_validation = false;
    out->allow_invalid_hostname = false;
}

static void explain_verify(struct mst_link *l, long code, const char *text, const char *name)
{
    switch (code) {
    case V_EXPIRED:
    case V_CRL_EXPIRED:
        mst_link_fail(l, MST_E_TLS, MST_CD_TLS_EXPIRED,
                      "TLS: the certificate of %s has expired (or this host's clock is wrong)",
                      name);
        break;
    case V_NOT_YET_VALID:
        mst_link_fail(l, MST_E_TLS, MST_CD_TLS_EXPIRED,
                      "TLS: the certificate of %s is not valid yet (or this host's clock is wrong)",
                      name);
        break;
    case V_HOSTNAME:
    case V_IP:
        mst_link_fail(l, MST_E_TLS, MST_CD_TLS_HOSTNAME,
                      "TLS: the certificate is not for %s: another host answers at this address, "
                      "or its certificate lacks the name",
                      name);
        break;
    default:
        mst_link_fail(l, MST_E_TLS, MST_CD_TLS_CA,
                      "TLS: the certificate of %s was not issued by the given CA (%s)", name, text);
        break;
    }
}

/* The driver tells the reason only in words; these are 1.23.1's. */
static void explain(struct mst_link *l, const bson_error_t *e, const char *name)
{
    static const char verify[] = "certificate verify failed (";
    char text[300];
    const char *at = strstr(e->message, verify);

    mst_text_clean(text, sizeof(text), e->message, strnlen(e->message, sizeof(e->message)));
    if (at) {
        char *end = NULL;
        const long code = strtol(at + sizeof(verify) - 1, &end, 10);

        at = end && *end == ')' && end[1] == ':' ? end + 3 : "";
        mst_text_clean(text, sizeof(text), at, strlen(at));
        explain_verify(l, code, text, name);
    } else if (strstr(e->message, "Failed certificate verification")) {
        explain_verify(l, V_HOSTNAME, "", name);
    } else if (strstr(e->message, "wrong version number") ||
               strstr(e->message, "packet length too long")) {
        mst_link_fail(
            l, MST_E_TLS, MST_CD_TLS_OTHER,
            "TLS: %s does not speak TLS on this port; switch TLS off or name another port", name);
    } else if (l->err.rc == MST_E_NET && !l->heard) {
        /* A server without TLS closes when it sees our hello. */
        l->err.rc = MST_OK;
        mst_link_fail(
            l, MST_E_TLS, MST_CD_TLS_OTHER,
            "TLS: %s closed the connection at the first TLS message; it may not speak TLS", name);
    } else {
        mst_link_fail(l, MST_E_TLS, MST_CD_TLS_OTHER, "TLS: handshake with %s failed: %s", name,
                      text);
    }
}

mongoc_stream_t *mst_link_tls(struct mst_link *l, mongoc_stream_t *base, const char *name,
                              const struct mst_tls *tls)
{
    mongoc_ssl_opt_t opt;
    mongoc_stream_t *s;
    bson_error_t e = {0};

    mst_tls_to_driver(tls, &opt);
    s = mongoc_stream_tls_new_with_hostname(base, name, &opt, 1);
    if (!s) {
        mst_link_fail(
            l, MST_E_TLS, MST_CD_TLS_FILE,
            "TLS: cannot use the CA or certificate file (%s%s%s): not PEM, no key inside, "
            "or a wrong passphrase",
            tls->ca_file, tls->ca_file[0] && tls->cert_file[0] ? ", " : "", tls->cert_file);
        mongoc_stream_destroy(base);
        return NULL;
    }
    if (!mongoc_stream_tls_handshake_block(s, name, mst_link_left(l, -1), &e)) {
        if (l->err.rc == MST_E_TIMEOUT || (l->err.rc == MST_OK && mst_link_left(l, -1) == 0)) {
            l->err.rc = MST_OK;
            mst_link_fail(l, MST_E_TIMEOUT, 0, "no answer to the TLS handshake in time");
        } else if (l->err.rc != MST_E_CANCELLED) {
            explain(l, &e, name);
        }
        mongoc_stream_destroy(s);
        return NULL;
    }
    l->tls = true;
    return s;
}
