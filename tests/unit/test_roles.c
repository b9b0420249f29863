/* The role scripts: what they allow, that it is what muster needs, and no more. */
#include "test.h"

#include <bson/bson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "failover/roles.h"
#include "guard/guard.h"
#include "restore/plan.h"
#include "switchset.h"

static struct mst_err err;

static bool needs(enum mst_roles_act act, const char *action)
{
    size_t n;
    const struct mst_roles_need *need = mst_roles_needs(act, &n);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(need[i].action, action) == 0) {
            return true;
        }
    }
    return false;
}

static void script(enum mst_roles_act act, const char *server, const char *set_class,
                   struct mst_str *out)
{
    mst_str_reset(out);
    assert_ok(mst_roles_script(act, server, set_class, out, &err), &err);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what)) {
        n++;
    }
    return n;
}

static void each_act_has_one_role_and_one_user_with_a_prompt(void **state)
{
    static const char *const servers[] = {"4.2", "4.4.29", "5.0", "6.0", "7.0.14", "8.0", "8.2"};
    struct mst_str out = {0};
    char line[80];

    (void)state;
    for (int a = 0; a < MST_ROLES_ACTS; a++) {
        for (size_t v = 0; v < MST_COUNT(servers); v++) {
            script((enum mst_roles_act)a, servers[v], "TEST", &out);
            assert_int_equal(count(out.p, "createRole("), 1);
            assert_int_equal(count(out.p, "createUser("), 1);
            assert_int_equal(count(out.p, "pwd:"), 1);
            assert_int_equal(count(out.p, "pwd: passwordPrompt(),"), 1);
            (void)snprintf(line, sizeof(line), "user: \"muster_%s\",",
                           mst_roles_word((enum mst_roles_act)a));
            assert_int_equal(count(out.p, line), 1);
            assert_non_null(strstr(out.p, servers[v]));
            assert_int_equal(strstr(out.p, "in mongosh,") != NULL, servers[v][0] >= '5');
        }
    }
    mst_str_release(&out);
}

static void a_script_is_balanced_and_names_every_need_once(void **state)
{
    struct mst_str out = {0};
    char line[80];
    size_t n;

    (void)state;
    for (int a = 0; a < MST_ROLES_ACTS; a++) {
        const struct mst_roles_need *need = mst_roles_needs((enum mst_roles_act)a, &n);

        script((enum mst_roles_act)a, "7.0", "", &out);
        assert_int_equal(count(out.p, "{"), count(out.p, "}"));
        assert_int_equal(count(out.p, "["), count(out.p, "]"));
        assert_int_equal(count(out.p, "        \""), n);
        for (size_t i = 0; i < n; i++) {
            (void)snprintf(line, sizeof(line), "        \"%s\"", need[i].action);
            assert_true(count(out.p, line) >= 1);
            assert_true(need[i].why[0] && !strchr(need[i].why, '\n'));
            for (size_t k = 0; k < i; k++) { /* no need twice, and one resource stays together */
                assert_false(
                    need[k].on == need[i].on && strcmp(need[k].action, need[i].action) == 0 &&
                    (need[i].on != MST_ROLES_COLL || (strcmp(need[k].db, need[i].db) == 0 &&
                                                      strcmp(need[k].coll, need[i].coll) == 0)));
            }
        }
    }
    mst_str_release(&out);
}

static void looking_and_backing_up_may_change_nothing(void **state)
{
    static const char *const changes[] = {"insert",
                                          "update",
                                          "remove",
                                          "createCollection",
                                          "dropCollection",
                                          "dropDatabase",
                                          "createIndex",
                                          "dropIndex",
                                          "collMod",
                                          "renameCollectionSameDB",
                                          "applyOps",
                                          "appendOplogNote",
                                          "replSetStateChange",
                                          "replSetConfigure",
                                          "bypassDocumentValidation"};
    static const char *const never[] = {"anyAction",    "internal",     "shutdown",
                                        "createUser",   "createRole",   "grantRole",
                                        "setParameter", "dropDatabase", "killAnySession"};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(changes); i++) {
        assert_false(needs(MST_ROLES_VIEW, changes[i]));
        assert_false(needs(MST_ROLES_BACKUP, changes[i]));
    }
    for (size_t i = 0; i < MST_COUNT(never); i++) {
        for (int a = 0; a < MST_ROLES_ACTS; a++) {
            assert_false(needs((enum mst_roles_act)a, never[i]));
        }
    }
    assert_false(needs(MST_ROLES_SWITCH, "insert") || needs(MST_ROLES_SWITCH, "update"));
    assert_false(needs(MST_ROLES_RESTORE, "replSetStateChange"));
}

