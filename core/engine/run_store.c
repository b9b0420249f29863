/* Jobs about stores: copies, holds, a test, and what belongs to no backup. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/copy.h"
#include "catalog/marks.h"
#include "catalog/orphans.h"
#include "engine/acts.h"
#include "engine/copies.h"
#include "engine/depot.h"
#include "engine/locks.h"
#include "engine/region.h"
#include "engine/seals.h"
#include "store/probe.h"

#define SOON_MS 6000
#define STEPS_SHOWN 2000
#define OLDER_MS 3600000 /* what is younger may be at work */

static enum mst_rc may_go(void *arg, bool sealed, const struct mst_store *to, struct mst_err *err)
{
    return mst_seal_store_ok(arg, sealed, to, err);
}

/* Two names for it are not two copies. */
static bool one_place(const struct mst_cfg *cfg, const struct mst_store *a,
                      const struct mst_store *b)
{
    const struct mst_cfg_store *x, *y;
    struct mst_err ignored = {0};

    return mst_cfg_store(cfg, mst_store_name(a), &x, &ignored) == MST_OK &&
           mst_cfg_store(cfg, mst_store_name(b), &y, &ignored) == MST_OK &&
           mst_cfg_same_place(x, y);
}

enum mst_rc mst_run_copy(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct local *l = r->l;
    struct mst_copy_opts o = {
        .id = r->cmd.backup, .by = l->who, .may = may_go, .may_arg = l, .at = mst_fault_at};
    struct seals seals = {0};
    struct mst_copy_result res;
    char text[400], locked[80] = "";
    struct mst_catalog from, to;
    enum mst_rc rc = mst_run_choose(r, task, err);

    rc = rc == MST_OK ? mst_local_catalog(l, r->cmd.store, &from, err) : rc;
    rc = rc == MST_OK ? mst_local_catalog(l, r->cmd.to_store, &to, err) : rc;
    rc = rc == MST_OK ? mst_region_store_ok(l->cfg, mst_store_name(to.store), err) : rc;
    if (rc == MST_OK && from.store == to.store) {
        rc = mst_err_set(err, MST_E_USAGE, "%s is where it is copied from: name another store",
                         mst_store_name(to.store));
    } else if (rc == MST_OK && one_place(l->cfg, from.store, to.store)) {
        rc = mst_err_set(err, MST_E_CONFIG,
                         "the stores %s and %s are one place: a copy there would be no copy",
                         mst_store_name(from.store), mst_store_name(to.store));
    }
    rc = rc == MST_OK ? mst_seals_sign(l, &from, &seals, err) : rc;
    if (rc != MST_OK) {
        return rc;
    }
    if (mst_catalog_id_ok(r->cmd.backup, NULL, NULL)) {
        mst_jobq_result(l->jobq, mst_jobq_current(), r->cmd.backup, NULL);
    }
    rc = mst_copy_run(&from, &to, &o, task, &res, err);
    mst_seals_release(&seals);
    if (rc == MST_OK) {
        rc = mst_lock_settle(&to, res.id, false, task, locked, sizeof(locked), err);
        rc = rc == MST_OK ? mst_lock_as_held(&to, res.id, task, locked, sizeof(locked), err) : rc;
    }
    (void)snprintf(text, sizeof(text), "%.300s%s%s", res.text, locked[0] ? ", " : "", locked);
    mst_jobq_result(l->jobq, mst_jobq_current(), res.id[0] ? res.id : NULL,
                    rc == MST_OK ? text : NULL);
    return rc;
}

/* --- holds ------------------------------------------------------------------------------------ */

struct told {
    size_t done;
    char where[400], bad[300];
    struct mst_err first;
};

