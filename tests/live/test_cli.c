/* The command line against a live set, as a child process. */
#include "sandbox_kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "runprog.h"

static struct kit kit;
static char dir[64], env_dir[96], store[96];
static const char *env[] = {env_dir, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};

static void write_config(const char *cls)
{
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[128];

    mst_str_addf(
        &s,
        "set = { name = \"rs0\"; label = \"shop\"; note = \"a training set\";\n"
        "  %s%s%s acts = [\"restore\", \"import\", \"discard\", \"clean\"];\n  members = [",
        cls ? "class = \"" : "", cls ? cls : "", cls ? "\";" : "");
    for (size_t i = 0; i < 3; i++) {
        mst_str_addf(&s, "%s\"127.0.0.1:%d\"", i ? ", " : "", sbx_world_port(kit.w, i));
    }
    mst_str_addf(&s, "]; };\nstores = ({ name = \"local\"; type = \"local\"; path = \"%s\"; });\n",
                 store);
    (void)snprintf(path, sizeof(path), "%s/muster.conf", dir);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

static int setup(void **state)
{
    (void)state;
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(store, sizeof(store), "%s/store", dir);
    assert_int_equal(mkdir(store, 0700), 0);
    write_config("SANDBOX");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_stop(&kit);
    temp_remove(dir);
    return 0;
}

#define HAS(text, part) \
    do { \
        if (!strstr((text), (part))) { \
            fail_msg("\"%s\" is not in: %s", (part), (text)); \
        } \
    } while (0)

static void expect(struct ran *r, int status)
{
    if (r->status != status) {
        fail_msg("status %d, wanted %d: %s%s", r->status, status, mst_str_c(&r->out),
                 mst_str_c(&r->err));
    }
}

static void status_says_healthy_with_class_and_note(void **state)
{
    struct ran r;

    (void)state;
    RUN(&r, env, "status", "--plain");
    expect(&r, 0);
    HAS(mst_str_c(&r.out), "set shop, class SANDBOX");
    HAS(mst_str_c(&r.out), "note: a training set.");
    HAS(mst_str_c(&r.out), "health: HEALTHY");
    HAS(mst_str_c(&r.out), "majority: yes, 3 of 3 votes, 2 needed.");
    ran_release(&r);
    RUN(&r, env, "status", "--json");
    expect(&r, 0);
    HAS(mst_str_c(&r.out), "{\"type\":\"status\",\"v\":1,\"time\":\"");
    HAS(mst_str_c(&r.out), "\"verdict\":\"HEALTHY\"");
    assert_ptr_equal(strchr(mst_str_c(&r.out), '\n'), mst_str_c(&r.out) + r.out.len - 1);
    ran_release(&r);
    RUN(&r, env, "topology", "--json");
    expect(&r, 0);
    HAS(mst_str_c(&r.out), "\"type\":\"member\"");
    HAS(mst_str_c(&r.out), "\"sees\":[{\"name\"");
    ran_release(&r);
}

static void a_wrong_set_name_is_a_configuration_error(void **state)
{
    struct ran r;
    char uri[128];

    (void)state;
    (void)snprintf(uri, sizeof(uri), "mongodb://127.0.0.1:%d/?replicaSet=other",
                   sbx_world_port(kit.w, 0));
    RUN(&r, env, "--uri", uri, "status");
    expect(&r, 2);
    HAS(mst_str_c(&r.out), "WRONG");
    ran_release(&r);
}

static void an_unreachable_set_exits_with_3(void **state)
{
    struct ran r;

    (void)state;
    RUN(&r, env, "--uri", "mongodb://127.0.0.1:1/", "status");
    expect(&r, 3);
    HAS(mst_str_c(&r.out), "UNREACHABLE");
    ran_release(&r);
}

static void bad_usage_is_one_sentence_and_exit_2(void **state)
{
    static const struct {
        const char *argv[6];
        const char *words;
    } bad[] = {
        {{"statuss"}, "did you mean status"},
        {{"config", "chek"}, "config knows check, show"},
        {{"status", "--jsno"}, "did you mean --json"},
        {{"status", "extra"}, "unexpected argument extra"},
        {{"--uri", "mongodb://u:secret@h/", "status"}, "--password-file"},
        {{"--password=x", "status"}, "--password-file"},
        {{"--uri", "http://h/", "status"}, "mongodb://"},
        {{"--config", "/nonexistent", "status"}, "no such file"},
        {{"backup", "--scans", "99"}, "from 1 to 16"},
        {{"backup", "--rate", "fast"}, "64MiB"},
        {{"jobs", "cancel", "x"}, "no job's number"},
        {{"jobs", "cancel"}, "needs JOB"},
        {{"config", "show", "--json"}, "knows no --json"},
        {{"status", "--config"}, "needs a value"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ran r;

        run_muster(&r, bad[i].argv, env, 30000);
        const char *said;

        mst_str_add(&r.err, mst_str_c(&r.out)); /* with --json errors are there */
        said = mst_str_c(&r.err);
        if (r.status != 2 || !strstr(said, bad[i].words) || strstr(said, "secret")) {
            fail_msg("case %zu: status %d: %s", i, r.status, mst_str_c(&r.err));
        }
        ran_release(&r);
    }
}

static void backup_verify_and_list_through_the_command_line(void **state)
{
    struct ran r;
    bson_t reply;

    (void)state;
    assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply,
                             "{'insert': 'orders', 'documents': [{'_id': 1}, {'_id': 2}], "
                             "'writeConcern': {'w': 3}}"),
                     0);
    bson_destroy(&reply);
    RUN(&r, env, "backup");
    expect(&r, 0);
    HAS(mst_str_c(&r.out), "done (job ");
    ran_release(&r);
    RUN(&r, env, "bucket", "ls");
    expect(&r, 0);
    HAS(mst_str_c(&r.out), "1 backup");
    HAS(mst_str_c(&r.out), "not verified");
    ran_release(&r);
    RUN(&r, env, "verify", "--json");
    expect(&r, 0);
    HAS(mst_str_c(&r.out), "\"state\":\"done\"");
    ran_release(&r);
    RUN(&r, env, "bucket", "ls");
    HAS(mst_str_c(&r.out), "read back, good");
    ran_release(&r);
    RUN(&r, env, "bucket", "show");
    expect(&r, 0);
    HAS(mst_str_c(&r.out), "shop.orders");
    HAS(mst_str_c(&r.out), "2 documents");
    ran_release(&r);
    RUN(&r, env, "jobs");
    HAS(mst_str_c(&r.out), "backup: done");
    HAS(mst_str_c(&r.out), "verify: done");
    ran_release(&r);
    RUN(&r, env, "audit", "verify");
    expect(&r, 0);
    HAS(mst_str_c(&r.out), "4 lines, unbroken");
    ran_release(&r);
    RUN(&r, env, "--read-only", "backup");
    expect(&r, 10);
    HAS(mst_str_c(&r.err), "--read-only");
    ran_release(&r);
}

