/* Ask every member at the same time, each on a thread of its own. */
#include "failover/facts.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "conc/thread.h"
#include "monitor/parse.h"

#define PATIENCE_MS 2000
#define WIRE_44 9
#define HOUR_MS 3600000
#define TEN_MIN_MS 600000
#define WATCH_NAME "muster-checks"

struct extra { /* of one member, for the facts of the set */
    struct mst_parsed_config config;
    bool has_config;
    char set_id[40];
    int committed; /* commitmentStatus; -1 absent */
    int64_t catch_up_ms, heartbeat_ms, elected_wall_ms;
    int wire;
};

struct asker {
    const struct mst_fo_ask *o;
    struct mst_guard_member *m;
    struct mst_conn *c;
    struct mst_topo_member t; /* parsed replies */
    struct extra x;
    struct mst_parsed_status heard;
    struct mst_thread thread;
    bool arbiter;
};

static int64_t patience(const struct asker *a)
{
    return a->o->patience_ms > 0 ? a->o->patience_ms : PATIENCE_MS;
}

static enum mst_rc ask(struct asker *a, const bson_t *cmd, bson_t *reply, struct mst_err *err)
{
    return mst_conn_command(a->c, "admin", cmd, patience(a), reply, err);
}

static enum mst_rc ask_one(struct asker *a, const char *name, bson_t *reply, struct mst_err *err)
{
    return mst_conn_ask(a->c, "admin", name, patience(a), reply, err);
}

/* --- what one member says --- */

static void ask_hello(struct asker *a)
{
    struct mst_guard_member *m = a->m;
    struct mst_parsed_hello *h = mst_xcalloc(1, sizeof(*h));
    struct mst_err err = {0};
    bson_t reply;
    const int64_t before = mst_clock_utc_ms(NULL);
    const bool ok = ask_one(a, "isMaster", &reply, &err) == MST_OK;
    const int64_t after = mst_clock_utc_ms(NULL), local = mst_bson_date(&reply, "localTime", 0);

    if (ok) {
        mst_parse_hello(&reply, mst_clock_mono_ms(NULL), &a->t, h);
        m->answered = true;
        m->writable = a->t.writable;
        m->rtt_us = mst_conn_rtt_us(a->c);
        m->clock_off_ms = local ? local - (before + (after - before) / 2) : INT64_MIN;
        m->config_server = h->sharded;
        (void)mst_copy(m->set_name, sizeof(m->set_name), h->set_name);
        a->x.wire = a->t.max_wire;
        a->arbiter = a->arbiter || a->t.is_arbiter_hello;
        if (a->arbiter) {
            m->state = MST_MS_ARBITER;
        }
    } else {
        m->answered = false;
        (void)mst_copy(m->why_not, sizeof(m->why_not), err.msg);
    }
    bson_destroy(&reply);
    free(h);
}

static void take_status(struct asker *a, const bson_t *reply)
{
    struct mst_guard_member *m = a->m;

    mst_parse_status(reply, mst_clock_mono_ms(NULL), &a->t, &a->heard);
    m->status_known = true;
    m->state = a->t.state;
    m->term = a->t.term;
    m->config_version = a->t.config_version >= 0 ? a->t.config_version : m->config_version;
    m->config_term = a->t.config_term;
    m->committed_lag_ms = a->t.applied_wall_ms && a->t.committed_wall_ms
                              ? a->t.applied_wall_ms - a->t.committed_wall_ms
                              : -1;
    a->x.elected_wall_ms = a->t.election_wall_ms;
    mst_fo_read_special(reply, m);
}

static void ask_status(struct asker *a)
{
    struct mst_err err = {0};
    bson_t reply;

    if (ask_one(a, "replSetGetStatus", &reply, &err) == MST_OK) {
        take_status(a, &reply);
    } else {
        (void)mst_copy(a->m->why_not, sizeof(a->m->why_not), err.msg);
    }
    bson_destroy(&reply);
}

static void read_set_id(const bson_t *reply, char out[40])
{
    bson_iter_t it, id;

    if (bson_iter_init(&it, reply) &&
        bson_iter_find_descendant(&it, "config.settings.replicaSetId", &id) &&
        BSON_ITER_HOLDS_OID(&id)) {
        bson_oid_to_string(bson_iter_oid(&id), out);
    }
}

