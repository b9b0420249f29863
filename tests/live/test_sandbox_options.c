/* `muster sandbox` with its options, and `muster status` on what it started, as child processes. */
#include "sandbox_kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "runprog.h"
#include "tlsgen.h"

static char dir[64], env_dir[96];
static const char *env[] = {
    env_dir, "MUSTER_CONFIG=", "MUSTER_URI=", "MUSTER_MONGOD=", "NO_COLOR=1", NULL};

static int setup(void **state)
{
    (void)state;
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    return 0;
}

static int teardown(void **state)
{
    struct ran r;

    (void)state;
    RUN(&r, env, "sandbox", "stop"); /* when a test failed in between */
    ran_release(&r);
    temp_remove(dir);
    return 0;
}

#define HAS(text, part) \
    do { \
        if (!strstr((text), (part))) { \
            fail_msg("\"%s\" is not in: %s", (part), (text)); \
        } \
    } while (0)
#define EXPECT(wanted, ...) \
    do { \
        RUN(&r, env, __VA_ARGS__); \
        if (r.status != (wanted)) { \
            fail_msg("status %d, wanted %d: %s%s", r.status, (wanted), mst_str_c(&r.out), \
                     mst_str_c(&r.err)); \
        } \
    } while (0)

static void write_file(const char *name, const char *text, char *path, size_t size)
{
    struct mst_err err = {0};

    (void)snprintf(path, size, "%s/%s", dir, name);
    assert_ok(mst_file_replace(path, 0600, text, strlen(text), &err), &err);
}

static void users_and_tls_of_the_command_line_are_those_of_status(void **state)
{
    char cert[600], user[160], file[128], wrong[128];
    struct tlsgen g;
    struct ran r;

    (void)state;
    tlsgen_init(&g, dir, "ca");
    tlsgen_issue(&g,
                 &(struct tlsgen_want){.file = "server.pem",
                                       .subject = "O=shop,CN=server",
                                       .san = "DNS:localhost,IP:127.0.0.1"},
                 cert);
    write_file("secret", "pa ss\n", file, sizeof(file));
    (void)snprintf(user, sizeof(user), "ops=%s", file);
    EXPECT(2, "sandbox", "--rate", "5", "--user", user); /* the shop cannot log in */
    HAS(mst_str_c(&r.err), "--rate 0");
    ran_release(&r);
    EXPECT(0, "sandbox", "--daemon", "--fast", "--user", user, "--tls-cert", cert, "--tls-ca",
           g.ca);
    ran_release(&r);
    EXPECT(0, "status", "--plain");
    HAS(mst_str_c(&r.out), "health: HEALTHY");
    ran_release(&r);
    /* With another password it is the login that fails, and nothing else. */
    write_file("secret", "other\n", wrong, sizeof(wrong));
    EXPECT(4, "status", "--plain");
    ran_release(&r);
    EXPECT(0, "sandbox", "stop");
    ran_release(&r);
    tlsgen_release(&g);
}

static void users_have_the_roles_of_the_command_line(void **state)
{
    char watcher[160], nobody[160], file[128];
    struct ran r;

    (void)state;
    write_file("secret", "pa ss\n", file, sizeof(file));
    (void)snprintf(watcher, sizeof(watcher), "ops:clusterMonitor=%s", file);
    (void)snprintf(nobody, sizeof(nobody), "ops:chief=%s", file);
    EXPECT(2, "sandbox", "--auth", "--rate", "5");
    HAS(mst_str_c(&r.err), "--rate 0");
    ran_release(&r);
    EXPECT(2, "sandbox", "--user", nobody);
    HAS(mst_str_c(&r.err), "no built-in role chief");
    ran_release(&r);
    EXPECT(2, "sandbox", "--refuse", "serverStatus");
    HAS(mst_str_c(&r.err), "USER=COMMAND");
    ran_release(&r);
    EXPECT(0, "sandbox", "--daemon", "--fast", "--user", watcher);
    ran_release(&r);
    EXPECT(0, "status", "--plain");
    HAS(mst_str_c(&r.out), "health: HEALTHY");
    ran_release(&r);
    EXPECT(0, "sandbox", "stop");
    ran_release(&r);
    /* What is refused on top is missed, and said to be. */
    EXPECT(0, "sandbox", "--daemon", "--fast", "--user", watcher, "--refuse",
           "ops=replSetGetStatus");
    ran_release(&r);
    RUN(&r, env, "status", "--plain");
    assert_int_not_equal(r.status, 0);
    HAS(mst_str_c(&r.out), "replSetGetStatus");
    ran_release(&r);
    EXPECT(0, "sandbox", "stop");
    ran_release(&r);
}

