/* Backups that are signed: who wrote them, and what is missing between two of them. */
#include "sealed_kit.h"

#include "catalog/seen.h"
#include "engine/seals.h"

/* --- signatures ------------------------------------------------------------------------------- */

/* Write COMMIT of FIRST again, changed, by somebody with another key (NULL: with none). */
static void rewrite_commit(struct fix *x, const struct mst_sign_key *by, bool resign)
{
    struct mst_buf b = {0};
    struct mst_str s = {0};
    struct mst_commit c;
    struct mst_err err = {0};
    char path[MST_KEY_MAX + 64];

    path_of(x, FIRST, "", "COMMIT", path);
    slurp(path, &b);
    assert_ok(mst_commit_get((const char *)b.p, b.len, &c, &err), &err);
    c.committed_wall_ms++;
    assert_ok(mst_commit_put(&c, by, &s, &err), &err);
    if (!resign) { /* keep the words of the real signer and make the hash fit again */
        char *at = strstr(s.p, "\"signer\":\"");
        uint8_t sha[MST_SHA256_LEN];
        char hex[MST_SHA256_HEX], text[2048];
        size_t n;

        assert_non_null(at);
        n = (size_t)(at - s.p);
        memcpy(text, s.p, n);
        n += (size_t)snprintf(text + n, sizeof(text) - n, "\"signer\":\"%s\",\"signature\":\"%s\"",
                              c.signer, c.signature);
        mst_sha256_of(text, n, sha);
        n += (size_t)snprintf(text + n, sizeof(text) - n, ",\"sha256\":\"%s\"}\n",
                              mst_hex(sha, sizeof(sha), hex));
        spill(path, text, n);
    } else {
        spill(path, s.p, s.len);
    }
    mst_str_release(&s);
    mst_buf_release(&b);
}