static void ask_config(struct asker *a)
{
    struct mst_err err = {0};
    bson_t cmd = BSON_INITIALIZER, reply;

    (void)BSON_APPEND_INT32(&cmd, "replSetGetConfig", 1);
    if (a->x.wire >= WIRE_44 && a->m->writable) {
        (void)BSON_APPEND_BOOL(&cmd, "commitmentStatus", true);
    }
    a->x.committed = -1;
    if (ask(a, &cmd, &reply, &err) == MST_OK) {
        a->x.has_config = mst_parse_config(&reply, &a->x.config);
        read_set_id(&reply, a->x.set_id);
        (void)mst_copy(a->m->set_id, sizeof(a->m->set_id), a->x.set_id);
        a->x.catch_up_ms = mst_bson_i64(&reply, "config.settings.catchUpTimeoutMillis", -1);
        a->x.heartbeat_ms = mst_bson_i64(&reply, "config.settings.heartbeatIntervalMillis", 2000);
        if (bson_has_field(&reply, "commitmentStatus")) {
            a->x.committed = mst_bson_bool(&reply, "commitmentStatus", false);
        }
        if (a->x.has_config) {
            a->m->config_version = a->x.config.version;
            a->m->config_term = a->x.config.term;
        }
    }
    bson_destroy(&reply);
    bson_destroy(&cmd);
}

static void ask_stats(struct asker *a)
{
    struct mst_guard_member *m = a->m;
    struct mst_parsed_counters counters = {0};
    struct mst_err err = {0};
    bool has_oplog = false, sharded = false;
    bson_t reply;

    if (ask_one(a, "serverStatus", &reply, &err) == MST_OK) {
        mst_parse_stats(&reply, mst_clock_mono_ms(NULL), &a->t, &counters, &has_oplog, &sharded);
        m->stats_known = true;
        (void)mst_copy(m->version, sizeof(m->version), a->t.version);
        m->uptime_s = a->t.uptime_s;
        m->rbid = a->t.rbid;
        m->flow_lagged = bson_has_field(&reply, "flowControl") ? a->t.flow_lagged : -1;
        m->shard = sharded && !m->config_server;
    }
    bson_destroy(&reply);
}

/* An oplog that is not full yet says little: what it will hold is what counts. */
static void ask_oplog(struct asker *a)
{
    struct mst_guard_member *m = a->m;
    struct mst_ts first, last;
    bool has_first = false, has_last = false;
    struct mst_err err = {0};
    bson_t cmd = BSON_INITIALIZER, reply;
    double used, max;

    m->window_s =
        mst_conn_oplog_end(a->c, 1, patience(a), &first, &has_first, &err) == MST_OK && has_first &&
                mst_conn_oplog_end(a->c, -1, patience(a), &last, &has_last, &err) == MST_OK &&
                has_last && last.t >= first.t
            ? (int64_t)last.t - (int64_t)first.t
            : -1;
    (void)BSON_APPEND_UTF8(&cmd, "collStats", "oplog.rs");
    if (mst_conn_command(a->c, "local", &cmd, patience(a), &reply, &err) == MST_OK &&
        m->window_s >= 0) {
        used = mst_bson_f64(&reply, "size", 0);
        max = mst_bson_f64(&reply, "maxSize", 0);
        if (used > 0 && max > used * 1.1) {
            const double full = (double)m->window_s * max / used;

            m->window_seen_s = m->window_s;
            m->window_s = full < 1e9 ? (int64_t)full : 1000000000;
            m->window_estimated = true;
        }
    }
    bson_destroy(&reply);
    bson_destroy(&cmd);
}

static void ask_parameters(struct asker *a)
{
    static const char *const name = "fassertOnLockTimeoutForStepUpDown";
    struct mst_err err = {0};
    bson_t cmd = BSON_INITIALIZER, reply;

    (void)BSON_APPEND_INT32(&cmd, "getParameter", 1);
    (void)BSON_APPEND_INT32(&cmd, "featureCompatibilityVersion", 1);
    if (ask(a, &cmd, &reply, &err) == MST_OK) {
        (void)mst_bson_text(&reply, "featureCompatibilityVersion.version", a->m->fcv,
                            sizeof(a->m->fcv));
    }
    bson_destroy(&reply);
    bson_reinit(&cmd);
    (void)BSON_APPEND_INT32(&cmd, "getParameter", 1);
    (void)BSON_APPEND_INT32(&cmd, name, 1);
    if (ask(a, &cmd, &reply, &err) == MST_OK) {
        a->m->fassert_s = mst_bson_i64(&reply, name, -1);
    } else if (err.rc == MST_E_SERVER) { /* "no option found to get": this release has none */
        a->m->fassert_s = 0;
    }
    bson_destroy(&reply);
    bson_destroy(&cmd);
}

