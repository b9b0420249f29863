#include "http/retry.h"

#include <string.h>

#include "base/mem.h"

#define BASE_MS 250
#define CEILING_MS 20000
#define NOBODY_MS 10000

static bool in(const char *code, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(code, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool asks_for_less(const struct mst_retry_facts *f)
{
    static const char *const codes[] = {"SlowDown",
                                        "Throttling",
                                        "ThrottlingException",
                                        "ThrottledException",
                                        "RequestThrottled",
                                        "TooManyRequests",
                                        "RequestLimitExceeded",
                                        "BandwidthLimitExceeded",
                                        "rateLimitExceeded",
                                        "userRateLimitExceeded"};

    return f->status == 429 || in(f->code, codes, MST_COUNT(codes));
}

static bool passes(const struct mst_retry_facts *f)
{
    static const char *const codes[] = {
        "RequestTimeout",   "InternalError",  "ServiceUnavailable", "ConditionalRequestConflict",
        "OperationAborted", "IncompleteBody", "backendError",       "internalError"};
    /* What came between may have flipped a bit: once more, not forever. */
    static const char *const once[] = {"BadDigest", "XAmzContentSHA256Mismatch",
                                       "XAmzContentChecksumMismatch"};

    if (f->rc != MST_OK && !f->heard && f->tries >= 2 && f->spent_ms >= NOBODY_MS) {
        return false;
    }
    if (f->rc != MST_OK) {
        return f->rc == MST_E_NET || f->rc == MST_E_TIMEOUT;
    }
    if (in(f->code, once, MST_COUNT(once))) {
        return f->tries < 2;
    }
    /* 501 and 505 stay as they are. */
    return f->status == 408 || f->status == 500 || (f->status >= 502 && f->status <= 504) ||
           in(f->code, codes, MST_COUNT(codes));
}

/* Repairs come at once and are made once each. */
static enum mst_retry_what repair(const struct mst_retry_facts *f)
{
    static const char *const clock[] = {"RequestTimeTooSkewed", "RequestInTheFuture"};
    static const char *const login[] = {"ExpiredToken", "ExpiredTokenException",
                                        "TokenRefreshRequired", "RequestExpired", "InvalidToken"};
    static const char *const region[] = {"AuthorizationHeaderMalformed", "PermanentRedirect",
                                         "TemporaryRedirect", "AuthorizationQueryParametersError",
                                         "IllegalLocationConstraintException"};

    if (f->rc != MST_OK) {
        return MST_RETRY_NO;
    }
    if (in(f->code, clock, MST_COUNT(clock))) {
        return f->clock_done ? MST_RETRY_NO : MST_RETRY_CLOCK;
    }
    if (f->status == 401 || in(f->code, login, MST_COUNT(login))) {
        return f->login_done ? MST_RETRY_NO : MST_RETRY_LOGIN;
    }
    /* The answer to a HEAD has no body, and so no code. */
    if (f->region_known && !f->region_done &&
        (in(f->code, region, MST_COUNT(region)) || f->status == 301 || f->status == 307 ||
         (f->status == 400 && !*f->code))) {
        return MST_RETRY_REGION;
    }
    return MST_RETRY_NO;
}

static int64_t jitter(const struct mst_retry_facts *f)
{
    int64_t top = BASE_MS;

    for (unsigned i = 1; i < f->tries && top < CEILING_MS; i++) {
        top *= 2;
    }
    top = top < CEILING_MS ? top : CEILING_MS;
    return (int64_t)(f->random % (uint32_t)(top + 1));
}

enum mst_retry_what mst_retry_decide(const struct mst_retry_facts *f, int64_t *wait_ms)
{
    const enum mst_retry_what fix = repair(f);
    const bool less = f->rc == MST_OK && asks_for_less(f);

    *wait_ms = 0;
    if (fix != MST_RETRY_NO) {
        return fix;
    }
    if (f->tries >= f->tries_max || (!less && !passes(f))) {
        return MST_RETRY_NO;
    }
    *wait_ms = jitter(f);
    if (f->rc != MST_OK && !f->heard && *wait_ms > NOBODY_MS - f->spent_ms) {
        *wait_ms = f->spent_ms < NOBODY_MS ? NOBODY_MS - f->spent_ms : 0; /* and then the last */
    }
    if (f->retry_after_s > f->budget_ms / 1000) {
        return MST_RETRY_NO;
    }
    if (f->retry_after_s > 0 && *wait_ms < f->retry_after_s * 1000) {
        *wait_ms = f->retry_after_s * 1000;
    }
    if (*wait_ms > f->budget_ms) {
        *wait_ms = 0;
        return MST_RETRY_NO;
    }
    return less ? MST_RETRY_SLOWER : MST_RETRY_AGAIN;
}
