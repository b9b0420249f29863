/* What happened, written down: the engine thread hands rows over and never waits; a thread of its
 * own, with a connection of its own, writes them in batches. */
#include "engine/keep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/inner.h"
#include "log/log.h"

#define ROWS_MAX 512     /* that wait for the disk; older ones are counted as lost */
#define GATHER_MS 250    /* between two batches */
#define LATE_MS 20000    /* four times missed: it did not watch */
#define PRUNE_MS 3600000 /* hourly, and at the start */
#define WATCHES_MAX 5000

struct keep {
    struct local *l;
    struct mst_thread thread;
    struct mst_mutex mtx; /* guards what follows */
    struct mst_cond cond;
    bool stop;
    size_t n, lost;
    struct mst_hist_event rows[ROWS_MAX];

    /* the engine thread's own: what was handed over */
    uint64_t event_seq, message_seq;
    enum mst_verdict verdict;
    int64_t tale_ms; /* of the failover whose lines were handed over */
    unsigned tales;  /* those of them, by enum mst_tale */

    /* the writer's own */
    struct mst_db *db;
    struct mst_keep_watch watch;
    bool failing;
    struct mst_hist_event batch[ROWS_MAX + 1];
};

/* --- the transaction --- */

struct job {
    struct mst_keep_watch *w;
    const struct mst_hist_event *events;
    size_t n;
    int64_t now_ms, id;
    bool last, prune;
};

static enum mst_rc write_watch(struct mst_db *db, struct job *j, struct mst_err *err)
{
    const int64_t since = j->now_ms - j->w->told_ms;
    enum mst_rc rc;

    j->id = j->w->id;
    if (j->id == 0 || since > LATE_MS || since < 0) {
        rc = mst_db_run(db, err, "INSERT INTO watches (who, from_ms, to_ms) VALUES (?, ?, ?)",
                        "tii", j->w->who, j->now_ms, j->now_ms);
        j->id = mst_db_last_id(db);
    } else {
        rc = mst_db_run(db, err, "UPDATE watches SET to_ms = ? WHERE id = ?", "ii", j->now_ms,
                        j->id);
    }
    if (rc == MST_OK && j->last) {
        rc = mst_db_run(db, err, "UPDATE watches SET ended = 1 WHERE id = ?", "i", j->id);
    }
    return rc;
}

static enum mst_rc prune(struct mst_db *db, int64_t now_ms, struct mst_err *err)
{
    const int64_t old = now_ms - (int64_t)MST_HISTORY_DAYS * 24 * 3600 * 1000;
    enum mst_rc rc =
        mst_db_run(db, err,
                   "DELETE FROM set_events WHERE wall_ms < ? OR id <= (SELECT max(id) FROM "
                   "set_events) - ?",
                   "ii", old, (int64_t)MST_HISTORY_MAX);

    if (rc == MST_OK) {
        rc = mst_db_run(db, err,
                        "DELETE FROM watches WHERE to_ms < ? OR id <= (SELECT max(id) FROM "
                        "watches) - ?",
                        "ii", old, (int64_t)WATCHES_MAX);
    }
    return rc;
}

static enum mst_rc write_all(struct mst_db *db, void *arg, struct mst_err *err)
{
    struct job *j = arg;
    enum mst_rc rc = write_watch(db, j, err);

    for (size_t i = 0; rc == MST_OK && i < j->n; i++) {
        const struct mst_hist_event *e = &j->events[i];

        rc = mst_db_run(db, err,
                        "INSERT INTO set_events (wall_ms, source, kind, severity, member, text) "
                        "VALUES (?, ?, ?, ?, ?, ?)",
                        "iiiitt", e->wall_ms, (int64_t)e->source, (int64_t)e->kind,
                        (int64_t)e->severity, e->member, e->text);
    }
    if (rc == MST_OK && j->prune) {
        rc = prune(db, j->now_ms, err);
    }
    return rc;
}

enum mst_rc mst_keep_write(struct mst_db *db, struct mst_keep_watch *w,
                           const struct mst_hist_event *events, size_t n, int64_t now_ms, bool last,
                           struct mst_err *err)
{
    struct job j = {.w = w, .events = events, .n = n, .now_ms = now_ms, .last = last};
    enum mst_rc rc;

