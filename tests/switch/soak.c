/* Random schedules of a switch on the simulated set, with a client that writes with w:majority, at
 * least three faults in each, priorities of chance and each way to go on afterwards. After each: no
 * acknowledged write is lost, nobody stays frozen, nobody else acted meanwhile, and DONE was not
 * followed by another primary within a takeover delay. A witness inside the set sees that nothing
 * is sent on a plan that is over, that no rival may stand when the primary is stepped down, that a
 * certificate is about the last position, and that priorities are as planned.
 *
 * usage: soak [--runs N] [--seed S] [--workers W] [--limit SECONDS] [--least N]
 *        [--plant MISTAKE] [--seeds S,S,...]
 *
 * One line a run, and at the end the totals; exit 1 when an invariant broke. A run is made again by
 * its seed: soak --runs 1 --seed S --workers 1. With --plant (recheck, freeze, final, writable) the
 * switch makes that mistake, and exit 1 means that no run caught it.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conc/task.h"
#include "conc/thread.h"
#include "excl/excl.h"
#include "failover/run.h"
#include "monitor/monitor.h"
#include "sandbox/ctl/ctl.h"
#include "sandbox/run/run.h"
#include "sandbox/set/set.h"
#include "sandbox/wire/client.h"
#include "witness.h"

#define FAULTS 6
#define KINDS 11
#define WRITES_MAX 20000
#define FREEZE_S 10 /* as 60 s are to a real set: longer than from the freeze to the reconfig */
#define HOLD_MS 6000

enum kind {
    KILL,
    STOP,
    PART,
    CUT_LINK,
    LAG,
    REFUSE_LINK,
    FOREIGN_STEPDOWN,
    UNDO,
    JOURNAL,
    LOST,
    BUSY
};
static const char *const kinds[KINDS] = {"kill",    "stop",        "partition", "cut",
                                         "lag",     "unreachable", "stepdown",  "undo",
                                         "journal", "hold-lost",   "other-act"};

struct fault {
    enum kind kind;
    int64_t at_ms, for_ms; /* from the start of the switch */
    int member, other;
    bool applied, healed;
};

struct run {
    uint64_t seed, rng;
    struct sbx_world *w;
    size_t n;
    bool arbiter;
    struct mst_task stop; /* ends writer and faults */
    struct mst_task task; /* the operator's */
    struct mst_mutex mtx;
    /* under mtx */
    int acked[WRITES_MAX];
    size_t n_acked, n_tried;
    struct fault faults[FAULTS];
    size_t n_faults;
    int64_t begun_ms, last_fault_ms;
    bool no_journal, lost;
    int unreachable; /* member we cannot reach, -1 none */
    int foreign_acts;
    bool holding; /* our note stands */
    struct witness witness;
    double priority[8];
    bool moved_first, uneven;
    /* Every fourth: faults of the first seconds only, and a swap of priorities where one is due.
     * What comes late in a switch is seldom reached under faults that last. */
    bool early;
    unsigned plant;
    struct mst_fo_plan plan;
    struct mst_fo f;
    char broken[400];
    size_t applied[KINDS];
};

static uint64_t rnd(struct run *r)
{
    r->rng ^= r->rng << 13;
    r->rng ^= r->rng >> 7;
    r->rng ^= r->rng << 17;
    return r->rng;
}

static int64_t below(struct run *r, int64_t n)
{
    return (int64_t)(rnd(r) % (uint64_t)n);
}

static void broke(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void broke(struct run *r, const char *fmt, ...)
{
    va_list ap;

    if (!r->broken[0]) {
        va_start(ap, fmt);
        (void)vsnprintf(r->broken, sizeof(r->broken), fmt, ap);
        va_end(ap);
    }
}

/* --- the client that writes --- */

static bool write_one(struct sbx_client *c, int id)
{
    struct mst_err err = {0};
    bson_t cmd = BSON_INITIALIZER, docs, doc, wc, reply;
    bool ok;

    BSON_APPEND_UTF8(&cmd, "insert", "soak");
    BSON_APPEND_ARRAY_BEGIN(&cmd, "documents", &docs);
    BSON_APPEND_DOCUMENT_BEGIN(&docs, "0", &doc);
    BSON_APPEND_INT32(&doc, "_id", id);
    bson_append_document_end(&docs, &doc);
    bson_append_array_end(&cmd, &docs);
    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "writeConcern", &wc);
    BSON_APPEND_UTF8(&wc, "w", "majority");
    BSON_APPEND_INT32(&wc, "wtimeout", 1500);
    bson_append_document_end(&cmd, &wc);
    ok = sbx_client_command(c, "soak", &cmd, &reply, &err) == MST_OK &&
         !bson_has_field(&reply, "writeConcernError") && !bson_has_field(&reply, "writeErrors");
    bson_destroy(&reply);
    bson_destroy(&cmd);
    return ok;
}

