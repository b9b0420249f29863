/* Reading ranges. The first read of a key learns its generation, and later ones ask for that one:
 * what was replaced in between is noticed. Who reads from the first byte to the last in order gets
 * the checksum checked as well. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hash/crc32c.h"
#include "store/gcs_own.h"

#define AHEAD ((size_t)4 * 1024 * 1024)

struct sink {
    uint8_t *to;
    size_t room, n;
};

static void empty(void *arg)
{
    ((struct sink *)arg)->n = 0;
}

static bool take(void *arg, const void *p, size_t n)
{
    struct sink *s = arg;

    if (n > s->room - s->n) {
        return false; /* the range was not kept to */
    }
    memcpy(s->to + s->n, p, n);
    s->n += n;
    return true;
}

/* The pin of a key, copied; a read from the first byte begins anew. */
static bool pin_get(struct gcs *g, const char *key, uint64_t from, struct gcs_pin *out)
{
    bool found = false;

    memset(out, 0, sizeof(*out));
    mst_mutex_lock(&g->mtx);
    for (size_t i = 0; i < GCS_PINS && from > 0; i++) {
        if (g->pins[i].used && strcmp(g->pins[i].key, key) == 0) {
            g->pins[i].used = ++g->uses;
            *out = g->pins[i];
            found = true;
        }
    }
    mst_mutex_unlock(&g->mtx);
    (void)mst_copy(out->key, sizeof(out->key), key);
    return found;
}

static void pin_put(struct gcs *g, const struct gcs_pin *pin)
{
    size_t at = 0;

    mst_mutex_lock(&g->mtx);
    for (size_t i = 0; i < GCS_PINS; i++) {
        if (g->pins[i].used && strcmp(g->pins[i].key, pin->key) == 0) {
            at = i;
            break;
        }
        if (g->pins[i].used < g->pins[at].used) {
            at = i;
        }
    }
    g->pins[at] = *pin;
    g->pins[at].used = ++g->uses;
    mst_mutex_unlock(&g->mtx);
}

/* --- what was read ahead --- */

static void window_drop(struct gcs *g, const char *key)
{
    mst_mutex_lock(&g->mtx);
    for (size_t i = 0; i < GCS_WINDOWS; i++) {
        if (g->windows[i].used && strcmp(g->windows[i].key, key) == 0) {
            g->windows[i].used = 0;
        }
    }
    mst_mutex_unlock(&g->mtx);
}

void gcs_windows_release(struct gcs *g)
{
    for (size_t i = 0; i < GCS_WINDOWS; i++) {
        mst_buf_release(&g->windows[i].data);
    }
}

/* Bytes of the window of this key from there on; *last: nothing comes behind them. */
static size_t window_take(struct gcs *g, const char *key, uint64_t from, uint8_t *to, size_t n,
                          bool *last)
{
    size_t got = 0;

    *last = false;
    mst_mutex_lock(&g->mtx);
    for (size_t i = 0; i < GCS_WINDOWS && got == 0; i++) {
        struct gcs_window *w = &g->windows[i];

        if (w->used && strcmp(w->key, key) == 0 && from >= w->from &&
            from - w->from < w->data.len) {
            const size_t at = (size_t)(from - w->from), left = w->data.len - at;

            got = left < n ? left : n;
            memcpy(to, w->data.p + at, got);
            *last = w->last && got == left;
            w->used = ++g->uses;
        }
    }
    mst_mutex_unlock(&g->mtx);
    return got;
}

/* Takes the bytes; the window that was not used for longest goes, or the key's own. */
static void window_put(struct gcs *g, const char *key, uint64_t from, struct mst_buf *data,
                       bool last)
{
    struct mst_buf old;
    size_t at = 0;

    mst_mutex_lock(&g->mtx);
    for (size_t i = 0; i < GCS_WINDOWS; i++) {
        if (g->windows[i].used && strcmp(g->windows[i].key, key) == 0) {
            at = i;
            break;
        }
        if (g->windows[i].used < g->windows[at].used) {
            at = i;
        }
    }
    old = g->windows[at].data;
    (void)mst_copy(g->windows[at].key, sizeof(g->windows[at].key), key);
    g->windows[at].data = *data;
    g->windows[at].from = from;
    g->windows[at].last = last;
    g->windows[at].used = ++g->uses;
    mst_mutex_unlock(&g->mtx);
    mst_buf_release(&old);
    memset(data, 0, sizeof(*data));
}

