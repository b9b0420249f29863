/* Users and roles over the wire: what each role may do, own roles, and what a denied command leaves
 * behind, which is nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/rights.h"
#include "base/mem.h"
#include "conform/play.h"
#include "run/tables.h"
#include "server/server.h"
#include "test.h"

struct asked {
    int code; /* 0: answered with ok */
    bson_t *reply;
    char errmsg[600];
};

static struct sbx_world *start(const struct sbx_opts *o)
{
    struct sbx_world *w = NULL;
    struct mst_err err = {0};

    assert_ok(sbx_world_start(o, &w, &err), &err);
    return w;
}

static void add(struct sbx_world *w, const char *db, const char *name, const char *roles)
{
    struct mst_err err = {0};

    sbx_lock(w);
    assert_ok(sbx_auth_add_with(w, db, name, "pw", roles, &err), &err);
    sbx_unlock(w);
}

static void open_to(struct sbx_client *c, const struct sbx_world *w, size_t member)
{
    struct mst_err err = {0};

    assert_ok(sbx_client_connect(c, "127.0.0.1", sbx_world_port(w, member), 10000, &err), &err);
}

static void log_in(struct sbx_client *c, const struct sbx_world *w, const char *user)
{
    open_to(c, w, 0);
    assert_true(play_login(c, user, "pw"));
}

/* A command with ' for ". */
static struct asked ask(struct sbx_client *c, const char *db, const char *json)
{
    char *text = mst_xstrdup(json);
    struct asked a = {0};
    struct mst_err err = {0};
    bson_error_t e;
    bson_t *cmd, reply;
    int64_t code = 0;