static void tell(struct told *t, const struct depot *d, enum mst_rc rc, const char *more,
                 const struct mst_err *err)
{
    char *const out = rc == MST_OK ? t->where : t->bad;
    const size_t size = rc == MST_OK ? sizeof(t->where) : sizeof(t->bad);

    if (rc == MST_OK) {
        t->done++;
        (void)snprintf(out + strlen(out), size - strlen(out), "%s%s%s%s%s", *out ? ", " : "",
                       d->cfg->name, *more ? " (" : "", more, *more ? ")" : "");
    } else if (rc != MST_E_NOTFOUND) {
        (void)snprintf(out + strlen(out), size - strlen(out), "%s%s: %.150s", *out ? "; " : "",
                       d->cfg->name, mst_copies_reason(err->msg, 140));
    }
    if (rc != MST_OK && (t->first.rc == MST_OK || t->first.rc == MST_E_NOTFOUND)) {
        t->first = *err;
    }
}

/* The mark, and what it means for locks, in one store. */
static enum mst_rc mark_in(struct mst_run *r, struct depot *d, const struct mst_mark *m,
                           const struct mst_sign_key *signer, struct mst_task *task, char *more,
                           size_t size, struct mst_err *err)
{
    struct mst_catalog cat;
    struct mst_store *s;
    enum mst_rc rc = mst_depot_open_soon(d, SOON_MS, task, &s, err);

    more[0] = '\0';
    rc = rc == MST_OK ? mst_store_catalog(r->l, s, &cat, err) : rc;
    if (rc == MST_OK) {
        cat.signer = signer;
        rc = mst_marks_write(&cat, m, err);
    }
    if (rc == MST_OK && m->kind == MST_MARK_HOLD) {
        rc = mst_lock_hold(&cat, m->id, m->until_ms, task, more, size, err);
    } else if (rc == MST_OK) {
        mst_lock_stays(&cat, m->id, task, more, size);
    }
    return rc;
}

/* The same mark in every store that has the backup whole, or in the one that is named. Where
 * signers are named, a release counts only when one of them signed it. */
static enum mst_rc mark_signed(struct mst_run *r, const struct mst_mark *m, const char *what,
                               const struct mst_sign_key *signer, struct mst_task *task,
                               struct mst_err *err)
{
    struct local *l = r->l;
    struct told t = {.done = 0};
    struct depot *only = NULL;
    char text[900], more[80];

    if ((l->n_depots == 0 || r->cmd.store[0]) &&
        mst_depot_named(l, r->cmd.store, &only, err) != MST_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < l->n_depots; i++) {
        struct depot *d = &l->depots[i];
        struct mst_err one = {0};
        enum mst_rc rc;

        if (only && only != d) {
            continue;
        }
        mst_task_phase(task, "writing into the store %s", d->cfg->name);
        rc = mark_in(r, d, m, signer, task, more, sizeof(more), &one);
        if (rc == MST_E_CANCELLED) {
            *err = one;
            return rc;
        }
        tell(&t, d, rc, more, &one);
    }
    if (t.done == 0) {
        *err = t.first;
        return err->rc;
    }
    (void)snprintf(text, sizeof(text), "%s is %s in %s%s%s", m->id, what, t.where,
                   t.bad[0] ? "; not in " : "", t.bad);
    mst_jobq_result(l->jobq, mst_jobq_current(), m->id, text);
    return t.bad[0] ? mst_err_set(err, MST_E_INCOMPLETE, "%s", text) : MST_OK;
}

static enum mst_rc mark_all(struct mst_run *r, const struct mst_mark *m, const char *what,
                            struct mst_task *task, struct mst_err *err)
{
    struct mst_catalog of = {.signer = NULL}; /* what the signer is put into */
    struct seals seals = {0};
    enum mst_rc rc = mst_seals_sign(r->l, &of, &seals, err);

    rc = rc == MST_OK ? mark_signed(r, m, what, of.signer, task, err) : rc;
    mst_seals_release(&seals);
    return rc;
}

static enum mst_rc newest_in(struct local *l, struct mst_cmd *cmd, struct mst_task *task,
                             struct mst_err *err)
{
    struct mst_catalog cat;
    struct mst_backup b;

