/* start.c: a sandbox in the foreground: the set, its shop, its control socket. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "real/real.h"
#include "run/inner.h"
#include "writer/writer.h"

#define DEFAULT_RATE 50

struct sandbox {
    struct sbx_cli *cli;
    struct sbx_world *w;   /* simulated ... */
    struct sbx_real *real; /* ... or of real servers */
    struct sbx_ctl *ctl;
    struct sbx_writer *writer;
    int ports[SBX_MEMBERS_MAX];
    size_t n;
    int ready_fd; /* of the daemon's parent; -1 */
};

static enum mst_rc real_verb(struct sandbox *s, const char *const *words, size_t n,
                             struct mst_str *out, struct mst_err *err)
{
    if (n == 1 && strcmp(words[0], "status") == 0) {
        sbx_real_status(s->real, out);
        return MST_OK;
    }
    if (n != 2) {
        return mst_err_set(err, MST_E_USAGE, "use: VERB MEMBER, or status");
    }
    const enum mst_rc rc = sbx_real_verb(s->real, words[0], words[1], err);
    if (rc == MST_OK) {
        mst_str_addf(out, "%s %s\n", words[0], words[1]);
    }
    return rc;
}

static void uri_of(const struct sandbox *s, struct mst_str *out)
{
    if (s->real != NULL) {
        sbx_real_uri(s->real, out);
        return;
    }
    char *uri = sbx_world_uri(s->w);
    mst_str_add(out, uri);
    free(uri);
}

/* On the control thread. */
static enum mst_rc on_verb(void *arg, const char *const *words, size_t n, struct mst_str *out,
                           struct mst_err *err)
{
    struct sandbox *s = arg;

    if (n == 1 && strcmp(words[0], "quit") == 0) {
        (void)kill(getpid(), SIGTERM);
        mst_str_add(out, "stopping\n");
        return MST_OK;
    }
    if (n == 1 && strcmp(words[0], "uri") == 0) {
        uri_of(s, out);
        mst_str_addc(out, '\n');
        return MST_OK;
    }
    return s->real != NULL ? real_verb(s, words, n, out, err)
                           : sbx_ctl_verb(s->w, words, n, out, err);
}

static enum mst_rc start_real(struct sandbox *s, struct mst_err *err)
{
    const struct sbx_opts *o = &s->cli->opts;
    char dir[512];
    const struct sbx_real_opts real = {
        .mongod = s->cli->mongod,
        .dir = dir,
        .set = o->set != NULL ? o->set : "rs0",
        .n = (size_t)((o->members > 0 ? o->members : 3) + o->arbiter),
        .arbiter = o->arbiter,
        .base_port = o->port,
        .oplog_mb = (unsigned)(o->oplog_bytes >> 20),
    };

    (void)snprintf(dir, sizeof dir, "%s/real", s->cli->dir);
    enum mst_rc rc = mst_dir_private(dir, err);
    if (rc == MST_OK) {
        rc = sbx_real_start(&real, &s->real, err);
    }
    for (size_t i = 0; rc == MST_OK && i < sbx_real_count(s->real); i++) {
        s->ports[s->n++] = sbx_real_port(s->real, i);
    }
    return rc;
}

static enum mst_rc start_simulated(struct sandbox *s, struct mst_err *err)
{
    const enum mst_rc rc = sbx_world_start(&s->cli->opts, &s->w, err);

    for (size_t i = 0; rc == MST_OK && i < s->w->n; i++) {
        s->ports[s->n++] = s->w->members[i].port;
    }
    return rc;
}

static enum mst_rc start_writer(struct sandbox *s, struct mst_err *err)
{
    const bool able = !s->cli->have_tls && s->cli->opts.n_users == 0 && !s->cli->opts.auth;
    const long long rate = s->cli->rate >= 0 ? s->cli->rate : able ? DEFAULT_RATE : 0;
    char text[SBX_MEMBERS_MAX][32];
    const char *seeds[SBX_MEMBERS_MAX];
    const struct sbx_writer_opts o = {
        .seeds = seeds,
        .n_seeds = s->n,
        .per_s = (unsigned)rate,
        .customers = 200,
        .seed = s->cli->opts.seed != 0 ? s->cli->opts.seed : 1,
        .ddl = true,
    };

    if (rate == 0) {
        return MST_OK;
    }
    for (size_t i = 0; i < s->n; i++) {
        (void)snprintf(text[i], sizeof text[i], "127.0.0.1:%d", s->ports[i]);
        seeds[i] = text[i];
    }
    return sbx_writer_start(&o, &s->writer, err);
}

static enum mst_rc write_pid(const struct sandbox *s, struct mst_err *err)
{
    char path[512], text[32];

    (void)snprintf(path, sizeof path, "%s/" SBX_PID_FILE, s->cli->dir);
    (void)snprintf(text, sizeof text, "%ld\n", (long)getpid());
    return mst_file_replace(path, 0600, text, strlen(text), err);
}