/* P34 and the script speak of the same actions. */
static void the_checks_ask_for_what_the_switch_role_gives(void **state)
{
    static struct switchset s;
    static struct mst_guard_check c[MST_GUARD_MAX];
    static const char *const actions[] = {"replSetStateChange", "appendOplogNote",
                                          "replSetConfigure"};

    (void)state;
    for (size_t a = 0; a < MST_COUNT(actions); a++) {
        bool said = false;
        size_t n;

        sw_init(&s, MST_GUARD_SWITCHOVER);
        s.f.after = MST_AFTER_STAY;
        s.m[1].may_state_change = a != 0;
        s.m[1].may_note = a != 1;
        s.m[1].may_configure = a != 2;
        n = mst_guard_run(&s.f, c);
        for (size_t i = 0; i < n; i++) {
            said = said || (c[i].id == MST_P34 && c[i].result == MST_GUARD_BLOCK &&
                            strstr(c[i].measured, actions[a]) &&
                            strstr(c[i].todo, "muster roles --act switch"));
        }
        assert_true(said);
        assert_true(needs(MST_ROLES_SWITCH, actions[a]));
    }
    assert_true(needs(MST_ROLES_SWITCH, "inprog"));
}

/* A privileges array as connectionStatus would show it for this role. */
static void privileges_of(enum mst_roles_act act, bson_t *out)
{
    size_t n;
    const struct mst_roles_need *need = mst_roles_needs(act, &n);

    bson_init(out);
    for (size_t i = 0; i < n; i++) {
        char key[24];
        bson_t one, resource, actions;

        (void)snprintf(key, sizeof(key), "%zu", i);
        assert_true(BSON_APPEND_DOCUMENT_BEGIN(out, key, &one));
        assert_true(BSON_APPEND_DOCUMENT_BEGIN(&one, "resource", &resource));
        if (need[i].on == MST_ROLES_CLUSTER) {
            assert_true(BSON_APPEND_BOOL(&resource, "cluster", true));
        } else {
            assert_true(BSON_APPEND_UTF8(&resource, "db", need[i].db));
            assert_true(BSON_APPEND_UTF8(&resource, "collection", need[i].coll));
        }
        assert_true(bson_append_document_end(&one, &resource));
        assert_true(BSON_APPEND_ARRAY_BEGIN(&one, "actions", &actions));
        assert_true(BSON_APPEND_UTF8(&actions, "0", need[i].action));
        assert_true(bson_append_array_end(&one, &actions));
        assert_true(bson_append_document_end(out, &one));
    }
}

static void a_restore_with_its_role_misses_no_right(void **state)
{
    struct mst_str missing = {0};
    bson_t has;

    (void)state;
    privileges_of(MST_ROLES_RESTORE, &has);
    mst_rights_missing(&has, "shop", "4.4", &missing);
    mst_rights_missing(&has, NULL, "4.4", &missing);
    assert_string_equal(mst_str_c(&missing), "");
    bson_destroy(&has);
    privileges_of(MST_ROLES_BACKUP, &has);
    mst_rights_missing(&has, "shop", "4.4", &missing);
    assert_non_null(strstr(mst_str_c(&missing), "insert on shop"));
    bson_destroy(&has);
    mst_str_release(&missing);
}

