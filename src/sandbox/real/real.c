#include "real/real.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "wire/client.h"

struct process {
    int port;
    pid_t pid; /* 0: not running */
    bool stopped;
    char *data, *log;
};

struct sbx_real {
    struct process p[SBX_REAL_MAX];
    size_t n;
    bool arbiter;
    char *mongod, *set;
    unsigned oplog_mb;
    int64_t deadline_ms;
};

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int port = 0;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0) {
        if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
            getsockname(fd, (struct sockaddr *)&a, &len) == 0) {
            port = ntohs(a.sin_port);
        }
        (void)close(fd);
    }
    return port;
}

static void child(const struct sbx_real *r, const struct process *p)
{
    char port[16], oplog[16];
    const char *const argv[] = {
        r->mongod,     "--replSet", r->set,           "--dbpath",  p->data, "--port",
        port,          "--bind_ip", "127.0.0.1",      "--logpath", p->log,  "--logappend",
        "--oplogSize", oplog,       "--nounixsocket", NULL};
    sigset_t none;
    const int null = open("/dev/null", O_RDWR);

    (void)snprintf(port, sizeof(port), "%d", p->port);
    (void)snprintf(oplog, sizeof(oplog), "%u", r->oplog_mb);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
    }
    (void)execv(r->mongod, (char *const *)(uintptr_t)argv);
    _exit(127);
}

static enum mst_rc launch(struct sbx_real *r, struct process *p, struct mst_err *err)
{
    char why[128];
    const pid_t pid = fork();

    if (pid < 0) {
        return mst_err_set_detail(err, MST_E_IO, errno, "cannot start %s: %s", r->mongod,
                                  mst_errno_text(errno, why, sizeof(why)));
    }
    if (pid == 0) {
        child(r, p);
    }
    p->pid = pid;
    p->stopped = false;
    return MST_OK;
}

/* Whether the process is still there; collects it when it is not. */
static bool running(struct process *p)
{
    int status;

    if (p->pid > 0 && waitpid(p->pid, &status, WNOHANG) == p->pid) {
        p->pid = 0;
        p->stopped = false;
    }
    return p->pid > 0;
}

static enum mst_rc ask(const struct process *p, const bson_t *cmd, bson_t *reply,
                       struct mst_err *err)
{
    struct sbx_client c = {.fd = -1};
    enum mst_rc rc = sbx_client_connect(&c, "127.0.0.1", p->port, 2000, err);

    if (rc != MST_OK) {
        bson_init(reply);
        return rc;
    }
    c.timeout_ms = 30000;
    rc = sbx_client_command(&c, "admin", cmd, reply, err);
    sbx_client_close(&c);
    return rc;
}

static enum mst_rc wait_for(struct sbx_real *r, struct process *p, struct mst_err *err)
{
    const int64_t end = mst_clock_mono_ms(NULL) + r->deadline_ms;
    bson_t *cmd = BCON_NEW("isMaster", BCON_INT32(1));
    enum mst_rc rc;

    for (;;) {
        bson_t reply;

        rc = ask(p, cmd, &reply, err);
        bson_destroy(&reply);
        if (rc == MST_OK) {
            break;
        }
        if (!running(p)) {
            rc = mst_err_set(err, MST_E_IO, "%s ended before it answered: see %s", r->mongod,
                             p->log);
            break;
        }
        if (mst_clock_mono_ms(NULL) > end) {
            mst_err_prefix(err, "%s on port %d did not answer in %lld s", r->mongod, p->port,
                           (long long)(r->deadline_ms / 1000));
            break;
        }
        mst_clock_sleep_ms(50);
    }
    bson_destroy(cmd);
    return rc;
}

static bool is_primary(const struct process *p, const bson_t *cmd)
{
    struct mst_err err = {0};
    bson_t reply;
    const bool yes = ask(p, cmd, &reply, &err) == MST_OK && sbx_doc_true(&reply, "ismaster");

    bson_destroy(&reply);
    return yes;
}

/* Whoever it is: who is elected first is the set's own choice. */
static enum mst_rc wait_primary(struct sbx_real *r, struct mst_err *err)
{
    const int64_t end = mst_clock_mono_ms(NULL) + r->deadline_ms;
    bson_t *cmd = BCON_NEW("isMaster", BCON_INT32(1));
    bool found = false;

