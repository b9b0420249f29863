/* Copies between stores, holds, and what belongs to no backup. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "catalog/copy.h"
#include "catalog/marks.h"
#include "catalog/orphans.h"
#include "fake_backup.h"
#include "store/fault.h"
#include "store/impl.h"
#include "store/probe.h"

#define ID "2026-11-22T22-30-00Z-full"

struct two {
    char dir[2][32];
    struct mst_store *real[2], *fault;
    struct mst_catalog from, to; /* to is the fault store over the second */
    struct fake f;
};

static void two_open(struct two *t)
{
    struct mst_err err = {0};

    memset(t, 0, sizeof(*t));
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(t->dir[i], sizeof(t->dir[i]), "/tmp/mst-copy-XXXXXX");
        assert_non_null(mkdtemp(t->dir[i]));
        assert_ok(mst_store_local_open(i ? "vault" : "local", t->dir[i], true, &t->real[i], &err),
                  &err);
    }
    t->fault = mst_store_fault_new(t->real[1]);
    mst_store_fault_set(t->fault, MST_FAULT_NONE, 0, MST_E_IO);
    assert_ok(mst_catalog_init(&t->from, t->real[0], "", "rs0", &err), &err);
    assert_ok(mst_catalog_init(&t->to, t->fault, "", "rs0", &err), &err);
    t->f.c = t->from;
    (void)mst_copy(t->f.id, sizeof(t->f.id), ID);
    assert_ok(fake_make(&t->f, &err), &err);
}

static void two_close(struct two *t)
{
    mst_store_free(t->fault);
    for (size_t i = 0; i < 2; i++) {
        mst_store_free(t->real[i]);
        fake_rm(t->dir[i]);
    }
}

static enum mst_rc copy(struct two *t, struct mst_copy_result *res, struct mst_err *err)
{
    const struct mst_copy_opts o = {.id = ID, .by = "ann"};

    memset(err, 0, sizeof(*err));
    return mst_copy_run(&t->from, &t->to, &o, NULL, res, err);
}

static void find(const struct mst_catalog *c, struct mst_backup *b)
{
    struct mst_err err = {0};

    assert_ok(mst_catalog_find(c, ID, NULL, b, &err), &err);
}

static void a_copy_is_whole_and_the_source_says_so(void **state)
{
    struct two t;
    struct mst_copy_result res;
    struct mst_verify_result v;
    const struct mst_verify_opts vo = {.id = ID};
    struct mst_backup a, b;
    struct mst_err err = {0};

    (void)state;
    two_open(&t);
    assert_ok(copy(&t, &res, &err), &err);
    assert_int_equal(res.kept, 0);
    find(&t.from, &a);
    find(&t.to, &b);
    assert_int_equal(b.state, MST_BK_COMPLETE);
    assert_string_equal(a.header_sha, b.header_sha);
    assert_string_equal(a.copied_to, "vault");
    assert_string_equal(b.copied_to, "");
    assert_ok(mst_verify_run(&t.to, &vo, NULL, &v, &err), &err);
    assert_true(v.ok);
    assert_ok(copy(&t, &res, &err), &err); /* again: nothing is written, nothing is said twice */
    assert_int_equal(res.kept, res.objects);
    find(&t.from, &a);
    assert_string_equal(a.copied_to, "vault");
    two_close(&t);
}

/* Every call is failed, in each way; what is there then is no backup yet, and the next copy ends
 * it. */
