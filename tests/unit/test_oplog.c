#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "oplog/flow.h"
#include "oplog/oplog.h"

static bson_t *from_json(const char *json)
{
    bson_error_t e;
    bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &e);

    if (!b) {
        fail_msg("%s: %s", e.message, json);
    }
    return b;
}

/* A short form of an entry: op, ns, the rest as JSON members. */
static bson_t *entry(unsigned t, unsigned i, const char *op, const char *ns, const char *rest)
{
    char *json =
        mst_xasprintf("{\"ts\":{\"$timestamp\":{\"t\":%u,\"i\":%u}},"
                      "\"t\":{\"$numberLong\":\"1\"},\"v\":2,\"op\":\"%s\",\"ns\":\"%s\",%s}",
                      t, i, op, ns, rest);
    bson_t *b = from_json(json);

    free(json);
    return b;
}

static void judged(const char *op, const char *ns, const char *rest, const char *row,
                   enum mst_fate fate)
{
    bson_t *b = entry(1, 1, op, ns, rest);
    struct mst_oplog_entry e;
    struct mst_err err = {0};
    const struct mst_oplog_rule *r;

    assert_ok(mst_oplog_parse(b, &e, &err), &err);
    r = mst_oplog_judge(&e);
    if (strcmp(r->id, row) != 0 || r->fate != fate) {
        fail_msg("%s %s %s: row %s (%s), wanted %s", op, ns, rest, r->id, mst_fate_word(r->fate),
                 row);
    }
    bson_destroy(b);
}

