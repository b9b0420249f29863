/* Reading what keep.c wrote. */
#include "engine/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/inner.h"
#include "engine/keep.h"
#include "log/log.h"

#define WATCHES_MAX 5000

const char *mst_hist_source_word(enum mst_hist_source s)
{
    static const char *const words[] = {"topology", "message", "health", "failover"};

    return (size_t)s < MST_COUNT(words) ? words[s] : "?";
}

static int by_from(const void *a, const void *b)
{
    const struct mst_hist_watch *x = a, *y = b;

    return x->from_ms < y->from_ms ? -1 : x->from_ms > y->from_ms;
}

size_t mst_history_gaps(const struct mst_hist_watch *w, size_t n, int64_t since_ms, int64_t now_ms,
                        struct mst_hist_gap *out)
{
    struct mst_hist_watch *sorted = mst_xcalloc(n + 1, sizeof(*sorted));
    int64_t seen = since_ms;
    size_t gaps = 0;

    if (n > 0) {
        memcpy(sorted, w, n * sizeof(*sorted));
        qsort(sorted, n, sizeof(*sorted), by_from);
    }
    for (size_t i = 0; i <= n; i++) {
        const int64_t from = i < n && sorted[i].from_ms < now_ms ? sorted[i].from_ms : now_ms;

        if (from - seen > MST_GAP_MIN_MS) {
            out[gaps++] = (struct mst_hist_gap){seen, from};
        }
        if (i < n && sorted[i].to_ms > seen) {
            seen = sorted[i].to_ms;
        }
        seen = seen > from ? seen : from;
    }
    free(sorted);
    return gaps;
}

struct reading {
    struct mst_history *h;
    size_t cap, limit;
};

static int bounded(int64_t v, int most)
{
    return v < 0 || v > most ? 0 : (int)v;
}

static bool on_event(void *arg, const struct mst_row *row)
{
    struct reading *r = arg;
    struct mst_hist_event *e;

    if (r->h->n == r->limit) {
        r->h->cut = true;
        return false;
    }
    mst_grow((void **)&r->h->events, &r->cap, r->h->n + 1, sizeof(*e));
    e = &r->h->events[r->h->n++];
    memset(e, 0, sizeof(*e));
    e->wall_ms = mst_row_int(row, 0);
    e->source = (enum mst_hist_source)bounded(mst_row_int(row, 1), MST_HIST_FAILOVER);
    e->kind = (enum mst_event_kind)bounded(mst_row_int(row, 2), MST_EV_LAST);
    e->severity = (enum mst_severity)bounded(mst_row_int(row, 3), MST_SEV_CRIT);
    (void)mst_copy(e->member, sizeof(e->member), mst_row_text(row, 4));
    (void)mst_copy(e->text, sizeof(e->text), mst_row_text(row, 5));
    mst_text_sanitise(e->member); /* the file can be written by others of this user */
    mst_text_sanitise(e->text);
    return true;
}

static bool on_watch(void *arg, const struct mst_row *row)
{
    struct reading *r = arg;
    struct mst_hist_watch *w;

    mst_grow((void **)&r->h->watches, &r->cap, r->h->n_watches + 1, sizeof(*w));
    w = &r->h->watches[r->h->n_watches++];
    memset(w, 0, sizeof(*w));
    (void)mst_copy(w->who, sizeof(w->who), mst_row_text(row, 0));
    mst_text_sanitise(w->who);
    w->from_ms = mst_row_int(row, 1);
    w->to_ms = mst_row_int(row, 2);
    w->ended = mst_row_int(row, 3) != 0;
    return true;
}

/* Who watches now writes that down every few seconds only. */
static void reach_now(struct mst_history *h)
{
    for (size_t i = 0; i < h->n_watches; i++) {
        struct mst_hist_watch *w = &h->watches[i];

        if (!w->ended && w->to_ms < h->now_ms && h->now_ms - w->to_ms <= 2 * MST_KEEP_TOUCH_MS) {
            w->to_ms = h->now_ms;
        }
    }
}

