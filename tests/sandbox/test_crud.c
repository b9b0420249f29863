/* Documents over the wire: members stay equal, the oplog alone leads to the same data, hard
 * documents survive, cursors behave. */
#include <bson/bson.h>
#include <stdlib.h>

#include "sandbox_kit.h"

#include "sandbox/data/data.h"
#include "sandbox/oplog/entries.h"

static uint64_t seed;

static uint32_t chance(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

/* One command on an open connection; its code. */
static int run(struct sbx_client *c, const char *db, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int run(struct sbx_client *c, const char *db, const char *fmt, ...)
{
    char text[2048];
    struct mst_err err = {0};
    bson_error_t bad;
    bson_t *cmd, reply;
    va_list ap;
    enum mst_rc rc;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    for (char *p = text; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    cmd = bson_new_from_json((const uint8_t *)text, -1, &bad);
    if (!cmd) {
        fail_msg("%s: %s", text, bad.message);
    }
    rc = sbx_client_command(c, db, cmd, &reply, &err);
    if (rc != MST_OK && rc != MST_E_SERVER) {
        fail_msg("%s: %s", text, err.msg);
    }
    bson_destroy(&reply);
    bson_destroy(cmd);
    return rc == MST_OK ? 0 : err.detail ? err.detail : -1;
}

static void random_write(struct sbx_client *c)
{
    const char *coll = (const char *[]){"a", "b", "c"}[chance(3)];
    const uint32_t id = chance(40), x = chance(1000);

    switch (chance(14)) {
    case 0:
    case 1:
    case 2:
        run(c, "t",
            "{'insert': '%s', 'documents': [{'_id': %u, 'x': %u, 'l': [1, %u], 'o': {'p': "
            "'a string of some length', 'q': %u}}]}",
            coll, id, x, x, x);
        break;
    case 3:
        run(c, "t",
            "{'update': '%s', 'updates': [{'q': {'_id': %u}, 'u': {'$set': {'x': %u, 'o.q': "
            "%u, 'n%u': 1}}, 'upsert': true}]}",
            coll, id, x, x, x % 5);
        break;
    case 4:
        run(c, "t",
            "{'update': '%s', 'updates': [{'q': {'x': {'$gt': %u}}, 'u': {'$inc': {'x': "
            "-7}, '$push': {'l': {'$each': [%u, 2], '$slice': -4}}}, 'multi': true}]}",
            coll, x, x);
        break;
    case 5:
        run(c, "t",
            "{'update': '%s', 'updates': [{'q': {'_id': %u}, 'u': {'$unset': {'o.p': 1, "
            "'n1': 1}, '$rename': {'n2': 'm'}, '$addToSet': {'l': %u}}}]}",
            coll, id, x % 6);
        break;
    case 6:
        run(c, "t", "{'update': '%s', 'updates': [{'q': {'_id': %u}, 'u': {'y': %u, 'l': [%u]}}]}",
            coll, id, x, x);
        break;
    case 7:
    case 8:
        run(c, "t", "{'delete': '%s', 'deletes': [{'q': {'_id': %u}, 'limit': 1}]}", coll, id);
        break;
    case 9:
        run(c, "t",
            "{'findAndModify': '%s', 'query': {'x': {'$lt': %u}}, 'sort': {'x': -1}, "
            "'update': {'$push': {'l': %u}, '$mul': {'x': 3}}}",
            coll, x, x);
        break;
    case 10:
        run(c, "t", "{'createIndexes': '%s', 'indexes': [{'key': {'k%u': 1}, 'name': 'k%u'}]}",
            coll, id % 4, id % 4);
        break;
    case 11:
        if (chance(8) == 0) {
            run(c, "t", "{'drop': '%s'}", coll);
        } else {
            run(c, "t", "{'dropIndexes': '%s', 'index': 'k%u'}", coll, id % 4);
        }
        break;
    case 12:
        if (chance(3) == 0) {
            run(c, "admin", "{'renameCollection': 't.%s', 'to': 't.b', 'dropTarget': true}", coll);
        } else {
            run(c, "t",
                "{'collMod': '%s', 'validator': {'x': {'$type': 'number'}}, "
                "'validationLevel': 'off'}",
                coll);
        }
        break;
    default:
        run(c, "admin",
            "{'applyOps': [{'op': 'i', 'ns': 't.%s', 'o': {'_id': %u, 'x': 1}}, {'op': "
            "'u', 'ns': 't.%s', 'o2': {'_id': %u}, 'o': {'$set': {'z': %u}}}]}",
            coll, id, coll, (id + 7) % 40, x);
        break;
    }
}

static bool all_applied(struct sbx_world *w, void *arg)
{
    const struct mst_optime *want = arg;

    for (size_t i = 0; i < w->n; i++) {
        if (mst_optime_cmp(w->members[i].applied.op, *want) < 0) {
            return false;
        }
    }
    return true;
}

static struct mst_optime newest(struct kit *k)
{
    struct mst_optime at;

    sbx_lock(k->w);
    at = k->w->members[0].applied.op;
    sbx_unlock(k->w);
    return at;
}

static void assert_same(const struct sbx_data *a, const struct sbx_data *b, const char *what)
{
    unsigned n = 0;

    for (struct sbx_coll *c = sbx_data_next(a, "t"); c; c = sbx_data_next(a, c->ns)) {
        struct sbx_coll *o = sbx_data_coll(b, c->ns);
        char x[SBX_MD5_HEX], y[SBX_MD5_HEX];

        if (strncmp(c->ns, "t.", 2) != 0) {
            continue;
        }
        n++;
        if (!o) {
            fail_msg("%s: %s is missing", what, c->ns);
            return;
        }
        assert_memory_equal(c->uuid, o->uuid, 16);
        assert_int_equal(c->count, o->count);
        assert_int_equal(sbx_index_count(c), sbx_index_count(o));
        sbx_coll_md5(c, SBX_LATEST, x);
        sbx_coll_md5(o, SBX_LATEST, y);
        if (strcmp(x, y) != 0) {
            fail_msg("%s: %s is %s here and %s there", what, c->ns, x, y);
        }
    }
    assert_true(n > 0);
}

/* The oplog alone, applied to nothing from its first entry on, leads to the same data. */
static void assert_replays(struct sbx_member *m)
{
    struct sbx_data *d = sbx_data_new();
    char why[256] = "";

    sbx_data_plain_specs(d, m->w->profile->server != SBX_42);
    for (uint64_t p = sbx_oplog_begin(m->oplog); p < sbx_oplog_end(m->oplog); p++) {
        if (!sbx_data_apply(d, sbx_entry_doc(sbx_oplog_at(m->oplog, p)), why, sizeof why)) {
            fail_msg("replay: %s", why);
        }
    }
    assert_same(m->data, d, "replayed");
    sbx_data_free(d);
}

static void members_stay_equal(const char *server, uint64_t with)
{
    struct kit k;
    struct sbx_client c;
    struct mst_optime at;

    seed = with;
    kit_start(&k, (struct sbx_opts){.server = server, .fast = true, .seed = with});
    kit_connect(&k, 0, &c);
    for (int i = 0; i < 1500; i++) {
        random_write(&c);
    }
    run(&c, "t", "{'insert': 'last', 'documents': [{'_id': 1}]}");
    at = newest(&k);
    assert_true(sbx_world_wait(k.w, all_applied, &at, 20000));
    sbx_lock(k.w);
    for (size_t i = 1; i < k.w->n; i++) {
        assert_same(k.w->members[0].data, k.w->members[i].data, "replicated");
        assert_same(k.w->members[i].data, k.w->members[0].data, "replicated");
    }
    assert_replays(&k.w->members[1]);
    sbx_unlock(k.w);
    sbx_client_close(&c);
    kit_stop(&k);
}

static void members_stay_equal_under_random_writes(void **state)
{
    (void)state;
    members_stay_equal("4.2", 11);
    members_stay_equal("4.2", 12);
}

static void members_stay_equal_on_the_newer_profile(void **state)
{
    (void)state;
    members_stay_equal("7.0", 13);
    members_stay_equal("7.0", 14);
}

/* ---- hard documents ---- */

static void send_doc(struct kit *k, const bson_t *doc, int want)
{
    struct sbx_client c;
    struct mst_err err = {0};
    bson_t cmd = BSON_INITIALIZER, list, reply, answer;
    int64_t n = 0;

    kit_connect(k, 0, &c);
    BSON_APPEND_UTF8(&cmd, "insert", "hard");
    bson_append_array_begin(&cmd, "documents", -1, &list);
    BSON_APPEND_DOCUMENT(&list, "0", doc);
    bson_append_array_end(&cmd, &list);
    assert_ok(sbx_client_command(&c, "t", &cmd, &reply, &err), &err);
    assert_true(sbx_doc_int(&reply, "n", &n));
    assert_int_equal(n, want);
    bson_destroy(&reply);
    bson_destroy(&cmd);
    if (want) { /* back, byte for byte, from a secondary too */
        const struct sbx_val id = sbx_doc_get(sbx_doc(bson_get_data(doc), doc->len), "_id");
        const struct mst_optime at = newest(k);
        struct mst_buf scratch = {0};

        assert_true(
            sbx_world_wait(k->w, all_applied, (void *)&(struct mst_optime){at.ts, at.term}, 20000));
        sbx_lock(k->w);
        for (size_t i = 0; i < k->w->n; i++) {
            struct sbx_row row;

            assert_true(sbx_coll_by_id(sbx_data_coll(k->w->members[i].data, "t.hard"), id,
                                       SBX_LATEST, &scratch, &row));
            assert_int_equal(row.doc.n, doc->len);
            assert_memory_equal(row.doc.p, bson_get_data(doc), doc->len);
        }
        sbx_unlock(k->w);
        bson_init(&cmd);
        BSON_APPEND_UTF8(&cmd, "find", "hard");
        bson_append_document_begin(&cmd, "filter", -1, &list);
        {
            bson_iter_t it;

            assert_true(bson_iter_init_find(&it, doc, "_id"));
            bson_append_iter(&list, "_id", -1, &it);
        }
        bson_append_document_end(&cmd, &list);
        assert_ok(sbx_client_command(&c, "t", &cmd, &answer, &err), &err);
        const struct sbx_val got =
            sbx_path_get(sbx_doc(bson_get_data(&answer), answer.len), "cursor.firstBatch.0");
        assert_int_equal(got.n, doc->len);
        assert_memory_equal(got.p, bson_get_data(doc), doc->len);
        bson_destroy(&answer);
        bson_destroy(&cmd);
    }
    sbx_client_close(&c);
}

static void hard_documents_survive_byte_for_byte(void **state)
{
    static const uint8_t bad_utf8[] = {'a', 0xff, 0xfe, 0xc3, 0x28};
    struct kit k;
    bson_t d, sub;
    bson_decimal128_t dec;
    bson_error_t bad;
    char *big;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true});
    bson_init(&d);
    BSON_APPEND_INT32(&d, "_id", 1);
    bson_append_utf8(&d, "bad", -1, (const char *)bad_utf8, sizeof bad_utf8);
    bson_append_int32(&d, "", 0, 5);
    bson_append_document_begin(&d, "in", -1, &sub);
    bson_append_timestamp(&sub, "zero", -1, 0, 0);
    bson_append_int32(&sub, "", 0, 1);
    bson_append_int32(&sub, "a.b", -1, 2);
    bson_append_int32(&sub, "$c", -1, 3);
    bson_append_document_end(&d, &sub);
    BSON_APPEND_MINKEY(&d, "min");
    BSON_APPEND_MAXKEY(&d, "max");
    BSON_APPEND_UNDEFINED(&d, "undef");
    BSON_APPEND_SYMBOL(&d, "sym", "s");
    BSON_APPEND_CODE(&d, "code", "f()");
    BSON_APPEND_REGEX(&d, "rx", "a", "im");
    BSON_APPEND_DATE_TIME(&d, "date", -1);
    BSON_APPEND_DOUBLE(&d, "minus", -0.0);
    assert_true(bson_decimal128_from_string("1.000", &dec));
    BSON_APPEND_DECIMAL128(&d, "dec", &dec);
    BSON_APPEND_BINARY(&d, "old", BSON_SUBTYPE_BINARY_DEPRECATED, bad_utf8, 5);
    send_doc(&k, &d, 1);
    bson_destroy(&d);

    bson_init(&d); /* exactly 16 MiB, then one byte more */
    BSON_APPEND_INT32(&d, "_id", 2);
    big = mst_xmalloc(16 * 1024 * 1024);
    memset(big, 'x', 16 * 1024 * 1024);
    const uint32_t left = 16 * 1024 * 1024 - d.len - 1 - 2 - 4 - 1;
    assert_true(bson_append_utf8(&d, "s", 1, big, (int)left));
    assert_int_equal(d.len, 16 * 1024 * 1024);
    send_doc(&k, &d, 1);
    bson_reinit(&d);
    BSON_APPEND_INT32(&d, "_id", 3);
    assert_true(bson_append_utf8(&d, "s", 1, big, (int)left + 1));
    send_doc(&k, &d, 0);
    bson_destroy(&d);
    free(big);

    for (int levels = 180; levels <= 181; levels++) {
        bson_t *inner = bson_new();

        BSON_APPEND_INT32(inner, "v", 1);
        for (int i = 2; i < levels; i++) {
            bson_t *outer = bson_new();

            BSON_APPEND_DOCUMENT(outer, "a", inner);
            bson_destroy(inner);
            inner = outer;
        }
        bson_init(&d);
        BSON_APPEND_INT32(&d, "_id", levels);
        BSON_APPEND_DOCUMENT(&d, "a", inner);
        send_doc(&k, &d, levels == 180);
        bson_destroy(&d);
        bson_destroy(inner);
    }
    static const char *const ids[] = {"{\"_id\": \"1\"}",
                                      "{\"_id\": null}",
                                      "{\"_id\": {\"a\": 1}}",
                                      "{\"_id\": 1.5}",
                                      "{\"_id\": true}",
                                      "{\"_id\": {\"$numberDecimal\": \"7.50\"}}",
                                      "{\"_id\": {\"$minKey\": 1}}"};
    for (size_t i = 0; i < MST_COUNT(ids); i++) {
        bson_t *b = bson_new_from_json((const uint8_t *)ids[i], -1, &bad);

        assert_non_null(b);
        send_doc(&k, b, 1);
        bson_destroy(b);
    }
    kit_stop(&k);
}

static void a_zero_timestamp_at_the_top_becomes_the_present(void **state)
{
    struct kit k;
    struct sbx_client c;
    bson_t reply;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true});
    kit_connect(&k, 0, &c);
    assert_int_equal(run(&c, "t",
                         "{'insert': 'z', 'documents': [{'ts': {'$timestamp': {'t': 0, "
                         "'i': 0}}, '_id': 1}]}"),
                     0);
    assert_int_equal(kit_run(&k, 0, "t", &reply, "{'find': 'z'}"), 0);
    const struct sbx_val row =
        sbx_path_get(sbx_doc(bson_get_data(&reply), reply.len), "cursor.firstBatch.0");
    struct sbx_it first;
    assert_true(sbx_doc_first(sbx_val_doc(row), &first));
    assert_string_equal(first.key, "_id"); /* moved to the front */
    assert_true(sbx_val_ts(sbx_doc_get(sbx_val_doc(row), "ts")).t > 1000000000);
    bson_destroy(&reply);
    sbx_client_close(&c);
    kit_stop(&k);
}