static void a_copy_that_fails_anywhere_goes_on_later(void **state)
{
    static const enum mst_fault_kind kinds[] = {MST_FAULT_ONCE, MST_FAULT_DEAD, MST_FAULT_LOST};
    struct two t;
    struct mst_copy_result res;
    struct mst_err err = {0};
    uint64_t calls;

    (void)state;
    two_open(&t);
    assert_ok(copy(&t, &res, &err), &err);
    calls = mst_store_fault_calls(t.fault);
    two_close(&t);
    assert_true(calls > 12);
    for (size_t k = 0; k < MST_COUNT(kinds); k++) {
        for (uint64_t at = 1; at <= calls; at++) {
            struct mst_backup b;

            two_open(&t);
            mst_store_fault_set(t.fault, kinds[k], at, MST_E_IO);
            if (copy(&t, &res, &err) == MST_OK) { /* the claim was read back */
                assert_true(kinds[k] == MST_FAULT_LOST && at == 3);
            }
            mst_store_fault_set(t.fault, MST_FAULT_NONE, 0, MST_E_IO);
            if (mst_catalog_find(&t.to, ID, NULL, &b, &err) == MST_OK) {
                assert_true(b.state == MST_BK_INCOMPLETE ||
                            (kinds[k] == MST_FAULT_LOST && b.state == MST_BK_COMPLETE));
            }
            assert_ok(copy(&t, &res, &err), &err);
            find(&t.to, &b);
            assert_int_equal(b.state, MST_BK_COMPLETE);
            two_close(&t);
        }
    }
}

static void harm(const struct two *t, size_t i, const char *name)
{
    char path[200];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/rs0/backups/%s/%s/%s", t->dir[i], ID, FAKE_ATTEMPT,
                   name);
    f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, 200, SEEK_SET), 0);
    assert_int_not_equal(fputc(0x55, f), EOF);
    assert_int_equal(fclose(f), 0);
}

static void a_damaged_source_is_not_copied(void **state)
{
    struct two t;
    struct mst_copy_result res;
    struct mst_backup b;
    struct mst_err err = {0};
    uint64_t bytes;

    (void)state;
    two_open(&t);
    harm(&t, 0, "d/0000-0");
    assert_rc(copy(&t, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "d/0000-0 is damaged in the store local"));
    assert_rc(mst_catalog_find(&t.to, ID, NULL, &b, &err), MST_E_NOTFOUND, &err);
    assert_rc(mst_store_stat(t.real[1], "rs0/backups/" ID "/COMMIT", &bytes, &err), MST_E_NOTFOUND,
              &err);
    two_close(&t);
}

/* A run that drew this id in the target is not written into; the claim of a run that made both
 * copies is no stranger's. */
