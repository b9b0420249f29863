/* The local state of one set: a private directory with database, audit file and lock. */
#include <bson/bson.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/inner.h"
#include "log/log.h"

#define LOOKER_MS 1000
#define BEHIND_MS 60000

static void path_of(const struct local *l, const char *name, char *out, size_t size)
{
    (void)snprintf(out, size, "%s/%s", l->dir, name);
}

static enum mst_rc own_once(struct local *l, struct mst_err *err);

static void jobs_changed(void *arg)
{
    struct local *l = arg;

    atomic_store(&l->jobs_changed, true);
    mst_wake_signal(&l->stir);
}

static enum mst_rc open_all(struct local *l, struct mst_err *err)
{
    const struct mst_jobq_opts jo = {.workers = (unsigned)l->cfg->agent.workers,
                                     .owner = l->agent_text,
                                     .changed = jobs_changed,
                                     .ended = mst_act_ended,
                                     .arg = l};
    struct mst_jobq_opts o = jo;
    char path[sizeof(l->dir) + 32];
    enum mst_rc rc = mst_dir_private(l->cfg->state_dir, err);

    if (rc == MST_OK) {
        rc = mst_dir_private(l->dir, err);
    }
    if (rc == MST_OK) {
        path_of(l, "muster.db", path, sizeof(path));
        rc = mst_db_open(path, &l->db, err);
    }
    if (rc == MST_OK) {
        o.db = l->db;
        rc = mst_jobq_open(&o, &l->jobq, err);
    }
    return rc;
}

/* The newest job is from the future: ages of what was done before are wrong by that. */
static void look_back(struct local *l)
{
    struct mst_err ignore = {0};
    char t[MST_HUMAN_MAX];
    int64_t last = 0, behind;

    if (mst_db_int(l->db, 0, &last, &ignore, "SELECT max(max(queued_ms, ended_ms)) FROM jobs",
                   "") == MST_OK &&
        (behind = last - mst_clock_utc_ms(NULL)) > BEHIND_MS) {
        mst_say(l, MST_SEV_WARN,
                "the clock of this host is %s behind what was written here before: one of the two "
                "is wrong",
                mst_text_duration(behind, t));
    }
}

void mst_state_open(struct local *l)
{
    struct mst_err err = {0};

    l->lock_fd = -1;
    (void)snprintf(l->dir, sizeof(l->dir), "%s/%s", l->cfg->state_dir, l->key);
    if (open_all(l, &l->state_err) != MST_OK) {
        mst_err_prefix(&l->state_err, "no local state, so no acts");
        mst_say(l, MST_SEV_CRIT, "%s", l->state_err.msg);
        return;
    }
    look_back(l);
    /* What a dead process left is marked as soon as its lock is free. A looker gives it back. */
    if (own_once(l, &err) == MST_OK && !l->o.agent) {
        mst_audit_close(l->audit);
        l->audit = NULL;
        (void)close(l->lock_fd);
        l->lock_fd = -1;
    } else if (l->lock_fd < 0 && err.rc != MST_E_BUSY) {
        mst_say(l, MST_SEV_CRIT, "%s", err.msg);
    }
}

void mst_state_close(struct local *l)
{
    mst_jobq_close(l->jobq);
    mst_audit_close(l->audit);
    mst_db_close(l->db);
    if (l->lock_fd >= 0) {
        (void)close(l->lock_fd);
    }
    l->jobq = NULL;
    l->audit = NULL;
    l->db = NULL;
    l->lock_fd = -1;
}

static enum mst_rc busy(const char *path, struct mst_err *err)
{
    struct mst_buf who = {0};
    struct mst_err ignore = {0};
    char text[120] = "another process";

    if (mst_file_read(path, 4096, &who, &ignore) == MST_OK && who.len > 0) {
        mst_text_clean(text, sizeof(text), (const char *)who.p,
                       who.len - (who.p[who.len - 1] == '\n'));
    }
    mst_buf_release(&who);
    return mst_err_set(err, MST_E_BUSY, "%s runs the acts on this set on this host", text);
}

static enum mst_rc take_lock(struct local *l, struct mst_err *err)
{
    char path[sizeof(l->dir) + 32], why[128], text[128];
    int fd, n;

    path_of(l, "lock", path, sizeof(path));
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return mst_err_set_detail(err, MST_E_IO, errno, "cannot open %s: %s", path,
                                  mst_errno_text(errno, why, sizeof(why)));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        return busy(path, err);
    }
    /* Who holds it: for the sentence that others print. The lock itself is the truth. */
    n = snprintf(text, sizeof(text), "%s of %s\n", l->agent_text, l->who);
    if (ftruncate(fd, 0) != 0 || write(fd, text, (size_t)n) != n) {
        mst_log(MST_LOG_WARN, "engine", "cannot write %s", path);
    }
    l->lock_fd = fd;
    return MST_OK;
}

/* Under own_mtx. */
static enum mst_rc own(struct local *l, struct mst_err *err)
{
    char path[sizeof(l->dir) + 32];
    uint64_t dead = 0;
    enum mst_rc rc = take_lock(l, err);

    if (rc == MST_OK) {
        rc = mst_jobq_own(l->jobq, &dead, err);
    }
    if (rc == MST_OK) {
        path_of(l, "audit.jsonl", path, sizeof(path));
        rc = mst_audit_open(path, l->db, NULL, &l->audit, err);
        if (rc != MST_OK) {
            mst_err_prefix(err, "the audit file does not fit, so acts are refused; look with "
                                "'muster audit verify'");
        }
    }
    if (rc == MST_OK && dead > 0) {
        char text[120];

        (void)snprintf(text, sizeof(text), "%llu %s of a process that ended %s interrupted",
                       (unsigned long long)dead, mst_text_noun(dead, "job", "jobs"),
                       mst_text_noun(dead, "is", "are"));
        mst_say(l, MST_SEV_WARN, "%s", text);
        rc = mst_state_audit(l, "start", l->key, "", "interrupted", text, err);
    }
    if (rc != MST_OK && l->lock_fd >= 0) {
        mst_audit_close(l->audit);
        l->audit = NULL;
        (void)close(l->lock_fd);
        l->lock_fd = -1;
    }
    return rc;
}

