/* Figures of the console in a pseudo terminal, 80x24, with an agent that runs already. Prints lines
 * "NAME VALUE" for run.sh: bench_console MUSTER CONFIG first|live|keys [TIMES]
 *
 * first: exec to the first complete frame, ms: median and worst of TIMES starts
 * live:  bytes a second to the terminal during TIMES seconds; then RssAnon, KiB
 * keys:  key to the screen that it asks for, ms: median, p99 and worst of TIMES keys
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vterm.h>

#include "base/clock.h"
#include "base/mem.h"
#include "console_pty.h"

#define WAIT_MS 20000
#define KEY_GAP_MS 70 /* a person who types quickly */

static const char *muster, *conf;

static void die(struct pty *p, const char *what)
{
    char *s = pty_text(p);

    (void)fprintf(stderr, "bench_console: %s; the screen:\n%s", what, s);
    free(s);
    pty_end(p);
    exit(1);
}

static void start(struct pty *p)
{
    const char *const argv[] = {muster, "--config", conf, "console", NULL};
    const char *const env[] = {"TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR", NULL};

    pty_start(p, 24, 80, argv, env);
}

/* Wait until the screen shows every text; a millisecond at a time, no sleep once bytes are there.
 */
static bool shown(struct pty *p, const char *const *texts)
{
    const int64_t until = mst_clock_mono_ms(NULL) + WAIT_MS;
    char buf[16384];

    do {
        struct pollfd fd = {p->fd, POLLIN, 0};
        char *s = pty_text(p);
        size_t i = 0;

        while (texts[i] && strstr(s, texts[i])) {
            i++;
        }
        free(s);
        if (!texts[i]) {
            return true;
        }
        if (poll(&fd, 1, 100) > 0) {
            const ssize_t n = read(p->fd, buf, sizeof buf);

            if (n <= 0) {
                return false;
            }
            mst_buf_add(&p->log, buf, (size_t)n);
            (void)vterm_input_write(p->vt, buf, (size_t)n);
        }
    } while (mst_clock_mono_ms(NULL) < until);
    return false;
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void quit(struct pty *p)
{
    pty_send(p, "Q");
    (void)pty_wait_exit(p, 3000);
    pty_end(p);
}

/* Every pane has its facts: the members, the store, the queue, the events, the hints. */
static const char *const frame[] = {"PRIMARY",   "SECONDARY", "votes ", "last good",
                                    "0 running", "Events",    "? help", NULL};

static void first(size_t times, int64_t *us)
{
    struct pty p;

    for (size_t i = 0; i < times; i++) {
        const int64_t t0 = mst_clock_mono_us();

        start(&p);
        if (!shown(&p, frame)) {
            die(&p, "no complete frame");
        }
        us[i] = mst_clock_mono_us() - t0;
        quit(&p);
    }
    qsort(us, times, sizeof *us, by_value);
    (void)printf("first_frame_ms %.1f\nfirst_frame_worst_ms %.1f\n", (double)us[times / 2] / 1e3,
                 (double)us[times - 1] / 1e3);
}

static long rss_anon_kib(pid_t pid)
{
    char path[64], line[128];
    long kib = -1;
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, "RssAnon:", 8) == 0) {
            kib = strtol(line + 8, NULL, 10);
        }
    }
    if (f) {
        (void)fclose(f);
    }
    return kib;
}

static void live(size_t seconds)
{
    struct pty p;
    size_t before;

    start(&p);
    if (!shown(&p, frame)) {
        die(&p, "no complete frame");
    }
    pty_pump(&p, 2500);
    before = p.log.len;
    pty_pump(&p, (int)seconds * 1000);
    (void)printf("live_bytes_s %.0f\n", (double)(p.log.len - before) / (double)seconds);
    for (int i = 0; i < 8; i++) { /* every screen has been seen before its memory is read */
        const char key[2] = {"12341234"[i], '\0'};

        pty_send(&p, key);
        pty_pump(&p, 150);
    }
    (void)printf("console_rss_anon_kib %ld\n", rss_anon_kib(p.pid));
    quit(&p);
}

static void keys(size_t times, int64_t *us)
{
    static const char *const on[4][2] = {{"<1Dash>"}, {"<2Topo>"}, {"<3Jobs>"}, {"<4Bucket>"}};
    static const char *const also[4] = {"Replica set", "Who sees whom", "Queue and history",
                                        "Namespaces"};
    static const char *const silent[] = {"no answer", NULL};
    struct pty p;

    start(&p);
    if (!shown(&p, frame) || !shown(&p, silent)) {
        die(&p, "the members should hang, and the console should say so");
    }
    for (size_t i = 0; i < times; i++) {
        const size_t to = (i + 1) % 4;
        const char key[2] = {(char)('1' + to), '\0'};
        const char *const want[] = {on[to][0], also[to], "? help", NULL};
        int64_t t0;

        pty_pump(&p, KEY_GAP_MS + (int)(i * 7 % 40)); /* not in step with the clock's redraw */
        t0 = mst_clock_mono_us();
        pty_send(&p, key);
        if (!shown(&p, want)) {
            die(&p, "a key was not answered");
        }
        us[i] = mst_clock_mono_us() - t0;
    }
    qsort(us, times, sizeof *us, by_value);
    (void)printf("key_ms %.1f\nkey_p99_ms %.1f\nkey_worst_ms %.1f\n", (double)us[times / 2] / 1e3,
                 (double)us[(times * 99 + 99) / 100 - 1] / 1e3, (double)us[times - 1] / 1e3);
    quit(&p);
}

int main(int argc, char **argv)
{
    const long times = argc == 5 ? strtol(argv[4], NULL, 10) : 0;
    int64_t *us;

    if (times < 1 || times > 100000) {
        (void)fprintf(stderr, "usage: %s MUSTER CONFIG first|live|keys TIMES\n", argv[0]);
        return 2;
    }
    muster = argv[1];
    conf = argv[2];
    us = mst_xcalloc((size_t)times, sizeof *us);
    if (strcmp(argv[3], "first") == 0) {
        first((size_t)times, us);
    } else if (strcmp(argv[3], "live") == 0) {
        live((size_t)times);
    } else {
        keys((size_t)times, us);
    }
    free(us);
    return 0;
}
