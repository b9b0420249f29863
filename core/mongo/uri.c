#include "mongo/uri.h"

#include <ctype.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

#define DEFAULT_PORT 27017

bool mst_addr_split(const char *addr, char *host, size_t size, uint16_t *port)
{
    const char *colon, *end;
    char *stop = NULL;
    size_t n;
    long v;

    if (addr[0] == '[') {
        end = strchr(addr, ']');
        if (!end || end[1] != ':') {
            return false;
        }
        addr++;
        colon = end + 1;
    } else {
        colon = strrchr(addr, ':');
        end = colon;
        if (!colon || memchr(addr, ':', (size_t)(colon - addr))) {
            return false;
        }
    }
    n = (size_t)(end - addr);
    if (n == 0 || n >= size || !isdigit((unsigned char)colon[1])) {
        return false;
    }
    v = strtol(colon + 1, &stop, 10);
    if (*stop || v < 1 || v > 65535) {
        return false;
    }
    memcpy(host, addr, n);
    host[n] = '\0';
    *port = (uint16_t)v;
    return true;
}

static bool host_char(char c)
{
    return isalnum((unsigned char)c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
}

bool mst_addr_normal(const char *text, char out[MST_ADDR_MAX])
{
    char host[256], full[MST_ADDR_MAX];
    const bool bracket = text[0] == '[';
    uint16_t port;
    int n;

    if (strlen(text) >= MST_ADDR_MAX - 8) {
        return false;
    }
    if (bracket ? text[strlen(text) - 1] == ']' : !strchr(text, ':')) {
        (void)snprintf(full, sizeof(full), "%s:%d", text, DEFAULT_PORT);
    } else {
        (void)mst_copy(full, sizeof(full), text);
    }
    if (!mst_addr_split(full, host, sizeof(host), &port)) {
        return false;
    }
    for (const char *p = host; *p; p++) {
        if (!host_char(*p)) {
            return false;
        }
    }
    n = snprintf(out, MST_ADDR_MAX, bracket ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
    return n > 0 && n < MST_ADDR_MAX;
}

enum mst_rc mst_mech_parse(const char *name, enum mst_mech *out, struct mst_err *err)
{
    static const struct {
        const char *name;
        enum mst_mech mech;
    } known[] = {{"SCRAM-SHA-1", MST_MECH_SCRAM_SHA_1},
                 {"SCRAM-SHA-256", MST_MECH_SCRAM_SHA_256},
                 {"MONGODB-X509", MST_MECH_X509}};
    static const char *const refused[] = {"GSSAPI", "PLAIN", "MONGODB-CR", "MONGODB-AWS",
                                          "MONGODB-OIDC"};
    char clean[64];

    for (size_t i = 0; i < MST_COUNT(known); i++) {
        if (strcmp(name, known[i].name) == 0) {
            *out = known[i].mech;
            return MST_OK;
        }
    }
    for (size_t i = 0; i < MST_COUNT(refused); i++) {
        if (strcmp(name, refused[i]) == 0) {
            return mst_err_set(err, MST_E_CONFIG,
                               "authMechanism %s is not supported; use SCRAM-SHA-256, SCRAM-SHA-1 "
                               "or MONGODB-X509",
                               refused[i]);
        }
    }
    mst_text_clean(clean, sizeof(clean), name, strlen(name));
    return mst_err_set(err, MST_E_CONFIG,
                       "unknown authMechanism '%s'; use SCRAM-SHA-256, SCRAM-SHA-1 or "
                       "MONGODB-X509",
                       clean);
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool unescape(const char *p, size_t n, char *out, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        char c = p[i];

        if (c == '%') {
            const int hi = i + 2 < n ? hex(p[i + 1]) : -1, lo = i + 2 < n ? hex(p[i + 2]) : -1;

            if (hi < 0 || lo < 0) {
                return false;
            }
            c = (char)(hi * 16 + lo);
            i += 2;
        }
        if (c == '\0' || at + 1 >= size) {
            return false;
        }
        out[at++] = c;
    }
    out[at] = '\0';
    return true;
}

enum kind { TEXT, BOOL, MILLIS, MECH, IGNORED, REFUSED };

struct option {
    const char *name;
    enum kind kind;
    size_t at, size;
};

#define FIELD(name, member) \
    { \
        name, TEXT, offsetof(struct mst_uri, member), sizeof(((struct mst_uri *)0)->member) \
    }

static const struct option options[] = {
    FIELD("replicaSet", set_name),
    FIELD("authSource", auth_source),
    FIELD("tlsCAFile", ca_file),
    FIELD("sslCertificateAuthorityFile", ca_file),
    FIELD("tlsCertificateKeyFile", cert_file),
    FIELD("sslClientCertificateKeyFile", cert_file),
    FIELD("appName", app),
    {"tls", BOOL, 0, 0},
    {"ssl", BOOL, 0, 0},
    {"connectTimeoutMS", MILLIS, 0, 0},
    {"authMechanism", MECH, 0, 0},
    {"tlsInsecure", REFUSED, 0, 0},
    {"tlsAllowInvalidCertificates", REFUSED, 0, 0},
    {"tlsAllowInvalidHostnames", REFUSED, 0, 0},
    {"sslAllowInvalidCertificates", REFUSED, 0, 0},
    {"sslAllowInvalidHostnames", REFUSED, 0, 0},
    {"tlsCertificateKeyFilePassword", REFUSED, 0, 0},
    {"sslClientCertificateKeyPassword", REFUSED, 0, 0},
    {"authMechanismProperties", REFUSED, 0, 0},
    {"loadBalanced", REFUSED, 0, 0},
    {"directConnection", IGNORED, 0, 0},
    {"compressors", IGNORED, 0, 0},
    {"zlibCompressionLevel", IGNORED, 0, 0},
    {"heartbeatFrequencyMS", IGNORED, 0, 0},
    {"serverMonitoringMode", IGNORED, 0, 0},
    {"serverSelectionTimeoutMS", IGNORED, 0, 0},
    {"serverSelectionTryOnce", IGNORED, 0, 0},
    {"socketTimeoutMS", IGNORED, 0, 0},
    {"timeoutMS", IGNORED, 0, 0},
    {"socketCheckIntervalMS", IGNORED, 0, 0},
    {"localThresholdMS", IGNORED, 0, 0},
    {"maxIdleTimeMS", IGNORED, 0, 0},
    {"maxPoolSize", IGNORED, 0, 0},
    {"minPoolSize", IGNORED, 0, 0},
    {"maxConnecting", IGNORED, 0, 0},
    {"waitQueueTimeoutMS", IGNORED, 0, 0},
    {"waitQueueMultiple", IGNORED, 0, 0},
    {"maxStalenessSeconds", IGNORED, 0, 0},
    {"readPreference", IGNORED, 0, 0},
    {"readPreferenceTags", IGNORED, 0, 0},
    {"readConcernLevel", IGNORED, 0, 0},
    {"retryReads", IGNORED, 0, 0},
    {"retryWrites", IGNORED, 0, 0},
    {"w", IGNORED, 0, 0},
    {"wTimeoutMS", IGNORED, 0, 0},
    {"wtimeout", IGNORED, 0, 0},
    {"journal", IGNORED, 0, 0},
    {"uuidRepresentation", IGNORED, 0, 0},
    {"srvMaxHosts", IGNORED, 0, 0},
    {"srvServiceName", REFUSED, 0, 0},
    {"tlsDisableOCSPEndpointCheck", IGNORED, 0, 0},
    {"tlsDisableCertificateRevocationCheck", REFUSED, 0, 0},
};

static enum mst_rc unknown(const char *name, struct mst_err *err)
{
    const char *names[MST_COUNT(options)], *near;
    char clean[64];

    for (size_t i = 0; i < MST_COUNT(options); i++) {
        names[i] = options[i].name;
    }
    near = mst_text_nearest(name, names, MST_COUNT(options));
    mst_text_clean(clean, sizeof(clean), name, strlen(name));
    if (near) {
        return mst_err_set(err, MST_E_CONFIG, "unknown option '%s' in the URI; did you mean %s?",
                           clean, near);
    }
    return mst_err_set(err, MST_E_CONFIG, "unknown option '%s' in the URI", clean);
}

static enum mst_rc refused(const struct option *o, struct mst_err *err)
{
    if (strstr(o->name, "Password")) {
        return mst_err_set(err, MST_E_CONFIG,
                           "%s in the URI is refused: a URI is seen by others; give the passphrase "
                           "by a file, a command or at the prompt",
                           o->name);
    }
    if (strstr(o->name, "Invalid") || strstr(o->name, "Insecure") || strstr(o->name, "Disable")) {
        return mst_err_set(err, MST_E_CONFIG,
                           "%s is refused: certificates are always checked; give the CA with "
                           "tlsCAFile and connect by the names in the certificates",
                           o->name);
    }
    return mst_err_set(err, MST_E_CONFIG, "the option %s is not supported", o->name);
}

static enum mst_rc set_bool(struct mst_uri *u, const char *name, const char *value,
                            struct mst_err *err)
{
    const bool on = strcmp(value, "true") == 0;

    if (!on && strcmp(value, "false") != 0) {
        return mst_err_set(err, MST_E_CONFIG, "%s in the URI must be true or false", name);
    }
    if (u->tls_given && u->tls != on) {
        return mst_err_set(err, MST_E_CONFIG, "the URI says both tls=true and tls=false");
    }
    u->tls_given = true;
    u->tls = on;
    return MST_OK;
}

static enum mst_rc set_millis(struct mst_uri *u, const char *name, const char *value,
                              struct mst_err *err)
{
    char *end = NULL;
    const long v = isdigit((unsigned char)value[0]) ? strtol(value, &end, 10) : -1;

    if (!end || *end || v < 1 || v > 600000) {
        return mst_err_set(err, MST_E_CONFIG, "%s in the URI must be 1 to 600000", name);
    }
    u->connect_ms = v;
    return MST_OK;
}

static enum mst_rc set_option(struct mst_uri *u, const char *name, const char *value,
                              struct mst_err *err)
{
    for (size_t i = 0; i < MST_COUNT(options); i++) {
        const struct option *o = &options[i];

        if (strcasecmp(o->name, name) != 0) {
            continue;
        }
        switch (o->kind) {
        case TEXT:
            return mst_copy((char *)u + o->at, o->size, value)
                       ? MST_OK
                       : mst_err_set(err, MST_E_CONFIG, "%s in the URI is too long", o->name);
        case BOOL:
            return set_bool(u, o->name, value, err);
        case MILLIS:
            return set_millis(u, o->name, value, err);
        case MECH:
            u->mech_given = true;
            return mst_mech_parse(value, &u->mech, err);
        case REFUSED:
            return refused(o, err);
        case IGNORED:
        default:
            return MST_OK;
        }
    }
    return unknown(name, err);
}

static enum mst_rc parse_options(struct mst_uri *u, const char *p, size_t n, struct mst_err *err)
{
    while (n > 0) {
        const char *amp = memchr(p, '&', n);
        const size_t len = amp ? (size_t)(amp - p) : n;
        const char *eq = memchr(p, '=', len);
        char name[64], value[512];
        enum mst_rc rc;

        if (len > 0) {
            if (!eq || !unescape(p, (size_t)(eq - p), name, sizeof(name)) ||
                !unescape(eq + 1, len - (size_t)(eq - p) - 1, value, sizeof(value))) {
                return mst_err_set(err, MST_E_CONFIG,
                                   "the URI's options must have the form name=value, with special "
                                   "characters as %%XX");
            }
            rc = set_option(u, name, value, err);
            if (rc != MST_OK) {
                return rc;
            }
        }
        p += len + (amp ? 1 : 0);
        n -= len + (amp ? 1 : 0);
    }
    return MST_OK;
}

static enum mst_rc parse_user(struct mst_uri *u, const char *p, size_t n, struct mst_err *err)
{
    if (memchr(p, ':', n)) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the URI holds a password: it would be seen in process lists and logs; "
                           "take it out and give it by a file, a command or at the prompt");
    }
    if (n == 0 || !unescape(p, n, u->user, sizeof(u->user))) {
        return mst_err_set(err, MST_E_CONFIG, "the user name in the URI is not valid");
    }
    return MST_OK;
}

