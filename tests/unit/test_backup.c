/* Which member is read: facts in, choice and reasons out. */
#include "test.h"

#include "backup/backup.h"
#include "base/mem.h"

static struct mst_topo_member members[5];
static struct mst_topo_view view;

static int setup(void **state)
{
    (void)state;
    memset(members, 0, sizeof(members));
    memset(&view, 0, sizeof(view));
    view.n = 3;
    view.members = members;
    view.primary = 0;
    for (int i = 0; i < 5; i++) {
        (void)snprintf(members[i].name, sizeof(members[i].name), "db%d:27017", i + 1);
        members[i].shown = i == 0 ? MST_SHOW_PRIMARY : MST_SHOW_SECONDARY;
        members[i].configured = members[i].builds_indexes = true;
        members[i].priority = 1;
        members[i].lag_ms = 100;
    }
    return 0;
}

static const char *choose(const char *name, bool primary)
{
    static struct mst_source out;
    struct mst_source_wish w = {.from_primary = primary};
    struct mst_err err = {0};

    (void)mst_copy(w.name, sizeof(w.name), name);
    if (mst_backup_choose(&view, &w, &out, &err) != MST_OK) {
        return err.rc == MST_E_PRECOND ? "refused" : "nobody";
    }
    assert_true(out.why[0] != '\0');
    return out.name;
}

static void a_hidden_member_is_preferred_then_low_priority_then_little_lag(void **state)
{
    (void)state;
    assert_string_equal(choose("", false), "db2:27017");
    members[1].lag_ms = 900;
    assert_string_equal(choose("", false), "db3:27017");
    members[1].priority = 0.5;
    assert_string_equal(choose("", false), "db2:27017");
    view.n = 4;
    members[3].hidden = true;
    members[3].lag_ms = 5000;
    assert_string_equal(choose("", false), "db4:27017");
}

static void the_primary_is_taken_only_when_asked_and_last(void **state)
{
    (void)state;
    assert_string_equal(choose("", true), "db2:27017");
    assert_string_equal(choose("db1:27017", false), "refused");
    assert_string_equal(choose("db1:27017", true), "db1:27017");
    members[1].shown = members[2].shown = MST_SHOW_DOWN;
    assert_string_equal(choose("", false), "refused");
    assert_string_equal(choose("", true), "db1:27017");
}

static void who_cannot_be_the_source_is_named_with_the_reason(void **state)
{
    struct mst_source_wish w = {.lag_max_ms = 0};
    struct mst_source out;
    struct mst_err err = {0};

    (void)state;
    view.n = 5;
    members[1].delay_s = 3600;
    members[2].lag_ms = 10001;
    members[3].shown = MST_SHOW_ARBITER;
    members[3].arbiter = true;
    members[4].shown = MST_SHOW_RECOVERING;
    assert_rc(mst_backup_choose(&view, &w, &out, &err), MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, "db1:27017 is the primary"));
    assert_non_null(strstr(err.msg, "db2:27017 is delayed by 3600 s"));
    assert_non_null(strstr(err.msg, "db3:27017 lags 10.0 s, more than 10 s"));
    assert_non_null(strstr(err.msg, "db4:27017 is an arbiter"));
    assert_non_null(strstr(err.msg, "db5:27017 is"));
    members[2].lag_ms = 10000; /* exactly at the limit is inside it */
    assert_ok(mst_backup_choose(&view, &w, &out, &err), &err);
    assert_string_equal(out.name, "db3:27017");
    members[2].lag_ms = -1;
    assert_rc(mst_backup_choose(&view, &w, &out, &err), MST_E_PRECOND, &err);
    view.primary = -1; /* nobody to lag behind: a secondary is read all the same */
    members[0].shown = MST_SHOW_DOWN;
    assert_ok(mst_backup_choose(&view, &w, &out, &err), &err);
}

static void tags_and_names_choose_and_never_override_a_refusal(void **state)
{
    (void)state;
    (void)mst_copy(members[2].tags, sizeof(members[2].tags), "dc:fra, use:backup");
    assert_string_equal(choose("tag:use=backup", false), "db3:27017");
    assert_string_equal(choose("tag:dc=fra", false), "db3:27017");
    assert_string_equal(choose("tag:dc=fr", false), "nobody");
    assert_string_equal(choose("tag:dc", false), "nobody");
    assert_string_equal(choose("db9:27017", false), "nobody");
    members[2].delay_s = 1;
    assert_string_equal(choose("tag:use=backup", false), "refused");
    assert_string_equal(choose("db3:27017", false), "refused");
}

static void a_primary_without_a_majority_is_never_read(void **state)
{
    (void)state;
    members[0].shown = MST_SHOW_PRIMARY_NO_MAJORITY;
    assert_string_equal(choose("db1:27017", true), "refused");
}

static void patterns_match_namespaces(void **state)
{
    (void)state;
    assert_true(mst_ns_match("shop.orders", "shop.orders"));
    assert_false(mst_ns_match("shop.orders", "shop.orders2"));
    assert_true(mst_ns_match("shop.*", "shop.orders"));
    assert_true(mst_ns_match("shop.*", "shop.a.b"));
    assert_false(mst_ns_match("shop.*", "shop2.a"));
    assert_true(mst_ns_match("*", "shop.orders"));
    assert_true(mst_ns_match("*.orders", "shop.orders"));
    assert_true(mst_ns_match("s*p.*r*s", "shop.orders"));
    assert_false(mst_ns_match("", "shop.orders"));
    assert_false(mst_ns_match("shop", "shop.orders"));
    assert_true(mst_ns_match("a*b*c", "aXbYbZc"));
    assert_false(mst_ns_match("a*b*c", "aXbYbZ"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_hidden_member_is_preferred_then_low_priority_then_little_lag,
                               setup),
        cmocka_unit_test_setup(the_primary_is_taken_only_when_asked_and_last, setup),
        cmocka_unit_test_setup(who_cannot_be_the_source_is_named_with_the_reason, setup),
        cmocka_unit_test_setup(tags_and_names_choose_and_never_override_a_refusal, setup),
        cmocka_unit_test_setup(a_primary_without_a_majority_is_never_read, setup),
        cmocka_unit_test(patterns_match_namespaces),
    };
    return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
