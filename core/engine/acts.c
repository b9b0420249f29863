/* Acts: who may, tickets, and the jobs that carry them out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/acts.h"
#include "engine/inner.h"
#include "engine/runs.h"
#include "log/log.h"

static const struct kind {
    enum mst_job_kind job;
    const char *act; /* in set.acts; NULL: needs none */
    enum mst_cred_act cred;
    bool exclusive, connects;
    mst_plan_fn *plan; /* NULL: needs no ticket */
    mst_job_fn *fn;
    bool in_store; /* about a store, not about the set */
} kinds[] = {
    [MST_CMD_BACKUP] = {MST_JOB_BACKUP, NULL, MST_CRED_BACKUP, false, true, NULL, mst_run_backup,
                        true},
    [MST_CMD_RESTORE] = {MST_JOB_RESTORE, "restore", MST_CRED_RESTORE, true, true, mst_act_plan,
                         mst_run_restore, false},
    [MST_CMD_DISCARD] = {MST_JOB_DISCARD, "discard", MST_CRED_RESTORE, true, true, mst_act_plan,
                         mst_run_discard, false},
    [MST_CMD_CLEAN] = {MST_JOB_CLEAN, "clean", MST_CRED_RESTORE, true, true, mst_act_plan,
                       mst_run_clean, false},
    [MST_CMD_IMPORT] = {MST_JOB_IMPORT, "import", MST_CRED_RESTORE, true, true, mst_act_plan,
                        mst_run_restore, false},
    [MST_CMD_RECOVER] = {MST_JOB_RECOVER, "restore", MST_CRED_RESTORE, true, true, NULL,
                         mst_run_recover, false},
    [MST_CMD_RELEASE_TTL] = {MST_JOB_RELEASE, "restore", MST_CRED_RESTORE, true, true, mst_act_plan,
                             mst_run_release, false},
    [MST_CMD_SWITCHOVER] = {MST_JOB_SWITCH, "switch", MST_CRED_SWITCH, true, true, mst_switch_plan,
                            mst_run_switch, false},
    [MST_CMD_STEPDOWN] = {MST_JOB_SWITCH, "switch", MST_CRED_SWITCH, true, true, mst_switch_plan,
                          mst_run_switch, false},
    [MST_CMD_FAILBACK] = {MST_JOB_SWITCH, "switch", MST_CRED_SWITCH, true, true, mst_switch_plan,
                          mst_run_switch, false},
    [MST_CMD_KEY_ADD] = {MST_JOB_KEYS, NULL, MST_CRED_VIEW, true, false, mst_rekey_plan,
                         mst_run_rekey, true},
    [MST_CMD_KEY_REMOVE] = {MST_JOB_KEYS, NULL, MST_CRED_VIEW, true, false, mst_rekey_plan,
                            mst_run_rekey, true},
    [MST_CMD_KEY_ROTATE] = {MST_JOB_KEYS, NULL, MST_CRED_VIEW, true, false, mst_rekey_plan,
                            mst_run_rekey, true},
    [MST_CMD_VERIFY] = {MST_JOB_VERIFY, NULL, MST_CRED_VIEW, false, false, NULL, mst_run_verify,
                        true},
    [MST_CMD_REBUILD] = {MST_JOB_REBUILD, NULL, MST_CRED_VIEW, false, false, NULL, mst_run_rebuild,
                         true},
    [MST_CMD_COPY] = {MST_JOB_COPY, NULL, MST_CRED_VIEW, false, false, NULL, mst_run_copy, true},
    [MST_CMD_HOLD] = {MST_JOB_HOLD, NULL, MST_CRED_VIEW, false, false, NULL, mst_run_hold, true},
    [MST_CMD_UNHOLD] = {MST_JOB_UNHOLD, "clean", MST_CRED_VIEW, false, false, mst_store_plan,
                        mst_run_unhold, true},
    [MST_CMD_STORE_TEST] = {MST_JOB_STORE_TEST, NULL, MST_CRED_VIEW, false, false, NULL,
                            mst_run_store_test, true},
    [MST_CMD_ORPHANS] = {MST_JOB_ORPHANS, "clean", MST_CRED_VIEW, true, false, mst_store_plan,
                         mst_run_orphans, true},
    [MST_CMD_THAW] = {MST_JOB_THAW, NULL, MST_CRED_VIEW, false, false, NULL, mst_run_thaw, true},
};

static const struct kind *kind_of(const struct mst_cmd *cmd)
{
    return (size_t)cmd->kind < MST_COUNT(kinds) && kinds[cmd->kind].fn ? &kinds[cmd->kind] : NULL;
}

