/* The S3 driver on versitygw 1.7.0: objects, parts, ranges, long listings, create-only, uploads,
 * versions, locks; and rclone reads what was written. */
#include "peer_kit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runprog.h"

#define LARGE (2 * (size_t)MST_S3_PART_MIN + 12345)

static struct realstore r;
static struct mst_store *s;
static uint8_t *bytes;

static int start(void **state)
{
    const struct realstore_opts o = {.versioned = *state != NULL, .lock = *state != NULL};

    realstore_start(&r, REAL_VERSITYGW, &o);
    bytes = kit_bytes(LARGE, 11);
    s = kit_open_real(&r, (struct mst_s3_conf){.profile = "versitygw", .prefix = "sets/rs0"});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    mst_store_free(s);
    s = NULL;
    realstore_stop(&r);
    free(bytes);
    return 0;
}

static void what_it_can_do_is_found(void **state)
{
    const struct mst_store_caps *c;
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_store_probe(s, NULL, &err), &err);
    c = mst_store_caps(s);
    assert_true(c->create_only);
    assert_true(c->checksums);
    assert_true(c->multipart);
    assert_true(c->ranges);
    assert_false(c->versions);
    assert_false(c->lock);
}

static void objects_come_back_as_they_went(void **state)
{
    static const size_t sizes[] = {0, 1, 5000, MST_S3_PART_MIN, MST_S3_PART_MIN + 1, LARGE};
    struct kit_count c = {0};
    struct mst_err err = {0};
    uint8_t buf[100];
    size_t got;

    (void)state;
    for (size_t i = 0; i < MST_COUNT(sizes); i++) {
        struct mst_store_info info;
        char key[64];

        (void)snprintf(key, sizeof(key), "a folder/Größe &+=%%~%zu", i);
        assert_ok(kit_put(s, key, bytes, sizes[i], &err), &err);
        if (!kit_same(s, key, bytes, sizes[i], &err)) {
            fail_msg("%zu bytes: another object came back: %s", sizes[i], err.msg);
        }
        assert_ok(mst_store_info(s, key, &info, &err), &err);
        assert_int_equal(info.bytes, sizes[i]);
        assert_true(info.modified_wall_ms > mst_clock_utc_ms(NULL) - 600000);
        assert_rc(kit_put(s, key, bytes, 10, &err), MST_E_EXISTS, &err);
        memset(&err, 0, sizeof(err));
    }
    assert_ok(mst_store_list(s, "a folder", kit_count_item, &c, NULL, &err), &err);
    assert_int_equal(c.n, MST_COUNT(sizes));
    assert_non_null(strstr(c.keys.p, "a folder/Größe &+=%~3\n"));
    mst_str_release(&c.keys);
    assert_ok(mst_store_read(s, "a folder/Größe &+=%~5", LARGE - 50, buf, sizeof(buf), &got, &err),
              &err);
    assert_int_equal(got, 50);
    assert_memory_equal(buf, bytes + LARGE - 50, 50);
    assert_ok(mst_store_delete(s, "a folder/Größe &+=%~5", &err), &err);
    assert_rc(mst_store_read(s, "a folder/Größe &+=%~5", 0, buf, 1, &got, &err), MST_E_NOTFOUND,
              &err);
    assert_int_equal(kit_uploads(s), 0);
}

static void long_listings_are_whole_and_in_order(void **state)
{
    struct kit_count c = {0};
    struct mst_err err = {0};
    char before[MST_KEY_MAX] = "";
    char *line, *next;

    (void)state;
    for (int i = 0; i < 2500; i++) {
        char key[64];

        (void)snprintf(key, sizeof(key), "many/%d/%07d", i % 3, i);
        assert_ok(kit_put(s, key, bytes, 10, &err), &err);
    }
    assert_ok(kit_put(s, "manyfold", bytes, 10, &err), &err);
    assert_ok(mst_store_list(s, "many", kit_count_item, &c, NULL, &err), &err);
    assert_int_equal(c.n, 2500);
    for (line = c.keys.p; line && *line; line = next) {
        next = strchr(line, '\n') + 1;
        next[-1] = '\0';
        assert_true(strcmp(before, line) < 0);
        (void)mst_copy(before, sizeof(before), line);
    }
    mst_str_release(&c.keys);
}

