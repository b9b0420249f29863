/* Object locks, tags, batches of removals and the test of a store, before the scripted S3 server.
 */
#include "s3_kit.h"

#include "catalog/locks.h"
#include "catalog/marks.h"
#include "catalog/orphans.h"
#include "fake_backup.h"
#include "store/probe.h"

#define DAYS 30
#define DAY_MS INT64_C(86400000)
#define TAGS "team=data%20base&for=muster"

static void start(struct kit *k, const struct s3d_opts *o, int64_t days, const char *mode)
{
    struct mst_s3_conf conf;

    kit_start(k, o);
    conf = kit_conf(k);
    conf.marks = (struct mst_store_marks){days, mode, TAGS};
    kit_open_as(k, &conf);
}

static int64_t wanted(void)
{
    return (mst_clock_utc_ms(NULL) / DAY_MS + DAYS + 1) * DAY_MS;
}

static void what_is_written_is_locked_to_the_end_of_a_day(void **state)
{
    static const char *const keys[] = {"rs0/backups/x/COMMIT", "rs0/backups/x/a/d/0000-0"};
    const struct s3d_opts o = {.lock = true};
    unsigned char *p = kit_bytes(KIT_PART + 1, 3);
    struct mst_store_info info;
    struct kit k;

    (void)state;
    start(&k, &o, DAYS, NULL);
    for (size_t i = 0; i < MST_COUNT(keys); i++) { /* in one request, and in parts */
        assert_ok(kit_put(k.store, keys[i], p, i ? KIT_PART + 1 : 10, &k.err), &k.err);
        assert_ok(mst_store_info(k.store, keys[i], &info, &k.err), &k.err);
        assert_string_equal(info.lock_mode, "GOVERNANCE");
        assert_int_equal(info.locked_until_ms, wanted());
    }
    assert_ok(kit_put(k.store, "rs0/backups/x/claim", p, 1, &k.err), &k.err);
    assert_ok(mst_store_info(k.store, "rs0/backups/x/claim", &info, &k.err), &k.err);
    assert_int_equal(info.locked_until_ms, 0); /* whoever made it takes it back */
    free(p);
    kit_close(&k);
    start(&k, &o, DAYS, "COMPLIANCE");
    assert_ok(kit_put(k.store, "x", "x", 1, &k.err), &k.err);
    assert_ok(mst_store_info(k.store, "x", &info, &k.err), &k.err);
    assert_string_equal(info.lock_mode, "COMPLIANCE");
    kit_close(&k);
}

static void a_bucket_that_cannot_lock_gets_nothing(void **state)
{
    struct kit k;

    (void)state;
    start(&k, NULL, DAYS, NULL);
    assert_rc(kit_put(k.store, "x", "x", 1, &k.err), MST_E_CONFIG, &k.err);
    assert_string_equal(k.err.msg,
                        "the store far says lock_days, and its bucket vault takes no object locks: "
                        "make a bucket with object lock, or take lock_days out");
    assert_int_equal(s3d_count(k.srv, S3D_PUT) + s3d_count(k.srv, S3D_CREATE), 0);
    s3d_deny(k.srv, S3D_BUCKET, true);
    kit_close(&k);
    start(&k, NULL, DAYS, NULL);
    s3d_deny(k.srv, S3D_BUCKET, true);
    assert_rc(kit_put(k.store, "x", "x", 1, &k.err), MST_E_AUTH, &k.err);
    assert_non_null(strstr(k.err.msg, "its policy has to allow "
                                      "s3:GetBucketObjectLockConfiguration"));
    assert_int_equal(s3d_count(k.srv, S3D_PUT) + s3d_count(k.srv, S3D_CREATE), 0);
    kit_close(&k);
}

/* --- removing --------------------------------------------------------------------------------- */

static void names(char (*keys)[MST_KEY_MAX], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(keys[i], MST_KEY_MAX, "rs0/d/<%04zu>&é", i);
    }
}