static void tell_ready(struct sandbox *s)
{
    struct mst_str text = {0}, uri = {0};
    struct mst_err ignored = {0};

    uri_of(s, &uri);
    mst_str_addf(&text, "%s\n", mst_str_c(&uri));
    if (!s->cli->daemon) {
        mst_str_addf(&text,
                     "configuration: %s/" SBX_CONF_FILE "\n"
                     "Ctrl-C ends it.\n",
                     s->cli->dir);
    }
    const int fd = s->ready_fd >= 0 ? s->ready_fd : STDOUT_FILENO;
    (void)!mst_fd_write(fd, mst_str_c(&text), text.len, "standard output", &ignored);
    if (s->ready_fd >= 0) {
        (void)close(s->ready_fd);
        s->ready_fd = -1;
        if (freopen("/dev/null", "w", stderr) == NULL) { /* failures went there until now */
            (void)close(STDERR_FILENO);
        }
    }
    mst_str_release(&uri);
    mst_str_release(&text);
}

static void wait_for_end(const sigset_t *set)
{
    int sig = 0;

    while (sigwait(set, &sig) != 0) {
    }
}

static void take_down(struct sandbox *s)
{
    char path[512];

    sbx_writer_stop(s->writer);
    sbx_ctl_close(s->ctl);
    sbx_world_stop(s->w);
    sbx_real_free(s->real);
    (void)snprintf(path, sizeof path, "%s/" SBX_PID_FILE, s->cli->dir);
    (void)unlink(path);
}

static enum mst_rc run(struct sandbox *s, const sigset_t *set, struct mst_err *err)
{
    char path[512];
    enum mst_rc rc = mst_dir_private(s->cli->dir, err);

    (void)snprintf(path, sizeof path, "%s/" SBX_CTL_FILE, s->cli->dir);
    if (rc == MST_OK) {
        struct mst_str out = {0};
        struct mst_err none = {0};
        const char *words[] = {"uri"};
        if (sbx_ctl_ask(path, words, 1, &out, &none) == MST_OK) {
            rc = mst_err_set(err, MST_E_BUSY, "a sandbox runs in %s already", s->cli->dir);
        }
        mst_str_release(&out);
        if (rc != MST_OK) {
            return rc;
        }
        rc = s->cli->mongod != NULL ? start_real(s, err) : start_simulated(s, err);
    }
    if (rc == MST_OK) {
        rc = sbx_conf_write(s->cli, s->ports, s->n, err);
    }
    if (rc == MST_OK) {
        rc = sbx_ctl_open(path, on_verb, s, &s->ctl, err);
    }
    if (rc == MST_OK) {
        rc = write_pid(s, err);
    }
    if (rc == MST_OK) {
        rc = start_writer(s, err);
    }
    if (rc == MST_OK) {
        tell_ready(s);
        wait_for_end(set);
    }
    take_down(s);
    return rc;
}

/* The parent waits for the line that says the set is ready, or for the child's failure. */
static int parent_waits(int fd, pid_t child)
{
    char part[512];
    ssize_t n;
    bool ready = false;
    int status = 0;

    while ((n = read(fd, part, sizeof part)) > 0 || (n < 0 && errno == EINTR)) {
        if (n > 0) {
            (void)fwrite(part, 1, (size_t)n, stdout);
            ready = true;
        }
    }
    (void)fflush(stdout);
    if (ready) {
        return 0;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status)
                                                         : mst_rc_exit(MST_E_BUG);
}

/* Returns only in the child. */
static enum mst_rc go_background(struct sandbox *s, struct mst_err *err)
{
    int fd[2];

    if (pipe(fd) != 0) {
        return mst_err_set_detail(err, MST_E_IO, errno, "no pipe to be had");
    }
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child < 0) {
        return mst_err_set_detail(err, MST_E_IO, errno, "no process to be had");
    }
    if (child > 0) {
        (void)close(fd[1]);
        _exit(parent_waits(fd[0], child));
    }
    (void)close(fd[0]);
    (void)setsid();
    s->ready_fd = fd[1];
    if (freopen("/dev/null", "r", stdin) == NULL || freopen("/dev/null", "w", stdout) == NULL) {
        return mst_err_set_detail(err, MST_E_IO, errno, "cannot leave the terminal");
    }
    return MST_OK;
}

enum mst_rc sbx_start(struct sbx_cli *cli, struct mst_err *err)
{
    struct sandbox s = {.cli = cli, .ready_fd = -1};
    sigset_t set;
    enum mst_rc rc = MST_OK;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (cli->daemon) {
        rc = go_background(&s, err);
    }
    if (rc == MST_OK) {
        rc = run(&s, &set, err);
    }
    return rc;
}
