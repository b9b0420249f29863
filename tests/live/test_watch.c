/* What the monitor says of a set while its primary dies and another is elected. */
#include "test.h"
#include "testset.h"

#include "base/clock.h"
#include "base/mem.h"
#include "monitor/monitor.h"

struct watched {
    struct testset set;
    struct mst_monitor *mon;
    char seed[64];
    const char *seeds[1];
};

static void watch(struct watched *w, const struct testset_opts *o)
{
    struct mst_monitor_opts mo = {.n_seeds = 1};
    struct mst_err err = {0};

    memset(w, 0, sizeof(*w));
    testset_start(&w->set, o);
    (void)snprintf(w->seed, sizeof(w->seed), "127.0.0.1:%d", testset_port(&w->set, 1));
    w->seeds[0] = w->seed;
    mo.seeds = w->seeds;
    assert_ok(mst_monitor_start(&mo, &w->mon, &err), &err);
}

static void unwatch(struct watched *w)
{
    mst_monitor_stop(w->mon);
    testset_stop(&w->set);
}

/* Until want(view) or ms passed; the view that satisfied it (unref it), NULL when none did. */
static struct mst_monitor_view *until(struct watched *w,
                                      bool (*want)(const struct mst_topo_view *v), int64_t ms)
{
    const int64_t end = mst_clock_mono_ms(NULL) + ms;

    do {
        struct mst_monitor_view *v = mst_monitor_view(w->mon);

        if (want(&v->v)) {
            return v;
        }
        mst_shared_unref(&v->shared);
        mst_clock_sleep_ms(20);
    } while (mst_clock_mono_ms(NULL) < end);
    return NULL;
}

static bool healthy(const struct mst_topo_view *v)
{
    return v->verdict == MST_V_HEALTHY && v->n >= 3;
}

static bool no_primary(const struct mst_topo_view *v)
{
    return v->verdict == MST_V_NO_PRIMARY;
}

/* There is one, and an event says so by its name. */
static bool primary_is_told(const struct mst_topo_view *v)
{
    for (size_t i = 0; v->primary >= 0 && i < v->n_events; i++) {
        if (v->events[i].kind == MST_EV_PRIMARY &&
            strstr(v->events[i].text, v->members[v->primary].name)) {
            return true;
        }
    }
    return false;
}

static void say(struct mst_monitor *mon)
{
    struct mst_monitor_view *v = mst_monitor_view(mon);

    print_message("last view: %s: %s\n", mst_verdict_word(v->v.verdict), v->v.headline);
    for (size_t i = 0; i < v->v.n_reasons; i++) {
        print_message("  %s\n", v->v.reasons[i].text);
    }
    for (size_t i = 0; i < v->v.n_events; i++) {
        print_message("  event %s\n", v->v.events[i].text);
    }
    mst_shared_unref(&v->shared);
}

#define NEED(v, w) \
    do { \
        if (!(v)) { \
            say((w)->mon); \
        } \
        assert_non_null(v); \
    } while (0)

static void one_seed_is_enough_to_see_the_whole_set(void **state)
{
    struct watched w;
    struct mst_monitor_view *v;

    (void)state;
    watch(&w, &(struct testset_opts){.name = "one seed"});
    v = until(&w, healthy, 15000);
    NEED(v, &w);
    assert_int_equal(v->v.n, 3);
    assert_string_equal(v->v.set_name, "rs0");
    for (size_t i = 0; i < v->v.n; i++) {
        const struct mst_topo_member *m = &v->v.members[i];

        assert_int_equal(m->reach, MST_REACH_OK);
        assert_true(m->hello_at_ms > 0 && m->status_at_ms > 0);
        assert_true(m->shown == ((int)i == v->v.primary ? MST_SHOW_PRIMARY : MST_SHOW_SECONDARY));
        assert_true(m->term >= 1);
    }
    assert_int_equal(v->v.votes_needed, 2);
    mst_shared_unref(&v->shared);
    unwatch(&w);
}

