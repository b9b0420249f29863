/* What is wrong at the other end: no replica set, no login, no right, no TLS, another member behind
 * an address; and names that would do harm on a terminal. Runs the real program. */
#include "bad_kit.h"

#include "mockmember.h"
#include "sandbox/auth/auth.h"
#include "tlsgen.h"

#define HOSTILE "\\u001b[2J\\u202e\\n\\u009bx"

/* --- hostile names --- */

static void names_of_collections_reach_no_terminal(void **state)
{
    static const char *const names[] = {"esc\\u001b[2Jx", "line\\nbreak", "right\\u202eleft",
                                        "c1\\u009b2J", "bell\\u0007\\ttab"};
    static const struct row rows[] = {
        {"backup", {.store = "@/names"}, {"backup"}, 0, {"COMPLETE"}},
        {"list", {.store = "@/names"}, {"bucket", "ls"}, 0, {"COMPLETE"}},
        {"show", {.store = "@/names"}, {"bucket", "show"}, 0, {"shop.esc?[2Jx", "shop.line?break"}},
        {"show, JSON", {.store = "@/names"}, {"bucket", "show", "--json"}, 0, {"shop.esc?[2Jx"}},
        {"verify", {.store = "@/names"}, {"verify"}, 0, {"read back whole"}},
        {"plan", {.store = "@/names"}, {"restore", "--dry-run"}, 0, {"esc?[2Jx"}},
        {"plan, JSON", {.store = "@/names"}, {"restore", "--dry-run", "--json"}, 0, {"esc?[2Jx"}},
        {"restore",
         {.store = "@/names"},
         {"restore", "--confirm", "\x1b[2J", "--reason", "\x1b]0;t\a\xe2\x80\xae"},
         10,
         {"what was typed is not \""}},
        {"left out", {.store = "@/names"}, {"backup", "--exclude", "shop.esc*"}, 0, {"PARTIAL"}},
        {"jobs", {.store = "@/names"}, {"jobs"}, 0, {"backup: done"}},
        {"jobs, JSON", {.store = "@/names"}, {"jobs", "--json"}, 0, {"\"job\""}},
        {"audit", {.store = "@/names"}, {"audit", "verify"}, 0, {"unbroken"}},
        {"console", {.store = "@/names"}, {"console", "--print", "jobs"}, 0, {"Jobs"}},
    };
    char json[300];
    bson_t reply;

    (void)state;
    make_dir("names", 0700);
    for (size_t i = 0; i < MST_COUNT(names); i++) {
        (void)snprintf(json, sizeof(json),
                       "{'insert': '%s', 'documents': [{'_id': 1}], 'writeConcern': {'w': 3}}",
                       names[i]);
        assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply, json), 0);
        bson_destroy(&reply);
    }
    run_rows(rows, MST_COUNT(rows));
    for (size_t i = 0; i < MST_COUNT(names); i++) {
        (void)snprintf(json, sizeof(json), "{'drop': '%s'}", names[i]);
        assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply, json), 0);
        bson_destroy(&reply);
    }
}