static void writer(void *arg)
{
    struct run *r = arg;
    struct sbx_client c = {.fd = -1};
    int id = 0, at = -1;

    while (!mst_task_cancelled(&r->stop) && id < WRITES_MAX) {
        struct mst_err err = {0};
        const int p = sbx_world_primary(r->w);

        if (p < 0 || (p != at && c.fd >= 0)) {
            sbx_client_close(&c);
        }
        at = p;
        if (p < 0 ||
            (c.fd < 0 && sbx_client_connect(&c, "127.0.0.1", sbx_world_port(r->w, (size_t)p), 2000,
                                            &err) != MST_OK)) {
            (void)mst_task_sleep_ms(&r->stop, 20);
            continue;
        }
        mst_mutex_lock(&r->mtx);
        r->n_tried++;
        mst_mutex_unlock(&r->mtx);
        if (write_one(&c, id)) {
            mst_mutex_lock(&r->mtx);
            r->acked[r->n_acked++] = id;
            mst_mutex_unlock(&r->mtx);
        } else {
            sbx_client_close(&c);
        }
        id++;
        (void)mst_task_sleep_ms(&r->stop, 3);
    }
    sbx_client_close(&c);
}

/* --- faults --- */

static void verb(struct run *r, const char *v, int a, int b)
{
    char x[24], y[24];
    const char *words[] = {v, x, y};
    struct mst_str out = {0};
    struct mst_err err = {0};

    (void)snprintf(x, sizeof(x), "%d", a);
    (void)snprintf(y, sizeof(y), "%d", b);
    (void)!sbx_ctl_verb(r->w, words, a < 0 ? 1 : b < 0 ? 2 : 3, &out, &err);
    mst_str_release(&out);
}

static void foreign_stepdown(struct run *r)
{
    struct sbx_client c;
    struct mst_err err = {0};
    const int p = sbx_world_primary(r->w);
    bson_t cmd = BSON_INITIALIZER, reply;

    BSON_APPEND_INT32(&cmd, "replSetStepDown", 3);
    BSON_APPEND_INT32(&cmd, "secondaryCatchUpPeriodSecs", 1);
    if (p >= 0 && sbx_client_connect(&c, "127.0.0.1", sbx_world_port(r->w, (size_t)p), 3000,
                                     &err) == MST_OK) {
        (void)!sbx_client_command(&c, "admin", &cmd, &reply, &err);
        bson_destroy(&reply);
        sbx_client_close(&c);
    }
    bson_destroy(&cmd);
}

static enum mst_rc connect_member(const char *name, const char *app, int64_t ms,
                                  struct mst_task *task, struct mst_conn **out, struct mst_err *err)
{
    struct mst_conn_opts o = {
        .check_me = true, .set_name = "rs0", .app = app, .connect_ms = ms, .task = task};

    (void)mst_copy(o.name, sizeof(o.name), name);
    return mst_conn_open(&o, out, err);
}

static enum mst_rc excl_connect(void *arg, struct mst_task *task, struct mst_conn **out,
                                struct mst_err *err)
{
    struct run *r = arg;
    const int p = sbx_world_primary(r->w);
    char name[64];

    if (p < 0) {
        return mst_err_set(err, MST_E_PRECOND, "no primary");
    }
    (void)snprintf(name, sizeof(name), "127.0.0.1:%d", sbx_world_port(r->w, (size_t)p));
    return connect_member(name, "soak-note", 1000, task, out, err);
}

/* Somebody else wants to act: while our note stands he may not. */
static void other_act(struct run *r)
{
    struct mst_excl_opts o = {.connect = excl_connect,
                              .connect_arg = r,
                              .act = "restore",
                              .agent = "somebody",
                              .hold_ms = HOLD_MS,
                              .renew_ms = HOLD_MS / 3,
                              .task = &r->stop};
    struct mst_excl *x = NULL;
    struct mst_err err = {0};

    if (mst_excl_take(&o, &x, &err) == MST_OK) {
        mst_mutex_lock(&r->mtx);
        if (r->holding && !r->lost) {
            r->foreign_acts++;
        }
        mst_mutex_unlock(&r->mtx);
        mst_excl_release(x);
    }
}

