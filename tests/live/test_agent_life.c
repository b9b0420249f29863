/* The agent from the outside: who starts it, who outlives it, what stands in its way. */
#include "agents_kit.h"

#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ipc/frame.h"

static struct kit kit;
static struct home h;
static char store[64];

static int group_up(void **state)
{
    (void)state;
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(store, sizeof(store));
    fill(&kit, "new");
    return 0;
}

static int group_down(void **state)
{
    (void)state;
    temp_remove(store);
    kit_stop(&kit);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    home_make(&h, &kit, store);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    home_end(&h);
    return 0;
}

static void jobs_until(const char *part)
{
    const int64_t end = mst_clock_mono_ms(NULL) + PATIENCE_MS;
    struct ran r;

    for (;;) {
        MUST(&r, &h, 0, "jobs");
        if (strstr(mst_str_c(&r.out), part)) {
            break;
        }
        if (mst_clock_mono_ms(NULL) > end) {
            fail_msg("\"%s\" is never in: %s", part, mst_str_c(&r.out));
        }
        ran_release(&r);
        mst_clock_sleep_ms(50);
    }
    ran_release(&r);
}

static void a_job_outlives_the_clients_that_see_it(void **state)
{
    struct beside client, console;
    const pid_t agent = agent_with(&h, "stop=scan:1");

    (void)state;
    BESIDE(&console, &h, true, "console");
    beside_says(&console, "HEALTHY");
    BESIDE(&client, &h, false, "backup");
    await_state(agent, 'T');
    beside_kill(&client);
    beside_kill(&console);
    assert_int_equal(kill(agent, SIGCONT), 0);
    jobs_until("job 1 backup: done");
    assert_int_equal(agent_pid(&h), agent);
}

static void commands_that_start_it_at_once_share_one(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct beside c[4];
        struct ran r;

        agents_die(&h);
        BESIDE(&c[0], &h, false, "status");
        BESIDE(&c[1], &h, false, "agent");
        BESIDE(&c[2], &h, false, "backup");
        BESIDE(&c[3], &h, false, "backup");
        for (int i = 0; i < 4; i++) {
            const int status = beside_end(&c[i]);

            if (status != 0) {
                fail_msg("command %d ends with %d: %s", i, status, mst_str_c(&c[i].out));
            }
            mst_str_release(&c[i].out);
        }
        assert_int_equal(agents_of(&h, false), 1);
        MUST(&r, &h, 0, "jobs");
        HAS(mst_str_c(&r.out), round ? "job 4 backup: done" : "job 2 backup: done");
        ran_release(&r);
    }
}

/* The lock of the state of the only set in this home. */
static int lock_of_state(void)
{
    char path[400];
    DIR *d;
    const struct dirent *e;
    int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/state", h.dir);
    d = opendir(path);
    assert_non_null(d);
    while (fd < 0 && (e = readdir(d)) != NULL) {
        (void)snprintf(path, sizeof(path), "%s/state/%s/lock", h.dir, e->d_name);
        fd = open(path, O_RDWR | O_CLOEXEC);
    }
    (void)closedir(d);
    assert_true(fd >= 0);
    return fd;
}

/* Who looks has the lock too, for as long as it takes to mark what dead processes left. */
static void a_lock_that_is_held_for_a_moment_is_waited_out(void **state)
{
    const int64_t limit = mst_clock_mono_ms(NULL) + PATIENCE_MS;
    struct beside agent;
    int fd;

    (void)state;
    DO(&h, 0, "status");
    fd = lock_of_state();
    assert_int_equal(flock(fd, LOCK_EX), 0);
    BESIDE(&agent, &h, false, "agent");
    while (agents_of(&h, false) == 0 && mst_clock_mono_ms(NULL) < limit) {
        mst_clock_sleep_ms(10);
    }
    mst_clock_sleep_ms(700); /* the moment: the agent asks for the lock inside it */
    (void)close(fd);
    assert_int_equal(beside_end(&agent), 0);
    mst_str_release(&agent.out);
}

static void socket_path(char *out, size_t size)
{
    struct ran r;
    const char *at;

    MUST(&r, &h, 0, "agent");
    at = strstr(mst_str_c(&r.out), ", at ");
    assert_non_null(at);
    (void)snprintf(out, size, "%.*s", (int)strcspn(at + 5, ","), at + 5);
    ran_release(&r);
}

/* What an agent of an older muster says: who it is, and yes to a stop. */
static _Noreturn void old_agent(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int s = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)mst_copy(at.sun_path, sizeof(at.sun_path), path);
    if (bind(s, (const struct sockaddr *)(const void *)&at, sizeof(at)) != 0 || listen(s, 4) != 0) {
        _exit(1);
    }
    for (;;) {
        const int c = accept(s, NULL, NULL);
        struct mst_buf in = {0};
        struct mst_err err = {0};
        bson_t q, reply;

        while (ipc_recv(c, &in, 5000, &q, &err) == MST_OK) {
            const bool stop = bson_has_field(&q, "stop");

            bson_init(&reply);
            BSON_APPEND_UTF8(&reply, "hello", "0.0.1");
            if (stop) {
                BSON_APPEND_INT64(&reply, "stop", 1);
            }
            (void)!ipc_send(c, &reply, &err);
            bson_destroy(&reply);
            bson_destroy(&q);
            if (stop) {
                (void)unlink(path);
                _exit(0);
            }
        }
        (void)close(c);
    }
}