static void a_commit_by_a_stranger_is_forged(void **state)
{
    struct fix *x = *state;
    struct mst_verify_result res;
    struct mst_err err = {0};
    struct mst_backup b;

    rewrite_commit(x, &x->stranger, true);
    b = listed(x, FIRST);
    assert_int_equal(b.state, MST_BK_FORGED);
    assert_false(b.is_signed);
    assert_non_null(strstr(b.problem, "does not name"));
    assert_rc(mst_catalog_find(&x->f.c, "latest", NULL, &b, &err), MST_E_NOTFOUND, &err);
    assert_non_null(strstr(err.msg, "FORGED"));
    assert_rc(verify(x, FIRST, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(res.findings[0], "FORGED"));
}

static void a_changed_commit_with_the_old_signature_is_forged(void **state)
{
    struct fix *x = *state;
    struct mst_backup b;

    rewrite_commit(x, &x->stranger, false);
    b = listed(x, FIRST);
    assert_int_equal(b.state, MST_BK_FORGED);
    assert_non_null(strstr(b.problem, "somebody without that key"));
}

static void a_commit_without_signature_is_unsigned_where_signers_are_named(void **state)
{
    struct fix *x = *state;
    struct mst_verify_result res;
    struct mst_err err;
    struct mst_backup b;

    rewrite_commit(x, NULL, true);
    b = listed(x, FIRST);
    assert_int_equal(b.state, MST_BK_UNSIGNED);
    assert_ok(verify(x, FIRST, &res, &err), &err); /* its bytes are what they were */
    assert_non_null(strstr(res.text, "UNSIGNED"));
    x->trust.n = 0;
    assert_int_equal(listed(x, FIRST).state, MST_BK_COMPLETE);
    assert_int_equal(listed(x, FIRST).signature, MST_SIGNED_NOT);
}

static void a_signature_that_nobody_can_judge_is_not_called_good(void **state)
{
    struct fix *x = *state;
    struct mst_backup b;

    x->trust.n = 0;
    b = listed(x, FIRST);
    assert_int_equal(b.state, MST_BK_COMPLETE);
    assert_int_equal(b.signature, MST_SIGNED_UNCHECKED);
    assert_false(b.is_signed);
}

static void a_mark_of_a_stranger_proves_nothing(void **state)
{
    struct fix *x = *state;
    struct mst_verify_result res;
    struct mst_err err;

    x->f.c.signer = &x->stranger;
    assert_ok(verify(x, FIRST, &res, &err), &err);
    assert_int_equal(listed(x, FIRST).verified_wall_ms, 0);
    x->f.c.signer = NULL;
    assert_ok(verify(x, FIRST, &res, &err), &err);
    assert_int_equal(listed(x, FIRST).verified_wall_ms, 0);
    x->f.c.signer = &x->signer;
    assert_ok(verify(x, FIRST, &res, &err), &err);
    assert_int_equal(listed(x, FIRST).verified_level, 2);
}

static void judging_is_a_table(void **state)
{
    static const struct {
        enum mst_signed how;
        size_t trusted;
        enum mst_rc want;
    } rows[] = {
        {MST_SIGNED_GOOD, 1, MST_OK},
        {MST_SIGNED_GOOD, 0, MST_OK},
        {MST_SIGNED_NOT, 0, MST_OK},
        {MST_SIGNED_NOT, 1, MST_E_PRECOND},
        {MST_SIGNED_UNCHECKED, 0, MST_OK},
        {MST_SIGNED_FORGED, 1, MST_E_INTEGRITY},
        {MST_SIGNED_UNCHECKED, 1, MST_E_PRECOND},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        const struct mst_trust t = {.n = rows[i].trusted};
        const struct mst_judgement j = {.how = rows[i].how};
        struct mst_err err = {0};

        assert_int_equal(mst_trust_allow(&t, FIRST, &j, &err), rows[i].want);
    }
}

/* --- the chain -------------------------------------------------------------------------------- */

static void a_backup_that_is_left_out_is_missed_by_the_next(void **state)
{
    struct fix *x = *state;
    struct mst_verify_result res;
    struct mst_err err;
    char from[MST_KEY_MAX + 64], to[MST_KEY_MAX + 80];

    assert_string_equal(listed(x, SECOND).chain, "");
    path_of(x, FIRST, "", "", from);
    (void)snprintf(to, sizeof(to), "%s/held-back", x->dir);
    assert_int_equal(rename(from, to), 0);
    assert_non_null(strstr(listed(x, SECOND).chain, "not here any more"));
    assert_ok(verify(x, SECOND, &res, &err), &err);
    assert_non_null(strstr(res.text, "not here any more"));
}

static void an_old_commit_that_is_put_back_is_found(void **state)
{
    struct fix *x = *state;
    char a[MST_KEY_MAX + 64], b[MST_KEY_MAX + 64];

    path_of(x, FIRST, "", "COMMIT", a);
    path_of(x, SECOND, "", "COMMIT", b);
    copy(a, b);
    assert_int_equal(listed(x, SECOND).state, MST_BK_DAMAGED);
    assert_non_null(strstr(listed(x, SECOND).problem, "names " FIRST));
}

static void a_renamed_backup_is_found(void **state)
{
    struct fix *x = *state;
    struct mst_verify_result res;
    struct mst_err err;
    char a[MST_KEY_MAX + 64], b[MST_KEY_MAX + 64];

    path_of(x, SECOND, "", "", a);
    path_of(x, "2026-11-24T22-30-00Z-full", "", "", b);
    assert_int_equal(rename(a, b), 0);
    assert_int_equal(listed(x, "2026-11-24T22-30-00Z-full").state, MST_BK_DAMAGED);
    assert_rc(verify(x, "2026-11-24T22-30-00Z-full", &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "names the backup"));
}

static void a_backup_of_another_set_is_found(void **state)
{
    struct fix *x = *state;
    struct mst_err err;
    struct mst_verify_result res;
    char from[200], to[200];

    open_up(x, "rs1");
    (void)snprintf(from, sizeof(from), "%s/pre/fix/rs0", x->dir);
    (void)snprintf(to, sizeof(to), "%s/pre/fix/rs1", x->dir);
    assert_int_equal(rename(from, to), 0);
    assert_non_null(strstr(listed(x, FIRST).problem, "a backup of the set rs0"));
    assert_rc(verify(x, FIRST, &res, &err), MST_E_INTEGRITY, &err);
}

static void a_store_that_goes_back_is_noticed(void **state)
{
    struct fix *x = *state;
    const struct mst_cache_key key = {"rs0", "vault", ""};
    struct mst_seen seen;
    struct mst_db *db;
    struct mst_err err = {0};
    char out[280], path[96];

    (void)snprintf(path, sizeof(path), "%s/seen.db", x->dir);
    assert_ok(mst_db_open(path, &db, &err), &err);
    assert_rc(mst_seen_load(db, &key, &seen, &err), MST_E_NOTFOUND, &err);
    assert_ok(mst_seen_save(db, &key, SECOND, 7, &err), &err);
    assert_ok(mst_seen_save(db, &key, FIRST, 6, &err), &err); /* changes nothing */
    assert_ok(mst_seen_load(db, &key, &seen, &err), &err);
    assert_int_equal(seen.counter, 7);
    assert_string_equal(seen.id, SECOND);
    mst_rollback_judge(seen.counter, seen.id, 6, out);
    assert_non_null(strstr(out, "the store went back: number 7 (" SECOND ")"));
    mst_rollback_judge(seen.counter, seen.id, 7, out);
    assert_string_equal(out, "");
    mst_rollback_judge(0, "", 0, out);
    assert_string_equal(out, "");
    mst_db_close(db);
}

static void the_one_before_is_found_by_its_id(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};
    struct mst_before b;

    assert_ok(mst_catalog_before(&x->f.c, SECOND, NULL, &b, &err), &err);
    assert_string_equal(b.sha, x->f.previous);
    assert_string_equal(b.id, FIRST);
    assert_int_equal(b.counter, 1);
    assert_ok(mst_catalog_before(&x->f.c, FIRST, NULL, &b, &err), &err);
    assert_string_equal(b.sha, "");
    assert_ok(mst_catalog_before(&x->f.c, "2027-11-22T22-30-00Z-full", NULL, &b, &err), &err);
    assert_string_equal(b.sha, x->f.sha_commit);
    assert_int_equal(b.counter, 2);
}

