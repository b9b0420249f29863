#include "catalog/rebuild.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "catalog/marks.h"
#include "catalog/sums.h"

/* --- one backup ------------------------------------------------------------------------------- */

/* One copy of the manifest, to its end, against COMMIT. */
static enum mst_rc read_copy(const struct mst_bkr *r, const char *name, struct mst_task *task,
                             struct mst_err *err)
{
    struct mst_man_rec rec = {.kind = MST_MAN_BEGIN};
    struct mst_manr *m = NULL;
    enum mst_rc rc = mst_bkr_manifest(r, name, &m, err);

    while (rc == MST_OK && rec.kind != MST_MAN_END) {
        rc = mst_task_check(task, err);
        rc = rc == MST_OK ? mst_manr_next(m, &rec, err) : rc;
    }
    mst_manr_free(m);
    return rc;
}

static bool broken(enum mst_rc rc)
{
    return rc == MST_E_INTEGRITY || rc == MST_E_LIMIT || rc == MST_E_NOTFOUND;
}

static void set_problem(struct mst_backup *b, enum mst_backup_state state, const char *text)
{
    b->state = state;
    (void)mst_copy(b->problem, sizeof(b->problem), text);
    mst_text_sanitise(b->problem);
}

static enum mst_rc write_mark(const struct mst_catalog *c, const struct mst_backup *b,
                              const char *by, struct mst_err *err)
{
    struct mst_mark m = {.kind = MST_MARK_VERIFIED, .level = 1, .wall_ms = mst_clock_utc_ms(NULL)};

    (void)mst_copy(m.id, sizeof(m.id), b->id);
    (void)mst_copy(m.text, sizeof(m.text), b->problem);
    (void)mst_copy(m.by, sizeof(m.by), by ? by : "");
    return mst_marks_write(c, &m, err);
}

/* MST_OK with b as it was, or b says what is wrong; true in *damage when it was read and does not
 * fit, false when it could not be read at all: that is no proof, so no mark is left then. */
static enum mst_rc read_manifests(const struct mst_catalog *c, struct mst_backup *b,
                                  struct mst_task *task, bool *damage, struct mst_err *err)
{
    static const char *const copies[] = {"manifest", "manifest.copy"};
    struct mst_err e = {0};
    struct mst_bkr *r = NULL;
    char text[200];
    enum mst_rc rc = mst_bkr_open(c, b->id, task, &r, &e);
    const bool sealed = rc == MST_E_AUTH; /* no key here: its stored bytes can still be hashed */

    rc = sealed ? mst_bkr_open_clear(c, b->id, task, &r, &e) : rc;
    if (rc == MST_OK) {
        for (size_t i = 0; rc == MST_OK && i < MST_COUNT(copies); i++) {
            rc = sealed ? mst_stored_manifest(c, r, copies[i], task, &e)
                        : read_copy(r, copies[i], task, &e);
            (void)snprintf(text, sizeof(text),
                           "one copy of its manifest (%s) is damaged, the other is used: make a "
                           "new backup",
                           copies[i]);
        }
    } else {
        (void)snprintf(text, sizeof(text), "%.190s", e.msg);
    }
    mst_bkr_free(r);
    if (rc == MST_E_CANCELLED) {
        *err = e;
        return rc;
    }
    *damage = broken(rc);
    if (rc == MST_E_STALE) {
        set_problem(b, MST_BK_NEWER, text);
    } else if (rc == MST_E_PRECOND) {
        (void)snprintf(text, sizeof(text),
                       "its manifest is in an archive tier: 'muster store thaw %.60s %s'",
                       mst_store_name(c->store), b->id);
        set_problem(b, MST_BK_ARCHIVED, text);
    } else if (rc != MST_OK && !*damage) {
        char why[200];

        (void)snprintf(why, sizeof(why), "its manifest cannot be read: %.150s", e.msg);
        set_problem(b, mst_store_unread(rc) ? MST_BK_UNREAD : MST_BK_DAMAGED, why);
    } else if (rc != MST_OK) {
        set_problem(b, MST_BK_DAMAGED, text);
    }
    return MST_OK;
}

enum mst_rc mst_rebuild_look(const struct mst_catalog *c, struct mst_backup *b, const char *by,
                             struct mst_task *task, bool *unmarked, struct mst_err *err)
{
    struct mst_err ignore = {0};
    bool damage = false;

    *unmarked = false;
    if (b->state != MST_BK_COMPLETE && b->state != MST_BK_PARTIAL) {
        return MST_OK;
    }
    if (read_manifests(c, b, task, &damage, err) != MST_OK) {
        return err->rc;
    }
    if (damage) {
        *unmarked = write_mark(c, b, by, &ignore) != MST_OK;
    }
    return MST_OK;
}

/* --- two listings ----------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return strcmp((*(const struct mst_backup *const *)a)->id,
                  (*(const struct mst_backup *const *)b)->id);
}

static const struct mst_backup **sorted(const struct mst_backup *b, size_t n)
{
    const struct mst_backup **p = mst_xcalloc(n + 1, sizeof(*p));

    for (size_t i = 0; i < n; i++) {
        p[i] = &b[i];
    }
    qsort((void *)p, n, sizeof(*p), by_id);
    return p;
}

static void add(struct mst_backup_change *c, size_t *n, enum mst_change_kind kind,
                const struct mst_backup *b)
{
    (void)mst_copy(c[*n].id, sizeof(c[*n].id), b->id);
    c[*n].kind = kind;
    c[*n].was = b->state;
    (*n)++;
}

void mst_rebuild_compare(const struct mst_backup *before, size_t n_before,
                         const struct mst_backup *now, size_t n_now, struct mst_backup_change **out,
                         size_t *n)
{
    const struct mst_backup **a = sorted(before, n_before), **b = sorted(now, n_now);
    size_t i = 0, k = 0;

    *out = mst_xcalloc(n_before + n_now + 1, sizeof(**out));
    *n = 0;
    while (i < n_before || k < n_now) {
        const int order = i == n_before ? 1 : k == n_now ? -1 : strcmp(a[i]->id, b[k]->id);

        if (order < 0) {
            add(*out, n, MST_CHANGE_VANISHED, a[i]);
        } else if (order > 0) {
            add(*out, n, MST_CHANGE_APPEARED, b[k]);
        } else if (a[i]->state != b[k]->state) {
            add(*out, n, MST_CHANGE_STATE, a[i]);
        }
        i += order <= 0;
        k += order >= 0;
    }
    free((void *)a);
    free((void *)b);
}
