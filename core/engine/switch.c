/* A switch of the primary: facts, checks and plan become a ticket; a run becomes a part. */
#include "engine/switch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define STEP_DOWN_S 60
#define CATCH_UP_S 10
#define FREEZE_S 60
#define NOTES_OLD_MS 15000

/* --- facts that are ours --- */

/* The member that a job of ours works with: a backup reads one, what changes data the primary. */
static int works_with(struct local *l, const struct mst_job *j, const struct mst_guard_facts *f)
{
    char member[MST_HOST_MAX] = "";

    if (j->kind != MST_JOB_BACKUP) {
        return f->primary;
    }
    mst_mutex_lock(&l->mtx);
    for (size_t i = 0; i < MST_READING; i++) {
        if (l->reading[i].job == j->id) {
            (void)mst_copy(member, sizeof(member), l->reading[i].member);
        }
    }
    mst_mutex_unlock(&l->mtx);
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->members[i].name, member) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void our_backups(struct local *l, struct mst_guard_facts *f)
{
    struct mst_err err = {0};
    struct mst_job *jobs = NULL;
    bool hit = false; /* one that works with primary or target is told before others */
    size_t n = 0;

    f->busy_member = -1;
    if (!l->jobq || mst_jobq_list(l->jobq, 64, &jobs, &n, &err) != MST_OK) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const bool runs = jobs[i].state == MST_JOB_RUNNING || jobs[i].state == MST_JOB_QUEUED ||
                          jobs[i].state == MST_JOB_CANCELLING;

        if (runs && !hit && jobs[i].kind != MST_JOB_VERIFY && jobs[i].kind != MST_JOB_SWITCH) {
            const int member = works_with(l, &jobs[i], f);
            const bool reads = jobs[i].kind == MST_JOB_BACKUP && member >= 0;

            hit = member >= 0 && (member == f->primary || member == f->target);
            f->busy_member = member;
            (void)snprintf(f->busy_backup, sizeof(f->busy_backup),
                           "job %" PRIu64 ", a %s, runs%s%.50s (%.30s)", jobs[i].id,
                           mst_job_kind_word(jobs[i].kind), reads ? " and reads " : "",
                           reads ? f->members[member].name : "", jobs[i].phase);
        }
    }
    mst_jobs_free(jobs, n);
}

static void other_acts(struct local *l, struct mst_guard_facts *f)
{
    mst_mutex_lock(&l->mtx);
    f->other_known = l->notes_at_ms > 0 && mst_clock_mono_ms(NULL) - l->notes_at_ms < NOTES_OLD_MS;
    if (l->n_notes > 0) {
        (void)snprintf(f->other_act, sizeof(f->other_act), "%.23s by %.60s on %.60s",
                       l->notes[0].act, l->notes[0].agent, l->notes[0].host);
    }
    mst_mutex_unlock(&l->mtx);
}

_Static_assert(MST_CMD_REASON_MIN == MST_GUARD_REASON &&
                   MST_CMD_OVERRIDES == MST_GUARD_OVERRIDES + 1,
               "what front ends are told is what the guard checks");

static enum mst_rc take_overrides(const struct mst_cmd *cmd, struct mst_guard_facts *f,
                                  struct mst_err *err)
{
    for (size_t i = 0; i < cmd->n_overrides; i++) {
        char id[16] = "";
        const char *eq = strchr(cmd->overrides[i], '=');
        int n;

        if (eq && (size_t)(eq - cmd->overrides[i]) < sizeof(id)) {
            (void)snprintf(id, sizeof(id), "%.*s", (int)(eq - cmd->overrides[i]),
                           cmd->overrides[i]);
        }
        n = eq ? mst_guard_parse_id(id) : 0;
        if (n == 0) {
            return mst_err_set(err, MST_E_USAGE,
                               "\"%s\" is no override: it is the number of a check and a reason, "
                               "P06=why it is right all the same",
                               cmd->overrides[i]);
        }
        f->overrides[i].id = (enum mst_guard_id)n;
        (void)mst_copy(f->overrides[i].reason, sizeof(f->overrides[i].reason), eq + 1);
    }
    f->n_overrides = cmd->n_overrides;
    return MST_OK;
}