/* Of an act that was accepted before. */
static const struct kind *known_kind(const struct mst_cmd *cmd)
{
    const struct kind *k = kind_of(cmd);

    MST_ASSERT(k);
    return k;
}

/* Another set than the configured one is the operator's own choice; it still needs the right. */
static enum mst_rc allowed(const struct local *l, const struct mst_cmd *cmd, struct mst_err *err)
{
    const struct kind *k = kind_of(cmd);
    char why[200];

    if (l->cfg->read_only) {
        return mst_err_set(err, MST_E_PRECOND, "%s is refused: --read-only was given",
                           mst_job_kind_word(k->job));
    }
    if (k->act && !mst_cfg_may(l->cfg, k->act, why, sizeof(why))) {
        return mst_err_set(err, MST_E_PRECOND, "%s is refused: %s", mst_job_kind_word(k->job), why);
    }
    return MST_OK;
}

/* What is done after a restore goes where that restore went. */
static void same_target(struct local *l, struct mst_cmd *cmd)
{
    struct mst_run_state s;
    const bool after = cmd->kind == MST_CMD_DISCARD || cmd->kind == MST_CMD_CLEAN ||
                       cmd->kind == MST_CMD_RECOVER || cmd->kind == MST_CMD_RELEASE_TTL;

    if (after && !cmd->target_uri[0] && mst_runs_find(l, cmd->backup, &s)) {
        (void)mst_copy(cmd->target_uri, sizeof(cmd->target_uri), s.to);
    }
}

static enum mst_rc make_reach(struct local *l, const struct mst_cmd *cmd, struct reach **out,
                              struct mst_err *err)
{
    const struct kind *k = kind_of(cmd);
    struct reach *r = mst_xcalloc(1, sizeof(*r));
    enum mst_rc rc = MST_OK;

    r->wire = &l->wire;
    if (cmd->target_uri[0]) {
        r->wire = &r->own;
        rc = mst_wire_uri(&r->own, cmd->target_uri, err);
    }
    if (rc == MST_OK && k->connects) {
        rc = mst_wire_cred_for(l->cfg, k->cred, cmd->target_uri, l->o.ask, l->o.ask_arg, &r->cred,
                               &r->has_cred, err);
    }
    if (rc != MST_OK) {
        mst_reach_release(r);
        r = NULL;
    }
    *out = r;
    return rc;
}

static void free_run(void *arg)
{
    struct mst_run *r = arg;

    mst_reach_release(r->reach);
    free(r);
}

/* The store that an act is about: where it goes to; of a backup into several, all of them. */
static const char *store_of(const struct local *l, const struct mst_cmd *cmd, char *out,
                            size_t size)
{
    if (cmd->to_store[0] || cmd->store[0] || l->n_depots == 0) {
        (void)mst_copy(out, size, cmd->to_store[0] ? cmd->to_store : cmd->store);
        return out;
    }
    (void)mst_copy(out, size, l->depots[l->home].cfg->name);
    if (cmd->kind == MST_CMD_BACKUP && l->cfg->backup.stores.n > 1) {
        out[0] = '\0';
        for (size_t i = 0; i < l->cfg->backup.stores.n; i++) {
            (void)snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? "," : "",
                           l->cfg->backup.stores.item[i]);
        }
    }
    return out;
}

static enum mst_rc add_job(struct local *l, const struct mst_cmd *cmd, const char *plan,
                           uint64_t *job, struct mst_err *err)
{
    const struct kind *k = known_kind(cmd);
    struct mst_run *r = mst_xcalloc(1, sizeof(*r));
    char command[640], store[MST_HOST_MAX];
    struct mst_job_spec spec = {.kind = k->job,
                                .exclusive = k->exclusive,
                                .who = l->who,
                                .plan = plan,
                                .command = command,
                                .backup = cmd->backup,
                                .fn = k->fn,
                                .arg = r,
                                .free_arg = free_run};
    enum mst_rc rc;

    r->l = l;
    r->cmd = *cmd;
    same_target(l, &r->cmd);
    cmd = &r->cmd;
    (void)mst_copy(r->plan, sizeof(r->plan), plan);
    mst_cmd_line(cmd, command, sizeof(command));
    spec.target = k->in_store            ? store_of(l, cmd, store, sizeof(store))
                  : r->cmd.target_uri[0] ? r->cmd.target_uri
                  : l->cfg->set.label[0] ? l->cfg->set.label
                  : l->wire.set_name[0]  ? l->wire.set_name
                                         : l->key;
    rc = make_reach(l, cmd, &r->reach, err);
    if (rc == MST_OK) {
        rc = mst_state_own(l, err);
    }
    if (rc == MST_OK) { /* durable before the effect */
        rc = mst_state_audit(l, mst_job_kind_word(k->job), spec.target, plan, "begins", command,
                             err);
    }
    if (rc != MST_OK) {
        free_run(r);
        return rc;
    }
    return mst_jobq_add(l->jobq, &spec, job, err);
}

