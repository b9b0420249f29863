/* The loop of a switch: picture in, decision out, journal, send, publish. */
#include "failover/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "failover/hands.h"
#include "log/log.h"

#define TICK_MS 50
#define PUBLISH_MS 150
#define STALL_MS 2000 /* our own loop stood still: durations mean nothing */
#define THAW_MS 3000

/* --- hands --- */

static void deliver(struct hand *h, const struct mst_fo_reply *r)
{
    struct crew *c = h->crew;

    mst_mutex_lock(&c->mtx);
    h->reply = *r;
    h->has_reply = true;
    c->fresh = true;
    mst_cond_signal(&c->news);
    mst_mutex_unlock(&c->mtx);
}

static void carry_out(struct hand *h, const struct mst_fo_action *a)
{
    struct crew *c = h->crew;
    struct mst_err err = {0};
    struct mst_fo_reply r = {.serial = a->serial, .sent_ms = mst_clock_mono_ms(NULL)};
    const char *name = c->o->plan->members[h->member].name;

    if (!h->c && c->o->connect(c->o->connect_arg, name, true, "muster-switch", 2000, &c->stop,
                               &h->c, &err) != MST_OK) {
        h->c = NULL; /* not sent for sure */
        r.outcome = MST_FO_SAID_NO;
        r.code = err.detail;
        r.came_ms = mst_clock_mono_ms(NULL);
        (void)snprintf(r.text, sizeof(r.text), "not sent: %.140s", err.msg);
    } else {
        mst_order_send(h->c, c->o->plan, a, &r);
        if (mst_conn_broken(h->c)) {
            mst_conn_free(h->c);
            h->c = NULL;
        }
    }
    deliver(h, &r);
}

static void hand_run(void *arg)
{
    struct hand *h = arg;
    struct crew *c = h->crew;

    mst_mutex_lock(&c->mtx);
    while (!mst_task_cancelled(&c->stop)) {
        if (!h->has) {
            (void)mst_cond_wait_ms(&h->stir, &c->mtx, 1000);
            continue;
        }
        const struct mst_fo_action a = h->order;

        h->has = false;
        mst_mutex_unlock(&c->mtx);
        carry_out(h, &a);
        mst_mutex_lock(&c->mtx);
    }
    mst_mutex_unlock(&c->mtx);
    mst_conn_free(h->c);
    h->c = NULL;
}

void mst_crew_order(struct crew *c, const struct mst_fo_action *a)
{
    struct hand *h = &c->hands[a->member];

    h->order = *a;
    h->has = true;
    mst_cond_signal(&h->stir);
}

enum mst_rc mst_crew_start(struct crew *c, const struct mst_fo_run_opts *o, struct mst_err *err)
{
    enum mst_rc rc = mst_task_init(&c->stop, err);

    c->o = o;
    c->n = o->plan->n;
    mst_mutex_init(&c->mtx);
    mst_cond_init(&c->news);
    for (size_t i = 0; i < c->n; i++) {
        mst_cond_init(&c->hands[i].stir);
        c->seen[i].state = MST_MS_UNKNOWN;
        c->seen[i].term = c->seen[i].config_version = c->seen[i].config_term = -1;
        c->seen[i].rbid = c->seen[i].catch_up_ops = -1;
        c->seen[i].applied.term = c->seen[i].committed.term = -1;
        c->eyes[i] = (struct eye){.crew = c, .member = i};
        c->hands[i].crew = c;
        c->hands[i].member = i;
    }
    for (size_t i = 0; i < c->n && rc == MST_OK; i++) {
        rc = mst_thread_start(&c->eyes[i].thread, "mst-sw-eye", mst_eye_run, &c->eyes[i], err);
        if (rc == MST_OK && !o->plan->members[i].arbiter) {
            rc = mst_thread_start(&c->hands[i].thread, "mst-sw-hand", hand_run, &c->hands[i], err);
        }
    }
    return rc;
}

void mst_crew_stop(struct crew *c)
{
    mst_task_cancel(&c->stop);
    mst_mutex_lock(&c->mtx);
    for (size_t i = 0; i < c->n; i++) {
        mst_cond_broadcast(&c->hands[i].stir);
    }
    mst_mutex_unlock(&c->mtx);
    for (size_t i = 0; i < c->n; i++) {
        mst_thread_join(&c->eyes[i].thread);
        mst_thread_join(&c->hands[i].thread);
        mst_cond_release(&c->hands[i].stir);
    }
    mst_cond_release(&c->news);
    mst_mutex_release(&c->mtx);
    mst_task_release(&c->stop);
}

/* --- the loop --- */

struct loop {
    const struct mst_fo_run_opts *o;
    struct crew *crew;
    struct mst_fo *f;
    struct mst_fo_seen seen[MST_TOPO_MAX]; /* the picture */
    int64_t last_ms, wall_off_ms, published_ms;
    enum mst_fo_state state;
    bool backups_asked, backups_stopped, first;
};

