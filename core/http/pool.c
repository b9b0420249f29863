#include "http/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define CONNECT_MS 5000
#define STALL_MS 30000
#define FIRST_MS 15000 /* the same while nobody has answered yet */
#define IDLE_S 4L      /* servers close what idles for about 5 s */
#define CONNECTIONS 16U
#define SEND_BUFFER (256L * 1024L)
#define RECEIVE_BUFFER (256L * 1024L)
#define WAIT_MS 200
#define EARN 16U        /* successes for one more call at once */
#define SLICE_US 100000 /* the rate is even over a tenth of a second */

enum mst_rc mst_http_new(const struct mst_http_opts *o, struct mst_http **out, struct mst_err *err)
{
    struct mst_http *h;

    *out = NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return mst_err_set(err, MST_E_BUG, "libcurl cannot be started");
    }
    h = mst_xcalloc(1, sizeof(*h));
    mst_mutex_init(&h->mtx);
    mst_cond_init(&h->free_slot);
    h->n = o->connections ? o->connections : CONNECTIONS;
    h->n = h->n < MST_HTTP_SLOTS ? h->n : MST_HTTP_SLOTS;
    h->allowed = h->n;
    h->ca_file = o->ca_file && *o->ca_file ? mst_xstrdup(o->ca_file) : NULL;
    h->proxy = o->proxy && *o->proxy ? mst_xstrdup(o->proxy) : NULL;
    if (h->proxy && o->proxy_login && o->proxy_login->p) {
        mst_secret_set(&h->proxy_login, o->proxy_login->p, o->proxy_login->len);
    }
    h->plain = o->plain;
    h->connect_ms = o->connect_ms ? o->connect_ms : CONNECT_MS;
    h->stall_ms = o->stall_ms ? o->stall_ms : STALL_MS;
    h->rate = o->rate_bytes_per_s;
    *out = h;
    return MST_OK;
}

void mst_http_free(struct mst_http *h)
{
    if (!h) {
        return;
    }
    for (unsigned i = 0; i < h->n; i++) {
        MST_ASSERT(!h->slots[i].busy);
        if (h->slots[i].multi) {
            (void)curl_multi_cleanup(h->slots[i].multi);
            curl_easy_cleanup(h->slots[i].easy);
        }
    }
    mst_cond_release(&h->free_slot);
    mst_mutex_release(&h->mtx);
    free(h->ca_file);
    free(h->proxy);
    mst_secret_release(&h->proxy_login);
    free(h);
    curl_global_cleanup();
}

void mst_http_settle(const struct mst_http *h, CURL *easy, char *text)
{
    curl_easy_reset(easy);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, text);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, h->plain ? "http,https" : "https");
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, h->proxy ? h->proxy : "");
    (void)curl_easy_setopt(easy, CURLOPT_PROXYUSERPWD, h->proxy_login.p);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, ""); /* the environment has no say */
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (h->ca_file) {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, h->ca_file);
        (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* else the system's are trusted too */
    }
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)h->connect_ms);
#if LIBCURL_VERSION_NUM >= 0x075700
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT,
                           1L); /* do not wait for a resolver that hangs */
#endif
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_S);
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
    (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
}

/* The lowest free one: its connection is the likeliest to be warm. */
static struct slot *free_one(struct mst_http *h)
{
    for (unsigned i = 0; i < h->n && h->busy < h->allowed; i++) {
        if (!h->slots[i].busy) {
            h->slots[i].busy = true;
            h->busy++;
            return &h->slots[i];
        }
    }
    return NULL;
}

enum mst_rc mst_http_take(struct mst_http *h, struct slot **out, struct mst_task *task,
                          struct mst_err *err)
{
    struct slot *s;

    mst_mutex_lock(&h->mtx);
    while (!(s = free_one(h)) && !mst_task_cancelled(task)) {
        (void)mst_cond_wait_ms(&h->free_slot, &h->mtx, WAIT_MS);
    }
    mst_mutex_unlock(&h->mtx);
    *out = s;
    if (!s) {
        return mst_err_set(err, MST_E_CANCELLED, "stopped on request");
    }
    if (!s->multi) {
        s->easy = curl_easy_init();
        s->multi = curl_multi_init();
        MST_ASSERT(s->easy && s->multi);
        (void)curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, 2L);
    }
    return MST_OK;
}

void mst_http_give(struct mst_http *h, struct slot *s)
{
    mst_mutex_lock(&h->mtx);
    s->busy = false;
    h->busy--;
    mst_cond_signal(&h->free_slot);
    mst_mutex_unlock(&h->mtx);
}

void mst_http_slower(struct mst_http *h)
{
    mst_mutex_lock(&h->mtx);
    /* Half of what really goes on, this call included. */
    h->allowed = h->busy + 1 < h->allowed ? h->busy + 1 : h->allowed;
    h->allowed = h->allowed > 1 ? h->allowed / 2 : 1;
    h->good = 0;
    mst_mutex_unlock(&h->mtx);
}

void mst_http_earned(struct mst_http *h)
{
    mst_mutex_lock(&h->mtx);
    if (h->allowed < h->n && ++h->good >= EARN) {
        h->allowed++;
        h->good = 0;
        mst_cond_signal(&h->free_slot);
    }
    mst_mutex_unlock(&h->mtx);
}

unsigned mst_http_at_once(struct mst_http *h)
{
    unsigned n;

    mst_mutex_lock(&h->mtx);
    n = h->allowed;
    mst_mutex_unlock(&h->mtx);
    return n;
}

bool mst_http_heard(struct mst_http *h)
{
    return atomic_load(&h->heard);
}

int64_t mst_http_patience_ms(struct mst_http *h)
{
    return mst_http_heard(h) || h->stall_ms < FIRST_MS ? h->stall_ms : FIRST_MS;
}

void mst_http_hear(struct mst_http *h)
{
    atomic_store(&h->heard, true);
}

bool mst_http_pay(struct mst_http *h, size_t n, const struct mst_task *task)
{
    int64_t now = mst_clock_mono_us(), until;

    if (h->rate == 0) {
        return true;
    }
    mst_mutex_lock(&h->mtx);
    if (h->rate_free_us < now) {
        h->rate_free_us = now;
    }
    h->rate_free_us += (int64_t)((double)n * 1e6 / (double)h->rate);
    until = h->rate_free_us - SLICE_US;
    mst_mutex_unlock(&h->mtx);
    for (; now < until; now = mst_clock_mono_us()) {
        const int64_t left = (until - now) / 1000 + 1;

        if (!mst_task_sleep_ms(task, left < WAIT_MS ? left : WAIT_MS)) {
            return false;
        }
    }
    return true;
}