/* ---- cursors ---- */

static int64_t cursor_of(const bson_t *reply, const char *batch, int64_t *n)
{
    const struct sbx_doc d = sbx_doc(bson_get_data(reply), reply->len);
    char path[64];

    (void)snprintf(path, sizeof path, "cursor.%s", batch);
    *n = (int64_t)sbx_doc_count(sbx_val_doc(sbx_path_get(d, path)));
    return sbx_val_i64(sbx_path_get(d, "cursor.id"));
}

static void cursors_give_batches_and_end(void **state)
{
    struct kit k;
    struct sbx_client c;
    bson_t reply;
    int64_t n, id;
    char text[256];

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true});
    kit_connect(&k, 0, &c);
    for (int i = 0; i < 7; i++) {
        run(&c, "t", "{'insert': 'a', 'documents': [{'_id': %d}]}", i);
    }
    assert_int_equal(kit_run(&k, 0, "t", &reply, "{'find': 'a', 'batchSize': 3}"), 0);
    id = cursor_of(&reply, "firstBatch", &n);
    bson_destroy(&reply);
    assert_true(id != 0 && n == 3);
    (void)snprintf(text, sizeof text, "{'getMore': {'$numberLong': '%lld'}, 'collection': 'b'}",
                   (long long)id);
    assert_int_equal(kit_run(&k, 0, "t", &reply, text), 13); /* another namespace */
    bson_destroy(&reply);
    run(&c, "t", "{'insert': 'a', 'documents': [{'_id': 'late'}]}"); /* read live */
    (void)snprintf(text, sizeof text, "{'getMore': {'$numberLong': '%lld'}, 'collection': 'a'}",
                   (long long)id);
    assert_int_equal(kit_run(&k, 0, "t", &reply, text), 0);
    assert_int_equal(cursor_of(&reply, "nextBatch", &n), 0);
    assert_int_equal(n, 5);
    bson_destroy(&reply);
    assert_int_equal(kit_run(&k, 0, "t", &reply, text), 43);
    bson_destroy(&reply);
    assert_int_equal(kit_run(&k, 0, "t", &reply, "{'find': 'a', 'batchSize': 0}"), 0);
    id = cursor_of(&reply, "firstBatch", &n);
    assert_true(id != 0 && n == 0);
    bson_destroy(&reply);
    run(&c, "t", "{'drop': 'a'}");
    (void)snprintf(text, sizeof text, "{'getMore': {'$numberLong': '%lld'}, 'collection': 'a'}",
                   (long long)id);
    assert_int_equal(kit_run(&k, 0, "t", &reply, text), 175);
    bson_destroy(&reply);
    sbx_client_close(&c);
    kit_stop(&k);
}

