/* Reading, listing and the rest of S3: what comes is what was asked for, or a sentence. */
#include "s3_kit.h"

#include <unistd.h>

#include "tlsgen.h"

#define N ((size_t)700000)

static void read_all(struct kit *k, const char *key, const unsigned char *p, size_t n, size_t step)
{
    unsigned char *got = mst_xcalloc(1, n + step);
    size_t at = 0, now;

    do {
        assert_ok(mst_store_read(k->store, key, at, got + at, step, &now, &k->err), &k->err);
        at += now;
    } while (now == step && at <= n);
    assert_int_equal(at, n);
    assert_memory_equal(got, p, n);
    free(got);
}

static void ranges_fit_together(void **state)
{
    unsigned char *p = kit_bytes(N, 1), b[16];
    uint64_t bytes;
    size_t got;
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    s3d_put(k.srv, KIT_PREFIX "/o", p, N);
    s3d_put(k.srv, KIT_PREFIX "/empty", "", 0);
    read_all(&k, "o", p, N, 1000);
    assert_true(s3d_count(k.srv, S3D_GET) <= 6); /* it was read ahead */
    read_all(&k, "o", p, N, 65536);
    read_all(&k, "o", p, N, N + 1);
    read_all(&k, "empty", p, 0, 10);
    assert_ok(mst_store_read(k.store, "o", N - 3, b, 16, &got, &k.err), &k.err);
    assert_int_equal(got, 3);
    assert_ok(mst_store_read(k.store, "o", N + 5, b, 16, &got, &k.err), &k.err);
    assert_int_equal(got, 0);
    assert_int_equal(k.err.rc, MST_OK); /* 416 is an end, and leaves no error behind */
    assert_ok(mst_store_stat(k.store, "o", &bytes, &k.err), &k.err);
    assert_int_equal(bytes, N);
    assert_rc(mst_store_read(k.store, "no", 0, b, 16, &got, &k.err), MST_E_NOTFOUND, &k.err);
    assert_rc(mst_store_stat(k.store, "no", &bytes, &k.err), MST_E_NOTFOUND, &k.err);
    assert_string_equal(strstr(k.err.msg, "no is"), k.err.msg);
    kit_no_complaints(&k);
    kit_close(&k);
    free(p);
}

static void a_second_look_asks_the_store_again(void **state)
{
    char b[8];
    size_t got;
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    s3d_put(k.srv, KIT_PREFIX "/o", "abcdef", 6);
    assert_ok(mst_store_read(k.store, "o", 0, b, 3, &got, &k.err), &k.err);
    assert_ok(mst_store_read(k.store, "o", 0, b, 3, &got, &k.err), &k.err);
    assert_memory_equal(b, "abc", 3);
    assert_int_equal(s3d_count(k.srv, S3D_GET), 2);
    assert_true(s3d_flip(k.srv, KIT_PREFIX "/o", 0));
    assert_ok(mst_store_read(k.store, "o", 0, b, 3, &got, &k.err), &k.err);
    assert_memory_not_equal(b, "abc", 3); /* what went bad meanwhile is seen */
    kit_close(&k);
}

/* A reader that gave up leaves bytes that were read ahead; whoever comes after it gets none of
 * them, neither when the object is another one now nor when it only went bad. */
static void nobody_reads_on_in_what_another_left(void **state)
{
    unsigned char *old = kit_bytes(3000, 1), *now = kit_bytes(2000, 2), b[4096];
    size_t got;
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    s3d_put(k.srv, KIT_PREFIX "/o", old, 3000);
    assert_ok(mst_store_read(k.store, "o", 0, b, 100, &got, &k.err), &k.err);
    assert_true(s3d_flip(k.srv, KIT_PREFIX "/o", 500));
    assert_ok(mst_store_read(k.store, "o", 0, b, 100, &got, &k.err), &k.err);
    assert_ok(mst_store_read(k.store, "o", 100, b, 1000, &got, &k.err), &k.err);
    assert_int_equal(got, 1000);
    assert_memory_not_equal(b, old + 100, 1000); /* byte 500 went bad */
    s3d_remove(k.srv, KIT_PREFIX "/o");
    s3d_put(k.srv, KIT_PREFIX "/o", now, 2000);
    assert_ok(mst_store_read(k.store, "o", 0, b, 1100, &got, &k.err), &k.err);
    assert_ok(mst_store_read(k.store, "o", 1100, b, sizeof(b), &got, &k.err), &k.err);
    assert_int_equal(got, 900);
    assert_memory_equal(b, now + 1100, 900);
    assert_ok(mst_store_read(k.store, "o", 2000, b, sizeof(b), &got, &k.err), &k.err);
    assert_int_equal(got, 0);
    kit_close(&k);
    free(old);
    free(now);
}

