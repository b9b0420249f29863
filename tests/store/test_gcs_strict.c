/* The driver for Google Cloud Storage against a server that is stricter than the real one: writes,
 * reads and listings, and each of their calls failed at each step. */
#include "gcs_kit.h"

#include "store/asof.h"
#include "store/gcs_own.h"

static const size_t sizes[] = {
    0, 1, KIT_CHUNK - 1, KIT_CHUNK, KIT_CHUNK + 1, 2 * KIT_CHUNK, 3 * KIT_CHUNK + 77};

static void objects_of_all_sizes_are_written_and_read_back(void **state)
{
    struct kit *k = *state;

    for (size_t i = 0; i < MST_COUNT(sizes); i++) {
        uint8_t *p = kit_data(sizes[i], (unsigned)i);
        char *key = mst_xasprintf("a/size %zu", i), *name = mst_xasprintf("rs0/%s", key);
        struct mst_buf back = {0};
        struct mst_err err = {0};
        uint64_t bytes = 1;

        assert_ok(kit_put(k, key, p, sizes[i], &err), &err);
        assert_true(gcsd_has(k->d, name, p, sizes[i]));
        assert_ok(mst_store_stat(k->s, key, &bytes, &err), &err);
        assert_int_equal(bytes, sizes[i]);
        assert_ok(mst_store_read_all(k->s, key, (size_t)4 << 20, &back, &err), &err);
        assert_int_equal(back.len, sizes[i]);
        assert_true(sizes[i] == 0 || memcmp(back.p, p, sizes[i]) == 0);
        mst_buf_release(&back);
        free(p);
        free(key);
        free(name);
    }
    assert_int_equal(gcsd_sessions(k->d), 0);
    kit_no_complaints(k);
}

static void a_name_that_is_taken_is_left_alone(void **state)
{
    struct kit *k = *state;
    uint8_t *p = kit_data(2 * KIT_CHUNK + 5, 1);
    struct mst_err err = {0};

    gcsd_put(k->d, "rs0/COMMIT", "theirs", 6);
    assert_rc(kit_put(k, "COMMIT", p, 10, &err), MST_E_EXISTS, &err);
    assert_string_equal(err.msg, "COMMIT exists already in the store cloud");
    assert_rc(kit_put(k, "COMMIT", p, 2 * KIT_CHUNK + 5, &err), MST_E_EXISTS, &err);
    assert_true(gcsd_has(k->d, "rs0/COMMIT", "theirs", 6));
    assert_int_equal(gcsd_sessions(k->d), 0);
    free(p);
    kit_no_complaints(k);
}

static void a_put_that_is_aborted_leaves_nothing(void **state)
{
    struct kit *k = *state;
    uint8_t *p = kit_data(3 * KIT_CHUNK, 1);
    struct mst_store_put *put;
    struct mst_err err = {0};

    assert_ok(mst_store_put_begin(k->s, "x", &put, &err), &err);
    assert_ok(mst_store_put_add(put, p, 3 * KIT_CHUNK, &err), &err);
    assert_int_equal(gcsd_sessions(k->d), 1);
    mst_store_put_abort_take(put);
    assert_int_equal(gcsd_sessions(k->d), 0);
    assert_int_equal(gcsd_objects(k->d), 0);
    free(p);
    kit_no_complaints(k);
}

/* --- one failure at each step --- */

struct step {
    enum gcsd_kind kind;
    unsigned nth;
};
static const enum gcsd_what hurts[] = {GCSD_RESET, GCSD_RESET_AFTER, GCSD_STATUS, GCSD_STATUS_AFTER,
                                       GCSD_TRUNCATE};

static void one_step(struct kit *k, const struct step *s, enum gcsd_what what, size_t n)
{
    uint8_t *p = kit_data(n, (unsigned)s->kind * 10 + s->nth);
    struct mst_err err = {0};
    const size_t before = gcsd_objects(k->d);
    char *key = mst_xasprintf("k%u-%u-%u-%zu", (unsigned)s->kind, s->nth, (unsigned)what, n);
    char *name = mst_xasprintf("rs0/%s", key);

    gcsd_plan_none(k->d);
    kit_fault(k, s->kind, s->nth, 1, what);
    if (kit_put(k, key, p, n, &err) != MST_OK) {
        fail_msg("%s: %s", key, err.msg);
    }
    assert_int_equal(gcsd_struck(k->d), 1);
    assert_true(gcsd_has(k->d, name, p, n));
    assert_int_equal(gcsd_objects(k->d), before + 1);
    free(p);
    free(key);
    free(name);
}

