/* Writing an object. Up to one chunk goes in one multipart request; more opens a resumable session.
 * Each object carries a word of its own in its metadata: when a reply was lost and the name is
 * taken afterwards, that word says whether it was taken by this very put. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"
#include "hash/crc32c.h"
#include "hash/hash.h"
#include "store/gcs_own.h"

#define NONCE_BYTES 16
#define RESTARTS 3
#define IDLE_ROUNDS 6 /* chunks sent without a byte more confirmed */
#define FIELDS "name,size,crc32c,generation,metadata,retention"

struct put {
    struct mst_store_put base;
    char key[MST_KEY_MAX];
    char nonce[2 * NONCE_BYTES + 1];
    uint8_t *buf;
    size_t n;      /* in buf */
    uint64_t from; /* where buf begins in the object */
    uint64_t sent; /* confirmed: from <= sent <= from + n */
    uint32_t crc;
    int64_t until_ms; /* locked until then; 0: not */
    char *session;    /* a URL that is as good as a key: wiped, never in a message */
    bool unclear;     /* what was sent last may have made the object */
};

static struct put *of(struct mst_store_put *p)
{
    return (struct put *)(void *)p;
}

static struct gcs *store_of(const struct put *p)
{
    return gcs_of(p->base.store);
}

static void forget_session(struct put *p)
{
    if (p->session) {
        mst_wipe(p->session, strlen(p->session));
        free(p->session);
        p->session = NULL;
    }
}

static void put_free(struct put *p)
{
    forget_session(p);
    free(p->buf);
    free(p);
}

enum mst_rc gcs_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                      struct mst_err *err)
{
    struct gcs *g = gcs_of(s);
    uint8_t random[NONCE_BYTES];
    struct put *p;

    if (!g->write) {
        return mst_err_set(err, MST_E_PRECOND, "the store %s is opened for reading only", s->name);
    }
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return mst_err_set(err, MST_E_IO, "the system has no random numbers");
    }
    if (gcs_bucket_ready(g, mst_store_works_for(), err) != MST_OK) {
        return err->rc;
    }
    p = mst_xcalloc(1, sizeof(*p));
    p->base.store = s;
    p->until_ms = mst_store_lock_wanted(key) ? mst_store_lock_until(s, mst_clock_utc_ms(NULL)) : 0;
    (void)mst_copy(p->key, sizeof(p->key), key);
    (void)mst_hex(random, sizeof(random), p->nonce);
    p->buf = mst_xmalloc(g->chunk); /* pages that nothing was written to cost nothing */
    *out = &p->base;
    return MST_OK;
}

/* --- what stands there afterwards --- */

static void take_back(struct put *p, const char *generation, char *left, size_t size)
{
    struct gcs *g = store_of(p);
    struct gcs_ask *a = gcs_ask_new(g, "DELETE", "remove", p->key);
    struct mst_err why = {0};

    gcs_url(g, a, "", p->key);
    gcs_param(a, "ifGenerationMatch", generation);
    if (*generation && gcs_do(a, NULL, &why) == MST_OK) {
        (void)mst_copy(left, size, "it was removed again");
    } else {
        (void)snprintf(left, size, "it stands there and is not good: %.200s", why.msg);
    }
    gcs_ask_free(a);
}

/* What the server says it stored, against what was handed in. */
static enum mst_rc verify(struct put *p, const bson_t *b, struct mst_err *err)
{
    struct gcs *g = store_of(p);
    const int64_t bytes = mst_gjson_number(b, "size");
    const char *crc = mst_gjson_text(b, "crc32c");
    char want[9], left[240];

    if (bytes >= 0 && (uint64_t)bytes == p->from + p->n &&
        strcmp(crc, gcs_crc_text(p->crc, want)) == 0) {
        return gcs_lock_kept(g, p->key, p->until_ms, b, err);
    }
    take_back(p, mst_gjson_text(b, "generation"), left, sizeof(left));
    if (bytes < 0 || !*crc) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s does not say size and checksum of %s, so that it cannot be trusted: "
                           "%s",
                           g->who, p->key, left);
    }
    return mst_err_set(err, MST_E_INTEGRITY,
                       "%s holds %s with %" PRId64 " bytes and CRC32C %.8s, sent were %" PRIu64
                       " and %s: %s",
                       g->who, p->key, bytes, crc, p->from + p->n, want, left);
}

/* The name is taken: by this very put, whose reply was lost? */
static enum mst_rc whose(struct put *p, struct mst_err *err)
{
    struct gcs *g = store_of(p);
    struct gcs_ask *a = gcs_ask_new(g, "GET", "look at", p->key);
    bson_t *b = NULL;
    enum mst_rc rc = MST_OK;