static const struct {
    struct s3d_fault f;
    enum mst_rc want;
    const char *text;
} on_read[] = {
    {{.what = S3D_RESET}, MST_OK, ""},
    {{.what = S3D_TRUNCATE, .at = 70000}, MST_OK, ""},
    {{.what = S3D_STALL, .ms = 1000}, MST_OK, ""},
    {{.what = S3D_STATUS, .status = 503, .code = "SlowDown"}, MST_OK, ""},
    {{.what = S3D_NO_RANGE}, MST_E_SERVER, "ignores that only a range was asked for"},
    {{.what = S3D_WRONG_RANGE}, MST_E_SERVER, "another range came"},
    {{.what = S3D_HTML}, MST_E_SERVER, "a web page came"},
    {{.what = S3D_GZIP, .status = 502, .times = 99}, MST_E_SERVER, "compressed page"},
    {{.what = S3D_EMPTY, .times = 99}, MST_E_NET, "has no ETag"},
    {{.what = S3D_STATUS, .status = 403, .code = "AccessDenied"}, MST_E_AUTH, "s3:GetObject"},
    {{.what = S3D_REDIRECT, .status = 302, .to = "http://127.0.0.1:1/"},
     MST_E_SERVER,
     "credentials are not sent to another host"},
    {{.what = S3D_REDIRECT, .status = 307, .to = "http://127.0.0.1:1/"},
     MST_E_SERVER,
     "credentials are not sent to another host"},
};

static void what_came_otherwise_is_never_spliced(void **state)
{
    unsigned char *p = kit_bytes(N, 2), *b = mst_xmalloc(N);
    struct kit k;
    struct mst_s3_conf conf;
    size_t got;

    (void)state;
    kit_open(&k, NULL);
    mst_store_free(k.store);
    conf = kit_conf(&k);
    conf.wait_ms = 1500;
    kit_open_as(&k, &conf);
    s3d_put(k.srv, KIT_PREFIX "/o", p, N);
    for (size_t i = 0; i < MST_COUNT(on_read); i++) {
        struct s3d_fault f = on_read[i].f;
        enum mst_rc rc;

        f.kind = S3D_GET;
        s3d_plan_none(k.srv);
        s3d_plan(k.srv, &f);
        rc = mst_store_read(k.store, "o", 1000, b, 300000, &got, &k.err);
        if (rc != on_read[i].want || (rc != MST_OK && !strstr(k.err.msg, on_read[i].text))) {
            fail_msg("fault %zu: %s: %s", i, mst_rc_name(rc), k.err.msg);
        }
        if (rc == MST_OK) {
            assert_int_equal(got, 300000);
            assert_memory_equal(b, p + 1000, 300000);
        }
    }
    kit_close(&k);
    free(p);
    free(b);
}

static void an_object_that_changes_under_a_reader_is_noticed(void **state)
{
    unsigned char *p = kit_bytes(N, 3), *b = mst_xmalloc(N);
    struct kit k;
    size_t got;

    (void)state;
    kit_open(&k, NULL);
    s3d_put(k.srv, KIT_PREFIX "/o", p, N);
    assert_ok(mst_store_read(k.store, "o", 0, b, 100000, &got, &k.err), &k.err);
    s3d_put(k.srv, KIT_PREFIX "/o", p + 1, N - 1);
    assert_rc(mst_store_read(k.store, "o", 100000, b, 600000, &got, &k.err), MST_E_INTEGRITY,
              &k.err);
    assert_non_null(strstr(k.err.msg, "was replaced while it was read"));
    kit_close(&k);
    free(p);
    free(b);
}

