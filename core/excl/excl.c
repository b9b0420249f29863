#include "excl/excl.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conc/thread.h"
#include "log/log.h"

#define COMMAND_MS 15000
#define MAJORITY_MS 10000
#define NOTES_MAX 4096
#define LOOK_BACK_S 120 /* more than a note can be open without being renewed */

struct mst_excl {
    struct mst_excl_opts o;
    struct mst_excl_note me;
    char agent[64], act[24], plan[17], host[64], target[MST_EXCL_TARGET];
    struct mst_task stop; /* ends the threads */
    struct mst_thread thread, watch;
    _Atomic int64_t ours_until_ms; /* monotonic: act no longer than that */
    atomic_bool lost;
};

bool mst_excl_parse(const bson_t *entry, struct mst_excl_note *out)
{
    bson_t m;

    memset(out, 0, sizeof(*out));
    if (!mst_bson_doc(entry, "o.muster", &m)) {
        return false;
    }
    (void)mst_bson_ts(entry, "ts", &out->ts);
    if (mst_bson_text(&m, "end", out->id, sizeof(out->id))) {
        out->end = true;
        return true;
    }
    (void)mst_bson_text(&m, "act", out->act, sizeof(out->act));
    (void)mst_bson_text(&m, "agent", out->agent, sizeof(out->agent));
    (void)mst_bson_text(&m, "host", out->host, sizeof(out->host));
    (void)mst_bson_text(&m, "plan", out->plan, sizeof(out->plan));
    (void)mst_bson_text(&m, "target", out->target, sizeof(out->target));
    (void)mst_bson_ts(&m, "first", &out->first);
    out->until_wall_ms = mst_bson_date(&m, "until", 0);
    return mst_bson_text(&m, "id", out->id, sizeof(out->id));
}

static struct mst_ts first_of(const struct mst_excl_note *n)
{
    return mst_ts_zero(n->first) ? n->ts : n->first;
}

const struct mst_excl_note *mst_excl_holder(const struct mst_excl_note *notes, size_t n,
                                            int64_t now_wall_ms)
{
    const struct mst_excl_note *best = NULL;

    for (size_t i = 0; i < n; i++) {
        bool stands = !notes[i].end && notes[i].until_wall_ms > now_wall_ms;

        for (size_t j = i + 1; j < n && stands; j++) { /* renewed or ended later */
            stands = strcmp(notes[j].id, notes[i].id) != 0;
        }
        if (stands && (!best || mst_ts_cmp(first_of(&notes[i]), first_of(best)) < 0)) {
            best = &notes[i];
        }
    }
    return best;
}

/* --- reading --- */

/* Wall time and ts of the newest entry: the only clock that counts. */
static enum mst_rc newest(struct mst_conn *c, int64_t *wall_ms, struct mst_ts *ts,
                          struct mst_err *err)
{
    bson_t *cmd = BCON_NEW("find", "oplog.rs", "sort", "{", "$natural", BCON_INT32(-1), "}",
                           "limit", BCON_INT32(1), "singleBatch", BCON_BOOL(true));
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    enum mst_rc rc = mst_cursor_open(c, "local", cmd, COMMAND_MS, &cur, err);

    bson_destroy(cmd);
    if (rc == MST_OK) {
        rc = mst_cursor_next(cur, &doc, err);
    }
    if (rc == MST_OK && (!doc || !mst_bson_ts(doc, "ts", ts))) {
        rc = mst_err_set(err, MST_E_PRECOND, "the oplog of the primary is empty");
    }
    if (rc == MST_OK) {
        *wall_ms = mst_bson_date(doc, "wall", (int64_t)ts->t * 1000);
    }
    mst_cursor_free(cur);
    return rc;
}

