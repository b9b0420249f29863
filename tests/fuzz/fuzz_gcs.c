/* What stands at an endpoint of Google Cloud Storage may answer, and files of credentials. The
 * first byte says which parser gets the rest. */
#include <stdlib.h>

#include "base/mem.h"
#include "store/gcs_login.h"
#include "store/gjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void reply(const uint8_t *p, size_t n)
{
    static const char *const names[] = {
        "size",       "items.0.name",   "nextPageToken",      "access_token",
        "expires_in", "retention.mode", "metadata.muster-put"};
    struct mst_err err = {0};
    bson_t *b = NULL;

    if (mst_gjson_parse("a server answered 200", p, n, &b, &err) == MST_OK) {
        for (size_t i = 0; i < MST_COUNT(names); i++) {
            if (mst_gjson_number(b, names[i]) < -1 || !mst_gjson_text(b, names[i])) {
                abort();
            }
            (void)mst_gjson_true(b, names[i]);
        }
    } else if (b || err.rc == MST_OK) {
        abort();
    }
    bson_destroy(b);
}

static void refusal(const uint8_t *p, size_t n)
{
    struct mst_gerror e;

    if (mst_gjson_error(p, n, &e) && !e.reason[0] && !e.message[0]) {
        abort();
    }
    for (const char *c = e.message; *c; c++) {
        if ((unsigned char)*c < 0x20) {
            abort(); /* it goes to a terminal */
        }
    }
}

static void file(const uint8_t *p, size_t n, bool workload)
{
    struct mst_glogin *g = mst_xcalloc(1, sizeof(*g));
    struct mst_err err = {0};
    const enum mst_rc rc = workload ? mst_glogin_workload(p, n, false, g, &err)
                                    : mst_glogin_service_account(p, n, false, g, &err);

    if (rc == MST_OK && strncmp(g->token_url, "https://", 8) != 0) {
        abort();
    }
    mst_glogin_release(g);
    free(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    switch (data[0] % 4) {
    case 0:
        reply(data + 1, size - 1);
        break;
    case 1:
        refusal(data + 1, size - 1);
        break;
    default:
        file(data + 1, size - 1, data[0] % 2 != 0);
        break;
    }
    return 0;
}