/* --- listings --- */

struct seen {
    unsigned n, stop_at;
    char last[MST_KEY_MAX];
};

static bool look(void *arg, const struct mst_store_item *item)
{
    struct seen *s = arg;

    assert_true(mst_store_key_ok(item->key));
    assert_true(strcmp(s->last, item->key) < 0);
    (void)mst_copy(s->last, sizeof(s->last), item->key);
    return ++s->n != s->stop_at;
}

static void a_listing_comes_page_by_page(void **state)
{
    const struct s3d_opts small = {.page_max = 7}, old = {.page_max = 7, .v1_only = true};
    const struct s3d_opts *const ways[] = {&small, &old};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct seen s = {0};
        struct kit k;
        struct mst_s3_conf conf;

        kit_start(&k, ways[i]);
        conf = kit_conf(&k);
        conf.profile = i ? "ceph" : "versitygw";
        kit_open_as(&k, &conf);
        s3d_fill(k.srv, KIT_PREFIX "/a/", 50, 10);
        s3d_fill(k.srv, KIT_PREFIX "/b c+d/", 3, 10);
        s3d_fill(k.srv, KIT_PREFIX "x/", 3, 10); /* of the neighbour */
        s3d_fill(k.srv, "other/", 3, 10);
        assert_ok(mst_store_list(k.store, "", look, &s, NULL, &k.err), &k.err);
        assert_int_equal(s.n, 53);
        assert_string_equal(s.last, "b c+d/00000002");
        s = (struct seen){0};
        assert_ok(mst_store_list(k.store, "b c+d", look, &s, NULL, &k.err), &k.err);
        assert_int_equal(s.n, 3);
        s3d_count_reset(k.srv);
        s = (struct seen){.stop_at = 5};
        assert_ok(mst_store_list(k.store, "", look, &s, NULL, &k.err), &k.err);
        assert_int_equal(s.n, 5);
        assert_int_equal(s3d_count(k.srv, S3D_LIST), 1); /* handed out before the end is there */
        kit_no_complaints(&k);
        kit_close(&k);
    }
}

static void names_that_are_no_keys_are_left_alone(void **state)
{
    static const char *const bad[] = {"/../x",        "//a",         "/a//b",        "/.hidden",
                                      "/line\nbreak", "/esc\033[2J", "/back\\slash", "/folder/"};
    struct seen s = {0};
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    for (size_t i = 0; i < MST_COUNT(bad); i++) {
        char key[100];

        (void)snprintf(key, sizeof(key), KIT_PREFIX "%s", bad[i]);
        s3d_put(k.srv, key, "x", 1);
    }
    s3d_put(k.srv, KIT_PREFIX "/fine", "x", 1);
    assert_ok(mst_store_list(k.store, "", look, &s, NULL, &k.err), &k.err);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.last, "fine");
    kit_close(&k);
}

static bool any(void *arg, const struct mst_store_item *item)
{
    unsigned *n = arg;

    (void)item;
    return ++*n < 10000;
}

static bool cancel_late(void *arg, const struct mst_store_item *item)
{
    (void)item;
    mst_task_cancel(arg);
    return true;
}

