/* own.h: a catalog that the calling process opens by itself, beside any agent: for exports and
 * questions. Private to engine. Calls block.
 */
#ifndef MST_ENGINE_OWN_H
#define MST_ENGINE_OWN_H

#include "catalog/catalog.h"
#include "cfg/cfg.h"

struct mst_own { /* zeroed to begin with */
    const struct mst_cfg_store *cfg;
    struct mst_store *store, *past;
    struct mst_catalog
        cat; /* of past when there is one; nobody is believed and nothing opened yet */
};
/* store "": where backups go. as_of_ms: as it stood then; 0 now. Released in any case. */
enum mst_rc mst_own_open(struct mst_own *o, const struct mst_cfg *cfg, const char *store,
                         bool write, int64_t as_of_ms, struct mst_task *task,
                         struct mst_err *err) MST_MUST_CHECK;
void mst_own_release(struct mst_own *o);
/* c reads its store as it stood at as_of_ms; *past is freed behind the last use of c. */
enum mst_rc mst_own_as_of(struct mst_catalog *c, int64_t as_of_ms, struct mst_task *task,
                          struct mst_store **past, struct mst_err *err) MST_MUST_CHECK;

#endif
