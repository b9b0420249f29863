#include <poll.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "monitor/probe.h"

#define COMMAND_MS 2500
#define AUTH_RETRY_MS 5000 /* a wrong password is not tried every second */
#define RETRY_MS 1000

/* Everything but hello: replSetGetStatus, serverStatus, replSetGetConfig and a few facts that
 * rarely change, on the connection that is logged in. */
struct rest {
    struct mst_probe *p;
    struct mst_conn *c;
    int64_t status_at, stats_at, config_at; /* when to ask next */
    int64_t config_version;                 /* the newest we asked for */
    bool asked_once;                        /* getCmdLineOpts */
};

static bool due(int64_t at)
{
    return mst_clock_mono_ms(NULL) >= at;
}

/* A refused command leaves a gap in the view that says why; the rest goes on. */
static void missing(struct mst_probe *p, char *text, size_t size, const char *command,
                    const struct mst_err *err)
{
    char line[128];

    if (err->rc == MST_E_AUTH) {
        (void)snprintf(line, sizeof(line), "not authorised for %s%s", command,
                       p->all->cred.mech == MST_MECH_NONE ? " (no login given)" : "");
    } else {
        (void)snprintf(line, sizeof(line), "%s refused (code %d)", command, err->detail);
    }
    mst_mutex_lock(&p->all->mtx);
    (void)mst_copy(text, size, line);
    mst_probe_changed(p);
    mst_mutex_unlock(&p->all->mtx);
}

static void look_alike(struct mst_probe *p, const char *why)
{
    mst_mutex_lock(&p->all->mtx);
    (void)snprintf(p->lookalike_text, sizeof(p->lookalike_text),
                   "%.80s says it is a member of a set, but %s: not a MongoDB replica set, there "
                   "is nothing to watch or back up",
                   p->name, why);
    mst_probe_changed(p);
    mst_mutex_unlock(&p->all->mtx);
}

static enum mst_rc simple(struct rest *r, const char *name, bson_t *reply, struct mst_err *err)
{
    return mst_conn_ask(r->c, "admin", name, COMMAND_MS, reply, err);
}

/* True while the connection is good: a refusal is not a failure of it. */
static bool alive(const struct rest *r)
{
    return !mst_conn_broken(r->c) && !mst_task_cancelled(&r->p->task);
}

static void ask_status(struct rest *r)
{
    struct mst_probe *p = r->p;
    struct mst_err err = {0};
    struct mst_topo_member m;
    struct mst_parsed_status *s = mst_xcalloc(1, sizeof(*s));
    bson_t reply;
    enum mst_rc rc = simple(r, "replSetGetStatus", &reply, &err);

    r->status_at = mst_clock_mono_ms(NULL) + p->all->status_ms;
    if (rc == MST_OK) {
        mst_mutex_lock(&p->all->mtx);
        m = p->facts;
        mst_parse_status(&reply, mst_clock_mono_ms(NULL), &m, s);
        p->facts = m;
        p->status = *s;
        p->lookalike_text[0] = '\0';
        if (m.config_version >= 0 && m.config_version != r->config_version) {
            r->config_version = m.config_version;
            r->config_at = 0;
        }
        mst_probe_changed(p);
        mst_mutex_unlock(&p->all->mtx);
    } else if (!mst_conn_broken(r->c)) {
        if (err.detail == MST_SC_CMD_NOT_FOUND || err.detail == MST_SC_NO_REPLICATION) {
            look_alike(p, "does not know replSetGetStatus");
        } else {
            missing(p, p->facts.status_missing, sizeof(p->facts.status_missing), "replSetGetStatus",
                    &err);
        }
    }
    bson_destroy(&reply);
    free(s);
}

