/* The job of a switch, and what a start does about one that a dead process left. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/hold.h"
#include "engine/switch.h"

#define AGAIN_MS 100 /* between two samples of the second look */

struct move { /* what the callbacks of a run need */
    struct mst_run *run;
    struct hold hold;
    struct mst_task *task;
    char id[17];
    uint64_t job;
};

static enum mst_rc on_journal(void *arg, const struct mst_fo_step_row *row, struct mst_err *err)
{
    const struct move *m = arg;

    return mst_switchlog_step(m->run->l, m->id, row, err);
}

static void on_publish(void *arg, const struct mst_fo *f, const struct mst_fo_picture *p)
{
    const struct move *m = arg;

    mst_put_move_take(m->run->l, mst_switch_part_of(f, p, m->id, m->job));
}

static bool on_hold_lost(void *arg)
{
    struct move *m = arg;

    return atomic_load(&m->hold.lost);
}

/* Ours give way: a backup is begun again, an outage is not taken back. */
static bool on_stop_backups(void *arg)
{
    struct local *l = ((struct move *)arg)->run->l;
    struct mst_err err = {0};
    struct mst_job *jobs = NULL;
    size_t n = 0, running = 0;

    if (mst_jobq_list(l->jobq, 64, &jobs, &n, &err) != MST_OK) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (jobs[i].kind != MST_JOB_BACKUP) {
            continue;
        }
        if (jobs[i].state == MST_JOB_RUNNING || jobs[i].state == MST_JOB_QUEUED) {
            (void)!mst_jobq_cancel(l->jobq, jobs[i].id, &err);
            running++;
        } else if (jobs[i].state == MST_JOB_CANCELLING) {
            running++;
        }
    }
    mst_jobs_free(jobs, n);
    return running == 0;
}

/* The exit status as an error; the text is the machine's. */
static enum mst_rc outcome(const struct mst_fo *f, struct mst_err *err)
{
    switch (f->exit) {
    case MST_FO_DONE:
        return MST_OK;
    case MST_FO_REFUSED:
        return mst_err_set(err, MST_E_PRECOND, "%s", f->text);
    case MST_FO_LEFT:
        return mst_err_set(err, MST_E_CANCELLED, "%s", f->text);
    case MST_FO_ABORTED:
        return mst_err_set(err, MST_E_ABORTED, "%s", f->text);
    case MST_FO_UNDONE:
        return mst_err_set(err, MST_E_UNDONE, "%s", f->text);
    case MST_FO_OTHER:
        return mst_err_set(err, MST_E_OTHER, "%s", f->text);
    case MST_FO_INCOMPLETE:
        return mst_err_set(err, MST_E_INCOMPLETE, "%s", f->text);
    case MST_FO_LOCKED:
        return mst_err_set(err, MST_E_BUSY, "%s", f->text);
    case MST_FO_STALE:
        return mst_err_set(err, MST_E_STALE, "%s", f->text);
    case MST_FO_UNSURE:
    case MST_FO_RUNNING:
        break;
    }
    return mst_err_set(err, MST_E_UNKNOWN, "%s", f->text);
}

/* The checks again, on facts of now, and the same plan. */
static enum mst_rc still_true(struct mst_run *r, const struct mst_fo_plan *p, struct mst_task *task,
                              struct mst_err *err)
{
    struct mst_guard_facts f;
    struct mst_guard_check checks[MST_GUARD_MAX];
    char why[240];
    size_t n;
    enum mst_rc rc;

    mst_task_phase(task, "the checks again");
    rc = mst_switch_facts(r->l, &r->cmd, r->reach, AGAIN_MS, true, task, &f, err);
    if (rc == MST_OK) {
        rc = mst_fo_plan_fits(p, &f, err);
    }
    f.other_act[0] = '\0'; /* the lock is ours by now, and others' notes were judged with it */
    f.other_known = true;
    n = rc == MST_OK ? mst_guard_run(&f, checks) : 0;
    if (rc == MST_OK && !mst_guard_may(&f, checks, n, why)) {
        rc = mst_err_set(err, MST_E_ABORTED, "nothing was changed: %s", why);
        for (size_t i = 0; i < n; i++) {
            if (checks[i].result >= MST_GUARD_OVERRIDE && !checks[i].overridden) {
                mst_task_log(task, "P%02d %s: %s", (int)checks[i].id, checks[i].name,
                             checks[i].measured);
            }
        }
    }
    mst_fo_facts_release(&f);
    return rc;
}

static enum mst_rc new_id(char out[17], struct mst_err *err)
{
    uint64_t id = 0;

    if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id)) {
        return mst_err_set(err, MST_E_IO, "the system has no random bytes");
    }
    (void)snprintf(out, 17, "%08" PRIx64, id >> 32);
    return MST_OK;
}

