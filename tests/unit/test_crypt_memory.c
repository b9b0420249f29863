/* Where keys lie while they are used, and that nothing of them is left: the memory of this process
 * itself is searched for them. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/secret.h"
#include "crypt/derive.h"
#include "crypt/locked.h"
#include "crypt/seal.h"
#include "crypt/wrap.h"
#include "hash/mac.h"

#define KEY 32U
#define PIECE ((size_t)1 << 20)
#define HUGE_KIB 4000000UL /* address space of a sanitizer, no memory of the program */

/* What is searched for, masked, so that the search does not find itself. */
struct needle {
    uint8_t masked[KEY];
};
struct found {
    unsigned dumped, kept; /* in mappings of a core file, and in those left out of it */
    char where[512];       /* the last of the former */
};

static struct needle needle_of(const uint8_t *p)
{
    struct needle n;

    for (size_t i = 0; i < KEY; i++) {
        n.masked[i] = p[i] ^ 0xa5;
    }
    return n;
}

static unsigned hits(const uint8_t *p, size_t n, const struct needle *what)
{
    const uint8_t *at = p, *end = p + n;
    unsigned got = 0;

    while ((at = memchr(at, what->masked[0] ^ 0xa5, (size_t)(end - at))) != NULL) {
        size_t i = 0;

        while (i < KEY && i < (size_t)(end - at) && (at[i] ^ 0xa5) == what->masked[i]) {
            i++;
        }
        got += i == KEY;
        at++;
    }
    return got;
}

/* One mapping, by pieces that overlap. The buffer is mapped anew each time and left out. */
static unsigned search(int mem, unsigned long from, unsigned long to, uint8_t *piece,
                       const struct needle *what)
{
    unsigned got = 0;

    for (unsigned long at = from; at < to; at += PIECE - KEY) {
        const size_t want = to - at < PIECE ? to - at : PIECE;
        const ssize_t n = pread(mem, piece, want, (off_t)at);

        if (n > 0) {
            got += hits(piece, (size_t)n, what);
        }
        if (to - at <= PIECE) {
            break;
        }
    }
    mst_wipe(piece, PIECE);
    return got;
}

/* Every mapping that can be written. */
static struct found look(const struct needle *what)
{
    static uint8_t piece[PIECE];
    FILE *f = fopen("/proc/self/smaps", "re");
    const int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    struct found got = {0};
    unsigned long from = 0, to = 0, rss = 0, a, b;
    char line[512], name[512] = "", mode[8] = "";

    assert_non_null(f);
    assert_true(mem >= 0);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lx-%lx %7s", &a, &b, mode) == 3) {
            from = a;
            to = b;
            (void)mst_copy(name, sizeof(name), line);
        } else if (sscanf(line, "Rss: %lu", &rss) == 1) {
            continue;
        } else if (strncmp(line, "VmFlags:", 8) == 0 && mode[1] == 'w' && rss > 0 &&
                   (to - from) >> 10 < HUGE_KIB) {
            const unsigned n = search(mem, from, to, piece, what);

            *(strstr(line, " dd") ? &got.kept : &got.dumped) += n;
            if (n > 0 && !strstr(line, " dd")) {
                (void)mst_copy(got.where, sizeof(got.where), name);
            }
        }
    }
    (void)close(mem);
    (void)fclose(f);
    return got;
}

static void only_kept(const struct needle *what, const char *when)
{
    const struct found got = look(what);

    if (got.dumped > 0) {
        fail_msg("%s, the key stands %u times in ordinary memory: %s", when, got.dumped, got.where);
    }
}

static void nowhere(const struct needle *what, const char *when)
{
    const struct found got = look(what);

    if (got.dumped + got.kept > 0) {
        fail_msg("%s, the key still stands in memory: %u in ordinary, %u in locked", when,
                 got.dumped, got.kept);
    }
}

/* The bytes of a key that nobody else has, straight into locked memory. */
static uint8_t *fresh(struct needle *n)
{
    struct mst_err err = {0};
    uint8_t *p = mst_locked_new(KEY);

    assert_ok(mst_random(p, KEY, "a test", &err), &err);
    *n = needle_of(p);
    return p;
}

static void the_search_finds_what_is_there(void **state)
{
    struct needle n;
    uint8_t *p = fresh(&n), *copy = mst_xmalloc(KEY);
    struct found got = look(&n);

    (void)state;
    assert_int_equal(got.kept, 1);
    assert_int_equal(got.dumped, 0);
    memcpy(copy, p, KEY);
    got = look(&n);
    assert_int_equal(got.dumped, 1);
    mst_wipe(copy, KEY);
    free(copy);
    mst_locked_free(p, KEY);
    nowhere(&n, "given back");
}

/* What derives from a data key for one object is known from docs/formats.md. */
static struct needle derived_of(const struct mst_data_key *k, const uint8_t *salt,
                                const char *context)
{
    static const char label[] = "muster.seal.v1", aead[] = "AES-256-GCM";
    uint8_t *out = mst_locked_new(KEY + 12 + 32);
    struct mst_buf info = {0};
    struct needle n;

    mst_buf_add(&info, label, strlen(label));
    mst_buf_add(&info, aead, sizeof(aead));
    mst_buf_add(&info, salt, MST_SEAL_SALT);
    mst_buf_add(&info, context, strlen(context));
    mst_hkdf_expand(k->p, MST_DATA_KEY_LEN, info.p, info.len, out, KEY + 12 + 32);
    n = needle_of(out);
    mst_locked_free(out, KEY + 12 + 32);
    mst_buf_release(&info);
    return n;
}

