/* What a person at the bucket screen waits for while a bucket of 100,000 objects is being listed.
 * Prints lines "NAME VALUE" for run.sh: bench_listing MUSTER KEYS
 *
 * The bucket is the tests' own server, each answer 40 ms away: 100 pages. First the console with an
 * empty state: first_page_ms is from its screen to the first backups, list_ms to the last. Then
 * KEYS keys on that screen, each while a listing runs: to the screen that a key asks for, and what
 * the console's process used of a processor for it, which does not hang on who else is on the
 * machine.
 */
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vterm.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "console_pty.h"
#include "s3d.h"

#define OBJECTS 1000U /* of each backup */
#define BACKUPS 100U
#define FAR_MS 40
#define WAIT_MS 60000

static const char *muster;
static char dir[64], env_dir[96];
static struct s3d *bucket;
static struct pty console;

static void die(const char *what)
{
    char *s = pty_text(&console);

    (void)fprintf(stderr, "bench_listing: %s; the screen:\n%s", what, s);
    free(s);
    exit(1);
}

static void fill(void)
{
    char prefix[96];

    for (unsigned i = 0; i < BACKUPS; i++) {
        (void)snprintf(prefix, sizeof(prefix),
                       "rs0/backups/2026-%02u-%02uT01-00-00Z-full/0011223344556677/d/", 1 + i / 28,
                       1 + i % 28);
        s3d_fill(bucket, prefix, OBJECTS, 10);
    }
}

static void configure(void)
{
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[96], secret[96];

    (void)snprintf(dir, sizeof(dir), "/tmp/muster-listing-XXXXXX");
    if (!mkdtemp(dir)) {
        die("no directory");
    }
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(path, sizeof(path), "%s/muster.conf", dir);
    (void)snprintf(secret, sizeof(secret), "%s/secret", dir);
    mst_str_addf(&s,
                 "set = { name = \"rs0\"; members = [\"127.0.0.1:1\"]; };\n"
                 "stores = ({ name = \"far\"; type = \"s3\"; bucket = \"%s\"; endpoint = \"%s\";\n"
                 "  region = \"%s\"; profile = \"versitygw\"; plain_http = true;\n"
                 "  access_key = \"%s\"; secret_key_file = \"%s\"; });\n",
                 S3D_BUCKET_NAME, s3d_endpoint(bucket), S3D_REGION, S3D_ACCESS, secret);
    if (mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err) != MST_OK ||
        mst_file_replace(secret, 0600, S3D_SECRET, strlen(S3D_SECRET), &err) != MST_OK) {
        die(err.msg);
    }
    mst_str_release(&s);
}

/* Until the screen shows the text, or does not any more. */
static void until(const char *text, bool there)
{
    const int64_t end = mst_clock_mono_ms(NULL) + WAIT_MS;
    char buf[16384];

    while (pty_shows(&console, text) != there) {
        struct pollfd fd = {console.fd, POLLIN, 0};

        if (mst_clock_mono_ms(NULL) > end) {
            die(text);
        }
        if (poll(&fd, 1, 100) > 0) {
            const ssize_t n = read(console.fd, buf, sizeof(buf));

            if (n <= 0) {
                die("the console ended");
            }
            (void)vterm_input_write(console.vt, buf, (size_t)n);
        }
    }
}

/* Nanoseconds on a processor, of every thread of the console. */
static int64_t used_ns(void)
{
    struct timespec t;
    clockid_t clock;

    return clock_getcpuclockid(console.pid, &clock) == 0 && clock_gettime(clock, &t) == 0
               ? t.tv_sec * INT64_C(1000000000) + t.tv_nsec
               : 0;
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void say(const char *name, int64_t *v, size_t n, double unit)
{
    const size_t middle = n / 2, most = (n * 99 + 99) / 100 - 1;

    qsort(v, n, sizeof(*v), by_value);
    (void)printf("%s_ms %.2f\n%s_p99_ms %.2f\n%s_worst_ms %.2f\n", name, (double)v[middle] / unit,
                 name, (double)v[most] / unit, name, (double)v[n - 1] / unit);
}

/* A row down and up again: the detail's frame names the backup that is selected. */
static void keys(size_t n)
{
    static const char *const names[] = {"─ 2026-04-16T01-00-00Z-full",
                                        "─ 2026-04-15T01-00-00Z-full"};
    int64_t *wall = mst_xcalloc(n, sizeof(*wall)), *cpu = mst_xcalloc(n, sizeof(*cpu));
    size_t listing = 0;

    for (size_t i = 0; i < n; i++) {
        const char *want = names[(i + 1) % 2];
        int64_t t0, c0;

        if (i % 20 == 0) {
            pty_send(&console, "r"); /* one listing takes four seconds at least */
        }
        pty_pump(&console, 60 + (int)(i * 7 % 40));
        listing += s3d_count(bucket, S3D_LIST) > 0;
        s3d_count_reset(bucket);
        c0 = used_ns();
        t0 = mst_clock_mono_us();
        pty_send(&console, i % 2 ? "k" : "j");
        until(want, true);
        wall[i] = mst_clock_mono_us() - t0;
        cpu[i] = used_ns() - c0;
    }
    (void)printf("keys_while_listing %zu\n", listing);
    say("listing_key", wall, n, 1e3);
    say("listing_key_cpu", cpu, n, 1e6);
    free(wall);
    free(cpu);
}

static void stop_agent(void)
{
    const pid_t pid = fork();

    if (pid == 0) {
        (void)setenv("MUSTER_DIR", dir, 1);
        (void)execl(muster, muster, "agent", "stop", "--force", NULL);
        _exit(127);
    }
    (void)waitpid(pid, NULL, 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st;
    (void)flag;
    (void)f;
    return remove(path);
}

int main(int argc, char **argv)
{
    const char *const args[] = {argc == 3 ? argv[1] : "", "console", NULL};
    const char *const env[] = {
        "TERM=xterm-256color", "LC_ALL=C.UTF-8",  "NO_COLOR", "MUSTER_CONFIG",
        "MUSTER_URI",          "MUSTER_NO_AGENT", env_dir,    NULL};
    const struct s3d_opts o = {.idle_ms = 60000};
    const long n = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    int64_t t0;

    if (n < 1 || n > 10000) {
        (void)fprintf(stderr, "usage: %s MUSTER KEYS\n", argv[0]);
        return 2;
    }
    muster = argv[1];
    bucket = s3d_start(&o);
    fill();
    s3d_latency(bucket, FAR_MS);
    configure();
    pty_start(&console, 24, 80, args, env);
    until("4Bucket", true);
    t0 = mst_clock_mono_ms(NULL);
    pty_send(&console, "4");
    until("<4Bucket>", true);
    until("Z-full", true);
    (void)printf("first_page_ms %lld\n", (long long)(mst_clock_mono_ms(NULL) - t0));
    until("reading", false);
    (void)printf("list_ms %lld\n", (long long)(mst_clock_mono_ms(NULL) - t0));
    keys((size_t)n);
    pty_send(&console, "Q");
    (void)pty_wait_exit(&console, 3000);
    pty_end(&console);
    stop_agent();
    s3d_stop(bucket);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
