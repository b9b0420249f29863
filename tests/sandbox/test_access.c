/* What a real 4.2.8 set with access control answered to strangers and to users of each role is
 * answered the same way by the simulator. */
#include <stdio.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/scram.h"
#include "base/mem.h"
#include "conform/play.h"
#include "test.h"

/* Raised as more is served; never lowered. */
#define FLOOR_REPLAYED 127
#define FLOOR_COMPARED 1390
/* Lowered as more is compared; never raised. */
#define CEILING_EXCEPTED 305

static struct conf conf;
static const int in_order[PLAY_MEMBERS] = {27117, 27118, 27119};

static struct sbx_world *start(const struct sbx_opts *o)
{
    struct sbx_world *w = NULL;
    struct mst_err err = {0};

    assert_ok(sbx_world_start(o, &w, &err), &err);
    return w;
}

static void add(struct sbx_world *w, const char *name, const char *password, const char *roles)
{
    struct mst_err err = {0};

    sbx_lock(w);
    assert_ok(sbx_auth_add_with(w, "admin", name, password, roles, &err), &err);
    sbx_unlock(w);
}

/* From here on somebody else asks. */
static void as(struct play *p, const char *user, const char *password)
{
    for (int i = 0; i < PLAY_MEMBERS; i++) {
        play_hang_up(p, PLAY_FIRST_PORT + i);
    }
    p->user = user;
    p->password = password;
}

/* A command with ' for ", on the first member; it must succeed. */
static void run_json(struct play *p, const char *json, const char *db)
{
    char *text = mst_xstrdup(json);
    struct mst_err err = {0};
    bson_error_t e;
    bson_t *cmd, reply;

    for (char *c = text; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    cmd = bson_new_from_json((const uint8_t *)text, -1, &e);
    assert_non_null(cmd);
    assert_ok(sbx_client_command(play_client(p, 27117), db, cmd, &reply, &err), &err);
    bson_destroy(&reply);
    bson_destroy(cmd);
    free(text);
}

static const char *payload(const bson_t *reply, char *out, size_t size)
{
    bson_iter_t it;
    bson_subtype_t type;
    const uint8_t *p;
    uint32_t n;

    assert_true(bson_iter_init_find(&it, reply, "payload") && BSON_ITER_HOLDS_BINARY(&it));
    bson_iter_binary(&it, &type, &n, &p);
    (void)snprintf(out, size, "%.*s", (int)n, (const char *)p);
    return out;
}

static void step(bson_t *cmd, const char *name, const char *text)
{
    bson_init(cmd);
    BSON_APPEND_INT32(cmd, name, 1);
    if (strcmp(name, "saslStart") == 0) {
        BSON_APPEND_UTF8(cmd, "mechanism", "SCRAM-SHA-256");
    } else {
        BSON_APPEND_INT32(cmd, "conversationId", 1);
    }
    BSON_APPEND_BINARY(cmd, "payload", BSON_SUBTYPE_BINARY, (const uint8_t *)text,
                       (uint32_t)strlen(text));
}

/* The recording has under the driver's command what its login was answered. */
static void wrong_password(struct play *p, int line)
{
    const char *bare = "n=root,r=abcdefghijklmnop";
    char text[512], proof[512], final[128];
    struct mst_err err = {0};
    struct sbx_client *c;
    bson_t cmd, reply;

    as(p, NULL, NULL);
    c = play_client(p, 27117);
    step(&cmd, "saslStart", "n,,n=root,r=abcdefghijklmnop");
    assert_ok(sbx_client_command(c, "admin", &cmd, &reply, &err), &err);
    assert_true(sbx_scram_client_final(SBX_SCRAM_SHA256, "root", "wrong", bare,
                                       payload(&reply, text, sizeof text), proof, sizeof proof,
                                       final, sizeof final));
    bson_destroy(&reply);
    bson_destroy(&cmd);
    step(&cmd, "saslContinue", proof);
    assert_rc(sbx_client_command(c, "admin", &cmd, &reply, &err), MST_E_SERVER, &err);
    assert_true(
        conf_reply(&conf, p->file, line, "saslContinue", &cmd, &p->lines[line - 1].reply, &reply));
    play_sent(p, line);
    bson_destroy(&reply);
    bson_destroy(&cmd);
}

static void the_first_user_is_made_from_the_same_host_and_then_nobody_is_let_in(void **state)
{
    struct sbx_world *w =
        start(&(struct sbx_opts){.members = 1, .uninitiated = true, .auth = true});
    struct play p;

    (void)state;
    conf_forget(&conf);
    conf.whole = true;
    play_load(&p, &conf, "12-auth");
    play_on(&p, w, in_order);
    (void)play_line(&p, 1);
    assert_int_equal(sbx_world_wait_primary(w, -1, 30000), 0);
    play_lines(&p, 2, 7);
    wrong_password(&p, 8);
    as(&p, "root", "s3cret");
    play_lines(&p, 9, 10);
    as(&p, "backup", "b");
    play_lines(&p, 11, p.n);
    play_release(&p);
    sbx_world_stop(w);
}

/* The recorded set's first member had priority 2. */
static void initiate(struct sbx_world *w)
{
    bson_t cmd = BSON_INITIALIZER, config, members, one, reply;
    struct sbx_client c;
    struct mst_err err = {0};

    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "replSetInitiate", &config);
    BSON_APPEND_UTF8(&config, "_id", "rs0");
    BSON_APPEND_ARRAY_BEGIN(&config, "members", &members);
    for (size_t i = 0; i < w->n; i++) {
        char key[24];

        (void)snprintf(key, sizeof key, "%zu", i);
        BSON_APPEND_DOCUMENT_BEGIN(&members, key, &one);
        BSON_APPEND_INT32(&one, "_id", (int32_t)i);
        BSON_APPEND_UTF8(&one, "host", w->members[i].host);
        BSON_APPEND_INT32(&one, "priority", i == 0 ? 2 : 1);
        bson_append_document_end(&members, &one);
    }
    bson_append_array_end(&config, &members);
    bson_append_document_end(&cmd, &config);
    assert_ok(sbx_client_connect(&c, "127.0.0.1", sbx_world_port(w, 0), 10000, &err), &err);
    assert_ok(sbx_client_command(&c, "admin", &cmd, &reply, &err), &err);
    sbx_client_close(&c);
    bson_destroy(&reply);
    bson_destroy(&cmd);
    assert_int_equal(sbx_world_wait_primary(w, -1, 30000), 0);
}