void mst_act_ended(void *arg, const struct mst_job *job, const char *plan)
{
    struct local *l = arg;
    struct mst_err err = {0};
    struct ask *again = mst_xcalloc(1, sizeof(*again));
    char text[640];

    (void)snprintf(text, sizeof(text), "job %llu: %s", (unsigned long long)job->id, job->result);
    if (mst_state_audit(l, mst_job_kind_word(job->kind), job->target, plan,
                        mst_job_state_word(job->state), text, &err) != MST_OK) {
        mst_say(l, MST_SEV_CRIT, "the audit file could not be written: %s", err.msg);
    }
    mst_say(l, job->state == MST_JOB_DONE ? MST_SEV_INFO : MST_SEV_WARN, "%s (job %llu) %s: %s",
            mst_job_kind_word(job->kind), (unsigned long long)job->id,
            mst_job_state_word(job->state), job->result);
    again->kind = ASK_BUCKET;
    (void)!mst_queue_push_take(l->asks, again, &err); /* full or closing: the next one lists */
    if (l->o.agent && job->state != MST_JOB_DONE &&
        (job->kind == MST_JOB_RESTORE || job->kind == MST_JOB_IMPORT)) {
        again = mst_xcalloc(1, sizeof(*again));
        again->kind = ASK_RECOVER;
        (void)!mst_queue_push_take(l->asks, again, &err); /* closing: the next start recovers */
    }
}

static enum mst_rc push(struct local *l, enum ask_kind kind, const struct mst_cmd *cmd,
                        struct mst_err *err)
{
    struct ask *a = mst_xcalloc(1, sizeof(*a));

    a->kind = kind;
    a->cmd = *cmd;
    (void)mst_copy(a->id, sizeof(a->id), cmd->backup);
    return mst_queue_push_take(l->asks, a, err);
}

/* Show at once that something is being read. */
static void show_loading(struct local *l, const struct mst_cmd *cmd)
{
    if (cmd->kind == MST_CMD_DETAIL) {
        struct mst_detail_part *p = mst_detail_new();

        (void)mst_copy(p->id, sizeof(p->id), cmd->backup);
        p->loading = true;
        mst_put_detail_take(l, p);
    }
}

enum mst_rc mst_act_submit(struct mst_engine *e, const struct mst_cmd *cmd, uint64_t *job,
                           struct mst_err *err)
{
    struct local *l = (struct local *)(void *)e;
    const struct kind *k = kind_of(cmd);

    *job = 0;
    if (k && k->plan) {
        return mst_err_set(err, MST_E_PRECOND, "%s needs a ticket", mst_job_kind_word(k->job));
    }
    if (k) {
        return allowed(l, cmd, err) == MST_OK ? add_job(l, cmd, "", job, err) : err->rc;
    }
    switch (cmd->kind) {
    case MST_CMD_CANCEL:
        return l->jobq ? mst_jobq_cancel(l->jobq, cmd->job, err)
                       : mst_err_set(err, MST_E_NOTFOUND, "there are no jobs");
    case MST_CMD_BUCKET_RELOAD:
        return push(l, ASK_BUCKET, cmd, err);
    case MST_CMD_DETAIL:
        show_loading(l, cmd);
        return push(l, ASK_DETAIL, cmd, err);
    case MST_CMD_STORE_LOOK:
        return mst_look_ask(l, cmd->store, err);
    case MST_CMD_MONITOR_NOW:
        mst_monitor_now(l->monitor);
        return MST_OK;
    case MST_CMD_BACKUP:
    case MST_CMD_VERIFY:
    case MST_CMD_RESTORE:
    case MST_CMD_DISCARD:
    case MST_CMD_CLEAN:
    case MST_CMD_IMPORT:
    case MST_CMD_RECOVER:
    case MST_CMD_RELEASE_TTL:
    case MST_CMD_SWITCHOVER:
    case MST_CMD_STEPDOWN:
    case MST_CMD_FAILBACK:
    case MST_CMD_KEY_ADD:
    case MST_CMD_KEY_REMOVE:
    case MST_CMD_KEY_ROTATE:
    case MST_CMD_REBUILD:
    case MST_CMD_COPY:
    case MST_CMD_HOLD:
    case MST_CMD_UNHOLD:
    case MST_CMD_STORE_TEST:
    case MST_CMD_ORPHANS:
    case MST_CMD_THAW:
        break;
    }
    return mst_err_set(err, MST_E_BUG, "no such act");
}

