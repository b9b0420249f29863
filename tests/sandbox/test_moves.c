/* What must move does move: no answer is a stored copy. */
#include <string.h>

#include "run/run.h"
#include "test.h"
#include "wire/client.h"

static void ask(struct sbx_client *c, const char *db, const char *json, bson_t *reply)
{
    struct mst_err err = {0};
    bson_t *cmd = bson_new_from_json((const uint8_t *)json, -1, NULL);

    assert_non_null(cmd);
    assert_ok(sbx_client_command(c, db, cmd, reply, &err), &err);
    bson_destroy(cmd);
}

/* A number, a date or a timestamp at a path, as something that grows. */
static int64_t grows(const bson_t *doc, const char *path)
{
    bson_iter_t it, at;

    if (!bson_iter_init(&it, doc) || !bson_iter_find_descendant(&it, path, &at)) {
        fail_msg("no %s", path);
    }
    if (BSON_ITER_HOLDS_DATE_TIME(&at)) {
        return bson_iter_date_time(&at);
    }
    if (BSON_ITER_HOLDS_TIMESTAMP(&at)) {
        uint32_t t, i;

        bson_iter_timestamp(&at, &t, &i);
        return (int64_t)t << 32 | i;
    }
    return bson_iter_as_int64(&at);
}

static void counters_times_and_positions_grow(void **state)
{
    static const char *const of_status[] = {"uptimeMillis",
                                            "localTime",
                                            "opcounters.insert",
                                            "opcounters.query",
                                            "opcounters.command",
                                            "connections.totalCreated",
                                            "network.bytesIn",
                                            "network.numRequests",
                                            "repl.lastWrite.opTime.ts",
                                            "opLatencies.writes.ops",
                                            "metrics.commands.insert.total"};
    static const char *const of_set[] = {"date", "optimes.appliedOpTime.ts",
                                         "optimes.lastCommittedOpTime.ts",
                                         "members.1.lastHeartbeat"};
    struct sbx_opts o = {.fast = true};
    struct sbx_world *w = NULL;
    struct sbx_client c, other;
    struct mst_err err = {0};
    bson_t before[2], after[2], reply;

    (void)state;
    assert_ok(sbx_world_start(&o, &w, &err), &err);
    assert_ok(sbx_client_connect(&c, "127.0.0.1", sbx_world_port(w, 0), 10000, &err), &err);
    ask(&c, "shop", "{\"insert\":\"a\",\"documents\":[{\"_id\":1}]}", &reply);
    bson_destroy(&reply);
    ask(&c, "admin", "{\"serverStatus\":1}", &before[0]);
    ask(&c, "admin", "{\"replSetGetStatus\":1}", &before[1]);
    ask(&c, "shop", "{\"find\":\"a\"}", &reply);
    bson_destroy(&reply);
    assert_ok(sbx_client_connect(&other, "127.0.0.1", sbx_world_port(w, 0), 10000, &err), &err);
    for (int i = 2; i < 5; i++) {
        char text[160];

        (void)snprintf(text, sizeof text,
                       "{\"insert\":\"a\",\"documents\":[{\"_id\":%d}],"
                       "\"writeConcern\":{\"w\":3,\"wtimeout\":5000}}",
                       i);
        ask(&other, "shop", text, &reply);
        bson_destroy(&reply);
    }
    do { /* a heartbeat comes within its interval */
        ask(&c, "admin", "{\"replSetGetStatus\":1}", &after[1]);
        if (grows(&after[1], "members.1.lastHeartbeat") >
            grows(&before[1], "members.1.lastHeartbeat")) {
            break;
        }
        bson_destroy(&after[1]);
    } while (true);
    ask(&c, "admin", "{\"serverStatus\":1}", &after[0]);
    for (size_t i = 0; i < sizeof of_status / sizeof *of_status; i++) {
        if (grows(&after[0], of_status[i]) <= grows(&before[0], of_status[i])) {
            fail_msg("serverStatus %s did not move", of_status[i]);
        }
    }
    for (size_t i = 0; i < sizeof of_set / sizeof *of_set; i++) {
        if (grows(&after[1], of_set[i]) <= grows(&before[1], of_set[i])) {
            fail_msg("replSetGetStatus %s did not move", of_set[i]);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        bson_destroy(&before[i]);
        bson_destroy(&after[i]);
    }
    sbx_client_close(&other);
    sbx_client_close(&c);
    sbx_world_stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counters_times_and_positions_grow)};

    return cmocka_run_group_tests_name("moves", tests, NULL, NULL);
}