static void each_kind_of_entry_has_its_row(void **state)
{
    (void)state;
    judged("n", "", "\"o\":{\"msg\":\"x\"}", "noop", MST_FATE_SKIPPED);
    judged("i", "local.me", "\"o\":{\"_id\":1}", "local", MST_FATE_SKIPPED);
    judged("u", "config.transactions", "\"o\":{\"a\":1},\"o2\":{\"_id\":1}", "config",
           MST_FATE_SKIPPED);
    judged("i", "config.reshardingOperations", "\"o\":{\"_id\":1}", "reshard", MST_FATE_FATAL);
    judged("u", "admin.system.version",
           "\"o\":{\"version\":\"4.4\"},\"o2\":{\"_id\":\"featureCompatibilityVersion\"}", "fcv",
           MST_FATE_FATAL);
    judged("i", "admin.system.version", "\"o\":{\"_id\":\"authSchema\"}", "version",
           MST_FATE_SKIPPED);
    judged("i", "admin.system.users", "\"o\":{\"_id\":\"admin.a\"}", "accounts", MST_FATE_SKIPPED);
    judged("i", "admin.system.keys", "\"o\":{\"_id\":1}", "admin-system", MST_FATE_SKIPPED);
    judged("i", "shop.system.buckets.w", "\"o\":{\"_id\":1}", "buckets", MST_FATE_FATAL);
    judged("i", "shop.system.views", "\"o\":{\"_id\":\"shop.v\"}", "views", MST_FATE_TRANSLATED);
    judged("c", "shop.$cmd", "\"o\":{\"create\":\"system.views\"}", "views-make", MST_FATE_SKIPPED);
    judged("c", "shop.$cmd", "\"o\":{\"drop\":\"system.views\"}", "views-drop",
           MST_FATE_TRANSLATED);
    judged("i", "shop.system.js", "\"o\":{\"_id\":1}", "js", MST_FATE_CARRIED);
    judged("i", "shop.system.odd", "\"o\":{\"_id\":1}", "system-other", MST_FATE_FATAL);
    judged("i", "shop.mst.s.0badcafe.1", "\"o\":{\"_id\":1}", "own", MST_FATE_SKIPPED);
    judged("c", "shop.$cmd", "\"o\":{\"create\":\"mst.s.0badcafe.1\"}", "own", MST_FATE_SKIPPED);
    judged("c", "shop.$cmd",
           "\"o\":{\"renameCollection\":\"shop.mst.s.0badcafe.1\",\"to\":\"shop.a\"}", "own-swap",
           MST_FATE_FATAL);
    judged("c", "shop.$cmd",
           "\"o\":{\"renameCollection\":\"shop.a\",\"to\":\"shop.mst.o.0badcafe.1\"}", "own-swap",
           MST_FATE_FATAL);
    judged("i", "shop.a", "\"o\":{\"_id\":1}", "insert", MST_FATE_CARRIED);
    judged("u", "shop.a", "\"o\":{\"$v\":1},\"o2\":{\"_id\":1}", "update", MST_FATE_CARRIED);
    judged("d", "shop.a", "\"o\":{\"_id\":1}", "delete", MST_FATE_CARRIED);
    judged("c", "shop.$cmd", "\"o\":{\"create\":\"a\"}", "create", MST_FATE_CARRIED);
    judged("c", "shop.$cmd", "\"o\":{\"create\":\"a\",\"timeseries\":{}}", "create-ts",
           MST_FATE_FATAL);
    judged("c", "shop.$cmd", "\"o\":{\"drop\":\"a\"}", "drop", MST_FATE_CARRIED);
    judged("c", "shop.$cmd", "\"o\":{\"dropDatabase\":1}", "dropDatabase", MST_FATE_TRANSLATED);
    judged("c", "shop.$cmd", "\"o\":{\"renameCollection\":\"shop.a\",\"to\":\"shop.b\"}", "rename",
           MST_FATE_TRANSLATED);
    judged("c", "shop.$cmd", "\"o\":{\"createIndexes\":\"a\",\"name\":\"x\"}", "createIndexes",
           MST_FATE_TRANSLATED);
    judged("c", "shop.$cmd", "\"o\":{\"startIndexBuild\":\"a\"}", "startIndexBuild",
           MST_FATE_SKIPPED);
    judged("c", "shop.$cmd", "\"o\":{\"commitIndexBuild\":\"a\"}", "commitIndexBuild",
           MST_FATE_TRANSLATED);
    judged("c", "shop.$cmd", "\"o\":{\"abortIndexBuild\":\"a\"}", "abortIndexBuild",
           MST_FATE_SKIPPED);
    judged("c", "shop.$cmd", "\"o\":{\"dropIndexes\":\"a\"}", "dropIndexes", MST_FATE_TRANSLATED);
    judged("c", "shop.$cmd", "\"o\":{\"collMod\":\"a\"}", "collMod", MST_FATE_TRANSLATED);
    judged("c", "shop.$cmd", "\"o\":{\"convertToCapped\":\"a\"}", "convertToCapped",
           MST_FATE_FATAL);
    judged("c", "shop.$cmd", "\"o\":{\"emptycapped\":\"a\"}", "emptycapped", MST_FATE_TRANSLATED);
    judged("c", "shop.$cmd", "\"o\":{\"importCollection\":\"a\"}", "import", MST_FATE_FATAL);
    judged("c", "shop.$cmd", "\"o\":{\"brandNew\":\"a\"}", "other-command", MST_FATE_FATAL);
    judged("ci", "shop.a", "\"o\":{\"_id\":1}", "other-op", MST_FATE_FATAL);
}

static void the_worst_operation_inside_decides(void **state)
{
    (void)state;
    judged("c", "admin.$cmd",
           "\"o\":{\"applyOps\":[{\"op\":\"i\",\"ns\":\"a.b\",\"o\":{\"_id\":1}},"
           "{\"op\":\"i\",\"ns\":\"a.system.buckets.x\",\"o\":{\"_id\":1}}]}",
           "buckets", MST_FATE_FATAL);
    judged("c", "admin.$cmd",
           "\"o\":{\"applyOps\":[{\"op\":\"i\",\"ns\":\"config.x\",\"o\":{\"_id\":1}},"
           "{\"op\":\"i\",\"ns\":\"a.b\",\"o\":{\"_id\":1}}]}",
           "applyOps", MST_FATE_TRANSLATED);
    judged("c", "admin.$cmd", "\"o\":{\"applyOps\":[1]}", "other-op", MST_FATE_FATAL);
}