static void a_copy_respects_a_claim_and_makes_one(void **state)
{
    struct mst_claim c = {.wall_ms = 1, .by = "db9:77", .attempt = "ffffffffffffffff"}, got;
    struct two t;
    struct mst_copy_result res;
    struct mst_err err = {0};
    struct mst_buf b = {0};
    uint64_t n;

    (void)state;
    two_open(&t);
    (void)mst_copy(c.id, sizeof(c.id), ID);
    assert_ok(mst_catalog_claim(&t.to, &c, &err), &err);
    assert_rc(copy(&t, &res, &err), MST_E_EXISTS, &err);
    assert_non_null(strstr(err.msg, "another run has the name " ID " in the store "));
    assert_non_null(strstr(err.msg, "(db9:77)"));
    assert_int_equal(res.objects, 0);
    assert_ok(mst_catalog_clean(&t.to, ID, NULL, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_ok(copy(&t, &res, &err), &err);
    assert_ok(mst_store_read_all(t.real[1], "rs0/backups/" ID "/claim", 4096, &b, &err), &err);
    assert_ok(mst_claim_get((const char *)b.p, b.len, &got, &err), &err);
    assert_string_equal(got.attempt, FAKE_ATTEMPT);
    assert_string_equal(got.id, ID);
    mst_buf_release(&b);
    two_close(&t);
}

static void another_content_in_the_target_is_never_replaced(void **state)
{
    struct two t;
    struct mst_copy_result res;
    struct mst_err err = {0};

    (void)state;
    two_open(&t);
    assert_ok(mst_store_put_all(t.real[1], "rs0/backups/" ID "/" FAKE_ATTEMPT "/d/0000-0", "other",
                                5, &err),
              &err);
    assert_rc(copy(&t, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "with another content"));
    two_close(&t);
    two_open(&t);
    assert_ok(mst_store_put_all(t.real[1], "rs0/backups/" ID "/COMMIT", "other", 5, &err), &err);
    assert_rc(copy(&t, &res, &err), MST_E_EXISTS, &err);
    two_close(&t);
}

static void hold(const struct mst_catalog *c, enum mst_mark_kind kind, int64_t until, int64_t at)
{
    struct mst_mark m = {.kind = kind, .ok = true, .until_ms = until, .wall_ms = at};
    struct mst_err err = {0};

    (void)mst_copy(m.id, sizeof(m.id), ID);
    (void)mst_copy(m.text, sizeof(m.text), "the auditors");
    (void)mst_copy(m.by, sizeof(m.by), "ann");
    assert_ok(mst_marks_write(c, &m, &err), &err);
}

static void a_hold_ends_at_its_time_or_by_a_release(void **state)
{
    const int64_t now = 1795389600000;
    struct two t;
    struct mst_backup b;
    struct mst_err err = {0};

    (void)state;
    two_open(&t);
    assert_ok(mst_marks_held(&t.from, ID, now, NULL, &err), &err);
    hold(&t.from, MST_MARK_HOLD, now + 5000, now);
    hold(&t.from, MST_MARK_HOLD, now + 1000, now + 1); /* never ends the first one sooner */
    find(&t.from, &b);
    assert_int_equal(b.hold_until_ms, now + 5000);
    assert_string_equal(b.hold_text, "the auditors");
    assert_string_equal(b.hold_by, "ann");
    assert_rc(mst_marks_held(&t.from, ID, now + 4999, NULL, &err), MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, "held until 2026-"));
    memset(&err, 0, sizeof(err));
    assert_ok(mst_marks_held(&t.from, ID, now + 5000, NULL, &err), &err); /* not at its end */
    hold(&t.from, MST_MARK_RELEASE, 0, now + 2);
    assert_ok(mst_marks_held(&t.from, ID, now, NULL, &err), &err);
    hold(&t.from, MST_MARK_HOLD, MST_HOLD_EVER, now + 3);
    assert_rc(mst_marks_held(&t.from, ID, INT64_MAX - 1, NULL, &err), MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, "held without an end by ann (the auditors)"));
    two_close(&t);
}

static void a_hold_that_cannot_be_read_still_holds(void **state)
{
    struct two t;
    struct mst_err err = {0};

    (void)state;
    two_open(&t);
    assert_ok(mst_store_put_all(t.real[0], "rs0/backups/" ID "/marks/2026-11-23T10-00-00.000Z-hold",
                                "?", 1, &err),
              &err);
    assert_rc(mst_marks_held(&t.from, ID, 1, NULL, &err), MST_E_PRECOND, &err);
    two_close(&t);
}

static void clean_honours_a_hold_and_a_copy_takes_it_along(void **state)
{
    struct two t;
    struct mst_copy_result res;
    struct mst_backup b;
    struct mst_err err = {0};
    uint64_t n;

    (void)state;
    two_open(&t);
    assert_ok(mst_store_put_all(t.real[0], "rs0/backups/" ID "/ffffffffffffffff/d/0000-0", "dead",
                                4, &err),
              &err);
    hold(&t.from, MST_MARK_HOLD, MST_HOLD_EVER, 1795389600000);
    assert_rc(mst_catalog_clean(&t.from, ID, NULL, &n, &err), MST_E_PRECOND, &err);
    memset(&err, 0, sizeof(err));
    find(&t.from, &b);
    assert_int_equal(b.leftovers, 1);
    assert_ok(copy(&t, &res, &err), &err);
    find(&t.to, &b);
    assert_true(b.hold_until_ms == MST_HOLD_EVER);
    assert_int_equal(b.leftovers, 0);
    /* also when somebody removed the COMMIT under it */
    assert_ok(mst_store_delete(t.real[0], "rs0/backups/" ID "/COMMIT", &err), &err);
    assert_rc(mst_catalog_clean(&t.from, ID, NULL, &n, &err), MST_E_PRECOND, &err);
    two_close(&t);
}