static void every_call_of_an_upload_may_fail_once(void **state)
{
    static const struct step large[] = {
        {GCSD_START, 1}, {GCSD_CHUNK, 1}, {GCSD_CHUNK, 2}, {GCSD_CHUNK, 3}};
    static const struct step small[] = {{GCSD_MULTIPART, 1}};
    struct kit *k = *state;

    for (size_t w = 0; w < MST_COUNT(hurts); w++) {
        one_step(k, &small[0], hurts[w], 5000);
        for (size_t i = 0; i < MST_COUNT(large); i++) {
            one_step(k, &large[i], hurts[w], 2 * KIT_CHUNK + 9);
        }
    }
    kit_no_complaints(k);
}

static void an_upload_whose_calls_fail_for_ever_fails_and_shows_nothing(void **state)
{
    static const enum gcsd_kind kinds[] = {GCSD_MULTIPART, GCSD_START, GCSD_CHUNK};
    struct kit *k = *state;

    k->tries = 2;
    kit_open(k, "rs0");
    for (size_t i = 0; i < MST_COUNT(kinds); i++) {
        const size_t n = kinds[i] == GCSD_MULTIPART ? 100 : 2 * KIT_CHUNK + 9;
        uint8_t *p = kit_data(n, 3);
        struct mst_err err = {0};

        gcsd_plan_none(k->d);
        kit_fault(k, kinds[i], 1, UINT_MAX, GCSD_STATUS);
        kit_fault(k, GCSD_QUERY, 1, UINT_MAX, GCSD_STATUS);
        assert_rc(kit_put(k, "x", p, n, &err), MST_E_NET, &err);
        assert_non_null(strstr(err.msg, "after 2 tries in "));
        assert_non_null(strstr(err.msg, "cannot write x: the store cloud (bucket "));
        assert_non_null(strstr(err.msg, " answered 503 (backendError): as it was planned"));
        assert_int_equal(gcsd_objects(k->d), 0);
        gcsd_plan_none(k->d);
        assert_int_equal(gcsd_sessions(k->d), 0);
        free(p);
    }
    kit_no_complaints(k);
}

static void a_lost_reply_is_told_from_anothers_object(void **state)
{
    struct kit *k = *state;
    struct mst_err err = {0};

    gcsd_put(k->d, "rs0/theirs", "12345", 5);
    kit_fault(k, GCSD_MULTIPART, 1, 1,
              GCSD_RESET); /* it may have gone out: then the name is taken */
    assert_rc(kit_put(k, "theirs", (const uint8_t *)"12345", 5, &err), MST_E_EXISTS, &err);
    assert_int_equal(gcsd_struck(k->d), 1);
    gcsd_plan_none(k->d);
    kit_fault(k, GCSD_MULTIPART, 1, 1, GCSD_RESET_AFTER);
    assert_ok(kit_put(k, "ours", (const uint8_t *)"12345", 5, &err), &err);
    assert_int_equal(gcsd_count(k->d, GCSD_MULTIPART), 4); /* the second try found it taken */
    kit_no_complaints(k);
}

static void a_chunk_that_is_kept_in_part_goes_on_where_it_ended(void **state)
{
    struct kit *k = *state;
    const size_t n = 5 * KIT_CHUNK + 11;
    uint8_t *p = kit_data(n, 5);
    struct mst_err err = {0};

    kit_fault(k, GCSD_CHUNK, 6, 1, GCSD_PARTIAL);
    assert_ok(kit_put(k, "x", p, n, &err), &err);
    assert_true(gcsd_has(k->d, "rs0/x", p, n));
    free(p);
    kit_no_complaints(k);
}

static void a_forgotten_session_is_begun_anew_only_while_all_is_still_here(void **state)
{
    struct kit *k = *state;
    const size_t n = 3 * KIT_CHUNK + 11;
    uint8_t *p = kit_data(n, 5);
    struct mst_err err = {0};

    kit_fault(k, GCSD_CHUNK, 1, 1, GCSD_FORGET);
    assert_ok(kit_put(k, "x", p, n, &err), &err);
    assert_true(gcsd_has(k->d, "rs0/x", p, n));
    assert_int_equal(gcsd_count(k->d, GCSD_START), 2);
    gcsd_plan_none(k->d);
    kit_fault(k, GCSD_CHUNK, 3, 1, GCSD_FORGET);
    assert_rc(kit_put(k, "y", p, n, &err), MST_E_ABORTED, &err);
    assert_non_null(strstr(err.msg, "forgot the upload in its middle; nothing is visible there"));
    assert_int_equal(gcsd_objects(k->d), 1);
    free(p);
    kit_no_complaints(k);
}

