/* A password that muster is given is seen nowhere: not in argv or environment of any process, not
 * in what is printed, logged, audited, kept or stored. A sandbox with a login, the agent, a backup
 * and a restore, twice: with the password from a file, and from a command. */
#include <ctype.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "runprog.h"

/* In two parts, so that the program of this test does not hold it either. */
static char canary[64], dir[64], sandbox[96], env_dir[96];
static const char *env[] = {env_dir, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};
static unsigned cores;     /* processes of muster that may leave none */
static unsigned looked_at; /* files, process facts and outputs */

static void look(const char *where, const void *p, size_t n)
{
    looked_at++;
    if (memmem(p, n, canary, strlen(canary)) != NULL) {
        fail_msg("the password stands in %s", where);
    }
}

static void look_into_file(const char *path)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};

    if (mst_file_read(path, (size_t)64 << 20, &b, &err) == MST_OK) {
        look(path, b.p, b.len);
    }
    mst_buf_release(&b);
}

/* Every file below, but for those that were made to hold it. */
static void look_into_tree(const char *at)
{
    DIR *d = opendir(at);

    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char path[1024];
        struct stat st;

        (void)snprintf(path, sizeof(path), "%s/%s", at, e->d_name);
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || lstat(path, &st) != 0) {
            continue;
        }
        look("the name of a file", e->d_name, strlen(e->d_name));
        if (S_ISDIR(st.st_mode)) {
            look_into_tree(path);
        } else if (S_ISREG(st.st_mode) && !strstr(path, "/canary.secret")) {
            look_into_file(path);
        }
    }
    if (d) {
        (void)closedir(d);
    }
}

/* Of a process of muster: 1 it may leave no core file, 0 it may, -1 it is none, or gone. */
static int limited(const char *pid)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};
    char path[300];
    int is = -1;

    (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
    if (mst_file_read(path, 65536, &b, &err) == MST_OK && b.len > sizeof(TEST_MUSTER) &&
        memcmp(b.p, TEST_MUSTER, sizeof(TEST_MUSTER)) == 0) {
        mst_buf_reset(&b);
        (void)snprintf(path, sizeof(path), "/proc/%s/limits", pid);
        if (mst_file_read(path, 65536, &b, &err) == MST_OK && b.len > 0) {
            mst_buf_add(&b, "", 1);
            is = strstr((char *)b.p, "Max core file size        0                    0") != NULL;
        }
    }
    mst_buf_release(&b);
    return is;
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

/* argv and environment of every process, and what of ours was written to temporary places. */
static void look_at_processes(void)
{
    DIR *d = opendir("/proc");

    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        char path[300];

        if (!isdigit((unsigned char)e->d_name[0])) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
        look_into_file(path);
        (void)snprintf(path, sizeof(path), "/proc/%s/environ", e->d_name);
        look_into_file(path);
        no_core_of(e->d_name);
    }
    (void)closedir(d);
}

static void run(int status, const char *const *argv)
{
    struct ran r;

    run_muster(&r, argv, env, 60000);
    look(argv[0], mst_str_c(&r.out), r.out.len);
    look(argv[0], mst_str_c(&r.err), r.err.len);
    if (r.status != status) {
        fail_msg("%s: status %d, wanted %d: %s%s", argv[0], r.status, status, mst_str_c(&r.out),
                 mst_str_c(&r.err));
    }
    ran_release(&r);
    look_at_processes();
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
    look("restore", mst_str_c(&r.out), r.out.len);
    ran_release(&r);
    DO(0, "--config", conf, "restore", "--confirm", phrase);
    DO(0, "--config", conf, "jobs");
    DO(0, "--config", conf, "jobs", "log", "1");
    DO(0, "--config", conf, "audit", "verify");
    DO(0, "--config", conf, "console", "--print", "overview");
    DO(0, "--config", conf, "console", "--print", "jobs");
    look_into_tree(dir);
    DO(0, "--config", conf, "agent", "stop");
    look_into_tree(dir);
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
    look_into_tree(dir);
    assert_true(looked_at > 200);
    assert_true(cores > 0);
}

static int setup(void **state)
{
    struct mst_err err = {0};
    struct ran r;
    char path[160], user[200], text[80];

    (void)state;
    (void)snprintf(canary, sizeof(canary), "%s%d-%s", "kan", (int)getpid(), "arienvogel-7Qz");
    temp_dir(dir, sizeof(dir));
    (void)snprintf(sandbox, sizeof(sandbox), "%s/sandbox", dir);
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(path, sizeof(path), "%s/canary.secret", dir);
    (void)snprintf(text, sizeof(text), "%s\n", canary);
    assert_ok(mst_file_replace(path, 0600, text, strlen(text), &err), &err);
    (void)snprintf(user, sizeof(user), "ops=%s", path);
    RUN(&r, env, "sandbox", "start", "--daemon", "--fast", "--rate", "0", "--fill", "200000,2",
        "--seed", "5", "--dir", sandbox, "--user", user);
    look("sandbox", mst_str_c(&r.out), r.out.len);
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
