#include "engine/own.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/asof.h"
#include "store/open.h"

struct sets {
    char one[128];
    bool more;
};

static bool see_set(void *arg, const struct mst_store_item *item)
{
    struct sets *s = arg;
    const char *slash = strchr(item->key, '/');
    char name[128];

    if (!slash || strncmp(slash, "/backups/", 9) != 0) {
        return true;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)(slash - item->key), item->key);
    s->more = s->one[0] && strcmp(s->one, name) != 0;
    (void)mst_copy(s->one, sizeof(s->one), name);
    return !s->more;
}

/* The set's name without asking its members: configured, or the only one in the store. */
static enum mst_rc set_name(const struct mst_cfg *cfg, struct mst_store *s, struct mst_task *task,
                            char out[128], struct mst_err *err)
{
    struct sets seen = {{0}, false};

    (void)mst_copy(out, 128, cfg->set.name);
    if (!out[0] && mst_store_list(s, "", see_set, &seen, task, err) != MST_OK) {
        return err->rc;
    }
    if (!out[0] && (!seen.one[0] || seen.more || strchr(seen.one, '%'))) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the set's name is not known: say set.name in the configuration");
    }
    (void)mst_copy(out, 128, out[0] ? out : seen.one);
    return MST_OK;
}

enum mst_rc mst_own_as_of(struct mst_catalog *c, int64_t as_of_ms, struct mst_task *task,
                          struct mst_store **past, struct mst_err *err)
{
    *past = NULL;
    if (as_of_ms == 0) {
        return MST_OK;
    }
    mst_task_phase(task, "looking for what was there");
    if (mst_store_asof_open(c->store, c->base, as_of_ms, task, past, err) != MST_OK) {
        mst_err_prefix(err, "--as-of");
        return err->rc;
    }
    c->store = *past;
    return MST_OK;
}

enum mst_rc mst_own_open(struct mst_own *o, const struct mst_cfg *cfg, const char *store,
                         bool write, int64_t as_of_ms, struct mst_task *task, struct mst_err *err)
{
    char set[128];
    enum mst_rc rc = mst_cfg_store(cfg, store, &o->cfg, err);

    rc = rc == MST_OK ? mst_store_open(o->cfg, write, &o->store, err) : rc;
    rc = rc == MST_OK ? set_name(cfg, o->store, task, set, err) : rc;
    rc = rc == MST_OK ? mst_catalog_init(&o->cat, o->store, "", set, err) : rc;
    return rc == MST_OK ? mst_own_as_of(&o->cat, as_of_ms, task, &o->past, err) : rc;
}

void mst_own_release(struct mst_own *o)
{
    mst_store_free(o->past);
    mst_store_free(o->store);
    memset(o, 0, sizeof(*o));
}
