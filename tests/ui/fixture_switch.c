/* A switch of the primary: its plan, and views of its run. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* --- the plan --- */

static void rule(struct fx *f, enum mst_rule_result result, bool may, const char *name,
                 const char *text)
{
    struct mst_rule_line *r = &f->rules[f->plan.n_rules++];

    r->result = result;
    r->may_override = may;
    (void)mst_copy(r->name, sizeof r->name, name);
    (void)mst_copy(r->text, sizeof r->text, text);
}

static void rules(struct fx *f, bool blocked, bool given)
{
    rule(f, MST_RULE_PASS, false, "P01 members answer", "all 4 members answer");
    rule(f, given ? MST_RULE_WARN : MST_RULE_REFUSE, true, "P06 set is calm",
         given
             ? "overridden: last election 87 s ago (120 s ago or more, at most 2 in 10 min)"
             : "last election 87 s ago (120 s ago or more, at most 2 in 10 min); wait two minutes "
               "after an election");
    rule(f, MST_RULE_PASS, false, "P07 target may be elected",
         "db2:27017: priority 1, SECONDARY (priority, vote, data, SECONDARY, health 1)");
    rule(
        f, MST_RULE_PASS, false, "P11 target is close",
        "db2:27017 lag 0.3 s, 0.2 s, 0.3 s (at most 10 s and not growing, above 2 s is a warning)");
    rule(f, blocked ? MST_RULE_REFUSE : MST_RULE_PASS, false, "P13 majority write works",
         blocked ? "no majority write in 5 s (at most 5 s, above 1 s is a warning); look at 2 Topo"
                 : "a majority write took 11 ms (at most 5 s, above 1 s is a warning)");
    rule(f, MST_RULE_WARN, false, "P27 oplog of the target",
         "db2:27017 reaches back 13.2 h once it is full (24 h, below 2 h needs an override)");
    rule(f, MST_RULE_PASS, false, "P33 clocks", "at most 0.1 s off ours (within 2 s of ours)");
}

void fx_switch_plan(struct fx *f, bool blocked)
{
    static const char *const steps[] = {
        "look again: term 41, configuration 12 of term 39, one primary, lags",
        "wait until db2:27017 and a majority are within 2000 ms for 4 looks, 60 s at most",
        "replSetFreeze 60 on db3:27017; replSetFreeze 0 on db2:27017",
        "replSetStepDown 60, secondaryCatchUpPeriodSecs 10 on db1:27017: from here on writes are "
        "refused",
        "certify: db2:27017 has the last entry of db1:27017, 5 s at most",
        "wait until the target is writable in a term after 41, 30000 ms at most, else undo",
        "appendOplogNote with w majority on the new primary, 3 times",
        "writes stop for 0.3 to 2.3 s, at most 30 s before the undo; tail at risk: none, the step "
        "down fails unless a majority has it",
        "before step 4: replSetFreeze 0 on db3:27017. After it: replSetFreeze 0 on all, "
        "replSetStepUp on db1:27017. Alone: all ends by itself in 60 s"};
    const bool given = f->last.n_overrides > 0;

    f->plan = (struct mst_ticket){.cmd = f->last, .rules = f->rules, .steps = f->steps};
    f->plan.refused = blocked || !given;
    f->plan.expires_mono_ms = FX_MONO + 120000;
    (void)mst_copy(f->plan.plan_hash, sizeof f->plan.plan_hash, "7f3c0a77d2e4b831");
    (void)mst_copy(f->plan.code, sizeof f->plan.code, "7F3K");
    (void)mst_copy(f->plan.phrase, sizeof f->plan.phrase, "rs0 to db2:27017 7F3K");
    (void)mst_copy(f->plan.summary, sizeof f->plan.summary,
                   !f->plan.refused ? "move the primary: db1:27017 to db2:27017, term 41"
                   : blocked        ? "refused by P13 (majority write works)"
                                    : "refused by P06 (set is calm) unless overridden by id with a "
                                      "reason");
    mst_cmd_line(&f->last, f->plan.command, sizeof f->plan.command);
    rules(f, blocked, given);
    for (size_t i = 0; i < MST_COUNT(steps); i++) {
        (void)mst_copy(f->steps[i], sizeof f->steps[i], steps[i]);
    }
    f->plan.n_steps = MST_COUNT(steps);
    f->ticket_rc = MST_OK;
}

static void press(struct ui_app *app, char button)
{
    ui_form_focus(&app->st.dlg.form, button);
    fx_key(app, UI_KEY_ENTER);
    fx_later(app, 400);
}

