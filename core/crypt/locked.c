#include "crypt/locked.h"

#include <limits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/secret.h"
#include "log/log.h"

/* Keys are 32 bytes and live for a job; a passphrase has a few hundred. */
#define ARENA ((size_t)128 * 1024)
#define SMALLEST 32

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static bool locked;

static void begin(void)
{
    const int got = CRYPTO_secure_malloc_init(ARENA, SMALLEST);

    locked = got == 1;
    if (got == 2) { /* guard pages and core files are seen to, the lock or one of them was not */
        mst_log(MST_LOG_WARN, "crypt",
                "the system does not lock memory for keys (ulimit -l): they may be swapped out");
    } else if (got != 1) {
        mst_log(MST_LOG_WARN, "crypt",
                "the system gives no memory of its own for keys: they live in ordinary memory");
    }
}

static void *fresh(size_t n, bool *ordinary)
{
    void *p = OPENSSL_secure_zalloc(n);

    *ordinary = p == NULL;
    if (!p) {
        p = OPENSSL_zalloc(n);
    }
    MST_ASSERT(p);
    return p;
}

void *mst_locked_new(size_t n)
{
    bool ordinary;
    void *p;

    (void)CRYPTO_THREAD_run_once(&once, begin);
    p = fresh(n, &ordinary);
    if (ordinary) {
        mst_log(MST_LOG_WARN, "crypt",
                "the locked memory is used up: one more key lives in ordinary memory");
    }
    return p;
}

/* The log keeps secrets too, to mask them: this one never logs. */
static void *for_secret(size_t n)
{
    bool ordinary;

    return fresh(n, &ordinary);
}

void mst_locked_free(void *p, size_t n)
{
    OPENSSL_secure_clear_free(p, n);
}

bool mst_locked_is(void)
{
    (void)CRYPTO_THREAD_run_once(&once, begin);
    return locked;
}

void mst_locked_process(void)
{
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        mst_log(MST_LOG_WARN, "crypt", "the system does not let core files be switched off");
    }
    (void)mst_locked_is();
    mst_secret_memory(for_secret, mst_locked_free);
}

enum mst_rc mst_random(void *p, size_t n, const char *what, struct mst_err *err)
{
    MST_ASSERT(n <= INT_MAX);
    if (RAND_priv_bytes(p, (int)n) != 1) {
        return mst_err_set(err, MST_E_IO, "the system gives no randomness for %s", what);
    }
    return MST_OK;
}