    while (!found && mst_clock_mono_ms(NULL) < end) {
        for (size_t i = 0; i < r->n && !found; i++) {
            found = is_primary(&r->p[i], cmd);
        }
        if (!found) {
            mst_clock_sleep_ms(50);
        }
    }
    bson_destroy(cmd);
    return found ? MST_OK
                 : mst_err_set(err, MST_E_TIMEOUT, "%s: no member became primary in %lld s",
                               r->mongod, (long long)(r->deadline_ms / 1000));
}

/* All with the same priority: with another one a switch is refused, or reversed by the server. */
static bson_t *initiate_command(const struct sbx_real *r)
{
    bson_t *cmd = bson_new(), cfg, members, one;
    char key[24], host[32];

    BSON_APPEND_DOCUMENT_BEGIN(cmd, "replSetInitiate", &cfg);
    BSON_APPEND_UTF8(&cfg, "_id", r->set);
    BSON_APPEND_INT32(&cfg, "version", 1);
    BSON_APPEND_ARRAY_BEGIN(&cfg, "members", &members);
    for (size_t i = 0; i < r->n; i++) {
        (void)snprintf(key, sizeof(key), "%zu", i);
        (void)snprintf(host, sizeof(host), "127.0.0.1:%d", r->p[i].port);
        BSON_APPEND_DOCUMENT_BEGIN(&members, key, &one);
        BSON_APPEND_INT32(&one, "_id", (int32_t)i);
        BSON_APPEND_UTF8(&one, "host", host);
        if (r->arbiter && i + 1 == r->n) {
            BSON_APPEND_BOOL(&one, "arbiterOnly", true);
        }
        bson_append_document_end(&members, &one);
    }
    bson_append_array_end(&cfg, &members);
    bson_append_document_end(cmd, &cfg);
    return cmd;
}

static enum mst_rc initiate(struct sbx_real *r, struct mst_err *err)
{
    bson_t *cmd = initiate_command(r), reply;
    enum mst_rc rc = ask(&r->p[0], cmd, &reply, err);

    bson_destroy(&reply);
    bson_destroy(cmd);
    if (rc != MST_OK) {
        mst_err_prefix(err, "replSetInitiate on port %d", r->p[0].port);
        return rc;
    }
    return wait_primary(r, err);
}

static enum mst_rc prepare(struct sbx_real *r, const struct sbx_real_opts *o, struct mst_err *err)
{
    if (access(o->mongod, X_OK) != 0) {
        return mst_err_set(err, MST_E_CONFIG, "%s is not a program that can be run: name a mongod",
                           o->mongod);
    }
    if (o->n < 1 || o->n > SBX_REAL_MAX) {
        return mst_err_set(err, MST_E_USAGE, "a real set has 1 to %d members, not %zu",
                           SBX_REAL_MAX, o->n);
    }
    for (size_t i = 0; i < o->n; i++) {
        struct process *p = &r->p[i];

        p->port = o->base_port ? o->base_port + (int)i : free_port();
        if (p->port <= 0 || p->port > 65535) {
            return mst_err_set(err, MST_E_USAGE, "no port for member %zu", i);
        }
        p->data = mst_xasprintf("%s/db%zu", o->dir, i);
        p->log = mst_xasprintf("%s/db%zu.log", o->dir, i);
        if (mst_dir_make(p->data, 0700, err) != MST_OK) {
            return err->rc;
        }
    }
    return MST_OK;
}

enum mst_rc sbx_real_start(const struct sbx_real_opts *o, struct sbx_real **out,
                           struct mst_err *err)
{
    struct sbx_real *r = mst_xcalloc(1, sizeof(*r));
    enum mst_rc rc;

    r->mongod = mst_xstrdup(o->mongod);
    r->set = mst_xstrdup(o->set);
    r->n = o->n <= SBX_REAL_MAX ? o->n : 0;
    r->arbiter = o->arbiter;
    r->oplog_mb = o->oplog_mb ? o->oplog_mb : 1024;
    r->deadline_ms = o->deadline_ms ? o->deadline_ms : 60000;
    rc = prepare(r, o, err);
    for (size_t i = 0; rc == MST_OK && i < r->n; i++) {
        rc = launch(r, &r->p[i], err);
    }
    for (size_t i = 0; rc == MST_OK && i < r->n; i++) {
        rc = wait_for(r, &r->p[i], err);
    }
    if (rc == MST_OK) {
        rc = initiate(r, err);
    }
    if (rc != MST_OK) {
        sbx_real_free(r);
        return rc;
    }
    *out = r;
    return MST_OK;
}