static void ask_ops_and_rights(struct asker *a)
{
    struct mst_err err = {0};
    bson_t cmd = BSON_INITIALIZER, reply;

    if (ask_one(a, "currentOp", &reply, &err) == MST_OK) {
        mst_fo_read_ops(&reply, a->m);
    }
    bson_destroy(&reply);
    (void)BSON_APPEND_INT32(&cmd, "connectionStatus", 1);
    (void)BSON_APPEND_BOOL(&cmd, "showPrivileges", true);
    if (ask(a, &cmd, &reply, &err) == MST_OK) {
        mst_fo_read_rights(&reply, a->m);
    }
    bson_destroy(&reply);
    bson_destroy(&cmd);
}

static void sample(struct asker *a)
{
    struct mst_guard_member *m = a->m;

    if (m->n_samples < MST_GUARD_SAMPLES && m->status_known) {
        m->sample[m->n_samples].applied = a->t.applied;
        m->sample[m->n_samples].applied_wall_ms = a->t.applied_wall_ms;
        m->sample[m->n_samples].lag_ms = -1;
        m->n_samples++;
    }
}

static void ask_member(void *arg)
{
    struct asker *a = arg;
    struct mst_err err = {0};
    const int64_t gap = a->o->sample_gap_ms > 0 ? a->o->sample_gap_ms : 3000;

    if (a->o->connect(a->o->connect_arg, a->m->name, !a->arbiter, WATCH_NAME, patience(a),
                      a->o->task, &a->c, &err) != MST_OK) {
        (void)mst_copy(a->m->why_not, sizeof(a->m->why_not), err.msg);
        return;
    }
    ask_hello(a);
    if (a->m->answered && !a->arbiter) {
        ask_status(a);
        sample(a);
        ask_config(a);
        ask_stats(a);
        ask_oplog(a);
        ask_parameters(a);
        ask_ops_and_rights(a);
        for (int i = 1; i < a->o->samples && a->m->status_known; i++) {
            if (!mst_task_sleep_ms(a->o->task, gap)) {
                break;
            }
            ask_status(a);
            sample(a);
        }
        ask_hello(a); /* writable now, not six seconds ago */
    }
    mst_conn_free(a->c);
    a->c = NULL;
}

/* --- the set --- */

static void member_init(struct mst_guard_member *m, const struct mst_topo_member *t)
{
    (void)mst_copy(m->name, sizeof(m->name), t->name);
    m->id = t->id;
    m->priority = t->priority;
    m->votes = t->votes;
    m->hidden = t->hidden;
    m->arbiter = t->arbiter;
    m->builds_indexes = t->builds_indexes;
    m->delay_s = t->delay_s;
    m->state = MST_MS_UNKNOWN;
    m->term = m->config_version = m->config_term = -1;
    m->clock_off_ms = INT64_MIN;
    m->committed_lag_ms = m->rbid = m->uptime_s = m->fassert_s = -1;
    m->flow_lagged = m->fsync_locked = -1;
    m->authenticated = m->may_state_change = m->may_note = m->may_configure = -1;
    m->window_s = -1;
    for (size_t i = 0; i < MST_TOPO_MAX; i++) {
        m->sees[i].state = MST_MS_UNKNOWN;
        m->sees[i].ping_ms = m->sees[i].heartbeat_age_ms = -1;
    }
}

