#include "test.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypt/locked.h"
#include "crypt/seal.h"
#include "hash/hash.h"

#define SET "rs0"
#define BACKUP "2026-11-22T22-30-00Z-full"
#define ATTEMPT "00112233445566aa"

static const size_t sizes[] = {
    0, 1, 15, 16, 16383, 16384, 16385, 2 * 16384, 3 * 16384, 3 * 16384 + 1, 4 * 16384 - 1};

static struct mst_data_key key;
static struct mst_buf context;

static int setup(void **state)
{
    struct mst_err err = {0};

    (void)state;
    mst_seal_context(&context, SET, BACKUP, ATTEMPT, "data", 7, 3);
    return mst_data_key_new(&key, &err) == MST_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mst_data_key_release(&key);
    mst_data_key_release(&key);
    mst_buf_release(&context);
    return 0;
}

static void fill(struct mst_buf *b, size_t n)
{
    uint8_t *p = mst_buf_room(b, n ? n : 1);

    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)(i * 7 + i / 251);
    }
    b->len = n;
}

/* A sealed object of so many bytes of content, given in pieces. */
static void sealed(size_t n, size_t piece, struct mst_buf *out)
{
    struct mst_buf content = {0};
    struct mst_sealer *s = NULL;
    struct mst_err err = {0};
    uint8_t head[MST_SEAL_HEAD];

    fill(&content, n);
    assert_ok(mst_sealer_new(&key, context.p, context.len, NULL, head, &s, &err), &err);
    mst_buf_add(out, head, sizeof(head));
    for (size_t at = 0; at < n; at += piece) {
        const size_t k = n - at < piece ? n - at : piece;

        assert_ok(mst_sealer_add(s, content.p + at, k, out, &err), &err);
    }
    assert_ok(mst_sealer_end(s, out, &err), &err);
    mst_sealer_free(s);
    mst_buf_release(&content);
}

/* All of it, chunk by chunk, as a reader does. */
static enum mst_rc opened(const struct mst_data_key *k, const struct mst_buf *ctx,
                          const struct mst_buf *stored, struct mst_buf *out, struct mst_err *err)
{
    struct mst_opener *o = NULL;
    uint64_t content;
    size_t at = MST_SEAL_HEAD;
    enum mst_rc rc = MST_OK;

    if (!mst_seal_content(stored->len, &content)) {
        return mst_err_set(err, MST_E_INTEGRITY, "no content has this size");
    }
    rc = mst_opener_new(k, ctx->p, ctx->len, stored->p, &o, err);
    for (uint64_t i = 0; rc == MST_OK && at < stored->len; i++) {
        const size_t left = stored->len - at, whole = MST_SEAL_CHUNK + MST_SEAL_TAG;
        const size_t n = left < whole ? left : whole;
        size_t got = 0;

        rc = mst_opener_chunk(o, i, stored->p + at, n, mst_buf_room(out, n), &got, err);
        out->len += got;
        at += n;
    }
    mst_opener_free(o);
    return rc;
}

static void what_was_sealed_is_opened_at_every_boundary(void **state)
{
    static const size_t pieces[] = {1, 1000, 16384, 20000, 1 << 20};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(sizes); i++) {
        for (size_t p = sizes[i] > 20000 ? 1 : 0; p < MST_COUNT(pieces); p++) {
            struct mst_buf stored = {0}, plain = {0}, want = {0};
            struct mst_err err = {0};
            uint64_t content = 0;

            sealed(sizes[i], pieces[p], &stored);
            assert_int_equal(stored.len, mst_seal_stored(sizes[i]));
            assert_true(mst_seal_content(stored.len, &content));
            assert_int_equal(content, sizes[i]);
            assert_ok(opened(&key, &context, &stored, &plain, &err), &err);
            fill(&want, sizes[i]);
            assert_int_equal(plain.len, want.len);
            assert_memory_equal(plain.p, want.p, want.len);
            mst_buf_release(&stored);
            mst_buf_release(&plain);
            mst_buf_release(&want);
        }
    }
}