static void keys_of_a_sealed_object_lie_in_locked_memory_only(void **state)
{
    static uint8_t plain[40000];
    struct mst_data_key k = {0};
    struct mst_sealer *s = NULL;
    struct mst_opener *o = NULL;
    struct mst_buf out = {0};
    struct mst_err err = {0};
    struct needle data, derived;
    uint8_t head[MST_SEAL_HEAD];
    size_t got = 0;

    (void)state;
    assert_ok(mst_data_key_new(&k, &err), &err);
    data = needle_of(k.p);
    assert_ok(mst_sealer_new(&k, "here", 4, NULL, head, &s, &err), &err);
    derived = derived_of(&k, head + 8, "here");
    assert_ok(mst_sealer_add(s, plain, sizeof(plain), &out, &err), &err);
    only_kept(&data, "while it seals");
    only_kept(&derived, "while it seals");
    assert_true(look(&derived).kept > 0); /* the table begins with the key itself */
    assert_ok(mst_sealer_end(s, &out, &err), &err);
    assert_ok(mst_opener_new(&k, "here", 4, head, &o, &err), &err);
    assert_ok(mst_opener_chunk(o, 0, out.p, MST_SEAL_CHUNK + MST_SEAL_TAG, plain, &got, &err),
              &err);
    only_kept(&derived, "while it opens");
    mst_sealer_free(s);
    assert_true(look(&derived).kept > 0); /* the one that opens is still at work */
    mst_opener_free(o);
    mst_data_key_release(&k);
    nowhere(&data, "after the backup");
    nowhere(&derived, "after the backup");
    mst_buf_release(&out);
}

static void a_data_key_that_was_wrapped_and_unwrapped_leaves_nothing(void **state)
{
    const struct mst_wrap_place place = {"rs0", "20261122T104530Z-vega", "a1"};
    struct mst_data_key k = {0}, back = {0};
    struct mst_identity who = {0};
    struct mst_wrap_slot *slot = mst_xcalloc(1, sizeof(*slot));
    struct mst_secret phrase = {0};
    struct mst_err err = {0};
    struct needle data, secret;

    (void)state;
    assert_ok(mst_data_key_new(&k, &err), &err);
    assert_ok(mst_identity_new(&who, &err), &err);
    mst_secret_set(&phrase, "a phrase of thirty-two bytes, 32", KEY);
    data = needle_of(k.p);
    secret = needle_of(who.secret);
    assert_ok(mst_wrap_to(&k, &place, who.pub, "ops", slot, &err), &err);
    assert_ok(mst_unwrap(slot, &place, &who, &back, &err), &err);
    assert_memory_equal(back.p, k.p, MST_DATA_KEY_LEN);
    only_kept(&data, "while it is unwrapped");
    only_kept(&secret, "while it unwraps");
    assert_ok(mst_wrap_passphrase(&k, &place, &phrase, 10, "safe", slot, &err), &err);
    assert_ok(mst_unwrap_passphrase(slot, &place, &phrase, &back, &err), &err);
    mst_data_key_release(&k);
    mst_data_key_release(&back);
    mst_identity_release(&who);
    mst_secret_release(&phrase);
    nowhere(&data, "after the backup");
    nowhere(&secret, "after the job");
    free(slot);
}

static void a_key_that_signs_leaves_nothing(void **state)
{
    struct mst_sign_key k = {0};
    struct needle seed, hmac;
    struct mst_err err = {0};
    uint8_t signature[MST_SIGNATURE_LEN], mac[MST_SHA256_LEN];
    uint8_t *p = fresh(&hmac);

    (void)state;
    assert_ok(mst_sign_key_new(&k, &err), &err);
    seed = needle_of(k.secret);
    assert_ok(mst_sign(&k, "COMMIT", 6, signature, &err), &err);
    only_kept(&seed, "after a signature");
    mst_sign_key_release(&k);
    nowhere(&seed, "after the job");
    mst_hmac_sha256(p, KEY, "a request", 9, mac);
    only_kept(&hmac, "after a request was signed");
    mst_locked_free(p, KEY);
    nowhere(&hmac, "after the store was closed");
}

static void no_memory_of_the_process_goes_into_a_core_file(void **state)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_file_read("/proc/self/coredump_filter", 64, &b, &err), &err);
    mst_buf_add(&b, "", 1);
    assert_int_equal(strtoul((char *)b.p, NULL, 16), 0);
    mst_buf_release(&b);
}

/* With the limit raised again, where that is allowed: the process itself may not be dumped. */
static void a_process_that_is_aborted_leaves_no_core_file(void **state)
{
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    int status = 0;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        (void)setrlimit(RLIMIT_CORE, &all); /* root may */
        (void)signal(SIGABRT, SIG_DFL);
        (void)raise(SIGABRT);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_false(WCOREDUMP(status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_search_finds_what_is_there),
        cmocka_unit_test(keys_of_a_sealed_object_lie_in_locked_memory_only),
        cmocka_unit_test(a_data_key_that_was_wrapped_and_unwrapped_leaves_nothing),
        cmocka_unit_test(a_key_that_signs_leaves_nothing),
        cmocka_unit_test(no_memory_of_the_process_goes_into_a_core_file),
        cmocka_unit_test(a_process_that_is_aborted_leaves_no_core_file),
    };

    mst_locked_process(); /* as main does, before anything else asks the library */
    return cmocka_run_group_tests_name("crypt_memory", tests, NULL, NULL);
}
