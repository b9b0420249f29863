/* Acts that change a set: plans for their tickets, and the jobs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/acts.h"
#include "engine/hold.h"
#include "engine/own.h"
#include "engine/runs.h"
#include "hash/hash.h"
#include "restore/source.h"

#define RECOVER_WAIT_MS 600000

struct env { /* everything a restore borrows */
    struct mst_restore_opts o;
    struct mst_restore_journal journal;
    struct mst_catalog cat;
    struct mst_restore_source *source;
    struct mst_store *past; /* with --as-of: what the source reads */
    const char *include[MST_CMD_PATTERNS], *exclude[MST_CMD_PATTERNS];
    char primary[MST_HOST_MAX];
};

static void env_free(struct env *e)
{
    mst_restore_source_free(e->source);
    mst_store_free(e->past);
    free(e);
}

enum mst_rc mst_find_primary(struct local *l, const struct mst_cmd *cmd, struct reach *reach,
                             char out[MST_HOST_MAX], struct mst_task *task, struct mst_err *err)
{
    struct mst_monitor_view *m;
    const int64_t end = mst_clock_mono_ms(NULL) + 5000;
    bool found = false;

    if (cmd->target_uri[0]) {
        return mst_reach_primary(reach, task, out, err);
    }
    do {
        m = mst_local_topo(l);
        if (m->v.primary >= 0) {
            (void)mst_copy(out, MST_HOST_MAX, m->v.members[m->v.primary].name);
            found = true;
        }
        if (m->v.sharded) {
            mst_shared_unref(&m->shared);
            return mst_err_set(err, MST_E_PRECOND,
                               "this set is a shard of a cluster: acts on it are refused");
        }
        mst_shared_unref(&m->shared);
    } while (!found && mst_clock_mono_ms(NULL) < end && mst_task_sleep_ms(task, 100));
    return found ? MST_OK
                 : mst_err_set(err, MST_E_PRECOND, "the set has no primary that takes writes");
}

static enum mst_rc env_open(struct env *e, struct local *l, const struct mst_cmd *cmd,
                            struct reach *reach, struct mst_task *task, struct mst_err *err)
{
    enum mst_rc rc = mst_find_primary(l, cmd, reach, e->primary, task, err);

    mst_state_journal(l, &e->journal);
    for (size_t i = 0; i < MST_CMD_PATTERNS; i++) {
        e->include[i] = cmd->include[i];
        e->exclude[i] = cmd->exclude[i];
    }
    e->o.connect = mst_reach_connect;
    e->o.connect_arg = reach;
    e->o.primary = e->primary;
    e->o.n_include = cmd->n_include;
    e->o.include = e->include;
    e->o.n_exclude = cmd->n_exclude;
    e->o.exclude = e->exclude;
    e->o.expect_set = reach->wire->set_name;
    e->o.other_set = cmd->target_uri[0] != '\0';
    e->o.journal = l->db ? &e->journal : NULL;
    e->o.allow_unproven = strcmp(l->cfg->set.cls, "SANDBOX") == 0;
    e->o.rate_bps = cmd->rate_bps;
    e->o.lag_pause_ms = l->cfg->backup.lag_pause_ms;
    e->o.spill_dir = l->dir;
    e->o.at = mst_fault_restore;
    return rc;
}

static enum mst_rc env_source(struct env *e, struct local *l, const struct mst_cmd *cmd,
                              struct mst_task *task, struct mst_err *err)
{
    enum mst_rc rc;

    if (cmd->kind == MST_CMD_IMPORT) {
        return mst_restore_source_dump(cmd->path, task, &e->source, err);
    }
    rc = mst_local_catalog(l, cmd->store, &e->cat, err);
    rc = rc == MST_OK ? mst_own_as_of(&e->cat, cmd->as_of_ms, task, &e->past, err) : rc;
    rc = rc == MST_OK ? mst_restore_source_backup(&e->cat, cmd->backup, task, &e->source, err) : rc;
    if (rc == MST_OK && cmd->as_of_ms) {
        char then[MST_TIME_MAX];
        const size_t n = strlen(e->source->label);

        (void)snprintf(e->source->label + n, sizeof(e->source->label) - n, " as of %s",
                       mst_time_iso(cmd->as_of_ms, then));
    }
    return rc;
}

/* --- plans --- */