enum mst_rc mst_excl_list(struct mst_conn *c, struct mst_excl_note **out, size_t *n,
                          int64_t *now_wall_ms, struct mst_err *err)
{
    struct mst_ts ts;
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    size_t cap = 0;
    bson_t *cmd, filter, since;
    enum mst_rc rc = newest(c, now_wall_ms, &ts, err);

    *out = NULL;
    *n = 0;
    if (rc != MST_OK) {
        return rc;
    }
    bson_init(&filter);
    BSON_APPEND_DOCUMENT_BEGIN(&filter, "ts", &since);
    BSON_APPEND_TIMESTAMP(&since, "$gte", ts.t > LOOK_BACK_S ? ts.t - LOOK_BACK_S : 0, 0);
    bson_append_document_end(&filter, &since);
    BSON_APPEND_UTF8(&filter, "op", "n");
    cmd = BCON_NEW("find", "oplog.rs", "filter", BCON_DOCUMENT(&filter));
    bson_destroy(&filter);
    rc = mst_cursor_open(c, "local", cmd, COMMAND_MS, &cur, err);
    bson_destroy(cmd);
    while (rc == MST_OK && (rc = mst_cursor_next(cur, &doc, err)) == MST_OK && doc) {
        struct mst_excl_note note;

        if (!mst_excl_parse(doc, &note)) {
            continue;
        }
        if (*n == NOTES_MAX) {
            rc = mst_err_set(err, MST_E_LIMIT, "the oplog holds more than %d notes of muster",
                             NOTES_MAX);
            break;
        }
        mst_grow((void **)out, &cap, *n + 1, sizeof(**out));
        (*out)[(*n)++] = note;
    }
    mst_cursor_free(cur);
    return rc;
}

/* --- writing --- */

static enum mst_rc append(struct mst_conn *c, const bson_t *data, struct mst_err *err)
{
    bson_t *cmd =
        BCON_NEW("appendOplogNote", BCON_INT32(1), "data", BCON_DOCUMENT(data), "writeConcern", "{",
                 "w", "majority", "wtimeout", BCON_INT32(MAJORITY_MS), "}");
    struct mst_err ignored = {0};
    char who[160];
    int64_t wall;
    struct mst_ts ts;
    bson_t reply;
    enum mst_rc rc = mst_conn_command(c, "admin", cmd, COMMAND_MS, &reply, err);

    if (rc == MST_OK) {
        rc = mst_reply_write_error(&reply, err);
    }
    if (rc == MST_E_TIMEOUT && newest(c, &wall, &ts, &ignored) == MST_OK) {
        mst_conn_who_lags(c, ts, who, sizeof(who));
        mst_err_prefix(err, "waited for %s", who[0] ? who : "a majority");
    }
    if (rc == MST_E_TIMEOUT || rc == MST_E_NET) {
        mst_err_prefix(err, "the note may or may not stand in the oplog");
        err->rc = rc = MST_E_UNKNOWN;
    }
    bson_destroy(&reply);
    bson_destroy(cmd);
    return rc;
}

static enum mst_rc write_note(struct mst_excl *x, struct mst_conn *c, struct mst_err *err)
{
    const int64_t hold = x->o.hold_ms, begun = mst_clock_mono_ms(NULL);
    int64_t wall;
    struct mst_ts ts;
    bson_t data, m;
    enum mst_rc rc = newest(c, &wall, &ts, err);

    if (rc == MST_OK && x->me.until_wall_ms && wall > x->me.until_wall_ms) {
        rc = mst_err_set(err, MST_E_STALE, "the note is past its time: the set may be another's");
    }
    if (rc != MST_OK) {
        return rc;
    }
    bson_init(&data);
    BSON_APPEND_DOCUMENT_BEGIN(&data, "muster", &m);
    BSON_APPEND_UTF8(&m, "act", x->act);
    BSON_APPEND_UTF8(&m, "id", x->me.id);
    BSON_APPEND_UTF8(&m, "agent", x->agent);
    BSON_APPEND_UTF8(&m, "host", x->host);
    BSON_APPEND_UTF8(&m, "plan", x->plan);
    if (x->target[0]) {
        BSON_APPEND_UTF8(&m, "target", x->target);
    }
    BSON_APPEND_DATE_TIME(&m, "until", wall + hold);
    if (!mst_ts_zero(x->me.first)) {
        BSON_APPEND_TIMESTAMP(&m, "first", x->me.first.t, x->me.first.i);
    }
    bson_append_document_end(&data, &m);
    rc = append(c, &data, err);
    bson_destroy(&data);
    if (rc == MST_OK) {
        x->me.until_wall_ms = wall + hold;
        /* What is under way then has one more renewal's time to end before others may act. */
        atomic_store(&x->ours_until_ms, begun + hold - x->o.renew_ms);
    }
    return rc;
}