static int member_named(const struct mst_guard_facts *f, const char *name, struct mst_err *err)
{
    struct mst_str names = {0};
    int found = -1, alike = 0;

    for (size_t i = 0; i < f->n; i++) {
        const char *colon = strrchr(f->members[i].name, ':');
        const size_t host = colon ? (size_t)(colon - f->members[i].name) : 0;

        if (strcmp(f->members[i].name, name) == 0) {
            mst_str_release(&names);
            return (int)i;
        }
        if (host > 0 && strlen(name) == host && strncmp(f->members[i].name, name, host) == 0) {
            found = (int)i;
            alike++;
        }
        mst_str_addf(&names, "%s%s", i ? ", " : "", f->members[i].name);
    }
    if (alike != 1) {
        (void)mst_err_set(err, MST_E_USAGE, "%s is %s of this set: %.300s", name,
                          alike > 1 ? "the host of several members" : "no member",
                          mst_str_c(&names));
        found = -1;
    }
    mst_str_release(&names);
    return found;
}

/* The heads of the monitor's view; the caller frees members and events with the copy. */
static void copy_topo(struct local *l, struct mst_topo_view *out)
{
    struct mst_monitor_view *m = mst_local_topo(l);

    *out = m->v;
    out->members = mst_xcalloc(m->v.n + 1, sizeof(out->members[0]));
    if (m->v.n > 0) {
        memcpy(out->members, m->v.members, m->v.n * sizeof(out->members[0]));
    }
    out->events = mst_xcalloc(m->v.n_events + 1, sizeof(out->events[0]));
    if (m->v.n_events > 0) {
        memcpy(out->events, m->v.events, m->v.n_events * sizeof(out->events[0]));
    }
    mst_shared_unref(&m->shared);
}

/* A monitor that has just begun knows only the seeds: its answer about the configuration is waited
 * for. */
static void await_topo(struct local *l, struct mst_topo_view *out, struct mst_task *task)
{
    const int64_t end = mst_clock_mono_ms(NULL) + 5000;

    copy_topo(l, out);
    while ((!out->config_at_ms || out->primary < 0) && mst_clock_mono_ms(NULL) < end &&
           mst_task_sleep_ms(task, 100)) {
        mst_topo_view_release(out);
        copy_topo(l, out);
    }
}

enum mst_rc mst_switch_facts(struct local *l, const struct mst_cmd *cmd, struct reach *reach,
                             int64_t gap_ms, bool probe, struct mst_task *task,
                             struct mst_guard_facts *f, struct mst_err *err)
{
    struct mst_topo_view topo;
    struct mst_fo_ask ask = {.connect = mst_reach_member,
                             .connect_arg = reach,
                             .topo = &topo,
                             .probe = probe,
                             .samples = MST_GUARD_SAMPLES,
                             .task = task};
    const char *to = cmd->member;
    enum mst_rc rc;

    memset(f, 0, sizeof(*f));
    await_topo(l, &topo, task);
    mst_notes_look(l);
    ask.sample_gap_ms = gap_ms                         ? gap_ms
                        : topo.election_timeout_ms > 0 ? topo.election_timeout_ms * 3 / 10
                                                       : 0;
    rc = topo.n == 0 ? mst_err_set(err, MST_E_NET, "nobody answers: %s", topo.headline)
                     : mst_fo_facts(&ask, f, err);
    mst_topo_view_release(&topo);
    f->act = cmd->kind == MST_CMD_STEPDOWN ? MST_GUARD_STEPDOWN : MST_GUARD_SWITCHOVER;
    f->after = (enum mst_guard_after)cmd->after;
    f->target = -1;
    if (rc == MST_OK && f->act == MST_GUARD_SWITCHOVER) {
        f->target = member_named(f, to, err);
        rc = f->target < 0 ? err->rc : MST_OK;
    }
    if (rc == MST_OK) {
        rc = take_overrides(cmd, f, err);
    }
    f->catch_up_s = CATCH_UP_S;
    f->step_down_s = STEP_DOWN_S;
    f->freeze_s = FREEZE_S;
    f->watched_ms = mst_clock_mono_ms(NULL) - l->begun_ms;
    f->sandbox_class = strcmp(l->cfg->set.cls, "SANDBOX") == 0;
    f->hours_ok = mst_cfg_hours_now(&l->cfg->set.switch_hours, f->now_wall_ms);
    for (size_t i = 0; i < l->cfg->set.switch_hours.n; i++) {
        const size_t at = strlen(f->hours);

        (void)snprintf(f->hours + at, sizeof(f->hours) - at, "%s%.13s", i ? ", " : "",
                       l->cfg->set.switch_hours.item[i]);
    }
    if (f->hours[0]) {
        const size_t at = strlen(f->hours);

        (void)snprintf(f->hours + at, sizeof(f->hours) - at, " UTC");
    }
    our_backups(l, f);
    other_acts(l, f);
    return rc;
}