static void a_damaged_entry_is_refused(void **state)
{
    static const char *const bad[] = {
        "{\"op\":\"i\",\"ns\":\"a.b\",\"o\":{}}",
        "{\"ts\":{\"$timestamp\":{\"t\":1,\"i\":1}},\"ns\":\"a.b\",\"o\":{}}",
        "{\"ts\":{\"$timestamp\":{\"t\":1,\"i\":1}},\"op\":\"i\",\"o\":{}}",
        "{\"ts\":{\"$timestamp\":{\"t\":1,\"i\":1}},\"op\":\"i\",\"ns\":\"a.b\"}",
        "{\"ts\":{\"$timestamp\":{\"t\":1,\"i\":1}},\"op\":\"c\",\"ns\":\"a.$cmd\",\"o\":{}}",
    };
    size_t i;

    (void)state;
    for (i = 0; i < MST_COUNT(bad); i++) {
        bson_t *b = from_json(bad[i]);
        struct mst_oplog_entry e;
        struct mst_err err = {0};

        assert_rc(mst_oplog_parse(b, &e, &err), MST_E_INTEGRITY, &err);
        bson_destroy(b);
    }
}

static void names_of_staging_and_kept_collections_are_recognised(void **state)
{
    char run[9];
    unsigned n = 0;

    (void)state;
    assert_int_equal(mst_oplog_own_name("mst.s.00c0ffee.12", run, &n), MST_OWN_STAGING);
    assert_string_equal(run, "00c0ffee");
    assert_int_equal(n, 12);
    assert_int_equal(mst_oplog_own_name("mst.o.00c0ffee.3", NULL, NULL), MST_OWN_OLD);
    assert_int_equal(mst_oplog_own_name("mst.x.00c0ffee.3", NULL, NULL), MST_OWN_NOT);
    assert_int_equal(mst_oplog_own_name("mst.s.00C0FFEE.3", NULL, NULL), MST_OWN_NOT);
    assert_int_equal(mst_oplog_own_name("mst.s.00c0ffee.", NULL, NULL), MST_OWN_NOT);
    assert_int_equal(mst_oplog_own_name("mst.s.00c0ffee.1x", NULL, NULL), MST_OWN_NOT);
    assert_int_equal(mst_oplog_own_name("mst.s", NULL, NULL), MST_OWN_NOT);
}

struct seen {
    char text[4096];
    size_t n;
};

static enum mst_rc note(void *arg, const struct mst_oplog_entry *op, struct mst_err *err)
{
    struct seen *s = arg;
    bson_iter_t it;
    const size_t len = strlen(s->text);

    (void)err;
    s->n++;
    if (len < sizeof s->text - 64) {
        const long long id =
            bson_iter_init_find(&it, &op->o, "_id") ? (long long)bson_iter_as_int64(&it) : -1;

        (void)snprintf(s->text + len, sizeof s->text - len, "%c%lld@%u.%u ", op->op, id,
                       op->at.ts.t, op->at.ts.i);
    }
    return MST_OK;
}

#define TXN(num, prev_t, prev_i, o) \
    "\"lsid\":{\"id\":\"s\"},\"txnNumber\":{\"$numberLong\":\"" num "\"},\"prevOpTime\":{\"ts\":{" \
    "\"$timestamp\":{\"t\":" prev_t ",\"i\":" prev_i "}},\"t\":{\"$numberLong\":\"1\"}},\"o\":" o
#define INS(id) "{\"op\":\"i\",\"ns\":\"a.b\",\"o\":{\"_id\":" id "}}"

static enum mst_rc feed(struct mst_oplog_flow *f, bson_t *b, struct mst_err *err)
{
    const enum mst_rc rc = mst_oplog_flow_feed(f, b, err);

    bson_destroy(b);
    return rc;
}

static void a_transaction_comes_out_at_its_commit(void **state)
{
    const struct mst_oplog_flow_opts o = {.txn_mem_bytes = 40}; /* so small that all of it spills */
    struct seen s = {{0}, 0};
    struct mst_oplog_flow *f = mst_oplog_flow_new(&o, note, &s);
    struct mst_oplog_report rep;
    struct mst_err err = {0};

    (void)state;
    assert_ok(feed(f, entry(1, 1, "i", "a.b", "\"o\":{\"_id\":1}"), &err), &err);
    assert_ok(feed(f,
                   entry(1, 2, "c", "admin.$cmd",
                         TXN("7", "0", "0",
                             "{\"applyOps\":[" INS("2") "," INS("3") "],\"partialTxn\":true}")),
                   &err),
              &err);
    assert_ok(feed(f, entry(1, 3, "i", "a.b", "\"o\":{\"_id\":4}"), &err), &err);
    assert_ok(feed(f,
                   entry(1, 4, "c", "admin.$cmd",
                         TXN("7", "1", "2", "{\"applyOps\":[" INS("5") "],\"count\":3}")),
                   &err),
              &err);
    mst_oplog_flow_report(f, &rep);
    assert_string_equal(s.text, "i1@1.1 i4@1.3 i2@1.4 i3@1.4 i5@1.4 ");
    assert_int_equal(rep.txn_committed, 1);
    assert_int_equal(rep.txn_open, 0);
    assert_int_equal(rep.ops, 5);
    mst_oplog_flow_free(f);
}