static void put_all(struct kit *k, char (*keys)[MST_KEY_MAX], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *full = mst_xasprintf(KIT_PREFIX "/%s", keys[i]);

        s3d_put(k->srv, full, "x", 1);
        free(full);
    }
}

static enum mst_rc sweep(struct kit *k, char (*keys)[MST_KEY_MAX], size_t n,
                         struct mst_store_swept *w)
{
    memset(w, 0, sizeof(*w));
    return mst_store_delete_many(k->store, (const char(*)[MST_KEY_MAX])keys, n, w, NULL, &k->err);
}

static void many_objects_go_in_one_request(void **state)
{
    static char keys[2300][MST_KEY_MAX];
    struct mst_store_swept w;
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    names(keys, MST_COUNT(keys));
    put_all(&k, keys, MST_COUNT(keys));
    assert_ok(sweep(&k, keys, MST_COUNT(keys), &w), &k.err);
    assert_int_equal(w.gone, MST_COUNT(keys));
    assert_int_equal(w.locked + w.failed + w.markers, 0);
    assert_int_equal(s3d_objects(k.srv), 0);
    assert_int_equal(s3d_count(k.srv, S3D_DELETES), 3);
    assert_int_equal(s3d_count(k.srv, S3D_DELETE), 0);
    assert_ok(sweep(&k, keys, 2, &w), &k.err); /* they are gone already */
    assert_int_equal(w.gone, 2);
    kit_no_complaints(&k);
    kit_close(&k);
}

static void what_a_batch_does_not_remove_is_said_key_by_key(void **state)
{
    static char keys[3][MST_KEY_MAX];
    struct mst_store_swept w;
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    names(keys, 3);
    put_all(&k, keys, 3);
    s3d_deny(k.srv, S3D_DELETE, true);
    assert_rc(sweep(&k, keys, 3, &w), MST_E_AUTH, &k.err);
    assert_non_null(strstr(k.err.msg, "3 objects could not be removed, the first: cannot remove "
                                      "rs0/d/<0000>&é in the store far"));
    assert_non_null(strstr(k.err.msg, "s3:DeleteObject: AccessDenied"));
    assert_int_equal(w.failed, 3);
    s3d_deny(k.srv, S3D_DELETE, false);
    memset(&k.err, 0, sizeof(k.err));
    kit_fault(&k, S3D_GARBAGE, S3D_DELETES, 1); /* nobody knows what became of them */
    assert_int_not_equal(sweep(&k, keys, 3, &w), MST_OK);
    assert_int_equal(w.gone, 0);
    s3d_plan_none(k.srv);
    memset(&k.err, 0, sizeof(k.err));
    kit_status(&k, S3D_DELETES, 501, "NotImplemented", UINT_MAX); /* one by one then */
    put_all(&k, keys, 3);
    assert_ok(sweep(&k, keys, 3, &w), &k.err);
    assert_int_equal(w.gone, 3);
    assert_int_equal(s3d_objects(k.srv), 0);
    kit_close(&k);
}

static void a_locked_object_stays_and_the_others_go(void **state)
{
    static char keys[4][MST_KEY_MAX];
    const struct s3d_opts o = {.lock = true};
    const int64_t soon = mst_clock_utc_ms(NULL) / 1000 * 1000 + 3600000;
    struct mst_store_swept w;
    char text[300], until[MST_TIME_MAX], want[MST_KEY_MAX + 100];
    struct kit k;

    (void)state;
    kit_open(&k, &o);
    names(keys, 4);
    put_all(&k, keys, 4);
    assert_ok(mst_store_lock(k.store, keys[1], "GOVERNANCE", soon - 60000, &k.err), &k.err);
    assert_ok(mst_store_lock(k.store, keys[3], "COMPLIANCE", soon, &k.err), &k.err);
    assert_rc(mst_store_delete(k.store, keys[3], &k.err), MST_E_PRECOND, &k.err);
    (void)snprintf(want, sizeof(want), "%s in the store far is locked until %s (COMPLIANCE)",
                   keys[3], mst_time_iso(soon, until));
    assert_string_equal(k.err.msg, want);
    memset(&k.err, 0, sizeof(k.err));
    assert_ok(sweep(&k, keys, 4, &w), &k.err);
    assert_int_equal(w.gone, 2);
    assert_int_equal(w.locked, 2);
    assert_int_equal(w.markers, 2);
    assert_int_equal(w.locked_until_ms, soon);
    assert_string_equal(w.locked_key, keys[3]);
    assert_int_equal(s3d_objects(k.srv), 2);
    mst_store_swept_text(&w, text, sizeof(text));
    (void)snprintf(want, sizeof(want),
                   "; 2 stay, locked until %s; the bucket keeps versions: ", until);
    assert_int_equal(strncmp(text, want, strlen(want)), 0);
    kit_close(&k);
}