static enum mst_rc parse_hosts(struct mst_uri *u, const char *p, size_t n, struct mst_err *err)
{
    while (n > 0) {
        const char *comma = memchr(p, ',', n);
        const size_t len = comma ? (size_t)(comma - p) : n;
        char raw[MST_ADDR_MAX], shown[64];

        mst_text_clean(shown, sizeof(shown), p, len);
        if (u->n_hosts >= MST_URI_HOSTS) {
            return mst_err_set(err, MST_E_CONFIG, "the URI names more than %d hosts",
                               MST_URI_HOSTS);
        }
        if (len == 0 || !unescape(p, len, raw, sizeof(raw)) ||
            !mst_addr_normal(raw, u->hosts[u->n_hosts])) {
            return mst_err_set(err, MST_E_CONFIG,
                               "'%s' in the URI is not a host of the form name or name:port",
                               shown);
        }
        u->n_hosts++;
        p += len + (comma ? 1 : 0);
        n -= len + (comma ? 1 : 0);
    }
    if (u->n_hosts == 0) {
        return mst_err_set(err, MST_E_CONFIG, "the URI names no host");
    }
    return MST_OK;
}

static enum mst_rc parse_srv_host(struct mst_uri *u, const char *p, size_t n, struct mst_err *err)
{
    size_t dots = 0;

