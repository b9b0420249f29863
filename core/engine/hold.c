/* The note in the oplog that keeps others from acting, while a job of ours acts. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/hold.h"

/* The primary of now: it may be another one at the next renewal. */
static enum mst_rc connect_primary(void *arg, struct mst_task *task, struct mst_conn **out,
                                   struct mst_err *err)
{
    struct hold *h = arg;
    char primary[MST_HOST_MAX];
    enum mst_rc rc = mst_find_primary(h->run->l, &h->run->cmd, h->run->reach, primary, task, err);

    return rc == MST_OK ? mst_reach_connect(h->run->reach, primary, "muster-note", task, out, err)
                        : rc;
}

static void hold_lost(void *arg)
{
    struct hold *h = arg;

    atomic_store(&h->lost, true);
    if (h->go_on) {
        return;
    }
    mst_task_log(h->task, "the note in the oplog could not be renewed: stopping, so that nobody "
                          "else acts at the same time");
    mst_task_cancel(h->task);
}

struct dead {
    const struct mst_excl_note *note;
    bool found;
};

static bool same_holder(void *arg, const struct mst_row *row)
{
    struct dead *d = arg;
    char agent[sizeof(d->note->agent)];

    (void)snprintf(agent, sizeof(agent), "%s, %s", mst_row_text(row, 0), mst_row_text(row, 1));
    d->found = d->found || strcmp(agent, d->note->agent) == 0;
    return true;
}

/* We have the lock of the state, so whoever wrote jobs into it before is dead; and a job of ours
 * that has ended acts no more, also when it lost the primary and could not take its note back. */
static bool note_is_of_an_ended_one(void *arg, const struct mst_excl_note *note)
{
    const struct hold *h = arg;
    struct dead d = {.note = note};
    struct mst_err err = {0};

    (void)!mst_db_query(h->run->l->db, same_holder, &d, &err,
                        "SELECT who, owner FROM jobs WHERE state >= ? AND plan = ?", "it",
                        (int64_t)MST_JOB_DONE, note->plan);
    return d.found;
}

static void own_note(struct local *l, const char *id)
{
    mst_mutex_lock(&l->mtx);
    (void)mst_copy(l->own_note, sizeof(l->own_note), id);
    mst_mutex_unlock(&l->mtx);
}

enum mst_rc mst_hold_take(struct hold *h, struct mst_run *r, struct mst_task *task,
                          struct mst_err *err)
{
    static const char *const words[] = {
        [MST_CMD_RESTORE] = "restore",       [MST_CMD_DISCARD] = "discard",
        [MST_CMD_CLEAN] = "clean",           [MST_CMD_IMPORT] = "import",
        [MST_CMD_RECOVER] = "recover",       [MST_CMD_RELEASE_TTL] = "release",
        [MST_CMD_SWITCHOVER] = "switchover", [MST_CMD_STEPDOWN] = "stepdown",
        [MST_CMD_FAILBACK] = "failback"};
    char agent[192];
    const int64_t hold_ms = mst_fault_hold_ms();
    const struct mst_excl_opts o = {.connect = connect_primary,
                                    .connect_arg = h,
                                    .act = words[r->cmd.kind],
                                    .agent = agent,
                                    .plan = r->plan,
                                    .target = h->target,
                                    .lost = hold_lost,
                                    .lost_arg = h,
                                    .dead = note_is_of_an_ended_one,
                                    .dead_arg = h,
                                    .hold_ms = hold_ms,
                                    .renew_ms = hold_ms / 3,
                                    .task = task};
    enum mst_rc rc;

    h->run = r;
    h->task = task;
    (void)snprintf(agent, sizeof(agent), "%s, %s", r->l->who, r->l->agent_text);
    mst_task_phase(task, "waiting for the set");
    rc = mst_excl_take(&o, &h->excl, err);
    if (rc == MST_OK) {
        own_note(r->l, mst_excl_id(h->excl));
    }
    return rc;
}

void mst_hold_end(struct hold *h)
{
    if (h->excl) {
        mst_excl_release(h->excl);
        own_note(h->run->l, "");
    }
    h->excl = NULL;
}

static enum mst_rc lost_error(struct mst_err *err)
{
    return mst_err_set(err, MST_E_STALE,
                       "the note in the oplog could not be renewed, so the job stopped: others may "
                       "act on the set now");
}

enum mst_rc mst_hold_ours(void *arg, struct mst_err *err)
{
    const struct hold *h = arg;

    return h->excl && !mst_excl_valid(h->excl) ? lost_error(err) : MST_OK;
}

enum mst_rc mst_hold_judge(const struct hold *h, enum mst_rc rc, struct mst_err *err)
{
    return rc == MST_E_CANCELLED && atomic_load(&h->lost) ? lost_error(err) : rc;
}
