/* What a person at the console waits for when the primary dies, and how often the page of a switch
 * moves while members hang. Prints lines "NAME VALUE" for run.sh: bench_page MUSTER dead|page TIMES
 *
 * dead: kill -9 of the simulated primary to the first frame that says so, ms: median and worst of
 *       TIMES
 * page: frames a second of the page of a switch during TIMES seconds, two of five members hanging
 */
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vterm.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "console_pty.h"
#include "ctl/ctl.h"
#include "run/run.h"
#include "set/set.h"

#define WAIT_MS 60000

static const char *muster;
static struct sbx_world *world;
static char dir[64], env_dir[96];
static struct pty console;

static void die(const char *what)
{
    char *s = pty_text(&console);

    (void)fprintf(stderr, "bench_page: %s; the screen:\n%s", what, s);
    free(s);
    exit(1);
}

static void verb(const char *v, int member)
{
    char n[16];
    const char *words[] = {v, n};
    struct mst_str out = {0};
    struct mst_err err = {0};

    (void)snprintf(n, sizeof(n), "%d", member);
    if (sbx_ctl_verb(world, words, 2, &out, &err) != MST_OK) {
        die(err.msg);
    }
    mst_str_release(&out);
}

static void name_of(int member, char out[32])
{
    (void)snprintf(out, 32, "127.0.0.1:%d", sbx_world_port(world, (size_t)member));
}

