/* The S3 driver against the strict server: every call of an upload is failed at every step in every
 * way, and so is every read; afterwards there is the exact object, or an error and nothing.
 */
#include "peer_kit.h"

#include <limits.h>

#define SMALL ((size_t)3000)
#define LARGE (2 * (size_t)MST_S3_PART_MIN + 100)

static struct s3d *d;
static struct mst_store *s;
static uint8_t *bytes; /* LARGE of them */

static void open_store(const struct mst_s3_conf *conf)
{
    struct mst_err err = {0};

    s = kit_open(s3d_endpoint(d), S3D_BUCKET_NAME, S3D_ACCESS, S3D_SECRET, S3D_REGION, *conf);
    assert_ok(mst_store_probe(s, NULL, &err), &err);
    s3d_complaints_reset(d); /* the probe tries a false checksum */
    s3d_count_reset(d);
}

static int start(void **state)
{
    (void)state;
    d = s3d_start(NULL);
    s = NULL;
    bytes = kit_bytes(LARGE, 7);
    open_store(&(struct mst_s3_conf){.wait_ms = 400});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    mst_store_free(s);
    s3d_stop(d);
    free(bytes);
    return 0;
}

/* Another server and store: nothing of one case is left in the next. Where nothing helps, there is
 * no use in waiting long. */
static void anew(bool always)
{
    mst_store_free(s);
    s3d_stop(d);
    d = s3d_start(NULL);
    open_store(&(struct mst_s3_conf){.wait_ms = always ? 100 : 400});
}

static void no_complaint(const char *of)
{
    struct mst_str all = {0};

    s3d_complaints(d, &all);
    if (all.len > 0) {
        fail_msg("%s: the server says: %s", of, all.p);
    }
    mst_str_release(&all);
}

/* A sentence for a person: it names the store, is one line, and holds no secret. */
static void fit_to_read(const char *of, const struct mst_err *err)
{
    if (!strstr(err->msg, "offsite") || strchr(err->msg, '\n') || strstr(err->msg, S3D_SECRET) ||
        strstr(err->msg, "Signature=") || strlen(err->msg) < 20) {
        fail_msg("%s: \"%s\"", of, err->msg);
    }
}

static const struct {
    const char *name;
    struct s3d_fault f;
} ways[] = {
    {"reset", {.what = S3D_RESET, .at = SIZE_MAX}},
    {"reset while it sends", {.what = S3D_RESET, .at = 50}},
    {"reply lost", {.what = S3D_RESET_AFTER}},
    {"stall", {.what = S3D_STALL, .ms = 250}},
    {"stall after the effect", {.what = S3D_STALL_AFTER, .ms = 250}},
    {"500", {.what = S3D_STATUS, .status = 500, .code = "InternalError"}},
    {"500 after the effect", {.what = S3D_STATUS_AFTER, .status = 500, .code = "InternalError"}},
    {"502 after the effect", {.what = S3D_STATUS_AFTER, .status = 502, .code = "BadGateway"}},
    {"503", {.what = S3D_STATUS, .status = 503, .code = "SlowDown"}},
    {"409", {.what = S3D_STATUS, .status = 409, .code = "ConditionalRequestConflict"}},
    {"403", {.what = S3D_STATUS, .status = 403, .code = "AccessDenied"}},
    {"507", {.what = S3D_STATUS, .status = 507, .code = "QuotaExceeded"}},
    {"expired", {.what = S3D_EXPIRED}},
    {"skewed", {.what = S3D_SKEWED}},
    {"wrong region", {.what = S3D_WRONG_REGION}},
    {"redirect", {.what = S3D_REDIRECT, .status = 307, .to = "http://127.0.0.1:1/vault/x"}},
    {"captive portal", {.what = S3D_HTML}},
    {"gzip", {.what = S3D_GZIP}},
    {"empty 200", {.what = S3D_EMPTY}},
    {"empty 500", {.what = S3D_EMPTY, .status = 500}},
    {"garbage", {.what = S3D_GARBAGE}},
    {"200 with an error", {.what = S3D_200_ERROR, .code = "InternalError"}},
    {"200 with a final error", {.what = S3D_200_ERROR, .code = "AccessDenied"}},
    {"wrong etag", {.what = S3D_WRONG_ETAG}},
    {"no etag", {.what = S3D_NO_ETAG}},
    {"truncated", {.what = S3D_TRUNCATE, .at = 20}},
    {"drip", {.what = S3D_DRIP, .ms = 1, .at = 7}},
};

