/* The engine in this process: made, asked for views, ended. */
#include "engine/engine.h"

#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/depot.h"
#include "engine/inner.h"
#include "engine/keep.h"
#include "engine/seals.h"

#define ASKS_MAX 64

static int local_wake_fd(const struct mst_engine *e)
{
    return ((const struct local *)(const void *)e)->out.fd;
}

static const struct mst_view *local_view(struct mst_engine *e)
{
    struct local *l = (struct local *)(void *)e;

    mst_wake_drain(&l->out);
    return (const struct mst_view *)(void *)mst_cell_load(&l->cell);
}

static void free_ask(void *msg)
{
    struct ask *a = msg;

    mst_reach_release(a->reach);
    free(a);
}

static void local_close(struct mst_engine *e)
{
    struct local *l = (struct local *)(void *)e;
    bool all;

    atomic_store(&l->stop, true);
    mst_task_cancel(&l->io_task);
    if (l->asks) {
        mst_queue_close(l->asks);
    }
    mst_wake_signal(&l->stir);
    mst_thread_join(&l->thread); /* these two look at jobs until they end */
    mst_thread_join(&l->io);
    if (l->jobq) {
        mst_jobq_close(l->jobq); /* and jobs at the monitor */
        l->jobq = NULL;
    }
    all = mst_depots_stop(l);
    mst_keep_stop(l);
    mst_monitor_stop(l->monitor);
    mst_state_close(l);
    if (!all) {
        return; /* what hangs in a store may come back and look at l */
    }
    mst_queue_free(l->asks);
    mst_cell_release(&l->cell);
    mst_depots_release(l);
    mst_shared_unref((struct mst_shared *)l->detail);
    mst_shared_unref((struct mst_shared *)l->leavings);
    mst_shared_unref((struct mst_shared *)l->move);
    for (size_t i = 0; i < MST_TICKETS; i++) {
        mst_ticket_free(l->slots[i].ticket);
        free(l->plans[i]);
    }
    mst_task_release(&l->io_task);
    mst_wake_release(&l->stir);
    mst_wake_release(&l->out);
    mst_mutex_release(&l->mtx);
    mst_mutex_release(&l->audit_mtx);
    mst_mutex_release(&l->own_mtx);
    mst_secret_release(&l->view_cred.password);
    mst_wire_release(&l->wire);
    free(l->seed_list);
    free(l);
}

static const struct mst_engine_ops local_ops = {.close = local_close,
                                                .wake_fd = local_wake_fd,
                                                .view = local_view,
                                                .submit = mst_act_submit,
                                                .prepare = mst_act_prepare,
                                                .ticket = mst_act_ticket,
                                                .commit = mst_act_commit};

static void name_user(struct local *l)
{
    struct passwd pw, *got = NULL;
    char buf[2048];

    if (l->o.who) {
        (void)mst_copy(l->who, sizeof(l->who), l->o.who);
    } else if (getpwuid_r(getuid(), &pw, buf, sizeof(buf), &got) == 0 && got) {
        (void)mst_copy(l->who, sizeof(l->who), got->pw_name);
    } else {
        (void)snprintf(l->who, sizeof(l->who), "uid %u", (unsigned)getuid());
    }
    mst_text_sanitise(l->who);
    (void)snprintf(l->agent_text, sizeof(l->agent_text),
                   l->o.agent ? "private agent, pid %d" : "in this process, pid %d", (int)getpid());
}

static enum mst_rc start_monitor(struct local *l, struct mst_err *err)
{
    const struct mst_cfg *c = l->cfg;
    struct mst_monitor_opts o = {.set_name = l->wire.set_name,
                                 .n_seeds = l->wire.n_seeds,
                                 .srv_host = l->wire.srv_host[0] ? l->wire.srv_host : NULL,
                                 .n_dial = l->wire.n_dial,
                                 .dial = l->wire.dial,
                                 .tls = l->wire.tls.on ? &l->wire.tls : NULL,
                                 .cred = l->has_view_cred ? &l->view_cred : NULL,
                                 .limits = &l->limits};
    struct mst_event *earlier = NULL;
    enum mst_rc rc;