static void a_tail_of_the_oplog_waits_and_loses_its_place(void **state)
{
    struct kit k;
    struct sbx_client c;
    bson_t reply;
    int64_t n, id;
    char text[256];

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .oplog_bytes = 20000});
    kit_connect(&k, 0, &c);
    assert_int_equal(kit_run(&k, 0, "local", &reply,
                             "{'find': 'oplog.rs', 'tailable': true, 'awaitData': true, 'filter': "
                             "{'ns': 't.a'}}"),
                     0);
    id = cursor_of(&reply, "firstBatch", &n);
    bson_destroy(&reply);
    assert_true(id != 0 && n == 0);
    (void)snprintf(text, sizeof text,
                   "{'getMore': {'$numberLong': '%lld'}, 'collection': 'oplog.rs', 'maxTimeMS': 1}",
                   (long long)id);
    assert_int_equal(kit_run(&k, 0, "local", &reply, text), 0);
    assert_int_equal(cursor_of(&reply, "nextBatch", &n), id); /* nothing yet: it stays */
    assert_int_equal(n, 0);
    bson_destroy(&reply);
    run(&c, "t", "{'insert': 'a', 'documents': [{'_id': 1}]}");
    assert_int_equal(kit_run(&k, 0, "local", &reply, text), 0);
    assert_int_equal(cursor_of(&reply, "nextBatch", &n), id);
    assert_int_equal(n, 1);
    bson_destroy(&reply);
    for (int i = 2; i < 400; i++) {
        run(&c, "t", "{'insert': 'a', 'documents': [{'_id': %d}]}", i);
    }
    assert_int_equal(kit_run(&k, 0, "local", &reply, text), 136);
    bson_destroy(&reply);
    sbx_client_close(&c);
    kit_stop(&k);
}