/* Whoever can only write must not lead the chain past what is there. */
static void a_forged_one_is_not_the_one_before(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};
    struct mst_before b;

    x->f.c.signer = &x->stranger;
    (void)mst_copy(x->f.id, sizeof(x->f.id), "2026-11-24T22-30-00Z-full");
    x->f.counter = 900;
    assert_ok(fake_make(&x->f, &err), &err);
    assert_ok(mst_catalog_before(&x->f.c, "2027-11-22T22-30-00Z-full", NULL, &b, &err), &err);
    assert_string_equal(b.id, SECOND);
    assert_int_equal(b.counter, 2);
}

static void words_say_what_is_known_and_no_more(void **state)
{
    static const struct {
        struct mst_backup b;
        const char *trust, *level;
    } rows[] = {
        {{.finished_wall_ms = 1}, "UNSEALED, UNSIGNED", "read back"},
        {{.finished_wall_ms = 1,
          .sealed = true,
          .signature = MST_SIGNED_GOOD,
          .signer = "db1 (a)",
          .verified_level = 2},
         "sealed, signed by db1 (a)",
         "read back"},
        {{.finished_wall_ms = 1,
          .sealed = true,
          .signature = MST_SIGNED_UNCHECKED,
          .signer = "a",
          .verified_level = 1},
         "sealed, signed, not checked, by a",
         "hashed, not opened"},
        {{.finished_wall_ms = 1, .sealed = true, .signature = MST_SIGNED_FORGED, .signer = "a"},
         "sealed, FORGED",
         "hashed, not opened"},
        {{.sealed = true}, "", "hashed, not opened"}, /* nothing of it could be read */
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        char out[160];

        assert_string_equal(mst_backup_trust_words(&rows[i].b, out), rows[i].trust);
        assert_string_equal(mst_backup_level_words(&rows[i].b), rows[i].level);
    }
}