    j.prune = w->pruned_ms == 0 || now_ms - w->pruned_ms >= PRUNE_MS || now_ms < w->pruned_ms;
    rc = mst_db_tx(db, write_all, &j, err);
    if (rc == MST_OK) {
        w->id = j.id;
        w->told_ms = now_ms;
        w->pruned_ms = j.prune ? now_ms : w->pruned_ms;
    }
    return rc;
}

/* --- the engine thread's side --- */

static struct mst_hist_event *one_more(struct keep *k) /* under mtx */
{
    struct mst_hist_event *e;

    if (k->n == ROWS_MAX) {
        memmove(k->rows, k->rows + 1, (ROWS_MAX - 1) * sizeof(k->rows[0]));
        k->n--;
        k->lost++;
    }
    e = &k->rows[k->n++];
    memset(e, 0, sizeof(*e));
    return e;
}

static void take_health(struct keep *k, const struct mst_topo_view *t)
{
    struct mst_hist_event *e;

    if (t->verdict == k->verdict || t->verdict == MST_V_STARTING) {
        return;
    }
    k->verdict = t->verdict;
    e = one_more(k);
    e->wall_ms = t->now_wall_ms;
    e->source = MST_HIST_HEALTH;
    e->severity = t->verdict == MST_V_HEALTHY    ? MST_SEV_INFO
                  : t->verdict == MST_V_DEGRADED ? MST_SEV_WARN
                                                 : MST_SEV_CRIT;
    (void)snprintf(e->text, sizeof(e->text), "%s: %s", mst_verdict_word(t->verdict), t->headline);
}

static void take_events(struct keep *k, const struct mst_topo_view *t)
{
    for (size_t i = 0; i < t->n_events; i++) {
        const struct mst_event *from = &t->events[i];
        struct mst_hist_event *e;

        if (from->seq <= k->event_seq) {
            continue;
        }
        k->event_seq = from->seq;
        if (from->mono_ms == 0) { /* it is from there */
            continue;
        }
        e = one_more(k);
        e->wall_ms = from->wall_ms;
        e->source = MST_HIST_TOPO;
        e->kind = from->kind;
        e->severity = from->severity;
        if (from->member >= 0 && (size_t)from->member < t->n) {
            (void)mst_copy(e->member, sizeof(e->member), t->members[from->member].name);
        }
        (void)mst_copy(e->text, sizeof(e->text), from->text);
    }
}

static void take_messages(struct keep *k, const struct mst_messages_part *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct mst_hist_event *e;

        if (m->items[i].seq > k->message_seq) {
            k->message_seq = m->items[i].seq;
            e = one_more(k);
            e->wall_ms = m->items[i].wall_ms;
            e->source = MST_HIST_SAID;
            e->severity = m->items[i].severity;
            (void)mst_copy(e->text, sizeof(e->text), m->items[i].text);
        }
    }
}

/* A line is written once, when it is known; what to do next, when the failover is over. */
static void take_failover(struct keep *k, const struct mst_failover *f)
{
    struct mst_tale_line lines[MST_TALES];
    const size_t n = mst_failover_lines(f, lines);

    if (n > 0 && f->lost_ms != k->tale_ms) {
        k->tale_ms = f->lost_ms;
        k->tales = 0;
    }
    for (size_t i = 0; i < n; i++) {
        struct mst_hist_event *e;

        if (k->tales & 1u << lines[i].what || (lines[i].what == MST_TALE_NEXT && !f->over)) {
            continue;
        }
        k->tales |= 1u << lines[i].what;
        e = one_more(k);
        e->wall_ms = lines[i].wall_ms;
        e->source = MST_HIST_FAILOVER;
        e->severity = lines[i].severity;
        (void)snprintf(e->text, sizeof(e->text), "failover: %.220s", lines[i].text);
    }
}

void mst_keep_view(struct local *l, const struct mst_view *v)
{
    struct keep *k = l->keep;

    if (!k) {
        return;
    }
    mst_mutex_lock(&k->mtx);
    if (v->messages) {
        take_messages(k, v->messages);
    }
    if (v->topo) {
        take_events(k, &v->topo->v);
        take_health(k, &v->topo->v);
        take_failover(k, &v->topo->v.failover);
    }
    if (k->n > 0) {
        mst_cond_signal(&k->cond);
    }
    mst_mutex_unlock(&k->mtx);
}