static enum mst_rc own_once(struct local *l, struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    if (!l->db || !l->jobq) {
        *err = l->state_err;
        return err->rc;
    }
    mst_mutex_lock(&l->own_mtx);
    if (l->lock_fd < 0) {
        rc = own(l, err);
    }
    mst_mutex_unlock(&l->own_mtx);
    return rc;
}

/* Who only looks has the lock too, for the moment in which it marks what dead processes left. */
enum mst_rc mst_state_own(struct local *l, struct mst_err *err)
{
    const int64_t end = mst_clock_mono_ms(NULL) + LOOKER_MS;
    enum mst_rc rc;

    while ((rc = own_once(l, err)) == MST_E_BUSY && mst_clock_mono_ms(NULL) < end) {
        mst_clock_sleep_ms(20);
    }
    return rc;
}

enum mst_rc mst_state_audit(struct local *l, const char *act, const char *target, const char *plan,
                            const char *outcome, const char *text, struct mst_err *err)
{
    const struct mst_audit_event ev = {.who = l->who,
                                       .act = act,
                                       .target = target,
                                       .plan = plan,
                                       .outcome = outcome,
                                       .text = text};
    enum mst_rc rc;

    mst_mutex_lock(&l->audit_mtx);
    rc = l->audit ? mst_audit_add(l->audit, &ev, err)
                  : mst_err_set(err, MST_E_BUG, "the audit file is not open");
    mst_mutex_unlock(&l->audit_mtx);
    return rc;
}

enum mst_rc mst_engine_audit_verify(const struct mst_cfg *cfg, struct mst_str *out,
                                    struct mst_err *err)
{
    struct local *l = mst_xcalloc(1, sizeof(*l));
    char path[sizeof(l->dir) + 32];
    struct mst_audit_check c;
    enum mst_rc rc = mst_wire_cfg(&l->wire, cfg, err);

    if (rc == MST_OK) {
        mst_wire_key(cfg, &l->wire, l->key, sizeof(l->key));
        (void)snprintf(l->dir, sizeof(l->dir), "%s/%s", cfg->state_dir, l->key);
        path_of(l, "muster.db", path, sizeof(path));
        if (access(path, F_OK) != 0) {
            rc = mst_err_set(err, MST_E_NOTFOUND, "there is no state of this set yet (%s)", l->dir);
        }
    }
    if (rc == MST_OK) {
        rc = mst_db_open(path, &l->db, err);
    }
    if (rc == MST_OK) {
        path_of(l, "audit.jsonl", path, sizeof(path));
        rc = mst_audit_verify(path, l->db, &c, err);
    }
    if (rc == MST_OK) {
        mst_str_addf(out, "%s: %llu %s, unbroken%s%s%s%s\nlast hash %s\n%s\n", path,
                     (unsigned long long)c.lines, mst_text_noun(c.lines, "line", "lines"),
                     c.lines ? ", from " : "", c.first, c.lines ? " to " : "", c.last, c.hash,
                     mst_audit_limits());
    }
    mst_db_close(l->db);
    mst_wire_release(&l->wire);
    free(l);
    return rc;
}

/* --- a restore's journal --- */

static enum mst_rc journal_add(void *arg, const char *run, const bson_t *step, struct mst_err *err)
{
    struct local *l = arg;

    return mst_db_run(l->db, err, "INSERT INTO restore_steps (run, step) VALUES (?, ?)", "tb", run,
                      (const void *)bson_get_data(step), (size_t)step->len);
}

struct collected { /* steps are given after the query: their reader may use the database */
    size_t n, cap;
    struct {
        char run[16];
        bson_t *step;
    } * items;
};

static bool collect(void *arg, const struct mst_row *row)
{
    struct collected *c = arg;
    size_t n;
    const void *p = mst_row_blob(row, 1, &n);
    bson_t *b = p ? bson_new_from_data(p, n) : NULL;

    if (b) {
        mst_grow((void **)&c->items, &c->cap, c->n + 1, sizeof(c->items[0]));
        (void)mst_copy(c->items[c->n].run, sizeof(c->items[0].run), mst_row_text(row, 0));
        c->items[c->n++].step = b;
    }
    return true;
}

static enum mst_rc journal_each(void *arg, const char *run, mst_journal_step_fn *fn, void *fn_arg,
                                struct mst_err *err)
{
    struct local *l = arg;
    struct collected c = {0};
    enum mst_rc rc = mst_db_query(
        l->db, collect, &c, err,
        "SELECT run, step FROM restore_steps WHERE ?1 IS NULL OR run = ?1 ORDER BY id", "t", run);

    for (size_t i = 0; i < c.n; i++) {
        if (rc == MST_OK) {
            rc = fn(fn_arg, c.items[i].run, c.items[i].step, err);
        }
        bson_destroy(c.items[i].step);
    }
    free(c.items);
    return rc;
}

static enum mst_rc journal_forget(void *arg, const char *run, struct mst_err *err)
{
    struct local *l = arg;

    return mst_db_run(l->db, err, "DELETE FROM restore_steps WHERE run = ?", "t", run);
}

void mst_state_journal(struct local *l, struct mst_restore_journal *j)
{
    j->arg = l;
    j->add = journal_add;
    j->each = journal_each;
    j->forget = journal_forget;
}
