/* The engine thread: the only one that makes views. It sleeps until the monitor, a job or a listing
 * has something new; counters of running jobs are read four times a second. */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/inner.h"
#include "log/log.h"
#include "topo/story.h"

#define JOBS_SHOWN 64
#define SAMPLE_MS 250
#define IDLE_MS 1000
#define GAP_MS 20    /* at least between two views */
#define STEP_MS 2000 /* more than a clock that is corrected smoothly moves between two looks */

struct now { /* parts of the view that was published last */
    struct mst_info_part *info;
    struct mst_topo_part *topo;
    struct mst_jobs_part *jobs;
    struct mst_bucket_part *stores[MST_VIEW_STORES];
    struct mst_look_part *looks[MST_VIEW_STORES];
    struct mst_detail_part *detail;
    struct mst_leavings_part *leavings;
    struct mst_messages_part *messages;
    struct mst_switch_part *move;
    struct mst_monitor_view *seen; /* that topo is a copy of */
    struct mst_story *story;
    size_t n_messages;
    uint64_t gen;
};

void mst_say(struct local *l, enum mst_severity severity, const char *fmt, ...)
{
    va_list ap;
    struct mst_message *m;

    mst_mutex_lock(&l->mtx);
    m = &l->messages[l->n_messages % MST_MESSAGES];
    m->seq = ++l->n_messages;
    m->wall_ms = mst_clock_utc_ms(NULL);
    m->severity = severity;
    va_start(ap, fmt);
    (void)vsnprintf(m->text, sizeof(m->text), fmt, ap);
    va_end(ap);
    mst_text_sanitise(m->text);
    l->parts_changed = true;
    mst_mutex_unlock(&l->mtx);
    mst_wake_signal(&l->stir);
}

#define PUT(name, type, field) \
    void name(struct local *l, type *p) \
    { \
        type *old; \
        mst_mutex_lock(&l->mtx); \
        old = l->field; \
        l->field = p; \
        l->parts_changed = true; \
        mst_mutex_unlock(&l->mtx); \
        mst_shared_unref((struct mst_shared *)old); \
        mst_wake_signal(&l->stir); \
    }
PUT(mst_put_detail_take, struct mst_detail_part, detail)
PUT(mst_put_move_take, struct mst_switch_part, move)

void mst_put_bucket_take(struct depot *d, struct mst_bucket_part *p)
{
    struct mst_bucket_part *old;

    mst_mutex_lock(&d->l->mtx);
    old = d->part;
    mst_bucket_inherit(p, old);
    d->part = p;
    d->l->parts_changed = true;
    mst_mutex_unlock(&d->l->mtx);
    mst_shared_unref((struct mst_shared *)old);
    mst_wake_signal(&d->l->stir);
}

void mst_put_look_take(struct depot *d, struct mst_look_part *p)
{
    struct mst_look_part *old;

    mst_mutex_lock(&d->l->mtx);
    old = d->look;
    d->look = p;
    d->l->parts_changed = true;
    mst_mutex_unlock(&d->l->mtx);
    mst_shared_unref((struct mst_shared *)old);
    mst_wake_signal(&d->l->stir);
}

bool mst_put_listing_take(struct local *l, struct depot *d, struct mst_bucket_part *fresh,
                          struct mst_leavings_part *p, uint64_t gen)
{
    struct mst_bucket_part *old = NULL;
    struct mst_leavings_part *before = p;
    bool current;

    mst_mutex_lock(&l->mtx);
    current = l->listings_gen == gen;
    if (current) {
        before = l->leavings;
        l->leavings = p;
        if (d) {
            old = d->part;
            mst_bucket_inherit(fresh, old);
            d->part = fresh;
            l->listings_gen++;
        }
        l->parts_changed = true;
    }
    mst_mutex_unlock(&l->mtx);
    mst_shared_unref((struct mst_shared *)before);
    mst_shared_unref((struct mst_shared *)old);
    if (current) {
        mst_wake_signal(&l->stir);
    }
    return current;
}

struct mst_monitor_view *mst_local_topo(struct local *l)
{
    return mst_monitor_view(l->monitor);
}

static void *ref(void *part)
{
    if (part) {
        mst_shared_ref(part);
    }
    return part;
}

static void swap(void *slot, void *next)
{
    void **p = slot;

    mst_shared_unref(*p);
    *p = next;
}