static int index_of(const struct mst_guard_facts *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->members[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void take_opinions(struct mst_guard_facts *f, const struct asker *a)
{
    for (size_t i = 0; i < a->heard.n; i++) {
        const int at = index_of(f, a->heard.heard[i].name);

        if (at >= 0) {
            struct mst_opinion *o = &a->m->sees[at];

            *o = a->heard.heard[i].o;
            o->known = true;
            o->heartbeat_age_ms = a->heard.heard[i].heartbeat_wall_ms && a->t.status_wall_ms
                                      ? a->t.status_wall_ms - a->heard.heard[i].heartbeat_wall_ms
                                      : -1;
        }
    }
}

/* Lags are between samples of the same round. */
static void lags(struct mst_guard_facts *f)
{
    const struct mst_guard_member *p = f->primary >= 0 ? &f->members[f->primary] : NULL;

    for (size_t i = 0; p && i < f->n; i++) {
        struct mst_guard_member *m = &f->members[i];

        for (int s = 0; s < m->n_samples && s < p->n_samples; s++) {
            if (p->sample[s].applied_wall_ms && m->sample[s].applied_wall_ms) {
                const int64_t d = p->sample[s].applied_wall_ms - m->sample[s].applied_wall_ms;

                m->sample[s].lag_ms = d > 0 ? d : 0;
            }
        }
    }
}

/* An arbiter's state is what the others hear from it. */
static void arbiters(struct mst_guard_facts *f)
{
    for (size_t i = 0; i < f->n; i++) {
        for (size_t j = 0; f->members[i].arbiter && !f->members[i].answered && j < f->n; j++) {
            const struct mst_opinion *o = &f->members[j].sees[i];

            if (f->members[j].status_known && o->known && o->health == 1) {
                f->members[i].state = o->state;
            }
        }
    }
}

static void take_config(struct mst_guard_facts *f, const struct asker *a)
{
    const struct mst_parsed_config *c = &a->x.config;

    f->config_known = true;
    f->config_version = c->version;
    f->config_term = c->term;
    f->election_timeout_ms = c->election_timeout_ms;
    f->catch_up_timeout_ms = a->x.catch_up_ms;
    f->heartbeat_ms = a->x.heartbeat_ms;
    for (size_t i = 0; i < c->n; i++) {
        const int at = index_of(f, c->members[i].name);

        if (at >= 0) {
            struct mst_guard_member *m = &f->members[at];

            m->id = c->members[i].id;
            m->priority = c->members[i].priority;
            m->votes = c->members[i].votes;
            m->hidden = c->members[i].hidden;
            m->arbiter = c->members[i].arbiter;
            m->builds_indexes = c->members[i].builds_indexes;
            m->delay_s = c->members[i].delay_s;
        }
    }
}

static void whole_set(struct mst_guard_facts *f, const struct asker *askers)
{
    const struct asker *from = NULL;
    int64_t best = -1;

    f->primary = -1;
    for (size_t i = 0; i < f->n; i++) {
        take_opinions(f, &askers[i]);
        if (f->members[i].writable && f->members[i].term > best) {
            best = f->members[i].term;
            f->primary = (int)i;
        }
        if (askers[i].x.has_config &&
            (!from || askers[i].x.config.version > from->x.config.version)) {
            from = &askers[i];
        }
    }
    if (f->primary >= 0 && askers[f->primary].x.has_config) {
        from = &askers[f->primary];
        f->config_committed = from->x.committed;
        f->has_commitment = from->x.wire >= WIRE_44;
        if (from->x.elected_wall_ms && f->members[f->primary].clock_off_ms != INT64_MIN) {
            f->elected_wall_ms = from->x.elected_wall_ms - f->members[f->primary].clock_off_ms;
        }
    }
    if (from) {
        take_config(f, from);
    }
    arbiters(f);
    lags(f);
}

static void from_events(struct mst_guard_facts *f, const struct mst_topo_view *v)
{
    for (size_t i = 0; i < v->n_events; i++) {
        const struct mst_event *e = &v->events[i];
        const int64_t age = v->now_mono_ms - e->mono_ms;

        if (e->mono_ms == 0) { /* of an earlier run */
            continue;
        }
        if (e->kind == MST_EV_PRIMARY && age <= TEN_MIN_MS) {
            f->elections_10min++;
        } else if (e->kind == MST_EV_RBID && age <= HOUR_MS && e->member >= 0 &&
                   (size_t)e->member < v->n) {
            const int at = index_of(f, v->members[e->member].name);

            if (at >= 0) {
                f->members[at].rbid_changed_wall_ms = e->wall_ms;
            }
        }
    }
}

/* --- the majority write --- */

static enum mst_rc note(const struct mst_fo_ask *o, const char *primary, int64_t *ms,
                        struct mst_err *err)
{
    struct mst_conn *c = NULL;
    bson_t cmd = BSON_INITIALIZER, data, m, wc, reply;
    int64_t begun;
    enum mst_rc rc =
        o->connect(o->connect_arg, primary, true, WATCH_NAME, PATIENCE_MS, o->task, &c, err);

    if (rc != MST_OK) {
        return rc;
    }
    (void)BSON_APPEND_INT32(&cmd, "appendOplogNote", 1);
    (void)BSON_APPEND_DOCUMENT_BEGIN(&cmd, "data", &data);
    (void)BSON_APPEND_DOCUMENT_BEGIN(&data, "muster", &m);
    (void)BSON_APPEND_UTF8(&m, "probe", "checks");
    (void)bson_append_document_end(&data, &m);
    (void)bson_append_document_end(&cmd, &data);
    (void)BSON_APPEND_DOCUMENT_BEGIN(&cmd, "writeConcern", &wc);
    (void)BSON_APPEND_UTF8(&wc, "w", "majority");
    (void)BSON_APPEND_INT64(&wc, "wtimeout", 5000);
    (void)bson_append_document_end(&cmd, &wc);
    begun = mst_clock_mono_ms(NULL);
    rc = mst_conn_command(c, "admin", &cmd, 7000, &reply, err);
    if (rc == MST_OK) {
        rc = mst_reply_write_error(&reply, err);
    }
    *ms = mst_clock_mono_ms(NULL) - begun;
    bson_destroy(&reply);
    bson_destroy(&cmd);
    mst_conn_free(c);
    return rc;
}

static void probe(const struct mst_fo_ask *o, struct mst_guard_facts *f)
{
    struct mst_err err = {0};
    int64_t ms = -1;

    f->probe_ms = -1;
    if (!o->probe) {
        (void)mst_copy(f->probe_error, sizeof(f->probe_error), "not tried");
    } else if (f->primary < 0) {
        (void)mst_copy(f->probe_error, sizeof(f->probe_error), "there is no primary to write to");
    } else if (note(o, f->members[f->primary].name, &ms, &err) == MST_OK) {
        f->probe_ms = ms;
    } else {
        (void)mst_copy(f->probe_error, sizeof(f->probe_error), err.msg);
    }
}

enum mst_rc mst_fo_facts(const struct mst_fo_ask *o, struct mst_guard_facts *f, struct mst_err *err)
{
    struct asker *askers = mst_xcalloc(o->topo->n + 1, sizeof(*askers));
    enum mst_rc rc = MST_OK;

    f->n = o->topo->n;
    f->members = mst_xcalloc(f->n + 1, sizeof(f->members[0]));
    f->primary = -1;
    f->config_committed = -1;
    f->now_wall_ms = mst_clock_utc_ms(NULL);
    for (size_t i = 0; i < f->n; i++) {
        member_init(&f->members[i], &o->topo->members[i]);
    }
    for (size_t i = 0; i < f->n && rc == MST_OK; i++) {
        askers[i].o = o;
        askers[i].m = &f->members[i];
        askers[i].arbiter = o->topo->members[i].arbiter;
        mst_member_init(&askers[i].t, f->members[i].name, NULL);
        rc = mst_thread_start(&askers[i].thread, "mst-checks", ask_member, &askers[i], err);
    }
    for (size_t i = 0; i < f->n; i++) {
        mst_thread_join(&askers[i].thread);
    }
    if (rc == MST_OK) {
        rc = mst_task_check(o->task, err);
    }
    if (rc == MST_OK) {
        whole_set(f, askers);
        from_events(f, o->topo);
        probe(o, f);
        if (!f->config_known) {
            rc =
                mst_err_set(err, MST_E_NET,
                            "no member told the configuration of the set: look at 'muster status'");
        }
    }
    for (size_t i = 0; i < f->n; i++) {
        mst_parsed_config_release(&askers[i].x.config);
    }
    free(askers);
    return rc;
}

void mst_fo_facts_release(struct mst_guard_facts *f)
{
    free(f->members);
    f->members = NULL;
    f->n = 0;
}
