#include "test.h" /* cmocka, assert_ok(), assert_rc() */

#include <poll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mockmember.h"
#include "monitor/monitor.h"
#include "run/run.h"
#include "server/server.h"
#include "set/set.h"

/* ---- scripted members ---- */

#define N 3

struct fake {
    struct mock *m[N];
    int primary, term, rbid;
    bool set_names; /* members are called db1.. instead of by address */
};

static void name_of(const struct fake *f, int i, char out[64])
{
    if (f->set_names) {
        (void)snprintf(out, 64, "db%d.example.test:27017", i + 1);
    } else {
        (void)snprintf(out, 64, "%s", mock_addr(f->m[i]));
    }
}

static void script_hello(struct fake *f, int i)
{
    char json[1500], me[64], hosts[N][64];

    name_of(f, i, me);
    for (int k = 0; k < N; k++) {
        name_of(f, k, hosts[k]);
    }
    (void)snprintf(json, sizeof(json),
                   "{\"ismaster\": %s, \"secondary\": %s, \"setName\": \"rs0\", \"setVersion\": 1, "
                   "\"me\": \"%s\", \"hosts\": [\"%s\", \"%s\", \"%s\"], %s%016x%s "
                   "\"maxWireVersion\": 8, \"ok\": 1}",
                   i == f->primary ? "true" : "false", i == f->primary ? "false" : "true", me,
                   hosts[0], hosts[1], hosts[2],
                   i == f->primary ? "\"electionId\": {\"$oid\": \"7fffffff" : "\"x\": [\"",
                   (unsigned)f->term, i == f->primary ? "\"}," : "\"],");
    mock_reply_json(f->m[i], "isMaster", json);
}

static void script_rest(struct fake *f, int i)
{
    char json[3000], members[1600] = "", config[1000] = "";
    size_t at = 0, ct = 0;

    for (int k = 0; k < N; k++) {
        char name[64];

        name_of(f, k, name);
        at +=
            (size_t)snprintf(members + at, sizeof(members) - at,
                             "%s{\"_id\": %d, \"name\": \"%s\", \"health\": 1, \"state\": %d, %s}",
                             k ? ", " : "", k, name, k == f->primary ? 1 : 2,
                             k == i ? "\"self\": true, \"configVersion\": 1" : "\"pingMs\": 1");
        ct += (size_t)snprintf(config + ct, sizeof(config) - ct,
                               "%s{\"_id\": %d, \"host\": \"%s\"}", k ? ", " : "", k, name);
    }
    (void)snprintf(json, sizeof(json),
                   "{\"set\": \"rs0\", \"myState\": %d, \"term\": {\"$numberLong\": \"%d\"}, "
                   "\"optimes\": {\"appliedOpTime\": {\"ts\": {\"$timestamp\": {\"t\": 50, \"i\": "
                   "1}}, \"t\": {\"$numberLong\": \"1\"}}, \"lastAppliedWallTime\": {\"$date\": "
                   "{\"$numberLong\": \"50000\"}}}, \"members\": [%s], \"ok\": 1}",
                   i == f->primary ? 1 : 2, f->term, members);
    mock_reply_json(f->m[i], "replSetGetStatus", json);
    (void)snprintf(json, sizeof(json),
                   "{\"config\": {\"_id\": \"rs0\", \"version\": 1, \"members\": [%s]}, \"ok\": 1}",
                   config);
    mock_reply_json(f->m[i], "replSetGetConfig", json);
    (void)snprintf(
        json, sizeof(json),
        "{\"version\": \"4.2.8\", \"uptime\": 9, \"repl\": {\"rbid\": %d}, \"oplog\": "
        "{\"earliestOptime\": {\"$timestamp\": {\"t\": 10, \"i\": 1}}, \"latestOptime\": "
        "{\"$timestamp\": {\"t\": 50, \"i\": 1}}}, \"ok\": 1}",
        f->rbid);
    mock_reply_json(f->m[i], "serverStatus", json);
}

static void script(struct fake *f)
{
    for (int i = 0; i < N; i++) {
        script_hello(f, i);
        script_rest(f, i);
    }
}

static int fake_setup(void **state)
{
    struct fake *f = mst_xcalloc(1, sizeof(*f));

    f->term = 1;
    f->rbid = 1;
    for (int i = 0; i < N; i++) {
        f->m[i] = mock_start(NULL);
    }
    script(f);
    *state = f;
    return 0;
}

