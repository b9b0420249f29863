/* Whom a switch is not for, who may not ask for one, and plans that are not for now or not for
 * here: one sentence, the exit status, and nothing that is changed. */
#include "switch_kit.h"

#include "mongo/mongo.h"

#define HIDDEN 2
#define DELAYED 3
#define ARBITER 4
#define DOWN 5

static void add_member(bson_t *members, int id, double priority, bool hidden, int64_t delay_s,
                       bool arbiter)
{
    char key[12], host[32];
    bson_t m;

    (void)snprintf(key, sizeof(key), "%d", id);
    (void)snprintf(host, sizeof(host), "member:%d", id + 1); /* a real one takes its place */
    BSON_APPEND_DOCUMENT_BEGIN(members, key, &m);
    BSON_APPEND_INT32(&m, "_id", id);
    BSON_APPEND_UTF8(&m, "host", host);
    BSON_APPEND_BOOL(&m, "arbiterOnly", arbiter);
    BSON_APPEND_BOOL(&m, "hidden", hidden);
    BSON_APPEND_DOUBLE(&m, "priority", priority);
    BSON_APPEND_INT64(&m, "slaveDelay", delay_s);
    BSON_APPEND_INT32(&m, "votes", delay_s ? 0 : 1);
    bson_append_document_end(members, &m);
}

static int six_kinds(void **state)
{
    bson_t config = BSON_INITIALIZER, members;
    int rc;

    (void)state;
    BSON_APPEND_UTF8(&config, "_id", "rs0");
    BSON_APPEND_ARRAY_BEGIN(&config, "members", &members);
    add_member(&members, 0, 1, false, 0, false);
    add_member(&members, 1, 1, false, 0, false);
    add_member(&members, HIDDEN, 0, true, 0, false);
    add_member(&members, DELAYED, 0, false, 3600, false);
    add_member(&members, ARBITER, 0, false, 0, true);
    add_member(&members, DOWN, 1, false, 0, false);
    bson_append_array_end(&config, &members);
    rc = sw_setup_with((struct sbx_opts){.config = &config});
    bson_destroy(&config);
    return rc;
}

static void nothing_moved(void)
{
    assert_int_equal(sbx_world_primary(kit.w), 0);
    for (size_t i = 0; i < kit.w->n; i++) {
        assert_false(sw_frozen(i));
    }
}

static void a_member_that_may_not_be_primary_is_refused_by_name(void **state)
{
    static const struct {
        size_t to;
        const char *line, *says;
    } cases[] = {
        {HIDDEN, "refuse P07 target may be elected", "hidden"},
        {DELAYED, "refuse P07 target may be elected", "delayed"},
        {ARBITER, "refuse P07 target may be elected", "arbiter"},
        {DOWN, "refuse P01 members answer", "cannot connect"},
    };

    (void)state;
    kit_ctl(&kit, "kill", "5", NULL);
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        struct ran r;
        const char *at;

        RUN(&r, sw_env, "switchover", "--to", sw_name(cases[i].to), SW_YOUNG, "--confirm", "x");
        sw_expect(&r, 10);
        at = strstr(mst_str_c(&r.out), cases[i].line);
        if (!at) {
            fail_msg("no \"%s\" for member %zu: %s", cases[i].line, cases[i].to, mst_str_c(&r.out));
        }
        HAS(at, sw_name(cases[i].to));
        HAS(at, cases[i].says);
        HAS(mst_str_c(&r.err), "muster: refused: ");
        assert_ptr_equal(strchr(mst_str_c(&r.err), '\n') + 1,
                         mst_str_c(&r.err) + r.err.len); /* one line */
        ran_release(&r);
        nothing_moved();
    }
}

static void a_member_of_another_set_is_none_of_this_one(void **state)
{
    struct kit other;
    struct ran r;
    char to[32];

    (void)state;
    kit_start(&other, (struct sbx_opts){.fast = true, .seed = 2, .set = "rs1"});
    (void)snprintf(to, sizeof(to), "127.0.0.1:%d", sbx_world_port(other.w, 1));
    RUN(&r, sw_env, "switchover", "--to", to, SW_YOUNG, "--confirm", "x");
    sw_expect(&r, 2);
    HAS(mst_str_c(&r.err), to);
    HAS(mst_str_c(&r.err), " is no member of this set: ");
    ran_release(&r);
    nothing_moved();
    assert_int_equal(sbx_world_primary(other.w), 0);
    kit_stop(&other);
}