static void a_dead_primary_is_seen_and_the_election_is_told(void **state)
{
    struct watched w;
    struct mst_monitor_view *v;
    size_t old;
    int64_t term;

    (void)state;
    watch(&w, &(struct testset_opts){.name = "dead primary"});
    v = until(&w, healthy, 15000);
    NEED(v, &w);
    old = (size_t)v->v.primary;
    term = v->v.term;
    mst_shared_unref(&v->shared);
    testset_verb(&w.set, "kill", old, NULL);
    v = until(&w, no_primary, 4000);
    NEED(v, &w);
    assert_true(v->v.no_primary_since_ms > 0);
    assert_true(v->v.members[old].shown != MST_SHOW_PRIMARY);
    mst_shared_unref(&v->shared);
    v = until(&w, primary_is_told, 30000);
    NEED(v, &w);
    assert_int_not_equal(v->v.primary, (int)old);
    assert_true(v->v.term > term);
    mst_shared_unref(&v->shared);
    testset_verb(&w.set, "start", old, NULL);
    v = until(&w, healthy, 30000);
    NEED(v, &w);
    mst_shared_unref(&v->shared);
    unwatch(&w);
}

static size_t frozen_member;

static bool frozen_is_silent(const struct mst_topo_view *v)
{
    /* DOWN once the others call it so too. */
    return v->n > frozen_member && v->members[frozen_member].reach == MST_REACH_SILENT &&
           (v->members[frozen_member].shown == MST_SHOW_SILENT ||
            v->members[frozen_member].shown == MST_SHOW_DOWN);
}

static void a_frozen_member_keeps_its_last_values_and_is_never_healthy(void **state)
{
    struct watched w;
    struct mst_monitor_view *v;
    struct mst_optime applied;

    (void)state;
    watch(&w, &(struct testset_opts){.name = "frozen member"});
    v = until(&w, healthy, 15000);
    NEED(v, &w);
    frozen_member = v->v.primary == 0 ? 1 : 0;
    mst_shared_unref(&v->shared);
    testset_verb(&w.set, "stop", frozen_member, NULL);
    v = until(&w, frozen_is_silent, 6000);
    NEED(v, &w);
    applied = v->v.members[frozen_member].applied;
    assert_true(applied.ts.t > 0);
    assert_true(v->v.verdict != MST_V_HEALTHY);
    mst_shared_unref(&v->shared);
    testset_verb(&w.set, "cont", frozen_member, NULL);
    v = until(&w, healthy, 15000);
    NEED(v, &w);
    mst_shared_unref(&v->shared);
    unwatch(&w);
}

static bool no_majority(const struct mst_topo_view *v)
{
    return v->verdict == MST_V_NO_MAJORITY;
}

static void a_primary_alone_is_a_state_of_its_own(void **state)
{
    struct watched w;
    struct mst_monitor_view *v;
    int primary;

    (void)state;
    watch(&w, &(struct testset_opts){.name = "primary alone"});
    v = until(&w, healthy, 15000);
    NEED(v, &w);
    primary = v->v.primary;
    mst_shared_unref(&v->shared);
    for (int i = 0; i < 3; i++) {
        if (i != primary) {
            testset_verb(&w.set, "kill", (size_t)i, NULL);
        }
    }
    v = until(&w, no_majority, 4000);
    if (!v) { /* it may have stepped down already: then there is no primary */
        v = until(&w, no_primary, 15000);
    }
    NEED(v, &w);
    assert_true(v->v.verdict != MST_V_HEALTHY);
    mst_shared_unref(&v->shared);
    v = until(&w, no_primary, 30000);
    NEED(v, &w);
    mst_shared_unref(&v->shared);
    unwatch(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_seed_is_enough_to_see_the_whole_set),
        cmocka_unit_test(a_dead_primary_is_seen_and_the_election_is_told),
        cmocka_unit_test(a_frozen_member_keeps_its_last_values_and_is_never_healthy),
        cmocka_unit_test(a_primary_alone_is_a_state_of_its_own),
    };
    int failed;

    mst_mongo_init();
    failed = cmocka_run_group_tests_name("watch", tests, NULL, NULL);
    mst_mongo_cleanup();
    return failed;
}