    if (mst_local_catalog(l, cmd->store, &cat, err) != MST_OK ||
        mst_catalog_find(&cat, cmd->backup[0] ? cmd->backup : "latest", task, &b, err) != MST_OK) {
        return err->rc;
    }
    (void)mst_copy(cmd->backup, sizeof(cmd->backup), b.id);
    return MST_OK;
}

enum mst_rc mst_run_hold(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct mst_mark m = {.kind = MST_MARK_HOLD, .ok = true, .until_ms = r->cmd.until_ms};
    const bool ever = r->cmd.until_ms == MST_HOLD_EVER;
    char what[80], t[MST_TIME_MAX];

    if (!mst_catalog_id_ok(r->cmd.backup, NULL, NULL)) {
        struct mst_cmd copy = r->cmd; /* the newest one; held wherever it is */
        char note[200];

        if (mst_depot_choose(r->l, &copy, MST_WANT_GOOD, task, note, sizeof(note), err) != MST_OK) {
            return err->rc;
        }
        if (!mst_catalog_id_ok(copy.backup, NULL, NULL) && /* one store: there was no choice */
            newest_in(r->l, &copy, task, err) != MST_OK) {
            return err->rc;
        }
        (void)mst_copy(r->cmd.backup, sizeof(r->cmd.backup), copy.backup);
    }
    m.wall_ms = mst_clock_utc_ms(NULL);
    if (m.until_ms <= m.wall_ms) {
        return mst_err_set(err, MST_E_USAGE, "a hold ends in the future");
    }
    (void)mst_copy(m.id, sizeof(m.id), r->cmd.backup);
    (void)mst_copy(m.by, sizeof(m.by), r->l->who);
    (void)mst_copy(m.text, sizeof(m.text), r->cmd.reason);
    (void)snprintf(what, sizeof(what), "held %s%s", ever ? "without an end" : "until ",
                   ever ? "" : mst_time_iso(m.until_ms, t));
    return mark_all(r, &m, what, task, err);
}

enum mst_rc mst_run_unhold(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct mst_mark m = {.kind = MST_MARK_RELEASE, .ok = true};

    m.wall_ms = mst_clock_utc_ms(NULL);
    (void)mst_copy(m.id, sizeof(m.id), r->cmd.backup);
    (void)mst_copy(m.by, sizeof(m.by), r->l->who);
    (void)mst_copy(m.text, sizeof(m.text), r->cmd.reason);
    return mark_all(r, &m, "released", task, err);
}

static void add_step(struct mst_ticket *t, const char *text)
{
    t->steps = mst_xrealloc(t->steps, (t->n_steps + 1) * sizeof(t->steps[0]));
    mst_text_clean(t->steps[t->n_steps], sizeof(t->steps[0]), text, strlen(text));
    t->n_steps++;
}

/* From listings that are made for it: this thread asks no store itself. */
static enum mst_rc plan_unhold(struct local *l, struct mst_ticket *t, struct mst_err *err)
{
    struct depot *only = NULL;