void gcs_unpin(struct gcs *g, const char *key)
{
    mst_mutex_lock(&g->mtx);
    for (size_t i = 0; i < GCS_PINS; i++) {
        if (g->pins[i].used && strcmp(g->pins[i].key, key) == 0) {
            memset(&g->pins[i], 0, sizeof(g->pins[i]));
        }
    }
    mst_mutex_unlock(&g->mtx);
    window_drop(g, key);
}

/* "bytes 0-9/100": what came and how large all of it is. */
static bool content_range(const char *v, uint64_t from, uint64_t *n, uint64_t *total)
{
    char *end;
    uint64_t first, last;

    if (!v || strncmp(v, "bytes ", 6) != 0 || v[6] < '0' || v[6] > '9') {
        return false;
    }
    first = strtoull(v + 6, &end, 10);
    if (*end != '-' || end[1] < '0' || end[1] > '9') {
        return false;
    }
    last = strtoull(end + 1, &end, 10);
    if (*end != '/' || end[1] < '0' || end[1] > '9') {
        return false;
    }
    *total = strtoull(end + 1, &end, 10);
    *n = last - first + 1;
    return !*end && first == from && last >= first && last < *total;
}

/* The CRC32C in "crc32c=n03x6A==,md5=...", or in one of two headers of that name. */
static bool stored_crc(const struct mst_http_headers *hs, char out[9])
{
    for (size_t i = 0; i < hs->n; i++) {
        const char *at = strstr(hs->h[i].value, "crc32c=");

        if (strcmp(hs->h[i].name, "x-goog-hash") == 0 && at && strcspn(at + 7, ",") == 8) {
            (void)snprintf(out, 9, "%.8s", at + 7);
            return true;
        }
    }
    return false;
}

/* What was read in order up to the end, against what the store holds. */
static enum mst_rc account(struct gcs *g, struct gcs_pin *pin, const struct gcs_ask *a,
                           uint64_t from, const struct sink *s, uint64_t total, struct mst_err *err)
{
    char want[9], have[9];

    pin->whole = from == 0 || (pin->whole && pin->next == from);
    pin->crc = pin->whole ? mst_crc32c(from == 0 ? 0 : pin->crc, s->to, s->n) : 0;
    pin->next = from + s->n;
    if (pin->whole && pin->next == total && stored_crc(&a->reply.headers, want) &&
        strcmp(want, gcs_crc_text(pin->crc, have)) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "%s was read with CRC32C %s and %s holds %s: do not use this copy",
                           pin->key, have, g->host, want);
    }
    if (!pin->past) {
        pin_put(g, pin);
    }
    return MST_OK;
}

/* Against what was asked for: what a store that ignores ranges would make of it. */
static enum mst_rc check_range(struct gcs *g, const struct gcs_ask *a, const char *key,
                               uint64_t from, const struct sink *s, uint64_t *total,
                               struct mst_err *err)
{
    uint64_t n = 0;

    if (a->reply.status == 200 && from == 0) {
        *total = s->n; /* all of it, and it fitted */
        return MST_OK;
    }
    if (a->reply.status != 206 ||
        !content_range(mst_http_header(&a->reply.headers, "content-range"), from, &n, total)) {
        return mst_err_set(err, MST_E_SERVER, "cannot read %s: %s does not keep to ranges", key,
                           g->host);
    }
    if (n != s->n || n != (*total - from < s->room ? *total - from : s->room)) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "cannot read %s: %s sent %zu bytes and says %" PRIu64, key, g->host,
                           s->n, n);
    }
    return MST_OK;
}

static enum mst_rc pin_generation(struct gcs_pin *pin, bool pinned, const struct gcs_ask *a,
                                  const char *key, struct mst_err *err)
{
    const char *v = mst_http_header(&a->reply.headers, "x-goog-generation");

    if (!v) {
        return MST_OK; /* nothing to hold on to */
    }
    if (pinned && pin->generation[0] && strcmp(v, pin->generation) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY, "%s was replaced while it was read", key);
    }
    (void)mst_copy(pin->generation, sizeof(pin->generation), v);
    return MST_OK;
}

