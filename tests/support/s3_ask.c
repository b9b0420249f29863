#include "s3_ask.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "s3d.h"

static void hex(const unsigned char *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", p[i]);
    }
}

static void sha256_hex(const void *p, size_t n, char out[65])
{
    unsigned char raw[32];

    MST_ASSERT(EVP_Digest(n ? p : "", n, raw, NULL, EVP_sha256(), NULL) == 1);
    hex(raw, sizeof(raw), out);
}

static void step(unsigned char k[32], size_t key_n, const void *key, const char *text)
{
    unsigned char out[32];
    unsigned n = 32;

    MST_ASSERT(
        HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)text, strlen(text), out, &n));
    memcpy(k, out, sizeof(out));
}

static int by_name(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

struct signing {
    char when[32], day[16], hash[65], host[40];
    char *lines[32]; /* "name:value" */
    size_t n;
    struct mst_str names, canonical;
};

static void collect(const struct s3_ask *q, struct signing *g)
{
    const time_t at = q->at_s ? (time_t)q->at_s : time(NULL);
    struct tm tm;

    (void)gmtime_r(&at, &tm);
    (void)strftime(g->when, sizeof(g->when), "%Y%m%dT%H%M%SZ", &tm);
    (void)strftime(g->day, sizeof(g->day), "%Y%m%d", &tm);
    sha256_hex(q->body, q->n, g->hash);
    (void)snprintf(g->host, sizeof(g->host), "127.0.0.1:%d", q->port);
    g->lines[g->n++] = mst_xasprintf("host:%s", g->host);
    g->lines[g->n++] = mst_xasprintf("x-amz-content-sha256:%s", q->hash ? q->hash : g->hash);
    g->lines[g->n++] = mst_xasprintf("x-amz-date:%s", g->when);
    for (size_t i = 0; q->headers && q->headers[i]; i++) {
        const char *colon = strchr(q->headers[i], ':');

        g->lines[g->n++] = mst_xasprintf("%.*s:%s", (int)(colon - q->headers[i]), q->headers[i],
                                         colon + 1 + (colon[1] == ' '));
    }
    qsort(g->lines, g->n, sizeof(g->lines[0]), by_name);
    for (size_t i = 0; i < g->n; i++) {
        mst_str_addf(&g->names, "%s%.*s", i ? ";" : "", (int)strcspn(g->lines[i], ":"),
                     g->lines[i]);
    }
}

static void sign(const struct s3_ask *q, struct signing *g, char out[65])
{
    const char *region = q->region ? q->region : S3D_REGION;
    const char *mark = strchr(q->target, '?');
    const int path_n = (int)(mark ? (size_t)(mark - q->target) : strlen(q->target));
    char digest[65], *seed = mst_xasprintf("AWS4%s", q->secret ? q->secret : S3D_SECRET);
    struct mst_str text = {0};
    unsigned char k[32];

    mst_str_addf(&g->canonical, "%s\n%.*s\n%s\n", q->method, path_n, q->target,
                 mark ? mark + 1 : "");
    for (size_t i = 0; i < g->n; i++) {
        mst_str_addf(&g->canonical, "%s\n", g->lines[i]);
    }
    mst_str_addf(&g->canonical, "\n%s\n%s", mst_str_c(&g->names), q->hash ? q->hash : g->hash);
    sha256_hex(mst_str_c(&g->canonical), g->canonical.len, digest);
    mst_str_addf(&text, "AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n%s", g->when, g->day, region,
                 digest);
    step(k, strlen(seed), seed, g->day);
    step(k, 32, k, region);
    step(k, 32, k, "s3");
    step(k, 32, k, "aws4_request");
    step(k, 32, k, mst_str_c(&text));
    hex(k, sizeof(k), out);
    free(seed);
    mst_str_release(&text);
}

static int dial(int port)
{
    const struct sockaddr_in a = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval limit = {.tv_sec = 20};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

void s3_ask_raw(int port, const void *p, size_t n, struct s3_asked *a)
{
    const int fd = dial(port);
    char buf[65536];
    const char *end = NULL;
    ssize_t got;

    memset(a, 0, sizeof(*a));
    mst_str_init(&a->body, 64U << 20);
    for (size_t sent = 0; fd >= 0 && sent < n;) {
        got = send(fd, (const char *)p + sent, n - sent, MSG_NOSIGNAL);
        if (got <= 0) {
            break;
        }
        sent += (size_t)got;
    }
    while (fd >= 0 && (got = recv(fd, buf, sizeof(buf), 0)) > 0) {
        mst_str_addn(&a->body, buf, (size_t)got);
    }
    if (a->body.len > 12) {
        end = memmem(a->body.p, a->body.len, "\r\n\r\n", 4);
    }
    if (end) {
        a->status = (int)strtol(a->body.p + 9, NULL, 10);
        mst_str_addn(&a->head, a->body.p, (size_t)(end + 4 - a->body.p));
        memmove(a->body.p, end + 4, a->body.len - a->head.len + 1);
        a->body.len -= a->head.len;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

void s3_ask(const struct s3_ask *q, struct s3_asked *a)
{
    struct signing g = {0};
    struct mst_str out = {.max = 64U << 20};
    char signature[65];

    collect(q, &g);
    sign(q, &g, signature);
    mst_str_addf(&out, "%s %s HTTP/1.1\r\n", q->method, q->target);
    for (size_t i = 0; i < g.n; i++) {
        const bool spoil = q->spoil && strncmp(g.lines[i], q->spoil, strlen(q->spoil)) == 0;

        mst_str_addf(&out, "%s%s\r\n", g.lines[i], spoil ? "x" : "");
        free(g.lines[i]);
    }
    mst_str_addf(
        &out,
        "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s/%s/s3/aws4_request, "
        "SignedHeaders=%s, Signature=%s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
        q->access ? q->access : S3D_ACCESS, g.day, q->region ? q->region : S3D_REGION,
        mst_str_c(&g.names), signature, q->n);
    mst_str_addn(&out, q->n ? q->body : "", q->n);
    s3_ask_raw(q->port, out.p, out.len, a);
    mst_str_release(&out);
    mst_str_release(&g.names);
    mst_str_release(&g.canonical);
}

void s3_asked_release(struct s3_asked *a)
{
    mst_str_release(&a->head);
    mst_str_release(&a->body);
}

const char *s3_asked_header(const struct s3_asked *a, const char *name, char *out, size_t size)
{
    char *line = mst_xasprintf("\r\n%s: ", name);
    const char *p = strcasestr(mst_str_c(&a->head), line);

    *out = '\0';
    if (p) {
        p += strlen(line);
        (void)snprintf(out, size, "%.*s", (int)strcspn(p, "\r"), p);
    }
    free(line);
    return out;
}
