#include "test.h"

#include "catalog/asleep.h"
#include "catalog/copy.h"
#include "catalog/rebuild.h"
#include "cfg/tier.h"
#include "fake_backup.h"
#include "store/impl.h"

/* A store whose objects are in an archive tier as the test wants it, over a directory. */
struct cold {
    struct mst_store base;
    struct mst_store *inner;
    const char *sleeps;        /* what the names of those that sleep contain; NULL: none */
    const char *storage_class; /* of these */
    bool thawing, thawed;
    unsigned reads, sleeps_at; /* 0, or from this read on "d/" sleeps */
    unsigned asked, refuse_at; /* the how manieth thaw fails */
    enum mst_rc refuse_rc;
    const char *unread; /* reads of these names fail with unread_rc; NULL: none */
    enum mst_rc unread_rc;
};

static struct cold *of(struct mst_store *s)
{
    return (struct cold *)(void *)s;
}

static bool asleep(const struct cold *c, const char *key)
{
    return c->sleeps && strstr(key, c->sleeps) && !c->thawed;
}

static enum mst_rc c_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                          size_t *got, struct mst_err *err)
{
    struct cold *c = of(s);

    if (c->sleeps_at && ++c->reads >= c->sleeps_at) {
        c->sleeps = "/d/";
    }
    if (c->unread && strstr(key, c->unread)) {
        return mst_err_set(err, c->unread_rc, "no");
    }
    return asleep(c, key) && mst_tier_sleeps(c->storage_class)
               ? mst_err_set(err, MST_E_PRECOND, "%s is in an archive tier", key)
               : mst_store_read(c->inner, key, from, buf, n, got, err);
}

static enum mst_rc c_stat(struct mst_store *s, const char *key, uint64_t *bytes,
                          struct mst_err *err)
{
    return mst_store_stat(of(s)->inner, key, bytes, err);
}

struct listing {
    struct cold *c;
    bool (*fn)(void *arg, const struct mst_store_item *item);
    void *arg;
};

static bool with_class(void *arg, const struct mst_store_item *item)
{
    const struct listing *l = arg;
    const bool sleeps = l->c->sleeps && strstr(item->key, l->c->sleeps);
    struct mst_store_item mine = *item;

    (void)mst_copy(mine.storage_class, sizeof(mine.storage_class),
                   sleeps ? l->c->storage_class : "STANDARD");
    return l->fn(l->arg, &mine);
}

static enum mst_rc c_list(struct mst_store *s, const char *prefix,
                          bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                          struct mst_task *task, struct mst_err *err)
{
    struct listing l = {of(s), fn, arg};

    return mst_store_list(of(s)->inner, prefix, with_class, &l, task, err);
}

static enum mst_rc c_info(struct mst_store *s, const char *key, struct mst_store_info *out,
                          struct mst_err *err)
{
    const struct cold *c = of(s);

    if (mst_store_stat(c->inner, key, &out->bytes, err) != MST_OK) {
        return err->rc;
    }
    if (c->sleeps && strstr(key, c->sleeps)) {
        (void)mst_copy(out->storage_class, sizeof(out->storage_class), c->storage_class);
        out->archived = !c->thawed;
        out->thawing = c->thawing && !c->thawed;
        out->thawed_until_ms = c->thawed ? 1795400000000 : 0;
    }
    return MST_OK;
}

static enum mst_rc c_thaw(struct mst_store *s, const char *key, const char *version, int days,
                          struct mst_err *err)
{
    struct cold *c = of(s);

    assert_null(version);
    assert_int_equal(days, strcmp(c->storage_class, "INTELLIGENT_TIERING") == 0 ? 0 : 5);
    c->asked++;
    return c->asked == c->refuse_at ? mst_err_set(err, c->refuse_rc, "no: %s", key) : MST_OK;
}

static enum mst_rc c_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                           struct mst_err *err)
{
    return mst_store_put_begin(of(s)->inner, key, out, err);
}