/* After a put: the exact object, or an error and nothing of that name. true: it is there. */
static bool judge(const char *of, enum mst_rc rc, const struct mst_err *err, size_t n)
{
    size_t have = 0;
    uint8_t *p = s3d_get(d, "a/b", &have);

    if (rc == MST_OK && !(p && have == n && memcmp(p, bytes, n) == 0)) {
        fail_msg("%s: success is said, and the object is %s", of, p ? "another one" : "not there");
    }
    if (rc == MST_OK && err->msg[0]) {
        fail_msg("%s: success, and yet: %s", of, err->msg);
    }
    if (rc != MST_OK) {
        fit_to_read(of, err);
        if (p) {
            fail_msg("%s: %s is said, and there is an object of %zu bytes: %s", of, mst_rc_name(rc),
                     have, err->msg);
        }
    }
    free(p);
    s3d_remove(d, "a/b");
    return rc == MST_OK;
}

static void fail_step(enum s3d_kind kind, unsigned nth, size_t n, const char *step, bool always)
{
    unsigned good = 0;

    for (size_t i = 0; i < MST_COUNT(ways); i++) {
        struct s3d_fault f = ways[i].f;
        struct mst_err err = {0};
        char of[128];
        const unsigned before = s3d_struck(d);
        enum mst_rc rc;

        (void)snprintf(of, sizeof(of), "%s, %s%s", step, ways[i].name, always ? ", always" : "");
        f.kind = kind;
        f.nth = nth;
        f.times = always ? UINT_MAX : 0;
        f.key = "a/b";
        s3d_plan(d, &f);
        rc = kit_put(s, "a/b", bytes, n, &err);
        if (s3d_struck(d) == before) {
            fail_msg("%s: it never struck", of);
        }
        s3d_plan_none(d);
        good += judge(of, rc, &err, n);
        /* Only where the reply to its beginning was lost can an upload be left: of this call. */
        if (s3d_uploads(d) > 0 && kind != S3D_CREATE) {
            fail_msg("%s: %zu uploads are left: %s", of, s3d_uploads(d), err.msg);
        }
        no_complaint(of);
        anew(always);
    }
    print_message("%s%s: %u of %zu succeed\n", step, always ? ", always" : "", good,
                  MST_COUNT(ways));
}

static void a_small_put_fails_once(void **state)
{
    (void)state;
    fail_step(S3D_PUT, 1, SMALL, "put", false);
}

static void a_small_put_fails_always(void **state)
{
    (void)state;
    fail_step(S3D_PUT, 1, SMALL, "put", true);
}

static void the_beginning_of_an_upload_fails(void **state)
{
    (void)state;
    fail_step(S3D_CREATE, 1, LARGE, "create", false);
    fail_step(S3D_CREATE, 1, LARGE, "create", true);
}

static void a_part_fails_once(void **state)
{
    (void)state;
    fail_step(S3D_PART, 1, LARGE, "first part", false);
    fail_step(S3D_PART, 3, LARGE, "last part", false);
}

static void parts_fail_always(void **state)
{
    (void)state;
    fail_step(S3D_PART, 1, LARGE, "parts", true);
    fail_step(S3D_PART, 2, LARGE, "parts from the second on", true);
}

static void the_end_of_an_upload_fails_once(void **state)
{
    (void)state;
    fail_step(S3D_COMPLETE, 1, LARGE, "complete", false);
}

static void the_end_of_an_upload_fails_always(void **state)
{
    (void)state;
    fail_step(S3D_COMPLETE, 1, LARGE, "complete", true);
}

