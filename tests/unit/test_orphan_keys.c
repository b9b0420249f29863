/* Key objects that belong to no backup: found as orphans and cleaned, and never one that is needed.
 */
#include "sealed_kit.h"

#include <fcntl.h>

#include "base/clock.h"
#include "catalog/marks.h"
#include "catalog/orphans.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        MADE(a_key_object_is_an_orphan_when_its_backup_is_gone),
        MADE(a_key_object_stays_while_its_backup_may_be_one),
        MADE(a_key_object_is_as_young_as_its_attempt),
        MADE(a_backup_is_as_large_as_its_objects_and_keys),
        MADE(clean_takes_the_key_objects_of_dead_attempts),
    };

    return cmocka_run_group_tests_name("orphan_keys", tests, NULL, NULL);
}