void fx_to_checks(struct fx *f, struct ui_app *app, bool blocked)
{
    ui_app_key(app, 'F', NULL);
    fx_later(app, 400);
    ui_form_focus(&app->st.dlg.form, 'w');
    fx_keys(app, "CHG-4411");
    f->ticket_rc = MST_E_BUSY;
    press(app, 'g');
    fx_switch_plan(f, blocked);
    fx_later(app, 400);
    fx_later(app, 400);
}

void fx_to_plan(struct fx *f, struct ui_app *app)
{
    fx_to_checks(f, app, false);
    ui_form_focus(&app->st.dlg.form, 'r');
    fx_keys(app, "the election was a drill");
    fx_key(app, UI_KEY_ENTER);
    f->ticket_rc = MST_E_BUSY;
    press(app, 'g');
    fx_switch_plan(f, false);
    fx_later(app, 400);
    fx_later(app, 400);
    press(app, 'g');
}

void fx_to_confirm(struct fx *f, struct ui_app *app)
{
    fx_to_plan(f, app);
    press(app, 'g');
}

/* --- the run --- */

static void line(struct fx *f, const char *state, int64_t from, int64_t to, const char *detail)
{
    struct mst_switch_line *l = &f->move.lines[f->move.n_lines++];

    (void)mst_copy(l->state, sizeof l->state, state);
    (void)mst_copy(l->detail, sizeof l->detail, detail);
    l->from_ms = f->move.begun_ms + from;
    l->to_ms = to ? f->move.begun_ms + to : 0;
}

static void member(struct fx *f, const char *name, const char *state, const char *role)
{
    struct mst_switch_member *m = &f->move.members[f->move.n_members++];

    (void)mst_copy(m->name, sizeof m->name, name);
    (void)mst_copy(m->state, sizeof m->state, state);
    (void)mst_copy(m->role, sizeof m->role, role);
    m->term = 41;
    m->applied = (struct mst_ts){1795356191, 4};
    m->at_ms = FX_MONO - 120;
}

/* Up to the step down; begun 6.3 s ago. */
static struct fx *run(int64_t back_ms)
{
    struct fx *f = fx_running();
    struct mst_switch_part *m = &f->move;

    f->v.move = m;
    (void)mst_copy(m->run, sizeof m->run, "1a2b3c4d");
    m->job = f->job[1].id;
    f->job[1].kind = MST_JOB_SWITCH;
    f->job[1].done_bytes = f->job[1].total_bytes = f->job[1].rate_bps = 0;
    f->job[1].items_done = f->job[1].items_total = 0;
    f->job[1].eta_ms = -1;
    f->job[1].backup_id[0] = '\0';
    (void)mst_copy(f->job[1].phase, sizeof f->job[1].phase, "STEPDOWN");
    m->live = true;
    m->exit = -1;
    (void)mst_copy(m->act, sizeof m->act, "switchover");
    (void)mst_copy(m->from, sizeof m->from, "db1:27017");
    (void)mst_copy(m->to, sizeof m->to, "db2:27017");
    (void)mst_copy(m->code, sizeof m->code, "7F3K");
    (void)mst_copy(m->who, sizeof m->who, "anna");
    (void)mst_copy(m->reason, sizeof m->reason, "CHG-4411");
    m->at_ms = FX_MONO - 100;
    m->begun_ms = FX_MONO - back_ms;
    m->begun_wall_ms = fx_wall() - back_ms;
    m->gap_ms = -1;
    m->hard_stop_ms = 30000;
    line(f, "RECHECK", 0, 210, "term 41, one primary");
    line(f, "QUIESCE", 210, 520, "job 1042 gives way");
    line(f, "CATCHUP", 520, 1560, "4 looks within 2 s");
    line(f, "FREEZE", 1560, 1600, "db3:27017 for 60 s");
    return f;
}

struct fx *fx_switch_stopped(void)
{
    struct fx *f = run(6300);
    struct mst_switch_part *m = &f->move;

    (void)mst_copy(m->state, sizeof m->state, "STEPDOWN");
    m->t0_ms = FX_MONO - 4700;
    line(f, "STEPDOWN", 1600, 0, "db1:27017 is asked to step down, 10 s to catch up");
    member(f, "db1:27017", "SECONDARY", "was primary");
    member(f, "db2:27017", "SECONDARY", "target");
    member(f, "db3:27017", "SECONDARY", "rival");
    member(f, "db4:27017", "?", "");
    m->members[2].held_until_ms = FX_MONO + 42900;
    m->members[3].at_ms = 0;
    f->topo.v.primary = -1;
    f->topo.v.verdict = MST_V_NO_PRIMARY;
    f->topo.v.no_primary_since_ms = FX_MONO - 4600;
    f->topo.v.if_primary_dies[0] = '\0';
    (void)mst_copy(f->topo.v.headline, sizeof f->topo.v.headline,
                   "no primary: 2 members could win, an election takes up to 12 s");
    return f;
}