/* A switch that somebody asked for runs: ours, or another one's whose note was read. */
static bool switch_runs(struct local *l)
{
    bool yes;

    mst_mutex_lock(&l->mtx);
    yes = l->move && l->move->live;
    for (size_t i = 0; i < l->n_notes; i++) {
        const struct mst_note *n = &l->notes[i];

        yes = yes || (n->until_mono_ms > mst_clock_mono_ms(NULL) &&
                      (strcmp(n->act, "switchover") == 0 || strcmp(n->act, "stepdown") == 0 ||
                       strcmp(n->act, "failback") == 0));
    }
    mst_mutex_unlock(&l->mtx);
    return yes;
}

static bool take_topo(struct local *l, struct now *now)
{
    struct mst_monitor_view *m = mst_monitor_view(l->monitor);
    struct mst_topo_view v;

    if (m == now->seen) {
        mst_shared_unref(&m->shared);
        return false;
    }
    v = m->v;
    v.members =
        mst_xmemdup(m->v.members, (m->v.n + 1) * sizeof(v.members[0]) - sizeof(v.members[0]));
    v.events = mst_xmemdup(m->v.events, m->v.n_events * sizeof(v.events[0]));
    mst_story_follow(now->story, &v, switch_runs(l));
    swap(&now->topo, mst_topo_part_new_take(&v));
    swap(&now->seen, m);
    return true;
}

static bool take_jobs(struct local *l, struct now *now)
{
    struct mst_err err = {0};
    struct mst_job *jobs;
    size_t n;
    const bool news = atomic_exchange(&l->jobs_changed, false);

    if (!l->jobq || (!news && now->jobs && !mst_jobq_active(l->jobq))) {
        if (!now->jobs) {
            now->jobs = mst_jobs_new_take(NULL, 0);
        }
        return false;
    }
    if (mst_jobq_list(l->jobq, JOBS_SHOWN, &jobs, &n, &err) != MST_OK) {
        mst_log(MST_LOG_WARN, "engine", "list of jobs: %s", err.msg);
        return false;
    }
    swap(&now->jobs, mst_jobs_new_take(jobs, n));
    return true;
}

/* Under l->mtx. */
static void take_messages(const struct local *l, struct now *now)
{
    const size_t n = l->n_messages < MST_MESSAGES ? l->n_messages : MST_MESSAGES;
    struct mst_messages_part *p;

    if (now->messages && now->n_messages == l->n_messages) {
        return;
    }
    p = mst_messages_new(n);
    for (size_t i = 0; i < n; i++) {
        p->items[i] = l->messages[(l->n_messages - n + i) % MST_MESSAGES];
    }
    now->n_messages = l->n_messages;
    swap(&now->messages, p);
}

static bool take_parts(struct local *l, struct now *now)
{
    bool news;

    mst_mutex_lock(&l->mtx);
    news = l->parts_changed;
    l->parts_changed = false;
    if (news || !now->leavings) {
        for (size_t i = 0; i < l->n_depots; i++) {
            swap(&now->stores[i], ref(l->depots[i].part));
            swap(&now->looks[i], ref(l->depots[i].look));
        }
        swap(&now->detail, ref(l->detail));
        swap(&now->leavings, ref(l->leavings));
        swap(&now->move, ref(l->move));
        take_messages(l, now);
    }
    mst_mutex_unlock(&l->mtx);
    return news;
}

/* Under l->mtx, or before there are threads. */
static struct mst_info_part *make_info(const struct local *l)
{
    struct mst_info_part *p = mst_info_new();
    const struct mst_cfg *c = l->cfg;

    (void)mst_copy(p->set_label, sizeof(p->set_label), c->set.label);
    (void)mst_copy(p->set_class, sizeof(p->set_class), c->set.cls);
    (void)mst_copy(p->set_note, sizeof(p->set_note), c->set.note);
    (void)mst_copy(p->sandbox_ctl, sizeof(p->sandbox_ctl), c->sandbox.control);
    (void)mst_copy(p->config_path, sizeof(p->config_path), c->path);
    mst_text_sanitise(p->set_label);
    mst_text_sanitise(p->config_path);
    p->read_only = c->read_only;
    p->may_act = mst_cfg_may(c, "restore", p->may_not_why, sizeof(p->may_not_why));
    if (p->may_act && !l->db) {
        p->may_act = false;
        (void)mst_copy(p->may_not_why, sizeof(p->may_not_why), l->state_err.msg);
    }
    p->may_switch = mst_cfg_may(c, "switch", p->may_not_switch_why, sizeof(p->may_not_switch_why));
    if (p->may_switch && !l->db) {
        p->may_switch = false;
        (void)mst_copy(p->may_not_switch_why, sizeof(p->may_not_switch_why), l->state_err.msg);
    }
    (void)mst_copy(p->agent, sizeof(p->agent), l->agent_text);
    (void)mst_copy(p->agent_note, sizeof(p->agent_note),
                   l->o.agent ? "schedules do not run here" : "");
    (void)mst_copy(p->key_remind, sizeof(p->key_remind), l->key_remind);
    p->n_notes = l->n_notes;
    memcpy(p->notes, l->notes, sizeof(p->notes));
    p->notes_at_ms = l->notes_at_ms;
    return p;
}

