/* The control socket, its words and refusals, and `muster sandbox` as a program. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "sandbox_kit.h"

static enum mst_rc to_world(void *arg, const char *const *words, size_t n, struct mst_str *out,
                            struct mst_err *err)
{
    return sbx_ctl_verb(arg, words, n, out, err);
}

static void the_socket_takes_verbs_and_names_what_is_wrong(void **state)
{
    static const struct {
        const char *words[4];
        size_t n;
        enum mst_rc rc;
        const char *text;
    } rows[] = {
        {{"stauts"}, 1, MST_E_USAGE, "did you mean status"},
        {{"kill"}, 1, MST_E_USAGE, "use: kill MEMBER"},
        {{"kill", "7"}, 2, MST_E_USAGE, "no member 7"},
        {{"start", "0"}, 2, MST_E_PRECOND, "runs already"},
        {{"cont", "0"}, 2, MST_E_PRECOND, "not stopped"},
        {{"drop", "0"}, 2, MST_E_PRECOND, "kill it before"},
        {{"lag", "1", "soon"}, 3, MST_E_USAGE, "milliseconds"},
        {{"disk", "1", "big"}, 3, MST_E_USAGE, "full, crash or ok"},
        {{"disk", "1"}, 2, MST_E_USAGE, "use: disk MEMBER full|crash|ok"},
        {{"slow", "1", "-1"}, 3, MST_E_USAGE, "slow takes milliseconds, 0 to 86400000"},
        {{"catchup", "1"}, 2, MST_E_USAGE, "use: catchup MEMBER MS"},
        {{"freeze", "1", "x"}, 3, MST_E_USAGE, "freeze takes seconds"},
        {{"freeze", "0", "5"}, 3, MST_E_PRECOND, "is the primary"},
        {{"oneway", "1", "1"}, 3, MST_E_USAGE, "from itself"},
        {{"oneway", "1"}, 2, MST_E_USAGE, "use: oneway MEMBER MEMBER"},
        {{"partition", "1", "1"}, 3, MST_E_USAGE, "from itself"},
        {{"kill", "a b"}, 2, MST_E_USAGE, "blanks"},
    };
    struct kit k;
    struct sbx_ctl *c;
    struct mst_err err = {0};
    struct mst_str out = {0};
    char dir[] = "/tmp/muster-ctl-XXXXXX", path[64];
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/ctl.sock", dir);
    const char *status[] = {"status"};
    assert_rc(sbx_ctl_ask(path, status, 1, &out, &err), MST_E_NET, &err);
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 1});
    assert_ok(sbx_ctl_open(path, to_world, k.w, &c, &err), &err);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        assert_rc(sbx_ctl_ask(path, rows[i].words, rows[i].n, &out, &err), rows[i].rc, &err);
        if (strstr(err.msg, rows[i].text) == NULL) {
            fail_msg("%s does not say %s", err.msg, rows[i].text);
        }
    }
    mst_str_reset(&out);
    assert_ok(sbx_ctl_ask(path, status, 1, &out, &err), &err);
    assert_non_null(strstr(mst_str_c(&out), "running PRIMARY writable term 1"));
    struct sbx_ctl *second;
    assert_rc(sbx_ctl_open(path, to_world, k.w, &second, &err), MST_E_BUSY, &err);
    sbx_ctl_close(c);
    assert_int_not_equal(access(path, F_OK), 0);
    mst_str_release(&out);
    kit_stop(&k);
    assert_int_equal(rmdir(dir), 0);
}

static bool has_primary(struct sbx_world *w, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < w->n; i++) {
        if (w->members[i].alive && w->members[i].writable) {
            return true;
        }
    }
    return false;
}

static void a_full_disk_refuses_or_ends_the_member(void **state)
{
    struct kit k;
    bson_t reply;
    struct mst_err err = {0};
    struct mst_str out = {0};
    const char *start[] = {"start", "0"}, *status[] = {"status"};
    int p, other;

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 1});
    p = sbx_world_primary(k.w);
    assert_int_equal(p, 0);
    assert_int_equal(kit_run(&k, p, "t", &reply, "{'insert': 'c', 'documents': [{'_id': 1}]}"), 0);
    bson_destroy(&reply);
    kit_ctl(&k, "disk", "0", "full");
    assert_int_equal(kit_run(&k, p, "t", &reply, "{'insert': 'c', 'documents': [{'_id': 2}]}"),
                     14031);
    bson_destroy(&reply);
    assert_int_equal(
        kit_run(&k, p, "t", &reply,
                "{'createIndexes': 'c', 'indexes': [{'key': {'a': 1}, 'name': 'a_1'}]}"),
        14031);
    assert_string_equal(sbx_doc_str(&reply, "codeName"), "OutOfDiskSpace");
    bson_destroy(&reply);
    assert_int_equal(kit_run(&k, p, "t", &reply, "{'find': 'c'}"), 0); /* reading goes on */
    bson_destroy(&reply);
    assert_int_equal(kit_run(&k, p, "t", &reply, "{'drop': 'c'}"), 0); /* this makes room */
    bson_destroy(&reply);
    assert_ok(sbx_ctl_verb(k.w, status, 1, &out, &err), &err);
    assert_non_null(strstr(mst_str_c(&out), " disk full"));

    kit_ctl(&k, "disk", "0", "crash");
    {
        struct sbx_client c;
        bson_t *cmd =
            BCON_NEW("insert", "c", "documents", "[", "{", "_id", BCON_INT32(3), "}", "]");

        kit_connect(&k, p, &c);
        assert_rc(sbx_client_command(&c, "t", cmd, &reply, &err), MST_E_NET, &err);
        bson_destroy(&reply);
        bson_destroy(cmd);
        sbx_client_close(&c);
    }
    assert_int_equal(kit_state(&k, p), SBX_DOWN);
    assert_rc(sbx_ctl_verb(k.w, start, 2, &out, &err), MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, "'disk 0 ok' makes room first"));
    kit_ctl(&k, "disk", "0", "ok");
    kit_ctl(&k, "start", "0", NULL);
    assert_true(kit_wait_state(&k, 0, SBX_SECONDARY, 20000));

    /* One that only copies ends with what it copies. */
    assert_true(sbx_world_wait(k.w, has_primary, NULL, 20000));
    p = sbx_world_primary(k.w);
    other = (p + 1) % 3;
    kit_ctl(&k, "disk", other == 0 ? "0" : other == 1 ? "1" : "2", "crash");
    kit_noop(&k, p);
    assert_true(kit_wait_state(&k, other, SBX_DOWN, 20000));
    mst_str_release(&out);
    kit_stop(&k);
}

