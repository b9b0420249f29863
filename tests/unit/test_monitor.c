#include "test.h" /* cmocka, assert_ok(), assert_rc(), assert_near() */

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "monitor/parse.h"

/* Replies of a real 4.2 set, see the files' names. */
static bson_t *load(const char *name)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};
    bson_error_t e;
    char path[512];
    bson_t *doc;

    (void)snprintf(path, sizeof(path), "%s/monitor/%s.json", TEST_DATA, name);
    assert_ok(mst_file_read(path, 1 << 20, &b, &err), &err);
    doc = bson_new_from_json(b.p, (ssize_t)b.len, &e);
    assert_non_null(doc);
    mst_buf_release(&b);
    return doc;
}

static void a_recorded_hello_gives_its_facts(void **state)
{
    struct mst_topo_member m;
    struct mst_parsed_hello h;
    bson_t *b = load("steady-27117-hello");

    (void)state;
    mst_member_init(&m, "127.0.0.1:27117", NULL);
    mst_parse_hello(b, 77, &m, &h);
    assert_int_equal(m.hello_at_ms, 77);
    assert_true(m.writable);
    assert_false(m.secondary);
    assert_int_equal(m.hello_term, 1);
    assert_int_equal(m.max_wire, 8);
    assert_int_equal(m.last_write.ts.t, 1795389508);
    assert_int_equal(m.last_write.term, 1);
    assert_string_equal(h.set_name, "rs0");
    assert_string_equal(h.me, "127.0.0.1:27117");
    assert_false(h.awaitable);
    assert_int_equal(h.n_hosts, 3);
    assert_string_equal(h.hosts[2], "127.0.0.1:27119");
    assert_int_equal(h.set_version, 1);
    bson_destroy(b);
    b = load("arbiter-hello");
    mst_parse_hello(b, 78, &m, &h);
    assert_true(m.is_arbiter_hello);
    assert_int_equal(m.hello_term, -1);
    assert_int_equal(h.n_hosts, 3); /* arbiters count */
    bson_destroy(b);
}

static void a_recorded_status_gives_its_own_facts_and_opinions(void **state)
{
    struct mst_topo_member m;
    struct mst_parsed_status *s = mst_xcalloc(1, sizeof(*s));
    bson_t *b = load("steady-27118-status");

    (void)state;
    mst_member_init(&m, "127.0.0.1:27118", NULL);
    mst_parse_status(b, 99, &m, s);
    assert_int_equal(m.state, MST_MS_SECONDARY);
    assert_int_equal(m.term, 1);
    assert_int_equal(m.applied.ts.t, 1795389508);
    assert_true(m.applied_wall_ms > 1795389500000);
    assert_string_equal(m.sync_source, "127.0.0.1:27117");
    assert_int_equal(m.config_version, 1);
    assert_int_equal(m.config_term, -1);
    assert_false(m.catching_up);
    assert_int_equal(s->n, 2);
    assert_string_equal(s->heard[0].name, "127.0.0.1:27117");
    assert_int_equal(s->heard[0].o.health, 1);
    assert_int_equal(s->heard[0].o.state, MST_MS_PRIMARY);
    assert_true(s->heard[0].heartbeat_wall_ms > 0);
    bson_destroy(b);
    b = load("killed-27118-status");
    mst_parse_status(b, 100, &m, s);
    assert_int_equal(m.state, MST_MS_PRIMARY);
    assert_int_equal(m.before_at_ms, 99);
    assert_int_equal(m.before_applied.ts.t, 1795389508);
    assert_string_equal(s->heard[0].name, "127.0.0.1:27117");
    assert_int_equal(s->heard[0].o.health, 0);
    assert_true(m.seen_at_election.ts.t > 0);
    assert_int_equal(m.catch_up_ops, 0);
    bson_destroy(b);
    free(s);
}

static void a_recorded_configuration_gives_its_members(void **state)
{
    struct mst_parsed_config c;
    bson_t *b = load("steady-config"), *forced = load("forced-config");

    (void)state;
    assert_true(mst_parse_config(b, &c));
    assert_string_equal(c.set_name, "rs0");
    assert_int_equal(c.version, 1);
    assert_int_equal(c.term, -1);
    assert_int_equal(c.election_timeout_ms, 10000);
    assert_int_equal(c.n, 3);
    assert_near(c.members[0].priority, 2, 0);
    assert_int_equal(c.members[1].votes, 1);
    assert_int_equal(c.members[2].id, 2);
    assert_false(c.members[2].hidden);
    mst_parsed_config_release(&c);
    assert_true(mst_parse_config(forced, &c));
    assert_int_equal(c.n, 1);
    assert_true(c.version > 10000);
    mst_parsed_config_release(&c);
    bson_destroy(b);
    bson_destroy(forced);
}