static void a_scan_resumes_from_its_token_on_the_newer_profile(void **state)
{
    struct kit k;
    struct sbx_client c;
    bson_t reply;
    char text[256];

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .server = "7.0"});
    kit_connect(&k, 0, &c);
    for (int i = 0; i < 6; i++) {
        run(&c, "t", "{'insert': 'a', 'documents': [{'_id': %d}]}", i);
    }
    assert_int_equal(kit_run(&k, 0, "t", &reply,
                             "{'find': 'a', 'hint': {'$natural': 1}, 'batchSize': 2, "
                             "'$_requestResumeToken': true}"),
                     0);
    const int64_t rid = kit_int(&reply, "cursor.postBatchResumeToken.$recordId");
    bson_destroy(&reply);
    (void)snprintf(text, sizeof text,
                   "{'find': 'a', 'hint': {'$natural': 1}, '$_requestResumeToken': true, "
                   "'$_resumeAfter': {'$recordId': {'$numberLong': '%lld'}}}",
                   (long long)rid);
    assert_int_equal(kit_run(&k, 0, "t", &reply, text), 0);
    assert_int_equal(kit_int(&reply, "cursor.firstBatch.0._id"), 2);
    assert_int_equal(kit_int(&reply, "cursor.firstBatch.3._id"), 5);
    bson_destroy(&reply);
    run(&c, "t", "{'delete': 'a', 'deletes': [{'q': {'_id': 1}, 'limit': 1}]}");
    assert_int_equal(kit_run(&k, 0, "t", &reply, text), 211); /* its record is gone */
    bson_destroy(&reply);
    sbx_client_close(&c);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_stay_equal_under_random_writes),
        cmocka_unit_test(members_stay_equal_on_the_newer_profile),
        cmocka_unit_test(hard_documents_survive_byte_for_byte),
        cmocka_unit_test(a_zero_timestamp_at_the_top_becomes_the_present),
        cmocka_unit_test(cursors_give_batches_and_end),
        cmocka_unit_test(a_tail_of_the_oplog_waits_and_loses_its_place),
        cmocka_unit_test(a_scan_resumes_from_its_token_on_the_newer_profile),
    };

    return cmocka_run_group_tests_name("crud", tests, NULL, NULL);
}