static void two_objects_of_the_same_bytes_share_nothing(void **state)
{
    struct mst_buf a = {0}, b = {0};

    (void)state;
    sealed(100, 100, &a);
    sealed(100, 100, &b);
    assert_memory_equal(a.p, "MUSTERE1", 8);
    assert_memory_not_equal(a.p + 8, b.p + 8, MST_SEAL_SALT);
    assert_memory_not_equal(a.p + 32, b.p + 32, 32);
    assert_memory_not_equal(a.p + MST_SEAL_HEAD, b.p + MST_SEAL_HEAD, 100);
    mst_buf_release(&a);
    mst_buf_release(&b);
}

static void every_flipped_byte_is_found(void **state)
{
    struct mst_buf stored = {0}, plain = {0};
    struct mst_err err = {0};

    (void)state;
    sealed(MST_SEAL_CHUNK + 10, 4096, &stored);
    for (size_t i = 0; i < stored.len; i++) {
        const bool inner = i > MST_SEAL_HEAD + 64 && i < stored.len - 64 && i % 97 != 0;

        if (inner) {
            continue; /* all of the head, of both ends, and every 97th byte */
        }
        stored.p[i] ^= (uint8_t)(1U << (i % 8));
        mst_buf_reset(&plain);
        assert_rc(opened(&key, &context, &stored, &plain, &err), MST_E_INTEGRITY, &err);
        if (i >= MST_SEAL_HEAD) {
            assert_non_null(strstr(err.msg, "is damaged, cut or moved"));
            assert_non_null(strstr(err.msg, i < MST_SEAL_HEAD + MST_SEAL_CHUNK + MST_SEAL_TAG
                                                ? "chunk 0"
                                                : "chunk 1"));
        }
        stored.p[i] ^= (uint8_t)(1U << (i % 8));
    }
    mst_buf_reset(&plain);
    assert_ok(opened(&key, &context, &stored, &plain, &err), &err);
    mst_buf_release(&stored);
    mst_buf_release(&plain);
}

static void every_cut_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < MST_COUNT(sizes); i++) {
        struct mst_buf stored = {0}, plain = {0};
        struct mst_err err = {0};
        size_t whole;

        sealed(sizes[i], 1 << 20, &stored);
        whole = stored.len;
        for (size_t cut = 1; cut <= whole; cut += cut < 40 || whole - cut < 120 ? 1 : 331) {
            stored.len = whole - cut;
            mst_buf_reset(&plain);
            assert_rc(opened(&key, &context, &stored, &plain, &err), MST_E_INTEGRITY, &err);
        }
        stored.len = whole;
        mst_buf_add(&stored, "x", 1); /* and what was added */
        mst_buf_reset(&plain);
        assert_rc(opened(&key, &context, &stored, &plain, &err), MST_E_INTEGRITY, &err);
        mst_buf_release(&stored);
        mst_buf_release(&plain);
    }
}

