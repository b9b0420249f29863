/* The driver for Google Cloud Storage against fake-gcs-server, directly and through a proxy that
 * cuts, delays and throttles. That server checks no tokens: what it proves is the API. */
#include "gcs_kit.h"

#include "realstore.h"

static struct realstore r;

static struct mst_store *open_at(const char *endpoint, unsigned tries)
{
    static char argv[2][MST_CFG_WORD] = {"/bin/echo", "any"};
    const struct mst_cfg_list command = {.n = 2, .item = argv};
    const struct mst_gcs_opts o = {.bucket = REAL_BUCKET,
                                   .prefix = "rs0",
                                   .endpoint = endpoint,
                                   .write = true,
                                   .chunk_bytes = KIT_CHUNK,
                                   .http = kit_http(),
                                   .tries_max = tries,
                                   .budget_ms = 60000};
    const struct mst_gauth_opts a = {.token_command = &command, .http = kit_http()};
    struct mst_gauth *auth = NULL;
    struct mst_store *s = NULL;
    struct mst_err err = {0};

    assert_ok(mst_gauth_new(&a, &auth, &err), &err);
    assert_ok(mst_store_gcs_open_take("cloud", &o, auth, &s, &err), &err);
    return s;
}

static int down(void **state)
{
    (void)state;
    realstore_stop(&r);
    return 0;
}

static enum mst_rc put(struct mst_store *s, const char *key, const uint8_t *p, size_t n,
                       struct mst_err *err)
{
    struct kit k = {.s = s};

    return kit_put(&k, key, p, n, err);
}

static void same(struct mst_store *s, const char *key, const uint8_t *p, size_t n)
{
    struct mst_buf back = {0};
    struct mst_err err = {0};

    assert_ok(mst_store_read_all(s, key, (size_t)16 << 20, &back, &err), &err);
    assert_int_equal(back.len, n);
    assert_true(n == 0 || memcmp(back.p, p, n) == 0);
    mst_buf_release(&back);
}

static void what_is_written_stands_there_once_and_comes_back(void **state)
{
    static const size_t sizes[] = {
        0, 1, KIT_CHUNK, KIT_CHUNK + 1, 2 * KIT_CHUNK, 9 * KIT_CHUNK + 12345};
    struct mst_store *s;
    struct mst_err err = {0};
    struct mst_store_info info;

    (void)state;
    realstore_start(&r, REAL_GCS, NULL);
    s = open_at(r.endpoint, 4);
    for (size_t i = 0; i < MST_COUNT(sizes); i++) {
        char *key = mst_xasprintf("a b/%zu \xc3\xa4+%%&", i);
        uint8_t *p = kit_data(sizes[i], (unsigned)i);
        uint64_t bytes = 1;

        assert_ok(put(s, key, p, sizes[i], &err), &err);
        assert_rc(put(s, key, (const uint8_t *)"other", 5, &err), MST_E_EXISTS, &err);
        assert_rc(put(s, key, p, sizes[i], &err), MST_E_EXISTS, &err);
        same(s, key, p, sizes[i]);
        assert_ok(mst_store_stat(s, key, &bytes, &err), &err);
        assert_int_equal(bytes, sizes[i]);
        assert_ok(mst_store_info(s, key, &info, &err), &err);
        assert_true(strncmp(info.checksum, "crc32c:", 7) == 0 && info.version[0]);
        assert_near((double)(info.modified_wall_ms - mst_clock_utc_ms(NULL)), 0, 60000);
        assert_ok(mst_store_delete(s, key, &err), &err);
        assert_ok(mst_store_delete(s, key, &err), &err);
        assert_rc(mst_store_stat(s, key, &bytes, &err), MST_E_NOTFOUND, &err);
        free(key);
        free(p);
    }
    mst_store_free(s);
}

static void what_it_can_do_is_found_out(void **state)
{
    struct mst_store *s;
    const struct mst_store_caps *caps;
    struct mst_err err = {0};

    (void)state;
    realstore_start(&r, REAL_GCS, NULL);
    s = open_at(r.endpoint, 2);
    assert_ok(mst_store_probe(s, NULL, &err), &err);
    caps = mst_store_caps(s);
    print_message("fake-gcs-server: create_only %d checksums %d versions %d lock %d: %s\n",
                  caps->create_only, caps->checksums, caps->versions, caps->lock, caps->text);
    assert_true(caps->create_only && caps->ranges && !caps->lock);
    mst_store_free(s);
}

struct seen {
    size_t n;
    char last[MST_KEY_MAX];
    bool ordered;
};

static bool see(void *arg, const struct mst_store_item *item)
{
    struct seen *s = arg;

    s->ordered = s->ordered && strcmp(item->key, s->last) > 0;
    (void)mst_copy(s->last, sizeof(s->last), item->key);
    s->n++;
    return true;
}

static void more_than_one_page_is_listed_in_order(void **state)
{
    struct mst_store *s;
    struct seen seen = {.ordered = true};
    struct mst_err err = {0};

    (void)state;
    realstore_start(&r, REAL_GCS, NULL);
    s = open_at(r.endpoint, 2);
    for (unsigned i = 0; i < 1203; i++) {
        char key[40];

        (void)snprintf(key, sizeof(key), "many/%u", i * 7919 % 1203);
        assert_ok(mst_store_put_all(s, key, "x", 1, &err), &err);
    }
    assert_ok(mst_store_put_all(s, "mane", "x", 1, &err), &err);
    assert_ok(mst_store_list(s, "many", see, &seen, NULL, &err), &err);
    assert_int_equal(seen.n, 1203);
    assert_true(seen.ordered);
    seen = (struct seen){.ordered = true};
    assert_ok(mst_store_list(s, "", see, &seen, NULL, &err), &err);
    assert_int_equal(seen.n, 1204);
    mst_store_free(s);
}