static int fake_teardown(void **state)
{
    struct fake *f = *state;

    for (int i = 0; i < N; i++) {
        mock_stop(f->m[i]);
    }
    free(f);
    return 0;
}

/* ---- waiting for a view ---- */

typedef bool seen_fn(const struct mst_topo_view *v, const void *arg);

static struct mst_monitor_view *wait_view(struct mst_monitor *m, seen_fn *seen, const void *arg,
                                          int64_t ms)
{
    const int64_t end = mst_clock_mono_ms(NULL) + ms;

    for (;;) {
        struct mst_monitor_view *v = mst_monitor_view(m);
        struct pollfd p = {.fd = mst_monitor_wake_fd(m), .events = POLLIN};
        const int64_t left = end - mst_clock_mono_ms(NULL);

        if (seen(&v->v, arg)) {
            return v;
        }
        if (left <= 0) {
            (void)fprintf(stderr, "last view: %s: %s\n", mst_verdict_word(v->v.verdict),
                          v->v.headline);
            for (size_t i = 0; i < v->v.n; i++) {
                (void)fprintf(stderr, "  %s %s %s %s\n", v->v.members[i].name,
                              mst_shown_word(v->v.members[i].shown),
                              mst_reach_word(v->v.members[i].reach), v->v.members[i].reach_text);
            }
            mst_shared_unref(&v->shared);
            return NULL;
        }
        mst_shared_unref(&v->shared);
        (void)poll(&p, 1, (int)left);
        mst_monitor_drain(m);
    }
}

static bool has_verdict(const struct mst_topo_view *v, const void *arg)
{
    return v->verdict == *(const enum mst_verdict *)arg;
}

struct want {
    enum mst_verdict verdict;
    const char *says; /* in its headline; NULL anything */
};
static bool is_wanted(const struct mst_topo_view *v, const void *arg)
{
    const struct want *w = arg;

    return v->verdict == w->verdict && (!w->says || strstr(v->headline, w->says));
}

static void wait_verdict(struct mst_monitor *m, enum mst_verdict verdict, const char *says)
{
    const struct want w = {verdict, says};
    struct mst_monitor_view *v = wait_view(m, is_wanted, &w, 12000);

    if (!v) {
        fail_msg("no view that is %s and says '%s'", mst_verdict_word(verdict), says ? says : "");
    }
    mst_shared_unref(&v->shared);
}

struct who {
    size_t i;
    enum mst_shown shown;
};
static bool shows(const struct mst_topo_view *v, const void *arg)
{
    const struct who *w = arg;

    return w->i < v->n && v->members[w->i].shown == w->shown;
}

static bool has_event(const struct mst_topo_view *v, const void *arg)
{
    for (size_t i = 0; i < v->n_events; i++) {
        if (v->events[i].kind == *(const enum mst_event_kind *)arg) {
            return true;
        }
    }
    return false;
}

static struct mst_monitor *watch(const char *seed, const char *set_name)
{
    const char *seeds[] = {seed};
    const struct mst_monitor_opts o = {
        .n_seeds = 1, .seeds = seeds, .set_name = set_name, .stats_ms = 500};
    struct mst_monitor *m = NULL;
    struct mst_err err = {0};

    assert_ok(mst_monitor_start(&o, &m, &err), &err);
    return m;
}

/* ---- tests with scripted members ---- */

static void one_seed_finds_the_whole_set(void **state)
{
    struct fake *f = *state;
    struct mst_monitor *m = watch(mock_addr(f->m[1]), NULL);
    const enum mst_verdict healthy = MST_V_HEALTHY;
    struct mst_monitor_view *v = wait_view(m, has_verdict, &healthy, 10000);

    assert_non_null(v);
    assert_int_equal(v->v.n, 3);
    assert_string_equal(v->v.set_name, "rs0");
    assert_int_equal(v->v.primary, 0);
    assert_int_equal(v->v.config_version, 1);
    mst_shared_unref(&v->shared);
    mst_monitor_stop(m);
}

static void watching_sends_no_write(void **state)
{
    static const char *const writes[] = {"insert", "update",          "delete",      "applyOps",
                                         "create", "appendOplogNote", "endSessions", "drop"};
    struct fake *f = *state;
    struct mst_monitor *m = watch(mock_addr(f->m[0]), NULL);

    wait_verdict(m, MST_V_HEALTHY, NULL);
    mst_monitor_stop(m);
    for (int i = 0; i < N; i++) {
        for (size_t k = 0; k < MST_COUNT(writes); k++) {
            assert_int_equal(mock_count(f->m[i], writes[k]), 0);
        }
    }
}

