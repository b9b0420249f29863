/* Who may read the backups that exist: the plan and the job of muster key add, remove, rotate.
 *
 * Every store of the configuration is meant unless one is named: whoever is taken out of a backup
 * must not be left in a copy of it. A store that does not answer fails for itself; the same command
 * again does what is left, because what is as it was asked for is passed over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/rekey.h"
#include "engine/acts.h"
#include "engine/depot.h"
#include "engine/rekey_says.h"
#include "engine/seals.h"
#include "hash/hash.h"

#define ANSWER_MS 5000

/* What a command asks for; the readers of the configuration are loaded for a rotation. */
static enum mst_rc asked(struct local *l, const struct mst_cmd *cmd, struct seals *s,
                         struct mst_rekey *out, struct mst_err *err)
{
    memset(out, 0, sizeof(*out));
    out->what = cmd->kind == MST_CMD_KEY_ADD      ? MST_REKEY_ADD
                : cmd->kind == MST_CMD_KEY_REMOVE ? MST_REKEY_REMOVE
                                                  : MST_REKEY_ROTATE;
    out->who = cmd->key;
    if (out->what == MST_REKEY_ADD) {
        return mst_cfg_pub(cmd->key, MST_KEY_RECIPIENT, out->pub, out->label, err);
    }
    if (out->what == MST_REKEY_REMOVE) {
        return MST_OK;
    }
    if (mst_seals_readers(l, s, err) != MST_OK) {
        return err->rc;
    }
    out->readers = &s->readers;
    return s->sealed ? MST_OK
                     : mst_err_set(err, MST_E_CONFIG,
                                   "the configuration names nobody who may read: seal.recipients, "
                                   "passphrase_file or wrap_command");
}

/* The sealed backups that are meant, oldest first, or the one that is named. */
static enum mst_rc meant(const struct mst_catalog *cat, const struct mst_cmd *cmd,
                         struct mst_task *task, struct mst_backup **out, size_t *n,
                         struct mst_err *err)
{
    struct mst_backup *all = NULL;
    size_t have = 0, k = 0;
    bool found = false;
    enum mst_rc rc = mst_catalog_list(cat, task, &all, &have, err);

    for (size_t i = 0; rc == MST_OK && i < have; i++) {
        const bool named = cmd->backup[0] && strcmp(all[i].id, cmd->backup) == 0;

        found = found || named;
        if (all[i].sealed && all[i].state != MST_BK_INCOMPLETE && (named || !cmd->backup[0])) {
            const struct mst_backup b = all[i];

            all[k++] = b;
        }
    }
    if (rc == MST_OK && k == 0) {
        rc = cmd->backup[0] && !found
                 ? mst_err_set(err, MST_E_NOTFOUND, "there is no backup %s in the store %s",
                               cmd->backup, mst_store_name(cat->store))
             : cmd->backup[0]
                 ? mst_err_set(err, MST_E_NOTFOUND, "%s is not sealed", cmd->backup)
                 : mst_err_set(err, MST_E_NOTFOUND, "no backup in the store %s is sealed",
                               mst_store_name(cat->store));
    }
    if (rc != MST_OK) {
        free(all);
        all = NULL;
        k = 0;
    }
    *out = all;
    *n = k;
    return rc;
}

/* Opens a store and lists it; one of several that hangs is not waited for. */
static void look_at(struct depot *d, bool alone, const struct mst_cmd *cmd, struct mst_task *task,
                    struct rekey_store *s)
{
    enum mst_rc rc =
        alone || mst_depot_here(d) ? MST_OK : mst_depot_read_soon(d, ANSWER_MS, task, &s->err);

    s->name = d->cfg->name;
    if (rc == MST_OK) {
        rc = mst_depot_catalog(d, &s->cat, &s->err);
    }
    if (rc == MST_OK) {
        rc = meant(&s->cat, cmd, task, &s->b, &s->n, &s->err);
    }
    s->err.rc = rc;
}

/* Every store, or the one that is named. */
static enum mst_rc gather(struct local *l, const struct mst_cmd *cmd, struct mst_task *task,
                          struct rekey_places *p, struct mst_err *err)
{
    struct depot *only = NULL;
    const char *lead = "";

    if ((cmd->store[0] || l->n_depots < 2) &&
        mst_depot_named(l, cmd->store, &only, err) != MST_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < l->n_depots; i++) {
        struct depot *d = &l->depots[i];

        if (only && d != only) {
            continue;
        }
        mst_task_phase(task, "listing the store %s", d->cfg->name);
        look_at(d, only != NULL, cmd, task, &p->s[p->n++]);
        if (mst_task_check(task, err) != MST_OK) {
            return err->rc;
        }
    }
    (void)snprintf(p->in, sizeof(p->in), "the store%s ", p->n > 1 ? "s" : "");
    for (size_t i = 0; i < p->n; i++) {
        (void)snprintf(p->in + strlen(p->in), sizeof(p->in) - strlen(p->in), "%s%s", lead,
                       p->s[i].name);
        lead = ", ";
    }
    return MST_OK;
}