static void answer(struct mock *m, const char *command, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void answer(struct mock *m, const char *command, const char *fmt, ...)
{
    struct mst_str s = {0};
    va_list ap;

    va_start(ap, fmt);
    mst_str_vaddf(&s, fmt, ap);
    va_end(ap);
    mock_reply_json(m, command, mst_str_c(&s));
    mst_str_release(&s);
}

/* The same words with this member in the configuration; status -1: as in the row. */
static void run_against(const struct mock *m, const struct row *rows, size_t n, int status)
{
    char members[64];

    (void)snprintf(members, sizeof(members), "\"%s\"", mock_addr(m));
    for (size_t i = 0; i < n; i++) {
        struct row row = rows[i];

        row.conf.members = members;
        row.status = status >= 0 ? status : row.status;
        run_row(&row);
    }
}

static void a_hostile_member_reaches_no_terminal(void **state)
{
    static const struct row rows[] = {
        {"status", {.name = ""}, {"status"}, 0, {"?[2J"}},
        {"status, sentences", {.name = ""}, {"status", "--plain"}, 0, {"?[2J"}},
        {"status, JSON", {.name = ""}, {"status", "--json"}, 0, {"?[2J"}},
        {"topology", {.name = ""}, {"topology"}, 0, {"?[2J"}},
        {"topology, JSON", {.name = ""}, {"topology", "--json"}, 0, {"?[2J"}},
        {"watch", {.name = ""}, {"watch", "--for", "2"}, 0, {"?[2J"}},
        {"watch, JSON", {.name = ""}, {"watch", "--for", "2", "--json"}, 0, {"?[2J"}},
        {"console", {.name = ""}, {"console", "--print", "topology"}, 0, {"Topo"}},
        {"small console",
         {.name = ""},
         {"console", "--print", "overview", "--size", "20x5"},
         0,
         {NULL}},
        {"the set's name", {0}, {"status"}, 2, {"WRONG SET", "?[2J"}},
    };
    struct mock *m = mock_start(NULL);
    const char *me = mock_addr(m);

    (void)state;
    answer(m, "isMaster",
           "{\"ismaster\": true, \"setName\": \"s" HOSTILE "\", \"me\": \"%s\", \"hosts\": "
           "[\"%s\", \"h" HOSTILE ":1\"], \"setVersion\": 1, \"primary\": \"%s\", "
           "\"maxWireVersion\": 8, \"ok\": 1}",
           me, me, me);
    answer(m, "replSetGetStatus",
           "{\"set\": \"s" HOSTILE "\", \"myState\": 1, \"term\": 1, \"members\": [{\"_id\": 0, "
           "\"name\": \"%s\", \"health\": 1, \"state\": 1, \"stateStr\": \"" HOSTILE
           "\", \"self\": true, \"optime\": {\"ts\": {\"$timestamp\": {\"t\": 50, \"i\": 1}}, "
           "\"t\": 1}}, {\"_id\": 1, \"name\": \"h" HOSTILE ":1\", \"health\": 0, \"state\": 8, "
           "\"lastHeartbeatMessage\": \"m" HOSTILE "\", \"syncSourceHost\": \"" HOSTILE
           "\"}], \"ok\": 1}",
           me);
    answer(m, "replSetGetConfig",
           "{\"config\": {\"_id\": \"s" HOSTILE "\", \"version\": 1, \"members\": [{\"_id\": 0, "
           "\"host\": \"%s\", \"tags\": {\"" HOSTILE "\": \"" HOSTILE "\"}}, {\"_id\": 1, "
           "\"host\": \"h" HOSTILE ":1\"}]}, \"ok\": 1}",
           me);
    answer(m, "serverStatus",
           "{\"version\": \"4.2" HOSTILE "\", \"uptime\": 9, \"repl\": {\"rbid\": 1}, \"ok\": 1}");
    run_against(m, rows, MST_COUNT(rows), -1);
    answer(m, "replSetGetStatus",
           "{\"ok\": 0, \"errmsg\": \"no " HOSTILE "\", \"code\": 8000, \"codeName\": \"" HOSTILE
           "\"}");
    run_against(m, rows, 6, 1);
    mock_stop(m);
}

static void a_screen_of_20_by_5_has_no_longer_line(void **state)
{
    static const char *const screens[] = {"overview", "topology", "jobs", "bucket"};

    (void)state;
    configure(&(struct conf){0});
    for (size_t i = 0; i < MST_COUNT(screens); i++) {
        struct ran r;
        size_t lines = 0;

        RUN(&r, env, "console", "--print", screens[i], "--size", "20x5");
        if (r.status != 0) {
            fail_msg("%s: status %d: %s", screens[i], r.status, mst_str_c(&r.err));
        }
        assert_harmless(screens[i], mst_str_c(&r.out));
        for (const char *at = mst_str_c(&r.out); *at; lines++) {
            const size_t n = strcspn(at, "\n");

            assert_true(mst_text_cols(at, n) <= 20);
            at += n + (at[n] == '\n');
        }
        assert_in_range(lines, 1, 5);
        ran_release(&r);
    }
}

/* --- what is no replica set --- */

static void what_is_no_replica_set_is_refused(void **state)
{
    static const struct {
        const char *hello, *why;
    } kinds[] = {
        {"{\"ismaster\": true, \"maxWireVersion\": 8, \"ok\": 1}", "standalone"},
        {"{\"ismaster\": true, \"msg\": \"isdbgrid\", \"maxWireVersion\": 8, \"ok\": 1}", "mongos"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(kinds); i++) {
        struct mock *m = mock_start(NULL);
        const struct row rows[] = {
            {kinds[i].why, {0}, {"status"}, 2, {mock_addr(m), kinds[i].why}},
            {kinds[i].why, {0}, {"backup"}, 2, {mock_addr(m), kinds[i].why}},
        };

        mock_reply_json(m, "isMaster", kinds[i].hello);
        run_against(m, rows, MST_COUNT(rows), -1);
        mock_stop(m);
    }
    assert_nothing_lost();
}

static void what_is_no_mongodb_is_said(void **state)
{
    struct mock *m = mock_start(NULL);
    const struct row rows[] = {
        {"garbage", {0}, {"status"}, 3, {mock_addr(m), "this is not a MongoDB server"}},
        {"garbage", {0}, {"backup"}, 3, {mock_addr(m), "this is not a MongoDB server"}},
    };

    (void)state;
    mock_fault(m, "*", MOCK_GARBAGE);
    run_against(m, rows, MST_COUNT(rows), -1);
    mock_stop(m);
}

/* --- TLS --- */

static struct mock *serve(const char *cert, const char *me)
{
    const struct mock_tls tls = {.cert_file = cert};
    struct mock *m = mock_start(&tls);

    answer(m, "isMaster",
           "{\"ismaster\": true, \"setName\": \"rs0\", \"me\": \"%s\", \"hosts\": "
           "[\"db1.test:27017\", \"db2.test:27017\"], \"maxWireVersion\": 8, \"ok\": 1}",
           me);
    return m;
}

/* db1 and db2 behind these two servers. */
static void tunnels(const char *what, const struct mock *one, const struct mock *two,
                    const char *ca, int status, const char *says)
{
    struct mst_str s = {0};
    static const char *const acts[] = {"status", "backup"};

    if (ca) {
        mst_str_addf(&s, "  tls = { on = true; ca_file = \"%s\"; };\n", ca);
    }
    mst_str_addf(&s,
                 "  dial = ({ name = \"db1.test:27017\"; address = \"%s\"; }, { name = "
                 "\"db2.test:27017\"; address = \"%s\"; });",
                 mock_addr(one), mock_addr(two));
    for (size_t i = 0; i < MST_COUNT(acts); i++) {
        const struct row row = {
            what,
            {.members = "\"db1.test:27017\", \"db2.test:27017\"", .in_set = mst_str_c(&s)},
            {acts[i]},
            status,
            {says}};

        run_row(&row);
    }
    mst_str_release(&s);
}

static void a_wrong_certificate_or_tunnel_is_named(void **state)
{
    struct tlsgen ca, other;
    char db1[600], db2[600];
    struct mock *one, *two;

    (void)state;
    tlsgen_init(&ca, dir, "ca");
    tlsgen_init(&other, dir, "other");
    tlsgen_issue(
        &ca, &(struct tlsgen_want){.file = "d1.pem", .subject = "CN=db1", .san = "DNS:db1.test"},
        db1);
    tlsgen_issue(
        &ca, &(struct tlsgen_want){.file = "d2.pem", .subject = "CN=db2", .san = "DNS:db2.test"},
        db2);
    one = serve(db1, "db1.test:27017");
    two = serve(db2, "db2.test:27017");
    tunnels("another authority", one, two, other.ca, 3, "certificate");
    tunnels("swapped tunnels, TLS", two, one, ca.ca, 3, "the certificate is not for db1.test");
    tunnels("no CA file", one, two, "/none/ca.pem", 3, "/none/ca.pem");
    mock_stop(one);
    mock_stop(two);
    one = mock_start(NULL);
    two = mock_start(NULL);
    answer(one, "isMaster",
           "{\"ismaster\": true, \"setName\": \"rs0\", \"me\": \"db1.test:27017\", "
           "\"hosts\": [\"db1.test:27017\"], \"maxWireVersion\": 8, \"ok\": 1}");
    answer(two, "isMaster",
           "{\"ismaster\": true, \"setName\": \"rs0\", \"me\": \"db2.test:27017\", "
           "\"hosts\": [\"db1.test:27017\"], \"maxWireVersion\": 8, \"ok\": 1}");
    tunnels("swapped tunnels", two, one, NULL, 3, "db2.test:27017");
    tunnels("no TLS there", one, two, ca.ca, 3, "TLS");
    mock_stop(one);
    mock_stop(two);
    tlsgen_release(&ca);
    tlsgen_release(&other);
    assert_nothing_lost();
}

/* --- login and rights; the last test: from here on the set asks for a login --- */

#define LOGIN(file) \
    "  class = \"SANDBOX\"; acts = [\"restore\"];\n  credentials = { view = { user = \"ops\"; " \
    "password_file = \"" file "\"; }; };"

static void refuse(const char *command, bool on)
{
    sbx_lock(kit.w);
    sbx_auth_refuse(kit.w, "ops", command, on);
    sbx_unlock(kit.w);
}

static void a_login_or_a_right_that_is_missing_is_named(void **state)
{
    static const struct row bad[] = {
        {"no login", {0}, {"status"}, 1, {"replSetGetStatus (no login given)"}},
        {"no login, to be backed up", {0}, {"backup"}, 10, {"not authorised for replSetGetStatus"}},
        {"wrong password",
         {.in_set = LOGIN("wrong.secret")},
         {"status"},
         4,
         {"login as 'ops' failed"}},
        {"wrong password, to be backed up",
         {.in_set = LOGIN("wrong.secret")},
         {"backup"},
         4,
         {"login as 'ops' failed"}},
        {"wrong password, JSON",
         {.in_set = LOGIN("wrong.secret")},
         {"status", "--json"},
         4,
         {"login as 'ops' failed"}},
    };
    static const struct {
        const char *command;
        struct row row;
    } rights[] = {
        {"replSetGetStatus",
         {"status refused",
          {.in_set = LOGIN("right.secret")},
          {"status", "--plain"},
          1,
          {"replication status is missing: not authorised for replSetGetStatus"}}},
        {"serverStatus",
         {"statistics refused",
          {.in_set = LOGIN("right.secret")},
          {"status", "--plain"},
          1,
          {"server statistics are missing: not authorised for serverStatus"}}},
        {"replSetGetConfig",
         {"configuration refused",
          {.in_set = LOGIN("right.secret")},
          {"status", "--plain"},
          1,
          {"not authorised for replSetGetConfig"}}},
        {"listCollections",
         {"listing refused",
          {.in_set = LOGIN("right.secret")},
          {"backup"},
          4,
          {"listCollections", "not authorized"}}},
        {"find",
         {"reading refused", {.in_set = LOGIN("right.secret")}, {"backup"}, 4, {"not authorized"}}},
        {"insert",
         {"writing refused",
          {.in_set = LOGIN("right.secret")},
          {"restore", "--confirm", "rs0"},
          10,
          {NULL}}},
    };
    static const struct row good = {
        "login", {.in_set = LOGIN("right.secret")}, {"status"}, 0, {"HEALTHY"}};
    struct mst_err err = {0};

    (void)state;
    put("right.secret", 0600, SECRET "\n", strlen(SECRET) + 1);
    put("wrong.secret", 0600, "no" SECRET "\n", strlen(SECRET) + 3);
    sbx_lock(kit.w);
    assert_ok(sbx_auth_add(kit.w, "admin", "ops", SECRET, &err), &err);
    sbx_unlock(kit.w);
    for (size_t i = 0; i < MST_COUNT(bad); i++) {
        run_row(&bad[i]);
    }
    run_row(&good);
    for (size_t i = 0; i < MST_COUNT(rights); i++) {
        refuse(rights[i].command, true);
        run_row(&rights[i].row);
        refuse(rights[i].command, false);
    }
    run_row(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_collections_reach_no_terminal),
        cmocka_unit_test(a_hostile_member_reaches_no_terminal),
        cmocka_unit_test(a_screen_of_20_by_5_has_no_longer_line),
        cmocka_unit_test(what_is_no_replica_set_is_refused),
        cmocka_unit_test(what_is_no_mongodb_is_said),
        cmocka_unit_test(a_wrong_certificate_or_tunnel_is_named),
        cmocka_unit_test(a_login_or_a_right_that_is_missing_is_named),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("bad servers", tests, bad_setup, bad_teardown);
}
