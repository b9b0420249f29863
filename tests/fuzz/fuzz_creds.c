/* Files of credentials, the answers of who lends them, and the headers of answers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "http/pool.h"
#include "store/creds_own.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mst_http_headers *hs = calloc(1, sizeof(*hs));
    struct mst_login login = {0};
    struct mst_err err = {0};
    const char *text = (const char *)data;

    MST_ASSERT(hs);
    if (mst_creds_parse(text, size, "default", &login, &err) == MST_OK) {
        MST_ASSERT(login.access_key[0] && login.secret.p);
    }
    mst_login_release(&login);
    login = (struct mst_login){0};
    if (mst_creds_json(data, size, &login, &err) == MST_OK) {
        MST_ASSERT(login.access_key[0] && login.secret.p && login.expires_wall_ms > 0);
    }
    mst_login_release(&login);
    login = (struct mst_login){0};
    (void)!mst_creds_sts(data, size, &login, &err);
    mst_login_release(&login);
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        const size_t n = end ? (size_t)(end - text) - at + 1 : size - at;

        mst_http_keep(hs, text + at, n);
        at += n;
    }
    for (size_t i = 0; i < hs->n; i++) {
        MST_ASSERT(!strpbrk(mst_http_value_at(hs, i), "\r\n"));
        (void)mst_http_time(mst_http_value_at(hs, i));
    }
    free(hs);
    return 0;
}
