#include "monitor/monitor.h"

#include <poll.h>
#include <stdatomic.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conc/cell.h"
#include "conc/wake.h"
#include "monitor/assemble.h"

#define TICK_MS 250    /* ages make a member silent without any event */
#define PUBLISH_MS 200 /* at most five a second */
#define BEAT_MS 1000   /* at least one a second */
#define PROBES_MAX (2 * MST_TOPO_MAX)
#define SRV_RETRY_MS 5000

/* A lookup of the seed list; it may outlive the monitor, because DNS cannot be interrupted. */
struct lookup {
    atomic_int refs;
    atomic_bool done;
    struct mst_uri uri;
    struct mst_srv_resolver resolver;
    bool own_resolver;
    struct mst_err err;
};

struct mst_monitor {
    struct mst_probes all;
    struct mst_topo_limits limits;
    bool stopping; /* under all.mtx */
    struct mst_thread thread;
    struct mst_cell cell;
    struct mst_wake wake;

    size_t n_dial;
    struct mst_monitor_dial *dial;
    char srv_host[256];
    struct mst_srv_resolver resolver;
    bool own_resolver;

    /* the collector's own */
    struct mst_topo_memory *memory;
    size_t n;
    struct mst_probe *probes[PROBES_MAX]; /* changed under all.mtx, too */
    struct lookup *lookup;
    int64_t lookup_at_ms;
    char trouble[200]; /* why there are no seeds yet */
    int64_t published_ms;
    uint64_t seen_version;
    uint32_t shape; /* hash of what must be shown at once */
};

static void view_destroy(struct mst_shared *self)
{
    struct mst_monitor_view *mv = (struct mst_monitor_view *)self;

    mst_topo_view_release(&mv->v);
    free(mv);
}

static const char *dial_of(const struct mst_monitor *m, const char *name)
{
    for (size_t i = 0; i < m->n_dial; i++) {
        if (strcasecmp(m->dial[i].name, name) == 0) {
            return m->dial[i].dial;
        }
    }
    return "";
}

static struct mst_probe *find(const struct mst_monitor *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++) {
        if (strcasecmp(m->probes[i]->name, name) == 0) {
            return m->probes[i];
        }
    }
    return NULL;
}

static enum mst_rc add_probe(struct mst_monitor *m, const char *name, bool seed,
                             struct mst_err *err)
{
    char normal[MST_ADDR_MAX];
    struct mst_probe *p;
    enum mst_rc rc;

    if (!mst_addr_normal(name, normal)) {
        return mst_err_set(err, MST_E_CONFIG, "'%.200s' is not an address of the form host:port",
                           name);
    }
    if (find(m, normal) || m->n >= PROBES_MAX) {
        return MST_OK;
    }
    rc = mst_probe_start(&m->all, normal, dial_of(m, normal), &p, err);
    if (rc == MST_OK) {
        mst_mutex_lock(&m->all.mtx);
        p->is_seed = seed;
        m->probes[m->n++] = p;
        mst_mutex_unlock(&m->all.mtx);
    }
    return rc;
}

/* A seed under a name that is in no list is kept only while it is all we have. */
static bool keep(const struct mst_probe *p, bool members_answer)
{
    return p->listed || (p->is_seed && !members_answer);
}

static void drop_probes(struct mst_monitor *m, bool members_answer)
{
    struct mst_probe *gone[PROBES_MAX];
    size_t n_gone = 0, n = 0;

    mst_mutex_lock(&m->all.mtx);
    for (size_t i = 0; i < m->n; i++) {
        if (keep(m->probes[i], members_answer)) {
            m->probes[n++] = m->probes[i];
        } else {
            gone[n_gone++] = m->probes[i];
        }
    }
    m->n = n;
    mst_mutex_unlock(&m->all.mtx);
    for (size_t i = 0; i < n_gone; i++) { /* joins: never under the lock */
        mst_probe_free(gone[i]);
    }
}

