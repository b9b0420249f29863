#include "test.h" /* cmocka, assert_ok(), assert_rc() */

#include <poll.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "base/mem.h"
#include "monitor/monitor.h"
#include "run/run.h"

/* A simulated set with users: primary, secondary, arbiter. */
struct set {
    struct sbx_world *w;
    char seed[64];
};

static int setup(void **state)
{
    const struct sbx_opts o = {.fast = true, .members = 2, .arbiter = true};
    struct set *s = mst_xcalloc(1, sizeof(*s));
    struct mst_err err = {0};

    mst_mongo_init();
    assert_ok(sbx_world_start(&o, &s->w, &err), &err);
    mst_mutex_lock(&s->w->mu);
    assert_ok(sbx_auth_add(s->w, "admin", "ops", "s3cret", &err), &err);
    mst_mutex_unlock(&s->w->mu);
    (void)snprintf(s->seed, sizeof(s->seed), "127.0.0.1:%d", sbx_world_port(s->w, 0));
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct set *s = *state;

    sbx_world_stop(s->w);
    free(s);
    mst_mongo_cleanup();
    return 0;
}

static void make_cred(struct mst_cred *c, enum mst_mech mech, const char *password)
{
    memset(c, 0, sizeof(*c));
    c->mech = mech;
    (void)mst_copy(c->user, sizeof(c->user), "ops");
    mst_secret_set(&c->password, password, strlen(password));
}

static enum mst_rc login(const struct set *s, enum mst_mech mech, const char *password,
                         struct mst_err *err)
{
    struct mst_conn_opts o = {.check_me = true, .connect_ms = 5000, .set_name = "rs0"};
    struct mst_cred cred;
    struct mst_conn *c = NULL;
    bson_t cmd = BSON_INITIALIZER, reply;
    enum mst_rc rc;

    make_cred(&cred, mech, password);
    o.cred = mech == MST_MECH_NONE ? NULL : &cred;
    (void)mst_copy(o.name, sizeof(o.name), s->seed);
    rc = mst_conn_open(&o, &c, err);
    if (rc == MST_OK) {
        (void)BSON_APPEND_INT32(&cmd, "replSetGetStatus", 1);
        rc = mst_conn_command(c, "admin", &cmd, 2000, &reply, err);
        bson_destroy(&reply);
        mst_conn_free(c);
    }
    bson_destroy(&cmd);
    mst_secret_release(&cred.password);
    return rc;
}

static void every_scram_logs_in_and_a_wrong_password_does_not(void **state)
{
    static const enum mst_mech mechs[] = {MST_MECH_SCRAM, MST_MECH_SCRAM_SHA_256,
                                          MST_MECH_SCRAM_SHA_1};

    for (size_t i = 0; i < MST_COUNT(mechs); i++) {
        struct mst_err err = {0};

        assert_ok(login(*state, mechs[i], "s3cret", &err), &err);
        assert_rc(login(*state, mechs[i], "wr0ng", &err), MST_E_AUTH, &err);
        assert_non_null(strstr(err.msg, "login as 'ops' failed"));
        assert_null(strstr(err.msg, "wr0ng"));
    }
}

static void without_a_login_commands_are_not_authorised(void **state)
{
    struct mst_err err = {0};

    assert_rc(login(*state, MST_MECH_NONE, "", &err), MST_E_AUTH, &err);
    assert_int_equal(err.detail, MST_SC_UNAUTHORIZED);
}

typedef bool seen_fn(const struct mst_topo_view *v);

/* Watch with this login until the view has what is asked for. */
static void watch(const struct set *s, enum mst_mech mech, const char *password, seen_fn *seen)
{
    const char *seeds[] = {s->seed};
    struct mst_cred cred;
    struct mst_monitor_opts o = {.n_seeds = 1, .seeds = seeds, .cred = &cred};
    struct mst_monitor *m = NULL;
    struct mst_err err = {0};
    const int64_t end = mst_clock_mono_ms(NULL) + 15000;
    char last[256] = "";
    bool ok = false;

    make_cred(&cred, mech, password);
    assert_ok(mst_monitor_start(&o, &m, &err), &err);
    while (!ok && mst_clock_mono_ms(NULL) < end) {
        struct pollfd p = {.fd = mst_monitor_wake_fd(m), .events = POLLIN};
        struct mst_monitor_view *v = mst_monitor_view(m);

        ok = seen(&v->v);
        (void)mst_copy(last, sizeof(last), v->v.headline);
        mst_shared_unref(&v->shared);
        if (!ok) {
            (void)poll(&p, 1, 500);
            mst_monitor_drain(m);
        }
    }
    mst_monitor_stop(m);
    mst_secret_release(&cred.password);
    if (!ok) {
        fail_msg("the last view says: %s", last);
    }
}

static bool healthy(const struct mst_topo_view *v)
{
    return v->verdict == MST_V_HEALTHY && v->n == 3 && v->members[2].shown == MST_SHOW_ARBITER &&
           v->members[2].status_at_ms == 0; /* nobody logs in at an arbiter */
}

static bool login_failed(const struct mst_topo_view *v)
{
    return v->verdict == MST_V_AUTH && strstr(v->headline, "login as 'ops' failed") != NULL;
}

static bool status_missing(const struct mst_topo_view *v)
{
    return v->verdict == MST_V_DEGRADED &&
           strstr(v->headline, "not authorised for replSetGetStatus") != NULL;
}

static void a_set_with_an_arbiter_is_watched_with_a_login(void **state)
{
    watch(*state, MST_MECH_SCRAM, "s3cret", healthy);
}

static void a_wrong_password_is_the_verdict(void **state)
{
    watch(*state, MST_MECH_SCRAM_SHA_256, "wr0ng", login_failed);
}

static void a_refused_command_names_the_missing_view(void **state)
{
    struct set *s = *state;

    mst_mutex_lock(&s->w->mu);
    sbx_auth_refuse(s->w, "ops", "replSetGetStatus", true);
    mst_mutex_unlock(&s->w->mu);
    watch(s, MST_MECH_SCRAM, "s3cret", status_missing);
    mst_mutex_lock(&s->w->mu);
    sbx_auth_refuse(s->w, "ops", "replSetGetStatus", false);
    mst_mutex_unlock(&s->w->mu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scram_logs_in_and_a_wrong_password_does_not),
        cmocka_unit_test(without_a_login_commands_are_not_authorised),
        cmocka_unit_test(a_set_with_an_arbiter_is_watched_with_a_login),
        cmocka_unit_test(a_wrong_password_is_the_verdict),
        cmocka_unit_test(a_refused_command_names_the_missing_view),
    };

    return cmocka_run_group_tests_name("login", tests, setup, teardown);
}