static void turn_round(struct mst_history *h)
{
    for (size_t i = 0; i < h->n / 2; i++) {
        const struct mst_hist_event e = h->events[i];

        h->events[i] = h->events[h->n - 1 - i];
        h->events[h->n - 1 - i] = e;
    }
}

enum mst_rc mst_keep_read(struct mst_db *db, int64_t since_ms, int64_t now_ms, size_t limit,
                          struct mst_history *out, struct mst_err *err)
{
    struct reading events = {.h = out, .limit = limit}, watches = {.h = out};
    enum mst_rc rc;

    memset(out, 0, sizeof(*out));
    out->since_ms = since_ms;
    out->now_ms = now_ms;
    rc = mst_db_query(db, on_event, &events, err,
                      "SELECT wall_ms, source, kind, severity, member, text FROM set_events WHERE "
                      "wall_ms >= ? ORDER BY wall_ms DESC, id DESC LIMIT ?",
                      "ii", since_ms, (int64_t)limit + 1);
    if (rc == MST_OK) {
        rc = mst_db_query(db, on_watch, &watches, err,
                          "SELECT who, from_ms, to_ms, ended FROM watches WHERE to_ms >= ? ORDER "
                          "BY id DESC LIMIT ?",
                          "ii", since_ms, (int64_t)WATCHES_MAX);
    }
    if (rc != MST_OK) {
        mst_history_release(out);
        return rc;
    }
    turn_round(out);
    reach_now(out);
    out->gaps = mst_xcalloc(out->n_watches + 1, sizeof(*out->gaps));
    out->n_gaps = mst_history_gaps(out->watches, out->n_watches, since_ms, now_ms, out->gaps);
    return MST_OK;
}

enum mst_rc mst_keep_open(const struct mst_cfg *cfg, struct mst_db **out, struct mst_err *err)
{
    struct wire *w = mst_xcalloc(1, sizeof(*w));
    char key[160], path[MST_CFG_PATH + 208];
    enum mst_rc rc = mst_wire_cfg(w, cfg, err);

    *out = NULL;
    if (rc == MST_OK) {
        mst_wire_key(cfg, w, key, sizeof(key));
        (void)snprintf(path, sizeof(path), "%s/%s/muster.db", cfg->state_dir, key);
        rc = access(path, F_OK) == 0
                 ? mst_db_open(path, out, err)
                 : mst_err_set(err, MST_E_NOTFOUND,
                               "nobody has watched this set from here yet, so nothing is known: "
                               "'muster agent' watches (%s)",
                               path);
    }
    mst_wire_release(w);
    free(w);
    return rc;
}

enum mst_rc mst_history_read(const struct mst_cfg *cfg, int64_t since_ms, size_t limit,
                             struct mst_history *out, struct mst_err *err)
{
    struct mst_db *db = NULL;
    enum mst_rc rc = mst_keep_open(cfg, &db, err);

    memset(out, 0, sizeof(*out));
    if (rc == MST_OK) {
        rc = mst_keep_read(db, since_ms, mst_clock_utc_ms(NULL), limit, out, err);
    }
    mst_db_close(db);
    return rc;
}

char *mst_history_gap_text(const struct mst_hist_gap *g, char *out, size_t size)
{
    char from[MST_TIME_MAX], to[MST_TIME_MAX], t[MST_HUMAN_MAX];

    (void)snprintf(out, size, "nobody watched from %s to %s (%s)", mst_time_iso(g->from_ms, from),
                   mst_time_iso(g->to_ms, to), mst_text_duration(g->to_ms - g->from_ms, t));
    return out;
}

/* Before the first watch nobody could: that is not a gap between events. */
static bool inner_gap(const struct mst_history *h, size_t g)
{
    for (size_t i = 0; i < h->n_watches; i++) {
        if (h->watches[i].from_ms <= h->gaps[g].from_ms) {
            return true;
        }
    }
    return false;
}

