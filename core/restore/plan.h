/* plan.h: facts about source and target, and what follows from them. Inside the module only.
 *
 * look collects (no write); decide is pure.
 */
#ifndef MST_RESTORE_PLAN_H
#define MST_RESTORE_PLAN_H

#include "restore/target.h"

struct mst_facts {
    bool primary;
    char set[128], version[40], fcv[16];
    uint64_t free_bytes;                /* 0 unknown */
    int64_t members_up, members_voting; /* -1 unknown */
    struct mst_tgt_coll *live;
    size_t n_live;
    bool rights_known, open;       /* open: the set asks nobody to log in */
    struct mst_str missing_rights; /* "" none */
    /* Of the source, at the end of its oplog; wanted is set by look. */
    struct mst_map final;
    uint64_t oplog_ops;
    bool wrong_oplog;
    struct mst_err oplog_err;
    struct {
        int64_t documents, bytes;
    } * live_size; /* of live[i]; -1 not asked */
};

enum mst_rc mst_facts_look(const struct mst_restore_opts *o, struct mst_restore_source *s,
                           struct mst_conn *c, struct mst_task *task, struct mst_facts *f,
                           struct mst_err *err) MST_MUST_CHECK;
void mst_facts_release(struct mst_facts *f);
/* Pure. run: eight hex digits. */
struct mst_restore_plan *mst_plan_decide(const struct mst_restore_opts *o,
                                         const struct mst_restore_source *s,
                                         const struct mst_facts *f, const char *run);
/* "4.2" < "4.4" < "7.0". */
int mst_fcv_cmp(const char *a, const char *b);
bool mst_name_wanted(const struct mst_restore_opts *o, const char *db, const char *coll);
/* Actions that privileges (as connectionStatus shows them) lack for a restore into db; with db NULL
 * for replaying operations. oplog_fcv: the target's version when there are any ("" unknown), NULL
 * without. */
void mst_rights_missing(const bson_t *privileges, const char *db, const char *oplog_fcv,
                        struct mst_str *out);

#endif