    for (size_t i = 0; i < n; i++) {
        dots += p[i] == '.';
        if (!isalnum((unsigned char)p[i]) && p[i] != '.' && p[i] != '-' && p[i] != '_') {
            return mst_err_set(err, MST_E_CONFIG, "mongodb+srv takes one host name without a port");
        }
    }
    if (n == 0 || n >= sizeof(u->srv_host) || dots < 2 || p[0] == '.' || p[n - 1] == '.') {
        return mst_err_set(err, MST_E_CONFIG,
                           "mongodb+srv takes a host name of at least three parts, like "
                           "set.example.net");
    }
    memcpy(u->srv_host, p, n);
    u->srv_host[n] = '\0';
    return MST_OK;
}

static enum mst_rc finish(struct mst_uri *u, struct mst_err *err)
{
    if (!u->mech_given) {
        u->mech = u->user[0] ? MST_MECH_SCRAM : MST_MECH_NONE;
    }
    if (u->mech != MST_MECH_NONE && u->mech != MST_MECH_X509 && !u->user[0]) {
        return mst_err_set(err, MST_E_CONFIG, "the URI names an authMechanism but no user");
    }
    if (u->srv && !u->tls_given) {
        u->tls = true;
    }
    if ((u->ca_file[0] || u->cert_file[0]) && !u->tls_given) {
        u->tls_given = true;
        u->tls = true;
    }
    if (!u->tls && (u->ca_file[0] || u->cert_file[0])) {
        return mst_err_set(err, MST_E_CONFIG, "the URI names certificates but says tls=false");
    }
    return MST_OK;
}