static void take_plan(struct mst_ticket *t, const struct mst_restore_plan *p)
{
    (void)mst_copy(t->plan_hash, sizeof(t->plan_hash), p->hash);
    (void)mst_copy(t->phrase, sizeof(t->phrase), p->phrase);
    mst_text_clean(t->summary, sizeof(t->summary), p->summary, strlen(p->summary));
    t->refused = p->refused;
    t->need_bytes = p->need_bytes;
    t->free_bytes = p->free_bytes;
    t->rules = mst_xcalloc(p->n_rules + 1, sizeof(t->rules[0]));
    for (size_t i = 0; i < p->n_rules; i++) {
        t->rules[i].result = (enum mst_rule_result)p->rules[i].result;
        (void)mst_copy(t->rules[i].name, sizeof(t->rules[i].name), p->rules[i].name);
        (void)mst_copy(t->rules[i].text, sizeof(t->rules[i].text), p->rules[i].text);
    }
    t->n_rules = p->n_rules;
    t->steps = mst_xcalloc(p->n_steps + 1, sizeof(t->steps[0]));
    for (size_t i = 0; i < p->n_steps; i++) {
        mst_text_clean(t->steps[i], sizeof(t->steps[i]), p->steps[i], strlen(p->steps[i]));
    }
    t->n_steps = p->n_steps;
}

void mst_ticket_hash(struct mst_ticket *t)
{
    uint8_t digest[MST_SHA256_LEN];
    struct mst_str s = {0};

    mst_str_addf(&s, "%d\n%s\n%s\n", (int)t->cmd.kind, t->cmd.backup, t->summary);
    for (size_t i = 0; i < t->n_steps; i++) {
        mst_str_addf(&s, "%s\n", t->steps[i]);
    }
    mst_sha256_of(mst_str_c(&s), s.len, digest);
    (void)mst_hex(digest, 8, t->plan_hash);
    mst_str_release(&s);
}

/* What discard and clean would drop: collections of one run, or the objects of one backup. */
static void drop_step(struct local *l, const struct mst_leaving *it, char *out, size_t size)
{
    char coll[44], was[MST_COLL_MAX], name[44] = ""; /* they stand in a step of 200 */

    mst_text_clean(coll, sizeof(coll), it->coll, strlen(it->coll));
    if (it->old && mst_runs_was(l, it->run, it->db, it->coll, was)) {
        mst_text_clean(name, sizeof(name), was, strlen(was));
    }
    (void)snprintf(out, size, "drop %s.%s%s%s (%lld %s)", it->db, coll, name[0] ? ", once " : "",
                   name, (long long)it->documents,
                   mst_text_noun((uint64_t)it->documents, "document", "documents"));
}

static enum mst_rc plan_drop(struct local *l, struct mst_ticket *t, struct env *e,
                             struct mst_err *err)
{
    const bool old = t->cmd.kind == MST_CMD_DISCARD;
    struct mst_leaving *items = NULL;
    struct mst_run_state s;
    size_t n = 0;
    enum mst_rc rc = MST_OK;

    if (mst_catalog_id_ok(t->cmd.backup, NULL, NULL) && !old) {
        t->steps = mst_xcalloc(1, sizeof(t->steps[0]));
        t->n_steps = 1;
        (void)snprintf(t->steps[0], sizeof(t->steps[0]),
                       "remove the objects of %s that no COMMIT names", t->cmd.backup);
        (void)snprintf(t->summary, sizeof(t->summary), "remove what the interrupted backup %s left",
                       t->cmd.backup);
    } else {
        rc = mst_restore_leavings(&e->o, &l->io_task, &items, &n, err);
        t->steps = mst_xcalloc(n + 1, sizeof(t->steps[0]));
        for (size_t i = 0; rc == MST_OK && i < n; i++) {
            if (items[i].old == old && strcmp(items[i].run, t->cmd.backup) == 0) {
                drop_step(l, &items[i], t->steps[t->n_steps++], sizeof(t->steps[0]));
            }
        }
        if (rc == MST_OK && t->n_steps == 0 && mst_runs_find(l, t->cmd.backup, &s) &&
            s.kept == old && !s.open) {
            (void)snprintf(t->steps[t->n_steps++], sizeof(t->steps[0]),
                           "nothing of it is there any more");
            (void)snprintf(t->summary, sizeof(t->summary), "take restore %s off the list",
                           t->cmd.backup);
        } else {
            (void)snprintf(t->summary, sizeof(t->summary), "drop %zu %s of restore %s", t->n_steps,
                           mst_text_noun(t->n_steps, "collection", "collections"), t->cmd.backup);
        }
        if (rc == MST_OK && t->n_steps == 0) {
            rc = mst_err_set(err, MST_E_NOTFOUND, "restore %s has left no %s collections",
                             t->cmd.backup, old ? "old" : "staging");
        }
    }
    free(items);
    (void)snprintf(t->phrase, sizeof(t->phrase), "%s", old ? t->cmd.backup : "");
    if (rc == MST_OK) {
        mst_ticket_hash(t);
    }
    return rc;
}