/* Makes a plan to member 1 in `path`; its code. */
static void plan_to(const char *path, char code[8])
{
    struct ran r;
    const char *at;

    RUN(&r, sw_env, "switchover", "--to", sw_name(1), SW_YOUNG, "--plan-out", path);
    sw_expect(&r, 0);
    at = strstr(mst_str_c(&r.out), "--code ");
    assert_non_null(at);
    (void)snprintf(code, 8, "%.4s", at + 7);
    ran_release(&r);
}

static void a_plan_is_over_after_two_minutes(void **state)
{
    static const int late_s[] = {121, -121};
    struct ran r;
    char path[96], code[8];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/p.json", sw_dir);
    plan_to(path, code);
    for (size_t i = 0; i < MST_COUNT(late_s); i++) { /* as if it had been made then */
        (void)snprintf(sw_fault, sizeof(sw_fault), "MUSTER_FAULT=clock=%d", late_s[i]);
        RUN(&r, sw_env, "apply", "--plan", path, "--code", code);
        sw_expect(&r, 18);
        HAS(mst_str_c(&r.err), "120 s is the most: make a new plan");
        ran_release(&r);
    }
    sw_no_fault();
    nothing_moved();
}

static void a_plan_of_another_set_is_not_for_this_one(void **state)
{
    struct kit here = kit, other;
    struct ran r;
    char path[96], code[8];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/p.json", sw_dir);
    plan_to(path, code);
    sw_stop_agent();
    kit_start(&other, (struct sbx_opts){.fast = true, .seed = 2});
    kit = other;
    sw_config(sw_dir, "");
    RUN(&r, sw_env, "apply", "--plan", path, "--code", code);
    sw_expect(&r, 18);
    HAS(mst_str_c(&r.err), "the plan does not fit this set: ");
    ran_release(&r);
    nothing_moved();
    kit = here;
    nothing_moved();
    kit_stop(&other);
}

static void a_lagging_heir_is_refused_with_its_lag(void **state)
{
    struct ran r;

    (void)state;
    kit_ctl(&kit, "lag", "1", "30000");
    for (int i = 0; i < 15; i++) { /* entries it will not have for half a minute */
        kit_noop(&kit, 0);
        mst_clock_sleep_ms(1000);
    }
    RUN(&r, sw_env, "switchover", "--to", sw_name(1), SW_YOUNG, "--confirm", "x");
    sw_expect(&r, 10);
    HAS(mst_str_c(&r.out), "refuse P11 ");
    HAS(mst_str_c(&r.err), "P11");
    ran_release(&r);
    assert_int_equal(sbx_world_primary(kit.w), 0);
}

/* The second level of a confirmation. */
static void a_set_of_class_prod_asks_why(void **state)
{
    static const char *const no_reasons[] = {"-", "short"};
    struct mst_err err = {0};
    struct mst_str s = {0};
    struct ran r;
    char path[128];

    (void)state;
    mst_str_addf(&s,
                 "set = { name = \"rs0\"; class = \"PROD\"; acts = [\"switch\"]; members = "
                 "[\"%s\"]; };\n",
                 sw_name(0));
    (void)snprintf(path, sizeof(path), "%s/muster.conf", sw_dir);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
#define PROD_TO \
    "switchover", "--to", sw_name(1), SW_YOUNG, "--override", "P41=the simulator is not proven"
    for (size_t i = 0; i < MST_COUNT(no_reasons); i++) {
        RUN(&r, sw_env, PROD_TO, "--reason", no_reasons[i], "--confirm", "x");
        sw_expect(&r, 10);
        HAS(mst_str_c(&r.err), "a set of class PROD asks why it is moved");
        ran_release(&r);
    }
    RUN(&r, sw_env, PROD_TO, "--dry-run"); /* a look asks for nothing */
    sw_expect(&r, 0);
    ran_release(&r);
    (void)snprintf(path, sizeof(path), "%s/p.json", sw_dir);
    RUN(&r, sw_env, PROD_TO, "--reason", "kernel patch CHG-4411", "--plan-out", path);
    sw_expect(&r, 0);
    ran_release(&r);
    nothing_moved();
}