static void row(const char *what, const char *member, int64_t until_wall_ms, const char *text,
                struct mst_fo_step_row *out)
{
    memset(out, 0, sizeof(*out));
    out->wall_ms = mst_clock_utc_ms(NULL);
    out->until_wall_ms = until_wall_ms;
    (void)mst_copy(out->what, sizeof(out->what), what);
    (void)mst_copy(out->member, sizeof(out->member), member);
    (void)mst_copy(out->text, sizeof(out->text), text);
}

static enum mst_rc write_row(const struct loop *l, const struct mst_fo_step_row *r,
                             struct mst_err *err)
{
    return l->o->journal ? l->o->journal(l->o->arg, r, err) : MST_OK;
}

static void at(const struct loop *l, const char *point)
{
    if (l->o->at) {
        l->o->at(l->o->arg, point);
    }
}

static bool jumped(struct loop *l, int64_t now, int64_t wall)
{
    const int64_t off = wall - now;
    const bool yes = !l->first && (now - l->last_ms > STALL_MS || off - l->wall_off_ms > STALL_MS ||
                                   l->wall_off_ms - off > STALL_MS);

    l->first = false;
    l->last_ms = now;
    l->wall_off_ms = off;
    return yes;
}

static void take_reply(struct loop *l, const struct mst_fo_reply *reply)
{
    struct mst_fo_step_row r;
    struct mst_err err = {0};
    char text[240];

    (void)snprintf(text, sizeof(text), "%s after %" PRId64 " ms%s%.160s",
                   reply->outcome == MST_FO_OK        ? "ok"
                   : reply->outcome == MST_FO_SAID_NO ? "refused"
                                                      : "no answer",
                   reply->came_ms - reply->sent_ms, reply->text[0] ? ": " : "", reply->text);
    row("reply", "", 0, text, &r);
    mst_task_log(l->o->task, "  %s", text);
    (void)!write_row(l, &r, &err); /* the effect is there already */
    at(l, "reply");
    mst_fo_take_reply(l->f, reply);
}

/* Waits for news at most ms, then copies what is known and takes the replies that came. */
static void look(struct loop *l, int64_t ms, struct mst_fo_picture *p)
{
    struct crew *c = l->crew;
    struct mst_fo_reply replies[MST_TOPO_MAX];
    size_t n = 0;

    mst_mutex_lock(&c->mtx);
    if (!c->fresh && ms > 0) {
        (void)mst_cond_wait_ms(&c->news, &c->mtx, ms);
    }
    c->fresh = false;
    memcpy(l->seen, c->seen, sizeof(l->seen));
    for (size_t i = 0; i < c->n; i++) {
        if (c->hands[i].has_reply) {
            replies[n++] = c->hands[i].reply;
            c->hands[i].has_reply = false;
        }
    }
    mst_mutex_unlock(&c->mtx);
    for (size_t i = 0; i < n; i++) {
        take_reply(l, &replies[i]);
    }
    p->now_ms = mst_clock_mono_ms(NULL);
    p->now_wall_ms = mst_clock_utc_ms(NULL);
    p->n = c->n;
    p->m = l->seen;
    p->hold_lost = l->o->hold_lost && l->o->hold_lost(l->o->arg);
    p->want_undo = mst_task_cancelled(l->o->task);
    if (l->backups_asked && !l->backups_stopped) {
        l->backups_stopped = !l->o->stop_backups || l->o->stop_backups(l->o->arg);
    }
    p->backups_stopped = l->backups_stopped;
    p->clock_jumped = jumped(l, p->now_ms, p->now_wall_ms);
}

static void publish(struct loop *l, const struct mst_fo_picture *p, bool now)
{
    if (l->o->publish && (now || p->now_ms - l->published_ms >= PUBLISH_MS)) {
        l->published_ms = p->now_ms;
        l->o->publish(l->o->arg, l->f, p);
    }
}

/* A state was entered: it is written down, and the phase of the job says it. */
static void entered(struct loop *l)
{
    struct mst_fo_step_row r;
    struct mst_err err = {0};
    const struct mst_fo *f = l->f;
    const char *word = mst_fo_state_word(f->state);
    const char *detail = f->n_lines > 0 ? f->lines[f->n_lines - 1].detail : "";

    l->state = f->state;
    row("state", "", 0, word, &r);
    mst_task_phase(l->o->task, "%s", word);
    mst_task_log(l->o->task, "%s%s%s", word, detail[0] ? ": " : "", detail);
    if (write_row(l, &r, &err) != MST_OK) {
        mst_log(MST_LOG_WARN, "failover", "the journal of the switch: %s", err.msg);
    }
    at(l, word);
}

