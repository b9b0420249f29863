#include "crypt/locked.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/secret.h"
#include "log/log.h"

/* Keys are 32 bytes and live for a job; a passphrase has a few hundred; the table that a cipher
 * makes of a key takes 1 KiB, for each object that is read or written at this moment. */
#define ARENA ((size_t)256 * 1024)
#define SMALLEST 32
#define TABLE_MAX 4096 /* what is larger is none */

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static bool locked;
/* This thread allocates for a key: mst_locked_enter. */
static _Thread_local bool for_key;

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

/* --- memory of the library --------------------------------------------------------------------
 *
 * The table that AES makes of a key begins with the key, and the library takes memory for it as for
 * anything else. So all that it takes passes through here: what is for a key comes from the locked
 * memory, the rest from malloc, and both are wiped when they are given back. Locking all of it
 * would lock certificates by the megabyte and use up the limit of the process.
 */

static void lib_free(void *p, const char *file, int line)
{
    if (!p) {
        return;
    }
    if (CRYPTO_secure_allocated(p)) {
        CRYPTO_secure_free(p, file, line); /* wipes */
        return;
    }
    mst_wipe(p, malloc_usable_size(p));
    free(p);
}

static void *lib_malloc(size_t n, const char *file, int line)
{
    void *p = NULL;

    if (n == 0) {
        return NULL;
    }
    if (for_key && n <= TABLE_MAX) {
        for_key = false; /* a refusal of the arena is an error of the library, which allocates */
        p = CRYPTO_secure_malloc(n, file, line);
        for_key = true;
    }
    return p ? p : malloc(n);
}

static void *lib_realloc(void *p, size_t n, const char *file, int line)
{
    const size_t have = !p                           ? 0
                        : CRYPTO_secure_allocated(p) ? CRYPTO_secure_actual_size(p)
                                                     : malloc_usable_size(p);
    void *more = lib_malloc(n, file, line);

    if (p && (more || n == 0)) {
        if (more) {
            memcpy(more, p, have < n ? have : n);
        }
        lib_free(p, file, line);
    }
    return more;
}

static bool ours; /* the library takes its memory here */

/* libmongoc starts the library before main and before any constructor of the program, and after its
 * first allocation the library takes no functions any more. Only this array is walked earlier;
 * sanitizers are not ready by then. A C library that has no such array leaves it to main. */
__attribute__((no_sanitize("address", "thread", "undefined"))) static void first(void)
{
    ours = CRYPTO_set_mem_functions(lib_malloc, lib_realloc, lib_free) == 1;
}
__attribute__((section(".preinit_array"), used)) static void (*const early)(void) = first;

void mst_locked_enter(void)
{
    MST_ASSERT(!for_key);
    for_key = true;
}

void mst_locked_leave(void)
{
    MST_ASSERT(for_key);
    for_key = false;
}

/* Of every mapping, none: should a core file be written after all, there is no memory in it. This
 * goes to the programs that are started from here too. */
static bool leave_out_of_cores(void)
{
    const int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    const bool ok = fd >= 0 && write(fd, "0", 1) == 1;

    if (fd >= 0) {
        (void)close(fd);
    }
    return ok;
}

void mst_locked_process(void)
{
    const struct rlimit none = {0, 0};
    const bool out = leave_out_of_cores(); /* before the file is no longer this user's */

    if (!ours) {
        first();
    }
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        mst_log(MST_LOG_WARN, "crypt", "the system does not let core files be switched off");
    } else if (!out) {
        mst_log(MST_LOG_DEBUG, "crypt", "a core file that is forced would hold memory");
    }
    if (!ours) {
        mst_log(MST_LOG_WARN, "crypt",
                "the library of ciphers was at work before: its tables live in ordinary memory");
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
