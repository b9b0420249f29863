/* Safe reconfiguration: what is refused, how the configuration travels, what a priority does. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "sandbox_kit.h"

/* The configuration that the primary answers with, its version raised by `up`. */
static bson_t *next_config(struct kit *k, int up)
{
    bson_t r, *out = bson_new();
    bson_iter_t it, f;

    assert_int_equal(kit_run(k, 0, "admin", &r, "{'replSetGetConfig': 1}"), 0);
    assert_true(bson_iter_init(&it, &r) && bson_iter_find(&it, "config") &&
                bson_iter_recurse(&it, &f));
    while (bson_iter_next(&f)) {
        if (strcmp(bson_iter_key(&f), "version") == 0) {
            BSON_APPEND_INT32(out, "version", bson_iter_int32(&f) + up);
        } else if (strcmp(bson_iter_key(&f), "term") != 0) {
            bson_append_iter(out, bson_iter_key(&f), -1, &f);
        }
    }
    bson_destroy(&r);
    return out;
}

struct edit { /* one field of one member; a double as the server writes priorities */
    int member;
    const char *field;
    double value;
};

static void edit_one(const bson_iter_t *from, const struct edit *e, size_t n, int at, bson_t *to)
{
    bson_iter_t f;

    assert_true(bson_iter_recurse(from, &f));
    while (bson_iter_next(&f)) {
        size_t i = 0;

        while (i < n && (e[i].member != at || strcmp(e[i].field, bson_iter_key(&f)) != 0)) {
            i++;
        }
        if (i < n) {
            BSON_APPEND_DOUBLE(to, e[i].field, e[i].value);
        } else {
            bson_append_iter(to, bson_iter_key(&f), -1, &f);
        }
    }
}

static bson_t *edited(const bson_t *config, const struct edit *e, size_t n)
{
    bson_t *out = bson_new(), list, one;
    bson_iter_t f, m;

    assert_true(bson_iter_init(&f, config));
    while (bson_iter_next(&f)) {
        if (strcmp(bson_iter_key(&f), "members") != 0) {
            bson_append_iter(out, bson_iter_key(&f), -1, &f);
            continue;
        }
        BSON_APPEND_ARRAY_BEGIN(out, "members", &list);
        assert_true(bson_iter_recurse(&f, &m));
        for (int at = 0; bson_iter_next(&m); at++) {
            BSON_APPEND_DOCUMENT_BEGIN(&list, bson_iter_key(&m), &one);
            edit_one(&m, e, n, at, &one);
            bson_append_document_end(&list, &one);
        }
        bson_append_array_end(out, &list);
    }
    return out;
}

static int send_config(struct kit *k, int member, const bson_t *config, int64_t max_ms, bool force,
                       char *text, size_t size)
{
    struct sbx_client c;
    struct mst_err err = {0};
    bson_t cmd = BSON_INITIALIZER, r;

    BSON_APPEND_DOCUMENT(&cmd, "replSetReconfig", config);
    if (max_ms > 0) {
        BSON_APPEND_INT64(&cmd, "maxTimeMS", max_ms);
    }
    if (force) {
        BSON_APPEND_BOOL(&cmd, "force", true);
    }
    kit_connect(k, member, &c);
    const enum mst_rc rc = sbx_client_command(&c, "admin", &cmd, &r, &err);
    sbx_client_close(&c);
    (void)mst_copy(text, size, rc == MST_OK ? "" : err.msg);
    bson_destroy(&r);
    bson_destroy(&cmd);
    return rc == MST_OK ? 0 : err.detail;
}

/* The primary's configuration with these edits, sent to a member. */
static int reconfigure(struct kit *k, int member, int up, const struct edit *e, size_t n,
                       char *text, size_t size)
{
    bson_t *now = next_config(k, up), *next = edited(now, e, n);
    const int code = send_config(k, member, next, 3000, false, text, size);

    bson_destroy(now);
    bson_destroy(next);
    return code;
}