    if (p->unclear) {
        gcs_url(g, a, "", p->key);
        gcs_param(a, "fields", FIELDS);
        rc = gcs_json(a, NULL, &b, err);
    }
    if (rc == MST_OK && b && strcmp(mst_gjson_text(b, "metadata.muster-put"), p->nonce) == 0) {
        rc = verify(p, b, err);
    } else if (rc == MST_OK) {
        rc = mst_err_set(err, MST_E_EXISTS, "%s exists already in the store %s", p->key,
                         p->base.store->name);
    } else {
        mst_err_prefix(err, "it is not known whether %s was written", p->key);
    }
    bson_destroy(b);
    gcs_ask_free(a);
    return rc;
}

/* --- in one request --- */

static void metadata(const struct put *p, bool with_crc, struct mst_str *out)
{
    const struct gcs *g = gcs_of(p->base.store);
    char crc[9];

    mst_str_addf(
        out, "{\"contentType\":\"application/octet-stream\",\"metadata\":{\"muster-put\":\"%s\"",
        p->nonce);
    gcs_tag_fields(g, out);
    mst_str_addc(out, '}');
    gcs_lock_field(g, p->until_ms, out);
    if (with_crc) {
        mst_str_addf(out, ",\"crc32c\":\"%s\"", gcs_crc_text(p->crc, crc));
    }
    if (g->storage_class[0]) {
        mst_str_add(out, ",\"storageClass\":");
        mst_str_add_json(out, g->storage_class);
    }
    mst_str_add(out, "}");
}

static struct gcs_ask *upload(struct put *p, const char *method, const char *type)
{
    struct gcs *g = store_of(p);
    struct gcs_ask *a = gcs_ask_new(g, method, "write", p->key);
    char *name = mst_xasprintf("%s%s", g->prefix, p->key);

    gcs_url(g, a, "/upload", NULL);
    gcs_param(a, "uploadType", type);
    gcs_param(a, "name", name);
    gcs_param(a, "ifGenerationMatch", "0");
    gcs_param(a, "fields", FIELDS);
    free(name);
    return a;
}

static enum mst_rc at_once(struct put *p, struct mst_err *err)
{
    static const int expect[] = {412, 0};
    struct gcs_ask *a = upload(p, "POST", "multipart");
    struct mst_buf body = {0};
    struct mst_str meta = {0}, head = {0};
    char type[100], tail[64];
    bson_t *b = NULL;
    enum mst_rc rc;

    /* The word is random: it does not occur in the content. */
    (void)snprintf(type, sizeof(type), "multipart/related; boundary=%s", p->nonce);
    (void)snprintf(tail, sizeof(tail), "\r\n--%s--\r\n", p->nonce);
    metadata(p, true, &meta);
    mst_str_addf(&head,
                 "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%s\r\n--%s\r\n"
                 "Content-Type: application/octet-stream\r\n\r\n",
                 p->nonce, mst_str_c(&meta), p->nonce);
    (void)mst_buf_room(&body, head.len + p->n + strlen(tail));
    mst_buf_add(&body, head.p, head.len);
    mst_buf_add(&body, p->buf, p->n);
    mst_buf_add(&body, tail, strlen(tail));
    a->call.q.body = body.p;
    a->call.q.body_n = body.len;
    a->call.expect = expect;
    rc = mst_http_add(&a->call.headers, "content-type", type, err);
    rc = rc == MST_OK ? gcs_json(a, NULL, &b, err) : rc;
    p->unclear |= a->call.unclear;
    if (rc == MST_OK) {
        rc = b ? verify(p, b, err) : whose(p, err);
    } else if (a->call.unclear) {
        mst_err_prefix(err, "it is not known whether %s was written", p->key);
    }
    bson_destroy(b);
    mst_buf_release(&body);
    mst_str_release(&meta);
    mst_str_release(&head);
    gcs_ask_free(a);
    return rc;
}

/* --- in a session --- */

/* The session must be at the endpoint: its URL gets the data. */
static enum mst_rc take_session(struct put *p, const struct gcs_ask *a, struct mst_err *err)
{
    struct gcs *g = store_of(p);
    const char *url = mst_http_header(&a->reply.headers, "location");
    const char *end = strstr(g->endpoint, "://") + 3;
    const size_t n = (size_t)(end - g->endpoint) + strlen(g->host);

    if (!url) {
        return mst_err_set(err, MST_E_SERVER,
                           "cannot write %s: %s began an upload and did not say "
                           "where",
                           p->key, g->who);
    }
    if (strncmp(url, g->endpoint, n) != 0 || url[n] != '/') {
        return mst_err_set(err, MST_E_SERVER,
                           "cannot write %s: %s sends the upload to another host, which gets "
                           "nothing",
                           p->key, g->who);
    }
    forget_session(p);
    p->session = mst_xstrdup(url);
    p->sent = p->from;
    return MST_OK;
}