static void say_order(const struct loop *l, const struct mst_fo_action *a, char *out, size_t size)
{
    const struct mst_fo_plan *p = l->o->plan;

    if (a->what == MST_FO_SEND_FREEZE) {
        (void)snprintf(out, size, "replSetFreeze %" PRId64, a->secs);
    } else if (a->what == MST_FO_SEND_STEPDOWN) {
        (void)snprintf(out, size, "replSetStepDown %" PRId64 ", catch-up %" PRId64 " s", a->secs,
                       p->catch_up_s);
    } else if (a->what == MST_FO_SEND_STEPUP) {
        (void)snprintf(out, size, "replSetStepUp");
    } else if (a->what == MST_FO_SEND_NOTE) {
        (void)snprintf(out, size, "appendOplogNote, w:majority");
    } else {
        (void)snprintf(out, size, "replSetReconfig: version %" PRId64, p->config_version + 1);
    }
}

/* Written down first. What only gives back is sent also when that fails. */
static void send(struct loop *l, const struct mst_fo_action *a)
{
    const char *member = l->o->plan->members[a->member].name;
    const bool thaw = a->what == MST_FO_SEND_FREEZE && a->secs == 0;
    const int64_t now = mst_clock_utc_ms(NULL);
    struct mst_fo_step_row r;
    struct mst_err err = {0};
    char text[160];

    say_order(l, a, text, sizeof(text));
    row(mst_order_word(a->what), member, a->secs > 0 ? now + a->secs * 1000 : 0, text, &r);
    mst_task_log(l->o->task, "  to %s: %s", member, text);
    if (write_row(l, &r, &err) != MST_OK && !thaw) {
        struct mst_fo_reply no = {.serial = a->serial,
                                  .outcome = MST_FO_SAID_NO,
                                  .sent_ms = mst_clock_mono_ms(NULL),
                                  .came_ms = mst_clock_mono_ms(NULL)};

        (void)snprintf(no.text, sizeof(no.text), "not sent, the journal cannot be written: %.100s",
                       err.msg);
        deliver(&l->crew->hands[a->member], &no);
        return;
    }
    at(l, "send");
    mst_mutex_lock(&l->crew->mtx);
    mst_crew_order(l->crew, a);
    mst_mutex_unlock(&l->crew->mtx);
    at(l, "sent");
}

static void turn(struct loop *l)
{
    struct mst_fo_picture p = {0};
    struct mst_fo_action a = {.what = MST_FO_WAIT, .wait_ms = 0};

    do {
        look(l, a.wait_ms < TICK_MS ? a.wait_ms : TICK_MS, &p);
        mst_fo_step(l->f, &p, &a);
        if (l->f->state != l->state) {
            entered(l);
            publish(l, &p, true);
        }
        if (a.what == MST_FO_STOP_BACKUP) {
            l->backups_asked = true;
            a.wait_ms = 0;
        } else if (a.what != MST_FO_WAIT && a.what != MST_FO_FINISHED) {
            send(l, &a);
            a.wait_ms = TICK_MS;
        }
        publish(l, &p, a.what == MST_FO_FINISHED);
    } while (a.what != MST_FO_FINISHED);
}

enum mst_rc mst_fo_run(const struct mst_fo_run_opts *o, struct mst_fo *f, struct mst_err *err)
{
    struct crew *c = mst_xcalloc(1, sizeof(*c));
    struct loop *l = mst_xcalloc(1, sizeof(*l));
    enum mst_rc rc = mst_crew_start(c, o, err);

    l->o = o;
    l->crew = c;
    l->f = f;
    l->first = true;
    l->state = MST_FO_STATES;
    mst_fo_init(f, o->plan, mst_clock_mono_ms(NULL));
    f->defect_no_recheck = (o->plant & MST_FO_PLANT_NO_RECHECK) != 0;
    f->defect_no_freeze = (o->plant & MST_FO_PLANT_NO_FREEZE) != 0;
    f->defect_no_final_optime = (o->plant & MST_FO_PLANT_NO_FINAL) != 0;
    f->defect_done_at_writable = (o->plant & MST_FO_PLANT_WRITABLE) != 0;
    if (rc == MST_OK) {
        struct mst_fo_step_row r;
        struct mst_err ignore = {0};

        turn(l);
        row("end", "", 0, f->text, &r);
        (void)!write_row(l, &r, &ignore);
    }
    mst_crew_stop(c);
    free(l);
    free(c);
    return rc;
}

enum mst_rc mst_fo_thaw(mst_fo_connect_fn *connect, void *connect_arg, const char *member,
                        struct mst_task *task, struct mst_err *err)
{
    struct mst_conn *c = NULL;
    bson_t cmd = BSON_INITIALIZER, reply;
    enum mst_rc rc = connect(connect_arg, member, true, "muster-switch", THAW_MS, task, &c, err);

    if (rc == MST_OK) {
        (void)BSON_APPEND_INT32(&cmd, "replSetFreeze", 0);
        rc = mst_conn_command(c, "admin", &cmd, THAW_MS, &reply, err);
        if (rc == MST_E_SERVER && err->detail == 95) { /* it is primary or stands: not frozen */
            rc = MST_OK;
        }
        bson_destroy(&reply);
    }
    bson_destroy(&cmd);
    mst_conn_free(c);
    return rc;
}