static void what_may_not_be_is_refused_and_changes_nothing(void **state)
{
    static const struct {
        int member, up;
        struct edit e[2];
        size_t n;
        int code, code_70;
        const char *text;
    } rows[] = {
        {1, 1, {{0, "priority", 2}}, 1, 10107, 10107, "should only be run on"},
        {0, 0, {{0, "priority", 2}}, 1, 103, 103, "1 is not greater than 1"},
        {0, 1, {{0, "priority", -1}}, 1, 103, 103, "priority field value of -1 is out of range"},
        {0, 1, {{0, "priority", 0}}, 1, 103, 103, "is not electable under the new"},
        {0, 1, {{1, "votes", 0}}, 1, 103, 103, "priority must be 0 when non-voting"},
        {0, 1, {{1, "votes", 2}}, 1, 103, 103, "votes field value is 2"},
        {0, 1, {{1, "hidden", 1}}, 1, 103, 103, "priority must be 0 when hidden=true"},
        {0, 1, {{1, "_id", 7}}, 1, 115, 115, "not served by the sandbox"},
        {0, 1, {{1, "host", 7}}, 1, 93, 93, "host"},
    };
    static const char *const servers[] = {"4.2", "7.0"};
    char text[512];
    bson_t r;

    (void)state;
    for (size_t s = 0; s < 2; s++) {
        struct kit k;

        kit_start(&k, (struct sbx_opts){.fast = true, .seed = 61, .server = servers[s]});
        for (size_t i = 0; i < MST_COUNT(rows); i++) {
            const int want = s == 0 ? rows[i].code : rows[i].code_70;
            const int got = reconfigure(&k, rows[i].member, rows[i].up, rows[i].e, rows[i].n, text,
                                        sizeof text);

            if (got != want || strstr(text, rows[i].text) == NULL) {
                fail_msg("%s, row %zu: %d, wanted %d: %s", servers[s], i, got, want, text);
            }
        }
        assert_int_equal(kit_run(&k, 0, "admin", &r, "{'replSetGetConfig': 1}"), 0);
        assert_int_equal(kit_int(&r, "config.version"), 1);
        bson_destroy(&r);
        kit_stop(&k);
    }
}

static void force_is_refused_by_name(void **state)
{
    struct kit k;
    char text[512];

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 62});
    bson_t *next = next_config(&k, 1);
    assert_int_equal(send_config(&k, 0, next, 0, true, text, sizeof text), 115);
    assert_non_null(strstr(text, "force"));
    bson_destroy(next);
    kit_stop(&k);
}

static void two_voters_at_once_change_on_4_2_and_not_on_7_0(void **state)
{
    static const struct edit both[] = {
        {1, "votes", 0}, {1, "priority", 0}, {2, "votes", 0}, {2, "priority", 0}};
    struct kit k;
    char text[512];

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 63, .server = "7.0"});
    assert_int_equal(reconfigure(&k, 0, 1, both, 4, text, sizeof text), 103);
    assert_non_null(strstr(text, "at most 1 voting member"));
    assert_int_equal(reconfigure(&k, 0, 1, both, 2, text, sizeof text), 0);
    kit_stop(&k);
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 63});
    assert_int_equal(reconfigure(&k, 0, 1, both, 4, text, sizeof text), 0);
    kit_stop(&k);
}

static bool everybody_shows(struct sbx_world *w, void *arg)
{
    for (size_t i = 0; i < w->n; i++) {
        for (size_t j = 0; j < w->n; j++) {
            if (w->members[i].config.version != *(int *)arg ||
                (i != j && w->members[i].of[j].config_version != *(int *)arg)) {
                return false;
            }
        }
    }
    return true;
}

static void a_configuration_travels_by_heartbeats(void **state)
{
    static const struct edit higher[] = {{0, "priority", 5}};
    struct kit k;
    char text[512];
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 64});
    kit_ctl(&k, "partition", "2", NULL);
    assert_int_equal(reconfigure(&k, 0, 1, higher, 1, text, sizeof text), 0);
    kit_status(&k, 2, &r); /* it has not heard of it */
    assert_int_equal(kit_int(&r, "members.2.configVersion"), 1);
    bson_destroy(&r);
    kit_hello(&k, 2, &r);
    assert_int_equal(kit_int(&r, "setVersion"), 1);
    bson_destroy(&r);
    kit_ctl(&k, "heal", NULL, NULL);
    assert_true(sbx_world_wait(k.w, everybody_shows, &(int){2}, 10000));
    kit_status(&k, 2, &r);
    assert_int_equal(kit_int(&r, "members.2.configVersion"), 2);
    bson_destroy(&r);
    kit_stop(&k);
}