static void tags_delays_and_defaults_of_a_configuration(void **state)
{
    static const char json[] =
        "{\"config\": {\"_id\": \"rs0\", \"version\": 3, \"term\": 7, \"members\": ["
        "{\"_id\": 4, \"host\": \"db1:27017\", \"tags\": {\"dc\": \"fra\", \"use\": \"backup\"}},"
        "{\"_id\": 5, \"host\": \"db2:27017\", \"hidden\": true, \"priority\": 0, "
        "\"secondaryDelaySecs\": 3600, \"votes\": 0}, {\"_id\": 6}, 17]}, \"ok\": 1}";
    struct mst_parsed_config c;
    bson_t *b = bson_new_from_json((const uint8_t *)json, -1, NULL);

    (void)state;
    assert_non_null(b);
    assert_true(mst_parse_config(b, &c));
    assert_int_equal(c.n, 2); /* what has no host is no member */
    assert_int_equal(c.term, 7);
    assert_string_equal(c.members[0].tags, "dc:fra, use:backup");
    assert_near(c.members[0].priority, 1, 0);
    assert_int_equal(c.members[0].votes, 1);
    assert_int_equal(c.members[1].delay_s, 3600);
    assert_true(c.members[1].hidden);
    mst_parsed_config_release(&c);
    bson_destroy(b);
}

static void recorded_counters_become_rates(void **state)
{
    struct mst_topo_member m;
    struct mst_parsed_counters before = {0};
    bool oplog = true, sharded = true;
    bson_t *b = load("steady-27117-stats");

    (void)state;
    mst_member_init(&m, "127.0.0.1:27117", NULL);
    mst_parse_stats(b, 1000, &m, &before, &oplog, &sharded);
    assert_string_equal(m.version, "4.2.8");
    assert_int_equal(m.rbid, 1);
    assert_int_equal(m.uptime_s, 16);
    assert_int_equal(m.connections, 8);
    assert_false(oplog);
    assert_false(sharded);
    assert_near(m.ops_per_s, -1, 0); /* one sample is no rate */
    before.ops -= 100;
    mst_parse_stats(b, 3000, &m, &before, &oplog, &sharded);
    assert_near(m.ops_per_s, 50, 0.001);
    before.uptime_s = 5000; /* it was restarted: the counters began again */
    mst_parse_stats(b, 4000, &m, &before, &oplog, &sharded);
    assert_near(m.ops_per_s, -1, 0);
    bson_destroy(b);
}

static void wrong_types_and_missing_fields_are_unknown_not_wrong(void **state)
{
    static const char *const odd[] = {
        "{}",
        "{\"members\": 5, \"myState\": \"1\", \"term\": [], \"optimes\": 3, \"date\": 1}",
        "{\"members\": [{\"name\": 3}, {\"name\": \"a b\"}, 4, {\"name\": \"\"}], \"myState\": 77}",
        "{\"hosts\": [1, \"x:y:z\", null], \"setName\": 5, \"me\": {}, \"electionId\": 4, "
        "\"lastWrite\": {\"opTime\": 3}}",
        "{\"config\": {\"version\": \"x\", \"members\": []}}",
        "{\"config\": {\"version\": 1, \"members\": {}}}",
        "{\"opcounters\": {\"insert\": -5, \"query\": 1e300}, \"uptime\": {}, \"repl\": 1}"};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(odd); i++) {
        struct mst_topo_member m;
        struct mst_parsed_hello h;
        struct mst_parsed_status *s = mst_xcalloc(1, sizeof(*s));
        struct mst_parsed_config c;
        struct mst_parsed_counters before = {.at_ms = 1};
        bool oplog, sharded;
        bson_t *b = bson_new_from_json((const uint8_t *)odd[i], -1, NULL);

        assert_non_null(b);
        mst_member_init(&m, "db1:27017", "");
        mst_parse_hello(b, 1, &m, &h);
        mst_parse_status(b, 1, &m, s);
        mst_parse_stats(b, 2, &m, &before, &oplog, &sharded);
        assert_false(mst_parse_config(b, &c));
        assert_false(m.writable);
        assert_int_equal(h.n_hosts, 0);
        assert_int_equal(s->n, 0);
        assert_int_equal(m.state, MST_MS_UNKNOWN);
        assert_int_equal(m.term, -1);
        assert_int_equal(m.hello_term, -1);
        assert_int_equal(m.rbid, -1);
        assert_true(mst_ts_zero(m.applied.ts));
        bson_destroy(b);
        free(s);
    }
}

static void text_of_a_server_cannot_move_the_cursor(void **state)
{
    struct mst_topo_member m;
    struct mst_parsed_counters before = {0};
    bool oplog, sharded;
    bson_t b = BSON_INITIALIZER;

    (void)state;
    mst_member_init(&m, "db1:27017", NULL);
    (void)BSON_APPEND_UTF8(&b, "version", "4.2\x1b[2J");
    mst_parse_stats(&b, 1, &m, &before, &oplog, &sharded);
    assert_null(strchr(m.version, '\x1b'));
    bson_destroy(&b);
}