static enum mst_rc write_end(const char *id, struct mst_conn *c, struct mst_err *err)
{
    bson_t *data = BCON_NEW("muster", "{", "end", BCON_UTF8(id), "}");
    const enum mst_rc rc = append(c, data, err);

    bson_destroy(data);
    return rc;
}

/* --- holding --- */

bool mst_excl_valid(const struct mst_excl *x)
{
    return !atomic_load(&x->lost) && mst_clock_mono_ms(NULL) < atomic_load(&x->ours_until_ms);
}

static enum mst_rc renew(struct mst_excl *x, struct mst_err *err)
{
    struct mst_conn *c = NULL;
    enum mst_rc rc = x->o.connect(x->o.connect_arg, &x->stop, &c, err);

    if (rc == MST_OK) {
        rc = write_note(x, c, err);
    }
    mst_conn_free(c);
    return rc;
}

static void renewing(void *arg)
{
    struct mst_excl *x = arg;
    int64_t wait = x->o.renew_ms;

    while (mst_task_sleep_ms(&x->stop, wait) && mst_excl_valid(x)) {
        struct mst_err err = {0};

        wait = x->o.renew_ms;
        if (renew(x, &err) != MST_OK && !mst_task_cancelled(&x->stop)) {
            mst_log(MST_LOG_WARN, "excl", "the note could not be renewed: %s", err.msg);
            wait = x->o.renew_ms / 10 + 1;
            if (err.rc == MST_E_STALE) {
                atomic_store(&x->ours_until_ms, 0);
            }
        }
    }
}

/* A renewal may hang for longer than the note holds, so its end is watched apart from it. */
static void watching(void *arg)
{
    struct mst_excl *x = arg;
    const int64_t look_ms = x->o.renew_ms / 10 + 1;

    while (mst_excl_valid(x)) {
        const int64_t left = atomic_load(&x->ours_until_ms) - mst_clock_mono_ms(NULL);

        if (!mst_task_sleep_ms(&x->stop, left < look_ms ? left : look_ms)) {
            return;
        }
    }
    atomic_store(&x->lost, true);
    if (x->o.lost) {
        x->o.lost(x->o.lost_arg);
    }
}

static enum mst_rc refuse(const struct mst_excl_note *h, int64_t now, struct mst_err *err)
{
    return mst_err_set(err, MST_E_BUSY,
                       "%s runs on this set: %s on %s (plan %s), for at least %lld s more", h->act,
                       h->agent, h->host, h->plan[0] ? h->plan : "-",
                       (long long)(h->until_wall_ms - now) / 1000);
}

/* Is the set ours? Then remember where our first note stands. */
static enum mst_rc judge(struct mst_excl *x, struct mst_conn *c, struct mst_err *err)
{
    struct mst_excl_note *notes = NULL;
    const struct mst_excl_note *h;
    int64_t now;
    size_t n;
    enum mst_rc rc = mst_excl_list(c, &notes, &n, &now, err);

    if (rc == MST_OK) {
        h = mst_excl_holder(notes, n, now);
        if (!h) {
            rc = mst_err_set(err, MST_E_UNKNOWN, "our note is not in the oplog");
        } else if (strcmp(h->id, x->me.id) != 0) {
            rc = refuse(h, now, err);
        } else {
            x->me.first = first_of(h);
        }
    }
    free(notes);
    return rc;
}

/* Who must be refused anyhow leaves no trace. */
static enum mst_rc look_first(struct mst_excl *x, struct mst_conn *c, struct mst_err *err)
{
    bool again = true;
    enum mst_rc rc = MST_OK;

