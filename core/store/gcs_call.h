/* gcs_call.h: one question to Google's services, repeated by the rules of http/retry.h, with its
 * failures as one sentence. Private to the driver. */
#ifndef MST_STORE_GCS_CALL_H
#define MST_STORE_GCS_CALL_H

#include "http/http.h"
#include "store/gcs_auth.h"
#include "store/gjson.h"

#define MST_GCALL_TRIES 6
#define MST_GCALL_BUDGET_MS 120000 /* of waiting between tries */

struct mst_gcall {
    struct mst_http *http;
    struct mst_gauth *auth;  /* NULL: the call needs no token */
    const char *host, *what; /* for sentences: "storage.googleapis.com", "read a/b" */
    struct mst_http_request q;
    struct mst_http_headers headers; /* without authorization */
    const int *expect;               /* statuses other than 2xx that are answers; ends in 0 */
    void (*again)(void *arg);        /* before each try: empty the sink, change q */
    void *again_arg;
    unsigned tries_max; /* 0: MST_GCALL_TRIES */
    int64_t budget_ms;  /* 0: MST_GCALL_BUDGET_MS */
    const struct mst_clock *clock;
    bool unclear; /* out: a try went out whole and nobody knows what became of it */
};
/* MST_OK: reply has a 2xx or an expected status. The caller releases reply in any case. */
enum mst_rc mst_gcall_do(struct mst_gcall *c, struct mst_http_reply *reply, struct mst_task *task,
                         struct mst_err *err) MST_MUST_CHECK;
/* The sentence for an expected status that is a refusal after all; returns its code. */
enum mst_rc mst_gcall_refused(const struct mst_gcall *c, const struct mst_http_reply *reply,
                              struct mst_err *err);
/* The reply's body as JSON. */
enum mst_rc mst_gcall_json(const struct mst_gcall *c, const struct mst_http_reply *reply,
                           bson_t **out, struct mst_err *err) MST_MUST_CHECK;
/* "host:port" of a URL that may be used: https, or http where plain says so; no user in it.
 * MST_E_CONFIG. */
enum mst_rc mst_gcall_host(const char *url, bool plain, const char *what, char *host, size_t size,
                           struct mst_err *err) MST_MUST_CHECK;
/* RFC 3986: everything but unreserved bytes is percent-encoded. */
void mst_gcall_encode(const char *text, struct mst_str *out);

#endif
