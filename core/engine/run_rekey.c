/* Who may read the backups that exist: the plan and the job of muster key add, remove, rotate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/rekey.h"
#include "engine/acts.h"
#include "engine/seals.h"
#include "hash/hash.h"

#define STEPS 5

struct outcome { /* over all backups */
    size_t done, already, failed, staying;
    char why[200];
    enum mst_rc rc;
};

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

static void count(struct outcome *o, enum mst_rc rc, const struct mst_err *err)
{
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

static void step(struct mst_ticket *t, const char *text)
{
    (void)mst_copy(t->steps[t->n_steps++], sizeof(t->steps[0]), text);
}

static void describe(struct mst_ticket *t, const struct mst_rekey *r, const struct outcome *o,
                     const char *store, size_t n_stores)
{
    const char *noun = mst_text_noun(o->done, "backup", "backups");
    char text[200], id[MST_KEY_ID_HEX];

    mst_key_id_of(r->pub, id);
    if (r->what == MST_REKEY_ADD) {
        (void)snprintf(t->summary, sizeof(t->summary), "let %s (%.8s) read %zu %s in the store %s",
                       r->label[0] ? r->label : "the key", id, o->done, noun, store);
        step(t, "write a key object with one slot more; data and older key objects stay");
    } else {
        if (r->what == MST_REKEY_REMOVE) {
            (void)snprintf(t->summary, sizeof(t->summary),
                           "take %.60s out of %zu %s in the store %s", r->who, o->done, noun,
                           store);
        } else {
            (void)snprintf(t->summary, sizeof(t->summary),
                           "let only those of the configuration read %zu %s in the store %s",
                           o->done, noun, store);
        }
        (void)snprintf(t->phrase, sizeof(t->phrase), "%s %.100s",
                       r->what == MST_REKEY_REMOVE ? "remove" : "rotate",
                       r->what == MST_REKEY_REMOVE ? r->who : "keys");
        step(t, "write a key object without them, read it back, then remove the older ones");
        step(t, "who kept a copy of an older one, and the secret, still reads the backup");
    }
    if (n_stores > 1) {
        step(t, "only that store is changed: copies in another one stay as they are, and --store "
                "names it");
    }
    (void)snprintf(text, sizeof(text), "%zu of them: as asked already; %zu: cannot, %.100s",
                   o->already, o->failed, o->why);
    if (o->already > 0 || o->failed > 0) {
        step(t, text);
    }
}

static void hash_plan(struct mst_ticket *t)
{
    uint8_t digest[MST_SHA256_LEN];
    struct mst_str s = {0};

    mst_str_addf(&s, "%d\n%s\n%s\n%s\n%s\n", (int)t->cmd.kind, t->cmd.store, t->cmd.backup,
                 t->cmd.key, t->summary);
    mst_sha256_of(s.p, s.len, digest);
    (void)mst_hex(digest, 8, t->plan_hash);
    mst_str_release(&s);
}

/* What it would do to each: key objects are read, none is opened. */
static void foresee(const struct mst_catalog *cat, const struct mst_backup *b, size_t n,
                    const struct mst_rekey *r, struct mst_task *task, struct outcome *o)
{
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));

    for (size_t i = 0; i < n; i++) {
        struct mst_err err = {0};
        enum mst_rc rc = header_of(cat, b[i].id, task, h, &err);

        if (rc == MST_OK) {
            rc = mst_rekey_look(cat, h, r, task, &err);
        }
        count(o, rc, &err);
    }
    free(h);
}

enum mst_rc mst_rekey_plan(struct local *l, const struct ask *a, struct mst_ticket **out,
                           struct mst_err *err)
{
    struct mst_ticket *t = mst_xcalloc(1, sizeof(*t));
    struct mst_backup *b = NULL;
    struct mst_catalog cat;
    struct mst_rekey r;
    struct seals s = {0};
    struct outcome o = {0};
    size_t n = 0;
    enum mst_rc rc = asked(l, &a->cmd, &s, &r, err);