/* The answer to the last piece was lost, and the session with it: the object may be there. */
static void what_cannot_be_looked_at_is_not_said_to_be_nothing(void **state)
{
    struct kit *k = *state;
    const size_t n = 3 * KIT_CHUNK + 11;
    uint8_t *p = kit_data(n, 5);
    struct mst_err err = {0};

    kit_fault(k, GCSD_CHUNK, 4, 1, GCSD_RESET_AFTER);
    kit_fault(k, GCSD_QUERY, 1, 1, GCSD_FORGET);
    gcsd_plan(k->d, &(struct gcsd_fault){.kind = GCSD_STAT,
                                         .times = UINT_MAX,
                                         .what = GCSD_STATUS,
                                         .status = 403,
                                         .reason = "forbidden"});
    assert_rc(kit_put(k, "x", p, n, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "it is not known whether x was written"));
    assert_true(gcsd_has(k->d, "rs0/x", p, n)); /* it was */
    gcsd_plan_none(k->d);
    memset(&err, 0, sizeof(err));
    kit_fault(k, GCSD_CHUNK, 4, 1, GCSD_RESET_AFTER);
    kit_fault(k, GCSD_QUERY, 1, 1, GCSD_FORGET);
    assert_ok(kit_put(k, "y", p, n, &err), &err); /* its word says that it is ours */
    assert_true(gcsd_has(k->d, "rs0/y", p, n));
    free(p);
    kit_no_complaints(k);
}

static void what_is_stored_wrongly_is_removed_and_said(void **state)
{
    struct kit *k = *state;
    uint8_t *p = kit_data(KIT_CHUNK + 11, 5);
    struct mst_err err = {0};

    kit_fault(k, GCSD_MULTIPART, 1, 1, GCSD_WRONG_CRC);
    kit_fault(k, GCSD_CHUNK, 2, 1, GCSD_WRONG_CRC);
    assert_rc(kit_put(k, "x", p, 9, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "it was removed again"));
    assert_rc(kit_put(k, "x", p, KIT_CHUNK + 11, &err), MST_E_INTEGRITY, &err);
    assert_int_equal(gcsd_objects(k->d), 0);
    gcsd_plan_none(k->d);
    kit_fault(k, GCSD_MULTIPART, 1, 1, GCSD_NO_CRC);
    gcsd_plan(k->d, &(struct gcsd_fault){.kind = GCSD_DELETE,
                                         .times = UINT_MAX,
                                         .what = GCSD_STATUS,
                                         .status = 403,
                                         .reason = "forbidden"});
    assert_rc(kit_put(k, "x", p, 9, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "does not say size and checksum of x"));
    assert_non_null(strstr(err.msg, "it stands there and is not good: cannot remove x: "));
    free(p);
    kit_no_complaints(k);
}

/* --- reading --- */

static void ranges_end_where_the_object_ends(void **state)
{
    struct kit *k = *state;
    struct mst_err err = {0};
    char buf[16];
    size_t got = 9;

    gcsd_put(k->d, "rs0/ten", "0123456789", 10);
    gcsd_put(k->d, "rs0/none", "", 0);
    assert_ok(mst_store_read(k->s, "ten", 3, buf, 4, &got, &err), &err);
    assert_int_equal(got, 4);
    assert_memory_equal(buf, "3456", 4);
    assert_ok(mst_store_read(k->s, "ten", 8, buf, 9, &got, &err), &err);
    assert_int_equal(got, 2);
    assert_ok(mst_store_read(k->s, "ten", 10, buf, 9, &got, &err), &err);
    assert_int_equal(got, 0);
    assert_ok(mst_store_read(k->s, "none", 0, buf, 9, &got, &err), &err);
    assert_int_equal(got, 0);
    assert_rc(mst_store_read(k->s, "nowhere", 0, buf, 9, &got, &err), MST_E_NOTFOUND, &err);
    kit_no_complaints(k);
}