static void apply(struct run *r, struct fault *f)
{
    switch (f->kind) {
    case KILL:
        verb(r, "kill", f->member, -1);
        break;
    case STOP:
        verb(r, "stop", f->member, -1);
        break;
    case PART:
        verb(r, "partition", f->member, -1);
        break;
    case CUT_LINK:
        verb(r, "partition", f->member, f->other);
        break;
    case LAG:
        verb(r, "lag", f->member, 1500);
        break;
    case FOREIGN_STEPDOWN:
        foreign_stepdown(r);
        break;
    case BUSY:
        other_act(r);
        break;
    case REFUSE_LINK:
    case UNDO:
    case JOURNAL:
    case LOST:
        mst_mutex_lock(&r->mtx);
        r->unreachable = f->kind == REFUSE_LINK ? f->member : r->unreachable;
        r->no_journal = r->no_journal || f->kind == JOURNAL;
        r->lost = r->lost || f->kind == LOST;
        mst_mutex_unlock(&r->mtx);
        if (f->kind == UNDO) {
            mst_task_cancel(&r->task);
        }
        break;
    }
}

static void heal(struct run *r, const struct fault *f)
{
    switch (f->kind) {
    case KILL:
        verb(r, "start", f->member, -1);
        break;
    case STOP:
        verb(r, "cont", f->member, -1);
        break;
    case PART:
        verb(r, "heal", f->member, -1);
        break;
    case CUT_LINK:
        verb(r, "heal", f->member, f->other);
        break;
    case LAG:
        verb(r, "lag", f->member, 0);
        break;
    case REFUSE_LINK:
    case JOURNAL:
        mst_mutex_lock(&r->mtx);
        r->unreachable = -1;
        r->no_journal = false;
        mst_mutex_unlock(&r->mtx);
        break;
    case FOREIGN_STEPDOWN:
    case UNDO:
    case LOST:
    case BUSY:
        break;
    }
}

static void plan_faults(struct run *r)
{
    int64_t at = 0;

    r->n_faults = 3 + (size_t)below(r, FAULTS - 2);
    for (size_t i = 0; i < r->n_faults; i++) {
        struct fault *f = &r->faults[i];

        at += 30 + below(r, 2000);
        f->at_ms = r->early ? at / 5 : at;
        f->for_ms = (100 + below(r, 2500)) / (r->early ? 5 : 1);
        f->kind = (enum kind)below(r, KINDS);
        f->member = (int)below(r, (int64_t)r->n);
        f->other = (f->member + 1) % (int)r->n;
        /* What ends the act at once is rarer, or little else would be seen. */
        if ((f->kind == UNDO || f->kind == JOURNAL || f->kind == LOST) &&
            (below(r, 2) || r->early)) {
            f->kind = BUSY;
        }
    }
}

static void faulter(void *arg)
{
    struct run *r = arg;
    bool more = true;

    while (more) {
        const int64_t now = mst_clock_mono_ms(NULL) - r->begun_ms;

        more = false;
        for (size_t i = 0; i < r->n_faults; i++) {
            struct fault *f = &r->faults[i];

            if (!f->applied && now >= f->at_ms) {
                f->applied = true;
                r->applied[f->kind]++;
                apply(r, f);
                mst_mutex_lock(&r->mtx);
                r->last_fault_ms = mst_clock_mono_ms(NULL);
                mst_mutex_unlock(&r->mtx);
            } else if (f->applied && !f->healed && now >= f->at_ms + f->for_ms) {
                f->healed = true;
                heal(r, f);
                mst_mutex_lock(&r->mtx);
                r->last_fault_ms = mst_clock_mono_ms(NULL);
                mst_mutex_unlock(&r->mtx);
            }
            more = more || !f->applied || !f->healed;
        }
        mst_clock_sleep_ms(10);
    }
}

/* --- the switch --- */

static enum mst_rc fo_connect(void *arg, const char *member, bool login, const char *app,
                              int64_t connect_ms, struct mst_task *task, struct mst_conn **out,
                              struct mst_err *err)
{
    struct run *r = arg;
    char hidden[64] = "";

    (void)login;
    mst_mutex_lock(&r->mtx);
    if (r->unreachable >= 0) {
        (void)snprintf(hidden, sizeof(hidden), "127.0.0.1:%d",
                       sbx_world_port(r->w, (size_t)r->unreachable));
    }
    mst_mutex_unlock(&r->mtx);
    if (strcmp(hidden, member) == 0) {
        return mst_err_set(err, MST_E_NET, "no route");
    }
    return connect_member(member, app, connect_ms, task, out, err);
}