    for (char *p = text; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    cmd = bson_new_from_json((const uint8_t *)text, -1, &e);
    assert_non_null(cmd);
    const enum mst_rc rc = sbx_client_command(c, db, cmd, &reply, &err);
    assert_true(rc == MST_OK || rc == MST_E_SERVER);
    a.reply = bson_copy(&reply);
    bson_destroy(&reply);
    (void)sbx_doc_int(a.reply, "code", &code);
    a.code = (int)code;
    if (sbx_doc_str(a.reply, "errmsg") != NULL) {
        (void)snprintf(a.errmsg, sizeof a.errmsg, "%s", sbx_doc_str(a.reply, "errmsg"));
    }
    bson_destroy(cmd);
    free(text);
    return a;
}

static int code_of(struct sbx_client *c, const char *db, const char *json)
{
    struct asked a = ask(c, db, json);

    bson_destroy(a.reply);
    return a.code;
}

static const struct row {
    const char *role, *db, *command;
    bool may;
} rows[] = {
    {"read@shop", "shop", "{'find': 'a'}", true},
    {"read@shop", "shop", "{'find': 'system.js'}", true},
    {"read@shop", "shop", "{'find': 'system.views'}", false},
    {"read@shop", "other", "{'find': 'a'}", false},
    {"read@shop", "shop", "{'insert': 'a', 'documents': [{'x': 1}]}", false},
    {"read@shop", "shop", "{'aggregate': 'a', 'pipeline': [], 'cursor': {}}", true},
    {"read@shop", "shop", "{'dbHash': 1}", true},
    {"read@shop", "admin", "{'serverStatus': 1}", false},
    {"readWrite@shop", "shop", "{'insert': 'a', 'documents': [{'x': 1}]}", true},
    {"readWrite@shop", "shop", "{'update': 'a', 'updates': [{'q': {}, 'u': {'$set': {'y': 1}}}]}",
     true},
    {"readWrite@shop", "shop", "{'dropDatabase': 1}", false},
    {"readWrite@shop", "shop", "{'collMod': 'a'}", false},
    {"dbAdmin@shop", "shop", "{'collMod': 'a', 'validator': {}}", true},
    {"dbAdmin@shop", "shop", "{'find': 'a'}", false},
    {"dbAdmin@shop", "shop", "{'createIndexes': 'a', 'indexes': [{'key': {'k': 1}, 'name': 'k'}]}",
     true},
    {"userAdmin@shop", "shop", "{'createUser': 'x', 'pwd': 'p', 'roles': []}", true},
    {"userAdmin@shop", "shop", "{'createUser': 'y', 'pwd': 'p', 'roles': ['readWrite']}", true},
    {"userAdmin@shop", "shop",
     "{'createUser': 'z', 'pwd': 'p', 'roles': [{'role': 'root', 'db': 'admin'}]}", false},
    {"userAdmin@shop", "admin", "{'createUser': 'x', 'pwd': 'p', 'roles': []}", false},
    {"userAdmin@shop", "shop", "{'find': 'a'}", false},
    {"dbOwner@shop", "shop", "{'insert': 'a', 'documents': [{'x': 2}]}", true},
    {"dbOwner@shop", "shop", "{'usersInfo': 1}", true},
    {"dbOwner@shop", "admin", "{'usersInfo': 1}", false},
    {"clusterMonitor", "admin", "{'serverStatus': 1}", true},
    {"clusterMonitor", "admin", "{'replSetGetConfig': 1}", true},
    {"clusterMonitor", "admin", "{'currentOp': 1}", true},
    {"clusterMonitor", "local", "{'find': 'oplog.rs', 'limit': 1}", true},
    {"clusterMonitor", "shop", "{'collStats': 'a'}", true},
    {"clusterMonitor", "shop", "{'find': 'a'}", false},
    {"clusterMonitor", "admin", "{'replSetFreeze': 0}", false},
    {"clusterManager", "admin", "{'replSetGetStatus': 1}", true},
    {"clusterManager", "admin", "{'currentOp': 1}", false},
    {"clusterManager", "admin", "{'currentOp': 1, '$ownOps': true}", true},
    {"hostManager", "admin", "{'killAllSessions': []}", true},
    {"hostManager", "admin", "{'replSetGetStatus': 1}", false},
    {"clusterAdmin", "admin", "{'getCmdLineOpts': 1}", true},
    {"clusterAdmin", "admin", "{'replSetGetRBID': 1}", false},
    {"readAnyDatabase", "other", "{'find': 'a'}", true},
    {"readAnyDatabase", "local", "{'find': 'oplog.rs', 'limit': 1}", false},
    {"readAnyDatabase", "config", "{'find': 'transactions'}", false},
    {"readWriteAnyDatabase", "other", "{'insert': 'b', 'documents': [{'x': 2}]}", true},
    {"readWriteAnyDatabase", "admin", "{'find': 'system.users'}", false},
    {"userAdminAnyDatabase", "admin", "{'find': 'system.users'}", true},
    {"userAdminAnyDatabase", "admin", "{'usersInfo': {'forAllDBs': true}}", true},
    {"dbAdminAnyDatabase", "other", "{'dbStats': 1}", true},
    {"dbAdminAnyDatabase", "other", "{'find': 'a'}", false},
    {"restore", "admin", "{'applyOps': [{'op': 'd', 'ns': 'shop.a', 'o': {'_id': 9}}]}", false},
    {"root", "admin", "{'replSetGetStatus': 1}", true},
    {"root", "admin", "{'find': 'system.users'}", true},
    {"root", "admin", "{'applyOps': [{'op': 'n', 'ns': '', 'o': {'x': 1}}]}", true},
    {"root", "admin", "{'applyOps': []}", false},
    {"__system", "admin", "{'replSetGetRBID': 1}", true},
    {"__system", "admin", "{'applyOps': []}", true},
};

static void a_role_gives_what_the_manual_says(void **state)
{
    struct sbx_world *w = start(&(struct sbx_opts){.members = 1, .fast = true});

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct sbx_client c;
        char name[24];

        (void)snprintf(name, sizeof name, "u%zu", i);
        add(w, "admin", name, rows[i].role);
        log_in(&c, w, name);
        struct asked a = ask(&c, rows[i].db, rows[i].command);
        if ((a.code != 13) != rows[i].may) {
            fail_msg("%s on %s, %s: %d %s", rows[i].role, rows[i].db, rows[i].command, a.code,
                     a.errmsg);
        }
        bson_destroy(a.reply);
        sbx_client_close(&c);
    }
    sbx_world_stop(w);
}

static bool knows_actions(void *arg, const struct sbx_priv *p)
{
    const char *at = p->actions;
    char word[64];

    while (*at != '\0') {
        const size_t n = strcspn(at, " ");

        (void)snprintf(word, sizeof word, "%.*s", (int)n, at);
        if (!sbx_action_known(word)) {
            fail_msg("%s gives %s, which is no action", (const char *)arg, word);
        }
        at += n + (at[n] == ' ');
    }
    return true;
}

