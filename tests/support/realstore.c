#include "realstore.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "runprog.h"
#include "s3_ask.h"

#ifndef TEST_SOURCE
#define TEST_SOURCE "."
#endif

static const char *const names[] = {"versitygw", "rclone", "fake-gcs-server", "moto"};
static char *programs[MST_COUNT(names)], *proxy_program;

static _Noreturn void give_up(const char *what, const char *log)
{
    (void)fprintf(stderr, "%s\n%s\n", what, log);
    abort();
}

/* ---- programs ---- */

/* Child with both streams to fd; dies with this program. */
static pid_t spawn(const char *const *argv, const char *const *env, int fd)
{
    const pid_t parent = getpid(), pid = fork();
    char **words;
    size_t n = 0;

    if (pid != 0) {
        return pid;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(125);
    }
    (void)dup2(open("/dev/null", O_RDONLY), 0);
    (void)dup2(fd, 1);
    (void)dup2(fd, 2);
    for (int i = 3; i < 256; i++) {
        (void)close(i);
    }
    for (size_t i = 0; env && env[i]; i += 2) {
        (void)setenv(env[i], env[i + 1], 1);
    }
    while (argv[n]) {
        n++;
    }
    words = mst_xcalloc(n + 1, sizeof(*words));
    for (size_t i = 0; i < n; i++) {
        words[i] = mst_xstrdup(argv[i]);
    }
    (void)execvp(words[0], words);
    _exit(126);
}

static int run(const char *const *argv, const char *const *env, struct mst_str *out)
{
    int fds[2], status = 0;
    char buf[4096];
    ssize_t n;
    pid_t pid;

    MST_ASSERT(pipe2(fds, O_CLOEXEC) == 0);
    pid = spawn(argv, env, fds[1]);
    (void)close(fds[1]);
    while ((n = read(fds[0], buf, sizeof(buf))) > 0) {
        if (out) {
            mst_str_addn(out, buf, (size_t)n);
        }
    }
    (void)close(fds[0]);
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int realstore_run(const char *const *argv, struct mst_str *out)
{
    return run(argv, NULL, out);
}

static char *need(const char *name)
{
    const char *const argv[] = {"sh", TEST_SOURCE "/tests/store/peers.sh", name, NULL};
    struct mst_str out = {0};
    const int status = run(argv, NULL, &out);

    if (status != 0) {
        (void)printf("%s", mst_str_c(&out));
        exit(status == 77 ? 77 : 1);
    }
    out.p[strcspn(out.p, "\n")] = '\0';
    return mst_str_detach(&out);
}

const char *realstore_program(enum realstore_kind kind)
{
    if (!programs[kind]) {
        programs[kind] = need(names[kind]);
    }
    return programs[kind];
}

void realstore_need(enum realstore_kind kind)
{
    (void)realstore_program(kind);
}

void realstore_need_proxy(void)
{
    if (!proxy_program) {
        proxy_program = need("toxiproxy");
    }
}

/* ---- starting ---- */

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t n = sizeof(a);

    MST_ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
               getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    (void)close(fd);
    return ntohs(a.sin_port);
}

