/* takeout_keys.h: what opens and whom to believe, of an export. Inside the module only. */
#ifndef MST_ENGINE_TAKEOUT_KEYS_H
#define MST_ENGINE_TAKEOUT_KEYS_H

#include "catalog/keyobj.h"
#include "engine/takeout.h"

struct mst_takeout_keys {
    const struct mst_cfg *cfg; /* NULL: none */
    const struct mst_takeout *t;
    struct mst_trust trust;
    struct mst_data_key kept; /* a backup is opened several times, its key is asked for once */
    char kept_id[33];
};

/* Whom the command line and the configuration name. MST_E_CONFIG: a word that is none. */
enum mst_rc mst_takeout_keys_init(struct mst_takeout_keys *k, const struct mst_cfg *cfg,
                                  const struct mst_takeout *t, struct mst_err *err) MST_MUST_CHECK;
void mst_takeout_keys_release(struct mst_takeout_keys *k);
/* Give them to a catalog. */
void mst_takeout_keys_use(struct mst_takeout_keys *k, struct mst_catalog *c);
/* MST_E_INTEGRITY forged, MST_E_PRECOND unsigned where somebody is named. */
enum mst_rc mst_takeout_keys_allow(const struct mst_takeout_keys *k, const char *id,
                                   const struct mst_judgement *j,
                                   struct mst_err *err) MST_MUST_CHECK;

#endif
