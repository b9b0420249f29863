/* Look at one member ten times a second. An answer that does not come leaves the old one with its
 * age: nothing is made up. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "failover/hands.h"
#include "monitor/parse.h"

#define LOOK_MS 100
#define ANSWER_MS 1000
#define RBID_MS 1000
#define AGAIN_MS 200

/* Do its heartbeats call the old primary down? */
static bool calls_down(const struct eye *e, const struct mst_parsed_status *s)
{
    const struct mst_fo_plan *p = e->crew->o->plan;

    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->heard[i].name, p->members[p->primary].name) == 0) {
            return s->heard[i].o.health == 0;
        }
    }
    return false;
}

static void take_status(struct eye *e, const bson_t *reply, struct mst_fo_seen *seen)
{
    struct mst_parsed_status *s = mst_xcalloc(1, sizeof(*s));
    struct mst_topo_member *t = mst_xcalloc(1, sizeof(*t));

    mst_member_init(t, e->crew->o->plan->members[e->member].name, NULL);
    mst_parse_status(reply, mst_clock_mono_ms(NULL), t, s);
    seen->has_status = true;
    seen->state = t->state;
    seen->term = t->term;
    seen->applied = t->applied;
    seen->committed = t->committed;
    seen->applied_wall_ms = t->applied_wall_ms;
    seen->config_version = t->config_version;
    seen->config_term = t->config_term;
    (void)mst_copy(seen->sync_source, sizeof(seen->sync_source), t->sync_source);
    seen->catching_up = t->state == MST_MS_PRIMARY && !seen->writable;
    seen->catch_up_ops = t->catch_up_ops;
    seen->sees_primary_down = calls_down(e, s);
    free(t);
    free(s);
}

static enum mst_rc ask_rbid(struct eye *e, struct mst_fo_seen *seen, struct mst_err *err)
{
    bson_t reply;
    enum mst_rc rc;

    if (mst_clock_mono_ms(NULL) < e->rbid_at_ms) {
        return MST_OK;
    }
    rc = mst_conn_server_status(e->c, false, ANSWER_MS, &reply, err);
    if (rc == MST_OK) {
        seen->rbid = mst_bson_i64(&reply, "repl.rbid", seen->rbid);
        seen->rbid_at_ms = mst_clock_mono_ms(NULL);
        e->rbid_at_ms = mst_clock_mono_ms(NULL) + RBID_MS;
    }
    bson_destroy(&reply);
    return mst_conn_broken(e->c) ? rc : MST_OK; /* a refusal leaves it unknown */
}

static enum mst_rc look(struct eye *e, struct mst_fo_seen *seen, struct mst_err *err)
{
    const bool arbiter = e->crew->o->plan->members[e->member].arbiter;
    bson_t reply;
    enum mst_rc rc = mst_conn_ask(e->c, "admin", "isMaster", ANSWER_MS, &reply, err);

    if (rc == MST_OK) {
        seen->writable =
            mst_bson_bool(&reply, "ismaster", mst_bson_bool(&reply, "isWritablePrimary", false));
        if (arbiter) {
            seen->state = MST_MS_ARBITER;
        }
    }
    bson_destroy(&reply);
    if (rc != MST_OK || arbiter) {
        return rc;
    }
    rc = mst_conn_ask(e->c, "admin", "replSetGetStatus", ANSWER_MS, &reply, err);
    if (rc == MST_OK) {
        take_status(e, &reply, seen);
    }
    bson_destroy(&reply);
    return rc == MST_OK ? ask_rbid(e, seen, err) : rc;
}

static void put(struct eye *e, const struct mst_fo_seen *seen, bool answered)
{
    struct crew *c = e->crew;
    struct mst_fo_seen *out = &c->seen[e->member];
    const int64_t now = mst_clock_mono_ms(NULL);

    mst_mutex_lock(&c->mtx);
    if (answered) {
        *out = *seen;
        out->at_ms = now;
    }
    out->tried_ms = now;
    c->fresh = true;
    mst_cond_signal(&c->news);
    mst_mutex_unlock(&c->mtx);
}

void mst_eye_run(void *arg)
{
    struct eye *e = arg;
    struct crew *c = e->crew;
    const struct mst_fo_run_opts *o = c->o;
    struct mst_fo_seen seen = c->seen[e->member];

    while (!mst_task_cancelled(&c->stop)) {
        struct mst_err err = {0};
        const int64_t begun = mst_clock_mono_ms(NULL);
        bool ok;

        if (!e->c && o->connect(o->connect_arg, o->plan->members[e->member].name,
                                !o->plan->members[e->member].arbiter, "muster-switch", ANSWER_MS,
                                &c->stop, &e->c, &err) != MST_OK) {
            e->c = NULL;
            put(e, &seen, false);
            (void)mst_task_sleep_ms(&c->stop, AGAIN_MS);
            continue;
        }
        ok = look(e, &seen, &err) == MST_OK;
        put(e, &seen, ok);
        if (mst_conn_broken(e->c)) {
            mst_conn_free(e->c);
            e->c = NULL;
        }
        (void)mst_task_sleep_ms(&c->stop, ok ? LOOK_MS - (mst_clock_mono_ms(NULL) - begun) > 5
                                                   ? LOOK_MS - (mst_clock_mono_ms(NULL) - begun)
                                                   : 5
                                             : AGAIN_MS);
    }
    mst_conn_free(e->c);
    e->c = NULL;
}