static void who_reads_in_order_is_read_ahead_for(void **state)
{
    const size_t n = ((size_t)9 << 20) + 3, step = 100000;
    struct kit *k = *state;
    uint8_t *p = kit_data(n, 4), *back = mst_xmalloc(n + step);
    struct mst_err err = {0};
    size_t at = 0, got = 1;
    unsigned before;

    gcsd_put(k->d, "rs0/x", p, n);
    while (got > 0) {
        assert_ok(mst_store_read(k->s, "x", at, back + at, step, &got, &err), &err);
        assert_true(got == step || at + got == n);
        at += got;
    }
    assert_int_equal(at, n);
    assert_memory_equal(back, p, n);
    assert_true(gcsd_count(k->d, GCSD_READ) <= 5);
    before = gcsd_count(k->d, GCSD_READ);
    assert_ok(mst_store_read(k->s, "x", n - 7, back, 20, &got, &err), &err); /* is still here */
    assert_int_equal(got, 7);
    assert_memory_equal(back, p + n - 7, 7);
    assert_int_equal(gcsd_count(k->d, GCSD_READ), before);
    assert_ok(mst_store_read(k->s, "x", 12345, back, 99, &got, &err), &err); /* and this is not */
    assert_memory_equal(back, p + 12345, 99);
    assert_ok(mst_store_delete(k->s, "x", &err), &err);
    assert_rc(mst_store_read(k->s, "x", n - 7, back, 20, &got, &err), MST_E_NOTFOUND, &err);
    free(p);
    free(back);
    kit_no_complaints(k);
}

static void a_read_that_is_cut_or_refused_is_repeated(void **state)
{
    static const enum gcsd_what what[] = {GCSD_RESET, GCSD_TRUNCATE, GCSD_STATUS, GCSD_STALL};
    struct kit *k = *state;
    uint8_t *p = kit_data(50000, 1), *back = mst_xmalloc(50000);
    struct mst_err err = {0};
    size_t got;

    gcsd_put(k->d, "rs0/x", p, 50000);
    for (size_t i = 0; i < MST_COUNT(what); i++) {
        gcsd_plan_none(k->d);
        gcsd_plan(k->d, &(struct gcsd_fault){.kind = GCSD_READ, .what = what[i], .ms = 4000});
        assert_ok(mst_store_read(k->s, "x", 0, back, 50000, &got, &err), &err);
        assert_int_equal(gcsd_struck(k->d), 1);
        assert_int_equal(got, 50000);
        assert_memory_equal(back, p, 50000);
    }
    free(p);
    free(back);
    kit_no_complaints(k);
}

/* The repeats of a job are shared by its calls; when they are used up, that is said. */
static void a_job_repeats_so_many_calls_and_no_more(void **state)
{
    struct kit *k = *state;
    struct mst_task job;
    struct mst_err err = {0};
    char back[4];
    size_t got;

    gcsd_put(k->d, "rs0/x", (const uint8_t *)"text", 4);
    assert_ok(mst_task_init(&job, &err), &err);
    job.repeats_max = 1;
    mst_store_work_for(&job);
    kit_fault(k, GCSD_READ, 1, 3, GCSD_RESET);
    assert_int_not_equal(mst_store_read(k->s, "x", 0, back, 4, &got, &err), MST_OK);
    assert_int_equal(gcsd_struck(k->d), 2);
    assert_non_null(strstr(err.msg, "the job has repeated 1 calls more than went well"));
    assert_non_null(strstr(err.msg, "after 2 tries in "));
    mst_store_work_for(NULL);
    assert_ok(mst_store_read(k->s, "x", 0, back, 4, &got, &err), &err);
    assert_memory_equal(back, "text", 4);
    mst_task_release(&job);
}

/* Half as much at once from then on, and one more after each sixteen that went well. */
static void who_is_told_to_slow_down_does_so_until_it_goes_well_again(void **state)
{
    struct kit *k = *state;
    struct mst_http *http = gcs_of(k->s)->http;
    struct mst_err err = {0};
    uint64_t bytes;

    gcsd_put(k->d, "rs0/x", "text", 4);
    assert_int_equal(mst_http_at_once(http), 4);
    for (int status = 429; status <= 503; status += 503 - 429) {
        gcsd_plan(k->d, &(struct gcsd_fault){.kind = GCSD_STAT,
                                             .what = GCSD_STATUS,
                                             .status = status,
                                             .reason = "rateLimitExceeded"});
        assert_ok(mst_store_stat(k->s, "x", &bytes, &err), &err);
        assert_int_equal(mst_http_at_once(http), 1); /* half of the one call that went on */
        for (unsigned i = 1; i < 16 * 3; i++) {
            assert_ok(mst_store_stat(k->s, "x", &bytes, &err), &err);
        }
        assert_int_equal(mst_http_at_once(http), 4);
    }
    kit_no_complaints(k);
}

