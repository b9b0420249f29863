/* http.h: requests over libcurl, one at a time for each caller, connections kept and shared.
 *
 * A struct mst_http is the way to one endpoint: its TLS settings, proxy, time-outs, and a pool of
 * handles. Any number of worker threads call mst_http_do() at once; each call takes a handle for
 * itself. Certificates and host names are always checked; redirects are never followed (the caller
 * sees them); bodies have a ceiling. No retries here: http/retry.h decides, the drivers repeat.
 * Header values and query strings never reach an error message.
 */
#ifndef MST_HTTP_HTTP_H
#define MST_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "conc/task.h"

#define MST_HTTP_HEADERS 40
#define MST_HTTP_NAME 64
#define MST_HTTP_VALUE 4096                    /* of a header's value, ours or the peer's */
#define MST_HTTP_TEXT 16384                    /* of all names and values of one message */
#define MST_HTTP_BODY_MAX (8U * 1024U * 1024U) /* of a body that is collected */

struct mst_http_opts {
    const char *ca_file; /* PEM; NULL: the system's */
    const char *proxy;   /* "http://host:port", "socks5h://..."; NULL: none, whatever the
                            environment says */
    const struct mst_secret *proxy_login; /* "user:password"; copied; NULL, or empty: none */
    bool plain;                           /* http:// is allowed (said by name) */
    int64_t connect_ms;                   /* 0: 5000 */
    int64_t stall_ms;                     /* 0: 30000: connected, and no byte moved for so long */
    uint64_t rate_bytes_per_s;            /* both ways together, over all callers; 0 no limit */
    unsigned connections;                 /* handles kept; 0: 16 */
};
struct mst_http;
enum mst_rc mst_http_new(const struct mst_http_opts *o, struct mst_http **out,
                         struct mst_err *err) MST_MUST_CHECK;
void mst_http_free(struct mst_http *h);
/* The peer asked for less: half as many calls at once from now on, one at least. */
void mst_http_slower(struct mst_http *h);
/* A call succeeded: after 16 of them one more at once again, up to what there was. */
void mst_http_earned(struct mst_http *h);
unsigned mst_http_at_once(struct mst_http *h); /* as many as may be made now */
bool mst_http_heard(struct mst_http *h);       /* has an answer come this way, whatever it said? */

/* Where name (lower case) and value begin in the text of the headers. */
struct mst_http_header {
    uint16_t name, value;
};
struct mst_http_headers {
    size_t n, used;
    struct mst_http_header h[MST_HTTP_HEADERS];
    char text[MST_HTTP_TEXT];
};
/* MST_E_LIMIT when there is no room, MST_E_CONFIG when the value has CR, LF or NUL. */
enum mst_rc mst_http_add(struct mst_http_headers *hs, const char *name, const char *value,
                         struct mst_err *err) MST_MUST_CHECK;
const char *mst_http_header(const struct mst_http_headers *hs, const char *name); /* NULL: none */
const char *mst_http_name_at(const struct mst_http_headers *hs, size_t i);
const char *mst_http_value_at(const struct mst_http_headers *hs, size_t i);
int64_t mst_http_time(const char *text); /* a date of a header, UTC ms; 0 when it is none */

/* Called with what comes of the body of a 2xx answer; false ends the transfer (MST_E_LIMIT). */
typedef bool mst_http_body_fn(void *arg, const void *p, size_t n);

struct mst_http_request {
    const char *method; /* GET, HEAD, PUT, POST, DELETE */
    const char *url;    /* complete and encoded; sent exactly as it is */
    const struct mst_http_headers *headers;
    const void *body; /* borrowed until the call returns; NULL: none */
    size_t body_n;
    mst_http_body_fn *sink; /* NULL: into reply.body, at most body_max (0: MST_HTTP_BODY_MAX) */
    void *sink_arg;
    size_t body_max;     /* of a sink: what is expected, for the deadline */
    int64_t deadline_ms; /* for the whole call; 0: by the sizes, at least 60 s */
};
struct mst_http_reply {
    int status;
    struct mst_http_headers headers; /* known names only: see http.c */
    struct mst_buf body;             /* also of a refusal, at most 64 KiB of it */
    bool sent_all;                   /* the request went out whole: its outcome is not known when
                                        the call failed after that */
    bool resent;                     /* it went out twice: the kept connection was dead the first
                                        time, or so it looked */
    int64_t date_ms;                 /* the peer's clock, 0 when it did not say */
    int64_t took_ms;
};
void mst_http_reply_release(struct mst_http_reply *r);
/* What Retry-After asks for, as seconds or as a date by the peer's clock; -1: nothing it could be.
 */
int64_t mst_http_retry_after_s(const struct mst_http_reply *r);
/* MST_OK whenever an answer came, whatever its status. MST_E_NET (no connection, cut), MST_E_TLS,
 * MST_E_TIMEOUT, MST_E_CANCELLED, MST_E_LIMIT. Messages name the host, never the query. */
enum mst_rc mst_http_do(struct mst_http *h, const struct mst_http_request *q,
                        struct mst_http_reply *reply, struct mst_task *task,
                        struct mst_err *err) MST_MUST_CHECK;

#endif
