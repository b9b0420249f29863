/* What the engine learns of a bucket when somebody looks: settings, uploads that nobody ended, what
 * lies there that is not ours, the lock of a backup, and the reminder of an escrow. */
#include "test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "cfg/cfg.h"
#include "crypt/keyfile.h"
#include "engine/engine.h"
#include "engine/keyring.h"
#include "fake_backup.h"
#include "runprog.h"
#include "s3d.h"
#include "store/open.h"

#define WAIT_MS 30000
#define ID "2026-11-22T22-30-00Z-full"

static struct s3d *d;
static char dir[64];
static struct mst_cfg *cfg;
static struct mst_store *store; /* a second handle, that writes */
static struct mst_engine *e;
static struct mst_identity escrow;

static void configure(void)
{
    struct mst_cfg_where where = {0};
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[128], secret[128], word[MST_PUB_WORD];

    (void)snprintf(secret, sizeof(secret), "%s/secret", dir);
    (void)snprintf(path, sizeof(path), "%s/muster.conf", dir);
    assert_ok(mst_file_replace(secret, 0600, S3D_SECRET, strlen(S3D_SECRET), &err), &err);
    assert_ok(mst_identity_new(&escrow, &err), &err);
    mst_pub_word(MST_KEY_RECIPIENT, escrow.pub, word);
    mst_str_addf(&s,
                 "set = { name = \"rs0\"; members = [\"127.0.0.1:1\"]; };\n"
                 "stores = ({ name = \"far\"; type = \"s3\"; bucket = \"%s\"; endpoint = \"%s\";\n"
                 "  region = \"%s\"; profile = \"versitygw\"; plain_http = true;\n"
                 "  access_key = \"%s\"; secret_key_file = \"%s\"; storage_class = \"COLD\"; });\n"
                 "seal = { recipients = [\"%s safe\"]; escrow = [\"safe\"]; };\n",
                 S3D_BUCKET_NAME, s3d_endpoint(d), S3D_REGION, S3D_ACCESS, secret, word);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
    assert_int_equal(setenv("MUSTER_DIR", dir, 1), 0);
    where.config = path;
    assert_ok(mst_cfg_open(&where, &cfg, NULL, &err), &err);
}

static int start_with(bool lock)
{
    const struct s3d_opts o = {.lock = lock, .versioned = lock};
    struct mst_err err = {0};

    d = s3d_start(&o);
    temp_dir(dir, sizeof(dir));
    configure();
    assert_ok(mst_store_open(&cfg->stores[0], true, &store, &err), &err);
    assert_ok(mst_store_probe(store, NULL, &err), &err);
    return 0;
}

static int start(void **state)
{
    (void)state;
    return start_with(true);
}

static int start_plain(void **state)
{
    (void)state;
    return start_with(false);
}

static int stop(void **state)
{
    (void)state;
    mst_engine_close(e);
    e = NULL;
    mst_store_free(store);
    mst_cfg_free(cfg);
    mst_identity_release(&escrow);
    s3d_stop(d);
    temp_remove(dir);
    return 0;
}

static void open_engine(void)
{
    const struct mst_engine_opts o = {.cfg = cfg};
    struct mst_err err = {0};

    assert_ok(mst_engine_open(&o, &e, &err), &err);
}

/* Views until one is as wanted; the caller releases it. */
static const struct mst_view *await(bool (*wanted)(const struct mst_view *v), const char *what)
{
    const int64_t end = mst_clock_mono_ms(NULL) + WAIT_MS;

    while (mst_clock_mono_ms(NULL) < end) {
        struct pollfd p = {mst_engine_wake_fd(e), POLLIN, 0};
        const struct mst_view *v = mst_engine_view(e);

        if (wanted(v)) {
            return v;
        }
        mst_view_release(v);
        (void)poll(&p, 1, 1000);
    }
    fail_msg("no view came with %s", what);
    return NULL;
}

static void ask(enum mst_cmd_kind kind, const char *backup)
{
    struct mst_cmd cmd = {.kind = kind, .store = "far"};
    struct mst_err err = {0};
    uint64_t none;

    (void)mst_copy(cmd.backup, sizeof(cmd.backup), backup);
    assert_ok(mst_engine_submit(e, &cmd, &none, &err), &err);
}

static bool looked(const struct mst_view *v)
{
    return v->looks[0] && v->looks[0]->read_at_ms && !v->looks[0]->loading;
}

static bool listed(const struct mst_view *v)
{
    return v->stores[0]->read_at_ms && !v->stores[0]->loading;
}

static bool detailed(const struct mst_view *v)
{
    return v->detail && v->detail->read_at_ms && !v->detail->loading;
}

/* An object in parts that is begun and not ended; it is given up by the caller. */
static struct mst_store_put *begin_upload(void)
{
    const size_t n = (size_t)9 * 1024 * 1024; /* more than a part */
    char *bytes = mst_xcalloc(1, n);
    struct mst_store_put *put = NULL;
    struct mst_err err = {0};

    assert_ok(
        mst_store_put_begin(store, "rs0/backups/" ID "/0011223344556677/d/0001-0", &put, &err),
        &err);
    assert_ok(mst_store_put_add(put, bytes, n, &err), &err);
    free(bytes);
    return put;
}