static void an_unsealed_backup_leaves_this_host_only_when_the_store_says_so(void **state)
{
    static const struct {
        bool sealed, local, allowed;
        enum mst_rc want;
    } rows[] = {
        {true, false, false, MST_OK},         {true, true, false, MST_OK},
        {false, true, false, MST_OK},         {false, false, true, MST_OK},
        {false, false, false, MST_E_PRECOND}, {true, false, true, MST_OK},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct mst_err err = {0};

        assert_int_equal(
            mst_seal_allowed(rows[i].sealed, rows[i].local, rows[i].allowed, "far", &err),
            rows[i].want);
        assert_true(rows[i].want == MST_OK || strstr(err.msg, "UNSEALED"));
    }
}

static void marks_and_commits_survive_a_round_trip_with_their_signature(void **state)
{
    struct fix *x = *state;
    struct mst_commit c = {.id = FIRST, .attempt = FAKE_ATTEMPT, .counter = 41}, back;
    struct mst_str s = {0};
    struct mst_judgement j;
    struct mst_err err = {0};

    memset(c.header_sha, 'a', 64);
    memset(c.manifest_sha, 'b', 64);
    memset(c.previous, 'c', 64);
    assert_ok(mst_commit_put(&c, &x->signer, &s, &err), &err);
    assert_ok(mst_commit_get(s.p, s.len, &back, &err), &err);
    assert_int_equal(back.counter, 41);
    assert_string_equal(back.previous, c.previous);
    assert_string_equal(back.signer, x->signer.id);
    mst_trust_judge(&x->trust, s.p, s.len, back.signer, back.signature, &j);
    assert_int_equal(j.how, MST_SIGNED_GOOD);
    for (size_t i = 20; i < s.len; i += 7) { /* any byte: it is noticed by hash or signature */
        s.p[i] ^= 1;
        if (mst_commit_get(s.p, s.len, &back, &err) == MST_OK) {
            fail_msg("a flipped bit at %zu was not noticed", i);
        }
        mst_trust_judge(&x->trust, s.p, s.len, x->signer.id, back.signature, &j);
        assert_int_not_equal(j.how, MST_SIGNED_GOOD);
        s.p[i] ^= 1;
    }
    mst_str_release(&s);
    assert_ok(mst_commit_put(&c, NULL, &s, &err), &err); /* unsigned: the old form, byte for byte */
    assert_null(strstr(s.p, "previous"));
    assert_non_null(strstr(s.p, "\"signer\":\"\",\"signature\":\"\""));
    mst_str_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_say_what_is_known_and_no_more),
        cmocka_unit_test(an_unsealed_backup_leaves_this_host_only_when_the_store_says_so),
        BARE(marks_and_commits_survive_a_round_trip_with_their_signature),
        MADE(a_commit_by_a_stranger_is_forged),
        MADE(a_changed_commit_with_the_old_signature_is_forged),
        MADE(a_commit_without_signature_is_unsigned_where_signers_are_named),
        MADE(a_signature_that_nobody_can_judge_is_not_called_good),
        MADE(a_mark_of_a_stranger_proves_nothing),
        cmocka_unit_test(judging_is_a_table),
        TWO(a_backup_that_is_left_out_is_missed_by_the_next),
        TWO(an_old_commit_that_is_put_back_is_found),
        TWO(a_renamed_backup_is_found),
        MADE(a_backup_of_another_set_is_found),
        BARE(a_store_that_goes_back_is_noticed),
        TWO(the_one_before_is_found_by_its_id),
        TWO(a_forged_one_is_not_the_one_before),
    };

    return cmocka_run_group_tests_name("signed", tests, NULL, NULL);
}