static void a_chunk_opens_in_its_place_only(void **state)
{
    const size_t whole = MST_SEAL_CHUNK + MST_SEAL_TAG;
    struct mst_buf stored = {0}, want = {0};
    struct mst_opener *o = NULL;
    struct mst_err err = {0};
    uint8_t plain[MST_SEAL_CHUNK];
    size_t n = 0;

    (void)state;
    sealed(3 * MST_SEAL_CHUNK, 5000, &stored); /* four chunks, the last is empty */
    fill(&want, 3 * MST_SEAL_CHUNK);
    assert_ok(mst_opener_new(&key, context.p, context.len, stored.p, &o, &err), &err);
    for (unsigned i = 3; i-- > 0;) { /* in any order */
        const uint8_t *at = stored.p + MST_SEAL_HEAD + i * whole;

        assert_ok(mst_opener_chunk(o, i, at, whole, plain, &n, &err), &err);
        assert_int_equal(n, MST_SEAL_CHUNK);
        assert_memory_equal(plain, want.p + (size_t)i * MST_SEAL_CHUNK, n);
        assert_rc(mst_opener_chunk(o, i + 1, at, whole, plain, &n, &err), MST_E_INTEGRITY, &err);
        assert_non_null(strstr(err.msg, "moved"));
    }
    assert_ok(
        mst_opener_chunk(o, 3, stored.p + stored.len - MST_SEAL_TAG, MST_SEAL_TAG, plain, &n, &err),
        &err);
    assert_int_equal(n, 0);
    assert_rc(mst_opener_chunk(o, 0, stored.p, 15, plain, &n, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "15 bytes"));
    assert_rc(mst_opener_chunk(o, 0, stored.p, whole + 1, plain, &n, &err), MST_E_INTEGRITY, &err);
    assert_rc(
        mst_opener_chunk(o, MST_SEAL_CHUNKS_MAX, stored.p + MST_SEAL_HEAD, whole, plain, &n, &err),
        MST_E_INTEGRITY, &err);
    mst_opener_free(o);
    mst_opener_free(NULL);
    mst_sealer_free(NULL);
    mst_buf_release(&stored);
    mst_buf_release(&want);
}

static void another_key_or_another_place_does_not_open(void **state)
{
    static const struct {
        const char *set, *backup, *attempt, *role;
        uint32_t number, part;
    } others[] = {{"rs1", BACKUP, ATTEMPT, "data", 7, 3},
                  {SET, "2026-11-22T22-30-01Z-full", ATTEMPT, "data", 7, 3},
                  {SET, BACKUP, "00112233445566ab", "data", 7, 3},
                  {SET, BACKUP, ATTEMPT, "oplog", 7, 3},
                  {SET, BACKUP, ATTEMPT, "data", 8, 3},
                  {SET, BACKUP, ATTEMPT, "data", 7, 2},
                  {SET BACKUP, "", ATTEMPT, "data", 7, 3}};
    struct mst_data_key other = {0};
    struct mst_buf stored = {0}, plain = {0};
    struct mst_err err = {0};

    (void)state;
    sealed(10, 10, &stored);
    assert_ok(mst_data_key_new(&other, &err), &err);
    assert_rc(opened(&other, &context, &stored, &plain, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "another key"));
    mst_data_key_release(&other);
    for (size_t i = 0; i < MST_COUNT(others); i++) {
        struct mst_buf ctx = {0};

        mst_seal_context(&ctx, others[i].set, others[i].backup, others[i].attempt, others[i].role,
                         others[i].number, others[i].part);
        assert_rc(opened(&key, &ctx, &stored, &plain, &err), MST_E_INTEGRITY, &err);
        assert_non_null(strstr(err.msg, "another set, backup or object"));
        mst_buf_release(&ctx);
    }
    stored.p[0] = 'm';
    assert_rc(opened(&key, &context, &stored, &plain, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "not sealed bytes"));
    mst_buf_release(&stored);
    mst_buf_release(&plain);
}

static void sizes_go_both_ways_or_not_at_all(void **state)
{
    uint64_t content = 0, valid = 0;

    (void)state;
    for (uint64_t stored = 0; stored < 3 * 16400 + 200; stored++) {
        if (mst_seal_content(stored, &content)) {
            assert_int_equal(mst_seal_stored(content), stored);
            assert_int_equal(content, valid);
            valid++; /* no content is left out */
        }
    }
    assert_false(mst_seal_content(0, &content));
    assert_false(mst_seal_content(79, &content));
    assert_true(mst_seal_content(80, &content));
    assert_false(mst_seal_content(64 + 16400, &content)); /* a full chunk is never the last */
    assert_true(mst_seal_content(64 + 16400 + 16, &content));
    assert_int_equal(content, 16384);
    assert_false(mst_seal_content(UINT64_MAX, &content));
}