static const struct mst_store_ops ops = {.put_begin = c_begin,
                                         .read = c_read,
                                         .stat = c_stat,
                                         .list = c_list,
                                         .info = c_info,
                                         .thaw = c_thaw};

struct kit {
    char dir[64];
    struct cold cold;
    struct mst_catalog c; /* through the cold store */
    struct fake f;
    struct mst_err err;
};

static int up(void **state)
{
    struct kit *k = mst_xcalloc(1, sizeof(*k));

    (void)mst_copy(k->dir, sizeof(k->dir), "/tmp/mst-asleep-XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    assert_ok(mst_store_local_open("far", k->dir, true, &k->cold.inner, &k->err), &k->err);
    k->cold.base.ops = &ops;
    k->cold.storage_class = "GLACIER";
    (void)mst_copy(k->cold.base.name, sizeof(k->cold.base.name), "far");
    assert_ok(mst_catalog_init(&k->f.c, k->cold.inner, "", "rs0", &k->err), &k->err);
    (void)mst_copy(k->f.id, sizeof(k->f.id), "2026-11-22T22-30-00Z-full");
    assert_ok(fake_make(&k->f, &k->err), &k->err);
    k->c = k->f.c;
    k->c.store = &k->cold.base;
    *state = k;
    return 0;
}

static int down(void **state)
{
    struct kit *k = *state;

    mst_store_free(k->cold.inner);
    fake_rm(k->dir);
    free(k);
    return 0;
}

static enum mst_rc readable(struct kit *k, const char *id)
{
    char meant[MST_ID_MAX];
    enum mst_rc rc;

    memset(&k->err, 0, sizeof(k->err));
    rc = mst_catalog_readable(&k->c, id, NULL, meant, &k->err);
    if (rc == MST_OK && strcmp(id, "latest") == 0) {
        assert_string_equal(meant, k->f.id);
    }
    return rc;
}

static void what_is_awake_is_readable(void **state)
{
    struct kit *k = *state;

    assert_ok(readable(k, k->f.id), &k->err);
    assert_ok(readable(k, "latest"), &k->err);
    k->cold.sleeps = "/d/";
    k->cold.storage_class = "GLACIER_IR"; /* read at once */
    assert_ok(readable(k, k->f.id), &k->err);
    k->cold.storage_class = "GLACIER";
    k->cold.thawed = true;
    assert_ok(readable(k, k->f.id), &k->err);
    /* Whoever reads it says that there is none. */
    assert_ok(readable(k, "2020-01-01T00-00-00Z-full"), &k->err);
    assert_ok(readable(k, "no id"), &k->err);
}

static void what_sleeps_is_counted_in_one_sentence(void **state)
{
    static const struct {
        const char *sleeps, *storage_class;
        bool thawing;
        const char *want;
    } t[] = {
        {"/d/", "GLACIER", false,
         "1 of 6 objects of 2026-11-22T22-30-00Z-full in the store far cannot be read, they are in "
         "an archive tier (GLACIER): 'muster store thaw far 2026-11-22T22-30-00Z-full --days 7' "
         "asks for them"},
        {"/00112233445566aa/", "DEEP_ARCHIVE", false, "5 of 6 objects of "},
        {"2026", "DEEP_ARCHIVE", false, "6 of 6 objects of "},
        {"/d/", "INTELLIGENT_TIERING", false, "(INTELLIGENT_TIERING)"},
        {"/d/", "GLACIER", true,
         "1 of 6 objects of 2026-11-22T22-30-00Z-full in the store far cannot be read yet: they "
         "are "
         "on their way out of an archive tier (GLACIER): 'muster store thaw far "
         "2026-11-22T22-30-00Z-full' says how far they are"},
    };
    struct kit *k = *state;

    for (size_t i = 0; i < MST_COUNT(t); i++) {
        k->cold.sleeps = t[i].sleeps;
        k->cold.storage_class = t[i].storage_class;
        k->cold.thawing = t[i].thawing;
        assert_rc(readable(k, k->f.id), MST_E_PRECOND, &k->err);
        if (!strstr(k->err.msg, t[i].want)) {
            fail_msg("%zu: %s", i, k->err.msg);
        }
    }
}

static void marks_and_dead_runs_need_not_be_awake(void **state)
{
    struct kit *k = *state;
    char key[MST_KEY_MAX];

    mst_catalog_key(&k->f.c, k->f.id, "aaaaaaaaaaaaaaaa", "d/0000-0", key);
    assert_ok(mst_store_put_all(k->cold.inner, key, "x", 1, &k->err), &k->err);
    mst_catalog_key(&k->f.c, k->f.id, "", "marks/x", key);
    assert_ok(mst_store_put_all(k->cold.inner, key, "x", 1, &k->err), &k->err);
    k->cold.sleeps = "/aaaaaaaaaaaaaaaa/";
    assert_ok(readable(k, k->f.id), &k->err);
    k->cold.sleeps = "/marks/";
    assert_ok(readable(k, k->f.id), &k->err);
}

static void readers_refuse_before_they_read(void **state)
{
    const struct mst_verify_opts v = {.id = "2026-11-22T22-30-00Z-full", .mark = true};
    struct mst_verify_result *res = mst_xcalloc(1, sizeof(*res));
    struct mst_copy_result copied;
    struct mst_copy_opts o = {.id = v.id};
    struct kit *k = *state;

    k->cold.sleeps = "/d/";
    k->cold.sleeps_at = 1; /* any read of a segment or of the manifest would be seen */
    assert_rc(mst_verify_run(&k->c, &v, NULL, res, &k->err), MST_E_PRECOND, &k->err);
    assert_non_null(strstr(k->err.msg, "store thaw far"));
    assert_int_equal(k->cold.reads, 1); /* COMMIT, for the attempt that it names */
    assert_rc(mst_copy_run(&k->c, &k->f.c, &o, NULL, &copied, &k->err), MST_E_PRECOND, &k->err);
    assert_int_equal(k->cold.reads, 2);
    free(res);
}

static void what_falls_asleep_under_a_reader_is_said_the_same_way(void **state)
{
    const struct mst_verify_opts v = {.id = "2026-11-22T22-30-00Z-full", .mark = true};
    struct mst_verify_result *res = mst_xcalloc(1, sizeof(*res));
    struct mst_backup b;
    struct kit *k = *state;

    k->cold.sleeps_at = 5; /* COMMIT, header and the manifest came */
    assert_rc(mst_verify_run(&k->c, &v, NULL, res, &k->err), MST_E_PRECOND, &k->err);
    assert_non_null(strstr(k->err.msg, "1 of 6 objects of 2026-11-22T22-30-00Z-full"));
    assert_int_equal(k->cold.sleeps_at, 5);
    assert_true(k->cold.reads >= 5);
    k->cold.sleeps_at = 0;
    assert_ok(mst_catalog_find(&k->c, v.id, NULL, &b, &k->err), &k->err);
    assert_int_equal(b.verified_wall_ms, 0); /* no mark: nothing was found out */
    free(res);
}

static void a_thaw_asks_for_what_nobody_asked_for(void **state)
{
    struct mst_asleep a;
    struct kit *k = *state;

    k->cold.sleeps = "/00112233445566aa/";
    assert_ok(mst_catalog_thaw(&k->c, k->f.id, 5, NULL, &a, &k->err), &k->err);
    assert_int_equal(k->cold.asked, 5);
    assert_int_equal(a.objects, 6);
    assert_int_equal(a.asleep, 5);
    assert_int_equal(a.asked, 5);
    assert_int_equal(a.coming, 5);
    assert_int_equal(a.asked_bytes, a.asleep_bytes);
    assert_string_equal(a.storage_class, "GLACIER");
    k->cold.thawing = true;
    assert_ok(mst_catalog_thaw(&k->c, k->f.id, 5, NULL, &a, &k->err), &k->err);
    assert_int_equal(k->cold.asked, 5);
    assert_int_equal(a.asked, 0);
    assert_int_equal(a.coming, 5);
    k->cold.thawed = true;
    assert_ok(mst_catalog_thaw(&k->c, k->f.id, 5, NULL, &a, &k->err), &k->err);
    assert_int_equal(k->cold.asked, 5);
    assert_int_equal(a.asleep, 0);
    assert_int_equal(a.awake, 5);
    assert_int_equal(a.until_ms, 1795400000000);
    assert_rc(mst_catalog_thaw(&k->c, "2020-01-01T00-00-00Z-full", 5, NULL, &a, &k->err),
              MST_E_NOTFOUND, &k->err);
}

static void a_thaw_that_fails_in_the_middle_says_how_far_it_came(void **state)
{
    struct mst_asleep a;
    struct kit *k = *state;

    k->cold.sleeps = "/00112233445566aa/";
    k->cold.refuse_at = 3;
    k->cold.refuse_rc = MST_E_AUTH;
    assert_rc(mst_catalog_thaw(&k->c, k->f.id, 5, NULL, &a, &k->err), MST_E_AUTH, &k->err);
    assert_int_equal(a.asked, 2);
    k->cold.asked = 0;
    k->cold.refuse_rc = MST_E_EXISTS; /* another was quicker: that is no failure */
    memset(&k->err, 0, sizeof(k->err));
    assert_ok(mst_catalog_thaw(&k->c, k->f.id, 5, NULL, &a, &k->err), &k->err);
    assert_int_equal(a.asked, 4);
    assert_int_equal(a.coming, 5);
    k->cold.storage_class = "INTELLIGENT_TIERING"; /* comes back for good */
    k->cold.refuse_at = 0;
    assert_ok(mst_catalog_thaw(&k->c, k->f.id, 5, NULL, &a, &k->err), &k->err);
    assert_int_equal(a.asked, 5);
}

static void a_listing_says_the_class_and_archived(void **state)
{
    struct mst_backup b;
    char words[160];
    struct kit *k = *state;

    assert_ok(mst_catalog_find(&k->c, k->f.id, NULL, &b, &k->err), &k->err);
    assert_string_equal(b.storage_class, "STANDARD");
    assert_string_equal(mst_backup_class_words(&b, words), "STANDARD");
    k->cold.sleeps = "/d/";
    assert_ok(mst_catalog_find(&k->c, k->f.id, NULL, &b, &k->err), &k->err);
    assert_int_equal(b.state, MST_BK_COMPLETE);
    assert_string_equal(b.storage_class, "mixed");
    assert_int_equal(b.archived, 1);
    assert_string_equal(mst_backup_class_words(&b, words), "mixed, archived: 1 object");
    b.thawing = 1;
    assert_string_equal(mst_backup_class_words(&b, words),
                        "mixed, archived: 1 object, 1 on the way");
    k->cold.sleeps = "/COMMIT";
    assert_ok(mst_catalog_find(&k->c, k->f.id, NULL, &b, &k->err), &k->err);
    assert_int_equal(b.state, MST_BK_ARCHIVED);
    assert_string_equal(mst_backup_state_word(b.state), "ARCHIVED");
    assert_non_null(strstr(b.problem, "its COMMIT is in an archive tier: 'muster store thaw far"));
    assert_rc(mst_catalog_find(&k->c, "latest", NULL, &b, &k->err), MST_E_NOTFOUND, &k->err);
    assert_non_null(strstr(k->err.msg, "is ARCHIVED"));
}

static void a_rebuild_calls_a_manifest_that_sleeps_archived(void **state)
{
    struct mst_backup b;
    bool unmarked = true;
    struct kit *k = *state;

    k->cold.sleeps = "/manifest";
    assert_ok(mst_catalog_find(&k->c, k->f.id, NULL, &b, &k->err), &k->err);
    assert_int_equal(b.state, MST_BK_COMPLETE);
    assert_ok(mst_rebuild_look(&k->c, &b, "ann", NULL, &unmarked, &k->err), &k->err);
    assert_int_equal(b.state, MST_BK_ARCHIVED);
    assert_string_equal(b.problem, "its manifest is in an archive tier: 'muster store thaw far "
                                   "2026-11-22T22-30-00Z-full'");
    assert_false(unmarked);
}

static void what_was_not_read_is_neither_whole_nor_damaged(void **state)
{
    static const struct {
        enum mst_rc rc;
        enum mst_backup_state state;
        const char *word;
    } rows[] = {
        {MST_E_AUTH, MST_BK_UNREAD, "UNREAD"},    {MST_E_NET, MST_BK_UNREAD, "UNREAD"},
        {MST_E_TLS, MST_BK_UNREAD, "UNREAD"},     {MST_E_TIMEOUT, MST_BK_UNREAD, "UNREAD"},
        {MST_E_SERVER, MST_BK_UNREAD, "UNREAD"},  {MST_E_IO, MST_BK_DAMAGED, "DAMAGED"},
        {MST_E_LIMIT, MST_BK_DAMAGED, "DAMAGED"}, {MST_E_INTEGRITY, MST_BK_DAMAGED, "DAMAGED"},
    };
    static const char *const names[] = {"COMMIT", "header"};
    struct kit *k = *state;
    struct mst_backup b;

    for (size_t i = 0; i < MST_COUNT(rows) * 2; i++) {
        char want[64];

        k->cold.unread = names[i % 2];
        k->cold.unread_rc = rows[i / 2].rc;
        assert_ok(mst_catalog_find(&k->c, k->f.id, NULL, &b, &k->err), &k->err);
        assert_int_equal(b.state, rows[i / 2].state);
        assert_string_equal(mst_backup_state_word(b.state), rows[i / 2].word);
        (void)snprintf(want, sizeof(want), "its %s cannot be read: no", names[i % 2]);
        assert_string_equal(b.problem, want);
    }
    k->cold.unread = NULL;
    assert_ok(mst_catalog_find(&k->c, k->f.id, NULL, &b, &k->err), &k->err);
    assert_int_equal(b.state, MST_BK_COMPLETE);
}

static void a_predecessor_that_sleeps_is_not_called_missing(void **state)
{
    struct mst_link links[2] = {{.counter = MST_COUNTER_ASLEEP}, {.good = true, .counter = 2}};
    char out[200];

    (void)state;
    (void)mst_copy(links[1].previous, sizeof(links[1].previous), "abc");
    mst_chain_judge(links, 2, 1, out);
    assert_non_null(strstr(out, "is not known: an older COMMIT cannot be read"));
    links[0].counter = 0;
    mst_chain_judge(links, 2, 1, out);
    assert_non_null(strstr(out, "are not here any more"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_awake_is_readable),
        T(what_sleeps_is_counted_in_one_sentence),
        T(marks_and_dead_runs_need_not_be_awake),
        T(readers_refuse_before_they_read),
        T(what_falls_asleep_under_a_reader_is_said_the_same_way),
        T(a_thaw_asks_for_what_nobody_asked_for),
        T(a_thaw_that_fails_in_the_middle_says_how_far_it_came),
        T(a_listing_says_the_class_and_archived),
        T(a_rebuild_calls_a_manifest_that_sleeps_archived),
        T(what_was_not_read_is_neither_whole_nor_damaged),
        cmocka_unit_test(a_predecessor_that_sleeps_is_not_called_missing),
    };

    return cmocka_run_group_tests_name("asleep", tests, NULL, NULL);
}