static void stop_returns_at_once_also_while_a_member_is_frozen(void **state)
{
    struct fake *f = *state;
    struct mst_monitor *m = watch(mock_addr(f->m[0]), NULL);
    int64_t start;

    wait_verdict(m, MST_V_HEALTHY, NULL);
    for (int i = 0; i < N; i++) {
        mock_freeze(f->m[i], true);
    }
    wait_verdict(m, MST_V_UNREACHABLE, "none of 3 members answers");
    start = mst_clock_mono_ms(NULL);
    mst_monitor_stop(m);
    assert_true(mst_clock_mono_ms(NULL) - start < 1000); /* 200 ms on a machine of one's own */
    for (int i = 0; i < N; i++) {
        mock_freeze(f->m[i], false);
    }
}

static void a_frozen_member_is_silent_after_two_seconds(void **state)
{
    struct fake *f = *state;
    struct mst_monitor *m = watch(mock_addr(f->m[0]), NULL);
    const struct who w = {2, MST_SHOW_SILENT};
    struct mst_monitor_view *v;
    int64_t start;

    wait_verdict(m, MST_V_HEALTHY, NULL);
    mock_freeze(f->m[2], true);
    start = mst_clock_mono_ms(NULL);
    v = wait_view(m, shows, &w, 5000);
    assert_non_null(v);
    assert_true(mst_clock_mono_ms(NULL) - start <
                3500);                               /* 2 s and a view; room for a slow machine */
    assert_true(v->v.members[2].applied.ts.t == 50); /* its values stay */
    assert_true(v->v.now_mono_ms - v->v.members[2].hello_at_ms >= 2000);
    mst_shared_unref(&v->shared);
    mock_freeze(f->m[2], false);
    wait_verdict(m, MST_V_HEALTHY, NULL); /* and back */
    mst_monitor_stop(m);
}

static void two_primaries_are_told_apart_by_their_terms(void **state)
{
    struct fake *f = *state;
    struct mst_monitor *m = watch(mock_addr(f->m[0]), NULL);
    const struct who w = {0, MST_SHOW_PRIMARY_NO_MAJORITY};
    struct mst_monitor_view *v;

    wait_verdict(m, MST_V_HEALTHY, NULL);
    f->primary = 1;
    f->term = 2;
    script_hello(f, 1); /* 0 still believes */
    script_rest(f, 1);
    v = wait_view(m, shows, &w, 8000);
    assert_non_null(v);
    assert_int_equal(v->v.primary, 1);
    assert_int_equal(v->v.term, 2);
    mst_shared_unref(&v->shared);
    mst_monitor_stop(m);
}

static void a_rollback_is_an_event(void **state)
{
    struct fake *f = *state;
    struct mst_monitor *m = watch(mock_addr(f->m[0]), NULL);
    const enum mst_event_kind kind = MST_EV_RBID;
    struct mst_monitor_view *v;

    wait_verdict(m, MST_V_HEALTHY, NULL);
    f->rbid = 2;
    script_rest(f, 2);
    v = wait_view(m, has_event, &kind, 8000);
    assert_non_null(v);
    mst_shared_unref(&v->shared);
    mst_monitor_stop(m);
}

static void swapped_addresses_are_refused(void **state)
{
    struct fake *f = *state;
    const struct mst_monitor_dial dial[] = {{"db1.example.test:27017", ""},
                                            {"db2.example.test:27017", ""},
                                            {"db3.example.test:27017", ""}};
    struct mst_monitor_dial d[3];
    const char *seeds[] = {"db1.example.test"};
    struct mst_monitor_opts o = {.n_seeds = 1, .seeds = seeds, .n_dial = 3, .dial = d};
    struct mst_monitor *m = NULL;
    struct mst_monitor_view *v;
    struct mst_err err = {0};
    const struct who w = {0, MST_SHOW_PRIMARY};

    f->set_names = true;
    script(f);
    memcpy(d, dial, sizeof(d));
    (void)mst_copy(d[0].dial, MST_HOST_MAX, mock_addr(f->m[0]));
    (void)mst_copy(d[1].dial, MST_HOST_MAX, mock_addr(f->m[2])); /* these two are swapped */
    (void)mst_copy(d[2].dial, MST_HOST_MAX, mock_addr(f->m[1]));
    assert_ok(mst_monitor_start(&o, &m, &err), &err);
    v = wait_view(m, shows, &w, 5000);
    assert_non_null(v);
    mst_shared_unref(&v->shared);
    for (int i = 0; i < 100; i++) {
        v = mst_monitor_view(m);
        if (v->v.n == 3 && v->v.members[1].reach == MST_REACH_WRONG_MEMBER &&
            v->v.members[2].reach == MST_REACH_WRONG_MEMBER) {
            break;
        }
        mst_shared_unref(&v->shared);
        v = NULL;
        mst_clock_sleep_ms(50);
    }
    assert_non_null(v);
    assert_int_equal(v->v.members[1].hello_at_ms, 0); /* nothing of the wrong one was taken */
    assert_non_null(strstr(v->v.members[1].reach_text, "answers as db3.example.test"));
    mst_shared_unref(&v->shared);
    mst_monitor_stop(m);
}

