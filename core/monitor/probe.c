#include "monitor/probe.h"

#include <poll.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 1000
#define RTT_EVERY_MS 10000 /* an awaited hello tells no round trip */

void mst_probe_nap(struct mst_probe *p, struct mst_wake *poke, int64_t ms)
{
    struct pollfd fds[2] = {{.fd = p->task.wake.fd, .events = POLLIN},
                            {.fd = poke->fd, .events = POLLIN}};

    if (ms > 0) {
        (void)poll(fds, 2, (int)ms);
    }
    mst_wake_drain(poke);
}

void mst_probe_changed(struct mst_probe *p)
{
    p->all->version++;
    mst_cond_signal(&p->all->changed);
}

static void set_reach(struct mst_probe *p, enum mst_reach reach, const char *text)
{
    if (p->facts.reach != reach) {
        p->facts.reach = reach;
        p->facts.reach_at_ms = mst_clock_mono_ms(NULL);
    }
    (void)mst_copy(p->facts.reach_text, sizeof(p->facts.reach_text), text);
    mst_probe_changed(p);
}

static enum mst_reach reach_of_precond(int detail)
{
    switch (detail) {
    case MST_CD_WRONG_MEMBER:
        return MST_REACH_WRONG_MEMBER;
    case MST_CD_WRONG_SET:
        return MST_REACH_WRONG_SET;
    case MST_CD_NOT_REPLSET:
        return MST_REACH_NOT_REPLSET;
    case MST_CD_MONGOS:
        return MST_REACH_MONGOS;
    case MST_CD_UNINIT:
        return MST_REACH_UNINIT;
    default:
        return MST_REACH_PROTOCOL;
    }
}

static enum mst_reach reach_of(const struct mst_err *err)
{
    if (err->rc == MST_E_TIMEOUT) {
        return MST_REACH_SILENT;
    }
    if (err->rc == MST_E_TLS) {
        return err->detail == MST_CD_TLS_HOSTNAME ? MST_REACH_HOSTNAME : MST_REACH_TLS;
    }
    if (err->rc == MST_E_PRECOND) {
        return reach_of_precond(err->detail);
    }
    if (err->rc == MST_E_INTEGRITY || err->rc == MST_E_LIMIT || err->rc == MST_E_SERVER) {
        return MST_REACH_PROTOCOL;
    }
    return err->rc == MST_E_AUTH ? MST_REACH_AUTH : MST_REACH_REFUSED;
}

static void hello_failed(struct mst_probe *p, const struct mst_err *err)
{
    if (err->rc == MST_E_CANCELLED) {
        return;
    }
    mst_mutex_lock(&p->all->mtx);
    set_reach(p, reach_of(err), err->msg);
    mst_mutex_unlock(&p->all->mtx);
}

/* A seed that is an alias may answer as anybody; whoever is in the list must be itself. */
static bool wrong_me(const struct mst_probe *p, const struct mst_parsed_hello *h)
{
    bool listed = p->listed || strcasecmp(p->dial, p->name) != 0;

    for (size_t i = 0; i < h->n_hosts && !listed; i++) {
        listed = strcasecmp(h->hosts[i], p->name) == 0;
    }
    return listed && h->me[0] && strcasecmp(h->me, p->name) != 0;
}