static void prepared_and_aborted_and_open_transactions_are_told_apart(void **state)
{
    const struct mst_oplog_flow_opts o = {0};
    struct seen s = {{0}, 0};
    struct mst_oplog_flow *f = mst_oplog_flow_new(&o, note, &s);
    struct mst_oplog_report rep;
    struct mst_err err = {0};

    (void)state;
    assert_ok(feed(f,
                   entry(1, 1, "c", "admin.$cmd",
                         TXN("1", "0", "0", "{\"applyOps\":[" INS("1") "],\"prepare\":true}")),
                   &err),
              &err);
    assert_ok(feed(f,
                   entry(1, 2, "c", "admin.$cmd", TXN("1", "1", "1", "{\"abortTransaction\":1}")),
                   &err),
              &err);
    assert_ok(feed(f,
                   entry(1, 3, "c", "admin.$cmd",
                         TXN("2", "0", "0", "{\"applyOps\":[" INS("2") "],\"prepare\":true}")),
                   &err),
              &err);
    assert_ok(feed(f,
                   entry(1, 4, "c", "admin.$cmd", TXN("2", "1", "3", "{\"commitTransaction\":1}")),
                   &err),
              &err);
    assert_ok(feed(f,
                   entry(1, 5, "c", "admin.$cmd",
                         TXN("3", "0", "0", "{\"applyOps\":[" INS("3") "],\"prepare\":true}")),
                   &err),
              &err);
    mst_oplog_flow_report(f, &rep);
    assert_string_equal(s.text, "i2@1.4 ");
    assert_int_equal(rep.txn_aborted, 1);
    assert_int_equal(rep.txn_open, 1);
    assert_non_null(strstr(rep.open[0], "number 3, 1 operation,"));
    mst_oplog_flow_free(f);
}

static void a_broken_chain_is_damage(void **state)
{
    const struct mst_oplog_flow_opts o = {.apply_after = {1, 0}};
    struct seen s = {{0}, 0};
    struct mst_oplog_flow *f = mst_oplog_flow_new(&o, note, &s);
    struct mst_err err = {0};

    (void)state;
    assert_rc(feed(f,
                   entry(1, 5, "c", "admin.$cmd",
                         TXN("7", "1", "2", "{\"applyOps\":[" INS("5") "],\"count\":3}")),
                   &err),
              MST_E_INTEGRITY, &err);
    assert_rc(feed(f,
                   entry(1, 6, "c", "admin.$cmd", TXN("9", "0", "0", "{\"commitTransaction\":1}")),
                   &err),
              MST_E_INTEGRITY, &err);
    assert_rc(feed(f,
                   entry(1, 7, "c", "admin.$cmd",
                         TXN("7", "1", "2", "{\"applyOps\":[],\"partialTxn\":true}")),
                   &err),
              MST_E_INTEGRITY, &err);
    assert_rc(feed(f, entry(1, 6, "i", "a.b", "\"o\":{\"_id\":1}"), &err), MST_E_INTEGRITY, &err);
    assert_int_equal(s.n, 0);
    mst_oplog_flow_free(f);
}