/* --- rights --- */

static char pw_dir[64];

static int with_rights(void **state)
{
    static char users[2][128];
    const char *const list[] = {users[0], users[1]};
    struct mst_err err = {0};
    char path[96], more[400];

    (void)state;
    temp_dir(pw_dir, sizeof(pw_dir));
    (void)snprintf(path, sizeof(path), "%s/pw", pw_dir);
    assert_ok(mst_file_replace(path, 0600, "secret\n", 7, &err), &err);
    (void)snprintf(users[0], sizeof(users[0]), "boss=%s", path);
    (void)snprintf(users[1], sizeof(users[1]), "ops:clusterMonitor,backup=%s", path);
    (void)sw_setup_with((struct sbx_opts){.users = list, .n_users = 2});
    (void)snprintf(more, sizeof(more),
                   "credentials = { view = { user = \"ops\"; password_file = \"%s\"; };\n"
                   "  switch = { user = \"ops\"; password_file = \"%s\"; }; };",
                   path, path);
    sw_config(sw_dir, more);
    return 0;
}

static int rights_end(void **state)
{
    (void)sw_teardown(state);
    temp_remove(pw_dir);
    return 0;
}

static void grant(const char *user, const char *role)
{
    struct mst_cred cred = {.mech = MST_MECH_SCRAM};
    struct mst_conn_opts o = {.cred = &cred};
    struct mst_conn *c = NULL;
    struct mst_err err = {0};
    bson_t *cmd = BCON_NEW("grantRolesToUser", BCON_UTF8(user), "roles", "[", BCON_UTF8(role), "]");
    bson_t reply;

    (void)mst_copy(cred.user, sizeof(cred.user), "boss");
    mst_secret_set(&cred.password, "secret", 6);
    (void)mst_copy(o.name, sizeof(o.name), sw_name(0));
    assert_ok(mst_conn_open(&o, &c, &err), &err);
    assert_ok(mst_conn_command(c, "admin", cmd, 10000, &reply, &err), &err);
    bson_destroy(&reply);
    bson_destroy(cmd);
    mst_conn_free(c);
    mst_secret_release(&cred.password);
}

/* One member has not heard yet of the role that was granted. */
static void not_allowed_on_one_member_is_not_allowed(void **state)
{
    struct ran r;
    const char *at;

    (void)state;
    kit_ctl(&kit, "lag", "2", "60000");
    grant("ops", "clusterManager");
    RUN(&r, sw_env, "switchover", "--to", sw_name(1), SW_YOUNG, "--confirm", "x");
    sw_expect(&r, 10);
    at = strstr(mst_str_c(&r.out), "refuse P34 rights: ");
    if (!at) {
        fail_msg("P34 does not refuse: %s%s", mst_str_c(&r.out), mst_str_c(&r.err));
        return;
    }
    HAS(at, sw_name(2));
    HAS(mst_str_c(&r.err), "muster: refused: ");
    ran_release(&r);
    nothing_moved();
}

int main(void)
{
#define T(f, up) cmocka_unit_test_setup_teardown(f, up, sw_teardown)
    const struct CMUnitTest tests[] = {
        T(a_member_that_may_not_be_primary_is_refused_by_name, six_kinds),
        T(a_member_of_another_set_is_none_of_this_one, sw_setup),
        T(a_plan_is_over_after_two_minutes, sw_setup),
        T(a_set_of_class_prod_asks_why, sw_setup),
        T(a_lagging_heir_is_refused_with_its_lag, sw_setup),
        T(a_plan_of_another_set_is_not_for_this_one, sw_setup),
        cmocka_unit_test_setup_teardown(not_allowed_on_one_member_is_not_allowed, with_rights,
                                        rights_end),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("switch, refused", tests, NULL, NULL);
}