static void one_of_another_version_is_refused_and_can_be_stopped(void **state)
{
    char path[128];
    struct ran r;
    struct stat st;
    int status;
    pid_t pid;

    (void)state;
    socket_path(path, sizeof(path));
    DO(&h, 0, "agent", "stop");
    pid = fork();
    if (pid == 0) {
        old_agent(path);
    }
    while (lstat(path, &st) != 0) {
        mst_clock_sleep_ms(10);
    }
    MUST(&r, &h, 18, "backup");
    HAS(mst_str_c(&r.err), "muster: the agent is muster 0.0.1, this is " MST_VERSION
                           ": 'muster agent stop' ends it, then run this again\n");
    ran_release(&r);
    /* Reaped at once, or it would seem to live on. */
    (void)signal(SIGCHLD, SIG_IGN);
    DO(&h, 0, "agent", "stop");
    (void)signal(SIGCHLD, SIG_DFL);
    assert_int_equal(waitpid(pid, &status, 0), -1);
    DO(&h, 0, "backup");
}

static void a_dead_ones_socket_is_replaced(void **state)
{
    char path[128];
    struct stat before, after;
    pid_t pid;

    (void)state;
    socket_path(path, sizeof(path));
    pid = agent_pid(&h);
    assert_int_equal(lstat(path, &before), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    await_state(pid, '-');
    assert_int_equal(lstat(path, &after), 0);
    DO(&h, 0, "backup");
    assert_int_equal(lstat(path, &after), 0);
    assert_true(before.st_ino != after.st_ino || before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
                before.st_mtim.tv_nsec != after.st_mtim.tv_nsec);
    assert_int_not_equal(agent_pid(&h), pid);
}

static void refused_because(const char *why)
{
    struct ran r;

    MUST(&r, &h, 2, "backup");
    HAS(mst_str_c(&r.err), "directory of the agent's socket: ");
    HAS(mst_str_c(&r.err), h.dir);
    HAS(mst_str_c(&r.err), why);
    ran_release(&r);
}

static void a_directory_that_is_not_ours_alone_is_refused(void **state)
{
    char run[96], other[96];

    (void)state;
    (void)snprintf(run, sizeof(run), "%s/run", h.dir);
    (void)snprintf(other, sizeof(other), "%s/other", h.dir);
    assert_int_equal(mkdir(run, 0700), 0);
    assert_int_equal(chmod(run, 0777), 0);
    refused_because("can be written by others (mode 0777): chmod 700 it");
    assert_int_equal(chmod(run, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(run, 12345, 12345), 0);
        refused_because("belongs to another user (uid 12345)");
        assert_int_equal(chown(run, 0, 0), 0);
    }
    assert_int_equal(rename(run, other), 0);
    assert_int_equal(symlink(other, run), 0);
    refused_because("is not a directory");
    assert_int_equal(unlink(run), 0);
    DO(&h, 0, "agent");
}

static void a_path_that_no_socket_can_have_is_refused(void **state)
{
    char deep[192], env[224], config[96];
    struct ran r;

    (void)state;
    (void)snprintf(deep, sizeof(deep), "%s/%0100d", h.dir, 0);
    assert_int_equal(mkdir(deep, 0700), 0);
    (void)snprintf(env, sizeof(env), "MUSTER_DIR=%s", deep);
    (void)snprintf(config, sizeof(config), "%s/muster.conf", h.dir);
    h.env[0] = env;
    MUST(&r, &h, 2, "--config", config, "backup");
    HAS(mst_str_c(&r.err), "is longer than 107 bytes: use a shorter MUSTER_DIR, or --no-agent");
    ran_release(&r);
    DO(&h, 0, "--config", config, "--no-agent", "backup");
    h.env[0] = h.env_dir;
}

static void who_waits_for_a_killed_one_is_told_at_once(void **state)
{
    struct beside client;
    const pid_t agent = agent_with(&h, "stop=scan:1");
    int64_t at;

    (void)state;
    BESIDE(&client, &h, false, "backup");
    await_state(agent, 'T');
    at = mst_clock_mono_ms(NULL);
    assert_int_equal(kill(agent, SIGKILL), 0);
    assert_int_equal(beside_end(&client), 16);
    assert_in_range(mst_clock_mono_ms(NULL) - at, 0, 10000);
    HAS(mst_str_c(&client.out), "muster: the agent ended: 'muster jobs' says what became of job 1");
    mst_str_release(&client.out);
    home_fault(&h, "");
    DO(&h, 0, "agent");
    jobs_until("job 1 backup: interrupted");
}

/* A question changes nothing, so nothing is left to be looked for. */
static void who_asks_a_killed_one_is_told_to_ask_again(void **state)
{
    struct beside client;
    pid_t agent;

    (void)state;
    DO(&h, 0, "backup");
    agent = agent_with(&h, "");
    BESIDE(&client, &h, true, "restore", "--include", "shop.*");
    beside_says(&client, "to go on: ");
    assert_int_equal(kill(agent, SIGKILL), 0);
    await_state(agent, '-');
    assert_int_equal(write(client.fd, "x\n", 2), 2);
    assert_int_equal(beside_end(&client), 3);
    HAS(mst_str_c(&client.out), "muster: the agent ended: run this again");
    mst_str_release(&client.out);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_job_outlives_the_clients_that_see_it),
        T(commands_that_start_it_at_once_share_one),
        T(a_lock_that_is_held_for_a_moment_is_waited_out),
        T(one_of_another_version_is_refused_and_can_be_stopped),
        T(a_dead_ones_socket_is_replaced),
        T(a_directory_that_is_not_ours_alone_is_refused),
        T(a_path_that_no_socket_can_have_is_refused),
        T(who_waits_for_a_killed_one_is_told_at_once),
        T(who_asks_a_killed_one_is_told_to_ask_again),
    };
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("agent life", tests, group_up, group_down);
}
