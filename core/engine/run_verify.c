/* The job of a verification. */
#include <stdlib.h>

#include "base/mem.h"
#include "catalog/verify.h"
#include "engine/acts.h"
#include "engine/own.h"
#include "engine/seals.h"

enum mst_rc mst_run_verify(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct local *l = r->l;
    struct mst_verify_result *res = mst_xcalloc(1, sizeof(*res));
    /* What once was gets no mark now. */
    const struct mst_verify_opts o = {
        .id = r->cmd.backup, .mark = r->cmd.as_of_ms == 0, .by = l->who};
    struct mst_store *past = NULL;
    struct mst_catalog cat;
    struct seals seals = {0};
    char back[280];
    enum mst_rc rc = mst_run_choose(r, task, err);

    rc = rc == MST_OK ? mst_local_catalog(l, r->cmd.store, &cat, err) : rc;
    rc = rc == MST_OK ? mst_own_as_of(&cat, r->cmd.as_of_ms, task, &past, err) : rc;
    rc = rc == MST_OK ? mst_seals_sign(l, &cat, &seals, err) : rc;
    if (rc == MST_OK) {
        back[0] = '\0';
        if (!past) {
            mst_seal_rollback(l, &cat, task, back);
        }
        if (back[0]) {
            mst_task_log(task, "WARNING: %s", back);
        }
        rc = mst_verify_run(&cat, &o, task, res, err);
        for (size_t i = 0; i < res->n_findings && i < MST_VERIFY_FINDINGS; i++) {
            mst_task_log(task, "%s", res->findings[i]);
        }
        mst_jobq_result(l->jobq, mst_jobq_current(), res->id[0] ? res->id : NULL,
                        res->text[0] && (rc == MST_OK || rc == MST_E_INTEGRITY) ? res->text : NULL);
    }
    mst_seals_release(&seals);
    mst_store_free(past);
    free(res);
    return rc;
}