    l->limits = mst_topo_limits_default;
    l->limits.hello_silent_ms = c->limits.hello_silent_ms;
    l->limits.stale_ms = c->limits.stale_ms;
    l->limits.lag_warn_ms = c->limits.lag_warn_ms;
    l->limits.lag_crit_ms = c->limits.lag_crit_ms;
    l->limits.headroom_warn_s = c->limits.headroom_warn_s;
    l->limits.headroom_crit_s = c->limits.headroom_crit_s;
    l->limits.commit_lag_warn_ms = c->limits.commit_lag_warn_ms;
    l->limits.no_primary_crit_ms = c->limits.no_primary_crit_ms;
    l->seed_list = mst_xcalloc(l->wire.n_seeds + 1, sizeof(l->seed_list[0]));
    for (size_t i = 0; i < l->wire.n_seeds; i++) {
        l->seed_list[i] = l->wire.seeds[i];
    }
    o.seeds = l->seed_list;
    l->begun_ms = mst_clock_mono_ms(NULL);
    if (l->db) {
        o.n_events = mst_keep_earlier(l->db, mst_clock_utc_ms(NULL), MST_TOPO_EVENTS, &earlier);
        o.events = earlier;
    }
    rc = mst_monitor_start(&o, &l->monitor, err);
    free(earlier);
    return rc;
}

static enum mst_rc start(struct local *l, struct mst_err *err)
{
    struct ask *first = mst_xcalloc(1, sizeof(*first));
    enum mst_rc rc;

    first->kind = ASK_BUCKET;
    l->asks = mst_queue_new(ASKS_MAX, free_ask);
    rc = mst_queue_push_take(l->asks, first, err);
    if (rc == MST_OK) {
        rc = mst_wire_cfg(&l->wire, l->cfg, err);
    }
    if (rc == MST_OK) {
        rc = mst_wire_cred(l->cfg, MST_CRED_VIEW, l->o.ask, l->o.ask_arg, &l->view_cred,
                           &l->has_view_cred, err);
    }
    if (rc == MST_OK) {
        mst_wire_key(l->cfg, &l->wire, l->key, sizeof(l->key));
        mst_state_open(l);
        if (l->o.agent && l->lock_fd < 0) {
            rc = mst_state_own(l, err);
        }
    }
    if (rc == MST_OK) {
        mst_seal_trust(l);
        mst_seal_remind(l);
        mst_depots_init(l);
        rc = start_monitor(l, err);
    }
    if (rc == MST_OK) {
        rc = mst_keep_start(l, err);
    }
    if (rc == MST_OK) {
        rc = mst_depots_start(l, err);
    }
    if (rc == MST_OK) {
        rc = mst_thread_start(&l->io, "mst-io", mst_io_run, l, err);
    }
    if (rc == MST_OK) {
        rc = mst_thread_start(&l->thread, "mst-engine", mst_loop_run, l, err);
    }
    return rc;
}

enum mst_rc mst_engine_open(const struct mst_engine_opts *o, struct mst_engine **out,
                            struct mst_err *err)
{
    static atomic_flag driver_ready = ATOMIC_FLAG_INIT;
    struct local *l = mst_xcalloc(1, sizeof(*l));
    enum mst_rc rc;

    if (!atomic_flag_test_and_set(&driver_ready)) {
        mst_mongo_init(); /* before the first thread of ours */
    }
    l->base.ops = &local_ops;
    l->cfg = o->cfg;
    l->o = *o;
    l->lock_fd = -1;
    l->leavings = mst_leavings_new(0);
    mst_mutex_init(&l->mtx);
    mst_mutex_init(&l->audit_mtx);
    mst_mutex_init(&l->own_mtx);
    mst_cell_init(&l->cell);
    l->stir.fd = l->out.fd = -1;
    name_user(l);
    rc = mst_task_init(&l->io_task, err);
    if (rc == MST_OK) {
        rc = mst_wake_init(&l->stir, err);
    }
    if (rc == MST_OK) {
        rc = mst_wake_init(&l->out, err);
    }
    if (rc == MST_OK) {
        rc = start(l, err);
    }
    if (rc == MST_OK) {
        struct pollfd p = {.fd = l->out.fd, .events = POLLIN};

        (void)poll(&p, 1, -1); /* the engine thread publishes its first view at once */
    }
    if (rc != MST_OK) {
        local_close(&l->base);
        l = NULL;
    }
    *out = l ? &l->base : NULL;
    return rc;
}