static void a_legal_hold_keeps_one_with_words_of_its_own(void **state)
{
    static char keys[3][MST_KEY_MAX];
    const struct s3d_opts o = {.lock = true};
    const int64_t soon = mst_clock_utc_ms(NULL) / 1000 * 1000 + 3600000;
    struct mst_store_swept w;
    struct mst_store_info info;
    char text[MST_SWEPT_TEXT], want[MST_KEY_MAX + 100], *full;
    struct kit k;

    (void)state;
    kit_open(&k, &o);
    names(keys, 3);
    put_all(&k, keys, 3);
    full = mst_xasprintf(KIT_PREFIX "/%s", keys[1]);
    s3d_hold(k.srv, full, true);
    assert_ok(mst_store_lock(k.store, keys[1], "GOVERNANCE", soon, &k.err), &k.err);
    assert_ok(mst_store_info(k.store, keys[1], &info, &k.err), &k.err);
    assert_string_equal(info.hold, "legal hold");
    assert_int_equal(info.locked_until_ms, soon);
    assert_rc(mst_store_delete(k.store, keys[1], &k.err), MST_E_PRECOND, &k.err);
    (void)snprintf(
        want, sizeof(want),
        "%s in the store far is held there (legal hold): somebody has to take that off first",
        keys[1]);
    assert_string_equal(k.err.msg, want);
    memset(&k.err, 0, sizeof(k.err));
    assert_ok(sweep(&k, keys, 3, &w), &k.err);
    assert_int_equal(w.gone, 2);
    assert_int_equal(w.locked, 0); /* its day does not let it go */
    assert_int_equal(w.held, 1);
    assert_string_equal(w.held_key, keys[1]);
    mst_store_swept_text(&w, text, sizeof(text));
    assert_non_null(strstr(text, "; 1 stays, held in the store (legal hold) until somebody takes "
                                 "that off; the bucket keeps versions: "));
    assert_int_equal(s3d_objects(k.srv), 1);
    free(full);
    kit_close(&k);
}

/* Google's XML API says it by a code only. */
static void what_another_code_says_of_a_hold_is_no_lack_of_rights(void **state)
{
    static const char *const codes[][2] = {
        {"ObjectUnderActiveHold", "it is held in the store: somebody has to take that off first"},
        {"RetentionPolicyNotMet", "the retention of the bucket or of the object keeps it for now"}};
    struct kit k;

    (void)state;
    kit_open(&k, NULL);
    for (size_t i = 0; i < MST_COUNT(codes); i++) {
        kit_status(&k, S3D_DELETE, 403, codes[i][0], 1);
        assert_rc(mst_store_delete(k.store, "x", &k.err), MST_E_PRECOND, &k.err);
        assert_non_null(strstr(k.err.msg, codes[i][1]));
        assert_null(strstr(k.err.msg, "policy has to allow"));
        memset(&k.err, 0, sizeof(k.err));
    }
    kit_close(&k);
}