static void every_command_has_a_need_and_every_action_a_name(void **state)
{
    static char role_name[SBX_ROLE_NAME_MAX];
    const char *names[256];
    struct sbx_world *w = start(&(struct sbx_opts){.members = 1, .fast = true, .server = "7.0"});
    const size_t n = sbx_server_commands(w, names, MST_COUNT(names));
    size_t roles;

    (void)state;
    assert_in_range(n, 80, MST_COUNT(names));
    for (size_t i = 0; i < n; i++) {
        if (!sbx_need_known(names[i])) {
            fail_msg("nothing says what %s needs", names[i]);
        }
    }
    roles = sbx_builtin_names(names, MST_COUNT(names));
    assert_in_range(roles, 17, MST_COUNT(names));
    for (size_t i = 0; i < roles; i++) {
        struct sbx_role r = {.db = "admin"};

        (void)snprintf(r.name, sizeof r.name, "%s", names[i]);
        (void)snprintf(role_name, sizeof role_name, "%s", names[i]);
        assert_true(sbx_role_builtin("admin", names[i]));
        assert_true(sbx_role_each(NULL, &r, knows_actions, role_name));
    }
    assert_false(sbx_role_builtin("shop", "root"));
    assert_true(sbx_role_builtin("shop", "readWrite"));
    sbx_world_stop(w);
}

static void own_roles_inherit_and_count_at_once(void **state)
{
    struct sbx_world *w = start(&(struct sbx_opts){.members = 1, .fast = true});
    struct sbx_client root, c;

    (void)state;
    add(w, "admin", "root", "root");
    log_in(&root, w, "root");
    assert_int_equal(code_of(&root, "admin",
                             "{'createRole': 'stock', 'roles': [], 'privileges': [{'resource': "
                             "{'db': 'shop', 'collection': 'stock'}, 'actions': ['find']}]}"),
                     0);
    assert_int_equal(
        code_of(&root, "admin", "{'createRole': 'clerk', 'roles': ['stock'], 'privileges': []}"),
        0);
    assert_int_equal(
        code_of(&root, "admin", "{'createUser': 'ann', 'pwd': 'pw', 'roles': ['clerk']}"), 0);
    log_in(&c, w, "ann");
    assert_int_equal(code_of(&c, "shop", "{'find': 'stock'}"), 0);
    assert_int_equal(code_of(&c, "shop", "{'find': 'orders'}"), 13);
    assert_int_equal(code_of(&root, "admin",
                             "{'grantPrivilegesToRole': 'stock', 'privileges': [{'resource': "
                             "{'db': 'shop', 'collection': ''}, 'actions': ['find']}]}"),
                     0);
    assert_int_equal(code_of(&c, "shop", "{'find': 'orders'}"), 0);
    assert_int_equal(code_of(&root, "admin",
                             "{'revokePrivilegesFromRole': 'stock', 'privileges': [{'resource': "
                             "{'db': 'shop', 'collection': ''}, 'actions': ['find']}]}"),
                     0);
    assert_int_equal(code_of(&c, "shop", "{'find': 'orders'}"), 13);
    /* A circle, a name twice, one of the server's own, one that is not there. */
    assert_int_equal(code_of(&root, "admin", "{'grantRolesToRole': 'stock', 'roles': ['clerk']}"),
                     55);
    assert_int_equal(
        code_of(&root, "admin", "{'createRole': 'clerk', 'roles': [], 'privileges': []}"), 51002);
    assert_int_equal(code_of(&root, "admin", "{'dropRole': 'root'}"), 55);
    assert_int_equal(code_of(&root, "admin", "{'grantRolesToUser': 'ann', 'roles': ['nobody']}"),
                     31);
    assert_int_equal(code_of(&root, "shop",
                             "{'createRole': 'far', 'roles': [], 'privileges': [{'resource': "
                             "{'db': 'other', 'collection': ''}, 'actions': ['find']}]}"),
                     55);
    /* It goes from whoever had it. */
    assert_int_equal(code_of(&root, "admin", "{'dropRole': 'stock'}"), 0);
    assert_int_equal(code_of(&c, "shop", "{'find': 'stock'}"), 13);
    assert_int_equal(code_of(&root, "admin", "{'dropRole': 'stock'}"), 31);
    assert_int_equal(code_of(&root, "admin",
                             "{'updateRole': 'clerk', 'roles': [{'role': 'read', 'db': 'shop'}]}"),
                     0);
    assert_int_equal(code_of(&c, "shop", "{'find': 'stock'}"), 0);
    assert_int_equal(code_of(&root, "admin", "{'revokeRolesFromUser': 'ann', 'roles': ['clerk']}"),
                     0);
    assert_int_equal(code_of(&c, "shop", "{'find': 'stock'}"), 13);
    sbx_client_close(&root);
    sbx_client_close(&c);
    sbx_world_stop(w);
}

static bool applied_everywhere(struct sbx_world *w, void *arg)
{
    (void)arg;
    for (size_t i = 1; i < w->n; i++) {
        if (mst_ts_cmp(w->members[i].applied.op.ts, w->members[0].applied.op.ts) < 0) {
            return false;
        }
    }
    return true;
}

