/* pool.h: handles of libcurl, one call at a time each; private to http. */
#ifndef MST_HTTP_POOL_H
#define MST_HTTP_POOL_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "conc/thread.h"
#include "http/http.h"

#define MST_HTTP_SLOTS 64U

struct slot {
    CURL *easy;
    CURLM *multi; /* keeps the connection for the next call */
    bool busy;
    char text[CURL_ERROR_SIZE];
};

struct mst_http {
    struct mst_mutex mtx;
    struct mst_cond free_slot;
    struct slot slots[MST_HTTP_SLOTS];
    unsigned n;
    unsigned allowed, busy, good; /* calls at once; successes since it was changed */
    char *ca_file, *proxy;
    struct mst_secret proxy_login;
    bool plain;
    bool _Atomic heard; /* an answer came this way */
    int64_t connect_ms, stall_ms;
    uint64_t rate;
    int64_t rate_free_us; /* monotonic: when the bytes so far will have been paid for */
};

/* Waits for a handle; MST_E_CANCELLED. */
enum mst_rc mst_http_take(struct mst_http *h, struct slot **out, struct mst_task *task,
                          struct mst_err *err);
void mst_http_give(struct mst_http *h, struct slot *s);
/* Wait until n more bytes are within the rate; false when cancelled. */
bool mst_http_pay(struct mst_http *h, size_t n, const struct mst_task *task);
/* One line of a header, with its end; what is not known or does not fit is not kept. */
void mst_http_keep(struct mst_http_headers *hs, const char *line, size_t n);
void mst_http_hear(struct mst_http *h); /* an answer came */
/* How long nothing may move in a call that begins now. */
int64_t mst_http_patience_ms(struct mst_http *h);
/* Why a call had no answer, as a sentence of ours; libcurl's own words only about certificates.
 * Pure. */
struct mst_http_why {
    CURLcode code;
    const char *host, *text;    /* text: libcurl's */
    const char *proxy;          /* NULL: none */
    bool tls, found, connected; /* the address, and whoever was to be connected */
    bool proxy_login;           /* it was given one */
    bool wants_tls;             /* plain http was answered by a port for https */
    long proxy_status;          /* what a proxy said to CONNECT; 0 nothing */
    int64_t connect_ms;
};
enum mst_rc mst_http_why(const struct mst_http_why *w, struct mst_err *err);
/* Options that stay from call to call. */
void mst_http_settle(const struct mst_http *h, CURL *easy, char *text);

#endif
