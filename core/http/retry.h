/* retry.h: what to do after a call to an object store did not succeed. Pure.
 *
 * Classes: what passes (network, 5xx, 408, 429, RequestTimeout, ConditionalRequestConflict) is
 * repeated after a wait with full jitter (base 250 ms, ceiling 20 s, Retry-After is honoured); what
 * can be repaired once (skewed clock, expired credentials, another region) is repaired once;
 * everything else fails at once. Where nobody has ever answered, a wrong setting is likelier than a
 * bad minute: after the second try ten seconds are enough.
 */
#ifndef MST_HTTP_RETRY_H
#define MST_HTTP_RETRY_H

#include "base/err.h"
#include "http/http.h"

enum mst_retry_what {
    MST_RETRY_NO,     /* final */
    MST_RETRY_AGAIN,  /* after wait_ms */
    MST_RETRY_SLOWER, /* the same, and with half the parallel calls */
    MST_RETRY_CLOCK,  /* use the peer's time, once */
    MST_RETRY_LOGIN,  /* get fresh credentials, once */
    MST_RETRY_REGION  /* sign for the region it named, once */
};
struct mst_retry_facts {
    enum mst_rc rc; /* of mst_http_do; MST_OK: an answer came */
    int status;
    const char *code;      /* of the error body: "SlowDown"; "" none */
    int64_t retry_after_s; /* -1: not said */
    unsigned tries;        /* so far, this one included */
    unsigned tries_max;
    int64_t budget_ms;                        /* left for waiting in this job */
    bool clock_done, login_done, region_done; /* repaired already */
    bool region_known;                        /* the answer named one */
    bool heard;                               /* somebody has answered there before */
    int64_t spent_ms;                         /* since the first try began */
    uint32_t random;                          /* any */
};
enum mst_retry_what mst_retry_decide(const struct mst_retry_facts *f, int64_t *wait_ms);

#endif