static void what_changed_on_the_way_or_in_between_is_noticed(void **state)
{
    struct kit *k = *state;
    struct mst_err err = {0};
    char buf[16];
    size_t got;

    gcsd_put(k->d, "rs0/x", "0123456789", 10);
    kit_fault(k, GCSD_READ, 2, 1, GCSD_FLIP);
    assert_ok(mst_store_read(k->s, "x", 0, buf, 5, &got, &err), &err);
    assert_rc(mst_store_read(k->s, "x", 5, buf, 5, &got, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "x was read with CRC32C "));
    assert_int_equal(got, 0);
    assert_ok(mst_store_read(k->s, "x", 0, buf, 5, &got, &err), &err);
    gcsd_put(k->d, "rs0/x", "abcdefghij", 10);
    assert_rc(mst_store_read(k->s, "x", 5, buf, 5, &got, &err), MST_E_INTEGRITY, &err);
    assert_string_equal(err.msg, "x was replaced while it was read");
    gcsd_plan_none(k->d);
    gcsd_put(k->d, "rs0/y", "0123456789", 10);
    kit_fault(k, GCSD_READ, 1, 1, GCSD_NO_RANGE);
    assert_rc(mst_store_read(k->s, "y", 2, buf, 12, &got, &err), MST_E_SERVER, &err);
    assert_non_null(strstr(err.msg, "does not keep to ranges"));
    kit_no_complaints(k);
}

/* --- listing, deleting, locks --- */

struct seen {
    size_t n, stop;
    char key[40][MST_KEY_MAX];
    uint64_t bytes;
};

static bool see(void *arg, const struct mst_store_item *item)
{
    struct seen *s = arg;

    (void)mst_copy(s->key[s->n++], MST_KEY_MAX, item->key);
    s->bytes += item->bytes;
    return s->n != s->stop;
}

static void a_listing_goes_through_all_pages_in_order(void **state)
{
    struct kit *k = *state;
    struct seen *s = mst_xcalloc(1, sizeof(*s));
    struct mst_err err = {0};

    for (unsigned i = 0; i < 11; i++) {
        char *name = mst_xasprintf("rs0/a/%02u", i);

        gcsd_put(k->d, name, "abc", 3);
        free(name);
    }
    gcsd_put(k->d, "rs0/ab", "x", 1); /* no object below a */
    gcsd_put(k->d, "other/a/00", "x", 1);
    gcsd_put(k->d, "rs0/a/\xc3\xa4 \"\\n", "x", 1); /* a backslash is no part of a key */
    gcsd_put(k->d, "rs0/a/../../etc", "x", 1);
    gcsd_put(k->d, "rs0/a/new\nline", "x", 1);
    assert_ok(mst_store_list(k->s, "a", see, s, NULL, &err), &err);
    assert_int_equal(s->n, 11);
    assert_string_equal(s->key[0], "a/00");
    assert_string_equal(s->key[10], "a/10");
    assert_int_equal(s->bytes, 33);
    memset(s, 0, sizeof(*s));
    s->stop = 2;
    assert_ok(mst_store_list(k->s, "", see, s, NULL, &err), &err);
    assert_int_equal(s->n, 2);
    free(s);
    kit_no_complaints(k);
}

static bool note_version(void *arg, const struct mst_store_version *v)
{
    mst_str_addf(arg, "%s %llu%s%s\n", v->key, (unsigned long long)v->bytes,
                 v->newest ? " newest" : "", v->deleted ? " deleted" : "");
    assert_true(v->modified_wall_ms > 0 && (v->deleted || v->version[0]));
    return true;
}

