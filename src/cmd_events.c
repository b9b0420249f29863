/* muster events: what was written down. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/when.h"
#include "follow.h"
#include "show_observe.h"

#define DAY_MS (24LL * 3600 * 1000)

static enum mst_rc since_of(const struct cmd_ctx *c, int64_t now_ms, int64_t *out,
                            struct mst_err *err)
{
    const char *v = args_get(&c->args, "since");
    int64_t ms = DAY_MS;

    *out = now_ms - ms;
    if (!v) {
        return MST_OK;
    }
    if (mst_when_span(v, &ms) && ms > 0) {
        *out = now_ms - ms;
        return MST_OK;
    }
    *out = mst_when_moment(v);
    if (*out < 0) {
        char clean[64];

        mst_text_clean(clean, sizeof(clean), v, strlen(v));
        return mst_err_set(err, MST_E_USAGE,
                           "--since %s: it is a time like 30m, 12h, 2d, 2026-11-27 or "
                           "2026-11-27T03:00Z (UTC)",
                           clean);
    }
    return *out > now_ms ? mst_err_set(err, MST_E_USAGE, "--since %s is in the future", v) : MST_OK;
}

enum mst_rc cmd_events(struct cmd_ctx *c, struct mst_err *err)
{
    const int64_t now = mst_clock_utc_ms(NULL);
    struct mst_history h = {0};
    struct mst_str out = {.max = 64u << 20};
    int64_t since, limit;
    enum mst_rc rc = args_number(&c->args, "limit", 1, MST_HISTORY_MAX, 1000, &limit, err);

    if (rc == MST_OK) {
        rc = since_of(c, now, &since, err);
    }
    if (rc == MST_OK) {
        rc = mst_history_read(c->cfg, since, (size_t)limit, &h, err);
    }
    if (rc == MST_OK) {
        show_history(&h, cmd_form(c), &out);
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_str_release(&out);
    mst_history_release(&h);
    return rc;
}