static enum mst_rc open_session(struct put *p, struct mst_err *err)
{
    static const int expect[] = {412, 0};
    struct gcs_ask *a = upload(p, "POST", "resumable");
    struct mst_str meta = {0};
    enum mst_rc rc;

    metadata(p, false, &meta);
    a->call.q.body = meta.p;
    a->call.q.body_n = meta.len;
    a->call.expect = expect;
    rc = mst_http_add(&a->call.headers, "content-type", "application/json; charset=UTF-8", err);
    rc = rc == MST_OK ? mst_http_add(&a->call.headers, "x-upload-content-type",
                                     "application/octet-stream", err)
                      : rc;
    rc = rc == MST_OK ? gcs_do(a, NULL, err) : rc;
    if (rc == MST_OK) {
        rc = a->reply.status == 412 ? whose(p, err) : take_session(p, a, err);
    }
    mst_str_release(&meta);
    gcs_ask_free(a);
    return rc;
}

struct chunk { /* being sent: what a repeated try has to change */
    struct put *p;
    struct gcs_ask *a;
    bool last;
    unsigned tries;
};

/* The first try sends what is not confirmed; a repeated one asks how far the server came. */
static void before_try(void *arg)
{
    struct chunk *c = arg;
    struct put *p = c->p;
    const uint64_t end = p->from + p->n;
    struct mst_http_headers *hs = &c->a->call.headers;
    struct mst_err ignored = {0};
    char range[80], total[24] = "*", crc[9], hash[24];
    const bool data = c->tries++ == 0 && p->sent < end;

    if (c->last) {
        (void)snprintf(total, sizeof(total), "%" PRIu64, end);
    }
    if (data) {
        (void)snprintf(range, sizeof(range), "bytes %" PRIu64 "-%" PRIu64 "/%s", p->sent, end - 1,
                       total);
    } else {
        (void)snprintf(range, sizeof(range), "bytes */%s", total);
    }
    hs->n = 0;
    (void)!mst_http_add(hs, "content-range", range, &ignored);
    if (c->last) {
        (void)snprintf(hash, sizeof(hash), "crc32c=%s", gcs_crc_text(p->crc, crc));
        (void)!mst_http_add(hs, "x-goog-hash", hash, &ignored);
    }
    c->a->call.q.body = data ? p->buf + (p->sent - p->from) : NULL;
    c->a->call.q.body_n = data ? (size_t)(end - p->sent) : 0;
}

/* "bytes=0-N" of a 308; absent: nothing yet. */
static enum mst_rc confirm(struct put *p, const struct gcs_ask *a, struct mst_err *err)
{
    const char *v = mst_http_header(&a->reply.headers, "range");
    uint64_t have = 0;

    if (v) {
        char *end = NULL;

        have = strncmp(v, "bytes=0-", 8) == 0 ? strtoull(v + 8, &end, 10) + 1 : UINT64_MAX;
        if (!end || end == v + 8 || *end) {
            have = UINT64_MAX;
        }
    }
    if (have > p->from + p->n) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "cannot write %s: %s confirms bytes that were never sent", p->key,
                           store_of(p)->host);
    }
    if (have < p->from) {
        return mst_err_set(err, MST_E_ABORTED,
                           "cannot write %s: %s lost bytes that it had confirmed; nothing is "
                           "visible there, repeat it",
                           p->key, store_of(p)->host);
    }
    p->sent = have;
    return MST_OK;
}

/* One round: *done gets the object when it is there. MST_E_NOTFOUND: the session is gone. */
static enum mst_rc round_of(struct put *p, bool last, bson_t **done, struct mst_err *err)
{
    static const int expect[] = {308, 404, 410, 412, 0};
    struct gcs_ask *a = gcs_ask_new(store_of(p), "PUT", "write", p->key);
    struct chunk c = {.p = p, .a = a, .last = last};
    enum mst_rc rc;

    a->call.auth = NULL; /* the session's URL says who began it */
    a->call.expect = expect;
    a->call.again = before_try;
    a->call.again_arg = &c;
    mst_str_add(&a->url, p->session);
    rc = gcs_json(a, NULL, done, err);
    p->unclear |= last && a->call.unclear;
    if (rc != MST_OK || *done) {
        /* said, or there */
    } else if (a->reply.status == 308) {
        rc = confirm(p, a, err);
    } else if (a->reply.status == 412) {
        rc = whose(p, err);
        *done = rc == MST_OK ? bson_new() : NULL;
    } else {
        rc = mst_err_set(err, MST_E_NOTFOUND, "the upload of %s is not known any more", p->key);
    }
    if (rc != MST_OK && p->unclear && last && rc != MST_E_EXISTS && rc != MST_E_NOTFOUND) {
        mst_err_prefix(err, "it is not known whether %s was written", p->key);
    }
    mst_wipe(a->url.p, a->url.len);
    gcs_ask_free(a);
    return rc;
}