/* --- the ticket --- */

static void take_checks(struct mst_ticket *t, const struct mst_guard_check *c, size_t n)
{
    t->rules = mst_xcalloc(n + 1, sizeof(t->rules[0]));
    for (size_t i = 0; i < n; i++) {
        struct mst_rule_line *r = &t->rules[i];
        const bool refuses = c[i].result == MST_GUARD_BLOCK ||
                             (c[i].result == MST_GUARD_OVERRIDE && !c[i].overridden);

        r->result = refuses                                            ? MST_RULE_REFUSE
                    : c[i].result == MST_GUARD_WARN || c[i].overridden ? MST_RULE_WARN
                                                                       : MST_RULE_PASS;
        r->may_override = c[i].result == MST_GUARD_OVERRIDE;
        (void)snprintf(r->name, sizeof(r->name), "P%02d %.34s", (int)c[i].id, c[i].name);
        (void)snprintf(r->text, sizeof(r->text), "%s%s (%s)%s%s",
                       c[i].overridden ? "overridden: " : "", c[i].measured, c[i].threshold,
                       refuses && c[i].todo[0] ? "; " : "", refuses ? c[i].todo : "");
        mst_text_sanitise(r->text);
    }
    t->n_rules = n;
}

static void take_steps(struct mst_ticket *t, const struct mst_fo_plan *p)
{
    t->steps = mst_xcalloc(p->n_steps + 3, sizeof(t->steps[0]));
    for (size_t i = 0; i < p->n_steps; i++) {
        (void)mst_copy(t->steps[i], sizeof(t->steps[i]), p->steps[i]);
    }
    t->n_steps = p->n_steps;
    if (p->expect[0]) {
        (void)mst_copy(t->steps[t->n_steps], sizeof(t->steps[0]), p->expect);
        t->n_steps++;
    }
    if (p->undo[0]) {
        (void)mst_copy(t->steps[t->n_steps], sizeof(t->steps[0]), p->undo);
        t->n_steps++;
    }
}

/* The JSON in pieces that end where a character ends. */
static void take_file(struct mst_ticket *t, const struct mst_fo_plan *p)
{
    struct mst_str json = {0};
    const char *at;

    mst_fo_plan_json(p, mst_clock_utc_ms(NULL), &json);
    while (json.len > 0 && json.p[json.len - 1] == '\n') {
        json.len--;
    }
    at = mst_str_c(&json);
    t->file = mst_xcalloc(json.len / (sizeof(t->file[0]) - 5) + 2, sizeof(t->file[0]));
    for (size_t left = json.len; left > 0;) {
        size_t n = left < sizeof(t->file[0]) - 1 ? left : sizeof(t->file[0]) - 1;

        while (n < left && n > 1 && ((unsigned char)at[n] & 0xc0) == 0x80) {
            n--;
        }
        memcpy(t->file[t->n_file], at, n);
        t->file[t->n_file++][n] = '\0';
        at += n;
        left -= n;
    }
    mst_str_release(&json);
}

static void remember(struct local *l, const char *hash, const struct mst_fo_plan *p)
{
    struct planned *mine = mst_xcalloc(1, sizeof(*mine));
    struct planned **slot;

    (void)mst_copy(mine->hash, sizeof(mine->hash), hash);
    mine->plan = *p;
    mst_mutex_lock(&l->mtx);
    slot = &l->plans[l->n_plans++ % MST_TICKETS];
    free(*slot);
    *slot = mine;
    mst_mutex_unlock(&l->mtx);
}

