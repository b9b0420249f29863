#include "engine/region.h"

#include <string.h>

#include "base/str.h"

enum mst_rc mst_region_allowed(const struct mst_cfg_list *allowed, const char *region,
                               const char *store, struct mst_err *err)
{
    struct mst_str all = {0};

    for (size_t i = 0; i < allowed->n; i++) {
        if (*region && strcmp(allowed->item[i], region) == 0) {
            mst_str_release(&all);
            return MST_OK;
        }
        mst_str_addf(&all, "%s%s", i ? ", " : "", allowed->item[i]);
    }
    if (allowed->n > 0 && *region) {
        (void)mst_err_set(err, MST_E_PRECOND,
                          "the store %s is in the region %s, and backups may be in %s only "
                          "(backup.regions)",
                          store, region, mst_str_c(&all));
    } else if (allowed->n > 0) {
        (void)mst_err_set(err, MST_E_PRECOND,
                          "the store %s does not say in which region it is, and backups may be in "
                          "%s only (backup.regions): give the store its region",
                          store, mst_str_c(&all));
    }
    mst_str_release(&all);
    return allowed->n > 0 ? err->rc : MST_OK;
}

enum mst_rc mst_region_store_ok(const struct mst_cfg *cfg, const char *store, struct mst_err *err)
{
    const char *region = "";

    for (size_t i = 0; i < cfg->n_stores; i++) {
        if (strcmp(cfg->stores[i].name, store) == 0) {
            region = cfg->stores[i].region;
        }
    }
    return mst_region_allowed(&cfg->backup.regions, region, store, err);
}