static void members_are_what_their_options_say(void **state)
{
    struct ran r;

    (void)state;
    EXPECT(2, "sandbox", "--member", "prioriti=2");
    HAS(mst_str_c(&r.err), "did you mean priority");
    ran_release(&r);
    EXPECT(2, "sandbox", "--member", "hidden,priority=3");
    HAS(mst_str_c(&r.err), "priority must be 0 when hidden=true");
    ran_release(&r);
    EXPECT(2, "sandbox", "--member", "hidden");
    HAS(mst_str_c(&r.err), "none of them may become primary");
    ran_release(&r);
    EXPECT(2, "sandbox", "--member", "", "--members", "3");
    ran_release(&r);
    EXPECT(0, "sandbox", "--daemon", "--fast", "--rate", "0", "--member", "", "--member",
           "priority=2.5,tag.dc=east", "--member", "hidden,delay=30,votes=0", "--member",
           "arbiter");
    ran_release(&r);
    EXPECT(0, "topology", "--json");
    HAS(mst_str_c(&r.out), "\"priority\":2.5");
    HAS(mst_str_c(&r.out), "\"hidden\":true");
    HAS(mst_str_c(&r.out), "\"delay_s\":30");
    HAS(mst_str_c(&r.out), "east");
    HAS(mst_str_c(&r.out), "ARBITER");
    ran_release(&r);
    EXPECT(0, "sandbox", "stop");
    ran_release(&r);
}

/* How many documents and bytes a natural scan of a collection reads. */
static void scan(struct sbx_client *c, const char *coll, int64_t *n, int64_t *bytes)
{
    bson_t cmd = BSON_INITIALIZER, reply;
    struct mst_err err = {0};
    int64_t id = 0;
    const char *list = "cursor.firstBatch";

    *n = *bytes = 0;
    BSON_APPEND_UTF8(&cmd, "find", coll);
    do {
        bson_iter_t it, at;

        assert_ok(sbx_client_command(c, "fill", &cmd, &reply, &err), &err);
        assert_true(bson_iter_init(&it, &reply) && bson_iter_find_descendant(&it, list, &at) &&
                    bson_iter_recurse(&at, &it));
        while (bson_iter_next(&it)) {
            const uint8_t *p;
            uint32_t len;

            bson_iter_document(&it, &len, &p);
            *bytes += len;
            ++*n;
        }
        assert_true(sbx_doc_int(&reply, "cursor.id", &id));
        bson_destroy(&reply);
        bson_reinit(&cmd);
        BSON_APPEND_INT64(&cmd, "getMore", id);
        BSON_APPEND_UTF8(&cmd, "collection", coll);
        list = "cursor.nextBatch";
    } while (id != 0);
    bson_destroy(&cmd);
}

static int first_port(const char *uri)
{
    const char *at = strstr(uri, "127.0.0.1:");

    assert_non_null(at);
    return (int)strtol(at + strlen("127.0.0.1:"), NULL, 10);
}

static void filled_collections_are_read_over_the_wire(void **state)
{
    struct sbx_client c;
    struct mst_err err = {0};
    struct ran r;
    int64_t total = 0;

    (void)state;
    EXPECT(0, "sandbox", "--daemon", "--fast", "--rate", "0", "--moves", "--fill", "3000000,3");
    assert_ok(sbx_client_connect(&c, "127.0.0.1", first_port(mst_str_c(&r.out)), 10000, &err),
              &err);
    ran_release(&r);
    for (int i = 0; i < 3; i++) {
        char coll[32];
        bson_t cmd = BSON_INITIALIZER, reply;
        int64_t n, bytes, counted = -1;

        (void)snprintf(coll, sizeof(coll), "data%05d", i);
        scan(&c, coll, &n, &bytes);
        BSON_APPEND_UTF8(&cmd, "count", coll);
        assert_ok(sbx_client_command(&c, "fill", &cmd, &reply, &err), &err);
        assert_true(sbx_doc_int(&reply, "n", &counted));
        assert_int_equal(counted, n);
        total += bytes;
        assert_true(n > 100);
        bson_destroy(&reply);
        bson_destroy(&cmd);
    }
    assert_true(total >= 3000000 && total < 3300000);
    sbx_client_close(&c);
    EXPECT(0, "sandbox", "stop");
    ran_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(users_and_tls_of_the_command_line_are_those_of_status,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(users_have_the_roles_of_the_command_line, setup, teardown),
        cmocka_unit_test_setup_teardown(members_are_what_their_options_say, setup, teardown),
        cmocka_unit_test_setup_teardown(filled_collections_are_read_over_the_wire, setup, teardown),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("sandbox options", tests, NULL, NULL);
}
