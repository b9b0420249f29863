/* hold.h: one act at a time on a set, wherever it is started; private to engine. */
#ifndef MST_ENGINE_HOLD_H
#define MST_ENGINE_HOLD_H

#include <stdatomic.h>

#include "engine/acts.h"
#include "excl/excl.h"

struct hold {
    const char
        *target; /* of a switch: who becomes primary; NULL none. Borrowed while it is taken */
    struct mst_run *run;
    struct mst_task *task;
    struct mst_excl *excl;
    atomic_bool lost; /* set by the thread that renews */
    bool go_on;       /* losing the note cancels nothing: the job asks `lost` itself */
};
/* MST_E_BUSY names who acts. */
enum mst_rc mst_hold_take(struct hold *h, struct mst_run *r, struct mst_task *task,
                          struct mst_err *err) MST_MUST_CHECK;
void mst_hold_end(struct hold *h);
/* For mst_restore_opts.ours; arg is the hold. MST_E_STALE: the note may be void. */
enum mst_rc mst_hold_ours(void *arg, struct mst_err *err) MST_MUST_CHECK;
/* A cancel that came from losing the note says so. */
enum mst_rc mst_hold_judge(const struct hold *h, enum mst_rc rc, struct mst_err *err);

enum mst_rc mst_find_primary(struct local *l, const struct mst_cmd *cmd, struct reach *reach,
                             char out[MST_HOST_MAX], struct mst_task *task,
                             struct mst_err *err) MST_MUST_CHECK;

#endif