    for (int i = 0; rc == MST_OK && again && i < 8; i++) {
        struct mst_excl_note *notes = NULL;
        const struct mst_excl_note *h;
        int64_t now;
        size_t n = 0;

        again = false;
        rc = mst_excl_list(c, &notes, &n, &now, err);
        h = rc == MST_OK ? mst_excl_holder(notes, n, now) : NULL;
        if (h && x->o.dead && strcmp(h->host, x->host) == 0 && x->o.dead(x->o.dead_arg, h)) {
            rc = write_end(h->id, c, err);
            again = true;
        } else if (h) {
            rc = refuse(h, now, err);
        }
        free(notes);
    }
    return rc;
}

static enum mst_rc take(struct mst_excl *x, struct mst_err *err)
{
    struct mst_conn *c = NULL;
    struct mst_err ignore = {0};
    enum mst_rc rc = x->o.connect(x->o.connect_arg, x->o.task, &c, err);

    if (rc == MST_OK) {
        rc = look_first(x, c, err);
    }
    if (rc == MST_OK && (rc = write_note(x, c, err)) == MST_OK) {
        rc = judge(x, c, err);
        if (rc != MST_OK && !mst_conn_broken(c)) {
            (void)!write_end(x->me.id, c, &ignore);
        }
    }
    mst_conn_free(c);
    return rc;
}

enum mst_rc mst_excl_take(const struct mst_excl_opts *o, struct mst_excl **out, struct mst_err *err)
{
    struct mst_excl *x = mst_xcalloc(1, sizeof(*x));
    uint64_t id = 0;
    enum mst_rc rc;

    x->o = *o;
    x->o.hold_ms = o->hold_ms ? o->hold_ms : MST_EXCL_HOLD_MS;
    x->o.renew_ms = o->renew_ms ? o->renew_ms : MST_EXCL_RENEW_MS;
    (void)mst_copy(x->act, sizeof(x->act), o->act);
    (void)mst_copy(x->agent, sizeof(x->agent), o->agent);
    (void)mst_copy(x->plan, sizeof(x->plan), o->plan ? o->plan : "");
    (void)mst_copy(x->target, sizeof(x->target), o->target ? o->target : "");
    if (gethostname(x->host, sizeof(x->host) - 1) != 0) {
        (void)mst_copy(x->host, sizeof(x->host), "unknown host");
    }
    rc = mst_task_init(&x->stop, err);
    if (rc == MST_OK && getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id)) {
        rc = mst_err_set(err, MST_E_IO, "the system has no random bytes");
    }
    (void)snprintf(x->me.id, sizeof(x->me.id), "%016llx", (unsigned long long)id);
    if (rc == MST_OK) {
        rc = take(x, err);
    }
    if (rc == MST_OK) {
        rc = mst_thread_start(&x->thread, "mst-excl", renewing, x, err);
    }
    if (rc == MST_OK && mst_thread_start(&x->watch, "mst-excl-end", watching, x, err) != MST_OK) {
        mst_excl_release(x);
        *out = NULL;
        return err->rc;
    }
    if (rc != MST_OK) {
        mst_task_release(&x->stop);
        free(x);
        x = NULL;
    }
    *out = x;
    return rc;
}

const char *mst_excl_id(const struct mst_excl *x)
{
    return x->me.id;
}

void mst_excl_release(struct mst_excl *x)
{
    struct mst_conn *c = NULL;
    struct mst_err err = {0};

    if (!x) {
        return;
    }
    mst_task_cancel(&x->stop);
    mst_thread_join(&x->thread);
    mst_thread_join(&x->watch);
    if (x->o.connect(x->o.connect_arg, NULL, &c, &err) != MST_OK ||
        write_end(x->me.id, c, &err) != MST_OK) {
        mst_log(MST_LOG_WARN, "excl", "the note was not closed, it ends by itself: %s", err.msg);
    }
    mst_conn_free(c);
    mst_task_release(&x->stop);
    free(x);
}