/* The ends of the oplog where serverStatus does not tell them: two reads of one document. */
static void ask_oplog(struct rest *r)
{
    struct mst_probe *p = r->p;
    struct mst_err err = {0};
    struct mst_ts first = {0, 0}, last = {0, 0};
    bool has_first = false, has_last = false;
    enum mst_rc rc = mst_conn_oplog_end(r->c, 1, COMMAND_MS, &first, &has_first, &err);

    if (rc == MST_OK && !has_first) {
        bool follows;

        mst_mutex_lock(&p->all->mtx);
        follows = p->facts.writable || p->facts.secondary;
        mst_mutex_unlock(&p->all->mtx);
        if (follows) {
            look_alike(p, "has no oplog");
        }
        return;
    }
    if (rc == MST_OK) {
        rc = mst_conn_oplog_end(r->c, -1, COMMAND_MS, &last, &has_last, &err);
    }
    if (rc == MST_OK && has_first && has_last) {
        mst_mutex_lock(&p->all->mtx);
        p->facts.oplog_first = first;
        p->facts.oplog_last = last;
        mst_probe_changed(p);
        mst_mutex_unlock(&p->all->mtx);
    }
}

static void ask_stats(struct rest *r)
{
    struct mst_probe *p = r->p;
    struct mst_err err = {0};
    bson_t reply;
    bool has_oplog = false, sharded = false;
    enum mst_rc rc;

    r->stats_at = mst_clock_mono_ms(NULL) + p->all->stats_ms;
    rc = mst_conn_server_status(r->c, true, COMMAND_MS, &reply, &err);
    if (rc == MST_OK) {
        mst_mutex_lock(&p->all->mtx);
        mst_parse_stats(&reply, mst_clock_mono_ms(NULL), &p->facts, &p->counters, &has_oplog,
                        &sharded);
        p->sharded = p->sharded || sharded;
        mst_probe_changed(p);
        mst_mutex_unlock(&p->all->mtx);
    } else if (!mst_conn_broken(r->c)) {
        missing(p, p->facts.stats_missing, sizeof(p->facts.stats_missing), "serverStatus", &err);
    }
    bson_destroy(&reply);
    if (alive(r) && !has_oplog) {
        ask_oplog(r);
    }
}

static void ask_fcv(struct rest *r)
{
    bson_t cmd = BSON_INITIALIZER, reply;
    struct mst_err err = {0};
    char fcv[16];

    (void)BSON_APPEND_INT32(&cmd, "getParameter", 1);
    (void)BSON_APPEND_INT32(&cmd, "featureCompatibilityVersion", 1);
    if (mst_conn_command(r->c, "admin", &cmd, COMMAND_MS, &reply, &err) == MST_OK &&
        mst_bson_text(&reply, "featureCompatibilityVersion.version", fcv, sizeof(fcv))) {
        mst_mutex_lock(&r->p->all->mtx);
        (void)mst_copy(r->p->facts.fcv, sizeof(r->p->facts.fcv), fcv);
        mst_mutex_unlock(&r->p->all->mtx);
    }
    bson_destroy(&reply);
    bson_destroy(&cmd);
}

static void ask_role(struct rest *r)
{
    struct mst_err err = {0};
    bson_t reply;
    char role[32];

    r->asked_once = true;
    if (simple(r, "getCmdLineOpts", &reply, &err) == MST_OK &&
        mst_bson_text(&reply, "parsed.sharding.clusterRole", role, sizeof(role))) {
        mst_mutex_lock(&r->p->all->mtx);
        r->p->sharded = true;
        mst_mutex_unlock(&r->p->all->mtx);
    }
    bson_destroy(&reply);
}

static void ask_config(struct rest *r)
{
    struct mst_probe *p = r->p;
    struct mst_err err = {0};
    struct mst_parsed_config c;
    bson_t reply;
    enum mst_rc rc = simple(r, "replSetGetConfig", &reply, &err);

    r->config_at = mst_clock_mono_ms(NULL) + p->all->config_ms;
    if (rc == MST_OK && mst_parse_config(&reply, &c)) {
        mst_mutex_lock(&p->all->mtx);
        mst_parsed_config_release(&p->config);
        p->config = c;
        p->config_at_ms = mst_clock_mono_ms(NULL);
        p->config_missing[0] = '\0';
        mst_probe_changed(p);
        mst_mutex_unlock(&p->all->mtx);
    } else if (!mst_conn_broken(r->c)) {
        missing(p, p->config_missing, sizeof(p->config_missing), "replSetGetConfig", &err);
    }
    bson_destroy(&reply);
    if (alive(r)) {
        ask_fcv(r);
    }
    if (alive(r) && !r->asked_once) {
        ask_role(r);
    }
}

