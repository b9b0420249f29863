#include "runprog.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#ifndef TEST_MUSTER
#define TEST_MUSTER "muster"
#endif

extern char **environ;

static bool same_name(const char *a, const char *b)
{
    const size_t n = strcspn(a, "=");

    return strncmp(a, b, n + 1) == 0;
}

static char **child_env(const char *const *env)
{
    size_t n = 0, extra = 0;
    char **e;

    while (environ[n]) {
        n++;
    }
    while (env && env[extra]) {
        extra++;
    }
    e = mst_xcalloc(n + extra + 1, sizeof(*e));
    memcpy(e, environ, n * sizeof(*e));
    for (size_t i = 0; i < extra; i++) {
        size_t at = 0;

        while (at < n && !same_name(e[at], env[i])) {
            at++;
        }
        memcpy(&e[at], &env[i], sizeof(e[at])); /* borrowed: execve changes nothing */
        n += at == n;
    }
    return e;
}

static void drain(int fd, struct mst_str *s, bool *open)
{
    char buf[4096];
    const ssize_t n = read(fd, buf, sizeof(buf));

    if (n > 0) {
        mst_str_addn(s, buf, (size_t)n);
    } else {
        *open = false;
    }
}

void run_muster(struct ran *r, const char *const *argv, const char *const *env, int limit_ms)
{
    const char *program = getenv("TEST_MUSTER");
    const int64_t end = mst_clock_mono_ms(NULL) + limit_ms;
    char *args[64] = {mst_xstrdup(program ? program : TEST_MUSTER)};
    char **e = child_env(env);
    int out[2], err[2], status = 0;
    bool a = true, b = true;
    pid_t pid;

    memset(r, 0, sizeof(*r));
    for (size_t i = 0; argv[i] && i < 62; i++) {
        args[i + 1] = mst_xstrdup(argv[i]);
    }
    if (pipe(out) != 0 || pipe(err) != 0) {
        abort();
    }
    pid = fork();
    if (pid == 0) {
        const int null = open("/dev/null", O_RDONLY);

        (void)dup2(null, 0);
        (void)dup2(out[1], 1);
        (void)dup2(err[1], 2);
        for (int fd = 3; fd < 64; fd++) {
            (void)close(fd);
        }
        (void)execve(args[0], args, e);
        _exit(126);
    }
    (void)close(out[1]);
    (void)close(err[1]);
    while ((a || b) && mst_clock_mono_ms(NULL) < end) {
        struct pollfd p[2] = {{.fd = a ? out[0] : -1, .events = POLLIN},
                              {.fd = b ? err[0] : -1, .events = POLLIN}};

        (void)poll(p, 2, 200);
        if (p[0].revents) {
            drain(out[0], &r->out, &a);
        }
        if (p[1].revents) {
            drain(err[0], &r->err, &b);
        }
    }
    if (a || b) {
        (void)kill(pid, SIGKILL);
    }
    (void)waitpid(pid, &status, 0);
    r->status = a || b ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    (void)close(out[0]);
    (void)close(err[0]);
    for (size_t i = 0; args[i]; i++) {
        free(args[i]);
    }
    free(e);
}

void ran_release(struct ran *r)
{
    mst_str_release(&r->out);
    mst_str_release(&r->err);
}

void temp_dir(char *out, size_t size)
{
    (void)snprintf(out, size, "/tmp/mst-test-XXXXXX");
    if (!mkdtemp(out)) {
        abort();
    }
}

void temp_remove(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d)) != NULL) {
        char path[1024];
        struct stat st;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            temp_remove(path);
        } else {
            (void)unlink(path);
        }
    }
    if (d) {
        (void)closedir(d);
    }
    (void)rmdir(dir);
}