enum mst_rc mst_uri_parse(const char *uri, struct mst_uri *out, struct mst_err *err)
{
    static const char plain[] = "mongodb://", srv[] = "mongodb+srv://";
    const char *p, *end, *at, *question;
    enum mst_rc rc = MST_OK;

    memset(out, 0, sizeof(*out));
    if (strncmp(uri, plain, sizeof(plain) - 1) == 0) {
        p = uri + sizeof(plain) - 1;
    } else if (strncmp(uri, srv, sizeof(srv) - 1) == 0) {
        p = uri + sizeof(srv) - 1;
        out->srv = true;
    } else {
        return mst_err_set(err, MST_E_CONFIG, "a URI starts with mongodb:// or mongodb+srv://");
    }
    question = strchr(p, '?');
    end = question ? question : p + strlen(p);
    /* A slash in a user name must be escaped, so the last @ before the first slash ends it. */
    at = memchr(p, '/', (size_t)(end - p));
    end = at ? at : end;
    at = memrchr(p, '@', (size_t)(end - p));
    if (at) {
        rc = parse_user(out, p, (size_t)(at - p), err);
        p = at + 1;
    }
    if (rc == MST_OK) {
        rc = out->srv ? parse_srv_host(out, p, (size_t)(end - p), err)
                      : parse_hosts(out, p, (size_t)(end - p), err);
    }
    if (rc == MST_OK && question) {
        rc = parse_options(out, question + 1, strlen(question + 1), err);
    }
    return rc == MST_OK ? finish(out, err) : rc;
}

enum mst_rc mst_uri_apply_txt(struct mst_uri *u, const char *txt, struct mst_err *err)
{
    struct mst_uri t = {0};
    enum mst_rc rc = parse_options(&t, txt, strlen(txt), err);
    const char *p = txt;

    if (rc != MST_OK) {
        mst_err_prefix(err, "TXT record of %s", u->srv_host);
        return rc;
    }
    while (p && *p) { /* nothing else may come from the name service */
        if (strncasecmp(p, "authSource=", 11) != 0 && strncasecmp(p, "replicaSet=", 11) != 0 &&
            strncasecmp(p, "loadBalanced=", 13) != 0) {
            return mst_err_set(err, MST_E_CONFIG,
                               "the TXT record of %s sets more than authSource and replicaSet",
                               u->srv_host);
        }
        p = strchr(p, '&');
        p = p ? p + 1 : NULL;
    }
    if (!u->auth_source[0]) {
        (void)mst_copy(u->auth_source, sizeof(u->auth_source), t.auth_source);
    }
    if (!u->set_name[0]) {
        (void)mst_copy(u->set_name, sizeof(u->set_name), t.set_name);
    }
    return MST_OK;
}