static void half_objects_of_a_killed_writer_do_not_damage_a_backup(void **state)
{
    struct two t;
    struct mst_backup b;
    struct mst_err err = {0};
    uint64_t n;

    (void)state;
    two_open(&t);
    assert_ok(mst_store_put_all(t.real[0], "rs0/backups/" ID "/" FAKE_ATTEMPT "/d/0000-0.tmp-12-3",
                                "ha", 2, &err),
              &err);
    find(&t.from, &b);
    assert_int_equal(b.state, MST_BK_COMPLETE);
    assert_int_equal(b.leftovers, 1);
    assert_ok(mst_catalog_clean(&t.from, ID, NULL, &n, &err), &err);
    assert_int_equal(n, 1);
    find(&t.from, &b);
    assert_int_equal(b.state, MST_BK_COMPLETE);
    assert_int_equal(b.leftovers, 0);
    two_close(&t);
}

static void put(const struct two *t, const char *key)
{
    struct mst_err err = {0};

    assert_ok(mst_store_put_all(t->real[0], key, "x", 1, &err), &err);
}

static void orphans_are_what_no_commit_names(void **state)
{
    const int64_t later = mst_clock_utc_ms(NULL) + 60000;
    struct two t;
    struct mst_orphans o;
    struct mst_err err = {0};
    size_t kinds[5] = {0};
    uint64_t n;
    struct mst_backup b;

    (void)state;
    two_open(&t);
    put(&t, "rs0/backups/" ID "/ffffffffffffffff/d/0000-0");
    put(&t, "rs0/backups/" ID "/" FAKE_ATTEMPT "/d/0000-0.tmp-1-2");
    put(&t, "rs0/backups/2026-11-23T22-30-00Z-full/00112233445566bb/d/0000-0");
    put(&t, "rs0/backups/notes/readme");
    put(&t, "rs0/probe/2026/small");
    put(&t, "rs0/keys/aa");
    put(&t, "rs0/readme");
    put(&t, "other/backups/" ID "/COMMIT");
    assert_ok(mst_orphans_find(&t.from, 1000, later, NULL, &o, &err), &err);
    assert_int_equal(o.n, o.foreign); /* all of it is younger */
    assert_int_equal(o.young, 4);
    mst_orphans_release(&o);
    assert_ok(mst_orphans_find(&t.from, later, later, NULL, &o, &err), &err);
    for (size_t i = 0; i < o.n; i++) {
        kinds[o.items[i].kind]++;
    }
    assert_int_equal(kinds[MST_ORPHAN_DEAD], 2);
    assert_int_equal(kinds[MST_ORPHAN_HALF], 1);
    assert_int_equal(kinds[MST_ORPHAN_PROBE], 1);
    assert_int_equal(kinds[MST_ORPHAN_FOREIGN], 3); /* rs0/keys/aa is no key object */
    assert_ok(mst_orphans_remove(&t.from, &o, NULL, &n, &err), &err);
    assert_int_equal(n, 4);
    mst_orphans_release(&o);
    assert_ok(mst_orphans_find(&t.from, later, later, NULL, &o, &err), &err);
    assert_int_equal(o.n, 3);
    mst_orphans_release(&o);
    find(&t.from, &b);
    assert_int_equal(b.state, MST_BK_COMPLETE);
    two_close(&t);
}

static void what_a_hold_or_a_damaged_commit_covers_is_no_orphan(void **state)
{
    const int64_t later = mst_clock_utc_ms(NULL) + 60000;
    struct two t;
    struct mst_orphans o;
    struct mst_err err = {0};

    (void)state;
    two_open(&t);
    hold(&t.from, MST_MARK_HOLD, MST_HOLD_EVER, 1795389600000);
    put(&t, "rs0/backups/" ID "/ffffffffffffffff/d/0000-0");
    put(&t, "rs0/backups/2026-11-23T22-30-00Z-full/COMMIT"); /* not one that can be read */
    put(&t, "rs0/backups/2026-11-23T22-30-00Z-full/00112233445566bb/d/0000-0");
    assert_ok(mst_orphans_find(&t.from, later, later, NULL, &o, &err), &err);
    assert_int_equal(o.n, 0);
    assert_true(o.held > 0);
    mst_orphans_release(&o);
    two_close(&t);
}

