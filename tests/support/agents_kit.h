/* agents_kit.h: several homes of the real program (MUSTER_DIRs: other users, other hosts) on one
 * simulated set, and programs that run beside the test. */
#ifndef MST_TEST_AGENTS_KIT_H
#define MST_TEST_AGENTS_KIT_H

#include "sandbox_kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "runprog.h"

#define COLLS 3
#define DOCS 30
#define PATIENCE_MS 40000

struct home {
    char dir[64], env_dir[96], fault[160], no_agent[24];
    const char *env[8];
};

static inline void home_fault(struct home *h, const char *text)
{
    (void)snprintf(h->fault, sizeof(h->fault), "MUSTER_FAULT=%s", text);
}

static inline void home_make(struct home *h, const struct kit *k, const char *store)
{
    const char *const env[] = {
        h->env_dir, h->fault, h->no_agent, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[128];

    temp_dir(h->dir, sizeof(h->dir));
    (void)snprintf(h->env_dir, sizeof(h->env_dir), "MUSTER_DIR=%s", h->dir);
    (void)snprintf(h->no_agent, sizeof(h->no_agent), "MUSTER_NO_AGENT=");
    memcpy(h->env, env, sizeof(env));
    home_fault(h, "");
    mst_str_add(&s, "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"restore\", \"import\", "
                    "\"discard\", \"clean\", \"switch\"];\n  members = [");
    for (size_t i = 0; i < 3; i++) {
        mst_str_addf(&s, "%s\"127.0.0.1:%d\"", i ? ", " : "", sbx_world_port(k->w, i));
    }
    mst_str_addf(&s, "]; };\nstores = ({ name = \"local\"; type = \"local\"; path = \"%s\"; });\n",
                 store);
    (void)snprintf(path, sizeof(path), "%s/muster.conf", h->dir);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

#define HAS(text, part) \
    do { \
        if (!strstr((text), (part))) { \
            fail_msg("\"%s\" is not in: %s", (part), (text)); \
        } \
    } while (0)

static inline void expect(const struct ran *r, int status)
{
    if (r->status != status) {
        fail_msg("status %d, wanted %d: %s%s", r->status, status, mst_str_c(&r->out),
                 mst_str_c(&r->err));
    }
}

/* Run it; its status must be this. */
#define MUST(r, h, wanted, ...) \
    do { \
        RUN((r), (h)->env, __VA_ARGS__); \
        expect((r), (wanted)); \
    } while (0)
#define DO(h, wanted, ...) \
    do { \
        struct ran do_r; \
        MUST(&do_r, h, wanted, __VA_ARGS__); \
        ran_release(&do_r); \
    } while (0)

/* --- the data --- */

static inline void on_primary(struct kit *k, const char *json)
{
    bson_t reply;

    assert_int_equal(kit_run(k, sbx_world_primary(k->w), "shop", &reply, json), 0);
    bson_destroy(&reply);
}

static inline void fill(struct kit *k, const char *mark)
{
    for (int c = 0; c < COLLS; c++) {
        struct mst_str s = {0};
        char json[160];

        (void)snprintf(json, sizeof(json), "{'delete': 'c%d', 'deletes': [{'q': {}, 'limit': 0}]}",
                       c);
        on_primary(k, json);
        mst_str_addf(&s, "{'insert': 'c%d', 'documents': [", c);
        for (int i = 0; i < DOCS; i++) {
            mst_str_addf(&s, "%s{'_id': %d, 'mark': '%s'}", i ? ", " : "", i, mark);
        }
        mst_str_add(&s, "], 'writeConcern': {'w': 3}}");
        on_primary(k, mst_str_c(&s));
        mst_str_release(&s);
    }
}

static inline void all_are(struct kit *k, const char *mark)
{
    for (int c = 0; c < COLLS; c++) {
        char json[160];
        bson_t reply;

        (void)snprintf(json, sizeof(json), "{'count': 'c%d', 'query': {'mark': '%s'}}", c, mark);
        assert_int_equal(kit_run(k, sbx_world_primary(k->w), "shop", &reply, json), 0);
        assert_int_equal(kit_int(&reply, "n"), DOCS);
        bson_destroy(&reply);
    }
}

/* --- the program beside the test --- */

struct beside {
    pid_t pid;
    int fd; /* of what it prints, or its terminal */
    struct mst_str out;
};

/* terminal: it gets one. */
static inline void start_beside(struct beside *b, const struct home *h, bool terminal,
                                const char *const *argv)
{
    const char *program = getenv("TEST_MUSTER");
    char *args[24] = {mst_xstrdup(program ? program : TEST_MUSTER)};
    int p[2] = {-1, -1};

    memset(b, 0, sizeof(*b));
    for (size_t i = 0; argv[i]; i++) {
        args[i + 1] = mst_xstrdup(argv[i]);
    }
    if (terminal) {
        p[0] = posix_openpt(O_RDWR | O_NOCTTY);
        assert_true(p[0] >= 0 && grantpt(p[0]) == 0 && unlockpt(p[0]) == 0);
        p[1] = open(ptsname(p[0]), O_RDWR | O_NOCTTY);
    } else {
        assert_int_equal(pipe(p), 0);
    }
    b->pid = fork();
    if (b->pid == 0) {
        const int null = open("/dev/null", O_RDONLY);

        (void)setsid();
        (void)dup2(terminal ? p[1] : null, 0);
        (void)dup2(p[1], 1);
        (void)dup2(p[1], 2);
        for (int fd = 3; fd < 64; fd++) {
            (void)close(fd);
        }
        for (size_t i = 0; h->env[i]; i++) {
            (void)putenv(mst_xstrdup(h->env[i]));
        }
        (void)setenv("TERM", "xterm", 1);
        (void)execv(args[0], args);
        _exit(126);
    }
    (void)close(p[1]);
    b->fd = p[0];
    for (size_t i = 0; args[i]; i++) {
        free(args[i]);
    }
}
#define BESIDE(b, h, terminal, ...) \
    start_beside((b), (h), (terminal), (const char *const[]){__VA_ARGS__, NULL})

/* Read for at most ms; false at its end. */
static inline bool beside_read(struct beside *b, int ms)
{
    struct pollfd p = {.fd = b->fd, .events = POLLIN};
    char buf[4096];
    ssize_t n;

    if (poll(&p, 1, ms) <= 0) {
        return true;
    }
    n = read(b->fd, buf, sizeof(buf));
    if (n > 0) {
        mst_str_addn(&b->out, buf, (size_t)n);
    }
    return n > 0;
}

static inline void beside_says(struct beside *b, const char *part)
{
    const int64_t end = mst_clock_mono_ms(NULL) + PATIENCE_MS;
    bool open = true;

    while (!strstr(mst_str_c(&b->out), part)) {
        if (!open || mst_clock_mono_ms(NULL) > end) {
            fail_msg("\"%s\" is never in: %s", part, mst_str_c(&b->out));
        }
        open = beside_read(b, 100);
    }
}

/* Until it ends; its exit status. */
static inline int beside_end_within(struct beside *b, int64_t ms)
{
    const int64_t end = mst_clock_mono_ms(NULL) + ms;
    int status = 0;

    while (beside_read(b, 100)) {
        if (mst_clock_mono_ms(NULL) > end) {
            (void)kill(b->pid, SIGKILL);
            fail_msg("it does not end: %s", mst_str_c(&b->out));
        }
    }
    (void)waitpid(b->pid, &status, 0);
    (void)close(b->fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int beside_end(struct beside *b)
{
    return beside_end_within(b, PATIENCE_MS);
}

/* The end of what it printed. */
static inline const char *beside_tail(const struct beside *b)
{
    return mst_str_c(&b->out) + (b->out.len > 900 ? b->out.len - 900 : 0);
}

static inline void beside_kill(struct beside *b)
{
    (void)kill(b->pid, SIGKILL);
    (void)beside_end(b);
    mst_str_release(&b->out);
}

/* --- agents --- */

/* This process, by its /proc name, is an agent of this home. */
static inline bool is_agent_of(const struct home *h, const char *pid)
{
    char path[300], text[512] = "";
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    for (ssize_t i = 0; i + 1 < n; i++) {
        text[i] = text[i] ? text[i] : ' ';
    }
    return strstr(text, h->dir) && strstr(text, "--ready-fd");
}

/* How many run; end: they are killed. */
static inline size_t agents_of(const struct home *h, bool end)
{
    DIR *d = opendir("/proc");
    const struct dirent *e;
    size_t n = 0;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && is_agent_of(h, e->d_name)) {
            n++;
            if (end) {
                (void)kill((pid_t)strtol(e->d_name, NULL, 10), SIGKILL);
            }
        }
    }
    (void)closedir(d);
    return n;
}

/* As kill -9 does, stopped ones too; returns when they are gone. */
static inline void agents_die(const struct home *h)
{
    const int64_t end = mst_clock_mono_ms(NULL) + PATIENCE_MS;

    while (agents_of(h, true) > 0) {
        assert_true(mst_clock_mono_ms(NULL) < end);
        mst_clock_sleep_ms(10);
    }
}

static inline void home_end(struct home *h)
{
    if (h->dir[0]) {
        agents_die(h);
        temp_remove(h->dir);
        h->dir[0] = '\0';
    }
}

static inline pid_t agent_pid(struct home *h)
{
    struct ran r;
    const char *at;
    pid_t pid;

    MUST(&r, h, 0, "agent");
    at = strstr(mst_str_c(&r.out), "pid ");
    assert_non_null(at);
    pid = (pid_t)strtol(at + 4, NULL, 10);
    ran_release(&r);
    return pid;
}

/* As /proc says: 'T' stopped, '-' gone. */
static inline char process_state(pid_t pid)
{
    char path[64], text[128] = "";
    const char *at;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!read(fd, text, sizeof(text) - 1);
        (void)close(fd);
    }
    at = strrchr(text, ')');
    return at && at[1] ? at[2] : '-';
}

static inline void await_state(pid_t pid, char state)
{
    const int64_t end = mst_clock_mono_ms(NULL) + PATIENCE_MS;

    while (process_state(pid) != state) {
        if (mst_clock_mono_ms(NULL) > end) {
            fail_msg("process %d is %c, never %c", (int)pid, process_state(pid), state);
        }
        mst_clock_sleep_ms(10);
    }
}

/* A new agent with this fault; one from before has died. */
static inline pid_t agent_with(struct home *h, const char *fault)
{
    agents_die(h);
    home_fault(h, fault);
    return agent_pid(h);
}

static inline void phrase_of(struct home *h, char *out, size_t size)
{
    struct ran r;
    const char *at;

    MUST(&r, h, 10, "restore", "--include", "shop.*");
    at = strstr(mst_str_c(&r.err), "--confirm '");
    assert_non_null(at);
    (void)snprintf(out, size, "%.*s", (int)strcspn(at + 11, "'"), at + 11);
    ran_release(&r);
}

static inline void restore(struct ran *r, struct home *h)
{
    char phrase[160];

    phrase_of(h, phrase, sizeof(phrase));
    RUN(r, h->env, "restore", "--include", "shop.*", "--confirm", phrase);
}

static inline void restore_beside(struct beside *b, struct home *h)
{
    char phrase[160];

    phrase_of(h, phrase, sizeof(phrase));
    BESIDE(b, h, false, "restore", "--include", "shop.*", "--confirm", phrase);
}

#endif