static void each_role_may_do_what_it_may_on_a_server(void **state)
{
    struct sbx_world *w = start(&(struct sbx_opts){.uninitiated = true});
    struct play p;

    (void)state;
    conf_forget(&conf);
    conf.whole = true;
    play_load(&p, &conf, "15-backup-role");
    play_on(&p, w, in_order);
    initiate(w);
    run_json(&p, "{'create': 'a'}", "shop");
    run_json(&p, "{'create': 'b'}", "shop");
    run_json(&p, "{'insert': 'a', 'documents': [{'_id': 1}, {'_id': 10}, {'_id': 11}]}", "shop");
    add(w, "root", "s3cret", "root");
    add(w, "bk", "b", "backup");
    add(w, "bkm", "b", "backup,clusterMonitor");
    add(w, "cm", "c", "clusterManager");
    add(w, "rst", "r", "restore");
    as(&p, "bk", "b");
    (void)play_line(&p, 8); /* it tells which collections the UUIDs are */
    play_lines(&p, 1, 7);
    play_lines(&p, 9, 29);
    as(&p, "bkm", "b");
    play_lines(&p, 30, 58);
    as(&p, "cm", "c");
    play_lines(&p, 59, 86);
    as(&p, "rst", "r");
    play_lines(&p, 87, 114);
    as(&p, "bk", "b");
    play_lines(&p, 115, p.n);
    play_release(&p);
    sbx_world_stop(w);
}

static void what_was_counted_is_enough(void **state)
{
    unsigned unlisted;

    (void)state;
    unlisted = play_unlisted(&conf, "12-auth") + play_unlisted(&conf, "15-backup-role");
    printf("replayed %u, failed %u; values compared %u, excepted %u (address %u, id %u, time %u, "
           "size %u, build %u)\n",
           conf.replayed, conf.failed, conf.compared, conf.excepted, conf.by_kind[CONF_ADDRESS],
           conf.by_kind[CONF_ID], conf.by_kind[CONF_TIME], conf.by_kind[CONF_SIZE],
           conf.by_kind[CONF_BUILD]);
    (void)fputs(mst_str_c(&conf.diffs), stdout);
    (void)fflush(stdout);
    assert_int_equal(unlisted, 0);
    assert_int_equal(conf.failed, 0);
    assert_true(conf.replayed >= FLOOR_REPLAYED);
    assert_true(conf.compared >= FLOOR_COMPARED);
    assert_true(conf.excepted <= CEILING_EXCEPTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_user_is_made_from_the_same_host_and_then_nobody_is_let_in),
        cmocka_unit_test(each_role_may_do_what_it_may_on_a_server),
        cmocka_unit_test(what_was_counted_is_enough)};
    int failed;

    conf_init(&conf, TEST_DATA "/conformance-exceptions.txt");
    failed = cmocka_run_group_tests_name("access", tests, NULL, NULL);
    conf_release(&conf);
    return failed;
}