static enum mst_rc plan_release(struct local *l, struct mst_ticket *t, struct mst_err *err)
{
    struct mst_run_state s;

    if (!mst_runs_find(l, t->cmd.backup, &s) || s.held == 0) {
        return mst_err_set(err, MST_E_NOTFOUND, "restore %s holds no TTL index", t->cmd.backup);
    }
    t->steps = mst_xcalloc(1, sizeof(t->steps[0]));
    t->n_steps = 1;
    (void)snprintf(t->steps[0], sizeof(t->steps[0]),
                   "%zu TTL %s documents again: what is old by now goes at once", s.held,
                   mst_text_noun(s.held, "index expires", "indexes expire"));
    (void)snprintf(t->summary, sizeof(t->summary), "give %zu TTL %s of restore %s back", s.held,
                   mst_text_noun(s.held, "index", "indexes"), t->cmd.backup);
    (void)snprintf(t->phrase, sizeof(t->phrase), "%s", t->cmd.backup);
    mst_ticket_hash(t);
    return MST_OK;
}

static enum mst_rc plan_restore(struct local *l, const struct ask *a, struct mst_ticket *t,
                                struct env *e, struct mst_err *err)
{
    struct mst_restore_plan *p = NULL;
    enum mst_rc rc = env_source(e, l, &a->cmd, &l->io_task, err);

    if (rc == MST_OK) {
        rc = mst_restore_prepare(&e->o, e->source, &l->io_task, &p, err);
    }
    if (rc == MST_OK) {
        take_plan(t, p);
    }
    mst_restore_plan_free(p);
    return rc;
}

/* "latest" is one backup from here on. */
static enum mst_rc settle_id(struct local *l, struct mst_ticket *t, struct mst_err *err)
{
    struct mst_catalog cat;
    struct mst_store *past = NULL;
    struct mst_backup b;
    enum mst_rc rc;

    if (t->cmd.kind != MST_CMD_RESTORE) {
        return MST_OK;
    }
    rc = mst_local_catalog(l, t->cmd.store, &cat, err);
    rc = rc == MST_OK ? mst_own_as_of(&cat, t->cmd.as_of_ms, &l->io_task, &past, err) : rc;
    if (rc == MST_OK) {
        rc = mst_catalog_find(&cat, t->cmd.backup[0] ? t->cmd.backup : "latest", &l->io_task, &b,
                              err);
    }
    if (rc == MST_OK) {
        (void)mst_copy(t->cmd.backup, sizeof(t->cmd.backup), b.id);
    }
    mst_store_free(past);
    return rc;
}

enum mst_rc mst_act_plan(struct local *l, const struct ask *a, struct mst_ticket **out,
                         struct mst_err *err)
{
    struct mst_ticket *t = mst_xcalloc(1, sizeof(*t));
    struct env *e = mst_xcalloc(1, sizeof(*e));
    struct ask b = *a;
    enum mst_rc rc;

    t->cmd = a->cmd;
    rc = settle_id(l, t, err);
    b.cmd = t->cmd;
    /* Removing objects of a backup needs no member of the set. */
    if (rc == MST_OK &&
        !(a->cmd.kind == MST_CMD_CLEAN && mst_catalog_id_ok(a->cmd.backup, NULL, NULL))) {
        rc = env_open(e, l, &b.cmd, a->reach, &l->io_task, err);
    }
    if (rc == MST_OK) {
        rc = a->cmd.kind == MST_CMD_RESTORE || a->cmd.kind == MST_CMD_IMPORT
                 ? plan_restore(l, &b, t, e, err)
             : a->cmd.kind == MST_CMD_RELEASE_TTL ? plan_release(l, t, err)
                                                  : plan_drop(l, t, e, err);
    }
    t->expires_mono_ms = mst_clock_mono_ms(NULL) + mst_fault_ticket_ms();
    mst_cmd_line(&t->cmd, t->command, sizeof(t->command));
    env_free(e);
    if (rc != MST_OK) {
        mst_ticket_free(t);
        t = NULL;
    }
    *out = t;
    return rc;
}

/* --- jobs --- */