static void what_took_effect_before_the_scan_is_not_replayed(void **state)
{
    const struct mst_oplog_flow_opts o = {.apply_after = {1, 3}};
    struct seen s = {{0}, 0};
    struct mst_oplog_flow *f = mst_oplog_flow_new(&o, note, &s);
    struct mst_oplog_report rep;
    struct mst_err err = {0};

    (void)state;
    assert_ok(feed(f,
                   entry(1, 1, "c", "admin.$cmd",
                         TXN("2", "0", "0", "{\"applyOps\":[" INS("2") "],\"prepare\":true}")),
                   &err),
              &err);
    assert_ok(feed(f, entry(1, 2, "i", "a.b", "\"o\":{\"_id\":1}"), &err), &err);
    assert_ok(feed(f, entry(1, 3, "i", "a.b", "\"o\":{\"_id\":3}"), &err), &err);
    assert_ok(feed(f,
                   entry(1, 4, "c", "admin.$cmd", TXN("2", "1", "1", "{\"commitTransaction\":1}")),
                   &err),
              &err);
    mst_oplog_flow_report(f, &rep);
    assert_string_equal(s.text, "i2@1.4 ");
    assert_int_equal(rep.before, 2);
    mst_oplog_flow_free(f);
}

static size_t play_recording(const char *name, struct mst_oplog_report *rep, struct seen *s)
{
    const struct mst_oplog_flow_opts o = {0};
    struct mst_oplog_flow *f = mst_oplog_flow_new(&o, note, s);
    struct mst_err err = {0};
    char *path = mst_xasprintf("%s/oplog/%s", TEST_DATA, name), *line = NULL;
    FILE *in = fopen(path, "r");
    size_t cap = 0, n = 0;

    assert_non_null(in);
    while (getline(&line, &cap, in) > 0) {
        assert_ok(feed(f, from_json(line), &err), &err);
        n++;
    }
    mst_oplog_flow_report(f, rep);
    free(line);
    free(path);
    (void)fclose(in);
    mst_oplog_flow_free(f);
    return n;
}

static uint64_t counted(const struct mst_oplog_report *rep, const char *id)
{
    const struct mst_oplog_rule *rows;
    const size_t n = mst_oplog_rules(&rows);
    uint64_t sum = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        sum += strcmp(rows[i].id, id) == 0 ? rep->by_rule[i] : 0;
    }
    return sum;
}

static void the_recorded_oplog_flows_through(void **state)
{
    struct mst_oplog_report rep;
    struct seen s = {{0}, 0};
    size_t n;

    (void)state;
    n = play_recording("04-oplog.jsonl", &rep, &s);
    assert_int_equal(rep.entries, n);
    assert_int_equal(counted(&rep, "noop"), 1);
    assert_int_equal(counted(&rep, "createIndexes"), 6);
    assert_int_equal(counted(&rep, "rename"), 2);
    assert_int_equal(counted(&rep, "drop"), 2);
    assert_int_equal(counted(&rep, "dropDatabase"), 1);
    assert_int_equal(counted(&rep, "views"), 1);
    assert_int_equal(counted(&rep, "accounts"), 6);
    assert_int_equal(rep.txn_committed, 1);
    memset(&s, 0, sizeof s);
    n = play_recording("14-oplog-transactions.jsonl", &rep, &s);
    assert_int_equal(rep.entries, n);
    assert_int_equal(rep.txn_committed, 3);
    assert_int_equal(rep.txn_open, 0);
    assert_true(rep.ops > n);
}

static void every_row_of_the_table_is_documented(void **state)
{
    const struct mst_oplog_rule *rows;
    struct mst_str doc = {0};
    const size_t n = mst_oplog_rules(&rows);
    size_t i;

    (void)state;
    mst_oplog_rules_doc(&doc);
    for (i = 0; i < n; i++) {
        assert_non_null(strstr(mst_str_c(&doc), rows[i].why));
    }
    mst_str_release(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_entry_has_its_row),
        cmocka_unit_test(the_worst_operation_inside_decides),
        cmocka_unit_test(a_damaged_entry_is_refused),
        cmocka_unit_test(names_of_staging_and_kept_collections_are_recognised),
        cmocka_unit_test(a_transaction_comes_out_at_its_commit),
        cmocka_unit_test(prepared_and_aborted_and_open_transactions_are_told_apart),
        cmocka_unit_test(a_broken_chain_is_damage),
        cmocka_unit_test(what_took_effect_before_the_scan_is_not_replayed),
        cmocka_unit_test(the_recorded_oplog_flows_through),
        cmocka_unit_test(every_row_of_the_table_is_documented),
    };

    return cmocka_run_group_tests_name("oplog", tests, NULL, NULL);
}
