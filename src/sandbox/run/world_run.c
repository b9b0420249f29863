/* world_run.c: build a world, start its threads, take it down. */
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "data/data.h"
#include "log/log.h"
#include "oplog/entries.h"
#include "run/inner.h"
#include "run/run.h"
#include "run/tables.h"
#include "server/server.h"
#include "server/tls.h"
#include "set/set.h"

#define DEFAULT_OPLOG (64u * 1024 * 1024)

struct running { /* what the world itself does not know of */
    struct sbx_world w;
    struct mst_thread timer;
    bool timing;
};

/* A process that gave up on a lock is dead as any other. */
static void bury(struct sbx_world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        struct sbx_member *m = &w->members[i];

        if (m->alive && m->abort) {
            mst_log(MST_LOG_WARN, "sandbox",
                    "%s aborts: it waited too long for the lock of state changes", m->host);
            sbx_set_killed(m);
            sbx_server_kill(m);
        }
    }
}

static void timer_main(void *arg)
{
    struct sbx_world *w = arg;

    sbx_lock(w);
    while (!w->stopping) {
        int64_t due = sbx_set_tick(w);

        sbx_disk_tick(w);
        bury(w);
        due = due < w->due_mono ? due : w->due_mono;
        const int64_t left = due - sbx_mono(w);
        /* At least a moment, so that the others get the lock. */
        (void)mst_cond_wait_ms(&w->changed, &w->mu, left > 0 ? left : 1);
    }
    sbx_unlock(w);
}

static enum mst_rc make_config(struct sbx_world *w, const struct sbx_opts *o, struct mst_err *err)
{
    const int data = o->members > 0 ? o->members : 3;
    int code = 0;
    char why[256];

    sbx_config_defaults(&w->config, w->fast);
    if (o->config != NULL) {
        if (!sbx_config_parse(o->config, &w->config, &code, why, sizeof why)) {
            return mst_err_set(err, MST_E_USAGE, "the configuration is refused: %s", why);
        }
    } else if (data + o->arbiter > SBX_VOTERS_MAX) {
        return mst_err_set(err, MST_E_USAGE, "at most %d members", SBX_VOTERS_MAX);
    } else {
        w->config.n = (size_t)data + (o->arbiter ? 1 : 0);
        for (size_t i = 0; i < w->config.n; i++) {
            w->config.members[i] = (struct sbx_member_config){
                .id = (int)i, .build_indexes = true, .priority = 1, .votes = 1};
        }
        if (o->arbiter) {
            w->config.members[data].arbiter = true;
            w->config.members[data].priority = 0;
        }
    }
    (void)mst_copy(w->config.set, sizeof w->config.set,
                   o->set != NULL             ? o->set
                   : w->config.set[0] != '\0' ? w->config.set
                                              : "rs0");
    w->config.version = o->version > 0 ? o->version : 1;
    if (o->election_timeout_ms > 0) {
        w->config.election_timeout_ms = (int)o->election_timeout_ms;
    }
    w->n = w->config.n;
    return MST_OK;
}

static void make_members(struct sbx_world *w, const struct sbx_opts *o)
{
    for (size_t i = 0; i < w->n; i++) {
        struct sbx_member *m = &w->members[i];
        m->w = w;
        m->index = i;
        m->port = o->port > 0 ? o->port + (int)i : 0;
        m->rbid = 1;
        m->sync_source = -1;
        if (!w->config.members[i].arbiter) {
            m->data = sbx_data_new();
            sbx_data_plain_specs(m->data, w->profile->server != SBX_42);
            sbx_data_move_on_grow(m->data, o->moves);
        }
        m->oplog = sbx_oplog_new(w->oplog_bytes);
        sbx_set_boot(m);
    }
}

static void init_world(struct sbx_world *w, const struct sbx_opts *o)
{
    mst_mutex_init(&w->mu);
    mst_cond_init(&w->changed);
    w->fast = o->fast ? 10 : 1;
    w->random = o->seed != 0 ? o->seed : (uint64_t)mst_clock_mono_us();
    w->oplog_bytes = o->oplog_bytes > 0 ? o->oplog_bytes : DEFAULT_OPLOG;
    w->max_txn_bytes = o->max_txn_bytes;
    w->sessions_ms = o->sessions_ms;
}

/* What must be there before the first connection. */
static enum mst_rc furnish(struct sbx_world *w, const struct sbx_opts *o, struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    if (o->tls != NULL) {
        rc = sbx_tls_init(w, o->tls, err);
    }
    if (rc == MST_OK && o->fill_bytes > 0) {
        rc = sbx_fill(w, o->fill_bytes, o->fill_colls, w->random, err);
    }
    return rc;
}

/* Into everybody's data, once it is the set's. */
static enum mst_rc add_users(struct sbx_world *w, const struct sbx_opts *o, struct mst_err *err)
{
    enum mst_rc rc = MST_OK;

    if (o->auth) {
        sbx_auth_enable(w);
    }
    for (size_t i = 0; i < o->n_users && rc == MST_OK; i++) {
        rc = sbx_auth_add_option(w, o->users[i], err);
    }
    for (size_t i = 0; i < o->n_refused; i++) {
        const char *eq = strchr(o->refused[i], '=');
        char user[256];

        (void)snprintf(user, sizeof user, "%.*s", (int)(eq - o->refused[i]), o->refused[i]);
        sbx_auth_refuse(w, user, eq + 1, true);
    }
    return rc;
}