/* One act at a time on a set, wherever it is started; from here on each step asks for it. */
static enum mst_rc take_set(struct env *e, struct hold *hold, struct mst_run *r,
                            struct mst_task *task, struct mst_err *err)
{
    e->o.ours = mst_hold_ours;
    e->o.ours_arg = hold;
    return mst_hold_take(hold, r, task, err);
}

static void log_outcomes(struct mst_task *task, const struct mst_restore_result *res)
{
    for (size_t i = 0; i < res->n; i++) {
        const struct mst_restore_outcome *o = &res->outcomes[i];
        char name[200], text[MST_OUTCOME_MAX];

        mst_text_clean(name, sizeof(name), o->coll, strlen(o->coll));
        mst_task_log(task, "%s.%s: %s", o->db, name, mst_restore_outcome_text(o, text));
    }
}

enum mst_rc mst_run_restore(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct env *e = mst_xcalloc(1, sizeof(*e));
    struct mst_restore_plan *p = NULL;
    struct mst_restore_result res = {0};
    struct mst_err ignore = {0};
    struct hold hold = {0};
    enum mst_rc rc = env_open(e, r->l, &r->cmd, r->reach, task, err);

    if (rc == MST_OK) {
        rc = take_set(e, &hold, r, task, err);
    }
    mst_task_phase(task, "reading what is to be restored");
    if (rc == MST_OK) {
        rc = env_source(e, r->l, &r->cmd, task, err);
    }
    if (rc == MST_OK) { /* the rules again, on fresh facts */
        rc = mst_restore_prepare(&e->o, e->source, task, &p, err);
    }
    if (rc == MST_OK && strcmp(p->hash, r->plan) != 0) {
        rc =
            mst_err_set(err, MST_E_STALE,
                        "the facts moved since the plan was shown (%s then, %s now): look at a new "
                        "one",
                        r->plan, p->hash);
    }
    if (rc == MST_OK && p->refused) {
        rc = mst_err_set(err, MST_E_PRECOND, "refused: %s", p->summary);
    }
    if (rc == MST_OK) {
        rc = mst_runs_begin(r->l, p->run, r->cmd.target_uri, err);
    }
    if (rc == MST_OK) {
        rc = mst_restore_run(&e->o, e->source, p, task, &res, err);
        log_outcomes(task, &res);
        if (!res.left && mst_runs_forget(r->l, p->run, &ignore) != MST_OK) {
            mst_task_log(task, "%s", ignore.msg);
        }
        if (rc == MST_OK) {
            mst_jobq_result(r->l->jobq, mst_jobq_current(), NULL, res.text);
        } else if (res.text[0]) {
            mst_task_log(task, "%s", res.text);
        }
    }
    rc = mst_hold_judge(&hold, rc, err);
    mst_hold_end(&hold);
    mst_restore_result_release(&res);
    mst_restore_plan_free(p);
    env_free(e);
    return rc;
}

static enum mst_rc drop(struct mst_run *r, bool old, struct mst_task *task, struct mst_err *err)
{
    struct env *e = mst_xcalloc(1, sizeof(*e));
    size_t n = 0;
    char text[160];
    struct hold hold = {0};
    enum mst_rc rc = env_open(e, r->l, &r->cmd, r->reach, task, err);

    if (rc == MST_OK) {
        rc = take_set(e, &hold, r, task, err);
    }
    mst_task_phase(task, "dropping");
    if (rc == MST_OK) {
        rc = old ? mst_restore_discard(&e->o, r->cmd.backup, task, &n, err)
                 : mst_restore_clean(&e->o, r->cmd.backup, task, &n, err);
        rc = mst_hold_judge(&hold, rc, err);
    }
    if (rc == MST_OK) {
        rc = mst_runs_mark(r->l, r->cmd.backup, old ? "discarded" : "cleaned", err);
    }
    (void)snprintf(text, sizeof(text), "%zu %s of restore %s dropped", n,
                   mst_text_noun(n, "collection", "collections"), r->cmd.backup);
    if (rc == MST_OK) {
        mst_jobq_result(r->l->jobq, mst_jobq_current(), NULL, text);
    }
    mst_hold_end(&hold);
    env_free(e);
    return rc;
}

enum mst_rc mst_run_discard(void *arg, struct mst_task *task, struct mst_err *err)
{
    return drop(arg, true, task, err);
}