static void versions_come_newest_first_and_what_is_gone_is_said(void **state)
{
    struct kit *k = *state;
    struct mst_str all = {0};
    struct mst_err err = {0};

    gcsd_versions(k->d);
    gcsd_put(k->d, "rs0/a", "1", 1);
    gcsd_put(k->d, "rs0/a", "22", 2);
    gcsd_put(k->d, "rs0/b/c", "1", 1);
    gcsd_put(k->d, "rs0/a", "333", 3);
    gcsd_put(k->d, "rs0/d", "1", 1);
    assert_ok(mst_store_delete(k->s, "b/c", &err), &err);
    assert_ok(mst_store_versions(k->s, "", note_version, &all, NULL, &err), &err);
    assert_string_equal(all.p, "a 3 newest\na 2\na 1\nb/c 0 newest deleted\nb/c 1\nd 1 newest\n");
    mst_str_reset(&all);
    assert_ok(mst_store_versions(k->s, "b", note_version, &all, NULL, &err), &err);
    assert_string_equal(all.p, "b/c 0 newest deleted\nb/c 1\n");
    mst_str_release(&all);
    kit_no_complaints(k);
}

/* The server says of everything that it was made at 22:30 and removed at 10:00 the next day. */
static void what_is_gone_is_read_as_it_stood_before(void **state)
{
    struct kit *k = *state;
    struct mst_store *past = NULL;
    struct mst_err err = {0};
    struct mst_buf b = {0};
    uint8_t *data = kit_data(3 * KIT_CHUNK, 9);
    uint64_t bytes;

    gcsd_versions(k->d);
    gcsd_put(k->d, "rs0/b/c", data, 3 * KIT_CHUNK);
    assert_ok(mst_store_delete(k->s, "b/c", &err), &err);
    assert_ok(
        mst_store_asof_open(k->s, "b", mst_time_parse("2026-11-23T09:59:59Z"), NULL, &past, &err),
        &err);
    assert_ok(mst_store_read_all(past, "b/c", 3 * KIT_CHUNK, &b, &err), &err);
    assert_int_equal(b.len, 3 * KIT_CHUNK);
    assert_memory_equal(b.p, data, b.len);
    mst_buf_release(&b);
    mst_store_free(past);
    assert_ok(
        mst_store_asof_open(k->s, "", mst_time_parse("2026-11-23T10:00:01Z"), NULL, &past, &err),
        &err);
    assert_rc(mst_store_stat(past, "b/c", &bytes, &err), MST_E_NOTFOUND, &err);
    mst_store_free(past);
    /* A later one of the same name is another one. */
    gcsd_put(k->d, "rs0/b/c", "new", 3);
    assert_ok(mst_store_stat(k->s, "b/c", &bytes, &err), &err);
    assert_int_equal(bytes, 3);
    free(data);
    kit_no_complaints(k);
}

static void a_listing_without_end_is_refused(void **state)
{
    struct kit *k = *state;
    struct seen *s = mst_xcalloc(1, sizeof(*s));
    struct mst_err err = {0};

    for (unsigned i = 0; i < 9; i++) {
        char *name = mst_xasprintf("rs0/%02u", i);

        gcsd_put(k->d, name, "abc", 3);
        free(name);
    }
    kit_fault(k, GCSD_LIST, 1, UINT_MAX, GCSD_SAME_PAGE);
    assert_rc(mst_store_list(k->s, "", see, s, NULL, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "it would never end"));
    gcsd_plan_none(k->d);
    kit_fault(k, GCSD_LIST, 1, UINT_MAX, GCSD_EMPTY_PAGES);
    assert_rc(mst_store_list(k->s, "", see, s, NULL, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "has no end: it sends"));
    assert_non_null(strstr(err.msg, " sends empty pages"));
    free(s);
    kit_no_complaints(k);
}