static enum mst_rc journal(void *arg, const struct mst_fo_step_row *row, struct mst_err *err)
{
    struct run *r = arg;
    char why[200];
    bool no;

    mst_mutex_lock(&r->mtx);
    no = r->no_journal;
    mst_mutex_unlock(&r->mtx);
    if (!no && strcmp(row->what, "stepdown") == 0) {
        witness_step_down(&r->witness, why, sizeof(why));
        if (why[0]) {
            broke(r, "%s", why);
        }
    }
    return no ? mst_err_set(err, MST_E_IO, "disk full") : MST_OK;
}

static bool hold_lost(void *arg)
{
    struct run *r = arg;
    bool lost;

    mst_mutex_lock(&r->mtx);
    lost = r->lost;
    mst_mutex_unlock(&r->mtx);
    return lost;
}

static void note_lost(void *arg)
{
    struct run *r = arg;

    mst_mutex_lock(&r->mtx);
    r->lost = true;
    mst_mutex_unlock(&r->mtx);
}

/* Whoever has a higher priority than the new primary takes the seat back: then it is a visit, or
 * the two priorities are swapped; else each way is drawn. */
static enum mst_guard_after after_of(struct run *r, const struct mst_guard_facts *f)
{
    static const enum mst_guard_after ways[] = {MST_AFTER_REFUSE, MST_AFTER_VISIT, MST_AFTER_STAY};
    double most = 0;

    for (size_t i = 0; i < f->n; i++) {
        r->uneven = r->uneven || (!f->members[i].arbiter && f->members[i].priority != 1);
        most = f->members[i].priority > most ? f->members[i].priority : most;
    }
    if (f->act == MST_GUARD_STEPDOWN) {
        return r->uneven ? MST_AFTER_VISIT : MST_AFTER_REFUSE;
    }
    if (f->members[f->target].priority < most) {
        return r->early ? MST_AFTER_STAY : ways[1 + below(r, 2)];
    }
    return ways[below(r, 3)];
}

static enum mst_rc make_plan(struct run *r, struct mst_err *err)
{
    const char *seeds[1];
    char seed[64];
    struct mst_monitor_opts mo = {.set_name = "rs0", .n_seeds = 1, .seeds = seeds};
    struct mst_monitor *m = NULL;
    struct mst_monitor_view *v = NULL;
    struct mst_guard_facts f = {0};
    const int64_t end = mst_clock_mono_ms(NULL) + 10000;
    enum mst_rc rc;

    (void)snprintf(seed, sizeof(seed), "127.0.0.1:%d", sbx_world_port(r->w, 0));
    seeds[0] = seed;
    rc = mst_monitor_start(&mo, &m, err);
    while (rc == MST_OK) {
        v = mst_monitor_view(m);
        if (v->v.config_at_ms && v->v.primary >= 0 && v->v.verdict == MST_V_HEALTHY) {
            break;
        }
        mst_shared_unref(&v->shared);
        v = NULL;
        if (mst_clock_mono_ms(NULL) > end) {
            rc = mst_err_set(err, MST_E_TIMEOUT, "the set is not healthy");
        }
        mst_clock_sleep_ms(50);
    }
    if (rc == MST_OK) {
        const struct mst_fo_ask ask = {
            .connect = fo_connect, .connect_arg = r, .topo = &v->v, .samples = 1, .task = &r->task};

        rc = mst_fo_facts(&ask, &f, err);
    }
    if (rc == MST_OK) {
        f.act = below(r, 6) ? MST_GUARD_SWITCHOVER : MST_GUARD_STEPDOWN;
        f.catch_up_s = 2;
        f.step_down_s = f.freeze_s = FREEZE_S;
        f.target = -1;
        for (size_t tries = 0; f.act == MST_GUARD_SWITCHOVER && f.target < 0 && tries < 100;
             tries++) {
            const int t = (int)below(r, (int64_t)f.n);

            f.target = t != f.primary && !f.members[t].arbiter ? t : -1;
        }
        f.after = after_of(r, &f);
        rc = mst_fo_plan_make(&f, "rs0", "soak", "soak", "here", &r->plan, err);
    }
    mst_fo_facts_release(&f);
    if (v) {
        mst_shared_unref(&v->shared);
    }
    mst_monitor_stop(m);
    return rc;
}