static void a_missing_right_is_named_and_the_rest_goes_on(void **state)
{
    struct fake *f = *state;
    struct mst_monitor *m;
    const struct who w = {1, MST_SHOW_SECONDARY};
    struct mst_monitor_view *v;

    mock_reply_json(f->m[1], "replSetGetStatus",
                    "{\"ok\": 0, \"errmsg\": \"not authorized on admin\", \"code\": 13, "
                    "\"codeName\": \"Unauthorized\"}");
    m = watch(mock_addr(f->m[0]), NULL);
    wait_verdict(m, MST_V_DEGRADED, "not authorised for replSetGetStatus");
    v = wait_view(m, shows, &w, 5000);
    assert_non_null(v);
    mst_shared_unref(&v->shared);
    mst_monitor_stop(m);
}

static void one_answer(void **state, const char *hello, const char *set_name, enum mst_verdict want,
                       const char *says)
{
    struct fake *f = *state;
    struct mst_monitor *m;

    mock_reply_json(f->m[0], "isMaster", hello);
    m = watch(mock_addr(f->m[0]), set_name);
    wait_verdict(m, want, says);
    mst_monitor_stop(m);
}

static void what_is_no_replica_set_is_refused_with_the_reason(void **state)
{
    struct fake *f = *state;

    one_answer(state, "{\"ismaster\": true, \"maxWireVersion\": 8, \"ok\": 1}", NULL,
               MST_V_NOT_REPLSET, "standalone");
    one_answer(state,
               "{\"ismaster\": true, \"msg\": \"isdbgrid\", \"maxWireVersion\": 8, \"ok\": 1}",
               NULL, MST_V_MONGOS, "router");
    script(f);
    mock_fault(f->m[0], "isMaster", MOCK_GARBAGE);
    {
        struct mst_monitor *m = watch(mock_addr(f->m[0]), NULL);

        wait_verdict(m, MST_V_UNREACHABLE, "not a MongoDB server");
        mst_monitor_stop(m);
    }
}

static void a_wrong_set_name_is_refused(void **state)
{
    struct mst_monitor *m = watch(mock_addr(((struct fake *)*state)->m[0]), "prod");

    wait_verdict(m, MST_V_WRONG_SET, "belongs to the set 'rs0', not to 'prod'");
    mst_monitor_stop(m);
}

static void a_look_alike_without_an_oplog_is_refused(void **state)
{
    struct fake *f = *state;
    struct mst_monitor *m;

    for (int i = 0; i < N; i++) { /* it knows hello and nothing of a set */
        mock_reply(f->m[i], "replSetGetStatus", NULL);
        mock_reply(f->m[i], "replSetGetConfig", NULL);
    }
    m = watch(mock_addr(f->m[0]), NULL);
    wait_verdict(m, MST_V_NOT_REPLSET, "not a MongoDB replica set");
    mst_monitor_stop(m);
}

static void nobody_there_is_told_with_its_reason(void **state)
{
    struct fake *f = *state;
    struct mst_monitor *m;

    mock_refuse(f->m[0], true);
    m = watch(mock_addr(f->m[0]), NULL);
    wait_verdict(m, MST_V_UNREACHABLE, "refused");
    mock_refuse(f->m[0], false);
    wait_verdict(m, MST_V_HEALTHY, NULL);
    mst_monitor_stop(m);
}