/* --- tickets --- */

enum mst_rc mst_act_make_ticket(struct local *l, const struct ask *a, struct mst_ticket **out,
                                struct mst_err *err)
{
    return known_kind(&a->cmd)->plan(l, a, out, err);
}

enum mst_rc mst_act_prepare(struct mst_engine *e, const struct mst_cmd *cmd, uint64_t *handle,
                            struct mst_err *err)
{
    struct local *l = (struct local *)(void *)e;
    const struct kind *k = kind_of(cmd);
    struct ask *a;
    struct slot *s = NULL;
    enum mst_rc rc;

    if (!k || !k->plan) {
        return mst_err_set(err, MST_E_PRECOND, "this act needs no ticket");
    }
    /* A dry run may be looked at by everybody who may look. */
    if (!cmd->dry_run && allowed(l, cmd, err) != MST_OK) {
        return err->rc;
    }
    a = mst_xcalloc(1, sizeof(*a));
    a->kind = ASK_TICKET;
    a->cmd = *cmd;
    same_target(l, &a->cmd);
    rc = make_reach(l, &a->cmd, &a->reach, err);
    if (rc != MST_OK) {
        free(a);
        return rc;
    }
    mst_mutex_lock(&l->mtx);
    for (size_t i = 0; i < MST_TICKETS && !s; i++) {
        s = l->slots[i].handle == 0 ? &l->slots[i] : NULL;
    }
    if (!s) { /* the oldest that nobody fetched gives way */
        s = &l->slots[l->next_handle % MST_TICKETS];
        mst_ticket_free(s->ticket);
    }
    memset(s, 0, sizeof(*s));
    a->handle = s->handle = *handle = ++l->next_handle;
    mst_mutex_unlock(&l->mtx);
    return mst_queue_push_take(l->asks, a, err);
}

enum mst_rc mst_act_ticket(struct mst_engine *e, uint64_t handle, struct mst_ticket **out,
                           struct mst_err *err)
{
    struct local *l = (struct local *)(void *)e;
    enum mst_rc rc = mst_err_set(err, MST_E_NOTFOUND, "this ticket is not known any more");

    *out = NULL;
    mst_mutex_lock(&l->mtx);
    for (size_t i = 0; i < MST_TICKETS; i++) {
        struct slot *s = &l->slots[i];

        if (s->handle != handle || handle == 0) {
            continue;
        }
        if (!s->ready) {
            rc = mst_err_set(err, MST_E_BUSY, "the facts are being collected");
            continue;
        }
        rc = s->rc;
        *err = s->err;
        *out = s->ticket;
        memset(s, 0, sizeof(*s));
    }
    mst_mutex_unlock(&l->mtx);
    return rc;
}

enum mst_rc mst_act_commit(struct mst_engine *e, const struct mst_ticket *t, const char *typed,
                           uint64_t *job, struct mst_err *err)
{
    struct local *l = (struct local *)(void *)e;
    enum mst_rc rc = MST_OK;

    *job = 0;
    if (!kind_of(&t->cmd) || !kind_of(&t->cmd)->plan) {
        return mst_err_set(err, MST_E_PRECOND, "this ticket is for no act");
    }
    if (t->cmd.dry_run) {
        return mst_err_set(err, MST_E_PRECOND, "a dry run is not carried out");
    }
    if (allowed(l, &t->cmd, err) != MST_OK) {
        return err->rc;
    }
    if (t->refused) {
        rc = mst_err_set(err, MST_E_PRECOND, "refused: %s", t->summary);
    } else if (mst_clock_mono_ms(NULL) > t->expires_mono_ms) {
        rc = mst_err_set(err, MST_E_STALE, "the ticket is older than %lld s: make a new one",
                         (long long)mst_fault_ticket_ms() / 1000);
    } else if (strcmp(t->phrase, typed ? typed : "") != 0) {
        rc = mst_err_set(err, MST_E_PRECOND, "what was typed is not \"%s\"", t->phrase);
    }
    if (rc != MST_OK) {
        struct mst_err ignore = {0};

        if (mst_state_own(l, &ignore) == MST_OK) {
            (void)!mst_state_audit(l, mst_job_kind_word(known_kind(&t->cmd)->job), l->key,
                                   t->plan_hash, "refused", err->msg, &ignore);
        }
        return rc;
    }
    return add_job(l, &t->cmd, t->plan_hash, job, err);
}