/* Make the probes follow the list of members. */
static void follow_list(struct mst_monitor *m, char (*names)[MST_HOST_MAX], size_t n)
{
    struct mst_err err = {0};
    bool answer = false;

    for (size_t i = 0; i < n; i++) {
        (void)add_probe(m, names[i], false, &err); /* without a thread: tried again next time */
    }
    mst_mutex_lock(&m->all.mtx);
    for (size_t i = 0; i < m->n; i++) {
        struct mst_probe *p = m->probes[i];

        p->listed = false;
        for (size_t k = 0; k < n; k++) {
            p->listed = p->listed || strcasecmp(names[k], p->name) == 0;
        }
        answer = answer || (p->listed && p->facts.reach == MST_REACH_OK && p->config.n > 0);
    }
    mst_mutex_unlock(&m->all.mtx);
    if (n > 0) {
        drop_probes(m, answer);
    }
}

static void lookup_unref(struct lookup *l)
{
    if (atomic_fetch_sub(&l->refs, 1) == 1) {
        free(l);
    }
}

static void lookup_thread(void *arg)
{
    struct lookup *l = arg;

    l->err.rc = mst_srv_resolve(&l->uri, l->own_resolver ? &l->resolver : NULL, &l->err);
    atomic_store(&l->done, true);
    lookup_unref(l);
}

static void lookup_start(struct mst_monitor *m)
{
    struct lookup *l = mst_xcalloc(1, sizeof(*l));
    struct mst_err err = {0};

    atomic_init(&l->refs, 2);
    l->uri.srv = true;
    (void)mst_copy(l->uri.srv_host, sizeof(l->uri.srv_host), m->srv_host);
    l->resolver = m->resolver;
    l->own_resolver = m->own_resolver;
    m->lookup_at_ms = mst_clock_mono_ms(NULL);
    if (mst_thread_spawn("srv", lookup_thread, l, &err) != MST_OK) {
        (void)mst_copy(m->trouble, sizeof(m->trouble), err.msg);
        free(l);
        return;
    }
    m->lookup = l;
}

static void lookup_take(struct mst_monitor *m)
{
    struct lookup *l = m->lookup;
    struct mst_err err = {0};

    m->lookup = NULL;
    m->trouble[0] = '\0';
    if (l->err.rc != MST_OK) {
        (void)mst_copy(m->trouble, sizeof(m->trouble), l->err.msg);
        lookup_unref(l);
        return;
    }
    mst_mutex_lock(&m->all.mtx);
    if (!m->all.set_name[0]) {
        (void)mst_copy(m->all.set_name, sizeof(m->all.set_name), l->uri.set_name);
    }
    if (!m->all.cred.source[0] && m->all.cred.mech != MST_MECH_X509) {
        (void)mst_copy(m->all.cred.source, sizeof(m->all.cred.source), l->uri.auth_source);
    }
    mst_mutex_unlock(&m->all.mtx);
    for (size_t i = 0; i < l->uri.n_hosts; i++) {
        if (add_probe(m, l->uri.hosts[i], true, &err) != MST_OK) {
            (void)mst_copy(m->trouble, sizeof(m->trouble), err.msg);
        }
    }
    lookup_unref(l);
}

static void seeds(struct mst_monitor *m)
{
    if (!m->srv_host[0] || m->n > 0) {
        return;
    }
    if (m->lookup && atomic_load(&m->lookup->done)) {
        lookup_take(m);
    } else if (!m->lookup &&
               (m->lookup_at_ms == 0 || mst_clock_mono_ms(NULL) - m->lookup_at_ms > SRV_RETRY_MS)) {
        lookup_start(m);
    }
}

/* What somebody must see at once when it changes. */
static uint32_t shape_of(const struct mst_topo_view *v)
{
    uint32_t h = 2166136261U;

    h = (h ^ (uint32_t)v->verdict) * 16777619U;
    h = (h ^ (uint32_t)(v->primary + 1)) * 16777619U;
    for (size_t i = 0; i < v->n; i++) {
        h = (h ^ (uint32_t)v->members[i].shown) * 16777619U;
        h = (h ^ (uint32_t)v->members[i].reach) * 16777619U;
    }
    return h;
}