static void status_shows_every_fault_that_lasts(void **state)
{
    static const char *const faults[][3] = {{"lag", "1", "400"},     {"slow", "1", "300"},
                                            {"catchup", "1", "200"}, {"freeze", "1", "600"},
                                            {"oneway", "1", "2"},    {"slow", "2", "5"}};
    static const char *const shown[] = {" lag 400 frozen 600 s slow 300 catchup 200 cut 2\n",
                                        " lag 0 slow 5\n"};
    struct kit k;
    struct mst_str out = {0};
    struct mst_err err = {0};
    const char *status[] = {"status"};

    (void)state;
    kit_start(&k, (struct sbx_opts){.fast = true, .seed = 2});
    for (size_t i = 0; i < MST_COUNT(faults); i++) {
        kit_ctl(&k, faults[i][0], faults[i][1], faults[i][2]);
    }
    assert_ok(sbx_ctl_verb(k.w, status, 1, &out, &err), &err);
    for (size_t i = 0; i < MST_COUNT(shown); i++) {
        if (strstr(mst_str_c(&out), shown[i]) == NULL) {
            fail_msg("%s does not show %s", mst_str_c(&out), shown[i]);
        }
    }
    kit_ctl(&k, "heal", "1", NULL);
    kit_ctl(&k, "freeze", "1", "0");
    kit_ctl(&k, "slow", "2", "0");
    mst_str_reset(&out);
    assert_ok(sbx_ctl_verb(k.w, status, 1, &out, &err), &err);
    assert_null(strstr(mst_str_c(&out), "cut"));
    assert_null(strstr(mst_str_c(&out), "frozen"));
    assert_non_null(strstr(mst_str_c(&out), " lag 400 slow 300 catchup 200\n"));
    mst_str_release(&out);
    kit_stop(&k);
}