/* Giving up is failed too: at most the upload that was to be given up is left. */
static void giving_up_an_upload_fails(void **state)
{
    (void)state;
    for (int always = 0; always < 2; always++) {
        for (size_t i = 0; i < MST_COUNT(ways); i++) {
            struct s3d_fault f = ways[i].f;
            struct mst_store_put *put = NULL;
            struct mst_err err = {0};

            f.kind = S3D_ABORT;
            f.times = always ? UINT_MAX : 0;
            s3d_plan(d, &f);
            assert_ok(mst_store_put_begin(s, "a/b", &put, &err), &err);
            assert_ok(mst_store_put_add(put, bytes, LARGE, &err), &err);
            mst_store_put_abort_take(put);
            s3d_plan_none(d);
            assert_false(s3d_has(d, "a/b"));
            if (s3d_uploads(d) > 1) {
                fail_msg("%s: %zu uploads are left", ways[i].name, s3d_uploads(d));
            }
            no_complaint(ways[i].name);
            anew(always);
        }
    }
}

/* ---- reading ---- */

static bool read_exactly(struct mst_err *err)
{
    uint8_t *buf = mst_xmalloc(SMALL);
    size_t got = 0;
    const enum mst_rc rc = mst_store_read(s, "a/b", 0, buf, SMALL, &got, err);
    const bool same = got == SMALL && memcmp(buf, bytes, SMALL) == 0;

    free(buf);
    if (rc == MST_OK && !same) {
        fail_msg("success is said, and %zu other bytes came", got);
    }
    return rc == MST_OK;
}

static void reads_fail(void **state)
{
    static const struct s3d_fault more[] = {{.what = S3D_NO_RANGE}, {.what = S3D_WRONG_RANGE}};

    (void)state;
    for (int always = 0; always < 2; always++) {
        for (size_t i = 0; i < MST_COUNT(ways) + MST_COUNT(more); i++) {
            struct s3d_fault f = i < MST_COUNT(ways) ? ways[i].f : more[i - MST_COUNT(ways)];
            const char *of = i < MST_COUNT(ways) ? ways[i].name : "another range";
            struct mst_err err = {0};

            anew(always);
            s3d_put(d, "a/b", bytes, SMALL);
            f.kind = S3D_GET;
            f.times = always ? UINT_MAX : 0;
            f.key = "a/b";
            s3d_plan(d, &f);
            if (!read_exactly(&err)) {
                fit_to_read(of, &err);
            }
            s3d_plan_none(d);
            no_complaint(of);
        }
    }
}

/* A large object is read through while it breaks off again and again. */
static void a_long_read_goes_on_where_it_broke(void **state)
{
    struct mst_err err = {0};

    (void)state;
    s3d_put(d, "a/b", bytes, LARGE);
    for (unsigned i = 1; i <= 5; i++) {
        s3d_plan(d, &(struct s3d_fault){
                        .what = S3D_TRUNCATE, .kind = S3D_GET, .nth = 2 * i, .at = 1000 * i});
    }
    if (!kit_same(s, "a/b", bytes, LARGE, &err)) {
        fail_msg("%s", err.msg);
    }
    assert_true(s3d_struck(d) > 0);
    no_complaint("a long read");
}

/* One server says 200 where it should say 206: its Content-Range counts. */
static void a_range_with_another_status_is_no_end(void **state)
{
    struct mst_err err = {0};

    (void)state;
    s3d_put(d, "a/b", bytes, LARGE);
    s3d_plan(d, &(struct s3d_fault){.what = S3D_RANGE_200, .kind = S3D_GET, .times = UINT_MAX});
    if (!kit_same(s, "a/b", bytes, LARGE, &err)) {
        fail_msg("other bytes came: %s", err.msg);
    }
}

/* Two ranges are never spliced from two objects. */
static void an_object_that_changes_under_a_reader_is_noticed(void **state)
{
    uint8_t *buf = mst_xmalloc(LARGE);
    struct mst_err err = {0};
    enum mst_rc rc = MST_OK;
    uint64_t at = 0;
    size_t got = 1;

    (void)state;
    s3d_put(d, "a/b", bytes, LARGE);
    for (int i = 0; rc == MST_OK && got > 0; i++) {
        if (i == 1) {
            bytes[0] ^= 1;
            bytes[LARGE - 1] ^= 1;
            s3d_put(d, "a/b", bytes, LARGE);
        }
        rc = mst_store_read(s, "a/b", at, buf + at, LARGE - at < 1000000 ? LARGE - at : 1000000,
                            &got, &err);
        at += got;
    }
    if (rc == MST_OK) {
        fail_msg("the end of another object was read as if it belonged to the first");
    }
    fit_to_read("changed", &err);
    free(buf);
}