static void places_free(struct rekey_places *p)
{
    for (size_t i = 0; p && i < p->n; i++) {
        free(p->s[i].b);
    }
    free(p);
}

/* The header of a committed backup, which names attempt and key. */
static enum mst_rc header_of(const struct mst_catalog *cat, const char *id, struct mst_task *task,
                             struct mst_header *out, struct mst_err *err)
{
    struct mst_bkr *r = NULL;
    enum mst_rc rc = mst_bkr_open_clear(cat, id, task, &r, err);

    if (rc == MST_OK) {
        *out = *mst_bkr_header(r);
    }
    mst_bkr_free(r);
    return rc;
}

/* MST_E_EXISTS and MST_E_NOTFOUND say that one is as it was asked for. */
static bool as_asked(enum mst_rc rc)
{
    return rc == MST_E_EXISTS || rc == MST_E_NOTFOUND;
}

static void count(struct rekey_outcome *o, enum mst_rc rc, const struct mst_rekey_result *res,
                  const struct mst_err *err)
{
    if (rc == MST_OK || rc == MST_E_INCOMPLETE) {
        o->wrote += res->wrote;
        o->hidden += res->hidden;
        mst_rekey_locked_add(&o->any, res);
        o->any.staying += res->staying;
    }
    o->done += rc == MST_OK || rc == MST_E_INCOMPLETE;
    o->staying += rc == MST_E_INCOMPLETE;
    o->already += as_asked(rc);
    if (rc != MST_OK && !as_asked(rc)) {
        o->failed += rc != MST_E_INCOMPLETE;
        o->rc = o->rc == MST_OK || o->rc == MST_E_INCOMPLETE ? rc : o->rc;
        (void)mst_copy(o->why, sizeof(o->why), err->msg);
    }
}

/* --- the plan --------------------------------------------------------------------------------- */

static void hash_plan(struct mst_ticket *t)
{
    uint8_t digest[MST_SHA256_LEN];
    struct mst_str s = {0};

    mst_str_addf(&s, "%d\n%s\n%s\n%s\n%s\n", (int)t->cmd.kind, t->cmd.store, t->cmd.backup,
                 t->cmd.key, t->summary);
    for (size_t i = 0; i < t->n_steps; i++) {
        mst_str_addf(&s, "%s\n", t->steps[i]);
    }
    mst_sha256_of(s.p, s.len, digest);
    (void)mst_hex(digest, 8, t->plan_hash);
    mst_str_release(&s);
}

/* What it would do to each: key objects are read, none is opened. */
static void foresee(struct rekey_store *s, const struct mst_rekey *r, struct mst_task *task)
{
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));

    for (size_t i = 0; i < s->n; i++) {
        struct mst_rekey_result res = {0};
        struct mst_err err = {0};
        enum mst_rc rc = header_of(&s->cat, s->b[i].id, task, h, &err);

        if (rc == MST_OK) {
            rc = mst_rekey_look(&s->cat, h, r, task, &res, &err);
        }
        count(&s->o, rc, &res, &err);
    }
    free(h);
}

/* Why there is nothing to do: a store that does not answer before a backup that cannot, before what
 * is as it was asked for. */
static enum mst_rc nothing(const struct rekey_places *p, const struct mst_rekey *r,
                           const struct mst_cmd *cmd, struct mst_err *err)
{
    const struct rekey_store *dead = NULL, *cannot = NULL;
    size_t meant_in = 0;

    for (size_t i = 0; i < p->n; i++) {
        dead = dead || !rekey_is_dead(&p->s[i]) ? dead : &p->s[i];
        cannot = cannot || p->s[i].o.failed == 0 ? cannot : &p->s[i];
        meant_in += p->s[i].err.rc == MST_OK;
    }
    if (p->n == 1 && p->s[0].err.rc != MST_OK) {
        *err = p->s[0].err;
        return err->rc;
    }
    if (dead) {
        return mst_err_set(err, dead->err.rc,
                           "the store %s cannot be asked, and in the others there is nothing to "
                           "do: %s",
                           dead->name, rekey_why_dead(dead));
    }
    if (cannot) {
        return mst_err_set(err, cannot->o.rc, "%s", cannot->o.why);
    }
    if (meant_in == 0) {
        return cmd->backup[0]
                   ? mst_err_set(err, MST_E_NOTFOUND, "there is no sealed backup %s in %s",
                                 cmd->backup, p->in)
                   : mst_err_set(err, MST_E_NOTFOUND, "no backup in %s is sealed", p->in);
    }
    return mst_err_set(err, r->what == MST_REKEY_ADD ? MST_E_EXISTS : MST_E_NOTFOUND,
                       r->what == MST_REKEY_ADD
                           ? "this key can read all of these backups in %s already"
                           : "nobody who can read these backups in %s is called %.100s",
                       p->in, r->who);
}

