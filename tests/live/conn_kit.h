/* conn_kit.h: a scripted member for each test, and connections to it. */
#ifndef MST_TEST_CONN_KIT_H
#define MST_TEST_CONN_KIT_H

#include "test.h" /* cmocka, assert_ok(), assert_rc() */

#include "base/mem.h"
#include "mockmember.h"
#include "mongo/mongo.h"

#define HELLO \
    "{\"ismaster\": true, \"setName\": \"rs0\", \"me\": \"%s\", \"hosts\": [\"%s\"], " \
    "\"maxBsonObjectSize\": 16777216, \"maxMessageSizeBytes\": 48000000, " \
    "\"maxWriteBatchSize\": 100000, \"minWireVersion\": 0, \"maxWireVersion\": 8, " \
    "\"logicalSessionTimeoutMinutes\": 30, \"ok\": 1.0}"

static inline void member_hello(struct mock *m)
{
    char json[1024];

    (void)snprintf(json, sizeof(json), HELLO, mock_addr(m), mock_addr(m));
    mock_reply_json(m, "isMaster", json);
    mock_reply_json(m, "ping", "{\"ok\": 1.0}");
}

static inline int setup(void **state)
{
    struct mock *m = mock_start(NULL);

    member_hello(m);
    *state = m;
    return 0;
}

static inline int teardown(void **state)
{
    mock_stop(*state);
    return 0;
}

static inline struct mst_conn_opts opts(const struct mock *m)
{
    struct mst_conn_opts o = {.check_me = true, .connect_ms = 1500};

    (void)mst_copy(o.name, sizeof(o.name), mock_addr(m));
    return o;
}

static inline struct mst_conn *open_ok(const struct mock *m)
{
    const struct mst_conn_opts o = opts(m);
    struct mst_conn *c = NULL;
    struct mst_err err = {0};

    assert_ok(mst_conn_open(&o, &c, &err), &err);
    return c;
}

static inline enum mst_rc ask(struct mst_conn *c, const char *name, int64_t ms, struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER, reply;
    enum mst_rc rc;

    (void)BSON_APPEND_INT32(&cmd, name, 1);
    rc = mst_conn_command(c, "admin", &cmd, ms, &reply, err);
    bson_destroy(&reply);
    bson_destroy(&cmd);
    return rc;
}

static inline int group_setup(void **state)
{
    (void)state;
    mst_mongo_init();
    return 0;
}

static inline int group_teardown(void **state)
{
    (void)state;
    mst_mongo_cleanup();
    return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