static void a_lock_is_never_shorter_nor_less(void **state)
{
    const struct s3d_opts o = {.lock = true};
    const int64_t soon = mst_clock_utc_ms(NULL) / 1000 * 1000 + 3600000;
    struct mst_store_info info;
    struct kit k;

    (void)state;
    kit_open(&k, &o);
    assert_ok(kit_put(k.store, "x", "x", 1, &k.err), &k.err);
    assert_ok(mst_store_lock(k.store, "x", "COMPLIANCE", soon, &k.err), &k.err);
    assert_rc(mst_store_lock(k.store, "x", "COMPLIANCE", soon - 1000, &k.err), MST_E_PRECOND,
              &k.err);
    assert_ok(mst_store_lock(k.store, "x", "GOVERNANCE", soon + 1000, &k.err), &k.err);
    assert_ok(mst_store_info(k.store, "x", &info, &k.err), &k.err);
    assert_string_equal(info.lock_mode, "COMPLIANCE");
    assert_int_equal(info.locked_until_ms, soon + 1000);
    kit_close(&k);
}

/* --- a backup --------------------------------------------------------------------------------- */

static void make(struct kit *k, struct fake *f, const struct s3d_opts *o, int64_t days)
{
    start(k, o, days, NULL);
    memset(f, 0, sizeof(*f));
    (void)mst_copy(f->id, sizeof(f->id), "2026-11-22T22-30-00Z-full");
    assert_ok(mst_catalog_init(&f->c, k->store, "", "rs0", &k->err), &k->err);
    assert_ok(fake_make(f, &k->err), &k->err);
}

static void every_object_of_a_backup_is_locked_and_a_hold_extends_them(void **state)
{
    const struct s3d_opts o = {.lock = true};
    const int64_t later = wanted() + 10 * DAY_MS;
    struct mst_mark hold = {.kind = MST_MARK_HOLD, .ok = true, .until_ms = later};
    struct mst_store_swept w;
    struct mst_orphans all = {0};
    struct mst_locks locks;
    struct fake f;
    struct kit k;

    (void)state;
    make(&k, &f, &o, DAYS);
    assert_ok(mst_locks_look(&f.c, f.id, NULL, &locks, &k.err), &k.err);
    assert_int_equal(locks.until_ms, wanted());
    assert_string_equal(locks.mode, "GOVERNANCE");
    (void)mst_copy(hold.id, sizeof(hold.id), f.id);
    hold.wall_ms = mst_clock_utc_ms(NULL);
    assert_ok(mst_marks_write(&f.c, &hold, &k.err), &k.err);
    assert_ok(mst_locks_extend(&f.c, f.id, "GOVERNANCE", later, NULL, &locks, &k.err), &k.err);
    assert_int_equal(locks.until_ms, later);
    assert_int_equal(locks.extended, locks.objects);
    assert_true(locks.objects >= 5); /* segments, manifest and copy, header, COMMIT, the hold */
    assert_ok(mst_locks_extend(&f.c, f.id, "GOVERNANCE", later - DAY_MS, NULL, &locks, &k.err),
              &k.err);
    assert_int_equal(locks.extended, 0); /* never shorter */
    assert_int_equal(locks.until_ms, later);
    /* what a dead run left is locked as well: it stays until then, and that is no error */
    assert_ok(kit_put(k.store, "rs0/backups/2026-11-23T22-30-00Z-full/ffffffffffffffff/d/0000-0",
                      "dead", 4, &k.err),
              &k.err);
    assert_ok(mst_orphans_find(&f.c, INT64_MAX, mst_clock_utc_ms(NULL), NULL, &all, &k.err),
              &k.err);
    assert_true(all.n > 0);
    assert_ok(mst_orphans_sweep(&f.c, &all, NULL, &w, &k.err), &k.err);
    assert_int_equal(w.locked, 1);
    assert_int_equal(w.locked_until_ms, wanted());
    mst_orphans_release(&all);
    kit_close(&k);
}

