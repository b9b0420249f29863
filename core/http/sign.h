/* sign.h: AWS Signature Version 4 and Google's GOOG4-HMAC-SHA256, as pure functions.
 *
 * S3 form: each path segment is encoded once and never normalised. The caller sends exactly the
 * path and query that come back. Facts: AWS "Signature Version 4" and Google Cloud Storage
 * "Signatures"; the published test suite is in tests/data.
 */
#ifndef MST_HTTP_SIGN_H
#define MST_HTTP_SIGN_H

#include "base/secret.h"
#include "base/str.h"
#include "http/http.h"

struct mst_sig_keys { /* borrowed for the call */
    const char *access_key;
    const struct mst_secret *secret_key;
    const struct mst_secret *token; /* session token; NULL or empty: none */
};
enum mst_sig_kind { MST_SIG_AWS4, MST_SIG_GOOG4 };

struct mst_sig_pair {
    const char *name, *value; /* raw */
};
struct mst_sig_request {
    enum mst_sig_kind kind;
    const char *method, *host;        /* host with its port when it is not the scheme's */
    const char *path;                 /* raw: "/bucket/a key" */
    const struct mst_sig_pair *query; /* raw, any order */
    size_t n_query;
    const char *region, *service; /* "us-east-1", "s3" */
    int64_t now_ms;               /* UTC, corrected for the peer's clock */
    const char *payload_hash; /* hex SHA-256, or "UNSIGNED-PAYLOAD"; NULL: no body, and no header
                                 that says so (not for S3) */
    bool double_encode;       /* services other than S3 */
};
/* Adds host, the date, the payload's hash, the token and authorization to headers (what is in there
 * is signed too: every x-amz-*, x-goog-*, content-md5, content-type, range); target becomes path
 * and query as they are sent. */
enum mst_rc mst_sig_headers(const struct mst_sig_request *q, const struct mst_sig_keys *keys,
                            struct mst_http_headers *headers, struct mst_str *target,
                            struct mst_err *err) MST_MUST_CHECK;
/* The query form, valid for so many seconds: target is path and query with the signature. */
enum mst_rc mst_sig_query(const struct mst_sig_request *q, const struct mst_sig_keys *keys,
                          const struct mst_http_headers *headers, int64_t valid_s,
                          struct mst_str *target, struct mst_err *err) MST_MUST_CHECK;
/* Percent-encode as these signatures have it; slash true keeps '/'. */
void mst_sig_encode(const char *text, bool slash, struct mst_str *out);

#endif