static void a_missing_or_open_store_is_named(void **state)
{
    struct ran r;

    (void)state;
    assert_int_equal(chmod(store, 0777), 0);
    RUN(&r, env, "bucket", "ls");
    assert_int_not_equal(r.status, 0);
    HAS(mst_str_c(&r.err), store);
    ran_release(&r);
    temp_remove(store);
    RUN(&r, env, "backup");
    assert_int_not_equal(r.status, 0);
    HAS(mst_str_c(&r.out), store);
    ran_release(&r);
}

static int count_orders(void)
{
    bson_t reply;
    int n;

    assert_int_equal(
        kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply, "{'count': 'orders', 'query': {}}"),
        0);
    n = (int)kit_int(&reply, "n");
    bson_destroy(&reply);
    return n;
}

static void a_restore_needs_its_phrase_and_brings_the_documents_back(void **state)
{
    struct ran r;
    bson_t reply;
    const char *at;
    char phrase[160];

    (void)state;
    assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply,
                             "{'insert': 'orders', 'documents': [{'_id': 1}, {'_id': 2}], "
                             "'writeConcern': {'w': 3}}"),
                     0);
    bson_destroy(&reply);
    RUN(&r, env, "backup");
    expect(&r, 0);
    ran_release(&r);
    assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply,
                             "{'delete': 'orders', 'deletes': [{'q': {}, 'limit': 0}], "
                             "'writeConcern': {'w': 3}}"),
                     0);
    bson_destroy(&reply);
    assert_int_equal(count_orders(), 0);
    RUN(&r, env, "restore", "--dry-run", "--include", "shop.*");
    expect(&r, 0);
    HAS(mst_str_c(&r.out), "shop.orders");
    ran_release(&r);
    RUN(&r, env, "restore", "--include", "shop.*");
    expect(&r, 10);
    HAS(mst_str_c(&r.err), "--confirm '");
    at = strstr(mst_str_c(&r.err), "--confirm '") + 11;
    (void)snprintf(phrase, sizeof(phrase), "%.*s", (int)strcspn(at, "'"), at);
    ran_release(&r);
    RUN(&r, env, "restore", "--include", "shop.*", "--confirm", "something else");
    expect(&r, 10);
    ran_release(&r);
    assert_int_equal(count_orders(), 0);
    RUN(&r, env, "restore", "--include", "shop.*", "--confirm", phrase);
    expect(&r, 0);
    ran_release(&r);
    assert_int_equal(count_orders(), 2);
    write_config(NULL); /* without a class nothing may be changed */
    RUN(&r, env, "restore", "--include", "shop.*", "--confirm", phrase);
    expect(&r, 10);
    HAS(mst_str_c(&r.err), "no class");
    ran_release(&r);
    RUN(&r, env, "audit", "verify");
    expect(&r, 0);
    ran_release(&r);
}