bool mst_switch_known(struct local *l, const char *hash, struct mst_fo_plan *out)
{
    bool found = false;

    mst_mutex_lock(&l->mtx);
    for (size_t i = 0; i < MST_TICKETS && !found; i++) {
        if (l->plans[i] && strcmp(l->plans[i]->hash, hash) == 0) {
            *out = l->plans[i]->plan;
            found = true;
        }
    }
    mst_mutex_unlock(&l->mtx);
    return found;
}

/* Back to where it came from: the old primary of that run. */
static enum mst_rc settle_failback(struct local *l, struct mst_cmd *cmd, struct mst_err *err)
{
    struct mst_fo_plan *p = mst_xcalloc(1, sizeof(*p));
    char id[17];
    enum mst_rc rc = mst_switchlog_plan(l, cmd->backup, p, id, err);

    if (rc == MST_OK) {
        (void)mst_copy(cmd->backup, sizeof(cmd->backup), id);
        (void)mst_copy(cmd->member, sizeof(cmd->member), p->members[p->primary].name);
        if (cmd->after == MST_CMD_AFTER_REFUSE && p->after == MST_AFTER_STAY) {
            cmd->after = MST_CMD_AFTER_STAY; /* the priorities go back too */
        }
    }
    free(p);
    return rc;
}

/* The second level of a confirmation: where people depend on the set, why stands in its log. */
static bool reason_missing(const struct local *l, const struct mst_cmd *cmd)
{
    int n = 0;

    for (const char *p = cmd->reason; *p; p++) {
        n += *p != ' ' && ((unsigned char)*p & 0xc0) != 0x80;
    }
    return !cmd->dry_run && strcmp(l->cfg->set.cls, "PROD") == 0 && n < MST_CMD_REASON_MIN;
}

static enum mst_rc make_plan(struct local *l, struct mst_ticket *t, struct mst_guard_facts *f,
                             struct mst_err *err)
{
    struct mst_fo_plan *p = mst_xcalloc(1, sizeof(*p));
    struct mst_guard_check checks[MST_GUARD_MAX];
    struct mst_monitor_view *m = mst_local_topo(l);
    const size_t n = mst_guard_run(f, checks);
    char host[64] = "", why[240] = "";
    enum mst_rc rc;

    (void)gethostname(host, sizeof(host) - 1);
    rc = mst_fo_plan_make(f, m->v.set_name, t->cmd.reason, l->who, host, p, err);
    mst_shared_unref(&m->shared);
    if (rc == MST_OK) {
        t->refused = !mst_guard_may(f, checks, n, why);
        if (!t->refused && reason_missing(l, &t->cmd)) {
            t->refused = true;
            (void)snprintf(
                why, sizeof(why),
                "a set of class PROD asks why it is moved: give a reason of %d characters "
                "or more (--reason)",
                MST_CMD_REASON_MIN);
        }
        if (t->cmd.kind == MST_CMD_FAILBACK) {
            p->failback = true;
            (void)mst_copy(p->of_run, sizeof(p->of_run), t->cmd.backup);
            mst_fo_plan_seal(p);
        }
        (void)mst_copy(t->plan_hash, sizeof(t->plan_hash), p->hash);
        (void)mst_copy(t->code, sizeof(t->code), p->code);
        (void)mst_copy(t->phrase, sizeof(t->phrase), p->phrase);
        if (t->refused) {
            (void)mst_copy(t->summary, sizeof(t->summary), why);
        } else {
            (void)snprintf(t->summary, sizeof(t->summary), "%s: %.80s to %.80s, term %" PRId64,
                           p->act == MST_GUARD_STEPDOWN ? "step down" : "move the primary",
                           p->members[p->primary].name,
                           p->target >= 0 ? p->members[p->target].name : "whoever is elected",
                           p->term);
        }
        take_checks(t, checks, n);
        take_steps(t, p);
        take_file(t, p);
        remember(l, t->plan_hash, p);
    }
    free(p);
    return rc;
}