static void a_data_key_is_named_without_being_given_away(void **state)
{
    struct mst_data_key a = {0}, b = {0};
    struct mst_err err = {0};
    char id[33], again[33], hex[65];

    (void)state;
    assert_ok(mst_data_key_new(&a, &err), &err);
    mst_data_key_set(&b, a.p);
    mst_data_key_id(&a, id);
    mst_data_key_id(&b, again);
    assert_int_equal(strlen(id), 32);
    assert_string_equal(id, again);
    assert_null(strstr(mst_hex(a.p, 32, hex), id));
    b.p[31] ^= 1;
    mst_data_key_id(&b, again);
    assert_string_not_equal(id, again);
    mst_data_key_release(&a);
    mst_data_key_release(&b);
    mst_data_key_release(NULL);
}

/* VmFlags of the mapping that p lies in. */
static void flags_of(const void *p, char *out, size_t size)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    char line[512];
    bool here = false;

    out[0] = '\0';
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        unsigned long from, to;

        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            here = (uintptr_t)p >= from && (uintptr_t)p < to;
        } else if (here && strncmp(line, "VmFlags:", 8) == 0) {
            (void)mst_copy(out, size, line);
        }
    }
    (void)fclose(f);
}

static void keys_lie_in_memory_that_is_locked_and_not_dumped(void **state)
{
    uint8_t *p = mst_locked_new(40);
    char flags[512];

    (void)state;
    for (size_t i = 0; i < 40; i++) {
        assert_int_equal(p[i], 0);
    }
    flags_of(p, flags, sizeof(flags));
    assert_non_null(strstr(flags, " dd")); /* not in a core file, whether it is locked or not */
    assert_true(!mst_locked_is() || strstr(flags, " lo"));
    mst_locked_free(p, 40);
    mst_locked_free(NULL, 40);
}

static void when_locked_memory_is_used_up_ordinary_is_given(void **state)
{
    enum { MANY = 5000 };
    static void *p[MANY]; /* 64 bytes each: more than the arena */

    (void)state;
    for (int i = 0; i < MANY; i++) {
        p[i] = mst_locked_new(64);
        memset(p[i], i, 64);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(*(uint8_t *)p[i], i & 255);
        mst_locked_free(p[i], 64);
    }
}

static void a_process_writes_no_core_and_locks_its_passphrases(void **state)
{
    struct mst_secret before = {0}, after = {0};
    struct rlimit core = {1, 1};
    char flags[512];

    (void)state;
    mst_secret_set(&before, "old", 3);
    mst_locked_process();
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
    assert_int_equal(core.rlim_max, 0);
    mst_secret_set(&after, "new", 3);
    assert_string_equal(after.p, "new");
    flags_of(after.p, flags, sizeof(flags));
    assert_non_null(strstr(flags, " dd"));
    mst_secret_release(&before); /* that malloc gave */
    mst_secret_release(&after);
    assert_null(before.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_is_opened_at_every_boundary),
        cmocka_unit_test(two_objects_of_the_same_bytes_share_nothing),
        cmocka_unit_test(every_flipped_byte_is_found),
        cmocka_unit_test(every_cut_is_found),
        cmocka_unit_test(a_chunk_opens_in_its_place_only),
        cmocka_unit_test(another_key_or_another_place_does_not_open),
        cmocka_unit_test(sizes_go_both_ways_or_not_at_all),
        cmocka_unit_test(a_data_key_is_named_without_being_given_away),
        cmocka_unit_test(keys_lie_in_memory_that_is_locked_and_not_dumped),
        cmocka_unit_test(when_locked_memory_is_used_up_ordinary_is_given),
        cmocka_unit_test(a_process_writes_no_core_and_locks_its_passphrases)};

    return cmocka_run_group_tests_name("crypt_seal", tests, setup, teardown);
}
