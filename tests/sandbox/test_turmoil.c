/* Commands that meet: DDL while a transaction is open on the collection, and the shop's writer
 * while members come and go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conc/thread.h"
#include "ctl/ctl.h"
#include "run/run.h"
#include "test.h"
#include "wire/client.h"
#include "writer/writer.h"

#define ROUNDS 12
#define SESSION \
    "'lsid': {'id': {'$binary': {'base64': 'd/DuyLoATIShdmDwkgB6gA==', 'subType': '04'}}}"

static struct sbx_world *start(const struct sbx_opts *o)
{
    struct sbx_world *w = NULL;
    struct mst_err err = {0};

    assert_ok(sbx_world_start(o, &w, &err), &err);
    return w;
}

static void open_to(struct sbx_client *c, const struct sbx_world *w)
{
    struct mst_err err = {0};

    assert_ok(sbx_client_connect(c, "127.0.0.1", sbx_world_port(w, 0), 20000, &err), &err);
}

/* A command with ' for "; its code, 0 with ok, -1 without an answer. */
static int code_of(struct sbx_client *c, const char *db, const char *json)
{
    char *text = mst_xstrdup(json);
    struct mst_err err = {0};
    bson_error_t e;
    bson_t *cmd, reply;
    int64_t code = 0;

    for (char *p = text; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    cmd = bson_new_from_json((const uint8_t *)text, -1, &e);
    const enum mst_rc rc = cmd != NULL ? sbx_client_command(c, db, cmd, &reply, &err) : MST_E_BUG;
    if (cmd != NULL) {
        (void)sbx_doc_int(&reply, "code", &code);
        bson_destroy(&reply);
        bson_destroy(cmd);
    }
    free(text);
    return rc == MST_OK || rc == MST_E_SERVER ? (int)code : -1;
}

/* ---- DDL and an open transaction ---- */

struct asker { /* one command on a connection and a thread of its own */
    struct sbx_client c;
    const char *db, *json;
    int code;
    struct mst_thread thread;
};

static void ask_main(void *arg)
{
    struct asker *a = arg;

    a->code = code_of(&a->c, a->db, a->json);
}

static bool waits_for(struct sbx_world *w, void *arg)
{
    for (const struct sbx_conn *conn = w->conns; conn != NULL; conn = conn->next) {
        if (conn->op != NULL && strcmp(conn->op, arg) == 0) {
            return true;
        }
    }
    return false;
}

static void begin_txn(struct sbx_client *c, int number)
{
    char json[400];

    (void)snprintf(json, sizeof json,
                   "{'insert': 'a', 'documents': [{'x': %d}], 'startTransaction': true, " SESSION
                   ", 'txnNumber': {'$numberLong': '%d'}, 'autocommit': false}",
                   number, number);
    assert_int_equal(code_of(c, "t", json), 0);
}

static void end_txn(struct sbx_client *c, const char *how, int number)
{
    char json[300];

    (void)snprintf(json, sizeof json,
                   "{'%s': 1, " SESSION
                   ", 'txnNumber': {'$numberLong': '%d'}, 'autocommit': false}",
                   how, number);
    assert_int_equal(code_of(c, "admin", json), 0);
}

static const char *const ddl[][2] = {
    {"drop", "{'drop': 'a'"},
    {"createIndexes", "{'createIndexes': 'a', 'indexes': [{'key': {'x': 1}, 'name': 'x_1'}]"},
    {"collMod", "{'collMod': 'a', 'validator': {}"},
    {"convertToCapped", "{'convertToCapped': 'a', 'size': 100000"},
    {"dropDatabase", "{'dropDatabase': 1"},
};

static void ddl_waits_for_the_transaction_and_no_longer_than_it_may(void **state)
{
    struct sbx_world *w = start(&(struct sbx_opts){.members = 1, .fast = true});
    struct sbx_client txn, other;

    (void)state;
    open_to(&txn, w);
    open_to(&other, w);
    for (size_t i = 0; i < MST_COUNT(ddl) * 2; i++) {
        const bool commit = i % 2 == 0;
        const int number = (int)i + 1;
        struct mst_err err = {0};
        char json[200], name[32];
        struct asker a = {.db = "t", .json = json};

        (void)code_of(&other, "t", "{'drop': 'a'}"); /* whatever the last one left of it */
        assert_int_equal(code_of(&other, "t", "{'create': 'a'}"), 0);
        begin_txn(&txn, number);
        (void)snprintf(json, sizeof json, "%s, 'maxTimeMS': 50}", ddl[i / 2][1]);
        assert_int_equal(code_of(&other, "t", json), 50);
        (void)snprintf(json, sizeof json, "%s}", ddl[i / 2][1]);
        open_to(&a.c, w);
        assert_ok(mst_thread_start(&a.thread, "asker", ask_main, &a, &err), &err);
        (void)snprintf(name, sizeof name, "%s", ddl[i / 2][0]);
        assert_true(sbx_world_wait(w, waits_for, name, 10000));
        /* It has no effect yet: the transaction finds the collection as it was. */
        end_txn(&txn, commit ? "commitTransaction" : "abortTransaction", number);
        mst_thread_join(&a.thread);
        assert_int_equal(a.code, 0);
        sbx_client_close(&a.c);
    }
    sbx_client_close(&txn);
    sbx_client_close(&other);
    sbx_world_stop(w);
}

static void a_write_waits_for_the_transaction_that_holds_its_document(void **state)
{
    struct sbx_world *w = start(&(struct sbx_opts){.members = 1, .fast = true});
    struct sbx_client txn, other;

    (void)state;
    open_to(&txn, w);
    open_to(&other, w);
    assert_int_equal(code_of(&other, "t", "{'insert': 'a', 'documents': [{'_id': 1}]}"), 0);
    assert_int_equal(
        code_of(&txn, "t",
                "{'update': 'a', 'updates': [{'q': {'_id': 1}, 'u': {'$set': {'x': 1}}}], "
                "'startTransaction': true, " SESSION
                ", 'txnNumber': {'$numberLong': '1'}, 'autocommit': false}"),
        0);
    assert_int_equal(code_of(&other, "t",
                             "{'update': 'a', 'updates': [{'q': {'_id': 1}, 'u': {'$set': {'x': "
                             "2}}}], 'maxTimeMS': 50}"),
                     50);
    end_txn(&txn, "commitTransaction", 1);
    assert_int_equal(code_of(&other, "t",
                             "{'update': 'a', 'updates': [{'q': {'_id': 1}, 'u': {'$set': {'x': "
                             "2}}}], 'maxTimeMS': 5000}"),
                     0);
    sbx_client_close(&txn);
    sbx_client_close(&other);
    sbx_world_stop(w);
}

/* ---- the shop and the operator ---- */

static void verb(struct sbx_world *w, const char *a, const char *b)
{
    const char *words[] = {a, b};
    struct mst_str out = {0};
    struct mst_err err = {0};

    assert_ok(sbx_ctl_verb(w, words, b != NULL ? 2 : 1, &out, &err), &err);
    mst_str_release(&out);
}

static bool agree(struct sbx_world *w, void *arg)
{
    const struct sbx_member *p = NULL;

    (void)arg;
    for (size_t i = 0; i < w->n; i++) {
        p = w->members[i].writable ? &w->members[i] : p;
    }
    for (size_t i = 0; p != NULL && i < w->n; i++) {
        const struct sbx_member *m = &w->members[i];

        if (m != p &&
            (m->state != SBX_SECONDARY || mst_ts_cmp(m->applied.op.ts, p->applied.op.ts) != 0)) {
            return false;
        }
    }
    return p != NULL;
}

static void md5_of(struct sbx_world *w, size_t member, char out[64])
{
    struct sbx_client c;
    struct mst_err err = {0};
    bson_t cmd = BSON_INITIALIZER, reply;

    assert_ok(sbx_client_connect(&c, "127.0.0.1", sbx_world_port(w, member), 20000, &err), &err);
    BSON_APPEND_INT32(&cmd, "dbHash", 1);
    assert_ok(sbx_client_command(&c, "shop", &cmd, &reply, &err), &err);
    (void)snprintf(out, 64, "%s", sbx_doc_str(&reply, "md5"));
    bson_destroy(&reply);
    bson_destroy(&cmd);
    sbx_client_close(&c);
}

static void the_shop_writes_on_while_members_come_and_go(void **state)
{
    static const char *const there[] = {"kill", "stop", "partition"};
    static const char *const back[] = {"start", "cont", "heal"};
    struct sbx_world *w = start(&(struct sbx_opts){.fast = true, .seed = 7});
    char text[3][32], first[64], other[64];
    const char *seeds[3];
    struct sbx_writer_opts o = {
        .seeds = seeds, .n_seeds = 3, .per_s = 200, .customers = 20, .seed = 7, .ddl = true};
    struct sbx_writer *writer = NULL;
    struct sbx_shop_stats stats;
    struct mst_err err = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(text[i], sizeof text[i], "127.0.0.1:%d", sbx_world_port(w, i));
        seeds[i] = text[i];
    }
    assert_ok(sbx_writer_start(&o, &writer, &err), &err);
    for (unsigned round = 0; round < ROUNDS; round++) {
        const int primary = sbx_world_wait_primary(w, -1, 30000);
        /* The primary in each second round, a secondary in the others. */
        const unsigned victim = ((unsigned)primary + round % 2) % 3;
        char name[8];

        assert_true(primary >= 0);
        (void)snprintf(name, sizeof name, "%u", victim);
        verb(w, there[round % 3], name);
        assert_true(sbx_world_wait_primary(w, (int)victim, 30000) >= 0);
        verb(w, back[round % 3], name);
    }
    assert_true(sbx_world_wait_primary(w, -1, 30000) >= 0);
    sbx_writer_pause(writer, true);
    sbx_writer_stats(writer, &stats);
    sbx_writer_stop(writer);
    assert_true(stats.writes > 0);
    assert_true(sbx_world_wait(w, agree, NULL, 30000));
    md5_of(w, 0, first);
    for (size_t i = 1; i < 3; i++) {
        md5_of(w, i, other);
        assert_string_equal(other, first);
    }
    sbx_world_stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ddl_waits_for_the_transaction_and_no_longer_than_it_may),
        cmocka_unit_test(a_write_waits_for_the_transaction_that_holds_its_document),
        cmocka_unit_test(the_shop_writes_on_while_members_come_and_go)};

    return cmocka_run_group_tests_name("turmoil", tests, NULL, NULL);
}
