/* The job of a backup. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/backup.h"
#include "base/mem.h"
#include "engine/acts.h"

#ifndef MST_VERSION
#define MST_VERSION "0.1.0"
#endif

enum mst_rc mst_run_backup(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct mst_run *r = arg;
    struct local *l = r->l;
    struct mst_backup_result res = {0};
    struct mst_catalog cat;
    struct mst_monitor_view *topo;
    const char *include[MST_CMD_PATTERNS], *exclude[MST_CMD_PATTERNS];
    struct mst_backup_opts o = {
        .catalog = &cat,
        .connect = mst_reach_connect,
        .connect_arg = r->reach,
        .scans = r->cmd.scans ? r->cmd.scans : (unsigned)l->cfg->backup.scans,
        .rate_bps = r->cmd.rate_bps ? r->cmd.rate_bps : (uint64_t)l->cfg->backup.rate_bytes_per_s,
        .lag_pause_ms = l->cfg->backup.lag_pause_ms,
        .n_include = r->cmd.n_include,
        .include = include,
        .n_exclude = r->cmd.n_exclude,
        .exclude = exclude,
        .scratch_dir = l->dir,
        .at = mst_fault_at,
        .given_ms = &l->backup_given_ms,
        .muster = MST_VERSION};
    enum mst_rc rc = mst_local_catalog(l, r->cmd.store, &cat, err);

    if (rc != MST_OK) {
        return rc;
    }
    for (size_t i = 0; i < MST_CMD_PATTERNS; i++) {
        include[i] = r->cmd.include[i];
        exclude[i] = r->cmd.exclude[i];
    }
    (void)mst_copy(o.wish.name, sizeof(o.wish.name), r->cmd.source);
    o.wish.from_primary = r->cmd.from_primary;
    o.wish.lag_max_ms = l->cfg->backup.lag_limit_ms;
    topo = mst_local_topo(l);
    o.topo = &topo->v;
    rc = mst_backup_run(&o, task, &res, err);
    mst_shared_unref(&topo->shared);
    mst_jobq_result(l->jobq, mst_jobq_current(), res.id[0] ? res.id : NULL,
                    rc == MST_OK ? res.text : NULL);
    return rc;
}