static void a_deleted_object_may_be_deleted_again_and_a_locked_one_not(void **state)
{
    struct kit *k = *state;
    struct mst_store_info info;
    struct mst_err err = {0};

    gcsd_put(k->d, "rs0/x", "abc", 3);
    gcsd_put(k->d, "rs0/y", "abc", 3);
    kit_fault(k, GCSD_DELETE, 1, 1, GCSD_RESET_AFTER);
    assert_ok(mst_store_delete(k->s, "x", &err), &err);
    assert_ok(mst_store_delete(k->s, "x", &err), &err);
    assert_ok(mst_store_lock(k->s, "y", "COMPLIANCE", mst_time_parse("2031-01-01T00:00:00Z"), &err),
              &err);
    assert_ok(mst_store_info(k->s, "y", &info, &err), &err);
    assert_string_equal(info.lock_mode, "COMPLIANCE");
    assert_int_equal(info.locked_until_ms, mst_time_parse("2031-01-01T00:00:00Z"));
    assert_int_equal(info.bytes, 3);
    assert_string_equal(info.checksum, "crc32c:Nks/tw==");
    assert_string_equal(info.hold, "");
    assert_rc(mst_store_lock(k->s, "y", "COMPLIANCE", mst_time_parse("2030-01-01T00:00:00Z"), &err),
              MST_E_PRECOND, &err);
    assert_string_equal(err.msg,
                        "y is locked until 2031-01-01T00:00:00Z: a lock is never shortened");
    assert_rc(mst_store_delete(k->s, "y", &err), MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, "(retentionPolicyNotMet)"));
    gcsd_put(k->d, "rs0/z", "abc", 3);
    gcsd_retain(k->d, "rs0/z", "", "", true);
    assert_ok(mst_store_info(k->s, "z", &info, &err), &err);
    assert_string_equal(info.hold, "temporary hold");
    assert_rc(mst_store_delete(k->s, "z", &err), MST_E_PRECOND, &err);
    kit_no_complaints(k);
}

static void what_the_store_can_do_is_asked(void **state)
{
    struct kit *k = *state;
    const struct mst_store_caps *caps;
    struct mst_store_keeps keeps;
    struct mst_err err = {0};

    assert_false(mst_store_caps(k->s)->create_only); /* nobody asked yet */
    assert_ok(mst_store_probe(k->s, NULL, &err), &err);
    caps = mst_store_caps(k->s);
    assert_true(caps->create_only && caps->checksums && caps->ranges && caps->versions);
    assert_true(caps->lock && caps->multipart && !caps->space);
    mst_store_keeps(k->s, NULL, &keeps);
    assert_int_equal(keeps.versions, 1);
    assert_int_equal(keeps.locks, 1);
    assert_string_equal(caps->text, "");
    assert_int_equal(gcsd_objects(k->d), 0);
    assert_int_equal(gcsd_sessions(k->d), 0);
}

static bool keep_class(void *arg, const struct mst_store_item *item)
{
    (void)mst_copy(arg, sizeof(item->storage_class), item->storage_class);
    return false;
}

/* Words of the service go to a terminal. */
static void what_the_service_calls_a_class_has_no_escape_codes(void **state)
{
    struct kit *k = *state;
    struct mst_gcs_opts o = {.bucket = KIT_BUCKET,
                             .prefix = "rs0",
                             .endpoint = gcsd_url(k->d),
                             .storage_class = "A\\u001b[2JB", /* it comes back as an escape */
                             .write = true,
                             .http = kit_http()};
    static char argv[2][MST_CFG_WORD] = {"/bin/echo", GCSD_COMMAND_TOKEN};
    const struct mst_cfg_list command = {.n = 2, .item = argv};
    const struct mst_gauth_opts a = {.token_command = &command, .http = kit_http()};
    struct mst_gauth *auth = NULL;
    struct mst_store *s = NULL;
    struct mst_store_info info;
    struct mst_err err = {0};
    char listed[32] = "";

    assert_ok(mst_gauth_new(&a, &auth, &err), &err);
    assert_ok(mst_store_gcs_open_take("cloud", &o, auth, &s, &err), &err);
    assert_ok(mst_store_put_all(s, "one", "1", 1, &err), &err);
    assert_ok(mst_store_list(s, "", keep_class, listed, NULL, &err), &err);
    assert_string_equal(listed, "A?[2JB");
    assert_ok(mst_store_info(s, "one", &info, &err), &err);
    assert_string_equal(info.storage_class, "A?[2JB");
    mst_store_free(s);
}

static void who_may_not_see_the_bucket_is_told_what_is_not_known(void **state)
{
    struct kit *k = *state;
    struct mst_err err = {0};

    gcsd_plan(k->d, &(struct gcsd_fault){.kind = GCSD_BUCKET,
                                         .times = UINT_MAX,
                                         .what = GCSD_STATUS,
                                         .status = 403,
                                         .reason = "forbidden"});
    assert_ok(mst_store_probe(k->s, NULL, &err), &err);
    assert_false(mst_store_caps(k->s)->lock);
    assert_string_equal(mst_store_caps(k->s)->text, "whether it keeps versions and locks is not "
                                                    "known (storage.buckets.get)");
}