static void a_backup_without_locks_says_so(void **state)
{
    const struct s3d_opts o = {.lock = true};
    struct mst_locks locks;
    struct fake f;
    struct kit k;

    (void)state;
    make(&k, &f, &o, 0);
    assert_ok(mst_locks_look(&f.c, f.id, NULL, &locks, &k.err), &k.err);
    assert_int_equal(locks.until_ms, 0);
    assert_string_equal(locks.mode, "");
    assert_rc(mst_locks_look(&f.c, "2020-01-01T00-00-00Z-full", NULL, &locks, &k.err),
              MST_E_NOTFOUND, &k.err);
    kit_close(&k);
}

/* --- the test of a store ---------------------------------------------------------------------- */

static void add_line(void *arg, const char *line)
{
    mst_str_addf(arg, "%s\n", line);
}

struct tried {
    struct s3d_opts o;
    enum s3d_kind denied[3];
    unsigned passed, failed, cannot, unchecked, warnings;
    size_t left;
    const char *lines[4];
};

static void try_it(const struct tried *t)
{
    struct mst_str s = {0};
    const struct mst_probe_opts o = {
        .prefix = "rs0/probe/x", .large_bytes = 1U << 20, .say = add_line, .arg = &s};
    struct mst_probe_result res;
    struct kit k;

    start(&k, &t->o, 0, NULL);
    assert_ok(mst_store_probe(k.store, NULL, &k.err), &k.err);
    for (size_t i = 0; i < MST_COUNT(t->denied); i++) {
        if (t->denied[i]) {
            s3d_deny(k.srv, t->denied[i], true);
        }
    }
    (void)!mst_probe_run(k.store, &o, NULL, &res, &k.err);
    for (size_t i = 0; i < MST_COUNT(t->lines) && t->lines[i]; i++) {
        if (!strstr(mst_str_c(&s), t->lines[i])) {
            fail_msg("no line \"%s\" in\n%s", t->lines[i], mst_str_c(&s));
        }
    }
    if (res.passed != t->passed || res.failed != t->failed || res.cannot != t->cannot ||
        res.unchecked != t->unchecked || res.warnings != t->warnings || res.n_left != t->left) {
        fail_msg("%u passed %u failed %u cannot %u unchecked %u warnings %zu left:\n%s", res.passed,
                 res.failed, res.cannot, res.unchecked, res.warnings, res.n_left, mst_str_c(&s));
    }
    mst_str_release(&s);
    kit_close(&k);
}

static void a_store_is_tested_for_what_it_keeps_and_whom_it_lets(void **state)
{
    static const struct tried table[] = {
        {.o = {.lock = true},
         .passed = 12,
         .warnings = 1,
         .left = 1,
         .lines = {"lock         ok          GOVERNANCE until ",
                   "versions     ok          kept and",
                   "privilege    WARNING     this key may also replace objects, remove older "
                   "versions, write outside of the prefix: see least privilege",
                   "tags         ok          read back as they were written"}},
        {.o = {.lock = true, .bypass = true},
         .passed = 11,
         .warnings = 2,
         .lines = {"WARNING     this key may also set locks of mode GOVERNANCE aside"}},
        {.o = {.ignores_checksums = true},
         .passed = 8,
         .cannot = 3,
         .warnings = 1,
         .lines = {"checksum     cannot      the store does not check",
                   "versions     cannot      the bucket keeps none",
                   "lock         cannot      the bucket takes no object locks",
                   "WARNING     this key may also replace objects, write outside"}},
        {.o = {.lock = true},
         .denied = {S3D_RETAIN, S3D_VERSIONS, S3D_TAGGING},
         .passed = 8,
         .unchecked = 4,
         .warnings = 1,
         .left = 2,
         .lines = {"tags         not checked ", "lock         not checked cannot lock ",
                   "versions     not checked the bucket keeps them, and this key may not list",
                   "privilege    not checked whether this key may remove older versions"}},
        {.o = {.lock = true},
         .denied = {S3D_DELETE, S3D_CREATE},
         .passed = 12,
         .warnings = 1,
         .left = 3,
         .lines = {"delete       ok          this key may not delete, which is right for a writer",
                   "WARNING     this key may also replace objects: see"}}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(table); i++) {
        print_message("case %zu\n", i);
        try_it(&table[i]);
    }
}