static void listings_fail_and_never_end(void **state)
{
    static const enum s3d_what endless[] = {S3D_SAME_TOKEN, S3D_SAME_PAGE};

    (void)state;
    s3d_fill(d, "many/", 2500, 1);
    for (int always = 0; always < 2; always++) {
        for (size_t i = 0; i < MST_COUNT(ways); i++) {
            struct s3d_fault f = ways[i].f;
            struct mst_err err = {0};
            struct kit_count c = {0};
            enum mst_rc rc;

            f.kind = S3D_LIST;
            f.nth = 2;
            f.at = f.what == S3D_DRIP ? 1000 : f.at;
            f.times = always ? UINT_MAX : 0;
            s3d_plan(d, &f);
            rc = mst_store_list(s, "many", kit_count_item, &c, NULL, &err);
            s3d_plan_none(d);
            if (rc == MST_OK ? c.n != 2500 : err.msg[0] == '\0') {
                fail_msg("%s: %s, %zu keys", ways[i].name, mst_rc_name(rc), c.n);
            }
            if (rc != MST_OK) {
                fit_to_read(ways[i].name, &err);
            }
            mst_str_release(&c.keys);
            mst_store_free(s);
            open_store(&(struct mst_s3_conf){.wait_ms = always ? 100 : 400});
        }
    }
    for (size_t i = 0; i < MST_COUNT(endless); i++) {
        struct mst_err err = {0};
        struct kit_count c = {0};

        s3d_count_reset(d);
        s3d_plan(d, &(struct s3d_fault){
                        .what = endless[i], .kind = S3D_LIST, .nth = 2, .times = UINT_MAX});
        assert_int_not_equal(mst_store_list(s, "many", kit_count_item, &c, NULL, &err), MST_OK);
        fit_to_read("endless", &err);
        assert_true(s3d_count(d, S3D_LIST) < 20);
        s3d_plan_none(d);
        mst_str_release(&c.keys);
    }
}

/* ---- behaviour ---- */

static void a_name_is_written_once(void **state)
{
    struct mst_err err = {0};
    size_t n = 0;
    uint8_t *p;

    (void)state;
    assert_ok(kit_put(s, "a/b", bytes, SMALL, &err), &err);
    assert_rc(kit_put(s, "a/b", bytes + 1, SMALL, &err), MST_E_EXISTS, &err);
    assert_rc(kit_put(s, "a/b", bytes, LARGE, &err), MST_E_EXISTS, &err);
    p = s3d_get(d, "a/b", &n);
    assert_int_equal(n, SMALL);
    assert_memory_equal(p, bytes, SMALL);
    free(p);
    assert_int_equal(s3d_uploads(d), 0);
    no_complaint("twice");
}

/* Another process wrote the name in between: theirs stays, ours is refused, also when the reply to
 * a first attempt was lost. */
static void a_lost_reply_does_not_hide_another_writer(void **state)
{
    struct mst_err err = {0};

    (void)state;
    s3d_put(d, "a/b", "theirs", 6);
    s3d_plan(d, &(struct s3d_fault){.what = S3D_RESET_AFTER, .kind = S3D_PUT, .key = "a/b"});
    assert_rc(kit_put(s, "a/b", bytes, SMALL, &err), MST_E_EXISTS, &err);
    s3d_plan_none(d);
    s3d_plan(d, &(struct s3d_fault){.what = S3D_RESET_AFTER, .kind = S3D_COMPLETE, .key = "a/b"});
    assert_rc(kit_put(s, "a/b", bytes, LARGE, &err), MST_E_EXISTS, &err);
    assert_int_equal(s3d_uploads(d), 0);
}

static void a_clock_an_hour_off_is_mended_once(void **state)
{
    struct mst_err err = {0};
    unsigned before;

    (void)state;
    s3d_clock(d, 3600 * 1000);
    assert_ok(kit_put(s, "a/b", bytes, SMALL, &err), &err);
    before = s3d_count(d, S3D_PUT);
    assert_ok(kit_put(s, "a/c", bytes, SMALL, &err), &err);
    assert_int_equal(s3d_count(d, S3D_PUT), before + 1); /* remembered */
}