/* The session was forgotten: over again while all of the object is still here. */
static enum mst_rc restart(struct put *p, unsigned *restarts, struct mst_err *err)
{
    if (p->from > 0) {
        return mst_err_set(
            err, MST_E_ABORTED,
            "cannot write %s: %s forgot the upload in its middle; nothing is visible "
            "there, repeat it",
            p->key, store_of(p)->host);
    }
    if (++*restarts > RESTARTS) {
        return mst_err_set(err, MST_E_ABORTED,
                           "cannot write %s: %s forgot the upload %d times; nothing is visible "
                           "there",
                           p->key, store_of(p)->host, RESTARTS);
    }
    return open_session(p, err);
}

/* Until all of buf is confirmed, and at the end until the object is there. */
static enum mst_rc send_buf(struct put *p, bool last, struct mst_err *err)
{
    unsigned restarts = 0, idle = 0;
    bson_t *done = NULL;
    enum mst_rc rc = p->session ? MST_OK : open_session(p, err);

    while (rc == MST_OK && !done && (last || p->sent < p->from + p->n)) {
        const uint64_t before = p->sent;

        rc = round_of(p, last, &done, err);
        if (rc == MST_E_NOTFOUND) {
            struct mst_err there = {0};
            const enum mst_rc is = p->unclear ? whose(p, &there) : MST_E_NOTFOUND;

            if (is != MST_E_NOTFOUND) { /* it is ours, another's, or cannot be looked at */
                *err = is == MST_OK ? *err : there;
                return is;
            }
            rc = restart(p, &restarts, err);
        } else if (rc == MST_OK && !done && p->sent == before && ++idle > IDLE_ROUNDS) {
            rc = mst_err_set(err, MST_E_NET, "cannot write %s: %s takes no more bytes", p->key,
                             store_of(p)->host);
        }
    }
    if (rc == MST_OK && done && !last) {
        char left[240];

        take_back(p, mst_gjson_text(done, "generation"), left, sizeof(left));
        rc =
            mst_err_set(err, MST_E_INTEGRITY, "%s took the upload of %s as ended in its middle: %s",
                        store_of(p)->host, p->key, left);
    } else if (rc == MST_OK && done && !bson_empty(done)) {
        rc = verify(p, done, err);
    }
    bson_destroy(done);
    return rc;
}

/* --- the four calls --- */

enum mst_rc gcs_add(struct mst_store_put *base, const void *data, size_t n, struct mst_err *err)
{
    struct put *p = of(base);
    const uint8_t *from = data;

    p->crc = mst_crc32c(p->crc, data, n);
    while (n > 0) {
        const size_t chunk = store_of(p)->chunk;
        const size_t room = chunk - p->n, take = n < room ? n : room;

        if (room == 0) {
            if (send_buf(p, false, err) != MST_OK) {
                return err->rc;
            }
            p->from += p->n;
            p->n = 0;
            continue;
        }
        memcpy(p->buf + p->n, from, take);
        p->n += take;
        from += take;
        n -= take;
    }
    return MST_OK;
}

enum mst_rc gcs_finish_as(struct mst_store_put *base, bool session, bool false_sum,
                          struct mst_err *err)
{
    struct put *p = of(base);
    enum mst_rc rc;

    p->crc ^= false_sum ? 1U : 0U;
    gcs_unpin(store_of(p), p->key);
    rc = p->from > 0 || session ? send_buf(p, true, err) : at_once(p, err);
    if (rc != MST_OK && p->session) {
        gcs_abort(base);
        return rc;
    }
    put_free(p);
    return rc;
}

enum mst_rc gcs_finish(struct mst_store_put *p, struct mst_err *err)
{
    return gcs_finish_as(p, false, false, err);
}

/* A session that is not ended ends by itself after a week; what it holds is never visible. */
void gcs_abort(struct mst_store_put *base)
{
    static const int expect[] = {400, 404, 405, 410, 499, 501, 0};
    struct put *p = of(base);

    if (p->session) {
        struct gcs_ask *a = gcs_ask_new(store_of(p), "DELETE", "give up", p->key);
        struct mst_err ignored = {0};

        a->call.auth = NULL;
        a->call.expect = expect;
        a->call.tries_max = 1;
        mst_str_add(&a->url, p->session);
        (void)!gcs_do(a, NULL, &ignored);
        mst_wipe(a->url.p, a->url.len);
        gcs_ask_free(a);
    }
    put_free(p);
}
