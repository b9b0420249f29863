#include "conn_kit.h"

/* A cursor of ten documents in batches of four. */
static bool cursor_server(void *arg, const char *db, const bson_t *cmd, bson_t *reply)
{
    int *at = arg;
    bson_iter_t it;
    const bool find = bson_iter_init_find(&it, cmd, "find"),
               more = bson_iter_init_find(&it, cmd, "getMore"),
               kill = bson_iter_init_find(&it, cmd, "killCursors");
    bson_t cursor, batch, doc;
    int n;

    (void)db;
    if (kill) {
        *at = -1;
        (void)BSON_APPEND_DOUBLE(reply, "ok", 1);
        return true;
    }
    if (!find && !more) {
        return false;
    }
    *at = find ? 0 : *at;
    (void)BSON_APPEND_DOCUMENT_BEGIN(reply, "cursor", &cursor);
    (void)BSON_APPEND_ARRAY_BEGIN(&cursor, find ? "firstBatch" : "nextBatch", &batch);
    for (n = 0; n < 4 && *at < 10; n++, (*at)++) {
        char key[16];

        (void)snprintf(key, sizeof(key), "%d", n);
        (void)bson_append_document_begin(&batch, key, -1, &doc);
        (void)BSON_APPEND_INT32(&doc, "_id", *at);
        (void)bson_append_document_end(&batch, &doc);
    }
    (void)bson_append_array_end(&cursor, &batch);
    (void)BSON_APPEND_INT64(&cursor, "id", *at < 10 ? 4711 : 0);
    (void)BSON_APPEND_UTF8(&cursor, "ns", "shop.orders.eu");
    (void)bson_append_document_end(reply, &cursor);
    (void)BSON_APPEND_DOUBLE(reply, "ok", 1);
    return true;
}

static struct mst_cursor *open_cursor(struct mst_conn *c, const char *json)
{
    struct mst_cursor *cur = NULL;
    struct mst_err err = {0};
    bson_error_t e;
    bson_t *cmd = bson_new_from_json((const uint8_t *)json, -1, &e);

    assert_non_null(cmd);
    assert_ok(mst_cursor_open(c, "shop", cmd, 1000, &cur, &err), &err);
    bson_destroy(cmd);
    return cur;
}

static void a_cursor_gives_every_document_over_its_batches(void **state)
{
    struct mst_conn *c = open_ok(*state);
    struct mst_cursor *cur;
    struct mst_err err = {0};
    const bson_t *doc;
    char coll[32];
    bson_t sent;
    int at = 0;

    mock_handle(*state, cursor_server, &at);
    cur = open_cursor(c, "{\"find\": \"orders.eu\", \"lsid\": {\"id\": 5}}");
    for (int i = 0; i < 10; i++) {
        assert_ok(mst_cursor_next(cur, &doc, &err), &err);
        assert_int_equal(mst_bson_i64(doc, "_id", -1), i);
        if (i == 5) {
            assert_ok(ask(c, "ping", 1000, &err), &err); /* does not move the batch */
            assert_int_equal(mst_bson_i64(doc, "_id", -1), 5);
        }
    }
    assert_ok(mst_cursor_next(cur, &doc, &err), &err);
    assert_null(doc);
    assert_true(mst_cursor_dead(cur));
    assert_true(mock_last(*state, "getMore", &sent));
    assert_true(mst_bson_text(&sent, "collection", coll, sizeof(coll)));
    assert_string_equal(coll, "orders.eu");
    assert_int_equal(mst_bson_i64(&sent, "lsid.id", 0), 5); /* the caller's session goes along */
    bson_destroy(&sent);
    mst_cursor_free(cur);
    assert_int_equal(at, 10); /* nothing to kill */
    mst_conn_free(c);
}

static void an_unfinished_cursor_is_killed_at_the_server(void **state)
{
    struct mst_conn_opts o = opts(*state);
    struct mst_task task;
    struct mst_conn *c = NULL;
    struct mst_cursor *cur;
    struct mst_err err = {0};
    int at = 0;

    assert_ok(mst_task_init(&task, &err), &err);
    o.task = &task;
    assert_ok(mst_conn_open(&o, &c, &err), &err);
    mock_handle(*state, cursor_server, &at);
    cur = open_cursor(c, "{\"find\": \"orders.eu\"}");
    mst_task_cancel(&task); /* even after a cancel: it would stay for ever */
    mst_cursor_free(cur);
    assert_int_equal(at, -1);
    mst_conn_free(c);
    mst_task_release(&task);
}

static void a_batch_that_is_not_made_of_documents_is_refused(void **state)
{
    struct mst_conn *c = open_ok(*state);
    struct mst_cursor *cur;
    struct mst_err err = {0};
    const bson_t *doc;

    mock_reply_json(*state, "find",
                    "{\"cursor\": {\"id\": {\"$numberLong\": \"0\"}, \"ns\": \"shop.x\", "
                    "\"firstBatch\": [1]}, \"ok\": 1}");
    cur = open_cursor(c, "{\"find\": \"x\"}");
    assert_rc(mst_cursor_next(cur, &doc, &err), MST_E_INTEGRITY, &err);
    mst_cursor_free(cur);
    mst_conn_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_cursor_gives_every_document_over_its_batches),
        T(an_unfinished_cursor_is_killed_at_the_server),
        T(a_batch_that_is_not_made_of_documents_is_refused),
    };
    return cmocka_run_group_tests_name("cursor", tests, group_setup, group_teardown);
}