static void another_region_is_learnt_once(void **state)
{
    struct mst_err err = {0};
    unsigned before;

    (void)state;
    s3d_region(d, "us-west-7");
    assert_ok(kit_put(s, "a/b", bytes, SMALL, &err), &err);
    before = s3d_count(d, S3D_PUT);
    assert_ok(kit_put(s, "a/c", bytes, SMALL, &err), &err);
    assert_int_equal(s3d_count(d, S3D_PUT), before + 1);
}

/* The token runs out between two parts. */
static void a_session_runs_out_in_the_middle_of_an_upload(void **state)
{
    struct mst_store_put *put = NULL;
    struct mst_err err = {0};

    (void)state;
    (void)mst_copy(kit_login_.token, sizeof(kit_login_.token), "first");
    (void)mst_copy(kit_login_.fresh_token, sizeof(kit_login_.fresh_token), "second");
    s3d_token(d, "first", mst_clock_utc_ms(NULL) + 3600 * 1000);
    assert_ok(mst_store_put_begin(s, "a/b", &put, &err), &err);
    assert_ok(mst_store_put_add(put, bytes, MST_S3_PART_MIN + 10, &err), &err);
    for (int i = 0; i < 200 && s3d_count(d, S3D_PART) < 1; i++) {
        mst_clock_sleep_ms(10);
    }
    s3d_token(d, "first", 1); /* it has run out; from the refusal on there is another one */
    s3d_next_token(d, "second");
    assert_ok(
        mst_store_put_add(put, bytes + MST_S3_PART_MIN + 10, LARGE - MST_S3_PART_MIN - 10, &err),
        &err);
    assert_ok(mst_store_put_finish_take(put, &err), &err);
    assert_true(kit_login_.fresh >= 1);
    assert_true(judge("expired", MST_OK, &err, LARGE));
    assert_int_equal(s3d_uploads(d), 0);
}

static void credentials_are_not_sent_elsewhere(void **state)
{
    struct s3d *other = s3d_start(NULL);
    static const int statuses[] = {301, 302, 307, 308};
    char *to = mst_xasprintf("%s/vault/a/b", s3d_endpoint(other));

    (void)state;
    for (size_t i = 0; i < MST_COUNT(statuses); i++) {
        struct mst_err err = {0};
        uint8_t buf[10];
        size_t got;

        s3d_plan(d, &(struct s3d_fault){
                        .what = S3D_REDIRECT, .status = statuses[i], .to = to, .times = UINT_MAX});
        assert_int_not_equal(kit_put(s, "a/b", bytes, SMALL, &err), MST_OK);
        fit_to_read("redirect", &err);
        assert_int_not_equal(mst_store_read(s, "a/b", 0, buf, sizeof(buf), &got, &err), MST_OK);
        s3d_plan_none(d);
    }
    assert_int_equal(s3d_count(other, S3D_ANY), 0);
    assert_int_equal(s3d_connections(other), 0);
    free(to);
    s3d_stop(other);
}

static void a_slow_down_is_heeded(void **state)
{
    struct mst_err err = {0};
    size_t n = 0;
    uint8_t *p;

    (void)state;
    mst_store_free(s);
    open_store(&(struct mst_s3_conf){.connections = 4});
    s3d_plan(d, &(struct s3d_fault){.what = S3D_STATUS,
                                    .kind = S3D_PART,
                                    .times = 2,
                                    .status = 503,
                                    .code = "SlowDown",
                                    .ms = 1000});
    assert_ok(kit_put(s, "a/b", bytes, LARGE, &err), &err);
    p = s3d_get(d, "a/b", &n);
    assert_int_equal(n, LARGE);
    assert_memory_equal(p, bytes, LARGE);
    free(p);
    no_complaint("slow down");
}