    t->cmd = a->cmd;
    t->steps = mst_xcalloc(STEPS, sizeof(t->steps[0]));
    if (rc == MST_OK) {
        rc = mst_local_catalog(l, a->cmd.store, &cat, err);
    }
    if (rc == MST_OK) {
        rc = meant(&cat, &a->cmd, &l->io_task, &b, &n, err);
    }
    if (rc == MST_OK) {
        foresee(&cat, b, n, &r, &l->io_task, &o);
        if (o.done == 0) {
            rc = o.failed
                     ? mst_err_set(err, o.rc, "%s", o.why)
                     : mst_err_set(
                           err, r.what == MST_REKEY_ADD ? MST_E_EXISTS : MST_E_NOTFOUND,
                           r.what == MST_REKEY_ADD
                               ? "this key can read all of these backups in the store %s already"
                               : "nobody who can read these backups in the store %s is "
                                 "called %.100s",
                           mst_store_name(cat.store), r.who);
        }
    }
    if (rc == MST_OK) {
        describe(t, &r, &o, mst_store_name(cat.store), l->n_depots);
        hash_plan(t);
    }
    t->expires_mono_ms = mst_clock_mono_ms(NULL) + mst_fault_ticket_ms();
    mst_cmd_line(&t->cmd, t->command, sizeof(t->command));
    free(b);
    mst_seals_release(&s);
    if (rc != MST_OK) {
        mst_ticket_free(t);
        t = NULL;
    }
    *out = t;
    return rc;
}

/* --- the job ---------------------------------------------------------------------------------- */

static enum mst_rc conclude(struct local *l, const struct outcome *o, const char *store,
                            struct mst_err *err)
{
    char text[400];

    (void)snprintf(text, sizeof(text), "%zu %s a new key object in the store %s%s", o->done,
                   mst_text_noun(o->done, "backup has", "backups have"), store,
                   o->already ? ", the others were as asked" : "");
    if (o->failed == 0 && o->staying == 0) {
        mst_jobq_result(l->jobq, mst_jobq_current(), NULL, text);
        return MST_OK;
    }
    if (o->failed > 0) {
        return mst_err_set(err, o->done ? MST_E_INCOMPLETE : o->rc, "%s, %zu failed: %s", text,
                           o->failed, o->why);
    }
    return mst_err_set(err, MST_E_INCOMPLETE, "%s, but of %zu older ones stay: %s", text,
                       o->staying, o->why);
}

enum mst_rc mst_run_rekey(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));
    struct mst_backup *b = NULL;
    struct mst_catalog cat;
    struct mst_rekey rekey;
    struct seals s = {0};
    struct outcome o = {0};
    size_t n = 0;
    enum mst_rc rc = mst_local_catalog(r->l, r->cmd.store, &cat, err);

    if (rc == MST_OK) {
        rc = asked(r->l, &r->cmd, &s, &rekey, err);
    }
    if (rc == MST_OK) {
        rc = meant(&cat, &r->cmd, task, &b, &n, err);
    }
    for (size_t i = 0; rc == MST_OK && i < n; i++) {
        struct mst_rekey_result res = {0};
        struct mst_err one = {0};
        enum mst_rc how;

        mst_task_phase(task, "%zu of %zu: %s", i + 1, n, b[i].id);
        rc = mst_task_check(task, err);
        if (rc == MST_OK) {
            how = header_of(&cat, b[i].id, task, h, &one);
            how = how == MST_OK ? mst_rekey_run(&cat, h, &rekey, task, &res, &one) : how;
            count(&o, how, &one);
            mst_task_log(task, "%s: %s", b[i].id, how == MST_OK ? "done" : one.msg);
        }
    }
    if (rc == MST_OK) {
        rc = conclude(r->l, &o, mst_store_name(cat.store), err);
    }
    free(b);
    free(h);
    mst_seals_release(&s);
    return rc;
}