/* A store with so many objects that its listing takes a while: it is slow on purpose. */
struct told {
    unsigned times;
    uint64_t objects;
    size_t n;
};

static void so_far(void *arg, uint64_t objects, const struct mst_backup *b, size_t n)
{
    struct told *t = arg;

    assert_true(objects > t->objects || t->times == 0);
    assert_true(n >= t->n);
    for (size_t i = 1; i < n; i++) {
        assert_true(strcmp(b[i - 1].id, b[i].id) > 0); /* newest first */
    }
    t->times++;
    t->objects = objects;
    t->n = n;
}

/* A walk takes long enough to be told of: a pause for each 64 objects. */
struct slow {
    struct mst_store base;
    struct mst_store *inner;
    bool (*fn)(void *arg, const struct mst_store_item *item);
    void *arg;
    unsigned n;
};

static bool pass_on(void *arg, const struct mst_store_item *item)
{
    struct slow *s = arg;

    if (++s->n % 64 == 0) {
        mst_clock_sleep_ms(2);
    }
    return s->fn(s->arg, item);
}

static enum mst_rc slow_list(struct mst_store *base, const char *prefix,
                             bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                             struct mst_task *task, struct mst_err *err)
{
    struct slow *s = (struct slow *)(void *)base;

    s->fn = fn;
    s->arg = arg;
    return mst_store_list(s->inner, prefix, pass_on, s, task, err);
}

static enum mst_rc slow_read(struct mst_store *base, const char *key, uint64_t from, void *buf,
                             size_t n, size_t *got, struct mst_err *err)
{
    return mst_store_read(((struct slow *)(void *)base)->inner, key, from, buf, n, got, err);
}

static void a_long_listing_tells_what_it_has(void **state)
{
    static const struct mst_store_ops ops = {.list = slow_list, .read = slow_read};
    struct slow slow = {.base = {.ops = &ops, .name = "slow"}};
    struct two t;
    struct told told = {0};
    struct mst_backup *all = NULL, *plain = NULL;
    struct mst_err err = {0};
    char key[300], dir[200];
    size_t n = 0, m = 0;

    (void)state;
    two_open(&t);
    for (int i = 0; i < 300; i++) { /* a file each: without the syncs of a put */
        (void)snprintf(dir, sizeof(dir), "%s/rs0/backups/2026-11-%02dT%02d-00-00Z-full", t.dir[0],
                       1 + i / 24, i % 24);
        (void)mkdir(dir, 0700);
        (void)snprintf(key, sizeof(key), "%s/00112233445566cc", dir);
        (void)mkdir(key, 0700);
        (void)snprintf(key, sizeof(key), "%s/00112233445566cc/d", dir);
        assert_int_equal(mkdir(key, 0700), 0);
        for (int k = 0; k < 60; k++) {
            FILE *f;

            (void)snprintf(key, sizeof(key), "%s/00112233445566cc/d/%04d-0", dir, k);
            f = fopen(key, "wb");
            assert_non_null(f);
            (void)fclose(f);
        }
    }
    slow.inner = t.from.store;
    t.from.store = &slow.base;
    assert_ok(mst_catalog_list_telling(&t.from, so_far, &told, NULL, &all, &n, &err), &err);
    t.from.store = slow.inner;
    assert_ok(mst_catalog_list(&t.from, NULL, &plain, &m, &err), &err);
    assert_int_equal(n, m);
    assert_memory_equal(all, plain, n * sizeof(*all));
    assert_true(told.times > 0 && told.n <= n);
    free(all);
    free(plain);
    two_close(&t);
}

/* --- the test of a store --- */

static void probe_line(void *arg, const char *line)
{
    mst_str_addf(arg, "%s\n", line);
}