static void a_listing_that_does_not_end_is_ended(void **state)
{
    static const struct {
        enum s3d_what what;
        const char *text;
    } ways[] = {{S3D_SAME_TOKEN, "the same page again and again"},
                {S3D_SAME_PAGE, "the same page again and again"},
                {S3D_HTML, "a web page came"},
                {S3D_GARBAGE, "not XML"},
                {S3D_EMPTY, "an empty answer"}};
    const struct s3d_opts small = {.page_max = 7};
    struct mst_task task;
    struct kit k;

    (void)state;
    kit_open(&k, &small);
    s3d_fill(k.srv, KIT_PREFIX "/a/", 50, 10);
    for (size_t i = 0; i < MST_COUNT(ways); i++) {
        unsigned n = 0;

        s3d_plan_none(k.srv);
        {
            const struct s3d_fault f = {.what = ways[i].what,
                                        .kind = S3D_LIST,
                                        .nth = ways[i].what == S3D_SAME_PAGE ? 2 : 1,
                                        .times = UINT32_MAX};

            s3d_plan(k.srv, &f);
        }
        if (mst_store_list(k.store, "", any, &n, NULL, &k.err) != MST_E_SERVER ||
            !strstr(k.err.msg, ways[i].text)) {
            fail_msg("%zu: %u listed: %s", i, n, k.err.msg);
        }
        assert_true(n < 200);
    }
    s3d_plan_none(k.srv);
    kit_fault(&k, S3D_ENDLESS, S3D_LIST, UINT32_MAX);
    assert_ok(mst_task_init(&task, &k.err), &k.err);
    assert_rc(mst_store_list(k.store, "", cancel_late, &task, &task, &k.err), MST_E_CANCELLED,
              &k.err);
    mst_task_release(&task);
    kit_close(&k);
}

static bool look_version(void *arg, const struct mst_store_version *v)
{
    struct mst_str *all = arg;

    assert_true(v->version[0]);
    mst_str_addf(all, "%s %llu%s%s\n", v->key, (unsigned long long)v->bytes,
                 v->newest ? " newest" : "", v->deleted ? " deleted" : "");
    return true;
}

static bool end_upload(void *arg, const struct mst_store_upload *u)
{
    struct kit *k = arg;

    assert_string_equal(u->key, "left/behind");
    assert_true(u->begun_wall_ms < mst_clock_utc_ms(NULL) - 3000000);
    assert_ok(mst_store_abort_upload(k->store, u, &k->err), &k->err);
    return true;
}

static void versions_and_unfinished_uploads_are_listed(void **state)
{
    const struct s3d_opts versioned = {.versioned = true, .page_max = 2};
    struct mst_str all = {0};
    struct kit k;

    (void)state;
    kit_open(&k, &versioned);
    s3d_put(k.srv, KIT_PREFIX "/a", "1", 1);
    s3d_put(k.srv, KIT_PREFIX "/a", "22", 2);
    s3d_put(k.srv, KIT_PREFIX "/b", "333", 3);
    assert_ok(mst_store_delete(k.store, "b", &k.err), &k.err);
    assert_ok(mst_store_versions(k.store, "", look_version, &all, NULL, &k.err), &k.err);
    assert_non_null(strstr(all.p, "a 2 newest\na 1\nb 0 newest deleted\nb 3\n"));
    s3d_orphan(k.srv, KIT_PREFIX "/left/behind", 3600000, NULL);
    assert_int_equal(s3d_uploads(k.srv), 1);
    assert_ok(mst_store_uploads(k.store, "", end_upload, &k, NULL, &k.err), &k.err);
    assert_int_equal(s3d_uploads(k.srv), 0);
    kit_no_complaints(&k);
    mst_str_release(&all);
    kit_close(&k);
}

static void locks_are_set_and_only_extended(void **state)
{
    const struct s3d_opts locked = {.lock = true};
    const int64_t day = 86400000, now = mst_clock_utc_ms(NULL) / 1000 * 1000;
    struct mst_store_info info;
    struct kit k;

    (void)state;
    kit_open(&k, &locked);
    assert_ok(mst_store_put_all(k.store, "a", "x", 1, &k.err), &k.err);
    assert_ok(mst_store_lock(k.store, "a", "COMPLIANCE", now + day, &k.err), &k.err);
    assert_ok(mst_store_info(k.store, "a", &info, &k.err), &k.err);
    assert_string_equal(info.lock_mode, "COMPLIANCE");
    assert_int_equal(info.locked_until_ms, now + day);
    assert_true(info.version[0]);
    assert_ok(mst_store_lock(k.store, "a", "COMPLIANCE", now + 2 * day, &k.err), &k.err);
    assert_rc(mst_store_lock(k.store, "a", "COMPLIANCE", now + day, &k.err), MST_E_PRECOND, &k.err);
    assert_non_null(strstr(k.err.msg, "extended, never shortened"));
    assert_rc(mst_store_lock(k.store, "a", "FOREVER", now + 3 * day, &k.err), MST_E_USAGE, &k.err);
    kit_no_complaints(&k);
    kit_close(&k);
}