/* What a view of now would have among its events, too. */
static bool live_kind(const struct mst_hist_event *e)
{
    return e->source == MST_HIST_TOPO || e->source == MST_HIST_SAID;
}

static void earlier_event(struct mst_event *e, const struct mst_hist_event *from)
{
    e->wall_ms = from->wall_ms;
    e->kind = MST_EV_EARLIER;
    e->severity = from->severity;
    (void)mst_copy(e->text, sizeof(e->text), from->text);
}

size_t mst_keep_earlier(struct mst_db *db, int64_t now_ms, size_t most, struct mst_event **out)
{
    const int64_t days = (int64_t)MST_HISTORY_DAYS * 24 * 3600 * 1000;
    struct mst_history h;
    struct mst_err err = {0};
    size_t n = 0, e = 0, g = 0, all;

    *out = NULL;
    if (mst_keep_read(db, now_ms - days, now_ms, most * 4, &h, &err) != MST_OK) {
        mst_log(MST_LOG_WARN, "engine", "earlier events: %s", err.msg);
        return 0;
    }
    all = h.n + h.n_gaps;
    *out = mst_xcalloc(all + 1, sizeof(**out));
    while (e < h.n || g < h.n_gaps) {
        if (g < h.n_gaps && (e == h.n || h.gaps[g].from_ms < h.events[e].wall_ms)) {
            if (inner_gap(&h, g) && (e > 0 || h.n == 0 || !h.cut)) {
                struct mst_event *ev = &(*out)[n++];

                ev->wall_ms = h.gaps[g].from_ms;
                ev->kind = MST_EV_GAP;
                (void)mst_history_gap_text(&h.gaps[g], ev->text, sizeof(ev->text));
            }
            g++;
        } else {
            if (live_kind(&h.events[e])) {
                earlier_event(&(*out)[n++], &h.events[e]);
            }
            e++;
        }
    }
    mst_history_release(&h);
    if (n > most) {
        memmove(*out, *out + (n - most), most * sizeof(**out));
        n = most;
    }
    return n;
}

/* Newest first: what was sent last to a member is what holds; a thaw has no time. */
static bool on_held(void *arg, const struct mst_row *row)
{
    struct mst_why_ours *o = arg;
    const char *member = mst_row_text(row, 0);
    struct mst_why_held *h;

    for (size_t i = 0; i < o->n_held; i++) {
        if (strcmp(o->held[i].member, member) == 0) {
            return true;
        }
    }
    if (o->n_held < MST_TOPO_MAX) {
        h = &o->held[o->n_held++];
        (void)mst_copy(h->member, sizeof(h->member), member);
        (void)mst_copy(h->run, sizeof(h->run), mst_row_text(row, 2));
        mst_text_sanitise(h->member);
        mst_text_sanitise(h->run);
        h->until_wall_ms = mst_row_int(row, 1);
    }
    return true;
}

void mst_keep_ours(struct mst_db *db, struct mst_why_ours *out)
{
    struct mst_err err = {0};

    out->known = mst_db_query(db, on_held, out, &err,
                              "SELECT member, until_ms, run FROM switch_steps WHERE what IN "
                              "('freeze', 'stepdown') ORDER BY id DESC LIMIT 500",
                              "") == MST_OK;
}

void mst_history_ours(const struct mst_cfg *cfg, struct mst_why_ours *out)
{
    struct mst_db *db = NULL;
    struct mst_err err = {0};
    const enum mst_rc rc = mst_keep_open(cfg, &db, &err);

    memset(out, 0, sizeof(*out));
    if (rc == MST_OK) {
        mst_keep_ours(db, out);
    } else {
        out->known = rc == MST_E_NOTFOUND;
    }
    mst_db_close(db);
}

void mst_history_release(struct mst_history *h)
{
    if (h) {
        free(h->events);
        free(h->watches);
        free(h->gaps);
        memset(h, 0, sizeof(*h));
    }
}