/* --- the writer --- */

static bool owned(struct local *l)
{
    bool yes;

    mst_mutex_lock(&l->own_mtx);
    yes = l->lock_fd >= 0;
    mst_mutex_unlock(&l->own_mtx);
    return yes;
}

/* Moves what waits into the batch; false once the end was asked for. */
static bool gather(struct keep *k, size_t *n, size_t *lost)
{
    bool stop;

    mst_mutex_lock(&k->mtx);
    if (k->n == 0 && !k->stop) {
        (void)mst_cond_wait_ms(&k->cond, &k->mtx, MST_KEEP_TOUCH_MS);
    }
    if (!k->stop) { /* more comes with it */
        (void)mst_cond_wait_ms(&k->cond, &k->mtx, GATHER_MS);
    }
    *n = k->n;
    *lost = k->lost;
    memcpy(k->batch, k->rows, k->n * sizeof(k->rows[0]));
    stop = k->stop;
    mst_mutex_unlock(&k->mtx);
    return !stop;
}

static void written(struct keep *k, size_t n, size_t lost)
{
    size_t pushed;

    mst_mutex_lock(&k->mtx);
    /* Of those that were pushed out meanwhile, the first n were written, too. */
    k->lost -= lost;
    pushed = k->lost < n ? k->lost : n;
    k->lost -= pushed;
    n -= pushed;
    k->n -= n;
    memmove(k->rows, k->rows + n, k->n * sizeof(k->rows[0]));
    mst_mutex_unlock(&k->mtx);
}

static enum mst_rc write_batch(struct keep *k, size_t n, size_t lost, bool last,
                               struct mst_err *err)
{
    const int64_t now = mst_clock_utc_ms(NULL);
    size_t all = n;
    enum mst_rc rc = MST_OK;

    if (!k->db) {
        char path[sizeof(k->l->dir) + 32];

        (void)snprintf(path, sizeof(path), "%s/muster.db", k->l->dir);
        rc = mst_db_open(path, &k->db, err);
    }
    if (lost > 0) {
        struct mst_hist_event *e = &k->batch[all++];

        memset(e, 0, sizeof(*e));
        e->wall_ms = now;
        e->source = MST_HIST_SAID;
        e->severity = MST_SEV_WARN;
        (void)snprintf(e->text, sizeof(e->text),
                       "%zu %s before this could not be written down and are not here", lost,
                       mst_text_noun(lost, "event", "events"));
    }
    if (rc == MST_OK) {
        rc = mst_keep_write(k->db, &k->watch, k->batch, all, now, last, err);
    }
    return rc;
}

static void keep_run(void *arg)
{
    struct keep *k = arg;
    bool more = true;

    while (more) {
        struct mst_err err = {0};
        size_t n, lost;

        more = gather(k, &n, &lost);
        if (!owned(k->l)) { /* who has the lock writes; twice would be a lie */
            written(k, n, lost);
        } else if (write_batch(k, n, lost, !more, &err) == MST_OK) {
            written(k, n, lost);
            k->failing = false;
        } else if (!k->failing && more) {
            k->failing = true; /* said once; what waits is tried again */
            mst_say(k->l, MST_SEV_WARN, "what happens is not written down: %s", err.msg);
        }
    }
}

enum mst_rc mst_keep_start(struct local *l, struct mst_err *err)
{
    struct keep *k;

    if (!l->db) {
        return MST_OK;
    }
    k = mst_xcalloc(1, sizeof(*k));
    k->l = l;
    k->verdict = MST_V_STARTING;
    mst_mutex_init(&k->mtx);
    mst_cond_init(&k->cond);
    (void)snprintf(k->watch.who, sizeof(k->watch.who), "%s of %s", l->agent_text, l->who);
    l->keep = k;
    return mst_thread_start(&k->thread, "mst-keep", keep_run, k, err);
}

void mst_keep_stop(struct local *l)
{
    struct keep *k = l->keep;

    if (!k) {
        return;
    }
    mst_mutex_lock(&k->mtx);
    k->stop = true;
    mst_cond_signal(&k->cond);
    mst_mutex_unlock(&k->mtx);
    mst_thread_join(&k->thread);
    mst_db_close(k->db);
    mst_cond_release(&k->cond);
    mst_mutex_release(&k->mtx);
    l->keep = NULL;
    free(k);
}
