/* Where a store is: what cannot be a place is said when the file is read, with its line, and not
 * when the first backup is due. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cfg/options.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool port_ok(const char *p, size_t n)
{
    char digits[8];

    if (n == 0 || n >= sizeof(digits) || strspn(p, "0123456789") < n) {
        return false;
    }
    (void)snprintf(digits, sizeof(digits), "%.*s", (int)n, p);
    return strtol(digits, NULL, 10) > 0 && strtol(digits, NULL, 10) <= 65535;
}

/* Of what stands behind "://"; NULL: nothing is wrong. */
static const char *authority_fault(const char *p, size_t n)
{
    const char *close = n > 0 && *p == '[' ? memchr(p, ']', n) : NULL;
    const char *colon = memchr(p, ':', n);
    size_t host = colon ? (size_t)(colon - p) : n;

    if (close) {
        host = (size_t)(close - p) + 1;
        if (host < 4 || strspn(p + 1, "0123456789abcdefABCDEF:.") < host - 2) {
            return "that is no IPv6 address";
        }
    } else if (colon && memchr(colon + 1, ':', n - host - 1)) {
        return "an IPv6 address stands in brackets, like https://[::1]:9000";
    } else if (host == 0 || strspn(p, LETTERS ".-_") < host) {
        return "that is no name of a host";
    }
    if (host < n && (p[host] != ':' || !port_ok(p + host + 1, n - host - 1))) {
        return "the port is a number from 1 to 65535";
    }
    return NULL;
}

const char *mst_cfg_endpoint_fault(const struct mst_cfg_store *s)
{
    const char *p = strstr(s->endpoint, "://") + 3;
    const size_t n = strcspn(p, "/?#"), bucket = strlen(s->bucket);
    const bool google = strcmp(s->type, "gcs") == 0;

    if (p[n] && !(google && strcmp(p + n, "/") == 0)) {
        return "nothing stands behind the host and its port: the bucket and what is below it have "
               "options of their own";
    }
    if (bucket > 0 && strncmp(p, s->bucket, bucket) == 0 && p[bucket] == '.' &&
        strstr(p, ".amazonaws.com")) {
        return "the bucket stands in bucket, and not in front of the host as well";
    }
    return authority_fault(p, n);
}

const char *mst_cfg_bucket_fault(const struct mst_cfg_store *s)
{
    if (strchr(s->bucket, '/')) {
        return "only the name of the bucket stands there; what is below it is the prefix";
    }
    if (strlen(s->bucket) < 2 || strlen(s->bucket) > 222 || s->bucket[0] == '.' ||
        strstr(s->bucket, "..") || strspn(s->bucket, LETTERS ".-_") != strlen(s->bucket)) {
        return "that is not the name of a bucket";
    }
    return NULL;
}

const char *mst_cfg_prefix_fault(const struct mst_cfg_store *s)
{
    const size_t n = strlen(s->prefix);

    return n > 0 && (s->prefix[0] == '/' || s->prefix[n - 1] == '/' || strstr(s->prefix, "//"))
               ? "a slash stands between two names only, like site-a/backups"
               : NULL;
}

static void place_of(const struct mst_cfg_store *s, struct mst_str *out)
{
    if (strcmp(s->type, "local") == 0) {
        mst_str_addf(out, "local %s", s->path);
    } else {
        const bool google = strcmp(s->type, "gcs") == 0 || strcmp(s->profile, "gcs") == 0;

        mst_str_addf(out, "%s",
                     s->endpoint[0] ? s->endpoint
                     : google       ? "https://storage.googleapis.com"
                                    : "aws");
        while (out->p[out->len - 1] == '/') {
            out->p[--out->len] = '\0';
        }
        mst_str_addf(out, " %s/%s", s->bucket, s->prefix);
    }
    while (out->p[out->len - 1] == '/') {
        out->p[--out->len] = '\0';
    }
}

bool mst_cfg_same_place(const struct mst_cfg_store *a, const struct mst_cfg_store *b)
{
    struct mst_str x = {0}, y = {0};
    bool same;

    place_of(a, &x);
    place_of(b, &y);
    same = strcmp(x.p, y.p) == 0;
    mst_str_release(&x);
    mst_str_release(&y);
    return same;
}