static void an_archived_object_is_thawed_before_it_is_read(void **state)
{
    struct mst_store_info info;
    char b[4];
    size_t got;
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    s3d_put(k.srv, KIT_PREFIX "/cold", "x", 1);
    s3d_class(k.srv, KIT_PREFIX "/cold", "GLACIER");
    assert_ok(mst_store_info(k.store, "cold", &info, &k.err), &k.err);
    assert_true(info.archived);
    assert_string_equal(info.storage_class, "GLACIER");
    assert_rc(mst_store_read(k.store, "cold", 0, b, 4, &got, &k.err), MST_E_PRECOND, &k.err);
    assert_non_null(strstr(k.err.msg, "archive tier: it must be thawed"));
    assert_ok(mst_store_thaw(k.store, "cold", 2, &k.err), &k.err);
    assert_ok(mst_store_info(k.store, "cold", &info, &k.err), &k.err);
    assert_true(info.archived && info.thawing);
    s3d_thaw_now(k.srv, KIT_PREFIX "/cold");
    assert_ok(mst_store_info(k.store, "cold", &info, &k.err), &k.err);
    assert_false(info.archived || info.thawing);
    assert_true(info.thawed_until_ms > mst_clock_utc_ms(NULL));
    assert_ok(mst_store_read(k.store, "cold", 0, b, 4, &got, &k.err), &k.err);
    assert_int_equal(got, 1);
    s3d_clock(k.srv, INT64_C(48) * 3600 * 1000); /* and that is over, by the store's clock */
    assert_ok(mst_store_info(k.store, "cold", &info, &k.err), &k.err);
    assert_true(info.archived && !info.thawing);
    assert_int_equal(info.thawed_until_ms, 0);
    kit_close(&k);
}

/* --- who asks, from where, and when --- */

/* Headers of the store go to a terminal. */
static void what_a_header_says_has_no_escape_codes(void **state)
{
    struct mst_store_info info;
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    s3d_put(k.srv, KIT_PREFIX "/odd", "1", 1);
    s3d_class(k.srv, KIT_PREFIX "/odd", "A\033[2JB");
    assert_ok(mst_store_info(k.store, "odd", &info, &k.err), &k.err);
    assert_string_equal(info.storage_class, "A?[2JB");
    kit_close(&k);
}

static void what_can_be_repaired_is_repaired_once(void **state)
{
    uint64_t bytes;
    size_t got;
    char b;
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    s3d_put(k.srv, KIT_PREFIX "/o", "x", 1);
    s3d_clock(k.srv, -3600000);
    assert_ok(mst_store_stat(k.store, "o", &bytes, &k.err), &k.err);
    assert_int_equal(s3d_count(k.srv, S3D_ANY), 3); /* refused, asked why, repeated */
    assert_ok(mst_store_stat(k.store, "o", &bytes, &k.err), &k.err);
    assert_int_equal(s3d_count(k.srv, S3D_ANY), 4); /* and stays so */
    s3d_clock(k.srv, 0);
    assert_ok(mst_store_stat(k.store, "o", &bytes, &k.err), &k.err);
    s3d_region(k.srv, "eu-other-2");
    assert_ok(mst_store_put_all(k.store, "p", "x", 1, &k.err), &k.err);
    s3d_token(k.srv, "second", 0);
    k.token = "first";
    k.fresh_token = "second";
    kit_fault(&k, S3D_EXPIRED, S3D_HEAD, 1);
    assert_ok(mst_store_stat(k.store, "o", &bytes, &k.err), &k.err);
    assert_int_equal(k.fresh_asked, 1);
    kit_fault(&k, S3D_EXPIRED, S3D_GET, UINT32_MAX);
    assert_rc(mst_store_read(k.store, "o", 0, &b, 1, &got, &k.err), MST_E_AUTH, &k.err);
    assert_non_null(strstr(k.err.msg, "the credentials have expired, and fresh ones too"));
    assert_int_equal(k.fresh_asked, 2);
    kit_close(&k);
}