static struct mst_monitor_view *build(struct mst_monitor *m)
{
    char(*names)[MST_HOST_MAX] = mst_xcalloc(MST_TOPO_MAX, sizeof(*names));
    struct mst_monitor_view *mv = mst_xcalloc(1, sizeof(*mv));
    size_t n;

    mst_mutex_lock(&m->all.mtx);
    m->seen_version = m->all.version;
    n = mst_members_now(m->probes, m->n, names);
    mst_mutex_unlock(&m->all.mtx);
    if (n > 0) {
        follow_list(m, names, n);
    }
    mst_shared_init(&mv->shared, view_destroy);
    mst_mutex_lock(&m->all.mtx);
    mst_assemble(m->probes, m->n, (const char(*)[MST_HOST_MAX])names, n, mst_clock_mono_ms(NULL),
                 mst_clock_utc_ms(NULL), &mv->v);
    mst_mutex_unlock(&m->all.mtx);
    free(names);
    mst_topo_derive(&mv->v, &m->limits);
    if (mv->v.n == 0 && m->trouble[0]) {
        mv->v.verdict = MST_V_UNREACHABLE;
        (void)mst_copy(mv->v.headline, sizeof(mv->v.headline), m->trouble);
    }
    return mv;
}

static void publish(struct mst_monitor *m, struct mst_monitor_view *mv, int64_t now)
{
    mst_topo_follow(m->memory, &mv->v);
    m->published_ms = now;
    m->shape = shape_of(&mv->v);
    mst_cell_publish_take(&m->cell, &mv->shared);
    mst_wake_signal(&m->wake);
}

/* Wait until something changed (and the last view is old enough) or for a tick; true to stop. */
static bool wait(struct mst_monitor *m)
{
    const int64_t end = mst_clock_mono_ms(NULL) + TICK_MS;
    bool stop;

    mst_mutex_lock(&m->all.mtx);
    for (;;) {
        const int64_t now = mst_clock_mono_ms(NULL), early = m->published_ms + PUBLISH_MS - now;
        const bool changed = m->all.version != m->seen_version;

        stop = m->stopping;
        if (stop || now >= end || (changed && early <= 0)) {
            break;
        }
        (void)mst_cond_wait_ms(&m->all.changed, &m->all.mtx,
                               changed && early < end - now ? early : end - now);
    }
    mst_mutex_unlock(&m->all.mtx);
    return stop;
}

static void collect(void *arg)
{
    struct mst_monitor *m = arg;

    do {
        const uint64_t before = m->seen_version;
        struct mst_monitor_view *mv;
        int64_t now;

        seeds(m);
        mv = build(m);
        now = mst_clock_mono_ms(NULL);
        if (m->seen_version != before || m->published_ms == 0 ||
            now - m->published_ms >= BEAT_MS - TICK_MS || shape_of(&mv->v) != m->shape) {
            publish(m, mv, now);
        } else {
            mst_shared_unref(&mv->shared);
        }
    } while (!wait(m));
}