static struct gcs_ask *range_ask(struct gcs *g, const char *key, uint64_t from, struct sink *s,
                                 const struct gcs_pin *pin)
{
    static const int expect[] = {404, 412, 416, 0};
    struct gcs_ask *a = gcs_ask_new(g, "GET", "read", key);
    struct mst_err ignored = {0};
    char range[64];

    gcs_url(g, a, "", key);
    gcs_param(a, "alt", "media");
    if (pin && pin->generation[0]) {
        gcs_param(a, pin->past ? "generation" : "ifGenerationMatch", pin->generation);
    }
    (void)snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64, from, from + s->room - 1);
    (void)!mst_http_add(&a->call.headers, "range", range, &ignored); /* the first of them fits */
    a->call.expect = expect;
    a->call.q.sink = take;
    a->call.q.sink_arg = s;
    a->call.again = empty;
    a->call.again_arg = s;
    return a;
}

/* One range from the service; *total is the object's size, 0 where it was not said. */
static enum mst_rc fetch(struct gcs *g, const char *key, uint64_t from, struct sink *sink,
                         struct gcs_pin *pin, bool pinned, uint64_t *total, struct mst_err *err)
{
    struct gcs_ask *a = range_ask(g, key, from, sink, pinned ? pin : NULL);
    enum mst_rc rc = gcs_do(a, NULL, err);

    *total = 0;
    if (rc != MST_OK) {
        /* said */
    } else if (a->reply.status == 416) {
        sink->n = 0; /* at its end, or it is empty */
    } else if (a->reply.status == 412 || (a->reply.status == 404 && pinned)) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "%s was %s while it was read", key,
                         a->reply.status == 412 ? "replaced" : "removed");
    } else if (a->reply.status == 404) {
        rc = mst_gcall_refused(&a->call, &a->reply, err);
    } else {
        rc = check_range(g, a, key, from, sink, total, err);
        rc = rc == MST_OK ? pin_generation(pin, pinned, a, key, err) : rc;
        rc = rc == MST_OK ? account(g, pin, a, from, sink, *total, err) : rc;
    }
    gcs_ask_free(a);
    return rc;
}

/* The reader goes on where it was: more than it wants now is asked for, and kept. */
static enum mst_rc fetch_ahead(struct gcs *g, const char *key, uint64_t from, void *buf, size_t n,
                               struct gcs_pin *pin, size_t *got, struct mst_err *err)
{
    struct mst_buf ahead = {0};
    struct sink sink = {.to = mst_buf_room(&ahead, AHEAD), .room = AHEAD};
    uint64_t total = 0;
    enum mst_rc rc = fetch(g, key, from, &sink, pin, true, &total, err);

    if (rc == MST_OK) {
        ahead.len = sink.n;
        *got = sink.n < n ? sink.n : n;
        memcpy(buf, ahead.p, *got);
        if (sink.n > n) {
            window_put(g, key, from, &ahead, from + sink.n == total);
        }
    }
    mst_buf_release(&ahead);
    return rc;
}

enum mst_rc gcs_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                     size_t *got, struct mst_err *err)
{
    struct gcs *g = gcs_of(s);
    struct gcs_pin *pin = mst_xcalloc(1, sizeof(*pin));
    const bool pinned = pin_get(g, key, from, pin);
    uint64_t total = 0;
    size_t more = 0;
    bool last = false;
    enum mst_rc rc = MST_OK;

    if (from == 0) {
        window_drop(g, key);
    }
    *got = from > 0 ? window_take(g, key, from, buf, n, &last) : 0;
    if (*got < n && !last) {
        const uint64_t at = from + *got;

        if (pinned && pin->generation[0] && pin->next == at && n - *got < AHEAD) {
            rc = fetch_ahead(g, key, at, (uint8_t *)buf + *got, n - *got, pin, &more, err);
        } else {
            struct sink sink = {.to = (uint8_t *)buf + *got, .room = n - *got};

            rc = fetch(g, key, at, &sink, pin, pinned, &total, err);
            more = sink.n;
        }
    }
    *got = rc == MST_OK ? *got + more : 0;
    free(pin);
    return rc;
}

enum mst_rc gcs_read_version(struct mst_store *s, const char *key, const char *version,
                             uint64_t from, void *buf, size_t n, size_t *got, struct mst_err *err)
{
    struct gcs_pin *pin = mst_xcalloc(1, sizeof(*pin));
    struct sink sink = {.to = buf, .room = n};
    uint64_t total = 0;
    enum mst_rc rc;

    pin->past = true;
    (void)mst_copy(pin->key, sizeof(pin->key), key);
    (void)mst_copy(pin->generation, sizeof(pin->generation), version);
    rc = n > 0 ? fetch(gcs_of(s), key, from, &sink, pin, true, &total, err) : MST_OK;
    *got = rc == MST_OK ? sink.n : 0;
    free(pin);
    return rc;
}