static enum mst_rc start_set(struct running *r, const struct sbx_opts *o, struct mst_err *err)
{
    struct sbx_world *w = &r->w;

    for (size_t i = 0; i < w->n; i++) {
        (void)mst_copy(w->config.members[i].host, sizeof w->config.members[i].host,
                       w->members[i].host);
    }
    enum mst_rc rc = MST_OK;
    if (!o->uninitiated) {
        if (o->primary < 0 || (size_t)o->primary >= w->n ||
            w->config.members[o->primary].priority <= 0) {
            return mst_err_set(err, MST_E_USAGE, "member %d cannot be the first primary",
                               o->primary);
        }
        sbx_lock(w);
        sbx_set_steady(w, (size_t)o->primary, o->term > 0 ? o->term : 1);
        sbx_unlock(w);
    }
    sbx_lock(w);
    rc = add_users(w, o, err);
    sbx_unlock(w);
    if (rc == MST_OK) {
        rc = mst_thread_start(&r->timer, "sbx-set", timer_main, w, err);
        r->timing = rc == MST_OK;
    }
    if (rc == MST_OK) {
        rc = sbx_server_start(w, err);
    }
    if (rc == MST_OK && !o->uninitiated && sbx_world_wait_primary(w, -1, 10000) < 0) {
        rc = mst_err_set(err, MST_E_BUG, "no member became primary");
    }
    return rc;
}

enum mst_rc sbx_world_start(const struct sbx_opts *opts, struct sbx_world **out,
                            struct mst_err *err)
{
    const struct sbx_profile *p = sbx_profile_find(opts->server != NULL ? opts->server : "4.2");
    struct running *r;
    enum mst_rc rc;

    *out = NULL;
    if (p == NULL) {
        return mst_err_set(err, MST_E_USAGE, "no server profile %s: 4.2 and 7.0 exist",
                           opts->server);
    }
    sbx_register_all();
    r = mst_xcalloc(1, sizeof *r);
    r->w.profile = p;
    init_world(&r->w, opts);
    rc = make_config(&r->w, opts, err);
    if (rc == MST_OK) {
        make_members(&r->w, opts);
        rc = furnish(&r->w, opts, err);
    }
    if (rc == MST_OK) {
        rc = sbx_server_open(&r->w, err);
    }
    if (rc == MST_OK) {
        rc = start_set(r, opts, err);
    }
    if (rc != MST_OK) {
        sbx_world_stop(&r->w);
        return rc;
    }
    *out = &r->w;
    return MST_OK;
}

void sbx_world_stop(struct sbx_world *w)
{
    struct running *r = (struct running *)w; /* its first member */

    if (w == NULL) {
        return;
    }
    sbx_lock(w);
    w->stopping = true;
    sbx_changed(w);
    sbx_unlock(w);
    sbx_server_stop(w);
    if (r->timing) {
        mst_thread_join(&r->timer);
    }
    sbx_release_all(w);
    for (size_t i = 0; i < w->n; i++) {
        sbx_data_free(w->members[i].data);
        sbx_oplog_free(w->members[i].oplog);
        free(w->members[i].cmd_counts);
    }
    mst_cond_release(&w->changed);
    mst_mutex_release(&w->mu);
    free(r);
}

char *sbx_world_uri(const struct sbx_world *w)
{
    struct mst_str s = {0};

    mst_str_add(&s, "mongodb://");
    for (size_t i = 0; i < w->n; i++) {
        if (!w->config.members[i].hidden && !w->config.members[i].arbiter) {
            mst_str_addf(&s, "%s127.0.0.1:%d", s.len > 10 ? "," : "", w->members[i].port);
        }
    }
    mst_str_addf(&s, "/?replicaSet=%s", w->config.set);
    return mst_str_detach(&s);
}

int sbx_world_port(const struct sbx_world *w, size_t member)
{
    return w->members[member].port;
}

static int writable(const struct sbx_world *w, int not_member)
{
    for (size_t i = 0; i < w->n; i++) {
        if ((int)i != not_member && w->members[i].alive && !w->members[i].frozen &&
            w->members[i].writable) {
            return (int)i;
        }
    }
    return -1;
}

int sbx_world_primary(struct sbx_world *w)
{
    sbx_lock(w);
    const int i = writable(w, -1);
    sbx_unlock(w);
    return i;
}

bool sbx_world_wait(struct sbx_world *w, bool (*cond)(struct sbx_world *w, void *arg), void *arg,
                    int64_t ms)
{
    const int64_t deadline = sbx_mono(w) + ms;
    bool held;

    sbx_lock(w);
    while (!(held = cond(w, arg))) {
        const int64_t left = deadline - sbx_mono(w);
        if (left <= 0) {
            break;
        }
        (void)mst_cond_wait_ms(&w->changed, &w->mu, left < 50 ? left : 50);
    }
    sbx_unlock(w);
    return held;
}

static bool has_primary(struct sbx_world *w, void *arg)
{
    const int p = writable(w, *(int *)arg);

    for (size_t i = 0; p >= 0 && i < w->n; i++) {
        if (sbx_linked(w, i, (size_t)p) && sbx_primary_seen(&w->members[i]) != p) {
            return false;
        }
    }
    return p >= 0;
}

int sbx_world_wait_primary(struct sbx_world *w, int not_member, int64_t ms)
{
    if (!sbx_world_wait(w, has_primary, &not_member, ms)) {
        return -1;
    }
    sbx_lock(w);
    const int p = writable(w, not_member);
    sbx_unlock(w);
    return p;
}