/* Where backup.regions is set: the service itself does not mind what a client believes. */
static void a_bucket_elsewhere_gets_nothing_where_regions_are_named(void **state)
{
    struct kit *k = *state;
    struct mst_err err = {0};

    k->region = "europe-west3"; /* it is said in capitals */
    kit_open(k, "rs0");
    assert_ok(mst_store_put_all(k->s, "one", "1", 1, &err), &err);
    assert_ok(mst_store_put_all(k->s, "two", "2", 1, &err), &err);
    assert_int_equal(gcsd_count(k->d, GCSD_BUCKET), 1);
    k->region = "us-east1";
    kit_open(k, "rs0");
    assert_rc(mst_store_put_all(k->s, "three", "3", 1, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "is in EUROPE-WEST3 and not in us-east1"));
    k->region = "europe-west3";
    kit_open(k, "rs0");
    gcsd_plan(k->d, &(struct gcsd_fault){.kind = GCSD_BUCKET,
                                         .times = UINT_MAX,
                                         .what = GCSD_STATUS,
                                         .status = 403,
                                         .reason = "forbidden"});
    assert_rc(mst_store_put_all(k->s, "three", "3", 1, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "it needs storage.buckets.get"));
    assert_int_equal(gcsd_objects(k->d), 2);
    kit_no_complaints(k);
}

/* A service that is not Google's may take the condition and ignore it. */
static void a_service_that_overwrites_gets_nothing(void **state)
{
    struct kit *k = *state;
    struct mst_err err = {0};

    k->ask_first = true;
    kit_open(k, "rs0");
    assert_ok(mst_store_put_all(k->s, "one", "1", 1, &err), &err);
    gcsd_overwrites(k->d);
    assert_ok(mst_store_put_all(k->s, "two", "2", 1, &err), &err); /* asked once */
    kit_open(k, "rs0");
    for (int i = 0; i < 2; i++) {
        assert_rc(mst_store_put_all(k->s, "three", "3", 1, &err), MST_E_CONFIG, &err);
        assert_non_null(strstr(err.msg, "cannot keep two writers from overwriting each other"));
        assert_non_null(strstr(err.msg, "a multipart upload overwrites"));
    }
    assert_true(gcsd_has(k->d, "rs0/two", "2", 1));
    assert_int_equal(gcsd_objects(k->d), 2);
    kit_no_complaints(k);
}

#define T(name) cmocka_unit_test_setup_teardown(name, kit_up, kit_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(objects_of_all_sizes_are_written_and_read_back),
        T(a_name_that_is_taken_is_left_alone),
        T(a_put_that_is_aborted_leaves_nothing),
        T(every_call_of_an_upload_may_fail_once),
        T(an_upload_whose_calls_fail_for_ever_fails_and_shows_nothing),
        T(a_lost_reply_is_told_from_anothers_object),
        T(a_chunk_that_is_kept_in_part_goes_on_where_it_ended),
        T(a_forgotten_session_is_begun_anew_only_while_all_is_still_here),
        T(what_cannot_be_looked_at_is_not_said_to_be_nothing),
        T(what_is_stored_wrongly_is_removed_and_said),
        T(ranges_end_where_the_object_ends),
        T(who_reads_in_order_is_read_ahead_for),
        T(a_read_that_is_cut_or_refused_is_repeated),
        T(a_job_repeats_so_many_calls_and_no_more),
        T(who_is_told_to_slow_down_does_so_until_it_goes_well_again),
        T(what_changed_on_the_way_or_in_between_is_noticed),
        T(a_listing_goes_through_all_pages_in_order),
        T(versions_come_newest_first_and_what_is_gone_is_said),
        T(what_is_gone_is_read_as_it_stood_before),
        T(a_listing_without_end_is_refused),
        T(what_the_store_can_do_is_asked),
        T(what_the_service_calls_a_class_has_no_escape_codes),
        T(a_bucket_elsewhere_gets_nothing_where_regions_are_named),
        T(a_service_that_overwrites_gets_nothing),
        T(who_may_not_see_the_bucket_is_told_what_is_not_known),
        T(a_deleted_object_may_be_deleted_again_and_a_locked_one_not),
    };
    return cmocka_run_group_tests_name("gcs_strict", tests, NULL, NULL);
}