enum mst_rc mst_switch_plan(struct local *l, const struct ask *a, struct mst_ticket **out,
                            struct mst_err *err)
{
    struct mst_ticket *t = mst_xcalloc(1, sizeof(*t));
    struct mst_guard_facts f = {0};
    char why[200];
    /* A look writes nothing: only who may act sends the majority note. */
    const bool probe = mst_cfg_may(l->cfg, "switch", why, sizeof(why));
    enum mst_rc rc = MST_OK;

    t->cmd = a->cmd;
    if (t->cmd.kind == MST_CMD_FAILBACK) {
        rc = settle_failback(l, &t->cmd, err);
    }
    if (rc == MST_OK) {
        rc = mst_switch_facts(l, &t->cmd, a->reach, 0, probe, &l->io_task, &f, err);
    }
    if (rc == MST_OK) {
        rc = make_plan(l, t, &f, err);
    }
    t->expires_mono_ms = mst_clock_mono_ms(NULL) + MST_TICKET_MS;
    mst_cmd_line(&t->cmd, t->command, sizeof(t->command));
    mst_fo_facts_release(&f);
    if (rc != MST_OK) {
        mst_ticket_free(t);
        t = NULL;
    }
    *out = t;
    return rc;
}

/* --- a plan from a file --- */

static const char *act_of(const struct mst_fo_plan *p)
{
    return p->act == MST_GUARD_STEPDOWN ? "step down" : "switchover";
}

enum mst_rc mst_engine_plan_read(const char *json, size_t n, struct mst_cmd *cmd, char hash[17],
                                 char code[8], struct mst_err *err)
{
    struct mst_fo_plan *p = mst_xcalloc(1, sizeof(*p));
    int64_t made = 0, age;
    enum mst_rc rc;

    while (n > 0 &&
           (json[n - 1] == '\n' || json[n - 1] == '\r')) { /* of the file, not of the plan */
        n--;
    }
    rc = mst_fo_plan_parse(json, n, p, &made, err);
    age = mst_clock_utc_ms(NULL) - made;
    if (rc == MST_OK && (age > MST_FO_VALID_MS || age < -MST_FO_VALID_MS)) {
        rc = mst_err_set(err, MST_E_STALE,
                         "this %s was planned %" PRId64 " s ago, %d s is the most: make "
                         "a new plan",
                         act_of(p), age / 1000, MST_FO_VALID_MS / 1000);
    }
    if (rc == MST_OK) {
        memset(cmd, 0, sizeof(*cmd));
        cmd->kind = p->act == MST_GUARD_STEPDOWN ? MST_CMD_STEPDOWN
                    : p->failback                ? MST_CMD_FAILBACK
                                                 : MST_CMD_SWITCHOVER;
        (void)mst_copy(cmd->backup, sizeof(cmd->backup), p->of_run);
        cmd->after = (enum mst_cmd_after)p->after;
        (void)mst_copy(cmd->reason, sizeof(cmd->reason), p->reason);
        (void)mst_copy(cmd->member, sizeof(cmd->member),
                       p->target >= 0 ? p->members[p->target].name : "");
        cmd->n_overrides = p->n_overrides < MST_CMD_OVERRIDES ? p->n_overrides : MST_CMD_OVERRIDES;
        for (size_t i = 0; i < cmd->n_overrides; i++) {
            (void)snprintf(cmd->overrides[i], sizeof(cmd->overrides[i]), "P%02d=%s",
                           (int)p->overrides[i].id, p->overrides[i].reason);
        }
        (void)mst_copy(hash, 17, p->hash);
        (void)mst_copy(code, 8, p->code);
    }
    free(p);
    return rc;
}

/* --- what the run page shows --- */

static void show_member(const struct mst_fo *f, const struct mst_fo_seen *s, size_t i,
                        struct mst_switch_member *out)
{
    const struct mst_fo_plan *p = f->plan;