static void end(struct process *p)
{
    if (!running(p)) {
        return;
    }
    (void)kill(p->pid, SIGTERM);
    (void)kill(p->pid, SIGCONT);
    for (int i = 0; i < 100 && running(p); i++) {
        mst_clock_sleep_ms(50);
    }
    if (running(p)) {
        (void)kill(p->pid, SIGKILL);
        (void)waitpid(p->pid, NULL, 0);
        p->pid = 0;
    }
}

void sbx_real_free(struct sbx_real *r)
{
    if (!r) {
        return;
    }
    for (size_t i = r->n; i > 0; i--) {
        end(&r->p[i - 1]);
        free(r->p[i - 1].data);
        free(r->p[i - 1].log);
    }
    free(r->mongod);
    free(r->set);
    free(r);
}

size_t sbx_real_count(const struct sbx_real *r)
{
    return r->n;
}

int sbx_real_port(const struct sbx_real *r, size_t i)
{
    return r->p[i].port;
}

void sbx_real_uri(const struct sbx_real *r, struct mst_str *out)
{
    mst_str_add(out, "mongodb://");
    for (size_t i = 0; i < r->n; i++) {
        mst_str_addf(out, "%s127.0.0.1:%d", i ? "," : "", r->p[i].port);
    }
    mst_str_addf(out, "/?replicaSet=%s", r->set);
}

static struct process *find(struct sbx_real *r, const char *name)
{
    const char *port = strrchr(name, ':') ? strrchr(name, ':') + 1 : name;
    char *rest;
    const long n = strtol(port, &rest, 10);

    if (*rest || rest == port) {
        return NULL;
    }
    for (size_t i = 0; i < r->n; i++) {
        if (n == r->p[i].port || (port == name && n == (long)i)) {
            return &r->p[i];
        }
    }
    return NULL;
}

static enum mst_rc signal_it(struct process *p, int sig, const char *verb, struct mst_err *err)
{
    if (!running(p)) {
        return mst_err_set(err, MST_E_PRECOND, "cannot %s port %d: it does not run", verb, p->port);
    }
    (void)kill(p->pid, sig);
    if (sig == SIGKILL) {
        (void)waitpid(p->pid, NULL, 0);
        p->pid = 0;
    }
    p->stopped = sig == SIGSTOP;
    return MST_OK;
}

enum mst_rc sbx_real_verb(struct sbx_real *r, const char *verb, const char *member,
                          struct mst_err *err)
{
    static const struct {
        const char *verb;
        int sig;
    } signals[] = {{"kill", SIGKILL}, {"stop", SIGSTOP}, {"cont", SIGCONT}};
    static const char *const others[] = {"partition", "oneway",  "heal",   "lag",
                                         "slow",      "catchup", "freeze", "drop"};
    struct process *p;

    for (size_t i = 0; i < MST_COUNT(others); i++) {
        if (strcmp(verb, others[i]) == 0) {
            return mst_err_set(err, MST_E_USAGE,
                               "a real server cannot be told to %s: use the simulator", verb);
        }
    }
    p = find(r, member);
    if (!p) {
        return mst_err_set(err, MST_E_USAGE, "no member is called %s: name a port", member);
    }
    for (size_t i = 0; i < MST_COUNT(signals); i++) {
        if (strcmp(verb, signals[i].verb) == 0) {
            return signal_it(p, signals[i].sig, verb, err);
        }
    }
    if (strcmp(verb, "start") != 0) {
        return mst_err_set(err, MST_E_USAGE, "unknown verb %s: kill, start, stop or cont", verb);
    }
    if (running(p)) {
        return mst_err_set(err, MST_E_PRECOND, "port %d runs already", p->port);
    }
    if (launch(r, p, err) != MST_OK) {
        return err->rc;
    }
    return wait_for(r, p, err);
}

void sbx_real_status(struct sbx_real *r, struct mst_str *out)
{
    for (size_t i = 0; i < r->n; i++) {
        struct process *p = &r->p[i];
        const bool up = running(p);

        mst_str_addf(out, "127.0.0.1:%d pid %ld %s\n", p->port, (long)p->pid,
                     !up          ? "killed"
                     : p->stopped ? "stopped"
                                  : "running");
    }
}
