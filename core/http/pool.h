/* pool.h: handles of libcurl, one call at a time each; private to http. */
#ifndef MST_HTTP_POOL_H
#define MST_HTTP_POOL_H

#include <curl/curl.h>

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
    bool plain;
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
/* Options that stay from call to call. */
void mst_http_settle(const struct mst_http *h, CURL *easy, char *text);

#endif