/* --- the agent --- */

static void one_agent_serves_many_and_ends_when_told(void **state)
{
    struct ran r;

    (void)state;
    RUN(&r, env, "agent", "status");
    expect(&r, 1);
    ran_release(&r);
    RUN(&r, env, "agent");
    expect(&r, 0);
    HAS(mst_str_c(&r.out), "private agent, pid ");
    HAS(mst_str_c(&r.out), "0 jobs in work");
    ran_release(&r);
    RUN(&r, env, "agent"); /* it is there already: said, not started twice */
    expect(&r, 0);
    HAS(mst_str_c(&r.out), "private agent, pid ");
    ran_release(&r);
    RUN(&r, env, "agent", "--foreground");
    expect(&r, 17);
    HAS(mst_str_c(&r.err), "the acts on this set on this host");
    ran_release(&r);
    RUN(&r, env, "status", "--plain");
    expect(&r, 0);
    HAS(mst_str_c(&r.out), "health: HEALTHY");
    HAS(mst_str_c(&r.out), "majority: yes, 3 of 3 votes, 2 needed.");
    ran_release(&r);
    RUN(&r, env, "--no-agent", "backup");
    expect(&r, 17);
    HAS(mst_str_c(&r.err), "private agent, pid ");
    ran_release(&r);
    RUN(&r, env, "agent", "stop");
    expect(&r, 0);
    ran_release(&r);
    RUN(&r, env, "agent", "status");
    expect(&r, 1);
    ran_release(&r);
}