static void users_are_replicated_and_a_dropped_one_is_nobody(void **state)
{
    struct sbx_world *w = start(&(struct sbx_opts){.fast = true});
    struct sbx_client root, c, second;
    struct asked a;

    (void)state;
    add(w, "admin", "root", "root");
    log_in(&root, w, "root");
    assert_int_equal(
        code_of(&root, "admin",
                "{'createUser': 'eve', 'pwd': 'pw', 'roles': ['clusterMonitor'], 'customData': "
                "{'desk': 4}, 'mechanisms': ['SCRAM-SHA-256']}"),
        0);
    assert_int_equal(code_of(&root, "admin", "{'createUser': 'eve', 'pwd': 'pw', 'roles': []}"),
                     51003);
    assert_int_equal(code_of(&root, "admin", "{'createUser': 'x', 'roles': []}"), 2);
    assert_int_equal(code_of(&root, "local", "{'createUser': 'x', 'pwd': 'p', 'roles': []}"), 2);
    assert_true(sbx_world_wait(w, applied_everywhere, NULL, 20000));
    open_to(&second, w, 1);
    assert_true(play_login(&second, "eve", "pw"));
    assert_int_equal(code_of(&second, "admin", "{'replSetGetStatus': 1}"), 0);
    log_in(&c, w, "eve");
    a = ask(&c, "admin", "{'usersInfo': 'eve', 'showPrivileges': true}");
    assert_int_equal(a.code, 0);
    assert_string_equal(sbx_doc_str(a.reply, "users.0.mechanisms.0"), "SCRAM-SHA-256");
    assert_false(sbx_doc_has(a.reply, "users.0.mechanisms.1"));
    assert_false(sbx_doc_has(a.reply, "users.0.credentials"));
    assert_true(sbx_doc_has(a.reply, "users.0.customData.desk"));
    assert_string_equal(sbx_doc_str(a.reply, "users.0.inheritedRoles.0.role"), "clusterMonitor");
    assert_true(sbx_doc_true(a.reply, "users.0.inheritedPrivileges.0.resource.cluster"));
    bson_destroy(a.reply);
    a = ask(&c, "admin", "{'connectionStatus': 1, 'showPrivileges': true}");
    assert_string_equal(sbx_doc_str(a.reply, "authInfo.authenticatedUserPrivileges.0.actions.0"),
                        "checkFreeMonitoringStatus");
    bson_destroy(a.reply);
    assert_int_equal(code_of(&c, "admin", "{'usersInfo': 'root'}"), 13);
    a = ask(&root, "admin", "{'rolesInfo': 'clusterMonitor', 'showPrivileges': true}");
    assert_true(sbx_doc_true(a.reply, "roles.0.isBuiltin"));
    assert_true(sbx_doc_has(a.reply, "roles.0.privileges.0.actions.0"));
    bson_destroy(a.reply);
    assert_int_equal(code_of(&root, "admin", "{'updateUser': 'eve', 'pwd': 'new'}"), 0);
    assert_int_equal(code_of(&root, "admin", "{'dropUser': 'eve'}"), 0);
    assert_int_equal(code_of(&root, "admin", "{'dropUser': 'eve'}"), 11);
    /* The same name again is another user: who was logged in as the first is not. */
    assert_int_equal(code_of(&root, "admin", "{'createUser': 'eve', 'pwd': 'pw', 'roles': []}"), 0);
    a = ask(&c, "admin", "{'replSetGetStatus': 1}");
    assert_string_equal(a.errmsg, "command replSetGetStatus requires authentication");
    bson_destroy(a.reply);
    sbx_client_close(&root);
    sbx_client_close(&c);
    sbx_client_close(&second);
    sbx_world_stop(w);
}

static void what_is_denied_has_no_effect(void **state)
{
    struct sbx_world *w = start(&(struct sbx_opts){.members = 1, .fast = true});
    struct sbx_client c;
    struct asked a;

    (void)state;
    add(w, "admin", "look", "readAnyDatabase");
    log_in(&c, w, "look");
    a = ask(&c, "shop", "{'insert': 'new', 'documents': [{'x': 1}]}");
    assert_string_equal(a.errmsg, "not authorized on shop to execute command { insert: \"new\", "
                                  "documents: [ { x: 1 } ], $db: \"shop\" }");
    bson_destroy(a.reply);
    a = ask(&c, "admin", "{'createUser': 'me', 'pwd': 'open sesame', 'roles': ['root']}");
    assert_int_equal(a.code, 13);
    assert_null(strstr(a.errmsg, "sesame"));
    bson_destroy(a.reply);
    sbx_lock(w);
    assert_null(sbx_data_coll(w->members[0].data, "shop.new"));
    assert_int_equal(sbx_data_coll(w->members[0].data, SBX_USERS_NS)->count, 1);
    sbx_unlock(w);
    sbx_client_close(&c);
    sbx_world_stop(w);
}

