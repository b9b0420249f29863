/* Key objects that belong to no backup: found as orphans and cleaned, and never one that is needed.
 */
#include "sealed_kit.h"

#include <fcntl.h>
#include <time.h>

#include "base/clock.h"
#include "catalog/marks.h"
#include "catalog/orphans.h"
#include "store/impl.h"

#define DEAD_ATTEMPT "ffffffffffffffff"

static void put(struct mst_store *s, const char *key, const char *text)
{
    struct mst_err err = {0};

    assert_ok(mst_store_put_all(s, key, text, strlen(text), &err), &err);
}

static bool is_in(const struct mst_orphans *o, const char *key, enum mst_orphan_kind kind)
{
    for (size_t i = 0; i < o->n; i++) {
        if (strcmp(o->items[i].key, key) == 0) {
            return o->items[i].kind == kind;
        }
    }
    return false;
}

static void a_key_object_is_an_orphan_when_its_backup_is_gone(void **state)
{
    const int64_t later = mst_clock_utc_ms(NULL) + 60000;
    struct fix *x = *state;
    struct mst_orphans o;
    struct mst_err err = {0};
    char own[MST_KEY_MAX], dead[MST_KEY_MAX], gone[MST_KEY_MAX], half[MST_KEY_MAX],
        strange[MST_KEY_MAX];
    uint64_t n;

    mst_keyobj_path(&x->f.c, FIRST, FAKE_ATTEMPT, 0, own);
    mst_keyobj_path(&x->f.c, FIRST, DEAD_ATTEMPT, 0, dead);
    mst_keyobj_path(&x->f.c, SECOND, FAKE_ATTEMPT, 3, gone);
    (void)snprintf(half, sizeof(half), "%.500s.tmp-12-3", own);
    (void)snprintf(strange, sizeof(strange), "%s/keys/notes", x->f.c.base);
    put(x->s, dead, "x");
    put(x->s, gone, "x");
    put(x->s, half, "x");
    put(x->s, strange, "x");
    assert_ok(mst_orphans_find(&x->f.c, 1000, later, NULL, &o, &err), &err);
    assert_int_equal(o.n, 1); /* all but what is not muster's is young */
    assert_int_equal(o.young, 3);
    mst_orphans_release(&o);
    assert_ok(mst_orphans_find(&x->f.c, later, later, NULL, &o, &err), &err);
    assert_int_equal(o.n, 4);
    assert_true(is_in(&o, dead, MST_ORPHAN_DEAD) && is_in(&o, gone, MST_ORPHAN_DEAD));
    assert_true(is_in(&o, half, MST_ORPHAN_HALF) && is_in(&o, strange, MST_ORPHAN_FOREIGN));
    assert_ok(mst_orphans_remove(&x->f.c, &o, NULL, &n, &err), &err);
    assert_int_equal(n, 3);
    mst_orphans_release(&o);
    assert_int_equal(listed(x, FIRST).state, MST_BK_COMPLETE);
}

/* Nor is that of a backup that is held, or whose COMMIT cannot be understood. */
static void a_key_object_stays_while_its_backup_may_be_one(void **state)
{
    const int64_t later = mst_clock_utc_ms(NULL) + 60000;
    struct fix *x = *state;
    struct mst_mark m = {.kind = MST_MARK_HOLD, .ok = true, .until_ms = MST_HOLD_EVER};
    struct mst_orphans o;
    struct mst_err err = {0};
    char key[MST_KEY_MAX];

    (void)mst_copy(m.id, sizeof(m.id), FIRST);
    m.wall_ms = later;
    assert_ok(mst_marks_write(&x->f.c, &m, &err), &err);
    mst_keyobj_path(&x->f.c, FIRST, DEAD_ATTEMPT, 0, key);
    put(x->s, key, "x");
    mst_catalog_key(&x->f.c, SECOND, "", "COMMIT", key);
    put(x->s, key, "?");
    mst_keyobj_path(&x->f.c, SECOND, DEAD_ATTEMPT, 0, key);
    put(x->s, key, "x");
    assert_ok(mst_orphans_find(&x->f.c, later, later, NULL, &o, &err), &err);
    assert_int_equal(o.n, 0);
    mst_orphans_release(&o);
}