static void the_class_changes_what_is_said(void **state)
{
    struct mst_str out = {0};

    (void)state;
    script(MST_ROLES_SWITCH, "7.0", "", &out);
    assert_non_null(strstr(out.p, "Without a class and \"switch\" in set.acts"));
    script(MST_ROLES_SWITCH, "7.0", "SANDBOX", &out);
    assert_null(strstr(out.p, "Without a class"));
    assert_null(strstr(out.p, "Class PROD"));
    script(MST_ROLES_RESTORE, "7.0", "PROD", &out);
    assert_non_null(strstr(out.p, "Class PROD: keep it apart"));
    assert_non_null(strstr(out.p, "can replace every document"));
    script(MST_ROLES_VIEW, "7.0", "PROD", &out);
    assert_null(strstr(out.p, "Class PROD"));
    mst_str_release(&out);
}

static void what_is_not_known_is_refused_and_writes_nothing(void **state)
{
    static const char *const servers[] = {"",        "4",    "4.0",  "3.6", "9.0",          "seven",
                                          "7.0\n*/", "7.0x", "-7.0", "7..", "7.0.1.2.3.4.5"};
    static const char *const classes[] = {"prod", "LIVE", "PROD\n"};
    struct mst_str out = {0};
    enum mst_roles_act act;

    (void)state;
    for (size_t i = 0; i < MST_COUNT(servers); i++) {
        assert_rc(mst_roles_script(MST_ROLES_VIEW, servers[i], "", &out, &err), MST_E_USAGE, &err);
        assert_non_null(strstr(err.msg, "4.2 to 8.x"));
    }
    for (size_t i = 0; i < MST_COUNT(classes); i++) {
        assert_rc(mst_roles_script(MST_ROLES_VIEW, "7.0", classes[i], &out, &err), MST_E_USAGE,
                  &err);
    }
    assert_int_equal(out.len, 0);
    assert_rc(mst_roles_act_of("failover", &act, &err), MST_E_USAGE, &err);
    assert_string_equal(err.msg, "no act 'failover': view, switch, backup or restore");
    assert_ok(mst_roles_act_of("switch", &act, &err), &err);
    assert_int_equal(act, MST_ROLES_SWITCH);
}

static void the_security_page_lists_every_need(void **state)
{
    struct mst_buf file = {0};
    size_t n;

    (void)state;
    assert_ok(mst_file_read(TEST_SOURCE "/docs/security.md", 1 << 20, &file, &err), &err);
    mst_buf_add(&file, "", 1);
    for (int a = 0; a < MST_ROLES_ACTS; a++) {
        const struct mst_roles_need *need = mst_roles_needs((enum mst_roles_act)a, &n);
        char start[32], action[64], *row;
        const char *at;

        (void)snprintf(start, sizeof(start), "\n| `%s` |", mst_roles_word((enum mst_roles_act)a));
        at = strstr((const char *)file.p, start);
        if (!at) {
            fail_msg("docs/security.md has no row of %s", start);
        }
        row = mst_xstrndup(at + 1, strcspn(at + 1, "\n"));
        for (size_t i = 0; i < n; i++) {
            (void)snprintf(action, sizeof(action), "`%s`", need[i].action);
            if (!strstr(row, action) && !strstr(row, "as `view`")) {
                fail_msg("docs/security.md: %s lacks %s", start, action);
            }
            if (strstr(row, "as `view`") && !needs(MST_ROLES_VIEW, need[i].action) &&
                !strstr(row, action)) {
                fail_msg("docs/security.md: %s lacks %s", start, action);
            }
        }
        free(row);
    }
    mst_buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_act_has_one_role_and_one_user_with_a_prompt),
        cmocka_unit_test(a_script_is_balanced_and_names_every_need_once),
        cmocka_unit_test(looking_and_backing_up_may_change_nothing),
        cmocka_unit_test(the_checks_ask_for_what_the_switch_role_gives),
        cmocka_unit_test(a_restore_with_its_role_misses_no_right),
        cmocka_unit_test(the_class_changes_what_is_said),
        cmocka_unit_test(what_is_not_known_is_refused_and_writes_nothing),
        cmocka_unit_test(the_security_page_lists_every_need),
    };
    return cmocka_run_group_tests_name("roles", tests, NULL, NULL);
}
