/* What libcurl found, as a sentence: who did not answer, how far it came, and what is likely. */
#include <string.h>

#include "base/text.h"
#include "http/pool.h"

static bool has(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strstr(text, words[i])) {
            return true;
        }
    }
    return false;
}

static bool is_cut(const char *text)
{
    static const char *const words[] = {"reset", "SYSCALL", "unexpected eof", "Connection refused"};

    return has(text, words, sizeof(words) / sizeof(words[0]));
}

/* What OpenSSL says when the bytes that come are no TLS at all. */
static bool is_no_tls(const char *text)
{
    static const char *const words[] = {"wrong version number", "packet length too long",
                                        "http request"};

    return has(text, words, sizeof(words) / sizeof(words[0]));
}

/* The proxy answered, and made no way. */
static enum mst_rc no_way(const struct mst_http_why *w, struct mst_err *err)
{
    if (w->proxy_status == 407) {
        return mst_err_set(err, MST_E_AUTH,
                           w->proxy_login
                               ? "the proxy %s does not take the login that it was given "
                                 "(HTTP 407): mend proxy_login_file"
                               : "the proxy %s wants a login (HTTP 407): set "
                                 "proxy_login_file",
                           w->proxy);
    }
    return mst_err_set(err, w->proxy_status >= 500 ? MST_E_NET : MST_E_SERVER,
                       "the proxy %s makes no way to %s (HTTP %ld): its rules have to allow that",
                       w->proxy, w->host, w->proxy_status);
}

/* By how far it came in the time that there was. */
static enum mst_rc too_late(const struct mst_http_why *w, struct mst_err *err)
{
    const double s = (double)w->connect_ms / 1000;

    if (!w->found) {
        return mst_err_set(err, MST_E_TIMEOUT,
                           "the resolver of this host did not say within %.1f s what the address "
                           "of %s is",
                           s, w->proxy ? w->proxy : w->host);
    }
    if (!w->connected || !w->tls || (w->proxy && w->proxy_status == 0)) {
        return mst_err_set(err, MST_E_TIMEOUT, "no connection to %s%s%s within %.1f s", w->host,
                           w->proxy ? " through the proxy " : "", w->proxy ? w->proxy : "", s);
    }
    return mst_err_set(err, MST_E_TIMEOUT,
                       "%s takes the connection and answers no TLS within %.1f s: is it plain "
                       "http, or another service",
                       w->host, s);
}

static enum mst_rc bad_tls(const struct mst_http_why *w, struct mst_err *err)
{
    char why[CURL_ERROR_SIZE];

    mst_text_clean(why, sizeof(why), w->text, strlen(w->text));
    if (w->code == CURLE_SSL_CACERT_BADFILE) {
        return mst_err_set(err, MST_E_CONFIG,
                           "ca_file cannot be used, it must hold certificates in PEM: %s", why);
    }
    if (w->code == CURLE_SSL_CONNECT_ERROR && is_no_tls(why)) {
        return mst_err_set(err, MST_E_TLS,
                           "%s does not answer with TLS: is it plain http, or another service",
                           w->host);
    }
    if (w->code == CURLE_SSL_CONNECT_ERROR && is_cut(why)) {
        return mst_err_set(err, MST_E_NET, "%s cut the connection while it was made", w->host);
    }
    return mst_err_set(err, MST_E_TLS, "the certificate or TLS of %s is not accepted: %s", w->host,
                       why);
}

enum mst_rc mst_http_why(const struct mst_http_why *w, struct mst_err *err)
{
    if (w->proxy && w->proxy_status >= 300) {
        return no_way(w, err);
    }
    if (w->wants_tls) {
        return mst_err_set(err, MST_E_CONFIG,
                           "%s wants TLS: its address begins with https://, without plain_http",
                           w->host);
    }
    switch ((int)w->code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return mst_err_set(err, MST_E_NET, "cannot find the address of %s", w->host);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return mst_err_set(err, MST_E_NET, "cannot find the address of the proxy %s", w->proxy);
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        return mst_err_set(err, MST_E_NET, "cannot connect to %s%s%s", w->host,
                           w->proxy ? " through the proxy " : "", w->proxy ? w->proxy : "");
    case CURLE_OPERATION_TIMEDOUT:
        return too_late(w, err);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return bad_tls(w, err);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_HTTP2:
        return mst_err_set(err, MST_E_SERVER, "%s does not speak HTTP/1.1%s", w->host,
                           w->tls ? "" : ": is it https, or another service");
    case CURLE_URL_MALFORMAT:
        return mst_err_set(err, MST_E_CONFIG, "%s is not the address of a server", w->host);
    default:
        return mst_err_set(err, MST_E_NET, "the connection to %s was cut (%s)", w->host,
                           curl_easy_strerror(w->code));
    }
}
