/* A password that muster is given is seen nowhere: not in argv or environment of any process, not
 * in what is printed, logged, audited, kept or stored. A sandbox with a login, the agent, a backup
 * and a restore, twice: with the password from a file, and from a command. */
#include <signal.h>

#include "canary_kit.h"

#include "runprog.h"

/* In two parts, so that the program of this test does not hold it either. */
static char canary[64], dir[64], sandbox[96], env_dir[96];
static const char *env[] = {env_dir, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};
static unsigned cores; /* processes of muster that may leave none */

static bool file_has(const char *path, const char *text)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};
    const bool has = mst_file_read(path, 65536, &b, &err) == MST_OK &&
                     memmem(b.p, b.len, text, strlen(text)) != NULL;

    mst_buf_release(&b);
    return has;
}

/* Of a process of muster: 1 it may leave no core file, and no memory in one that is forced; 0 it
 * may, -1 it is none, or gone. */
static int limited(const char *pid)
{
    char path[300];
    bool is;

    if (!canary_is_muster(pid, dir)) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "/proc/%.20s/limits", pid);
    is = file_has(path, "Max core file size        0                    0");
    (void)snprintf(path, sizeof(path), "/proc/%.20s/coredump_filter", pid);
    is = is && file_has(path, "00000000");
    return canary_is_muster(pid, dir) ? is : -1;
}

/* One that was just started, by another test perhaps, is given time to get there. */
static void no_core_of(const char *pid)
{
    const int64_t end = mst_clock_mono_ms(NULL) + 5000;
    int is;

    while ((is = limited(pid)) == 0 && mst_clock_mono_ms(NULL) < end) {
        mst_clock_sleep_ms(20);
    }
    assert_int_not_equal(is, 0);
    cores += is == 1;
}

static void run(int status, const char *const *argv)
{
    struct ran r;

    run_muster(&r, argv, env, 60000);
    hear(argv[0], HEARD_TEXT, mst_str_c(&r.out), r.out.len);
    hear(argv[0], HEARD_TEXT, mst_str_c(&r.err), r.err.len);
    if (r.status != status) {
        fail_msg("%s: status %d, wanted %d: %s%s", argv[0], r.status, status, mst_str_c(&r.out),
                 mst_str_c(&r.err));
    }
    ran_release(&r);
    hear_processes(no_core_of);
}
#define DO(status, ...) run((status), (const char *const[]){__VA_ARGS__, NULL})

/* The whole configuration of the sandbox with a login in its set. */
static void configure(const char *login)
{
    struct mst_buf b = {0};
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[160], *text;
    const char *at;

    (void)snprintf(path, sizeof(path), "%s/muster.conf", sandbox);
    assert_ok(mst_file_read(path, 1 << 20, &b, &err), &err);
    text = mst_xstrndup((const char *)b.p, b.len);
    at = strstr(text, "credentials = {"); /* its own login goes, ours comes */
    assert_non_null(at);
    mst_str_addn(&s, text, (size_t)(at - text));
    mst_str_addf(&s, "credentials = { view = { user = \"ops\"; %s }; };\n", login);
    at = strstr(at, "}; };");
    assert_non_null(at);
    mst_str_add(&s, at + 5);
    /* Its paths are relative: the same file in the folder of the test points there. */
    (void)snprintf(path, sizeof(path), "%s/sandbox/with-login.conf", dir);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
    free(text);
    mst_buf_release(&b);
}