static enum mst_rc carry_out(struct move *m, const struct mst_fo_plan *plan, struct mst_err *err)
{
    struct local *l = m->run->l;
    struct mst_fo *f = mst_xcalloc(1, sizeof(*f));
    struct mst_err ignore = {0};
    struct mst_str detail = {0};
    const struct mst_fo_run_opts o = {.plan = plan,
                                      .connect = mst_reach_member,
                                      .connect_arg = m->run->reach,
                                      .journal = on_journal,
                                      .publish = on_publish,
                                      .hold_lost = on_hold_lost,
                                      .stop_backups = on_stop_backups,
                                      .at = mst_fault_at,
                                      .arg = m,
                                      .task = m->task};
    enum mst_rc rc = mst_switchlog_begin(l, m->id, m->job, plan, err);

    if (rc == MST_OK) {
        rc = mst_fo_run(&o, f, err);
        if (rc == MST_OK) {
            rc = outcome(f, err);
        }
        mst_fo_json(f, mst_clock_utc_ms(NULL), &detail);
        if (mst_switchlog_end(l, m->id, (int)f->exit, rc == MST_OK ? f->text : err->msg,
                              mst_str_c(&detail), &ignore) != MST_OK) {
            mst_task_log(m->task, "the log of switches could not be written: %s", ignore.msg);
        }
        if (rc == MST_OK) {
            mst_jobq_result(l->jobq, m->job, m->id, f->text);
        }
    }
    mst_str_release(&detail);
    free(f);
    return rc;
}

enum mst_rc mst_run_switch(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct mst_fo_plan *plan = mst_xcalloc(1, sizeof(*plan));
    struct move *m = mst_xcalloc(1, sizeof(*m));
    enum mst_rc rc = MST_OK;

    m->run = r;
    m->task = task;
    m->job = mst_jobq_current();
    m->hold.go_on = true;
    if (!mst_switch_known(r->l, r->plan, plan)) {
        rc = mst_err_set(err, MST_E_STALE, "this plan is not known any more: make a new one");
    }
    if (rc == MST_OK) {
        rc = new_id(m->id, err);
    }
    if (rc == MST_OK) {
        m->hold.target = plan->target >= 0 ? plan->members[plan->target].name : NULL;
        rc = mst_hold_take(&m->hold, r, task, err);
    }
    if (rc == MST_OK) {
        rc = still_true(r, plan, task, err);
    }
    if (rc == MST_OK) {
        rc = carry_out(m, plan, err);
    }
    mst_hold_end(&m->hold);
    free(m);
    free(plan);
    return rc;
}

/* --- after a death --- */

static void thaw_one(struct local *l, struct reach *reach, const char *member, int64_t until)
{
    struct mst_err err = {0};
    char at[MST_TIME_MAX];

    if (mst_fo_thaw(mst_reach_member, reach, member, &l->io_task, &err) == MST_OK) {
        mst_say(l, MST_SEV_WARN, "%s was still frozen by a switch whose process died: thawed",
                member);
    } else {
        mst_say(l, MST_SEV_CRIT,
                "%s is frozen by a switch whose process died; it thaws by itself at %s (%s)",
                member, mst_time_clock(until, at), err.msg);
    }
}

void mst_switch_thaw(struct local *l)
{
    struct mst_switch_open *open = mst_xcalloc(1, sizeof(*open));
    struct reach reach = {.wire = &l->wire};
    struct mst_err err = {0};

    while (mst_switchlog_open(l, mst_clock_utc_ms(NULL), open)) {
        char text[240];
        const bool has =
            open->n > 0 && mst_wire_cred(l->cfg, MST_CRED_SWITCH, l->o.ask, l->o.ask_arg,
                                         &reach.cred, &reach.has_cred, &err) == MST_OK;

        for (size_t i = 0; i < open->n; i++) {
            if (has) {
                thaw_one(l, &reach, open->frozen[i].member, open->frozen[i].until_wall_ms);
            } else {
                mst_say(l, MST_SEV_CRIT, "%s stays frozen for %" PRId64 " s more: %s",
                        open->frozen[i].member,
                        (open->frozen[i].until_wall_ms - mst_clock_utc_ms(NULL)) / 1000, err.msg);
            }
        }
        mst_secret_release(&reach.cred.password);
        (void)snprintf(text, sizeof(text),
                       "its process died in %s: what it froze was thawed or thaws by itself; look "
                       "at 'muster status' before you act again",
                       open->state[0] ? open->state : "its beginning");
        mst_say(l, MST_SEV_WARN, "switch %s: %s", open->run, text);
        mst_switchlog_tell(l, open->run, text);
        if (mst_switchlog_end(l, open->run, (int)MST_FO_UNSURE, text, "", &err) != MST_OK) {
            mst_say(l, MST_SEV_CRIT, "the log of switches cannot be written: %s", err.msg);
            break;
        }
    }
    free(open);
}