static void copy_opts(struct mst_monitor *m, const struct mst_monitor_opts *o)
{
    struct mst_probes *a = &m->all;

    m->limits = o->limits ? *o->limits : mst_topo_limits_default;
    if (o->tls) {
        a->tls = *o->tls;
    }
    if (o->cred) {
        a->cred = *o->cred;
    }
    (void)mst_copy(a->app, sizeof(a->app), o->app ? o->app : "muster");
    (void)mst_copy(a->set_name, sizeof(a->set_name), o->set_name ? o->set_name : "");
    (void)mst_copy(m->srv_host, sizeof(m->srv_host), o->srv_host ? o->srv_host : "");
    a->hello_ms = o->hello_ms > 0 ? o->hello_ms : 1000;
    a->status_ms = o->status_ms > 0 ? o->status_ms : 1000;
    a->stats_ms = o->stats_ms > 0 ? o->stats_ms : 5000;
    a->config_ms = o->config_ms > 0 ? o->config_ms : 30000;
    a->silent_ms = m->limits.hello_silent_ms;
    if (o->resolver) {
        m->resolver = *o->resolver;
        m->own_resolver = true;
    }
    m->n_dial = o->n_dial;
    m->dial = mst_xcalloc(o->n_dial + 1, sizeof(*m->dial));
    for (size_t i = 0; i < o->n_dial; i++) {
        if (!mst_addr_normal(o->dial[i].name, m->dial[i].name)) {
            (void)mst_copy(m->dial[i].name, MST_HOST_MAX, o->dial[i].name);
        }
        (void)mst_copy(m->dial[i].dial, MST_HOST_MAX, o->dial[i].dial);
    }
}

enum mst_rc mst_monitor_start(const struct mst_monitor_opts *o, struct mst_monitor **out,
                              struct mst_err *err)
{
    struct mst_monitor *m;
    enum mst_rc rc;

    if (o->n_seeds == 0 && !(o->srv_host && o->srv_host[0])) {
        return mst_err_set(err, MST_E_CONFIG, "no seed: name at least one member of the set");
    }
    m = mst_xcalloc(1, sizeof(*m));
    m->wake.fd = -1;
    mst_mutex_init(&m->all.mtx);
    mst_cond_init(&m->all.changed);
    mst_cell_init(&m->cell);
    copy_opts(m, o);
    m->memory = mst_topo_memory_new(&m->limits);
    mst_topo_remember(m->memory, o->events, o->n_events);
    rc = mst_wake_init(&m->wake, err);
    for (size_t i = 0; rc == MST_OK && i < o->n_seeds; i++) {
        rc = add_probe(m, o->seeds[i], true, err);
    }
    if (rc == MST_OK) { /* so that there is a view from the first moment on */
        publish(m, build(m), mst_clock_mono_ms(NULL));
        rc = mst_thread_start(&m->thread, "monitor", collect, m, err);
    }
    if (rc != MST_OK) {
        mst_monitor_stop(m);
        return rc;
    }
    *out = m;
    return MST_OK;
}

void mst_monitor_stop(struct mst_monitor *m)
{
    if (!m) {
        return;
    }
    mst_mutex_lock(&m->all.mtx);
    m->stopping = true;
    mst_cond_broadcast(&m->all.changed);
    for (size_t i = 0; i < m->n; i++) {
        mst_probe_cancel(m->probes[i]);
    }
    mst_mutex_unlock(&m->all.mtx);
    mst_thread_join(&m->thread);
    for (size_t i = 0; i < m->n; i++) { /* those the collector made meanwhile, too */
        mst_probe_cancel(m->probes[i]);
    }
    for (size_t i = 0; i < m->n; i++) {
        mst_probe_free(m->probes[i]);
    }
    if (m->lookup) {
        lookup_unref(m->lookup);
    }
    mst_topo_memory_free(m->memory);
    mst_cell_release(&m->cell);
    mst_wake_release(&m->wake);
    mst_cond_release(&m->all.changed);
    mst_mutex_release(&m->all.mtx);
    free(m->dial);
    free(m);
}

struct mst_monitor_view *mst_monitor_view(struct mst_monitor *m)
{
    return (struct mst_monitor_view *)mst_cell_load(&m->cell);
}

int mst_monitor_wake_fd(const struct mst_monitor *m)
{
    return m->wake.fd;
}

void mst_monitor_drain(struct mst_monitor *m)
{
    mst_wake_drain(&m->wake);
}

void mst_monitor_now(struct mst_monitor *m)
{
    mst_mutex_lock(&m->all.mtx);
    for (size_t i = 0; i < m->n; i++) {
        mst_probe_now(m->probes[i]);
    }
    mst_mutex_unlock(&m->all.mtx);
}