static void a_day_with(const char *login)
{
    char conf[160];
    struct ran r;
    const char *at;
    char phrase[160];

    configure(login);
    (void)snprintf(conf, sizeof(conf), "%s/with-login.conf", sandbox);
    DO(0, "--config", conf, "status");
    DO(0, "--config", conf, "--debug", "status", "--plain");
    DO(0, "--config", conf, "topology", "--json");
    DO(0, "--config", conf, "config", "show");
    DO(0, "--config", conf, "agent");
    DO(0, "--config", conf, "backup");
    DO(0, "--config", conf, "verify");
    DO(0, "--config", conf, "bucket", "ls", "--json");
    DO(0, "--config", conf, "restore", "--dry-run");
    RUN(&r, env, "--config", conf, "restore");
    at = strstr(mst_str_c(&r.err), "--confirm '");
    assert_non_null(at);
    (void)snprintf(phrase, sizeof(phrase), "%.*s", (int)strcspn(at + 11, "'"), at + 11);
    hear("restore", HEARD_TEXT, mst_str_c(&r.out), r.out.len);
    ran_release(&r);
    DO(0, "--config", conf, "restore", "--confirm", phrase);
    DO(0, "--config", conf, "jobs");
    DO(0, "--config", conf, "jobs", "log", "1");
    DO(0, "--config", conf, "audit", "verify");
    DO(0, "--config", conf, "console", "--print", "overview");
    DO(0, "--config", conf, "console", "--print", "jobs");
    hear_tree(dir);
    DO(0, "--config", conf, "agent", "stop");
    hear_tree(dir);
    canary_search();
}

static void a_password_from_a_file_is_seen_nowhere(void **state)
{
    (void)state;
    a_day_with("password_file = \"../canary.secret\";");
}

static void a_password_from_a_command_is_seen_nowhere(void **state)
{
    char login[200];

    (void)state;
    (void)snprintf(login, sizeof(login), "password_command = [\"cat\", \"%s/canary.secret\"];",
                   dir);
    a_day_with(login);
}

static void a_password_that_is_refused_is_not_repeated(void **state)
{
    char login[200], conf[160], path[160];
    struct mst_err err = {0};
    char wrong[80];

    (void)state;
    (void)snprintf(wrong, sizeof(wrong), "%s-not\n", canary);
    (void)snprintf(path, sizeof(path), "%s/canary.secret.wrong", dir);
    assert_ok(mst_file_replace(path, 0600, wrong, strlen(wrong), &err), &err);
    (void)snprintf(login, sizeof(login), "password_file = \"%s\";", path);
    configure(login);
    (void)snprintf(conf, sizeof(conf), "%s/with-login.conf", sandbox);
    DO(4, "--config", conf, "--debug", "status");
    DO(4, "--config", conf, "status", "--json");
    DO(4, "--config", conf, "--no-agent", "backup");
    hear_tree(dir);
    canary_search();
    assert_true(n_heard > 200);
    assert_true(cores > 0);
}

static int setup(void **state)
{
    struct mst_err err = {0};
    struct ran r;
    char path[160], user[200], text[80];

    (void)state;
    (void)snprintf(canary, sizeof(canary), "%s%d-%s", "kan", (int)getpid(), "arienvogel-7Qz");
    (void)canary_add("the password", canary, strlen(canary));
    temp_dir(dir, sizeof(dir));
    (void)snprintf(sandbox, sizeof(sandbox), "%s/sandbox", dir);
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(path, sizeof(path), "%s/canary.secret", dir);
    (void)snprintf(text, sizeof(text), "%s\n", canary);
    assert_ok(mst_file_replace(path, 0600, text, strlen(text), &err), &err);
    (void)snprintf(user, sizeof(user), "ops=%s", path);
    RUN(&r, env, "sandbox", "start", "--daemon", "--fast", "--rate", "0", "--fill", "200000,2",
        "--seed", "5", "--dir", sandbox, "--user", user);
    hear("sandbox", HEARD_TEXT, mst_str_c(&r.out), r.out.len);
    if (r.status != 0) {
        fail_msg("the sandbox did not start: %s%s", mst_str_c(&r.out), mst_str_c(&r.err));
    }
    ran_release(&r);
    return 0;
}

static int teardown(void **state)
{
    struct ran r;

    (void)state;
    RUN(&r, env, "sandbox", "stop", "--dir", sandbox);
    ran_release(&r);
    temp_remove(dir);
    canary_forget();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_from_a_file_is_seen_nowhere),
        cmocka_unit_test(a_password_from_a_command_is_seen_nowhere),
        cmocka_unit_test(a_password_that_is_refused_is_not_repeated),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("canary", tests, setup, teardown);
}
