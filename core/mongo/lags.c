/* lags.c: who a majority is still waiting for. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"
#include "mongo/mongo.h"

#define ASK_MS 5000

void mst_conn_who_lags(struct mst_conn *c, struct mst_ts at, char *out, size_t size)
{
    bson_t *cmd = BCON_NEW("replSetGetStatus", BCON_INT32(1)), reply;
    struct mst_err ignored = {0};
    struct mst_str s = {0};
    bson_iter_t it, list;

    *out = 0;
    if (mst_conn_command(c, "admin", cmd, ASK_MS, &reply, &ignored) == MST_OK &&
        bson_iter_init_find(&it, &reply, "members") && bson_iter_recurse(&it, &list)) {
        while (bson_iter_next(&list)) {
            char name[280] = "", state[32] = "";
            struct mst_ts has = {0, 0};
            const uint8_t *p = NULL;
            uint32_t n = 0;
            bson_t m;

            if (!BSON_ITER_HOLDS_DOCUMENT(&list)) {
                continue;
            }
            bson_iter_document(&list, &n, &p);
            if (!bson_init_static(&m, p, n) || mst_bson_i64(&m, "state", -1) == 7) {
                continue; /* an arbiter has no data to wait for */
            }
            (void)mst_bson_text(&m, "name", name, sizeof(name));
            (void)mst_bson_text(&m, "stateStr", state, sizeof(state));
            if (mst_bson_f64(&m, "health", 1) < 1) {
                mst_str_addf(&s, "%s%s (no answer)", s.len ? ", " : "", name);
            } else if (mst_bson_ts(&m, "optime.ts", &has) && mst_ts_cmp(has, at) < 0) {
                mst_str_addf(&s, "%s%s (%s, %u s behind)", s.len ? ", " : "", name, state,
                             at.t - has.t);
            }
        }
    }
    (void)mst_copy(out, size, mst_str_c(&s));
    mst_text_sanitise(out);
    mst_str_release(&s);
    bson_destroy(&reply);
    bson_destroy(cmd);
}