static void judge_witness(struct run *r)
{
    char why[200];

    witness_certificate(&r->witness, &r->f, why, sizeof(why));
    if (why[0]) {
        broke(r, "%s", why);
    }
    if (r->f.exit == MST_FO_DONE && r->plan.after == MST_AFTER_STAY &&
        !isnan(r->plan.swap_target)) {
        witness_priorities(&r->witness, why, sizeof(why));
        if (why[0]) {
            broke(r, "%s", why);
        }
    }
}

static void act(struct run *r)
{
    const struct mst_fo_run_opts o = {.plan = &r->plan,
                                      .connect = fo_connect,
                                      .connect_arg = r,
                                      .journal = journal,
                                      .hold_lost = hold_lost,
                                      .arg = r,
                                      .task = &r->task,
                                      .plant = r->plant};
    const struct mst_excl_opts eo = {.connect = excl_connect,
                                     .connect_arg = r,
                                     .act = "switchover",
                                     .agent = "soak",
                                     .lost = note_lost,
                                     .lost_arg = r,
                                     .hold_ms = HOLD_MS,
                                     .renew_ms = HOLD_MS / 3,
                                     .task = &r->stop};
    struct mst_excl *x = NULL;
    struct mst_thread faults = {0};
    struct mst_err err = {0};

    if (mst_excl_take(&eo, &x, &err) != MST_OK) {
        broke(r, "the note: %s", err.msg);
        return;
    }
    witness_begin(&r->witness, r->w, &r->plan);
    if (r->moved_first) { /* the plan is over before it begins */
        foreign_stepdown(r);
        mst_clock_sleep_ms(WITNESS_LATE_MS + 500);
    }
    r->holding = true;
    r->begun_ms = mst_clock_mono_ms(NULL);
    if (mst_thread_start(&faults, "soak-faults", faulter, r, &err) != MST_OK ||
        mst_fo_run(&o, &r->f, &err) != MST_OK) {
        broke(r, "the run: %s", err.msg);
    }
    mst_mutex_lock(&r->mtx);
    r->holding = false;
    mst_mutex_unlock(&r->mtx);
    mst_thread_join(&faults);
    mst_excl_release(x);
    judge_witness(r);
    witness_end(&r->witness);
}

/* --- afterwards --- */

