/* probe.h: the two threads of one member. Internal to the monitor. */
#ifndef MST_MONITOR_PROBE_H
#define MST_MONITOR_PROBE_H

#include "conc/task.h"
#include "conc/thread.h"
#include "conc/wake.h"
#include "mongo/mongo.h"
#include "monitor/parse.h"

/* What all probes of one monitor share. Everything below mtx belongs to it. */
struct mst_probes {
    struct mst_tls tls;
    struct mst_cred cred; /* mech NONE: no login */
    char app[128];
    int64_t hello_ms, status_ms, stats_ms, config_ms, silent_ms;

    struct mst_mutex mtx;
    struct mst_cond changed;
    uint64_t version; /* counts changes, so that nobody misses one */
    char set_name[128];
};

struct mst_probe {
    struct mst_probes *all;
    char name[MST_HOST_MAX], dial[MST_HOST_MAX];
    struct mst_task task; /* ends both threads and what they wait for */
    struct mst_wake poke_hello, poke_rest;
    struct mst_thread hello_thread, rest_thread;

    /* under all->mtx */
    bool is_seed, listed; /* listed: a member by configuration or by hello, so its me must fit */
    struct mst_topo_member facts;
    struct mst_parsed_hello hello;
    struct mst_parsed_status status;
    struct mst_parsed_config config; /* n 0: none */
    int64_t config_at_ms;
    char config_missing[128];
    char auth_text[256];      /* login failed: why; "" fine */
    char lookalike_text[256]; /* it is no member of a MongoDB replica set after all */
    bool sharded;
    struct mst_parsed_counters counters; /* the rest thread's own */
};

enum mst_rc mst_probe_start(struct mst_probes *all, const char *name, const char *dial,
                            struct mst_probe **out, struct mst_err *err) MST_MUST_CHECK;
void mst_probe_cancel(struct mst_probe *p); /* at once; join with free */
void mst_probe_free(struct mst_probe *p);
void mst_probe_now(struct mst_probe *p);

/* The rest thread's loop, in a file of its own. */
void mst_probe_rest(void *arg);
/* Sleep that a cancel or the wake ends. */
void mst_probe_nap(struct mst_probe *p, struct mst_wake *poke, int64_t ms);
/* Call with all->mtx held: something to show has changed. */
void mst_probe_changed(struct mst_probe *p);

#endif