static void a_recorded_election_tells_why_who_stood_and_when(void **state)
{
    struct mst_topo_member m;
    struct mst_parsed_status *s = mst_xcalloc(1, sizeof(*s));
    bson_t *b = load("killed-27118-status");

    (void)state;
    mst_member_init(&m, "127.0.0.1:27118", NULL);
    mst_parse_status(b, 100, &m, s);
    assert_string_equal(m.election_reason, "electionTimeout");
    assert_true(m.stood_wall_ms > 1795389500000);
    assert_int_equal(m.catch_up_to.term, -1); /* it is not in its catch-up any more */
    assert_string_equal(m.vote_reason, "");
    assert_false(m.too_stale);
    assert_non_null(strstr(s->heard[0].message, "Connection refused"));
    bson_destroy(b);
    free(s);
}

/* As newer servers write it. */
static void a_catch_up_a_refused_vote_and_a_stale_member_are_told(void **state)
{
    struct mst_topo_member m;
    struct mst_parsed_status *s = mst_xcalloc(1, sizeof(*s));
    bson_t *b = BCON_NEW(
        "myState", BCON_INT32(1), "electionCandidateMetrics", "{", "lastElectionReason",
        "priorityTakeover", "targetCatchupOpTime", "{", "ts", BCON_TIMESTAMP(77, 3), "t",
        BCON_INT64(4), "}", "numCatchUpOps", BCON_INT64(9), "}", "electionParticipantMetrics", "{",
        "votedForCandidate", BCON_BOOL(false), "voteReason", "candidate's data is staler", "}",
        "members", "[", "{", "self", BCON_BOOL(true), "infoMessage", "going on", "tooStale",
        BCON_BOOL(true), "}", "{", "name", "db2:27017", "health", BCON_DOUBLE(1), "state",
        BCON_INT32(2), "authenticated", BCON_BOOL(false), "lastHeartbeatMessage", "", "}", "]");

    (void)state;
    mst_member_init(&m, "db1:27017", NULL);
    mst_parse_status(b, 1, &m, s);
    assert_true(m.catching_up && m.too_stale);
    assert_string_equal(m.election_reason, "priorityTakeover");
    assert_int_equal(m.catch_up_to.ts.t, 77);
    assert_int_equal(m.catch_up_to.term, 4);
    assert_int_equal(m.catch_up_ops, 9);
    assert_string_equal(m.vote_reason, "candidate's data is staler");
    assert_string_equal(m.info, "going on");
    assert_string_equal(s->heard[0].message, "it is not authenticated");
    bson_destroy(b);
    b = BCON_NEW("myState", BCON_INT32(2)); /* and is over with the next answer */
    mst_parse_status(b, 2, &m, s);
    assert_false(m.too_stale);
    assert_string_equal(m.info, "");
    assert_string_equal(m.vote_reason, "");
    assert_string_equal(m.election_reason, "");
    assert_int_equal(m.catch_up_to.term, -1);
    bson_destroy(b);
    free(s);
}

static void text_of_a_heartbeat_and_of_a_vote_cannot_move_the_cursor(void **state)
{
    struct mst_topo_member m;
    struct mst_parsed_status *s = mst_xcalloc(1, sizeof(*s));
    bson_t *b = BCON_NEW(
        "myState", BCON_INT32(1), "electionCandidateMetrics", "{", "lastElectionReason", "a\x1b[2J",
        "}", "electionParticipantMetrics", "{", "votedForCandidate", BCON_BOOL(false), "voteReason",
        "b\x1b]0;x\x07", "}", "members", "[", "{", "self", BCON_BOOL(true), "infoMessage", "c\r\n",
        "}", "{", "name", "db2:27017", "lastHeartbeatMessage", "d\x1b[31m\x9b", "}", "]");

    (void)state;
    mst_member_init(&m, "db1:27017", NULL);
    mst_parse_status(b, 1, &m, s);
    assert_int_equal(s->n, 1);
    assert_true(m.election_reason[0] == 'a' && m.vote_reason[0] == 'b' && m.info[0] == 'c');
    assert_int_equal(s->heard[0].message[0], 'd');
    assert_null(strpbrk(m.election_reason, "\x1b\x07\r\n"));
    assert_null(strpbrk(m.vote_reason, "\x1b\x07\r\n"));
    assert_null(strpbrk(m.info, "\x1b\x07\r\n"));
    assert_null(strchr(s->heard[0].message, '\x1b'));
    bson_destroy(b);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorded_hello_gives_its_facts),
        cmocka_unit_test(a_recorded_status_gives_its_own_facts_and_opinions),
        cmocka_unit_test(a_recorded_configuration_gives_its_members),
        cmocka_unit_test(tags_delays_and_defaults_of_a_configuration),
        cmocka_unit_test(recorded_counters_become_rates),
        cmocka_unit_test(wrong_types_and_missing_fields_are_unknown_not_wrong),
        cmocka_unit_test(text_of_a_server_cannot_move_the_cursor),
        cmocka_unit_test(a_recorded_election_tells_why_who_stood_and_when),
        cmocka_unit_test(a_catch_up_a_refused_vote_and_a_stale_member_are_told),
        cmocka_unit_test(text_of_a_heartbeat_and_of_a_vote_cannot_move_the_cursor),
    };

    return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
