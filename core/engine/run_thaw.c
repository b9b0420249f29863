/* The job that asks a store for readable copies of archived objects. It costs money, so it is in
 * the audit file and among the jobs, as every other act. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "catalog/asleep.h"
#include "engine/acts.h"
#include "engine/own.h"

/* "latest" is one backup from here on. */
static enum mst_rc settle_id(struct mst_run *r, const struct mst_catalog *cat,
                             struct mst_task *task, struct mst_err *err)
{
    struct mst_backup b;

    if (strcmp(r->cmd.backup, "latest") == 0) {
        if (mst_catalog_find(cat, r->cmd.backup, task, &b, err) != MST_OK) {
            return err->rc;
        }
        (void)mst_copy(r->cmd.backup, sizeof(r->cmd.backup), b.id);
    }
    return mst_catalog_id_ok(r->cmd.backup, NULL, NULL)
               ? MST_OK
               : mst_err_set(err, MST_E_NOTFOUND, "'%.64s' is not the id of a backup",
                             r->cmd.backup);
}

/* "6 objects of ID in far (GLACIER, 48 KiB) asked for, each readable for 7 days once it is there"
 */
static void said(const struct mst_run *r, const struct mst_catalog *cat, const struct mst_asleep *a,
                 char *text, size_t size)
{
    char bytes[MST_HUMAN_MAX], days[48] = "";

    if (a->asked == 0) {
        (void)snprintf(text, size, "nothing of %s in %s had to be asked for", r->cmd.backup,
                       mst_store_name(cat->store));
        return;
    }
    if (strcmp(a->storage_class, "INTELLIGENT_TIERING") != 0) { /* that stays for good */
        (void)snprintf(days, sizeof(days), " for %u %s", r->cmd.days,
                       mst_text_noun(r->cmd.days, "day", "days"));
    }
    (void)snprintf(
        text, size, "%llu %s of %s in %s (%s, %s) asked for, each readable%s once it is there",
        (unsigned long long)a->asked, mst_text_noun(a->asked, "object", "objects"), r->cmd.backup,
        mst_store_name(cat->store), a->storage_class, mst_text_bytes(a->asked_bytes, bytes), days);
}

enum mst_rc mst_run_thaw(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct mst_asleep a = {0};
    struct mst_own own = {.cfg = NULL};
    char text[300];
    /* With a handle of its own: the set may be down, and its name be known from the store only. */
    enum mst_rc rc = mst_own_open(&own, r->l->cfg, r->cmd.store, true, r->cmd.as_of_ms, task, err);

    rc = rc == MST_OK ? settle_id(r, &own.cat, task, err) : rc;
    if (rc == MST_OK) {
        mst_task_phase(task, "asking for readable copies");
        rc = mst_catalog_thaw(&own.cat, r->cmd.backup, (int)r->cmd.days, task, &a, err);
        said(r, &own.cat, &a, text, sizeof(text));
        if (rc != MST_OK && a.asked > 0) { /* that was asked for all the same, and costs */
            mst_err_prefix(err, "%s, then", text);
        }
        mst_jobq_result(r->l->jobq, mst_jobq_current(), r->cmd.backup, rc == MST_OK ? text : NULL);
    }
    mst_own_release(&own);
    return rc;
}