static bool take_notes(struct local *l, struct now *now)
{
    bool news;

    mst_mutex_lock(&l->mtx);
    news = l->notes_changed;
    l->notes_changed = false;
    if (news) {
        swap(&now->info, make_info(l));
    }
    mst_mutex_unlock(&l->mtx);
    return news;
}

static void publish(struct local *l, struct now *now)
{
    struct mst_view *v = mst_view_new();

    v->gen = ++now->gen;
    v->now_mono_ms = mst_clock_mono_ms(NULL);
    v->now_wall_ms = mst_clock_utc_ms(NULL);
    v->info = ref(now->info);
    v->topo = ref(now->topo);
    v->jobs = ref(now->jobs);
    v->n_stores = l->n_depots;
    for (size_t i = 0; i < l->n_depots; i++) {
        v->stores[i] = ref(now->stores[i]);
        v->looks[i] = ref(now->looks[i]);
    }
    v->bucket = l->n_depots ? ref(now->stores[l->home]) : NULL;
    v->detail = ref(now->detail);
    v->leavings = ref(now->leavings);
    v->messages = ref(now->messages);
    v->move = ref(now->move);
    mst_keep_view(l, v);
    mst_cell_publish_take(&l->cell, &v->shared);
    mst_wake_signal(&l->out);
}

static void refresh(struct local *l, struct now *now, bool force)
{
    bool news = take_topo(l, now);

    news = take_jobs(l, now) || news;
    news = take_parts(l, now) || news;
    news = take_notes(l, now) || news;
    if (news || force) {
        publish(l, now);
    }
}

static int64_t wall_ahead(void)
{
    return mst_clock_utc_ms(NULL) - mst_clock_mono_ms(NULL);
}

/* Nothing that is decided here hangs on the wall clock; what people read does. */
static void watch_clock(struct local *l, int64_t *ahead_ms)
{
    const int64_t now = wall_ahead(), moved = now - *ahead_ms;
    char t[MST_HUMAN_MAX];

    *ahead_ms = now;
    if (moved > STEP_MS || moved < -STEP_MS) {
        mst_say(l, MST_SEV_WARN,
                "the clock of this host moved %s by %s: times of day shown from before are by the "
                "old one; ages, notes and tickets are not touched",
                moved > 0 ? "forward" : "back",
                mst_text_duration(((moved > 0 ? moved : -moved) + 500) / 1000 * 1000, t));
    }
}

static void wait_for_news(struct local *l)
{
    struct pollfd p[2] = {{.fd = l->stir.fd, .events = POLLIN},
                          {.fd = mst_monitor_wake_fd(l->monitor), .events = POLLIN}};
    const bool active = l->jobq && mst_jobq_active(l->jobq);

    (void)poll(p, 2, active ? SAMPLE_MS : IDLE_MS);
    mst_wake_drain(&l->stir);
    if (p[1].revents) {
        mst_monitor_drain(l->monitor);
    }
}

/* Runs on the engine thread; the first view is published by open, before there is a thread. */
void mst_loop_run(void *arg)
{
    struct local *l = arg;
    struct now now = {.gen = 0, .story = mst_story_new()};
    int64_t ahead_ms = wall_ahead();

    mst_mutex_lock(&l->mtx);
    now.info = make_info(l);
    mst_mutex_unlock(&l->mtx);
    atomic_store(&l->jobs_changed, true);
    refresh(l, &now, true);
    while (!atomic_load(&l->stop)) {
        wait_for_news(l);
        if (!atomic_load(&l->stop)) {
            watch_clock(l, &ahead_ms);
            refresh(l, &now, false);
            mst_clock_sleep_ms(GAP_MS);
        }
    }
    swap(&now.info, NULL);
    swap(&now.topo, NULL);
    swap(&now.jobs, NULL);
    for (size_t i = 0; i < MST_VIEW_STORES; i++) {
        swap(&now.stores[i], NULL);
        swap(&now.looks[i], NULL);
    }
    swap(&now.detail, NULL);
    swap(&now.leavings, NULL);
    swap(&now.messages, NULL);
    swap(&now.move, NULL);
    swap(&now.seen, NULL);
    mst_story_free(now.story);
}