/* Open only what hello found to be the right member, and never log in at an arbiter. */
static bool wanted(struct mst_probe *p, char set_name[128], bool *check_me)
{
    bool yes;

    mst_mutex_lock(&p->all->mtx);
    yes = p->facts.reach == MST_REACH_OK && !p->facts.is_arbiter_hello;
    *check_me = p->listed || strcasecmp(p->dial, p->name) != 0;
    (void)mst_copy(set_name, 128, p->all->set_name);
    mst_mutex_unlock(&p->all->mtx);
    return yes;
}

static enum mst_rc open_rest(struct rest *r, const char *set_name, bool check_me,
                             struct mst_err *err)
{
    struct mst_probe *p = r->p;
    struct mst_conn_opts o = {.connect_ms = 2 * p->all->silent_ms,
                              .app = p->all->app,
                              .task = &p->task,
                              .check_me = check_me,
                              .set_name = set_name};

    (void)mst_copy(o.name, sizeof(o.name), p->name);
    (void)mst_copy(o.dial, sizeof(o.dial), p->dial);
    o.tls = p->all->tls;
    o.cred = p->all->cred.mech == MST_MECH_NONE ? NULL : &p->all->cred;
    return mst_conn_open(&o, &r->c, err);
}

static void set_auth(struct mst_probe *p, const char *text)
{
    mst_mutex_lock(&p->all->mtx);
    if (strcmp(p->auth_text, text) != 0) {
        (void)mst_copy(p->auth_text, sizeof(p->auth_text), text);
        mst_probe_changed(p);
    }
    mst_mutex_unlock(&p->all->mtx);
}

static bool poked(struct mst_probe *p)
{
    struct pollfd fd = {.fd = p->poke_rest.fd, .events = POLLIN};
    const bool yes = poll(&fd, 1, 0) > 0;

    if (yes) {
        mst_wake_drain(&p->poke_rest);
    }
    return yes;
}

static int64_t known_version(struct mst_probe *p)
{
    int64_t v;

    mst_mutex_lock(&p->all->mtx);
    v = p->hello.set_version;
    mst_mutex_unlock(&p->all->mtx);
    return v;
}

static void watch_rest(struct rest *r)
{
    struct mst_probe *p = r->p;

    r->status_at = r->stats_at = r->config_at = 0;
    while (alive(r)) {
        int64_t next;

        if (due(r->status_at)) {
            ask_status(r);
        }
        if (alive(r) && due(r->config_at)) {
            ask_config(r);
        }
        if (alive(r) && due(r->stats_at)) {
            ask_stats(r);
        }
        next = r->status_at < r->stats_at ? r->status_at : r->stats_at;
        next = r->config_at < next ? r->config_at : next;
        next -= mst_clock_mono_ms(NULL);
        if (alive(r) && next > 0) {
            mst_conn_idle(r->c, next, p->poke_rest.fd);
            if (poked(p)) { /* hello saw a change, or somebody asks to look now */
                r->status_at = 0;
                if (known_version(p) != r->config_version) {
                    r->config_version = known_version(p);
                    r->config_at = 0;
                }
            }
        }
    }
}

void mst_probe_rest(void *arg)
{
    struct rest r = {.p = arg};
    struct mst_probe *p = arg;

    while (!mst_task_cancelled(&p->task)) {
        struct mst_err err = {0};
        char set_name[128];
        bool check_me;
        int64_t pause = RETRY_MS;

        if (wanted(p, set_name, &check_me)) {
            if (open_rest(&r, set_name, check_me, &err) == MST_OK) {
                set_auth(p, "");
                watch_rest(&r);
                mst_conn_free(r.c);
                r.c = NULL;
                pause = 200;
            } else if (err.rc == MST_E_AUTH || err.rc == MST_E_CONFIG) {
                set_auth(p, err.msg);
                pause = AUTH_RETRY_MS;
            } else if (err.rc != MST_E_CANCELLED) { /* shown only while hello answers */
                mst_mutex_lock(&p->all->mtx);
                (void)mst_copy(p->facts.status_missing, sizeof(p->facts.status_missing), err.msg);
                mst_probe_changed(p);
                mst_mutex_unlock(&p->all->mtx);
            }
        }
        mst_probe_nap(p, &p->poke_rest, pause);
    }
}