static int run_muster(const char *const *argv, struct mst_buf *out)
{
    int fd[2], status = 0;
    uint8_t part[512];
    ssize_t n;

    assert_int_equal(pipe(fd), 0);
    const pid_t child = fork();
    if (child == 0) {
        char *args[16] = {NULL};
        for (size_t i = 0; argv[i] != NULL && i < 15; i++) {
            args[i] = mst_xstrdup(argv[i]);
        }
        (void)dup2(fd[1], 1);
        (void)dup2(fd[1], 2);
        (void)close(fd[0]);
        (void)close(fd[1]);
        (void)execv(TEST_MUSTER, args);
        _exit(127);
    }
    (void)close(fd[1]);
    while ((n = read(fd[0], part, sizeof part)) > 0) {
        mst_buf_add(out, part, (size_t)n);
    }
    mst_buf_add(out, "", 1);
    (void)close(fd[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect(const char *const *argv, int exit_status, const char *text)
{
    struct mst_buf out = {0};
    const int got = run_muster(argv, &out);

    if (got != exit_status || strstr((const char *)out.p, text) == NULL) {
        fail_msg("exit %d, wanted %d and '%s': %s", got, exit_status, text, (const char *)out.p);
    }
    mst_buf_release(&out);
}

static void the_program_starts_a_set_controls_it_and_leaves_nothing_running(void **state)
{
    char dir[] = "/tmp/muster-sbx-XXXXXX", sub[64], path[96];
    struct mst_buf conf = {0};
    struct mst_err err = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(sub, sizeof sub, "%s/s", dir);
    const char *start[] = {"muster", "sandbox", "--fast", "--daemon", "--rate",
                           "0",      "--dir",   sub,      NULL};
    const char *again[] = {"muster", "sandbox", "start", "--dir", sub, NULL};
    const char *status[] = {"muster", "sandbox", "ctl", "--dir", sub, "status", NULL};
    const char *kill0[] = {"muster", "sandbox", "ctl", "kill", "0", "--dir", sub, NULL};
    const char *stop[] = {"muster", "sandbox", "stop", "--dir", sub, NULL};
    expect(start, 0, "mongodb://127.0.0.1:");
    (void)snprintf(path, sizeof path, "%s/muster.conf", sub);
    assert_ok(mst_file_read(path, 1u << 16, &conf, &err), &err);
    mst_buf_add(&conf, "", 1);
    assert_non_null(strstr((const char *)conf.p, "class = \"SANDBOX\""));
    assert_non_null(strstr((const char *)conf.p, "simulated server 4.2"));
    mst_buf_release(&conf);
    expect(again, 17, "runs in");
    expect(status, 0, "PRIMARY writable");
    expect(kill0, 0, "killed");
    expect(kill0, 10, "dead already");
    expect(stop, 0, "");
    expect(status, 3, "no sandbox answers");
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/store", sub);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(sub), 0); /* neither socket nor pid file is left */
    assert_int_equal(rmdir(dir), 0);
}

static void a_wrong_command_line_is_refused_with_a_sentence(void **state)
{
    static const struct {
        const char *argv[8];
        const char *text;
    } rows[] = {
        {{"muster", "sandbox", "--memebrs", "3"}, "did you mean --members"},
        {{"muster", "sandbox", "--members", "0"}, "from 1 to 7"},
        {{"muster", "sandbox", "--members", "7", "--arbiter"}, "at most 7"},
        {{"muster", "sandbox", "--server", "5.0"}, "4.2 and 7.0 exist"},
        {{"muster", "sandbox", "--port"}, "--port needs PORT"},
        {{"muster", "sandbox", "--tls-ca", "x"}, "need --tls-cert"},
        {{"muster", "sandbox", "dance"}, "start, ctl and stop"},
        {{"muster", "sandbox", "ctl"}, "needs a verb"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        expect(rows[i].argv, 2, rows[i].text);
    }
}

static void a_configuration_of_somebody_else_is_not_overwritten(void **state)
{
    char dir[] = "/tmp/muster-own-XXXXXX", path[64];
    struct mst_err err = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/muster.conf", dir);
    assert_ok(mst_file_replace(path, 0600, "set = {};\n", 10, &err), &err);
    const char *start[] = {"muster", "sandbox", "--fast", "--rate", "0", "--dir", dir, NULL};
    expect(start, 2, "not the sandbox's own");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_socket_takes_verbs_and_names_what_is_wrong),
        cmocka_unit_test(a_full_disk_refuses_or_ends_the_member),
        cmocka_unit_test(status_shows_every_fault_that_lasts),
        cmocka_unit_test(the_program_starts_a_set_controls_it_and_leaves_nothing_running),
        cmocka_unit_test(a_wrong_command_line_is_refused_with_a_sentence),
        cmocka_unit_test(a_configuration_of_somebody_else_is_not_overwritten),
    };
    (void)unsetenv("MUSTER_MONGOD");
    return cmocka_run_group_tests_name("ctl", tests, NULL, NULL);
}