    if (!mst_catalog_id_ok(t->cmd.backup, NULL, NULL)) { /* the newest may not be the one held */
        return mst_err_set(err, MST_E_USAGE,
                           "name the backup whose hold is taken off: 'muster bucket ls' has them");
    }
    if (t->cmd.store[0] && mst_depot_named(l, t->cmd.store, &only, err) != MST_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < l->n_depots; i++) {
        struct depot *d = &l->depots[i];
        struct mst_err one = {0};
        char text[400] = "", until[MST_TIME_MAX];

        if ((only && only != d) || mst_depot_read_soon(d, SOON_MS, &l->io_task, &one) != MST_OK) {
            continue;
        }
        mst_mutex_lock(&l->mtx);
        for (size_t k = 0; k < d->part->n; k++) {
            const struct mst_backup *b = &d->part->backups[k];

            if (strcmp(b->id, t->cmd.backup) == 0 && b->hold_until_ms) {
                (void)snprintf(text, sizeof(text), "in %s: held until %s by %s: %s", d->cfg->name,
                               b->hold_until_ms == MST_HOLD_EVER
                                   ? "it is released"
                                   : mst_time_iso(b->hold_until_ms, until),
                               b->hold_by[0] ? b->hold_by : "somebody", b->hold_text);
            }
        }
        mst_mutex_unlock(&l->mtx);
        if (text[0]) {
            add_step(t, text);
        }
    }
    (void)snprintf(t->summary, sizeof(t->summary),
                   "take the hold off %s: from then on it may be removed", t->cmd.backup);
    (void)snprintf(t->phrase, sizeof(t->phrase), "%s", t->cmd.backup);
    return t->n_steps > 0
               ? MST_OK
               : mst_err_set(err, MST_E_NOTFOUND,
                             "no hold of %s is known in any store that was read", t->cmd.backup);
}

/* --- orphans ---------------------------------------------------------------------------------- */

static enum mst_rc find_orphans(struct local *l, const struct mst_cmd *cmd, struct mst_catalog *cat,
                                struct mst_task *task, struct mst_orphans *o, struct mst_err *err)
{
    const int64_t now = mst_clock_utc_ms(NULL);
    const int64_t older = cmd->older_ms >= 0 ? cmd->older_ms : OLDER_MS;

    return mst_local_catalog(l, cmd->store, cat, err) == MST_OK
               ? mst_orphans_find(cat, now - older, now, task, o, err)
               : err->rc;
}

static void orphan_steps(struct mst_ticket *t, const struct mst_orphans *o)
{
    char text[MST_KEY_MAX + 64], size[MST_HUMAN_MAX];

    for (size_t i = 0; i < o->n && t->n_steps < STEPS_SHOWN; i++) {
        if (o->items[i].kind != MST_ORPHAN_FOREIGN) {
            (void)snprintf(text, sizeof(text), "%s %s, %s", mst_orphan_word(o->items[i].kind),
                           mst_text_bytes(o->items[i].bytes, size), o->items[i].key);
            add_step(t, text);
        }
    }
}

static enum mst_rc plan_orphans(struct local *l, struct mst_ticket *t, struct mst_err *err)
{
    struct mst_orphans o = {0};
    struct mst_catalog cat;
    char size[MST_HUMAN_MAX];

    if (find_orphans(l, &t->cmd, &cat, &l->io_task, &o, err) != MST_OK) {
        return err->rc;
    }
    orphan_steps(t, &o);
    (void)snprintf(
        t->summary, sizeof(t->summary),
        "remove %zu %s (%s) that belong to no backup from %s; %zu foreign, %zu too young, %zu held "
        "and %zu whose COMMIT is not believed stay",
        o.n - o.foreign, mst_text_noun(o.n - o.foreign, "object", "objects"),
        mst_text_bytes(o.bytes, size), mst_store_name(cat.store), o.foreign, o.young, o.held,
        o.doubtful);
    (void)snprintf(t->phrase, sizeof(t->phrase), "%s", mst_store_name(cat.store));
    if (t->n_steps == 0) {
        (void)mst_err_set(
            err, MST_E_NOTFOUND,
            "the store %s has nothing to remove (%zu foreign, %zu too young, %zu held, %zu "
            "whose COMMIT is not believed)",
            mst_store_name(cat.store), o.foreign, o.young, o.held, o.doubtful);
    }
    mst_orphans_release(&o);
    return t->n_steps > 0 ? MST_OK : err->rc;
}

