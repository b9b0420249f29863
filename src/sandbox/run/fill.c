/* fill.c: collections full of documents that are computed when they are read. */
#include "base/mem.h"
#include "data/data.h"
#include "run/inner.h"

static enum mst_rc fill_one(struct sbx_world *w, const char *ns, const uint8_t uuid[16],
                            uint64_t seed, int64_t count, struct mst_err *err)
{
    static const uint8_t empty[5] = {5, 0, 0, 0, 0};

    for (size_t i = 0; i < w->n; i++) {
        struct sbx_why why = {0};
        if (w->members[i].data == NULL) {
            continue;
        }
        struct sbx_coll *c = sbx_data_create(w->members[i].data, ns, uuid, sbx_doc(empty, 5),
                                             sbx_doc(NULL, 0), &why);
        if (c == NULL) {
            return mst_err_set(err, MST_E_BUG, "%s cannot be made", ns);
        }
        sbx_coll_set_fill(c, seed, count);
    }
    return MST_OK;
}

enum mst_rc sbx_fill(struct sbx_world *w, int64_t bytes, int colls, uint64_t seed,
                     struct mst_err *err)
{
    const int n = colls > 0 ? colls : 1;
    enum mst_rc rc = MST_OK;

    for (int i = 0; i < n && rc == MST_OK; i++) {
        char ns[64];
        uint8_t uuid[16];
        (void)snprintf(ns, sizeof ns, n == 1 ? "fill.data" : "fill.data%05d", i);
        sbx_uuid_new(uuid);
        rc = fill_one(w, ns, uuid, seed + (uint64_t)i, sbx_fill_count(bytes / n), err);
    }
    return rc;
}