static void a_bucket_says_what_it_keeps_and_what_lies_there(void **state)
{
    struct mst_store_put *put = begin_upload();
    const struct mst_view *v;
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_store_put_all(store, "rs0/backups/notes.txt", "x", 1, &err), &err);
    assert_ok(mst_store_put_all(store, "rs0/backups/" ID "/junk", "x", 1, &err), &err);
    s3d_put(d, "rs0/backups/../../etc/passwd", "x", 1); /* no key of ours, and there */
    open_engine();
    v = await(listed, "a listing");
    assert_null(v->looks[0]); /* nobody looked */
    assert_int_equal(v->stores[0]->foreign, 3);
    assert_string_equal(v->stores[0]->region, S3D_REGION);
    assert_string_equal(v->stores[0]->storage_class, "COLD");
    assert_false(v->stores[0]->single_writer || v->stores[0]->allow_unsealed);
    assert_int_equal(v->stores[0]->days_left, -1);
    mst_view_release(v);
    s3d_count_reset(d);
    ask(MST_CMD_STORE_LOOK, "");
    v = await(looked, "what the store says");
    assert_int_equal(v->looks[0]->versions, 1);
    assert_int_equal(v->looks[0]->locks, 1);
    assert_int_equal(v->looks[0]->uploads, 1);
    assert_true(v->looks[0]->since_wall_ms > 0);
    assert_string_equal(v->looks[0]->problem, "");
    assert_non_null(strstr(v->looks[0]->who, S3D_ACCESS));
    mst_view_release(v);
    assert_int_equal(s3d_count(d, S3D_PUT), 0); /* looking does not write */
    mst_store_put_abort_take(put);
}

static void what_a_bucket_has_not_is_no_and_what_is_refused_unknown(void **state)
{
    const struct mst_view *v;

    (void)state;
    open_engine();
    ask(MST_CMD_STORE_LOOK, "");
    v = await(looked, "what the store says");
    assert_int_equal(v->looks[0]->versions, 0);
    assert_int_equal(v->looks[0]->locks, 0);
    assert_int_equal(v->looks[0]->uploads, 0);
    mst_view_release(v);
    s3d_deny(d, S3D_BUCKET, true);
    s3d_deny(d, S3D_UPLOADS, true);
    ask(MST_CMD_STORE_LOOK, "");
    v = await(looked, "the answer before");
    while (v->looks[0]->versions == 0) { /* until the new one is there */
        mst_view_release(v);
        (void)poll(&(struct pollfd){mst_engine_wake_fd(e), POLLIN, 0}, 1, WAIT_MS);
        v = await(looked, "the second answer");
    }
    assert_int_equal(v->looks[0]->versions, -1);
    assert_int_equal(v->looks[0]->locks, -1);
    assert_int_equal(v->looks[0]->uploads, -1);
    assert_non_null(strstr(v->looks[0]->problem, "s3:GetBucketVersioning"));
    mst_view_release(v);
}

static void a_detail_asks_for_the_lock_of_its_commit(void **state)
{
    const int64_t until = mst_time_parse("2040-01-01T00:00:00Z");
    struct fake f = {0};
    const struct mst_view *v;
    struct mst_err err = {0};
    char key[MST_KEY_MAX];

    (void)state;
    assert_ok(mst_catalog_init(&f.c, store, "", "rs0", &err), &err);
    (void)mst_copy(f.id, sizeof(f.id), ID);
    assert_ok(fake_make(&f, &err), &err);
    mst_catalog_key(&f.c, ID, "", "COMMIT", key);
    assert_ok(mst_store_lock(store, key, "GOVERNANCE", until, &err), &err);
    open_engine();
    ask(MST_CMD_DETAIL, ID);
    v = await(detailed, "a detail");
    assert_string_equal(v->detail->problem, "");
    assert_true(v->detail->lock_known);
    assert_string_equal(v->detail->lock_mode, "GOVERNANCE");
    assert_int_equal(v->detail->locked_until_ms, until);
    assert_true(v->detail->version[0]);
    assert_string_equal(v->detail->storage_class, "COLD");
    for (size_t i = 0; i < v->detail->n_objects; i++) {
        assert_string_equal(v->detail->objects[i].storage_class, "COLD");
    }
    mst_view_release(v);
}

static bool reminded(const struct mst_view *v)
{
    return strstr(v->info->key_remind, "the escrow safe was never tried") != NULL;
}

static bool not_reminded(const struct mst_view *v)
{
    return !v->info->key_remind[0];
}

static void the_reminder_goes_when_the_escrow_was_tried(void **state)
{
    struct mst_keyring_row row;
    struct mst_err err = {0};

    (void)state;
    open_engine();
    mst_view_release(await(reminded, "the reminder"));
    assert_ok(mst_keyring_tried(cfg, escrow.secret, mst_clock_utc_ms(NULL), &row, &err), &err);
    ask(MST_CMD_BUCKET_RELOAD, ""); /* else within ten seconds */
    mst_view_release(await(not_reminded, "no reminder"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_bucket_says_what_it_keeps_and_what_lies_there, start,
                                        stop),
        cmocka_unit_test_setup_teardown(what_a_bucket_has_not_is_no_and_what_is_refused_unknown,
                                        start_plain, stop),
        cmocka_unit_test_setup_teardown(a_detail_asks_for_the_lock_of_its_commit, start, stop),
        cmocka_unit_test_setup_teardown(the_reminder_goes_when_the_escrow_was_tried, start, stop),
    };
    return cmocka_run_group_tests_name("bucket look", tests, NULL, NULL);
}