    (void)mst_copy(out->name, sizeof(out->name), p->members[i].name);
    (void)mst_copy(out->state, sizeof(out->state),
                   !s->at_ms                                     ? "?"
                   : s->state == MST_MS_PRIMARY && !s->writable  ? "PRIMARY, not writable"
                   : s->has_status || s->state == MST_MS_ARBITER ? mst_mstate_name(s->state)
                                                                 : "?");
    (void)mst_copy(out->role, sizeof(out->role),
                   (int)i == p->primary      ? "was primary"
                   : (int)i == p->target     ? "target"
                   : p->members[i].electable ? "rival"
                                             : "");
    out->writable = s->writable;
    out->term = s->term;
    out->applied = s->applied.ts;
    out->at_ms = s->at_ms;
    out->held_until_ms = mst_fo_held_until(f, i);
}

static void show_head(const struct mst_fo *f, struct mst_switch_part *out)
{
    static const char *const certs[] = {"none", "optime", "continuity"};
    const struct mst_fo_plan *p = f->plan;

    (void)mst_copy(out->act, sizeof(out->act),
                   p->act == MST_GUARD_STEPDOWN ? "stepdown"
                   : p->failback                ? "failback"
                                                : "switchover");
    (void)mst_copy(out->from, sizeof(out->from), p->members[p->primary].name);
    (void)mst_copy(out->to, sizeof(out->to), p->target >= 0 ? p->members[p->target].name : "");
    (void)mst_copy(out->code, sizeof(out->code), p->code);
    (void)mst_copy(out->who, sizeof(out->who), p->who);
    (void)mst_copy(out->reason, sizeof(out->reason), p->reason);
    (void)mst_copy(out->state, sizeof(out->state), mst_fo_state_word(f->state));
    (void)mst_copy(out->text, sizeof(out->text), f->text);
    if (f->cert != MST_FO_CERT_NONE || f->cert_why[0]) {
        (void)mst_copy(out->certificate, sizeof(out->certificate), certs[f->cert]);
        if (f->cert == MST_FO_CERT_OPTIME) {
            (void)snprintf(out->certificate_text, sizeof(out->certificate_text),
                           "the old primary ended at %u:%u in term %" PRId64
                           "; the new one had %u:%u",
                           f->cert_old.ts.t, f->cert_old.ts.i, f->cert_old.term,
                           f->cert_target.ts.t, f->cert_target.ts.i);
        } else {
            (void)mst_copy(out->certificate_text, sizeof(out->certificate_text), f->cert_why);
        }
    }
}

struct mst_switch_part *mst_switch_part_of(const struct mst_fo *f, const struct mst_fo_picture *p,
                                           const char *run, uint64_t job)
{
    struct mst_switch_part *out = mst_switch_new();

    (void)mst_copy(out->run, sizeof(out->run), run);
    out->job = job;
    out->exit = (int)f->exit;
    out->live = f->exit == MST_FO_RUNNING;
    out->at_ms = p->now_ms;
    out->begun_ms = f->begun_ms;
    out->begun_wall_ms = p->now_wall_ms - (p->now_ms - f->begun_ms);
    out->t0_ms = f->t0_ms;
    out->writable_ms = f->first_probe_ms;
    out->gap_ms = f->gap_ms;
    out->hard_stop_ms = f->plan->hard_stop_ms;
    out->probes = f->probes;
    show_head(f, out);
    out->n_lines = f->n_lines < MST_SWITCH_LINES ? f->n_lines : MST_SWITCH_LINES;
    for (size_t i = 0; i < out->n_lines; i++) {
        (void)mst_copy(out->lines[i].state, sizeof(out->lines[i].state),
                       mst_fo_state_word(f->lines[i].state));
        (void)mst_copy(out->lines[i].detail, sizeof(out->lines[i].detail), f->lines[i].detail);
        out->lines[i].from_ms = f->lines[i].from_ms;
        out->lines[i].to_ms = f->lines[i].to_ms;
    }
    out->n_members = f->plan->n;
    for (size_t i = 0; i < out->n_members && i < p->n; i++) {
        show_member(f, &p->m[i], i, &out->members[i]);
    }
    out->n_problems = f->n_problems;
    for (size_t i = 0; i < f->n_problems && i < MST_SWITCH_PROBLEMS; i++) {
        (void)mst_copy(out->problems[i], sizeof(out->problems[i]), f->problems[i]);
    }
    return out;
}