/* From the line on that begins with part, nothing can be read. */
struct blind {
    struct kit *k;
    const char *part;
    struct mst_str lines;
};

static void go_blind(void *arg, const char *line)
{
    struct blind *b = arg;

    add_line(&b->lines, line);
    if (strncmp(line, b->part, strlen(b->part)) == 0) {
        s3d_deny(b->k->srv, S3D_GET, true);
    }
}

/* From the line on that begins with "checksum", the large object is held. */
static void take_hold(void *arg, const char *line)
{
    struct blind *b = arg;

    add_line(&b->lines, line);
    if (strncmp(line, "checksum", 8) == 0) {
        s3d_hold(b->k->srv, KIT_PREFIX "/rs0/probe/x/large", true);
    }
}

static void who_may_delete_is_not_known_where_the_bucket_keeps_it(void **state)
{
    const struct s3d_opts with = {.lock = true};
    struct kit k;
    struct blind b = {.k = &k};
    const struct mst_probe_opts o = {
        .prefix = "rs0/probe/x", .large_bytes = 1U << 20, .say = take_hold, .arg = &b};
    struct mst_probe_result res;

    (void)state;
    start(&k, &with, 0, NULL);
    (void)!mst_probe_run(k.store, &o, NULL, &res, &k.err);
    if (!strstr(mst_str_c(&b.lines), "delete       not checked rs0/probe/x/large in the store far "
                                     "is held there (legal hold): somebody has to take that off")) {
        fail_msg("not said in\n%s", mst_str_c(&b.lines));
    }
    assert_null(strstr(mst_str_c(&b.lines), "may not delete"));
    mst_str_release(&b.lines);
    kit_close(&k);
}

static void what_cannot_be_read_back_is_not_said_to_be_replaced(void **state)
{
    struct kit k;
    struct blind b = {.k = &k, .part = "list "};
    const struct mst_probe_opts o = {
        .prefix = "rs0/probe/x", .large_bytes = 1U << 20, .say = go_blind, .arg = &b};
    struct mst_probe_result res;

    (void)state;
    start(&k, NULL, 0, NULL);
    (void)!mst_probe_run(k.store, &o, NULL, &res, &k.err);
    if (!strstr(mst_str_c(&b.lines), "create-only  FAILED      a second write of the name was "
                                     "refused; what stands there could not be read back: ")) {
        fail_msg("not said in\n%s", mst_str_c(&b.lines));
    }
    assert_null(strstr(mst_str_c(&b.lines), "replaced the first"));
    mst_str_release(&b.lines);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_delete_is_not_known_where_the_bucket_keeps_it),
        cmocka_unit_test(what_cannot_be_read_back_is_not_said_to_be_replaced),
        cmocka_unit_test(what_is_written_is_locked_to_the_end_of_a_day),
        cmocka_unit_test(a_bucket_that_cannot_lock_gets_nothing),
        cmocka_unit_test(many_objects_go_in_one_request),
        cmocka_unit_test(what_a_batch_does_not_remove_is_said_key_by_key),
        cmocka_unit_test(a_locked_object_stays_and_the_others_go),
        cmocka_unit_test(a_legal_hold_keeps_one_with_words_of_its_own),
        cmocka_unit_test(what_another_code_says_of_a_hold_is_no_lack_of_rights),
        cmocka_unit_test(a_lock_is_never_shorter_nor_less),
        cmocka_unit_test(every_object_of_a_backup_is_locked_and_a_hold_extends_them),
        cmocka_unit_test(a_backup_without_locks_says_so),
        cmocka_unit_test(a_store_is_tested_for_what_it_keeps_and_whom_it_lets),
    };

    return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