/* What a run of the program printed; its first argument is the command. */
static char *run(const char *const *argv)
{
    struct mst_buf out = {0};
    char buf[4096];
    int p[2];
    ssize_t n;
    pid_t pid;

    if (pipe(p) != 0) {
        die("no pipe");
    }
    pid = fork();
    if (pid == 0) {
        (void)dup2(p[1], 1);
        (void)dup2(p[1], 2);
        (void)close(p[0]);
        (void)setenv("MUSTER_DIR", dir, 1);
        (void)execv(muster, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    (void)close(p[1]);
    while ((n = read(p[0], buf, sizeof(buf))) > 0) {
        mst_buf_add(&out, buf, (size_t)n);
    }
    (void)close(p[0]);
    (void)waitpid(pid, NULL, 0);
    mst_buf_add(&out, "", 1);
    return (char *)out.p;
}
#define RUN(...) run((const char *const[]){muster, __VA_ARGS__, NULL})

static void begin(int members)
{
    struct sbx_opts o = {.members = members, .fast = true, .seed = 1};
    const char *const argv[] = {muster, "console", NULL};
    const char *const env[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR",
                               "MUSTER_CONFIG",       "MUSTER_URI",     "MUSTER_NO_AGENT",
                               "MUSTER_FAULT",        env_dir,          NULL};
    struct mst_err err = {0};
    struct mst_str conf = {0};
    char path[96], name[32];

    (void)snprintf(dir, sizeof(dir), "/tmp/muster-page-XXXXXX");
    if (!mkdtemp(dir) || sbx_world_start(&o, &world, &err) != MST_OK) {
        (void)fprintf(stderr, "bench_page: no set: %s\n", err.msg);
        exit(1);
    }
    name_of(0, name);
    mst_str_addf(&conf,
                 "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"switch\"]; members = "
                 "[\"%s\"]; };\n",
                 name);
    (void)snprintf(path, sizeof(path), "%s/muster.conf", dir);
    if (mst_file_replace(path, 0600, mst_str_c(&conf), conf.len, &err) != MST_OK) {
        (void)fprintf(stderr, "bench_page: %s\n", err.msg);
        exit(1);
    }
    mst_str_release(&conf);
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    pty_start(&console, 24, 80, argv, env);
    if (!pty_wait(&console, "HEALTHY", WAIT_MS)) {
        die("the set is not healthy");
    }
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st;
    (void)flag;
    (void)f;
    return remove(path);
}

static void end(void)
{
    pty_send(&console, "Q");
    (void)pty_wait_exit(&console, 3000);
    pty_end(&console);
    free(RUN("agent", "stop", "--force"));
    sbx_world_stop(world);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Reads what is there, for at most ms; true when the screen is another one than `before`, which is
 * freed and replaced. */
static bool moved(char **before, int ms)
{
    struct pollfd fd = {console.fd, POLLIN, 0};
    char buf[16384], *now;
    bool other;

    if (poll(&fd, 1, ms) > 0) {
        const ssize_t n = read(console.fd, buf, sizeof(buf));

        if (n <= 0) {
            die("the console ended");
        }
        (void)vterm_input_write(console.vt, buf, (size_t)n);
    }
    now = pty_text(&console);
    other = !*before || strcmp(now, *before) != 0;
    free(*before);
    *before = now;
    return other;
}

/* A line of the screen has this name and the word. */
static bool says(const char *screen, const char *name, const char *word)
{
    for (const char *at = strstr(screen, name); at; at = strstr(at + 1, name)) {
        const size_t line = strcspn(at, "\n");
        const char *found = strstr(at, word);

        if (found && (size_t)(found - at) < line) {
            return true;
        }
    }
    return false;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void dead(long times)
{
    double *ms = mst_xcalloc((size_t)times, sizeof(*ms));
    char *screen = NULL, name[32];

    begin(3);
    for (long i = 0; i < times; i++) {
        const int p = sbx_world_wait_primary(world, -1, WAIT_MS);
        int64_t t0;

        if (p < 0) {
            die("no primary");
        }
        name_of(p, name);
        t0 = mst_clock_mono_ms(NULL);
        do {
            (void)moved(&screen, 50);
        } while (!(says(screen, name, "PRIMARY") && strstr(screen, "HEALTHY")) &&
                 mst_clock_mono_ms(NULL) - t0 < WAIT_MS);
        pty_pump(&console, 300 + (int)(i * 97 % 700)); /* not in step with what is asked */
        t0 = mst_clock_mono_us();
        verb("kill", p);
        do {
            (void)moved(&screen, 20);
        } while (!says(screen, name, "DOWN") && !says(screen, name, "SILENT") &&
                 mst_clock_mono_us() - t0 < WAIT_MS * 1000);
        ms[i] = (double)(mst_clock_mono_us() - t0) / 1000;
        verb("start", p);
    }
    qsort(ms, (size_t)times, sizeof(*ms), by_value);
    (void)printf("dead_ms %.0f\ndead_worst_ms %.0f\n", ms[times / 2], ms[times - 1]);
    free(screen);
    free(ms);
    end();
}

#define YOUNG "--override", "P06=a set made for this", "--override", "P28=a set made for this"

/* A switch in another process; it goes on in the agent. */
static pid_t begin_switch(const char *to)
{
    char *plan = RUN("switchover", "--to", to, YOUNG, "--dry-run"), phrase[200];
    const char *at = strstr(plan, "phrase: ");
    pid_t pid;

    if (!at) {
        die(plan);
        return -1;
    }
    (void)snprintf(phrase, sizeof(phrase), "%.*s", (int)strcspn(at + 8, "\n"), at + 8);
    free(plan);
    pid = fork();
    if (pid == 0) {
        free(RUN("switchover", "--to", to, YOUNG, "--confirm", phrase));
        _exit(0);
    }
    return pid;
}

static void page(long seconds)
{
    char *screen = NULL, name[32];
    int64_t until;
    size_t frames = 0;
    pid_t client;

    begin(5);
    name_of(1, name);
    client = begin_switch(name);
    if (!pty_wait(&console, "switchover", WAIT_MS)) {
        die("no switch is told of");
    }
    pty_send(&console, "s");
    if (!pty_wait(&console, "SETTLE", WAIT_MS)) {
        die("the page does not come to SETTLE");
    }
    verb("stop", 3);
    verb("stop", 4);
    pty_pump(&console, 1500);
    until = mst_clock_mono_ms(NULL) + seconds * 1000;
    while (mst_clock_mono_ms(NULL) < until) {
        frames += moved(&screen, 20);
    }
    if (!strstr(screen, "SETTLE")) {
        die("it is no more in SETTLE");
    }
    (void)printf("page_frames_s %.1f\n", (double)frames / (double)seconds);
    verb("cont", 3);
    verb("cont", 4);
    free(screen);
    (void)kill(client, SIGTERM);
    (void)waitpid(client, NULL, 0);
    end();
}

int main(int argc, char **argv)
{
    const long times = argc == 4 ? strtol(argv[3], NULL, 10) : 0;

    if (times < 1 || times > 1000) {
        (void)fprintf(stderr, "usage: %s MUSTER dead|page TIMES\n", argv[0]);
        return 2;
    }
    muster = argv[1];
    if (strcmp(argv[2], "dead") == 0) {
        dead(times);
    } else {
        page(times);
    }
    return 0;
}