enum mst_rc mst_run_orphans(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct mst_orphans o = {0};
    struct mst_catalog cat;
    struct mst_store_swept w = {0};
    char text[480], more[MST_SWEPT_TEXT];
    enum mst_rc rc;

    mst_task_phase(task, "listing the store");
    rc = find_orphans(r->l, &r->cmd, &cat, task, &o, err);
    if (rc != MST_OK) {
        return rc;
    }
    mst_task_phase(task, "removing");
    rc = mst_orphans_sweep(&cat, &o, task, &w, err);
    mst_store_swept_text(&w, more, sizeof(more));
    (void)snprintf(text, sizeof(text), "%llu %s removed from %s%s", (unsigned long long)w.gone,
                   mst_text_noun(w.gone, "object", "objects"), mst_store_name(cat.store), more);
    if (rc == MST_OK) {
        mst_jobq_result(r->l->jobq, mst_jobq_current(), NULL, text);
    } else if (w.gone > 0) {
        mst_err_prefix(err, "%s, then", text);
    }
    mst_orphans_release(&o);
    return rc;
}

enum mst_rc mst_store_plan(struct local *l, const struct ask *a, struct mst_ticket **out,
                           struct mst_err *err)
{
    struct mst_ticket *t = mst_xcalloc(1, sizeof(*t));
    enum mst_rc rc;

    t->cmd = a->cmd;
    rc = t->cmd.kind == MST_CMD_UNHOLD ? plan_unhold(l, t, err) : plan_orphans(l, t, err);
    mst_ticket_hash(t);
    t->expires_mono_ms = mst_clock_mono_ms(NULL) + mst_fault_ticket_ms();
    mst_cmd_line(&t->cmd, t->command, sizeof(t->command));
    if (rc != MST_OK) {
        mst_ticket_free(t);
        t = NULL;
    }
    *out = t;
    return rc;
}

/* --- test ------------------------------------------------------------------------------------- */

static void say(void *arg, const char *line)
{
    mst_task_log(arg, "%s", line);
}

enum mst_rc mst_run_store_test(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct mst_probe_result res = {0};
    struct mst_catalog cat;
    char prefix[MST_KEY_MAX], iso[MST_TIME_MAX], text[400], a[MST_HUMAN_MAX], b[MST_HUMAN_MAX];
    char until[MST_TIME_MAX], sum[160];
    struct mst_probe_opts o = {.prefix = prefix, .say = say, .arg = task};
    enum mst_rc rc = mst_local_catalog(r->l, r->cmd.store, &cat, err);

    if (rc != MST_OK) {
        return rc;
    }
    (void)mst_time_iso_ms(mst_clock_utc_ms(NULL), iso);
    for (char *p = iso; *p; p++) {
        *p = *p == ':' ? '-' : *p;
    }
    (void)snprintf(prefix, sizeof(prefix), "%s/probe/%s", cat.base, iso);
    mst_task_phase(task, "testing the store %s", mst_store_name(cat.store));
    rc = mst_probe_run(cat.store, &o, task, &res, err);
    if (mst_store_caps(cat.store)->text[0]) {
        mst_task_log(task, "noticed: %s", mst_store_caps(cat.store)->text);
    }
    for (size_t i = 0; i < res.n_left && i < MST_PROBE_LEFT; i++) {
        mst_task_log(
            task, "left, written on %s%s%s: %s", iso, res.left[i].until_ms ? ", locked until " : "",
            res.left[i].until_ms ? mst_time_iso(res.left[i].until_ms, until) : "", res.left[i].key);
    }
    mst_probe_sum(&res, sum, sizeof(sum));
    (void)snprintf(text, sizeof(text), "%s: %s, writes %s/s, reads %s/s%s",
                   mst_store_name(cat.store), sum, mst_text_bytes(res.write_bps, a),
                   mst_text_bytes(res.read_bps, b),
                   res.n_left ? "; what could not be removed is listed" : "");
    if (rc == MST_OK) {
        mst_jobq_result(r->l->jobq, mst_jobq_current(), NULL, text);
    } else {
        mst_err_prefix(err, "%s: %s", mst_store_name(cat.store), sum);
    }
    return rc;
}