static void uploads_are_seen_and_given_up(void **state)
{
    struct mst_store_put *put = NULL;
    struct mst_err err = {0};

    (void)state;
    assert_int_equal(kit_uploads(s), 0);
    assert_ok(mst_store_put_begin(s, "half", &put, &err), &err);
    assert_ok(mst_store_put_add(put, bytes, MST_S3_PART_MIN + 1, &err), &err);
    assert_int_equal(kit_uploads(s), 1);
    mst_store_put_abort_take(put);
    assert_int_equal(kit_uploads(s), 0);
}

static void write_file(const char *dir, const char *name, size_t n)
{
    char *path = mst_xasprintf("%s/%s", dir, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    (void)close(fd);
    free(path);
}

/* An independent client reads the same bytes. */
static void rclone_finds_what_was_written(void **state)
{
    char dir[64];
    struct mst_str out = {0};
    struct mst_err err = {0};
    const char *words[] = {"check", "--download", dir, "real:" REAL_BUCKET "/sets/rs0", NULL};

    (void)state;
    temp_dir(dir, sizeof(dir));
    write_file(dir, "small", 4000);
    write_file(dir, "large", LARGE);
    assert_ok(kit_put(s, "small", bytes, 4000, &err), &err);
    assert_ok(kit_put(s, "large", bytes, LARGE, &err), &err);
    if (realstore_rclone(&r, words, &out) != 0) {
        fail_msg("%s", mst_str_c(&out));
    }
    assert_non_null(strstr(out.p, "0 differences found"));
    bytes[LARGE - 1] ^= 1; /* and it would see a difference */
    write_file(dir, "large", LARGE);
    assert_int_not_equal(realstore_rclone(&r, words, &out), 0);
    mst_str_release(&out);
    temp_remove(dir);
}

static void what_is_wrong_is_said(void **state)
{
    struct mst_err err = {0};
    struct mst_store *other;
    uint64_t n;

    (void)state;
    other = kit_open(r.endpoint, "no-such-bucket", REAL_ACCESS, REAL_SECRET, REAL_REGION,
                     (struct mst_s3_conf){0});
    assert_rc(kit_put(other, "a", bytes, 1, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "there is no bucket no-such-bucket"));
    mst_store_free(other);
    other = kit_open(r.endpoint, REAL_BUCKET, REAL_ACCESS, "wrong", REAL_REGION,
                     (struct mst_s3_conf){0});
    assert_rc(kit_put(other, "a", bytes, 1, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "the secret key does not belong to the access key"));
    mst_store_free(other);
    other = kit_open(r.endpoint, REAL_BUCKET, "AKIDNOBODY", REAL_SECRET, REAL_REGION,
                     (struct mst_s3_conf){0});
    assert_rc(kit_put(other, "a", bytes, 1, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "it does not know the access key"));
    mst_store_free(other);
    other = kit_open(r.endpoint, REAL_BUCKET, REAL_ACCESS, REAL_SECRET, "us-east-9",
                     (struct mst_s3_conf){0});
    memset(&err, 0, sizeof(err));
    assert_ok(kit_put(other, "a", bytes, 1, &err), &err); /* it learns the region */
    assert_ok(mst_store_stat(other, "a", &n, &err), &err);
    mst_store_free(other);
    /* A look first, whose refusal has no page to read the reason from. */
    other = kit_open(r.endpoint, REAL_BUCKET, REAL_ACCESS, "wrong", REAL_REGION,
                     (struct mst_s3_conf){0});
    assert_rc(mst_store_stat(other, "a", &n, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "the secret key does not belong to the access key"));
    mst_store_free(other);
    other = kit_open(r.endpoint, REAL_BUCKET, REAL_ACCESS, REAL_SECRET, "us-east-9",
                     (struct mst_s3_conf){0});
    assert_ok(mst_store_stat(other, "a", &n, &err), &err);
    mst_store_free(other);
    assert_int_equal(kit_uploads(s), 0);
}

/* ---- with versions and locks ---- */

struct seen {
    size_t n, markers;
    char newest[128], locked[128];
};

static bool see(void *arg, const struct mst_store_version *v)
{
    struct seen *x = arg;

    x->n++;
    x->markers += v->deleted;
    if (v->newest) {
        (void)mst_copy(x->newest, sizeof(x->newest), v->version);
    }
    return true;
}

static void versions_are_kept_and_listed(void **state)
{
    const struct mst_store_caps *c;
    struct mst_err err = {0};
    struct seen x = {0};

    (void)state;
    assert_ok(mst_store_probe(s, NULL, &err), &err);
    c = mst_store_caps(s);
    assert_true(c->versions);
    assert_true(c->lock);
    assert_true(c->create_only);
    for (int i = 0; i < 3; i++) {
        char key[16];

        (void)snprintf(key, sizeof(key), "v/%d", i);
        assert_ok(kit_put(s, key, bytes + i, 100, &err), &err);
    }
    assert_ok(mst_store_delete(s, "v/1", &err), &err);
    assert_ok(mst_store_versions(s, "v", see, &x, NULL, &err), &err);
    assert_int_equal(x.n, 4);
    assert_int_equal(x.markers, 1);
    assert_true(kit_same(s, "v/2", bytes + 2, 100, &err));
    /* This server takes a name with a marker for a name that is taken; nothing is lost by that. */
    assert_rc(kit_put(s, "v/1", bytes, 100, &err), MST_E_EXISTS, &err);
}

static void a_lock_is_set_extended_and_never_shortened(void **state)
{
    const int64_t now = mst_clock_utc_ms(NULL) / 1000 * 1000;
    struct mst_store_info info;
    struct mst_err err = {0};

    (void)state;
    assert_ok(kit_put(s, "locked", bytes, LARGE, &err), &err);
    assert_ok(mst_store_lock(s, "locked", "COMPLIANCE", now + 3600000, &err), &err);
    assert_ok(mst_store_info(s, "locked", &info, &err), &err);
    assert_string_equal(info.lock_mode, "COMPLIANCE");
    assert_int_equal(info.locked_until_ms, now + 3600000);
    assert_ok(mst_store_lock(s, "locked", "COMPLIANCE", now + 7200000, &err), &err);
    if (mst_store_lock(s, "locked", "COMPLIANCE", now + 60000, &err) == MST_OK) {
        assert_ok(mst_store_info(s, "locked", &info, &err), &err); /* left as it was */
    }
    memset(&err, 0, sizeof(err));
    assert_ok(mst_store_info(s, "locked", &info, &err), &err);
    assert_int_equal(info.locked_until_ms, now + 7200000);
}

int main(void)
{
    static int with_lock;
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
#define V(f) cmocka_unit_test_prestate_setup_teardown(f, start, stop, &with_lock)
    const struct CMUnitTest tests[] = {
        T(what_it_can_do_is_found),
        T(objects_come_back_as_they_went),
        T(long_listings_are_whole_and_in_order),
        T(uploads_are_seen_and_given_up),
        T(rclone_finds_what_was_written),
        T(what_is_wrong_is_said),
        V(versions_are_kept_and_listed),
        V(a_lock_is_set_extended_and_never_shortened),
    };

    realstore_need(REAL_VERSITYGW);
    realstore_need(REAL_RCLONE);
    return cmocka_run_group_tests_name("s3 on versitygw", tests, NULL, NULL);
}