static void a_wrong_key_says_what_is_wrong(void **state)
{
    uint64_t n;
    char b[4];
    size_t got;
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    s3d_put(k.srv, KIT_PREFIX "/o", "x", 1);
    k.secret = "another";
    assert_rc(mst_store_read(k.store, "o", 0, b, 4, &got, &k.err), MST_E_AUTH, &k.err);
    assert_non_null(strstr(k.err.msg, "secret key does not belong to the access key"));
    assert_null(strstr(k.err.msg, "another"));
    k.secret = NULL;
    k.access = "AKIDNOBODY";
    assert_rc(mst_store_read(k.store, "o", 0, b, 4, &got, &k.err), MST_E_AUTH, &k.err);
    assert_non_null(strstr(k.err.msg, "does not know the access key"));
    k.access = NULL;
    s3d_deny(k.srv, S3D_HEAD, true);
    assert_rc(mst_store_stat(k.store, "o", &n, &k.err), MST_E_AUTH, &k.err);
    assert_non_null(strstr(k.err.msg, "policy has to allow s3:GetObject"));
    kit_close(&k);
}

static void a_store_that_is_gone_or_full_says_so(void **state)
{
    uint64_t n;
    struct kit k;
    struct mst_s3_conf conf;

    (void)state;
    kit_open(&k, NULL);
    s3d_quota(k.srv, 10);
    assert_rc(kit_put(k.store, "a", "more than ten", 13, &k.err), MST_E_IO, &k.err);
    assert_non_null(strstr(k.err.msg, "its quota is reached"));
    mst_store_free(k.store);
    conf = kit_conf(&k);
    conf.wait_ms = 500;
    kit_open_as(&k, &conf);
    s3d_refuse(k.srv, true);
    assert_rc(mst_store_stat(k.store, "a", &n, &k.err), MST_E_NET, &k.err);
    assert_non_null(strstr(k.err.msg, "tries in"));
    assert_non_null(strstr(k.err.msg, "cannot connect to 127.0.0.1"));
    mst_store_free(k.store);
    s3d_refuse(k.srv, false);
    conf.bucket = "nobodys";
    kit_open_as(&k, &conf);
    assert_rc(mst_store_list(k.store, "", any, &n, NULL, &k.err), MST_E_CONFIG, &k.err);
    assert_non_null(strstr(k.err.msg, "there is no bucket nobodys"));
    kit_close(&k);
}

static void what_does_not_fit_together_is_refused_before(void **state)
{
    static const struct {
        const char *profile, *endpoint, *bucket, *prefix, *text;
        bool plain;
    } bad[] = {{"nosuch", "https://h", "b1", "", "no kind of S3 store", false},
               {"minio", NULL, "b1", "", "has no endpoint", false},
               {"minio", "http://h", "b1", "", "only with plain_http", false},
               {"minio", "https://h/path", "b1", "", "is not like", false},
               {"minio", "ftp://h", "b1", "", "is not like", true},
               {"minio", "https://u:p@h", "b1", "", "is not like", true},
               {"minio", "https://h", "b/1", "", "not the name of a bucket", false},
               {"minio", "https://h", "..", "", "not the name of a bucket", false},
               {"minio", "https://h", "b1", "../x", "cannot be a prefix", false}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(bad); i++) {
        struct kit k = {0};
        struct mst_s3_conf conf = kit_conf(&k);

        conf.profile = bad[i].profile;
        conf.endpoint = bad[i].endpoint;
        conf.bucket = bad[i].bucket;
        conf.prefix = bad[i].prefix;
        conf.plain = bad[i].plain;
        assert_rc(mst_store_s3_open(&conf, &k.store, &k.err), MST_E_CONFIG, &k.err);
        if (!strstr(k.err.msg, bad[i].text)) {
            fail_msg("%zu: %s", i, k.err.msg);
        }
    }
}