/* False when this is not who we want; the reason is recorded. */
static bool record_hello(struct mst_probe *p, const bson_t *reply, int64_t rtt_us)
{
    struct mst_topo_member m;
    struct mst_parsed_hello h;
    char text[sizeof(p->facts.reach_text)];
    bool ok = false, moved;

    mst_mutex_lock(&p->all->mtx);
    m = p->facts;
    mst_parse_hello(reply, mst_clock_mono_ms(NULL), &m, &h);
    if (!h.set_name[0]) {
        (void)snprintf(text, sizeof(text),
                       "%.150s has lost its configuration: removed from its set", p->name);
        set_reach(p, MST_REACH_UNINIT, text);
    } else if (p->all->set_name[0] && strcmp(p->all->set_name, h.set_name) != 0) {
        (void)snprintf(text, sizeof(text), "%.100s belongs to the set '%.60s', not to '%.60s'",
                       p->name, h.set_name, p->all->set_name);
        set_reach(p, MST_REACH_WRONG_SET, text);
    } else if (wrong_me(p, &h)) {
        (void)snprintf(text, sizeof(text),
                       "%.80s (at %.60s) answers as %.60s: two addresses are swapped", p->name,
                       p->dial, h.me);
        set_reach(p, MST_REACH_WRONG_MEMBER, text);
    } else {
        ok = true;
        moved = m.writable != p->facts.writable || m.secondary != p->facts.secondary ||
                m.hello_term != p->facts.hello_term || h.set_version != p->hello.set_version;
        if (rtt_us >= 0) {
            m.hello_rtt_us = rtt_us;
        }
        if (!p->all->set_name[0]) {
            (void)mst_copy(p->all->set_name, sizeof(p->all->set_name), h.set_name);
        }
        p->sharded = p->sharded || h.sharded;
        p->facts = m;
        p->hello = h;
        set_reach(p, MST_REACH_OK, "");
        if (moved) {
            mst_wake_signal(&p->poke_rest);
        }
    }
    mst_mutex_unlock(&p->all->mtx);
    return ok;
}

static enum mst_rc open_hello(struct mst_probe *p, struct mst_conn **c, struct mst_err *err)
{
    struct mst_conn_opts o = {
        .connect_ms = p->all->silent_ms, .app = p->all->app, .task = &p->task};
    char set_name[128];

    mst_mutex_lock(&p->all->mtx);
    o.check_me = p->listed || strcasecmp(p->dial, p->name) != 0;
    (void)mst_copy(set_name, sizeof(set_name), p->all->set_name);
    mst_mutex_unlock(&p->all->mtx);
    (void)mst_copy(o.name, sizeof(o.name), p->name);
    (void)mst_copy(o.dial, sizeof(o.dial), p->dial);
    o.tls = p->all->tls;
    o.set_name = set_name;
    return mst_conn_open(&o, c, err);
}

/* One hello on an open connection. With a topologyVersion the server answers when something
 * changes, or after the interval. */
static enum mst_rc ask_hello(struct mst_probe *p, struct mst_conn *c, bson_t *version, bool await,
                             bson_t *reply, struct mst_err *err)
{
    bson_t cmd = BSON_INITIALIZER;
    enum mst_rc rc;

    (void)BSON_APPEND_INT32(
        &cmd, mst_bson_bool(mst_conn_hello(c), "helloOk", false) ? "hello" : "isMaster", 1);
    if (await) {
        (void)BSON_APPEND_DOCUMENT(&cmd, "topologyVersion", version);
        (void)BSON_APPEND_INT64(&cmd, "maxAwaitTimeMS", p->all->hello_ms);
    }
    rc = mst_conn_command(c, "admin", &cmd, p->all->silent_ms + (await ? p->all->hello_ms : 0),
                          reply, err);
    bson_destroy(&cmd);
    return rc;
}