enum mst_rc mst_rekey_plan(struct local *l, const struct ask *a, struct mst_ticket **out,
                           struct mst_err *err)
{
    struct mst_ticket *t = mst_xcalloc(1, sizeof(*t));
    struct rekey_places *p = mst_xcalloc(1, sizeof(*p));
    struct mst_rekey r;
    struct seals s = {0};
    size_t done = 0;
    enum mst_rc rc = asked(l, &a->cmd, &s, &r, err);

    t->cmd = a->cmd;
    t->steps = mst_xcalloc(REKEY_STEPS, sizeof(t->steps[0]));
    if (rc == MST_OK) {
        rc = gather(l, &a->cmd, &l->io_task, p, err);
    }
    for (size_t i = 0; rc == MST_OK && i < p->n; i++) {
        foresee(&p->s[i], &r, &l->io_task);
        done += p->s[i].o.done;
    }
    if (rc == MST_OK && done == 0) {
        rc = nothing(p, &r, &a->cmd, err);
    }
    if (rc == MST_OK) {
        rekey_describe(t, l->cfg, &r, p, l->n_depots);
        hash_plan(t);
    }
    t->expires_mono_ms = mst_clock_mono_ms(NULL) + mst_fault_ticket_ms();
    mst_cmd_line(&t->cmd, t->command, sizeof(t->command));
    places_free(p);
    mst_seals_release(&s);
    if (rc != MST_OK) {
        mst_ticket_free(t);
        t = NULL;
    }
    *out = t;
    return rc;
}

/* --- the job ---------------------------------------------------------------------------------- */

/* Of all: what was done first, then what was not. */
static enum mst_rc conclude_all(struct local *l, const struct rekey_places *p,
                                struct mst_task *task, struct mst_err *err)
{
    struct mst_str good = {0}, bad = {0};
    enum mst_rc rc = MST_OK;
    size_t done = 0;

    for (size_t i = 0; i < p->n; i++) {
        struct mst_err one = {0};
        char text[REKEY_CONCLUSION];
        const enum mst_rc how = rekey_conclude(&p->s[i], text, &one);

        done += p->s[i].o.done;
        rc = rc == MST_OK ? how : rc;
        mst_task_log(task, "%s", how == MST_OK ? text : one.msg);
        mst_str_addf(how == MST_OK ? &good : &bad, "%s%s",
                     (how == MST_OK ? good.len : bad.len) ? "; " : "",
                     how == MST_OK ? text : one.msg);
    }
    if (rc == MST_OK) {
        mst_jobq_result(l->jobq, mst_jobq_current(), NULL, mst_str_c(&good));
    } else {
        rc = mst_err_set(err, done ? MST_E_INCOMPLETE : rc, "%s%s%s%s", mst_str_c(&bad),
                         good.len ? "; " : "", good.len ? mst_str_c(&good) : "",
                         p->n > 1 ? "; repeat the command for what is left" : "");
    }
    mst_str_release(&good);
    mst_str_release(&bad);
    return rc;
}

static enum mst_rc run_store(struct rekey_store *s, const struct mst_rekey *rekey,
                             struct mst_task *task, struct mst_err *err)
{
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));
    enum mst_rc rc = MST_OK;

    for (size_t i = 0; rc == MST_OK && i < s->n; i++) {
        struct mst_rekey_result res = {0};
        struct mst_err one = {0};
        enum mst_rc how;

        mst_task_phase(task, "%s: %zu of %zu: %s", s->name, i + 1, s->n, s->b[i].id);
        rc = mst_task_check(task, err);
        if (rc == MST_OK) {
            how = header_of(&s->cat, s->b[i].id, task, h, &one);
            how = how == MST_OK ? mst_rekey_run(&s->cat, h, rekey, task, &res, &one) : how;
            count(&s->o, how, &res, &one);
            s->o.unproven =
                s->o.unproven || (how == MST_E_EXISTS && rekey->what == MST_REKEY_ROTATE);
            mst_task_log(task, "%s in %s: %s", s->b[i].id, s->name,
                         how == MST_OK ? "done" : one.msg);
        }
    }
    free(h);
    return rc;
}

enum mst_rc mst_run_rekey(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct rekey_places *p = mst_xcalloc(1, sizeof(*p));
    struct mst_rekey rekey;
    struct seals s = {0};
    enum mst_rc rc = asked(r->l, &r->cmd, &s, &rekey, err);

    if (rc == MST_OK) {
        rc = gather(r->l, &r->cmd, task, p, err);
    }
    for (size_t i = 0; rc == MST_OK && i < p->n; i++) {
        rc = run_store(&p->s[i], &rekey, task, err);
    }
    if (rc == MST_OK) {
        rc = conclude_all(r->l, p, task, err);
    }
    places_free(p);
    mst_seals_release(&s);
    return rc;
}
