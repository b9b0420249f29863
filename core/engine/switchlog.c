/* Switches in the database: a row for each before it begins, one for each step before it is taken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/switch.h"

enum mst_rc mst_switchlog_begin(struct local *l, const char *run, uint64_t job,
                                const struct mst_fo_plan *plan, struct mst_err *err)
{
    struct mst_str json = {0};
    const int64_t now = mst_clock_utc_ms(NULL);
    enum mst_rc rc;

    mst_fo_plan_json(plan, now, &json);
    rc = mst_db_run(l->db, err,
                    "INSERT INTO switches (run, job, act, plan, begun_ms) VALUES (?, ?, ?, ?, ?)",
                    "titti", run, (int64_t)job,
                    plan->act == MST_GUARD_STEPDOWN ? "stepdown"
                    : plan->failback                ? "failback"
                                                    : "switchover",
                    mst_str_c(&json), now);
    mst_str_release(&json);
    return rc;
}

enum mst_rc mst_switchlog_step(struct local *l, const char *run, const struct mst_fo_step_row *row,
                               struct mst_err *err)
{
    return mst_db_run(l->db, err,
                      "INSERT INTO switch_steps (run, wall_ms, what, member, until_ms, text) "
                      "VALUES (?, ?, ?, ?, ?, ?)",
                      "tittit", run, row->wall_ms, row->what, row->member, row->until_wall_ms,
                      row->text);
}

void mst_switchlog_tell(struct local *l, const char *run, const char *text)
{
    struct mst_err err = {0};

    if (mst_db_run(l->db, &err,
                   "UPDATE jobs SET result = ? WHERE id = (SELECT job FROM switches WHERE run = ?) "
                   "AND state = ?",
                   "tti", text, run, (int64_t)MST_JOB_INTERRUPTED) == MST_OK) {
        atomic_store(&l->jobs_changed, true);
        mst_wake_signal(&l->stir);
    }
}

enum mst_rc mst_switchlog_end(struct local *l, const char *run, int exit, const char *result,
                              const char *detail, struct mst_err *err)
{
    return mst_db_run(
        l->db, err,
        "UPDATE switches SET ended_ms = ?, exit = ?, result = ?, detail = ? WHERE run = ?", "iittt",
        mst_clock_utc_ms(NULL), (int64_t)exit, result, detail, run);
}

struct found {
    char run[17];
    struct mst_str json;
    bool yes;
};

static bool on_plan(void *arg, const struct mst_row *row)
{
    struct found *f = arg;

    f->yes = true;
    (void)mst_copy(f->run, sizeof(f->run), mst_row_text(row, 0));
    mst_str_add(&f->json, mst_row_text(row, 1));
    return false;
}

enum mst_rc mst_switchlog_plan(struct local *l, const char *run, struct mst_fo_plan *out,
                               char id[17], struct mst_err *err)
{
    const bool latest = !run[0] || strcmp(run, "latest") == 0;
    struct found f = {.yes = false};
    int64_t made;
    enum mst_rc rc =
        !l->db ? mst_err_set(err, MST_E_NOTFOUND, "there is no local state")
        : latest
            ? mst_db_query(l->db, on_plan, &f, err,
                           "SELECT run, plan FROM switches WHERE exit IN (0, 15) ORDER BY begun_ms "
                           "DESC LIMIT 1",
                           "")
            : mst_db_query(l->db, on_plan, &f, err, "SELECT run, plan FROM switches WHERE run = ?",
                           "t", run);

    if (rc == MST_OK && !f.yes) {
        rc = latest ? mst_err_set(err, MST_E_NOTFOUND,
                                  "no switch that moved the primary is remembered here: name the "
                                  "member with 'muster switchover --to'")
                    : mst_err_set(err, MST_E_NOTFOUND, "no switch %s is remembered here", run);
    }
    if (rc == MST_OK) {
        rc = mst_fo_plan_parse(mst_str_c(&f.json), f.json.len, out, &made, err);
        (void)mst_copy(id, 17, f.run);
    }
    mst_str_release(&f.json);
    return rc;
}

static bool on_open(void *arg, const struct mst_row *row)
{
    struct mst_switch_open *o = arg;

    (void)mst_copy(o->run, sizeof(o->run), mst_row_text(row, 0));
    (void)mst_copy(o->state, sizeof(o->state), mst_row_text(row, 1));
    return false;
}

/* Newest first: what was sent last to a member is what holds. */
static bool on_freeze(void *arg, const struct mst_row *row)
{
    struct mst_switch_open *o = arg;
    const char *member = mst_row_text(row, 0);

    for (size_t i = 0; i < o->n; i++) {
        if (strcmp(o->frozen[i].member, member) == 0) {
            return true;
        }
    }
    if (o->n < MST_TOPO_MAX) {
        (void)mst_copy(o->frozen[o->n].member, sizeof(o->frozen[o->n].member), member);
        o->frozen[o->n++].until_wall_ms = mst_row_int(row, 1);
    }
    return true;
}

bool mst_switchlog_open(struct local *l, int64_t now_wall_ms, struct mst_switch_open *out)
{
    struct mst_err err = {0};
    size_t n = 0;

    memset(out, 0, sizeof(*out));
    if (!l->db ||
        mst_db_query(l->db, on_open, out, &err,
                     "SELECT run, coalesce((SELECT text FROM switch_steps s WHERE s.run = w.run "
                     "AND what = 'state' ORDER BY id DESC LIMIT 1), '') FROM switches w WHERE "
                     "ended_ms = 0 ORDER BY begun_ms LIMIT 1",
                     "") != MST_OK ||
        !out->run[0]) {
        return false;
    }
    (void)!mst_db_query(l->db, on_freeze, out, &err,
                        "SELECT member, until_ms FROM switch_steps WHERE run = ? AND what = "
                        "'freeze' ORDER BY id DESC",
                        "t", out->run);
    for (size_t i = 0; i < out->n;
         i++) { /* what was thawed already, or has ended, is no business */
        if (out->frozen[i].until_wall_ms > now_wall_ms) {
            out->frozen[n++] = out->frozen[i];
        }
    }
    out->n = n;
    return true;
}