/* So many parts as the server saw at once, of an upload of six. */
static unsigned at_once(const char *key)
{
    const size_t n = 6 * (size_t)MST_S3_PART_MIN;
    uint8_t *p = kit_bytes(n, 9);
    struct mst_err err = {0};
    unsigned most;

    s3d_count_reset(d);
    assert_ok(kit_put(s, key, p, n, &err), &err);
    most = s3d_most_parallel(d);
    free(p);
    return most;
}

static void go_well(unsigned n)
{
    struct mst_err err = {0};
    uint64_t size;

    for (unsigned i = 0; i < n; i++) {
        assert_ok(mst_store_stat(s, "a/b", &size, &err), &err);
    }
}

/* Half as much is asked at once from then on, and one more after each sixteen that went well. */
static void who_is_told_to_slow_down_does_so_until_it_goes_well_again(void **state)
{
    struct mst_err err = {0};

    (void)state;
    mst_store_free(s);
    open_store(&(struct mst_s3_conf){.connections = 4, .part_bytes = MST_S3_PART_MIN});
    s3d_put(d, "a/b", "x", 1);
    s3d_latency(d, 150); /* parts meet at the server */
    assert_int_equal(at_once("a/first"), 4);
    s3d_plan(d, &(struct s3d_fault){
                    .what = S3D_STATUS, .kind = S3D_PUT, .status = 503, .code = "SlowDown"});
    assert_ok(kit_put(s, "a/slow", bytes, SMALL, &err), &err);
    assert_int_equal(s3d_struck(d), 1);
    assert_true(at_once("a/second") <= 2);
    s3d_latency(d, 0);
    go_well(16 * 4);
    s3d_latency(d, 150);
    assert_int_equal(at_once("a/third"), 4);
    no_complaint("slow down, and up again");
}

static void idle_connections_may_be_closed(void **state)
{
    struct mst_err err = {0};

    (void)state;
    mst_store_free(s);
    s3d_stop(d);
    d = s3d_start(&(struct s3d_opts){.idle_ms = 20});
    open_store(&(struct mst_s3_conf){.wait_ms = 2000});
    for (int i = 0; i < 10; i++) {
        char key[32];

        (void)snprintf(key, sizeof(key), "idle/%d", i);
        assert_ok(kit_put(s, key, bytes, SMALL, &err), &err);
        mst_clock_sleep_ms(40); /* longer than it waits for the next request */
    }
    assert_int_equal(s3d_objects(d), 10);
}

static void uploads_of_others_are_listed_and_given_up(void **state)
{
    struct mst_store_upload u = {.key = "left/behind"};
    struct mst_err err = {0};

    (void)state;
    s3d_orphan(d, "left/behind", 3 * 24 * 3600 * 1000LL, u.id);
    for (int i = 0; i < 3; i++) {
        s3d_orphan(d, "left/others", 1000, NULL);
    }
    assert_int_equal(kit_uploads(s), 4);
    assert_ok(mst_store_abort_upload(s, &u, &err), &err);
    assert_int_equal(kit_uploads(s), 3);
    assert_int_equal(s3d_uploads(d), 3);
    no_complaint("uploads");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        T(a_small_put_fails_once),
        T(a_small_put_fails_always),
        T(the_beginning_of_an_upload_fails),
        T(a_part_fails_once),
        T(parts_fail_always),
        T(the_end_of_an_upload_fails_once),
        T(the_end_of_an_upload_fails_always),
        T(giving_up_an_upload_fails),
        T(reads_fail),
        T(a_long_read_goes_on_where_it_broke),
        T(a_range_with_another_status_is_no_end),
        T(an_object_that_changes_under_a_reader_is_noticed),
        T(listings_fail_and_never_end),
        T(a_name_is_written_once),
        T(a_lost_reply_does_not_hide_another_writer),
        T(a_clock_an_hour_off_is_mended_once),
        T(another_region_is_learnt_once),
        T(a_session_runs_out_in_the_middle_of_an_upload),
        T(credentials_are_not_sent_elsewhere),
        T(a_slow_down_is_heeded),
        T(who_is_told_to_slow_down_does_so_until_it_goes_well_again),
        T(idle_connections_may_be_closed),
        T(uploads_of_others_are_listed_and_given_up),
    };

    return cmocka_run_group_tests_name("s3 strict", tests, NULL, NULL);
}