static void ended(struct fx *f, int exit, const char *text)
{
    struct mst_switch_part *m = &f->move;
    struct mst_job *j = &f->job[1];

    m->live = false;
    m->exit = exit;
    m->t0_ms = m->begun_ms + 1620;
    (void)mst_copy(m->state, sizeof m->state, "END");
    (void)mst_copy(m->text, sizeof m->text, text);
    j->state = exit == 0 ? MST_JOB_DONE : MST_JOB_FAILED;
    j->exit_status = exit;
    j->ended_wall_ms = fx_wall() - 60000;
    j->phase[0] = '\0';
    (void)mst_copy(j->result, sizeof j->result, text);
}

struct fx *fx_switch_foreign(void)
{
    struct fx *f = fx_healthy();
    struct mst_note *n = &f->info.notes[0];

    f->info.n_notes = 1;
    (void)mst_copy(n->act, sizeof n->act, "switchover");
    (void)mst_copy(n->agent, sizeof n->agent, "anna, private agent, pid 4711");
    (void)mst_copy(n->host, sizeof n->host, "bastion2");
    (void)mst_copy(n->plan, sizeof n->plan, "7f3c0a77d2e4b831");
    (void)mst_copy(n->target, sizeof n->target, "db2:27017");
    n->since_mono_ms = FX_MONO - 9300;
    n->until_mono_ms = FX_MONO + 50700;
    return f;
}

struct fx *fx_switch_done(void)
{
    struct fx *f = run(91500);
    struct mst_switch_part *m = &f->move;

    ended(f, 0,
          "db2:27017 is primary in term 42, writes stopped for 1.3 s, nothing was lost; nothing is "
          "left to do");
    m->at_ms = FX_MONO - 60000;
    m->writable_ms = m->t0_ms + 1300;
    m->gap_ms = 1300;
    m->probes = 3;
    (void)mst_copy(m->certificate, sizeof m->certificate, "optime");
    (void)mst_copy(m->certificate_text, sizeof m->certificate_text,
                   "the old primary ended at 1795356191:4 in term 41; the new one had "
                   "1795356191:4");
    line(f, "STEPDOWN", 1600, 2500, "db1:27017 stepped down");
    line(f, "CERTIFY", 2500, 2560, "db2:27017 has all of it");
    line(f, "AWAIT", 2560, 2900, "db2:27017 took the seat");
    line(f, "PROBE", 2900, 5000, "3 of 3 majority writes");
    line(f, "SETTLE", 5000, 31000, "calm for 30 s");
    line(f, "WATCH", 31000, 31500, "nobody takes the seat");
    member(f, "db1:27017", "SECONDARY", "was primary");
    member(f, "db2:27017", "PRIMARY", "target");
    member(f, "db3:27017", "SECONDARY", "rival");
    m->members[1].writable = true;
    m->members[1].term = 42;
    return f;
}

struct fx *fx_switch_undone(void)
{
    struct fx *f = run(91500);
    struct mst_switch_part *m = &f->move;

    ended(
        f, 13,
        "undone (db2:27017 did not take writes within 30 s): db1:27017 is primary again and takes "
        "majority writes");
    m->at_ms = FX_MONO - 55000;
    m->gap_ms = 31900;
    m->writable_ms = m->t0_ms + 31900;
    (void)mst_copy(m->certificate, sizeof m->certificate, "none");
    (void)mst_copy(m->certificate_text, sizeof m->certificate_text,
                   "db2:27017 did not say where it is");
    line(f, "STEPDOWN", 1600, 2500, "db1:27017 stepped down");
    line(f, "CERTIFY", 2500, 7500, "db2:27017 does not answer");
    line(f, "STEPUP", 7500, 10500, "no answer, 3 times");
    line(f, "AWAIT", 10500, 31620, "nobody takes writes");
    line(f, "UNDO", 31620, 34100, "step up of db1:27017");
    member(f, "db1:27017", "PRIMARY", "was primary");
    member(f, "db2:27017", "?", "target");
    member(f, "db3:27017", "SECONDARY", "rival");
    m->members[0].writable = true;
    m->members[1].at_ms = 0;
    m->n_problems = 1;
    (void)mst_copy(m->problems[0], sizeof m->problems[0], "db2:27017 has not answered for 29 s");
    return f;
}

struct fx *fx_switch_refused(void)
{
    struct fx *f = run(2000);

    ended(f, 12, "nothing was changed: refused by P11 (target is close)");
    f->v.move = NULL;
    return f;
}