/* Its key object is written first and not touched again: its attempt says whether it is at work. */
static void a_key_object_is_as_young_as_its_attempt(void **state)
{
    struct fix *x = *state;
    struct mst_orphans o;
    struct mst_err err = {0};
    char key[MST_KEY_MAX], path[MST_KEY_MAX + 64];
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    mst_keyobj_path(&x->f.c, SECOND, DEAD_ATTEMPT, 0, key);
    put(x->s, key, "x");
    (void)snprintf(path, sizeof(path), "%s/%s", x->dir, key);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    mst_catalog_key(&x->f.c, SECOND, DEAD_ATTEMPT, "d/0000-0", key);
    put(x->s, key, "x");
    assert_ok(mst_orphans_find(&x->f.c, 2000000, 2000000, NULL, &o, &err), &err);
    assert_int_equal(o.n, 0);
    assert_int_equal(o.young, 2);
    mst_orphans_release(&o);
    assert_ok(mst_store_delete(x->s, key, &err), &err);
    assert_ok(mst_orphans_find(&x->f.c, 2000000, 2000000, NULL, &o, &err), &err);
    assert_int_equal(o.n, 1);
    mst_orphans_release(&o);
}

static void clean_takes_the_key_objects_of_dead_attempts(void **state)
{
    struct fix *x = *state;
    struct mst_verify_result v;
    struct mst_err err = {0};
    char key[MST_KEY_MAX];
    uint64_t n, bytes;

    mst_keyobj_path(&x->f.c, FIRST, DEAD_ATTEMPT, 0, key);
    put(x->s, key, "x");
    assert_ok(mst_catalog_clean(&x->f.c, FIRST, NULL, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_rc(mst_store_stat(x->s, key, &bytes, &err), MST_E_NOTFOUND, &err);
    assert_ok(verify(x, FIRST, &v, &err), &err);
    assert_int_equal(v.level, 2);
}

/* What a writer without the signing key can put in the place of a COMMIT: whatever attempt it
 * names, the true one is not taken for a dead run. */
static void a_forged_commit_makes_no_orphans(void **state)
{
    enum { BY_STRANGER, BY_NOBODY, OF_ANOTHER, NO_HEADER, ROWS };
    static const enum mst_rc want[] = {MST_E_INTEGRITY, MST_E_PRECOND, MST_E_INTEGRITY,
                                       MST_E_INTEGRITY};
    static const char *const words[] = {"is FORGED", "is UNSIGNED", "is that of " SECOND,
                                        "which is not here"};
    const int64_t later = mst_clock_utc_ms(NULL) + 60000;

    for (int row = 0; row < ROWS; row++) {
        struct fix *x;
        struct mst_commit c = {.attempt = DEAD_ATTEMPT};
        struct mst_str s = {0};
        struct mst_orphans o;
        struct mst_err err = {0};
        char path[MST_KEY_MAX + 64];
        uint64_t n;

        assert_int_equal(setup_made(state), 0);
        x = *state;
        (void)mst_copy(c.id, sizeof(c.id), row == OF_ANOTHER ? SECOND : FIRST);
        memset(c.header_sha, 'a', MST_SHA256_HEX - 1);
        memset(c.manifest_sha, 'b', MST_SHA256_HEX - 1);
        assert_ok(mst_commit_put(&c,
                                 row == BY_STRANGER ? &x->stranger
                                 : row == BY_NOBODY ? NULL
                                                    : &x->signer,
                                 &s, &err),
                  &err);
        path_of(x, FIRST, "", "COMMIT", path);
        spill(path, s.p, s.len);
        mst_str_release(&s);
        assert_ok(mst_orphans_find(&x->f.c, later, later, NULL, &o, &err), &err);
        if (o.n != 0 || o.doubtful == 0) {
            fail_msg("row %d: %zu orphans, %zu doubtful", row, o.n, o.doubtful);
        }
        mst_orphans_release(&o);
        assert_rc(mst_catalog_clean(&x->f.c, FIRST, NULL, &n, &err), want[row], &err);
        assert_int_equal(n, 0);
        assert_non_null(strstr(err.msg, "nothing of " FIRST " is removed"));
        assert_non_null(strstr(err.msg, words[row]));
        mst_catalog_key(&x->f.c, FIRST, FAKE_ATTEMPT, "header", path);
        assert_ok(mst_store_stat(x->s, path, &n, &err), &err);
        assert_int_equal(teardown(state), 0);
    }
}

/* What store du says: with the key objects of the attempt that counts; of one without COMMIT, with
 * all of them. */
static void a_backup_is_as_large_as_its_objects_and_keys(void **state)
{
    struct fix *x = *state;
    const uint64_t before = listed(x, FIRST).stored_bytes;
    char key[MST_KEY_MAX];

    mst_keyobj_path(&x->f.c, FIRST, FAKE_ATTEMPT, 1, key);
    put(x->s, key, "12345");
    mst_keyobj_path(&x->f.c, FIRST, DEAD_ATTEMPT, 0, key);
    put(x->s, key, "123");
    assert_int_equal(listed(x, FIRST).stored_bytes, before + 5);
    mst_keyobj_path(&x->f.c, SECOND, FAKE_ATTEMPT, 0, key);
    put(x->s, key, "1234567");
    mst_keyobj_path(&x->f.c, SECOND, DEAD_ATTEMPT, 0, key);
    put(x->s, key, "1");
    assert_int_equal(listed(x, SECOND).stored_bytes, 8);
}

/* --- many objects ----------------------------------------------------------------------------- */

#define MANY 60000U

static enum mst_rc nothing_there(struct mst_store *s, const char *key, uint64_t from, void *buf,
                                 size_t n, size_t *got, struct mst_err *err)
{
    (void)from;
    (void)buf;
    (void)n;
    (void)got;
    return mst_err_set(err, MST_E_NOTFOUND, "%s is not in the store %s", key, s->name);
}

/* One backup that died, with so many objects, the last of them the newest. */
static enum mst_rc list_many(struct mst_store *s, const char *prefix,
                             bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                             struct mst_task *task, struct mst_err *err)
{
    struct mst_store_item item = {.bytes = 1};

    (void)s;
    (void)task;
    (void)err;
    for (unsigned i = 0; i < MANY && strcmp(prefix, "rs0") == 0; i++) {
        (void)snprintf(item.key, sizeof(item.key), "rs0/backups/" FIRST "/" DEAD_ATTEMPT "/d/%06u",
                       i);
        item.modified_wall_ms = 1000 + i;
        if (!fn(arg, &item)) {
            break;
        }
    }
    return MST_OK;
}

static void an_attempt_of_many_objects_is_judged_at_once(void **state)
{
    static const struct mst_store_ops ops = {.read = nothing_there, .list = list_many};
    struct mst_store s = {.ops = &ops, .name = "many", .where = "memory"};
    struct mst_catalog c;
    struct mst_orphans o;
    struct mst_err err = {0};
    clock_t before;

    (void)state;
    assert_ok(mst_catalog_init(&c, &s, "", "rs0", &err), &err);
    before = clock();
    assert_ok(mst_orphans_find(&c, 2000000, 2000000, NULL, &o, &err), &err);
    assert_true((clock() - before) / CLOCKS_PER_SEC < 10); /* each looked at all: minutes */
    assert_int_equal(o.n, MANY);
    assert_int_equal(o.young, 0);
    mst_orphans_release(&o);
    assert_ok(mst_orphans_find(&c, 1000 + MANY - 2, 2000000, NULL, &o, &err), &err);
    assert_int_equal(o.n, 0); /* one of them is young, so somebody works there */
    assert_int_equal(o.young, MANY);
    mst_orphans_release(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_of_many_objects_is_judged_at_once),
        cmocka_unit_test(a_forged_commit_makes_no_orphans),
        MADE(a_key_object_is_an_orphan_when_its_backup_is_gone),
        MADE(a_key_object_stays_while_its_backup_may_be_one),
        MADE(a_key_object_is_as_young_as_its_attempt),
        MADE(a_backup_is_as_large_as_its_objects_and_keys),
        MADE(clean_takes_the_key_objects_of_dead_attempts),
    };

    return cmocka_run_group_tests_name("orphan_keys", tests, NULL, NULL);
}