static void a_changed_configuration_gets_a_new_agent(void **state)
{
    struct ran r;

    (void)state;
    RUN(&r, env, "agent");
    expect(&r, 0);
    ran_release(&r);
    write_config("TEST");
    RUN(&r, env, "agent", "status");
    expect(&r, 2);
    HAS(mst_str_c(&r.err), "the configuration changed");
    ran_release(&r);
    RUN(&r, env, "status", "--plain"); /* it had nothing to do: it is ended by itself */
    expect(&r, 0);
    HAS(mst_str_c(&r.out), "class TEST");
    ran_release(&r);
    RUN(&r, env, "agent", "status");
    expect(&r, 1);
    ran_release(&r);
}

static void a_stale_socket_is_replaced_and_an_open_directory_refused(void **state)
{
    struct ran r;
    char run[96];

    (void)state;
    RUN(&r, env, "agent");
    expect(&r, 0);
    { /* kill -9: the socket stays behind */
        int pid = 0;
        const char *at = strstr(mst_str_c(&r.out), "pid ");

        assert_non_null(at);
        pid = (int)strtol(at + 4, NULL, 10);
        assert_true(pid > 1);
        assert_int_equal(kill(pid, SIGKILL), 0);
    }
    ran_release(&r);
    RUN(&r, env, "agent");
    expect(&r, 0);
    ran_release(&r);
    (void)snprintf(run, sizeof(run), "%s/run", dir);
    assert_int_equal(chmod(run, 0777), 0);
    RUN(&r, env, "agent", "status");
    expect(&r, 2);
    HAS(mst_str_c(&r.err), "can be written by others");
    ran_release(&r);
    assert_int_equal(chmod(run, 0700), 0);
    RUN(&r, env, "agent", "stop", "--force");
    expect(&r, 0);
    ran_release(&r);
}

static void help_fits_a_screen_and_names_every_command(void **state)
{
    static const char *const words[] = {"status",      "restore discard", "jobs cancel",
                                        "config show", "--password-file", "--read-only",
                                        "roles",       "--json",          "catalog rebuild"};
    struct ran r;
    size_t lines = 0, columns;

    (void)state;
    RUN(&r, NULL, "--help");
    assert_int_equal(r.status, 0);
    for (const char *p = mst_str_c(&r.out); *p; p += columns + 1, lines++) {
        columns = strcspn(p, "\n");
        assert_true(columns <= 80 && p[columns] == '\n');
    }
    assert_true(lines <= 24);
    for (size_t i = 0; i < MST_COUNT(words); i++) {
        HAS(mst_str_c(&r.out), words[i]);
    }
    ran_release(&r);
}

static void roles_prints_a_script_without_a_configuration_or_a_set(void **state)
{
    struct ran r;

    (void)state;
    RUN(&r, NULL, "roles", "--act", "switch", "--server", "7.0", "--class", "PROD");
    assert_int_equal(r.status, 0);
    HAS(mst_str_c(&r.out), "\"replSetStateChange\"");
    HAS(mst_str_c(&r.out), "pwd: passwordPrompt()");
    ran_release(&r);
    RUN(&r, NULL, "roles", "--act", "switch");
    assert_int_equal(r.status, 2);
    HAS(mst_str_c(&r.err), "--server VERSION");
    ran_release(&r);
    RUN(&r, NULL, "roles", "--act", "switch", "--server", "3.6");
    assert_int_equal(r.status, 2);
    HAS(mst_str_c(&r.err), "4.2 to 8.x");
    ran_release(&r);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_fits_a_screen_and_names_every_command),
        cmocka_unit_test(roles_prints_a_script_without_a_configuration_or_a_set),
        T(status_says_healthy_with_class_and_note),
        T(a_wrong_set_name_is_a_configuration_error),
        T(an_unreachable_set_exits_with_3),
        T(bad_usage_is_one_sentence_and_exit_2),
        T(backup_verify_and_list_through_the_command_line),
        T(a_missing_or_open_store_is_named),
        T(a_restore_needs_its_phrase_and_brings_the_documents_back),
        T(one_agent_serves_many_and_ends_when_told),
        T(a_changed_configuration_gets_a_new_agent),
        T(a_stale_socket_is_replaced_and_an_open_directory_refused),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
