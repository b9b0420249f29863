/* sandbox_pty.h: a sandbox in a terminal of its own, and consoles on its set. */
#ifndef TEST_SANDBOX_PTY_H
#define TEST_SANDBOX_PTY_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "console_pty.h"
#include "test.h"

static char dir[64], dir_env[96], conf[128], sandbox_dir[96];
static struct pty sandbox;

/* -1: it did not begin within wait_ms. */
static inline int sandbox_start(const char *name, int wait_ms)
{
    const char *const argv[] = {TEST_MUSTER, "sandbox", "start",     "--fast", "--rate",
                                "20",        "--dir",   sandbox_dir, NULL};
    const char *const env[] = {dir_env, "ASAN_OPTIONS=detect_leaks=0", NULL};

    (void)snprintf(dir, sizeof dir, "/tmp/muster-%s-XXXXXX", name);
    if (!mkdtemp(dir)) {
        return -1;
    }
    (void)snprintf(dir_env, sizeof dir_env, "MUSTER_DIR=%s", dir);
    (void)snprintf(sandbox_dir, sizeof sandbox_dir, "%s/sandbox", dir);
    (void)snprintf(conf, sizeof conf, "%s/muster.conf", sandbox_dir);
    pty_start(&sandbox, 24, 120, argv, env);
    return pty_wait(&sandbox, "muster.conf", wait_ms) ? 0 : -1;
}

static inline int sandbox_down(void **state)
{
    const char *const stop[] = {TEST_MUSTER, "--config", conf, "agent", "stop", "--force", NULL};
    const char *const env[] = {dir_env, "ASAN_OPTIONS=detect_leaks=0", NULL};
    const char *const rm[] = {"/bin/rm", "-rf", dir, NULL};
    struct pty p;

    (void)state;
    pty_start(&p, 24, 80, stop, env);
    (void)pty_wait_exit(&p, 10000);
    pty_end(&p);
    if (!sandbox.ended) {
        (void)kill(sandbox.pid, SIGTERM);
        (void)pty_wait_exit(&sandbox, 10000);
    }
    pty_end(&sandbox);
    pty_start(&p, 2, 20, rm, NULL);
    (void)pty_wait_exit(&p, 5000);
    pty_end(&p);
    return 0;
}

static inline void open_console(struct pty *p, int rows, int cols)
{
    const char *const argv[] = {TEST_MUSTER, "--config", conf, "console", NULL};
    const char *const env[] = {dir_env,    "TERM=xterm-256color",         "LC_ALL=C.UTF-8",
                               "NO_COLOR", "ASAN_OPTIONS=detect_leaks=0", NULL};

    pty_start(p, rows, cols, argv, env);
}

#endif