/* What the proxy does while objects are written; what stands there afterwards is exact. Where it
 * cuts, objects go in one request: this server takes the question how far an upload came as its
 * end, which the driver refuses (see below) and the real service does not do. */
static void a_bad_way_there_changes_nothing_of_what_stands_there(void **state)
{
    static const struct {
        const char *type, *with;
        bool up;
        size_t n, each;
    } toxics[] = {{"latency", "\"latency\":40,\"jitter\":30", false, 1, 3 * KIT_CHUNK + 4321},
                  {"slicer", "\"average_size\":700,\"size_variation\":300,\"delay\":20", true, 1,
                   3 * KIT_CHUNK + 4321},
                  {"bandwidth", "\"rate\":900", true, 1, 3 * KIT_CHUNK + 4321},
                  {"limit_data", "\"bytes\":150000", true, 5, 60000},
                  {"limit_data", "\"bytes\":150000", false, 5, 60000}};
    struct mst_store *s, *direct;
    struct seen seen = {.ordered = true};
    struct mst_err err = {0};
    size_t all = 0;

    (void)state;
    realstore_start(&r, REAL_GCS, &(struct realstore_opts){.proxy = true});
    s = open_at(r.endpoint, 8);
    direct = open_at(r.direct, 2);
    for (size_t i = 0; i < MST_COUNT(toxics); i++) {
        realstore_toxic(&r, toxics[i].type, toxics[i].up, toxics[i].with);
        for (size_t k = 0; k < toxics[i].n; k++) {
            char *key = mst_xasprintf("through/%zu-%zu", i, k);
            uint8_t *p = kit_data(toxics[i].each, (unsigned)(10 * i + k));

            if (put(s, key, p, toxics[i].each, &err) != MST_OK) {
                fail_msg("%s %s: %s", toxics[i].type, toxics[i].with, err.msg);
            }
            same(s, key, p, toxics[i].each);
            same(direct, key, p, toxics[i].each);
            free(key);
            free(p);
            all++;
        }
        realstore_heal(&r);
    }
    assert_ok(mst_store_list(direct, "", see, &seen, NULL, &err), &err);
    assert_int_equal(seen.n, all);
    mst_store_free(s);
    mst_store_free(direct);
}

/* This server ends an upload when it is asked how far it came: half an object stands there then,
 * which is removed and said. */
static void an_upload_that_is_ended_in_its_middle_is_taken_back(void **state)
{
    uint8_t *p = kit_data(4 * KIT_CHUNK, 1);
    struct mst_store *s, *direct;
    struct mst_store_put *put_open;
    struct seen seen = {.ordered = true};
    struct mst_err err = {0};
    enum mst_rc rc = MST_OK;

    (void)state;
    realstore_start(&r, REAL_GCS, &(struct realstore_opts){.proxy = true});
    s = open_at(r.endpoint, 6);
    direct = open_at(r.direct, 2);
    assert_ok(mst_store_put_begin(s, "x", &put_open, &err), &err);
    for (int i = 0; i < 4 && rc == MST_OK; i++) {
        rc = mst_store_put_add(put_open, p, KIT_CHUNK, &err);
        realstore_toxic(&r, "limit_data", true, "\"bytes\":100000");
        if (i == 2) {
            realstore_toxic_none(&r, "limit_data", true);
        }
    }
    if (rc == MST_OK) {
        rc = mst_store_put_finish_take(put_open, &err);
    } else {
        mst_store_put_abort_take(put_open);
    }
    realstore_heal(&r);
    assert_int_not_equal(rc, MST_OK);
    assert_ok(mst_store_list(direct, "", see, &seen, NULL, &err), &err);
    assert_int_equal(seen.n, 0);
    mst_store_free(s);
    mst_store_free(direct);
    free(p);
}

static void a_store_that_is_gone_is_said_and_leaves_nothing_half(void **state)
{
    uint8_t *p = kit_data(KIT_CHUNK * 2, 1);
    struct mst_store *s, *direct;
    struct mst_store_put *put_open;
    struct seen seen = {.ordered = true};
    struct mst_err err = {0};

    (void)state;
    realstore_start(&r, REAL_GCS, &(struct realstore_opts){.proxy = true});
    s = open_at(r.endpoint, 2);
    direct = open_at(r.direct, 2);
    assert_ok(mst_store_put_begin(s, "x", &put_open, &err), &err);
    assert_ok(mst_store_put_add(put_open, p, KIT_CHUNK * 2, &err), &err);
    realstore_cut(&r, true);
    assert_rc(mst_store_put_finish_take(put_open, &err), MST_E_NET, &err);
    assert_non_null(strstr(err.msg, "cannot write x: "));
    realstore_heal(&r);
    assert_ok(mst_store_list(direct, "", see, &seen, NULL, &err), &err);
    assert_int_equal(seen.n, 0);
    mst_store_free(s);
    mst_store_free(direct);
    free(p);
}

#define T(name) cmocka_unit_test_teardown(name, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_written_stands_there_once_and_comes_back),
        T(what_it_can_do_is_found_out),
        T(more_than_one_page_is_listed_in_order),
        T(a_bad_way_there_changes_nothing_of_what_stands_there),
        T(an_upload_that_is_ended_in_its_middle_is_taken_back),
        T(a_store_that_is_gone_is_said_and_leaves_nothing_half),
    };

    realstore_need(REAL_GCS);
    realstore_need_proxy();
    return cmocka_run_group_tests_name("gcs_real", tests, NULL, NULL);
}