static void a_good_store_passes_its_test_and_nothing_stays(void **state)
{
    struct two t;
    struct mst_str s = {0};
    const struct mst_probe_opts o = {
        .prefix = "rs0/probe/x", .large_bytes = 3U << 20, .say = probe_line, .arg = &s};
    struct mst_probe_result res;
    struct mst_orphans left;
    struct mst_err err = {0};
    char sum[160];

    (void)state;
    two_open(&t);
    assert_ok(mst_probe_run(t.real[0], &o, NULL, &res, &err), &err);
    assert_int_equal(res.failed, 0);
    assert_int_equal(res.passed, 7);
    assert_int_equal(res.cannot, 3); /* a directory: no checksums, versions, locks */
    assert_int_equal(res.unchecked + res.warnings, 0);
    assert_int_equal(res.n_left, 0);
    mst_probe_sum(&res, sum, sizeof(sum));
    assert_string_equal(sum, "7 of 7 checks passed, 3 it cannot do, 0 not checked");
    assert_non_null(strstr(mst_str_c(&s), "checksum     cannot      the store does not check"));
    assert_non_null(
        strstr(mst_str_c(&s), "create-only  ok          a second write of the name was"));
    assert_ok(mst_orphans_find(&t.from, INT64_MAX, 1, NULL, &left, &err), &err);
    assert_int_equal(left.n, 0);
    mst_orphans_release(&left);
    mst_str_release(&s);
    two_close(&t);
}

static void a_store_that_fails_a_check_fails_its_test(void **state)
{
    struct two t;
    const struct mst_probe_opts o = {.prefix = "rs0/probe/x", .large_bytes = 1U << 20};
    struct mst_probe_result res;
    struct mst_err err = {0};

    (void)state;
    two_open(&t);
    mst_store_fault_set(t.fault, MST_FAULT_DEAD, 1, MST_E_NET);
    assert_rc(mst_probe_run(t.fault, &o, NULL, &res, &err), MST_E_NET, &err);
    assert_int_equal(res.failed, 1); /* without a write there is nothing else to try */
    mst_store_fault_set(t.fault, MST_FAULT_ONCE, 6, MST_E_IO);
    assert_rc(mst_probe_run(t.fault, &o, NULL, &res, &err), MST_E_IO, &err);
    assert_true(res.failed >= 1);
    two_close(&t);
}

static void a_writer_that_may_not_delete_passes_and_leavings_are_named(void **state)
{
    struct two t;
    const struct mst_probe_opts o = {.prefix = "rs0/probe/x", .large_bytes = 1U << 20};
    struct mst_probe_result res;
    struct mst_err err = {0};
    uint64_t calls;

    (void)state;
    two_open(&t);
    assert_ok(mst_probe_run(t.fault, &o, NULL, &res, &err), &err);
    calls = mst_store_fault_calls(t.fault);
    mst_store_fault_set(t.fault, MST_FAULT_DEAD, calls - 1, MST_E_AUTH);
    assert_ok(mst_probe_run(t.fault, &o, NULL, &res, &err), &err);
    assert_int_equal(res.n_left, 2);
    assert_string_equal(res.left[0].key, "rs0/probe/x/small");
    two_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_whole_and_the_source_says_so),
        cmocka_unit_test(a_copy_that_fails_anywhere_goes_on_later),
        cmocka_unit_test(a_damaged_source_is_not_copied),
        cmocka_unit_test(a_copy_respects_a_claim_and_makes_one),
        cmocka_unit_test(another_content_in_the_target_is_never_replaced),
        cmocka_unit_test(a_hold_ends_at_its_time_or_by_a_release),
        cmocka_unit_test(a_hold_that_cannot_be_read_still_holds),
        cmocka_unit_test(clean_honours_a_hold_and_a_copy_takes_it_along),
        cmocka_unit_test(half_objects_of_a_killed_writer_do_not_damage_a_backup),
        cmocka_unit_test(orphans_are_what_no_commit_names),
        cmocka_unit_test(what_a_hold_or_a_damaged_commit_covers_is_no_orphan),
        cmocka_unit_test(a_long_listing_tells_what_it_has),
        cmocka_unit_test(a_good_store_passes_its_test_and_nothing_stays),
        cmocka_unit_test(a_store_that_fails_a_check_fails_its_test),
        cmocka_unit_test(a_writer_that_may_not_delete_passes_and_leavings_are_named),
    };

    return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