static enum mst_rc list_srv(void *arg, const char *name, struct mst_srv_record *out, size_t max,
                            size_t *n, struct mst_err *err)
{
    const struct fake *f = arg;

    (void)name;
    (void)max;
    (void)err;
    (void)mst_copy(out[0].host, sizeof(out[0].host), "db1.example.test");
    out[0].port = 27017;
    *n = f ? 1 : 0;
    return MST_OK;
}

static enum mst_rc list_txt(void *arg, const char *name, char *out, size_t size,
                            struct mst_err *err)
{
    (void)arg;
    (void)name;
    (void)err;
    (void)mst_copy(out, size, "replicaSet=rs0");
    return MST_OK;
}

static void a_seed_list_from_the_name_service_starts_it(void **state)
{
    struct fake *f = *state;
    const struct mst_srv_resolver r = {list_srv, list_txt, f};
    struct mst_monitor_dial d[N];
    struct mst_monitor_opts o = {
        .srv_host = "set.example.test", .resolver = &r, .n_dial = N, .dial = d};
    struct mst_monitor *m = NULL;
    struct mst_err err = {0};

    f->set_names = true;
    script(f);
    for (int i = 0; i < N; i++) {
        name_of(f, i, d[i].name);
        (void)mst_copy(d[i].dial, MST_HOST_MAX, mock_addr(f->m[i]));
    }
    assert_ok(mst_monitor_start(&o, &m, &err), &err);
    wait_verdict(m, MST_V_HEALTHY, NULL);
    mst_monitor_stop(m);
}

/* ---- tests with the simulated set ---- */

static void an_election_is_observed(const char *server)
{
    const struct sbx_opts o = {.server = server, .fast = true};
    struct sbx_world *w = NULL;
    struct mst_monitor *m;
    struct mst_monitor_view *v;
    struct mst_err err = {0};
    const enum mst_event_kind won = MST_EV_PRIMARY;
    char seed[64], gone[MST_HOST_MAX];
    int p;

    assert_ok(sbx_world_start(&o, &w, &err), &err);
    (void)snprintf(seed, sizeof(seed), "127.0.0.1:%d", sbx_world_port(w, 2));
    m = watch(seed, NULL);
    wait_verdict(m, MST_V_HEALTHY, "3 of 3 members answer");
    p = sbx_world_primary(w);
    mst_mutex_lock(&w->mu);
    (void)mst_copy(gone, sizeof(gone), w->members[p].host);
    sbx_server_kill(&w->members[p]);
    sbx_set_killed(&w->members[p]);
    mst_mutex_unlock(&w->mu);
    v = wait_view(m, has_event, &won, 20000);
    assert_non_null(v);
    for (size_t i = 0; i < v->v.n_events; i++) {
        if (v->v.events[i].kind == MST_EV_PRIMARY) {
            assert_non_null(strstr(v->v.events[i].text, "s without one"));
            assert_non_null(strstr(v->v.events[i].text, gone));
        }
    }
    assert_true(v->v.primary >= 0 && strcmp(v->v.members[v->v.primary].name, gone) != 0);
    assert_int_equal(v->v.verdict, MST_V_DEGRADED); /* one of three is gone */
    mst_shared_unref(&v->shared);
    mst_monitor_stop(m);
    sbx_world_stop(w);
}

static void an_election_of_the_older_server_is_observed(void **state)
{
    (void)state;
    an_election_is_observed("4.2");
}

static void an_election_of_the_newer_server_is_observed(void **state)
{
    (void)state;
    an_election_is_observed("7.0");
}

static int group_setup(void **state)
{
    (void)state;
    mst_mongo_init();
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    mst_mongo_cleanup();
    return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_seed_finds_the_whole_set),
        T(watching_sends_no_write),
        T(stop_returns_at_once_also_while_a_member_is_frozen),
        T(a_frozen_member_is_silent_after_two_seconds),
        T(two_primaries_are_told_apart_by_their_terms),
        T(a_rollback_is_an_event),
        T(swapped_addresses_are_refused),
        T(a_missing_right_is_named_and_the_rest_goes_on),
        T(what_is_no_replica_set_is_refused_with_the_reason),
        T(a_wrong_set_name_is_refused),
        T(a_look_alike_without_an_oplog_is_refused),
        T(nobody_there_is_told_with_its_reason),
        T(a_seed_list_from_the_name_service_starts_it),
        cmocka_unit_test(an_election_of_the_older_server_is_observed),
        cmocka_unit_test(an_election_of_the_newer_server_is_observed),
    };

    return cmocka_run_group_tests_name("monitor", tests, group_setup, group_teardown);
}
