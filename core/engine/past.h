/* past.h: backups of a store as it stood at a time, and backups in archive tiers, asked by the
 * calling process itself, for the command line. Calls block: worker threads only. Texts are
 * sanitised.
 */
#ifndef MST_ENGINE_PAST_H
#define MST_ENGINE_PAST_H

#include "conc/task.h"
#include "engine/view.h"

struct mst_cfg;

/* Every backup of the set as the store had it at as_of_ms; store "": where backups go. The part and
 * the detail are given back with mst_shared_unref. MST_E_PRECOND: the bucket keeps no versions. */
enum mst_rc mst_past_list(const struct mst_cfg *cfg, const char *store, int64_t as_of_ms,
                          struct mst_task *task, struct mst_bucket_part **out,
                          struct mst_err *err) MST_MUST_CHECK;
/* One of them with its namespaces and objects; part has that one. A manifest that cannot be read is
 * the detail's problem. */
enum mst_rc mst_past_detail(const struct mst_cfg *cfg, const char *store, int64_t as_of_ms,
                            const char *id, struct mst_task *task, struct mst_bucket_part **part,
                            struct mst_detail_part **out, struct mst_err *err) MST_MUST_CHECK;

struct mst_thaw {
    const char *store, *backup; /* store "": where backups go; backup may be "latest" */
    int64_t as_of_ms;           /* its objects as they were then; 0 now */
};
struct mst_thaw_state {
    char store[64], id[MST_ID_MAX];
    uint64_t objects, bytes;       /* that a reader of the backup needs */
    uint64_t asleep, asleep_bytes; /* cannot be read now */
    uint64_t coming, coming_bytes; /* of these, on their way */
    uint64_t awake;                /* in an archive tier, and readable now */
    int64_t until_ms;              /* the first of them goes back to sleep then; 0 none, or never */
    char storage_class[32], takes[32];
};
/* How it stands with a backup in an archive tier; MST_CMD_THAW asks for what is not asked for. */
enum mst_rc mst_thaw_look(const struct mst_cfg *cfg, const struct mst_thaw *t,
                          struct mst_task *task, struct mst_thaw_state *out,
                          struct mst_err *err) MST_MUST_CHECK;

#endif