static void a_cursor_belongs_to_who_opened_it(void **state)
{
    struct sbx_world *w = start(&(struct sbx_opts){.members = 1, .fast = true});
    struct sbx_client a, b;
    struct asked first;
    char json[120];
    int64_t id = 0;

    (void)state;
    add(w, "admin", "ann", "root");
    add(w, "admin", "bob", "root");
    log_in(&a, w, "ann");
    log_in(&b, w, "bob");
    assert_int_equal(code_of(&a, "t", "{'insert': 'a', 'documents': [{'x': 1}, {'x': 2}]}"), 0);
    first = ask(&a, "t", "{'find': 'a', 'batchSize': 1}");
    assert_true(sbx_doc_int(first.reply, "cursor.id", &id) && id != 0);
    bson_destroy(first.reply);
    (void)snprintf(json, sizeof json, "{'getMore': {'$numberLong': '%lld'}, 'collection': 'a'}",
                   (long long)id);
    assert_int_equal(code_of(&b, "t", json), 13);
    assert_int_equal(code_of(&a, "t", json), 0);
    sbx_client_close(&a);
    sbx_client_close(&b);
    sbx_world_stop(w);
}

static void an_arbiter_has_no_users(void **state)
{
    struct sbx_world *w =
        start(&(struct sbx_opts){.members = 2, .arbiter = true, .fast = true, .auth = true});
    struct sbx_client c;

    (void)state;
    add(w, "admin", "root", "root");
    open_to(&c, w, 2);
    assert_false(play_login(&c, "root", "pw"));
    sbx_client_close(&c);
    /* It never has one, so that from the same host it answers what a monitor asks. */
    open_to(&c, w, 2);
    assert_int_equal(code_of(&c, "admin", "{'serverStatus': 1}"), 0);
    assert_int_equal(code_of(&c, "admin", "{'replSetGetStatus': 1}"), 0);
    assert_int_equal(code_of(&c, "admin", "{'hostInfo': 1}"), 13);
    sbx_client_close(&c);
    sbx_world_stop(w);
}

static void options_name_users_with_their_roles(void **state)
{
    static const struct {
        const char *text;
        enum mst_rc rc;
    } cases[] = {
        {"a:backup,clusterMonitor=", MST_OK},
        {"b@shop:readWrite=", MST_OK},
        {"c:readWrite@shop,read@other=", MST_OK},
        {"d=", MST_OK},
        {"e:nosuch=", MST_E_USAGE},
        {"f@shop:root=", MST_E_USAGE},
        {":root=", MST_E_USAGE},
        {"g@=", MST_E_USAGE},
        {"h:=", MST_E_USAGE},
        {"a=", MST_E_EXISTS},
    };
    struct sbx_world *w = start(&(struct sbx_opts){.members = 1, .fast = true});
    char file[] = "/tmp/muster-pw-XXXXXX";
    const int fd = mkstemp(file);
    struct sbx_client c;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "pw\n", 3), 3);
    (void)close(fd);
    sbx_lock(w);
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        struct mst_err err = {0};
        char text[160];

        (void)snprintf(text, sizeof text, "%s%s", cases[i].text, file);
        assert_rc(sbx_auth_add_option(w, text, &err), cases[i].rc, &err);
    }
    sbx_unlock(w);
    (void)unlink(file);
    log_in(&c, w, "c");
    assert_int_equal(code_of(&c, "other", "{'find': 'x'}"), 0);
    assert_int_equal(code_of(&c, "other", "{'insert': 'x', 'documents': [{'x': 1}]}"), 13);
    sbx_client_close(&c);
    sbx_world_stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_gives_what_the_manual_says),
        cmocka_unit_test(every_command_has_a_need_and_every_action_a_name),
        cmocka_unit_test(own_roles_inherit_and_count_at_once),
        cmocka_unit_test(users_are_replicated_and_a_dropped_one_is_nobody),
        cmocka_unit_test(what_is_denied_has_no_effect),
        cmocka_unit_test(a_cursor_belongs_to_who_opened_it),
        cmocka_unit_test(an_arbiter_has_no_users),
        cmocka_unit_test(options_name_users_with_their_roles)};

    return cmocka_run_group_tests_name("roles", tests, NULL, NULL);
}
