/* hold_kit.h: a legal hold on an object of a real S3 server, put on or taken off by a request that
 * is signed with nothing of muster. */
#ifndef TEST_HOLD_KIT_H
#define TEST_HOLD_KIT_H

#include "test.h"

#include "base/base64.h"
#include "hash/mac.h"
#include "realstore.h"
#include "s3_ask.h"

static inline void hold_put(const struct realstore *r, const char *key, bool on)
{
    static const char *const xml[] = {"<LegalHold><Status>OFF</Status></LegalHold>",
                                      "<LegalHold><Status>ON</Status></LegalHold>"};
    char target[400], sum[MST_BASE64_SIZE(MST_MD5_LEN)], line[64];
    uint8_t md5[MST_MD5_LEN];
    const char *const headers[] = {line, NULL};
    struct s3_asked a;
    const struct s3_ask q = {.method = "PUT",
                             .target = target,
                             .port = r->port,
                             .headers = headers,
                             .body = xml[on],
                             .n = strlen(xml[on]),
                             .access = REAL_ACCESS,
                             .secret = REAL_SECRET,
                             .region = REAL_REGION};

    (void)snprintf(target, sizeof(target), "/" REAL_BUCKET "/%s?legal-hold=", key);
    mst_md5_of(xml[on], strlen(xml[on]), md5);
    (void)snprintf(line, sizeof(line), "content-md5: %s", mst_base64(md5, sizeof(md5), sum));
    s3_ask(&q, &a);
    if (a.status != 200) {
        fail_msg("%d %s", a.status, mst_str_c(&a.body));
    }
    s3_asked_release(&a);
}

#endif