static void certificates_are_checked(void **state)
{
    static const struct {
        struct tlsgen_want want;
        bool other_ca;
        enum mst_rc rc;
        const char *text;
    } ways[] = {
        {{"good.pem", "CN=store", "IP:127.0.0.1", false, false}, false, MST_OK, ""},
        {{"name.pem", "CN=store", "DNS:elsewhere.test", false, false},
         false,
         MST_E_TLS,
         "127.0.0.1"},
        {{"old.pem", "CN=store", "IP:127.0.0.1", false, true}, false, MST_E_TLS, "expired"},
        {{"good.pem", "CN=store", "IP:127.0.0.1", false, false}, true, MST_E_TLS, "certificate"},
    };
    char dir[] = "/tmp/s3-tls-XXXXXX", path[600], cmd[64];
    struct tlsgen ours, theirs;

    (void)state;
    assert_non_null(mkdtemp(dir));
    tlsgen_init(&ours, dir, "ours");
    tlsgen_init(&theirs, dir, "theirs");
    for (size_t i = 0; i < MST_COUNT(ways); i++) {
        struct s3d_opts o = {.cert_file = path};
        struct mst_s3_conf conf;
        uint64_t n;
        struct kit k;

        tlsgen_issue(&ours, &ways[i].want, path);
        kit_start(&k, &o);
        s3d_put(k.srv, KIT_PREFIX "/o", "x", 1);
        conf = kit_conf(&k);
        conf.plain = false;
        conf.ca_file = ways[i].other_ca ? theirs.ca : ours.ca;
        kit_open_as(&k, &conf);
        if (mst_store_stat(k.store, "o", &n, &k.err) != ways[i].rc ||
            (ways[i].rc != MST_OK && !strstr(k.err.msg, ways[i].text))) {
            fail_msg("%zu: %s %s", i, mst_rc_name(k.err.rc), k.err.msg);
        }
        assert_true(s3d_saw_credentials(k.srv) == (ways[i].rc == MST_OK));
        assert_true(s3d_connections(k.srv) <= 1); /* no storm of tries */
        kit_close(&k);
    }
    tlsgen_release(&ours);
    tlsgen_release(&theirs);
    (void)snprintf(cmd, sizeof(cmd), "%s/ours.pem", dir);
    (void)unlink(cmd);
    (void)snprintf(cmd, sizeof(cmd), "%s/theirs.pem", dir);
    (void)unlink(cmd);
    for (size_t i = 0; i < MST_COUNT(ways); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, ways[i].want.file);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_header_says_has_no_escape_codes),
        cmocka_unit_test(ranges_fit_together),
        cmocka_unit_test(a_second_look_asks_the_store_again),
        cmocka_unit_test(nobody_reads_on_in_what_another_left),
        cmocka_unit_test(what_came_otherwise_is_never_spliced),
        cmocka_unit_test(an_object_that_changes_under_a_reader_is_noticed),
        cmocka_unit_test(a_listing_comes_page_by_page),
        cmocka_unit_test(names_that_are_no_keys_are_left_alone),
        cmocka_unit_test(a_listing_that_does_not_end_is_ended),
        cmocka_unit_test(versions_and_unfinished_uploads_are_listed),
        cmocka_unit_test(locks_are_set_and_only_extended),
        cmocka_unit_test(an_archived_object_is_thawed_before_it_is_read),
        cmocka_unit_test(what_can_be_repaired_is_repaired_once),
        cmocka_unit_test(a_wrong_key_says_what_is_wrong),
        cmocka_unit_test(a_store_that_is_gone_or_full_says_so),
        cmocka_unit_test(what_does_not_fit_together_is_refused_before),
        cmocka_unit_test(certificates_are_checked),
    };

    mst_thread_block_signals();
    return cmocka_run_group_tests_name("s3_read", tests, NULL, NULL);
}