static int index_of(const struct run *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++) {
        char mine[64];

        (void)snprintf(mine, sizeof(mine), "127.0.0.1:%d", sbx_world_port(r->w, i));
        if (strcmp(mine, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* 1 there, 0 not there, -1 not answered. */
static int there(struct sbx_client *c, int id)
{
    struct mst_err err = {0};
    bson_t cmd = BSON_INITIALIZER, q, reply;
    int64_t n = 0;
    int is = -1;

    BSON_APPEND_UTF8(&cmd, "count", "soak");
    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "query", &q);
    BSON_APPEND_INT32(&q, "_id", id);
    bson_append_document_end(&cmd, &q);
    if (sbx_client_command(c, "soak", &cmd, &reply, &err) == MST_OK &&
        sbx_doc_int(&reply, "n", &n)) {
        is = n == 1;
    }
    bson_destroy(&reply);
    bson_destroy(&cmd);
    return is;
}

/* Every acknowledged write, from one primary; it is looked for again where the seat moved
 * meanwhile. */
static void nothing_lost(struct run *r)
{
    const int64_t end = mst_clock_mono_ms(NULL) + 30000;
    struct sbx_client c = {.fd = -1};
    size_t lost = 0, i = 0;
    int first = -1;

    while (i < r->n_acked && mst_clock_mono_ms(NULL) < end) {
        struct mst_err err = {0};
        int is = -1;

        if (c.fd < 0) {
            const int p = sbx_world_wait_primary(r->w, -1, 20000);

            if (p < 0 || sbx_client_connect(&c, "127.0.0.1", sbx_world_port(r->w, (size_t)p), 10000,
                                            &err) != MST_OK) {
                c.fd = -1;
                continue;
            }
        }
        is = there(&c, r->acked[i]);
        if (is < 0) {
            sbx_client_close(&c);
            mst_clock_sleep_ms(20);
            continue;
        }
        if (!is) {
            first = lost ? first : r->acked[i];
            lost++;
        }
        i++;
    }
    sbx_client_close(&c);
    if (i < r->n_acked) {
        broke(r, "only %zu of %zu writes could be looked for within 30 s of the last fault", i,
              r->n_acked);
    } else if (lost > 0) {
        broke(r, "%zu of %zu acknowledged writes are lost, _id %d the first", lost, r->n_acked,
              first);
    }
}

/* Whoever was thawed, or whose time is over, stands again. */
static void nobody_frozen(struct run *r)
{
    const int64_t now = mst_clock_mono_ms(NULL);

    for (size_t i = 0; i < r->plan.n; i++) {
        if (mst_fo_held_until(&r->f, i) > now + FREEZE_S * 1000) {
            broke(r, "%s is held longer than the plan's %d s", r->plan.members[i].name, FREEZE_S);
        }
        if (r->f.exit == MST_FO_DONE && mst_fo_held_until(&r->f, i) > now &&
            !(r->plan.after == MST_AFTER_VISIT && (int)i == r->plan.primary)) {
            broke(r, "DONE, and %s is still frozen", r->plan.members[i].name);
        }
    }
}

/* With no fault since well before DONE, the new primary keeps the seat for a takeover delay. */
static bool stays(struct run *r, int64_t done_ms)
{
    const int64_t end = done_ms + r->plan.takeover_ms;
    const int winner = r->f.winner >= 0 ? index_of(r, r->plan.members[r->f.winner].name) : -1;
    bool judged = false;

    if (r->f.exit != MST_FO_DONE || (r->plan.after == MST_AFTER_VISIT && r->uneven)) {
        return false; /* of a visit it is said that it ends */
    }
    if (winner < 0) {
        broke(r, "DONE without a winner");
        return false;
    }
    while (mst_clock_mono_ms(NULL) < end) {
        int64_t last;

        mst_mutex_lock(&r->mtx);
        last = r->last_fault_ms;
        mst_mutex_unlock(&r->mtx);
        if (last > done_ms - 4000) { /* a fault so late may move it: nothing to judge */
            return false;
        }
        judged = true;
        if (sbx_world_primary(r->w) != winner) {
            broke(r, "DONE, and then another primary within a takeover delay");
            return true;
        }
        mst_clock_sleep_ms(20);
    }
    return judged;
}

struct totals {
    struct mst_mutex mtx;
    uint64_t next, first;
    size_t runs, left, broken, judged, writes;
    size_t applied[KINDS], exits[20];
    int64_t until_ms;
    int64_t gaps[4096];
    size_t n_gaps;
    size_t after[3], uneven, moved_first, swapped;
    unsigned plant;
    char caught[400];
    uint64_t seeds[32]; /* --seeds: these, and no others */
    size_t n_seeds, at_seed;
};

/* Who may become primary how gladly: the first primary is whom the set would choose. */
static void draw_priorities(struct run *r, struct sbx_opts *so, bson_t *config)
{
    const bool even = below(r, 2) == 0 && !r->early;
    bson_t members;

    BSON_APPEND_UTF8(config, "_id", "rs0");
    BSON_APPEND_ARRAY_BEGIN(config, "members", &members);
    for (size_t i = 0; i < r->n; i++) {
        const bool arbiter = so->arbiter && i + 1 == r->n;
        char key[12], host[32];
        bson_t m;

        r->priority[i] = arbiter ? 0 : even ? 1 : 1 + (double)below(r, 3);
        so->primary = r->priority[i] > r->priority[so->primary] ? (int)i : so->primary;
        (void)snprintf(key, sizeof(key), "%zu", i);
        (void)snprintf(host, sizeof(host), "member:%zu", i + 1); /* a real one takes its place */
        BSON_APPEND_DOCUMENT_BEGIN(&members, key, &m);
        BSON_APPEND_INT32(&m, "_id", (int32_t)i);
        BSON_APPEND_UTF8(&m, "host", host);
        BSON_APPEND_BOOL(&m, "arbiterOnly", arbiter);
        BSON_APPEND_DOUBLE(&m, "priority", r->priority[i]);
        bson_append_document_end(&members, &m);
    }
    bson_append_array_end(config, &members);
    so->config = config;
}

static const char *const way_words[] = {
    [MST_AFTER_REFUSE] = "refuse", [MST_AFTER_VISIT] = "visit", [MST_AFTER_STAY] = "stay"};

/* Adds the run to the totals, and prints its line. */
static void count(struct run *r, struct totals *t, bool judged)
{
    size_t applied = 0;

    mst_mutex_lock(&t->mtx);
    t->runs++;
    t->judged += judged;
    t->broken += r->broken[0] != '\0';
    t->writes += r->n_acked;
    for (size_t i = 0; i < KINDS; i++) {
        t->applied[i] += r->applied[i];
        applied += r->applied[i];
    }
    if (r->f.exit >= 0 && (size_t)r->f.exit < MST_COUNT(t->exits)) {
        t->exits[r->f.exit]++;
    }
    if (r->f.exit == MST_FO_DONE && t->n_gaps < MST_COUNT(t->gaps)) {
        t->gaps[t->n_gaps++] = r->f.gap_ms;
    }
    t->after[r->plan.after]++;
    t->uneven += r->uneven;
    t->moved_first += r->moved_first;
    t->swapped += r->f.exit == MST_FO_DONE && r->f.reconfigured;
    if (r->broken[0] && !t->caught[0]) {
        (void)mst_copy(t->caught, sizeof(t->caught), r->broken);
    }
    (void)printf("seed %" PRIu64 " exit %d after %s%s faults %zu writes %zu gap %" PRId64
                 " ms%s%s: %s\n",
                 r->seed, (int)r->f.exit, way_words[r->plan.after],
                 isnan(r->plan.swap_target) ? "" : " with a swap", applied, r->n_acked, r->f.gap_ms,
                 r->broken[0] ? " BROKEN " : "", r->broken, r->f.text);
    (void)fflush(stdout);
    mst_mutex_unlock(&t->mtx);
}

static bool one(struct run *r, struct totals *t)
{
    struct sbx_opts so = {.fast = true, .seed = r->seed | 1};
    struct mst_thread wt = {0};
    struct mst_err err = {0};
    bson_t config = BSON_INITIALIZER;
    int64_t done_ms;
    bool judged;

    r->rng = r->seed * 0x9e3779b97f4a7c15ULL | 1;
    for (int i = 0; i < 8; i++) {
        (void)rnd(r);
    }
    r->early = r->seed % 4 == 3;
    r->unreachable = -1;
    r->arbiter = below(r, 6) == 0;
    so.members = below(r, 5) == 0 ? 5 : r->arbiter ? 2 : 3;
    so.arbiter = r->arbiter;
    r->n = (size_t)so.members + (so.arbiter ? 1 : 0);
    draw_priorities(r, &so, &config);
    r->moved_first = below(r, 10) == 0 || (t->plant & MST_FO_PLANT_NO_RECHECK);
    r->plant = t->plant;
    mst_mutex_init(&r->mtx);
    if (mst_task_init(&r->stop, &err) != MST_OK || mst_task_init(&r->task, &err) != MST_OK ||
        sbx_world_start(&so, &r->w, &err) != MST_OK ||
        mst_thread_start(&wt, "soak-writer", writer, r, &err) != MST_OK) {
        broke(r, "cannot start: %s", err.msg);
        bson_destroy(&config);
        return false;
    }
    plan_faults(r);
    if (make_plan(r, &err) != MST_OK) {
        broke(r, "no plan: %s", err.msg);
    } else {
        act(r);
    }
    done_ms = mst_clock_mono_ms(NULL);
    judged = !r->broken[0] && stays(r, done_ms);
    mst_task_cancel(&r->stop);
    mst_thread_join(&wt);
    if (!r->broken[0]) {
        nobody_frozen(r);
        nothing_lost(r);
    }
    if (r->foreign_acts > 0) {
        broke(r, "somebody else acted while the switch held the set");
    }
    count(r, t, judged);
    bson_destroy(&config);
    sbx_world_stop(r->w);
    mst_task_release(&r->task);
    mst_task_release(&r->stop);
    mst_mutex_release(&r->mtx);
    return r->broken[0] == '\0';
}

static void work(void *arg)
{
    struct totals *t = arg;

    for (;;) {
        struct run *r;
        bool go;
        uint64_t seed;

        mst_mutex_lock(&t->mtx);
        go = t->left > 0 && mst_clock_mono_ms(NULL) < t->until_ms;
        t->left -= go;
        seed = t->n_seeds ? t->seeds[t->at_seed++ % t->n_seeds] : t->next++;
        mst_mutex_unlock(&t->mtx);
        if (!go) {
            return;
        }
        r = mst_xcalloc(1, sizeof(*r));
        r->seed = seed;
        (void)one(r, t);
        free(r);
    }
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static const char *const mistakes[] = {"recheck", "freeze", "final", "writable"};

/* A planted mistake is caught when a run broke. */
static int report_plant(const struct totals *t)
{
    size_t i = 0;

    while ((1U << i) != t->plant) {
        i++;
    }
    (void)printf("planted %s: caught in %zu of %zu runs%s%s\n", mistakes[i], t->broken, t->runs,
                 t->broken ? ": " : "", t->caught);
    return t->broken == 0;
}

static int report(struct totals *t, size_t wanted)
{
    size_t zero = 0;

    if (t->plant) {
        return report_plant(t);
    }

    (void)printf("soak: %zu runs from seed %" PRIu64
                 ", %zu acknowledged majority writes, %zu times "
                 "DONE was watched for a takeover delay\n  exits:",
                 t->runs, t->first, t->writes, t->judged);
    for (size_t i = 0; i < MST_COUNT(t->exits); i++) {
        if (t->exits[i] > 0) {
            (void)printf(" %zu x %zu", i, t->exits[i]);
        }
    }
    (void)printf("\n  faults:");
    for (size_t i = 0; i < KINDS; i++) {
        (void)printf(" %s %zu", kinds[i], t->applied[i]);
        zero += t->applied[i] == 0;
    }
    (void)printf(
        "\n  plans: priorities differ %zu, after refuse %zu visit %zu stay %zu, %zu reconfigs "
        "done, %zu plans were over before they began",
        t->uneven, t->after[MST_AFTER_REFUSE], t->after[MST_AFTER_VISIT], t->after[MST_AFTER_STAY],
        t->swapped, t->moved_first);
    qsort(t->gaps, t->n_gaps, sizeof(t->gaps[0]), by_value);
    if (t->n_gaps > 0) {
        (void)printf("\n  write gap of %zu that were done: median %" PRId64 " ms, most %" PRId64
                     " ms",
                     t->n_gaps, t->gaps[t->n_gaps / 2], t->gaps[t->n_gaps - 1]);
    }
    (void)printf("\n  broken: %zu\n", t->broken);
    if (t->runs < wanted) {
        (void)printf("  only %zu of %zu runs fitted into the time\n", t->runs, wanted);
    }
    if (zero > 0 && t->runs >= 20) {
        (void)printf("  %zu kinds of faults never happened\n", zero);
    }
    /* Enough runs, and nothing was ever done or watched: then nothing was proven. */
    if ((t->runs >= 20 && t->exits[MST_FO_DONE] == 0) || (t->runs >= 60 && t->judged == 0)) {
        (void)printf("  no switch was done, or none was watched afterwards\n");
        return 1;
    }
    return t->broken > 0 || t->runs == 0 || (zero > 0 && t->runs >= 20);
}

static void take_seeds(struct totals *t, const char *list)
{
    char *end;

    for (t->n_seeds = 0; *list && t->n_seeds < MST_COUNT(t->seeds); list = end + (*end == ',')) {
        t->seeds[t->n_seeds++] = strtoull(list, &end, 10);
        if (end == list) {
            t->n_seeds--;
            break;
        }
    }
    t->left = t->n_seeds;
}

static unsigned plant_of(const char *word)
{
    for (unsigned i = 0; i < MST_COUNT(mistakes); i++) {
        if (strcmp(word, mistakes[i]) == 0) {
            return 1U << i;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct totals t;
    size_t workers = 8, least = 0;
    int64_t limit_s = 3600;
    struct mst_thread threads[32] = {{0}};
    struct mst_err err = {0};
    size_t wanted;

    t.left = 20;
    t.next = (uint64_t)mst_clock_utc_ms(NULL);
    for (int i = 1; i + 1 < argc; i += 2) {
        const unsigned long long v = strtoull(argv[i + 1], NULL, 10);

        if (strcmp(argv[i], "--runs") == 0) {
            t.left = (size_t)v;
        } else if (strcmp(argv[i], "--seed") == 0) {
            t.next = v;
        } else if (strcmp(argv[i], "--workers") == 0) {
            workers = v > 0 && v <= MST_COUNT(threads) ? (size_t)v : workers;
        } else if (strcmp(argv[i], "--limit") == 0) {
            limit_s = (int64_t)v;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            take_seeds(&t, argv[i + 1]);
        } else if (strcmp(argv[i], "--plant") == 0 && (t.plant = plant_of(argv[i + 1])) != 0) {
            continue;
        } else if (strcmp(argv[i], "--least") == 0) {
            least = (size_t)v;
        } else {
            (void)fprintf(stderr, "soak: %s is no option\n", argv[i]);
            return 2;
        }
    }
    wanted = t.left;
    t.first = t.next;
    t.until_ms = mst_clock_mono_ms(NULL) + limit_s * 1000;
    mst_mutex_init(&t.mtx);
    mst_mongo_init();
    for (size_t i = 0; i < workers; i++) {
        if (mst_thread_start(&threads[i], "soak", work, &t, &err) != MST_OK) {
            (void)fprintf(stderr, "soak: %s\n", err.msg);
            return 1;
        }
    }
    for (size_t i = 0; i < workers; i++) {
        mst_thread_join(&threads[i]);
    }
    return report(&t, wanted) || t.runs < least;
}