/* Until the connection fails or is not the one we want. */
static void watch_hello(struct mst_probe *p, struct mst_conn *c, struct mst_err *err)
{
    bson_t version = BSON_INITIALIZER, tv, reply;
    int64_t rtt_at = mst_clock_mono_ms(NULL);
    bool ok = record_hello(p, mst_conn_hello(c), -1), await = false;
    enum mst_rc rc = MST_OK;

    if (mst_bson_doc(mst_conn_hello(c), "topologyVersion", &tv)) {
        bson_copy_to(&tv, &version);
        await = true;
    }
    while (ok && rc == MST_OK && !mst_task_cancelled(&p->task)) {
        const bool measure = !await || mst_clock_mono_ms(NULL) - rtt_at >= RTT_EVERY_MS;

        if (!await) {
            mst_conn_idle(c, p->all->hello_ms, p->poke_hello.fd);
            mst_wake_drain(&p->poke_hello);
            if (mst_conn_broken(c)) { /* the next connect says why */
                break;
            }
        }
        rc = ask_hello(p, c, &version, await && !measure, &reply, err);
        if (rc == MST_OK) {
            ok = record_hello(p, &reply, measure ? mst_conn_rtt_us(c) : -1);
            rtt_at = measure ? mst_clock_mono_ms(NULL) : rtt_at;
            if (await) {
                await = mst_bson_doc(&reply, "topologyVersion", &tv);
                bson_destroy(&version);
                await ? bson_copy_to(&tv, &version) : bson_init(&version);
            }
        }
        bson_destroy(&reply);
    }
    bson_destroy(&version);
    if (rc == MST_E_TIMEOUT) { /* a broken one is opened anew first: refused is not silent */
        hello_failed(p, err);
    }
}

static void hello_thread(void *arg)
{
    struct mst_probe *p = arg;
    int64_t backoff = BACKOFF_MIN_MS;

    while (!mst_task_cancelled(&p->task)) {
        struct mst_conn *c = NULL;
        struct mst_err err = {0};
        const int64_t start = mst_clock_mono_ms(NULL);

        if (open_hello(p, &c, &err) == MST_OK) {
            watch_hello(p, c, &err);
            mst_conn_free(c);
        } else {
            hello_failed(p, &err);
        }
        /* A connection that lived deserves a quick second try. */
        backoff = mst_clock_mono_ms(NULL) - start > 5000 ? BACKOFF_MIN_MS : backoff * 2;
        backoff = backoff > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : backoff;
        mst_probe_nap(p, &p->poke_hello, c ? BACKOFF_MIN_MS : backoff);
    }
}

enum mst_rc mst_probe_start(struct mst_probes *all, const char *name, const char *dial,
                            struct mst_probe **out, struct mst_err *err)
{
    struct mst_probe *p = mst_xcalloc(1, sizeof(*p));
    char thread[40];
    enum mst_rc rc;

    p->all = all;
    p->poke_hello.fd = -1;
    p->poke_rest.fd = -1;
    (void)mst_copy(p->name, sizeof(p->name), name);
    (void)mst_copy(p->dial, sizeof(p->dial), dial && dial[0] ? dial : name);
    mst_member_init(&p->facts, p->name, p->dial);
    rc = mst_task_init(&p->task, err);
    if (rc != MST_OK) {
        free(p);
        return rc;
    }
    rc = mst_wake_init(&p->poke_hello, err);
    if (rc == MST_OK) {
        rc = mst_wake_init(&p->poke_rest, err);
    }
    if (rc == MST_OK) {
        (void)snprintf(thread, sizeof(thread), "h %.13s", name);
        rc = mst_thread_start(&p->hello_thread, thread, hello_thread, p, err);
    }
    if (rc == MST_OK) {
        (void)snprintf(thread, sizeof(thread), "s %.13s", name);
        rc = mst_thread_start(&p->rest_thread, thread, mst_probe_rest, p, err);
    }
    if (rc != MST_OK) {
        mst_probe_free(p);
        return rc;
    }
    *out = p;
    return MST_OK;
}

void mst_probe_now(struct mst_probe *p)
{
    mst_wake_signal(&p->poke_hello);
    mst_wake_signal(&p->poke_rest);
}

void mst_probe_cancel(struct mst_probe *p)
{
    mst_task_cancel(&p->task);
}

void mst_probe_free(struct mst_probe *p)
{
    if (!p) {
        return;
    }
    mst_probe_cancel(p);
    mst_thread_join(&p->hello_thread);
    mst_thread_join(&p->rest_thread);
    mst_parsed_config_release(&p->config);
    mst_wake_release(&p->poke_hello);
    mst_wake_release(&p->poke_rest);
    mst_task_release(&p->task);
    free(p);
}