enum mst_rc mst_run_clean(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct mst_catalog cat;
    struct mst_store_swept w = {0};
    char text[480], more[MST_SWEPT_TEXT];
    enum mst_rc rc;

    if (!mst_catalog_id_ok(r->cmd.backup, NULL, NULL)) {
        return drop(r, false, task, err);
    }
    rc = mst_local_catalog(r->l, r->cmd.store, &cat, err);
    if (rc == MST_OK) {
        rc = mst_catalog_sweep(&cat, r->cmd.backup, task, &w, err);
    }
    mst_store_swept_text(&w, more, sizeof(more));
    (void)snprintf(text, sizeof(text), "%llu %s of %s removed%s", (unsigned long long)w.gone,
                   mst_text_noun(w.gone, "object", "objects"), r->cmd.backup, more);
    if (rc == MST_OK) {
        mst_jobq_result(r->l->jobq, mst_jobq_current(), NULL, text);
    }
    return rc;
}

enum mst_rc mst_run_release(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct env *e = mst_xcalloc(1, sizeof(*e));
    struct hold hold = {0};
    size_t n = 0;
    char text[160];
    enum mst_rc rc = env_open(e, r->l, &r->cmd, r->reach, task, err);

    if (rc == MST_OK) {
        rc = take_set(e, &hold, r, task, err);
    }
    mst_task_phase(task, "giving TTL indexes their expiry back");
    if (rc == MST_OK) {
        rc = mst_restore_release_ttl(&e->o, r->cmd.backup, task, &n, err);
        rc = mst_hold_judge(&hold, rc, err);
    }
    if (rc == MST_OK) {
        rc = mst_runs_mark(r->l, r->cmd.backup, NULL, err);
    }
    (void)snprintf(text, sizeof(text), "%zu TTL %s of restore %s %s again", n,
                   mst_text_noun(n, "index", "indexes"), r->cmd.backup,
                   mst_text_noun(n, "expires", "expire"));
    if (rc == MST_OK) {
        mst_jobq_result(r->l->jobq, mst_jobq_current(), NULL, text);
    }
    mst_hold_end(&hold);
    env_free(e);
    return rc;
}

/* A member may have died with us, and the dead process's note in the oplog has its time to run. */
static enum mst_rc await_set(struct env *e, struct hold *hold, struct mst_run *r,
                             struct mst_task *task, struct mst_err *err)
{
    const int64_t end = mst_clock_mono_ms(NULL) + RECOVER_WAIT_MS;
    enum mst_rc rc;

    do {
        mst_task_phase(task, "waiting for a primary");
        rc = env_open(e, r->l, &r->cmd, r->reach, task, err);
        rc = rc == MST_OK ? take_set(e, hold, r, task, err) : rc;
    } while (rc != MST_OK && mst_clock_mono_ms(NULL) < end && mst_task_sleep_ms(task, 1000));
    return rc;
}

/* Renames are repeated until every collection is the new one: the data was proved before them. */
enum mst_rc mst_run_recover(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct env *e = mst_xcalloc(1, sizeof(*e));
    struct hold hold = {0};
    struct mst_str report = {0};
    size_t n = 0;
    char text[160];
    enum mst_rc rc = await_set(e, &hold, r, task, err);

    mst_task_phase(task, "ending the swap");
    if (rc == MST_OK) {
        rc = mst_restore_recover(&e->o, r->cmd.backup, MST_RECOVER_FINISH, task, &n, &report, err);
    }
    if (rc == MST_E_INTEGRITY) { /* a staging collection is gone: back is the only way */
        mst_task_log(task, "%s: putting the old collections back", err->msg);
        mst_str_reset(&report);
        memset(err, 0, sizeof(*err));
        rc = mst_restore_recover(&e->o, r->cmd.backup, MST_RECOVER_UNDO, task, &n, &report, err);
    }
    rc = mst_hold_judge(&hold, rc, err);
    for (char *at = report.p, *line; at && (line = strsep(&at, "\n")) != NULL;) {
        if (*line) {
            mst_task_log(task, "%s", line);
        }
    }
    if (rc == MST_OK) {
        rc = mst_runs_mark(r->l, r->cmd.backup, NULL, err);
    }
    (void)snprintf(text, sizeof(text), "the swap of restore %s is ended: %zu %s", r->cmd.backup, n,
                   mst_text_noun(n, "collection", "collections"));
    if (rc == MST_OK) {
        mst_jobq_result(r->l->jobq, mst_jobq_current(), NULL, text);
    }
    mst_str_release(&report);
    mst_hold_end(&hold);
    env_free(e);
    return rc;
}