static void a_rise_in_priority_leads_to_a_takeover(void **state)
{
    static const struct edit rise[] = {{2, "priority", 3}};
    static const char *const servers[] = {"4.2", "7.0"};
    char text[512];
    bson_t r;

    (void)state;
    for (size_t s = 0; s < 2; s++) {
        struct kit k;

        kit_start(&k, (struct sbx_opts){.fast = true, .seed = 65, .server = servers[s]});
        const int64_t from = mst_clock_mono_ms(NULL);
        assert_int_equal(reconfigure(&k, 0, 1, rise, 1, text, sizeof text), 0);
        assert_int_equal(sbx_world_wait_primary(k.w, 0, 20000), 2);
        assert_true(mst_clock_mono_ms(NULL) - from >= 1000); /* rank 0: one election timeout */
        kit_status(&k, 2, &r);
        assert_string_equal(sbx_doc_str(&r, "electionCandidateMetrics.lastElectionReason"),
                            "priorityTakeover");
        bson_destroy(&r);
        kit_stop(&k);
    }
}

static void without_a_majority_the_quorum_check_fails(void **state)
{
    static const struct edit higher[] = {{0, "priority", 5}};
    struct kit k;
    char text[512];
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 66, .election_timeout_ms = 60000});
    kit_ctl(&k, "kill", "1", NULL);
    kit_ctl(&k, "kill", "2", NULL);
    assert_int_equal(reconfigure(&k, 0, 1, higher, 1, text, sizeof text), 74);
    assert_non_null(strstr(text, "required 2 but only the following 1"));
    assert_int_equal(kit_run(&k, 0, "admin", &r, "{'replSetGetConfig': 1}"), 0);
    assert_int_equal(kit_int(&r, "config.version"), 1);
    bson_destroy(&r);
    kit_stop(&k);
}

static void on_7_0_a_configuration_must_be_committed_before_the_next(void **state)
{
    static const struct edit higher[] = {{0, "priority", 5}}, more[] = {{0, "priority", 6}};
    struct kit k;
    char text[512];
    bson_t r;

    (void)state;
    kit_start(&k, (struct sbx_opts){
                      .fast = true, .seed = 67, .server = "7.0", .election_timeout_ms = 60000});
    assert_int_equal(
        kit_run(&k, 1, "admin", &r, "{'replSetGetConfig': 1, 'commitmentStatus': true}"), 10107);
    bson_destroy(&r);
    assert_int_equal(reconfigure(&k, 0, 1, higher, 1, text, sizeof text), 0);
    assert_int_equal(
        kit_run(&k, 0, "admin", &r, "{'replSetGetConfig': 1, 'commitmentStatus': true}"), 0);
    assert_true(sbx_doc_true(&r, "commitmentStatus"));
    assert_int_equal(kit_int(&r, "config.term"), 1);
    bson_destroy(&r);
    kit_ctl(&k, "oneway", "1", "0"); /* they are reached, and hear nothing */
    kit_ctl(&k, "oneway", "2", "0");
    assert_int_equal(reconfigure(&k, 0, 1, more, 1, text, sizeof text), 50);
    assert_non_null(strstr(text, "failed to propagate"));
    assert_int_equal(
        kit_run(&k, 0, "admin", &r, "{'replSetGetConfig': 1, 'commitmentStatus': true}"), 0);
    assert_int_equal(kit_int(&r, "config.version"), 3); /* it is installed all the same */
    assert_false(sbx_doc_true(&r, "commitmentStatus"));
    bson_destroy(&r);
    assert_int_equal(reconfigure(&k, 0, 1, higher, 1, text, sizeof text), 308);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_not_be_is_refused_and_changes_nothing),
        cmocka_unit_test(force_is_refused_by_name),
        cmocka_unit_test(two_voters_at_once_change_on_4_2_and_not_on_7_0),
        cmocka_unit_test(a_configuration_travels_by_heartbeats),
        cmocka_unit_test(a_rise_in_priority_leads_to_a_takeover),
        cmocka_unit_test(without_a_majority_the_quorum_check_fails),
        cmocka_unit_test(on_7_0_a_configuration_must_be_committed_before_the_next),
    };
    return cmocka_run_group_tests_name("reconfig", tests, NULL, NULL);
}