/* Somebody answers there, and it is our child: it lives. */
static bool answers(int port, pid_t pid)
{
    static const char hello[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    const int64_t end = mst_clock_mono_ms(NULL) + 60000;

    while (mst_clock_mono_ms(NULL) < end) {
        struct s3_asked a;
        int status;
        bool ok;

        if (waitpid(pid, NULL, WNOHANG) == pid) {
            return false;
        }
        s3_ask_raw(port, hello, sizeof(hello) - 1, &a);
        status = a.status;
        ok = status > 0;
        s3_asked_release(&a);
        if (ok) {
            return true;
        }
        mst_clock_sleep_ms(20);
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return false;
}

static int log_file(const struct realstore *r, const char *name)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s.log", r->dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    MST_ASSERT(fd >= 0);
    return fd;
}

static void show_log(const struct realstore *r, const char *name)
{
    char path[128];
    const char *const argv[] = {"tail", "-n", "40", path, NULL};
    struct mst_str out = {0};

    (void)snprintf(path, sizeof(path), "%s/%s.log", r->dir, name);
    (void)run(argv, NULL, &out);
    give_up("a real store did not start; it said:", mst_str_c(&out));
}

static pid_t launch(struct realstore *r, const struct realstore_opts *o, int fd)
{
    const char *program = realstore_program(r->kind);
    char data[96], versions[96], iam[96], addr[64], port[16], keys[96];
    const char *const env[] = {
        "ROOT_ACCESS_KEY", REAL_ACCESS, "ROOT_SECRET_KEY", REAL_SECRET, "HOME", r->dir, NULL};

    (void)snprintf(data, sizeof(data), "%s/data", r->dir);
    (void)snprintf(versions, sizeof(versions), "%s/versions", r->dir);
    (void)snprintf(iam, sizeof(iam), "%s/iam", r->dir);
    (void)snprintf(addr, sizeof(addr), "127.0.0.1:%d", r->port);
    (void)snprintf(port, sizeof(port), "%d", r->port);
    (void)snprintf(keys, sizeof(keys), "%s,%s", REAL_ACCESS, REAL_SECRET);
    (void)mkdir(data, 0700);
    (void)mkdir(versions, 0700);
    (void)mkdir(iam, 0700);
    if (r->kind == REAL_VERSITYGW) {
        const bool keeps = o->versioned || o->lock;
        const char *const argv[] = {program,
                                    "--port",
                                    addr,
                                    "--region",
                                    REAL_REGION,
                                    "--keep-alive",
                                    "--quiet",
                                    o->users ? "--iam-dir" : "--quiet",
                                    o->users ? iam : "--quiet",
                                    "posix",
                                    keeps ? "--versioning-dir" : data,
                                    keeps ? versions : NULL,
                                    data,
                                    NULL};

        return spawn(argv, env, fd);
    }
    if (r->kind == REAL_RCLONE) {
        const char *const argv[] = {program,      "serve", "s3",     "--config", "/dev/null",
                                    "--auth-key", keys,    "--addr", addr,       "--vfs-cache-mode",
                                    "off",        data,    NULL};

        return spawn(argv, env, fd);
    }
    if (r->kind == REAL_GCS) {
        char url[96], plain[16];
        const char *argv[] = {program,      "-scheme",
                              "http",       "-host",
                              "127.0.0.1",  "-port",
                              port,         "-backend",
                              "memory",     "-public-host",
                              addr,         "-external-url",
                              url,          "-log-level",
                              "warn",       NULL,
                              plain,        "-cert-location",
                              o->cert_file, "-private-key-location",
                              o->cert_file, NULL};

        (void)snprintf(url, sizeof(url), "http%s://%s", o->cert_file ? "s" : "", addr);
        (void)snprintf(plain, sizeof(plain), "%d", r->plain_port);
        if (o->cert_file) {
            argv[2] = "both";
            argv[15] = "-port-http";
        }
        return spawn(argv, env, fd);
    }
    {
        const char *const argv[] = {program, "-H", "127.0.0.1", "-p", port, NULL};

        return spawn(argv, env, fd);
    }
}

static void start_store(struct realstore *r, const struct realstore_opts *o)
{
    for (int tries = 0; tries < 5; tries++) {
        const int fd = log_file(r, "store");

        r->port = r->port ? r->port : free_port();
        r->plain_port = o->cert_file ? free_port() : r->port;
        r->pid = launch(r, o, fd);
        (void)close(fd);
        if (answers(r->port, r->pid) && answers(r->plain_port, r->pid)) {
            (void)snprintf(r->direct, sizeof(r->direct), "http%s://127.0.0.1:%d",
                           o->cert_file ? "s" : "", r->port);
            return;
        }
        r->port = 0; /* somebody else took it in between */
    }
    show_log(r, "store");
}

/* ---- the bucket, through the API ---- */

static void must(struct realstore *r, const struct s3_ask *q)
{
    struct s3_asked a;

    s3_ask(q, &a);
    if (a.status < 200 || a.status > 299) {
        (void)fprintf(stderr, "%s %s: %d\n%s\n", q->method, q->target, a.status,
                      mst_str_c(&a.body));
        realstore_stop(r);
        give_up("a real store refused to make its bucket", "");
    }
    s3_asked_release(&a);
}

static void make_bucket(struct realstore *r, const struct realstore_opts *o)
{
    static const char enabled[] =
        "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Status>Enabled</Status></VersioningConfiguration>";
    const char *const lock[] = {"x-amz-bucket-object-lock-enabled: true", NULL};
    struct s3_ask q = {.method = "PUT",
                       .target = "/" REAL_BUCKET,
                       .port = r->plain_port,
                       .access = REAL_ACCESS,
                       .secret = REAL_SECRET,
                       .region = REAL_REGION};

    if (r->kind == REAL_GCS) {
        q.method = "POST";
        q.target = "/storage/v1/b?project=test";
        q.body = "{\"name\":\"" REAL_BUCKET "\"}";
        q.n = strlen(q.body);
        must(r, &q);
        return;
    }
    if (r->kind == REAL_MOTO) {
        q.body = "<CreateBucketConfiguration><LocationConstraint>" REAL_REGION
                 "</LocationConstraint></CreateBucketConfiguration>";
        q.n = strlen(q.body);
    }
    q.headers = o->lock ? lock : NULL;
    must(r, &q);
    if (o->versioned && (!o->lock || r->kind == REAL_MOTO)) {
        q.headers = NULL;
        q.target = "/" REAL_BUCKET "?versioning=";
        q.body = enabled;
        q.n = strlen(enabled);
        must(r, &q);
    }
}

void realstore_user(struct realstore *r, const char *name)
{
    char secret[80];
    struct mst_str out = {0};
    const char *const argv[] = {realstore_program(r->kind),
                                "admin",
                                "-a",
                                REAL_ACCESS,
                                "-s",
                                REAL_SECRET,
                                "-r",
                                REAL_REGION,
                                "--er",
                                r->direct,
                                "create-user",
                                "-a",
                                name,
                                "-s",
                                secret,
                                "-r",
                                "user",
                                NULL};

    (void)snprintf(secret, sizeof(secret), "%.60s-secret", name);
    if (run(argv, NULL, &out) != 0) {
        give_up("a real store refused to make an account", mst_str_c(&out));
    }
    mst_str_release(&out);
}

void realstore_policy(struct realstore *r, const char *json)
{
    const struct s3_ask q = {.method = "PUT",
                             .target = "/" REAL_BUCKET "?policy=",
                             .port = r->port,
                             .access = REAL_ACCESS,
                             .secret = REAL_SECRET,
                             .region = REAL_REGION,
                             .body = json,
                             .n = strlen(json)};

    must(r, &q);
}

/* ---- the proxy ---- */

/* A request to its API; the answer's body when wanted, caller frees. */
static char *api(struct realstore *r, const char *method, const char *path, const char *json,
                 bool may_fail)
{
    char *text = mst_xasprintf("%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: tests\r\n"
                               "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                               "Connection: close\r\n\r\n%s",
                               method, path, strlen(json), json);
    struct s3_asked a;
    char *body;

    s3_ask_raw(r->api_port, text, strlen(text), &a);
    free(text);
    if (!may_fail && (a.status < 200 || a.status > 299)) {
        (void)fprintf(stderr, "%s %s %s: %d\n", method, path, json, a.status);
        give_up("toxiproxy refused", mst_str_c(&a.body));
    }
    body = mst_xstrdup(mst_str_c(&a.body));
    s3_asked_release(&a);
    return body;
}

static void start_proxy(struct realstore *r)
{
    char port[16], *json, *said, *listen;
    const char *argv[] = {NULL, "-host", "127.0.0.1", "-port", port, NULL};
    bool up = false;

    realstore_need_proxy();
    argv[0] = proxy_program;
    for (int tries = 0; tries < 5 && !up; tries++) {
        const int fd = log_file(r, "proxy");

        r->api_port = free_port();
        (void)snprintf(port, sizeof(port), "%d", r->api_port);
        r->proxy_pid = spawn(argv, NULL, fd);
        (void)close(fd);
        up = answers(r->api_port, r->proxy_pid);
    }
    if (!up) {
        show_log(r, "proxy");
    }
    json = mst_xasprintf("{\"name\":\"s\",\"listen\":\"127.0.0.1:0\",\"upstream\":\"127.0.0.1:%d\","
                         "\"enabled\":true}",
                         r->port);
    said = api(r, "POST", "/proxies", json, false);
    listen = strstr(said, "\"listen\":\"127.0.0.1:");
    MST_ASSERT(listen);
    r->proxy_port = (int)strtol(listen + strlen("\"listen\":\"127.0.0.1:"), NULL, 10);
    (void)snprintf(r->endpoint, sizeof(r->endpoint), "http://127.0.0.1:%d", r->proxy_port);
    free(said);
    free(json);
}

void realstore_toxic_none(struct realstore *r, const char *type, bool up)
{
    char *path = mst_xasprintf("/proxies/s/toxics/%s_%s", type, up ? "up" : "down");

    free(api(r, "DELETE", path, "", true));
    free(path);
}

void realstore_toxic(struct realstore *r, const char *type, bool up, const char *attributes)
{
    char *json =
        mst_xasprintf("{\"name\":\"%s_%s\",\"type\":\"%s\",\"stream\":\"%s\","
                      "\"toxicity\":1.0,\"attributes\":{%s}}",
                      type, up ? "up" : "down", type, up ? "upstream" : "downstream", attributes);

    realstore_toxic_none(r, type, up);
    free(api(r, "POST", "/proxies/s/toxics", json, false));
    free(json);
}

void realstore_heal(struct realstore *r)
{
    free(api(r, "POST", "/reset", "", false));
}

void realstore_cut(struct realstore *r, bool on)
{
    free(api(r, "POST", "/proxies/s", on ? "{\"enabled\":false}" : "{\"enabled\":true}", false));
}

/* ---- the whole ---- */

static struct realstore_opts remembered[4];

void realstore_start(struct realstore *r, enum realstore_kind kind, const struct realstore_opts *o)
{
    static const struct realstore_opts none;

    memset(r, 0, sizeof(*r));
    r->kind = kind;
    o = o ? o : &none;
    remembered[kind] = *o;
    temp_dir(r->dir, sizeof(r->dir));
    start_store(r, o);
    (void)mst_copy(r->endpoint, sizeof(r->endpoint), r->direct);
    if (!o->no_bucket) {
        make_bucket(r, o);
    }
    if (o->proxy) {
        start_proxy(r);
    }
}

static void end(pid_t *pid)
{
    if (*pid > 0) {
        (void)kill(*pid, SIGKILL);
        (void)waitpid(*pid, NULL, 0);
        *pid = 0;
    }
}

void realstore_kill(struct realstore *r)
{
    end(&r->pid);
}

void realstore_again(struct realstore *r)
{
    const int port = r->port;

    start_store(r, &remembered[r->kind]);
    MST_ASSERT(r->port == port);
}

void realstore_stop(struct realstore *r)
{
    end(&r->proxy_pid);
    end(&r->pid);
    if (r->dir[0]) {
        temp_remove(r->dir);
        r->dir[0] = '\0';
    }
}

int realstore_rclone(struct realstore *r, const char *const *words, struct mst_str *out)
{
    const char *argv[40] = {realstore_program(REAL_RCLONE), "--config", "/dev/null"};
    const char *const env[] = {"RCLONE_CONFIG_REAL_TYPE",
                               "s3",
                               "RCLONE_CONFIG_REAL_PROVIDER",
                               "Other",
                               "RCLONE_CONFIG_REAL_ENDPOINT",
                               r->direct,
                               "RCLONE_CONFIG_REAL_REGION",
                               REAL_REGION,
                               "RCLONE_CONFIG_REAL_ACCESS_KEY_ID",
                               REAL_ACCESS,
                               "RCLONE_CONFIG_REAL_SECRET_ACCESS_KEY",
                               REAL_SECRET,
                               "HOME",
                               r->dir,
                               NULL};

    for (size_t i = 0; words[i] && i < 36; i++) {
        argv[3 + i] = words[i];
    }
    return run(argv, env, out);
}
