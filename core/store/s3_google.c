/* Google Cloud Storage by its XML API: the same requests under Google's names. What the files of
 * this driver say in Amazon's words is translated when it is sent and when it is answered. */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "hash/crc32c.h"
#include "store/s3_own.h"

#define AMZ "x-amz-"
#define GOOG "x-goog-"

static void crc_text(const struct s3_req *r, char out[16])
{
    const uint32_t crc = mst_crc32c(0, r->body_n ? r->body : "", r->body_n);
    const uint8_t p[4] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                          (uint8_t)crc};
    struct mst_str s = {0};

    mst_str_add_base64(&s, p, sizeof(p));
    (void)snprintf(out, 16, "%s", mst_str_c(&s));
    mst_str_release(&s);
}

static bool is_content(const struct s3_req *r)
{
    return r->key && strcmp(r->method, "PUT") == 0;
}

enum mst_rc mst_s3_google_say(const struct s3_req *r, struct mst_http_headers *out,
                              struct mst_err *err)
{
    char name[64], crc[16], hash[32];
    enum mst_rc rc = MST_OK;

    for (size_t i = 0; rc == MST_OK && i < r->n_headers; i++) {
        const char *said = r->headers[i].name;

        if (strcmp(said, "if-none-match") == 0) {
            rc = mst_http_add(out, "x-goog-if-generation-match", "0", err);
            continue;
        }
        (void)snprintf(name, sizeof(name), "%s%.50s", strncmp(said, AMZ, 6) == 0 ? GOOG : "",
                       strncmp(said, AMZ, 6) == 0 ? said + 6 : said);
        rc = mst_http_add(out, name, r->headers[i].value, err);
    }
    if (rc == MST_OK && is_content(r)) {
        crc_text(r, crc);
        (void)snprintf(hash, sizeof(hash), "crc32c=%s", crc);
        rc = mst_http_add(out, "x-goog-hash", hash, err);
    }
    return rc;
}

enum mst_rc mst_s3_google_heard(struct s3 *s, const struct s3_req *r, struct mst_http_reply *reply,
                                struct mst_err *err)
{
    char crc[16] = "", name[64];
    const bool check = is_content(r) && reply->status >= 200 && reply->status < 300;

    if (check) {
        crc_text(r, crc);
    }
    for (size_t i = 0; i < reply->headers.n; i++) {
        char *named = reply->headers.text + reply->headers.h[i].name; /* only ever made shorter */
        const char *kept = strstr(mst_http_value_at(&reply->headers, i), "crc32c=");

        if (check && strcmp(named, "x-goog-hash") == 0 && kept && strncmp(kept + 7, crc, 8) != 0) {
            return mst_err_set(err, MST_E_INTEGRITY,
                               "%s in the store %s: it keeps another checksum than that of what "
                               "was sent",
                               r->key, s->base.name);
        }
        if (strcmp(named, "x-goog-generation") == 0) {
            (void)mst_copy(named, strlen(named) + 1, "x-amz-version-id");
        } else if (strncmp(named, GOOG, 7) == 0) {
            (void)snprintf(name, sizeof(name), AMZ "%.50s", named + 7);
            (void)mst_copy(named, strlen(named) + 1, name);
        }
    }
    return MST_OK;
}
